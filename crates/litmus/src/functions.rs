//! Processes that are functions: of a work item, or a callback of RCU. `schedule_work(1)` names the
//! process whose body it is; no task runs that process but who is told to, on the CPU of its
//! number.
//!
//! Herd has none of these. What is expected of them follows from what the kernel's documentation
//! says; each test names the place.

use std::collections::BTreeSet;
use std::sync::Arc;

use selvedge_kernel::{
    Cpus, INIT_WORK, Name, Work, WorkFn, call_rcu, cancel_work_sync, flush_work, queue_work_on,
};

use crate::ast::{Expr, Process, for_each_expr};
use crate::primitives::Does;

/// A process that somebody else runs.
pub(crate) struct Function {
    cpu: usize,
    run: WorkFn,
    work: Work,
}

impl Function {
    /// The process of this number. Where nobody cancels it, it costs a step less to queue it.
    pub(crate) fn new(process: usize, is_cancelled: bool, run: WorkFn) -> Function {
        let name = Name::new("work").nth(process);
        let work = if is_cancelled { Work::cancellable(name) } else { Work::new(name) };
        INIT_WORK(&work, run.clone());
        Function { cpu: process, run, work }
    }
}

/// A call, by the process that it names. What returns nothing returns 0.
pub(crate) type Call = fn(&Arc<Cpus>, &Function) -> i64;

/// What is called with the number of a process.
pub(crate) const FUNCTIONS: &[(&str, Does, Call)] = &[
    ("schedule_work", Does::Updates, |cpus, f| i64::from(queue_work_on(cpus, f.cpu, &f.work))),
    ("flush_work", Does::Orders, |cpus, f| {
        flush_work(cpus, &f.work);
        0
    }),
    ("cancel_work_sync", Does::Updates, |cpus, f| i64::from(cancel_work_sync(cpus, &f.work))),
    ("call_rcu", Does::Orders, |cpus, f| {
        let run = f.run.clone();
        call_rcu(cpus, f.cpu, move || run());
        0
    }),
];

pub(crate) fn is_one(name: &str) -> bool {
    FUNCTIONS.iter().any(|(known, ..)| *known == name)
}

/// The processes that are functions: that some call of the test names.
pub(crate) fn named(processes: &[Process]) -> BTreeSet<usize> {
    let mut named = BTreeSet::new();
    for process in processes {
        for_each_expr(&process.body, &mut |expr| add(expr, &mut named));
    }
    named
}

fn add(expr: &Expr, named: &mut BTreeSet<usize>) {
    if let Expr::Call(name, arguments, _) = expr
        && is_one(name)
        && let [Expr::Number(number)] = arguments[..]
    {
        named.extend(usize::try_from(number).ok());
    }
    expr.parts().into_iter().for_each(|part| add(part, named));
}
