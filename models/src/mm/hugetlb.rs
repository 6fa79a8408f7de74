//! Folios of hugetlbfs: how they migrate, and how a hole is punched in their file. What matters is
//! the order of the folio lock and `mapping->i_mmap_rwsem`.
//!
//! Kept: which of the two is tried and which is waited for; what is done under which.
//! Left out: anonymous folios, subpools (of which the mount has one) and reservations, the fault
//! mutex, shared page tables, `hugetlb_lock` and the lists under it; a hole is a part of one page,
//! or one whole page, which is mapped nowhere then.
//! Source: mm/migrate.c `migrate_hugetlbs()`, `unmap_and_move_huge_page()`, fs/hugetlbfs/inode.c
//! `hugetlbfs_punch_hole()`, `hugetlbfs_zero_partial_page()`, `remove_inode_hugepages()`,
//! `remove_inode_single_folio()`, mm/hugetlb.c `hugetlb_folio_mapping_lock_write()`, mm/rmap.c
//! `rmap_walk_file()`, of 6.1.192 and 6.12.117; b7880cb166ab for what they were before.

use selvedge_kernel::{
    Name, RwSem, atomic_read, down_read, down_write, down_write_trylock, enter, plain_read,
    plain_write, reached, up_read, up_write,
};

use crate::mm::filemap::{
    filemap_get_entry, filemap_remove_folio, folio_lock, folio_trylock, folio_unlock,
};
use crate::mm::migrate::{
    Errno, ISOLATION, MIGRATION_TARGET, Migrator, Mode, alloc_migration_target, migrate_folio,
};
use crate::mm::rmap::{remove_migration_ptes, try_to_migrate};
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// When the migration of a mapped folio of a file restores its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HugeRestore {
    /// Under the `i_mmap_rwsem` that it was unmapped under: up to 5.9, and since 6.19
    /// (b7880cb166ab).
    UnderMappingLock,
    /// The lock is let go after the unmap, and taken again for reading: since 5.10 (336bf30eb765).
    TakesMappingLock,
}

fn i_mmap_rwsem(k: &Kernel) -> &RwSem {
    k.i_mmap_rwsem.as_ref().expect("Machine::hugetlb")
}

/// `i_mmap_trylock_write()`
fn i_mmap_trylock_write(k: &Kernel) -> bool {
    down_write_trylock(i_mmap_rwsem(k))
}

/// `i_mmap_lock_write()`
fn i_mmap_lock_write(k: &Kernel) {
    let _in = enter("i_mmap_lock_write");
    down_write(&k.cpus, i_mmap_rwsem(k));
}

/// `i_mmap_unlock_write()`
fn i_mmap_unlock_write(k: &Kernel) {
    up_write(i_mmap_rwsem(k));
}

/// `i_mmap_lock_read()`
fn i_mmap_lock_read(k: &Kernel) {
    let _in = enter("i_mmap_lock_read");
    down_read(&k.cpus, i_mmap_rwsem(k));
}

/// `i_mmap_unlock_read()`
fn i_mmap_unlock_read(k: &Kernel) {
    up_read(i_mmap_rwsem(k));
}

/// A migration has let `i_mmap_rwsem` go, and wants it again: with both folios locked it may wait.
pub const WANTS_MAPPING: &str = "a migration wants i_mmap_rwsem to restore entries";
/// A hole was punched in a part of a page.
pub const ZEROED: &str = "a part of a page was zeroed";
/// A hole of a whole page has taken its folio out of the page cache.
pub const REMOVED: &str = "a hole took a folio out of the page cache";
/// A migration found `i_mmap_rwsem` taken as it wanted to unmap, and gave way.
pub const MAPPING_WAS_LOCKED: &str = "a migration found i_mmap_rwsem taken";

/// `migrate_hugetlbs()` of one folio that is isolated: whether it was migrated. Passes as
/// `migrate_pages()` has them.
pub fn migrate_hugetlbs(k: &Kernel, src: &Folio, who: Migrator) -> bool {
    let _in = enter("migrate_hugetlbs");
    (0..k.sizes.passes).any(|_| unmap_and_move_huge_page(k, src, who).is_ok())
}

/// `unmap_and_move_huge_page()`; `force` is not asked for (it is of the third pass on).
fn unmap_and_move_huge_page(k: &Kernel, src: &Folio, who: Migrator) -> Result<(), Errno> {
    let _in = enter("unmap_and_move_huge_page");
    if atomic_read(&src.refcount) == 1 {
        folio_put(k, src, ISOLATION);
        return Ok(());
    }
    let dst = alloc_migration_target(k, src);
    let moved = lock_and_move(k, dst, src, who);
    if moved.is_ok() {
        folio_put(k, src, ISOLATION);
    }
    folio_put(k, dst, MIGRATION_TARGET);
    moved
}

