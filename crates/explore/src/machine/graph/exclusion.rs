//! Interrupts: a handler runs as a whole between two steps of its CPU.
//!
//! A handler is a task that takes the interrupt exclusion of its CPU first, and gives it back last.
//! Where it comes is decided by the order in which that is taken: in a scenario with interrupts,
//! each step of that CPU at which interrupts are on holds the exclusion, too. So what the CPU does
//! is one sequence, which the CPU itself sees as one, and who spins for a lock of the task that it
//! has interrupted does so for good. A step that waits (for a lock, a value, a wake-up) does not
//! hold it: a CPU that waits can be interrupted.
//!
//! To other CPUs the exclusion is an acquire and a release. It orders none of the steps of one task
//! (between giving it back and taking it again nothing is ordered), but what was done before an
//! interrupt comes before what the handler does: more than the kernel's model says, which says
//! nothing of interrupts.
//!
//! These steps are in no record. They cost three events each; that a scenario has interrupts is
//! found when the first comes up, and then the search begins anew.

use selvedge_trace::Context;

use super::{lock, with};
use crate::machine::By;
use crate::step::{Does, Step};
use crate::task::Place;

/// What is known of interrupts in the execution that runs.
#[derive(Default)]
pub(super) struct Exclusions {
    /// Does the scenario have interrupts?
    pub(super) are_there: bool,
    /// Has one come up, of which nobody knew?
    pub(super) is_new: bool,
    /// How many operations each task has taken, and which of them are in no record.
    taken: Vec<usize>,
    hidden: Vec<Vec<usize>>,
    /// An address dependency that is of the next access, by task.
    addresses: Vec<bool>,
}

impl Exclusions {
    pub(super) fn begin_execution(&mut self, are_there: bool) {
        *self = Exclusions { are_there, ..Exclusions::default() };
    }

    fn of_task(&mut self, task: usize) {
        if self.taken.len() <= task {
            self.taken.resize(task + 1, 0);
            self.hidden.resize(task + 1, Vec::new());
            self.addresses.resize(task + 1, false);
        }
    }

    /// Counts an operation that a task is about to take.
    pub(super) fn count(&mut self, task: usize, is_hidden: bool) {
        if !self.are_there {
            return;
        }
        self.of_task(task);
        if is_hidden {
            self.hidden[task].push(self.taken[task]);
        }
        self.taken[task] += 1;
    }

    /// Is the n-th operation of a task in no record?
    pub(super) fn is_hidden(&self, task: usize, n: usize) -> bool {
        self.hidden.get(task).is_some_and(|hidden| hidden.binary_search(&n).is_ok())
    }
}

/// Keeps an address dependency for the access that it is of. False: that is the next operation
/// anyway.
pub(super) fn keep_address(task: usize) -> bool {
    with(|state| {
        let exclusions = &mut state.exclusions;
        if exclusions.are_there {
            exclusions.of_task(task);
            exclusions.addresses[task] = true;
        }
        exclusions.are_there
    })
}

/// Takes a step, which is one operation, with the exclusion if it needs that.
pub(super) fn within<R>(by: &By, step: &Step, take: impl FnOnce() -> R) -> R {
    if !with(|state| state.exclusions.are_there) || matches!(step.does, Does::Fence(_)) {
        return take();
    }
    let exclusion = exclusion(by, step);
    if let Some(exclusion) = exclusion {
        hidden(by.task, || lock(exclusion).enter());
    }
    let is_address = with(|state| {
        state.exclusions.count(by.task, false);
        std::mem::take(&mut state.exclusions.addresses[by.task])
    });
    if is_address {
        graph::fence(graph::Fence::Address);
    }
    let took = take();
    if let Some(exclusion) = exclusion {
        hidden(by.task, || lock(exclusion).leave());
    }
    took
}

fn hidden(task: usize, operation: impl FnOnce()) {
    with(|state| state.exclusions.count(task, true));
    operation();
}

/// The exclusion that the step holds. None: it waits, or its task has it, or is a handler.
fn exclusion(by: &By, step: &Step) -> Option<u32> {
    let waits = matches!(
        step.does,
        Does::Lock { .. } | Does::Wait { .. } | Does::Await { .. } | Does::Join(_)
    );
    let [_, irq] = by.passes;
    irq.filter(|&irq| !waits && irq != step.object && !is_held(irq, by.task))
}

fn is_held(exclusion: u32, task: usize) -> bool {
    with(|state| {
        let object = state.objects[exclusion as usize];
        matches!(object, super::Object::Lock { holder: Some(holder), .. } if holder == task)
    })
}

/// Is this the place of an interrupt handler, where the search knows of none? It is noted.
pub(super) fn is_unknown(place: &Place) -> bool {
    let is_handler = matches!(place.context, Context::Irq | Context::Softirq);
    with(|state| {
        let is_unknown = is_handler && !state.exclusions.are_there;
        state.exclusions.is_new |= is_unknown;
        is_unknown
    })
}

/// Runs a handler. A softirq waits until bottom halves are on.
pub(super) fn run_handler(task: usize, place: Place, body: impl FnOnce()) {
    let bottom_half = place.passes[0].filter(|_| place.context == Context::Softirq);
    if let Some(bottom_half) = bottom_half {
        hidden(task, || lock(bottom_half).enter());
    }
    body();
    if let Some(bottom_half) = bottom_half {
        hidden(task, || lock(bottom_half).leave());
    }
}
