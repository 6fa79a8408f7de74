//! Spinlocks and mutexes. An unlock and the next lock of the same lock order everything before the
//! one before everything after the other; for a third CPU that takes no lock, all but a store
//! before and a load after (LKMM's `po-unlock-lock-po`).

use std::sync::Arc;

use selvedge_explore::{Lock, abilities, enter, me};
use selvedge_trace::Name;

use crate::smp_store_release;
use crate::{Cpus, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, READ_ONCE, Var, WRITE_ONCE, fail};
use crate::{Interrupted, TASK_INTERRUPTIBLE, TASK_KILLABLE, Task, Waiters};
use crate::{local_bh_disable, local_bh_enable};
use crate::{local_irq_disable, local_irq_enable, local_irq_restore, local_irq_save};
use crate::{might_sleep, preempt_disable, preempt_enable};

/// `spinlock_t`. Its holder cannot be preempted; with PREEMPT_RT it can, and a waiter sleeps.
#[derive(Debug)]
pub struct SpinLock(Lock, Option<Var>);

impl SpinLock {
    /// `DEFINE_SPINLOCK`. To be made while the scenario is set up.
    pub fn new(name: Name) -> SpinLock {
        SpinLock(Lock::new(name).ordering_others(), None)
    }

    /// The same, for a lock that somebody asks `spin_is_locked()` of. Its word costs a step more in
    /// each lock and unlock; what locks exclude and order does not rest on it. (It has none where
    /// locks are words themselves.)
    pub fn observable(name: Name) -> SpinLock {
        let word = (!abilities().locks_are_words).then(|| Var::new(name, 0));
        SpinLock(Lock::new(name).ordering_others(), word)
    }

    fn lock(&self, primitive: &'static str) {
        self.0.lock(primitive);
        if let Some(word) = &self.1 {
            WRITE_ONCE(word, 1);
        }
    }

    fn try_lock(&self, primitive: &'static str) -> bool {
        let taken = self.0.try_lock(primitive);
        if let Some(word) = self.1.as_ref().filter(|_| taken) {
            WRITE_ONCE(word, 1);
        }
        taken
    }

    fn unlock(&self, primitive: &'static str) {
        check_holder(&self.0, primitive);
        if let Some(word) = &self.1 {
            smp_store_release(word, 0);
        }
        self.0.unlock(primitive);
    }

    /// `lockdep_is_held(lock)`: no step.
    pub fn is_held_by_me(&self) -> bool {
        self.0.holder() == Some(me())
    }
}

/// `struct mutex`.
#[derive(Debug)]
pub struct Mutex(Lock, Option<Waiters>);

impl Mutex {
    /// `DEFINE_MUTEX`. To be made while the scenario is set up.
    pub fn new(name: Name) -> Mutex {
        Mutex(Lock::new(name).ordering_others(), None)
    }

    /// The same, for one that somebody waits for by [`mutex_lock_killable`] or
    /// [`mutex_lock_interruptible`].
    pub fn killable(cpus: &Arc<Cpus>, name: Name) -> Mutex {
        Mutex(Lock::new(name).ordering_others(), Some(Waiters::new(cpus, Name::new("wait_lock"))))
    }

    /// The task that holds it, for a check's eyes only.
    pub fn holder(&self) -> Option<usize> {
        self.0.holder()
    }
}

fn check_holder(lock: &Lock, primitive: &str) {
    if lock.holder() != Some(me()) {
        let message = format!("{primitive}({}) by a task that does not hold it", lock.name());
        fail(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message);
    }
}

/// A spinlock sleeps with PREEMPT_RT, and leaves preemption and interrupts as they are.
fn sleeps(cpus: &Cpus, primitive: &'static str) -> bool {
    if cpus.is_preempt_rt() {
        might_sleep(cpus, primitive);
    }
    cpus.is_preempt_rt()
}

/// `spin_lock(lock)`: acquire.
pub fn spin_lock(cpus: &Cpus, lock: &SpinLock) {
    if !sleeps(cpus, "spin_lock") {
        preempt_disable(cpus);
    }
    lock.lock("spin_lock");
}

/// `spin_trylock(lock)`: true, and an acquire, if it was free; preemption stays off then. If not,
/// it orders nothing. Never sleeps, with PREEMPT_RT neither.
pub fn spin_trylock(cpus: &Cpus, lock: &SpinLock) -> bool {
    if !cpus.is_preempt_rt() {
        preempt_disable(cpus);
    }
    let taken = lock.try_lock("spin_trylock");
    if !taken && !cpus.is_preempt_rt() {
        preempt_enable(cpus);
    }
    taken
}

/// `spin_unlock(lock)`: release.
pub fn spin_unlock(cpus: &Cpus, lock: &SpinLock) {
    lock.unlock("spin_unlock");
    if !cpus.is_preempt_rt() {
        preempt_enable(cpus);
    }
}

/// `spin_is_locked(lock)`: orders nothing. Of an [`SpinLock::observable`] lock only.
///
/// # Panics
/// If the lock is not observable: a model's mistake.
pub fn spin_is_locked(lock: &SpinLock) -> bool {
    if abilities().locks_are_words {
        return lock.0.is_held("spin_is_locked");
    }
    READ_ONCE(lock.1.as_ref().expect("spin_is_locked() of an observable lock")) != 0
}

