//! The workloads under this crate and under dpor, in one run: how many executions each takes, and
//! how long; and how the cost of an execution grows with its length. `cargo bench -p graph`
//!
//! The two do not explore the same thing: dpor explores sequential consistency only. Seconds are
//! of processor time, where the operating system tells it: a busy machine does not count.

#[path = "../../dpor/examples/workloads.rs"]
#[allow(dead_code, unused_imports, reason = "its main is not run here")]
mod announced;
#[path = "../examples/programs/mod.rs"]
#[allow(dead_code, reason = "each user takes its part")]
mod programs;

use std::collections::BTreeMap;
use std::time::Instant;

use graph::{Model, Rmw, Search, Store, Word, spawn};

/// How long a row is repeated at least, in seconds.
const ROW_MIN: f64 = 0.3;

fn main() {
    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    workloads();
    growth();
}

/// Seconds of processor time of this thread; of the clock, where there is no other.
fn seconds(since: Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_cpu = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    on_cpu.map_or_else(|| since.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
}

/// Runs something again and again; the mean of the seconds that it takes.
fn mean(mut run: impl FnMut()) -> f64 {
    let since = Instant::now();
    let start = seconds(since);
    let mut times = 0;
    loop {
        run();
        times += 1;
        let spent = seconds(since) - start;
        if spent >= ROW_MIN {
            return spent / f64::from(times);
        }
    }
}

fn row(work: &str, engine: &str, executions: u64, events: usize, seconds: f64) {
    let each = seconds / executions as f64 * 1e6;
    let events = if events == 0 { String::new() } else { events.to_string() };
    println!("{work:16}{engine:12}{executions:>12}{events:>8}{seconds:>12.4}{each:>10.2}");
}

fn workloads() {
    let head = ("", "engine", "executions", "events", "seconds", "us each");
    println!("{:16}{:12}{:>12}{:>8}{:>12}{:>10}", head.0, head.1, head.2, head.3, head.4, head.5);
    let others: BTreeMap<_, _> =
        announced::programs::all::<announced::Announced>().into_iter().collect();
    for (name, program) in programs::all() {
        let program = std::rc::Rc::new(program);
        for (engine, model) in [("graph", Model::Kernel), ("graph, SC", Model::Sc)] {
            let mut counts = graph::Counts::default();
            let seconds = mean(|| {
                let program = program.clone();
                counts = Search::of(model).count(move || program());
            });
            assert!(counts.complete && counts.blocked == 0, "{name}: {counts:?}");
            row(name, engine, counts.executions, counts.events_max, seconds);
        }
        if let Some(other) = others.get(name) {
            let mut executions = 0;
            let seconds = mean(|| executions = announced::explore(other, u64::MAX).0.executions());
            row(name, "dpor", executions, 0, seconds);
        }
    }
}

/// Five tasks that add to one word, each among steps of its own: 120 executions, however long.
fn growth() {
    println!("\n{:16}{:>12}{:>20}", "events", "executions", "microseconds each");
    for steps in [0, 34, 394] {
        let program = move || {
            let meeting = Word::new(0);
            let own: Vec<Word> = (0..5).map(|_| Word::new(0)).collect();
            let task = |own: Word| {
                move || {
                    (0..steps / 2).for_each(|i| own.store(i, Store::Release));
                    meeting.fetch_add(1, Rmw::Full);
                    (0..steps / 2).for_each(|i| own.store(i, Store::Release));
                }
            };
            let tasks: Vec<_> = own.into_iter().map(|own| spawn(task(own))).collect();
            tasks.into_iter().for_each(|task| task.join());
        };
        let mut counts = graph::Counts::default();
        let seconds = mean(|| counts = Search::default().count(program));
        let each = seconds * 1e6 / counts.executions as f64;
        println!(
            "{:16}{:>12}{each:>14.1} = {:.3} an event",
            counts.events_max,
            counts.executions,
            each / counts.events_max as f64
        );
    }
}
