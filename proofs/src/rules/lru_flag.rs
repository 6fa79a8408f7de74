//! PG_lru, the LRU lists, and isolation.

use selvedge_kernel::{Bit, KERNEL_ASSERTIONS_HOLD, fail, fail_about};
use selvedge_models::{Kernel, NOT_LINKED, PG_ACTIVE, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE};
use selvedge_trace::Rule;

use super::Ids;
use super::batches::is_batched;
use crate::Run;

/// kernel-lru D4.
pub const DRAINED_FOLIO_CAN_BE_ISOLATED: Rule =
    Rule("after lru_add_drain_all() a folio on the LRU can be isolated");
/// kernel-lru D7.
pub const NO_FREED_FOLIO_IS_LINKED: Rule = Rule("no freed folio stays linked on an LRU list");
/// kernel-lru D12.
pub const ISOLATED_FOLIO_GAINS_NO_BATCH: Rule = Rule("an isolated folio gains no batch reference");
/// Hugh Dickins' worry about clearing PG_lru for a batch, first part.
pub const W1: Rule = Rule("W1: reclaim isolates a linked folio that rests in a batch");
/// The same, second part.
pub const W2: Rule = Rule("W2: a folio that rests with PG_lru clear is on no list");
/// The same, third part: fine either way.
pub const W3: Rule = Rule("W3: pageout() leaves a folio alone that a batch has a reference to");
/// What W1 cost: the out-of-memory kills that 0885ef470560 cures.
pub const OLDEST_GENERATION_AGES: Rule =
    Rule("MGLRU isolates a folio or the oldest generation can age");
/// What clearing PG_lru for a batch gives, first part.
pub const I1: Rule = Rule("I1: a folio in a batch that moves it has PG_lru clear");
/// The same, second part.
pub const I2: Rule = Rule("I2: a folio is in at most one batch that moves it");
/// The same, third part.
pub const I3: Rule = Rule("I3: an isolated folio is in no batch that moves it");
/// What `lru_lock` is for.
pub const LRU_SIZE_IS_LINKED_FOLIOS: Rule =
    Rule("the size of the LRU lists is the number of linked folios");
/// PG_lru comes back when an operation is over.
pub const LINKED_AT_REST_HAS_PG_LRU: Rule = Rule("a linked folio that no batch holds has PG_lru");

/// What each operation on a list is for.
pub const A_DRAINED_FOLIO_IS_WHERE_IT_SHOULD_BE: Rule =
    Rule("a drained folio is on the list, and with the flags, that its last operation is for");

pub(super) const IDS_OF_LRU_FLAG: Ids = &[
    ("drained-isolates", DRAINED_FOLIO_CAN_BE_ISOLATED),
    ("freed-linked", NO_FREED_FOLIO_IS_LINKED),
    ("isolated-batched", ISOLATED_FOLIO_GAINS_NO_BATCH),
    ("reclaim-isolates", W1),
    ("flag-means-linked", W2),
    ("pageout-spares", W3),
    ("generation-ages", OLDEST_GENERATION_AGES),
    ("batched-flag-clear", I1),
    ("one-moving-batch", I2),
    ("isolated-not-moved", I3),
    ("lru-size", LRU_SIZE_IS_LINKED_FOLIOS),
    ("flag-comes-back", LINKED_AT_REST_HAS_PG_LRU),
    ("where-it-should-be", A_DRAINED_FOLIO_IS_WHERE_IT_SHOULD_BE),
];

/// How many batches that move a folio hold folio0: all but lru_add.
fn moving_batches(k: &Kernel) -> usize {
    let batches = k.cpus.possible().flat_map(|cpu| {
        let [_, moving @ ..] = k.cpu_fbatches.of(cpu).all();
        moving
    });
    batches.filter(|batch| batch.entries().contains(&0)).count()
}

/// [`NO_FREED_FOLIO_IS_LINKED`]
pub fn no_freed_folio_is_linked(k: &Run) {
    for folio in &k.folios {
        if folio.freed.peek() != 0 && folio.linked.peek() != NOT_LINKED {
            let message = format!("folio{} was freed, and is linked", folio.index);
            fail_about(NO_FREED_FOLIO_IS_LINKED, message, folio.linked.object());
        }
    }
}

