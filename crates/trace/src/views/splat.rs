//! As the kernel would say it: in the shape of a lockdep report.

use std::fmt::Write;

use super::held::held;
use crate::because;
use crate::text;
use crate::{Counterexample, Record};

const DOUBLE: &str = "======================================================";
const SINGLE: &str = "------------------------------------------------------";

/// The broken rule, who broke it or waits for ever, the locks that are held, and a call trace of
/// each.
pub fn splat(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut out = format!("{DOUBLE}\nWARNING: broken rule: {}\n", cx.rule);
    // Writing to a string cannot fail; so below.
    let _ = writeln!(out, "{} in {} (selvedge, {})", cx.scenario, cx.tree, cx.engine);
    let _ = writeln!(out, "{SINGLE}");
    // The scenario's own task waits for all others.
    let blocked = || cx.blocked.iter().filter(|waits| text::has_cpu(cx, waits.task));
    let lasts = because::lasts(cx);
    let fatal = cx.fatal.and_then(|at| Some((at, cx.steps.get(at)?)));
    match fatal {
        Some((_, step)) => {
            let (who, what) = (comm(cx, step.task), text::step(cx, step));
            let did = if lasts { "left it so by" } else { "broke it by" };
            let _ = writeln!(out, "{who} {did}:\n  {what}");
        }
        None if blocked().next().is_none() => out.push_str("at the end of the execution:\n"),
        None => {}
    }
    for waits in blocked() {
        let (who, what) = (comm(cx, waits.task), text::blocked(cx, waits));
        let _ = writeln!(out, "{who} is trying to do, and never can:\n  {what}");
    }
    out.push('\n');
    out.push_str(&text::paragraph(&format!("{}.", text::sentence(&cx.message))));
    let end = cx.steps.len();
    locks(cx, fatal.filter(|_| !lasts).map_or(end, |(at, _)| at), &mut out);
    if let Some(references) = text::references(cx) {
        let _ = writeln!(out, "\n{references}");
    }
    let is_blocked = |task: u8| blocked().any(|waits| waits.task == task);
    if let Some((_, step)) = fatal.filter(|(_, step)| !is_blocked(step.task)) {
        trace(&comm(cx, step.task), &step.path, &mut out);
    }
    for waits in blocked() {
        trace(&comm(cx, waits.task), &waits.path, &mut out);
    }
    out + DOUBLE + "\n"
}

/// `migrator/2 (CPU1)`
fn comm(cx: &Counterexample, task: u8) -> String {
    match cx.tasks.get(usize::from(task)) {
        Some(column) => match column.cpu {
            Some(cpu) => format!("{}/{task} (CPU{cpu})", column.name),
            None => format!("{}/{task}", column.name),
        },
        None => format!("task/{task}"),
    }
}

fn locks(cx: &Counterexample, before: usize, out: &mut String) {
    let held = held(cx, before);
    let count = held.len();
    let plural = if count == 1 { "" } else { "s" };
    let _ = writeln!(out, "\n{count} lock{plural} held:");
    for (number, lock) in held.iter().enumerate() {
        let at = cx.steps.get(lock.since).and_then(function).unwrap_or("the scenario");
        let who = comm(cx, lock.task);
        let _ = writeln!(out, " #{number}: ({}) by {who}, at: {at}", lock.name);
    }
}

fn function(step: &Record) -> Option<&str> {
    step.path.last().map(String::as_str)
}

/// Innermost first, as the kernel prints it.
fn trace(who: &str, path: &[String], out: &mut String) {
    let _ = writeln!(out, "\nCall Trace of {who}:\n <TASK>");
    path.iter().rev().for_each(|function| {
        let _ = writeln!(out, " {function}()");
    });
    out.push_str(" </TASK>\n");
}
