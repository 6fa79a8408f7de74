//! An order of all events of an execution, to show it in, or to compare it with an interleaving.
//!
//! An execution has none: it is a graph. Each order here keeps program order and reads-from, which
//! have no cycle. If there is one that keeps coherence and from-reads as well, the execution is
//! sequentially consistent, and the order is an interleaving in which each read sees the newest
//! value. Otherwise some read sees a value that another has replaced, or some write is overwritten
//! by one before it.

use crate::event::{Id, Kind, NONE, mark};
use crate::execution::{Event, Execution};

/// What an order of events keeps, besides program order and reads-from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Keeps {
    /// Nothing: there is no order that keeps coherence, too.
    ReadsFrom,
    /// The order of the writes to each word. Some read is stale.
    Coherence,
    /// From-reads, too: an interleaving.
    Everything,
}

impl Execution<'_> {
    /// Is [`Execution::in_order`] an interleaving: does each read see the newest value, and does
    /// each write come after all others of its word?
    pub fn is_interleaving(&self) -> bool {
        let shape = self.shape();
        let mut newest = vec![NONE; shape.words.len()];
        shape.order.iter().all(|&id| {
            let event = shape.event(id);
            if event.word == NONE {
                return true;
            }
            let newest = &mut newest[usize::from(event.word)];
            match event.kind {
                Kind::Read => event.from == *newest,
                Kind::Write => {
                    let place = shape.place(event.word, id);
                    let before = std::mem::replace(newest, id);
                    shape.at(event.word, place - 1) == before
                }
                _ => true,
            }
        })
    }

    /// All events in an order that keeps as much as any can, and what it keeps. The two halves of
    /// an update are next to each other.
    pub fn in_best_order(&self) -> (Vec<Event>, Keeps) {
        let (order, keeps) = [Keeps::Everything, Keeps::Coherence, Keeps::ReadsFrom]
            .into_iter()
            .find_map(|keeps| Some((self.sorted(keeps)?, keeps)))
            .expect("program order and reads-from have no cycle");
        (order.into_iter().map(|id| self.event(id)).collect(), keeps)
    }

    /// `None`: there is no such order. Of what may come next, the event that was added first does.
    fn sorted(&self, keeps: Keeps) -> Option<Vec<Id>> {
        let shape = self.shape();
        let count = shape.events.len();
        // Both halves of an update are one node, that of its read.
        let node = |id: Id| {
            let event = shape.event(id);
            let is_half = event.is_write() && event.has(mark::UPDATE);
            usize::from(if is_half { shape.read_half(event) } else { id })
        };
        let mut edges: Vec<(usize, usize)> = Vec::with_capacity(3 * count);
        let mut waits = vec![0_u32; count];
        let mut edge = |from: Id, to: Id| {
            let (from, to) = (node(from), node(to));
            if from != to {
                edges.push((from, to));
                waits[to] += 1;
            }
        };
        for task in &shape.tasks {
            task.windows(2).for_each(|pair| edge(pair[0], pair[1]));
        }
        for (id, event) in (0..).zip(&shape.events).filter(|(_, event)| event.is_read()) {
            if event.from != NONE {
                edge(event.from, id);
            }
            if keeps == Keeps::Everything && event.word != NONE {
                let writes = &shape.words[usize::from(event.word)].writes;
                if let Some(&next) = writes.get(shape.place(event.word, event.from)) {
                    edge(id, next);
                }
            }
        }
        if keeps != Keeps::ReadsFrom {
            for word in &shape.words {
                word.writes.windows(2).for_each(|pair| edge(pair[0], pair[1]));
            }
        }
        let after = Successors::new(count, &edges);
        let mut added = vec![0; count];
        for (place, &id) in shape.order.iter().enumerate() {
            added[usize::from(id)] = place;
        }
        // The places of what may come next, a bit each.
        let mut ready = Ready(vec![0; count.div_ceil(64)]);
        let is_node = |&id: &usize| node(id as Id) == id;
        for id in (0..count).filter(|id| waits[*id] == 0).filter(is_node) {
            ready.add(added[id]);
        }
        let mut order = Vec::with_capacity(count);
        while let Some(place) = ready.take_first() {
            let first = shape.order[place];
            let (id, event) = (usize::from(first), shape.event(first));
            order.push(first);
            if event.is_read() && event.has(mark::UPDATE) {
                order.push(shape.tasks[usize::from(event.task)][usize::from(event.index) + 1]);
            }
            for &next in after.of(id) {
                waits[next] -= 1;
                if waits[next] == 0 {
                    ready.add(added[next]);
                }
            }
        }
        (order.len() == count).then_some(order)
    }
}

/// What comes right after each node, one after another.
struct Successors {
    all: Vec<usize>,
    /// Where those of each node begin; and the end.
    first: Vec<usize>,
}

impl Successors {
    fn new(nodes: usize, edges: &[(usize, usize)]) -> Successors {
        let mut first = vec![0; nodes + 2];
        for &(from, _) in edges {
            first[from + 2] += 1;
        }
        for node in 2..nodes + 2 {
            first[node] += first[node - 1];
        }
        let mut all = vec![0; edges.len()];
        for &(from, to) in edges {
            all[first[from + 1]] = to;
            first[from + 1] += 1;
        }
        Successors { all, first }
    }

    fn of(&self, node: usize) -> &[usize] {
        &self.all[self.first[node]..self.first[node + 1]]
    }
}

/// A set of places.
struct Ready(Vec<u64>);

impl Ready {
    fn add(&mut self, place: usize) {
        self.0[place / 64] |= 1 << (place % 64);
    }

    fn take_first(&mut self) -> Option<usize> {
        let at = self.0.iter().position(|&word| word != 0)?;
        let word = &mut self.0[at];
        let place = at * 64 + word.trailing_zeros() as usize;
        *word &= *word - 1;
        Some(place)
    }
}
