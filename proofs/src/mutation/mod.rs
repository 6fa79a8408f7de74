//! Mutation testing of the models: a fault at each step of each modelled function, one at a time,
//! and which claim notices it.
//!
//! A check that cannot fail proves nothing; and a step that no claim needs is either not needed, or
//! a claim is missing. Which it is, is said of each in `proofs/survivors.toml`.
//!
//! | you want to | open |
//! |---|---|
//! | know which faults there are | [`operators`] |
//! | find the sites of a tree | [`Survey`] |
//! | judge a mutant | [`mod@judge`] |
//! | read the reasons | [`survivors`] |
//! | know which ordering a weak claim needs, or lacks | [`orders`] |
//!
//! A claim judges if it is about the tree and holds there, under a complete engine. That a claim
//! that is violated becomes one that holds does not count: a fault may hide a fault.

mod effect;
pub mod judge;
pub mod operators;
pub mod orders;
pub mod survivors;

use std::collections::BTreeMap;

use selvedge_explore::{Bounds, Engine, Passed, Sites};
use selvedge_kernel::edits::{Edit, Site};
use selvedge_models::Tree;
use selvedge_trace::Monitor;

use crate::check::explore_watched;
use crate::rules::PLAIN_ACCESSES_DO_NOT_RACE;
use crate::{Claim, Expected, rows};

pub use judge::{Fate, Kill, judge};
pub use operators::Operator;

/// Executions of a claim from which the sites are listed. Others than the first pass other
/// branches, but few new ones after so many.
const LISTED: u64 = 2_000;
/// The same under loom, where a claim is not asked of `graph`.
const LISTED_UNDER_LOOM: u64 = 6_001;

/// A claim that can notice a fault.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The claim: it holds.
    pub claim: &'static Claim,
    /// Under this engine.
    pub engine: Engine,
    /// How many executions it has, unedited; at least so many, if it has more than are listed.
    pub executions: u64,
    /// The steps of the longest.
    pub steps_max: usize,
}

impl Judge {
    /// Can it notice a fault of this kind?
    fn can_see(&self, operator: Operator) -> bool {
        match operator.wants_weak_memory() {
            // The monitor of races goes by the orderings that steps have, whatever the engine.
            true => self.is_weak() || self.claim.rule == PLAIN_ACCESSES_DO_NOT_RACE,
            false => self.engine == Engine::Dpor,
        }
    }

    /// Does its engine explore weak memory?
    fn is_weak(&self) -> bool {
        matches!(self.engine, Engine::Graph | Engine::Loom)
    }

    /// Its name: scenario and rule tell it from others, the engine only where it is not the usual
    /// one.
    pub fn name(&self) -> String {
        let engine = match self.engine {
            Engine::Dpor => String::new(),
            other => format!(", {other}"),
        };
        format!("{} ({}{engine})", self.claim.scenario.name, crate::rules::id(self.claim.rule))
    }
}

/// A tree with one fault.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The tree.
    pub tree: &'static Tree,
    /// Where.
    pub site: Site,
    /// What.
    pub operator: Operator,
    /// That as edits.
    pub edits: &'static [Edit],
    /// What was seen there, unedited.
    pub passed: Passed,
    /// The claims that can notice: their scenarios pass the site, and their engines can see the
    /// fault. By number, the smallest claim first.
    pub judges: Vec<usize>,
}

impl Mutant {
    /// Its name without the tree: `function::primitive(object)#nth::operator`.
    pub fn short_name(&self) -> String {
        let function = self.site.function.unwrap_or_default();
        format!("{function}::{}::{}", self.step(), self.operator)
    }

    /// `tree::function::primitive(object)#nth::operator`.
    pub fn name(&self) -> String {
        format!("{}::{}", self.tree.name, self.short_name())
    }

    /// `primitive(object)#nth`
    pub fn step(&self) -> String {
        let Site { primitive, object, nth, .. } = self.site;
        format!("{primitive}({})#{}", object.unwrap_or_default(), nth.unwrap_or_default())
    }
}

