//! Sleeping, by the kernel's own algorithm: a task announces that it will sleep by storing its state,
//! looks once more at what it waits for, and calls `schedule()`; a waker stores what is waited for,
//! then looks at the state. Each side has a full barrier between its store and its load; without one
//! of them a wake-up is lost, and that shows as a hang.
//!
//! All that the engine provides is "this task does not go on until its state is RUNNING".
//! Left out: priorities, run queues, freezing; kernel threads and user tasks are the same.
//! Source: include/linux/sched.h `set_current_state()`, kernel/sched/core.c `try_to_wake_up()`, 6.12.

use selvedge_explore::{Token, Word, enter};
use selvedge_trace::Name;

use crate::{Cpus, READ_ONCE, SpinLock, Var, WRITE_ONCE, might_sleep, smp_mb};
use crate::{smp_mb__after_spinlock, spin_lock_irqsave, spin_unlock_irqrestore};

/// `TASK_RUNNING`
pub const TASK_RUNNING: u64 = 0;
/// `TASK_UNINTERRUPTIBLE`
pub const TASK_UNINTERRUPTIBLE: u64 = 2;

/// `struct task_struct`, as far as sleeping goes.
#[derive(Debug)]
pub struct Task {
    state: Var,
    pi_lock: SpinLock,
    /// Set whenever somebody made the task RUNNING.
    on_rq: Token,
}

impl Task {
    /// A task that runs. To be made while the scenario is set up.
    pub fn new(index: usize) -> Task {
        Task {
            state: Var(Word::new(Name::new("task->__state").nth(index), TASK_RUNNING)),
            pi_lock: SpinLock::new(Name::new("task->pi_lock").nth(index)),
            on_rq: Token::new(Name::new("task").nth(index)),
        }
    }
}

/// `set_current_state(state)`: a store, then a full barrier.
pub fn set_current_state(task: &Task, state: u64) {
    WRITE_ONCE(&task.state, state);
    smp_mb();
}

/// `__set_current_state(state)`: the store alone.
pub fn __set_current_state(task: &Task, state: u64) {
    WRITE_ONCE(&task.state, state);
}

/// `schedule()`, by the task itself: returns when its state is RUNNING.
pub fn schedule(cpus: &Cpus, task: &Task) {
    let _in = enter("schedule");
    might_sleep(cpus, "schedule");
    while READ_ONCE(&task.state) != TASK_RUNNING {
        // A token that is left over from an earlier wake-up is consumed here, and the state looked
        // at again.
        task.on_rq.wait("schedule", true);
    }
}

/// `try_to_wake_up(p, state)`: `p->pi_lock` and a full barrier, then the look at the state. True if
/// it slept. (A load and a store, as in the kernel: the waiter's stores do not take the lock.)
pub fn try_to_wake_up(cpus: &Cpus, task: &Task) -> bool {
    let _in = enter("try_to_wake_up");
    spin_lock_irqsave(cpus, &task.pi_lock);
    smp_mb__after_spinlock();
    let slept = READ_ONCE(&task.state) != TASK_RUNNING;
    if slept {
        WRITE_ONCE(&task.state, TASK_RUNNING);
        task.on_rq.wake("ttwu_queue");
    }
    spin_unlock_irqrestore(cpus, &task.pi_lock);
    slept
}
