//! Faults that change nothing in any execution of the scenarios: no claim can notice them.
//!
//! - A look that never finds anything, and is told so. A store of what was there.
//! - A store that comes later, or an update in two steps, and no execution in which somebody else
//!   has a step on the word meanwhile (of an update: writes it). The store can then be moved back
//!   to where it was without anybody's steps changing, so that each execution has its equal in
//!   the tree without the fault. Dpor runs an execution of every class of equals, so that one of
//!   those would show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use selvedge_kernel::edits::Site;
use selvedge_trace::{Action, ActionKind, Event, Execution, Finding, Monitor};

use super::{Mutant, Operator};

/// Was nothing that the fault could change seen in the tree without it?
pub fn is_none(mutant: &Mutant) -> bool {
    let passed = &mutant.passed;
    let is_read = matches!(passed.action, ActionKind::Read | ActionKind::PlainRead);
    match mutant.operator {
        Operator::Empty if is_read => !passed.finds_something,
        Operator::Empty => !passed.finds_something && !passed.changes_something,
        Operator::Drop | Operator::Later => !is_read && !passed.changes_something,
        Operator::Split | Operator::Relax | Operator::DropBarrier | Operator::Skip => false,
    }
}

/// A monitor of a mutant's executions: has the fault any effect?
#[derive(Clone, Debug)]
pub struct Effect {
    site: Site,
    operator: Operator,
    seen: Arc<AtomicBool>,
}

impl Effect {
    /// Of this mutant.
    pub fn of(mutant: &Mutant) -> Effect {
        Effect { site: mutant.site, operator: mutant.operator, seen: Arc::default() }
    }

    fn is_asked(&self) -> bool {
        matches!(self.operator, Operator::Later | Operator::Split)
    }

    /// Is it known to have had none in any execution so far?
    pub fn was_none(&self) -> bool {
        self.is_asked() && !self.seen.load(Relaxed)
    }
}

impl Monitor for Effect {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        if !self.is_asked() || self.seen.load(Relaxed) {
            return None;
        }
        let events = execution.events;
        let is_step = |event: &Event| !event.action.is_note() && event.action != Action::Fence;
        for (index, event) in events.iter().enumerate() {
            let function = execution.paths.innermost(event.path);
            if !self.site.has(function, event.primitive, event.name, event.bit) {
                continue;
            }
            let is_own = |other: &&Event| other.task == event.task && is_step(other);
            let own = events[..index].iter().rposition(|other| is_own(&other)).unwrap_or(0);
            let is_there = |other: &Event| {
                // Who looks between load and store finds what was there before the update.
                let is_write =
                    matches!(other.action, Action::Write | Action::PlainWrite | Action::Update);
                let is_seen = self.operator == Operator::Later || is_write;
                is_step(other) && other.object == event.object && is_seen
            };
            // Who puts a store off past a step of its own on the word finds something else itself.
            let is_past_own = self.operator == Operator::Later && is_there(&events[own]);
            if is_past_own || events[own + 1..index].iter().any(is_there) {
                self.seen.store(true, Relaxed);
            }
        }
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }
}
