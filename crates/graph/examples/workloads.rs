//! Explores the workloads: how many executions, and how fast.
//! `cargo run --release -p graph --example workloads`

#[allow(dead_code, reason = "the benchmark and tests use the rest")]
mod programs;

use std::time::Instant;

use graph::{Model, Search};

fn main() {
    println!("{:16}{:>12}{:>10}{:>8}{:>10}{:>14}", "", "executions", "blocked", "events", "seconds", "per second");
    for model in [Model::Kernel, Model::Sc] {
        for (name, program) in programs::all() {
            let start = Instant::now();
            let counts = Search::of(model).count(program);
            let seconds = start.elapsed().as_secs_f64();
            println!(
                "{name:16}{:>12}{:>10}{:>8}{seconds:>10.3}{:>14.0}  {model:?} {} {}",
                counts.executions,
                counts.blocked,
                counts.events_max,
                counts.executions as f64 / seconds,
                counts.deadlocks,
                counts.failures,
            );
        }
    }
}
