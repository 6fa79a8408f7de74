//! The folio lock: one bit of `folio->flags`, with no owner, and what sleeps on it.
//!
//! Kept: trylock, lock, unlock; the waiter that sets PG_waiters and looks at the bit under the
//! queue's lock; up to `unfairness` rounds in which the bit may be stolen, then hand-off; the waker
//! that takes the bit for a waiter that demands it; the ordering of each.
//! Left out: signals (killable waits), SHARED and DROP waits, writeback, the bookmark of 6.1 to 6.6;
//! all folios hash to one queue.
//! Source: mm/filemap.c:1107-1345 and 1474-1530 of 6.12.117; the algorithm is that of 5.9
//! (2a9127fcf229) with the unfairness of 5ef64cc8987a.

use std::sync::Mutex as Private;

use selvedge_kernel::{
    __set_current_state, Name, READ_ONCE, SpinLock, TASK_RUNNING, TASK_UNINTERRUPTIBLE, Task, Var,
    WRITE_ONCE, clear_bit, enter, kernel_assert, might_sleep, reached, schedule, set_bit,
    set_current_state, smp_load_acquire, smp_store_release, spin_lock_irq, spin_lock_irqsave,
    spin_unlock_irq, spin_unlock_irqrestore, test_and_set_bit, test_and_set_bit_lock,
    test_and_set_bit_relaxed, test_bit, try_to_wake_up, xor_unlock_is_negative_byte,
    xor_unlock_relaxed,
};

use crate::kernel::{PG_LOCKED, PG_WAITERS};
use crate::{Folio, Kernel};

/// What differs between trees.
#[derive(Clone, Copy, Debug)]
pub struct Filemap {
    /// `sysctl_page_lock_unfairness`: how often a waiter may find the bit stolen before it demands
    /// that it be handed over. 5 in the kernel; scaled.
    pub unfairness: u32,
    /// Faults of the lock and the wait.
    pub fault: FolioLockFault,
}

/// Deliberate faults; `None` in every release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FolioLockFault {
    /// As it is.
    None,
    /// kernel-migrate AM8: trylock without acquire.
    RelaxedTrylock,
    /// kernel-migrate AM8: unlock without release.
    RelaxedUnlock,
    /// kernel-migrate AM1: the waiter does not set PG_waiters.
    NoWaitersBit,
    /// kernel-migrate AM2: it sets PG_waiters after it has looked at the bit.
    WaitersBitTooLate,
    /// kernel-migrate AM4: the waker clears PG_waiters whoever still waits.
    WaitersBitAlwaysCleared,
    /// kernel-migrate AM12: the waiter stores its state after it has looked at its flags.
    StateTooLate,
    /// kernel-migrate A.5, 3: no barrier between the store of the state and the look at the flags.
    NoBarrierAfterState,
}

impl Filemap {
    /// Since 5.9, with an unfairness of 1: a waiter may lose once, then it is handed the bit.
    pub const SINCE_5_9: Filemap = Filemap { unfairness: 1, fault: FolioLockFault::None };
}

const WQ_FLAG_EXCLUSIVE: u64 = 1;
const WQ_FLAG_WOKEN: u64 = 2;
const WQ_FLAG_CUSTOM: u64 = 4;
const WQ_FLAG_DONE: u64 = 8;

/// `wait_queue_head_t`: its list is edited under its lock.
#[derive(Debug)]
pub struct WaitQueue {
    lock: SpinLock,
    entries: Private<Vec<usize>>,
}

impl WaitQueue {
    /// An empty queue.
    pub(crate) fn new() -> WaitQueue {
        WaitQueue { lock: SpinLock::new(Name::new("q->lock")), entries: Private::new(Vec::new()) }
    }

    fn edit<R>(&self, edit: impl FnOnce(&mut Vec<usize>) -> R) -> R {
        debug_assert!(self.lock.is_held_by_me(), "the list is edited under its lock");
        edit(&mut self.entries.lock().expect("not poisoned"))
    }
}

