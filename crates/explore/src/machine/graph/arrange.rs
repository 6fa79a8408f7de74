//! The record of an execution, in the best order that the execution has.
//!
//! The tasks are run in an order in which each event comes after what it reads from, and nothing
//! more: a write may come before one that it overwrites. If that is no interleaving, and there is
//! one, the record is put into that order. If there is none, a read that sees a value which is not
//! the newest in the order that is shown is marked as stale.

use graph::{At, Does, Execution};
use selvedge_trace::{Action, Event};

use super::with;
use crate::record;

/// Puts the record of the execution that has just ended in order. What was done after the scenario
/// gave up is left out.
pub(super) fn arrange(execution: &Execution<'_>) {
    let given_up = with(|state| state.given_up);
    let by = |events: &mut Vec<Event>, fatal: Option<&mut usize>| {
        if let Some(count) = given_up {
            events.truncate(count);
        }
        if !execution.is_interleaving() {
            let (order, arranged) = in_best_order(execution, events);
            *events = arranged;
            if let Some(fatal) = fatal
                && let Some(place) = order.iter().position(|old| old == fatal)
            {
                *fatal = place;
            }
        }
    };
    record::with(|record| record.arrange(by));
}

/// The events in the order in which they are shown, and for each its place in the record.
fn in_best_order(execution: &Execution<'_>, record: &[Event]) -> (Vec<usize>, Vec<Event>) {
    let mut groups = Groups::new(execution, record);
    let mut words = Words::new(execution);
    let (mut order, mut arranged) = (Vec::new(), Vec::with_capacity(record.len()));
    let mut show = |group: &[usize], arranged: &mut Vec<Event>| {
        arranged.extend(group.iter().map(|&place| record[place]));
        order.extend(group);
    };
    show(groups.next(0), &mut arranged);
    let mut taken = vec![0; execution.tasks()];
    for event in execution.in_best_order().0 {
        let is_first_half = event.is_update && matches!(event.does, Does::Read { .. });
        if is_first_half || event.is_blocked || matches!(event.does, Does::End | Does::Failure) {
            continue;
        }
        let first = arranged.len();
        if event.does != Does::Begin {
            let n = taken[event.at.task];
            taken[event.at.task] += 1;
            let task = groups.task(event.at.task);
            if with(|state| state.exclusions.is_hidden(task, n)) {
                continue;
            }
        }
        show(groups.next(event.at.task), &mut arranged);
        let Some(step) = arranged.get_mut(first) else { continue };
        match event.does {
            Does::Read { word, from, .. } => step.stale = words.is_stale(word, from),
            Does::Write { word, value } => {
                let before = words.write(word, event.at, value);
                if matches!(step.action, Action::Write | Action::PlainWrite) {
                    step.old = before;
                }
            }
            _ => {}
        }
    }
    (order, arranged)
}

/// The events of each task, cut before each step that is an event of the graph: the other ones, of
/// barriers and remarks, go with the step before them.
struct Groups {
    of_task: Vec<OfTask>,
    /// The task of the record that each task of the graph is.
    tasks: Vec<usize>,
}

/// The events of one task.
#[derive(Clone, Default)]
struct OfTask {
    /// Their places in the record.
    places: Vec<usize>,
    /// Where in `places` each group but the first begins.
    groups: Vec<usize>,
    /// How many groups have been taken.
    taken: usize,
}

impl Groups {
    fn new(execution: &Execution<'_>, record: &[Event]) -> Groups {
        let numbers: Vec<usize> =
            with(|state| state.tasks.iter().map(|task| task.number()).collect());
        let mut tasks = vec![0; execution.tasks().max(numbers.iter().max().map_or(0, |n| n + 1))];
        for (task, &of_graph) in numbers.iter().enumerate() {
            tasks[of_graph] = task;
        }
        let mut of_task = vec![OfTask::default(); tasks.len().max(numbers.len()).max(1)];
        for (place, event) in record.iter().enumerate() {
            let task = &mut of_task[usize::from(event.task)];
            if !event.action.is_note() && event.action != Action::Fence {
                task.groups.push(task.places.len());
            }
            task.places.push(place);
        }
        Groups { of_task, tasks }
    }

    /// The task of the record that a task of the graph is.
    fn task(&self, task: usize) -> usize {
        if task == 0 { 0 } else { self.tasks[task] }
    }

    /// The next group of a task of the graph; the first is what it did before its first step.
    fn next(&mut self, task: usize) -> &[usize] {
        let task = self.task(task);
        let task = &mut self.of_task[task];
        let cut = |group: usize| task.groups.get(group).copied().unwrap_or(task.places.len());
        let from = task.taken.checked_sub(1).map_or(0, cut);
        let to = cut(task.taken);
        task.taken += 1;
        &task.places[from..to]
    }
}

/// How far the words have come in the order that is shown.
struct Words {
    /// The place of each write in the coherence order of its word, by its task and index; the
    /// initial value's is 0.
    places: Vec<Vec<usize>>,
    /// The values of each word, in that order, as far as they have been shown.
    values: Vec<Vec<u64>>,
    /// The highest place that has been shown.
    newest: Vec<usize>,
}

impl Words {
    fn new(execution: &Execution<'_>) -> Words {
        let words = 0..execution.words();
        let of_task = |task| vec![0; execution.events(task).len()];
        let mut places: Vec<Vec<usize>> = (0..execution.tasks()).map(of_task).collect();
        for (write, place) in words.clone().flat_map(|word| execution.writes(word).zip(1..)) {
            places[write.task][write.index] = place;
        }
        let values = words.clone().map(|word| {
            let mut values = vec![0; 1 + execution.writes(word).len()];
            values[0] = execution.initial_value(word);
            values
        });
        Words { places, values: values.collect(), newest: words.map(|_| 0).collect() }
    }

    fn is_stale(&self, word: usize, from: Option<At>) -> bool {
        from.map_or(0, |write| self.places[write.task][write.index]) < self.newest[word]
    }

    /// Notes a write; returns the value before it, as far as that has been shown.
    fn write(&mut self, word: usize, at: At, value: u64) -> u64 {
        let place = self.places[at.task][at.index];
        self.values[word][place] = value;
        self.newest[word] = self.newest[word].max(place);
        self.values[word][place - 1]
    }
}
