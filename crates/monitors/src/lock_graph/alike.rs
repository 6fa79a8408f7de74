//! Executions in which the lock graph would find what it has found before. Most executions of a
//! search differ in the order of steps that are nothing to it.
//!
//! What a task holds and waits for follows from its own steps on locks, tokens, and bits that are
//! slept on, in their order. How these lie among the steps of others is nothing to it, but for one
//! thing: a bit that it clears, though somebody else has set it, is up to it since that was set. So
//! two executions are alike if each task takes the same such steps, and each bit that it clears, or
//! owns at the end, was set by the same step of the same task, when it had come as far.

use selvedge_trace::{Action, End, Event, Execution};

use super::hash::{Hash, Seen};
use super::read::{Bits, learn};
use crate::signals::is_of_a_wait;

/// What has been seen.
#[derive(Debug, Default)]
pub(super) struct Alike {
    seen: Seen,
    /// By object: what is known of its bits.
    words: Vec<Known>,
    /// By task.
    tasks: Vec<Task>,
    /// The bits that are slept on, and set.
    set: Vec<Set>,
}

/// What is known of the bits of a word.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Those that are slept on, of words of this name; `None`: not asked yet.
    slept_on: Option<u64>,
    /// Those that are not, as far as a step was about one.
    not_slept_on: u64,
}

/// The steps of a task, so far.
#[derive(Clone, Debug, Default)]
struct Task {
    steps: Hash,
    /// The event of each.
    at: Vec<u32>,
    /// The event at which it was started, and by whom.
    started: Option<(u32, u8)>,
}

/// A bit is set.
#[derive(Clone, Copy, Debug)]
struct Set {
    object: u32,
    mask: u64,
    /// The event.
    at: u32,
    by: u8,
    /// Who says that it is his.
    owner: Option<u8>,
}

impl Alike {
    /// Is the execution like none before? Learns which bits are slept on.
    pub(super) fn is_new(&mut self, execution: &Execution<'_>, bits: &mut Bits) -> bool {
        // What was learned may be about steps that were passed over.
        while self.reads(execution, bits) {}
        let mut all = Hash::default();
        for task in &self.tasks {
            all.add(task.steps.0);
            all.add(task.steps.1);
        }
        if let End::Deadlock(waiting) = execution.end {
            for w in waiting {
                all.add(u64::from(w.task) << 32 | u64::from(w.path.0));
                all.add(u64::from(w.object) << 9 | w.end_of.map_or(0, |task| u64::from(task) + 1));
                all.add(w.primitive.as_ptr() as u64);
            }
        }
        self.seen.insert(all.finish())
    }

