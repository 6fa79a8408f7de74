//! kernel-migrate section B: the references of a folio that migrates, and the page cache: lookups,
//! truncation, dirty pages, and writers.

use selvedge_kernel::{Name, READ_ONCE, ctrl_dep, fail_about, plain_write, set_bit, test_bit};
use selvedge_models::mm::filemap::{filemap_get_entry, is_page_dirty, truncate_inode_folio};
use selvedge_models::mm::migrate::{
    FREEZE_FAILED, ISOLATION, Migrator, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::mm::vmscan::{folio_isolate_lru, isolate_lru_folios};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PG_DIRTY, PG_UPTODATE};

use super::{ALONE, EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::rules::*;
use crate::states::{FROZEN, LOOKUP_MET_A_FROZEN_FOLIO, MIGRATED, TO_BE_TRUNCATED, TRUNCATED};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

/// A folio on the LRU and in the page cache, mapped, with a spare one to be migrated to.
pub(super) const MIGRATABLE: Machine = Machine::TINY.listed().mapped().passes(1).batch(3);

/// Smaller, for loom: a folio that is mapped nowhere, and a spare one.
pub(super) const UNMAPPED: Machine = Machine::TINY.spares().batch(3).passes(1);

/// Isolates the folio and migrates it; what could not be migrated is put back.
pub(super) fn migrate(k: &Run) {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        let left = migrate_pages(k, &[0], Migrator::SYNC);
        putback_movable_pages(k, &left);
    }
}

/// What isolation has done before.
pub(super) fn isolated(k: &Run) {
    folio_get(&k.folios[0], ISOLATION);
}

pub(super) fn migrate_isolated(k: &Run) {
    migrate_pages(k, &[0], Migrator::SYNC);
}

/// The same, with what follows if it fails.
pub(super) fn migrate_or_put_back(k: &Run) {
    let left = migrate_pages(k, &[0], Migrator::SYNC);
    putback_movable_pages(k, &left);
}

/// Whoever looks a page up.
const LOOKUP: Name = Name::new("lookup");

pub(super) fn lookup(k: &Run) {
    let Some(folio) = filemap_get_entry(k, 0, LOOKUP) else { return };
    // As long as we hold the reference nobody may replace the folio.
    if READ_ONCE(&k.i_pages[0]) != folio.index as u64 + 1 {
        let message = format!("the lookup has a reference to folio{}, which has left", folio.index);
        fail_about(LOOKUP_IS_OF_THE_CACHED_FOLIO, message, k.i_pages[0].object());
    }
    folio_put(k, folio, LOOKUP);
}

static KEPT_LOOKUP: Scenario = Scenario {
    name: "migrate_vs_lookup_that_keeps",
    about: "CPU0 migrates the folio, CPU1 looks its page up, and keeps the folio: whether it is \
            replaced meanwhile is looked at in every scenario.",
    machine: MIGRATABLE,
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "reader", |k| {
            filemap_get_entry(k, 0, LOOKUP);
        }),
    ],
    ..Scenario::EMPTY
};

static MIGRATE_VS_LOOKUP: Scenario = Scenario {
    name: "migrate_vs_lookup",
    about: "CPU0 migrates the folio, CPU1 looks its page up.",
    machine: MIGRATABLE,
    tasks: &[cpu(0, "migrator", migrate), cpu(1, "reader", lookup)],
    ..Scenario::EMPTY
};

static MIGRATE_VS_LOOKUP_END: Scenario =
    Scenario { at_end: Some(migration_has_one_end), ..MIGRATE_VS_LOOKUP };

pub(super) static MIGRATE_ISOLATED_VS_LOOKUP: Scenario = Scenario {
    name: "migrate_isolated_vs_lookup",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 looks its page up.",
    machine: UNMAPPED,
    setup: isolated,
    tasks: &[cpu(0, "migrator", migrate_isolated), cpu(1, "reader", lookup)],
    ..Scenario::EMPTY
};

static TWO_LOOKUPS: Scenario = Scenario {
    name: "migrate_isolated_vs_two_lookups",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 and CPU2 look its \
            page up.",
    machine: UNMAPPED.cpus(3),
    setup: isolated,
    tasks: &[
        cpu(0, "migrator", migrate_or_put_back),
        cpu(1, "reader", lookup),
        cpu(2, "reader", lookup),
    ],
    at_end: Some(migration_has_one_end),
    ..Scenario::EMPTY
};

