//! Weak initials, sleep sets and wakeup trees.

use crate::Op;
use crate::happens_before::{Analysis, Effect, EffectKind, Values};

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
    pub(crate) effect: Effect,
}

impl Sleeper {
    /// Does it go on sleeping when this step has been taken?
    pub(crate) fn stays_asleep(&self, label: Label, effect: &Effect) -> bool {
        self.label.task != label.task && !self.effect.depends_on(effect)
    }
}

/// Those that go on sleeping when this step has been taken.
pub(crate) fn still_asleep<'a>(
    sleep: &'a [Sleeper],
    label: Label,
    effect: &'a Effect,
) -> impl Iterator<Item = Sleeper> + 'a {
    sleep.iter().filter(move |s| s.stays_asleep(label, effect)).copied()
}

/// How far a branch of a wakeup tree has been explored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// Its paths are to be run: beginnings, each up to a leaf.
    Planned,
    /// All that can follow is explored from here, and that has begun: nothing more need be planned.
    /// What is below it is what is left to be done there.
    Begun,
    /// All that can follow has been explored.
    Done,
    /// It is not to be run after all. It is as if it were not there, but keeps its place.
    Withdrawn,
}

/// An ordered tree of steps to be run: each path from the root is a beginning.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) label: Label,
    pub(crate) effect: Effect,
    /// What the task announced here; `None` until the step has been run from this point.
    pub(crate) op: Option<Op>,
    /// What it found and left when it was run.
    pub(crate) values: Values,
    /// The step that this one was planned to come before, if it is the later step of a race. Then
    /// only its announcement is known until it has been run from here: it may do less.
    pub(crate) reverses: Option<Label>,
    pub(crate) state: State,
    /// All that can follow is to be explored from here, even if all that is planned below it is
    /// withdrawn: it was a leaf before that was planned.
    pub(crate) was_leaf: bool,
    pub(crate) children: Vec<Branch>,
}

impl Branch {
    pub(crate) fn planned(label: Label, effect: Effect) -> Branch {
        Branch {
            label,
            effect,
            op: None,
            values: Values::default(),
            reverses: None,
            state: State::Planned,
            was_leaf: false,
            children: Vec::new(),
        }
    }

    pub(crate) fn withdraw(&mut self) {
        self.state = State::Withdrawn;
        self.children = Vec::new();
    }

    /// Has all been withdrawn that was planned below it, so that there is no need to go there?
    pub(crate) fn is_superfluous(&mut self) -> bool {
        if self.children.iter().any(|child| child.state != State::Withdrawn) {
            return false;
        }
        self.children.clear();
        !self.was_leaf
    }

    /// Is something left to be done from here?
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Planned | State::Begun)
    }

    /// A beginning that nobody has begun to explore from.
    pub(crate) fn is_planned_leaf(&self) -> bool {
        self.state == State::Planned && self.children.is_empty()
    }

    /// Is it known what the step does when it is run from here? Of a planned prefix all steps but
    /// the last, the reversed one, were executed before with the same effect.
    pub(crate) fn is_exact(&self) -> bool {
        let may_do_less = matches!(self.effect.kind, EffectKind::Access(_) | EffectKind::Try);
        let is_known = self.reverses.is_none() || !may_do_less;
        is_known || self.op.is_some() || self.state == State::Done
    }

    /// Does the sleeper wake up when the step is taken, whatever the step turns out to do? One that
    /// it was planned to come before does: the two were seen to race, so they conflict in the other
    /// order too.
    pub(crate) fn surely_wakes(&self, sleeper: &Sleeper) -> bool {
        let is_sure = self.is_exact() || self.reverses == Some(sleeper.label);
        let is_same_task = sleeper.label.task == self.label.task;
        is_same_task || (sleeper.effect.depends_on(&self.effect) && is_sure)
    }
}

/// Withdraws from the branches the beginnings that contain a step which turned out to do less than
/// it had announced when they were planned, and could have come first in them. All that is covered
/// by such a beginning is covered by the step.
///
/// A beginning that does not contain the step stays, though the step conflicts with none of it:
/// what is to be run from it may conflict.
pub(crate) fn withdraw_covered(branches: &mut [Branch], by: &Sleeper) {
    for branch in branches.iter_mut().filter(|branch| branch.state == State::Planned) {
        let is_covered = if branch.label.task == by.label.task {
            branch.label == by.label
        } else if by.effect.depends_on(&branch.effect) || branch.children.is_empty() {
            false
        } else {
            withdraw_covered(&mut branch.children, by);
            branch.is_superfluous()
        };
        if is_covered {
            branch.withdraw();
        }
    }
}

