//! Tasks: starting them, waiting for their end, choosing, failing; and the turn that a task gets
//! for each step.

use std::cell::RefCell;

use dpor::{Kind, Object, Op};
use selvedge_trace::{Action, Context, Event, Name, Rule, TaskInfo, Waiting};

use crate::run;
use crate::weak;

/// Where a new task runs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its CPU; `None` for a task of the scenario itself.
    pub cpu: Option<usize>,
    /// The context that it runs in.
    pub context: Context,
    /// Up to two locks (see [`crate::Lock::object`]) that every step of the task passes: it is
    /// enabled only while each is free or held by the task. This is how a CPU is modelled on
    /// which somebody else runs. Ignored under loom.
    pub passes: [Option<u32>; 2],
}

/// A task's turn: it has announced a step and may take it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn(usize);

impl Turn {
    /// To be called after a loom operation, in which other tasks may have run.
    pub(crate) fn resume(self) {
        run::with(|run| run.current = self.0);
    }
}

/// Announces a step. Under an SC engine other tasks run in here; under loom, in the operation
/// that follows.
pub(crate) fn announce(kind: Kind, object: u32, primitive: &'static str, name: Name) -> Turn {
    let (turn, passes, is_weak, is_too_long) = run::with(|run| {
        let task = run.current as u8;
        let me = run.me_mut();
        me.pending = Some(Waiting { task, primitive, object, name, path: me.path });
        let passes = me.passes;
        (Turn(run.current), passes, run.is_weak(), run.is_too_long())
    });
    if is_too_long {
        stop(Stop::StepLimit);
    }
    if !is_weak {
        let passes = passes.map(|lock| lock.map(Object));
        dpor::step(Op { kind, object: Object(object), passes });
        turn.resume();
    }
    turn
}

/// An object that nobody ever wakes.
const NEVER: Object = Object(u32::MAX);

/// The task takes no further step; the others do. An execution that is given up shows only the
/// races of the steps that it took, so that a search for all violations must not give up any.
fn stand_still() -> ! {
    loop {
        dpor::step(Op::new(Kind::Wait { consume: false }, NEVER));
    }
}

/// Why an execution is given up by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// A rule is broken, and the finding is recorded.
    Failed,
    /// It has more steps than allowed.
    StepLimit,
}

thread_local! {
    /// What stopped the execution, for the engine that finds it stopped.
    static STOPPED: RefCell<Option<Stop>> = const { RefCell::new(None) };
}

/// What stopped the last execution, if it stopped itself.
pub(crate) fn take_stop() -> Option<Stop> {
    STOPPED.take()
}

fn stop(why: Stop) -> ! {
    if why == Stop::Failed && run::with(|run| run.goes_on()) {
        stand_still();
    }
    STOPPED.replace(Some(why));
    if run::is_weak() {
        weak::give_up()
    }
    dpor::abandon()
}

/// Says that `rule` is broken and ends the execution. The step that the task took last is the
/// fatal one.
pub fn fail(rule: Rule, message: impl Into<String>) -> ! {
    let message = message.into();
    run::with(|run| run.broke(rule, message));
    stop(Stop::Failed)
}

/// The same, when the state of an object is wrong: the step that changed it last is the fatal one.
pub fn fail_about(rule: Rule, message: impl Into<String>, object: u32) -> ! {
    let message = message.into();
    run::with(|run| run.broke_by(rule, message, object));
    stop(Stop::Failed)
}

/// Starts a task and returns its number.
pub fn spawn(name: &str, place: Place, body: impl FnOnce() + Send + 'static) -> usize {
    let turn = await_turn("spawn", Name::new("task"));
    let info =
        TaskInfo { name: name.into(), cpu: place.cpu.map(|cpu| cpu as u8), context: place.context };
    let finish = |task: usize| run::with(|run| run.tasks[task].finished = true);
    let task = if run::is_weak() {
        let task = run::with(|run| run.add_task(info, place.passes));
        let body = move || {
            Turn(task).resume();
            body();
            finish(task);
        };
        weak::spawn(task, body);
        task
    } else {
        // Others may spawn while this task waits for its turn: its number is known afterwards.
        let number = dpor::spawn(name, move || {
            let task = dpor::me();
            Turn(task).resume();
            body();
            finish(task);
        });
        let task = run::with(|run| run.add_task(info, place.passes));
        assert_eq!(number, task, "tasks are numbered in the order in which they are spawned");
        task
    };
    record(turn, Action::Spawn, "spawn", task);
    task
}

/// Notes what the task is about to wait for.
fn await_turn(primitive: &'static str, name: Name) -> Turn {
    run::with(|run| {
        let (task, path) = (run.current as u8, run.me().path);
        let pending = Waiting { task, primitive, object: u32::MAX, name, path };
        run.me_mut().pending = Some(pending);
        Turn(run.current)
    })
}

/// Waits until the task has finished.
pub fn join(task: usize) {
    let turn = await_turn("join", Name::new("end of task").nth(task));
    if run::is_weak() {
        weak::join(task);
    } else {
        dpor::join(task);
    }
    record(turn, Action::Join, "join", task);
}

/// One of `alternatives` things happens; complete engines explore each. Returns which, from 0.
pub fn choose(what: &'static str, alternatives: u32) -> u32 {
    let turn = Turn(run::me());
    let chosen =
        if run::is_weak() { weak::choose(alternatives) } else { dpor::choose(alternatives) };
    turn.resume();
    run::with(|run| {
        let blank = run.blank(Action::Choice, what);
        run.record(Event { new: u64::from(chosen), ..blank });
    });
    chosen
}

fn record(turn: Turn, action: Action, primitive: &'static str, task: usize) {
    turn.resume();
    run::with(|run| {
        let blank = run.blank(action, primitive);
        run.record(Event { new: task as u64, name: Name::new("task").nth(task), ..blank });
    });
}
