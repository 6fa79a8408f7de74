//! Isolating a page: who may, what is looked at and touched on the way, and under which locks.

use selvedge_kernel::{NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, READ_ONCE, fail_about, join};
use selvedge_models::mm::movable::{
    FRESH_FLAGS_ARE_THE_OWNERS, ISOLATED, M2, M6, M8, M10, REUSED, Role, add_to_page_cache,
    alloc_slab_page, isolate_block,
};
use selvedge_models::trees::*;
use selvedge_models::{Folio, Kernel, Sizes};

use super::{COMPLETE, M5, ONE_PAGE, allocated, frees, topic};
use crate::claims::{ALONE, EVERY, SC, SC_WITHOUT_RANDOM};
use crate::{Claim, Scenario, Topic};

/// Two compactors isolate page 0.
fn isolate_twice(k: &Kernel) {
    allocated(k);
    let compactors = [0, 1].map(|cpu| {
        k.task(cpu, "compaction", |k| {
            isolate_block(k, &k.folios[0], false);
        })
    });
    compactors.into_iter().for_each(join);
}

static ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors",
    about: "CPU0 and CPU1 each isolate the same page of a driver.",
    sizes: ONE_PAGE,
    play: |k| isolate_twice(k),
    at_end: |_| {},
    choices: 0,
};

static BALLOON_ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors_of_a_balloon",
    about: "The same with a page of the balloon.",
    sizes: Sizes { driver: Some(Role::Balloon), ..ONE_PAGE },
    play: |k| isolate_twice(k),
    at_end: |_| {},
    choices: 0,
};

static ZSPAGE_ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors_of_a_zspage",
    about: "The same with a page of a zspage.",
    sizes: Sizes { driver: Some(Role::Zsmalloc), ..ONE_PAGE },
    play: |k| isolate_twice(k),
    at_end: |_| {},
    choices: 0,
};

