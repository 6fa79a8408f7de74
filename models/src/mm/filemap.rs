//! The folio lock: one bit of `folio->flags`, with no owner, and what sleeps on the bits of that
//! word.
//!
//! Kept: trylock, lock, killable lock, unlock, end of a read; the three behaviours of
//! `folio_wait_bit_common()` and the algorithms that it has had ([`PageWait`]); the asynchronous
//! lock; the wait for a migration entry; the ordering of each step.
//! Left out: the bookmark of 4.14 to 6.6, delay accounting; all folios hash to one queue, so that
//! folios and bits always collide; an asynchronous waiter is told by its own wake-up only.
//! Source: mm/filemap.c:1107-1680 of 6.12.117; 5.8 and 5.9-rc for the older waits (a8b169afbf06,
//! 2a9127fcf229, 5ef64cc8987a).

mod lookup;
mod wait;
mod wake;

use std::sync::Mutex as Private;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use selvedge_kernel::{
    Bit, Name, READ_ONCE, Rule, SpinLock, TASK_KILLABLE, TASK_UNINTERRUPTIBLE, Task, Var,
    WRITE_ONCE, clear_bit, clear_bit_unlock, enter, fail, fail_about, might_sleep, plain_read,
    set_bit, spin_unlock, test_and_set_bit_lock, test_bit, xor_unlock_and_set_is_negative_byte,
    xor_unlock_is_negative_byte,
};

use crate::kernel::{PG_LOCKED, PG_UPTODATE, PG_WAITERS};
use crate::mm::migrate::Errno;
use crate::{Folio, Kernel};
use wait::{Sleep, finish_wait, folio_wait_bit_common, queue_unless_free, wait_until_told};

pub use lookup::*;
pub use wait::{folio_lock_async, lock_page_retry};
pub(crate) use wake::folio_wake_bit;

/// A sleeper on the folio lock is woken, or owed a wake-up, as long as it sleeps.
pub const NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO: Rule =
    Rule("no task sleeps on a folio that is unlocked and that nobody owes a wake-up for");
/// Nobody touches a folio that the page allocator has back.
pub const A_FREED_FOLIO_IS_NOT_TOUCHED: Rule = Rule("a folio that is freed is not touched");
/// What `list_del_init_careful()` as the last touch is for: a waiter that has left its wait has
/// left its stack frame, and may have exited.
pub const A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS: Rule =
    Rule("a waiter is touched only while it waits");
/// What the hand-off is for.
pub const A_DEMANDED_LOCK_GOES_IN_ORDER: Rule =
    Rule("waiters that demand the lock are given it in the order in which they queued");

decisions! {
    /// What differs between trees.
    pub struct Filemap of "mm/filemap.c", set by FilemapChange {
        /// The algorithm of the wait.
        wait: PageWait,
        /// `sysctl_page_lock_unfairness`: how often a waiter may find the bit stolen before it demands
        /// that it be handed over. 5 in the kernel; scaled. Only [`PageWait::Bounded`] looks at it.
        unfairness: u32,
        /// What a waiter that gives up does about a wake-up that it was given meanwhile.
        giving_up: GivingUp,
        /// What a lookup in the page cache does after it has taken its reference.
        lookup: Lookup,
        /// How `folio_end_writeback()` clears its bit and looks for waiters.
        end_writeback: EndWriteback,
        /// Faults of the lock and the wait.
        fault: FolioLockFault,
    }
}

/// How a waiter gets the bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageWait {
    /// Up to a8b169afbf06 (4.14): it tries the bit itself, but first looks for a signal.
    RetrySignalFirst,
    /// 4.14 to 5.8: it tries the bit itself whenever it is woken, then looks for a signal.
    Retry,
    /// 5.9-rc (2a9127fcf229): the waker takes the bit for it, always.
    HandOff,
    /// Since 5.9 (5ef64cc8987a): it tries the bit itself, up to `unfairness` times; then the
    /// waker takes the bit for it.
    Bounded,
}

/// What an exclusive waiter that leaves because of a signal or a timeout does if it has been woken
/// since it last looked, and nobody took the bit for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GivingUp {
    /// Nothing: every release that has [`PageWait::Bounded`].
    Leaves,
    /// It tries the bit, and stays if it gets it: our fix.
    TriesTheBit,
}

