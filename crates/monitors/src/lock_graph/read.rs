//! From the events of an execution to who holds what, from when to when.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_trace::{Action, Class, Context, Event, Execution, Name, TaskInfo};

use super::{Id, Kind, LockGraph, Resource};
use crate::signals::is_of_a_wait;

/// The bits that tasks sleep on, besides those that some execution shows one to sleep on. Who sets
/// one holds it.
const SLEPT_ON: [&str; 3] = ["PG_locked", "PG_writeback", "BH_Lock"];

/// A task holds something, or its release is up to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) id: Id,
    pub(super) task: u8,
    /// It holds it at events after this one,
    pub(super) from: usize,
    /// and before this one.
    pub(super) to: usize,
    /// The event that took it, perhaps another task's.
    pub(super) taken_at: usize,
    /// May others hold it at the same time? So may the readers of an `rw_semaphore`.
    pub(super) is_shared: bool,
    /// Can one task at a time hold it, and no other until that lets go? Known when all is
    /// [sorted](Holds::sort).
    pub(super) is_guard: bool,
}

/// When and by whom a task was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) at: usize,
    pub(super) by: u8,
}

/// What is known of the bits that are slept on: by the name of the word, the masks and their names.
pub(super) type Bits = BTreeMap<&'static str, Vec<(u64, &'static str)>>;

/// Who holds what in one execution.
#[derive(Debug, Default)]
pub(super) struct Holds {
    pub(super) all: Vec<Hold>,
    pub(super) starts: BTreeMap<u8, Start>,
    /// By task: the tasks that have ended, for certain, before each of its steps.
    ended: BTreeMap<u8, Vec<(usize, u128)>>,
    /// What is held and not given back yet, with the event that took it.
    open: BTreeMap<(Id, u8), (usize, usize)>,
    /// Who reads under what that is shared, since which event.
    readers: Vec<(u32, u8, usize)>,
    /// The bits that are set: the event that set each, who did, and who is known to own it now.
    set: BTreeMap<Id, (usize, u8, Option<u8>)>,
    /// When each task has woken each token.
    woken: Vec<(u32, u8, usize)>,
    /// The tokens that a task says to be its to set.
    owed: Vec<(u32, u8, usize)>,
    /// The number in the graph of each task of the execution.
    numbers: BTreeMap<u8, u8>,
    /// By CPU: its exclusion of interrupts, if somebody turns them off there.
    irq_of: BTreeMap<u8, u32>,
    /// How many tasks each has started.
    children: BTreeMap<u8, u8>,
}

/// The tasks of a scenario over all executions. In which order tasks that run side by side start
/// others differs between executions; which task starts which, as its how-manieth, does not.
pub(super) type Tasks = Vec<(u8, u8, String)>;

impl Holds {
    pub(super) fn read(execution: &Execution<'_>, bits: &Bits, graph: &mut LockGraph) -> Holds {
        let mut holds = Holds::default();
        for (at, event) in execution.events.iter().enumerate() {
            if event.action == Action::Spawn {
                holds.number(event, execution.tasks, &mut graph.tasks);
            }
            if event.class == Class::Irq
                && event.action == Action::Lock
                && let Some(cpu) = event.name.cpu
            {
                holds.irq_of.insert(cpu, event.object);
            }
            name(event, &holds, execution.tasks, &mut graph.resources);
            holds.enter(at, event, bits, &mut graph.resources);
        }
        holds.close_all();
        holds
    }

    /// Gives the task that is started its number in the graph; the main task's is 0.
    fn number(&mut self, event: &Event, infos: &[TaskInfo], tasks: &mut Tasks) {
        let children = self.children.entry(event.task).or_default();
        *children += 1;
        let name = infos.get(event.new as usize).map_or(String::new(), |info| info.name.clone());
        let key = (self.numbers.get(&event.task).copied().unwrap_or(0), *children, name);
        let known = tasks.iter().position(|task| *task == key);
        let number = known.unwrap_or_else(|| {
            tasks.push(key);
            tasks.len() - 1
        });
        // An execution has at most 128 tasks; those of a scenario are hardly more.
        self.numbers.insert(event.new as u8, (number + 1).min(127) as u8);
    }

    /// The number in the graph of a task of the execution.
    pub(super) fn number_of(&self, task: u8) -> u8 {
        self.numbers.get(&task).copied().unwrap_or(0)
    }

    /// The same, of a set of tasks.
    pub(super) fn numbers_of(&self, mut tasks: u128) -> u128 {
        let mut numbers = 0;
        while tasks != 0 {
            let task = tasks.trailing_zeros() as u8;
            numbers |= 1 << self.number_of(task);
            tasks &= tasks - 1;
        }
        numbers
    }

