//! kernel-lru section D: what PG_lru says about a folio while batches that move it hold it, and
//! what isolation makes of that.

use selvedge_kernel::{Name, fail_about, plain_write};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::swap::{
    deactivate_file_folio, folio_activate, folio_get, folio_put, folio_rotate_reclaimable,
    lru_add_drain, lru_add_drain_all,
};
use selvedge_models::mm::vmscan::folio_isolate_lru;
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::{ALONE, SC};
use crate::Source::{self, Analysis};
use crate::calls::{Arg, Call, call};
use crate::functions::{FOLIO_ACTIVATE, FOLIO_ISOLATE_LRU, LRU_ADD_DRAIN};
use crate::rules::*;
use crate::states::{CLAIMED, FREED, ISOLATED, RESTED, TO_BE_ISOLATED};
use crate::{Answers, Run, Scenario, ask, calls, cpu};

/// A folio on the LRU; batches of three, so that two entries rest.
pub(super) const LISTED: Machine = Machine::TINY.listed().operations().batch(3);

pub(super) const FOLIO: &[Arg] = &[Arg::Folio(0)];
pub(super) const ACTIVATE_AND_DRAIN: &[Call] =
    &[call(FOLIO_ACTIVATE, FOLIO), call(LRU_ADD_DRAIN, &[])];
pub(super) const ISOLATE: &[Call] = &[call(FOLIO_ISOLATE_LRU, FOLIO)];

pub(super) fn activate(k: &Run) {
    folio_activate(k, &k.folios[0]);
}

pub(super) fn activate_and_drain(k: &Run) {
    activate(k);
    lru_add_drain(k);
}

fn rotate(k: &Run) {
    folio_rotate_reclaimable(k, &k.folios[0]);
}

fn isolate_and_tell(k: &Run) {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        plain_write(&k.outcome, 1);
    }
}

const CLAIMED_AT_DRAIN: Source =
    Source::analysis("a drain clears PG_lru before it moves a folio, as up to 6.10");

static ADD_THEN_ISOLATE: Scenario = Scenario {
    name: "activate_vs_drain_and_isolate",
    about: "CPU0 activates the folio; CPU1 drains every CPU and isolates the folio, of which it \
            has a reference.",
    machine: LISTED,
    tasks: &[
        cpu(0, "user", activate),
        cpu(1, "isolator", |k| {
            lru_add_drain_all(k);
            if !folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                let message = "folio0 cannot be isolated, and nobody else has isolated it";
                fail_about(DRAINED_FOLIO_CAN_BE_ISOLATED, message, k.folios[0].flags.object());
            }
        }),
    ],
    ..Scenario::EMPTY
};

static TWO_BATCHES_AND_ISOLATE: Scenario = Scenario {
    name: "two_activate_batches_and_isolate",
    about: "CPU0 and CPU1 each activate the folio and drain their batches; CPU2 isolates it.",
    machine: LISTED.cpus(3),
    tasks: &[
        calls(0, "user", ACTIVATE_AND_DRAIN),
        calls(1, "user", ACTIVATE_AND_DRAIN),
        calls(2, "isolator", ISOLATE),
    ],
    ..Scenario::EMPTY
};

/// Who has a reference besides the page cache.
const USER: Name = Name::new("user");

static ACTIVATE_VS_LAST_PUT: Scenario = Scenario {
    name: "activate_vs_last_put",
    about: "CPU0 has a reference, activates the folio, drops the reference and drains; CPU1 drops \
            the page cache's. (Without a reference of its own CPU0 would use a freed folio in any \
            tree.)",
    machine: LISTED,
    setup: |k| folio_get(&k.folios[0], USER),
    tasks: &[
        cpu(0, "user", |k| {
            activate(k);
            folio_put(k, &k.folios[0], USER);
            lru_add_drain(k);
        }),
        cpu(1, "putter", |k| folio_put(k, &k.folios[0], PAGE_CACHE)),
    ],
    at_end: Some(no_freed_folio_is_linked),
    ..Scenario::EMPTY
};

static ACTIVATE_VS_ROTATE: Scenario = Scenario {
    name: "activate_vs_rotate",
    about: "CPU0 activates the folio, CPU1 rotates it. The callers have references of their own.",
    machine: LISTED,
    tasks: &[cpu(0, "user", activate), cpu(1, "writeback", rotate)],
    at_end: Some(batched_folio_has_flag_clear),
    ..Scenario::EMPTY
};

