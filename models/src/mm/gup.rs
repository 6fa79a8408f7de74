//! Long-term pins: a folio that may not be pinned where it is gets migrated first.
//!
//! Kept: pin, collect, drain, isolate, unpin, migrate, pin again; when `lru_add_drain_all()` is
//! called, at most once in a call; `-EAGAIN`, which means "again", and `-ENOMEM`, which the user
//! sees. Scaled: [`GUP_PIN_COUNTING_BIAS`].
//! Left out: device memory, hugetlb, large folios with a pincount, page faults.
//! Source: mm/gup.c of 6.1, 6.11.11 and 6.12.117; 98c6d259319e, a09a8a1fbb37.

use std::ops::Range;

use selvedge_kernel::{
    Name, READ_ONCE, Rule, atomic_read, enter, fail_about, plain_write, reached, spin_lock,
    spin_unlock, test_bit,
};

use crate::kernel::{DEVICE, PG_LRU};
use crate::mm::memory::do_swap_page;
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

/// When `check_and_migrate_movable_pages()` is content with the folios as they are, pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LongtermContent {
    /// When none of them has to leave: up to 6.13, and since 6.16 (517f496e1e61). A folio that can
    /// never be isolated is tried again for ever.
    NothingCollected,
    /// When none of them was isolated: 6.14 and 6.15 (1aaf8c122918), and for a while in stable
    /// series.
    NothingIsolated,
}

decisions! {
    /// What differs between trees.
    pub struct Gup of "mm/gup.c", set by GupChange {
        /// What makes it drain.
        drain: LongtermDrain,
        /// When it is content.
        content: LongtermContent,
    }
}

/// What the migration before a long-term pin is for.
pub const A_LONGTERM_PIN_MAY_STAY: Rule =
    Rule("a folio that is pinned for long may stay where it is");

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
pub fn __get_user_pages_locked(k: &Kernel, pages: Range<usize>) -> Vec<usize> {
    let _in = enter("__get_user_pages_locked");
    let mut pinned = Vec::new();
    for page in pages {
        let mut followed = Followed::Waited;
        for _ in 0..FAULTS {
            followed = follow_and_pin(k, page);
            if !matches!(followed, Followed::Waited) {
                break;
            }
        }
        let Followed::Pinned(folio) = followed else {
            reached(NOTHING_TO_PIN);
            break;
        };
        pinned.push(folio.index);
    }
    pinned
}

/// How often a pin looks at an entry: once, and once more after it has waited for a migration. In C
/// it would fault the page in, for ever.
const FAULTS: usize = 2;

/// What a pin made of an entry.
enum Followed<'k> {
    /// The folio is pinned.
    Pinned(&'k Folio),
    /// It was a migration entry, which the pin has waited for.
    Waited,
    /// There is none.
    Nothing,
}

/// `follow_page_pte()` with `FOLL_PIN`, and `faultin_page()` if there is a migration entry.
fn follow_and_pin(k: &Kernel, page: usize) -> Followed<'_> {
    spin_lock(&k.cpus, &k.ptl);
    let entry = READ_ONCE(&k.ptes[page]);
    if entry & MIGRATION_ENTRY != 0 {
        spin_unlock(&k.cpus, &k.ptl);
        do_swap_page(k, page);
        return Followed::Waited;
    }
    let folio = pte_folio(k, entry);
    if let Some(folio) = folio {
        // try_grab_folio()
        folio_ref_add(folio, GUP_PIN_COUNTING_BIAS, GUP_PIN);
        k.note_pin(folio);
    }
    spin_unlock(&k.cpus, &k.ptl);
    folio.map_or(Followed::Nothing, Followed::Pinned)
}

/// A pin found that its page is mapped no more.
pub const NOTHING_TO_PIN: &str = "a pin found no page";

/// `iov_iter_extract_pages()` and what follows in a read by direct I/O: pins the page, has the
/// device store to it, unpins it. False if there was nothing to pin. Left out: that the page is
/// marked dirty.
pub fn direct_io_read(k: &Kernel, page: usize, value: u64) -> bool {
    let _in = enter("iov_iter_extract_pages");
    let Some(folio) = pin_user_pages(k, page) else { return false };
    // The device: what it stores is there when the I/O has ended.
    plain_write(&folio.contents, value);
    k.note_store(page, DEVICE, value);
    reached(DEVICE_STORED);
    unpin_folio(k, folio);
    true
}

/// A device stored to a page that is pinned for it.
pub const DEVICE_STORED: &str = "a device has stored to a pinned page";

