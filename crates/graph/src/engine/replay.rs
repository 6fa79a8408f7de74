//! Running the tasks again, along a graph.

use super::{Engine, TaskState, step};
use crate::coroutine::{self, Reply};
use crate::event::{Event, Kind, NONE, mark};
use crate::op::{Announced, What};

impl<const W: usize> Engine<'_, W> {
    pub(super) fn stop_tasks(&mut self) {
        for task in self.tasks.drain(..) {
            if let Some(running) = task.running {
                running.end();
            }
        }
    }

    /// Runs all tasks from the start along the graph, up to where it ends. The task of `revisited`
    /// stops before that read.
    pub(super) fn replay(&mut self, revisited: Option<usize>) {
        self.failure = None;
        self.followed = 0;
        self.stop_tasks();
        coroutine::restart_words();
        let program = self.program.clone();
        self.start(0, Box::new(move || program()));
        for k in 0..self.seen().len() {
            self.followed = k + 1;
            let id = usize::from(self.seen().shape.order[k]);
            let event = self.seen().shape.events[id];
            // Of an update, the write half makes the task go on.
            let is_first_half = event.is_read() && event.has(mark::UPDATE);
            if Some(id) != revisited && !is_first_half {
                self.follow(&event);
            }
            if self.surprise.is_some() {
                return;
            }
        }
        self.followed = usize::MAX;
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
        let spawn = events.iter().position(|event| spawns(event) && event.value != step::END);
        spawn.expect("a task that begins was spawned") as u16
    }
}
