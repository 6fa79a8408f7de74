//! The order of locks in a tree: the lock and wait graphs of all its scenarios, what becomes of
//! each cycle in them, and whether the order that the kernel documents is kept.

mod documented;
mod report;
mod united;

use std::sync::{Arc, Mutex};

use selvedge_explore::{Body, Bounds, Engine, Exploration, Verdict as Found, Violation, explore};
use selvedge_models::{Asked, Kernel, Tree};
use selvedge_monitors::lock_graph::{Judged, LockGraph, Locks, Search, Verdict, judge};
use selvedge_monitors::{ENDLESS_LOOPS_END, LOCK_RULES, LockRules, Progress};
use selvedge_trace::Monitor;

use crate::{Run, Scenario, rows, same_program};

pub use selvedge_monitors::lock_graph;

pub use documented::{BY_INDEX, Broken, ORDERS, Order};
pub use report::{Cycle, Inversion, Step, TreeReport, Untried};
pub use united::{Across, try_across};

/// A scenario is left after so many executions, and its cycles that none of them ended in are
/// possible. Few of the scenarios of a tree have more; the largest have a thousand times as many.
pub const EXECUTIONS_MAX: u64 = 30_000;

/// What is tried of a scenario that is left: all executions with at most so many preemptions, up to
/// so many executions. Most deadlocks need one.
const FEW_PREEMPTIONS: (u32, u64) = (1, 3_000);

/// A scenario in a tree, explored for its lock graph.
#[derive(Clone, Debug)]
pub struct Explored {
    /// The scenario's name.
    pub name: &'static str,
    /// The scenario; of a program that is none, an empty one.
    pub scenario: &'static Scenario,
    /// How far it was explored.
    pub search: Search,
    /// If it was left after [`EXECUTIONS_MAX`], or another such limit: how many executions with few
    /// preemptions were run besides.
    pub few_preemptions: u64,
    /// Its graph.
    pub graph: LockGraph,
    /// Its cycles.
    pub cycles: Vec<Judged>,
    /// Are those all cycles?
    pub all_cycles: bool,
    /// What breaks one of [`LOCK_RULES`], or [`ENDLESS_LOOPS_END`].
    pub broken: Vec<Violation>,
}

/// Of a program that is no scenario.
static NO_SCENARIO: Scenario = Scenario::EMPTY;

/// The scenarios that claims ask about in this tree under the engine that explores its lock order,
/// in the order of the claims.
pub fn scenarios(tree: &Tree) -> Vec<&'static Scenario> {
    let mut found: Vec<&'static Scenario> = Vec::new();
    for (claim, engine) in rows() {
        let is_known = found.iter().any(|known| known.name == claim.scenario.name);
        if claim.tree.name == tree.name && engine == Engine::Dpor && !is_known {
            found.push(claim.scenario);
        }
    }
    found
}

/// Explores the scenario in the tree, past violations, and judges every cycle.
pub fn explore_locks(
    tree: &'static Tree,
    scenario: &'static Scenario,
    bounds: &Bounds,
) -> Explored {
    let search = same_program::Search { tree, scenario, engine: Engine::Dpor, bounds };
    let mut explored = GATHERED.by(&search, |_| true).unwrap_or_else(|| {
        let asked: Arc<Asked> = Arc::default();
        let notes = asked.clone();
        let body = Arc::new(move || {
            notes.note_here();
            scenario.play(&Run::new(Kernel::new(tree, scenario.machine)));
        });
        let gathered = gather(body, bounds);
        // What was cut by a number of executions would be cut there in the other tree.
        if bounds.time_max.is_none() && !bounds.is_interrupted() {
            GATHERED.keep(&search, asked, gathered.clone());
        }
        gathered
    });
    label(&mut explored, tree, scenario.name);
    Explored { name: scenario.name, scenario, ..explored }
}

/// What was gathered, before it says of which tree it is.
static GATHERED: same_program::Found<Explored> = same_program::Found::nothing();

/// Says in the counterexamples what they are of.
fn label(explored: &mut Explored, tree: &'static Tree, scenario: &str) {
    for counterexample in explored.graph.reached.values_mut().map(Arc::make_mut) {
        counterexample.tree = tree.name.into();
        counterexample.scenario = scenario.into();
    }
    explored.judge();
}

/// The same, of any program.
pub fn explore_body(body: Body, bounds: &Bounds) -> Explored {
    let mut explored = gather(body, bounds);
    explored.judge();
    explored
}

fn gather(body: Body, bounds: &Bounds) -> Explored {
    // With more threads the steps of an edge would be those of whichever came first.
    let bounds = Bounds { keep_going: true, as_found: true, workers: 1, ..bounds.clone() };
    let graph = Arc::new(Mutex::new(LockGraph::default()));
    let mut all = gather_into(&graph, body.clone(), &bounds);
    let search = search(&all);
    let mut few_preemptions = 0;
    // Only if it was that limit that ended it.
    if search.cut.is_some() && search.executions >= bounds.executions_max {
        let (preemptions, executions_max) = FEW_PREEMPTIONS;
        let few = Bounds { preemptions_max: Some(preemptions), executions_max, ..bounds };
        let more = gather_into(&graph, body, &few);
        few_preemptions = more.violations.as_ref().map_or(more.executions, |v| v.executions);
        all.counterexample = all.counterexample.or(more.counterexample);
    }
    let mut graph = std::mem::take(&mut *graph.lock().expect("not poisoned"));
    for counterexample in graph.reached.values_mut().map(Arc::make_mut) {
        counterexample.engine = Engine::Dpor.name().into();
        counterexample.memory_model = Engine::Dpor.memory_model().name().into();
        let first = all.counterexample.as_ref();
        if let Some(first) = first.filter(|first| first.steps == counterexample.steps) {
            counterexample.schedule.clone_from(&first.schedule);
        }
    }
    let violations = all.violations.iter().flat_map(|all| &all.distinct);
    let is_rule = |rule| LOCK_RULES.contains(&rule) || rule == ENDLESS_LOOPS_END;
    let broken = violations.filter(|found| is_rule(found.rule)).cloned().collect();
    let (cycles, all_cycles) = (Vec::new(), true);
    let (name, scenario) = ("", &NO_SCENARIO);
    Explored { name, scenario, search, few_preemptions, graph, cycles, all_cycles, broken }
}

/// Adds to the graph what the executions within these bounds show.
fn gather_into(graph: &Arc<Mutex<LockGraph>>, body: Body, bounds: &Bounds) -> Exploration {
    let monitors: Vec<Box<dyn Monitor>> =
        vec![Box::new(Locks::into(graph)), Box::<LockRules>::default(), Box::<Progress>::default()];
    explore(Engine::Dpor, bounds, monitors, body)
}

/// How far the search went, past violations.
fn search(seen: &Exploration) -> Search {
    match (&seen.verdict, &seen.violations) {
        (_, Some(all)) => Search { executions: all.executions, cut: all.cut.clone() },
        (Found::Holds, None) => Search { executions: seen.executions, cut: None },
        (verdict, None) => {
            let cut = verdict.bound().unwrap_or("a violation of the whole search");
            Search { executions: seen.executions, cut: Some(cut.into()) }
        }
    }
}

impl Explored {
    fn judge(&mut self) {
        (self.cycles, self.all_cycles) = judge(&self.graph, &self.search);
    }

    /// The cycles that are refuted.
    pub fn refuted(&self) -> impl Iterator<Item = &Judged> {
        self.cycles.iter().filter(|judged| matches!(judged.verdict, Verdict::Refuted(_)))
    }
}
