//! Depth-first search that goes on from every state once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

use crate::dfs::Search;
use crate::driver::{Driver, Point, Strategy, drive};
use crate::fingerprint::{Half, StateHash};
use crate::table;
use crate::{End, Observer, Step};

/// Depth-first search over all schedules, in which nothing is tried after a state that was there
/// before: an execution that comes to one runs to its end by any schedule. Used *instead of*
/// [`crate::Dpor`], for programs that have few states for their many orders of steps: tasks that
/// contend for one word.
///
/// A coroutine's stack cannot be looked at, but a task's local state is a function of what the task
/// has observed. So a state is
/// - the step that each task has announced;
/// - what each task has observed since it was spawned, or since it was last at rest
///   ([`crate::observe`], [`crate::at_rest`]), and how many steps it has taken since;
/// - who holds which lock, and which tokens are set;
/// - what the caller's `shared` puts into the hash: *everything* else that tasks share.
///
/// It is independent of the partial order reduction: pruning an execution of DPOR's at a known
/// state would lose the races between its beginning and what follows that state (Yang, Chen,
/// Gopalakrishnan, Kirby: SPIN 2008). Here no schedule is left out but those that begin at a state
/// from which all have been tried.
///
/// # What is guaranteed
///
/// If the search ends by itself ([`States::complete`]), every reachable state was visited, hence
/// every final state and every deadlock, under the assumptions of [`crate::Dpor`], and if
/// - `shared` and the observations say all that they should. That a task says something after each
///   read is checked; what it says is not;
/// - no two states have the same hash of 128 bits ([`States::collision_probability`]).
///
/// What depends on the way by which a state was reached is not preserved: an observer that judges
/// the history of an execution sees only one of the histories of each state.
pub struct Stateful {
    driver: Driver<Visit>,
    results: States,
}

drive!(Scheduler for Stateful);

impl Stateful {
    /// Visits every state once, and gives up executions of more than `steps_max` steps. `shared`
    /// hashes what tasks share; it is called between steps, on the thread that explores.
    pub fn new(
        observer: Box<dyn Observer>,
        steps_max: usize,
        shared: impl Fn(&mut StateHash) + 'static,
    ) -> Stateful {
        let results = States::default();
        let strategy = Visit {
            search: Search::default(),
            beyond: None,
            shared: Box::new(shared),
            visited: HashSet::default(),
            results: results.clone(),
        };
        Stateful { driver: Driver::new(strategy, observer, steps_max), results }
    }

    /// What the search has come to; can be asked while it runs and when it is over.
    pub fn results(&self) -> States {
        self.results.clone()
    }
}

/// How far a search over states is.
#[derive(Clone, Default)]
pub struct States(Rc<RefCell<Counts>>);

#[derive(Default)]
struct Counts {
    states: u64,
    executions: u64,
    given_up: u64,
    complete: bool,
    table_bytes: usize,
}

impl States {
    /// States visited, those in which an execution ends not counted.
    pub fn states(&self) -> u64 {
        self.0.borrow().states
    }

    /// Executions so far, those that came to a known state included.
    pub fn executions(&self) -> u64 {
        self.0.borrow().executions
    }

    /// Has the search ended by itself, without giving up an execution before its end?
    pub fn complete(&self) -> bool {
        let counts = self.0.borrow();
        counts.complete && counts.given_up == 0
    }

    /// Executions that were given up: they took too many steps, or the program abandoned them.
    pub fn given_up(&self) -> u64 {
        self.0.borrow().given_up
    }

    /// The size of the table of states in bytes, the hash table's own bookkeeping not counted.
    pub fn table_bytes(&self) -> usize {
        self.0.borrow().table_bytes
    }

    /// An upper bound on the probability that any two of the states visited have the same hash, so
    /// that what follows one of them may have been missed: n (n - 1) / 2^129 for n states.
    pub fn collision_probability(&self) -> f64 {
        let n = self.states() as f64;
        n * (n - 1.0).max(0.0) / 2f64.powi(129)
    }
}

/// How many steps an execution may take beyond a known state. To let a short program end costs less
/// than to tear it down, which throws away the stacks of its tasks, and what these own.
const BEYOND_MAX: usize = 500;

struct Visit {
    search: Search,
    /// How many steps the current execution has taken since it came to a known state.
    beyond: Option<usize>,
    shared: Box<dyn Fn(&mut StateHash)>,
    visited: HashSet<u128, BuildHasherDefault<Half>>,
    results: States,
}

impl Visit {
    fn state(&self) -> u128 {
        let mut hash = StateHash::new();
        table::with(|table| table.hash_into(&mut hash));
        (self.shared)(&mut hash);
        hash.finish128()
    }
}

impl Visit {
    /// The next task in turn: a task that waits for another in a loop does not go on for ever.
    fn go_beyond(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        let taken = self.beyond.get_or_insert(0);
        *taken += 1;
        if *taken > BEYOND_MAX {
            return Err(End::Visited);
        }
        let next = point.enabled.iter().find(|&&(task, _)| task > point.last);
        let &(task, _) = next.unwrap_or(&point.enabled[0]);
        Ok((task, 0))
    }
}

impl Strategy for Visit {
    const COMPARES_STATES: bool = true;

    fn begin(&mut self) -> bool {
        self.beyond = None;
        let goes_on = self.search.begin();
        self.results.0.borrow_mut().complete = !goes_on;
        goes_on
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        if self.beyond.is_none() && self.search.is_at_new_point() {
            if !self.visited.insert(self.state()) {
                return self.go_beyond(point);
            }
            let mut counts = self.results.0.borrow_mut();
            counts.states = self.visited.len() as u64;
            counts.table_bytes = self.visited.capacity() * size_of::<u128>();
        }
        if self.beyond.is_some() { self.go_beyond(point) } else { self.search.decide(point) }
    }

    fn ended(&mut self, end: &End, schedule: &[Step]) {
        let mut counts = self.results.0.borrow_mut();
        counts.executions += 1;
        counts.given_up += u64::from(matches!(end, End::StepLimit | End::Abandoned));
        drop(counts);
        self.search.ended(end, schedule);
    }
}
