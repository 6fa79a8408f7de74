//! A word of shared memory, and the barriers: handles by which steps are taken.

use selvedge_trace::{Bit, Class, Name, Order};

use crate::machine::New;
use crate::record;
use crate::step::{Does, If, Intent, Rmw, Role, Step, With};
use crate::{gate, state};

/// How an access is made.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The primitive, as the kernel spells it.
    pub primitive: &'static str,
    /// The ordering that it carries.
    pub order: Order,
    /// The bits of the word that it is about. Steps on disjoint bits are independent.
    pub bits: u64,
    /// The one bit that it is about, if it is.
    pub bit: Option<Bit>,
    /// What C says about races with it.
    pub intent: Intent,
    /// What it means to who reads the record.
    pub role: Role,
}

impl Access {
    /// A marked access to the whole word that orders nothing.
    #[inline]
    pub const fn relaxed(primitive: &'static str) -> Access {
        let (order, intent, role) = (Order::Relaxed, Intent::Marked, Role::Itself);
        Access { primitive, order, bits: !0, bit: None, intent, role }
    }

    /// The same, with an ordering.
    #[inline]
    pub const fn order(self, order: Order) -> Access {
        Access { order, ..self }
    }

    /// The same, about some bits only.
    #[inline]
    pub const fn bits(self, bits: u64) -> Access {
        Access { bits, ..self }
    }

    /// The same, about one bit only.
    #[inline]
    pub const fn bit(self, bit: Bit) -> Access {
        Access { bits: bit.mask(), bit: Some(bit), ..self }
    }

    /// The same, by which a lock that is made of a word is taken, for instance.
    #[inline]
    pub const fn role(self, role: Role) -> Access {
        Access { role, ..self }
    }

    /// The same, unmarked: it may race.
    #[inline]
    pub const fn plain(self) -> Access {
        Access { intent: Intent::Plain, ..self }
    }

    /// The same, meant to race and said to be.
    #[inline]
    pub const fn racy(self) -> Access {
        Access { intent: Intent::Racy, ..self }
    }
}

/// 64 bits of shared memory. A copy is the same word.
#[derive(Clone, Debug)]
pub struct Word {
    object: u32,
    name: Name,
    class: Class,
}

impl Word {
    /// A new word. To be made while the scenario is set up, before tasks run.
    pub fn new(name: Name, value: u64) -> Word {
        Word::of_class(name, value, Class::Word)
    }

    /// The same, of another class: one that is the whole of a lock, or of a completion.
    pub fn of_class(name: Name, value: u64, class: Class) -> Word {
        Word { object: make(name, New::Word(value)), name, class }
    }

    /// Its number.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// What it is called.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The newest value, read by nobody: no step, for the scenario's main before it starts tasks
    /// and when all of them, and what they started, have ended and been waited for.
    ///
    /// # Panics
    /// In any other task, and if main has not waited for the end of a task, directly or by way of a
    /// task that has: a work item that nobody flushes, for instance. A look that is not announced
    /// is one that the engines do not know of: they would not try it at another time, and a
    /// complete search would not be.
    pub fn peek(&self) -> u64 {
        let machine = record::with(|record| {
            let name = self.name;
            assert!(record.current() == 0, "peek() at {name} by a task: only main may");
            let others: Vec<&str> = record.not_waited_for().map(|(_, name)| name).collect();
            assert!(
                others.is_empty(),
                "peek() at {name} while others may run: main has not waited for the end of {}",
                others.join(", ")
            );
            if let Some(why) = record.still_put_off() {
                panic!("peek() at {name} too early: {why}");
            }
            record.machine
        });
        let value = machine.newest(self.object);
        state::observe(value);
        value
    }

    /// Reads.
    #[inline]
    pub fn load(&self, access: Access) -> u64 {
        gate::take(&self.step(access, Does::Load)).old
    }

    /// Writes.
    #[inline]
    pub fn store(&self, value: u64, access: Access) {
        gate::take(&self.step(access, Does::Store(value)));
    }

    /// Reads and writes in one step, and returns what was there.
    #[inline]
    pub fn update(&self, change: Rmw, access: Access) -> u64 {
        gate::take(&self.step(access, Does::Update { change, looks: true })).old
    }

    /// The same, for a caller who does not look at the result: like updates commute.
    #[inline]
    pub fn update_void(&self, change: Rmw, access: Access) {
        gate::take(&self.step(access, Does::Update { change, looks: false }));
    }

    /// Reads, and in the same step writes if the condition is met. `Ok` with the old value if it
    /// was; `Err` with the value read, and no ordering, if not.
    #[inline]
    pub fn update_if(&self, condition: If, change: Rmw, access: Access) -> Result<u64, u64> {
        let took = gate::take(&self.step(access, Does::UpdateIf { condition, change }));
        if took.failed { Err(took.old) } else { Ok(took.old) }
    }

    /// Waits until the value meets the condition, and returns it. It is one step, the look that is
    /// the last: what a loop would have seen before is of no consequence.
    #[inline]
    pub fn wait_until(&self, until: If, access: Access) -> u64 {
        gate::take(&self.step(access, Does::Await { until, change: None })).old
    }

    /// The same, and changes the value in the same step. Returns what was there.
    #[inline]
    pub fn update_when(&self, until: If, change: Rmw, access: Access) -> u64 {
        gate::take(&self.step(access, Does::Await { until, change: Some(change) })).old
    }

    #[inline]
    fn step(&self, access: Access, does: Does) -> Step {
        let Access { primitive, order, bits, bit, intent, role } = access;
        let (object, name, class) = (self.object, self.name, self.class);
        Step { primitive, object, name, class, does, order, bits, bit, intent, role }
    }
}

/// Makes an object; returns its number.
pub(crate) fn make(name: Name, new: New) -> u32 {
    let (machine, object) = record::with(|record| (record.machine, record.new_object()));
    machine.make(object, name, new);
    object
}

/// A memory barrier. No step under an SC engine, where it changes nothing.
pub fn fence(primitive: &'static str, order: Order) {
    fence_with(primitive, order, With::Nothing);
}

/// A memory barrier that orders only together with what stands beside it.
pub fn fence_with(primitive: &'static str, order: Order, with: With) {
    gate::take(&Step { order, ..Step::without_object(primitive, Does::Fence(with)) });
}
