//! What the lock of `i_pages` covers besides the slots.

use selvedge_kernel::fail_about;
use selvedge_models::PG_WRITEBACK;
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;

/// What the lock of `i_pages` keeps together: `clear_inode()` asks it of every inode.
pub const NRPAGES_IS_CACHED_PAGES: Rule =
    Rule("mapping->nrpages is the number of pages that have a folio in the page cache");
/// What `filemap_fdatawait()` goes by.
pub const A_FOLIO_UNDER_WRITEBACK_IS_MARKED: Rule =
    Rule("the folios under writeback are those that the page cache has marked so");

/// What a fault is for.
pub const A_FAULT_MAPS_WHAT_IS_CACHED: Rule =
    Rule("a fault on a page that is in the page cache maps it");
/// What who punches a hole, or reads past the end of the file, relies on.
pub const A_TRUNCATED_PAGE_IS_NOT_MAPPED: Rule =
    Rule("a page that has left the page cache is mapped nowhere");

pub(super) const IDS_OF_PAGE_CACHE: Ids = &[
    ("fault-maps", A_FAULT_MAPS_WHAT_IS_CACHED),
    ("truncated-unmapped", A_TRUNCATED_PAGE_IS_NOT_MAPPED),
    ("nrpages", NRPAGES_IS_CACHED_PAGES),
    ("writeback-marked", A_FOLIO_UNDER_WRITEBACK_IS_MARKED),
];

/// [`NRPAGES_IS_CACHED_PAGES`], on a machine that counts them.
pub fn nrpages_is_cached_pages(k: &Run) {
    let nrpages = k.nrpages.as_ref().expect("Machine::nrpages");
    let cached = k.i_pages.iter().filter(|slot| slot.peek() != 0).count() as u64;
    if nrpages.peek() != cached {
        let message = format!("nrpages is {}, {cached} pages are cached", nrpages.peek());
        fail_about(NRPAGES_IS_CACHED_PAGES, message, nrpages.object());
    }
}

/// [`A_FOLIO_UNDER_WRITEBACK_IS_MARKED`], on a machine that has the marks.
pub fn folios_under_writeback_are_marked(k: &Run) {
    let marks = k.i_pages_marks.as_ref().expect("Machine::marks");
    for folio in &k.folios[..k.sizes.folios] {
        let is_marked = marks.peek() & 1 << folio.page_index != 0;
        if folio.flags.peek(PG_WRITEBACK) != is_marked {
            let (index, is) = (folio.index, if is_marked { "not " } else { "" });
            let message = format!("folio{index} is {is}under writeback, its mark says otherwise");
            fail_about(A_FOLIO_UNDER_WRITEBACK_IS_MARKED, message, marks.object());
        }
    }
}
