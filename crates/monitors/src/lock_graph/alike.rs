//! Executions in which the lock graph would find what it has found before. Most executions of a
//! search differ in the order of steps that are nothing to it.
//!
//! What a task holds and waits for follows from its own steps on locks, tokens, and bits that are
//! slept on; from who sets and clears such a bit, in which order; and from who starts and ends
//! when. Two executions are alike if each task takes the same such steps, and those of the second
//! and third kind come in the same order, with the same steps of the first kind between them.

use std::collections::HashSet;

use selvedge_trace::{Action, Event, Execution};

use super::read::{Bits, learn};

/// What has been seen, as hashes of 128 bits: that two executions which are not alike have one is
/// less likely than that the machine errs.
#[derive(Debug, Default)]
pub(super) struct Alike {
    seen: HashSet<(u64, u64)>,
    /// By object: the bits of it that are slept on, as far as they are known.
    slept_on: Vec<u64>,
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
            task.step(event, changes);
            if kind == Kind::Change {
                changes += 1;
                order.step(event, u64::from(event.task));
            }
        }
        for task in &self.tasks {
            order.add(task.0);
            order.add(task.1);
        }
        self.seen.insert((order.0, order.1))
    }

    /// Forgets what was seen: something is known now that was not.
    pub(super) fn forget(&mut self) {
        self.seen.clear();
    }

    /// A bit that nobody was known to sleep on: what was seen was seen without it.
    fn learn(&mut self, event: &Event, bits: &mut Bits) {
        let mask = match (event.action, event.bit) {
            (Action::Awaits(wait), _) => wait.mask,
            (_, Some(bit)) => bit.mask(),
            _ => return,
        };
        let at = event.object as usize;
        if self.slept_on.get(at).is_some_and(|known| known & mask != 0) || !learn(event, bits) {
            return;
        }
        if self.slept_on.len() <= at {
            self.slept_on.resize(at + 1, 0);
        }
        self.slept_on[at] |= mask;
        self.forget();
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

/// Two hashes, each good enough for a table.
#[derive(Clone, Copy, Default, Debug)]
struct Hash(u64, u64);

impl Hash {
    fn add(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.1 = (self.1.rotate_left(23) ^ value).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        self.1 ^= self.1 >> 29;
    }

    fn step(&mut self, event: &Event, since: u64) {
        self.add(since << 32 | u64::from(event.path.0));
        self.add(u64::from(event.object) << 32 | event.action.kind() as u64);
        let nr = event.bit.map_or(64, |bit| bit.nr);
        let place = u64::from(event.cpu) << 16 | (event.context as u64) << 8;
        self.add(u64::from(nr) << 32 | place | u64::from(event.in_waker));
        // The text of a primitive is one and the same.
        self.add(event.primitive.as_ptr() as u64);
        match event.action {
            // What a lock's word holds besides is no matter.
            Action::Spawn | Action::Join => self.add(event.new),
            Action::Owns(mask) => self.add(mask),
            Action::Awaits(wait) => self.add(wait.mask),
            _ => {}
        }
        if event.bit.is_none() {
            self.add(event.old ^ event.new);
        } else if let Some(bit) = event.bit {
            self.add(
                (event.old & bit.mask() != 0) as u64
                    | (((event.new & bit.mask()) != 0) as u64) << 1,
            );
        }
    }
}
