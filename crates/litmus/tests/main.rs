//! Tests of litmus tests, in one program: linking one for each file takes longer than running most.

mod gaps;
mod herd_syntax;
mod primitives;
mod verdicts;