    /// Forgets what was seen: something is known now that was not.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
        self.words.clear();
    }

    /// Reads the steps of all tasks. True: it has learned of a bit that is slept on.
    fn reads(&mut self, execution: &Execution<'_>, bits: &mut Bits) -> bool {
        self.set.clear();
        self.tasks.resize_with(execution.tasks.len(), Task::default);
        for task in &mut self.tasks {
            (task.steps, task.started) = (Hash::default(), None);
            task.at.clear();
        }
        let mut has_learned = false;
        for (at, event) in execution.events.iter().enumerate() {
            let Some(slept_on) = self.matters(event, bits, &mut has_learned) else { continue };
            let task = &mut self.tasks[usize::from(event.task)];
            step(&mut task.steps, event);
            task.at.push(at as u32);
            match event.action {
                Action::Spawn => {
                    let new = event.new as usize;
                    let cpu = execution.tasks.get(new).and_then(|info| info.cpu);
                    task.steps.add(cpu.map_or(0, |cpu| u64::from(cpu) + 1));
                    if let Some(new) = self.tasks.get_mut(new) {
                        new.started = Some((at as u32, event.task));
                    }
                }
                Action::Owns(mask) => {
                    let is_it = |set: &&mut Set| (set.object, set.mask) == (event.object, mask);
                    if let Some(set) = self.set.iter_mut().find(is_it) {
                        set.owner = Some(event.task);
                    }
                }
                _ if slept_on != 0 => self.changes(at, event, slept_on),
                _ => {}
            }
        }
        for set in std::mem::take(&mut self.set) {
            self.up_to(set.owner.unwrap_or(set.by), set);
        }
        has_learned
    }

    /// Is it a step that says who holds or waits for what? Then: which bits it changes that are
    /// slept on.
    fn matters(&mut self, event: &Event, bits: &mut Bits, has_learned: &mut bool) -> Option<u64> {
        use Action::{
            Awaits, Downgrade, Join, Lock, LockShared, Owns, PlainWrite, Read, Spawn, TryLock,
            TryLockFailed, TryLockShared, Unlock, UnlockShared, Update, UpdateFailed, Wait, Wake,
            Write,
        };
        match event.action {
            Lock | TryLock | TryLockFailed | Unlock | Wait | Wake | Spawn | Join | Owns(_) => {
                Some(0)
            }
            LockShared | TryLockShared | UnlockShared | Downgrade => Some(0),
            Awaits(_) => {
                self.slept_on(event, bits, has_learned);
                Some(0)
            }
            Read | Write | PlainWrite | Update | UpdateFailed => {
                let slept_on = self.slept_on(event, bits, has_learned);
                let changes = match event.action {
                    Read | UpdateFailed => 0,
                    _ => (event.old ^ event.new) & slept_on,
                };
                let looks = event.bit.is_some_and(|bit| bit.mask() & slept_on != 0);
                (changes != 0 || looks || is_of_a_wait(event)).then_some(changes)
            }
            _ => None,
        }
    }

    /// The bits of the word that are slept on. Of a bit that nobody was known to sleep on what was
    /// seen was seen without it.
    fn slept_on(&mut self, event: &Event, bits: &mut Bits, has_learned: &mut bool) -> u64 {
        let at = event.object as usize;
        if self.words.len() <= at {
            self.words.resize(at + 1, Known::default());
        }
        let of_name = |bits: &Bits| {
            bits.get(event.name.text).map_or(0, |all| all.iter().fold(0, |of, (mask, _)| of | mask))
        };
        let word = &mut self.words[at];
        let known = *word.slept_on.get_or_insert_with(|| of_name(bits));
        let mask = match (event.action, event.bit) {
            (Action::Awaits(wait), _) => wait.mask,
            (_, Some(bit)) => bit.mask() & !word.not_slept_on,
            _ => 0,
        };
        if mask & !known == 0 {
            return known;
        }
        if !learn(event, bits) {
            word.not_slept_on |= mask;
            return known;
        }
        self.forget();
        *has_learned = true;
        of_name(bits)
    }

    /// A step sets or clears these bits.
    fn changes(&mut self, at: usize, event: &Event, changed: u64) {
        let steps = &mut self.tasks[usize::from(event.task)].steps;
        steps.add(changed);
        steps.add(event.new & changed);
        let mut left = changed;
        while left != 0 {
            let mask = left & left.wrapping_neg();
            left &= left - 1;
            let (object, by) = (event.object, event.task);
            if event.new & mask != 0 {
                self.set.push(Set { object, mask, at: at as u32, by, owner: None });
                continue;
            }
            let is_it = |set: &Set| (set.object, set.mask) == (object, mask);
            match self.set.iter().rposition(is_it) {
                Some(found) => {
                    let set = self.set.swap_remove(found);
                    self.up_to(by, set);
                }
                None => self.tasks[usize::from(by)].steps.add(mask),
            }
        }
    }

    /// The bit was up to this task: since when, among the steps of whoever it was up to.
    fn up_to(&mut self, task: u8, set: Set) {
        let mut key = Hash::default();
        key.add(u64::from(set.object) << 8 | u64::from(set.by));
        key.add(set.mask);
        let mut add = |of: u8, all: &[Task]| {
            let before = all[usize::from(of)].at.partition_point(|&at| at < set.at);
            key.add(u64::from(of) << 32 | before as u64);
        };
        add(set.by, &self.tasks);
        let mut holder = task;
        while let Some((started, by)) = self.tasks[usize::from(holder)].started
            && started > set.at
        {
            holder = by;
        }
        add(holder, &self.tasks);
        let steps = &mut self.tasks[usize::from(task)].steps;
        steps.add(key.0);
        steps.add(key.1);
    }
}

/// Adds a step of a task. What it found is no matter: what came of that are other steps.
#[inline]
fn step(hash: &mut Hash, event: &Event) {
    hash.add(u64::from(event.object) << 32 | u64::from(event.path.0));
    let nr = event.bit.map_or(64, |bit| u64::from(bit.nr));
    let place = u64::from(event.cpu) << 16 | (event.context as u64) << 8;
    let what = event.action.kind() as u64 | nr << 8 | u64::from(event.in_waker) << 15;
    hash.add(place << 8 ^ what);
    // The text of a primitive is one and the same.
    hash.add(event.primitive.as_ptr() as u64);
    match event.action {
        Action::Spawn | Action::Join => hash.add(event.new),
        Action::Owns(mask) => hash.add(mask),
        Action::Awaits(wait) => hash.add(wait.mask),
        _ => {}
    }
}
