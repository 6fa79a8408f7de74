//! kernel-migrate section B: the references of a folio that migrates, the page cache, page tables
//! and TLBs.

use selvedge_kernel::{Name, READ_ONCE, fail_about, join, plain_write, set_bit, test_bit};
use selvedge_models::mm::filemap::{
    filemap_get_entry, is_page_dirty, pfn_walker, truncate_inode_folio,
};
use selvedge_models::mm::memory::{do_swap_page, user_store};
use selvedge_models::mm::migrate::{
    FAKE_MAPPING, FREEZE_FAILED, ISOLATION, Migrator, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::mm::vmscan::{folio_isolate_lru, isolate_lru_folios};
use selvedge_models::trees::*;
use selvedge_models::{Folio, Kernel, PG_DIRTY, PG_LOCKED, PG_PRIVATE, PG_UPTODATE, Sizes};
use selvedge_trace::Rule;

use super::{ALONE, EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::rules::*;
use crate::{Claim, Scenario, Topic};

/// A folio on the LRU and in the page cache, mapped, with a spare one to be migrated to.
const MIGRATABLE: Sizes = Sizes { listed: true, mapped: true, passes: 1, batch: 3, ..Sizes::TINY };

/// Isolates the folio and migrates it; what could not be migrated is put back.
fn migrate(k: &Kernel) {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        let left = migrate_pages(k, &[0], Migrator::SYNC);
        putback_movable_pages(k, &left);
    }
}

fn lookup(k: &Kernel) {
    let holder = Name::new("lookup");
    let Some(folio) = filemap_get_entry(k, 0, holder) else { return };
    // As long as we hold the reference nobody may replace the folio.
    if READ_ONCE(&k.i_pages[0]) != folio.index as u64 + 1 {
        let message = format!("the lookup has a reference to folio{}, which has left", folio.index);
        fail_about(LOOKUP_IS_OF_THE_CACHED_FOLIO, message, k.i_pages[0].object());
    }
    folio_put(k, folio, holder);
}

/// References of a folio that is somewhere: the page cache, its page-table entry, batches.
fn accounted(k: &Kernel, folio: &Folio) -> i64 {
    let batches = k.cpus.online().flat_map(|cpu| k.cpu_fbatches.of(cpu).all());
    let batched = batches.flat_map(|batch| batch.entries()).filter(|&f| f == folio.index).count();
    let cached = k.i_pages.iter().any(|slot| slot.peek() == folio.index as u64 + 1);
    i64::from(cached) + folio.mapcount.peek() + batched as i64
}

/// Both folios unlocked; what is mapped nowhere and in no cache is freed, once; nothing else is.
pub(super) fn one_final_state(k: &Kernel) {
    for folio in &k.folios {
        let (count, expected) = (folio.refcount.peek(), accounted(k, folio));
        let is_freed = folio.freed.peek() != 0;
        if count != expected || is_freed != (expected == 0) || folio.flags.peek(PG_LOCKED) {
            let freed = if is_freed { "freed" } else { "not freed" };
            let message = format!(
                "folio{} is {freed} with {count} references, should have {expected}",
                folio.index
            );
            fail_about(MIGRATION_HAS_ONE_END, message, folio.refcount.object());
        }
    }
}

static LOOKUP: Scenario = Scenario {
    name: "migrate_vs_lookup",
    about: "CPU0 migrates the folio, CPU1 looks its page up.",
    sizes: MIGRATABLE,
    play: |k| {
        let migrator = k.task(0, "migrator", migrate);
        let reader = k.task(1, "reader", lookup);
        join(migrator);
        join(reader);
    },
    at_end: |_| {},
    choices: 0,
};

static LOOKUP_END: Scenario = Scenario { at_end: one_final_state, ..LOOKUP };

/// Smaller, for loom: the folio is isolated and mapped nowhere.
static LOOKUP_UNMAPPED: Scenario = Scenario {
    name: "migrate_isolated_vs_lookup",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 looks its page up.",
    sizes: Sizes { batch: 3, passes: 1, ..SPARE },
    play: |k| {
        folio_get(&k.folios[0], ISOLATION);
        let migrator = k.task(0, "migrator", |k| {
            migrate_pages(k, &[0], Migrator::SYNC);
        });
        let reader = k.task(1, "reader", lookup);
        join(migrator);
        join(reader);
    },
    at_end: |_| {},
    choices: 0,
};

/// One folio in the page cache, and a spare one.
const SPARE: Sizes = Sizes { spares: true, ..Sizes::TINY };

static TWO_LOOKUPS: Scenario = Scenario {
    name: "migrate_isolated_vs_two_lookups",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 and CPU2 look its page \
            up.",
    sizes: Sizes { cpus: 3, ..LOOKUP_UNMAPPED.sizes },
    play: |k| {
        folio_get(&k.folios[0], ISOLATION);
        let migrator = k.task(0, "migrator", |k| {
            let left = migrate_pages(k, &[0], Migrator::SYNC);
            putback_movable_pages(k, &left);
        });
        let readers = [1, 2].map(|cpu| k.task(cpu, "reader", lookup));
        join(migrator);
        readers.into_iter().for_each(join);
    },
    at_end: one_final_state,
    choices: 0,
};

static HELD: Scenario = Scenario {
    name: "lookup_holds_its_reference",
    about: "CPU1 looks the page up and keeps its reference; CPU0 migrates. Then CPU1 drops it.",
    sizes: Sizes { passes: 2, ..MIGRATABLE },
    play: |k| {
        let holder = Name::new("lookup");
        folio_get(&k.folios[0], holder);
        join(k.task(0, "migrator", migrate));
        join(k.task(1, "reader", move |k| folio_put(k, &k.folios[0], holder)));
    },
    at_end: one_final_state,
    choices: 0,
};

static ALONE_WITH_PRIVATE: Scenario = Scenario {
    name: "migrate_folio_with_private_data",
    about: "CPU0 migrates a folio with private data. Nobody else does anything.",
    sizes: Sizes { private: true, ..MIGRATABLE },
    play: |k| join(k.task(0, "migrator", migrate)),
    at_end: |k| {
        if k.i_pages[0].peek() != 2 {
            let message = "nobody else was there, and the folio was not migrated";
            fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.folios[0].refcount.object());
        }
        if k.folios[0].freed.peek() != 1 || !k.folios[1].flags.peek(PG_PRIVATE) {
            let message = "the old folio was not freed, or the private data did not move";
            fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.folios[0].freed.object());
        }
    },
    choices: 0,
};

