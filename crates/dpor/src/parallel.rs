//! A search that several workers do together.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::coroutines;
use crate::driver::{Driver, Point, Strategy};
use crate::explore::{Explore, Frame};
use crate::others::{Others, PartCounts, Searched};
use crate::split::Split;
use crate::table::Known;
use crate::tree::{Found, Part, Tree};
use crate::{End, Next, Observer, Op, Step};

/// Looks at the executions that one thread of the operating system runs.
///
/// The search gives each worker parts of the tree to explore; what the worker saw in a part is
/// handed in before it gets another.
pub trait Worker: Observer + 'static {
    /// What was seen in a part.
    type Findings: Send + 'static;

    /// What was seen since the last call.
    fn submit(&mut self) -> Self::Findings;

    /// The same, where the program panicked, which ends the search.
    fn submit_panic(&mut self, panic: Box<dyn Any + Send>) -> Self::Findings;
}

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Executions.
    pub executions: u64,
    /// Executions that turned out to be redundant: none but in the two cases that the crate's
    /// documentation names. They are not counted among the others.
    pub sleep_set_blocked: u64,
    /// Executions that were the same as an earlier one, but for the order of independent steps;
    /// counted only if the search remembers traces.
    pub repeated_traces: u64,
    /// Executions that were given up: they took too many steps, or the program abandoned them.
    pub given_up: u64,
    /// Has the search ended by itself?
    pub complete: bool,
    /// The part of the tree that has been explored, 0 to 1, if all branches of a point were equally
    /// large.
    pub explored: f64,
}

impl Counts {
    /// Counts an execution that has ended so.
    pub(crate) fn record(&mut self, explore: &Explore, end: &End) {
        self.executions += u64::from(!explore.is_redundant);
        self.sleep_set_blocked += u64::from(explore.is_redundant);
        self.given_up += u64::from(matches!(end, End::StepLimit | End::Abandoned));
    }

    fn add(&mut self, part: &Counts) {
        self.executions += part.executions;
        self.sleep_set_blocked += part.sleep_set_blocked;
        self.given_up += part.given_up;
    }

    /// How many executions there will be, if the parts that have not been explored are like those
    /// that have.
    pub fn estimate(&self) -> Option<f64> {
        (self.explored > 0.0).then(|| self.executions as f64 / self.explored)
    }
}

/// Optimal DPOR by several workers.
///
/// The verdict, the counts and what is found first do not depend on how many there are: the tree is
/// cut into parts by rules of its own, a round of parts is searched before what was found is put
/// together, and that is done in the order of the parts. A complete search runs as many executions
/// as [`crate::Dpor`], one for each trace.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// How many threads of the operating system, at least 1: the calling one, and others.
    pub workers: usize,
    /// How the work is cut.
    pub split: Split,
    /// An execution of more steps is given up.
    pub steps_max: usize,
    /// The search ends when it has run so many executions.
    pub executions_max: u64,
    /// The stack of a task, in bytes.
    pub stack: usize,
    /// Remember a hash of every trace ([`Counts::repeated_traces`]). For tests: the memory grows
    /// with the number of executions.
    pub remembers_traces: bool,
}

impl Search {
    /// Searches the program `body`. Every thread makes a worker of its own; `merge` gets
    /// what the workers hand in, in an order that does not depend on their number, up to the first
    /// part in which a worker said [`Next::Stop`].
    pub fn run<W: Worker>(
        &self,
        body: Arc<dyn Fn() + Send + Sync>,
        worker: impl Fn() -> W + Sync,
        merge: impl FnMut(W::Findings, &Counts) + Send + 'static,
    ) -> Counts {
        self.run_with(None, body, worker, merge)
    }

