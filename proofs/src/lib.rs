//! What holds where, how far, and what must fail.
//!
//! A [`Claim`] says: this rule, in this scenario, in this tree, is expected to hold or to be
//! violated, says this source. Each claim is checked under every engine that can see it; each such
//! pair is a row, and a test of that name:
//!
//! `subsystem::rule::scenario::tree::engine`
//!
//! **Invariant:** no kernel logic in here. A scenario calls kernel functions of `selvedge_models`
//! and looks at the outcome.

mod check;
mod claim;
pub mod claims;
pub mod rules;

pub use check::{Outcome, Row, check, explore_edited, explore_in};
pub use claim::{Claim, Expected, Scenario, Topic, rows};
