//! Relations between all events of a graph, for questions that are asked once of a whole graph.

use crate::bits::Bits;

/// Row `a` is the set of events that `a` is related to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Matrix<const W: usize>(Vec<Bits<W>>);

impl<const W: usize> Matrix<W> {
    pub(crate) fn empty(n: usize) -> Self {
        Matrix(vec![Bits::EMPTY; n])
    }

    pub(crate) fn of(n: usize, holds: impl Fn(usize, usize) -> bool) -> Self {
        let row = |a| (0..n).filter(|&b| holds(a, b)).fold(Bits::EMPTY, Bits::with);
        Matrix((0..n).map(row).collect())
    }

    /// Each event of a set to itself.
    pub(crate) fn on(n: usize, holds: impl Fn(usize) -> bool) -> Self {
        let row = |a| if holds(a) { Bits::EMPTY.with(a) } else { Bits::EMPTY };
        Matrix((0..n).map(row).collect())
    }

    pub(crate) fn has(&self, a: usize, b: usize) -> bool {
        self.0[a].has(b)
    }

    pub(crate) fn add(&mut self, a: usize, b: usize) {
        self.0[a].set(b);
    }

    fn zip(&self, other: &Self, both: impl Fn(&Bits<W>, &Bits<W>) -> Bits<W>) -> Self {
        Matrix(self.0.iter().zip(&other.0).map(|(mine, theirs)| both(mine, theirs)).collect())
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        self.zip(other, |mine, theirs| mine.or(theirs))
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        self.zip(other, |mine, theirs| mine.and(theirs))
    }

    pub(crate) fn minus(&self, other: &Self) -> Self {
        self.zip(other, |mine, theirs| mine.minus(theirs))
    }

    /// First this, then the other.
    pub(crate) fn then(&self, other: &Self) -> Self {
        let through = |row: &Bits<W>| row.iter().fold(Bits::EMPTY, |all, x| all.or(&other.0[x]));
        Matrix(self.0.iter().map(through).collect())
    }

    /// This, or nothing.
    pub(crate) fn maybe(&self) -> Self {
        Matrix(self.0.iter().enumerate().map(|(a, row)| row.with(a)).collect())
    }

    /// This, any number of times.
    pub(crate) fn star(&self) -> Self {
        let mut closed = self.maybe();
        loop {
            let longer = closed.then(&closed);
            if longer == closed {
                return closed;
            }
            closed = longer;
        }
    }
}
