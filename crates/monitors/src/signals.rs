//! Waits that a signal ends.
//!
//! The kernel's names say which: `mutex_lock_killable()`, `down_write_killable()`,
//! `wait_for_completion_interruptible()`, `folio_lock_killable()`. Who waits so for a lock or a
//! completion tries to take it, and sleeps in a queue until it is worth a try again: the steps of
//! one wait.

use std::fmt;

use selvedge_trace::{Action, Class, Event, Execution, PathId, Paths, Waiting};

/// What signals end a wait.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Signal {
    /// One that kills.
    Fatal,
    /// Any.
    Any,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Fatal => "a fatal signal",
            Signal::Any => "any signal",
        })
    }
}

/// Waits whose names do not say it: in the kernel their caller chooses, and it is this.
const CHOSEN: [(&str, Signal); 1] = [("folio_put_wait_locked", Signal::Fatal)];

/// What ends a wait in this function, or by this primitive, besides what is waited for.
pub(crate) fn ended_by(name: &str) -> Option<Signal> {
    if name.ends_with("_killable") {
        return Some(Signal::Fatal);
    }
    if name.ends_with("_interruptible") {
        return Some(Signal::Any);
    }
    CHOSEN.iter().find(|(function, _)| *function == name).map(|(_, signal)| *signal)
}

/// Is it a step of such a wait for a completion? (Those of a lock are recorded as tries.)
pub(crate) fn is_of_a_wait(event: &Event) -> bool {
    event.class == Class::Completion && ended_by(event.primitive).is_some()
}

/// Has the task found, in such a wait, that it cannot have the lock or completion yet?
pub(crate) fn is_in_vain(event: &Event) -> bool {
    match event.action {
        Action::TryLockFailed => ended_by(event.primitive).is_some(),
        Action::UpdateFailed => is_of_a_wait(event),
        _ => false,
    }
}

/// Functions that do nothing but sleep: who waits calls them, whatever for.
pub(crate) const SLEEPS: [&str; 3] = ["schedule", "folio_wait_bit_common", "__wait_on_bit_lock"];

/// What ends a wait by this primitive, in this nest of functions, besides what is waited for.
pub(crate) fn ends(paths: &Paths, primitive: &str, mut path: PathId) -> Option<Signal> {
    while paths.innermost(path).is_some_and(|function| SLEEPS.contains(&function)) {
        path = paths.leave(path);
    }
    ended_by(primitive).or_else(|| ended_by(paths.innermost(path)?))
}

/// The last try of a task that sleeps in the queue of a lock or of a completion, if it does, and
/// what ends its wait.
pub(crate) fn queued_for<'a>(
    execution: &Execution<'a>,
    waiting: &Waiting,
) -> Option<(&'a Event, Signal)> {
    let own = |event: &&Event| event.task == waiting.task && is_in_vain(event);
    let last = execution.events.iter().rev().find(own)?;
    let sleeps_in_it = is_sleep_in(execution.paths, (waiting.primitive, waiting.path), last.path);
    ended_by(last.primitive).filter(|_| sleeps_in_it).map(|signal| (last, signal))
}

/// Is that a sleep within this function, in which the task tried last? (The first try is outside
/// of it, but for who sleeps there is another one behind that.)
pub(crate) fn is_sleep_in(paths: &Paths, sleep: (&str, PathId), tried_in: PathId) -> bool {
    sleep.0 == "schedule" && paths.is_within(sleep.1, tried_in)
}
