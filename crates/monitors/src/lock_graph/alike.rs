//! Executions in which the lock graph would find what it has found before. Most executions of a
//! search differ in the order of steps that are nothing to it.
//!
//! What a task holds and waits for follows from its own steps on locks, tokens, and bits that are
//! slept on; from who sets and clears such a bit, in which order; and from who starts and ends
//! when. Two executions are alike if each task takes the same such steps, and those of the second
//! and third kind come in the same order, with the same steps of the first kind between them.

use selvedge_trace::{Action, Event, Execution};

use super::hash::{Hash, Seen};
use super::read::{Bits, learn};

/// What has been seen.
#[derive(Debug, Default)]
pub(super) struct Alike {
    seen: Seen,
    /// By object: the bits of it that are slept on, as far as they are known.
    slept_on: Vec<u64>,
    /// By object: the bits of it that are not, as far as that was asked.
    not_slept_on: Vec<u64>,
    /// By task: its steps so far.
    tasks: Vec<Hash>,
}

impl Alike {
    /// Is the execution like none before? Learns which bits are slept on.
    pub(super) fn is_new(&mut self, execution: &Execution<'_>, bits: &mut Bits) -> bool {
        self.tasks.clear();
        self.tasks.resize(execution.tasks.len(), Hash::default());
        let mut order = Hash::default();
        let mut changes = 0u64;
        for event in execution.events {
            self.learn(event, bits);
            let Some(kind) = self.kind(event) else { continue };
            let task = &mut self.tasks[usize::from(event.task)];
            step(task, event, changes);
            if kind == Kind::Change {
                changes += 1;
                step(&mut order, event, u64::from(event.task));
            }
        }
        for task in &self.tasks {
            order.add(task.0);
            order.add(task.1);
        }
        self.seen.insert(order.finish())
    }

    /// Forgets what was seen: something is known now that was not.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// A bit that nobody was known to sleep on: what was seen was seen without it.
    fn learn(&mut self, event: &Event, bits: &mut Bits) {
        let at = event.object as usize;
        let is_known = |masks: &[u64], mask| masks.get(at).is_some_and(|known| known & mask != 0);
        let mask = match (event.action, event.bit) {
            (Action::Awaits(wait), _) => wait.mask,
            (_, Some(bit)) if !is_known(&self.not_slept_on, bit.mask()) => bit.mask(),
            _ => return,
        };
        if is_known(&self.slept_on, mask) {
            return;
        }
        let is_slept_on = learn(event, bits);
        let masks = if is_slept_on { &mut self.slept_on } else { &mut self.not_slept_on };
        if masks.len() <= at {
            masks.resize(at + 1, 0);
        }
        masks[at] |= mask;
        if is_slept_on {
            self.forget();
        }
    }

    fn kind(&self, event: &Event) -> Option<Kind> {
        use Action::{
            Awaits, Downgrade, Join, Lock, LockShared, Owns, PlainWrite, Read, Spawn, TryLock,
            TryLockFailed, TryLockShared, Unlock, UnlockShared, Update, UpdateFailed, Wait, Wake,
            Write,
        };
        match event.action {
            Lock | TryLock | TryLockFailed | Unlock | Wait | Wake | Awaits(_) => Some(Kind::Own),
            LockShared | TryLockShared | UnlockShared | Downgrade => Some(Kind::Own),
            Spawn | Join | Owns(_) => Some(Kind::Change),
            Read | Write | PlainWrite | Update | UpdateFailed => {
                let mask = *self.slept_on.get(event.object as usize)?;
                let changes = (event.old ^ event.new) & mask != 0 && event.action != Read;
                let looks = event.bit.is_some_and(|bit| bit.mask() & mask != 0);
                match (changes, looks) {
                    (true, _) => Some(Kind::Change),
                    (false, true) => Some(Kind::Own),
                    (false, false) => None,
                }
            }
            _ => None,
        }
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    /// What it says of its task does not depend on others.
    Own,
    /// What others hold may depend on it.
    Change,
}

/// Adds a step of a task.
#[inline]
fn step(hash: &mut Hash, event: &Event, since: u64) {
    hash.add(since << 32 | u64::from(event.path.0));
    let nr = event.bit.map_or(64, |bit| u64::from(bit.nr));
    let place = u64::from(event.cpu) << 16 | (event.context as u64) << 8;
    let what = event.action.kind() as u64 | nr << 8 | u64::from(event.in_waker) << 15;
    hash.add(u64::from(event.object) << 32 | place << 8 ^ what);
    let changes = match event.bit {
        Some(bit) => {
            let is_set = |value: u64| u64::from(value & bit.mask() != 0);
            is_set(event.old) | is_set(event.new) << 1
        }
        // What a lock's word holds besides is no matter.
        None => event.old ^ event.new,
    };
    // The text of a primitive is one and the same.
    hash.add((event.primitive.as_ptr() as u64).rotate_left(32) ^ changes);
    match event.action {
        Action::Spawn | Action::Join => hash.add(event.new),
        Action::Owns(mask) => hash.add(mask),
        Action::Awaits(wait) => hash.add(wait.mask),
        _ => {}
    }
}
