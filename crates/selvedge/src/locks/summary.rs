//! Every cycle of every tree in a line, as a table of Markdown: what a page shows, and what a test
//! compares. Counts that change with every new scenario are not in it.

use std::collections::BTreeSet;
use std::fmt::Write;

use selvedge_proofs::lock_order::lock_graph::{Guard, Verdict};
use selvedge_proofs::lock_order::{Across, Cycle, TreeReport};

/// Tree, what is found, where, and what becomes of it.
type Line = [String; 4];

/// The table.
pub fn summary(reports: &[TreeReport]) -> String {
    let mut out = "| tree | found | what | where | why not, or how far |\n|---|---|---|---|---|\n"
        .to_string();
    for report in reports {
        // Cycles that differ only in what a scenario numbers how are one here.
        let lines: BTreeSet<Line> = lines(report).collect();
        if lines.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "| {} | no cycle | | | |", report.tree.name);
        }
        for [found, what, place, why] in lines {
            let _ = writeln!(out, "| {} | {found} | {what} | {place} | {why} |", report.tree.name);
        }
    }
    out
}

fn lines(report: &TreeReport) -> impl Iterator<Item = Line> {
    let cycles = report.cycles.iter().map(of_cycle);
    let across = report.across.iter().map(of_across);
    let broken = report.broken.iter().map(|broken| {
        let step = &broken.step;
        let what = format!("{} with {} held", step.to, step.from);
        ["order".into(), what, step.waits_in.clone(), escaped(broken.source)]
    });
    let inversions = report.inversions.iter().map(|inversion| {
        let place = inversion.with_irqs_on.0.functions.last().copied().unwrap_or_default();
        let place = format!("{place}() with interrupts on");
        ["irq".into(), inversion.lock.clone(), place, inversion.with_irqs_on.1.into()]
    });
    let rules = report.explored.iter().flat_map(|one| {
        let of = |(rule, message): (&str, &str)| {
            ["rule".into(), escaped(rule), escaped(message), one.name.into()]
        };
        one.broken.iter().map(move |broken| of((broken.rule.0, &broken.message)))
    });
    cycles.chain(across).chain(broken).chain(inversions).chain(rules)
}

fn of_cycle(cycle: &Cycle) -> Line {
    let what: Vec<&str> = cycle.steps.iter().map(|step| step.from.as_str()).collect();
    let place: Vec<&str> = cycle.steps.iter().map(|step| step.waits_in.as_str()).collect();
    let why = match &cycle.verdict {
        Verdict::Real(_) if cycle.is_unexpected => "no claim expects it".into(),
        Verdict::Real(_) => {
            format!("{}{}", cycle.scenarios.first().copied().unwrap_or_default(), cycle.unless)
        }
        Verdict::Possible(what) => what.clone(),
        Verdict::Refuted(guards) => guarded(guards),
    };
    [cycle.verdict.name().into(), what.join(" → "), place.join("; "), escaped(&why)]
}

fn guarded<'a>(guards: impl IntoIterator<Item = &'a Guard>) -> String {
    guards.into_iter().map(Guard::to_string).collect::<Vec<_>>().join("; ")
}

fn of_across(across: &Across) -> Line {
    let uses =
        across.cycle.uses.iter().map(|(_, used)| {
            format!("{}()", used.waits_in.last().copied().unwrap_or("the scenario"))
        });
    let place = uses.collect::<Vec<_>>().join("; ");
    let why = match &across.verdict {
        Verdict::Real(_) => "no claim expects it".into(),
        Verdict::Possible(what) => what.clone(),
        Verdict::Refuted(guards) => guarded(guards),
    };
    let why = format!("{}: {}", across.scenarios.join(" with "), escaped(&why));
    [across.verdict.name().into(), across.cycle.cycle.join(" → "), place, why]
}

/// As a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
