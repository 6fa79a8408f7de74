//! A page that compaction comes to is somebody else's by then, who uses its flags without atomic
//! operations: the page cache, slab.

use selvedge_kernel::READ_ONCE;
use selvedge_models::mm::movable::{
    REUSED, add_to_page_cache, alloc_slab_page, free_slab_page, isolate_movable_page_since_6_2,
};
use selvedge_models::trees::*;
use selvedge_models::{Folio, Kernel};

use super::{ALLOCATED, COMPLETE, ONE_PAGE, OWN_LOCKS, frees, isolates};
use crate::claims::{LOOM, WEAK};
use crate::rules::FRESH_FLAGS_ARE_THE_OWNERS;
use crate::{Answers, Run, Scenario, Source, ask, cpu};

/// CPU1 frees page 0, and `next` has it then.
fn frees_for(k: &Run, next: fn(&Kernel, &Folio)) {
    frees(k);
    if READ_ONCE(&k.folios[0].freed) != 0 {
        next(k, &k.folios[0]);
    }
}

static REUSED_BY_PAGE_CACHE: Scenario = Scenario {
    name: "freed_and_reused_by_the_page_cache",
    about: "CPU0 isolates the page; CPU1 frees it first, and allocates it for the page cache, \
            where a new page is locked without an atomic operation.",
    machine: ONE_PAGE.zone_lock(),
    before: ALLOCATED,
    tasks: &[cpu(0, "compaction", isolates), cpu(1, "owner", |k| frees_for(k, add_to_page_cache))],
    ..Scenario::EMPTY
};

static REUSED_BY_SLAB: Scenario = Scenario {
    name: "freed_and_reused_by_slab",
    about: "CPU0 isolates the page; CPU1 frees it first, and it is slab's then, with a field of \
            struct slab in the place of page->mapping.",
    tasks: &[cpu(0, "compaction", isolates), cpu(1, "owner", |k| frees_for(k, alloc_slab_page))],
    ..REUSED_BY_PAGE_CACHE
};

fn isolates_what_it_saw(k: &Run) {
    isolate_movable_page_since_6_2(k, &k.folios[0]);
}

static ALLOCATED_BY_SLAB: Scenario = Scenario {
    name: "allocated_by_slab",
    about: "CPU0 has seen a movable page, which is free now, and isolates it if it can; CPU1 \
            allocates it for slab. (How it was freed is left out: too much for loom.)",
    machine: ONE_PAGE,
    tasks: &[
        cpu(0, "compaction", isolates_what_it_saw),
        cpu(1, "slab", |k| alloc_slab_page(k, &k.folios[0])),
    ],
    ..Scenario::EMPTY
};

static FREED_BY_SLAB: Scenario = Scenario {
    name: "freed_by_slab",
    about: "CPU0 has seen a movable page, which is slab's now, and isolates it if it can; CPU1 frees \
            it.",
    before: &[cpu(0, "slab", |k| alloc_slab_page(k, &k.folios[0]))],
    tasks: &[
        cpu(0, "compaction", isolates_what_it_saw),
        cpu(1, "slab", |k| free_slab_page(k, &k.folios[0])),
    ],
    ..ALLOCATED_BY_SLAB
};

const NOT_MOVABLE_ANY_MORE: &str = "an isolation found that the page is no movable page any more";

/// Of 4.8 no mm_types.h was read: the posting of 8b8817630ae8 has the layout change.
const A_POINTER: Source = Source::Commit {
    id: "130d4df57390",
    remark: "6.2: until then page->mapping is slab->slab_cache, a pointer whose low bits are 0",
};
const NOT_REACHABLE: Source = Source::analysis(
    "6.2 clears mapping before PG_slab, so that the second look finds what the first would",
);
const LOCK_ACQUIRES: Source = Source::analysis(
    "whoever sees PG_slab clear twice and takes the page lock sees mapping as slab left it",
);

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        ask(FRESH_FLAGS_ARE_THE_OWNERS, &REUSED_BY_PAGE_CACHE, lru("E2"), &[REUSED])
            .under(COMPLETE)
            .violated(&[&MOBILE_2015])
            .holds_as(OWN_LOCKS, &[&LRU_AS_MOBILE])
            .holds(&[&V4_8_ATOMIC, &V5_18, &V6_1, &V6_12_117]),
        ask(FRESH_FLAGS_ARE_THE_OWNERS, &REUSED_BY_SLAB, lru("E2"), &[REUSED])
            .under(COMPLETE)
            .holds_as(A_POINTER, &[&V4_8_ATOMIC, &V6_1])
            .holds(&[&V6_6, &V6_12_117])
            .holds_as(NOT_REACHABLE, &[&E2_NO_FIRST_LOOK])
            .violated(&[&E2_NO_LOOK_AT_SLAB, &E2_NO_SECOND_LOOK]),
        ask(FRESH_FLAGS_ARE_THE_OWNERS, &ALLOCATED_BY_SLAB, lru("E2"), &[REUSED])
            .under(WEAK)
            .holds(&[&V6_12_117])
            .violated(&[&E2_NO_SMP_RMB, &E2_NO_SMP_WMB]),
        ask(FRESH_FLAGS_ARE_THE_OWNERS, &FREED_BY_SLAB, lru("E2"), &[NOT_MOVABLE_ANY_MORE])
            .under(WEAK)
            .holds(&[&V6_12_117])
            .holds_as(LOCK_ACQUIRES, &[&E2_NO_FIRST_SMP_RMB])
            // A stale type is acted on before it is found to be one: M2 is broken first.
            .under(LOOM)
            .broken_after(&[REUSED])
            .violated(&[&E2_NO_SMP_WMB_IN_FREE]),
    ]
}
