//! What happens before what in an execution: vector clocks.
//!
//! Some searches look at each execution so, and one begins as the one before it did: what was found
//! out about these events is kept. All of it is numbers in one list, which only grows; of a number
//! that is replaced it is noted what it was, so that events can be taken back.

use selvedge_trace::{Action, Event, Execution, Order};

/// A clock: how much of each task is known, by the number of its last step that happens before. As
/// many numbers as there are tasks, from this place on.
type Clock = usize;

/// All numbers.
#[derive(Default)]
struct Table {
    tasks: usize,
    numbers: Vec<u32>,
    /// Those that were replaced, with what they were.
    replaced: Vec<(u32, u32)>,
}

impl Table {
    /// The clocks of so many tasks, which know nothing.
    fn restart(&mut self, tasks: usize) {
        self.tasks = tasks;
        self.numbers.clear();
        self.numbers.resize(CLOCKS * tasks * tasks, 0);
        self.replaced.clear();
    }

    /// The clocks of a task come first in the table.
    #[inline]
    fn task(&self, task: usize) -> Task {
        let first = CLOCKS * task * self.tasks;
        Task { now: first, released: first + self.tasks, seen: first + 2 * self.tasks }
    }

    #[inline]
    fn set(&mut self, place: usize, number: u32) {
        let old = std::mem::replace(&mut self.numbers[place], number);
        self.replaced.push((place as u32, old));
    }

    /// Adds so many numbers, all 0.
    fn add(&mut self, count: usize) -> usize {
        let first = self.numbers.len();
        self.numbers.resize(first + count, 0);
        first
    }

    #[inline]
    fn get(&self, clock: Clock, task: usize) -> u32 {
        self.numbers[clock + task]
    }

    fn tick(&mut self, clock: Clock, task: usize) {
        self.set(clock + task, self.get(clock, task) + 1);
    }

    /// Adds what another one knows.
    fn join(&mut self, clock: Clock, other: Clock) {
        for task in 0..self.tasks {
            let theirs = self.get(other, task);
            if self.get(clock, task) < theirs {
                self.set(clock + task, theirs);
            }
        }
    }

    fn copy(&mut self, clock: Clock, other: Clock) {
        for task in 0..self.tasks {
            let theirs = self.get(other, task);
            if self.get(clock, task) != theirs {
                self.set(clock + task, theirs);
            }
        }
    }

    /// Takes back what was done since there were so many numbers, and so many had been replaced.
    fn take_back(&mut self, numbers: usize, replaced: usize) {
        for (place, old) in self.replaced.drain(replaced..).rev() {
            self.numbers[place as usize] = old;
        }
        self.numbers.truncate(numbers);
    }
}

/// The clocks of a task.
#[derive(Clone, Copy)]
struct Task {
    now: Clock,
    /// What its last release or full barrier keeps before its later stores.
    released: Clock,
    /// What its loads have seen released, to be known after its next acquire or full barrier.
    seen: Clock,
}

/// How many clocks a task has.
const CLOCKS: usize = 3;

/// A kind of access: the last of each kind by each task is remembered. If that one is ordered
/// before a step, so are those before it.
#[derive(Clone, Copy)]
struct Kind {
    writes: bool,
    plain: bool,
}

/// How many kinds there are.
const KINDS: usize = 4;

impl Kind {
    fn number(self) -> usize {
        2 * usize::from(self.writes) + usize::from(self.plain)
    }

    fn of_number(number: usize) -> Kind {
        Kind { writes: number & 2 != 0, plain: number & 1 != 0 }
    }
}

/// What is known of an object.
#[derive(Clone, Copy, Default)]
struct Known {
    /// It is a word of flags.
    has_flags: bool,
    /// Some access is plain: there may be races.
    may_race: bool,
    /// Where its numbers are, once it was met: the place of what a load of the present value that
    /// acquires gets to know, 0 for nothing; if there may be races, the last access of each task,
    /// of each kind, by its number within the task and its index in the execution.
    place: u32,
}

/// What was released about some bits of a word: the two halves of the bits, the place of the one
/// before it of the same word, a clock.
const RELEASED: usize = 3;

/// All bits of a word; a lock, or something to wait for, has no others.
const WHOLE: u64 = !0;

/// How much there was before an event.
#[derive(Clone, Copy)]
struct Mark {
    numbers: u32,
    replaced: u32,
    met: u32,
}

/// What happens before what, by the rules that [`Races`](crate::Races) names: how much each task
/// knows of the steps of the others. For one execution after the other, whose events are
/// [taken](Clocks::take) in their order.
#[derive(Default)]
pub struct Clocks {
    table: Table,
    /// By object.
    known: Vec<Known>,
    /// The events that say first that an object is one of flags, or that there may be races.
    told: Vec<(usize, u32)>,
    /// The objects that were met, in that order.
    met: Vec<u32>,
    /// Before each event that was taken.
    marks: Vec<Mark>,
}

