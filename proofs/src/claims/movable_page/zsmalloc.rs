//! zsmalloc: the last object goes while a page of its zspage is isolated; the pool goes after it.
//!
//! Until 6.5, and from 5.17 on, the count of isolated pages and the fullness of the zspage destroy
//! each other (E16), so that what else there is in these releases is asked of 6.1 with that mended.

use selvedge_kernel::{fail, fail_about, join, reached};
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{folio_trylock, folio_unlock};
use selvedge_models::mm::movable::{
    ISOLATED, MOVED, ON_MIGRATE_LIST, PUT_BACK, Role, alloc_page, compact_page, isolate_block,
    owner, unmap_and_move,
};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::mm::zsmalloc::{
    async_free_zspage, is_forgotten, is_freed_and_listed, left_to_free_work, pool, zs_destroy_pool,
};
use selvedge_models::trees::*;

use super::{
    ALLOCATED, COMPACTOR, COMPLETE, ISOLATED_BEFORE, ONE_PAGE, READER, allocates, frees,
    isolates_alone, moves_or_puts_back, puts_back,
};
use crate::claims::{ALONE, SC_WITHOUT_RANDOM, WEAK};
use crate::rules::{
    A_POOL_IS_USED_WHILE_IT_LIVES, A_RELEASED_PAGE_IS_FREED, A_WALK_STAYS_IN_ITS_ZSPAGE,
    AN_EMPTY_ZSPAGE_IS_FREED, KERNEL_ASSERTIONS_HOLD, M1, M3, NOBODY_WAITS_FOR_EVER, all_is_freed,
    old_page_is_left_alone, updates_are_kept,
};
use crate::states::{EMPTIED_WHILE_ISOLATED, LEFT_TO_FREE_WORK};
use crate::{Answers, Run, Scenario, Source, Task, ask, cpu};

/// A zspage of one page. Sleeper 2 is the kworker.
pub(super) const ZSPAGE: Machine = ONE_PAGE.driver(Some(Role::Zsmalloc));

static POOL_GOES: Scenario = Scenario {
    name: "putback_vs_destroy_pool",
    about: "The page is isolated. CPU0 puts it back; CPU1 frees the object, and then the pool.",
    machine: ZSPAGE,
    before: ISOLATED_BEFORE,
    tasks: &[
        cpu(0, "compaction", puts_back),
        cpu(1, "zram", |k| {
            frees(k);
            zs_destroy_pool(k);
        }),
    ],
    ..Scenario::EMPTY
};

static POOL_GOES_BESIDE_A_MOVE: Scenario = Scenario {
    name: "move_vs_destroy_pool",
    about: "The page is isolated. CPU0 moves it, or puts it back if that fails; CPU1 frees the \
            object, and then the pool.",
    tasks: &[
        cpu(0, "compaction", moves_or_puts_back),
        cpu(1, "zram", |k| {
            frees(k);
            zs_destroy_pool(k);
        }),
    ],
    ..POOL_GOES
};

static COUNTED: Scenario = Scenario {
    name: "last_free_vs_isolation_and_putback",
    about: "CPU0 isolates the page and puts it back; CPU1 frees the object.",
    machine: ZSPAGE,
    before: ALLOCATED,
    tasks: &[
        cpu(0, "compaction", |k| {
            if isolate_block(k, &k.folios[0], false) {
                puts_back(k);
            }
        }),
        cpu(1, "zram", frees),
    ],
    ..Scenario::EMPTY
};

/// One task: loom has five.
const EMPTY_AND_ISOLATED: &[Task] = &[cpu(0, "zram", |k| {
    allocates(k);
    isolates_alone(k);
    frees(k);
})];

static EMPTY_POOL_GOES: Scenario = Scenario {
    name: "putback_vs_destroy_empty_pool",
    about: "The page is isolated, and the object has been freed. CPU0 puts the page back; CPU1 \
            frees the pool.",
    machine: ZSPAGE,
    before: EMPTY_AND_ISOLATED,
    tasks: &[cpu(0, "compaction", puts_back), cpu(1, "zram", |k| zs_destroy_pool(k))],
    ..Scenario::EMPTY
};

