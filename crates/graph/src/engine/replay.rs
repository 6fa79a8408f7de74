//! Running the tasks again, along a graph.
//!
//! They run in the best order that the graph has (`order.rs`). What is added later is the newest,
//! and stays in the order in which it is added, so that this is the best order of the whole
//! execution as well, in which it is shown; and executions that follow one another in the search
//! begin alike for long.

use super::{Engine, TaskState};
use crate::coroutine::{self, Reply};
use crate::event::{END, Event, Id, Kind, NONE, mark};
use crate::graph::{Graph, Shape, WordShape};
use crate::op::{Announced, What};
use crate::order::Keeps;
use crate::resorted::Resorted;
use crate::steps::{self, Step};

/// The order in which tasks run along a graph.
#[derive(Default)]
pub(super) struct Way {
    /// Of each operation that is known, its last event.
    steps: Vec<Id>,
    /// How many events were known.
    known: usize,
    /// Of each operation that was not, and has been added, its last event.
    added: Vec<Id>,
    /// All operations of the run before this one.
    before: Vec<Id>,
    /// The events with numbers below this are as they were in that run.
    unchanged: usize,
    /// Is the run along an interleaving?
    is_plain: bool,
    /// Is it the best order of the execution?
    pub(super) is_best: bool,
    /// If the writes do not happen in the order in which they take effect, what was written last
    /// to each word, and by which event.
    last: Option<Vec<(u64, Id)>>,
    // Memory that is used again.
    best: Resorted,
    newest: Vec<usize>,
}

impl Way {
    /// Goes along this graph; in the order in which its events were added, if that `is_asked`, or
    /// if they should not be run in another one.
    fn begin<const W: usize>(
        &mut self,
        graph: &Graph<W>,
        revisited: Option<usize>,
        is_asked: bool,
    ) {
        let shape = &graph.shape;
        // What others do after one has failed depends on the order.
        let may_be_best = !is_asked && graph.failures == 0;
        let keeps = may_be_best.then(|| graph.resort(&mut self.best)).flatten();
        // The order in which they are started numbers the tasks.
        let is_fit = keeps.is_none() || starts_in_order(graph, &self.best);
        let keeps = keeps.filter(|_| is_fit);
        // The best order that does not keep coherence is that in which events were added.
        self.is_best = may_be_best && is_fit;
        let initial = |word: &WordShape| (word.initial, NONE);
        self.last = keeps.is_none().then(|| shape.words.iter().map(initial).collect());
        self.known = graph.len();
        let is_plain = keeps == Some(Keeps::Everything);
        let was_plain = std::mem::replace(&mut self.is_plain, is_plain);
        let unchanged = std::mem::replace(&mut self.unchanged, usize::MAX);
        let unchanged = if was_plain { unchanged } else { 0 };
        self.steps.append(&mut self.added);
        std::mem::swap(&mut self.steps, &mut self.before);
        self.steps.clear();
        let order = if keeps.is_some() { &self.best.order } else { &shape.order };
        for &id in order {
            if Some(usize::from(id)) == revisited {
                break;
            }
            let event = shape.event(id);
            if !(event.is_read() && event.has(mark::UPDATE)) {
                self.steps.push(id);
            }
        }
        if is_plain {
            let ids = self.steps.iter().zip(&self.before);
            let same = ids.take_while(|&(id, b)| id == b && usize::from(*id) < unchanged).count();
            let steps = self.steps[same..].iter().map(|&id| Step::of(shape, id));
            steps::begin(same, steps, true);
            return;
        }
        self.newest.clear();
        self.newest.resize(shape.words.len(), 0);
        let mut known = Vec::with_capacity(self.steps.len());
        for n in 0..self.steps.len() {
            let id = self.steps[n];
            let step = self.with_replaced(shape, id, Step::of(shape, id));
            let is_stale = is_stale(shape, id, &mut self.newest);
            known.push(if is_stale { step.stale() } else { step });
        }
        steps::begin(0, known.into_iter(), keeps.is_some());
    }

    /// The events from this number on are not those of the last run any more.
    pub(super) fn changes_from(&mut self, id: usize) {
        self.unchanged = self.unchanged.min(id);
    }

