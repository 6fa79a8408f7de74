//! `migrate_folio()`: from the look at the references to the new folio in the page cache.
//!
//! Kept: which references are expected; the freeze under the lock of the page cache; PG_dirty moved
//! while the source is frozen and the new folio not yet visible; the release of the unfreeze; the
//! two orders of copy and freeze.
//! Left out: swap cache, large folios, what private data is (fs/buffer.rs has the buffers),
//! statistics.
//! Source: mm/migrate.c of 6.1 (`folio_migrate_mapping()`, `migrate_folio_extra()`) and 6.12.117
//! (`__folio_migrate_mapping()`, `__migrate_folio()`).

use selvedge_kernel::{
    Name, WRITE_ONCE, atomic_cmpxchg, atomic_read, atomic_set, atomic_set_release, booked,
    clear_bit, enter, kernel_assert, might_sleep, plain_read, plain_write, rcu_assign_pointer,
    reached, set_bit, smp_wmb, spin_lock_irq, spin_unlock_irq, test_bit, unbooked,
};

use crate::kernel::{
    PAGE_CACHE, PG_ACTIVE, PG_DIRTY, PG_PRIVATE, PG_UNEVICTABLE, PG_UPTODATE, PG_WRITEBACK,
    PRIVATE_DATA,
};
use crate::mm::memory::flush_tlb;
use crate::mm::migrate::{CopyOrder, Errno, ExpectedRefs, MigrateFault, NoteIn, TlbFlush};
use crate::mm::swap::{folio_get, folio_put, folio_ref_add};
use crate::{Folio, Kernel};

/// `folio_expected_refs()` until 6.15, `folio_expected_ref_count()` since 6.16 and in 6.12.117:
/// without the reference of the caller.
pub fn folio_expected_ref_count(k: &Kernel, folio: &Folio) -> i64 {
    let _in = enter("folio_expected_ref_count");
    let mut of_page_cache = i64::from(plain_read(&folio.mapping) != 0);
    let counts_private =
        k.sizes.has_private() && k.tree.migrate.fault != MigrateFault::PrivateNotCounted;
    if counts_private {
        of_page_cache += i64::from(test_bit(PG_PRIVATE, &folio.flags));
    }
    match k.tree.migrate.expected {
        ExpectedRefs::WithoutMapcount => of_page_cache,
        ExpectedRefs::WithMapcount => of_page_cache + atomic_read(&folio.mapcount),
    }
}

/// `folio_ref_freeze()`: from the expected count to 0. Full barrier if it happens, nothing if not.
fn folio_ref_freeze(folio: &Folio, count: i64) -> bool {
    atomic_cmpxchg(&folio.refcount, count, 0) == count
}

/// `folio_ref_unfreeze()`: a release store. Nobody can change a frozen count.
fn folio_ref_unfreeze(k: &Kernel, folio: &Folio, count: i64) {
    match k.tree.migrate.fault {
        MigrateFault::UnfreezeRelaxed => atomic_set(&folio.refcount, count),
        _ => atomic_set_release(&folio.refcount, count),
    }
}

/// `folio_migrate_mapping()`: both folios are locked, the source is isolated and unmapped.
fn folio_migrate_mapping(k: &Kernel, dst: &Folio, src: &Folio, expected: i64) -> Result<(), Errno> {
    let _in = enter("folio_migrate_mapping");
    if plain_read(&src.mapping) == 0 {
        // Anonymous: nobody can look it up, so that nothing needs to be frozen. `__migrate_folio()`
        // has compared the count before the copy, and does not turn back.
        let is_compared = k.tree.migrate.copy == CopyOrder::CopyThenFreeze;
        if !is_compared && atomic_read(&src.refcount) != expected {
            reached(FREEZE_FAILED);
            return Err(Errno::Again);
        }
        return Ok(());
    }
    let fault = k.tree.migrate.fault;
    let locks = fault != MigrateFault::NoPagesLock;
    if locks {
        spin_lock_irq(&k.cpus, &k.i_pages_lock);
    }
    let may_go_on = match fault {
        MigrateFault::CountWithoutFreeze => atomic_read(&src.refcount) == expected,
        _ => folio_ref_freeze(src, expected),
    };
    if !may_go_on {
        reached(FREEZE_FAILED);
        if locks {
            spin_unlock_irq(&k.cpus, &k.i_pages_lock);
        }
        return Err(Errno::Again);
    }
    plain_write(&dst.mapping, plain_read(&src.mapping));
    if fault != MigrateFault::NoCacheReference {
        folio_ref_add(dst, 1, PAGE_CACHE);
    }
    if fault != MigrateFault::DirtyAfterSlot {
        move_dirty(k, dst, src);
    }
    unbooked(&src.refcount, PAGE_CACHE);
    if fault == MigrateFault::UnfreezeBeforeSlot {
        folio_ref_unfreeze(k, src, expected - 1);
    }
    rcu_assign_pointer(&k.i_pages[src.page_index], dst.index as u64 + 1);
    match fault {
        MigrateFault::UnfreezeBeforeSlot => {}
        MigrateFault::CountWithoutFreeze => {
            selvedge_kernel::atomic_dec(&src.refcount);
        }
        MigrateFault::UnfreezeAll => folio_ref_unfreeze(k, src, expected),
        _ => folio_ref_unfreeze(k, src, expected - 1),
    }
    if locks {
        spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    }
    if fault == MigrateFault::DirtyAfterSlot {
        move_dirty(k, dst, src);
    }
    reached("a folio was replaced in the page cache");
    Ok(())
}

