//! Tasks as coroutines of our own, for [`crate::Search`]: the way from a task to who lets it go on,
//! and back, and nothing else.
//!
//! shuttle knows of each task a name, labels, a vector clock, a signature and a span, and of each
//! switch between tasks whom it could have let go. A search that starts the same tasks a hundred
//! thousand times and knows better who can go on spends a quarter of its time on that. What a task
//! announces, who decides, and in which order tasks are started and numbered is the same under
//! both, so that shuttle under [`crate::Dpor`] is a second opinion.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::dfs::Replay;
use crate::driver::{Driver, Strategy};
use crate::table::{self, TaskState};
use crate::{Bounded, Op, SleepSets};

type Task = Coroutine<(), (), (), DefaultStack>;

thread_local! {
    /// What the running task needs to stop; null if no task of ours runs.
    static STOP: Cell<*const Yielder<(), ()>> = const { Cell::new(std::ptr::null()) };
    static STARTED: RefCell<Started> = const { RefCell::new(Started::new()) };
    /// Who decides, while there are tasks of ours.
    static DECIDES: RefCell<Option<Rc<RefCell<dyn Decides>>>> = const { RefCell::new(None) };
}

/// A driver, to a task.
trait Decides {
    /// See [`Driver::goes_on`].
    fn goes_on(&mut self, task: usize, op: &Op, steps: usize) -> bool;
}

impl<S: Strategy> Decides for Driver<S> {
    fn goes_on(&mut self, task: usize, op: &Op, steps: usize) -> bool {
        Driver::goes_on(self, task, op, steps)
    }
}

/// Does the running task take this step, and nobody is asked who else could go on? It asks on its
/// own stack, which saves most new steps the way to who lets tasks go, and back. So many `steps`
/// have been let go.
pub(crate) fn goes_on(task: usize, op: &Op, steps: usize) -> bool {
    DECIDES.with_borrow(|decides| match decides {
        Some(decides) => decides.borrow_mut().goes_on(task, op, steps),
        None => false,
    })
}

/// What a task that starts another shares with who lets tasks go, on this thread.
struct Started {
    /// The tasks that have been started since somebody was last let go for the first time.
    tasks: Vec<Option<Task>>,
    /// Stacks that can be used again.
    stacks: Vec<DefaultStack>,
    /// The size of a stack, in bytes.
    stack: usize,
    /// Whether there are frames on the stacks of this execution that cannot be unwound.
    is_left: bool,
}

impl Started {
    const fn new() -> Started {
        Started { tasks: Vec::new(), stacks: Vec::new(), stack: 0, is_left: false }
    }
}

/// The tasks of an execution, by number; `None`: it has ended.
#[derive(Default)]
struct Tasks(Vec<Option<Task>>);

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
        started.tasks.push(Some(Task::with_stack(stack, move |stop, ()| {
            STOP.set(stop);
            body();
        })));
    });
}

/// Tasks that have not ended when the running execution does are not unwound: there are frames on
/// their stacks that cannot be, such as those of C. What they own is never dropped, and nobody may
/// refer to what is on their stacks any more.
pub fn never_unwind() {
    STARTED.with_borrow_mut(|started| started.is_left = true);
}

/// Was it said of the execution that ends ([`never_unwind`])?
pub(crate) fn take_is_left() -> bool {
    STARTED.with_borrow_mut(|started| std::mem::take(&mut started.is_left))
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

/// A search whose tasks can run on coroutines of ours.
pub trait Unwinding {
    /// Runs `body` as [`crate::run`] does, for a fraction of what shuttle's coroutines cost.
    ///
    /// # Panics
    /// If the body does.
    fn run_unwinding(self, stack: usize, body: impl Fn() + Clone + 'static);
}

macro_rules! unwinding {
    ($($search:ty),+) => {
        $(impl Unwinding for $search {
            fn run_unwinding(self, stack: usize, body: impl Fn() + Clone + 'static) {
                run(self.driver, stack, body);
            }
        })+
    };
}

unwinding!(Bounded, Replay, SleepSets);

/// Runs `body`, as task 0, and the tasks that it starts, until the driver has no more executions.
/// `stack` is the stack of a task, in bytes.
///
/// # Panics
/// If the body does.
pub(crate) fn run<S: Strategy + 'static>(
    driver: Driver<S>,
    stack: usize,
    body: impl Fn() + Clone + 'static,
) {
    STARTED.set(Started { stack, ..Started::new() });
    let driver = Rc::new(RefCell::new(driver));
    DECIDES.set(Some(driver.clone()));
    let mut tasks = Tasks::default();
    while driver.borrow_mut().begin() {
        let body = body.clone();
        start(move || {
            body();
            table::with(|table| table.tasks[0] = TaskState::Finished);
        });
        let execution = catch_unwind(AssertUnwindSafe(|| {
            let mut next = Some(0);
            while let Some(task) = next {
                tasks.resume(task);
                next = driver.borrow_mut().next();
            }
        }));
        STOP.set(std::ptr::null());
        tasks.end_all();
        if let Err(panic) = execution {
            STARTED.set(Started::new());
            DECIDES.set(None);
            resume_unwind(panic);
        }
    }
    STARTED.set(Started::new());
    DECIDES.set(None);
    table::begin_execution(false);
}

impl Tasks {
    /// Takes in those that have been started.
    #[cold]
    fn take_started(&mut self) {
        STARTED.with_borrow_mut(|started| self.0.append(&mut started.tasks));
    }

    /// Lets a task go on until it lets others run.
    #[inline]
    fn resume(&mut self, number: usize) {
        if number >= self.0.len() {
            self.take_started();
        }
        let slot = &mut self.0[number];
        let task = slot.as_mut().expect("who is let go has not ended");
        if let CoroutineResult::Return(()) = task.resume(()) {
            slot.take().into_iter().for_each(keep_stack);
        }
    }

    /// Ends all tasks wherever they are, and keeps their stacks: by unwinding, in which what is
    /// dropped takes no steps, if they can be unwound.
    fn end_all(&mut self) {
        self.take_started();
        let is_left = take_is_left();
        for mut task in self.0.drain(..).flatten() {
            if is_left {
                #[expect(unsafe_code, reason = "frames of C have nothing that could be unwound")]
                // SAFETY: it leaks what the task owns. Who asked for it (`never_unwind`) sees to it
                // that nobody refers to what is on the stack: all tasks end here together.
                unsafe {
                    task.force_reset();
                }
            } else {
                task.force_unwind();
            }
            keep_stack(task);
        }
    }
}

/// Keeps the stack of a task that has ended.
fn keep_stack(task: Task) {
    STARTED.with_borrow_mut(|started| started.stacks.push(task.into_stack()));
}
