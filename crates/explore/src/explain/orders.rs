//! Compares all executions of a scenario in the orders of the steps that the failing one has.
//!
//! The same step of two executions is that of the same task, in the same functions, with the same
//! primitive on the same object, and so many such steps of the task came before it. Its values may
//! differ.
//!
//! dpor runs one execution of each set that differ in the order of independent steps only, so that
//! what is read off one must hold in all of them: an order counts only where one of the two steps
//! is in the past of the other, by steps that depend on each other, and else as one that may go
//! either way.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use selvedge_trace::{Action, Condition, End, Event, Execution, Finding, Monitor, Name, Waiting};

use super::Subject;
use super::collector::Collector;
use super::decisive::Decided;
use super::gather::{Gather, Then};
use crate::machine::search;
use crate::record::{Asked, Hashes, Key, Order, hash_of, tasks_of};
use crate::replay::follow;
use crate::step::NO_OBJECT;
use crate::tally::Monitors;
use crate::{Body, Bounds, Engine};

/// More orders than these of the failing execution are not looked at.
const CANDIDATES_MAX: usize = 1_024;
/// More than these of all executions are not.
const GATHERED_MAX: usize = 4_096;

/// How far a step that the failing execution does not have is from what a reader looks at.
const ELSEWHERE: usize = 100_000;

/// Which condition is met in an execution: bits, by candidate.
pub(super) type Bits = Vec<u64>;

/// What all executions have shown.
pub(super) struct Compared {
    /// The candidates, all true of the failing execution.
    pub(super) candidates: Vec<Candidate>,
    /// Of each kind of failing execution: the conditions that are surely met, and how many.
    pub(super) failing: BTreeMap<Bits, u64>,
    /// Of each kind of passing execution: the conditions that may be met, and how many.
    pub(super) passing: BTreeMap<Bits, u64>,
    /// How many executions break another rule.
    pub(super) others: u64,
}

impl Compared {
    pub(super) fn executions(&self) -> u64 {
        self.failing() + self.passing.values().sum::<u64>() + self.others
    }

    pub(super) fn failing(&self) -> u64 {
        self.failing.values().sum()
    }

    /// The same candidates, with no execution that has been compared.
    pub(super) fn nothing_yet(&self) -> Compared {
        Compared::nothing(self.candidates.clone())
    }

    fn nothing(candidates: Vec<Candidate>) -> Compared {
        let (failing, passing) = Default::default();
        Compared { candidates, failing, passing, others: 0 }
    }
}

/// A condition that may matter.
#[derive(Clone)]
pub(super) struct Candidate {
    /// In the steps of the failing execution; `None`: it is of another that fails.
    pub(super) is: Option<Condition>,
    pub(super) object: Name,
    /// How many steps are between the two.
    pub(super) distance: usize,
    /// The steps, as places in the list of those that are looked for. Of a choice: the step, and
    /// what it chose.
    pub(super) one: usize,
    pub(super) other: Other,
}

/// The second step, or what was chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    Step(usize),
    Chose(u64),
}

/// What executions are compared in.
#[derive(Clone)]
pub(super) struct Comparison {
    candidates: Vec<Candidate>,
    keys: Vec<Key>,
    rule: String,
    /// The steps of the failing execution.
    here: HashMap<Key, usize>,
}

/// Runs executions, which the monitor looks at. `Err`: not all of them, because of what.
pub(super) type RunAll<'a> = &'a dyn Fn(Box<dyn Monitor>) -> Result<Box<dyn Monitor>, String>;

impl Comparison {
    /// The orders of the failing execution, and those with steps that `decided` has instead.
    pub(super) fn new(of: &Subject<'_>, decided: Option<&Decided>) -> Comparison {
        let Subject { bounds, body, cx, .. } = *of;
        let mut first: First = watch(bounds, body, &cx.schedule);
        if let Some(decided) = decided {
            let instead: Instead = watch(bounds, body, &decided.schedule);
            first.add(&instead, decided.step);
        }
        let here = first.here();
        Comparison { candidates: first.candidates, keys: first.keys, rule: cx.rule.clone(), here }
    }

    /// Who looks for what else may matter.
    pub(super) fn gather(&self) -> Gather {
        Gather::new(self.rule.clone())
    }

