//! Sections: what a task does while it has a lock that others only *pass* ([`Op::passes`]), as the
//! tasks of a processor pass what keeps them off it.
//!
//! # Why a step and a section need not be tried in both orders
//!
//! A step that passes a lock cannot be taken while another task has it. That is all that the two
//! have to do with each other: who takes the lock sees nothing of who passed it before. So there is
//! no race between a step and a later acquisition of a lock that it passed, and two executions are
//! the same if each two steps that *touch* one thing come in the same order, acquisitions and
//! releases of one lock included. They have the same steps, and end in the same state: what each
//! task has, too. (Kokologiannakis and Vafeiadis's LAPOR goes further, and does not order two
//! sections of one lock either.)
//!
//! What is left of the dependence is about what *can* be done in another order. Let `y` be a step
//! that passes the lock of a section `S`.
//!
//! - *`y` may come before `S`* if it touches nothing that `S` touches, and can be taken where `S`
//!   begins: when `y` is over, everything is as if it had been let through. So `y` goes on sleeping
//!   when `S` begins, and is a weak initial of a sequence with `S` in it ([`Effect::must_follow`]).
//! - *`S` need not begin before `y`* to the same effect: then `y` waits. So an acquisition is no
//!   weak initial of a sequence in which somebody passes the lock before it, it wakes up when
//!   somebody does, and a release happens before a later step that passes. That `y` may come before
//!   all of `S` too is found out as a race with the acquisition, as ever.
//! - If `y` and a step `e` of `S` touch one thing, and `y` came first, they race. The sequence that
//!   reverses them has the beginning of `S` in it, since that does not depend on `y`.
//! - A sequence keeps what does not happen after the earlier step of its race, in its order. It can
//!   be run: if a release has been taken out of it, then so have all who passed the lock later.
//!   Only its last step is moved, behind sections that were begun later. Those of which only the
//!   beginning is left would keep it from passing, and are taken out (`Analysis::let_pass`):
//!   nothing of them has to come before the step.
//!
//! The proof of the papers goes through with these. Say that `F` is *no worse* than `w` if they are
//! the same but for sections that come before a step in `w` and after it in `F`. Claim: if nothing
//! that sleeps at a point may come first in an execution `w` from there, the search runs one that
//! is no worse. Else take, of the steps `p` that were tried from the point, the one that can be put
//! in front of most of `w`, up to a step `e`. What was run after `p` is no worse than `p`, that
//! beginning of `w`, `e`. So no step has more before it than there, the beginning does not happen
//! after `p`, and the race of `p` with `e` was reversed by a sequence with that beginning in it. Of
//! that sequence a step is tried that may come first in `w`, or in front of more of it than `p`.
//!
//! # Sections that may wait
//!
//! One step is missing there: `w` may be over before `p` comes to its turn, because a section waits
//! for ever for something that `p`, or somebody who waits for the section, would have to do. That
//! is a deadlock, and in `w` without `p` it is not the same execution as after `p`. So what is said
//! above holds only if no section of the lock can wait for ever. One does only at a step that can
//! be blocked, and the same step is in the execution after `p`, where it is looked for: a wait for
//! a token or a value; a lock, whose holder may wait; a task that is joined, which may; a lock that
//! is passed, as a lock; or that the section has no end. If locks wait for each other in a circle,
//! they may wait for ever. Such a lock is one of those that *may wait*: for it the step and the
//! section are dependent, in both orders. If that is found out in the first execution, nothing has
//! been left out yet. If later, the search begins anew.

use crate::effect::{Effect, EffectKind};
use crate::table::Outcome;
use crate::{Kind, Op};

/// A step of an execution: the task, what it announced, what it did.
#[derive(Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) task: usize,
    pub(crate) op: Op,
    pub(crate) effect: Effect,
}

/// What is known of the locks of a search.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sections {
    /// The locks of which a section may wait.
    may_wait: Vec<u32>,
    /// Of each lock, who has passed it and who has taken it, in any execution of the part.
    used: Vec<Used>,
    /// Does one of them matter? `None`: something is known that was not when this was asked last.
    matter: Option<bool>,
}

