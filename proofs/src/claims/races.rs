//! Data races: what the kernel reads and writes in plain C, and what orders it.
//!
//! A lock that is missing shows here in the first execution, whatever the interleaving, and an
//! ordering that is missing shows under sequential consistency: a race is two accesses that nothing
//! orders, wherever they happened to fall. The other claims about the same trees need the one
//! schedule, or weak memory, in which it does harm.
//!
//! Some of these races are in releases, are reported by KCSAN, and do no harm: a drain too many, or
//! one that the adder was too late for. What is claimed is whether they are there.

use selvedge_explore::Engine;
use selvedge_kernel::{Name, join, plain_write, reached};
use selvedge_models::fs::buffer::{bh_lru_install, invalidate_bh_lrus};
use selvedge_models::mm::compaction::compact_node;
use selvedge_models::mm::filemap::{
    filemap_get_entry, folio_lock, folio_unlock, truncate_inode_folio,
};
use selvedge_models::mm::migrate::{
    FREEZE_FAILED, ISOLATION, Migrator, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::mlock::{mlock_folio, munlock_folio};
use selvedge_models::mm::swap::{
    folio_activate, folio_add_lru, folio_get, folio_put, folio_rotate_reclaimable, lru_add_drain,
    lru_add_drain_all,
};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes};
use selvedge_monitors::PLAIN_ACCESSES_DO_NOT_RACE;

use super::folio_lock::{HANDED_OVER, LOCK_TWO_STACKS, TRY_ONCE};
use super::lru_batches::ROTATE_INTERRUPTS_DRAIN;
use super::lru_operations::MOVE_VS_ISOLATE;
use crate::{Claim, Scenario, Topic};

/// Complete, under sequential consistency.
const SC: &[Engine] = &[Engine::Dpor];
/// Complete, and under weak memory too.
const BOTH: &[Engine] = &[Engine::Dpor, Engine::Loom];

/// The same, and without any reduction.
const SMALL: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Dfs];

/// Two tasks on CPU0 and CPU1.
fn two(k: &Kernel, names: [&str; 2], first: fn(&Kernel), second: fn(&Kernel)) {
    let tasks = [k.task(0, names[0], first), k.task(1, names[1], second)];
    tasks.into_iter().for_each(join);
}

static LOOK_VS_PREP: Scenario = Scenario {
    name: "look_vs_prep",
    about: "CPU0 asks whether caching is disabled, as who would add a folio to a batch does; CPU1 \
            disables it.",
    sizes: Sizes::TINY,
    play: |k| {
        let look = |k: &Kernel| match (k.tree.swap.lru_cache_disabled)(k) {
            true => reached("a user found caching disabled"),
            false => reached("a user found caching enabled"),
        };
        two(k, ["user", "migrator"], look, |k| (k.tree.swap.lru_cache_disable)(k));
    },
    at_end: |_| {},
    choices: 0,
};

static ADD_VS_DRAIN_ALL: Scenario = Scenario {
    name: "add_vs_drain_all",
    about: "CPU0 adds a folio to its lru_add batch; CPU1 drains every CPU that seems to need it.",
    sizes: Sizes::TINY,
    play: |k| {
        two(k, ["adder", "drainer"], |k| folio_add_lru(k, &k.folios[0]), lru_add_drain_all);
    },
    at_end: |_| {},
    choices: 0,
};

static ROTATE_VS_DRAIN_ALL: Scenario = Scenario {
    name: "rotate_vs_drain_all",
    about: "CPU0 adds a folio to its rotate batch; CPU1 drains every CPU that seems to need it.",
    sizes: Sizes { listed: true, ..Sizes::TINY },
    play: |k| {
        let rotate = |k: &Kernel| folio_rotate_reclaimable(k, &k.folios[0]);
        two(k, ["rotator", "drainer"], rotate, lru_add_drain_all);
    },
    at_end: |_| {},
    choices: 0,
};

