//! Data races: conflicting accesses to one object, of which one is plain, that nothing orders.
//!
//! Found by *happens-before*, with vector clocks: an execution that reaches both accesses shows the
//! race, whichever came first and however far apart they were.

use selvedge_trace::{Action, Context, Execution, Finding, Judges, Monitor, Rule};
use serde_json::Value;

use crate::Clocks;

/// The rule of the race detector.
pub const PLAIN_ACCESSES_DO_NOT_RACE: Rule = Rule("plain accesses do not race");

/// Finds two accesses of different tasks to one object, at least one a write and at least one plain
/// (unmarked), neither of which happens before the other: what KCSAN_STRICT calls a data race.
/// Those of `data_race()` are left out. Not
/// among [`crate::standard`]: the kernel has races that nobody minds, and a claim about something
/// else is not to fail for one. [`crate::for_rule`] has it for the claims about this rule.
///
/// What orders the steps of different tasks:
/// - the release of a lock, and its next acquisition; a wake-up, and the wait that it ends; the
///   start of a task, and its steps; the end of a task, and the join;
/// - a store with release ordering, or any store after a release or full barrier, and a load with
///   acquire ordering, or any load before an acquire or full barrier, that reads what was stored,
///   or what updates in between made of it. An update with full ordering is both, with a full
///   barrier on either side; one that did not happen orders nothing.
///
/// These are the synchronises-with rules of C11 (with the release sequences of C++20), less what
/// holds only by the order in which an engine happened to take independent steps: steps on
/// different bits of a word do not order one another, nor does an update that acquires nothing see
/// what the one before it released. So the races of an execution do not depend on which of the
/// equivalent ones was run, and reduction (DPOR) hides none.
///
/// LKMM orders more: by dependencies, such as an address that was read; a pair that is ordered by
/// these alone is reported here. A stale read (`Event::stale`, weak memory) orders nothing, because
/// the event does not say which store it read. A region with interrupts off and one with preemption
/// off exclude each other on one CPU, which is not known here: only two of a kind are ordered. Nor
/// is anything ordered by one task having been preempted for another: it might have been in the
/// middle of the access.
///
/// Objects are compared as a whole: plain updates of different bits of a word conflict, as they do
/// in the machine.
#[derive(Default)]
pub struct Races {
    clocks: Clocks,
    /// With how many events the next execution begins as the last.
    alike: usize,
}

impl Monitor for Races {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Races>::default()
    }

    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn begins_alike(&mut self, events: usize) {
        self.alike = events;
    }

    // A race is one by what is ordered between two accesses, though they need not be next to each
    // other in any state: a marked access orders steps and is no synchronisation.
    fn judges(&self) -> Judges {
        Judges::Ways(PLAIN_ACCESSES_DO_NOT_RACE.0)
    }

    /// Two stores of one value may order different things.
    fn asks_who_wrote(&self) -> bool {
        true
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let first = self.clocks.begin(execution, std::mem::take(&mut self.alike));
        for (index, event) in execution.events.iter().enumerate().skip(first) {
            if let Some(other) = self.clocks.take(index, event) {
                // It is found again in an execution that begins so.
                self.clocks.take_back(index);
                let message = explain(execution, other, index);
                return Some(Finding {
                    rule: PLAIN_ACCESSES_DO_NOT_RACE,
                    message,
                    event: Some(index),
                });
            }
        }
        None
    }
}

/// Both sides, the earlier one first, as KCSAN reports a race.
fn explain(execution: &Execution<'_>, first: usize, second: usize) -> String {
    let within = |index: usize| {
        let path = execution.events[index].path;
        execution.paths.innermost(path).unwrap_or("the scenario")
    };
    let (here, there) = (within(first), within(second));
    let [first, second] = [first, second].map(|index| side(execution, index));
    format!("data race in {here} / {there}: {first}; {second}")
}

fn side(execution: &Execution<'_>, index: usize) -> String {
    let event = &execution.events[index];
    let (how, values) = match event.action {
        Action::PlainRead => ("plain read", format!("{}", event.old)),
        Action::Read | Action::UpdateFailed => ("marked read", format!("{}", event.old)),
        Action::PlainWrite => ("plain write", format!("{} -> {}", event.old, event.new)),
        _ => ("marked write", format!("{} -> {}", event.old, event.new)),
    };
    let info = execution.tasks.get(usize::from(event.task));
    let context = match event.context {
        Context::Task | Context::Kworker => "task",
        Context::Softirq | Context::Irq => "interrupt",
    };
    let who = info.map_or(context.into(), |info| format!("{context} {}", info.name));
    let on = match info.and_then(|info| info.cpu) {
        Some(_) => format!(" on CPU{}", event.cpu),
        None => String::new(),
    };
    let path = execution.paths.functions(event.path).join("() > ");
    let path = if path.is_empty() { "the scenario".into() } else { format!("{path}()") };
    format!("{how} of {} ({values}) by {who}{on} in {path}, step {index}", event.name)
}
