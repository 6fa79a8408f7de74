//! The folio lock: one bit of `folio->flags`, with no owner, and what sleeps on the bits of that
//! word.
//!
//! Kept: trylock, lock, killable lock, unlock, end of a read; the three behaviours of
//! `folio_wait_bit_common()`, and a function for each of the algorithms that it has had; the
//! asynchronous lock; the wait for a migration entry; the ordering of each step.
//! Left out: the bookmark of 4.14 to 6.6; the unlock in two steps up to 6.6, of architectures that
//! cannot tell PG_waiters as they clear PG_locked (a look at the same word, of a folio that may be
//! freed by then: it wakes somebody too many, and nobody too few); thrashing and its accounting;
//! all folios hash to one queue, so that folios and bits always collide; an asynchronous waiter is
//! told by its own wake-up only. Source: mm/filemap.c:1107-1680 of 6.12.117; 5.8 and 5.9-rc for the
//! older waits (a8b169afbf06, 2a9127fcf229, 5ef64cc8987a).

mod before_5_9;
mod fault;
mod lookup;
mod wait;
mod wake;

use selvedge_kernel::{
    Bit, Name, Private, Rule, SpinLock, TASK_KILLABLE, TASK_UNINTERRUPTIBLE, Task, Var, clear_bit,
    enter, fail, fail_about, might_sleep, plain_read, set_bit, test_and_set_bit_lock, test_bit,
    xor_unlock_is_negative_byte,
};

use crate::kernel::{PG_LOCKED, PG_UPTODATE, PG_WAITERS};
use crate::left_out::LeftOut;
use crate::mm::migrate::Errno;
use crate::{Folio, Func, Kernel};

pub(crate) use before_5_9::{wait_and_retry, wait_for_hand_off, wait_signal_first};
pub(crate) use before_5_9::{wake_and_hand_off, wake_to_retry};
pub use fault::*;
pub use lookup::*;
pub use wait::*;
pub(crate) use wait::{WQ_FLAG_EXCLUSIVE, WQ_FLAG_WOKEN};
pub use wake::*;

/// What is left out, for a comparison with C.
pub(crate) const LEFT_OUT: &[LeftOut] = &[
    LeftOut::of_c(
        &["folio->flags:PG_uptodate", "folio->flags:PG_workingset"],
        "whether the wait is thrashing, which is accounted and decides nothing",
    )
    .within(&["folio_wait_bit_common"]),
    LeftOut::looks(
        &["wait->flags"],
        "flags that only the task itself, or the waker that looks, may change as long as the \
         queue's lock is held: looked at again, or for the first time before anybody else can",
    )
    .within(&["__wake_up_common", "folio_trylock_flag"]),
    LeftOut::of_c(
        &["stack-*"],
        "the key of the walk; and from 4.14 to 6.6 the bookmark, which goes into the queue, where \
         others could see it, only behind 64 entries",
    )
    .within(&["folio_wake_bit", "__wake_up_common"]),
    LeftOut::of_c(
        &["wait->private", "wait->func", "wait->bit_nr"],
        "fields of the entry that never change: the model's entry has them by value",
    ),
    LeftOut::of_c(
        &["folio_wait_table[*].head*", "wait->entry.prev"],
        "links of the queue, under its lock: the model's list is edited under it, without steps; \
         what is compared is whether an entry is linked",
    ),
];

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
        /// `folio_wait_bit_common()`: how a waiter gets the bit.
        folio_wait_bit_common: Func<WaitBitCommon>,
        /// `wake_page_function()`: what a waker does about a waiter. Goes with the former.
        wake_page_function: Func<fn(&Kernel, Entry, &mut WaitPageKey<'_>) -> Walk>,
        /// `folio_trylock_flag()`: the last look at the bit before a waiter queues itself.
        folio_trylock_flag: Func<fn(&Kernel, &Folio, Bit, &Sleeper, u64) -> bool>,
        /// `migration_entry_wait_on_locked()`
        migration_entry_wait_on_locked: Func<fn(&Kernel, &Folio, &SpinLock)>,
        /// `folio_set_waiters()`
        folio_set_waiters: Func<fn(&Kernel, &Folio)>,
        /// `folio_clear_waiters()`
        folio_clear_waiters: Func<fn(&Kernel, &Folio)>,
        /// `folio_xor_flags_has_waiters()`
        folio_xor_flags_has_waiters: Func<fn(&Kernel, &Folio, u64) -> bool>,
        /// `sysctl_page_lock_unfairness`: how often a waiter may find the bit stolen before it
        /// demands that it be handed over. 5 in the kernel; scaled. Asked only since 5.9.
        unfairness: u32,
        /// The values of `WQ_FLAG_CUSTOM` and `WQ_FLAG_DONE`.
        wq_flags: WqFlags,
        /// What a waiter that gives up does about a wake-up that it was given meanwhile.
        giving_up: GivingUp,
        /// `xas_reload()`: the look of a lookup in the page cache after it has taken its reference.
        xas_reload: Func<fn(&Kernel, usize, u64) -> u64>,
        /// How `folio_end_writeback()` clears its bit and looks for waiters.
        end_writeback: EndWriteback,
    }
}