/// Forgets what has been withdrawn, where nobody remembers the places of branches.
pub(crate) fn forget_withdrawn(branches: &mut Vec<Branch>) {
    branches.retain(|branch| branch.state != State::Withdrawn);
    branches.iter_mut().for_each(|branch| forget_withdrawn(&mut branch.children));
}

/// What orders the steps of a sequence.
pub(crate) trait Precedence {
    /// Does `earlier` happen before `later`?
    fn is_before(&self, earlier: usize, later: usize) -> bool;

    /// Does `earlier` happen before the previous step of the task that takes `later`?
    fn is_before_previous(&self, earlier: usize, later: usize) -> bool;
}

impl Precedence for Analysis {
    fn is_before(&self, earlier: usize, later: usize) -> bool {
        Analysis::is_before(self, earlier, later)
    }

    fn is_before_previous(&self, earlier: usize, later: usize) -> bool {
        Analysis::is_before_previous(self, earlier, later)
    }
}

/// A sequence of steps that is to be run from some point: `v` of the paper.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sequence {
    items: Vec<Item>,
    /// Is the later step of the race still the last item?
    has_reversed: bool,
    /// The earlier step of the race.
    reverses: Option<Sleeper>,
    /// The places to go down by, of the last search for a place.
    way: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    event: usize,
    label: Label,
    effect: Effect,
}

/// A sequence that can be taken to where its execution is not known.
#[derive(Clone, Debug)]
pub(crate) struct Portable {
    sequence: Sequence,
    order: Order,
}

/// Which items of a sequence happen before which, row by row: the items before each item; for the
/// last, those before the previous step of its task.
#[derive(Clone, Debug)]
struct Order {
    items: usize,
    before: Vec<bool>,
}

impl Precedence for Order {
    fn is_before(&self, earlier: usize, later: usize) -> bool {
        self.before[later * self.items + earlier]
    }

    fn is_before_previous(&self, earlier: usize, later: usize) -> bool {
        self.is_before(earlier, later)
    }
}

impl Portable {
    pub(crate) fn insert_into(&self, tree: &mut Vec<Branch>) {
        self.sequence.clone().insert_into(&self.order, tree, &mut Vec::new());
    }
}

impl Sequence {
    /// The steps `kept`, in order, then `last`, of which only the announcement is known; to be run
    /// before the step `reverses`.
    pub(crate) fn set(
        &mut self,
        analysis: &Analysis,
        kept: &[usize],
        last: usize,
        reverses: Sleeper,
    ) {
        self.items.clear();
        self.has_reversed = true;
        self.reverses = Some(reverses);
        let item = |event: usize, effect: Effect| {
            let e = &analysis.events[event];
            Item { event, label: Label { task: e.task, alternative: e.alternative }, effect }
        };
        self.items.extend(kept.iter().map(|&event| item(event, analysis.events[event].effect)));
        self.items.push(item(last, Effect::announced(&analysis.events[last].op)));
    }

    /// Makes this sequence a copy of the other.
    pub(crate) fn copy_from(&mut self, other: &Sequence) {
        self.items.clone_from(&other.items);
        (self.has_reversed, self.reverses) = (other.has_reversed, other.reverses);
    }

    /// Its steps, for a comparison that may take equal sequences for different ones.
    pub(crate) fn labels(&self) -> impl Iterator<Item = Label> {
        self.items.iter().map(|item| item.label)
    }

    /// The same without its execution. To be called before any of it is [placed](Sequence::place).
    pub(crate) fn to_portable(&self, analysis: &Analysis) -> Portable {
        let mut sequence = self.clone();
        let items = sequence.items.len();
        let mut before = vec![false; items * items];
        for later in 0..items {
            for earlier in 0..later {
                let (e, l) = (self.items[earlier].event, self.items[later].event);
                before[later * items + earlier] = if later + 1 == items {
                    analysis.is_before_previous(e, l)
                } else {
                    analysis.is_before(e, l)
                };
            }
            sequence.items[later].event = later;
        }
        Portable { sequence, order: Order { items, before } }
    }

