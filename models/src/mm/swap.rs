//! The per-CPU batches through which folios reach the LRU lists, their drains, and the counter that
//! keeps folios out of them.
//!
//! Kept: the `lru_add` and `lru_rotate` batches; the order reference, local lock, entry, count,
//! check; `__lru_add_drain_all()` with its generation and both barriers; the work items; who is
//! flushed and who only if it seems to need it.
//! Left out: the other batches (deactivate, lazyfree, activate: filled as `lru_add` is), memcg (one
//! lruvec), the choice between evictable and unevictable lists, large folios.
//! Source: mm/swap.c of 5.11, 5.14, 5.17, 6.1.

use selvedge_kernel::{
    __clear_bit, INIT_WORK, Name, READ_ONCE, WRITE_ONCE, atomic_dec, atomic_inc, atomic_read,
    atomic_sub_and_test, booked, enter, flush_work, kernel_assert, local_irq_restore,
    local_irq_save, local_lock, local_lock_irqsave, local_unlock, local_unlock_irqrestore,
    mutex_lock, mutex_unlock, plain_read, plain_write, queue_work_on, reached, set_bit,
    smp_load_acquire, smp_mb, smp_mb__after_atomic, smp_processor_id, smp_wmb, spin_lock_irq,
    spin_lock_irqsave, spin_unlock_irq, spin_unlock_irqrestore, synchronize_rcu,
    synchronize_rcu_expedited, test_and_clear_bit, test_bit, unbooked,
};

use crate::fs::buffer::{has_bh_in_lru, invalidate_bh_lrus_cpu};
use crate::kernel::{Batch, EVICTABLE, NOT_LINKED, PG_LOCKED, PG_LRU, PG_MLOCKED, UNEVICTABLE};
use crate::{Folio, Kernel};

/// What differs between trees.
#[derive(Clone, Copy, Debug)]
pub struct Swap {
    /// `lru_cache_disable()`; `migrate_prep()` until 5.12.
    pub lru_cache_disable: fn(&Kernel),
    /// `lru_cache_enable()`; `migrate_finish()` of the RFCs.
    pub lru_cache_enable: fn(&Kernel),
    /// `lru_cache_disabled()`; `migrate_pending()` of the RFCs.
    pub lru_cache_disabled: fn(&Kernel) -> bool,
    /// Who drains bh_lrus together with the batches.
    pub bh_lru_drain: BhLruDrain,
    /// `__lru_add_drain_all()`: the generation.
    pub drain_generation: DrainGeneration,
    /// `__lru_add_drain_all()`: whom a forced drain reaches.
    pub forced_drain: ForcedDrain,
    /// The drain of the rotate batch.
    pub rotate_drain: RotateDrain,
    /// Whether `folio_batch_move_lru()` takes PG_lru away before it edits a list.
    pub move_claims: MoveClaims,
    /// `lru_add_fn()`: when PG_lru is set.
    pub lru_add: LruAdd,
    /// `move_folios_to_lru()`: the order of two steps.
    pub putback: crate::mm::vmscan::Putback,
}

/// When `lru_add_fn()` sets PG_lru.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LruAdd {
    /// First, and after a barrier PG_mlocked is read: up to 5.17.
    SetFirst,
    /// The same without the barrier: a mutant.
    SetFirstNoBarrier,
    /// PG_mlocked is read first: a mutant.
    ReadMlockedFirst,
    /// Last, by `folio_batch_move_lru()`; PG_mlocked changes under `lru_lock`: since 5.18.
    SetLast,
}

/// How a batch's operation makes sure that the folio's place on its list is its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveClaims {
    /// By clearing PG_lru; whoever finds it clear skips.
    TestClearLru,
    /// Not at all: a mutant.
    Nothing,
}

/// Whether the drains of the batches empty the bh_lru too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BhLruDrain {
    /// No: up to 5.12.
    Never,
    /// Every `lru_add_drain_cpu()` does: 5.13, 5.14 (8cc621d2f45d).
    EveryDrain,
    /// Only the work item of `lru_add_drain_all()`: since 5.15 (243418e3925d).
    WorkItem,
}

/// How `__lru_add_drain_all()` uses its generation counter. All but the first and the last are mutants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrainGeneration {
    /// As it is since 5.9 (6446a5131e24).
    AsWritten,
    /// Without the barrier before the generation is read.
    NoBarrierBeforeRead,
    /// Without the barrier after the generation is raised.
    NoBarrierAfterBump,
    /// Raised after the loop over the CPUs.
    BumpAfterLoop,
    /// Read after the mutex was taken.
    ReadUnderMutex,
    /// 5.5 to 5.8 (eef1a429f234): a seqcount latch, with write barriers only.
    Latch,
}

