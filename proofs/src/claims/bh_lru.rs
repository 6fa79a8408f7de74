//! kernel-lru section C: the bh_lru, what its references protect, and what they stand in the way
//! of.

use selvedge_explore::Engine;
use selvedge_kernel::{
    Name, READ_ONCE, atomic_read, fail, fail_about, join, plain_read, plain_write,
};
use selvedge_models::fs::buffer::{
    __find_get_block, Finder, bh_lru_install, brelse, invalidate_bh_lrus, lock_buffer,
    lookup_bh_lru, put_bh, try_to_free_buffers, unlock_buffer,
};
use selvedge_models::mm::filemap::folio_trylock;
use selvedge_models::mm::migrate::{Aops, ISOLATION, Migrator, buffer_migrate_folio_norefs};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes, Tree};
use selvedge_monitors::{NOBODY_WAITS_FOR_EVER, REFERENCES_BALANCE};
use selvedge_trace::Rule;

use super::{EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

/// Who has the first reference to a bh (see `BufferHead`).
const USER: Name = Name::new("user of the bh");
/// Who looks it up.
const FINDER: Name = Name::new("finder");

static INSTALL_VS_INVALIDATE: Scenario = Scenario {
    name: "install_vs_invalidate",
    about: "CPU0 installs a bh that it holds; CPU1 invalidates all bh_lrus, by an IPI to CPU0 at \
            any step.",
    sizes: Sizes::TINY,
    play: |k| {
        let installer = k.task(0, "installer", |k| bh_lru_install(k, &k.buffer_heads[0]));
        let invalidator = k.task(1, "invalidator", invalidate_bh_lrus);
        join(installer);
        join(invalidator);
    },
    at_end: |_| {},
    choices: 0,
};

/// Puts bh0 in CPU0's bh_lru as its only holder.
fn only_the_lru_holds_it(k: &Kernel) {
    bh_lru_install(k, &k.buffer_heads[0]);
    brelse(Some(&k.buffer_heads[0]), USER);
}

static LOOKUP_VS_FREE: Scenario = Scenario {
    name: "lookup_vs_free",
    about: "Only CPU0's bh_lru holds the bh. CPU0 looks it up; CPU1 tries to free the buffers, \
            empties the bh_lrus, and tries again.",
    sizes: Sizes::TINY,
    play: |k| {
        join(k.task(0, "setup", only_the_lru_holds_it));
        let finder = k.task(0, "finder", |k| {
            if let Some(bh) = lookup_bh_lru(k, &k.buffer_heads[0], FINDER) {
                not_freed(READ_ONCE(&bh.freed));
            }
        });
        let reclaim = k.task(1, "reclaim", |k| {
            if !try_to_free_buffers(k, &k.folios[0]) {
                invalidate_bh_lrus(k);
                try_to_free_buffers(k, &k.folios[0]);
            }
        });
        join(finder);
        join(reclaim);
        let bh = &k.buffer_heads[0];
        if bh.b_count.peek() > 0 {
            not_freed(bh.freed.peek());
        }
    },
    at_end: |_| {},
    choices: 0,
};

fn not_freed(freed: u64) {
    if freed != 0 {
        fail(A_FREED_BH_IS_NOT_FOUND, "bh0 is freed, and somebody has found it");
    }
}

/// A folio of a block device, and the one that it migrates to.
const BLOCK_DEVICE: Sizes =
    Sizes { aops: &[Aops::BuffersNorefs], spares: true, sleepers: 1, ..Sizes::TINY };

/// Only CPU0's bh_lru holds the bh; its folio is isolated and locked, and so is the one that it is
/// to migrate to.
fn ready_to_move(k: &Kernel) {
    join(k.task(0, "setup", only_the_lru_holds_it));
    folio_get(&k.folios[0], ISOLATION);
    for folio in &k.folios {
        assert!(folio_trylock(k, folio), "nobody else runs yet");
    }
}

/// Moves the folio, once: false if it could not be moved.
fn moves(k: &Kernel) -> bool {
    buffer_migrate_folio_norefs(k, &k.folios[1], &k.folios[0], Migrator::SYNC).is_ok()
}

static FIND_VS_MIGRATE: Scenario = Scenario {
    name: "find_vs_migrate",
    about: "Only CPU0's bh_lru holds the bh. CPU0 finds it, looks, and lets it go; CPU1 migrates \
            the buffers' folio.",
    sizes: BLOCK_DEVICE,
    play: |k| {
        ready_to_move(k);
        let finder = k.task(0, "finder", |k| {
            if let Some(bh) = __find_get_block(k, &k.buffer_heads[0], FINDER, Finder::Atomic) {
                if READ_ONCE(&bh.moving) != 0 {
                    fail_about(
                        NOBODY_HAS_A_MOVING_BH,
                        "bh0 was found while it moves",
                        bh.moving.object(),
                    );
                }
                put_bh(bh, FINDER);
            }
        });
        let migrator = k.task(1, "migrator", |k| {
            moves(k);
        });
        join(finder);
        join(migrator);
    },
    at_end: |_| {},
    choices: 0,
};

/// One use of a bh: find it, which installs it, and let it go.
fn use_once(k: &Kernel) {
    if let Some(bh) = __find_get_block(k, &k.buffer_heads[0], FINDER, Finder::Atomic) {
        put_bh(bh, FINDER);
    }
}

static REINSTALL_VS_MIGRATE: Scenario = Scenario {
    name: "reinstall_vs_migrate",
    about: "Only bh_lrus hold the bh. CPU0 uses it once more and lets it go before CPU1 looks a \
            second time; CPU1 migrates the buffers' folio.",
    sizes: BLOCK_DEVICE,
    play: |k| {
        ready_to_move(k);
        let user = k.task(0, "user", use_once);
        let migrator = k.task(1, "migrator", |k| {
            let bh = &k.buffer_heads[0];
            if !moves(k) && atomic_read(&bh.b_count) <= 1 {
                let message = "-EAGAIN, and nobody but a bh_lru holds bh0";
                fail_about(LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE, message, bh.b_count.object());
            }
        });
        join(user);
        join(migrator);
    },
    at_end: |_| {},
    choices: 0,
};

static REINSTALL_VS_MIGRATE_DISABLED: Scenario = Scenario {
    name: "reinstall_vs_migrate_with_caching_disabled",
    about: "The same, with lru_cache_disable() before the migration.",
    sizes: BLOCK_DEVICE,
    play: |k| {
        ready_to_move(k);
        let user = k.task(0, "user", use_once);
        let migrator = k.task(1, "migrator", |k| {
            let bh = &k.buffer_heads[0];
            (k.tree.swap.lru_cache_disable)(k);
            if !moves(k) && in_a_bh_lru(k) {
                let message = "-EAGAIN, and bh0 is in a bh_lru";
                fail_about(LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE, message, bh.b_count.object());
            }
        });
        join(user);
        join(migrator);
    },
    at_end: |_| {},
    choices: 0,
};

fn in_a_bh_lru(k: &Kernel) -> bool {
    k.cpus.online().any(|cpu| k.bh_lrus.of(cpu).iter().any(|slot| READ_ONCE(slot) != 0))
}

static LOCK_BUFFER: Scenario = Scenario {
    name: "two_tasks_lock_a_buffer",
    about: "CPU0 and CPU1 each lock the buffer, change its contents, and unlock it.",
    sizes: Sizes { sleepers: 2, ..Sizes::TINY },
    play: |k| {
        let tasks = [0, 1].map(|cpu| {
            k.task(cpu, "task", move |k| {
                let bh = &k.buffer_heads[0];
                lock_buffer(k, bh, cpu);
                let value = plain_read(&bh.contents);
                plain_write(&bh.contents, value + 1);
                unlock_buffer(k, bh);
            })
        });
        tasks.into_iter().for_each(join);
    },
    at_end: |k| {
        let contents = &k.buffer_heads[0].contents;
        if contents.peek() != 2 {
            fail_about(CONTENTS_HAVE_ONE_WRITER, "an addition was lost", contents.object());
        }
    },
    choices: 0,
};

const fn sleeps(
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
) -> Claim {
    let reached = match expected {
        Holds => &["a task slept on a bit"],
        Violated => &[] as &[&str],
    };
    claim(&LOCK_BUFFER, NOBODY_WAITS_FOR_EVER, tree, engines, expected, source, reached)
}

const fn claim(
    scenario: &'static Scenario,
    rule: Rule,
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
    reached: &'static [&'static str],
) -> Claim {
    Claim { subsystem: "bh_lru", rule, scenario, tree, engines, expected, source, reached }
}

