//! `migrate_pages()` up to 6.2, and of 6.1.y: one folio at a time.
//!
//! Kept: the order freed?, target, lock, writeback, unmap, move, restore, unlock, put; that a pass
//! which fails undoes everything, so that the next one looks at everything again; the split of a
//! large folio for which there is no target; what goes to which list.
//! Source: mm/migrate.c of 6.1: `unmap_and_move()`, `__unmap_and_move()` (in 6.1.192 cut in two,
//! `migrate_folio_unmap()` and `migrate_folio_move()`, the one called after the other).

use selvedge_kernel::{enter, reached};

use crate::mm::filemap::folio_unlock;
use crate::mm::migrate::mapping::MIGRATION_TARGET;
use crate::mm::migrate::move_folio::{drain_after_move, migrate_folio_done, move_to_new_folio};
use crate::mm::migrate::unmap::{
    Prepared, Target, migrate_folio_lock, migrate_folio_prepare, migrate_folio_unmap_ptes,
    try_split_folio, wait_for_writeback,
};
use crate::mm::migrate::{Errno, Migrator};
use crate::mm::rmap::remove_migration_ptes;
use crate::mm::swap::{folio_add_lru, folio_put};
use crate::{Folio, Kernel};

pub(super) fn migrate_pages(k: &Kernel, mut from: Vec<usize>, who: Migrator) -> Vec<usize> {
    let (mut ret_folios, mut split_folios) = (Vec::new(), Vec::new());
    migrate_passes(k, &mut from, who, &mut split_folios, &mut ret_folios);
    if !split_folios.is_empty() {
        // What was not moved by now is a failure; the parts of split folios get passes of their
        // own.
        ret_folios.append(&mut from);
        from = split_folios;
        migrate_passes(k, &mut from, who, &mut Vec::new(), &mut ret_folios);
    }
    from.append(&mut ret_folios);
    from
}

fn migrate_passes(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    split_folios: &mut Vec<usize>,
    ret_folios: &mut Vec<usize>,
) {
    for pass in 0..k.sizes.passes {
        let force = pass + 1 == k.sizes.passes;
        for index in from.clone() {
            let src = &k.folios[index];
            match unmap_and_move(k, src, who, force) {
                Err(Errno::Again) => continue,
                Err(Errno::NoMemory) => {
                    if try_split_folio(k, src, who).is_err() {
                        return;
                    }
                    split_folios.push(index);
                }
                Err(_) => ret_folios.push(index),
                Ok(()) => {}
            }
            from.retain(|&other| other != index);
        }
        if from.is_empty() {
            return;
        }
        reached("a migration was tried again");
    }
}

/// `unmap_and_move()`
fn unmap_and_move(k: &Kernel, src: &Folio, who: Migrator, force: bool) -> Result<(), Errno> {
    let _in = enter("unmap_and_move");
    let dst = match migrate_folio_prepare(k, src)? {
        Prepared::Freed => return Ok(()),
        Prepared::Target(dst) => dst,
    };
    let moved = (k.tree.migrate.__unmap_and_move)(k, src, dst, who, force);
    folio_put(k, dst, MIGRATION_TARGET);
    if moved.is_ok() {
        migrate_folio_done(k, src);
    }
    moved
}

/// `__unmap_and_move()`: both folios are unlocked again when it returns.
pub fn __unmap_and_move(
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
    let Target { was_mapped, .. } = migrate_folio_unmap_ptes(k, src, dst).map_err(unlocks)?;
    let moved = move_to_new_folio(k, dst, src, who);
    let now = if moved.is_ok() { dst } else { src };
    if moved.is_ok() {
        folio_add_lru(k, dst);
        drain_after_move(k, src, was_mapped);
    }
    if was_mapped {
        remove_migration_ptes(k, src, now);
    }
    folio_unlock(k, dst);
    folio_unlock(k, src);
    moved
}
