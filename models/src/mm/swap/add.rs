//! Who adds folios to batches, and what is done to them when a batch is moved.

use selvedge_kernel::{
    __clear_bit, Name, WRITE_ONCE, booked, clear_bit, enter, kernel_assert, local_lock,
    local_lock_irqsave, local_unlock, local_unlock_irqrestore, reached, set_bit,
    smp_mb__after_atomic, spin_lock_irqsave, spin_unlock_irqrestore, test_and_clear_bit, test_bit,
    unbooked,
};

use crate::kernel::{
    EVICTABLE, PG_ACTIVE, PG_LOCKED, PG_LRU, PG_MLOCKED, PG_SWAPBACKED, PG_UNEVICTABLE, UNEVICTABLE,
};
use crate::mm::migrate::mapping::folio_ref_freeze;
use crate::mm::swap::{
    Batch, BatchReferences, Batches, DeactivateFile, DeadFolios, LruAdd, LruClaim, LruLook,
    folio_get, folio_put, lruvec_add_folio, lruvec_del_folio,
};
use crate::{Folio, Kernel};

/// `move_fn_t`: what a batch does to each folio under `lruvec->lru_lock`. Not a pointer: whether it
/// is `lru_add_fn()` decides how the batch is moved, and Rust promises nothing about addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MoveFn {
    /// `lru_add_fn()`
    Add,
    /// `lru_move_tail_fn()`
    MoveTail,
    /// `lru_deactivate_file_fn()`
    DeactivateFile,
    /// `lru_deactivate_fn()`
    Deactivate,
    /// `lru_lazyfree_fn()`
    Lazyfree,
    /// `lru_activate_fn()`
    Activate,
}

impl MoveFn {
    pub(crate) fn call(self, k: &Kernel, folio: &Folio) {
        match self {
            MoveFn::Add => lru_add_fn(k, folio),
            MoveFn::MoveTail => lru_move_tail_fn(k, folio),
            MoveFn::DeactivateFile => lru_deactivate_file_fn(k, folio),
            MoveFn::Deactivate => lru_deactivate_fn(k, folio),
            MoveFn::Lazyfree => lru_lazyfree_fn(k, folio),
            MoveFn::Activate => lru_activate_fn(k, folio),
        }
    }
}

/// What the tree has for it: [`crate::mm::swap::Swap::folio_add_lru`].
pub fn folio_add_lru(k: &Kernel, folio: &Folio) {
    (k.tree.swap.folio_add_lru())(k, folio);
}

/// `folio_add_lru()`; `lru_cache_add()` until 5.16. The reference is taken first, so that a
/// preempted caller may hold one with nothing in the batch.
pub(crate) fn gets_and_adds(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_add_lru");
    let holder = holder(k, |b| &b.lru_add);
    folio_get(folio, holder);
    (k.tree.swap.lock_and_add())(k, |b| &b.lru_add, (folio, holder), MoveFn::Add);
}

/// A batch of those of a CPU.
pub type Which = fn(&Batches) -> &Batch;

/// The batch is looked up under the local lock: until then the task may be moved to another CPU. In
/// 6.12 it is one function, in earlier releases each operation does it.
pub fn lock_and_add(k: &Kernel, which: Which, (folio, holder): (&Folio, Name), move_fn: MoveFn) {
    local_lock(&k.cpus, &k.fbatch_locks.lock);
    let batch = which(k.cpu_fbatches.this_cpu_ptr());
    keeps_instead(folio, holder, batch);
    add_and_move(k, batch, folio, move_fn);
    local_unlock(&k.cpus, &k.fbatch_locks.lock);
}

/// The reference was booked for a batch of the CPU on which the task was then.
fn keeps_instead(folio: &Folio, holder: Name, batch: &Batch) {
    if batch.holder != holder {
        unbooked(&folio.refcount, holder);
        booked(&folio.refcount, batch.holder);
    }
}

/// Who has the reference that is taken for a batch of this CPU. It is booked before the local lock
/// is taken, where C does not ask yet which CPU it is.
fn holder(k: &Kernel, which: Which) -> Name {
    which(k.cpu_fbatches.this()).holder
}

/// Under the local lock: the entry, then the look whether the batch is to be moved.
/// `folio_batch_add_and_move()`.
pub(crate) fn add_and_move(k: &Kernel, batch: &Batch, folio: &Folio, move_fn: MoveFn) {
    let has_room = batch.add(k, folio.index);
    move_if_due(k, batch, folio, has_room, move_fn);
}

