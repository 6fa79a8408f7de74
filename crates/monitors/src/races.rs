//! Data races: conflicting accesses to one object, of which one is plain, that nothing orders.
//!
//! Found by *happens-before*, with vector clocks: an execution that reaches both accesses shows the
//! race, whichever came first and however far apart they were.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_trace::{Action, Context, Event, Execution, Finding, Judges, Monitor, Order, Rule};
use serde_json::Value;

/// The rule of the race detector.
pub const PLAIN_ACCESSES_DO_NOT_RACE: Rule = Rule("plain accesses do not race");

/// Finds two accesses of different tasks to one object, at least one a write and at least one plain
/// (unmarked), neither of which happens before the other: what KCSAN_STRICT calls a data race.
/// Those of `data_race()` are left out. Not
/// among [`crate::standard`]: the kernel has races that nobody minds, and a claim about something
/// else is not to fail for one. [`crate::for_rule`] has it for the claims about this rule.
///
/// What orders the steps of different tasks:
/// - the release of a lock, and its next acquisition; a wake-up, and the wait that it ends; the
///   start of a task, and its steps; the end of a task, and the join;
/// - a store with release ordering, or any store after a release or full barrier, and a load with
///   acquire ordering, or any load before an acquire or full barrier, that reads what was stored,
///   or what updates in between made of it. An update with full ordering is both, with a full
///   barrier on either side; one that did not happen orders nothing.
///
/// These are the synchronises-with rules of C11 (with the release sequences of C++20), less what
/// holds only by the order in which an engine happened to take independent steps: steps on
/// different bits of a word do not order one another, nor does an update that acquires nothing see
/// what the one before it released. So the races of an execution do not depend on which of the
/// equivalent ones was run, and reduction (DPOR) hides none.
///
/// LKMM orders more: by dependencies, such as an address that was read; a pair that is ordered by
/// these alone is reported here. A stale read (`Event::stale`, weak memory) orders nothing, because
/// the event does not say which store it read. A region with interrupts off and one with preemption
/// off exclude each other on one CPU, which is not known here: only two of a kind are ordered. Nor
/// is anything ordered by one task having been preempted for another: it might have been in the
/// middle of the access.
///
/// Objects are compared as a whole: plain updates of different bits of a word conflict, as they do
/// in the machine.
#[derive(Default)]
pub struct Races;

impl Monitor for Races {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Races>::default()
    }

    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    /// Two stores of one value may order different things.
    // A race is one by what is ordered between two accesses, though they need not be next to each
    // other in any state: a marked access orders steps and is no synchronisation.
    fn judges(&self) -> Judges {
        Judges::Ways(PLAIN_ACCESSES_DO_NOT_RACE.0)
    }

    fn asks_who_wrote(&self) -> bool {
        true
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut clocks = Clocks::of(execution);
        let events = execution.events.iter().enumerate();
        events.into_iter().find_map(|(index, event)| {
            let other = clocks.take(index, event)?;
            let message = explain(execution, other, index);
            Some(Finding { rule: PLAIN_ACCESSES_DO_NOT_RACE, message, event: Some(index) })
        })
    }
}

/// How much of each task is known: the number of its last step that happens before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Clock(Vec<u32>);

impl Clock {
    fn get(&self, task: usize) -> u32 {
        self.0.get(task).copied().unwrap_or(0)
    }

    fn join(&mut self, other: &Clock) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    fn tick(&mut self, task: usize) {
        if self.0.len() <= task {
            self.0.resize(task + 1, 0);
        }
        self.0[task] += 1;
    }
}

#[derive(Default)]
struct Task {
    now: Clock,
    /// What its last release or full barrier keeps before its later stores.
    released: Clock,
    /// What its loads have seen released, to be known after its next acquire or full barrier.
    seen: Clock,
}

/// A kind of access: the last of each kind by each task is remembered. If that one is ordered
/// before a step, so are those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kind {
    writes: bool,
    plain: bool,
}

#[derive(Clone, Copy)]
struct Last {
    /// The number of the step within its task.
    number: u32,
    /// Its index in the execution.
    event: usize,
}

#[derive(Default)]
struct Object {
    /// What a load of the present value that acquires gets to know, by the bits that it is about.
    sync: BTreeMap<u64, Clock>,
    last: BTreeMap<(usize, Kind), Last>,
}

/// All bits of a word; a lock, or something to wait for, has no others.
const WHOLE: u64 = !0;

impl Object {
    fn release(&mut self, bits: u64, known: &Clock) {
        self.sync.entry(bits).or_default().join(known);
    }

    fn acquire(&self, bits: u64, task: &mut Clock) {
        let released = self.sync.iter().filter(|(released, _)| *released & bits != 0);
        released.for_each(|(_, known)| task.join(known));
    }
}

/// What happens before what, by the rules that [`Races`] names: how much each task knows of the
/// steps of the others. For one execution, whose events are [taken](Clocks::take) in their order.
#[derive(Default)]
pub struct Clocks {
    tasks: Vec<Task>,
    objects: BTreeMap<u32, Object>,
    /// The objects that are words of flags.
    flag_words: BTreeSet<u32>,
}

impl Clocks {
    /// For this execution, of which no event has been taken.
    pub fn of(execution: &Execution<'_>) -> Clocks {
        let of_bits = execution.events.iter().filter(|event| event.bit.is_some());
        Clocks { flag_words: of_bits.map(|event| event.object).collect(), ..Clocks::default() }
    }

