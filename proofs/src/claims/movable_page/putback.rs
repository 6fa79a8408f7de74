//! Moving an isolated page, or putting it back, while its driver releases it and others wait for
//! its lock.

use selvedge_kernel::{join, reached};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{Migrator, Mode};
use selvedge_models::mm::movable::{ISOLATED, MOVED, PUT_BACK, Role, move_or_put_back, owner};
use selvedge_models::mm::swap::{folio_get, folio_put, lru_add_drain};
use selvedge_models::trees::*;

use super::{
    COMPACTOR, COMPLETE, ISOLATED_BEFORE, ONE_PAGE, OWN_LOCKS, READER, frees, moves_or_puts_back,
    puts_back,
};
use crate::claims::{ALONE, SC_WITHOUT_RANDOM};
use crate::rules::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, A_PAGE_AT_REST_CAN_BE_ISOLATED, A_RELEASED_PAGE_IS_FREED, M4, M7,
    M9, all_is_freed, is_isolated_again,
};
use crate::states::{FREED, RESTED, SLEPT};
use crate::{Answers, Run, Scenario, Source, Task, ask, cpu};

const PUT_BACK_AND_RELEASED: &[Task] = &[cpu(0, "compaction", puts_back), cpu(1, "driver", frees)];

static RELEASED_THEN_PUT_BACK: Scenario = Scenario {
    name: "release_vs_putback",
    about: "The page is isolated. CPU0 puts it back, while its driver releases it on CPU1.",
    machine: ONE_PAGE,
    before: ISOLATED_BEFORE,
    tasks: PUT_BACK_AND_RELEASED,
    at_end: Some(all_is_freed),
    ..Scenario::EMPTY
};

static RELEASED_THEN_MOVED: Scenario = Scenario {
    name: "release_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back if that fails, while its driver \
            releases it on CPU1.",
    machine: ONE_PAGE.lifetimes(),
    tasks: &[
        cpu(0, "compaction", |k| {
            let who = Migrator { mode: Mode::Sync, ..COMPACTOR };
            move_or_put_back(k, &k.folios[0], who);
        }),
        cpu(1, "driver", frees),
    ],
    // Up to 4.4 a page that has moved is freed when the batch drains that it is in.
    at_end: Some(|k| {
        join(k.task(0, "drain", |k| lru_add_drain(k)));
        all_is_freed(k);
    }),
    ..RELEASED_THEN_PUT_BACK
};

static MOVE_FAILS: Scenario = Scenario {
    name: "move_fails",
    about: "The page is isolated, and its driver cannot move it: a permanent error. It is put back.",
    machine: ONE_PAGE,
    before: ISOLATED_BEFORE,
    tasks: &[cpu(0, "compaction", moves_or_puts_back)],
    at_end: Some(|k| {
        if owner(k).place() == Some(0) {
            reached(STAYED);
        }
    }),
    ..Scenario::EMPTY
};

const STAYED: &str = "the page is where it was";

static BALLOON_RELEASED: Scenario = Scenario {
    name: "release_vs_putback_of_a_balloon",
    about: "The balloon's page is isolated. CPU0 puts it back, while a balloon that may do so \
            releases it on CPU1.",
    machine: ONE_PAGE.driver(Some(Role::Balloon)),
    ..RELEASED_THEN_PUT_BACK
};

static BALLOON_RELEASED_WATCHED: Scenario = Scenario {
    name: "release_vs_putback_of_a_balloon_watched",
    about: "The balloon's page is isolated. CPU0 puts it back, while a balloon that may do so \
            releases it on CPU1; at each touch of its lock is looked whether it has been freed.",
    machine: BALLOON_RELEASED.machine.lifetimes(),
    at_end: None,
    ..BALLOON_RELEASED
};

/// Somebody came across page 0.
fn has_a_reader(k: &Run) {
    folio_get(&k.folios[0], READER);
}

/// The reader locks and unlocks page 0.
fn reads(k: &Run) {
    folio_lock(k, &k.folios[0]);
    folio_unlock(k, &k.folios[0]);
    folio_put(k, &k.folios[0], READER);
}

