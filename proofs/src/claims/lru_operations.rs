//! What always holds of the batches that move folios, and of isolation; and who notices if one of
//! their references, locks or flags is missing.

use selvedge_kernel::{atomic_read, fail_about};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::swap::{
    folio_activate, folio_add_lru, folio_put, folio_rotate_reclaimable, lru_add_drain,
    lru_add_drain_all,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, folio_putback_lru};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::lru_flag::{LISTED, activate, activate_and_drain};
use super::{SC, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::{ADDER_GAVE_UP, DRAIN_WORKED, FREED, ISOLATED, RESTED, SKIPPED};
use crate::{Answers, Run, Scenario, ask, cpu};

static BOTH_MOVE: Scenario = Scenario {
    name: "activate_and_rotate_then_drain",
    about: "CPU0 activates the folio, CPU1 rotates it; each drains its batches.",
    machine: LISTED,
    tasks: &[
        cpu(0, "activator", activate_and_drain),
        cpu(1, "rotator", |k| {
            folio_rotate_reclaimable(k, &k.folios[0]);
            lru_add_drain(k);
        }),
    ],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static BOTH_MOVE_FLAG: Scenario =
    Scenario { at_end: Some(linked_folios_have_the_flag), ..BOTH_MOVE };

pub(super) static MOVE_VS_ISOLATE: Scenario = Scenario {
    name: "activate_folio0_isolate_folio1",
    about: "CPU0 activates folio0 and drains; CPU1 isolates folio1.",
    machine: LISTED.folios(2).lru_size(),
    tasks: &[
        cpu(0, "activator", activate_and_drain),
        cpu(1, "isolator", |k| {
            folio_isolate_lru(k, &k.folios[1], ISOLATION);
        }),
    ],
    at_end: Some(size_is_linked_folios),
    ..Scenario::EMPTY
};

static MLOCK_VS_FREE: Scenario = Scenario {
    name: "mlock_folio0_free_folio1",
    about: "CPU0 mlocks folio0 and drains; CPU1 drops the last reference of folio1.",
    machine: LISTED.folios(2).lru_size().mlock(),
    tasks: &[
        cpu(0, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        }),
        cpu(1, "putter", |k| folio_put(k, &k.folios[1], PAGE_CACHE)),
    ],
    at_end: Some(size_is_linked_folios),
    ..Scenario::EMPTY
};

static ADD_UNDER_DRAIN: Scenario = Scenario {
    name: "activate_under_the_drain",
    about: "folio1 rests in CPU0's activate batch. CPU0 activates folio0 while CPU1 drains every \
            CPU: a kworker of CPU0 empties the batch.",
    machine: LISTED.folios(2),
    before: &[cpu(0, "user", |k| folio_activate(k, &k.folios[1]))],
    tasks: &[cpu(0, "user", activate), cpu(1, "drainer", |k| lru_add_drain_all(k))],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static DRAIN_VS_DRAIN_ALL: Scenario = Scenario {
    name: "drain_vs_drain_all",
    about: "The folio rests in CPU0's activate batch. CPU0 drains its batches while CPU1 drains \
            every CPU and then looks.",
    machine: LISTED,
    before: &[cpu(0, "user", activate)],
    tasks: &[
        cpu(0, "drainer", |k| lru_add_drain(k)),
        cpu(1, "drainer of all", |k| {
            lru_add_drain_all(k);
            let count = atomic_read(&k.folios[0].refcount);
            if count != 1 {
                let message =
                    format!("lru_add_drain_all() has returned, folio0 has {count} references");
                fail_about(OWN_ADDITIONS_ARE_DRAINED, message, k.folios[0].refcount.object());
            }
        }),
    ],
    ..Scenario::EMPTY
};

fn isolate_and_put_back(k: &Run) {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        folio_putback_lru(k, &k.folios[0], ISOLATION);
    }
}

static ISOLATE_TWICE: Scenario = Scenario {
    name: "isolated_by_two",
    about: "CPU0 and CPU1 each isolate the folio, and put it back if they can.",
    machine: LISTED,
    tasks: &[cpu(0, "isolator", isolate_and_put_back), cpu(1, "isolator", isolate_and_put_back)],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static GIVE_UP: Scenario = Scenario {
    name: "activate_vs_isolate_and_putback",
    about: "CPU0 activates the folio; CPU1 isolates it and puts it back.",
    machine: LISTED,
    tasks: &[cpu(0, "user", activate), cpu(1, "isolator", isolate_and_put_back)],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static THREE_CALLERS: Scenario = Scenario {
    name: "add_vs_drain_all_vs_disable",
    about: "CPU0 adds a folio to its batch, CPU1 calls lru_add_drain_all(), CPU2 disables caching. \
            The migration is pending when we look.",
    machine: Machine::TINY.cpus(3),
    tasks: &[
        cpu(0, "adder", |k| folio_add_lru(k, &k.folios[0])),
        cpu(1, "drainer", |k| lru_add_drain_all(k)),
        cpu(2, "migrator", |k| (k.tree.swap.lru_cache_disable())(k)),
    ],
    at_end: Some(no_folio_rests),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let own = Analysis("what the step is there for");
    let isolated: &[&str] = &[ISOLATED];
    vec![
        ask(NO_BATCH_ENTRY_IS_LOST, &BOTH_MOVE, lru("A7"), &[SKIPPED])
            .under(SC)
            .holds(&[&V6_1, &V6_1_RT, &V6_12_117, &V6_12_117_RT])
            .broken_after(&[RESTED])
            .violated_as(own, &[&MOVE_NO_PUT]),
        ask(REFERENCES_BALANCE, &BOTH_MOVE, lru("O1"), &[RESTED])
            .under(SC)
            .holds(&[&V6_10, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .violated_as(own, &[&BATCH_NO_GET]),
        ask(LINKED_AT_REST_HAS_PG_LRU, &BOTH_MOVE_FLAG, lru("D.1"), &[RESTED])
            .under(SC)
            .holds(&[&V6_10, &SEED_002_V4, &V6_12_117])
            .violated_as(own, &[&MOVE_NO_SET_LRU]),
        ask(LRU_SIZE_IS_LINKED_FOLIOS, &MOVE_VS_ISOLATE, lru("O2"), isolated)
            .under(SC)
            .holds(&[&V6_10, &V6_12_117, &V6_12_117_RT])
            .violated_as(own, &[&MOVE_NO_LRU_LOCK, &ISOLATE_NO_LRU_LOCK]),
        ask(LRU_SIZE_IS_LINKED_FOLIOS, &MLOCK_VS_FREE, lru("O2"), &[FREED])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V6_10, &V6_12_117])
            .under(SC)
            .violated_as(own, &[&FREE_NO_LRU_LOCK, &MLOCK_NO_LRU_LOCK]),
        ask(NO_BATCH_ENTRY_IS_LOST, &ADD_UNDER_DRAIN, lru("0.2"), &[DRAIN_WORKED])
            .under(SC)
            .holds(&[&V6_10, &SEED_002_V4, &V6_12_117, &V6_12_117_RT])
            .under(SC_WITHOUT_RANDOM)
            .violated_as(own, &[&BATCH_NO_LOCAL_LOCK]),
        ask(OWN_ADDITIONS_ARE_DRAINED, &DRAIN_VS_DRAIN_ALL, lru("A.3"), &[DRAIN_WORKED])
            .under(SC)
            .broken_after(&[RESTED])
            .holds(&[&V6_10, &V6_12_117, &V6_12_117_RT])
            .violated_as(own, &[&MOVE_COUNT_ZEROED_FIRST]),
        ask(KERNEL_ASSERTIONS_HOLD, &ISOLATE_TWICE, lru("O2"), isolated)
            .under(SC)
            .holds(&[&V6_10, &SEED_002_V4, &V6_12_117])
            .violated_as(own, &[&ISOLATE_TEST_THEN_CLEAR]),
        ask(NO_BATCH_ENTRY_IS_LOST, &ISOLATE_TWICE, lru("O1"), isolated)
            .under(SC)
            .holds(&[&V6_12_117])
            .violated_as(own, &[&ISOLATE_NO_GET]),
        ask(NO_BATCH_ENTRY_IS_LOST, &GIVE_UP, lru("D.1"), &[ADDER_GAVE_UP])
            .under(SC)
            .holds(&[&SEED_002_V4])
            .violated_as(own, &[&V4_NO_PUT_ON_GIVING_UP]),
        ask(NO_FOLIO_RESTS_WHILE_PENDING, &THREE_CALLERS, Analysis("kernel-lru:B.2-6"), &[RESTED])
            .under(SC)
            .holds(&[&RFC_MIGRATE_PENDING, &RFC_2021_02_16])
            .holds(&[&V5_13, &V5_13_UNFORCED, &V5_15, &V5_18, &V5_18_UNFORCED])
            .holds(&[&V6_1, &V6_10, &SEED_002_V4, &V6_11, &V6_12_117])
            // With one caller a bool does what a counter does.
            .holds(&[&RFC_MIGRATE_PENDING_BOOL])
            .violated(&[&V5_11]),
    ]
}
