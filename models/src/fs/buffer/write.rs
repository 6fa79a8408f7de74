//! Dirty buffers, and how a folio is written that has some.
//!
//! Kept: that a buffer is marked dirty before its folio; which buffers are locked, and waited for
//! in which mode; that the folio is under writeback before the first of them is submitted, and
//! unlocked after the last; that the end of each buffer's I/O asks, under a lock of the ring's
//! first buffer, whether another one is under way.
//! Left out: blocks that are not allocated, or beyond the end of the file (each buffer is mapped
//! and within it), errors and what is done about them, the error flag of the folio (6.1),
//! dirty accounting.
//! Source: fs/buffer.c `__block_write_full_folio()`, `end_buffer_async_write()`,
//! `mark_buffer_dirty()`, mm/page-writeback.c `folio_redirty_for_writepage()` of 6.12.117; up to
//! 6.4 the first is `__block_write_full_page()`, which is told who ends the I/O, and takes the same
//! steps: read in 6.1.192.

use selvedge_kernel::{
    READ_ONCE, clear_bit, enter, kernel_assert, reached, set_bit, smp_mb, spin_lock_irqsave,
    spin_unlock_irqrestore, test_and_clear_bit, test_and_set_bit, test_bit,
};

use super::{folio_buffers, lock_buffer, set_buffer_uptodate, trylock_buffer, unlock_buffer};
use crate::kernel::{BH_ASYNC_WRITE, BH_DIRTY, BH_LOCK, PG_DIRTY, PG_WRITEBACK};
use crate::mm::filemap::folio_unlock;
use crate::mm::page_writeback::{SyncMode, folio_end_writeback, folio_start_writeback};
use crate::{BufferHead, Folio, Kernel};

/// A buffer is dirty that was not; its folio is not yet.
pub const DIRTIED: &str = "a clean buffer was dirtied";
/// A folio was to be written of which a buffer was locked, and is dirty again.
pub const REDIRTIED: &str = "a folio was dirtied again, since a buffer of it was locked";
/// A folio was to be written, and its buffers had been by somebody else.
pub const NOTHING_UNDER_WAY: &str = "a folio was written that had no dirty buffer any more";
/// The end of a buffer's I/O left the writeback of its folio to another one.
pub const STILL_BUSY: &str = "a buffer was written, and another one of its folio was not yet";

/// `mark_buffer_dirty()`: by whoever has written to it.
pub fn mark_buffer_dirty(k: &Kernel, bh: &BufferHead) {
    let _in = enter("mark_buffer_dirty");
    if test_bit(BH_DIRTY, &bh.b_state) {
        // What was written comes before the look that says that it will be picked up.
        smp_mb();
        if test_bit(BH_DIRTY, &bh.b_state) {
            return;
        }
    }
    if !test_and_set_bit(BH_DIRTY, &bh.b_state) {
        reached(DIRTIED);
        test_and_set_bit(PG_DIRTY, &k.folios[READ_ONCE(&bh.b_folio) as usize].flags);
    }
}

/// `__block_write_full_folio()` of a locked folio, which it unlocks. `submit` starts the I/O of a
/// buffer, whose end is [`end_buffer_async_write`].
pub fn __block_write_full_folio(
    k: &Kernel,
    folio: &Folio,
    sync_mode: SyncMode,
    submit: impl Fn(&Kernel, &BufferHead),
) {
    let _in = enter("__block_write_full_folio");
    let ring = folio_buffers(k, folio);
    for bh in ring {
        if sync_mode == SyncMode::All {
            lock_buffer(k, bh);
        } else if !trylock_buffer(bh) {
            // folio_redirty_for_writepage()
            set_bit(PG_DIRTY, &folio.flags);
            reached(REDIRTIED);
            continue;
        }
        if test_and_clear_bit(BH_DIRTY, &bh.b_state) {
            // mark_buffer_async_write_endio()
            set_bit(BH_ASYNC_WRITE, &bh.b_state);
        } else {
            unlock_buffer(k, bh);
        }
    }
    kernel_assert(
        !test_bit(PG_WRITEBACK, &folio.flags),
        "BUG_ON(folio_test_writeback()) in __block_write_full_folio()",
    );
    folio_start_writeback(k, folio);
    let mut nr_underway = 0;
    for bh in ring {
        if test_bit(BH_ASYNC_WRITE, &bh.b_state) {
            let _in = enter("submit_bh_wbc");
            submit(k, bh);
            nr_underway += 1;
        }
    }
    folio_unlock(k, folio);
    if nr_underway == 0 {
        reached(NOTHING_UNDER_WAY);
        folio_end_writeback(k, folio);
    }
}

/// `end_buffer_async_write()`, in any context: the last buffer of the folio ends its writeback.
pub fn end_buffer_async_write(k: &Kernel, bh: &BufferHead) {
    let _in = enter("end_buffer_async_write");
    kernel_assert(
        test_bit(BH_ASYNC_WRITE, &bh.b_state),
        "BUG_ON(!buffer_async_write()) in end_buffer_async_write()",
    );
    // Its folio stays: it is under writeback.
    let folio = &k.folios[READ_ONCE(&bh.b_folio) as usize];
    set_buffer_uptodate(bh);
    let ring = folio_buffers(k, folio);
    let first = &ring[0];
    spin_lock_irqsave(&k.cpus, &first.b_uptodate_lock);
    clear_bit(BH_ASYNC_WRITE, &bh.b_state);
    unlock_buffer(k, bh);
    let is_under_way = |other: &&BufferHead| test_bit(BH_ASYNC_WRITE, &other.b_state);
    let others = ring.iter().filter(|other| other.index != bh.index);
    let busy = others.into_iter().find(is_under_way);
    if let Some(other) = busy {
        kernel_assert(
            test_bit(BH_LOCK, &other.b_state),
            "BUG_ON(!buffer_locked()) in end_buffer_async_write()",
        );
        reached(STILL_BUSY);
    }
    spin_unlock_irqrestore(&k.cpus, &first.b_uptodate_lock);
    if busy.is_none() {
        folio_end_writeback(k, folio);
    }
}
