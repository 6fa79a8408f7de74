//! Where the memory model of an engine is weaker than LKMM, so that it reaches what LKMM forbids.
//!
//! A state that was reached, and that answers the test's question, is looked for again where the
//! gaps are closed: a rendering that is stronger than LKMM in these respects. What is reached there
//! too, LKMM allows. What is not rests on a gap, and the question is undecided; each gap closed
//! alone says on which. That a state was not reached needs no second look: with a gap more is
//! reached, never less.

use selvedge_explore::{Bounds, Engine, MemoryModel};

use crate::ast::Test;
use crate::check::calls;
use crate::interpret::{observe, reaches};
use crate::judge::{Agreement, Judged, judge};
use crate::lex::SyntaxError;
use crate::primitives::{self, Does};

/// What LKMM orders and an engine does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gap {
    /// A release (an unlock is one) covers what its process has read before. In C11 it does if the
    /// read was an acquire. Closed: an acquire fence before each release.
    Releases,
    /// loom knows the order in which stores of one word take effect only as far as something else
    /// orders them: a full barrier on both sides of two stores does not, and an update is not
    /// atomic against a store (tokio-rs/loom#254). Closed: each store is an exchange. That is much
    /// stronger than LKMM, so that it is done only where there is such a barrier or update.
    Stores,
    /// Control, address and data dependencies. Closed: what is read and used is an acquire load.
    /// In LKMM that orders it before all that follows, whatever it reads from; an update, and a
    /// look at a lock, has a full barrier after it, because one that fails orders nothing itself.
    Dependencies,
    /// The same in C11, where an acquire load of a relaxed store orders nothing. Closed: what is
    /// read and used has an acquire fence after it; what is stored after that has a release fence
    /// before it.
    DependenciesOfC11,
}

impl Gap {
    /// Those of an engine, as far as the test has something that they are about.
    fn of(engine: Engine, test: &Test) -> Vec<Gap> {
        let model = engine.memory_model();
        if model == MemoryModel::Sc {
            Vec::new()
        } else if model == MemoryModel::C11 {
            let mut gaps = vec![Gap::Releases, Gap::DependenciesOfC11];
            if test.processes.iter().any(|process| calls(&process.body, has_full_barrier)) {
                gaps.push(Gap::Stores);
            }
            gaps
        } else {
            // Dependencies go through registers, which no engine sees.
            vec![Gap::Dependencies]
        }
    }

    /// What a state relies on that is reached through it.
    fn relies_on(self) -> &'static str {
        match self {
            Gap::Releases => "a release that covers an earlier read",
            Gap::Stores => "the order of stores to one word",
            Gap::Dependencies | Gap::DependenciesOfC11 => "a dependency",
        }
    }
}

/// Runs a test under an engine, and judges what is observed. That a state is reached which LKMM may
/// forbid is an answer only if no gap of the engine is the reason.
///
/// # Errors
/// What the test has that is not supported, and where.
pub fn run(test: &Test, engine: Engine, bounds: &Bounds) -> Result<Judged, SyntaxError> {
    let judged = judge(test, &observe(test, engine, bounds)?);
    let is_in_doubt = match judged.agreement {
        Agreement::FalseAlarm => true,
        Agreement::NothingExpected => judged.is_reached(test),
        _ => false,
    };
    let why = if is_in_doubt { why_undecided(test, engine, bounds) } else { None };
    Ok(match why {
        Some(why) => {
            Judged { observation: "Undecided", agreement: Agreement::Undecided(why), ..judged }
        }
        None => judged,
    })
}

/// Is it a full barrier, or an update?
fn has_full_barrier(name: &str) -> bool {
    let is_barrier = name.starts_with("smp_mb") || name.starts_with("synchronize_rcu");
    let does = primitives::find(name).map(|primitive| primitive.does);
    is_barrier
        || does.is_some_and(|does| does.stores() && does.loads() || does == Does::StoresAndOrders)
}

/// `None`: what was reached, LKMM allows as far as is known.
fn why_undecided(test: &Test, engine: Engine, bounds: &Bounds) -> Option<String> {
    let gaps = Gap::of(engine, test);
    if gaps.is_empty() {
        return None;
    }
    match reaches(test, engine, bounds, &gaps) {
        Ok(true) => return None,
        Ok(false) => {}
        Err(cut) => return Some(format!("whether {engine} is too weak for it: {cut}")),
    }
    let closes_it = |gap: &Gap| reaches(test, engine, bounds, &[*gap]) == Ok(false);
    let alone: Vec<&str> = gaps.into_iter().filter(closes_it).map(Gap::relies_on).collect();
    let what = if alone.is_empty() { "more than one thing".into() } else { alone.join(" or ") };
    Some(format!("relies on {what}, which {engine} does not have"))
}
