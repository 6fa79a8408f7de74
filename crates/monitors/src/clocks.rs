//! What happens before what in an execution: vector clocks.
//!
//! Some searches look at each execution so: all that is kept of one is in a few vectors, and clocks
//! are rows of one table.

use selvedge_trace::{Action, Event, Execution, Order};

/// The number of a clock: a row of the table.
type Clock = usize;

/// Clocks, one a row: how much of each task is known, by the number of its last step that happens
/// before.
#[derive(Default)]
struct Table {
    tasks: usize,
    numbers: Vec<u32>,
}

impl Table {
    /// A clock that knows nothing.
    fn add(&mut self) -> Clock {
        let clock = self.numbers.len() / self.tasks;
        self.numbers.resize(self.numbers.len() + self.tasks, 0);
        clock
    }

    fn get(&self, clock: Clock, task: usize) -> u32 {
        self.numbers[clock * self.tasks + task]
    }

    fn tick(&mut self, clock: Clock, task: usize) {
        self.numbers[clock * self.tasks + task] += 1;
    }

    /// Adds what another one knows.
    fn join(&mut self, clock: Clock, other: Clock) {
        let [to, from] = [clock, other].map(|clock| clock * self.tasks..(clock + 1) * self.tasks);
        // One adds nothing to itself.
        let Ok([to, from]) = self.numbers.get_disjoint_mut([to, from]) else { return };
        for (mine, theirs) in to.iter_mut().zip(from) {
            *mine = (*mine).max(*theirs);
        }
    }