/// Tasks, a bit each; the last bit is that of all later ones.
#[derive(Clone, Copy, Default, Debug)]
struct Used {
    passed_by: u64,
    taken_by: u64,
}

const LAST_BIT: usize = 63;

impl Used {
    /// Has one task passed what another has taken?
    fn by_different_tasks(self) -> bool {
        let is_one_task = self.passed_by == self.taken_by
            && self.passed_by.is_power_of_two()
            && self.passed_by != 1 << LAST_BIT;
        self.passed_by != 0 && self.taken_by != 0 && !is_one_task
    }
}

/// A part of an execution: the steps of a task while it has a lock, or all of its steps.
#[derive(Clone, Copy)]
struct Stretch {
    task: usize,
    /// `None`: all steps of the task.
    lock: Option<u32>,
    /// The steps of the task after the first number, up to the second, are in it. Without an end,
    /// the section was not over when the execution was.
    begin: usize,
    end: Option<usize>,
}

/// How far it has been looked what a stretch waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    NotYet,
    Begun,
    Ends,
    MayWait,
}

impl Sections {
    /// The locks that may wait, for others who do the same search.
    pub(crate) fn may_wait(&self) -> &[u32] {
        &self.may_wait
    }

    /// Begins with a part of a search, of which this is known, and nothing that was seen in another
    /// part: what is found in a part must not depend on who searches it.
    pub(crate) fn begin_part(&mut self, may_wait: &[u32]) {
        self.may_wait = may_wait.to_vec();
        self.used.clear();
        self.matter = None;
    }

    /// The most that an announced step may do.
    #[inline]
    pub(crate) fn announced(&self, op: &Op) -> Effect {
        self.with_what_is_known(Effect::announced(op))
    }

    /// What a step did that was announced so and refined so.
    #[inline]
    pub(crate) fn done(&self, op: &Op, refined: Option<Outcome>) -> Effect {
        let effect = Effect::done(op, refined);
        if matches!(op.kind, Kind::Access(_)) { effect } else { self.with_what_is_known(effect) }
    }

    #[inline]
    pub(crate) fn with_what_is_known(&self, mut effect: Effect) -> Effect {
        let takes = matches!(effect.kind, EffectKind::Acquire | EffectKind::Try);
        effect.may_wait = takes && self.may_wait.contains(&effect.object);
        effect
    }

    /// Notes a step that was taken.
    pub(crate) fn note(&mut self, task: usize, effect: &Effect) {
        let bit = 1 << task.min(LAST_BIT);
        for lock in effect.passes.iter() {
            let used = self.used(lock);
            if used.passed_by & bit == 0 {
                used.passed_by |= bit;
                self.matter = None;
            }
        }
        if effect.kind == EffectKind::Acquire {
            let used = self.used(effect.object);
            if used.taken_by & bit == 0 {
                used.taken_by |= bit;
                self.matter = None;
            }
        }
    }

    /// Is there a lock that one task passes and another takes, and of which it is not known that a
    /// section may wait?
    pub(crate) fn matter(&mut self) -> bool {
        let matters = || (0..self.used.len() as u32).any(|lock| self.matters(lock));
        let matter = self.matter.unwrap_or_else(matters);
        self.matter = Some(matter);
        matter
    }

    fn matters(&self, lock: u32) -> bool {
        self.used[lock as usize].by_different_tasks() && !self.may_wait.contains(&lock)
    }

    /// Looks at the steps of an execution, all of them [noted](Sections::note), for locks of which
    /// a section may wait. Are there more than were known?
    pub(crate) fn look_at(&mut self, steps: &[Taken]) -> bool {
        let before = self.may_wait.len();
        let mut waits = Waits::of(steps);
        for at in 0..waits.sections {
            let lock = waits.stretches[at].lock.expect("a section");
            if self.matters(lock) && waits.may_wait(at) {
                self.may_wait.push(lock);
                self.matter = None;
            }
        }
        self.may_wait.len() > before
    }

    fn used(&mut self, lock: u32) -> &mut Used {
        let lock = lock as usize;
        if self.used.len() <= lock {
            self.used.resize(lock + 1, Used::default());
        }
        &mut self.used[lock]
    }
}

