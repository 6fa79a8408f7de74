//! The gate: every step passes [`take`], and nothing else lets another task run.
//!
//! A step is announced (the record knows what its task waits to do), taken by the machine (others
//! may run before it returns), and recorded. From the return of one step to the announcement of the
//! next a task runs alone.

use crate::machine::{By, Machine, Start};
use crate::record;
use crate::step::{Step, Took};
use crate::task::{Stop, stop};

/// Takes a step, and says what came of it.
pub(crate) fn take(step: &Step) -> Took {
    pass(step, |machine, by| machine.take(&by, step))
}

/// Takes a step that starts a task.
pub(crate) fn start(step: &Step, task: Start) -> Took {
    pass(step, |machine, by| machine.start(&by, task))
}

#[inline]
fn pass(step: &Step, take: impl FnOnce(&dyn Machine, By) -> Took) -> Took {
    let announced = record::with(|record| record.announce(step).map(|by| (record.machine, by)));
    let Some((machine, by)) = announced else { stop(Stop::StepLimit) };
    let task = by.task;
    let took = take(machine, by);
    record::with(|record| record.took(task, step, &took));
    took
}