const fn references(tree: &'static Tree, engines: &'static [Engine], expected: Expected) -> Claim {
    let (rule, reached) = (REFERENCES_BALANCE, &["a bh was installed"]);
    claim(&INSTALL_VS_INVALIDATE, rule, tree, engines, expected, "kernel-lru:C1", reached)
}

const fn freed(tree: &'static Tree, expected: Expected) -> Claim {
    let reached = match expected {
        Holds => &["a lookup hit", "buffers were freed"],
        Violated => &[] as &[&str],
    };
    claim(&LOOKUP_VS_FREE, A_FREED_BH_IS_NOT_FOUND, tree, EVERY, expected, "kernel-lru:C2", reached)
}

const fn moving(tree: &'static Tree, expected: Expected) -> Claim {
    let reached = match expected {
        Holds => &["a lookup hit", "the buffers moved", "buffers stayed busy"],
        Violated => &[] as &[&str],
    };
    claim(&FIND_VS_MIGRATE, NOBODY_HAS_A_MOVING_BH, tree, SC, expected, "kernel-lru:C3", reached)
}

const fn at_once(
    scenario: &'static Scenario,
    tree: &'static Tree,
    expected: Expected,
    reached: &'static [&'static str],
) -> Claim {
    let rule = LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE;
    claim(scenario, rule, tree, SC, expected, "kernel-lru:C4", reached)
}

pub(super) static CLAIMS: &[Claim] = &[
    references(&V5_11, EVERY, Holds),
    references(&V6_1, EVERY, Holds),
    // Under loom a handler does not nest in a preempt-off region.
    references(&C1_PREEMPT_OFF_ONLY, SC, Violated),
    freed(&V5_11, Holds),
    freed(&V6_1, Holds),
    freed(&C2_SLOT_WITHOUT_REFERENCE, Violated),
    moving(&V5_11, Holds),
    moving(&V6_1, Holds),
    // The window is two steps wide: 20,000 random schedules do not hit it.
    Claim { engines: SC_WITHOUT_RANDOM, ..moving(&C3_MOVE_UNLOCKED, Violated) },
    at_once(&REINSTALL_VS_MIGRATE, &V5_11, Violated, &[]),
    at_once(&REINSTALL_VS_MIGRATE, &V6_1, Violated, &[]),
    at_once(&REINSTALL_VS_MIGRATE_DISABLED, &V5_18, Holds, &["the buffers moved"]),
    sleeps(&V6_1, EVERY, Holds, "own: each side has a full barrier"),
    sleeps(&UNLOCK_BUFFER_NO_BARRIER, SC, Holds, "own: reordering is what it takes"),
    sleeps(&UNLOCK_BUFFER_NO_BARRIER, WEAK, Violated, "own: store buffering"),
    at_once(&REINSTALL_VS_MIGRATE_DISABLED, &V6_1, Holds, &["the buffers moved"]),
];
