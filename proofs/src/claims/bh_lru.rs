//! kernel-lru section C: the bh_lru, what its references protect, and what they stand in the way
//! of.

use selvedge_kernel::{
    Name, READ_ONCE, atomic_inc, atomic_read, fail_about, plain_read, plain_write,
};
use selvedge_models::fs::buffer::{
    __find_get_block, Finder, brelse, invalidate_bh_lrus, invalidate_bh_lrus_cpu, lock_buffer,
    lookup_bh_lru, put_bh, try_to_free_buffers, trylock_buffer, unlock_buffer,
};
use selvedge_models::mm::filemap::folio_trylock;
use selvedge_models::mm::migrate::{Aops, ISOLATION, Migrator, buffer_migrate_folio_norefs};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::{BufferHead, Kernel, Machine};

use super::{DPOR, EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::Source::{self, Analysis};
use crate::calls::{Arg, call};
use crate::functions::{BH_LRU_INSTALL, INVALIDATE_BH_LRUS};
use crate::rules::*;
use crate::states::{
    BUFFERS_BUSY, BUFFERS_FREED, BUFFERS_MOVED, FOUND_IDLE, INSTALLED, LOOKUP_HIT, SLEPT_ON_A_BIT,
};
use crate::{Answers, Run, Scenario, Task, ask, calls, cpu};

/// Who has the first reference to a bh (see `BufferHead`).
pub(super) const USER: Name = Name::new("user of the bh");
/// Who looks it up.
const FINDER: Name = Name::new("finder");

static INSTALL_VS_INVALIDATE: Scenario = Scenario {
    name: "install_vs_invalidate",
    about: "CPU0 installs a bh that it holds; CPU1 invalidates all bh_lrus, by an IPI to CPU0 at \
            any step.",
    tasks: &[
        calls(0, "installer", &[call(BH_LRU_INSTALL, &[Arg::Bh(0)])]),
        calls(1, "invalidator", &[call(INVALIDATE_BH_LRUS, &[])]),
    ],
    look: slots_own_references,
    ..Scenario::EMPTY
};

/// Puts bh0 in CPU0's bh_lru as its only holder.
const ONLY_THE_LRU_HOLDS_IT: &[Task] = &[cpu(0, "setup", |k| {
    (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0]);
    brelse(Some(&k.buffer_heads[0]), USER);
})];

static LOOKUP_VS_FREE: Scenario = Scenario {
    name: "lookup_vs_free",
    about: "Only CPU0's bh_lru holds the bh. CPU0 looks it up; CPU1 tries to free the buffers, \
            empties the bh_lrus, and tries again.",
    before: ONLY_THE_LRU_HOLDS_IT,
    tasks: &[
        cpu(0, "finder", |k| {
            if let Some(bh) = lookup_bh_lru(k, &k.buffer_heads[0], FINDER) {
                bh_is_not_freed(READ_ONCE(&bh.freed));
            }
        }),
        cpu(1, "reclaim", |k| {
            if !try_to_free_buffers(k, &k.folios[0]) {
                invalidate_bh_lrus(k);
                try_to_free_buffers(k, &k.folios[0]);
            }
        }),
    ],
    at_end: Some(referenced_bh_is_not_freed),
    ..Scenario::EMPTY
};

/// One use of a bh: find it, which installs it, look at it, and let it go.
fn find_and_put(k: &Run, look: fn(&BufferHead)) {
    if let Some(bh) = __find_get_block(k, &k.buffer_heads[0], FINDER, Finder::Atomic) {
        look(bh);
        put_bh(bh, FINDER);
    }
}

/// A folio of a block device, and the one that it migrates to.
const BLOCK_DEVICE: Machine = Machine::TINY.aops(&[Aops::BuffersNorefs]).spares().sleepers(1);

