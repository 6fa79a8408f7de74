//! What tasks do: the operations of a program, and how they are announced.

use std::rc::Rc;

use crate::coroutine::{Reply, again, announce, make_word, note_barrier};
use crate::event::{NONE, barrier, mark};
use crate::steps::Operation;

/// The strength of a read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Load {
    /// The compiler may do with it what it wants; it may take part in a data race.
    Plain,
    /// Marked (`READ_ONCE()`): orders nothing.
    Relaxed,
    /// Ordered before all that its task does later.
    Acquire,
}

/// The strength of a write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Store {
    /// As [`Load::Plain`].
    Plain,
    /// Marked (`WRITE_ONCE()`): orders nothing.
    Relaxed,
    /// All that its task did earlier is ordered before it.
    Release,
}

/// The strength of an update. One that does not happen orders nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Rmw {
    /// Orders nothing.
    Relaxed,
    /// Its read is an acquire.
    Acquire,
    /// Its write is a release.
    Release,
    /// A full barrier before and after it.
    Full,
}

/// A barrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Fence {
    /// `smp_mb()`: everything before everything after.
    Full,
    /// `smp_rmb()`: reads before reads.
    Read,
    /// `smp_wmb()`: writes before writes.
    Write,
    /// `smp_mb__before_atomic()`: a full barrier, if an update follows.
    BeforeAtomic,
    /// `smp_mb__after_atomic()`: a full barrier after an update.
    AfterAtomic,
    /// `smp_mb__after_spinlock()`: a full barrier after the acquisition of a lock.
    AfterLock,
    /// `smp_mb__after_unlock_lock()`: makes a full barrier of an unlock and a lock, if they are by
    /// the same task or of the same lock.
    AfterUnlockLock,
    /// No instruction: later writes depend on what earlier reads have read. For where the program
    /// relies on a control (or data) dependency, which cannot be seen through Rust.
    Control,
    /// No instruction: the address of the access that comes next depends on what the last read has
    /// read. For where the program follows a pointer, or an index, which cannot be seen either. It
    /// orders that one access, and no other after it.
    Address,
}

/// A barrier, right here.
pub fn fence(fence: Fence) {
    note_barrier(match fence {
        Fence::Full => barrier::FULL,
        Fence::Read => barrier::READ,
        Fence::Write => barrier::WRITE,
        Fence::BeforeAtomic => barrier::BEFORE_ATOMIC,
        Fence::AfterAtomic => barrier::AFTER_ATOMIC,
        Fence::AfterLock => barrier::AFTER_LOCK,
        Fence::AfterUnlockLock => barrier::AFTER_UNLOCK_LOCK,
        Fence::Control => barrier::CONTROL,
        Fence::Address => barrier::ADDRESS,
    });
}

/// What makes the new value of an update.
#[derive(Clone)]
pub(crate) enum Change {
    Add(u64),
    Set(u64),
    /// This by that.
    Exchange(u64, u64),
    Any(Rc<dyn Fn(u64) -> Option<u64>>),
}

impl Change {
    /// `None`: the update does not happen.
    pub(crate) fn of(&self, seen: u64) -> Option<u64> {
        match self {
            Change::Add(value) => Some(seen.wrapping_add(*value)),
            Change::Set(value) => Some(*value),
            Change::Exchange(old, new) => (seen == *old).then_some(*new),
            Change::Any(change) => change(seen),
        }
    }
}

/// What a task waits for.
pub(crate) type Condition = Rc<dyn Fn(u64) -> bool>;

/// What an operation does.
pub(crate) enum What {
    Read,
    Wait(Condition),
    Write(u64),
    Update(Change),
    /// Waits for a value that can be updated.
    WaitUpdate(Change),
    Lock,
    TryLock,
    Unlock,
    Spawn(Option<Box<dyn FnOnce()>>),
    /// The first operation of a spawned task, and its last.
    Begin,
    End,
    Join(usize),
    GracePeriod,
    SectionBegins,
    SectionEnds,
    Choose(u32),
    Fail(String),
    /// A look at the newest value: no event.
    Peek,
}

/// An operation that a task is about to take.
pub(crate) struct Announced {
    pub(crate) what: What,
    /// The word, or [`NONE`].
    pub(crate) word: u16,
    /// Of its event; of an update, of both halves if it happens.
    pub(crate) marks: u32,
    /// Barriers before it.
    pub(crate) barriers: u16,
    /// Of an update.
    pub(crate) strength: Rmw,
}

impl Announced {
    pub(crate) fn new(what: What) -> Announced {
        Announced { what, word: NONE, marks: 0, barriers: 0, strength: Rmw::Relaxed }
    }
}

/// A shared word. It belongs to the execution in which it was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Word(u16);

impl Word {
    /// A word with this initial value, which everybody sees from the beginning.
    ///
    /// # Panics
    /// If there are 65,535 words.
    pub fn new(value: u64) -> Word {
        let number = make_word(value);
        assert!(number < usize::from(NONE), "at most {NONE} words");
        Word(number as u16)
    }

