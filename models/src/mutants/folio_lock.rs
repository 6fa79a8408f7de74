//! The folio lock and the page cache with a mistake: kernel-migrate A.6 and B.7. Most do what the
//! kernel's function does, and something before or after it.

use selvedge_kernel::{
    Bit, READ_ONCE, SpinLock, TASK_INTERRUPTIBLE, TASK_KILLABLE, TASK_NORMAL, WRITE_ONCE,
    clear_bit_unlock, plain_read, set_bit, smp_store_release, spin_lock_irq, spin_unlock,
    spin_unlock_irq, test_and_set_bit, test_bit, try_to_wake_up,
};

use crate::kernel::{PG_LOCKED, PG_UPTODATE, PG_WAITERS};
use crate::mm::filemap::{
    Behaviour, Entry, Sleep, Sleeper, WQ_FLAG_EXCLUSIVE, WQ_FLAG_WOKEN, WaitPageKey, Walk,
    folio_trylock_flag, folio_wait_bit, folio_wait_bit_common, folio_xor_flags_has_waiters,
    list_del_init_careful, touch, touch_waiter, wake_page_function, wake_page_match,
};
use crate::mm::migrate::Errno;
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// AM3: the waiter lets the queue go between its look at the bit and its place in the queue.
pub fn lets_queue_go_after_look(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    wait: &Sleeper,
    flags: u64,
) -> bool {
    let is_free = folio_trylock_flag(k, folio, bit, wait, flags);
    let queue = &k.folio_waitqueue;
    spin_unlock_irq(&k.cpus, &queue.lock);
    spin_lock_irq(&k.cpus, &queue.lock);
    is_free
}

/// AM14: a waiter whose bit another task took first is not queued again, and sleeps on.
pub fn queues_once(k: &Kernel, folio: &Folio, bit: Bit, wait: &Sleeper, flags: u64) -> bool {
    folio_trylock_flag(k, folio, bit, wait, flags) || wait.robbed() > 0
}

/// AM4: the walk forgets that it met a waiter, so that PG_waiters is cleared although others wait.
pub fn forgets_waiters(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    let walk = wake_page_function(k, entry, key);
    key.page_match = false;
    walk
}

/// AM6: a waiter for another bit of the folio does not count as its waiter.
pub fn matches_by_bit(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    let before = key.page_match;
    let walk = wake_page_function(k, entry, key);
    if entry.bit != key.bit {
        key.page_match = before;
    }
    walk
}

/// AM18: the walk goes on past an exclusive waiter that it has woken.
pub fn wakes_all(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    match wake_page_function(k, entry, key) {
        Walk::Stops => Walk::Stops,
        Walk::Woke | Walk::Goes => Walk::Goes,
    }
}

/// AM19: the walk goes on past a waiter that cannot be handed the bit.
pub fn passes_over(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    match wake_page_function(k, entry, key) {
        Walk::Woke => Walk::Woke,
        Walk::Stops | Walk::Goes => Walk::Goes,
    }
}

/// AM11: the waker looks at the entry after it has taken it off the queue.
pub fn reads_after_unlink(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    let walk = wake_page_function(k, entry, key);
    if walk == Walk::Woke {
        let wait = &k.sleepers[entry.sleeper];
        touch_waiter(k, wait, "the flags");
        let _flags = plain_read(&wait.flags);
    }
    walk
}

/// AM10: the entry is off the queue before its flags say WOKEN.
pub fn unlinks_before_woken(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    unlinks_early(k, entry, key, true)
}

/// AM10: the entry is off the queue before its task is woken.
pub fn unlinks_before_wake_up(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    unlinks_early(k, entry, key, false)
}

