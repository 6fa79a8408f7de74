//! References of a folio, and what happens with the last one.

use selvedge_kernel::{
    __clear_bit, Name, READ_ONCE, WRITE_ONCE, atomic_add, atomic_inc, atomic_inc_not_zero,
    atomic_sub_and_test, booked, enter, kernel_assert, plain_read, plain_write, reached,
    spin_lock_irqsave, spin_unlock_irqrestore, test_and_clear_bit, test_bit, unbooked,
};

use crate::kernel::{EVICTABLE, NOT_LINKED, PG_LRU};
use crate::mm::movable::{NO_MAPPING, PAGE_MAPPING_MOVABLE, PG_SLAB};
use crate::mm::swap::{BatchReferences, lru_add_del_folio, overwrites_mlock_count};
use crate::{Folio, Kernel};

/// `folio_get()`: orders nothing. `holder` has the reference now.
pub fn folio_get(folio: &Folio, holder: Name) {
    atomic_inc(&folio.refcount);
    booked(&folio.refcount, holder);
}

/// `folio_try_get()`: fails if the count is 0: the folio is being freed, or frozen.
pub fn folio_try_get(folio: &Folio, holder: Name) -> bool {
    let got = atomic_inc_not_zero(&folio.refcount);
    if got {
        booked(&folio.refcount, holder);
    }
    got
}

/// `folio_ref_add()`: `nr` references at once.
pub fn folio_ref_add(folio: &Folio, nr: i64, holder: Name) {
    atomic_add(nr, &folio.refcount);
    for _ in 0..nr {
        booked(&folio.refcount, holder);
    }
}

/// `folio_put()`: frees the folio with the last reference. Full barrier on both sides.
pub fn folio_put(k: &Kernel, folio: &Folio, holder: Name) {
    folio_put_refs(k, folio, 1, holder);
}

/// `folio_put_refs()`: `nr` references at once.
pub fn folio_put_refs(k: &Kernel, folio: &Folio, nr: i64, holder: Name) {
    for _ in 0..nr {
        unbooked(&folio.refcount, holder);
    }
    if atomic_sub_and_test(nr, &folio.refcount) {
        __folio_put(k, folio);
    }
}

/// `__folio_put()`, `__page_cache_release()`: off the list, if PG_lru says that it is on one, and
/// back to the page allocator.
pub fn __folio_put(k: &Kernel, folio: &Folio) {
    let _in = enter("__page_cache_release");
    if test_bit(PG_LRU, &folio.flags) {
        spin_lock_irqsave(&k.cpus, &k.lru_lock);
        lruvec_del_folio(k, folio);
        __clear_bit(PG_LRU, &folio.flags);
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
    if k.modelled.free_checks {
        free_pages_prepare(folio);
    }
    if k.zone_lock.is_some() {
        // free_pages_prepare(). Where nobody takes the page anew while others look at it,
        // alloc_page() does this.
        plain_write(&folio.mapping, NO_MAPPING);
    }
    k.with_zone_lock(|| WRITE_ONCE(&folio.freed, 1));
    reached("a folio was freed");
}

/// `free_page_is_bad()`, in scenarios that look at it: what its owner cleared before it dropped its
/// reference is clear for who drops the last one. The mapping of a movable page, and of slab, is
/// cleared here.
pub fn free_pages_prepare(folio: &Folio) {
    let _in = enter("free_pages_prepare");
    let mapping = plain_read(&folio.mapping);
    let is_file = mapping != NO_MAPPING && mapping & PAGE_MAPPING_MOVABLE == 0;
    kernel_assert(!is_file, "Bad page state: non-NULL mapping");
    kernel_assert(!test_bit(PG_SLAB, &folio.flags), "Bad page state: its type is still slab");
}

/// `lruvec_del_folio()`: `list_del()` of a folio that is on no list corrupts it. With
/// [`BatchReferences::OfDrain`] a folio in an `lru_add` batch has PG_lru too, and is on none.
pub fn lruvec_del_folio(k: &Kernel, folio: &Folio) {
    if k.tree.swap.batch_references() == BatchReferences::OfDrain && lru_add_del_folio(folio) {
        return;
    }
    kernel_assert(plain_read(&folio.linked) != NOT_LINKED, "list_del corruption: not on a list");
    plain_write(&folio.linked, NOT_LINKED);
    update_lru_size(k, u64::MAX);
}

/// `update_lru_size()`, under `lru_lock`. In scenarios that look at it.
pub fn update_lru_size(k: &Kernel, by: u64) {
    if k.modelled.lru_size {
        plain_write(&k.lru_size, plain_read(&k.lru_size).wrapping_add(by));
    }
}

/// `lruvec_add_folio()`: so does `list_add()` of one that is, and of a freed one.
pub fn lruvec_add_folio(k: &Kernel, folio: &Folio, list: u64) {
    kernel_assert(
        plain_read(&folio.linked) == NOT_LINKED,
        "list_add corruption: already on a list",
    );
    kernel_assert(READ_ONCE(&folio.freed) == 0, "list_add of a freed folio");
    plain_write(&folio.linked, list);
    if k.tree.swap.batch_references() == BatchReferences::OfDrain && list == EVICTABLE {
        overwrites_mlock_count(k, folio);
    }
    update_lru_size(k, 1);
}

/// For scenarios: a folio that is new, in a kernel whose other folios begin on a list.
pub fn unlist(k: &Kernel, folio: &Folio) {
    let _in = enter("unlist");
    debug_assert!(k.initial.listed, "no folio of this kernel is on a list");
    test_and_clear_bit(PG_LRU, &folio.flags);
    lruvec_del_folio(k, folio);
}