static LOOKUP_HOLDS: Scenario = Scenario {
    begins: &[],
    look: |_| {},
    name: "lookup_holds_its_reference",
    about: "CPU1 looks the page up and keeps its reference; CPU0 migrates. Then CPU1 drops it.",
    machine: MIGRATABLE.passes(2),
    setup: |k| folio_get(&k.folios[0], LOOKUP),
    before: &[cpu(0, "migrator", migrate)],
    tasks: &[cpu(1, "reader", |k| folio_put(k, &k.folios[0], LOOKUP))],
    at_end: Some(migration_has_one_end),
};

static ALONE_WITH_PRIVATE: Scenario = Scenario {
    name: "migrate_folio_with_private_data",
    about: "CPU0 migrates a folio with private data. Nobody else does anything.",
    machine: MIGRATABLE.private(),
    tasks: &[cpu(0, "migrator", migrate)],
    at_end: Some(idle_folio_was_migrated),
    ..Scenario::EMPTY
};

static TRUNCATE: Scenario = Scenario {
    name: "migrate_vs_truncate",
    about: "The folio is mapped nowhere. CPU0 isolates and migrates it, CPU1 truncates its page.",
    machine: UNMAPPED.listed().sleepers(2),
    tasks: &[
        cpu(0, "migrator", |k| {
            let isolated = isolate_lru_folios(k, ISOLATION);
            let left = migrate_pages(k, &isolated, Migrator::SYNC);
            putback_movable_pages(k, &left);
        }),
        cpu(1, "truncator", |k| truncate_inode_folio(k, 0)),
    ],
    at_end: Some(migration_has_one_end_at_rest),
    ..Scenario::EMPTY
};

static TRUNCATE_ALONE: Scenario = Scenario {
    name: "page_is_truncated",
    about: "CPU0 truncates a page. Nobody else does anything.",
    machine: UNMAPPED.cpus(1).sleepers(1),
    tasks: &[cpu(0, "truncator", |k| truncate_inode_folio(k, 0))],
    at_end: Some(|k| {
        if k.i_pages[0].peek() != 0 {
            let message = "nobody else was there, and the page has a folio still";
            fail_about(A_TRUNCATED_PAGE_IS_GONE, message, k.i_pages[0].object());
        }
        if k.folios[0].freed.peek() != 1 {
            let message = "nobody else was there, and the folio is not freed";
            fail_about(A_TRUNCATED_PAGE_IS_GONE, message, k.folios[0].refcount.object());
        }
    }),
    ..Scenario::EMPTY
};

static DIRTY: Scenario = Scenario {
    name: "migrate_dirty_vs_writeback",
    about: "The folio is isolated, dirty, and mapped nowhere. CPU0 migrates it, CPU1 looks for \
            dirty pages.",
    machine: UNMAPPED.dirty(),
    setup: |k| {
        set_bit(PG_DIRTY, &k.folios[0].flags);
        isolated(k);
    },
    tasks: &[
        cpu(0, "migrator", migrate_isolated),
        cpu(1, "flusher", |k| {
            if !is_page_dirty(k, 0) {
                let message = "page 0 is dirty, and the folio in its slot is not";
                fail_about(A_DIRTY_PAGE_STAYS_DIRTY, message, k.i_pages[0].object());
            }
        }),
    ],
    ..Scenario::EMPTY
};

fn write_unlocked(k: &Run) {
    let writer = Name::new("writer");
    if let Some(folio) = filemap_get_entry(k, 0, writer) {
        if test_bit(PG_UPTODATE, &folio.flags) {
            ctrl_dep();
            plain_write(&folio.contents, 1);
            plain_write(&k.outcome, 1);
        }
        folio_put(k, folio, writer);
    }
}

static UNLOCKED_WRITER: Scenario = Scenario {
    name: "migrate_isolated_vs_unlocked_writer",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it; CPU1 looks its page up, \
            writes if the folio is uptodate, without the folio lock, and drops its reference. No \
            kernel code is claimed to do so.",
    machine: UNMAPPED.uptodate(),
    setup: |k| {
        set_bit(PG_UPTODATE, &k.folios[0].flags);
        isolated(k);
    },
    tasks: &[cpu(0, "migrator", migrate_isolated), cpu(1, "writer", write_unlocked)],
    at_end: Some(page_holds_what_was_written),
    ..Scenario::EMPTY
};

