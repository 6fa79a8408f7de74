//! Which rows (`rows.rs`) are right, while the graph grows and shrinks.
//!
//! Under the kernel's model a row is made of what its event overwrites, and of the rows of what is
//! before the event by program order and reads-from. So if something is put before a write that was
//! there already, or taken away from there, the rows of that write and of all that have it before
//! them are computed again, and no others: of a hundred events these are some twenty.

use crate::bits::Bits;
use crate::graph::Graph;
use crate::search::Model;

impl<const W: usize> Graph<W> {
    /// Gives the rows to a graph of which the first `same` events are those of this one: a row
    /// stays right if no other event has a part in it. [`Graph::take_rows_back`] is the opposite.
    pub(crate) fn lend_rows(&mut self, to: &mut Self, same: usize) {
        to.fresh = same.min(self.fresh).min(self.back()).min(to.back());
        to.changed.add(&Bits::below(same).complement());
        for id in to.fresh..same {
            if !self.is_right(id) || self.rows[id].highest >= same {
                to.changed.set(id);
            }
        }
        to.rows = std::mem::take(&mut self.rows);
    }

    /// What the borrower has written over is not right.
    pub(crate) fn take_rows_back(&mut self, from: &mut Self) {
        self.rows = std::mem::take(&mut from.rows);
        self.written.add(&from.written);
        self.changed.add(&from.written);
        if let Some(lowest) = from.written.iter().next() {
            self.lower(lowest);
        }
    }

    /// Rows from this number on may not be right.
    pub(crate) fn lower(&mut self, fresh: usize) {
        self.fresh = self.fresh.min(fresh);
    }

    /// Is the row of this event right, under the kernel's model?
    pub(crate) fn is_right(&self, id: usize) -> bool {
        id < self.fresh
            || id < self.rows.len()
                && self.go_back.is_empty()
                && !self.changed.has(id)
                && !self.changed.meets(&self.links[id].prefix)
    }

    /// Computes the rows that are not right.
    pub(crate) fn refresh(&mut self) {
        match self.model {
            Model::Sc => self.refresh_total(),
            Model::Kernel => self.refresh_kernel(),
        }
        self.fresh = self.len();
        self.changed = Bits::EMPTY;
    }

    /// The same under the kernel's model.
    fn refresh_kernel(&mut self) {
        let first = self.fresh;
        let mut stale = Bits::EMPTY;
        for id in first..self.len() {
            if !self.is_right(id) {
                stale.set(id);
            }
        }
        if !self.fill_kernel(first, &stale) {
            stale = Bits::below(self.len()).from(first);
            self.fill_kernel(first, &stale);
        }
        self.written.add(&stale);
    }
}
