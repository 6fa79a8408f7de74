//! What the scenarios of a tree show together: each cycle once, with its verdict.

use std::collections::{BTreeMap, BTreeSet};

use selvedge_explore::Engine;
use selvedge_models::Tree;
use selvedge_monitors::lock_graph::{
    self, Classes, Guard, Id, Joined, Judged, LockGraph, Taken, Use, Verdict, joined,
};
use selvedge_trace::Counterexample;

use super::{Across, Broken, Explored, documented, united};
use crate::{Expected, Scenario, rows};

/// An edge, in words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Step {
    /// What is held.
    pub from: String,
    /// What is waited for.
    pub to: String,
    /// The task that waits: `CPU0 migrator`.
    pub who: String,
    /// The innermost functions in which it came to hold the first: `migrate_pages_batch() >
    /// migrate_folio_unmap()`.
    pub held_in: String,
    /// Those in which it waits for the second.
    pub waits_in: String,
    /// Does it only try?
    pub tries: bool,
}

/// How many functions of a nest are named, from the innermost.
const FUNCTIONS: usize = 2;

impl Step {
    pub(super) fn new(graph: &LockGraph, (from, to): (Id, Id), used: &Use) -> Step {
        Step {
            from: graph.name(from).into(),
            to: graph.name(to).into(),
            who: used.who.clone(),
            held_in: spelled(&used.held_in),
            waits_in: spelled(&used.waits_in),
            tries: used.tries,
        }
    }
}

/// The innermost functions of a nest.
fn spelled(functions: &[&str]) -> String {
    match functions {
        [] => "the scenario".to_string(),
        _ => functions[functions.len().saturating_sub(FUNCTIONS)..].join("() > ") + "()",
    }
}

/// A cycle of a tree: those of its scenarios that differ only in numbers are one.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// What becomes of it; if it is refuted, in all its scenarios together.
    pub verdict: Verdict,
    /// Its edges, as the first of the scenarios shows them.
    pub steps: Vec<Step>,
    /// The scenarios.
    pub scenarios: Vec<&'static str>,
    /// Which signal would end the deadlock, if it is real: `, unless a fatal signal to CPU0 reader
    /// ends it`. Nothing, if none.
    pub unless: String,
    /// Is it real where no claim expects a violation?
    pub is_unexpected: bool,
    /// The cycle in lockdep's shape, of the first scenario.
    pub splat: String,
    /// The same in DEPT's.
    pub dept: String,
    /// Of each edge, the class of what is held and where the next is waited for.
    shape: Shape,
}

/// What tells cycles apart, in whichever scenario: from the edge on that makes it the least.
type Shape = Vec<(String, String)>;

impl Cycle {
    /// Why it is no deadlock, if it is none.
    pub fn guards(&self) -> Vec<String> {
        match &self.verdict {
            Verdict::Refuted(guards) => guards.iter().map(Guard::to_string).collect(),
            Verdict::Real(_) | Verdict::Possible(_) => Vec::new(),
        }
    }

    /// The execution that ended in it.
    pub fn counterexample(&self) -> Option<&Counterexample> {
        match &self.verdict {
            Verdict::Real(counterexample) => Some(counterexample),
            Verdict::Refuted(_) | Verdict::Possible(_) => None,
        }
    }
}

/// What the lock graphs of a tree's scenarios show.
#[derive(Debug)]
pub struct TreeReport {
    /// The tree.
    pub tree: &'static Tree,
    /// Its scenarios.
    pub explored: Vec<Explored>,
    /// The cycles: real ones first, then possible ones.
    pub cycles: Vec<Cycle>,
    /// Cycles through edges of different scenarios, which no scenario has whole: those that have
    /// been tried.
    pub across: Vec<Across>,
    /// Those that have not.
    pub untried: Vec<Untried>,
    /// Cycles of classes: information, no verdict.
    pub classes: Vec<Classes>,
    /// What it breaks of the documented order.
    pub broken: Vec<Broken>,
    /// Locks that an interrupt takes, and that somebody takes with interrupts on.
    pub inversions: Vec<Inversion>,
    /// Were there more cycles than are looked for?
    pub is_cut: bool,
}

