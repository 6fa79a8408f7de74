//! 128-bit hashes of states.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A hasher of 128 bits: two SipHash-1-3 of the same input behind different prefixes.
///
/// Two different states are taken for one with a probability of 2^-128, as far as the two halves
/// behave like independent random functions.
#[derive(Clone, Debug)]
pub struct StateHash {
    halves: [DefaultHasher; 2],
}

impl StateHash {
    pub(crate) fn new() -> StateHash {
        let mut halves = [DefaultHasher::new(), DefaultHasher::new()];
        halves[0].write_u64(0);
        halves[1].write_u64(1);
        StateHash { halves }
    }

    pub(crate) fn finish128(&self) -> u128 {
        let [low, high] = &self.halves;
        u128::from(low.finish()) | u128::from(high.finish()) << 64
    }
}

impl Hasher for StateHash {
    fn write(&mut self, bytes: &[u8]) {
        self.halves.iter_mut().for_each(|half| half.write(bytes));
    }

    fn write_u64(&mut self, value: u64) {
        self.halves.iter_mut().for_each(|half| half.write_u64(value));
    }

    /// The lower half.
    fn finish(&self) -> u64 {
        self.halves[0].finish()
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
    let mut hash = StateHash::new();
    hash.write_u128(before);
    hash.write_u64(value);
    hash.write_u64(kind);
    hash.finish128()
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
