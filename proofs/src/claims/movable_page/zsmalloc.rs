//! zsmalloc: the last object goes while a page of its zspage is isolated; the pool goes after it.

use selvedge_kernel::{fail_about, join};
use selvedge_models::mm::movable::{
    M1, M3, MOVED, PUT_BACK, Role, compact_page, owner, putback_movable_page, unmap_and_move,
};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::mm::zsmalloc::{
    A_POOL_IS_USED_WHILE_IT_LIVES, A_WALK_STAYS_IN_ITS_ZSPAGE, AN_EMPTY_ZSPAGE_IS_FREED,
    async_free_zspage, flush_free_work, is_forgotten, left_to_free_work, pool, zs_destroy_pool,
};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes};
use selvedge_monitors::NOBODY_WAITS_FOR_EVER;
use selvedge_trace::Rule;

use super::{
    COMPLETE, ONE_PAGE, READER, allocated, allocates, compactor, frees, isolated, isolates, topic,
    updates_are_kept,
};
use crate::claims::{SC_WITHOUT_RANDOM, WEAK};
use crate::{Claim, Scenario, Topic};

/// What the wait for isolated pages must do: `zs_destroy_pool()` terminates.
const DESTROY_TERMINATES: Rule = NOBODY_WAITS_FOR_EVER;

/// A zspage of one page. Sleeper 2 is the kworker.
const ZSPAGE: Sizes = Sizes { driver: Some(Role::Zsmalloc), ..ONE_PAGE };

static POOL_GOES: Scenario = Scenario {
    name: "putback_vs_destroy_pool",
    about: "The page is isolated. CPU0 puts it back; CPU1 frees the object, and then the pool.",
    sizes: ZSPAGE,
    play: |k| {
        isolated(k);
        let compaction = k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0], 0));
        let owner = k.task(1, "zram", |k| {
            frees(k, 1);
            zs_destroy_pool(k, 1);
        });
        join(compaction);
        join(owner);
    },
    at_end: |_| {},
    choices: 0,
};

static EMPTY_POOL_GOES: Scenario = Scenario {
    name: "putback_vs_destroy_empty_pool",
    about: "The page is isolated, and the object has been freed. CPU0 puts the page back; CPU1 frees the \
            pool.",
    sizes: ZSPAGE,
    play: |k| {
        // One task: loom has five.
        join(k.task(0, "zram", |k| {
            allocates(k);
            isolates(k);
            frees(k, 0);
        }));
        let compaction = k.task(0, "compaction", |k| putback_movable_page(k, &k.folios[0], 0));
        let owner = k.task(1, "zram", |k| zs_destroy_pool(k, 1));
        join(compaction);
        join(owner);
    },
    at_end: |_| {},
    choices: 0,
};

static EMPTY_POOL_GOES_WEAKLY: Scenario = Scenario {
    name: "zs_page_putback_vs_destroy_empty_pool",
    about: "The same, without what the core does around zs_page_putback() (page lock, references, PG_isolated): \
            no part of what orders the count and the flag, and too much for loom.",
    sizes: ZSPAGE,
    play: |k| {
        join(k.task(0, "zram", |k| {
            allocates(k);
            isolates(k);
            frees(k, 0);
        }));
        let compaction =
            k.task(0, "compaction", |k| (owner(k).driver.putback_page)(k, &k.folios[0]));
        let owner = k.task(1, "zram", |k| zs_destroy_pool(k, 1));
        join(compaction);
        join(owner);
    },
    at_end: |_| {},
    choices: 0,
};

/// CPU0 moves page 0, which is isolated, or puts it back; CPU1 frees the object. Then free_work is
/// waited for.
fn free_vs_move(k: &Kernel) {
    isolated(k);
    let compaction = k.task(0, "compaction", |k| {
        if unmap_and_move(k, &k.folios[0], compactor(0)).is_err() {
            putback_movable_page(k, &k.folios[0], 0);
        }
    });
    let owner = k.task(1, "zram", |k| frees(k, 1));
    join(compaction);
    join(owner);
    join(k.task(1, "zram", flush_free_work));
}

static EMPTIED: Scenario = Scenario {
    name: "last_free_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back if that fails; CPU1 frees the object. In \
            the end free_work is flushed.",
    sizes: ZSPAGE,
    play: |k| free_vs_move(k),
    at_end: |k| {
        if is_forgotten(k) {
            let message = "the zspage is empty, and nobody is to free it";
            fail_about(AN_EMPTY_ZSPAGE_IS_FREED, message, pool(k).list.object());
        }
    },
    choices: 0,
};

static WALKED: Scenario = Scenario {
    name: "free_work_vs_move",
    about: "A zspage of two pages, of which the first is isolated, has been emptied and left to free_work. \
            CPU0 moves the page, unless it is locked, while CPU1 runs free_work (as a task: how it is queued \
            is another scenario's).",
    sizes: Sizes { folios: 2, absent: 2, ..ZSPAGE },
    play: |k| {
        isolated(k);
        join(k.task(1, "zram", left_to_free_work));
        let compaction = k.task(0, "compaction", |k| {
            // If not, it stays isolated.
            let _ = unmap_and_move(k, &k.folios[0], compactor(0));
        });
        let kworker = k.task(1, "kworker", async_free_zspage);
        join(compaction);
        join(kworker);
    },
    at_end: |_| {},
    choices: 0,
};

