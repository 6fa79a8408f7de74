//! An execution graph that grows and shrinks at its end.
//!
//! Events are numbered in the order in which they are added. Three things determine a graph: what
//! each task does (`shape.tasks`), which write each read reads from (`Event::from`), and the order
//! of the writes to each word (`shape.words`). The rest is derived, and kept so that the next event
//! costs little: sets of events as bits, and for each event a row of what comes before it
//! (`rows.rs`).

use crate::bits::Bits;
use crate::event::{END, Event, Id, Kind, NONE, Reach, barrier, mark};
use crate::rows::Row;
use crate::search::Model;

/// The events of a graph, and the order of writes: all that identifies it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) events: Vec<Event>,
    /// The events of each task, in the order of its program.
    pub(crate) tasks: Vec<Vec<Id>>,
    pub(crate) words: Vec<WordShape>,
    /// All events in an order in which each comes after those before it in its task, and after the
    /// write that it reads from.
    pub(crate) order: Vec<Id>,
}

/// A word: its initial value, and its writes in coherence order.
#[derive(Clone, Debug, Default)]
pub(crate) struct WordShape {
    pub(crate) initial: u64,
    pub(crate) writes: Vec<Id>,
}

impl Shape {
    pub(crate) fn event(&self, id: Id) -> &Event {
        &self.events[usize::from(id)]
    }

    /// The value of a word after this write.
    pub(crate) fn value(&self, word: u16, write: Id) -> u64 {
        if write == NONE { self.words[usize::from(word)].initial } else { self.event(write).value }
    }

    /// The place of a write in coherence order: the initial value's is 0.
    pub(crate) fn place(&self, word: u16, write: Id) -> usize {
        if write == NONE {
            return 0;
        }
        let writes = &self.words[usize::from(word)].writes;
        1 + writes.iter().rposition(|&w| w == write).expect("a write is in coherence order")
    }

    /// The write at this place.
    pub(crate) fn at(&self, word: u16, place: usize) -> Id {
        if place == 0 { NONE } else { self.words[usize::from(word)].writes[place - 1] }
    }

    /// The place of the newest write.
    pub(crate) fn newest(&self, word: u16) -> usize {
        self.words[usize::from(word)].writes.len()
    }

    /// What a new read of this word sees first.
    pub(crate) fn newest_value(&self, word: u16) -> u64 {
        self.value(word, self.at(word, self.newest(word)))
    }

    /// The write of an update that reads from the write at `place`, if there is one.
    pub(crate) fn successor(&self, word: u16, place: usize) -> Option<Id> {
        let &next = self.words[usize::from(word)].writes.get(place)?;
        let event = self.event(next);
        if !event.has(mark::UPDATE) {
            return None;
        }
        (self.event(self.read_half(event)).from == self.at(word, place)).then_some(next)
    }

    /// The read half of the update of which this is the write half.
    pub(crate) fn read_half(&self, write: &Event) -> Id {
        self.tasks[usize::from(write.task)][usize::from(write.index) - 1]
    }

    /// The event before this one in its task.
    #[inline]
    pub(crate) fn before(&self, event: &Event) -> Option<usize> {
        self.nth(event.task, event.index)
    }

    /// The last of the first `n` events of a task.
    #[inline]
    pub(crate) fn nth(&self, task: u16, n: u16) -> Option<usize> {
        let last = n.checked_sub(1)?;
        Some(usize::from(self.tasks[usize::from(task)][usize::from(last)]))
    }

    /// What there was before event number `n`.
    pub(crate) fn before_number(&self, n: usize) -> Shape {
        let kept = |ids: &[Id]| ids.iter().copied().filter(|&id| usize::from(id) < n).collect();
        Shape {
            events: self.events[..n].to_vec(),
            tasks: self.tasks.iter().map(|events| kept(events)).collect(),
            words: (self.words.iter())
                .map(|word| WordShape { initial: word.initial, writes: kept(&word.writes) })
                .collect(),
            order: kept(&self.order),
        }
    }

    /// The last event of a task.
    pub(crate) fn last(&self, task: usize) -> Option<Id> {
        self.tasks.get(task)?.last().copied()
    }

