//! Spin locks and mutexes, on the kernel's own memory. Who spins on a lock sleeps until it is free;
//! nobody reads the word of a lock but the lock.

use selvedge_explore::me;
use selvedge_kernel as kernel;

use super::cpu::{selvedge_irq_disable, selvedge_irq_enable, selvedge_irq_restore};
use super::cpu::{selvedge_irq_save, selvedge_preempt_count_add};
use super::{cpus, is_step};
use crate::native::world::{As, is_idle, lock, with};

/// Takes a lock.
pub(super) fn take(at: u64, kind: As, primitive: &'static str) {
    if is_step() {
        lock(at, kind).lock(primitive);
        with(|world| world.sharing.takes(me(), order_of(at, kind)));
    }
}

/// What the lock is to who asks what comes before what.
fn order_of(at: u64, kind: As) -> u64 {
    at | (kind as u64) << 56
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
    with(|world| world.sharing.gives(me(), order_of(at, kind)));
    lock.unlock(primitive);
}

/// Interrupts off keep the CPU to the task, so that a lock that is taken so turns preemption not
/// off as well. `spin_lock_irq()` may be given back by `spin_unlock()`, and interrupts turned on
/// later: which it was is known by the lock.
fn irq_lock(at: u64) {
    if !is_idle() {
        with(|world| world.frame().irq_locks.push(at));
    }
}

/// Was it taken with interrupts off?
fn irq_unlock(at: u64) -> bool {
    with(|world| {
        let locks = &mut world.frame().irq_locks;
        let place = locks.iter().rposition(|&lock| lock == at);
        place.map(|place| locks.remove(place)).is_some()
    })
}

fn preempt_enable(at: u64) {
    if !is_idle() && !irq_unlock(at) {
        selvedge_preempt_count_add(-1);
    }
}

pub extern "C" fn raw_spin_lock(at: u64) {
    selvedge_preempt_count_add(1);
    take(at, As::Lock, "spin_lock");
}

pub extern "C" fn raw_spin_unlock(at: u64) {
    give(at, As::Lock, "spin_unlock");
    preempt_enable(at);
}

pub extern "C" fn raw_spin_lock_irq(at: u64) {
    selvedge_irq_disable();
    take(at, As::Lock, "spin_lock_irq");
    irq_lock(at);
}

pub extern "C" fn raw_spin_unlock_irq(at: u64) {
    give(at, As::Lock, "spin_unlock_irq");
    preempt_enable(at);
    selvedge_irq_enable();
}

pub extern "C" fn raw_spin_lock_irqsave(at: u64) -> u64 {
    let flags = selvedge_irq_save();
    take(at, As::Lock, "spin_lock_irqsave");
    irq_lock(at);
    flags
}

pub extern "C" fn raw_spin_unlock_irqrestore(at: u64, flags: u64) {
    give(at, As::Lock, "spin_unlock_irqrestore");
    preempt_enable(at);
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
