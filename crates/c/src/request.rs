//! What is asked of a check, and what it answers. The same on every machine.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use selvedge_explore::{Bounds, Exploration};

use crate::scenario::Scenario;

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kernel tree.
    pub kernel: PathBuf,
    /// Patches on top of it, in their order.
    pub patches: Vec<PathBuf>,
    /// A C file with a scenario of the user's own, which is run in place of all others.
    pub init: Option<PathBuf>,
    /// Files of the tree that are compiled besides, `mm/mmap.c`.
    pub also: Vec<String>,
    /// Parts of names of scenarios; all that the patches reach, if there is none.
    pub filters: Vec<String>,
    /// The compiler.
    pub cc: String,
    /// The limits of each search.
    pub bounds: Bounds,
    /// Whether an access is a step even if none races with it: slower, with the same verdict.
    pub every_access: bool,
}

/// A scenario that was run.
#[derive(Debug)]
pub struct Ran {
    /// Which.
    pub scenario: Scenario,
    /// What was found.
    pub exploration: Exploration,
    /// What was needed and is neither compiled nor modelled, who needs it, and what to do.
    pub missing: Option<String>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Checked {
    /// The tree's version.
    pub version: String,
    /// The names of the patches, `my+other`; empty without any.
    pub patches: String,
    /// The tree as it is.
    pub before: Vec<Ran>,
    /// With the patches, the same scenarios; empty without any patch.
    pub after: Vec<Ran>,
    /// Scenarios that were not run, since this tree lacks a function; and which.
    pub not_applicable: Vec<(Scenario, String)>,
    /// Scenarios that were not run, since the patches reach none of their functions.
    pub not_reached: Vec<Scenario>,
    /// Functions and variables that the patches change.
    pub changed: Vec<String>,
    /// Whether the patches change none, and yet are compiled, each of the files that they touch:
    /// what is so without them is so with them.
    pub is_same_code: bool,
    /// What a reader has to know of the result.
    pub remarks: Vec<String>,
}

/// What a comparison of the models with C came to.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// The kernel's version.
    pub version: String,
    /// The modelled tree that it was compared with.
    pub tree: String,
    /// What was run.
    pub scenarios: Vec<ScenarioCompared>,
    /// What was compared, by name.
    pub functions: Vec<FunctionCompared>,
    /// What a reader has to know.
    pub remarks: Vec<String>,
}

/// A scenario that ran on both sides; of pairs the model's comes first.
#[derive(Clone, Debug)]
pub struct ScenarioCompared {
    /// Its name.
    pub name: &'static str,
    /// Executions.
    pub executions: [u64; 2],
    /// Executions that differ in what some task did or saw.
    pub traces: [usize; 2],
    /// How many of these both sides have.
    pub both: usize,
    /// What cut a search short.
    pub cut: Option<String>,
}

/// A function that was compared.
#[derive(Clone, Debug)]
pub struct FunctionCompared {
    /// Its name.
    pub name: &'static str,
    /// The scenarios that reached it on either side.
    pub scenarios: Vec<&'static str>,
    /// How many different calls of it C has shown, over all scenarios.
    pub behaviours: usize,
    /// The declared omissions that were needed: file, words, why.
    pub left_out: Vec<(&'static str, String, &'static str)>,
    /// The first difference, if there is any.
    pub difference: Option<Difference>,
}

/// A difference between a model and C.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Where it was seen first.
    pub scenario: &'static str,
    /// How many different calls only the model, and only C, has there.
    pub only: [usize; 2],
    /// Steps of the model and of C beside each other, from shortly before the first that differs.
    pub rows: Vec<(String, String)>,
}

impl Request {
    /// Does somebody want it to stop?
    pub fn is_interrupted(&self) -> bool {
        self.bounds.interrupted.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

impl Checked {
    /// What some scenario needed and did not have, each once.
    pub fn missing(&self) -> BTreeSet<&str> {
        let ran = self.before.iter().chain(&self.after);
        ran.filter_map(|ran| ran.missing.as_deref()).collect()
    }
}

impl Compared {
    /// Do any differ?
    pub fn differs(&self) -> bool {
        self.functions.iter().any(|function| function.difference.is_some())
    }

    /// Was anything cut short?
    pub fn is_cut(&self) -> bool {
        self.scenarios.iter().any(|scenario| scenario.cut.is_some())
    }
}
