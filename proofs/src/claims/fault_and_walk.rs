//! kernel-migrate section B: page faults on migration entries, stores through a TLB, and walkers of
//! page frames, while a folio migrates.

use selvedge_kernel::{fail_about, plain_write};
use selvedge_models::mm::filemap::pfn_walker;
use selvedge_models::mm::gup::{DEVICE_STORED, direct_io_read, pin_user_pages};
use selvedge_models::mm::memory::{do_swap_page, handle_mm_fault, user_store};
use selvedge_models::mm::migrate::{
    FAKE_MAPPING, FREEZE_FAILED, ISOLATION, Migrator, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::vmscan::folio_isolate_lru;
use selvedge_models::trees::M3;
use selvedge_models::trees::*;

use super::page_cache::{MIGRATABLE, migrate};
use super::{DPOR, SC, SC_WITHOUT_RANDOM};
use crate::rules::*;
use crate::states::{
    FAULT_FOUND_AN_ENTRY, FAULT_FOUND_NO_ENTRY, FAULT_MAPPED, FAULT_SLEPT, MIGRATED,
    UNMAPPED_FOR_MIGRATION,
};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

static FAULT: Scenario = Scenario {
    name: "migrate_vs_fault",
    about: "CPU0 migrates the folio; CPU1 faults on its page. A fault that has waited for the \
            migration finds the page mapped.",
    machine: MIGRATABLE.sleepers(2),
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "user", |k| {
            if do_swap_page(k, 0) && do_swap_page(k, 0) {
                let message = "a fault waited for the migration, and found its entry again";
                fail_about(FAULT_WAITS_ONCE, message, k.ptes[0].object());
            }
        }),
    ],
    ..Scenario::EMPTY
};

fn migrate_and_tell(k: &Run) {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        let left = migrate_pages(k, &[0], Migrator::SYNC);
        plain_write(&k.outcome, left.len() as u64);
        putback_movable_pages(k, &left);
    }
}

static ONE_FAULT: Scenario = Scenario {
    name: "migrate_vs_one_fault",
    about: "CPU0 migrates the folio; CPU1 faults on its page once, and reads the entry without a \
            lock. Nobody else has a reference. There is one pass: what happens to it can happen to \
            each.",
    machine: MIGRATABLE.sleepers(2),
    tasks: &[cpu(0, "migrator", migrate_and_tell), cpu(1, "user", |k| handle_mm_fault(k, 0))],
    at_end: Some(fault_did_no_harm),
    ..Scenario::EMPTY
};

static FAULT_ON_ENTRY: Scenario = Scenario {
    name: "migrate_vs_fault_on_its_entry",
    about: "The same of a fault that waits on a migration entry, if it finds one.",
    tasks: &[
        cpu(0, "migrator", migrate_and_tell),
        cpu(1, "user", |k| {
            do_swap_page(k, 0);
        }),
    ],
    ..ONE_FAULT
};

static FAULT_BEHIND_TLB: Scenario = Scenario {
    name: "migrate_vs_fault_behind_a_tlb",
    about: "The same; CPU1 has the page in its TLB, stores once more, and faults if that is gone.",
    machine: MIGRATABLE.sleepers(2).tlb(),
    before: &[cpu(1, "user", |k| {
        user_store(k, 0, 1);
    })],
    tasks: &[
        cpu(0, "migrator", migrate_and_tell),
        cpu(1, "user", |k| {
            if !user_store(k, 0, 2) {
                handle_mm_fault(k, 0);
            }
        }),
    ],
    ..ONE_FAULT
};

static STORE: Scenario = Scenario {
    name: "migrate_vs_store_through_tlb",
    about: "CPU1 has the page in its TLB and stores twice, while CPU0 migrates the folio.",
    machine: MIGRATABLE.tlb(),
    before: &[cpu(1, "user", |k| {
        user_store(k, 0, 1);
    })],
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "user", |k| {
            user_store(k, 0, 2);
        }),
    ],
    ..Scenario::EMPTY
};

static FAULT_MAPS: Scenario = Scenario {
    name: "migrate_vs_fault_that_maps",
    about: "CPU0 migrates the folio; CPU1 faults on its page, and maps what it finds there.",
    machine: MIGRATABLE.sleepers(2),
    tasks: &[cpu(0, "migrator", migrate), cpu(1, "user", |k| handle_mm_fault(k, 0))],
    ..Scenario::EMPTY
};

static DIRECT_IO: Scenario = Scenario {
    name: "migrate_vs_direct_io",
    about: "CPU0 migrates the folio; CPU1 reads a file into its page by direct I/O: pins it, has a \
            device store to it, and unpins it.",
    machine: MIGRATABLE.sleepers(2),
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "reader", |k| {
            direct_io_read(k, 0, 7);
        }),
    ],
    ..Scenario::EMPTY
};

static PIN: Scenario = Scenario {
    name: "migrate_vs_pin",
    about: "CPU0 migrates the folio; CPU1 pins its page, and keeps the pin.",
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "pinner", |k| {
            pin_user_pages(k, 0);
        }),
    ],
    ..DIRECT_IO
};

