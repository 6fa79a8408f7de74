//! Batches that take no reference of their folios, and mlocks that are counted at once: what a new
//! folio in a batch may go through, and what becomes of counts.

use selvedge_kernel::READ_ONCE;
use selvedge_models::mm::mlock::{
    COUNTED_AGAIN, MUNLOCK_FOUND_IT_OFF_THE_LRU, add_mlocked_folio, mlock_folio, munlock_folio,
};
use selvedge_models::mm::movable::alloc_page;
use selvedge_models::mm::swap::{
    BATCHED_FOLIO_WAS_FREED, BATCHED_FOLIO_WAS_TAKEN, folio_add_lru, folio_put,
    folio_rotate_reclaimable, lru_add_drain,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, folio_putback_lru};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::lru_flag::{FOLIO, ISOLATE};
use super::{ALONE, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::Source::{self, Analysis};
use crate::calls::{Call, call};
use crate::functions::*;
use crate::rules::*;
use crate::states::{FREED, ISOLATED, MADE_UNEVICTABLE, RESTED, RESTED_FOR_MLOCK, TO_BE_ISOLATED};
use crate::{Answers, Run, Scenario, ask, calls, cpu};

/// New folios in batches of four, so that nothing is flushed for being full.
const NEW: Machine = Machine::TINY.batch(4);
/// The same of a folio that is on a list.
const LISTED: Machine = NEW.listed().mlock();

const ADD: &[Call] = &[call(FOLIO_ADD_LRU, FOLIO)];
const DRAIN: &[Call] = &[call(LRU_ADD_DRAIN, &[])];

static ISOLATED_FROM_BATCH: Scenario = Scenario {
    name: "isolated_from_lru_add_batch",
    about: "A new folio rests in CPU0's lru_add batch. CPU0 drains it; CPU1 isolates the folio.",
    machine: NEW,
    before: &[calls(0, "adder", ADD)],
    tasks: &[calls(0, "drainer", DRAIN), calls(1, "isolator", ISOLATE)],
    ..Scenario::EMPTY
};

static ADDED_AND_ISOLATED: Scenario = Scenario {
    name: "added_while_isolated",
    about: "CPU0 adds a new folio to its batch; CPU1, which has seen it in the page cache, \
            isolates it.",
    machine: NEW,
    tasks: &[calls(0, "adder", ADD), calls(1, "isolator", ISOLATE)],
    ..Scenario::EMPTY
};

static FREED_FROM_BATCH: Scenario = Scenario {
    name: "freed_from_lru_add_batch_and_added_anew",
    about: "A new folio rests in CPU0's lru_add batch. CPU0 drains it; CPU1 drops the page cache's \
            reference. If that was the last, CPU1 allocates the page anew, adds it to its own \
            batch, and drains.",
    machine: NEW.zone_lock(),
    before: &[calls(0, "adder", ADD)],
    tasks: &[
        calls(0, "drainer", DRAIN),
        cpu(1, "truncation", |k| {
            let folio = &k.folios[0];
            folio_put(k, folio, PAGE_CACHE);
            if READ_ONCE(&folio.freed) != 0 {
                alloc_page(k, folio, PAGE_CACHE);
                folio_add_lru(k, folio);
                lru_add_drain(k);
            }
        }),
    ],
    at_end: Some(no_freed_folio_is_linked),
    ..Scenario::EMPTY
};

static ADD_VS_MUNLOCK: Scenario = Scenario {
    name: "lru_add_drain_vs_munlock_of_new",
    about: "A new folio that is mlocked rests in CPU0's batch. CPU0 drains it; CPU1 munlocks the \
            folio, and drains its own.",
    machine: NEW.mlock(),
    before: &[cpu(0, "page fault", |k| add_mlocked_folio(k, &k.folios[0]))],
    tasks: &[
        calls(0, "drainer", DRAIN),
        calls(1, "munlocker", &[call(MUNLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])]),
    ],
    look: folio_is_not_stranded,
    ..Scenario::EMPTY
};

