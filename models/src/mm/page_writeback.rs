//! The writeback bit: set under the folio lock, cleared by the end of the I/O, in any context.
//!
//! Kept: the bit, its waiters, the reference that the end takes, since writeback holds none.
//! Left out: the marks of the page cache and their lock, dirty accounting, rotation.
//! Source: mm/page-writeback.c `__folio_start_writeback()`, `__folio_end_writeback()`,
//! `folio_wait_writeback()` (a `while` since c2407cf7d22d, 5.11), mm/filemap.c
//! `folio_end_writeback()` (its reference since 073861ed77b6, 5.10), 6.12.117.

use selvedge_kernel::{Name, enter, kernel_assert, set_bit, test_bit};

use crate::kernel::{PG_LOCKED, PG_WRITEBACK};
use crate::mm::filemap::{
    FolioLockFault, folio_wait_bit, folio_wake_bit, folio_xor_flags_has_waiters,
};
use crate::mm::swap::{folio_get, folio_put};
use crate::{Folio, Kernel};

/// `folio_start_writeback()`: by the holder of the folio lock.
pub fn folio_start_writeback(folio: &Folio) {
    let _in = enter("folio_start_writeback");
    kernel_assert(test_bit(PG_LOCKED, &folio.flags), "writeback of a folio that is not locked");
    kernel_assert(!test_bit(PG_WRITEBACK, &folio.flags), "the folio is under writeback already");
    set_bit(PG_WRITEBACK, &folio.flags);
}

/// `folio_end_writeback()`.
pub fn folio_end_writeback(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_end_writeback");
    let holder = Name::new("folio_end_writeback");
    let has_reference = k.tree.filemap.fault != FolioLockFault::EndWritebackWithoutReference;
    if has_reference {
        folio_get(folio, holder);
    }
    if folio_xor_flags_has_waiters(k, folio, PG_WRITEBACK) {
        folio_wake_bit(k, folio, PG_WRITEBACK);
    }
    if has_reference {
        folio_put(k, folio, holder);
    }
}

/// `folio_wait_writeback()`: on return the bit has been clear; it still is if the caller holds the
/// folio lock.
pub fn folio_wait_writeback(k: &Kernel, folio: &Folio, me: usize) {
    let _in = enter("folio_wait_writeback");
    while test_bit(PG_WRITEBACK, &folio.flags) {
        folio_wait_bit(k, folio, PG_WRITEBACK, me);
        if k.tree.filemap.fault == FolioLockFault::WaitWritebackOnce {
            break;
        }
    }
}
