//! Why a counterexample fails, as text: its table without what does not matter, and below it what
//! was found out.

use crate::because;
use crate::table::{Look, table_as};
use crate::text;
use crate::{Counterexample, Explanation};

/// How far the lines of a way to fail are indented, behind its number.
const INDENT: usize = 3;

/// The table and the explanation. Without an explanation, the table.
pub fn why(cx: &Counterexample) -> String {
    why_as(cx, &Look::default())
}

/// The same, as wide as asked.
pub fn why_as(cx: &Counterexample, look: &Look) -> String {
    let mut out = table_as(cx, look);
    let cx = &text::printable(cx);
    if let Some(why) = &cx.explanation {
        out.push('\n');
        out.push_str(&when(cx, why, look.width));
        for line in said(cx, why) {
            out.push_str(&text::lines(&line, look.width));
        }
    }
    out
}

/// When it fails: a sentence, or, if there are several ways to fail, a list.
fn when(cx: &Counterexample, why: &Explanation, width: usize) -> String {
    let Some((when, limits)) = because::when(cx, why).filter(|_| !why.alternatives.is_empty())
    else {
        let each = match why.necessary && why.conditions.len() > 1 {
            true => " Each of these is necessary, and together they are sufficient.",
            false => "",
        };
        let sentence = &why.sentence;
        return match sentence.is_empty() {
            true => String::new(),
            false => text::lines(&format!("It {sentence}.{each}"), width),
        };
    };
    let mut out = text::lines(&format!("It fails {when} one of these is so{limits}:"), width);
    for (number, way) in because::ways(cx, why).iter().enumerate() {
        let way = format!("{}. {}.", number + 1, way.join(", and "));
        for (at, line) in text::wrap(&way, width, width - INDENT).iter().enumerate() {
            let indent = if at == 0 { 0 } else { INDENT };
            out.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
    let otherwise = if why.exhaustive { " No execution fails otherwise." } else { "" };
    let each = "Each way is sufficient, and none of its orders can be left out of it.";
    out.push_str(&text::lines(&format!("{each}{otherwise}"), width));
    out
}

fn said(cx: &Counterexample, why: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    if why.executions > 0 {
        let which = match why.from {
            Some(_) => "All executions that begin so",
            None => "All executions",
        };
        lines.push(format!(
            "{which}, up to the order of independent steps: {}, of which {} {}.",
            why.executions,
            why.failing,
            if why.failing == 1 { "fails" } else { "fail" }
        ));
    }
    if let Some(step) = why.decisive.and_then(|step| cx.steps.get(step)) {
        let (who, what) = (text::who(cx, step.task), text::step(cx, step));
        lines.push(format!(
            "Decided by {who}: {what} (^^^^). Before it some way to go on breaks no rule, after it \
             none."
        ));
    }
    let count = why.preemptions;
    let preemptions = format!("{count} preemption{}", if count == 1 { "" } else { "s" });
    lines.push(match (why.fewest, count) {
        (true, 0) => "It takes no preemption.".into(),
        (true, _) => format!("It takes {preemptions}: no execution with fewer fails."),
        (false, _) => format!("This execution has {preemptions}; fewer may do."),
    });
    lines.extend(why.limits.iter().map(|limit| format!("Not decided: {limit}.")));
    lines
}