const AGAIN: &[Call] =
    &[call(MUNLOCK_FOLIO, FOLIO), call(MLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])];

static MLOCKED_AGAIN: Scenario = Scenario {
    name: "mlocked_again_while_mlock_rests",
    about: "CPU0 mlocks a folio of a list, which rests in its mlock batch. CPU1 munlocks the \
            folio, mlocks it again, and drains its own. Then CPU0 drains; CPU1 munlocks it for \
            good, and drains.",
    machine: LISTED,
    before: &[calls(0, "mlocker", &[call(MLOCK_FOLIO, FOLIO)]), calls(1, "mlocker", AGAIN)],
    tasks: &[
        calls(0, "drainer", DRAIN),
        calls(1, "munlocker", &[call(MUNLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])]),
    ],
    look: folio_is_not_left_mlocked,
    ..Scenario::EMPTY
};

static MLOCKED_AGAIN_ALONE: Scenario = Scenario {
    name: "mlocked_again_in_one_batch",
    about: "One CPU: a folio of a list is mlocked, munlocked and mlocked again; the mlock batch \
            has all three, and is drained. Then the folio is munlocked, and drained.",
    machine: LISTED.cpus(1),
    tasks: &[cpu(0, "user", |k| {
        mlock_folio(k, &k.folios[0]);
        munlock_folio(k, &k.folios[0]);
        mlock_folio(k, &k.folios[0]);
        lru_add_drain(k);
        munlock_folio(k, &k.folios[0]);
        lru_add_drain(k);
    })],
    look: folio_is_not_left_mlocked,
    ..Scenario::EMPTY
};

static MLOCK_OF_REUSED: Scenario = Scenario {
    name: "mlock_rests_while_its_page_is_used_anew",
    about: "CPU0 mlocks a folio of a list and munlocks it; both rest. CPU1 drops the last \
            reference, allocates the page anew for a VMA that is mlocked, and drains. CPU0 drains; \
            then CPU1 munlocks the new folio, and drains.",
    machine: LISTED,
    before: &[
        calls(0, "mlocker", &[call(MLOCK_FOLIO, FOLIO), call(MUNLOCK_FOLIO, FOLIO)]),
        cpu(1, "page fault", |k| {
            let folio = &k.folios[0];
            folio_put(k, folio, PAGE_CACHE);
            alloc_page(k, folio, PAGE_CACHE);
            add_mlocked_folio(k, folio);
            lru_add_drain(k);
        }),
        calls(0, "drainer", DRAIN),
    ],
    tasks: &[calls(1, "munlocker", &[call(MUNLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])])],
    look: folio_is_not_left_mlocked,
    ..Scenario::EMPTY
};

fn is_put_back_and_mlocked(k: &Run) {
    let folio = &k.folios[0];
    if folio_isolate_lru(k, folio, selvedge_models::mm::migrate::ISOLATION) {
        folio_putback_lru(k, folio, selvedge_models::mm::migrate::ISOLATION);
        mlock_folio(k, folio);
    }
}

