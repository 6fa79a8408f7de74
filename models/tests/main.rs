//! Tests of the models, in one program: linking one for each file takes longer than running most.

mod functions;
mod locks_and_waits;
mod mlock;
mod steps_of_c;
