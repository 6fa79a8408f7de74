//! `Explore`, turned inside out: shuttle asks for one decision at a time.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::driver::Point;
use crate::effect::{Effect, Values};
use crate::happens_before::{Analysis, Details, Event};
use crate::sections::Taken;
use crate::sets;
use crate::table::{self, Known};
use crate::tree::{Found, Learned, Part, Reversal, Tree};
use crate::wakeup::{
    Branch, Label, Sequence, Sleeper, forget_withdrawn, still_asleep, withdraw_covered,
};
use crate::{End, Kind, Op};

/// A point of the current execution, and the step that is taken from it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) label: Label,
    /// What the task announced here; `None` until the point is reached again with a new label.
    pub(crate) op: Option<Op>,
    pub(crate) effect: Effect,
    /// What an access found and left.
    pub(crate) values: Values,
    /// Steps that need not be tried from here: inherited, and those that have been.
    pub(crate) sleep: Vec<Sleeper>,
    /// How many of them have been tried from here.
    pub(crate) tried: usize,
    /// What is still to be tried from here.
    pub(crate) wakeup: Vec<Branch>,
}

/// A search of a tree, or of a part of it: what comes after a given beginning.
#[derive(Default)]
pub(crate) struct Explore {
    pub(crate) frames: Vec<Frame>,
    /// How many decisions the current execution has made.
    depth: usize,
    /// Of how many of them it is known what they did.
    learnt: usize,
    /// The wakeup tree of the point after the last frame.
    next_wakeup: Vec<Branch>,
    has_begun: bool,
    /// The steps of the first frames: those that an execution has taken before.
    known: Vec<Known>,
    /// How many they are, also while the execution runs and has them.
    known_steps: usize,
    pub(crate) is_redundant: bool,
    /// Has an execution been analysed since the search, or the part, began?
    has_analysed: bool,
    /// It was found out too late that a section may wait: what was left out has to be searched.
    pub(crate) begins_anew: bool,
    /// How many steps the current execution has in common with the one before.
    in_common: usize,
    /// How many steps the current execution has in common with the last that was analysed.
    unchanged: usize,
    /// The part that is searched; `None`: the whole.
    part: Option<PartOf>,
    analysis: Analysis,
    /// The end of the sequence that followed each race in the last execution.
    followed_to: Vec<usize>,
    sequence: Sequence,
    spare: Spare,
}

/// Buffers of what an execution has left behind, for the next.
#[derive(Default)]
struct Spare {
    sleep: Vec<Vec<Sleeper>>,
    branches: Vec<Vec<Branch>>,
}

impl Spare {
    fn keep(&mut self, mut sleep: Vec<Sleeper>, mut wakeup: Vec<Branch>) {
        if sleep.capacity() != 0 {
            sleep.clear();
            self.sleep.push(sleep);
        }
        if wakeup.capacity() != 0 {
            wakeup.clear();
            self.branches.push(wakeup);
        } else {
            // It owns nothing, and to drop it is a call.
            std::mem::forget(wakeup);
        }
    }
}

/// What a search of a part knows of the whole.
struct PartOf {
    part: Part,
    tree: Arc<Tree>,
    found: Found,
    /// Hashes of the reversals that were found, so that each is handed in once.
    known: HashSet<u64>,
    scratch: Sequence,
    way: Vec<usize>,
}

impl Explore {
    /// Begins with a part of the tree.
    pub(crate) fn load(&mut self, part: Part, frames: Vec<Frame>, tree: Arc<Tree>) {
        self.frames = frames;
        self.next_wakeup.clear();
        self.has_begun = false;
        self.known.clear();
        self.in_common = 0;
        self.unchanged = 0;
        (self.has_analysed, self.begins_anew) = (false, false);
        self.analysis.sections.begin_part(&tree.may_wait);
        let (found, known, scratch, way) = Default::default();
        self.part = Some(PartOf { part, tree, found, known, scratch, way });
    }

