//! Migration: its two folios, their references, the page cache, and who waits for what.

use selvedge_kernel::{Bit, fail_about};
use selvedge_models::mm::rmap::MIGRATION_ENTRY;
use selvedge_models::{BufferHead, Folio, Kernel, PG_LOCKED, PG_PRIVATE};
use selvedge_trace::Rule;

use super::Ids;
use super::batches::{is_batched, lru_entries};
use crate::Run;

/// What freezing the reference count is for.
pub const LOOKUP_IS_OF_THE_CACHED_FOLIO: Rule =
    Rule("a folio that a lookup has a reference to is the one in the page cache");
/// The accounting of kernel-migrate B.6.
pub const MIGRATION_HAS_ONE_END: Rule =
    Rule("a migration ends with the old folio freed, or with everything as it was");
/// kernel-migrate BM10.
pub const FAULT_WAITS_ONCE: Rule = Rule("a fault that waited for a migration finds its page");
/// What ffa65753c431 is for, and what was proposed in 2024 (report R10).
pub const FAULT_LEAVES_MIGRATION_ALONE: Rule =
    Rule("a fault on a page does not make its migration fail");
/// kernel-migrate BM8.
pub const A_DIRTY_PAGE_STAYS_DIRTY: Rule = Rule("a dirty page is found dirty while it migrates");
/// What the TLB flush before the copy is for.
pub const NO_STORE_IS_LOST: Rule = Rule("no store to a page is lost while it migrates");
/// What d1adb25df711 is for.
pub const MAPPING_IS_NULL_OR_A_MAPPING: Rule = Rule("folio->mapping is NULL or a mapping");
/// kernel-migrate F-S4: what MIGRATE_SYNC is for.
pub const SYNC_SUCCEEDS_ONCE_UNLOCKED: Rule =
    Rule("MIGRATE_SYNC succeeds once the holder of the folio lock lets go");
/// kernel-migrate F-S7: what 4bb6dc79d987 is for. Nobody promises it; it is asked here how far it
/// is true.
pub const SYNC_LIGHT_WAITS_FOR_NO_IO: Rule = Rule("MIGRATE_SYNC_LIGHT never waits for I/O");
/// kernel-migrate BM12: references that are expected stop nobody.
pub const AN_IDLE_FOLIO_MIGRATES: Rule = Rule("a folio that nobody else uses is migrated");

/// What `folio_migrate_mapping()`, `folio_copy()`, `folio_migrate_flags()` and `folio_set_bh()` are
/// for.
pub const A_MIGRATED_FOLIO_IS_WHOLE: Rule =
    Rule("a migrated folio has what the old one had, and the old one keeps nothing");

/// What the lock of a folio keeps a split from.
pub const A_LOCKED_FOLIO_STAYS_WHOLE: Rule =
    Rule("a folio is not split while somebody has it locked");
/// What a large folio is split for.
pub const A_TARGET_IS_AS_LARGE: Rule =
    Rule("a large folio without a target of its size is split before it migrates");
/// What the caller of a truncation relies on.
pub const A_TRUNCATED_PAGE_IS_GONE: Rule = Rule("a truncated page has no folio in the page cache");

/// What MIGRATE_SYNC does for a filesystem that does not migrate its folios.
pub const A_DIRTY_FOLIO_IS_WRITTEN_OUT: Rule = Rule(
    "MIGRATE_SYNC writes a dirty folio out that its filesystem does not migrate, and moves it",
);

pub(super) const IDS_OF_MIGRATION: Ids = &[
    ("written-out", A_DIRTY_FOLIO_IS_WRITTEN_OUT),
    ("lookup", LOOKUP_IS_OF_THE_CACHED_FOLIO),
    ("one-end", MIGRATION_HAS_ONE_END),
    ("fault-waits-once", FAULT_WAITS_ONCE),
    ("fault-harmless", FAULT_LEAVES_MIGRATION_ALONE),
    ("stays-dirty", A_DIRTY_PAGE_STAYS_DIRTY),
    ("lost-store", NO_STORE_IS_LOST),
    ("mapping", MAPPING_IS_NULL_OR_A_MAPPING),
    ("sync-succeeds", SYNC_SUCCEEDS_ONCE_UNLOCKED),
    ("sync-light-no-io", SYNC_LIGHT_WAITS_FOR_NO_IO),
    ("idle-migrates", AN_IDLE_FOLIO_MIGRATES),
    ("whole", A_MIGRATED_FOLIO_IS_WHOLE),
    ("locked-whole", A_LOCKED_FOLIO_STAYS_WHOLE),
    ("target-size", A_TARGET_IS_AS_LARGE),
    ("truncated", A_TRUNCATED_PAGE_IS_GONE),
];

/// References of a folio that is somewhere: the page cache, its page-table entry, batches.
fn accounted(k: &Kernel, folio: &Folio) -> i64 {
    let is_cached = k.i_pages.iter().any(|slot| slot.peek() == folio.index as u64 + 1);
    i64::from(is_cached) + folio.mapcount.peek() + lru_entries(k, folio) as i64
}

