//! The page tables of one process, and how migration takes a folio out of them.
//!
//! Kept: everything under the page-table lock; the moment without an entry, which whoever reads
//! the entry without that lock can see; the reference of an entry; migration entries, and the wait
//! for one without a reference.
//! Left out: all but one process; large folios; the dirty bit of an entry; the walk itself (user
//! page n is page n of the file).
//! Source: mm/rmap.c `try_to_migrate_one()`, `try_to_unmap_flush()`, mm/migrate.c
//! `remove_migration_pte()`, 6.1.192 and 6.12.117.

use selvedge_kernel::{
    Name, READ_ONCE, WRITE_ONCE, atomic_dec, atomic_inc, enter, reached, spin_lock, spin_unlock,
};

use crate::mm::memory::flush_tlb;
use crate::mm::migrate::TlbFlush;
use crate::mm::swap::{folio_get, folio_put};
use crate::{Folio, Kernel};

/// A page-table entry: 0 if there is none, else the folio's index plus 1, with this bit if it is a
/// migration entry.
pub const MIGRATION_ENTRY: u64 = 1 << 8;

/// Who holds the reference of a page-table entry.
pub const PAGE_TABLE: Name = Name::new("page table");

/// The folio that an entry points to, present or not.
pub fn pte_folio(k: &Kernel, pte: u64) -> Option<&Folio> {
    (pte & !MIGRATION_ENTRY).checked_sub(1).map(|index| &k.folios[index as usize])
}

decisions! {
    /// What differs between trees.
    pub struct Rmap of "mm/rmap.c", set by RmapChange {
        /// How `try_to_migrate_one()` takes an entry away.
        nuke: NukePte,
    }
}

/// How `try_to_migrate_one()` makes a migration entry of a present one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NukePte {
    /// The entry is cleared, stale TLB entries are flushed (or that is put off), and then the
    /// migration entry is written: every release.
    FlushThenMark,
    /// Cleared, written, then flushed: the patch of December 2024. Never merged.
    MarkThenFlush,
    /// The entry is marked invalid and is never seen empty: what was tried in August 2024, where
    /// the architecture can. Never merged.
    Invalidate,
}

/// `try_to_migrate()`: each entry becomes a migration entry and gives up its reference.
pub fn try_to_migrate(k: &Kernel, src: &Folio) {
    let _in = enter("try_to_migrate");
    let pte = &k.ptes[src.page_index];
    spin_lock(&k.cpus, &k.ptl);
    if READ_ONCE(pte) == src.index as u64 + 1 {
        // Whoever reads the entry without the lock sees that there is none: ptep_clear_flush(),
        // ptep_get_and_clear(), then set_pte_at().
        let nuke = k.tree.rmap.nuke();
        if nuke != NukePte::Invalidate {
            WRITE_ONCE(pte, 0);
        }
        let flushes = k.tree.migrate.flush() == TlbFlush::AtUnmap;
        if flushes && nuke == NukePte::FlushThenMark {
            flush_tlb(k);
        }
        WRITE_ONCE(pte, MIGRATION_ENTRY | (src.index as u64 + 1));
        if flushes && nuke != NukePte::FlushThenMark {
            flush_tlb(k);
        }
        atomic_dec(&src.mapcount);
        folio_put(k, src, PAGE_TABLE);
        reached("a folio was unmapped for migration");
    }
    spin_unlock(&k.cpus, &k.ptl);
}

/// `try_to_unmap_flush()`: what `try_to_migrate()` has put off.
pub fn try_to_unmap_flush(k: &Kernel) {
    if k.tree.migrate.flush() == TlbFlush::BeforeCopy {
        flush_tlb(k);
    }
}

/// `remove_migration_ptes(old, new)`: each migration entry of the old folio becomes an entry of the
/// new one, which may be the same.
pub fn remove_migration_ptes(k: &Kernel, old: &Folio, new: &Folio) {
    let _in = enter("remove_migration_ptes");
    let pte = &k.ptes[old.page_index];
    spin_lock(&k.cpus, &k.ptl);
    if READ_ONCE(pte) == MIGRATION_ENTRY | (old.index as u64 + 1) {
        folio_get(new, PAGE_TABLE);
        atomic_inc(&new.mapcount);
        WRITE_ONCE(pte, new.index as u64 + 1);
    }
    spin_unlock(&k.cpus, &k.ptl);
}
