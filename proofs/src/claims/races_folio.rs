//! Data races under the folio lock, and in migration and compaction: see [`super::races`].

use selvedge_explore::Engine;
use selvedge_kernel::{Name, plain_write, reached};
use selvedge_models::Machine;
use selvedge_models::mm::compaction::compact_node;
use selvedge_models::mm::filemap::{
    filemap_get_entry, folio_lock, folio_unlock, truncate_inode_folio,
};
use selvedge_models::mm::migrate::FREEZE_FAILED;
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;

use super::folio_lock::{
    ADDED, LOCK_TWO_KILLABLY, LOCK_TWO_STACKS, NEW_OWNER, TRY_ONCE, TRYLOCK_FAILED,
};
use super::folio_wait_read::MIGRATION_ENTRY;
use super::page_cache::{isolated, migrate_or_put_back};
use super::queue_lock::ASYNC;
use super::races::race;
use super::{COMPLETE, DPOR};
use crate::Source::{self, Analysis, Comment, Report};
use crate::states::{FAULT_FOUND_AN_ENTRY, FREED, HANDED_OVER, MIGRATED, SLEPT, TRUNCATED};
use crate::{Answers, Run, Scenario, cpu};

/// Complete under every memory model, and once more without any reduction.
const SMALL: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Graph, Engine::Dfs];

const CHANGED: &str = "the contents were changed";

fn truncate(k: &Run) {
    truncate_inode_folio(k, 0);
}

static MIGRATE_VS_TRUNCATE: Scenario = Scenario {
    name: "migrate_isolated_vs_truncate",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 truncates the file.",
    machine: Machine::TINY.spares().batch(3).passes(1).sleepers(2),
    setup: isolated,
    tasks: &[cpu(0, "migrator", migrate_or_put_back), cpu(1, "truncate", truncate)],
    ..Scenario::EMPTY
};

fn write(k: &Run) {
    let writer = Name::new("writer");
    let Some(folio) = filemap_get_entry(k, 0, writer) else { return };
    folio_lock(k, folio);
    plain_write(&folio.contents, 1);
    folio_unlock(k, folio);
    folio_put(k, folio, writer);
    reached(CHANGED);
}

static MIGRATE_VS_WRITE: Scenario = Scenario {
    name: "migrate_isolated_vs_write",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it; CPU1 looks its page up, \
            and changes the contents under the folio lock.",
    tasks: &[cpu(0, "migrator", migrate_or_put_back), cpu(1, "writer", write)],
    ..MIGRATE_VS_TRUNCATE
};

fn compact(k: &Run) {
    compact_node(k);
}

static COMPACT_VS_FREE: Scenario = Scenario {
    name: "compact_vs_truncate_and_free",
    about: "CPU0 compacts memory, CPU1 truncates the file, and drops the last reference of its \
            folio.",
    machine: MIGRATE_VS_TRUNCATE.machine.listed(),
    tasks: &[cpu(0, "compaction", compact), cpu(1, "truncate", truncate)],
    ..Scenario::EMPTY
};

static COMPACT_VS_TRUNCATE: Scenario = Scenario {
    name: "compact_vs_truncate",
    about: "CPU0 compacts memory, CPU1 truncates the file; somebody else keeps the folio from \
            being freed.",
    setup: |k| folio_get(&k.folios[0], Name::new("a user")),
    ..COMPACT_VS_FREE
};

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let locked_mapping =
        Comment { file: "mm/filemap.c", says: "the folio lock keeps folio->mapping" };
    let last_touch = Comment {
        file: "include/linux/list.h",
        says: "list_del_init_careful(): the waiter may reuse the memory once it sees it",
    };
    let retried = Comment {
        file: "io_uring/rw.c",
        says: "io_async_buf_func(): unlinks the entry, and then queues the work that retries",
    };
    let locked_copy = Comment { file: "mm/migrate.c", says: "both folios are locked" };
    vec![
        race(&TRY_ONCE, sheet("A.5-1"), &[TRYLOCK_FAILED])
            .under(SMALL)
            .holds(&[&V6_1, &V6_12_117])
            .under(DPOR)
            .broken_after(&[ADDED])
            .violated(&[&AM8_RELAXED_TRYLOCK, &AM8_RELAXED_UNLOCK]),
        race(&LOCK_TWO_KILLABLY, sheet("A.5-1"), &[SLEPT]).under(DPOR).holds(&[&V6_12_117]),
        race(&NEW_OWNER, sheet("A.5-5"), &[HANDED_OVER])
            .under(COMPLETE)
            .holds(&[&L2_UNFAIRNESS_0, &A5_RELAXED_FLAGS])
            .violated(&[&A5_RELAXED_FLAGS_AND_ENTRY]),
        race(&LOCK_TWO_STACKS, sheet("AM10"), &[SLEPT])
            .under(DPOR)
            .holds(&[&L2, &V6_12_117])
            .violated(&[&AM10_UNLINKED_BEFORE_WOKEN, &AM10_UNLINKED_BEFORE_WAKE_UP])
            .violated(&[&AM11_READ_AFTER_UNLINK]),
        // What finish_wait() does after its look is all that the fault does before its stack frame
        // is another function's.
        race(&MIGRATION_ENTRY, last_touch, &[FAULT_FOUND_AN_ENTRY, SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        // The entry of a request is filled in again for the next attempt.
        race(&ASYNC, retried, &[SLEPT]).under(DPOR).holds(&[&V6_12_117]),
        race(&MIGRATE_VS_TRUNCATE, locked_mapping, &[MIGRATED, TRUNCATED])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[TRUNCATED])
            .violated_as(sheet("AM8"), &[&AM8_RELAXED_TRYLOCK]),
        race(&MIGRATE_VS_WRITE, locked_copy, &[MIGRATED, CHANGED, FREEZE_FAILED])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117])
            .broken_after(&[MIGRATED, CHANGED])
            .violated_as(sheet("AM8"), &[&AM8_RELAXED_UNLOCK]),
        // Its caller here is isolate_migratepages_block(), whose comment admits it.
        race(
            &COMPACT_VS_TRUNCATE,
            Report("syzbot, KCSAN: data-race in __filemap_remove_folio / folio_mapping"),
            &[TRUNCATED],
        )
        .under(DPOR)
        .violated(&[&V6_12_117]),
        // `__folio_clear_lru_flags()` under lru_lock, `PageLRU()` of a page that its reader does
        // not hold. KCSAN_STRICT alone reports it
        // (include/asm-generic/bitops/instrumented-non-atomic.h).
        race(&COMPACT_VS_FREE, Analysis("__clear_bit(PG_lru), seen by compaction"), &[FREED])
            .under(DPOR)
            .violated(&[&V6_12_117]),
    ]
}
