//! Writeback of XFS and others: one bio grows over several folios and is submitted when the walk
//! over the file is over.
//!
//! Kept: that a folio is under writeback, and unlocked, while the bio that is to end that is still
//! private to the writer: no plug has it, and nobody else can submit it.
//! Left out: what makes a bio end earlier (blocks that are not contiguous), blocks within a folio,
//! `->prepare_ioend()`.
//! Source: fs/iomap/buffered-io.c `iomap_writepages()`, `iomap_writepage_map()`,
//! `iomap_submit_ioend()`, `iomap_finish_ioend()` of 6.1.192 and 6.12.117.

use std::cell::RefCell;

use selvedge_kernel::{enter, reached};

use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::page_writeback::{
    SyncMode, folio_end_writeback, folio_start_writeback, write_cache_pages,
};
use crate::{Folio, Kernel};

decisions! {
    /// What differs between trees.
    pub struct Iomap of "fs/iomap/buffered-io.c", set by IomapChange {
        /// When a bio that grows is submitted.
        submit: SubmitIoend,
    }
}

/// When a bio that grows is submitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SubmitIoend {
    /// When the walk is over.
    AtEnd,
    /// Before the walk sleeps on a folio lock, too: what kernel-migrate E-S5 asks about.
    BeforeBlocking,
}

/// A bio was submitted early.
pub const SUBMITTED_EARLY: &str = "a writer submitted its bio before it slept";

/// `iomap_writepages()` of these folios, which the caller has references to: returns when the bios
/// are submitted. The ends of their I/O, on the last CPU, as tasks.
pub fn iomap_writepages(k: &Kernel, fbatch: &[usize], sync_mode: SyncMode) -> Vec<usize> {
    let _in = enter("iomap_writepages");
    // wpc->ioend
    let ioend = RefCell::new(Vec::new());
    let ends = RefCell::new(Vec::new());
    let submit = || ends.borrow_mut().extend(iomap_submit_ioend(k, ioend.take()));
    let lock = |folio: &Folio| {
        if k.tree.iomap.submit() == SubmitIoend::BeforeBlocking {
            if folio_trylock(folio) {
                return;
            }
            reached(SUBMITTED_EARLY);
            submit();
        }
        folio_lock(k, folio);
    };
    write_cache_pages(k, fbatch, sync_mode, lock, |folio| {
        let _in = enter("iomap_writepage_map");
        folio_start_writeback(k, folio);
        ioend.borrow_mut().push(folio.index);
        folio_unlock(k, folio);
    });
    submit();
    ends.into_inner()
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
