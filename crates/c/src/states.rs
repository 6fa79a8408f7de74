//! The states that claims want to have been reached, as far as C can tell: by what a function has
//! returned, and by what is to be seen then. The models report those of their branches, too.

use selvedge_models::UNEVICTABLE;
use selvedge_proofs::calls::{Arg, Call};
use selvedge_proofs::look::{Batch, Look, Place};
use selvedge_proofs::states::{
    DISABLED, DRAIN_WORKED, FREED, GAVE_UP, INSTALL_FOUND_CACHING_DISABLED, INSTALLED, ISOLATED,
    MADE_UNEVICTABLE, RESTED, RESTED_FOR_MLOCK, SLEPT,
};

/// A check at the end found a folio on an LRU list.
pub const LISTED: &str = "a folio is on an LRU list";
/// Another CPU executed a function for `smp_call_function_many_cond()`.
pub const IPI_RAN: &str = "an inter-processor interrupt was served";

/// All that C reports.
const KNOWN: [&str; 11] = [
    DISABLED,
    DRAIN_WORKED,
    FREED,
    GAVE_UP,
    INSTALL_FOUND_CACHING_DISABLED,
    INSTALLED,
    ISOLATED,
    MADE_UNEVICTABLE,
    RESTED,
    RESTED_FOR_MLOCK,
    SLEPT,
];

/// Those of a claim's that C reports; if there is none of them, that all tasks have come to their
/// end.
pub fn known_on_c(reached: &[&'static str]) -> Vec<&'static str> {
    let known: Vec<_> = reached.iter().copied().filter(|state| KNOWN.contains(state)).collect();
    if known.is_empty() { vec![ENDED] } else { known }
}

/// The tasks have all returned.
pub const ENDED: &str = "all tasks have returned";

/// The state that a call has come to that has returned this, on a CPU.
pub fn after(look: &dyn Look, call: &Call, cpu: usize, returned: i64) -> Option<&'static str> {
    let folio = |batch: Batch| match call.args {
        [Arg::Folio(folio)] => look.value(Place::InBatch { cpu, batch, folio: *folio }) > 0,
        _ => false,
    };
    let in_slot = || {
        let [Arg::Bh(bh)] = call.args else { return false };
        let place = |slot| Place::BhLruSlot { cpu, slot };
        (0..look.bh_lru_size()).any(|slot| look.value(place(slot)) == *bh as i64 + 1)
    };
    match call.function.name {
        "lru_cache_disable" => Some(DISABLED),
        "folio_add_lru" => folio(Batch::Add).then_some(RESTED),
        "folio_activate" => folio(Batch::Activate).then_some(RESTED),
        "folio_rotate_reclaimable" => folio(Batch::Rotate).then_some(RESTED),
        "mlock_folio" | "mlock_new_folio" => folio(Batch::Mlock).then_some(RESTED_FOR_MLOCK),
        "folio_isolate_lru" => (returned != 0).then_some(ISOLATED),
        "folio_lock_killable" => (returned != 0).then_some(GAVE_UP),
        "bh_lru_install" if in_slot() => Some(INSTALLED),
        "bh_lru_install" => Some(INSTALL_FOUND_CACHING_DISABLED),
        _ => None,
    }
}

/// What is so when all tasks have returned.
pub fn at_end(look: &dyn Look) -> Vec<&'static str> {
    let lists: Vec<i64> = (0..look.folios()).map(|folio| look.value(Place::List(folio))).collect();
    let mut states = vec![ENDED];
    if lists.iter().any(|&list| list != 0) {
        states.push(LISTED);
    }
    if lists.contains(&(UNEVICTABLE as i64)) {
        states.push(MADE_UNEVICTABLE);
    }
    states
}
