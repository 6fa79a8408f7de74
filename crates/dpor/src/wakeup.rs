//! Weak initials, sleep sets and wakeup trees.

use serde::{Deserialize, Serialize};

use crate::effect::{Effect, EffectKind, Values};
use crate::happens_before::{Analysis, Race};
use crate::sets::{self, Sets};
use crate::{Op, Passes};

/// A task's next step, with the alternative if it is a choice. Alternatives of one choice are
/// different steps, which exclude each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) task: usize,
    pub(crate) alternative: u32,
}

/// A step that need not be tried first: all executions that begin with it have been run, or are the
/// same as some that begin otherwise.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sleeper {
    pub(crate) label: Label,
    pub(crate) effect: Effect,
}

impl Sleeper {
    /// Does it go on sleeping when this step has been taken?
    pub(crate) fn stays_asleep(&self, label: Label, effect: &Effect) -> bool {
        self.label.task != label.task && !self.effect.must_follow(effect)
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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

/// A step that has been run: what its task announced, and what it found and left.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Ran {
    pub(crate) op: Op,
    pub(crate) values: Values,
}

/// An ordered tree of steps to be run: each path from the root is a beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Branch {
    pub(crate) label: Label,
    pub(crate) effect: Effect,
    /// `None` until the step has been run from this point.
    pub(crate) ran: Option<Box<Ran>>,
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
            ran: None,
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
        is_known || self.ran.is_some() || self.state == State::Done
    }

    /// Does the sleeper wake up when the step is taken, whatever the step turns out to do? One that
    /// it was planned to come before does: the two were seen to race, so they conflict in the other
    /// order too.
    pub(crate) fn surely_wakes(&self, sleeper: &Sleeper) -> bool {
        let is_sure = self.is_exact() || self.reverses == Some(sleeper.label);
        let is_same_task = sleeper.label.task == self.label.task;
        is_same_task || (sleeper.effect.must_follow(&self.effect) && is_sure)
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

/// The steps that sequences are made of: what each is, and what orders them.
pub(crate) trait Steps {
    /// Those that happen before the step, and itself.
    fn past(&self, step: usize) -> &[u64];

    /// Those that happen before the previous step of the task that takes this one, and that one.
    fn past_of_previous(&self, step: usize) -> &[u64];

    /// Those of a task.
    fn of_task(&self, task: usize) -> &[u64];

    fn label(&self, step: usize) -> Label;

    fn effect(&self, step: usize) -> &Effect;
}

/// A sequence of steps that is to be run from some point: `v` of the paper.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Sequence {
    /// The steps but for the last, in their order.
    kept: Vec<u64>,
    /// The later step of the race, which comes last; `None` if it has been taken away.
    last: Option<Last>,
    /// The earlier step of the race.
    reverses: Option<Sleeper>,
    /// The places to go down by, of the last search for a place.
    #[serde(skip)]
    way: Vec<usize>,
}

/// The step that a sequence ends with, of which only the announcement is known.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Last {
    step: usize,
    label: Label,
    effect: Effect,
}

/// Where a step that may come first in a sequence is found in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Kept(usize),
    Last,
    /// It is none of the steps, and independent of all.
    Nowhere,
}

/// A sequence that can be taken to where its execution is not known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Portable {
    sequence: Sequence,
    steps: Copied,
}

/// What is to be known of the steps of a sequence, without their execution.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Copied {
    steps: Vec<(Label, Effect)>,
    /// Of the last step: the past of the previous step of its task.
    past: Sets,
    of_task: Sets,
}

impl Steps for Copied {
    fn past(&self, step: usize) -> &[u64] {
        self.past.of(step)
    }

    fn past_of_previous(&self, step: usize) -> &[u64] {
        self.past.of(step)
    }

    fn of_task(&self, task: usize) -> &[u64] {
        self.of_task.of(task)
    }

    fn label(&self, step: usize) -> Label {
        self.steps[step].0
    }

    fn effect(&self, step: usize) -> &Effect {
        &self.steps[step].1
    }
}

impl Portable {
    pub(crate) fn insert_into(&self, tree: &mut Vec<Branch>) {
        self.sequence.clone().insert_into(&self.steps, tree, &mut Vec::new());
    }
}

impl Sequence {
    /// What comes after the earlier step of the race without depending on it, then the later step,
    /// of which only the announcement is known; to be run before the step `reverses`.
    pub(crate) fn set(&mut self, analysis: &mut Analysis, race: Race, reverses: Sleeper) {
        self.kept.clear();
        self.kept.extend_from_slice(analysis.not_after(race.earlier));
        if analysis.is_blocked_without(race) {
            // A step that was blocked, and would be again by something that it does not need.
            sets::keep_common(&mut self.kept, analysis.past_of_previous(race.later));
        }
        analysis.let_pass(race.later, &mut self.kept);
        let effect = analysis.sections.announced(analysis.op(race.later));
        self.last = Some(Last { step: race.later, label: analysis.label(race.later), effect });
        self.reverses = Some(reverses);
    }

    /// Makes this sequence a copy of the other.
    pub(crate) fn copy_from(&mut self, other: &Sequence) {
        self.kept.clone_from(&other.kept);
        (self.last, self.reverses) = (other.last, other.reverses);
    }

    /// Its steps, in order.
    fn items(&self, steps: &impl Steps) -> impl DoubleEndedIterator<Item = (Label, Effect)> {
        let kept = sets::steps(&self.kept).map(|step| (steps.label(step), *steps.effect(step)));
        kept.chain(self.last.map(|last| (last.label, last.effect)))
    }

