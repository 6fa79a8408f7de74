//! The state of the modelled kernel: what C keeps in static and per-CPU variables, and the folios
//! and buffer heads of a scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use selvedge_kernel::edits::{Edit, install};
use selvedge_kernel::{
    Atomic, Bit, Cpus, Flags, LocalLock, Mutex, Name, Own, PerCpu, Private, RwSem, SpinLock, Var,
    Work, smp_processor_id, spin_lock_irqsave, spin_unlock_irqrestore,
};

use crate::Tree;
use crate::machine::{Initial, Machine, Modelled, Sizes};
use crate::mm::filemap::{Sleeper, WaitQueue};
use crate::mm::migrate::Aops;
use crate::mm::mlock::MlockEntry;
use crate::mm::movable::Owner;
use crate::mm::swap::{Batch, BatchReferences, Batches, Locks};
use crate::sched::wait_bit::BitWaitQueue;

/// `PG_lru`: the folio is on an LRU list, and whoever clears the bit owns its place there.
pub const PG_LRU: Bit = Bit { nr: 5, name: "PG_lru" };
/// `PG_locked`.
pub const PG_LOCKED: Bit = Bit { nr: 0, name: "PG_locked" };
/// `PG_waiters`: in the same byte as [`PG_LOCKED`].
pub const PG_WAITERS: Bit = Bit { nr: 7, name: "PG_waiters" };
/// `PG_writeback`: 15 or so until 6.12.
pub const PG_WRITEBACK: Bit = Bit { nr: 1, name: "PG_writeback" };
/// `BH_Lock`, of `bh->b_state`.
pub const BH_LOCK: Bit = Bit { nr: 2, name: "BH_Lock" };
/// `BH_Uptodate`, of `bh->b_state`.
pub const BH_UPTODATE: Bit = Bit { nr: 0, name: "BH_Uptodate" };
/// `BH_Dirty`, of `bh->b_state`.
pub const BH_DIRTY: Bit = Bit { nr: 1, name: "BH_Dirty" };
/// `BH_Async_Read`, of `bh->b_state`: the buffer is under I/O that ends its folio's read.
pub const BH_ASYNC_READ: Bit = Bit { nr: 6, name: "BH_Async_Read" };
/// `BH_Async_Write`, of `bh->b_state`: the buffer is under I/O that ends its folio's writeback.
pub const BH_ASYNC_WRITE: Bit = Bit { nr: 7, name: "BH_Async_Write" };
/// `BH_Migrate`, of `bh->b_state`: since 6.15.
pub const BH_MIGRATE: Bit = Bit { nr: 16, name: "BH_Migrate" };
/// `PG_uptodate`
pub const PG_UPTODATE: Bit = Bit { nr: 3, name: "PG_uptodate" };
/// `PG_dirty`
pub const PG_DIRTY: Bit = Bit { nr: 4, name: "PG_dirty" };
/// `PG_referenced`
pub const PG_REFERENCED: Bit = Bit { nr: 2, name: "PG_referenced" };
/// `PG_active`
pub const PG_ACTIVE: Bit = Bit { nr: 8, name: "PG_active" };
/// `PG_private`: the folio has private data, and whoever set the bit has a reference.
pub const PG_PRIVATE: Bit = Bit { nr: 15, name: "PG_private" };
/// `PG_swapbacked`
pub const PG_SWAPBACKED: Bit = Bit { nr: 19, name: "PG_swapbacked" };
/// `PG_unevictable`
pub const PG_UNEVICTABLE: Bit = Bit { nr: 20, name: "PG_unevictable" };
/// `PG_mlocked`. In the same word as [`PG_LRU`], which matters: one word, one order.
pub const PG_MLOCKED: Bit = Bit { nr: 21, name: "PG_mlocked" };

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
    /// `folio->mapping`: 1 if the folio is in the page cache.
    pub mapping: Var,
    /// Its page-table entries.
    pub mapcount: Atomic,
    /// `folio->mlock_count`. Edited under `lruvec->lru_lock`, but for trees of
    /// [`Mlock::CountsAtOnce`](crate::mm::mlock::Mlock::CountsAtOnce).
    pub mlock_count: Var,
    /// `folio->lru_next`, which is `folio->lru.next` of a folio that no list has: the bits that say
    /// that an `lru_add` batch has it. 0 stands for any pointer of a list. Of trees whose batches
    /// take no reference ([`BatchReferences::OfDrain`]).
    pub lru_next: Option<Var>,
    /// Its generation (MGLRU), from the oldest. Edited under `lruvec->lru_lock`.
    pub generation: Var,
    /// `folio_test_large()`
    pub is_large: bool,
    /// `folio->index`: its page of the file, and of the process.
    pub page_index: usize,
    /// `folio->mapping->a_ops->migrate_folio`
    pub aops: Aops,
    /// Is it to be split before it can migrate? ([`Initial::without_target`])
    pub is_whole: Var,
}