impl Clocks {
    /// For this execution, which begins with so many events of the last one. Returns how many of
    /// its events are taken already.
    pub fn begin(&mut self, execution: &Execution<'_>, alike: usize) -> usize {
        let alike = alike.min(self.marks.len());
        self.take_back(alike);
        let (is_as_before, tasks) = self.look_ahead(execution, alike);
        if !is_as_before || tasks > self.table.tasks {
            self.take_back(0);
            self.table.restart(tasks.max(self.table.tasks));
        }
        self.marks.len()
    }

    /// Takes events back, from this one on.
    pub fn take_back(&mut self, first: usize) {
        let Some(&mark) = self.marks.get(first) else { return };
        self.marks.truncate(first);
        self.table.take_back(mark.numbers as usize, mark.replaced as usize);
        for object in self.met.drain(mark.met as usize..) {
            self.known[object as usize].place = 0;
        }
    }

    /// Looks at all that comes after so many events for what must be known beforehand: of objects,
    /// whether that is the same as before, if they have been met; and how many tasks there are.
    fn look_ahead(&mut self, execution: &Execution<'_>, alike: usize) -> (bool, usize) {
        let of = |known: &Known| (known.has_flags, known.may_race);
        let first = self.told.partition_point(|(event, _)| *event < alike);
        let before: Vec<_> = (self.told[first..].iter())
            .map(|&(_, object)| (object, of(&self.known[object as usize])))
            .collect();
        self.told.truncate(first);
        for (object, _) in &before {
            let known = &mut self.known[*object as usize];
            (known.has_flags, known.may_race) = (false, false);
        }
        // An object may have been told of twice, of which one is kept.
        for at in 0..first {
            let (event, object) = self.told[at];
            self.tell(object, &execution.events[event]);
        }
        let mut is_as_before = true;
        let mut tasks = execution.tasks.len().max(1);
        for (index, event) in execution.events.iter().enumerate().skip(alike) {
            tasks = tasks.max(usize::from(event.task) + 1);
            if matches!(event.action, Action::Spawn | Action::Join) {
                tasks = tasks.max(event.new as usize + 1);
            }
            let is_plain = matches!(event.action, Action::PlainRead | Action::PlainWrite);
            if (event.bit.is_some() || is_plain) && self.tell(event.object, event) {
                self.told.push((index, event.object));
                let is_old = before.iter().any(|(object, _)| *object == event.object);
                is_as_before &= is_old || self.known[event.object as usize].place == 0;
            }
        }
        let is_same = |&(object, was): &(u32, _)| {
            let known = &self.known[object as usize];
            known.place == 0 || of(known) == was
        };
        (is_as_before && before.iter().all(is_same), tasks)
    }

    /// Notes what an event says of its object. Is it something new?
    fn tell(&mut self, object: u32, event: &Event) -> bool {
        let known = known_of(&mut self.known, object);
        let before = (known.has_flags, known.may_race);
        known.has_flags |= event.bit.is_some();
        known.may_race |= matches!(event.action, Action::PlainRead | Action::PlainWrite);
        before != (known.has_flags, known.may_race)
    }

    /// The number of the task's last step, counted from 1; 0: it has taken none.
    pub fn number(&self, task: u8) -> u32 {
        let task = usize::from(task);
        self.table.get(self.table.task(task).now, task)
    }

    /// Does that step of the other task happen before what this task does next?
    pub fn knows(&self, task: u8, (other, number): (u8, u32)) -> bool {
        self.table.get(self.table.task(usize::from(task)).now, other.into()) >= number
    }

    /// The place of the numbers of an object.
    fn object(&mut self, object: u32) -> usize {
        let known = known_of(&mut self.known, object);
        if known.place == 0 {
            let last = if known.may_race { self.table.tasks * KINDS * 2 } else { 0 };
            known.place = self.table.add(1 + last) as u32;
            self.met.push(object);
        }
        known.place as usize
    }

    /// Takes an event, number `index` of the execution. Returns the earlier one that it races with,
    /// if there is one.
    pub fn take(&mut self, index: usize, event: &Event) -> Option<usize> {
        debug_assert_eq!(index, self.marks.len(), "events are taken in their order");
        self.marks.push(Mark {
            numbers: self.table.numbers.len() as u32,
            replaced: self.table.replaced.len() as u32,
            met: self.met.len() as u32,
        });
        if event.action.is_note() {
            return None;
        }
        let me = usize::from(event.task);
        let task = self.table.task(me);
        self.table.tick(task.now, me);
        match event.action {
            Action::Lock
            | Action::TryLock
            | Action::LockShared
            | Action::TryLockShared
            | Action::Wait => {
                let object = self.object(event.object);
                self.acquire(object, WHOLE, task.now);
            }
            Action::Unlock | Action::UnlockShared | Action::Downgrade | Action::Wake => {
                let object = self.object(event.object);
                self.release(object, WHOLE, task.now);
            }
            Action::Spawn => {
                let child = self.table.task(event.new as usize);
                self.table.join(child.now, task.now);
            }
            Action::Join => {
                let child = self.table.task(event.new as usize);
                self.table.join(task.now, child.now);
            }
            Action::Fence => self.fence(task, event.order),
            _ => return self.access(index, event, me),
        }
        None
    }