    /// Compares in what was found in others, too: first what it is about already. Is there more?
    pub(super) fn extend(&mut self, gathered: &Gather) -> bool {
        let known = self.candidates.len();
        let mut all: HashSet<(Key, Then)> = self.candidates.iter().map(|c| self.then(c)).collect();
        for (&(one, then), order) in gathered.orders() {
            if self.candidates.len() >= GATHERED_MAX || !all.insert((one, then)) {
                continue;
            }
            let one = place(&mut self.keys, one);
            let other = match then {
                Then::Step(key) => Other::Step(place(&mut self.keys, key)),
                Then::Chose(alternative) => Other::Chose(alternative),
            };
            let (object, distance) = (order.object, order.distance);
            let is = self.in_this_one(one, other);
            self.candidates.push(Candidate { is, object, distance, one, other });
        }
        self.candidates.len() > known
    }

    /// The condition as one of the failing execution, if that has both steps in this order.
    fn in_this_one(&self, one: usize, other: Other) -> Option<Condition> {
        let Other::Step(other) = other else { return None };
        let at = |place: usize| self.here.get(&self.keys[place]).copied();
        let (before, after) = (at(one)?, at(other)?);
        let order = Condition::Order { before, after: Some(after), blocked: None, passing: None };
        (before < after).then_some(order)
    }

    fn then(&self, candidate: &Candidate) -> (Key, Then) {
        let then = match candidate.other {
            Other::Step(other) => Then::Step(self.keys[other]),
            Other::Chose(alternative) => Then::Chose(alternative),
        };
        (self.keys[candidate.one], then)
    }

    /// `A happens before B`
    pub(super) fn said(&self, number: usize, gathered: &Gather) -> String {
        let (one, then) = self.then(&self.candidates[number]);
        match then {
            Then::Step(other) => {
                format!("{} happens before {}", gathered.named(one), gathered.named(other))
            }
            Then::Chose(alternative) => format!("{} is {alternative}", gathered.named(one)),
        }
    }

    fn order(&self, number: usize) -> Order {
        let candidate = &self.candidates[number];
        match candidate.other {
            Other::Step(other) => Order::Before(candidate.one, other),
            Other::Chose(alternative) => Order::Chooses(candidate.one, alternative),
        }
    }

    /// Asks for executions that meet all of these conditions.
    pub(super) fn asked_all(&self, conditions: &[usize]) -> Asked {
        let orders = conditions.iter().map(|&number| self.order(number)).collect();
        Asked::all(orders, self.places())
    }

    /// Asks for executions that meet none of these sets of conditions.
    pub(super) fn asked_none(&self, sets: &[Vec<usize>]) -> Asked {
        let of = |set: &Vec<usize>| set.iter().map(|&number| self.order(number)).collect();
        Asked::none(sets.iter().map(of).collect(), self.places())
    }

    fn places(&self) -> HashMap<Key, usize> {
        self.keys.iter().enumerate().map(|(place, &key)| (key, place)).collect()
    }

    /// The candidates, with no execution that has been compared.
    pub(super) fn nothing_yet(&self) -> Compared {
        Compared::nothing(self.candidates.clone())
    }

    pub(super) fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The condition of this number, if the failing execution that is explained meets it.
    pub(super) fn condition(&self, number: usize) -> Option<Condition> {
        self.candidates[number].is.clone()
    }

    /// Who looks at executions.
    pub(super) fn collector(&self) -> Collector {
        Collector::new(self.candidates.clone(), self.keys.clone(), self.rule.clone())
    }

    /// Compares the executions that are run.
    pub(super) fn of(&self, run: RunAll<'_>) -> Result<Compared, String> {
        Ok(self.compared(taken(run(Box::new(self.collector()))?)).0)
    }

    /// The same, and looks for what else may matter.
    pub(super) fn and_gather(&self, run: RunAll<'_>) -> Result<(Compared, Gather), String> {
        let (compared, gathered) =
            self.compared(taken(run(Box::new(self.collector().gathering()))?));
        Ok((compared, gathered.unwrap_or_else(|| self.gather())))
    }

    fn compared(&self, collector: Collector) -> (Compared, Option<Gather>) {
        let Collector { failing, passing, others, gathered, .. } = collector;
        (Compared { candidates: self.candidates.clone(), failing, passing, others }, gathered)
    }
}

/// What was given to be shown executions, again.
pub(super) fn taken<M: Monitor>(monitor: Box<dyn Monitor>) -> M {
    let monitor: Box<dyn std::any::Any> = monitor;
    *monitor.downcast::<M>().expect("it is the one that was given")
}

