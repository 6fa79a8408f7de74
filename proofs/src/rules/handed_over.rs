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
#[derive(Default)]
pub(crate) struct HandedOver {
    seen: Seen,
    /// With how many events the next execution begins as the last.
    alike: usize,
}

impl Monitor for HandedOver {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<HandedOver>::default()
    }

    // From one execution to the next it keeps nothing but what it knows of their beginning.
    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn begins_alike(&mut self, events: usize) {
        self.alike = events;
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let seen = &mut self.seen;
        let first = seen.begin(execution, std::mem::take(&mut self.alike));
        execution.events.iter().enumerate().skip(first).find_map(|(index, event)| {
            let (rule, missed) = seen.take(execution, index, event)?;
            // It is found again in an execution that begins so.
            seen.take_back(index);
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

/// A map of few keys. What an event has changed can be taken back.
struct Few<K, V> {
    all: Vec<(K, Option<V>)>,
    /// Which event has changed which entry, and what that was before; `None`: it was not there.
    changed: Vec<(usize, usize, Option<Option<V>>)>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Few { all: Vec::new(), changed: Vec::new() }
    }
}

impl<K: PartialEq, V: Copy> Few<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.all.iter().find(|(other, _)| other == key).and_then(|(_, value)| *value)
    }

    fn set(&mut self, event: usize, key: K, value: Option<V>) {
        match self.all.iter().position(|(other, _)| *other == key) {
            Some(at) => {
                let old = std::mem::replace(&mut self.all[at].1, value);
                self.changed.push((event, at, Some(old)));
            }
            None => {
                self.changed.push((event, self.all.len(), None));
                self.all.push((key, value));
            }
        }
    }

    fn insert(&mut self, event: usize, key: K, value: V) {
        self.set(event, key, Some(value));
    }

    fn remove(&mut self, event: usize, key: K) -> Option<V> {
        let old = self.get(&key)?;
        self.set(event, key, None);
        Some(old)
    }

    /// Takes back what was changed from this event on.
    fn take_back(&mut self, first: usize) {
        while let Some((_, at, old)) = self.changed.pop_if(|(event, ..)| *event >= first) {
            match old {
                Some(old) => self.all[at].1 = old,
                None => _ = self.all.pop(),
            }
        }
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
    /// Begins an execution with so many events of the last one. Returns how many are taken already.
    fn begin(&mut self, execution: &Execution<'_>, alike: usize) -> usize {
        let known = self.clocks.begin(execution, alike);
        self.take_back(known);
        known
    }

    /// Takes events back, from this one on.
    fn take_back(&mut self, first: usize) {
        self.clocks.take_back(first);
        self.used.take_back(first);
        self.put.take_back(first);
        self.unlocked.take_back(first);
        self.unfrozen.take_back(first);
        self.stored.take_back(first);
        self.found.take_back(first);
    }

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
            self.found.insert(index, event.task, u64::from(folio) + 1);
        }
        self.clocks.take(index, event);
        if event.action.is_note() {
            return None;
        }
        let now = Step { task: event.task, number: self.clocks.number(event.task), event: index };
        let missed = match event.name.text {
            "folio->_refcount" => self.count(index, event),
            "folio->flags" => self.lock(event, PG_LOCKED.mask(), now),
            "bh->b_state" => self.lock(event, BH_LOCK.mask(), now),
            "i_pages" => self.slot(index, event),
            _ => None,
        };
        // `folio->flags`, `folio_test_large(folio)`
        if let Some(folio) = event.name.index.filter(|_| event.name.text.starts_with("folio")) {
            self.used.insert(index, (folio, event.task), now);
        }
        missed
    }

    /// Somebody else's step that does not happen before this one of `event`'s task.
    fn is_missed(&self, event: &Event, step: &Step) -> bool {
        step.task != event.task && !self.clocks.knows(event.task, (step.task, step.number))
    }

    fn count(&mut self, index: usize, event: &Event) -> Option<(Rule, Step)> {
        let folio = event.name.index?;
        let last = self.used.get(&(folio, event.task));
        match (event.action, event.primitive) {
            (Action::Update, "atomic_inc_not_zero") => {
                let thawed = self.unfrozen.get(&folio)?;
                let is_missed = self.is_missed(event, &thawed);
                is_missed.then_some((WHAT_IS_FOUND_IS_READY, thawed))
            }
            (Action::Update, _) if event.new == 0 => {
                let puts = self.put.all.iter().filter(|((of, _), _)| *of == folio);
                let puts = puts.filter_map(|(key, step)| Some((key, (*step)?)));
                let missed = puts.filter(|(_, step)| self.is_missed(event, step));
                let (_, first) = missed.min_by_key(|(key, _)| *key)?;
                Some((USES_END_BEFORE_THE_FREE, first))
            }
            (Action::Update, _) if (event.new as i64) < event.old as i64 => {
                self.put.insert(index, (folio, event.task), last?);
                None
            }
            (Action::Write, "atomic_set_release") => {
                self.unfrozen.insert(index, folio, last?);
                None
            }
            // A new folio: its allocator shows it to nobody.
            (Action::Write, _) => {
                self.unfrozen.remove(index, folio);
                None
            }
            _ => None,
        }
    }

    fn lock(&mut self, event: &Event, bit: u64, now: Step) -> Option<(Rule, Step)> {
        let (was_locked, is_locked) = (event.old & bit != 0, event.new & bit != 0);
        if was_locked && !is_locked {
            self.unlocked.insert(now.event, (event.object, bit), now);
        }
        if event.action != Action::Update || was_locked || !is_locked {
            return None;
        }
        let last = self.unlocked.get(&(event.object, bit))?;
        self.is_missed(event, &last).then_some((A_LOCK_ORDERS_ITS_SECTIONS, last))
    }

    fn slot(&mut self, index: usize, event: &Event) -> Option<(Rule, Step)> {
        if event.action == Action::Write {
            let folio = u8::try_from(event.new.checked_sub(1)?).ok()?;
            let last = self.used.get(&(folio, event.task))?;
            self.stored.insert(index, (event.object, event.new), last);
            return None;
        }
        // The second look of a lookup, which says that it has found the folio. What a stale one
        // has read from is not known.
        let found = self.found.remove(index, event.task)?;
        if event.stale || event.old != found {
            return None;
        }
        let last = self.stored.get(&(event.object, found))?;
        self.is_missed(event, &last).then_some((WHAT_IS_FOUND_IS_READY, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selvedge_trace::{End, Name, Order, Paths, TaskInfo};

    /// Executions that begin as the one before did, up to some event, and go on otherwise.
    #[test]
    fn who_goes_on_where_two_executions_part_finds_what_he_finds_from_the_beginning() {
        let mut paths = Paths::default();
        let lookup = paths.enter(selvedge_trace::PathId::ROOT, "filemap_get_entry");
        let mut state = 1_u64;
        let mut below = |limit: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) % limit
        };
        let names = ["folio->_refcount", "folio->flags", "bh->b_state", "i_pages", "folio->index"];
        let primitives = ["atomic_inc_not_zero", "atomic_set_release", "atomic_dec_and_test"];
        let actions = [Action::Update, Action::Write, Action::Read, Action::Lock, Action::Unlock];
        let orders = [Order::Relaxed, Order::Acquire, Order::Release, Order::Full];
        let tasks: Vec<TaskInfo> = Vec::new();
        let (mut goes_on, mut found) = (HandedOver::default(), [0, 0]);
        let mut events = Vec::new();
        for _ in 0..8_000 {
            let alike = below(events.len() as u64 + 1) as usize;
            events.truncate(alike);
            for _ in 0..below(16) {
                let (word, folio) = (below(5), below(2));
                let action = match below(8) {
                    0 => Action::Get(Name::new("lookup")),
                    n => actions[n as usize % 5],
                };
                events.push(Event {
                    name: Name::new(names[word as usize]).nth(folio as usize),
                    primitive: primitives[below(3) as usize],
                    order: orders[below(4) as usize],
                    old: below(3),
                    new: below(3),
                    path: lookup,
                    ..Event::of(below(3) as u8, action, (2 * word + folio) as u32)
                });
            }
            let end = End::Stopped;
            let shown = Execution { events: &events, paths: &paths, tasks: &tasks, end: &end };
            goes_on.begins_alike(alike);
            let finding = goes_on.execution(&shown);
            assert_eq!(finding, HandedOver::default().execution(&shown));
            found[usize::from(finding.is_some())] += 1;
        }
        assert!(found.iter().all(|&times| times > 100), "{found:?}: both happen");
    }
}
