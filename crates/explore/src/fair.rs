//! Loops without a bound, under fair schedules.
//!
//! **Fair** is a schedule in which every task that is able to go on again and again does go on.
//!
//! A task that looks at a word until another one has changed it has executions without an end:
//! those in which the other never runs. No fair schedule has them, and no search can run them all.
//! So a search that meets an execution with too many steps, at the end of which some tasks do
//! nothing but take the same steps, find the same values and leave what was there, searches again:
//! such a [`Loop`] now goes round [`ROUNDS`] times at most *in a row with nothing new found*. Who
//! has done so stands still (`record/rounds.rs`), and the others go on.
//!
//! # What that finds
//!
//! If in the end nobody else can go on, and nobody has touched since what the last round touched,
//! then the next round is the same, and so are all after it: a livelock. So it is if those who
//! stand still, and nobody else, have come twice to the same state, each of them by some steps: two
//! who undo each other's work. The rule [`ENDLESS_LOOPS_END`](selvedge_trace::ENDLESS_LOOPS_END) is
//! broken, and the execution is a lasso: how it came to that, and the round. It is said only if the
//! lasso is fair: nobody who waits could go on in the midst of the round either.
//!
//! Rounds may sleep and wake. If in the end somebody sleeps whom the next round of one who stands
//! still would wake, then that round is not nothing: the search ends `undecided`, and says who
//! keeps whom going.
//!
//! In any other execution in which somebody stands still, he could have gone on: that end is none
//! of the scenario's, and nothing is said about it.
//!
//! # What that leaves out
//!
//! Nothing, of loops whose rounds change nothing. Take an execution with more rounds in a row than
//! that. All begin with the task in the same place and find the same. Without some of those in the
//! middle it is an execution still, for nobody could see them, and ends the same; so that what
//! comes after the last round is searched behind [`ROUNDS`] - 1 of them, and a partial one. Whether
//! a task stands still depends on its own steps and on what they have let it see, so that a search
//! that reduces orders by what steps can see (dpor) does so here, too: it runs all traces of this
//! other program, in which the loop ends in a wait for nothing.
//!
//! Rounds that change something and put it back (a lock that is taken and given back) are seen by
//! who looks in between, and may have to be many for that. So the verdict is never `holds`: it says
//! which loops go round how often.
//!
//! Rounds that are the same but for a word that counts them are not bounded: a task may act on the
//! count. The search ends `undecided`, and names the word.
//!
//! A loop that counts its rounds has a bound, though each finds the same. One that has gone round
//! [`ENDLESS`] times is taken for one that does not count.

use std::fmt;
use std::sync::Arc;

use crate::tally::{Monitors, Seen, others};
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, determinism, machine};

/// So many rounds that are the same a loop goes at most, where it is bounded.
pub(crate) const ROUNDS: usize = 3;

/// A loop has no bound if an execution has gone so many rounds that are the same: more than any
/// loop of a scenario that counts its rounds.
pub(crate) const ENDLESS: usize = 20;

/// More loops in one scenario are not looked for.
const LOOPS_MAX: usize = 16;

/// A step of a loop: the functions that it is in, and its primitive.
pub(crate) type At = (Vec<&'static str>, &'static str);

/// A loop without a bound: the steps of a round, wherever it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loop {
    /// The steps, as few as are repeated.
    pub(crate) steps: Vec<At>,
    /// A round is so often these steps, at most, each time with other objects or values.
    pub(crate) times: usize,
}

impl Loop {
    /// Of these steps, which may be several rounds.
    pub(crate) fn of(mut steps: Vec<At>) -> Loop {
        let all = steps.len();
        let is_period =
            |&n: &usize| all.is_multiple_of(n) && (n..all).all(|at| steps[at] == steps[at - n]);
        let length = (1..=all).find(is_period).unwrap_or(all);
        steps.truncate(length);
        Loop { steps, times: all / length.max(1) }
    }

    /// Are they the same, wherever a round is said to begin?
    fn is_same(&self, other: &Loop) -> bool {
        let (mine, length) = (&self.steps, self.steps.len());
        let begins_at =
            |first: usize| (0..length).all(|at| mine[(first + at) % length] == other.steps[at]);
        length == other.steps.len() && (0..length).any(begins_at)
    }

    /// The innermost function that all of it is in.
    fn function(&self) -> Option<&'static str> {
        let (first, rest) = self.steps.split_first()?;
        let in_common = |so_far: usize, step: &At| {
            so_far.min(first.0.iter().zip(&step.0).take_while(|(a, b)| a == b).count())
        };
        let depth = rest.iter().fold(first.0.len(), in_common);
        first.0[..depth].last().copied()
    }
}

/// What a verdict says of a search in which these loops are bounded.
pub(crate) struct Within<'a>(pub(crate) &'a [Loop]);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fair schedules (at most {ROUNDS} rounds in a row that are the same of ")?;
        let mut names: Vec<String> = Vec::new();
        for one in self.0 {
            let name = match one.function() {
                Some(function) => format!("{function}()"),
                None => format!("a loop of the scenario: {}()", one.steps[0].1),
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        write!(f, "{})", names.join(" and "))
    }
}

/// Whom to ask about a scenario of which this search has met an execution that does not end.
pub(crate) fn whom_to_ask(engine: Engine, bounds: &Bounds) -> Option<&'static str> {
    if !engine.takes_schedules() {
        return Some("ask dpor about loops without a bound, which explores fair schedules");
    }
    let without =
        "ask dpor without --stateful about loops without a bound: it explores fair schedules";
    bounds.compares_states(engine).then_some(without)
}

/// The loops to be bounded in the next search, those known before among them; `None`: the search
/// was not cut because of one, or not of one that is new.
fn more(engine: Engine, bounds: &Bounds, cut: Option<&Cut>) -> Option<Arc<[Loop]>> {
    let Some(Cut::Steps { loops, .. }) = cut else { return None };
    // What rounds a task has gone is in no hash of a state.
    if !engine.takes_schedules() || bounds.compares_states(engine) {
        return None;
    }
    let known = bounds.loops.as_deref().unwrap_or_default();
    let mut all = known.to_vec();
    for new in loops {
        match all.iter_mut().find(|known| known.is_same(new)) {
            Some(known) => known.times = known.times.max(new.times),
            None => all.push(new.clone()),
        }
    }
    (all != known && all.len() <= LOOPS_MAX).then(|| all.into())
}

/// Is the scenario deterministic? Bounds the loops that an execution does not leave.
pub(crate) fn is_deterministic(
    engine: Engine,
    bounds: &mut Bounds,
    body: &Body,
) -> Result<(), Cut> {
    loop {
        let Some(cut) = determinism::is_missing(bounds, body) else { return Ok(()) };
        match more(engine, bounds, Some(&cut)) {
            Some(loops) => bounds.loops = Some(loops),
            None => return Err(cut),
        }
    }
}

/// Searches, and searches again where loops have to be bounded.
pub(crate) fn search(engine: Engine, bounds: &mut Bounds, monitors: Monitors, body: &Body) -> Seen {
    let kinds = others(&monitors);
    let mut seen = machine::search(engine, bounds, monitors, body);
    while seen.tally.counterexample.is_none()
        && let Some(loops) = more(engine, bounds, seen.cut.as_ref())
    {
        // Others who take part do not know of the loops.
        *bounds = Bounds { loops: Some(loops), exchange: None, ..bounds.clone() };
        seen = machine::search(engine, bounds, others(&kinds), body);
    }
    seen
}
