//! Elementary cycles of a directed graph: no node twice.

use std::collections::BTreeSet;

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::{DiGraphMap, NodeTrait};

/// All elementary cycles of these edges, each from its smallest node on, and whether those are all:
/// no more than `most` are looked for.
///
/// A search from each node of a strongly connected component, through larger nodes only, back to
/// where it began.
pub(super) fn elementary<N: NodeTrait>(
    edges: impl IntoIterator<Item = (N, N)>,
    most: usize,
) -> (Vec<Vec<N>>, bool) {
    let edges: BTreeSet<(N, N)> = edges.into_iter().collect();
    let graph: DiGraphMap<N, ()> = edges.iter().map(|&(a, b)| (a, b, ())).collect();
    let mut cycles = Vec::new();
    for mut component in tarjan_scc(&graph) {
        component.sort_unstable();
        for (at, &root) in component.iter().enumerate() {
            let mut search = Search { graph: &graph, root, inside: &component[at..], most };
            if !search.from(&mut vec![root], &mut cycles) {
                return (cycles, false);
            }
        }
    }
    cycles.sort();
    (cycles, true)
}

struct Search<'a, N: NodeTrait> {
    graph: &'a DiGraphMap<N, ()>,
    root: N,
    inside: &'a [N],
    most: usize,
}

impl<N: NodeTrait> Search<'_, N> {
    /// False: there are too many.
    fn from(&mut self, path: &mut Vec<N>, cycles: &mut Vec<Vec<N>>) -> bool {
        let last = *path.last().expect("it begins somewhere");
        let graph = self.graph;
        for next in graph.neighbors(last) {
            if next == self.root {
                if cycles.len() == self.most {
                    return false;
                }
                cycles.push(path.clone());
            } else if self.inside.binary_search(&next).is_ok() && !path.contains(&next) {
                path.push(next);
                let goes_on = self.from(path, cycles);
                path.pop();
                if !goes_on {
                    return false;
                }
            }
        }
        true
    }
}

/// The same cycle, from its smallest node on.
pub(super) fn canonical<N: Copy + Ord>(mut cycle: Vec<N>) -> Vec<N> {
    let smallest = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or(0);
    cycle.rotate_left(smallest);
    cycle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(edges: &[(u32, u32)]) -> Vec<Vec<u32>> {
        let (cycles, all) = elementary(edges.iter().copied(), usize::MAX);
        assert!(all);
        cycles
    }

    #[test]
    fn each_elementary_cycle_is_found_once() {
        assert_eq!(cycles(&[(1, 2), (2, 3), (1, 3)]), [[0u32; 0]; 0], "no cycle");
        assert_eq!(cycles(&[(1, 1)]), [[1]], "a lock that is taken twice");
        assert_eq!(cycles(&[(1, 2), (2, 1)]), [[1, 2]]);
        // The complete graph of three nodes: three of two, and two of three.
        let complete: Vec<(u32, u32)> =
            (1..=3).flat_map(|a| (1..=3).map(move |b| (a, b))).filter(|(a, b)| a != b).collect();
        let expected: [&[u32]; 5] = [&[1, 2], &[1, 2, 3], &[1, 3], &[1, 3, 2], &[2, 3]];
        assert_eq!(cycles(&complete), expected);
        // Two that share a node do not make a third.
        assert_eq!(cycles(&[(1, 2), (2, 1), (2, 3), (3, 2)]), [[1, 2], [2, 3]]);
    }

    #[test]
    fn a_search_that_is_cut_says_so() {
        let edges = [(1, 2), (2, 1), (2, 3), (3, 2)];
        let (found, all) = elementary(edges, 1);
        assert_eq!((found.len(), all), (1, false));
        assert_eq!(canonical(vec![3, 1, 2]), [1, 2, 3]);
    }
}