static LOCKED_WHILE_PUT_BACK: Scenario = Scenario {
    name: "lock_vs_putback",
    about: "The page is isolated. CPU0 puts it back; CPU1, which has a reference, locks and \
            unlocks it.",
    machine: ONE_PAGE,
    before: READ_AND_ISOLATED,
    tasks: &[cpu(0, "compaction", puts_back), cpu(1, "reader", reads)],
    ..Scenario::EMPTY
};

const READ_AND_ISOLATED: &[Task] = &[
    cpu(0, "driver", super::allocates),
    cpu(0, "compaction", |k| {
        super::isolates_alone(k);
        has_a_reader(k);
    }),
];

static LOCKED_WHILE_ISOLATED: Scenario = Scenario {
    name: "lock_vs_isolation",
    about: "CPU0 isolates the page; CPU1, which has a reference, locks and unlocks it.",
    before: &[cpu(0, "driver", |k| {
        super::allocates(k);
        has_a_reader(k);
    })],
    tasks: &[cpu(0, "compaction", super::isolates), cpu(1, "reader", reads)],
    ..LOCKED_WHILE_PUT_BACK
};

static LOCKED_WHILE_MOVED: Scenario = Scenario {
    name: "lock_vs_move",
    about: "The page is isolated. CPU0 moves it; CPU1, which has a reference, locks and unlocks \
            it.",
    tasks: &[cpu(0, "compaction", moves_or_puts_back), cpu(1, "reader", reads)],
    ..LOCKED_WHILE_PUT_BACK
};

static LOCKED_WHILE_COMPACTED: Scenario = Scenario {
    name: "isolation_after_lock_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back if that fails; CPU1, which has a \
            reference, locks and unlocks it. In the end a compactor comes to where it is.",
    at_end: Some(|k| {
        let index = owner(k).place().expect("nobody frees it");
        join(k.task(0, "compaction", move |k| is_isolated_again(k, index)));
    }),
    ..LOCKED_WHILE_MOVED
};

static CALLER_HAS_THE_LOCK: Scenario = Scenario {
    name: "putback_by_who_has_the_page_lock",
    about: "The page is isolated, and put back by a caller that holds its lock, as none does.",
    machine: ONE_PAGE,
    before: ISOLATED_BEFORE,
    tasks: &[cpu(0, "compaction", |k| {
        assert!(folio_trylock(&k.folios[0]), "nobody else runs");
        puts_back(k);
        folio_unlock(k, &k.folios[0]);
    })],
    ..Scenario::EMPTY
};

static NOBODY_HAS_THE_LOCK: Scenario = Scenario {
    name: "putback",
    about: "The page is isolated, and put back.",
    tasks: &[cpu(0, "compaction", puts_back)],
    ..CALLER_HAS_THE_LOCK
};

/// E3 through `unmap_and_move()`: the page counts as no driver's, and cannot be moved while the
/// driver has its reference.
const AS_E3: Source = Source::analysis("kernel-lru:E3; migrate_page_move_mapping() of 4.1");
const LRU_BY_DEFAULT: Source =
    Source::analysis("\"LRU pages without an aops can directly call the necessary helpers\"");
const NOT_AGAIN: Source = Source::analysis(
    "unmap_and_move() up to 4.4: what is not -EAGAIN ends in putback_lru_page(); since 4.8 the \
     type decides",
);
const RELEASED_FIRST: &str = "a page was released before it was put back";

const LOCK_BITS_ONLY: Source = Source::analysis("nothing but PG_locked and PG_waiters is changed");

