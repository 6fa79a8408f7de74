//! Monitors: they look at every execution and find what no single step shows.
//!
//! | monitor            | rule                                          | looks at            |
//! |--------------------|-----------------------------------------------|---------------------|
//! | [`Ledger`]         | the reference count is what its holders hold  | notes, counters     |
//! | [`Progress`]       | a loop without a bound ends                   | rounds that failed  |
//! | [`LockOrder`]      | locks are taken in one order                  | all executions      |
//! | [`WaitGraph`]      | no task waits for ever, sleeps on a lock that is free, or locks up its CPU | deadlocks |
//! | [`Luck`]           | nobody on a free bit waits for luck           | sleepers            |
//! | [`LockRules`]      | no lock is held at exit, and other rules of lockdep | locks, lock bits |
//! | [`HeldFolios`]     | a migration that waits holds its pair only    | bits that are slept on |
//! | [`Races`]          | plain accesses do not race                    | accesses, orderings |
//!
//! Besides, [`lock_graph`] gathers who could have to wait for whom over all executions of a
//! scenario, and judges each cycle in that: what is asked of a tree and not of a claim.
//!
//! [`standard`] has the ledger, the lock order and the wait graph. The kernel has races on
//! purpose, and by custom, and a migration that holds too much need not deadlock; a claim that is
//! about them asks for that monitor by its rule ([`for_rule`]).
//!
//! **Invariant:** a monitor sees events only. It knows neither engines nor models.

mod clocks;
mod held_folios;
mod ledger;
pub mod lock_graph;
mod lock_order;
mod lock_rules;
mod luck;
mod progress;
mod races;
mod signals;
mod wait_graph;

pub use clocks::Clocks;
pub use held_folios::{HeldFolios, WAITING_MIGRATION_HOLDS_ITS_PAIR};
pub use ledger::{Ledger, NOBODY_HOLDS_ON, REFERENCES_BALANCE, WHAT_IS_FREED_IS_NOT_TAKEN};
pub use lock_order::{LOCKS_HAVE_ONE_ORDER, LockOrder};
pub use lock_rules::{
    LOCK_RULES, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, LockRules, NO_LOCK_IS_HELD_AT_EXIT,
    NOBODY_LOCKS_WHAT_IT_HOLDS, WHAT_IS_UNLOCKED_IS_LOCKED,
};
pub use luck::{Luck, NO_WAIT_ENDS_BY_LUCK};
pub use progress::{ENDLESS, ENDLESS_LOOPS_END, Endless, Progress};
pub use races::{PLAIN_ACCESSES_DO_NOT_RACE, Races};
pub use selvedge_trace::NOBODY_WAITS_FOR_EVER;
pub use signals::Signal;
pub use wait_graph::{NO_CPU_IS_LOCKED_UP, WaitGraph};

use selvedge_trace::{Monitor, Rule};

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
#[cfg(not(test))]
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");

/// The monitors that every claim is checked with.
pub fn standard() -> Vec<Box<dyn Monitor>> {
    vec![Box::<WaitGraph>::default(), Box::<Ledger>::default(), Box::<LockOrder>::default()]
}

/// The monitors for a claim about this rule: [`standard`], and those of its own. [`HeldFolios`] and
/// [`Luck`] come first: a migration that holds too much may end in a deadlock, and so may a wait
/// that depends on somebody coming by.
pub fn for_rule(rule: Rule) -> Vec<Box<dyn Monitor>> {
    let mut monitors = standard();
    let own = of_its_own(rule);
    match [WAITING_MIGRATION_HOLDS_ITS_PAIR, NO_WAIT_ENDS_BY_LUCK].contains(&rule) {
        true => drop(monitors.splice(0..0, own)),
        false => monitors.extend(own),
    }
    monitors
}

/// What a claim about this rule is watched by besides [`standard`]. Of [`NOBODY_HOLDS_ON`] it is
/// for who knows the models to say who may ([`Ledger::kept_by`]).
pub fn of_its_own(rule: Rule) -> Vec<Box<dyn Monitor>> {
    let one: Box<dyn Monitor> = match rule {
        PLAIN_ACCESSES_DO_NOT_RACE => Box::<Races>::default(),
        ENDLESS_LOOPS_END => Box::<Progress>::default(),
        NO_WAIT_ENDS_BY_LUCK => Box::<Luck>::default(),
        REFERENCES_BALANCE => Box::new(Ledger::at_every_step()),
        WAITING_MIGRATION_HOLDS_ITS_PAIR => Box::<HeldFolios>::default(),
        _ => return Vec::new(),
    };
    vec![one]
}
