//! 128-bit hashes of states.

use std::hash::{Hash, Hasher};

use twox_hash::XxHash3_128;

/// A hasher of 128 bits: XXH3 of all that it is given.
///
/// Two different states are taken for one with a probability of 2^-128, as far as the hash behaves
/// like a random function: it is not made to withstand who looks for two, and nobody does.
#[derive(Clone, Debug)]
pub struct StateHash {
    bytes: Vec<u8>,
}

impl StateHash {
    pub(crate) fn new() -> StateHash {
        StateHash { bytes: Vec::with_capacity(0x1000) }
    }

    pub(crate) fn finish128(&self) -> u128 {
        XxHash3_128::oneshot(&self.bytes)
    }
}

impl Hasher for StateHash {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The lower half.
    fn finish(&self) -> u64 {
        self.finish128() as u64
    }
}

/// The hash of a part of a state that is kept by itself, of the same quality.
pub fn hash128(value: &(impl Hash + ?Sized)) -> u128 {
    let mut hash = StateHash::new();
    value.hash(&mut hash);
    hash.finish128()
}

/// The local state of a task, as far as it can be told from outside: a hash of what it has
/// observed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Local {
    /// What it was when the task was spawned: a hash of what its parent had observed.
    origin: u128,
    now: u128,
    /// It has read an object and has not said what it saw.
    pub(crate) owes: Option<u32>,
}

impl Local {
    pub(crate) fn spawned_by(parent: &Local, number: usize) -> Local {
        let origin = mix(parent.now, number as u64, 0);
        Local { origin, now: origin, owes: None }
    }

    /// A step has been taken.
    pub(crate) fn tick(&mut self) {
        self.now = mix(self.now, 0, 1);
    }

    pub(crate) fn observe(&mut self, value: u64) {
        self.now = mix(self.now, value, 2);
        self.owes = None;
    }

    pub(crate) fn at_rest(&mut self, position: u64) {
        self.now = mix(self.origin, position, 3);
        self.owes = None;
    }

    /// The hash of it.
    pub(crate) fn now(&self) -> u128 {
        self.now
    }
}

fn mix(before: u128, value: u64, kind: u64) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&before.to_le_bytes());
    bytes[16..24].copy_from_slice(&value.to_le_bytes());
    bytes[24..].copy_from_slice(&kind.to_le_bytes());
    XxHash3_128::oneshot(&bytes)
}

/// What is hashed is a hash already: half of it will do.
#[derive(Default)]
pub(crate) struct Half(u64);

impl Hasher for Half {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a u128 is hashed as one")
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
