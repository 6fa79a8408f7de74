//! Listeners: what is told to them, and what they may answer.

use std::any::Any;
use std::hash::Hasher;

use serde_json::Value;

use crate::{Event, Finding, Name, Paths, TaskInfo};

/// A task that could not go on when the execution ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its number.
    pub task: u8,
    /// What it waits to do, as the kernel spells it: `spin_lock`, `flush_work`, `schedule`.
    pub primitive: &'static str,
    /// The object it waits for.
    pub object: u32,
    /// The task whose end it waits for, if that is what it does.
    pub end_of: Option<u8>,
    /// What that is called.
    pub name: Name,
    /// The nest of functions it waits in.
    pub path: crate::PathId,
    /// It looks again and again and keeps its CPU meanwhile, as long as it is not preempted.
    pub spins: bool,
}

/// How an execution ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every task returned.
    Complete,
    /// Some tasks can never go on.
    Deadlock(Vec<Waiting>),
    /// The scenario or a kernel assertion stopped it, and said why.
    Stopped,
}

/// One finished execution.
#[derive(Clone, Copy, Debug)]
pub struct Execution<'a> {
    /// What happened, in order.
    pub events: &'a [Event],
    /// The function nests that the events name.
    pub paths: &'a Paths,
    /// The tasks, by number.
    pub tasks: &'a [TaskInfo],
    /// How it ended.
    pub end: &'a End,
}

/// What a monitor needs of the way to a state, for a search that goes on from each state once,
/// whatever way led to it. (That all executions which differ only in the order of independent steps
/// are the same to a monitor is so anyway.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judges {
    /// Nothing: whether it finds something depends on the state, which has what each task has
    /// observed in it, and on the next step; or on the end.
    States,
    /// What [`Monitor::so_far`] says: of two executions that have come to one state, and of which
    /// it says the same, it finds the same in what follows.
    SoFar,
    /// More than it says, so that such a search cannot decide this rule.
    Ways(&'static str),
}

/// Looks at every execution, and may find a rule broken in one or over all of them.
///
/// A monitor is called on the thread that explores, after the execution; it keeps what it needs
/// from one execution to the next. A search that is split among threads has monitors of each kind
/// for each part, and puts together what they have kept.
pub trait Monitor: Any + Send {
    /// Looks at one execution. A finding makes the claim `violated` with this execution as the
    /// counterexample.
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding>;

    /// The execution that it is shown next begins with so many events of the one that it was shown
    /// last. For a monitor that keeps what it found out about these; how many of them it looked at
    /// it knows itself.
    fn begins_alike(&mut self, _events: usize) {}

    /// The execution is over, and this is the rule that it breaks, whoever has found it. To be
    /// implemented by who compares executions that fail with others.
    fn concluded(&mut self, _execution: &Execution<'_>, _finding: Option<&Finding>) {}

    /// A monitor of the same kind that has seen nothing.
    fn another(&self) -> Box<dyn Monitor>;

    /// Merges what another monitor of the same kind has kept. That one has seen the executions that
    /// come after those of this one. A monitor that keeps anything implements this.
    fn take_over(&mut self, _later: Box<dyn Monitor>) {}

    /// What it has kept, for another process: there a monitor of the same kind that has seen
    /// nothing [restores](Monitor::restore) it, to be taken over. `Null` of a monitor that never
    /// keeps anything; `None` of one that cannot say it, and with which a search is not shared.
    fn kept(&self) -> Option<Value> {
        None
    }

    /// Keeps what another of its kind has kept; `false`: no monitor of this kind has said this.
    fn restore(&mut self, kept: Value) -> bool {
        kept.is_null()
    }

    /// Does what it finds depend on which of two writes of the same value a load has read? Then
    /// executions that differ in that alone are not taken for the same. To be said by who follows
    /// orderings from a store to the loads that read it.
    fn asks_who_wrote(&self) -> bool {
        false
    }

    /// What it needs of the way to a state.
    fn judges(&self) -> Judges {
        Judges::Ways("a monitor's")
    }

    /// Hashes what it makes of the beginning of an execution, if that is what it
    /// [judges](Judges::SoFar).
    fn so_far(&mut self, _beginning: &Execution<'_>, _hash: &mut dyn Hasher) {}

    /// After the last execution: what no single one of them shows, such as a cycle of lock orders
    /// that no execution ran into. The string is the evidence, ready to print.
    fn exploration_ended(&mut self) -> Option<(Finding, String)> {
        None
    }
}