    /// Gives the part back, to be called after [`Explore::back_up`]: the effects of its first
    /// steps, the leaves that are left of it, and the sequences to insert outside of it.
    pub(crate) fn unload(&mut self) -> Option<(Part, Found)> {
        let PartOf { part, mut found, .. } = self.part.take()?;
        let given = part.way.len();
        found.may_wait = self.analysis.sections.may_wait().to_vec();
        found.begins_anew = self.begins_anew;
        found.is_redundant = self.is_redundant && self.frames.len() < given;
        found.rest = self.frames.split_off(given.min(self.frames.len()));
        found.learned = (self.frames.drain(..).skip(part.taken_before))
            .map(|frame| {
                let Frame { op, effect, values, wakeup: alternatives, .. } = frame;
                Learned { op, effect, values, alternatives }
            })
            .collect();
        Some((part, found))
    }

    /// How many steps the part begins with, from whose points nothing is to be tried here.
    fn given(&self) -> usize {
        self.part.as_ref().map_or(0, |of| of.part.way.len())
    }

    /// Goes to the next execution; `false` if there is none.
    pub(crate) fn begin(&mut self) -> bool {
        if std::mem::take(&mut self.begins_anew) {
            self.forget();
        }
        if std::mem::replace(&mut self.has_begun, true) {
            if !self.back_up() {
                return false;
            }
            self.take_branch();
        }
        self.start();
        true
    }

    /// Forgets all that was explored, but not which sections may wait.
    fn forget(&mut self) {
        self.spare_from(0);
        self.next_wakeup.clear();
        self.known.clear();
        (self.has_begun, self.has_analysed) = (false, false);
        (self.in_common, self.unchanged) = (0, 0);
    }

    /// Goes back to the last point from which something is still to be tried; `false` if there is
    /// none.
    pub(crate) fn back_up(&mut self) -> bool {
        let given = self.given();
        let has_plans = |frame: &Frame| !frame.wakeup.is_empty();
        let last = self.frames.iter().skip(given).rposition(has_plans).map(|at| given + at);
        self.spare_from(last.map_or(given, |last| last + 1));
        let Some(frame) = last.and_then(|last| self.frames.get_mut(last)) else { return false };
        if frame.sleep.capacity() == 0 {
            frame.sleep = self.spare.sleep.pop().unwrap_or_default();
        }
        frame.sleep.push(Sleeper { label: frame.label, effect: frame.effect });
        frame.tried += 1;
        true
    }

    /// The next execution takes the first branch that is to be tried from the last point.
    pub(crate) fn take_branch(&mut self) {
        let last = self.frames.len() - 1;
        let frame = &mut self.frames[last];
        let branch = frame.wakeup.remove(0);
        frame.op = None;
        frame.label = branch.label;
        self.next_wakeup = branch.children;
        self.in_common = last;
        self.unchanged = self.unchanged.min(last);
        self.known.truncate(last);
    }

    /// Forgets the points from this one on.
    fn spare_from(&mut self, first: usize) {
        while self.frames.len() > first
            && let Some(Frame { sleep, wakeup, .. }) = self.frames.pop()
        {
            self.spare.keep(sleep, wakeup);
        }
    }

    pub(crate) fn start(&mut self) {
        self.depth = 0;
        self.learnt = 0;
        self.is_redundant = false;
        self.known.truncate(self.frames.len());
        let later = self.frames[self.known.len()..].iter();
        self.known.extend(later.map_while(|frame| {
            let Label { task, alternative } = frame.label;
            frame.op.map(|op| Known { task, alternative, op })
        }));
        self.known_steps = self.known.len();
    }

    /// What the execution that has been started begins with; to be given back by
    /// [`Explore::keep_known`].
    pub(crate) fn take_known(&mut self) -> Vec<Known> {
        std::mem::take(&mut self.known)
    }

    /// See [`crate::steps_in_common`].
    pub(crate) fn in_common(&self) -> usize {
        self.in_common
    }

    pub(crate) fn keep_known(&mut self, known: Vec<Known>) {
        self.known = known;
    }

    /// So many of the known steps have been taken.
    pub(crate) fn followed(&mut self, steps: usize) {
        self.depth += steps;
    }

    /// A hash of the last execution's trace.
    pub(crate) fn trace_hash(&self) -> u64 {
        self.analysis.trace_hash()
    }

