//! The search: every consistent execution graph once.
//!
//! TruSt (Kokologiannakis, Marmanis, Gladstein, Vafeiadis, POPL 2022). A graph grows by one event
//! at a time, of the first task that can go on. A read takes each write that is consistent, a write
//! each place in coherence order (`step.rs`): the newest goes on in the same graph, the others are
//! noted as alternatives. A write may besides be read by reads that were there before it: these are
//! *revisited* (`revisit.rs`). What was added after the read, and is not before the write, is
//! deleted and comes again. For a graph to be reached in one way only, it may be revisited only if
//! all that is deleted was added as the newest (`maximal.rs`).
//!
//! The search goes deep first. A *level* is a graph and its alternatives; taking an alternative
//! cuts the graph back to where it was noted. A revisit makes a level of its own. The memory is
//! that of the levels, of which there are no more than revisits on the way to one graph.
//!
//! Levels have nothing to do with each other: several workers may explore them (`part.rs`).
//!
//! Tasks cannot be put back. For each graph they run again from the start, in the best order that
//! the graph has (`replay.rs`).

mod maximal;
mod part;
mod replay;
mod revisit;
mod step;
mod weight;

use crate::bits::Bits;
use crate::coroutine::{Reply, Running};
use crate::event::{END, Event, Id, NONE, mark};
use crate::execution::{End, Execution};
use crate::graph::Graph;
use crate::op::{Announced, What};
use crate::search::{Counts, Model, Next, Observer, Program, Search};

pub(crate) use part::{EVENTS_MAX, Explored, Part, Run};
use replay::Way;
use revisit::Revisited;
pub(crate) use weight::WHOLE;

/// What is done instead; the graph is cut back to `at` events before.
struct Alternative {
    at: usize,
    then: Then,
    /// Its part of the search: `weight.rs`.
    weight: u64,
}

enum Then {
    /// This event.
    Add { event: Event, place: usize },
    /// An update. `fits`: its write is consistent with the rest; if not, only the reads that the
    /// write revisits are of interest.
    Update { read: Event, write: Event, place: usize, fits: bool },
    /// `read` reads from `write` instead (which is not in the graph, but if it is an update's, its
    /// read half is).
    Revisit { write: Event, read: usize },
    /// Taking a lock: before the task of `owner` (the read half of its acquisition) does.
    Steal { read: Event, write: Event, owner: usize },
}

/// A graph of which not everything has been explored.
struct Level<const W: usize> {
    graph: Graph<W>,
    alternatives: Vec<Alternative>,
    /// A read that was made to read something else, and of which it is not known yet what becomes
    /// of its operation.
    revisited: Option<usize>,
    /// So many first events are those of the level below.
    shared: usize,
    /// Has the graph changed since the tasks ran?
    is_fresh: bool,
    /// The part of the search that goes on with the graph as it is.
    weight: u64,
}

impl<const W: usize> Level<W> {
    fn new(graph: Graph<W>, revisited: Option<usize>, shared: usize) -> Self {
        Level { graph, alternatives: Vec::new(), revisited, shared, is_fresh: true, weight: 0 }
    }
}

/// A task of the execution that runs.
#[derive(Default)]
struct TaskState {
    running: Option<Running>,
    /// What it is about to do. `None`: it has ended.
    next: Option<Announced>,
    /// It has failed, or waits for what never comes.
    is_stopped: bool,
}

/// Why an engine returned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// Nothing is left.
    Done,
    /// It has run as many executions as it was to.
    Enough,
    /// The observer wants no more, or the program is not fit to be explored.
    Told,
    /// There is no room for another event.
    Full,
}

/// The search, with graphs of at most `64 * W` events.
struct Engine<'a, const W: usize> {
    search: &'a Search,
    program: Program,
    observer: &'a mut dyn Observer,
    levels: Vec<Level<W>>,
    /// Graphs that are done with: memory for others.
    spare: Vec<Graph<W>>,
    /// The new numbers of the events of the graph that was restricted last.
    numbers: Vec<Id>,
    tasks: Vec<TaskState>,
    counts: Counts,
    /// The order in which the tasks run.
    way: Way,
    /// The first failure of the execution that runs.
    failure: Option<String>,
    /// The program did something else than before.
    surprise: Option<String>,
}

