//! `migrate_pages()` since 6.3-rc3: a batch in MIGRATE_ASYNC first, then what is left one by one in
//! the mode that was asked for (2ef7dbb26990).
//!
//! Kept: both loops of `migrate_pages_batch()`; what goes to which list; the split of a large folio
//! for which there is no target, and the one asynchronous pass for its parts.
//! Left out: NUMA balancing's `nosplit`, the retry of a split for a long-term pin; the two splits
//! that come before `migrate_folio_unmap()`, of a folio that is partially mapped, and of a large
//! one where large ones cannot migrate.
//! Source: mm/migrate.c of 6.12.117: `migrate_pages()`, `migrate_pages_sync()`,
//! `migrate_pages_batch()`, `migrate_folio_unmap()`.

use selvedge_kernel::{enter, reached};

use crate::Kernel;
use crate::mm::migrate::move_folio::{Batch, always, cleanup, move_folios};
use crate::mm::migrate::unmap::{
    TRIED_AGAIN, Unmapped, begin_pass, migrate_folio_unmap, try_split_folio,
};
use crate::mm::migrate::{Errno, Migrator, Mode};

/// The lists of folios that a call of `migrate_pages()` does not go on with.
#[derive(Default, Debug)]
pub struct Lists {
    /// `ret_folios`: failed.
    pub(crate) ret: Vec<usize>,
    /// `split_folios`: to be tried once more, in parts.
    pub(crate) split: Vec<usize>,
}

/// `migrate_pages_sync()`
pub type PagesSync = fn(&Kernel, &mut Vec<usize>, Migrator, &mut Lists) -> Result<(), Errno>;
/// The first loop of `migrate_pages_batch()`.
pub type UnmapFolios =
    fn(&Kernel, &mut Vec<usize>, Migrator, usize, (&mut Batch, &mut Lists)) -> Result<(), Errno>;

pub(super) fn migrate_pages(k: &Kernel, mut folios: Vec<usize>, who: Migrator) -> Vec<usize> {
    let mut lists = Lists::default();
    let done = match who.mode {
        Mode::Async => migrate_pages_batch(k, &mut folios, who, k.sizes.passes, &mut lists),
        Mode::SyncLight | Mode::Sync => {
            (k.tree.migrate.migrate_pages_sync())(k, &mut folios, who, &mut lists)
        }
    };
    lists.ret.append(&mut folios);
    let mut split_folios = std::mem::take(&mut lists.split);
    if done.is_ok() && !split_folios.is_empty() {
        let asynchronous = who.in_mode(Mode::Async);
        // Nothing is left to be done about a failure.
        let _ = migrate_pages_batch(k, &mut split_folios, asynchronous, 1, &mut lists);
    }
    lists.ret.append(&mut split_folios);
    lists.ret
}

/// `migrate_pages_sync()`
pub fn migrate_pages_sync(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    lists: &mut Lists,
) -> Result<(), Errno> {
    let _in = enter("migrate_pages_sync");
    let asynchronous = k.sizes.passes / 2;
    let mut first = Lists::default();
    let done = migrate_pages_batch(k, from, who.in_mode(Mode::Async), asynchronous, &mut first);
    lists.split.append(&mut first.split);
    if done.is_err() {
        lists.ret.append(&mut first.ret);
        return done;
    }
    from.append(&mut first.ret);
    if !from.is_empty() {
        reached(TRIED_AGAIN);
    }
    while !from.is_empty() {
        let mut folios = vec![from.remove(0)];
        let passes = k.sizes.passes - asynchronous;
        let done = migrate_pages_batch(k, &mut folios, who, passes, lists);
        lists.ret.append(&mut folios);
        done?;
    }
    Ok(())
}

/// `migrate_pages_batch()`: more than one folio only in MIGRATE_ASYNC.
pub fn migrate_pages_batch(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    passes: usize,
    lists: &mut Lists,
) -> Result<(), Errno> {
    let _in = enter("migrate_pages_batch");
    let mut batch = Batch::default();
    let unmapped = (k.tree.migrate.unmap_folios())(k, from, who, passes, (&mut batch, lists));
    if !batch.is_empty() {
        move_folios(k, &mut batch, passes, always(who), &mut lists.ret);
        cleanup(k, batch, &mut lists.ret);
    }
    unmapped
}

/// The first loop.
pub(crate) fn unmap_folios(
    k: &Kernel,
    from: &mut Vec<usize>,
    who: Migrator,
    passes: usize,
    (batch, lists): (&mut Batch, &mut Lists),
) -> Result<(), Errno> {
    for pass in 0..passes {
        begin_pass(pass);
        for index in from.clone() {
            let src = &k.folios[index];
            match migrate_folio_unmap(k, src, who, true) {
                Err(Errno::Again) => continue,
                Err(Errno::NoMemory) => {
                    try_split_folio(k, src, who).map_err(|_| Errno::NoMemory)?;
                    lists.split.push(index);
                }
                Err(_) => lists.ret.push(index),
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
