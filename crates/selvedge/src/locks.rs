//! `selvedge locks`, also `selvedge check lock_order`: every cycle of the lock and wait graph of
//! every tree, with its verdict.

mod page;
mod summary;
mod text;

use std::path::Path;

use selvedge_explore::Bounds;
use selvedge_models::{Kind, Tree, trees};
use selvedge_proofs::Scenario;
use selvedge_proofs::lock_order::lock_graph::{Drawing, Verdict, dot, svg};
use selvedge_proofs::lock_order::{
    Across, Cycle, EXECUTIONS_MAX, Explored, TreeReport, Untried, explore_locks, scenarios,
    try_across,
};
use selvedge_trace::{table, to_json};
use serde_json::{Value, json};

use crate::args::{CheckArgs, LocksArgs, LocksFormat};
use crate::error::Failure;
use crate::format::CheckFormat;
use crate::interrupt::Interrupt;
use crate::progress::Meter;
use crate::select::{not_empty, tree};
use crate::{Outcome, Status, output, threads};

/// The page that it writes.
pub const PAGE: &str = page::FILE;

/// The filter of `check` that means this report.
pub const FILTER: &str = "lock_order";

/// What the exit code says.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  every cycle is refuted, or a deadlock that a claim expects
  1  a deadlock that no claim expects
  2  wrong usage or bad input
  3  a cycle is possible: a limit was hit, or no scenario has it whole";

/// Does `check` mean this report?
pub fn is_meant(args: &CheckArgs) -> bool {
    args.filters == [FILTER]
}

/// The report, as `check` asks for it.
///
/// # Errors
/// Engines and formats other than this report's.
pub fn check(args: &CheckArgs) -> Outcome {
    let format = match args.printed.format {
        CheckFormat::Text => LocksFormat::Text,
        CheckFormat::Json => LocksFormat::Json,
        _ => return Err(Failure::new("`check lock_order` prints text or json")),
    };
    if args.engines.iter().any(|engine| engine != "dpor") {
        return Err(Failure::new("the lock order is explored by dpor: leave `--engine` out"));
    }
    run(&LocksArgs {
        filters: Vec::new(),
        trees: args.trees.clone(),
        format,
        out: args.printed.out.clone(),
        workers: args.workers,
        max_executions: args.max_executions,
    })
}

/// Explores the scenarios of the trees that the arguments name.
pub fn run(args: &LocksArgs) -> Outcome {
    let trees = trees_meant(args)?;
    args.filters.iter().try_for_each(|filter| not_empty(filter))?;
    if let Some(dir) = &args.out {
        output::prepare_dir(dir)?;
    }
    let work: Vec<(&'static Tree, &'static Scenario)> = trees
        .iter()
        .flat_map(|&tree| scenarios(tree).into_iter().map(move |scenario| (tree, scenario)))
        .filter(|(_, scenario)| is_asked(args, scenario))
        .collect();
    if work.is_empty() {
        return Err(Failure::new(format!(
            "no scenario of these trees is explored by dpor and named {}",
            if args.filters.is_empty() { "at all".into() } else { args.filters.join(" or ") }
        )));
    }
    let interrupt = Interrupt::catch()?;
    let bounds = Bounds {
        executions_max: args.max_executions.unwrap_or(EXECUTIONS_MAX),
        interrupted: Some(interrupt.flag()),
        ..Bounds::PROOF
    };
    let workers = args.workers.map_or_else(threads::cores, usize::from);
    let explored = explore_all(&work, &bounds, workers, &interrupt);
    let mut explored = work.iter().zip(explored).peekable();
    let mut reports = Vec::new();
    for tree in trees {
        let mut of_tree = Vec::new();
        while let Some((_, one)) = explored.next_if(|((t, _), _)| t.name == tree.name) {
            of_tree.push(one);
        }
        if !of_tree.is_empty() {
            reports.push(TreeReport::new(tree, of_tree));
        }
    }
    try_all_across(&mut reports, &bounds, workers);
    if let Some(dir) = &args.out {
        write_all(dir, &reports)?;
    }
    output::print(&render(&reports, args.format))?;
    Ok(status(&reports))
}

