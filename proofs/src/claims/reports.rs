//! Public reports whose subject no other file has: docs/facts/report.md.

use selvedge_kernel::{Name, fail_about, plain_write};
use selvedge_models::fs::fuse::{fuse_writepage, fuse_writepage_finish};
use selvedge_models::mm::filemap::folio_lock;
use selvedge_models::mm::hugetlb::{
    MAPPING_WAS_LOCKED, WANTS_MAPPING, ZEROED, hugetlbfs_punch_hole, migrate_hugetlbs,
};
use selvedge_models::mm::migrate::{FOUND_WRITEBACK, ISOLATION, Migrator};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::mm::vmscan::folio_isolate_lru;
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::page_cache::migrate;
use super::{ALONE, DPOR, EVERY, SC, SC_WITHOUT_RANDOM};
use crate::rules::{
    AN_IDLE_FOLIO_MIGRATES, KERNEL_ASSERTIONS_HOLD, NO_REFERENCE_IS_LEFT_OVER, NO_STORE_IS_LOST,
    NOBODY_WAITS_FOR_EVER, folio_is_freed_and_off_the_list, no_freed_folio_is_linked,
    no_reference_is_left_over,
};
use crate::states::{FREED, ISOLATED, MIGRATED, TO_BE_ISOLATED};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

/// Whoever isolates, and keeps the folio meanwhile.
const ISOLATOR: Name = Name::new("isolator");

fn put_last(k: &Run) {
    folio_put(k, &k.folios[0], PAGE_CACHE);
}

fn isolate_and_put(k: &Run) {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        folio_put(k, &k.folios[0], ISOLATION);
    }
}

static ISOLATE_WITHOUT_REFERENCE: Scenario = Scenario {
    name: "isolate_without_reference_vs_last_put",
    about: "CPU0 isolates a folio that it has no reference to; CPU1 drops the last one.",
    machine: Machine::TINY.listed(),
    tasks: &[cpu(0, "isolator", isolate_and_put), cpu(1, "putter", put_last)],
    at_end: Some(no_freed_folio_is_linked),
    ..Scenario::EMPTY
};

static ISOLATE_WITH_REFERENCE: Scenario = Scenario {
    name: "isolate_vs_last_put_but_one",
    about: "The same of an isolator that has a reference, and drops it in the end.",
    setup: |k| folio_get(&k.folios[0], ISOLATOR),
    tasks: &[
        cpu(0, "isolator", |k| {
            isolate_and_put(k);
            folio_put(k, &k.folios[0], ISOLATOR);
        }),
        cpu(1, "putter", put_last),
    ],
    at_end: Some(|k| {
        no_freed_folio_is_linked(k);
        folio_is_freed_and_off_the_list(k);
    }),
    ..ISOLATE_WITHOUT_REFERENCE
};

/// R11
pub(super) fn isolation() -> Vec<Answers> {
    let source = Source::report("R11");
    let unlinked = &[ISOLATED, FREED];
    vec![
        // list_del() of a folio that is on no list.
        ask(KERNEL_ASSERTIONS_HOLD, &ISOLATE_WITHOUT_REFERENCE, source, unlinked)
            .under(SC_WITHOUT_RANDOM)
            .violated_after(&[TO_BE_ISOLATED], &[&V6_1, &V6_12_117]),
        ask(KERNEL_ASSERTIONS_HOLD, &ISOLATE_WITH_REFERENCE, source, unlinked)
            .under(EVERY)
            .holds(&[&V6_1, &V6_12_117]),
    ]
}

/// A folio of fuse, on the LRU and in the page cache, and a spare one.
const OF_FUSE: Machine =
    Machine::TINY.listed().spares().indeterminate().writeback().sleepers(2).passes(1).batch(3);

fn write(k: &Run) {
    folio_lock(k, &k.folios[0]);
    fuse_writepage(k, &k.folios[0]);
}

static SERVER_IS_SILENT: Scenario = Scenario {
    name: "fuse_server_never_answers",
    about: "CPU0 has written the folio of a fuse file; the server never answers. Then CPU1 \
            migrates it in MIGRATE_SYNC, as CMA allocation does.",
    machine: OF_FUSE,
    before: &[cpu(0, "flusher", write)],
    tasks: &[cpu(1, "migrator", migrate)],
    ..Scenario::EMPTY
};