/// Who holds the page cache's reference of a folio.
pub const PAGE_CACHE: Name = Name::new("page cache");

/// Who holds the reference that comes with PG_private.
pub const PRIVATE_DATA: Name = Name::new("private data");

/// On no list.
pub const NOT_LINKED: u64 = 0;
/// On one of the lists that reclaim scans.
pub const EVICTABLE: u64 = 1;
/// On the unevictable list.
pub const UNEVICTABLE: u64 = 2;

/// Who stores to memory and is no CPU: [`Kernel::last_stores`].
pub const DEVICE: usize = usize::MAX;

/// `struct buffer_head`.
#[derive(Debug)]
pub struct BufferHead {
    /// Which one: from 0. A slot of a bh_lru holds this plus 1, or 0 for NULL.
    pub index: usize,
    /// `bh->b_count`.
    pub b_count: Atomic,
    /// `bh->b_state`
    pub b_state: Flags,
    /// `bh->b_uptodate_lock`, of the first of a ring: asked of by the ends of the I/O of all.
    pub b_uptodate_lock: SpinLock,
    /// What the buffer lock protects, as one word.
    pub contents: Var,
    /// Has `free_buffer_head()` been called?
    pub freed: Var,
    /// Is its ring being moved to another folio?
    pub moving: Var,
    /// `bh->b_folio`: a folio's index.
    pub b_folio: Var,
}

