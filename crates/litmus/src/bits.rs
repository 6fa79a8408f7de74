//! Bits of a word, as Documentation/atomic_bitops.txt of the kernel has them: `set_bit(0, x)`.
//!
//! linux-kernel.def of the memory model has none of them, so that herd reads none. What they order
//! is said where each is rendered, in `selvedge_kernel`.

use selvedge_kernel::{
    __clear_bit, __set_bit, Atomic, Bit, Flags, clear_bit, clear_bit_unlock, fail, set_bit,
    test_and_clear_bit, test_and_set_bit, test_and_set_bit_lock, test_bit, test_bit_acquire,
    xor_unlock_is_negative_byte,
};

use crate::machine::POINTERS_POINT;
use crate::primitives::Does;
use crate::primitives::Meaning::{self, ValueWord};

fn bit(number: i64) -> Bit {
    let nr = u32::try_from(number).ok().filter(|nr| *nr < u64::BITS);
    let none = || fail(POINTERS_POINT, format!("{number} is no number of a bit, 0 to 63"));
    Bit { nr: nr.unwrap_or_else(none), name: "bit" }
}

fn flags(v: &Atomic) -> Flags {
    Flags::of(v.counter())
}

/// A call that returns nothing.
macro_rules! void {
    ($call:ident) => {
        ValueWord(|v, nr, _| {
            $call(bit(nr), &flags(v));
            0
        })
    };
}

/// A call that says what was there.
macro_rules! value {
    ($call:ident) => {
        ValueWord(|v, nr, _| i64::from($call(bit(nr), &flags(v))))
    };
}

/// What is called on a bit, the bit's number first.
pub(crate) const BITS: &[(&str, Does, Meaning)] = &[
    ("test_bit", Does::Looks, value!(test_bit)),
    ("test_bit_acquire", Does::Looks, value!(test_bit_acquire)),
    ("set_bit", Does::Updates, void!(set_bit)),
    ("clear_bit", Does::Updates, void!(clear_bit)),
    ("test_and_set_bit", Does::Updates, value!(test_and_set_bit)),
    ("test_and_clear_bit", Does::Updates, value!(test_and_clear_bit)),
    ("test_and_set_bit_lock", Does::Updates, value!(test_and_set_bit_lock)),
    ("clear_bit_unlock", Does::UpdatesRelease, void!(clear_bit_unlock)),
    ("__set_bit", Does::Stores, void!(__set_bit)),
    ("__clear_bit", Does::Stores, void!(__clear_bit)),
    // The mask that is changed; what it tells is bit 7, PG_waiters.
    (
        "xor_unlock_is_negative_byte",
        Does::UpdatesRelease,
        ValueWord(|v, mask, _| {
            i64::from(xor_unlock_is_negative_byte(mask as u64, bit(7), &flags(v)))
        }),
    ),
];
