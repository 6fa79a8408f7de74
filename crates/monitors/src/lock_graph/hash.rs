//! Hashes of 128 bits that are good enough to take for what they are of: that two things have one
//! is less likely than that the machine errs.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// What has been seen, by its hash.
pub(super) type Seen = HashSet<(u64, u64), BuildHasherDefault<First>>;

/// Two hashes, each good enough for a table.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Hash(pub(super) u64, pub(super) u64);

impl Hash {
    #[inline]
    pub(super) fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.1 = (self.1.rotate_left(23) ^ value).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        self.1 ^= self.1 >> 29;
    }

    /// As the set has it.
    pub(super) fn finish(self) -> (u64, u64) {
        (self.0, self.1)
    }
}

/// Takes the first number of a hash for the hash of it.
#[derive(Default)]
pub(super) struct First(u64);

impl Hasher for First {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // A table looks at the low bits, and at the highest.
        self.0 = self.0.rotate_left(32) ^ value;
    }
}