    fn enter(&mut self, at: usize, event: &Event, bits: &Bits, known: &mut BTreeMap<Id, Resource>) {
        let task = event.task;
        match event.action {
            Action::Spawn => {
                let new = event.new as u8;
                self.starts.insert(new, Start { at, by: task });
                self.open.insert((Id::End(self.number_of(new)), new), (at, at));
                let ended = self.ended_before(task, at);
                self.ended.insert(new, vec![(at, ended)]);
            }
            Action::Join => {
                let other = event.new as u8;
                let ended = self.ended_before(task, at) | 1 << other | self.ended_before(other, at);
                self.ended.entry(task).or_default().push((at, ended));
            }
            Action::Lock | Action::TryLock if !only_waits(event) => {
                self.open.insert((taken(event), task), (at, at));
            }
            Action::LockShared | Action::TryLockShared => {
                self.readers.push((event.object, task, at));
            }
            Action::UnlockShared => self.close_shared(event.object, task, at),
            // Held without a break, and from now on with others.
            Action::Downgrade => {
                self.close(Id::Object(event.object), task, at);
                self.readers.push((event.object, task, at));
            }
            Action::Unlock if !only_waits(event) => self.close(taken(event), task, at),
            Action::Write | Action::PlainWrite | Action::Update => {
                let Some(masks) = bits.get(event.name.text) else { return };
                for &(mask, bit) in masks {
                    let id = Id::Bit(event.object, mask);
                    known.entry(id).or_insert_with(|| of_bit(event, bit));
                    match (event.old & mask != 0, event.new & mask != 0) {
                        (false, true) => _ = self.set.insert(id, (at, task, None)),
                        (true, false) => self.cleared(id, at, task),
                        _ => {}
                    }
                }
            }
            Action::Owns(mask) => {
                if let Some(set) = self.set.get_mut(&Id::Bit(event.object, mask)) {
                    set.2 = Some(task);
                } else {
                    self.owed.push((event.object, task, at));
                }
            }
            Action::Wake => self.woken.push((event.object, task, at)),
            _ => {}
        }
    }

    fn close(&mut self, id: Id, task: u8, at: usize) {
        if let Some((taken_at, from)) = self.open.remove(&(id, task)) {
            self.all.push(Hold {
                id,
                task,
                from,
                to: at,
                taken_at,
                is_shared: false,
                is_guard: false,
            });
        }
    }

    /// A reader gives back what it took last.
    fn close_shared(&mut self, object: u32, task: u8, to: usize) {
        let is_it = |&(of, by, _): &(u32, u8, usize)| (of, by) == (object, task);
        if let Some(at) = self.readers.iter().rposition(is_it) {
            let (.., from) = self.readers.remove(at);
            let id = Id::Object(object);
            self.all.push(Hold {
                id,
                task,
                from,
                to,
                taken_at: from,
                is_shared: true,
                is_guard: false,
            });
        }
    }

    /// The bit was up to who has cleared it now; before that task was started, to who started it.
    fn cleared(&mut self, id: Id, at: usize, by: u8) {
        if let Some((set_at, ..)) = self.set.remove(&id) {
            self.up_to(id, set_at, at, by);
        }
    }

    fn up_to(&mut self, id: Id, set_at: usize, mut to: usize, mut task: u8) {
        while let Some(start) = self.starts.get(&task).copied().filter(|s| s.at > set_at) {
            self.all.push(Hold {
                id,
                task,
                from: start.at,
                to,
                taken_at: set_at,
                is_shared: false,
                is_guard: false,
            });
            (to, task) = (start.at, start.by);
        }
        self.all.push(Hold {
            id,
            task,
            from: set_at,
            to,
            taken_at: set_at,
            is_shared: false,
            is_guard: false,
        });
    }

    /// What is still held when the execution ends is held by who has it then.
    fn close_all(&mut self) {
        for ((id, task), (taken_at, from)) in std::mem::take(&mut self.open) {
            self.all.push(Hold {
                id,
                task,
                from,
                to: usize::MAX,
                taken_at,
                is_shared: false,
                is_guard: false,
            });
        }
        while let Some(&(object, task, _)) = self.readers.last() {
            self.close_shared(object, task, usize::MAX);
        }
        for (id, (set_at, by, owner)) in std::mem::take(&mut self.set) {
            self.up_to(id, set_at, usize::MAX, owner.unwrap_or(by));
        }
    }