static EMPTY_POOL_GOES_WEAKLY: Scenario = Scenario {
    name: "zs_page_putback_vs_destroy_empty_pool",
    about: "The page is isolated, and the object has been freed. CPU0 puts the page back; CPU1 \
            frees the pool. What the core does around zs_page_putback() is left out (page lock, \
            references, PG_isolated): no part of what orders the count and the flag, and too much \
            for loom.",
    tasks: &[
        cpu(0, "compaction", |k| (owner(k).driver.putback_page)(k, &k.folios[0])),
        cpu(1, "zram", |k| zs_destroy_pool(k)),
    ],
    ..EMPTY_POOL_GOES
};

/// [`AN_EMPTY_ZSPAGE_IS_FREED`], once free_work has run, if it was queued.
fn empty_zspage_is_freed(k: &Run) {
    if is_forgotten(k) {
        let message = "the zspage is empty, and nobody is to free it";
        fail_about(AN_EMPTY_ZSPAGE_IS_FREED, message, pool(k).list.object());
    }
}

static EMPTIED: Scenario = Scenario {
    name: "last_free_vs_move",
    about: "The page is isolated. CPU0 moves it, or puts it back if that fails; CPU1 frees the \
            object. When we look, free_work has run if it was queued.",
    machine: ZSPAGE,
    before: ISOLATED_BEFORE,
    tasks: &[cpu(0, "compaction", moves_or_puts_back), cpu(1, "zram", frees)],
    at_end: Some(empty_zspage_is_freed),
    ..Scenario::EMPTY
};

static WALKED: Scenario = Scenario {
    name: "free_work_vs_move",
    about: "A zspage of two pages, of which the first is isolated, has been emptied and left to \
            free_work. CPU0 moves the page, unless it is locked, while CPU1 runs free_work (as a \
            task: how it is queued is another scenario's).",
    machine: ZSPAGE.folios(2).absent(2),
    before: &[
        cpu(0, "driver", allocates),
        cpu(0, "compaction", isolates_alone),
        cpu(1, "zram", |k| left_to_free_work(k)),
    ],
    tasks: &[
        cpu(0, "compaction", |k| {
            // If not, it stays isolated.
            let _ = unmap_and_move(k, &k.folios[0], COMPACTOR);
        }),
        cpu(1, "kworker", |k| async_free_zspage(k)),
    ],
    ..Scenario::EMPTY
};

static FREED_BY_FREE_WORK: Scenario = Scenario {
    name: "free_work_vs_move_to_its_end",
    about: "As free_work_vs_move; in the end the page is put back, if it was not moved.",
    at_end: Some(|k| {
        if k.folios[0].linked.peek() == ON_MIGRATE_LIST {
            join(k.task(0, "compaction", puts_back));
        }
        zspage_is_freed(k);
    }),
    ..WALKED
};

static WALKED_AFTER_A_WAIT: Scenario = Scenario {
    name: "free_work_vs_unlock_and_move",
    about: "A zspage of two pages, of which the second is isolated, has been emptied and left to \
            free_work. CPU0, which has locked both and a new page, unlocks the first, and has the \
            second moved to the new one, while CPU1 runs free_work. (How the core comes to have \
            the locks is left out; free_work can only wait for them.)",
    before: &[
        cpu(0, "driver", allocates),
        cpu(0, "compaction", |k| {
            assert!(isolate_block(k, &k.folios[1], false), "nobody else wants the page");
            alloc_page(k, &k.folios[3], READER);
        }),
        cpu(1, "zram", |k| {
            left_to_free_work(k);
            let locked = [0, 1, 3].map(|index| folio_trylock(&k.folios[index]));
            assert_eq!(locked, [true; 3], "nobody else runs");
        }),
    ],
    tasks: &[
        cpu(0, "compaction", |k| {
            let (src, dst) = (&k.folios[1], &k.folios[3]);
            folio_unlock(k, &k.folios[0]);
            let moved = (owner(k).driver.migrate_page)(k, dst, src, COMPACTOR);
            assert!(moved.is_ok(), "zsmalloc moves what is isolated");
            reached(MOVED);
            folio_unlock(k, dst);
            folio_unlock(k, src);
        }),
        cpu(1, "kworker", |k| async_free_zspage(k)),
    ],
    ..WALKED
};

