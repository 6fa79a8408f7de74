//! Reclaim and the LRU lists: who takes folios off, and who puts them back.
//!
//! Kept: `folio_isolate_lru()`; the loop of `isolate_lru_folios()` with its order try_get, then
//! test-and-clear; the eligibility of `scan_folios()` (MGLRU) with two generations;
//! `move_folios_to_lru()` with PG_lru before the put, under `lru_lock`; `folio_putback_lru()`.
//! Left out: zones, costs, tiers, writeback, what is done to a folio once isolated. The order of a
//! list is that of the folios' numbers.
//! Source: mm/vmscan.c of 6.1, 6.11.11 and 6.12.117.

use selvedge_kernel::{
    __clear_bit, Name, WRITE_ONCE, atomic_read, atomic_sub_and_test, clear_bit, enter, plain_read,
    plain_write, reached, set_bit, spin_lock_irq, spin_unlock_irq, test_and_clear_bit, test_bit,
    unbooked,
};

use crate::kernel::{EVICTABLE, PG_LRU};
use crate::mm::swap::{
    folio_add_lru, folio_get, folio_put, folio_try_get, lruvec_add_folio, lruvec_del_folio,
};
use crate::{Folio, Kernel};

decisions! {
    /// What differs between trees.
    pub struct Vmscan of "mm/vmscan.c", set by VmscanChange {
        /// `move_folios_to_lru()`: the order of two steps.
        putback: Putback,
        /// `isolate_lru_folios()`: the order of two steps.
        isolate: Isolate,
        /// `folio_isolate_lru()`: deliberate faults.
        isolate_fault: IsolateFault,
        /// `sort_folio()` (MGLRU): whether a folio with PG_lru clear is eligible.
        sort_folio: SortFolio,
        /// `pageout()`: what it asks first.
        pageout: Pageout,
    }
}

impl Vmscan {
    /// As released.
    pub const RELEASED: Vmscan = Vmscan {
        putback: Putback::SetLruThenPut,
        isolate: Isolate::GetThenClear,
        isolate_fault: IsolateFault::None,
        sort_folio: SortFolio::AnyFolio,
        pageout: Pageout::IfFreeable,
    };
}

/// The order of two steps in `move_folios_to_lru()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Putback {
    /// PG_lru is set before the reference is dropped: whoever drops the last one sees it, and waits
    /// for the lock.
    SetLruThenPut,
    /// The other way round: a mutant.
    PutThenSetLru,
}

/// The order of two steps in `isolate_lru_folios()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Isolate {
    /// A reference, then PG_lru: whoever frees a folio trusts PG_lru.
    GetThenClear,
    /// The other way round: a mutant.
    ClearThenGet,
}

/// Deliberate faults of `folio_isolate_lru()`; `None` in every release.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IsolateFault {
    /// As it is.
    None,
    /// It takes no reference.
    NoGet,
    /// It does not take `lru_lock`.
    NoLruLock,
    /// It looks at PG_lru, then clears it.
    TestThenClear,
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

/// What `pageout()` asks before it writes a dirty folio.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pageout {
    /// Whether anybody but the page cache and the caller has a reference: it gives up if so.
    IfFreeable,
    /// Nothing: a mutant.
    Always,
}

/// `folio_isolate_lru()`; `isolate_lru_page()` until 5.18: takes a folio off its list for the
/// caller, who gets a reference, if nobody else has cleared PG_lru. The caller has one already.
pub fn folio_isolate_lru(k: &Kernel, folio: &Folio, holder: Name) -> bool {
    let _in = enter("folio_isolate_lru");
    let fault = k.tree.vmscan.isolate_fault;
    let is_ours = match fault {
        IsolateFault::TestThenClear => {
            let seen = test_bit(PG_LRU, &folio.flags);
            clear_bit(PG_LRU, &folio.flags);
            seen
        }
        _ => test_and_clear_bit(PG_LRU, &folio.flags),
    };
    if !is_ours {
        return false;
    }
    if fault != IsolateFault::NoGet {
        folio_get(folio, holder);
    }
    if fault != IsolateFault::NoLruLock {
        spin_lock_irq(&k.cpus, &k.lru_lock);
    }
    lruvec_del_folio(k, folio);
    if fault != IsolateFault::NoLruLock {
        spin_unlock_irq(&k.cpus, &k.lru_lock);
    }
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

/// Takes the folio from its list, `lru_lock` held, if its reference count is not 0 and PG_lru set.
fn take(k: &Kernel, folio: &Folio, holder: Name) -> bool {
    match k.tree.vmscan.isolate {
        Isolate::GetThenClear => {
            if !folio_try_get(folio, holder) {
                reached("reclaim met a folio that is being freed");
                return false;
            }
            if !test_and_clear_bit(PG_LRU, &folio.flags) {
                folio_put(k, folio, holder);
                return false;
            }
        }
        Isolate::ClearThenGet => {
            if !test_and_clear_bit(PG_LRU, &folio.flags) {
                return false;
            }
            if !folio_try_get(folio, holder) {
                return false;
            }
        }
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
        if take(k, folio, holder) {
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
        let sort = k.tree.vmscan.sort_folio;
        if sort == SortFolio::IneligibleOffLru && !test_bit(PG_LRU, &folio.flags) {
            // folio_inc_gen()
            plain_write(&folio.generation, 1);
            reached("MGLRU moved a folio that it cannot isolate to the next generation");
        } else if take(k, folio, holder) {
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
    if k.tree.vmscan.putback == Putback::SetLruThenPut {
        set_bit(PG_LRU, &folio.flags);
    }
    unbooked(&folio.refcount, holder);
    let was_last = atomic_sub_and_test(1, &folio.refcount);
    if k.tree.vmscan.putback == Putback::PutThenSetLru {
        set_bit(PG_LRU, &folio.flags);
    }
    if was_last {
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

/// `pageout()` of a dirty folio that the caller has isolated: whether it was written.
pub fn pageout(k: &Kernel, folio: &Folio) -> bool {
    let _in = enter("pageout");
    // is_page_cache_freeable()
    let is_freeable = atomic_read(&folio.refcount) == 2;
    if !is_freeable {
        reached("pageout() gave up: somebody else holds a reference");
    }
    is_freeable || k.tree.vmscan.pageout == Pageout::Always
}
