//! Reads that are made to read a write which was not there when they were added.

use super::{Engine, Level, Then};
use crate::bits::Bits;
use crate::event::{Event, Id, NONE, mark};
use crate::graph::Graph;

/// What has become of a read that was revisited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Revisited {
    /// Nothing that is consistent.
    Nothing,
    /// What it has read is the newest value, and its task has gone on.
    Last,
    /// What it has read, or written, is overwritten by what was run after it: the tasks must run
    /// again.
    Overwritten,
}

impl<const W: usize> Engine<'_, W> {
    /// Notes all reads that the newest event, a write, may revisit.
    pub(super) fn note_revisits(&mut self, write: usize) {
        let graph = self.seen();
        let event = graph.shape.events[write];
        let prefix = graph.links[write].prefix;
        let reads = graph.of_word[usize::from(event.word)].and(&graph.reads).minus(&prefix);
        // An acquisition that waits reads no lock that is taken; and one that is given back after
        // this read is not before it.
        let found: Vec<usize> = (reads.iter())
            .filter(|&read| !graph.shape.events[read].has(mark::WAITS))
            .filter(|&read| self.is_newest_after(read, &prefix, write))
            .collect();
        for read in found {
            self.note(write, Then::Revisit { write: event, read });
        }
    }

    /// Makes levels of the graphs in which `read` reads from `write`, at each place of coherence
    /// order that the write may have.
    pub(super) fn revisit(&mut self, write: Event, read: usize) {
        let task = usize::from(write.task);
        let word = write.word;
        let keep = self.seen().prefix_of_next(task).or(&Bits::below(read + 1));
        // Levels come on top of the one that is revisited.
        let level = self.levels.len() - 1;
        if self.is_taken(&write, &keep) {
            return;
        }
        let mut base = self.restricted(level, &keep);
        let (lowest, highest) = if write.has(mark::UPDATE) {
            let half = base.shape.last(task).expect("an update has a read half");
            let place = base.shape.place(word, base.shape.event(half).from);
            (place, place)
        } else {
            (base.floor(task, word), base.shape.newest(word))
        };
        let reader = base.of_task[usize::from(base.shape.events[read].task)];
        let floor = base.floor_after(word, &reader.and(&Bits::below(read)));
        let places: Vec<usize> = (lowest.max(floor)..=highest)
            .filter(|&place| base.shape.successor(word, place).is_none())
            .collect();
        for (n, &place) in places.iter().enumerate() {
            let mut graph =
                if n == 0 { std::mem::take(&mut base) } else { self.restricted(level, &keep) };
            let (id, is_last) = make_read(&mut graph, write, place, read);
            let top = self.graph();
            top.lend_rows(&mut graph, read);
            // What is last is overwritten by nobody, and closes no cycle.
            if is_last || is_consistent(&mut graph, &[id, read]) {
                let shared = self.shared(read);
                self.levels.push(Level::new(graph, Some(read), shared));
            } else {
                top.take_rows_back(&mut graph);
                self.spare.push(graph);
            }
        }
        if places.is_empty() {
            self.spare.push(base);
        }
    }

    /// Is it the write of an update, and what that has read is read by an update that stays?
    fn is_taken(&self, write: &Event, keep: &Bits<W>) -> bool {
        if !write.has(mark::UPDATE) {
            return false;
        }
        let shape = &self.seen().shape;
        let half = shape.last(usize::from(write.task)).expect("an update has a read half");
        let from = shape.event(half).from;
        let later = &shape.words[usize::from(write.word)].writes[shape.place(write.word, from)..];
        let next = later.iter().find(|&&next| keep.has(usize::from(next)));
        next.is_some_and(|&next| {
            let next = shape.event(next);
            next.has(mark::UPDATE) && shape.event(shape.read_half(next)).from == from
        })
    }

    /// The graph of this level without what is not in `keep`.
    fn restricted(&mut self, level: usize, keep: &Bits<W>) -> Graph<W> {
        let mut graph = self.spare.pop().unwrap_or_default();
        self.levels[level].graph.restrict(keep, &mut graph, &mut self.numbers);
        graph
    }

    /// How many first events the graph that was restricted last has in common with what it was made
    /// of, where that is still so below number `n`.
    fn shared(&mut self, n: usize) -> usize {
        let same = (0..).zip(&self.numbers).take_while(|&(old, &new)| old == new);
        let shared = n.min(same.count());
        self.way.changes_from(shared);
        shared
    }

    /// The tasks have run up to a read that was revisited: what becomes of its operation now.
    pub(super) fn finish_revisited(&mut self, read: usize) -> Revisited {
        let old = self.seen().shape.events[read];
        let task = usize::from(old.task);
        let next = self.tasks[task].next.take().expect("it is about to read");
        let mut outcome = self.outcome(task, &next, old.from, Some(usize::from(old.index)));
        self.tasks[task].next = Some(next);
        outcome.set_newest(old.has(mark::NEWEST));
        self.way.changes_from(read);
        let graph = self.graph();
        let place = graph.shape.place(old.word, old.from);
        let is_last = place == graph.shape.newest(old.word);
        graph.shape.events[read] = outcome.read;
        graph.has_fences |= outcome.read.reach.strong > 0 || outcome.read.has(mark::CROSS);
        graph.lower(graph.back().min(read));
        graph.changed.set(read);
        if !is_last && !is_consistent(graph, &[read]) {
            return Revisited::Nothing;
        }
        let mut last = read;
        if let Some(mut write) = outcome.write {
            if !is_last {
                write.marks &= !mark::NEWEST;
            }
            last = self.graph().push(write, place);
            self.note_revisits(last);
            if !is_last && !is_consistent(self.graph(), &[read, last]) {
                return Revisited::Nothing;
            }
        }
        if !is_last {
            return Revisited::Overwritten;
        }
        self.adds_step(last);
        if outcome.is_blocked {
            self.tasks[task].is_stopped = true;
        } else {
            self.happen(task, outcome.reply());
        }
        Revisited::Last
    }

    /// Makes a level of the graph where a lock is taken before the task of `owner` takes it, who
    /// has to wait then.
    pub(super) fn steal(&mut self, mut read: Event, write: Event, owner: usize) {
        let keep = self.prefix_with(&read).or(&Bits::below(owner));
        let mut graph = self.restricted(self.levels.len() - 1, &keep);
        graph.link_rest();
        if read.from != NONE {
            read.from = self.numbers[usize::from(read.from)];
        }
        self.graph().lend_rows(&mut graph, owner);
        graph.push(read, 0);
        let newest = graph.shape.newest(read.word);
        let id = graph.push(write, newest);
        let shared = self.shared(owner);
        self.levels.push(Level::new(graph, None, shared));
        self.note_revisits(id);
    }
}