/// `wake_page_function()`, but for the place of `list_del_init_careful()`.
fn unlinks_early(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>, before_woken: bool) -> Walk {
    let (wait, wq) = (&k.sleepers[entry.sleeper], k.tree.filemap.wq_flags());
    if !wake_page_match(wait, entry, key) {
        return Walk::Goes;
    }
    let mut flags = plain_read(&wait.flags);
    if flags & WQ_FLAG_EXCLUSIVE != 0 {
        if test_bit(key.bit, &key.folio.flags) {
            return Walk::Stops;
        }
        if flags & wq.custom() != 0 {
            if test_and_set_bit(key.bit, &key.folio.flags) {
                return Walk::Stops;
            }
            flags |= wq.done();
        }
    }
    if before_woken {
        list_del_init_careful(k, entry);
    }
    touch_waiter(k, wait, "the flags");
    smp_store_release(&wait.flags, flags | WQ_FLAG_WOKEN);
    if !before_woken {
        list_del_init_careful(k, entry);
    }
    touch_waiter(k, wait, "the task");
    try_to_wake_up(&k.cpus, wait.task(), TASK_NORMAL);
    if flags & WQ_FLAG_EXCLUSIVE != 0 { Walk::Woke } else { Walk::Goes }
}

/// AM7: the unlock looks at PG_waiters before it clears the bit.
pub fn reads_waiters_first(k: &Kernel, folio: &Folio, mask: u64) -> bool {
    let has_waiters = test_bit(PG_WAITERS, &folio.flags);
    folio_xor_flags_has_waiters(k, folio, mask);
    has_waiters
}

/// The end of a read unlocks the folio, and marks it up to date then.
pub fn marks_uptodate_too_late(k: &Kernel, folio: &Folio, mask: u64) -> bool {
    let uptodate = PG_UPTODATE.mask();
    let has_waiters = folio_xor_flags_has_waiters(k, folio, mask & !uptodate);
    if mask & uptodate != 0 {
        set_bit(PG_UPTODATE, &folio.flags);
    }
    has_waiters
}

/// AM9: PG_waiters of the one folio is in a word of its own.
pub fn sets_waiters_elsewhere(k: &Kernel, folio: &Folio) {
    touch(k, folio);
    WRITE_ONCE(&k.folio_waitqueue.waiters_elsewhere, 1);
}

/// AM9: likewise.
pub fn clears_waiters_elsewhere(k: &Kernel, folio: &Folio) {
    touch(k, folio);
    WRITE_ONCE(&k.folio_waitqueue.waiters_elsewhere, 0);
}

/// AM9: likewise; of the lock only.
pub fn unlocks_and_looks_elsewhere(k: &Kernel, folio: &Folio, mask: u64) -> bool {
    touch(k, folio);
    assert_eq!(mask, PG_LOCKED.mask(), "nothing but the lock is told so");
    clear_bit_unlock(PG_LOCKED, &folio.flags);
    READ_ONCE(&k.folio_waitqueue.waiters_elsewhere) != 0
}

/// AM17: who gives up its reference does so before it queues.
pub fn puts_before_queueing(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
) -> Result<(), Errno> {
    let Behaviour::Drop(holder) = sleep.behaviour else {
        return folio_wait_bit_common(k, folio, bit, sleep);
    };
    folio_put(k, folio, holder);
    let sleep = Sleep { behaviour: Behaviour::Shared, ..sleep };
    folio_wait_bit_common(k, folio, bit, sleep)
}

/// A killable wait that any signal ends.
pub fn waits_interruptibly(k: &Kernel, folio: &Folio, bit: Bit, sleep: Sleep) -> Result<(), Errno> {
    let state = if sleep.state == TASK_KILLABLE { TASK_INTERRUPTIBLE } else { sleep.state };
    folio_wait_bit_common(k, folio, bit, Sleep { state, ..sleep })
}

/// AM20: who waits for a migration entry drops the page-table lock before it queues.
pub fn drops_ptl_before_queueing(k: &Kernel, folio: &Folio, ptl: &SpinLock) {
    spin_unlock(&k.cpus, ptl);
    folio_wait_bit(k, folio, PG_LOCKED);
}

/// BM1: a lookup trusts what it read of the slot before it took its reference.
pub fn trusts_the_slot(_k: &Kernel, _page: usize, slot: u64) -> u64 {
    slot
}
