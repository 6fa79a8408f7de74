//! Runs a scenario on a loaded image: sets up the world once, and puts it back before each
//! execution.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use selvedge_explore::{
    Body, Bounds, Engine, Exploration, explore, fail, join, join_all, never_unwind, spawn, unable,
};
use selvedge_kernel::{Cpus, reached};
use selvedge_monitors::{PLAIN_ACCESSES_DO_NOT_RACE, for_rule};
use selvedge_proofs::Task;
use selvedge_proofs::calls::{Arg, Call};
use selvedge_trace::{ActionKind, Counterexample, Monitor, Rule};

use crate::native::fault::{self, Missing};
use crate::native::gate::settle;
use crate::native::image::{Image, Snapshot};
use crate::native::look::OfImage;
use crate::native::models::{as_task, call, call_at, try_call};
use crate::native::sharing::Sharing;
use crate::native::world::{World, cpus, image, with};
use crate::scenario::Scenario;
use crate::{initial, states};

/// More than a kernel function of these scenarios ever takes.
const STEPS_MAX: usize = 20_000;

/// How a scenario is watched.
pub struct Watched<'a> {
    /// The limits of the search.
    pub bounds: &'a Bounds,
    /// Who looks on, besides the monitors that the rule needs.
    pub monitors: Vec<Box<dyn Monitor>>,
    /// Whether an access is a step even if none races with it.
    pub every_access: bool,
}

/// What came of it.
pub struct Outcome {
    /// What was found.
    pub exploration: Exploration,
    /// What C needed and nobody has: the search is undecided then.
    pub missing: Option<Missing>,
}

/// Explores the scenario. `fresh` is the image's data as it was loaded; `prefixes` are what names
/// of source files begin with.
pub fn run(
    image: &Arc<Image>,
    fresh: &Snapshot,
    prefixes: &[String],
    scenario: &Scenario,
    watched: Watched<'_>,
) -> Outcome {
    fault::install();
    let Watched { bounds, mut monitors, every_access } = watched;
    // A monitor that orders accesses by itself has to see all, and the barriers.
    let every_access = every_access || scenario.rule == PLAIN_ACCESSES_DO_NOT_RACE;
    let mut sharing = Sharing::new(image.data, every_access);
    let started = Instant::now();
    loop {
        with(|world| world.begin_search(image, prefixes, std::mem::take(&mut sharing)));
        set_up(image, fresh, scenario);
        let left = bounds.time_max.map(|most| most.saturating_sub(started.elapsed()));
        let bounds = Bounds { time_max: left, ..bounds.clone() };
        let mut all = for_rule(scenario.rule);
        all.append(&mut monitors);
        let body = body(image, scenario);
        let mut exploration = explore(Engine::Dpor, &of_one(bounds), all, body);
        let missing;
        (sharing, missing) =
            with(|world| (std::mem::take(&mut world.sharing), world.missing.take()));
        with(World::end_search);
        if !sharing.has_grown() {
            if let Some(found) = &mut exploration.counterexample {
                found.scenario = scenario.name.into();
                leave_out_private_steps(found);
            }
            exploration.elapsed = started.elapsed();
            return Outcome { exploration, missing };
        }
        sharing.begin_round();
    }
}

/// An image has one address: one thread explores, this one.
fn of_one(bounds: Bounds) -> Bounds {
    Bounds { workers: 1, stateful: false, steps_max: STEPS_MAX, ..bounds }
}

/// The scenario, in the world that is set up. It may give the search up, undecided, when it turns
/// out that more accesses are steps than was known.
fn body(image: &Arc<Image>, scenario: &Scenario) -> Body {
    let begin = image.snapshot();
    let (image, of) = (image.clone(), scenario.of);
    let (name, rule) = (scenario.name, scenario.rule);
    let executions = AtomicU64::new(0);
    Arc::new(move || {
        never_unwind();
        if with(|world| world.sharing.gives_up()) {
            unable("more accesses are steps than was known");
        }
        with(|world| image.restore_written(&begin, &mut world.written));
        // Now and then: was each write announced?
        let number = executions.fetch_add(1, Ordering::Relaxed);
        if number.is_power_of_two() && !image.is_as(&begin) {
            unable("an execution has changed memory and has not announced it");
        }
        with(|world| world.begin_execution(Cpus::new(of.machine.sizes.cpus, false)));
        of.before.iter().zip(1..).for_each(|(task, number)| join(start(of, task, number)));
        let numbers = of.before.len() + 1..;
        let tasks: Vec<usize> =
            of.tasks.iter().zip(numbers).map(|(task, number)| start(of, task, number)).collect();
        tasks.into_iter().for_each(join);
        join_all();
        let look = look_of(of);
        if is_kernel() {
            states::at_end(&look).into_iter().for_each(reached);
        }
        (of.look)(&look);
        check_in_c(name, rule);
        with(|world| world.live = false);
    })
}