/// How `folio_end_writeback()` clears PG_writeback and looks at PG_waiters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndWriteback {
    /// The one, a full barrier, the other: up to 6.6.
    ClearThenLook,
    /// In one step, as `folio_unlock()` does: since 6.7 (2580d554585c).
    OneStep,
}

/// Deliberate faults; `None` in every release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FolioLockFault {
    /// As it is.
    None,
    /// kernel-migrate A.5, 5: the waiter looks at its flags without acquire.
    RelaxedFlags,
    /// The same, and at its entry of the queue too (A.5, 6).
    RelaxedFlagsAndEntry,
    /// kernel-migrate AM1: the waiter does not set PG_waiters.
    NoWaitersBit,
    /// kernel-migrate AM2: it sets PG_waiters after it has looked at the bit.
    WaitersBitTooLate,
    /// kernel-migrate AM3: it looks at the bit, lets the queue go, and then queues itself.
    QueuedTooLate,
    /// kernel-migrate AM4: the waker clears PG_waiters whoever still waits.
    WaitersBitAlwaysCleared,
    /// kernel-migrate AM5: the waker clears PG_waiters when it has let the queue go.
    WaitersBitClearedUnlocked,
    /// kernel-migrate AM6: waiters for another bit of the folio do not count as its waiters.
    MatchByBit,
    /// kernel-migrate AM7: unlock looks at PG_waiters before it clears PG_locked.
    WaitersBitReadFirst,
    /// kernel-migrate AM9: PG_waiters is in a word of its own.
    WaitersBitElsewhere,
    /// kernel-migrate AM10: the waker takes the entry off the queue before it says WOKEN.
    UnlinkedBeforeWoken,
    /// kernel-migrate AM10: it does so before it wakes the task.
    UnlinkedBeforeWakeUp,
    /// kernel-migrate AM11: it looks at the entry after it has taken it off the queue.
    ReadAfterUnlink,
    /// kernel-migrate AM12: the waiter stores its state after it has looked at its flags.
    StateTooLate,
    /// kernel-migrate A.5, 3: no barrier between the store of the state and the look at the flags.
    NoBarrierAfterState,
    /// `folio_end_read()` sets PG_uptodate after it has unlocked.
    UptodateTooLate,
    /// kernel-migrate AM14: a waiter that was robbed of the bit sleeps on without queueing again.
    NotRequeued,
    /// kernel-migrate AM15: `folio_end_writeback()` takes no reference.
    EndWritebackWithoutReference,
    /// kernel-migrate AM16: `folio_wait_writeback()` waits once.
    WaitWritebackOnce,
    /// kernel-migrate AM17: a DROP waiter puts its reference before it queues.
    PutBeforeQueueing,
    /// kernel-migrate AM18: exclusive waiters behind the first are woken too. Not wrong.
    WakesAll,
    /// kernel-migrate AM19: past a waiter that demands the bit and cannot be given it, the walk
    /// goes on.
    PassesOver,
    /// kernel-migrate AM20: the wait for a migration entry drops the page-table lock before it
    /// queues.
    PtlDroppedFirst,
}

impl Filemap {
    /// For [`Filemap::unfairness`]: the bit is never handed over.
    pub const UNLIMITED: u32 = u32::MAX;

    /// Since 5.9, with an unfairness of 1: a waiter may lose once, then it is handed the bit.
    pub const SINCE_5_9: Filemap = Filemap {
        wait: PageWait::Bounded,
        unfairness: 1,
        giving_up: GivingUp::Leaves,
        lookup: Lookup::Reloads,
        end_writeback: EndWriteback::ClearThenLook,
        fault: FolioLockFault::None,
    };
}

/// An entry of the queue, `struct wait_page_queue`, as far as only the queue's lock protects it.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Whose it is: a number among the sleepers.
    sleeper: usize,
    /// `wait.bit_nr`
    bit: Bit,
    /// Is it to be told by a callback, and not woken? (`wait.func`)
    is_async: bool,
}

/// `wait_queue_head_t`: its list is edited under its lock.
#[derive(Debug)]
pub struct WaitQueue {
    lock: SpinLock,
    entries: Private<Vec<Entry>>,
    /// PG_waiters of folio 0 in the tree that has a word of its own for it.
    waiters_elsewhere: Var,
}

impl WaitQueue {
    /// An empty queue.
    pub(crate) fn new() -> WaitQueue {
        WaitQueue {
            lock: SpinLock::new(Name::new("q->lock")),
            entries: Private::new(Vec::new()),
            waiters_elsewhere: Var::new(Name::new("waiters"), 0),
        }
    }

