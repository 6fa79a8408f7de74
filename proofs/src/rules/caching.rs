//! Per-CPU caches while a migration is pending: `migrate_prep()`, `lru_cache_disable()`.

use selvedge_kernel::{fail, fail_about, reached};
use selvedge_models::Kernel;
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;
use crate::look::{Batch, Look, Place};

/// What `migrate_prep()` is for.
pub const NO_BH_STAYS_WHILE_PENDING: Rule =
    Rule("no bh stays in a bh_lru while a migration is pending");
/// What `lru_cache_disable()` is for. Passing through a batch within a critical section is allowed.
pub const NO_FOLIO_RESTS_WHILE_PENDING: Rule =
    Rule("no folio rests in an LRU batch while a migration is pending");
/// Kept by a counter, not by a bool.
pub const DISABLED_UNTIL_THE_LAST_ENABLE: Rule =
    Rule("caching stays disabled until the last caller enables it");
/// Every way out of a caller of `lru_cache_disable()` enables again.
pub const COUNTER_IS_CALLERS_INSIDE: Rule =
    Rule("the pending counter is the number of callers inside");
/// kernel-lru B8: what makes a retry of migration worth while.
pub const EXTRA_REFERENCE_IS_TRANSIENT: Rule =
    Rule("with caching disabled a batch's reference is gone when the adder has returned");

/// `page_alloc_cpu_dead()`, `buffer_exit_cpu_dead()`: nobody would ever drain it.
pub const A_DEAD_CPU_HAS_NOTHING: Rule =
    Rule("when a CPU has been taken down, its batches and its bh_lru are empty");

/// `stop_machine()`: "a thread on every CPU, each of which disables interrupts".
pub const AN_INTERRUPT_SEES_ONE_MASK: Rule =
    Rule("cpu_online_mask does not change under an interrupt when a CPU goes down");

pub(super) const IDS_OF_CACHING: Ids = &[
    ("bh-stays", NO_BH_STAYS_WHILE_PENDING),
    ("folio-rests", NO_FOLIO_RESTS_WHILE_PENDING),
    ("stays-disabled", DISABLED_UNTIL_THE_LAST_ENABLE),
    ("callers-counted", COUNTER_IS_CALLERS_INSIDE),
    ("transient-reference", EXTRA_REFERENCE_IS_TRANSIENT),
    ("dead-cpu", A_DEAD_CPU_HAS_NOTHING),
    ("one-mask", AN_INTERRUPT_SEES_ONE_MASK),
];

/// A caller is between its disable and its enable.
pub const INSIDE: &str = "a caller is inside";

/// [`NO_BH_STAYS_WHILE_PENDING`]
pub fn no_bh_stays<L: Look + ?Sized>(k: &L) {
    for cpu in 0..k.cpus() {
        for slot in (0..k.bh_lru_size()).map(|slot| Place::BhLruSlot { cpu, slot }) {
            if let Some(bh) = (k.value(slot) as usize).checked_sub(1) {
                let count = k.value(Place::BhCount(bh));
                let message =
                    format!("bh{bh} stays in the bh_lru of CPU{cpu}, its b_count is {count}");
                k.fail(NO_BH_STAYS_WHILE_PENDING, message, slot);
            }
        }
    }
}

/// [`NO_FOLIO_RESTS_WHILE_PENDING`]
pub fn no_folio_rests<L: Look + ?Sized>(k: &L) {
    let batch = Batch::Add;
    for cpu in 0..k.cpus() {
        let rests = |&folio: &usize| k.value(Place::InBatch { cpu, batch, folio }) > 0;
        if let Some(folio) = (0..k.folios()).find(rests) {
            let count = k.value(Place::RefCount(folio));
            let message = format!(
                "folio{folio} rests in the lru_add batch of CPU{cpu}, its reference count is {count}"
            );
            k.fail(NO_FOLIO_RESTS_WHILE_PENDING, message, Place::BatchNr { cpu, batch });
        }
    }
}

/// [`DISABLED_UNTIL_THE_LAST_ENABLE`], asked by a caller between its disable and its enable.
pub fn is_still_disabled(k: &Run) {
    if !(k.tree.swap.lru_cache_disabled())(k) {
        let message = "a caller that has not enabled caching yet finds it enabled";
        fail(DISABLED_UNTIL_THE_LAST_ENABLE, message);
    }
    reached(INSIDE);
}

/// [`COUNTER_IS_CALLERS_INSIDE`], with nobody inside.
pub fn nobody_is_counted(k: &Run) {
    callers_are_counted(k, 0);
}

/// [`COUNTER_IS_CALLERS_INSIDE`]
pub fn callers_are_counted(k: &Run, inside: i64) {
    let counted = counted(k);
    if counted != inside {
        let message = format!("{} is {counted}, callers inside: {inside}", k.tree.pending_name);
        fail_about(COUNTER_IS_CALLERS_INSIDE, message, k.pending_count.object());
    }
}

/// How many callers the counter, or the bool, says are inside.
fn counted(k: &Kernel) -> i64 {
    k.pending_count.peek() + k.pending_plain.peek() as i64
}

/// [`A_DEAD_CPU_HAS_NOTHING`], when `cpu_down()` of this CPU is over.
pub fn dead_cpu_has_nothing(k: &Run, cpu: usize) {
    let rests = |what: String, object| fail_about(A_DEAD_CPU_HAS_NOTHING, what, object);
    for batch in k.cpu_fbatches.of(cpu).all() {
        if let Some(folio) = batch.entries().first() {
            let holder = batch.holder;
            rests(format!("folio{folio} rests in the {holder}, which is dead"), batch.nr.object());
        }
    }
    let mlock = k.mlock_fbatch.of(cpu);
    if let Some(entry) = mlock.entries().first() {
        let folio = entry.index();
        let message = format!("folio{folio} rests in the {}, which is dead", mlock.holder);
        rests(message, mlock.nr.object());
    }
    if let Some(slot) = k.bh_lrus.of(cpu).iter().find(|slot| slot.peek() != 0) {
        let bh = slot.peek() - 1;
        rests(format!("bh{bh} is in the bh_lru of CPU{cpu}, which is dead"), slot.object());
    }
}

/// [`EXTRA_REFERENCE_IS_TRANSIENT`], when the adder has returned.
pub fn the_last_retry_can_freeze<L: Look + ?Sized>(k: &L) {
    let count = k.value(Place::RefCount(0));
    if count != 1 {
        let message = format!("the last retry finds {count} references, expects 1");
        k.fail(EXTRA_REFERENCE_IS_TRANSIENT, message, Place::RefCount(0));
    }
}
