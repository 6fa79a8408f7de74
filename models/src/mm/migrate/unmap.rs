//! `migrate_folio_unmap()`: the steps that its versions have in common, in the order in which each
//! calls them.
//!
//! Left out: what `try_to_migrate()` leaves mapped (the one entry is always found), KSM, the
//! anon_vma.
//! Source: mm/migrate.c of 6.1 (`__unmap_and_move()`), 6.3-rc1 as 5dfab109d519 describes it,
//! 6.12.117.

use selvedge_kernel::{
    atomic_cmpxchg, atomic_read, atomic_set_release, enter, plain_read, plain_write, reached,
    smp_rmb, spin_lock_irq, spin_unlock_irq, test_bit,
};

use crate::fs::buffer::try_to_free_buffers;
use crate::kernel::{PG_MLOCKED, PG_PRIVATE, PG_UPTODATE, PG_WRITEBACK};
use crate::mm::filemap::{folio_lock, folio_lock_timeout, folio_trylock, folio_unlock};
use crate::mm::migrate::mapping::{
    MIGRATION_TARGET, alloc_migration_target, folio_expected_ref_count, record,
};
use crate::mm::migrate::move_folio::migrate_folio_done;
use crate::mm::migrate::{
    DrainAfterMove, Errno, Indeterminate, Migrator, Mode, SplitLock, SrcLock,
};
use crate::mm::page_writeback::folio_wait_writeback;
use crate::mm::rmap::{remove_migration_ptes, try_to_migrate};
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// A migration that met a source under writeback.
pub const FOUND_WRITEBACK: &str = "a migration found its source under writeback";
/// A folio that could not be unmapped, or migrated, was tried once more.
pub(super) const TRIED_AGAIN: &str = "a migration was tried again";

/// The first loop begins this pass.
pub(super) fn begin_pass(pass: usize) {
    if pass > 0 {
        reached(TRIED_AGAIN);
    }
}

/// What the passes are about, where there is `force` (up to 6.3-rc2).
#[derive(Clone, Copy)]
pub(super) enum Round {
    /// The caller's folios.
    Whole,
    /// The parts of those that were split. That one is to be tried again is not counted
    /// (`no_split_folio_counting`): there is one pass, and it does not force.
    Parts,
}

impl Round {
    /// How many passes there are.
    pub(super) fn passes(self, k: &Kernel) -> usize {
        match self {
            Round::Whole => k.sizes.passes,
            Round::Parts => 1,
        }
    }

    /// Does this pass wait for locks, and for writeback?
    pub(super) fn forces(self, k: &Kernel, pass: usize) -> bool {
        matches!(self, Round::Whole) && pass + 1 == k.sizes.passes
    }
}

/// A migration that waited for it to be over.
pub const WAITED_FOR_WRITEBACK: &str = "a migration waited for writeback of its source";
/// A large folio was split, for want of a target as large.
pub const SPLIT: &str = "a folio was split";
/// The same, before its lock is taken.
pub const TO_BE_SPLIT: &str = "a folio was to be split";

/// What comes before the source's lock.
pub(super) enum Prepared<'k> {
    /// Freed by everybody else: nothing is left to do.
    Freed,
    /// There is a target.
    Target(&'k Folio),
}

/// A new folio, with what `__migrate_folio_record()` keeps in it.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its index.
    pub index: usize,
    /// `PAGE_WAS_MAPPED`
    pub was_mapped: bool,
    /// `PAGE_WAS_MLOCKED`, where it is asked for: since 6.7.
    pub was_mlocked: bool,
}

/// What `migrate_folio_unmap()` came to, if it did not fail.
pub enum Unmapped {
    /// `MIGRATEPAGE_SUCCESS`: the source had been freed.
    Freed,
    /// `MIGRATEPAGE_UNMAP`: both folios are locked, the source is unmapped.
    Unmap(Target),
}

/// `migrate_folio_unmap()` since fb3592c41a44; since 6.3-rc3 every call of it is forced. A failure
/// undoes everything.
pub fn migrate_folio_unmap(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
) -> Result<Unmapped, Errno> {
    let _in = enter("migrate_folio_unmap");
    let dst = match migrate_folio_prepare(k, src)? {
        Prepared::Freed => return Ok(Unmapped::Freed),
        Prepared::Target(dst) => dst,
    };
    let locked = migrate_folio_lock(k, src, who, force);
    let unmapped = locked.and_then(|()| {
        let unmapped = wait_for_writeback(k, src, who, force)
            .and_then(|()| migrate_folio_unmap_ptes(k, src, dst));
        unmapped.inspect_err(|_| folio_unlock(k, src))
    });
    if unmapped.is_err() {
        folio_put(k, dst, MIGRATION_TARGET);
    }
    Ok(Unmapped::Unmap(unmapped?))
}

/// The first part: is the source freed already? Is there a target?
pub(super) fn migrate_folio_prepare<'k>(k: &'k Kernel, src: &Folio) -> Result<Prepared<'k>, Errno> {
    if atomic_read(&src.refcount) == 1 {
        // The isolation has the last reference.
        migrate_folio_done(k, src);
        reached("a folio was freed before it was migrated");
        return Ok(Prepared::Freed);
    }
    if is_large(k, src) {
        return Err(Errno::NoMemory);
    }
    Ok(Prepared::Target(alloc_migration_target(k, src)))
}

/// `folio_test_large()`, of a folio that the task has isolated.
fn is_large(k: &Kernel, folio: &Folio) -> bool {
    k.initial.without_target.contains(&folio.index) && plain_read(&folio.is_whole) != 0
}

