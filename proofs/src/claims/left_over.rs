//! References of who comes across a folio and does not get it: each is given back.

use selvedge_kernel::{READ_ONCE, fail_about, plain_write};
use selvedge_models::mm::compaction::{
    CompactControl, PASSED_OVER_A_FILE, isolate_migratepages_block,
};
use selvedge_models::mm::gup::{
    DEVICE_STORED, NOTHING_TO_PIN, direct_io_read, pin_user_pages, unpin_folio,
};
use selvedge_models::mm::memory::zap_pte_range;
use selvedge_models::mm::migrate::{ISOLATION, Migrator, Mode};
use selvedge_models::mm::movable::{
    Role, alloc_slab_page, free_slab_page, isolate_movable_page_since_6_2,
};
use selvedge_models::mm::swap::{folio_add_lru, folio_put, lru_add_drain};
use selvedge_models::mm::vmscan::{
    folio_isolate_lru, isolate_lru_folios, move_folios_to_lru, scan_folios,
};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::lru_flag::LISTED;
use super::{DPOR, WEAK};
use crate::Source::{self, Comment};
use crate::rules::{
    A_PINNED_FOLIO_IS_NOT_FREED, KERNEL_ASSERTIONS_HOLD, NO_REFERENCE_IS_LEFT_OVER,
    no_reference_is_left_over,
};
use crate::states::{FREED, ISOLATED, RECLAIM_PASSED_OVER, RESTED};
use crate::{Answers, Run, Scenario, Task, ask, cpu};

/// Puts these back, which the caller has isolated.
pub(super) fn put_back(k: &Run, isolated: Vec<usize>) {
    isolated.into_iter().for_each(|index| move_folios_to_lru(k, &k.folios[index], ISOLATION));
}

/// Somebody else isolates the folio, and puts it back.
const ISOLATOR: Task = cpu(0, "isolator", |k| {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        put_back(k, vec![0]);
    }
});

static RECLAIM: Scenario = Scenario {
    name: "reclaim_meets_an_isolated_folio",
    about: "CPU0 isolates the folio, and puts it back; CPU1 isolates what reclaim would, and puts \
            that back.",
    machine: LISTED,
    tasks: &[ISOLATOR, cpu(1, "reclaim", |k| put_back(k, isolate_lru_folios(k, ISOLATION)))],
    at_end: Some(no_reference_is_left_over),
    ..Scenario::EMPTY
};

static AGING: Scenario = Scenario {
    name: "aging_meets_an_isolated_folio",
    about: "CPU0 isolates the folio, and puts it back; CPU1 isolates what the oldest generation \
            has, and puts that back.",
    tasks: &[ISOLATOR, cpu(1, "reclaim", |k| put_back(k, scan_folios(k, ISOLATION).isolated))],
    ..RECLAIM
};

static COMPACTION: Scenario = Scenario {
    name: "compaction_without_fs_meets_a_file",
    about: "CPU0 isolates what compaction would without __GFP_FS: no folio of a file.",
    machine: LISTED.cpus(1),
    tasks: &[cpu(0, "compaction", |k| {
        let who = Migrator { mode: Mode::Async, memalloc: true };
        let cc = CompactControl { who, may_enter_fs: false };
        assert!(isolate_migratepages_block(k, cc).is_empty(), "there is nothing but a file's");
    })],
    ..RECLAIM
};

static COMPACTION_VS_ISOLATOR: Scenario = Scenario {
    name: "compaction_meets_an_isolated_folio",
    about: "CPU0 isolates the folio, and puts it back; CPU1 isolates what compaction would, and \
            puts that back.",
    tasks: &[
        ISOLATOR,
        cpu(1, "compaction", |k| {
            let who = Migrator { mode: Mode::Async, memalloc: false };
            put_back(k, isolate_migratepages_block(k, CompactControl { who, may_enter_fs: true }));
        }),
    ],
    ..RECLAIM
};

static PIN_VS_UNMAP: Scenario = Scenario {
    name: "pin_vs_unmap",
    about: "Only the page table has a reference to the anonymous folio. CPU0 pins it, looks at it, \
            and unpins it; CPU1 unmaps it.",
    machine: Machine::TINY.mapped().anon(),
    tasks: &[
        cpu(0, "get_user_pages", |k| {
            let Some(folio) = pin_user_pages(k, 0) else { return };
            if READ_ONCE(&folio.freed) != 0 {
                let message = "folio0 is pinned, and has been freed";
                fail_about(A_PINNED_FOLIO_IS_NOT_FREED, message, folio.freed.object());
            }
            unpin_folio(k, folio);
        }),
        cpu(1, "munmap", |k| zap_pte_range(k, 0)),
    ],
    at_end: Some(|k| {
        no_reference_is_left_over(k);
        if k.folios[0].freed.peek() != 1 {
            let message = "the page is unmapped, and folio0 is not freed";
            fail_about(NO_REFERENCE_IS_LEFT_OVER, message, k.folios[0].refcount.object());
        }
    }),
    ..Scenario::EMPTY
};

