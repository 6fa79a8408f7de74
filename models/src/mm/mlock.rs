//! mlock: PG_mlocked, the unevictable list, and since 5.18 a batch of its own.
//!
//! Kept: PG_mlocked is set at once, the list is edited when the batch is drained; who clears PG_lru
//! first; the count of mlocks, and where it gives up counting. Up to 5.17: `mlock_vma_page()` and
//! `clear_page_mlock()`, which isolate and put back.
//! Left out: the page-table lock around the callers, all statistics but NR_MLOCK.
//! Source: mm/mlock.c of 5.11, 6.1, 6.12.117; 2fbb0c10d1e8.

mod at_once;

pub use at_once::*;

use selvedge_kernel::{
    Name, atomic_add, clear_bit, cpu_online, enter, kernel_assert, local_lock, local_unlock,
    plain_read, plain_write, reached, set_bit, spin_lock_irq, spin_unlock_irq, test_and_clear_bit,
    test_and_set_bit, test_bit,
};

use crate::kernel::{EVICTABLE, PG_ACTIVE, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE, UNEVICTABLE};
use crate::left_out::LeftOut;
use crate::mm::swap::{Batch, folio_get, folio_put, lruvec_add_folio, lruvec_del_folio};
use crate::mm::vmscan::{folio_isolate_lru, folio_putback_lru};
use crate::{Folio, Kernel};

/// What is left out, for a comparison with C.
pub(crate) const LEFT_OUT: &[LeftOut] = &[
    LeftOut::of_c(
        &["mlock_fbatch.fbatch.folios*", "mlock_pvec.vec.pages*"],
        "entries of the batch: only their CPU looks at them, under its local lock",
    ),
    LeftOut::of_model(
        &["folio->mlock_count"],
        "the count overlays the links of lists, which are left out; under lru_lock",
    ),
];

/// How a tree mlocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mlock {
    /// By isolating the folio and putting it back: up to 5.17.
    Isolates,
    /// Through a batch of its own: since 5.18.
    Batches,
    /// At once where the count of mlocks is kept, else through the batch, whose entries have no
    /// reference: mm/mlock.c as proposed after 6.19.
    CountsAtOnce,
}

impl Mlock {
    /// Is there an mlock batch, which drains must empty?
    pub fn has_batch(self) -> bool {
        self != Mlock::Isolates
    }
}

/// What an entry of the mlock batch asks for: the low bits of the pointer in C.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MlockEntry {
    /// `mlock_lru(folio)`: mlock a folio that is on the LRU, or off it for a while.
    Lru(usize),
    /// `mlock_new(folio)`: mlock a folio that has not been on the LRU yet.
    New(usize),
    /// munlock.
    Munlock(usize),
}

impl MlockEntry {
    /// The folio's index.
    pub fn index(self) -> usize {
        let (MlockEntry::Lru(index) | MlockEntry::New(index) | MlockEntry::Munlock(index)) = self;
        index
    }

    pub(crate) fn folio(self, k: &Kernel) -> &Folio {
        &k.folios[self.index()]
    }
}

/// The count of mlocks overlays `folio->lru`: of an unevictable folio only, under `lru_lock`.
pub(crate) fn set_mlock_count(folio: &Folio, count: u64) {
    plain_write(&folio.mlock_count, count);
}

/// `mlock_folio()`; `mlock_page()` in 5.18, `mlock_vma_page()` until 5.17.
pub fn mlock_folio(k: &Kernel, folio: &Folio) {
    match k.tree.mlock {
        Mlock::Isolates => mlock_vma_page(k, folio),
        Mlock::CountsAtOnce => mlock_folio_at_once(k, folio),
        Mlock::Batches => {
            let _in = enter("mlock_folio");
            local_lock(&k.cpus, &k.mlock_lock);
            if !test_and_set_bit(PG_MLOCKED, &folio.flags) {
                count_mlocked(k, 1);
            }
            batch(k, MlockEntry::Lru(folio.index));
            local_unlock(&k.cpus, &k.mlock_lock);
        }
    }
}

/// What `folio_add_lru_vma()` does with a new folio of a VMA that is mlocked.
pub fn add_mlocked_folio(k: &Kernel, folio: &Folio) {
    match k.tree.mlock {
        Mlock::CountsAtOnce => crate::mm::swap::__folio_add_lru(k, folio, true),
        Mlock::Isolates | Mlock::Batches => mlock_new_folio(k, folio),
    }
}

/// `mlock_new_folio()`: of a folio that nobody else knows yet.
pub fn mlock_new_folio(k: &Kernel, folio: &Folio) {
    let _in = enter("mlock_new_folio");
    local_lock(&k.cpus, &k.mlock_lock);
    set_bit(PG_MLOCKED, &folio.flags);
    count_mlocked(k, 1);
    batch(k, MlockEntry::New(folio.index));
    local_unlock(&k.cpus, &k.mlock_lock);
}