    /// The same, together with others.
    pub fn run_with<W: Worker>(
        &self,
        others: Option<Box<dyn Others<W::Findings>>>,
        body: Arc<dyn Fn() + Send + Sync>,
        worker: impl Fn() -> W + Sync,
        merge: impl FnMut(W::Findings, &Counts) + Send + 'static,
    ) -> Counts {
        let progress = Progress {
            search: *self,
            tree: Arc::new(Tree::new()),
            others,
            waiting: VecDeque::new(),
            elsewhere: VecDeque::new(),
            began: Instant::now(),
            ran_out: None,
            budget: 0,
            results: Vec::new(),
            missing: 0,
            traces: self.remembers_traces.then(HashSet::new),
            counts: Counts::default(),
            rounds: 0,
            is_over: false,
            merge: Box::new(merge),
        };
        let coordinator =
            Arc::new(Coordinator { progress: Mutex::new(progress), changed: Condvar::new() });
        let work = |rounds_max| {
            let worker = Rc::new(RefCell::new(worker()));
            work(&coordinator, &worker, rounds_max, self, &body);
        };
        work(1);
        if !coordinator.lock().is_over {
            std::thread::scope(|scope| {
                for _ in 1..self.workers {
                    scope.spawn(|| work(u64::MAX));
                }
                work(u64::MAX);
            });
        }
        let mut progress = coordinator.lock();
        progress.end_early();
        progress.counts
    }
}

/// Searches parts until the search, or this number of rounds, is over.
fn work<W: Worker>(
    coordinator: &Arc<Coordinator<W::Findings>>,
    worker: &Rc<RefCell<W>>,
    rounds_max: u64,
    search: &Search,
    body: &Arc<dyn Fn() + Send + Sync>,
) {
    let current = Rc::new(Cell::new(None));
    loop {
        let strategy = WorkerStrategy {
            coordinator: coordinator.clone(),
            worker: worker.clone(),
            explore: Explore::default(),
            current: current.clone(),
            budget: 0,
            counted: PartCounts::default(),
            rounds_max,
            remembers_traces: search.remembers_traces,
        };
        let observer = Box::new(Watching(worker.clone()));
        let driver = Driver::new(strategy, observer, search.steps_max);
        let body = body.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            coroutines::run(driver, search.stack, move || body());
        }));
        let Err(panic) = outcome else { return };
        let findings = worker.borrow_mut().submit_panic(panic);
        let Some(at) = current.take() else { return };
        let part = Tree::whole();
        let counted = PartCounts {
            counts: Counts { executions: 1, ..Counts::default() },
            stopped: true,
            ..PartCounts::default()
        };
        let searched = Searched { part, found: Found::default(), counted };
        coordinator.submit(at, PartResult { searched, findings });
    }
}

/// What a worker's thread shows its executions to.
struct Watching<W>(Rc<RefCell<W>>);

impl<W: Worker> Observer for Watching<W> {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.0.borrow_mut().execution_ended(end, schedule)
    }
}

struct PartResult<F> {
    searched: Searched,
    findings: F,
}

/// Gives parts to the workers, and collects their results.
struct Coordinator<F> {
    progress: Mutex<Progress<F>>,
    changed: Condvar,
}

/// A part to be searched, with its number in the round.
struct Assignment {
    at: usize,
    part: Part,
    frames: Vec<Frame>,
    tree: Arc<Tree>,
    executions_max: u64,
}

impl<F> Coordinator<F> {
    fn lock(&self) -> MutexGuard<'_, Progress<F>> {
        self.progress.lock().expect("nobody panics while the state is locked")
    }

    fn submit(&self, at: usize, result: PartResult<F>) {
        let mut progress = self.lock();
        progress.give(at, &result);
        progress.results[at] = Some(result);
        progress.missing -= 1;
        self.changed.notify_all();
    }

    /// Waits until something has changed here, or may have elsewhere.
    fn wait<'a>(&self, progress: MutexGuard<'a, Progress<F>>) -> MutexGuard<'a, Progress<F>> {
        if progress.elsewhere.is_empty() {
            return self.changed.wait(progress).expect("nobody panics while the state is locked");
        }
        let waited = self.changed.wait_timeout(progress, LOOKS_EVERY);
        waited.expect("nobody panics while the state is locked").0
    }

    /// A part to search, as soon as there is one; `None` if the search is over, or so many rounds.
    fn next(&self, rounds_max: u64) -> Option<Assignment> {
        let mut progress = self.lock();
        loop {
            if progress.is_over {
                return None;
            }
            if let Some((at, part, frames)) = progress.next_part() {
                let (tree, executions_max) = (progress.tree.clone(), progress.budget);
                return Some(Assignment { at, part, frames, tree, executions_max });
            }
            if progress.missing > 0 {
                progress = self.wait(progress);
                continue;
            }
            progress.end_round();
            self.changed.notify_all();
            if progress.rounds > rounds_max {
                return None;
            }
        }
    }
}

