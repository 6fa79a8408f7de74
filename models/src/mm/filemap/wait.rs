//! `folio_wait_bit_common()`: the waiter's side, in each of its forms.

use std::sync::atomic::Ordering::Relaxed;

use selvedge_kernel::{
    __set_current_state, Bit, NOBODY_WAITS_FOR_EVER, Name, READ_ONCE, TASK_RUNNING, WRITE_ONCE,
    awaits, enter, owns, plain_read, plain_write, reached, schedule, schedule_timeout,
    set_current_state, signal_pending_state, smp_load_acquire, spin_lock_irq, spin_lock_irqsave,
    spin_unlock_irq, spin_unlock_irqrestore, test_and_set_bit, test_and_set_bit_lock, test_bit,
    timed_out,
};

use super::{
    Entry, FolioLockFault, GivingUp, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, PageWait, Sleeper,
};
use super::{folio_set_waiters, folio_trylock};
use crate::kernel::PG_LOCKED;
use crate::mm::migrate::Errno;
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

pub(super) const WQ_FLAG_EXCLUSIVE: u64 = 1;
pub(super) const WQ_FLAG_WOKEN: u64 = 2;
pub(super) const WQ_FLAG_CUSTOM: u64 = 4;
pub(super) const WQ_FLAG_DONE: u64 = 8;

/// `enum behavior`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Behaviour {
    /// Take the bit.
    Exclusive,
    /// See it clear; the caller has a reference.
    Shared,
    /// Give up the reference of this holder before sleeping, and do not look at the folio again.
    Drop(Name),
}

/// How a task waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleep {
    /// The state that it sleeps in.
    pub(super) state: u64,
    pub(super) behaviour: Behaviour,
    /// Does it give up when its time is over?
    pub(super) has_timeout: bool,
}

impl Sleep {
    pub(super) fn to_lock(state: u64) -> Sleep {
        Sleep { state, behaviour: Behaviour::Exclusive, has_timeout: false }
    }

    pub(super) fn to_see(state: u64) -> Sleep {
        Sleep { behaviour: Behaviour::Shared, ..Sleep::to_lock(state) }
    }

    pub(super) fn dropping(state: u64, holder: Name) -> Sleep {
        Sleep { behaviour: Behaviour::Drop(holder), ..Sleep::to_lock(state) }
    }

    fn is_exclusive(self) -> bool {
        self.behaviour == Behaviour::Exclusive
    }

    /// Puts the reference of a DROP waiter.
    fn drop_reference(self, k: &Kernel, folio: &Folio) {
        if let Behaviour::Drop(holder) = self.behaviour {
            folio_put(k, folio, holder);
        }
    }
}

/// `folio_wait_bit_common()`.
pub(super) fn folio_wait_bit_common(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
    me: usize,
) -> Result<(), Errno> {
    let _in = enter("folio_wait_bit_common");
    match k.tree.filemap.wait {
        PageWait::RetrySignalFirst | PageWait::Retry => wait_and_retry(k, folio, bit, sleep, me),
        PageWait::HandOff | PageWait::Bounded => wait_to_be_told(k, folio, bit, sleep, me),
    }
}

/// Since 5.9.
fn wait_to_be_told(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
    me: usize,
) -> Result<(), Errno> {
    let (wait, filemap) = (&k.sleepers[me], &k.tree.filemap);
    let puts_first = filemap.fault == FolioLockFault::PutBeforeQueueing;
    let mut unfairness = match filemap.wait {
        PageWait::HandOff => 0,
        _ => i64::from(filemap.unfairness),
    };
    let mut is_queued = false;
    loop {
        unfairness -= 1;
        let custom = if unfairness < 0 { WQ_FLAG_CUSTOM } else { 0 };
        let flags = if sleep.is_exclusive() { WQ_FLAG_EXCLUSIVE | custom } else { 0 };
        if puts_first {
            sleep.drop_reference(k, folio);
        }
        let is_free = if is_queued && filemap.fault == FolioLockFault::NotRequeued {
            plain_write(&wait.flags, flags);
            false
        } else {
            queue_unless_free(k, folio, bit, flags, me)
        };
        is_queued = true;
        if !puts_first {
            sleep.drop_reference(k, folio);
        }
        if is_free {
            finish_wait(k, me);
            return Ok(());
        }
        match wait_until_told(k, folio, bit, sleep, me)? {
            Told::Finished => return Ok(()),
            Told::TryTheBit => {}
        }
        // If the bit was stolen: back to the tail of the queue.
        if !test_and_set_bit(bit, &folio.flags) {
            finish_wait(k, me);
            return Ok(());
        }
        wait.robbed.fetch_add(1, Relaxed);
        reached("the lock was stolen");
    }
}