/// The modelled kernel.
#[derive(Debug)]
pub struct Kernel {
    me: Weak<Kernel>,
    /// Of a task that is not the sleeper of its CPU: the sleeper's number.
    running: Own<Option<usize>>,
    /// The tree it is built from.
    pub tree: &'static Tree,
    /// How large the machine is.
    pub sizes: Sizes,
    /// What was so when the scenario began.
    pub initial: Initial,
    /// What is modelled.
    pub modelled: Modelled,
    /// The CPUs.
    pub cpus: Cpus,
    /// The folios.
    pub folios: Vec<Folio>,
    /// The buffer heads.
    pub buffer_heads: Vec<BufferHead>,
    /// mm/swap.c: `cpu_fbatches`.
    pub cpu_fbatches: PerCpu<Batches>,
    /// mm/swap.c: the local locks in `cpu_fbatches`.
    pub fbatch_locks: Locks,
    /// mm/mlock.c: `mlock_fbatch`.
    pub mlock_fbatch: PerCpu<Batch<MlockEntry>>,
    /// mm/mlock.c: `mlock_fbatch.lock`.
    pub mlock_lock: PerCpu<LocalLock>,
    /// The zone's statistic NR_MLOCK, where [`crate::Machine::nr_mlock`] asks for it.
    pub nr_mlock: Option<Atomic>,
    /// `mapping->i_pages` of the one file: by page, the folio's index plus 1.
    pub i_pages: Vec<Var>,
    /// `xa_lock` of `mapping->i_pages`.
    pub i_pages_lock: SpinLock,
    /// `xa_node->marks[PAGECACHE_TAG_WRITEBACK]`, a bit for each page, where
    /// [`crate::Machine::marks`] asks for it.
    pub i_pages_marks: Option<Var>,
    /// `mapping->nrpages`, where [`crate::Machine::nrpages`] asks for it.
    pub nrpages: Option<Var>,
    /// What the disk has of the one folio that is written out, where [`crate::Machine::disk`] asks
    /// for it. No word of the kernel's.
    pub disk: Option<Var>,
    /// `mapping->i_mmap_rwsem` of hugetlbfs, which has a lock class of its own, where
    /// [`crate::Machine::hugetlb`] asks for it.
    pub i_mmap_rwsem: Option<RwSem>,
    /// The page table of the one process: see mm/rmap.rs.
    pub ptes: Vec<Var>,
    /// The lock of the page table.
    pub ptl: SpinLock,
    /// The one TLB entry of each CPU: a folio's index plus 1, or 0.
    pub tlb: PerCpu<Var>,
    /// mm/filemap.c: the wait queue that all folios hash to.
    pub folio_waitqueue: WaitQueue,
    /// kernel/sched/wait_bit.c: the wait queue that all words hash to.
    pub bit_waitqueue: BitWaitQueue,
    /// The tasks that may sleep: see [`Kernel::current`].
    pub sleepers: Vec<Sleeper>,
    /// fs/buffer.c: `bh_lrus`, newest entry first.
    pub bh_lrus: PerCpu<Vec<Var>>,
    /// `mapping->i_private_lock` of the one block device mapping (`private_lock` until 6.6).
    pub i_private_lock: SpinLock,
    /// `lruvec->lru_lock`; one lruvec is modelled.
    pub lru_lock: SpinLock,
    /// `zone->lock`, where [`crate::Machine::zone_lock`] asks for it. What it is in C depends on
    /// where the page rests meanwhile: in the lists of a CPU it is `pcp->lock`.
    pub zone_lock: Option<SpinLock>,
    /// `lru_zone_size`, of all lists. Edited under `lru_lock`.
    pub lru_size: Var,
    /// mm/swap.c, `__lru_add_drain_all()`: `lru_drain_gen`.
    pub lru_drain_gen: Var,
    /// mm/swap.c, `__lru_add_drain_all()`: `lock`.
    pub lru_drain_lock: Mutex,
    /// mm/swap.c: `lru_add_drain_work`.
    pub lru_add_drain_work: PerCpu<Work>,
    /// Callers that keep folios and buffer heads out of per-CPU caches: `migrate_pending_count` of
    /// the RFCs, `lru_disable_count` since 5.13.
    pub pending_count: Atomic,
    /// The same as a plain variable: the bool of the patch that the RFC of 2021-02-11 answers to,
    /// and `migrate_pending_count` of the posting of 2021-02-16.
    pub pending_plain: Var,
    /// `migrate_pending_lock` of the posting of 2021-02-16.
    pub migrate_pending_lock: SpinLock,
    /// The driver of the scenario.
    pub owner: Option<Owner>,
    /// The dummy work items of the posting of 2021-02-16.
    pub migrate_pending_work: PerCpu<Work>,
    /// The folios that are pinned now, the lowest first. For a look at the end only, so that it is
    /// no step.
    pinned: Private<Vec<usize>>,
    /// By page of the process, and by CPU or device: what it has stored last. Likewise.
    stores: Private<BTreeMap<(usize, usize), u64>>,
}

impl Kernel {
    /// A kernel of this tree on this machine, idle.
    ///
    /// # Panics
    ///
    /// If there cannot be such a machine ([`Machine::contradiction`]).
    pub fn new(tree: &'static Tree, machine: Machine) -> Arc<Kernel> {
        Kernel::edited(tree, machine, &[])
    }

