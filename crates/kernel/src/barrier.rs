//! Barriers.

use selvedge_explore::{MemoryModel, With, abilities, fence, fence_with};
use selvedge_trace::Order;

/// `smp_mb()`: full.
pub fn smp_mb() {
    fence("smp_mb", Order::Full);
}

/// `smp_rmb()`: reads before it stay before reads after it. Rendered as an acquire fence, which
/// also keeps later writes back; no claim rests on the difference.
pub fn smp_rmb() {
    fence("smp_rmb", Order::Acquire);
}

/// `smp_wmb()`: writes before it stay before writes after it. Rendered as a release fence, which
/// also keeps earlier reads; no claim rests on the difference.
pub fn smp_wmb() {
    fence("smp_wmb", Order::Release);
}

/// The barrier that orders so, by name.
pub const fn barrier_name(order: Order) -> &'static str {
    match order {
        Order::Relaxed => "barrier",
        Order::Acquire => "smp_rmb",
        Order::Release => "smp_wmb",
        Order::Full => "smp_mb",
    }
}

/// No instruction, and nothing that the kernel writes: here the C has a branch on what was read,
/// and relies on it that writes in the branch come after that read. No engine sees a dependency
/// in Rust; `graph` is told of this one. The others need no telling (under sequential consistency
/// it changes nothing) or know of none (loom: a false alarm is possible).
pub fn ctrl_dep() {
    if abilities().memory == MemoryModel::Lkmm {
        fence_with("control dependency", Order::Relaxed, With::Branch);
    }
}

/// The same where the C follows a pointer, or an index, that was read last, and relies on it that
/// the one access that comes next comes after that read. (`rcu_dereference()` says so itself.)
pub fn addr_dep() {
    if abilities().memory == MemoryModel::Lkmm {
        fence_with("address dependency", Order::Relaxed, With::Address);
    }
}

/// `smp_mb__before_atomic()`: full, before an atomic that orders nothing.
pub fn smp_mb__before_atomic() {
    fence_with("smp_mb__before_atomic", Order::Full, With::NextUpdate);
}

/// `smp_mb__after_atomic()`: full, after an atomic that orders nothing.
pub fn smp_mb__after_atomic() {
    fence_with("smp_mb__after_atomic", Order::Full, With::LastUpdate);
}

/// `smp_mb__after_spinlock()`: full, after a lock was taken.
pub fn smp_mb__after_spinlock() {
    fence_with("smp_mb__after_spinlock", Order::Full, With::LastLock);
}

/// `smp_mb__after_unlock_lock()`: full, after an unlock and a lock.
pub fn smp_mb__after_unlock_lock() {
    fence_with("smp_mb__after_unlock_lock", Order::Full, With::UnlockAndLock);
}