/// What waits for what in an execution.
struct Waits<'a> {
    steps: &'a [Taken],
    /// The sections, then the tasks, by number.
    stretches: Vec<Stretch>,
    sections: usize,
    looks: Vec<Look>,
}

impl<'a> Waits<'a> {
    fn of(steps: &'a [Taken]) -> Waits<'a> {
        let mut stretches: Vec<Stretch> = Vec::new();
        for (at, Taken { task, effect, .. }) in steps.iter().enumerate() {
            let (task, lock) = (*task, Some(effect.object));
            match effect.kind {
                EffectKind::Acquire => {
                    stretches.push(Stretch { task, lock, begin: at, end: None });
                }
                EffectKind::Release => {
                    let is_it = |s: &&mut Stretch| s.lock == lock && s.end.is_none();
                    stretches.iter_mut().rfind(is_it).into_iter().for_each(|s| s.end = Some(at));
                }
                _ => {}
            }
        }
        let sections = stretches.len();
        let tasks = steps.iter().map(|step| step.task + 1).max().unwrap_or(0);
        let end = Some(steps.len());
        let whole = |task| Stretch { task, lock: None, begin: 0, end };
        stretches.extend((0..tasks).map(whole));
        let looks = vec![Look::NotYet; stretches.len()];
        Waits { steps, stretches, sections, looks }
    }

    /// May the stretch wait for ever?
    fn may_wait(&mut self, at: usize) -> bool {
        match self.looks[at] {
            Look::Ends => return false,
            // It waits for itself.
            Look::Begun | Look::MayWait => return true,
            Look::NotYet => self.looks[at] = Look::Begun,
        }
        let stretch = self.stretches[at];
        let steps = self.steps;
        // The release is a step of it too, which may have to pass other locks.
        let end = stretch.end.map_or(0, |end| steps.len().min(end + 1));
        let first = stretch.begin + usize::from(stretch.lock.is_some());
        let may_wait = stretch.end.is_none()
            || (first..end)
                .filter(|&step| steps[step].task == stretch.task)
                .any(|step| self.step_may_wait(&stretch, step));
        self.looks[at] = if may_wait { Look::MayWait } else { Look::Ends };
        may_wait
    }

    fn step_may_wait(&mut self, within: &Stretch, step: usize) -> bool {
        let Taken { op, effect, .. } = self.steps[step];
        let wanted = match op.kind {
            Kind::Wait { .. } | Kind::Await(..) => return true,
            Kind::Join(task) => {
                let joined = self.sections + task;
                return joined < self.stretches.len() && self.may_wait(joined);
            }
            Kind::Lock => Some(effect.object),
            _ => None,
        };
        let passed = effect.passes.iter();
        passed.chain(wanted).any(|lock| self.lock_may_wait(within, step, lock))
    }

    /// Does a section of another task that a step within this one may wait for wait for ever?
    fn lock_may_wait(&mut self, within: &Stretch, step: usize, lock: u32) -> bool {
        let has_it = self.has(within.task, lock, step);
        !has_it
            && (0..self.sections).any(|other| {
                let of = self.stretches[other];
                of.lock == Some(lock)
                    && of.task != within.task
                    && !self.exclude_each_other(within, &of)
                    && self.may_wait(other)
            })
    }

    /// Has the task this lock when it takes the step?
    fn has(&self, task: usize, lock: u32, step: usize) -> bool {
        self.stretches[..self.sections].iter().any(|s| {
            let is_open = s.begin < step && s.end.is_none_or(|end| step < end);
            s.task == task && s.lock == Some(lock) && is_open
        })
    }

    /// Are the two never open at the same time? Neither is begun while the other's lock is held by
    /// somebody else: its first step passes that lock, or its task has it.
    fn exclude_each_other(&self, one: &Stretch, other: &Stretch) -> bool {
        let keeps_off = |begins: &Stretch, of: &Stretch| {
            of.lock.is_some_and(|lock| {
                self.steps[begins.begin].effect.passes(lock)
                    || self.has(begins.task, lock, begins.begin)
            })
        };
        one.lock.is_some() && keeps_off(one, other) && keeps_off(other, one)
    }
}
