//! Checks one claim under one engine, and says what came of it.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore};
use selvedge_kernel::edits::Edit;
use selvedge_kernel::set_up;
use selvedge_models::{Asked, Kernel, Tree};
use selvedge_monitors::{Ledger, for_rule, of_its_own};
use selvedge_trace::{ActionKind, Counterexample, Monitor, Rule, table};

use crate::rules::{HandedOver, NOBODY_HOLDS_ON, Replaced, WHO_KEEPS_REFERENCES};
use crate::{Claim, Expected, Run, model_of, together};

/// A checked row.
#[derive(Clone, Debug)]
pub struct Row {
    /// The claim.
    pub claim: &'static Claim,
    /// The engine that it was checked under.
    pub engine: Engine,
    /// What was found.
    pub exploration: Exploration,
    /// What that means for the claim.
    pub outcome: Outcome,
}

/// What an exploration means for a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As expected; or of a tree of yours: as in its base, or better.
    AsExpected,
    /// Decided otherwise, or for another reason than expected; the text says how.
    Unexpected(String),
    /// Not decided; the text says why.
    Undecided(String),
}

impl Row {
    /// Its name.
    pub fn name(&self) -> String {
        self.claim.name(self.engine)
    }

    /// Nothing, if what was found is what was expected.
    ///
    /// # Errors
    ///
    /// What was expected and why, what was found, and the table that shows it.
    pub fn as_expected(&self) -> Result<(), String> {
        let found = match &self.outcome {
            Outcome::AsExpected => return Ok(()),
            Outcome::Unexpected(what) => what.clone(),
            Outcome::Undecided(why) => format!("undecided: {why}"),
        };
        let seen = &self.exploration;
        let table = seen.counterexample.as_ref().map(table).or_else(|| seen.evidence.clone());
        let (expected, source) = (self.claim.expected.name(), self.claim.source);
        let rule = self.claim.rule;
        Err(format!(
            "{}\nexpected {expected} ({source}), found {found}\nrule: {rule}\n{}",
            self.name(),
            table.map_or_else(String::new, |table| format!("\n{table}"))
        ))
    }

    /// Does the rule hold in this tree of yours, by a complete search, and not in its base?
    pub fn is_mended(&self) -> bool {
        self.claim.is_inherited()
            && self.claim.expected == Expected::Violated
            && self.exploration.verdict == Verdict::Holds
            && self.outcome == Outcome::AsExpected
    }
}

/// Explores the claim's scenario in its tree under `engine`. A search that decides several rows is
/// done once in a process.
pub fn check(claim: &'static Claim, engine: Engine, bounds: &Bounds) -> Row {
    let mut exploration = together::explore(claim, engine, bounds);
    if let Some(found) = search_on(claim, bounds, &exploration) {
        exploration = found;
    }
    if let Some(counterexample) = &mut exploration.counterexample {
        counterexample.claim = claim.name(engine);
    }
    let outcome = judge(claim, &exploration);
    Row { claim, engine, exploration, outcome }
}

/// How many executions are run past those that break another rule than the claim's.
const PAST_OTHERS_MAX: u64 = 200_000;

/// A tree may be broken in more than one way, and which an engine comes to first is its own
/// business: where another rule was broken than the one that is claimed to be, the search goes on
/// for that one. Not under loom, which cannot.
fn search_on(claim: &Claim, bounds: &Bounds, seen: &Exploration) -> Option<Exploration> {
    let found = seen.counterexample.as_ref()?;
    let is_another = claim.expected == Expected::Violated && found.rule != claim.rule.0;
    if !is_another || seen.engine == Engine::Loom {
        return None;
    }
    let bounds = Bounds {
        rule: Some(claim.rule),
        executions_max: bounds.executions_max.min(PAST_OTHERS_MAX),
        exchange: None,
        ..bounds.clone()
    };
    let more = explore_in(claim.tree, claim, seen.engine, &bounds);
    let is_it = |more: &Exploration| more.counterexample.is_some();
    Some(more).filter(is_it).map(|more| Exploration { violations: seen.violations.clone(), ..more })
}