    /// Fills in what the place in its task determines: `index`, which is given, and how far back
    /// barriers reach. `full`: there is a full barrier before it, whatever else.
    pub(crate) fn placed(
        &self,
        mut event: Event,
        index: usize,
        barriers: u16,
        full: bool,
    ) -> Event {
        let none = Vec::new();
        let events = self.tasks.get(usize::from(event.task)).unwrap_or(&none);
        let events = &events[..index];
        let here = index as u16;
        let mut reach = Reach::default();
        event.index = here;
        if let Some(&last) = events.last() {
            let last = self.event(last);
            // The access that comes next: the beginning or end of a section is none.
            let address = if last.is_access() { 0 } else { last.reach.address };
            reach = Reach { address, ..last.reach };
            event.marks |= last.marks & mark::CROSS;
            if last.has(mark::FULL_AFTER) {
                reach.strong = here;
            }
        }
        if full || barriers & barrier::FULL != 0 {
            reach.strong = here;
        }
        if barriers & barrier::READ != 0 {
            reach.read = here;
        }
        if barriers & barrier::WRITE != 0 {
            reach.write = here;
        }
        if barriers & barrier::CONTROL != 0 {
            reach.control = here;
        }
        if barriers & barrier::ADDRESS != 0 {
            let read = events.iter().rposition(|&x| self.event(x).is_ordered_read());
            reach.address = read.map_or(0, |read| read as u16 + 1);
        }
        if barriers & barrier::BEFORE_ATOMIC != 0 {
            reach.before_atomic = here;
        }
        let combined = barrier::AFTER_ATOMIC | barrier::AFTER_LOCK | barrier::AFTER_UNLOCK_LOCK;
        if barriers & combined != 0 {
            self.reach_of_combined(events, barriers, &mut event, &mut reach);
        }
        if event.is_read() && event.has(mark::ATOMIC) {
            reach.strong = reach.strong.max(reach.before_atomic);
        }
        event.reach = reach;
        event
    }

    /// Barriers that are strong together with an update or a lock before them.
    fn reach_of_combined(
        &self,
        events: &[Id],
        barriers: u16,
        event: &mut Event,
        reach: &mut Reach,
    ) {
        let last =
            |holds: &dyn Fn(&Event) -> bool| events.iter().rposition(|&x| holds(self.event(x)));
        let mut upto = |n: usize| reach.strong = reach.strong.max(n as u16);
        if barriers & barrier::AFTER_ATOMIC != 0
            && let Some(i) = last(&|x| x.has(mark::ATOMIC))
        {
            upto(i + 1);
        }
        if barriers & barrier::AFTER_LOCK != 0
            && let Some(i) = last(&|x| x.is_write() && x.has(mark::LOCK))
        {
            upto(i + 1);
        }
        if barriers & barrier::AFTER_UNLOCK_LOCK != 0
            && let Some(i) = last(&|x| x.is_read() && x.has(mark::LOCK))
        {
            event.marks |= mark::CROSS | mark::AFTER_UNLOCK_LOCK;
            let unlock = events[..i].iter().rposition(|&x| self.event(x).has(mark::UNLOCK));
            upto(unlock.unwrap_or(0));
        }
    }
}

/// What is read from, and what is before an event by that and program order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Links<const W: usize> {
    /// By program order and reads-from.
    pub(crate) prefix: Bits<W>,
    /// Who reads from this write.
    pub(crate) readers: Bits<W>,
}

