//! The best order of a graph (`order.rs`), found quickly: the order in which its tasks run.
//!
//! Most events stay where they are. They are gone through in the order in which they were added:
//! one that must wait for another is put aside until that has been taken.

use crate::bits::Bits;
use crate::event::{Event, Id, Kind, NONE, mark};
use crate::graph::Graph;
use crate::order::Keeps;

/// Memory for an order of events.
#[derive(Default)]
pub(crate) struct Resorted {
    pub(crate) order: Vec<Id>,
    /// So many first events are where they were.
    pub(crate) unmoved: usize,
    /// What was put aside, in the order in which it was added, and what it waits for.
    aside: Vec<(Id, Id)>,
}

impl<const W: usize> Graph<W> {
    /// Finds the best order of this graph. `None`: there is none that keeps coherence.
    pub(crate) fn resort(&self, resorted: &mut Resorted) -> Option<Keeps> {
        [Keeps::Everything, Keeps::Coherence]
            .into_iter()
            .find(|&keeps| self.resort_keeping(keeps, resorted))
    }

    /// How many first events, whose numbers are their places, come after none that was added later.
    fn that_stay_in_order(&self) -> usize {
        let order = self.shape.order.iter();
        let same = order.zip(0..).take_while(|&(&id, place)| id == place).count();
        let same = same.min(self.back());
        // The two halves of an update stay together.
        let is_cut = same > 0 && self.write_half(self.shape.event(same as Id - 1)).is_some();
        same - usize::from(is_cut)
    }

    /// False: there is no such order.
    fn resort_keeping(&self, keeps: Keeps, resorted: &mut Resorted) -> bool {
        let Resorted { order, unmoved, aside } = resorted;
        let first = self.that_stay_in_order();
        *unmoved = first;
        order.clear();
        aside.clear();
        order.extend_from_slice(&self.shape.order[..first]);
        let mut taken = Bits::below(first);
        for &id in &self.shape.order[first..] {
            if taken.has(usize::from(id)) {
                continue;
            }
            let event = self.shape.event(id);
            // An update is taken with its read.
            if event.is_write() && event.has(mark::UPDATE) && event.word != NONE {
                continue;
            }
            // What is before it by program order and reads-from was added before it.
            let other = if aside.is_empty() {
                self.waits_to_overwrite(id, event, keeps, &taken)
            } else {
                self.waits_for(id, event, keeps, &taken)
            };
            if let Some(other) = other {
                aside.push((id, other));
                continue;
            }
            self.take_next(id, event, order, &mut taken);
            while !aside.is_empty() && self.take_from_aside(keeps, aside, order, &mut taken) {}
        }
        debug_assert!(!aside.is_empty() || order.len() == self.len(), "each event is taken once");
        aside.is_empty()
    }

    /// Takes the first of those that were put aside and wait for nothing any more.
    fn take_from_aside(
        &self,
        keeps: Keeps,
        aside: &mut Vec<(Id, Id)>,
        order: &mut Vec<Id>,
        taken: &mut Bits<W>,
    ) -> bool {
        for at in 0..aside.len() {
            let (id, other) = aside[at];
            if !taken.has(usize::from(other)) {
                continue;
            }
            let event = self.shape.event(id);
            match self.waits_for(id, event, keeps, taken) {
                Some(other) => aside[at].1 = other,
                None => {
                    aside.remove(at);
                    self.take_next(id, event, order, taken);
                    return true;
                }
            }
        }
        false
    }

    /// Takes an event, and the write of an update with its read.
    #[inline]
    fn take_next(&self, id: Id, event: &Event, order: &mut Vec<Id>, taken: &mut Bits<W>) {
        order.push(id);
        taken.set(usize::from(id));
        if let Some(write) = self.write_half(event) {
            order.push(write);
            taken.set(usize::from(write));
        }
    }

    /// The write of the update of which this is the read.
    #[inline]
    fn write_half(&self, event: &Event) -> Option<Id> {
        let is_read_half = event.is_read() && event.has(mark::UPDATE);
        let events = &self.shape.tasks[usize::from(event.task)];
        is_read_half.then(|| events[usize::from(event.index) + 1])
    }

    /// What an event comes after that has not been taken.
    fn waits_for(&self, id: Id, event: &Event, keeps: Keeps, taken: &Bits<W>) -> Option<Id> {
        let is_left = |id: usize| !taken.has(id);
        if let Some(before) = self.shape.before(event).filter(|&before| is_left(before)) {
            return Some(before as Id);
        }
        if event.is_read() && event.from != NONE && is_left(usize::from(event.from)) {
            return Some(event.from);
        }
        self.waits_to_overwrite(id, event, keeps, taken)
    }

    /// The same, of what it overwrites.
    #[inline]
    fn waits_to_overwrite(
        &self,
        id: Id,
        event: &Event,
        keeps: Keeps,
        taken: &Bits<W>,
    ) -> Option<Id> {
        match event.kind {
            Kind::Read => self.overwrites_left(id, self.write_half(event)?, keeps, taken),
            Kind::Write if event.word != NONE => self.overwrites_left(id, id, keeps, taken),
            _ => None,
        }
    }

    /// What a write overwrites, or who has read that, if it has not been taken: not its own read.
    fn overwrites_left(&self, own: Id, write: Id, keeps: Keeps, taken: &Bits<W>) -> Option<Id> {
        let word = self.shape.event(write).word;
        let before = self.shape.at(word, self.shape.place(word, write) - 1);
        if before != NONE && !taken.has(usize::from(before)) {
            return Some(before);
        }
        if keeps != Keeps::Everything {
            return None;
        }
        let readers = match before {
            NONE => &self.initial_readers[usize::from(word)],
            before => &self.links[usize::from(before)].readers,
        };
        let mut left = readers.minus(taken);
        left.clear(usize::from(own));
        left.highest().map(|reader| reader as Id)
    }
}
