//! Scenarios: small closed programs, as data.

use std::ops::Deref;
use std::ptr;
use std::sync::{Arc, Weak};

use selvedge_kernel::{Atomic, Name, Var, join, join_all};
use selvedge_models::{Kernel, Machine};

use crate::calls::Call;
use crate::look::Look;
use crate::rules::ended_safely;
use crate::same_code::are_same_code;

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
    /// The same as calls, in a scenario that runs on C too.
    pub begins: &'static [Call],
    /// Tasks that run one after the other, each to its end, before the others begin.
    pub before: &'static [Task],
    /// The tasks that run at the same time. The scenario ends when all of them have returned.
    pub tasks: &'static [Task],
    /// Looks at the outcome, and calls `fail` if a rule is broken: a check from [`crate::rules`].
    pub at_end: Option<fn(&Run)>,
    /// The same, of what the models and C have in common: what a scenario has that runs on both.
    pub look: fn(&(dyn Look + 'static)),
}

impl Scenario {
    /// No task, and nothing to look at: what a scenario does not say is as here.
    pub const EMPTY: Scenario = Scenario {
        name: "",
        about: "",
        machine: Machine::TINY,
        setup: sets_nothing_up,
        begins: &[],
        before: &[],
        tasks: &[],
        at_end: None,
        look: looks_at_nothing,
    };

    /// Is it made of what the models and C have in common: calls, and a look at the end?
    pub fn is_shared(&self) -> bool {
        let mut tasks = self.before.iter().chain(self.tasks);
        let is_made_of_calls = !self.tasks.is_empty() && tasks.all(|task| task.calls().is_some());
        is_made_of_calls && self.at_end.is_none()
    }

    /// Does the other do the same, under another name? Functions are compared by their addresses:
    /// two that have one address are the same; two that have two may be, and are taken for
    /// different.
    pub(crate) fn is_same_program(&self, other: &Scenario) -> bool {
        let are_same =
            |a: &[Task], b: &[Task]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.does(b));
        let look_at_same = match (self.at_end, other.at_end) {
            (Some(a), Some(b)) => are_same_code!(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.machine == other.machine
            && are_same_code!(self.setup, other.setup)
            && is_same(self.begins, other.begins)
            && are_same(self.before, other.before)
            && are_same(self.tasks, other.tasks)
            && look_at_same
            && are_same_code!(self.look, other.look)
    }

    /// The task that is this one of the sleepers: its place in the list.
    pub fn sleeper(&self, number: usize) -> Option<usize> {
        let place = |by_own_word| {
            self.tasks.iter().position(|task: &Task| task.is_sleeper(number, by_own_word))
        };
        place(true).or_else(|| place(false))
    }

    /// Makes what is so when the tasks begin.
    fn begin(&self, run: &Run) {
        (self.setup)(run);
        self.begins.iter().for_each(|call| call.on_models(run));
        self.before.iter().filter_map(|task| task.start(run)).for_each(join);
    }

    /// Does the other begin in the same state? Then the tasks of both can be played over it.
    ///
    /// One that starts its tasks in [`Scenario::setup`] begins like no other.
    ///
    /// # Errors
    /// What differs.
    pub(crate) fn begins_like(&self, other: &Scenario) -> Result<(), &'static str> {
        let is_one_setup = are_same_code!(self.setup, other.setup);
        let scaled = |machine: &Machine| (machine.sizes.batch, machine.sizes.bh_lru);
        if self.tasks.is_empty() || other.tasks.is_empty() {
            Err("one of them starts its tasks while it is set up")
        } else if self.machine.initial != other.machine.initial || !is_one_setup {
            Err("they do not begin in the same state")
        } else if self.machine.modelled != other.machine.modelled {
            Err("they do not model the same parts of the kernel")
        } else if scaled(&self.machine) != scaled(&other.machine) {
            Err("their batches are not of one size")
        } else if !(is_same(self.begins, other.begins) && is_same(self.before, other.before)) {
            Err("something else happens before their tasks begin")
        } else {
            Ok(())
        }
    }

    /// The machine on which the tasks of both are played: sleepers of their own, else the larger.
    pub(crate) fn machine_with(&self, other: &Scenario) -> Machine {
        let (one, two) = (self.machine.sizes, other.machine.sizes);
        self.machine
            .cpus(one.cpus.max(two.cpus))
            .folios(one.folios.max(two.folios))
            .buffer_heads(one.buffer_heads.max(two.buffer_heads))
            .sleepers(one.sleepers + two.sleepers)
            .passes(one.passes.max(two.passes))
    }

    /// Runs the tasks of both at the same time; one that both have runs once. Nobody looks at the
    /// outcome: what is asked of the one is not asked of both.
    pub(crate) fn play_with(&self, other: &Scenario, run: &Run) {
        self.begin(run);
        let (here, sleepers) = (self.tasks.iter(), self.machine.sizes.sleepers);
        let more = other.tasks.iter().filter(|task| !self.tasks.iter().any(|t| t.is(task)));
        let more = more.map(|task| task.sleeper_after(sleepers));
        let tasks: Vec<usize> =
            here.copied().chain(more).filter_map(|task| task.start(run)).collect();
        tasks.into_iter().for_each(join);
        join_all();
    }

    /// Runs the tasks, and looks at the outcome: as the scenario says, then as every scenario is
    /// looked at.
    pub fn play(&self, run: &Run) {
        self.begin(run);
        let tasks: Vec<usize> = self.tasks.iter().filter_map(|task| task.start(run)).collect();
        tasks.into_iter().for_each(join);
        join_all();
        (self.look)(run);
        if let Some(look) = self.at_end {
            look(run);
        }
        ended_safely(run);
    }
}

// Each a function with one address, as scenarios are compared by what they call.
#[inline(never)]
fn sets_nothing_up(_: &Run) {}

#[inline(never)]
fn looks_at_nothing(_: &(dyn Look + 'static)) {}

/// Are these the same, or is there nothing?
fn is_same<T>(one: &'static [T], other: &'static [T]) -> bool {
    (one.is_empty() && other.is_empty()) || ptr::eq(one, other)
}

/// One task of a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    cpu: usize,
    name: &'static str,
    body: Body,
    comes: Comes,
    sleeper: Option<usize>,
    exists: fn(&Kernel) -> bool,
}

/// In which context it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comes {
    Scheduled,
    Interrupt,
    Softirq,
}

/// What a task does.
#[derive(Clone, Copy, Debug)]
enum Body {
    /// On the models only.
    Rust(fn(&Run)),
    /// On the models or on C.
    Calls(&'static [Call]),
}

impl Body {
    fn run(self, run: &Run) {
        match self {
            Body::Rust(body) => body(run),
            Body::Calls(calls) => calls.iter().for_each(|call| call.on_models(run)),
        }
    }
}

/// A task on this CPU.
pub const fn cpu(cpu: usize, name: &'static str, body: fn(&Run)) -> Task {
    let body = Body::Rust(body);
    Task { cpu, name, body, comes: Comes::Scheduled, sleeper: None, exists: |_| true }
}

/// A task on this CPU that makes these calls, on the models or on C.
pub const fn calls(cpu: usize, name: &'static str, calls: &'static [Call]) -> Task {
    let body = Body::Calls(calls);
    Task { cpu, name, body, comes: Comes::Scheduled, sleeper: None, exists: |_| true }
}

/// An interrupt on this CPU, at any step.
pub const fn irq(cpu: usize, name: &'static str, handler: fn(&Run)) -> Task {
    let body = Body::Rust(handler);
    Task { cpu, name, body, comes: Comes::Interrupt, sleeper: None, exists: |_| true }
}

/// A softirq on this CPU, at any step: [`Machine::softirqs`].
pub const fn softirq(cpu: usize, name: &'static str, handler: fn(&Run)) -> Task {
    Task { comes: Comes::Softirq, ..irq(cpu, name, handler) }
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

    /// Is it the other task in all that it does and is called?
    fn does(&self, other: &Task) -> bool {
        let more = |task: &Task| (task.comes, task.sleeper);
        self.is(other) && more(self) == more(other) && are_same_code!(self.exists, other.exists)
    }

    /// Its CPU.
    pub fn cpu(&self) -> usize {
        self.cpu
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Is it this one of the sleepers, by its own word or by its CPU's number?
    fn is_sleeper(&self, number: usize, by_own_word: bool) -> bool {
        if by_own_word { self.sleeper == Some(number) } else { self.cpu == number }
    }

    /// The calls that it makes, if it does nothing else.
    pub fn calls(&self) -> Option<&'static [Call]> {
        match self.body {
            Body::Calls(calls) if self.comes == Comes::Scheduled => Some(calls),
            _ => None,
        }
    }

    /// Is it the same task, of another scenario?
    fn is(&self, other: &Task) -> bool {
        let is_same_body = match (self.body, other.body) {
            (Body::Rust(one), Body::Rust(other)) => are_same_code!(one, other),
            (Body::Calls(one), Body::Calls(other)) => is_same(one, other),
            (Body::Rust(_), Body::Calls(_)) | (Body::Calls(_), Body::Rust(_)) => false,
        };
        (self.cpu, self.name) == (other.cpu, other.name) && is_same_body
    }

    /// The same task where these sleepers are others.
    fn sleeper_after(self, others: usize) -> Task {
        Task { sleeper: Some(others + self.sleeper.unwrap_or(self.cpu)), ..self }
    }

    fn start(&self, run: &Run) -> Option<usize> {
        let (body, sleeper) = (self.body, self.sleeper);
        (self.exists)(run).then(|| match self.comes {
            Comes::Scheduled => run.task(self.cpu, self.name, move |run| {
                if let Some(number) = sleeper {
                    run.is_sleeper(number);
                }
                body.run(run);
            }),
            Comes::Interrupt => {
                let shared = run.share();
                run.kernel.interrupt(self.cpu, self.name, move |_| body.run(&shared))
            }
            Comes::Softirq => {
                let shared = run.share();
                run.kernel.softirq(self.cpu, self.name, move |_| body.run(&shared))
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