/// Runs all executions of the scenario.
pub(super) fn run_all(
    of: &Subject<'_>,
    last: Box<dyn Monitor>,
) -> Result<Box<dyn Monitor>, String> {
    let bounds = Bounds { keep_going: true, preemptions_max: None, ..of.bounds.clone() };
    let mut seen = search(Engine::Dpor, &bounds, of.watched_by(last), of.body);
    match (seen.cut, seen.monitors.pop()) {
        (None, Some(last)) => Ok(last),
        (cut, _) => {
            let cut = cut.map_or_else(String::new, |cut| cut.to_string());
            let executions = seen.tally.executions;
            Err(format!(
                "which orders it takes of all executions is not known: {cut}, after {executions} \
                 of them"
            ))
        }
    }
}

/// Follows the schedule, and gives what looked at it.
fn watch<M: Monitor + Default>(bounds: &Bounds, body: &Body, schedule: &[i32]) -> M {
    let watching: Monitors = vec![Box::<M>::default()];
    let watched = follow(bounds, watching, body, schedule).1.pop();
    let watched: Option<Box<dyn std::any::Any>> = watched.map(|monitor| monitor as _);
    watched.and_then(|monitor| monitor.downcast::<M>().ok()).map_or_else(M::default, |all| *all)
}

/// The keys of all steps; none of notes.
pub(super) fn keys(hashes: &mut Hashes, execution: &Execution<'_>) -> Vec<Option<Key>> {
    let tasks = tasks_of(execution.tasks);
    let mut counts: HashMap<u64, u32> = HashMap::new();
    let key = |event: &Event| hashes.key(execution.paths, &tasks, event, &mut counts);
    execution.events.iter().map(key).collect()
}

/// Looks at the failing execution, for what may matter.
#[derive(Default)]
struct First {
    candidates: Vec<Candidate>,
    keys: Vec<Key>,
    /// Of all its events, and what they are about.
    all: Vec<(Option<Key>, Name)>,
}

impl First {
    fn here(&self) -> HashMap<Key, usize> {
        let steps = self.all.iter().enumerate();
        steps.filter_map(|(index, (key, _))| Some(((*key)?, index))).collect()
    }

    /// The failing execution ends with the violation: steps that would have come later are not in
    /// it. What the other execution does before a step that both have, and this one does not, is
    /// too late here.
    fn add(&mut self, other: &Instead, decisive: usize) {
        let here = self.here();
        for &(late, after) in &other.pairs {
            let (Some(late_key), Some(after)) = (other.keys[late], other.keys[after]) else {
                continue;
            };
            let (Some(&before), None) = (here.get(&after), here.get(&late_key)) else { continue };
            let Some(passing) = late.checked_sub(decisive) else { continue };
            let (one, late) = (place(&mut self.keys, after), place(&mut self.keys, late_key));
            let is_known = |known: &Candidate| {
                known.one == one && matches!(known.other, Other::Step(step) if step == late)
            };
            if self.candidates.len() < CANDIDATES_MAX && !self.candidates.iter().any(is_known) {
                let passing = Some(passing);
                self.candidates.push(Candidate {
                    is: Some(Condition::Order { before, after: None, blocked: None, passing }),
                    distance: ELSEWHERE,
                    object: self.all[before].1,
                    one,
                    other: Other::Step(late),
                });
            }
        }
    }
}

/// Looks at an execution that does not fail.
#[derive(Default)]
struct Instead {
    keys: Vec<Option<Key>>,
    /// Orders of its steps.
    pairs: Vec<(usize, usize)>,
}

impl Monitor for Instead {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        self.keys = keys(&mut Hashes::default(), execution);
        self.pairs = adjacent(execution.events);
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::<Instead>::default()
    }
}

/// The place of the key in the list of those that are looked for.
fn place(keys: &mut Vec<Key>, key: Key) -> usize {
    let known = keys.iter().position(|known| *known == key);
    known.unwrap_or_else(|| {
        keys.push(key);
        keys.len() - 1
    })
}

