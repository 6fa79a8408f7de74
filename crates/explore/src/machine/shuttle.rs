//! The sequentially consistent engines: our schedulers, and shuttle's, on shuttle's coroutines.
//!
//! Every step is announced to the `dpor` crate, which lets other tasks run and knows who holds
//! which lock; a word is plain memory. A barrier changes nothing and is no step.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use dpor::{
    Difference, Enabled, End, Footprint, Kind, Next, Object, Observer, Op, Outcome, PlainDfs,
    StateHash, Stateful, Until, Unwinding,
};
use selvedge_trace::Name;
use shuttle::scheduler::{PctScheduler, RandomScheduler};

use crate::machine::{Abilities, By, Interrupts, Machine, New, Passes, Start, WorkItems, run_task};
use crate::record::{self, Ended, TASKS_MAX};
use crate::step::{Does, If, Step, Took};
use crate::tally::{Monitors, Seen, others};
use crate::task::Stop;
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, MemoryModel, Progress, States};
use crate::{footprint, panics, split, state};

/// The machine of the sequentially consistent engines.
pub(crate) struct Shuttle;

pub(crate) static SHUTTLE: Shuttle = Shuttle;

thread_local! {
    /// The values of the words, by object; those of locks and tokens are not used.
    static WORDS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    /// The values that they have at the beginning, if all executions make the same.
    static MADE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// An object that nobody ever wakes.
const NEVER: Object = Object(u32::MAX);

impl Machine for Shuttle {
    fn abilities(&self) -> Abilities {
        Abilities {
            memory: MemoryModel::Sc,
            steps_pass_locks: true,
            interrupts: Interrupts::AtAnyStep,
            work: WorkItems::AsTasks,
            updates_if_in_one_step: true,
            locks_are_words: false,
            tries_locks: true,
            waits_for_values: true,
            foreign: true,
            waits_first: true,
            tasks_max: TASKS_MAX,
        }
    }

    fn begin_execution(&self) {
        WORDS.with_borrow_mut(Vec::clear);
        dpor::values(|word| {
            WORDS.with_borrow(|words| words.get(word.0 as usize).copied().unwrap_or_default())
        });
    }

    fn steps_in_common(&self) -> usize {
        dpor::steps_in_common()
    }

    fn steps_taken(&self) -> usize {
        dpor::steps_taken()
    }

    fn make(&self, object: u32, _name: Name, new: New) {
        // An object that is made by a task: its number says who else made one before.
        dpor::observe(u64::from(object) + 1);
        let value = match new {
            New::Word(value) => value,
            New::Lock | New::Token => 0,
        };
        WORDS.with_borrow_mut(|words| words.push(value));
    }

    fn keep_made(&self) -> bool {
        MADE.with_borrow_mut(|made| WORDS.with_borrow(|words| made.clone_from(words)));
        true
    }

    fn make_again(&self) {
        MADE.with_borrow(|made| WORDS.with_borrow_mut(|words| words.clone_from(made)));
    }

    fn take_again(&self, task: usize, passes: &Passes, step: &Step, took: &mut Took) -> bool {
        if matches!(step.does, Does::Fence(_)) {
            *took = Took::default();
            return true;
        }
        let had_it = had_it(task, step);
        let is_taken = dpor::step_again(|known| is_announced(known, passes, step));
        if is_taken {
            *took = take_effect(task, step, had_it, true);
        }
        is_taken
    }

    fn take(&self, by: &By, step: &Step) -> Took {
        match step.does {
            Does::Spawn => unreachable!("a task is started with a body"),
            Does::Fence(_) => Took::default(),
            Does::Join(task) => {
                dpor::join(task);
                Took::gave(task as u64)
            }
            Does::Choose(alternatives) => Took::gave(u64::from(dpor::choose(alternatives))),
            _ => {
                let had_it = had_it(by.task, step);
                let is_known = dpor::step_is_known(&op_of(&by.passes, step));
                take_effect(by.task, step, had_it, is_known)
            }
        }
    }

    fn start(&self, by: &By, task: Start<'_>) -> Took {
        let Start { name, place, body } = task;
        // Others may start one while this task waits for its turn: its number is known afterwards.
        let number = dpor::spawn(name, move || run_task(dpor::me(), body));
        let task = record::with(|record| record.add_task(name, place, by.task));
        assert_eq!(number, task, "tasks are numbered in the order in which they are started");
        Took::gave(number as u64)
    }

    fn only_read(&self, bits: u64) {
        let only_read = Footprint { reads: bits, ..Footprint::default() };
        dpor::refine(Outcome::Footprint(only_read));
    }

    fn newest(&self, object: u32) -> u64 {
        newest(object)
    }

    fn holder(&self, lock: u32) -> Option<usize> {
        dpor::holder(Object(lock))
    }

    /// An execution that is given up shows only the races of the steps that it took, so that a
    /// search for all violations must not give up any.
    fn stand_still(&self) -> ! {
        loop {
            dpor::step(Op::new(Kind::Wait { consume: false }, NEVER));
        }
    }

    fn give_up(&self) -> ! {
        dpor::abandon()
    }
}

/// What is announced of a step on a word, a lock or a token.
fn op_of(passes: &Passes, step: &Step) -> Op {
    let kind = match step.does {
        Does::Load
        | Does::Store(_)
        | Does::Update { .. }
        | Does::UpdateIf { .. }
        | Does::Foreign(_) => Kind::Access(footprint::announced(step)),
        Does::Await { until, .. } => Kind::Await(footprint::announced(step), wait(until)),
        Does::Lock { .. } => Kind::Lock,
        Does::TryLock { .. } => Kind::TryLock,
        Does::Unlock { .. } => Kind::Unlock,
        Does::Wait { consume } => Kind::Wait { consume },
        Does::Wake => Kind::Wake,
        Does::Fence(_) | Does::Spawn | Does::Join(_) | Does::Choose(_) => Kind::Local,
    };
    Op { kind, object: Object(step.object), passes: passed(passes) }
}

/// Is this what is announced of the step? As comparing with that, and without making it.
#[inline(always)]
fn is_announced(op: &Op, passes: &Passes, step: &Step) -> bool {
    let is_kind = match step.does {
        Does::Load
        | Does::Store(_)
        | Does::Update { .. }
        | Does::UpdateIf { .. }
        | Does::Foreign(_) => {
            matches!(op.kind, Kind::Access(most) if most == footprint::announced(step))
        }
        Does::Await { until, .. } => {
            op.kind == Kind::Await(footprint::announced(step), wait(until))
        }
        Does::Lock { .. } => matches!(op.kind, Kind::Lock),
        Does::TryLock { .. } => matches!(op.kind, Kind::TryLock),
        Does::Unlock { .. } => matches!(op.kind, Kind::Unlock),
        Does::Wait { consume } => matches!(op.kind, Kind::Wait { consume: it } if it == consume),
        Does::Wake => matches!(op.kind, Kind::Wake),
        Does::Fence(_) | Does::Spawn | Does::Join(_) | Does::Choose(_) => false,
    };
    is_kind && op.object.0 == step.object && op.passes == passed(passes)
}

#[inline(always)]
fn passed(passes: &Passes) -> dpor::Passes {
    dpor::Passes::of(passes.map(|lock| lock.map(Object)))
}

/// Is it a try to take a lock that the task holds? It does not get it again, and nobody else gives
/// it back before it has tried.
fn had_it(task: usize, step: &Step) -> bool {
    matches!(step.does, Does::TryLock { .. }) && holds(task, step)
}

fn holds(task: usize, step: &Step) -> bool {
    dpor::holder(Object(step.object)) == Some(task)
}

/// What comes of a step that is taken now. If it is not [known](dpor::step_is_known), says what it
/// has done if that is less than it announced.
#[inline(always)]
fn take_effect(task: usize, step: &Step, had_it: bool, is_known: bool) -> Took {
    let took = match step.does {
        Does::Load => {
            let value = newest(step.object);
            dpor::observe(value);
            return Took::read(value);
        }
        Does::Store(value) => change(step.object, |_| value),
        Does::Update { change: rmw, looks } => {
            let took = change(step.object, |old| rmw.apply(old));
            // Who does not look sees nothing, and says so.
            dpor::observe(if looks { took.old } else { 0 });
            took
        }
        Does::UpdateIf { condition, change: rmw } => {
            let mut failed = false;
            let took = change(step.object, |old| {
                failed = !condition.is_met(old);
                if failed { old } else { rmw.apply(old) }
            });
            dpor::observe(took.old);
            Took { failed, ..took }
        }
        Does::Await { change: rmw, .. } => {
            let took = change(step.object, |old| rmw.map_or(old, |rmw| rmw.apply(old)));
            dpor::observe(took.old);
            took
        }
        Does::TryLock { .. } => {
            return Took { failed: had_it || !holds(task, step), ..Took::default() };
        }
        _ => return Took::default(),
    };
    if !is_known {
        let most = footprint::announced(step);
        let done = footprint::done(most, step, &took);
        if done != most {
            dpor::refine(Outcome::Footprint(done));
        }
    }
    took
}

/// The value of a word.
fn newest(object: u32) -> u64 {
    WORDS.with_borrow(|words| words[object as usize])
}

fn wait(until: If) -> Until {
    match until {
        If::Equals(value) => Until::Equals(value),
        If::Differs(value) => Until::Differs(value),
        If::Clear(mask) => Until::Clear(mask),
        If::Set(mask) => Until::Set(mask),
    }
}

/// Changes a word.
#[inline(always)]
fn change(object: u32, to: impl FnOnce(u64) -> u64) -> Took {
    let old = newest(object);
    let new = to(old);
    WORDS.with_borrow_mut(|words| words[object as usize] = new);
    Took::wrote(old, new)
}

/// Hashes the values of the words, for a search that compares states.
pub(crate) fn hash_words(hash: &mut impl std::hash::Hasher) {
    WORDS.with_borrow(|words| std::hash::Hash::hash(words, hash));
}

/// The stack of a task. Models are shallow; an execution that needs more is killed by a guard page.
pub(crate) const STACK_BYTES: usize = 0x2_0000;

/// Runs the whole search.
pub(crate) fn explore(engine: Engine, bounds: &Bounds, monitors: Monitors, body: &Body) -> Seen {
    if let Some(cut) = seed_is_overridden(engine) {
        return Seen { cut: Some(cut), ..Seen::by(monitors) };
    }
    search(engine, bounds, monitors, body)
}

/// The same, with whatever seed.
pub(crate) fn search(engine: Engine, bounds: &Bounds, monitors: Monitors, body: &Body) -> Seen {
    let body = body.clone();
    let scenario = move || {
        record::begin_execution();
        run_task(0, || body());
    };
    let is_whole = bounds.preemptions_max.is_none() && !bounds.compares_states(engine);
    if engine == Engine::Dpor && is_whole {
        return split::explore(bounds, monitors, STACK_BYTES, Arc::new(scenario));
    }
    record::begin_search(engine, bounds);
    footprint::begin_search(&monitors);
    let kinds = others(&monitors);
    let watch = Watch::new(bounds, Instant::now(), monitors);
    let watch = Rc::new(RefCell::new(watch));
    let mut results = None;
    let scenario = Arc::new(scenario);
    let mut run = |engine| {
        let scenario = scenario.clone();
        let watch: Box<dyn Observer> = Box::new(Shared(watch.clone()));
        let watch = (watch, others(&kinds));
        let run = || results = run_with(engine, bounds, watch, move || scenario());
        let ended = panics::silently(|| catch_unwind(AssertUnwindSafe(run)));
        ended.map_err(|payload| panics::message(&*payload))
    };
    let mut outcome = run(engine);
    if engine == Engine::Pct && matches!(&outcome, Err(why) if why.contains(NOTHING_TO_ORDER)) {
        outcome = run(Engine::Random);
    }
    let mut seen = std::mem::take(&mut watch.borrow_mut().seen);
    seen.tally.states = results.as_ref().map(States::of);
    let blind = results.and_then(|results| results.difference()).map(|found| blind(&found));
    seen.cut = match outcome {
        Ok(()) => blind.or(seen.cut).or(bounds.preemptions_max.map(Cut::Preemptions)),
        Err(why) => Some(Cut::Panic(why)),
    };
    seen
}

/// With this PCT refuses a second execution of a scenario that has one task. Nothing is to be
/// ordered there, and what else there is to choose is drawn at random under either engine.
const NOTHING_TO_ORDER: &str = "did not exercise any concurrency";

/// Two states were taken for one, as a step shows that the last execution has taken.
fn blind(found: &Difference) -> Cut {
    let step = record::with(|record| record.last_step_of(found.task));
    Cut::Blind(format!("{}: {}", step.unwrap_or_else(|| "its beginning".into()), found.what))
}

/// Runs shuttle with the scheduler of this engine. Returns what states were told apart, if the
/// search compares states.
fn run_with(
    engine: Engine,
    bounds: &Bounds,
    (watch, kinds): (Box<dyn Observer>, Monitors),
    scenario: impl Fn() + Send + Sync + 'static,
) -> Option<dpor::States> {
    let steps_max = 2 * bounds.steps_max;
    match engine {
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
            let so_far = state::of_monitors(kinds);
            let shared = move |hash: &mut StateHash| {
                state::hash(hash);
                so_far(hash);
            };
            let stateful = match bounds.compares {
                true => Stateful::comparing(watch, steps_max, shared),
                false => Stateful::new(watch, steps_max, shared),
            };
            let results = stateful.results();
            dpor::run(stateful, STACK_BYTES, scenario);
            return Some(results);
        }
        // A bounded search is done without reduction: that is what makes it complete within it.
        Engine::Dpor | Engine::Dfs | Engine::Loom | Engine::Graph | Engine::GraphSc => {
            let dfs = PlainDfs::new(watch, steps_max, bounds.preemptions_max);
            dpor::run(dfs, STACK_BYTES, scenario);
        }
    }
    None
}

