//! `migrate_folio_move()`, and the second loop of `migrate_pages_batch()`, which calls it.
//!
//! Kept: the two lists, walked side by side; that a move which says `-EAGAIN` leaves both folios
//! locked and the source unmapped, for the next pass; that only the clean-up undoes what is left.
//! Left out: deferred splits.
//! Source: mm/migrate.c of 6.12.117; the same since 6.3-rc1 but for the drain.

use selvedge_kernel::{enter, reached, test_bit};

use crate::kernel::PG_MLOCKED;
use crate::mm::filemap::folio_unlock;
use crate::mm::migrate::buffers::{buffer_migrate_folio, buffer_migrate_folio_norefs};
use crate::mm::migrate::fallback::fallback_migrate_folio;
use crate::mm::migrate::mapping::{MIGRATION_TARGET, extract, migrate_folio, record};
use crate::mm::migrate::unmap::{Target, undo_dst, undo_src};
use crate::mm::migrate::{Aops, DrainAfterMove, Errno, ISOLATION, Migrator, Mode};
use crate::mm::rmap::remove_migration_ptes;
use crate::mm::swap::{folio_add_lru, folio_put, lru_add_drain};
use crate::{Folio, Kernel};

/// A move that failed and is tried again, both folios locked.
pub const MOVED_AGAIN: &str = "a move was tried again without letting the folio go";

/// What `migrate_pages_batch()` has unmapped and holds locked: `unmap_folios`, `dst_folios`.
#[derive(Debug, Default)]
pub(super) struct Batch {
    unmap_folios: Vec<usize>,
    dst_folios: Vec<Target>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.unmap_folios.is_empty()
    }

    /// How many folios it has.
    pub(super) fn len(&self) -> usize {
        self.unmap_folios.len()
    }

    /// `MIGRATEPAGE_UNMAP`: to the end of both lists.
    pub(super) fn push(&mut self, src: &Folio, dst: Target) {
        self.unmap_folios.push(src.index);
        self.dst_folios.push(dst);
    }
}

/// The second loop: moves what is unmapped, in `passes` passes; failures other than `-EAGAIN` go to
/// `ret_folios`. `mode_of` is asked before each move, with the number of folios that are left.
pub(super) fn move_folios(
    k: &Kernel,
    batch: &mut Batch,
    passes: usize,
    who: impl Fn(usize) -> Migrator,
    ret_folios: &mut Vec<usize>,
) {
    (k.tree.migrate.try_to_unmap_flush)(k);
    for _ in 0..passes {
        let mut retry = false;
        let mut at = 0;
        for index in batch.unmap_folios.clone() {
            let moved = migrate_folio_move(k, batch, at, who(batch.len()));
            match moved {
                Err(Errno::Again) => {
                    retry = true;
                    at += 1;
                }
                Err(_) => ret_folios.push(index),
                Ok(()) => {}
            }
        }
        if !retry {
            break;
        }
        reached(MOVED_AGAIN);
    }
}

/// "Cleanup remaining folios": what could not be moved goes back to where it was.
pub(super) fn cleanup(k: &Kernel, batch: Batch, ret_folios: &mut Vec<usize>) {
    for (index, dst) in batch.unmap_folios.into_iter().zip(batch.dst_folios) {
        let target = &k.folios[dst.index];
        extract(k, target);
        undo_src(k, &k.folios[index], dst.was_mapped);
        ret_folios.push(index);
        undo_dst(k, target);
    }
}

/// `migrate_folio_move()` of the pair at this place of the lists, which leaves them unless it is to
/// be tried again.
fn migrate_folio_move(
    k: &Kernel,
    batch: &mut Batch,
    at: usize,
    who: Migrator,
) -> Result<(), Errno> {
    let _in = enter("migrate_folio_move");
    let target = batch.dst_folios.remove(at);
    let (src, dst) = (&k.folios[batch.unmap_folios[at]], &k.folios[target.index]);
    extract(k, dst);
    let moved = move_to_new_folio(k, dst, src, who);
    if moved == Err(Errno::Again) {
        batch.dst_folios.insert(at, target);
        record(k, dst);
        return moved;
    }
    batch.unmap_folios.remove(at);
    if moved.is_err() {
        undo_src(k, src, target.was_mapped);
        undo_dst(k, dst);
        return moved;
    }
    folio_add_lru(k, dst);
    drain_after_move(k, src, target.was_mapped);
    if target.was_mapped {
        remove_migration_ptes(k, src, dst);
    }
    folio_unlock(k, dst);
    folio_put(k, dst, MIGRATION_TARGET);
    folio_unlock(k, src);
    migrate_folio_done(k, src);
    Ok(())
}

/// The new folio is in the `lru_add` batch of this CPU; an mlock is counted only for a folio that
/// is on a list.
pub(crate) fn drain_after_move(k: &Kernel, src: &Folio, was_mapped: bool) {
    let drains = match k.tree.migrate.drain {
        DrainAfterMove::IfMapped => was_mapped,
        DrainAfterMove::IfMlocked => k.modelled.mlock && test_bit(PG_MLOCKED, &src.flags),
    };
    if drains {
        lru_add_drain(k);
    }
}

/// `migrate_folio_done()`: the isolation's reference of the source, which is the last one as a
/// rule.
pub(super) fn migrate_folio_done(k: &Kernel, src: &Folio) {
    folio_put(k, src, ISOLATION);
}

/// `move_to_new_folio()`: as the folio's filesystem says.
pub(crate) fn move_to_new_folio(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
) -> Result<(), Errno> {
    let moved = match src.aops {
        Aops::Plain => migrate_folio(k, dst, src),
        Aops::Buffers => buffer_migrate_folio(k, dst, src, who),
        Aops::BuffersNorefs => buffer_migrate_folio_norefs(k, dst, src, who),
        Aops::WritepageAsync | Aops::WritepageSync => fallback_migrate_folio(k, dst, src, who),
    };
    if moved.is_ok() {
        reached("a folio was migrated");
    }
    moved
}

/// For [`move_folios`]: the same mode, however many folios are left.
pub(super) fn always(who: Migrator) -> impl Fn(usize) -> Migrator {
    move |_| who
}

/// For [`move_folios`]: `mode` while the pair is the only one, MIGRATE_ASYNC while there are
/// others.
pub(super) fn adjusted(who: Migrator) -> impl Fn(usize) -> Migrator {
    move |left| if left > 1 { who.in_mode(Mode::Async) } else { who }
}
