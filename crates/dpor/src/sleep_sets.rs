//! Sleep sets alone: one execution for each trace, without looking for races.

use shuttle::scheduler::Scheduler;

use crate::dfs::Follow;
use crate::driver::{Driver, Point, Strategy, drive};
use crate::effect::Effect;
use crate::explore::labels_of;
use crate::table;
use crate::wakeup::{Label, Sleeper, still_asleep};
use crate::{End, Observer, Op, Step};

/// Depth-first search over all schedules that leaves out those that differ from an earlier one in
/// the order of independent steps only (Godefroid 1996). Completes one execution for each trace, as
/// [`crate::Dpor`] does, but begins many that it then finds redundant ([`End::SleepSetBlocked`]).
///
/// It shares with `Dpor` what the dependence of two steps is, and nothing of how `Dpor` plans which
/// orders to run: the number of executions that it completes says how many traces there are. A step
/// and a section of a lock that it passes are dependent here, whatever they touch: where there are
/// such, `Dpor` takes fewer.
pub struct SleepSets {
    pub(crate) driver: Driver<Sleeping>,
}

impl SleepSets {
    /// Visits every trace, and gives up executions of more than `steps_max` steps.
    pub fn new(observer: Box<dyn Observer>, steps_max: usize) -> SleepSets {
        SleepSets { driver: Driver::new(Sleeping::default(), observer, steps_max) }
    }

    /// Visits every trace of what can happen after `beginning`, which every execution begins with.
    /// If the program does not go along, the search ends as [`End::NotDeterministic`].
    pub fn after(beginning: &[Step], observer: Box<dyn Observer>, steps_max: usize) -> SleepSets {
        let sleeping = Sleeping { beginning: Some(Follow::new(beginning)), ..Sleeping::default() };
        SleepSets { driver: Driver::new(sleeping, observer, steps_max) }
    }
}

drive!(Scheduler for SleepSets);

/// A point, the step that is taken from it, and those that are still to be tried.
struct Frame {
    op: Op,
    taken: Sleeper,
    sleep: Vec<Sleeper>,
    untried: Vec<(Label, Op)>,
}

#[derive(Default)]
pub(crate) struct Sleeping {
    /// What comes before the first frame.
    beginning: Option<Follow>,
    frames: Vec<Frame>,
    depth: usize,
    has_begun: bool,
}

impl Sleeping {
    fn learn_outcome(&mut self) {
        let refined = table::with(|table| table.refined.take());
        let Some(last) = self.depth.checked_sub(1) else { return };
        let frame = &mut self.frames[last];
        if refined.is_some() {
            frame.taken.effect = Effect::done(&frame.op, refined).in_both_orders();
        }
    }
}

impl Strategy for Sleeping {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        self.beginning.iter_mut().for_each(Follow::rewind);
        if !std::mem::replace(&mut self.has_begun, true) {
            return true;
        }
        while let Some(frame) = self.frames.last_mut() {
            frame.sleep.push(frame.taken);
            if let Some((label, op)) = frame.untried.pop() {
                frame.op = op;
                let effect = Effect::announced(&op).in_both_orders();
                frame.taken = Sleeper { label, effect };
                return true;
            }
            self.frames.pop();
        }
        false
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        if let Some(beginning) = self.beginning.as_mut().filter(|beginning| !beginning.is_over()) {
            return beginning.decide(point);
        }
        self.learn_outcome();
        if self.depth == self.frames.len() {
            let sleep: Vec<Sleeper> = match self.frames.last() {
                Some(Frame { taken, sleep, .. }) => {
                    still_asleep(sleep, taken.label, &taken.effect).collect()
                }
                None => Vec::new(),
            };
            let labels = point
                .enabled
                .iter()
                .flat_map(|&(task, op)| labels_of(task, &op).map(move |label| (label, op)));
            let awake = |(label, _): &(Label, Op)| sleep.iter().all(|s| s.label != *label);
            let mut untried: Vec<(Label, Op)> = labels.filter(awake).collect();
            let (label, op) = untried.pop().ok_or(End::SleepSetBlocked)?;
            let effect = Effect::announced(&op).in_both_orders();
            let taken = Sleeper { label, effect };
            self.frames.push(Frame { op, taken, sleep, untried });
        }
        let Label { task, alternative } = self.frames[self.depth].taken.label;
        self.depth += 1;
        Ok((task, alternative))
    }

    fn ended(&mut self, _: &End, _: &[Step]) {
        self.learn_outcome();
        self.frames.truncate(self.depth);
    }
}
