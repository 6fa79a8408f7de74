//! Moving an isolated page, or putting it back, while its driver releases it and others wait for
//! its lock.

use selvedge_kernel::{fail_about, join};
use selvedge_models::mm::filemap::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, folio_lock, folio_trylock, folio_unlock,
};
use selvedge_models::mm::migrate::{Migrator, Mode};
use selvedge_models::mm::movable::{
    A_RELEASED_PAGE_IS_FREED, M9, MOVED, PUT_BACK, Role, putback_movable_page, unmap_and_move,
};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes};

use super::{COMPLETE, M4, M7, ONE_PAGE, READER, compactor, frees, isolated, topic};
use crate::claims::{ALONE, SC_WITHOUT_RANDOM};
use crate::{Claim, Scenario, Topic};

/// Puts page 0 back on CPU0 while its driver frees it on CPU1.
fn release_vs_putback(k: &Kernel) {
    isolated(k);
    let compaction = k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0], 0));
    let driver = k.task(1, "driver", |k| frees(k, 1));
    join(compaction);
    join(driver);
}

/// Moves it meanwhile.
fn release_vs_move(k: &Kernel) {
    isolated(k);
    let compaction = k.task(0, "compaction", |k| {
        let who = Migrator { mode: Mode::Sync, ..compactor(0) };
        let moved = unmap_and_move(k, &k.folios[0], who);
        assert!(moved.is_ok(), "it waits for the page lock");
    });
    let driver = k.task(1, "driver", |k| frees(k, 1));
    join(compaction);
    join(driver);
}

/// The driver has freed what it had: nobody has a page any more.
fn all_is_freed(k: &Kernel) {
    if let Some(page) = k.folios.iter().find(|page| page.freed.peek() == 0) {
        let message = format!("page{} was released, and is not freed", page.index);
        fail_about(A_RELEASED_PAGE_IS_FREED, message, page.refcount.object());
    }
}

static RELEASED_THEN_PUT_BACK: Scenario = Scenario {
    name: "release_vs_putback",
    about: "The page is isolated. CPU0 puts it back, while its driver releases it on CPU1.",
    sizes: ONE_PAGE,
    play: |k| release_vs_putback(k),
    at_end: all_is_freed,
    choices: 0,
};

static RELEASED_THEN_MOVED: Scenario = Scenario {
    name: "release_vs_move",
    about: "The page is isolated. CPU0 moves it, while its driver releases it on CPU1.",
    sizes: Sizes { lifetimes: true, ..ONE_PAGE },
    play: |k| release_vs_move(k),
    at_end: all_is_freed,
    choices: 0,
};

static BALLOON_RELEASED_WATCHED: Scenario = Scenario {
    name: "release_vs_putback_of_a_balloon_watched",
    sizes: Sizes { lifetimes: true, ..BALLOON_RELEASED_SIZES },
    about: "The same, with a look at whether the page has been freed at each touch of its lock.",
    play: |k| release_vs_putback(k),
    at_end: |_| {},
    choices: 0,
};

const BALLOON_RELEASED_SIZES: Sizes = Sizes { driver: Some(Role::Balloon), ..ONE_PAGE };

static BALLOON_RELEASED: Scenario = Scenario {
    name: "release_vs_putback_of_a_balloon",
    about: "The balloon's page is isolated. CPU0 puts it back, while a balloon that may do so releases it \
            on CPU1.",
    sizes: BALLOON_RELEASED_SIZES,
    play: |k| release_vs_putback(k),
    at_end: all_is_freed,
    choices: 0,
};

/// Locks and unlocks page 0 as somebody who came across it.
fn reader(k: &Kernel) {
    folio_lock(k, &k.folios[0], 1);
    folio_unlock(k, &k.folios[0]);
    folio_put(k, &k.folios[0], READER);
}

static LOCKED_WHILE_PUT_BACK: Scenario = Scenario {
    name: "lock_vs_putback",
    about: "The page is isolated. CPU0 puts it back; CPU1, which has a reference, locks and unlocks it.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        folio_get(&k.folios[0], READER);
        let compaction = k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0], 0));
        let reader = k.task(1, "reader", reader);
        join(compaction);
        join(reader);
    },
    at_end: |_| {},
    choices: 0,
};

static LOCKED_WHILE_MOVED: Scenario = Scenario {
    name: "lock_vs_move",
    about: "The same while CPU0 moves the page.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        folio_get(&k.folios[0], READER);
        let compaction = k.task(0, "compaction", |k| {
            if unmap_and_move(k, &k.folios[0], compactor(0)).is_err() {
                putback_movable_page(k, &k.folios[0], 0);
            }
        });
        let reader = k.task(1, "reader", reader);
        join(compaction);
        join(reader);
    },
    at_end: |_| {},
    choices: 0,
};

