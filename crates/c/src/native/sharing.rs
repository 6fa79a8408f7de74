//! Which accesses tasks do to each other. An access that no other one races with is no step.
//!
//! Most of what C accesses is nobody else's business at that moment: its stack, what the boot has
//! set, a list whose lock it holds. Two accesses race if they are of different tasks, of bits that
//! they share, one of them writes, and neither comes before the other by what orders tasks: a lock
//! that the one has given back and the other then taken, a wake-up that the other has waited for, a
//! start or an end. Where in the code accesses of a word race is found while a scenario is explored
//! (by vector clocks). When a pair is seen of which not both are steps, the search is given up (a
//! little later, since others are near), and begins anew with both as steps. That is over soon:
//! most of what races does so in nearly every execution.
//!
//! # Why it is sound
//!
//! Assume that a search has ended, and that in no execution an access that was no step has raced
//! with another access. Think of the program in which such an access finds what was written last of
//! what comes before it in the order above. Its steps are those that are announced, and their order
//! decides all that its tasks do, so that the search of it is complete. As long as nothing has
//! raced, the kernel's code does the same, and so the search of the one was the search of the
//! other.
//!
//! * No execution of that program has such a race: each differs from one that was run only in the
//!   order of independent steps, so that each task does the same in it, and locks, wake-ups, starts
//!   and ends order the same accesses. Each of those steps depends on those that it comes after.
//! * No execution of the kernel's code has one either. Take one that does, up to just before the
//!   later access of the first such race. Until there what is no step may be moved up to the step
//!   of its task that comes before: whatever it conflicts with is ordered, and so comes before that
//!   step or after the access. What results is the beginning of an execution of the program. If
//!   that goes on, the task makes the access, and the two race: there is no such execution.
//!
//! So the executions that were run are those of the kernel's code, each in one of its orders. What
//! is found to break a rule is an execution of the kernel's code in any case: there is one memory.
//!
//! A write of a word that a monitor looks at (`WATCHED`) is always a step: a rule may be about what
//! one task does to it. The initial state and the look at the end are no task's.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use crate::native::image::Range;
use crate::native::world::Fast;

/// Fields that monitors and explanations look at.
const WATCHED: [&str; 6] = [
    "folio->flags",
    "folio->_refcount",
    "folio->_mapcount",
    "bh->b_state",
    "bh->b_count",
    "task->__state",
];

/// So many accesses without a step in between, and a task is not believed to come to an end.
const ALONE_MAX: u32 = 10_000_000;

/// How often a search begins anew before each access is a step.
const ROUNDS_MAX: u32 = 200;

/// How many executions a search goes on at least, when it is known that it will begin anew.
const MORE: u64 = 8;

/// How many tasks are told apart.
const TASKS: usize = 24;

/// Where a word is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// In the image's data: so many words behind its beginning.
    Data(usize),
    /// On a task's stack: so many words below where C begins.
    Stack(usize, usize),
}

/// An access of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Touch {
    /// Whose.
    pub task: usize,
    /// Where in the code.
    pub from: u64,
    /// Of which bits of the word.
    pub bits: u64,
    /// Whether it may change them.
    pub writes: bool,
}

/// The accesses of a word from one place of the code.
#[derive(Debug)]
struct Site {
    from: u64,
    bits: u64,
    writes: bool,
    is_step: bool,
    /// Whether it is one when the search begins anew.
    races: bool,
    /// When each task made the last one: the execution, and the task's own time.
    last: Vec<(usize, u64, u32)>,
}

/// What is known of a word.
#[derive(Debug, Default)]
struct Word {
    sites: Vec<Site>,
    /// The last execution in which it was touched, by whom first, and whether then by others.
    execution: u64,
    first: usize,
    by_others: bool,
}

type Clock = [u32; TASKS];

/// See the module.
#[derive(Debug, Default)]
pub struct Sharing {
    /// Each access is a step.
    every_access: bool,
    data: Vec<Word>,
    /// By task.
    stacks: Vec<Vec<Word>>,
    execution: u64,
    /// The last one of the round before.
    begun: u64,
    rounds: u32,
    /// The execution in which something has raced that was no step, the first of this round.
    grown: Option<u64>,
    alone: u32,
    /// What each task comes after: so much of each other one.
    clocks: Vec<Clock>,
    /// Where each access is a step: the words of stacks that have been part of an exchange in this
    /// execution, and those that have been touched by another task than theirs.
    expected: HashSet<Place>,
    visited: HashSet<Place>,
    /// What who takes a lock or waits comes after.
    given: HashMap<u64, Clock, BuildHasherDefault<Fast>>,
}