static LRU_ISOLATED_TWICE: Scenario = Scenario {
    name: "two_compactors_of_the_lru",
    about: "The same with a folio on the LRU.",
    sizes: ON_LRU,
    play: |k| {
        let compactors = [0, 1].map(|cpu| {
            k.task(cpu, "compaction", |k| {
                isolate_block(k, &k.folios[0], true);
            })
        });
        compactors.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

/// CPU0 looks at page 0; CPU1 frees it, and `next` has it then.
fn freed_and_reused(k: &Kernel, next: fn(&Kernel, &Folio)) {
    allocated(k);
    let compaction = k.task(0, "compaction", |k| {
        isolate_block(k, &k.folios[0], false);
    });
    let owner = k.task(1, "owner", move |k| {
        frees(k, 1);
        if READ_ONCE(&k.folios[0].freed) != 0 {
            next(k, &k.folios[0]);
        }
    });
    join(compaction);
    join(owner);
}

static REUSED_BY_PAGE_CACHE: Scenario = Scenario {
    name: "freed_and_reused_by_the_page_cache",
    about: "CPU0 isolates the page; CPU1 frees it first, and allocates it for the page cache, where a \
            new page is locked without an atomic operation.",
    sizes: ONE_PAGE,
    play: |k| freed_and_reused(k, add_to_page_cache),
    at_end: |_| {},
    choices: 0,
};

static REUSED_BY_SLAB: Scenario = Scenario {
    name: "freed_and_reused_by_slab",
    about: "The same, and the page is slab's then, with something in the place of page->mapping that \
            looks like a movable page's.",
    sizes: ONE_PAGE,
    play: |k| freed_and_reused(k, |_, page| alloc_slab_page(page)),
    at_end: |_| {},
    choices: 0,
};

/// CPU0 isolates page 0, CPU1's driver frees it.
fn free_vs_isolate(k: &Kernel) {
    allocated(k);
    let compaction = k.task(0, "compaction", |k| {
        isolate_block(k, &k.folios[0], false);
    });
    let driver = k.task(1, "driver", |k| frees(k, 1));
    join(compaction);
    join(driver);
}

static FREE_VS_ISOLATION: Scenario = Scenario {
    name: "free_vs_isolation",
    about: "CPU0 isolates the page, while its driver frees it on CPU1.",
    sizes: ONE_PAGE,
    play: |k| free_vs_isolate(k),
    at_end: |_| {},
    choices: 0,
};

static LEAK_VS_ISOLATION: Scenario = Scenario {
    name: "leak_vs_isolation_of_a_balloon",
    about: "CPU0 isolates the page, while the balloon dequeues it on CPU1.",
    sizes: Sizes { driver: Some(Role::Balloon), ..ONE_PAGE },
    play: |k| free_vs_isolate(k),
    at_end: |_| {},
    choices: 0,
};

/// A folio on the LRU, and nothing else.
const ON_LRU: Sizes = Sizes { listed: true, driver: Some(Role::Module), ..Sizes::TINY };

/// Page 0 is isolated with lru_lock held from the page before it.
fn isolate_with_lru_lock(k: &Kernel) {
    allocated(k);
    join(k.task(0, "compaction", |k| {
        isolate_block(k, &k.folios[0], true);
    }));
}

static LRU_LOCK_HELD: Scenario = Scenario {
    name: "isolation_with_lru_lock_held",
    about: "Compaction comes to the page with lru_lock held from a page before it.",
    sizes: ONE_PAGE,
    play: |k| isolate_with_lru_lock(k),
    at_end: |_| {},
    choices: 0,
};

static LRU_LOCK_HELD_BALLOON: Scenario = Scenario {
    name: "isolation_of_a_balloon_with_lru_lock_held",
    about: "The same with a page of the balloon.",
    sizes: Sizes { driver: Some(Role::Balloon), ..ONE_PAGE },
    play: |k| isolate_with_lru_lock(k),
    at_end: |_| {},
    choices: 0,
};

static LRU_PAGE: Scenario = Scenario {
    name: "isolation_of_a_page_on_the_lru",
    about: "Compaction offers a folio on the LRU to the interface for movable pages.",
    sizes: ON_LRU,
    play: |k| {
        join(k.task(0, "compaction", |k| {
            if !isolate_block(k, &k.folios[0], true) {
                let message = "folio0 is on the LRU, and the interface does not know it";
                fail_about(M10, message, k.folios[0].flags.object());
            }
        }));
    },
    at_end: |_| {},
    choices: 0,
};

const E1: Topic = topic(&ISOLATED_TWICE, M6, "kernel-lru:E1", &[ISOLATED]);
const E1_BALLOON: Topic = Topic { scenario: &BALLOON_ISOLATED_TWICE, ..E1 };
const E1_ZSPAGE: Topic = Topic {
    scenario: &ZSPAGE_ISOLATED_TWICE,
    source: "own: kernel-lru:E1 of zsmalloc, which needs PG_isolated",
    ..E1
};
const E1_LRU: Topic = Topic {
    scenario: &LRU_ISOLATED_TWICE,
    source: "own: kernel-lru:E.2 M10: PG_lru is the flag of LRU pages",
    reached: &["a folio was isolated"],
    ..E1
};
const E2: Topic =
    topic(&REUSED_BY_PAGE_CACHE, FRESH_FLAGS_ARE_THE_OWNERS, "kernel-lru:E2", &[REUSED]);
const E2_SLAB: Topic = Topic { scenario: &REUSED_BY_SLAB, ..E2 };
const E4: Topic = topic(&FREE_VS_ISOLATION, M2, "kernel-lru:E4", &[ISOLATED]);
const E11: Topic = topic(&FREE_VS_ISOLATION, M5, "kernel-lru:E11", &[ISOLATED]);
const E11_BALLOON: Topic = Topic { scenario: &LEAK_VS_ISOLATION, ..E11 };
const E12: Topic =
    topic(&LRU_LOCK_HELD, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, "kernel-lru:E12", &[ISOLATED]);
const E12_EDGE: Topic = Topic { rule: M8, scenario: &LRU_LOCK_HELD_BALLOON, ..E12 };
const M10_LRU: Topic = topic(&LRU_PAGE, M10, "own: kernel-lru:E.2 M10", &["a folio was isolated"]);
/// The proposal is about LRU pages; the page lock and the types of 2015 stay as they are.
const STAYS: &str = "own: the proposal leaves driver pages as they were posted";

pub(in crate::claims) static CLAIMS: &[Claim] = &[
    E1.violated(&MOBILE_2015_WITHOUT_FLAG, SC),
    E1.holds(&MOBILE_2015, EVERY),
    E1.holds(&V6_12_117_WITHOUT_FLAG, COMPLETE),
    E1.from(STAYS).violated(&LRU_AS_MOBILE_WITHOUT_FLAG, SC),
    E1_BALLOON.holds(&V4_2, COMPLETE),
    E1_BALLOON.holds(&MOBILE_2015, COMPLETE),
    E1_BALLOON.holds(&V4_8, COMPLETE),
    E1_BALLOON.holds(&V5_18, COMPLETE),
    E1_BALLOON.holds(&V6_12_117, COMPLETE),
    E1_ZSPAGE.holds(&V5_17, COMPLETE),
    E1_ZSPAGE.holds(&V6_12_117, COMPLETE),
    E1_LRU.holds(&LRU_AS_MOBILE, COMPLETE),
    E2.violated(&MOBILE_2015, COMPLETE),
    E2.violated(&LRU_AS_MOBILE, COMPLETE),
    E2.holds(&V4_8_ATOMIC, COMPLETE),
    E2.holds(&V5_18, COMPLETE),
    E2.holds(&V6_1, COMPLETE),
    E2.holds(&V6_12_117, COMPLETE),
    E2_SLAB.violated(&V4_8_ATOMIC, SC_WITHOUT_RANDOM),
    E2_SLAB.violated(&V6_1, SC_WITHOUT_RANDOM),
    E2_SLAB.holds(&V6_6, COMPLETE),
    E2_SLAB.holds(&V6_12_117, COMPLETE),
    E4.holds(&MOBILE_2015, COMPLETE),
    E4.holds(&LRU_AS_MOBILE, COMPLETE),
    E4.holds(&V4_8_ATOMIC, COMPLETE),
    E4.holds(&V5_18, COMPLETE),
    E4.holds(&V6_12_117, COMPLETE),
    E4.violated(&E4_RELEASES_UNLOCKED, SC_WITHOUT_RANDOM),
    E11.violated(&E11_LOCKS_BLOCKING, SC),
    E11.holds(&LRU_AS_MOBILE, COMPLETE),
    E11.holds(&V6_12_117, COMPLETE),
    E11_BALLOON.holds(&V4_5, COMPLETE),
    E11_BALLOON.holds(&V6_12_117, COMPLETE),
    E12.violated(&MOBILE_2015_SLEEPS, ALONE),
    E12.holds(&V6_12_117_SLEEPS, ALONE),
    E12_EDGE.violated(&V4_2, ALONE),
    E12_EDGE.violated(&MOBILE_2015, ALONE),
    E12_EDGE
        .from("own: the proposal makes callbacks responsible for their locks")
        .holds(&LRU_AS_MOBILE, ALONE),
    E12_EDGE.holds(&V4_8, ALONE),
    E12_EDGE.holds(&V6_12_117, ALONE),
    M10_LRU.violated(&MOBILE_2015, ALONE),
    M10_LRU.holds(&LRU_AS_MOBILE, ALONE),
    M10_LRU.violated(&V4_8, ALONE),
    M10_LRU.violated(&V6_12_117, ALONE),
];