    /// The running task has made so many words, with the same initial values, in each execution so
    /// far, and makes them again: they are the same words.
    pub fn make_again(count: usize) {
        crate::coroutine::make_words_again(count);
    }

    /// Its number: words are numbered from 0, in the order in which they are made.
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// Reads, if it is known that this happens next: no other task runs for that. `None`: it is not
    /// known, and nothing has happened. For a caller who has something borrowed that others use.
    pub fn read_again(self) -> Option<u64> {
        again(Operation::Read(self.0)).map(|reply| reply.value)
    }

    /// The same, of a write. False: nothing has happened.
    pub fn write_again(self, value: u64) -> bool {
        again(Operation::Write(self.0, value)).is_some()
    }

    /// The same, of an update, or of the acquisition of a lock: what was there, and has it
    /// happened?
    pub fn update_again(self) -> Option<Result<u64, u64>> {
        again(Operation::Update(self.0)).map(outcome)
    }

    fn op(self, what: What, marks: u32) -> Announced {
        Announced { word: self.0, marks, ..Announced::new(what) }
    }

    /// Reads.
    pub fn load(self, strength: Load) -> u64 {
        if let Some(reply) = again(Operation::Read(self.0)) {
            return reply.value;
        }
        announce(self.op(What::Read, load_marks(strength))).value
    }

    /// Writes.
    pub fn store(self, value: u64, strength: Store) {
        if again(Operation::Write(self.0, value)).is_some() {
            return;
        }
        let marks = match strength {
            Store::Plain => mark::PLAIN,
            Store::Relaxed => 0,
            Store::Release => mark::RELEASE,
        };
        announce(self.op(What::Write(value), marks));
    }

    /// Waits for a value that fulfils the condition, and returns it. It is one read, of such a
    /// value: what a loop would read before is of no consequence. If there never is one, that is a
    /// deadlock.
    pub fn wait(self, strength: Load, condition: impl Fn(u64) -> bool + 'static) -> u64 {
        if let Some(reply) = again(Operation::Read(self.0)) {
            return reply.value;
        }
        announce(self.op(What::Wait(Rc::new(condition)), load_marks(strength))).value
    }

    #[inline]
    fn change(
        self,
        change: impl FnOnce() -> Change,
        strength: Rmw,
        marks: u32,
    ) -> Result<u64, u64> {
        let reply = again(Operation::Update(self.0)).unwrap_or_else(|| {
            announce(Announced { strength, ..self.op(What::Update(change()), marks) })
        });
        outcome(reply)
    }

    /// Replaces the value by what `change` makes of it, in one step. `Err`: `change` has nothing
    /// for this value, which was only read. A loop around a compare-and-exchange comes to this.
    pub fn update(
        self,
        strength: Rmw,
        change: impl Fn(u64) -> Option<u64> + 'static,
    ) -> Result<u64, u64> {
        self.change(|| Change::Any(Rc::new(change)), strength, mark::COMPUTED)
    }

    /// The same, but waits for a value for which `change` has something. Returns what was there.
    pub fn wait_update(self, strength: Rmw, change: impl Fn(u64) -> Option<u64> + 'static) -> u64 {
        if let Some(reply) = again(Operation::Update(self.0)) {
            return reply.value;
        }
        let what = What::WaitUpdate(Change::Any(Rc::new(change)));
        announce(Announced { strength, ..self.op(what, mark::COMPUTED) }).value
    }

    /// Adds, wrapping, and returns what was there.
    pub fn fetch_add(self, value: u64, strength: Rmw) -> u64 {
        self.change(|| Change::Add(value), strength, mark::COMPUTED).unwrap_or_default()
    }

    /// Adds, wrapping, and returns nothing: it orders nothing, not even by a read barrier.
    pub fn add(self, value: u64) {
        let marks = mark::COMPUTED | mark::RETURNS_NOTHING;
        self.change(|| Change::Add(value), Rmw::Relaxed, marks).unwrap_or_default();
    }

    /// Replaces the value by what `change` makes of it, in an update that returns nothing: as
    /// [`Word::add`], its read is ordered by no read barrier. What was there is for who looks on;
    /// the program must not act on it.
    pub fn update_void(self, strength: Rmw, change: impl Fn(u64) -> u64 + 'static) -> u64 {
        let change = || Change::Any(Rc::new(move |seen| Some(change(seen))));
        let marks = mark::COMPUTED | mark::RETURNS_NOTHING;
        self.change(change, strength, marks).unwrap_or_default()
    }

    /// The newest value, as far as tasks have come: no operation, and no event. Only for a task
    /// that has seen the end of all others; what it sees of a word that somebody still writes
    /// depends on the order in which tasks happen to be run.
    pub fn peek(self) -> u64 {
        announce(self.op(What::Peek, 0)).value
    }

