//! Spin locks and mutexes, on the kernel's own memory. Who spins on a lock sleeps until it is free;
//! nobody reads the word of a lock but the lock.

use selvedge_explore::me;
use selvedge_kernel as kernel;

use super::cpu::{selvedge_irq_disable, selvedge_irq_enable, selvedge_irq_restore};
use super::cpu::{selvedge_irq_save, selvedge_preempt_count_add};
use super::{cpus, is_step};
use crate::native::world::{As, lock};

/// Takes a lock.
pub(super) fn take(at: u64, kind: As, primitive: &'static str) {
    if is_step() {
        lock(at, kind).lock(primitive);
    }
}

/// Gives it back.
pub(super) fn give(at: u64, kind: As, primitive: &'static str) {
    if !is_step() {
        return;
    }
    let lock = lock(at, kind);
    if lock.holder() != Some(me()) {
        let message = format!("{primitive}({}) by a task that does not hold it", lock.name());
        kernel::fail(kernel::LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message);
    }
    lock.unlock(primitive);
}

pub extern "C" fn raw_spin_lock(at: u64) {
    selvedge_preempt_count_add(1);
    take(at, As::Lock, "spin_lock");
}

pub extern "C" fn raw_spin_unlock(at: u64) {
    give(at, As::Lock, "spin_unlock");
    selvedge_preempt_count_add(-1);
}

pub extern "C" fn raw_spin_lock_irq(at: u64) {
    selvedge_irq_disable();
    take(at, As::Lock, "spin_lock_irq");
}

pub extern "C" fn raw_spin_unlock_irq(at: u64) {
    give(at, As::Lock, "spin_unlock_irq");
    selvedge_irq_enable();
}

pub extern "C" fn raw_spin_lock_irqsave(at: u64) -> u64 {
    let flags = selvedge_irq_save();
    take(at, As::Lock, "spin_lock_irqsave");
    flags
}

pub extern "C" fn raw_spin_unlock_irqrestore(at: u64, flags: u64) {
    give(at, As::Lock, "spin_unlock_irqrestore");
    selvedge_irq_restore(flags);
}

pub extern "C" fn mutex_lock(at: u64) {
    if is_step() {
        kernel::might_sleep(&cpus(), "mutex_lock");
        take(at, As::Lock, "mutex_lock");
    }
}

pub extern "C" fn mutex_unlock(at: u64) {
    give(at, As::Lock, "mutex_unlock");
}
