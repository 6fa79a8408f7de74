//! The state of the modelled kernel: what C keeps in static and per-CPU variables, and the folios
//! and buffer heads of a scenario.

use std::sync::{Arc, Mutex as Private, Weak};

use selvedge_kernel::{Atomic, Bit, Cpus, Flags, Mutex, Name, PerCpu, SpinLock, Var, Work};

use crate::Tree;
use crate::mm::filemap::{Sleeper, WaitQueue};
use crate::sched::wait_bit::BitWaitQueue;

/// `PG_lru`: the folio is on an LRU list, and whoever clears the bit owns its place there.
pub const PG_LRU: Bit = Bit { nr: 5, name: "PG_lru" };
/// `PG_locked`.
pub const PG_LOCKED: Bit = Bit { nr: 0, name: "PG_locked" };
/// `PG_waiters`: in the same byte as [`PG_LOCKED`].
pub const PG_WAITERS: Bit = Bit { nr: 7, name: "PG_waiters" };
/// `PG_writeback`: 15 or so until 6.12.
pub const PG_WRITEBACK: Bit = Bit { nr: 1, name: "PG_writeback" };
/// `PG_uptodate`.
pub const PG_UPTODATE: Bit = Bit { nr: 3, name: "PG_uptodate" };
/// `BH_Lock`, of `bh->b_state`.
pub const BH_LOCK: Bit = Bit { nr: 2, name: "BH_Lock" };
/// `PG_mlocked`. In the same word as [`PG_LRU`], which matters: one word, one order.
pub const PG_MLOCKED: Bit = Bit { nr: 21, name: "PG_mlocked" };

/// The sizes of a scenario. Scaled down where two of a thing show what fifteen do: a batch needs
/// one slot that waits and one that fills it, a bh_lru one slot that stays and one that evicts.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// CPUs, all online.
    pub cpus: usize,
    /// Folios, each with one reference of the page cache.
    pub folios: usize,
    /// Buffer heads, each with one reference of its user.
    pub buffer_heads: usize,
    /// `PAGEVEC_SIZE`: 15 up to 6.6, 31 later.
    pub batch: usize,
    /// `BH_LRU_SIZE`: 16.
    pub bh_lru: usize,
    /// Whether the folios begin on an LRU list.
    pub listed: bool,
    /// Tasks that may sleep on a folio.
    pub sleepers: usize,
    /// Whether the lives of folios and of waiters' stacks are watched where the folio lock touches
    /// them: a step more at each such place.
    pub lifetimes: bool,
}

impl Sizes {
    /// Two CPUs, one folio, one buffer head, batches of two, a bh_lru of one.
    pub const TINY: Sizes = Sizes {
        cpus: 2,
        folios: 1,
        buffer_heads: 1,
        batch: 2,
        bh_lru: 1,
        listed: false,
        sleepers: 0,
        lifetimes: false,
    };
}

/// `struct folio` (a `struct page` until 5.16).
#[derive(Debug)]
pub struct Folio {
    /// Which one: from 0.
    pub index: usize,
    /// `folio->flags`.
    pub flags: Flags,
    /// `folio->_refcount`.
    pub refcount: Atomic,
    /// Which list of its lruvec it is linked on ([`NOT_LINKED`], [`EVICTABLE`], [`UNEVICTABLE`]).
    /// Edited under `lruvec->lru_lock`.
    pub linked: Var,
    /// Has it been given back to the page allocator?
    pub freed: Var,
    /// What the folio lock protects, as one word.
    pub contents: Var,
}

/// On no list.
pub const NOT_LINKED: u64 = 0;
/// On one of the lists that reclaim scans.
pub const EVICTABLE: u64 = 1;
/// On the unevictable list.
pub const UNEVICTABLE: u64 = 2;

/// `struct buffer_head`.
#[derive(Debug)]
pub struct BufferHead {
    /// Which one: from 0. A slot of a bh_lru holds this plus 1, or 0 for NULL.
    pub index: usize,
    /// `bh->b_count`.
    pub b_count: Atomic,
    /// `bh->b_state`
    pub b_state: Flags,
    /// What the buffer lock protects, as one word.
    pub contents: Var,
    /// Has `free_buffer_head()` been called?
    pub freed: Var,
    /// Is its ring being moved to another folio?
    pub moving: Var,
}

