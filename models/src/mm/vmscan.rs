//! Reclaim and the LRU lists: who takes folios off, and who puts them back.
//!
//! Kept: `folio_isolate_lru()`; the loop of `isolate_lru_folios()` with its order try_get, then
//! test-and-clear; the eligibility of `scan_folios()` (MGLRU) with two generations;
//! `move_folios_to_lru()` with its look whether the folio is evictable, and PG_lru before the put,
//! under `lru_lock`; `folio_putback_lru()`; of `shrink_active_list()` and `shrink_folio_list()`,
//! what they do about a folio that may not be reclaimed.
//! Left out: zones, costs, tiers, writeback; how a folio that may be reclaimed is: it is kept, as
//! one that was referenced. The order of a list is that of the folios' numbers.
//! Source: mm/vmscan.c of 6.1, 6.11.11 and 6.12.117.

use selvedge_kernel::{
    __clear_bit, Name, WRITE_ONCE, atomic_read, atomic_sub_and_test, clear_bit, enter, plain_read,
    plain_write, reached, set_bit, spin_lock_irq, spin_unlock_irq, test_and_clear_bit, test_bit,
    unbooked,
};

use crate::kernel::{EVICTABLE, PG_ACTIVE, PG_LRU, PG_MLOCKED};
use crate::mm::filemap::{folio_trylock, folio_unlock};
use crate::mm::swap::{
    folio_add_lru, folio_get, folio_put, folio_try_get, lru_add_drain, lruvec_add_folio,
    lruvec_del_folio,
};
use crate::{Folio, Func, Kernel};

decisions! {
    /// What differs between trees.
    pub struct Vmscan of "mm/vmscan.c", set by VmscanChange {
        /// `isolate_folio()`, and the same in `isolate_lru_folios()`.
        isolate_folio: Func<fn(&Kernel, &Folio, Name) -> bool>,
        /// `sort_folio()` (MGLRU): whether a folio with PG_lru clear is eligible.
        sort_folio: SortFolio,
    }
}

impl Vmscan {
    /// As released.
    pub const RELEASED: Vmscan =
        Vmscan { isolate_folio: func!(isolate_folio), sort_folio: SortFolio::AnyFolio };
}

/// What `sort_folio()` does with a folio of the oldest generation whose PG_lru is clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortFolio {
    /// Nothing: isolation is tried, and fails. The folio stays in the oldest generation, which
    /// cannot age while it is there.
    AnyFolio,
    /// It is moved to the next generation: 0885ef470560 (6.11.5) until 8d79ed36bfc8.
    IneligibleOffLru,
}

/// Who isolates a folio has cleared PG_lru; it is still linked.
pub const TO_BE_ISOLATED: &str = "PG_lru was cleared to isolate a folio";

/// `folio_isolate_lru()`; `isolate_lru_page()` until 5.18: takes a folio off its list for the
/// caller, who gets a reference, if nobody else has cleared PG_lru. The caller has one already.
pub fn folio_isolate_lru(k: &Kernel, folio: &Folio, holder: Name) -> bool {
    let _in = enter("folio_isolate_lru");
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        return false;
    }
    reached(TO_BE_ISOLATED);
    folio_get(folio, holder);
    spin_lock_irq(&k.cpus, &k.lru_lock);
    lruvec_del_folio(k, folio);
    spin_unlock_irq(&k.cpus, &k.lru_lock);
    reached("a folio was isolated");
    true
}

/// `folio_putback_lru()`; `putback_lru_page()` until 5.16: through the `lru_add` batch, then the
/// isolation's reference is dropped.
pub fn folio_putback_lru(k: &Kernel, folio: &Folio, holder: Name) {
    let _in = enter("folio_putback_lru");
    folio_add_lru(k, folio);
    folio_put(k, folio, holder);
}

/// `isolate_folio()`, and what `isolate_lru_folios()` does about one folio: takes it from its list,
/// `lru_lock` held, if its reference count is not 0 and PG_lru set. A reference, then PG_lru:
/// whoever frees a folio trusts PG_lru.
pub fn isolate_folio(k: &Kernel, folio: &Folio, holder: Name) -> bool {
    if !folio_try_get(folio, holder) {
        reached("reclaim met a folio that is being freed");
        return false;
    }
    if !test_and_clear_bit(PG_LRU, &folio.flags) {
        reached("reclaim passed over a folio that somebody else has isolated");
        folio_put(k, folio, holder);
        return false;
    }
    lruvec_del_folio(k, folio);
    true
}

/// `isolate_lru_folios()`, called by `shrink_inactive_list()` with `lru_lock` held, which is taken
/// here: returns the folios that it took, in the order of the list.
pub fn isolate_lru_folios(k: &Kernel, holder: Name) -> Vec<usize> {
    let _in = enter("isolate_lru_folios");
    spin_lock_irq(&k.cpus, &k.lru_lock);
    let mut taken = Vec::new();
    for folio in &k.folios {
        if plain_read(&folio.linked) != EVICTABLE {
            continue;
        }
        // Off the LRU for a while: to the other end of the list, and on to the next.
        if !test_bit(PG_LRU, &folio.flags) {
            reached("reclaim skipped a linked folio with PG_lru clear");
            continue;
        }
        if (k.tree.vmscan.isolate_folio())(k, folio, holder) {
            taken.push(folio.index);
        }
    }
    spin_unlock_irq(&k.cpus, &k.lru_lock);
    taken
}