static FAULT: Scenario = Scenario {
    name: "migrate_vs_fault",
    about: "CPU0 migrates the folio; CPU1 faults on its page. A fault that has waited for the \
            migration finds the page mapped.",
    sizes: Sizes { sleepers: 2, ..MIGRATABLE },
    play: |k| {
        let migrator = k.task(0, "migrator", migrate);
        let user = k.task(1, "user", |k| {
            if do_swap_page(k, 0, 1) && do_swap_page(k, 0, 1) {
                let message = "a fault waited for the migration, and found its entry again";
                fail_about(FAULT_WAITS_ONCE, message, k.ptes[0].object());
            }
        });
        join(migrator);
        join(user);
    },
    at_end: |_| {},
    choices: 0,
};

static FAULT_FREEZE: Scenario = Scenario {
    name: "migrate_vs_one_fault",
    about: "CPU0 migrates the folio; CPU1 faults on its page once. Nobody else has a reference.",
    sizes: Sizes { sleepers: 2, ..MIGRATABLE },
    play: |k| {
        let migrator = k.task(0, "migrator", |k| {
            if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                let left = migrate_pages(k, &[0], Migrator::SYNC);
                plain_write(&k.outcome, left.len() as u64);
                putback_movable_pages(k, &left);
            }
        });
        let user = k.task(1, "user", |k| {
            do_swap_page(k, 0, 1);
        });
        join(migrator);
        join(user);
    },
    at_end: |k| {
        if k.outcome.peek() != 0 {
            let message = "the migration failed, though only a fault on its own entry was there";
            fail_about(FAULT_LEAVES_MIGRATION_ALONE, message, k.folios[0].refcount.object());
        }
    },
    choices: 0,
};

