//! The rows as text: what is proven and how far, one counterexample, and what was not complete.

use std::fmt::Write;

use selvedge_explore::Verdict;
use selvedge_litmus::card_of;
use selvedge_proofs::{Outcome, Row};
use selvedge_trace::{cycle, table};

/// The matrix and what belongs below it.
pub fn text(rows: &[Row]) -> String {
    let mut out = String::new();
    let mut heading = (String::new(), "");
    for row in rows {
        let here = (row.claim.rule.0.to_string(), row.claim.scenario.name);
        if here != heading {
            // Writing to a string cannot fail; so below.
            let _ = writeln!(out, "\n{}  ({})", here.0, here.1);
            heading = here;
        }
        let _ = writeln!(out, "{}", line(row));
        violations(&mut out, row);
    }
    counterexample(&mut out, rows);
    incomplete(&mut out, rows);
    summary(&mut out, rows);
    out.trim_start().into()
}

fn line(row: &Row) -> String {
    let seen = &row.exploration;
    let mark = match &row.outcome {
        Outcome::AsExpected => String::new(),
        Outcome::Unexpected(how) => format!("  UNEXPECTED: {how}"),
        Outcome::Undecided(_) => "  UNDECIDED".into(),
    };
    let (engine, model) = (row.engine.name(), row.engine.memory_model().name());
    let verdict = match &seen.verdict {
        Verdict::HoldsWithin(_) => "holds within bounds".into(),
        other => other.name().replace('_', " "),
    };
    format!(
        "  {:34} {engine:6} {model:3}  {verdict:20} {:>7} executions  {}{mark}",
        row.claim.tree.name, seen.executions, row.claim.source
    )
}

/// All violations, if they were counted.
fn violations(out: &mut String, row: &Row) {
    let Some(all) = &row.exploration.violations else { return };
    for one in &all.distinct {
        let place = if one.location.is_empty() { "the end" } else { &one.location };
        let _ = writeln!(
            out,
            "      {:>7} executions break \"{}\" at {place}",
            one.executions, one.rule
        );
    }
    let _ = match &all.cut {
        Some(cut) => writeln!(out, "      of {} executions, cut short by {cut}", all.executions),
        None => writeln!(out, "      of all {} executions", all.executions),
    };
}

fn is_one_tree(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.claim.tree.name == rows[0].claim.tree.name)
}

/// The first counterexample, of one tree alone one of each of its deadlocks, and how to see the
/// others.
fn counterexample(out: &mut String, rows: &[Row]) {
    let mut violated = rows.iter().filter(|row| row.exploration.verdict == Verdict::Violated);
    let Some(row) = violated.next() else { return };
    let _ = writeln!(out, "\n{} is violated:\n", row.name());
    match (&row.exploration.counterexample, &row.exploration.evidence) {
        (Some(cx), _) => out.push_str(&cycle(cx).unwrap_or_else(|| table(cx))),
        (None, Some(evidence)) => {
            let _ = writeln!(out, "{evidence}");
        }
        (None, None) => {}
    }
    let mut others = 0;
    let mut shown = vec![row.claim.source];
    for other in violated {
        // What a tree's deadlocks are is worth more than one of them, in brief.
        let in_brief = other.exploration.counterexample.as_ref().and_then(cycle);
        match in_brief {
            Some(brief) if is_one_tree(rows) && !shown.contains(&other.claim.source) => {
                let _ = writeln!(out, "\n{} is violated:\n\n{brief}", other.name().trim_end());
                shown.push(other.claim.source);
            }
            _ => others += 1,
        }
    }
    if others > 0 {
        let _ = writeln!(out, "\n{others} more: `selvedge check --out DIR` writes every one.");
    }
}

fn incomplete(out: &mut String, rows: &[Row]) {
    let bounded = rows.iter().filter_map(|row| Some((row, row.exploration.verdict.bound()?)));
    let mut any = false;
    for (row, bound) in bounded {
        if !std::mem::replace(&mut any, true) {
            out.push_str("\nNot complete:\n");
        }
        let _ = writeln!(out, "  {}: {bound}", row.name());
    }
}

fn summary(out: &mut String, rows: &[Row]) {
    let count = |is: fn(&Outcome) -> bool| rows.iter().filter(|row| is(&row.outcome)).count();
    let executions: u64 = rows.iter().map(|row| row.exploration.executions).sum();
    let _ = writeln!(
        out,
        "\n{} rows: {} as expected, {} unexpected, {} undecided; {executions} executions.",
        rows.len(),
        count(|outcome| *outcome == Outcome::AsExpected),
        count(|outcome| matches!(outcome, Outcome::Unexpected(_))),
        count(|outcome| matches!(outcome, Outcome::Undecided(_))),
    );
    let mut engines: Vec<_> = rows.iter().map(|row| row.engine).collect();
    engines.sort_unstable();
    engines.dedup();
    for engine in engines {
        let card = card_of(engine);
        let _ = writeln!(out, "{engine}, on the kernel's litmus tests: {card}");
    }
    out.push_str(
        "sc: sequential consistency. c11: weak memory as loom explores it, without load buffering.\n",
    );
}
