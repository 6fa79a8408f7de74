//! `local_lock_t`: protects data of one CPU from what else runs there.
//!
//! | kernel       | `local_lock`                          | `local_lock_irqsave`    |
//! |--------------|---------------------------------------|-------------------------|
//! | !PREEMPT_RT  | preemption off; orders nothing        | interrupts off          |
//! | PREEMPT_RT   | a sleeping lock of this CPU, and an RCU reader | the same: interrupts stay on |
//!
//! On PREEMPT_RT its holder is not moved to another CPU either (`migrate_disable()`).
//! Source: include/linux/local_lock_internal.h, kernel/locking/spinlock_rt.c, 6.12.

use std::sync::Arc;

use selvedge_explore::{Lock, me};
use selvedge_trace::Name;

use crate::{Cpus, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, PerCpu, fail, might_sleep};

/// `local_lock_t`. One of each CPU: `PerCpu<LocalLock>`.
#[derive(Debug)]
pub struct LocalLock(Option<Arc<Lock>>);

impl LocalLock {
    /// `INIT_LOCAL_LOCK`, of one CPU. To be made while the scenario is set up.
    pub fn new(cpus: &Cpus, name: &'static str, cpu: usize) -> LocalLock {
        LocalLock(cpus.is_preempt_rt().then(|| {
            let lock = Arc::new(Lock::new(Name::new(name).on(cpu)));
            cpus.add_reader_section(cpu, lock.clone());
            lock
        }))
    }

    fn take(&self, cpus: &Cpus, primitive: &'static str) -> bool {
        let Some(lock) = &self.0 else { return false };
        might_sleep(cpus, primitive);
        lock.lock(primitive);
        true
    }

    fn give_back(&self, primitive: &'static str) -> bool {
        let Some(lock) = &self.0 else { return false };
        if lock.holder() != Some(me()) {
            let message = format!("{primitive}({}) by a task that does not hold it", lock.name());
            fail(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message);
        }
        lock.unlock(primitive);
        true
    }
}

/// `local_lock(&lock)`.
pub fn local_lock(cpus: &Cpus, lock: &PerCpu<LocalLock>) {
    cpus.may_be_moved_on_rt();
    if !lock.this().take(cpus, "local_lock") {
        cpus.preempt_off("local_lock");
    }
}

/// `local_unlock(&lock)`.
pub fn local_unlock(cpus: &Cpus, lock: &PerCpu<LocalLock>) {
    if !lock.this().give_back("local_unlock") {
        cpus.preempt_on("local_unlock");
    }
}

/// `local_lock_irqsave(&lock, flags)`; `flags` is kept here.
pub fn local_lock_irqsave(cpus: &Cpus, lock: &PerCpu<LocalLock>) {
    cpus.may_be_moved_on_rt();
    if !lock.this().take(cpus, "local_lock_irqsave") {
        cpus.irq_save("local_lock_irqsave");
    }
}

/// `local_unlock_irqrestore(&lock, flags)`.
pub fn local_unlock_irqrestore(cpus: &Cpus, lock: &PerCpu<LocalLock>) {
    if !lock.this().give_back("local_unlock_irqrestore") {
        cpus.irq_restore("local_unlock_irqrestore");
    }
}
