//! The step that decides: before it some way to go on breaks no rule, after it every way breaks
//! this one. Found by halving: once the outcome is settled, it stays so.

use std::cell::RefCell;
use std::rc::Rc;

use dpor::{End, Next, Observer, SleepSets, Step};
use selvedge_trace::{ActionKind, Counterexample, Passing, Record, Rule};

use crate::machine::shuttle::{how_it_ended, numbers, run_quietly};
use crate::record;
use crate::replay::{as_far_as_it_came, decisions, follow};
use crate::tally::{Monitors, Seen, others};
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine};

/// Where the outcome is still open for the last time, and how it could go on.
pub(super) struct Decided {
    /// The index of the event.
    pub(super) step: usize,
    /// The steps that could be in its place and after it.
    pub(super) passing: Passing,
    /// The decision of the schedule that lets the event happen.
    pub(super) at: usize,
    /// The schedule of that execution, from its beginning.
    pub(super) schedule: Vec<i32>,
}

/// The step that decides; `None` if every execution fails. `Err`: not decided, because of what.
pub(super) fn step(
    bounds: &Bounds,
    monitors: Monitors,
    body: &Body,
    cx: &Counterexample,
) -> Result<Option<Decided>, String> {
    // A choice belongs to the step before it.
    let ends: Vec<usize> =
        (0..=cx.schedule.len()).filter(|&at| cx.schedule.get(at).is_none_or(|&n| n >= 0)).collect();
    let (mut open, mut settled) = (0, ends.len() - 1);
    let ways_on = |at: usize| way_on(bounds, others(&monitors), body, cx, ends[at]);
    let Some(mut passing) = ways_on(open)? else { return Ok(None) };
    while settled - open > 1 {
        let middle = open + (settled - open) / 2;
        match ways_on(middle)? {
            Some(way) => (open, passing) = (middle, way),
            None => settled = middle,
        }
    }
    let event = event_of(bounds, body, cx, ends[open]);
    Ok(event.map(|event| {
        let steps = passing.steps.split_off(event.min(passing.steps.len()));
        let schedule = passing.schedule;
        let passing = Passing { tasks: passing.tasks, steps };
        Decided { step: event, passing, at: ends[open], schedule }
    }))
}

/// An execution with this beginning of the schedule that does not break the rule, if there is one.
fn way_on(
    bounds: &Bounds,
    monitors: Monitors,
    body: &Body,
    cx: &Counterexample,
    until: usize,
) -> Result<Option<Counterexample>, String> {
    record::begin_search(Engine::Dfs, bounds);
    let probe = Probe {
        seen: Seen::by(monitors),
        rule: cx.rule.clone(),
        bounds: bounds.clone(),
        runs: 0,
        answer: None,
    };
    let probe = Rc::new(RefCell::new(probe));
    let beginning = decisions(&cx.schedule[..until]);
    let observer = Box::new(Shared(probe.clone()));
    run_quietly(SleepSets::after(&beginning, observer, 2 * bounds.steps_max), body)?;
    let answer = probe.borrow_mut().answer.take();
    answer.unwrap_or(Ok(None)).map_err(|cut| {
        format!("which step decides is not known: {cut}, looking at what can follow step {until}")
    })
}

/// The event that the decision at this place of the schedule lets happen: the first of its task
/// after what has happened before.
fn event_of(bounds: &Bounds, body: &Body, cx: &Counterexample, at: usize) -> Option<usize> {
    let before = follow(bounds, Vec::new(), body, &cx.schedule[..at]).0.execution.steps.len();
    let task = u8::try_from(*cx.schedule.get(at)?).ok()?;
    let is_it = |step: &Record| {
        step.task == task && !step.action.is_note() && step.action != ActionKind::Fence
    };
    cx.steps.iter().skip(before).position(is_it).map(|offset| before + offset)
}

struct Probe {
    seen: Seen,
    rule: String,
    bounds: Bounds,
    /// Executions, also those that were given up.
    runs: u64,
    /// The first execution that does not break the rule; `Err`: what ended the search before it was
    /// known whether there is one.
    answer: Option<Result<Option<Counterexample>, Cut>>,
}

impl Observer for Probe {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.runs += 1;
        let max = self.bounds.executions_max;
        if *end == End::SleepSetBlocked {
            if self.runs >= max.saturating_mul(2) {
                self.answer = Some(Err(Cut::Executions(max)));
                return Next::Stop;
            }
            return Next::Continue;
        }
        let (ended, stopped) = how_it_ended(end);
        self.seen.execution_ended(ended, true, || numbers(schedule));
        let broke = self.seen.broke.map(|Rule(rule)| rule);
        self.answer = match (end, stopped) {
            (End::NotDeterministic(what), _) => Some(Err(Cut::NotDeterministic(what.clone()))),
            (_, Some(crate::task::Stop::StepLimit)) => Some(Err(Cut::steps())),
            (_, Some(crate::task::Stop::Unable(why))) => Some(Err(Cut::Engine(why))),
            _ if broke != Some(self.rule.as_str()) => {
                let schedule = numbers(schedule);
                Some(Ok(Some(Counterexample { schedule, ..as_far_as_it_came() })))
            }
            _ if self.bounds.is_interrupted() => Some(Err(Cut::Interrupted)),
            _ if self.seen.tally.executions >= max => Some(Err(Cut::Executions(max))),
            _ => None,
        };
        if self.answer.is_some() { Next::Stop } else { Next::Continue }
    }
}

struct Shared(Rc<RefCell<Probe>>);

impl Observer for Shared {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.0.borrow_mut().execution_ended(end, schedule)
    }
}