/// One `struct folio_batch` (a pagevec until 5.16).
#[derive(Debug)]
pub struct Batch {
    /// `nr`: other CPUs read it without a lock.
    pub nr: Var,
    /// The entries, by [`Folio::index`]. Only their CPU looks at them, under its local lock, so
    /// that they need no steps of their own.
    pub folios: Private<Vec<usize>>,
    /// Who holds the references of the entries.
    pub holder: Name,
}

/// `struct cpu_fbatches` (`lru_pvecs` and `lru_rotate` until 5.16), as far as it is modelled.
#[derive(Debug)]
pub struct Batches {
    /// Folios on their way to an LRU list.
    pub lru_add: Batch,
    /// Folios whose writeback ended, on their way to the tail: filled from interrupts.
    pub lru_rotate: Batch,
}

/// The name of the holder of an entry of a batch of `lru_add`.
pub const BATCHED: &str = "lru_add batch";

impl Batch {
    fn new(kind: &'static str, nr: &'static str, cpu: usize) -> Batch {
        Batch {
            nr: Var::new(Name::new(nr).on(cpu), 0),
            folios: Private::new(Vec::new()),
            holder: Name::new(kind).on(cpu),
        }
    }

    /// The entries.
    pub fn entries(&self) -> Vec<usize> {
        self.folios.lock().expect("not poisoned").clone()
    }
}

/// The modelled kernel.
#[derive(Debug)]
pub struct Kernel {
    me: Weak<Kernel>,
    /// The tree it is built from.
    pub tree: &'static Tree,
    /// The sizes of the scenario.
    pub sizes: Sizes,
    /// The CPUs.
    pub cpus: Cpus,
    /// The folios.
    pub folios: Vec<Folio>,
    /// The buffer heads.
    pub buffer_heads: Vec<BufferHead>,
    /// mm/swap.c: `cpu_fbatches`.
    pub cpu_fbatches: PerCpu<Batches>,
    /// mm/filemap.c: the wait queue that all folios hash to.
    pub folio_waitqueue: WaitQueue,
    /// kernel/sched/wait_bit.c: the wait queue that all words hash to.
    pub bit_waitqueue: BitWaitQueue,
    /// The tasks that may sleep, by the number that scenarios give them.
    pub sleepers: Vec<Sleeper>,
    /// fs/buffer.c: `bh_lrus`, newest entry first.
    pub bh_lrus: PerCpu<Vec<Var>>,
    /// `mapping->i_private_lock` of the one block device mapping (`private_lock` until 6.6).
    pub i_private_lock: SpinLock,
    /// `lruvec->lru_lock`; one lruvec is modelled.
    pub lru_lock: SpinLock,
    /// mm/swap.c, `__lru_add_drain_all()`: `lru_drain_gen`.
    pub lru_drain_gen: Var,
    /// mm/swap.c, `__lru_add_drain_all()`: `lock`.
    pub lru_drain_lock: Mutex,
    /// mm/swap.c: `lru_add_drain_work`.
    pub lru_add_drain_work: PerCpu<Work>,
    /// Callers that keep folios and buffer heads out of per-CPU caches: `migrate_pending_count` of
    /// the RFCs, `lru_disable_count` since 5.13.
    pub pending_count: Atomic,
    /// The same as a plain variable: the bool of the patch that seed 000 answers to, and
    /// `migrate_pending_count` of the posting of 2021-02-16.
    pub pending_plain: Var,
    /// `migrate_pending_lock` of the posting of 2021-02-16.
    pub migrate_pending_lock: SpinLock,
    /// The dummy work items of the posting of 2021-02-16.
    pub migrate_pending_work: PerCpu<Work>,
}

