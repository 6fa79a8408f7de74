//! Waits for a lock or a completion that a signal ends: the kernel's own algorithm, with a queue of
//! those who wait, their states, and wake-ups.
//!
//! What somebody waits for so is made by `killable()` of its type: who gives it back looks at the
//! queue then. What nobody waits for so has no queue, and giving it back is one step. The other
//! forms of waiting go on as they do; they are in no queue.
//!
//! **Order.** A waiter queues itself, stores its state, and tries to take the lock, before it looks
//! for a signal: who has been given the lock has not been interrupted. All but the sleep is under
//! the lock of the queue, as in the kernel. Who gives the lock back wakes all that are queued, and
//! each tries: the kernel wakes the first of them, or the first readers, which is one of the orders
//! in which they can try. Taking is an acquire, as in the other forms; who gives up takes nothing.
//!
//! Source: kernel/locking/mutex.c `__mutex_lock_common()`, `__mutex_unlock_slowpath()`,
//! kernel/locking/rwsem.c `rwsem_down_read_slowpath()`, `rwsem_down_write_slowpath()`,
//! kernel/sched/completion.c `do_wait_for_common()`, 6.12. Left out: the handoff, who is first in
//! the queue, optimistic spinning, PREEMPT_RT's own forms.
//!
//! To a monitor such a wait is one like another, but that a signal ends it: the first step takes
//! the lock, or says that the task queues itself; what it does in the queue, in the function of the
//! slow path, belongs to that. A monitor tells by the primitive's name, `…_killable` or
//! `…_interruptible`, which signal ends it.

use std::sync::Arc;

use selvedge_explore::{Private, enter};
use selvedge_trace::Name;

use crate::{
    __set_current_state, Cpus, RawSpinLock, TASK_NORMAL, TASK_RUNNING, Task, raw_spin_lock_irqsave,
    raw_spin_unlock_irqrestore, schedule, set_current_state, signal_pending_state, try_to_wake_up,
};

/// `-EINTR`: a signal ended the wait, and nothing was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

/// Those who wait for one lock or completion, and how they are woken.
#[derive(Debug)]
pub(crate) struct Waiters {
    cpus: Arc<Cpus>,
    lock: RawSpinLock,
    queue: Private<Vec<Task>>,
}

impl Waiters {
    /// Nobody waits.
    pub(crate) fn new(cpus: &Arc<Cpus>, name: Name) -> Waiters {
        Waiters { cpus: cpus.clone(), lock: RawSpinLock::new(name), queue: Private::default() }
    }

    /// Waits in `state` until `takes` succeeds, or a signal is pending that ends such a sleep.
    pub(crate) fn wait(
        &self,
        (task, state): (&Task, u64),
        takes: impl Fn() -> bool,
    ) -> Result<(), Interrupted> {
        let cpus = &self.cpus;
        raw_spin_lock_irqsave(cpus, &self.lock);
        self.queue.lock().push(task.clone());
        let taken = loop {
            set_current_state(task, state);
            if takes() {
                break Ok(());
            }
            if signal_pending_state(state, task) {
                break Err(Interrupted);
            }
            raw_spin_unlock_irqrestore(cpus, &self.lock);
            schedule(cpus, task);
            raw_spin_lock_irqsave(cpus, &self.lock);
        };
        __set_current_state(task, TASK_RUNNING);
        self.queue.lock().retain(|other| other.object() != task.object());
        raw_spin_unlock_irqrestore(cpus, &self.lock);
        taken
    }

    /// What they wait for may be had.
    pub(crate) fn wake(&self) {
        let _in = enter("wake_up_q");
        let cpus = &self.cpus;
        raw_spin_lock_irqsave(cpus, &self.lock);
        let all = self.queue.lock().clone();
        for task in &all {
            try_to_wake_up(cpus, task, TASK_NORMAL);
        }
        raw_spin_unlock_irqrestore(cpus, &self.lock);
    }
}
