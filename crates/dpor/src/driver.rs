//! What all our schedulers share: telling decisions from bookkeeping, and the end of executions.

use shuttle::scheduler::{Task, TaskId};

use crate::table::{self, Known, Table, TaskState};
use crate::{Kind, Op};

/// A decision of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// This task takes the step that it has announced.
    Task(usize),
    /// It was a choice, and this alternative happens.
    Choice(u32),
}

/// How an execution ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every task has finished.
    Complete,
    /// Some tasks have not, and can never go on: who, and what each waits to do.
    Deadlock(Vec<(usize, Op)>),
    /// The program gave it up ([`crate::abandon`]).
    Abandoned,
    /// It took more steps than allowed.
    StepLimit,
    /// It turned out to be redundant: another execution does the same. Common under
    /// [`crate::SleepSets`], rare under [`crate::Dpor`] (the crate's documentation says when).
    SleepSetBlocked,
    /// It came to a state from which the search has gone on before ([`crate::Stateful`]), and did
    /// not end soon.
    Visited,
    /// The program did not do what it did before under the same schedule, as the text says.
    NotDeterministic(String),
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
    /// An execution has ended. The schedule can be given to [`crate::Replay`].
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next;
}

/// A point at which somebody has to decide.
pub(crate) struct Point<'a> {
    /// The tasks whose announced step is enabled, in the order of their numbers; or one of them,
    /// the strategy's favourite.
    pub(crate) enabled: &'a [(usize, Op)],
    /// The task that took the last step.
    pub(crate) last: usize,
    /// What shuttle offers, for schedulers of its own.
    pub(crate) offered: &'a [&'a Task],
}

/// How to decide.
pub(crate) trait Strategy {
    /// Does it need to know what tasks observe?
    const COMPARES_STATES: bool = false;

    /// A new execution; `false` if there is none left.
    fn begin(&mut self) -> bool;
    /// What the new execution is known to begin with: the strategy is not asked about these steps.
    fn known(&mut self) -> Vec<Known> {
        Vec::new()
    }
    /// How many steps the new execution has in common with the one before.
    fn in_common(&self) -> usize {
        0
    }
    /// Gives back what [`Strategy::known`] gave.
    fn keep_known(&mut self, _known: Vec<Known>) {}
    /// So many known steps have been taken.
    fn followed(&mut self, _steps: usize) {}
    /// Who will go on if he can, where that is known without a look at who else could. Then
    /// [`Strategy::decide`] is shown nobody else. `last` took the last step.
    fn favourite(&mut self, _last: usize) -> Option<usize> {
        None
    }
    /// Does the running task take this new step, which it can take? Only if [`Strategy::decide`]
    /// would say so, shown nobody else; then it is as if that had been asked.
    fn goes_on(&mut self, _task: usize, _op: &Op) -> bool {
        false
    }
    /// Which task goes on; for a choice, with which alternative. `Err`: end the execution so.
    fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End>;
    /// The execution is over. `schedule` is what was decided.
    fn ended(&mut self, end: &End, schedule: &[Step]);
    /// Called when the observer asks to stop. Returns true to be asked for further executions (a
    /// worker that still has to submit its part), false to end the search.
    fn continues_after_stop(&mut self) -> bool {
        false
    }
}

/// Asks a [`Strategy`] where something has to be decided, and shows executions to an observer.
pub(crate) struct Driver<S> {
    pub(crate) strategy: S,
    observer: Box<dyn Observer>,
    steps_max: usize,
    schedule: Vec<Step>,
    enabled: Vec<(usize, Op)>,
    last: usize,
    /// How many decisions have been noted.
    decisions: usize,
    /// How many steps are in the schedule: more than have been noted while the execution begins as
    /// the one before did.
    scheduled: usize,
    /// How the current execution ends; `None` while it runs, or if shuttle ends it.
    end: Option<End>,
    is_open: bool,
    stopped: bool,
    steps: usize,
}

