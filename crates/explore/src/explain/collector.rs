//! Says of every execution which conditions it meets.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use selvedge_trace::{Event, Execution, Finding, Monitor, Rule};

use super::gather::Gather;
use super::orders::{Bits, Candidate, Other, keys};
use crate::record::{Hashes, Key, Past, Pasts};

/// Looks at executions.
pub(super) struct Collector {
    candidates: Vec<Candidate>,
    keys: HashMap<Key, usize>,
    rule: String,
    hashes: Hashes,
    pub(super) failing: BTreeMap<Bits, u64>,
    pub(super) passing: BTreeMap<Bits, u64>,
    pub(super) others: u64,
    /// What else may matter, if it looks for that.
    pub(super) gathered: Option<Gather>,
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

    pub(super) fn new(candidates: Vec<Candidate>, keys: Vec<Key>, rule: String) -> Collector {
        Collector {
            candidates,
            keys: keys.into_iter().enumerate().map(|(place, key)| (key, place)).collect(),
            rule,
            hashes: Hashes::default(),
            failing: BTreeMap::new(),
            passing: BTreeMap::new(),
            others: 0,
            gathered: None,
            last: None,
        }
    }

    /// Looks for what else may matter, too.
    pub(super) fn gathering(self) -> Collector {
        Collector { gathered: Some(Gather::new(self.rule.clone())), ..self }
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
        if let Some(gathered) = &mut self.gathered {
            gathered.concluded(execution, finding);
        }
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
        other.gathered = self.gathered.as_ref().map(|_| Gather::new(self.rule.clone()));
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
        if let (Some(gathered), Some(later)) = (&mut self.gathered, later.gathered) {
            gathered.add(later);
        }
    }
}