/// Which CPUs get a work item when the drain is forced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForcedDrain {
    /// All: 5.13 to 5.17. The scheduled work is what orders the counter.
    EveryCpu,
    /// Those that seem to need one; only the early exit is off: since 5.18.
    WhereNeeded,
}

/// How the drain of the rotate batch keeps interrupts out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RotateDrain {
    /// With interrupts off.
    IrqsOff,
    /// With interrupts on: a mutant.
    IrqsOn,
}

/// `folio_get()`: orders nothing. `holder` has the reference now.
pub fn folio_get(folio: &Folio, holder: Name) {
    atomic_inc(&folio.refcount);
    booked(&folio.refcount, holder);
}

/// `folio_put()`: frees the folio with the last reference. Full barrier on both sides.
pub fn folio_put(k: &Kernel, folio: &Folio, holder: Name) {
    unbooked(&folio.refcount, holder);
    if atomic_sub_and_test(1, &folio.refcount) {
        __folio_put(k, folio);
    }
}

/// `__folio_put()`, `__page_cache_release()`: off the list, if PG_lru says that it is on one, and
/// back to the page allocator.
pub fn __folio_put(k: &Kernel, folio: &Folio) {
    let _in = enter("__page_cache_release");
    if test_bit(PG_LRU, &folio.flags) {
        spin_lock_irqsave(&k.cpus, &k.lru_lock);
        lruvec_del_folio(folio);
        __clear_bit(PG_LRU, &folio.flags);
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
    WRITE_ONCE(&folio.freed, 1);
    reached("a folio was freed");
}

/// `lruvec_del_folio()`: `list_del()` of a folio that is on no list corrupts it.
pub fn lruvec_del_folio(folio: &Folio) {
    kernel_assert(plain_read(&folio.linked) != NOT_LINKED, "list_del corruption: not on a list");
    plain_write(&folio.linked, NOT_LINKED);
}

/// `lruvec_add_folio()`: so does `list_add()` of one that is, and of a freed one.
pub fn lruvec_add_folio(folio: &Folio, list: u64) {
    kernel_assert(
        plain_read(&folio.linked) == NOT_LINKED,
        "list_add corruption: already on a list",
    );
    kernel_assert(READ_ONCE(&folio.freed) == 0, "list_add of a freed folio");
    plain_write(&folio.linked, list);
}

/// For scenarios: a folio that is new, in a kernel whose other folios begin on a list.
pub fn unlist(k: &Kernel, folio: &Folio) {
    let _in = enter("unlist");
    debug_assert!(k.sizes.listed, "no folio of this kernel is on a list");
    test_and_clear_bit(PG_LRU, &folio.flags);
    plain_write(&folio.linked, NOT_LINKED);
}

/// `folio_isolate_lru()`; `isolate_lru_page()` until 5.18: takes a folio off its list for the
/// caller, who gets a reference, if nobody else has cleared PG_lru.
pub fn folio_isolate_lru(k: &Kernel, folio: &Folio, holder: Name) -> bool {
    let _in = enter("folio_isolate_lru");
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        return false;
    }
    folio_get(folio, holder);
    spin_lock_irq(&k.cpus, &k.lru_lock);
    lruvec_del_folio(folio);
    spin_unlock_irq(&k.cpus, &k.lru_lock);
    reached("a folio was isolated");
    true
}

/// `folio_batch_add()`: returns whether there is room left. A count is stored plainly; other CPUs
/// read it.
fn folio_batch_add(k: &Kernel, batch: &Batch, folio: &Folio) -> bool {
    batch.folios.lock().expect("not poisoned").push(folio.index);
    let nr = plain_read(&batch.nr) + 1;
    plain_write(&batch.nr, nr);
    (nr as usize) < k.sizes.batch
}

/// `folio_add_lru()`; `lru_cache_add()` until 5.16. The reference is taken first, so that a
/// preempted caller may hold one with nothing in the batch.
pub fn folio_add_lru(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_add_lru");
    let batch = &k.cpu_fbatches.of(smp_processor_id()).lru_add;
    folio_get(folio, batch.holder);
    local_lock(&k.cpus);
    let has_room = folio_batch_add(k, batch, folio);
    if !has_room || (k.tree.swap.lru_cache_disabled)(k) {
        folio_batch_move_lru(k, batch, lru_add_fn);
    } else {
        reached("a folio was left in the batch");
    }
    local_unlock(&k.cpus);
}

/// `folio_rotate_reclaimable()`: when writeback ends, in process context or in an interrupt.
pub fn folio_rotate_reclaimable(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_rotate_reclaimable");
    // Dirty and unevictable folios are left out: there are none.
    if test_bit(PG_LOCKED, &folio.flags) || !test_bit(PG_LRU, &folio.flags) {
        return;
    }
    let batch = &k.cpu_fbatches.of(smp_processor_id()).lru_rotate;
    folio_get(folio, batch.holder);
    local_lock_irqsave(&k.cpus);
    let has_room = folio_batch_add(k, batch, folio);
    if !has_room || (k.tree.swap.lru_cache_disabled)(k) {
        folio_batch_move_lru(k, batch, lru_move_tail_fn);
    }
    local_unlock_irqrestore(&k.cpus);
}