/// `munlock_folio()`; `munlock_vma_page()` until 5.17. PG_mlocked is left to the drain, which knows
/// whether the folio is mlocked more than once.
pub fn munlock_folio(k: &Kernel, folio: &Folio) {
    match k.tree.mlock {
        Mlock::Isolates => clear_page_mlock(k, folio),
        Mlock::CountsAtOnce => munlock_folio_at_once(k, folio),
        Mlock::Batches => {
            let _in = enter("munlock_folio");
            local_lock(&k.cpus, &k.mlock_lock);
            batch(k, MlockEntry::Munlock(folio.index));
            local_unlock(&k.cpus, &k.mlock_lock);
        }
    }
}

/// `zone_stat_mod_folio(folio, NR_MLOCK, by)`, in scenarios that look at it. Since 5.18; the
/// earlier form is not asked.
pub(crate) fn count_mlocked(k: &Kernel, by: i64) {
    if let Some(nr_mlock) = &k.nr_mlock {
        atomic_add(by, nr_mlock);
    }
}

fn batch(k: &Kernel, entry: MlockEntry) {
    kernel_assert(k.modelled.mlock, "the scenario says that it does not mlock");
    let fbatch = k.mlock_fbatch.this_cpu_ptr();
    let folio = entry.folio(k);
    folio_get(folio, fbatch.holder);
    if !fbatch.add(k, entry) || folio.is_large || (k.tree.swap.lru_cache_disabled())(k) {
        mlock_folio_batch(k, fbatch);
    } else {
        reached("a folio was left in the mlock batch");
    }
}

/// `mlock_folio_batch()`; `mlock_pagevec()` until 6.2. Of this CPU, under its local lock, or of one
/// that is offline. The lock of the lruvec, once taken, is kept to the end of the loop: there is one
/// lruvec.
pub fn mlock_folio_batch(k: &Kernel, fbatch: &Batch<MlockEntry>) {
    let _in = enter("mlock_folio_batch");
    let entries = fbatch.entries();
    let mut locked = false;
    for entry in &entries {
        match *entry {
            MlockEntry::Lru(index) => __mlock_folio(k, &k.folios[index], &mut locked),
            MlockEntry::New(index) => __mlock_new_folio(k, &k.folios[index], &mut locked),
            MlockEntry::Munlock(index) => __munlock_folio(k, &k.folios[index], &mut locked),
        }
    }
    if locked {
        spin_unlock_irq(&k.cpus, &k.lru_lock);
    }
    for entry in &entries {
        folio_put(k, entry.folio(k), fbatch.holder);
    }
    fbatch.reinit();
}

/// `__mlock_folio()`: if the folio is off the LRU nothing more can be done, and the mlock is not
/// counted.
pub fn __mlock_folio(k: &Kernel, folio: &Folio, locked: &mut bool) {
    let _in = enter("__mlock_folio");
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        reached("__mlock_folio() found the folio off the LRU");
        return;
    }
    folio_lruvec_relock_irq(k, locked);
    let is_mlocked = test_bit(PG_MLOCKED, &folio.flags);
    let is_unevictable = test_bit(PG_UNEVICTABLE, &folio.flags);
    if !is_mlocked {
        if is_unevictable {
            rescue(k, folio);
        }
    } else if is_unevictable {
        if test_bit(PG_MLOCKED, &folio.flags) {
            set_mlock_count(folio, plain_read(&folio.mlock_count) + 1);
        }
    } else {
        lruvec_del_folio(k, folio);
        clear_bit(PG_ACTIVE, &folio.flags);
        set_bit(PG_UNEVICTABLE, &folio.flags);
        set_mlock_count(folio, u64::from(test_bit(PG_MLOCKED, &folio.flags)));
        lruvec_add_folio(k, folio, UNEVICTABLE);
        reached("a folio was moved to the unevictable list");
    }
    set_bit(PG_LRU, &folio.flags);
}

/// `folio_lruvec_relock_irq()`: an earlier entry of the batch may have left the lock held.
pub fn folio_lruvec_relock_irq(k: &Kernel, locked: &mut bool) {
    if !std::mem::replace(locked, true) {
        spin_lock_irq(&k.cpus, &k.lru_lock);
    }
}

/// Back to the lists that reclaim scans.
fn rescue(k: &Kernel, folio: &Folio) {
    lruvec_del_folio(k, folio);
    clear_bit(PG_UNEVICTABLE, &folio.flags);
    lruvec_add_folio(k, folio, EVICTABLE);
}

/// `__mlock_new_folio()`: links the folio, on the unevictable list if it is still mlocked.
pub fn __mlock_new_folio(k: &Kernel, folio: &Folio, locked: &mut bool) {
    let _in = enter("__mlock_new_folio");
    kernel_assert(!test_bit(PG_LRU, &folio.flags), "VM_BUG_ON_FOLIO: a new folio is on the LRU");
    folio_lruvec_relock_irq(k, locked);
    if test_bit(PG_MLOCKED, &folio.flags) {
        set_bit(PG_UNEVICTABLE, &folio.flags);
        set_mlock_count(folio, u64::from(test_bit(PG_MLOCKED, &folio.flags)));
        lruvec_add_folio(k, folio, UNEVICTABLE);
    } else {
        lruvec_add_folio(k, folio, EVICTABLE);
    }
    set_bit(PG_LRU, &folio.flags);
}