    /// The task that goes on if it can: the one that is to be followed, or planned to go on, or
    /// else the one that took the last step, since its own step has woken it up.
    pub(crate) fn favourite(&mut self, last: usize) -> Option<usize> {
        self.learn_outcome();
        if let Some(frame) = self.frames.get(self.depth) {
            return Some(frame.label.task);
        }
        let parent = self.frames.last()?;
        let sleepers = || still_asleep(&parent.sleep, parent.label, &parent.effect);
        let is_awake = |branch: &&Branch| sleepers().all(|s| s.label != branch.label);
        match self.next_wakeup.iter().find(is_awake) {
            Some(branch) => Some(branch.label.task),
            None if self.next_wakeup.is_empty() && last == parent.label.task => Some(last),
            None => None,
        }
    }

    /// Does the running task take this new step, which it can take? If that is planned, or, where
    /// nothing is, it took the last. (Then the step is not asleep: none is after another of its
    /// task.)
    pub(crate) fn goes_on(&mut self, task: usize, op: &Op) -> bool {
        self.learn_outcome();
        let label = Label { task, alternative: 0 };
        let is_new = self.depth == self.frames.len();
        let Some(parent) = self.frames.last().filter(|_| is_new) else { return false };
        let is_it = match self.next_wakeup.first() {
            Some(branch) => branch.label == label && parent.sleep.is_empty(),
            None => parent.label.task == task,
        };
        if !is_it || matches!(op.kind, Kind::Choice(_)) {
            return false;
        }
        let sleep = self.still_asleep();
        let mut wakeup = std::mem::take(&mut self.next_wakeup);
        if !wakeup.is_empty() {
            self.next_wakeup = wakeup.remove(0).children;
        }
        self.add_point(label, op, sleep, wakeup);
        self.depth += 1;
        true
    }

    pub(crate) fn decide(&mut self, point: &Point<'_>) -> Result<(usize, u32), End> {
        self.learn_outcome();
        let label =
            if self.depth < self.frames.len() { self.follow(point)? } else { self.extend(point)? };
        self.depth += 1;
        Ok((label.task, label.alternative))
    }

    pub(crate) fn ended(&mut self, end: &End) {
        self.learn_outcome();
        self.spare_from(self.depth);
        if self.is_redundant || matches!(end, End::NotDeterministic(_)) {
            return;
        }
        if matches!(end, End::Complete | End::Deadlock(_)) {
            self.look_at_sections();
        }
        if !self.begins_anew {
            self.plan_reversals();
        }
        self.has_analysed = true;
    }

    /// Looks for sections that may wait. Before the first execution has been analysed nothing has
    /// been left out because of them.
    fn look_at_sections(&mut self) {
        let is_first = !self.has_analysed && self.given() == 0;
        let sections = &mut self.analysis.sections;
        for frame in &self.frames[self.unchanged.min(self.frames.len())..] {
            sections.note(frame.label.task, &frame.effect);
        }
        if !sections.matter() {
            return;
        }
        let taken = self.frames.iter().map(|frame| {
            let op = frame.op.expect("taken");
            Taken { task: frame.label.task, op, effect: frame.effect }
        });
        if !sections.look_at(&taken.collect::<Vec<Taken>>()) {
            return;
        }
        self.begins_anew = !is_first;
        for frame in &mut self.frames {
            frame.effect = sections.with_what_is_known(frame.effect);
        }
    }
}

/// The part of the tree that lies to the left of the current path.
pub(crate) fn explored(frames: &[Frame]) -> f64 {
    let (mut part, mut weight) = (0.0, 1.0);
    for frame in frames {
        let branches = (frame.tried + 1 + frame.wakeup.len()) as f64;
        part += weight * frame.tried as f64 / branches;
        weight /= branches;
    }
    part + weight
}

impl Explore {
    /// The last step has been taken: what did it do? What is known of it stays so.
    #[inline]
    fn learn_outcome(&mut self) {
        let is_new = self.learnt < self.depth && self.known_steps < self.depth;
        self.learnt = self.depth;
        if is_new {
            self.learn_outcome_of(self.depth - 1);
        }
    }