    /// The operation of which this event is the last happens now, and was not known before.
    pub(super) fn add(&mut self, shape: &Shape, last: Id) -> Step {
        self.added.push(last);
        self.with_replaced(shape, last, Step::of(shape, last))
    }

    /// The step of this event, which happens now. If it is a write, what does it replace?
    fn with_replaced(&mut self, shape: &Shape, id: Id, step: Step) -> Step {
        let event = shape.event(id);
        let Some(last) = &mut self.last else { return step };
        if !event.is_write() || event.word == NONE {
            return step;
        }
        let new = shape.words.iter().skip(last.len());
        last.extend(new.map(|word| (word.initial, NONE)));
        let (written, by) =
            std::mem::replace(&mut last[usize::from(event.word)], (event.value, id));
        let before = shape.at(event.word, shape.place(event.word, id) - 1);
        if by == before {
            return step;
        }
        // All that is known happens before what is not.
        let is_known = usize::from(id) < self.known;
        let mut happened = self.steps.iter().take_while(|&&other| !is_known || other != id);
        let has_happened = before == NONE || happened.any(|&other| other == before);
        let replaced = if has_happened { shape.value(event.word, before) } else { 0 };
        if replaced == written { step } else { step.replacing(replaced) }
    }

    /// The newest write to a word that has happened.
    pub(super) fn newest(&self, shape: &Shape, word: u16) -> Id {
        let all = shape.newest(word);
        let Some(taken) = self.steps.get(..steps::steps_taken()) else {
            return shape.at(word, all);
        };
        let is_known = |write: &Id| usize::from(*write) < self.known;
        let writes = (1..=all).rev().map(|place| shape.at(word, place));
        let mut happened = writes.filter(|write| !is_known(write) || taken.contains(write));
        happened.next().unwrap_or(NONE)
    }
}

/// Are tasks started in the same order in this one as in that in which events were added?
fn starts_in_order<const W: usize>(graph: &Graph<W>, best: &Resorted) -> bool {
    // What stays where it was has the number of its place.
    if graph.starts.from(best.unmoved).is_empty() {
        return true;
    }
    let starts = |id: &&Id| graph.starts.has(usize::from(**id));
    let [best, added] = [&best.order, &graph.shape.order].map(|order| order[best.unmoved..].iter());
    best.filter(starts).eq(added.filter(starts))
}

/// Has a newer value been written than this event reads? `newest`: the last place in coherence
/// order of each word so far.
fn is_stale(shape: &Shape, id: Id, newest: &mut [usize]) -> bool {
    let event = shape.event(id);
    if event.word == NONE {
        return false;
    }
    let newest = &mut newest[usize::from(event.word)];
    match event.kind {
        Kind::Read => !event.has(mark::BLOCKED) && shape.place(event.word, event.from) < *newest,
        Kind::Write => {
            *newest = shape.place(event.word, id).max(*newest);
            false
        }
        _ => false,
    }
}

