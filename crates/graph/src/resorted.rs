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

    /// Finds the writes that are `late`.
    pub(crate) fn find_late(&mut self) {
        let mut places = vec![0; self.len()];
        for (place, &id) in (1..).zip(&self.shape.order) {
            places[usize::from(id)] = place;
        }
        let place_of = |id: usize| places[id];
        for (word, initial) in self.shape.words.iter().zip(&self.initial_readers) {
            let mut last = initial.iter().map(place_of).max();
            for id in word.writes.iter().map(|&write| usize::from(write)) {
                if last > Some(place_of(id)) {
                    self.late.set(id);
                }
                let readers = self.links[id].readers.iter().map(place_of).max();
                last = last.max(Some(place_of(id))).max(readers);
            }
        }
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
        // All that is aside, and the writes of updates that are.
        let mut waiting = Bits::EMPTY;
        for &id in &self.shape.order[first..] {
            if taken.has(usize::from(id)) {
                continue;
            }
            let event = self.shape.event(id);
            // An update is taken with its read.
            if event.is_write() && event.has(mark::UPDATE) && event.word != NONE {
                continue;
            }
            let write = self.write_of(id, event);
            if let Some(other) = self.waits_for(id, write, keeps, &taken, &waiting) {
                aside.push((id, other));
                waiting.set(usize::from(id));
                write.into_iter().for_each(|write| waiting.set(usize::from(write)));
                continue;
            }
            take_next(id, write, order, &mut taken);
            while !aside.is_empty()
                && self.take_from_aside(keeps, aside, order, &mut taken, &mut waiting)
            {}
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
        waiting: &mut Bits<W>,
    ) -> bool {
        for at in 0..aside.len() {
            let (id, other) = aside[at];
            if !taken.has(usize::from(other)) {
                continue;
            }
            let write = self.write_of(id, self.shape.event(id));
            match self.waits_for(id, write, keeps, taken, waiting) {
                Some(other) => aside[at].1 = other,
                None => {
                    aside.remove(at);
                    waiting.clear(usize::from(id));
                    write.into_iter().for_each(|write| waiting.clear(usize::from(write)));
                    take_next(id, write, order, taken);
                    return true;
                }
            }
        }
        false
    }

    /// The write that is taken with this event: itself, or the other half of an update.
    #[inline]
    fn write_of(&self, id: Id, event: &Event) -> Option<Id> {
        match event.kind {
            Kind::Read => self.write_half(event),
            Kind::Write if event.word != NONE => Some(id),
            _ => None,
        }
    }

    /// The write of the update of which this is the read.
    #[inline]
    fn write_half(&self, event: &Event) -> Option<Id> {
        let is_read_half = event.is_read() && event.has(mark::UPDATE);
        let events = &self.shape.tasks[usize::from(event.task)];
        is_read_half.then(|| events[usize::from(event.index) + 1])
    }

    /// What an event comes after that has not been taken. What is before it by program order and
    /// reads-from was added before it: it has been taken, or is waiting.
    #[inline]
    fn waits_for(
        &self,
        id: Id,
        write: Option<Id>,
        keeps: Keeps,
        taken: &Bits<W>,
        waiting: &Bits<W>,
    ) -> Option<Id> {
        let before = self.links[usize::from(id)].prefix.and(waiting);
        if let Some(before) = before.highest() {
            return Some(before as Id);
        }
        let write = write?;
        // All that it overwrites was added before it, and nothing waits.
        if waiting.is_empty() && !self.late.has(usize::from(write)) {
            return None;
        }
        self.overwrites_left(id, write, keeps, taken)
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

/// Takes an event, and the write that is taken with it.
#[inline]
fn take_next<const W: usize>(id: Id, write: Option<Id>, order: &mut Vec<Id>, taken: &mut Bits<W>) {
    order.push(id);
    taken.set(usize::from(id));
    if let Some(write) = write.filter(|&write| write != id) {
        order.push(write);
        taken.set(usize::from(write));
    }
}
