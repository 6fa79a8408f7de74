//! The gate: every step passes [`take`], and nothing else lets another task run.
//!
//! A step is announced (the record knows what its task waits to do), taken by the machine (others
//! may run before it returns), and recorded. From the return of one step to the announcement of the
//! next a task runs alone.

use crate::edits;
use crate::machine::{By, Machine, Start};
use crate::record::{self, Refused};
use crate::step::{Step, Took};
use crate::task::{Stop, stop};

/// Takes a step, and says what came of it. If the execution has edits, one of them may change it.
pub(crate) fn take(step: &Step) -> Took {
    match pass(step, true, |machine, by| machine.take(&by, step)) {
        Some(took) => took,
        None => edits::take(step),
    }
}

/// The same, for a step that an edit has let pass or made.
pub(crate) fn take_as_is(step: &Step) -> Took {
    let took = pass(step, false, |machine, by| machine.take(&by, step));
    took.expect("edits are not asked again")
}

/// Takes a step that starts a task.
pub(crate) fn start(step: &Step, task: Start) -> Took {
    let took = pass(step, false, |machine, by| machine.start(&by, task));
    took.expect("no edit is asked")
}

/// `None`: the execution has edits, which were to be asked first.
#[inline]
fn pass(
    step: &Step,
    asks_edits: bool,
    take: impl FnOnce(&dyn Machine, By) -> Took,
) -> Option<Took> {
    let announced = record::with(|record| (record.machine, record.announce(step, asks_edits)));
    let (machine, by) = match announced {
        (machine, Ok(by)) => (machine, by),
        (_, Err(Refused::Edited)) => return None,
        (_, Err(Refused::TooLong)) => stop(Stop::StepLimit),
    };
    let task = by.task;
    let took = take(machine, by);
    record::with(|record| record.took(task, step, &took));
    Some(took)
}
