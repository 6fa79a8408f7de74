//! `migrate_pages()` up to 6.2, and of 6.1.y: one folio at a time.
//!
//! Kept: the order freed?, target, lock, writeback, unmap, move, restore, unlock, put; that a pass
//! which fails undoes everything, so that the next one looks at everything again; the split of a
//! large folio for which there is no target; what goes to which list.
//! Source: mm/migrate.c of 6.1: `unmap_and_move()`, `__unmap_and_move()` (in 6.1.192 cut in two,
//! `migrate_folio_unmap()` and `migrate_folio_move()`, the one called after the other).

use selvedge_kernel::enter;

use crate::mm::filemap::folio_unlock;
use crate::mm::migrate::mapping::MIGRATION_TARGET;
use crate::mm::migrate::move_folio::{drain_after_move, migrate_folio_done, move_to_new_folio};
use crate::mm::migrate::unmap::{
    Prepared, Round, begin_pass, migrate_folio_lock, migrate_folio_prepare,
    migrate_folio_unmap_ptes, try_split_folio, wait_for_writeback,
};
use crate::mm::migrate::{Errno, Migrator};
use crate::mm::rmap::remove_migration_ptes;
use crate::mm::swap::{folio_add_lru, folio_put};
use crate::{Folio, Kernel};

pub(super) fn migrate_pages(k: &Kernel, mut from: Vec<usize>, who: Migrator) -> Vec<usize> {
    let mut lists = Lists::default();
    let done = migrate_passes(k, &mut from, who, Round::Whole, &mut lists);
    let mut split_folios = std::mem::take(&mut lists.split);
    lists.ret.append(&mut from);
    if done.is_ok() && !split_folios.is_empty() {
        // Nothing is left to be done about a failure.
        let _ = migrate_passes(k, &mut split_folios, who, Round::Parts, &mut lists);
    }
    lists.ret.append(&mut split_folios);
    lists.ret
}

/// The lists of folios that are not tried again with the others.
#[derive(Default)]
struct Lists {
    /// `ret_folios`: failed.
    ret: Vec<usize>,
    /// `split_folios`: to be tried once more, in parts.
    split: Vec<usize>,
}

/// Ends early, with `-ENOMEM`, if there is no target and the folio cannot be split.
fn migrate_passes(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    round: Round,
    lists: &mut Lists,
) -> Result<(), Errno> {
    for pass in 0..round.passes(k) {
        begin_pass(pass);
        let force = round.forces(k, pass);
        for index in from.clone() {
            let src = &k.folios[index];
            match unmap_and_move(k, src, who, force) {
                Err(Errno::Again) => continue,
                Err(Errno::NoMemory) => {
                    try_split_folio(k, src, who).map_err(|_| Errno::NoMemory)?;
                    lists.split.push(index);
                }
                Err(_) => lists.ret.push(index),
                Ok(()) => {}
            }
            from.retain(|&other| other != index);
        }
        if from.is_empty() {
            break;
        }
    }
    Ok(())
}

/// `unmap_and_move()`
fn unmap_and_move(k: &Kernel, src: &Folio, who: Migrator, force: bool) -> Result<(), Errno> {
    let _in = enter("unmap_and_move");
    let dst = match migrate_folio_prepare(k, src)? {
        Prepared::Freed => return Ok(()),
        Prepared::Target(dst) => dst,
    };
    let moved = (k.tree.migrate.__unmap_and_move())(k, src, dst, who, force);
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
    let target = migrate_folio_unmap_ptes(k, src, dst).map_err(unlocks)?;
    let moved = move_to_new_folio(k, dst, src, who);
    let now = if moved.is_ok() { dst } else { src };
    if moved.is_ok() {
        folio_add_lru(k, dst);
        drain_after_move(k, target);
    }
    if target.was_mapped {
        remove_migration_ptes(k, src, now);
    }
    folio_unlock(k, dst);
    folio_unlock(k, src);
    moved
}
