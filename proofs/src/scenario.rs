//! Scenarios: small closed programs, as data.

use std::ops::Deref;
use std::sync::{Arc, Weak};

use selvedge_kernel::{Atomic, Name, Var, join, join_all};
use selvedge_models::{Kernel, Machine};

/// CPUs, the tasks on them, the kernel functions that they call.
#[derive(Debug)]
pub struct Scenario {
    /// Its name in rows: tells the story.
    pub name: &'static str,
    /// Who does what on which CPU, and what is scaled down or run in place, in a sentence or two.
    pub about: &'static str,
    /// Its machine.
    pub machine: Machine,
    /// What is so when the tasks begin: what the main task of the scenario does by itself.
    pub setup: fn(&Run),
    /// Tasks that run one after the other, each to its end, before the others begin.
    pub before: &'static [Task],
    /// The tasks that run at the same time. The scenario ends when all of them have returned.
    pub tasks: &'static [Task],
    /// Looks at the outcome, and calls `fail` if a rule is broken: a check from [`crate::rules`].
    pub at_end: fn(&Run),
}

impl Scenario {
    /// No task, and nothing to look at: what a scenario does not say is as here.
    pub const EMPTY: Scenario = Scenario {
        name: "",
        about: "",
        machine: Machine::TINY,
        setup: |_| {},
        before: &[],
        tasks: &[],
        at_end: |_| {},
    };

    /// Runs the tasks, and looks at the outcome.
    pub fn play(&self, run: &Run) {
        (self.setup)(run);
        self.before.iter().filter_map(|task| task.start(run)).for_each(join);
        let tasks: Vec<usize> = self.tasks.iter().filter_map(|task| task.start(run)).collect();
        tasks.into_iter().for_each(join);
        join_all();
        (self.at_end)(run);
    }
}

/// One task of a scenario.
#[derive(Debug)]
pub struct Task {
    cpu: usize,
    name: &'static str,
    body: fn(&Run),
    is_interrupt: bool,
    sleeper: Option<usize>,
    exists: fn(&Kernel) -> bool,
}

/// A task on this CPU.
pub const fn cpu(cpu: usize, name: &'static str, body: fn(&Run)) -> Task {
    Task { cpu, name, body, is_interrupt: false, sleeper: None, exists: |_| true }
}

/// An interrupt on this CPU, at any step.
pub const fn irq(cpu: usize, name: &'static str, handler: fn(&Run)) -> Task {
    Task { cpu, name, body: handler, is_interrupt: true, sleeper: None, exists: |_| true }
}

impl Task {
    /// The task is there only in trees in which `exists` says so: a timer of a wait with a limit.
    pub const fn only_if(self, exists: fn(&Kernel) -> bool) -> Task {
        Task { exists, ..self }
    }

    /// The task is this one of the sleepers, and not that of its CPU.
    pub const fn sleeper(self, number: usize) -> Task {
        Task { sleeper: Some(number), ..self }
    }

    fn start(&self, run: &Run) -> Option<usize> {
        let (body, sleeper) = (self.body, self.sleeper);
        (self.exists)(run).then(|| match self.is_interrupt {
            false => run.task(self.cpu, self.name, move |run| {
                if let Some(number) = sleeper {
                    run.is_sleeper(number);
                }
                body(run);
            }),
            true => {
                let (shared, handler) = (run.share(), self.body);
                run.kernel.interrupt(self.cpu, self.name, move |_| handler(&shared))
            }
        })
    }
}

/// One execution of a scenario: the kernel, and what tasks tell the check at the end.
///
/// Stands for the [`Kernel`] wherever a kernel function wants one.
#[derive(Debug)]
pub struct Run {
    me: Weak<Run>,
    kernel: Arc<Kernel>,
    /// What came of a call: one task writes it, the check reads it.
    pub outcome: Var,
    /// How often something happened, to whichever task.
    pub count: Atomic,
}

impl Run {
    /// The run of a scenario that has not begun.
    pub fn new(kernel: Arc<Kernel>) -> Arc<Run> {
        Arc::new_cyclic(|me| Run {
            me: me.clone(),
            kernel,
            outcome: Var::new(Name::new("outcome"), 0),
            count: Atomic::new(Name::new("count"), 0),
        })
    }

    /// Starts a task on `cpu` and returns its number.
    pub fn task(&self, cpu: usize, name: &str, body: impl FnOnce(&Run) + Send + 'static) -> usize {
        let run = self.share();
        self.kernel.task(cpu, name, move |_| body(&run))
    }

    fn share(&self) -> Arc<Run> {
        self.me.upgrade().expect("a run is alive as long as its tasks")
    }
}

impl Deref for Run {
    type Target = Kernel;

    fn deref(&self) -> &Kernel {
        &self.kernel
    }
}

#[cfg(test)]
mod tests {
    use selvedge_explore::{Bounds, Engine, Verdict};
    use selvedge_models::trees::V6_1;
    use selvedge_monitors::standard;

    use super::*;

    /// A machine that cannot be is refused, and nothing is said to hold in it.
    #[test]
    fn an_impossible_machine_is_undecided() {
        let machine = Machine::TINY.absent(1).mapped();
        let body = Arc::new(move || Scenario::EMPTY.play(&Run::new(Kernel::new(&V6_1, machine))));
        for engine in [Engine::Dpor, Engine::Loom] {
            let seen = selvedge_explore::explore(engine, &Bounds::PROOF, standard(), body.clone());
            let Verdict::Undecided(why) = &seen.verdict else { panic!("{}", seen.verdict) };
            assert!(why.contains("`absent` with `mapped`"), "{why}");
        }
    }

    #[test]
    fn every_scenario_has_a_machine() {
        for (claim, _) in crate::rows() {
            let why = claim.scenario.machine.contradiction();
            assert_eq!(why, None, "{}", claim.scenario.name);
        }
    }
}