fn is_asked(args: &LocksArgs, scenario: &Scenario) -> bool {
    args.filters.is_empty() || args.filters.iter().any(|text| scenario.name.contains(text.as_str()))
}

/// The trees that are named; all but mutants if none is.
fn trees_meant(args: &LocksArgs) -> Result<Vec<&'static Tree>, Failure> {
    if args.trees.is_empty() {
        return Ok(trees::every().filter(|tree| tree.kind != Kind::Mutant).collect());
    }
    args.trees.iter().map(|name| tree(name)).collect()
}

fn explore_all(
    work: &[(&'static Tree, &'static Scenario)],
    bounds: &Bounds,
    workers: usize,
    interrupt: &Interrupt,
) -> Vec<Explored> {
    let meter = Meter::new(work.len());
    let explored = threads::on_each(work, workers, |&(tree, scenario)| {
        let progress = meter.of_row(&format!("{}::{}", scenario.name, tree.name));
        let bounds = Bounds { progress: Some(progress), ..bounds.clone() };
        let explored = explore_locks(tree, scenario, &bounds);
        interrupt.tell();
        meter.row_done();
        explored
    });
    meter.finish();
    explored
}

/// Tries the cycles that no scenario has whole.
fn try_all_across(reports: &mut [TreeReport], bounds: &Bounds, workers: usize) {
    let untried: Vec<(usize, &'static Tree, Untried)> = (reports.iter_mut().enumerate())
        .flat_map(|(at, report)| {
            let (tree, untried) = (report.tree, std::mem::take(&mut report.untried));
            untried.into_iter().map(move |one| (at, tree, one))
        })
        .collect();
    let meter = Meter::new(untried.len());
    let tried = threads::on_each(&untried, workers, |(at, tree, (cycle, scenarios))| {
        let progress = meter.of_row(&format!("{}::{}", cycle.cycle.join(" and "), tree.name));
        let bounds = Bounds { progress: Some(progress), ..bounds.clone() };
        let across = try_across(tree, cycle.clone(), scenarios.clone(), &bounds);
        meter.row_done();
        (*at, across)
    });
    meter.finish();
    tried.into_iter().for_each(|(at, across)| reports[at].across.push(across));
}

fn render(reports: &[TreeReport], format: LocksFormat) -> String {
    match format {
        LocksFormat::Text => text::report(reports),
        LocksFormat::Table => summary::summary(reports),
        LocksFormat::Splat => each(reports, |cycle| &cycle.splat),
        LocksFormat::Dept => each(reports, |cycle| &cycle.dept),
        LocksFormat::Dot => {
            let all = reports.iter().flat_map(|report| &report.explored);
            all.map(|one| dot(&one.graph, &one.cycles)).collect()
        }
        LocksFormat::Svg => svg(&drawings(reports)),
        LocksFormat::Json => {
            let reports: Vec<Value> = reports.iter().map(json).collect();
            let whole = json!({ "schema": "selvedge-locks/1", "trees": reports });
            serde_json::to_string_pretty(&whole).expect("plain data") + "\n"
        }
    }
}

fn each(reports: &[TreeReport], shape: impl Fn(&Cycle) -> &str) -> String {
    let cycles = reports.iter().flat_map(|report| &report.cycles);
    cycles.map(shape).collect::<Vec<_>>().join("\n")
}

fn drawings(reports: &[TreeReport]) -> Vec<Drawing<'_>> {
    let mut all = Vec::new();
    for report in reports {
        all.extend(report.explored.iter().map(|one| drawing(report.tree.name, one)));
    }
    all
}

/// The graph of a scenario in the tree of this name.
fn drawing<'a>(tree: &str, one: &'a Explored) -> Drawing<'a> {
    Drawing { title: format!("{} in {tree}", one.name), graph: &one.graph, cycles: &one.cycles }
}

