//! What depends on what: effects, the past of each step, and the races of an execution.
//!
//! Two steps of different tasks are *dependent* if their order may matter. `e` *happens before*
//! `e'` if a chain of dependent steps, or steps of one task, leads from the one to the other. They
//! *race* if they are dependent and nothing else orders them.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::effect::{Effect, EffectKind, Values};
use crate::sections::Sections;
use crate::sets::{self, Sets};
use crate::wakeup::{Label, Steps};
use crate::{Commutes, Kind, Op, Passes};

mod feasible;

/// A step of an execution, as far as steps are compared: small, since many are gone through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) task: usize,
    /// The alternative, if it was a choice; else 0.
    pub(crate) alternative: u32,
    pub(crate) effect: Effect,
}

/// What is asked less often about a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Details {
    pub(crate) op: Op,
    /// Of a step that was taken.
    pub(crate) values: Values,
}

/// A race: the earlier step, and the later one, which may be a step that a task was about to take
/// when the execution ended (then its number is beyond the last).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Race {
    pub(crate) earlier: usize,
    pub(crate) later: usize,
}

/// An earlier step that a step depends on.
#[derive(Clone, Copy)]
struct Before {
    /// The step that it races with.
    event: usize,
    /// The step whose past it inherits: the release, where it races with the acquisition.
    inherits: usize,
    /// Could the later step have come first?
    reversible: bool,
    /// Does it order the later step after what came before? Found out in `find_races`.
    covers: bool,
}

impl Before {
    fn new(event: usize, reversible: bool) -> Before {
        Before { event, inherits: event, reversible, covers: false }
    }
}

/// The earlier steps that a step depends on, as they are found. A step that comes before the
/// previous step of its task is left out: the two do not race, and all that it could cover comes
/// before that previous step too.
struct Dependencies<'a> {
    /// What comes before that previous step, and that step.
    before_previous: &'a [u64],
    list: &'a mut Vec<Before>,
}

impl Dependencies<'_> {
    #[inline]
    fn is_before_previous(&self, event: usize) -> bool {
        sets::has(self.before_previous, event)
    }

    #[inline]
    fn add(&mut self, before: Before) {
        if !(self.is_before_previous(before.event) && self.is_before_previous(before.inherits)) {
            self.list.push(before);
        }
    }

    fn add_all<'a>(&mut self, events: impl Iterator<Item = (usize, &'a Event)>) {
        events.for_each(|(event, _)| self.add(Before::new(event, true)));
    }
}

/// What happens before what in an execution, and its races; its buffers are used again for the
/// next.
#[derive(Default)]
pub(crate) struct Analysis {
    /// The steps, then those that unfinished tasks were about to take.
    pub(crate) events: Vec<Event>,
    /// By event.
    details: Vec<Details>,
    /// How many of them have been taken.
    pub(crate) taken: usize,
    pub(crate) races: Vec<Race>,
    /// What is known of the locks.
    pub(crate) sections: Sections,
    /// Of each step, those that happen before it, and the step itself.
    past: Sets,
    /// Of each task, its steps.
    of_task: Sets,
    /// Of each step, those that were taken after it and do not depend on it, of the first steps.
    not_after: Sets,
    /// Of how many first steps that is known.
    not_after_of: Vec<usize>,
    /// The steps of which it is known of any.
    asked: Vec<usize>,
    /// The steps that all new steps come after.
    before_new: Vec<u64>,
    /// The previous step of the same task, or the spawning of the task.
    previous: Vec<Option<usize>>,
    /// The steps that touch each object. Those that only pass it, if it is a lock, are not among
    /// them.
    by_object: Vec<Vec<u32>>,
    moves: Vec<Moves>,
    /// Of each task, the last step that was taken, or the spawning of the task.
    last_of_task: Vec<Option<usize>>,
    spawns: Vec<u32>,
    before: Vec<Before>,
}

/// The acquisitions and releases of a lock, in order.
#[derive(Default)]
struct Moves {
    events: Vec<u32>,
    /// Who made the first.
    first_by: usize,
    /// How many of them were made by others.
    by_others: usize,
}

