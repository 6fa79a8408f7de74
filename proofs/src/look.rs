//! A look at the outcome of a scenario, of which the models and the kernel's own C have the same:
//! checks of scenarios that run on both ask these places, and nothing else.

use selvedge_kernel::{Bit, fail_about};
use selvedge_models::Kernel;
use selvedge_models::mm::mlock::{MLOCK_COUNT_0, Mlock};
use selvedge_trace::Rule;

use crate::Run;

/// The per-CPU batches of folios.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Batch {
    /// `lru_add`
    Add = 0,
    /// `lru_rotate`, `lru_move_tail` since 6.12.
    Rotate = 1,
    /// `lru_deactivate_file`
    DeactivateFile = 2,
    /// `lru_deactivate`
    Deactivate = 3,
    /// `lru_lazyfree`
    Lazyfree = 4,
    /// `activate`, `lru_activate` since 6.12.
    Activate = 5,
    /// `mlock_fbatch`
    Mlock = 6,
}

impl Batch {
    /// The name of its count of entries.
    pub fn nr(self) -> &'static str {
        match self {
            Batch::Add => "lru_add.nr",
            Batch::Rotate => "lru_rotate.nr",
            Batch::DeactivateFile => "lru_deactivate_file.nr",
            Batch::Deactivate => "lru_deactivate.nr",
            Batch::Lazyfree => "lru_lazyfree.nr",
            Batch::Activate => "lru_activate.nr",
            Batch::Mlock => "mlock_fbatch.nr",
        }
    }

    /// All: that of mm/mlock.c comes last.
    pub const ALL: [Batch; 7] = [
        Batch::Add,
        Batch::Rotate,
        Batch::DeactivateFile,
        Batch::Deactivate,
        Batch::Lazyfree,
        Batch::Activate,
        Batch::Mlock,
    ];
}

/// A place to look at, and what its value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A slot of a CPU's bh_lru: 0, or the index of the bh plus 1.
    BhLruSlot {
        /// Whose.
        cpu: usize,
        /// Which, from 0.
        slot: usize,
    },
    /// `bh->b_count`
    BhCount(usize),
    /// How often the folio is in a CPU's batch.
    InBatch {
        /// Whose.
        cpu: usize,
        /// Which.
        batch: Batch,
        /// The folio's index.
        folio: usize,
    },
    /// The count of the entries of a CPU's batch.
    BatchNr {
        /// Whose.
        cpu: usize,
        /// Which.
        batch: Batch,
    },
    /// `folio->_refcount`
    RefCount(usize),
    /// A bit of `folio->flags`: 0 or 1.
    Flag(usize, Bit),
    /// On which LRU list the folio is: [`selvedge_models::NOT_LINKED`] and its like.
    List(usize),
    /// `folio->mlock_count`, of an unevictable folio.
    MlockCount(usize),
    /// Has the page allocator got the folio back?
    Freed(usize),
}

/// Who can look.
pub trait Look {
    /// How many CPUs there are.
    fn cpus(&self) -> usize;
    /// How many folios there are.
    fn folios(&self) -> usize;
    /// How many slots a bh_lru has.
    fn bh_lru_size(&self) -> usize;
    /// Is it counted how often a folio is mlocked? Since 5.18.
    fn counts_mlocks(&self) -> bool;
    /// What is there.
    fn value(&self, place: Place) -> i64;
    /// The rule is broken, as is to be seen there. Does not return.
    fn fail(&self, rule: Rule, message: String, about: Place) -> !;
}

impl Run {
    fn batch_of(&self, cpu: usize, batch: Batch) -> &selvedge_models::mm::swap::Batch {
        self.cpu_fbatches.of(cpu).all()[batch as usize]
    }

    /// The number of the object that is looked at.
    fn object(&self, place: Place) -> u32 {
        match place {
            Place::BhLruSlot { cpu, slot } => self.bh_lrus.of(cpu)[slot].object(),
            Place::BhCount(bh) => self.buffer_heads[bh].b_count.object(),
            Place::InBatch { cpu, batch, .. } | Place::BatchNr { cpu, batch } => match batch {
                Batch::Mlock => self.mlock_fbatch.of(cpu).nr.object(),
                _ => self.batch_of(cpu, batch).nr.object(),
            },
            Place::RefCount(folio) => self.folios[folio].refcount.object(),
            Place::Flag(folio, _) => self.folios[folio].flags.object(),
            Place::List(folio) => self.folios[folio].linked.object(),
            Place::MlockCount(folio) => self.folios[folio].mlock_count.object(),
            Place::Freed(folio) => self.folios[folio].freed.object(),
        }
    }
}

impl Look for Run {
    fn cpus(&self) -> usize {
        self.sizes.cpus
    }

    fn folios(&self) -> usize {
        self.folios.len()
    }

    fn bh_lru_size(&self) -> usize {
        self.sizes.bh_lru
    }

    fn counts_mlocks(&self) -> bool {
        self.tree.mlock != Mlock::Isolates
    }

    fn value(&self, place: Place) -> i64 {
        let kernel: &Kernel = self;
        match place {
            Place::BhLruSlot { cpu, slot } => kernel.bh_lrus.of(cpu)[slot].peek() as i64,
            Place::BhCount(bh) => kernel.buffer_heads[bh].b_count.peek(),
            Place::InBatch { cpu, batch: Batch::Mlock, folio } => {
                let entries = kernel.mlock_fbatch.of(cpu).entries();
                entries.iter().filter(|entry| entry.index() == folio).count() as i64
            }
            Place::InBatch { cpu, batch, folio } => {
                let entries = self.batch_of(cpu, batch).entries();
                entries.iter().filter(|&&entry| entry == folio).count() as i64
            }
            Place::BatchNr { cpu, batch: Batch::Mlock } => {
                kernel.mlock_fbatch.of(cpu).nr.peek() as i64
            }
            Place::BatchNr { cpu, batch } => self.batch_of(cpu, batch).nr.peek() as i64,
            Place::RefCount(folio) => kernel.folios[folio].refcount.peek(),
            Place::Flag(folio, bit) => i64::from(kernel.folios[folio].flags.peek(bit)),
            Place::List(folio) => kernel.folios[folio].linked.peek() as i64,
            Place::MlockCount(folio) => {
                // Without the bit that says that it is kept, where a tree has that.
                (kernel.folios[folio].mlock_count.peek() % MLOCK_COUNT_0) as i64
            }
            Place::Freed(folio) => kernel.folios[folio].freed.peek() as i64,
        }
    }

    fn fail(&self, rule: Rule, message: String, about: Place) -> ! {
        fail_about(rule, message, self.object(about))
    }
}
