//! loom as an engine, with a guard for everything that it gets wrong silently.
//!
//! | loom 0.7.2                                                    | guard                            |
//! |---------------------------------------------------------------|----------------------------------|
//! | a task that begins with a load ends the search (#392)         | `spawn` begins with an update    |
//! | `try_lock` invents deadlocks (#376)                           | never used                       |
//! | forgets reads behind the last access (#166): loses outcomes    | noticed in `word.rs`; searched again, mended |
//! | forgets stores beyond the 7th of an atomic                    | counted in `word.rs`, named      |
//! | looks at its budgets every 20,000 executions, then says "ok"  | not used: counted here           |
//! | resumes from a stale checkpoint file; reads the environment   | every option is set here         |
//! | a branch limit, a thread limit, deadlock: each a panic        | caught, told apart, named        |
//!
//! What no guard mends is in `tests/engines.rs`: an update is not atomic against a plain store
//! (#254: possible false alarms), no load buffering.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::panics;
use crate::run::{self, Ended};
use crate::task::{Stop, take_stop};
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, Progress};

/// loom's own limit, main included.
pub(crate) const THREADS_MAX: usize = 5;
/// Steps of one execution that loom can branch on. Its default of 1,000 is soon reached.
const BRANCHES_MAX: usize = 20_000;

/// The payload of the panic by which an execution, and with it loom's search, is ended.
struct GiveUp;

/// What belongs to one execution under loom.
#[derive(Default)]
struct Threads {
    handles: Vec<Option<loom::thread::JoinHandle<()>>>,
    choices: Vec<std::sync::Arc<AtomicU64>>,
    choices_made: usize,
    choices_open: bool,
}

thread_local! {
    static THREADS: RefCell<Threads> = RefCell::default();
    static CUT: RefCell<Option<Cut>> = const { RefCell::new(None) };
}

/// Ends the execution and the search.
pub(crate) fn give_up() -> ! {
    panics::silently(|| resume_unwind(Box::new(GiveUp)))
}

/// How many executions a search with mended words may take: so many at least, and so many for each
/// one of the first search.
const MENDED_MAX: (u64, u64) = (50_000, 3);

/// Searches, and if loom has forgotten reads of some words, again with each read of those compared
/// with each write, until it has forgotten none. `None`: that was complete.
pub(crate) fn explore(bounds: &Bounds, body: &Body) -> Option<Cut> {
    let mut cut = search(bounds, body);
    let first = run::with(|run| run.tally.executions);
    let limit = bounds.executions_max.min(MENDED_MAX.0.max(MENDED_MAX.1 * first));
    loop {
        let forgotten = run::with(|run| {
            let is_over = cut.is_some() || run.tally.counterexample.is_some();
            if is_over { Default::default() } else { run.tally.forgotten_reads.clone() }
        });
        if forgotten.is_empty() {
            return cut;
        }
        let before = run::search_again(Engine::Loom, bounds, forgotten);
        cut = search(&Bounds { executions_max: limit, ..bounds.clone() }, body);
        // A limit on time leaves it undecided: what is found must not depend on the machine's load.
        let gave_up = matches!(cut, Some(Cut::Executions(_)));
        if gave_up {
            // The search before was whole, but for the orders that loom has lost.
            run::with(|run| {
                let names: Vec<String> =
                    run.forgotten_reads.values().map(|name| name.to_string()).collect();
                run.tally = before;
                run.tally.exceeded.get_or_insert_with(|| {
                    format!("loom forgets reads (loom#166), here of {}", names.join(", "))
                });
            });
            return None;
        }
    }
}

/// Runs one search. `None`: it was complete.
fn search(bounds: &Bounds, body: &Body) -> Option<Cut> {
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
    CUT.take();
    let (bounds_inside, body, started) = (bounds.clone(), body.clone(), Instant::now());
    let search = move || one_execution(&bounds_inside, &body, started);
    let outcome = panics::silently(|| catch_unwind(AssertUnwindSafe(|| builder.check(search))));
    THREADS.take();
    match outcome {
        Ok(()) => bounds.preemptions_max.map(Cut::Preemptions),
        Err(payload) if payload.is::<GiveUp>() => gave_up(),
        Err(payload) => stopped_by_panic(&panics::message(&*payload)),
    }
}

