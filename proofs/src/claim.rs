//! Claims: questions, and the expected answers by tree.

use std::sync::LazyLock;

use selvedge_explore::Engine;
use selvedge_models::{Tree, trees};
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
    /// States that an execution that violates the rule has come to, else the violation is not the
    /// one that is meant.
    pub by_then: &'static [&'static str],
}

impl Claim {
    /// The row's name under this engine.
    pub fn name(&self, engine: Engine) -> String {
        match rules::known_id(self.rule) {
            Some(id) => self.named(id, engine),
            None => self.long_name(engine),
        }
    }

    /// The same with the rule's whole sentence.
    pub fn long_name(&self, engine: Engine) -> String {
        self.named(&self.rule.slug(), engine)
    }

    /// Is the expectation what is known of the base of a tree of yours?
    pub fn is_inherited(&self) -> bool {
        matches!(self.source, Source::Base(_))
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
        let by_then = self.reached;
        Answers { question: self, engines, by_then, claims: Vec::new(), not_asked: Vec::new() }
    }
}

/// A question and its answers so far: a row of the matrix of rules and trees.
#[derive(Clone, Debug)]
pub struct Answers {
    question: Question,
    engines: &'static [Engine],
    by_then: &'static [&'static str],
    claims: Vec<Claim>,
    not_asked: Vec<NotAsked>,
}

/// Trees that need no row of their own: in the scenario they take the steps of a tree that has one.
#[derive(Clone, Debug)]
pub struct NotAsked {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// Whose steps they take.
    pub as_in: &'static Tree,
    /// The trees.
    pub trees: Vec<&'static Tree>,
}

impl Answers {
    /// The claims, of this subsystem.
    pub(crate) fn claims_of(self, subsystem: &'static str) -> impl Iterator<Item = Claim> {
        self.claims.into_iter().map(move |claim| Claim { subsystem, ..claim })
    }

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

    /// An execution that violates the rule, of the answers that follow, has come to these states
    /// before. Without it: to those of the question.
    pub fn broken_after(self, by_then: &'static [&'static str]) -> Answers {
        Answers { by_then, ..self }
    }

    /// The rule is violated in these trees, by an execution that has come to these states.
    pub fn violated_after(
        self,
        by_then: &'static [&'static str],
        trees: &[&'static Tree],
    ) -> Answers {
        let of_others = self.by_then;
        self.broken_after(by_then).violated(trees).broken_after(of_others)
    }

    /// In these trees the scenario takes the steps of `as_in`, which is asked: the commits between
    /// them are about what it does not come to. A test compares them, as far as it gets in a moment
    /// (`proofs/tests/same_steps.rs`); all executions were compared when this was written.
    pub fn not_asked(mut self, as_in: &'static Tree, trees: &[&'static Tree]) -> Answers {
        let trees = trees.to_vec();
        self.not_asked.push(NotAsked { scenario: self.question.scenario, as_in, trees });
        self
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
        let (engines, by_then) = (self.engines, self.by_then);
        self.claims.extend(trees.iter().map(|&tree| Claim {
            subsystem: "",
            rule,
            scenario,
            tree,
            engines,
            expected,
            source,
            reached,
            by_then,
        }));
        self
    }
}

/// What is asked of a tree of yours besides what its own claims ask: each question that is asked of
/// its base, of that tree's base, and so on. Expected is what is known of the nearest of them: a
/// difference is what the tree changes.
pub(crate) fn inherited(
    known: &[Claim],
    tree: &'static Tree,
    bases: impl IntoIterator<Item = &'static Tree>,
) -> Vec<Claim> {
    let of = |name: &'static str| known.iter().filter(move |claim| claim.tree.name == name);
    let mut all: Vec<Claim> = of(tree.name).copied().collect();
    let own = all.len();
    for base in bases {
        for claim in of(base.name) {
            let is_answered = all.iter().any(|nearer| {
                nearer.rule == claim.rule
                    && nearer.scenario.name == claim.scenario.name
                    && nearer.engines.iter().any(|engine| claim.engines.contains(engine))
            });
            if !is_answered {
                all.push(Claim { tree, source: Source::Base(base.name), ..*claim });
            }
        }
    }
    all.split_off(own)
}