impl Monitor for First {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let keys = keys(&mut Hashes::default(), execution);
        let mut found = Found { keys: &keys, first: First::default() };
        let pairs = adjacent(execution.events);
        pairs.into_iter().for_each(|(before, after)| found.order(execution, before, after));
        if let End::Deadlock(waiting) = execution.end {
            waiting.iter().for_each(|waits| found.blocked(execution, waits));
        }
        for (index, event) in execution.events.iter().enumerate() {
            if event.action == Action::Choice {
                found.choice(index, event);
            }
        }
        *self = found.first;
        self.candidates.truncate(CANDIDATES_MAX);
        self.all = keys.into_iter().zip(execution.events.iter().map(|event| event.name)).collect();
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::<First>::default()
    }
}

/// Pairs of steps of different tasks that depend on each other, with none between that depends on
/// both.
pub(super) fn adjacent(events: &[Event]) -> Vec<(usize, usize)> {
    let mut of_object: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, event) in events.iter().enumerate() {
        if event.object != NO_OBJECT && !event.action.is_note() {
            of_object.entry(event.object).or_default().push(index);
        }
    }
    let depend = |a: usize, b: usize| events[a].touch.depends_on(events[b].touch);
    let mut pairs = Vec::new();
    for steps in of_object.values() {
        for (at, &after) in steps.iter().enumerate() {
            for (earlier, &before) in steps[..at].iter().enumerate().rev() {
                let between = &steps[earlier + 1..at];
                let is_hidden = between.iter().any(|&c| depend(before, c) && depend(c, after));
                let is_other = events[before].task != events[after].task;
                if is_other && depend(before, after) && !is_hidden {
                    pairs.push((before, after));
                }
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

/// What a task waits for for ever: the last step of another that took it, and the one that the task
/// would take.
pub(super) fn waited_for(
    execution: &Execution<'_>,
    waits: &Waiting,
    keys: &[Option<Key>],
) -> Option<(usize, Key)> {
    let is_it = |event: &Event| event.object == waits.object && event.task != waits.task;
    let before = execution.events.iter().rposition(|e| is_it(e) && !e.action.is_note());
    let before = before.filter(|_| waits.end_of.is_none())?;
    let path = Hashes::default().path(execution.paths, waits.path);
    let task = tasks_of(execution.tasks)[usize::from(waits.task)];
    let what = hash_of(&(task, path, waits.primitive, waits.name));
    let nth = keys.iter().flatten().filter(|key| key.what == what).count() as u32;
    Some((before, Key { what, nth }))
}

struct Found<'a> {
    keys: &'a [Option<Key>],
    first: First,
}

impl Found<'_> {
    fn place(&mut self, key: Key) -> usize {
        place(&mut self.first.keys, key)
    }

    fn order(&mut self, execution: &Execution<'_>, before: usize, after: usize) {
        let (Some(one), Some(other)) = (self.keys[before], self.keys[after]) else { return };
        let candidate = Candidate {
            is: Some(Condition::Order { before, after: Some(after), blocked: None, passing: None }),
            distance: after - before,
            object: execution.events[before].name,
            one: self.place(one),
            other: Other::Step(self.place(other)),
        };
        self.first.candidates.push(candidate);
    }

    /// A task that waits for ever.
    fn blocked(&mut self, execution: &Execution<'_>, waits: &Waiting) {
        let Some((before, wait)) = waited_for(execution, waits, self.keys) else { return };
        let Some(one) = self.keys[before] else { return };
        let blocked = Some(waits.task);
        let candidate = Candidate {
            is: Some(Condition::Order { before, after: None, blocked, passing: None }),
            object: waits.name,
            distance: 0,
            one: self.place(one),
            other: Other::Step(self.place(wait)),
        };
        self.first.candidates.push(candidate);
    }

    fn choice(&mut self, index: usize, event: &Event) {
        let Some(one) = self.keys[index] else { return };
        let candidate = Candidate {
            is: Some(Condition::Choice { step: index }),
            object: event.name,
            distance: 0,
            one: self.place(one),
            other: Other::Chose(event.new),
        };
        self.first.candidates.push(candidate);
    }
}

/// The numbers of the bits that are set in all of these.
pub(super) fn common<'a>(all: impl Iterator<Item = &'a Bits>, count: usize) -> BTreeSet<usize> {
    let mut common: BTreeSet<usize> = (0..count).collect();
    for bits in all {
        common.retain(|&number| has(bits, number));
    }
    common
}

/// Is the bit of this number set?
pub(super) fn has(bits: &Bits, number: usize) -> bool {
    bits[number / 64] >> (number % 64) & 1 == 1
}