/// `unpin_folio()`
pub fn unpin_folio(k: &Kernel, folio: &Folio) {
    k.note_unpin(folio);
    folio_put_refs(k, folio, GUP_PIN_COUNTING_BIAS, GUP_PIN);
}

/// `folio_is_longterm_pinnable()`: the folios that the scenario begins with are in CMA, those that
/// they are migrated to are not.
pub fn folio_is_longterm_pinnable(k: &Kernel, folio: &Folio) -> bool {
    folio.index >= k.sizes.folios
}

/// What a call of [`collect_longterm_unpinnable_folios`] found.
#[derive(Debug)]
pub struct Collected {
    /// Folios that may not stay.
    pub count: usize,
    /// Those of them that were isolated.
    pub movable: Vec<usize>,
}

fn has_extra_references(k: &Kernel, folio: &Folio, pin: i64) -> bool {
    !folio.is_large && atomic_read(&folio.refcount) != folio_expected_ref_count(k, folio) + pin
}

/// `collect_longterm_unpinnable_folios()`; `…_pages()` until 6.10. All of them are pinned.
pub fn collect_longterm_unpinnable_folios(k: &Kernel, pinned: &[usize]) -> Collected {
    let _in = enter("collect_longterm_unpinnable_folios");
    let mut found = Collected { count: 0, movable: Vec::new() };
    let mut drained = 0;
    for folio in pinned.iter().map(|&index| &k.folios[index]) {
        if folio_is_longterm_pinnable(k, folio) {
            continue;
        }
        found.count += 1;
        match k.tree.gup.drain() {
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
            reached(NOT_ISOLATED_FOR_A_PIN);
        }
    }
    found
}

/// A long-term pin drained every CPU.
pub const DRAINED_FOR_A_PIN: &str = "a long-term pin drained every CPU";
/// A long-term pin could not isolate a folio.
pub const NOT_ISOLATED_FOR_A_PIN: &str = "a folio to be pinned could not be isolated";
/// A long-term pin has looked whether a drain is needed.
pub const CHECKED_FOR_A_PIN: &str = "a long-term pin has looked at a folio";

/// `check_and_migrate_movable_pages()`: `Ok` if everything may stay where it is, pinned.
/// `Err(Again)`: unpinned, to be pinned again.
pub fn check_and_migrate_movable_pages(k: &Kernel, pinned: &[usize]) -> Result<(), Errno> {
    let _in = enter("check_and_migrate_movable_pages");
    let found = collect_longterm_unpinnable_folios(k, pinned);
    let is_content = match k.tree.gup.content() {
        LongtermContent::NothingCollected => found.count == 0,
        LongtermContent::NothingIsolated => found.movable.is_empty(),
    };
    if is_content {
        check_that_they_may_stay(k, pinned);
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

/// [`A_LONGTERM_PIN_MAY_STAY`], of every pin that succeeds. Folios of CMA that are on no LRU list
/// in the beginning are those of a driver, for which CMA was allocated: nobody else will want the
/// memory back as long as the driver has them.
fn check_that_they_may_stay(k: &Kernel, pinned: &[usize]) {
    let is_in_the_way = |folio: &&Folio| k.initial.listed && !folio_is_longterm_pinnable(k, folio);
    if let Some(folio) = pinned.iter().map(|&index| &k.folios[index]).find(is_in_the_way) {
        let message = format!("folio{} is pinned for long, and is in CMA", folio.index);
        fail_about(A_LONGTERM_PIN_MAY_STAY, message, folio.refcount.object());
    }
}

/// `pin_user_pages()` with `FOLL_LONGTERM`, of the first pages of the process:
/// `__gup_longterm_locked()`. The loop has no bound in C; the scenario gives it one, and
/// `Err(Again)` means that it would go on.
pub fn pin_user_pages_longterm(k: &Kernel, pages: usize, rounds: usize) -> Result<(), Errno> {
    let _in = enter("__gup_longterm_locked");
    for _ in 0..rounds {
        let pinned = __get_user_pages_locked(k, 0..pages);
        if pinned.len() < pages {
            // Somebody else has migrated a page twice meanwhile, or unmapped it. In C the pin would
            // fault it in, with those before it pinned.
            pinned.iter().for_each(|&index| unpin_folio(k, &k.folios[index]));
            return Err(Errno::Again);
        }
        match check_and_migrate_movable_pages(k, &pinned) {
            Err(Errno::Again) => reached("a long-term pin was tried again"),
            other => return other,
        }
    }
    Err(Errno::Again)
}