/// `__munlock_folio()`: off the LRU, the count is not known, and PG_mlocked is cleared all the
/// same, without `lru_lock`, unless an earlier entry of the batch has left it held.
pub fn __munlock_folio(k: &Kernel, folio: &Folio, locked: &mut bool) {
    let _in = enter("__munlock_folio");
    let isolated = test_and_clear_bit(PG_LRU, &folio.flags);
    let mut is_last = true;
    if isolated {
        folio_lruvec_relock_irq(k, locked);
        if test_bit(PG_UNEVICTABLE, &folio.flags) {
            // May be an underestimate.
            let count = plain_read(&folio.mlock_count).saturating_sub(1);
            set_mlock_count(folio, count);
            is_last = count == 0;
        }
    }
    if is_last {
        let was_mlocked = test_and_clear_bit(PG_MLOCKED, &folio.flags);
        if was_mlocked {
            count_mlocked(k, -1);
        }
        // Which event is counted: munlocked, or stranded.
        if was_mlocked && !isolated {
            test_bit(PG_UNEVICTABLE, &folio.flags);
        }
        // Evictable or not: to be asked after PG_mlocked was cleared.
        let may_rescue = isolated && test_bit(PG_UNEVICTABLE, &folio.flags);
        if may_rescue && !test_bit(PG_MLOCKED, &folio.flags) {
            rescue(k, folio);
        }
    }
    if isolated {
        set_bit(PG_LRU, &folio.flags);
    }
}

/// What the tree has for `mlock_folio_batch()`.
fn drain_mlock_batch(k: &Kernel, fbatch: &Batch<MlockEntry>) {
    match k.tree.mlock {
        Mlock::CountsAtOnce => mlock_folio_batch_unreferenced(k, fbatch),
        Mlock::Isolates | Mlock::Batches => mlock_folio_batch(k, fbatch),
    }
}

/// `mlock_drain_local()`.
pub fn mlock_drain_local(k: &Kernel) {
    if !k.modelled.mlock || !k.tree.mlock.has_batch() {
        return;
    }
    let _in = enter("mlock_drain_local");
    local_lock(&k.cpus, &k.mlock_lock);
    let fbatch = k.mlock_fbatch.this_cpu_ptr();
    if fbatch.count() != 0 {
        drain_mlock_batch(k, fbatch);
    }
    local_unlock(&k.cpus, &k.mlock_lock);
}

/// `mlock_drain_remote()`: the batch of a CPU that is offline.
pub fn mlock_drain_remote(k: &Kernel, cpu: usize) {
    if !k.modelled.mlock || !k.tree.mlock.has_batch() {
        return;
    }
    let _in = enter("mlock_drain_remote");
    kernel_assert(!cpu_online(&k.cpus, cpu), "mlock_drain_remote() of a CPU that is online");
    let fbatch = k.mlock_fbatch.of(cpu);
    if fbatch.count() != 0 {
        drain_mlock_batch(k, fbatch);
    }
}

/// `need_mlock_drain()`: reads another CPU's count without a lock, and in `data_race()` or not.
pub fn need_mlock_drain(k: &Kernel, cpu: usize, is_marked: bool) -> bool {
    // In a scenario that does not mlock the count is always 0.
    k.modelled.mlock
        && k.tree.mlock.has_batch()
        && k.mlock_fbatch.of(cpu).count_remotely(is_marked) != 0
}

/// `mlock_vma_page()` of 5.17: putting the folio back finds PG_mlocked, and chooses the list.
pub fn mlock_vma_page(k: &Kernel, folio: &Folio) {
    let _in = enter("mlock_vma_page");
    let isolation = Name::new("isolation");
    if !test_and_set_bit(PG_MLOCKED, &folio.flags) && folio_isolate_lru(k, folio, isolation) {
        folio_putback_lru(k, folio, isolation);
    }
}

/// `clear_page_mlock()` of 5.17: if the folio cannot be isolated, whoever has it off the LRU will
/// find it evictable when it is put back. Since 5.18 PG_mlocked is cleared under `lru_lock`.
pub fn clear_page_mlock(k: &Kernel, folio: &Folio) {
    let _in = enter("clear_page_mlock");
    if !test_and_clear_bit(PG_MLOCKED, &folio.flags) {
        return;
    }
    let isolation = Name::new("isolation");
    if folio_isolate_lru(k, folio, isolation) {
        put_on_list(k, folio, isolation);
    } else {
        reached("clear_page_mlock() could not isolate");
    }
}

/// `putback_lru_page()`, without the batch that it goes through: the folio is evictable now.
fn put_on_list(k: &Kernel, folio: &Folio, holder: Name) {
    let _in = enter("putback_lru_page");
    spin_lock_irq(&k.cpus, &k.lru_lock);
    lruvec_add_folio(k, folio, EVICTABLE);
    set_bit(PG_LRU, &folio.flags);
    spin_unlock_irq(&k.cpus, &k.lru_lock);
    folio_put(k, folio, holder);
}
