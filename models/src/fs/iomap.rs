//! Writeback of XFS and others: one bio grows over several folios and is submitted when the walk
//! over the file is over.
//!
//! Kept: that a folio is under writeback, and unlocked, while the bio that is to end that is still
//! private to the writer: no plug has it, and nobody else can submit it.
//! Left out: what makes a bio end earlier (blocks that are not contiguous), blocks within a folio,
//! `->prepare_ioend()`.
//! Source: fs/iomap/buffered-io.c `iomap_writepages()`, `iomap_writepage_map()`,
//! `iomap_submit_ioend()`, `iomap_finish_ioend()` of 6.1.192 and 6.12.117.

use selvedge_kernel::enter;

use crate::Kernel;
use crate::mm::filemap::folio_unlock;
use crate::mm::page_writeback::{
    SyncMode, folio_end_writeback, folio_start_writeback, write_cache_pages,
};

/// `iomap_writepages()` of these folios, which the caller has references to:
/// returns when the bio is submitted. The end of its I/O, on the last CPU, as a task.
pub fn iomap_writepages(k: &Kernel, fbatch: &[usize], sync_mode: SyncMode) -> Option<usize> {
    let _in = enter("iomap_writepages");
    // wpc->ioend
    let mut ioend = Vec::new();
    write_cache_pages(k, fbatch, sync_mode, |folio| {
        let _in = enter("iomap_writepage_map");
        folio_start_writeback(folio);
        ioend.push(folio.index);
        folio_unlock(k, folio);
    });
    iomap_submit_ioend(k, ioend)
}

/// `iomap_submit_ioend()`: the I/O, and then `iomap_finish_ioend()`, as a task.
fn iomap_submit_ioend(k: &Kernel, ioend: Vec<usize>) -> Option<usize> {
    let _in = enter("iomap_submit_ioend");
    if ioend.is_empty() {
        return None;
    }
    let end = k.task(k.sizes.cpus - 1, "end of I/O", move |k| {
        let _in = enter("iomap_finish_ioend");
        for index in ioend {
            folio_end_writeback(k, &k.folios[index]);
        }
    });
    Some(end)
}