/// What a batch does to each folio under `lruvec->lru_lock`.
type MoveFn = fn(&Kernel, &Folio);

/// `lru_add_fn()`; `__pagevec_lru_add_fn()` until 5.16. Up to 5.17 it sets PG_lru, then reads PG_mlocked to choose the list; whoever clears
/// PG_mlocked looks at PG_lru afterwards, so that one of the two sees the other.
fn lru_add_fn(k: &Kernel, folio: &Folio) {
    let how = k.tree.swap.lru_add;
    if matches!(how, LruAdd::SetFirst | LruAdd::SetFirstNoBarrier) {
        set_bit(PG_LRU, &folio.flags);
    }
    if how == LruAdd::SetFirst {
        smp_mb__after_atomic();
    }
    let list = if test_bit(PG_MLOCKED, &folio.flags) { UNEVICTABLE } else { EVICTABLE };
    if how == LruAdd::ReadMlockedFirst {
        set_bit(PG_LRU, &folio.flags);
    }
    lruvec_add_folio(folio, list);
}

/// `lru_move_tail_fn()`: unlinks the folio and links it at the tail.
fn lru_move_tail_fn(_: &Kernel, folio: &Folio) {
    lruvec_del_folio(folio);
    lruvec_add_folio(folio, EVICTABLE);
}

