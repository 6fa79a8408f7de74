//! The end of an ext4 write that has to convert extents: before it ends the writeback it reads
//! metadata.
//!
//! Kept: that the worker wants the folio of a block of the device before it clears PG_writeback,
//! and that since the lookups of 2025 it waits for that folio's lock.
//! Left out: the handle (a reserved one: it waits for no commit), the conversion; the buffer is
//! always in the page cache and never in the bh_lru.
//! Source: fs/ext4/page-io.c `ext4_end_io_end()`, fs/buffer.c `__find_get_block_slow()` of
//! 6.12.117.

use selvedge_kernel::{enter, owns};

use crate::Kernel;
use crate::kernel::PG_WRITEBACK;
use crate::mm::filemap::{folio_lock, folio_unlock};
use crate::mm::page_writeback::folio_end_writeback;

/// `ext4_end_io_end()` of `folio`, whose inode's block is in the folio `of_block`, which is
/// referenced.
pub fn ext4_end_io_end(k: &Kernel, folio: usize, of_block: usize) {
    let _in = enter("ext4_end_io_end");
    // Whoever waits for the I/O waits for this worker from now on.
    owns(PG_WRITEBACK, &k.folios[folio].flags);
    {
        let _in = enter("__find_get_block_slow");
        folio_lock(k, &k.folios[of_block]);
        folio_unlock(k, &k.folios[of_block]);
    }
    folio_end_writeback(k, &k.folios[folio]);
}
