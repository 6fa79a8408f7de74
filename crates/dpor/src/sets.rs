//! Sets of the steps of an execution, as rows of bits: one bit for each step, in their order.

use serde::{Deserialize, Serialize};

use std::ops::Range;

/// The bits of one number.
const BITS: usize = u64::BITS as usize;

/// Several sets, all of the same length.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Sets {
    /// How many numbers each has.
    stride: usize,
    bits: Vec<u64>,
}

impl Sets {
    /// So many sets that nothing is in, of steps below `steps`.
    pub(crate) fn empty(count: usize, steps: usize) -> Sets {
        let stride = steps.div_ceil(BITS);
        Sets { stride, bits: vec![0; count * stride] }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.bits.len().checked_div(self.stride).unwrap_or(0)
    }

    /// The steps of one; none if there is no such set.
    #[inline]
    pub(crate) fn of(&self, set: usize) -> &[u64] {
        let first = self.bits.get(set * self.stride..);
        first.and_then(|bits| bits.get(..self.stride)).unwrap_or(&[])
    }

    #[inline]
    pub(crate) fn has(&self, set: usize, step: usize) -> bool {
        self.bits[set * self.stride + step / BITS] & bit(step) != 0
    }

    #[inline]
    pub(crate) fn insert(&mut self, set: usize, step: usize) {
        self.bits[set * self.stride + step / BITS] |= bit(step);
    }

    pub(crate) fn of_mut(&mut self, set: usize) -> &mut [u64] {
        &mut self.bits[set * self.stride..(set + 1) * self.stride]
    }

    /// Puts into `into` the numbers of those of these sets that the step is not in.
    pub(crate) fn without(&self, step: usize, sets: Range<usize>, into: &mut [u64]) {
        let (column, bit) = (step / BITS, bit(step));
        let rows = &self.bits[sets.start * self.stride..sets.end.max(sets.start) * self.stride];
        for (set, row) in sets.zip(rows.chunks_exact(self.stride.max(1))) {
            if row[column] & bit == 0 {
                into[set / BITS] |= 1 << (set % BITS);
            }
        }
    }

    /// Adds to a set what is in one before it.
    #[inline]
    pub(crate) fn include(&mut self, set: usize, from: usize) {
        let (before, after) = self.bits.split_at_mut(set * self.stride);
        let from = &before[from * self.stride..][..self.stride];
        after.iter_mut().zip(from).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Makes `into` the steps that are in all of these sets: every step, if there is no set.
    pub(crate) fn in_all(&self, sets: Range<usize>, into: &mut Vec<u64>) {
        let rows = &self.bits[sets.start * self.stride..sets.end * self.stride];
        let in_all = |column| {
            let rows = rows.chunks_exact(self.stride);
            rows.fold(!0, |all, row: &[u64]| all & row[column])
        };
        into.clear();
        into.extend((0..self.stride).map(in_all));
    }

    /// There are so many sets, the new ones without a step.
    pub(crate) fn resize(&mut self, count: usize) {
        self.bits.resize(count * self.stride, 0);
    }

    /// Makes room for steps below `steps`.
    pub(crate) fn make_room(&mut self, steps: usize) {
        let stride = steps.div_ceil(BITS);
        if stride <= self.stride {
            return;
        }
        let mut wider = Sets { stride, bits: vec![0; self.count() * stride] };
        for set in 0..self.count() {
            wider.bits[set * stride..][..self.stride].copy_from_slice(self.of(set));
        }
        *self = wider;
    }

    /// Takes the steps from `first` on out of all sets.
    pub(crate) fn forget_from(&mut self, first: usize) {
        let (whole, part) = (first / BITS, bit(first) - 1);
        for set in self.bits.chunks_exact_mut(self.stride.max(1)) {
            forget_later(set, whole, part);
        }
    }
}

/// Keeps the numbers before the one at `whole`, and of that one the bits of `part`.
fn forget_later(set: &mut [u64], whole: usize, part: u64) {
    if let Some((at, later)) = set.get_mut(whole..).and_then(<[u64]>::split_first_mut) {
        *at &= part;
        later.fill(0);
    }
}

/// Takes the steps from `first` on out of the set.
pub(crate) fn forget_from(set: &mut [u64], first: usize) {
    forget_later(set, first / BITS, bit(first) - 1);
}

const fn bit(step: usize) -> u64 {
    1 << (step % BITS)
}

/// Is the step in the set?
#[inline]
pub(crate) fn has(set: &[u64], step: usize) -> bool {
    set.get(step / BITS).is_some_and(|bits| bits & bit(step) != 0)
}

#[inline]
pub(crate) fn remove(set: &mut [u64], step: usize) {
    set[step / BITS] &= !bit(step);
}

pub(crate) fn is_empty(set: &[u64]) -> bool {
    set.iter().all(|bits| *bits == 0)
}

/// One more than the last step; 0 if there is none.
#[inline]
pub(crate) fn end(set: &[u64]) -> usize {
    let last = set.iter().rposition(|bits| *bits != 0);
    last.map_or(0, |at| (at + 1) * BITS - set[at].leading_zeros() as usize)
}

/// The first step that is in both.
#[inline]
pub(crate) fn first_of_both(a: &[u64], b: &[u64]) -> Option<usize> {
    let both = a.iter().zip(b).map(|(a, b)| a & b);
    let (at, bits) = both.enumerate().find(|(_, bits)| *bits != 0)?;
    Some(at * BITS + bits.trailing_zeros() as usize)
}

/// Keeps what is in the other set too.
pub(crate) fn keep_common(set: &mut [u64], other: &[u64]) {
    let (common, alone) = set.split_at_mut(set.len().min(other.len()));
    common.iter_mut().zip(other).for_each(|(mine, theirs)| *mine &= theirs);
    alone.fill(0);
}

/// The steps of a set, in order.
#[inline]
pub(crate) fn steps(set: &[u64]) -> impl DoubleEndedIterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(at, &bits)| Steps { bits, from: at * BITS })
}

