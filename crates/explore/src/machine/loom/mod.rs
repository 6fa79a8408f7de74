//! loom as an engine, with a guard for everything that it gets wrong silently.
//!
//! | loom 0.7.2                                                    | guard                            |
//! |---------------------------------------------------------------|----------------------------------|
//! | a task that begins with a load ends the search (#392)         | `tasks.rs`: begins with an update |
//! | `try_lock` invents deadlocks (#376)                           | never used: an ability it has not |
//! | forgets reads behind the last access (#166): loses outcomes    | noticed in `words.rs`; searched again, mended |
//! | forgets stores beyond the 7th of an atomic                    | counted in `words.rs`, named     |
//! | looks at its budgets every 20,000 executions, then says "ok"  | not used: counted here           |
//! | resumes from a stale checkpoint file; reads the environment   | every option is set here         |
//! | a branch limit, a thread limit, deadlock: each a panic        | caught, told apart, named        |
//!
//! What no guard mends is in `tests/engines.rs`: an update is not atomic against a plain store
//! (#254: possible false alarms), no load buffering.
//!
//! loom has no interrupts, and no exclusion of one CPU: abilities that [`LOOM`] does not have. What
//! has been put off when an execution ends (a work item that nobody flushed) has not happened in
//! it, so that the search proves nothing.

#[expect(
    unsafe_code,
    reason = "a guard of loom's outlives the call that took it: see the comments"
)]
mod locks;
mod tasks;
mod words;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use selvedge_trace::Name;

use crate::machine::{Abilities, By, Interrupts, Machine, New, Start, WorkItems};
use crate::record::{self, Ended};
use crate::step::{Does, Step, Took};
use crate::tally::{Monitors, Seen};
use crate::task::Stop;
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, MemoryModel, Progress, panics};

/// loom's own limit, main included.
const THREADS_MAX: usize = 5;
/// Steps of one execution that loom can branch on. Its default of 1,000 is soon reached.
const BRANCHES_MAX: usize = 20_000;

/// The payload of the panic by which an execution, and with it loom's search, is ended.
struct GiveUp;

/// The machine of loom.
pub(crate) struct Loom;

pub(crate) static LOOM: Loom = Loom;

/// The objects and tasks of the execution, and what the search must know of its executions.
#[derive(Default)]
struct State {
    objects: Vec<Object>,
    tasks: tasks::Tasks,
    /// Words, by object, of which loom has forgotten reads in this search.
    forgotten_reads: BTreeMap<u32, Name>,
    /// Words whose accesses are all to depend on each other, since loom forgot reads of them in the
    /// search before.
    mended: BTreeMap<u32, Name>,
    /// A limit of loom's that an execution of this search ran into.
    exceeded: Option<String>,
}

#[derive(Clone)]
enum Object {
    Word(Rc<words::Word>),
    Lock(Rc<locks::Lock>),
    Token(Rc<locks::Token>),
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<R>(f: impl FnOnce(&mut State) -> R) -> R {
    STATE.with_borrow_mut(f)
}

fn object(number: u32) -> Object {
    with(|state| state.objects[number as usize].clone())
}

fn word(step: &Step) -> Rc<words::Word> {
    match object(step.object) {
        Object::Word(word) => word,
        Object::Lock(_) | Object::Token(_) => unreachable!("{} is a word", step.name),
    }
}

fn lock(number: u32) -> Rc<locks::Lock> {
    match object(number) {
        Object::Lock(lock) => lock,
        Object::Word(_) | Object::Token(_) => unreachable!("object {number} is a lock"),
    }
}

fn token(step: &Step) -> Rc<locks::Token> {
    match object(step.object) {
        Object::Token(token) => token,
        Object::Word(_) | Object::Lock(_) => unreachable!("{} is a token", step.name),
    }
}

impl Machine for Loom {
    fn abilities(&self) -> Abilities {
        Abilities {
            memory: MemoryModel::C11,
            steps_pass_locks: false,
            interrupts: Interrupts::None,
            work: WorkItems::AtFlush,
            updates_if_in_one_step: false,
            locks_are_words: false,
            tries_locks: false,
            waits_for_values: false,
            foreign: false,
            waits_first: false,
            tasks_max: THREADS_MAX,
        }
    }

