//! Tests of the search, in one program: linking takes longer than most.

mod common;
mod counts;
mod equivalence;
#[path = "../examples/workloads.rs"]
#[allow(dead_code, reason = "each user takes its part")]
mod examples;
mod lesser;
mod others;
mod parallel;
mod schedules;
mod sections;
mod stacks;
mod stateful;
mod symmetry;
mod update_loops;
mod workloads;
