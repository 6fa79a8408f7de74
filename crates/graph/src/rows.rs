//! The relations of the memory models, as one row of predecessors for each event.
//!
//! The newest event that nobody reads, overwrites or follows is the end of relations only: its row
//! is a union of rows that are there already. Most of these unions are along program order, and so
//! kept for each event up to and including it. What a barrier orders before an event is then one
//! look at the row of the last event that the barrier covers.
//!
//! The names are those of the crate's documentation, where each relation is explained. Plain
//! accesses are ordered as marked ones are here (`races.rs` says why that loses nothing).

use crate::bits::Bits;
use crate::event::{Event, Id, NONE, mark};
use crate::graph::Graph;
use crate::search::Model;

/// What comes before one event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row<const W: usize> {
    /// Sequential consistency only: by program order, reads-from, coherence and from-reads.
    pub(crate) total: Bits<W>,
    /// What this write overwrites, and what has read that.
    overwritten: Bits<W>,
    /// The same of its own task, from the last write on: what is earlier comes before that.
    overwritten_own: Bits<W>,
    /// The write right before it, and what has read that. Everything else that is overwritten comes
    /// before these, in a total order.
    overwritten_last: Bits<W>,
    /// What comes before by one cumulative fence at least, before that perhaps an overwrite by
    /// another task.
    fenced: Bits<W>,
    /// The same with any number of fences, this event included.
    reached: Bits<W>,
    /// `propagates`: the same, and then perhaps read from by another task.
    pub(crate) propagates: Bits<W>,
    // Along program order, this event included: the unions of `propagates`, of `reached`, and of
    // `reached` of writes.
    pub(crate) all_propagates: Bits<W>,
    all_reached: Bits<W>,
    writes_reached: Bits<W>,
    /// `happens-before`, any number of steps.
    pub(crate) happens: Bits<W>,
    // Along program order, this event included: the unions of event and `happens`, of all
    // accesses, of acquires, of writes, and of reads that a read barrier orders.
    all_happens: Bits<W>,
    acquires_happen: Bits<W>,
    writes_happen: Bits<W>,
    reads_happen: Bits<W>,
    // What an unlock before a lock carries to the events after the lock: the unlocking task's
    // `all_reached` and `all_propagates`, and of the same task its `all_happens`.
    unlocked_reached: Bits<W>,
    unlocked_propagates: Bits<W>,
    unlocked_happens: Bits<W>,
    /// `all_propagates` before strong fences that begin in another task (after-unlock-lock).
    pub(crate) crossed: Bits<W>,
    /// No event with a higher number has been looked at for this row.
    pub(crate) highest: usize,
}

impl<const W: usize> Row<W> {
    /// Of no event: there is none before the first of a task.
    const NONE: Self = Row {
        total: Bits::EMPTY,
        overwritten: Bits::EMPTY,
        overwritten_own: Bits::EMPTY,
        overwritten_last: Bits::EMPTY,
        fenced: Bits::EMPTY,
        reached: Bits::EMPTY,
        propagates: Bits::EMPTY,
        all_propagates: Bits::EMPTY,
        all_reached: Bits::EMPTY,
        writes_reached: Bits::EMPTY,
        happens: Bits::EMPTY,
        all_happens: Bits::EMPTY,
        acquires_happen: Bits::EMPTY,
        writes_happen: Bits::EMPTY,
        reads_happen: Bits::EMPTY,
        unlocked_reached: Bits::EMPTY,
        unlocked_propagates: Bits::EMPTY,
        unlocked_happens: Bits::EMPTY,
        crossed: Bits::EMPTY,
        highest: 0,
    };
}

impl<const W: usize> Row<W> {
    /// What happens before the next access of the task of this event, whatever that is.
    pub(crate) fn happens_anyway(&self) -> Bits<W> {
        self.acquires_happen.or(&self.unlocked_happens)
    }
}

/// The row of an event, to be filled, and that of the event before it in its task. A row is large:
/// it is filled where it is, field by field.
fn with_last<const W: usize>(
    rows: &mut [Row<W>],
    id: usize,
    before: Option<usize>,
) -> (&mut Row<W>, &Row<W>) {
    let Some(before) = before else { return (&mut rows[id], &Row::NONE) };
    let [row, last] = rows.get_disjoint_mut([id, before]).expect("an event and one before it");
    (row, last)
}

impl<const W: usize> Graph<W> {
    /// Computes the row of the newest event. All other rows are fresh.
    pub(crate) fn fill_row(&mut self, id: usize) {
        match self.model {
            Model::Sc => self.fill_total(id),
            Model::Kernel => {
                self.fill_reached(id);
                self.fill_happens(id);
            }
        }
    }

