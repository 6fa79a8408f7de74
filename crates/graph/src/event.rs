//! Events: what an operation of a task is in an execution graph.

/// The number of an event: the order in which events were added to the graph (their *stamp*).
pub(crate) type Id = u16;

/// In the place of a write: the initial value. In the place of a word: none.
pub(crate) const NONE: Id = Id::MAX;

/// The value of the last event of a task.
pub(crate) const END: u64 = u64::MAX;

/// What an event is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Kind {
    /// A read, or the read half of an update. The beginning of a task and a join are reads too, of
    /// no word: they read from the spawn, and from the end of the task.
    Read,
    /// A write, or the write half of an update. Spawn and the end of a task are writes of no word.
    Write,
    /// A grace period: `synchronize_rcu()`.
    GracePeriod,
    /// The beginning of a read-side critical section.
    SectionBegins,
    /// Its end.
    SectionEnds,
    /// A choice; its value is the alternative.
    Choice,
    /// A failed check. Its task takes no other step.
    Failure,
}

/// Properties of events, one bit each.
pub(crate) mod mark {
    /// When it was added, it read the newest value, or was the newest write. (Of a read that was
    /// revisited: the same, as if it had been added late.)
    pub(crate) const NEWEST: u32 = 1;
    pub(crate) const ACQUIRE: u32 = 2;
    pub(crate) const RELEASE: u32 = 4;
    /// The read half of an update that returns nothing: a read barrier does not order it.
    pub(crate) const RETURNS_NOTHING: u32 = 8;
    pub(crate) const PLAIN: u32 = 16;
    /// Either half of an update that happened.
    pub(crate) const UPDATE: u32 = 32;
    /// Either half of the acquisition of a lock.
    pub(crate) const LOCK: u32 = 64;
    pub(crate) const UNLOCK: u32 = 128;
    /// A full barrier right after this event.
    pub(crate) const FULL_AFTER: u32 = 256;
    /// What is read does not satisfy the condition: the task waits for another value.
    pub(crate) const BLOCKED: u32 = 512;
    /// `fence(AfterUnlockLock)` right before this event.
    pub(crate) const AFTER_UNLOCK_LOCK: u32 = 1024;
    /// The same, before this event or an earlier one of the task.
    pub(crate) const CROSS: u32 = 2048;
    /// An event of spawn, beginning, end or join.
    pub(crate) const TASK: u32 = 4096;
    /// It came before events that were there already: what is known of those is out of date.
    pub(crate) const OUT_OF_ORDER: u32 = 8192;
    /// The write half of an update: what is written is computed from what was read.
    pub(crate) const COMPUTED: u32 = 16384;
    /// The read half of an acquisition that waits for the lock (not of a try-lock).
    pub(crate) const WAITS: u32 = 32768;
    /// Either half of entering an exclusion, which orders nothing for others: taken like a lock,
    /// but no lock to the memory model.
    pub(crate) const EXCLUSION: u32 = 131_072;
    /// Of an update, whether it happened or not: what barriers for atomics are about. (Taking a
    /// lock is none.)
    pub(crate) const ATOMIC: u32 = 65536;
}

/// Barriers right before an operation, one bit each.
pub(crate) mod barrier {
    pub(crate) const FULL: u16 = 1;
    pub(crate) const READ: u16 = 2;
    pub(crate) const WRITE: u16 = 4;
    pub(crate) const BEFORE_ATOMIC: u16 = 8;
    pub(crate) const AFTER_ATOMIC: u16 = 16;
    pub(crate) const AFTER_LOCK: u16 = 32;
    pub(crate) const AFTER_UNLOCK_LOCK: u16 = 64;
    pub(crate) const CONTROL: u16 = 128;
    pub(crate) const ADDRESS: u16 = 256;
}

/// How far back barriers reach: so many first events of the task are ordered before this one.
/// Barriers are no events; this is all that is left of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub(crate) struct Reach {
    /// By a strong fence (a full barrier, or a grace period).
    pub(crate) strong: u16,
    /// By a read barrier, if both are reads.
    pub(crate) read: u16,
    /// By a write barrier, if both are writes.
    pub(crate) write: u16,
    /// By a control dependency, if the first is a read and this is a write.
    pub(crate) control: u16,
    /// By a `fence(BeforeAtomic)` whose update is still to come, or is this one.
    pub(crate) before_atomic: u16,
    /// By an address dependency of this access alone, on the last of these events.
    pub(crate) address: u16,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    pub(crate) task: u16,
    /// Its place among the events of its task, from 0.
    pub(crate) index: u16,
    pub(crate) kind: Kind,
    pub(crate) marks: u32,
    /// [`NONE`] if it touches no word.
    pub(crate) word: u16,
    /// Of a read: the write that it reads from, [`NONE`] for the initial value.
    pub(crate) from: Id,
    /// What was read or written; the alternative of a choice; the child that was spawned or joined.
    pub(crate) value: u64,
    pub(crate) reach: Reach,
}

impl Event {
    #[inline]
    pub(crate) fn has(&self, marks: u32) -> bool {
        self.marks & marks != 0
    }

    #[inline]
    pub(crate) fn is_read(&self) -> bool {
        self.kind == Kind::Read
    }

    #[inline]
    pub(crate) fn is_write(&self) -> bool {
        self.kind == Kind::Write
    }

    /// Does it read or write (a word, or another task's beginning or end)?
    #[inline]
    pub(crate) fn is_access(&self) -> bool {
        self.is_read() || self.is_write()
    }

    /// What a read barrier orders.
    #[inline]
    pub(crate) fn is_ordered_read(&self) -> bool {
        self.is_read() && !self.has(mark::RETURNS_NOTHING)
    }
}
