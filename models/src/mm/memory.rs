//! What user code does to its memory: stores through the TLB, and the faults that follow.
//!
//! Kept: a store goes where the TLB says, whatever the page table says by then, until the TLB is
//! flushed; that a fault reads the entry without the page-table lock, and looks again under it
//! before it maps anything; the wait for a migration entry.
//! Scaled: a TLB has one entry; a fault is tried twice, and then the access faults again.
//! Left out: anonymous memory that is not mapped yet, copy on write, `page_mkwrite()`, mapping of
//! the pages around.
//! Source: mm/memory.c `handle_pte_fault()`, `do_fault()`, `finish_fault()`, `do_swap_page()`,
//! mm/migrate.c `migration_entry_wait()` of 5.16, 6.1.192 and 6.12.117, mm/rmap.c
//! `try_to_unmap_flush()`.

use selvedge_kernel::{
    Name, READ_ONCE, WRITE_ONCE, addr_dep, atomic_dec, atomic_inc, booked, enter,
    local_irq_disable, local_irq_enable, on_each_cpu_cond, plain_write, reached, smp_processor_id,
    spin_lock, spin_unlock, unbooked,
};

use crate::mm::filemap::{FAULT, filemap_fault, folio_put_wait_locked, folio_unlock};
use crate::mm::rmap::{MIGRATION_ENTRY, PAGE_TABLE, pte_folio};
use crate::mm::swap::{folio_put, folio_try_get};
use crate::{Folio, Kernel};

decisions! {
    /// What differs between trees.
    pub struct Memory of "mm/memory.c", set by MemoryChange {
        /// `do_fault()`: on whose word there is no entry.
        missing: MissingEntry,
    }
}

/// How a fault comes to ask the page cache for a page that has no entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MissingEntry {
    /// The entry was read without the page-table lock: every release.
    ReadUnlocked,
    /// It is looked at again under the lock first: proposed in August 2024. Never merged.
    LookedAtLocked,
}

/// How a fault on a migration entry waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryWait {
    /// With a reference of its own, dropped as it begins to sleep: up to 5.16.
    TakesReference,
    /// Without one, queued before the page-table lock is dropped: since 5.17 (ffa65753c431).
    UnderPageTableLock,
}

/// `handle_mm_fault()` of a page of a file, and the second time that it is called if the first one
/// asks for it.
pub fn handle_mm_fault(k: &Kernel, page: usize) {
    let _in = enter("handle_mm_fault");
    for tried in [false, true] {
        if handle_pte_fault(k, page, tried) {
            return;
        }
    }
}

/// `handle_pte_fault()`: false if it is to be tried again (`VM_FAULT_RETRY`).
pub fn handle_pte_fault(k: &Kernel, page: usize, tried: bool) -> bool {
    let _in = enter("handle_pte_fault");
    // ptep_get_lockless()
    let entry = READ_ONCE(&k.ptes[page]);
    if entry == 0 {
        return do_fault(k, page, tried);
    }
    if entry & MIGRATION_ENTRY != 0 {
        do_swap_page(k, page);
    }
    // Of an entry that is present only bits are set that nobody looks at here.
    true
}

/// `do_fault()`, as of a read.
pub fn do_fault(k: &Kernel, page: usize, tried: bool) -> bool {
    let _in = enter("do_fault");
    reached(FAULT_FOUND_NO_ENTRY);
    if k.tree.memory.missing() == MissingEntry::LookedAtLocked && has_entry(k, page) {
        reached("a fault found an entry, under the lock, where it had seen none");
        return true;
    }
    let Some(folio) = filemap_fault(k, page, tried) else { return false };
    let is_mapped = finish_fault(k, page, folio);
    folio_unlock(k, folio);
    if !is_mapped {
        reached(FAULT_LOST);
        folio_put(k, folio, FAULT);
    }
    true
}

/// A fault, which has no lock, saw that there is no entry.
pub const FAULT_FOUND_NO_ENTRY: &str = "a page fault found no entry";

/// A fault has locked its folio, and found the entry filled.
pub const FAULT_LOST: &str = "a page fault found its entry filled by another one";

