//! Tests of litmus tests, in one program: linking takes longer than most.

mod gaps;
mod herd_syntax;
mod primitives;
mod verdicts;
mod weaker;