    /// The same, with steps changed by these edits.
    ///
    /// # Panics
    ///
    /// The same, and if the tree has edits of its own.
    pub fn edited(tree: &'static Tree, machine: Machine, edits: &'static [Edit]) -> Arc<Kernel> {
        assert!(edits.is_empty() || tree.edits.is_empty(), "a mutant is not mutated again");
        install(if edits.is_empty() { tree.edits } else { edits });
        if let Some(why) = machine.contradiction() {
            panic!("no such machine: {why}");
        }
        let Machine { sizes, initial, modelled } = machine;
        let cpus = cpus_of(tree, &sizes, &modelled);
        let bh_lru = |cpu| {
            let slot = |i| Var::new(Name::new("bhs").on(cpu).nth(i), 0);
            (0..sizes.bh_lru).map(slot).collect()
        };
        let mlock = |cpu| Batch::new("mlock batch", "mlock_fbatch.nr", cpu);
        // The second half are spares: what the first is migrated to.
        let count = if initial.mapped || initial.spares { 2 * sizes.folios } else { sizes.folios };
        let page = |name: &'static str, present: bool| {
            let is_present = move |i| present && i >= initial.absent;
            let page = move |i| {
                Var::new(Name::new(name).nth(i), (i as u64 + 1) * u64::from(is_present(i)))
            };
            (0..sizes.folios).map(page).collect::<Vec<_>>()
        };
        let work = |name| move |cpu| Work::new(Name::new(name).on(cpu));
        Arc::new_cyclic(|me| Kernel {
            me: me.clone(),
            running: Own::default(),
            tree,
            sizes,
            initial,
            modelled,
            folios: (0..count).map(|index| Folio::new(index, tree, &sizes, &initial)).collect(),
            buffer_heads: (0..sizes.buffer_heads)
                .map(|nr| BufferHead::new(nr, initial.ring))
                .collect(),
            cpu_fbatches: PerCpu::new(&cpus, Batches::new),
            fbatch_locks: Locks::new(&cpus),
            mlock_fbatch: PerCpu::new(&cpus, mlock),
            mlock_lock: PerCpu::new(&cpus, |cpu| LocalLock::new(&cpus, "mlock_fbatch.lock", cpu)),
            nr_mlock: modelled.nr_mlock.then(|| Atomic::new(Name::new("NR_MLOCK"), 0)),
            i_pages: page("i_pages", !initial.anon),
            tlb: PerCpu::new(&cpus, |cpu| Var::new(Name::new("tlb").on(cpu), 0)),
            i_pages_lock: SpinLock::new(Name::new("i_pages lock")),
            i_pages_marks: modelled.marks.then(|| Var::new(Name::new("i_pages marks"), 0)),
            nrpages: modelled.nrpages.then(|| nrpages(&sizes, &initial)),
            ptes: page("pte", initial.mapped),
            ptl: SpinLock::new(Name::new("ptl")),
            folio_waitqueue: WaitQueue::new(),
            bit_waitqueue: BitWaitQueue::new(),
            sleepers: (0..sizes.sleepers).map(Sleeper::new).collect(),
            bh_lrus: PerCpu::new(&cpus, bh_lru),
            i_private_lock: SpinLock::new(Name::new("i_private_lock")),
            lru_lock: SpinLock::new(Name::new("lruvec->lru_lock")),
            zone_lock: modelled.zone_lock.then(|| SpinLock::new(Name::new("zone->lock"))),
            lru_size: Var::new(Name::new("lru_size"), listed(&sizes, &initial)),
            lru_drain_gen: Var::new(Name::new("lru_drain_gen"), 0),
            lru_drain_lock: Mutex::new(Name::new("lru_add_drain_all lock")),
            lru_add_drain_work: PerCpu::new(&cpus, work("lru_add_drain_work")),
            pending_count: Atomic::new(Name::new(tree.pending_name), 0),
            pending_plain: Var::new(Name::new(tree.pending_name), 0),
            migrate_pending_lock: SpinLock::new(Name::new("migrate_pending_lock")),
            owner: initial.driver.map(|role| Owner::new(tree, &cpus, role)),
            migrate_pending_work: PerCpu::new(&cpus, work("migrate_pending_work")),
            pinned: Private::default(),
            stores: Private::default(),
            disk: modelled.disk.then(|| Var::new(Name::new("disk"), 0)),
            i_mmap_rwsem: modelled.hugetlb.then(i_mmap_rwsem),
            cpus,
        })
    }

    /// The kernel, for a task or a work item that outlives the call.
    pub fn share(&self) -> Arc<Kernel> {
        self.me.upgrade().expect("a kernel that runs is alive")
    }

    /// A page goes to or comes from the page allocator.
    pub(crate) fn with_zone_lock(&self, change: impl FnOnce()) {
        if let Some(lock) = &self.zone_lock {
            spin_lock_irqsave(&self.cpus, lock);
            change();
            spin_unlock_irqrestore(&self.cpus, lock);
        } else {
            change();
        }
    }

    /// The task that runs is this one of the sleepers, and not that of its CPU.
    pub fn is_sleeper(&self, number: usize) {
        self.running.open(|mine| *mine = Some(number));
    }

    /// `current`: the task that runs. One task may sleep on each CPU; where there are more, or
    /// there are fewer sleepers than CPUs, somebody says who is which ([`Kernel::is_sleeper`]).
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn current(&self) -> &Sleeper {
        let number = self.running.open(|mine| *mine);
        let number = number.unwrap_or_else(smp_processor_id);
        self.sleepers.get(number).expect("`Sizes::sleepers`: one for each task that may sleep")
    }

    /// The folio has been pinned.
    pub(crate) fn note_pin(&self, folio: &Folio) {
        self.pinned.note(|pinned| {
            let at = pinned.partition_point(|&index| index < folio.index);
            pinned.insert(at, folio.index);
        });
    }

    /// It has been unpinned once.
    pub(crate) fn note_unpin(&self, folio: &Folio) {
        self.pinned.note(|pinned| {
            if let Some(at) = pinned.iter().position(|&index| index == folio.index) {
                pinned.remove(at);
            }
        });
    }

    /// The folios that are pinned, for a look at the end.
    pub fn pinned(&self) -> impl Iterator<Item = usize> {
        self.pinned.lock().clone().into_iter()
    }

    /// Somebody, a CPU or [`DEVICE`], has stored `value` to this page of the process.
    pub(crate) fn note_store(&self, page: usize, by: usize, value: u64) {
        self.stores.note(|stores| _ = stores.insert((page, by), value));
    }

    /// What was stored last, by page and by whom, for a look at the end.
    pub fn last_stores(&self) -> BTreeMap<(usize, usize), u64> {
        self.stores.lock().clone()
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
        self.raise(selvedge_kernel::interrupt, (cpu, name), handler)
    }

    /// A softirq on `cpu`, at any step of it: as a bio's `bi_end_io` is called by the CPU that took
    /// the interrupt (`blk_done_softirq()`). Returns the number of its task.
    pub fn softirq(
        &self,
        cpu: usize,
        name: &str,
        handler: impl FnOnce(&Kernel) + Send + 'static,
    ) -> usize {
        self.raise(selvedge_kernel::softirq, (cpu, name), handler)
    }

    /// On PREEMPT_RT interrupts and softirqs run in threads.
    fn raise(
        &self,
        raise: fn(&Cpus, usize, &str, Handler) -> usize,
        (cpu, name): (usize, &str),
        handler: impl FnOnce(&Kernel) + Send + 'static,
    ) -> usize {
        let kernel = self.share();
        let raise = if self.cpus.is_preempt_rt() { selvedge_kernel::spawn_task } else { raise };
        raise(&self.cpus, cpu, name, Box::new(move || handler(&kernel)))
    }

    /// A work function: `func` on this kernel.
    pub fn work_fn(&self, func: fn(&Kernel)) -> selvedge_kernel::WorkFn {
        let kernel = self.me.clone();
        // Weak, since the kernel owns the item that owns the function.
        Arc::new(move || func(&kernel.upgrade().expect("work runs while its kernel is alive")))
    }
}