/// CPU0 moves the page while CPU1 changes the object.
fn access_vs_move(k: &Kernel) {
    let compaction = k.task(0, "compaction", |k| compact_page(k, &k.folios[0], compactor(0)));
    let owner = k.task(1, "zram", |k| (owner(k).driver.access)(k, 1));
    join(compaction);
    join(owner);
}

static ACCESSED: Scenario = Scenario {
    name: "access_vs_move",
    about: "CPU0 moves the page, while CPU1 changes the object in it.",
    sizes: ZSPAGE,
    play: |k| {
        allocated(k);
        access_vs_move(k);
    },
    at_end: |_| {},
    choices: 0,
};

static UPDATED: Scenario = Scenario {
    name: "update_vs_move",
    about: "The same, and somebody who came across the old page keeps it from being freed.",
    sizes: ZSPAGE,
    play: |k| {
        allocated(k);
        folio_get(&k.folios[0], READER);
        access_vs_move(k);
    },
    at_end: |k| updates_are_kept(k, 1),
    choices: 0,
};

const E5: Topic = topic(&POOL_GOES, A_POOL_IS_USED_WHILE_IT_LIVES, "kernel-lru:E5", &[PUT_BACK]);
const E6: Topic = topic(
    &EMPTIED,
    AN_EMPTY_ZSPAGE_IS_FREED,
    "kernel-lru:E6",
    &[MOVED, "free_work has locked a zspage"],
);
/// The sheet has it violated since 4.8. Until 77ff465799c6 (4.14) a migration of an empty zspage
/// failed, under class->lock, and putback told free_work.
const E6_REFUSED: Topic = Topic {
    source: "own: mm/zsmalloc.c of 4.9.y: zs_page_migrate() returns -EBUSY for an empty zspage \
             (kernel-lru:E6 has it violated from 4.8 on)",
    reached: &[PUT_BACK, "free_work has locked a zspage"],
    ..E6
};
const E7: Topic = topic(
    &WALKED,
    A_WALK_STAYS_IN_ITS_ZSPAGE,
    "kernel-lru:E7",
    &["free_work has locked a zspage", MOVED],
);
const E10: Topic = topic(&ACCESSED, M3, "kernel-lru:E10", &["an object was accessed", MOVED]);
const E10_UPDATE: Topic = Topic { rule: M1, scenario: &UPDATED, ..E10 };
/// What the sheet gives no verdict for.
const END: Topic = topic(
    &EMPTY_POOL_GOES,
    DESTROY_TERMINATES,
    "own: kernel-lru:E.4, zsmalloc 5.3",
    &[PUT_BACK, "a task slept in wait_event()"],
);
const END_WEAK: Topic = Topic {
    scenario: &EMPTY_POOL_GOES_WEAKLY,
    source: "commit:afe8605ca454 (5.16): destroying is read before the decrement is seen",
    reached: &["a task slept in wait_event()"],
    ..END
};

pub(in crate::claims) static CLAIMS: &[Claim] = &[
    E5.violated(&V4_8_ATOMIC, SC_WITHOUT_RANDOM),
    E5.violated(&V4_14_ATOMIC, SC_WITHOUT_RANDOM),
    E5.holds(&V5_3_ATOMIC, COMPLETE),
    E5.holds(&V5_16_ATOMIC, COMPLETE),
    E5.holds(&V5_18, COMPLETE),
    E5.holds(&V6_1, COMPLETE),
    E5.holds(&V6_12_117, COMPLETE),
    E6_REFUSED.holds(&V4_8_ATOMIC, COMPLETE),
    E6.violated(&V4_14_ATOMIC, SC_WITHOUT_RANDOM),
    E6.holds(&V5_3_ATOMIC, COMPLETE),
    E6.holds(&V5_16_ATOMIC, COMPLETE),
    E6.holds(&V6_1, COMPLETE),
    E6.holds(&V6_12_117, COMPLETE),
    E7.violated(&V5_17, SC_WITHOUT_RANDOM),
    E7.violated(&V5_18, SC_WITHOUT_RANDOM),
    E7.holds(&V6_1, COMPLETE),
    E7.holds(&V6_12_117, COMPLETE),
    E10.holds(&V5_17, COMPLETE),
    E10.holds(&V6_1, COMPLETE),
    E10.holds(&V6_12_117, COMPLETE),
    E10.violated(&E10_NO_ZSPAGE_LOCK, SC_WITHOUT_RANDOM),
    E10_UPDATE.holds(&V5_17, COMPLETE),
    E10_UPDATE.holds(&V6_1, COMPLETE),
    E10_UPDATE.holds(&V6_12_117, COMPLETE),
    E10_UPDATE.violated(&E10_NO_ZSPAGE_LOCK, SC_WITHOUT_RANDOM),
    END.holds(&V5_3_ATOMIC, COMPLETE),
    END_WEAK.violated(&V5_3_ATOMIC, WEAK),
    END.holds(&V5_16_ATOMIC, COMPLETE),
    END_WEAK.holds(&V5_16_ATOMIC, WEAK),
];
