//! `migrate_pages()` with the first of the three patches that mended the batches, fb3592c41a44: a
//! batch has one folio unless the mode is MIGRATE_ASYNC. `avoid_force_lock` and `-EDEADLOCK` are
//! gone.
//!
//! Kept: both loops; what goes to which list; parts of split folios, which may be many, are tried
//! in MIGRATE_ASYNC. Left out: as in `batch_m4.rs`.
//! Source: mm/migrate.c as fb3592c41a44 describes it.

use selvedge_kernel::enter;

use crate::Kernel;
use crate::mm::migrate::move_folio::{Batch, always, cleanup, move_folios};
use crate::mm::migrate::unmap::{
    Round, Unmapped, begin_pass, migrate_folio_unmap, try_split_folio,
};
use crate::mm::migrate::{Errno, Migrator, Mode};

pub(super) fn migrate_pages(k: &Kernel, mut from: Vec<usize>, who: Migrator) -> Vec<usize> {
    let mut ret_folios = Vec::new();
    while !from.is_empty() {
        let batch = if who.mode == Mode::Async { from.len() } else { 1 };
        let mut folios: Vec<usize> = from.drain(..batch).collect();
        let done = migrate_pages_batch(k, &mut folios, who, &mut ret_folios);
        ret_folios.append(&mut folios);
        if done.is_err() {
            break;
        }
    }
    ret_folios.append(&mut from);
    ret_folios
}

/// `migrate_pages_batch()`
fn migrate_pages_batch(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    ret_folios: &mut Vec<usize>,
) -> Result<(), Errno> {
    let _in = enter("migrate_pages_batch");
    let mut split_folios = Vec::new();
    let (mut who, mut round) = (who, Round::Whole);
    loop {
        let mut batch = Batch::default();
        let mut lists = (&mut *ret_folios, &mut split_folios);
        let unmapped = unmap_folios(k, from, who, round, (&mut batch, &mut lists));
        if !batch.is_empty() {
            move_folios(k, &mut batch, round.passes(k), always(who), ret_folios);
            cleanup(k, batch, ret_folios);
        }
        if unmapped.is_err() || split_folios.is_empty() {
            ret_folios.append(&mut split_folios);
            return unmapped;
        }
        ret_folios.append(from);
        from.append(&mut split_folios);
        who = who.in_mode(Mode::Async);
        round = Round::Parts;
    }
}

/// The first loop. Ends early with `-ENOMEM`: what is unmapped by then is moved.
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
            match migrate_folio_unmap(k, src, who, force) {
                Err(Errno::Again) => continue,
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
