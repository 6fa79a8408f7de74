//! Who waits for whom when nobody can go on.
//!
//! A lock is waited for until its holder releases it; a bit, until somebody clears it and wakes who
//! sleeps on it. A task that sleeps on a bit that is clear has been forgotten, and the moment to
//! look at is the one at which the bit was last cleared: whoever did that owed the wake-up.
//!
//! A task that spins waits like another, and keeps its CPU. If it does so with preemption or
//! interrupts off, whoever else has to run there waits for it: a soft lockup, or a hard one.
//!
//! What is said depends on who waits for what and why, not on the schedule that led there: two
//! executions that hang in the same way have the same rule and message, and are one finding.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use selvedge_trace::{
    Action, BitWait, Class, Context, End, Event, Execution, Finding, Judges, Monitor,
    NOBODY_WAITS_FOR_EVER, PathId, Rule, Waiting,
};
use serde_json::Value;

use crate::signals::{Signal, ends, queued_for};

/// The kernel's watchdogs: a CPU on which a task spins and nobody else can run.
pub const NO_CPU_IS_LOCKED_UP: Rule = Rule("no CPU is locked up by a task that spins");

/// Explains deadlocks: the cycle, or whom nobody will wake.
#[derive(Default)]
pub struct WaitGraph;

impl Monitor for WaitGraph {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<WaitGraph>::default()
    }

    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    // A state in which nobody can go on is one, however it came to that. Which rule that breaks is
    // said of the way that was found first.
    fn judges(&self) -> Judges {
        Judges::States
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let End::Deadlock(waiting) = execution.end else { return None };
        let spinning = Spinning::all(execution, waiting);
        let waits: Vec<Wait> =
            waiting.iter().map(|w| Wait::of(execution, w, waiting, &spinning)).collect();
        let cycle = cycle(&waits);
        // The scenario's main waits for everybody; it is never the reason.
        let guilty: Vec<&Wait> = waits
            .iter()
            .filter(|w| w.waiting.end_of.is_none() || cycle.contains(&w.waiting.task))
            .collect();
        let message = guilty.iter().map(|w| w.explain(execution)).collect::<Vec<_>>().join("; ");
        let missed = guilty.iter().filter_map(|w| w.missed()).max_by_key(|(_, event)| *event);
        let kept = if spinning.is_empty() { NOBODY_WAITS_FOR_EVER } else { NO_CPU_IS_LOCKED_UP };
        let rule = missed.map_or(kept, |(bit, _)| bit.if_forgotten);
        let last = || execution.events.iter().rposition(|event| !event.action.is_note());
        let event = missed.map_or_else(last, |(_, event)| event);
        Some(Finding { rule, message, event })
    }
}

/// A task that cannot go on, and on whom that depends.
struct Wait<'a> {
    waiting: &'a Waiting,
    on: On,
}

enum On {
    /// A lock, or a completion: who has it, and since which event.
    Object(Vec<(u8, usize)>),
    /// The same, in a queue that a signal ends.
    Queue(Event, Signal, Vec<(u8, usize)>),
    /// A lock that readers share, behind a writer that waits for it too.
    Behind(u8),
    /// The CPU, which a task that spins has for itself.
    Cpu(Spinning),
    /// A bit that is set: who set it or was given it, at which event.
    Set(Event, BitWait, Option<(u8, usize)>),
    /// A bit that is clear: the event at which it was last cleared.
    Clear(Event, BitWait, Option<usize>),
}