fn is_consistent<const W: usize>(graph: &mut Graph<W>, ids: &[usize]) -> bool {
    graph.refresh();
    graph.is_acyclic_through(ids)
}

/// Makes it the graph in which `read` reads from `write`, which is put at `place`. Returns the
/// number of the write, and whether its place is the last one.
fn make_read<const W: usize>(
    graph: &mut Graph<W>,
    mut write: Event,
    place: usize,
    read: usize,
) -> (usize, bool) {
    let id = graph.len();
    let is_last = place == graph.shape.newest(write.word);
    if !is_last {
        write.marks &= !mark::NEWEST;
    }
    graph.link_all();
    // The read goes last, after the write; nothing that is kept comes after it.
    graph.shape.order.retain(|&id| usize::from(id) != read);
    let old = graph.shape.events[read];
    graph.unlink_read(read, &old);
    if old.from != NONE {
        graph.check_revisitor(usize::from(old.from));
    }
    graph.push(write, place);
    graph.shape.order.push(read as Id);
    let later = &graph.shape.words[usize::from(write.word)].writes[place + 1..];
    let is_newest = later.iter().all(|&other| usize::from(other) > read);
    let event = &mut graph.shape.events[read];
    event.from = id as Id;
    event.value = write.value;
    // What its operation comes to is seen when it has run.
    let unknown =
        mark::UPDATE | mark::ATOMIC | mark::ACQUIRE | mark::BLOCKED | mark::RETURNS_NOTHING;
    event.marks &= !(unknown | mark::NEWEST);
    if is_newest {
        event.marks |= mark::NEWEST;
        graph.newest.set(read);
    } else {
        graph.newest.clear(read);
    }
    graph.link_read(read);
    graph.link(read);
    graph.revisitors.set(id);
    graph.mend_backs();
    (id, is_last)
}
