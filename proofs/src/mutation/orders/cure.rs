//! What one stronger ordering cures a claim that is violated under weak memory only.
//!
//! A stronger ordering anywhere else than on the way of a counterexample leaves that execution as
//! it is. So it is enough to try the places between two accesses that follow each other in a task
//! there: first the strongest that can be there, a full barrier, and where that does it what is
//! cheaper.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Verdict};
use selvedge_kernel::edits::{Edit, How, Site};
use selvedge_trace::{Accesses, Action, ActionKind, Execution, Finding, Monitor, Order};

use super::{becomes, is_shown_to_hold, place, search};
use crate::Claim;
use crate::check::explore_watched;
use crate::mutation::operators::is_step_of_a_model;
use crate::rules::PLAIN_ACCESSES_DO_NOT_RACE;

/// What an ordering costs, the cheapest first. On some CPUs the first are for free.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cost {
    /// An access becomes an acquire or a release.
    OneWay,
    /// `smp_rmb()`, `smp_wmb()`.
    ReadsOrWrites,
    /// `smp_mb()`.
    Full,
}

/// An ordering that is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strengthening {
    /// What it costs.
    pub cost: Cost,
    /// That as an edit.
    pub edit: Edit,
    /// The accesses that it is between.
    pub between: (Site, Site),
}

/// `smp_rmb() between atomic_read(folio->_refcount) and read(folio->contents) in migrate_folio()`
impl fmt::Display for Strengthening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = &self.between;
        match self.edit.how {
            How::Behind(_) | How::Ahead(_) if from.function == to.function => {
                write!(f, "{} between {} and {}", becomes(&self.edit), super::step(from), place(to))
            }
            How::Behind(_) | How::Ahead(_) => {
                write!(f, "{} between {} and {}", becomes(&self.edit), place(from), place(to))
            }
            _ => write!(f, "{} as {}", place(&self.edit.at), becomes(&self.edit)),
        }
    }
}

/// What cures a claim that is violated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cures {
    /// No ordering does: it is violated under sequential consistency too.
    None {
        /// How many executions both searches had.
        executions: u64,
    },
    /// Each of these does alone. The cheapest first.
    By {
        /// They; if there is none, no single one does.
        cures: Vec<Strengthening>,
        /// How many places there are on the way of the counterexample.
        places: usize,
        /// Those of which a limit was hit, which the text names.
        undecided: Vec<(Strengthening, String)>,
        /// How many executions all the searches had.
        executions: u64,
    },
}

impl Cures {
    /// Was a limit hit?
    pub fn is_undecided(&self) -> bool {
        matches!(self, Cures::By { undecided, .. } if !undecided.is_empty())
    }
}

/// Looks for a cure.
///
/// # Errors
/// The claim is not violated as it is, or that is not decided within the bounds: why.
pub fn cures(claim: &'static Claim, bounds: &Bounds) -> Result<Cures, Verdict> {
    let bounds = &Bounds { as_found: true, ..bounds.clone() };
    // Races are a matter of order under any memory model.
    let is_about_races = claim.rule == PLAIN_ACCESSES_DO_NOT_RACE;
    let way = Way::default();
    let watch: Vec<Box<dyn Monitor>> = vec![Box::new(way.clone())];
    let seen = explore_watched((claim.tree, &[]), claim, Engine::Graph, bounds, watch);
    if seen.verdict != Verdict::Violated {
        return Err(seen.verdict);
    }
    let mut executions = seen.executions;
    if !is_about_races {
        let strong = explore_watched((claim.tree, &[]), claim, Engine::GraphSc, bounds, Vec::new());
        executions += strong.executions;
        match strong.verdict {
            Verdict::Violated => return Ok(Cures::None { executions }),
            Verdict::Holds => {}
            undecided => return Err(undecided),
        }
    }
    let gaps = way.gaps();
    let mut search = Trial { claim, bounds, found: Vec::new(), undecided: Vec::new(), executions };
    gaps.iter().for_each(|gap| search.try_in(gap));
    let Trial { found: mut cures, undecided, executions, .. } = search;
    cures.sort_by_key(|cure| cure.cost);
    Ok(Cures::By { cures, places: gaps.len(), undecided, executions })
}

/// Two accesses that follow each other in a task of the counterexample, and no full barrier between
/// them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Gap {
    from: Passed,
    to: Passed,
}

/// An access of the counterexample.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Passed {
    site: Site,
    accesses: Accesses,
    is_marked: bool,
}

