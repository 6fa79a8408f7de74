//! The search of the engine: what is made of each execution, and why it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use graph::{Counts, End, Execution, Model, Next, Observer, Search, Worker};

use super::{GIVEN_UP, arrange, with};
use crate::machine::run_task;
use crate::machine::shuttle::{STACK_BYTES, Watch, not_done};
use crate::panics::{self, Silence};
use crate::record::{self, Ended};
use crate::tally::{Monitors, Seen, others};
use crate::task::Stop;
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, MemoryModel, Progress};

/// More events than these do not fit into a graph.
const EVENTS_MAX: usize = 4_096;

/// Runs the whole search. A bound on preemptions means nothing here: there are none.
pub(crate) fn explore(engine: Engine, bounds: &Bounds, monitors: Monitors, body: &Body) -> Seen {
    let unused = others(&monitors);
    let has_met_interrupts = Arc::new(AtomicBool::new(false));
    let seen = search(engine, bounds, monitors, body, &has_met_interrupts);
    if !has_met_interrupts.load(Ordering::Relaxed) {
        return seen;
    }
    search(engine, bounds, unused, body, &has_met_interrupts)
}

/// A search that knows of interrupts, or ends when it meets one, and says so.
fn search(
    engine: Engine,
    bounds: &Bounds,
    monitors: Monitors,
    body: &Body,
    interrupts: &Arc<AtomicBool>,
) -> Seen {
    let are_known = interrupts.load(Ordering::Relaxed);
    let kinds = Mutex::new(others(&monitors));
    let mut seen = Seen::by(monitors);
    let search = Search {
        model: match engine.memory_model() {
            MemoryModel::Sc => Model::Sc,
            MemoryModel::Lkmm | MemoryModel::C11 => Model::Kernel,
        },
        events_max: EVENTS_MAX,
        executions_max: bounds.executions_max,
        races: false,
        stack: STACK_BYTES,
        ..Search::default()
    };
    let started = Instant::now();
    let worker = || {
        let monitors = others(&kinds.lock().expect("not poisoned"));
        let watch = Watch::of_a_worker(engine, bounds, started, monitors);
        OnThread { watch, interrupts: interrupts.clone(), _silence: Silence::begin() }
    };
    let body = body.clone();
    let scenario = Arc::new(move || {
        with(|state| state.exclusions.are_there = are_known);
        record::begin_execution();
        run_task(0, || body());
    });
    let merge = |found: Seen, counts: &Counts| {
        seen.add(found);
        if let Some(progress) = &bounds.progress {
            let (executions, estimate) = (counts.executions, counts.estimate());
            progress(&Progress { executions, estimate });
        }
    };
    let run = || search.run_by(bounds.workers, scenario, worker, merge);
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(counts) => {
            let is_cut = !counts.complete && counts.executions >= bounds.executions_max;
            seen.cut = seen.cut.or(is_cut.then_some(Cut::Executions(bounds.executions_max)));
        }
        // Not the model's: that would be a failure of its task.
        Err(payload) => {
            let message = panics::message(&*payload);
            seen.cut = Some(Cut::Engine(format!("a defect of the engine: {message}")));
        }
    }
    seen
}

struct OnThread {
    watch: Watch,
    /// Whether the scenario has any, so far as is known.
    interrupts: Arc<AtomicBool>,
    _silence: Silence,
}

impl Observer for OnThread {
    fn execution_ended(&mut self, end: &End, execution: &Execution<'_>) -> Next {
        if with(|state| state.exclusions.is_new) {
            self.interrupts.store(true, Ordering::Relaxed);
            return Next::Stop;
        }
        arrange::arrange(execution);
        let stopped = record::with(|record| record.take_stop());
        let ended = match (end, &stopped) {
            (_, Some(Stop::StepLimit | Stop::Unable(_))) => Ended::Cut,
            (End::Deadlock(_), _) => Ended::Deadlock,
            (End::TooLong | End::NotDeterministic(_), _) => Ended::Cut,
            (End::Complete | End::Failed(_), _) => Ended::Complete,
        };
        let keeps_going = self.watch.bounds.keep_going;
        let is_violated = self.watch.seen.execution_ended(ended, keeps_going, Vec::new);
        let ends_it = is_violated && !keeps_going && !self.watch.seen.is_passed_over;
        let cut = match (end, stopped) {
            (End::NotDeterministic(what), _) => Some(Cut::NotDeterministic(what.clone())),
            (End::Failed(message), _) if message != GIVEN_UP => {
                Some(Cut::Panic(panics::message(message)))
            }
            _ if ends_it => Some(Cut::Violation),
            (_, Some(Stop::Unable(why))) => Some(Cut::Engine(why)),
            (_, Some(Stop::StepLimit)) => Some(Cut::steps()),
            (End::TooLong, _) => Some(Cut::TooLarge(format!("a graph of {EVENTS_MAX} events"))),
            _ if ended == Ended::Complete && !is_violated => {
                not_done().or_else(|| self.watch.spent())
            }
            _ => self.watch.spent(),
        };
        let Some(cut) = cut else { return Next::Continue };
        self.watch.seen.cut = Some(cut);
        Next::Stop
    }
}

impl Worker for OnThread {
    type Findings = Seen;

    fn submit(&mut self) -> Seen {
        self.watch.seen.submit()
    }
}
