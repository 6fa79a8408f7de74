//! `Explore`, turned inside out: shuttle asks for one decision at a time.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

use crate::driver::{Driver, Point, Strategy, drive};
use crate::happens_before::{Analysis, Deed, Event};
use crate::table;
use crate::wakeup::{Branch, Label, Sequence, Sleeper};
use crate::{End, Kind, Observer, Op, Step};

/// The optimal-DPOR scheduler.
pub struct Dpor {
    driver: Driver<Explore>,
    results: Results,
}

impl Dpor {
    /// Visits every execution once, and gives up those of more than `steps_max` steps.
    pub fn new(observer: Box<dyn Observer>, steps_max: usize) -> Dpor {
        let results = Results::default();
        let explore = Explore { results: results.clone(), ..Explore::default() };
        Dpor { driver: Driver::new(explore, observer, steps_max), results }
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

    /// Executions that turned out to be redundant: always 0, which the tests check.
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

/// A point of the current execution, and the step that is taken from it.
struct Frame {
    label: Label,
    /// What the task announced here; `None` until the point is reached again with a new label.
    op: Option<Op>,
    deed: Deed,
    /// Steps that need not be tried from here: inherited, and those that have been.
    sleep: Vec<Sleeper>,
    /// How many of them have been tried from here.
    tried: usize,
    /// What is still to be tried from here.
    wakeup: Vec<Branch>,
}

#[derive(Default)]
struct Explore {
    frames: Vec<Frame>,
    /// How many decisions the current execution has made.
    depth: usize,
    /// The wakeup tree of the point after the last frame.
    next_wakeup: Vec<Branch>,
    has_begun: bool,
    is_redundant: bool,
    /// How many steps the current execution has in common with the last that was analysed.
    unchanged: usize,
    analysis: Analysis,
    sequence: Sequence,
    kept: Vec<usize>,
    results: Results,
}

impl Strategy for Explore {
    fn begin(&mut self) -> bool {
        if std::mem::replace(&mut self.has_begun, true) && !self.next_branch() {
            self.results.0.borrow_mut().complete = true;
            return false;
        }
        self.depth = 0;
        self.is_redundant = false;
        true
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        self.learn_outcome();
        let label =
            if self.depth < self.frames.len() { self.follow(point)? } else { self.extend(point)? };
        self.depth += 1;
        Ok((label.task, label.alternative))
    }

    fn ended(&mut self, end: &End, _: &[Step]) {
        self.learn_outcome();
        self.frames.truncate(self.depth);
        let mut counts = self.results.0.borrow_mut();
        counts.executions += u64::from(!self.is_redundant);
        counts.sleep_set_blocked += u64::from(self.is_redundant);
        counts.given_up += u64::from(matches!(end, End::StepLimit | End::Abandoned));
        counts.explored = explored(&self.frames);
        drop(counts);
        if !self.is_redundant && !matches!(end, End::NotDeterministic(_)) {
            self.plan_reversals();
        }
    }
}

/// The part of the tree that lies to the left of the current path.
fn explored(frames: &[Frame]) -> f64 {
    let (mut part, mut weight) = (0.0, 1.0);
    for frame in frames {
        let branches = (frame.tried + 1 + frame.wakeup.len()) as f64;
        part += weight * frame.tried as f64 / branches;
        weight /= branches;
    }
    part + weight
}

impl Explore {
    /// The last step has been taken: what did it do?
    fn learn_outcome(&mut self) {
        let Some(last) = self.depth.checked_sub(1) else { return };
        let refined = table::with(|table| table.refined.take());
        if let Some(frame) = self.frames.get_mut(last)
            && refined.is_some()
        {
            frame.deed = Deed::done(&frame.op.expect("taken"), refined);
        }
    }

    fn follow(&mut self, point: &Point<'_>) -> Result<Label, End> {
        let frame = &mut self.frames[self.depth];
        let found = point.enabled.iter().find(|&&(task, _)| task == frame.label.task);
        match (found, frame.op) {
            // What it did last time it will do again.
            (Some(&(_, op)), Some(before)) if op == before => Ok(frame.label),
            (Some(&(_, op)), None) => {
                frame.op = Some(op);
                frame.deed = Deed::done(&op, None);
                plan_alternatives(&op, frame.label, &frame.sleep, &mut frame.wakeup);
                Ok(frame.label)
            }
            (now, before) => {
                let (depth, task, now) = (self.depth, frame.label.task, now.map(|(_, op)| op));
                Err(End::NotDeterministic(format!(
                    "at step {depth} task {task} announced {before:?}, now {now:?}"
                )))
            }
        }
    }

    /// A point that no execution has been to.
    fn extend(&mut self, point: &Point<'_>) -> Result<Label, End> {
        let sleep: Vec<Sleeper> = match self.frames.last() {
            Some(parent) => {
                let asleep = parent.sleep.iter();
                let still = asleep.filter(|s| {
                    s.label.task != parent.label.task && !s.deed.depends_on(&parent.deed)
                });
                still.copied().collect()
            }
            None => Vec::new(),
        };
        let mut wakeup = std::mem::take(&mut self.next_wakeup);
        let label = if wakeup.is_empty() {
            match first_awake(point, &sleep) {
                Some(label) => label,
                None => {
                    self.is_redundant = true;
                    return Err(End::SleepSetBlocked);
                }
            }
        } else {
            let branch = wakeup.remove(0);
            self.next_wakeup = branch.children;
            branch.label
        };
        let found = point.enabled.iter().find(|&&(task, _)| task == label.task);
        let Some(&(_, op)) = found else {
            let what =
                format!("task {} was to go on at step {}, and cannot", label.task, self.depth);
            return Err(End::NotDeterministic(what));
        };
        plan_alternatives(&op, label, &sleep, &mut wakeup);
        let deed = Deed::done(&op, None);
        self.frames.push(Frame { label, op: Some(op), deed, sleep, tried: 0, wakeup });
        Ok(label)
    }

    /// Looks for races in the execution that has ended, and plans to run the other orders.
    ///
    /// A race between two steps that an earlier execution had too, and in the same place, has been
    /// seen to then. What came after the race was another sequence then; but the sequences to be
    /// run have their beginning in common, up to the later step of the race, and whatever can
    /// follow is tried from there.
    fn plan_reversals(&mut self) {
        let events = self.frames.iter().map(|frame| Event {
            task: frame.label.task,
            alternative: frame.label.alternative,
            op: frame.op.expect("taken"),
            deed: frame.deed,
        });
        self.analysis.run(events, &table::pending(), self.unchanged);
        self.unchanged = usize::MAX;
        let mut counts = self.results.0.borrow_mut();
        if let Some(traces) = &mut counts.traces
            && !traces.insert(self.analysis.trace_hash())
        {
            counts.repeated_traces += 1;
        }
        drop(counts);
        let analysis = &self.analysis;
        for race in &analysis.races {
            let after = race.earlier + 1..analysis.taken;
            self.kept.clear();
            self.kept.extend(after.filter(|&event| !analysis.is_before(race.earlier, event)));
            if race.later >= analysis.taken
                && !analysis.finds_locks_free(race.earlier, race.later, false)
            {
                // A step that was blocked, and would be again by something that it does not need.
                self.kept.retain(|&event| analysis.is_before_previous(event, race.later));
            }
            let frame = &mut self.frames[race.earlier];
            self.sequence.set(analysis, &self.kept, race.later);
            if !self.sequence.is_covered_by(analysis, &frame.sleep) {
                self.sequence.insert_into(analysis, &mut frame.wakeup);
            }
        }
    }

    /// Goes back to the last point from which something is still to be tried.
    fn next_branch(&mut self) -> bool {
        while let Some(frame) = self.frames.last_mut() {
            frame.sleep.push(Sleeper { label: frame.label, deed: frame.deed });
            frame.tried += 1;
            if frame.wakeup.is_empty() {
                self.frames.pop();
                continue;
            }
            let branch = frame.wakeup.remove(0);
            frame.op = None;
            frame.label = branch.label;
            self.next_wakeup = branch.children;
            self.unchanged = self.unchanged.min(self.frames.len() - 1);
            return true;
        }
        false
    }
}

fn first_awake(point: &Point<'_>, sleep: &[Sleeper]) -> Option<Label> {
    let last_first = point.enabled.iter().filter(|&&(task, _)| task == point.last);
    let others = point.enabled.iter().filter(|&&(task, _)| task != point.last);
    let labels = last_first.chain(others).flat_map(|&(task, op)| labels_of(task, &op));
    labels.into_iter().find(|label| sleep.iter().all(|s| s.label != *label))
}

fn labels_of(task: usize, op: &Op) -> impl Iterator<Item = Label> + use<> {
    let alternatives = if let Kind::Choice(n) = op.kind { n } else { 1 };
    (0..alternatives).map(move |alternative| Label { task, alternative })
}

/// A choice is taken with one alternative; the others are to be tried too.
fn plan_alternatives(op: &Op, taken: Label, sleep: &[Sleeper], wakeup: &mut Vec<Branch>) {
    for label in labels_of(taken.task, op).filter(|&label| label != taken) {
        let is_known = sleep.iter().any(|s| s.label == label)
            || wakeup.iter().any(|branch| branch.label == label);
        if !is_known {
            wakeup.push(Branch { label, deed: Deed::announced(op), children: Vec::new() });
        }
    }
}
