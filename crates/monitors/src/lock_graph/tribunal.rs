//! What becomes of a cycle: an execution reached it, or none can, or that is not known.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use selvedge_trace::Counterexample;

use super::cycles::elementary;
use super::{Id, LockGraph, Use};
use crate::Signal;

/// How many cycles of a scenario are looked at.
const CYCLES_MAX: usize = 2_000;
/// How many ways in which the edges of a cycle can come together are looked at for a guard.
const WAYS_MAX: usize = 20_000;

/// How far the scenario was explored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// How many executions were run.
    pub executions: u64,
    /// What cut the search short; `None` if every execution was visited.
    pub cut: Option<String>,
}

/// Why a cycle is no deadlock.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Guard {
    /// This lock is held by two of those who would have to wait for each other.
    Gate(String),
    /// One of them only tries, in this function.
    TryLock(String),
    /// One task would have to wait in two places.
    OneTask(String),
    /// One of two tasks has ended before the other begins, or begins after the other's wait.
    Order(String, String),
    /// In every execution in which each is in its place, such a signal ends the wait of this task.
    Signal(Signal, String),
    /// In no execution is each in its place at the same time, though nothing simple forbids it:
    /// some step of one always comes after some step of the other.
    HappensBefore,
}

/// What becomes of a cycle.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// An execution ended in it.
    Real(Arc<Counterexample>),
    /// No execution does: these are the reasons, of the ways in which its edges come about.
    Refuted(BTreeSet<Guard>),
    /// Not known; what it would take to know.
    Possible(String),
}

/// A cycle, and what becomes of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// Its nodes: each is held by the task that waits for the next, the last by the one that waits
    /// for the first.
    pub cycle: Vec<Id>,
    /// What becomes of it.
    pub verdict: Verdict,
}

impl Judged {
    /// The edges of the cycle.
    pub fn edges(&self) -> impl Iterator<Item = (Id, Id)> {
        let next = self.cycle.iter().cycle().skip(1);
        self.cycle.iter().copied().zip(next.copied())
    }
}

/// Judges every elementary cycle of the graph, which was gathered by this search: those of waits,
/// and those of waits and one edge that only tries. Besides: whether those are all; there is a
/// limit of two thousand.
pub fn judge(graph: &LockGraph, search: &Search) -> (Vec<Judged>, bool) {
    let (mut cycles, all) = cycles(graph);
    // An execution may end in a cycle through a lock that it never gets.
    cycles.extend(graph.reached.keys().cloned());
    cycles.sort();
    cycles.dedup();
    let judged = cycles.into_iter().map(|cycle| {
        let verdict = verdict(graph, search, &cycle);
        Judged { cycle, verdict }
    });
    (judged.collect(), all)
}

fn cycles(graph: &LockGraph) -> (Vec<Vec<Id>>, bool) {
    let waits = |uses: &BTreeSet<Use>| uses.iter().any(|used| !used.tries);
    let (waiting, trying): (Vec<_>, Vec<_>) = graph.edges.iter().partition(|(_, u)| waits(u));
    let waiting: Vec<(Id, Id)> = waiting.into_iter().map(|(&edge, _)| edge).collect();
    let (mut found, mut all) = elementary(waiting.iter().copied(), CYCLES_MAX);
    for (&closing, _) in trying {
        let edges = waiting.iter().copied().chain([closing]);
        let (cycles, is_whole) = elementary(edges, CYCLES_MAX);
        all &= is_whole;
        let closes = |cycle: &Vec<Id>| {
            let next = cycle.iter().cycle().skip(1);
            cycle.iter().zip(next).any(|(&from, &to)| (from, to) == closing)
        };
        found.extend(cycles.into_iter().filter(closes).filter(|cycle| is_of_many(graph, cycle)));
    }
    (found, all)
}

/// Can each edge of the cycle be another task's? One through an edge that only tries is no
/// prediction if not: the task that tries has the lock, or has not, when it waits.
fn is_of_many(graph: &LockGraph, cycle: &[Id]) -> bool {
    let (uses, ways) = ways(graph, cycle);
    (0..ways.min(WAYS_MAX)).any(|way| {
        let mut tasks: Vec<u8> = pick(&uses, way).iter().map(|used| used.task).collect();
        tasks.sort_unstable();
        tasks.windows(2).all(|pair| pair[0] != pair[1])
    })
}

/// The uses of each edge of the cycle, and in how many ways one of each can be picked.
fn ways<'a>(graph: &'a LockGraph, cycle: &[Id]) -> (Vec<Vec<&'a Use>>, usize) {
    let next = cycle.iter().cycle().skip(1);
    let edges = cycle.iter().copied().zip(next.copied());
    let uses: Vec<Vec<&Use>> =
        edges.map(|edge| graph.edges.get(&edge).into_iter().flatten().collect()).collect();
    let ways = uses.iter().map(Vec::len).fold(1, usize::saturating_mul);
    (uses, ways)
}