fn json(report: &TreeReport) -> Value {
    let cycle = |cycle: &Cycle| {
        let steps = cycle.steps.iter().map(|step| {
            json!({ "held": step.from, "waits_for": step.to, "task": step.who,
                    "held_in": step.held_in, "waits_in": step.waits_in, "tries": step.tries })
        });
        json!({ "verdict": cycle.verdict.name(), "expected": !cycle.is_unexpected,
                "edges": steps.collect::<Vec<_>>(), "guards": cycle.guards(),
                "scenarios": cycle.scenarios, "unless": cycle.unless.trim_start_matches(", ") })
    };
    let broken = report.broken.iter().map(|broken| {
        json!({ "held": broken.step.from, "waits_for": broken.step.to,
                "waits_in": broken.step.waits_in, "task": broken.step.who,
                "scenario": broken.scenario, "documented": broken.source })
    });
    let across = report.across.iter().map(|across| {
        json!({ "locks": across.cycle.cycle, "scenarios": across.scenarios,
                "verdict": across.verdict.name(), "executions": across.executions })
    });
    let inversions = report.inversions.iter().map(|inversion| {
        json!({ "lock": inversion.lock, "in_irq": inversion.in_irq.0.who,
                "with_irqs_on": inversion.with_irqs_on.0.who,
                "scenarios": [inversion.in_irq.1, inversion.with_irqs_on.1] })
    });
    let rules = report.explored.iter().flat_map(|one| {
        one.broken.iter().map(|broken| {
            json!({ "rule": broken.rule.0, "message": broken.message, "scenario": one.name })
        })
    });
    let classes = report.classes.iter().map(|classes| &classes.0);
    json!({ "tree": report.tree.name, "scenarios": report.explored.len(),
            "executions": report.executions(),
            "cycles": report.cycles.iter().map(cycle).collect::<Vec<_>>(),
            "across_scenarios": across.collect::<Vec<_>>(),
            "classes": classes.collect::<Vec<_>>(),
            "documented_order_broken": broken.collect::<Vec<_>>(),
            "irq_inversions": inversions.collect::<Vec<_>>(),
            "rules_broken": rules.collect::<Vec<_>>() })
}

/// Writes the page, and each deadlock: the counterexample, its table, and the cycle in lockdep's
/// shape.
fn write_all(dir: &Path, reports: &[TreeReport]) -> Result<(), Failure> {
    output::write_file(&dir.join(page::FILE), &page::page(reports))?;
    for report in reports {
        let alone = report.cycles.iter().filter_map(|cycle| {
            let scenario = cycle.scenarios.first().copied().unwrap_or_default();
            Some((scenario.to_string(), cycle.splat.as_str(), cycle.counterexample()?))
        });
        let across = report.across.iter().filter_map(|across| match &across.verdict {
            Verdict::Real(counterexample) => {
                Some((across.scenarios.join("+"), "", counterexample.as_ref()))
            }
            Verdict::Refuted(_) | Verdict::Possible(_) => None,
        });
        for (number, (scenario, splat, counterexample)) in alone.chain(across).enumerate() {
            let stem = format!("lock_order.{scenario}.{}.{number}", report.tree.name);
            output::write_file(&dir.join(format!("{stem}.json")), &to_json(counterexample))?;
            let text = format!("{splat}\n{}", output::printable(&table(counterexample)));
            output::write_file(&dir.join(format!("{stem}.txt")), &text)?;
        }
    }
    Ok(())
}

fn status(reports: &[TreeReport]) -> Status {
    let is_real = |across: &Across| matches!(across.verdict, Verdict::Real(_));
    let is_unexpected = |report: &TreeReport| {
        report.cycles.iter().any(|cycle| cycle.is_unexpected) || report.across.iter().any(is_real)
    };
    if reports.iter().any(is_unexpected) {
        return Status::Unexpected;
    }
    let is_open = |report: &TreeReport| {
        report.count("possible") > 0
            || report.is_cut
            || report.explored.iter().any(|one| one.search.cut.is_some())
    };
    if reports.iter().any(is_open) { Status::Undecided } else { Status::AsExpected }
}
