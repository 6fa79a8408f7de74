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
    reached, set_bit, smp_rmb, smp_wmb, spin_lock_irq, spin_unlock_irq, test_bit, unbooked,
};

use crate::kernel::{
    PAGE_CACHE, PG_ACTIVE, PG_DIRTY, PG_PRIVATE, PG_UNEVICTABLE, PG_UPTODATE, PG_WRITEBACK,
    PRIVATE_DATA,
};
use crate::mm::migrate::{CopyAfter, Errno, ExpectedRefs, NoteIn};
use crate::mm::swap::{folio_get, folio_put, folio_ref_add};
use crate::{Folio, Kernel};

/// `folio_expected_refs()` until 6.15, `folio_expected_ref_count()` since 6.16 and in 6.12.117:
/// without the reference of the caller.
pub fn folio_expected_ref_count(k: &Kernel, folio: &Folio) -> i64 {
    let _in = enter("folio_expected_ref_count");
    let mut of_page_cache = i64::from(plain_read(&folio.mapping) != 0);
    if k.initial.has_private() {
        of_page_cache += i64::from(test_bit(PG_PRIVATE, &folio.flags));
    }
    match k.tree.migrate.expected() {
        ExpectedRefs::WithoutMapcount => of_page_cache,
        ExpectedRefs::WithMapcount => of_page_cache + atomic_read(&folio.mapcount),
    }
}

/// `folio_ref_freeze()`: from the expected count to 0. Full barrier if it happens, nothing if not.
pub fn folio_ref_freeze(folio: &Folio, count: i64) -> bool {
    atomic_cmpxchg(&folio.refcount, count, 0) == count
}

/// `folio_ref_unfreeze()`: a release store. Nobody can change a frozen count.
pub fn folio_ref_unfreeze(folio: &Folio, count: i64) {
    atomic_set_release(&folio.refcount, count);
}

/// `folio_migrate_mapping()` until 6.10: both folios are locked, the source is isolated and
/// unmapped.
pub fn folio_migrate_mapping(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    expected: i64,
) -> Result<(), Errno> {
    let _in = enter("folio_migrate_mapping");
    if plain_read(&src.mapping) == 0 {
        // Anonymous: nobody can look it up, so that nothing needs to be frozen.
        if atomic_read(&src.refcount) != expected {
            reached(FREEZE_FAILED);
            return Err(Errno::Again);
        }
        return Ok(());
    }
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    if !folio_ref_freeze(src, expected) {
        reached(FREEZE_FAILED);
        spin_unlock_irq(&k.cpus, &k.i_pages_lock);
        return Err(Errno::Again);
    }
    reached(FROZEN);
    plain_write(&dst.mapping, plain_read(&src.mapping));
    folio_ref_add(dst, 1, PAGE_CACHE);
    move_dirty(k, dst, src);
    unbooked(&src.refcount, PAGE_CACHE);
    // xas_store()
    rcu_assign_pointer(&k.i_pages[src.page_index], dst.index as u64 + 1);
    folio_ref_unfreeze(src, expected - 1);
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    reached(REPLACED);
    Ok(())
}

/// `__folio_migrate_mapping()` since 6.11: `__migrate_folio()` has compared the count of an
/// anonymous folio before the copy, and does not turn back.
pub fn __folio_migrate_mapping(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    expected: i64,
) -> Result<(), Errno> {
    let _in = enter("__folio_migrate_mapping");
    if plain_read(&src.mapping) == 0 {
        return Ok(());
    }
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    if !folio_ref_freeze(src, expected) {
        reached(FREEZE_FAILED);
        spin_unlock_irq(&k.cpus, &k.i_pages_lock);
        return Err(Errno::Again);
    }
    reached(FROZEN);
    plain_write(&dst.mapping, plain_read(&src.mapping));
    folio_ref_add(dst, 1, PAGE_CACHE);
    move_dirty(k, dst, src);
    unbooked(&src.refcount, PAGE_CACHE);
    // xas_store()
    rcu_assign_pointer(&k.i_pages[src.page_index], dst.index as u64 + 1);
    folio_ref_unfreeze(src, expected - 1);
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    reached(REPLACED);
    Ok(())
}

/// A migration that put the new folio where the old one was.
pub(crate) const REPLACED: &str = "a folio was replaced in the page cache";
/// A migration that found the references that it expected, and keeps others from taking one.
pub const FROZEN: &str = "a migration froze its source";
/// A migration that found more references than it expected.
pub const FREEZE_FAILED: &str = "a migration met references that it did not expect";

/// PG_dirty moves while the source is frozen and the new folio not yet visible.
pub(crate) fn move_dirty(k: &Kernel, dst: &Folio, src: &Folio) {
    if k.modelled.dirty && test_bit(PG_DIRTY, &src.flags) {
        clear_bit(PG_DIRTY, &src.flags);
        set_bit(PG_DIRTY, &dst.flags);
    }
}