impl<S: Strategy> Driver<S> {
    pub(crate) fn new(strategy: S, observer: Box<dyn Observer>, steps_max: usize) -> Driver<S> {
        Driver {
            strategy,
            observer,
            steps_max,
            schedule: Vec::new(),
            enabled: Vec::new(),
            last: 0,
            decisions: 0,
            scheduled: 0,
            end: None,
            is_open: false,
            stopped: false,
            steps: 0,
        }
    }

    fn close(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        self.catch_up();
        self.unschedule(self.decisions);
        self.strategy.keep_known(table::with(|table| std::mem::take(&mut table.known)));
        let end = self.end.take().unwrap_or(End::Complete);
        self.strategy.ended(&end, &self.schedule);
        let next = self.observer.execution_ended(&end, &self.schedule);
        self.stopped |= next == Next::Stop || matches!(end, End::NotDeterministic(_));
    }

    /// Ends the execution, if one runs, and begins the next; `false` if there is none.
    pub(crate) fn begin(&mut self) -> bool {
        self.close();
        self.stopped = self.stopped && !self.strategy.continues_after_stop();
        if self.stopped || !self.strategy.begin() {
            return false;
        }
        table::begin_execution(S::COMPARES_STATES);
        let in_common = self.strategy.in_common();
        table::with(|table| {
            table.known = self.strategy.known();
            table.in_common = in_common;
        });
        self.unschedule(in_common);
        self.decisions = 0;
        self.last = 0;
        self.steps = 0;
        self.is_open = true;
        true
    }

    /// Takes from the schedule all but so many steps.
    fn unschedule(&mut self, steps: usize) {
        while self.scheduled > steps
            && let Some(step) = self.schedule.pop()
        {
            self.scheduled -= usize::from(matches!(step, Step::Task(_)));
        }
    }

    /// Notes the known steps that were taken meanwhile.
    fn catch_up(&mut self) {
        table::with(|table| {
            if table.decisions == self.decisions {
                return;
            }
            let taken = &table.known[..table.decisions];
            for known in taken.iter().skip(self.scheduled) {
                self.schedule.push(Step::Task(known.task));
                if matches!(known.op.kind, Kind::Choice(_)) {
                    self.schedule.push(Step::Choice(known.alternative));
                }
            }
            self.scheduled = self.scheduled.max(taken.len());
            self.last = taken.last().map_or(0, |known| known.task);
            let followed = taken.len() - self.decisions;
            self.steps += followed;
            self.decisions = taken.len();
            self.strategy.followed(followed);
        });
    }

    /// A task that has to run before there is anything to decide: one that has not announced.
    fn undecided(offered: &[&Task], current: Option<TaskId>) -> Option<TaskId> {
        table::with(|table| {
            let needs_no_decision = |state: Option<&TaskState>| match state {
                Some(TaskState::Announced(_)) => false,
                // A finished task may still have to leave its coroutine.
                Some(TaskState::Fresh | TaskState::Running | TaskState::Finished) | None => true,
            };
            let is_ready = |id: TaskId| needs_no_decision(table.tasks.get(usize::from(id)));
            let offered_ids = || offered.iter().map(|task| task.id());
            let current = current.filter(|&id| is_ready(id) && offered_ids().any(|o| o == id));
            current.or_else(|| offered_ids().find(|&id| is_ready(id)))
        })
    }

    /// Which of the tasks that shuttle offers goes on; `None`: the execution ends.
    pub(crate) fn next_of(&mut self, offered: &[&Task], current: Option<TaskId>) -> Option<TaskId> {
        if table::with(|table| table.abandoned) {
            self.end = Some(End::Abandoned);
            return None;
        }
        if let Some(task) = Self::undecided(offered, current) {
            return Some(task);
        }
        if let Some(task) = table::with(Table::take_known) {
            return Some(TaskId::from(task));
        }
        self.catch_up();
        self.enabled.clear();
        table::with(|table| {
            for task in offered {
                table.add_enabled(usize::from(task.id()), &mut self.enabled);
            }
        });
        self.decide(offered).map(TaskId::from)
    }