    /// Computes the rows of the kernel's model, whatever the model is, of these events, all of them
    /// with numbers from `first` on. False: since some events go back, others may have changed too.
    pub(crate) fn fill_kernel(&mut self, first: usize, stale: &Bits<W>) -> bool {
        self.overwrite_all(stale);
        // What is known of another graph must not be taken for what happens in this one: an event
        // may ask the row of a later one.
        for id in stale.iter() {
            self.rows[id].happens = Bits::EMPTY;
        }
        let order = std::mem::take(&mut self.shape.order);
        let mut goes_back = None;
        for (place, &id) in order.iter().enumerate() {
            let id = usize::from(id);
            if !stale.has(id) {
                continue;
            }
            self.fill_reached(id);
            self.fill_happens(id);
            let event = &self.shape.events[id];
            let later = self.of_task[usize::from(event.task)].minus(&Bits::below(id + 1));
            self.go_back.clear(id);
            if self.rows[id].propagates.meets(&later) {
                self.go_back.set(id);
                goes_back.get_or_insert(place);
            }
        }
        // An event may happen before one that is earlier in its own task, by propagation; only then
        // one round in the order of program order and reads-from is not enough.
        let len = self.len();
        let is_all = Bits::below(len).from(first).minus(stale).is_empty();
        if let Some(place) = goes_back.filter(|_| is_all) {
            let mut has_grown = true;
            while has_grown {
                has_grown = false;
                for &id in order[place..].iter().filter(|&&id| usize::from(id) >= first) {
                    has_grown |= self.fill_happens(usize::from(id));
                }
            }
            self.rows[first..len].iter_mut().for_each(|row| row.highest = usize::MAX);
        }
        self.shape.order = order;
        goes_back.is_none() || is_all
    }

    /// The same for sequential consistency, of all rows that may be stale.
    pub(crate) fn refresh_total(&mut self) {
        let first = self.fresh;
        let stale = Bits::below(self.len()).from(first);
        self.overwrite_all(&stale);
        for id in stale.iter() {
            self.rows[id].total = Bits::EMPTY;
        }
        self.written.add(&stale);
        let order = std::mem::take(&mut self.shape.order);
        let mut changed = true;
        while changed {
            changed = false;
            for id in order.iter().map(|&id| usize::from(id)).filter(|&id| id >= first) {
                let old = self.rows[id].total;
                self.fill_total(id);
                changed |= self.rows[id].total != old;
            }
        }
        self.shape.order = order;
    }

    fn fill_total(&mut self, id: usize) {
        let event = self.shape.events[id];
        let mut total = self.rows[id].total;
        let direct = self.rows[id].overwritten_last;
        let from = (event.is_read() && event.from != NONE).then(|| usize::from(event.from));
        for x in self.shape.before(&event).into_iter().chain(from).chain(direct.iter()) {
            total.set(x);
            total.add(&self.rows[x].total);
        }
        self.rows[id].total = total;
    }

    /// What these events overwrite, if they are writes.
    fn overwrite_all(&mut self, stale: &Bits<W>) {
        if self.rows.len() < self.len() {
            self.rows.resize(self.len(), Row::NONE);
        }
        for id in stale.iter() {
            let row = &mut self.rows[id];
            row.overwritten = Bits::EMPTY;
            row.overwritten_own = Bits::EMPTY;
            row.overwritten_last = Bits::EMPTY;
        }
        let writes = stale.minus(&self.reads);
        for word in 0..self.shape.words.len() {
            if !self.of_word[word].meets(&writes) {
                continue;
            }
            for place in 0..self.shape.words[word].writes.len() {
                let id = usize::from(self.shape.words[word].writes[place]);
                if stale.has(id) {
                    self.overwrite(id, place);
                }
            }
        }
    }

    /// What the write at this place overwrites: the one before it, who reads from that, and what
    /// that overwrites.
    pub(crate) fn overwrite(&mut self, id: usize, place: usize) {
        let event = &self.shape.events[id];
        let word = usize::from(event.word);
        let (last, all) = match place.checked_sub(1) {
            Some(before) => {
                let before = usize::from(self.shape.words[word].writes[before]);
                let last = self.links[before].readers.with(before);
                (last, last.or(&self.rows[before].overwritten))
            }
            None => (self.initial_readers[word], self.initial_readers[word]),
        };
        let mine = all.and(&self.of_task[usize::from(event.task)]);
        let row = &mut self.rows[id];
        row.overwritten = all;
        row.overwritten_own = mine.from(mine.minus(&self.reads).highest().unwrap_or(0));
        row.overwritten_last = last;
    }

