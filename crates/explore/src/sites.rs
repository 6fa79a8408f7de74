//! The sites that executions pass: what can be edited ([`crate::edits`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use selvedge_trace::{ActionKind, Execution, Finding, Monitor, Order, Site};

/// A monitor that lists the sites of all steps on objects, and of barriers. Keep a clone, and ask it
/// when the exploration is over.
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
        let mut passed = self.0.lock().expect("nobody panics with it");
        for event in execution.events {
            use ActionKind::{Choice, Join, Spawn};
            let action = event.action.kind();
            if action.is_note() || matches!(action, Choice | Join | Spawn) {
                continue;
            }
            let site = Site::of_event(event, execution.paths);
            let count = counts.entry((event.task, event.call, site)).or_default();
            let first = Passed { action, order: event.order, times: 0 };
            passed.entry(site.nth(*count)).or_insert(first).times += 1;
            *count += 1;
        }
        None
    }

    /// What is listed does not depend on who lists it.
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }
}
