//! Long-term pins, and the batches that stand in their way.

use selvedge_kernel::fail_about;
use selvedge_models::Kernel;
use selvedge_models::mm::migrate::Errno;
use selvedge_trace::Rule;

pub use selvedge_models::mm::gup::A_LONGTERM_PIN_MAY_STAY;

use super::Ids;
use crate::Run;

/// What draining before a long-term pin is for.
pub const PIN_DOES_NOT_FAIL_FOR_A_BATCH: Rule =
    Rule("a long-term pin does not fail while its folio rests in an LRU batch");
/// kernel-lru D5, with its assumption.
pub const PIN_ENDS_WHEN_NOBODY_ADDS: Rule =
    Rule("a long-term pin succeeds once nobody adds its folio to a batch any more");
/// kernel-lru D5, without.
pub const PIN_ENDS_WHATEVER_OTHERS_DO: Rule =
    Rule("a long-term pin ends in two rounds whatever others do");
/// kernel-lru D10: a matter of speed.
pub const PIN_DRAINS_ONLY_FOR_A_BATCH: Rule =
    Rule("a long-term pin of a folio that no batch holds drains nobody");
/// kernel-lru D11.
pub const PIN_DRAINS_FOR_EACH_FOLIO: Rule =
    Rule("a long-term pin drains for each folio that rests in a batch");

pub(super) const IDS_OF_PINS: Ids = &[
    ("pin-fails", PIN_DOES_NOT_FAIL_FOR_A_BATCH),
    ("pin-ends-at-rest", PIN_ENDS_WHEN_NOBODY_ADDS),
    ("pin-ends", PIN_ENDS_WHATEVER_OTHERS_DO),
    ("pin-may-stay", A_LONGTERM_PIN_MAY_STAY),
    ("pin-drains-in-vain", PIN_DRAINS_ONLY_FOR_A_BATCH),
    ("pin-drains-for-each", PIN_DRAINS_FOR_EACH_FOLIO),
];

const FAILED: u64 = 1;
const AGAIN: u64 = 2;

/// What a pin returned, as [`Run::outcome`] has it; 0 is success.
pub fn outcome_of_pin(returned: Result<(), Errno>) -> u64 {
    match returned {
        Ok(()) => 0,
        Err(Errno::Again) => AGAIN,
        Err(_) => FAILED,
    }
}

/// The batches of `cpu` that the folio is in; the mlock batch has no other folio in these
/// scenarios.
fn batches_with(k: &Kernel, cpu: usize, folio: usize) -> Vec<String> {
    let batches = k.cpu_fbatches.of(cpu).all();
    let of_lru = batches.iter().filter(|batch| batch.entries().contains(&folio));
    let mut names: Vec<String> = of_lru.map(|batch| batch.holder.to_string()).collect();
    let mlock = k.mlock_fbatch.of(cpu);
    if !mlock.entries().is_empty() {
        names.push(mlock.holder.to_string());
    }
    names
}

/// [`PIN_DOES_NOT_FAIL_FOR_A_BATCH`]: a pin that failed (`-ENOMEM`) while CPU0 keeps the folio in a
/// batch failed for no better reason.
pub fn pin_did_not_fail_for_a_batch(k: &Run) {
    let names = batches_with(k, 0, 0);
    if k.outcome.peek() == FAILED && !names.is_empty() {
        let message = format!("the pin failed with -ENOMEM; folio0 rests in {}", names.join(", "));
        fail_about(PIN_DOES_NOT_FAIL_FOR_A_BATCH, message, k.folios[0].refcount.object());
    }
}

/// [`PIN_ENDS_WHATEVER_OTHERS_DO`], after two rounds.
pub fn pin_has_ended(k: &Run) {
    if k.outcome.peek() == AGAIN {
        let message = "the pin was tried twice, and would be tried again";
        fail_about(PIN_ENDS_WHATEVER_OTHERS_DO, message, k.outcome.object());
    }
}

/// [`PIN_ENDS_WHEN_NOBODY_ADDS`]
pub fn pin_has_succeeded(k: &Run) {
    if k.outcome.peek() != 0 {
        let message = "CPU0 is at rest, and the pin did not succeed";
        fail_about(PIN_ENDS_WHEN_NOBODY_ADDS, message, k.folios[0].refcount.object());
    }
}

/// [`PIN_DRAINS_ONLY_FOR_A_BATCH`]
pub fn nobody_drained(k: &Run) {
    if k.lru_drain_gen.peek() != 0 {
        let message = "lru_add_drain_all() was called for a folio that no batch holds";
        fail_about(PIN_DRAINS_ONLY_FOR_A_BATCH, message, k.lru_drain_gen.object());
    }
}

/// [`PIN_DRAINS_FOR_EACH_FOLIO`]: if anything was drained, then folio1 too, or it was migrated.
pub fn drained_for_the_second_folio(k: &Run) {
    let names = batches_with(k, 0, 1);
    let is_migrated = k.i_pages[1].peek() != 2;
    if k.lru_drain_gen.peek() != 0 && !is_migrated && !names.is_empty() {
        let message = format!("folio1 was not migrated, and rests in {}", names.join(", "));
        fail_about(PIN_DRAINS_FOR_EACH_FOLIO, message, k.folios[1].refcount.object());
    }
}
