//! A word of shared memory, and the barriers.
//!
//! Under an SC engine a word is plain memory and every access is one announced step. Under loom it
//! is a loom atomic, accessed with the ordering that the caller names; loom switches tasks before
//! the access takes effect, so that the event is recorded right after.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering as Std};

use dpor::{Commutes, Footprint, Kind};
use loom::sync::atomic as weak;
use loom::sync::atomic::Ordering as Weak;
use selvedge_trace::{Action, Bit, Event, Name, Order};

use crate::run;
use crate::task::{Turn, announce};

/// loom forgets all but so many stores of an atomic, silently (engines.md: `MAX_ATOMIC_HISTORY`).
const LOOM_STORES_MAX: u32 = 7;

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
    /// A plain access of the C language: it may race.
    pub plain: bool,
}

impl Access {
    /// An access to the whole word that orders nothing.
    pub const fn relaxed(primitive: &'static str) -> Access {
        Access { primitive, order: Order::Relaxed, bits: !0, bit: None, plain: false }
    }

    /// The same, with an ordering.
    pub const fn order(self, order: Order) -> Access {
        Access { order, ..self }
    }

    /// The same, about some bits only.
    pub const fn bits(self, bits: u64) -> Access {
        Access { bits, ..self }
    }

    /// The same, about one bit only.
    pub const fn bit(self, bit: Bit) -> Access {
        Access { bits: bit.mask(), bit: Some(bit), ..self }
    }

    /// The same, unmarked.
    pub const fn plain(self) -> Access {
        Access { plain: true, ..self }
    }
}

/// A read-modify-write that always happens. Arithmetic wraps.
#[derive(Clone, Copy, Debug)]
pub enum Rmw {
    /// Addition.
    Add(u64),
    /// Or.
    Or(u64),
    /// And.
    And(u64),
    /// Exchange.
    Swap(u64),
}

impl Rmw {
    fn apply(self, value: u64) -> u64 {
        match self {
            Rmw::Add(n) => value.wrapping_add(n),
            Rmw::Or(mask) => value | mask,
            Rmw::And(mask) => value & mask,
            Rmw::Swap(new) => new,
        }
    }

    fn commutes(self) -> Commutes {
        match self {
            Rmw::Add(_) => Commutes::Add,
            Rmw::Or(_) => Commutes::Or,
            Rmw::And(_) => Commutes::And,
            Rmw::Swap(_) => Commutes::No,
        }
    }
}

/// 64 bits of shared memory.
#[derive(Debug)]
pub struct Word {
    object: u32,
    name: Name,
    /// The newest value, whatever the engine: for [`Word::peek`].
    newest: AtomicU64,
    stores: AtomicU32,
    weak: Option<weak::AtomicU64>,
    /// Under loom: who has accessed the word, as far as loom remembers it.
    seen: Accesses,
    /// Under loom, of a word whose reads it would forget: one for each task. A task stores to its own
    /// before it reads, and to those of who has read before it writes, so that each read is compared
    /// with each write. Never read, so that nothing is ordered by them.
    dependence: Option<[weak::AtomicU64; crate::weak::THREADS_MAX]>,
}

/// The accesses to a word since it was last written. When a word is written loom compares with its
/// last access alone (tokio-rs/loom#166): reads behind that one are forgotten, and the orders in
/// which they come after the write are not explored.
#[derive(Debug)]
struct Accesses {
    /// Tasks that have read, a bit each.
    readers: AtomicU32,
    last: AtomicU32,
}

impl Accesses {
    fn read(&self, task: usize) {
        self.readers.fetch_or(1 << task, Std::Relaxed);
        self.last.store(task as u32, Std::Relaxed);
    }

    /// Whether loom has forgotten a read by somebody else.
    fn written(&self, task: usize) -> bool {
        let known = 1 << task | 1 << self.last.load(Std::Relaxed);
        let forgotten = self.readers.swap(0, Std::Relaxed) & !known;
        self.last.store(task as u32, Std::Relaxed);
        forgotten != 0
    }
}

impl Word {
    /// A new word. To be made while the scenario is set up, before tasks run.
    pub fn new(name: Name, value: u64) -> Word {
        let (object, is_weak, all_depend) = run::with(|run| {
            let object = run.new_object();
            if let Some(shared) = &mut run.shared {
                shared.put(object, value);
            }
            (object, run.is_weak(), run.forgotten_reads.contains_key(&object))
        });
        Word {
            object,
            name,
            newest: AtomicU64::new(value),
            stores: AtomicU32::new(1),
            weak: is_weak.then(|| weak::AtomicU64::new(value)),
            seen: Accesses { readers: AtomicU32::new(0), last: AtomicU32::new(0) },
            dependence: (is_weak && all_depend)
                .then(|| std::array::from_fn(|_| weak::AtomicU64::new(0))),
        }
    }

