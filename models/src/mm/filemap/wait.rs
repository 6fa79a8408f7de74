//! `folio_wait_bit_common()` since 5.9, and what it has in common with its other forms: the
//! waiter's side.

use selvedge_kernel::{
    __set_current_state, Bit, NOBODY_WAITS_FOR_EVER, Name, TASK_RUNNING, TASK_UNINTERRUPTIBLE,
    WRITE_ONCE, awaits, enter, kernel_assert, owns, plain_read, plain_write, reached, schedule,
    schedule_timeout, set_current_state, signal_pending_state, smp_load_acquire, spin_lock_irq,
    spin_lock_irqsave, spin_unlock, spin_unlock_irq, spin_unlock_irqrestore, test_and_set_bit,
    test_bit, timed_out,
};
use selvedge_kernel::{SpinLock, Task};

use super::{Entry, GivingUp, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, Sleeper, folio_trylock};
use crate::kernel::PG_LOCKED;
use crate::mm::migrate::Errno;
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

pub(crate) const WQ_FLAG_EXCLUSIVE: u64 = 1;
pub(crate) const WQ_FLAG_WOKEN: u64 = 2;

/// The flags of an entry that come behind the one that marks a bookmark, where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WqFlags {
    /// `WQ_FLAG_BOOKMARK` is 4: 4.14 to 6.6. Nobody asks for the flags behind it before 5.9.
    WithBookmark,
    /// There is none: since 6.7.
    WithoutBookmark,
}

impl WqFlags {
    /// `WQ_FLAG_CUSTOM`: the waiter demands the lock.
    pub(crate) const fn custom(self) -> u64 {
        match self {
            WqFlags::WithBookmark => 8,
            WqFlags::WithoutBookmark => 4,
        }
    }

    /// `WQ_FLAG_DONE`: it has been given what it waited for.
    pub(crate) const fn done(self) -> u64 {
        2 * self.custom()
    }
}

/// A task found the bit set and queued itself.
pub(super) const SLEPT: &str = "a task slept on a folio";

/// `enum behavior`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// Take the bit.
    Exclusive,
    /// See it clear; the caller has a reference.
    Shared,
    /// Give up the reference of this holder before sleeping, and do not look at the folio again.
    Drop(Name),
}

/// How a task waits: the parameters `state` and `behavior`.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// The state that it sleeps in.
    pub state: u64,
    /// What it waits for.
    pub behaviour: Behaviour,
    /// Does it give up when its time is over?
    pub has_timeout: bool,
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
}

/// `folio_wait_bit_common()`: `wait_on_page_bit_common()` until 5.15. Since 5.9 (5ef64cc8987a) the
/// waiter tries the bit itself, and if it was robbed of it too often demands that it be handed
/// over.
pub fn folio_wait_bit_common(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
) -> Result<(), Errno> {
    let _in = enter("folio_wait_bit_common");
    let (queue, wait, behaviour) = (&k.folio_waitqueue, k.current(), sleep.behaviour);
    let wq = k.tree.filemap.wq_flags();
    let mut unfairness = i64::from(k.tree.filemap.unfairness());
    init_wait(wait, folio);
    'repeat: loop {
        let mut flags = 0;
        if behaviour == Behaviour::Exclusive {
            flags = WQ_FLAG_EXCLUSIVE;
            unfairness -= 1;
            if unfairness < 0 {
                flags |= wq.custom();
            }
        }
        plain_write(&wait.flags, flags);
        // The last check whether the bit is free. PG_waiters first, for any waker that was missed.
        spin_lock_irq(&k.cpus, &queue.lock);
        (k.tree.filemap.folio_set_waiters())(k, folio);
        if !(k.tree.filemap.folio_trylock_flag())(k, folio, bit, wait, flags) {
            __add_wait_queue_entry_tail(k, wait.entry(bit));
            note_sleep(folio, bit, wait);
            reached(SLEPT);
        }
        spin_unlock_irq(&k.cpus, &queue.lock);
        if let Behaviour::Drop(holder) = behaviour {
            folio_put(k, folio, holder);
        }
        loop {
            set_current_state(&wait.task, sleep.state);
            let flags = smp_load_acquire(&wait.flags);
            if flags & WQ_FLAG_WOKEN == 0 {
                if is_to_give_up(&wait.task, sleep) {
                    break 'repeat;
                }
                io_schedule(k, &wait.task, sleep);
                continue;
            }
            if behaviour != Behaviour::Exclusive || flags & wq.done() != 0 {
                break 'repeat;
            }
            if test_and_set_bit(bit, &folio.flags) {
                note_theft(wait);
                continue 'repeat;
            }
            plain_write(&wait.flags, flags | wq.done());
            break 'repeat;
        }
    }
    finish_wait(k, wait);
    // Stable only now: a waker may have come between the look for a signal and finish_wait().
    outcome(k, folio, bit, behaviour, plain_read(&wait.flags))
}

