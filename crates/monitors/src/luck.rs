//! Waits that end by luck: a task sleeps on a bit that is free, nobody who is about to do anything
//! will wake it, and it goes on only because somebody else comes by later and uses the bit.
//!
//! In the kernel that is a lost wake-up, whether the scenario has somebody who comes by or not: who
//! calls `folio_lock()` next may come in an hour. An execution in which he comes ends well, so that
//! the [wait graph](crate::WaitGraph) has nothing to say about it.
//!
//! # What is looked for
//!
//! A sleeper is woken in a call of some function. Suppose that this call, or an earlier one of the
//! same task, had not been made yet: what happened neither in it nor after it (because it used what
//! was done in it) is an execution that may be left at this point. If in that everybody has ended,
//! sleeps, or is about to make another call, then the state is one in which nobody *has* to do
//! anything. If the sleeper sleeps in it, and its bit is clear, it waits for luck.
//!
//! # What is not found
//!
//! Calls are told apart by the outermost function that they are in; two of one function in a row
//! are taken for one. Who waits for a lock at that point might be about to wake the sleeper, and
//! nothing is said.

use selvedge_trace::{
    Action, BitWait, Class, Context, End, Event, Execution, Finding, Judges, Monitor, PathId,
    Paths, Rule,
};
use serde_json::Value;

use crate::wait_graph::{Owner, Sleeper, asleep_on, name, owner, why_forgotten};

/// What a sleeper relies on: who leaves the bit free, or was told so and does not want it, wakes
/// the next.
pub const NO_WAIT_ENDS_BY_LUCK: Rule =
    Rule("nobody who sleeps on a free bit depends on somebody coming by");

/// Finds waits that end by luck, and those that would need it and do not end.
#[derive(Default)]
pub struct Luck;

impl Monitor for Luck {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Luck>::default()
    }

    // From one execution to the next it keeps nothing.
    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn judges(&self) -> Judges {
        Judges::Ways(NO_WAIT_ENDS_BY_LUCK.0)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        match execution.end {
            End::Stopped => None,
            End::Complete => let_go(execution).find_map(|at| by_luck(execution, at)),
            End::Deadlock(waiting) => waiting.iter().find_map(|w| {
                let forgotten = Forgotten::is(execution, Sleeper::of(w), execution.events)?;
                Some(forgotten.finding(execution, "and nobody comes by", None))
            }),
        }
    }
}

/// The events at which somebody is let go who slept.
fn let_go<'a>(execution: &Execution<'a>) -> impl Iterator<Item = usize> + 'a {
    let events = execution.events.iter().enumerate();
    events.filter(|(_, event)| event.action == Action::Wait).map(|(at, _)| at)
}

/// Has who is let go by this event been woken by luck?
fn by_luck(execution: &Execution<'_>, at: usize) -> Option<Finding> {
    let events = execution.events;
    let let_go = &events[at];
    let wakes = |e: &Event| e.action == Action::Wake && e.object == let_go.object;
    let woken = events[..at].iter().rposition(wakes)?;
    let sleeper = Sleeper { task: let_go.task, told_by: let_go.object, path: let_go.path };
    let mut calls: Vec<usize> = (0..=woken)
        .filter(|&call| events[call].task == events[woken].task && begins_a_call(execution, call))
        .collect();
    calls.reverse();
    calls.into_iter().find_map(|call| {
        let kept = Kept::without(execution, call)?;
        if kept.stopped_at(let_go.task) != Some(at) {
            return None;
        }
        let then: Vec<Event> = kept.indices().map(|index| events[index]).collect();
        let then = Execution { events: &then, ..*execution };
        let forgotten = Forgotten::is(&then, sleeper, events)?;
        let who = name(execution, events[woken].task);
        let luck = format!("and goes on only because {who} comes by later");
        let cleared = forgotten.cleared.and_then(|index| kept.indices().nth(index));
        Some(forgotten.finding(&then, &luck, cleared))
    })
}

/// A sleeper whose bit is clear.
struct Forgotten {
    sleeper: Sleeper,
    note: Event,
    bit: BitWait,
    /// The event at which it was cleared last.
    cleared: Option<usize>,
}