/// `folio_copy()`; `folio_mc_copy()` since 6.11.
pub fn folio_copy(k: &Kernel, dst: &Folio, src: &Folio) {
    if src.is_large {
        // cond_resched() between two pages.
        might_sleep(&k.cpus, "folio_mc_copy");
    }
    plain_write(&dst.contents, plain_read(&src.contents));
}

/// `folio_migrate_flags()`, as far as these scenarios look at them. The source leaves the page
/// cache.
pub fn folio_migrate_flags(k: &Kernel, dst: &Folio, src: &Folio) {
    if k.modelled.uptodate && test_bit(PG_UPTODATE, &src.flags) {
        // folio_mark_uptodate(): the contents first.
        smp_wmb();
        set_bit(PG_UPTODATE, &dst.flags);
    }
    for bit in [PG_ACTIVE, PG_UNEVICTABLE] {
        if (k.modelled.operations || k.modelled.mlock) && test_bit(bit, &src.flags) {
            clear_bit(bit, &src.flags);
            set_bit(bit, &dst.flags);
        }
    }
    plain_write(&src.mapping, 0);
}

/// `migrate_folio()`: `-EAGAIN` if somebody unexpected holds a reference.
pub fn migrate_folio(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    let _in = enter("migrate_folio");
    if k.modelled.writeback {
        kernel_assert(
            !test_bit(PG_WRITEBACK, &src.flags),
            "BUG_ON(folio_test_writeback(src)) in migrate_folio()",
        );
    }
    (k.tree.migrate.filemap_migrate_folio())(k, dst, src)
}

/// `filemap_migrate_folio()`, `migrate_folio_extra()` until 6.10: the count is frozen and the new
/// folio put in the page cache, then the contents are copied.
pub fn filemap_migrate_folio(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    let expected = folio_expected_ref_count(k, src) + 1;
    (k.tree.migrate.folio_migrate_mapping())(k, dst, src, expected)?;
    move_private(k, dst, src);
    folio_copy(k, dst, src);
    folio_migrate_flags(k, dst, src);
    Ok(())
}

/// `filemap_migrate_folio()`, `__migrate_folio()` since 6.11: the copy comes first, after a cheap
/// look at the count.
pub fn __migrate_folio(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    let expected = folio_expected_ref_count(k, src) + 1;
    if atomic_read(&src.refcount) != expected {
        reached(FREEZE_FAILED);
        return Err(Errno::Again);
    }
    if k.tree.migrate.copy_after() == CopyAfter::ReadBarrier {
        smp_rmb();
    }
    folio_copy(k, dst, src);
    (k.tree.migrate.folio_migrate_mapping())(k, dst, src, expected)?;
    move_private(k, dst, src);
    folio_migrate_flags(k, dst, src);
    Ok(())
}

/// `folio_attach_private(dst, folio_detach_private(src))`
fn move_private(k: &Kernel, dst: &Folio, src: &Folio) {
    if k.initial.has_private() && test_bit(PG_PRIVATE, &src.flags) {
        clear_bit(PG_PRIVATE, &src.flags);
        folio_put(k, src, PRIVATE_DATA);
        folio_get(dst, PRIVATE_DATA);
        set_bit(PG_PRIVATE, &dst.flags);
    }
}

/// `__migrate_folio_record()`: the anon_vma of the source, without the tag that tells it from a
/// mapping; a folio of a file has none.
pub(crate) fn record(k: &Kernel, dst: &Folio) {
    if k.tree.migrate.note() == NoteIn::Mapping && k.initial.anon {
        WRITE_ONCE(&dst.mapping, FAKE_MAPPING);
    }
}

/// `__migrate_folio_extract()`
pub(crate) fn extract(k: &Kernel, dst: &Folio) {
    if k.tree.migrate.note() == NoteIn::Mapping && k.initial.anon {
        WRITE_ONCE(&dst.mapping, 0);
    }
}

/// What is in `dst->mapping` between unmap and move from 6.3 to 6.7, and is no mapping.
pub const FAKE_MAPPING: u64 = 99;

/// `alloc_migration_target()`: the one spare folio that belongs to the source.
pub fn alloc_migration_target<'k>(k: &'k Kernel, src: &Folio) -> &'k Folio {
    let dst = &k.folios[k.sizes.folios + src.index];
    atomic_set(&dst.refcount, 1);
    booked(&dst.refcount, MIGRATION_TARGET);
    plain_write(&dst.freed, 0);
    dst
}

/// Who holds the new folio until it is where the old one was.
pub(crate) const MIGRATION_TARGET: Name = Name::new("migration target");