/// What the wait comes to, by the flags.
fn outcome(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    behaviour: Behaviour,
    flags: u64,
) -> Result<(), Errno> {
    if behaviour != Behaviour::Exclusive {
        return if flags & WQ_FLAG_WOKEN != 0 { Ok(()) } else { Err(gives_up()) };
    }
    if flags & k.tree.filemap.wq_flags().done() != 0 {
        owns(bit, &folio.flags);
        return Ok(());
    }
    if flags & WQ_FLAG_WOKEN != 0 {
        reached("a task gave up that had been woken to take the bit");
        if k.tree.filemap.giving_up() == GivingUp::TriesTheBit
            && !test_and_set_bit(bit, &folio.flags)
        {
            return Ok(());
        }
    }
    Err(gives_up())
}

/// `-EINTR`
pub(super) fn gives_up() -> Errno {
    reached("a task gave up");
    Errno::Interrupted
}

/// `migration_entry_wait_on_locked()`: the caller holds `ptl`, found a migration entry for the
/// folio under it, and has no reference: the entry keeps the folio alive as long as `ptl` is held.
pub fn migration_entry_wait_on_locked(k: &Kernel, folio: &Folio, ptl: &SpinLock) {
    let _in = enter("migration_entry_wait_on_locked");
    let (queue, wait) = (&k.folio_waitqueue, k.current());
    let sleep = Sleep::to_see(TASK_UNINTERRUPTIBLE);
    init_wait(wait, folio);
    plain_write(&wait.flags, 0);
    spin_lock_irq(&k.cpus, &queue.lock);
    (k.tree.filemap.folio_set_waiters())(k, folio);
    if !(k.tree.filemap.folio_trylock_flag())(k, folio, PG_LOCKED, wait, 0) {
        __add_wait_queue_entry_tail(k, wait.entry(PG_LOCKED));
        note_sleep(folio, PG_LOCKED, wait);
        reached(SLEPT);
    }
    spin_unlock_irq(&k.cpus, &queue.lock);
    spin_unlock(&k.cpus, ptl);
    loop {
        set_current_state(&wait.task, TASK_UNINTERRUPTIBLE);
        if smp_load_acquire(&wait.flags) & WQ_FLAG_WOKEN != 0 {
            break;
        }
        if is_to_give_up(&wait.task, sleep) {
            break;
        }
        io_schedule(k, &wait.task, sleep);
    }
    finish_wait(k, wait);
}

/// `init_wait()`, and the fields of `struct wait_page_queue`; `bit_nr` is kept in the [`Entry`].
pub fn init_wait(wait: &Sleeper, folio: &Folio) {
    plain_write(&wait.folio, folio.index as u64);
}

/// `folio_trylock_flag()`: takes the bit, or sees it clear, under the queue's lock. The waiter has
/// been told then. `flags` are its flags, which nobody else looks at before it is on the queue: to
/// read them is no step.
pub fn folio_trylock_flag(k: &Kernel, folio: &Folio, bit: Bit, wait: &Sleeper, flags: u64) -> bool {
    if flags & WQ_FLAG_EXCLUSIVE != 0 {
        if test_and_set_bit(bit, &folio.flags) {
            return false;
        }
    } else if test_bit(bit, &folio.flags) {
        return false;
    }
    plain_write(&wait.flags, flags | WQ_FLAG_WOKEN | k.tree.filemap.wq_flags().done());
    true
}

/// `__add_wait_queue_entry_tail()`
pub fn __add_wait_queue_entry_tail(k: &Kernel, entry: Entry) {
    let wait = &k.sleepers[entry.sleeper];
    if k.modelled.lifetimes {
        plain_write(&wait.waits, 1);
    }
    WRITE_ONCE(&wait.queued, 1);
    k.folio_waitqueue.edit(|entries| entries.push(entry));
}

