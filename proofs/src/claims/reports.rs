//! Public reports whose subject no other file has: docs/facts/report.md.

use selvedge_kernel::Name;
use selvedge_models::fs::fuse::{fuse_writepage, fuse_writepage_finish};
use selvedge_models::mm::filemap::folio_lock;
use selvedge_models::mm::migrate::{FOUND_WRITEBACK, ISOLATION};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::mm::vmscan::folio_isolate_lru;
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE};

use super::page_cache::migrate;
use super::{ALONE, EVERY, SC, SC_WITHOUT_RANDOM};
use crate::rules::{
    KERNEL_ASSERTIONS_HOLD, NOBODY_WAITS_FOR_EVER, folio_is_freed_and_off_the_list,
    no_freed_folio_is_linked,
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