/// `folio_wait_bit_common()`, in each of its forms.
pub type WaitBitCommon = fn(&Kernel, &Folio, Bit, Sleep) -> Result<(), Errno>;

/// What an exclusive waiter that leaves because of a signal or a timeout does if it has been woken
/// since it last looked, and nobody took the bit for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GivingUp {
    /// Nothing: every release since 5.9.
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

impl Filemap {
    /// For [`Filemap::unfairness`]: a waiter may lose once, then it is handed the bit.
    pub const SCALED: u32 = 1;
    /// The same: the bit is never handed over.
    pub const UNLIMITED: u32 = u32::MAX;
}

/// An entry of the queue, `struct wait_page_queue`, as far as only the queue's lock protects it.
#[derive(Clone, Copy, Hash, Debug)]
pub struct Entry {
    /// Whose it is: a number among the sleepers.
    pub(crate) sleeper: usize,
    /// `wait.bit_nr`
    pub(crate) bit: Bit,
    /// Is it to be told by a callback, and not woken? (`wait.func`)
    is_async: bool,
}

/// `wait_queue_head_t`: its list is edited under its lock.
#[derive(Debug)]
pub struct WaitQueue {
    pub(crate) lock: SpinLock,
    entries: Private<Vec<Entry>>,
    /// PG_waiters of folio 0, in the one tree that has a word of its own for it.
    pub(crate) waiters_elsewhere: Var,
}

impl WaitQueue {
    /// An empty queue.
    pub(crate) fn new() -> WaitQueue {
        WaitQueue {
            lock: SpinLock::new(Name::new("q->lock")),
            entries: Private::default(),
            waiters_elsewhere: Var::new(Name::new("waiters"), 0),
        }
    }

    fn edit<R>(&self, edit: impl FnOnce(&mut Vec<Entry>) -> R) -> R {
        debug_assert!(self.lock.is_held_by_me(), "the list is edited under its lock");
        edit(&mut self.entries.lock())
    }
}

/// A task that may sleep, with the `struct wait_page_queue` on its stack.
#[derive(Debug)]
pub struct Sleeper {
    /// Its number among the sleepers.
    pub(crate) index: usize,
    task: Task,
    /// `wait.flags`
    pub(crate) flags: Var,
    /// Is the entry on the queue? The waiter looks without the lock (`list_empty_careful()`).
    queued: Var,
    /// `wait.folio`
    folio: Var,
    /// Is the task in the function that has the entry on its stack? Only kept where lifetimes
    /// are watched.
    waits: Var,
    /// How often it has found the bit stolen. Its own; no step.
    robbed: Private<u32>,
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
            index,
            task: Task::new(index),
            flags: var("wait.flags"),
            queued: var("wait.entry"),
            folio: var("wait.folio"),
            waits: var("wait frame"),
            robbed: Private::default(),
        }
    }

    /// Its entry in the queue, for a wait for this bit.
    fn entry(&self, bit: Bit) -> Entry {
        Entry { sleeper: self.index, bit, is_async: false }
    }

    /// How often the task was woken and found the bit stolen: for the task itself.
    pub fn robbed(&self) -> u32 {
        *self.robbed.lock()
    }
}

/// `folio_trylock()`: never sleeps. Acquire if it wins, no ordering if it loses.
pub fn folio_trylock(folio: &Folio) -> bool {
    !test_and_set_bit_lock(PG_LOCKED, &folio.flags)
}

/// `folio_lock()`.
pub fn folio_lock(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_lock");
    might_sleep(&k.cpus, "folio_lock");
    if !folio_trylock(folio) {
        let sleep = Sleep::to_lock(TASK_UNINTERRUPTIBLE);
        let got = (k.tree.filemap.folio_wait_bit_common())(k, folio, PG_LOCKED, sleep);
        debug_assert!(got.is_ok(), "nothing but a wake-up ends this wait");
    }
}

/// `folio_lock_killable()`.
///
/// # Errors
/// `-EINTR`: a fatal signal came first.
pub fn folio_lock_killable(k: &Kernel, folio: &Folio) -> Result<(), Errno> {
    let _in = enter("folio_lock_killable");
    might_sleep(&k.cpus, "folio_lock_killable");
    if folio_trylock(folio) {
        return Ok(());
    }
    (k.tree.filemap.folio_wait_bit_common())(k, folio, PG_LOCKED, Sleep::to_lock(TASK_KILLABLE))
}

