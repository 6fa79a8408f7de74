//! The per-CPU batches: their references, and their drains.

use selvedge_kernel::{READ_ONCE, fail, fail_about};
use selvedge_models::{Folio, Kernel};
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;
use crate::look::{Batch, Look, Place};

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
    let batches = k.cpus.possible().flat_map(|cpu| k.cpu_fbatches.of(cpu).all());
    batches.flat_map(|batch| batch.entries()).filter(|&entry| entry == folio.index).count()
}

fn mlock_entries(k: &Kernel, folio: &Folio) -> usize {
    let entries = k.cpus.possible().flat_map(|cpu| k.mlock_fbatch.of(cpu).entries());
    entries.filter(|entry| entry.index() == folio.index).count()
}

/// Whether any batch holds the folio.
pub fn is_batched(k: &Kernel, folio: &Folio) -> bool {
    lru_entries(k, folio) + mlock_entries(k, folio) > 0
}

/// [`NO_BATCH_ENTRY_IS_LOST`]: each entry of a batch owns a reference, the page cache another;
/// counts are those of the entries.
pub fn entries_own_references<L: Look + ?Sized>(k: &L) {
    let batches = (0..k.cpus()).flat_map(|cpu| Batch::ALL.map(|batch| (cpu, batch)));
    let of = |folio: usize| {
        let in_batch = |(cpu, batch)| k.value(Place::InBatch { cpu, batch, folio });
        batches.clone().map(in_batch).sum::<i64>()
    };
    for (cpu, batch) in batches.clone() {
        let place = Place::BatchNr { cpu, batch };
        let in_batch = |folio| k.value(Place::InBatch { cpu, batch, folio });
        let (nr, entries) = (k.value(place), (0..k.folios()).map(in_batch).sum::<i64>());
        if nr != entries {
            let message = format!("cpu{cpu}:{} is {nr}, entries: {entries}", batch.nr());
            k.fail(NO_BATCH_ENTRY_IS_LOST, message, place);
        }
    }
    for folio in 0..k.folios() {
        let (count, expected) = (k.value(Place::RefCount(folio)), 1 + of(folio));
        if k.value(Place::Freed(folio)) == 0 && count != expected {
            let message = format!("folio{folio}->_refcount is {count}, should be {expected}");
            k.fail(NO_BATCH_ENTRY_IS_LOST, message, Place::RefCount(folio));
        }
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

/// The same, of how many folios that caller has found there.
pub fn own_batch_was_empty(left: i64) {
    if left != 0 {
        let message = format!("{left} folio rests in the lru_add batch of CPU0 when it returns");
        fail(OWN_ADDITIONS_ARE_DRAINED, message);
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
