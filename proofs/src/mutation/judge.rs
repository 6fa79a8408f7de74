//! What becomes of a mutant: killed by whom, or not.

use selvedge_explore::{Bounds, Engine, Exploration, Verdict};
use selvedge_trace::{Monitor, NOT_FAIR};

use super::effect::{self, Effect};
use super::{Judge, Mutant, Survey};
use crate::check::explore_watched;

/// After the first kill only claims of at most so many executions are still asked, so that the
/// report can say who else needs the step.
const SMALL: u64 = 200;

/// A claim of more executions is asked only on demand ([`Asked::All`]).
const LARGE: u64 = 1_999;

/// The same under loom, of which there are few.
const LARGE_UNDER_LOOM: u64 = 6_000;

/// A mutant may have more executions than the tree; so many times more, and at least so many.
const MORE: (u64, u64) = (20, 20_000);

/// Which claims are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Those that are not large.
    Small,
    /// All of them, until one kills.
    All,
}

/// What has become of a mutant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Some claim notices. The first is the smallest that does.
    Killed(Vec<Kill>),
    /// So many claims were asked, and none has noticed; so many large ones were not asked.
    Survived {
        /// The first number.
        asked: usize,
        /// The second one.
        not_asked: usize,
    },
    /// It has no effect in any execution: nothing is ever there, or nobody looks or writes
    /// meanwhile.
    Idle,
    /// It is about ordering, and no claim that is asked under weak memory passes the site.
    NotJudged,
    /// A limit was hit, and nobody else has noticed anything.
    Undecided(String),
}

/// A claim that has noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kill {
    /// The number of the judge.
    pub judge: usize,
    /// The rule that was broken, or what kept the model from going on.
    pub what: What,
}

/// What was noticed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// This rule is broken.
    Broken(String),
    /// Some execution has no end: far more steps than any without the fault, and none of the
    /// others could end that.
    NoEnd,
    /// An assertion of the model or the scenario has failed.
    Assertion,
}

impl Fate {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Fate::Killed(_) => "killed",
            Fate::Survived { .. } => "survived",
            Fate::Idle => "no effect",
            Fate::NotJudged => "not judged under SC",
            Fate::Undecided(_) => "undecided",
        }
    }
}

/// Judges a mutant of the survey. Besides: how many executions that took.
pub fn judge(survey: &Survey, mutant: &Mutant, asked: Asked) -> (Fate, u64) {
    if effect::is_none(mutant) {
        return (Fate::Idle, 0);
    }
    let is_weak = mutant.operator.wants_weak_memory();
    let effect = Effect::of(mutant);
    let (mut kills, mut undecided) = (Vec::new(), None);
    let (mut done, mut skipped, mut executions, mut is_decisive) = (0, 0, 0, !is_weak);
    for &number in &mutant.judges {
        let judge = &survey.judges[number];
        if !kills.is_empty() && judge.executions > SMALL {
            continue;
        }
        let large = if judge.engine == Engine::Loom { LARGE_UNDER_LOOM } else { LARGE };
        if asked == Asked::Small && judge.executions > large {
            skipped += 1;
            continue;
        }
        let seen = ask(judge, mutant, &effect);
        executions += seen.executions;
        is_decisive |= judge.is_weak();
        done += 1;
        match (&seen.verdict, what(&seen)) {
            (_, Some(what)) => kills.push(Kill { judge: number, what }),
            (Verdict::Undecided(why), None) => {
                undecided.get_or_insert(format!("{}: {why}", judge.name()));
            }
            _ => {}
        }
    }
    // A rule that is broken says more than a model that cannot go on.
    kills.sort_by_key(|kill| (!matches!(kill.what, What::Broken(_)), kill.judge));
    let fate = match undecided {
        _ if !kills.is_empty() => Fate::Killed(kills),
        Some(why) => Fate::Undecided(why),
        None if !is_decisive => Fate::NotJudged,
        None if effect.was_none() => Fate::Idle,
        None => Fate::Survived { asked: done, not_asked: skipped },
    };
    (fate, executions)
}

fn ask(judge: &Judge, mutant: &Mutant, effect: &Effect) -> Exploration {
    let (times, least) = MORE;
    let bounds = Bounds {
        executions_max: (judge.executions * times).max(least),
        steps_max: (judge.steps_max * 10).max(500),
        as_found: true,
        ..Bounds::PROOF
    };
    let watch: Vec<Box<dyn Monitor>> = vec![Box::new(effect.clone())];
    explore_watched((mutant.tree, mutant.edits), judge.claim, judge.engine, &bounds, watch)
}

/// What an exploration has noticed.
pub(super) fn what(seen: &Exploration) -> Option<What> {
    match &seen.verdict {
        Verdict::Violated => {
            let rule = seen.counterexample.as_ref().map(|found| found.rule.clone());
            Some(What::Broken(rule.unwrap_or_else(|| "locks are taken in one order".into())))
        }
        // A loop that others could end is no fault: `holds within fair schedules`. One that nobody
        // can is a rule that is broken. What is left goes on and on without doing the same again.
        Verdict::Undecided(why)
            if why.starts_with("an execution with too many steps") && !why.contains(NOT_FAIR) =>
        {
            Some(What::NoEnd)
        }
        Verdict::Undecided(why) if why.starts_with("a panic of the model") => Some(What::Assertion),
        Verdict::Undecided(_) | Verdict::Holds | Verdict::HoldsWithin(_) => None,
    }
}
