//! The page cache: lookups without a lock, removal, and writeback's look at PG_dirty.
//!
//! Kept: the order slot, reference, slot again; what is done under `i_pages` lock.
//! Scaled: a lookup that finds the count frozen, or the slot changed, tries again for ever in C;
//! here it gives up after [`ROUNDS`] rounds and finds nothing, which a caller must be prepared for.
//! A round more reads the same words again.
//! Left out: `unmap_mapping_pages()` of the whole range, before the truncation and after it: what
//! it finds mapped, `truncate_cleanup_folio()` would, under the folio lock, and does here.
//! Source: mm/filemap.c `filemap_get_entry()` (`mapping_get_entry()` until 6.3), mm/truncate.c
//! `truncate_inode_folio()`, mm/page-writeback.c `tag_pages_for_writeback()`, 6.12.117.

use selvedge_kernel::{
    Name, READ_ONCE, atomic_read, enter, plain_read, plain_write, preempt_disable, preempt_enable,
    rcu_assign_pointer, rcu_dereference, reached, spin_lock_irq, spin_unlock_irq, test_bit,
};

use crate::kernel::{PAGE_CACHE, PG_DIRTY};
use crate::mm::filemap::{folio_lock, folio_unlock};
use crate::mm::memory::zap_pte_range;
use crate::mm::page_writeback::folio_wait_writeback;
use crate::mm::swap::{folio_put, folio_try_get};
use crate::{Folio, Kernel};

/// How often a lookup tries.
const ROUNDS: usize = 2;

/// `xas_reload()`: the slot again. The folio may have left it since it was read the first time.
pub fn xas_reload(k: &Kernel, page: usize, _slot: u64) -> u64 {
    rcu_dereference(&k.i_pages[page])
}

/// `filemap_get_entry()`: the folio of this page with a reference of `holder`, under RCU.
pub fn filemap_get_entry(k: &Kernel, page: usize, holder: Name) -> Option<&Folio> {
    let _in = enter("filemap_get_entry");
    // rcu_read_lock()
    preempt_disable(&k.cpus);
    let found = (0..ROUNDS).find_map(|_| {
        let slot = rcu_dereference(&k.i_pages[page]);
        let Some(index) = slot.checked_sub(1) else { return Some(None) };
        let folio = &k.folios[index as usize];
        if !folio_try_get(folio, holder) {
            reached("a lookup met a frozen or freed folio");
            return None;
        }
        if (k.tree.filemap.xas_reload())(k, page, slot) != slot {
            reached("a lookup found that its folio had left the page cache");
            folio_put(k, folio, holder);
            return None;
        }
        Some(Some(folio))
    });
    preempt_enable(&k.cpus);
    found.flatten()
}

/// A truncation has the folio locked.
pub const TO_BE_TRUNCATED: &str = "a truncation locked its folio";

/// `truncate_inode_folio()` of one page, with the lookup, and the wait for writeback, before it:
/// removes the folio from the page cache.
pub fn truncate_inode_folio(k: &Kernel, page: usize) {
    let _in = enter("truncate_inode_folio");
    let holder = Name::new("truncation");
    let Some(folio) = filemap_get_entry(k, page, holder) else { return };
    folio_lock(k, folio);
    if k.modelled.writeback {
        folio_wait_writeback(k, folio);
    }
    reached(TO_BE_TRUNCATED);
    // Locked: has it left the page cache while we slept?
    if plain_read(&folio.mapping) != 0 {
        // truncate_cleanup_folio(): a fault has mapped it since the file was unmapped.
        if k.modelled.maps && atomic_read(&folio.mapcount) != 0 {
            unmap_mapping_folio(k, folio);
        }
        filemap_remove_folio(k, folio);
        reached("a folio was truncated");
    }
    folio_unlock(k, folio);
    folio_put(k, folio, holder);
}

/// `filemap_remove_folio()` of a locked folio: out of the page cache, and its reference with it.
pub(crate) fn filemap_remove_folio(k: &Kernel, folio: &Folio) {
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    rcu_assign_pointer(&k.i_pages[folio.page_index], 0);
    plain_write(&folio.mapping, 0);
    count_pages(k, u64::MAX);
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    folio_put(k, folio, PAGE_CACHE);
}

/// A truncation has unmapped a folio.
pub const TRUNCATION_UNMAPPED: &str = "a truncation unmapped its folio";

/// `unmap_mapping_folio()`, of the one process: its page, under the page-table lock.
fn unmap_mapping_folio(k: &Kernel, folio: &Folio) {
    let _in = enter("unmap_mapping_folio");
    zap_pte_range(k, folio.page_index);
    reached(TRUNCATION_UNMAPPED);
}

/// `mapping->nrpages += by`, under `i_pages` lock, in scenarios that look at it.
pub(crate) fn count_pages(k: &Kernel, by: u64) {
    if let Some(nrpages) = &k.nrpages {
        plain_write(nrpages, plain_read(nrpages).wrapping_add(by));
    }
}

/// `tag_pages_for_writeback()`, as far as it sees one page: whether the folio in its slot is dirty.
pub fn is_page_dirty(k: &Kernel, page: usize) -> bool {
    let _in = enter("tag_pages_for_writeback");
    spin_lock_irq(&k.cpus, &k.i_pages_lock);
    let folio = plain_read(&k.i_pages[page]).checked_sub(1).map(|index| &k.folios[index as usize]);
    let is_dirty = folio.is_some_and(|folio| test_bit(PG_DIRTY, &folio.flags));
    spin_unlock_irq(&k.cpus, &k.i_pages_lock);
    is_dirty
}

/// A walker of page frames (`/proc/kpageflags`, memory failure): takes a reference to whatever
/// folio is there, looks, and drops it. Returns what it saw of `folio->mapping`, if it got the
/// reference.
pub fn pfn_walker(k: &Kernel, folio: &Folio) -> Option<u64> {
    let _in = enter("pfn_walker");
    let holder = Name::new("pfn walker");
    if !folio_try_get(folio, holder) {
        return None;
    }
    let mapping = READ_ONCE(&folio.mapping);
    folio_put(k, folio, holder);
    Some(mapping)
}
