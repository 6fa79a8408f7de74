//! Tasks as coroutines of our own ([`crate::Drive`]): the way from a task to who lets it go on, and
//! back, and nothing else.
//!
//! shuttle knows of each task a name, labels, a vector clock, a signature and a span, and of each
//! switch between tasks whom it could have let go. A search that starts the same tasks a hundred
//! thousand times and knows better who can go on spends a quarter of its time on that. What a task
//! announces, who decides, and in which order tasks are started and numbered is the same under
//! both; the tests run the same programs on both.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::driver::{Driver, Strategy};
use crate::table::{self, TaskState};

type Task = Coroutine<(), (), (), DefaultStack>;

thread_local! {
    /// What the running task needs to stop; null if no task of ours runs.
    static STOP: Cell<*const Yielder<(), ()>> = const { Cell::new(std::ptr::null()) };
    static STARTED: RefCell<Started> = const { RefCell::new(Started::new()) };
}

/// What a task needs to start another.
struct Started {
    /// Tasks that have been started and not been let go, by number.
    tasks: Vec<Task>,
    /// Stacks that can be used again.
    stacks: Vec<DefaultStack>,
    /// The size of a stack, in bytes.
    stack: usize,
}

impl Started {
    const fn new() -> Started {
        Started { tasks: Vec::new(), stacks: Vec::new(), stack: 0 }
    }
}

/// Do the tasks of this thread run on coroutines of ours?
pub(crate) fn is_in_use() -> bool {
    !STOP.get().is_null()
}

/// Adds a task, which runs when it is let go.
pub(crate) fn start(body: impl FnOnce() + 'static) {
    STARTED.with_borrow_mut(|started| {
        let stack = started.stacks.pop().unwrap_or_else(|| {
            DefaultStack::new(started.stack).expect("the operating system has memory for a stack")
        });
        started.tasks.push(Task::with_stack(stack, move |stop, ()| {
            STOP.set(stop);
            body();
        }));
    });
}

/// Lets others run; returns when the running task is to go on.
///
/// # Panics
/// If no task runs.
pub(crate) fn switch() {
    let stop = STOP.get();
    assert!(!stop.is_null(), "only a task switches to others");
    #[expect(unsafe_code, reason = "the way from a free function back to its own coroutine")]
    // SAFETY: `STOP` was set by the coroutine that runs now: `start` sets it before the body runs,
    // and it is set again below whenever the coroutine goes on. Its yielder lives on its stack as
    // long as the coroutine does.
    unsafe {
        (*stop).suspend(());
    }
    STOP.set(stop);
}

/// Runs `body`, as task 0, and the tasks that it starts, until the driver has no more executions.
/// `stack` is the stack of a task, in bytes; `lent` are tasks of shuttle's, for a strategy that
/// looks at such.
///
/// # Panics
/// If the body does.
pub(crate) fn run<S: Strategy>(
    mut driver: Driver<S>,
    stack: usize,
    body: &Rc<impl Fn() + 'static>,
    lent: &[&shuttle::scheduler::Task],
) {
    STARTED.set(Started { stack, ..Started::new() });
    let mut tasks = Tasks::default();
    while driver.begin() {
        let body = body.clone();
        start(move || {
            body();
            table::with(|table| table.tasks[0] = TaskState::Finished);
        });
        let execution = catch_unwind(AssertUnwindSafe(|| {
            let mut next = Some(0);
            while let Some(task) = next {
                tasks.resume(task);
                next = driver.next(lent);
            }
        }));
        STOP.set(std::ptr::null());
        tasks.end();
        if let Err(panic) = execution {
            STARTED.set(Started::new());
            resume_unwind(panic);
        }
    }
    STARTED.set(Started::new());
    table::begin_execution(false);
}

/// The tasks of an execution that have been let go, by number; `None`: it has ended.
#[derive(Default)]
struct Tasks(Vec<Option<Task>>);

impl Tasks {
    /// Lets a task go on until it lets others run.
    fn resume(&mut self, number: usize) {
        if number >= self.0.len() {
            self.take_over();
        }
        let slot = &mut self.0[number];
        let task = slot.as_mut().expect("who is let go has not ended");
        if let CoroutineResult::Return(()) = task.resume(()) {
            slot.take().into_iter().for_each(keep_stack);
        }
    }

    /// Those that have been started meanwhile.
    fn take_over(&mut self) {
        STARTED.with_borrow_mut(|started| self.0.extend(started.tasks.drain(..).map(Some)));
    }

    /// Ends all wherever they are, by unwinding. What is dropped there takes no steps.
    fn end(&mut self) {
        self.take_over();
        for mut task in self.0.drain(..).flatten() {
            task.force_unwind();
            keep_stack(task);
        }
    }
}

fn keep_stack(task: Task) {
    let stack = task.into_stack();
    STARTED.with_borrow_mut(|started| started.stacks.push(stack));
}