    fn copy(&mut self, clock: Clock, other: Clock) {
        let (to, from) = (clock * self.tasks, other * self.tasks);
        self.numbers.copy_within(from..from + self.tasks, to);
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

impl Task {
    /// Each task has three clocks, which come first in the table.
    fn of(task: usize) -> Task {
        Task { now: 3 * task, released: 3 * task + 1, seen: 3 * task + 2 }
    }
}

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

/// The last access of a kind by a task.
#[derive(Clone, Copy, Default)]
struct Last {
    /// The number of the step within its task; 0: there is none.
    number: u32,
    /// Its index in the execution.
    event: usize,
}

/// What was released about some bits of a word.
#[derive(Clone, Copy)]
struct Released {
    bits: u64,
    known: Clock,
    /// The one before it of the same word.
    before: Option<usize>,
}

/// What is known of an object before any event is taken.
#[derive(Clone, Copy, Default)]
struct Known {
    /// It is a word of flags.
    has_flags: bool,
    /// Some access is plain: there may be races.
    may_race: bool,
    /// Its place among the objects that were met, from 1.
    place: u32,
}

#[derive(Clone, Copy)]
struct Object {
    /// What a load of the present value that acquires gets to know: the last of them.
    released: Option<usize>,
    /// Where its last accesses begin, if there may be races.
    last: Option<usize>,
}

/// All bits of a word; a lock, or something to wait for, has no others.
const WHOLE: u64 = !0;

/// What happens before what, by the rules that [`Races`](crate::Races) names: how much each task
/// knows of the steps of the others. For one execution, whose events are [taken](Clocks::take) in
/// their order.
#[derive(Default)]
pub struct Clocks {
    table: Table,
    /// By object.
    known: Vec<Known>,
    /// The objects that were met.
    objects: Vec<Object>,
    /// Of some of them, the last access of each task, of each kind.
    last: Vec<Last>,
    released: Vec<Released>,
}

impl Clocks {
    /// For this execution, of which no event has been taken.
    pub fn of(execution: &Execution<'_>) -> Clocks {
        let mut tasks = execution.tasks.len().max(1);
        let mut known = Vec::new();
        for event in execution.events {
            tasks = tasks.max(usize::from(event.task) + 1);
            if matches!(event.action, Action::Spawn | Action::Join) {
                tasks = tasks.max(event.new as usize + 1);
            }
            let is_plain = matches!(event.action, Action::PlainRead | Action::PlainWrite);
            if event.bit.is_some() || is_plain {
                let known = known_of(&mut known, event.object);
                known.has_flags |= event.bit.is_some();
                known.may_race |= is_plain;
            }
        }
        let mut numbers = Vec::with_capacity((3 * tasks + execution.events.len() / 2) * tasks);
        numbers.resize(3 * tasks * tasks, 0);
        Clocks {
            table: Table { tasks, numbers },
            known,
            objects: Vec::with_capacity(execution.events.len() / 2),
            last: Vec::new(),
            released: Vec::with_capacity(execution.events.len() / 2),
        }
    }

    /// The number of the task's last step, counted from 1; 0: it has taken none.
    pub fn number(&self, task: u8) -> u32 {
        let task = usize::from(task);
        self.table.get(Task::of(task).now, task)
    }

    /// Does that step of the other task happen before what this task does next?
    pub fn knows(&self, task: u8, (other, number): (u8, u32)) -> bool {
        self.table.get(Task::of(usize::from(task)).now, other.into()) >= number
    }

    /// The place of an object among those that were met.
    fn object(&mut self, object: u32) -> usize {
        let known = known_of(&mut self.known, object);
        if known.place == 0 {
            let last = self.last.len();
            if known.may_race {
                self.last.resize(last + self.table.tasks * KINDS, Last::default());
            }
            self.objects.push(Object { released: None, last: known.may_race.then_some(last) });
            known.place = self.objects.len() as u32;
        }
        known.place as usize - 1
    }

    /// Takes an event, number `index` of the execution. Returns the earlier one that it races with,
    /// if there is one.
    pub fn take(&mut self, index: usize, event: &Event) -> Option<usize> {
        if event.action.is_note() {
            return None;
        }
        let me = usize::from(event.task);
        let task = Task::of(me);
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
            Action::Spawn => self.table.join(Task::of(event.new as usize).now, task.now),
            Action::Join => self.table.join(task.now, Task::of(event.new as usize).now),
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
        let task = Task::of(me);
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
        let race = self.race(index, object, (me, kind));
        if kind.writes {
            if event.action != Action::Update {
                // An update goes on with what the store before it released; a store begins anew.
                self.objects[object].released = None;
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
    /// kind, number `index` of the execution, races.
    fn race(&mut self, index: usize, object: usize, (me, kind): (usize, Kind)) -> Option<usize> {
        let start = self.objects[object].last?;
        let now = Task::of(me).now;
        let number = self.table.get(now, me);
        self.last[start + me * KINDS + kind.number()] = Last { number, event: index };
        let this = &*self;
        let of_task = |task| {
            let first = start + task * KINDS;
            this.last[first..first + KINDS].iter().enumerate().find(move |(other, last)| {
                let other = Kind::of_number(*other);
                task != me
                    && (kind.writes || other.writes)
                    && (kind.plain || other.plain)
                    && this.table.get(now, task) < last.number
            })
        };
        (0..this.table.tasks).find_map(of_task).map(|(_, last)| last.event)
    }

    /// Notes that what this clock knows was released, about these bits.
    fn release(&mut self, object: usize, bits: u64, known: Clock) {
        let first = self.objects[object].released;
        let mut at = first;
        while let Some(released) = at.map(|at| self.released[at]) {
            if released.bits == bits {
                return self.table.join(released.known, known);
            }
            at = released.before;
        }
        let clock = self.table.add();
        self.table.copy(clock, known);
        self.objects[object].released = Some(self.released.len());
        self.released.push(Released { bits, known: clock, before: first });
    }

    /// Adds what was released about any of these bits to a clock.
    fn acquire(&mut self, object: usize, bits: u64, to: Clock) {
        let mut at = self.objects[object].released;
        while let Some(released) = at.map(|at| self.released[at]) {
            if released.bits & bits != 0 {
                self.table.join(to, released.known);
            }
            at = released.before;
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
