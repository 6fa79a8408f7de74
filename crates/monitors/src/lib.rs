//! Monitors: they look at every execution and find what no single step shows.
//!
//! | monitor            | rule                                          | looks at            |
//! |--------------------|-----------------------------------------------|---------------------|
//! | [`Ledger`]         | the reference count is what its holders hold  | notes, counters     |
//! | [`LockOrder`]      | locks are taken in one order                  | all executions      |
//! | [`WaitGraph`]      | no task waits for ever                        | deadlocks           |
//! | [`Races`]          | plain accesses do not race                    | accesses, orderings |
//!
//! [`standard`] has all but the last, which is for claims that ask for it.
//!
//! **Invariant:** a monitor sees events only. It knows neither engines nor models.

mod ledger;
mod lock_order;
mod races;
mod wait_graph;

pub use ledger::{Ledger, REFERENCES_BALANCE};
pub use lock_order::{LOCKS_HAVE_ONE_ORDER, LockOrder};
pub use races::{PLAIN_ACCESSES_DO_NOT_RACE, Races};
pub use wait_graph::{NOBODY_WAITS_FOR_EVER, WaitGraph};

use selvedge_trace::Monitor;

/// The monitors that every claim is checked with.
pub fn standard() -> Vec<Box<dyn Monitor>> {
    vec![Box::<WaitGraph>::default(), Box::<Ledger>::default(), Box::<LockOrder>::default()]
}
