//! Which steps come before which in every execution that differs from this one in the order of
//! independent steps only: those that depend on each other, and what is between them.

use std::collections::HashMap;

use selvedge_trace::{Action, Event, Touch};

use crate::step::NO_OBJECT;

/// The past of a step, with itself: how many steps of each task are in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Past {
    task: usize,
    steps: Vec<u32>,
}

impl Past {
    /// Does this step come before the one with that past, or is it that one?
    pub(crate) fn is_in(&self, other: &Past) -> bool {
        let count = |past: &Past| past.steps.get(self.task).copied().unwrap_or(0);
        count(other) >= count(self)
    }

    fn add(&mut self, other: &Past) {
        if self.steps.len() < other.steps.len() {
            self.steps.resize(other.steps.len(), 0);
        }
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            *mine = (*mine).max(*theirs);
        }
    }
}

/// The pasts of the steps of an execution, one after another.
#[derive(Default)]
pub(crate) struct Pasts {
    of_tasks: Vec<Past>,
    of_objects: HashMap<u32, Vec<(Touch, Past)>>,
}

impl Pasts {
    /// That of the next step.
    pub(crate) fn step(&mut self, event: &Event) -> Past {
        let task = usize::from(event.task);
        let mut past = self.of_task(task).clone();
        for (touch, before) in self.of_objects.get(&event.object).into_iter().flatten() {
            if touch.depends_on(event.touch) {
                past.add(before);
            }
        }
        if event.action == Action::Join {
            past.add(self.of_task(event.new as usize));
        }
        past.task = task;
        past.steps.resize(past.steps.len().max(task + 1), 0);
        past.steps[task] += 1;
        if event.action == Action::Spawn {
            self.of_task(event.new as usize).add(&past);
        }
        if event.object != NO_OBJECT {
            let of_object = self.of_objects.entry(event.object).or_default();
            of_object.push((event.touch, past.clone()));
        }
        *self.of_task(task) = past.clone();
        past
    }

    fn of_task(&mut self, task: usize) -> &mut Past {
        if self.of_tasks.len() <= task {
            self.of_tasks.resize(task + 1, Past::default());
        }
        &mut self.of_tasks[task]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasts(steps: &[Event]) -> Vec<Past> {
        let mut pasts = Pasts::default();
        steps.iter().map(|step| pasts.step(step)).collect()
    }

    fn read(task: u8, object: u32) -> Event {
        let touch = Touch { reads: 1, ..Touch::default() };
        Event { touch, ..Event::of(task, Action::Read, object) }
    }

    fn write(task: u8, object: u32) -> Event {
        let touch = Touch { writes: 1, ..Touch::default() };
        Event { touch, ..Event::of(task, Action::Write, object) }
    }

    /// Two reads do not depend on each other, but on the write between them.
    #[test]
    fn what_is_between_two_steps_puts_them_in_an_order() {
        let between = pasts(&[read(0, 7), write(1, 7), read(2, 7)]);
        assert!(between[0].is_in(&between[2]) && !between[2].is_in(&between[0]));
        let elsewhere = pasts(&[read(0, 7), write(1, 8), read(2, 7)]);
        assert!(!elsewhere[0].is_in(&elsewhere[2]) && !elsewhere[2].is_in(&elsewhere[0]));
        let by_task = pasts(&[read(0, 7), write(0, 8), write(1, 8)]);
        assert!(by_task[0].is_in(&by_task[2]));
    }

    #[test]
    fn a_task_begins_after_its_start_and_ends_before_who_waited_for_it() {
        let other = |action| Event { new: 1, ..Event::of(0, action, NO_OBJECT) };
        let of = [read(0, 7), other(Action::Spawn), read(1, 8), other(Action::Join), read(0, 9)];
        let pasts = pasts(&of);
        assert!(pasts[0].is_in(&pasts[2]) && pasts[2].is_in(&pasts[4]));
        assert!(!pasts[2].is_in(&pasts[1]));
    }
}
