//! `migrate_pages()` of next-20230217, 6.3-rc1 and -rc2: batches in every mode (5dfab109d519).
//!
//! What tells it from later versions: the last passes wait for a folio lock (`force`), unless
//! folios are locked already (`avoid_force_lock`): then the round ends with `-EDEADLOCK`, what is
//! locked is moved, and a new round begins. Nothing of the kind is asked before a wait for
//! writeback, nor in the second loop, before a wait for a buffer.
//!
//! Kept: both loops; what goes to which list; the rounds; that a large folio is split while others
//! are locked. Left out: as in `batch_m4.rs`.
//! Source: mm/migrate.c as 5dfab109d519 describes it; the mail of 2023-02-20 for the patches on
//! top.

use selvedge_kernel::{enter, reached};

use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::migrate::mapping::MIGRATION_TARGET;
use crate::mm::migrate::move_folio::{Batch, always, cleanup, move_folios};
use crate::mm::migrate::unmap::{
    Prepared, Round, Unmapped, begin_pass, is_under_writeback, migrate_folio_prepare,
    migrate_folio_unmap_ptes, try_split_folio, wait_until_written,
};
use crate::mm::migrate::{BatchedWriteback, Errno, Migrator, Mode};
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// A round of a batch ended with `-EDEADLOCK`.
pub const WOULD_DEADLOCK: &str = "a batch gave way: -EDEADLOCK";

pub(super) fn migrate_pages(k: &Kernel, mut folios: Vec<usize>, who: Migrator) -> Vec<usize> {
    let mut ret_folios = Vec::new();
    migrate_pages_batch(k, &mut folios, who, &mut ret_folios);
    ret_folios.append(&mut folios);
    ret_folios
}

/// `migrate_pages_batch()`
fn migrate_pages_batch(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    ret_folios: &mut Vec<usize>,
) {
    let _in = enter("migrate_pages_batch");
    let mut split_folios = Vec::new();
    let mut round = Round::Whole;
    loop {
        let mut batch = Batch::default();
        let mut lists = (&mut *ret_folios, &mut split_folios);
        let unmapped = unmap_folios(k, from, who, round, (&mut batch, &mut lists));
        if !batch.is_empty() {
            move_folios(k, &mut batch, round.passes(k), always(who), ret_folios);
            cleanup(k, batch, ret_folios);
        }
        match unmapped {
            // Everything is unlocked: the first folio of the next round may be waited for.
            Err(Errno::Deadlock) => reached(WOULD_DEADLOCK),
            Ok(()) if !split_folios.is_empty() => {
                ret_folios.append(from);
                from.append(&mut split_folios);
                round = Round::Parts;
            }
            _ => break,
        }
    }
    ret_folios.append(&mut split_folios);
}

/// The first loop. Ends early with `-EDEADLOCK` or `-ENOMEM`: what is unmapped by then is moved.
fn unmap_folios(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    round: Round,
    (batch, (ret_folios, split_folios)): (&mut Batch, &mut (&mut Vec<usize>, &mut Vec<usize>)),
) -> Result<(), Errno> {
    for pass in 0..round.passes(k) {
        begin_pass(pass);
        let force = round.forces(k, pass);
        for index in from.clone() {
            let src = &k.folios[index];
            let avoid_force_lock = !batch.is_empty();
            match migrate_folio_unmap(k, src, who, force, avoid_force_lock) {
                Err(Errno::Again) => continue,
                Err(Errno::Deadlock) => return Err(Errno::Deadlock),
                Err(Errno::NoMemory) => {
                    try_split_folio(k, src, who).map_err(|_| Errno::NoMemory)?;
                    split_folios.push(index);
                }
                Err(_) => ret_folios.push(index),
                Ok(Unmapped::Freed) => {}
                Ok(Unmapped::Unmap(dst)) => batch.push(src, dst),
            }
            from.retain(|&other| other != index);
        }
        if from.is_empty() {
            break;
        }
    }
    Ok(())
}

/// `migrate_folio_unmap()`: a failure undoes everything.
fn migrate_folio_unmap(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
    avoid_force_lock: bool,
) -> Result<Unmapped, Errno> {
    let _in = enter("migrate_folio_unmap");
    let dst = match migrate_folio_prepare(k, src)? {
        Prepared::Freed => return Ok(Unmapped::Freed),
        Prepared::Target(dst) => dst,
    };
    let lock_src = k.tree.migrate.lock_src_of_batch();
    let locked = lock_src(k, src, who, force, avoid_force_lock);
    let unmapped = locked.and_then(|()| {
        let unmapped = wait_for_writeback(k, src, who, force, avoid_force_lock)
            .and_then(|()| migrate_folio_unmap_ptes(k, src, dst));
        unmapped.inspect_err(|_| folio_unlock(k, src))
    });
    if unmapped.is_err() {
        folio_put(k, dst, MIGRATION_TARGET);
    }
    Ok(Unmapped::Unmap(unmapped?))
}

/// The source's lock.
pub fn lock_src_of_batch(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
    avoid_force_lock: bool,
) -> Result<(), Errno> {
    if folio_trylock(src) {
        return Ok(());
    }
    reached("a migration found its source locked");
    if !force || who.mode == Mode::Async {
        return Err(Errno::Again);
    }
    (k.tree.migrate.may_sleep_on_locks())(who)?;
    if avoid_force_lock {
        return Err(Errno::Deadlock);
    }
    folio_lock(k, src);
    reached("a migration waited for its source");
    Ok(())
}

/// The source's writeback.
fn wait_for_writeback(
    k: &Kernel,
    src: &Folio,
    who: Migrator,
    force: bool,
    avoid_force_lock: bool,
) -> Result<(), Errno> {
    if !is_under_writeback(k, src) {
        return Ok(());
    }
    if who.mode != Mode::Sync {
        return Err(Errno::Busy);
    }
    if !force {
        return Err(Errno::Again);
    }
    if avoid_force_lock && k.tree.migrate.writeback() == BatchedWriteback::Deadlock {
        return Err(Errno::Deadlock);
    }
    wait_until_written(k, src);
    Ok(())
}
