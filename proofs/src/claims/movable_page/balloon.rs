//! The balloon: its list, walked while a page is isolated, and its count of isolated pages.

use selvedge_kernel::{KERNEL_ASSERTIONS_HOLD, join};
use selvedge_models::Sizes;
use selvedge_models::mm::balloon_compaction::WALK_MEETS_NO_POISON;
use selvedge_models::mm::movable::{ISOLATED, PUT_BACK, Role, isolate_block, putback_movable_page};
use selvedge_models::trees::*;

use super::{COMPLETE, ONE_PAGE, allocated, frees, isolated, topic};
use crate::claims::SC_WITHOUT_RANDOM;
use crate::{Claim, Scenario, Topic};

const BALLOON: Sizes = Sizes { driver: Some(Role::Balloon), ..ONE_PAGE };

static WALKED: Scenario = Scenario {
    name: "dequeue_vs_isolation",
    about: "Two pages are in the balloon. CPU0 dequeues one; CPU1 isolates the one that the walk comes to.",
    sizes: Sizes { folios: 2, absent: 2, ..BALLOON },
    play: |k| {
        allocated(k);
        let driver = k.task(0, "leak_balloon", |k| frees(k, 0));
        // The last that was enqueued is the first of the list.
        let compaction = k.task(1, "compaction", |k| {
            isolate_block(k, &k.folios[1], false);
        });
        join(driver);
        join(compaction);
    },
    at_end: |_| {},
    choices: 0,
};

static COUNTED: Scenario = Scenario {
    name: "dequeue_vs_putback",
    about: "The only page of the balloon is isolated. CPU0 puts it back, while CPU1 dequeues.",
    sizes: BALLOON,
    play: |k| {
        isolated(k);
        let compaction = k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0], 0));
        let driver = k.task(1, "leak_balloon", |k| frees(k, 1));
        join(compaction);
        join(driver);
    },
    at_end: |_| {},
    choices: 0,
};

const E8: Topic = topic(&WALKED, WALK_MEETS_NO_POISON, "kernel-lru:E8", &[ISOLATED]);
const E15: Topic = topic(
    &COUNTED,
    KERNEL_ASSERTIONS_HOLD,
    "kernel-lru:E15",
    &[PUT_BACK, "a dequeue found no page"],
);

pub(in crate::claims) static CLAIMS: &[Claim] = &[
    E8.violated(&V4_2, SC_WITHOUT_RANDOM),
    E8.from("own: the series leaves dequeue as in 4.2").violated(&MOBILE_2015, SC_WITHOUT_RANDOM),
    E8.holds(&V4_5, COMPLETE),
    E8.holds(&V4_8, COMPLETE),
    E8.holds(&V6_12_117, COMPLETE),
    E15.holds(&V4_2, COMPLETE),
    E15.holds(&V4_8, COMPLETE),
    E15.holds(&V6_12_117, COMPLETE),
    E15.violated(&E15_COUNTS_UNLOCKED, SC_WITHOUT_RANDOM),
];
