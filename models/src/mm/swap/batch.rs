//! Batches: a few folios that wait on one CPU for an operation on their LRU list.

use std::hash::Hash;

use selvedge_kernel::{Cpus, LocalLock, Name, Private, Var, data_race, plain_read, plain_write};

use crate::Kernel;

/// One `struct folio_batch` (a pagevec until 5.16).
#[derive(Debug)]
pub struct Batch<Entry = usize> {
    /// `nr`: written plainly by its CPU, under its local lock; other CPUs read it without.
    pub nr: Var,
    /// The entries, by [`crate::Folio::index`]. Only their CPU looks at them, under its local lock,
    /// so that they need no steps of their own.
    entries: Private<Vec<Entry>>,
    /// Who holds the references of the entries.
    pub holder: Name,
}

/// `struct cpu_fbatches`; `lru_pvecs` and `lru_rotate` until 5.16.
#[derive(Debug)]
pub struct Batches {
    /// Folios on their way to an LRU list.
    pub lru_add: Batch,
    /// Folios whose writeback ended, on their way to the tail: filled from interrupts.
    /// `lru_rotate` until 6.11, `lru_move_tail` since.
    pub lru_rotate: Batch,
    /// Folios that could not be invalidated.
    pub lru_deactivate_file: Batch,
    /// Folios that reclaim should look at soon.
    pub lru_deactivate: Batch,
    /// Clean anonymous folios (`MADV_FREE`).
    pub lru_lazyfree: Batch,
    /// Folios that were used again; `activate` until 6.11.
    pub lru_activate: Batch,
}

/// The name of the holder of an entry of a batch of `lru_add`.
pub const BATCHED: &str = "lru_add batch";
/// The same, of `lru_activate`.
pub const ACTIVATING: &str = "lru_activate batch";

impl<Entry: Copy + Hash> Batch<Entry> {
    pub(crate) fn new(kind: &'static str, nr: &'static str, cpu: usize) -> Batch<Entry> {
        Batch {
            nr: Var::new(Name::new(nr).on(cpu), 0),
            entries: Private::default(),
            holder: Name::new(kind).on(cpu),
        }
    }

    /// The entries: no step.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().clone()
    }

    /// `folio_batch_count()`.
    pub(crate) fn count(&self) -> u64 {
        plain_read(&self.nr)
    }

    /// `data_race(folio_batch_count())`.
    pub(crate) fn count_racily(&self) -> u64 {
        data_race(&self.nr)
    }

    /// `folio_batch_count()` of another CPU's batch, with `data_race()` or without.
    pub(crate) fn count_remotely(&self, is_marked: bool) -> u64 {
        if is_marked { self.count_racily() } else { self.count() }
    }

    /// `folio_batch_add()`: returns whether there is room left.
    pub(crate) fn add(&self, k: &Kernel, entry: Entry) -> bool {
        self.entries.note(|entries| entries.push(entry));
        let nr = plain_read(&self.nr) + 1;
        plain_write(&self.nr, nr);
        (nr as usize) < k.sizes.batch
    }

    /// `folio_batch_reinit()`.
    pub(crate) fn reinit(&self) {
        self.entries.note(Vec::clear);
        plain_write(&self.nr, 0);
    }
}

impl Batches {
    pub(crate) fn new(cpu: usize) -> Batches {
        Batches {
            lru_add: Batch::new(BATCHED, "lru_add.nr", cpu),
            lru_rotate: Batch::new("lru_rotate batch", "lru_rotate.nr", cpu),
            lru_deactivate_file: Batch::new(
                "lru_deactivate_file batch",
                "lru_deactivate_file.nr",
                cpu,
            ),
            lru_deactivate: Batch::new("lru_deactivate batch", "lru_deactivate.nr", cpu),
            lru_lazyfree: Batch::new("lru_lazyfree batch", "lru_lazyfree.nr", cpu),
            lru_activate: Batch::new(ACTIVATING, "lru_activate.nr", cpu),
        }
    }

    /// All of them, in the order in which they are drained.
    pub fn all(&self) -> [&Batch; 6] {
        [
            &self.lru_add,
            &self.lru_rotate,
            &self.lru_deactivate_file,
            &self.lru_deactivate,
            &self.lru_lazyfree,
            &self.lru_activate,
        ]
    }
}

/// The local locks of mm/swap.c, of one CPU.
#[derive(Debug)]
pub struct Locks {
    /// `cpu_fbatches.lock`; `lru_pvecs.lock` until 5.16.
    pub(crate) lock: selvedge_kernel::PerCpu<LocalLock>,
    /// `cpu_fbatches.lock_irq`; `lru_rotate.lock` until 6.11.
    pub(crate) lock_irq: selvedge_kernel::PerCpu<LocalLock>,
}

impl Locks {
    pub(crate) fn new(cpus: &Cpus) -> Locks {
        let lock = |name| selvedge_kernel::PerCpu::new(cpus, |cpu| LocalLock::new(cpus, name, cpu));
        Locks { lock: lock("cpu_fbatches.lock"), lock_irq: lock("cpu_fbatches.lock_irq") }
    }
}
