//! `folio_wait_bit_common()` and `wake_page_function()` as they were before 5.9:
//! `wait_on_page_bit_common()`, `wake_page_function()`.
//!
//! Up to 5.8 a waiter tries the bit itself whenever it is woken; in 5.9-rc the waker takes the bit
//! for it, always.

use selvedge_kernel::{
    Bit, READ_ONCE, TASK_NORMAL, enter, owns, plain_read, plain_write, reached, set_current_state,
    spin_lock_irq, spin_unlock_irq, test_and_set_bit, test_and_set_bit_lock, test_bit,
    try_to_wake_up,
};

use super::wait::{
    __add_wait_queue_entry_tail, Behaviour, SLEPT, Sleep, WQ_FLAG_EXCLUSIVE, WQ_FLAG_WOKEN,
    finish_wait, gives_up, init_wait, io_schedule, is_to_give_up, note_sleep, note_theft,
};
use super::wake::{WaitPageKey, Walk, check_order, list_del_init_careful, wake_page_match};
use super::{Entry, Sleeper, touch_waiter};
use crate::mm::migrate::Errno;
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// `wait_on_page_bit_common()` up to 4.13: a waiter that has slept looks for a signal before it
/// tries the bit. Nobody gives up a reference before it sleeps, which came with 4.20.
pub(crate) fn wait_signal_first(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
) -> Result<(), Errno> {
    let _in = enter("folio_wait_bit_common");
    let (wait, behaviour) = (k.current(), sleep.behaviour);
    debug_assert!(!matches!(behaviour, Behaviour::Drop(_)), "not before 4.20");
    init_wait(wait, folio);
    plain_write(&wait.flags, flags_of(behaviour));
    let mut result = Ok(());
    loop {
        prepare_to_wait(k, folio, bit, sleep);
        let bit_is_set = test_bit(bit, &folio.flags);
        if bit_is_set {
            reached(SLEPT);
            io_schedule(k, &wait.task, sleep);
            if is_to_give_up(&wait.task, sleep) {
                result = Err(gives_up());
                break;
            }
        }
        if behaviour == Behaviour::Exclusive {
            if !test_and_set_bit_lock(bit, &folio.flags) {
                break;
            }
            if bit_is_set {
                note_theft(wait);
            }
        } else if !test_bit(bit, &folio.flags) {
            break;
        }
    }
    finish_wait(k, wait);
    result
}

/// `wait_on_page_bit_common()` from 4.14 to 5.8: a waiter tries the bit whenever it is woken, and
/// then looks for a signal (a8b169afbf06).
pub(crate) fn wait_and_retry(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
) -> Result<(), Errno> {
    let _in = enter("folio_wait_bit_common");
    let (wait, behaviour) = (k.current(), sleep.behaviour);
    init_wait(wait, folio);
    plain_write(&wait.flags, flags_of(behaviour));
    let mut result = Ok(());
    loop {
        prepare_to_wait(k, folio, bit, sleep);
        let bit_is_set = test_bit(bit, &folio.flags);
        if let Behaviour::Drop(holder) = behaviour {
            folio_put(k, folio, holder);
        }
        if bit_is_set {
            reached(SLEPT);
            io_schedule(k, &wait.task, sleep);
        }
        if behaviour == Behaviour::Exclusive {
            if !test_and_set_bit_lock(bit, &folio.flags) {
                break;
            }
        } else if behaviour == Behaviour::Shared && !test_bit(bit, &folio.flags) {
            break;
        }
        if is_to_give_up(&wait.task, sleep) {
            result = Err(gives_up());
            break;
        }
        // The folio may be somebody else's by now, and locked for ever.
        if matches!(behaviour, Behaviour::Drop(_)) {
            break;
        }
        if bit_is_set && behaviour == Behaviour::Exclusive {
            note_theft(wait);
        }
    }
    finish_wait(k, wait);
    result
}

fn flags_of(behaviour: Behaviour) -> u64 {
    if behaviour == Behaviour::Exclusive { WQ_FLAG_EXCLUSIVE } else { 0 }
}

