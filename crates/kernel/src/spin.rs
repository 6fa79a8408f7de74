//! Waits that do not give up their CPU: a loop around a load and `cpu_relax()`.
//!
//! Such a loop is one step here, the look that is its last; it is blocked until then. What it has
//! seen before is thrown away, so that nothing is lost, and a loop that never ends is a task that
//! waits for ever. It keeps its CPU as it is: with preemption on, others run there meanwhile; with
//! preemption or interrupts off nobody does, and if the condition waits for one of those the CPU is
//! lost: the kernel's watchdog calls that a soft lockup, or a hard one if interrupts are off.
//!
//! Left out: `CONFIG_PREEMPT_NONE`, under which a task that spins keeps its CPU although preemption
//! is on. All here is preemptible.
//! Source: include/asm-generic/barrier.h `smp_cond_load_relaxed()`, `smp_cond_load_acquire()`,
//! include/linux/processor.h `spin_until_cond()`, 6.12.

use selvedge_explore::{Access, Role};
use selvedge_trace::Order;

pub use selvedge_explore::If;

use crate::{Bit, Flags, Var};

/// `spin_until_cond(cond)`, of a condition on one variable: orders nothing.
pub fn spin_until(var: &Var, condition: If) -> u64 {
    spin(var, condition, "spin_until_cond", Order::Relaxed)
}

/// `smp_cond_load_relaxed(ptr, cond)`
pub fn smp_cond_load_relaxed(var: &Var, condition: If) -> u64 {
    spin(var, condition, "smp_cond_load_relaxed", Order::Relaxed)
}

/// `smp_cond_load_acquire(ptr, cond)`
pub fn smp_cond_load_acquire(var: &Var, condition: If) -> u64 {
    spin(var, condition, "smp_cond_load_acquire", Order::Acquire)
}

fn spin(var: &Var, condition: If, primitive: &'static str, order: Order) -> u64 {
    let access = Access::relaxed(primitive).order(order).role(Role::Spins);
    var.0.wait_until(condition, access)
}

/// `while (test_bit(bit, flags)) cpu_relax();`: orders nothing.
pub fn spin_until_clear(bit: Bit, flags: &Flags) {
    let access = Access::relaxed("test_bit").bit(bit).role(Role::Spins);
    flags.0.wait_until(If::Clear(bit.mask()), access);
}
