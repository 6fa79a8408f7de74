//! A loop device: its worker serves a request by writing to the backing file, for which it needs
//! the folio of that file.
//!
//! Kept: that the request's completion, which unlocks a buffer or ends a writeback, comes after the
//! worker has locked and unlocked the folio of the backing file (`shmem_write_begin()`).
//! Left out: the queue (a worker serves one request), reads, direct I/O, the copy.
//! Scaled: a lookup of the backing file's folio that meets it while it is replaced gives up after a
//! few rounds (mm/filemap/lookup.rs); the worker goes on without it then, where C would try again.
//! Source: drivers/block/loop.c `loop_process_work()`, `lo_complete_rq()`, mm/shmem.c
//! `shmem_write_begin()`, mm/filemap.c `__filemap_get_folio()` of 6.1.192 and 6.12.117.

use selvedge_kernel::{Name, enter, owns, plain_read, reached};

use crate::Kernel;
use crate::fs::buffer::end_buffer_write_sync;
use crate::kernel::{BH_LOCK, PG_WRITEBACK};
use crate::mm::filemap::{filemap_get_entry, folio_lock, folio_unlock};
use crate::mm::page_writeback::folio_end_writeback;
use crate::mm::swap::folio_put;

/// What a request's completion does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// `end_buffer_write_sync()` of this buffer head.
    EndsBuffer(usize),
    /// `folio_end_writeback()` of this folio.
    EndsWriteback(usize),
}

/// The worker has written to the backing file.
pub const SERVED: &str = "the loop worker served a request";

/// Where a request's data go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// To this page of the backing file: the worker looks its folio up.
    Page(usize),
    /// To this folio, which has been looked up: whoever did keeps the reference for the worker.
    /// What a worker that comes late would find does not matter to whom it waits for before that.
    Folio(usize),
}

/// `loop_queue_work()`: a worker on `cpu` serves the request.
pub fn loop_queue_work(k: &Kernel, cpu: usize, to: Backing, completion: Completion) {
    k.task(cpu, "loop worker", move |k| loop_process_work(k, to, completion));
}

/// `loop_process_work()`, by the worker itself.
pub fn loop_process_work(k: &Kernel, to: Backing, completion: Completion) {
    let _in = enter("loop_process_work");
    // Whoever waits for the I/O waits for this worker from now on.
    match completion {
        Completion::EndsBuffer(bh) => owns(BH_LOCK, &k.buffer_heads[bh].b_state),
        Completion::EndsWriteback(folio) => owns(PG_WRITEBACK, &k.folios[folio].flags),
    }
    match to {
        Backing::Page(page) => shmem_write(k, page),
        Backing::Folio(index) => {
            let _in = enter("shmem_write_begin");
            folio_lock(k, &k.folios[index]);
            folio_unlock(k, &k.folios[index]);
        }
    }
    reached(SERVED);
    let _in = enter("lo_complete_rq");
    match completion {
        Completion::EndsBuffer(bh) => end_buffer_write_sync(k, &k.buffer_heads[bh]),
        Completion::EndsWriteback(folio) => folio_end_writeback(k, &k.folios[folio]),
    }
}

/// `shmem_write_begin()` and `shmem_write_end()`: the folio of this page, locked; if it has left
/// the page cache meanwhile, the one that is there now.
fn shmem_write(k: &Kernel, page: usize) {
    let _in = enter("shmem_write_begin");
    let holder = Name::new("loop worker");
    while let Some(folio) = filemap_get_entry(k, page, holder) {
        folio_lock(k, folio);
        let is_there = plain_read(&folio.mapping) != 0;
        folio_unlock(k, folio);
        folio_put(k, folio, holder);
        if is_there {
            return;
        }
    }
}
