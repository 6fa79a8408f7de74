//! Locks that interrupt handlers take too, taken with interrupts on; and what else keeps interrupts
//! out.

use selvedge_kernel::edits::{Edit, Site};

use crate::Tree;
use crate::trees::V6_12_117;

const fn irqs_on(name: &'static str, about: &'static str, edits: &'static [Edit]) -> Tree {
    Tree { name, about, edits, ..V6_12_117.mutant() }
}

/// What `spin_lock_irq()` is there for.
const fn irqs_off(function: &'static str) -> Edit {
    Edit::drop_pair(Site::of("local_irq_disable").on("cpu.irq").within(function))
}

/// What `spin_lock_irqsave()` is there for.
const fn irqs_saved(function: &'static str) -> Edit {
    Edit::drop_pair(Site::of("local_irq_save").on("cpu.irq").within(function))
}

/// What each stopped CPU turns interrupts off for.
pub static STOPS_IRQS_ON: Tree = irqs_on(
    "v6.12.117-stops-irqs-on",
    "6.12.117 with stop_machine() leaving interrupts on while a CPU is taken down",
    &[irqs_off("take_cpu_down")],
);

/// lru_lock is taken by interrupts: `folio_rotate_reclaimable()`.
pub static LRU_LOCK_IRQS_ON: Tree = irqs_on(
    "v6.12.117-lru-lock-irqs-on",
    "6.12.117 with folio_isolate_lru() taking lru_lock with interrupts on",
    &[irqs_off("folio_isolate_lru")],
);

/// The same lock, taken by mlock.
pub static MLOCK_IRQS_ON: Tree = irqs_on(
    "v6.12.117-mlock-irqs-on",
    "6.12.117 with __mlock_folio() taking lru_lock with interrupts on",
    &[irqs_off("__mlock_folio")],
);

/// The same.
pub static MLOCK_NEW_IRQS_ON: Tree = irqs_on(
    "v6.12.117-mlock-new-irqs-on",
    "6.12.117 with __mlock_new_folio() taking lru_lock with interrupts on",
    &[irqs_off("__mlock_new_folio")],
);

/// The same, by MGLRU.
pub static AGING_IRQS_ON: Tree = irqs_on(
    "v6.12.117-aging-irqs-on",
    "6.12.117 with scan_folios() taking lru_lock with interrupts on",
    &[irqs_off("scan_folios")],
);

/// The same, by compaction.
pub static COMPACTION_IRQS_ON: Tree = irqs_on(
    "v6.12.117-compaction-irqs-on",
    "6.12.117 with isolate_migratepages_block() taking lru_lock with interrupts on",
    &[irqs_saved("isolate_migratepages_block")],
);

/// The lock of a folio's wait queue is taken by interrupts: `folio_end_writeback()`.
pub static QUEUE_LOCK_IRQS_ON: Tree = irqs_on(
    "v6.12.117-queue-lock-irqs-on",
    "6.12.117 with folio_wait_bit_common() taking the queue's lock with interrupts on",
    &[irqs_off("folio_wait_bit_common")],
);

/// The same lock, taken in `finish_wait()`.
pub static GIVES_UP_IRQS_ON: Tree = irqs_on(
    "v6.12.117-gives-up-irqs-on",
    "6.12.117 with a waiter that gives up taking the queue's lock with interrupts on",
    &[irqs_saved("folio_wait_bit_common")],
);

/// The same, by the waker.
pub static WAKER_IRQS_ON: Tree = irqs_on(
    "v6.12.117-waker-irqs-on",
    "6.12.117 with folio_wake_bit() taking the queue's lock with interrupts on",
    &[irqs_saved("folio_wake_bit")],
);

/// The same, by who does not wait.
pub static ASYNC_IRQS_ON: Tree = irqs_on(
    "v6.12.117-async-lock-irqs-on",
    "6.12.117 with __folio_lock_async() taking the queue's lock with interrupts on",
    &[irqs_off("__folio_lock_async")],
);

/// The same, by a fault.
pub static FAULT_IRQS_ON: Tree = irqs_on(
    "v6.12.117-entry-wait-irqs-on",
    "6.12.117 with migration_entry_wait_on_locked() taking the queue's lock with interrupts on",
    &[irqs_off("migration_entry_wait_on_locked")],
);

/// The lock of `i_pages` is taken by interrupts too: `folio_end_writeback()`.
pub static READAHEAD_IRQS_ON: Tree = irqs_on(
    "v6.12.117-readahead-irqs-on",
    "6.12.117 with filemap_add_folio() taking the lock of i_pages with interrupts on",
    &[irqs_off("filemap_add_folio")],
);

/// The lock of the queue for bits is taken by interrupts: the end of a read.
pub static BIT_WAITER_IRQS_ON: Tree = irqs_on(
    "v6.12.117-bit-waiter-irqs-on",
    "6.12.117 with __wait_on_bit_lock() taking the queue's lock with interrupts on",
    &[irqs_saved("__wait_on_bit_lock")],
);

/// The same lock, taken by the waker.
pub static BIT_WAKER_IRQS_ON: Tree = irqs_on(
    "v6.12.117-bit-waker-irqs-on",
    "6.12.117 with wake_up_bit() taking the queue's lock with interrupts on",
    &[irqs_saved("wake_up_bit")],
);