    /// Does the running task take this new step, which it can take? So it is if the strategy would
    /// decide that without a look at who else could go on. So many `steps` have been let go.
    pub(crate) fn goes_on(&mut self, task: usize, op: &Op, steps: usize) -> bool {
        if steps != self.decisions {
            self.catch_up();
        }
        let goes_on = self.steps < self.steps_max && self.strategy.goes_on(task, op);
        if goes_on {
            self.steps += 1;
            self.note(task);
        }
        goes_on
    }

    /// Which of all tasks goes on; `None`: the execution ends.
    pub(crate) fn next(&mut self) -> Option<usize> {
        let (abandoned, next, decisions) = table::with(|table| {
            let next = table.first_fresh().or_else(|| table.take_known());
            (table.abandoned, next, table.decisions)
        });
        if abandoned {
            self.end = Some(End::Abandoned);
            return None;
        }
        if next.is_some() {
            return next;
        }
        if decisions != self.decisions {
            self.catch_up();
        }
        self.choose()
    }

    /// The same where it has to be decided.
    fn choose(&mut self) -> Option<usize> {
        self.enabled.clear();
        if let Some(task) = self.strategy.favourite(self.last) {
            table::with(|table| table.add_enabled(task, &mut self.enabled));
            if !self.enabled.is_empty() {
                return self.decide(&[]);
            }
        }
        let is_over = table::with(|table| {
            (0..table.tasks.len()).for_each(|task| table.add_enabled(task, &mut self.enabled));
            let has_finished = |state: &TaskState| matches!(state, TaskState::Finished);
            self.enabled.is_empty() && table.tasks.iter().all(has_finished)
        });
        if is_over { None } else { self.decide(&[]) }
    }

    fn decide(&mut self, offered: &[&Task]) -> Option<usize> {
        self.steps += 1;
        if self.enabled.is_empty() {
            self.end = Some(End::Deadlock(table::pending()));
            return None;
        }
        if self.steps > self.steps_max {
            self.end = Some(End::StepLimit);
            return None;
        }
        let point = Point { enabled: &self.enabled, last: self.last, offered };
        match self.strategy.decide(&point) {
            Ok((task, alternative)) => Some(self.let_go(task, alternative)),
            Err(end) => {
                self.end = Some(end);
                None
            }
        }
    }

    fn let_go(&mut self, task: usize, alternative: u32) -> usize {
        self.note(task);
        let op = self.enabled.iter().find(|&&(t, _)| t == task).map(|(_, op)| op);
        let is_choice = op.is_some_and(|op| matches!(op.kind, Kind::Choice(_)));
        if is_choice {
            self.schedule.push(Step::Choice(alternative));
        }
        table::with(|table| {
            if is_choice {
                table.chosen = alternative;
            }
            table.decisions = self.decisions;
        });
        task
    }

    /// Notes that the task takes the next step.
    fn note(&mut self, task: usize) {
        self.unschedule(self.decisions);
        self.schedule.push(Step::Task(task));
        self.last = task;
        self.scheduled += 1;
        self.decisions += 1;
    }
}

/// Gives a type that holds a [`Driver`] in its field `driver` the scheduler trait of shuttle.
macro_rules! drive {
    ($($scheduler:tt)+) => {
        impl $($scheduler)+ {
            fn new_execution(&mut self) -> Option<shuttle::scheduler::Schedule> {
                self.driver.begin().then(|| shuttle::scheduler::Schedule::new(0))
            }

            fn next_task(
                &mut self,
                offered: &[&shuttle::scheduler::Task],
                current: Option<shuttle::scheduler::TaskId>,
                _is_yielding: bool,
            ) -> Option<shuttle::scheduler::TaskId> {
                self.driver.next_of(offered, current)
            }

            fn next_u64(&mut self) -> u64 {
                0
            }
        }
    };
}
pub(crate) use drive;
