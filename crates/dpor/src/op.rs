//! What a task says of its next step before it takes it: object, kind, footprint.

use serde::{Deserialize, Serialize};

/// A shared object: a word, a lock, a token. The caller numbers them, densely from 0 and in the
/// same way in every execution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Object(pub u32);

/// Which bits of a word a step reads and writes, and whether its writes commute with their like.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Footprint {
    /// Bits whose value the step observes.
    pub reads: u64,
    /// Bits that the step may change.
    pub writes: u64,
    /// Writes of the same class (other than [`Commutes::No`]) to the same bits commute: their
    /// order is not observable until somebody reads.
    pub commutes: Commutes,
}

/// The class of a write that returns nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Commutes {
    /// The order of this write and any other is observable (a store, a value-returning RMW).
    #[default]
    No,
    /// Void addition and subtraction: `x += a; x -= b` and `x -= b; x += a` end in the same value.
    Add,
    /// Void OR of a mask: idempotent and commutative with other ORs.
    Or,
    /// Void AND of a mask: idempotent and commutative with other ANDs.
    And,
}

impl Footprint {
    /// Observes the whole word.
    pub const READ: Footprint = Footprint { reads: !0, writes: 0, commutes: Commutes::No };
    /// Overwrites the whole word without looking.
    pub const WRITE: Footprint = Footprint { reads: 0, writes: !0, commutes: Commutes::No };
    /// Observes and changes the whole word.
    pub const RMW: Footprint = Footprint { reads: !0, writes: !0, commutes: Commutes::No };

    /// Do two steps on the same word with these footprints fail to commute?
    #[inline]
    pub fn conflicts(self, other: Footprint) -> bool {
        let read_write = (self.reads & other.writes) | (self.writes & other.reads) != 0;
        let write_write = self.writes & other.writes != 0
            && (self.commutes == Commutes::No || self.commutes != other.commutes);
        read_write || write_write
    }
}

/// What a step waits for: the value of its word, as far as its footprint reads it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Until {
    /// It is this one.
    Equals(u64),
    /// It is another one.
    Differs(u64),
    /// All bits of the mask are clear.
    Clear(u64),
    /// Some bit of the mask is set.
    Set(u64),
}

impl Until {
    /// Is the wait over at this value?
    pub const fn is_met(self, value: u64) -> bool {
        match self {
            Until::Equals(wanted) => value == wanted,
            Until::Differs(other) => value != other,
            Until::Clear(mask) => value & mask == 0,
            Until::Set(mask) => value & mask != 0,
        }
    }
}

/// What a step does to its object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Kind {
    /// Touches nothing that another task can see: independent of everything.
    Local,
    /// Reads and writes a word.
    Access(Footprint),
    /// The same, disabled until the value of the word is so. Needs [`crate::values`].
    Await(Footprint, Until),
    /// Takes the lock; disabled while another task holds it. Not reentrant.
    Lock,
    /// Takes the lock if it is free; never disabled. Call [`crate::refine`] with
    /// [`Outcome::Failed`](crate::Outcome) when it was not free: a failed try only reads.
    TryLock,
    /// Gives the lock back. Only its holder may.
    Unlock,
    /// Disabled until the token is set. Consumes it if so asked (park), else leaves it set
    /// (completion).
    Wait {
        /// Whether the token is cleared by the step.
        consume: bool,
    },
    /// Sets the token. Setting a token twice is setting it once.
    Wake,
    /// Starts the task; its first step is enabled after this.
    Spawn(usize),
    /// Disabled until the task has finished.
    Join(usize),
    /// Chooses one of so many alternatives; each is explored.
    Choice(u32),
}

/// Locks that a step passes: none, one or two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Passes([u32; 2]);

/// No lock has this number.
const NO_LOCK: u32 = u32::MAX;

impl Passes {
    /// No lock.
    pub const NONE: Passes = Passes([NO_LOCK; 2]);

    /// These locks, where there are any.
    #[inline]
    pub fn of(locks: [Option<Object>; 2]) -> Passes {
        Passes(locks.map(|lock| lock.map_or(NO_LOCK, |lock| lock.0)))
    }

    /// Is the lock one of them?
    #[inline]
    pub(crate) fn has(self, lock: u32) -> bool {
        self.0.contains(&lock) && lock != NO_LOCK
    }

    /// All but this lock.
    pub(crate) fn without(self, lock: u32) -> Passes {
        Passes(self.0.map(|passed| if passed == lock { NO_LOCK } else { passed }))
    }

    /// Their numbers.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied().filter(|&lock| lock != NO_LOCK)
    }
}

/// A step as announced.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Op {
    /// What it does.
    pub kind: Kind,
    /// What it does it to. Ignored for `Local`, `Spawn`, `Join` and `Choice`.
    pub object: Object,
    /// Locks that must be free or held by the announcing task for the step to be enabled. The
    /// step passes through them without taking them, and comes before or after a section of
    /// another task as if it were a critical section of one step. In both orders only if that
    /// makes a difference (`sections.rs`).
    ///
    /// This is how a processor is modelled that somebody else occupies (an interrupt handler on
    /// top of a task, a task with preemption off).
    pub passes: Passes,
}

impl Op {
    /// A step that passes no locks.
    pub const fn new(kind: Kind, object: Object) -> Op {
        Op { kind, object, passes: Passes::NONE }
    }

    /// `==`, for who compares each step that is taken again: most are accesses.
    #[inline(always)]
    pub(crate) fn is(&self, other: &Op) -> bool {
        let is_kind = match (&self.kind, &other.kind) {
            (Kind::Access(mine), Kind::Access(theirs)) => mine == theirs,
            (mine, theirs) => mine == theirs,
        };
        is_kind && self.object == other.object && self.passes == other.passes
    }

    /// The step that no other task can see.
    pub const LOCAL: Op = Op::new(Kind::Local, Object(0));
}
