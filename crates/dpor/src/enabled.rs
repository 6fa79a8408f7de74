//! Any scheduler of shuttle's, on announced steps.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, Runner};

use crate::coroutines;
use crate::driver::{Driver, Point, Strategy};
use crate::{Drive, End, Kind, Observer, Op, Step};

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
        let of_shuttle = |&(number, _): &(usize, Op)| {
            let at = point.offered.binary_search_by_key(&number, |task| usize::from(task.id()));
            point.offered[at.expect("shuttle offers tasks in the order of their numbers")]
        };
        let offered: Vec<&Task> = point.enabled.iter().map(of_shuttle).collect();
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

/// How many tasks an execution may have, the main closure included, if shuttle only decides.
const LENT: usize = 128;

/// shuttle's schedulers ask tasks of shuttle's for their numbers, and nobody but shuttle can make
/// such a task. So shuttle runs one execution of tasks that do nothing, and while it asks whom to
/// let go all of ours are run: their numbers are those of the tasks that it offers.
impl<S: Scheduler + 'static> Drive for Enabled<S> {
    fn drive(self, stack: usize, body: impl Fn() + Send + Sync + 'static) {
        let outcome = Rc::new(RefCell::new(Ok(())));
        let told = outcome.clone();
        let body = Rc::new(body);
        let all = move |lent: &[&Task]| {
            let run = || coroutines::run(self.driver, stack, &body, lent);
            *told.borrow_mut() = catch_unwind(AssertUnwindSafe(run));
        };
        let mut config = Config::new();
        config.stack_size = 0x4000;
        config.failure_persistence = FailurePersistence::None;
        config.silence_warnings = true;
        Runner::new(Lender { all: Some(Box::new(all)) }, config).run(|| {
            let start = |_| shuttle::thread::spawn(|| ());
            let _started: Vec<_> = (1..LENT).map(start).collect();
            shuttle::thread::sleep(Duration::ZERO);
        });
        if let Err(panic) = outcome.replace(Ok(())) {
            resume_unwind(panic);
        }
    }
}

/// Has the main task start the others, calls `all` with all of them, and ends.
struct Lender {
    all: Option<Box<dyn FnOnce(&[&Task])>>,
}

impl Scheduler for Lender {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.all.is_some().then(|| Schedule::new(0))
    }

    fn next_task(&mut self, offered: &[&Task], current: Option<TaskId>, _: bool) -> Option<TaskId> {
        if offered.len() < LENT {
            return current.or(offered.first().map(|task| task.id()));
        }
        let all = self.all.take()?;
        all(offered);
        None
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}