impl Forgotten {
    /// `all`: the events of the whole execution.
    fn is(then: &Execution<'_>, sleeper: Sleeper, all: &[Event]) -> Option<Forgotten> {
        let (note, bit) = asleep_on(then, sleeper)?;
        let forgotten = |cleared| Some(Forgotten { sleeper, note, bit, cleared });
        match owner(then.events, note.object, bit.mask) {
            Owner::Clear(None) if is_set_at_first(all, note.object, bit.mask) => None,
            Owner::Clear(cleared) => forgotten(cleared),
            Owner::Task(..) | Owner::Nobody => None,
        }
    }

    /// `event`: the one at which the bit was cleared, if it is another in the whole execution.
    fn finding(&self, then: &Execution<'_>, luck: &str, event: Option<usize>) -> Finding {
        let Forgotten { sleeper, note, bit, cleared } = self;
        let who = name(then, sleeper.task);
        let why = why_forgotten(then, sleeper.task, bit, *cleared);
        let message =
            format!("{who} sleeps on {} of {}, which is clear: {why}; {luck}", bit.bit, note.name);
        Finding { rule: NO_WAIT_ENDS_BY_LUCK, message, event: event.or(*cleared) }
    }
}

/// Was the bit set before anything happened?
fn is_set_at_first(events: &[Event], object: u32, mask: u64) -> bool {
    let is_access = |e: &&Event| e.action.kind().accesses().is_some();
    let first = events.iter().filter(is_access).find(|e| e.object == object);
    first.is_some_and(|e| e.old & mask != 0)
}

/// Does a task call a function by this event that it need not have called? Work that is queued, and
/// interrupts, do come.
fn begins_a_call(execution: &Execution<'_>, at: usize) -> bool {
    let event = &execution.events[at];
    let before = execution.events[..at].iter().rev().find(|e| e.task == event.task);
    let outermost = |e: &Event| outermost(execution.paths, e.path);
    let is_first =
        outermost(event) == PathId::ROOT || before.is_none_or(|e| outermost(e) != outermost(event));
    is_first && event.context == Context::Task
}

fn outermost(paths: &Paths, mut path: PathId) -> PathId {
    while paths.leave(path) != PathId::ROOT {
        path = paths.leave(path);
    }
    path
}

/// What is left of an execution if a task stops before a call.
struct Kept<'a> {
    events: &'a [Event],
    /// By event: has it happened?
    has_happened: Vec<bool>,
    /// By task: its first event that has not.
    stopped: Vec<Option<usize>>,
}

impl<'a> Kept<'a> {
    /// Without this event, which begins a call, and what came of it. `None`: somebody else would go
    /// on, or may have to.
    fn without(execution: &Execution<'a>, call: usize) -> Option<Kept<'a>> {
        let events = execution.events;
        let mut stopped = vec![None; execution.tasks.len()];
        let mut missing: Vec<usize> = Vec::new();
        for (at, event) in events.iter().enumerate() {
            let mine = &mut stopped[usize::from(event.task)];
            let is_missing = at == call
                || mine.is_some()
                || missing.iter().any(|&other| depends_on(event, &events[other]));
            if is_missing {
                mine.get_or_insert(at);
                missing.push(at);
            }
        }
        let mut has_happened = vec![true; events.len()];
        missing.iter().for_each(|&at| has_happened[at] = false);
        let kept = Kept { events, has_happened, stopped };
        let is_over = kept
            .stopped
            .iter()
            .flatten()
            .all(|&at| at == call || begins_a_call(execution, at) || kept.waits_at(at));
        is_over.then_some(kept)
    }

    fn indices(&self) -> impl Iterator<Item = usize> {
        (0..self.events.len()).filter(|&at| self.has_happened[at])
    }

    fn stopped_at(&self, task: u8) -> Option<usize> {
        self.stopped[usize::from(task)]
    }

    /// Does the task whose next event this would be wait?
    fn waits_at(&self, at: usize) -> bool {
        let event = &self.events[at];
        match event.action {
            Action::Join => true,
            Action::Wait => {
                let of_it = |e: &Event| e.class == Class::Token && e.object == event.object;
                let last = self.indices().filter(|&index| of_it(&self.events[index])).last();
                last.is_none_or(|last| self.events[last].action != Action::Wake)
            }
            _ => false,
        }
    }
}

/// Does what the later event does or finds depend on the earlier one, of another task?
fn depends_on(later: &Event, earlier: &Event) -> bool {
    match (later.action, earlier.action) {
        (Action::Join, _) => later.new == u64::from(earlier.task),
        (_, Action::Spawn) => earlier.new == u64::from(later.task),
        _ => later.object == earlier.object && later.touch.depends_on(earlier.touch),
    }
}
