//! Sleeping on a bit of a word: `wait_on_bit_lock()` and `wake_up_bit()`.
//!
//! Kept: the waiter that queues itself, stores its state, and looks at the bit; the waker that
//! clears the bit, has a full barrier, looks at the queue without its lock, and passes over who
//! waits for another word or bit, or does not sleep.
//! Left out: signals, waits that do not take the bit; all words hash to one queue.
//! Source: kernel/sched/wait_bit.c `__wait_on_bit_lock()`, `__wake_up_bit()`,
//! `wake_bit_function()`, kernel/sched/wait.c `prepare_to_wait_exclusive()`,
//! `autoremove_wake_function()`, 6.12.117.

use selvedge_kernel::{
    __set_current_state, Bit, Flags, NOBODY_WAITS_FOR_EVER, Name, Private, READ_ONCE, SpinLock,
    TASK_NORMAL, TASK_RUNNING, TASK_UNINTERRUPTIBLE, Var, WRITE_ONCE, awaits, enter, enter_waker,
    reached, schedule, schedule_timeout, set_current_state, spin_lock_irqsave,
    spin_unlock_irqrestore, test_and_set_bit, test_bit, timed_out, try_to_wake_up,
};

use crate::Kernel;

/// A hashed `wait_queue_head_t` for bits.
#[derive(Debug)]
pub struct BitWaitQueue {
    lock: SpinLock,
    /// How many entries the list has: what `waitqueue_active()` looks at without the lock.
    active: Var,
    entries: Private<Vec<Entry>>,
}

/// `struct wait_bit_queue_entry`, as far as only the queue's lock protects it.
#[derive(Clone, Copy, Hash, Debug)]
struct Entry {
    /// Whose it is: a number among the sleepers.
    sleeper: usize,
    /// `key.flags`, by its number in events.
    word: u32,
    /// `key.bit_nr`
    bit: u32,
}

impl BitWaitQueue {
    /// An empty queue.
    pub(crate) fn new() -> BitWaitQueue {
        BitWaitQueue {
            lock: SpinLock::new(Name::new("bit_wq->lock")),
            active: Var::new(Name::new("bit_wq->head"), 0),
            entries: Private::default(),
        }
    }

    /// Edits the list, under its lock.
    fn edit(&self, edit: impl FnOnce(&mut Vec<Entry>)) {
        debug_assert!(self.lock.is_held_by_me(), "the list is edited under its lock");
        let mut entries = self.entries.lock();
        edit(&mut entries);
        let active = entries.len() as u64;
        drop(entries);
        WRITE_ONCE(&self.active, active);
    }

    fn all(&self) -> Vec<Entry> {
        self.entries.lock().clone()
    }
}

/// `prepare_to_wait_exclusive()`: queues the caller at the tail, if it is not queued, and stores
/// its state, with a full barrier after it.
pub fn prepare_to_wait_exclusive(k: &Kernel, bit: Bit, word: &Flags) {
    let (queue, wait) = (&k.bit_waitqueue, k.current());
    spin_lock_irqsave(&k.cpus, &queue.lock);
    queue.edit(|entries| {
        if !entries.iter().any(|entry| entry.sleeper == wait.index) {
            entries.push(Entry { sleeper: wait.index, word: word.object(), bit: bit.nr });
        }
    });
    set_current_state(wait.task(), TASK_UNINTERRUPTIBLE);
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
}

/// A task is in the queue, and has not looked at the bit yet.
pub const QUEUED_FOR_A_BIT: &str = "a task was queued to wait for a bit";

/// `wait_on_bit_lock()`: returns with the bit set by the caller.
pub fn wait_on_bit_lock(k: &Kernel, bit: Bit, word: &Flags) {
    let got = __wait_on_bit_lock(k, bit, word, false);
    debug_assert!(got, "nothing but a wake-up ends this wait");
}

/// `wait_on_bit_lock()` with an action that sleeps for a limited time, as `bit_wait_timeout()`:
/// false if the time is over and the bit is still set.
pub fn wait_on_bit_lock_timeout(k: &Kernel, bit: Bit, word: &Flags) -> bool {
    __wait_on_bit_lock(k, bit, word, true)
}

/// `__wait_on_bit_lock()`: who gives up tries the bit once more when it is off the queue, so that
/// no wake-up is lost with it.
pub fn __wait_on_bit_lock(k: &Kernel, bit: Bit, word: &Flags, has_timeout: bool) -> bool {
    let _in = enter("__wait_on_bit_lock");
    let task = k.current().task();
    loop {
        prepare_to_wait_exclusive(k, bit, word);
        reached(QUEUED_FOR_A_BIT);
        let mut gives_up = false;
        if test_bit(bit, word) {
            awaits(bit, word, [task.object(); 2], NOBODY_WAITS_FOR_EVER);
            reached("a task slept on a bit");
            if has_timeout {
                schedule_timeout(&k.cpus, task);
                gives_up = timed_out(task);
            } else {
                schedule(&k.cpus, task);
            }
        }
        if gives_up {
            finish_wait(k);
        }
        if !test_and_set_bit(bit, word) {
            break;
        }
        if gives_up {
            return false;
        }
    }
    finish_wait(k);
    true
}

/// `finish_wait()`.
pub fn finish_wait(k: &Kernel) {
    let (queue, wait) = (&k.bit_waitqueue, k.current());
    __set_current_state(wait.task(), TASK_RUNNING);
    spin_lock_irqsave(&k.cpus, &queue.lock);
    queue.edit(|entries| entries.retain(|entry| entry.sleeper != wait.index));
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
}

/// `wake_up_bit()`: looks at the queue without its lock; the caller has a full barrier between
/// clearing the bit and this look. Wakes the first who sleeps for this bit of this word.
pub fn wake_up_bit(k: &Kernel, bit: Bit, word: &Flags) {
    let _in = enter_waker("wake_up_bit");
    let queue = &k.bit_waitqueue;
    if READ_ONCE(&queue.active) == 0 {
        return;
    }
    spin_lock_irqsave(&k.cpus, &queue.lock);
    for entry in queue.all() {
        if wake_bit_function(k, bit, word, entry) {
            break;
        }
    }
    spin_unlock_irqrestore(&k.cpus, &queue.lock);
}

/// `wake_bit_function()`: whether the waiter was woken. One that waits for something else, or finds
/// the bit set again, is passed over.
fn wake_bit_function(k: &Kernel, bit: Bit, word: &Flags, entry: Entry) -> bool {
    if entry.word != word.object() || entry.bit != bit.nr || test_bit(bit, word) {
        return false;
    }
    // autoremove_wake_function(): off the queue if it was woken.
    let is_woken = try_to_wake_up(&k.cpus, k.sleepers[entry.sleeper].task(), TASK_NORMAL);
    if is_woken {
        k.bit_waitqueue.edit(|entries| entries.retain(|other| other.sleeper != entry.sleeper));
    }
    is_woken
}
