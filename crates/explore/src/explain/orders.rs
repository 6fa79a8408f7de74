//! Compares all executions of a scenario in the orders of the steps that the failing one has.
//!
//! The same step of two executions is that of the same task, in the same functions, with the same
//! primitive on the same object, and so many such steps of the task came before it. Its values may
//! differ.
//!
//! dpor runs one execution of each set that differ in the order of independent steps only, so that
//! what is read off one must hold in all of them: an order counts only where one of the two steps is
//! in the past of the other, by steps that depend on each other, and else as one that may go either
//! way.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use selvedge_trace::{
    Action, Condition, Counterexample, End, Event, Execution, Finding, Monitor, Name, Rule,
};

use super::decisive::Decided;
use crate::machine::search;
use crate::record::{Asked, Hashes, Key, Order, Past, Pasts, hash_of, tasks_of};
use crate::replay::follow;
use crate::step::NO_OBJECT;
use crate::tally::{Monitors, others};
use crate::{Body, Bounds, Engine};

/// More orders than these are not looked at.
const CANDIDATES_MAX: usize = 1_024;

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
}

/// A condition that may matter.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) is: Condition,
    pub(super) object: Name,
    /// The steps, as places in the list of those that are looked for. Of a choice: the step, and
    /// what it chose.
    one: usize,
    other: Other,
}

#[derive(Clone, Copy)]
enum Other {
    Step(usize),
    Chose(u64),
}

/// What executions are compared in.
pub(super) struct Comparison {
    candidates: Vec<Candidate>,
    keys: Vec<Key>,
}

impl Comparison {
    /// The orders of the failing execution, and those with steps that `decided` has instead.
    pub(super) fn new(
        bounds: &Bounds,
        body: &Body,
        cx: &Counterexample,
        decided: Option<&Decided>,
    ) -> Comparison {
        let mut first: First = watch(bounds, body, &cx.schedule);
        if let Some(decided) = decided {
            let instead: Instead = watch(bounds, body, &decided.schedule);
            first.add(&instead, decided.step);
        }
        Comparison { candidates: first.candidates, keys: first.keys }
    }

    /// Asks for executions that meet all of these conditions, or for such as do not.
    pub(super) fn asked(&self, conditions: &[usize], all: bool) -> Asked {
        let order = |&number: &usize| {
            let candidate = &self.candidates[number];
            match candidate.other {
                Other::Step(other) => Order::Before(candidate.one, other),
                Other::Chose(alternative) => Order::Chooses(candidate.one, alternative),
            }
        };
        let places = self.keys.iter().enumerate().map(|(place, &key)| (key, place)).collect();
        Asked::new(conditions.iter().map(order).collect(), all, places)
    }

    /// The candidates, with no execution that has been compared.
    pub(super) fn nothing_yet(&self) -> Compared {
        Compared {
            candidates: self.candidates.clone(),
            failing: BTreeMap::new(),
            passing: BTreeMap::new(),
            others: 0,
        }
    }

    /// Who looks at executions.
    pub(super) fn collector(&self, cx: &Counterexample) -> Collector {
        Collector::new(self.candidates.clone(), self.keys.clone(), cx.rule.clone())
    }

    /// What such a one has seen.
    pub(super) fn compared(&self, collector: Option<Box<dyn Monitor>>) -> Option<Compared> {
        let collector: Box<dyn std::any::Any> = collector?;
        let collector = collector.downcast::<Collector>().ok()?;
        Some(Compared {
            candidates: self.candidates.clone(),
            failing: collector.failing,
            passing: collector.passing,
            others: collector.others,
        })
    }