/// Explores the claim's scenario in any tree, with the monitors that its rule needs.
pub fn explore_in(
    tree: &'static Tree,
    claim: &Claim,
    engine: Engine,
    bounds: &Bounds,
) -> Exploration {
    explore_edited((tree, &[]), claim, engine, bounds)
}

/// The same, with edits of the tree's steps.
pub fn explore_edited(
    edited: (&'static Tree, &'static [Edit]),
    claim: &Claim,
    engine: Engine,
    bounds: &Bounds,
) -> Exploration {
    explore_watched(edited, claim, engine, bounds, Vec::new())
}

/// The monitors of a claim: those that its rule needs, and what every scenario is watched by.
pub(crate) fn monitors(claim: &Claim) -> Vec<Box<dyn Monitor>> {
    let mut monitors = for_rule(claim.rule);
    monitors.extend(keepers(claim.rule));
    monitors.push(Box::<Replaced>::default());
    monitors
}

/// The monitors that a claim about this rule has, and one about another rule has not.
pub(crate) fn own_monitors(rule: Rule) -> Vec<Box<dyn Monitor>> {
    of_its_own(rule).into_iter().chain(keepers(rule)).collect()
}

/// The ledger that knows who may have references when all is over, if that is what is asked.
fn keepers(rule: Rule) -> Option<Box<dyn Monitor>> {
    (rule == NOBODY_HOLDS_ON)
        .then(|| -> Box<dyn Monitor> { Box::new(Ledger::default().kept_by(WHO_KEEPS_REFERENCES)) })
}

/// The same, with more monitors.
pub(crate) fn explore_watched(
    (tree, edits): (&'static Tree, &'static [Edit]),
    claim: &Claim,
    engine: Engine,
    bounds: &Bounds,
    more: Vec<Box<dyn Monitor>>,
) -> Exploration {
    explore_noting(&Arc::default(), (tree, edits), claim, (engine, bounds), more)
}

/// The same; what the tree is asked for is noted.
pub(crate) fn explore_noting(
    asked: &Arc<Asked>,
    (tree, edits): (&'static Tree, &'static [Edit]),
    claim: &Claim,
    (engine, bounds): (Engine, &Bounds),
    more: Vec<Box<dyn Monitor>>,
) -> Exploration {
    let mut monitors = monitors(claim);
    if engine == Engine::Graph {
        monitors.push(Box::<HandedOver>::default());
    }
    monitors.extend(more);
    let scenario = claim.scenario;
    let asked = asked.clone();
    let body = Arc::new(move || {
        asked.note_here();
        scenario.play(&set_up(|| Run::new(Kernel::edited(tree, scenario.machine, edits))))
    });
    let mut exploration = explore(engine, bounds, monitors, body);
    if let Some(counterexample) = &mut exploration.counterexample {
        counterexample.tree = tree.name.into();
        counterexample.scenario = scenario.name.into();
        counterexample.model = Some(model_of(counterexample));
    }
    exploration
}

impl Row {
    /// A row for what was explored elsewhere.
    pub fn of(claim: &'static Claim, mut exploration: Exploration) -> Row {
        let engine = exploration.engine;
        if let Some(counterexample) = &mut exploration.counterexample {
            counterexample.claim = claim.name(engine);
            counterexample.tree = claim.tree.name.into();
        }
        let outcome = judge(claim, &exploration);
        Row { claim, engine, exploration, outcome }
    }
}

/// What an exploration means for a claim.
pub(crate) fn judge(claim: &Claim, seen: &Exploration) -> Outcome {
    match (&seen.verdict, claim.expected) {
        (Verdict::Undecided(why), _) => Outcome::Undecided(why.clone()),
        (Verdict::Violated, Expected::Violated) => right_rule(claim, seen.counterexample.as_ref()),
        (Verdict::Holds | Verdict::HoldsWithin(_), Expected::Holds) => reached(claim, seen),
        (Verdict::Violated, Expected::Holds) => Outcome::Unexpected("violated".into()),
        // A tree of yours that mends what its base gets wrong does what it is for.
        (Verdict::Holds, Expected::Violated) if claim.is_inherited() => reached(claim, seen),
        (Verdict::HoldsWithin(_), Expected::Violated) if claim.is_inherited() => {
            Outcome::AsExpected
        }
        (found, Expected::Violated) if seen.engine.is_exhaustive() => {
            Outcome::Unexpected(found.to_string())
        }
        (found, Expected::Violated) => Outcome::Unexpected(format!("{found}: {MISSED}")),
    }
}

