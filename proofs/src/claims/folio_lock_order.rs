//! kernel-migrate section A: stealing the folio lock, the order of waiters, and two folios.

use selvedge_kernel::fail;
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::trees::*;

use super::folio_lock::{locked, unlock};
use super::{DPOR, SC};
use crate::rules::{
    A_DEMANDED_LOCK_GOES_IN_ORDER, A_WAITER_IS_ROBBED_AT_MOST_ONCE, NO_WAIT_ENDS_BY_LUCK,
    NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, NOBODY_WAITS_FOR_EVER,
};
use crate::states::SLEPT;
use crate::{Answers, Run, Scenario, Source, ask, cpu};

fn steal(k: &Run) {
    if folio_trylock(&k.folios[0]) {
        unlock(k);
    }
}

fn steal_twice(k: &Run) {
    steal(k);
    steal(k);
}

fn lock_and_unlock(k: &Run, folio: usize) {
    folio_lock(k, &k.folios[folio]);
    folio_unlock(k, &k.folios[folio]);
}

static STEALER: Scenario = Scenario {
    name: "waiter_vs_stealer",
    about: "CPU0 unlocks the folio that CPU1 waits for; CPU2 takes the lock whenever it is free, \
            twice.",
    machine: Machine::TINY.cpus(3).sleepers(1),
    setup: locked,
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "waiter", |k| lock_and_unlock(k, 0)).sleeper(0),
        cpu(2, "stealer", steal_twice),
    ],
    ..Scenario::EMPTY
};

static STEALER_COUNTED: Scenario = Scenario {
    name: "waiter_vs_stealer_counted",
    about: "The same; a waiter that was woken and found the lock stolen twice has been robbed too \
            often.",
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "waiter", |k| {
            folio_lock(k, &k.folios[0]);
            let robbed = k.sleepers[0].robbed();
            if robbed > 1 {
                let message = format!("the waiter was robbed {robbed} times");
                fail(A_WAITER_IS_ROBBED_AT_MOST_ONCE, message);
            }
            unlock(k);
        })
        .sleeper(0),
        cpu(2, "stealer", steal_twice),
    ],
    ..STEALER
};

static OVERTAKING: Scenario = Scenario {
    name: "two_waiters_vs_unlock_and_stealer",
    about: "CPU0 unlocks the folio that CPU1 and CPU2 wait for; CPU3 takes the lock if it is free.",
    machine: Machine::TINY.cpus(4).sleepers(2),
    setup: locked,
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "waiter", |k| lock_and_unlock(k, 0)).sleeper(0),
        cpu(2, "waiter", |k| lock_and_unlock(k, 0)).sleeper(1),
        cpu(3, "stealer", steal),
    ],
    ..Scenario::EMPTY
};

fn unlock_all(k: &Run) {
    k.folios.iter().for_each(|folio| folio_unlock(k, folio));
}

static TWO_FOLIOS: Scenario = Scenario {
    name: "waiters_on_two_folios",
    about: "CPU0 unlocks folio 0, then folio 1; CPU1 and CPU2 wait for them in one queue.",
    machine: Machine::TINY.cpus(3).folios(2).sleepers(2),
    setup: |k| {
        k.folios.iter().for_each(|folio| assert!(folio_trylock(folio), "nobody else runs yet"));
    },
    tasks: &[
        cpu(0, "holder", unlock_all),
        cpu(1, "waiter", |k| lock_and_unlock(k, 0)).sleeper(0),
        cpu(2, "waiter", |k| lock_and_unlock(k, 1)).sleeper(1),
    ],
    ..Scenario::EMPTY
};

fn lock_both(k: &Run, order: [usize; 2]) {
    order.into_iter().for_each(|folio| folio_lock(k, &k.folios[folio]));
    unlock_all(k);
}

static ABBA: Scenario = Scenario {
    name: "two_folios_in_two_orders",
    about: "CPU0 locks folio 0, then folio 1; CPU1 the other way round; CPU2 takes folio 0 if it \
            is free.",
    machine: Machine::TINY.cpus(3).folios(2).sleepers(2),
    tasks: &[
        cpu(0, "task", |k| lock_both(k, [0, 1])),
        cpu(1, "task", |k| lock_both(k, [1, 0])),
        cpu(2, "stealer", steal),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    // Too narrow for random and PCT schedules, most of the violations.
    vec![
        ask(A_WAITER_IS_ROBBED_AT_MOST_ONCE, &STEALER_COUNTED, sheet("A-S2"), &[SLEPT])
            .under(SC)
            .holds(&[&L2, &V6_12_117, &L1, &L2_UNFAIRNESS_0])
            .under(DPOR)
            .violated(&[&L2_UNFAIRNESS_INF, &L0]),
        ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, &STEALER, sheet("A-S2"), &[SLEPT])
            .under(SC)
            .holds(&[&L2, &V6_12_117, &L2_UNFAIRNESS_INF, &L1, &L0])
            .holds_as(sheet("AM18"), &[&AM18_WAKES_ALL]),
        // The most expensive scenario of all: complete or not at all.
        ask(NO_WAIT_ENDS_BY_LUCK, &STEALER, sheet("A-S2"), &[SLEPT])
            .under(DPOR)
            .holds(&[&L1, &L2, &V6_12_117]),
        ask(A_DEMANDED_LOCK_GOES_IN_ORDER, &OVERTAKING, sheet("AM19"), &[SLEPT])
            .under(DPOR)
            .holds(&[&L1])
            .violated(&[&AM19_PASSES_OVER]),
        ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, &TWO_FOLIOS, sheet("A-S3"), &[SLEPT])
            .under(SC)
            .holds(&[&L0, &L1, &L2, &V6_12_117]),
        ask(NOBODY_WAITS_FOR_EVER, &ABBA, sheet("A-S7"), &[SLEPT]).under(DPOR).violated(&[
            &L0,
            &L1,
            &L2,
            &L2_UNFAIRNESS_INF,
        ]),
    ]
}
