//! Explores the workloads: how many executions, and how fast. With an argument, only those whose
//! name has it in it.
//! `cargo run --release -p graph --example graphs`

#[allow(dead_code, reason = "the benchmark and tests use the rest")]
mod programs;

use std::time::Instant;

use graph::{Model, Search};

fn main() {
    let part = std::env::args().nth(1).unwrap_or_default();
    let head = ("executions", "blocked", "events", "seconds", "per second");
    println!("{:22}{:>12}{:>10}{:>8}{:>10}{:>12}", "", head.0, head.1, head.2, head.3, head.4);
    for model in [Model::Kernel, Model::Sc] {
        for (name, program) in programs::all().into_iter().filter(|(name, _)| name.contains(&part))
        {
            let start = Instant::now();
            let counts = Search::of(model).count(program);
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{name:15}{model:7?}{:>12}{:>10}{:>8}{seconds:>10.3}{:>12.0}",
                counts.executions,
                counts.blocked,
                counts.events_max,
                counts.executions as f64 / seconds,
            );
        }
    }
}
