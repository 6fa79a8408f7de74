//! Which ordering a weak claim needs, and which one it lacks.
//!
//! Of a claim that holds: each acquire, release, barrier and full read-modify-write that its
//! executions pass is weakened, one at a time ([`needs`]). Of one that is violated: what cures it
//! alone ([`cures`]).
//!
//! Both are asked of `graph`, under the kernel's own memory model, by whole searches of the edited
//! scenario. Not asked: the order that a lock, a wake-up or the end of a task gives, which is not
//! its own to lose.

mod cure;
mod need;

pub use cure::{Cost, Cures, Strengthening, cures};
pub use need::{Need, Needs, Weakening, needs};

use selvedge_explore::{Bounds, Engine, Exploration, Verdict};
use selvedge_kernel::barrier_name;
use selvedge_kernel::edits::{Edit, How, Site};
use selvedge_trace::Order;

use crate::check::{Outcome, judge};
use crate::{Claim, Expected, explore_edited};

/// An edited claim, searched to the end or to its first violation.
fn search(claim: &Claim, engine: Engine, edit: Edit, bounds: &Bounds) -> Exploration {
    let edits: &'static [Edit] = Vec::leak(vec![edit]);
    let bounds = Bounds { as_found: true, ..bounds.clone() };
    explore_edited((claim.tree, edits), claim, engine, &bounds)
}

/// Does the rule hold, by a whole search in which the edit was made, and which came to what the
/// claim names?
fn is_shown_to_hold(claim: &Claim, seen: &Exploration) -> bool {
    let wanted = Claim { expected: Expected::Holds, ..*claim };
    seen.verdict == Verdict::Holds && judge(&wanted, seen) == Outcome::AsExpected
}

/// A step as it is said where its function is said too: `test_bit(PG_lru)#1`.
fn step(site: &Site) -> String {
    let number = site.nth.filter(|&nth| nth > 0).map(|nth| format!("#{nth}"));
    let object = site.object.unwrap_or_default();
    format!("{}({object}){}", site.primitive, number.unwrap_or_default())
}

/// The same with its function.
fn place(site: &Site) -> String {
    format!("{} in {}()", step(site), site.function.unwrap_or_default())
}

/// What an edit makes of a step.
fn becomes(edit: &Edit) -> String {
    match edit.how {
        How::Behind(order) | How::Ahead(order) => format!("{}()", barrier_name(order)),
        How::Relax(order) | How::Strengthen(order) => match order {
            Order::Acquire => "an acquire".into(),
            Order::Release => "a release".into(),
            Order::Relaxed | Order::Full => order.name().into(),
        },
        How::Drop { .. } => "left out".into(),
        How::DropPair | How::Split | How::Delay(_) => edit.to_string(),
    }
}
