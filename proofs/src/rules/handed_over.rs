//! What one task has done before it lets go of something, whoever has it next must see: a reference
//! to a folio, a lock bit, a folio that can be found.
//!
//! Every scenario is checked by these rules, whatever it is about, under the kernel's own memory
//! model; where all CPUs see one order of all steps there is nothing to be missed. What is looked
//! for is *happens-before* (the clocks of [`Races`](selvedge_monitors::Races)), and not a value: a
//! scenario need not have a word that tells an old folio from a new one. What a dependency alone
//! orders those clocks do not know: a tree that relies on one here is alarmed about wrongly.

use selvedge_models::{BH_LOCK, PG_LOCKED};
use selvedge_monitors::Clocks;
use selvedge_trace::{Action, Event, Execution, Finding, Monitor, Rule};
use serde_json::Value;

use super::Ids;

/// What a reference is for. `refcount_t` says the same of its decrement; Documentation/atomic_t.txt
/// has folio counts as its value-returning updates, which are full barriers.
pub const USES_END_BEFORE_THE_FREE: Rule =
    Rule("all uses of a folio by its reference come before it is freed or frozen");
/// What a lock is.
pub const A_LOCK_ORDERS_ITS_SECTIONS: Rule =
    Rule("who locks a folio or a buffer sees what its last holder did");
/// What the release is for by which a folio is shown.
pub const WHAT_IS_FOUND_IS_READY: Rule =
    Rule("who finds a folio sees what was done to it before it could be found");

pub(super) const IDS_OF_HANDING_OVER: Ids = &[
    ("uses-before-free", USES_END_BEFORE_THE_FREE),
    ("lock-orders", A_LOCK_ORDERS_ITS_SECTIONS),
    ("found-ready", WHAT_IS_FOUND_IS_READY),
];

/// The monitor of these rules.
pub(crate) struct HandedOver;

impl Monitor for HandedOver {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(HandedOver)
    }

    // From one execution to the next it keeps nothing.
    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut seen = Seen { clocks: Clocks::of(execution), ..Seen::default() };
        execution.events.iter().enumerate().find_map(|(index, event)| {
            let (rule, missed) = seen.take(execution, index, event)?;
            let earlier = &execution.events[missed.event];
            let within = execution.paths.innermost(earlier.path).unwrap_or("the scenario");
            let message = format!(
                "{}: {}() in {within}(), step {}, is not ordered before this",
                event.name, earlier.primitive, missed.event,
            );
            Some(Finding { rule, message, event: Some(index) })
        })
    }
}

/// A step of a task: its number in the task, and its index in the execution.
#[derive(Clone, Copy, Default)]
struct Step {
    task: u8,
    number: u32,
    event: usize,
}

/// A map of few keys, of which there is one for each execution.
struct Few<K, V>(Vec<(K, V)>);

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Few(Vec::new())
    }
}

impl<K: PartialEq, V: Copy> Few<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.0.iter().find(|(other, _)| other == key).map(|(_, value)| *value)
    }

    fn insert(&mut self, key: K, value: V) {
        match self.0.iter_mut().find(|(other, _)| *other == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.0.iter().position(|(other, _)| other == key)?;
        Some(self.0.swap_remove(at).1)
    }
}

#[derive(Default)]
struct Seen {
    clocks: Clocks,
    /// By folio and task, its last step on a word of the folio.
    used: Few<(u8, u8), Step>,
    /// The same, before it last lowered the count.
    put: Few<(u8, u8), Step>,
    /// By word and lock bit, the last unlock.
    unlocked: Few<(u32, u64), Step>,
    /// By folio, what was last done to it before its count was unfrozen.
    unfrozen: Few<u8, Step>,
    /// By slot of the page cache and value, what was last done to that folio before it was stored
    /// there.
    stored: Few<(u32, u64), Step>,
    /// By task, the slot's value for which a lookup has taken a reference.
    found: Few<u8, u64>,
}

