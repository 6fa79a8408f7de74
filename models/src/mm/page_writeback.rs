//! Writeback: the bit, set under the folio lock and cleared by the end of the I/O in any context;
//! and the walk over the dirty folios of a file.
//!
//! Kept: the bit, its waiters, the reference that the end takes, since writeback holds none; of the
//! walk, that it holds references to the folios that it has looked up, and locks one after the
//! other in the order of the file; what it asks of a folio that it has locked. The marks of the
//! page cache for writeback, with their lock, where [`crate::Machine::marks`] asks for them.
//! Left out: other marks, dirty accounting, rotation; that a start of writeback on top of another
//! one is a BUG() is asserted for every release, though `__folio_start_writeback()` of 6.1 lets it
//! pass.
//! Source: mm/page-writeback.c `__folio_start_writeback()`, `__folio_end_writeback()`,
//! `folio_wait_writeback()` (a `while` since c2407cf7d22d, 5.11), `write_cache_pages()`
//! (`writeback_iter()`, `folio_prepare_writeback()` since 6.9), mm/filemap.c
//! `folio_end_writeback()` (its reference since 073861ed77b6, 5.10) of 6.1.192 and 6.12.117.

use selvedge_kernel::{
    Name, enter, kernel_assert, plain_read, plain_write, reached, set_bit, smp_mb__after_atomic,
    spin_lock_irqsave, spin_unlock_irqrestore, test_and_clear_bit, test_bit,
};

use crate::kernel::{PG_DIRTY, PG_LOCKED, PG_WAITERS, PG_WRITEBACK};
use crate::mm::filemap::{
    EndWriteback, filemap_get_entry, folio_unlock, folio_wait_bit, folio_wake_bit,
};
use crate::mm::swap::{folio_get, folio_put};
use crate::{Folio, Kernel};

decisions! {
    /// What differs between trees.
    pub struct PageWriteback of "mm/page-writeback.c", set by PageWritebackChange {
        /// What a walk that began in the middle of the file (`range_cyclic`) does at its end.
        cyclic: Cyclic,
    }
}

/// What a walk that began in the middle of the file (`range_cyclic`) does at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cyclic {
    /// It goes on at the beginning, in the same call: before 64081362e8ff, of 2018.
    WrapsRound,
    /// It ends; the next call begins at the beginning.
    Ends,
}

/// The folios that a `range_cyclic` walk goes over, of those that are looked up: from
/// `writeback_index` on.
pub fn range_cyclic(k: &Kernel, fbatch: &[usize], writeback_index: usize) -> Vec<usize> {
    let (before, from) = fbatch.split_at(writeback_index);
    match k.tree.page_writeback.cyclic() {
        Cyclic::WrapsRound => [from, before].concat(),
        Cyclic::Ends => from.to_vec(),
    }
}

/// `folio_start_writeback()`: by the holder of the folio lock.
pub fn folio_start_writeback(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_start_writeback");
    kernel_assert(test_bit(PG_LOCKED, &folio.flags), "writeback of a folio that is not locked");
    kernel_assert(!test_bit(PG_WRITEBACK, &folio.flags), "the folio is under writeback already");
    with_mark(k, || {
        set_bit(PG_WRITEBACK, &folio.flags);
        change_mark(k, |marks| marks | 1 << folio.page_index);
    });
}

/// The change of the bit comes with that of the page cache's mark, under the lock of those.
fn with_mark<T>(k: &Kernel, change: impl FnOnce() -> T) -> T {
    if !k.modelled.marks {
        return change();
    }
    spin_lock_irqsave(&k.cpus, &k.i_pages_lock);
    let changed = change();
    spin_unlock_irqrestore(&k.cpus, &k.i_pages_lock);
    changed
}

/// `xas_set_mark()`, `xas_clear_mark()`: the marks of all pages are in one word.
fn change_mark(k: &Kernel, change: impl FnOnce(u64) -> u64) {
    if let Some(marks) = &k.i_pages_marks {
        plain_write(marks, change(plain_read(marks)));
    }
}

