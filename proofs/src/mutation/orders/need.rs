//! Which orderings a claim that holds needs.

use std::fmt;

use selvedge_explore::{Bounds, Engine, Passed, Sites, Verdict};
use selvedge_kernel::barrier_name;
use selvedge_kernel::edits::{Edit, How, Site};
use selvedge_models::Tree;
use selvedge_trace::{ActionKind, Monitor, Order};

use super::{is_shown_to_hold, search, step};
use crate::Claim;
use crate::check::explore_watched;
use crate::mutation::judge::{What, what};
use crate::mutation::{Mutant, operators};

/// An ordering that is taken away.
#[derive(Clone, Debug)]
pub struct Weakening {
    /// The same as a mutant, which has the place and its name. Nobody judges it here.
    pub mutant: Mutant,
    /// What it is in the tree.
    pub from: Order,
    /// Is it a barrier, and not the ordering of an access?
    pub is_barrier: bool,
}

impl Weakening {
    /// What is there: `smp_wmb()`, `clear_bit_unlock(PG_locked), release`.
    pub fn what(&self) -> String {
        match self.is_barrier {
            true => step(&self.mutant.site),
            false => format!("{}, {}", step(&self.mutant.site), self.from.name()),
        }
    }

    /// What would do as well: `smp_wmb()`, `release`.
    fn named(&self, order: Order) -> String {
        match self.is_barrier {
            true => format!("{}()", barrier_name(order)),
            false => order.name().into(),
        }
    }

    /// Of one that is a full barrier, or two of them: what is weaker, and not nothing.
    fn weaker(&self) -> &'static [Order] {
        match (self.from, self.is_access_of_one_side()) {
            (Order::Full, false) => &[Order::Acquire, Order::Release],
            _ => &[],
        }
    }

    /// A load has no release, and a store no acquire.
    fn is_access_of_one_side(&self) -> bool {
        use ActionKind::{PlainRead, PlainWrite, Read, Write};
        matches!(self.mutant.passed.action, Read | PlainRead | Write | PlainWrite)
    }
}

/// Whether the claim needs an ordering.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// Without it this is what comes.
    Needed {
        /// The rule that is broken.
        broken: What,
        /// A weaker ordering with which the claim holds, if there is one.
        enough: Option<String>,
    },
    /// It holds without it too.
    NotNeeded,
    /// A limit was hit, which the text names.
    Undecided(String),
}

/// What a claim that holds needs.
#[derive(Clone, Debug)]
pub struct Needs {
    /// The orderings that its executions pass, by place, with what came of it.
    pub orderings: Vec<(Weakening, Need)>,
    /// How many executions all the searches had.
    pub executions: u64,
}

impl Needs {
    /// Was a limit hit?
    pub fn is_undecided(&self) -> bool {
        self.orderings.iter().any(|(_, need)| matches!(need, Need::Undecided(_)))
    }
}

impl fmt::Display for Weakening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(): {}", self.mutant.site.function.unwrap_or_default(), self.what())
    }
}

/// Takes each ordering from the claim in turn.
///
/// # Errors
/// The claim does not hold as it is, or that is not decided within the bounds: why.
pub fn needs(claim: &'static Claim, bounds: &Bounds) -> Result<Needs, Verdict> {
    let sites = Sites::default();
    let watch: Vec<Box<dyn Monitor>> = vec![Box::new(sites.clone())];
    let as_found = Bounds { as_found: true, ..bounds.clone() };
    let seen = explore_watched((claim.tree, &[]), claim, Engine::Graph, &as_found, watch);
    if seen.verdict != Verdict::Holds {
        return Err(seen.verdict);
    }
    let mut needs = Needs { orderings: Vec::new(), executions: seen.executions };
    // A fault may have more executions than the claim, but not without end.
    let bounds = Bounds {
        executions_max: bounds.executions_max.min((20 * seen.executions).max(20_000)),
        steps_max: bounds.steps_max.min((10 * seen.steps_max).max(500)),
        ..bounds.clone()
    };
    let passed = sites.passed();
    for weakening in passed.iter().flat_map(|(site, passed)| weakenings(claim.tree, site, passed)) {
        let need = need(claim, &weakening, &bounds, &mut needs.executions);
        needs.orderings.push((weakening, need));
    }
    Ok(needs)
}

fn weakenings(tree: &'static Tree, site: &Site, passed: &Passed) -> Vec<Weakening> {
    let faults = operators::faults(site, passed).into_iter();
    let of_order = faults.filter(|(operator, _)| operator.wants_weak_memory());
    let weakening = |(operator, edits)| Weakening {
        mutant: Mutant {
            tree,
            site: *site,
            operator,
            edits: Vec::leak(edits),
            passed: *passed,
            judges: Vec::new(),
        },
        from: passed.order,
        is_barrier: passed.action == ActionKind::Fence,
    };
    of_order.map(weakening).collect()
}

fn need(claim: &Claim, weakening: &Weakening, bounds: &Bounds, executions: &mut u64) -> Need {
    let mut ask = |edit: Edit| {
        let seen = search(claim, Engine::Graph, edit, bounds);
        *executions += seen.executions;
        seen
    };
    let without = ask(weakening.mutant.edits[0]);
    let Some(broken) = what(&without) else {
        return match without.verdict {
            Verdict::Holds => Need::NotNeeded,
            other => Need::Undecided(other.bound().unwrap_or_default().into()),
        };
    };
    let at = weakening.mutant.site;
    let does = |&order: &Order| is_shown_to_hold(claim, &ask(Edit { at, how: How::Relax(order) }));
    let enough = weakening.weaker().iter().copied().find(does);
    Need::Needed { broken, enough: enough.map(|order| weakening.named(order)) }
}
