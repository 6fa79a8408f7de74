//! The engines side by side, on the scenarios of the kernel: `cargo run --release -p
//! selvedge-proofs --example engines -- [TREE] [SCENARIO] [--each] [--only=ENGINE]`. Each scenario
//! is searched to the end once by `dpor`, by `graph` under sequential consistency, and by `graph`
//! under the kernel's model, on one thread, in one run. With `--only` by one of these, and nothing
//! is compared: for a profile.
//!
//! Only claims that hold are asked: a search that finds a violation ends there, and its length is
//! luck.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use selvedge_explore::Verdict;
use selvedge_proofs::{Bounds, Claim, Engine, Expected, check, rows};

const ENGINES: [Engine; 3] = [Engine::Dpor, Engine::GraphSc, Engine::Graph];

/// No engine gets more executions, or seconds of the clock, than these for one scenario. The latter
/// are for what hangs, also on a busy machine.
const EXECUTIONS_MAX: u64 = 20_000;
const SECONDS_MAX: f64 = 120.0;

/// An engine that takes many executions is told from one that takes few only where there are some:
/// as many of dpor's.
const EXECUTIONS_MIN: u64 = 30;

/// What an engine came to.
#[derive(Clone)]
struct Seen {
    verdict: Verdict,
    executions: u64,
    steps: usize,
    seconds: f64,
}

impl Seen {
    fn is_whole(&self) -> bool {
        self.verdict == Verdict::Holds
    }

    fn per_second(&self) -> f64 {
        self.executions as f64 / self.seconds
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (flags, words): (Vec<_>, Vec<_>) = args.into_iter().partition(|arg| arg.starts_with("--"));
    let tree = words.first().map_or("v6.12.117", String::as_str);
    let part = words.get(1).map_or("", String::as_str);
    let is_each = flags.iter().any(|flag| flag == "--each");
    let only = flags.iter().find_map(|flag| flag.strip_prefix("--only="));
    let mut asked: Vec<(&'static Claim, Vec<Seen>)> = Vec::new();
    for (claim, _) in rows().filter(|(_, engine)| *engine == Engine::Dpor) {
        let is_new = !asked.iter().any(|(other, _)| other.scenario.name == claim.scenario.name);
        let is_meant = claim.tree.name == tree && claim.scenario.name.contains(part);
        if is_new && is_meant && claim.expected == Expected::Holds {
            if let Some(only) = only {
                let engine = ENGINES.into_iter().find(|engine| engine.name() == only);
                let seen = search(claim, engine.expect("dpor, graph or graph-sc"));
                println!("{}: {} executions", claim.scenario.name, seen.executions);
                asked.push((claim, Vec::new()));
                continue;
            }
            let seen: Vec<Seen> = ENGINES.iter().map(|&engine| search(claim, engine)).collect();
            if is_each {
                print(claim, &seen);
            }
            asked.push((claim, seen));
        }
    }
    if only.is_none() {
        summary(&asked);
    }
}

/// Seconds of processor time of this thread, on which one worker searches; of the clock, where the
/// operating system does not tell it.
fn seconds() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_cpu = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    on_cpu.map_or_else(|| START.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
}

fn search(claim: &'static Claim, engine: Engine) -> Seen {
    let time = Duration::from_secs_f64(SECONDS_MAX);
    let bounds = Bounds {
        executions_max: EXECUTIONS_MAX,
        time_max: Some(time),
        workers: 1,
        ..Bounds::PROOF
    };
    let start = seconds();
    let row = check(claim, engine, &bounds);
    let seconds = seconds() - start;
    let seen = row.exploration;
    Seen { verdict: seen.verdict, executions: seen.executions, steps: seen.steps_max, seconds }
}

fn print(claim: &Claim, seen: &[Seen]) {
    println!("{}", claim.scenario.name);
    for (engine, seen) in ENGINES.iter().zip(seen) {
        println!(
            "  {:10}{:>8} executions, {:>4} steps, {:>8.4} s, {:>8.0} a second  {}",
            engine.name(),
            seen.executions,
            seen.steps,
            seen.seconds,
            seen.per_second(),
            seen.verdict,
        );
    }
}

/// Of the scenarios that both of a pair searched to the end. Seconds of single ones are too short
/// to be told.
fn summary(asked: &[(&'static Claim, Vec<Seen>)]) {
    println!("{} scenarios", asked.len());
    for other in 1..ENGINES.len() {
        let whole = |(_, seen): &&(&Claim, Vec<Seen>)| seen[0].is_whole() && seen[other].is_whole();
        let both: Vec<&Vec<Seen>> = asked.iter().filter(whole).map(|(_, seen)| seen).collect();
        let ratios = |executions_min: u64| -> Vec<f64> {
            let large = both.iter().filter(|seen| seen[0].executions >= executions_min);
            let ratio =
                |seen: &&Vec<Seen>| seen[other].executions as f64 / seen[0].executions as f64;
            let mut all: Vec<f64> = large.map(ratio).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let median = |executions_min| {
            let all = ratios(executions_min);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let sum = |engine: usize, of: &dyn Fn(&Seen) -> f64| -> f64 {
            both.iter().map(|seen| of(&seen[engine])).sum()
        };
        let all = asked.iter().filter(|(_, seen)| seen[other].is_whole()).count();
        println!(
            "{:9} whole {:>4}, with dpor {:>4}: executions to one of dpor's {:.2} in the median, \
             {:.2} where there are {EXECUTIONS_MIN}, more than 3 in {}; together {:.0} to {:.0}, \
             {:.0} to {:.0} a second",
            ENGINES[other].name(),
            all,
            both.len(),
            median(0),
            median(EXECUTIONS_MIN),
            ratios(0).iter().filter(|&&ratio| ratio > 3.0).count(),
            sum(other, &|seen| seen.executions as f64),
            sum(0, &|seen| seen.executions as f64),
            sum(other, &|seen| seen.executions as f64) / sum(other, &|seen| seen.seconds),
            sum(0, &|seen| seen.executions as f64) / sum(0, &|seen| seen.seconds),
        );
    }
}