static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    let of_group = |&(subsystem, answers): &claims::Group| {
        answers().into_iter().flat_map(move |answers| answers.claims_of(subsystem))
    };
    let mut all = claims::weak::with_graph(claims::ALL.iter().flat_map(of_group).collect());
    let of_yours: Vec<Claim> =
        trees::YOURS.iter().flat_map(|&tree| inherited(&all, tree, tree.bases())).collect();
    all.extend(of_yours);
    all
});

/// The trees that need no row of their own, by scenario.
pub fn not_asked() -> Vec<NotAsked> {
    let answers = claims::ALL.iter().flat_map(|(_, answers)| answers());
    answers.flat_map(|answers| answers.not_asked).collect()
}

/// Every claim of the repository.
pub(crate) fn known() -> &'static [Claim] {
    &CLAIMS
}

/// Every row: each claim under each of its engines, in the order of [`claims::ALL`]; then those
/// that trees of yours inherit.
pub fn rows() -> impl Iterator<Item = (&'static Claim, Engine)> {
    CLAIMS.iter().flat_map(|claim| claim.engines.iter().map(move |&engine| (claim, engine)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn questions(claims: &[Claim]) -> Vec<(&str, &str, &str)> {
        claims.iter().map(|c| (c.rule.0, c.scenario.name, c.engines[0].name())).collect()
    }

    /// They are found by it: by `locks`, and by the keys of the cache. What is looked at in the end
    /// is another matter, of the rule.
    #[test]
    fn a_name_is_of_one_scenario() {
        let does = |of: &Scenario| Scenario { at_end: None, look: Scenario::EMPTY.look, ..*of };
        let mut known: BTreeMap<&str, &Scenario> = BTreeMap::new();
        for Claim { scenario, .. } in CLAIMS.iter() {
            let first = known.entry(scenario.name).or_insert(scenario);
            let is_same = does(first).is_same_program(&does(scenario));
            assert!(is_same, "two scenarios: {}", scenario.name);
        }
        assert!(known.len() > 100, "{}", known.len());
    }

    /// A tree of yours, as far as claims go: any tree that has none of its own.
    #[test]
    fn a_tree_is_asked_what_its_bases_are_asked() {
        let base = trees::by_name("rfc-migrate-pending").expect("a tree");
        let tree: &'static Tree = Box::leak(Box::new(Tree { name: "mine", ..base.patched(&[]) }));
        let of = |name: &str| -> Vec<Claim> {
            CLAIMS.iter().filter(|claim| claim.tree.name == name).copied().collect()
        };
        let asked = inherited(&CLAIMS, tree, tree.bases());
        let (nearest, release) = (of(base.name), of("v5.11"));
        assert!(!nearest.is_empty() && !release.is_empty());
        assert_eq!(questions(&asked[..nearest.len()]), questions(&nearest));
        for (mine, base) in asked.iter().zip(&nearest) {
            assert_eq!((mine.tree.name, mine.expected), ("mine", base.expected));
            assert_eq!(mine.source, Source::Base("rfc-migrate-pending"));
        }
        // What the RFC answers is not asked of 5.11 again; all else is.
        let further = questions(&asked[nearest.len()..]);
        let answered = questions(&nearest);
        assert!(further.iter().all(|question| !answered.contains(question)));
        let unanswered = questions(&release).into_iter().filter(|q| !answered.contains(q));
        assert_eq!(further, unanswered.collect::<Vec<_>>());
        assert!(asked[nearest.len()..].iter().all(|claim| claim.source == Source::Base("v5.11")));
    }

    #[test]
    fn a_claim_of_its_own_is_the_answer() {
        let base = trees::by_name("rfc-migrate-pending").expect("a tree");
        let tree: &'static Tree = Box::leak(Box::new(Tree { name: "mine", ..base.patched(&[]) }));
        let mut known = CLAIMS.to_vec();
        let first = *known.iter().find(|claim| claim.tree.name == base.name).expect("a claim");
        known.push(Claim { tree, expected: Expected::Holds, ..first });
        let all = inherited(&CLAIMS, tree, tree.bases()).len();
        let asked = inherited(&known, tree, tree.bases());
        assert_eq!(asked.len(), all - 1);
    }
}