impl Moves {
    fn push(&mut self, event: usize, task: usize) {
        if self.events.is_empty() {
            self.first_by = task;
        }
        self.by_others += usize::from(task != self.first_by);
        self.events.push(event as u32);
    }

    fn pop(&mut self, task: usize) {
        self.events.pop();
        self.by_others -= usize::from(task != self.first_by);
    }

    /// Has nobody but this task made any?
    fn are_all_by(&self, task: usize) -> bool {
        self.by_others == 0 && (self.first_by == task || self.events.is_empty())
    }
}

impl Analysis {
    /// How many of the first `unchanged` steps, which are as they were the last time, it knows:
    /// their past and their races are what they were.
    pub(crate) fn known(&self, unchanged: usize) -> usize {
        unchanged.min(self.taken)
    }

    /// Computes the past and the races of the first `unchanged` steps, which are
    /// [known](Analysis::known), of those that were `taken` after them, and of those that
    /// `pending` tasks announced. There are so many `tasks`. Returns how many races it knew: they
    /// are the first.
    pub(crate) fn run(
        &mut self,
        unchanged: usize,
        taken: impl Iterator<Item = Event>,
        details: impl Iterator<Item = Details>,
        pending: &[(usize, Op)],
        tasks: usize,
    ) -> usize {
        self.forget_from(unchanged);
        let races = self.races.len();
        self.events.extend(taken);
        self.details.extend(details);
        self.taken = self.events.len();
        for &(task, op) in pending {
            let effect = self.sections.announced(&op);
            self.events.push(Event { task, alternative: 0, effect });
            self.details.push(Details { op, values: Values::default() });
        }
        self.make_room(tasks);
        let mut before = std::mem::take(&mut self.before);
        for index in unchanged..self.events.len() {
            self.add(index, &mut before);
        }
        self.before = before;
        self.past.in_all(unchanged..self.taken, &mut self.before_new);
        races
    }

    /// Do all new steps come after this one?
    pub(crate) fn is_before_new(&self, event: usize) -> bool {
        sets::has(&self.before_new, event)
    }

    /// Makes room for all events, and for so many tasks.
    fn make_room(&mut self, tasks: usize) {
        let events = self.events.len();
        self.past.make_room(events);
        self.past.resize(events);
        self.of_task.make_room(events);
        self.not_after.make_room(events);
        self.not_after.resize(events);
        self.not_after_of.resize(events, 0);
        let tasks = tasks.max(self.of_task.count());
        self.of_task.resize(tasks);
        self.last_of_task.resize(tasks, None);
    }

    /// Goes back to where the steps from `first` on had not been taken.
    fn forget_from(&mut self, first: usize) {
        // They are in the order of their later steps.
        while self.races.pop_if(|race| race.later >= first).is_some() {}
        for event in (first..self.taken).rev() {
            let Event { task, ref effect, .. } = self.events[event];
            self.last_of_task[task] = self.previous[event];
            if matches!(effect.kind, EffectKind::Spawn) {
                self.last_of_task[self.spawns.len()] = None;
                self.spawns.pop();
            }
            if let Some(object) = effect.touched() {
                self.by_object[object as usize].pop();
            }
            if matches!(effect.kind, EffectKind::Acquire | EffectKind::Release) {
                self.moves[effect.object as usize].pop(task);
            }
        }
        self.events.truncate(first);
        self.details.truncate(first);
        self.not_after_of.truncate(first);
        self.asked.retain(|&event| event < first);
        for &event in &self.asked {
            self.not_after_of[event] = first.min(self.not_after_of[event]);
        }
        self.previous.truncate(first);
        self.past.resize(first);
        self.of_task.forget_from(first);
    }

    /// What the task announced.
    #[inline]
    pub(crate) fn op(&self, event: usize) -> &Op {
        &self.details[event].op
    }

    /// The steps that were taken after this one and do not depend on it. What is known of the steps
    /// that the last execution began with too is not looked up again.
    pub(crate) fn not_after(&mut self, event: usize) -> &[u64] {
        let known = std::mem::replace(&mut self.not_after_of[event], self.taken);
        if known == 0 {
            self.asked.push(event);
        }
        let known = known.max(event + 1);
        let set = self.not_after.of_mut(event);
        sets::forget_from(set, known);
        self.past.without(event, known..self.taken, set);
        set
    }

