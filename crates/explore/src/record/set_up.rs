//! What a search keeps of what its scenario has built: see [`crate::set_up`].

use std::any::Any;
use std::sync::Arc;

use selvedge_trace::Event;

use super::Record;
use crate::edits::{self, Edit};

/// A set-up, and what it did to the record.
pub(super) struct SetUp {
    built: Arc<dyn Any + Send + Sync>,
    objects: u32,
    calls: u32,
    edits: &'static [Edit],
    events: Vec<Event>,
}

impl Record {
    /// From now on a set-up is used again in the executions of this search.
    pub(crate) fn reuse_set_ups(&mut self) {
        // A state is also what is booked, and what each object was made of: made, not taken back.
        self.reuses_set_ups = self.shared.is_none();
    }

    /// Is it main that has done nothing but to make objects, and to book references to them?
    fn has_only_built(&self) -> bool {
        let is_alone = self.tasks.len() == 1 && self.steps == 0;
        is_alone && self.put_off.is_empty() && self.reached.is_empty() && self.finding.is_none()
    }

    /// What an earlier execution of the search has set up. The record is then as if this one had.
    pub(crate) fn set_up_again(&mut self) -> Option<Arc<dyn Any + Send + Sync>> {
        let is_at_its_beginning = self.objects == 0 && self.has_only_built();
        let set_up = self.set_up.as_ref().filter(|_| is_at_its_beginning)?;
        self.objects = set_up.objects;
        self.calls = set_up.calls;
        self.edits = edits::State::of(set_up.edits);
        self.events.begin_with(&set_up.events);
        self.machine.make_again();
        Some(set_up.built.clone())
    }

    /// Main has set this up. It is used again if that can be done.
    pub(crate) fn keep_set_up(&mut self, built: Arc<dyn Any + Send + Sync>) {
        if self.reuses_set_ups && self.has_only_built() && self.machine.keep_made() {
            let (edits, _) = self.edits.used();
            let events = self.events.happened().to_vec();
            let (objects, calls) = (self.objects, self.calls);
            self.set_up = Some(SetUp { built, objects, calls, edits, events });
        }
    }
}
