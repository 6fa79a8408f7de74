//! A plain wait queue: `wait_event()`, its killable and interruptible forms, and `wake_up_all()`.
//!
//! Kept: the waiter that queues itself, stores its state, and looks at the condition; the waker
//! that takes the queue's lock, and wakes all. A waiter that a signal has ended is off the queue
//! before it looks at the condition for the last time, so that it cannot eat a wake-up.
//! Left out: exclusive waiters, `wq_has_sleeper()`.
//! Source: include/linux/wait.h `___wait_event()`, kernel/sched/wait.c `prepare_to_wait_event()`,
//! `__wake_up_common()`, 6.12.117.

use selvedge_kernel::{
    __set_current_state, Name, Private, SpinLock, TASK_INTERRUPTIBLE, TASK_KILLABLE, TASK_NORMAL,
    TASK_RUNNING, TASK_UNINTERRUPTIBLE, enter, reached, schedule, set_current_state,
    signal_pending_state, spin_lock_irqsave, spin_unlock_irqrestore, try_to_wake_up,
};

use crate::Kernel;
use crate::mm::migrate::Errno;

/// `wait_queue_head_t`.
#[derive(Debug)]
pub struct WaitQueueHead {
    lock: SpinLock,
    entries: Private<Vec<usize>>,
}

impl WaitQueueHead {
    /// `init_waitqueue_head()`. To be made while the scenario is set up.
    pub fn new(name: &'static str) -> WaitQueueHead {
        WaitQueueHead { lock: SpinLock::new(Name::new(name)), entries: Private::default() }
    }

    fn edit(&self, edit: impl FnOnce(&mut Vec<usize>)) {
        debug_assert!(self.lock.is_held_by_me(), "the list is edited under its lock");
        edit(&mut self.entries.lock());
    }
}

/// `wait_event(wq_head, condition)`.
pub fn wait_event(k: &Kernel, queue: &WaitQueueHead, condition: impl Fn() -> bool) {
    let _in = enter("wait_event");
    let waited = ___wait_event(k, queue, TASK_UNINTERRUPTIBLE, condition);
    debug_assert!(waited.is_ok(), "no signal ends this wait");
}

/// `wait_event_killable(wq_head, condition)`.
///
/// # Errors
/// `-ERESTARTSYS`, as [`Errno::Interrupted`]: a signal that kills came first.
pub fn wait_event_killable(
    k: &Kernel,
    queue: &WaitQueueHead,
    condition: impl Fn() -> bool,
) -> Result<(), Errno> {
    let _in = enter("wait_event_killable");
    ___wait_event(k, queue, TASK_KILLABLE, condition)
}

/// `wait_event_interruptible(wq_head, condition)`.
///
/// # Errors
/// `-ERESTARTSYS`, as [`Errno::Interrupted`]: a signal came first.
pub fn wait_event_interruptible(
    k: &Kernel,
    queue: &WaitQueueHead,
    condition: impl Fn() -> bool,
) -> Result<(), Errno> {
    let _in = enter("wait_event_interruptible");
    ___wait_event(k, queue, TASK_INTERRUPTIBLE, condition)
}

fn ___wait_event(
    k: &Kernel,
    queue: &WaitQueueHead,
    state: u64,
    condition: impl Fn() -> bool,
) -> Result<(), Errno> {
    if condition() {
        return Ok(());
    }
    let (current, task) = (k.current().index, k.current().task());
    loop {
        let interrupted = prepare_to_wait_event(k, queue, state);
        if condition() {
            break;
        }
        if interrupted {
            // It is off the queue, and its state is RUNNING: see prepare_to_wait_event().
            reached("a signal ended a wait for an event");
            return Err(Errno::Interrupted);
        }
        reached("a task slept in wait_event()");
        schedule(&k.cpus, task);
    }
    // finish_wait()
    __set_current_state(task, TASK_RUNNING);
    spin_lock_irqsave(&k.cpus, &queue.lock);
    queue.edit(|entries| entries.retain(|&entry| entry != current));
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
    Ok(())
}

/// `prepare_to_wait_event()`: true, and nothing is queued, if a signal ends such a wait. (C leaves
/// the state as it was then: the one that the sleep before ended in, RUNNING.)
fn prepare_to_wait_event(k: &Kernel, queue: &WaitQueueHead, state: u64) -> bool {
    let (current, task) = (k.current().index, k.current().task());
    spin_lock_irqsave(&k.cpus, &queue.lock);
    let interrupted = signal_pending_state(state, task);
    queue.edit(|entries| {
        entries.retain(|&entry| !interrupted || entry != current);
        if !interrupted && !entries.contains(&current) {
            entries.push(current);
        }
    });
    if !interrupted {
        set_current_state(task, state);
    }
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
    interrupted
}

/// `wake_up_all(wq_head)`: who is woken leaves the queue (`autoremove_wake_function()`).
pub fn wake_up_all(k: &Kernel, queue: &WaitQueueHead) {
    let _in = enter("wake_up_all");
    spin_lock_irqsave(&k.cpus, &queue.lock);
    queue.edit(|entries| {
        entries.retain(|&entry| !try_to_wake_up(&k.cpus, k.sleepers[entry].task(), TASK_NORMAL));
    });
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
}
