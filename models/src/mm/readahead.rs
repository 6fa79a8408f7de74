//! Readahead: folios are added to the page cache locked, one by one, and the I/O that will unlock
//! them is submitted when the last one has been added.
//!
//! Kept: the loop; what it holds while it allocates the next folio; that `memalloc_nofs_save()` is
//! in force (since 5.8); the end of the I/O as a task that exists once the I/O has been submitted.
//! Scaled: memory is so fragmented that each allocation compacts first (one of order > 0 may). Left
//! out: large folios, the mark for the next readahead, errors; the plug of `read_pages()`, which is
//! flushed at the end of the submission.
//! Source: mm/readahead.c `page_cache_ra_unbounded()`, `read_pages()`, mm/filemap.c
//! `filemap_add_folio()`, fs/mpage.c of 6.1.192 and 6.12.117.

use selvedge_kernel::{
    Name, READ_ONCE, atomic_set, booked, enter, plain_write, rcu_assign_pointer, reached,
    spin_lock_irq, spin_unlock_irq,
};

use crate::kernel::PAGE_CACHE;
use crate::mm::filemap::{count_pages, folio_end_read, folio_trylock};
use crate::mm::page_alloc::__alloc_pages_direct_compact;
use crate::mm::swap::{folio_add_lru, folio_put, folio_ref_add};
use crate::{Folio, Kernel};

/// Who holds the reference of `struct readahead_control`, from the allocation to the submission.
pub const READAHEAD: Name = Name::new("readahead");

/// The end of a read.
pub const A_READ_ENDED: &str = "a read ended";

/// `page_cache_ra_unbounded()` of the first `pages` pages of the file. The
/// ends of the I/O that it submitted, as tasks.
pub fn page_cache_ra_unbounded(k: &Kernel, pages: usize) -> Vec<usize> {
    let _in = enter("page_cache_ra_unbounded");
    let (mut batch, mut reads) = (Vec::new(), Vec::new());
    for page in 0..pages {
        if READ_ONCE(&k.i_pages[page]) != 0 {
            // Present: what has been added so far is submitted before the loop goes on.
            reads.extend(read_pages(k, std::mem::take(&mut batch)));
            continue;
        }
        let folio = filemap_alloc_folio(k, page);
        filemap_add_folio(k, folio, page);
        batch.push(folio.index);
    }
    reads.extend(read_pages(k, batch));
    reads
}

/// `filemap_alloc_folio()` under `memalloc_nofs_save()`: without `__GFP_FS`. Folio n is for page n.
pub fn filemap_alloc_folio(k: &Kernel, page: usize) -> &Folio {
    let _in = enter("filemap_alloc_folio");
    __alloc_pages_direct_compact(k, false);
    let folio = &k.folios[page];
    atomic_set(&folio.refcount, 1);
    booked(&folio.refcount, READAHEAD);
    plain_write(&folio.freed, 0);
    folio
}

/// `filemap_add_folio()`: locked before anybody can find it, and on the LRU, through a batch.
pub fn filemap_add_folio(k: &Kernel, folio: &Folio, page: usize) {
    let _in = enter("filemap_add_folio");
    // __folio_set_locked(): nobody else knows the folio.
    assert!(folio_trylock(folio), "a new folio is not locked");
    folio_ref_add(folio, 1, PAGE_CACHE);
    plain_write(&folio.mapping, 1);
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    rcu_assign_pointer(&k.i_pages[page], folio.index as u64 + 1);
    count_pages(k, 1);
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    folio_add_lru(k, folio);
}

/// `read_pages()`, with a filesystem that merges the folios into one bio (`mpage_readahead()`).
pub fn read_pages(k: &Kernel, batch: Vec<usize>) -> Option<usize> {
    let _in = enter("read_pages");
    if batch.is_empty() {
        return None;
    }
    // readahead_folio(): the reference of the page cache keeps a locked folio.
    for &index in &batch {
        folio_put(k, &k.folios[index], READAHEAD);
    }
    Some(submit_read(k, batch))
}

/// `submit_bio()` of a read of locked folios: the task, on the last CPU, that is its end.
pub fn submit_read(k: &Kernel, folios: Vec<usize>) -> usize {
    let _in = enter("submit_bio");
    k.task(k.sizes.cpus - 1, "end of read", move |k| {
        let _in = enter("mpage_end_io");
        for index in folios {
            folio_end_read(k, &k.folios[index]);
        }
        reached(A_READ_ENDED);
    })
}
