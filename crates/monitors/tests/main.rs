//! Tests of the monitors, in one program: linking takes longer than most.

mod common;
mod hangs;
mod ledger;
mod lock_graph;
mod monitors;
mod progress;
