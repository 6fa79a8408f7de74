//! Runs a scenario on a loaded image: sets up the world once, and puts it back before each
//! execution.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use selvedge_explore::{Bounds, Engine, Exploration, explore, join, join_all, spawn};
use selvedge_kernel::Cpus;
use selvedge_monitors::for_rule;
use selvedge_trace::{ActionKind, Counterexample};

use crate::native::fault;
use crate::native::image::{Image, Snapshot};
use crate::native::models::{as_task, call, call_at, try_call};
use crate::native::world::{World, cpus, image, with};
use crate::scenario::{Arg, Call, Scenario, Task};

/// More than a kernel function of these scenarios ever takes.
const STEPS_MAX: usize = 20_000;

/// Numbers searches, so that what one has numbered is not taken for another's.
static SEARCHES: AtomicU64 = AtomicU64::new(1);

/// Explores the scenario. `fresh` is the image's data as it was loaded; `prefixes` are what names
/// of source files begin with.
pub fn run(
    image: &Arc<Image>,
    fresh: &Snapshot,
    prefixes: &[String],
    scenario: &'static Scenario,
    bounds: &Bounds,
) -> Exploration {
    let search = SEARCHES.fetch_add(1, Ordering::Relaxed);
    with(|world| world.begin_search(search, image, prefixes));
    fault::install();
    set_up(image, fresh, scenario);
    let begin = image.snapshot();
    let (image, prefixes) = (image.clone(), prefixes.to_vec());
    let body = Arc::new(move || {
        fault::install();
        image.restore(&begin);
        with(|world| {
            world.begin_search(search, &image, &prefixes);
            world.begin_execution(Cpus::new(scenario.cpus, false));
        });
        let tasks: Vec<usize> = scenario.tasks.iter().map(start).collect();
        tasks.into_iter().for_each(join);
        join_all();
        (scenario.at_end)(&call);
        with(|world| world.live = false);
    });
    // An image has one address: one thread explores.
    let bounds = Bounds { workers: 1, stateful: false, steps_max: STEPS_MAX, ..bounds.clone() };
    let mut seen = explore(Engine::Dpor, &bounds, for_rule(scenario.rule), body);
    with(World::end_search);
    if let Some(found) = &mut seen.counterexample {
        found.scenario = scenario.name.into();
        leave_out_private_steps(found);
    }
    seen
}

/// What the boot has done, and what is so when the tasks begin.
fn set_up(image: &Image, fresh: &Snapshot, scenario: &Scenario) {
    with(|world| world.live = false);
    image.restore(fresh);
    image.copy_percpu(scenario.cpus);
    let percpu = image.percpu.to - image.percpu.from;
    for (function, args) in [
        ("sv_init", &[scenario.cpus as u64, percpu][..]),
        ("sv_filemap_init", &[scenario.unfairness]),
    ] {
        // An image of the tests' own has no files under test, and nothing to be set up in them.
        try_call(function, args);
    }
    scenario.set_up.iter().for_each(do_call);
}

fn start(task: &'static Task) -> usize {
    let cpus = cpus();
    spawn(task.name, cpus.task_on(task.cpu), move || {
        as_task(|| task.calls.iter().for_each(do_call));
    })
}

fn do_call(call: &Call) {
    let value = |arg: &Arg| match *arg {
        Arg::Number(number) => number,
        Arg::Folio(index) => try_call("sv_folio", &[index]).unwrap_or(0),
        Arg::Bh(index) => try_call("sv_bh", &[index]).unwrap_or(0),
        Arg::Task(number) => try_call("sv_task", &[number]).unwrap_or(0),
    };
    let args: Vec<u64> = call.args.iter().map(value).collect();
    let at = image().at(call.function);
    // Scenarios whose functions a tree lacks are not run.
    call_at(at.expect("a function that was looked for"), &args);
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
