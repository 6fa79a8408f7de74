//! What a state of a scenario is, for a search that compares states ([`crate::Bounds::stateful`]).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use dpor::StateHash;
use selvedge_trace::{Action, Judges, Name};

use crate::machine::shuttle;
use crate::tally::Monitors;
use crate::{private, record};

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
    /// How many steps were compared with the same step from the same state
    /// ([`crate::Bounds::compares`]).
    pub compared: u64,
}

impl States {
    pub(crate) fn of(results: &dpor::States) -> States {
        States {
            count: results.states(),
            table_bytes: results.table_bytes(),
            collision_probability: results.collision_probability(),
            compared: results.comparisons(),
        }
    }
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
    references: BTreeMap<(u32, Name), Held>,
    /// The objects of those, and whether something was written to them since: the ledger asks of a
    /// counter that was not counted no more than that.
    counted: BTreeMap<u32, bool>,
    hidden: Vec<Hidden>,
}

/// What a holder has of an object.
#[derive(Clone, Copy, Default, Hash)]
struct Held {
    references: i64,
    /// Is the latest of them main's doing, that is: was it there from the beginning?
    since_the_beginning: bool,
}

impl Shared {
    pub(crate) fn forget(&mut self) {
        self.references.clear();
        self.counted.clear();
        self.hidden.clear();
    }

    pub(crate) fn book(&mut self, task: usize, object: u32, action: Action) {
        let mut change = |holder: Name, by: i64| {
            self.counted.entry(object).or_default();
            let held = self.references.entry((object, holder)).or_default();
            held.references += by;
            if by > 0 {
                held.since_the_beginning = task == 0;
            }
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

    /// A step has done this to the object.
    pub(crate) fn took(&mut self, object: u32, action: Action) {
        let writes = matches!(action, Action::Write | Action::PlainWrite | Action::Update);
        if let Some(counted) = self.counted.get_mut(&object).filter(|_| writes) {
            *counted = true;
        }
    }
}

/// Adds to the state what `hash` puts into the hasher. For a scenario that keeps something outside
/// of words, locks, tokens, [`crate::Private`] and [`crate::Own`] that tasks share: to be called
/// while the scenario is set up. Without it a search over states would take different states for
/// one.
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

/// The same, of what has a hash of 128 bits.
pub(crate) fn observe_all(hash: u128) {
    observe(hash as u64);
    observe((hash >> 64) as u64);
}

/// What monitors make of the execution so far, if that determines what they will find.
pub(crate) fn of_monitors(monitors: Monitors) -> impl Fn(&mut StateHash) {
    let asked = monitors.into_iter().filter(|monitor| monitor.judges() == Judges::SoFar);
    let asked: RefCell<Monitors> = RefCell::new(asked.collect());
    move |hash| {
        record::with(|record| {
            let mut asked = asked.borrow_mut();
            record.so_far(|execution| {
                asked.iter_mut().for_each(|monitor| monitor.so_far(execution, hash));
            });
        });
    }
}

/// Hashes what tasks share, and where each is.
pub(crate) fn hash(hash: &mut StateHash) {
    shuttle::hash_words(hash);
    private::hash(hash);
    record::with(|record| {
        record.hash_places(hash);
        record.hash_put_off(hash);
        record.edits.hash_into(hash);
        let Some(shared) = &record.shared else { return };
        // A holder that has given up all it had is one that never had any.
        for held in shared.references.iter().filter(|(_, held)| held.references != 0) {
            held.hash(hash);
        }
        shared.counted.hash(hash);
        shared.hidden.iter().for_each(|part| part(hash));
    });
}
