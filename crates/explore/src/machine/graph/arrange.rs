//! The record of an execution, in the best order that the execution has.
//!
//! Most often the tasks have been run in that order, and there is nothing to be done. If one has
//! failed, or tasks would be started in another order, they have been run in the order in which
//! events were added, in which a write may come before one that it overwrites. If that is no
//! interleaving, and there is one, the record is put into that order. If there is none, a read that
//! sees a value which is not the newest in the order that is shown is marked as stale.
//!
//! Where there are interrupts the record itself is out of order: a step is recorded when its task
//! has given back what keeps interrupts off, and others may have seen by then what it did.

use graph::{At, BestOrder, Does, Execution, Keeps};
use selvedge_trace::{Action, Event};

use super::with;
use crate::record;

/// Puts the record of the execution that has just ended in order. What was done after the scenario
/// gave up is left out.
pub(super) fn arrange(execution: &Execution<'_>) {
    let (given_up, some_are_late) = with(|state| (state.given_up, state.exclusions.are_there));
    if execution.ran_in_best_order() && !some_are_late {
        return;
    }
    let by = |events: &mut Vec<Event>, fatal: Option<&mut usize>| {
        // What is late may have been done before.
        if let Some(count) = given_up.filter(|_| !some_are_late) {
            events.truncate(count);
        }
        let (first, order) = in_best_order(execution, events);
        if let Some(fatal) = fatal
            && let Some(place) = order.iter().position(|old| old == fatal)
        {
            *fatal = first + place;
        }
    };
    record::with(|record| record.arrange(by));
}