    /// What `propagates` is made of.
    fn fill_reached(&mut self, id: usize) {
        let event = self.shape.events[id];
        let before = self.shape.before(&event);
        let highest = self.highest(&event, id, before);
        let (row, last) = with_last(&mut self.rows, id, before);
        row.highest = highest;
        row.unlocked_reached = last.unlocked_reached;
        row.unlocked_propagates = last.unlocked_propagates;
        row.unlocked_happens = last.unlocked_happens;
        row.crossed = last.crossed;
        if event.has(mark::AFTER_UNLOCK_LOCK) {
            row.crossed.add(&last.unlocked_propagates);
        }
        row.all_propagates = last.all_propagates;
        row.all_reached = last.all_reached;
        row.writes_reached = last.writes_reached;
        if !event.is_access() {
            row.fenced = Bits::EMPTY;
            row.reached = Bits::EMPTY;
            row.propagates = Bits::EMPTY;
            return;
        }
        let fenced = self.fenced(&event, id, before);
        let mut from = Bits::EMPTY;
        if event.is_read() && event.from != NONE && self.is_other(&event, event.from) {
            from = self.rows[usize::from(event.from)].reached;
        }
        let row = &mut self.rows[id];
        row.fenced = fenced;
        row.reached = fenced.with(id);
        if event.is_write() {
            row.reached.add(&row.overwritten.minus(&self.of_task[usize::from(event.task)]));
            row.writes_reached.add(&row.reached);
        }
        row.propagates = row.reached.or(&from);
        row.all_propagates.add(&row.propagates);
        row.all_reached.add(&row.reached);
        if event.is_read() && event.has(mark::LOCK) {
            self.carry_unlocks(id);
        }
    }

    /// The highest number of an event that the row is made of: of this one, of those that it
    /// overwrites, and of those of the rows that it builds on.
    fn highest(&self, event: &Event, id: usize, before: Option<usize>) -> usize {
        let row = &self.rows[id];
        let of_row = |id: usize| self.rows[id].highest;
        let overwritten = if event.is_write() { row.overwritten.highest() } else { None };
        let from = Some(usize::from(event.from)).filter(|_| event.is_read() && event.from != NONE);
        let built_on = before.map(of_row).max(from.map(of_row)).max(overwritten);
        built_on.map_or(id, |highest| highest.max(id))
    }

    /// Is that write another task's?
    fn is_other(&self, event: &Event, write: Id) -> bool {
        self.shape.event(write).task != event.task
    }

    /// What comes before an access by a cumulative fence that ends in it, or in an earlier write
    /// of a chain of updates that it is the last of.
    fn fenced(&self, event: &Event, id: usize, before: Option<usize>) -> Bits<W> {
        let last = before.map_or(&Row::NONE, |before| &self.rows[before]);
        let mut fenced = last.unlocked_reached;
        if let Some(covered) = self.shape.nth(event.task, event.reach.strong) {
            fenced.add(&self.rows[covered].all_propagates);
        }
        if event.has(mark::CROSS) {
            fenced.add(&self.rows[id].crossed);
        }
        if event.has(mark::RELEASE) {
            fenced.add(&last.all_propagates);
        }
        if event.is_write() {
            if let Some(covered) = self.shape.nth(event.task, event.reach.write) {
                fenced.add(&self.rows[covered].writes_reached);
            }
            if event.has(mark::UPDATE) {
                let read = self.shape.event(self.shape.read_half(event));
                if read.from != NONE {
                    fenced.add(&self.rows[usize::from(read.from)].fenced);
                }
            }
        }
        fenced
    }

    /// What the unlocks before this acquisition carry on: that of the lock which it takes, and the
    /// last one of its own task.
    fn carry_unlocks(&mut self, id: usize) {
        let event = self.shape.events[id];
        let is_unlock = |&x: &Id| self.shape.event(x).has(mark::UNLOCK);
        let taken = Some(event.from).filter(|&from| from != NONE).filter(is_unlock);
        let events = &self.shape.tasks[usize::from(event.task)][..usize::from(event.index)];
        let own = events.iter().rev().copied().find(is_unlock);
        for unlock in taken.into_iter().chain(own) {
            let unlock = self.shape.event(unlock);
            if let Some(before) = self.shape.before(unlock) {
                let (row, before) = with_last(&mut self.rows, id, Some(before));
                row.unlocked_reached.add(&before.all_reached);
                row.unlocked_propagates.add(&before.all_propagates);
                if unlock.task == event.task {
                    row.unlocked_happens.add(&before.all_happens);
                }
            }
        }
    }

