//! Tests of the models, in one program: linking takes longer than most.

mod functions;
mod locks_and_waits;
mod mlock;
mod steps_of_c;
mod wait_event;
