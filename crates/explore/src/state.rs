//! What a state of a scenario is, for a search that compares states ([`crate::Bounds::stateful`]).

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use dpor::StateHash;
use selvedge_trace::{Action, Name};

use crate::machine::shuttle;
use crate::record;

type Hidden = Box<dyn Fn(&mut dyn Hasher)>;

/// How many states a search has told apart.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct States {
    /// How many.
    pub count: u64,
    /// The size of the table of their hashes, in bytes.
    pub table_bytes: usize,
    /// An upper bound on the probability that two of them were taken for one, and something was
    /// missed.
    pub collision_probability: f64,
}

impl fmt::Display for States {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, kib, probability) =
            (self.count, self.table_bytes.div_ceil(1024), self.collision_probability);
        write!(
            f,
            "{count} states in {kib} KiB; two taken for one: probability <= {probability:.0e}"
        )
    }
}

/// What tasks share besides words, locks and tokens.
#[derive(Default)]
pub(crate) struct Shared {
    /// How many references to each object each holder holds: what the ledger will have booked.
    references: BTreeMap<(u32, Name), i64>,
    hidden: Vec<Hidden>,
}

impl Shared {
    pub(crate) fn forget(&mut self) {
        self.references.clear();
        self.hidden.clear();
    }

    pub(crate) fn book(&mut self, object: u32, action: Action) {
        let mut change = |holder: Name, by: i64| {
            *self.references.entry((object, holder)).or_default() += by;
        };
        match action {
            Action::Get(holder) => change(holder, 1),
            Action::Put(holder) => change(holder, -1),
            Action::Hand(from, to) => {
                change(from, -1);
                change(to, 1);
            }
            _ => {}
        }
    }
}

/// Adds to the state what `hash` puts into the hasher. For a scenario that keeps something outside
/// of words, locks and tokens that tasks share (a list behind a lock): to be called while the
/// scenario is set up. Without it a search over states would take different states for one.
pub fn shared_state(hash: impl Fn(&mut dyn Hasher) + 'static) {
    record::with(|record| {
        if let Some(shared) = &mut record.shared {
            shared.hidden.push(Box::new(hash));
        }
    });
}

/// Says that the current task is at this point of its program and that no local variable of it is
/// live: what it will do does not depend on what it has read so far. Between two kernel calls of a
/// scenario's task, for instance. Makes a search over states find equal states; means nothing to
/// any other.
pub fn at_rest(position: u64) {
    dpor::at_rest(position);
}

/// Says what the current task has looked at without taking a step.
pub(crate) fn observe(value: u64) {
    dpor::observe(value);
}

/// Hashes what tasks share, and where each is.
pub(crate) fn hash(hash: &mut StateHash) {
    shuttle::hash_words(hash);
    record::with(|record| {
        record.hash_places(hash);
        let Some(shared) = &record.shared else { return };
        // A holder that has given up all it had is one that never had any.
        for held in shared.references.iter().filter(|(_, count)| **count != 0) {
            held.hash(hash);
        }
        shared.hidden.iter().for_each(|part| part(hash));
    });
}