static ACTIVATE_ROTATE_ISOLATE: Scenario = Scenario {
    name: "activate_rotate_isolate",
    about: "CPU0 activates the folio, CPU1 rotates it, CPU2 isolates it. The callers have \
            references of their own.",
    machine: LISTED.cpus(3),
    tasks: &[
        cpu(0, "user", activate),
        cpu(1, "writeback", rotate),
        cpu(2, "isolator", isolate_and_tell),
    ],
    at_end: Some(folio_is_in_one_batch),
    ..Scenario::EMPTY
};

static ISOLATE_ACTIVATE_ROTATE: Scenario = Scenario {
    name: "isolate_activate_rotate",
    at_end: Some(isolated_folio_is_not_moved),
    ..ACTIVATE_ROTATE_ISOLATE
};

fn deactivate(k: &Run) {
    deactivate_file_folio(k, &k.folios[0]);
}

static DEACTIVATE_ISOLATED: Scenario = Scenario {
    name: "deactivate_after_isolate",
    about: "CPU1 has isolated the folio. Then CPU0 calls deactivate_file_folio().",
    machine: LISTED,
    before: &[calls(1, "isolator", ISOLATE)],
    tasks: &[cpu(0, "user", deactivate)],
    at_end: Some(folio_gained_no_batch),
    ..Scenario::EMPTY
};

static DEACTIVATE_VS_ISOLATE: Scenario = Scenario {
    name: "deactivate_vs_isolate",
    about: "CPU1 isolates the folio while CPU0 calls deactivate_file_folio().",
    machine: LISTED,
    tasks: &[cpu(1, "isolator", isolate_and_tell), cpu(0, "user", deactivate)],
    at_end: Some(isolated_folio_gained_no_batch),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let both = &[RESTED, ISOLATED];
    vec![
        ask(DRAINED_FOLIO_CAN_BE_ISOLATED, &ADD_THEN_ISOLATE, lru("D4"), both)
            .under(SC)
            .broken_after(&[CLAIMED])
            .violated(&[&SEED_002_V4, &V6_11])
            .holds(&[&V6_10, &V6_12_117])
            .holds_as(CLAIMED_AT_DRAIN, &[&BATCHES_WITHOUT_REFERENCES]),
        ask(KERNEL_ASSERTIONS_HOLD, &TWO_BATCHES_AND_ISOLATE, lru("D6"), both)
            .under(SC)
            .holds(&[&V6_1, &V6_10, &SEED_002_V4, &V6_12_117])
            .violated_after(&[RESTED, TO_BE_ISOLATED], &[&A4_MOVE_WITHOUT_CLAIM])
            .holds_as(CLAIMED_AT_DRAIN, &[&BATCHES_WITHOUT_REFERENCES]),
        ask(NO_FREED_FOLIO_IS_LINKED, &ACTIVATE_VS_LAST_PUT, lru("D7"), &[FREED, RESTED])
            .under(SC)
            .holds(&[&SEED_002_V4, &V6_11, &V6_12_117])
            // The sheet has it violated, for a caller without a reference: see the scenario.
            .holds_as(
                Analysis("harmless, since every caller has a reference"),
                &[&D7_CLEAR_THEN_GET],
            ),
        ask(I1, &ACTIVATE_VS_ROTATE, lru("D.1"), &[RESTED])
            .under(SC)
            .holds(&[&SEED_002_V4])
            .violated(&[&V6_10]),
        ask(I2, &ACTIVATE_ROTATE_ISOLATE, lru("D.1"), both)
            .under(SC)
            .holds(&[&SEED_002_V4])
            .violated(&[&V6_10]),
        ask(I3, &ISOLATE_ACTIVATE_ROTATE, lru("D.1"), both)
            .under(SC)
            .holds(&[&SEED_002_V4])
            .violated(&[&V6_10, &V6_12_117]),
        ask(ISOLATED_FOLIO_GAINS_NO_BATCH, &DEACTIVATE_ISOLATED, lru("D12"), &[ISOLATED])
            .under(ALONE)
            .violated(&[&V6_1])
            .holds(&[&SEED_002_V4, &V6_12_117]),
        ask(ISOLATED_FOLIO_GAINS_NO_BATCH, &DEACTIVATE_VS_ISOLATE, lru("D12"), both)
            .under(SC)
            .violated(&[&V6_12_117])
            .holds(&[&SEED_002_V4]),
    ]
}