    /// Before each read under loom, of a word whose reads are not to be forgotten.
    fn will_read(&self) {
        if let Some(dependence) = &self.dependence {
            dependence[run::me()].store(0, Weak::Relaxed);
        }
    }

    /// The same before each write, for who has read since the last one.
    fn will_write(&self, turn: &Turn) {
        let Some(dependence) = &self.dependence else { return };
        let readers = self.seen.readers.load(Std::Relaxed) & !(1 << run::me());
        for (task, dependence) in dependence.iter().enumerate() {
            if readers & 1 << task != 0 {
                dependence.store(0, Weak::Relaxed);
                turn.resume();
            }
        }
    }

    /// Under loom: has a read been forgotten, that no mending store stands for?
    fn was_written(&self) {
        if self.weak.is_some() && self.seen.written(run::me()) && self.dependence.is_none() {
            run::with(|run| run.tally.forgotten_reads.insert(self.object, self.name));
        }
    }

    /// Its number.
    pub fn object(&self) -> u32 {
        self.object
    }

    /// What it is called.
    pub fn name(&self) -> Name {
        self.name
    }

    /// The newest value, read by nobody: no step, for the scenario's main when its tasks are done.
    ///
    /// # Panics
    /// In any other task. A look that is not announced is one that the engines do not know of: they
    /// would not try it at another time, and a complete search would not be.
    pub fn peek(&self) -> u64 {
        assert!(run::me() == 0, "peek() at {} by a task: only the scenario's main may", self.name);
        let value = self.newest();
        dpor::observe(value);
        value
    }

    fn newest(&self) -> u64 {
        self.newest.load(Std::Relaxed)
    }

    /// Reads.
    pub fn load(&self, access: Access) -> u64 {
        let footprint = Footprint { reads: access.bits, writes: 0, commutes: Commutes::No };
        let turn = announce(Kind::Access(footprint), self.object, access.primitive, self.name);
        let value = match &self.weak {
            None => self.newest(),
            Some(word) => {
                self.will_read();
                let value = word.load(read_order(access.order));
                turn.resume();
                self.seen.read(run::me());
                value
            }
        };
        dpor::observe(value);
        let action = if access.plain { Action::PlainRead } else { Action::Read };
        self.record(turn, action, access, value, value);
        value
    }

    /// Writes.
    pub fn store(&self, value: u64, access: Access) {
        let footprint = Footprint { reads: 0, writes: access.bits, commutes: Commutes::No };
        let turn = announce(Kind::Access(footprint), self.object, access.primitive, self.name);
        let old = self.newest();
        if let Some(word) = &self.weak {
            self.will_write(&turn);
            word.store(value, write_order(access.order));
            turn.resume();
            self.was_written();
        }
        self.put(value);
        let action = if access.plain { Action::PlainWrite } else { Action::Write };
        self.record(turn, action, access, old, value);
    }

    /// Reads and writes in one step, and returns what was there.
    pub fn update(&self, rmw: Rmw, access: Access) -> u64 {
        let old =
            self.do_update(rmw, access, Footprint { reads: access.bits, ..writes(access.bits) });
        dpor::observe(old);
        old
    }

    /// The same, for a caller who does not look at the result: like updates commute.
    pub fn update_void(&self, rmw: Rmw, access: Access) {
        let footprint = Footprint { commutes: rmw.commutes(), ..writes(access.bits) };
        self.do_update(rmw, access, footprint);
    }

    fn do_update(&self, rmw: Rmw, access: Access, footprint: Footprint) -> u64 {
        let turn = announce(Kind::Access(footprint), self.object, access.primitive, self.name);
        let old = match &self.weak {
            None => self.newest(),
            Some(word) => {
                self.will_write(&turn);
                weak_full(access.order);
                let old = weak_update(word, rmw, rmw_order(access.order));
                weak_full(access.order);
                turn.resume();
                self.was_written();
                old
            }
        };
        self.put(rmw.apply(old));
        self.record(turn, Action::Update, access, old, rmw.apply(old));
        old
    }