/// The source's lock, where only the mode decides whether to wait for it. `may_wait` is false if
/// the version does not force it yet.
pub fn migrate_folio_lock(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    may_wait: bool,
) -> Result<(), Errno> {
    if folio_trylock(src) {
        return Ok(());
    }
    reached("a migration found its source locked");
    let rule = k.tree.migrate.src_lock();
    if !may_wait || who.mode == Mode::Async || rule == SrcLock::Never {
        return Err(Errno::Again);
    }
    (k.tree.migrate.may_sleep_on_locks())(who)?;
    if who.mode == Mode::SyncLight {
        match rule {
            SrcLock::WaitIfUptodate if !test_bit(PG_UPTODATE, &src.flags) => {
                return Err(Errno::Again);
            }
            // folio_test_uptodate()
            SrcLock::WaitIfUptodate => smp_rmb(),
            SrcLock::WaitWithTimeout => {
                return folio_lock_timeout(k, src).map_err(|_| {
                    reached("a wait for a folio lock timed out");
                    Errno::Again
                });
            }
            _ => {}
        }
    }
    folio_lock(k, src);
    reached("a migration waited for its source");
    Ok(())
}

/// PF_MEMALLOC: the folio may be one that this very task has locked for readahead.
pub fn may_sleep_on_locks(who: Migrator) -> Result<(), Errno> {
    if who.memalloc { Err(Errno::Again) } else { Ok(()) }
}

/// The source is locked: if it is under writeback, only MIGRATE_SYNC waits, and only if forced.
pub(crate) fn wait_for_writeback(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
) -> Result<(), Errno> {
    if !is_under_writeback(k, src) {
        return Ok(());
    }
    if who.mode != Mode::Sync || is_skipped(k, src) {
        return Err(Errno::Busy);
    }
    if !force {
        return Err(Errno::Again);
    }
    wait_until_written(k, src);
    Ok(())
}

/// `mapping_writeback_indeterminate()`, where a tree asks it.
fn is_skipped(k: &Kernel, src: &Folio) -> bool {
    k.tree.migrate.indeterminate() == Indeterminate::Skips
        && k.initial.indeterminate
        && plain_read(&src.mapping) != 0
}

/// `folio_wait_writeback()` of a source that was under writeback.
pub(super) fn wait_until_written(k: &Kernel, src: &Folio) {
    folio_wait_writeback(k, src);
    reached(WAITED_FOR_WRITEBACK);
}

/// `folio_test_writeback()`
pub(super) fn is_under_writeback(k: &Kernel, src: &Folio) -> bool {
    let is = k.modelled.writeback && test_bit(PG_WRITEBACK, &src.flags);
    if is {
        reached(FOUND_WRITEBACK);
    }
    is
}

/// The last part: locks the target and takes the source out of the page tables. Fails for an
/// orphan: a truncated folio that still has buffers.
pub(crate) fn migrate_folio_unmap_ptes(
    k: &Kernel,
    src: &Folio,
    dst: &Folio,
) -> Result<Target, Errno> {
    // C looks as soon as the folio is locked: a munlock during the wait for writeback, which this
    // would see, costs it a drain that nobody needs.
    let was_mlocked = k.modelled.mlock
        && k.tree.migrate.drain() == DrainAfterMove::IfMlocked
        && test_bit(PG_MLOCKED, &src.flags);
    // Nobody else knows the target: never waits.
    assert!(folio_trylock(dst), "a new folio is not locked");
    let is_orphan = k.initial.has_private()
        && plain_read(&src.mapping) == 0
        && test_bit(PG_PRIVATE, &src.flags);
    if is_orphan {
        try_to_free_buffers(k, src);
        folio_unlock(k, dst);
        return Err(Errno::Again);
    }
    let was_mapped = atomic_read(&src.mapcount) != 0;
    if was_mapped {
        try_to_migrate(k, src);
    }
    record(k, dst);
    Ok(Target { index: dst.index, was_mapped, was_mlocked })
}

/// `migrate_folio_undo_src()`
pub fn migrate_folio_undo_src(k: &Kernel, src: &Folio, was_mapped: bool) {
    if was_mapped {
        remove_migration_ptes(k, src, src);
    }
    folio_unlock(k, src);
}

/// `migrate_folio_undo_dst()` of a locked target.
pub(crate) fn undo_dst(k: &Kernel, dst: &Folio) {
    folio_unlock(k, dst);
    folio_put(k, dst, MIGRATION_TARGET);
}

/// `try_split_folio()`: none of the folios that the task holds is this one.
///
/// # Errors
/// `-EAGAIN`: it is locked, or somebody else has a reference.
pub fn try_split_folio(k: &Kernel, folio: &Folio, who: Migrator) -> Result<(), Errno> {
    let _in = enter("try_split_folio");
    reached(TO_BE_SPLIT);
    let tries = k.tree.migrate.split_lock() == SplitLock::TriesIfAsync && who.mode == Mode::Async;
    match tries {
        true if !folio_trylock(folio) => return Err(Errno::Again),
        true => {}
        false => folio_lock(k, folio),
    }
    let split = split_folio_to_list(k, folio);
    folio_unlock(k, folio);
    split
}

/// `split_folio_to_list()`: the folio becomes a small one; its other parts are left out. The count
/// is frozen meanwhile.
fn split_folio_to_list(k: &Kernel, folio: &Folio) -> Result<(), Errno> {
    let _in = enter("split_folio_to_list");
    if is_under_writeback(k, folio) {
        return Err(Errno::Busy);
    }
    let expected = folio_expected_ref_count(k, folio) + 1;
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    let is_frozen = atomic_cmpxchg(&folio.refcount, expected, 0) == expected;
    if is_frozen {
        plain_write(&folio.is_whole, 0);
        atomic_set_release(&folio.refcount, expected);
        reached(SPLIT);
    }
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    if is_frozen { Ok(()) } else { Err(Errno::Again) }
}
