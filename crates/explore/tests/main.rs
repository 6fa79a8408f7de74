//! Tests of the engines behind one gate, in one program: linking takes longer than most.

mod edits;
mod edits_of_references;
mod engines;
mod explain;
mod fair;
mod footprints;
mod foreign;
mod graphs;
mod keep_going;
mod set_up;
mod silence;
mod split;
mod stateful;