    #[inline(never)]
    fn learn_outcome_of(&mut self, last: usize) {
        let (refined, found) = table::with(|table| (table.refined.take(), table.found));
        let Some(frame) = self.frames.get_mut(last) else { return };
        let op = frame.op.as_ref().expect("taken");
        if matches!(op.kind, Kind::Access(_) | Kind::Await(..)) {
            frame.values = Values { found, left: table::value_of(op.object) };
        }
        if refined.is_none() {
            return;
        }
        let effect = self.analysis.sections.done(op, refined);
        if std::mem::replace(&mut frame.effect, effect) != effect {
            let sleeper = Sleeper { label: frame.label, effect };
            withdraw_covered(&mut frame.wakeup, &sleeper);
            forget_withdrawn(&mut frame.wakeup);
        }
    }

    fn follow(&mut self, point: &Point<'_>) -> Result<Label, End> {
        self.keep_asleep();
        if self.is_redundant {
            return Err(End::SleepSetBlocked);
        }
        let frame = &mut self.frames[self.depth];
        let found = point.enabled.iter().find(|&&(task, _)| task == frame.label.task);
        match (found, frame.op) {
            // What it did last time it will do again.
            (Some(&(_, op)), Some(before)) if op == before => Ok(frame.label),
            (Some(&(_, op)), None) => {
                frame.op = Some(op);
                frame.effect = self.analysis.sections.done(&op, None);
                plan_alternatives(&op, frame.label, &frame.sleep, &mut frame.wakeup);
                Ok(frame.label)
            }
            (now, before) => {
                let (depth, task, now) = (self.depth, frame.label.task, now.map(|(_, op)| op));
                Err(End::NotDeterministic(format!(
                    "at step {depth} task {task} announced {before:?}, now {now:?}"
                )))
            }
        }
    }

    /// In a beginning that was run for the first time a step may have done less than was known when
    /// it was planned: more tasks are asleep after it. If one of them is to go on, there is nothing
    /// to be searched.
    fn keep_asleep(&mut self) {
        let Some(last) = self.depth.checked_sub(1) else { return };
        let [before, now, ..] = &mut self.frames[last..] else { return };
        if now.op.is_some() || before.op.is_none() {
            return;
        }
        for s in still_asleep(&before.sleep, before.label, &before.effect) {
            if now.sleep.iter().all(|known| known.label != s.label) {
                now.sleep.push(s);
                self.is_redundant |= s.label == now.label;
            }
        }
    }

    /// A point that no execution has been to.
    fn extend(&mut self, point: &Point<'_>) -> Result<Label, End> {
        let sleep = self.still_asleep();
        let mut wakeup = std::mem::take(&mut self.next_wakeup);
        // A step may be asleep because one before it did less than was known when this was planned.
        wakeup.retain(|branch| sleep.iter().all(|s| s.label != branch.label));
        let label = if wakeup.is_empty() {
            match first_awake(point, &sleep) {
                Some(label) => label,
                None => {
                    self.is_redundant = true;
                    return Err(End::SleepSetBlocked);
                }
            }
        } else {
            let branch = wakeup.remove(0);
            self.next_wakeup = branch.children;
            branch.label
        };
        let found = point.enabled.iter().find(|&&(task, _)| task == label.task);
        let Some((_, op)) = found else {
            let what =
                format!("task {} was to go on at step {}, and cannot", label.task, self.depth);
            return Err(End::NotDeterministic(what));
        };
        plan_alternatives(op, label, &sleep, &mut wakeup);
        self.add_point(label, op, sleep, wakeup);
        Ok(label)
    }

    /// What sleeps at the point after the last.
    #[inline]
    fn still_asleep(&mut self) -> Vec<Sleeper> {
        let Some(parent) = self.frames.last().filter(|parent| !parent.sleep.is_empty()) else {
            return Vec::new();
        };
        let mut sleep = self.spare.sleep.pop().unwrap_or_default();
        sleep.extend(still_asleep(&parent.sleep, parent.label, &parent.effect));
        sleep
    }

    /// Adds the point after the last, from which this step is taken.
    fn add_point(&mut self, label: Label, op: &Op, sleep: Vec<Sleeper>, wakeup: Vec<Branch>) {
        let effect = self.analysis.sections.done(op, None);
        let (op, values) = (Some(*op), Values::default());
        self.frames.push(Frame { label, op, effect, values, sleep, tried: 0, wakeup });
    }

