//! The plain list: every event, numbered, with all that is known of it.

use crate::text;
use crate::{ActionKind, Counterexample};

/// One line for each event, notes included, and below them what is wrong.
pub fn steps(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut out = String::new();
    for (number, step) in cx.steps.iter().enumerate() {
        let what = match step.action {
            ActionKind::Get => format!("reference to {} now held by {}", step.object, step.detail),
            ActionKind::Put => format!("reference to {} given up by {}", step.object, step.detail),
            ActionKind::Hand => format!("reference to {} passes from {}", step.object, step.detail),
            ActionKind::Mark => format!("reached: {}", step.detail),
            ActionKind::Awaits => {
                format!("waits until {} of {} is clear", step.detail, step.object)
            }
            ActionKind::Owns => format!("bits {} of {} are its own", step.detail, step.object),
            _ => text::step(cx, step),
        };
        let order = step.order.mark();
        let path = step.path.join(" > ");
        let path = if path.is_empty() { path } else { format!(" in {path}") };
        let at = if step.at.is_empty() { String::new() } else { format!(" at {}", step.at) };
        let fatal = if cx.fatal == Some(number) { "  <== fatal" } else { "" };
        let who = text::who(cx, step.task);
        out.push_str(&format!("{number:4} {who}: {what}{order}{path}{at}{fatal}\n"));
    }
    out.push_str(&format!("\nBroken: {}\n{}\n", cx.rule, cx.message));
    if let Some(references) = text::references(cx) {
        out.push_str(&format!("{references}\n"));
    }
    for blocked in &cx.blocked {
        let (who, path) = (text::who(cx, blocked.task), blocked.path.join(" > "));
        let what = text::blocked(cx, blocked);
        out.push_str(&format!("{who} waits for ever: {what} in {path}\n"));
    }
    out
}
