//! What an exploration proves. The only place that says "holds".

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use selvedge_trace::{Counterexample, Judges, Spin};

use crate::edits::Edit;
use crate::fair::{self, Loop};
use crate::record;
use crate::tally::{Monitors, Seen};
use crate::{Bounds, Engine, States, Violations};

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub enum Verdict {
    /// Every execution was visited, under the engine's memory model, and broke no rule.
    Holds,
    /// No execution that was visited broke a rule; the bound says which were visited.
    HoldsWithin(String),
    /// An execution broke a rule.
    Violated,
    /// Nothing was found, and the search was stopped by what the text names.
    Undecided(String),
}

impl Verdict {
    /// Its name in rows: `holds`, `holds_within`, `violated`, `undecided`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::HoldsWithin(_) => "holds_within",
            Verdict::Violated => "violated",
            Verdict::Undecided(_) => "undecided",
        }
    }

    /// What bounded or stopped the search.
    pub fn bound(&self) -> Option<&str> {
        match self {
            Verdict::HoldsWithin(bound) | Verdict::Undecided(bound) => Some(bound),
            Verdict::Holds | Verdict::Violated => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Holds => f.write_str("holds"),
            Verdict::HoldsWithin(bound) => write!(f, "holds within {bound}"),
            Verdict::Violated => f.write_str("violated"),
            Verdict::Undecided(why) => write!(f, "undecided: {why}"),
        }
    }
}

/// A finished exploration.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// What explored.
    pub engine: Engine,
    /// What was found.
    pub verdict: Verdict,
    /// How many executions were run, the failing one included.
    pub executions: u64,
    /// The steps of the longest.
    pub steps_max: usize,
    /// The states that some execution reached (`Action::Mark`).
    pub reached: BTreeSet<&'static str>,
    /// How long it took.
    pub elapsed: Duration,
    /// The failing execution, or what the whole search showed.
    pub counterexample: Option<Counterexample>,
    /// Evidence that no single execution shows: a cycle of lock orders.
    pub evidence: Option<String>,
    /// Edits ([`crate::edits`]) whose site no execution came to: they have changed nothing.
    pub idle_edits: Vec<Edit>,
    /// How many states were told apart, if the search compared states ([`Bounds::stateful`]).
    pub states: Option<States>,
    /// All violations, if they were to be counted ([`Bounds::keep_going`]) and an execution shows
    /// one.
    pub violations: Option<Violations>,
}

impl Exploration {
    /// Would more exploration change nothing? Of an engine that visits everything: it has, or it
    /// has found a violation.
    pub fn is_complete(&self) -> bool {
        self.engine.is_exhaustive() && matches!(self.verdict, Verdict::Holds | Verdict::Violated)
    }
}

/// Why a search ended before its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// A rule was broken.
    Violation,
    Executions(u64),
    Time(Duration),
    /// An execution has too many steps.
    Steps {
        /// The loop that does not end, if the steps show one.
        spin: Option<Box<Spin>>,
        /// Those that could be bounded.
        loops: Vec<Loop>,
        /// Rounds that are the same but for the values of words, which are named.
        counts: Option<String>,
    },
    /// Who stands still would wake somebody in the next round: who, and whom.
    KeepsGoing(String),
    Interrupted,
    Preemptions(u32),
    /// A limit of the engine.
    Engine(String),
    /// The engine's limit on the length of an execution.
    TooLarge(String),
    /// The model panicked.
    Panic(String),
    /// It has come to each state, and this rule is about the ways to them.
    Ways(&'static str),
    /// Two states were taken for one: the step that shows it.
    Blind(String),
    /// The model does not do the same thing twice.
    NotDeterministic(String),
}

impl Cut {
    /// The execution on this thread has too many steps.
    pub(crate) fn steps() -> Cut {
        record::with(|record| Cut::Steps {
            spin: record.spins().map(Box::new),
            loops: record.loops_at_the_end(fair::ENDLESS),
            counts: record.counts_at_the_end(),
        })
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Violation => f.write_str("a violation"),
            Cut::Executions(max) => write!(f, "the limit of {max} executions"),
            Cut::Time(max) => write!(f, "the limit of {} s", max.as_secs()),
            Cut::Steps { spin: Some(spin), .. } => {
                write!(f, "an execution with too many steps: {spin}")
            }
            Cut::Steps { counts: Some(counts), .. } => {
                write!(f, "an execution with too many steps: {counts}")
            }
            Cut::Steps { .. } => {
                f.write_str("an execution with too many steps (does the model spin?)")
            }
            Cut::KeepsGoing(who) => f.write_str(who),
            Cut::Interrupted => f.write_str("an interrupt from outside"),
            Cut::Preemptions(max) => write!(f, "{max} preemptions"),
            Cut::Engine(limit) | Cut::TooLarge(limit) => f.write_str(limit),
            Cut::Panic(message) => write!(f, "a panic of the model: {message}"),
            Cut::Ways(rule) => write!(
                f,
                "a search over states, which goes one way to each, and a rule about the ways: \
                 {rule}; ask dpor without --stateful"
            ),
            Cut::Blind(step) => {
                write!(f, "two states that were taken for one (what is not said?): after {step}")
            }
            Cut::NotDeterministic(what) => write!(f, "a model that is not deterministic: {what}"),
        }
    }
}

