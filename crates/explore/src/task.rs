//! Tasks: starting them, waiting for their end, choosing, failing; and where a task is: its CPU,
//! its context, the functions that it is in.

use selvedge_trace::{Action, Context, Name, Rule};

use crate::machine::{Abilities, Start};
use crate::record::{self, Within};
use crate::step::{Does, Step};
use crate::{footprint, gate, state};

/// Where a new task runs.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its CPU; `None` for a task of the scenario itself.
    pub cpu: Option<usize>,
    /// The context that it runs in.
    pub context: Context,
    /// Up to two locks (see [`crate::Lock::object`]) that every step of the task passes: it is
    /// enabled only while each is free or held by the task. This is how a CPU is modelled on
    /// which somebody else runs. Only where [`Abilities::steps_pass_locks`].
    pub passes: [Option<u32>; 2],
}

/// Why an execution is given up by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// A rule is broken, and the finding is recorded.
    Failed,
    /// It has more steps than allowed.
    StepLimit,
    /// It does not keep the orders of steps that are asked for.
    Astray,
    /// It needs something that the engine cannot do.
    Unable(String),
}

/// Ends the execution. The search goes on after a violation if it was asked to: then the task takes
/// no further step, and the others do.
pub(crate) fn stop(why: Stop) -> ! {
    let (machine, stands_still) = record::with(|record| (record.machine, record.stops(why)));
    if stands_still { machine.stand_still() } else { machine.give_up() }
}

/// Says that `rule` is broken and ends the execution. The step that the task took last is the
/// fatal one.
pub fn fail(rule: Rule, message: impl Into<String>) -> ! {
    let message = message.into();
    record::with(|record| record.broke(rule, message, None));
    stop(Stop::Failed)
}

/// The same, when the state of an object is wrong: the step that changed it last is the fatal one.
pub fn fail_about(rule: Rule, message: impl Into<String>, object: u32) -> ! {
    let message = message.into();
    record::with(|record| record.broke(rule, message, Some(object)));
    stop(Stop::Failed)
}

/// What the engine of this run can do.
pub fn abilities() -> Abilities {
    record::with(|record| record.machine).abilities()
}

/// A task looks at a word, and waits for a token unless it finds there what others write; each of
/// them writes it, and then sets the token in its very next step, with nobody else able to run on
/// its CPU in between. May the task wait first, and then look?
///
/// # Why it may
///
/// If the task finds what it looks for before the token is set, it could go on a moment earlier
/// than if it waited. In that moment the other does nothing but to set the token, which nobody
/// looks at but who waits for it; so all that the task does then it can do after that step as well,
/// with the same outcome. What it finds at its first look, and that it has used up a token, is seen
/// by nobody: who finds a token that is left over looks again, and waits again. So the final states
/// and the deadlocks are the same, and there are fewer executions: none that differ only in whether
/// a look came before the write.
///
/// # When it may not
///
/// Under weak memory, where the look and the write are ordered by less than the token; if a monitor
/// asks who wrote what was read, since the token orders more than the look; if an edit may have
/// left out one of the steps.
pub fn may_wait_first() -> bool {
    let may =
        record::with(|record| record.machine.abilities().waits_first && !record.edits.is_some());
    may && !footprint::is_asked_who_wrote()
}

/// Ends the search, undecided: the scenario needs something that the engine of this run cannot do.
pub fn unable(why: impl Into<String>) -> ! {
    stop(Stop::Unable(why.into()))
}

/// Something to do with the object is put off, and must be done ([`made_up`]) before the execution
/// ends. If it is not, the execution is not the scenario's, and the search is undecided; `why` says
/// what is missing.
pub fn put_off(object: u32, why: impl Into<String>) {
    let why = why.into();
    record::with(|record| record.put_off(object, why));
}

/// What was [`put_off`] is done.
pub fn made_up(object: u32) {
    record::with(|record| record.made_up(object));
}

/// Starts a task and returns its number.
pub fn spawn(name: &str, place: Place, body: impl FnOnce() + Send + 'static) -> usize {
    let start = Start { name, place, body: Box::new(body) };
    gate::start(&Step::without_object("spawn", Does::Spawn), start).new as usize
}

