//! The search as a scheduler of shuttle's.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

use crate::driver::{Driver, Point, Strategy, drive};
use crate::explore::{Explore, explored};
use crate::{End, Observer, Step};

/// The optimal-DPOR scheduler.
pub struct Dpor {
    driver: Driver<Whole>,
    results: Results,
}

impl Dpor {
    /// Visits every execution once, and gives up those of more than `steps_max` steps.
    pub fn new(observer: Box<dyn Observer>, steps_max: usize) -> Dpor {
        let results = Results::default();
        let whole = Whole { explore: Explore::default(), results: results.clone() };
        Dpor { driver: Driver::new(whole, observer, steps_max), results }
    }

    /// Remembers a hash of every trace, so that [`Results::repeated_traces`] can tell. For tests:
    /// the memory grows with the number of executions.
    pub fn remembering_traces(self) -> Dpor {
        self.results.0.borrow_mut().traces = Some(HashSet::new());
        self
    }

    /// What the search has come to; can be asked while it runs and when it is over.
    pub fn results(&self) -> Results {
        self.results.clone()
    }
}

drive!(Scheduler for Dpor);

/// How far a search is.
#[derive(Clone, Default)]
pub struct Results(Rc<RefCell<Counts>>);

#[derive(Default)]
struct Counts {
    executions: u64,
    sleep_set_blocked: u64,
    complete: bool,
    given_up: u64,
    explored: f64,
    traces: Option<HashSet<u64>>,
    repeated_traces: u64,
}

impl Results {
    /// Executions so far.
    pub fn executions(&self) -> u64 {
        self.0.borrow().executions
    }

    /// Executions that turned out to be redundant: none but in the two cases that the crate's
    /// documentation names. They are not counted among [`Results::executions`].
    pub fn sleep_set_blocked(&self) -> u64 {
        self.0.borrow().sleep_set_blocked
    }

    /// Executions that were the same as an earlier one, but for the order of independent steps;
    /// counted only if the scheduler remembers traces.
    pub fn repeated_traces(&self) -> u64 {
        self.0.borrow().repeated_traces
    }

    /// Has the search ended by itself, without giving up an execution before its end? An execution
    /// that is given up shows only the races of the steps that it took.
    pub fn complete(&self) -> bool {
        let counts = self.0.borrow();
        counts.complete && counts.given_up == 0
    }

    /// Executions that were given up: they took too many steps, or the program abandoned them.
    pub fn given_up(&self) -> u64 {
        self.0.borrow().given_up
    }

    /// How many executions there will be, guessed from the part of the tree that has been explored,
    /// as if all branches of a point were equally large.
    pub fn estimate(&self) -> Option<f64> {
        let counts = self.0.borrow();
        (counts.explored > 0.0).then(|| counts.executions as f64 / counts.explored)
    }
}

/// The whole tree, by one search.
struct Whole {
    explore: Explore,
    results: Results,
}

impl Strategy for Whole {
    fn begin(&mut self) -> bool {
        let goes_on = self.explore.begin();
        self.results.0.borrow_mut().complete |= !goes_on;
        goes_on
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        self.explore.decide(point)
    }

    fn ended(&mut self, end: &End, _: &[Step]) {
        self.explore.ended(end);
        let mut counts = self.results.0.borrow_mut();
        counts.executions += u64::from(!self.explore.is_redundant);
        counts.sleep_set_blocked += u64::from(self.explore.is_redundant);
        counts.given_up += u64::from(matches!(end, End::StepLimit | End::Abandoned));
        counts.explored = explored(&self.explore.frames);
        if let Some(traces) = &mut counts.traces
            && !self.explore.is_redundant
            && !traces.insert(self.explore.trace_hash())
        {
            counts.repeated_traces += 1;
        }
    }
}
