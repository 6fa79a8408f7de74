//! Optimal DPOR by several threads, each with a record of its own ([`crate::record`]), and together
//! with other processes, if there are any ([`crate::exchange`]).

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dpor::{Counts, End, Next, Observer, Others, Search, Split, Step, Worker};

use crate::exchange::Sharing;
use crate::machine::shuttle::Watch;
use crate::panics::{self, Silence};
use crate::tally::{Monitors, Seen, others};
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, Progress};

/// Runs the whole search.
pub(crate) fn explore(bounds: &Bounds, monitors: Monitors, stack: usize, scenario: Body) -> Seen {
    let kinds = Mutex::new(others(&monitors));
    let seen = Arc::new(Mutex::new(Seen::by(monitors)));
    let search = Search {
        workers: bounds.workers,
        split: Split::default(),
        steps_max: 2 * bounds.steps_max,
        executions_max: bounds.executions_max,
        stack,
        remembers_traces: false,
    };
    let started = Instant::now();
    let worker = || {
        let monitors = others(&kinds.lock().expect("not poisoned"));
        let watch = Watch::of_a_worker(Engine::Dpor, bounds, started, monitors);
        OnThread { watch, _silence: Silence::begin() }
    };
    let (together, progress) = (seen.clone(), bounds.progress.clone());
    let sharing = Sharing::of(bounds, started, &kinds.lock().expect("not poisoned"));
    let no_time = sharing.as_ref().map(|sharing| sharing.cut.clone());
    let others = sharing.map(|sharing| Box::new(sharing) as Box<dyn Others<Seen>>);
    let counts = search.run_with(others, scenario, worker, move |found: Seen, counts: &Counts| {
        together.lock().expect("not poisoned").add(found);
        if let Some(progress) = &progress {
            progress(&Progress { executions: counts.executions, estimate: counts.estimate() });
        }
    });
    let mut seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    let no_time = no_time.and_then(|cut| cut.lock().expect("not poisoned").take());
    seen.cut = seen.cut.or(no_time);
    let is_cut_by_number = !counts.complete && counts.executions >= bounds.executions_max;
    seen.cut = seen.cut.or(is_cut_by_number.then_some(Cut::Executions(bounds.executions_max)));
    seen
}

struct OnThread {
    watch: Watch,
    _silence: Silence,
}

impl Observer for OnThread {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        self.watch.execution_ended(end, schedule)
    }
}

impl Worker for OnThread {
    type Findings = Seen;

    fn submit(&mut self) -> Seen {
        self.watch.seen.submit()
    }

    fn submit_panic(&mut self, panic: Box<dyn Any + Send>) -> Seen {
        Seen { cut: Some(Cut::Panic(panics::message(&*panic))), ..self.submit() }
    }
}