/// Notes that the task is about to sleep on a bit of the folio, so that a hang can be explained.
pub(super) fn note_sleep(folio: &Folio, bit: Bit, wait: &Sleeper) {
    let if_forgotten = match bit == PG_LOCKED {
        true => NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
        false => NOBODY_WAITS_FOR_EVER,
    };
    let told_by = [wait.flags.object(), wait.task.object()];
    awaits(bit, &folio.flags, told_by, if_forgotten);
}

/// Notes that the task was woken, and found the bit taken by somebody else.
pub(super) fn note_theft(wait: &Sleeper) {
    *wait.robbed.lock() += 1;
    reached("the lock was stolen");
}

/// `signal_pending_state()`; and whether the time of `folio_lock_timeout()` is over.
pub(super) fn is_to_give_up(task: &Task, sleep: Sleep) -> bool {
    signal_pending_state(sleep.state, task) || (sleep.has_timeout && timed_out(task))
}

/// `io_schedule()`, `io_schedule_timeout()`.
pub fn io_schedule(k: &Kernel, task: &Task, sleep: Sleep) {
    match sleep.has_timeout {
        true => schedule_timeout(&k.cpus, task),
        false => schedule(&k.cpus, task),
    }
}

/// `finish_wait()`: off the queue, if the waker has not done that already.
pub fn finish_wait(k: &Kernel, wait: &Sleeper) {
    let queue = &k.folio_waitqueue;
    __set_current_state(&wait.task, TASK_RUNNING);
    // list_empty_careful()
    if smp_load_acquire(&wait.queued) != 0 {
        spin_lock_irqsave(&k.cpus, &queue.lock);
        __remove_wait_queue(k, wait);
        spin_unlock_irqrestore(&k.cpus, &queue.lock);
    }
    if k.modelled.lifetimes {
        plain_write(&wait.waits, 0);
    }
}

/// `__remove_wait_queue()`
pub fn __remove_wait_queue(k: &Kernel, wait: &Sleeper) {
    k.folio_waitqueue.edit(|entries| entries.retain(|entry| entry.sleeper != wait.index));
    WRITE_ONCE(&wait.queued, 0);
}

/// `__folio_lock_async()`: takes the lock, or leaves an entry behind whose callback says when to
/// try again.
///
/// # Errors
/// `-EIOCBQUEUED`, as [`Errno::Busy`]: the entry is on the queue.
pub fn folio_lock_async(k: &Kernel, folio: &Folio) -> Result<(), Errno> {
    let _in = enter("__folio_lock_async");
    let (wait, queue) = (k.current(), &k.folio_waitqueue);
    plain_write(&wait.folio, folio.index as u64);
    plain_write(&wait.flags, 0);
    spin_lock_irq(&k.cpus, &queue.lock);
    __add_wait_queue_entry_tail(k, Entry { is_async: true, ..wait.entry(PG_LOCKED) });
    (k.tree.filemap.folio_set_waiters())(k, folio);
    let is_ours = folio_trylock(folio);
    if is_ours {
        // Nobody can have called back meanwhile: the lock is still held.
        let is_queued = queue.edit(|entries| entries.iter().any(|e| e.sleeper == wait.index));
        kernel_assert(is_queued, "__folio_lock_async() has the lock, and was called back as well");
        __remove_wait_queue(k, wait);
    }
    spin_unlock_irq(&k.cpus, &queue.lock);
    if is_ours { Ok(()) } else { Err(Errno::Busy) }
}

/// The retry of `io_uring`: waits until the callback of [`folio_lock_async`] has been called.
/// (`io_async_buf_func()`, which queues task work; here the task waits for nothing else.)
pub fn lock_page_retry(k: &Kernel, folio: &Folio) {
    let _in = enter("io_read_retry");
    let wait = k.current();
    note_sleep(folio, PG_LOCKED, wait);
    reached(SLEPT);
    loop {
        set_current_state(&wait.task, TASK_UNINTERRUPTIBLE);
        if smp_load_acquire(&wait.flags) & WQ_FLAG_WOKEN != 0 {
            break;
        }
        schedule(&k.cpus, &wait.task);
    }
    __set_current_state(&wait.task, TASK_RUNNING);
}
