//! kernel-lru section A: the per-CPU batches, their drains, and the ownership that PG_lru gives.

use selvedge_kernel::{Name, atomic_dec, booked, reached, set_bit, unbooked};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::clear_page_mlock;
use selvedge_models::mm::swap::{
    FREED_BY_BATCH, folio_add_lru, folio_get, folio_put, folio_rotate_reclaimable, lru_add_drain,
};
use selvedge_models::mm::vmscan::move_folios_to_lru;
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE, PG_MLOCKED};

use super::lru_flag::{ACTIVATE_AND_DRAIN, FOLIO, ISOLATE};
use super::{DPOR, EVERY, INTERRUPT, SC, WEAK};
use crate::Source::{self, Analysis};
use crate::calls::{Call, call};
use crate::functions::{
    FOLIO_ADD_LRU, FOLIO_ROTATE_RECLAIMABLE, LRU_ADD_DRAIN, LRU_ADD_DRAIN_ALL, OWN_BATCH_IS_EMPTY,
};
use crate::rules::*;
use crate::states::{
    DRAIN_LEFT_TO_ANOTHER, FREED, ISOLATED, MUNLOCK_COULD_NOT_ISOLATE, RECLAIM_FREED,
    RECLAIM_PUT_BACK, RESTED, SKIPPED,
};
use crate::{Answers, Scenario, ask, calls, cpu, irq};

static ADD_AND_DRAIN_VS_DRAIN: Scenario = Scenario {
    name: "add_and_drain_vs_drain",
    about: "CPU0 adds a folio to its batch and calls lru_add_drain_all(); CPU1 is somewhere in \
            lru_add_drain_all().",
    tasks: &[
        calls(
            0,
            "adder",
            &[
                call(FOLIO_ADD_LRU, FOLIO),
                call(LRU_ADD_DRAIN_ALL, &[]),
                call(OWN_BATCH_IS_EMPTY, &[]),
            ],
        ),
        calls(1, "drainer", &[call(LRU_ADD_DRAIN_ALL, &[])]),
    ],
    ..Scenario::EMPTY
};

const ROTATE_AND_DRAIN: &[Call] =
    &[call(FOLIO_ROTATE_RECLAIMABLE, FOLIO), call(LRU_ADD_DRAIN, &[])];

