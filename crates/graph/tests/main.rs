//! Tests of the search over execution graphs, in one program: linking takes longer than most.

mod against_dpor;
mod bits;
mod common;
mod counts;
mod ends;
mod enumerated;
mod estimate;
mod litmus;
mod orders;
#[path = "../examples/programs/mod.rs"]
#[allow(dead_code, reason = "each user takes its part")]
mod programs;
mod races;
mod runs;