/// A task that may sleep, with the `struct wait_page_queue` on its stack.
#[derive(Debug)]
pub struct Sleeper {
    task: Task,
    /// `wait.flags`
    flags: Var,
    /// Is the entry on the queue? The waiter looks without the lock (`list_empty_careful()`).
    queued: Var,
    /// `wait.folio`
    folio: Var,
}

impl Sleeper {
    /// The task.
    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// A task that runs.
    pub(crate) fn new(index: usize) -> Sleeper {
        let var = |name: &'static str| Var::new(Name::new(name).nth(index), 0);
        Sleeper {
            task: Task::new(index),
            flags: var("wait.flags"),
            queued: var("wait.entry"),
            folio: var("wait.folio"),
        }
    }
}

/// `folio_trylock()`: never sleeps. Acquire if it wins, no ordering if it loses.
pub fn folio_trylock(k: &Kernel, folio: &Folio) -> bool {
    match k.tree.filemap.fault {
        FolioLockFault::RelaxedTrylock => !test_and_set_bit_relaxed(PG_LOCKED, &folio.flags),
        _ => !test_and_set_bit_lock(PG_LOCKED, &folio.flags),
    }
}

/// `folio_lock()`: `me` is the number of the calling task among the sleepers.
pub fn folio_lock(k: &Kernel, folio: &Folio, me: usize) {
    let _in = enter("folio_lock");
    might_sleep(&k.cpus, "folio_lock");
    if !folio_trylock(k, folio) {
        folio_wait_bit_common(k, folio, me);
    }
}

/// `folio_unlock()`: releases the bit and sees PG_waiters in one step.
pub fn folio_unlock(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_unlock");
    let has_waiters = match k.tree.filemap.fault {
        FolioLockFault::RelaxedUnlock => xor_unlock_relaxed(PG_LOCKED, PG_WAITERS, &folio.flags),
        _ => xor_unlock_is_negative_byte(PG_LOCKED, PG_WAITERS, &folio.flags),
    };
    if has_waiters {
        folio_wake_bit(k, folio);
    }
}

/// `folio_wait_bit_common(folio, PG_locked, TASK_UNINTERRUPTIBLE, EXCLUSIVE)`: returns with the bit.
fn folio_wait_bit_common(k: &Kernel, folio: &Folio, me: usize) {
    let _in = enter("folio_wait_bit_common");
    let wait = &k.sleepers[me];
    let mut unfairness = i64::from(k.tree.filemap.unfairness);
    loop {
        unfairness -= 1;
        let custom = if unfairness < 0 { WQ_FLAG_CUSTOM } else { 0 };
        WRITE_ONCE(&wait.folio, folio.index as u64);
        WRITE_ONCE(&wait.flags, WQ_FLAG_EXCLUSIVE | custom);
        if queue_unless_free(k, folio, me) {
            break;
        }
        reached("a task slept on a folio");
        if wait_until_woken(k, wait) {
            reached("the lock was handed over");
            break;
        }
        // Woken, but the bit is not ours yet. If it was stolen: back to the tail of the queue.
        if !test_and_set_bit(PG_LOCKED, &folio.flags) {
            break;
        }
        reached("the lock was stolen");
    }
    finish_wait(k, me);
}

/// Under the queue's lock: marks the folio as waited for, then looks at the bit once more, and queues
/// the waiter if it is set. True if the bit was free, and is now ours.
fn queue_unless_free(k: &Kernel, folio: &Folio, me: usize) -> bool {
    let (queue, fault) = (&k.folio_waitqueue, k.tree.filemap.fault);
    spin_lock_irq(&k.cpus, &queue.lock);
    if !matches!(fault, FolioLockFault::NoWaitersBit | FolioLockFault::WaitersBitTooLate) {
        set_bit(PG_WAITERS, &folio.flags);
    }
    // folio_trylock_flag()
    let is_ours = !test_and_set_bit(PG_LOCKED, &folio.flags);
    if fault == FolioLockFault::WaitersBitTooLate {
        set_bit(PG_WAITERS, &folio.flags);
    }
    if !is_ours {
        WRITE_ONCE(&k.sleepers[me].queued, 1);
        queue.edit(|entries| entries.push(me));
    }
    spin_unlock_irq(&k.cpus, &queue.lock);
    is_ours
}