/// The beginning of a round up to 5.8: queues the waiter if it is not on the queue, and stores its
/// state.
fn prepare_to_wait(k: &Kernel, folio: &Folio, bit: Bit, sleep: Sleep) {
    let (wait, queue) = (k.current(), &k.folio_waitqueue);
    spin_lock_irq(&k.cpus, &queue.lock);
    // list_empty()
    if READ_ONCE(&wait.queued) == 0 {
        __add_wait_queue_entry_tail(k, wait.entry(bit));
        (k.tree.filemap.folio_set_waiters())(k, folio);
    }
    set_current_state(&wait.task, sleep.state);
    spin_unlock_irq(&k.cpus, &queue.lock);
    note_sleep(folio, bit, wait);
}

/// `wake_page_function()` up to 5.8, with `autoremove_wake_function()`: the walk ends if the bit is
/// set again.
pub(crate) fn wake_to_retry(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    let wait = &k.sleepers[entry.sleeper];
    if !wake_page_match(wait, entry, key) {
        return Walk::Goes;
    }
    if test_bit(key.bit, &key.folio.flags) {
        return Walk::Stops;
    }
    let is_exclusive = plain_read(&wait.flags) & WQ_FLAG_EXCLUSIVE != 0;
    // Who does not sleep looks at the bit by itself: it stays on the queue, and does not count.
    if !try_to_wake_up(&k.cpus, &wait.task, TASK_NORMAL) {
        return Walk::Goes;
    }
    list_del_init_careful(k, entry);
    if is_exclusive { Walk::Woke } else { Walk::Goes }
}

/// `wait_on_page_bit_common()` of 5.9-rc: the waker takes the bit for the waiter (2a9127fcf229).
pub(crate) fn wait_for_hand_off(
    k: &Kernel,
    folio: &Folio,
    bit: Bit,
    sleep: Sleep,
) -> Result<(), Errno> {
    let _in = enter("folio_wait_bit_common");
    let (queue, wait, behaviour) = (&k.folio_waitqueue, k.current(), sleep.behaviour);
    init_wait(wait, folio);
    let flags = flags_of(behaviour);
    plain_write(&wait.flags, flags);
    spin_lock_irq(&k.cpus, &queue.lock);
    (k.tree.filemap.folio_set_waiters())(k, folio);
    if !trylock_page_bit_common(folio, bit, wait, flags) {
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
        if is_to_give_up(&wait.task, sleep) {
            break;
        }
        if plain_read(&wait.flags) & WQ_FLAG_WOKEN != 0 {
            break;
        }
        io_schedule(k, &wait.task, sleep);
    }
    finish_wait(k, wait);
    if plain_read(&wait.flags) & WQ_FLAG_WOKEN == 0 {
        return Err(gives_up());
    }
    if behaviour == Behaviour::Exclusive {
        owns(bit, &folio.flags);
    }
    Ok(())
}

/// `trylock_page_bit_common()` of 5.9-rc.
fn trylock_page_bit_common(folio: &Folio, bit: Bit, wait: &Sleeper, flags: u64) -> bool {
    if flags & WQ_FLAG_EXCLUSIVE != 0 {
        if test_and_set_bit(bit, &folio.flags) {
            return false;
        }
    } else if test_bit(bit, &folio.flags) {
        return false;
    }
    plain_write(&wait.flags, flags | WQ_FLAG_WOKEN);
    true
}

/// `wake_page_function()` of 5.9-rc.
pub(crate) fn wake_and_hand_off(k: &Kernel, entry: Entry, key: &mut WaitPageKey<'_>) -> Walk {
    let wait = &k.sleepers[entry.sleeper];
    if !wake_page_match(wait, entry, key) {
        return Walk::Goes;
    }
    let mut walk = Walk::Goes;
    if plain_read(&wait.flags) & WQ_FLAG_EXCLUSIVE != 0 {
        if test_and_set_bit(key.bit, &key.folio.flags) {
            return Walk::Stops;
        }
        check_order(k, entry, WQ_FLAG_EXCLUSIVE);
        reached("the lock was handed over");
        walk = Walk::Woke;
    }
    touch_waiter(k, wait, "the flags");
    plain_write(&wait.flags, plain_read(&wait.flags) | WQ_FLAG_WOKEN);
    touch_waiter(k, wait, "the task");
    try_to_wake_up(&k.cpus, &wait.task, TASK_NORMAL);
    list_del_init_careful(k, entry);
    walk
}