/// A graph and what is derived from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph<const W: usize> {
    pub(crate) shape: Shape,
    pub(crate) model: Model,
    pub(crate) links: Vec<Links<W>>,
    /// Of a graph that is being made of another one: the links of so many first events are right.
    pub(crate) linked: usize,
    /// The relations of the memory model. They are large, and only one graph at a time is worked
    /// on: the graph of an earlier level has none, and is stale ([`Graph::lend_rows`]).
    pub(crate) rows: Vec<Row<W>>,
    /// The events of each task.
    pub(crate) of_task: Vec<Bits<W>>,
    /// The reads and writes of each word.
    pub(crate) of_word: Vec<Bits<W>>,
    /// Who reads the initial value of each word.
    pub(crate) initial_readers: Vec<Bits<W>>,
    /// The events with [`mark::NEWEST`].
    pub(crate) newest: Bits<W>,
    pub(crate) reads: Bits<W>,
    /// Writes that are read from by a read that was there before them.
    pub(crate) revisitors: Bits<W>,
    /// The writes that overwrite something which was added after them, or which a read that was
    /// added after them reads; and perhaps others.
    pub(crate) late: Bits<W>,
    /// The events that start tasks.
    pub(crate) starts: Bits<W>,
    /// The rows of so many first events are right. Others may speak of events that are gone, or
    /// lack some that came before.
    pub(crate) fresh: usize,
    /// Of which of the others that may be so, under the kernel's model: of these, and of all that
    /// have one of these before them by program order and reads-from.
    pub(crate) changed: Bits<W>,
    /// The rows that have been written over since they are here.
    pub(crate) written: Bits<W>,
    /// The events to which a later one of the same task propagates. If there are some, what is
    /// before an event by program order and reads-from does not tell all that its row is made of.
    pub(crate) go_back: Bits<W>,
    /// For each event, the lowest number that comes right after one with a higher number (an
    /// overwrite, or a read that was revisited), as far as the graph up to this event goes: rows of
    /// lower numbers know of lower numbers only.
    pub(crate) backs: Vec<Id>,
    /// Is there a strong fence?
    pub(crate) has_fences: bool,
    pub(crate) grace_periods: usize,
    pub(crate) sections: usize,
    pub(crate) failures: usize,
}

impl<const W: usize> Graph<W> {
    pub(crate) fn new(model: Model) -> Self {
        Graph {
            shape: Shape::default(),
            model,
            links: Vec::new(),
            linked: 0,
            rows: Vec::new(),
            of_task: Vec::new(),
            of_word: Vec::new(),
            initial_readers: Vec::new(),
            newest: Bits::EMPTY,
            reads: Bits::EMPTY,
            revisitors: Bits::EMPTY,
            late: Bits::EMPTY,
            starts: Bits::EMPTY,
            fresh: 0,
            changed: Bits::EMPTY,
            written: Bits::EMPTY,
            go_back: Bits::EMPTY,
            backs: Vec::new(),
            has_fences: false,
            grace_periods: 0,
            sections: 0,
            failures: 0,
        }
    }

    /// The graph of this shape, of which nothing is known yet.
    pub(crate) fn of(shape: Shape, model: Model) -> Self {
        let mut graph = Graph::new(model);
        graph.of_task.resize(shape.tasks.len(), Bits::EMPTY);
        graph.of_word.resize(shape.words.len(), Bits::EMPTY);
        graph.initial_readers.resize(shape.words.len(), Bits::EMPTY);
        graph.links.resize(shape.events.len(), Links::default());
        for (id, event) in shape.events.iter().enumerate() {
            graph.note(id, event);
        }
        graph.shape = shape;
        graph.link_rest();
        graph.find_late();
        graph
    }

    pub(crate) fn len(&self) -> usize {
        self.shape.events.len()
    }

    /// See `backs`.
    pub(crate) fn back(&self) -> usize {
        self.backs.last().map_or(usize::from(NONE), |&back| usize::from(back))
    }

    /// Makes room for a word.
    pub(crate) fn declare(&mut self, word: usize, initial: u64) {
        if self.shape.words.len() <= word {
            self.shape.words.resize_with(word + 1, WordShape::default);
            self.of_word.resize(word + 1, Bits::EMPTY);
            self.initial_readers.resize(word + 1, Bits::EMPTY);
        }
        self.shape.words[word].initial = initial;
    }

    /// Makes room for a task.
    pub(crate) fn declare_task(&mut self, task: usize) {
        if self.shape.tasks.len() <= task {
            self.shape.tasks.resize_with(task + 1, Vec::new);
            self.of_task.resize(task + 1, Bits::EMPTY);
        }
    }

    /// The lowest place that a task may read or overwrite next, by coherence: what it has read or
    /// written last.
    pub(crate) fn floor(&self, task: usize, word: u16) -> usize {
        self.of_task.get(task).map_or(0, |mine| self.floor_after(word, mine))
    }

    /// The same after these events of a task. (Numbers grow along a task: what comes after a read
    /// that is revisited is added anew.)
    pub(crate) fn floor_after(&self, word: u16, events: &Bits<W>) -> usize {
        let Some(last) = self.of_word[usize::from(word)].and(events).highest() else { return 0 };
        let event = &self.shape.events[last];
        self.shape.place(word, if event.is_write() { last as Id } else { event.from })
    }

