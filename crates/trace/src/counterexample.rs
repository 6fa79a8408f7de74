//! A counterexample as data: everything that a view of it needs, and nothing of the program that
//! made it. Stored as JSON, schema `selvedge-trace/1`.

use serde::{Deserialize, Serialize};

use crate::holders::{Holder, holders};
use crate::{
    Action, ActionKind, Context, End, Event, Execution, Explanation, Finding, Model, Order, Paths,
};

/// The schema that this version writes and reads.
pub const SCHEMA: &str = "selvedge-trace/1";

/// A failing interleaving.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counterexample {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The row that it refutes: `subsystem::rule::scenario::tree::engine`.
    pub claim: String,
    /// The kernel tree it happened in.
    pub tree: String,
    /// The scenario that was run.
    pub scenario: String,
    /// The broken rule, as its sentence.
    pub rule: String,
    /// What was seen.
    pub message: String,
    /// The engine that found it.
    pub engine: String,
    /// The memory model it was found under: `sc` or `c11`.
    pub memory_model: String,
    /// The version of the models; `None` if nobody said, and of the kernel's own C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The tasks, by number; the first is the scenario's main.
    pub tasks: Vec<Column>,
    /// What happened, in order.
    pub steps: Vec<Record>,
    /// The index in `steps` of the fatal one; `None` if the end itself is at fault.
    pub fatal: Option<usize>,
    /// Who could never go on, if that is the violation.
    pub blocked: Vec<Blocked>,
    /// Who holds the references to the object of the fatal step, if references to it are counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
    /// The schedule: the number of the task that took each step of the engine, a choice as
    /// `-1 - alternative`. Empty if the engine cannot replay.
    pub schedule: Vec<i32>,
    /// Why it fails, if that was explored (`selvedge explain`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// A task as a column of the table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Column {
    /// `migrator`, `kworker/0`.
    pub name: String,
    /// `None`: runs on no modelled CPU.
    pub cpu: Option<u8>,
    /// The context that it runs in.
    pub context: Context,
}

/// One event, with its names spelled out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Index in [`Counterexample::tasks`].
    pub task: u8,
    /// The CPU it ran on.
    pub cpu: u8,
    /// On whose behalf.
    pub context: Context,
    /// Kernel functions, outermost first.
    pub path: Vec<String>,
    /// What it was.
    pub action: ActionKind,
    /// The primitive, as the kernel spells it.
    pub primitive: String,
    /// The object.
    pub object: String,
    /// The bit that it is about, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bit: Option<BitOf>,
    /// The ordering that it carries.
    pub order: Order,
    /// The value read.
    pub old: u64,
    /// The value left.
    pub new: u64,
    /// The value read was not the newest.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
    /// The line of the source that the task executed, `mm/swap.c:214`, if that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// Of a note: the holder of the reference (`get`, `put`), the old and the new one (`hand`), the
    /// state (`mark`), the bit that the task waits for (`awaits`), the mask of the bits that it
    /// owns (`owns`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// A bit of a flags word.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BitOf {
    /// Its number, 0 to 63.
    pub nr: u32,
    /// `PG_lru`, `BH_Lock`.
    pub name: String,
}

/// A task that can never go on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Blocked {
    /// Index in [`Counterexample::tasks`].
    pub task: u8,
    /// What it waits to do.
    pub primitive: String,
    /// What it waits for.
    pub object: String,
    /// Kernel functions, outermost first.
    pub path: Vec<String>,
}

impl Counterexample {
    /// Spells out one execution and what is wrong with it. The fields that say where it belongs
    /// (`claim`, `tree`, `scenario`, `engine`, `memory_model`, `model`, `schedule`) are left for
    /// the caller.
    pub fn new(execution: &Execution<'_>, finding: &Finding) -> Counterexample {
        let record = |event: &Event| Record::new(event, execution.paths);
        Counterexample {
            schema: SCHEMA.into(),
            claim: String::new(),
            tree: String::new(),
            scenario: String::new(),
            rule: finding.rule.0.into(),
            message: finding.message.clone(),
            engine: String::new(),
            memory_model: String::new(),
            model: None,
            tasks: (execution.tasks.iter())
                .map(|t| Column { name: t.name.clone(), cpu: t.cpu, context: t.context })
                .collect(),
            steps: execution.events.iter().map(record).collect(),
            fatal: finding.event,
            blocked: blocked(execution),
            holders: (finding.event.and_then(|index| execution.events.get(index)))
                .map(|event| holders(execution, event.object))
                .unwrap_or_default(),
            schedule: Vec::new(),
            explanation: None,
        }
    }

    /// The kernel functions that it comes through, each once, in order of their names.
    pub fn functions(&self) -> std::collections::BTreeSet<&str> {
        let of_steps = self.steps.iter().flat_map(|step| &step.path);
        of_steps.chain(self.blocked.iter().flat_map(|b| &b.path)).map(String::as_str).collect()
    }
}

fn blocked(execution: &Execution<'_>) -> Vec<Blocked> {
    let End::Deadlock(waiting) = execution.end else { return Vec::new() };
    (waiting.iter())
        .map(|w| Blocked {
            task: w.task,
            primitive: w.primitive.into(),
            object: w.name.to_string(),
            path: spell(execution.paths, w.path),
        })
        .collect()
}

fn spell(paths: &Paths, path: crate::PathId) -> Vec<String> {
    paths.functions(path).into_iter().map(String::from).collect()
}

impl Record {
    fn new(event: &Event, paths: &Paths) -> Record {
        Record {
            task: event.task,
            cpu: event.cpu,
            context: event.context,
            path: spell(paths, event.path),
            action: event.action.kind(),
            primitive: event.primitive.into(),
            object: event.name.to_string(),
            bit: event.bit.map(|bit| BitOf { nr: bit.nr, name: bit.name.into() }),
            order: event.order,
            old: event.old,
            new: event.new,
            stale: event.stale,
            at: event.at.into(),
            detail: match event.action {
                Action::Get(holder) | Action::Put(holder) => holder.to_string(),
                Action::Hand(from, to) => format!("{from} to {to}"),
                Action::Mark(state) => state.into(),
                Action::Awaits(wait) => wait.bit.into(),
                Action::Owns(mask) => format!("{mask:#x}"),
                _ => String::new(),
            },
        }
    }
}
