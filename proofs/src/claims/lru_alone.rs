//! What each operation on an LRU list does if nobody disturbs it: with nobody else about, each step
//! that does it can be missed.

use selvedge_kernel::{Bit, plain_write, set_bit};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::{mlock_folio, mlock_new_folio, munlock_folio};
use selvedge_models::mm::swap::{
    folio_activate, folio_add_lru, folio_deactivate, folio_put, folio_rotate_reclaimable,
    lru_add_drain,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, folio_putback_lru, move_folios_to_lru};
use selvedge_models::trees::*;
use selvedge_models::{
    EVICTABLE, Machine, NOT_LINKED, PAGE_CACHE, PG_ACTIVE, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE,
    UNEVICTABLE,
};

use super::DPOR;
use super::lru_flag::LISTED;
use crate::Source::Comment;
use crate::rules::*;
use crate::states::{FREED, ISOLATED, MADE_UNEVICTABLE, RECLAIM_FREED, RESTED, RESTED_FOR_MLOCK};
use crate::{Answers, Run, Scenario, ask, cpu};

const ONE_CPU: Machine = LISTED.cpus(1).mlock();

/// The operation, and then a drain.
fn drained(k: &Run, operation: fn(&Run)) {
    operation(k);
    lru_add_drain(k);
}

fn activate(k: &Run) {
    folio_activate(k, &k.folios[0]);
}

fn mlock(k: &Run) {
    mlock_folio(k, &k.folios[0]);
}

fn munlock(k: &Run) {
    munlock_folio(k, &k.folios[0]);
}

fn is_as_it_should_be(k: &Run, list: u64, flags: &[Bit]) {
    is_with(k, list, flags);
    entries_own_references(k);
}

static ADDED: Scenario = Scenario {
    name: "added_alone",
    about: "CPU0 adds a folio and drains. Nobody else does anything.",
    machine: ONE_CPU.unlisted(),
    tasks: &[cpu(0, "user", |k| drained(k, |k| folio_add_lru(k, &k.folios[0])))],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU])),
    ..Scenario::EMPTY
};

static ACTIVATED: Scenario = Scenario {
    name: "activated_alone",
    about: "CPU0 activates a folio and drains, twice. Nobody else does anything.",
    machine: ONE_CPU,
    tasks: &[cpu(0, "user", |k| {
        drained(k, activate);
        drained(k, activate);
    })],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU, PG_ACTIVE])),
    ..Scenario::EMPTY
};

static DEACTIVATED: Scenario = Scenario {
    name: "deactivated_alone",
    about: "CPU0 activates a folio, drains, deactivates it, and drains.",
    tasks: &[cpu(0, "user", |k| {
        drained(k, activate);
        drained(k, |k| folio_deactivate(k, &k.folios[0]));
    })],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU])),
    ..ACTIVATED
};

static MLOCKED: Scenario = Scenario {
    name: "mlocked_alone",
    about: "CPU0 activates a folio, drains, mlocks it, and drains.",
    tasks: &[cpu(0, "user", |k| {
        drained(k, activate);
        drained(k, mlock);
    })],
    at_end: Some(|k| is_as_it_should_be(k, UNEVICTABLE, &[PG_LRU, PG_MLOCKED, PG_UNEVICTABLE])),
    ..ACTIVATED
};

static MLOCKED_NEW: Scenario = Scenario {
    name: "new_folio_mlocked_alone",
    about: "CPU0 mlocks a folio that is on no list yet, and drains.",
    machine: ONE_CPU.unlisted(),
    tasks: &[cpu(0, "user", |k| drained(k, |k| mlock_new_folio(k, &k.folios[0])))],
    at_end: Some(|k| is_as_it_should_be(k, UNEVICTABLE, &[PG_LRU, PG_MLOCKED, PG_UNEVICTABLE])),
    ..Scenario::EMPTY
};

static MUNLOCKED: Scenario = Scenario {
    name: "munlocked_alone",
    about: "CPU0 mlocks a folio, drains, munlocks it, and drains.",
    tasks: &[cpu(0, "user", |k| {
        drained(k, mlock);
        drained(k, munlock);
    })],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU])),
    ..ACTIVATED
};

