//! What steps do to each other: which of them may not change places.

use serde::{Deserialize, Serialize};

use crate::table::Outcome;
use crate::{Commutes, Footprint, Kind, Op, Passes};

/// What a step does, as far as the order of steps is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum EffectKind {
    /// Nothing that another task sees.
    Local,
    Access(Footprint),
    /// Took the lock.
    Acquire,
    /// A try-lock that has not been tried: it may take the lock or only look at it.
    Try,
    /// A try-lock that found the lock held.
    TryFailed,
    Release,
    Wait {
        consume: bool,
    },
    Wake,
    /// Task numbers are given in the order of spawning, so that two spawns do not commute.
    Spawn,
    Join(usize),
}

/// A step, to be compared with others. There is one for each step of an execution, and more in what
/// is planned: it is small.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) kind: EffectKind,
    pub(crate) object: u32,
    pub(crate) passes: Passes,
    /// Of an acquisition: may a section of its lock wait for ever? See `sections.rs`.
    pub(crate) may_wait: bool,
}

impl Effect {
    /// Depends on nothing.
    pub(crate) const NOTHING: Effect =
        Effect { kind: EffectKind::Local, object: 0, passes: Passes::NONE, may_wait: false };

    /// The most that an announced step may do.
    #[inline]
    pub(crate) fn announced(op: &Op) -> Effect {
        let object = op.object.0;
        if let Kind::Access(footprint) = op.kind {
            let kind = EffectKind::Access(footprint);
            return Effect { kind, object, passes: op.passes, may_wait: false };
        }
        let kind = match op.kind {
            Kind::Local | Kind::Choice(_) => EffectKind::Local,
            Kind::Access(footprint) | Kind::Await(footprint, _) => EffectKind::Access(footprint),
            Kind::Lock => EffectKind::Acquire,
            Kind::TryLock => EffectKind::Try,
            Kind::Unlock => EffectKind::Release,
            Kind::Wait { consume } => EffectKind::Wait { consume },
            Kind::Wake => EffectKind::Wake,
            Kind::Spawn(_) => EffectKind::Spawn,
            Kind::Join(task) => EffectKind::Join(task),
        };
        let passes = match op.kind {
            // A step that moves a lock does not also pass it.
            Kind::Lock | Kind::TryLock | Kind::Unlock => op.passes.without(object),
            _ => op.passes,
        };
        Effect { kind, object, passes, may_wait: false }
    }

    /// What a step did that was announced so and refined so.
    #[inline]
    pub(crate) fn done(op: &Op, refined: Option<Outcome>) -> Effect {
        let most = Effect::announced(op);
        let kind = match (refined, most.kind) {
            (Some(Outcome::Footprint(footprint)), EffectKind::Access(_)) => {
                EffectKind::Access(footprint)
            }
            (Some(Outcome::Failed), EffectKind::Access(announced)) => {
                EffectKind::Access(Footprint { writes: 0, commutes: Commutes::No, ..announced })
            }
            (Some(Outcome::Failed), EffectKind::Try) => EffectKind::TryFailed,
            (_, EffectKind::Try) => EffectKind::Acquire,
            (_, kind) => kind,
        };
        Effect { kind, ..most }
    }

    pub(crate) fn moves_lock(&self) -> bool {
        matches!(self.kind, EffectKind::Acquire | EffectKind::Try | EffectKind::Release)
    }

    pub(crate) fn is_about_lock(&self) -> bool {
        self.moves_lock() || self.kind == EffectKind::TryFailed
    }

    /// The object that the step does something to.
    #[inline]
    pub(crate) fn touched(&self) -> Option<u32> {
        let touches_none =
            matches!(self.kind, EffectKind::Local | EffectKind::Spawn | EffectKind::Join(_));
        (!touches_none).then_some(self.object)
    }

    pub(crate) fn passes(&self, lock: u32) -> bool {
        self.passes.has(lock)
    }

    /// If this step can be taken before the other, a step of another task, is that not to the same
    /// effect as after it? It is if all that they have to do with each other is a lock that the
    /// other takes and this one passes (`sections.rs`).
    #[inline]
    pub(crate) fn must_follow(&self, other: &Effect) -> bool {
        self.touches(other)
            || (self.moves_lock() && other.passes(self.object))
            || (other.may_wait && self.passes(other.object))
    }

    /// May the order of these steps of different tasks matter?
    #[inline]
    pub(crate) fn depends_on(&self, other: &Effect) -> bool {
        // Neither moves a lock.
        if let (EffectKind::Access(a), EffectKind::Access(b)) = (&self.kind, &other.kind) {
            return self.object == other.object && a.conflicts(*b);
        }
        self.depends_on_lock(other)
    }

    /// The same if they are not two accesses.
    #[inline(never)]
    fn depends_on_lock(&self, other: &Effect) -> bool {
        if (self.moves_lock() && other.passes(self.object))
            || (other.moves_lock() && self.passes(other.object))
        {
            return true;
        }
        self.touches(other)
    }

    /// The same, of a step that takes a lock, where those who pass the lock depend on it as it does
    /// on them.
    pub(crate) fn in_both_orders(self) -> Effect {
        let takes = matches!(self.kind, EffectKind::Acquire | EffectKind::Try);
        Effect { may_wait: takes, ..self }
    }

    /// Do the two do something to one object that does not commute?
    #[inline]
    fn touches(&self, other: &Effect) -> bool {
        if self.kind == EffectKind::Spawn && other.kind == EffectKind::Spawn {
            return true;
        }
        if self.object != other.object {
            return false;
        }
        match (self.kind, other.kind) {
            (EffectKind::Access(a), EffectKind::Access(b)) => a.conflicts(b),
            (EffectKind::TryFailed, EffectKind::TryFailed) => false,
            (EffectKind::Wake, EffectKind::Wake) => true,
            (EffectKind::Wake, EffectKind::Wait { .. })
            | (EffectKind::Wait { .. }, EffectKind::Wake) => true,
            (EffectKind::Wait { consume: a }, EffectKind::Wait { consume: b }) => a || b,
            _ => self.is_about_lock() && other.is_about_lock(),
        }
    }
}

/// What an access found in its word, and what it left there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Values {
    pub(crate) found: u64,
    pub(crate) left: u64,
}

impl Values {
    /// What the same access, with this footprint, leaves where it finds another value: it sees the
    /// same in the bits that it reads.
    pub(crate) fn left_instead(self, footprint: Footprint, found: u64) -> u64 {
        if footprint.commutes == Commutes::Add {
            return found.wrapping_add(self.left.wrapping_sub(self.found));
        }
        found & !footprint.writes | self.left & footprint.writes
    }
}
