//! One search by several processes, which give each other what they found in parts of it.
//!
//! What came of a part is the same whoever has searched it, so that it is taken from where it is
//! found first. That holds for processes of one build which explore one scenario within the same
//! bounds; who makes an [`Exchange`] sees to it that no others meet there.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dpor::{Others, Searched};
use selvedge_trace::{Counterexample, Rule, interned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tally::{Monitors, Seen, Tally, others};
use crate::verdict::Cut;
use crate::{Bounds, Violation};

/// Where processes put what they have found, and find what others have.
pub trait Exchange: Send + Sync {
    /// Should this process search the part of this number, if all take part?
    fn is_mine(&self, part: usize) -> bool;

    /// The text of this name, whole and as it was put; `None` if there is none.
    fn get(&self, name: &str) -> Option<String>;

    /// Keeps a text under a name. That it cannot be kept is no reason to stop.
    fn put(&self, name: &str, text: &str);
}

/// A search that is shared.
pub(crate) struct Sharing {
    exchange: Arc<dyn Exchange>,
    bounds: Bounds,
    started: Instant,
    /// Monitors of the kinds that look at the search.
    kinds: Monitors,
    /// Why there was no time to wait for others.
    pub(crate) cut: Arc<Mutex<Option<Cut>>>,
}

impl Sharing {
    /// The search within these bounds, if it is to be shared, and these monitors can be.
    pub(crate) fn of(bounds: &Bounds, started: Instant, monitors: &Monitors) -> Option<Sharing> {
        let exchange = bounds.exchange.clone()?;
        let kinds = others(monitors);
        let can_be = kinds.iter().all(|monitor| monitor.kept().is_some());
        let (bounds, cut) = (bounds.clone(), Arc::default());
        can_be.then_some(Sharing { exchange, bounds, started, kinds, cut })
    }

    fn name(&self, round: u64, part: usize) -> String {
        let what = if self.bounds.keep_going { "all" } else { "first" };
        format!("{what}-{round}-{part}")
    }
}

impl Others<Seen> for Sharing {
    fn is_mine(&self, part: usize) -> bool {
        self.exchange.is_mine(part)
    }

    fn get(&mut self, round: u64, part: usize) -> Option<(Searched, Seen)> {
        let text = self.exchange.get(&self.name(round, part))?;
        let mut reader = serde_json::Deserializer::from_str(&text);
        // What is planned is as deep as an execution is long.
        reader.disable_recursion_limit();
        let stored = Stored::deserialize(&mut reader).ok()?;
        Some((stored.searched, stored.seen.restore(&self.kinds)?))
    }

    fn put(&mut self, round: u64, part: usize, searched: &Searched, seen: &Seen) {
        let Some(seen) = StoredSeen::of(seen) else { return };
        // As `Stored`, of which one is not made of borrowed parts.
        let (searched, seen) = (serde_json::to_string(searched), serde_json::to_string(&seen));
        let (Ok(searched), Ok(seen)) = (searched, seen) else { return };
        let mut text = String::with_capacity(searched.len() + seen.len() + 32);
        let _ = write!(text, "{{\"searched\":{searched},\"seen\":{seen}}}");
        self.exchange.put(&self.name(round, part), &text);
    }

    fn is_over(&mut self) -> bool {
        let out_of_time = || {
            let max = self.bounds.time_max.filter(|&max| self.started.elapsed() >= max);
            max.map(Cut::Time)
        };
        let cut = self.bounds.is_interrupted().then_some(Cut::Interrupted).or_else(out_of_time);
        let is_over = cut.is_some();
        if is_over {
            *self.cut.lock().expect("not poisoned") = cut;
        }
        is_over
    }
}

#[derive(Deserialize)]
struct Stored {
    searched: Searched,
    seen: StoredSeen,
}

/// [`Seen`] in a part that was searched to its end, or up to a violation.
#[derive(Serialize, Deserialize)]
struct StoredSeen {
    executions: u64,
    steps_max: usize,
    reached: Vec<String>,
    counterexample: Option<Counterexample>,
    exceeded: Option<String>,
    violations: Vec<StoredViolation>,
    edits_used: u64,
    monitors: Vec<Value>,
    is_violated: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredViolation {
    rule: String,
    location: String,
    message: String,
    executions: u64,
}

impl StoredSeen {
    /// `None`: it depends on where and when it was seen, or ends the search for a reason that
    /// whoever comes to it finds out by itself.
    fn of(seen: &Seen) -> Option<StoredSeen> {
        let is_violated = match seen.cut {
            None => false,
            Some(Cut::Violation) => true,
            Some(_) => return None,
        };
        let tally = &seen.tally;
        let violations = tally.violations.iter().map(|found| StoredViolation {
            rule: found.rule.0.into(),
            location: found.location.clone(),
            message: found.message.clone(),
            executions: found.executions,
        });
        Some(StoredSeen {
            executions: tally.executions,
            steps_max: tally.steps_max,
            reached: tally.reached.iter().map(|state| state.to_string()).collect(),
            counterexample: tally.counterexample.clone(),
            exceeded: tally.exceeded.clone(),
            violations: violations.collect(),
            edits_used: tally.edits.1,
            monitors: seen.monitors.iter().map(|m| m.kept()).collect::<Option<_>>()?,
            is_violated,
        })
    }

    /// The same, for monitors of these kinds.
    fn restore(self, kinds: &Monitors) -> Option<Seen> {
        let mut monitors = others(kinds);
        let is_restored = monitors.len() == self.monitors.len()
            && monitors.iter_mut().zip(self.monitors).all(|(monitor, kept)| monitor.restore(kept));
        let violation = |found: StoredViolation| Violation {
            rule: Rule(interned(found.rule)),
            location: found.location,
            message: found.message,
            executions: found.executions,
        };
        let tally = Tally {
            executions: self.executions,
            steps_max: self.steps_max,
            reached: self.reached.into_iter().map(interned).collect(),
            counterexample: self.counterexample,
            exceeded: self.exceeded,
            violations: self.violations.into_iter().map(violation).collect(),
            // Which edits there are is known: everybody runs the first executions.
            edits: (&[], self.edits_used),
            states: None,
        };
        let cut = self.is_violated.then_some(Cut::Violation);
        is_restored.then(|| Seen { tally, cut, ..Seen::by(monitors) })
    }
}
