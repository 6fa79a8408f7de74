//! The waits of an execution, whether they came to be or not, and the edges that they make.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use selvedge_trace::{
    Action, Class, Context, Counterexample, End, Event, Execution, Finding, NOBODY_WAITS_FOR_EVER,
    PathId, TaskInfo, Waiting,
};

use super::alike::Alike;
use super::cycles::{canonical, elementary};
use super::hash::{Hash, Seen};
use super::read::{Bits, Hold, Holds, of_bit, of_token, only_waits};
use super::{Id, Kind, LockGraph, Resource, Use, irq};
use crate::signals::{SLEEPS, Signal, ended_by, ends, is_in_vain, is_of_a_wait, is_sleep_in};

/// The kernel's functions that wait for a bit if it is set. A step on the bit in one of these is a
/// wait that could have been, though the bit was clear. Who sleeps elsewhere is seen when he does:
/// `migration_entry_wait_on_locked()`, for one, which looks with `ptl` held and sleeps without.
const WAITS_FOR: [(&str, &str); 5] = [
    ("folio_lock", "PG_locked"),
    ("folio_lock_killable", "PG_locked"),
    ("folio_wait_locked", "PG_locked"),
    ("folio_wait_writeback", "PG_writeback"),
    ("lock_buffer", "BH_Lock"),
];

/// What is kept from one execution to the next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    alike: Alike,
    /// Are executions read, too, that are like one before?
    pub(super) reads_all: bool,
    bits: Bits,
    /// Who has set which token in some execution.
    wakers: BTreeSet<(u32, u8)>,
    /// The uses that are in the graph already, by what tells one from another.
    known: Seen,
    /// What is held besides.
    guards: Vec<Id>,
}

/// Somebody waits, or could have to: the holder of what is held from before `from` to after `to`.
#[derive(Clone, Copy, Debug)]
struct Wait {
    task: u8,
    on: Id,
    /// For a wait that was: the event at which it began and the one at which it was over.
    from: usize,
    to: usize,
    path: PathId,
    context: Context,
    tries: bool,
    /// What ends it besides.
    ended_by: Option<Signal>,
}

/// What a task has queued itself for.
#[derive(Clone, Copy)]
struct Queued {
    on: Id,
    at: usize,
    path: PathId,
    /// By which objects it is told of a bit; of a lock or a completion whoever wakes it tells it.
    told_by: Option<[u32; 2]>,
    ended_by: Option<Signal>,
}

impl Watch {
    pub(super) fn execution(&mut self, execution: &Execution<'_>, graph: &mut LockGraph) {
        let is_new = self.alike.is_new(execution, &mut self.bits);
        if !is_new && !self.reads_all {
            return;
        }
        let mut holds = Holds::read(execution, &self.bits, graph);
        let queued = vec![None; execution.tasks.len()];
        let mut reader = Reader { execution, queued, gave_up: Vec::new() };
        let mut waits = reader.all(&holds, &mut graph.resources);
        graph
            .gave_up
            .extend(reader.gave_up.drain(..).map(|(task, on)| (holds.number_of(task), on)));
        name_tokens(execution.end, &mut graph.resources);
        let stuck = reader.stuck(&holds, &graph.resources);
        waits.extend(stuck.iter().map(|(wait, _)| *wait));
        let mut tokens: Vec<u32> = (waits.iter())
            .filter_map(|wait| match wait.on {
                Id::Object(object) if is_wake_up(wait.on, &graph.resources) => Some(object),
                _ => None,
            })
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        let known = self.wakers.len();
        holds.add_wake_ups(&tokens, &mut self.wakers);
        if self.wakers.len() > known {
            self.alike.forget();
        }
        holds.sort(&graph.resources);
        for wait in waits.iter().filter(|wait| wait.task != 0) {
            self.edges_of(execution, wait, &holds, graph);
        }
        handlers(execution, &holds, |hold, handler| {
            let event = &execution.events[hold.taken_at];
            let wait = Wait {
                task: hold.task,
                on: handler,
                from: hold.taken_at,
                to: hold.taken_at,
                path: event.path,
                context: event.context,
                tries: false,
                ended_by: None,
            };
            self.add(execution, (hold, &wait), order(&wait, &holds), &holds, graph);
        });
        irq::note(execution, &holds, graph);
        deadlocks(execution, &stuck, &holds, graph);
    }