impl<const W: usize> Engine<'_, W> {
    pub(super) fn stop_tasks(&mut self) {
        for task in self.tasks.drain(..) {
            if let Some(running) = task.running {
                running.end();
            }
        }
    }

    /// Runs all tasks from the start along the graph, up to where it ends, or up to `revisited`, a
    /// read.
    pub(super) fn replay(&mut self, revisited: Option<usize>) {
        self.follow_all(revisited, false);
    }

    /// The same, in the order in which events were added.
    pub(super) fn replay_as_added(&mut self) {
        self.follow_all(None, true);
    }

    fn follow_all(&mut self, revisited: Option<usize>, as_added: bool) {
        self.failure = None;
        self.stop_tasks();
        coroutine::restart_words();
        let top = self.levels.last().expect("tasks run along a graph");
        self.way.begin(&top.graph, revisited, as_added);
        let program = self.program.clone();
        self.start(0, Box::new(move || program()));
        while let Some(&id) = self.way.steps.get(steps::steps_taken()) {
            let event = *self.seen().shape.event(id);
            steps::happens();
            self.follow(&event);
            if self.surprise.is_some() {
                return;
            }
        }
    }

    /// Starts a task, which runs up to its first operation.
    fn start(&mut self, task: usize, body: Box<dyn FnOnce()>) {
        if self.tasks.len() <= task {
            self.tasks.resize_with(task + 1, TaskState::default);
        }
        self.tasks[task].running = Some(coroutine::start(body, self.search.stack));
        if task == 0 {
            self.go_on(task, Reply::default());
        } else {
            // The body runs when the beginning is an event.
            self.tasks[task].next = Some(Announced::new(What::Begin));
        }
    }

    /// Makes room for the words that the running task has made.
    pub(super) fn declare_words(&mut self) {
        let top = self.levels.last_mut().expect("tasks run along a graph");
        coroutine::words_made(|word, initial| top.graph.declare(word, initial));
    }

    /// A task does what it did in the graph.
    fn follow(&mut self, event: &Event) {
        let task = usize::from(event.task);
        let next = self.tasks.get(task).and_then(|state| state.next.as_ref());
        if let Err(surprise) = self.is_same(next, event) {
            self.surprise = Some(surprise);
            return;
        }
        if event.has(mark::BLOCKED) {
            self.tasks[task].is_stopped = true;
            return;
        }
        let shape = &self.seen().shape;
        let reply = if event.is_write() && event.has(mark::UPDATE) {
            Reply { value: shape.event(shape.read_half(event)).value, done: true }
        } else {
            Reply { value: event.value, done: false }
        };
        self.happen(task, reply);
    }

    /// Is the operation that a task has announced the one that the event comes from?
    fn is_same(&self, next: Option<&Announced>, event: &Event) -> Result<(), String> {
        let Some(next) = next else {
            return Err(format!("task {} has ended early", event.task));
        };
        let is_same = next.word == event.word
            && match (&next.what, event.kind) {
                (What::Read | What::Wait(_) | What::Begin | What::Join(_), Kind::Read) => true,
                (What::Update(_) | What::WaitUpdate(_), Kind::Read | Kind::Write) => true,
                (What::Lock | What::TryLock, Kind::Read | Kind::Write) => true,
                (What::Write(value), Kind::Write) => *value == event.value,
                (What::Unlock | What::Spawn(_) | What::End, Kind::Write) => true,
                (What::GracePeriod, Kind::GracePeriod) => true,
                (What::SectionBegins, Kind::SectionBegins) => true,
                (What::SectionEnds, Kind::SectionEnds) => true,
                (What::Choose(count), Kind::Choice) => event.value < u64::from(*count),
                (What::Fail(_), Kind::Failure) => true,
                _ => false,
            };
        if is_same {
            return Ok(());
        }
        let word =
            |word: u16| if word == NONE { String::new() } else { format!(" of word {word}") };
        Err(format!(
            "task {} did not repeat its operation {}, a {:?}{}, but was at another{}",
            event.task,
            event.index,
            event.kind,
            word(event.word),
            word(next.word),
        ))
    }

    /// The announced operation of a task has happened: the task goes on.
    pub(super) fn happen(&mut self, task: usize, reply: Reply) {
        let next = self.tasks[task].next.take().expect("it has announced an operation");
        match next.what {
            What::Spawn(body) => {
                let body = body.expect("a body is spawned once");
                self.go_on(task, reply);
                self.start(reply.value as usize, body);
                self.end_when_done(task);
            }
            What::Fail(message) => {
                self.failure.get_or_insert(message.clone());
                self.tasks[task].next = Some(Announced::new(What::Fail(message)));
                self.tasks[task].is_stopped = true;
            }
            What::End => {}
            _ => {
                self.go_on(task, reply);
                self.end_when_done(task);
            }
        }
    }

    /// A spawned task whose body has returned announces its end.
    fn end_when_done(&mut self, task: usize) {
        if task > 0 && self.tasks[task].next.is_none() {
            self.tasks[task].next =
                Some(Announced { marks: mark::RELEASE | mark::TASK, ..Announced::new(What::End) });
        }
    }

    /// The number of the next task to be spawned.
    pub(super) fn next_number(&self) -> u64 {
        self.tasks.len() as u64
    }

    /// The spawn of this task.
    pub(super) fn spawn_of(&self, task: usize) -> u16 {
        let spawns =
            |event: &Event| event.is_write() && event.word == NONE && event.value == task as u64;
        let events = &self.seen().shape.events;
        let spawn = events.iter().position(|event| spawns(event) && event.value != END);
        spawn.expect("a task that begins was spawned") as u16
    }
}
