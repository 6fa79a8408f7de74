//! An optimal-DPOR [`Scheduler`](shuttle::scheduler::Scheduler) for shuttle.

mod op;

pub use op::{Commutes, Footprint, Kind, Object, Op};
