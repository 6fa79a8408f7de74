//! What user code does to its memory: stores through the TLB, and the faults that follow.
//!
//! Kept: a store goes where the TLB says, whatever the page table says by then, until the TLB is
//! flushed; the wait for a migration entry.
//! Scaled: a TLB has one entry.
//! Source: mm/memory.c `do_swap_page()`, mm/migrate.c `migration_entry_wait()` of 5.16 and
//! 6.12.117, mm/rmap.c `try_to_unmap_flush()`.

use selvedge_kernel::{
    Name, READ_ONCE, WRITE_ONCE, atomic_dec, enter, local_irq_disable, local_irq_enable,
    on_each_cpu_cond, plain_write, reached, smp_processor_id, spin_lock, spin_unlock,
};

use crate::Kernel;
use crate::mm::filemap::folio_put_wait_locked;
use crate::mm::rmap::{MIGRATION_ENTRY, PAGE_TABLE, pte_folio};
use crate::mm::swap::{folio_put, folio_try_get};

/// How a fault on a migration entry waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryWait {
    /// With a reference of its own, dropped as it begins to sleep: up to 5.16.
    TakesReference,
    /// Without one, queued before the page-table lock is dropped: since 5.17 (ffa65753c431).
    UnderPageTableLock,
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
    match k.tree.migrate.entry_wait {
        EntryWait::UnderPageTableLock => {
            (k.tree.filemap.migration_entry_wait_on_locked)(k, folio, &k.ptl);
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
        plain_write(&folio.contents, value);
    }
    local_irq_enable(&k.cpus);
    entry != 0
}

/// `try_to_unmap_flush()`, `flush_tlb_page()`: every CPU forgets its entry; returns when all have.
pub(crate) fn flush_tlb(k: &Kernel) {
    if !k.modelled.tlb {
        return;
    }
    let _in = enter("flush_tlb");
    let kernel = k.share();
    let forget = move || WRITE_ONCE(kernel.tlb.of(smp_processor_id()), 0);
    on_each_cpu_cond(&k.cpus, |_| true, forget);
}
