//! Weak initials, sleep sets and wakeup trees.

use crate::happens_before::{Analysis, Deed};

/// A task's next step, with the alternative if it is a choice. Alternatives of one choice are
/// different steps, which exclude each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Label {
    pub(crate) task: usize,
    pub(crate) alternative: u32,
}

/// A step that need not be tried first: all executions that begin with it have been run, or are the
/// same as some that begin otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleeper {
    pub(crate) label: Label,
    pub(crate) deed: Deed,
}

/// An ordered tree of steps to be run: each path from the root is a beginning.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) label: Label,
    pub(crate) deed: Deed,
    pub(crate) children: Vec<Branch>,
}

/// A sequence of steps that is to be run from some point: `v` of the paper.
#[derive(Default)]
pub(crate) struct Sequence {
    items: Vec<Item>,
    /// Is the later step of the race still the last item?
    has_reversed: bool,
}

#[derive(Clone, Copy)]
struct Item {
    event: usize,
    label: Label,
    deed: Deed,
}

impl Sequence {
    /// The steps `kept`, in order, then `last`, of which only the announcement is known.
    pub(crate) fn set(&mut self, analysis: &Analysis, kept: &[usize], last: usize) {
        self.items.clear();
        self.has_reversed = true;
        let item = |event: usize, deed: Deed| {
            let e = &analysis.events[event];
            Item { event, label: Label { task: e.task, alternative: e.alternative }, deed }
        };
        self.items.extend(kept.iter().map(|&event| item(event, analysis.events[event].deed)));
        self.items.push(item(last, Deed::announced(&analysis.events[last].op)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Is the step a *weak initial*: may it come first in a sequence that does the same?
    /// `Some(Some(at))`: it is the step at this place; `Some(None)`: it is none of them, and
    /// independent of all.
    fn weak_initial(
        &self,
        analysis: &Analysis,
        label: Label,
        deed: &Deed,
    ) -> Option<Option<usize>> {
        let of_task = self.items.iter().position(|item| item.label.task == label.task);
        let Some(at) = of_task else {
            let independent = self.items.iter().all(|item| !deed.depends_on(&item.deed));
            return independent.then_some(None);
        };
        let item = &self.items[at];
        let is_last = at + 1 == self.items.len() && self.has_reversed;
        let is_first = self.items[..at].iter().all(|earlier| {
            if is_last {
                // In the execution it came after `e`, and after all that `e` came before. Here it
                // does not.
                !analysis.is_before_previous(earlier.event, item.event)
                    && !item.deed.depends_on(&earlier.deed)
            } else {
                !analysis.is_before(earlier.event, item.event)
            }
        });
        (is_first && item.label == label).then_some(Some(at))
    }

    /// Does a sleeping step make the sequence superfluous?
    pub(crate) fn is_covered_by(&self, analysis: &Analysis, sleep: &[Sleeper]) -> bool {
        sleep.iter().any(|s| self.weak_initial(analysis, s.label, &s.deed).is_some())
    }

    /// Inserts the sequence into the tree, unless a path of the tree already leads there.
    pub(crate) fn insert_into(&mut self, analysis: &Analysis, tree: &mut Vec<Branch>) {
        let mut level = tree;
        let mut is_root = true;
        loop {
            if self.is_empty() || (level.is_empty() && !is_root) {
                // The tree goes on from a beginning of ours, or a leaf of it is one.
                return;
            }
            is_root = false;
            let found = level.iter().enumerate().find_map(|(at, branch)| {
                self.weak_initial(analysis, branch.label, &branch.deed).map(|place| (at, place))
            });
            let Some((at, place)) = found else { break };
            if let Some(place) = place {
                self.has_reversed &= place + 1 < self.items.len();
                self.items.remove(place);
            }
            level = &mut level[at].children;
        }
        let chain = self.items.iter().rev().fold(Vec::new(), |children, item| {
            vec![Branch { label: item.label, deed: item.deed, children }]
        });
        level.extend(chain);
    }
}
