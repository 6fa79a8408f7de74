//! The sequentially consistent engines: our schedulers, and shuttle's, on shuttle.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use dpor::{Enabled, End, Next, Observer, PlainDfs, Stateful, Step};
use shuttle::scheduler::{PctScheduler, RandomScheduler};

use crate::panics;
use crate::run::{self, Ended};
use crate::split;
use crate::state;
use crate::task::{Stop, take_stop};
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, Progress, States};

/// The stack of a task. Models are shallow; an execution that needs more is killed by a guard page.
const STACK_BYTES: usize = 0x2_0000;

/// Runs the whole search. `None`: nothing cut it short.
pub(crate) fn explore(engine: Engine, bounds: &Bounds, body: &Body) -> Option<Cut> {
    if let Some(cut) = seed_is_overridden(engine) {
        return Some(cut);
    }
    let body = body.clone();
    let scenario = move || {
        run::begin_execution();
        body();
        run::with(|run| run.tasks[0].finished = true);
    };
    let is_whole = bounds.preemptions_max.is_none() && !bounds.compares_states(engine);
    if engine == Engine::Dpor && is_whole {
        return split::explore(bounds, STACK_BYTES, Arc::new(scenario));
    }
    let watch = Watch::new(bounds, Instant::now());
    let seen = watch.cut.clone();
    let watch = Box::new(watch);
    let steps_max = 2 * bounds.steps_max;
    let search = || match engine {
        Engine::Random => {
            let random = RandomScheduler::new_from_seed(bounds.seed, bounds.samples as usize);
            dpor::run(Enabled::new(random, watch, steps_max), STACK_BYTES, scenario);
        }
        Engine::Pct => {
            let (seed, depth) = (bounds.seed, bounds.pct_depth);
            let pct = PctScheduler::new_from_seed(seed, depth, bounds.samples as usize);
            dpor::run(Enabled::new(pct, watch, steps_max), STACK_BYTES, scenario);
        }
        Engine::Dpor if bounds.compares_states(engine) => {
            let stateful = Stateful::new(watch, steps_max, state::hash);
            let results = stateful.results();
            dpor::run(stateful, STACK_BYTES, scenario);
            run::with(|run| run.tally.states = Some(told_apart(&results)));
        }
        // A bounded search is done without reduction: that is what makes it complete within it.
        Engine::Dpor | Engine::Dfs | Engine::Loom => {
            let dfs = PlainDfs::new(watch, steps_max, bounds.preemptions_max);
            dpor::run(dfs, STACK_BYTES, scenario);
        }
    };
    let outcome = panics::silently(|| catch_unwind(AssertUnwindSafe(search)));
    match outcome {
        Ok(()) => seen.take().or(bounds.preemptions_max.map(Cut::Preemptions)),
        Err(payload) => Some(Cut::Panic(panics::message(&*payload))),
    }
}

fn told_apart(results: &dpor::States) -> States {
    States {
        count: results.states(),
        table_bytes: results.table_bytes(),
        collision_probability: results.collision_probability(),
    }
}

/// shuttle lets this variable override the seed that we would print.
fn seed_is_overridden(engine: Engine) -> Option<Cut> {
    let is_random = matches!(engine, Engine::Random | Engine::Pct);
    let is_set = is_random && std::env::var_os("SHUTTLE_RANDOM_SEED").is_some();
    is_set.then(|| Cut::Engine("SHUTTLE_RANDOM_SEED, which overrides the seed: unset it".into()))
}

/// Runs the scenario twice along the same schedule. A scenario that does not do the same thing
/// twice cannot be explored.
pub(crate) fn not_deterministic(bounds: &Bounds, body: &Body) -> Option<Cut> {
    let once = Bounds { samples: 1, progress: None, ..bounds.clone() };
    let mut digests = Vec::new();
    for _ in 0..2 {
        run::begin_exploration(Engine::Random, &once, Vec::new());
        if let Some(cut @ (Cut::Panic(_) | Cut::Steps)) = explore(Engine::Random, &once, body) {
            return Some(cut);
        }
        digests.push(run::with(|run| run.digest()));
    }
    let differ = digests[0].iter().zip(&digests[1]).position(|(a, b)| a != b);
    let differ = differ.or((digests[0].len() != digests[1].len()).then_some(0));
    differ.map(|at| {
        let what = format!(
            "step {at} of the same schedule was {:?}, then {:?}",
            digests[0].get(at),
            digests[1].get(at)
        );
        Cut::NotDeterministic(what)
    })
}

/// Looks at every execution, and stops the search when it must.
pub(crate) struct Watch {
    bounds: Bounds,
    started: Instant,
    /// How many executions this watch has seen.
    watched: u64,
    pub(crate) cut: Rc<Cell<Option<Cut>>>,
}

/// After so many executions it looks at the clock, and at who wants it to stop.
const LOOKS_EVERY: u64 = 512;

impl Watch {
    pub(crate) fn new(bounds: &Bounds, started: Instant) -> Watch {
        Watch { bounds: bounds.clone(), started, watched: 0, cut: Rc::default() }
    }

    fn spent(&mut self) -> Option<Cut> {
        let executions = run::with(|run| run.tally.executions);
        self.watched += 1;
        if self.watched.is_multiple_of(LOOKS_EVERY) {
            if let Some(progress) = &self.bounds.progress {
                progress(&Progress { executions, estimate: None });
            }
            if self.bounds.is_interrupted() {
                return Some(Cut::Interrupted);
            }
            if let Some(max) = self.bounds.time_max.filter(|&max| self.started.elapsed() >= max) {
                return Some(Cut::Time(max));
            }
        }
        let max = self.bounds.executions_max;
        (executions >= max).then_some(Cut::Executions(max))
    }
}

impl Observer for Watch {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        if *end == End::SleepSetBlocked {
            // Another execution does the same, and goes on.
            return Next::Continue;
        }
        let schedule: Vec<i32> = (schedule.iter())
            .map(|step| match *step {
                Step::Task(task) => task as i32,
                Step::Choice(alternative) => -1 - alternative as i32,
            })
            .collect();
        let stopped = take_stop();
        let is_cut = matches!(end, End::StepLimit) || stopped == Some(Stop::StepLimit);
        let ended = match end {
            End::Deadlock(_) => Ended::Deadlock,
            _ if is_cut => Ended::Cut,
            End::Visited | End::NotDeterministic(_) => Ended::Cut,
            _ => Ended::Complete,
        };
        let violated = run::with(|run| run.end_execution(ended, &schedule));
        let cut = match end {
            End::NotDeterministic(what) => Some(Cut::NotDeterministic(what.clone())),
            _ if violated && !self.bounds.keep_going => Some(Cut::Violation),
            _ if is_cut => Some(Cut::Steps),
            _ => self.spent(),
        };
        let Some(cut) = cut else { return Next::Continue };
        self.cut.set(Some(cut));
        Next::Stop
    }
}
