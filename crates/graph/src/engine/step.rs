//! The next operation of a task: its newest outcome, and what it may do instead.

use super::{Engine, Then};
use crate::bits::Bits;
use crate::coroutine::Reply;
use crate::event::{END, Event, Id, Kind, NONE, Reach, mark};
use crate::op::{Announced, Rmw, What};
use crate::steps;

/// An operation that reads a given write, as events.
pub(super) struct Outcome {
    pub(super) read: Event,
    /// Of an update that happens.
    pub(super) write: Option<Event>,
    /// The task waits for another value.
    pub(super) is_blocked: bool,
}

impl Outcome {
    pub(super) fn reply(&self) -> Reply {
        Reply { value: self.read.value, done: self.write.is_some() }
    }

    /// Says that it is the newest, or that it is not.
    pub(super) fn set_newest(&mut self, is_newest: bool) {
        for event in std::iter::once(&mut self.read).chain(&mut self.write) {
            event.marks &= !mark::NEWEST;
            event.marks |= if is_newest { mark::NEWEST } else { 0 };
        }
    }
}

impl<const W: usize> Engine<'_, W> {
    /// The next operation of a task that can go on, or will wait for good.
    pub(super) fn step(&mut self, task: usize) {
        let next = self.tasks[task].next.take().expect("the task has an operation");
        let reply = match &next.what {
            What::Read
            | What::Wait(_)
            | What::Update(_)
            | What::WaitUpdate(_)
            | What::Lock
            | What::TryLock => self.read(task, &next),
            What::Write(_) | What::Unlock => Some(self.write(task, &next)),
            What::Choose(alternatives) => Some(self.choose(task, &next, *alternatives)),
            _ => Some(self.other(task, &next)),
        };
        self.tasks[task].next = Some(next);
        self.adds_step(self.seen().len() - 1);
        match reply {
            Some(reply) => self.happen(task, reply),
            None => self.tasks[task].is_stopped = true,
        }
    }

    /// The operation of which this event is the last happens now, and was not known before.
    pub(super) fn adds_step(&mut self, last: usize) {
        let top = self.levels.last().expect("tasks run along a graph");
        steps::add(self.way.add(&top.graph.shape, last as Id));
    }

    /// An event of this operation, not placed yet.
    fn event(&self, task: usize, kind: Kind, next: &Announced) -> Event {
        Event {
            task: task as u16,
            index: 0,
            kind,
            marks: next.marks | mark::NEWEST,
            word: next.word,
            from: NONE,
            value: 0,
            reach: Reach::default(),
        }
    }

    /// Puts an event at the end of its task.
    fn placed(&self, event: Event, next: &Announced, full: bool) -> Event {
        let shape = &self.seen().shape;
        let index = shape.tasks.get(usize::from(event.task)).map_or(0, Vec::len);
        shape.placed(event, index, next.barriers, full)
    }

    /// Operations that meet no others, but those of spawn and join.
    fn other(&mut self, task: usize, next: &Announced) -> Reply {
        let (kind, value, marks) = match &next.what {
            What::Begin => (Kind::Read, 0, mark::ACQUIRE | mark::TASK),
            What::Join(child) => (Kind::Read, *child as u64, mark::ACQUIRE | mark::TASK),
            What::Spawn(_) => (Kind::Write, self.next_number(), mark::RELEASE | mark::TASK),
            What::End => (Kind::Write, END, mark::RELEASE | mark::TASK),
            What::GracePeriod => (Kind::GracePeriod, 0, mark::FULL_AFTER),
            What::SectionBegins => (Kind::SectionBegins, 0, 0),
            What::SectionEnds => (Kind::SectionEnds, 0, 0),
            _ => (Kind::Failure, 0, 0),
        };
        let mut event = Event { value, ..self.event(task, kind, next) };
        event.marks |= marks;
        match &next.what {
            What::Begin => event.from = self.spawn_of(task),
            What::Join(child) => {
                event.from = self.seen().shape.last(*child).expect("it has ended");
            }
            _ => {}
        }
        let full = matches!(next.what, What::Spawn(_) | What::End | What::GracePeriod);
        let event = self.placed(event, next, full);
        self.graph().push(event, 0);
        Reply { value, done: false }
    }

    fn choose(&mut self, task: usize, next: &Announced, alternatives: u32) -> Reply {
        let at = self.seen().len();
        let first = self.placed(self.event(task, Kind::Choice, next), next, false);
        for value in (1..u64::from(alternatives)).rev() {
            let event = Event { value, marks: first.marks & !mark::NEWEST, ..first };
            self.note(at, Then::Add { event, place: 0 });
        }
        self.graph().push(first, 0);
        Reply::default()
    }

    /// A write goes last in coherence order, or to any other place that is consistent.
    fn write(&mut self, task: usize, next: &Announced) -> Reply {
        let at = self.seen().len();
        let mut event = self.event(task, Kind::Write, next);
        if let What::Write(value) = next.what {
            event.value = value;
        }
        let event = self.placed(event, next, false);
        let floor = self.seen().floor(task, next.word);
        let newest = self.seen().shape.newest(next.word);
        for place in floor..newest {
            let event = Event { marks: event.marks & !mark::NEWEST, ..event };
            if self.seen().shape.successor(next.word, place).is_none()
                && self.fits(&[(event, place)], place)
            {
                self.note(at, Then::Add { event, place });
            }
        }
        let id = self.graph().push(event, newest);
        self.note_revisits(id);
        Reply::default()
    }

    /// A read, or an update, takes the newest write, or any other that is consistent. `None`: the
    /// task waits for another value.
    fn read(&mut self, task: usize, next: &Announced) -> Option<Reply> {
        let (newest, place) = self.newest(next.word);
        self.note_earlier(task, next);
        let mut outcome = self.outcome(task, next, newest, None);
        outcome.set_newest(true);
        self.graph().push(outcome.read, 0);
        if let Some(write) = outcome.write {
            let id = self.graph().push(write, place);
            self.note_revisits(id);
        }
        (!outcome.is_blocked).then(|| outcome.reply())
    }

    /// What a task that waits for a lock may do instead of waiting: take it before somebody else.
    pub(super) fn note_earlier_locks(&mut self, task: usize) {
        let next = self.tasks[task].next.take().expect("it waits for a lock");
        self.note_earlier(task, &next);
        self.tasks[task].next = Some(next);
    }

    /// Notes all ways to read a write that is not the newest. A task that waits does not do so for
    /// a value on which it would go on waiting: since there is a newer one, that is no execution.
    fn note_earlier(&mut self, task: usize, next: &Announced) {
        let floor = self.seen().floor(task, next.word);
        for place in floor..self.seen().shape.newest(next.word) {
            let from = self.seen().shape.at(next.word, place);
            let mut outcome = self.outcome(task, next, from, None);
            outcome.set_newest(false);
            if !outcome.is_blocked {
                self.note_read(outcome, place);
            }
        }
    }

    fn note_read(&mut self, outcome: Outcome, place: usize) {
        let at = self.seen().len();
        let Outcome { read, write, .. } = outcome;
        let shape = &self.seen().shape;
        let successor = shape.successor(read.word, place);
        let owner = successor.map(|next| usize::from(shape.read_half(shape.event(next))));
        if let (Some(write), Some(owner)) = (write, owner)
            && write.has(mark::LOCK | mark::EXCLUSION)
            && shape.events[owner].has(mark::WAITS)
        {
            if self.can_steal(&read, owner) {
                self.note(at, Then::Steal { read, write, owner });
            }
            return;
        }
        if !self.fits(&[(read, 0)], place) {
            return;
        }
        let Some(write) = write else {
            self.note(at, Then::Add { event: read, place: 0 });
            return;
        };
        let fits = owner.is_none() && self.fits(&[(read, 0), (write, place)], place);
        self.note(at, Then::Update { read, write, place, fits });
    }

    /// What becomes of an operation that reads this write. `index`: its place in its task, if that
    /// is not at the end.
    pub(super) fn outcome(
        &self,
        task: usize,
        next: &Announced,
        from: Id,
        index: Option<usize>,
    ) -> Outcome {
        let value = self.seen().shape.value(next.word, from);
        let (written, marks) = written(next, value);
        let mut read = Event { from, value, ..self.event(task, Kind::Read, next) };
        read.marks = mark::NEWEST | marks;
        let is_full = written.is_some() && next.strength == Rmw::Full;
        let index = index.unwrap_or_else(|| self.seen().shape.tasks[task].len());
        let read = self.seen().shape.placed(read, index, next.barriers, is_full);
        let write = written.map(|value| Event {
            index: read.index + 1,
            kind: Kind::Write,
            marks: write_marks(next) | read.marks & mark::CROSS,
            from: NONE,
            value,
            ..read
        });
        Outcome { read, write, is_blocked: marks & mark::BLOCKED != 0 }
    }

    /// Would these events, at the end of one task, be consistent if they came before the writes
    /// after `place`?
    pub(super) fn fits(&mut self, events: &[(Event, usize)], place: usize) -> bool {
        self.counts.checks += 1;
        let graph = self.graph();
        if graph.fresh < graph.len() {
            graph.refresh();
        }
        let word = usize::from(events[0].0.word);
        let later = graph.shape.words[word].writes[place..].iter();
        let later = later.fold(Bits::EMPTY, |set, &write| set.with(usize::from(write)));
        if graph.comes_after(usize::from(events[0].0.task), &later) {
            return false;
        }
        let at = graph.len();
        for &(event, place) in events {
            graph.push_last(event, place);
        }
        let ids = [at, at + 1];
        let fits = graph.fits_before(&ids[..events.len()], &later);
        graph.cut_last(at);
        fits
    }
}

