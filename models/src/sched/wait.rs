//! A plain wait queue: `wait_event()` and `wake_up_all()`.
//!
//! Kept: the waiter that queues itself, stores its state, and looks at the condition; the waker
//! that takes the queue's lock, and wakes all.
//! Left out: exclusive waiters, `wq_has_sleeper()`.
//! Source: include/linux/wait.h `___wait_event()`, kernel/sched/wait.c `prepare_to_wait_event()`,
//! `__wake_up_common()`, 6.12.117.

use selvedge_kernel::{
    __set_current_state, Name, Private, SpinLock, TASK_NORMAL, TASK_RUNNING, TASK_UNINTERRUPTIBLE,
    enter, reached, schedule, set_current_state, spin_lock_irqsave, spin_unlock_irqrestore,
    try_to_wake_up,
};

use crate::Kernel;

/// `wait_queue_head_t`.
#[derive(Debug)]
pub struct WaitQueueHead {
    lock: SpinLock,
    entries: Private<Vec<usize>>,
}

impl WaitQueueHead {
    /// `init_waitqueue_head()`.
    pub(crate) fn new(name: &'static str) -> WaitQueueHead {
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
    if condition() {
        return;
    }
    let (current, task) = (k.current().index, k.current().task());
    loop {
        // prepare_to_wait_event()
        spin_lock_irqsave(&k.cpus, &queue.lock);
        queue.edit(|entries| {
            if !entries.contains(&current) {
                entries.push(current);
            }
        });
        set_current_state(task, TASK_UNINTERRUPTIBLE);
        spin_unlock_irqrestore(&k.cpus, &queue.lock);
        if condition() {
            break;
        }
        reached("a task slept in wait_event()");
        schedule(&k.cpus, task);
    }
    // finish_wait()
    __set_current_state(task, TASK_RUNNING);
    spin_lock_irqsave(&k.cpus, &queue.lock);
    queue.edit(|entries| entries.retain(|&entry| entry != current));
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
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