/// Waits until the task has finished.
pub fn join(task: usize) {
    gate::take(&Step::without_object("join", Does::Join(task)));
}

/// Does the current task know that the other has ended? It has waited for it, or for who had, or
/// was started by such a task. No step.
pub fn knows_end_of(task: usize) -> bool {
    record::with(|record| record.me().ended & 1 << task != 0)
}

/// Waits until every other task, and whatever these start, has finished. What nobody can observe
/// costs nothing: a task whose end the caller knows of is not waited for again.
pub fn join_all() {
    let next = || {
        let next = record::with(|record| record.not_waited_for().next().map(|(task, _)| task));
        state::observe(next.map_or(u64::MAX, |task| task as u64));
        next
    };
    while let Some(task) = next() {
        join(task);
    }
}

/// One of `alternatives` things happens; complete engines explore each. Returns which, from 0.
pub fn choose(what: &'static str, alternatives: u32) -> u32 {
    gate::take(&Step::without_object(what, Does::Choose(alternatives))).new as u32
}

/// The number of the task that runs.
pub fn me() -> usize {
    record::with(|record| record.current())
}

/// The CPU that the current task executes on; main, which no CPU executes, has [`u8::MAX`].
pub fn current_cpu() -> usize {
    record::with(|record| record.me().cpu as usize)
}

/// The context that the current task executes in.
pub fn current_context() -> Context {
    record::with(|record| record.me().context)
}

/// Records a remark about an object: a reference taken, a state reached.
pub fn note(action: Action, object: u32, name: Name) {
    record::with(|record| record.note(action, object, name));
}

/// The current task executes this line from now on, `mm/swap.c:214`: for code that has a source of
/// its own, which a reader wants to look up.
pub fn at(line: &'static str) {
    record::with(|record| record.me_mut().at = line);
}

/// Enters a function; it is left when the guard is dropped.
#[must_use = "the function is left when the guard is dropped"]
pub fn enter(function: &'static str) -> Enter {
    record::with(|record| {
        let before = record.enter(function);
        Enter { task: record.current(), before }
    })
}

/// The same, for a function that walks a wait queue and wakes who sleeps there: a hang is explained
/// by what it did.
#[must_use = "the function is left when the guard is dropped"]
pub fn enter_waker(function: &'static str) -> Enter {
    let entered = enter(function);
    record::with(|record| record.me_mut().in_waker = true);
    entered
}

/// A function that has been entered.
#[derive(Debug)]
pub struct Enter {
    task: usize,
    before: Within,
}

impl Drop for Enter {
    fn drop(&mut self) {
        // A stack that is torn down because its execution was abandoned leaves nothing: the next
        // execution may have begun.
        if std::thread::panicking() {
            return;
        }
        record::with(|record| record.leave(self.task, self.before));
    }
}

/// Is another task of this CPU within a function: does the current one run on top of it?
pub fn is_on_top_of_a_call() -> bool {
    let is_on_top = record::with(|record| record.is_on_top_of_a_call());
    state::observe(u64::from(is_on_top));
    is_on_top
}

/// The current task goes on at another place, for good.
pub fn move_to(place: Place) {
    record::with(|record| {
        let me = record.me_mut();
        let cpu = place.cpu.expect("a task is moved to a CPU");
        (me.cpu, me.context, me.passes) = (cpu as u8, place.context, place.passes);
    });
}

/// Runs `f` as if on `cpu` in `context`: an interrupt handler on top of the current task, or what
/// another CPU does while the current task waits for it. Its steps pass the given locks.
pub fn under<R>(
    cpu: usize,
    context: Context,
    passes: [Option<u32>; 2],
    f: impl FnOnce() -> R,
) -> R {
    let before = record::with(|record| {
        let me = record.me_mut();
        let before = (me.cpu, me.context, me.passes);
        (me.cpu, me.context, me.passes) = (cpu as u8, context, passes);
        before
    });
    let result = f();
    record::with(|record| {
        let me = record.me_mut();
        (me.cpu, me.context, me.passes) = before;
    });
    result
}