/// Of schedules drawn at random that found nothing where something is to be found.
const MISSED: &str = "a sample that missed it refutes nothing. Ask a complete engine (--engine \
                      dpor); if that finds it, random schedules are too unlikely to, and the \
                      claim is better not asked under them (`.under(SC_WITHOUT_RANDOM)`)";

/// A violation of another rule is not the one that was expected.
fn right_rule(claim: &Claim, counterexample: Option<&Counterexample>) -> Outcome {
    match counterexample {
        Some(found) if found.rule == claim.rule.0 => came_to_it(claim, found),
        Some(found) => Outcome::Unexpected(format!("violated, but another rule: {}", found.rule)),
        None => Outcome::Unexpected("violated, without a counterexample".into()),
    }
}

/// A violation before that has happened which it is about is not the one that is meant. What other
/// executions have come to says nothing of it.
fn came_to_it(claim: &Claim, found: &Counterexample) -> Outcome {
    let came_to = |state: &str| {
        found.steps.iter().any(|step| step.action == ActionKind::Mark && step.detail == state)
    };
    match claim.by_then.iter().find(|state| !came_to(state)) {
        // A tree of yours that breaks what its base breaks, in a way of its own, is no worse.
        Some(_) if claim.is_inherited() => Outcome::AsExpected,
        Some(state) => Outcome::Unexpected(format!("violated, but before it came to: {state}")),
        None => Outcome::AsExpected,
    }
}

fn reached(claim: &Claim, seen: &Exploration) -> Outcome {
    if let Some(edit) = seen.idle_edits.first() {
        return Outcome::Unexpected(format!("holds, but no execution came to the edit: {edit}"));
    }
    match claim.reached.iter().find(|state| !seen.reached.contains(*state)) {
        Some(state) => Outcome::Unexpected(format!("holds, but no execution reached: {state}")),
        None => Outcome::AsExpected,
    }
}

#[cfg(test)]
mod tests {
    use selvedge_kernel::edits::Edit;
    use selvedge_kernel::{READ_ONCE, WRITE_ONCE, fail};
    use selvedge_trace::Site;

    use super::*;
    use crate::{Scenario, cpu};

    /// What a patch mends is no failure of the patch; what it breaks is one.
    #[test]
    fn a_tree_of_yours_may_be_better_than_its_base() {
        let judged = |scenario: &str, tree: &str, expected| {
            let is_it = |c: &Claim| c.scenario.name == scenario && c.tree.name == tree;
            let (claim, _) = crate::rows().find(|(claim, _)| is_it(claim)).expect("a claim");
            let claim = Claim { expected, source: crate::Source::Base("v5.11"), ..*claim };
            check(Box::leak(Box::new(claim)), Engine::Dpor, &Bounds::PROOF)
        };
        let mended = judged("add_vs_prep", "rfc-migrate-pending", Expected::Violated);
        assert_eq!((&mended.outcome, mended.is_mended()), (&Outcome::AsExpected, true));
        let as_before = judged("install_vs_prep", "rfc-migrate-pending", Expected::Violated);
        assert_eq!((&as_before.outcome, as_before.is_mended()), (&Outcome::AsExpected, false));
        let broken = judged("install_vs_prep", "rfc-migrate-pending", Expected::Holds);
        assert_eq!(broken.outcome, Outcome::Unexpected("violated".into()));
    }