/// The steps of one number of a set.
struct Steps {
    bits: u64,
    from: usize,
}

impl Iterator for Steps {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let first = self.bits.trailing_zeros() as usize;
        (self.bits != 0).then(|| {
            self.bits &= self.bits - 1;
            self.from + first
        })
    }
}

impl DoubleEndedIterator for Steps {
    #[inline]
    fn next_back(&mut self) -> Option<usize> {
        let last = self.bits.checked_ilog2()? as usize;
        self.bits &= !bit(last);
        Some(self.from + last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(set: &[u64]) -> Vec<usize> {
        steps(set).collect()
    }

    fn insert(set: &mut [u64], step: usize) {
        set[step / BITS] |= bit(step);
    }

    #[test]
    fn sets_keep_their_steps_when_they_become_longer() {
        let mut sets = Sets::default();
        sets.make_room(3);
        sets.resize(2);
        sets.insert(0, 2);
        sets.make_room(130);
        sets.resize(3);
        sets.insert(2, 64);
        sets.insert(2, 129);
        sets.include(2, 0);
        assert_eq!((of(sets.of(0)), of(sets.of(1))), (vec![2], vec![]));
        assert_eq!(of(sets.of(2)), [2, 64, 129]);
        assert_eq!(steps(sets.of(2)).rev().collect::<Vec<_>>(), [129, 64, 2]);
        let mut all = Vec::new();
        for (among, expected) in [(0..1, &[2][..]), (1..3, &[]), (2..3, &[2, 64, 129])] {
            sets.in_all(among, &mut all);
            assert_eq!(of(&all), expected);
        }
        sets.in_all(1..1, &mut all);
        assert_eq!(all, [!0; 3]);
        assert!(sets.has(2, 129) && !sets.has(2, 128) && !has(sets.of(7), 1));
        for (step, among, expected) in [(2, 0..3, &[1][..]), (129, 1..3, &[1]), (129, 3..3, &[])] {
            let mut without = [0; 3];
            sets.without(step, among, &mut without);
            assert_eq!(of(&without), expected);
        }
    }

    #[test]
    fn later_steps_are_forgotten() {
        for first in [0, 1, 63, 64, 65, 128, 191] {
            let mut sets = Sets::empty(2, 192);
            (0..192).for_each(|step| sets.insert(1, step));
            sets.forget_from(first);
            assert_eq!(of(sets.of(1)), (0..first).collect::<Vec<_>>());
            let mut all = [!0; 3];
            forget_from(&mut all, first);
            assert_eq!(of(&all), (0..first).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_two_sets_have_in_common() {
        let (mut a, mut b) = ([0, 0], [0, 0]);
        for step in [3, 70, 90] {
            insert(&mut a, step);
        }
        for step in [4, 70, 90] {
            insert(&mut b, step);
        }
        assert_eq!(first_of_both(&a, &b), Some(70));
        remove(&mut b, 70);
        keep_common(&mut a, &b);
        assert_eq!(of(&a), [90]);
        assert_eq!((end(&a), end(&[3, 0]), end(&[0, 0])), (91, 2, 0));
        keep_common(&mut a, &[!0]);
        assert!(is_empty(&a) && first_of_both(&a, &b).is_none());
    }
}
