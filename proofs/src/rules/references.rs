//! References that are left over when all is over.

use selvedge_kernel::fail_about;
use selvedge_models::PG_PRIVATE;
use selvedge_trace::Rule;

use super::Ids;
use super::batches::lru_entries;
use crate::Run;

/// What every put is for. The ledger does not say so: to it, who has forgotten a put holds.
pub const NO_REFERENCE_IS_LEFT_OVER: Rule = Rule(
    "a folio has the references of its cache, mappings, private data and batches, and no more",
);

/// What the page-table lock is for: the reference of an entry is there as long as the entry is.
pub const A_PINNED_FOLIO_IS_NOT_FREED: Rule = Rule("a folio that is pinned has not been freed");

pub(super) const IDS_OF_REFERENCES: Ids =
    &[("left-over", NO_REFERENCE_IS_LEFT_OVER), ("pinned-alive", A_PINNED_FOLIO_IS_NOT_FREED)];

/// Who keeps references for good, by the names of holders: [`selvedge_monitors::NOBODY_HOLDS_ON`]
/// is about all others. A folio may stay in the page cache, mapped, and in a batch until somebody
/// drains it.
pub(crate) const WHO_KEEPS_REFERENCES: &[&str] = &[
    "page cache",
    "page table",
    "private data",
    "lru_add batch",
    "lru_rotate batch",
    "lru_deactivate_file batch",
    "lru_deactivate batch",
    "lru_lazyfree batch",
    "lru_activate batch",
    "mlock batch",
    "bh_lru",
];

/// [`NO_REFERENCE_IS_LEFT_OVER`], where no task keeps a reference to a folio.
pub fn no_reference_is_left_over(k: &Run) {
    for folio in &k.folios {
        let is_cached = k.i_pages.iter().any(|slot| slot.peek() == folio.index as u64 + 1);
        let expected = i64::from(is_cached)
            + folio.mapcount.peek()
            + i64::from(folio.flags.peek(PG_PRIVATE))
            + lru_entries(k, folio) as i64;
        let count = folio.refcount.peek();
        if count != expected || (folio.freed.peek() != 0) != (expected == 0) {
            let index = folio.index;
            let message = format!("folio{index} has {count} references, should have {expected}");
            fail_about(NO_REFERENCE_IS_LEFT_OVER, message, folio.refcount.object());
        }
    }
}

/// The same, where no task keeps one to a bh either.
pub fn no_bh_reference_is_left_over(k: &Run) {
    no_reference_is_left_over(k);
    for bh in &k.buffer_heads {
        let (count, held) = (bh.b_count.peek(), slots_with(k, bh.index));
        if count != held {
            let message = format!("bh{} is in {held} bh_lrus, its b_count is {count}", bh.index);
            fail_about(NO_REFERENCE_IS_LEFT_OVER, message, bh.b_count.object());
        }
    }
}

/// In how many slots of bh_lrus the bh is.
fn slots_with(k: &Run, bh: usize) -> i64 {
    let slots = k.cpus.possible().flat_map(|cpu| k.bh_lrus.of(cpu));
    slots.filter(|slot| slot.peek() == bh as u64 + 1).count() as i64
}

#[cfg(test)]
mod tests {
    use include_dir::Dir;

    use super::*;

    /// A name that no model has would keep nothing, and who has another one would be accused.
    #[test]
    fn who_keeps_references_is_called_so_by_the_models() {
        fn texts(dir: &'static Dir<'static>) -> Vec<&'static str> {
            let here = dir.files().filter_map(|file| file.contents_utf8());
            here.chain(dir.dirs().flat_map(texts)).collect()
        }
        let texts = texts(&selvedge_models::SOURCES);
        for keeper in WHO_KEEPS_REFERENCES {
            let quoted = format!("\"{keeper}\"");
            assert!(texts.iter().any(|text| text.contains(&quoted)), "{keeper}");
        }
    }
}