/// Under the queue's lock: marks the folio as waited for, then looks at the bit once more, and queues
/// the waiter if it is set. True if the bit was clear; an exclusive waiter has set it then.
pub(super) fn queue_unless_free(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    flags: u64,
    me: usize,
) -> bool {
    let (queue, fault, wait) = (&k.folio_waitqueue, k.tree.filemap.fault, &k.sleepers[me]);
    plain_write(&wait.folio, folio.index as u64);
    plain_write(&wait.flags, flags);
    spin_lock_irq(&k.cpus, &queue.lock);
    if fault != FolioLockFault::WaitersBitTooLate {
        folio_set_waiters(k, folio);
    }
    // folio_trylock_flag()
    let is_free = match flags & WQ_FLAG_EXCLUSIVE != 0 {
        true => !test_and_set_bit(bit, &folio.flags),
        false => !test_bit(bit, &folio.flags),
    };
    if fault == FolioLockFault::WaitersBitTooLate {
        folio_set_waiters(k, folio);
    }
    if fault == FolioLockFault::QueuedTooLate {
        spin_unlock_irq(&k.cpus, &queue.lock);
        spin_lock_irq(&k.cpus, &queue.lock);
    }
    if !is_free {
        queue_up(k, Entry { sleeper: me, bit, is_async: false });
    }
    spin_unlock_irq(&k.cpus, &queue.lock);
    is_free
}

/// `__add_wait_queue_entry_tail()`
fn queue_up(k: &Kernel, entry: Entry) {
    let wait = &k.sleepers[entry.sleeper];
    if k.sizes.lifetimes {
        plain_write(&wait.waits, 1);
    }
    WRITE_ONCE(&wait.queued, 1);
    k.folio_waitqueue.edit(|entries| entries.push(entry));
}

/// What a waiter does when it has been told.
pub(super) enum Told {
    /// It has what it waited for, and is off the queue.
    Finished,
    /// It tries to take the bit.
    TryTheBit,
}

/// Notes that the task is about to sleep on a bit of the folio, so that a hang can be explained.
fn note_sleep(folio: &Folio, bit: Bit, wait: &Sleeper) {
    let if_forgotten = match bit == PG_LOCKED {
        true => NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
        false => NOBODY_WAITS_FOR_EVER,
    };
    let told_by = [wait.flags.object(), wait.task.object()];
    awaits(bit, &folio.flags, told_by, if_forgotten);
}

/// Sleeps until told, or until a signal or the end of its time makes it give up.
pub(super) fn wait_until_told(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
    me: usize,
) -> Result<Told, Errno> {
    let wait = &k.sleepers[me];
    note_sleep(folio, bit, wait);
    reached("a task slept on a folio");
    let Some(flags) = sleep_until_woken(k, wait, sleep) else {
        finish_wait(k, me);
        return give_up(k, folio, bit, sleep, me);
    };
    if sleep.is_exclusive() && flags & WQ_FLAG_DONE == 0 {
        return Ok(Told::TryTheBit);
    }
    if sleep.is_exclusive() {
        reached("the lock was handed over");
        owns(bit, &folio.flags);
    }
    finish_wait(k, me);
    Ok(Told::Finished)
}

