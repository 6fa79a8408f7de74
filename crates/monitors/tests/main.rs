//! Tests of the monitors, in one program: linking one for each file takes longer than running most.

mod common;
mod hangs;
mod ledger;
mod lock_graph;
mod monitors;
mod progress;