    /// Looks for races in the execution that has ended, and plans to run the other orders.
    ///
    /// A race that an earlier execution had too is looked at again if another sequence follows it
    /// now. What was planned for the other order need not cover this sequence: at its leaf a step
    /// may be asleep that covers the sequence only by way of this execution. Where it is the same
    /// sequence, the point before the race is as it was: what was planned there still is.
    fn plan_reversals(&mut self) {
        let known = self.analysis.known(self.unchanged);
        let events = self.frames[known..].iter().map(|frame| {
            let Label { task, alternative } = frame.label;
            Event { task, alternative, effect: frame.effect }
        });
        let details = self.frames[known..].iter().map(|frame| {
            let op = frame.op.expect("taken");
            Details { op, values: frame.values }
        });
        let tasks = table::with(|table| table.tasks.len());
        let old = self.analysis.run(known, events, details, &table::pending(), tasks);
        self.unchanged = usize::MAX;
        let analysis = &mut self.analysis;
        self.followed_to.truncate(old);
        self.followed_to.resize(analysis.races.len(), usize::MAX);
        for at in 0..analysis.races.len() {
            let race = analysis.races[at];
            // No step that is new follows it, and none did that is no longer there.
            if self.followed_to[at] <= known && analysis.is_before_new(race.earlier) {
                continue;
            }
            self.followed_to[at] = sets::end(analysis.not_after(race.earlier));
            let frame = &mut self.frames[race.earlier];
            let spare = &mut self.spare.branches;
            let reverses = Sleeper { label: frame.label, effect: frame.effect };
            self.sequence.set(analysis, race, reverses);
            if self.sequence.is_covered_by(&*analysis, &frame.sleep) {
                continue;
            }
            match &mut self.part {
                Some(of) if race.earlier < of.part.way.len() => {
                    of.submit(analysis, race.earlier, &self.sequence);
                }
                _ => self.sequence.insert_into(&*analysis, &mut frame.wakeup, spare),
            }
        }
    }
}

impl PartOf {
    /// A sequence that is to be run from a point of the beginning: for others to do, unless that
    /// is planned.
    fn submit(&mut self, analysis: &Analysis, point: usize, sequence: &Sequence) {
        let Some(before) = self.tree.branches(&self.part.way[..point]) else { return };
        self.scratch.copy_from(sequence);
        if !self.scratch.place(analysis, before, &mut self.way) {
            return;
        }
        let mut hasher = DefaultHasher::new();
        point.hash(&mut hasher);
        sequence.labels(analysis).for_each(|label| label.hash(&mut hasher));
        if self.known.insert(hasher.finish()) {
            let sequence = sequence.to_portable(analysis);
            self.found.reversals.push(Reversal { point, sequence });
        }
    }
}

fn first_awake(point: &Point<'_>, sleep: &[Sleeper]) -> Option<Label> {
    let last_first = point.enabled.iter().filter(|&&(task, _)| task == point.last);
    let others = point.enabled.iter().filter(|&&(task, _)| task != point.last);
    let is_awake = |label: &Label| sleep.iter().all(|s| s.label != *label);
    last_first.chain(others).find_map(|(task, op)| labels_of(*task, op).find(is_awake))
}

pub(crate) fn labels_of(task: usize, op: &Op) -> impl Iterator<Item = Label> + use<> {
    let alternatives = if let Kind::Choice(n) = op.kind { n } else { 1 };
    (0..alternatives).map(move |alternative| Label { task, alternative })
}

/// A choice is taken with one alternative; the others are to be tried too.
fn plan_alternatives(op: &Op, taken: Label, sleep: &[Sleeper], wakeup: &mut Vec<Branch>) {
    if !matches!(op.kind, Kind::Choice(_)) {
        return;
    }
    for label in labels_of(taken.task, op).filter(|&label| label != taken) {
        let is_known = sleep.iter().any(|s| s.label == label)
            || wakeup.iter().any(|branch| branch.label == label);
        if !is_known {
            wakeup.push(Branch::planned(label, Effect::announced(op)));
        }
    }
}