    /// Takes out of a sequence, at whose end `later` is to be taken, the sections that were begun
    /// after it, and of which the sequence has the beginning only: they would keep it from passing.
    pub(crate) fn let_pass(&self, later: usize, sequence: &mut [u64]) {
        let Event { task, effect, .. } = self.events[later];
        for lock in effect.passes.iter() {
            let moves = self.moves_by_others(lock, task);
            for event in moves.iter().rev().map(|&event| event as usize) {
                let is_in_it = sets::has(sequence, event);
                let Event { task: by, effect: of, .. } = self.events[event];
                if is_in_it && (by == task || of.kind == EffectKind::Release) {
                    break;
                }
                if is_in_it {
                    let after = (event..self.taken).filter(|&step| self.is_before(event, step));
                    after.for_each(|step| sets::remove(sequence, step));
                }
            }
        }
    }

    /// Does `earlier` happen before `later`, or are they the same?
    #[inline]
    pub(crate) fn is_before(&self, earlier: usize, later: usize) -> bool {
        self.past.has(later, earlier)
    }

    /// Does `earlier` happen before the previous step of the task that takes `later`?
    #[inline]
    fn is_before_previous(&self, earlier: usize, later: usize) -> bool {
        self.previous[later].is_some_and(|previous| self.is_before(earlier, previous))
    }

    /// Adds the next step. `before` is a buffer.
    fn add(&mut self, index: usize, before: &mut Vec<Before>) {
        let task = self.events[index].task;
        let previous = self.last_of_task[task];
        self.previous.push(previous);
        before.clear();
        let before_previous = previous.map_or(&[][..], |previous| self.past.of(previous));
        self.collect_before(index, &mut Dependencies { before_previous, list: before });
        if let Some(previous) = previous {
            self.past.include(index, previous);
        }
        if !before.is_empty() {
            self.find_races(index, before);
            for b in &*before {
                self.inherit(index, b.inherits);
                self.inherit(index, b.event);
            }
        }
        self.past.insert(index, index);
        self.of_task.insert(task, index);
        if index < self.taken {
            self.remember(index);
        }
    }

    /// Takes a step, and its past, into the past of another one.
    #[inline]
    fn inherit(&mut self, index: usize, step: usize) {
        // What is in the past is there with its own.
        if !self.past.has(index, step) {
            self.past.include(index, step);
        }
    }

    fn remember(&mut self, index: usize) {
        let Event { task, ref effect, .. } = self.events[index];
        self.last_of_task[task] = Some(index);
        if matches!(effect.kind, EffectKind::Spawn) {
            self.spawns.push(index as u32);
            self.last_of_task[self.spawns.len()] = Some(index);
        }
        if let Some(object) = effect.touched() {
            slot(&mut self.by_object, object).push(index as u32);
        }
        if matches!(effect.kind, EffectKind::Acquire | EffectKind::Release) {
            slot(&mut self.moves, effect.object).push(index, task);
        }
    }

    /// The earlier steps of other tasks that the step depends on, but for those that only the end
    /// of a dependency implies.
    fn collect_before(&self, index: usize, found: &mut Dependencies<'_>) {
        let Event { task, ref effect, .. } = self.events[index];
        for lock in effect.passes.iter() {
            self.before_acquire(task, lock, found);
        }
        match effect.kind {
            EffectKind::Local => {}
            EffectKind::Access(_) => self.before_access(index, effect, found),
            EffectKind::Acquire if matches!(self.op(index).kind, Kind::Lock) => {
                self.before_acquire(task, effect.object, found);
                self.before_passing(index, found);
            }
            // A try could have been made before the release: it would have failed.
            EffectKind::Acquire | EffectKind::Try => {
                self.before_try(task, effect.object, found);
                self.before_passing(index, found);
            }
            EffectKind::TryFailed => self.before_try(task, effect.object, found),
            EffectKind::Release => self.before_release(task, effect.object, found),
            EffectKind::Wait { .. } | EffectKind::Wake => self.before_token(index, effect, found),
            EffectKind::Spawn => {
                let last = self.last_spawn_of_others(task);
                last.into_iter().for_each(|event| found.add(Before::new(event, true)));
            }
            EffectKind::Join(other) => {
                let last = self.last_of_task.get(other).copied().flatten();
                last.into_iter().for_each(|event| found.add(Before::new(event, false)));
            }
        }
    }

