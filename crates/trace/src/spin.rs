//! An execution that does not end: which loop goes round, and who could have gone on meanwhile.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Action, Event, PathId, Paths, TaskInfo, Waiting};

/// The steps at the end of an execution that repeat: a lasso, as far as the steps show it. Each
/// round reads what the one before has read, and leaves what it has left; what a task counts in a
/// local variable is not seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spin {
    /// Who goes round, each with the innermost function that all its steps of a round are in.
    pub tasks: Vec<(String, Option<&'static str>)>,
    /// How many steps a round has.
    pub steps: usize,
    /// The first of them.
    pub first: String,
    /// Who is in no round, and could have gone on.
    pub others: Vec<String>,
    /// The one task that spins has preemption or interrupts off on its CPU.
    pub keeps_its_cpu: bool,
}

/// What is said of a loop that others could have ended.
pub const NOT_FAIR: &str = "not in a fair schedule";

/// A round that is longer is not looked for.
const ROUND_MAX: usize = 500;
/// So many steps at least, in three rounds at least, are the same.
const STEPS_MIN: usize = 12;

/// Looks for a loop at the end of these events. `unfinished`: what each task that has not ended
/// waits to do.
pub fn spin(
    events: &[Event],
    paths: &Paths,
    tasks: &[TaskInfo],
    unfinished: &[Waiting],
) -> Option<Spin> {
    let steps: Vec<&Event> = events.iter().filter(|event| !event.action.is_note()).collect();
    let length = round(&steps)?;
    let round = &steps[steps.len() - length..];
    let mut within: Vec<(u8, PathId)> = Vec::new();
    for event in round {
        match within.iter_mut().find(|(task, _)| *task == event.task) {
            Some((_, path)) => *path = common(paths, *path, event.path),
            None => within.push((event.task, event.path)),
        }
    }
    let state = State::after(events);
    let is_other = |w: &&Waiting| w.task != 0 && !within.iter().any(|(task, _)| *task == w.task);
    let can_go_on = |w: &&Waiting| w.end_of.is_none() && !state.keeps_waiting(w);
    let others = unfinished.iter().filter(is_other).filter(can_go_on);
    let keeps_its_cpu = match within.as_slice() {
        [(task, _)] => state.excludes.values().any(|holder| holder == task),
        _ => false,
    };
    Some(Spin {
        others: others.map(|w| who(tasks, w.task)).collect(),
        tasks: (within.iter())
            .map(|(task, path)| (who(tasks, *task), paths.innermost(*path)))
            .collect(),
        steps: length,
        first: format!("{}({})", round[0].primitive, round[0].name),
        keeps_its_cpu,
    })
}

/// How many steps at the end are repeated.
fn round(steps: &[&Event]) -> Option<usize> {
    let is_same = |a: &Event, b: &Event| {
        let of = |e: &Event| (e.task, e.path, e.action.kind(), e.object, e.old, e.new);
        of(a) == of(b) && a.primitive == b.primitive
    };
    (1..=ROUND_MAX).find(|&length| {
        let repeated = STEPS_MIN.max(3 * length) - length;
        steps.len() >= repeated + length
            && (steps.len() - repeated..steps.len())
                .all(|at| is_same(steps[at], steps[at - length]))
    })
}

/// The innermost nest that both are in.
fn common(paths: &Paths, mut one: PathId, other: PathId) -> PathId {
    while !paths.is_within(other, one) {
        one = paths.leave(one);
    }
    one
}

/// Who holds what when the execution was left.
#[derive(Default)]
struct State {
    locks: BTreeMap<u32, u8>,
    excludes: BTreeMap<u32, u8>,
    /// By token: is it set?
    tokens: BTreeMap<u32, bool>,
}

impl State {
    fn after(events: &[Event]) -> State {
        let mut state = State::default();
        for event in events {
            let held =
                if event.class.is_exclusion() { &mut state.excludes } else { &mut state.locks };
            match event.action {
                Action::Lock | Action::TryLock | Action::LockShared | Action::TryLockShared => {
                    _ = held.insert(event.object, event.task);
                }
                Action::Unlock | Action::UnlockShared => _ = held.remove(&event.object),
                Action::Wake => _ = state.tokens.insert(event.object, true),
                Action::Wait => _ = state.tokens.insert(event.object, false),
                _ => {}
            }
        }
        state
    }

    /// Is what it waits for not there? Who waits to be woken is not woken by himself.
    fn keeps_waiting(&self, w: &Waiting) -> bool {
        let is_told = w.primitive == "schedule" || w.primitive.starts_with("wait_for");
        let is_set = || self.tokens.get(&w.object).copied().unwrap_or(false);
        let holder = self.locks.get(&w.object).or_else(|| self.excludes.get(&w.object));
        holder.is_some_and(|holder| *holder != w.task) || (is_told && !is_set())
    }
}