const GONE: Source = Source::Analysis("what truncation is for");

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let lookup =
        |scenario, reached| ask(LOOKUP_IS_OF_THE_CACHED_FOLIO, scenario, sheet("B-S1"), reached);
    let one_end =
        |scenario, row, reached| ask(MIGRATION_HAS_ONE_END, scenario, sheet(row), reached);
    let frozen: &[&str] = &[MIGRATED, FREEZE_FAILED];
    vec![
        lookup(&MIGRATE_VS_LOOKUP, &[MIGRATED, LOOKUP_MET_A_FROZEN_FOLIO])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[MIGRATED])
            .violated_as(sheet("BM1"), &[&BM1_LOOKUP_WITHOUT_RELOAD])
            .violated_as(sheet("BM2"), &[&BM2_COUNT_WITHOUT_FREEZE])
            .violated_as(sheet("BM3"), &[&BM3_UNFREEZE_EARLY]),
        lookup(&KEPT_LOOKUP, &[MIGRATED, FREEZE_FAILED])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[MIGRATED])
            .violated_as(sheet("BM2"), &[&BM2_COUNT_WITHOUT_FREEZE]),
        lookup(&MIGRATE_ISOLATED_VS_LOOKUP, &[MIGRATED])
            .under(EVERY)
            .holds(&[&V6_1])
            .under(SC)
            .holds(&[&V6_12_117])
            .holds_as(sheet("BM4"), &[&BM4_UNFREEZE_RELAXED])
            .under(WEAK)
            .violated_as(sheet("BM4"), &[&BM4_UNFREEZE_RELAXED]),
        one_end(&MIGRATE_VS_LOOKUP_END, "B-S1", frozen)
            .under(SC)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[MIGRATED])
            .violated_as(sheet("BM5"), &[&BM5_UNFREEZE_ALL])
            .violated_as(sheet("BM6"), &[&BM6_NO_CACHE_REFERENCE])
            .broken_after(&[FREEZE_FAILED])
            .violated_as(sheet("BM11"), &[&BM11_NO_PUT_OF_UNMAPPED]),
        one_end(&TWO_LOOKUPS, "B-S1", frozen).under(SC).holds(&[&V6_1, &V6_12_117]),
        one_end(&LOOKUP_HOLDS, "B-S2", &[FREEZE_FAILED]).under(ALONE).holds(&[&V6_1, &V6_12_117]),
        ask(AN_IDLE_FOLIO_MIGRATES, &ALONE_WITH_PRIVATE, sheet("B.2"), &[MIGRATED])
            .under(ALONE)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[FREEZE_FAILED])
            .violated_as(sheet("BM12"), &[&BM12_PRIVATE_NOT_COUNTED]),
        one_end(&TRUNCATE, "B-S4", &[MIGRATED, TRUNCATED]).under(SC).holds(&[&V6_1, &V6_12_117]),
        ask(A_TRUNCATED_PAGE_IS_GONE, &TRUNCATE_ALONE, GONE, &[TRUNCATED])
            .under(ALONE)
            .holds(&[&V6_12_117])
            .broken_after(&[TO_BE_TRUNCATED])
            .violated(&[&TRUNCATES_NOTHING]),
        ask(A_DIRTY_PAGE_STAYS_DIRTY, &DIRTY, sheet("B-S5"), &[MIGRATED])
            .under(SC)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[FROZEN])
            .violated_as(sheet("BM8"), &[&BM8_DIRTY_AFTER_SLOT])
            .violated_as(sheet("BM7"), &[&BM7_NO_PAGES_LOCK]),
        // A writer that ignores PG_uptodate too would write to the new folio before the copy in
        // 6.1.
        ask(NO_STORE_IS_LOST, &UNLOCKED_WRITER, Source::lru("C6"), &[MIGRATED])
            .under(SC)
            .holds(&[&V6_1, &V6_10])
            .violated(&[&V6_11, &V6_12_117]),
    ]
}
