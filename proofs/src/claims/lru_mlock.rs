//! mlock and munlock of folios that batches hold: kernel-lru A.5, and what we found besides.

use selvedge_kernel::{join, set_bit};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::{mlock_drain_local, mlock_folio, mlock_new_folio, munlock_folio};
use selvedge_models::mm::swap::{folio_activate, folio_add_lru, lru_add_drain, lru_add_drain_all};
use selvedge_models::mm::vmscan::{
    FOUND_MLOCKED, isolate_lru_folios, move_folios_to_lru, shrink_active_list, shrink_inactive_list,
};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PG_MLOCKED};

use super::lru_flag::{ACTIVATE_AND_DRAIN, FOLIO, ISOLATE, LISTED};
use super::{ALONE, SC, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::calls::{Call, call};
use crate::functions::*;
use crate::rules::*;
use crate::states::{
    MADE_UNEVICTABLE, MLOCK_FOUND_IT_OFF_THE_LRU, MUNLOCK_COULD_NOT_ISOLATE, RESTED,
    RESTED_FOR_MLOCK,
};
use crate::{Answers, Run, Scenario, ask, calls, cpu};

const MLOCK_AND_DRAIN: &[Call] = &[call(MLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])];

static ACTIVATE_MLOCK_DRAIN: Scenario = Scenario {
    name: "activate_then_mlock_and_drain",
    about: "One CPU: the folio is activated, and rests in a batch; it is mlocked and the mlock \
            batch drained; then all batches are drained.",
    machine: LISTED.cpus(1).mlock(),
    tasks: &[calls(
        0,
        "user",
        &[
            call(FOLIO_ACTIVATE, FOLIO),
            call(MLOCK_FOLIO, FOLIO),
            call(MLOCK_DRAIN_LOCAL, &[]),
            call(LRU_ADD_DRAIN_ALL, &[]),
        ],
    )],
    look: mlocked_folio_is_unevictable,
    ..Scenario::EMPTY
};

static ACTIVATE_VS_MLOCK: Scenario = Scenario {
    name: "activate_and_drain_vs_mlock_and_drain",
    about: "CPU0 activates the folio and drains its batches while CPU1 mlocks it and drains its \
            own.",
    machine: LISTED.mlock(),
    tasks: &[calls(0, "user", ACTIVATE_AND_DRAIN), calls(1, "mlocker", MLOCK_AND_DRAIN)],
    look: mlocked_folio_is_unevictable,
    ..Scenario::EMPTY
};

static MLOCKED_WHILE_ADDED: Scenario = Scenario {
    name: "mlock_while_in_lru_add_batch",
    about: "A folio that is mlocked while it is in the lru_add batch: the drain finds PG_mlocked.",
    machine: NEW.cpus(1),
    tasks: &[cpu(0, "user", |k| {
        folio_add_lru(k, &k.folios[0]);
        set_bit(PG_MLOCKED, &k.folios[0].flags);
        lru_add_drain(k);
    })],
    at_end: Some(added_mlocked_folio_is_unevictable),
    ..Scenario::EMPTY
};

static MLOCK_VS_ISOLATE: Scenario = Scenario {
    name: "mlock_vs_isolate",
    about: "CPU0 mlocks the folio and drains; CPU1 isolates it.",
    machine: LISTED.mlock(),
    tasks: &[calls(0, "mlocker", MLOCK_AND_DRAIN), calls(1, "isolator", ISOLATE)],
    ..Scenario::EMPTY
};

static MLOCKED_WHILE_ISOLATED: Scenario = Scenario {
    name: "mlocked_while_reclaim_has_it",
    about: "CPU0 has isolated the folio for reclaim. CPU1 mlocks it, and drains. Then CPU0 puts it \
            back, and drains.",
    machine: LISTED.mlock(),
    before: &[
        cpu(0, "reclaim", |k| {
            isolate_lru_folios(k, ISOLATION);
        }),
        calls(1, "mlocker", MLOCK_AND_DRAIN),
    ],
    tasks: &[cpu(0, "reclaim", |k| {
        move_folios_to_lru(k, &k.folios[0], ISOLATION);
        lru_add_drain(k);
    })],
    at_end: Some(added_mlocked_folio_is_unevictable),
    ..Scenario::EMPTY
};

const DRAIN: &[Call] = &[call(LRU_ADD_DRAIN, &[])];

/// New folios in batches of three, so that nothing is flushed for being full.
const NEW: Machine = Machine::TINY.batch(3).mlock();