/// shuttle lets this variable override the seed that we would print.
fn seed_is_overridden(engine: Engine) -> Option<Cut> {
    let is_random = matches!(engine, Engine::Random | Engine::Pct);
    let is_set = is_random && std::env::var_os("SHUTTLE_RANDOM_SEED").is_some();
    is_set.then(|| Cut::Engine("SHUTTLE_RANDOM_SEED, which overrides the seed: unset it".into()))
}

/// Looks at every execution, and stops the search when it must.
pub(crate) struct Watch {
    pub(crate) bounds: Bounds,
    started: Instant,
    /// How many executions this watch has seen.
    watched: u64,
    pub(crate) seen: Seen,
}

/// After so many executions it looks at the clock, and at who wants it to stop.
const LOOKS_EVERY: u64 = 512;

impl Watch {
    pub(crate) fn new(bounds: &Bounds, started: Instant, monitors: Monitors) -> Watch {
        Watch { bounds: bounds.clone(), started, watched: 0, seen: Seen::by(monitors) }
    }

    /// One of several, each on a thread of its own. How many executions there may be, and who is
    /// told of them, is known to the search.
    pub(crate) fn of_a_worker(
        engine: Engine,
        bounds: &Bounds,
        started: Instant,
        monitors: Monitors,
    ) -> Watch {
        record::begin_search(engine, bounds);
        record::with(record::Record::reuse_set_ups);
        footprint::begin_search(&monitors);
        let bounds = Bounds { executions_max: u64::MAX, progress: None, ..bounds.clone() };
        Watch::new(&bounds, started, monitors)
    }

