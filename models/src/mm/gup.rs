//! Long-term pins: a folio that may not be pinned where it is gets migrated first.
//!
//! Kept: pin, collect, drain, isolate, unpin, migrate, pin again; when `lru_add_drain_all()` is
//! called, at most once in a call; `-EAGAIN`, which means "again", and `-ENOMEM`, which the user
//! sees. Scaled: [`GUP_PIN_COUNTING_BIAS`].
//! Left out: device memory, hugetlb, large folios with a pincount, page faults.
//! Source: mm/gup.c of 6.1, 6.11.11 and 6.12.117; 98c6d259319e, a09a8a1fbb37.

use std::ops::Range;

use selvedge_kernel::{
    Name, READ_ONCE, atomic_read, enter, reached, spin_lock, spin_unlock, test_bit,
};

use crate::kernel::PG_LRU;
use crate::mm::migrate::{
    Errno, ISOLATION, Migrator, folio_expected_ref_count, migrate_pages, putback_movable_pages,
};
use crate::mm::rmap::{MIGRATION_ENTRY, pte_folio};
use crate::mm::swap::{
    folio_activate, folio_deactivate, folio_put_refs, folio_ref_add, lru_add_drain,
    lru_add_drain_all,
};
use crate::mm::vmscan::folio_isolate_lru;
use crate::{Folio, Kernel};

/// How many references a pin of a small folio is: 1024 in C. What matters is that it is not 1, and
/// more than the other references of a folio.
pub const GUP_PIN_COUNTING_BIAS: i64 = 8;

/// Who holds a pin.
pub const GUP_PIN: Name = Name::new("GUP pin");

/// What makes `collect_longterm_unpinnable_folios()` drain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LongtermDrain {
    /// PG_lru is clear: up to 6.10, and in 6.11 to 6.16, where that is true of a folio in a batch.
    OffLru,
    /// A reference more than is expected; this CPU's batches first, then everybody's: since
    /// September 2025.
    ExtraReferences {
        /// How many references the pin is taken for: 1 in 98c6d259319e and in 6.1.192, although
        /// that of a small folio is [`GUP_PIN_COUNTING_BIAS`].
        pin: i64,
    },
}

decisions! {
    /// What differs between trees.
    pub struct Gup of "mm/gup.c", set by GupChange {
        /// What makes it drain.
        drain: LongtermDrain,
    }
}

/// `follow_page_pte()` with `FOLL_TOUCH`: `folio_mark_accessed()` of a folio that was used before,
/// so that it is activated. Under the page-table lock: the entry's reference is the caller's.
pub fn follow_page_pte(k: &Kernel, page: usize) {
    let _in = enter("follow_page_pte");
    with_present_folio(k, page, folio_activate);
}

/// `madvise(MADV_COLD)`: `madvise_cold_or_pageout_pte_range()` of mm/madvise.c, which deactivates a
/// folio under the page-table lock.
pub fn madvise_cold(k: &Kernel, page: usize) {
    let _in = enter("madvise_cold_or_pageout_pte_range");
    with_present_folio(k, page, folio_deactivate);
}

fn with_present_folio(k: &Kernel, page: usize, what: fn(&Kernel, &Folio)) {
    spin_lock(&k.cpus, &k.ptl);
    let entry = READ_ONCE(&k.ptes[page]);
    if entry & MIGRATION_ENTRY == 0
        && let Some(folio) = pte_folio(k, entry)
    {
        what(k, folio);
    }
    spin_unlock(&k.cpus, &k.ptl);
}

/// `pin_user_pages()` of one page, without `FOLL_LONGTERM`: its folio, unless it is mapped no more.
/// (Then C takes a page fault, and here the caller gets nothing.)
pub fn pin_user_pages(k: &Kernel, page: usize) -> Option<&Folio> {
    let pinned = __get_user_pages_locked(k, page..page + 1);
    pinned.first().map(|&index| &k.folios[index])
}

/// `__get_user_pages_locked()` with `FOLL_PIN`: the folios, pinned, up to the first page that is
/// not present.
fn __get_user_pages_locked(k: &Kernel, pages: Range<usize>) -> Vec<usize> {
    let _in = enter("__get_user_pages_locked");
    let mut pinned = Vec::new();
    for pte in &k.ptes[pages] {
        spin_lock(&k.cpus, &k.ptl);
        let entry = READ_ONCE(pte);
        assert!(entry & MIGRATION_ENTRY == 0, "nobody else migrates these pages");
        let Some(folio) = pte_folio(k, entry) else {
            spin_unlock(&k.cpus, &k.ptl);
            reached(NOTHING_TO_PIN);
            break;
        };
        // try_grab_folio()
        folio_ref_add(folio, GUP_PIN_COUNTING_BIAS, GUP_PIN);
        spin_unlock(&k.cpus, &k.ptl);
        pinned.push(folio.index);
    }
    pinned
}