    fn edges_of(
        &mut self,
        execution: &Execution<'_>,
        wait: &Wait,
        holds: &Holds,
        graph: &mut LockGraph,
    ) {
        let mut held = holds.of(wait.task, wait.from, wait.to).peekable();
        if held.peek().is_none() {
            return;
        }
        let order = order(wait, holds);
        for hold in held {
            self.add(execution, (hold, wait), order, holds, graph);
        }
    }

    fn add(
        &mut self,
        execution: &Execution<'_>,
        (hold, wait): (&Hold, &Wait),
        order: (u128, u128),
        holds: &Holds,
        graph: &mut LockGraph,
    ) {
        self.guards.clear();
        let others = holds.of(wait.task, wait.from.max(hold.from + 1), wait.to);
        let guards =
            others.filter(|other| other.is_guard && other.id != hold.id).map(|other| other.id);
        self.guards.extend(guards);
        self.guards.sort_unstable();
        self.guards.dedup();
        let task = holds.number_of(wait.task);
        let taken = &execution.events[hold.taken_at];
        let mut key = Hash::default();
        add_id(&mut key, hold.id);
        add_id(&mut key, wait.on);
        key.add(u64::from(taken.path.0) << 32 | u64::from(wait.path.0));
        let ended_by = wait.ended_by.map_or(0, |signal| signal as u64 + 1);
        key.add(ended_by << 9 | u64::from(task) << 1 | u64::from(wait.tries));
        for mask in [order.0, order.1] {
            key.add(mask as u64);
            key.add((mask >> 64) as u64);
        }
        self.guards.iter().for_each(|&guard| add_id(&mut key, guard));
        if !self.known.insert(key.finish()) {
            return;
        }
        let functions = |path| execution.paths.functions(path);
        let mut waits_in = functions(wait.path);
        waits_in.truncate(waits_in.len() - trailing_sleep(&waits_in));
        let used = Use {
            task,
            who: who(execution.tasks, wait.task),
            context: wait.context,
            held_in: functions(taken.path),
            waits_in,
            took: taken.task == wait.task,
            tries: wait.tries,
            guards: self.guards.iter().copied().collect(),
            after: order.0,
            before: order.1,
            held_at: hold.taken_at,
            waits_at: wait.from,
            ended_by: wait.ended_by,
        };
        graph.edges.entry((hold.id, wait.on)).or_default().insert(used);
    }
}

/// The tasks that have ended, for certain, when the task waits, and those that begin only later.
fn order(wait: &Wait, holds: &Holds) -> (u128, u128) {
    let after = holds.numbers_of(holds.ended_before(wait.task, wait.from));
    let before = holds.numbers_of(holds.started_after(wait.task, wait.from));
    (after, before)
}

/// Adds which instance it is.
fn add_id(hash: &mut Hash, id: Id) {
    match id {
        Id::Object(object) => hash.add(u64::from(object)),
        Id::Handler(object) => hash.add(1 << 32 | u64::from(object)),
        Id::End(task) => hash.add(2 << 32 | u64::from(task)),
        Id::Bit(object, mask) => {
            hash.add(3 << 32 | u64::from(object));
            hash.add(mask);
        }
    }
}

/// How many functions at the end of the nest do nothing but sleep: who waits calls them all.
fn trailing_sleep(functions: &[&str]) -> usize {
    functions.iter().rev().take_while(|function| SLEEPS.contains(*function)).count()
}

fn is_wake_up(id: Id, resources: &BTreeMap<Id, Resource>) -> bool {
    resources.get(&id).is_some_and(|resource| resource.kind == Kind::WakeUp)
}

/// `CPU0 migrator`
pub(super) fn who(tasks: &[TaskInfo], task: u8) -> String {
    match tasks.get(usize::from(task)) {
        Some(info) => match info.cpu {
            Some(cpu) => format!("CPU{cpu} {}", info.name),
            None => info.name.clone(),
        },
        None => format!("task {task}"),
    }
}

/// Finds the waits of an execution.
struct Reader<'a> {
    execution: &'a Execution<'a>,
    /// What each task has queued itself for last.
    queued: Vec<Option<Queued>>,
    /// Who has left a queue without what it waited for: a signal has ended that.
    gave_up: Vec<(u8, Id)>,
}