fn one_execution(bounds: &Bounds, body: &Body, started: Instant) {
    if let Some(cut) = spent(bounds, started) {
        CUT.replace(Some(cut));
        give_up();
    }
    run::begin_execution();
    THREADS.with_borrow_mut(|threads| *threads = Threads::default());
    prepare_choices(bounds.loom_choices);
    body();
    if run::with(|run| run.end_execution(Ended::Complete, &[])) {
        take_stop();
        CUT.take();
        give_up();
    }
}

fn spent(bounds: &Bounds, started: Instant) -> Option<Cut> {
    let executions = run::with(|run| run.tally.executions);
    if executions % 1024 == 0 {
        if let Some(progress) = &bounds.progress {
            progress(&Progress { executions, estimate: None });
        }
        if bounds.time_max.is_some_and(|max| started.elapsed() >= max) {
            return Some(Cut::Time(bounds.time_max.expect("just looked")));
        }
        if bounds.is_interrupted() {
            return Some(Cut::Interrupted);
        }
    }
    (executions >= bounds.executions_max).then_some(Cut::Executions(bounds.executions_max))
}

fn gave_up() -> Option<Cut> {
    if let Some(cut) = CUT.take() {
        return Some(cut);
    }
    match take_stop() {
        Some(Stop::StepLimit) => Some(Cut::Steps),
        Some(Stop::Failed) => {
            run::with(|run| run.end_execution(Ended::Complete, &[]));
            Some(Cut::Violation)
        }
        None => Some(Cut::Violation),
    }
}

/// loom reports deadlocks and its limits by panicking.
fn stopped_by_panic(message: &str) -> Option<Cut> {
    if message.starts_with("deadlock; threads =") {
        run::with(|run| run.end_execution(Ended::Deadlock, &[]));
        return Some(Cut::Violation);
    }
    if message.contains("exceeded maximum number of branches") {
        return Some(Cut::Engine(format!("loom's limit of {BRANCHES_MAX} branches")));
    }
    Some(Cut::Panic(message.into()))
}

/// Starts a loom thread.
pub(crate) fn spawn(task: usize, body: impl FnOnce() + 'static) {
    if task >= THREADS_MAX {
        CUT.replace(Some(Cut::Engine(format!("loom's limit of {THREADS_MAX} threads"))));
        give_up();
    }
    let handle = loom::thread::spawn(move || {
        // A thread whose first step is a load ends loom's search after one execution (#392).
        AtomicU64::new(0).fetch_add(1, Relaxed);
        body();
    });
    THREADS.with_borrow_mut(|threads| {
        threads.handles.resize_with(task + 1, || None);
        threads.handles[task] = Some(handle);
    });
}

/// Waits for a loom thread.
pub(crate) fn join(task: usize) {
    if run::me() == 0 {
        open_choices();
    }
    let handle = THREADS.with_borrow_mut(|threads| threads.handles[task].take());
    let handle = handle.expect("a task is joined once");
    // A panic of the thread has ended the search already; it does not come out here.
    let _ = handle.join();
}

/// loom has no choice. Main stores 1 to a cell while the tasks run; a relaxed load sees it or not.
pub(crate) fn choose(alternatives: u32) -> u32 {
    assert!(run::me() != 0, "under loom the scenario's main may not choose");
    let mut chosen = 0;
    let mut reach = 1;
    while reach < alternatives {
        chosen = 2 * chosen + u32::from(choose_bit());
        reach *= 2;
    }
    chosen.min(alternatives - 1)
}

fn choose_bit() -> bool {
    let cell = THREADS.with_borrow_mut(|threads| {
        threads.choices_made += 1;
        threads.choices.get(threads.choices_made - 1).cloned()
    });
    let Some(cell) = cell else {
        CUT.replace(Some(Cut::Engine("more choices than `loom_choices` allows under loom".into())));
        give_up();
    };
    cell.load(Relaxed) == 1
}

fn open_choices() {
    let cells = THREADS.with_borrow_mut(|threads| {
        let open = std::mem::replace(&mut threads.choices_open, true);
        if open { Vec::new() } else { threads.choices.clone() }
    });
    for cell in cells {
        cell.store(1, Relaxed);
    }
}

/// Makes the cells for [`choose`]. Only a scenario that chooses pays for them.
fn prepare_choices(count: usize) {
    THREADS.with_borrow_mut(|threads| {
        threads.choices = (0..count).map(|_| AtomicU64::new(0).into()).collect();
    });
}