/// `folio_lock_timeout()`: what a lock with a time limit is on top of the same wait. Never merged:
/// after the description of "migrate: Avoid unbounded blocks in MIGRATE_SYNC_LIGHT" (Douglas
/// Anderson, 2023-04-21), and at its kindest: the time is looked at only after the flags.
///
/// # Errors
/// `-EINTR`, as from a signal: the time is over.
pub fn folio_lock_timeout(k: &Kernel, folio: &Folio) -> Result<(), Errno> {
    let _in = enter("folio_lock_timeout");
    might_sleep(&k.cpus, "folio_lock_timeout");
    if folio_trylock(folio) {
        return Ok(());
    }
    let sleep = Sleep { has_timeout: true, ..Sleep::to_lock(TASK_UNINTERRUPTIBLE) };
    (k.tree.filemap.folio_wait_bit_common())(k, folio, PG_LOCKED, sleep)
}

/// `folio_unlock()`: releases the bit and sees PG_waiters in one step.
pub fn folio_unlock(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_unlock");
    if (k.tree.filemap.folio_xor_flags_has_waiters())(k, folio, PG_LOCKED.mask()) {
        folio_wake_bit(k, folio, PG_LOCKED);
    }
}

/// `folio_end_read(folio, true)`: the same, and PG_uptodate is set in that step.
pub fn folio_end_read(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_end_read");
    let mask = PG_LOCKED.mask() | PG_UPTODATE.mask();
    if (k.tree.filemap.folio_xor_flags_has_waiters())(k, folio, mask) {
        folio_wake_bit(k, folio, PG_LOCKED);
    }
}

/// `folio_wait_bit()`: sleeps until the bit has been clear at some time.
pub fn folio_wait_bit(k: &Kernel, folio: &Folio, bit: Bit) {
    let sleep = Sleep::to_see(TASK_UNINTERRUPTIBLE);
    let seen = (k.tree.filemap.folio_wait_bit_common())(k, folio, bit, sleep);
    debug_assert!(seen.is_ok(), "nothing but a wake-up ends this wait");
}

/// `folio_wait_locked()`.
pub fn folio_wait_locked(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_wait_locked");
    if test_bit(PG_LOCKED, &folio.flags) {
        folio_wait_bit(k, folio, PG_LOCKED);
    }
}

/// `folio_put_wait_locked()`: gives up the reference of `holder`, and waits. Killable here, as from
/// `filemap_update_page()`.
///
/// # Errors
/// `-EINTR`: a fatal signal came first.
pub fn folio_put_wait_locked(k: &Kernel, folio: &Folio, holder: Name) -> Result<(), Errno> {
    let _in = enter("folio_put_wait_locked");
    (k.tree.filemap.folio_wait_bit_common())(
        k,
        folio,
        PG_LOCKED,
        Sleep::dropping(TASK_KILLABLE, holder),
    )
}

/// `folio_xor_flags_has_waiters()`: changes these bits, the lock's or the writeback's with them,
/// and sees PG_waiters in one step. Release.
pub fn folio_xor_flags_has_waiters(k: &Kernel, folio: &Folio, mask: u64) -> bool {
    touch(k, folio);
    xor_unlock_is_negative_byte(mask, PG_WAITERS, &folio.flags)
}

/// `folio_set_waiters()`: orders nothing.
pub fn folio_set_waiters(k: &Kernel, folio: &Folio) {
    touch(k, folio);
    set_bit(PG_WAITERS, &folio.flags);
}

/// `folio_clear_waiters()`: orders nothing.
pub fn folio_clear_waiters(k: &Kernel, folio: &Folio) {
    touch(k, folio);
    clear_bit(PG_WAITERS, &folio.flags);
}

/// Where lifetimes are watched: `folio` is about to be written to.
pub(crate) fn touch(k: &Kernel, folio: &Folio) {
    if k.modelled.lifetimes && plain_read(&folio.freed) != 0 {
        let message = format!("folio{} is about to be written to, and has been freed", folio.index);
        fail_about(A_FREED_FOLIO_IS_NOT_TOUCHED, message, folio.freed.object());
    }
}

/// Where lifetimes are watched: the entry on the stack of `wait`, or its task, is about to be used.
pub(crate) fn touch_waiter(k: &Kernel, wait: &Sleeper, what: &str) {
    if k.modelled.lifetimes && plain_read(&wait.waits) == 0 {
        let message = format!("the waker uses {what} of {}: its task has left", wait.flags.name());
        fail(A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, message);
    }
}
