//! Optimal dynamic partial order reduction for [shuttle](https://docs.rs/shuttle), through its
//! public `Scheduler` trait.
//!
//! A task *announces* its next step ([`step`]) before it takes it: the object, and what the step
//! does to it ([`Op`]). So the scheduler knows which tasks can go on (a lock that is held disables
//! those who want it), which pairs of steps conflict, and hence which orders of steps are the same
//! execution up to the order of independent steps. [`Dpor`] runs one execution of each such class
//! (Mazurkiewicz trace), and almost never one that turns out to be redundant.
//!
//! # The algorithm
//!
//! *Optimal DPOR* of Abdulla, Aronis, Jonsson and Sagonas (POPL 2014; JACM 64(4), 2017). When an
//! execution `E` is over, every *race* in it is looked for: two steps `e` and `e'` of different
//! tasks that conflict, with nothing between them that orders them. To see the other order, the
//! scheduler must, at the point before `e`, run `v`: what comes after `e` without depending on it,
//! then `e'`. Unless a task in the *sleep set* of that point is a *weak initial* of `v` (the other
//! order has been seen, or will be), `v` is inserted into the *wakeup tree* of the point. Wakeup
//! trees make sure that an execution, once begun, is not found to be redundant: no execution is
//! *sleep-set blocked*.
//!
//! | in the paper                    | here                       |
//! |---------------------------------|----------------------------|
//! | which steps may change places    | `effect.rs`                |
//! | happens-before, races           | `happens_before.rs`        |
//! | locks that are passed            | `sections.rs`              |
//! | `WI`, sleep sets, wakeup trees  | `wakeup.rs`                |
//! | `Explore`                       | `explore.rs`               |
//!
//! Of the steps that an execution has in common with the one before it is known what happens before
//! what, but its races are all looked at: what comes after an old race is another sequence now.
//!
//! Four things are not in the papers.
//!
//! **Blocking.** A race between acquisitions of a lock is between the two *acquisitions*: an
//! acquisition is never reordered with the release that enables it. And when an execution ends with
//! tasks blocked, what they wait to do counts as a step when races are looked for.
//! Likewise a step that waits for the value of a word ([`Kind::Await`]): it races with those writes
//! without which, and without what depends on them, the word has a value that ends the wait.
//!
//! **Steps that do less than they announced** ([`refine`]): a try-lock that fails, a conditional
//! update that does not happen. What a step conflicts with then depends on what came before it, and
//! when a race is reversed the later step may do something else than it was seen to do. Until a
//! reversed step has been executed, it is assumed to do all that it announced (an
//! over-approximation). Once its real footprint is known, the wakeup tree is corrected: a planned
//! prefix that contains a step which is now in the sleep set is removed, and a leaf in whose sleep
//! set the first step of the race may remain does not subsume other sequences.
//!
//! **Locks that are passed** ([`Op::passes`]). A step and a section of a lock that it passes need
//! not be tried in both orders if they touch nothing in common, unless the section may wait for
//! others. Two executions that differ in such orders only are one here.
//!
//! **Choices** ([`choose`]). The alternatives of a choice are steps that exclude each other.
//!
//! [`Search`] lets several threads explore parts of the tree at the same time; why that is the same
//! search is said in `tree.rs`. It runs tasks on coroutines of its own (`coroutines.rs`), and not
//! on shuttle's: it starts them so often that it matters. Others can, too ([`Unwinding`]). Several
//! processes can do a search together ([`Others`]).
//!
//! # What is guaranteed
//!
//! If the search ends by itself ([`Counts::complete`]), every reachable final state, and every
//! deadlock, of the program was reached, under sequential consistency, provided that
//! - the program does the same thing when it is scheduled the same way (checked on every replayed
//!   prefix: [`End::NotDeterministic`]);
//! - everything that tasks share is accessed within announced steps, and an announcement says at
//!   least what the step does;
//! - no execution is given up, by `steps_max` or by [`abandon`]: the steps that it would have taken
//!   may race with those that it took, and these races are not explored. Such a search is not
//!   complete ([`Counts::given_up`] counts), and may have missed violations.
//!
//! Then no trace was run twice, unless the search began anew because a section turned out late to
//! wait for others. Where no step passes a lock, an execution may be found redundant when it has
//! begun ([`End::SleepSetBlocked`], counted apart, and of no consequence but the time it took), in
//! two rare cases only: a step does less than it announced about an object of which other steps use
//! a *part*; or there is a choice, and a task that is blocked for good. Where steps pass locks, one
//! may be found redundant too, and an order may be run of which another has shown all.
//!
//! # Who else is here
//!
//! [`PlainDfs`] explores every order of steps, with a bound on preemptions if asked; [`SleepSets`]
//! leaves out those that come to the same, the simple way; [`Stateful`]
//! goes on from every state once, if it is told what a state is; [`Enabled`] puts any scheduler of
//! shuttle's on announced steps; [`Replay`] follows a given schedule. Under all of them,
//! [`spawn_twins`] leaves out orders of tasks that do the same, and [`update_loop`] makes one step
//! of a compare-and-exchange loop.

mod bounded;
mod compared;
mod coroutines;
mod dfs;
mod dpor;
mod driver;
mod effect;
mod enabled;
mod explore;
mod fingerprint;
mod happens_before;
mod on_shuttle;
mod op;
mod others;
mod parallel;
mod sections;
mod sets;
mod sleep_sets;
mod split;
mod stateful;
mod symmetry;
mod table;
mod tree;
mod update_loop;
mod wakeup;

pub use bounded::Bounded;
pub use coroutines::{Unwinding, never_unwind};
pub use dfs::{PlainDfs, Replay};
pub use dpor::{Dpor, Results};
pub use driver::{End, Next, Observer, Step};
pub use enabled::Enabled;
pub use fingerprint::{StateHash, hash128};
pub use on_shuttle::run;
pub use op::{Commutes, Footprint, Kind, Object, Op, Passes, Until};
pub use others::{Others, Searched};
pub use parallel::{Counts, Search, Worker};
pub use sleep_sets::SleepSets;
pub use split::Split;
pub use stateful::{Difference, Stateful, States};
pub use symmetry::{Symmetry, Twins, spawn_twins};
pub use table::{
    Outcome, abandon, at_rest, choose, holder, join, keeps_observations, me, observe, pending,
    refine, spawn, step, step_again, step_is_known, steps_in_common, steps_taken, try_lock, values,
};
pub use update_loop::update_loop;

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
#[cfg(not(test))]
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");