/// The folio is isolated and locked, and so is the one that it is to migrate to.
fn ready_to_move(k: &Run) {
    folio_get(&k.folios[0], ISOLATION);
    for folio in &k.folios {
        assert!(folio_trylock(folio), "nobody else runs yet");
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
    machine: BLOCK_DEVICE,
    setup: ready_to_move,
    before: ONLY_THE_LRU_HOLDS_IT,
    tasks: &[
        cpu(0, "finder", |k| {
            find_and_put(k, |bh| {
                if READ_ONCE(&bh.moving) != 0 {
                    let message = "bh0 was found while it moves";
                    fail_about(NOBODY_HAS_A_MOVING_BH, message, bh.moving.object());
                }
            });
        }),
        cpu(1, "migrator", |k| {
            moves(k);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

static REINSTALL_VS_MIGRATE: Scenario = Scenario {
    name: "reinstall_vs_migrate",
    about: "Only bh_lrus hold the bh. CPU0 uses it once more and lets it go before CPU1 looks a \
            second time; CPU1 migrates the buffers' folio.",
    machine: BLOCK_DEVICE,
    setup: ready_to_move,
    before: ONLY_THE_LRU_HOLDS_IT,
    tasks: &[
        cpu(0, "user", |k| find_and_put(k, |_| ())),
        cpu(1, "migrator", |k| {
            let bh = &k.buffer_heads[0];
            if !moves(k) && atomic_read(&bh.b_count) <= 1 {
                let message = "-EAGAIN, and nobody but a bh_lru holds bh0";
                fail_about(LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE, message, bh.b_count.object());
            }
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

static REINSTALL_VS_MIGRATE_DISABLED: Scenario = Scenario {
    name: "reinstall_vs_migrate_with_caching_disabled",
    about: "The same, with lru_cache_disable() before the migration.",
    tasks: &[
        cpu(0, "user", |k| find_and_put(k, |_| ())),
        cpu(1, "migrator", |k| {
            let bh = &k.buffer_heads[0];
            (k.tree.swap.lru_cache_disable())(k);
            if !moves(k) && is_in_a_bh_lru(k) {
                let message = "-EAGAIN, and bh0 is in a bh_lru";
                fail_about(LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE, message, bh.b_count.object());
            }
        })
        .sleeper(0),
    ],
    ..REINSTALL_VS_MIGRATE
};

static FIND_VS_FREE: Scenario = Scenario {
    name: "find_in_page_cache_vs_free",
    about: "Nobody holds the bh, and no bh_lru has it. CPU0 looks it up in the page cache; CPU1 \
            frees the buffers of its folio if it can.",
    before: &[cpu(0, "setup", |k| brelse(Some(&k.buffer_heads[0]), USER))],
    tasks: &[
        cpu(0, "finder", |k| {
            if let Some(bh) = __find_get_block(k, &k.buffer_heads[0], FINDER, Finder::Atomic) {
                bh_is_not_freed(READ_ONCE(&bh.freed));
            }
        }),
        cpu(1, "reclaim", |k| {
            try_to_free_buffers(k, &k.folios[0]);
        }),
    ],
    at_end: Some(referenced_bh_is_not_freed),
    ..Scenario::EMPTY
};

static FIND_ALONE: Scenario = Scenario {
    name: "bh_is_found_in_the_page_cache",
    about: "Nobody holds the bh, and no bh_lru has it. CPU0 looks it up in the page cache, which \
            installs it, and lets it go.",
    tasks: &[cpu(0, "finder", |k| find_and_put(k, |_| ()))],
    at_end: Some(no_bh_reference_is_left_over),
    ..FIND_VS_FREE
};

static INVALIDATE_VS_OWN: Scenario = Scenario {
    name: "two_invalidate_a_bh_lru",
    about: "Only CPU0's bh_lru holds the bh. CPU0 empties its bh_lru, as its work item of \
            lru_add_drain_all() does; CPU1 invalidates all bh_lrus, by an IPI to CPU0 at any step.",
    before: ONLY_THE_LRU_HOLDS_IT,
    tasks: &[
        cpu(0, "kworker", |k| invalidate_bh_lrus_cpu(k)),
        cpu(1, "invalidator", |k| invalidate_bh_lrus(k)),
    ],
    at_end: Some(bh_lrus_own_what_they_hold),
    ..Scenario::EMPTY
};

static INVALIDATE_TWICE: Scenario = Scenario {
    name: "bh_lru_is_emptied_twice",
    about: "Only CPU0's bh_lru holds the bh. CPU0 empties its bh_lru, and then installs the bh, \
            which a lookup has found, again.",
    tasks: &[cpu(0, "user", |k| {
        invalidate_bh_lrus_cpu(k);
        find_and_put(k, |_| ());
    })],
    ..INVALIDATE_VS_OWN
};

fn is_in_a_bh_lru(k: &Kernel) -> bool {
    k.cpus.possible().any(|cpu| k.bh_lrus.of(cpu).iter().any(|slot| READ_ONCE(slot) != 0))
}

fn lock_and_add(k: &Run) {
    let bh = &k.buffer_heads[0];
    lock_buffer(k, bh);
    add_and_unlock(k);
}

fn add_and_unlock(k: &Run) {
    let bh = &k.buffer_heads[0];
    let value = plain_read(&bh.contents);
    plain_write(&bh.contents, value + 1);
    unlock_buffer(k, bh);
}

static LOCK_BUFFER: Scenario = Scenario {
    name: "two_tasks_lock_a_buffer",
    about: "CPU0 and CPU1 each lock the buffer, change its contents, and unlock it.",
    machine: Machine::TINY.sleepers(2),
    tasks: &[cpu(0, "task", lock_and_add), cpu(1, "task", lock_and_add)],
    at_end: Some(|k| no_addition_to_a_buffer_is_lost(k, 2)),
    ..Scenario::EMPTY
};

static LOCK_BUFFER_STOLEN: Scenario = Scenario {
    name: "buffer_is_stolen_from_its_waiter",
    about: "CPU0 unlocks the buffer, for which CPU1 waits, to change its contents; CPU2 tries the \
            lock, to do the same.",
    machine: Machine::TINY.cpus(3).sleepers(2),
    setup: |k| assert!(trylock_buffer(&k.buffer_heads[0]), "nobody else runs yet"),
    tasks: &[
        cpu(0, "holder", |k| unlock_buffer(k, &k.buffer_heads[0])),
        cpu(1, "waiter", lock_and_add),
        cpu(2, "thief", |k| {
            if trylock_buffer(&k.buffer_heads[0]) {
                add_and_unlock(k);
                atomic_inc(&k.count);
            }
        }),
    ],
    at_end: Some(|k| no_addition_to_a_buffer_is_lost(k, 1 + k.count.peek() as u64)),
    ..Scenario::EMPTY
};

static TWO_BUFFERS: Scenario = Scenario {
    name: "two_buffers_of_one_queue",
    about: "CPU0 unlocks bh0, and then bh1; CPU1 waits for bh0, CPU2 for bh1: in one queue.",
    machine: Machine::TINY.cpus(3).buffer_heads(2).sleepers(2),
    setup: |k| assert!(k.buffer_heads.iter().all(trylock_buffer), "nobody else runs yet"),
    tasks: &[
        cpu(0, "holder", |k| k.buffer_heads.iter().for_each(|bh| unlock_buffer(k, bh))),
        cpu(1, "waiter", |k| lock_buffer(k, &k.buffer_heads[0])).sleeper(0),
        cpu(2, "waiter", |k| lock_buffer(k, &k.buffer_heads[1])).sleeper(1),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    let at_once =
        |scenario, reached| ask(LRU_ONLY_BUFFERS_MIGRATE_AT_ONCE, scenario, lru("C4"), reached);
    let barriers = Analysis("each side has a full barrier");
    let what_for = Analysis("what the bit, and the lock of the queue of those who wait, are for");
    vec![
        ask(REFERENCES_BALANCE, &INSTALL_VS_INVALIDATE, lru("C1"), &[INSTALLED])
            .under(EVERY)
            .holds(&[&V5_11, &V6_1, &V6_12_117])
            // Under loom a handler does not nest in a preempt-off region.
            .under(SC)
            .violated(&[&C1_PREEMPT_OFF_ONLY]),
        ask(A_FREED_BH_IS_NOT_FOUND, &LOOKUP_VS_FREE, lru("C2"), &[LOOKUP_HIT, BUFFERS_FREED])
            .under(EVERY)
            .holds(&[&V5_11, &V6_1, &V6_12_117])
            .violated(&[&C2_SLOT_WITHOUT_REFERENCE]),
        ask(A_FREED_BH_IS_NOT_FOUND, &FIND_VS_FREE, lru("C2"), &[BUFFERS_FREED, INSTALLED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated_as(Analysis("i_private_lock keeps the two apart"), &[&FREES_UNLOCKED]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &FIND_ALONE, lru("C2"), &[INSTALLED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(A_BH_LRU_OWNS_WHAT_IT_HOLDS, &INVALIDATE_VS_OWN, lru("C1"), &[INSTALLED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(A_BH_LRU_OWNS_WHAT_IT_HOLDS, &INVALIDATE_TWICE, lru("C1"), &[INSTALLED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&INVALIDATES_WITHOUT_PUT]),
        // The warning of brelse() comes first: the slot is given back twice.
        ask(KERNEL_ASSERTIONS_HOLD, &INVALIDATE_VS_OWN, lru("C1"), &[INSTALLED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&INVALIDATES_IRQS_ON]),
        ask(
            NOBODY_HAS_A_MOVING_BH,
            &FIND_VS_MIGRATE,
            lru("C3"),
            &[LOOKUP_HIT, BUFFERS_MOVED, BUFFERS_BUSY],
        )
        .under(SC)
        .holds(&[&V5_11, &V6_1, &V6_12_117])
        // The window is two steps wide: 20,000 random schedules do not hit it.
        .under(SC_WITHOUT_RANDOM)
        .broken_after(&[INSTALLED, FOUND_IDLE])
        .violated(&[&C3_MOVE_UNLOCKED]),
        at_once(&REINSTALL_VS_MIGRATE, &[INSTALLED]).under(SC).violated(&[&V5_11, &V6_1]),
        at_once(&REINSTALL_VS_MIGRATE_DISABLED, &[BUFFERS_MOVED])
            .under(SC)
            .holds(&[&V5_18, &V6_1, &V6_12_117]),
        ask(CONTENTS_HAVE_ONE_WRITER, &LOCK_BUFFER_STOLEN, what_for, &[SLEPT_ON_A_BIT])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(NOBODY_WAITS_FOR_EVER, &TWO_BUFFERS, what_for, &[SLEPT_ON_A_BIT])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&BIT_QUEUE_UNLOCKED]),
        ask(NOBODY_WAITS_FOR_EVER, &LOCK_BUFFER, barriers, &[SLEPT_ON_A_BIT])
            .under(EVERY)
            .holds(&[&V6_1])
            .under(SC)
            .holds(&[&V6_12_117])
            .holds_as(Source::migrate("DM1"), &[&UNLOCK_BUFFER_NO_BARRIER])
            .under(WEAK)
            .violated_as(Source::migrate("DM1"), &[&UNLOCK_BUFFER_NO_BARRIER]),
    ]
}
