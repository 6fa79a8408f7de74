//! `locks.html`: every tree's cycles with their verdicts, and their graphs as pictures. It needs no
//! network and no script.

use std::fmt::Write;

use selvedge_proofs::lock_order::lock_graph::{Drawing, Verdict, svg};
use selvedge_proofs::lock_order::{Cycle, TreeReport};
use selvedge_trace::views::escaped;

use super::drawing;
use crate::format::head;

/// The page's name in the directory.
pub const FILE: &str = "locks.html";

/// So many graphs of a tree are drawn: of those scenarios that have a cycle, the real ones first.
const GRAPHS_MAX: usize = 8;

/// What the words on the page mean.
const WORDS: &str = "<p class=\"more\">Each row is a circle of waits: every task in it has a lock \
    that another one waits for. <b>real</b>: an execution ends in it, and nobody can go on; \
    <b>refuted</b>: no execution can, and why; <b>possible</b>: neither was shown. A task that \
    only tries a lock does not wait for it.</p>\n";

/// The page.
pub fn page(reports: &[TreeReport]) -> String {
    let mut out = head("selvedge locks") + "<h1>Who could wait for whom</h1>\n" + WORDS;
    reports.iter().for_each(|report| tree(&mut out, report));
    out + "</body></html>\n"
}

fn tree(out: &mut String, report: &TreeReport) {
    let [real, refuted, possible] =
        ["real", "refuted", "possible"].map(|verdict| report.count(verdict));
    // Writing to a string cannot fail; so below.
    let _ = writeln!(
        out,
        "<h2>{}</h2>\n<p>{} scenarios, {} executions: {real} real, {refuted} refuted, {possible} \
         possible.</p>",
        escaped(report.tree.name),
        report.explored.len(),
        report.executions(),
    );
    out.push_str("<table><tr><th>verdict<th>waits<th>why<th>scenarios</tr>\n");
    report.cycles.iter().for_each(|one| cycle(out, one));
    for across in &report.across {
        let why = match &across.verdict {
            Verdict::Possible(what) => what.clone(),
            Verdict::Refuted(_) => "refuted with the tasks of both".into(),
            Verdict::Real(_) => "real with the tasks of both".into(),
        };
        row(out, &across.verdict, &across.cycle.cycle.join(" → "), &why, &across.scenarios);
    }
    out.push_str("</table>\n");
    for broken in &report.broken {
        let step = &broken.step;
        let text = format!(
            "Order: {} is waited for with {} held, by {} in {} ({}). The order: {}.",
            step.to, step.from, step.who, step.waits_in, broken.scenario, broken.source
        );
        let _ = writeln!(out, "<p>{}</p>", escaped(&text));
    }
    let drawn = drawings(report);
    if !drawn.is_empty() {
        let summary = "<details><summary>graphs of scenarios with cycles</summary>";
        let _ = writeln!(out, "{summary}\n{}</details>", svg(&drawn));
    }
}

/// The graphs of scenarios with a cycle, the real ones first.
fn drawings(report: &TreeReport) -> Vec<Drawing<'_>> {
    let with_cycles = report.explored.iter().filter(|one| !one.cycles.is_empty());
    let mut found: Vec<_> = with_cycles.collect();
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Real(_) => 0,
        Verdict::Possible(_) => 1,
        Verdict::Refuted(_) => 2,
    };
    found.sort_by_key(|one| one.cycles.iter().map(|judged| rank(&judged.verdict)).min());
    let shown = found.into_iter().take(GRAPHS_MAX);
    shown.map(|one| drawing(report.tree.name, one)).collect()
}

fn cycle(out: &mut String, cycle: &Cycle) {
    let waits: Vec<String> = (cycle.steps.iter())
        .map(|step| {
            let verb = if step.tries { "tries" } else { "waits for" };
            format!("{} {verb} {} in {}, with {}", step.who, step.to, step.waits_in, step.from)
        })
        .collect();
    let why = match &cycle.verdict {
        Verdict::Possible(what) => what.clone(),
        Verdict::Refuted(_) => cycle.guards().join("; "),
        Verdict::Real(_) if cycle.is_unexpected => {
            "an execution ends in it; no claim expects it".into()
        }
        Verdict::Real(_) => "an execution ends in it, as a claim expects".into(),
    };
    row(out, &cycle.verdict, &waits.join("; "), &why, &cycle.scenarios);
}

fn row(out: &mut String, verdict: &Verdict, waits: &str, why: &str, scenarios: &[&str]) {
    let class = match verdict {
        Verdict::Real(_) => "violated",
        Verdict::Refuted(_) => "holds",
        Verdict::Possible(_) => "other",
    };
    let _ = writeln!(
        out,
        "<tr><td class=\"{class}\">{}<td>{}<td>{}<td><span class=\"more\">{}</span></tr>",
        verdict.name(),
        escaped(waits),
        escaped(why),
        escaped(&scenarios.join(", "))
    );
}
