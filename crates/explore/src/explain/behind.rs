//! When all executions are too many to be compared: those that begin as the failing one does, from
//! as early a step on as the limit allows. Here an execution ends where it breaks a rule, and what
//! the others would do after that is not run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use dpor::{End, Next, Observer, SleepSets, Step};
use selvedge_trace::{Counterexample, Monitor};

use super::Subject;
use super::decisive::Decided;
use super::gather::Gather;
use super::orders::{Compared, Comparison};
use crate::machine::shuttle::{Watch, run_quietly};
use crate::replay::{decisions, follow};
use crate::verdict::Cut;
use crate::{Bounds, Engine, footprint, record};

/// How many decisions before the one that decides are tried first.
const STEPS_BACK: usize = 8;
/// So often the beginning is halved, when one is too short and another is not.
const HALVINGS: u32 = 4;

/// What the executions with one beginning have shown.
pub(super) struct Behind {
    /// How many decisions they have in common.
    pub(super) until: usize,
    /// The first event that is not of the beginning.
    pub(super) from: usize,
    /// And what else may matter.
    pub(super) compared: (Compared, Gather),
}

/// Those with the shortest beginning for which the limit does, of those that are tried: it is
/// before the step that decides, or there would be nothing to compare. `None`: the limit does for
/// none.
pub(super) fn compare(
    of: &Subject<'_>,
    comparison: &Comparison,
    decided: &Decided,
) -> Option<Behind> {
    let Subject { bounds, body, cx, .. } = *of;
    let after = |until: usize| comparison.and_gather(&|last| run_after(of, until, last)).ok();
    let mut known = (decided.at, after(decided.at)?);
    let mut too_short = None;
    let mut back = STEPS_BACK;
    while too_short.is_none() && known.0 > 0 {
        let until = at_a_task(cx, decided.at.saturating_sub(back));
        match after(until) {
            Some(compared) => known = (until, compared),
            None => too_short = Some(until),
        }
        back *= 2;
    }
    for _ in 0..HALVINGS {
        let Some(short) = too_short else { break };
        let until = at_a_task(cx, usize::midpoint(short, known.0));
        if until <= short || until >= known.0 {
            break;
        }
        match after(until) {
            Some(compared) => known = (until, compared),
            None => too_short = Some(until),
        }
    }
    let (until, compared) = known;
    let beginning = follow(bounds, Vec::new(), body, &cx.schedule[..until]).0;
    let from = if until == 0 { 0 } else { beginning.execution.steps.len() };
    Some(Behind { until, from: from.min(cx.steps.len()), compared })
}

/// A choice belongs to the step before it.
pub(super) fn at_a_task(cx: &Counterexample, until: usize) -> usize {
    (0..=until).rev().find(|&at| cx.schedule.get(at).is_none_or(|&n| n >= 0)).unwrap_or(0)
}

/// Runs all executions with this beginning of the schedule. `Err`: not all, because of what.
pub(super) fn run_after(
    of: &Subject<'_>,
    until: usize,
    last: Box<dyn Monitor>,
) -> Result<Box<dyn Monitor>, String> {
    let Subject { bounds, body, cx, .. } = *of;
    let watching = of.watched_by(last);
    // The search ends an execution that fails; who watches goes on to the next.
    record::begin_search(Engine::Dfs, &Bounds { keep_going: false, ..bounds.clone() });
    footprint::begin_search(&watching);
    let bounds = Bounds { keep_going: true, preemptions_max: None, ..bounds.clone() };
    let watch = Watch::new(&bounds, Instant::now(), watching);
    let probe = Rc::new(RefCell::new(Probe { watch, runs: 0, kept: Rc::default() }));
    let observer = Box::new(Shared(probe.clone()));
    let beginning = decisions(&cx.schedule[..until]);
    run_quietly(SleepSets::after(&beginning, observer, 2 * bounds.steps_max), body)?;
    let mut probe = probe.borrow_mut();
    let mut seen = std::mem::take(&mut probe.watch.seen);
    match (seen.cut, seen.monitors.pop()) {
        (None, Some(last)) => Ok(last),
        (cut, _) => Err(cut.map_or_else(String::new, |cut| cut.to_string())),
    }
}

/// Counts also executions that are given up since another does the same.
pub(super) struct Probe {
    pub(super) watch: Watch,
    pub(super) runs: u64,
    /// How many beginnings of executions the search has in its table, if it has one.
    pub(super) kept: Rc<Cell<usize>>,
}

/// More than these are not kept: a table of so many takes 560 MB, and 830 MB while it grows.
const KEPT_MAX: usize = 14_000_000;

pub(super) struct Shared(pub(super) Rc<RefCell<Probe>>);

impl Observer for Shared {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        let mut probe = self.0.borrow_mut();
        probe.runs += 1;
        let next = probe.watch.execution_ended(end, schedule);
        if probe.watch.bounds.is_interrupted() {
            probe.watch.seen.cut = Some(Cut::Interrupted);
            return Next::Stop;
        }
        let max = probe.watch.bounds.executions_max;
        if probe.runs >= max.saturating_mul(2) && probe.watch.seen.cut.is_none() {
            probe.watch.seen.cut = Some(Cut::Executions(max));
            return Next::Stop;
        }
        if probe.kept.get() >= KEPT_MAX && probe.watch.seen.cut.is_none() {
            let limit = format!("the limit of {KEPT_MAX} beginnings of executions that it keeps");
            probe.watch.seen.cut = Some(Cut::Engine(limit));
            return Next::Stop;
        }
        next
    }
}
