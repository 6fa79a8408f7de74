//! `--format text`: what is proven and how far, what is not as expected, and what was not complete.

use std::fmt::Write;

use selvedge_explore::{MemoryModel, Verdict};
use selvedge_litmus::card_of;
use selvedge_proofs::{Outcome, Row, Source};
use selvedge_trace::cycle;

use super::About;
use super::row::{Totals, counted, evidence_in, expectation, undecided, unexpected};
use crate::output::table_width;

/// The matrix and what belongs below it.
pub fn text(rows: &[Row], about: &About) -> String {
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
        if let Some(states) = &row.exploration.states {
            let _ = writeln!(out, "      {states}");
        }
        violations(&mut out, row);
    }
    surprises(&mut out, rows);
    if unexpected(rows).next().is_none() {
        example(&mut out, rows);
    }
    mended(&mut out, rows);
    incomplete(&mut out, rows);
    summary(&mut out, rows, about);
    out.trim_start().into()
}

fn line(row: &Row) -> String {
    let seen = &row.exploration;
    let mark = match &row.outcome {
        Outcome::AsExpected if row.is_mended() => "  MENDED".into(),
        Outcome::AsExpected => String::new(),
        Outcome::Unexpected(_) => format!("  UNEXPECTED: {}", expectation(row)),
        Outcome::Undecided(_) => "  UNDECIDED".into(),
    };
    let (engine, model) = (row.engine.name(), row.engine.memory_model().name());
    let verdict = match &seen.verdict {
        Verdict::HoldsWithin(_) => "holds within bounds".into(),
        other => other.name().replace('_', " "),
    };
    let unit = if seen.executions == 1 { "execution " } else { "executions" };
    format!(
        "  {:34} {engine:6} {model:3}  {verdict:20} {:>7} {unit}  {}{mark}",
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

/// Every unexpected row: what was expected, what was found, and the table that shows it.
fn surprises(out: &mut String, rows: &[Row]) {
    for row in unexpected(rows) {
        let _ = writeln!(out, "\nUNEXPECTED: {}\n{}", row.name(), expectation(row));
        let _ = writeln!(out, "{}", row.claim.scenario.about);
        if let Some(evidence) = evidence_in(row, table_width()) {
            let _ = write!(out, "\n{evidence}");
        }
    }
}

/// One counterexample among those that are as expected, of one tree alone one of each of its
/// deadlocks, in brief; and how to see the others.
fn example(out: &mut String, rows: &[Row]) {
    let mut violated = rows.iter().filter(|row| row.exploration.verdict == Verdict::Violated);
    let Some(row) = violated.next() else { return };
    let is_one_tree = rows.iter().all(|other| other.claim.tree.name == row.claim.tree.name);
    let in_brief = |row: &Row| row.exploration.counterexample.as_ref().and_then(cycle);
    let first = if is_one_tree { in_brief(row) } else { None };
    let _ = writeln!(out, "\n{} is violated, {}:", row.name(), as_known(row));
    let _ = writeln!(out, "{}\n", row.claim.scenario.about);
    out.push_str(&first.or_else(|| evidence_in(row, table_width())).unwrap_or_default());
    let mut others = 0;
    let mut shown = vec![row.claim.source];
    for other in violated {
        match in_brief(other) {
            Some(brief) if is_one_tree && !shown.contains(&other.claim.source) => {
                let (name, how) = (other.name(), as_known(other));
                let _ = writeln!(out, "\n{name} is violated, {how}:\n\n{brief}");
                shown.push(other.claim.source);
            }
            _ => others += 1,
        }
    }
    if others > 0 {
        let others = counted(others, "more violation");
        let _ = writeln!(out, "\n{others}, as expected: `--out DIR` writes every one.");
    }
}

/// `as expected`, or of a tree of yours `as in v6.1`.
fn as_known(row: &Row) -> String {
    match row.claim.source {
        Source::Base(_) => row.claim.source.to_string(),
        _ => "as expected".into(),
    }
}

/// What a tree of yours mends.
fn mended(out: &mut String, rows: &[Row]) {
    let mut last = String::new();
    for row in rows.iter().filter(|row| row.is_mended()) {
        let Source::Base(base) = row.claim.source else { continue };
        let heading = format!("Mended: violated in {base}, holds in {}", row.claim.tree.name);
        if heading != last {
            let _ = writeln!(out, "\n{heading}:");
            last = heading;
        }
        let _ = writeln!(out, "  {}", row.name());
    }
}

/// What holds as far as it was looked at. What is undecided comes last of all.
fn incomplete(out: &mut String, rows: &[Row]) {
    let mut any = false;
    for row in rows {
        let Verdict::HoldsWithin(bound) = &row.exploration.verdict else { continue };
        if !std::mem::replace(&mut any, true) {
            out.push_str("\nNot complete:\n");
        }
        let _ = writeln!(out, "  {}: {bound}", row.name());
    }
}

fn summary(out: &mut String, rows: &[Row], about: &About) {
    let _ = writeln!(out, "\n{}.", Totals::of(rows));
    for said in about.sentences(rows) {
        let _ = writeln!(out, "{said}");
    }
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
    if rows.iter().any(|row| row.engine.memory_model() == MemoryModel::Lkmm) {
        out.push_str("lkmm: the kernel's own memory model, without load buffering.\n");
    }
    // Last, where one looks first.
    for (heading, rows) in [
        ("Unexpected", unexpected(rows).collect::<Vec<_>>()),
        ("Undecided", undecided(rows).collect()),
    ] {
        if !rows.is_empty() {
            let _ = writeln!(out, "\n{heading}:");
        }
        for row in rows {
            let _ = writeln!(out, "  {}\n    {}", row.name(), expectation(row));
        }
    }
}