impl Reader<'_> {
    fn all(&mut self, holds: &Holds, resources: &mut BTreeMap<Id, Resource>) -> Vec<Wait> {
        let mut waits = Vec::new();
        for (at, event) in self.execution.events.iter().enumerate() {
            self.leaves(event);
            let wait = |on, tries| Wait {
                task: event.task,
                on,
                from: at,
                to: at,
                path: event.path,
                context: event.context,
                tries,
                ended_by: None,
            };
            let object = Id::Object(event.object);
            match event.action {
                Action::Awaits(bit) => {
                    let on = Id::Bit(event.object, bit.mask);
                    resources.entry(on).or_insert_with(|| of_bit(event, bit.bit));
                    self.queued[usize::from(event.task)] = Some(Queued {
                        on,
                        at,
                        path: event.path,
                        told_by: Some(bit.told_by),
                        ended_by: ends(self.execution.paths, "", event.path),
                    });
                }
                Action::Lock if event.class.is_exclusion() => {
                    let is_handler = matches!(event.context, Context::Irq | Context::Softirq);
                    if only_waits(event) || is_handler {
                        waits.push(wait(object, false));
                    }
                }
                Action::Lock | Action::LockShared => {
                    waits.push(Wait { ended_by: ended_by(event.primitive), ..wait(object, false) });
                }
                _ if is_in_vain(event) => {
                    waits.extend(self.in_vain(at, event, wait(object, false)))
                }
                Action::TryLock | Action::TryLockShared if ended_by(event.primitive).is_some() => {}
                Action::TryLock | Action::TryLockShared | Action::TryLockFailed => {
                    waits.push(wait(object, true));
                }
                Action::Join => {
                    waits.push(wait(Id::End(holds.number_of(event.new as u8)), false));
                }
                Action::Wait if event.primitive == "schedule_timeout" => {}
                Action::Wait => waits.push(self.slept(at, event, wait(object, false))),
                _ => waits.extend(self.on_a_bit(event).map(|(id, tries)| Wait {
                    ended_by: ends(self.execution.paths, "", event.path).filter(|_| !tries),
                    ..wait(id, tries)
                })),
            }
        }
        if *self.execution.end == End::Complete {
            // Who has ended has left the queue, with nothing done since.
            let left = self.queued.iter().enumerate().filter_map(|(task, queued)| {
                let queued = queued.filter(|queued| queued.told_by.is_none())?;
                Some((task as u8, queued.on))
            });
            self.gave_up.extend(left);
        }
        waits
    }

    /// The task cannot have the lock or completion yet. Its first try says that it waits; those
    /// that it makes in the queue are a part of that.
    fn in_vain(&mut self, at: usize, event: &Event, wait: Wait) -> Option<Wait> {
        let ended_by = ended_by(event.primitive);
        let place = &mut self.queued[usize::from(event.task)];
        match place {
            Some(queued) if queued.on == wait.on => {
                queued.path = event.path;
                None
            }
            _ => {
                *place =
                    Some(Queued { on: wait.on, at, path: event.path, told_by: None, ended_by });
                Some(Wait { ended_by, ..wait })
            }
        }
    }

    /// If the task waits in a queue that a signal may end: has it got what it waits for, or has it
    /// left the queue without that?
    fn leaves(&mut self, event: &Event) {
        let place = &mut self.queued[usize::from(event.task)];
        let Some(queued) = place.filter(|queued| queued.ended_by.is_some()) else { return };
        let has_it = match (queued.on, event.action) {
            (Id::Object(object), Action::TryLock | Action::TryLockShared) => object == event.object,
            (Id::Object(object), Action::Update) => object == event.object && is_of_a_wait(event),
            (Id::Bit(object, mask), Action::Owns(owned)) => (object, mask) == (event.object, owned),
            (Id::Bit(object, mask), Action::Update) => {
                object == event.object && event.new & !event.old & mask != 0
            }
            _ => false,
        };
        let paths = self.execution.paths;
        if has_it {
            *place = None;
        } else if !paths.is_within(event.path, queued.path) {
            *place = None;
            // Who waits until a bit is clear, and does not take it, shows no more than this.
            let takes = |function: &str| function.ends_with("_lock_killable");
            let outer = paths.innermost(paths.leave(queued.path));
            if queued.told_by.is_none() || outer.is_some_and(takes) {
                self.gave_up.push((event.task, queued.on));
            }
        }
    }

    /// A task has slept: on a bit, in the queue of a lock, or for the wake-up.
    fn slept(&self, at: usize, event: &Event, wait: Wait) -> Wait {
        let ended_by = ends(self.execution.paths, event.primitive, event.path);
        match self.slept_on(event.task, event.object, (event.primitive, event.path)) {
            Some(queued) => {
                Wait { on: queued.on, from: queued.at, to: at, ended_by: queued.ended_by, ..wait }
            }
            None => Wait { ended_by, ..wait },
        }
    }

    /// What it sleeps on, and since when, if this wake-up is to tell it of that.
    fn slept_on(&self, task: u8, token: u32, sleep: (&str, PathId)) -> Option<Queued> {
        let paths = self.execution.paths;
        self.queued[usize::from(task)].filter(|queued| match queued.told_by {
            Some(told_by) => told_by.contains(&token) && paths.is_within(sleep.1, queued.path),
            None => is_sleep_in(paths, sleep, queued.path),
        })
    }

    /// A step on a bit by which its lock is taken or tried, or its end waited for.
    fn on_a_bit(&self, event: &Event) -> Option<(Id, bool)> {
        let bit = event.bit?;
        let looks = matches!(event.action, Action::Read | Action::Update | Action::UpdateFailed);
        if !looks || event.in_waker {
            return None;
        }
        let id = Id::Bit(event.object, bit.mask());
        if !WAITS_FOR.iter().any(|(_, name)| *name == bit.name) {
            return None;
        }
        let paths = self.execution.paths;
        let waits_here = |function: &str| WAITS_FOR.contains(&(function, bit.name));
        if paths.innermost(event.path).is_some_and(waits_here) {
            return Some((id, false));
        }
        if bit.name == "PG_writeback" || !event.primitive.starts_with("test_and_set_bit") {
            return None;
        }
        // A try within a function that waits is a part of the wait.
        let mut path = event.path;
        while let Some(function) = paths.innermost(path) {
            if waits_here(function) {
                return None;
            }
            path = paths.leave(path);
        }
        Some((id, true))
    }

    /// Who can never go on at the end of the execution, and for whom each waits. A task that only
    /// lacks its CPU waits for who has that.
    fn stuck(&self, holds: &Holds, resources: &BTreeMap<Id, Resource>) -> Vec<(Wait, u8)> {
        let End::Deadlock(waiting) = self.execution.end else { return Vec::new() };
        let mut stuck = Vec::new();
        for w in waiting.iter().filter(|w| w.task != 0 && w.primitive != "schedule_timeout") {
            let end = self.execution.events.len();
            let context = self.execution.tasks[usize::from(w.task)].context;
            let wait = |on, from| Wait {
                task: w.task,
                on,
                from,
                to: end,
                path: w.path,
                context,
                tries: false,
                ended_by: ends(self.execution.paths, w.primitive, w.path),
            };
            let slept_on = self.slept_on(w.task, w.object, (w.primitive, w.path));
            if let Some(other) = w.end_of {
                stuck.push((wait(Id::End(holds.number_of(other)), end), w.task));
            } else if let Some(Queued { on, at, ended_by, .. }) = slept_on {
                stuck.push((Wait { ended_by, ..wait(on, at) }, w.task));
            } else if takes(w, resources) {
                stuck.push((wait(Id::Object(w.object), end), w.task));
            } else {
                let cpu = self.execution.tasks[usize::from(w.task)].cpu;
                let has_cpu = |hold: &&Hold| {
                    let name = self.execution.events[hold.taken_at].name;
                    let class = self.execution.events[hold.taken_at].class;
                    hold.to > end && class.is_exclusion() && name.cpu == cpu && hold.task != w.task
                };
                let taken: BTreeSet<Id> = holds.all.iter().filter(has_cpu).map(|h| h.id).collect();
                stuck.extend(taken.into_iter().map(|id| (wait(id, end), w.task)));
            }
        }
        stuck
    }
}