static DIRECT_IO_VS_UNMAP: Scenario = Scenario {
    name: "direct_io_vs_unmap",
    about: "Only the page table has a reference to the anonymous folio. CPU0 reads a file into its \
            page by direct I/O, which pins it; CPU1 unmaps it.",
    tasks: &[
        cpu(0, "reader", |k| {
            direct_io_read(k, 0, 7);
        }),
        cpu(1, "munmap", |k| zap_pte_range(k, 0)),
    ],
    ..PIN_VS_UNMAP
};

pub(super) static BATCH_PUTS_LAST: Scenario = Scenario {
    name: "batch_or_truncation_puts_last",
    about: "The folio is in CPU0's lru_add batch. CPU0 drains it; CPU1 clears its mapping, as a \
            truncation does, and drops the reference of the page cache.",
    machine: Machine::TINY.free_checks(),
    before: &[cpu(0, "adder", |k| folio_add_lru(k, &k.folios[0]))],
    tasks: &[cpu(0, "drainer", |k| lru_add_drain(k)), LEAVES_THE_CACHE],
    ..Scenario::EMPTY
};

/// What `truncate_inode_folio()` does under locks that nobody else takes here.
pub(super) const LEAVES_THE_CACHE: Task = cpu(1, "truncation", |k| leaves_the_cache(k, 0));

/// The same, of this folio.
pub(super) fn leaves_the_cache(k: &Run, index: usize) {
    plain_write(&k.folios[index].mapping, 0);
    folio_put(k, &k.folios[index], PAGE_CACHE);
}

static ISOLATION_PUTS_LAST: Scenario = Scenario {
    name: "isolation_or_truncation_puts_last",
    about: "CPU0 has seen a movable page, which is the page cache's now, and isolates it if it \
            can; CPU1 clears its mapping, as a truncation does, and drops the reference of the \
            page cache.",
    machine: Machine::TINY.driver(Some(Role::Module)).free_checks(),
    before: &[],
    tasks: &[
        cpu(0, "compaction", |k| {
            isolate_movable_page_since_6_2(k, &k.folios[0]);
        }),
        LEAVES_THE_CACHE,
    ],
    ..BATCH_PUTS_LAST
};

static SLAB_PUTS_LAST: Scenario = Scenario {
    name: "isolation_or_slab_puts_last",
    about: "CPU0 has seen a movable page, which is slab's now, and isolates it if it can; CPU1 \
            frees it.",
    machine: ISOLATION_PUTS_LAST.machine.absent(1),
    before: &[cpu(0, "slab", |k| alloc_slab_page(k, &k.folios[0]))],
    tasks: &[
        cpu(0, "compaction", |k| {
            isolate_movable_page_since_6_2(k, &k.folios[0]);
        }),
        cpu(1, "slab", |k| free_slab_page(k, &k.folios[0])),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let tries = Comment { file: "mm/vmscan.c", says: "another thread is already isolating it" };
    let passed = Comment { file: "mm/compaction.c", says: "isolate_fail_put" };
    let entry = Source::analysis("an entry has a reference, which it keeps as long as ptl is held");
    let ordered = Comment {
        file: "Documentation/core-api/refcount-vs-atomic.rst",
        says: "decrement-based RMW operations that return a value are fully ordered",
    };
    let last = |scenario| {
        ask(KERNEL_ASSERTIONS_HOLD, scenario, ordered, &[FREED]).under(WEAK).holds(&[&V6_12_117])
    };
    let left = |scenario, source, reached| {
        ask(NO_REFERENCE_IS_LEFT_OVER, scenario, source, reached).under(DPOR).holds(&[&V6_12_117])
    };
    vec![
        left(&RECLAIM, tries, &[RECLAIM_PASSED_OVER, ISOLATED])
            .violated(&[&RECLAIM_KEEPS_REFERENCE]),
        left(&AGING, tries, &[RECLAIM_PASSED_OVER, ISOLATED]),
        left(&COMPACTION, passed, &[PASSED_OVER_A_FILE]),
        left(&COMPACTION_VS_ISOLATOR, passed, &[ISOLATED]),
        ask(A_PINNED_FOLIO_IS_NOT_FREED, &PIN_VS_UNMAP, entry, &[FREED, NOTHING_TO_PIN])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .broken_after(&[FREED])
            .violated(&[&PIN_NO_PTL]),
        left(&DIRECT_IO_VS_UNMAP, entry, &[FREED, NOTHING_TO_PIN, DEVICE_STORED]),
        last(&BATCH_PUTS_LAST).violated_after(&[RESTED], &[&BATCH_PUTS_RELAXED]),
        last(&ISOLATION_PUTS_LAST),
        last(&SLAB_PUTS_LAST),
    ]
}