/// The flags, if the waiter was woken; `None` if it is to give up.
fn sleep_until_woken(k: &Kernel, wait: &Sleeper, sleep: Sleep) -> Option<u64> {
    let fault = k.tree.filemap.fault;
    loop {
        match fault {
            FolioLockFault::StateTooLate => {}
            FolioLockFault::NoBarrierAfterState => __set_current_state(&wait.task, sleep.state),
            _ => set_current_state(&wait.task, sleep.state),
        }
        // 5.9-rc asks for a signal first; what it returns is decided by the flags all the same.
        if k.tree.filemap.wait == PageWait::HandOff && must_give_up(wait, sleep) {
            return None;
        }
        let flags = match fault {
            FolioLockFault::RelaxedFlags | FolioLockFault::RelaxedFlagsAndEntry => {
                READ_ONCE(&wait.flags)
            }
            _ => smp_load_acquire(&wait.flags),
        };
        if flags & WQ_FLAG_WOKEN != 0 {
            return Some(flags);
        }
        if must_give_up(wait, sleep) {
            return None;
        }
        if fault == FolioLockFault::StateTooLate {
            set_current_state(&wait.task, sleep.state);
        }
        io_schedule(k, wait, sleep);
    }
}

fn must_give_up(wait: &Sleeper, sleep: Sleep) -> bool {
    signal_pending_state(sleep.state, &wait.task) || (sleep.has_timeout && timed_out(&wait.task))
}

fn io_schedule(k: &Kernel, wait: &Sleeper, sleep: Sleep) {
    match sleep.has_timeout {
        true => schedule_timeout(&k.cpus, &wait.task),
        false => schedule(&k.cpus, &wait.task),
    }
}

/// The waiter is off the queue, so that nobody changes its flags any more: was it told after all?
fn give_up(k: &Kernel, folio: &Folio, bit: Bit, sleep: Sleep, me: usize) -> Result<Told, Errno> {
    let flags = plain_read(&k.sleepers[me].flags);
    let was_told = if sleep.is_exclusive() { WQ_FLAG_DONE } else { WQ_FLAG_WOKEN };
    if flags & was_told != 0 {
        reached("a task that gave up had been told");
        owns(bit, &folio.flags);
        return Ok(Told::Finished);
    }
    if flags & WQ_FLAG_WOKEN != 0 {
        reached("a task gave up that had been woken to take the bit");
        if k.tree.filemap.giving_up == GivingUp::TriesTheBit && !test_and_set_bit(bit, &folio.flags)
        {
            return Ok(Told::Finished);
        }
    }
    reached("a task gave up");
    Err(Errno::Interrupted)
}

/// `finish_wait()`: off the queue, if the waker has not done that already.
pub(super) fn finish_wait(k: &Kernel, me: usize) {
    let (wait, queue) = (&k.sleepers[me], &k.folio_waitqueue);
    __set_current_state(&wait.task, TASK_RUNNING);
    // list_empty_careful()
    let is_queued = match k.tree.filemap.fault {
        FolioLockFault::RelaxedFlagsAndEntry => READ_ONCE(&wait.queued),
        _ => smp_load_acquire(&wait.queued),
    };
    if is_queued != 0 {
        spin_lock_irqsave(&k.cpus, &queue.lock);
        queue.edit(|entries| entries.retain(|entry| entry.sleeper != me));
        WRITE_ONCE(&wait.queued, 0);
        spin_unlock_irqrestore(&k.cpus, &queue.lock);
    }
    if k.sizes.lifetimes {
        plain_write(&wait.waits, 0);
    }
}

