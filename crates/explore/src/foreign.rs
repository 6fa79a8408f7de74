//! Memory of foreign code: native code that accesses its memory by itself, and whose compiler makes
//! it say so before each access.
//!
//! An access is a step in two halves. [`ForeignWord::begin`] announces it, and returns when it is
//! the task's turn; then the foreign code does what it said; [`Begun::settle`] says what it left,
//! before the task's next step. From the one to the other the task runs alone, so that the access
//! is one step. A store that left what was there has only read: whether it came before or after
//! somebody's look makes no difference.
//!
//! What is announced has to be at least what is done. Foreign memory is not part of a state
//! ([`crate::Bounds::stateful`]), and an engine that keeps values of its own cannot have any
//! ([`crate::Abilities::foreign`]): the search is then undecided.

use dpor::Commutes;
use selvedge_trace::{Class, Name};

use crate::record;
use crate::step::{Does, Step};
use crate::task::{abilities, unable};
use crate::{Access, gate, state};

/// The first number of foreign objects. What a scenario makes itself has smaller ones.
pub const FOREIGN: u32 = 256;

/// From here on, what has not ended when the running execution does is left as it is, since foreign
/// frames cannot be unwound. Nothing that their tasks own is dropped.
pub fn never_unwind() {
    dpor::never_unwind();
}

/// What a foreign access may do to its bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect {
    /// Whether the task learns what was there.
    pub reads: bool,
    /// Whether it may change them.
    pub writes: bool,
    /// Which other writes, of which nobody looks at the outcome either, it commutes with.
    pub commutes: Commutes,
}

impl Effect {
    /// Reads.
    pub const READ: Effect = Effect { reads: true, writes: false, commutes: Commutes::No };
    /// Writes without a look.
    pub const WRITE: Effect = Effect { reads: false, writes: true, commutes: Commutes::No };
    /// Reads and writes.
    pub const UPDATE: Effect = Effect { reads: true, writes: true, commutes: Commutes::No };

    /// Writes in a way that commutes with its like; the task does not learn what was there.
    pub const fn void(commutes: Commutes) -> Effect {
        Effect { reads: false, writes: true, commutes }
    }
}

/// 64 bits of memory that foreign code accesses.
#[derive(Clone, Copy, Debug)]
pub struct ForeignWord {
    object: u32,
    name: Name,
}

impl ForeignWord {
    /// The caller's number `nth`, from 0, says which it is; it has to be the same in every
    /// execution. Foreign words, locks and tokens are numbered together. Ends the search,
    /// undecided, under an engine without foreign memory.
    pub fn new(nth: u32, name: Name) -> ForeignWord {
        ForeignWord { object: object(nth), name }
    }

    /// Its number in events.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// Announces an access; returns when it may happen. `look` is asked then what is there now:
    /// `None` if that is nobody's business, as what is on a stack before it is first written.
    pub fn begin(
        &self,
        effect: Effect,
        access: Access,
        look: impl FnOnce() -> Option<u64>,
    ) -> Begun {
        let Access { primitive, order, bits, bit, intent, role } = access;
        let (object, name) = (self.object, self.name);
        let does = Does::Foreign(effect);
        gate::take(&Step {
            primitive,
            object,
            name,
            class: Class::Word,
            does,
            order,
            bits,
            bit,
            intent,
            role,
        });
        let old = look();
        state::observe(old.unwrap_or_default());
        let event = record::with(|record| record.looked(old.unwrap_or_default()));
        Begun { event, old, bits, effect }
    }
}

/// A foreign access whose turn it is.
#[derive(Clone, Copy, Debug)]
#[must_use = "what the access left is to be said before the next step"]
pub struct Begun {
    event: usize,
    old: Option<u64>,
    bits: u64,
    effect: Effect,
}

impl Begun {
    /// The access has happened, and left this.
    pub fn settle(self, new: u64) {
        let Begun { event, old, bits, effect } = self;
        if !effect.writes {
            return;
        }
        let left_alone = old == Some(new) && effect.commutes == Commutes::No;
        let machine = record::with(|record| {
            record.settled(event, new, left_alone && effect.reads);
            record.machine
        });
        if left_alone {
            machine.only_read(bits);
        }
    }
}

/// The number of a foreign object.
pub(crate) fn object(nth: u32) -> u32 {
    if !abilities().foreign {
        unable(
            "foreign code, whose memory is not this engine's: only dpor, dfs, random and pct run it",
        );
    }
    let own = record::with(|record| record.objects());
    assert!(own <= FOREIGN, "a scenario with foreign code makes at most {FOREIGN} objects itself");
    FOREIGN + nth
}