static TRUNCATE: Scenario = Scenario {
    name: "migrate_vs_truncate",
    about: "The folio is mapped nowhere. CPU0 isolates and migrates it, CPU1 truncates its page.",
    sizes: Sizes { listed: true, sleepers: 2, ..LOOKUP_UNMAPPED.sizes },
    play: |k| {
        let migrator = k.task(0, "migrator", |k| {
            let isolated = isolate_lru_folios(k, ISOLATION);
            let left = migrate_pages(k, &isolated, Migrator::SYNC);
            putback_movable_pages(k, &left);
        });
        let truncator = k.task(1, "truncator", |k| truncate_inode_folio(k, 0, 1));
        join(migrator);
        join(truncator);
    },
    at_end: |k| {
        let is_batched = k.cpus.online().any(|cpu| {
            k.cpu_fbatches.of(cpu).all().iter().any(|batch| !batch.entries().is_empty())
        });
        if !is_batched {
            one_final_state(k);
        }
    },
    choices: 0,
};

static DIRTY: Scenario = Scenario {
    name: "migrate_dirty_vs_writeback",
    about: "The folio is isolated, dirty, and mapped nowhere. CPU0 migrates it, CPU1 looks for dirty \
            pages.",
    sizes: Sizes { dirty: true, ..LOOKUP_UNMAPPED.sizes },
    play: |k| {
        set_bit(PG_DIRTY, &k.folios[0].flags);
        folio_get(&k.folios[0], ISOLATION);
        let migrator = k.task(0, "migrator", |k| {
            migrate_pages(k, &[0], Migrator::SYNC);
        });
        let flusher = k.task(1, "flusher", |k| {
            if !is_page_dirty(k, 0) {
                let message = "page 0 is dirty, and the folio in its slot is not";
                fail_about(A_DIRTY_PAGE_STAYS_DIRTY, message, k.i_pages[0].object());
            }
        });
        join(migrator);
        join(flusher);
    },
    at_end: |_| {},
    choices: 0,
};

static STORE: Scenario = Scenario {
    name: "migrate_vs_store_through_tlb",
    about: "CPU1 has the page in its TLB and stores twice, while CPU0 migrates the folio.",
    sizes: Sizes { tlb: true, ..MIGRATABLE },
    play: |k| {
        join(k.task(1, "user", |k| {
            user_store(k, 0, 1);
        }));
        let migrator = k.task(0, "migrator", migrate);
        let user = k.task(1, "user", |k| {
            if user_store(k, 0, 2) {
                plain_write(&k.outcome, 1);
            }
        });
        join(migrator);
        join(user);
    },
    at_end: |k| {
        let slot = k.i_pages[0].peek() as usize;
        let contents = &k.folios[slot - 1].contents;
        let expected = 1 + k.outcome.peek();
        if contents.peek() != expected {
            let message =
                format!("user code has stored {expected}, the page holds {}", contents.peek());
            fail_about(NO_STORE_IS_LOST, message, contents.object());
        }
    },
    choices: 0,
};

static WALKER: Scenario = Scenario {
    name: "migrate_anon_vs_pfn_walker",
    about: "The folio is anonymous. CPU0 isolates and migrates it; CPU1 walks page frames and takes \
            and drops a reference to it.",
    sizes: Sizes { anon: true, ..MIGRATABLE },
    play: |k| {
        let migrator = k.task(0, "migrator", migrate);
        let walker = k.task(1, "walker", |k| {
            pfn_walker(k, &k.folios[0]);
        });
        join(migrator);
        join(walker);
    },
    at_end: one_final_state,
    choices: 0,
};

