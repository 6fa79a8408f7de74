//! The tree of a search that is split: who explores which part, and what is left to be done.
//!
//! A *part* is a leaf of the wakeup trees: a prefix from which everything is to be explored. A part
//! is searched as one thread would search it, except for races whose earlier step lies in the
//! prefix: the sequences that reverse them start at points outside of the part. They are collected,
//! and inserted into the tree when all parts of a round have been searched.
//!
//! # Why the parts can be searched at the same time
//!
//! A search by one thread goes from left to right: when it starts a branch, everything that the
//! branches to the left plan has been inserted. Here a branch is started while others to its left
//! are still being explored. Nothing is lost by that:
//! - A sequence `v`, planned at a point because a step `s` from there races with a later one, goes
//!   to the first branch whose step is a weak initial of `v`, as ever. Branches are added to the
//!   right only and are kept until nothing to their left is unfinished, so that this is the branch
//!   it would go to at any later time.
//! - If `v` reaches a leaf that a worker is already exploring, and `s` is not in that leaf's sleep
//!   set, nothing is inserted: the worker will explore the trace of `v`. If `s` may be in the sleep
//!   set, `v` must be inserted *before* the exploration of the leaf starts; therefore `parts()`
//!   does not hand out a leaf while a step in its sleep set is unfinished. This is rare: a prefix
//!   that was planned because of a race wakes every step of the sleep set (otherwise that step
//!   would cover the prefix), except for an alternative of a choice, or for a last step that may do
//!   less than it announced.
//! - A sleep set holds the effects of the steps to the left. A branch is not started before each of
//!   those steps has been executed once, so that its effect is known.
//!
//! No two leaves begin equivalent executions, for the same reason as ever: of two branches, the
//! step of the left one sleeps in the right one. So a search that is split runs each trace once, as
//! one that is not: as many executions, though not in the same order.

use serde::{Deserialize, Serialize};

use crate::Op;
use crate::effect::{Effect, Values};
use crate::explore::Frame;
use crate::wakeup::{Branch, Label, Portable, Ran, Sleeper, State, still_asleep, withdraw_covered};

/// The points that have been reached or are to be reached, as branches from one point, of which
/// those to the left were planned earlier. Branches are only ever added to the right, so that the
/// way to a branch remains what it is.
///
/// Explored parts are forgotten as soon as nothing can be planned in them any more: the tree is as
/// large as what is left to be done.
pub(crate) struct Tree {
    /// The branch of no step at all: what it leads to is the beginning of every execution.
    root: Branch,
    /// The locks of which a section may wait (`sections.rs`).
    pub(crate) may_wait: Vec<u32>,
}

/// A part of the tree: all that comes after a beginning.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    /// The places of its steps among the branches, from the root.
    pub(crate) way: Vec<usize>,
    /// How many of the steps an execution has taken before, in this order.
    pub(crate) taken_before: usize,
}

/// What came of the search of a part.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The steps of the beginning that no execution had taken before, in order.
    pub(crate) learned: Vec<Learned>,
    /// The points after the beginning from which something is left to be tried; none if the part
    /// has been explored.
    pub(crate) rest: Vec<Frame>,
    /// What is to be run from points of the beginning.
    pub(crate) reversals: Vec<Reversal>,
    /// A step of the beginning was found to be asleep: there is nothing to be searched.
    pub(crate) is_redundant: bool,
    /// The locks of which a section may wait, as far as is known now.
    pub(crate) may_wait: Vec<u32>,
    /// Something has been left out although a section may wait: the search has to begin anew.
    pub(crate) begins_anew: bool,
}

/// What a step of the beginning turned out to be.
#[derive(Serialize, Deserialize)]
pub(crate) struct Learned {
    pub(crate) op: Option<Op>,
    pub(crate) effect: Effect,
    pub(crate) values: Values,
    /// Its alternatives, if it is a choice.
    pub(crate) alternatives: Vec<Branch>,
}

/// A sequence that is to be run from the point after so many steps of the beginning.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reversal {
    pub(crate) point: usize,
    pub(crate) sequence: Portable,
}

impl Tree {
    /// A tree of which nothing has been explored.
    pub(crate) fn new() -> Tree {
        let label = Label { task: usize::MAX, alternative: 0 };
        Tree { root: Branch::planned(label, Effect::NOTHING), may_wait: Vec::new() }
    }

    /// The whole tree, as a part.
    pub(crate) fn whole() -> Part {
        Part { way: Vec::new(), taken_before: 0 }
    }

