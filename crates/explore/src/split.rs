//! Optimal DPOR by several threads, each with a state of its own ([`crate::run`]).

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use dpor::{Counts, End, Next, Observer, Search, Split, Step, Worker};
use selvedge_trace::Monitor;

use crate::panics::{self, Silence};
use crate::run::{self, Tally};
use crate::sc::Watch;
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine, Progress};

type Monitors = Vec<Box<dyn Monitor>>;

/// Searches; leaves what was seen to this thread's run. `None`: nothing cut it short.
pub(crate) fn explore(bounds: &Bounds, stack: usize, scenario: Body) -> Option<Cut> {
    let monitors = run::take_monitors();
    let kinds: Monitors = monitors.iter().map(|monitor| monitor.another()).collect();
    let kinds = Mutex::new(kinds);
    let seen = Arc::new(Mutex::new(Seen { tally: Tally::default(), monitors, cut: None }));
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
        let kinds = kinds.lock().expect("not poisoned");
        let monitors = kinds.iter().map(|monitor| monitor.another()).collect();
        run::begin_exploration(Engine::Dpor, bounds, monitors);
        // How many executions there may be is known to the search.
        let bounds = Bounds { executions_max: u64::MAX, progress: None, ..bounds.clone() };
        OnThread { watch: Watch::new(&bounds, started), _silence: Silence::begin() }
    };
    let (together, progress) = (seen.clone(), bounds.progress.clone());
    let counts = search.run(scenario, worker, move |found: Seen, counts: &Counts| {
        together.lock().expect("not poisoned").add(found);
        if let Some(progress) = &progress {
            progress(&Progress { executions: counts.executions, estimate: counts.estimate() });
        }
    });
    let seen = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    run::begin_exploration(Engine::Dpor, bounds, seen.monitors);
    run::with(|run| run.tally = seen.tally);
    let is_cut_by_number = !counts.complete && counts.executions >= bounds.executions_max;
    seen.cut.or(is_cut_by_number.then_some(Cut::Executions(bounds.executions_max)))
}

/// What was seen in a part of the search, or in all of it so far.
#[derive(Default)]
struct Seen {
    tally: Tally,
    monitors: Monitors,
    cut: Option<Cut>,
}

impl Seen {
    fn add(&mut self, later: Seen) {
        self.tally.add(later.tally);
        for (all, monitor) in self.monitors.iter_mut().zip(later.monitors) {
            all.take_over(monitor);
        }
        self.cut = self.cut.take().or(later.cut);
    }
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

    fn hand_in(&mut self) -> Seen {
        let (tally, monitors) = run::hand_in();
        Seen { tally, monitors, cut: self.watch.cut.take() }
    }

    fn hand_in_panic(&mut self, panic: Box<dyn Any + Send>) -> Seen {
        Seen { cut: Some(Cut::Panic(panics::message(&*panic))), ..self.hand_in() }
    }
}
