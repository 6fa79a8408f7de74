//! What the kernel asks of everybody who locks: lockdep's rules, less those about order.
//!
//! Sleeping in atomic context, and an unlock by somebody else than the holder, are noticed by the
//! primitives themselves (`might_sleep()`); this monitor sees what is wrong only when the execution
//! is over, or with bits, which have no owner to ask.

use std::collections::BTreeMap;

use selvedge_trace::{Action, BitWait, Class, End, Event, Execution, Finding, Monitor, Rule};
use serde_json::Value;

use crate::signals::queued_for;

/// lockdep's "lock held when returning to user space", and `preempt_count` in `do_exit()`.
pub const NO_LOCK_IS_HELD_AT_EXIT: Rule =
    Rule("a task that ends holds no lock, and leaves preemption and interrupts on");
/// lockdep's "bad unlock balance detected", and `VM_BUG_ON_FOLIO(!folio_test_locked(folio))`.
pub const WHAT_IS_UNLOCKED_IS_LOCKED: Rule = Rule("what is unlocked is locked");
/// As the primitives say it.
pub const LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER: Rule = Rule("a lock is unlocked by its holder");
/// lockdep's "possible recursive locking detected".
pub const NOBODY_LOCKS_WHAT_IT_HOLDS: Rule = Rule("nobody waits for a lock that it holds itself");

/// All of them.
pub const LOCK_RULES: [Rule; 4] = [
    NO_LOCK_IS_HELD_AT_EXIT,
    WHAT_IS_UNLOCKED_IS_LOCKED,
    LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER,
    NOBODY_LOCKS_WHAT_IT_HOLDS,
];

/// Checks [`LOCK_RULES`] in each execution. Not among [`crate::standard`]: the scenarios of claims
/// leave things locked on purpose, to see who waits.
#[derive(Default)]
pub struct LockRules;

impl Monitor for LockRules {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<LockRules>::default()
    }

    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut held = Held::default();
        for (index, event) in execution.events.iter().enumerate() {
            if let Err((rule, message)) = held.enter(index, event) {
                return Some(Finding { rule, message, event: Some(index) });
            }
        }
        match execution.end {
            End::Complete => held.at_exit(execution),
            End::Deadlock(_) => held.recursion(execution),
            End::Stopped => None,
        }
    }
}

/// Who holds which lock, and who has set which lock bit.
#[derive(Default)]
struct Held {
    locks: BTreeMap<u32, (u8, usize)>,
    /// Who shares which lock, since which event.
    shared: Vec<(u32, u8, usize)>,
    bits: BTreeMap<(u32, u64), u8>,
    awaited: BTreeMap<u8, (u32, BitWait)>,
}

impl Held {
    fn enter(&mut self, index: usize, event: &Event) -> Result<(), (Rule, String)> {
        match event.action {
            Action::Lock | Action::TryLock => {
                self.locks.insert(event.object, (event.task, index));
            }
            Action::Unlock => match self.locks.remove(&event.object) {
                None => {
                    let message = format!("{}({}), which is free", event.primitive, event.name);
                    return Err((WHAT_IS_UNLOCKED_IS_LOCKED, message));
                }
                Some((holder, _)) if holder != event.task => {
                    let message = format!("{}({}) by another task", event.primitive, event.name);
                    return Err((LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message));
                }
                Some(_) => {}
            },
            Action::LockShared | Action::TryLockShared => {
                self.shared.push((event.object, event.task, index));
            }
            Action::UnlockShared => {
                let is_it = |&(object, task, _): &(u32, u8, usize)| {
                    (object, task) == (event.object, event.task)
                };
                let Some(at) = self.shared.iter().rposition(is_it) else {
                    let message =
                        format!("{}({}) by who does not share it", event.primitive, event.name);
                    return Err((LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER, message));
                };
                self.shared.remove(at);
            }
            Action::Downgrade => {
                self.locks.remove(&event.object);
                self.shared.push((event.object, event.task, index));
            }
            Action::Awaits(wait) => _ = self.awaited.insert(event.task, (event.object, wait)),
            Action::Owns(mask) => _ = self.bits.insert((event.object, mask), event.task),
            Action::Update | Action::Write => return self.bit(event),
            _ => {}
        }
        Ok(())
    }

    /// A step of a lock bit. `clear_bit_unlock()` says which; `xor_unlock_is_negative_byte()` sets
    /// a lock's bit that was clear.
    fn bit(&mut self, event: &Event) -> Result<(), (Rule, String)> {
        if event.bit.is_none() && self.bits.is_empty() {
            return Ok(());
        }
        let unlocks = event.primitive.contains("unlock");
        if let Some(bit) = event.bit.filter(|_| unlocks)
            && event.old & bit.mask() == 0
        {
            let message =
                format!("{}({}, {}), which is clear", event.primitive, bit.name, event.name);
            return Err((WHAT_IS_UNLOCKED_IS_LOCKED, message));
        }
        let set = event.new & !event.old;
        let locks = event.primitive.starts_with("test_and_set_bit");
        if let Some(bit) = event.bit.filter(|bit| locks && set & bit.mask() != 0) {
            self.bits.insert((event.object, bit.mask()), event.task);
        }
        let of_word = |&(object, mask): &(u32, u64)| object == event.object && set & mask != 0;
        if unlocks && event.bit.is_none() && self.bits.keys().any(of_word) {
            let message = format!("{}({}) sets a lock's bit", event.primitive, event.name);
            return Err((WHAT_IS_UNLOCKED_IS_LOCKED, message));
        }
        Ok(())
    }

    fn at_exit(&self, execution: &Execution<'_>) -> Option<Finding> {
        let shared = self.shared.iter().map(|&(_, task, index)| (task, index));
        let all = self.locks.values().copied().chain(shared);
        let (task, index) = all.min_by_key(|(_, index)| *index)?;
        let event = &execution.events[index];
        let who = &execution.tasks[usize::from(task)].name;
        let what = match event.class {
            Class::Preempt => "leaves preemption off".to_string(),
            Class::Irq => "leaves interrupts off".to_string(),
            _ => format!("holds {}", event.name),
        };
        let message = format!("{who} has ended and {what}");
        Some(Finding { rule: NO_LOCK_IS_HELD_AT_EXIT, message, event: Some(index) })
    }

    fn recursion(&self, execution: &Execution<'_>) -> Option<Finding> {
        let End::Deadlock(waiting) = execution.end else { return None };
        waiting.iter().find_map(|w| {
            let who = &execution.tasks[usize::from(w.task)].name;
            // In the queue of a lock it sleeps until it is woken.
            let tried = queued_for(execution, w).map(|(tried, _)| tried);
            let (object, name) = tried.map_or((w.object, w.name), |e| (e.object, e.name));
            let has_it = self.locks.get(&object).is_some_and(|(holder, _)| *holder == w.task)
                || self.shared.iter().any(|(of, by, _)| (*of, *by) == (object, w.task));
            let what = match has_it {
                true if !w.primitive.contains("unlock") => name.to_string(),
                _ => {
                    let (object, wait) = self.awaited.get(&w.task)?;
                    let is_asleep = wait.told_by.contains(&w.object);
                    let owner = self.bits.get(&(*object, wait.mask));
                    (is_asleep && owner == Some(&w.task)).then(|| wait.bit.to_string())?
                }
            };
            let message = format!("{who} waits for {what}, which it holds itself");
            let event = execution.events.iter().rposition(|event| !event.action.is_note());
            Some(Finding { rule: NOBODY_LOCKS_WHAT_IT_HOLDS, message, event })
        })
    }
}