/// What an operation writes after it has read this value, and the marks of its read.
fn written(next: &Announced, value: u64) -> (Option<u64>, u32) {
    let acquires = if next.strength == Rmw::Acquire { mark::ACQUIRE } else { 0 };
    let update = mark::UPDATE | mark::ATOMIC | acquires | next.marks & mark::RETURNS_NOTHING;
    let lock = mark::UPDATE | kind_of_lock(next) | mark::ACQUIRE;
    match &next.what {
        What::Wait(condition) if !condition(value) => (None, next.marks | mark::BLOCKED),
        What::Update(change) => match change.of(value) {
            Some(written) => (Some(written), update),
            None => (None, mark::ATOMIC),
        },
        What::WaitUpdate(change) => match change.of(value) {
            Some(written) => (Some(written), update),
            None => (None, mark::BLOCKED),
        },
        What::Lock if value == 0 => (Some(1), lock | mark::WAITS),
        What::Lock => (None, mark::BLOCKED),
        What::TryLock if value == 0 => (Some(1), lock),
        What::TryLock => (None, 0),
        _ => (None, next.marks),
    }
}

/// A lock, or an exclusion, which is none to the memory model.
fn kind_of_lock(next: &Announced) -> u32 {
    match next.marks & mark::EXCLUSION {
        0 => mark::LOCK,
        exclusion => exclusion,
    }
}

/// The marks of what an update writes.
fn write_marks(next: &Announced) -> u32 {
    let lock = mark::NEWEST | mark::UPDATE | kind_of_lock(next);
    let update = mark::NEWEST | mark::UPDATE | mark::ATOMIC | next.marks & mark::COMPUTED;
    match (&next.what, next.strength) {
        (What::Lock | What::TryLock, _) => lock,
        (_, Rmw::Release) => update | mark::RELEASE,
        (_, Rmw::Full) => update | mark::FULL_AFTER,
        _ => update,
    }
}