pub(super) static ROTATE_INTERRUPTS_DRAIN: Scenario = Scenario {
    name: "rotate_interrupts_drain",
    about: "CPU0 has folio0 in its rotate batch and drains; an interrupt on CPU0 rotates folio1 at \
            any step. Batches of three, so that nothing is flushed for being full.",
    machine: Machine::TINY.cpus(1).folios(2).batch(3).listed(),
    tasks: &[
        calls(0, "drainer", ROTATE_AND_DRAIN),
        irq(0, "irq", |k| folio_rotate_reclaimable(k, &k.folios[1])),
    ],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static DRAIN_VS_ISOLATE: Scenario = Scenario {
    name: "drain_vs_isolate",
    about: "CPU0 has the folio in its activate batch and drains it; CPU1 isolates the folio.",
    machine: Machine::TINY.listed().operations(),
    tasks: &[calls(0, "drainer", ACTIVATE_AND_DRAIN), calls(1, "isolator", ISOLATE)],
    ..Scenario::EMPTY
};

/// Whoever has the last reference of a truncated folio.
const USER: Name = Name::new("a user");

static PUTBACK_VS_LAST_PUT: Scenario = Scenario {
    name: "putback_vs_last_put",
    about: "CPU0 puts back an isolated folio that nobody caches any more; CPU1 drops the only \
            other reference.",
    setup: |k| {
        let folio = &k.folios[0];
        folio_get(folio, ISOLATION);
        // The page cache's reference passes to the user: the folio was truncated.
        unbooked(&folio.refcount, PAGE_CACHE);
        booked(&folio.refcount, USER);
    },
    tasks: &[
        cpu(0, "reclaim", |k| move_folios_to_lru(k, &k.folios[0], ISOLATION)),
        cpu(1, "putter", |k| folio_put(k, &k.folios[0], USER)),
    ],
    at_end: Some(folio_is_freed_and_off_the_list),
    ..Scenario::EMPTY
};

static ADD_VS_MUNLOCK: Scenario = Scenario {
    name: "add_vs_munlock",
    about: "CPU0 drains a mlocked folio from its lru_add batch; CPU1 clears PG_mlocked.",
    setup: |k| set_bit(PG_MLOCKED, &k.folios[0].flags),
    tasks: &[
        cpu(0, "adder", |k| {
            folio_add_lru(k, &k.folios[0]);
            lru_add_drain(k);
        }),
        cpu(1, "unlocker", |k| clear_page_mlock(k, &k.folios[0])),
    ],
    at_end: Some(folio_is_not_stranded),
    ..Scenario::EMPTY
};

static TWO_ROTATIONS: Scenario = Scenario {
    name: "two_operations_on_one_folio",
    about: "CPU0 and CPU1 each put the folio in their rotate batch and drain it.",
    machine: Machine::TINY.listed(),
    tasks: &[calls(0, "rotator", ROTATE_AND_DRAIN), calls(1, "rotator", ROTATE_AND_DRAIN)],
    look: entries_own_references,
    ..Scenario::EMPTY
};

static DRAIN_OF_DEAD: Scenario = Scenario {
    name: "drain_vs_last_put_but_the_batch",
    about: "A new folio rests in CPU0's lru_add batch. CPU0 drains it; CPU1 drops the only other \
            reference.",
    machine: Machine::TINY.batch(3),
    before: &[calls(0, "adder", &[call(FOLIO_ADD_LRU, FOLIO)])],
    tasks: &[
        calls(0, "drainer", &[call(LRU_ADD_DRAIN, &[])]),
        cpu(1, "putter", |k| folio_put(k, &k.folios[0], PAGE_CACHE)),
    ],
    at_end: Some(folio_is_freed_and_off_the_list),
    ..Scenario::EMPTY
};

const PUT: &str = "a reference is put";

static PUT_WITHOUT_GET: Scenario = Scenario {
    name: "put_without_get",
    about: "One task gives up a reference that nobody holds: what the ledger is there to notice.",
    machine: Machine::TINY.cpus(1),
    tasks: &[cpu(0, "putter", |k| {
        reached(PUT);
        unbooked(&k.folios[0].refcount, Name::new("nobody"));
        atomic_dec(&k.folios[0].refcount);
    })],
    ..Scenario::EMPTY
};

const OWN_CPU_FIRST: Source =
    Source::Mail("mm: lru_add_drain_all() do local lru_add_drain() first, 2025-09-08");
const FROZEN: Source =
    Source::analysis("mm/swap.c of f078b0a0727c: a frozen reference is nobody else's");

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let drained =
        |states| ask(OWN_ADDITIONS_ARE_DRAINED, &ADD_AND_DRAIN_VS_DRAIN, lru("A1"), states);
    let put_back = &[RECLAIM_FREED, RECLAIM_PUT_BACK];
    let weakly_ordered = [&A1B_NO_BARRIER_BEFORE_READ, &A1C_NO_BARRIER_AFTER_BUMP, &V5_6];
    vec![
        drained(&[RESTED, DRAIN_LEFT_TO_ANOTHER])
            .under(EVERY)
            .holds(&[&V5_11, &V6_1, &V6_12_117])
            .holds_as(OWN_CPU_FIRST, &[&V6_18])
            .under(SC)
            .holds_as(OWN_CPU_FIRST, &[&MM_STABLE_2026_07])
            .holds_as(lru("A.6"), &[&V6_1_RT])
            .holds(&weakly_ordered)
            .under(WEAK)
            .violated(&weakly_ordered)
            .under(EVERY)
            .violated(&[&A1D_BUMP_AFTER_LOOP]),
        // Under the mutex no drain finds that another has done its work.
        drained(&[RESTED]).under(EVERY).holds(&[&A1E_READ_UNDER_MUTEX]),
        ask(NO_BATCH_ENTRY_IS_LOST, &ROTATE_INTERRUPTS_DRAIN, lru("A3"), &[RESTED])
            .under(INTERRUPT)
            .holds(&[&V6_1, &V6_1_RT, &V6_12_117])
            .violated(&[&A3_ROTATE_DRAIN_IRQS_ON]),
        ask(KERNEL_ASSERTIONS_HOLD, &DRAIN_VS_ISOLATE, lru("A4"), &[ISOLATED, SKIPPED])
            .under(EVERY)
            .holds(&[&V5_11, &V6_1, &V6_12_117])
            .broken_after(&[RESTED])
            .violated(&[&A4_MOVE_WITHOUT_CLAIM]),
        ask(KERNEL_ASSERTIONS_HOLD, &PUTBACK_VS_LAST_PUT, lru("A5"), put_back)
            .under(EVERY)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[FREED])
            .violated(&[&A5_PUT_BEFORE_SET_LRU]),
        ask(
            EVICTABLE_FOLIO_IS_NOT_STRANDED,
            &ADD_VS_MUNLOCK,
            lru("A6"),
            &[ISOLATED, MUNLOCK_COULD_NOT_ISOLATE],
        )
        .under(EVERY)
        .holds(&[&V5_11])
        .holds_as(
            Analysis("one word has one order; the sheet's A6 has two"),
            &[&A6_NO_BARRIER_IN_LRU_ADD],
        )
        .broken_after(&[MUNLOCK_COULD_NOT_ISOLATE])
        .violated(&[&A6_MLOCKED_READ_FIRST]),
        ask(NO_BATCH_ENTRY_IS_LOST, &TWO_ROTATIONS, lru("A7"), &[SKIPPED])
            .under(EVERY)
            .holds(&[&V5_11, &V6_1])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(KERNEL_ASSERTIONS_HOLD, &DRAIN_OF_DEAD, lru("A5"), &[FREED])
            .under(EVERY)
            .holds(&[&V6_1, &V6_12_117]),
        ask(KERNEL_ASSERTIONS_HOLD, &DRAIN_OF_DEAD, FROZEN, &[FREED, FREED_BY_BATCH])
            .under(EVERY)
            .holds(&[&MM_STABLE_2026_07]),
        ask(REFERENCES_BALANCE, &DRAIN_OF_DEAD, FROZEN, &[FREED_BY_BATCH])
            .under(SC)
            .violated(&[&BATCH_FREES_ANYTHING]),
        ask(REFERENCES_BALANCE, &PUT_WITHOUT_GET, Analysis("nobody holds it"), &[PUT])
            .under(EVERY)
            .violated(&[&V6_1]),
    ]
}