    /// Replaces the value whatever it was, and returns that.
    pub fn swap(self, value: u64, strength: Rmw) -> u64 {
        self.change(|| Change::Set(value), strength, 0).unwrap_or_default()
    }

    /// Replaces `old` by `new`. `Err`: what was there instead.
    pub fn compare_exchange(self, old: u64, new: u64, strength: Rmw) -> Result<u64, u64> {
        self.change(|| Change::Exchange(old, new), strength, 0)
    }
}

/// Of an update: what was there. `Err`: it has not happened.
#[inline]
fn outcome(reply: Reply) -> Result<u64, u64> {
    if reply.done { Ok(reply.value) } else { Err(reply.value) }
}

fn load_marks(strength: Load) -> u32 {
    match strength {
        Load::Plain => mark::PLAIN,
        Load::Relaxed => 0,
        Load::Acquire => mark::ACQUIRE,
    }
}

/// A lock (`spinlock_t`): taking it is an acquire, giving it back a release. Unlock and lock
/// together are no full barrier, but all tasks agree on the order of writes before the one and
/// writes after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Lock(Word);

impl Default for Lock {
    fn default() -> Lock {
        Lock::new()
    }
}

impl Lock {
    /// A lock that nobody has. It is a word that holds 1 while somebody does.
    pub fn new() -> Lock {
        Lock(Word::new(0))
    }

    /// The word that it is.
    pub fn word(self) -> Word {
        self.0
    }

    /// Waits for the lock and takes it.
    pub fn lock(self) {
        self.take(0);
    }

    /// Takes the lock if it is free. A try that fails orders nothing.
    pub fn try_lock(self) -> bool {
        let again = again(Operation::Update(self.0.0));
        again.unwrap_or_else(|| announce(self.0.op(What::TryLock, 0))).done
    }

    /// Gives it back.
    pub fn unlock(self) {
        self.give_back(mark::UNLOCK);
    }

    /// Waits for it and takes it as an *exclusion*: what is done with it comes before what the next
    /// one does who takes it, as with a lock, but to a task that does not take it it is an acquire
    /// and a release by the way, and no lock. To be given back by [`Lock::leave`].
    pub fn enter(self) {
        self.take(mark::EXCLUSION);
    }

    fn take(self, marks: u32) {
        if again(Operation::Update(self.0.0)).is_none() {
            announce(self.0.op(What::Lock, marks));
        }
    }

    fn give_back(self, marks: u32) {
        if again(Operation::Write(self.0.0, 0)).is_none() {
            announce(self.0.op(What::Unlock, mark::RELEASE | marks));
        }
    }

    /// Gives back what was taken by [`Lock::enter`].
    pub fn leave(self) {
        self.give_back(0);
    }

    /// Has somebody got it? Orders nothing.
    pub fn is_locked(self) -> bool {
        self.0.load(Load::Relaxed) != 0
    }
}

/// A task that has been spawned.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Task(usize);

impl Task {
    /// The main task. Nobody can join it.
    pub const MAIN: Task = Task(0);

    /// Its number: the main task is 0, and others are numbered in the order in which the program
    /// spawns them, if it is the main task that does.
    pub fn number(self) -> usize {
        self.0
    }

    /// Waits for its end.
    pub fn join(self) {
        if again(Operation::Join(self.0)).is_none() {
            announce(Announced::new(What::Join(self.0)));
        }
    }
}

/// Starts a task. What was done before is done for the new task.
pub fn spawn(body: impl FnOnce() + 'static) -> Task {
    Task(announce(Announced::new(What::Spawn(Some(Box::new(body))))).value as usize)
}

/// Which task is running, by its number.
pub fn me() -> usize {
    crate::coroutine::running()
}

/// One of `0..alternatives`: executions are explored for each.
///
/// # Panics
/// If there is no alternative.
pub fn choose(alternatives: u32) -> u32 {
    assert!(alternatives > 0, "a choice among none");
    announce(Announced::new(What::Choose(alternatives))).value as u32
}

/// Waits for a grace period: all read-side critical sections that others have begun. It is a full
/// barrier, and more.
pub fn synchronize_rcu() {
    announce(Announced::new(What::GracePeriod));
}

/// Begins a read-side critical section. Sections nest; the outermost counts.
pub fn rcu_read_lock() {
    announce(Announced::new(What::SectionBegins));
}

/// Ends it.
pub fn rcu_read_unlock() {
    announce(Announced::new(What::SectionEnds));
}

/// If `holds` is false, the execution is a failure, and this task takes no other step.
pub fn check(holds: bool, message: &str) {
    if !holds {
        fail(message);
    }
}

/// The execution is a failure. A panic of a task comes to the same.
pub fn fail(message: &str) -> ! {
    announce(Announced::new(What::Fail(message.to_owned())));
    unreachable!("a task that has failed takes no other step")
}
