//! What to explore, how far, and who looks on.

use std::sync::Arc;

use crate::coroutine::Words;
use crate::engine::{Part, Run, WHOLE};
use crate::execution::{End, Execution};
use crate::parallel::Split;

/// A program: its main task.
pub(crate) type Program = Arc<dyn Fn()>;

/// Which executions there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Model {
    /// The Linux kernel's, without load buffering.
    #[default]
    Kernel,
    /// Sequential consistency: the kernel's, and everything happens in one order that all tasks
    /// agree on.
    Sc,
}

/// What the observer wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The next execution.
    Continue,
    /// No more.
    Stop,
}

/// Told of every execution.
pub trait Observer {
    /// An execution has ended.
    fn execution_ended(&mut self, end: &End, execution: &Execution<'_>) -> Next;
}

impl<F: FnMut(&End, &Execution<'_>) -> Next> Observer for F {
    fn execution_ended(&mut self, end: &End, execution: &Execution<'_>) -> Next {
        self(end, execution)
    }
}

/// How far a search is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Counts {
    /// Executions: distinct consistent graphs, each once. Those that ended in a deadlock or a
    /// failure are among them.
    pub executions: u64,
    /// Executions in which some tasks could never go on.
    pub deadlocks: u64,
    /// Executions in which a check failed.
    pub failures: u64,
    /// Executions with a data race.
    pub racy: u64,
    /// Graphs that turned out to be no executions when they were finished: a task waited on account
    /// of a value that did not last, or a grace period did not wait for a section. Wasted time, of
    /// no other consequence.
    pub blocked: u64,
    /// Executions that were given up, because they took too many events.
    pub given_up: u64,
    /// Has the search ended by itself, with nothing given up?
    pub complete: bool,
    /// The number of events of the largest execution.
    pub events_max: usize,
    /// How often it was asked whether an event can be elsewhere than last.
    pub checks: u64,
    /// See [`Counts::explored`].
    pub(crate) weight: u64,
}

impl Counts {
    /// The part of the search that is over, 0 to 1, if all branches of a point were equally large.
    pub fn explored(&self) -> f64 {
        self.weight as f64 / WHOLE as f64
    }

    /// How many executions there will be, if the parts that have not been explored are like those
    /// that have. `None`: nothing has.
    pub fn estimate(&self) -> Option<f64> {
        (self.weight > 0).then(|| self.executions as f64 / self.explored())
    }

    /// Both together. Complete if this is: what the other was about is a part of it.
    pub(crate) fn with(self, part: Counts) -> Counts {
        Counts {
            executions: self.executions + part.executions,
            deadlocks: self.deadlocks + part.deadlocks,
            failures: self.failures + part.failures,
            racy: self.racy + part.racy,
            blocked: self.blocked + part.blocked,
            given_up: self.given_up + part.given_up,
            complete: self.complete,
            events_max: self.events_max.max(part.events_max),
            checks: self.checks + part.checks,
            weight: self.weight + part.weight,
        }
    }
}

/// A search for all executions of a program.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Which executions there are.
    pub model: Model,
    /// An execution of more events is given up; 4,158 is as much as there can be.
    pub events_max: usize,
    /// The search ends when it has seen so many executions.
    pub executions_max: u64,
    /// Look for data races.
    pub races: bool,
    /// The stack of a task, in bytes.
    pub stack: usize,
    /// How the work is cut, if several threads do it.
    pub split: Split,
}

impl Default for Search {
    /// The kernel's model, with data races, no limit on executions, 4,096 events each, and stacks
    /// of 64 KiB.
    fn default() -> Search {
        Search {
            model: Model::Kernel,
            events_max: 4_096,
            executions_max: u64::MAX,
            races: true,
            stack: 64 * 1024,
            split: Split::default(),
        }
    }
}

impl Search {
    /// The default search under this model.
    pub fn of(model: Model) -> Search {
        Search { model, ..Search::default() }
    }

    /// Explores the program `main`, which is run again and again, as the main task. It makes the
    /// words, spawns the other tasks, and may look at the end at what has become of the words.
    pub fn run(&self, main: impl Fn() + 'static, observer: &mut dyn Observer) -> Counts {
        let program: Program = Arc::new(main);
        let run = Run { search: self, program: &program, executions_max: self.executions_max };
        let explored = run.explore(observer, vec![Part::whole()], Words::default());
        let is_all = explored.left.is_empty() && !explored.is_told;
        Counts { complete: is_all && explored.counts.given_up == 0, ..explored.counts }
    }

    /// The same, with nobody to look on.
    pub fn count(&self, main: impl Fn() + 'static) -> Counts {
        self.run(main, &mut |_: &End, _: &Execution<'_>| Next::Continue)
    }
}