/// Up to 5.8: `wait_on_page_bit_common()`.
fn wait_and_retry(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
    me: usize,
) -> Result<(), Errno> {
    let (wait, is_exclusive) = (&k.sleepers[me], sleep.is_exclusive());
    plain_write(&wait.folio, folio.index as u64);
    plain_write(&wait.flags, if is_exclusive { WQ_FLAG_EXCLUSIVE } else { 0 });
    let result = loop {
        let bit_is_set = queue_and_look(k, folio, bit, sleep, me);
        sleep.drop_reference(k, folio);
        if bit_is_set {
            reached("a task slept on a folio");
            io_schedule(k, wait, sleep);
        }
        let signal_first = k.tree.filemap.wait == PageWait::RetrySignalFirst;
        if signal_first && bit_is_set && must_give_up(wait, sleep) {
            break Err(Errno::Interrupted);
        }
        let is_ours = match sleep.behaviour {
            Behaviour::Exclusive => !test_and_set_bit_lock(bit, &folio.flags),
            Behaviour::Shared => !test_bit(bit, &folio.flags),
            Behaviour::Drop(_) => false,
        };
        if is_ours {
            break Ok(());
        }
        if !signal_first && must_give_up(wait, sleep) {
            break Err(Errno::Interrupted);
        }
        if matches!(sleep.behaviour, Behaviour::Drop(_)) {
            break Ok(());
        }
        wait.robbed.fetch_add(u32::from(bit_is_set && is_exclusive), Relaxed);
    };
    if result.is_err() {
        reached("a task gave up");
    }
    finish_wait(k, me);
    result
}

/// Queues the waiter if it is not on the queue, stores its state, and looks at the bit.
fn queue_and_look(k: &Kernel, folio: &Folio, bit: Bit, sleep: Sleep, me: usize) -> bool {
    let (wait, queue) = (&k.sleepers[me], &k.folio_waitqueue);
    spin_lock_irq(&k.cpus, &queue.lock);
    if READ_ONCE(&wait.queued) == 0 {
        queue_up(k, Entry { sleeper: me, bit, is_async: false });
        folio_set_waiters(k, folio);
    }
    set_current_state(&wait.task, sleep.state);
    spin_unlock_irq(&k.cpus, &queue.lock);
    note_sleep(folio, bit, wait);
    test_bit(bit, &folio.flags)
}

/// `__folio_lock_async()`: takes the lock, or leaves an entry behind whose callback says when to try
/// again.
///
/// # Errors
/// `-EIOCBQUEUED`, as [`Errno::Busy`]: the entry is on the queue.
pub fn folio_lock_async(k: &Kernel, folio: &Folio, me: usize) -> Result<(), Errno> {
    let _in = enter("__folio_lock_async");
    let (wait, queue) = (&k.sleepers[me], &k.folio_waitqueue);
    plain_write(&wait.folio, folio.index as u64);
    plain_write(&wait.flags, 0);
    spin_lock_irq(&k.cpus, &queue.lock);
    queue_up(k, Entry { sleeper: me, bit: PG_LOCKED, is_async: true });
    folio_set_waiters(k, folio);
    let is_ours = folio_trylock(k, folio);
    if is_ours {
        queue.edit(|entries| entries.retain(|entry| entry.sleeper != me));
        WRITE_ONCE(&wait.queued, 0);
    }
    spin_unlock_irq(&k.cpus, &queue.lock);
    if is_ours { Ok(()) } else { Err(Errno::Busy) }
}

/// The retry of `io_uring`: waits until the callback of [`folio_lock_async`] has been called.
/// (`io_async_buf_func()`, which queues task work; here the task waits for nothing else.)
pub fn lock_page_retry(k: &Kernel, folio: &Folio, me: usize) {
    let _in = enter("io_read_retry");
    let wait = &k.sleepers[me];
    note_sleep(folio, PG_LOCKED, wait);
    reached("a task slept on a folio");
    loop {
        set_current_state(&wait.task, selvedge_kernel::TASK_UNINTERRUPTIBLE);
        if smp_load_acquire(&wait.flags) & WQ_FLAG_WOKEN != 0 {
            break;
        }
        schedule(&k.cpus, &wait.task);
    }
    __set_current_state(&wait.task, TASK_RUNNING);
}
