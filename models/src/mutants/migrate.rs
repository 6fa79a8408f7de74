//! Functions of mm/migrate.c with a mistake.

use selvedge_kernel::{
    atomic_dec, atomic_read, enter, plain_read, plain_write, rcu_assign_pointer, reached,
    spin_lock_irq, spin_unlock_irq, unbooked,
};

use crate::kernel::PAGE_CACHE;
use crate::mm::filemap::folio_unlock;
use crate::mm::memory::flush_tlb;
use crate::mm::migrate::mapping::{REPLACED, folio_ref_freeze, folio_ref_unfreeze, move_dirty};
use crate::mm::migrate::move_folio::{drain_after_move, move_to_new_folio};
use crate::mm::migrate::unmap::{migrate_folio_lock, migrate_folio_unmap_ptes, wait_for_writeback};
use crate::mm::migrate::{Errno, FREEZE_FAILED, Migrator, filemap_migrate_folio};
use crate::mm::rmap::remove_migration_ptes;
use crate::mm::swap::{folio_add_lru, folio_ref_add};
use crate::{Folio, Kernel};

/// `folio_migrate_mapping()` of 6.1 that compares the count of the source, and does not freeze it.
pub fn compares_without_freezing(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    expected: i64,
) -> Result<(), Errno> {
    let compares = Freeze {
        freeze: |folio, count| atomic_read(&folio.refcount) == count,
        unfreeze: |folio, _| atomic_dec(&folio.refcount),
    };
    replace(k, dst, src, expected, compares)
}

/// `folio_migrate_mapping()` of 6.1 that unfreezes the source to the count that it had: the
/// reference of the page cache is left to it.
pub fn unfreezes_all(k: &Kernel, dst: &Folio, src: &Folio, expected: i64) -> Result<(), Errno> {
    let freezes = Freeze { freeze: folio_ref_freeze, unfreeze: folio_ref_unfreeze };
    replace(k, dst, src, expected, freezes)
}

/// `folio_migrate_mapping()` of 6.1 that replaces the source whoever else has it.
pub fn looks_at_no_count(k: &Kernel, dst: &Folio, src: &Folio, expected: i64) -> Result<(), Errno> {
    let ignores = Freeze { freeze: |_, _| true, unfreeze: |folio, _| atomic_dec(&folio.refcount) };
    replace(k, dst, src, expected, ignores)
}

/// Another freeze and unfreeze. Both are given the count that is expected.
struct Freeze {
    freeze: fn(&Folio, i64) -> bool,
    unfreeze: fn(&Folio, i64),
}

/// `folio_migrate_mapping()` of 6.1.
fn replace(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    expected: i64,
    Freeze { freeze, unfreeze }: Freeze,
) -> Result<(), Errno> {
    let _in = enter("folio_migrate_mapping");
    if plain_read(&src.mapping) == 0 {
        if atomic_read(&src.refcount) != expected {
            reached(FREEZE_FAILED);
            return Err(Errno::Again);
        }
        return Ok(());
    }
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    if !freeze(src, expected) {
        reached(FREEZE_FAILED);
        spin_unlock_irq(&k.cpus, &k.i_pages_lock);
        return Err(Errno::Again);
    }
    plain_write(&dst.mapping, plain_read(&src.mapping));
    folio_ref_add(dst, 1, PAGE_CACHE);
    move_dirty(k, dst, src);
    unbooked(&src.refcount, PAGE_CACHE);
    rcu_assign_pointer(&k.i_pages[src.page_index], dst.index as u64 + 1);
    unfreeze(src, expected);
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    reached(REPLACED);
    Ok(())
}

/// `__unmap_and_move()` of 6.1 that restores the page tables after it has unlocked the source.
pub fn restores_unlocked(
    k: &Kernel,
    src: &Folio,
    dst: &Folio,
    who: Migrator,
    force: bool,
) -> Result<(), Errno> {
    migrate_folio_lock(k, src, who, force)?;
    let unlocks = |error| {
        folio_unlock(k, src);
        error
    };
    wait_for_writeback(k, src, who, force).map_err(unlocks)?;
    let target = migrate_folio_unmap_ptes(k, src, dst).map_err(unlocks)?;
    let moved = move_to_new_folio(k, dst, src, who);
    let now = if moved.is_ok() { dst } else { src };
    if moved.is_ok() {
        folio_add_lru(k, dst);
        drain_after_move(k, target);
    }
    folio_unlock(k, dst);
    folio_unlock(k, src);
    if target.was_mapped {
        remove_migration_ptes(k, src, now);
    }
    moved
}

/// `filemap_migrate_folio()` of 6.10 that does at last what [`flushes_nothing`] has not done.
pub fn copies_then_flushes(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    filemap_migrate_folio(k, dst, src)?;
    flush_tlb(k);
    Ok(())
}

/// `try_to_unmap_flush()` that leaves stale TLB entries where they are.
pub fn flushes_nothing(_: &Kernel) {}

/// `may_sleep_on_locks()` that does not look at PF_MEMALLOC.
pub fn memalloc_may_sleep_on_locks(_: Migrator) -> Result<(), Errno> {
    Ok(())
}
