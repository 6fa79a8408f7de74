//! Writeback of fuse: it ends when a server in user space has answered, which nobody can promise.
//!
//! Kept: when the folio is under writeback.
//! Left out: requests and their lists; who the server is.
//! Source: fs/fuse/file.c `fuse_writepage_locked()` up to 6.15, `fuse_iomap_writeback_range()`
//! later, `fuse_writepage_finish()`; 0c58a97f919c.

use selvedge_kernel::{enter, plain_read};

use crate::mm::filemap::folio_unlock;
use crate::mm::page_writeback::{folio_end_writeback, folio_start_writeback};
use crate::{Folio, Kernel};

decisions! {
    /// What differs between trees.
    pub struct Fuse of "fs/fuse/file.c", set by FuseChange {
        /// What is sent to the server.
        writeback: FuseWriteback,
    }
}

/// What fuse sends to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FuseWriteback {
    /// A copy: the folio's own writeback is over at once. Up to 6.15.
    TemporaryCopy,
    /// The folio, which is under writeback until the server has answered: since 6.16
    /// (0c58a97f919c).
    InPlace,
}

/// Writes a folio that is locked, and unlocks it.
pub fn fuse_writepage(k: &Kernel, folio: &Folio) {
    let _in = enter("fuse_writepage");
    folio_start_writeback(k, folio);
    if k.tree.fuse.writeback() == FuseWriteback::TemporaryCopy {
        // copy_highpage()
        let _copy = plain_read(&folio.contents);
        folio_end_writeback(k, folio);
    }
    folio_unlock(k, folio);
}

/// `fuse_writepage_finish()`: the server has answered.
pub fn fuse_writepage_finish(k: &Kernel, folio: &Folio) {
    let _in = enter("fuse_writepage_finish");
    if k.tree.fuse.writeback() == FuseWriteback::InPlace {
        folio_end_writeback(k, folio);
    }
}
