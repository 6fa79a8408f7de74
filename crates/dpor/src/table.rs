//! The announce table: what each task wants to do next, who holds which lock, who has finished.
//!
//! All tasks of an execution run as coroutines of one operating-system thread, shuttle's or our own
//! ([`crate::coroutines`]), and who schedules them runs on the same thread, so that both sides
//! share a thread-local.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};

use crate::fingerprint::{Local, StateHash};
use crate::symmetry::Turns;
use crate::{Footprint, Kind, Object, Op, coroutines, on_shuttle};

/// What a step turned out to be, when that is less than was announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A try-lock that found the lock held: it only read.
    Failed,
    /// An access with this footprint.
    Footprint(Footprint),
}

/// How far a task is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
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

/// A step that an earlier execution has taken, which this one begins with too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) task: usize,
    /// The alternative, if it is a choice; else 0.
    pub(crate) alternative: u32,
    pub(crate) op: Op,
}

/// What steps on locks and tokens have done.
#[derive(Default)]
struct Locks {
    /// Who holds each lock, by object.
    holders: Vec<Option<usize>>,
    /// Which tokens are set, by object.
    tokens: Vec<bool>,
}

impl Locks {
    /// The task takes the step. Returns what it turned out to be, if that is less than announced.
    #[inline(always)]
    fn take(&mut self, task: usize, op: &Op) -> Option<Outcome> {
        let is_access = matches!(op.kind, Kind::Access(_) | Kind::Await(..));
        if is_access { None } else { self.take_other(task, op) }
    }

    /// The same of a step that is no access.
    #[inline(never)]
    fn take_other(&mut self, task: usize, op: &Op) -> Option<Outcome> {
        let object = op.object.0 as usize;
        match op.kind {
            Kind::Lock => *slot(&mut self.holders, object) = Some(task),
            Kind::TryLock => match slot(&mut self.holders, object) {
                Some(_) => return Some(Outcome::Failed),
                holder @ None => *holder = Some(task),
            },
            Kind::Unlock => *slot(&mut self.holders, object) = None,
            Kind::Wake => *slot(&mut self.tokens, object) = true,
            Kind::Wait { consume: true } => *slot(&mut self.tokens, object) = false,
            Kind::Access(_)
            | Kind::Await(..)
            | Kind::Local
            | Kind::Wait { consume: false }
            | Kind::Spawn(_)
            | Kind::Join(_)
            | Kind::Choice(_) => {}
        }
        None
    }

    /// How locks and tokens are.
    fn hash_into(&self, hash: &mut StateHash) {
        let lock = |holder: &Option<usize>| holder.map_or(0, |task| task as u64 + 1);
        // The lists only ever grow; a lock that is not yet in the list is as free as one that is.
        let last = self.holders.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        hash.write_usize(last);
        self.holders[..last].iter().for_each(|holder| hash.write_u64(lock(holder)));
        let last = self.tokens.iter().rposition(|&set| set).map_or(0, |last| last + 1);
        hash.write_usize(last);
        self.tokens[..last].iter().for_each(|&set| hash.write_u8(u8::from(set)));
    }
}

#[derive(Default)]
pub(crate) struct Table {
    pub(crate) tasks: Vec<TaskState>,
    /// How many of them have not run up to their first step.
    fresh: usize,
    locks: Locks,
    /// Kept until the execution is over: shuttle ends it early if all handles are gone.
    handles: Vec<shuttle::thread::JoinHandle<()>>,
    running: usize,
    /// What the scheduler chose for the `Choice` that it lets happen now.
    pub(crate) chosen: u32,
    /// How the last step was refined.
    pub(crate) refined: Option<Outcome>,
    /// The value that the last step found in its word, if it is about one, and not known.
    pub(crate) found: u64,
    pub(crate) abandoned: bool,
    /// What the execution is known to begin with. Nobody has to decide about these steps: a task
    /// whose turn it stays goes on without a switch to the scheduler.
    pub(crate) known: Vec<Known>,
    /// How many decisions have been made. The next step is the known one of this number.
    pub(crate) decisions: usize,
    /// How many steps this execution has in common with the one before.
    pub(crate) in_common: usize,
    /// What each task has observed; kept only if the search compares states.
    locals: Option<Vec<Local>>,
    pub(crate) turns: Turns,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
    /// Is it kept what tasks observe?
    static KEEPS_OBSERVATIONS: Cell<bool> = const { Cell::new(false) };
    /// See [`values`].
    static VALUES: Cell<Option<ValueOf>> = const { Cell::new(None) };
}

