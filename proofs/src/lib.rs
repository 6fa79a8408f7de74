//! What holds where, how far, and what must fail.
//!
//! A [`Claim`] says: this rule, in this scenario, in this tree, is expected to hold or to be
//! violated, says this source. Each claim is checked under every engine that can see it; each such
//! pair is a row, and a test of that name:
//!
//! `subsystem::rule::scenario::tree::engine`
//!
//! | you want to | open |
//! |---|---|
//! | read what is claimed of a subsystem | `claims/`: scenarios, then a matrix of verdicts |
//! | know what a rule says, and how it is checked | [`rules`] |
//! | write a scenario | [`Scenario`], [`Run`] |
//! | write one that runs on the kernel's own C too | [`mod@calls`], [`functions`], [`look`] |
//! | know which step is needed by which claim | [`mutation`], `docs/mutants.md` |
//! | check a tree of your own crate | [`Suite`], `docs/outside.md` |
//! | know where an expectation comes from | [`Source`], `docs/facts/` |
//!
//! **Invariant:** no kernel logic in here. A scenario calls kernel functions of `selvedge_models`
//! and looks at the outcome.

pub mod calls;
mod check;
mod claim;
pub mod claims;
pub mod expected;
pub mod functions;
pub mod lock_order;
pub mod look;
pub mod mutation;
mod replay;
pub mod rules;
mod same_code;
mod same_program;
mod scenario;
mod source;
pub mod states;
mod suite;
mod together;

pub use check::{Outcome, Row, check, explore_edited, explore_in};
pub use claim::{Answers, Claim, Expected, NotAsked, Question, ask, not_asked, rows};
pub use replay::{explain, model_of, replay};
pub use same_program::one_tree_after_another;
pub use scenario::{Run, Scenario, Task, calls, cpu, irq, softirq};
pub use selvedge_explore::{Bounds, Engine};
pub use source::Source;
pub use suite::Suite;

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
#[cfg(not(test))]
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");