/// A pin found that its page is mapped no more.
pub const NOTHING_TO_PIN: &str = "a pin found no page";

/// `unpin_folio()`
pub fn unpin_folio(k: &Kernel, folio: &Folio) {
    folio_put_refs(k, folio, GUP_PIN_COUNTING_BIAS, GUP_PIN);
}

/// `folio_is_longterm_pinnable()`: the folios that the scenario begins with are in CMA, those that
/// they are migrated to are not.
fn folio_is_longterm_pinnable(k: &Kernel, folio: &Folio) -> bool {
    folio.index >= k.sizes.folios
}

/// What a call of [`collect_longterm_unpinnable_folios`] found.
#[derive(Debug)]
struct Collected {
    /// Folios that may not stay.
    count: usize,
    /// Those of them that were isolated.
    movable: Vec<usize>,
}

fn has_extra_references(k: &Kernel, folio: &Folio, pin: i64) -> bool {
    !folio.is_large && atomic_read(&folio.refcount) != folio_expected_ref_count(k, folio) + pin
}

/// `collect_longterm_unpinnable_folios()`; `…_pages()` until 6.10. All of them are pinned.
fn collect_longterm_unpinnable_folios(k: &Kernel, pinned: &[usize]) -> Collected {
    let _in = enter("collect_longterm_unpinnable_folios");
    let mut found = Collected { count: 0, movable: Vec::new() };
    let mut drained = 0;
    for folio in pinned.iter().map(|&index| &k.folios[index]) {
        if folio_is_longterm_pinnable(k, folio) {
            continue;
        }
        found.count += 1;
        match k.tree.gup.drain {
            LongtermDrain::OffLru => {
                if drained == 0 && !test_bit(PG_LRU, &folio.flags) {
                    reached(DRAINED_FOR_A_PIN);
                    lru_add_drain_all(k);
                    drained = 2;
                }
            }
            LongtermDrain::ExtraReferences { pin } => {
                if drained == 0 && has_extra_references(k, folio, pin) {
                    lru_add_drain(k);
                    drained = 1;
                }
                if drained == 1 && has_extra_references(k, folio, pin) {
                    reached(DRAINED_FOR_A_PIN);
                    lru_add_drain_all(k);
                    drained = 2;
                }
            }
        }
        reached(CHECKED_FOR_A_PIN);
        if folio_isolate_lru(k, folio, ISOLATION) {
            found.movable.push(folio.index);
        } else {
            reached("a folio to be pinned could not be isolated");
        }
    }
    found
}

/// A long-term pin drained every CPU.
pub const DRAINED_FOR_A_PIN: &str = "a long-term pin drained every CPU";
/// A long-term pin has looked whether a drain is needed.
pub const CHECKED_FOR_A_PIN: &str = "a long-term pin has looked at a folio";

/// `check_and_migrate_movable_pages()`: `Ok` if everything may stay where it is, pinned.
/// `Err(Again)`: unpinned, to be pinned again.
fn check_and_migrate_movable_pages(k: &Kernel, pinned: &[usize]) -> Result<(), Errno> {
    let _in = enter("check_and_migrate_movable_pages");
    let found = collect_longterm_unpinnable_folios(k, pinned);
    if found.count == 0 {
        return Ok(());
    }
    // migrate_longterm_unpinnable_folios(): the pins are references that migration does not expect.
    for &index in pinned {
        unpin_folio(k, &k.folios[index]);
    }
    if found.movable.is_empty() {
        return Err(Errno::Again);
    }
    let left = migrate_pages(k, &found.movable, Migrator::SYNC);
    putback_movable_pages(k, &left);
    if left.is_empty() { Err(Errno::Again) } else { Err(Errno::NoMemory) }
}

/// `pin_user_pages()` with `FOLL_LONGTERM`, of the first pages of the process:
/// `__gup_longterm_locked()`. The loop has no bound in C; the scenario gives it one, and
/// `Err(Again)` means that it would go on.
pub fn pin_user_pages_longterm(k: &Kernel, pages: usize, rounds: usize) -> Result<(), Errno> {
    let _in = enter("__gup_longterm_locked");
    for _ in 0..rounds {
        let pinned = __get_user_pages_locked(k, 0..pages);
        assert_eq!(pinned.len(), pages, "nobody unmaps these pages");
        match check_and_migrate_movable_pages(k, &pinned) {
            Err(Errno::Again) => reached("a long-term pin was tried again"),
            other => return other,
        }
    }
    Err(Errno::Again)
}
