//! `atomic_t`. Documentation/atomic_t.txt: a void form orders nothing, a form that returns a value
//! is a full barrier on both sides, a conditional form is one only if it happens.

use selvedge_explore::{Access, If, Rmw};
use selvedge_trace::{Name, Order};

use crate::Var;

/// `atomic_t`, and `atomic_long_t`: a signed counter.
#[derive(Debug)]
pub struct Atomic(pub(crate) Var);

impl Atomic {
    /// `ATOMIC_INIT(value)`. To be made while the scenario is set up.
    pub fn new(name: Name, value: i64) -> Atomic {
        Atomic(Var::new(name, value as u64))
    }

    /// The newest value, for a check's eyes only: no step.
    pub fn peek(&self) -> i64 {
        self.0.peek() as i64
    }

    /// `v->counter`: the variable itself, for `READ_ONCE` and its kin.
    pub fn counter(&self) -> &Var {
        &self.0
    }

    /// What it is called.
    pub fn name(&self) -> Name {
        self.0.name()
    }

    /// Its number in events.
    pub fn object(&self) -> u32 {
        self.0.object()
    }
}

const fn full(primitive: &'static str) -> Access {
    Access::relaxed(primitive).order(Order::Full)
}

/// `atomic_read(v)`: orders nothing.
pub fn atomic_read(v: &Atomic) -> i64 {
    v.0.0.load(Access::relaxed("atomic_read")) as i64
}

/// `atomic_set(v, value)`: orders nothing.
pub fn atomic_set(v: &Atomic, value: i64) {
    v.0.0.store(value as u64, Access::relaxed("atomic_set"));
}

/// `atomic_set_release(v, value)`.
pub fn atomic_set_release(v: &Atomic, value: i64) {
    v.0.0.store(value as u64, Access::relaxed("atomic_set_release").order(Order::Release));
}

/// `atomic_inc(v)`: orders nothing (x86 hides this: its LOCK prefix is a full barrier).
pub fn atomic_inc(v: &Atomic) {
    v.0.0.update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
}

/// `atomic_dec(v)`: orders nothing.
pub fn atomic_dec(v: &Atomic) {
    v.0.0.update_void(Rmw::Add(u64::MAX), Access::relaxed("atomic_dec"));
}

/// `atomic_add(n, v)`: orders nothing.
pub fn atomic_add(n: i64, v: &Atomic) {
    v.0.0.update_void(Rmw::Add(n as u64), Access::relaxed("atomic_add"));
}

/// `atomic_sub(n, v)`: orders nothing.
pub fn atomic_sub(n: i64, v: &Atomic) {
    v.0.0.update_void(Rmw::Add(n.wrapping_neg() as u64), Access::relaxed("atomic_sub"));
}

/// `atomic_inc_return(v)`: full barrier on both sides.
pub fn atomic_inc_return(v: &Atomic) -> i64 {
    v.0.0.update(Rmw::Add(1), full("atomic_inc_return")).wrapping_add(1) as i64
}

/// `atomic_dec_return(v)`: full barrier on both sides.
pub fn atomic_dec_return(v: &Atomic) -> i64 {
    v.0.0.update(Rmw::Add(u64::MAX), full("atomic_dec_return")).wrapping_sub(1) as i64
}

/// `atomic_dec_and_test(v)`: full barrier on both sides. True if it reached 0.
pub fn atomic_dec_and_test(v: &Atomic) -> bool {
    atomic_sub_and_test_as("atomic_dec_and_test", 1, v)
}

/// `atomic_sub_and_test(n, v)`: full barrier on both sides. True if it reached 0.
pub fn atomic_sub_and_test(n: i64, v: &Atomic) -> bool {
    atomic_sub_and_test_as("atomic_sub_and_test", n, v)
}

fn atomic_sub_and_test_as(primitive: &'static str, n: i64, v: &Atomic) -> bool {
    let old = v.0.0.update(Rmw::Add(n.wrapping_neg() as u64), full(primitive)) as i64;
    old.wrapping_sub(n) == 0
}

/// `atomic_xchg(v, new)`: full barrier on both sides.
pub fn atomic_xchg(v: &Atomic, new: i64) -> i64 {
    v.0.0.update(Rmw::Swap(new as u64), full("atomic_xchg")) as i64
}

/// `atomic_cmpxchg(v, old, new)`: returns what was there. Full barrier if it happened, nothing if
/// not.
pub fn atomic_cmpxchg(v: &Atomic, old: i64, new: i64) -> i64 {
    atomic_cmpxchg_ordered(v, old, new, Order::Full, "atomic_cmpxchg")
}

/// `atomic_add_unless(v, n, unless)`: true, and a full barrier, if it was added; nothing if not.
pub fn atomic_add_unless(v: &Atomic, n: i64, unless: i64) -> bool {
    let unless = If::Differs(unless as u64);
    v.0.0.update_if(unless, Rmw::Add(n as u64), full("atomic_add_unless")).is_ok()
}

/// `atomic_inc_not_zero(v)`.
pub fn atomic_inc_not_zero(v: &Atomic) -> bool {
    v.0.0.update_if(If::Differs(0), Rmw::Add(1), full("atomic_inc_not_zero")).is_ok()
}

/// `atomic_fetch_add` and the other value-returning forms with a suffix: `_relaxed`, `_acquire`,
/// `_release`, or none, which is a full barrier on both sides. Returns what was there.
pub fn atomic_fetch_ordered(v: &Atomic, rmw: Rmw, order: Order, primitive: &'static str) -> i64 {
    v.0.0.update(rmw, Access::relaxed(primitive).order(order)) as i64
}

/// `atomic_cmpxchg` with a suffix: the ordering if it happens, none if not. Returns what was there.
pub fn atomic_cmpxchg_ordered(
    v: &Atomic,
    old: i64,
    new: i64,
    order: Order,
    primitive: &'static str,
) -> i64 {
    let access = Access::relaxed(primitive).order(order);
    match v.0.0.update_if(If::Equals(old as u64), Rmw::Swap(new as u64), access) {
        Ok(seen) | Err(seen) => seen as i64,
    }
}