fn verdict(graph: &LockGraph, search: &Search, cycle: &[Id]) -> Verdict {
    if let Some(counterexample) = graph.reached.get(cycle) {
        return Verdict::Real(counterexample.clone());
    }
    let Guards { mut guards, signals, is_open } = guards(graph, cycle);
    match &search.cut {
        None => {
            guards.extend(signals);
            guards.extend(is_open.then_some(Guard::HappensBefore));
            Verdict::Refuted(guards)
        }
        Some(cut) => {
            let is_guarded = signals.is_empty() && !is_open;
            let known = if is_guarded { "; what was seen of it is guarded" } else { "" };
            Verdict::Possible(format!(
                "the scenario was left after {} executions, by {cut}{known}",
                search.executions
            ))
        }
    }
}

/// What guards the ways in which the edges of a cycle can come together.
#[derive(Default)]
struct Guards {
    guards: BTreeSet<Guard>,
    /// Where nothing does, but that a signal has ended the wait of one of them in some execution.
    signals: BTreeSet<Guard>,
    /// Is there some way besides?
    is_open: bool,
}

fn guards(graph: &LockGraph, cycle: &[Id]) -> Guards {
    let (uses, ways) = ways(graph, cycle);
    let mut all = Guards { is_open: ways > WAYS_MAX, ..Guards::default() };
    for way in 0..ways.min(WAYS_MAX) {
        let way = pick(&uses, way);
        match (guard(graph, cycle, &way), signal(graph, cycle, &way)) {
            (Some(guard), _) => _ = all.guards.insert(guard),
            (None, Some(signal)) => _ = all.signals.insert(signal),
            (None, None) => all.is_open = true,
        }
    }
    all
}

/// The first wait of these that a signal has ended.
fn signal(graph: &LockGraph, cycle: &[Id], way: &[&Use]) -> Option<Guard> {
    let waited_for = cycle.iter().cycle().skip(1);
    way.iter().zip(waited_for).find_map(|(used, &on)| {
        let signal = used.ended_by.filter(|_| graph.gave_up.contains(&(used.task, on)))?;
        Some(Guard::Signal(signal, used.who.clone()))
    })
}

/// The way of this number: one use of each edge.
fn pick<'a>(uses: &[Vec<&'a Use>], mut way: usize) -> Vec<&'a Use> {
    let one = |uses: &Vec<&'a Use>| {
        let used = uses[way % uses.len()];
        way /= uses.len();
        used
    };
    uses.iter().map(one).collect()
}

fn guard(graph: &LockGraph, cycle: &[Id], way: &[&Use]) -> Option<Guard> {
    if let Some(tries) = way.iter().find(|used| used.tries) {
        let Some(function) = tries.waits_in.last().copied() else {
            return Some(Guard::TryLock("the scenario".into()));
        };
        // The try itself is a helper's; who calls it decides what to do when it fails.
        let is_helper = function.contains("trylock") && tries.waits_in.len() > 1;
        let at = tries.waits_in.len().saturating_sub(2);
        let function = if is_helper { tries.waits_in[at] } else { function };
        return Some(Guard::TryLock(format!("{function}()")));
    }
    for (number, one) in way.iter().enumerate() {
        for other in &way[number + 1..] {
            if one.task == other.task {
                return Some(Guard::OneTask(one.who.clone()));
            }
            let mut shared = one.guards.intersection(&other.guards);
            if let Some(gate) = shared.find(|gate| !cycle.contains(gate)) {
                return Some(Guard::Gate(graph.name(*gate).into()));
            }
            let (a, b) = (1 << one.task, 1 << other.task);
            if (one.after | one.before) & b != 0 || (other.after | other.before) & a != 0 {
                return Some(Guard::Order(one.who.clone(), other.who.clone()));
            }
        }
    }
    None
}

impl Verdict {
    /// `real`, `refuted`, `possible`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Real(_) => "real",
            Verdict::Refuted(_) => "refuted",
            Verdict::Possible(_) => "possible",
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Guard::Gate(lock) => write!(f, "gate lock: {lock} is held on both sides"),
            Guard::TryLock(function) => write!(f, "trylock: {function} only tries"),
            Guard::OneTask(who) => write!(f, "one task: {who} waits at one place at a time"),
            Guard::Order(one, other) => {
                write!(f, "order of start: {one} and {other} never run at the same time")
            }
            Guard::Signal(signal, who) => {
                write!(f, "signal: where all of them wait, {signal} ends the wait of {who}")
            }
            Guard::HappensBefore => {
                f.write_str("happens-before: in no execution do all of them wait at the same time")
            }
        }
    }
}