static ADD_VS_MUNLOCK: Scenario = Scenario {
    name: "lru_add_drain_vs_mlock_and_munlock",
    about: "A new folio rests in CPU0's lru_add batch. CPU0 drains its batches; CPU1 mlocks the \
            folio, munlocks it, and drains its own.",
    machine: NEW,
    before: &[calls(0, "adder", &[call(FOLIO_ADD_LRU, FOLIO)])],
    tasks: &[
        calls(0, "drainer", DRAIN),
        calls(
            1,
            "mlocker",
            &[call(MLOCK_FOLIO, FOLIO), call(MUNLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])],
        ),
    ],
    look: folio_is_not_stranded,
    ..Scenario::EMPTY
};

static NEW_VS_MUNLOCK: Scenario = Scenario {
    name: "mlock_new_drain_vs_munlock",
    about: "A new folio that is mlocked rests in CPU0's mlock batch. CPU0 drains it; CPU1 munlocks \
            the folio, and drains its own.",
    before: &[calls(0, "page fault", &[call(MLOCK_NEW_FOLIO, FOLIO)])],
    tasks: &[
        calls(0, "drainer", DRAIN),
        calls(1, "munlocker", &[call(MUNLOCK_FOLIO, FOLIO), call(LRU_ADD_DRAIN, &[])]),
    ],
    ..ADD_VS_MUNLOCK
};

static NEW_VS_MLOCK: Scenario = Scenario {
    name: "mlock_new_drain_vs_mlock",
    about: "A new folio that is mlocked rests in CPU0's mlock batch. CPU0 drains it; CPU1 mlocks \
            the folio once more, and drains its own.",
    tasks: &[calls(0, "drainer", DRAIN), calls(1, "mlocker", MLOCK_AND_DRAIN)],
    look: new_mlocked_folio_is_unevictable,
    ..NEW_VS_MUNLOCK
};

/// What [`ACTIVATE_MLOCK_DRAIN`] does.
fn activate_mlock_drain(k: &Run) {
    folio_activate(k, &k.folios[0]);
    mlock_folio(k, &k.folios[0]);
    mlock_drain_local(k);
    lru_add_drain_all(k);
}

/// A pass of reclaim over the active list, or over the inactive one: lists that are one here.
fn scan_active(k: &Run) {
    shrink_active_list(k, ISOLATION);
    lru_add_drain(k);
}

fn scan_inactive(k: &Run) {
    shrink_inactive_list(k, ISOLATION);
    lru_add_drain(k);
}

static MLOCKED_THEN_RECLAIMED: Scenario = Scenario {
    name: "reclaim_after_activate_and_mlock",
    about: "The same; then reclaim scans the active list, and drains.",
    machine: LISTED.cpus(1).mlock(),
    before: &[cpu(0, "user", activate_mlock_drain)],
    tasks: &[cpu(0, "reclaim", scan_active)],
    at_end: Some(reclaimed_mlocked_folio_is_unevictable),
    ..Scenario::EMPTY
};

static MLOCKED_THEN_SHRUNK: Scenario = Scenario {
    name: "reclaim_of_inactive_after_activate_and_mlock",
    about: "The same of the inactive list.",
    tasks: &[cpu(0, "reclaim", scan_inactive)],
    ..MLOCKED_THEN_RECLAIMED
};

