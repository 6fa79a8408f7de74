//! Why a counterexample fails, as text: its table without what does not matter, and below it what
//! was found out.

use crate::table::{Look, table_as};
use crate::text;
use crate::{Counterexample, Explanation};

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
        for line in said(cx, why) {
            out.push_str(&text::lines(&line, look.width));
        }
    }
    out
}

fn said(cx: &Counterexample, why: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    if !why.sentence.is_empty() {
        let necessary = if why.necessary && why.conditions.len() > 1 {
            " Each of these is necessary, and together they are sufficient."
        } else {
            ""
        };
        lines.push(format!("It {}.{necessary}", why.sentence));
    }
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
