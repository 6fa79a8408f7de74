//! The sites that executions pass: what can be edited ([`crate::edits`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use selvedge_trace::ActionKind::{self, Choice, Join, Spawn};
use selvedge_trace::{Class, Event, Execution, Finding, Monitor, Order, Site};

/// A monitor that lists the sites of all steps on objects, of barriers, and of waits for another
/// task's end within a function. Keep a clone, and ask it when the exploration is over.
#[derive(Clone, Debug, Default)]
pub struct Sites(Arc<Mutex<BTreeMap<Site, Passed>>>);

/// What was seen at a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Passed {
    /// What the step was, the first time.
    pub action: ActionKind,
    /// The ordering that it carries.
    pub order: Order,
    /// How many steps there were, in all executions together.
    pub times: u64,
    /// Whether some step read anything but 0.
    pub finds_something: bool,
    /// Whether some step left another value than was there, as far as is known.
    pub changes_something: bool,
    /// The next step of the call that is no barrier, the first time.
    pub next: Option<Next>,
}

/// A step that comes after another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    /// Where: without its number.
    pub site: Site,
    /// What it is.
    pub action: ActionKind,
    /// Whether a barrier is between the two.
    pub after_barrier: bool,
}

impl Sites {
    /// The sites, each with function, object and number.
    ///
    /// # Panics
    /// If a thread that explored has panicked here.
    pub fn passed(&self) -> BTreeMap<Site, Passed> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

impl Monitor for Sites {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let mut counts: BTreeMap<(u8, u32, Site), u32> = BTreeMap::new();
        // What is known to be in words.
        let mut values: BTreeMap<u32, u64> = BTreeMap::new();
        let mut passed = self.0.lock().expect("nobody panics with it");
        let is_step = |event: &&Event| {
            let action = event.action.kind();
            let is_join_of_scenario =
                action == Join && execution.paths.innermost(event.path).is_none();
            !action.is_note() && !matches!(action, Choice | Spawn) && !is_join_of_scenario
        };
        for (index, event) in execution.events.iter().enumerate() {
            if !is_step(&event) {
                continue;
            }
            let site = Site::of_event(event, execution.paths);
            let count = counts.entry((event.task, event.call, site)).or_default();
            let known = passed.entry(site.nth(*count)).or_insert_with(|| {
                let later = execution.events[index + 1..].iter().filter(is_step);
                Passed {
                    action: event.action.kind(),
                    order: event.order,
                    times: 0,
                    finds_something: false,
                    changes_something: false,
                    next: next(event, later, execution),
                }
            });
            known.times += 1;
            known.finds_something |= event.old != 0;
            let is_access = event.class == Class::Word;
            let before = if is_access { values.insert(event.object, event.new) } else { None };
            known.changes_something |= !is_access || before != Some(event.new);
            *count += 1;
        }
        None
    }

    /// What is listed does not depend on who lists it.
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }
}

/// The next step of the same call, if there is one.
fn next<'a>(
    event: &Event,
    later: impl Iterator<Item = &'a Event>,
    execution: &Execution<'_>,
) -> Option<Next> {
    let mut after_barrier = false;
    let of_call = |other: &&Event| (other.task, other.call) == (event.task, event.call);
    for other in later.filter(of_call) {
        let (action, site) = (other.action.kind(), Site::of_event(other, execution.paths));
        if action != ActionKind::Fence {
            return Some(Next { site, action, after_barrier });
        }
        after_barrier = true;
    }
    None
}
