//! The read of a folio by way of its buffers: the end of each, and what the last one does.
//!
//! Kept: PG_uptodate and the unlock of the folio by the last buffer that is under way; the lock of
//! the first buffer, under which all are asked.
//! Left out: `block_read_full_folio()`, which locks and submits them; errors; decryption and
//! verity, which end the read later, in a work item.
//! Source: fs/buffer.c `end_buffer_async_read()` of 6.1.192 and 6.12.117.

use selvedge_kernel::{
    READ_ONCE, clear_bit, enter, kernel_assert, reached, spin_lock_irqsave, spin_unlock_irqrestore,
    test_bit,
};

use super::{folio_buffers, set_buffer_uptodate, unlock_buffer};
use crate::kernel::{BH_ASYNC_READ, BH_LOCK};
use crate::mm::filemap::folio_end_read;
use crate::{BufferHead, Kernel};

/// A buffer has been read, and another one of its folio has not.
pub const STILL_READING: &str = "a buffer was read, and another one of its folio was not yet";

/// `end_buffer_async_read()`, in any context: the last buffer of the folio ends its read, which
/// unlocks it.
pub fn end_buffer_async_read(k: &Kernel, bh: &BufferHead) {
    let _in = enter("end_buffer_async_read");
    kernel_assert(
        test_bit(BH_ASYNC_READ, &bh.b_state),
        "BUG_ON(!buffer_async_read()) in end_buffer_async_read()",
    );
    // Its folio stays: it is locked.
    let folio = &k.folios[READ_ONCE(&bh.b_folio) as usize];
    set_buffer_uptodate(bh);
    let ring = folio_buffers(k, folio);
    let first = &ring[0];
    spin_lock_irqsave(&k.cpus, &first.b_uptodate_lock);
    clear_bit(BH_ASYNC_READ, &bh.b_state);
    unlock_buffer(k, bh);
    let is_under_way = |other: &&BufferHead| test_bit(BH_ASYNC_READ, &other.b_state);
    let others = ring.iter().filter(|other| other.index != bh.index);
    let busy = others.into_iter().find(is_under_way);
    if let Some(other) = busy {
        kernel_assert(
            test_bit(BH_LOCK, &other.b_state),
            "BUG_ON(!buffer_locked()) in end_buffer_async_read()",
        );
        reached(STILL_READING);
    }
    spin_unlock_irqrestore(&k.cpus, &first.b_uptodate_lock);
    if busy.is_none() {
        folio_end_read(k, folio);
    }
}
