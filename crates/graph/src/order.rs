//! An order of all events of an execution, to show it in, or to compare it with an interleaving.
//!
//! An execution has none: it is a graph. Each order here keeps program order and reads-from, which
//! have no cycle. If there is one that keeps coherence and from-reads as well, the execution is
//! sequentially consistent, and the order is an interleaving in which each read sees the newest
//! value. Otherwise some read sees a value that another has replaced, or some write is overwritten
//! by one before it.

use crate::event::{Event as Stored, Id, Kind, NONE, mark};
use crate::execution::{Event, Execution};
use crate::graph::Shape;

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

    /// All events in an order that keeps as much as any can. The two halves of an update are next
    /// to each other.
    pub fn in_best_order(&self) -> BestOrder<'_> {
        BestOrder { execution: self, sorted: self.shape().in_best_order() }
    }
}

/// The events of a graph, in some order.
struct Sorted {
    order: Vec<Id>,
    keeps: Keeps,
    /// So many first events are where they are in the order in which they were added.
    unmoved: usize,
}

impl Shape {
    fn in_best_order(&self) -> Sorted {
        [Keeps::Everything, Keeps::Coherence, Keeps::ReadsFrom]
            .into_iter()
            .find_map(|keeps| self.sorted(keeps))
            .expect("program order and reads-from have no cycle")
    }

    /// `None`: there is no such order. Of what may come next, the event that was added first does.
    /// So what comes before all that is out of order stays where it is, and the rest is sorted.
    fn sorted(&self, keeps: Keeps) -> Option<Sorted> {
        let shape = self;
        let mut nodes = Nodes::new(shape, keeps);
        let unmoved = nodes.in_order();
        if unmoved == shape.order.len() {
            return Some(Sorted { order: shape.order.clone(), keeps, unmoved });
        }
        let mut order = Vec::with_capacity(shape.events.len());
        order.extend_from_slice(&shape.order[..unmoved]);
        nodes.count(&shape.order[unmoved..]);
        // The places of what may come next, a bit each.
        let mut ready = Ready(vec![0; shape.order.len().div_ceil(64)]);
        for (place, &id) in shape.order.iter().enumerate().skip(unmoved) {
            if nodes.all[usize::from(id)].waits == 0 && nodes.of(id) == id {
                ready.add(place);
            }
        }
        while let Some(place) = ready.take_first() {
            let first = shape.order[place];
            let event = shape.event(first);
            order.push(first);
            nodes.taken(first, &mut ready);
            if event.is_read() && event.has(mark::UPDATE) {
                let write = shape.tasks[usize::from(event.task)][usize::from(event.index) + 1];
                order.push(write);
                nodes.taken(write, &mut ready);
            }
        }
        let is_all = order.len() == shape.events.len();
        is_all.then_some(Sorted { order, keeps, unmoved })
    }
}

/// See [`Execution::in_best_order`].
pub struct BestOrder<'a> {
    execution: &'a Execution<'a>,
    sorted: Sorted,
}

impl BestOrder<'_> {
    /// The events.
    pub fn events(&self) -> impl ExactSizeIterator<Item = Event> {
        self.sorted.order.iter().map(|&id| self.execution.event(id))
    }

    /// What the order keeps.
    pub fn keeps(&self) -> Keeps {
        self.sorted.keeps
    }

    /// So many first events are those of [`Execution::in_order`].
    pub fn unmoved(&self) -> usize {
        self.sorted.unmoved
    }
}

/// An event while events are sorted. The two halves of an update are one node, that of its read.
#[derive(Clone, Copy)]
struct Node {
    /// How many events it comes after that have not been taken.
    waits: u16,
    /// Its place in the order in which events were added.
    added: u16,
    /// The event that stands for it: the read of an update, or itself.
    of: Id,
    /// Of a write: one of those that read from it. [`NONE`]: there is none.
    reader: Id,
    /// Of a read: another one that reads from the same write.
    other_reader: Id,
    /// Of a write: the one after it in coherence order.
    overwritten_by: Id,
}

struct Nodes<'a> {
    shape: &'a Shape,
    keeps: Keeps,
    all: Vec<Node>,
}

