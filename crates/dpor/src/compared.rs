//! Whether states that are taken for one are one: what follows them is compared.

use std::collections::HashMap;
use std::fmt;

use crate::End;
use crate::fingerprint::StateHash;
use crate::table::{self, TaskState};
use crate::wakeup::Label;

/// What came of one step in two executions that were in the same state before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The task that took the step.
    pub task: usize,
    /// What differs after it.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a step of task {}: {}", self.task, self.what)
    }
}

/// What can be told of a state, in parts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Parts {
    tasks: Vec<(TaskState, u128)>,
    locks: u128,
    shared: u128,
}

impl Parts {
    /// Of the state in which the execution is.
    pub(crate) fn now(shared: &dyn Fn(&mut StateHash)) -> Parts {
        let mut locks = StateHash::new();
        let tasks = table::with(|table| {
            table.hash_locks_into(&mut locks);
            table.tasks.iter().copied().zip(table.observed()).collect()
        });
        let mut hash = StateHash::new();
        shared(&mut hash);
        Parts { tasks, locks: locks.finish128(), shared: hash.finish128() }
    }

    /// What differs between what this was and what it is now.
    fn difference(&self, now: &Parts) -> String {
        let (before, after) = (self.tasks.len(), now.tasks.len());
        if before != after {
            return format!("there were {before} tasks, and now {after}");
        }
        let pairs = self.tasks.iter().zip(&now.tasks).enumerate();
        for (task, (before, now)) in pairs.clone() {
            if before.0 != now.0 {
                return format!("task {task} was {}, and is now {}", said(before.0), said(now.0));
            }
        }
        for (task, (before, now)) in pairs {
            if before.1 != now.1 {
                return format!("task {task} has seen something else");
            }
        }
        let what =
            if self.locks != now.locks { "locks and tokens are" } else { "what tasks share is" };
        format!("{what} otherwise")
    }
}

fn said(state: TaskState) -> String {
    match state {
        TaskState::Announced(op) => format!("about to do {:?} of object {}", op.kind, op.object.0),
        TaskState::Finished => "at its end".into(),
        TaskState::Fresh | TaskState::Running => "not at a step".into(),
    }
}

/// What followed a step.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Then {
    State(Parts),
    /// The execution ended, not as [`End::Complete`].
    End(&'static str),
}

/// A step from a state.
type From = (u128, Label);

/// What followed each step of each state, and what the execution that runs has come from.
#[derive(Default)]
pub(crate) struct Compared {
    /// By state and step: what followed, and how often it was compared.
    known: HashMap<From, (Then, u32)>,
    /// How often all that follows a state was tried again.
    again: HashMap<u128, u32>,
    last: Option<From>,
    comparisons: u64,
}

/// So often all that follows a known state is tried again: by so many ways to it.
const AGAIN: u32 = 3;

impl Compared {
    pub(crate) fn begin(&mut self) {
        self.last = None;
    }

    /// Is all that follows this state to be tried again?
    pub(crate) fn tries_again(&mut self, state: u128) -> bool {
        let times = self.again.entry(state).or_default();
        *times += 1;
        *times <= AGAIN
    }

    /// How many steps were compared with the same step from the same state.
    pub(crate) fn comparisons(&self) -> u64 {
        self.comparisons
    }

    /// The execution has come to this state. What it came to before from where it comes from is
    /// the same, or the difference is told.
    pub(crate) fn came_to(&mut self, parts: Parts) -> Option<Difference> {
        self.follow(Then::State(parts))
    }

    /// The same of the end of an execution.
    pub(crate) fn ended(&mut self, end: &End, parts: impl FnOnce() -> Parts) -> Option<Difference> {
        self.follow(match end {
            End::Complete => Then::State(parts()),
            End::Deadlock(_) => Then::End("is a deadlock"),
            End::Abandoned => Then::End("is given up"),
            End::StepLimit => Then::End("is too long"),
            End::SleepSetBlocked | End::Visited | End::NotDeterministic(_) => return None,
        })
    }

    fn follow(&mut self, now: Then) -> Option<Difference> {
        let from = self.last.take()?;
        let Some((before, times)) = self.known.get_mut(&from) else {
            self.known.insert(from, (now, 0));
            return None;
        };
        *times += 1;
        self.comparisons += 1;
        if *before == now {
            return None;
        }
        let what = match (&*before, &now) {
            (Then::State(before), Then::State(now)) => before.difference(now),
            (Then::End(end), Then::State(_)) => format!("the execution {end}, and now goes on"),
            (Then::State(_), Then::End(end)) => format!("the execution went on, and now {end}"),
            (Then::End(before), Then::End(now)) => format!("the execution {before}, and now {now}"),
        };
        Some(Difference { task: from.1.task, what })
    }

    /// From this state the execution goes on by this step.
    pub(crate) fn go(&mut self, state: u128, label: Label) {
        self.last = Some((state, label));
    }

    /// Of these steps from a state that is known, the one that was compared least; one of which it
    /// is not known what follows, only if there is no other.
    pub(crate) fn least_compared(&self, state: u128, labels: &[Label]) -> Label {
        let times = |label: &&Label| {
            self.known.get(&(state, **label)).map_or(u32::MAX, |(_, times)| *times)
        };
        *labels.iter().min_by_key(times).expect("some task can go on")
    }
}