/// How many folios are on LRU lists when the scenario begins.
fn listed(sizes: &Sizes, initial: &Initial) -> u64 {
    if initial.listed { sizes.folios as u64 } else { 0 }
}

/// What an interrupt or a softirq does.
type Handler = Box<dyn FnOnce() + Send>;

fn cpus_of(tree: &Tree, sizes: &Sizes, modelled: &Modelled) -> Cpus {
    let cpus = Cpus::new(sizes.cpus, tree.preempt_rt);
    let cpus = if modelled.hotplug { cpus.with_hotplug() } else { cpus };
    let cpus = if modelled.softirqs { cpus.with_softirqs() } else { cpus };
    if modelled.moves { cpus.with_moves() } else { cpus }
}

/// `mapping->i_mmap_rwsem` of hugetlbfs.
fn i_mmap_rwsem() -> RwSem {
    RwSem::new(Name::new("hugetlbfs_i_mmap_rwsem_key"))
}

/// `mapping->nrpages`, as a scenario begins.
fn nrpages(sizes: &Sizes, initial: &Initial) -> Var {
    let cached = if initial.anon { 0 } else { sizes.folios - initial.absent };
    Var::new(Name::new("mapping->nrpages"), cached as u64)
}

impl Folio {
    fn new(index: usize, tree: &Tree, sizes: &Sizes, initial: &Initial) -> Folio {
        let has_lru_next = tree.swap.batch_references() == BatchReferences::OfDrain;
        let is_free = index >= sizes.folios || index < initial.absent;
        let is_mapped = initial.mapped && !is_free;
        let is_listed = initial.listed && !is_free;
        let var = |name: &'static str, value| Var::new(Name::new(name).nth(index), value);
        let counter = |name: &'static str, value| Atomic::new(Name::new(name).nth(index), value);
        let is_cached = !is_free && !initial.anon;
        let aops = initial.aops_of(index % sizes.folios);
        let has_buffers = matches!(aops, Aops::Buffers | Aops::BuffersNorefs);
        let has_private = (initial.private || has_buffers) && !is_free;
        let is_whole = initial.without_target.contains(&index);
        let count = i64::from(is_cached) + i64::from(is_mapped) + i64::from(has_private);
        let refcount = counter("folio->_refcount", count);
        if is_cached {
            selvedge_kernel::booked(&refcount, PAGE_CACHE);
        }
        if is_mapped {
            selvedge_kernel::booked(&refcount, crate::mm::rmap::PAGE_TABLE);
        }
        if has_private {
            selvedge_kernel::booked(&refcount, PRIVATE_DATA);
        }
        let flags = [(is_listed, PG_LRU), (has_private, PG_PRIVATE)];
        let flags = flags.iter().filter(|(is_set, _)| *is_set).map(|(_, bit)| bit.mask()).sum();
        Folio {
            index,
            flags: Flags::new(Name::new("folio->flags").nth(index), flags),
            refcount,
            linked: var("folio->lru", u64::from(is_listed)),
            freed: var("folio->freed", u64::from(is_free)),
            contents: var("folio->contents", 0),
            mapping: var("folio->mapping", u64::from(is_cached)),
            mapcount: counter("folio->_mapcount", i64::from(is_mapped)),
            mlock_count: var("folio->mlock_count", 0),
            lru_next: has_lru_next.then(|| var("folio->lru_next", 0)),
            generation: var("folio->gen", 0),
            is_large: initial.large,
            page_index: index % sizes.folios,
            aops,
            is_whole: var("folio_test_large(folio)", u64::from(is_whole)),
        }
    }
}

impl BufferHead {
    fn new(index: usize, ring: usize) -> BufferHead {
        let b_count = Atomic::new(Name::new("bh->b_count").nth(index), 1);
        selvedge_kernel::booked(&b_count, Name::new("user of the bh"));
        let freed = Var::new(Name::new("bh->freed").nth(index), 0);
        let moving = Var::new(Name::new("bh->moving").nth(index), 0);
        let b_state = Flags::new(Name::new("bh->b_state").nth(index), 0);
        let contents = Var::new(Name::new("bh->contents").nth(index), 0);
        let b_folio = Var::new(Name::new("bh->b_folio").nth(index), (index / ring) as u64);
        let b_uptodate_lock = SpinLock::new(Name::new("b_uptodate_lock").nth(index));
        BufferHead { index, b_count, b_state, b_uptodate_lock, contents, freed, moving, b_folio }
    }
}