/// Moves the batch if it is full, the folio large, or caching disabled.
pub(super) fn move_if_due(
    k: &Kernel,
    batch: &Batch,
    folio: &Folio,
    has_room: bool,
    move_fn: MoveFn,
) {
    let may_be_cached = (k.tree.swap.folio_may_be_lru_cached())(folio);
    if !has_room || !may_be_cached || (k.tree.swap.lru_cache_disabled())(k) {
        (k.tree.swap.folio_batch_move_lru())(k, batch, move_fn);
    } else {
        reached("a folio was left in the batch");
    }
}

/// `folio_may_be_lru_cached()`; `!PageCompound()` until 5.15.
pub fn folio_may_be_lru_cached(folio: &Folio) -> bool {
    !folio.is_large
}

/// An operation has cleared PG_lru; its batch has no entry yet.
pub const CLAIMED: &str = "an operation claimed a folio for its batch";

/// The reference of an entry, where entries have one ([`BatchReferences`]).
fn get_for_entry(k: &Kernel, folio: &Folio, holder: Name) {
    if k.tree.swap.batch_references() == BatchReferences::OfEntry {
        folio_get(folio, holder);
    }
}

/// Whether an operation may take the folio: by a look at PG_lru, or with [`LruClaim::AtAdd`] by
/// clearing it. With a reference for the batch if so. `has_looked`: the operation has seen PG_lru.
fn folio_get_for_batch(k: &Kernel, folio: &Folio, holder: Name, has_looked: bool) -> bool {
    match k.tree.swap.lru_claim() {
        LruClaim::AtDrain => {
            let has_looked = has_looked || k.tree.swap.lru_look() == LruLook::First;
            if !has_looked && !test_bit(PG_LRU, &folio.flags) {
                return false;
            }
            get_for_entry(k, folio, holder);
        }
        LruClaim::AtAdd => {
            folio_get(folio, holder);
            if !test_and_clear_bit(PG_LRU, &folio.flags) {
                reached("an adder gave up: the folio was off the LRU");
                folio_put(k, folio, holder);
                return false;
            }
            reached(CLAIMED);
        }
        LruClaim::AtAddBeforeGet => {
            if !test_and_clear_bit(PG_LRU, &folio.flags) {
                return false;
            }
            folio_get(folio, holder);
        }
    }
    true
}

/// The look at PG_lru that an operation takes itself, before it adds the folio to a batch
/// ([`LruLook::First`]).
fn is_off_lru(k: &Kernel, folio: &Folio) -> bool {
    let (lru_claim, lru_look) = (k.tree.swap.lru_claim(), k.tree.swap.lru_look());
    let looks = lru_claim == LruClaim::AtDrain && lru_look == LruLook::First;
    looks && !test_bit(PG_LRU, &folio.flags)
}

/// The same of those that look between their other tests, since 6.13 and in 6.12.y: the folio is
/// not on the LRU.
fn is_off_lru_midway(k: &Kernel, folio: &Folio) -> bool {
    let (lru_claim, lru_look) = (k.tree.swap.lru_claim(), k.tree.swap.lru_look());
    let looks = lru_claim == LruClaim::AtDrain && lru_look != LruLook::First;
    looks && !test_bit(PG_LRU, &folio.flags)
}

/// Adds a folio to a batch that `cpu_fbatches.lock` protects.
pub(super) fn batch_folio(k: &Kernel, which: Which, folio: &Folio, move_fn: MoveFn) {
    batch_folio_that(k, which, folio, move_fn, false);
}

/// The same. `has_looked`: the operation has seen PG_lru.
fn batch_folio_that(k: &Kernel, which: Which, folio: &Folio, move_fn: MoveFn, has_looked: bool) {
    kernel_assert(k.modelled.operations, "the scenario says that it has no such batch");
    let holder = holder(k, which);
    if folio_get_for_batch(k, folio, holder, has_looked) {
        (k.tree.swap.lock_and_add())(k, which, (folio, holder), move_fn);
    }
}

/// `folio_rotate_reclaimable()`; `rotate_reclaimable_page()` until 5.15: when writeback ends, in
/// process context or in an interrupt.
pub fn folio_rotate_reclaimable(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_rotate_reclaimable");
    // Dirty folios are left out: there are none.
    if test_bit(PG_LOCKED, &folio.flags)
        || k.modelled.mlock && test_bit(PG_UNEVICTABLE, &folio.flags)
        || is_off_lru(k, folio)
    {
        return;
    }
    let holder = holder(k, |b| &b.lru_rotate);
    if !folio_get_for_batch(k, folio, holder, false) {
        return;
    }
    local_lock_irqsave(&k.cpus, &k.fbatch_locks.lock_irq);
    let batch = &k.cpu_fbatches.this_cpu_ptr().lru_rotate;
    if k.tree.swap.batch_references() == BatchReferences::OfEntry {
        keeps_instead(folio, holder, batch);
    }
    add_and_move(k, batch, folio, MoveFn::MoveTail);
    local_unlock_irqrestore(&k.cpus, &k.fbatch_locks.lock_irq);
}

