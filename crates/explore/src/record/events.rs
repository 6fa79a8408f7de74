//! The events of an execution. A search over all schedules begins most executions as it began the
//! one before: what that one has recorded of the common beginning is kept, and not made again.

use selvedge_trace::Event;

#[derive(Default)]
pub(super) struct Events {
    /// Those of this execution, then those of the last, up to where the two part.
    list: Vec<Event>,
    /// How many have happened.
    count: usize,
    /// How many happened before each step that the engine counts: where executions can part.
    before_step: Vec<usize>,
    /// How many of the first are what they were when the events were [shown](Events::shown) last,
    /// and in which execution that was.
    unchanged: usize,
    shown_in: u64,
}

impl Events {
    /// A new execution, whose first steps, so many, are those of the last one.
    pub(super) fn begin(&mut self, steps_in_common: usize) {
        self.count = 0;
        // A step that takes no part in the record is one of a pair: the other one does.
        let first_new = self.before_step.get(steps_in_common).or(self.before_step.last());
        self.forget_from(first_new.copied().unwrap_or(0));
        self.before_step.truncate(steps_in_common);
    }

    fn forget_from(&mut self, first: usize) {
        self.list.truncate(first);
        self.unchanged = self.unchanged.min(first);
    }

    /// The execution begins with these, which a set-up has made: notes, no steps.
    pub(super) fn begin_with(&mut self, set_up: &[Event]) {
        if self.list.len() < set_up.len() {
            self.forget_from(0);
            self.list.extend_from_slice(set_up);
        }
        self.count = set_up.len();
    }

    /// The events that have happened, in order.
    pub(super) fn happened(&self) -> &[Event] {
        &self.list[..self.count]
    }

    /// One of them, to be completed.
    pub(super) fn complete(&mut self, at: usize) -> &mut Event {
        self.unchanged = self.unchanged.min(at);
        &mut self.list[..self.count][at]
    }

    /// They are shown now, in this execution. Returns how many of the first are as they were in the
    /// one before, if that was the last one in which they were shown; else 0.
    pub(super) fn shown(&mut self, now: u64, before: u64) -> usize {
        let unchanged = std::mem::replace(&mut self.unchanged, self.count).min(self.count);
        let is_last = std::mem::replace(&mut self.shown_in, now) == before;
        if is_last { unchanged } else { 0 }
    }

    /// The engine has counted so many steps with the one that is recorded next.
    pub(super) fn count_steps(&mut self, steps: usize) {
        if self.before_step.len() < steps {
            self.before_step.resize(steps, self.count);
        }
    }

    /// The next event, if it is known from the last execution.
    #[inline]
    pub(super) fn known(&self) -> Option<&Event> {
        self.list.get(self.count)
    }

    /// Goes on to the next event if it is known from the last execution. One that `is_it` does not
    /// take for the same ends what the executions have in common.
    #[inline]
    pub(super) fn repeat(&mut self, is_it: impl FnOnce(&Event) -> bool) -> bool {
        let Some(known) = self.known() else { return false };
        let is_known = is_it(known);
        if is_known {
            self.count += 1;
        } else {
            self.part();
        }
        is_known
    }

    /// From here on nothing is known of what will happen.
    fn part(&mut self) {
        self.forget_from(self.count);
        while self.before_step.pop_if(|before| *before > self.count).is_some() {}
    }

    /// Adds an event that is new.
    #[inline]
    pub(super) fn push(&mut self, event: Event) {
        self.list.push(event);
        self.count += 1;
    }

    /// Lets `by` change all that has happened.
    pub(super) fn arrange(&mut self, by: impl FnOnce(&mut Vec<Event>)) {
        self.part();
        by(&mut self.list);
        self.count = self.list.len();
        self.unchanged = 0;
        self.before_step.clear();
    }

    /// Takes the last event back.
    pub(super) fn take_back(&mut self) {
        self.count -= 1;
        self.part();
    }
}
