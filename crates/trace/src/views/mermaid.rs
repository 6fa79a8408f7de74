//! A sequence diagram in Mermaid's language, as GitHub draws it.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::held::Later;
use crate::text;
use crate::{ActionKind, Counterexample};

/// One participant for each task that takes steps, a note for each step, an arrow for each start
/// and each wake-up.
pub fn mermaid(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let acts: BTreeSet<u8> =
        cx.steps.iter().filter(|s| !s.action.is_note()).map(|s| s.task).collect();
    let later = Later::new(cx);
    let mut out = String::from("sequenceDiagram\n");
    for &task in &acts {
        // Writing to a string cannot fail; so below.
        let _ = writeln!(out, "    participant T{task} as {}", escape(&text::who(cx, task)));
    }
    for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| !step.action.is_note()) {
        let mut text = match step.path.last() {
            Some(function) => format!("{function}(): {}", text::step(cx, step)),
            None => text::step(cx, step),
        };
        if cx.fatal == Some(at) {
            text.push_str(" <== fatal");
        }
        let (from, text) = (step.task, escape(&text));
        let to = match step.action {
            ActionKind::Spawn => u8::try_from(step.new).ok(),
            ActionKind::Wake => later.woken(at),
            _ => None,
        };
        let _ = match to.filter(|to| acts.contains(to)) {
            Some(to) => writeln!(out, "    T{from}->>T{to}: {text}"),
            None => writeln!(out, "    Note over T{from}: {text}"),
        };
    }
    for waits in &cx.blocked {
        let what = format!("waits for ever: {}", text::blocked(cx, waits));
        if acts.contains(&waits.task) {
            let _ = writeln!(out, "    Note over T{}: {}", waits.task, escape(&what));
        }
    }
    let all = acts.first().zip(acts.last());
    if let Some((first, last)) = all {
        let broken = format!("Broken: {}", cx.rule);
        let _ = writeln!(out, "    Note over T{first},T{last}: {}", escape(&broken));
    }
    out
}

/// All but letters, digits and what means nothing to Mermaid becomes `#NN;`, and so does the `e` of
/// `end`, which ends a block.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let is_end = word.trim_end_matches(|c: char| !c.is_alphanumeric()) == "end";
        for (at, c) in word.chars().enumerate() {
            match c {
                'e' if is_end && at == 0 => out.push_str("#101;"),
                c if c.is_alphanumeric() || " _()[].,:+-/=&|*".contains(c) => out.push(c),
                c => {
                    let _ = write!(out, "#{};", u32::from(c));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_mermaid_takes_for_syntax_is_left() {
        assert_eq!(escape("a; b"), "a#59; b");
        assert_eq!(escape("the end."), "the #101;nd.");
        assert_eq!(escape("bend"), "bend");
        assert_eq!(escape("x\"];<b>#1;"), "x#34;]#59;#60;b#62;#35;1#59;");
        assert_eq!(escape("a->b: c"), "a-#62;b: c");
    }
}