impl<'a> Wait<'a> {
    fn of(
        execution: &Execution<'_>,
        waiting: &'a Waiting,
        all: &[Waiting],
        spinning: &[Spinning],
    ) -> Wait<'a> {
        let on = match asleep_on(execution, Sleeper::of(waiting)) {
            None => match queued_for(execution, waiting) {
                Some((tried, signal)) => {
                    On::Queue(*tried, signal, holders(execution.events, tried.object))
                }
                None => on_object(execution, waiting, all, spinning),
            },
            Some((note, wait)) => match owner(execution.events, note.object, wait.mask) {
                Owner::Task(task, since) => On::Set(note, wait, Some((task, since))),
                Owner::Nobody => On::Set(note, wait, None),
                Owner::Clear(event) => On::Clear(note, wait, event),
            },
        };
        Wait { waiting, on }
    }

    /// The tasks that have what it waits for.
    fn holders(&self) -> Vec<u8> {
        match &self.on {
            On::Object(holders) | On::Queue(_, _, holders) => {
                holders.iter().map(|(task, _)| *task).collect()
            }
            On::Set(_, _, holder) => holder.iter().map(|(task, _)| *task).collect(),
            On::Behind(task) => vec![*task],
            On::Cpu(spinning) => vec![spinning.task],
            On::Clear(..) => Vec::new(),
        }
    }

    /// The bit that is clear, and the moment at which the wake-up was missed.
    fn missed(&self) -> Option<(BitWait, Option<usize>)> {
        match self.on {
            On::Clear(_, bit, event) => Some((bit, event)),
            On::Object(_) | On::Queue(..) | On::Behind(_) | On::Cpu(_) | On::Set(..) => None,
        }
    }

    fn explain(&self, execution: &Execution<'_>) -> String {
        let me = self.waiting.task;
        let held = |(task, since): (u8, usize)| match task == me {
            true => "by itself".to_string(),
            false => {
                format!("by {} since {}()", name(execution, task), function(execution, since))
            }
        };
        let who = name(execution, me);
        let what = self.waiting.name;
        match &self.on {
            On::Object(_) if self.waiting.spins => match Spinning::of(execution, self.waiting) {
                Some(spinning) => {
                    format!(
                        "{}: {who} spins on {what}, {}",
                        spinning.lockup(),
                        spinning.how(execution)
                    )
                }
                None => format!("{who} spins on {what}, which nobody will change"),
            },
            On::Object(holders) if holders.is_empty() => {
                format!("{who} waits for {what}, which nobody will give it")
            }
            On::Object(holders) => {
                let by: Vec<String> = holders.iter().map(|&holder| held(holder)).collect();
                format!("{who} waits for {what}, held {}", by.join(" and "))
            }
            On::Queue(tried, signal, holders) => {
                let by: Vec<String> = holders.iter().map(|&holder| held(holder)).collect();
                let held = match by.is_empty() {
                    true => "which nobody gives it".to_string(),
                    false => format!("held {}", by.join(" and ")),
                };
                format!("{who} waits for {}, {held}, unless {signal} comes", tried.name)
            }
            On::Behind(writer) => {
                format!(
                    "{who} waits for {what}, behind {}, who waits for it",
                    name(execution, *writer)
                )
            }
            On::Cpu(spinning) => {
                let (cpu, by) = (spinning.cpu, name(execution, spinning.task));
                format!(
                    "{who} waits for CPU{cpu}, held by {by}, spinning, {}",
                    spinning.how(execution)
                )
            }
            On::Set(note, bit, owner) => {
                let nobody = || "which was set from the beginning".to_string();
                let set = owner.map_or_else(nobody, |owner| format!("set {}", held(owner)));
                let unless = ends(execution.paths, "", self.waiting.path)
                    .map_or(String::new(), |signal| format!(", unless {signal} comes"));
                format!("{who} sleeps on {} of {}, {set}{unless}", bit.bit, note.name)
            }
            On::Clear(note, bit, event) => {
                let why = why_forgotten(execution, me, bit, *event);
                format!("{who} sleeps on {} of {}, which is clear: {why}", bit.bit, note.name)
            }
        }
    }
}

/// `CPU0 migrator`
pub(crate) fn name(execution: &Execution<'_>, task: u8) -> String {
    match execution.tasks.get(usize::from(task)) {
        Some(info) => match info.cpu {
            Some(cpu) => format!("CPU{cpu} {}", info.name),
            None => info.name.clone(),
        },
        None => format!("task {task}"),
    }
}

/// The function in which an event happened.
fn function<'a>(execution: &Execution<'a>, event: usize) -> &'a str {
    let path = execution.events[event].path;
    execution.paths.innermost(path).unwrap_or("the scenario")
}

/// A task that spins for ever, and lets nobody else run on its CPU.
#[derive(Clone, Copy)]
struct Spinning {
    task: u8,
    cpu: u8,
    /// What keeps the others off, [`Class::Preempt`] or [`Class::Irq`], since which event.
    class: Class,
    since: usize,
}

impl Spinning {
    fn all(execution: &Execution<'_>, waiting: &[Waiting]) -> Vec<Spinning> {
        waiting.iter().filter_map(|w| Spinning::of(execution, w)).collect()
    }