impl Sharing {
    /// Nothing is known of an image with data there.
    pub fn new(data: Range, every_access: bool) -> Sharing {
        let mut words = Vec::new();
        words.resize_with(((data.to - data.from) / 8) as usize, Word::default);
        Sharing { every_access, data: words, ..Sharing::default() }
    }

    /// A new execution.
    pub fn begin_execution(&mut self) {
        self.execution += 1;
        self.alone = 0;
        self.clocks.clear();
        self.given.clear();
        self.expected.clear();
        self.visited.clear();
    }

    /// Does the search have to begin anew: has something raced that was no step?
    pub fn has_grown(&self) -> bool {
        self.grown.is_some()
    }

    /// Is it time for that? After some more executions: what else races is likely near.
    pub fn gives_up(&self) -> bool {
        self.grown.is_some_and(|grown| self.execution > grown + (grown - self.begun) / 2 + MORE)
    }

    /// Is each access a step?
    pub fn is_every_access(&self) -> bool {
        self.every_access
    }

    /// It begins anew.
    pub fn begin_round(&mut self) {
        self.rounds += 1;
        self.begun = self.execution;
        self.grown = None;
        self.every_access |= self.rounds >= ROUNDS_MAX;
        for word in self.data.iter_mut().chain(self.stacks.iter_mut().flatten()) {
            word.sites.iter_mut().for_each(|site| site.is_step |= site.races);
        }
    }

    /// A task takes a step.
    pub fn stepped(&mut self) {
        self.alone = 0;
    }

    /// Has a task gone on for too long without one?
    pub fn is_endless(&self) -> bool {
        self.alone > ALONE_MAX
    }

    fn clock(&mut self, task: usize) -> &mut Clock {
        while self.clocks.len() <= task {
            let mut new = [0; TASKS];
            new[self.clocks.len()] = 1;
            self.clocks.push(new);
        }
        &mut self.clocks[task]
    }

    /// The task has taken a lock or waited: it comes after what was given there.
    pub fn takes(&mut self, task: usize, key: u64) {
        if task >= TASKS {
            return;
        }
        if let Some(given) = self.given.get(&key).copied() {
            merge(self.clock(task), &given);
        }
    }

    /// The task gives a lock back, or wakes: who takes it comes after what it has done.
    pub fn gives(&mut self, task: usize, key: u64) {
        if task >= TASKS {
            return;
        }
        let clock = *self.clock(task);
        merge(self.given.entry(key).or_insert([0; TASKS]), &clock);
        self.clock(task)[task] += 1;
    }

    /// The task touches a word as a part of an exchange, and it cannot be a step. May it be none:
    /// is it of its own stack, and does nothing race with it?
    pub fn is_of_exchange(&mut self, place: Place, task: usize) -> bool {
        let is_own = matches!(place, Place::Stack(owner, _) if owner == task);
        // Where each access is a step, nothing is known of races: nobody else may have been there.
        if is_own && self.every_access {
            self.expected.insert(place);
            return !self.visited.contains(&place);
        }
        false
    }

    /// Where each access is a step: is it a word of another task's stack that has been a part of an
    /// exchange?
    pub fn is_torn(&mut self, place: Place, task: usize) -> bool {
        let is_others = matches!(place, Place::Stack(owner, _) if owner != task);
        if is_others && self.every_access {
            self.visited.insert(place);
            return self.expected.contains(&place);
        }
        false
    }

    fn word(&mut self, place: Place) -> &mut Word {
        match place {
            Place::Data(place) => &mut self.data[place],
            Place::Stack(task, depth) => {
                if self.stacks.len() <= task {
                    self.stacks.resize_with(task + 1, Vec::new);
                }
                let stack = &mut self.stacks[task];
                if stack.len() <= depth {
                    stack.resize_with(depth + 1, Word::default);
                }
                &mut stack[depth]
            }
        }
    }

