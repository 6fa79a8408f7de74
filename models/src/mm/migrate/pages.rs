//! `migrate_pages()`, one folio at a time: as up to 6.2, and since 6.3-rc3 for every mode but
//! MIGRATE_ASYNC.
//!
//! Kept: the order freed?, target, lock, unmap, move, restore, unlock, put; what waits for a lock in
//! which mode; that a failed pass undoes everything; no drain of the LRU batches between passes.
//! Scaled: the passes (10 up to 6.2; 3 asynchronous and 7 others since 6.3) are
//! [`crate::Sizes::passes`], and a source is waited for from the last pass on where C waits from the
//! fourth. With the other side at rest, one pass more shows nothing new.
//! Left out: batches of more than one folio, writeback, splitting, private data other than buffers.
//! Source: mm/migrate.c of 6.1 (`unmap_and_move()` in effect) and 6.12.117.

use selvedge_kernel::{Name, atomic_read, enter, reached, test_bit};

use crate::kernel::PG_UPTODATE;
use crate::mm::filemap::{folio_lock, folio_lock_timeout, folio_trylock, folio_unlock};
use crate::mm::migrate::buffers::move_to_new_folio;
use crate::mm::migrate::mapping::{MIGRATION_TARGET, alloc_migration_target, record};
use crate::mm::migrate::{Errno, MigrateFault, Mode, SrcLock};
use crate::mm::rmap::{remove_migration_ptes, try_to_migrate};
use crate::mm::swap::{folio_add_lru, folio_put};
use crate::mm::vmscan::folio_putback_lru;
use crate::{Folio, Kernel};

/// Who holds the reference that isolation took.
pub const ISOLATION: Name = Name::new("isolation");

/// Who migrates, and what it may do.
#[derive(Clone, Copy, Debug)]
pub struct Migrator {
    /// What it may wait for.
    pub mode: Mode,
    /// `current->flags & PF_MEMALLOC`: it allocates memory, and is in direct compaction.
    pub memalloc: bool,
    /// Its number among the sleepers, for a folio lock that it waits for.
    pub me: usize,
}

impl Migrator {
    /// MIGRATE_SYNC, by a task that allocates nothing.
    pub const SYNC: Migrator = Migrator { mode: Mode::Sync, memalloc: false, me: 0 };
}

/// `migrate_pages()`: returns the isolated folios that it could not migrate, whose references the
/// caller still has.
pub fn migrate_pages(k: &Kernel, from: &[usize], who: Migrator) -> Vec<usize> {
    let _in = enter("migrate_pages");
    let mut left = from.to_vec();
    let asynchronous = Migrator { mode: Mode::Async, ..who };
    let first_passes_never_wait = k.tree.migrate.src_lock != SrcLock::WaitIfForced;
    for pass in 0..k.sizes.passes {
        let is_last = pass + 1 == k.sizes.passes;
        let who = if first_passes_never_wait && !is_last { asynchronous } else { who };
        left.retain(|&src| migrate_one(k, &k.folios[src], who, is_last) == Err(Errno::Again));
        if left.is_empty() {
            return left;
        }
        reached("a migration was tried again");
    }
    left
}

/// `unmap_and_move()`; `migrate_folio_unmap()` and `migrate_folio_move()` since 6.3.
fn migrate_one(k: &Kernel, src: &Folio, who: Migrator, force: bool) -> Result<(), Errno> {
    let _in = enter("unmap_and_move");
    if atomic_read(&src.refcount) == 1 {
        // Freed by everybody else: the isolation has the last reference.
        folio_put(k, src, ISOLATION);
        reached("a folio was freed before it was migrated");
        return Ok(());
    }
    let dst = alloc_migration_target(k, src);
    let moved = lock_src(k, src, who, force).and_then(|()| {
        // Nobody else knows the target: never waits.
        assert!(folio_trylock(k, dst), "a new folio is not locked");
        if atomic_read(&src.mapcount) != 0 {
            try_to_migrate(k, src);
        }
        record(k, dst);
        let moved = move_to_new_folio(k, dst, src, who);
        let now = if moved.is_ok() { dst } else { src };
        if moved.is_ok() {
            folio_add_lru(k, dst);
        }
        let late = k.tree.migrate.fault == MigrateFault::RestoreAfterUnlock;
        if !late {
            remove_migration_ptes(k, src, now);
        }
        folio_unlock(k, dst);
        folio_unlock(k, src);
        if late {
            remove_migration_ptes(k, src, now);
        }
        moved
    });
    folio_put(k, dst, MIGRATION_TARGET);
    if moved.is_ok() {
        folio_put(k, src, ISOLATION);
        reached("a folio was migrated");
    }
    moved
}

/// The first part of `migrate_folio_unmap()`: the source's lock, by mode and tree.
fn lock_src(k: &Kernel, src: &Folio, who: Migrator, force: bool) -> Result<(), Errno> {
    if folio_trylock(k, src) {
        return Ok(());
    }
    reached("a migration found its source locked");
    let rule = k.tree.migrate.src_lock;
    let forced = rule != SrcLock::WaitIfForced || force;
    if !forced || who.mode == Mode::Async || rule == SrcLock::Never {
        return Err(Errno::Again);
    }
    // The folio may be one that this very task has locked for readahead.
    if who.memalloc && !k.tree.migrate.memalloc_waits {
        return Err(Errno::Again);
    }
    if who.mode == Mode::SyncLight {
        match rule {
            SrcLock::WaitIfUptodate if !test_bit(PG_UPTODATE, &src.flags) => {
                return Err(Errno::Again);
            }
            SrcLock::WaitWithTimeout => {
                return folio_lock_timeout(k, src, who.me).map_err(|_| {
                    reached("a wait for a folio lock timed out");
                    Errno::Again
                });
            }
            _ => {}
        }
    }
    folio_lock(k, src, who.me);
    reached("a migration waited for its source");
    Ok(())
}

/// `putback_movable_pages()`
pub fn putback_movable_pages(k: &Kernel, folios: &[usize]) {
    let _in = enter("putback_movable_pages");
    for &index in folios {
        folio_putback_lru(k, &k.folios[index], ISOLATION);
    }
}