/// Puts the record into the order in which it is shown. Returns how many first events stay where
/// they are, and of the others, for each its old place.
fn in_best_order(execution: &Execution<'_>, record: &mut Vec<Event>) -> (usize, Vec<usize>) {
    let best = execution.in_best_order();
    let (some_are_hidden, has_given_up) =
        with(|state| (state.exclusions.are_there, state.given_up.is_some()));
    // What is stale is marked, wherever it is.
    if is_interleaving(&best) && !some_are_hidden {
        return (record.len(), Vec::new());
    }
    // The record says what came after which step, if all was recorded when it was done.
    let is_in_place = best.keeps() == Keeps::Everything && !some_are_hidden && !has_given_up;
    let unmoved = if is_in_place { best.unmoved() } else { 0 };
    let mut groups = Groups::new(execution, record.len());
    let mut words = Words::new(execution, best.keeps());
    let mut steps = 0;
    for event in best.events().take(unmoved) {
        steps += usize::from(groups.is_recorded(&event));
        if let Does::Write { word, value } = event.does {
            words.write(word, event.at, value);
        }
    }
    let first = if unmoved > 0 { groups.skip(steps, record) } else { 0 };
    groups.of(record, first);
    let (mut order, mut arranged) =
        (Vec::with_capacity(record.len() - first), Vec::with_capacity(record.len() - first));
    if unmoved == 0 {
        groups.take(0, record, &mut order);
        arranged.extend(order.iter().map(|&place| record[place]));
    }
    let mut taken = vec![0; execution.tasks()];
    for event in best.events().skip(unmoved) {
        if some_are_hidden && has_given_up && event.does == Does::Failure {
            break;
        }
        if !has_group(&event) {
            continue;
        }
        if some_are_hidden && event.does != Does::Begin {
            let n = taken[event.at.task];
            taken[event.at.task] += 1;
            let task = groups.task(event.at.task);
            if with(|state| state.exclusions.is_hidden(task, n)) {
                continue;
            }
        }
        let at = order.len();
        groups.take(event.at.task, record, &mut order);
        arranged.extend(order[at..].iter().map(|&place| record[place]));
        let Some(step) = arranged.get_mut(at) else { continue };
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
    record.truncate(first);
    record.append(&mut arranged);
    (first, order)
}

/// Did the tasks run in an order in which each read saw the newest value?
fn is_interleaving(best: &BestOrder<'_>) -> bool {
    best.keeps() == Keeps::Everything && best.unmoved() == best.events().len()
}

/// Does an event of the graph stand for a group of the record? Not the first half of an update, nor
/// who waits for good.
fn has_group(event: &graph::Event) -> bool {
    let is_first_half = event.is_update && matches!(event.does, Does::Read { .. });
    !(is_first_half || event.is_blocked || matches!(event.does, Does::End | Does::Failure))
}

/// The events of each task, cut before each step that is an event of the graph: the other ones, of
/// barriers and remarks, go with the step before them.
struct Groups {
    /// The task of the record that each task of the graph is.
    tasks: Vec<usize>,
    /// For each event of the record, the next one of its task.
    next: Vec<usize>,
    /// For each task, the first event that has not been taken.
    left: Vec<usize>,
    /// Has the task's first group, what it did before its first step, been taken?
    has_begun: Vec<bool>,
}

/// No event.
const NONE: usize = usize::MAX;

impl Groups {
    /// Of a record of so many events.
    fn new(execution: &Execution<'_>, count: usize) -> Groups {
        let tasks = with(|state| {
            let numbers = || state.tasks.iter().map(|task| task.number());
            let count = execution.tasks().max(numbers().max().map_or(0, |n| n + 1));
            let mut tasks = vec![0; count.max(numbers().len())];
            for (task, of_graph) in numbers().enumerate() {
                tasks[of_graph] = task;
            }
            tasks
        });
        let left = vec![NONE; tasks.len().max(1)];
        let has_begun = vec![false; left.len()];
        Groups { tasks, next: Vec::with_capacity(count), left, has_begun }
    }

    /// Notes an event of the graph whose group stays where it is. Is it a step of the record?
    fn is_recorded(&mut self, event: &graph::Event) -> bool {
        if event.does == Does::Begin {
            let task = self.task(event.at.task);
            self.has_begun[task] = true;
        }
        has_group(event) && event.does != Does::Begin
    }

    /// Leaves out what stays where it is: what the main task did before its first step, so many
    /// steps, and what goes with them. Returns how many events these are.
    fn skip(&mut self, steps: usize, record: &[Event]) -> usize {
        self.has_begun[0] = true;
        let places = record.iter().enumerate().filter(|(_, event)| is_step(event));
        let mut first = places.map(|(place, _)| place).nth(steps).unwrap_or(record.len());
        // What others did before their first step comes right after that, and goes with them.
        while first > 0 && !self.has_begun[usize::from(record[first - 1].task)] {
            first -= 1;
        }
        first
    }

    /// Cuts what comes from this place on.
    fn of(&mut self, record: &[Event], first: usize) {
        self.next.resize(record.len(), NONE);
        for (place, event) in record.iter().enumerate().skip(first).rev() {
            let left = &mut self.left[usize::from(event.task)];
            self.next[place] = std::mem::replace(left, place);
        }
    }

    /// The task of the record that a task of the graph is.
    fn task(&self, task: usize) -> usize {
        if task == 0 { 0 } else { self.tasks[task] }
    }

    /// Takes the next group of a task of the graph; the first is what it did before its first step.
    fn take(&mut self, task: usize, record: &[Event], order: &mut Vec<usize>) {
        let task = self.task(task);
        let mut place = self.left[task];
        let mut is_first = std::mem::replace(&mut self.has_begun[task], true);
        while place != NONE && (is_first || !is_step(&record[place])) {
            order.push(place);
            place = self.next[place];
            is_first = false;
        }
        self.left[task] = place;
    }
}

/// Is it an event of the graph?
fn is_step(event: &Event) -> bool {
    !event.action.is_note() && event.action != Action::Fence
}

/// How far the words have come in the order that is shown.
struct Words {
    /// The newest value of each word that has been shown.
    values: Vec<u64>,
    /// If writes may be shown after one that overwrites them, or reads after one that overwrites
    /// what they see.
    coherence: Option<Coherence>,
}

impl Words {
    fn new(execution: &Execution<'_>, keeps: Keeps) -> Words {
        let values = (0..execution.words()).map(|word| execution.initial_value(word)).collect();
        let is_interleaving = keeps == Keeps::Everything;
        Words { values, coherence: (!is_interleaving).then(|| Coherence::new(execution)) }
    }

    fn is_stale(&self, word: usize, from: Option<At>) -> bool {
        self.coherence.as_ref().is_some_and(|coherence| coherence.is_stale(word, from))
    }

    /// Notes a write; returns the value before it, as far as that has been shown.
    fn write(&mut self, word: usize, at: At, value: u64) -> u64 {
        match &mut self.coherence {
            Some(coherence) => coherence.write(word, at, value),
            None => std::mem::replace(&mut self.values[word], value),
        }
    }
}

/// The same in coherence order, where that is not the order that is shown.
struct Coherence {
    /// The place of each write in the coherence order of its word, by its task and index; the
    /// initial value's is 0.
    places: Vec<Vec<usize>>,
    /// The values of each word, in that order, as far as they have been shown.
    values: Vec<Vec<u64>>,
    /// The highest place that has been shown.
    newest: Vec<usize>,
}

impl Coherence {
    fn new(execution: &Execution<'_>) -> Coherence {
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
        Coherence { places, values: values.collect(), newest: words.map(|_| 0).collect() }
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
