//! Is a graph consistent? Questions about the rows of `rows.rs`, which must be fresh.

use crate::bits::Bits;
use crate::event::{Id, mark};
use crate::graph::Graph;
use crate::search::Model;

impl<const W: usize> Graph<W> {
    /// Does no cycle go through these events?
    pub(crate) fn is_acyclic_through(&self, ids: &[usize]) -> bool {
        ids.iter().all(|&id| match self.model {
            Model::Sc => !self.rows[id].total.has(id),
            Model::Kernel => {
                !self.rows[id].happens.has(id) && !self.comes_before(&Bits::EMPTY.with(id)).has(id)
            }
        })
    }

    /// What comes before these events by one or more steps of `propagates-before`.
    pub(crate) fn comes_before(&self, events: &Bits<W>) -> Bits<W> {
        let mut seen = Bits::EMPTY;
        if !self.has_fences {
            return seen;
        }
        let mut todo = *events;
        while !todo.is_empty() {
            let more = self.propagates_before(&todo);
            todo = more.minus(&seen);
            seen.add(&more);
        }
        seen
    }

    /// Does one of these writes come before the next access of a task, whatever that is: because of
    /// what the task has acquired? Rows are fresh. (Most accesses under a lock are told so.)
    pub(crate) fn comes_after(&self, task: usize, writes: &Bits<W>) -> bool {
        let Some(last) = self.shape.last(task).map(usize::from) else { return false };
        if self.model == Model::Sc {
            return self.rows[last].total.with(last).meets(writes);
        }
        let mut ordered = self.rows[last].happens_anyway().and(&self.of_task[task]);
        while let Some(own) = ordered.highest() {
            // It grows along the task.
            if !self.rows[own].all_propagates.meets(writes) {
                return false;
            }
            if self.rows[own].propagates.meets(writes) {
                return true;
            }
            ordered.clear(own);
        }
        false
    }

    /// The last events of the graph, all of one task, which nothing follows: would they close a
    /// cycle if they came before these writes of other tasks (`later`) to the same word? Rows are
    /// fresh but for that.
    pub(crate) fn fits_before(&self, ids: &[usize], later: &Bits<W>) -> bool {
        if self.model == Model::Sc {
            return ids.iter().all(|&id| !self.rows[id].total.meets(later));
        }
        // A way on from here begins with `propagates`: through a write of `later` to its end.
        let mut ends = Bits::EMPTY;
        for events in &self.shape.tasks {
            // What propagates to an event or one before it in its task grows along the task.
            let is_none = |&id: &Id| !self.rows[usize::from(id)].all_propagates.meets(later);
            let first = events.partition_point(is_none);
            for end in events[first..].iter().map(|&id| usize::from(id)) {
                if end < ids[0] && self.rows[end].propagates.meets(later) {
                    ends.set(end);
                }
            }
        }
        if ends.is_empty() {
            return true;
        }
        let own = self.of_task[usize::from(self.shape.events[ids[0]].task)].and(&ends);
        if ids.iter().any(|&id| self.rows[id].happens.meets(&own)) {
            return false;
        }
        if !self.has_fences {
            return true;
        }
        let new = ids.iter().fold(Bits::EMPTY, |set, &id| set.with(id));
        // Ends in the same task happen after the new events, so a way back to one of them is a
        // cycle too, if a step of `propagates-before` is in it.
        let back = self.with_what_happens_before(&self.comes_before(&new));
        if back.meets(&own) {
            return false;
        }
        let back = back.or(&self.with_what_happens_before(&new));
        !self.is_fenced_from(&ends, &back)
    }

    /// Is there a strong fence after one of these events, and one of `after` is after the fence?
    /// (With the last event of a task that is, all before it that are.)
    fn is_fenced_from(&self, ends: &Bits<W>, after: &Bits<W>) -> bool {
        self.last_of_tasks(after).any(|last| {
            let event = &self.shape.events[last];
            if let Some(covered) = self.shape.nth(event.task, event.reach.strong) {
                let covered = self.of_task[usize::from(event.task)].and(&Bits::below(covered + 1));
                if covered.meets(ends) {
                    return true;
                }
            }
            event.has(mark::CROSS) && self.is_crossed_from(ends, last)
        })
    }

    /// The same for strong fences that begin in another task: an unlock there, a lock in this one,
    /// and after that a fence that makes them one.
    fn is_crossed_from(&self, ends: &Bits<W>, id: usize) -> bool {
        let event = &self.shape.events[id];
        let events = &self.shape.tasks[usize::from(event.task)][..=usize::from(event.index)];
        let fence = events.iter().rposition(|&x| self.shape.event(x).has(mark::AFTER_UNLOCK_LOCK));
        events[..fence.unwrap_or(0)].iter().any(|&lock| {
            let lock = self.shape.event(lock);
            if !(lock.is_read() && lock.has(mark::LOCK)) || lock.from == crate::event::NONE {
                return false;
            }
            let unlock = usize::from(lock.from);
            let task = self.of_task[usize::from(self.shape.events[unlock].task)];
            task.and(&Bits::below(unlock)).meets(ends)
        })
    }
}