impl Passed {
    fn can_be(&self, order: Order) -> bool {
        let side = if order == Order::Acquire { self.accesses.reads } else { self.accesses.writes };
        self.is_marked && side
    }
}

/// A monitor that keeps the accesses of the execution that breaks the rule, task by task.
#[derive(Clone, Debug, Default)]
struct Way(Arc<Mutex<BTreeSet<Gap>>>);

impl Way {
    fn gaps(&self) -> Vec<Gap> {
        self.0.lock().expect("nobody panics with it").iter().copied().collect()
    }
}

impl Monitor for Way {
    fn execution(&mut self, _execution: &Execution<'_>) -> Option<Finding> {
        None
    }

    fn concluded(&mut self, execution: &Execution<'_>, finding: Option<&Finding>) {
        if finding.is_none() {
            return;
        }
        let mut gaps = self.0.lock().expect("nobody panics with it");
        let mut counts = BTreeMap::new();
        let mut last: BTreeMap<u8, Passed> = BTreeMap::new();
        for event in execution.events {
            if event.action == Action::Fence && event.order == Order::Full {
                last.remove(&event.task);
            }
            let action = event.action.kind();
            let Some(accesses) = action.accesses() else { continue };
            let site = Site::of_event(event, execution.paths);
            let count: &mut u32 = counts.entry((event.task, event.call, site)).or_default();
            let site = site.nth(*count);
            *count += 1;
            let is_marked = matches!(
                action,
                ActionKind::Read
                    | ActionKind::Write
                    | ActionKind::Update
                    | ActionKind::UpdateFailed
            );
            let passed = Passed { site, accesses, is_marked };
            let from = last.insert(event.task, passed);
            if let Some(from) = from
                && is_step_of_a_model(&from.site)
                && is_step_of_a_model(&site)
            {
                gaps.insert(Gap { from, to: passed });
            }
        }
    }

    /// What is kept does not depend on who keeps it.
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }
}

/// What was tried so far.
struct Trial<'a> {
    claim: &'static Claim,
    bounds: &'a Bounds,
    found: Vec<Strengthening>,
    undecided: Vec<(Strengthening, String)>,
    executions: u64,
}

impl Trial<'_> {
    fn try_in(&mut self, gap: &Gap) {
        let (from, to) = (gap.from.site, gap.to.site);
        let barriers = |order| [Edit::behind(from, order), Edit::ahead(to, order)];
        let with = |cost, edit| Strengthening { cost, edit, between: (from, to) };
        let full: Vec<Strengthening> =
            barriers(Order::Full).map(|edit| with(Cost::Full, edit)).into();
        // What comes behind one access need not come ahead of the other on every way.
        let Some(full) = full.into_iter().find(|one| self.cures(*one)) else {
            return;
        };
        let mut cheaper = Vec::new();
        if gap.from.can_be(Order::Acquire) {
            cheaper.push(with(Cost::OneWay, Edit::strengthen(from, Order::Acquire)));
        }
        if gap.to.can_be(Order::Release) {
            cheaper.push(with(Cost::OneWay, Edit::strengthen(to, Order::Release)));
        }
        if gap.from.accesses.reads || gap.to.accesses.reads {
            let barriers = barriers(Order::Acquire);
            cheaper.extend(barriers.map(|edit| with(Cost::ReadsOrWrites, edit)));
        }
        if gap.from.accesses.writes || gap.to.accesses.writes {
            let barriers = barriers(Order::Release);
            cheaper.extend(barriers.map(|edit| with(Cost::ReadsOrWrites, edit)));
        }
        let mut is_cured_by_a_barrier = false;
        for one in cheaper {
            let is_same = |known: &Strengthening| known.to_string() == one.to_string();
            if !self.found.iter().any(is_same) && self.cures(one) {
                is_cured_by_a_barrier |= one.cost == Cost::ReadsOrWrites;
                self.found.push(one);
            }
        }
        if !is_cured_by_a_barrier {
            self.found.push(full);
        }
    }

    fn cures(&mut self, one: Strengthening) -> bool {
        let seen = search(self.claim, Engine::Graph, one.edit, self.bounds);
        self.executions += seen.executions;
        if let Verdict::Undecided(why) | Verdict::HoldsWithin(why) = &seen.verdict {
            self.undecided.push((one, why.clone()));
        }
        is_shown_to_hold(self.claim, &seen)
    }
}
