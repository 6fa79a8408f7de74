//! What a migration has locked while it waits: kernel-migrate C.3.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use selvedge_trace::{Action, BitWait, Event, Execution, Finding, Judges, Monitor, Name, Rule};
use serde_json::Value;

/// A migration holds the locks of one pair of folios while it sleeps: if it waits for a buffer,
/// those of the source and its target; if for the source's writeback, that of the source; if for
/// the source's lock, that of the target at most.
pub const WAITING_MIGRATION_HOLDS_ITS_PAIR: Rule =
    Rule("a migration that waits has no folio locked but the pair that it migrates");

/// Looks at each moment at which a task within `migrate_pages()` is about to sleep on a bit. Locks
/// come in pairs there, so that their number says whether they are of one pair.
#[derive(Default)]
pub struct HeldFolios;

impl Monitor for HeldFolios {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<HeldFolios>::default()
    }

    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn judges(&self) -> Judges {
        Judges::SoFar
    }

    fn so_far(&mut self, beginning: &Execution<'_>, mut hash: &mut dyn Hasher) {
        let mut locked = BTreeMap::new();
        beginning.events.iter().for_each(|event| note(&mut locked, event));
        locked.hash(&mut hash);
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut locked: BTreeMap<u32, Locked> = BTreeMap::new();
        for (index, event) in execution.events.iter().enumerate() {
            note(&mut locked, event);
            if let Action::Awaits(wait) = event.action
                && migrates(execution, event)
            {
                let held: Vec<&Locked> =
                    locked.values().filter(|lock| lock.owner == Some(event.task)).collect();
                if !is_one_pair(&held, event, wait) {
                    return Some(finding(execution, index, &held, wait));
                }
            }
        }
        None
    }
}

/// Notes whose the locks are after this event.
fn note(locked: &mut BTreeMap<u32, Locked>, event: &Event) {
    match event.action {
        Action::Update | Action::Write => note_lock(locked, event),
        Action::Owns(mask) => {
            if let Some(lock) = locked.get_mut(&event.object) {
                lock.owner = (lock.mask & mask != 0).then_some(event.task).or(lock.owner);
            }
        }
        _ => {}
    }
}

/// A folio whose lock has been seen, and who has it.
#[derive(Hash)]
struct Locked {
    name: Name,
    object: u32,
    mask: u64,
    owner: Option<u8>,
}

fn note_lock(locked: &mut BTreeMap<u32, Locked>, event: &Event) {
    if let Some(bit) = event.bit.filter(|bit| bit.name == "PG_locked") {
        let (object, mask) = (event.object, bit.mask());
        locked.entry(object).or_insert(Locked { name: event.name, object, mask, owner: None });
    }
    if let Some(lock) = locked.get_mut(&event.object) {
        match (event.old & lock.mask != 0, event.new & lock.mask != 0) {
            // A waker may take it for a waiter, who says so when it wakes.
            (false, true) => lock.owner = (!event.in_waker).then_some(event.task),
            (true, false) => lock.owner = None,
            _ => {}
        }
    }
}

fn migrates(execution: &Execution<'_>, event: &Event) -> bool {
    execution.paths.functions(event.path).contains(&"migrate_pages")
}

fn is_one_pair(held: &[&Locked], event: &Event, wait: BitWait) -> bool {
    match wait.bit {
        "PG_locked" => held.len() <= 1,
        "PG_writeback" => held.iter().all(|lock| lock.object == event.object),
        _ => held.len() <= 2,
    }
}

fn finding(execution: &Execution<'_>, index: usize, held: &[&Locked], wait: BitWait) -> Finding {
    let event = &execution.events[index];
    let held: Vec<String> = held.iter().map(|lock| lock.name.to_string()).collect();
    let who = &execution.tasks[usize::from(event.task)].name;
    let message = format!(
        "{who} is about to sleep on {} of {}, and holds PG_locked of {}",
        wait.bit,
        event.name,
        held.join(", "),
    );
    let step = execution.events[..index].iter().rposition(|event| !event.action.is_note());
    Finding { rule: WAITING_MIGRATION_HOLDS_ITS_PAIR, message, event: step }
}
