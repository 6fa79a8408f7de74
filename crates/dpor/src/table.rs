//! The announce table: what each task wants to do next, who holds which lock, who has finished.
//!
//! shuttle runs all tasks of an execution as coroutines of one operating-system thread, and calls
//! the scheduler on the same thread, so that both sides share a thread-local.

use std::cell::RefCell;
use std::time::Duration;

use crate::{Footprint, Kind, Object, Op};

/// What a step turned out to be, when that is less than was announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A try-lock that found the lock held: it only read.
    Failed,
    /// An access with this footprint.
    Footprint(Footprint),
}

/// How far a task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TaskState {
    /// Spawned, and has not run up to its first step.
    Fresh,
    /// Runs: between a step and the announcement of the next.
    Running,
    /// Has announced this step.
    Announced(Op),
    /// Has taken its last step.
    Finished,
}

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) tasks: Vec<TaskState>,
    /// Who holds each lock, by object.
    holders: Vec<Option<usize>>,
    /// Which tokens are set, by object.
    tokens: Vec<bool>,
    /// Kept until the execution is over: shuttle ends it early if all handles are gone.
    handles: Vec<shuttle::thread::JoinHandle<()>>,
    running: usize,
    /// What the scheduler chose for the `Choice` that it lets happen now.
    pub(crate) chosen: u32,
    /// How the last step was refined.
    pub(crate) refined: Option<Outcome>,
    pub(crate) abandoned: bool,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Table) -> R) -> R {
    TABLE.with_borrow_mut(f)
}

/// Forgets the last execution.
pub(crate) fn begin_execution() {
    let handles = with(|table| std::mem::take(&mut table.handles));
    // Dropping a handle may call into shuttle, which must not find the table borrowed.
    drop(handles);
    with(|table| {
        table.tasks.clear();
        table.tasks.push(TaskState::Running);
        table.holders.fill(None);
        table.tokens.fill(false);
        table.running = 0;
        table.refined = None;
        table.abandoned = false;
    });
}

impl Table {
    /// What the task has announced.
    pub(crate) fn announced(&self, task: usize) -> Option<Op> {
        match self.tasks.get(task) {
            Some(TaskState::Announced(op)) => Some(*op),
            _ => None,
        }
    }

    pub(crate) fn holder(&self, lock: Object) -> Option<usize> {
        self.holders.get(lock.0 as usize).copied().flatten()
    }

    /// Can the task take the step that it has announced?
    pub(crate) fn is_enabled(&self, task: usize, op: &Op) -> bool {
        let may_pass = |lock: &Object| self.holder(*lock).is_none_or(|holder| holder == task);
        if !op.passes.iter().flatten().all(may_pass) {
            return false;
        }
        match op.kind {
            Kind::Lock => self.holder(op.object).is_none(),
            Kind::Wait { .. } => self.tokens.get(op.object.0 as usize).is_some_and(|&set| set),
            Kind::Join(other) => self.tasks.get(other) == Some(&TaskState::Finished),
            Kind::Local
            | Kind::Access(_)
            | Kind::TryLock
            | Kind::Unlock
            | Kind::Wake
            | Kind::Spawn(_)
            | Kind::Choice(_) => true,
        }
    }

    fn take_effect(&mut self, task: usize, op: &Op) {
        let object = op.object.0 as usize;
        match op.kind {
            Kind::Lock => *slot(&mut self.holders, object) = Some(task),
            Kind::TryLock => {
                let holder = slot(&mut self.holders, object);
                match holder {
                    Some(_) => self.refined = Some(Outcome::Failed),
                    None => *holder = Some(task),
                }
            }
            Kind::Unlock => *slot(&mut self.holders, object) = None,
            Kind::Wake => *slot(&mut self.tokens, object) = true,
            Kind::Wait { consume: true } => *slot(&mut self.tokens, object) = false,
            Kind::Local
            | Kind::Access(_)
            | Kind::Wait { consume: false }
            | Kind::Spawn(_)
            | Kind::Join(_)
            | Kind::Choice(_) => {}
        }
    }
}

fn slot<T: Default + Clone>(slots: &mut Vec<T>, index: usize) -> &mut T {
    if slots.len() <= index {
        slots.resize(index + 1, T::default());
    }
    &mut slots[index]
}

/// The number of the calling task: 0 for the main closure, then in the order of spawning.
pub fn me() -> usize {
    with(|table| table.running)
}

/// Announces the calling task's next step and returns when it may take effect. From then until its
/// next announcement the task runs alone.
///
/// Returns at once while the task unwinds: shuttle tears down an execution that was given up by
/// unwinding its tasks.
pub fn step(op: Op) {
    if std::thread::panicking() {
        return;
    }
    let task = with(|table| {
        let task = table.running;
        table.tasks[task] = TaskState::Announced(op);
        task
    });
    // The only way to switch tasks that gives the scheduler no hint.
    shuttle::thread::sleep(Duration::ZERO);
    with(|table| {
        table.running = task;
        table.tasks[task] = TaskState::Running;
        table.refined = None;
        table.take_effect(task, &op);
    });
}

/// The step just taken was less than it had announced. The fewer steps conflict, the fewer
/// executions there are.
pub fn refine(outcome: Outcome) {
    with(|table| table.refined = Some(outcome));
}

/// Tries to take a lock: true if it was free.
pub fn try_lock(op: Op) -> bool {
    step(op);
    with(|table| table.refined != Some(Outcome::Failed))
}

/// One of so many alternatives, each of which is explored: 0 to `alternatives - 1`.
///
/// # Panics
/// If there is no alternative.
pub fn choose(alternatives: u32) -> u32 {
    assert!(alternatives > 0, "a choice needs an alternative");
    step(Op::new(Kind::Choice(alternatives), Object(0)));
    with(|table| table.chosen)
}

/// Starts a task, which is a step of the caller. Returns its number.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> usize {
    let next = with(|table| table.tasks.len());
    step(Op::new(Kind::Spawn(next), Object(0)));
    // Somebody else may have spawned while this task waited for its turn.
    let (parent, task) = with(|table| {
        table.tasks.push(TaskState::Fresh);
        (table.running, table.tasks.len() - 1)
    });
    let body = move || {
        with(|table| {
            table.running = task;
            table.tasks[task] = TaskState::Running;
        });
        body();
        if !std::thread::panicking() {
            with(|table| table.tasks[task] = TaskState::Finished);
        }
    };
    let handle = shuttle::thread::Builder::new().name(name.into()).spawn(body);
    let handle = handle.expect("shuttle starts every thread");
    with(|table| {
        table.running = parent;
        table.handles.push(handle);
    });
    task
}

/// Waits until the task has taken its last step.
pub fn join(task: usize) {
    step(Op::new(Kind::Join(task), Object(0)));
}

/// Ends this execution now. For a caller that has seen enough: no panic, no message.
pub fn abandon() -> ! {
    with(|table| table.abandoned = true);
    loop {
        shuttle::thread::sleep(Duration::ZERO);
    }
}

/// What the unfinished tasks have announced.
pub fn pending() -> Vec<(usize, Op)> {
    with(|table| {
        let tasks = 0..table.tasks.len();
        tasks.filter_map(|task| table.announced(task).map(|op| (task, op))).collect()
    })
}
