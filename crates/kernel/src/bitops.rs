//! Bits of a flags word (Documentation/atomic_bitops.txt). A step is about its bit alone: steps on
//! different bits of one word are independent, but for the forms with two underscores.

use selvedge_explore::{Access, If, Rmw, Word};
use selvedge_trace::{Bit, Name, Order};

use crate::Var;

/// A word of flags: `folio->flags`, `bh->b_state`.
#[derive(Debug)]
pub struct Flags(pub(crate) Word);

impl Flags {
    /// A flags word. To be made while the scenario is set up.
    pub fn new(name: Name, bits: u64) -> Flags {
        Flags(Word::new(name, bits))
    }

    /// The word of this variable, for who accesses one word as bits and as a number.
    pub fn of(var: &Var) -> Flags {
        Flags(var.0.clone())
    }

    /// Whether the bit is set in the newest value, for a check's eyes only: no step.
    pub fn peek(&self, bit: Bit) -> bool {
        self.0.peek() & bit.mask() != 0
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

const fn on(bit: Bit, primitive: &'static str) -> Access {
    Access::relaxed(primitive).bit(bit)
}

/// `test_bit(bit, flags)`: orders nothing.
pub fn test_bit(bit: Bit, flags: &Flags) -> bool {
    flags.0.load(on(bit, "test_bit")) & bit.mask() != 0
}

/// `test_bit_acquire(bit, flags)`
pub fn test_bit_acquire(bit: Bit, flags: &Flags) -> bool {
    let access = on(bit, "test_bit_acquire").order(Order::Acquire);
    flags.0.load(access) & bit.mask() != 0
}

/// `set_bit(bit, flags)`: atomic, orders nothing.
pub fn set_bit(bit: Bit, flags: &Flags) {
    flags.0.update_void(Rmw::Or(bit.mask()), on(bit, "set_bit"));
}

/// `clear_bit(bit, flags)`: atomic, orders nothing.
pub fn clear_bit(bit: Bit, flags: &Flags) {
    flags.0.update_void(Rmw::And(!bit.mask()), on(bit, "clear_bit"));
}

/// `test_and_set_bit(bit, flags)`: full barrier on both sides. True if it was set before.
pub fn test_and_set_bit(bit: Bit, flags: &Flags) -> bool {
    let access = on(bit, "test_and_set_bit").order(Order::Full);
    flags.0.update(Rmw::Or(bit.mask()), access) & bit.mask() != 0
}

/// `test_and_clear_bit(bit, flags)`: full barrier on both sides. True if it was set before.
pub fn test_and_clear_bit(bit: Bit, flags: &Flags) -> bool {
    let access = on(bit, "test_and_clear_bit").order(Order::Full);
    flags.0.update(Rmw::And(!bit.mask()), access) & bit.mask() != 0
}

/// `test_and_set_bit_lock(bit, flags)`: acquire if it takes the bit, nothing if not. True if it was
/// set before.
pub fn test_and_set_bit_lock(bit: Bit, flags: &Flags) -> bool {
    let access = on(bit, "test_and_set_bit_lock").order(Order::Acquire);
    flags.0.update_if(If::Clear(bit.mask()), Rmw::Or(bit.mask()), access).is_err()
}

/// `clear_bit_unlock(bit, flags)`: release.
pub fn clear_bit_unlock(bit: Bit, flags: &Flags) {
    let access = on(bit, "clear_bit_unlock").order(Order::Release);
    flags.0.update_void(Rmw::And(!bit.mask()), access);
}

/// `__set_bit(bit, flags)`: a plain load and a plain store of the whole word. Loses what others
/// change in between.
pub fn __set_bit(bit: Bit, flags: &Flags) {
    let seen = flags.0.load(Access::relaxed("__set_bit").plain());
    flags.0.store(seen | bit.mask(), Access::relaxed("__set_bit").plain());
}

/// `__clear_bit(bit, flags)`: likewise.
pub fn __clear_bit(bit: Bit, flags: &Flags) {
    let seen = flags.0.load(Access::relaxed("__clear_bit").plain());
    flags.0.store(seen & !bit.mask(), Access::relaxed("__clear_bit").plain());
}

/// `xor_unlock_is_negative_byte(mask, flags)`: changes the bits of `mask`, a lock bit that is set
/// with them, and in the same step tells whether `waiters`, a bit of the same byte, is set.
/// Release.
pub fn xor_unlock_is_negative_byte(mask: u64, waiters: Bit, flags: &Flags) -> bool {
    let access = Access::relaxed("xor_unlock_is_negative_byte")
        .bits(mask | waiters.mask())
        .order(Order::Release);
    flags.0.update(Rmw::Xor(mask), access) & waiters.mask() != 0
}