    fn access(&mut self, index: usize, event: &Event, me: usize) -> Option<usize> {
        let kind = kind(event.action)?;
        // One that is meant to race is no side of a report, and orders nothing, as for KCSAN.
        if event.racy {
            return None;
        }
        let task = self.table.task(me);
        let is_full = event.action == Action::Update && event.order == Order::Full;
        if is_full {
            self.fence(task, Order::Full);
        }
        let object = self.object(event.object);
        let bits = self.bits(event);
        let acquires = matches!(event.order, Order::Acquire | Order::Full);
        let looks = match event.action {
            Action::Read | Action::UpdateFailed => true,
            Action::Update => acquires,
            _ => false,
        };
        if looks && !event.stale {
            self.acquire(object, bits, task.seen);
            if acquires && event.action != Action::UpdateFailed {
                self.acquire(object, bits, task.now);
            }
        }
        let may_race = self.known[event.object as usize].may_race;
        let race = if may_race { self.race(index, object + 1, (me, kind)) } else { None };
        if kind.writes {
            if event.action != Action::Update {
                // An update goes on with what the store before it released; a store begins anew.
                self.table.set(object, 0);
            }
            if !kind.plain {
                self.release(object, bits, task.released);
                if matches!(event.order, Order::Release | Order::Full) {
                    self.release(object, bits, task.now);
                }
            }
        }
        if is_full {
            self.fence(task, Order::Full);
        }
        race
    }

    /// The first access of another task, by its number and kind, with which one of this task and
    /// kind, number `index` of the execution, races. `last`: where the last accesses are.
    fn race(&mut self, index: usize, last: usize, (me, kind): (usize, Kind)) -> Option<usize> {
        let now = self.table.task(me).now;
        let mine = last + 2 * (me * KINDS + kind.number());
        self.table.set(mine, self.table.get(now, me));
        self.table.set(mine + 1, index as u32);
        for task in (0..self.table.tasks).filter(|&task| task != me) {
            let known = self.table.get(now, task);
            for other in 0..KINDS {
                let of_kind = Kind::of_number(other);
                let at = last + 2 * (task * KINDS + other);
                if (kind.writes || of_kind.writes)
                    && (kind.plain || of_kind.plain)
                    && known < self.table.numbers[at]
                {
                    return Some(self.table.numbers[at + 1] as usize);
                }
            }
        }
        None
    }

    /// The bits of what was released, the one before it, and the clock.
    fn released(&self, at: usize) -> (u64, usize, Clock) {
        let numbers = &self.table.numbers[at..at + RELEASED];
        let bits = u64::from(numbers[0]) | u64::from(numbers[1]) << 32;
        (bits, numbers[2] as usize, at + RELEASED)
    }

    /// Notes that what this clock knows was released, about these bits.
    fn release(&mut self, object: usize, bits: u64, known: Clock) {
        let first = self.table.numbers[object];
        let mut at = first as usize;
        while at != 0 {
            let (of, before, clock) = self.released(at);
            if of == bits {
                return self.table.join(clock, known);
            }
            at = before;
        }
        let new = self.table.numbers.len();
        let tasks = self.table.tasks;
        self.table.numbers.extend([bits as u32, (bits >> 32) as u32, first]);
        self.table.numbers.extend_from_within(known..known + tasks);
        self.table.set(object, new as u32);
    }

    /// Adds what was released about any of these bits to a clock.
    fn acquire(&mut self, object: usize, bits: u64, to: Clock) {
        let mut at = self.table.numbers[object] as usize;
        while at != 0 {
            let (of, before, clock) = self.released(at);
            if of & bits != 0 {
                self.table.join(to, clock);
            }
            at = before;
        }
    }

    /// The bits of its word that an access is about: of several flags at once, what it changes.
    fn bits(&self, event: &Event) -> u64 {
        match event.bit {
            Some(bit) => bit.mask(),
            None if event.action == Action::Update
                && self.known[event.object as usize].has_flags =>
            {
                event.old ^ event.new
            }
            None => WHOLE,
        }
    }

    fn fence(&mut self, task: Task, order: Order) {
        if matches!(order, Order::Acquire | Order::Full) {
            self.table.join(task.now, task.seen);
        }
        if matches!(order, Order::Release | Order::Full) {
            self.table.copy(task.released, task.now);
        }
    }
}

fn known_of(known: &mut Vec<Known>, object: u32) -> &mut Known {
    let object = object as usize;
    if known.len() <= object {
        known.resize((object + 1).next_power_of_two(), Known::default());
    }
    &mut known[object]
}

fn kind(action: Action) -> Option<Kind> {
    match action {
        Action::Read | Action::UpdateFailed => Some(Kind { writes: false, plain: false }),
        Action::Write | Action::Update => Some(Kind { writes: true, plain: false }),
        Action::PlainRead => Some(Kind { writes: false, plain: true }),
        Action::PlainWrite => Some(Kind { writes: true, plain: true }),
        _ => None,
    }
}