static WALKER: Scenario = Scenario {
    name: "migrate_anon_vs_pfn_walker",
    about: "The folio is anonymous. CPU0 isolates and migrates it; CPU1 walks page frames and \
            takes and drops a reference to it.",
    machine: MIGRATABLE.anon(),
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "walker", |k| {
            pfn_walker(k, &k.folios[0]);
        }),
    ],
    at_end: Some(migration_has_one_end),
    ..Scenario::EMPTY
};

static WALKER_OF_TARGET: Scenario = Scenario {
    name: "migrate_vs_pfn_walker_of_target",
    about: "The folio is anonymous. CPU0 migrates it; CPU1 walks page frames, and looks at the new \
            folio.",
    machine: MIGRATABLE.anon(),
    tasks: &[
        cpu(0, "migrator", migrate),
        cpu(1, "walker", |k| {
            if pfn_walker(k, &k.folios[1]) == Some(FAKE_MAPPING) {
                let message = "folio1->mapping is neither NULL nor a mapping";
                fail_about(MAPPING_IS_NULL_OR_A_MAPPING, message, k.folios[1].mapping.object());
            }
        }),
    ],
    ..Scenario::EMPTY
};

const REFERENCES: Source = Source::Comment {
    file: "mm/migrate.c",
    says: "the number of remaining references must be that of the page cache, of buffers, and ours",
};
const LOOKS_AGAIN: Source =
    Source::Comment { file: "mm/memory.c", says: "finish_fault(): \"Re-check under ptl\"" };
const WALKS: Source = Source::Analysis(
    "a CPU whose TLB has not the page walks the page table, between the clear and the entry too",
);

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let entry: &[&str] = &[MIGRATED, FAULT_FOUND_AN_ENTRY];
    // Where the page table is read without its lock, the fault may not have come as far as to
    // sleep.
    let unseen = &[FAULT_FOUND_NO_ENTRY, FREEZE_FAILED];
    let slept = &[FAULT_SLEPT, FREEZE_FAILED];
    vec![
        ask(FAULT_WAITS_ONCE, &FAULT, sheet("B-S3"), entry)
            .under(SC)
            .holds(&[&V6_1, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .violated_as(sheet("BM10"), &[&BM10_RESTORE_AFTER_UNLOCK])
            .violated_as(sheet("CM5"), &[&CM5_RESTORE_AFTER_UNLOCK]),
        ask(FAULT_LEAVES_MIGRATION_ALONE, &FAULT_ON_ENTRY, sheet("B-S3"), entry)
            .under(SC)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[FAULT_FOUND_AN_ENTRY, FREEZE_FAILED])
            .violated(&[&V5_15]),
        ask(FAULT_LEAVES_MIGRATION_ALONE, &ONE_FAULT, Source::report("R10"), entry)
            .under(DPOR)
            .violated_after(unseen, &[&V6_1, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&FAULT_LOOKS_AGAIN, &MIGRATE_INVALIDATES])
            .broken_after(unseen)
            .violated_as(WALKS, &[&MIGRATE_MARKS_FIRST]),
        ask(FAULT_LEAVES_MIGRATION_ALONE, &FAULT_BEHIND_TLB, Source::report("R10"), entry)
            .under(DPOR)
            .violated_after(slept, &[&V6_1])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&MIGRATE_MARKS_FIRST]),
        ask(NO_STORE_IS_LOST, &STORE, sheet("B-S6"), &[MIGRATED])
            .under(SC)
            .holds(&[&V6_1, &V6_10, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .violated_as(sheet("BM9"), &[&BM9_FLUSH_AFTER_COPY]),
        ask(NO_STORE_IS_LOST, &DIRECT_IO, REFERENCES, &[MIGRATED, DEVICE_STORED])
            .under(SC)
            .holds(&[&V6_1, &V6_12_117, &COPIES_AFTER_READ_BARRIER])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&IGNORES_PINS]),
        ask(A_PINNED_FOLIO_STAYS, &PIN, REFERENCES, &[MIGRATED, FREEZE_FAILED])
            .under(SC)
            .holds(&[&V6_1, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[MIGRATED])
            .violated(&[&IGNORES_PINS]),
        ask(A_PAGE_IS_ONE_FOLIO, &FAULT_MAPS, LOOKS_AGAIN, &[MIGRATED, FAULT_FOUND_NO_ENTRY])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[FAULT_FOUND_NO_ENTRY, FAULT_MAPPED])
            .violated(&[&MAPS_TWICE]),
        ask(MIGRATION_HAS_ONE_END, &WALKER, sheet("B-S7"), &[MIGRATED])
            .under(SC)
            .holds(&[&V6_1, &V6_12_117]),
        ask(MAPPING_IS_NULL_OR_A_MAPPING, &WALKER_OF_TARGET, sheet("B-S8"), &[MIGRATED])
            .under(SC)
            .holds(&[&V6_1])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[UNMAPPED_FOR_MIGRATION])
            .violated(&[&V6_3_RC1, &M3, &V6_4, &V6_6])
            .under(SC)
            .holds(&[&V6_10, &V6_12_117]),
    ]
}
