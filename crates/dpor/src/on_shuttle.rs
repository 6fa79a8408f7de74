//! Tasks as coroutines of shuttle's, for any of its schedulers: the way from a task to who lets it
//! go on, and back.
//!
//! shuttle leaves the stacks of tasks that have not ended when the scheduler ends their execution:
//! what they own is never dropped. In a search that gives most of its executions up that adds up,
//! to gigabytes in an hour. So who ends an execution lets each of these tasks go on once more, to
//! unwind; then the execution has ended by itself, and shuttle uses the stacks again.
//!
//! A task that panics does not get that far as shuttle either, which would print it: it ends the
//! execution, and [`run`] panics when the others have unwound.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::thread::JoinHandle;

use crate::coroutines;
use crate::table::{self, TaskState};

/// With this a task unwinds. It is no panic: no hook is told.
struct ExecutionEnded;

thread_local! {
    /// Has the execution ended, so that tasks which go on unwind?
    static UNWINDS: Cell<bool> = const { Cell::new(false) };
    /// What a task panicked with. There are no more executions then.
    static PANIC: RefCell<Option<Box<dyn Any + Send>>> = const { RefCell::new(None) };
}

/// A scheduler that lets tasks unwind where the one within ends an execution.
struct ThenUnwind<S>(S);

impl<S: Scheduler> Scheduler for ThenUnwind<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        UNWINDS.set(false);
        coroutines::take_is_left();
        if PANIC.with_borrow(Option::is_some) { None } else { self.0.new_execution() }
    }

    fn next_task(
        &mut self,
        offered: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        if !UNWINDS.get() {
            let next = self.0.next_task(offered, current, is_yielding);
            if next.is_some() || coroutines::take_is_left() {
                return next;
            }
            UNWINDS.set(true);
        }
        offered.first().map(|task| task.id())
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// Adds a task, which runs when it is let go.
pub(crate) fn start(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    let handle = shuttle::thread::Builder::new().name(name.into()).spawn(|| to_its_end(body));
    handle.expect("shuttle starts every thread")
}

/// Lets others run; returns when the running task is to go on.
pub(crate) fn switch() {
    // The only way to switch shuttle's tasks that gives the scheduler no hint.
    shuttle::thread::sleep(Duration::ZERO);
    if UNWINDS.get() {
        resume_unwind(Box::new(ExecutionEnded));
    }
}

/// Runs a task until it ends, or unwinds it.
fn to_its_end(body: impl FnOnce()) {
    if UNWINDS.get() {
        return;
    }
    let Err(payload) = catch_unwind(AssertUnwindSafe(body)) else { return };
    if !payload.is::<ExecutionEnded>() {
        PANIC.set(Some(payload));
        table::with(|table| table.abandoned = true);
    }
}

/// Runs `body` under `scheduler` until that has no more executions. `stack` is the stack of a task,
/// in bytes. Tasks that have not ended when their execution does are unwound
/// ([`crate::never_unwind`] says when not).
///
/// # Panics
/// If the body does.
pub fn run(
    scheduler: impl Scheduler + 'static,
    stack: usize,
    body: impl Fn() + Send + Sync + 'static,
) {
    let mut config = shuttle::Config::new();
    config.stack_size = stack;
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.max_steps = shuttle::MaxSteps::None;
    config.silence_warnings = true;
    let body = move || {
        to_its_end(|| {
            body();
            table::with(|table| table.tasks[0] = TaskState::Finished);
        });
    };
    PANIC.set(None);
    shuttle::Runner::new(ThenUnwind(scheduler), config).run(body);
    table::begin_execution(false);
    if let Some(payload) = PANIC.take() {
        resume_unwind(payload);
    }
}
