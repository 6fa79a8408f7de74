//! Words on loom: atomics, accessed with the ordering that the step carries. loom lets other tasks
//! run before an access takes effect, so that what is known of the task is known again after it.

use std::array;
use std::cell::Cell;

use loom::sync::atomic::{AtomicU64, Ordering, fence as loom_fence};
use selvedge_trace::{Name, Order};

use super::{THREADS_MAX, with};
use crate::step::{If, Rmw, Took};

/// loom forgets all but so many stores of an atomic, silently (its `MAX_ATOMIC_HISTORY`).
const STORES_MAX: u32 = 7;

pub(super) struct Word {
    object: u32,
    name: Name,
    atomic: AtomicU64,
    /// The value that was stored last.
    newest: Cell<u64>,
    stores: Cell<u32>,
    seen: Accesses,
    /// Of a word whose reads loom would forget: one for each task. A task stores to its own before
    /// it reads, and to those of who has read before it writes, so that each read is compared with
    /// each write. Never read, so that nothing is ordered by them.
    dependence: Option<[AtomicU64; THREADS_MAX]>,
}

/// The accesses to a word since it was last written. When a word is written loom compares with its
/// last access alone (tokio-rs/loom#166): reads behind that one are forgotten, and the orders in
/// which they come after the write are not explored.
#[derive(Default)]
struct Accesses {
    /// Tasks that have read, a bit each.
    readers: Cell<u32>,
    last: Cell<u32>,
}

impl Accesses {
    fn read(&self, task: usize) {
        self.readers.set(self.readers.get() | 1 << task);
        self.last.set(task as u32);
    }

    /// Whether loom has forgotten a read by somebody else.
    fn written(&self, task: usize) -> bool {
        let known = 1 << task | 1 << self.last.get();
        let forgotten = self.readers.replace(0) & !known;
        self.last.set(task as u32);
        forgotten != 0
    }
}

impl Word {
    pub(super) fn new(object: u32, name: Name, value: u64, is_mended: bool) -> Word {
        Word {
            object,
            name,
            atomic: AtomicU64::new(value),
            newest: Cell::new(value),
            stores: Cell::new(1),
            seen: Accesses::default(),
            dependence: is_mended.then(|| array::from_fn(|_| AtomicU64::new(0))),
        }
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest.get()
    }

    pub(super) fn load(&self, me: usize, order: Order) -> Took {
        self.will_read(me);
        let value = self.atomic.load(read_order(order));
        self.seen.read(me);
        Took { stale: value != self.newest.get(), ..Took::read(value) }
    }

    pub(super) fn store(&self, me: usize, value: u64, order: Order) -> Took {
        let old = self.newest.get();
        self.will_write(me);
        self.atomic.store(value, write_order(order));
        self.was_written(me);
        self.put(value);
        Took::wrote(old, value)
    }

    pub(super) fn update(&self, me: usize, change: Rmw, order: Order) -> Took {
        self.will_write(me);
        full(order);
        let old = match change {
            Rmw::Add(n) => self.atomic.fetch_add(n, update_order(order)),
            Rmw::Or(mask) => self.atomic.fetch_or(mask, update_order(order)),
            Rmw::And(mask) => self.atomic.fetch_and(mask, update_order(order)),
            Rmw::Xor(mask) => self.atomic.fetch_xor(mask, update_order(order)),
            Rmw::Swap(new) => self.atomic.swap(new, update_order(order)),
        };
        full(order);
        self.was_written(me);
        self.put(change.apply(old));
        Took::wrote(old, change.apply(old))
    }

    /// loom has no conditional update in one step. The load may be stale; then the exchange fails
    /// and the next load is newer. An update that does not happen is a relaxed load, as in LKMM.
    pub(super) fn update_if(&self, me: usize, condition: If, change: Rmw, order: Order) -> Took {
        loop {
            let seen = self.load(me, Order::Relaxed);
            if !condition.is_met(seen.old) {
                return Took { failed: true, ..seen };
            }
            let (old, new) = (seen.old, change.apply(seen.old));
            self.will_write(me);
            full(order);
            let exchange =
                self.atomic.compare_exchange(old, new, update_order(order), Ordering::Relaxed);
            full(order);
            self.was_written(me);
            if exchange.is_ok() {
                self.put(new);
                return Took::wrote(old, new);
            }
        }
    }

    /// Before each read of a word whose reads are not to be forgotten.
    fn will_read(&self, me: usize) {
        if let Some(dependence) = &self.dependence {
            dependence[me].store(0, Ordering::Relaxed);
        }
    }

    /// The same before each write, for who has read since the last one.
    fn will_write(&self, me: usize) {
        let Some(dependence) = &self.dependence else { return };
        let readers = self.seen.readers.get() & !(1 << me);
        for (task, dependence) in dependence.iter().enumerate() {
            if readers & 1 << task != 0 {
                dependence.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Has a read been forgotten, that no mending store stands for?
    fn was_written(&self, me: usize) {
        if self.seen.written(me) && self.dependence.is_none() {
            with(|state| state.forgotten_reads.insert(self.object, self.name));
        }
    }

    fn put(&self, value: u64) {
        self.newest.set(value);
        if self.stores.replace(self.stores.get() + 1) >= STORES_MAX {
            let exceeded = || format!("loom remembers {STORES_MAX} stores; {} had more", self.name);
            with(|state| {
                state.exceeded.get_or_insert_with(exceeded);
            });
        }
    }
}

/// A barrier.
pub(super) fn fence(order: Order) -> Took {
    match order {
        Order::Relaxed => {}
        Order::Acquire => loom_fence(Ordering::Acquire),
        Order::Release => loom_fence(Ordering::Release),
        Order::Full => loom_fence(Ordering::SeqCst),
    }
    Took::default()
}

fn full(order: Order) {
    if order == Order::Full {
        loom_fence(Ordering::SeqCst);
    }
}

fn read_order(order: Order) -> Ordering {
    match order {
        Order::Relaxed | Order::Release => Ordering::Relaxed,
        Order::Acquire | Order::Full => Ordering::Acquire,
    }
}

fn write_order(order: Order) -> Ordering {
    match order {
        Order::Relaxed | Order::Acquire => Ordering::Relaxed,
        Order::Release | Order::Full => Ordering::Release,
    }
}

/// A full barrier is rendered by fences on both sides: loom treats `SeqCst` accesses as `AcqRel`,
/// but is right about `SeqCst` fences.
fn update_order(order: Order) -> Ordering {
    match order {
        Order::Relaxed | Order::Full => Ordering::Relaxed,
        Order::Acquire => Ordering::Acquire,
        Order::Release => Ordering::Release,
    }
}
