//! What is recorded of the tasks of an execution: where each is, what it waits to do, of whose end
//! it knows.

use std::hash::{Hash, Hasher};

use selvedge_trace::{Context, Event, Name, PathId, TaskInfo, Waiting};

use super::Record;
use crate::Place;
use crate::step::Step;

/// How many tasks an execution may have: [`TaskRecord::ended`] is a mask.
pub(crate) const TASKS_MAX: usize = 128;

/// What is known of a task while it runs.
#[derive(Debug)]
pub(crate) struct TaskRecord {
    /// Where it executes now; an interrupt handler that it runs in place changes this.
    pub(crate) cpu: u8,
    pub(crate) context: Context,
    pub(crate) path: PathId,
    /// The locks that its steps pass (see [`crate::Place`]).
    pub(crate) passes: [Option<u32>; 2],
    /// The number of the call of the innermost function.
    pub(super) call: u32,
    /// The line of the source that it executes, if it says so ([`crate::at`]).
    pub(crate) at: &'static str,
    /// Is it in a function that wakes who sleeps in a queue?
    pub(crate) in_waker: bool,
    /// What it announced last.
    pub(super) pending: Option<Pending>,
    pub(super) finished: bool,
    /// The tasks whose end it has waited for, itself or by way of one of these: a bit each.
    pub(crate) ended: u128,
}

impl TaskRecord {
    /// Is this the event of the step, taken by this task where it is now? It is so if besides
    /// [the step found the same](Took::is_as).
    #[inline]
    pub(super) fn is_at(&self, number: usize, step: &Step, event: &Event) -> bool {
        event.task == number as u8
            && event.object == step.object
            && event.path == self.path
            && event.call == self.call
            && !event.action.is_note()
    }
}

/// Where a task was before it entered a function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Within {
    pub(super) path: PathId,
    pub(super) call: u32,
    pub(super) in_waker: bool,
}

/// A step that a task has announced, as far as it tells what the task waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) primitive: &'static str,
    pub(super) object: u32,
    pub(super) name: Name,
    /// The task whose end it is.
    pub(super) end_of: Option<u8>,
    /// See [`Waiting::spins`].
    pub(super) spins: bool,
}

impl Record {
    /// A task that `parent` starts. Returns its number.
    pub(crate) fn add_task(&mut self, name: &str, place: Place, parent: usize) -> usize {
        let Place { cpu, context, passes } = place;
        let cpu = cpu.map(|cpu| u8::try_from(cpu).expect("a CPU's number is below 256"));
        let ended = self.tasks.get(parent).map_or(0, |parent| parent.ended);
        let number = self.tasks.len();
        assert!(number < TASKS_MAX, "an execution has at most {TASKS_MAX} tasks");
        let is_it = |it: &TaskInfo| it.name == name && it.cpu == cpu && it.context == context;
        if !self.infos.get(number).is_some_and(is_it) {
            self.infos.truncate(number);
            self.infos.push(TaskInfo { name: name.into(), cpu, context });
        }
        self.tasks.push(TaskRecord {
            cpu: cpu.unwrap_or(u8::MAX),
            context,
            path: PathId::ROOT,
            call: 0,
            passes,
            at: "",
            in_waker: false,
            pending: None,
            finished: false,
            ended,
        });
        number
    }

    /// Where each task is, as far as that can differ between tasks that have observed the same.
    pub(crate) fn hash_places(&self, hash: &mut impl Hasher) {
        for task in &self.tasks {
            (task.path, task.cpu, task.context, task.passes, task.finished).hash(hash);
            task.ended.hash(hash);
        }
        self.objects.hash(hash);
    }

    pub(crate) fn finish(&mut self, task: usize) {
        self.tasks[task].finished = true;
    }

    /// The tasks, other than the current one, of whose end the current one cannot know.
    pub(crate) fn not_waited_for(&self) -> impl Iterator<Item = (usize, &str)> {
        let knows = self.me().ended | 1 << self.current;
        let tasks = self.infos[..self.tasks.len()].iter().enumerate();
        tasks
            .filter(move |(task, _)| knows & 1 << task == 0)
            .map(|(number, info)| (number, info.name.as_str()))
    }

    /// Enters a function. Returns where the task was before.
    pub(crate) fn enter(&mut self, function: &'static str) -> Within {
        self.calls += 1;
        let me = &mut self.tasks[self.current];
        let before = Within { path: me.path, call: me.call, in_waker: me.in_waker };
        me.path = self.paths.enter(before.path, function);
        me.call = self.calls;
        before
    }

    /// The task leaves the function that it entered last.
    pub(crate) fn leave(&mut self, task: usize, before: Within) {
        if let Some(task) = self.tasks.get_mut(task) {
            let Within { path, call, in_waker } = before;
            (task.path, task.call, task.in_waker) = (path, call, in_waker);
        }
    }

    /// Is another task of the current one's CPU within a function?
    pub(crate) fn is_on_top_of_a_call(&self) -> bool {
        let me = self.me();
        let is_within =
            |task: &TaskRecord| !task.finished && task.cpu == me.cpu && task.path != PathId::ROOT;
        let mut others = self.tasks.iter().enumerate().filter(|(task, _)| *task != self.current);
        others.any(|(_, task)| is_within(task))
    }

    /// The current task, the number of the call that it is in, and the innermost function.
    pub(crate) fn whereabouts(&self) -> (usize, u32, Option<&'static str>) {
        let me = self.me();
        (self.current, me.call, self.paths.innermost(me.path))
    }

    /// What the tasks that have not finished wait for.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let unfinished = self.tasks.iter().enumerate().filter(|(_, task)| !task.finished);
        let waiting = |(number, task): (usize, &TaskRecord)| {
            let Pending { primitive, object, name, end_of, spins } = task.pending?;
            let name = end_of.map_or(name, |other| Name::new("end of task").nth(other.into()));
            let (number, path) = (number as u8, task.path);
            Some(Waiting { task: number, primitive, object, end_of, name, path, spins })
        };
        unfinished.filter_map(waiting).collect()
    }
}
