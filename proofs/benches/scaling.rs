//! `cargo bench -p selvedge-proofs`: kernel-lru B1 in 6.1 with 1, 2 and 3 CPUs that install a bh
//! while one more migrates, under each engine. Then what monitors cost: scenarios of 6.12.117 with
//! none, with the standard ones, and with the lock graph (only that: `-- monitors`). Times are of
//! one run, on one core, and what monitors cost is time of the processor, the least of a few runs,
//! so that it matters less what else runs; compare ratios.

use std::sync::Arc;
use std::time::Duration;

use selvedge_explore::{Bounds, Engine, explore};
use selvedge_kernel::join;
use selvedge_models::trees::{V6_1, V6_12_117};
use selvedge_models::{Kernel, Machine};
use selvedge_monitors::lock_graph::Locks;
use selvedge_monitors::standard;
use selvedge_proofs::{Run, Scenario, lock_order};
use selvedge_trace::Monitor;

/// How long an engine may take for one line.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    if !std::env::args().any(|arg| arg == "monitors") {
        scaling();
    }
    println!("{:32} {:>10} {:>8} {:>8} {:>8}", "", "executions", "none", "standard", "graph");
    for scenario in lock_order::scenarios(&V6_12_117) {
        if MONITORED.contains(&scenario.name) {
            monitored(scenario);
        }
    }
}

fn scaling() {
    println!(
        "{:4} {:6} {:>10} {:>8} {:>11}  verdict",
        "CPUs", "engine", "executions", "steps", "per second"
    );
    for cpus in 1..=3 {
        for engine in Engine::ALL {
            line(cpus, engine);
        }
    }
    println!();
}

/// Scenarios that are long enough for a time to mean something.
const MONITORED: [&str; 3] =
    ["add_vs_drain_all_vs_disable", "migrator_vs_locker", "waiters_on_two_bits"];

/// How often each is measured.
const RUNS: usize = 5;

/// A measurement is of so many seconds at least: they are counted in hundredths.
const SECONDS_MIN: f64 = 1.0;

/// Seconds without monitors, and with these or those, as ratios.
fn monitored(scenario: &'static Scenario) {
    let once = |monitors: &dyn Fn() -> Vec<Box<dyn Monitor>>| {
        let (mut searches, mut executions, mut seconds) = (0, 0, 0.0);
        while seconds < SECONDS_MIN {
            let before = processor_seconds();
            let body =
                Arc::new(|| scenario.play(&Run::new(Kernel::new(&V6_12_117, scenario.machine))));
            let bounds = Bounds { as_found: true, ..Bounds::PROOF };
            let seen = explore(Engine::Dpor, &bounds, monitors(), body);
            let spent = before.zip(processor_seconds()).map(|(before, after)| after - before);
            seconds += spent.unwrap_or(seen.elapsed.as_secs_f64());
            executions = seen.executions;
            searches += 1;
        }
        (executions, seconds / f64::from(searches))
    };
    // The least of a few: what else runs can only add.
    let run = |monitors: &dyn Fn() -> Vec<Box<dyn Monitor>>| {
        let runs: Vec<(u64, f64)> = (0..RUNS).map(|_| once(monitors)).collect();
        (runs[0].0, runs.iter().map(|(_, seconds)| *seconds).fold(f64::MAX, f64::min))
    };
    let (executions, none) = run(&Vec::new);
    let graph = || -> Vec<Box<dyn Monitor>> { vec![Box::new(Locks::into(&Arc::default()))] };
    let with: Vec<f64> = [&standard as &dyn Fn() -> Vec<Box<dyn Monitor>>, &graph]
        .into_iter()
        .map(|monitors| {
            let (same, seconds) = run(monitors);
            assert_eq!(same, executions, "who looks changes nothing");
            seconds / none
        })
        .collect();
    println!(
        "{:32} {executions:>10} {none:>7.2}s {:>8.2} {:>8.2}",
        scenario.name, with[0], with[1]
    );
}

/// How long this process has had a processor, as Linux counts it: in hundredths of a second.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // What stands before is in parentheses, and may be anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = |field: usize| fields.split(' ').nth(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

fn line(cpus: usize, engine: Engine) {
    let machine = Machine::TINY.cpus(cpus + 1).buffer_heads(cpus);
    let body = Arc::new(move || {
        let k = Kernel::new(&V6_1, machine);
        let mut tasks: Vec<usize> = (0..cpus)
            .map(|cpu| {
                k.task(cpu, "installer", move |k| {
                    (k.tree.buffer.bh_lru_install)(k, &k.buffer_heads[cpu])
                })
            })
            .collect();
        tasks.push(k.task(cpus, "migrator", |k| (k.tree.swap.lru_cache_disable)(k)));
        tasks.into_iter().for_each(join);
    });
    let bounds = Bounds { executions_max: u64::MAX, time_max: Some(PATIENCE), ..Bounds::PROOF };
    let seen = explore(engine, &bounds, standard(), body);
    let per_second = seen.executions as f64 / seen.elapsed.as_secs_f64();
    println!(
        "{cpus:4} {:6} {:>10} {:>8} {per_second:>11.0}  {}",
        engine.name(),
        seen.executions,
        seen.steps_max,
        seen.verdict
    );
}
