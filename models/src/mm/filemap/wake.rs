//! `folio_wake_bit()`: the waker's side.

use selvedge_kernel::{
    Bit, TASK_NORMAL, enter_waker, fail, plain_read, smp_store_release, spin_lock_irqsave,
    spin_unlock_irqrestore, test_and_set_bit, test_bit, try_to_wake_up,
};

use super::wait::{WQ_FLAG_CUSTOM, WQ_FLAG_DONE, WQ_FLAG_EXCLUSIVE, WQ_FLAG_WOKEN};
use super::{
    A_DEMANDED_LOCK_GOES_IN_ORDER, Entry, FolioLockFault, PageWait, folio_clear_waiters,
    touch_waiter,
};
use crate::{Folio, Kernel};

/// What the walk of the queue does after an entry.
enum Walk {
    /// It goes on.
    Goes,
    /// An exclusive waiter was woken: one is enough.
    Woke,
    /// It ends.
    Stops,
}

/// `folio_wake_bit()`: wakes the waiters for this bit of this folio, up to and with the first that is
/// exclusive.
pub(crate) fn folio_wake_bit(k: &Kernel, folio: &Folio, bit: Bit) {
    let _in = enter_waker("folio_wake_bit");
    let (queue, fault) = (&k.folio_waitqueue, k.tree.filemap.fault);
    spin_lock_irqsave(&k.cpus, &queue.lock);
    let mut page_match = false;
    for entry in queue.edit(|entries| entries.clone()) {
        match wake_page_function(k, folio, bit, entry, &mut page_match) {
            Walk::Stops => break,
            Walk::Woke if fault != FolioLockFault::WakesAll => break,
            Walk::Woke | Walk::Goes => {}
        }
    }
    let is_empty = queue.edit(|entries| entries.is_empty());
    let always = fault == FolioLockFault::WaitersBitAlwaysCleared;
    let clears = is_empty || !page_match || always;
    let unlocked = fault == FolioLockFault::WaitersBitClearedUnlocked;
    if clears && !unlocked {
        folio_clear_waiters(k, folio);
    }
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
    if clears && unlocked {
        folio_clear_waiters(k, folio);
    }
}

/// `wake_page_function()`.
fn wake_page_function(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    entry: Entry,
    page_match: &mut bool,
) -> Walk {
    let (wait, fault) = (&k.sleepers[entry.sleeper], k.tree.filemap.fault);
    if plain_read(&wait.folio) != folio.index as u64 {
        return Walk::Goes;
    }
    if entry.bit != bit {
        *page_match |= fault != FolioLockFault::MatchByBit;
        return Walk::Goes;
    }
    *page_match = true;
    match k.tree.filemap.wait {
        PageWait::RetrySignalFirst | PageWait::Retry => wake_to_retry(k, folio, entry),
        PageWait::HandOff | PageWait::Bounded => tell(k, folio, entry),
    }
}

/// Up to 5.8: `autoremove_wake_function()`, unless the bit is set again.
fn wake_to_retry(k: &Kernel, folio: &Folio, entry: Entry) -> Walk {
    let wait = &k.sleepers[entry.sleeper];
    if test_bit(entry.bit, &folio.flags) {
        return Walk::Stops;
    }
    let is_exclusive = plain_read(&wait.flags) & WQ_FLAG_EXCLUSIVE != 0;
    // Who does not sleep looks at the bit by itself: it stays on the queue, and does not count.
    if !try_to_wake_up(&k.cpus, &wait.task, TASK_NORMAL) {
        return Walk::Goes;
    }
    unlink(k, entry);
    if is_exclusive { Walk::Woke } else { Walk::Goes }
}

/// Since 5.9.
fn tell(k: &Kernel, folio: &Folio, entry: Entry) -> Walk {
    let (wait, fault) = (&k.sleepers[entry.sleeper], k.tree.filemap.fault);
    let mut flags = plain_read(&wait.flags);
    let is_exclusive = flags & WQ_FLAG_EXCLUSIVE != 0;
    // Locked again: whoever holds it now will wake the waiter.
    let looks = k.tree.filemap.wait == PageWait::Bounded;
    if is_exclusive && looks && test_bit(entry.bit, &folio.flags) {
        return Walk::Stops;
    }
    if flags & WQ_FLAG_CUSTOM != 0 {
        if test_and_set_bit(entry.bit, &folio.flags) {
            return match fault {
                FolioLockFault::PassesOver => Walk::Goes,
                _ => Walk::Stops,
            };
        }
        check_order(k, entry);
        flags |= WQ_FLAG_DONE;
    }
    if fault == FolioLockFault::UnlinkedBeforeWoken {
        unlink(k, entry);
    }
    touch_waiter(k, wait, "the flags");
    smp_store_release(&wait.flags, flags | WQ_FLAG_WOKEN);
    if fault == FolioLockFault::UnlinkedBeforeWakeUp {
        unlink(k, entry);
    }
    touch_waiter(k, wait, "the task");
    try_to_wake_up(&k.cpus, &wait.task, TASK_NORMAL);
    // list_del_init_careful(): the last touch of the waiter's stack.
    unlink(k, entry);
    if fault == FolioLockFault::ReadAfterUnlink {
        touch_waiter(k, wait, "the flags");
        flags = plain_read(&wait.flags);
    }
    if flags & WQ_FLAG_EXCLUSIVE != 0 { Walk::Woke } else { Walk::Goes }
}

/// Takes the entry off the list, and says so to the waiter.
fn unlink(k: &Kernel, entry: Entry) {
    let others = |other: &Entry| other.sleeper != entry.sleeper;
    k.folio_waitqueue.edit(|entries| entries.retain(others));
    if !entry.is_async {
        smp_store_release(&k.sleepers[entry.sleeper].queued, 0);
    }
}

/// Nobody who demands the lock queued before the one that is given it now.
fn check_order(k: &Kernel, given: Entry) {
    let queue = k.folio_waitqueue.edit(|entries| entries.clone());
    let ahead = queue.iter().take_while(|entry| entry.sleeper != given.sleeper);
    let folio_of = |entry: &Entry| plain_read(&k.sleepers[entry.sleeper].folio);
    let demands = |entry: &&Entry| {
        entry.bit == given.bit && plain_read(&k.sleepers[entry.sleeper].flags) & WQ_FLAG_CUSTOM != 0
    };
    for entry in ahead.filter(demands) {
        if folio_of(entry) == folio_of(&given) {
            let name = |entry: &Entry| k.sleepers[entry.sleeper].flags.name();
            let (first, given) = (name(entry), name(&given));
            let message = format!("the waiter of {given} is given the lock before that of {first}");
            fail(A_DEMANDED_LOCK_GOES_IN_ORDER, message);
        }
    }
}