impl Seen {
    /// Takes an event. Returns the rule that it breaks, if it does, and the step that it misses.
    fn take(
        &mut self,
        execution: &Execution<'_>,
        index: usize,
        event: &Event,
    ) -> Option<(Rule, Step)> {
        if let Action::Get(_) = event.action
            && let Some(folio) = event.name.index
            && execution.paths.innermost(event.path) == Some("filemap_get_entry")
        {
            self.found.insert(event.task, u64::from(folio) + 1);
        }
        if event.action.is_note() {
            return None;
        }
        self.clocks.take(index, event);
        let now = Step { task: event.task, number: self.clocks.number(event.task), event: index };
        let missed = match event.name.text {
            "folio->_refcount" => self.count(event),
            "folio->flags" => self.lock(event, PG_LOCKED.mask(), now),
            "bh->b_state" => self.lock(event, BH_LOCK.mask(), now),
            "i_pages" => self.slot(event),
            _ => None,
        };
        // `folio->flags`, `folio_test_large(folio)`
        if let Some(folio) = event.name.index.filter(|_| event.name.text.starts_with("folio")) {
            self.used.insert((folio, event.task), now);
        }
        missed
    }

    /// Somebody else's step that does not happen before this one of `event`'s task.
    fn is_missed(&self, event: &Event, step: &Step) -> bool {
        step.task != event.task && !self.clocks.knows(event.task, (step.task, step.number))
    }

    fn count(&mut self, event: &Event) -> Option<(Rule, Step)> {
        let folio = event.name.index?;
        let last = self.used.get(&(folio, event.task));
        match (event.action, event.primitive) {
            (Action::Update, "atomic_inc_not_zero") => {
                let thawed = self.unfrozen.get(&folio)?;
                let is_missed = self.is_missed(event, &thawed);
                is_missed.then_some((WHAT_IS_FOUND_IS_READY, thawed))
            }
            (Action::Update, _) if event.new == 0 => {
                let puts = self.put.0.iter().filter(|((of, _), _)| *of == folio);
                let missed = puts.filter(|(_, step)| self.is_missed(event, step));
                let (_, first) = missed.min_by_key(|(key, _)| *key)?;
                Some((USES_END_BEFORE_THE_FREE, *first))
            }
            (Action::Update, _) if (event.new as i64) < event.old as i64 => {
                self.put.insert((folio, event.task), last?);
                None
            }
            (Action::Write, "atomic_set_release") => {
                self.unfrozen.insert(folio, last?);
                None
            }
            // A new folio: its allocator shows it to nobody.
            (Action::Write, _) => {
                self.unfrozen.remove(&folio);
                None
            }
            _ => None,
        }
    }

    fn lock(&mut self, event: &Event, bit: u64, now: Step) -> Option<(Rule, Step)> {
        let (was_locked, is_locked) = (event.old & bit != 0, event.new & bit != 0);
        if was_locked && !is_locked {
            self.unlocked.insert((event.object, bit), now);
        }
        if event.action != Action::Update || was_locked || !is_locked {
            return None;
        }
        let last = self.unlocked.get(&(event.object, bit))?;
        self.is_missed(event, &last).then_some((A_LOCK_ORDERS_ITS_SECTIONS, last))
    }

    fn slot(&mut self, event: &Event) -> Option<(Rule, Step)> {
        if event.action == Action::Write {
            let folio = u8::try_from(event.new.checked_sub(1)?).ok()?;
            let last = self.used.get(&(folio, event.task))?;
            self.stored.insert((event.object, event.new), last);
            return None;
        }
        // The second look of a lookup, which says that it has found the folio. What a stale one
        // has read from is not known.
        let found = self.found.remove(&event.task)?;
        if event.stale || event.old != found {
            return None;
        }
        let last = self.stored.get(&(event.object, found))?;
        self.is_missed(event, &last).then_some((WHAT_IS_FOUND_IS_READY, last))
    }
}