static SERVER_ANSWERS: Scenario = Scenario {
    name: "fuse_server_answers",
    about: "The same; the server answers at some time, on CPU0.",
    tasks: &[
        cpu(0, "server", |k| fuse_writepage_finish(k, &k.folios[0])),
        cpu(1, "migrator", migrate),
    ],
    ..SERVER_IS_SILENT
};

/// R22
pub(super) fn fuse() -> Vec<Answers> {
    let source = Source::report("R22");
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &SERVER_IS_SILENT, source, &[MIGRATED])
            .under(ALONE)
            .holds(&[&V6_12_117, &V6_15]),
        ask(NOBODY_WAITS_FOR_EVER, &SERVER_IS_SILENT, source, &[FOUND_WRITEBACK])
            .under(ALONE)
            .violated_after(&[FOUND_WRITEBACK], &[&V6_17])
            .holds(&[&SKIPS_INDETERMINATE]),
        ask(NOBODY_WAITS_FOR_EVER, &SERVER_ANSWERS, source, &[FOUND_WRITEBACK, MIGRATED])
            .under(SC)
            .holds(&[&V6_17, &SKIPS_INDETERMINATE]),
    ]
}

static HUGETLB: Scenario = Scenario {
    name: "migrate_hugetlb_vs_punch_hole",
    about: "The folio is of hugetlbfs, isolated, and mapped. CPU0 migrates it; CPU1 punches a hole \
            that ends within it.",
    machine: Machine::TINY.mapped().hugetlb().sleepers(2).passes(1),
    setup: |k| {
        folio_get(&k.folios[0], ISOLATION);
        plain_write(&k.folios[0].contents, 1);
    },
    tasks: &[
        cpu(0, "migrator", |k| {
            if !migrate_hugetlbs(k, &k.folios[0], Migrator::SYNC) {
                folio_put(k, &k.folios[0], ISOLATION);
            }
        }),
        cpu(1, "hole", |k| hugetlbfs_punch_hole(k, 0)),
    ],
    ..Scenario::EMPTY
};

/// Whoever is last, what the hole zeroed is zero, in the folio that the page has now.
fn the_hole_is_zero(k: &Run) {
    let cached = k.i_pages[0].peek();
    let folio = &k.folios[cached as usize - 1];
    if folio.contents.peek() != 0 {
        let message = format!("the hole was zeroed, and folio{} is not", folio.index);
        fail_about(NO_STORE_IS_LOST, message, folio.contents.object());
    }
}

static HUGETLB_CONTENTS: Scenario = Scenario {
    name: "migrate_hugetlb_vs_punch_hole_contents",
    about: "The same; in the end we look at the contents of the folio.",
    at_end: Some(the_hole_is_zero),
    ..HUGETLB
};

static HUGETLB_REFERENCES: Scenario = Scenario {
    name: "migrate_hugetlb_vs_punch_hole_references",
    about: "The same; in the end we look at the references of both folios.",
    at_end: Some(no_reference_is_left_over),
    ..HUGETLB
};

static HUGETLB_ALONE: Scenario = Scenario {
    name: "hugetlb_folio_is_migrated",
    about: "The folio is of hugetlbfs, isolated, and mapped. CPU0 migrates it. Nobody else does \
            anything.",
    machine: HUGETLB.machine.cpus(1),
    setup: |k| folio_get(&k.folios[0], ISOLATION),
    tasks: &[cpu(0, "migrator", |k| {
        if !migrate_hugetlbs(k, &k.folios[0], Migrator::SYNC) {
            let message = "nobody else was there, and the folio stays";
            fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.folios[0].refcount.object());
        }
    })],
    ..Scenario::EMPTY
};

/// R2
pub(super) fn hugetlb() -> Vec<Answers> {
    let source = Source::report("R2");
    let idle = Source::analysis("what a migration is for");
    let both = Source::analysis("both have the folio locked, and look whether it is still there");
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &HUGETLB, source, &[MIGRATED, MAPPING_WAS_LOCKED])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V5_6])
            .violated_after(&[MIGRATED, WANTS_MAPPING], &[&V5_11, &V6_1, &V6_17, &V6_18])
            .holds(&[&V6_1_192, &V6_12_117, &V6_19]),
        ask(AN_IDLE_FOLIO_MIGRATES, &HUGETLB_ALONE, idle, &[MIGRATED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(NO_STORE_IS_LOST, &HUGETLB_CONTENTS, both, &[MIGRATED, ZEROED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated_after(&[MIGRATED], &[&HOLE_ZEROES_NOTHING]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &HUGETLB_REFERENCES, both, &[MIGRATED, ZEROED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
    ]
}
