//! The order of locks in a tree: the lock and wait graphs of all its scenarios, what becomes of
//! each cycle in them, and whether the order that the kernel documents is kept.

mod documented;
mod report;

use std::sync::{Arc, Mutex};

use selvedge_explore::{Body, Bounds, Engine, Exploration, Verdict as Found, Violation, explore};
use selvedge_models::{Kernel, Tree};
use selvedge_monitors::lock_graph::{Judged, LockGraph, Locks, Search, Verdict, judge};
use selvedge_monitors::{LOCK_RULES, LockRules};
use selvedge_trace::Monitor;

use crate::{Run, Scenario, rows};

pub use selvedge_monitors::lock_graph;

pub use documented::{Broken, ORDERS, Order};
pub use report::{Cycle, Inversion, Step, TreeReport};

/// A scenario in a tree, explored for its lock graph.
#[derive(Debug)]
pub struct Explored {
    /// The scenario's name.
    pub name: &'static str,
    /// How far it was explored.
    pub search: Search,
    /// Its graph.
    pub graph: LockGraph,
    /// Its cycles.
    pub cycles: Vec<Judged>,
    /// Are those all cycles?
    pub all_cycles: bool,
    /// What breaks one of [`LOCK_RULES`].
    pub broken: Vec<Violation>,
}

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
    let body = Arc::new(move || scenario.play(&Run::new(Kernel::new(tree, scenario.machine))));
    let mut explored = gather(body, bounds);
    for counterexample in explored.graph.reached.values_mut().map(Arc::make_mut) {
        counterexample.tree = tree.name.into();
        counterexample.scenario = scenario.name.into();
    }
    explored.judge();
    Explored { name: scenario.name, ..explored }
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
    let monitors: Vec<Box<dyn Monitor>> =
        vec![Box::new(Locks::into(&graph)), Box::<LockRules>::default()];
    let seen = explore(Engine::Dpor, &bounds, monitors, body);
    let mut graph = std::mem::take(&mut *graph.lock().expect("not poisoned"));
    for counterexample in graph.reached.values_mut().map(Arc::make_mut) {
        counterexample.engine = Engine::Dpor.name().into();
        counterexample.memory_model = Engine::Dpor.memory_model().name().into();
        let first = seen.counterexample.as_ref();
        if let Some(first) = first.filter(|first| first.steps == counterexample.steps) {
            counterexample.schedule.clone_from(&first.schedule);
        }
    }
    let violations = seen.violations.iter().flat_map(|all| &all.distinct);
    let broken = violations.filter(|found| LOCK_RULES.contains(&found.rule)).cloned().collect();
    let search = search(&seen);
    Explored { name: "", search, graph, cycles: Vec::new(), all_cycles: true, broken }
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
