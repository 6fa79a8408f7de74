//! Sets of events: bit `i` is event `i`.

/// A set of events with numbers below `64 * W`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bits<const W: usize>([u64; W]);

impl<const W: usize> Default for Bits<W> {
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
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine |= theirs;
        }
    }

    #[inline]
    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    #[inline]
    pub(crate) fn and(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= theirs;
        }
        self
    }

    #[inline]
    pub(crate) fn minus(mut self, other: &Self) -> Self {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= !theirs;
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
        let both = self.0.iter().zip(&other.0);
        both.fold(0, |any, (mine, theirs)| any | (mine & theirs)) != 0
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// All events with a number below `n`.
    #[inline]
    pub(crate) fn below(n: usize) -> Self {
        let mut all = Self::EMPTY;
        for (k, word) in all.0.iter_mut().enumerate() {
            *word = match n.saturating_sub(k * 64) {
                0 => 0,
                left if left >= 64 => !0,
                left => (1 << left) - 1,
            };
        }
        all
    }

    #[inline]
    pub(crate) fn highest(&self) -> Option<usize> {
        let k = self.0.iter().rposition(|&word| word != 0)?;
        Some(k * 64 + 63 - self.0[k].leading_zeros() as usize)
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