/// `deactivate_file_folio()`; `deactivate_file_page()` until 5.16: when an invalidation failed.
pub fn deactivate_file_folio(k: &Kernel, folio: &Folio) {
    let _in = enter("deactivate_file_folio");
    if test_bit(PG_UNEVICTABLE, &folio.flags) {
        return;
    }
    let claims_at_drain = k.tree.swap.lru_claim() == LruClaim::AtDrain;
    if claims_at_drain && k.tree.swap.deactivate_file() == DeactivateFile::AnyFolio {
        // On a list or not: the drain will skip it if not.
        let holder = holder(k, |b| &b.lru_deactivate_file);
        get_for_entry(k, folio, holder);
        let moved_as = MoveFn::DeactivateFile;
        (k.tree.swap.lock_and_add())(k, |b| &b.lru_deactivate_file, (folio, holder), moved_as);
        return;
    }
    batch_folio(k, |b| &b.lru_deactivate_file, folio, MoveFn::DeactivateFile);
}

/// `folio_deactivate()`; `deactivate_page()` until 6.2.
pub fn folio_deactivate(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_deactivate");
    if is_off_lru(k, folio) {
        return;
    }
    if test_bit(PG_UNEVICTABLE, &folio.flags)
        || is_off_lru_midway(k, folio)
        || !test_bit(PG_ACTIVE, &folio.flags)
    {
        return;
    }
    batch_folio_that(k, |b| &b.lru_deactivate, folio, MoveFn::Deactivate, true);
}

/// `folio_mark_lazyfree()`; `mark_page_lazyfree()` until 5.19. Of a folio that is anonymous and not
/// in the swap cache: those are properties of the scenario.
pub fn folio_mark_lazyfree(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_mark_lazyfree");
    if is_off_lru(k, folio) {
        return;
    }
    if !test_bit(PG_SWAPBACKED, &folio.flags)
        || is_off_lru_midway(k, folio)
        || test_bit(PG_UNEVICTABLE, &folio.flags)
    {
        return;
    }
    batch_folio_that(k, |b| &b.lru_lazyfree, folio, MoveFn::Lazyfree, true);
}

/// What the tree has for it: [`crate::mm::swap::Swap::folio_activate`].
pub fn folio_activate(k: &Kernel, folio: &Folio) {
    (k.tree.swap.folio_activate())(k, folio);
}

/// `folio_activate()`; `activate_page()` until 5.16. On SMP.
pub(crate) fn activates_by_batch(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_activate");
    if is_off_lru(k, folio) {
        return;
    }
    if test_bit(PG_ACTIVE, &folio.flags) || test_bit(PG_UNEVICTABLE, &folio.flags) {
        return;
    }
    batch_folio(k, |b| &b.lru_activate, folio, MoveFn::Activate);
}

/// `lru_add_fn()`, `lru_add()` since 6.11; `__pagevec_lru_add_fn()` until 5.16. Up to 5.17 it sets
/// PG_lru, then reads PG_mlocked to choose the list; whoever clears PG_mlocked looks at PG_lru
/// afterwards, so that one of the two sees the other.
pub fn lru_add_fn(k: &Kernel, folio: &Folio) {
    if k.tree.swap.lru_add() == LruAdd::SetFirst {
        set_bit(PG_LRU, &folio.flags);
        smp_mb__after_atomic();
    }
    // Nobody looks at PG_unevictable in a scenario that does not mlock.
    if k.modelled.mlock {
        test_and_clear_bit(PG_UNEVICTABLE, &folio.flags);
    }
    let list = if test_bit(PG_MLOCKED, &folio.flags) { UNEVICTABLE } else { EVICTABLE };
    if k.modelled.mlock && list == UNEVICTABLE {
        clear_bit(PG_ACTIVE, &folio.flags);
        set_bit(PG_UNEVICTABLE, &folio.flags);
        // An underestimate: whoever mlocks may have counted it already. Reclaim mends it.
        crate::mm::mlock::set_mlock_count(folio, 0);
    }
    lruvec_add_folio(k, folio, list);
}

/// A folio of a batch was mlocked, and is on the unevictable list by now: nothing is done to it.
fn is_unevictable(k: &Kernel, folio: &Folio) -> bool {
    k.modelled.mlock && test_bit(PG_UNEVICTABLE, &folio.flags)
}