/// A part of a round, by number, with the points of its beginning.
type Numbered = (usize, Part, Vec<Frame>);

/// How often it is looked whether others have found something.
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// For how many parts of others it is looked at a time, if they are not there.
const LOOKS_FOR: usize = 8;

/// What is done in this round, and what is known so far.
struct Progress<F> {
    search: Search,
    tree: Arc<Tree>,
    others: Option<Box<dyn Others<F>>>,
    waiting: VecDeque<Numbered>,
    /// What others should search.
    elsewhere: VecDeque<Numbered>,
    began: Instant,
    /// When nothing was waiting any more.
    ran_out: Option<Instant>,
    /// How many executions each part of the round may take.
    budget: u64,
    results: Vec<Option<PartResult<F>>>,
    /// How many parts of the round have not been handed in.
    missing: usize,
    traces: Option<HashSet<u64>>,
    counts: Counts,
    rounds: u64,
    is_over: bool,
    merge: Merge<F>,
}

type Merge<F> = Box<dyn FnMut(F, &Counts) + Send>;

impl<F> Progress<F> {
    /// Merges what was found in the round, and plans the next.
    fn end_round(&mut self) {
        let tree = Arc::get_mut(&mut self.tree).expect("no part is being searched");
        let mut done = Vec::new();
        for result in self.results.drain(..) {
            let PartResult { searched, findings } = result.expect("handed in");
            let Searched { part, mut found, counted } = searched;
            self.counts.add(&counted.counts);
            if let Some(traces) = &mut self.traces {
                let repeated = counted.traces.iter().filter(|hash| !traces.insert(**hash));
                self.counts.repeated_traces += repeated.count() as u64;
            }
            (self.merge)(findings, &self.counts);
            if counted.stopped {
                self.is_over = true;
                return;
            }
            if !found.begins_anew {
                tree.merge(&part, &mut found);
            }
            done.push((part, found));
        }
        if done.iter().any(|(_, found)| found.begins_anew) {
            *tree = tree.anew(done.iter().map(|(_, found)| found));
            self.traces.iter_mut().for_each(HashSet::clear);
            // Nobody else has seen the first round.
            self.rounds -= u64::from(self.rounds == 1);
        } else {
            done.iter().for_each(|(part, found)| tree.plan(part, found));
        }
        tree.prune();
        self.counts.explored = tree.explored();
        self.counts.complete = tree.is_explored() && self.counts.given_up == 0;
        let left = self.search.executions_max.saturating_sub(self.counts.executions);
        self.is_over = tree.is_explored() || left == 0;
        if !self.is_over {
            self.begin_round(left);
        }
    }

    fn begin_round(&mut self, left: u64) {
        let round = self.search.split.round(self.rounds, self.counts.executions, left);
        self.rounds += 1;
        self.budget = round.executions;
        let found = self.tree.parts(round.parts, round.takes_shortest);
        assert!(!found.is_empty(), "the leftmost part can always be searched");
        self.missing = found.len();
        self.results.resize_with(self.missing, || None);
        (self.began, self.ran_out) = (Instant::now(), None);
        let parts = found.into_iter().enumerate().map(|(at, (part, frames))| (at, part, frames));
        let others = self.others.as_ref().filter(|_| self.rounds > 1);
        let is_mine = |part: &Numbered| others.is_none_or(|others| others.is_mine(part.0));
        let (mine, mut elsewhere): (VecDeque<_>, VecDeque<_>) = parts.partition(is_mine);
        // Who comes to what others have not done does not begin where everybody does.
        if let Some(&(first, ..)) = mine.front() {
            elsewhere.rotate_left(first * mine.len() * elsewhere.len() / self.missing.pow(2));
        }
        (self.waiting, self.elsewhere) = (mine, elsewhere);
    }
}

