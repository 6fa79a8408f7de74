//! The order in which locks are taken, over all executions: a cycle is a deadlock that may happen
//! even if no execution ran into it.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use selvedge_trace::{
    Action, Class, Event, Execution, Finding, Judges, Monitor, Name, Rule, TaskInfo, interned,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The rule of the lock order.
pub const LOCKS_HAVE_ONE_ORDER: Rule = Rule("locks are taken in one order");

/// Collects "waits for B while holding A". Nodes are lock instances, not classes: an order between
/// instances of one class may be kept by other means, and is no finding.
///
/// Try-locks wait for nobody and add no edge to what they take; what they hold counts. The
/// exclusions of a CPU ([`Class::is_exclusion`]) are no locks: nobody else can wait for them while
/// a task of that CPU runs. They do count as guards.
#[derive(Default)]
pub struct LockOrder {
    edges: BTreeMap<(u32, u32), BTreeSet<Use>>,
    names: BTreeMap<u32, Name>,
    noted: Noted,
    /// What each task holds, in the execution that is looked at.
    held: Vec<Vec<Held>>,
    /// What has been done to that, to be taken back where the next execution differs.
    moves: Vec<Move>,
    /// With how many events the next execution begins as the last.
    alike: usize,
}

/// What has been noted already, so that each is spelled out once: most executions take their locks
/// as the one before did.
#[derive(Default)]
struct Noted {
    /// Task, function nest, lock, and what was held besides.
    ways: BTreeSet<Vec<u32>>,
    way: Vec<u32>,
    /// The tasks that the numbers are of.
    tasks: Vec<TaskInfo>,
}

impl Noted {
    /// Begins with an execution of these tasks. Are they others than those of the last?
    fn begin(&mut self, tasks: &[TaskInfo]) -> bool {
        let are_others = self.tasks != tasks;
        if are_others {
            self.ways.clear();
            self.tasks = tasks.to_vec();
        }
        are_others
    }

    /// Is this way of taking a lock new?
    fn is_new(&mut self, event: &Event, held: &[Held]) -> bool {
        self.way.clear();
        self.way.extend([u32::from(event.task), event.path.0, event.object]);
        self.way.extend(held.iter().map(|held| held.lock));
        !self.ways.contains(&self.way) && self.ways.insert(self.way.clone())
    }
}

/// One way in which an edge came about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Use {
    task: u8,
    who: String,
    /// Locks that were held besides.
    guards: BTreeSet<u32>,
    path: String,
}

/// The orders, for another process.
#[derive(Serialize, Deserialize)]
struct Kept {
    edges: Vec<((u32, u32), BTreeSet<Use>)>,
    names: Vec<(u32, String)>,
}

/// An event by which a task has taken a lock, or given it back.
struct Move {
    event: usize,
    task: usize,
    /// The lock that was given back, and its place among those that were held.
    given_back: Option<(usize, Held)>,
}

/// A lock that a task holds.
struct Held {
    lock: u32,
    name: Name,
    class: Class,
}

