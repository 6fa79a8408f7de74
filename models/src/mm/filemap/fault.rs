//! `filemap_fault()`: the page cache's part of a page fault.
//!
//! Kept: the reference of the lookup, which is kept while the fault sleeps on the folio lock; that
//! a fault which slept gives everything back and is tried again, once; the look whether the folio
//! was truncated meanwhile.
//! Left out: readahead, `i_size`, and the read of a page that is not in the page cache, or not
//! uptodate: where C goes on in that function, the fault is tried again.
//! Source: mm/filemap.c `filemap_fault()`, `lock_folio_maybe_drop_mmap()` of 6.1 and 6.12.117; of
//! shmem, `shmem_get_folio_gfp()` does the same, and does not give the folio back.

use selvedge_kernel::{Name, enter, plain_read, reached};

use crate::mm::filemap::{filemap_get_entry, folio_lock, folio_trylock, folio_unlock};
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// Who has the reference of the lookup.
pub const FAULT: Name = Name::new("page fault");

/// A fault slept on a folio lock, and kept its reference.
pub const FAULT_SLEPT: &str = "a page fault slept on a folio lock with a reference";

/// A fault has locked a folio that had left the page cache.
pub const FAULT_FOUND_TRUNCATED: &str = "a page fault locked a folio that is truncated";

/// `filemap_fault()`: the folio of the page, locked, with a reference of [`FAULT`]; nothing if the
/// fault is to be tried again (`VM_FAULT_RETRY`). `tried`: it is the second time.
pub fn filemap_fault(k: &Kernel, page: usize, tried: bool) -> Option<&Folio> {
    let _in = enter("filemap_fault");
    let folio = filemap_get_entry(k, page, FAULT)?;
    let slept = lock_folio_maybe_drop_mmap(k, folio);
    let is_truncated = plain_read(&folio.mapping) == 0;
    if is_truncated {
        reached(FAULT_FOUND_TRUNCATED);
    }
    if is_truncated || (slept && !tried) {
        folio_unlock(k, folio);
        folio_put(k, folio, FAULT);
        return None;
    }
    Some(folio)
}

/// `lock_folio_maybe_drop_mmap()`: whether it slept, and so has dropped the mmap_lock. Nobody kills
/// the task.
pub fn lock_folio_maybe_drop_mmap(k: &Kernel, folio: &Folio) -> bool {
    let _in = enter("lock_folio_maybe_drop_mmap");
    if folio_trylock(folio) {
        return false;
    }
    reached(FAULT_SLEPT);
    folio_lock(k, folio);
    true
}
