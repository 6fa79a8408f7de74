//! Sets of events: bit `i` is event `i`.
//!
//! The loops are over indices: the adapters of iterators are functions of another crate, which are
//! called, and not inlined, where crates are compiled without link-time optimisation.

use crate::event::Id;

/// A set of events with numbers below `64 * W`.
#[derive(Clone, Copy, Eq, Debug)]
pub(crate) struct Bits<const W: usize>([u64; W]);

impl<const W: usize> PartialEq for Bits<W> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let mut differ = 0;
        for k in 0..W {
            differ |= self.0[k] ^ other.0[k];
        }
        differ == 0
    }
}

impl<const W: usize> Default for Bits<W> {
    #[inline]
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const W: usize> Bits<W> {
    pub(crate) const EMPTY: Self = Bits([0; W]);

    #[inline]
    pub(crate) fn set(&mut self, i: usize) {
        self.0[i >> 6] |= 1 << (i & 63);
    }

    pub(crate) fn set_all(&mut self, ids: &[Id]) {
        for &id in ids {
            self.set(usize::from(id));
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self, i: usize) {
        self.0[i >> 6] &= !(1 << (i & 63));
    }

    #[inline]
    pub(crate) fn has(&self, i: usize) -> bool {
        self.0[i >> 6] >> (i & 63) & 1 != 0
    }

    #[inline]
    pub(crate) fn add(&mut self, other: &Self) {
        for k in 0..W {
            self.0[k] |= other.0[k];
        }
    }

    #[inline]
    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    #[inline]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for k in 0..W {
            self.0[k] &= other.0[k];
        }
        self
    }

    #[inline]
    pub(crate) fn minus(mut self, other: &Self) -> Self {
        for k in 0..W {
            self.0[k] &= !other.0[k];
        }
        self
    }

    #[inline]
    pub(crate) fn with(mut self, i: usize) -> Self {
        self.set(i);
        self
    }

    #[inline]
    pub(crate) fn meets(&self, other: &Self) -> bool {
        let mut any = 0;
        for k in 0..W {
            any |= self.0[k] & other.0[k];
        }
        any != 0
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let mut any = 0;
        for k in 0..W {
            any |= self.0[k];
        }
        any == 0
    }

    /// Those with a number of at least `n`.
    #[inline]
    pub(crate) fn from(self, n: usize) -> Self {
        self.minus(&Self::below(n))
    }

    /// All events with a number below `n`.
    #[inline]
    pub(crate) fn below(n: usize) -> Self {
        let mut all = Self::EMPTY;
        for k in 0..W {
            all.0[k] = match n.saturating_sub(k * 64) {
                0 => 0,
                left if left >= 64 => !0,
                left => (1 << left) - 1,
            };
        }
        all
    }

    /// All events that are not in it.
    #[inline]
    pub(crate) fn complement(mut self) -> Self {
        for k in 0..W {
            self.0[k] = !self.0[k];
        }
        self
    }

    #[inline]
    pub(crate) fn highest(&self) -> Option<usize> {
        let mut k = W;
        while k > 0 {
            k -= 1;
            if self.0[k] != 0 {
                return Some(k * 64 + 63 - self.0[k].leading_zeros() as usize);
            }
        }
        None
    }

    #[inline]
    pub(crate) fn iter(self) -> Iter<W> {
        Iter { left: self, word: 0 }
    }
}

/// The events of a set, in the order of their numbers.
pub(crate) struct Iter<const W: usize> {
    left: Bits<W>,
    word: usize,
}

impl<const W: usize> Iterator for Iter<W> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.word < W {
            let word = self.left.0[self.word];
            if word != 0 {
                self.left.0[self.word] = word & (word - 1);
                return Some(self.word * 64 + word.trailing_zeros() as usize);
            }
            self.word += 1;
        }
        None
    }
}
