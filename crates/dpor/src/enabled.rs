//! Any scheduler of shuttle's, on announced steps.

use std::mem::ManuallyDrop;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use crate::driver::{Driver, Point, Strategy};
use crate::{End, Kind, Observer, Step};

/// Wraps a scheduler so that it is offered only tasks whose announced step is enabled. Deadlocks
/// are found as under [`crate::Dpor`]; a choice is made by the scheduler's random numbers.
///
/// For schedulers that pick at random. One that enumerates (shuttle's DFS) would not enumerate the
/// choices: use [`crate::PlainDfs`].
pub struct Enabled<S> {
    driver: Driver<Foreign<S>>,
}

struct Foreign<S> {
    /// Never dropped: shuttle's random scheduler prints a "failing seed" when it is dropped before
    /// its last execution, and we stop it whenever the observer has seen enough.
    inner: ManuallyDrop<S>,
}

impl<S: Scheduler> Enabled<S> {
    /// Runs `inner`, and gives up executions of more than `steps_max` steps.
    pub fn new(inner: S, observer: Box<dyn Observer>, steps_max: usize) -> Enabled<S> {
        Enabled {
            driver: Driver::new(Foreign { inner: ManuallyDrop::new(inner) }, observer, steps_max),
        }
    }
}

impl<S: Scheduler> Strategy for Foreign<S> {
    fn begin(&mut self) -> bool {
        self.inner.new_execution().is_some()
    }

    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        let is_enabled = |task: &&&Task| {
            let number = usize::from(task.id());
            point.enabled.iter().any(|&(enabled, _)| enabled == number)
        };
        let offered: Vec<&Task> = point.offered.iter().filter(is_enabled).copied().collect();
        let last = Some(TaskId::from(point.last));
        let task = self.inner.next_task(&offered, last, false).ok_or(End::Abandoned)?;
        let task = usize::from(task);
        let op = point.enabled.iter().find(|&&(enabled, _)| enabled == task);
        let alternative = match op.map(|(_, op)| op.kind) {
            Some(Kind::Choice(n)) => (self.inner.next_u64() % u64::from(n)) as u32,
            _ => 0,
        };
        Ok((task, alternative))
    }

    fn ended(&mut self, _: &End, _: &[Step]) {}
}

impl<S: Scheduler> Scheduler for Enabled<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.driver.begin().then(|| Schedule::new(0))
    }

    fn next_task(&mut self, offered: &[&Task], current: Option<TaskId>, _: bool) -> Option<TaskId> {
        self.driver.next_of(offered, current)
    }

    fn next_u64(&mut self) -> u64 {
        self.driver.strategy.inner.next_u64()
    }
}
