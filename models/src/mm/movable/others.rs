//! Who may have a page next, once its driver has freed it: both use its flags without atomic
//! operations while nobody else can know the page.
//!
//! Source: mm/filemap.c `__filemap_add_folio()` callers (`__SetPageLocked()` of a new page);
//! mm/slub.c `alloc_slab_page()` of 6.12.117, for its order of PG_slab and the fields that overlay
//! `mapping`; mm/slab.h and include/linux/mm_types.h of 6.1.192 and 6.12.117 for what these are.

use selvedge_kernel::{
    __clear_bit, __set_bit, Name, enter, fail_about, plain_write, reached, smp_wmb, test_bit,
};

use super::{FRESH_FLAGS_ARE_THE_OWNERS, NO_MAPPING, PG_SLAB, SlabLayout, alloc_page};
use crate::kernel::{PAGE_CACHE, PG_LOCKED};
use crate::mm::filemap::folio_unlock;
use crate::mm::swap::folio_put;
use crate::{Folio, Kernel};

/// The page has a new owner.
pub const REUSED: &str = "the page was allocated anew";

/// A new page of the page cache: locked by `__SetPageLocked()`, filled, unlocked.
pub fn add_to_page_cache(k: &Kernel, page: &Folio) {
    let _in = enter("add_to_page_cache_lru");
    alloc_page(k, page, PAGE_CACHE);
    reached(REUSED);
    __set_bit(PG_LOCKED, &page.flags);
    plain_write(&page.mapping, 8);
    if !test_bit(PG_LOCKED, &page.flags) {
        let message = format!("page{} is new, and somebody has unlocked it", page.index);
        fail_about(FRESH_FLAGS_ARE_THE_OWNERS, message, page.flags.object());
    }
    folio_unlock(k, page);
}

/// `slab->slab_cache`, a pointer.
const SLAB_CACHE: u64 = 64;
/// `LIST_POISON2`
const LIST_POISON2: u64 = 0x122;

/// Who holds a page of slab.
const SLAB: Name = Name::new("slab");

/// A new page of slab. What is in the place of `mapping` is slab's, and may look like the type of a
/// movable page: [`SlabLayout`].
pub fn alloc_slab_page(k: &Kernel, page: &Folio) {
    let _in = enter("alloc_slab_page");
    alloc_page(k, page, SLAB);
    reached(REUSED);
    __set_bit(PG_SLAB, &page.flags);
    smp_wmb();
    let overlaid = match k.tree.movable.slab() {
        SlabLayout::CacheAtMapping => SLAB_CACHE,
        SlabLayout::ListAtMapping => LIST_POISON2,
    };
    plain_write(&page.mapping, overlaid);
    if test_bit(PG_LOCKED, &page.flags) {
        let message = format!("page{} is slab's, and somebody has locked it", page.index);
        fail_about(FRESH_FLAGS_ARE_THE_OWNERS, message, page.flags.object());
    }
}

/// `__free_slab()`
pub fn free_slab_page(k: &Kernel, page: &Folio) {
    let _in = enter("__free_slab");
    plain_write(&page.mapping, NO_MAPPING);
    smp_wmb();
    __clear_bit(PG_SLAB, &page.flags);
    folio_put(k, page, SLAB);
}
