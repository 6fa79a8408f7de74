//! Claims: questions, and the expected answers by tree.

use std::sync::LazyLock;

use selvedge_explore::Engine;
use selvedge_models::Tree;
use selvedge_trace::Rule;

use crate::{Scenario, Source, claims, rules};

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
    /// Where the expectation comes from.
    pub source: Source,
    /// States that some execution must have reached if the rule holds, else the check has proven
    /// nothing.
    pub reached: &'static [&'static str],
}

impl Claim {
    /// The row's name under this engine.
    pub fn name(&self, engine: Engine) -> String {
        self.named(rules::id(self.rule), engine)
    }

    /// The same with the rule's whole sentence.
    pub fn long_name(&self, engine: Engine) -> String {
        self.named(&self.rule.slug(), engine)
    }

    /// Does the filter of a command line mean this row? It is a part of either name.
    pub fn is_meant_by(&self, engine: Engine, filter: &str) -> bool {
        self.name(engine).contains(filter) || self.long_name(engine).contains(filter)
    }

    fn named(&self, rule: &str, engine: Engine) -> String {
        let (scenario, tree) = (self.scenario.name, self.tree.name);
        format!("{}::{rule}::{scenario}::{tree}::{engine}", self.subsystem)
    }
}

/// A rule in a scenario: what is asked of trees.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// [`Claim::rule`]
    pub rule: Rule,
    /// [`Claim::scenario`]
    pub scenario: &'static Scenario,
    /// [`Claim::source`], where an answer does not name another.
    pub source: Source,
    /// [`Claim::reached`]
    pub reached: &'static [&'static str],
}

/// The question whether the rule holds in the scenario.
pub const fn ask(
    rule: Rule,
    scenario: &'static Scenario,
    source: Source,
    reached: &'static [&'static str],
) -> Question {
    Question { rule, scenario, source, reached }
}

impl Question {
    /// The question, to be answered for these engines.
    pub fn under(self, engines: &'static [Engine]) -> Answers {
        Answers { question: self, engines, claims: Vec::new() }
    }
}

/// A question and its answers so far: a row of the matrix of rules and trees.
#[derive(Clone, Debug)]
pub struct Answers {
    question: Question,
    engines: &'static [Engine],
    claims: Vec<Claim>,
}

impl Answers {
    /// The answers that follow are for these engines.
    pub fn under(self, engines: &'static [Engine]) -> Answers {
        Answers { engines, ..self }
    }

    /// The rule holds in these trees.
    pub fn holds(self, trees: &[&'static Tree]) -> Answers {
        let source = self.question.source;
        self.holds_as(source, trees)
    }

    /// The rule is violated in these trees.
    pub fn violated(self, trees: &[&'static Tree]) -> Answers {
        let source = self.question.source;
        self.violated_as(source, trees)
    }

    /// The rule holds in these trees, as this source says.
    pub fn holds_as(self, source: Source, trees: &[&'static Tree]) -> Answers {
        self.answer(Expected::Holds, source, trees)
    }

    /// The rule is violated in these trees, as this source says.
    pub fn violated_as(self, source: Source, trees: &[&'static Tree]) -> Answers {
        self.answer(Expected::Violated, source, trees)
    }

    fn answer(mut self, expected: Expected, source: Source, trees: &[&'static Tree]) -> Answers {
        let Question { rule, scenario, reached, .. } = self.question;
        let engines = self.engines;
        self.claims.extend(trees.iter().map(|&tree| Claim {
            subsystem: "",
            rule,
            scenario,
            tree,
            engines,
            expected,
            source,
            reached,
        }));
        self
    }
}

static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    let of_group = |&(subsystem, answers): &claims::Group| {
        let claims = answers().into_iter().flat_map(|answers| answers.claims);
        claims.map(move |claim| Claim { subsystem, ..claim })
    };
    claims::ALL.iter().flat_map(of_group).collect()
});

/// Every row: each claim under each of its engines, in the order of [`claims::ALL`].
pub fn rows() -> impl Iterator<Item = (&'static Claim, Engine)> {
    CLAIMS.iter().flat_map(|claim| claim.engines.iter().map(move |&engine| (claim, engine)))
}
