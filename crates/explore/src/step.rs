//! A step as data: what a task is about to do to which object, and what came of it.
//!
//! Everything that an engine, a monitor, an edit or a table may ask about a step is in a [`Step`].
//! Who takes it, and in which nest of functions, is known to the record (`record.rs`).

use dpor::Footprint;
use selvedge_trace::{Action, Bit, Class, Name, Order, Touch};

use crate::{Commutes, Effect, footprint};

/// What a barrier needs beside it to order what it says. An engine that has no such barriers takes
/// each for one that needs nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum With {
    /// Nothing.
    Nothing,
    /// The update that comes next.
    NextUpdate,
    /// The update that came last.
    LastUpdate,
    /// The lock that was taken last.
    LastLock,
    /// An unlock, and after it a lock, that came last.
    UnlockAndLock,
    /// A branch: it is no barrier, but the control dependency of the writes that follow on the
    /// reads before. Where dependencies order nothing, neither does this.
    Branch,
    /// An address: it is no barrier, but the dependency of the access that comes next on the read
    /// that came last. The same holds of it.
    Address,
}

/// A step that a task is about to take.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The primitive, as the kernel spells it.
    pub primitive: &'static str,
    /// The number of the object; [`NO_OBJECT`] if there is none.
    pub object: u32,
    /// What the object is called.
    pub name: Name,
    /// What kind of thing it is.
    pub class: Class,
    /// What the step does.
    pub does: Does,
    /// The ordering that it carries.
    pub order: Order,
    /// The bits of the word that it is about. Steps on disjoint bits are independent.
    pub bits: u64,
    /// The one bit that it is about, if it is about one.
    pub bit: Option<Bit>,
    /// What C says about races with it.
    pub intent: Intent,
    /// What it means to who reads the record.
    pub role: Role,
}

/// The number of no object.
pub const NO_OBJECT: u32 = u32::MAX;

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Does {
    /// Reads a word.
    Load,
    /// Writes a word.
    Store(u64),
    /// Reads and writes a word. If nobody `looks` at what was there, like updates commute.
    Update {
        /// How the value changes.
        change: Rmw,
        /// Whether the task uses the value that it read.
        looks: bool,
    },
    /// Reads a word, and in the same step writes it if a condition is met. If not, it is a load
    /// without any ordering, as in LKMM.
    UpdateIf {
        /// The condition on the value that is there.
        condition: If,
        /// How the value changes if it is met.
        change: Rmw,
    },
    /// Waits until the condition is met by what is in a word; reads it, and changes it in the same
    /// step. Only where [`crate::Abilities::waits_for_values`].
    Await {
        /// The condition on the value that is there.
        until: If,
        /// How the value changes then; `None`: it is only read.
        change: Option<Rmw>,
    },
    /// Foreign code accesses memory of its own, as soon as the step is taken.
    Foreign(Effect),
    /// A memory barrier.
    Fence(With),
    /// Takes a lock, once it is free.
    Lock {
        /// See [`crate::Lock::ordering_others`].
        orders_others: bool,
    },
    /// Takes a lock if it is free. Only where [`crate::Abilities::tries_locks`].
    TryLock {
        /// See [`crate::Lock::ordering_others`].
        orders_others: bool,
    },
    /// Gives a lock back.
    Unlock {
        /// See [`crate::Lock::ordering_others`].
        orders_others: bool,
    },
    /// Waits until a token is set.
    Wait {
        /// Whether the step clears it.
        consume: bool,
    },
    /// Sets a token.
    Wake,
    /// Starts a task.
    Spawn,
    /// Waits for the end of this task.
    Join(usize),
    /// Chooses one of so many alternatives.
    Choose(u32),
}

/// A read-modify-write that always happens. Arithmetic wraps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rmw {
    /// Addition.
    Add(u64),
    /// Or.
    Or(u64),
    /// And.
    And(u64),
    /// Exclusive or.
    Xor(u64),
    /// Exchange.
    Swap(u64),
}

impl Rmw {
    /// What becomes of the value.
    pub const fn apply(self, value: u64) -> u64 {
        match self {
            Rmw::Add(n) => value.wrapping_add(n),
            Rmw::Or(mask) => value | mask,
            Rmw::And(mask) => value & mask,
            Rmw::Xor(mask) => value ^ mask,
            Rmw::Swap(new) => new,
        }
    }
}

/// When a conditional update happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum If {
    /// The value is this one.
    Equals(u64),
    /// The value is another one.
    Differs(u64),
    /// All bits of the mask are clear.
    Clear(u64),
    /// Some bit of the mask is set.
    Set(u64),
}

impl If {
    /// Is it met by this value?
    pub const fn is_met(self, value: u64) -> bool {
        match self {
            If::Equals(wanted) => value == wanted,
            If::Differs(other) => value != other,
            If::Clear(mask) => value & mask == 0,
            If::Set(mask) => value & mask != 0,
        }
    }
}

/// What a step on a word means, if the word is more than a word: the record says so, and the
/// monitors of locks need not know how the lock is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// What it does is all that it means.
    Itself,
    /// The task looks again and again, and keeps its CPU.
    Spins,
    /// It takes a lock, waiting for it.
    Locks {
        /// Others may have it too.
        shared: bool,
    },
    /// It tries to.
    TriesLock {
        /// As above.
        shared: bool,
    },
    /// It takes the lock if it is free; if not, the task queues itself for it, by steps of its own.
    Queues {
        /// As above.
        shared: bool,
    },
    /// It gives the lock back.
    Unlocks {
        /// As above.
        shared: bool,
    },
    /// It shares the lock that it had to itself.
    Downgrades,
    /// It waits for others to have done something.
    Waits,
    /// It has done it.
    Wakes,
}

