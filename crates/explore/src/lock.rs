//! Locks whose holder other tasks wait for, and tokens that a task waits for: handles by which
//! steps are taken.

use selvedge_trace::{Class, Name, Order};

use crate::machine::New;
use crate::step::{Does, Role, Step, Took};
use crate::word::make;
use crate::{foreign, gate, record, state};

/// A lock. A task that wants a held one waits; taking it twice is a deadlock.
#[derive(Debug)]
pub struct Lock {
    object: u32,
    name: Name,
    class: Class,
    orders_others: bool,
}

impl Lock {
    /// A free lock. To be made while the scenario is set up, before tasks run.
    pub fn new(name: Name) -> Lock {
        Lock::of_class(name, Class::Lock)
    }

    /// The same, of another class: what excludes tasks, or interrupts too, on one CPU.
    pub fn of_class(name: Name, class: Class) -> Lock {
        Lock { object: make(name, New::Lock), name, class, orders_others: false }
    }

    /// A lock of foreign code, by its number (see [`crate::ForeignWord::new`]): it is the same lock
    /// whenever it is made.
    pub fn foreign(nth: u32, name: Name) -> Lock {
        Lock { object: foreign::object(nth), name, class: Class::Lock, orders_others: true }
    }

    /// The same, for a kernel lock, which also gives LKMM's `po-unlock-lock-po`: stores before an
    /// unlock stay before stores after the next lock (of the same lock by anybody, or of any lock
    /// by the same task), even as seen by a task that takes no lock.
    pub fn ordering_others(self) -> Lock {
        Lock { orders_others: true, ..self }
    }

    /// Its number.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// What it is called.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The task that holds it: no step.
    pub fn holder(&self) -> Option<usize> {
        let (machine, me, pretends) = record::with(|record| {
            let pretends = record.edits.is_some() && record.pretends_to_hold(self.object);
            (record.machine, record.current(), pretends)
        });
        let holder = if pretends { Some(me) } else { machine.holder(self.object) };
        state::observe(u64::from(holder == Some(me)));
        holder
    }

    /// Has the current task taken it, whatever an edit makes it believe? No step.
    pub fn is_taken_by_me(&self) -> bool {
        let (machine, me) = record::with(|record| (record.machine, record.current()));
        machine.holder(self.object) == Some(me)
    }

    /// Looks whether somebody holds it: a step, which orders nothing. Only where
    /// [`crate::Abilities::locks_are_words`].
    pub fn is_held(&self, primitive: &'static str) -> bool {
        let Lock { object, name, class, .. } = *self;
        let step = Step::without_object(primitive, Does::Load);
        gate::take(&Step { object, name, class, bits: !0, ..step }).old != 0
    }

    /// Takes it, waiting until it is free.
    #[inline]
    pub fn lock(&self, primitive: &'static str) {
        let does = Does::Lock { orders_others: self.orders_others };
        self.take(primitive, does, Role::Itself, Order::Acquire);
    }

    /// Takes it if it is free: true if it was. A try that fails orders nothing.
    #[inline]
    pub fn try_lock(&self, primitive: &'static str) -> bool {
        let does = Does::TryLock { orders_others: self.orders_others };
        !self.take(primitive, does, Role::Itself, Order::Acquire).failed
    }

    /// The same, by a task that waits for it if it is not free, by steps of its own: who looks for
    /// waits takes this for one.
    pub fn lock_or_queue(&self, primitive: &'static str) -> bool {
        let does = Does::TryLock { orders_others: self.orders_others };
        !self.take(primitive, does, Role::Queues { shared: false }, Order::Acquire).failed
    }

    /// Gives it back. Only its holder may; the caller checks ([`Lock::holder`]).
    #[inline]
    pub fn unlock(&self, primitive: &'static str) {
        let does = Does::Unlock { orders_others: self.orders_others };
        self.take(primitive, does, Role::Itself, Order::Release);
    }

    #[inline]
    fn take(&self, primitive: &'static str, does: Does, role: Role, order: Order) -> Took {
        let Lock { object, name, class, .. } = *self;
        let step = Step::without_object(primitive, does);
        gate::take(&Step { object, name, class, order, role, ..step })
    }
}

/// A flag that a task waits for: a completion, or a task's permission to run.
#[derive(Debug)]
pub struct Token {
    object: u32,
    name: Name,
}

impl Token {
    /// A token that is not set. To be made while the scenario is set up.
    pub fn new(name: Name) -> Token {
        Token { object: make(name, New::Token), name }
    }

    /// A token of foreign code, by its number.
    pub fn foreign(nth: u32, name: Name) -> Token {
        Token { object: foreign::object(nth), name }
    }

    /// Its number.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// Waits until it is set; clears it if `consume`.
    pub fn wait(&self, primitive: &'static str, consume: bool) {
        self.take(primitive, Does::Wait { consume }, Order::Acquire);
    }

    /// Sets it.
    pub fn wake(&self, primitive: &'static str) {
        self.take(primitive, Does::Wake, Order::Release);
    }

    fn take(&self, primitive: &'static str, does: Does, order: Order) {
        let (object, name) = (self.object, self.name);
        let step = Step::without_object(primitive, does);
        gate::take(&Step { object, name, class: Class::Token, order, ..step });
    }
}