/// `vmf_pte_changed()` of an entry that was not there.
fn has_entry(k: &Kernel, page: usize) -> bool {
    spin_lock(&k.cpus, &k.ptl);
    let has = READ_ONCE(&k.ptes[page]) != 0;
    spin_unlock(&k.cpus, &k.ptl);
    has
}

/// `finish_fault()`: maps the folio, which is locked, unless there is an entry by now. The fault's
/// reference becomes that of the page table. False if there is one (`VM_FAULT_NOPAGE`).
pub fn finish_fault(k: &Kernel, page: usize, folio: &Folio) -> bool {
    let _in = enter("finish_fault");
    spin_lock(&k.cpus, &k.ptl);
    let is_missing = READ_ONCE(&k.ptes[page]) == 0;
    if is_missing {
        // set_pte_range()
        atomic_inc(&folio.mapcount);
        unbooked(&folio.refcount, FAULT);
        booked(&folio.refcount, PAGE_TABLE);
        WRITE_ONCE(&k.ptes[page], folio.index as u64 + 1);
        reached("a page fault mapped a folio");
    }
    spin_unlock(&k.cpus, &k.ptl);
    is_missing
}

/// The fault on a migration entry: waits until the migration is over. True if there was one.
pub fn do_swap_page(k: &Kernel, page: usize) -> bool {
    let _in = enter("do_swap_page");
    spin_lock(&k.cpus, &k.ptl);
    let entry = READ_ONCE(&k.ptes[page]);
    if entry & MIGRATION_ENTRY == 0 {
        spin_unlock(&k.cpus, &k.ptl);
        return false;
    }
    reached("a fault found a migration entry");
    let folio = pte_folio(k, entry).expect("a migration entry names a folio");
    match k.tree.migrate.entry_wait() {
        EntryWait::UnderPageTableLock => {
            (k.tree.filemap.migration_entry_wait_on_locked())(k, folio, &k.ptl);
        }
        EntryWait::TakesReference => {
            let holder = Name::new("fault");
            let got = folio_try_get(folio, holder);
            spin_unlock(&k.cpus, &k.ptl);
            if got {
                // Nobody kills it: the wait ends with a wake-up.
                let _woken = folio_put_wait_locked(k, folio, holder);
            }
        }
    }
    true
}

/// `zap_pte_range()` of one page, which is present: the process does not map it any more.
pub fn zap_pte_range(k: &Kernel, page: usize) {
    let _in = enter("zap_pte_range");
    spin_lock(&k.cpus, &k.ptl);
    let entry = READ_ONCE(&k.ptes[page]);
    let folio = pte_folio(k, entry).filter(|_| entry & MIGRATION_ENTRY == 0);
    if let Some(folio) = folio {
        WRITE_ONCE(&k.ptes[page], 0);
        atomic_dec(&folio.mapcount);
        folio_put(k, folio, PAGE_TABLE);
    }
    spin_unlock(&k.cpus, &k.ptl);
}

/// A store of user code on this CPU: one instruction, which no interrupt divides. False if it
/// faults: the page table has no present entry, and the TLB none that is left over.
pub fn user_store(k: &Kernel, page: usize, value: u64) -> bool {
    let _in = enter("user_store");
    let tlb = k.tlb.of(smp_processor_id());
    local_irq_disable(&k.cpus);
    let mut entry = READ_ONCE(tlb);
    if entry == 0 {
        // The walk of the page table, by hardware.
        entry = READ_ONCE(&k.ptes[page]);
        if entry & MIGRATION_ENTRY != 0 {
            entry = 0;
        }
        WRITE_ONCE(tlb, entry);
    }
    if let Some(folio) = pte_folio(k, entry) {
        // Where it stores is what it has read: the TLB's, or the page table's.
        addr_dep();
        plain_write(&folio.contents, value);
        k.note_store(page, smp_processor_id(), value);
    }
    local_irq_enable(&k.cpus);
    entry != 0
}

/// `try_to_unmap_flush()`, `flush_tlb_page()`: every CPU forgets its entry; returns when all have.
pub fn flush_tlb(k: &Kernel) {
    if !k.modelled.tlb {
        return;
    }
    let _in = enter("flush_tlb");
    let kernel = k.share();
    let forget = move || WRITE_ONCE(kernel.tlb.of(smp_processor_id()), 0);
    on_each_cpu_cond(&k.cpus, |_| true, forget);
}
