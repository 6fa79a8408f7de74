//! Tests of the proofs but for the claims, in one program: linking takes longer than most.

mod decisions;
mod killable_waits;
mod lock_order;
mod lock_rules;
mod mutants;
mod orders;
mod progress;
mod race_detection;
mod random_batches;
mod random_programs;
mod same_steps;
mod states;
mod weak;