static MLOCKED_TWICE: Scenario = Scenario {
    name: "mlocked_twice_munlocked_once",
    about: "CPU0 mlocks a folio twice, as two VMAs do, and munlocks it once, with drains.",
    tasks: &[cpu(0, "user", |k| {
        drained(k, mlock);
        drained(k, mlock);
        drained(k, munlock);
    })],
    at_end: Some(|k| is_as_it_should_be(k, UNEVICTABLE, &[PG_LRU, PG_MLOCKED, PG_UNEVICTABLE])),
    ..ACTIVATED
};

static MUNLOCKED_TWICE: Scenario = Scenario {
    name: "mlocked_twice_munlocked_twice",
    about: "CPU0 mlocks a folio twice, as two VMAs do, and munlocks it twice, with drains.",
    tasks: &[cpu(0, "user", |k| {
        drained(k, mlock);
        drained(k, mlock);
        drained(k, munlock);
        drained(k, munlock);
    })],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU])),
    ..ACTIVATED
};

static MLOCKED_WHEN_ADDED: Scenario = Scenario {
    name: "mlocked_folio_added_alone",
    about: "CPU0 adds a folio that is mlocked already, and drains.",
    machine: ONE_CPU.unlisted(),
    setup: |k| set_bit(PG_MLOCKED, &k.folios[0].flags),
    tasks: &[cpu(0, "user", |k| drained(k, |k| folio_add_lru(k, &k.folios[0])))],
    at_end: Some(|k| is_with(k, UNEVICTABLE, &[PG_LRU, PG_MLOCKED, PG_UNEVICTABLE])),
    ..Scenario::EMPTY
};

static MUNLOCKED_AFTER_ADDED: Scenario = Scenario {
    name: "mlocked_folio_added_and_munlocked",
    about: "CPU0 adds a folio that is mlocked already, drains, munlocks it, and drains. The word \
            of mlock_count was lru.prev of the list that the folio was on before.",
    setup: |k| {
        set_bit(PG_MLOCKED, &k.folios[0].flags);
        plain_write(&k.folios[0].mlock_count, LIST_POISON2);
    },
    tasks: &[cpu(0, "user", |k| {
        drained(k, |k| folio_add_lru(k, &k.folios[0]));
        drained(k, munlock);
    })],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU])),
    ..MLOCKED_WHEN_ADDED
};

const LIST_POISON2: u64 = 0x122;

static MUNLOCKED_WHILE_ISOLATED: Scenario = Scenario {
    name: "munlocked_while_isolated_alone",
    about: "CPU0 mlocks a folio and drains; isolates it, munlocks it and drains, which leaves \
            PG_unevictable set; puts it back, and drains.",
    tasks: &[cpu(0, "user", |k| {
        drained(k, mlock);
        assert!(folio_isolate_lru(k, &k.folios[0], ISOLATION), "nobody else runs");
        drained(k, munlock);
        drained(k, |k| folio_putback_lru(k, &k.folios[0], ISOLATION));
    })],
    at_end: Some(|k| is_as_it_should_be(k, EVICTABLE, &[PG_LRU])),
    ..ACTIVATED
};

static FREED_BY_RECLAIM: Scenario = Scenario {
    name: "freed_by_reclaim_alone",
    about: "CPU0 isolates a folio, as reclaim does, drops the other reference, and puts it back: \
            the last reference. No page is freed with PG_lru set.",
    tasks: &[cpu(0, "reclaim", |k| {
        assert!(folio_isolate_lru(k, &k.folios[0], ISOLATION), "nobody else runs");
        folio_put(k, &k.folios[0], PAGE_CACHE);
        move_folios_to_lru(k, &k.folios[0], ISOLATION);
    })],
    at_end: Some(|k| is_with(k, NOT_LINKED, &[])),
    ..ACTIVATED
};

static FREED_ALONE: Scenario = Scenario {
    name: "freed_alone",
    about: "CPU0 drops the last reference of a folio. No page is freed with PG_lru set.",
    tasks: &[cpu(0, "user", |k| folio_put(k, &k.folios[0], PAGE_CACHE))],
    at_end: Some(|k| is_with(k, NOT_LINKED, &[])),
    ..ACTIVATED
};