    fn edit<R>(&self, edit: impl FnOnce(&mut Vec<Entry>) -> R) -> R {
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
    /// Is the task in the function that has the entry on its stack? Only kept where lifetimes
    /// are watched.
    waits: Var,
    /// How often it has found the bit stolen. Its own; no step.
    robbed: AtomicU32,
}

impl Sleeper {
    /// The task.
    pub fn task(&self) -> &Task {
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
            waits: var("wait frame"),
            robbed: AtomicU32::new(0),
        }
    }

    /// How often the task was woken and found the bit stolen: for the task itself.
    pub fn robbed(&self) -> u32 {
        self.robbed.load(Relaxed)
    }
}

/// `folio_trylock()`: never sleeps. Acquire if it wins, no ordering if it loses.
pub fn folio_trylock(_k: &Kernel, folio: &Folio) -> bool {
    !test_and_set_bit_lock(PG_LOCKED, &folio.flags)
}

/// `folio_lock()`: `me` is the number of the calling task among the sleepers.
pub fn folio_lock(k: &Kernel, folio: &Folio, me: usize) {
    let _in = enter("folio_lock");
    might_sleep(&k.cpus, "folio_lock");
    if !folio_trylock(k, folio) {
        let sleep = Sleep::to_lock(TASK_UNINTERRUPTIBLE);
        let got = folio_wait_bit_common(k, folio, PG_LOCKED, sleep, me);
        debug_assert!(got.is_ok(), "nothing but a wake-up ends this wait");
    }
}

/// `folio_lock_killable()`.
///
/// # Errors
/// `-EINTR`: a fatal signal came first.
pub fn folio_lock_killable(k: &Kernel, folio: &Folio, me: usize) -> Result<(), Errno> {
    let _in = enter("folio_lock_killable");
    might_sleep(&k.cpus, "folio_lock_killable");
    if folio_trylock(k, folio) {
        return Ok(());
    }
    folio_wait_bit_common(k, folio, PG_LOCKED, Sleep::to_lock(TASK_KILLABLE), me)
}

/// `folio_lock_timeout()`: what a lock with a time limit is on top of the same wait. Never merged:
/// after the description of "migrate: Avoid unbounded blocks in MIGRATE_SYNC_LIGHT" (Douglas
/// Anderson, 2023-04-21), and at its kindest: the time is looked at only after the flags.
///
/// # Errors
/// `-EINTR`, as from a signal: the time is over.
pub fn folio_lock_timeout(k: &Kernel, folio: &Folio, me: usize) -> Result<(), Errno> {
    let _in = enter("folio_lock_timeout");
    might_sleep(&k.cpus, "folio_lock_timeout");
    if folio_trylock(k, folio) {
        return Ok(());
    }
    let sleep = Sleep { has_timeout: true, ..Sleep::to_lock(TASK_UNINTERRUPTIBLE) };
    folio_wait_bit_common(k, folio, PG_LOCKED, sleep, me)
}

/// `folio_unlock()`: releases the bit and sees PG_waiters in one step.
pub fn folio_unlock(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_unlock");
    if folio_xor_flags_has_waiters(k, folio, PG_LOCKED) {
        folio_wake_bit(k, folio, PG_LOCKED);
    }
}

/// `folio_end_read(folio, true)`: the same, and PG_uptodate is set in that step.
pub fn folio_end_read(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_end_read");
    let flags = &folio.flags;
    if k.tree.filemap.fault == FolioLockFault::UptodateTooLate {
        folio_unlock(k, folio);
        return set_bit(PG_UPTODATE, flags);
    }
    if xor_unlock_and_set_is_negative_byte(PG_LOCKED, PG_UPTODATE, PG_WAITERS, flags) {
        folio_wake_bit(k, folio, PG_LOCKED);
    }
}

/// `folio_wait_bit()`: sleeps until the bit has been clear at some time.
pub fn folio_wait_bit(k: &Kernel, folio: &Folio, bit: Bit, me: usize) {
    let sleep = Sleep::to_see(TASK_UNINTERRUPTIBLE);
    let seen = folio_wait_bit_common(k, folio, bit, sleep, me);
    debug_assert!(seen.is_ok(), "nothing but a wake-up ends this wait");
}