fn who(tasks: &[TaskInfo], task: u8) -> String {
    match tasks.get(usize::from(task)) {
        Some(TaskInfo { name, cpu: Some(cpu), .. }) => format!("CPU{cpu} {name}"),
        Some(TaskInfo { name, .. }) => name.clone(),
        None => format!("task {task}"),
    }
}

/// In the kernel's words: a soft lockup, a livelock; or starvation, which a fair schedule ends.
impl fmt::Display for Spin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (who, function)) in self.tasks.iter().enumerate() {
            let and = if number > 0 { ", " } else { "" };
            write!(
                f,
                "{and}{who} in {}",
                function.map_or("the scenario".into(), |g| format!("{g}()"))
            )?;
        }
        let go = if self.tasks.len() == 1 { "goes" } else { "go" };
        let each = if self.steps == 1 { "step" } else { "steps" };
        write!(
            f,
            " {go} round: {} {each} from {} on, the same each time; ",
            self.steps, self.first
        )?;
        match (self.others.as_slice(), self.tasks.len()) {
            ([], 1) if self.keeps_its_cpu => f.write_str("a soft lockup: nobody else can go on"),
            ([], 1) => f.write_str("a livelock: nobody else can go on"),
            ([], _) => f.write_str("a livelock: they keep each other going, and nobody else can"),
            (others, _) => write!(
                f,
                "starvation of {}, which could have gone on: {NOT_FAIR}",
                others.join(" and ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Class, Context, Name};

    const FLAG: u32 = 1;
    const LOCK: u32 = 2;

    fn step(task: u8, path: PathId, action: Action, object: u32) -> Event {
        let class = if object == LOCK { Class::Lock } else { Class::Word };
        let name = Name::new("flag");
        Event { path, primitive: "read", name, class, ..Event::of(task, action, object) }
    }

    fn waits(task: u8, primitive: &'static str, object: u32) -> Waiting {
        let name = Name::new("flag");
        let path = PathId::ROOT;
        Waiting { task, primitive, object, end_of: None, name, path, spins: false }
    }

    fn said(events: &[Event], paths: &Paths, unfinished: &[Waiting]) -> Option<String> {
        let task = |name: &str, cpu| TaskInfo { name: name.into(), cpu, context: Context::Task };
        let tasks = [task("main", None), task("reader", Some(0)), task("writer", Some(1))];
        spin(events, paths, &tasks, unfinished).map(|spin| spin.to_string())
    }

    #[test]
    fn who_spins_is_told_with_who_could_have_gone_on() {
        let mut paths = Paths::default();
        let lookup = paths.enter(PathId::ROOT, "filemap_get_entry");
        let inner = paths.enter(lookup, "folio_try_get");
        let mut events = vec![step(2, PathId::ROOT, Action::Lock, LOCK)];
        for _ in 0..20 {
            events.push(step(1, lookup, Action::Read, FLAG));
            events.push(step(1, inner, Action::UpdateFailed, FLAG));
        }
        let goes = "CPU0 reader in filemap_get_entry() goes round: 2 steps from read(flag) on, the \
                    same each time; ";
        let alone = said(&events, &paths, &[waits(1, "read", FLAG)]);
        assert_eq!(alone.as_deref(), Some(&*format!("{goes}a livelock: nobody else can go on")));
        let writer = [waits(1, "read", FLAG), waits(2, "write", FLAG)];
        let starved = "starvation of CPU1 writer, which could have gone on: not in a fair schedule";
        assert_eq!(said(&events, &paths, &writer), Some(format!("{goes}{starved}")));
        // Who waits for a lock that another holds, or to be woken, could not.
        let asleep = [waits(2, "schedule", 7)];
        assert_eq!(said(&events, &paths, &asleep), alone);
        events[0].task = 1;
        assert_eq!(said(&events, &paths, &[waits(2, "spin_lock", LOCK)]), alone);
        events[0].class = Class::Preempt;
        let lockup = said(&events, &paths, &[]).expect("a loop");
        assert!(lockup.ends_with("a soft lockup: nobody else can go on"), "{lockup}");
    }

    #[test]
    fn two_who_undo_each_other_s_work_are_a_livelock() {
        let paths = Paths::default();
        let sets = |task, new| Event { new, ..step(task, PathId::ROOT, Action::Write, FLAG) };
        let events: Vec<Event> = (0..10).flat_map(|_| [sets(1, 1), sets(2, 0)]).collect();
        let both = said(&events, &paths, &[waits(1, "write", FLAG), waits(2, "write", FLAG)]);
        assert!(both.expect("a loop").contains("they keep each other going"));
    }

    #[test]
    fn steps_that_differ_are_no_loop() {
        let count = |new| Event { new, ..step(1, PathId::ROOT, Action::Write, FLAG) };
        let events: Vec<Event> = (0..100).map(count).collect();
        assert_eq!(said(&events, &Paths::default(), &[]), None);
        assert_eq!(said(&events[..2], &Paths::default(), &[]), None);
    }
}
