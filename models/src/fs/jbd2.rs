//! The journal: who holds BH_Lock across I/O.
//!
//! Kept: the checkpoint's lock of a buffer, which the end of the I/O gives back; that the task
//! which submits holds no folio lock meanwhile, and wants none.
//! Left out: transactions, journal heads, the commit record (it locks buffers in the same way),
//! handles; the plug of `__flush_batch()`, which is finished at its end.
//! Source: fs/jbd2/checkpoint.c `__flush_batch()`, fs/buffer.c `write_dirty_buffer()` of 6.1.192
//! and 6.12.117.

use selvedge_kernel::enter;

use crate::fs::buffer::write_dirty_buffer;
use crate::{BufferHead, Kernel};

/// `__flush_batch()` of one buffer: `submit` is the block device's `submit_bio()`.
pub fn __flush_batch(k: &Kernel, bh: &BufferHead, submit: impl FnOnce(&Kernel)) {
    let _in = enter("__flush_batch");
    write_dirty_buffer(k, bh, submit);
}
