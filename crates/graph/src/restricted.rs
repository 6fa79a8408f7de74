//! The graph of some events of another graph.

use crate::bits::Bits;
use crate::event::{Id, Kind, NONE};
use crate::graph::{Graph, Links, WordShape};

impl<const W: usize> Graph<W> {
    /// Makes `graph` that of these events only: with an event, what is before it in its task, and
    /// what it reads from (unless the caller changes that). Puts the new numbers into `new`.
    ///
    /// Rows are missing, and links but for those of events that keep their numbers:
    /// [`Graph::link_rest`]. What is in `graph` is memory to be used again.
    pub(crate) fn restrict(&self, keep: &Bits<W>, graph: &mut Self, new: &mut Vec<Id>) {
        graph.clear(self);
        new.clear();
        let same = self.that_stay(keep);
        new.extend(0..same as Id);
        new.resize(self.len(), NONE);
        self.copy_first(same, graph);
        for old in keep.from(same).iter() {
            let id = graph.len();
            new[old] = id as Id;
            let event = self.shape.events[old];
            graph.shape.events.push(event);
            graph.shape.tasks[usize::from(event.task)].push(id as Id);
            graph.note(id, &event);
            if self.late.has(old) {
                graph.late.set(id);
            }
        }
        for event in graph.shape.events[same..].iter_mut().filter(|event| event.is_read()) {
            if event.from != NONE {
                event.from = new[usize::from(event.from)];
            }
        }
        let keep = |ids: &[Id], kept: &mut Vec<Id>| {
            for id in ids.iter().map(|&id| new[usize::from(id)]).filter(|&id| id != NONE) {
                kept.push(id);
            }
        };
        for (word, of_graph) in self.shape.words.iter().zip(&mut graph.shape.words) {
            of_graph.initial = word.initial;
            keep(&word.writes, &mut of_graph.writes);
        }
        keep(&self.shape.order, &mut graph.shape.order);
        graph.links.resize(graph.len(), Links::default());
    }

    /// How many first events are all kept, so that their numbers stay, and those of what they read
    /// from: not if one reads from a write that comes later.
    fn that_stay(&self, keep: &Bits<W>) -> usize {
        let lost = Bits::below(self.len()).minus(keep).iter().next();
        let same = lost.unwrap_or(self.len());
        if self.revisitors.from(same).is_empty() { same } else { 0 }
    }

    /// Makes the first events of a graph that has none, so many, those of this one, with all links
    /// among themselves.
    fn copy_first(&self, same: usize, graph: &mut Self) {
        let first = Bits::below(same);
        let shape = &self.shape;
        graph.linked = same;
        graph.shape.events.extend_from_slice(&shape.events[..same]);
        for (task, of_graph) in shape.tasks.iter().zip(&mut graph.shape.tasks) {
            let count = task.partition_point(|&id| usize::from(id) < same);
            of_graph.extend_from_slice(&task[..count]);
        }
        for (sets, of_graph) in [
            (&self.of_task, &mut graph.of_task),
            (&self.of_word, &mut graph.of_word),
            (&self.initial_readers, &mut graph.initial_readers),
        ] {
            sets.iter().zip(of_graph).for_each(|(set, of_graph)| *of_graph = set.and(&first));
        }
        graph.newest = self.newest.and(&first);
        graph.reads = self.reads.and(&first);
        graph.revisitors = self.revisitors.and(&first);
        graph.late = self.late.and(&first);
        graph.starts = self.starts.and(&first);
        graph.links.extend(self.links[..same].iter().map(|links| {
            let readers = links.readers.and(&first);
            Links { readers, ..*links }
        }));
        // Perhaps of a later event: nobody minds.
        graph.has_fences = self.has_fences;
        if self.grace_periods + self.sections + self.failures > 0 {
            let count = |kind| shape.events[..same].iter().filter(|e| e.kind == kind).count();
            graph.grace_periods = count(Kind::GracePeriod);
            graph.sections = count(Kind::SectionBegins);
            graph.failures = count(Kind::Failure);
        }
    }

    /// Makes it a graph without events, of as many tasks and words as another.
    fn clear(&mut self, other: &Self) {
        let (tasks, words) = (other.shape.tasks.len(), other.shape.words.len());
        self.model = other.model;
        self.shape.events.clear();
        self.shape.order.clear();
        self.shape.tasks.iter_mut().for_each(Vec::clear);
        self.shape.tasks.resize_with(tasks, Vec::new);
        self.shape.words.iter_mut().for_each(|word| word.writes.clear());
        self.shape.words.resize_with(words, WordShape::default);
        self.links.clear();
        self.backs.clear();
        for (sets, count) in [
            (&mut self.of_task, tasks),
            (&mut self.of_word, words),
            (&mut self.initial_readers, words),
        ] {
            // What is in them is replaced.
            sets.resize(count, Bits::EMPTY);
        }
        (self.newest, self.reads, self.revisitors) = (Bits::EMPTY, Bits::EMPTY, Bits::EMPTY);
        (self.late, self.starts) = (Bits::EMPTY, Bits::EMPTY);
        (self.fresh, self.linked) = (0, 0);
        (self.changed, self.written, self.go_back) = (Bits::EMPTY, Bits::EMPTY, Bits::EMPTY);
        self.has_fences = false;
        (self.grace_periods, self.sections, self.failures) = (0, 0, 0);
    }
}