impl<const W: usize> Engine<'_, W> {
    /// Explores until there is nothing left, or no room, or there have been `executions_max`.
    fn run(&mut self, executions_max: u64) -> Stopped {
        while let Some(top) = self.levels.last_mut() {
            if top.is_fresh {
                match self.extend() {
                    Some(Next::Continue) if self.counts.executions < executions_max => {}
                    Some(Next::Continue) => return Stopped::Enough,
                    Some(Next::Stop) => return Stopped::Told,
                    None => return Stopped::Full,
                }
            } else if let Some(alternative) = top.alternatives.pop() {
                self.take(alternative);
            } else {
                let Level { graph: mut done, shared, .. } =
                    self.levels.pop().expect("there is a last one");
                if let Some(below) = self.levels.last_mut() {
                    below.graph.take_rows_back(&mut done);
                }
                self.way.changes_from(shared);
                self.spare.push(done);
            }
        }
        Stopped::Done
    }

    fn graph(&mut self) -> &mut Graph<W> {
        &mut self.levels.last_mut().expect("there is a level while the search runs").graph
    }

    fn seen(&self) -> &Graph<W> {
        &self.levels.last().expect("there is a level while the search runs").graph
    }

    fn note(&mut self, at: usize, then: Then) {
        let top = self.levels.last_mut().expect("there is a level while the search runs");
        top.alternatives.push(Alternative { at, then, weight: 0 });
    }

    /// Makes an alternative the graph to go on with.
    fn take(&mut self, Alternative { at, then, weight }: Alternative) {
        let level = self.levels.len() - 1;
        let top = &mut self.levels[level];
        let noted = top.alternatives.len();
        top.weight = weight;
        top.graph.cut(at);
        self.way.changes_from(at);
        match then {
            Then::Add { event, place } => {
                top.graph.push(event, place);
                top.is_fresh = true;
            }
            Then::Update { read, write, place, fits } => {
                top.graph.push(read, 0);
                let write = top.graph.push(write, place);
                top.is_fresh = fits;
                self.note_revisits(write);
            }
            Then::Revisit { write, read } => self.revisit(write, read),
            Then::Steal { read, write, owner } => self.steal(read, write, owner),
        }
        self.share_taken(level, noted);
    }

    /// Runs the tasks along the graph, and on until none can. `None`: there is no room.
    fn extend(&mut self) -> Option<Next> {
        if self.seen().len() + 2 > W * 64 {
            return None;
        }
        let top = self.levels.last_mut().expect("a level is fresh");
        top.is_fresh = false;
        let revisited = top.revisited.take();
        self.replay(revisited);
        if let Some(read) = revisited
            && self.surprise.is_none()
        {
            let noted = self.noted();
            let became = self.finish_revisited(read);
            self.share(noted);
            match became {
                Revisited::Nothing => {
                    self.is_explored();
                    return Some(Next::Continue);
                }
                Revisited::Last => {}
                Revisited::Overwritten => self.replay(None),
            }
        }
        while self.surprise.is_none() {
            let Some(task) = self.next_task() else { break };
            let len = self.seen().len();
            if len >= self.search.events_max.min(EVENTS_MAX) {
                self.counts.given_up += 1;
                self.is_explored();
                return Some(self.tell(&End::TooLong));
            }
            if len + 2 > W * 64 {
                self.levels.last_mut().expect("it was there").is_fresh = true;
                return None;
            }
            let noted = self.noted();
            self.step(task);
            self.share(noted);
        }
        Some(self.ended())
    }

    /// The first task that can go on; if there is none, the first that may wait for ever.
    fn next_task(&self) -> Option<usize> {
        let tasks = 0..self.tasks.len();
        tasks.clone().find(|&task| self.can_go_on(task)).or_else(|| {
            tasks.clone().find(|&task| {
                let task = &self.tasks[task];
                let waits = task
                    .next
                    .as_ref()
                    .is_some_and(|next| matches!(next.what, What::Wait(_) | What::WaitUpdate(_)));
                waits && !task.is_stopped
            })
        })
    }

    /// Does the newest value, or what other tasks have done, let it go on?
    fn can_go_on(&self, task: usize) -> bool {
        let Some(next) = &self.tasks[task].next else { return false };
        if self.tasks[task].is_stopped {
            return false;
        }
        let shape = &self.seen().shape;
        match &next.what {
            What::Join(child) => shape.last(*child).is_some_and(|last| {
                let last = shape.event(last);
                last.is_write() && last.value == END && last.word == NONE
            }),
            What::Lock => shape.newest_value(next.word) == 0,
            What::Wait(condition) => condition(shape.newest_value(next.word)),
            What::WaitUpdate(change) => change.of(shape.newest_value(next.word)).is_some(),
            _ => true,
        }
    }

    /// No task can go on: counts the execution and tells the observer.
    fn ended(&mut self) -> Next {
        if let Some(surprise) = self.surprise.take() {
            self.counts.given_up += 1;
            self.tell(&End::NotDeterministic(surprise));
            return Next::Stop;
        }
        let waiting: Vec<usize> =
            (0..self.tasks.len()).filter(|&task| self.tasks[task].next.is_some()).collect();
        let noted = self.noted();
        for &task in &waiting {
            if matches!(self.tasks[task].next.as_ref().map(|next| &next.what), Some(What::Lock)) {
                self.note_earlier_locks(task);
            }
        }
        self.share(noted);
        self.is_explored();
        let is_real = self.is_real(&waiting);
        if !is_real {
            self.counts.blocked += 1;
            return Next::Continue;
        }
        // What others do after one has failed depends on the order: it is shown in this one.
        if self.failure.is_some() && self.way.is_best {
            self.replay_as_added();
        }
        let end = match self.failure.take() {
            Some(message) => End::Failed(message),
            None if waiting.is_empty() => End::Complete,
            None => End::Deadlock(waiting),
        };
        self.counts.executions += 1;
        self.counts.failures += u64::from(matches!(end, End::Failed(_)));
        self.counts.deadlocks += u64::from(matches!(end, End::Deadlock(_)));
        self.tell(&end)
    }

    /// Is it an execution? Not if a task waits on account of a value that is not the newest: it
    /// will see another. Nor if a grace period does not wait for a section.
    fn is_real(&mut self, waiting: &[usize]) -> bool {
        let shape = &self.seen().shape;
        let is_transient = |&task: &usize| {
            shape.last(task).is_some_and(|last| {
                let last = shape.event(last);
                last.has(mark::BLOCKED) && last.from != shape.at(last.word, shape.newest(last.word))
            })
        };
        if waiting.iter().any(is_transient) {
            return false;
        }
        let graph = self.graph();
        if graph.waits_for_readers() {
            match graph.model {
                Model::Kernel => graph.refresh(),
                // These rows are not kept.
                Model::Sc => _ = graph.fill_kernel(0, &Bits::below(graph.len())),
            }
            return graph.grace_periods_wait();
        }
        true
    }

    fn tell(&mut self, end: &End) -> Next {
        let graph = &self.levels.last().expect("an execution has a graph").graph;
        self.counts.events_max = self.counts.events_max.max(graph.len());
        let race = if self.search.races { graph.race() } else { None };
        self.counts.racy += u64::from(race.is_some());
        self.observer.execution_ended(end, &Execution::new(graph, race, self.way.is_best))
    }

    /// The write that a new read of this word takes first.
    fn newest(&self, word: u16) -> (Id, usize) {
        let shape = &self.seen().shape;
        let place = shape.newest(word);
        (shape.at(word, place), place)
    }

    /// Lets the announced operation of a task happen, and runs it to its next one.
    fn go_on(&mut self, task: usize, reply: Reply) {
        let mut next = self.resume(task, reply);
        while let Some(Announced { what: What::Peek, word, .. }) = next {
            next = self.resume(task, Reply { value: self.newest_followed(word), done: false });
        }
        self.tasks[task].next = next;
    }

    fn resume(&mut self, task: usize, reply: Reply) -> Option<Announced> {
        let running = self.tasks[task].running.as_mut().expect("a task that takes a step runs");
        let next = running.resume(task, reply);
        self.declare_words();
        next
    }

    /// The newest value of a word among the events that the tasks have followed.
    fn newest_followed(&self, word: u16) -> u64 {
        let shape = &self.seen().shape;
        shape.value(word, self.way.newest(shape, word))
    }
}