/// What others do.
impl<F> Progress<F> {
    /// The next part to be searched here. Parts that somebody has searched are taken from there.
    fn next_part(&mut self) -> Option<Numbered> {
        while let Some(part) = self.waiting.pop_front() {
            if !self.is_found(&part) {
                return Some(part);
            }
        }
        if self.elsewhere.is_empty() {
            return None;
        }
        let now = Instant::now();
        let ran_out = *self.ran_out.get_or_insert(now);
        let mut missing = VecDeque::new();
        while missing.len() < LOOKS_FOR
            && let Some(part) = self.elsewhere.pop_front()
        {
            if !self.is_found(&part) {
                missing.push_back(part);
            }
        }
        missing.append(&mut self.elsewhere);
        self.elsewhere = missing;
        self.is_over |= self.others.as_mut().is_some_and(|others| others.is_over());
        // They have had as long as it took to do what was to be done here.
        let patience = ran_out.duration_since(self.began) + LOOKS_EVERY;
        let is_patient = self.is_over || now.duration_since(ran_out) < patience;
        if is_patient { None } else { self.elsewhere.pop_front() }
    }

    /// Has somebody searched this part? Then it is done.
    fn is_found(&mut self, (at, part, _): &Numbered) -> bool {
        // Everybody does the first round.
        let Some(others) = self.others.as_mut().filter(|_| self.rounds > 1) else { return false };
        let found = others.get(self.rounds, *at);
        let Some((searched, findings)) = found.filter(|(found, _)| found.part == *part) else {
            return false;
        };
        self.results[*at] = Some(PartResult { searched, findings });
        self.missing -= 1;
        true
    }

    /// What was found in a round that is not brought to its end.
    fn end_early(&mut self) {
        for PartResult { searched, findings } in
            std::mem::take(&mut self.results).into_iter().flatten()
        {
            self.counts.add(&searched.counted.counts);
            (self.merge)(findings, &self.counts);
        }
    }

    fn give(&mut self, at: usize, PartResult { searched, findings }: &PartResult<F>) {
        if let Some(others) = self.others.as_mut().filter(|_| self.rounds > 1) {
            others.put(self.rounds, at, searched, findings);
        }
    }
}

/// How a worker's thread decides.
struct WorkerStrategy<W: Worker> {
    coordinator: Arc<Coordinator<W::Findings>>,
    worker: Rc<RefCell<W>>,
    explore: Explore,
    /// The number of the part that is being searched, and how many executions it may take. Outlives
    /// a panic of the program.
    current: Rc<Cell<Option<usize>>>,
    budget: u64,
    counted: PartCounts,
    rounds_max: u64,
    remembers_traces: bool,
}

impl<W: Worker> Strategy for WorkerStrategy<W> {
    fn begin(&mut self) -> bool {
        if let Some(at) = self.current.get() {
            let goes_on = !self.counted.stopped && !self.explore.begins_anew;
            let has_more = goes_on && self.explore.back_up();
            if has_more && self.counted.counts.executions < self.budget {
                self.explore.take_branch();
                self.explore.start();
                return true;
            }
            self.current.set(None);
            let (part, found) = self.explore.unload().expect("a part is being searched");
            let findings = self.worker.borrow_mut().submit();
            let counted = std::mem::take(&mut self.counted);
            let searched = Searched { part, found, counted };
            self.coordinator.submit(at, PartResult { searched, findings });
        }
        let Some(assignment) = self.coordinator.next(self.rounds_max) else { return false };
        self.current.set(Some(assignment.at));
        self.budget = assignment.executions_max;
        self.explore.load(assignment.part, assignment.frames, assignment.tree);
        self.explore.start();
        true
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
        self.counted.counts.record(&self.explore, end);
        let is_kept = !self.explore.is_redundant && !self.explore.begins_anew;
        if self.remembers_traces && is_kept {
            self.counted.traces.push(self.explore.trace_hash());
        }
    }

    fn continues_after_stop(&mut self) -> bool {
        self.counted.stopped = true;
        true
    }
}