type ValueOf = fn(Object) -> u64;

/// Says how the searches on this thread learn the value that a word has: for programs that wait for
/// one ([`Kind::Await`]). It may be asked at any time, by whoever runs.
pub fn values(of: fn(Object) -> u64) {
    VALUES.set(Some(of));
}

/// The value of a word; 0 if nobody said how to learn it.
pub(crate) fn value_of(word: Object) -> u64 {
    VALUES.get().map_or(0, |of| of(word))
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Table) -> R) -> R {
    TABLE.with_borrow_mut(f)
}

/// Forgets the last execution. In the next one, what tasks observe is kept if asked.
pub(crate) fn begin_execution(keeps_observations: bool) {
    KEEPS_OBSERVATIONS.set(keeps_observations);
    let handles = with(|table| std::mem::take(&mut table.handles));
    // Dropping a handle may call into shuttle, which must not find the table borrowed.
    drop(handles);
    with(|table| {
        table.tasks.clear();
        table.tasks.push(TaskState::Running);
        table.fresh = 0;
        table.locks.holders.fill(None);
        table.locks.tokens.fill(false);
        table.turns.clear();
        table.running = 0;
        table.refined = None;
        table.abandoned = false;
        table.known.clear();
        table.decisions = 0;
        table.in_common = 0;
        table.locals = keeps_observations.then(|| vec![Local::default()]);
    });
}

impl Table {
    /// The object that the task has read without saying what it saw.
    fn owed(&self, task: usize) -> Option<u32> {
        self.locals.as_ref().and_then(|locals| locals[task].owes)
    }

    /// May a task have something to do before it takes its next step?
    fn has_duties(&self) -> bool {
        self.locals.is_some() || !self.turns.is_empty()
    }

    /// What the task has announced.
    pub(crate) fn announced(&self, task: usize) -> Option<Op> {
        match self.tasks.get(task) {
            Some(TaskState::Announced(op)) => Some(*op),
            _ => None,
        }
    }

    /// Adds the task and its step, if it has announced one and can take it.
    #[inline]
    pub(crate) fn add_enabled(&self, task: usize, to: &mut Vec<(usize, Op)>) {
        if let Some(TaskState::Announced(op)) = self.tasks.get(task)
            && self.is_enabled(task, op)
        {
            to.push((task, *op));
        }
    }

    /// The first task that has not run up to its first step.
    #[inline]
    pub(crate) fn first_fresh(&self) -> Option<usize> {
        let mut tasks = self.tasks.iter();
        if self.fresh == 0 { None } else { tasks.position(|s| matches!(s, TaskState::Fresh)) }
    }

    /// Decides for the next known step, if its task has announced it: the task. It can take the
    /// step, as it could after the same steps before.
    #[inline]
    pub(crate) fn take_known(&mut self) -> Option<usize> {
        let known = self.known.get(self.decisions)?;
        let (task, alternative) = (known.task, known.alternative);
        match self.tasks.get(task) {
            Some(TaskState::Announced(op)) if op.is(&known.op) => {}
            _ => return None,
        }
        self.decisions += 1;
        self.chosen = alternative;
        Some(task)
    }

    /// Takes the next known step, if it is one of the running task, and the one that is meant, and
    /// nobody has to run before it.
    #[inline(always)]
    fn takes_again(&mut self, is_it: impl FnOnce(&Op) -> bool) -> bool {
        let Some(known) = self.known.get(self.decisions) else { return false };
        let task = self.running;
        if known.task != task || self.fresh != 0 || self.abandoned || !is_it(&known.op) {
            return false;
        }
        self.chosen = known.alternative;
        self.decisions += 1;
        self.refined = self.locks.take(task, &known.op);
        true
    }

    /// The running task is about to take a step.
    #[inline(always)]
    fn begin(&mut self, op: &Op) -> Begun {
        if self.takes_again(|known| known.is(op)) {
            return Begun::Taken;
        }
        let task = self.running;
        let is_new = self.decisions >= self.known.len();
        let could = is_new && self.fresh == 0 && !self.abandoned && self.is_enabled(task, op);
        if could { Begun::New(task, self.decisions) } else { Begun::Waits(task) }
    }