    fn last_spawn_of_others(&self, task: usize) -> Option<usize> {
        let spawns = self.spawns.iter().rev().map(|&event| event as usize);
        spawns.into_iter().find(|&event| self.events[event].task != task)
    }

    /// The steps about an object by other tasks, the latest first.
    fn about(&self, object: u32, task: usize) -> impl Iterator<Item = (usize, &Event)> {
        let list = self.by_object.get(object as usize).map_or(&[][..], Vec::as_slice);
        let events = list.iter().rev().map(|&event| event as usize);
        events.map(|event| (event, &self.events[event])).filter(move |(_, e)| e.task != task)
    }

    /// Stops at a step that overwrites all that this one is about: whatever conflicts with this one
    /// and is older conflicts with that step too, so that it is ordered before this one by it. That
    /// is so only if this step can come before that one, which nothing but a lock that it passes,
    /// or a value that it waits for, can prevent.
    fn before_access(&self, index: usize, effect: &Effect, found: &mut Dependencies<'_>) {
        let EffectKind::Access(footprint) = effect.kind else { return };
        let task = self.events[index].task;
        let bits = footprint.reads | footprint.writes;
        let is_never_blocked =
            effect.passes == Passes::NONE && !matches!(self.op(index).kind, Kind::Await(..));
        let list = self.by_object.get(effect.object as usize).map_or(&[][..], Vec::as_slice);
        for event in list.iter().rev().map(|&event| event as usize) {
            let other = &self.events[event];
            let may_race = other.task != task && !found.is_before_previous(event);
            if may_race && effect.depends_on(&other.effect) {
                found.add(Before::new(event, true));
            }
            if is_never_blocked
                && let EffectKind::Access(of_other) = other.effect.kind
                && of_other.commutes == Commutes::No
                && of_other.writes & bits == bits
            {
                return;
            }
        }
    }

    /// The acquisitions and releases of a lock, in order, if others than this task have made any:
    /// one that it has to itself it never waits for.
    #[inline]
    fn moves_by_others(&self, lock: u32, task: usize) -> &[u32] {
        match self.moves.get(lock as usize) {
            Some(moves) if !moves.are_all_by(task) => &moves.events,
            _ => &[],
        }
    }

    /// A step that waits for the lock (takes it, or passes it) races with the last acquisition by
    /// another task; it inherits the past of the release, with which it does not race.
    #[inline(always)]
    fn before_acquire(&self, task: usize, lock: u32, found: &mut Dependencies<'_>) {
        let moves = self.moves_by_others(lock, task);
        if !moves.is_empty() {
            self.before_last_of(moves, task, found);
        }
    }

    /// The same, where these are its acquisitions and releases.
    fn before_last_of(&self, moves: &[u32], task: usize, found: &mut Dependencies<'_>) {
        let mut release = None;
        for event in moves.iter().rev().map(|&event| event as usize) {
            let other = &self.events[event];
            if other.task == task {
                continue;
            }
            if other.effect.kind == EffectKind::Release {
                release = release.or(Some(event));
                continue;
            }
            let inherits = release.unwrap_or(event);
            found.add(Before { inherits, ..Before::new(event, true) });
            return;
        }
    }

    /// An acquisition races with the steps of other tasks that passed the lock, if a section of the
    /// lock may wait.
    fn before_passing(&self, index: usize, found: &mut Dependencies<'_>) {
        let Event { task, ref effect, .. } = self.events[index];
        if effect.may_wait {
            let lock = effect.object;
            let earlier = (0..index.min(self.taken)).rev().map(|at| (at, &self.events[at]));
            let passed = earlier.filter(|(_, e)| e.task != task && e.effect.passes(lock));
            found.add_all(passed);
        }
    }

    /// A try races with the last acquisition or release by another task.
    fn before_try(&self, task: usize, lock: u32, found: &mut Dependencies<'_>) {
        let moved = |(_, other): &(usize, &Event)| {
            other.effect.object == lock
                && matches!(other.effect.kind, EffectKind::Acquire | EffectKind::Release)
        };
        found.add_all(self.about(lock, task).find(moved).into_iter());
    }