    /// A tree of which nothing has been explored, where it is known of more locks than before that
    /// a section may wait.
    pub(crate) fn anew<'a>(&self, found: impl Iterator<Item = &'a Found>) -> Tree {
        let mut may_wait = self.may_wait.clone();
        may_wait.extend(found.flat_map(|found| &found.may_wait));
        may_wait.sort_unstable();
        may_wait.dedup();
        Tree { may_wait, ..Tree::new() }
    }

    /// Has all been explored?
    pub(crate) fn is_explored(&self) -> bool {
        self.root.state == State::Done
    }

    fn branch_mut(&mut self, way: &[usize]) -> Option<&mut Branch> {
        way.iter().try_fold(&mut self.root, |branch, &at| branch.children.get_mut(at))
    }

    /// The branches from the point that the way leads to; `None` if that has been given up.
    pub(crate) fn branches(&self, way: &[usize]) -> Option<&[Branch]> {
        let branch = way.iter().try_fold(&self.root, |branch, &at| branch.children.get(at))?;
        Some(&branch.children)
    }

    /// Up to `most` parts that can be searched at the same time, from left to right, each with the
    /// points of its beginning: the leftmost, or those with the shortest beginnings.
    ///
    /// A part can be searched when it is known
    /// - what the steps to its left do, from each point of its beginning: they sleep;
    /// - that none of them is still asleep after the beginning, unless it has been explored.
    pub(crate) fn parts(&self, most: usize, takes_shortest: bool) -> Vec<(Part, Vec<Frame>)> {
        let all = if takes_shortest { usize::MAX } else { most };
        let mut search =
            PartSearch { most: all, way: Vec::new(), frames: Vec::new(), found: Vec::new() };
        search.below(&self.root, &[]);
        let mut found: Vec<_> = search.found.into_iter().enumerate().collect();
        found.sort_by_key(|(_, (part, _))| part.way.len());
        found.truncate(most);
        found.sort_by_key(|&(at, _)| at);
        found.into_iter().map(|(_, part)| part).collect()
    }

    /// Merges the result of a part into the tree.
    pub(crate) fn merge(&mut self, part: &Part, found: &mut Found) {
        self.may_wait.clone_from(&found.may_wait);
        let reached = part.taken_before + found.learned.len();
        for (at, learned) in (part.taken_before..).zip(found.learned.drain(..)) {
            let Some(before) = self.branch_mut(&part.way[..at]) else { return };
            for alternative in learned.alternatives {
                if before.children.iter().all(|branch| branch.label != alternative.label) {
                    before.children.push(alternative);
                }
            }
            let Some(branch) = before.children.get_mut(part.way[at]) else { return };
            branch.effect = learned.effect;
            branch.ran = ran(learned.op, learned.values);
            let sleeper = Sleeper { label: branch.label, effect: branch.effect };
            withdraw_covered(&mut before.children[part.way[at] + 1..], &sleeper);
        }
        if found.is_redundant {
            return;
        }
        // An execution that was given up within the beginning never comes to what is below.
        let reached = reached.min(part.way.len());
        let Some(branch) = self.branch_mut(&part.way[..reached]) else { return };
        branch.children = graft(std::mem::take(&mut found.rest).into_iter());
        branch.state = if branch.children.is_empty() { State::Done } else { State::Begun };
    }

    /// Plans what the search of a part has found that others are to run.
    pub(crate) fn plan(&mut self, part: &Part, found: &Found) {
        for reversal in &found.reversals {
            if let Some(branch) = self.branch_mut(&part.way[..reversal.point]) {
                reversal.sequence.insert_into(&mut branch.children);
            }
        }
    }

    /// Drops explored branches in which nothing can be planned any more, and planned leaves that a
    /// sleeping step covers.
    pub(crate) fn prune(&mut self) {
        withdraw_asleep(&mut self.root, &[]);
        prune(&mut self.root, true);
    }

    /// The part of the tree that has been explored, if all branches of a point are equally large.
    pub(crate) fn explored(&self) -> f64 {
        explored(&self.root)
    }
}

fn ran(op: Option<Op>, values: Values) -> Option<Box<Ran>> {
    op.map(|op| Box::new(Ran { op, values }))
}

/// The points of a path as branches: each has the steps that were tried from it, and those that are
/// planned.
fn graft(mut frames: impl ExactSizeIterator<Item = Frame>) -> Vec<Branch> {
    let Some(frame) = frames.next() else { return Vec::new() };
    let tried = &frame.sleep[frame.sleep.len() - frame.tried..];
    let mut branches: Vec<Branch> = tried
        .iter()
        .map(|s| Branch { state: State::Done, ..Branch::planned(s.label, s.effect) })
        .collect();
    if frames.len() > 0 {
        let (ran, children) = (ran(frame.op, frame.values), graft(frames));
        let branch = Branch::planned(frame.label, frame.effect);
        branches.push(Branch { ran, children, ..branch });
    }
    branches.extend(frame.wakeup);
    branches
}