/// A cycle through edges of different scenarios, and the scenario of each.
pub type Untried = (Joined, Vec<&'static Scenario>);

/// A lock that is not safe against interrupts, though one takes it. On one CPU that is a deadlock;
/// on which CPUs they run is not asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inversion {
    /// The lock.
    pub lock: String,
    /// Where an interrupt takes it, and the scenario.
    pub in_irq: (Taken, &'static str),
    /// Where somebody takes it with interrupts on.
    pub with_irqs_on: (Taken, &'static str),
}

/// Static locks are the same in all scenarios, others in one.
fn inversions(explored: &[Explored]) -> Vec<Inversion> {
    type Seen = Option<(Taken, &'static str)>;
    let mut found: BTreeMap<(String, Option<usize>), (Seen, Seen)> = BTreeMap::new();
    for (number, one) in explored.iter().enumerate() {
        for (id, contexts) in &one.graph.contexts {
            let Some(lock) = one.graph.resources.get(id) else { continue };
            let key = (lock.name.clone(), (!lock.is_static).then_some(number));
            let (in_irq, with_irqs_on) = found.entry(key).or_default();
            let add = |seen: &mut Seen, taken: &Option<Taken>| {
                let known = seen.as_ref().map(|(known, _)| known);
                if let Some(taken) = taken.as_ref().filter(|taken| taken.says_more_than(known)) {
                    *seen = Some((taken.clone(), one.name));
                }
            };
            add(in_irq, &contexts.in_irq);
            add(with_irqs_on, &contexts.with_irqs_on);
        }
    }
    let both = found.into_iter().filter_map(|((lock, _), seen)| match seen {
        (Some(in_irq), Some(with_irqs_on)) if in_irq.0.keeps_out(&with_irqs_on.0) => {
            Some(Inversion { lock, in_irq, with_irqs_on })
        }
        _ => None,
    });
    both.collect()
}

impl TreeReport {
    /// Puts the scenarios of a tree together.
    pub fn new(tree: &'static Tree, explored: Vec<Explored>) -> TreeReport {
        let graphs: Vec<&LockGraph> = explored.iter().map(|one| &one.graph).collect();
        let scenarios: Vec<&'static Scenario> = explored.iter().map(|one| one.scenario).collect();
        let (across, classes, all) = joined(&graphs, &united::beginnings(&scenarios));
        let cycles = cycles(tree, &explored);
        TreeReport {
            tree,
            across: Vec::new(),
            untried: untried(across, &cycles, &scenarios),
            cycles,
            classes,
            broken: documented::broken(tree, &explored),
            inversions: inversions(&explored),
            is_cut: !all || explored.iter().any(|one| !one.all_cycles),
            explored,
        }
    }

    /// How many executions were run.
    pub fn executions(&self) -> u64 {
        let all = |one: &Explored| one.search.executions + one.few_preemptions;
        let alone: u64 = self.explored.iter().map(all).sum();
        alone + self.across.iter().map(|across| across.executions).sum::<u64>()
    }

    /// How many cycles have this verdict, by its name.
    pub fn count(&self, verdict: &str) -> usize {
        let alone = self.cycles.iter().filter(|cycle| cycle.verdict.name() == verdict).count();
        let across = self.across.iter().filter(|across| across.verdict.name() == verdict).count();
        if verdict == "possible" { alone + across + self.untried.len() } else { alone + across }
    }
}

/// The cycles that are worth a try, each by its classes and functions once: not those that are real
/// in one scenario already.
fn untried(across: Vec<Joined>, cycles: &[Cycle], scenarios: &[&'static Scenario]) -> Vec<Untried> {
    let real = cycles.iter().filter(|cycle| matches!(cycle.verdict, Verdict::Real(_)));
    let mut known: BTreeSet<Shape> = real.map(|cycle| cycle.shape.clone()).collect();
    let mut is_new = |joined: &Joined| {
        let waits = joined.uses.iter().map(|(_, used)| spelled(&used.waits_in));
        known.insert(least(joined.classes.iter().cloned().zip(waits)))
    };
    let of = |joined: Joined| {
        let names = joined.uses.iter().map(|(at, _)| scenarios[*at]).collect();
        (joined, names)
    };
    across.into_iter().filter(|joined| is_new(joined)).map(of).collect()
}

/// The least of the rotations.
fn least<T: Ord + Clone>(edges: impl Iterator<Item = T>) -> Vec<T> {
    let edges: Vec<T> = edges.collect();
    let rotations = (0..edges.len()).map(|by| [&edges[by..], &edges[..by]].concat());
    rotations.min().unwrap_or_default()
}

/// What tells cycles apart: the verdict, and of each edge the classes and where it is waited in.
type Key = (&'static str, Vec<(String, String, String)>);

fn cycles(tree: &Tree, explored: &[Explored]) -> Vec<Cycle> {
    let mut found: BTreeMap<Key, Cycle> = BTreeMap::new();
    for one in explored {
        for judged in &one.cycles {
            let (key, steps) = spell(one, judged);
            let shape = least(key.1.iter().map(|(from, _, in_)| (from.clone(), in_.clone())));
            let title = || format!("{} in {}", one.name, tree.name);
            let cycle = found.entry(key).or_insert_with(|| Cycle {
                verdict: judged.verdict.clone(),
                steps,
                unless: one.graph.unless(&judged.cycle),
                scenarios: Vec::new(),
                is_unexpected: false,
                splat: lock_graph::splat(&one.graph, judged, &title()),
                dept: lock_graph::dept(&one.graph, judged, &title()),
                shape,
            });
            if let (Verdict::Refuted(all), Verdict::Refuted(more)) =
                (&mut cycle.verdict, &judged.verdict)
            {
                all.extend(more.iter().cloned());
            }
            let is_real = matches!(judged.verdict, Verdict::Real(_));
            cycle.is_unexpected |= is_real && !is_expected(tree, one.name);
            if cycle.scenarios.last() != Some(&one.name) {
                cycle.scenarios.push(one.name);
            }
        }
    }
    let mut cycles: Vec<Cycle> = found.into_values().collect();
    let rank = |cycle: &Cycle| match cycle.verdict {
        Verdict::Real(_) => 0,
        Verdict::Possible(_) => 1,
        Verdict::Refuted(_) => 2,
    };
    cycles.sort_by_key(rank);
    cycles
}

/// The cycle from the edge on whose classes come first.
fn spell(one: &Explored, judged: &Judged) -> (Key, Vec<Step>) {
    let class = |id| one.graph.resources.get(&id).map_or("", |r| r.class.as_str()).to_string();
    let mut edges: Vec<((String, String, String), Step)> = (judged.edges())
        .map(|(from, to)| {
            let uses: BTreeSet<&Use> =
                one.graph.edges.get(&(from, to)).into_iter().flatten().collect();
            let used = uses.iter().find(|used| !used.tries).or(uses.first());
            let step = used.map_or_else(
                || Step {
                    from: one.graph.name(from).into(),
                    to: one.graph.name(to).into(),
                    who: String::new(),
                    held_in: String::new(),
                    waits_in: String::new(),
                    tries: false,
                },
                |used| Step::new(&one.graph, (from, to), used),
            );
            ((class(from), class(to), step.waits_in.clone()), step)
        })
        .collect();
    let rotation = |by: &usize| {
        let mut keys: Vec<_> = edges.iter().map(|(key, _)| key.clone()).collect();
        keys.rotate_left(*by);
        keys
    };
    let first = (0..edges.len()).min_by_key(rotation).unwrap_or(0);
    edges.rotate_left(first);
    let (keys, steps) = edges.into_iter().unzip();
    ((judged.verdict.name(), keys), steps)
}

/// Does some claim expect a violation of this scenario in this tree?
fn is_expected(tree: &Tree, scenario: &str) -> bool {
    rows().any(|(claim, engine)| {
        claim.tree.name == tree.name
            && claim.scenario.name == scenario
            && engine == Engine::Dpor
            && claim.expected == Expected::Violated
    })
}