    /// The number of the task's last step, counted from 1; 0: it has taken none.
    pub fn number(&self, task: u8) -> u32 {
        let task = usize::from(task);
        self.tasks.get(task).map_or(0, |state| state.now.get(task))
    }

    /// Does that step of the other task happen before what this task does next?
    pub fn knows(&self, task: u8, (other, number): (u8, u32)) -> bool {
        let known = self.tasks.get(usize::from(task)).map(|state| state.now.get(other.into()));
        known.unwrap_or(0) >= number
    }

    fn task(&mut self, task: usize) -> &mut Task {
        if self.tasks.len() <= task {
            self.tasks.resize_with(task + 1, Task::default);
        }
        &mut self.tasks[task]
    }

    /// Takes an event, number `index` of the execution. Returns the earlier one that it races with,
    /// if there is one.
    pub fn take(&mut self, index: usize, event: &Event) -> Option<usize> {
        if event.action.is_note() {
            return None;
        }
        let me = usize::from(event.task);
        self.task(me).now.tick(me);
        let other = event.new as usize;
        match event.action {
            Action::Lock
            | Action::TryLock
            | Action::LockShared
            | Action::TryLockShared
            | Action::Wait => {
                let object = self.objects.entry(event.object).or_default();
                object.acquire(WHOLE, &mut self.tasks[me].now);
            }
            Action::Unlock | Action::UnlockShared | Action::Downgrade | Action::Wake => {
                let object = self.objects.entry(event.object).or_default();
                object.release(WHOLE, &self.tasks[me].now);
            }
            Action::Spawn => {
                let now = self.tasks[me].now.clone();
                self.task(other).now.join(&now);
            }
            Action::Join => {
                let ended = self.task(other).now.clone();
                self.task(me).now.join(&ended);
            }
            Action::Fence => self.fence(me, event.order),
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
        let is_full = event.action == Action::Update && event.order == Order::Full;
        if is_full {
            self.fence(me, Order::Full);
        }
        let bits = self.bits(event);
        let task = &mut self.tasks[me];
        let object = self.objects.entry(event.object).or_default();
        let acquires = matches!(event.order, Order::Acquire | Order::Full);
        let looks = match event.action {
            Action::Read | Action::UpdateFailed => true,
            Action::Update => acquires,
            _ => false,
        };
        if looks && !event.stale {
            object.acquire(bits, &mut task.seen);
            if acquires && event.action != Action::UpdateFailed {
                object.acquire(bits, &mut task.now);
            }
        }
        let race = object.last.iter().find(|((task_of, other), last)| {
            *task_of != me
                && (kind.writes || other.writes)
                && (kind.plain || other.plain)
                && task.now.get(*task_of) < last.number
        });
        let race = race.map(|(_, last)| last.event);
        if kind.writes {
            if event.action != Action::Update {
                // An update goes on with what the store before it released; a store begins anew.
                object.sync.clear();
            }
            if !kind.plain {
                object.release(bits, &task.released);
                if matches!(event.order, Order::Release | Order::Full) {
                    object.release(bits, &task.now);
                }
            }
        }
        object.last.insert((me, kind), Last { number: task.now.get(me), event: index });
        if is_full {
            self.fence(me, Order::Full);
        }
        race
    }

    /// The bits of its word that an access is about: of several flags at once, what it changes.
    fn bits(&self, event: &Event) -> u64 {
        match event.bit {
            Some(bit) => bit.mask(),
            None if event.action == Action::Update && self.flag_words.contains(&event.object) => {
                event.old ^ event.new
            }
            None => WHOLE,
        }
    }

    fn fence(&mut self, task: usize, order: Order) {
        let task = &mut self.tasks[task];
        if matches!(order, Order::Acquire | Order::Full) {
            task.now.join(&task.seen);
        }
        if matches!(order, Order::Release | Order::Full) {
            task.released = task.now.clone();
        }
    }
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

/// Both sides, the earlier one first, as KCSAN reports a race.
fn explain(execution: &Execution<'_>, first: usize, second: usize) -> String {
    let within = |index: usize| {
        let path = execution.events[index].path;
        execution.paths.innermost(path).unwrap_or("the scenario")
    };
    let (here, there) = (within(first), within(second));
    let [first, second] = [first, second].map(|index| side(execution, index));
    format!("data race in {here} / {there}: {first}; {second}")
}

fn side(execution: &Execution<'_>, index: usize) -> String {
    let event = &execution.events[index];
    let (how, values) = match event.action {
        Action::PlainRead => ("plain read", format!("{}", event.old)),
        Action::Read | Action::UpdateFailed => ("marked read", format!("{}", event.old)),
        Action::PlainWrite => ("plain write", format!("{} -> {}", event.old, event.new)),
        _ => ("marked write", format!("{} -> {}", event.old, event.new)),
    };
    let info = execution.tasks.get(usize::from(event.task));
    let context = match event.context {
        Context::Task | Context::Kworker => "task",
        Context::Softirq | Context::Irq => "interrupt",
    };
    let who = info.map_or(context.into(), |info| format!("{context} {}", info.name));
    let on = match info.and_then(|info| info.cpu) {
        Some(_) => format!(" on CPU{}", event.cpu),
        None => String::new(),
    };
    let path = execution.paths.functions(event.path).join("() > ");
    let path = if path.is_empty() { "the scenario".into() } else { format!("{path}()") };
    format!("{how} of {} ({values}) by {who}{on} in {path}, step {index}", event.name)
}