fn waiters() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        ask(M4, &LOCKED_WHILE_PUT_BACK, lru("E9"), &[SLEPT, PUT_BACK])
            .under(COMPLETE)
            .holds_as(LOCK_BITS_ONLY, &[&MOBILE_2015])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&V4_13, &V5_17])
            .under(COMPLETE)
            .holds(&[&V5_18, &V6_1, &V6_12_117]),
        ask(M4, &LOCKED_WHILE_ISOLATED, lru("E9"), &[SLEPT, ISOLATED])
            .under(COMPLETE)
            .holds(&[&V5_18, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&V5_17]),
        ask(M4, &LOCKED_WHILE_MOVED, lru("E9"), &[SLEPT, MOVED])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&V5_17])
            .under(COMPLETE)
            .holds(&[&V5_18, &V6_12_117])
            .holds_as(LOCK_BITS_ONLY, &[&MOBILE_2015, &LRU_AS_MOBILE]),
        ask(
            A_PAGE_AT_REST_CAN_BE_ISOLATED,
            &LOCKED_WHILE_COMPACTED,
            lru("E.4"),
            &[MOVED, PUT_BACK],
        )
        .under(COMPLETE)
        .holds(&[&V5_18, &V6_12_117])
        .broken_after(&[PUT_BACK, SLEPT])
        .violated(&[&DRIVER_FORGETS_PUTBACK]),
        ask(M7, &CALLER_HAS_THE_LOCK, lru("E13"), &[PUT_BACK])
            .under(ALONE)
            .broken_after(&[ISOLATED, SLEPT])
            .violated(&[&MOBILE_2015])
            .holds_as(OWN_LOCKS, &[&LRU_AS_MOBILE])
            .violated(&[&V6_12_117]),
        ask(M7, &NOBODY_HAS_THE_LOCK, lru("E13"), &[PUT_BACK])
            .under(ALONE)
            .holds(&[&MOBILE_2015, &V6_12_117]),
    ]
}

fn releases() -> Vec<Answers> {
    let lru = Source::lru;
    let released = A_RELEASED_PAGE_IS_FREED;
    let touched = A_FREED_FOLIO_IS_NOT_TOUCHED;
    vec![
        ask(M9, &RELEASED_THEN_PUT_BACK, lru("E3"), &[RELEASED_FIRST, PUT_BACK])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[ISOLATED, RESTED])
            .violated(&[&MOBILE_2015])
            .violated_as(LRU_BY_DEFAULT, &[&LRU_AS_MOBILE])
            .under(COMPLETE)
            .holds(&[&V4_8_ATOMIC, &V5_18, &V6_1, &V6_12_117]),
        ask(M9, &RELEASED_THEN_MOVED, AS_E3, &[MOVED])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&["a page was released before it moved", RESTED])
            .violated(&[&MOBILE_2015])
            .under(COMPLETE)
            .holds(&[&V6_12_117]),
        ask(M9, &MOVE_FAILS, NOT_AGAIN, &[STAYED])
            .under(ALONE)
            .broken_after(&[ISOLATED, RESTED])
            .violated(&[&MOBILE_2015_FAILS])
            .holds_as(OWN_LOCKS, &[&LRU_AS_MOBILE_FAILS])
            .holds(&[&V6_12_117_FAILS]),
        ask(released, &RELEASED_THEN_MOVED, lru("E14"), &[MOVED]).under(COMPLETE).holds(&[
            &V4_8_ATOMIC,
            &V5_18,
            &V6_12_117,
        ]),
        ask(released, &RELEASED_THEN_MOVED, lru("E14"), &[MOVED, RELEASED_FIRST])
            .under(COMPLETE)
            .broken_after(&[MOVED])
            .violated(&[&DRIVER_LEAKS]),
        ask(touched, &RELEASED_THEN_MOVED, lru("E14"), &[MOVED, RELEASED_FIRST])
            .under(COMPLETE)
            .broken_after(&[MOVED, FREED])
            .violated(&[&DRIVER_PUTS_FIRST]),
        ask(touched, &RELEASED_THEN_MOVED, lru("E14"), &[MOVED])
            .under(COMPLETE)
            .holds(&[&V4_8_ATOMIC, &V6_12_117]),
        ask(released, &BALLOON_RELEASED, lru("E14"), &[PUT_BACK])
            .under(COMPLETE)
            .violated(&[&V4_2_RELEASES]),
        // The balloons of these trees do not release a page that is isolated.
        ask(touched, &BALLOON_RELEASED_WATCHED, lru("E14"), &[PUT_BACK])
            .under(COMPLETE)
            .holds(&[&V4_2, &MOBILE_2015, &V4_8, &V6_12_117])
            .broken_after(&[ISOLATED, FREED])
            .violated(&[&V4_2_RELEASES]),
    ]
}

pub(in crate::claims) fn claims() -> Vec<Answers> {
    releases().into_iter().chain(waiters()).collect()
}
