//! A scenario that is run on C: the tasks of one that is written for the models too
//! (`selvedge-proofs`), or of one of C's own, and what is asked about it.

use selvedge_proofs::calls::{Call, Function};
use selvedge_proofs::{Expected, Source};
use selvedge_trace::Rule;

/// A scenario and what is expected of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name in rows.
    pub name: &'static str,
    /// The CPUs, the tasks on them, the kernel functions that they call.
    pub of: &'static selvedge_proofs::Scenario,
    /// The subsystem: the first part of the row's name.
    pub subsystem: &'static str,
    /// The rule that is asked about. Others that are broken are told, too.
    pub rule: Rule,
    /// What is expected of a tree without a patch, and where that is from.
    pub expected: (Expected, Source),
    /// `sysctl_page_lock_unfairness`.
    pub unfairness: u64,
    /// States that some execution must have reached, if the rule holds.
    pub reached: Vec<&'static str>,
}

/// The kernel's default of `sysctl_page_lock_unfairness`.
pub const UNFAIRNESS: u64 = 5;

impl Scenario {
    /// The tasks that run one after the other, then those that run at the same time, with what each
    /// calls.
    pub fn calls(&self) -> impl Iterator<Item = &'static Call> {
        let tasks = self.of.before.iter().chain(self.of.tasks);
        self.of.begins.iter().chain(tasks.flat_map(|task| task.calls().unwrap_or_default()))
    }

    /// The functions that it calls.
    pub fn functions(&self) -> Vec<Function> {
        self.calls().flat_map(Call::functions).collect()
    }
}

/// Can this scenario run on C: is it made of calls, on a machine that can be set up there?
pub fn is_for_c(of: &selvedge_proofs::Scenario) -> bool {
    of.is_shared() && crate::initial::lacks(&of.machine).is_none()
}
