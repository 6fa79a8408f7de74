//! How far the search is: a guess.
//!
//! As if all branches of a point were equally large (Knuth, *Estimating the efficiency of
//! backtrack programs*, 1975). What is noted at one step, and going on, are as many branches, and
//! share the weight of what went on so far evenly. What weighs all branches that have come to
//! their end is the part that has been explored.

use super::{Engine, Level};

/// The weight of the whole search. Weights are whole numbers, so that their sum does not depend on
/// the order in which parts are put together.
pub(crate) const WHOLE: u64 = 1 << 63;

impl<const W: usize> Engine<'_, W> {
    /// How many alternatives the graph has.
    pub(super) fn noted(&self) -> usize {
        self.levels.last().map_or(0, |top| top.alternatives.len())
    }

    /// Gives the alternatives from number `noted` on their shares of the weight of going on.
    pub(super) fn share(&mut self, noted: usize) {
        let top = self.levels.last_mut().expect("there is a level while the search runs");
        let new = &mut top.alternatives[noted..];
        if !new.is_empty() {
            let each = top.weight / (new.len() as u64 + 1);
            top.weight -= each * new.len() as u64;
            new.iter_mut().for_each(|alternative| alternative.weight = each);
        }
    }

    /// Going on with the graph has come to its end.
    pub(super) fn is_explored(&mut self) {
        let top = self.levels.last_mut().expect("there is a level while the search runs");
        self.counts.weight += std::mem::take(&mut top.weight);
    }

    /// An alternative of the level of this number has been taken, which has given its weight to the
    /// level; there were so many others. It is shared among what has come of it: new alternatives,
    /// new levels and theirs, and going on with the level, if that is part of it.
    pub(super) fn share_taken(&mut self, level: usize, noted: usize) {
        let left = std::mem::take(&mut self.levels[level].weight);
        let (old, new) = self.levels.split_at_mut(level + 1);
        let Level { alternatives, is_fresh, weight, .. } = &mut old[level];
        let fresh = is_fresh.then_some(weight);
        let noted = alternatives[noted..].iter_mut().map(|noted| &mut noted.weight);
        let of_new = new.iter_mut().flat_map(|level| {
            let noted = level.alternatives.iter_mut().map(|noted| &mut noted.weight);
            noted.chain([&mut level.weight])
        });
        let mut branches: Vec<&mut u64> = fresh.into_iter().chain(noted).chain(of_new).collect();
        let each = left / branches.len().max(1) as u64;
        branches.iter_mut().for_each(|weight| **weight = each);
        let rest = left - each * branches.len() as u64;
        match branches.first_mut() {
            Some(first) => **first += rest,
            None => self.counts.weight += rest,
        }
    }
}
