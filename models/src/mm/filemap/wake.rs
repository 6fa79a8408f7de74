//! `folio_wake_bit()`: the waker's side.

use selvedge_kernel::{
    Bit, TASK_NORMAL, enter_waker, fail, plain_read, reached, smp_store_release, spin_lock_irqsave,
    spin_unlock_irqrestore, test_and_set_bit, test_bit, try_to_wake_up,
};

use super::wait::{WQ_FLAG_EXCLUSIVE, WQ_FLAG_WOKEN};
use super::{A_DEMANDED_LOCK_GOES_IN_ORDER, Entry, Sleeper, touch_waiter};
use crate::{Folio, Kernel};

/// `struct wait_page_key`
#[derive(Debug)]
pub struct WaitPageKey<'a> {
    /// The folio whose waiters are to be woken.
    pub folio: &'a Folio,
    /// The bit that they wait for.
    pub bit: Bit,
    /// Did the walk meet a waiter of the folio?
    pub page_match: bool,
}

/// What the walk of the queue does after an entry: what a wake function returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Walk {
    /// 0: it goes on.
    Goes,
    /// 1: an exclusive waiter was woken; one is enough.
    Woke,
    /// -1: it ends.
    Stops,
}

/// `folio_wake_bit()`: wakes the waiters for this bit of this folio, up to and with the first that
/// is exclusive.
pub fn folio_wake_bit(k: &Kernel, folio: &Folio, bit: Bit) {
    let _in = enter_waker("folio_wake_bit");
    let queue = &k.folio_waitqueue;
    let mut key = WaitPageKey { folio, bit, page_match: false };
    spin_lock_irqsave(&k.cpus, &queue.lock);
    __wake_up_locked_key(k, &mut key);
    let is_active = queue.edit(|entries| !entries.is_empty());
    if !is_active || !key.page_match {
        (k.tree.filemap.folio_clear_waiters())(k, folio);
    }
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
}

/// `__wake_up_locked_key()`: the walk.
pub fn __wake_up_locked_key(k: &Kernel, key: &mut WaitPageKey<'_>) {
    for entry in k.folio_waitqueue.edit(|entries| entries.clone()) {
        match (k.tree.filemap.wake_page_function())(k, entry, key) {
            Walk::Goes => {}
            Walk::Woke | Walk::Stops => break,
        }
    }
}

/// `wake_page_match()`: does the entry wait for this bit of this folio?
pub fn wake_page_match(wait: &Sleeper, entry: Entry, key: &mut WaitPageKey<'_>) -> bool {
    if plain_read(&wait.folio) != key.folio.index as u64 {
        return false;
    }
    key.page_match = true;
    entry.bit == key.bit
}

/// `wake_page_function()`: since 5.9 (5ef64cc8987a) the waker takes the bit only for a waiter that
/// demands it.
pub fn wake_page_function(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    let (wait, wq) = (&k.sleepers[entry.sleeper], k.tree.filemap.wq_flags());
    if !wake_page_match(wait, entry, key) {
        return Walk::Goes;
    }
    let mut flags = plain_read(&wait.flags);
    if flags & WQ_FLAG_EXCLUSIVE != 0 {
        // Locked again: whoever holds it now will wake the waiter.
        if test_bit(key.bit, &key.folio.flags) {
            return Walk::Stops;
        }
        if flags & wq.custom() != 0 {
            if test_and_set_bit(key.bit, &key.folio.flags) {
                return Walk::Stops;
            }
            check_order(k, entry, wq.custom());
            reached("the lock was handed over");
            flags |= wq.done();
        }
    }
    touch_waiter(k, wait, "the flags");
    smp_store_release(&wait.flags, flags | WQ_FLAG_WOKEN);
    touch_waiter(k, wait, "the task");
    try_to_wake_up(&k.cpus, &wait.task, TASK_NORMAL);
    // The last touch of the waiter's stack.
    list_del_init_careful(k, entry);
    if flags & WQ_FLAG_EXCLUSIVE != 0 { Walk::Woke } else { Walk::Goes }
}

/// `list_del_init_careful()`: takes the entry off the list, and says so to the waiter.
pub fn list_del_init_careful(k: &Kernel, entry: Entry) {
    let others = |other: &Entry| other.sleeper != entry.sleeper;
    k.folio_waitqueue.edit(|entries| entries.retain(others));
    if !entry.is_async {
        smp_store_release(&k.sleepers[entry.sleeper].queued, 0);
    }
}

/// Nobody who demands the lock, which these flags say, queued before the one that is given it now.
pub(super) fn check_order(k: &Kernel, given: Entry, demand: u64) {
    let queue = k.folio_waitqueue.edit(|entries| entries.clone());
    let ahead = queue.iter().take_while(|entry| entry.sleeper != given.sleeper);
    let folio_of = |entry: &Entry| plain_read(&k.sleepers[entry.sleeper].folio);
    let demands = |entry: &&Entry| {
        entry.bit == given.bit && plain_read(&k.sleepers[entry.sleeper].flags) & demand != 0
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
