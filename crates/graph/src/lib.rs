//! Stateless optimal exploration of execution graphs.

mod axioms;
mod bits;
mod coroutine;
mod engine;
mod event;
mod execution;
mod graph;
mod matrix;
mod op;
mod parallel;
mod races;
mod rcu;
mod rows;
mod search;
mod show;

pub use execution::{At, Does, End, Event, Execution, Race};
pub use op::{
    Fence, Load, Lock, Rmw, Store, Task, Word, check, choose, fail, fence, me, rcu_read_lock,
    rcu_read_unlock, spawn, synchronize_rcu,
};
pub use parallel::{Split, Worker};
pub use search::{Counts, Model, Next, Observer, Search};
