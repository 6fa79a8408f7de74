//! The state of the exploration that runs on this thread: who is executing, what has happened.
//!
//! All engines run the tasks of a scenario as coroutines of one operating-system thread, so that a
//! thread-local is shared by all tasks and by nobody else. It is borrowed for an instant only,
//! never across a step.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use selvedge_trace::{
    Action, Context, Counterexample, End, Event, Execution, Finding, Monitor, Name, Order, PathId,
    Paths, Rule, TaskInfo, Waiting,
};

use crate::state::Shared;
use crate::violations::{self, Violation};
use crate::{Bounds, Engine, MemoryModel, States};

/// A deadlock that no monitor explained.
const NO_DEADLOCK: Rule = Rule("no task waits for ever");

/// What is known of a task while it runs.
#[derive(Debug)]
pub(crate) struct TaskState {
    pub(crate) info: TaskInfo,
    /// Where it executes now; an interrupt handler that it runs inline changes this.
    pub(crate) cpu: u8,
    pub(crate) context: Context,
    pub(crate) path: PathId,
    /// The locks that its steps pass (see [`crate::Place`]).
    pub(crate) passes: [Option<u32>; 2],
    /// What it announced last.
    pub(crate) pending: Option<Waiting>,
    pub(crate) finished: bool,
    /// Has it released a lock (see `Lock::ordering_others`)?
    pub(crate) has_released: bool,
}

/// What the exploration has seen.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) executions: u64,
    pub(crate) steps_max: usize,
    pub(crate) reached: BTreeSet<&'static str>,
    pub(crate) counterexample: Option<Counterexample>,
    /// A limit of the engine that an execution ran into, if one did.
    pub(crate) exceeded: Option<String>,
    /// Words, by object, of which loom has forgotten reads.
    pub(crate) forgotten_reads: BTreeMap<u32, Name>,
    /// Counted only if the search goes on after a violation.
    pub(crate) violations: Vec<Violation>,
    /// Told apart by a search that compares states.
    pub(crate) states: Option<States>,
}

impl Tally {
    /// Adds what was seen in executions that come after these, by a search that is split.
    pub(crate) fn add(&mut self, later: Tally) {
        self.executions += later.executions;
        self.steps_max = self.steps_max.max(later.steps_max);
        self.reached.extend(later.reached);
        self.counterexample = self.counterexample.take().or(later.counterexample);
        later.violations.into_iter().for_each(|found| violations::add(&mut self.violations, found));
    }
}

/// How an execution ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// Every task returned, or the scenario stopped it with a finding.
    Complete,
    Deadlock,
    /// It was given up somewhere: the end of it is not that of the scenario.
    Cut,
}

#[derive(Default)]
pub(crate) struct Run {
    engine: Option<Engine>,
    /// Words, by object, whose accesses are all to depend on each other under loom.
    pub(crate) forgotten_reads: BTreeMap<u32, Name>,
    pub(crate) tasks: Vec<TaskState>,
    pub(crate) current: usize,
    pub(crate) objects: u32,
    pub(crate) tally: Tally,
    events: Vec<Event>,
    paths: Paths,
    finding: Option<Finding>,
    steps: usize,
    steps_max: usize,
    keeps_going: bool,
    /// Kept only for a search that compares states.
    pub(crate) shared: Option<Shared>,
    monitors: Vec<Box<dyn Monitor>>,
    infos: Vec<TaskInfo>,
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::default();
}

pub(crate) fn with<R>(f: impl FnOnce(&mut Run) -> R) -> R {
    RUN.with_borrow_mut(f)
}

pub(crate) fn begin_exploration(engine: Engine, bounds: &Bounds, monitors: Vec<Box<dyn Monitor>>) {
    with(|run| {
        let Bounds { steps_max, keep_going: keeps_going, .. } = *bounds;
        let shared = bounds.compares_states(engine).then(Shared::default);
        let engine = Some(engine);
        *run = Run { engine, monitors, steps_max, keeps_going, shared, ..Run::default() }
    });
}

/// Begins the search anew, where all accesses to these words, and to those of the search before,
/// depend on each other. Returns what that one has seen.
pub(crate) fn search_again(engine: Engine, bounds: &Bounds, words: BTreeMap<u32, Name>) -> Tally {
    let (monitors, mut all, before) = with(|run| {
        (
            std::mem::take(&mut run.monitors),
            std::mem::take(&mut run.forgotten_reads),
            std::mem::take(&mut run.tally),
        )
    });
    all.extend(words);
    begin_exploration(engine, bounds, monitors);
    with(|run| run.forgotten_reads = all);
    before
}

