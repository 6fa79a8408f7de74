//! The search as a scheduler of shuttle's.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

use crate::driver::{Driver, Point, Strategy, drive};
use crate::explore::{Explore, explored};
use crate::table::Known;
use crate::{Counts, End, Observer, Op, Step};

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
pub struct Results(Rc<RefCell<Seen>>);

#[derive(Default)]
struct Seen {
    counts: Counts,
    /// Hashes of the traces, if they are remembered.
    traces: Option<HashSet<u64>>,
}

impl Results {
    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        self.0.borrow().counts
    }

    /// [`Counts::executions`]
    pub fn executions(&self) -> u64 {
        self.counts().executions
    }

    /// [`Counts::sleep_set_blocked`]
    pub fn sleep_set_blocked(&self) -> u64 {
        self.counts().sleep_set_blocked
    }

    /// [`Counts::repeated_traces`]
    pub fn repeated_traces(&self) -> u64 {
        self.counts().repeated_traces
    }

    /// [`Counts::complete`]
    pub fn complete(&self) -> bool {
        self.counts().complete
    }

    /// [`Counts::given_up`]
    pub fn given_up(&self) -> u64 {
        self.counts().given_up
    }

    /// [`Counts::estimate`]
    pub fn estimate(&self) -> Option<f64> {
        self.counts().estimate()
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
        let counts = &mut self.results.0.borrow_mut().counts;
        counts.complete |= !goes_on && counts.given_up == 0;
        goes_on
    }

    fn known(&mut self) -> Vec<Known> {
        self.explore.take_known()
    }

    fn in_common(&self) -> usize {
        self.explore.in_common()
    }

    fn keep_known(&mut self, known: Vec<Known>) {
        self.explore.keep_known(known);
    }

    fn followed(&mut self, steps: usize) {
        self.explore.followed(steps);
    }

    fn favourite(&mut self, last: usize) -> Option<usize> {
        self.explore.favourite(last)
    }

    fn goes_on(&mut self, task: usize, op: &Op) -> bool {
        self.explore.goes_on(task, op)
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        self.explore.decide(point)
    }

    fn ended(&mut self, end: &End, _: &[Step]) {
        self.explore.ended(end);
        let Seen { counts, traces } = &mut *self.results.0.borrow_mut();
        counts.record(&self.explore, end);
        counts.explored = explored(&self.explore.frames);
        if self.explore.begins_anew {
            traces.iter_mut().for_each(HashSet::clear);
        } else if let Some(traces) = traces
            && !self.explore.is_redundant
            && !traces.insert(self.explore.trace_hash())
        {
            counts.repeated_traces += 1;
        }
    }
}
