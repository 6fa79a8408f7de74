//! Which functions a claim exercises: those that executions of its scenario enter.
//!
//! The search is cut short ([`EXECUTIONS`]), so that a function that only a rare interleaving
//! enters may be missed: what is found is exercised, what is not found may be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, explore, set_up};
use selvedge_models::{Asked, Kernel, Tree, trees};
use selvedge_proofs::{Claim, Run, Scenario, rows};
use selvedge_trace::{Execution, Finding, Monitor, PathId};

use crate::threads;

/// How many executions of each scenario in each tree are looked at.
pub const EXECUTIONS: u64 = 200;

/// A scenario in a tree, by their names.
type Program = (&'static str, &'static str);

/// For each scenario in each tree that some claim is about, the functions that it enters.
pub struct Reach(BTreeMap<Program, BTreeSet<&'static str>>);

impl Reach {
    /// Runs those of these trees.
    pub fn explore(is_meant: impl Fn(&Tree) -> bool) -> Reach {
        let mut scenarios: BTreeMap<&str, (&'static Scenario, BTreeMap<&str, &'static Tree>)> =
            BTreeMap::new();
        for (claim, _) in rows().filter(|(claim, _)| is_meant(claim.tree)) {
            let of = scenarios.entry(claim.scenario.name);
            let (_, trees) = of.or_insert_with(|| (claim.scenario, BTreeMap::new()));
            trees.insert(claim.tree.name, claim.tree);
        }
        let scenarios: Vec<_> = scenarios.into_values().collect();
        let entered = threads::on_each(&scenarios, threads::cores(), |(scenario, trees)| {
            of_trees(scenario, trees.values().copied())
        });
        Reach(entered.into_iter().flatten().collect())
    }

    /// Does the claim's scenario enter one of these functions in the claim's tree?
    pub fn is_exercised(&self, claim: &Claim, functions: &[&str]) -> bool {
        let entered = self.0.get(&program(claim));
        entered.is_some_and(|entered| functions.iter().any(|name| entered.contains(name)))
    }
}

fn program(claim: &Claim) -> Program {
    (claim.scenario.name, claim.tree.name)
}

/// The functions that a scenario enters in each of the trees. Of those in which it is the same
/// program, as far as it is looked at, one is run: it would go the same way in the others.
fn of_trees(
    scenario: &'static Scenario,
    trees: impl Iterator<Item = &'static Tree>,
) -> Vec<(Program, BTreeSet<&'static str>)> {
    let mut known: Vec<(&'static Tree, Arc<Asked>, BTreeSet<&'static str>)> = Vec::new();
    let mut all = Vec::new();
    for tree in trees {
        // Edits, and the functions of a tree of yours, are no answers that a tree gives.
        let is_comparable = tree.edits.is_empty() && !trees::is_yours(tree);
        let is_same = |(other, asked, _): &&(&'static Tree, Arc<Asked>, _)| {
            is_comparable && other.answers_as(tree, asked)
        };
        let functions = match known.iter().find(is_same) {
            Some((_, _, functions)) => functions.clone(),
            None => {
                let asked = Arc::<Asked>::default();
                let functions = entered(scenario, tree, asked.clone());
                known.extend(is_comparable.then(|| (tree, asked, functions.clone())));
                functions
            }
        };
        all.push(((scenario.name, tree.name), functions));
    }
    all
}

/// The functions that the first executions enter, whether they break a rule or not; and what they
/// ask the tree for.
fn entered(
    scenario: &'static Scenario,
    tree: &'static Tree,
    asked: Arc<Asked>,
) -> BTreeSet<&'static str> {
    let bounds =
        Bounds { executions_max: EXECUTIONS, keep_going: true, as_found: true, ..Bounds::PROOF };
    let monitor = Entered::default();
    let found = monitor.functions.clone();
    let body = Arc::new(move || {
        asked.note_here();
        scenario.play(&set_up(|| Run::new(Kernel::new(tree, scenario.machine))));
    });
    explore(Engine::Dpor, &bounds, vec![Box::new(monitor)], body);
    let found = found.lock().expect("not poisoned");
    found.clone()
}

/// Notes the functions in which there was a step.
#[derive(Default)]
struct Entered {
    functions: Arc<Mutex<BTreeSet<&'static str>>>,
    known: BTreeSet<PathId>,
}

impl Monitor for Entered {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        for event in execution.events {
            if self.known.insert(event.path) {
                let nest = execution.paths.functions(event.path);
                self.functions.lock().expect("not poisoned").extend(nest);
            }
        }
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        // Another part of the search has nests of its own; the functions are one set.
        Box::new(Entered { functions: self.functions.clone(), known: BTreeSet::new() })
    }
}

/// The claims, in the order of their table, that exercise one of the functions.
pub fn claims(reach: &Reach, functions: &[&str]) -> Vec<&'static Claim> {
    let mut all: Vec<&'static Claim> = Vec::new();
    for (claim, _) in rows() {
        let is_known = all.last().is_some_and(|last| std::ptr::eq(*last, claim));
        if !is_known && reach.is_exercised(claim, functions) {
            all.push(claim);
        }
    }
    all
}