static BOTH_MOVED: Scenario = Scenario {
    name: "zspage_moves_and_is_freed",
    about: "One task allocates a zspage of two pages, changes the object in it, has both pages \
            moved, changes it again, and frees it. Somebody keeps the first page from being freed \
            until then, and a compactor comes to it once more.",
    machine: ZSPAGE.folios(2).absent(2),
    tasks: &[cpu(0, "zram", |k| {
        allocates(k);
        folio_get(&k.folios[0], READER);
        (owner(k).driver.access)(k);
        compact_page(k, &k.folios[0], COMPACTOR);
        compact_page(k, &k.folios[1], COMPACTOR);
        old_page_is_left_alone(k);
        (owner(k).driver.access)(k);
    })],
    at_end: Some(|k| {
        updates_are_kept(k, 2);
        join(k.task(0, "zram", |k| {
            folio_put(k, &k.folios[0], READER);
            frees(k);
        }));
        zspage_is_freed(k);
    }),
    ..Scenario::EMPTY
};

/// Its pages are freed, those that were moved and those that they were moved to; and it is on no
/// list.
pub(super) fn zspage_is_freed(k: &Run) {
    all_is_freed(k);
    if is_freed_and_listed(k) {
        fail(KERNEL_ASSERTIONS_HOLD, "the zspage has been freed, and is on a list of its class");
    }
}

static ACCESSED: Scenario = Scenario {
    name: "access_vs_move",
    about: "CPU0 moves the page, while CPU1 changes the object in it.",
    machine: ZSPAGE,
    before: ALLOCATED,
    tasks: &[
        cpu(0, "compaction", |k| compact_page(k, &k.folios[0], COMPACTOR)),
        cpu(1, "zram", |k| (owner(k).driver.access)(k)),
    ],
    ..Scenario::EMPTY
};

static UPDATED: Scenario = Scenario {
    name: "update_vs_move",
    about: "CPU0 moves the page, while CPU1 changes the object in it; somebody who came across the \
            old page keeps it from being freed.",
    before: &[cpu(0, "driver", |k| {
        allocates(k);
        folio_get(&k.folios[0], READER);
    })],
    at_end: Some(|k| updates_are_kept(k, 1)),
    ..ACCESSED
};

const FREE_WORK_LOCKED: &str = "free_work has locked a zspage";
const SLEPT_IN_WAIT_EVENT: &str = "a task slept in wait_event()";

/// The sheet has it violated since 4.8. Until 77ff465799c6 (4.14) a migration of an empty zspage
/// failed, under class->lock, and putback told free_work.
const MIGRATION_FAILS: Source = Source::analysis(
    "mm/zsmalloc.c of 4.9.y: zs_page_migrate() returns -EBUSY for an empty zspage (kernel-lru:E6 \
     has it violated from 4.8 on)",
);
/// What the sheet gives no verdict for.
const UNNAMED: Source = Source::analysis("kernel-lru:E.4, zsmalloc 5.3");
const WAIT_HAS_ONE: Source = Source::analysis(
    "set_current_state() in wait_event() is a barrier before the count is looked at again",
);
const READ_TOO_EARLY: Source = Source::Commit {
    id: "afe8605ca454",
    remark: "5.16: destroying is read before the decrement is seen",
};