static PUT_BACK_MLOCKED_ROTATED: Scenario = Scenario {
    name: "mlocked_in_lru_add_batch_then_rotated",
    about: "CPU1 rotates a folio of a list, which rests. CPU0 isolates it and puts it back, into \
            its lru_add batch, and mlocks it there. CPU1 drains, then CPU0.",
    machine: LISTED,
    before: &[
        cpu(1, "writeback", |k| folio_rotate_reclaimable(k, &k.folios[0])),
        cpu(0, "isolator", is_put_back_and_mlocked),
        calls(1, "drainer", DRAIN),
    ],
    tasks: &[calls(0, "drainer", DRAIN)],
    look: mlocked_folio_is_unevictable,
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let taken = Analysis("mm/folio.c: whoever clears PG_lru takes LRU_NEXT_BATCHED away, too");
    let own = Analysis("what the step is there for");
    let waits = Source::lru("A.5");
    let unlocked = Analysis("__munlock_folio() skips a folio whose drain has read PG_mlocked");
    let counted = Analysis(
        "a munlock that no count has seen is forgotten, and the mlock that it undid counted later",
    );
    let underestimates = Analysis("mm/mlock.c: an entry of an mlock that was undone finds it so");
    let rotated = Analysis("lru_move_tail() does not ask for PG_mlocked, and links the folio");
    let rests: &[&str] = &[RESTED];
    vec![
        ask(KERNEL_ASSERTIONS_HOLD, &ISOLATED_FROM_BATCH, taken, &[RESTED, ISOLATED])
            .under(SC)
            .holds(&[&BATCHES_WITHOUT_REFERENCES])
            .violated_after(&[RESTED, TO_BE_ISOLATED], &[&UNREFERENCED_MOVES_UNCLAIMED]),
        // PG_lru tells who clears it that lru_next is as it should be.
        ask(KERNEL_ASSERTIONS_HOLD, &ADDED_AND_ISOLATED, taken, &[RESTED, ISOLATED])
            .under(WEAK)
            .holds(&[&BATCHES_WITHOUT_REFERENCES])
            .violated_after(&[TO_BE_ISOLATED], &[&UNREFERENCED_NO_BARRIER]),
        ask(
            NO_FREED_FOLIO_IS_LINKED,
            &FREED_FROM_BATCH,
            taken,
            &[RESTED, FREED, BATCHED_FOLIO_WAS_FREED, BATCHED_FOLIO_WAS_TAKEN],
        )
        .under(SC_WITHOUT_RANDOM)
        .holds(&[&BATCHES_WITHOUT_REFERENCES]),
        ask(KERNEL_ASSERTIONS_HOLD, &FREED_FROM_BATCH, own, &[RESTED])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&UNREFERENCED_ADDS_TWICE]),
        ask(EVICTABLE_FOLIO_IS_NOT_STRANDED, &ADD_VS_MUNLOCK, unlocked, rests)
            .under(SC)
            .broken_after(&[RESTED, MUNLOCK_FOUND_IT_OFF_THE_LRU])
            .violated(&[&BATCHES_WITHOUT_REFERENCES]),
        ask(MUNLOCKED_FOLIO_IS_NOT_MLOCKED, &MLOCKED_AGAIN, counted, &[RESTED_FOR_MLOCK])
            .under(SC)
            .broken_after(&[RESTED_FOR_MLOCK, MADE_UNEVICTABLE, COUNTED_AGAIN])
            .violated(&[&BATCHES_WITHOUT_REFERENCES])
            .holds_as(underestimates, &[&V6_1, &V6_19]),
        ask(MUNLOCKED_FOLIO_IS_NOT_MLOCKED, &MLOCKED_AGAIN_ALONE, counted, &[RESTED_FOR_MLOCK])
            .under(ALONE)
            .broken_after(&[RESTED_FOR_MLOCK, COUNTED_AGAIN])
            .violated(&[&BATCHES_WITHOUT_REFERENCES])
            .holds_as(underestimates, &[&V6_1, &V6_19]),
        ask(MUNLOCKED_FOLIO_IS_NOT_MLOCKED, &MLOCK_OF_REUSED, counted, &[RESTED_FOR_MLOCK, FREED])
            .under(ALONE)
            .broken_after(&[RESTED_FOR_MLOCK, FREED, COUNTED_AGAIN])
            .violated(&[&BATCHES_WITHOUT_REFERENCES]),
        ask(MLOCKED_FOLIO_IS_UNEVICTABLE, &PUT_BACK_MLOCKED_ROTATED, rotated, rests)
            .under(ALONE)
            .broken_after(&[RESTED, ISOLATED, BATCHED_FOLIO_WAS_TAKEN])
            .violated(&[&BATCHES_WITHOUT_REFERENCES])
            .holds_as(waits, &[&V6_12_117]),
    ]
}