    /// A release races with the tries that failed because of the lock.
    fn before_release(&self, task: usize, lock: u32, found: &mut Dependencies<'_>) {
        let failed = |(_, other): &(usize, &Event)| {
            other.effect.object == lock && other.effect.kind == EffectKind::TryFailed
        };
        found.add_all(self.about(lock, task).filter(failed));
    }

    /// Whether a wait could have come before another step, `find_races` asks. A wake-up that it
    /// could not have come before says nothing of older steps: that it was needed may be the doing
    /// of an older wait, which took what was there.
    fn before_token(&self, index: usize, effect: &Effect, found: &mut Dependencies<'_>) {
        let others = self.about(effect.object, self.events[index].task);
        found.add_all(others.filter(|(_, other)| effect.depends_on(&other.effect)));
    }

    /// A reversible dependency is a race if nothing else orders the two: neither the past of the
    /// task that takes the later step ([`Dependencies`]), nor a later dependency that is itself
    /// one.
    ///
    /// A dependency from within a critical section that the later step had to wait for is none: the
    /// later step cannot come before it without coming before the acquisition. It is the same with
    /// a write at whose value the later step would have waited.
    fn find_races(&mut self, later: usize, before: &mut [Before]) {
        let found = self.races.len();
        if before.len() > 1 {
            before.sort_unstable_by_key(|b| std::cmp::Reverse(b.event));
        }
        for at in 0..before.len() {
            let b = before[at];
            let covers = |by: &Before| by.covers && self.is_before(b.event, by.inherits);
            // So far the past of the later step is what it inherits from the previous one.
            let is_ordered = self.is_before(b.event, later) || before[..at].iter().any(covers);
            if !b.reversible {
                before[at].covers = true;
                continue;
            }
            // No race, and nothing older that it could cover.
            if is_ordered && at + 1 == before.len() {
                continue;
            }
            let is_feasible = self.is_enabled_without(b.event, later);
            before[at].covers = is_feasible;
            if is_feasible && !is_ordered {
                let race = Race { earlier: b.event, later };
                if !self.races[found..].contains(&race) {
                    self.races.push(race);
                }
            }
        }
    }

    /// A hash of the trace: the same for two executions that differ in the order of independent
    /// steps only.
    pub(crate) fn trace_hash(&self) -> u64 {
        let mut order: Vec<usize> = (0..self.taken).collect();
        order.sort_by_key(|&event| self.events[event].task);
        // The number of each event within its task, from 1.
        let mut numbers = vec![1_u32; self.taken];
        for pair in order.windows(2) {
            let [before, event] = [pair[0], pair[1]];
            if self.events[before].task == self.events[event].task {
                numbers[event] = numbers[before] + 1;
            }
        }
        let mut hasher = DefaultHasher::new();
        for event in order {
            let Event { task, alternative, .. } = self.events[event];
            // How many steps of each task happen before it: as many tasks as have taken a step.
            let mut clock = Vec::new();
            for before in sets::steps(self.past.of(event)) {
                let of = self.events[before].task;
                clock.resize(clock.len().max(of + 1), 0);
                clock[of] = numbers[before].max(clock[of]);
            }
            (task, alternative, clock).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl Steps for Analysis {
    fn past(&self, step: usize) -> &[u64] {
        self.past.of(step)
    }

    fn past_of_previous(&self, step: usize) -> &[u64] {
        self.previous[step].map_or(&[], |previous| self.past.of(previous))
    }

    fn of_task(&self, task: usize) -> &[u64] {
        self.of_task.of(task)
    }

    fn label(&self, step: usize) -> Label {
        let Event { task, alternative, .. } = self.events[step];
        Label { task, alternative }
    }

    fn effect(&self, step: usize) -> &Effect {
        &self.events[step].effect
    }
}

fn slot<T: Default>(slots: &mut Vec<T>, object: u32) -> &mut T {
    let object = object as usize;
    if slots.len() <= object {
        slots.resize_with(object + 1, T::default);
    }
    &mut slots[object]
}
