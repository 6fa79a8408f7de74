//! `migrate_folio_move()`, and the second loop of `migrate_pages_batch()`, which calls it.
//!
//! Kept: the two lists, walked side by side; that a move which says `-EAGAIN` leaves both folios
//! locked and the source unmapped, for the next pass; that only the clean-up undoes what is left.
//! Left out: deferred splits.
//! Source: mm/migrate.c of 6.12.117; the same since 6.3-rc1 but for the drain.

use selvedge_kernel::{enter, plain_read, reached};

use crate::mm::filemap::folio_unlock;
use crate::mm::migrate::buffers::{buffer_migrate_folio, buffer_migrate_folio_norefs};
use crate::mm::migrate::fallback::fallback_migrate_folio;
use crate::mm::migrate::mapping::{MIGRATION_TARGET, extract, migrate_folio, record};
use crate::mm::migrate::unmap::{Target, undo_dst};
use crate::mm::migrate::{Aops, DrainAfterMove, Errno, ISOLATION, Migrator, Mode};
use crate::mm::rmap::remove_migration_ptes;
use crate::mm::swap::{folio_add_lru, folio_put, lru_add_drain};
use crate::{Folio, Kernel};

/// A move that failed and is tried again, both folios locked.
pub const MOVED_AGAIN: &str = "a move was tried again without letting the folio go";

/// What `migrate_pages_batch()` has unmapped and holds locked: `unmap_folios`, `dst_folios`.
#[derive(Debug, Default)]
pub struct Batch {
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
    pub(crate) fn push(&mut self, src: &Folio, dst: Target) {
        self.unmap_folios.push(src.index);
        self.dst_folios.push(dst);
    }

    /// The pair at this place: the target leaves its list, the source stays.
    pub(crate) fn take_target(&mut self, at: usize) -> (usize, Target) {
        (self.unmap_folios[at], self.dst_folios.remove(at))
    }

    /// To be tried again: the target goes back to this place.
    pub(crate) fn put_target_back(&mut self, at: usize, target: Target) {
        self.dst_folios.insert(at, target);
    }

    /// The same, to the end of its list.
    pub(crate) fn put_target_last(&mut self, target: Target) {
        self.dst_folios.push(target);
    }

    /// The source at this place leaves its list, too.
    pub(crate) fn remove_source(&mut self, at: usize) {
        self.unmap_folios.remove(at);
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
    (k.tree.migrate.try_to_unmap_flush())(k);
    for pass in 0..passes {
        if pass > 0 {
            reached(MOVED_AGAIN);
        }
        let mut retry = false;
        let mut at = 0;
        for index in batch.unmap_folios.clone() {
            let moved = (k.tree.migrate.migrate_folio_move())(k, batch, at, who(batch.len()));
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
    }
}

/// "Cleanup remaining folios": what could not be moved goes back to where it was.
pub(super) fn cleanup(k: &Kernel, batch: Batch, ret_folios: &mut Vec<usize>) {
    for (index, dst) in batch.unmap_folios.into_iter().zip(batch.dst_folios) {
        let target = &k.folios[dst.index];
        extract(k, target);
        (k.tree.migrate.migrate_folio_undo_src())(k, &k.folios[index], dst.was_mapped);
        ret_folios.push(index);
        undo_dst(k, target);
    }
}

/// `migrate_folio_move()`: see [`migrate_folio_move`].
pub type FolioMove = fn(&Kernel, &mut Batch, usize, Migrator) -> Result<(), Errno>;

/// `migrate_folio_move()` of the pair at this place of the lists, which leaves them unless it is to
/// be tried again.
pub fn migrate_folio_move(
    k: &Kernel,
    batch: &mut Batch,
    at: usize,
    who: Migrator,
) -> Result<(), Errno> {
    let _in = enter("migrate_folio_move");
    let (src, target) = batch.take_target(at);
    let (src, dst) = (&k.folios[src], &k.folios[target.index]);
    extract(k, dst);
    let moved = move_to_new_folio(k, dst, src, who);
    if moved == Err(Errno::Again) {
        batch.put_target_back(at, target);
        record(k, dst);
        return moved;
    }
    batch.remove_source(at);
    if moved.is_err() {
        (k.tree.migrate.migrate_folio_undo_src())(k, src, target.was_mapped);
        undo_dst(k, dst);
        return moved;
    }
    folio_add_lru(k, dst);
    drain_after_move(k, target);
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
pub(crate) fn drain_after_move(k: &Kernel, target: Target) {
    let drains = match k.tree.migrate.drain() {
        DrainAfterMove::IfMapped => target.was_mapped,
        DrainAfterMove::IfMlocked => target.was_mlocked,
    };
    if drains {
        lru_add_drain(k);
    }
}

/// `migrate_folio_done()`: the isolation's reference of the source, which is the last one as a
/// rule.
pub fn migrate_folio_done(k: &Kernel, src: &Folio) {
    folio_put(k, src, ISOLATION);
}

/// `move_to_new_folio()`: as the folio's filesystem says.
pub fn move_to_new_folio(k: &Kernel, dst: &Folio, src: &Folio, who: Migrator) -> Result<(), Errno> {
    let moved = match src.aops {
        Aops::Plain => migrate_folio(k, dst, src),
        // Truncated: nobody has an a_ops for it.
        _ if plain_read(&src.mapping) == 0 => migrate_folio(k, dst, src),
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
