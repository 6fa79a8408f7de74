//! Litmus tests in the kernel's C dialect, run on the primitives of `selvedge_kernel`.
//!
//! The question is whether our primitives are the kernel's: a test says which outcome the kernel's
//! memory model (LKMM) allows, and an engine that explores our primitives says which it reaches.
//!
//! | you want to …                       | open          |
//! |-------------------------------------|---------------|
//! | know what is parsed                 | `parse.rs`, `lex.rs` |
//! | add a primitive                     | `primitives.rs`; `objects.rs`, `bits.rs`, `functions.rs` |
//! | know how a statement is run         | `machine.rs`  |
//! | know what a final state is made of  | `interpret.rs`|
//! | know how an outcome is judged       | `judge.rs`    |
//! | know what an engine is too weak for | `gaps.rs`     |
//!
//! **Rendered stronger than LKMM:** `rcu_dereference()` is an acquire load (the engines have no
//! address dependencies). **Left out:** SRCU, loops, arrays, structures but those of
//! locks; a test that has one is *unsupported*, and the construct is named.
//!
//! **Not decided under loom:** what LKMM forbids by a dependency (control, address or data), or by
//! a release that has to cover a relaxed read before it. C11 orders neither. And what tries a lock
//! (loom's own invents deadlocks) or waits for a value (semaphores, `rwlock_t`, completions).
//! **Under graph:** what a dependency forbids.

mod ast;
mod bits;
mod check;
mod functions;
mod gaps;
mod interpret;
mod judge;
mod lex;
mod machine;
mod objects;
mod parse;
mod primitives;

use selvedge_explore::{Engine, MemoryModel};

pub use ast::{Condition, Quantifier, Test};
pub use gaps::run;
pub use interpret::{Fault, Observed, Setting, observe, observe_in};
pub use judge::{Agreement, Judged, judge};
pub use lex::{Place, SyntaxError};
pub use parse::parse;

/// The conformance card: what engines make of the kernel's own tests
/// (tools/memory-model/litmus-tests of 6.12.117). The tests are not in this repository; the card
/// was made by `selvedge litmus --format card DIR/*.litmus`.
pub const CARD: &str = include_str!("../conformance.md");

/// The card's line about an engine.
pub fn card_of(engine: Engine) -> &'static str {
    let name = format!("{engine}: ");
    let own = CARD.lines().find_map(|line| line.strip_prefix(&name));
    own.unwrap_or(match engine.memory_model() {
        MemoryModel::Sc => "not on the card; sequentially consistent, as dpor",
        MemoryModel::C11 | MemoryModel::Lkmm => "not on the card",
    })
}
