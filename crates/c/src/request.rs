//! What is asked of a check, and what it answers. The same on every machine.

use std::path::PathBuf;

use selvedge_explore::{Bounds, Exploration};

use crate::scenario::Scenario;

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kernel tree.
    pub kernel: PathBuf,
    /// Patches on top of it, in their order.
    pub patches: Vec<PathBuf>,
    /// Parts of names of scenarios; all that the patches reach, if there is none.
    pub filters: Vec<String>,
    /// The compiler.
    pub cc: String,
    /// The limits of each search.
    pub bounds: Bounds,
}

/// A scenario that was run.
#[derive(Debug)]
pub struct Ran {
    /// Which.
    pub scenario: Scenario,
    /// What was found.
    pub exploration: Exploration,
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
    /// What a reader has to know of the result.
    pub remarks: Vec<String>,
}