static CALLER_HAS_THE_LOCK: Scenario = Scenario {
    name: "putback_by_who_has_the_page_lock",
    about: "The page is isolated, and put back by a caller that holds its lock, as none does.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        join(k.task(0, "compaction", |k| {
            assert!(folio_trylock(k, &k.folios[0]), "nobody else runs");
            putback_movable_page(k, &k.folios[0], 0);
            folio_unlock(k, &k.folios[0]);
        }));
    },
    at_end: |_| {},
    choices: 0,
};

static NOBODY_HAS_THE_LOCK: Scenario = Scenario {
    name: "putback",
    about: "The page is isolated, and put back.",
    sizes: ONE_PAGE,
    play: |k| {
        isolated(k);
        join(k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0], 0)));
    },
    at_end: |_| {},
    choices: 0,
};

const RELEASED_FIRST: &str = "a page was released before it was put back";

const E3: Topic = topic(
    &RELEASED_THEN_PUT_BACK,
    M9,
    "kernel-lru:E3",
    &[RELEASED_FIRST, "a page was freed while it was isolated"],
);
const E3_PUTBACK: Topic = Topic { reached: &[RELEASED_FIRST, PUT_BACK], ..E3 };
const E9: Topic =
    topic(&LOCKED_WHILE_PUT_BACK, M4, "kernel-lru:E9", &["a task slept on a folio", PUT_BACK]);
const E9_MOVE: Topic =
    Topic { scenario: &LOCKED_WHILE_MOVED, reached: &["a task slept on a folio", MOVED], ..E9 };
const E13: Topic = topic(&CALLER_HAS_THE_LOCK, M7, "kernel-lru:E13", &[]);
const E13_CALLERS: Topic = Topic { scenario: &NOBODY_HAS_THE_LOCK, reached: &[PUT_BACK], ..E13 };
const E14: Topic =
    topic(&RELEASED_THEN_MOVED, A_RELEASED_PAGE_IS_FREED, "kernel-lru:E14", &[MOVED]);
const E14_TOUCHED: Topic = Topic { rule: A_FREED_FOLIO_IS_NOT_TOUCHED, ..E14 };
const E14_BALLOON: Topic = Topic { scenario: &BALLOON_RELEASED, reached: &[PUT_BACK], ..E14 };
const E14_BALLOON_TOUCHED: Topic = Topic {
    rule: A_FREED_FOLIO_IS_NOT_TOUCHED,
    scenario: &BALLOON_RELEASED_WATCHED,
    ..E14_BALLOON
};

const STAYS: &str = "own: the proposal leaves driver pages as they were posted";

pub(in crate::claims) static CLAIMS: &[Claim] = &[
    E3.violated(&MOBILE_2015, SC_WITHOUT_RANDOM),
    E3.from(STAYS).violated(&LRU_AS_MOBILE, SC_WITHOUT_RANDOM),
    E3_PUTBACK.holds(&V4_8_ATOMIC, COMPLETE),
    E3_PUTBACK.holds(&V5_18, COMPLETE),
    E3_PUTBACK.holds(&V6_1, COMPLETE),
    E3_PUTBACK.holds(&V6_12_117, COMPLETE),
    E9.from("own: nothing but PG_locked and PG_waiters is changed").holds(&MOBILE_2015, COMPLETE),
    E9.from(STAYS).holds(&LRU_AS_MOBILE, COMPLETE),
    E9.violated(&V4_8, SC_WITHOUT_RANDOM),
    E9.violated(&V5_17, SC_WITHOUT_RANDOM),
    E9.holds(&V5_18, COMPLETE),
    E9.holds(&V6_1, COMPLETE),
    E9.holds(&V6_12_117, COMPLETE),
    E9_MOVE.violated(&V5_17, SC_WITHOUT_RANDOM),
    E9_MOVE.holds(&V5_18, COMPLETE),
    E9_MOVE.holds(&V6_12_117, COMPLETE),
    E13.violated(&MOBILE_2015, ALONE),
    E13.from(STAYS).violated(&LRU_AS_MOBILE, ALONE),
    E13.violated(&V6_12_117, ALONE),
    E13_CALLERS.holds(&MOBILE_2015, ALONE),
    E13_CALLERS.holds(&V6_12_117, ALONE),
    E14.holds(&MOBILE_2015, COMPLETE),
    E14.holds(&V4_8_ATOMIC, COMPLETE),
    E14.holds(&V5_18, COMPLETE),
    E14.holds(&V6_12_117, COMPLETE),
    E14_TOUCHED.holds(&MOBILE_2015, COMPLETE),
    E14_TOUCHED.holds(&V4_8_ATOMIC, COMPLETE),
    E14_TOUCHED.holds(&V6_12_117, COMPLETE),
    E14_BALLOON.violated(&V4_2_RELEASES, COMPLETE),
    E14_BALLOON_TOUCHED.violated(&V4_2_RELEASES, COMPLETE),
];
