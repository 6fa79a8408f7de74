//! Claims and scenarios, as data.

use std::sync::Arc;

use selvedge_explore::Engine;
use selvedge_models::{Kernel, Sizes, Tree};
use selvedge_trace::Rule;

use crate::claims;

/// A small closed program: CPUs, the tasks on them, the kernel functions that they call.
#[derive(Debug)]
pub struct Scenario {
    /// Its name in rows: tells the story.
    pub name: &'static str,
    /// Who does what on which CPU, and what is scaled down or run in place, in a sentence or two.
    pub about: &'static str,
    /// The sizes.
    pub sizes: Sizes,
    /// Starts the tasks and waits for them. Runs as the scenario's main.
    pub play: fn(&Arc<Kernel>),
    /// Looks at the outcome when all tasks have returned, and calls `fail` if a rule is broken.
    pub at_end: fn(&Kernel),
    /// How many binary choices the tasks make: what loom has to prepare.
    pub choices: usize,
}

/// What is expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// The rule holds.
    Holds,
    /// The rule is violated, and this rule, not another.
    Violated,
}

impl Expected {
    /// Its name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Expected::Holds => "holds",
            Expected::Violated => "violated",
        }
    }
}

/// Rule, scenario and tree, with what is expected and why.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The subsystem: the first part of the row's name.
    pub subsystem: &'static str,
    /// The rule.
    pub rule: Rule,
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The tree.
    pub tree: &'static Tree,
    /// The engines that can see it, the default one first.
    pub engines: &'static [Engine],
    /// What is expected under these engines.
    pub expected: Expected,
    /// Where the expectation comes from: the row of the fact sheet first, if there is one.
    pub source: &'static str,
    /// States that some execution must have reached if the rule holds, else the check has proven
    /// nothing.
    pub reached: &'static [&'static str],
}

impl Claim {
    /// The row's name under this engine.
    pub fn name(&self, engine: Engine) -> String {
        let (rule, scenario, tree) = (self.rule.slug(), self.scenario.name, self.tree.name);
        format!("{}::{rule}::{scenario}::{tree}::{engine}", self.subsystem)
    }
}

/// What several claims have in common: all but the tree, the engines and what is expected there.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// [`Claim::subsystem`]
    pub subsystem: &'static str,
    /// [`Claim::rule`]
    pub rule: Rule,
    /// [`Claim::scenario`]
    pub scenario: &'static Scenario,
    /// [`Claim::source`]
    pub source: &'static str,
    /// [`Claim::reached`]
    pub reached: &'static [&'static str],
}

impl Topic {
    /// The rule holds in this tree.
    pub const fn holds(&self, tree: &'static Tree, engines: &'static [Engine]) -> Claim {
        self.claim(tree, engines, Expected::Holds)
    }

    /// The rule is violated in this tree.
    pub const fn violated(&self, tree: &'static Tree, engines: &'static [Engine]) -> Claim {
        self.claim(tree, engines, Expected::Violated)
    }

    /// The same, where the expectation comes from elsewhere.
    pub const fn from(self, source: &'static str) -> Topic {
        Topic { source, ..self }
    }

    const fn claim(
        &self,
        tree: &'static Tree,
        engines: &'static [Engine],
        expected: Expected,
    ) -> Claim {
        let Topic { subsystem, rule, scenario, source, reached } = *self;
        Claim { subsystem, rule, scenario, tree, engines, expected, source, reached }
    }
}

/// Every row: each claim under each of its engines, in the order of [`claims::ALL`].
pub fn rows() -> impl Iterator<Item = (&'static Claim, Engine)> {
    let claims = claims::ALL.iter().flat_map(|group| group.iter());
    claims.flat_map(|claim| claim.engines.iter().map(move |&engine| (claim, engine)))
}