/// A migration that found more references than it expected.
pub const FREEZE_FAILED: &str = "a migration met references that it did not expect";

fn move_dirty(k: &Kernel, dst: &Folio, src: &Folio) {
    if k.sizes.dirty && test_bit(PG_DIRTY, &src.flags) {
        clear_bit(PG_DIRTY, &src.flags);
        set_bit(PG_DIRTY, &dst.flags);
    }
}

/// `folio_mc_copy()`
fn folio_copy(k: &Kernel, dst: &Folio, src: &Folio) {
    if src.is_large {
        // cond_resched() between two pages.
        might_sleep(&k.cpus, "folio_mc_copy");
    }
    plain_write(&dst.contents, plain_read(&src.contents));
}

/// `folio_migrate_flags()`, as far as these scenarios look at them. The source leaves the page
/// cache.
fn folio_migrate_flags(k: &Kernel, dst: &Folio, src: &Folio) {
    if k.sizes.uptodate && test_bit(PG_UPTODATE, &src.flags) {
        // folio_mark_uptodate(): the contents first.
        smp_wmb();
        set_bit(PG_UPTODATE, &dst.flags);
    }
    for bit in [PG_ACTIVE, PG_UNEVICTABLE] {
        if (k.sizes.operations || k.sizes.mlock) && test_bit(bit, &src.flags) {
            clear_bit(bit, &src.flags);
            set_bit(bit, &dst.flags);
        }
    }
    plain_write(&src.mapping, 0);
}

/// `migrate_folio()`: `-EAGAIN` if somebody unexpected holds a reference.
pub(super) fn migrate_folio(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    let _in = enter("migrate_folio");
    if k.sizes.writeback {
        kernel_assert(
            !test_bit(PG_WRITEBACK, &src.flags),
            "BUG_ON(folio_test_writeback(src)) in migrate_folio()",
        );
    }
    filemap_migrate_folio(k, dst, src)
}

/// `filemap_migrate_folio()`, `__migrate_folio()`.
pub(super) fn filemap_migrate_folio(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    let expected = folio_expected_ref_count(k, src) + 1;
    match k.tree.migrate.copy {
        CopyOrder::FreezeThenCopy => {
            folio_migrate_mapping(k, dst, src, expected)?;
            folio_copy(k, dst, src);
        }
        CopyOrder::CopyThenFreeze => {
            if atomic_read(&src.refcount) != expected {
                reached(FREEZE_FAILED);
                return Err(Errno::Again);
            }
            folio_copy(k, dst, src);
            folio_migrate_mapping(k, dst, src, expected)?;
        }
    }
    if k.tree.migrate.flush == TlbFlush::AfterCopy {
        flush_tlb(k);
    }
    if k.sizes.has_private() && test_bit(PG_PRIVATE, &src.flags) {
        // folio_attach_private(dst, folio_detach_private(src))
        clear_bit(PG_PRIVATE, &src.flags);
        folio_put(k, src, PRIVATE_DATA);
        folio_get(dst, PRIVATE_DATA);
        set_bit(PG_PRIVATE, &dst.flags);
    }
    folio_migrate_flags(k, dst, src);
    Ok(())
}

/// `__migrate_folio_record()`: what migration knows of the source, an anon_vma without the tag that
/// tells it from a mapping.
pub(super) fn record(k: &Kernel, dst: &Folio) {
    if k.tree.migrate.note == NoteIn::Mapping {
        WRITE_ONCE(&dst.mapping, FAKE_MAPPING);
    }
}

/// `__migrate_folio_extract()`
pub(super) fn extract(k: &Kernel, dst: &Folio) {
    if k.tree.migrate.note == NoteIn::Mapping {
        WRITE_ONCE(&dst.mapping, 0);
    }
}

/// What is in `dst->mapping` between unmap and move from 6.3 to 6.7, and is no mapping.
pub const FAKE_MAPPING: u64 = 99;

/// `alloc_migration_target()`: the one spare folio that belongs to the source.
pub(super) fn alloc_migration_target<'k>(k: &'k Kernel, src: &Folio) -> &'k Folio {
    let dst = &k.folios[k.sizes.folios + src.index];
    atomic_set(&dst.refcount, 1);
    booked(&dst.refcount, MIGRATION_TARGET);
    plain_write(&dst.freed, 0);
    dst
}

/// Who holds the new folio until it is where the old one was.
pub(super) const MIGRATION_TARGET: Name = Name::new("migration target");