    /// Its steps, for a comparison that may take equal sequences for different ones.
    pub(crate) fn labels(&self, steps: &impl Steps) -> impl Iterator<Item = Label> {
        self.items(steps).map(|(label, _)| label)
    }

    /// The same without its execution. To be called before any of it is [placed](Sequence::place).
    pub(crate) fn to_portable(&self, of: &Analysis) -> Portable {
        let numbers: Vec<usize> =
            sets::steps(&self.kept).chain(self.last.map(|l| l.step)).collect();
        let steps: Vec<(Label, Effect)> = self.items(of).collect();
        let tasks = steps.iter().map(|(label, _)| label.task + 1).max().unwrap_or(0);
        let mut past = Sets::empty(steps.len(), steps.len());
        let mut of_task = Sets::empty(tasks, steps.len());
        let mut kept = Sets::empty(1, steps.len());
        for (at, &step) in numbers.iter().enumerate() {
            let is_last = self.last.is_some_and(|last| last.step == step);
            let before = if is_last { of.past_of_previous(step) } else { of.past(step) };
            let earlier = numbers[..at].iter().enumerate();
            earlier.filter(|(_, e)| sets::has(before, **e)).for_each(|(e, _)| past.insert(at, e));
            if !is_last {
                past.insert(at, at);
                kept.insert(0, at);
            }
            of_task.insert(steps[at].0.task, at);
        }
        let last = self.last.map(|last| Last { step: numbers.len() - 1, ..last });
        let sequence = Sequence { kept: kept.of(0).to_vec(), last, ..self.clone() };
        Portable { sequence, steps: Copied { steps, past, of_task } }
    }

    /// Is the step a *weak initial*: may it come first in a sequence that does the same? If so,
    /// where it is.
    fn weak_initial(&self, steps: &impl Steps, label: Label, effect: &Effect) -> Option<Found> {
        let is_independent =
            || sets::steps(&self.kept).all(|step| !effect.must_follow(steps.effect(step)));
        if let Some(step) = sets::first_of_both(&self.kept, steps.of_task(label.task)) {
            let of = steps.effect(step);
            let is_first = if of.moves_lock() || of.passes != Passes::NONE {
                // A lock that it takes must not be passed before, and what it passes may be.
                let mut before = sets::steps(&self.kept).take_while(|&earlier| earlier < step);
                before.all(|earlier| !of.must_follow(steps.effect(earlier)))
            } else {
                // Of the steps that happen before it none is left, but for itself.
                sets::first_of_both(&self.kept, steps.past(step)) == Some(step)
            };
            return (is_first && steps.label(step) == label).then_some(Found::Kept(step));
        }
        match &self.last {
            // In the execution it came after `e`, and after all that `e` came before. Here it does
            // not. What it does here is what the step does whose turn is now.
            Some(last) if last.label.task == label.task => {
                let before = steps.past_of_previous(last.step);
                let is_first = sets::first_of_both(&self.kept, before).is_none();
                (last.label == label && is_first && is_independent()).then_some(Found::Last)
            }
            Some(last) if effect.must_follow(&last.effect) => None,
            _ => is_independent().then_some(Found::Nowhere),
        }
    }

    /// Does a sleeping step make the sequence superfluous?
    pub(crate) fn is_covered_by(&self, steps: &impl Steps, sleep: &[Sleeper]) -> bool {
        sleep.iter().any(|s| self.weak_initial(steps, s.label, &s.effect).is_some())
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
        steps: &impl Steps,
        tree: &[Branch],
        way: &mut Vec<usize>,
    ) -> bool {
        way.clear();
        let mut level = tree;
        let mut asleep = self.reverses;
        loop {
            let there = |(_, b): &(usize, &Branch)| b.state != State::Withdrawn;
            let found = level.iter().enumerate().filter(there).find_map(|(at, branch)| {
                self.weak_initial(steps, branch.label, &branch.effect).map(|place| (at, place))
            });
            let Some((at, place)) = found else { return true };
            match place {
                Found::Kept(step) => sets::remove(&mut self.kept, step),
                Found::Last => self.last = None,
                Found::Nowhere => {}
            }
            let branch = &level[at];
            asleep = asleep.filter(|s| !branch.surely_wakes(s));
            let is_covered = branch.is_planned_leaf() && asleep.is_none();
            let is_empty = self.last.is_none() && sets::is_empty(&self.kept);
            if is_empty || branch.state != State::Planned || is_covered {
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
        steps: &impl Steps,
        tree: &mut Vec<Branch>,
        spare: &mut Vec<Vec<Branch>>,
    ) {
        let mut way = std::mem::take(&mut self.way);
        if self.place(steps, tree, &mut way) {
            let level = way.iter().fold(tree, |level, &at| {
                level[at].was_leaf |= level[at].children.is_empty();
                &mut level[at].children
            });
            self.append_to(steps, level, spare);
        }
        self.way = way;
    }

    /// Adds what is left of the sequence as a new branch.
    fn append_to(&self, steps: &impl Steps, level: &mut Vec<Branch>, spare: &mut Vec<Vec<Branch>>) {
        let reverses = self.reverses.filter(|_| self.last.is_some()).map(|s| s.label);
        let mut items = self.items(steps).rev();
        let Some((label, effect)) = items.next() else { return };
        let leaf = Branch { reverses, ..Branch::planned(label, effect) };
        let branch = items.fold(leaf, |child, (label, effect)| {
            let mut children = spare.pop().unwrap_or_default();
            children.push(child);
            Branch { children, ..Branch::planned(label, effect) }
        });
        if level.capacity() == 0 {
            *level = spare.pop().unwrap_or_default();
        }
        level.push(branch);
    }
}