static STRANDED_THEN_RECLAIMED: Scenario = Scenario {
    name: "reclaim_after_mlock_new_drain_vs_munlock",
    about: "A new folio that is mlocked rests in CPU0's mlock batch. CPU0 drains it; CPU1 munlocks \
            the folio, and drains its own. Then CPU0 reclaims from both lists, and drains.",
    machine: NEW,
    // Reclaim comes when the others have returned, so that the tasks are not in a list.
    setup: |k| {
        join(k.task(0, "page fault", |k| mlock_new_folio(k, &k.folios[0])));
        let drainer = k.task(0, "drainer", |k| lru_add_drain(k));
        let munlocker = k.task(1, "munlocker", |k| {
            munlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        join(drainer);
        join(munlocker);
        join(k.task(0, "reclaim", |k| {
            scan_active(k);
            scan_inactive(k);
        }));
    },
    look: folio_is_not_stranded,
    ..Scenario::EMPTY
};

pub(super) fn claims_of_flag() -> Vec<Answers> {
    let clears_itself = Analysis("the mlock batch clears PG_lru itself");
    let race = Analysis("kernel-lru:A.5");
    let added = Source::lru("A.5");
    vec![
        ask(MLOCKED_FOLIO_IS_UNEVICTABLE, &ACTIVATE_MLOCK_DRAIN, clears_itself, &[RESTED])
            .under(ALONE)
            .holds(&[&V5_11, &V5_13, &V5_15, &V5_18, &V6_1, &V6_1_192, &V6_6])
            .violated(&[&V6_11_5])
            .holds(&[&V6_10])
            .violated(&[&SEED_002_V4, &V6_11])
            .holds(&[&V6_12_117, &V6_17, &BATCHES_WITHOUT_REFERENCES]),
        ask(MLOCKED_FOLIO_IS_UNEVICTABLE, &ACTIVATE_VS_MLOCK, race, &[RESTED])
            .under(SC)
            .violated(&[&V5_11, &V6_1, &V6_10, &SEED_002_V4, &V6_12_117]),
        // In 5.10 and before a batch left PG_lru set while it moved a folio; that is not modelled.
        ask(MLOCKED_FOLIO_IS_UNEVICTABLE, &MLOCKED_WHILE_ADDED, added, &[RESTED])
            .under(ALONE)
            .holds(&[&V5_11, &V6_1, &V6_12_117]),
    ]
}

pub(super) fn claims_of_operations() -> Vec<Answers> {
    let lru = Source::lru;
    let own = Analysis("what the step is there for");
    let off_the_lru = &[MLOCK_FOUND_IT_OFF_THE_LRU, MADE_UNEVICTABLE];
    // The comment in lru_add() says that PG_mlocked is cleared under lru_lock alone;
    // __munlock_folio() does not take it if PG_lru is clear, as it is as long as the folio is in
    // this batch.
    let unlocked = Analysis("__munlock_folio() clears PG_mlocked unlocked");
    let stranded: &[&str] = &[RESTED, MUNLOCK_COULD_NOT_ISOLATE];
    let of_mlock: &[&str] = &[RESTED_FOR_MLOCK];
    let evictable = Analysis("mm/vmscan.c: reclaim asks folio_evictable() of what it isolates");
    let culled = &[MADE_UNEVICTABLE];
    let unscanned = Analysis("mm/vmscan.c: no pass of reclaim scans LRU_UNEVICTABLE");
    vec![
        ask(KERNEL_ASSERTIONS_HOLD, &MLOCK_VS_ISOLATE, lru("A.5"), off_the_lru)
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V6_10, &V6_12_117, &BATCHES_WITHOUT_REFERENCES])
            .under(SC)
            .broken_after(&[RESTED_FOR_MLOCK])
            .violated_as(own, &[&MLOCK_NO_CLAIM]),
        // What mends a folio whose mlock found it off the LRU: it is not counted, but not scanned.
        ask(
            MLOCKED_FOLIO_IS_UNEVICTABLE,
            &MLOCKED_WHILE_ISOLATED,
            Analysis("mm/vmscan.c: move_folios_to_lru() asks folio_evictable()"),
            &[MLOCK_FOUND_IT_OFF_THE_LRU],
        )
        .under(ALONE)
        .holds(&[&V6_1, &V6_12_117])
        .violated_as(own, &[&PUT_BACK_MLOCKED]),
        // What reclaim mends of these findings, and what it does not.
        ask(RECLAIM_CULLS_MLOCKED_FOLIOS, &MLOCKED_THEN_RECLAIMED, evictable, &[FOUND_MLOCKED])
            .under(ALONE)
            .holds(&[&V6_11]),
        ask(RECLAIM_CULLS_MLOCKED_FOLIOS, &MLOCKED_THEN_RECLAIMED, evictable, culled)
            .under(ALONE)
            .holds(&[&V6_12_117]),
        ask(RECLAIM_CULLS_MLOCKED_FOLIOS, &MLOCKED_THEN_SHRUNK, evictable, &[FOUND_MLOCKED])
            .under(ALONE)
            .holds(&[&V6_11])
            .violated_as(own, &[&V6_11_PUT_BACK_MLOCKED]),
        ask(EVICTABLE_FOLIO_IS_NOT_STRANDED, &STRANDED_THEN_RECLAIMED, unscanned, of_mlock)
            .under(SC)
            .violated_after(of_mlock, &[&V6_1, &V6_12_117]),
        ask(EVICTABLE_FOLIO_IS_NOT_STRANDED, &ADD_VS_MUNLOCK, unlocked, stranded)
            .under(SC)
            .holds_as(lru("A6"), &[&V5_11])
            .broken_after(&[RESTED, RESTED_FOR_MLOCK, MLOCK_FOUND_IT_OFF_THE_LRU])
            .violated(&[&V6_1, &V6_12_117]),
        ask(EVICTABLE_FOLIO_IS_NOT_STRANDED, &NEW_VS_MUNLOCK, unlocked, of_mlock)
            .under(SC)
            .violated(&[&V6_1, &V6_12_117]),
        ask(
            MLOCKED_FOLIO_IS_UNEVICTABLE,
            &NEW_VS_MLOCK,
            lru("A.5"),
            &[RESTED_FOR_MLOCK, MLOCK_FOUND_IT_OFF_THE_LRU],
        )
        .under(SC)
        .holds(&[&V6_1, &V6_12_117])
        .violated_as(own, &[&MLOCK_NEW_UNCOUNTED]),
    ]
}