/// The verdict on what a search has seen, given why it ended (no cut: nothing was left to visit).
pub(crate) fn conclude(
    engine: Engine,
    bounds: &Bounds,
    seen: Seen,
    elapsed: Duration,
) -> Exploration {
    let Seen { mut tally, mut monitors, cut, .. } = seen;
    let mut found = monitors.iter_mut().filter_map(|monitor| monitor.exploration_ended());
    let whole = found.find(|(found, _)| bounds.rule.is_none_or(|rule| rule == found.rule));
    let evidence = whole.map(|(finding, evidence)| format!("{}\n{evidence}", finding.message));
    let is_violated = tally.counterexample.is_some() || evidence.is_some();
    // Of an execution that was passed over nothing is known from there on.
    let passed_over = tally.violations.first().map(|other| other.rule);
    let cut = cut.or_else(|| {
        passed_over.map(|rule| Cut::Engine(format!("executions that break another rule: {rule}")))
    });
    let of_ways = || bounds.compares_states(engine).then(|| asks_the_way(&monitors)).flatten();
    let cut = cut.or_else(of_ways);
    let verdict = match cut {
        _ if is_violated => Verdict::Violated,
        Some(Cut::Preemptions(max)) => within(bounds, Some(format!("{max} preemptions"))),
        Some(cut) => undecided_by(engine, bounds, &cut),
        None if !engine.is_exhaustive() => {
            let (count, seed) = (tally.executions, bounds.seed);
            within(bounds, Some(format!("{count} {engine} schedules (seed {seed:#x})")))
        }
        None => within(bounds, tally.exceeded.take()),
    };
    if let Some(counterexample) = &mut tally.counterexample {
        counterexample.engine = engine.name().into();
        counterexample.memory_model = engine.memory_model().name().into();
    }
    Exploration {
        engine,
        verdict,
        executions: tally.executions,
        steps_max: tally.steps_max,
        reached: tally.reached,
        elapsed,
        counterexample: tally.counterexample,
        evidence,
        idle_edits: idle(tally.edits),
        states: tally.states,
        violations: None,
    }
}

/// A rule that a search over states cannot decide, if one is asked for.
fn asks_the_way(monitors: &Monitors) -> Option<Cut> {
    monitors.iter().find_map(|monitor| match monitor.judges() {
        Judges::Ways(rule) => Some(Cut::Ways(rule)),
        Judges::States | Judges::SoFar => None,
    })
}

/// The verdict on a search that has found nothing, within this limit if there is one, and within
/// fair schedules if loops were bounded.
fn within(bounds: &Bounds, limit: Option<String>) -> Verdict {
    let fair = bounds.loops.as_deref().map(|loops| fair::Within(loops).to_string());
    match (limit, fair) {
        (None, None) => Verdict::Holds,
        (Some(limit), Some(fair)) => Verdict::HoldsWithin(format!("{limit}, and {fair}")),
        (Some(one), None) | (None, Some(one)) => Verdict::HoldsWithin(one),
    }
}

/// The verdict on a search that was cut; if by a loop, with whom to ask instead.
fn undecided_by(engine: Engine, bounds: &Bounds, cut: &Cut) -> Verdict {
    let may_be_a_loop = matches!(cut, Cut::Steps { .. } | Cut::TooLarge(_));
    match fair::whom_to_ask(engine, bounds).filter(|_| may_be_a_loop) {
        Some(ask) => Verdict::Undecided(format!("{cut}; {ask}")),
        None => Verdict::Undecided(cut.to_string()),
    }
}

fn idle((edits, used): (&[Edit], u64)) -> Vec<Edit> {
    let numbered = edits.iter().enumerate();
    numbered.filter(|(number, _)| used & 1 << number == 0).map(|(_, edit)| *edit).collect()
}

/// The verdict on a scenario that could not be explored at all.
pub(crate) fn undecided(engine: Engine, why: Cut, elapsed: Duration) -> Exploration {
    Exploration {
        engine,
        verdict: Verdict::Undecided(why.to_string()),
        executions: 0,
        steps_max: 0,
        reached: BTreeSet::new(),
        elapsed,
        counterexample: None,
        evidence: None,
        idle_edits: Vec::new(),
        states: None,
        violations: None,
    }
}
