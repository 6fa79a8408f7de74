//! The operations of the execution that runs, in the order in which they happen.
//!
//! The tasks run again for each graph, and most of what they do they have done before: the engine
//! says beforehand what happens, as far as the graph goes. A task whose operation comes next goes
//! on at once: nothing is announced, nothing looked up, and no other task runs for that.

use std::cell::{Cell, RefCell};

use crate::coroutine::Reply;
use crate::event::{Id, Kind, NONE, mark};
use crate::graph::Shape;

/// An operation of a task, as far as it is told from others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    /// Reads this word.
    Read(u16),
    /// Replaces the value of this word by another, or reads it and does not.
    Update(u16),
    /// Writes this value to this word.
    Write(u16, u64),
    /// Sees the end of this task.
    Join(usize),
}

/// What a step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Did {
    Read,
    Update,
    Write,
    Join,
    /// Nothing that a task goes on after by itself.
    Other,
}

/// An operation that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    task: u16,
    word: u16,
    did: Did,
    is_stale: bool,
    /// What was read, or written.
    value: u64,
    /// What a write has replaced, if that `is_odd`: not what was written last.
    replaced: u64,
    is_odd: bool,
}

impl Step {
    /// The operation of which this event is the last.
    pub(crate) fn of(shape: &Shape, id: Id) -> Step {
        let event = shape.event(id);
        let is_update = event.has(mark::UPDATE);
        let did = match event.kind {
            _ if event.has(mark::BLOCKED) => Did::Other,
            Kind::Read if event.word != NONE => Did::Read,
            Kind::Read if event.task == 0 || event.index > 0 => Did::Join,
            Kind::Write if event.word != NONE && is_update => Did::Update,
            Kind::Write if event.word != NONE => Did::Write,
            _ => Did::Other,
        };
        let value = match did {
            Did::Update => shape.event(shape.read_half(event)).value,
            _ => event.value,
        };
        let (task, word) = (event.task, event.word);
        Step { task, word, did, is_stale: false, value, replaced: 0, is_odd: false }
    }

    /// The same; a newer value had been written than it has read.
    pub(crate) fn stale(self) -> Step {
        Step { is_stale: true, ..self }
    }

    /// The same, of a write that has replaced this, which was not written last.
    pub(crate) fn replacing(self, replaced: u64) -> Step {
        Step { replaced, is_odd: true, ..self }
    }

    /// Is this what `task` does now?
    #[inline]
    fn is(&self, task: usize, operation: Operation) -> bool {
        usize::from(self.task) == task
            && match operation {
                Operation::Read(word) => self.did == Did::Read && self.word == word,
                Operation::Update(word) => {
                    matches!(self.did, Did::Read | Did::Update) && self.word == word
                }
                Operation::Write(word, value) => {
                    self.did == Did::Write && self.word == word && self.value == value
                }
                Operation::Join(task) => self.did == Did::Join && self.value == task as u64,
            }
    }

    #[inline]
    fn reply(&self) -> Reply {
        Reply { value: self.value, done: self.did == Did::Update }
    }
}

/// The steps of the execution that runs on this thread.
struct Steps {
    /// Those that have happened, and those of which it is known that they will.
    all: RefCell<Vec<Step>>,
    /// How many have happened.
    taken: Cell<usize>,
    in_common: Cell<usize>,
    is_stale: Cell<bool>,
    replaced: Cell<Option<u64>>,
    keeps_coherence: Cell<bool>,
}

impl Steps {
    /// What the running task may ask about the step that it has taken.
    #[inline]
    fn has_taken(&self, step: &Step) {
        self.is_stale.set(step.is_stale);
        self.replaced.set(step.is_odd.then_some(step.replaced));
    }
}

thread_local! {
    static STEPS: Steps = const {
        Steps {
            all: RefCell::new(Vec::new()),
            taken: Cell::new(0),
            in_common: Cell::new(0),
            is_stale: Cell::new(false),
            replaced: Cell::new(None),
            keeps_coherence: Cell::new(false),
        }
    };
}

/// Nothing is known of what has been run before.
pub(crate) fn forget() {
    STEPS.with(|steps| {
        steps.all.borrow_mut().clear();
        steps.taken.set(0);
        steps.in_common.set(0);
    });
}

/// An execution begins, of which these steps are known, after so many with which the last one began
/// too.
pub(crate) fn begin(same: usize, known: impl Iterator<Item = Step>, keeps_coherence: bool) {
    STEPS.with(|steps| {
        steps.keeps_coherence.set(keeps_coherence);
        let mut all = steps.all.borrow_mut();
        let (mut in_common, mut is_alike) = (same, true);
        for step in known {
            if is_alike && all.get(in_common) == Some(&step) {
                in_common += 1;
                continue;
            }
            if is_alike {
                all.truncate(in_common);
                is_alike = false;
            }
            all.push(step);
        }
        if is_alike {
            all.truncate(in_common);
        }
        steps.taken.set(0);
        steps.in_common.set(in_common);
    });
}

/// What came of an operation, if it is the next step that is known: it has happened.
#[inline]
pub(crate) fn again(task: usize, operation: Operation) -> Option<Reply> {
    STEPS.with(|steps| {
        let taken = steps.taken.get();
        let all = steps.all.borrow();
        let step = all.get(taken).filter(|step| step.is(task, operation))?;
        steps.taken.set(taken + 1);
        steps.has_taken(step);
        Some(step.reply())
    })
}

/// The next step that is known happens.
pub(crate) fn happens() {
    STEPS.with(|steps| {
        let taken = steps.taken.get();
        steps.taken.set(taken + 1);
        steps.has_taken(&steps.all.borrow()[taken]);
    });
}

/// A step happens of which nothing was known.
pub(crate) fn add(step: Step) {
    STEPS.with(|steps| {
        let mut all = steps.all.borrow_mut();
        all.push(step);
        steps.taken.set(all.len());
        steps.has_taken(&step);
    });
}

/// How many operations the execution that runs has in common, at its beginning, with the one that
/// ran before it on this thread: the same tasks do the same in the same order, and find the same.
/// For a caller who keeps what was recorded of them.
pub fn steps_in_common() -> usize {
    STEPS.with(|steps| steps.in_common.get())
}

/// How many operations have happened in this execution, the last one of the calling task included.
pub fn steps_taken() -> usize {
    STEPS.with(|steps| steps.taken.get())
}

/// Was what the running task has just read no longer the newest value, in the order in which the
/// operations of this execution happen?
pub fn is_stale() -> bool {
    STEPS.with(|steps| steps.is_stale.get())
}

/// What the write of the running task has replaced, if that is not what was written last to its
/// word, in the order in which the operations of this execution happen: what was written by the one
/// before it in coherence order, or 0, if that is still to come.
pub fn replaced() -> Option<u64> {
    STEPS.with(|steps| steps.replaced.get())
}

/// Do the writes of this execution happen in the order in which they take effect?
pub fn keeps_coherence() -> bool {
    STEPS.with(|steps| steps.keeps_coherence.get())
}
