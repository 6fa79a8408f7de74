//! The graph of some events of another graph.

use crate::bits::Bits;
use crate::event::{Id, NONE};
use crate::graph::{Graph, Links, WordShape};

impl<const W: usize> Graph<W> {
    /// Makes `graph` that of these events only: with an event, what is before it in its task, and
    /// what it reads from (unless the caller changes that). Puts the new numbers into `new`.
    ///
    /// Links and rows are missing: [`Graph::relink`]. What is in `graph` is memory to be used
    /// again.
    pub(crate) fn restrict(&self, keep: &Bits<W>, graph: &mut Self, new: &mut Vec<Id>) {
        graph.clear(self);
        new.clear();
        new.resize(self.len(), NONE);
        for old in keep.iter() {
            let id = graph.len();
            new[old] = id as Id;
            let event = self.shape.events[old];
            graph.shape.events.push(event);
            graph.shape.tasks[usize::from(event.task)].push(id as Id);
            graph.note(id, &event);
        }
        for event in graph.shape.events.iter_mut().filter(|event| event.is_read()) {
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
            sets.clear();
            sets.resize(count, Bits::EMPTY);
        }
        (self.newest, self.reads, self.revisitors) = (Bits::EMPTY, Bits::EMPTY, Bits::EMPTY);
        (self.fresh, self.touched) = (0, 0);
        self.has_fences = false;
        (self.grace_periods, self.sections) = (0, 0);
    }
}
