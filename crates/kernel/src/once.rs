//! Variables that are accessed with `READ_ONCE` and its kin, and plain ones.

use selvedge_explore::{Access, If, Rmw, Word};
use selvedge_trace::{Name, Order};

/// A shared variable of up to 64 bits.
#[derive(Debug)]
pub struct Var(pub(crate) Word);

impl Var {
    /// A variable with its first value. To be made while the scenario is set up.
    pub fn new(name: Name, value: u64) -> Var {
        Var(Word::new(name, value))
    }

    /// The newest value, for a check's eyes only: no step.
    pub fn peek(&self) -> u64 {
        self.0.peek()
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

/// `READ_ONCE(var)`: orders nothing.
pub fn READ_ONCE(var: &Var) -> u64 {
    var.0.load(Access::relaxed("READ_ONCE"))
}

/// `WRITE_ONCE(var, value)`: orders nothing.
pub fn WRITE_ONCE(var: &Var, value: u64) {
    var.0.store(value, Access::relaxed("WRITE_ONCE"));
}

/// `smp_load_acquire(&var)`.
pub fn smp_load_acquire(var: &Var) -> u64 {
    var.0.load(Access::relaxed("smp_load_acquire").order(Order::Acquire))
}

/// `smp_store_release(&var, value)`.
pub fn smp_store_release(var: &Var, value: u64) {
    var.0.store(value, Access::relaxed("smp_store_release").order(Order::Release));
}

/// `var` read by plain C: may race.
pub fn plain_read(var: &Var) -> u64 {
    var.0.load(Access::relaxed("read").plain())
}

/// `var = value` in plain C: may race.
pub fn plain_write(var: &Var, value: u64) {
    var.0.store(value, Access::relaxed("write").plain());
}

/// `data_race(var)`: a plain read that is meant to race, and said to be. Orders nothing.
pub fn data_race(var: &Var) -> u64 {
    var.0.load(Access::relaxed("data_race").racy())
}

/// `xchg(&var, value)`: full barrier on both sides.
pub fn xchg(var: &Var, value: u64) -> u64 {
    var.0.update(Rmw::Swap(value), Access::relaxed("xchg").order(Order::Full))
}

/// `cmpxchg(&var, old, new)`: returns what was there. Full barrier if it happened, nothing if not.
pub fn cmpxchg(var: &Var, old: u64, new: u64) -> u64 {
    let access = Access::relaxed("cmpxchg").order(Order::Full);
    match var.0.update_if(If::Equals(old), Rmw::Swap(new), access) {
        Ok(seen) | Err(seen) => seen,
    }
}