static MUNLOCK_VS_DRAIN_ALL: Scenario = Scenario {
    name: "munlock_vs_drain_all",
    about: "CPU0 adds a folio to its mlock batch; CPU1 drains every CPU that seems to need it.",
    sizes: Sizes { listed: true, mlock: true, ..Sizes::TINY },
    play: |k| {
        let munlock = |k: &Kernel| munlock_folio(k, &k.folios[0]);
        two(k, ["munlocker", "drainer"], munlock, lru_add_drain_all);
    },
    at_end: |_| {},
    choices: 0,
};

static INSTALL_VS_DRAIN_ALL: Scenario = Scenario {
    name: "install_vs_drain_all",
    about: "CPU0 installs a bh in its bh_lru; CPU1 drains every CPU that seems to need it.",
    sizes: Sizes::TINY,
    play: |k| {
        let install = |k: &Kernel| bh_lru_install(k, &k.buffer_heads[0]);
        two(k, ["installer", "drainer"], install, lru_add_drain_all);
    },
    at_end: |_| {},
    choices: 0,
};

static INSTALL_VS_INVALIDATE: Scenario = Scenario {
    name: "install_vs_invalidate",
    about: "CPU0 installs one bh after the other in its bh_lru of one; CPU1 sends an IPI to every \
            CPU that seems to have one.",
    sizes: Sizes { buffer_heads: 2, ..Sizes::TINY },
    play: |k| {
        let install = |k: &Kernel| k.buffer_heads.iter().for_each(|bh| bh_lru_install(k, bh));
        two(k, ["installer", "invalidator"], install, invalidate_bh_lrus);
    },
    at_end: |_| {},
    choices: 0,
};

