//! Locks that an interrupt takes, and that somebody takes with interrupts on: lockdep's
//! irq-safe and irq-unsafe. On one CPU that is a deadlock; lockdep does not ask on which.

use selvedge_trace::{Class, Context, Execution};

use super::read::{Holds, POOLS};
use super::waits::who;
use super::{Id, LockGraph};

/// Where a lock was taken.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Taken {
    /// By whom.
    pub who: String,
    /// In which functions, outermost first.
    pub functions: Vec<&'static str>,
    /// By a reader of an `rwlock_t`.
    pub is_shared: bool,
}

impl Taken {
    /// Is it the first that is known, or by one who has the lock to himself where the other reads?
    pub fn says_more_than(&self, known: Option<&Taken>) -> bool {
        known.is_none_or(|known| known.is_shared && !self.is_shared)
    }

    /// Would the one wait for the other? A reader in an interrupt waits for no reader.
    pub fn keeps_out(&self, other: &Taken) -> bool {
        !self.is_shared || !other.is_shared
    }
}

/// In which contexts a lock was taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contexts {
    /// By an interrupt handler.
    pub in_irq: Option<Taken>,
    /// By a task that had interrupts on.
    pub with_irqs_on: Option<Taken>,
}

impl Contexts {
    /// Both, if it was taken so and so, and the one would wait for the other.
    pub fn inversion(&self) -> Option<(&Taken, &Taken)> {
        let both = (self.in_irq.as_ref()?, self.with_irqs_on.as_ref()?);
        both.0.keeps_out(both.1).then_some(both)
    }
}

/// Notes the contexts in which an execution took its locks.
pub(super) fn note(execution: &Execution<'_>, holds: &Holds, graph: &mut LockGraph) {
    for hold in &holds.all {
        let event = &execution.events[hold.taken_at];
        let spins = matches!(event.class, Class::Lock | Class::RwLock);
        let is_lock = spins && matches!(hold.id, Id::Object(_));
        // The kernel turns interrupts off for the lock of a pool of workers; the model of work
        // queues does not, since nothing in a scenario rests on it.
        if !is_lock || hold.task == 0 || event.primitive == POOLS {
            continue;
        }
        let contexts = graph.contexts.entry(hold.id).or_default();
        let is_handler = matches!(event.context, Context::Irq | Context::Softirq);
        let place = if is_handler { &mut contexts.in_irq } else { &mut contexts.with_irqs_on };
        if !is_handler && holds.has_irqs_off(hold, event.cpu) {
            continue;
        }
        let taken = Taken {
            who: who(execution.tasks, hold.task),
            functions: execution.paths.functions(event.path),
            is_shared: hold.is_shared,
        };
        if taken.says_more_than(place.as_ref()) {
            *place = Some(taken);
        }
    }
}