/// `lru_move_tail_fn()`: unlinks the folio and links it at the tail of the inactive list.
pub fn lru_move_tail_fn(k: &Kernel, folio: &Folio) {
    if !is_unevictable(k, folio) {
        lruvec_del_folio(k, folio);
        // Nobody looks at PG_active in a scenario without the other operations.
        if k.modelled.operations {
            clear_bit(PG_ACTIVE, &folio.flags);
        }
        lruvec_add_folio(k, folio, EVICTABLE);
    }
}

/// `lru_deactivate_file_fn()`: to the tail of the inactive list. Of a folio that is mapped nowhere,
/// clean, and not under writeback.
pub fn lru_deactivate_file_fn(k: &Kernel, folio: &Folio) {
    if !is_unevictable(k, folio) {
        clear_bit(PG_ACTIVE, &folio.flags);
        relink(k, folio);
    }
}

/// `lru_deactivate_fn()`.
pub fn lru_deactivate_fn(k: &Kernel, folio: &Folio) {
    if !is_unevictable(k, folio) && test_bit(PG_ACTIVE, &folio.flags) {
        clear_bit(PG_ACTIVE, &folio.flags);
        relink(k, folio);
    }
}

/// `lru_lazyfree_fn()`.
pub fn lru_lazyfree_fn(k: &Kernel, folio: &Folio) {
    if !is_unevictable(k, folio) && test_bit(PG_SWAPBACKED, &folio.flags) {
        clear_bit(PG_ACTIVE, &folio.flags);
        clear_bit(PG_SWAPBACKED, &folio.flags);
        relink(k, folio);
    }
}

/// `folio_activate_fn()`, `lru_activate()` since 6.11.
pub fn lru_activate_fn(k: &Kernel, folio: &Folio) {
    if !test_bit(PG_ACTIVE, &folio.flags) && !is_unevictable(k, folio) {
        set_bit(PG_ACTIVE, &folio.flags);
        relink(k, folio);
    }
}

/// The active and the inactive list are one here: a folio is linked or not.
fn relink(k: &Kernel, folio: &Folio) {
    lruvec_del_folio(k, folio);
    lruvec_add_folio(k, folio, EVICTABLE);
}

/// `folio_batch_move_lru()`; `pagevec_lru_move_fn()` and `__pagevec_lru_add()` until 5.16. The lock
/// of the lruvec is kept over the loop, as when all folios are of one lruvec. The count is zeroed
/// last: another CPU may read it while the references are gone.
///
/// Of a folio that is freed here ([`DeadFolios::Frozen`]) the charge to a memcg and the deferred
/// split are left out.
pub fn folio_batch_move_lru(k: &Kernel, batch: &Batch, move_fn: MoveFn) {
    let _in = enter("folio_batch_move_lru");
    let is_add = move_fn == MoveFn::Add;
    let folios = batch.entries();
    let mut locked = false;
    let mut dead = Vec::new();
    for folio in folios.iter().map(|&index| &k.folios[index]) {
        // Whoever clears PG_lru owns the folio's place on the list; somebody else did: skip.
        let must_claim = !is_add && k.tree.swap.lru_claim() == LruClaim::AtDrain;
        if must_claim && !test_and_clear_bit(PG_LRU, &folio.flags) {
            reached("a batch skipped a folio");
            continue;
        }
        let freezes = is_add && k.tree.swap.dead_folios() == DeadFolios::Frozen;
        if freezes && folio_ref_freeze(folio, 1) {
            unbooked(&folio.refcount, batch.holder);
            clear_flags_of_dead(k, folio);
            dead.push(folio.index);
            continue;
        }
        if !locked {
            spin_lock_irqsave(&k.cpus, &k.lru_lock);
            locked = true;
        }
        move_fn.call(k, folio);
        if !is_add || k.tree.swap.lru_add() == LruAdd::SetLast {
            set_bit(PG_LRU, &folio.flags);
        }
    }
    if locked {
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
    // free_unref_folios()
    for &index in &dead {
        WRITE_ONCE(&k.folios[index].freed, 1);
        reached(FREED_BY_BATCH);
    }
    for &index in folios.iter().filter(|index| !dead.contains(index)) {
        folio_put(k, &k.folios[index], batch.holder);
    }
    batch.reinit();
}

/// A batch had the last reference of a new folio, and freed it without linking it.
pub const FREED_BY_BATCH: &str = "a batch freed a folio that was on no list yet";

/// `__folio_clear_active()`, `__folio_clear_unevictable()`: nobody else can see the flags any more.
fn clear_flags_of_dead(k: &Kernel, folio: &Folio) {
    for bit in [PG_ACTIVE, PG_UNEVICTABLE] {
        if k.modelled.operations || k.modelled.mlock {
            __clear_bit(bit, &folio.flags);
        }
    }
}