    /// The task touches the word: is that a step? `None`: nobody has yet from that place of the
    /// code ([`Sharing::is_step_of_new`]).
    pub fn is_step(&mut self, place: Place, touch: Touch) -> Option<bool> {
        if self.every_access {
            return Some(true);
        }
        let Touch { task, from, bits, writes } = touch;
        if task >= TASKS {
            self.rounds = ROUNDS_MAX;
            self.grown.get_or_insert(self.execution);
            return Some(true);
        }
        self.clock(task);
        self.word(place);
        let Sharing { data, stacks, clocks, execution, .. } = self;
        let (clock, execution) = (&clocks[task], *execution);
        let word = match place {
            Place::Data(place) => &mut data[place],
            Place::Stack(task, depth) => &mut stacks[task][depth],
        };
        let is_it = |site: &Site| site.from == from && site.bits == bits && site.writes == writes;
        let at = word.sites.iter().position(is_it)?;
        if word.execution != execution {
            (word.execution, word.first, word.by_others) = (execution, task, false);
        }
        word.by_others |= word.first != task;
        let has_grown = word.by_others && word.races(at, task, (execution, clock));
        let site = &mut word.sites[at];
        let now = (task, execution, clock[task]);
        match site.last.iter_mut().find(|(by, ..)| *by == task) {
            Some(last) => *last = now,
            None => site.last.push(now),
        }
        let is_step = site.is_step;
        if has_grown {
            self.grown.get_or_insert(execution);
        }
        self.alone += 1;
        Some(is_step)
    }

    /// The same, from a place that is new, of a word with these names.
    pub fn is_step_of_new(&mut self, place: Place, touch: Touch, names: &[&str]) -> bool {
        let is_watched = names.iter().any(|name| WATCHED.contains(name));
        let Touch { from, bits, writes, .. } = touch;
        let is_step = writes && is_watched;
        let races = is_step;
        self.word(place).sites.push(Site { from, bits, writes, is_step, races, last: Vec::new() });
        self.is_step(place, touch).unwrap_or(true)
    }
}

impl Word {
    /// Notes what races with an access of the task from this place, and whether that does; is any
    /// of it new?
    fn races(&mut self, at: usize, task: usize, (execution, clock): (u64, &Clock)) -> bool {
        let Site { bits, writes, races: known, .. } = self.sites[at];
        let (mut has_grown, mut races) = (false, known);
        for (number, site) in self.sites.iter_mut().enumerate() {
            let conflicts = site.bits & bits != 0 && (site.writes || writes);
            if !conflicts || (known && site.races) {
                continue;
            }
            let is_unordered = |&(by, when, time): &(usize, u64, u32)| {
                by != task && when == execution && time > clock[by]
            };
            if site.last.iter().any(is_unordered) {
                races = true;
                if number != at {
                    has_grown |= !std::mem::replace(&mut site.races, true);
                }
            }
        }
        has_grown | (races && !std::mem::replace(&mut self.sites[at].races, true))
    }
}

