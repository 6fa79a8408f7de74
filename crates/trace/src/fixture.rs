//! Steps and counterexamples for tests, of which each says only what it is about.

use crate::{ActionKind, Column, Context, Counterexample, Order, Record, SCHEMA};

/// A relaxed step of a task, which is on the CPU of its number less one, in `f()`.
pub fn step(task: u8, action: ActionKind, object: &str, (old, new): (u64, u64)) -> Record {
    Record {
        task,
        cpu: task.saturating_sub(1),
        context: Context::Task,
        path: vec!["f".into()],
        action,
        primitive: "access".into(),
        object: object.into(),
        bit: None,
        order: Order::Relaxed,
        old,
        new,
        stale: false,
        at: String::new(),
        detail: String::new(),
    }
}

/// `main`, and these tasks, each on a CPU of its own.
pub fn counterexample(tasks: &[&str], steps: Vec<Record>) -> Counterexample {
    let column = |name: &str, cpu| Column { name: name.into(), cpu, context: Context::Task };
    let others = tasks.iter().enumerate().map(|(cpu, name)| column(name, Some(cpu as u8)));
    Counterexample {
        schema: SCHEMA.into(),
        claim: String::new(),
        tree: String::new(),
        scenario: String::new(),
        rule: "r".into(),
        message: "m".into(),
        engine: "dpor".into(),
        memory_model: "sc".into(),
        model: None,
        tasks: [column("main", None)].into_iter().chain(others).collect(),
        steps,
        fatal: None,
        blocked: Vec::new(),
        holders: Vec::new(),
        schedule: Vec::new(),
        explanation: None,
    }
}
