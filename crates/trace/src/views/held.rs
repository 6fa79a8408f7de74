//! Which locks are held at a point of an execution, who is woken by a step, what a task does next.

use std::collections::BTreeMap;

use crate::text;
use crate::{ActionKind, Counterexample};

/// The steps of each task, and the waits for each object, in order.
pub(super) struct Later<'a> {
    of_task: BTreeMap<u8, Vec<usize>>,
    waits: BTreeMap<&'a str, Vec<usize>>,
    cx: &'a Counterexample,
}

impl Later<'_> {
    pub(super) fn new(cx: &Counterexample) -> Later<'_> {
        let mut later = Later { of_task: BTreeMap::new(), waits: BTreeMap::new(), cx };
        for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| !step.action.is_note()) {
            later.of_task.entry(step.task).or_default().push(at);
            if step.action == ActionKind::Wait {
                later.waits.entry(&step.object).or_default().push(at);
            }
        }
        later
    }

    /// The first step of the task after the one of this index.
    pub(super) fn next_of(&self, task: u8, after: usize) -> Option<usize> {
        first_after(self.of_task.get(&task)?, after)
    }

    /// Who is let go by the wake-up of this index: whoever waits for the object next.
    pub(super) fn woken(&self, at: usize) -> Option<u8> {
        let waits = self.waits.get(self.cx.steps.get(at)?.object.as_str())?;
        first_after(waits, at).map(|wait| self.cx.steps[wait].task)
    }
}

fn first_after(sorted: &[usize], after: usize) -> Option<usize> {
    sorted.get(sorted.partition_point(|&at| at <= after)).copied()
}

/// A lock that is held.
pub(super) struct Held {
    /// `q->lock`, `PG_locked of folio1->flags`
    pub(super) name: String,
    /// Whose it is: who took it, or to whom it was handed over since.
    pub(super) task: u8,
    /// The index of the step that took it.
    pub(super) since: usize,
    of: Of,
}

/// What is changed when a lock is taken: an object of its own, or a bit of a word.
#[derive(PartialEq, Eq)]
enum Of {
    Lock(String),
    Bit(String, u32),
}

/// The locks that are held before the step of this index, in the order in which they were taken:
/// also those that are a bit, if the primitive says that it locks. What keeps others off one CPU is
/// none.
pub(super) fn held(cx: &Counterexample, before: usize) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    for (since, step) in cx.steps.iter().enumerate().take(before) {
        let object = step.object.as_str();
        let has = |word: u64, nr: u32| word.checked_shr(nr).unwrap_or(0) & 1 == 1;
        match step.action {
            ActionKind::LockShared | ActionKind::TryLockShared => {
                let (name, of) = (step.object.clone(), Of::Lock(step.object.clone()));
                held.push(Held { name, task: step.task, since, of });
            }
            ActionKind::UnlockShared => {
                let is_it = |lock: &Held| {
                    lock.task == step.task && lock.of == Of::Lock(step.object.clone())
                };
                if let Some(at) = held.iter().rposition(is_it) {
                    held.remove(at);
                }
            }
            ActionKind::Lock | ActionKind::TryLock if !text::excludes_on_a_cpu(object) => {
                let (name, of) = (step.object.clone(), Of::Lock(step.object.clone()));
                held.push(Held { name, task: step.task, since, of });
            }
            ActionKind::Owns => {
                let mask = u64::from_str_radix(step.detail.trim_start_matches("0x"), 16);
                let mask = mask.unwrap_or(0);
                for lock in &mut held {
                    if matches!(&lock.of, Of::Bit(word, nr) if word == object && has(mask, *nr)) {
                        lock.task = step.task;
                    }
                }
            }
            ActionKind::Unlock => held.retain(|lock| lock.of != Of::Lock(step.object.clone())),
            ActionKind::Update | ActionKind::Write => {
                held.retain(|lock| match &lock.of {
                    Of::Bit(word, nr) if word == object => has(step.new, *nr),
                    _ => true,
                });
                let bit = step.bit.as_ref().filter(|_| step.primitive.contains("lock"));
                if let Some(bit) = bit.filter(|b| !has(step.old, b.nr) && has(step.new, b.nr)) {
                    let name = format!("{} of {object}", bit.name);
                    let of = Of::Bit(step.object.clone(), bit.nr);
                    held.push(Held { name, task: step.task, since, of });
                }
            }
            _ => {}
        }
    }
    held
}