    /// Adds an event. A write goes to `place` in coherence order (after so many others). What is
    /// known of other events is not changed: the graph is stale then, if it is not the newest.
    pub(crate) fn push(&mut self, mut event: Event, place: usize) -> usize {
        let id = self.len();
        assert!(id < W * 64, "the engine makes room first");
        event.marks &= !mark::OUT_OF_ORDER;
        if event.word != NONE && !self.is_newest_now(&event, place) {
            event.marks |= mark::OUT_OF_ORDER;
        }
        let task = usize::from(event.task);
        self.declare_task(task);
        self.shape.tasks[task].push(id as Id);
        self.note(id, &event);
        if event.is_write() && event.word != NONE {
            self.shape.words[usize::from(event.word)].writes.insert(place, id as Id);
        }
        self.shape.events.push(event);
        self.shape.order.push(id as Id);
        self.links.push(Links::default());
        if event.is_read() {
            self.link_read(id);
        }
        self.link(id);
        if self.fresh == id {
            match self.rows.get_mut(id) {
                Some(row) => *row = Row::default(),
                None => self.rows.push(Row::default()),
            }
            if event.is_write() && event.word != NONE {
                self.overwrite(id, place);
            }
            self.fill_row(id);
            self.fresh = id + 1;
            self.written.set(id);
            self.changed.clear(id);
        } else {
            self.changed.set(id);
        }
        let mut back = self.backs.last().copied().unwrap_or(NONE);
        if event.has(mark::OUT_OF_ORDER) {
            let first = match event.kind {
                Kind::Read => self.shape.place(event.word, event.from),
                _ => place + 1,
            };
            let later = &self.shape.words[usize::from(event.word)].writes[first..];
            back = later.iter().copied().fold(back, Id::min);
            self.changed.set_all(later);
            self.late.set_all(later);
            self.lower(usize::from(back));
        }
        self.backs.push(back);
        id
    }

    /// Adds an event that nothing follows, and that is taken back ([`Graph::cut_last`]) before
    /// anything else is asked than its row. All rows are fresh, but for what it comes before.
    pub(crate) fn push_last(&mut self, event: Event, place: usize) {
        let id = self.push(event, place);
        (self.fresh, self.changed) = (id + 1, Bits::EMPTY);
    }

    /// Takes back what was added by [`Graph::push_last`] from number `n` on.
    pub(crate) fn cut_last(&mut self, n: usize) {
        self.cut(n);
        (self.fresh, self.changed) = (n, Bits::EMPTY);
    }

    fn is_newest_now(&self, event: &Event, place: usize) -> bool {
        let newest = self.shape.newest(event.word);
        match event.kind {
            Kind::Read => event.from == self.shape.at(event.word, newest),
            Kind::Write => place == newest,
            _ => true,
        }
    }

    /// Enters an event into the sets.
    pub(crate) fn note(&mut self, id: usize, event: &Event) {
        self.of_task[usize::from(event.task)].set(id);
        if event.word != NONE {
            self.of_word[usize::from(event.word)].set(id);
        }
        if event.has(mark::NEWEST) {
            self.newest.set(id);
        }
        self.has_fences |= event.reach.strong > 0 || event.has(mark::CROSS);
        match event.kind {
            Kind::Read => self.reads.set(id),
            Kind::GracePeriod => self.grace_periods += 1,
            Kind::SectionBegins => self.sections += 1,
            Kind::Failure => self.failures += 1,
            Kind::Write if event.word == NONE && event.value != END => self.starts.set(id),
            _ => {}
        }
    }

    /// Enters a read with those of the write that it reads from.
    pub(crate) fn link_read(&mut self, id: usize) {
        let event = &self.shape.events[id];
        if event.from != NONE {
            self.links[usize::from(event.from)].readers.set(id);
        } else if event.word != NONE {
            self.initial_readers[usize::from(event.word)].set(id);
        }
    }