impl Monitor for LockOrder {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<LockOrder>::default()
    }

    fn begins_alike(&mut self, events: usize) {
        self.alike = events;
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut known = std::mem::take(&mut self.alike);
        if self.noted.begin(execution.tasks) {
            known = 0;
        }
        // The ways in which locks were taken in the events that are known have been noted.
        while let Some(last) = self.moves.pop_if(|last| last.event >= known) {
            last.take_back(&mut self.held);
        }
        self.held.resize_with(execution.tasks.len(), Vec::new);
        for (at, event) in execution.events.iter().enumerate().skip(known) {
            let takes = match event.action {
                Action::Lock | Action::TryLock => true,
                Action::Unlock => false,
                _ => continue,
            };
            let task = usize::from(event.task);
            let mine = &self.held[task];
            let waits = matches!(event.action, Action::Lock) && !event.class.is_exclusion();
            if waits && !mine.is_empty() && self.noted.is_new(event, mine) {
                self.note(execution, event);
            }
            let mine = &mut self.held[task];
            let mut given_back = None;
            if takes {
                let (lock, name, class) = (event.object, event.name, event.class);
                mine.push(Held { lock, name, class });
            } else if let Some(place) = mine.iter().rposition(|held| held.lock == event.object) {
                given_back = Some((place, mine.remove(place)));
            } else {
                continue;
            }
            self.moves.push(Move { event: at, task, given_back });
        }
        None
    }

    // What a task holds when it takes a lock is what it has done itself; and each step that a task
    // can take after what it has observed is taken in some execution.
    fn judges(&self) -> Judges {
        Judges::States
    }

    fn take_over(&mut self, later: Box<dyn Monitor>) {
        let later: Box<dyn Any> = later;
        let Ok(later) = later.downcast::<LockOrder>() else { return };
        for (edge, uses) in later.edges {
            self.edges.entry(edge).or_default().extend(uses);
        }
        self.names.extend(later.names);
    }

    fn kept(&self) -> Option<Value> {
        let names = self.names.iter().map(|(&lock, name)| (lock, name.to_string())).collect();
        let edges = self.edges.iter().map(|(&edge, uses)| (edge, uses.clone())).collect();
        serde_json::to_value(Kept { edges, names }).ok()
    }

    fn restore(&mut self, kept: Value) -> bool {
        let Ok(Kept { edges, names }) = serde_json::from_value(kept) else { return false };
        self.edges = edges.into_iter().collect();
        // A name is asked for nothing but what it is when it is printed.
        let names = names.into_iter().map(|(lock, name)| (lock, Name::new(interned(name))));
        self.names = names.collect();
        true
    }

    fn exploration_ended(&mut self) -> Option<(Finding, String)> {
        let graph: DiGraphMap<u32, ()> =
            self.edges.keys().copied().map(|(a, b)| (a, b, ())).collect();
        let cycles = tarjan_scc(&graph).into_iter().filter(|locks| locks.len() > 1);
        let evidence = cycles.filter_map(|locks: Vec<u32>| self.explain(&locks)).next()?;
        let message = "possible deadlock: a cycle of lock orders".into();
        Some((Finding { rule: LOCKS_HAVE_ONE_ORDER, message, event: None }, evidence))
    }
}

impl Move {
    fn take_back(self, held: &mut [Vec<Held>]) {
        let mine = &mut held[self.task];
        match self.given_back {
            Some((place, held)) => mine.insert(place, held),
            None => _ = mine.pop(),
        }
    }
}

impl LockOrder {
    /// Notes that a task takes a lock while it holds others.
    fn note(&mut self, execution: &Execution<'_>, event: &Event) {
        let mine = &self.held[usize::from(event.task)];
        self.names.insert(event.object, event.name);
        self.names.extend(mine.iter().map(|held| (held.lock, held.name)));
        for first in mine.iter().filter(|held| !held.class.is_exclusion()) {
            let who = execution.tasks[usize::from(event.task)].name.clone();
            let guards = mine.iter().map(|held| held.lock);
            let guards = guards.filter(|&lock| lock != first.lock).collect();
            let path = execution.paths.functions(event.path).join(" > ");
            let used = Use { task: event.task, who, guards, path };
            self.edges.entry((first.lock, event.object)).or_default().insert(used);
        }
    }

    /// The edges of a cycle among these locks, if different tasks make them and no lock guards
    /// them all.
    fn explain(&self, locks: &[u32]) -> Option<String> {
        let inside = |lock: u32| locks.contains(&lock);
        let edges: Vec<_> =
            self.edges.iter().filter(|((a, b), _)| inside(*a) && inside(*b)).collect();
        let uses: Vec<&Use> = edges.iter().flat_map(|(_, uses)| uses.iter()).collect();
        let tasks: BTreeSet<u8> = uses.iter().map(|used| used.task).collect();
        let guards = uses.iter().map(|used| used.guards.clone());
        let common = guards.reduce(|a, b| a.intersection(&b).copied().collect())?;
        if tasks.len() < 2 || !common.is_empty() {
            return None;
        }
        let lines = edges.iter().flat_map(|((a, b), uses)| {
            uses.iter().map(move |used| {
                let (a, b) = (self.names[a], self.names[b]);
                format!("{} takes {b} while it holds {a}: {}", used.who, used.path)
            })
        });
        Some(lines.collect::<Vec<_>>().join("\n"))
    }
}