    fn begin_execution(&self) {
        with(|state| {
            state.objects.clear();
            state.tasks = tasks::Tasks::default();
        });
    }

    fn make(&self, object: u32, name: Name, new: New) {
        let made = match new {
            New::Word(value) => {
                let is_mended = with(|state| state.mended.contains_key(&object));
                Object::Word(Rc::new(words::Word::new(object, name, value, is_mended)))
            }
            New::Lock => Object::Lock(Rc::default()),
            New::Token => Object::Token(Rc::default()),
        };
        with(|state| state.objects.push(made));
    }

    fn take(&self, by: &By, step: &Step) -> Took {
        let me = by.task;
        match step.does {
            Does::Load => word(step).load(me, step.order),
            Does::Store(value) => word(step).store(me, value, step.order),
            Does::Update { change, .. } => word(step).update(me, change, step.order),
            Does::UpdateIf { condition, change } => {
                word(step).update_if(me, condition, change, step.order)
            }
            Does::Await { .. } => {
                unable(format!("{}({}) waits for a value", step.primitive, step.name))
            }
            Does::TryLock { .. } => {
                unable(format!("{}({}) tries a lock", step.primitive, step.name))
            }
            Does::Foreign(_) => unreachable!("loom has no foreign memory, and says so"),
            Does::Fence(_) => words::fence(step.order),
            Does::Lock { orders_others } => lock(step.object).lock(me, orders_others),
            Does::Unlock { orders_others } => lock(step.object).unlock(me, orders_others),
            Does::Wait { consume } => token(step).wait(consume),
            Does::Wake => token(step).wake(),
            Does::Spawn => unreachable!("a task is started with a body"),
            Does::Join(task) => tasks::join(me, task),
            Does::Choose(alternatives) => tasks::choose(me, alternatives),
        }
    }

    fn start(&self, by: &By, task: Start<'_>) -> Took {
        tasks::start(by.task, task)
    }

    fn only_read(&self, _bits: u64) {
        unreachable!("loom has no foreign memory, and says so");
    }

    fn newest(&self, number: u32) -> u64 {
        match object(number) {
            Object::Word(word) => word.newest(),
            Object::Lock(_) | Object::Token(_) => unreachable!("object {number} is a word"),
        }
    }

    fn holder(&self, number: u32) -> Option<usize> {
        lock(number).holder()
    }

    /// loom's search cannot go on after a violation, so that nobody need stand still.
    fn stand_still(&self) -> ! {
        self.give_up()
    }