static TWO_ADDED: Scenario = Scenario {
    name: "two_folios_rest_where_they_were_added",
    about: "CPU0 adds two folios to its lru_add batch, and mlocks two others that are new.",
    machine: ONE_CPU.unlisted().folios(4),
    tasks: &[cpu(0, "user", |k| {
        folio_add_lru(k, &k.folios[0]);
        folio_add_lru(k, &k.folios[1]);
        mlock_new_folio(k, &k.folios[2]);
        mlock_new_folio(k, &k.folios[3]);
    })],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static TWO_MOVED: Scenario = Scenario {
    name: "two_folios_rest_in_each_batch",
    about: "Two folios are active. CPU0 deactivates, rotates, and mlocks them: each rests in three \
            batches.",
    machine: ONE_CPU.folios(2),
    before: &[cpu(0, "user", |k| {
        k.folios.iter().for_each(|folio| folio_activate(k, folio));
        lru_add_drain(k);
    })],
    tasks: &[cpu(0, "user", |k| {
        for folio in &k.folios {
            folio_deactivate(k, folio);
            folio_rotate_reclaimable(k, folio);
            mlock_folio(k, folio);
        }
    })],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static TWO_ACTIVATED: Scenario = Scenario {
    name: "two_folios_rest_in_the_activate_batch",
    about: "CPU0 activates two folios.",
    tasks: &[cpu(0, "user", |k| k.folios.iter().for_each(|folio| folio_activate(k, folio)))],
    before: &[],
    ..TWO_MOVED
};

static TWO_MUNLOCKED: Scenario = Scenario {
    name: "two_munlocks_rest_in_the_batch",
    about: "Two folios are mlocked. CPU0 munlocks both.",
    before: &[cpu(0, "user", |k| {
        k.folios.iter().for_each(|folio| mlock_folio(k, folio));
        lru_add_drain(k);
    })],
    tasks: &[cpu(0, "user", |k| k.folios.iter().for_each(|folio| munlock_folio(k, folio)))],
    ..TWO_MOVED
};

pub(super) fn claims() -> Vec<Answers> {
    let lists = Comment {
        file: "include/linux/mm_inline.h",
        says: "folio_lru_list(): the list that a folio should be on, by its flags",
    };
    let mlock = Comment { file: "mm/mlock.c", says: "mlock_count is of the VMAs that mlock it" };
    let holds = |scenario, source, reached| {
        ask(A_DRAINED_FOLIO_IS_WHERE_IT_SHOULD_BE, scenario, source, reached)
            .under(DPOR)
            .holds(&[&V6_12_117])
    };
    let (added, mlocked) = (&[RESTED], &[RESTED_FOR_MLOCK, MADE_UNEVICTABLE]);
    let free = Comment {
        file: "include/linux/page-flags.h",
        says: "PAGE_FLAGS_CHECK_AT_FREE: no page is freed with these",
    };
    let count = Comment { file: "include/linux/pagevec.h", says: "folio_batch_count()" };
    let rest = |scenario| {
        ask(NO_BATCH_ENTRY_IS_LOST, scenario, count, &[RESTED]).under(DPOR).holds(&[&V6_12_117])
    };
    vec![
        holds(&ADDED, lists, added),
        holds(&ACTIVATED, lists, added).violated(&[&ACTIVATE_NO_FLAG]),
        holds(&DEACTIVATED, lists, added),
        holds(&MLOCKED, mlock, mlocked),
        holds(&MLOCKED_NEW, mlock, &[RESTED_FOR_MLOCK]),
        holds(&MUNLOCKED, mlock, mlocked),
        holds(&MLOCKED_TWICE, mlock, mlocked),
        holds(&MUNLOCKED_TWICE, mlock, mlocked),
        holds(&MLOCKED_WHEN_ADDED, mlock, added),
        holds(&MUNLOCKED_AFTER_ADDED, mlock, &[RESTED, RESTED_FOR_MLOCK]),
        holds(&MUNLOCKED_WHILE_ISOLATED, lists, &[MADE_UNEVICTABLE, ISOLATED]),
        holds(&FREED_ALONE, free, &[FREED]),
        holds(&FREED_BY_RECLAIM, free, &[ISOLATED, RECLAIM_FREED]),
        rest(&TWO_ADDED),
        rest(&TWO_MOVED),
        rest(&TWO_ACTIVATED),
        ask(NO_BATCH_ENTRY_IS_LOST, &TWO_MUNLOCKED, count, &[RESTED_FOR_MLOCK])
            .under(DPOR)
            .holds(&[&V6_12_117]),
    ]
}