impl Kernel {
    /// A kernel of this tree and these sizes, idle.
    pub fn new(tree: &'static Tree, sizes: Sizes) -> Arc<Kernel> {
        let cpus = Cpus::new(sizes.cpus);
        let bh_lru = |cpu| {
            let slot = |i| Var::new(Name::new("bhs").on(cpu).nth(i), 0);
            (0..sizes.bh_lru).map(slot).collect()
        };
        let batches = |cpu| Batches {
            lru_add: Batch::new(BATCHED, "lru_add.nr", cpu),
            lru_rotate: Batch::new("lru_rotate batch", "lru_rotate.nr", cpu),
        };
        let work = |name| move |cpu| Work::new(Name::new(name).on(cpu));
        Arc::new_cyclic(|me| Kernel {
            me: me.clone(),
            tree,
            sizes,
            folios: (0..sizes.folios).map(|index| Folio::new(index, sizes.listed)).collect(),
            buffer_heads: (0..sizes.buffer_heads).map(BufferHead::new).collect(),
            cpu_fbatches: PerCpu::new(&cpus, batches),
            folio_waitqueue: WaitQueue::new(),
            bit_waitqueue: BitWaitQueue::new(),
            sleepers: (0..sizes.sleepers).map(Sleeper::new).collect(),
            bh_lrus: PerCpu::new(&cpus, bh_lru),
            i_private_lock: SpinLock::new(Name::new("i_private_lock")),
            lru_lock: SpinLock::new(Name::new("lruvec->lru_lock")),
            lru_drain_gen: Var::new(Name::new("lru_drain_gen"), 0),
            lru_drain_lock: Mutex::new(Name::new("lru_add_drain_all lock")),
            lru_add_drain_work: PerCpu::new(&cpus, work("lru_add_drain_work")),
            pending_count: Atomic::new(Name::new(tree.pending_name), 0),
            pending_plain: Var::new(Name::new(tree.pending_name), 0),
            migrate_pending_lock: SpinLock::new(Name::new("migrate_pending_lock")),
            migrate_pending_work: PerCpu::new(&cpus, work("migrate_pending_work")),
            cpus,
        })
    }

    /// The kernel, for a task or a work item that outlives the call.
    pub fn share(&self) -> Arc<Kernel> {
        self.me.upgrade().expect("a kernel that runs is alive")
    }

    /// Starts a task on `cpu` and returns its number.
    pub fn task(
        &self,
        cpu: usize,
        name: &str,
        body: impl FnOnce(&Kernel) + Send + 'static,
    ) -> usize {
        let kernel = self.share();
        selvedge_kernel::spawn_task(&self.cpus, cpu, name, move || body(&kernel))
    }

    /// An interrupt on `cpu`, at any step of it; returns the number of its task.
    pub fn interrupt(
        &self,
        cpu: usize,
        name: &str,
        handler: impl FnOnce(&Kernel) + Send + 'static,
    ) -> usize {
        let kernel = self.share();
        selvedge_kernel::interrupt(&self.cpus, cpu, name, move || handler(&kernel))
    }

    /// A work function: `func` on this kernel.
    pub fn work_fn(&self, func: fn(&Kernel)) -> selvedge_kernel::WorkFn {
        let kernel = self.me.clone();
        // Weak, since the kernel owns the item that owns the function.
        Arc::new(move || func(&kernel.upgrade().expect("work runs while its kernel is alive")))
    }
}

impl Folio {
    fn new(index: usize, listed: bool) -> Folio {
        let refcount = Atomic::new(Name::new("folio->_refcount").nth(index), 1);
        selvedge_kernel::booked(&refcount, Name::new("page cache"));
        Folio {
            index,
            flags: Flags::new(
                Name::new("folio->flags").nth(index),
                if listed { PG_LRU.mask() } else { 0 },
            ),
            refcount,
            linked: Var::new(Name::new("folio->lru").nth(index), u64::from(listed)),
            freed: Var::new(Name::new("folio->freed").nth(index), 0),
            contents: Var::new(Name::new("folio->contents").nth(index), 0),
        }
    }
}

impl BufferHead {
    fn new(index: usize) -> BufferHead {
        let b_count = Atomic::new(Name::new("bh->b_count").nth(index), 1);
        selvedge_kernel::booked(&b_count, Name::new("user of the bh"));
        let freed = Var::new(Name::new("bh->freed").nth(index), 0);
        let moving = Var::new(Name::new("bh->moving").nth(index), 0);
        let b_state = Flags::new(Name::new("bh->b_state").nth(index), 0);
        let contents = Var::new(Name::new("bh->contents").nth(index), 0);
        BufferHead { index, b_count, b_state, contents, freed, moving }
    }
}
