//! The report for reading.

use std::fmt::Write;

use selvedge_proofs::lock_order::lock_graph::{Taken, Verdict};
use selvedge_proofs::lock_order::{Across, BY_INDEX, Cycle, ORDERS, TreeReport};

/// Every tree: its cycles, what it breaks of the documented order, and the totals.
pub fn report(reports: &[TreeReport]) -> String {
    let mut out = String::new();
    for report in reports {
        tree(&mut out, report);
    }
    let count = |verdict: &str| reports.iter().map(|report| report.count(verdict)).sum::<usize>();
    let executions: u64 = reports.iter().map(TreeReport::executions).sum();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{} trees, {executions} executions: {} real, {} refuted, {} possible.",
        reports.len(),
        count("real"),
        count("refuted"),
        count("possible"),
    );
    let broken: Vec<&str> =
        reports.iter().filter(|r| !r.broken.is_empty()).map(|report| report.tree.name).collect();
    match broken.as_slice() {
        [] => out.push_str("The documented lock order is kept in all of them:\n"),
        _ => {
            let _ = writeln!(out, "The documented lock order is broken in {}:", broken.join(", "));
        }
    }
    for order in ORDERS {
        let _ = writeln!(out, "  {}  ({})", order.classes.join(" > "), order.source);
    }
    let _ = writeln!(out, "  the folio locks of one file  ({BY_INDEX})");
    out
}

fn tree(out: &mut String, report: &TreeReport) {
    let _ = writeln!(
        out,
        "{}: {} scenarios, {} executions: {} real, {} refuted, {} possible",
        report.tree.name,
        report.explored.len(),
        report.executions(),
        report.count("real"),
        report.count("refuted"),
        report.count("possible"),
    );
    for one in &report.cycles {
        cycle(out, one);
    }
    for one in &report.across {
        across(out, one);
    }
    rules(out, report);
    classes(out, report);
    if report.is_cut {
        out.push_str("  there are more cycles than are looked for\n");
    }
    for one in &report.explored {
        if let Some(cut) = &one.search.cut {
            let _ = writeln!(out, "  not explored to its end: {} ({cut})", one.name);
        }
    }
}

/// A cycle whose edges are of different scenarios.
fn across(out: &mut String, across: &Across) {
    let is_real = matches!(across.verdict, Verdict::Real(_));
    let surprise = if is_real { ", which no claim expects" } else { "" };
    let locks = across.cycle.cycle.join(" -> ");
    let _ = writeln!(out, "  {:<9} {locks}{surprise}", across.verdict.name());
    for ((_, used), scenario) in across.cycle.uses.iter().zip(&across.scenarios) {
        let function = used.waits_in.last().copied().unwrap_or("the scenario");
        let _ = writeln!(out, "              {} in {function}(): {scenario}", used.who);
    }
    match &across.verdict {
        Verdict::Possible(what) => _ = writeln!(out, "            {what}"),
        Verdict::Refuted(guards) => {
            for guard in guards {
                let _ = writeln!(out, "            {guard}");
            }
        }
        Verdict::Real(_) => {}
    }
    if across.executions > 0 {
        let executions = across.executions;
        let _ = writeln!(out, "            tried with the tasks of both: {executions} executions");
    }
}

/// What breaks the documented order, or another rule.
fn rules(out: &mut String, report: &TreeReport) {
    for broken in &report.broken {
        let step = &broken.step;
        let _ = writeln!(
            out,
            "  order     {} is waited for with {} held: {} in {}\n            the order: {}\n            \
             {}",
            step.to, step.from, step.who, step.waits_in, broken.source, broken.scenario,
        );
    }
    for inversion in &report.inversions {
        let place = |(taken, scenario): &(Taken, &str)| {
            let function = taken.functions.last().copied().unwrap_or("the scenario");
            format!("{} in {function}(): {scenario}", taken.who)
        };
        let _ = writeln!(
            out,
            "  irq       {} is taken by an interrupt, {},\n            and with interrupts on, {}",
            inversion.lock,
            place(&inversion.in_irq),
            place(&inversion.with_irqs_on),
        );
    }
    for one in &report.explored {
        for broken in &one.broken {
            let _ = writeln!(
                out,
                "  rule      {}: {}\n            {}",
                broken.rule, broken.message, one.name
            );
        }
    }
}

/// What a checker of classes would report.
fn classes(out: &mut String, report: &TreeReport) {
    if !report.classes.is_empty() {
        let mut classes: Vec<String> =
            report.classes.iter().map(|classes| classes.0.join(" -> ")).collect();
        classes.sort_by_key(|cycle| (cycle.len(), cycle.clone()));
        let shown = &classes[..classes.len().min(CLASSES)];
        let more = classes.len() - shown.len();
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let _ = writeln!(out, "  by class, as information: {}{more}", shown.join("; "));
    }
}

/// So many cycles of classes are named, the shortest.
const CLASSES: usize = 6;
/// So many scenarios of a cycle are named.
const SCENARIOS: usize = 2;

fn cycle(out: &mut String, cycle: &Cycle) {
    let names: Vec<&str> = cycle.steps.iter().map(|step| step.from.as_str()).collect();
    let surprise = if cycle.is_unexpected { ", which no claim expects" } else { "" };
    let _ = writeln!(out, "  {:<9} {}{surprise}", cycle.verdict.name(), names.join(" -> "));
    for step in &cycle.steps {
        let verb = if step.tries { "tries" } else { "waits for" };
        let _ = writeln!(
            out,
            "              {} {verb} {} in {},\n                and holds {} since {}",
            step.who, step.to, step.waits_in, step.from, step.held_in
        );
    }
    for guard in cycle.guards() {
        let _ = writeln!(out, "            {guard}");
    }
    if let Some(unless) = cycle.unless.strip_prefix(", ") {
        let _ = writeln!(out, "            {unless}");
    }
    if let Verdict::Possible(what) = &cycle.verdict {
        let _ = writeln!(out, "            {what}: --max-executions");
    }
    let shown = &cycle.scenarios[..cycle.scenarios.len().min(SCENARIOS)];
    let more = cycle.scenarios.len() - shown.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let _ = writeln!(out, "            {}{more}", shown.join(", "));
}
