//! Per-CPU caches while a migration is pending: `migrate_prep()`, `lru_cache_disable()`.

use selvedge_kernel::{fail, fail_about, reached};
use selvedge_models::Kernel;
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;

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

pub(super) const IDS_OF_CACHING: Ids = &[
    ("bh-stays", NO_BH_STAYS_WHILE_PENDING),
    ("folio-rests", NO_FOLIO_RESTS_WHILE_PENDING),
    ("stays-disabled", DISABLED_UNTIL_THE_LAST_ENABLE),
    ("callers-counted", COUNTER_IS_CALLERS_INSIDE),
    ("transient-reference", EXTRA_REFERENCE_IS_TRANSIENT),
];

/// A caller is between its disable and its enable.
pub const INSIDE: &str = "a caller is inside";

/// [`NO_BH_STAYS_WHILE_PENDING`]
pub fn no_bh_stays(k: &Run) {
    for cpu in k.cpus.online() {
        for slot in k.bh_lrus.of(cpu) {
            if let Some(bh) = slot.peek().checked_sub(1) {
                let count = k.buffer_heads[bh as usize].b_count.peek();
                let message =
                    format!("bh{bh} stays in the bh_lru of CPU{cpu}, its b_count is {count}");
                fail_about(NO_BH_STAYS_WHILE_PENDING, message, slot.object());
            }
        }
    }
}

/// [`NO_FOLIO_RESTS_WHILE_PENDING`]
pub fn no_folio_rests(k: &Run) {
    for cpu in k.cpus.online() {
        let batch = &k.cpu_fbatches.of(cpu).lru_add;
        if let Some(folio) = batch.entries().first() {
            let count = k.folios[*folio].refcount.peek();
            let message = format!(
                "folio{folio} rests in the lru_add batch of CPU{cpu}, its reference count is {count}"
            );
            fail_about(NO_FOLIO_RESTS_WHILE_PENDING, message, batch.nr.object());
        }
    }
}

/// [`DISABLED_UNTIL_THE_LAST_ENABLE`], asked by a caller between its disable and its enable.
pub fn is_still_disabled(k: &Run) {
    if !(k.tree.swap.lru_cache_disabled)(k) {
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

/// [`EXTRA_REFERENCE_IS_TRANSIENT`], when the adder has returned.
pub fn the_last_retry_can_freeze(k: &Run) {
    let refcount = &k.folios[0].refcount;
    if refcount.peek() != 1 {
        let message = format!("the last retry finds {} references, expects 1", refcount.peek());
        fail_about(EXTRA_REFERENCE_IS_TRANSIENT, message, refcount.object());
    }
}
