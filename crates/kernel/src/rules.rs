//! The kernel's own assertions, as rules.

use selvedge_explore::fail;
use selvedge_trace::Rule;

/// `VM_BUG_ON`, `BUG_ON`, `WARN_ON`: what the kernel itself says must be so.
pub const KERNEL_ASSERTIONS_HOLD: Rule = Rule("the kernel's own assertions hold");
/// `might_sleep()`.
pub const NOBODY_SLEEPS_IN_ATOMIC_CONTEXT: Rule = Rule("nobody sleeps in atomic context");
/// A lock is given back by its holder.
pub const LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER: Rule = Rule("a lock is unlocked by its holder");
/// The static work item of a CPU is not initialised again while it is on a list.
pub const NO_QUEUED_WORK_IS_REINITIALISED: Rule =
    Rule("a work item is never initialised again while it is queued");

/// `BUG_ON(!condition)`: breaks [`KERNEL_ASSERTIONS_HOLD`] unless the condition is true.
pub fn kernel_assert(condition: bool, otherwise: &str) {
    if !condition {
        fail(KERNEL_ASSERTIONS_HOLD, otherwise);
    }
}
