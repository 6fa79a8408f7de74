//! `refcount_t`: a count of references that warns and saturates where an [`crate::Atomic`] would
//! wrap, or come back from 0.
//!
//! What the kernel warns of breaks [`KERNEL_ASSERTIONS_HOLD`]: the count is set to
//! [`REFCOUNT_SATURATED`], as there, and the execution ends with that.
//!
//! | function                     | ordering                                              |
//! |------------------------------|-------------------------------------------------------|
//! | `refcount_inc`, `refcount_add` | none                                                |
//! | `refcount_inc_not_zero`      | none; what follows depends on it (see below)          |
//! | `refcount_dec_and_test`      | release; and acquire if it was the last               |
//! | `refcount_dec`               | release                                               |
//!
//! Source: include/linux/refcount.h, lib/refcount.c, Documentation/core-api/refcount-vs-atomic.rst,
//! 6.12. That later stores wait for a `refcount_inc_not_zero()` that succeeded is a control
//! dependency, which no engine knows of: who relies on it says so.

use selvedge_explore::{Access, If, Rmw, fence};
use selvedge_trace::{Name, Order};

use crate::{KERNEL_ASSERTIONS_HOLD, READ_ONCE, Var, WRITE_ONCE, fail};

/// `REFCOUNT_SATURATED`: from here no number of references leads back.
pub const REFCOUNT_SATURATED: i64 = (i32::MIN / 2) as i64;

/// `refcount_t`
#[derive(Debug)]
pub struct RefCount(Var);

impl RefCount {
    /// `REFCOUNT_INIT(n)`. To be made while the scenario is set up.
    pub fn new(name: Name, n: i64) -> RefCount {
        RefCount(Var::new(name, n as u64))
    }

    /// The newest value, for a check's eyes only: no step.
    pub fn peek(&self) -> i64 {
        self.0.peek() as i64
    }
}

/// `refcount_warn_saturate()`
fn saturate(r: &RefCount, why: &str) -> ! {
    WRITE_ONCE(&r.0, REFCOUNT_SATURATED as u64);
    fail(KERNEL_ASSERTIONS_HOLD, format!("{}: {why}", r.0.name()));
}

/// Has a count of 31 bits and a sign gone out of its range?
fn is_out_of_range(count: i64) -> bool {
    count < 0 || count > i64::from(i32::MAX)
}

/// `refcount_read(r)`: orders nothing.
pub fn refcount_read(r: &RefCount) -> i64 {
    READ_ONCE(&r.0) as i64
}

/// `refcount_set(r, n)`: orders nothing.
pub fn refcount_set(r: &RefCount, n: i64) {
    WRITE_ONCE(&r.0, n as u64);
}

/// `refcount_add(n, r)`: orders nothing. Warns if the count was 0: nobody could have had the
/// reference on which this one rests.
pub fn refcount_add(n: i64, r: &RefCount) {
    add(n, r, "refcount_add");
}

/// `refcount_inc(r)`: the same, of one.
pub fn refcount_inc(r: &RefCount) {
    add(1, r, "refcount_inc");
}

fn add(n: i64, r: &RefCount, primitive: &'static str) {
    let old = r.0.0.update(Rmw::Add(n as u64), Access::relaxed(primitive)) as i64;
    if old == 0 {
        saturate(r, "a reference is added to a count of 0: it is used after it was freed");
    }
    if is_out_of_range(old) || is_out_of_range(old + n) {
        saturate(r, "the count saturates: the object leaks");
    }
}

/// `refcount_inc_not_zero(r)`: true if the count was not 0, and is one more.
pub fn refcount_inc_not_zero(r: &RefCount) -> bool {
    let access = Access::relaxed("refcount_inc_not_zero");
    match r.0.0.update_if(If::Differs(0), Rmw::Add(1), access) {
        Err(_) => false,
        Ok(old) if is_out_of_range(old as i64) || is_out_of_range(old as i64 + 1) => {
            saturate(r, "the count saturates: the object leaks")
        }
        Ok(_) => true,
    }
}

/// `refcount_dec_and_test(r)`: true, and an acquire besides the release, if it was the last.
pub fn refcount_dec_and_test(r: &RefCount) -> bool {
    let old = lower(r, "refcount_dec_and_test");
    if old == 1 {
        // smp_acquire__after_ctrl_dep()
        fence("smp_acquire__after_ctrl_dep", Order::Acquire);
        return true;
    }
    if is_out_of_range(old) || is_out_of_range(old - 1) {
        saturate(r, "a reference is put that nobody has: it is used after it was freed");
    }
    false
}

/// `refcount_dec(r)`: release. Warns if it was the last: nobody would free the object.
pub fn refcount_dec(r: &RefCount) {
    if lower(r, "refcount_dec") <= 1 {
        saturate(r, "the last reference is put, and nobody frees the object: it leaks");
    }
}

fn lower(r: &RefCount, primitive: &'static str) -> i64 {
    let access = Access::relaxed(primitive).order(Order::Release);
    r.0.0.update(Rmw::Add(u64::MAX), access) as i64
}