/// `raw_spinlock_t`: never sleeps, with PREEMPT_RT neither. Its steps are shown under the names of
/// a spinlock's.
#[derive(Debug)]
pub struct RawSpinLock(SpinLock);

impl RawSpinLock {
    /// `DEFINE_RAW_SPINLOCK`. To be made while the scenario is set up.
    pub fn new(name: Name) -> RawSpinLock {
        RawSpinLock(SpinLock::new(name))
    }
}

/// `raw_spin_lock_irqsave(lock, flags)`: acquire.
pub fn raw_spin_lock_irqsave(cpus: &Cpus, lock: &RawSpinLock) {
    local_irq_save(cpus);
    lock.0.lock("spin_lock_irqsave");
}

/// `raw_spin_unlock_irqrestore(lock, flags)`: release.
pub fn raw_spin_unlock_irqrestore(cpus: &Cpus, lock: &RawSpinLock) {
    lock.0.unlock("spin_unlock_irqrestore");
    local_irq_restore(cpus);
}

/// `spin_lock_bh(lock)`: softirqs of this CPU are off as long as it is held.
pub fn spin_lock_bh(cpus: &Cpus, lock: &SpinLock) {
    if !sleeps(cpus, "spin_lock_bh") {
        local_bh_disable(cpus);
    }
    lock.lock("spin_lock_bh");
}

/// `spin_unlock_bh(lock)`.
pub fn spin_unlock_bh(cpus: &Cpus, lock: &SpinLock) {
    lock.unlock("spin_unlock_bh");
    if !cpus.is_preempt_rt() {
        local_bh_enable(cpus);
    }
}

/// `spin_lock_irq(lock)`.
pub fn spin_lock_irq(cpus: &Cpus, lock: &SpinLock) {
    if !sleeps(cpus, "spin_lock_irq") {
        local_irq_disable(cpus);
    }
    lock.lock("spin_lock_irq");
}

/// `spin_unlock_irq(lock)`: interrupts are on when it returns, see [`local_irq_enable`].
pub fn spin_unlock_irq(cpus: &Cpus, lock: &SpinLock) {
    lock.unlock("spin_unlock_irq");
    if !cpus.is_preempt_rt() {
        local_irq_enable(cpus);
    }
}

/// `spin_lock_irqsave(lock, flags)`.
pub fn spin_lock_irqsave(cpus: &Cpus, lock: &SpinLock) {
    if !sleeps(cpus, "spin_lock_irqsave") {
        local_irq_save(cpus);
    }
    lock.lock("spin_lock_irqsave");
}

/// `spin_unlock_irqrestore(lock, flags)`.
pub fn spin_unlock_irqrestore(cpus: &Cpus, lock: &SpinLock) {
    lock.unlock("spin_unlock_irqrestore");
    if !cpus.is_preempt_rt() {
        local_irq_restore(cpus);
    }
}

/// `mutex_lock(lock)`: acquire; may sleep.
pub fn mutex_lock(cpus: &Cpus, lock: &Mutex) {
    might_sleep(cpus, "mutex_lock");
    lock.0.lock("mutex_lock");
}

/// `mutex_lock_killable(lock)`, by the task that runs: acquire; may sleep. Of a [`Mutex::killable`]
/// only.
///
/// # Errors
/// A signal that kills ended the wait; the mutex is not taken.
///
/// # Panics
/// If the mutex was not made for it: a model's mistake. So the other forms.
pub fn mutex_lock_killable(cpus: &Cpus, lock: &Mutex, current: &Task) -> Result<(), Interrupted> {
    let slowpath = "__mutex_lock_killable_slowpath";
    mutex_lock_in(cpus, lock, (current, TASK_KILLABLE), ("mutex_lock_killable", slowpath))
}

/// `mutex_lock_interruptible(lock)`: the same; any signal ends the wait.
///
/// # Errors
/// A signal ended the wait; the mutex is not taken.
pub fn mutex_lock_interruptible(
    cpus: &Cpus,
    lock: &Mutex,
    current: &Task,
) -> Result<(), Interrupted> {
    let names = ("mutex_lock_interruptible", "__mutex_lock_interruptible_slowpath");
    mutex_lock_in(cpus, lock, (current, TASK_INTERRUPTIBLE), names)
}

fn mutex_lock_in(
    cpus: &Cpus,
    lock: &Mutex,
    sleep: (&Task, u64),
    (primitive, slowpath): (&'static str, &'static str),
) -> Result<(), Interrupted> {
    might_sleep(cpus, primitive);
    if lock.0.lock_or_queue(primitive) {
        return Ok(());
    }
    let _in = enter(slowpath);
    let takes = || lock.0.try_lock(primitive);
    lock.1.as_ref().expect("Mutex::killable()").wait(sleep, takes)
}

/// `mutex_trylock(lock)`: true, and an acquire, if it was free. If not, it orders nothing.
pub fn mutex_trylock(lock: &Mutex) -> bool {
    lock.0.try_lock("mutex_trylock")
}

/// `mutex_unlock(lock)`: release.
pub fn mutex_unlock(lock: &Mutex) {
    check_holder(&lock.0, "mutex_unlock");
    lock.0.unlock("mutex_unlock");
    if let Some(waiters) = &lock.1 {
        waiters.wake();
    }
}