/// Names what tasks wait for ever to be told, and nobody ever was.
fn name_tokens(end: &End, resources: &mut BTreeMap<Id, Resource>) {
    let End::Deadlock(waiting) = end else { return };
    let is_told = |w: &&Waiting| w.primitive == "schedule" || w.primitive.starts_with("wait_for");
    for w in waiting.iter().filter(|w| w.end_of.is_none()).filter(is_told) {
        resources.entry(Id::Object(w.object)).or_insert_with(|| of_token(w.name));
    }
}

/// Does the task wait to take a lock, to be woken, or for whoever has another CPU?
fn takes(w: &Waiting, resources: &BTreeMap<Id, Resource>) -> bool {
    let gives_back = ["unlock", "restore", "enable", "exit", "end of"];
    if gives_back.iter().any(|part| w.primitive.contains(part)) {
        return false;
    }
    match resources.get(&Id::Object(w.object)).map(|resource| resource.kind) {
        Some(Kind::PreemptOff | Kind::IrqOff) => {
            w.primitive.starts_with("wait for") || w.primitive == "irq_enter"
        }
        Some(_) => true,
        None => false,
    }
}

/// The locks that are taken where a handler may come, each with the handler of that CPU.
fn handlers(execution: &Execution<'_>, holds: &Holds, mut found: impl FnMut(&Hold, Id)) {
    for hold in &holds.all {
        let event = &execution.events[hold.taken_at];
        // A reader lets a handler read.
        let spins = event.class == Class::Lock || event.class == Class::RwLock && !hold.is_shared;
        let is_lock = spins && matches!(hold.id, Id::Object(_));
        let is_task = matches!(event.context, Context::Task | Context::Kworker);
        if !is_lock || !is_task || hold.task == 0 || holds.has_irqs_off(hold, event.cpu) {
            continue;
        }
        if let Some(irq) = holds.irq_of(event.cpu) {
            found(hold, Id::Handler(irq));
        }
    }
}