/// What was seen since the last call, and by monitors that kept what they saw; goes on with others.
pub(crate) fn hand_in() -> (Tally, Vec<Box<dyn Monitor>>) {
    with(|run| {
        let others = run.monitors.iter().map(|monitor| monitor.another()).collect();
        (std::mem::take(&mut run.tally), std::mem::replace(&mut run.monitors, others))
    })
}

/// The monitors of the last exploration, for one more.
pub(crate) fn take_monitors() -> Vec<Box<dyn Monitor>> {
    with(|run| std::mem::take(&mut run.monitors))
}

/// Forgets the last execution. To be called on the main task before the scenario.
pub(crate) fn begin_execution() {
    with(|run| {
        run.events.clear();
        run.tasks.clear();
        run.finding = None;
        run.steps = 0;
        run.objects = 0;
        run.current = 0;
        if let Some(shared) = &mut run.shared {
            shared.forget();
        }
        let info = TaskInfo { name: "main".into(), cpu: None, context: Context::Task };
        run.add_task(info, [None, None]);
    });
}

impl Run {
    pub(crate) fn is_weak(&self) -> bool {
        self.engine.is_some_and(|engine| engine.memory_model() == MemoryModel::C11)
    }

    pub(crate) fn add_task(&mut self, info: TaskInfo, passes: [Option<u32>; 2]) -> usize {
        self.tasks.push(TaskState {
            cpu: info.cpu.unwrap_or(u8::MAX),
            context: info.context,
            path: PathId::ROOT,
            passes,
            pending: None,
            finished: false,
            has_released: false,
            info,
        });
        self.tasks.len() - 1
    }

    pub(crate) fn new_object(&mut self) -> u32 {
        self.objects += 1;
        // An object that is made by a task: its number says who else made one before.
        dpor::observe(u64::from(self.objects));
        self.objects - 1
    }

    /// Where each task is, as far as that can differ between tasks that have observed the same.
    pub(crate) fn hash_places(&self, hash: &mut impl Hasher) {
        for task in &self.tasks {
            (task.path, task.cpu, task.context, task.passes, task.finished).hash(hash);
        }
    }

    pub(crate) fn me(&self) -> &TaskState {
        &self.tasks[self.current]
    }

    pub(crate) fn me_mut(&mut self) -> &mut TaskState {
        &mut self.tasks[self.current]
    }

    /// An event of the current task, with nothing but its place filled in.
    pub(crate) fn blank(&self, action: Action, primitive: &'static str) -> Event {
        let me = self.me();
        Event {
            task: self.current as u8,
            cpu: me.cpu,
            context: me.context,
            path: me.path,
            action,
            primitive,
            object: u32::MAX,
            name: Name::new(""),
            bit: None,
            order: Order::Relaxed,
            old: 0,
            new: 0,
            stale: false,
        }
    }

    pub(crate) fn record(&mut self, event: Event) {
        if let Action::Mark(state) = event.action {
            self.tally.reached.insert(state);
        }
        if let Some(shared) = &mut self.shared {
            shared.book(&event);
        }
        if !event.action.is_note() {
            self.steps += 1;
            tracing::trace!(
                target: "selvedge::gate",
                task = event.task,
                cpu = event.cpu,
                function = self.paths.innermost(event.path),
                primitive = event.primitive,
                object = %event.name,
                old = event.old,
                new = event.new,
            );
        }
        self.events.push(event);
    }

    /// Does the search go on after a violation?
    pub(crate) fn goes_on(&self) -> bool {
        self.keeps_going
    }

    /// Has this execution more steps than allowed? A scenario that spins never ends by itself.
    pub(crate) fn is_too_long(&self) -> bool {
        self.steps > self.steps_max
    }

    pub(crate) fn broke(&mut self, rule: Rule, message: String) {
        let event = self.events.len().checked_sub(1);
        self.finding.get_or_insert(Finding { rule, message, event });
    }

    pub(crate) fn broke_by(&mut self, rule: Rule, message: String, object: u32) {
        use Action::{PlainWrite, Update, Write};
        let changed = |e: &Event| {
            e.object == object && matches!(e.action, Write | PlainWrite | Update) && e.old != e.new
        };
        let event = self.events.iter().rposition(changed);
        self.finding.get_or_insert(Finding { rule, message, event });
    }

    pub(crate) fn digest(&self) -> Vec<(u8, &'static str, u32, u64, u64)> {
        self.events.iter().map(|e| (e.task, e.primitive, e.object, e.old, e.new)).collect()
    }

