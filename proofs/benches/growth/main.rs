//! `cargo bench -p selvedge-proofs --bench growth`: how the search grows with the number of CPUs,
//! for four scenarios of 6.12.117 in each of which one CPU more does what the others do. One line
//! each: executions, the longest one's steps, seconds, how often the executions of one CPU less.
//! Executions are exact; times are of one run on one core. `-- --svg FILE` draws them;
//! `-- --only PART` takes those whose name has it in it.

mod plot;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use selvedge_explore::{Bounds, Engine, Exploration, explore};
use selvedge_kernel::{Name, join};
use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
use selvedge_models::mm::migrate::{ISOLATION, Migrator, migrate_pages, putback_movable_pages};
use selvedge_models::mm::swap::{folio_add_lru, folio_get, folio_put};
use selvedge_models::trees::V6_12_117;
use selvedge_models::{Kernel, Machine};
use selvedge_monitors::standard;
use selvedge_proofs::Run;

use crate::plot::{Line, svg};

/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// CPUs: from two, which is the least that interleaves.
const CPUS: std::ops::RangeInclusive<usize> = 2..=6;

/// What n CPUs do.
struct Family {
    name: &'static str,
    machine: fn(usize) -> Machine,
    /// Starts a task on each of these CPUs.
    tasks: fn(&Run, usize) -> Vec<usize>,
}

const FAMILIES: [Family; 4] = [
    Family {
        name: "bh_lru_install() against lru_cache_disable()",
        machine: |cpus| Machine::TINY.cpus(cpus).buffer_heads(cpus - 1),
        tasks: |k, cpus| {
            let install = |cpu| {
                k.task(cpu, "installer", move |k| {
                    (k.tree.buffer.bh_lru_install)(k, &k.buffer_heads[cpu])
                })
            };
            let installers: Vec<usize> = (0..cpus - 1).map(install).collect();
            [installers, vec![disabler(k, cpus - 1)]].concat()
        },
    },
    Family {
        name: "folio_add_lru() against lru_cache_disable()",
        machine: |cpus| Machine::TINY.cpus(cpus).folios(cpus - 1).unlisted(),
        tasks: |k, cpus| {
            let add = |cpu| k.task(cpu, "adder", move |k| folio_add_lru(k, &k.folios[cpu]));
            let adders: Vec<usize> = (0..cpus - 1).map(add).collect();
            [adders, vec![disabler(k, cpus - 1)]].concat()
        },
    },
    Family {
        name: "folio_lock() of one folio",
        machine: |cpus| Machine::TINY.cpus(cpus).sleepers(cpus),
        tasks: |k, cpus| {
            let lock = |cpu| {
                k.task(cpu, "locker", |k| {
                    folio_lock(k, &k.folios[0]);
                    folio_unlock(k, &k.folios[0]);
                })
            };
            (0..cpus).map(lock).collect()
        },
    },
    Family {
        name: "migrate_pages() against those who drop a reference",
        machine: |cpus| Machine::TINY.cpus(cpus).spares().sleepers(1),
        tasks: |k, cpus| {
            folio_get(&k.folios[0], ISOLATION);
            let user = Name::new("user");
            (1..cpus).for_each(|_| folio_get(&k.folios[0], user));
            let migrator = k.task(0, "migrator", |k| {
                let left = migrate_pages(k, &[0], Migrator::SYNC);
                putback_movable_pages(k, &left);
            });
            let put = |cpu| k.task(cpu, "user", move |k| folio_put(k, &k.folios[0], user));
            [vec![migrator], (1..cpus).map(put).collect()].concat()
        },
    },
];

fn disabler(k: &Run, cpu: usize) -> usize {
    k.task(cpu, "disabler", |k| (k.tree.swap.lru_cache_disable)(k))
}

fn search(family: &'static Family, cpus: usize) -> Exploration {
    let body = Arc::new(move || {
        let k = Run::new(Kernel::new(&V6_12_117, (family.machine)(cpus)));
        (family.tasks)(&k, cpus).into_iter().for_each(join);
    });
    let bounds = Bounds { executions_max: u64::MAX, time_max: Some(PATIENCE), ..Bounds::PROOF };
    explore(Engine::Dpor, &bounds, standard(), body)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (file, part) = match args.as_slice() {
        [] => (None, ""),
        [option, file] if option == "--svg" => (Some(file), ""),
        [option, part] if option == "--only" => (None, part.as_str()),
        _ => {
            eprintln!("growth: expected nothing, `--svg FILE` or `--only PART`, found {args:?}");
            return ExitCode::from(2);
        }
    };
    let meant = FAMILIES.iter().filter(|family| family.name.contains(part));
    let lines: Vec<Line> = meant.map(grow).collect();
    if let Some(file) = file
        && let Err(error) = std::fs::write(file, svg(&lines, CPUS))
    {
        eprintln!("growth: {file}: {error}; expected a file that can be written");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

/// Until a search is cut, or the CPUs are enough.
fn grow(family: &'static Family) -> Line {
    println!("{}", family.name);
    println!(
        "{:>6} {:>12} {:>7} {:>9} {:>8}  verdict",
        "CPUs", "executions", "steps", "seconds", ""
    );
    let mut line = Line { name: family.name, complete: Vec::new(), cut: None };
    for cpus in CPUS {
        let seen = search(family, cpus);
        let times = line.complete.last().map_or(String::new(), |(_, before)| {
            format!("x {:.1}", seen.executions as f64 / *before as f64)
        });
        println!(
            "{cpus:>6} {:>12} {:>7} {:>9.2} {times:>8}  {}",
            seen.executions,
            seen.steps_max,
            seen.elapsed.as_secs_f64(),
            seen.verdict
        );
        if let Some(found) = &seen.counterexample {
            panic!("{} is broken: {}: {}", family.name, found.rule, found.message);
        }
        if !seen.is_complete() {
            line.cut = Some((cpus, seen.executions));
            break;
        }
        line.complete.push((cpus, seen.executions));
    }
    println!();
    line
}