    /// `happens-before`. Returns whether the row has grown.
    fn fill_happens(&mut self, id: usize) -> bool {
        let event = self.shape.events[id];
        let before = self.shape.before(&event);
        let (row, last) = with_last(&mut self.rows, id, before);
        row.unlocked_happens.add(&last.unlocked_happens);
        row.all_happens = last.all_happens;
        row.acquires_happen = last.acquires_happen;
        row.writes_happen = last.writes_happen;
        row.reads_happen = last.reads_happen;
        if !event.is_access() {
            return false;
        }
        let old = row.happens;
        let happens = self.happens(&event, id, before);
        let has_grown = happens != old;
        let row = &mut self.rows[id];
        row.happens = happens;
        let all = happens.with(id);
        row.all_happens.add(&all);
        if event.has(mark::ACQUIRE) {
            row.acquires_happen.add(&all);
        }
        if event.is_write() {
            row.writes_happen.add(&all);
        }
        if event.is_ordered_read() {
            row.reads_happen.add(&all);
        }
        if has_grown && event.is_read() && event.has(mark::LOCK) {
            self.carry_unlocks(id);
        }
        has_grown
    }

    /// What happens before an access, as far as the rows of what comes before it say.
    fn happens(&self, event: &Event, id: usize, before: Option<usize>) -> Bits<W> {
        let row = &self.rows[id];
        let last = before.map_or(&Row::NONE, |before| &self.rows[before]);
        let mut happens = self.in_order(event, last).or(&last.happens_anyway());
        let step = |x: usize| {
            happens.set(x);
            happens.add(&self.rows[x].happens);
        };
        if event.is_write() {
            row.overwritten_own.iter().for_each(step);
        } else {
            self.read_from(event).into_iter().flatten().for_each(step);
        }
        // Most of what propagates here is known to have happened, with what comes before it.
        let mut own = row.propagates.and(&self.of_task[usize::from(event.task)]);
        own.clear(id);
        own.minus(&happens).iter().for_each(|x| {
            happens.set(x);
            happens.add(&self.rows[x].happens);
        });
        happens.or(&row.happens)
    }

    /// What happens before a read because of what it reads from: the write, if it is another
    /// task's; if it is one of the same task, what that depends on: if it is an update that
    /// computes, what it computed from, and what its address was read from.
    fn read_from(&self, event: &Event) -> [Option<usize>; 2] {
        if event.from == NONE {
            return [None; 2];
        }
        let write = self.shape.event(event.from);
        if write.task != event.task {
            return [Some(usize::from(event.from)), None];
        }
        let computed = write.has(mark::COMPUTED).then(|| usize::from(self.shape.read_half(write)));
        [computed, self.shape.nth(write.task, write.reach.address)]
    }

    /// What happens before an access because its task's program orders it.
    fn in_order(&self, event: &Event, last: &Row<W>) -> Bits<W> {
        let mut ordered = last.acquires_happen;
        let rows = |n: u16| self.shape.nth(event.task, n).map(|covered| &self.rows[covered]);
        if let Some(covered) = rows(event.reach.strong) {
            ordered.add(&covered.all_happens);
        }
        if event.has(mark::RELEASE) {
            ordered.add(&last.all_happens);
        }
        if let Some(read) = self.shape.nth(event.task, event.reach.address) {
            ordered.add(&self.rows[read].happens.with(read));
        }
        if event.is_write() {
            if let Some(covered) = rows(event.reach.write) {
                ordered.add(&covered.writes_happen);
            }
            if let Some(covered) = rows(event.reach.control) {
                ordered.add(&covered.reads_happen);
            }
        } else if event.is_ordered_read()
            && let Some(covered) = rows(event.reach.read)
        {
            ordered.add(&covered.reads_happen);
        }
        ordered
    }

    /// What comes before some event of these by one step of `propagates-before`: what propagates to
    /// an event before a strong fence, if what is after the fence is that event or happens before
    /// it.
    pub(crate) fn propagates_before(&self, events: &Bits<W>) -> Bits<W> {
        let mut before = Bits::EMPTY;
        let after = self.with_what_happens_before(events);
        // The later an event of a task, the more is before its last strong fence.
        for last in self.last_of_tasks(&after) {
            let event = &self.shape.events[last];
            if let Some(covered) = self.shape.nth(event.task, event.reach.strong) {
                before.add(&self.rows[covered].all_propagates);
            }
            if event.has(mark::CROSS) {
                before.add(&self.rows[last].crossed);
            }
        }
        before
    }

    /// These events, and all that happens before one of them.
    pub(crate) fn with_what_happens_before(&self, events: &Bits<W>) -> Bits<W> {
        events.iter().fold(*events, |all, id| all.or(&self.rows[id].happens))
    }

    /// The last event of each task among these.
    pub(crate) fn last_of_tasks(&self, events: &Bits<W>) -> impl Iterator<Item = usize> {
        self.of_task.iter().filter_map(|task| task.and(events).highest())
    }
}