/// `KERNEL_ASSERTIONS_HOLD`: when everybody has given up the folio, it is freed, and on no list.
pub fn folio_is_freed_and_off_the_list(k: &Run) {
    let folio = &k.folios[0];
    if folio.freed.peek() == 0 || folio.linked.peek() != NOT_LINKED {
        fail(KERNEL_ASSERTIONS_HOLD, "the folio was not freed, or is still on a list");
    }
}

/// [`ISOLATED_FOLIO_GAINS_NO_BATCH`], of a folio that was isolated before.
pub fn folio_gained_no_batch(k: &Run) {
    if moving_batches(k) > 0 {
        let message = "folio0 is isolated, and a batch has a reference";
        fail_about(ISOLATED_FOLIO_GAINS_NO_BATCH, message, k.folios[0].refcount.object());
    }
}

/// The same of a folio that was isolated if [`Run::outcome`] is 1.
pub fn isolated_folio_gained_no_batch(k: &Run) {
    if k.outcome.peek() == 1 {
        folio_gained_no_batch(k);
    }
}

/// [`W2`]
pub fn flag_clear_means_on_no_list(k: &Run) {
    let folio = &k.folios[0];
    if !folio.flags.peek(PG_LRU) && folio.linked.peek() != NOT_LINKED {
        fail_about(W2, "folio0 has PG_lru clear, and is linked", folio.flags.object());
    }
}

/// [`I1`]
pub fn batched_folio_has_flag_clear(k: &Run) {
    let flags = &k.folios[0].flags;
    if moving_batches(k) > 0 && flags.peek(PG_LRU) {
        fail_about(I1, "folio0 is in a batch with PG_lru set", flags.object());
    }
}

/// [`I2`]
pub fn folio_is_in_one_batch(k: &Run) {
    let count = moving_batches(k);
    if count > 1 {
        fail_about(I2, format!("folio0 is in {count} batches"), k.folios[0].refcount.object());
    }
}

/// [`I3`]; [`Run::outcome`] is 1 if the folio was isolated.
pub fn isolated_folio_is_not_moved(k: &Run) {
    if k.outcome.peek() == 1 && moving_batches(k) > 0 {
        let message = "folio0 is isolated, and in a batch";
        fail_about(I3, message, k.folios[0].refcount.object());
    }
}

/// [`LRU_SIZE_IS_LINKED_FOLIOS`]
pub fn size_is_linked_folios(k: &Run) {
    let linked = k.folios.iter().filter(|folio| folio.linked.peek() != NOT_LINKED).count();
    if k.lru_size.peek() as usize != linked {
        let message = format!("the size is {}, {linked} folios are linked", k.lru_size.peek());
        fail_about(LRU_SIZE_IS_LINKED_FOLIOS, message, k.lru_size.object());
    }
}

/// [`LINKED_AT_REST_HAS_PG_LRU`]
pub fn linked_folios_have_the_flag(k: &Run) {
    for folio in &k.folios {
        let is_linked = folio.linked.peek() != NOT_LINKED;
        if is_linked && !folio.flags.peek(PG_LRU) && !is_batched(k, folio) {
            let message = format!("folio{} is linked with PG_lru clear", folio.index);
            fail_about(LINKED_AT_REST_HAS_PG_LRU, message, folio.flags.object());
        }
    }
}

/// [`A_DRAINED_FOLIO_IS_WHERE_IT_SHOULD_BE`]: folio0 is on this list, and of the flags that are
/// about lists it has these.
pub fn is_with(k: &Run, list: u64, flags: &[Bit]) {
    let folio = &k.folios[0];
    if folio.linked.peek() != list {
        let message = format!("folio0 is on list {}, should be on {list}", folio.linked.peek());
        fail_about(A_DRAINED_FOLIO_IS_WHERE_IT_SHOULD_BE, message, folio.linked.object());
    }
    for bit in [PG_LRU, PG_ACTIVE, PG_UNEVICTABLE, PG_MLOCKED] {
        if folio.flags.peek(bit) != flags.contains(&bit) {
            let is = if folio.flags.peek(bit) { "set" } else { "clear" };
            let message = format!("{} of folio0 is {is}", bit.name);
            fail_about(A_DRAINED_FOLIO_IS_WHERE_IT_SHOULD_BE, message, folio.flags.object());
        }
    }
}