    /// A wake-up by which somebody goes on is up to who gives it, since that task began or gave the
    /// one before; and to who has given it in other executions, or says that it will.
    pub(super) fn add_wake_ups(&mut self, tokens: &[u32], wakers: &mut BTreeSet<(u32, u8)>) {
        let mut last: BTreeMap<(u32, u8), usize> = BTreeMap::new();
        for &(object, task, at) in &self.woken {
            wakers.insert((object, self.number_of(task)));
            let started = self.starts.get(&task).map_or(0, |start| start.at);
            let from = last.insert((object, task), at).unwrap_or(started);
            if tokens.contains(&object) {
                let id = Id::Object(object);
                self.all.push(Hold {
                    id,
                    task,
                    from,
                    to: at,
                    taken_at: at,
                    is_shared: false,
                    is_guard: false,
                });
            }
        }
        for &object in tokens {
            let numbers: Vec<(u8, u8)> = self.numbers.iter().map(|(t, n)| (*t, *n)).collect();
            for (task, number) in numbers {
                let says = self.owed.iter().find(|(o, t, _)| (*o, *t) == (object, task));
                let from = match (last.get(&(object, task)), says) {
                    (None, Some((.., at))) => *at,
                    (None, None) if wakers.contains(&(object, number)) => {
                        self.starts.get(&task).map_or(0, |start| start.at)
                    }
                    _ => continue,
                };
                let id = Id::Object(object);
                self.all.push(Hold {
                    id,
                    task,
                    from,
                    to: usize::MAX,
                    taken_at: from,
                    is_shared: false,
                    is_guard: false,
                });
            }
        }
    }

    /// Nothing more is added: what each task holds comes together.
    pub(super) fn sort(&mut self, resources: &BTreeMap<Id, Resource>) {
        self.all.sort_by_key(|hold| hold.task);
        for hold in &mut self.all {
            hold.is_guard = !hold.is_shared && is_exclusive(hold.id, resources);
        }
    }

    /// What the task holds at this event. To be asked when all is [sorted](Holds::sort).
    pub(super) fn of(&self, task: u8, from: usize, to: usize) -> impl Iterator<Item = &Hold> {
        let first = self.all.partition_point(|hold| hold.task < task);
        let own = self.all[first..].iter().take_while(move |hold| hold.task == task);
        own.filter(move |hold| hold.from < from && hold.to > to)
    }

    /// The exclusion of interrupts of a CPU, if somebody turns them off there.
    pub(super) fn irq_of(&self, cpu: u8) -> Option<u32> {
        self.irq_of.get(&cpu).copied()
    }

    /// Had the task interrupts off on this CPU when it took this?
    pub(super) fn has_irqs_off(&self, hold: &Hold, cpu: u8) -> bool {
        self.irq_of(cpu).is_some_and(|irq| {
            self.of(hold.task, hold.taken_at, hold.taken_at).any(|h| h.id == Id::Object(irq))
        })
    }

    /// The tasks that have ended, for certain, before this event of the task.
    pub(super) fn ended_before(&self, task: u8, at: usize) -> u128 {
        let all = self.ended.get(&task).map_or(&[][..], Vec::as_slice);
        all.iter().rev().find(|(since, _)| *since <= at).map_or(0, |(_, ended)| *ended)
    }

    /// The tasks that this one starts, itself or through those that it starts, after the event.
    pub(super) fn started_after(&self, task: u8, at: usize) -> u128 {
        let begins_after = |mut other: u8| {
            while let Some(start) = self.starts.get(&other) {
                if start.by == task {
                    return start.at > at;
                }
                other = start.by;
            }
            false
        };
        self.starts.keys().filter(|&&t| begins_after(t)).fold(0, |mask, &t| mask | 1 << t)
    }
}

/// Can one task at a time hold it, and no other until that lets go?
fn is_exclusive(id: Id, resources: &BTreeMap<Id, Resource>) -> bool {
    resources.get(&id).is_some_and(|resource| {
        !matches!(resource.kind, Kind::End | Kind::WakeUp) && resource.class != "PG_writeback"
    })
}

/// Remembers which bit of which word is slept on: is it one that somebody sleeps on?
pub(super) fn learn(event: &Event, bits: &mut Bits) -> bool {
    let (mask, bit) = match (event.action, event.bit) {
        (Action::Awaits(wait), _) => (wait.mask, wait.bit),
        (_, Some(bit)) if SLEPT_ON.contains(&bit.name) => (bit.mask(), bit.name),
        _ => return false,
    };
    let known = bits.entry(event.name.text).or_default();
    if !known.iter().any(|(other, _)| *other == mask) {
        known.push((mask, bit));
    }
    true
}

