//! Small programs of tasks that share something, run under several engines.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore, join};
use selvedge_kernel::{Cpus, spawn_task};
use selvedge_monitors::{LockRules, WaitGraph};
use selvedge_trace::Monitor;

/// What a task does; it returns what it has seen.
pub type Run<S> = fn(&Cpus, &S) -> u64;

/// Tasks, each on its CPU, what they share, and what is looked at in the end.
pub struct Program<S: 'static> {
    pub cpus: fn() -> Cpus,
    pub make: fn(&Arc<Cpus>) -> S,
    pub tasks: &'static [(usize, Run<S>)],
    pub ends: fn(&S) -> u64,
}

/// What each task has seen, and what was there in the end.
pub type Outcomes = BTreeSet<Vec<u64>>;

/// Two CPUs, without PREEMPT_RT.
pub fn two_cpus() -> Cpus {
    Cpus::new(2, false)
}

/// Nothing is looked at in the end.
pub fn nothing<S>(_: &S) -> u64 {
    0
}

/// The engines that run everything here, the first of them optimal, the second the naive one.
pub const SC: [Engine; 3] = [Engine::Dpor, Engine::Dfs, Engine::GraphSc];

impl<S: Send + Sync + 'static> Program<S> {
    pub fn run(&self, engine: Engine) -> (Exploration, Outcomes) {
        let seen: Arc<Mutex<Outcomes>> = Arc::default();
        let Program { cpus, make, tasks, ends } = *self;
        let all = seen.clone();
        let body = move || {
            let cpus = Arc::new(cpus());
            let shared = Arc::new(make(&cpus));
            let saw = Arc::new(Mutex::new(vec![0; tasks.len()]));
            let start = |(nth, &(cpu, run)): (usize, &(usize, Run<S>))| {
                let (here, shared, saw) = (cpus.clone(), shared.clone(), saw.clone());
                spawn_task(&cpus, cpu, &format!("task{nth}"), move || {
                    let seen = run(&here, &shared);
                    saw.lock().unwrap()[nth] = seen;
                })
            };
            let numbers: Vec<usize> = tasks.iter().enumerate().map(start).collect();
            numbers.into_iter().for_each(join);
            let mut outcome = saw.lock().unwrap().clone();
            outcome.push(ends(&shared));
            all.lock().unwrap().insert(outcome);
        };
        let monitors: Vec<Box<dyn Monitor>> =
            vec![Box::<WaitGraph>::default(), Box::<LockRules>::default()];
        let exploration = explore(engine, &Bounds::PROOF, monitors, Arc::new(body));
        let outcomes = seen.lock().unwrap().clone();
        (exploration, outcomes)
    }

    /// It holds under each of [`SC`], and they see the same.
    pub fn outcomes(&self) -> Outcomes {
        let [first, second, third] = SC.map(|engine| {
            let (seen, outcomes) = self.run(engine);
            assert_eq!(seen.verdict, Verdict::Holds, "{engine}: {:?}", seen.counterexample);
            outcomes
        });
        assert_eq!((&first, &first), (&second, &third));
        first
    }

    /// It is violated under each of [`SC`]: the rule, and what the first says.
    pub fn broken(&self) -> (String, String) {
        let [first, second, third] = SC.map(|engine| {
            let (seen, _) = self.run(engine);
            assert_eq!(seen.verdict, Verdict::Violated, "{engine}");
            let found = seen.counterexample.expect("a counterexample");
            (found.rule, found.message)
        });
        assert_eq!((&first.0, &first.0), (&second.0, &third.0));
        first
    }

    /// loom cannot do this, and says why.
    pub fn is_beyond_loom(&self, why: &str) {
        let verdict = self.run(Engine::Loom).0.verdict;
        assert!(matches!(&verdict, Verdict::Undecided(said) if said.contains(why)), "{verdict}");
    }
}