/// Withdraws branches whose step is asleep: it was found out that it is after they were planned.
fn withdraw_asleep(branch: &mut Branch, asleep: &[Sleeper]) {
    let mut asleep = asleep.to_vec();
    for child in branch.children.iter_mut().filter(|child| child.state != State::Withdrawn) {
        if child.state == State::Planned && asleep.iter().any(|s| s.label == child.label) {
            child.withdraw();
            continue;
        }
        let still: Vec<Sleeper> = still_asleep(&asleep, child.label, &child.effect).collect();
        withdraw_asleep(child, &still);
        let has_plans = child.state == State::Planned && !child.children.is_empty();
        if has_plans && child.is_superfluous() {
            child.withdraw();
            continue;
        }
        if child.is_exact() {
            asleep.push(Sleeper { label: child.label, effect: child.effect });
        }
    }
}

/// Marks what is explored. `is_settled`: nothing is left, to the left of the branch, that may plan
/// something in it. Within a part that has been begun nobody else plans.
fn prune(branch: &mut Branch, is_settled: bool) {
    if branch.children.is_empty() {
        return;
    }
    let is_settled = is_settled || branch.state == State::Begun;
    let mut left_is_done = is_settled;
    for child in &mut branch.children {
        prune(child, left_is_done);
        left_is_done &= !child.is_open();
    }
    if left_is_done {
        branch.state = State::Done;
        branch.children = Vec::new();
    }
}

fn explored(branch: &Branch) -> f64 {
    match branch.state {
        State::Done | State::Withdrawn => 1.0,
        State::Planned | State::Begun if branch.children.is_empty() => 0.0,
        State::Planned | State::Begun => {
            branch.children.iter().map(explored).sum::<f64>() / branch.children.len() as f64
        }
    }
}

struct PartSearch {
    most: usize,
    way: Vec<usize>,
    frames: Vec<Frame>,
    found: Vec<(Part, Vec<Frame>)>,
}

/// A sleeper, and whether what comes after it has been explored.
#[derive(Clone, Copy)]
struct Asleep {
    sleeper: Sleeper,
    is_done: bool,
}

impl PartSearch {
    /// Looks for parts below a branch, at whose end these are asleep.
    fn below(&mut self, branch: &Branch, asleep: &[Asleep]) {
        if branch.is_planned_leaf() {
            // The whole tree: nothing is asleep.
            return self.take();
        }
        let mut asleep = asleep.to_vec();
        for (at, child) in branch.children.iter().enumerate() {
            if self.found.len() == self.most {
                return;
            }
            if child.state == State::Withdrawn {
                continue;
            }
            if child.state != State::Done {
                let most = self.most;
                if !child.is_exact() {
                    // It is run once before anything else is begun after it.
                    self.most = self.found.len() + 1;
                }
                self.enter(at, child, &asleep);
                self.most = most;
            }
            if !child.is_exact() {
                // What is to the right of it has to wait until it is known what this one does.
                return;
            }
            let sleeper = Sleeper { label: child.label, effect: child.effect };
            asleep.push(Asleep { sleeper, is_done: child.state == State::Done });
        }
    }

    fn enter(&mut self, at: usize, child: &Branch, asleep: &[Asleep]) {
        let stays = |s: &&Asleep| s.sleeper.stays_asleep(child.label, &child.effect);
        self.way.push(at);
        self.frames.push(Frame {
            label: child.label,
            op: child.ran.as_ref().map(|ran| ran.op),
            effect: child.effect,
            values: child.ran.as_ref().map_or(Values::default(), |ran| ran.values),
            sleep: asleep.iter().map(|s| s.sleeper).collect(),
            tried: 0,
            wakeup: Vec::new(),
        });
        if !child.is_planned_leaf() {
            let still: Vec<Asleep> = asleep.iter().filter(stays).copied().collect();
            self.below(child, &still);
        } else if asleep.iter().filter(|s| !s.is_done).all(|s| child.surely_wakes(&s.sleeper)) {
            self.take();
        }
        self.way.pop();
        self.frames.pop();
    }

    fn take(&mut self) {
        let taken_before = self.frames.iter().take_while(|frame| frame.op.is_some()).count();
        let part = Part { way: self.way.clone(), taken_before };
        self.found.push((part, self.frames.clone()));
    }
}
