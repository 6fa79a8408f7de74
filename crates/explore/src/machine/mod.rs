//! A machine takes steps: it knows the memory model, and lets other tasks run where it must. One
//! file for each engine's library; nothing outside of this folder names shuttle or loom.

pub(crate) mod graph;
pub(crate) mod loom;
pub(crate) mod shuttle;

use selvedge_trace::Name;

use crate::edits;
use crate::record;
use crate::step::{Step, Took};
use crate::tally::{Monitors, Seen};
use crate::{Body, Bounds, Engine, MemoryModel, Place};

/// What the machine of an engine can do. A primitive that cannot be rendered alike everywhere asks
/// these, and not which engine it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Abilities {
    /// The memory model that its words obey.
    pub memory: MemoryModel,
    /// Whether a step waits until the locks of its task's [`crate::Place::passes`] are free:
    /// whether a task with preemption off, or an interrupt handler, keeps other tasks of its CPU
    /// from taking any step.
    pub steps_pass_locks: bool,
    /// How interrupts are run.
    pub interrupts: Interrupts,
    /// How work items are run.
    pub work: WorkItems,
    /// Whether a conditional update reads and writes in one step; if not, it is a load and an
    /// exchange that is tried again when another task came between.
    pub updates_if_in_one_step: bool,
    /// Whether a lock is a word that a task may look at without taking it
    /// ([`crate::Lock::is_held`]).
    pub locks_are_words: bool,
    /// Whether a task may try a lock and go on without it.
    pub tries_locks: bool,
    /// Whether a step may wait for the value of a word ([`crate::Word::wait_until`]).
    pub waits_for_values: bool,
    /// Whether foreign code may access memory of its own ([`crate::ForeignWord`]): there is one
    /// value of each word, and it is the one in memory.
    pub foreign: bool,
    /// Whether a task may wait for a token before it looks at the word that whoever sets the token
    /// writes first ([`crate::may_wait_first`]). It is so where the search is meant to be fast; the
    /// others explore the looks as well, and are a second opinion.
    pub waits_first: bool,
    /// How many tasks an execution may have, the scenario's main included.
    pub tasks_max: usize,
}

/// How interrupts are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupts {
    /// A handler is a task that begins at any step of its CPU at which interrupts are on.
    AtAnyStep,
    /// There are none. What another CPU sends and waits for can be run where it is sent.
    None,
}

/// How work items are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkItems {
    /// By a task of their own, from the moment at which they are queued.
    AsTasks,
    /// Where they are flushed, by the task that waits for them.
    AtFlush,
}

/// An object that is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum New {
    Word(u64),
    Lock,
    Token,
}

/// See [`crate::Place::passes`].
pub(crate) type Passes = [Option<u32>; 2];

/// Who takes a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) task: usize,
    pub(crate) passes: Passes,
}

impl By {
    /// To be filled in.
    pub(crate) const MAIN: By = By { task: 0, passes: [None, None] };
}

/// A task that is to be started.
pub(crate) struct Start<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: Place,
    pub(crate) body: Box<dyn FnOnce() + Send>,
}

/// Runs a new task from its beginning to its end. The task has been added to the record.
pub(crate) fn run_task(number: usize, body: impl FnOnce()) {
    record::with(|record| record.resume(number));
    body();
    edits::finish();
    record::with(|record| record.finish(number));
}

/// Takes the steps of an execution. The state of a machine is a thread-local of its own: all tasks
/// of an execution are coroutines of one operating-system thread. It must not be borrowed while
/// another task may run.
pub(crate) trait Machine: Sync {
    fn abilities(&self) -> Abilities;
    /// A new execution begins: there are no objects.
    fn begin_execution(&self);
    /// How many steps the execution that begins has in common with the last on this thread.
    fn steps_in_common(&self) -> usize {
        0
    }
    /// How many steps of the execution have been let go, by the same count.
    fn steps_taken(&self) -> usize {
        0
    }
    /// Objects are numbered in the order in which they are made.
    fn make(&self, object: u32, name: Name, new: New);
    /// Keeps what has been made so far in this execution, if the same can be [made
    /// again](Machine::make_again) in the next.
    fn keep_made(&self) -> bool {
        false
    }
    /// Makes all that was kept.
    fn make_again(&self) {}
    /// Takes the step, and says what came of it (`took`), if it is the one that an execution before
    /// has taken here, and the task goes on at once: no other task runs in here, and the record may
    /// be borrowed.
    fn take_again(&self, _: usize, _: &Passes, _step: &Step, _took: &mut Took) -> bool {
        false
    }
    /// Takes the step, which is any but the start of a task. Other tasks run in here.
    fn take(&self, by: &By, step: &Step) -> Took;
    /// Starts a task. Other tasks run in here.
    fn start(&self, by: &By, task: Start<'_>) -> Took;
    /// The foreign access that was just taken left these bits as they were.
    fn only_read(&self, bits: u64);
    /// The newest value of a word: no step.
    fn newest(&self, object: u32) -> u64;
    /// The task that holds a lock: no step.
    fn holder(&self, lock: u32) -> Option<usize>;
    /// The task takes no further step; the others do.
    fn stand_still(&self) -> !;
    /// Ends the execution.
    fn give_up(&self) -> !;
}

/// Runs one search of an engine.
pub(crate) fn search(engine: Engine, bounds: &Bounds, monitors: Monitors, body: &Body) -> Seen {
    match engine {
        Engine::Loom => loom::explore(bounds, monitors, body),
        Engine::Graph | Engine::GraphSc => graph::explore(engine, bounds, monitors, body),
        Engine::Dpor | Engine::Dfs | Engine::Random | Engine::Pct => {
            shuttle::explore(engine, bounds, monitors, body)
        }
    }
}

/// The machine of an engine.
pub(crate) fn of(engine: Engine) -> &'static dyn Machine {
    match engine {
        Engine::Loom => &loom::LOOM,
        Engine::Graph => &graph::GRAPH,
        Engine::GraphSc => &graph::GRAPH_SC,
        Engine::Dpor | Engine::Dfs | Engine::Random | Engine::Pct => &shuttle::SHUTTLE,
    }
}