/// `folio_wait_locked()`.
pub fn folio_wait_locked(k: &Kernel, folio: &Folio, me: usize) {
    let _in = enter("folio_wait_locked");
    if test_bit(PG_LOCKED, &folio.flags) {
        folio_wait_bit(k, folio, PG_LOCKED, me);
    }
}

/// `folio_put_wait_locked()`: gives up the reference of `holder`, and waits. Killable here, as from
/// `filemap_update_page()`.
///
/// # Errors
/// `-EINTR`: a fatal signal came first.
pub fn folio_put_wait_locked(
    k: &Kernel,
    folio: &Folio,
    holder: Name,
    me: usize,
) -> Result<(), Errno> {
    let _in = enter("folio_put_wait_locked");
    folio_wait_bit_common(k, folio, PG_LOCKED, Sleep::dropping(TASK_KILLABLE, holder), me)
}

/// `migration_entry_wait_on_locked()`: the caller holds `ptl`, found a migration entry for the
/// folio under it, and has no reference: the entry keeps the folio alive as long as `ptl` is held.
pub fn migration_entry_wait_on_locked(k: &Kernel, folio: &Folio, ptl: &SpinLock, me: usize) {
    let _in = enter("migration_entry_wait_on_locked");
    let sleep = Sleep::to_see(TASK_UNINTERRUPTIBLE);
    let drops_first = k.tree.filemap.fault == FolioLockFault::PtlDroppedFirst;
    if drops_first {
        spin_unlock(&k.cpus, ptl);
    }
    let is_free = queue_unless_free(k, folio, PG_LOCKED, 0, me);
    if !drops_first {
        spin_unlock(&k.cpus, ptl);
    }
    if is_free {
        return finish_wait(k, me);
    }
    let told = wait_until_told(k, folio, PG_LOCKED, sleep, me);
    debug_assert!(told.is_ok(), "nothing but a wake-up ends this wait");
}

/// `folio_xor_flags_has_waiters()`: clears the bit, which is set, and sees PG_waiters in one step.
pub(crate) fn folio_xor_flags_has_waiters(k: &Kernel, folio: &Folio, bit: Bit) -> bool {
    touch(k, folio);
    match k.tree.filemap.fault {
        FolioLockFault::WaitersBitReadFirst => {
            let has_waiters = test_bit(PG_WAITERS, &folio.flags);
            clear_bit_unlock(bit, &folio.flags);
            has_waiters
        }
        FolioLockFault::WaitersBitElsewhere => {
            clear_bit_unlock(bit, &folio.flags);
            READ_ONCE(&k.folio_waitqueue.waiters_elsewhere) != 0
        }
        _ => xor_unlock_is_negative_byte(bit, PG_WAITERS, &folio.flags),
    }
}

/// `folio_set_waiters()`: orders nothing.
fn folio_set_waiters(k: &Kernel, folio: &Folio) {
    touch(k, folio);
    match k.tree.filemap.fault {
        FolioLockFault::NoWaitersBit => {}
        FolioLockFault::WaitersBitElsewhere => WRITE_ONCE(&k.folio_waitqueue.waiters_elsewhere, 1),
        _ => set_bit(PG_WAITERS, &folio.flags),
    }
}

/// `folio_clear_waiters()`: orders nothing.
fn folio_clear_waiters(k: &Kernel, folio: &Folio) {
    touch(k, folio);
    match k.tree.filemap.fault {
        FolioLockFault::WaitersBitElsewhere => WRITE_ONCE(&k.folio_waitqueue.waiters_elsewhere, 0),
        _ => clear_bit(PG_WAITERS, &folio.flags),
    }
}

/// Where lifetimes are watched: `folio` is about to be written to.
fn touch(k: &Kernel, folio: &Folio) {
    if k.sizes.lifetimes && plain_read(&folio.freed) != 0 {
        let message = format!("folio{} is about to be written to, and has been freed", folio.index);
        fail_about(A_FREED_FOLIO_IS_NOT_TOUCHED, message, folio.freed.object());
    }
}

/// Where lifetimes are watched: the entry on the stack of `wait`, or its task, is about to be used.
fn touch_waiter(k: &Kernel, wait: &Sleeper, what: &str) {
    if k.sizes.lifetimes && plain_read(&wait.waits) == 0 {
        let message = format!("the waker uses {what} of {}: its task has left", wait.flags.name());
        fail(A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, message);
    }
}
