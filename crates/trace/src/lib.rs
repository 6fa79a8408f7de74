//! What happened, in order: the events of one execution, the rules that they may break, the
//! monitors that look, and the counterexample that comes out.
//!
//! Every other crate meets here, and this one knows none of them: an engine produces events, a
//! monitor reads them, an exporter prints them.
//!
//! | you want to …                              | open                |
//! |--------------------------------------------|---------------------|
//! | know what is recorded of a step            | `event.rs`          |
//! | state an invariant, or report a broken one | `rule.rs`           |
//! | say where in the text a step stands         | `site.rs`           |
//! | listen to executions                       | `monitor.rs`        |
//! | read or write a counterexample             | `counterexample.rs`, `json.rs` |
//! | know which model it is of, and why it fails | `provenance.rs`, `because.rs` |
//! | know who holds a reference                | `holders.rs`        |
//! | see one as the table of a changelog        | `table.rs`          |
//! | see a deadlock in brief                    | `cycle.rs`          |
//! | see one as a list of steps                 | `steps.rs`          |
//! | see why it fails                           | `why.rs`            |
//! | see one as a page, a graph, another tool's trace | `views/`      |
//! | see who holds which references in one      | `refs.rs`           |
//! | know which loop an execution does not leave | `spin.rs`          |

pub mod because;
mod counterexample;
mod cycle;
mod event;
#[cfg(test)]
mod fixture;
mod holders;
mod interned;
mod json;
mod monitor;
mod path;
mod provenance;
mod refs;
mod rule;
mod site;
mod spin;
mod steps;
mod table;
mod text;
pub mod views;
mod why;

pub use counterexample::{BitOf, Blocked, Column, Counterexample, Record, SCHEMA};
pub use cycle::cycle;
pub use event::{
    Accesses, Action, ActionKind, Bit, BitWait, Class, Context, Event, IRQ, Name, Order, PREEMPT,
    TaskInfo, Touch,
};
pub use holders::Holder;
pub use interned::interned;
pub use json::{Unreadable, consistent, from_json, to_json};
pub use monitor::{End, Execution, Judges, Monitor, Waiting};
pub use path::{PathId, Paths};
pub use provenance::{Condition, Explanation, Model, Passing};
pub use refs::{refs, refs_dot};
pub use rule::{ENDLESS_LOOPS_END, Finding, NOBODY_WAITS_FOR_EVER, Rule, slug};
pub use site::Site;
pub use spin::{NOT_FAIR, Spin, spin};
pub use steps::steps;
pub use table::{AGAIN, Look, table, table_as};
pub use why::{why, why_as};

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
#[cfg(not(test))]
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");