impl Role {
    /// How the step is recorded.
    fn action(self, took: &Took) -> Option<Action> {
        Some(match self {
            Role::Itself | Role::Spins => return None,
            // It will wait, which is another step.
            Role::Locks { .. } | Role::Waits if took.failed => Action::UpdateFailed,
            Role::TriesLock { .. } | Role::Queues { .. } if took.failed => Action::TryLockFailed,
            Role::Locks { shared: false } | Role::Queues { shared: false } => Action::Lock,
            Role::Locks { shared: true } | Role::Queues { shared: true } => Action::LockShared,
            Role::TriesLock { shared: false } => Action::TryLock,
            Role::TriesLock { shared: true } => Action::TryLockShared,
            Role::Unlocks { shared: false } => Action::Unlock,
            Role::Unlocks { shared: true } => Action::UnlockShared,
            Role::Downgrades => Action::Downgrade,
            Role::Waits => Action::Wait,
            Role::Wakes => Action::Wake,
        })
    }
}

/// What C says about races with an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Intent {
    /// It is marked (`READ_ONCE`, an atomic): it may come at any time.
    Marked,
    /// It is plain C: that nothing orders it against another access would be a data race.
    Plain,
    /// It is plain C that is meant to race, and said to be: `data_race()`.
    Racy,
}

/// What came of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Took {
    /// The value that was read, or was there before.
    pub old: u64,
    /// The value that is there now; the number of the task that was started or waited for; the
    /// alternative that was chosen.
    pub new: u64,
    /// A conditional update that did not happen.
    pub failed: bool,
    /// The value read was no longer the newest.
    pub stale: bool,
}

impl Took {
    /// A step that read this and wrote nothing.
    pub(crate) const fn read(value: u64) -> Took {
        Took { old: value, new: value, failed: false, stale: false }
    }

    /// A step that wrote `new` where `old` was.
    pub(crate) const fn wrote(old: u64, new: u64) -> Took {
        Took { old, new, failed: false, stale: false }
    }

    /// Did the step find and leave these? What foreign code does to its memory is recorded later.
    #[inline]
    pub(crate) fn is_as(&self, old: u64, new: u64, step: &Step) -> bool {
        (old == self.old && new == self.new) || matches!(step.does, Does::Foreign(_))
    }

    /// A step that has no old value.
    pub(crate) const fn gave(new: u64) -> Took {
        Took::wrote(0, new)
    }
}

impl Step {
    /// A step without an object.
    pub(crate) const fn without_object(primitive: &'static str, does: Does) -> Step {
        Step {
            primitive,
            object: NO_OBJECT,
            name: Name::new(""),
            class: Class::None,
            does,
            order: Order::Relaxed,
            bits: 0,
            bit: None,
            intent: Intent::Marked,
            role: Role::Itself,
        }
    }

    /// What it has done to its object: what the sequentially consistent engines take it for.
    pub(crate) fn touch(&self, took: &Took) -> Touch {
        const NOTHING: Touch = Touch { reads: 0, writes: 0, commutes: 0 };
        match self.does {
            Does::Load
            | Does::Store(_)
            | Does::Update { .. }
            | Does::UpdateIf { .. }
            | Does::Await { .. }
            | Does::Foreign(_) => {
                let Footprint { reads, writes, commutes } =
                    footprint::done(footprint::announced(self), self, took);
                Touch { reads, writes, commutes: commutes as u8 }
            }
            Does::TryLock { .. } if took.failed => Touch { writes: 0, ..Touch::ALL },
            Does::Lock { .. } | Does::TryLock { .. } | Does::Unlock { .. } | Does::Wait { .. } => {
                Touch::ALL
            }
            Does::Wake => Touch { commutes: 4, ..Touch { reads: 0, ..Touch::ALL } },
            Does::Fence(_) | Does::Spawn | Does::Join(_) | Does::Choose(_) => NOTHING,
        }
    }

    /// How it is recorded.
    pub(crate) fn action(&self, took: &Took) -> Action {
        self.role.action(took).unwrap_or_else(|| self.bare_action(took))
    }

    fn bare_action(&self, took: &Took) -> Action {
        match (self.does, self.intent) {
            (Does::Load, Intent::Plain) => Action::PlainRead,
            (Does::Load, _) => Action::Read,
            (Does::Store(_), Intent::Plain) => Action::PlainWrite,
            (Does::Store(_), _) => Action::Write,
            (Does::UpdateIf { .. }, _) if took.failed => Action::UpdateFailed,
            (Does::Await { change: None, .. }, _) => Action::Read,
            (Does::Update { .. } | Does::UpdateIf { .. } | Does::Await { .. }, _) => Action::Update,
            (Does::Foreign(effect), intent) => match (effect.reads, effect.writes, intent) {
                (_, false, Intent::Plain) => Action::PlainRead,
                (_, false, _) => Action::Read,
                (false, true, Intent::Plain) => Action::PlainWrite,
                (false, true, _) if effect.commutes == Commutes::No => Action::Write,
                (_, true, _) => Action::Update,
            },
            (Does::Fence(_), _) => Action::Fence,
            (Does::Lock { .. }, _) => Action::Lock,
            (Does::TryLock { .. }, _) if took.failed => Action::TryLockFailed,
            (Does::TryLock { .. }, _) => Action::TryLock,
            (Does::Unlock { .. }, _) => Action::Unlock,
            (Does::Wait { .. }, _) => Action::Wait,
            (Does::Wake, _) => Action::Wake,
            (Does::Spawn, _) => Action::Spawn,
            (Does::Join(_), _) => Action::Join,
            (Does::Choose(_), _) => Action::Choice,
        }
    }
}
