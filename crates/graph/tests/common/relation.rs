//! Relations between at most 64 events, as matrices: the algebra of memory models.

use std::ops::{BitAnd, BitOr, Sub};

/// `rows[a]` has bit `b` if `a` is related to `b`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    rows: Vec<u64>,
}

impl Relation {
    pub fn of(n: usize, holds: impl Fn(usize, usize) -> bool) -> Relation {
        let row = |a| (0..n).filter(|&b| holds(a, b)).fold(0, |row, b| row | 1u64 << b);
        Relation { rows: (0..n).map(row).collect() }
    }

    pub fn empty(n: usize) -> Relation {
        Relation { rows: vec![0; n] }
    }

    /// `[set]`
    pub fn on(n: usize, holds: impl Fn(usize) -> bool) -> Relation {
        Relation::of(n, |a, b| a == b && holds(a))
    }

    pub fn has(&self, a: usize, b: usize) -> bool {
        self.rows[a] >> b & 1 == 1
    }

    pub fn add(&mut self, a: usize, b: usize) {
        self.rows[a] |= 1 << b;
    }

    /// `self ; other`
    pub fn then(&self, other: &Relation) -> Relation {
        let rows = self.rows.iter().map(|&row| {
            let through = (0..self.rows.len()).filter(|&x| row >> x & 1 == 1);
            through.fold(0, |all, x| all | other.rows[x])
        });
        Relation { rows: rows.collect() }
    }

    /// `self^-1`
    pub fn inverse(&self) -> Relation {
        Relation::of(self.rows.len(), |a, b| self.has(b, a))
    }

    /// `self?`
    pub fn maybe(&self) -> Relation {
        self | &Relation::on(self.rows.len(), |_| true)
    }

    /// `self*`
    pub fn star(&self) -> Relation {
        let mut closed = self.maybe();
        loop {
            let longer = closed.then(&closed);
            if longer == closed {
                return closed;
            }
            closed = longer;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.rows.iter().all(|&row| row == 0)
    }

    pub fn is_irreflexive(&self) -> bool {
        (0..self.rows.len()).all(|a| !self.has(a, a))
    }

    pub fn is_acyclic(&self) -> bool {
        self.then(&self.star()).is_irreflexive()
    }
}

impl BitOr for &Relation {
    type Output = Relation;
    fn bitor(self, other: &Relation) -> Relation {
        let both = self.rows.iter().zip(&other.rows);
        Relation { rows: both.map(|(a, b)| a | b).collect() }
    }
}

impl BitAnd for &Relation {
    type Output = Relation;
    fn bitand(self, other: &Relation) -> Relation {
        let both = self.rows.iter().zip(&other.rows);
        Relation { rows: both.map(|(a, b)| a & b).collect() }
    }
}

impl Sub for &Relation {
    type Output = Relation;
    fn sub(self, other: &Relation) -> Relation {
        let both = self.rows.iter().zip(&other.rows);
        Relation { rows: both.map(|(a, b)| a & !b).collect() }
    }
}