/// `folio_batch_move_lru()`; `pagevec_lru_move_fn()` and `__pagevec_lru_add()` until 5.16. The lock
/// of the lruvec is kept over the loop, as when all folios are of one lruvec. The count is zeroed
/// last: another CPU may read it while the references are gone.
fn folio_batch_move_lru(k: &Kernel, batch: &Batch, move_fn: MoveFn) {
    let _in = enter("folio_batch_move_lru");
    let is_add = std::ptr::fn_addr_eq(move_fn, lru_add_fn as MoveFn);
    let folios = batch.entries();
    let mut locked = false;
    for folio in folios.iter().map(|&index| &k.folios[index]) {
        // Whoever clears PG_lru owns the folio's place on the list; somebody else did: skip.
        let must_claim = !is_add && k.tree.swap.move_claims == MoveClaims::TestClearLru;
        if must_claim && !test_and_clear_bit(PG_LRU, &folio.flags) {
            reached("a batch skipped a folio");
            continue;
        }
        if !locked {
            spin_lock_irqsave(&k.cpus, &k.lru_lock);
            locked = true;
        }
        move_fn(k, folio);
        if !is_add || k.tree.swap.lru_add == LruAdd::SetLast {
            set_bit(PG_LRU, &folio.flags);
        }
    }
    if locked {
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
    for folio in folios.iter().map(|&index| &k.folios[index]) {
        folio_put(k, folio, batch.holder);
    }
    batch.folios.lock().expect("not poisoned").clear();
    plain_write(&batch.nr, 0);
}

/// `lru_add_drain_cpu()`: the caller is on `cpu` and holds its local lock. The rotate batch's count
/// is read with interrupts on; an interrupt may have flushed it before they are off.
pub fn lru_add_drain_cpu(k: &Kernel, cpu: usize) {
    let _in = enter("lru_add_drain_cpu");
    let batches = k.cpu_fbatches.of(cpu);
    if plain_read(&batches.lru_add.nr) != 0 {
        folio_batch_move_lru(k, &batches.lru_add, lru_add_fn);
    }
    if plain_read(&batches.lru_rotate.nr) != 0 {
        match k.tree.swap.rotate_drain {
            RotateDrain::IrqsOff => {
                local_irq_save(&k.cpus);
                folio_batch_move_lru(k, &batches.lru_rotate, lru_move_tail_fn);
                local_irq_restore(&k.cpus);
            }
            RotateDrain::IrqsOn => {
                folio_batch_move_lru(k, &batches.lru_rotate, lru_move_tail_fn);
            }
        }
    }
    if k.tree.swap.bh_lru_drain == BhLruDrain::EveryDrain {
        invalidate_bh_lrus_cpu(k);
    }
}

/// `lru_add_drain()`.
pub fn lru_add_drain(k: &Kernel) {
    let _in = enter("lru_add_drain");
    local_lock(&k.cpus);
    lru_add_drain_cpu(k, smp_processor_id());
    local_unlock(&k.cpus);
}

/// `lru_add_drain_per_cpu()`: the work item. From 5.15 its body is `lru_add_and_bh_lrus_drain()`.
fn lru_add_drain_per_cpu(k: &Kernel) {
    let _in = enter("lru_add_drain_per_cpu");
    reached("a drain work item ran");
    lru_add_drain(k);
    if k.tree.swap.bh_lru_drain == BhLruDrain::WorkItem {
        invalidate_bh_lrus_cpu(k);
    }
}

/// `cpu_needs_drain()`: reads another CPU's counts without a lock.
fn cpu_needs_drain(k: &Kernel, cpu: usize) -> bool {
    let _in = enter("cpu_needs_drain");
    let batches = k.cpu_fbatches.of(cpu);
    plain_read(&batches.lru_add.nr) != 0
        || plain_read(&batches.lru_rotate.nr) != 0
        || (k.tree.swap.bh_lru_drain != BhLruDrain::Never && has_bh_in_lru(k, cpu))
}

/// `__lru_add_drain_all()`: drains every CPU's batches. On return whatever the caller, or whoever
/// the caller synchronised with, added before the call is in no batch.
///
/// Two callers need one drain: if the generation moved between the read and the mutex, somebody
/// else's drain began after our call and has finished.
pub fn __lru_add_drain_all(k: &Kernel, force: bool) {
    let _in = enter("__lru_add_drain_all");
    let generation = k.tree.swap.drain_generation;
    let is_latch = generation == DrainGeneration::Latch;
    if generation != DrainGeneration::NoBarrierBeforeRead && !is_latch {
        // Our stores to batch counts come before the read of the generation. Pairs with the
        // barrier below.
        smp_mb();
    }
    let read_late = generation == DrainGeneration::ReadUnderMutex;
    let mut this_gen = if read_late { 0 } else { smp_load_acquire(&k.lru_drain_gen) };
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    if read_late {
        this_gen = smp_load_acquire(&k.lru_drain_gen);
    }
    let now = plain_read(&k.lru_drain_gen);
    if this_gen != now && !force {
        reached("a drain was left to somebody else");
        mutex_unlock(&k.lru_drain_lock);
        return;
    }
    if is_latch {
        // raw_write_seqcount_latch()
        smp_wmb();
    }
    if generation != DrainGeneration::BumpAfterLoop {
        WRITE_ONCE(&k.lru_drain_gen, now + 1);
    }
    if is_latch {
        smp_wmb();
    } else if generation != DrainGeneration::NoBarrierAfterBump {
        // The new generation comes before the reads of batch counts.
        smp_mb();
    }
    let has_work = queue_drains(k, force);
    if generation == DrainGeneration::BumpAfterLoop {
        WRITE_ONCE(&k.lru_drain_gen, now + 1);
    }
    for cpu in has_work {
        flush_work(&k.cpus, k.lru_add_drain_work.of(cpu));
    }
    mutex_unlock(&k.lru_drain_lock);
}

/// The loop of `__lru_add_drain_all()`: returns `has_work`.
fn queue_drains(k: &Kernel, force: bool) -> Vec<usize> {
    let everywhere = force && k.tree.swap.forced_drain == ForcedDrain::EveryCpu;
    let mut has_work = Vec::new();
    for cpu in k.cpus.online() {
        if everywhere || cpu_needs_drain(k, cpu) {
            let work = k.lru_add_drain_work.of(cpu);
            INIT_WORK(work, k.work_fn(lru_add_drain_per_cpu));
            queue_work_on(&k.cpus, cpu, work);
            has_work.push(cpu);
        }
    }
    has_work
}

/// `lru_add_drain_all()`.
pub fn lru_add_drain_all(k: &Kernel) {
    let _in = enter("lru_add_drain_all");
    __lru_add_drain_all(k, false);
}

/// `lru_cache_disable()`, 5.13 to 5.17: the work that is scheduled on every CPU orders the counter.
pub fn lru_cache_disable_by_work(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    __lru_add_drain_all(k, true);
}

/// `lru_cache_disable()`, 5.18: whoever read the counter as 0 did so with preemption or interrupts
/// off, and is waited for.
pub fn lru_cache_disable_by_rcu(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu(&k.cpus);
    __lru_add_drain_all(k, true);
}

/// `lru_cache_disable()`, since 5.19.
pub fn lru_cache_disable_by_rcu_expedited(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu_expedited(&k.cpus);
    __lru_add_drain_all(k, true);
}

/// `lru_cache_disable()` of 5.18 without `synchronize_rcu()`: a mutant.
pub fn lru_cache_disable_without_rcu(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    __lru_add_drain_all(k, true);
}

/// `lru_cache_enable()`: orders nothing.
pub fn lru_cache_enable(k: &Kernel) {
    let _in = enter("lru_cache_enable");
    atomic_dec(&k.pending_count);
}

/// `lru_cache_disabled()`: orders nothing.
pub fn lru_cache_disabled(k: &Kernel) -> bool {
    let _in = enter("lru_cache_disabled");
    atomic_read(&k.pending_count) != 0
}