    /// It may be violated for a reason that it has nothing to do with.
    #[test]
    fn a_violation_that_comes_to_nothing_that_the_claim_names_is_unexpected() {
        let claim = crate::rows()
            .map(|(claim, _)| claim)
            .find(|claim| claim.expected == Expected::Violated && claim.engines[0] == Engine::Dpor);
        let claim = claim.expect("some claims are violated");
        let seen = explore_in(claim.tree, claim, Engine::Dpor, &Bounds::PROOF);
        assert_eq!(judge(claim, &seen), Outcome::AsExpected);
        let elsewhere = Claim { by_then: &["a state that nobody reports"], ..*claim };
        let why = "violated, but before it came to: a state that nobody reports";
        assert_eq!(judge(&elsewhere, &seen), Outcome::Unexpected(why.into()));
    }

    /// A window of a step is missed by random schedules: whoever claims that it is there is told
    /// what that is worth.
    #[test]
    fn a_sample_that_misses_says_which_engine_to_ask() {
        let claim = crate::rows()
            .map(|(claim, _)| claim)
            .find(|claim| claim.expected == Expected::Violated && claim.engines[0] == Engine::Dpor);
        let claim = claim.expect("some claims are violated");
        let bounds = Bounds { samples: 0, ..Bounds::PROOF };
        let missed = judge(claim, &explore_in(claim.tree, claim, Engine::Random, &bounds));
        let Outcome::Unexpected(why) = missed else { unreachable!("{missed:?}") };
        assert!(why.contains("--engine dpor") && why.contains("SC_WITHOUT_RANDOM"), "{why}");
    }

    const LEFT: Rule = Rule("the one is first");
    const RIGHT: Rule = Rule("the other is first");
    static EITHER: Scenario = Scenario {
        name: "either_is_first",
        tasks: &[
            cpu(0, "one", |k| {
                if READ_ONCE(&k.outcome) != 0 {
                    fail(LEFT, "the other has stored");
                }
            }),
            cpu(1, "other", |k| WRITE_ONCE(&k.outcome, 1)),
        ],
        at_end: Some(|k| {
            if k.outcome.peek() == 1 {
                fail(RIGHT, "the one has come before");
            }
        }),
        ..Scenario::EMPTY
    };

    /// Of two rules that are broken an engine comes to one first; either can be claimed.
    #[test]
    fn a_violation_of_another_rule_does_not_hide_the_claimed_one() {
        let known = crate::rows().next().expect("a claim").0;
        let row = |rule, engine| {
            let claim = Claim {
                rule,
                scenario: &EITHER,
                expected: Expected::Violated,
                reached: &[],
                by_then: &[],
                ..*known
            };
            check(Box::leak(Box::new(claim)), engine, &Bounds::PROOF)
        };
        for engine in [Engine::Dpor, Engine::Dfs, Engine::Random, Engine::Graph] {
            for rule in [LEFT, RIGHT] {
                let row = row(rule, engine);
                assert_eq!(row.as_expected(), Ok(()), "{engine}");
                let found = row.exploration.counterexample.expect("a counterexample");
                assert_eq!(found.rule, rule.0, "{engine}");
                assert_eq!(found.schedule.is_empty(), engine == Engine::Graph, "to be run again");
            }
            // One that nobody breaks is not.
            let neither = row(NOBODY_HOLDS_ON, engine).outcome;
            let Outcome::Unexpected(why) = &neither else { panic!("{engine}: {neither:?}") };
            assert!(why.starts_with("violated, but another rule"), "{engine}: {why}");
        }
    }

    /// A mutant that mutates nothing proves nothing.
    #[test]
    fn a_claim_about_an_edit_that_no_execution_comes_to_fails() {
        const IDLE: &[Edit] = &[Edit::drop(Site::of("smp_mb").within("nowhere"))];
        let claim = crate::rows()
            .map(|(claim, _)| claim)
            .find(|claim| claim.expected == Expected::Holds && claim.engines[0] == Engine::Dpor);
        let claim = claim.expect("some claims hold");
        let outcome = |edits| {
            let seen = explore_edited((claim.tree, edits), claim, Engine::Dpor, &Bounds::PROOF);
            judge(claim, &seen)
        };
        assert_eq!(outcome(&[]), Outcome::AsExpected);
        let why = "holds, but no execution came to the edit: smp_mb() in nowhere(): left out";
        assert_eq!(outcome(IDLE), Outcome::Unexpected(why.into()));
    }
}