    fn give_up(&self) -> ! {
        panics::silently(|| resume_unwind(Box::new(GiveUp)))
    }
}

/// Ends the execution and the search for something that loom cannot do.
fn unable(why: String) -> ! {
    crate::task::stop(Stop::Unable(why))
}

/// How many executions a search with mended words may take: so many at least, and so many for each
/// one of the first search.
const MENDED_MAX: (u64, u64) = (50_000, 3);

/// Searches, and if loom has forgotten reads of some words, again with each read of those compared
/// with each write, until it has forgotten none.
pub(crate) fn explore(bounds: &Bounds, monitors: Monitors, body: &Body) -> Seen {
    let mut mended = BTreeMap::new();
    let (mut seen, mut forgotten) = search(bounds, monitors, body, &mended);
    let limit = MENDED_MAX.0.max(MENDED_MAX.1 * seen.tally.executions);
    let bounds = &Bounds { executions_max: bounds.executions_max.min(limit), ..bounds.clone() };
    loop {
        let is_over = seen.cut.is_some() || seen.tally.counterexample.is_some();
        if is_over || forgotten.is_empty() {
            return seen;
        }
        mended.extend(forgotten);
        let before = seen.tally;
        (seen, forgotten) = search(bounds, seen.monitors, body, &mended);
        // A limit on time leaves it undecided: what is found must not depend on the machine's load.
        if matches!(seen.cut, Some(Cut::Executions(_))) {
            // The search before was whole, but for the orders that loom has lost.
            let names: Vec<String> = mended.values().map(|name| name.to_string()).collect();
            let lost = || format!("loom forgets reads (loom#166), here of {}", names.join(", "));
            seen = Seen { tally: before, cut: None, ..seen };
            seen.tally.exceeded.get_or_insert_with(lost);
            return seen;
        }
    }
}

/// Runs one search. Returns also the words of which loom has forgotten reads.
fn search(
    bounds: &Bounds,
    monitors: Monitors,
    body: &Body,
    mended: &BTreeMap<u32, Name>,
) -> (Seen, BTreeMap<u32, Name>) {
    let mut builder = loom::model::Builder::new();
    builder.max_threads = THREADS_MAX;
    builder.max_branches = BRANCHES_MAX;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.preemption_bound = bounds.preemptions_max.map(|n| n as usize);
    builder.checkpoint_file = None;
    builder.checkpoint_interval = usize::MAX;
    builder.expect_explicit_explore = false;
    builder.location = false;
    builder.log = false;
    record::begin_search(Engine::Loom, bounds);
    STATE.replace(State { mended: mended.clone(), ..State::default() });
    let seen = Arc::new(Mutex::new(Seen::by(monitors)));
    let inside = Inside { bounds: bounds.clone(), started: Instant::now(), seen: seen.clone() };
    let body = body.clone();
    let search = move || inside.one_execution(&body);
    let outcome = panics::silently(|| catch_unwind(AssertUnwindSafe(|| builder.check(search))));
    let state = STATE.take();
    let mut seen = std::mem::take(&mut *seen.lock().expect("nobody panics with it"));
    seen.tally.exceeded = state.exceeded;
    let cut = match outcome {
        Ok(()) => bounds.preemptions_max.map(Cut::Preemptions),
        Err(payload) if payload.is::<GiveUp>() => seen.cut.take().or_else(|| gave_up(&mut seen)),
        Err(payload) => Some(stopped_by_panic(&panics::message(&*payload), &mut seen)),
    };
    seen.cut = cut;
    (seen, state.forgotten_reads)
}

/// What every execution of a search uses.
struct Inside {
    bounds: Bounds,
    started: Instant,
    seen: Arc<Mutex<Seen>>,
}

impl Inside {
    fn one_execution(&self, body: &Body) {
        if let Some(cut) = self.spent() {
            self.end(cut);
        }
        record::begin_execution();
        tasks::prepare_choices(self.bounds.loom_choices);
        body();
        if self.seen().execution_ended(Ended::Complete, false, Vec::new) {
            self.end(Cut::Violation);
        }
        if let Some(why) = record::with(|record| record.still_put_off().map(String::from)) {
            self.end(Cut::Engine(why));
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with it")
    }

    fn end(&self, cut: Cut) -> ! {
        self.seen().cut = Some(cut);
        LOOM.give_up()
    }

    fn spent(&self) -> Option<Cut> {
        let executions = self.seen().tally.executions;
        if executions.is_multiple_of(1024) {
            if let Some(progress) = &self.bounds.progress {
                progress(&Progress { executions, estimate: None });
            }
            if let Some(max) = self.bounds.time_max.filter(|&max| self.started.elapsed() >= max) {
                return Some(Cut::Time(max));
            }
            if self.bounds.is_interrupted() {
                return Some(Cut::Interrupted);
            }
        }
        let max = self.bounds.executions_max;
        (executions >= max).then_some(Cut::Executions(max))
    }
}

/// A task has ended the execution.
fn gave_up(seen: &mut Seen) -> Option<Cut> {
    match record::with(|record| record.take_stop()) {
        Some(Stop::StepLimit) => Some(Cut::steps()),
        Some(Stop::Unable(why)) => Some(Cut::Engine(why)),
        Some(Stop::Failed | Stop::Astray) | None => {
            seen.execution_ended(Ended::Complete, false, Vec::new);
            Some(Cut::Violation)
        }
    }
}

/// loom reports deadlocks and its limits by panicking.
fn stopped_by_panic(message: &str, seen: &mut Seen) -> Cut {
    if message.starts_with("deadlock; threads =") {
        seen.execution_ended(Ended::Deadlock, false, Vec::new);
        return Cut::Violation;
    }
    if message.contains("exceeded maximum number of branches") {
        return Cut::TooLarge(format!("loom's limit of {BRANCHES_MAX} branches"));
    }
    Cut::Panic(message.into())
}