/// [`MIGRATION_HAS_ONE_END`]: both folios are unlocked; what is mapped nowhere and in no cache is
/// freed, once; nothing else is; and the page table has no migration entry.
pub fn migration_has_one_end(k: &Run) {
    if let Some(pte) = k.ptes.iter().find(|pte| pte.peek() & MIGRATION_ENTRY != 0) {
        let message = format!("{} is a migration entry still", pte.name());
        fail_about(MIGRATION_HAS_ONE_END, message, pte.object());
    }
    for folio in &k.folios {
        let (count, expected) = (folio.refcount.peek(), accounted(k, folio));
        let is_freed = folio.freed.peek() != 0;
        if count != expected || is_freed != (expected == 0) || folio.flags.peek(PG_LOCKED) {
            let freed = if is_freed { "freed" } else { "not freed" };
            let message = format!(
                "folio{} is {freed} with {count} references, should have {expected}",
                folio.index
            );
            fail_about(MIGRATION_HAS_ONE_END, message, folio.refcount.object());
        }
    }
}

/// [`MIGRATION_HAS_ONE_END`], unless a batch still holds one of the folios.
pub fn migration_has_one_end_at_rest(k: &Run) {
    if !k.folios.iter().any(|folio| is_batched(k, folio)) {
        migration_has_one_end(k);
    }
}

/// [`AN_IDLE_FOLIO_MIGRATES`], of a folio with private data.
pub fn idle_folio_was_migrated(k: &Run) {
    if k.i_pages[0].peek() != 2 {
        let message = "nobody else was there, and the folio was not migrated";
        fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.folios[0].refcount.object());
    }
    if k.folios[0].freed.peek() != 1 || !k.folios[1].flags.peek(PG_PRIVATE) {
        let message = "the old folio was not freed, or the private data did not move";
        fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.folios[0].freed.object());
    }
}

/// What is in the folio that [`migrated_folio_is_whole`] is about.
pub const CONTENTS: u64 = 7;

/// [`A_MIGRATED_FOLIO_IS_WHOLE`], of folio0, which had these flags and [`CONTENTS`].
pub fn migrated_folio_is_whole(k: &Run, flags: &[Bit]) {
    let (old, new) = (&k.folios[0], &k.folios[1]);
    let broken = |message: String, object| fail_about(A_MIGRATED_FOLIO_IS_WHOLE, message, object);
    if new.contents.peek() != CONTENTS {
        broken("the contents were not copied".into(), new.contents.object());
    }
    if (old.mapping.peek(), new.mapping.peek() == 0) != (0, false) {
        broken("the mapping is not the new folio's alone".into(), new.mapping.object());
    }
    let expected = 1 + i64::from(new.flags.peek(PG_PRIVATE)) + lru_entries(k, new) as i64;
    if (old.freed.peek(), new.refcount.peek()) != (1, expected) {
        let count = new.refcount.peek();
        let message = format!("the new folio has {count} references, should have {expected}");
        broken(message, new.refcount.object());
    }
    for &bit in flags {
        if !new.flags.peek(bit) {
            broken(format!("{} was not carried over", bit.name), new.flags.object());
        }
        if old.flags.peek(bit) {
            broken(format!("the old folio is freed with {}", bit.name), old.flags.object());
        }
    }
    let is_buffer_of_old = |bh: &&BufferHead| bh.b_folio.peek() != new.index as u64;
    let has_buffers = !k.initial.aops.is_empty();
    if let Some(bh) = k.buffer_heads.iter().find(is_buffer_of_old).filter(|_| has_buffers) {
        broken(format!("buffer{} is still the old folio's", bh.index), bh.b_folio.object());
    }
}

/// [`FAULT_LEAVES_MIGRATION_ALONE`]; [`Run::outcome`] is how many folios were not migrated.
pub fn fault_did_no_harm(k: &Run) {
    if k.outcome.peek() != 0 {
        let message = "the migration failed, though only a fault on its own entry was there";
        fail_about(FAULT_LEAVES_MIGRATION_ALONE, message, k.folios[0].refcount.object());
    }
}

/// [`NO_STORE_IS_LOST`] of a writer in the kernel; [`Run::outcome`] is what it wrote.
pub fn page_holds_what_was_written(k: &Run) {
    let contents = &k.folios[k.i_pages[0].peek() as usize - 1].contents;
    if contents.peek() != k.outcome.peek() {
        fail_about(NO_STORE_IS_LOST, "the write is not in the page", contents.object());
    }
}

/// [`SYNC_SUCCEEDS_ONCE_UNLOCKED`]; [`Run::outcome`] is how many folios were not migrated.
pub fn sync_migration_succeeded(k: &Run) {
    if k.outcome.peek() != 0 {
        let message = "folio0 is unlocked, nobody else has a reference, and it was not migrated";
        fail_about(SYNC_SUCCEEDS_ONCE_UNLOCKED, message, k.outcome.object());
    }
}
