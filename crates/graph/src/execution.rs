//! A finished execution, to look at.

use crate::event::{Event as Stored, Id, Kind, NONE, mark};
use crate::graph::{Graph, Shape};

/// How an execution ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Every task has finished.
    Complete,
    /// These tasks have not, and can never go on.
    Deadlock(Vec<usize>),
    /// A check failed, or a task panicked: the message of the first.
    Failed(String),
    /// It took more events than allowed, and was given up.
    TooLong,
    /// The program did not do what it did before, as the text says. Ends the search.
    NotDeterministic(String),
}

/// An event by its task, and its place in it, both from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct At {
    /// The task.
    pub task: usize,
    /// The place among the events of the task.
    pub index: usize,
}

/// What an event does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Does {
    /// Reads a value from a write; `None`: the initial value.
    Read {
        /// The word.
        word: usize,
        /// What was read.
        value: u64,
        /// Who wrote it.
        from: Option<At>,
    },
    /// Writes.
    Write {
        /// The word.
        word: usize,
        /// What was written.
        value: u64,
    },
    /// Spawns a task.
    Spawn(usize),
    /// A spawned task begins.
    Begin,
    /// A spawned task ends.
    End,
    /// Has seen the end of a task.
    Join(usize),
    /// Has waited for a grace period.
    GracePeriod,
    /// Begins a read-side critical section.
    SectionBegins,
    /// Ends one.
    SectionEnds,
    /// Has chosen an alternative.
    Choice(u64),
    /// Has failed.
    Failure,
}

/// An event of an execution.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Where it is.
    pub at: At,
    /// What it does.
    pub does: Does,
    /// Is it plain, and may take part in a data race?
    pub is_plain: bool,
    /// Is it half of an update that happened?
    pub is_update: bool,
    /// Does its task wait for another value than this?
    pub is_blocked: bool,
}

/// Two accesses that race: the first is read from by the second, or overwritten by it, or has read
/// what it overwrites. Nothing orders them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Race {
    /// The one.
    pub first: Event,
    /// The other.
    pub second: Event,
}

/// An execution: what each task did, which write each read read from, and in which order the
/// writes to each word took effect.
pub struct Execution<'a> {
    shape: &'a Shape,
    race: Option<(usize, usize)>,
    ran_in_best_order: bool,
}

impl<'a> Execution<'a> {
    pub(crate) fn new<const W: usize>(
        graph: &'a Graph<W>,
        race: Option<(usize, usize)>,
        ran_in_best_order: bool,
    ) -> Execution<'a> {
        Execution { shape: &graph.shape, race, ran_in_best_order }
    }

    /// Have the tasks been run in the order of [`Execution::in_best_order`], all of them? If not
    /// (one has failed, or they would be started in another order), they were run in that of
    /// [`Execution::in_order`].
    pub fn ran_in_best_order(&self) -> bool {
        self.ran_in_best_order
    }

    /// A data race in this execution, if there is one, and the search looks for them.
    pub fn race(&self) -> Option<Race> {
        let (first, second) = self.race?;
        Some(Race { first: self.event(first as Id), second: self.event(second as Id) })
    }

    /// How many tasks there are, the main one included.
    pub fn tasks(&self) -> usize {
        self.shape.tasks.len()
    }

    /// How many words there are.
    pub fn words(&self) -> usize {
        self.shape.words.len()
    }

    /// The events of a task, in the order of its program.
    pub fn events(&self, task: usize) -> impl ExactSizeIterator<Item = Event> {
        self.shape.tasks[task].iter().map(|&id| self.event(id))
    }

    /// All events in an order in which each comes after those before it in its task, and after the
    /// write that it reads from.
    pub fn in_order(&self) -> impl ExactSizeIterator<Item = Event> {
        self.shape.order.iter().map(|&id| self.event(id))
    }

    /// The writes to a word, in the order in which they took effect.
    pub fn writes(&self, word: usize) -> impl ExactSizeIterator<Item = At> {
        self.shape.words[word].writes.iter().map(|&id| at(self.shape.event(id)))
    }

    /// The value of a word before anybody writes it.
    pub fn initial_value(&self, word: usize) -> u64 {
        self.shape.words[word].initial
    }

    /// The value of a word when all is over.
    pub fn final_value(&self, word: usize) -> u64 {
        self.shape.newest_value(word as u16)
    }

    pub(crate) fn shape(&self) -> &Shape {
        self.shape
    }

    pub(crate) fn event(&self, id: Id) -> Event {
        let event = self.shape.event(id);
        Event {
            at: at(event),
            does: self.does(event),
            is_plain: event.has(mark::PLAIN),
            is_update: event.has(mark::UPDATE),
            is_blocked: event.has(mark::BLOCKED),
        }
    }

    fn does(&self, event: &Stored) -> Does {
        let word = usize::from(event.word);
        match event.kind {
            Kind::Read if event.word == NONE => {
                // The main task does not begin, and no other joins before it has begun.
                let is_begin = event.task > 0 && event.index == 0;
                if is_begin { Does::Begin } else { Does::Join(event.value as usize) }
            }
            Kind::Read => {
                let from = (event.from != NONE).then(|| at(self.shape.event(event.from)));
                Does::Read { word, value: event.value, from }
            }
            Kind::Write if event.word == NONE && event.value == u64::MAX => Does::End,
            Kind::Write if event.word == NONE => Does::Spawn(event.value as usize),
            Kind::Write => Does::Write { word, value: event.value },
            Kind::GracePeriod => Does::GracePeriod,
            Kind::SectionBegins => Does::SectionBegins,
            Kind::SectionEnds => Does::SectionEnds,
            Kind::Choice => Does::Choice(event.value),
            Kind::Failure => Does::Failure,
        }
    }
}

fn at(event: &Stored) -> At {
    At { task: usize::from(event.task), index: usize::from(event.index) }
}