/// The check of a scenario of C's own that is in C: `sv_at_end_NAME()`.
fn check_in_c(name: &str, rule: Rule) {
    let answer = try_call(&format!("sv_at_end_{name}"), &[]).unwrap_or(0) as i32;
    if answer != 0 {
        fail(rule, format!("the check at the end says {answer}"));
    }
}

fn look_of(of: &selvedge_proofs::Scenario) -> OfImage {
    OfImage { cpus: of.machine.sizes.cpus, folios: of.machine.sizes.folios }
}

/// What the boot has done, and what is so when the tasks begin.
fn set_up(image: &Image, fresh: &Snapshot, scenario: &Scenario) {
    with(|world| world.live = false);
    image.restore(fresh);
    let machine = &scenario.of.machine;
    let cpus = machine.sizes.cpus;
    image.copy_percpu(cpus);
    let percpu = image.percpu.to - image.percpu.from;
    for (function, args) in
        [("sv_init", &[cpus as u64, percpu][..]), ("sv_filemap_init", &[scenario.unfairness])]
    {
        // An image of the tests' own has no files under test, and nothing to be set up in them.
        try_call(function, args);
    }
    for made in initial::set_up(machine) {
        call(made.function, &[call("sv_folio", &[made.folio as u64])]);
    }
    for call in scenario.of.begins {
        do_call(scenario.of, call, 0);
    }
}

fn start(of: &'static selvedge_proofs::Scenario, task: &'static Task, number: usize) -> usize {
    let (cpus, cpu) = (cpus(), task.cpu());
    let calls = task.calls().expect("only scenarios that are made of calls are run");
    let started = spawn(task.name(), cpus.task_on(cpu), move || {
        as_task(|| calls.iter().for_each(|call| do_call(of, call, cpu)));
    });
    // Who is killed is known by its number, as long as no other task has started one.
    let is_named = |call: &Call| call.args.iter().any(|arg| matches!(arg, Arg::Sleeper(_)));
    if started != number
        && of.tasks.iter().flat_map(|t| t.calls().unwrap_or_default()).any(is_named)
    {
        unable("a scenario that names one of its tasks starts others before it");
    }
    started
}

fn do_call(of: &'static selvedge_proofs::Scenario, made: &'static Call, cpu: usize) {
    let value = |arg: &Arg| match *arg {
        Arg::Folio(index) => try_call("sv_folio", &[index as u64]).unwrap_or(0),
        Arg::Bh(index) => try_call("sv_bh", &[index as u64]).unwrap_or(0),
        Arg::Sleeper(sleeper) => {
            let place = of.sleeper(sleeper).expect("a task that sleeps");
            try_call("sv_task", &[(of.before.len() + 1 + place) as u64]).unwrap_or(0)
        }
    };
    let args: Vec<u64> = made.args.iter().map(value).collect();
    let at = symbol(made.function.name, |name| image().at(name));
    // Scenarios whose functions a tree lacks are not run.
    let returned = call_at(at.expect("a function that was looked for"), &args);
    settle();
    // Ours around what returns bool return int.
    let returned = i64::from(returned as i32);
    if with(|world| world.live) {
        (made.function.judge)(returned);
    }
    if with(|world| world.live) && is_kernel() {
        states::after(&look_of(of), made, cpu, returned).into_iter().for_each(reached);
    }
    if made.is_followed(returned) {
        made.then.1.iter().for_each(|call| do_call(of, call, cpu));
    }
}

/// Is it the image of a kernel, and not one of the tests' own?
fn is_kernel() -> bool {
    image().at("sv_init").is_some()
}

/// The function of this name, by way of ours if it is static or inline.
pub fn symbol<T>(name: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
    find(&format!("sv_{name}")).or_else(|| find(name))
}

/// A reader of the table looks for what tasks do to each other. What only one task ever touches in
/// this execution (its stack, list pointers) is left out, unless it is the fatal step.
fn leave_out_private_steps(found: &mut Counterexample) {
    use ActionKind::{PlainRead, PlainWrite, Read, Update, UpdateFailed, Write};
    let touched_by_others = |task: u8, object: &str| {
        found.steps.iter().any(|step| step.object == object && step.task != task)
    };
    let is_kept = |number: usize| {
        let step = &found.steps[number];
        let is_access =
            matches!(step.action, Read | Write | PlainRead | PlainWrite | Update | UpdateFailed);
        found.fatal == Some(number) || !is_access || touched_by_others(step.task, &step.object)
    };
    let kept: Vec<bool> = (0..found.steps.len()).map(is_kept).collect();
    let moved = |number: usize| kept[..number].iter().filter(|kept| **kept).count();
    found.fatal = found.fatal.map(moved);
    for holder in &mut found.holders {
        holder.step = holder.step.filter(|&step| kept[step]).map(moved);
    }
    let mut numbers = 0..;
    found.steps.retain(|_| numbers.next().is_some_and(|number: usize| kept[number]));
}