/// `folio_end_writeback()`.
pub fn folio_end_writeback(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_end_writeback");
    let holder = Name::new("folio_end_writeback");
    if k.modelled.writeback_pins {
        folio_get(folio, holder);
    }
    let has_waiters = with_mark(k, || {
        let has_waiters = __folio_end_writeback(k, folio);
        change_mark(k, |marks| marks & !(1 << folio.page_index));
        has_waiters
    });
    if has_waiters {
        folio_wake_bit(k, folio, PG_WRITEBACK);
    }
    if k.modelled.writeback_pins {
        folio_put(k, folio, holder);
    }
}

/// Clears the bit; whether anybody waits for anything of this folio.
pub fn __folio_end_writeback(k: &Kernel, folio: &Folio) -> bool {
    match k.tree.filemap.end_writeback() {
        EndWriteback::ClearThenLook => {
            test_and_clear_bit(PG_WRITEBACK, &folio.flags);
            smp_mb__after_atomic();
            test_bit(PG_WAITERS, &folio.flags)
        }
        EndWriteback::OneStep => {
            (k.tree.filemap.folio_xor_flags_has_waiters())(k, folio, PG_WRITEBACK.mask())
        }
    }
}

/// `folio_wait_writeback()`: on return the bit has been clear; it still is if the caller holds the
/// folio lock.
pub fn folio_wait_writeback(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_wait_writeback");
    while test_bit(PG_WRITEBACK, &folio.flags) {
        folio_wait_bit(k, folio, PG_WRITEBACK);
    }
}

/// `wbc->sync_mode`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncMode {
    /// `WB_SYNC_NONE`: a folio that is under writeback is passed over.
    None,
    /// `WB_SYNC_ALL`: its writeback is waited for.
    All,
}

/// `filemap_get_folios_tag()`: the folios of these pages, each with a reference of the folio batch.
pub fn filemap_get_folios_tag(k: &Kernel, pages: &[usize]) -> Vec<usize> {
    let found = pages.iter().filter_map(|&page| filemap_get_entry(k, page, FOLIO_BATCH));
    found.map(|folio| folio.index).collect()
}

/// `folio_batch_release()`
pub fn folio_batch_release(k: &Kernel, fbatch: &[usize]) {
    for &index in fbatch {
        folio_put(k, &k.folios[index], FOLIO_BATCH);
    }
}

/// Who holds the references of the folios that are to be written.
const FOLIO_BATCH: Name = Name::new("writeback");

/// `write_cache_pages()` of the folios that it has looked up, which are in the order of the file.
/// `lock` is `folio_lock()`; `writepage` gets each folio locked and clean, and unlocks it. The
/// caller releases the folio batch.
pub fn write_cache_pages(
    k: &Kernel,
    fbatch: &[usize],
    sync_mode: SyncMode,
    lock: impl Fn(&Folio),
    mut writepage: impl FnMut(&Folio),
) {
    let _in = enter("write_cache_pages");
    for &index in fbatch {
        let folio = &k.folios[index];
        lock(folio);
        if !folio_prepare_writeback(k, folio, sync_mode) {
            folio_unlock(k, folio);
            continue;
        }
        reached("a folio was written");
        writepage(folio);
    }
}

/// `folio_prepare_writeback()`: is the folio, which is locked now, to be written?
pub fn folio_prepare_writeback(k: &Kernel, folio: &Folio, sync_mode: SyncMode) -> bool {
    if plain_read(&folio.mapping) == 0 || !test_bit(PG_DIRTY, &folio.flags) {
        return false;
    }
    if test_bit(PG_WRITEBACK, &folio.flags) {
        if sync_mode == SyncMode::None {
            return false;
        }
        folio_wait_writeback(k, folio);
    }
    // folio_clear_dirty_for_io()
    test_and_clear_bit(PG_DIRTY, &folio.flags)
}