static WALKER_OF_TARGET: Scenario = Scenario {
    name: "migrate_vs_pfn_walker_of_target",
    about: "CPU0 migrates the folio; CPU1 walks page frames, and looks at the new folio.",
    sizes: MIGRATABLE,
    play: |k| {
        let migrator = k.task(0, "migrator", migrate);
        let walker = k.task(1, "walker", |k| {
            if pfn_walker(k, &k.folios[1]) == Some(FAKE_MAPPING) {
                let message = "folio1->mapping is neither NULL nor a mapping";
                fail_about(MAPPING_IS_NULL_OR_A_MAPPING, message, k.folios[1].mapping.object());
            }
        });
        join(migrator);
        join(walker);
    },
    at_end: |_| {},
    choices: 0,
};

static UNLOCKED_WRITER: Scenario = Scenario {
    name: "migrate_isolated_vs_unlocked_writer",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it; CPU1 looks its page up, \
            writes if the folio is uptodate, without the folio lock, and drops its reference. No \
            kernel code is claimed to do so.",
    sizes: Sizes { uptodate: true, ..LOOKUP_UNMAPPED.sizes },
    play: |k| {
        set_bit(PG_UPTODATE, &k.folios[0].flags);
        folio_get(&k.folios[0], ISOLATION);
        let migrator = k.task(0, "migrator", |k| {
            migrate_pages(k, &[0], Migrator::SYNC);
        });
        let writer = k.task(1, "writer", |k| {
            let holder = Name::new("writer");
            if let Some(folio) = filemap_get_entry(k, 0, holder) {
                if test_bit(PG_UPTODATE, &folio.flags) {
                    plain_write(&folio.contents, 1);
                    plain_write(&k.outcome, 1);
                }
                folio_put(k, folio, holder);
            }
        });
        join(migrator);
        join(writer);
    },
    at_end: |k| {
        let contents = &k.folios[k.i_pages[0].peek() as usize - 1].contents;
        if contents.peek() != k.outcome.peek() {
            fail_about(NO_STORE_IS_LOST, "the write is not in the page", contents.object());
        }
    },
    choices: 0,
};

const fn topic(
    scenario: &'static Scenario,
    rule: Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "references", rule, scenario, source, reached }
}

const MIGRATED: &[&str] = &["a folio was migrated"];

const S1: Topic = topic(
    &LOOKUP,
    LOOKUP_IS_OF_THE_CACHED_FOLIO,
    "kernel-migrate:B-S1",
    &["a folio was migrated", "a lookup met a frozen or freed folio"],
);
const S1_END: Topic = topic(
    &LOOKUP_END,
    MIGRATION_HAS_ONE_END,
    "kernel-migrate:B-S1",
    &["a folio was migrated", FREEZE_FAILED],
);
const S1_TWO: Topic = topic(
    &TWO_LOOKUPS,
    MIGRATION_HAS_ONE_END,
    "kernel-migrate:B-S1",
    &["a folio was migrated", FREEZE_FAILED],
);
const S1_WEAK: Topic =
    topic(&LOOKUP_UNMAPPED, LOOKUP_IS_OF_THE_CACHED_FOLIO, "kernel-migrate:B-S1", MIGRATED);
const S2: Topic = topic(&HELD, MIGRATION_HAS_ONE_END, "kernel-migrate:B-S2", &[FREEZE_FAILED]);
const IDLE: Topic =
    topic(&ALONE_WITH_PRIVATE, AN_IDLE_FOLIO_MIGRATES, "kernel-migrate:B.2", MIGRATED);
const S3: Topic = topic(
    &FAULT,
    FAULT_WAITS_ONCE,
    "kernel-migrate:B-S3",
    &["a folio was migrated", "a fault found a migration entry"],
);
const S3_FREEZE: Topic = topic(
    &FAULT_FREEZE,
    FAULT_LEAVES_MIGRATION_ALONE,
    "kernel-migrate:B-S3",
    &["a folio was migrated", "a fault found a migration entry"],
);
const S4: Topic = topic(
    &TRUNCATE,
    MIGRATION_HAS_ONE_END,
    "kernel-migrate:B-S4",
    &["a folio was migrated", "a folio was truncated"],
);
const S5: Topic = topic(&DIRTY, A_DIRTY_PAGE_STAYS_DIRTY, "kernel-migrate:B-S5", MIGRATED);
const S6: Topic = topic(&STORE, NO_STORE_IS_LOST, "kernel-migrate:B-S6", MIGRATED);
const S7: Topic = topic(&WALKER, MIGRATION_HAS_ONE_END, "kernel-migrate:B-S7", MIGRATED);
const S8: Topic =
    topic(&WALKER_OF_TARGET, MAPPING_IS_NULL_OR_A_MAPPING, "kernel-migrate:B-S8", MIGRATED);
