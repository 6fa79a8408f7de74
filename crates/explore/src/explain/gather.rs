//! Orders of steps that may make the difference, of all executions that are run: the failing one
//! that is explained has those of one way to fail.

use std::collections::{BTreeMap, HashMap};

use selvedge_trace::{
    Action, Counterexample, End, Event, Execution, Finding, Monitor, Name, Rule, because,
};

use super::orders::{adjacent, keys, taken, waited_for};
use crate::record::{Hashes, Key, hash_of};

/// What comes after a step, or what it chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Then {
    Step(Key),
    Chose(u64),
}

/// An order that some failing execution has, or no passing one need have.
pub(super) struct Gathered {
    pub(super) object: Name,
    /// The fewest steps between the two.
    pub(super) distance: usize,
}

/// What a step is called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    /// How many of its execution are called the same, at most.
    alike: usize,
    text: String,
}

/// Looks at executions.
pub(super) struct Gather {
    rule: String,
    hashes: Hashes,
    orders: BTreeMap<(Key, Then), Gathered>,
    names: BTreeMap<Key, Named>,
    /// What tasks wait for ever to do, if nobody ever does it.
    waits: BTreeMap<Key, String>,
}

impl Gather {
    pub(super) fn new(rule: String) -> Gather {
        Gather {
            rule,
            hashes: Hashes::default(),
            orders: BTreeMap::new(),
            names: BTreeMap::new(),
            waits: BTreeMap::new(),
        }
    }

    pub(super) fn orders(&self) -> impl Iterator<Item = (&(Key, Then), &Gathered)> {
        self.orders.iter()
    }

    /// What the step is called.
    pub(super) fn named(&self, key: Key) -> &str {
        let step = self.names.get(&key).map(|named| named.text.as_str());
        step.or_else(|| self.waits.get(&key).map(String::as_str)).unwrap_or_default()
    }

    /// Takes over what another has found.
    pub(super) fn add(&mut self, later: Gather) {
        for (order, Gathered { object, distance }) in later.orders {
            self.order(order, object, distance);
        }
        for (key, named) in later.names {
            if self.names.get(&key).is_none_or(|known| known.alike < named.alike) {
                self.names.insert(key, named);
            }
        }
        for (key, text) in later.waits {
            self.waits.entry(key).or_insert(text);
        }
    }

    fn order(&mut self, order: (Key, Then), object: Name, distance: usize) {
        let known = self.orders.entry(order).or_insert(Gathered { object, distance });
        known.distance = known.distance.min(distance);
    }

    /// The orders of a failing execution, and the reverse ones of a passing one: it may be that
    /// nothing fails where the one step comes first.
    fn pairs(&mut self, execution: &Execution<'_>, keys: &[Option<Key>], fails: bool) {
        for (before, after) in adjacent(execution.events) {
            let (Some(one), Some(other)) = (keys[before], keys[after]) else { continue };
            let (one, other) = if fails { (one, other) } else { (other, one) };
            self.order((one, Then::Step(other)), execution.events[before].name, after - before);
        }
    }

    /// Whom nobody wakes, and what was chosen.
    fn ends(&mut self, execution: &Execution<'_>, keys: &[Option<Key>]) {
        let waiting = match execution.end {
            End::Deadlock(waiting) => waiting.as_slice(),
            _ => &[],
        };
        let mut spelled = None;
        for (at, waits) in waiting.iter().enumerate() {
            let Some((before, wait)) = waited_for(execution, waits, keys) else { continue };
            let Some(one) = keys[before] else { continue };
            self.order((one, Then::Step(wait)), waits.name, 0);
            let cx = spelled.get_or_insert_with(|| spell(execution));
            self.waits.entry(wait).or_insert_with(|| because::wait_named(cx, at));
        }
        for (event, key) in execution.events.iter().zip(keys) {
            if let (Action::Choice, Some(one)) = (event.action, *key) {
                self.order((one, Then::Chose(event.new)), event.name, 0);
            }
        }
    }

    fn name_steps(&mut self, execution: &Execution<'_>, keys: &[Option<Key>]) {
        let alike = self.alike(execution);
        let mut spelled = None;
        for (at, (key, alike)) in keys.iter().zip(alike).enumerate() {
            let Some(key) = *key else { continue };
            if self.names.get(&key).is_some_and(|known| known.alike >= alike) {
                continue;
            }
            let cx = spelled.get_or_insert_with(|| spell(execution));
            let text = because::step_named(cx, at);
            self.names.insert(key, Named { alike, text });
        }
    }

    /// Of each event, how many are called the same.
    fn alike(&mut self, execution: &Execution<'_>) -> Vec<usize> {
        let mut counts: HashMap<u64, usize> = HashMap::new();
        let mut called = |event: &Event| {
            let function = execution.paths.functions(event.path).last().copied();
            let bit = event.bit.map(|bit| bit.nr);
            let name = (event.task, event.action.is_note(), event.primitive, event.name, bit);
            let name = hash_of(&(name, function));
            *counts.entry(name).or_default() += 1;
            name
        };
        let names: Vec<u64> = execution.events.iter().map(&mut called).collect();
        names.iter().map(|name| counts[name]).collect()
    }
}

fn spell(execution: &Execution<'_>) -> Counterexample {
    let nothing = Finding { rule: Rule(""), message: String::new(), event: None };
    Counterexample::new(execution, &nothing)
}

impl Monitor for Gather {
    fn execution(&mut self, _: &Execution<'_>) -> Option<Finding> {
        None
    }

    fn concluded(&mut self, execution: &Execution<'_>, finding: Option<&Finding>) {
        let fails = match finding {
            Some(Finding { rule: Rule(rule), .. }) if *rule != self.rule => return,
            finding => finding.is_some(),
        };
        let keys = keys(&mut self.hashes, execution);
        self.name_steps(execution, &keys);
        self.pairs(execution, &keys, fails);
        if fails {
            self.ends(execution, &keys);
        }
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Gather::new(self.rule.clone()))
    }

    fn take_over(&mut self, later: Box<dyn Monitor>) {
        self.add(taken::<Gather>(later));
    }
}
