//! A cycle as lockdep prints one, so that eyes and scripts recognise it; the graph as DOT.

use std::fmt::Write;

use super::{Id, Judged, LockGraph, Use, Verdict};
use selvedge_trace::Context;

const RULER: &str = "======================================================\n";

/// The cycle in the shape of lockdep's report of a circular locking dependency: who waits for what
/// and holds what, the chain in reverse order, and the scenario as a table of who would do what.
/// `title` says where it is: a scenario and a tree.
pub fn splat(graph: &LockGraph, judged: &Judged, title: &str) -> String {
    let edges: Vec<(Id, Id, &Use)> = (judged.edges())
        .filter_map(|(from, to)| {
            let uses = graph.edges.get(&(from, to))?;
            Some((from, to, uses.iter().find(|used| !used.tries).or(uses.first())?))
        })
        .collect();
    let mut out = String::new();
    out.push_str(RULER);
    let what = match (&judged.verdict, judged.cycle.len()) {
        (Verdict::Real(_), 1) => "recursive locking detected",
        (Verdict::Real(_), _) => "circular locking dependency detected: deadlock",
        (Verdict::Refuted(_), _) => "circular locking dependency, refuted",
        (Verdict::Possible(_), _) => "possible circular locking dependency detected",
    };
    // Writing to a string cannot fail.
    let _ = writeln!(out, "WARNING: {what}");
    let _ = writeln!(out, "{title}");
    out.push_str("------------------------------------------------------\n");
    let Some((from, to, first)) = edges.first() else { return out };
    let _ = writeln!(out, "{}/{} is trying to acquire lock:", first.who, first.task);
    let _ =
        writeln!(out, "  ({}){}, at: {}", graph.name(*to), state(first), function(&first.waits_in));
    let _ = writeln!(out, "\nbut task is already holding lock:");
    let _ = writeln!(
        out,
        "  ({}){}, at: {}",
        graph.name(*from),
        state(first),
        function(&first.held_in)
    );
    out.push_str("\nwhich lock already depends on the new lock.\n");
    out.push_str("\nthe existing dependency chain (in reverse order) is:\n");
    for (number, (from, to, used)) in edges.iter().enumerate().rev() {
        let (to, from) = (graph.name(*to), graph.name(*from));
        let _ = writeln!(out, "\n-> #{number} ({to}), waited for by {}:", used.who);
        let verb = match (used.tries, used.ended_by) {
            (true, _) => "tries".to_string(),
            (false, None) => "waits for".to_string(),
            (false, Some(signal)) => format!("waits (until {signal}) for"),
        };
        let _ = writeln!(out, "       holds {from} since step {}, in:", used.held_at);
        stack(&mut out, &used.held_in);
        let _ = writeln!(out, "       {verb} {to} at step {}, in:", used.waits_at);
        stack(&mut out, &used.waits_in);
    }
    out.push_str("\nother info that might help us debug this:\n");
    out.push_str(&table(graph, &edges));
    let _ = writeln!(out, "\n {}", verdict(graph, judged));
    out
}

/// lockdep's `Possible unsafe locking scenario`.
fn table(graph: &LockGraph, edges: &[(Id, Id, &Use)]) -> String {
    let heading =
        edges.iter().fold(String::new(), |line, (.., used)| format!("{line}{:<30} ", used.who));
    let mut out =
        format!("\n Possible unsafe locking scenario:\n\n       {}\n", heading.trim_end());
    let row = |at: usize, text: String| format!("       {:at$}{text}\n", "", at = 31 * at);
    for (at, (from, ..)) in edges.iter().enumerate() {
        out.push_str(&row(at, format!("lock({});", graph.name(*from))));
    }
    for (at, (_, to, used)) in edges.iter().enumerate() {
        let verb = if used.tries { "trylock" } else { "lock" };
        out.push_str(&row(at, format!("{verb}({});", graph.name(*to))));
    }
    let end = match edges.iter().any(|(.., used)| used.tries) {
        true => "",
        false => "\n                   *** DEADLOCK ***\n",
    };
    out + end
}

fn verdict(graph: &LockGraph, judged: &Judged) -> String {
    match &judged.verdict {
        Verdict::Real(_) => {
            format!("real: an execution ends in it{}", graph.unless(&judged.cycle))
        }
        Verdict::Refuted(guards) => {
            let guards: Vec<String> = guards.iter().map(ToString::to_string).collect();
            format!("refuted: {}", guards.join("; "))
        }
        Verdict::Possible(what) => format!("possible: {what}"),
    }
}

/// lockdep's `{+.+.}` is of a class; here it is the context of the one use.
fn state(used: &Use) -> &'static str {
    match used.context {
        Context::Task | Context::Kworker => "{+.+.}-{3:3}",
        Context::Softirq => "{..-.}-{2:2}",
        Context::Irq => "{-...}-{2:2}",
    }
}

pub(super) fn function<'a>(functions: &[&'a str]) -> String {
    functions.last().map_or_else(|| "the scenario".into(), |f: &&'a str| format!("{f}()"))
}

fn stack(out: &mut String, functions: &[&str]) {
    if functions.is_empty() {
        out.push_str("           the scenario\n");
    }
    for function in functions.iter().rev() {
        let _ = writeln!(out, "           {function}()");
    }
}

/// The graph for Graphviz. Edges that only try are dashed; those of a real cycle are red.
pub fn dot(graph: &LockGraph, judged: &[Judged]) -> String {
    let is_real = |judged: &&Judged| matches!(judged.verdict, Verdict::Real(_));
    let real: Vec<(Id, Id)> = judged.iter().filter(is_real).flat_map(|j| j.edges()).collect();
    let mut out = String::from("digraph locks {\n  rankdir=LR;\n  node [shape=box];\n");
    let nodes: std::collections::BTreeSet<Id> =
        graph.edges.keys().flat_map(|&(from, to)| [from, to]).collect();
    let number = |id: Id| nodes.iter().position(|node| *node == id).unwrap_or(0);
    for (at, &id) in nodes.iter().enumerate() {
        let _ = writeln!(out, "  n{at} [label=\"{}\"];", quoted(graph.name(id)));
    }
    for (&(from, to), uses) in &graph.edges {
        let Some(used) = uses.iter().find(|used| !used.tries).or(uses.first()) else { continue };
        let style = match (real.contains(&(from, to)), used.tries) {
            (true, _) => ", color=red, penwidth=2",
            (false, true) => ", style=dashed",
            (false, false) => "",
        };
        let label = format!("{}: {}", used.who, function(&used.waits_in));
        let (from, to) = (number(from), number(to));
        let _ = writeln!(out, "  n{from} -> n{to} [label=\"{}\"{style}];", quoted(&label));
    }
    out + "}\n"
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
