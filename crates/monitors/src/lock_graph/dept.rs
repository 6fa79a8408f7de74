//! A cycle as DEPT prints one: a context for each edge, with the event that it owes (`[S]` is where
//! the context of it begins, `[E]` what is not reached) and the wait that keeps it from that.

use std::fmt::Write;

use super::{Id, Judged, Kind, LockGraph, Use, Verdict};

const RULER: &str = "===================================================\n";
const LINE: &str = "---------------------------------------------------\n";

/// The cycle in the shape of DEPT's report. `title` says where it is: a scenario and a tree.
pub fn dept(graph: &LockGraph, judged: &Judged, title: &str) -> String {
    let edges: Vec<(Id, Id, &Use)> = (judged.edges())
        .filter_map(|(from, to)| {
            let uses = graph.edges.get(&(from, to))?;
            Some((from, to, uses.iter().find(|used| !used.tries).or(uses.first())?))
        })
        .collect();
    let what = match &judged.verdict {
        Verdict::Real(_) => "Circular dependency has been detected.",
        Verdict::Refuted(_) => "Circular dependency, refuted.",
        Verdict::Possible(_) => "Circular dependency, possible.",
    };
    let kind = if edges.len() == 1 { "AA DEADLOCK" } else { "DEADLOCK" };
    let mut out = format!("{RULER}DEPT: {what}\n{title}\n{LINE}summary\n{LINE}*** {kind} ***\n");
    for (number, edge) in edges.iter().enumerate() {
        out.push_str(&context(graph, number, edge));
    }
    out.push_str("\n[S]: start of the event context\n[W]: the wait blocked\n");
    out.push_str("[E]: the event not reachable\n");
    for (number, edge) in edges.iter().enumerate() {
        let (from, to, used) = edge;
        // Writing to a string cannot fail.
        let _ = write!(out, "{LINE}context {}'s detail\n{LINE}", letter(number));
        out.push_str(context(graph, number, edge).trim_start());
        let _ = writeln!(out, "\n[S] {}:\nstacktrace:", begins(graph, *from, used));
        stack(&mut out, &used.held_in);
        let _ = writeln!(out, "\n[W] {}:\nstacktrace:", waits(graph, *to, used));
        stack(&mut out, &used.waits_in);
        let _ = writeln!(out, "\n[E] {}:\n(N/A)", ends(graph, *from));
    }
    out
}

/// `context A`, and its three lines.
fn context(graph: &LockGraph, number: usize, (from, to, used): &(Id, Id, &Use)) -> String {
    format!(
        "\ncontext {}: {}\n    [S] {}\n    [W] {}\n    [E] {}\n",
        letter(number),
        used.who,
        begins(graph, *from, used),
        waits(graph, *to, used),
        ends(graph, *from),
    )
}

/// A, B and so on; cycles are short.
fn letter(number: usize) -> char {
    char::from(b'A' + (number % 26) as u8)
}

fn is_lock(graph: &LockGraph, id: Id) -> bool {
    let kind = graph.resources.get(&id).map(|resource| resource.kind);
    let is_event = |kind| matches!(kind, Kind::Bit | Kind::End | Kind::WakeUp | Kind::Handler);
    !kind.is_some_and(is_event)
}

fn begins(graph: &LockGraph, id: Id, used: &Use) -> String {
    let name = graph.name(id);
    match (is_lock(graph, id), used.took) {
        (true, _) => format!("lock({name})"),
        (false, true) => format!("set({name})"),
        // Somebody else has set it, and it is up to this task since.
        (false, false) => format!("(event requestor)({name})"),
    }
}

fn waits(graph: &LockGraph, id: Id, used: &Use) -> String {
    let verb = match (used.tries, is_lock(graph, id)) {
        (true, _) => "trylock",
        (false, true) => "lock",
        (false, false) => "wait",
    };
    format!("{verb}({})", graph.name(id))
}

fn ends(graph: &LockGraph, id: Id) -> String {
    let verb = if is_lock(graph, id) { "unlock" } else { "event" };
    format!("{verb}({})", graph.name(id))
}

fn stack(out: &mut String, functions: &[&str]) {
    if functions.is_empty() {
        out.push_str("      the scenario\n");
    }
    for function in functions.iter().rev() {
        let _ = writeln!(out, "      {function}()");
    }
}