    pub(crate) fn holder(&self, lock: Object) -> Option<usize> {
        self.locks.holders.get(lock.0 as usize).copied().flatten()
    }

    /// Can the task take the step that it has announced?
    pub(crate) fn is_enabled(&self, task: usize, op: &Op) -> bool {
        let may_pass = |lock| self.holder(Object(lock)).is_none_or(|holder| holder == task);
        if !op.passes.iter().all(may_pass) {
            return false;
        }
        match op.kind {
            Kind::Lock => self.holder(op.object).is_none(),
            Kind::Wait { .. } => {
                self.locks.tokens.get(op.object.0 as usize).is_some_and(|&set| set)
            }
            Kind::Await(_, until) => until.is_met(value_of(op.object)),
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

    /// All that the table knows of the state: what each task is about to do and has observed, and
    /// how locks and tokens are.
    pub(crate) fn hash_into(&self, hash: &mut StateHash) {
        self.tasks.hash(hash);
        self.observed().for_each(|observed| hash.write_u128(observed));
        self.hash_locks_into(hash);
    }

    /// How locks and tokens are.
    pub(crate) fn hash_locks_into(&self, hash: &mut StateHash) {
        self.locks.hash_into(hash);
    }

    /// A hash of what each task has observed, by number. What one has that has finished it will do
    /// nothing about.
    pub(crate) fn observed(&self) -> impl Iterator<Item = u128> {
        let of = |(local, state): (&Local, &TaskState)| match state {
            TaskState::Finished => 0,
            TaskState::Fresh | TaskState::Running | TaskState::Announced(_) => local.now(),
        };
        self.locals.iter().flatten().zip(&self.tasks).map(of)
    }

    /// Keeps what the table itself saw the step do to its task.
    #[cold]
    fn note_observations(&mut self, task: usize, op: &Op) {
        let Some(locals) = &mut self.locals else { return };
        let (chosen, failed) = (self.chosen, self.refined == Some(Outcome::Failed));
        let next = self.tasks.len() as u64;
        let local = &mut locals[task];
        local.tick();
        match op.kind {
            Kind::Choice(_) => local.observe(u64::from(chosen)),
            Kind::TryLock => local.observe(u64::from(failed)),
            Kind::Spawn(_) => local.observe(next),
            Kind::Access(footprint) | Kind::Await(footprint, _) if footprint.reads != 0 => {
                local.owes = Some(op.object.0);
            }
            _ => {}
        }
    }

    /// The task takes the step, which is [known](step_is_known), or not.
    fn has_let_go(&mut self, task: usize, op: &Op, is_known: bool) {
        self.refined = self.locks.take(task, op);
        if !is_known && matches!(op.kind, Kind::Access(_) | Kind::Await(..)) {
            self.found = value_of(op.object);
        }
        if self.locals.is_some() {
            self.note_observations(task, op);
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
/// Returns at once while the task unwinds, since its execution has ended.
///
/// A twin ([`crate::spawn_twins`]) takes a step of its own between its first and its second.
///
/// # Panics
/// Under [`crate::Stateful`], if the task's last step read an object and the task has not said
/// what it saw ([`observe`], [`at_rest`]).
pub fn step(op: Op) {
    step_is_known(&op);
}

/// The same. Is the step *known*? Then an earlier execution has taken it after the same steps, so
/// that it is known what it does: that it did less than announced need not be said ([`refine`]).
///
/// # Panics
/// As [`step`].
pub fn step_is_known(op: &Op) -> bool {
    if std::thread::panicking() { false } else { take(op) }
}

/// Takes the next step of the running task, if an earlier execution has taken it after the same
/// steps, and the task goes on at once. `is_it` is asked whether that step is the one that is to be
/// taken now. Else nothing happens, and the step is still to be taken.
#[inline(always)]
pub fn step_again(is_it: impl FnOnce(&Op) -> bool) -> bool {
    // A twin that owes a step, or a task that owes an observation, is told so by `take`.
    let again = |table: &mut Table| !table.has_duties() && table.takes_again(is_it);
    !std::thread::panicking() && with(again)
}

/// How far the running task comes with a step by itself.
enum Begun {
    /// The step has been taken: it was the task's turn.
    Taken,
    /// It is new, and this task could go on with it; so many steps have been let go.
    New(usize, usize),
    /// Somebody else has to go on.
    Waits(usize),
}

fn take(op: &Op) -> bool {
    let begun = with(|table| (!table.has_duties()).then(|| table.begin(op)));
    let begun = begun.unwrap_or_else(|| begin_after_duties(op));
    let task = match begun {
        Begun::Taken => return true,
        Begun::New(task, steps) if coroutines::goes_on(task, op, steps) => {
            with(|table| {
                table.decisions += 1;
                table.has_let_go(task, op, false);
            });
            return false;
        }
        Begun::New(task, _) | Begun::Waits(task) => task,
    };
    with(|table| table.tasks[task] = TaskState::Announced(*op));
    switch();
    with(|table| {
        table.running = task;
        table.tasks[task] = TaskState::Running;
        let is_known = table.decisions <= table.known.len();
        table.has_let_go(task, op, is_known);
        is_known
    })
}

#[cold]
fn begin_after_duties(op: &Op) -> Begun {
    do_duties();
    with(|table| table.begin(op))
}

/// A twin lets the next one begin before it takes its second step.
///
/// # Panics
/// If the task has not said what it saw of an object.
#[cold]
fn do_duties() {
    let (task, due) = with(|table| (table.running, table.turns.due_before_step(table.running)));
    if let Some(token) = due {
        take(&Op::new(Kind::Wake, token));
    }
    if let Some(object) = with(|table| table.owed(task)) {
        panic!("task {task} read object {object} and went on without saying what it saw");
    }
}

/// Says what the step just taken let the calling task see: the value that it read, or what it will
/// use of it. Counts only under [`crate::Stateful`], where every step that reads must be followed
/// by this or by [`at_rest`]; the outcomes of try-locks and choices are known.
#[inline]
pub fn observe(value: u64) {
    if KEEPS_OBSERVATIONS.get() {
        with_local(|local| local.observe(value));
    }
}

/// Does it count what tasks say that they have observed: does the search compare states?
pub fn keeps_observations() -> bool {
    KEEPS_OBSERVATIONS.get()
}

/// Says that the calling task has no live local variable: what it will do is determined by its
/// `position`, by what it was given when it was spawned, and by what it reads from now on. What it
/// has observed so far no longer tells states apart; after its end nothing does that it has.
/// Counts only under [`crate::Stateful`].
#[inline]
pub fn at_rest(position: u64) {
    if KEEPS_OBSERVATIONS.get() {
        with_local(|local| local.at_rest(position));
    }
}

#[cold]
fn with_local(change: impl FnOnce(&mut Local)) {
    with(|table| {
        let task = table.running;
        if let Some(local) = table.locals.as_mut().and_then(|locals| locals.get_mut(task)) {
            change(local);
        }
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
        let number = table.tasks.len();
        let parent = table.running;
        if let Some(locals) = &mut table.locals {
            locals.push(Local::spawned_by(&locals[parent], number));
        }
        table.tasks.push(TaskState::Fresh);
        table.fresh += 1;
        (table.running, table.tasks.len() - 1)
    });
    let body = move || {
        with(|table| {
            table.running = task;
            table.tasks[task] = TaskState::Running;
            table.fresh -= 1;
        });
        body();
        with(|table| table.tasks[task] = TaskState::Finished);
    };
    if coroutines::is_in_use() {
        coroutines::start(body);
        return task;
    }
    let handle = on_shuttle::start(name, body);
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
        switch();
    }
}

/// Lets other tasks run.
fn switch() {
    if coroutines::is_in_use() {
        coroutines::switch();
    } else {
        on_shuttle::switch();
    }
}

/// The task that holds the lock: no step.
#[inline]
pub fn holder(lock: Object) -> Option<usize> {
    with(|table| table.holder(lock))
}

/// How many steps the execution that runs has in common, at its beginning, with the one that ran
/// before it on this thread: the same tasks take the same steps in the same order. For a caller who
/// keeps what was recorded of them. 0 where that is not known: only [`crate::Search`] and
/// [`crate::Dpor`] know it.
pub fn steps_in_common() -> usize {
    with(|table| table.in_common)
}

/// How many steps have been let go in this execution, that of the calling task included.
#[inline]
pub fn steps_taken() -> usize {
    with(|table| table.decisions)
}

/// What the unfinished tasks have announced.
pub fn pending() -> Vec<(usize, Op)> {
    with(|table| {
        let tasks = 0..table.tasks.len();
        tasks.filter_map(|task| table.announced(task).map(|op| (task, op))).collect()
    })
}