const C6: Topic = topic(&UNLOCKED_WRITER, NO_STORE_IS_LOST, "kernel-lru:C6", MIGRATED);

pub(super) static CLAIMS: &[Claim] = &[
    S1.holds(&V6_1, SC_WITHOUT_RANDOM),
    S1.holds(&V6_12_117, SC_WITHOUT_RANDOM),
    S1.from("kernel-migrate:BM1").violated(&BM1_LOOKUP_WITHOUT_RELOAD, SC_WITHOUT_RANDOM),
    S1.from("kernel-migrate:BM2").violated(&BM2_COUNT_WITHOUT_FREEZE, SC_WITHOUT_RANDOM),
    S1.from("kernel-migrate:BM3").violated(&BM3_UNFREEZE_EARLY, SC_WITHOUT_RANDOM),
    S1_WEAK.holds(&V6_1, EVERY),
    S1_WEAK.from("kernel-migrate:BM4").holds(&BM4_UNFREEZE_RELAXED, SC),
    S1_WEAK.from("kernel-migrate:BM4").violated(&BM4_UNFREEZE_RELAXED, WEAK),
    S1_END.holds(&V6_1, SC),
    S1_END.holds(&V6_12_117, SC),
    S1_END.from("kernel-migrate:BM5").violated(&BM5_UNFREEZE_ALL, SC),
    S1_END.from("kernel-migrate:BM6").violated(&BM6_NO_CACHE_REFERENCE, SC),
    S1_END.from("kernel-migrate:BM11").violated(&BM11_NO_PUT_OF_UNMAPPED, SC),
    S1_TWO.holds(&V6_1, SC),
    S1_TWO.holds(&V6_12_117, SC),
    S2.holds(&V6_1, ALONE),
    S2.holds(&V6_12_117, ALONE),
    IDLE.holds(&V6_1, ALONE),
    IDLE.holds(&V6_12_117, ALONE),
    IDLE.from("kernel-migrate:BM12").violated(&BM12_PRIVATE_NOT_COUNTED, ALONE),
    S3.holds(&V6_1, SC),
    S3.holds(&V6_12_117, SC),
    S3.from("kernel-migrate:BM10").violated(&BM10_RESTORE_AFTER_UNLOCK, SC_WITHOUT_RANDOM),
    S3_FREEZE.holds(&V6_1, SC),
    S3_FREEZE.violated(&V5_15, SC),
    S4.holds(&V6_1, SC),
    S4.holds(&V6_12_117, SC),
    S5.holds(&V6_1, SC),
    S5.from("kernel-migrate:BM8").violated(&BM8_DIRTY_AFTER_SLOT, SC),
    S5.from("kernel-migrate:BM7").violated(&BM7_NO_PAGES_LOCK, SC),
    S6.holds(&V6_1, SC),
    S6.holds(&V6_10, SC),
    S6.holds(&V6_12_117, SC),
    S6.from("kernel-migrate:BM9").violated(&BM9_FLUSH_AFTER_COPY, SC_WITHOUT_RANDOM),
    S7.holds(&V6_1, SC),
    S7.holds(&V6_12_117, SC),
    S8.holds(&V6_1, SC),
    S8.violated(&V6_6, SC_WITHOUT_RANDOM),
    S8.holds(&V6_10, SC),
    // A writer that ignores PG_uptodate too would write to the new folio before the copy in 6.1.
    C6.holds(&V6_1, SC),
    C6.holds(&V6_10, SC),
    C6.violated(&V6_11, SC),
    C6.violated(&V6_12_117, SC),
];