    /// Takes back the events from number `n` on.
    pub(crate) fn cut(&mut self, n: usize) {
        while self.len() > n {
            let event = self.shape.events.pop().expect("there are more than n");
            let id = self.len();
            self.links.pop();
            let back = self.backs.pop();
            self.shape.order.pop();
            let task = usize::from(event.task);
            self.shape.tasks[task].pop();
            self.of_task[task].clear(id);
            self.newest.clear(id);
            self.go_back.clear(id);
            self.late.clear(id);
            self.starts.clear(id);
            let is_felt = event.has(mark::OUT_OF_ORDER);
            self.lower(back.filter(|_| is_felt).map_or(id, |back| id.min(usize::from(back))));
            match event.kind {
                Kind::Read => {
                    self.reads.clear(id);
                    self.unlink_read(id, &event);
                    if is_felt {
                        let first = self.shape.place(event.word, event.from);
                        let later = &self.shape.words[usize::from(event.word)].writes[first..];
                        self.changed.set_all(later);
                    }
                }
                Kind::Write if event.word != NONE => {
                    let writes = &mut self.shape.words[usize::from(event.word)].writes;
                    let place = writes.iter().rposition(|&w| usize::from(w) == id);
                    let place = place.expect("a write is in coherence order");
                    writes.remove(place);
                    self.changed.set_all(&writes[place..]);
                }
                Kind::GracePeriod => self.grace_periods -= 1,
                Kind::SectionBegins => self.sections -= 1,
                Kind::Failure => self.failures -= 1,
                _ => {}
            }
            if event.word != NONE {
                self.of_word[usize::from(event.word)].clear(id);
            }
        }
    }

    /// The opposite.
    pub(crate) fn unlink_read(&mut self, id: usize, event: &Event) {
        if event.from != NONE {
            self.links[usize::from(event.from)].readers.clear(id);
        } else if event.word != NONE {
            self.initial_readers[usize::from(event.word)].clear(id);
        }
    }

    /// A write that has lost a reader: is it still read from by one that was there before it?
    pub(crate) fn check_revisitor(&mut self, write: usize) {
        if !self.links[write].readers.meets(&Bits::below(write)) {
            self.revisitors.clear(write);
        }
    }

    /// Makes the links that are missing, and puts `backs` in order.
    pub(crate) fn link_rest(&mut self) {
        self.link_all();
        self.mend_backs();
    }

    /// The first of both.
    pub(crate) fn link_all(&mut self) {
        let first = std::mem::replace(&mut self.linked, 0);
        for id in self.reads.from(first).iter() {
            self.link_read(id);
            let from = self.shape.events[id].from;
            if from != NONE && usize::from(from) > id {
                self.revisitors.set(usize::from(from));
            }
        }
        for k in 0..self.shape.order.len() {
            let id = usize::from(self.shape.order[k]);
            if id >= first {
                self.link(id);
            }
        }
    }

    /// Puts `backs` in order, after a read was made to read from something else.
    pub(crate) fn mend_backs(&mut self) {
        let back = self.lowest_back();
        self.backs.clear();
        self.backs.resize(self.len(), back);
        self.lower(usize::from(back));
    }

    /// The lowest number that comes right after a higher one.
    fn lowest_back(&self) -> Id {
        let mut back = NONE;
        for (word, initial) in self.shape.words.iter().zip(&self.initial_readers) {
            // The highest number that comes before a write: an earlier write, or who reads it.
            let mut highest = initial.highest();
            for &write in &word.writes {
                let id = usize::from(write);
                if highest.is_some_and(|highest| highest > id) {
                    back = back.min(write);
                }
                highest = highest.max(Some(id)).max(self.links[id].readers.highest());
            }
        }
        let is_revisited = |&id: &usize| {
            let from = self.shape.events[id].from;
            from != NONE && usize::from(from) > id
        };
        match self.reads.iter().find(is_revisited) {
            Some(read) => back.min(read as Id),
            None => back,
        }
    }

    /// What is before an event by program order and reads-from.
    pub(crate) fn link(&mut self, id: usize) {
        let event = &self.shape.events[id];
        let mut prefix = Bits::EMPTY;
        if let Some(before) = self.shape.before(event) {
            prefix = self.links[before].prefix.with(before);
        }
        if event.is_read() && event.from != NONE {
            let from = usize::from(event.from);
            prefix.add(&self.links[from].prefix);
            prefix.set(from);
        }
        self.links[id].prefix = prefix;
    }

    /// What would be before the next event of a task.
    pub(crate) fn prefix_of_next(&self, task: usize) -> Bits<W> {
        match self.shape.last(task) {
            Some(last) => self.links[usize::from(last)].prefix.with(usize::from(last)),
            None => Bits::EMPTY,
        }
    }
}