    /// Reads, and in the same step writes what `change` makes of it, if it makes anything.
    /// `Ok` with the old value if it did; `Err` with the value read, and no ordering, if not.
    pub fn update_if(
        &self,
        access: Access,
        change: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        if let Some(word) = &self.weak {
            return self.weak_update_if(word, access, change);
        }
        let footprint = Footprint { reads: access.bits, ..writes(access.bits) };
        let turn = announce(Kind::Access(footprint), self.object, access.primitive, self.name);
        let old = self.newest();
        dpor::observe(old);
        let Some(new) = change(old) else {
            let read = Footprint { writes: 0, ..footprint };
            dpor::refine(dpor::Outcome::Footprint(read));
            self.record(turn, Action::UpdateFailed, access, old, old);
            return Err(old);
        };
        self.put(new);
        self.record(turn, Action::Update, access, old, new);
        Ok(old)
    }

    /// loom has no conditional update in one step. The load may be stale; then the exchange fails
    /// and the next load is newer. An update that does not happen is a relaxed load, as in LKMM.
    fn weak_update_if(
        &self,
        word: &weak::AtomicU64,
        access: Access,
        change: impl Fn(u64) -> Option<u64>,
    ) -> Result<u64, u64> {
        loop {
            let turn = announce(Kind::Local, self.object, access.primitive, self.name);
            self.will_read();
            let seen = word.load(Weak::Relaxed);
            turn.resume();
            self.seen.read(run::me());
            let Some(new) = change(seen) else {
                self.record(turn, Action::UpdateFailed, access, seen, seen);
                return Err(seen);
            };
            self.will_write(&turn);
            weak_full(access.order);
            let done = word.compare_exchange(seen, new, rmw_order(access.order), Weak::Relaxed);
            weak_full(access.order);
            turn.resume();
            self.was_written();
            if done.is_ok() {
                self.put(new);
                self.record(turn, Action::Update, access, seen, new);
                return Ok(seen);
            }
        }
    }

    fn put(&self, value: u64) {
        self.newest.store(value, Std::Relaxed);
        run::with(|run| {
            if let Some(shared) = &mut run.shared {
                shared.put(self.object, value);
            }
        });
        if self.weak.is_some() && self.stores.fetch_add(1, Std::Relaxed) >= LOOM_STORES_MAX {
            run::with(|run| {
                let exceeded = &mut run.tally.exceeded;
                exceeded.get_or_insert_with(|| {
                    format!("loom remembers {LOOM_STORES_MAX} stores; {} had more", self.name)
                });
            });
        }
    }

    fn record(&self, turn: Turn, action: Action, access: Access, old: u64, new: u64) {
        turn.resume();
        let stale = matches!(action, Action::Read | Action::PlainRead | Action::UpdateFailed)
            && self.weak.is_some()
            && old != self.newest();
        run::with(|run| {
            let blank = run.blank(action, access.primitive);
            let (object, name, order) = (self.object, self.name, access.order);
            run.record(Event { object, name, bit: access.bit, order, old, new, stale, ..blank });
        });
    }
}

fn writes(bits: u64) -> Footprint {
    Footprint { reads: 0, writes: bits, commutes: Commutes::No }
}

/// A memory barrier. No step under an SC engine, where it changes nothing.
pub fn fence(primitive: &'static str, order: Order) {
    if run::is_weak() {
        match order {
            Order::Relaxed => {}
            Order::Acquire => weak::fence(Weak::Acquire),
            Order::Release => weak::fence(Weak::Release),
            Order::Full => weak::fence(Weak::SeqCst),
        }
    }
    run::with(|run| {
        let event = Event { order, ..run.blank(Action::Fence, primitive) };
        run.record(event);
    });
}

fn weak_full(order: Order) {
    if order == Order::Full {
        weak::fence(Weak::SeqCst);
    }
}

fn weak_update(word: &weak::AtomicU64, rmw: Rmw, order: Weak) -> u64 {
    match rmw {
        Rmw::Add(n) => word.fetch_add(n, order),
        Rmw::Or(mask) => word.fetch_or(mask, order),
        Rmw::And(mask) => word.fetch_and(mask, order),
        Rmw::Swap(new) => word.swap(new, order),
    }
}

fn read_order(order: Order) -> Weak {
    match order {
        Order::Relaxed | Order::Release => Weak::Relaxed,
        Order::Acquire | Order::Full => Weak::Acquire,
    }
}

fn write_order(order: Order) -> Weak {
    match order {
        Order::Relaxed | Order::Acquire => Weak::Relaxed,
        Order::Release | Order::Full => Weak::Release,
    }
}

/// A full barrier is rendered by fences on both sides: loom treats `SeqCst` accesses as `AcqRel`,
/// but is right about `SeqCst` fences.
fn rmw_order(order: Order) -> Weak {
    match order {
        Order::Relaxed | Order::Full => Weak::Relaxed,
        Order::Acquire => Weak::Acquire,
        Order::Release => Weak::Release,
    }
}