/// Notes the cycles of waits that the execution ended in. One that no signal ends is shown before
/// one that some signal does.
fn deadlocks(
    execution: &Execution<'_>,
    stuck: &[(Wait, u8)],
    holds: &Holds,
    graph: &mut LockGraph,
) {
    let mut edges: BTreeMap<(Id, Id), Vec<&Wait>> = BTreeMap::new();
    for (wait, task) in stuck {
        for hold in holds.of(*task, wait.from, wait.to) {
            edges.entry((hold.id, wait.on)).or_default().push(wait);
        }
    }
    if edges.is_empty() {
        return;
    }
    for cycle in elementary(edges.keys().copied(), usize::MAX).0 {
        let cycle = canonical(cycle);
        let next = cycle.iter().cycle().skip(1);
        let waits = cycle.iter().zip(next).map(|(&from, &to)| &edges[&(from, to)]);
        let by_signals = waits.filter(|waits| waits.iter().all(|wait| wait.ended_by.is_some()));
        let ended_by: BTreeSet<String> =
            by_signals.flatten().filter_map(|wait| ended(execution, wait)).collect();
        let known = graph.ended_by.get(&cycle).is_some_and(|known| !known.is_empty());
        if graph.reached.contains_key(&cycle) && (!known || !ended_by.is_empty()) {
            continue;
        }
        let names: Vec<&str> = cycle.iter().map(|&id| graph.name(id)).collect();
        let unless = unless(&ended_by);
        let message = format!("a cycle of waits: {}{unless}", names.join(", "));
        let last = execution.events.iter().rposition(|event| !event.action.is_note());
        let finding = Finding { rule: NOBODY_WAITS_FOR_EVER, message, event: last };
        let counterexample = Arc::new(Counterexample::new(execution, &finding));
        graph.reached.insert(cycle.clone(), counterexample);
        graph.ended_by.insert(cycle, ended_by);
    }
}

/// `a fatal signal to CPU0 reader`
fn ended(execution: &Execution<'_>, wait: &Wait) -> Option<String> {
    Some(format!("{} to {}", wait.ended_by?, who(execution.tasks, wait.task)))
}

/// `, unless a fatal signal to CPU0 reader ends it`; nothing, if none does.
pub(super) fn unless(ended_by: &BTreeSet<String>) -> String {
    let all: Vec<&str> = ended_by.iter().map(String::as_str).collect();
    if all.is_empty() { String::new() } else { format!(", unless {} ends it", all.join(" or ")) }
}
