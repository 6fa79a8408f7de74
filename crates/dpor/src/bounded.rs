//! Depth-first search within a number of preemptions that goes on from every trace once.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

use crate::dfs::options;
use crate::driver::{Driver, Point, Strategy, drive};
use crate::effect::Effect;
use crate::fingerprint::{Half, StateHash};
use crate::table;
use crate::{End, Observer, Op, Step};

/// Visits every trace that some schedule with at most so many preemptions has, in the order of
/// [`crate::PlainDfs`], and gives an execution up ([`End::SleepSetBlocked`]) where one with no more
/// preemptions has come by the same steps before: the same up to the order of independent ones,
/// with the same task that may go on for nothing (Musuvathi, Qadeer: MSR-TR-2007-12). What could
/// follow has been tried then.
///
/// So the first execution that breaks a rule is that which [`crate::PlainDfs`] comes to first, and
/// if there is none, then none of its executions breaks it: an observer must not tell executions
/// that differ in the order of independent steps only. Two traces are taken for one with a
/// probability of about n² / 2^129, for n of them.
pub struct Bounded {
    pub(crate) driver: Driver<Search>,
    kept: Rc<Cell<usize>>,
}

impl Bounded {
    /// Visits the traces with at most `preemptions_max` preemptions, and gives up executions of
    /// more than `steps_max` steps. A preemption is a switch away from a task that could have gone
    /// on.
    pub fn new(observer: Box<dyn Observer>, steps_max: usize, preemptions_max: u32) -> Bounded {
        let kept = Rc::<Cell<usize>>::default();
        let search = Search {
            preemptions_max,
            path: Vec::new(),
            depth: 0,
            preemptions: 0,
            trace: Trace::default(),
            visited: HashMap::default(),
            kept: kept.clone(),
            has_begun: false,
        };
        Bounded { driver: Driver::new(search, observer, steps_max), kept }
    }

    /// How many beginnings of traces it has in its table: can be asked while it runs. Each takes
    /// 38 to 75 bytes, and half as much again while the table grows.
    pub fn kept(&self) -> Rc<Cell<usize>> {
        self.kept.clone()
    }
}

drive!(Scheduler for Bounded);

/// A point: what can be tried there, and which of it is.
struct Frame {
    options: Vec<(usize, u32)>,
    at: usize,
}

pub(crate) struct Search {
    preemptions_max: u32,
    path: Vec<Frame>,
    depth: usize,
    /// Of the steps taken so far.
    preemptions: u32,
    trace: Trace,
    /// The fewest preemptions with which each trace was come by, and who could have gone on then.
    visited: HashMap<u128, u32, BuildHasherDefault<Half>>,
    /// How many these are.
    kept: Rc<Cell<usize>>,
    has_begun: bool,
}

impl Search {
    /// Is it the first time that it is here, or with fewer preemptions than the times before?
    fn visit(&mut self, goes_on: usize) -> bool {
        let now = self.preemptions;
        let mut hash = StateHash::new();
        hash.write_u128(self.trace.hash());
        hash.write_usize(goes_on);
        let known = self.visited.entry(hash.finish128()).or_insert(u32::MAX);
        let is_new = std::mem::replace(known, now.min(*known)) > now;
        self.kept.set(self.visited.len());
        is_new
    }
}

impl Strategy for Search {
    fn begin(&mut self) -> bool {
        (self.depth, self.preemptions) = (0, 0);
        if !std::mem::replace(&mut self.has_begun, true) {
            return true;
        }
        while let Some(frame) = self.path.last_mut() {
            frame.at += 1;
            if frame.at < frame.options.len() {
                self.trace.forget_from(self.path.len() - 1);
                return true;
            }
            self.path.pop();
        }
        false
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        self.trace.learn();
        let last_can_go_on = point.enabled.iter().any(|&(task, _)| task == point.last);
        if self.depth == self.path.len() {
            let goes_on = if last_can_go_on { point.last } else { usize::MAX };
            if !self.visit(goes_on) {
                return Err(End::SleepSetBlocked);
            }
            let options = options(point, self.preemptions < self.preemptions_max);
            self.path.push(Frame { options, at: 0 });
        }
        let frame = &self.path[self.depth];
        let (task, alternative) = frame.options[frame.at];
        let Some(&(_, op)) = point.enabled.iter().find(|&&(enabled, _)| enabled == task) else {
            let what = format!("decision {} cannot be taken again", self.depth);
            return Err(End::NotDeterministic(what));
        };
        self.trace.take(self.depth, task, alternative, op);
        self.depth += 1;
        self.preemptions += u32::from(last_can_go_on && task != point.last);
        Ok((task, alternative))
    }

    fn ended(&mut self, _: &End, _: &[Step]) {
        self.trace.learn();
        self.path.truncate(self.depth);
        self.trace.forget_from(self.depth);
    }
}

/// The steps of an execution, and what is the same of all that differ in the order of independent
/// ones only.
#[derive(Default)]
struct Trace {
    steps: Vec<Taken>,
    /// The last was taken, and what it has done is not known.
    is_open: bool,
}

struct Taken {
    task: usize,
    alternative: u32,
    op: Op,
    effect: Effect,
    /// Of the step, with all that it depends on.
    hash: u128,
    /// Of all steps up to this one.
    all: u128,
}

impl Trace {
    /// A step is taken, at a depth at which it may have been taken before.
    fn take(&mut self, depth: usize, task: usize, alternative: u32, op: Op) {
        if depth == self.steps.len() {
            let effect = Effect::announced(&op);
            self.steps.push(Taken { task, alternative, op, effect, hash: 0, all: 0 });
            self.is_open = true;
        }
    }

    /// Learns what the last step has done, if that is new.
    fn learn(&mut self) {
        let refined = table::with(|table| table.refined.take());
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let Some((last, before)) = self.steps.split_last_mut() else { return };
        if refined.is_some() {
            last.effect = Effect::done(&last.op, refined);
        }
        let previous = before.iter().rev().find(|step| step.task == last.task);
        let is_before =
            |step: &&Taken| step.task != last.task && step.effect.depends_on(&last.effect);
        // In whatever order these came, if it does not matter to each other.
        let others = before.iter().filter(is_before);
        let others = others.fold(0, |all: u128, step| all.wrapping_add(step.hash));
        let mut hash = StateHash::new();
        hash.write_usize(last.task);
        hash.write_u32(last.alternative);
        hash.write_u128(previous.map_or(0, |step| step.hash));
        hash.write_u128(others);
        last.hash = hash.finish128();
        last.all = before.last().map_or(0, |step| step.all).wrapping_add(last.hash);
    }

    fn forget_from(&mut self, depth: usize) {
        self.steps.truncate(depth);
        self.is_open = false;
    }

    fn hash(&self) -> u128 {
        self.steps.last().map_or(0, |step| step.all)
    }
}