    pub(crate) fn spent(&mut self) -> Option<Cut> {
        let executions = self.seen.tally.executions;
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
    fn execution_ended(&mut self, end: &End, schedule: &[dpor::Step]) -> Next {
        if *end == End::SleepSetBlocked {
            // Another execution does the same, and goes on.
            return Next::Continue;
        }
        let (ended, stopped) = how_it_ended(end);
        let is_too_long = stopped == Some(Stop::StepLimit);
        let keeps_going = self.bounds.keep_going;
        let violated = self.seen.execution_ended(ended, keeps_going, || numbers(schedule));
        let cut = match (end, stopped) {
            (End::NotDeterministic(what), _) => Some(Cut::NotDeterministic(what.clone())),
            _ if violated && !keeps_going && !self.seen.is_passed_over => Some(Cut::Violation),
            (_, Some(Stop::Unable(why))) => Some(Cut::Engine(why)),
            _ if is_too_long => Some(Cut::steps()),
            _ if self.seen.wakes_on.is_some() => self.seen.wakes_on.take().map(Cut::KeepsGoing),
            _ if ended == Ended::Complete && !violated => not_done().or_else(|| self.spent()),
            _ => self.spent(),
        };
        let Some(cut) = cut else { return Next::Continue };
        self.seen.cut = Some(cut);
        Next::Stop
    }
}

/// Runs the scenario under a search that may give up most of its executions; `Err`: the model
/// panicked.
pub(crate) fn run_quietly(search: impl Unwinding, body: &Body) -> Result<(), String> {
    let body = body.clone();
    let scenario = move || {
        record::begin_execution();
        run_task(0, || body());
    };
    let all = AssertUnwindSafe(|| search.run_unwinding(STACK_BYTES, scenario));
    let panicked = |payload: Box<dyn std::any::Any + Send>| {
        format!("a panic of the model: {}", panics::message(&*payload))
    };
    panics::silently(|| catch_unwind(all)).map_err(panicked)
}

/// How the execution that has just ended did, and what stopped it if it did not end by itself.
pub(crate) fn how_it_ended(end: &End) -> (Ended, Option<Stop>) {
    let stopped = record::with(|record| record.take_stop());
    let is_too_long = matches!(end, End::StepLimit) || stopped == Some(Stop::StepLimit);
    let stopped = if is_too_long { Some(Stop::StepLimit) } else { stopped };
    let ended = match end {
        End::Deadlock(_) => Ended::Deadlock,
        _ if matches!(stopped, Some(Stop::StepLimit | Stop::Unable(_))) => Ended::Cut,
        End::Visited | End::NotDeterministic(_) => Ended::Cut,
        _ => Ended::Complete,
    };
    (ended, stopped)
}

/// A schedule as it is stored ([`selvedge_trace::Counterexample::schedule`]).
pub(crate) fn numbers(schedule: &[dpor::Step]) -> Vec<i32> {
    let number = |step: &dpor::Step| match *step {
        dpor::Step::Task(task) => task as i32,
        dpor::Step::Choice(alternative) => -1 - alternative as i32,
    };
    schedule.iter().map(number).collect()
}

/// The execution has ended before something was done that had been put off.
pub(crate) fn not_done() -> Option<Cut> {
    record::with(|record| record.still_put_off().map(|why| Cut::Engine(why.into())))
}

/// A watch that is asked for what it has seen when the scheduler that owns it is gone.
struct Shared(Rc<RefCell<Watch>>);

impl Observer for Shared {
    fn execution_ended(&mut self, end: &End, schedule: &[dpor::Step]) -> Next {
        self.0.borrow_mut().execution_ended(end, schedule)
    }
}
