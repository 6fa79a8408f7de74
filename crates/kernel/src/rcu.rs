//! `synchronize_rcu`. Since the flavours of RCU were merged (v4.20, v5.0) a region with preemption
//! or interrupts off is a read-side critical section; with PREEMPT_RT a local lock's is one too
//! (those of spinlocks are left out: nothing here waits for them).
//!
//! Modelled by what it guarantees: a section that began before the call has ended when it returns,
//! and what it stored is visible; a section that begins later sees what was stored before the call.
//! Left out: callbacks, stalls, quiescent states of tasks with preemption on (they are in no
//! section).
//! Source: Documentation/RCU/Design/Memory-Ordering, kernel/rcu/tree.c `synchronize_rcu()`, 6.12.

use selvedge_explore::{abilities, enter, fence};
use selvedge_trace::Order;

use crate::{Cpus, Var, might_sleep, preempt_disable, preempt_enable, smp_load_acquire};
use crate::{smp_processor_id, smp_store_release};

/// `rcu_read_lock()` without PREEMPT_RCU: preemption off.
pub fn rcu_read_lock(cpus: &Cpus) {
    preempt_disable(cpus);
}

/// `rcu_read_unlock()`.
pub fn rcu_read_unlock(cpus: &Cpus) {
    preempt_enable(cpus);
}

/// `rcu_assign_pointer(p, value)`: release.
pub fn rcu_assign_pointer(pointer: &Var, value: u64) {
    smp_store_release(pointer, value);
}

/// `rcu_dereference(p)`. The kernel relies on the address dependency; no engine knows of those, so
/// that it is rendered as an acquire load, which also orders what does not depend on it.
pub fn rcu_dereference(pointer: &Var) -> u64 {
    smp_load_acquire(pointer)
}

/// `synchronize_rcu()`: may sleep.
pub fn synchronize_rcu(cpus: &Cpus) {
    wait_for_readers(cpus, "synchronize_rcu");
}

/// `synchronize_rcu_expedited()`: the same guarantee, sooner.
pub fn synchronize_rcu_expedited(cpus: &Cpus) {
    wait_for_readers(cpus, "synchronize_rcu_expedited");
}

fn wait_for_readers(cpus: &Cpus, function: &'static str) {
    let _in = enter(function);
    might_sleep(cpus, function);
    fence(function, Order::Full);
    for cpu in cpus.online() {
        // With PREEMPT_RT a reader may have been preempted, on the caller's CPU too.
        for section in cpus.reader_sections(cpu) {
            section.lock("wait for the RCU reader that holds");
            section.unlock("end of the RCU reader that held");
        }
        // The caller runs there, outside any section: none that began before is unfinished.
        if cpu == smp_processor_id() {
            continue;
        }
        // A section under interrupts off holds `irq`; where steps do not pass locks, `preempt` as
        // well.
        let preempt = cpus.preempt_of(cpu);
        preempt.lock("wait for preempt-off section of");
        preempt.unlock("end of preempt-off section of");
        if abilities().steps_pass_locks {
            let irq = cpus.irq_of(cpu);
            irq.lock("wait for irq-off section of");
            irq.unlock("end of irq-off section of");
        }
    }
    fence(function, Order::Full);
}
