//! The gate: every step passes [`take`], and nothing else lets another task run.
//!
//! A step is announced (the record knows what its task waits to do), taken by the machine (others
//! may run before it returns), and recorded. From the return of one step to the announcement of the
//! next a task runs alone.

use crate::edits;
use crate::machine::{By, Machine, Start};
use crate::record::{self, Edits};
use crate::step::{Step, Took};
use crate::task::{Stop, stop};

/// Takes a step, and says what came of it. If the execution has edits, one of them may change it.
///
/// Most steps are those that the execution before has taken too, and let nobody else run: these are
/// not announced.
pub(crate) fn take(step: &Step) -> Took {
    let mut took = Took::default();
    if !record::with(|record| record.take_again(step, &mut took)) {
        took = pass(step, Edits::AreAsked, |machine, by| machine.take(by, step));
    }
    took
}

/// The same, for a step that an edit has let pass or made.
pub(crate) fn take_as_is(step: &Step) -> Took {
    pass(step, Edits::AreDone, |machine, by| machine.take(by, step))
}

/// Takes a step that starts a task.
pub(crate) fn start(step: &Step, task: Start<'_>) -> Took {
    pass(step, Edits::AreDone, |machine, by| machine.start(by, task))
}

#[inline(always)]
fn pass(step: &Step, edits: Edits, take: impl FnOnce(&dyn Machine, &By) -> Took) -> Took {
    let mut by = By::MAIN;
    let machine = record::with(|record| record.announce(step, edits, &mut by));
    let Some(machine) = machine else { return refused(step) };
    let took = take(machine, &by);
    record::with(|record| record.took(by.task, step, &took));
    took
}

/// A step that was not announced, because a limit was reached, the task stands still, or there are
/// edits.
#[cold]
fn refused(step: &Step) -> Took {
    if record::with(|record| record.is_too_long()) {
        stop(Stop::StepLimit);
    }
    if record::with(|record| record.is_astray()) {
        stop(Stop::Astray);
    }
    let (machine, stands_still) = record::with(|record| (record.machine, record.stands_still()));
    if stands_still {
        machine.stand_still();
    }
    edits::take(step)
}