    fn of(execution: &Execution<'_>, waiting: &Waiting) -> Option<Spinning> {
        if !waiting.spins {
            return None;
        }
        let mut kept: BTreeMap<u32, Spinning> = BTreeMap::new();
        for (since, event) in execution.events.iter().enumerate() {
            if event.task != waiting.task || !event.class.is_exclusion() {
                continue;
            }
            let (task, class, cpu) = (event.task, event.class, event.name.cpu.unwrap_or(event.cpu));
            match event.action {
                Action::Lock => _ = kept.insert(event.object, Spinning { task, cpu, class, since }),
                Action::Unlock => _ = kept.remove(&event.object),
                _ => {}
            }
        }
        kept.into_values().max_by_key(|spinning| spinning.class)
    }

    /// In the words of the kernel's watchdogs.
    fn lockup(&self) -> &'static str {
        if self.class == Class::Irq { "hard lockup" } else { "soft lockup" }
    }

    fn how(&self, execution: &Execution<'_>) -> String {
        let what = if self.class == Class::Irq { "interrupts" } else { "preemption" };
        format!("{what} off since {}()", function(execution, self.since))
    }

    /// Does it keep this task from running?
    fn keeps_off(&self, execution: &Execution<'_>, waiting: &Waiting) -> bool {
        let Some(info) = execution.tasks.get(usize::from(waiting.task)) else { return false };
        let is_task = matches!(info.context, Context::Task | Context::Kworker);
        waiting.task != self.task
            && info.cpu == Some(self.cpu)
            && (is_task || self.class == Class::Irq)
    }
}

/// On whom a task depends that waits for an object, or for its CPU.
fn on_object(
    execution: &Execution<'_>,
    waiting: &Waiting,
    all: &[Waiting],
    spinning: &[Spinning],
) -> On {
    let holders = holders(execution.events, waiting.object);
    let reads = !holders.is_empty() && waiting.primitive == "down_read";
    let writer = |w: &&Waiting| w.object == waiting.object && w.primitive == "down_write";
    if let Some(writer) =
        all.iter().find(writer).filter(|_| reads && !is_exclusive(execution, waiting))
    {
        return On::Behind(writer.task);
    }
    let off = spinning.iter().find(|spinning| spinning.keeps_off(execution, waiting));
    match off {
        Some(spinning) if holders.is_empty() && waiting.end_of.is_none() => On::Cpu(*spinning),
        _ => On::Object(holders),
    }
}

/// Has somebody the lock to itself?
fn is_exclusive(execution: &Execution<'_>, waiting: &Waiting) -> bool {
    let of = execution.events.iter().filter(|event| event.object == waiting.object);
    let last = of.rev().find(|event| {
        matches!(event.action, Action::Lock | Action::TryLock | Action::Unlock | Action::Downgrade)
    });
    last.is_some_and(|event| matches!(event.action, Action::Lock | Action::TryLock))
}

/// Who holds the lock at the end, and the event by which each took it.
fn holders(events: &[Event], object: u32) -> Vec<(u8, usize)> {
    let mut holders: Vec<(u8, usize)> = Vec::new();
    for (index, event) in events.iter().enumerate().filter(|(_, event)| event.object == object) {
        match event.action {
            Action::Lock | Action::TryLock => holders = vec![(event.task, index)],
            Action::LockShared | Action::TryLockShared => holders.push((event.task, index)),
            Action::Unlock => holders.clear(),
            Action::UnlockShared => {
                if let Some(at) = holders.iter().rposition(|(task, _)| *task == event.task) {
                    holders.remove(at);
                }
            }
            _ => {}
        }
    }
    holders
}

/// A task that sleeps.
#[derive(Clone, Copy)]
pub(crate) struct Sleeper {
    pub(crate) task: u8,
    /// The object that a wake-up of the task sets.
    pub(crate) told_by: u32,
    /// The nest of functions it sleeps in.
    pub(crate) path: PathId,
}

impl Sleeper {
    pub(crate) fn of(waiting: &Waiting) -> Sleeper {
        Sleeper { task: waiting.task, told_by: waiting.object, path: waiting.path }
    }
}

