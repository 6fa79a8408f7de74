//! Hugh Dickins' proposal in the mail of 2023-02-20, never written: batches in every mode, without
//! `force`, `avoid_force_lock` and `-EDEADLOCK`; as soon as the first folio of a batch is locked,
//! MIGRATE_ASYNC is passed down to all callees, and the original mode again for the next batch.
//!
//! How we read it: whatever blocks is asked with MIGRATE_ASYNC while the task has another pair of
//! folios locked. So the first folio that a batch locks may be waited for, and so may the buffers
//! of the last pair that is left; nothing else. (Who reads it as "the first folio is moved in the
//! original mode whatever else is locked by then" has the deadlock again.) A failure is final, as
//! in the batches that the proposal is about: it starts no second batch for what the adjusted mode
//! refused.
//!
//! Left out: as in `batch_m4.rs`.
//! Source: the mail of 2023-02-20, on mm/migrate.c as 5dfab109d519 describes it.

use selvedge_kernel::enter;

use crate::Kernel;
use crate::mm::migrate::move_folio::{Batch, adjusted, cleanup, move_folios};
use crate::mm::migrate::unmap::{Unmapped, begin_pass, migrate_folio_unmap, try_split_folio};
use crate::mm::migrate::{Errno, Migrator, Mode};

pub(super) fn migrate_pages(k: &Kernel, mut from: Vec<usize>, who: Migrator) -> Vec<usize> {
    let (mut ret_folios, mut split_folios) = (Vec::new(), Vec::new());
    let done = migrate_pages_batch(k, &mut from, who, &mut ret_folios, &mut split_folios);
    ret_folios.append(&mut from);
    if done.is_ok() && !split_folios.is_empty() {
        let mut again = std::mem::take(&mut split_folios);
        // The parts are a batch of their own.
        let _ = migrate_pages_batch(k, &mut again, who, &mut ret_folios, &mut split_folios);
        ret_folios.append(&mut again);
    }
    ret_folios.append(&mut split_folios);
    ret_folios
}

/// `migrate_pages_batch()`
fn migrate_pages_batch(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    ret_folios: &mut Vec<usize>,
    split_folios: &mut Vec<usize>,
) -> Result<(), Errno> {
    let _in = enter("migrate_pages_batch");
    let mut batch = Batch::default();
    let unmapped = unmap_folios(k, from, who, &mut batch, (ret_folios, split_folios));
    if !batch.is_empty() {
        move_folios(k, &mut batch, k.sizes.passes, adjusted(who), ret_folios);
        cleanup(k, batch, ret_folios);
    }
    unmapped
}

/// The first loop: the mode is that of the caller until a folio is locked.
fn unmap_folios(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    batch: &mut Batch,
    (ret_folios, split_folios): (&mut Vec<usize>, &mut Vec<usize>),
) -> Result<(), Errno> {
    for pass in 0..k.sizes.passes {
        begin_pass(pass);
        for index in from.clone() {
            let src = &k.folios[index];
            let who = if batch.is_empty() { who } else { who.in_mode(Mode::Async) };
            match migrate_folio_unmap(k, src, who, true) {
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