    /// What the tasks that have not finished wait for.
    pub(crate) fn waiting(&self) -> Vec<Waiting> {
        (self.tasks.iter())
            .filter(|task| !task.finished)
            .filter_map(|task| task.pending.clone())
            .collect()
    }

    /// Counts the execution and shows it to the monitors. True if a rule was broken.
    pub(crate) fn end_execution(&mut self, ended: Ended, schedule: &[i32]) -> bool {
        self.tally.executions += 1;
        self.tally.steps_max = self.tally.steps_max.max(self.steps);
        let end = match () {
            () if self.finding.is_some() || ended == Ended::Cut => End::Stopped,
            () if ended == Ended::Deadlock => End::Deadlock(self.waiting()),
            () => End::Complete,
        };
        self.infos.clear();
        self.infos.extend(self.tasks.iter().map(|task| task.info.clone()));
        let execution =
            Execution { events: &self.events, paths: &self.paths, tasks: &self.infos, end: &end };
        let mut finding = self.finding.take();
        for monitor in &mut self.monitors {
            let found = monitor.execution(&execution);
            finding = finding.or(found);
        }
        if finding.is_none() && ended == Ended::Deadlock {
            let message = "some tasks can never go on".into();
            finding = Some(Finding { rule: NO_DEADLOCK, message, event: None });
        }
        let Some(finding) = finding else { return false };
        if self.keeps_going {
            violations::count(&mut self.tally.violations, &execution, &finding);
            return true;
        }
        let mut counterexample = Counterexample::new(&execution, &finding);
        counterexample.schedule = schedule.to_vec();
        self.tally.counterexample.get_or_insert(counterexample);
        true
    }

    /// Asks the monitors for what only the whole search shows.
    pub(crate) fn end_exploration(&mut self) -> Option<(Finding, String)> {
        self.monitors.iter_mut().find_map(|monitor| monitor.exploration_ended())
    }
}

/// The number of the task that runs.
pub fn me() -> usize {
    with(|run| run.current)
}

/// The CPU that the current task executes on; `usize::MAX` cannot be: main has [`u8::MAX`].
pub fn current_cpu() -> usize {
    with(|run| run.me().cpu as usize)
}

/// The context that the current task executes in.
pub fn current_context() -> Context {
    with(|run| run.me().context)
}

/// The nest of functions that the current task is in.
pub fn current_path() -> PathId {
    with(|run| run.me().path)
}

/// That nest, outermost first, as `a > b > c`.
pub fn path_text(path: PathId) -> String {
    with(|run| run.paths.functions(path).join(" > "))
}

/// Records a remark about an object: a reference taken, a state reached.
pub fn note(action: Action, object: u32, name: Name) {
    with(|run| {
        let event = Event { object, name, ..run.blank(action, "") };
        run.record(event);
    });
}

/// Enters a function; it is left when the guard is dropped.
#[must_use = "the function is left when the guard is dropped"]
pub fn enter(function: &'static str) -> Enter {
    with(|run| {
        let (task, before) = (run.current, run.me().path);
        run.me_mut().path = run.paths.enter(before, function);
        Enter { task, before }
    })
}

/// A function that has been entered.
#[derive(Debug)]
pub struct Enter {
    task: usize,
    before: PathId,
}

impl Drop for Enter {
    fn drop(&mut self) {
        // A stack that is torn down because its execution was abandoned leaves nothing: the next
        // execution may have begun.
        if std::thread::panicking() {
            return;
        }
        with(|run| {
            if let Some(task) = run.tasks.get_mut(self.task) {
                task.path = self.before;
            }
        });
    }
}

/// Runs `f` as if on `cpu` in `context`: an interrupt handler on top of the current task, or what
/// another CPU does while the current task waits for it. Its steps pass the given locks.
pub fn under<R>(
    cpu: usize,
    context: Context,
    passes: [Option<u32>; 2],
    f: impl FnOnce() -> R,
) -> R {
    let before = with(|run| {
        let me = run.me_mut();
        let before = (me.cpu, me.context, me.passes);
        (me.cpu, me.context, me.passes) = (cpu as u8, context, passes);
        before
    });
    let result = f();
    with(|run| {
        let me = run.me_mut();
        (me.cpu, me.context, me.passes) = before;
    });
    result
}

/// Whether the engine of this run explores weak memory. Primitives that every engine renders the
/// same way do not ask.
pub fn is_weak() -> bool {
    with(|run| run.is_weak())
}
