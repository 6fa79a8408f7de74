//! kernel-lru section D, the pins: "mm/gup: clear the LRU flag of a page before adding to LRU
//! batch", and what it is for. A long-term pin moves a folio that may not stay where it is; a
//! reference that an LRU batch holds makes that fail.

use selvedge_kernel::{join, plain_read, plain_write};
use selvedge_models::Machine;
use selvedge_models::mm::gup::{
    CHECKED_FOR_A_PIN, DRAINED_FOR_A_PIN, NOT_ISOLATED_FOR_A_PIN, follow_page_pte, madvise_cold,
    pin_user_pages_longterm,
};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::vmscan::{folio_isolate_lru, folio_putback_lru};
use selvedge_models::trees::*;

use super::{ALONE, DPOR, SC, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::{FREEZE_FAILED, MIGRATED, RESTED, RESTED_FOR_MLOCK};
use crate::{Answers, Run, Scenario, ask, cpu};

/// A folio on the LRU, mapped, and a spare one to be migrated to; batches of three.
const PINNABLE: Machine = Machine::TINY.listed().mapped().operations().batch(3);

fn pin(k: &Run, pages: usize, rounds: usize) {
    plain_write(&k.outcome, outcome_of_pin(pin_user_pages_longterm(k, pages, rounds)));
}

fn touch_then_cold(k: &Run) {
    follow_page_pte(k, 0);
    madvise_cold(k, 0);
}

const UNREFERENCED: Source = Source::analysis("an entry of a batch has no reference");

static ACTIVATED_THEN_PINNED: Scenario = Scenario {
    name: "activated_then_pinned",
    about: "CPU0 has put the folio in its activate batch, where it rests. Then CPU1 pins it for \
            long, so that it has to be migrated.",
    machine: PINNABLE.passes(1),
    before: &[cpu(0, "user", |k| follow_page_pte(k, 0))],
    tasks: &[cpu(1, "pinner", |k| pin(k, 1, 3))],
    at_end: Some(pin_did_not_fail_for_a_batch),
    ..Scenario::EMPTY
};

static MLOCKED_THEN_PINNED: Scenario = Scenario {
    name: "mlocked_then_pinned",
    about: "CPU0 has mlocked the folio, which rests in its mlock batch. Then CPU1 pins it for \
            long.",
    machine: PINNABLE.mlock().passes(1),
    before: &[cpu(0, "user", |k| mlock_folio(k, &k.folios[0]))],
    tasks: &[cpu(1, "pinner", |k| pin(k, 1, 3))],
    at_end: Some(pin_did_not_fail_for_a_batch),
    ..Scenario::EMPTY
};

static ACTIVATED_WHILE_PINNED: Scenario = Scenario {
    name: "activated_while_pinned",
    about: "CPU0 puts the folio in its activate batch while CPU1 pins it for long. A pin that \
            fails for a reference of CPU0 that is in no batch afterwards does not count.",
    machine: PINNABLE,
    tasks: &[cpu(0, "user", |k| follow_page_pte(k, 0)), cpu(1, "pinner", |k| pin(k, 1, 2))],
    at_end: Some(pin_did_not_fail_for_a_batch),
    ..Scenario::EMPTY
};

static MOVED_AGAIN_AND_AGAIN: Scenario = Scenario {
    name: "moved_again_and_again",
    about: "CPU0 activates the folio, then deactivates it, while CPU1 pins it for long, and gives \
            up after two rounds.",
    machine: PINNABLE,
    tasks: &[cpu(0, "user", touch_then_cold), cpu(1, "pinner", |k| pin(k, 1, 2))],
    at_end: Some(pin_has_ended),
    ..Scenario::EMPTY
};

static MOVED_THEN_AT_REST: Scenario = Scenario {
    name: "moved_then_at_rest",
    about: "The same; then CPU0 is at rest and CPU1 pins again. Fairness is assumed: whoever adds \
            the folio to batches stops at some time.",
    machine: PINNABLE,
    // The pinner waits for the user, so that the tasks are not in a list.
    setup: |k| {
        let user = k.task(0, "user", touch_then_cold);
        join(k.task(1, "pinner", move |k| {
            pin(k, 1, 1);
            join(user);
            if plain_read(&k.outcome) != 0 {
                pin(k, 1, 3);
            }
        }));
    },
    at_end: Some(pin_has_succeeded),
    ..Scenario::EMPTY
};

static PINNED_ALONE: Scenario = Scenario {
    name: "pinned_alone",
    about: "CPU1 pins a folio that no batch holds.",
    machine: PINNABLE,
    tasks: &[cpu(1, "pinner", |k| pin(k, 1, 1))],
    at_end: Some(nobody_drained),
    ..Scenario::EMPTY
};

static SECOND_FOLIO_ACTIVATED_LATER: Scenario = Scenario {
    name: "second_folio_activated_later",
    about: "folio0 rests in CPU0's activate batch. CPU1 pins folio0 and folio1 for long, in one \
            call, while CPU0 activates folio1: the drain for folio0 is the only one.",
    machine: PINNABLE.folios(2),
    before: &[cpu(0, "user", |k| follow_page_pte(k, 0))],
    tasks: &[cpu(0, "user", |k| follow_page_pte(k, 1)), cpu(1, "pinner", |k| pin(k, 2, 1))],
    at_end: Some(drained_for_the_second_folio),
    ..Scenario::EMPTY
};

static PINNED_WHILE_PUT_BACK: Scenario = Scenario {
    name: "pinned_while_put_back",
    about: "CPU0 has isolated the folio, and puts it back while CPU1 pins it for long. CPU1 gives \
            up after two rounds.",
    machine: PINNABLE.passes(1),
    before: &[cpu(0, "compaction", |k| {
        folio_isolate_lru(k, &k.folios[0], ISOLATION);
    })],
    tasks: &[
        cpu(0, "compaction", |k| folio_putback_lru(k, &k.folios[0], ISOLATION)),
        cpu(1, "pinner", |k| pin(k, 1, 2)),
    ],
    ..Scenario::EMPTY
};

static PINNED_IN_A_DRIVER: Scenario = Scenario {
    name: "folio_of_a_driver_is_pinned",
    about: "The folio is of CMA, and a driver's, which has mapped it to the process and never put \
            it on the LRU. CPU1 pins it for long, and gives up after two rounds.",
    machine: PINNABLE.unlisted(),
    tasks: &[cpu(1, "pinner", |k| pin(k, 1, 2))],
    at_end: Some(pin_has_ended),
    ..Scenario::EMPTY
};

static TWO_PINNERS: Scenario = Scenario {
    name: "two_long_term_pins_of_one_page",
    about: "CPU0 and CPU1 pin the page for long at the same time; each gives up after a round.",
    machine: PINNABLE.passes(1).sleepers(2),
    tasks: &[cpu(0, "pinner", |k| pin(k, 1, 1)), cpu(1, "other pinner", |k| pin(k, 1, 1))],
    ..Scenario::EMPTY
};

/// [`A_LONGTERM_PIN_MAY_STAY`] is asked of each pin that succeeds, in every scenario; here of one
/// that is tempted.
pub(super) fn reports() -> Vec<Answers> {
    let reverted = Source::commit("517f496e1e61");
    vec![
        ask(
            A_LONGTERM_PIN_MAY_STAY,
            &PINNED_WHILE_PUT_BACK,
            Source::report("R1"),
            &[NOT_ISOLATED_FOR_A_PIN, MIGRATED],
        )
        .under(SC_WITHOUT_RANDOM)
        .holds(&[&V6_1, &V6_10])
        .violated_after(&[NOT_ISOLATED_FOR_A_PIN], &[&V6_15])
        .holds(&[&V6_12_117, &V6_17, &V6_18]),
        ask(
            A_LONGTERM_PIN_MAY_STAY,
            &TWO_PINNERS,
            Analysis("R1: who isolates the folio may be another pin"),
            &[NOT_ISOLATED_FOR_A_PIN, MIGRATED],
        )
        // Of a tree in which it holds, 30,000 executions are not all.
        .under(DPOR)
        .violated_after(&[NOT_ISOLATED_FOR_A_PIN], &[&V6_15]),
        ask(
            PIN_ENDS_WHATEVER_OTHERS_DO,
            &PINNED_IN_A_DRIVER,
            Source::report("R1"),
            &[NOT_ISOLATED_FOR_A_PIN],
        )
        .under(ALONE)
        .violated(&[&V6_10])
        .holds(&[&V6_15])
        .violated_as(reverted, &[&V6_17]),
    ]
}

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let fails = |scenario, row| ask(PIN_DOES_NOT_FAIL_FOR_A_BATCH, scenario, lru(row), &[MIGRATED]);
    vec![
        fails(&ACTIVATED_THEN_PINNED, "D1")
            .under(SC)
            .broken_after(&[RESTED, FREEZE_FAILED])
            .violated(&[&V6_1, &V6_10])
            .holds(&[&SEED_002_V4, &V6_11, &V6_1_192, &V6_12_117, &V6_17])
            .violated(&[&PIN_WITHOUT_DRAIN])
            .holds_as(UNREFERENCED, &[&BATCHES_WITHOUT_REFERENCES]),
        fails(&MLOCKED_THEN_PINNED, "D2")
            .under(SC)
            .broken_after(&[RESTED_FOR_MLOCK, FREEZE_FAILED])
            .violated(&[&V6_1, &V6_10, &SEED_002_V4, &V6_11])
            .holds(&[&V6_1_192, &V6_12_117, &V6_17])
            .holds_as(UNREFERENCED, &[&BATCHES_WITHOUT_REFERENCES]),
        fails(&ACTIVATED_WHILE_PINNED, "D3")
            .under(SC)
            .broken_after(&[RESTED, FREEZE_FAILED])
            .violated(&[&V6_1, &V6_10])
            .holds(&[&SEED_002_V4, &V6_11])
            .violated(&[&V6_1_192, &V6_12_117, &V6_17])
            .holds_as(UNREFERENCED, &[&BATCHES_WITHOUT_REFERENCES]),
        ask(PIN_ENDS_WHATEVER_OTHERS_DO, &MOVED_AGAIN_AND_AGAIN, lru("D5"), &[MIGRATED])
            .under(SC)
            .violated(&[&SEED_002_V4, &V6_11]),
        ask(PIN_ENDS_WHEN_NOBODY_ADDS, &MOVED_THEN_AT_REST, lru("D5"), &[MIGRATED])
            .under(SC)
            .holds(&[&SEED_002_V4, &V6_11])
            // A pin that failed puts the folio back through CPU1's lru_add batch: PG_lru is clear
            // then, and the next pin drains.
            .holds_as(Analysis("a failed pin leaves PG_lru clear"), &[&V6_10])
            .holds_as(Analysis("drains for any extra reference"), &[&V6_12_117])
            .broken_after(&[RESTED, NOT_ISOLATED_FOR_A_PIN])
            .violated_as(Analysis("nobody drains"), &[&PIN_WITHOUT_DRAIN]),
        ask(PIN_DRAINS_ONLY_FOR_A_BATCH, &PINNED_ALONE, lru("D10"), &[CHECKED_FOR_A_PIN])
            .under(ALONE)
            .violated(&[&V6_1_192])
            .holds(&[&V6_10, &SEED_002_V4, &V6_12_117]),
        ask(
            PIN_DRAINS_FOR_EACH_FOLIO,
            &SECOND_FOLIO_ACTIVATED_LATER,
            lru("D11"),
            &[DRAINED_FOR_A_PIN],
        )
        .under(SC_WITHOUT_RANDOM)
        .violated(&[&SEED_002_V4, &V6_11, &V6_1_192, &V6_12_117, &V6_17]),
    ]
}