fn merge(clock: &mut Clock, other: &Clock) {
    clock.iter_mut().zip(other).for_each(|(mine, others)| *mine = (*mine).max(*others));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place::Data(1);
    const READ: bool = false;
    const WRITE: bool = true;

    /// Each kind of access of each task has a place of its own in the code.
    fn touch(sharing: &mut Sharing, place: Place, task: usize, writes: bool) -> bool {
        let from = task as u64 * 2 + u64::from(writes);
        let touch = Touch { task, from, bits: 1, writes };
        of_word(sharing, place, touch, "word")
    }

    fn of_word(sharing: &mut Sharing, place: Place, touch: Touch, name: &str) -> bool {
        let known = sharing.is_step(place, touch);
        known.unwrap_or_else(|| sharing.is_step_of_new(place, touch, &["", name]))
    }

    fn sharing(every_access: bool) -> Sharing {
        let mut new = Sharing::new(Range { from: 0x1000, to: 0x1100 }, every_access);
        new.begin_execution();
        new
    }

    fn again(sharing: &mut Sharing) {
        sharing.begin_round();
        sharing.begin_execution();
    }

    #[test]
    fn what_races_is_a_step_from_then_on() {
        for (first, second) in [(READ, WRITE), (WRITE, READ), (WRITE, WRITE)] {
            let mut sharing = sharing(false);
            assert!(!touch(&mut sharing, PLACE, 1, first));
            sharing.begin_execution();
            assert!(!touch(&mut sharing, PLACE, 2, second), "in another execution");
            assert!(!sharing.has_grown());
            assert!(!touch(&mut sharing, PLACE, 1, first), "in this round");
            assert!(sharing.has_grown());
            again(&mut sharing);
            assert!(touch(&mut sharing, PLACE, 1, first));
            assert!(touch(&mut sharing, PLACE, 2, second));
            assert!(!sharing.has_grown());
        }
    }

    #[test]
    fn what_all_only_read_and_what_is_of_other_bits_does_not_race() {
        let mut sharing = sharing(false);
        for task in [1, 2] {
            assert!(!touch(&mut sharing, PLACE, task, READ));
            assert!(!touch(&mut sharing, Place::Stack(task, 5), task, WRITE));
        }
        let bits = Touch { task: 3, from: 9, bits: 2, writes: true };
        assert!(!of_word(&mut sharing, PLACE, bits, "word"));
        assert!(!sharing.has_grown());
    }

    #[test]
    fn what_a_lock_orders_does_not_race() {
        const LOCK: u64 = 7;
        let mut sharing = sharing(false);
        assert!(!touch(&mut sharing, PLACE, 1, WRITE), "before anybody knows it");
        for task in [1, 2] {
            sharing.takes(task, LOCK);
            assert!(!touch(&mut sharing, PLACE, task, WRITE));
            sharing.gives(task, LOCK);
        }
        assert!(!sharing.has_grown());
        // Task 1 does not come after task 2.
        touch(&mut sharing, PLACE, 1, READ);
        assert!(sharing.has_grown());
        again(&mut sharing);
        sharing.takes(1, LOCK);
        assert!(!touch(&mut sharing, Place::Data(2), 1, WRITE));
        sharing.gives(1, LOCK);
        assert!(!touch(&mut sharing, Place::Data(2), 1, READ));
        sharing.takes(2, LOCK);
        assert!(!sharing.has_grown());
        touch(&mut sharing, Place::Data(2), 2, WRITE);
        assert!(sharing.has_grown(), "not after what came later");
    }

    #[test]
    fn a_place_in_the_code_that_does_not_race_is_no_step_where_another_does() {
        let mut sharing = sharing(false);
        touch(&mut sharing, PLACE, 1, READ);
        touch(&mut sharing, PLACE, 2, WRITE);
        assert!(sharing.has_grown());
        again(&mut sharing);
        let early = Touch { task: 2, from: 99, bits: 1, writes: true };
        assert!(!of_word(&mut sharing, PLACE, early, ""));
        sharing.gives(2, 7);
        sharing.takes(1, 7);
        assert!(touch(&mut sharing, PLACE, 1, READ));
        assert!(touch(&mut sharing, PLACE, 2, WRITE));
        assert!(!sharing.has_grown());
    }

    #[test]
    fn a_search_is_given_up_some_executions_later() {
        let mut sharing = sharing(false);
        (0..100).for_each(|_| sharing.begin_execution());
        touch(&mut sharing, PLACE, 1, READ);
        touch(&mut sharing, PLACE, 2, WRITE);
        let more = (0..1000).take_while(|_| {
            sharing.begin_execution();
            !sharing.gives_up()
        });
        assert_eq!(more.count(), 101 / 2 + 8);
        again(&mut sharing);
        assert!(!sharing.gives_up());
    }

    #[test]
    fn a_write_of_what_is_watched_is_a_step() {
        let mut sharing = sharing(false);
        let mut of = |writes| {
            let touch = Touch { task: 1, from: u64::from(writes), bits: 1, writes };
            of_word(&mut sharing, PLACE, touch, "folio->flags")
        };
        assert!(!of(READ));
        assert!(of(WRITE));
    }

    #[test]
    fn every_access_is_a_step_if_that_is_asked_for() {
        let mut sharing = sharing(true);
        assert!(touch(&mut sharing, PLACE, 1, READ));
        assert!(!sharing.has_grown());
    }
}
