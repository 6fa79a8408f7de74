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
        match op.kind {
            Kind::Access(footprint) => Effect::of_access(op, footprint),
            _ => Effect::of_other(op),
        }
    }

    /// What a step did that was announced so and refined so.
    #[inline(always)]
    pub(crate) fn done(op: &Op, refined: Option<Outcome>) -> Effect {
        let less = |most| match refined {
            None => most,
            Some(Outcome::Footprint(footprint)) => footprint,
            Some(Outcome::Failed) => Footprint { writes: 0, commutes: Commutes::No, ..most },
        };
        match op.kind {
            Kind::Access(most) | Kind::Await(most, _) => Effect::of_access(op, less(most)),
            Kind::TryLock => {
                let failed = refined == Some(Outcome::Failed);
                let kind = if failed { EffectKind::TryFailed } else { EffectKind::Acquire };
                Effect { kind, ..Effect::of_other(op) }
            }
            _ => Effect::of_other(op),
        }
    }

    #[inline(always)]
    fn of_access(op: &Op, footprint: Footprint) -> Effect {
        let (kind, object) = (EffectKind::Access(footprint), op.object.0);
        Effect { kind, object, passes: op.passes, may_wait: false }
    }

    /// The same as [`Effect::announced`], for steps that are no [`Kind::Access`]: most are.
    fn of_other(op: &Op) -> Effect {
        let object = op.object.0;
        let kind = match op.kind {
            Kind::Local | Kind::Choice(_) => EffectKind::Local,
            Kind::Access(most) | Kind::Await(most, _) => EffectKind::Access(most),
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