/// The rows that can judge mutants of this tree: under dpor and under `graph`; under loom only
/// what `graph` is not asked.
pub fn candidates(tree: &'static Tree) -> Vec<(&'static Claim, Engine)> {
    let of_tree = |(claim, _): &(&'static Claim, Engine)| claim.tree.name == tree.name;
    let of_tree: Vec<(&'static Claim, Engine)> = rows().filter(of_tree).collect();
    let is_asked_of_graph = |claim: &Claim| {
        of_tree.iter().any(|(other, engine)| {
            *engine == Engine::Graph
                && other.rule == claim.rule
                && other.scenario.name == claim.scenario.name
        })
    };
    let can = |(claim, engine): &&(&'static Claim, Engine)| {
        claim.expected == Expected::Holds
            && match engine {
                Engine::Dpor | Engine::Graph => true,
                Engine::Loom => !is_asked_of_graph(claim),
                _ => false,
            }
    };
    of_tree.iter().filter(can).copied().collect()
}

/// A judge, and what it passes.
pub type Looked = (Judge, BTreeMap<Site, Passed>);

/// Explores the claim as it is, as far as is needed to list its sites.
pub fn look((claim, engine): (&'static Claim, Engine)) -> Looked {
    let sites = Sites::default();
    let monitors: Vec<Box<dyn Monitor>> = vec![Box::new(sites.clone())];
    let listed = if engine == Engine::Loom { LISTED_UNDER_LOOM } else { LISTED };
    let bounds = Bounds { executions_max: listed, as_found: true, ..Bounds::PROOF };
    let seen = explore_watched((claim.tree, &[]), claim, engine, &bounds, monitors);
    let judge = Judge { claim, engine, executions: seen.executions, steps_max: seen.steps_max };
    (judge, sites.passed())
}

/// All mutants of a tree, and who judges them.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The claims, the smallest first.
    pub judges: Vec<Judge>,
    /// The mutants, by function, site and operator.
    pub mutants: Vec<Mutant>,
}

impl Survey {
    /// Puts together what was seen of the claims of the tree.
    pub fn of(tree: &'static Tree, mut looked: Vec<Looked>) -> Survey {
        looked.sort_by_key(|(judge, _)| judge.executions);
        let mut sites: BTreeMap<Site, (Passed, Vec<usize>)> = BTreeMap::new();
        for (number, (_, passed)) in looked.iter().enumerate() {
            for (site, passed) in passed {
                let known = sites.entry(*site).or_insert_with(|| (*passed, Vec::new()));
                known.0.finds_something |= passed.finds_something;
                known.0.changes_something |= passed.changes_something;
                known.1.push(number);
            }
        }
        let mut mutants = Vec::new();
        for (site, (passed, judges)) in sites {
            for (cpu, turn, edit) in operators::turns(&site) {
                let can_see = |&number: &usize| {
                    let (judge, _) = &looked[number];
                    judge.can_see(Operator::Skip) && cpu < judge.claim.scenario.machine.sizes.cpus
                };
                let judges: Vec<usize> = judges.iter().copied().filter(can_see).collect();
                if !judges.is_empty() {
                    let edits: &'static [Edit] = Vec::leak(vec![edit]);
                    let operator = Operator::Skip;
                    mutants.push(Mutant { tree, site: turn, operator, edits, passed, judges });
                }
            }
            for (operator, edits) in operators::faults(&site, &passed) {
                let can_see = |&number: &usize| {
                    let (judge, _) = &looked[number];
                    judge.can_see(operator)
                };
                // Under loom some primitives take more steps than in the kernel.
                if !operator.wants_weak_memory() && !judges.iter().any(can_see) {
                    continue;
                }
                let judges = judges.iter().copied().filter(can_see).collect();
                let edits: &'static [Edit] = Vec::leak(edits);
                mutants.push(Mutant { tree, site, operator, edits, passed, judges });
            }
        }
        let judges = looked.into_iter().map(|(judge, _)| judge).collect();
        Survey { judges, mutants }
    }
}