/// Sleeps until woken. True if the waker took the bit for us.
fn wait_until_woken(k: &Kernel, wait: &Sleeper) -> bool {
    loop {
        match k.tree.filemap.fault {
            FolioLockFault::StateTooLate => {}
            FolioLockFault::NoBarrierAfterState => {
                __set_current_state(&wait.task, TASK_UNINTERRUPTIBLE);
            }
            _ => set_current_state(&wait.task, TASK_UNINTERRUPTIBLE),
        }
        let flags = smp_load_acquire(&wait.flags);
        if flags & WQ_FLAG_WOKEN != 0 {
            return flags & WQ_FLAG_DONE != 0;
        }
        if k.tree.filemap.fault == FolioLockFault::StateTooLate {
            set_current_state(&wait.task, TASK_UNINTERRUPTIBLE);
        }
        schedule(&k.cpus, &wait.task);
    }
}

/// `finish_wait()`: off the queue, if the waker has not done that already.
fn finish_wait(k: &Kernel, me: usize) {
    let (wait, queue) = (&k.sleepers[me], &k.folio_waitqueue);
    __set_current_state(&wait.task, TASK_RUNNING);
    if smp_load_acquire(&wait.queued) != 0 {
        spin_lock_irqsave(&k.cpus, &queue.lock);
        queue.edit(|entries| entries.retain(|&entry| entry != me));
        WRITE_ONCE(&wait.queued, 0);
        spin_unlock_irqrestore(&k.cpus, &queue.lock);
    }
}

/// What the walk of the queue does after an entry.
enum Walk {
    Goes,
    Stops,
}

/// `folio_wake_bit(folio, PG_locked)`: wakes the first waiter of this folio that can be.
fn folio_wake_bit(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_wake_bit");
    let queue = &k.folio_waitqueue;
    spin_lock_irqsave(&k.cpus, &queue.lock);
    let mut page_match = false;
    for entry in queue.edit(|entries| entries.clone()) {
        if let Walk::Stops = wake_page_function(k, folio, entry, &mut page_match) {
            break;
        }
    }
    let is_empty = queue.edit(|entries| entries.is_empty());
    let always = k.tree.filemap.fault == FolioLockFault::WaitersBitAlwaysCleared;
    if is_empty || !page_match || always {
        clear_bit(PG_WAITERS, &folio.flags);
    }
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
}

/// `wake_page_function()`.
fn wake_page_function(k: &Kernel, folio: &Folio, entry: usize, page_match: &mut bool) -> Walk {
    let wait = &k.sleepers[entry];
    if READ_ONCE(&wait.folio) != folio.index as u64 {
        return Walk::Goes;
    }
    *page_match = true;
    let mut flags = READ_ONCE(&wait.flags);
    kernel_assert(flags & WQ_FLAG_EXCLUSIVE != 0, "every waiter is exclusive here");
    // Locked again: whoever holds it now will wake the waiter.
    if test_bit(PG_LOCKED, &folio.flags) {
        return Walk::Stops;
    }
    if flags & WQ_FLAG_CUSTOM != 0 {
        if test_and_set_bit(PG_LOCKED, &folio.flags) {
            return Walk::Stops;
        }
        flags |= WQ_FLAG_DONE;
    }
    smp_store_release(&wait.flags, flags | WQ_FLAG_WOKEN);
    try_to_wake_up(&k.cpus, &wait.task);
    // list_del_init_careful(): the last touch of the waiter's stack.
    k.folio_waitqueue.edit(|entries| entries.retain(|&other| other != entry));
    smp_store_release(&wait.queued, 0);
    Walk::Stops
}
