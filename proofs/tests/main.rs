//! Tests of the proofs, but for the claims themselves, in one program: linking one for each file takes longer than running most.

mod lock_order;
mod lock_rules;
mod mutants;
mod orders;
mod progress;
mod race_detection;
mod random_batches;
mod random_programs;
mod same_steps;
mod weak;
