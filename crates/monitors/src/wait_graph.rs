//! Who waits for whom when nobody can go on.
//!
//! A lock is waited for until its holder releases it; a bit, until somebody clears it and wakes who
//! sleeps on it. A task that sleeps on a bit that is clear has been forgotten, and the moment to
//! look at is the one at which the bit was last cleared: whoever did that owed the wake-up.
//!
//! What is said depends on who waits for what and why, not on the schedule that led there: two
//! executions that hang in the same way have the same rule and message, and are one finding.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use selvedge_trace::{
    Action, BitWait, End, Event, Execution, Finding, Monitor, NOBODY_WAITS_FOR_EVER, Waiting,
};

/// Explains deadlocks: the cycle, or whom nobody will wake.
#[derive(Default)]
pub struct WaitGraph;

impl Monitor for WaitGraph {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<WaitGraph>::default()
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let End::Deadlock(waiting) = execution.end else { return None };
        let waits: Vec<Wait> = waiting.iter().map(|w| Wait::of(execution, w)).collect();
        let cycle = cycle(&waits);
        // The scenario's main waits for everybody; it is never the reason.
        let guilty: Vec<&Wait> = waits
            .iter()
            .filter(|w| w.waiting.end_of.is_none() || cycle.contains(&w.waiting.task))
            .collect();
        let message = guilty.iter().map(|w| w.explain(execution)).collect::<Vec<_>>().join("; ");
        let missed = guilty.iter().filter_map(|w| w.missed()).max_by_key(|(_, event)| *event);
        let rule = missed.map_or(NOBODY_WAITS_FOR_EVER, |(bit, _)| bit.if_forgotten);
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
    Object(Option<(u8, usize)>),
    /// A bit that is set: who set it or was given it, at which event.
    Set(Event, BitWait, Option<(u8, usize)>),
    /// A bit that is clear: the event at which it was last cleared.
    Clear(Event, BitWait, Option<usize>),
}

impl<'a> Wait<'a> {
    fn of(execution: &Execution<'_>, waiting: &'a Waiting) -> Wait<'a> {
        let on = match asleep_on(execution, waiting) {
            None => On::Object(holder(execution.events, waiting.object)),
            Some((note, wait)) => match owner(execution.events, note.object, wait.mask) {
                Owner::Task(task, since) => On::Set(note, wait, Some((task, since))),
                Owner::Nobody => On::Set(note, wait, None),
                Owner::Clear(event) => On::Clear(note, wait, event),
            },
        };
        Wait { waiting, on }
    }

    fn holder(&self) -> Option<u8> {
        match &self.on {
            On::Object(holder) | On::Set(_, _, holder) => holder.map(|(task, _)| task),
            On::Clear(..) => None,
        }
    }

    /// The bit that is clear, and the moment at which the wake-up was missed.
    fn missed(&self) -> Option<(BitWait, Option<usize>)> {
        match self.on {
            On::Clear(_, bit, event) => Some((bit, event)),
            On::Object(_) | On::Set(..) => None,
        }
    }

    fn explain(&self, execution: &Execution<'_>) -> String {
        let me = self.waiting.task;
        let held = |holder: &Option<(u8, usize)>, verb: &str, nobody: &str| match holder {
            Some((task, _)) if *task == me => format!("{verb} by itself"),
            Some((task, since)) => {
                let path = execution.events[*since].path;
                let function = execution.paths.innermost(path).unwrap_or("the scenario");
                format!("{verb} by {} since {function}()", name(execution, *task))
            }
            None => nobody.to_string(),
        };
        let who = name(execution, me);
        match &self.on {
            On::Object(holder) => {
                let held = held(holder, "held", "which nobody will give it");
                format!("{who} waits for {}, {held}", self.waiting.name)
            }
            On::Set(note, bit, owner) => {
                let set = held(owner, "set", "which was set from the beginning");
                format!("{who} sleeps on {} of {}, {set}", bit.bit, note.name)
            }
            On::Clear(note, bit, event) => {
                let why = why_forgotten(execution, me, bit, *event);
                format!("{who} sleeps on {} of {}, which is clear: {why}", bit.bit, note.name)
            }
        }
    }
}

/// `CPU0 migrator`
fn name(execution: &Execution<'_>, task: u8) -> String {
    match execution.tasks.get(usize::from(task)) {
        Some(info) => match info.cpu {
            Some(cpu) => format!("CPU{cpu} {}", info.name),
            None => info.name.clone(),
        },
        None => format!("task {task}"),
    }
}

/// Who holds the lock at the end, and the event by which it was taken.
fn holder(events: &[Event], object: u32) -> Option<(u8, usize)> {
    let is_about = |event: &(usize, &Event)| {
        let action = event.1.action;
        event.1.object == object
            && matches!(action, Action::Lock | Action::TryLock | Action::Unlock)
    };
    let (index, event) = events.iter().enumerate().rfind(is_about)?;
    (event.action != Action::Unlock).then_some((event.task, index))
}

/// The bit that a sleeping task queued itself for last, if it has not left the function in which it
/// did, and sleeps until somebody wakes it for that.
fn asleep_on(execution: &Execution<'_>, waiting: &Waiting) -> Option<(Event, BitWait)> {
    let queued =
        |event: &&Event| event.task == waiting.task && matches!(event.action, Action::Awaits(_));
    let note = execution.events.iter().rev().find(queued)?;
    match note.action {
        Action::Awaits(wait)
            if wait.told_by.contains(&waiting.object)
                && execution.paths.is_within(waiting.path, note.path) =>
        {
            Some((*note, wait))
        }
        _ => None,
    }
}

enum Owner {
    /// The bit is set, by this task or for it, since this event.
    Task(u8, usize),
    /// It is set, and no event set it.
    Nobody,
    /// It is clear, since this event; `None`: from the beginning.
    Clear(Option<usize>),
}

/// Whose the bit is at the end.
fn owner(events: &[Event], object: u32, mask: u64) -> Owner {
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
fn why_forgotten(
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
        if let Some(to) = w.holder().and_then(|holder| nodes.get(&holder)) {
            graph.add_edge(nodes[&task(w)], *to, ());
        }
    }
    let cycle = tarjan_scc(&graph).into_iter().find(|component| component.len() > 1);
    cycle.map(|nodes| nodes.into_iter().map(|node| graph[node]).collect()).unwrap_or_default()
}