/// The bit that a sleeping task queued itself for last, if it has not left the function in which it
/// did, and sleeps until somebody wakes it for that.
pub(crate) fn asleep_on(execution: &Execution<'_>, sleeper: Sleeper) -> Option<(Event, BitWait)> {
    let queued =
        |event: &&Event| event.task == sleeper.task && matches!(event.action, Action::Awaits(_));
    let note = execution.events.iter().rev().find(queued)?;
    match note.action {
        Action::Awaits(wait)
            if wait.told_by.contains(&sleeper.told_by)
                && execution.paths.is_within(sleeper.path, note.path) =>
        {
            Some((*note, wait))
        }
        _ => None,
    }
}

pub(crate) enum Owner {
    /// The bit is set, by this task or for it, since this event.
    Task(u8, usize),
    /// It is set, and no event set it.
    Nobody,
    /// It is clear, since this event; `None`: from the beginning.
    Clear(Option<usize>),
}

/// Whose the bit is at the end.
pub(crate) fn owner(events: &[Event], object: u32, mask: u64) -> Owner {
    let mut owner = None;
    for (index, event) in events.iter().enumerate().filter(|(_, e)| e.object == object) {
        match event.action {
            Action::Write | Action::PlainWrite | Action::Update => {
                match (event.old & mask != 0, event.new & mask != 0) {
                    (false, true) => owner = Some(Owner::Task(event.task, index)),
                    (true, false) => owner = Some(Owner::Clear(Some(index))),
                    (true, true) if owner.is_none() => owner = Some(Owner::Nobody),
                    _ => {}
                }
            }
            Action::Owns(bits) if bits & mask != 0 => {
                owner = Some(Owner::Task(event.task, index));
            }
            _ => {}
        }
    }
    owner.unwrap_or(Owner::Clear(None))
}

/// What whoever cleared the bit last did about its sleepers.
pub(crate) fn why_forgotten(
    execution: &Execution<'_>,
    forgotten: u8,
    bit: &BitWait,
    cleared: Option<usize>,
) -> String {
    let Some(cleared) = cleared else { return "nobody ever set it".into() };
    let by = execution.events[cleared].task;
    let who = name(execution, by);
    let after = execution.events[cleared + 1..].iter().filter(|event| event.task == by);
    let walk: Vec<&Event> = after.take_while(|event| event.in_waker).collect();
    if walk.is_empty() {
        return format!("{who} cleared it last and saw no mark of a sleeper");
    }
    let told = told_in(execution, &walk, bit);
    let others: Vec<String> =
        told.iter().filter(|task| **task != forgotten).map(|task| name(execution, *task)).collect();
    match others.as_slice() {
        [] if told.contains(&forgotten) => {
            format!("{who} cleared it last and woke it, but it did not look again")
        }
        [] => format!("{who} cleared it last, looked at the queue, and found nobody to wake"),
        _ => {
            let others = others.join(" and ");
            let did = "neither took it nor passed the wake-up on";
            format!("{who} cleared it last and woke {others}, who {did}")
        }
    }
}

/// The tasks that a walk of the queue told that the bit is clear.
fn told_in(execution: &Execution<'_>, walk: &[&Event], bit: &BitWait) -> Vec<u8> {
    let mut sleepers = BTreeMap::new();
    for event in execution.events {
        if let Action::Awaits(wait) = event.action
            && wait.bit == bit.bit
        {
            sleepers.extend(wait.told_by.map(|object| (object, event.task)));
        }
    }
    let is_telling = |event: &&&Event| matches!(event.action, Action::Write | Action::Wake);
    let mut told = Vec::new();
    for event in walk.iter().filter(is_telling) {
        match sleepers.get(&event.object) {
            Some(task) if !told.contains(task) => told.push(*task),
            _ => {}
        }
    }
    told
}

/// The tasks of a cycle of waits, if there is one.
fn cycle(waits: &[Wait<'_>]) -> Vec<u8> {
    let mut graph = DiGraph::<u8, ()>::new();
    let task = |w: &Wait<'_>| w.waiting.task;
    let nodes: BTreeMap<u8, _> = waits.iter().map(|w| (task(w), graph.add_node(task(w)))).collect();
    for w in waits {
        for to in w.holders().iter().filter_map(|holder| nodes.get(holder)) {
            graph.add_edge(nodes[&task(w)], *to, ());
        }
    }
    let cycle = tarjan_scc(&graph).into_iter().find(|component| component.len() > 1);
    cycle.map(|nodes| nodes.into_iter().map(|node| graph[node]).collect()).unwrap_or_default()
}