/// What a pass of `scan_folios()` came to.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// The folios that it isolated.
    pub isolated: Vec<usize>,
    /// Whether the oldest generation is empty afterwards, so that it can age.
    pub can_age: bool,
}

/// `scan_folios()` (MGLRU) of the oldest generation, with `sort_folio()` and `isolate_folio()`.
pub fn scan_folios(k: &Kernel, holder: Name) -> Scanned {
    let _in = enter("scan_folios");
    spin_lock_irq(&k.cpus, &k.lru_lock);
    let (mut isolated, mut can_age) = (Vec::new(), true);
    for folio in &k.folios {
        if plain_read(&folio.linked) != EVICTABLE || plain_read(&folio.generation) != 0 {
            continue;
        }
        let sort = k.tree.vmscan.sort_folio();
        if sort == SortFolio::IneligibleOffLru && !test_bit(PG_LRU, &folio.flags) {
            // folio_inc_gen()
            plain_write(&folio.generation, 1);
            reached("MGLRU moved a folio that it cannot isolate to the next generation");
        } else if (k.tree.vmscan.isolate_folio())(k, folio, holder) {
            isolated.push(folio.index);
        } else {
            can_age = false;
        }
    }
    spin_unlock_irq(&k.cpus, &k.lru_lock);
    Scanned { isolated, can_age }
}

/// `move_folios_to_lru()` of one isolated folio, whose isolation reference `holder` has.
pub fn move_folios_to_lru(k: &Kernel, folio: &Folio, holder: Name) {
    let _in = enter("move_folios_to_lru");
    spin_lock_irq(&k.cpus, &k.lru_lock);
    if !folio_evictable(k, folio) {
        spin_unlock_irq(&k.cpus, &k.lru_lock);
        folio_putback_lru(k, folio, holder);
        reached("reclaim put a folio back that may not be reclaimed any more");
        return;
    }
    // Whoever drops the last reference sees PG_lru, and waits for the lock.
    set_bit(PG_LRU, &folio.flags);
    unbooked(&folio.refcount, holder);
    if atomic_sub_and_test(1, &folio.refcount) {
        // Nobody else can reach it: freed by this caller, and never linked.
        __clear_bit(PG_LRU, &folio.flags);
        WRITE_ONCE(&folio.freed, 1);
        reached("reclaim freed the folio");
    } else {
        lruvec_add_folio(k, folio, EVICTABLE);
        reached("reclaim put the folio back");
    }
    spin_unlock_irq(&k.cpus, &k.lru_lock);
}

/// `folio_evictable()`: not mlocked; no file is unevictable as a whole. Where nobody mlocks every
/// folio is.
pub fn folio_evictable(k: &Kernel, folio: &Folio) -> bool {
    !k.modelled.mlock || !test_bit(PG_MLOCKED, &folio.flags)
}

/// Reclaim took a folio off an evictable list, and saw that it is mlocked.
pub const FOUND_MLOCKED: &str = "reclaim found a mlocked folio on an evictable list";

/// `shrink_inactive_list()`: the folios that it takes from the lists which it scans, that is, not
/// from the unevictable one.
pub fn shrink_inactive_list(k: &Kernel, holder: Name) {
    let _in = enter("shrink_inactive_list");
    lru_add_drain(k);
    let folios = isolate_lru_folios(k, holder);
    shrink_folio_list(k, &folios);
    for index in folios {
        move_folios_to_lru(k, &k.folios[index], holder);
    }
}

/// `shrink_folio_list()`, as far as it looks at a folio before it would reclaim it.
pub fn shrink_folio_list(k: &Kernel, folios: &[usize]) {
    let _in = enter("shrink_folio_list");
    for folio in folios.iter().map(|&index| &k.folios[index]) {
        if !folio_trylock(folio) {
            continue;
        }
        if !folio_evictable(k, folio) {
            reached(FOUND_MLOCKED);
        }
        folio_unlock(k, folio);
    }
}

/// `shrink_active_list()`: what is mlocked is put back, which finds its list; the others are not
/// active any more.
pub fn shrink_active_list(k: &Kernel, holder: Name) {
    let _in = enter("shrink_active_list");
    lru_add_drain(k);
    let mut inactive = Vec::new();
    for index in isolate_lru_folios(k, holder) {
        let folio = &k.folios[index];
        if !folio_evictable(k, folio) {
            reached(FOUND_MLOCKED);
            folio_putback_lru(k, folio, holder);
            continue;
        }
        if k.modelled.operations {
            clear_bit(PG_ACTIVE, &folio.flags);
        }
        inactive.push(index);
    }
    for index in inactive {
        move_folios_to_lru(k, &k.folios[index], holder);
    }
}

/// `pageout()` of a dirty folio that the caller has isolated: whether it was written. It gives up
/// if anybody but the page cache and the caller has a reference.
pub fn pageout(_k: &Kernel, folio: &Folio) -> bool {
    let _in = enter("pageout");
    // is_page_cache_freeable()
    let is_freeable = atomic_read(&folio.refcount) == 2;
    if !is_freeable {
        reached("pageout() gave up: somebody else holds a reference");
    }
    is_freeable
}