    /// Runs all executions of the scenario. `Err`: not all of them, because of what.
    pub(super) fn of_all(
        &self,
        bounds: &Bounds,
        monitors: &Monitors,
        body: &Body,
        cx: &Counterexample,
    ) -> Result<Compared, String> {
        let mut watching = others(monitors);
        watching.push(Box::new(self.collector(cx)));
        let bounds = Bounds { keep_going: true, preemptions_max: None, ..bounds.clone() };
        let mut seen = search(Engine::Dpor, &bounds, watching, body);
        let compared = self.compared(seen.monitors.pop());
        match (seen.cut, compared) {
            (None, Some(compared)) => Ok(compared),
            (cut, _) => {
                let cut = cut.map_or_else(String::new, |cut| cut.to_string());
                let executions = seen.tally.executions;
                Err(format!(
                    "which orders it takes of all executions is not known: {cut}, after \
                     {executions} of them"
                ))
            }
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
fn keys(hashes: &mut Hashes, execution: &Execution<'_>) -> Vec<Option<Key>> {
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
    /// The failing execution ends with the violation: steps that would have come later are not in
    /// it. What the other execution does before a step that both have, and this one does not, is
    /// too late here.
    fn add(&mut self, other: &Instead, decisive: usize) {
        let here: HashMap<Key, usize> = (self.all.iter().enumerate())
            .filter_map(|(index, (key, _))| Some(((*key)?, index)))
            .collect();
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
                    is: Condition::Order { before, after: None, blocked: None, passing },
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
fn adjacent(events: &[Event]) -> Vec<(usize, usize)> {
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
            is: Condition::Order { before, after: Some(after), blocked: None, passing: None },
            object: execution.events[before].name,
            one: self.place(one),
            other: Other::Step(self.place(other)),
        };
        self.first.candidates.push(candidate);
    }

    /// A task that waits for ever: the last step of another that took what it waits for.
    fn blocked(&mut self, execution: &Execution<'_>, waits: &selvedge_trace::Waiting) {
        let is_it = |event: &Event| event.object == waits.object && event.task != waits.task;
        let before = execution.events.iter().rposition(|e| is_it(e) && !e.action.is_note());
        let Some(before) = before.filter(|_| waits.end_of.is_none()) else { return };
        let Some(one) = self.keys[before] else { return };
        let path = Hashes::default().path(execution.paths, waits.path);
        let task = tasks_of(execution.tasks)[usize::from(waits.task)];
        let what = hash_of(&(task, path, waits.primitive, waits.name));
        let nth = self.keys.iter().flatten().filter(|key| key.what == what).count() as u32;
        let candidate = Candidate {
            is: Condition::Order { before, after: None, blocked: Some(waits.task), passing: None },
            object: waits.name,
            one: self.place(one),
            other: Other::Step(self.place(Key { what, nth })),
        };
        self.first.candidates.push(candidate);
    }

    fn choice(&mut self, index: usize, event: &Event) {
        let Some(one) = self.keys[index] else { return };
        let candidate = Candidate {
            is: Condition::Choice { step: index },
            object: event.name,
            one: self.place(one),
            other: Other::Chose(event.new),
        };
        self.first.candidates.push(candidate);
    }
}

/// Says of every execution which conditions it meets.
pub(super) struct Collector {
    candidates: Vec<Candidate>,
    keys: HashMap<Key, usize>,
    rule: String,
    hashes: Hashes,
    failing: BTreeMap<Bits, u64>,
    passing: BTreeMap<Bits, u64>,
    others: u64,
    /// The last execution, unless it breaks another rule.
    last: Option<Met>,
}

/// Which conditions an execution meets: if it fails, surely; else perhaps.
#[derive(Clone)]
pub(super) struct Met {
    pub(super) bits: Bits,
    pub(super) fails: bool,
}

impl Collector {
    /// What the last execution has shown.
    pub(super) fn last(&self) -> Option<&Met> {
        self.last.as_ref()
    }

    fn new(candidates: Vec<Candidate>, keys: Vec<Key>, rule: String) -> Collector {
        Collector {
            candidates,
            keys: keys.into_iter().enumerate().map(|(place, key)| (key, place)).collect(),
            rule,
            hashes: Hashes::default(),
            failing: BTreeMap::new(),
            passing: BTreeMap::new(),
            others: 0,
            last: None,
        }
    }

    /// Where in the execution each step is that is looked for.
    fn places(&mut self, execution: &Execution<'_>) -> Vec<Option<usize>> {
        let mut places = vec![None; self.keys.len()];
        for (index, key) in keys(&mut self.hashes, execution).into_iter().enumerate() {
            if let Some(&place) = key.and_then(|key| self.keys.get(&key)) {
                places[place] = Some(index);
            }
        }
        places
    }
}

/// The pasts of the steps, made when somebody asks: notes have none.
struct LazyPasts<'a> {
    events: &'a [Event],
    made: OnceCell<Vec<Past>>,
}

impl LazyPasts<'_> {
    /// Is the order of these the same in all executions that differ from this one in the order of
    /// independent steps only?
    fn are_ordered(&self, one: usize, other: usize) -> bool {
        let make = || {
            let mut pasts = Pasts::default();
            let past = |event: &Event| match event.action.is_note() {
                true => Past::default(),
                false => pasts.step(event),
            };
            self.events.iter().map(past).collect()
        };
        let pasts = self.made.get_or_init(make);
        pasts[one.min(other)].is_in(&pasts[one.max(other)])
    }
}

/// Whether the condition is met; `None`: in some of the executions that differ from this one in the
/// order of independent steps only.
fn is_met(candidate: &Candidate, places: &[Option<usize>], pasts: &LazyPasts<'_>) -> Option<bool> {
    let events = pasts.events;
    let Some(one) = places[candidate.one] else { return Some(false) };
    match candidate.other {
        Other::Chose(alternative) => Some(events[one].new == alternative),
        Other::Step(other) => match places[other] {
            None => Some(true),
            Some(other) if events[one].touch.depends_on(events[other].touch) => Some(one < other),
            Some(other) => pasts.are_ordered(one, other).then_some(one < other),
        },
    }
}

impl Monitor for Collector {
    fn execution(&mut self, _: &Execution<'_>) -> Option<Finding> {
        None
    }

    fn concluded(&mut self, execution: &Execution<'_>, finding: Option<&Finding>) {
        let fails = match finding {
            Some(Finding { rule: Rule(rule), .. }) if *rule != self.rule => {
                self.others += 1;
                self.last = None;
                return;
            }
            finding => finding.is_some(),
        };
        let places = self.places(execution);
        let pasts = LazyPasts { events: execution.events, made: OnceCell::new() };
        let mut bits: Bits = vec![0; self.candidates.len().div_ceil(64)];
        for (number, candidate) in self.candidates.iter().enumerate() {
            let met = is_met(candidate, &places, &pasts);
            if met.unwrap_or(!fails) {
                bits[number / 64] |= 1 << (number % 64);
            }
        }
        self.last = Some(Met { bits: bits.clone(), fails });
        let seen = if fails { &mut self.failing } else { &mut self.passing };
        *seen.entry(bits).or_default() += 1;
    }

    fn another(&self) -> Box<dyn Monitor> {
        let mut other = Collector::new(self.candidates.clone(), Vec::new(), self.rule.clone());
        other.keys = self.keys.clone();
        Box::new(other)
    }

    fn take_over(&mut self, later: Box<dyn Monitor>) {
        let later: Box<dyn std::any::Any> = later;
        let Ok(later) = later.downcast::<Collector>() else { return };
        for (mine, theirs) in
            [(&mut self.failing, later.failing), (&mut self.passing, later.passing)]
        {
            theirs.into_iter().for_each(|(bits, count)| *mine.entry(bits).or_default() += count);
        }
        self.others += later.others;
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