/// Is the exclusion, or the lock of an RCU reader, taken only to wait until nobody has it?
/// (`synchronize_rcu()`; it gives it back at once.)
pub(super) fn only_waits(event: &Event) -> bool {
    let is_elsewhere = event.class.is_exclusion() && event.name.cpu != Some(event.cpu);
    is_elsewhere || event.primitive.starts_with("wait for") || event.primitive.starts_with("end of")
}

/// What a lock step takes: a handler's entry takes the CPU.
fn taken(event: &Event) -> Id {
    let is_handler = matches!(event.context, Context::Irq | Context::Softirq);
    match event.class {
        Class::Irq if is_handler => Id::Handler(event.object),
        _ => Id::Object(event.object),
    }
}

/// How the work queues take the lock of a pool of workers.
pub(super) const POOLS: &str = "raw_spin_lock";

/// Gives what the event is about its name, if it has none yet.
fn name(event: &Event, holds: &Holds, tasks: &[TaskInfo], resources: &mut BTreeMap<Id, Resource>) {
    use Action::{
        Lock, LockShared, Spawn, TryLock, TryLockFailed, TryLockShared, UpdateFailed, Wait, Wake,
    };
    let id = match event.action {
        Spawn => Id::End(holds.number_of(event.new as u8)),
        // A lock that is only tried, and in vain, is one all the same.
        Lock | TryLock | LockShared | TryLockShared | TryLockFailed | Wait | Wake => {
            Id::Object(event.object)
        }
        UpdateFailed if is_of_a_wait(event) => Id::Object(event.object),
        _ => return,
    };
    if resources.contains_key(&id) {
        return;
    }
    let of_cpu = |kind: Kind, what: &str| {
        let cpu = event.name.cpu.map_or(String::new(), |cpu| format!(" on CPU{cpu}"));
        Resource { kind, name: format!("{what}{cpu}"), class: what.into(), is_static: true }
    };
    let resource = match (event.action, event.class) {
        (Spawn, _) => {
            let task = tasks.get(event.new as usize).map_or("task", |info| &info.name);
            // A worker has the name of its CPU, and a CPU may have several.
            let name = format!("end of {task}");
            let is_like = |known: &&Resource| {
                known.name.strip_prefix(&name).is_some_and(|n| n.is_empty() || n.starts_with(" ("))
            };
            of_end(task, resources.values().filter(is_like).count())
        }
        (Wait | Wake | UpdateFailed, _) => of_token(event.name),
        (_, Class::Preempt) => of_cpu(Kind::PreemptOff, "preemption off"),
        (_, Class::Irq) => {
            let handler = of_cpu(Kind::Handler, "an interrupt");
            resources.entry(Id::Handler(event.object)).or_insert(handler);
            of_cpu(Kind::IrqOff, "interrupts off")
        }
        _ => of_lock(event),
    };
    resources.insert(id, resource);
}

fn of_lock(event: &Event) -> Resource {
    let kind = match event.primitive {
        _ if event.class == Class::RwSem => Kind::RwSem,
        _ if event.class == Class::RwLock => Kind::RwLock,
        p if p.contains("mutex") => Kind::Mutex,
        p if p.contains("local_lock") || p.starts_with("wait for") => Kind::LocalLock,
        _ => Kind::SpinLock,
    };
    // The pool of a work queue and that of an allocator are called alike.
    let of = if event.primitive == POOLS { "worker_" } else { "" };
    let (name, class) = (format!("{of}{}", event.name), format!("{of}{}", event.name.text));
    Resource { kind, name, class, is_static: event.name.index.is_none() }
}

/// `end of kworker/0`, and of another task of that name `end of kworker/0 (2)`.
fn of_end(task: &str, others: usize) -> Resource {
    let class = format!("end of {}", task.split('/').next().unwrap_or(task));
    let number = if others == 0 { String::new() } else { format!(" ({})", others + 1) };
    Resource { kind: Kind::End, name: format!("end of {task}{number}"), class, is_static: false }
}

/// `PG_locked of folio1`, `i_mmap_rwsem`
pub(super) fn of_bit(event: &Event, bit: &str) -> Resource {
    let name = event.name.to_string();
    let of = name.split_once("->").map_or(name.as_str(), |(of, _)| of);
    let is_static = event.name.index.is_none();
    // A semaphore is slept on as a whole, and called what its word is called.
    let name = if event.name.text == bit { of.to_string() } else { format!("{bit} of {of}") };
    Resource { kind: Kind::Bit, name, class: bit.into(), is_static }
}

/// `wake-up of task1`
pub(super) fn of_token(name: Name) -> Resource {
    let name = format!("wake-up of {name}");
    Resource { kind: Kind::WakeUp, name, class: "wake-up".into(), is_static: false }
}
