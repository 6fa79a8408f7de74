//! The per-CPU batches: their references, and their drains.

use selvedge_kernel::{READ_ONCE, Var, fail_about};
use selvedge_models::mm::mlock::MlockEntry;
use selvedge_models::{Folio, Kernel};
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;

/// What `lru_add_drain_all()` promises its caller.
pub const OWN_ADDITIONS_ARE_DRAINED: Rule =
    Rule("lru_add_drain_all() drains what its caller added before");
/// An entry of a batch is drained or still there; it never vanishes with its reference.
pub const NO_BATCH_ENTRY_IS_LOST: Rule = Rule("no entry of a batch is lost with its reference");
/// What `folio_may_be_lru_cached()` is for.
pub const LARGE_FOLIO_RESTS_NOWHERE: Rule = Rule("a large folio rests in no batch");

pub(super) const IDS_OF_BATCHES: Ids = &[
    ("own-additions", OWN_ADDITIONS_ARE_DRAINED),
    ("lost-entry", NO_BATCH_ENTRY_IS_LOST),
    ("large-folio", LARGE_FOLIO_RESTS_NOWHERE),
];

/// In how many LRU batches the folio is, the mlock batch not among them.
pub(super) fn lru_entries(k: &Kernel, folio: &Folio) -> usize {
    let batches = k.cpus.online().flat_map(|cpu| k.cpu_fbatches.of(cpu).all());
    batches.flat_map(|batch| batch.entries()).filter(|&entry| entry == folio.index).count()
}

fn mlock_entries(k: &Kernel, folio: &Folio) -> usize {
    let is_it = |entry: &MlockEntry| {
        let (MlockEntry::Lru(f) | MlockEntry::New(f) | MlockEntry::Munlock(f)) = entry;
        *f == folio.index
    };
    let entries = k.cpus.online().flat_map(|cpu| k.mlock_fbatch.of(cpu).entries());
    entries.filter(is_it).count()
}

/// Whether any batch holds the folio.
pub fn is_batched(k: &Kernel, folio: &Folio) -> bool {
    lru_entries(k, folio) + mlock_entries(k, folio) > 0
}

/// [`NO_BATCH_ENTRY_IS_LOST`]: each entry of a batch owns a reference, the page cache another;
/// counts are those of the entries.
pub fn entries_own_references(k: &Run) {
    for cpu in k.cpus.online() {
        for batch in k.cpu_fbatches.of(cpu).all() {
            entries_are_counted(&batch.nr, batch.entries().len());
        }
        let mlock = k.mlock_fbatch.of(cpu);
        entries_are_counted(&mlock.nr, mlock.entries().len());
    }
    for folio in &k.folios {
        let entries = lru_entries(k, folio) + mlock_entries(k, folio);
        let (count, expected) = (folio.refcount.peek(), 1 + entries as i64);
        if folio.freed.peek() == 0 && count != expected {
            let message = format!("{} is {count}, should be {expected}", folio.refcount.name());
            fail_about(NO_BATCH_ENTRY_IS_LOST, message, folio.refcount.object());
        }
    }
}

fn entries_are_counted(nr: &Var, entries: usize) {
    if nr.peek() as usize != entries {
        let message = format!("{} is {}, entries: {entries}", nr.name(), nr.peek());
        fail_about(NO_BATCH_ENTRY_IS_LOST, message, nr.object());
    }
}

/// [`OWN_ADDITIONS_ARE_DRAINED`], asked by a caller of `lru_add_drain_all()` on its CPU.
pub fn own_batch_is_empty(k: &Run) {
    let batch = &k.cpu_fbatches.this().lru_add;
    if READ_ONCE(&batch.nr) != 0 && !batch.entries().is_empty() {
        let message = "lru_add_drain_all() has returned, folio0 is still in its caller's batch";
        fail_about(OWN_ADDITIONS_ARE_DRAINED, message, batch.nr.object());
    }
}

/// [`LARGE_FOLIO_RESTS_NOWHERE`]
pub fn large_folio_has_one_reference(k: &Run) {
    let refcount = &k.folios[0].refcount;
    if refcount.peek() != 1 {
        let message = format!("folio0 has {} references: a batch keeps it", refcount.peek());
        fail_about(LARGE_FOLIO_RESTS_NOWHERE, message, refcount.object());
    }
}