static ONE_CPU: Scenario = Scenario {
    name: "activate_and_drain_on_one_cpu",
    about: "Of two tasks on CPU0 one activates the folio, the other drains the batches of its CPU.",
    sizes: Sizes { cpus: 1, batch: 3, listed: true, operations: true, ..Sizes::TINY },
    play: |k| {
        let user = k.task(0, "user", |k| folio_activate(k, &k.folios[0]));
        let drainer = k.task(0, "drainer", lru_add_drain);
        [user, drainer].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static TWO_MLOCKS: Scenario = Scenario {
    name: "two_mlocks_of_one_folio",
    about: "CPU0 and CPU1 each mlock the folio and drain their batches.",
    sizes: Sizes { listed: true, mlock: true, ..Sizes::TINY },
    play: |k| {
        let mlock = |k: &Kernel| {
            mlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        };
        two(k, ["mlocker", "mlocker"], mlock, mlock);
    },
    at_end: |_| {},
    choices: 0,
};

fn migrate(k: &Kernel) {
    let left = migrate_pages(k, &[0], Migrator::SYNC);
    putback_movable_pages(k, &left);
}

static MIGRATE_VS_TRUNCATE: Scenario = Scenario {
    name: "migrate_isolated_vs_truncate",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, CPU1 truncates the file.",
    sizes: Sizes { spares: true, batch: 3, passes: 1, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        folio_get(&k.folios[0], ISOLATION);
        two(k, ["migrator", "truncate"], migrate, |k| truncate_inode_folio(k, 0, 1));
    },
    at_end: |_| {},
    choices: 0,
};

static MIGRATE_VS_WRITE: Scenario = Scenario {
    name: "migrate_isolated_vs_write",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it; CPU1 looks its page up, \
            and changes the contents under the folio lock.",
    play: |k| {
        folio_get(&k.folios[0], ISOLATION);
        two(k, ["migrator", "writer"], migrate, |k| {
            let holder = Name::new("writer");
            let Some(folio) = filemap_get_entry(k, 0, holder) else { return };
            folio_lock(k, folio, 1);
            plain_write(&folio.contents, 1);
            folio_unlock(k, folio);
            folio_put(k, folio, holder);
            reached("the contents were changed");
        });
    },
    ..MIGRATE_VS_TRUNCATE
};

fn compact(k: &Kernel) {
    compact_node(k, 0);
}

static COMPACT_VS_TRUNCATE: Scenario = Scenario {
    name: "compact_vs_truncate",
    about: "CPU0 compacts memory, CPU1 truncates the file; somebody else keeps the folio from \
            being freed.",
    sizes: Sizes { listed: true, ..MIGRATE_VS_TRUNCATE.sizes },
    play: |k| {
        folio_get(&k.folios[0], Name::new("a user"));
        two(k, ["compaction", "truncate"], compact, |k| truncate_inode_folio(k, 0, 1));
    },
    ..MIGRATE_VS_TRUNCATE
};

static COMPACT_VS_FREE: Scenario = Scenario {
    name: "compact_vs_truncate_and_free",
    about: "CPU0 compacts memory, CPU1 truncates the file, and drops the last reference of its \
            folio.",
    play: |k| two(k, ["compaction", "truncate"], compact, |k| truncate_inode_folio(k, 0, 1)),
    ..COMPACT_VS_TRUNCATE
};

const fn topic(
    scenario: &'static Scenario,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "races", rule: PLAIN_ACCESSES_DO_NOT_RACE, scenario, source, reached }
}

const RESTED: &str = "a folio was left in the batch";
const WORKED: &str = "a drain work item ran";
const SLEPT: &str = "a task slept on a folio";

const PENDING: Topic = topic(
    &LOOK_VS_PREP,
    "own: atomic_read() is marked",
    &["a user found caching disabled", "a user found caching enabled"],
);
/// Reported with both functions by Jianzhou Zhao, 2026-03-11 ("KCSAN: data-race in
/// __folio_batch_add_and_move / __lru_add_drain_all"), for 6.18.
const ADD: Topic = topic(&ADD_VS_DRAIN_ALL, "KCSAN report of 2026-03-11", &[RESTED, WORKED]);
const ROTATE: Topic = topic(
    &ROTATE_VS_DRAIN_ALL,
    "mm/swap: fold lru_rotate into cpu_fbatches, 2024-07-10",
    &[RESTED, WORKED],
);
/// syzbot, "KCSAN: data-race in munlock_folio / need_mlock_drain".
const MUNLOCK: Topic = topic(
    &MUNLOCK_VS_DRAIN_ALL,
    "syzbot's report",
    &["a folio was left in the mlock batch", WORKED],
);
const INSTALL: Topic = topic(
    &INSTALL_VS_DRAIN_ALL,
    "own: has_bh_in_lru() reads bhs[] in plain C",
    &["a bh was installed", WORKED],
);
const INVALIDATE: Topic = topic(&INSTALL_VS_INVALIDATE, INSTALL.source, &["a bh was installed"]);
const ON_ONE_CPU: Topic = topic(&ONE_CPU, "kernel-lru:0.2", &[RESTED]);
const INTERRUPTED: Topic = topic(&ROTATE_INTERRUPTS_DRAIN, "kernel-lru:A3", &[RESTED]);
const MLOCK_COUNT: Topic = topic(
    &TWO_MLOCKS,
    "mm/mlock.c: mlock_count changes under lru_lock",
    &["a folio was moved to the unevictable list"],
);
const LISTS: Topic = topic(&MOVE_VS_ISOLATE, "kernel-lru:O2", &["a folio was isolated", RESTED]);
const CONTENTS: Topic = topic(&TRY_ONCE, "kernel-migrate:A.5-1", &["a trylock failed"]);
const HANDED: Topic = topic(&HANDED_OVER, "kernel-migrate:A.5-5", &["the lock was handed over"]);
const STACKS: Topic = topic(&LOCK_TWO_STACKS, "kernel-migrate:AM10", &[SLEPT]);
const MAPPING: Topic = topic(
    &MIGRATE_VS_TRUNCATE,
    "mm/filemap.c: the folio lock keeps folio->mapping",
    &["a folio was migrated", "a folio was truncated"],
);
const COPIED: Topic = topic(
    &MIGRATE_VS_WRITE,
    "mm/migrate.c: both folios are locked",
    &["a folio was migrated", "the contents were changed", FREEZE_FAILED],
);
/// syzbot, "KCSAN: data-race in __filemap_remove_folio / folio_mapping"; here the caller is
/// isolate_migratepages_block(), whose comment admits it.
const COMPACTION: Topic = topic(&COMPACT_VS_TRUNCATE, "syzbot's report of folio_mapping()", &[]);
/// `__folio_clear_lru_flags()` under lru_lock, `PageLRU()` of a page that its reader does not hold.
/// KCSAN_STRICT alone reports it (include/asm-generic/bitops/instrumented-non-atomic.h).
const FREED: Topic = topic(&COMPACT_VS_FREE, "own: __clear_bit(PG_lru), seen by compaction", &[]);

const STEP: &str = "own: what the step is there for";

pub(super) static CLAIMS: &[Claim] = &[
    PENDING.holds(&RFC_MIGRATE_PENDING, BOTH),
    PENDING
        .from("seed 000: what protects this on an SMP system?")
        .violated(&RFC_MIGRATE_PENDING_BOOL, BOTH),
    PENDING.from("own: read without migrate_pending_lock").violated(&RFC_2021_02_16, BOTH),
    PENDING.holds(&V5_18, BOTH),
    PENDING.holds(&V6_12_117, BOTH),
    ADD.violated(&V6_1, BOTH),
    ADD.violated(&V6_12_117, BOTH),
    ADD.violated(&V6_12_117_RT, SC),
    ADD.from("the patch's text").holds(&ANNOTATE_V2, BOTH),
    ADD.from(STEP).violated(&DRAINS_REMOTELY, BOTH),
    ROTATE.holds(&V6_10, BOTH),
    ROTATE.violated(&V6_12, BOTH),
    ROTATE.from("the patch's text").holds(&ANNOTATE_V2, BOTH),
    MUNLOCK.violated(&V6_12_117, BOTH),
    MUNLOCK.from("the patch's text").holds(&ANNOTATE_V2, BOTH),
    INSTALL.violated(&V6_12_117, BOTH),
    INSTALL.violated(&ANNOTATE_V2, BOTH),
    INSTALL.holds(&ANNOTATE_ALL, BOTH),
    INVALIDATE.violated(&V6_12_117, BOTH),
    INVALIDATE.holds(&ANNOTATE_ALL, BOTH),
    INVALIDATE.from("kernel-lru:C1").violated(&ANNOTATED_PREEMPT_OFF_ONLY, SC),
    ON_ONE_CPU.holds(&V6_10, BOTH),
    ON_ONE_CPU.holds(&V6_12_117_RT, SC),
    ON_ONE_CPU.from(STEP).violated(&BATCH_NO_LOCAL_LOCK, BOTH),
    INTERRUPTED.holds(&V6_1, SC),
    INTERRUPTED.violated(&A3_ROTATE_DRAIN_IRQS_ON, SC),
    MLOCK_COUNT.holds(&V6_10, SC),
    MLOCK_COUNT.holds(&V6_12_117, SC),
    MLOCK_COUNT.from(STEP).violated(&MLOCK_NO_LRU_LOCK, SC),
    LISTS.holds(&V6_10, BOTH),
    LISTS.from(STEP).violated(&MOVE_NO_LRU_LOCK, BOTH),
    LISTS.from(STEP).violated(&ISOLATE_NO_LRU_LOCK, BOTH),
    CONTENTS.holds(&V6_1, SMALL),
    CONTENTS.violated(&AM8_RELAXED_TRYLOCK, SC),
    CONTENTS.violated(&AM8_RELAXED_UNLOCK, SC),
    HANDED.holds(&L2_UNFAIRNESS_0, BOTH),
    HANDED.holds(&A5_RELAXED_FLAGS, BOTH),
    HANDED.violated(&A5_RELAXED_FLAGS_AND_ENTRY, BOTH),
    STACKS.holds(&L2, SC),
    STACKS.violated(&AM10_UNLINKED_BEFORE_WOKEN, SC),
    STACKS.violated(&AM10_UNLINKED_BEFORE_WAKE_UP, SC),
    STACKS.violated(&AM11_READ_AFTER_UNLINK, SC),
    MAPPING.holds(&V6_1, SC),
    MAPPING.holds(&V6_12_117, SC),
    MAPPING.from("kernel-migrate:AM8").violated(&AM8_RELAXED_TRYLOCK, SC),
    COPIED.holds(&V6_1, SC),
    COPIED.holds(&V6_12_117, SC),
    COPIED.from("kernel-migrate:AM8").violated(&AM8_RELAXED_UNLOCK, SC),
    COMPACTION.violated(&V6_12_117, SC),
    FREED.violated(&V6_12_117, SC),
];
