//! `cargo bench -p selvedge-proofs`: kernel-lru B1 in 6.1 with 1, 2 and 3 CPUs that install a bh
//! while one more migrates, under each engine. Times are of one run, on one core; compare ratios.

use std::sync::Arc;
use std::time::Duration;

use selvedge_explore::{Bounds, Engine, explore};
use selvedge_kernel::join;
use selvedge_models::trees::V6_1;
use selvedge_models::{Kernel, Machine};
use selvedge_monitors::standard;

/// How long an engine may take for one line.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() {
    println!(
        "{:4} {:6} {:>10} {:>8} {:>11}  verdict",
        "CPUs", "engine", "executions", "steps", "per second"
    );
    for cpus in 1..=3 {
        for engine in Engine::ALL {
            line(cpus, engine);
        }
    }
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