/// The source's lock, the target's, and what is done under both.
fn lock_and_move(k: &Kernel, dst: &Folio, src: &Folio, who: Migrator) -> Result<(), Errno> {
    if !folio_trylock(src) {
        if who.mode != Mode::Sync {
            return Err(Errno::Again);
        }
        folio_lock(k, src);
    }
    // Truncated: nobody would call the folio's own function.
    if plain_read(&src.mapping) == 0 {
        folio_unlock(k, src);
        return Err(Errno::Busy);
    }
    assert!(folio_trylock(dst), "a new folio is not locked");
    let moved = unmap_and_move(k, dst, src);
    folio_unlock(k, dst);
    folio_unlock(k, src);
    moved
}

fn unmap_and_move(k: &Kernel, dst: &Folio, src: &Folio) -> Result<(), Errno> {
    if atomic_read(&src.mapcount) == 0 {
        return migrate_folio(k, dst, src).inspect(|()| reached("a folio was migrated"));
    }
    // hugetlb_folio_mapping_lock_write(): page tables may be shared, and unmapping unshares them.
    // The folio lock is held, which comes after this one: tried, and not waited for.
    if !i_mmap_trylock_write(k) {
        reached(MAPPING_WAS_LOCKED);
        return Err(Errno::Again);
    }
    try_to_migrate(k, src);
    let restores_locked = k.tree.migrate.huge_restore() == HugeRestore::UnderMappingLock;
    if !restores_locked {
        i_mmap_unlock_write(k);
    }
    let moved = migrate_folio(k, dst, src);
    if moved.is_ok() {
        reached("a folio was migrated");
    }
    let now = if moved.is_ok() { dst } else { src };
    if restores_locked {
        remove_migration_ptes(k, src, now);
        i_mmap_unlock_write(k);
    } else {
        // rmap_walk_file()
        reached(WANTS_MAPPING);
        i_mmap_lock_read(k);
        remove_migration_ptes(k, src, now);
        i_mmap_unlock_read(k);
    }
    moved
}

/// What a hole is punched in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hole {
    /// A part of this page.
    Part(usize),
    /// The whole of this page, which is mapped nowhere: there is nothing to be unmapped.
    Whole(usize),
}

/// `hugetlbfs_punch_hole()`: whether its lookup found a folio. (It gives up here where it tries
/// again in C.)
pub fn hugetlbfs_punch_hole(k: &Kernel, hole: Hole) -> bool {
    let _in = enter("hugetlbfs_punch_hole");
    i_mmap_lock_write(k);
    let found = match hole {
        Hole::Part(page) => hugetlbfs_zero_partial_page(k, page),
        Hole::Whole(_) => false,
    };
    i_mmap_unlock_write(k);
    match hole {
        Hole::Part(_) => found,
        Hole::Whole(page) => remove_inode_hugepages(k, page),
    }
}

/// Who has a reference of a folio that a hole is punched in.
const HOLE: Name = Name::new("hole");

/// `hugetlbfs_zero_partial_page()`
fn hugetlbfs_zero_partial_page(k: &Kernel, page: usize) -> bool {
    let _in = enter("hugetlbfs_zero_partial_page");
    // filemap_lock_hugetlb_folio()
    let Some(folio) = filemap_get_entry(k, page, HOLE) else { return false };
    folio_lock(k, folio);
    if plain_read(&folio.mapping) != 0 {
        plain_write(&folio.contents, 0);
        reached(ZEROED);
    }
    folio_unlock(k, folio);
    folio_put(k, folio, HOLE);
    true
}

/// `remove_inode_hugepages()` of one page.
fn remove_inode_hugepages(k: &Kernel, page: usize) -> bool {
    let _in = enter("remove_inode_hugepages");
    // filemap_get_folios()
    let Some(folio) = filemap_get_entry(k, page, HOLE) else { return false };
    remove_inode_single_folio(k, folio);
    // folio_batch_release()
    folio_put(k, folio, HOLE);
    true
}

/// `remove_inode_single_folio()`. It does not ask whether the folio is still the page's: as long as
/// the batch has a reference no migration replaces it, and other holes wait for the inode.
fn remove_inode_single_folio(k: &Kernel, folio: &Folio) {
    let _in = enter("remove_inode_single_folio");
    folio_lock(k, folio);
    filemap_remove_folio(k, folio);
    reached(REMOVED);
    folio_unlock(k, folio);
}
