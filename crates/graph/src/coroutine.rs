//! Tasks as coroutines: a closure that runs up to its next operation, and says what that is.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::op::{Announced, What};
use crate::steps;

/// What a task gets when its operation has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reply {
    /// What was read, chosen, or spawned.
    pub(crate) value: u64,
    /// Of an update, or a try-lock: did it happen?
    pub(crate) done: bool,
}

/// A task that runs.
pub(crate) struct Running {
    coroutine: Coroutine<Reply, Announced, (), DefaultStack>,
}

/// What a coroutine needs to stop at an operation.
type Stop = *const Yielder<Reply, Announced>;

thread_local! {
    /// The task that runs on this thread of the operating system.
    static STOP: Cell<Stop> = const { Cell::new(std::ptr::null()) };
    static TASK: Cell<usize> = const { Cell::new(0) };
    /// Barriers since the last operation.
    static BARRIERS: Cell<u16> = const { Cell::new(0) };
    /// Stacks that can be used again.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
    static WORDS: RefCell<Words> = RefCell::default();
}

/// Starts a task, which runs up to its first operation. `stack` is the size of its stack in bytes.
pub(crate) fn start(body: Box<dyn FnOnce()>, stack: usize) -> Running {
    let stack = STACKS.with_borrow_mut(Vec::pop).unwrap_or_else(|| {
        DefaultStack::new(stack).expect("the operating system has memory for a stack")
    });
    let coroutine = Coroutine::with_stack(stack, move |yielder, _: Reply| {
        STOP.set(yielder);
        // Unwinding that the engine asked for is not the program's panic: it goes on.
        let panic = match catch_unwind(AssertUnwindSafe(body)) {
            Ok(()) => return,
            Err(panic) => panic,
        };
        let Some(message) = text(&*panic) else { std::panic::resume_unwind(panic) };
        announce(Announced::new(What::Fail(message)));
    });
    Running { coroutine }
}

/// The message of a panic.
fn text(panic: &(dyn Any + Send)) -> Option<String> {
    let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
}

impl Running {
    /// Goes on up to the next operation. `None`: the task has ended.
    pub(crate) fn resume(&mut self, task: usize, reply: Reply) -> Option<Announced> {
        TASK.set(task);
        BARRIERS.set(0);
        match self.coroutine.resume(reply) {
            CoroutineResult::Yield(next) => Some(next),
            CoroutineResult::Return(()) => None,
        }
    }

    /// Ends it wherever it is, and keeps its stack for another task.
    pub(crate) fn end(mut self) {
        self.coroutine.force_unwind();
        let stack = self.coroutine.into_stack();
        STACKS.with_borrow_mut(|stacks| stacks.push(stack));
    }
}

/// Announces an operation of the running task; returns when it has happened.
///
/// # Panics
/// If no task runs.
pub(crate) fn announce(mut operation: Announced) -> Reply {
    operation.barriers |= BARRIERS.replace(0);
    let stop = STOP.get();
    assert!(!stop.is_null(), "an operation of graph's outside of a program that it explores");
    #[expect(unsafe_code, reason = "the way from a free function back to its own coroutine")]
    // SAFETY: `STOP` was set by the coroutine that runs now: `start` sets it before the body runs,
    // and it is set again below whenever the coroutine goes on. Its yielder lives on its stack as
    // long as the coroutine does.
    let reply = unsafe { (*stop).suspend(operation) };
    STOP.set(stop);
    reply
}

/// What came of an operation of the running task, if it comes next of what is known of the
/// execution ([`steps`]): then it has happened, and no other task had to run for that.
#[inline]
pub(crate) fn again(operation: steps::Operation) -> Option<Reply> {
    let reply = steps::again(running(), operation)?;
    BARRIERS.set(0);
    Some(reply)
}

/// Notes a barrier before the next operation.
pub(crate) fn note_barrier(barrier: u16) {
    BARRIERS.set(BARRIERS.get() | barrier);
}

/// The task that runs.
pub(crate) fn running() -> usize {
    TASK.get()
}

/// The words of a program. A word keeps its number in all executions: the k-th word that a task
/// makes is the same word.
#[derive(Clone, Default)]
pub(crate) struct Words {
    /// For each task, the numbers of the words that it makes.
    of: Vec<Vec<usize>>,
    /// How many it has made in this execution.
    made: Vec<usize>,
    count: usize,
    /// Made since the engine asked, with their initial values.
    new: Vec<(usize, u64)>,
}

/// Makes a word, and returns its number.
pub(crate) fn make_word(value: u64) -> usize {
    let task = running();
    WORDS.with_borrow_mut(|words| {
        if words.made.len() <= task {
            words.made.resize(task + 1, 0);
            words.of.resize_with(words.of.len().max(task + 1), Vec::new);
        }
        let number = words.of[task].get(words.made[task]).copied().unwrap_or_else(|| {
            words.of[task].push(words.count);
            words.count += 1;
            words.count - 1
        });
        words.made[task] += 1;
        words.new.push((number, value));
        number
    })
}

/// Makes so many words that the running task has made in other executions.
pub(crate) fn make_words_again(count: usize) {
    let task = running();
    WORDS.with_borrow_mut(|words| {
        words.made[task] += count;
        assert!(words.made[task] <= words.of[task].len(), "no more words than were made");
    });
}

/// Another program is explored from now on, or the same by another thread: its words so far.
pub(crate) fn set_words(words: Words) {
    WORDS.set(words);
}

/// The words so far.
pub(crate) fn words() -> Words {
    WORDS.with_borrow(Words::clone)
}

/// Another execution begins.
pub(crate) fn restart_words() {
    WORDS.with_borrow_mut(|words| {
        words.made.fill(0);
        words.new.clear();
    });
}

/// The words that were made since the last call, with their initial values.
pub(crate) fn words_made(mut each: impl FnMut(usize, u64)) {
    WORDS.with_borrow_mut(|words| {
        // Most steps make none.
        if words.new.is_empty() {
            return;
        }
        for (number, value) in words.new.drain(..) {
            each(number, value);
        }
    });
}
