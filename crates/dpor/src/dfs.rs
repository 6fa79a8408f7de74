//! Every order of steps, one after the other; and one given order.

use std::cell::Cell;
use std::rc::Rc;

use shuttle::scheduler::Scheduler;

use crate::driver::{Driver, Point, Strategy, drive};
use crate::{End, Kind, Observer, Step};

/// Depth-first search over all schedules, without reduction. The task that took the last step goes
/// first, so that the first schedules have the fewest preemptions.
pub struct PlainDfs {
    driver: Driver<Search>,
}

impl PlainDfs {
    /// Visits every schedule with at most `preemptions_max` preemptions (all, if `None`), and gives
    /// up executions of more than `steps_max` steps. A preemption is a switch away from a task that
    /// could have gone on; the bounded search visits every schedule within the bound.
    pub fn new(
        observer: Box<dyn Observer>,
        steps_max: usize,
        preemptions_max: Option<u32>,
    ) -> PlainDfs {
        let search = Search { preemptions_max, ..Search::default() };
        PlainDfs { driver: Driver::new(search, observer, steps_max) }
    }
}

drive!(Scheduler for PlainDfs);

#[derive(Default)]
pub(crate) struct Search {
    /// At each decision: the options, and which of them is being explored.
    path: Vec<(Vec<(usize, u32)>, usize)>,
    depth: usize,
    preemptions: u32,
    preemptions_max: Option<u32>,
    has_begun: bool,
}

impl Search {
    /// Is the next decision one that no execution has been at?
    pub(crate) fn is_at_new_point(&self) -> bool {
        self.depth == self.path.len()
    }
}

/// What can be tried at this point: the task that took the last step first, and another one in its
/// place only if that may be.
pub(crate) fn options(point: &Point<'_>, may_preempt: bool) -> Vec<(usize, u32)> {
    let last_can_go_on = point.enabled.iter().any(|&(task, _)| task == point.last);
    let mut options = Vec::new();
    let last_first = |&&(task, _): &&(usize, crate::Op)| task == point.last;
    let (first, others) = (last_first, |t: &&(usize, crate::Op)| !last_first(t));
    let order = point.enabled.iter().filter(first).chain(point.enabled.iter().filter(others));
    for &(task, op) in order {
        if last_can_go_on && task != point.last && !may_preempt {
            continue;
        }
        let alternatives = if let Kind::Choice(n) = op.kind { n } else { 1 };
        options.extend((0..alternatives).map(|alternative| (task, alternative)));
    }
    options
}

impl Strategy for Search {
    fn begin(&mut self) -> bool {
        if std::mem::replace(&mut self.has_begun, true) {
            while let Some((options, at)) = self.path.last_mut() {
                *at += 1;
                if *at < options.len() {
                    break;
                }
                self.path.pop();
            }
            if self.path.is_empty() {
                return false;
            }
        }
        self.depth = 0;
        self.preemptions = 0;
        true
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        let may_preempt = self.preemptions_max.is_none_or(|max| self.preemptions < max);
        let options = options(point, may_preempt);
        if self.is_at_new_point() {
            self.path.push((options, 0));
        } else if self.path[self.depth].0 != options {
            let (before, depth) = (&self.path[self.depth].0, self.depth);
            let what = format!("decision {depth} was among {before:?}, now among {options:?}");
            return Err(End::NotDeterministic(what));
        }
        let (options, at) = &self.path[self.depth];
        let (task, alternative) = options[*at];
        self.depth += 1;
        let last_can_go_on = point.enabled.iter().any(|&(other, _)| other == point.last);
        self.preemptions += u32::from(last_can_go_on && task != point.last);
        Ok((task, alternative))
    }

    fn ended(&mut self, _: &End, _: &[Step]) {
        self.path.truncate(self.depth);
    }
}

/// Follows a schedule, once.
pub struct Replay {
    pub(crate) driver: Driver<Follow>,
    preemptions: Rc<Cell<u32>>,
}

impl Replay {
    /// Follows `schedule`. If the program does not go along, the execution ends as
    /// [`End::NotDeterministic`].
    pub fn new(schedule: &[Step], observer: Box<dyn Observer>, steps_max: usize) -> Replay {
        let follow = Follow::new(schedule);
        let preemptions = follow.preemptions.clone();
        Replay { driver: Driver::new(follow, observer, steps_max), preemptions }
    }

    /// How many preemptions the part of the schedule has that was followed: asked when the run is
    /// over. A preemption is what it is to [`PlainDfs`].
    pub fn preemptions(&self) -> Rc<Cell<u32>> {
        self.preemptions.clone()
    }
}

drive!(Scheduler for Replay);

pub(crate) struct Follow {
    schedule: Vec<Step>,
    at: usize,
    has_begun: bool,
    preemptions: Rc<Cell<u32>>,
}

impl Follow {
    pub(crate) fn new(schedule: &[Step]) -> Follow {
        Follow { schedule: schedule.to_vec(), at: 0, has_begun: false, preemptions: Rc::default() }
    }

    /// From the beginning again.
    pub(crate) fn rewind(&mut self) {
        self.at = 0;
        self.preemptions.set(0);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.at == self.schedule.len()
    }
}

impl Strategy for Follow {
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        let diverged = |at: usize| {
            Err(End::NotDeterministic(format!("decision {at} of the schedule cannot be followed")))
        };
        let Some(&Step::Task(task)) = self.schedule.get(self.at) else { return diverged(self.at) };
        let Some((_, op)) = point.enabled.iter().find(|&&(enabled, _)| enabled == task) else {
            return diverged(self.at);
        };
        self.at += 1;
        let last_can_go_on = point.enabled.iter().any(|&(other, _)| other == point.last);
        let preempts = last_can_go_on && task != point.last;
        self.preemptions.set(self.preemptions.get() + u32::from(preempts));
        let Kind::Choice(n) = op.kind else { return Ok((task, 0)) };
        match self.schedule.get(self.at) {
            Some(&Step::Choice(alternative)) if alternative < n => {
                self.at += 1;
                Ok((task, alternative))
            }
            _ => diverged(self.at),
        }
    }

    fn ended(&mut self, _: &End, _: &[Step]) {}
}