fn ends() -> Vec<Answers> {
    let lru = Source::lru;
    let walked = &[FREE_WORK_LOCKED, MOVED, "lock_zspage() waited for a page"];
    vec![
        ask(A_POOL_IS_USED_WHILE_IT_LIVES, &POOL_GOES, lru("E5"), &[PUT_BACK])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[ISOLATED, EMPTIED_WHILE_ISOLATED])
            .violated(&[&V4_8_ATOMIC, &V4_14_ATOMIC])
            .under(COMPLETE)
            .holds(&[&V5_3_ATOMIC, &V5_16_ATOMIC]),
        ask(A_POOL_IS_USED_WHILE_IT_LIVES, &POOL_GOES_BESIDE_A_MOVE, lru("E5"), &[MOVED, PUT_BACK])
            .under(COMPLETE)
            .holds(&[&V6_1_COUNTS_LOCKED, &V6_1_192, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[LEFT_TO_FREE_WORK])
            .violated(&[&E5_NO_FLUSH_WORK]),
        ask(KERNEL_ASSERTIONS_HOLD, &COUNTED, lru("E16"), &[PUT_BACK, FREE_WORK_LOCKED])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[LEFT_TO_FREE_WORK, FREE_WORK_LOCKED])
            .violated(&[&V5_18, &V6_1, &V6_4])
            .under(COMPLETE)
            .holds(&[&V6_1_COUNTS_LOCKED, &V6_1_192, &V6_12_117]),
        ask(AN_EMPTY_ZSPAGE_IS_FREED, &EMPTIED, MIGRATION_FAILS, &[PUT_BACK, FREE_WORK_LOCKED])
            .under(COMPLETE)
            .holds(&[&V4_8_ATOMIC]),
        ask(AN_EMPTY_ZSPAGE_IS_FREED, &EMPTIED, lru("E6"), &[MOVED, FREE_WORK_LOCKED])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[MOVED])
            .violated(&[&V4_14_ATOMIC])
            .under(COMPLETE)
            .holds(&[&V5_3_ATOMIC, &V5_16_ATOMIC, &V6_1_COUNTS_LOCKED, &V6_1_192, &V6_12_117])
            .violated(&[&E6_NOT_KICKED, &E6_NOT_KICKED_5_3]),
        ask(A_WALK_STAYS_IN_ITS_ZSPAGE, &WALKED, lru("E7"), &[FREE_WORK_LOCKED, MOVED])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&["a driver moved its page"])
            .violated(&[&V5_17, &V5_18, &E7_NO_ZSPAGE_LOCK])
            .under(COMPLETE)
            .holds(&[&V6_1, &V6_1_192, &V6_12_117]),
        ask(A_RELEASED_PAGE_IS_FREED, &FREED_BY_FREE_WORK, lru("E7"), &[FREE_WORK_LOCKED, MOVED])
            .under(COMPLETE)
            .holds(&[&V6_1_192, &V6_12_117]),
        ask(A_WALK_STAYS_IN_ITS_ZSPAGE, &WALKED_AFTER_A_WAIT, lru("E7"), walked)
            .under(COMPLETE)
            .holds(&[&V6_12_117]),
        ask(A_RELEASED_PAGE_IS_FREED, &BOTH_MOVED, lru("E.4"), &[MOVED, "a zspage was freed"])
            .under(ALONE)
            .holds(&[&V6_1_192, &V6_12_117]),
        // What the wait for isolated pages must do: zs_destroy_pool() terminates.
        ask(NOBODY_WAITS_FOR_EVER, &EMPTY_POOL_GOES, UNNAMED, &[PUT_BACK, SLEPT_IN_WAIT_EVENT])
            .under(COMPLETE)
            .holds(&[&V5_3_ATOMIC, &V5_16_ATOMIC])
            .violated(&[&E5_NO_WAKE_UP]),
        ask(NOBODY_WAITS_FOR_EVER, &EMPTY_POOL_GOES_WEAKLY, READ_TOO_EARLY, &[SLEPT_IN_WAIT_EVENT])
            .under(WEAK)
            .violated(&[&V5_3_ATOMIC, &E5_NO_BARRIER_AFTER_DEC])
            .holds(&[&V5_16_ATOMIC])
            .holds_as(WAIT_HAS_ONE, &[&E5_NO_BARRIER_AFTER_DESTROYING]),
    ]
}

fn accesses() -> Vec<Answers> {
    let accessed = &["an object was accessed", MOVED];
    let with_mutant = |rule, scenario| {
        ask(rule, scenario, Source::lru("E10"), accessed)
            .under(COMPLETE)
            .holds(&[&V5_17, &V6_1, &V6_1_192, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[MOVED])
            .violated(&[&E10_NO_ZSPAGE_LOCK])
    };
    vec![with_mutant(M3, &ACCESSED), with_mutant(M1, &UPDATED)]
}

pub(in crate::claims) fn claims() -> Vec<Answers> {
    ends().into_iter().chain(accesses()).collect()
}