    /// Is the step a *weak initial*: may it come first in a sequence that does the same?
    /// `Some(Some(at))`: it is the step at this place; `Some(None)`: it is none of them, and
    /// independent of all.
    fn weak_initial(
        &self,
        order: &impl Precedence,
        label: Label,
        effect: &Effect,
    ) -> Option<Option<usize>> {
        let of_task = self.items.iter().position(|item| item.label.task == label.task);
        let Some(at) = of_task else {
            let independent = self.items.iter().all(|item| !effect.depends_on(&item.effect));
            return independent.then_some(None);
        };
        let item = &self.items[at];
        let is_last = at + 1 == self.items.len() && self.has_reversed;
        let is_first = self.items[..at].iter().all(|earlier| {
            if is_last {
                // In the execution it came after `e`, and after all that `e` came before. Here it
                // does not. What it does here is what the step does whose turn is now.
                !order.is_before_previous(earlier.event, item.event)
                    && !effect.depends_on(&earlier.effect)
            } else {
                !order.is_before(earlier.event, item.event)
            }
        });
        (is_first && item.label == label).then_some(Some(at))
    }

    /// Does a sleeping step make the sequence superfluous?
    pub(crate) fn is_covered_by(&self, order: &impl Precedence, sleep: &[Sleeper]) -> bool {
        sleep.iter().any(|s| self.weak_initial(order, s.label, &s.effect).is_some())
    }

    /// Where in the tree what is left of the sequence is to be added, as the places to go down by;
    /// `false`: nowhere, a path of the tree already leads there. Takes from the sequence the steps
    /// that lie on the way.
    ///
    /// A leaf covers every sequence that begins with it, since everything that can follow the leaf
    /// is explored. There is one exception: a leaf at which the earlier step of the race is still
    /// asleep, or may be. The exploration from such a leaf skips the sequence, because the branch
    /// of the sleeping step is expected to run it; but that branch is the one that has just asked
    /// for it. A prefix that is planned because of a race wakes every sleeping step, except that
    /// its last step may do less than was announced.
    pub(crate) fn place(
        &mut self,
        order: &impl Precedence,
        tree: &[Branch],
        way: &mut Vec<usize>,
    ) -> bool {
        way.clear();
        let mut level = tree;
        let mut asleep = self.reverses;
        loop {
            let there = |(_, b): &(usize, &Branch)| b.state != State::Withdrawn;
            let found = level.iter().enumerate().filter(there).find_map(|(at, branch)| {
                self.weak_initial(order, branch.label, &branch.effect).map(|place| (at, place))
            });
            let Some((at, place)) = found else { return true };
            if let Some(place) = place {
                self.has_reversed &= place + 1 < self.items.len();
                self.items.remove(place);
            }
            let branch = &level[at];
            asleep = asleep.filter(|s| !branch.surely_wakes(s));
            let is_covered = branch.is_planned_leaf() && asleep.is_none();
            if self.items.is_empty() || branch.state != State::Planned || is_covered {
                return false;
            }
            way.push(at);
            level = &branch.children;
        }
    }

    /// Inserts the sequence into the tree, unless a path of the tree already leads there. `spare`
    /// are empty buffers to be used.
    pub(crate) fn insert_into(
        &mut self,
        order: &impl Precedence,
        tree: &mut Vec<Branch>,
        spare: &mut Vec<Vec<Branch>>,
    ) {
        let mut way = std::mem::take(&mut self.way);
        if self.place(order, tree, &mut way) {
            let level = way.iter().fold(tree, |level, &at| {
                level[at].was_leaf |= level[at].children.is_empty();
                &mut level[at].children
            });
            self.append_to(level, spare);
        }
        self.way = way;
    }

    /// Adds what is left of the sequence as a new branch.
    fn append_to(&self, level: &mut Vec<Branch>, spare: &mut Vec<Vec<Branch>>) {
        let reverses = self.reverses.filter(|_| self.has_reversed).map(|s| s.label);
        let mut items = self.items.iter().rev();
        let Some(last) = items.next() else { return };
        let leaf = Branch { reverses, ..Branch::planned(last.label, last.effect) };
        let branch = items.fold(leaf, |child, item| {
            let mut children = spare.pop().unwrap_or_default();
            children.push(child);
            Branch { children, ..Branch::planned(item.label, item.effect) }
        });
        level.push(branch);
    }
}
