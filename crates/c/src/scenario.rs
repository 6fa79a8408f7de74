//! Scenarios of C: as data, what `selvedge-proofs` has as closures of Rust.

use selvedge_trace::Rule;

/// CPUs, the tasks on them, the kernel functions that they call.
#[derive(Debug)]
pub struct Scenario {
    /// The subsystem: the first part of the row's name.
    pub subsystem: &'static str,
    /// Its name in rows; that of the Rust model's scenario, where there is one.
    pub name: &'static str,
    /// Who does what on which CPU.
    pub about: &'static str,
    /// The rule that is asked about. Others that are broken are told, too.
    pub rule: Rule,
    /// What holds in the releases that this was run on, and where that is from.
    pub expected: (Expected, &'static str),
    /// How many CPUs, at most 8.
    pub cpus: usize,
    /// `sysctl_page_lock_unfairness`; the kernel's default is 5.
    pub unfairness: u64,
    /// What is so when the tasks begin.
    pub set_up: &'static [Call],
    /// The tasks, which run at the same time. Their numbers, from 1, are in this order as long as
    /// none of them starts another.
    pub tasks: &'static [Task],
    /// Looks at the outcome, and calls `fail` if a rule is broken.
    pub at_end: fn(&Look),
    /// States that some execution must have reached, if the rule holds.
    pub reached: &'static [&'static str],
}

/// Calls a function of the image that takes no step: for checks at the end.
pub type Look = dyn Fn(&str, &[u64]) -> u64;

/// What is expected of an unpatched tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// The rule holds.
    Holds,
    /// It is violated.
    Violated,
}

/// One task.
#[derive(Debug)]
pub struct Task {
    /// Its CPU.
    pub cpu: usize,
    /// Its name.
    pub name: &'static str,
    /// What it calls, in order.
    pub calls: &'static [Call],
}

/// A call of a function of the image.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The kernel's function, or one of ours around something static (`sv_…`).
    pub function: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
}

/// An argument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// A `struct folio *`: of one page, with one reference, mapped nowhere.
    Folio(u64),
    /// A `struct buffer_head *`, with one reference.
    Bh(u64),
    /// The `struct task_struct *` of the task of this number.
    Task(u64),
    /// A number.
    Number(u64),
}

/// A call.
pub const fn call(function: &'static str, args: &'static [Arg]) -> Call {
    Call { function, args }
}

/// A task.
pub const fn cpu(cpu: usize, name: &'static str, calls: &'static [Call]) -> Task {
    Task { cpu, name, calls }
}

impl Scenario {
    /// The functions that its tasks and its set-up call.
    pub fn roots(&self) -> impl Iterator<Item = &'static str> {
        let calls = self.tasks.iter().flat_map(|task| task.calls);
        calls.chain(self.set_up).map(|call| call.function)
    }
}
