//! Several scenarios of a tree together: cycles through edges of more than one of them, and what a
//! checker of classes would see.
//!
//! What is the same instance in every scenario joins their graphs: static locks. Folio 1 of one
//! scenario is folio 1 of another only if both begin in the same state, so that the tasks of both
//! can be played over it; else which folio a scenario means by it is its own affair, and those meet
//! by class only. A cycle of classes is information, no verdict: every release has such cycles
//! (PG_locked of one folio while another is locked), and keeps their order by other means.

use std::collections::{BTreeMap, BTreeSet};

use super::cycles::elementary;
use super::{Id, LockGraph, Resource, Use};

/// No more cycles than this are looked for.
const CYCLES_MAX: usize = 500;

/// A cycle through several scenarios that no guard of the individual ones excludes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// The names of its nodes.
    pub cycle: Vec<String>,
    /// Their classes.
    pub classes: Vec<String>,
    /// By edge: the number of the scenario, and one use.
    pub uses: Vec<(usize, Use)>,
}

/// A cycle of classes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Classes(pub Vec<String>);

/// A node: static instances by name, others by the beginning that scenarios share.
type Node = (Option<usize>, usize);

/// The names of the nodes, and their classes.
#[derive(Default)]
struct Names(Vec<(String, String)>);

impl Names {
    /// The node of a resource in a scenario that begins so.
    fn node(&mut self, resource: &Resource, beginning: usize) -> Node {
        let owner = (!resource.is_static).then_some(beginning);
        let known = self.0.iter().position(|(name, _)| *name == resource.name);
        let number = known.unwrap_or_else(|| {
            self.0.push((resource.name.clone(), resource.class.clone()));
            self.0.len() - 1
        });
        (owner, number)
    }
}

/// The cycles that need edges of more than one of these scenarios, and those of classes. Besides:
/// whether these are all. Scenarios with the same number in `beginnings` begin in the same state.
pub fn joined(graphs: &[&LockGraph], beginnings: &[usize]) -> (Vec<Joined>, Vec<Classes>, bool) {
    let mut names = Names::default();
    let mut edges: BTreeMap<(Node, Node), Vec<(usize, &Use)>> = BTreeMap::new();
    let mut classes: BTreeSet<(String, String)> = BTreeSet::new();
    for (scenario, (graph, &beginning)) in graphs.iter().zip(beginnings).enumerate() {
        let mut node = |id: Id| Some(names.node(graph.resources.get(&id)?, beginning));
        for (&(from, to), uses) in &graph.edges {
            let (Some(a), Some(b)) = (node(from), node(to)) else { continue };
            let waits = uses.iter().filter(|used| !used.tries).map(|used| (scenario, used));
            let mut waits = waits.peekable();
            if waits.peek().is_some() {
                edges.entry((a, b)).or_default().extend(waits);
                let class = |id| graph.resources[&id].class.clone();
                classes.insert((class(from), class(to)));
            }
        }
    }
    let (cycles, all) = elementary(edges.keys().copied(), CYCLES_MAX);
    let judged = cycles.into_iter().filter_map(|cycle| {
        let uses = across(&cycle, &edges, graphs, beginnings)?;
        let (cycle, classes) = cycle.iter().map(|(_, number)| names.0[*number].clone()).unzip();
        Some(Joined { cycle, classes, uses })
    });
    let judged = judged.collect();
    let (of_classes, all_classes) = of_classes(&classes);
    (judged, of_classes, all && all_classes)
}

/// The uses of the cycle's edges, if these are never of one scenario, and no two are by tasks that
/// hold a lock in common.
fn across(
    cycle: &[Node],
    edges: &BTreeMap<(Node, Node), Vec<(usize, &Use)>>,
    graphs: &[&LockGraph],
    beginnings: &[usize],
) -> Option<Vec<(usize, Use)>> {
    let next = cycle.iter().cycle().skip(1);
    let uses: Vec<&Vec<(usize, &Use)>> =
        cycle.iter().zip(next).filter_map(|(&a, &b)| edges.get(&(a, b))).collect();
    let is_of = |scenario: usize| uses.iter().all(|uses| uses.iter().any(|(s, _)| *s == scenario));
    if (0..graphs.len()).any(is_of) {
        return None;
    }
    let gates = |&(scenario, used): &(usize, &Use)| -> BTreeSet<(Option<usize>, String)> {
        let held = used.guards.iter().filter_map(|id| graphs[scenario].resources.get(id));
        let owner = |r: &Resource| (!r.is_static).then_some(beginnings[scenario]);
        held.map(|resource| (owner(resource), resource.name.clone())).collect()
    };
    let free = |chosen: &[(usize, &Use)], next: &(usize, &Use)| {
        chosen.iter().all(|one| gates(one).is_disjoint(&gates(next)))
    };
    let mut chosen: Vec<(usize, &Use)> = Vec::new();
    for uses in uses {
        let fitting = uses.iter().find(|used| free(&chosen, used))?;
        chosen.push(*fitting);
    }
    Some(chosen.into_iter().map(|(scenario, used)| (scenario, used.clone())).collect())
}

fn of_classes(edges: &BTreeSet<(String, String)>) -> (Vec<Classes>, bool) {
    let names: Vec<&String> =
        edges.iter().flat_map(|(a, b)| [a, b]).collect::<BTreeSet<_>>().into_iter().collect();
    let number = |name: &String| names.binary_search(&name).expect("it is among them");
    let numbered = edges.iter().map(|(a, b)| (number(a), number(b)));
    let (cycles, all) = elementary(numbered, CYCLES_MAX);
    let named = |cycle: Vec<usize>| Classes(cycle.into_iter().map(|n| names[n].clone()).collect());
    (cycles.into_iter().map(named).collect(), all)
}
