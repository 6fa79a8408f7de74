//! Depth-first search that goes on from every state once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

pub use crate::compared::Difference;
use crate::compared::{Compared, Parts};
use crate::dfs::options;
use crate::driver::{Driver, Point, Strategy, drive};
use crate::effect::Effect;
use crate::fingerprint::{Half, StateHash};
use crate::table;
use crate::wakeup::{Label, Sleeper, still_asleep};
use crate::{End, Observer, Op, Step};

/// Depth-first search over all schedules, in which nothing is tried after a state that was there
/// before: an execution that comes to one runs to its end by any schedule. Used *instead of*
/// [`crate::Dpor`], for programs that have few states for their many orders of steps: tasks that
/// contend for one word.
///
/// A coroutine's stack cannot be looked at, but a task's local state is a function of what the task
/// has observed. So a state is
/// - the step that each task has announced;
/// - what each task that has not finished has observed since it was spawned, or since it was last
///   at rest ([`crate::observe`], [`crate::at_rest`]), and how many steps it has taken since;
/// - who holds which lock, and which tokens are set;
/// - what the caller's `shared` puts into the hash: *everything* else that tasks share.
///
/// It is independent of DPOR: pruning an execution of DPOR's at a known state would lose the races
/// between its beginning and what follows that state (Yang, Chen, Gopalakrishnan, Kirby: SPIN
/// 2008). It has sleep sets, which save steps and no states: of two independent steps that both
/// lead to a state only one order is run. A state is kept with what slept when it was visited; an
/// execution that comes to it again tries what slept then and does not now (Godefroid, LNCS 1032,
/// section 5.3). So no schedule is left out but those that go on from a state from which what
/// follows them has been tried.
///
/// # What is guaranteed
///
/// If the search ends by itself ([`States::complete`]), every reachable state was visited, hence
/// every final state and every deadlock, under the assumptions of [`crate::Dpor`], and if
/// - `shared` and the observations say all that they should. That a task says something after each
///   read is checked; what it says only by [`Stateful::comparing`];
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
        Stateful::with(observer, steps_max, Box::new(shared), None)
    }

    /// The same, and it takes nothing for granted of states with the same hash: when an execution
    /// comes to a known one, for the first few times all that follows is tried again, and after
    /// that the execution goes on by steps that were taken from there before. What each step leads
    /// to is compared: what each task announces, and what it has observed. The search ends at the
    /// first that does not do what it did ([`States::difference`]). It has no sleep sets.
    pub fn comparing(
        observer: Box<dyn Observer>,
        steps_max: usize,
        shared: impl Fn(&mut StateHash) + 'static,
    ) -> Stateful {
        Stateful::with(observer, steps_max, Box::new(shared), Some(Compared::default()))
    }

    fn with(
        observer: Box<dyn Observer>,
        steps_max: usize,
        shared: Box<dyn Fn(&mut StateHash)>,
        compared: Option<Compared>,
    ) -> Stateful {
        let results = States::default();
        let strategy = Visit {
            frames: Vec::new(),
            depth: 0,
            has_begun: false,
            beyond: None,
            shared,
            visited: HashMap::default(),
            compared,
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
    comparisons: u64,
    difference: Option<Difference>,
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

    /// How many steps were compared with the same step from the same state
    /// ([`Stateful::comparing`]).
    pub fn comparisons(&self) -> u64 {
        self.0.borrow().comparisons
    }

    /// The first step that did something else than from the same state before, if one did: the
    /// states were two that have one hash.
    pub fn difference(&self) -> Option<Difference> {
        self.0.borrow().difference.clone()
    }
}

/// How many steps an execution may take beyond a known state. To let a short program end costs less
/// than to unwind its tasks.
const BEYOND_MAX: usize = 500;

/// A state of the path that is being explored.
struct Frame {
    state: u128,
    /// What is taken from it, as it was announced.
    op: Op,
    taken: Sleeper,
    sleep: Vec<Sleeper>,
    /// What is still to be tried, the last first.
    untried: Vec<(Label, Op)>,
}

struct Visit {
    frames: Vec<Frame>,
    depth: usize,
    has_begun: bool,
    /// How many steps the current execution has taken since it came to a known state.
    beyond: Option<usize>,
    shared: Box<dyn Fn(&mut StateHash)>,
    /// The states, and what was not tried from each since it slept.
    visited: HashMap<u128, Box<[Label]>, BuildHasherDefault<Half>>,
    compared: Option<Compared>,
    results: States,
}

fn sleeper(label: Label, op: &Op) -> Sleeper {
    Sleeper { label, effect: Effect::announced(op).in_both_orders() }
}

impl Visit {
    fn state(&self) -> u128 {
        let mut hash = StateHash::new();
        table::with(|table| table.hash_into(&mut hash));
        (self.shared)(&mut hash);
        hash.finish128()
    }

    /// The next task in turn: a task that waits for another in a loop does not go on for ever.
    fn go_beyond(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        let taken = self.beyond.get_or_insert(0);
        *taken += 1;
        if *taken > BEYOND_MAX {
            return Err(End::Visited);
        }
        let state = self.compared.is_some().then(|| self.state());
        if let (Some(compared), Some(state)) = (&mut self.compared, state) {
            let labels: Vec<Label> = labels(point).map(|(label, _)| label).collect();
            let label = compared.least_compared(state, &labels);
            compared.go(state, label);
            return Ok((label.task, label.alternative));
        }
        let next = point.enabled.iter().find(|&&(task, _)| task > point.last);
        let &(task, _) = next.unwrap_or(&point.enabled[0]);
        Ok((task, 0))
    }

    /// What the last step did, if that is less than it had announced.
    fn learn_outcome(&mut self) {
        let refined = table::with(|table| table.refined.take());
        let last = self.depth.checked_sub(1).filter(|_| self.beyond.is_none());
        if let (Some(last), Some(_)) = (last, refined) {
            let frame = &mut self.frames[last];
            frame.taken.effect = Effect::done(&frame.op, refined).in_both_orders();
        }
    }

    /// Those that sleep where the path has come to.
    fn asleep(&self) -> Vec<Sleeper> {
        match self.frames.last() {
            Some(Frame { taken, sleep, .. }) if self.compared.is_none() => {
                still_asleep(sleep, taken.label, &taken.effect).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A state that the path has not been at: what is to be tried from it, if anything.
    fn arrive(&mut self, point: &Point<'_>) -> Option<Frame> {
        let (state, mut sleep) = (self.state(), self.asleep());
        let sleeps = |sleep: &[Sleeper], label| sleep.iter().any(|s| s.label == label);
        let mut untried: Vec<(Label, Op)> = labels(point).collect();
        match self.visited.get_mut(&state) {
            None => {
                untried.retain(|&(label, _)| !sleeps(&sleep, label));
                self.visited.insert(state, sleep.iter().map(|s| s.label).collect());
            }
            Some(_) if self.compared.as_mut().is_some_and(|known| known.tries_again(state)) => {}
            Some(not_tried) => {
                untried.retain(|(l, _)| not_tried.contains(l) && !sleeps(&sleep, *l));
                sleep.retain(|s| not_tried.contains(&s.label));
                if !untried.is_empty() {
                    *not_tried = sleep.iter().map(|s| s.label).collect();
                }
            }
        }
        let mut counts = self.results.0.borrow_mut();
        counts.states = self.visited.len() as u64;
        counts.table_bytes = self.visited.capacity() * size_of::<(u128, Box<[Label]>)>();
        untried.reverse();
        let (label, op) = untried.pop()?;
        Some(Frame { state, op, taken: sleeper(label, &op), sleep, untried })
    }

    /// Compares where the execution has come to; true if it is not as it was.
    fn differs(&mut self, parts: impl FnOnce(&Visit) -> Parts, end: Option<&End>) -> bool {
        if self.compared.is_none() {
            return false;
        }
        let parts = parts(self);
        let Some(compared) = &mut self.compared else { return false };
        let found = match end {
            Some(end) => compared.ended(end, || parts),
            None => compared.came_to(parts),
        };
        let mut counts = self.results.0.borrow_mut();
        counts.comparisons = compared.comparisons();
        let differs = found.is_some();
        counts.difference = counts.difference.take().or(found);
        differs
    }

    fn parts(&self) -> Parts {
        Parts::now(&self.shared)
    }
}

/// What can be tried, that of the task that took the last step first.
fn labels<'a>(point: &'a Point<'_>) -> impl Iterator<Item = (Label, Op)> + use<'a> {
    let op = |task| point.enabled.iter().find(|(other, _)| *other == task).map(|(_, op)| *op);
    options(point, true)
        .into_iter()
        .filter_map(move |(task, alternative)| op(task).map(|op| (Label { task, alternative }, op)))
}

impl Strategy for Visit {
    const COMPARES_STATES: bool = true;

    fn begin(&mut self) -> bool {
        (self.depth, self.beyond) = (0, None);
        if let Some(compared) = &mut self.compared {
            compared.begin();
        }
        if self.results.difference().is_some() {
            return false;
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            return true;
        }
        while let Some(frame) = self.frames.last_mut() {
            frame.sleep.push(frame.taken);
            if let Some((label, op)) = frame.untried.pop() {
                (frame.op, frame.taken) = (op, sleeper(label, &op));
                return true;
            }
            self.frames.pop();
        }
        self.results.0.borrow_mut().complete = true;
        false
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        self.learn_outcome();
        let is_new = self.beyond.is_some() || self.depth == self.frames.len();
        if is_new && self.differs(Visit::parts, None) {
            return Err(End::Visited);
        }
        if self.beyond.is_none() && is_new {
            match self.arrive(point) {
                Some(frame) => self.frames.push(frame),
                None => self.beyond = Some(0),
            }
        }
        if self.beyond.is_some() {
            return self.go_beyond(point);
        }
        let depth = self.depth;
        let Frame { state, op, taken, .. } = &self.frames[depth];
        let Label { task, alternative } = taken.label;
        if !point.enabled.contains(&(task, *op)) {
            let what =
                format!("decision {depth} was {op:?} of task {task}, which it cannot do now");
            return Err(End::NotDeterministic(what));
        }
        if let Some(compared) = &mut self.compared {
            compared.go(*state, taken.label);
        }
        self.depth += 1;
        Ok((task, alternative))
    }

    fn ended(&mut self, end: &End, _: &[Step]) {
        self.learn_outcome();
        self.differs(Visit::parts, Some(end));
        let mut counts = self.results.0.borrow_mut();
        counts.executions += 1;
        counts.given_up += u64::from(matches!(end, End::StepLimit | End::Abandoned));
        drop(counts);
        self.frames.truncate(self.depth);
    }
}