impl<'a> Nodes<'a> {
    fn new(shape: &'a Shape, keeps: Keeps) -> Self {
        let none = Node {
            waits: 0,
            added: 0,
            of: NONE,
            reader: NONE,
            other_reader: NONE,
            overwritten_by: NONE,
        };
        let mut all = vec![none; shape.events.len()];
        for (place, &id) in (0..).zip(&shape.order) {
            let event = shape.event(id);
            let is_half = event.is_write() && event.has(mark::UPDATE);
            let node = &mut all[usize::from(id)];
            node.added = place;
            node.of = if is_half { shape.read_half(event) } else { id };
            if event.is_read() && event.from != NONE {
                let from = usize::from(event.from);
                all[usize::from(id)].other_reader = all[from].reader;
                all[from].reader = id;
            }
        }
        for pair in shape.words.iter().flat_map(|word| word.writes.windows(2)) {
            all[usize::from(pair[0])].overwritten_by = pair[1];
        }
        Nodes { shape, keeps, all }
    }

    /// So many first events come after nothing that was added later.
    fn in_order(&self) -> usize {
        let mut first = self.shape.order.len();
        let mut comes_before = |id: Id, after: Id| {
            let [id, after] = [id, self.of(after)].map(usize::from);
            let place = usize::from(self.all[after].added);
            if place < usize::from(self.all[id].added) && self.all[id].of != after as Id {
                first = first.min(place);
            }
        };
        // Program order and reads-from are kept in any case.
        for word in self.shape.words.iter().filter(|_| self.keeps != Keeps::ReadsFrom) {
            word.writes.windows(2).for_each(|pair| comes_before(pair[0], pair[1]));
        }
        for &id in self.shape.order.iter().filter(|_| self.keeps == Keeps::Everything) {
            let next = self.overwrites(self.shape.event(id));
            if next != NONE {
                comes_before(id, next);
            }
        }
        first
    }

    /// The write that overwrites what a read has seen.
    fn overwrites(&self, event: &Stored) -> Id {
        if !event.is_read() || event.word == NONE {
            return NONE;
        }
        match event.from {
            NONE => {
                let writes = &self.shape.words[usize::from(event.word)].writes;
                writes.first().copied().unwrap_or(NONE)
            }
            from => self.all[usize::from(from)].overwritten_by,
        }
    }

    /// Counts what each of these waits for: what comes before none of them is over.
    fn count(&mut self, ids: &[Id]) {
        for &id in ids {
            self.each_after(id, |nodes, after| nodes.all[usize::from(after)].waits += 1);
        }
    }

    /// The node of an event.
    fn of(&self, id: Id) -> Id {
        self.all[usize::from(id)].of
    }

    /// Every node that comes right after an event, for each reason.
    fn each_after(&mut self, id: Id, mut each: impl FnMut(&mut Self, Id)) {
        let shape = self.shape;
        let event = shape.event(id);
        let own = self.of(id);
        let mut other = |nodes: &mut Self, after: Id| {
            let after = if after == NONE { own } else { nodes.of(after) };
            if after != own {
                each(nodes, after);
            }
        };
        let next = shape.tasks[usize::from(event.task)].get(usize::from(event.index) + 1);
        other(self, next.copied().unwrap_or(NONE));
        if event.is_write() {
            let mut reader = self.all[usize::from(id)].reader;
            while reader != NONE {
                other(self, reader);
                reader = self.all[usize::from(reader)].other_reader;
            }
            if self.keeps != Keeps::ReadsFrom {
                let next = self.all[usize::from(id)].overwritten_by;
                other(self, next);
            }
        } else if self.keeps == Keeps::Everything {
            let next = self.overwrites(event);
            other(self, next);
        }
    }

    /// An event has been taken: what comes after it waits for one less.
    fn taken(&mut self, id: Id, ready: &mut Ready) {
        self.each_after(id, |nodes, after| {
            let node = &mut nodes.all[usize::from(after)];
            node.waits -= 1;
            if node.waits == 0 {
                ready.add(usize::from(node.added));
            }
        });
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
