//! The buffers of a folio while it migrates: kernel-migrate D.5, but for the deadlock.

use selvedge_kernel::{READ_ONCE, fail, fail_about, join, plain_write, reached};
use selvedge_models::fs::buffer::{
    __find_get_block, Finder, brelse, find_in_ring, lock_buffer, put_bh, trylock_buffer,
    unlock_buffer,
};
use selvedge_models::mm::filemap::folio_trylock;
use selvedge_models::mm::migrate::{
    Aops, FOUND_A_LOCKED_BUFFER, ISOLATION, Migrator, Mode, WAITED_FOR_BUFFER,
    buffer_migrate_folio_norefs,
};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_models::{BH_LOCK, Kernel, Machine};
use selvedge_trace::Name;

use super::{ALONE, COMPLETE, DPOR, ONE, WEAK, migrate, scenario};
use crate::rules::*;
use crate::states::{BUFFERS_BUSY, FOUND_IDLE, INSTALLED, MIGRATED};
use crate::{Answers, Run, Scenario, Source, ask};

const USER: Name = Name::new("user of the bh");
const FINDER: Name = Name::new("finder");

const BLOCK_DEVICE: Machine = ONE.aops(&[Aops::BuffersNorefs]);

/// Nobody has a reference to a buffer.
fn no_users(k: &Kernel) {
    for bh in &k.buffer_heads {
        put_bh(bh, USER);
    }
}

fn finds<const SLEEPS: bool>(k: &Run) {
    no_users(k);
    let migrator = migrate(k, Mode::SyncLight, &[0]);
    let finder = k.task(1, "finder", |k| {
        let finder = if SLEEPS { Finder::MaySleep } else { Finder::Atomic };
        if let Some(bh) = __find_get_block(k, &k.buffer_heads[0], FINDER, finder) {
            if READ_ONCE(&bh.moving) != 0 {
                let message = "bh0 was found while it moves";
                fail_about(NOBODY_HAS_A_MOVING_BH, message, bh.moving.object());
            }
            put_bh(bh, FINDER);
        }
    });
    join(migrator);
    join(finder);
}

const FIND: &str = "Nobody holds the buffer of a block device's folio. CPU0 migrates the folio \
                    in MIGRATE_SYNC_LIGHT; CPU1 looks the buffer up, looks, and lets it go.";

static FIND_ATOMICALLY: Scenario =
    scenario("find_vs_migrate_pages", FIND, BLOCK_DEVICE, finds::<false>, |_| {});
static FIND_SLEEPING: Scenario =
    scenario("find_sleeping_vs_migrate_pages", FIND, BLOCK_DEVICE, finds::<true>, |_| {});

const TWO_BLOCKS: Machine = BLOCK_DEVICE.ring(2).buffer_heads(2);

static SECOND_BUFFER_IS_LOCKED: Scenario = scenario(
    "second_buffer_is_locked",
    "A folio has two buffers, of which somebody has locked the second. CPU0 migrates the folio \
     in MIGRATE_ASYNC, while CPU1 locks and unlocks the first.",
    TWO_BLOCKS,
    |k| {
        no_users(k);
        assert!(trylock_buffer(&k.buffer_heads[1]), "nobody else runs yet");
        let migrator = migrate(k, Mode::Async, &[0]);
        let other = k.task(1, "other", |k| {
            let bh = &k.buffer_heads[0];
            if trylock_buffer(bh) {
                unlock_buffer(k, bh);
            }
        });
        join(migrator);
        join(other);
    },
    |k| {
        if !k.buffer_heads[1].b_state.peek(BH_LOCK) || k.buffer_heads[0].b_state.peek(BH_LOCK) {
            let message = "bh1 should be locked, and bh0 not";
            fail(MIGRATION_HAS_ONE_END, message);
        }
    },
);

static PLAIN_DISK: Scenario = scenario(
    "second_buffer_is_written",
    "A folio has two buffers, of which the second is locked while it is written to a plain \
     disk, which ends on CPU1. CPU0 migrates the folio in MIGRATE_SYNC.",
    TWO_BLOCKS,
    |k| {
        no_users(k);
        assert!(trylock_buffer(&k.buffer_heads[1]), "nobody else runs yet");
        let migrator = migrate(k, Mode::Sync, &[0]);
        let end = k.task(1, "end of I/O", |k| unlock_buffer(k, &k.buffer_heads[1]));
        join(migrator);
        join(end);
    },
    |_| {},
);

/// One migration, with nobody else there.
fn alone(k: &Run) {
    no_users(k);
    join(migrate(k, Mode::Sync, &[0]));
}

static LARGE_BLOCK_DEVICE: Scenario = scenario(
    "large_folio_of_a_block_device",
    "CPU0 migrates a large folio of a block device. Nobody else does anything.",
    BLOCK_DEVICE.large(),
    alone,
    |_| {},
);

static SMALL_BLOCK_DEVICE: Scenario = Scenario {
    name: "small_folio_of_a_block_device",
    machine: BLOCK_DEVICE,
    ..LARGE_BLOCK_DEVICE_
};
const LARGE_BLOCK_DEVICE_: Scenario = scenario(
    "large_folio_of_a_block_device",
    "CPU0 migrates a folio of a block device, of one page. Nobody else does anything.",
    BLOCK_DEVICE,
    alone,
    |_| {},
);

static ONLY_THE_LRU: Scenario = scenario(
    "only_a_bh_lru_holds_the_buffer",
    "Only the bh_lru of CPU1 holds the buffer. CPU0 migrates its folio.",
    BLOCK_DEVICE,
    |k| {
        join(k.task(1, "setup", |k| {
            (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0]);
            brelse(Some(&k.buffer_heads[0]), USER);
        }));
        join(migrate(k, Mode::SyncLight, &[0]));
    },
    |k| {
        if k.outcome.peek() != 0 {
            let message = "only a bh_lru held the buffer, and the folio was not migrated";
            fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.outcome.object());
        }
    },
);

static IN_RING: Scenario = scenario(
    "find_in_ring_vs_move",
    "Nobody holds the buffer of a block device's folio, and the folio and its target are locked. \
     CPU0 moves the folio with its buffer; CPU1, which has found the folio, and must not sleep, \
     looks for the buffer. For loom: without the lookup of the folio, the passes, and the lists.",
    BLOCK_DEVICE.sleepers(1),
    |k| {
        no_users(k);
        folio_get(&k.folios[0], ISOLATION);
        for folio in &k.folios {
            assert!(folio_trylock(folio), "nobody else runs yet");
        }
        let migrator = k.task(0, "migrator", |k| {
            let (dst, src) = (&k.folios[1], &k.folios[0]);
            if buffer_migrate_folio_norefs(k, dst, src, ASYNCHRONOUS).is_ok() {
                reached(MIGRATED);
            }
        });
        let finder = k.task(1, "finder", |k| {
            let bh = &k.buffer_heads[0];
            if find_in_ring(k, &k.folios[0], bh, FINDER) {
                if READ_ONCE(&bh.moving) != 0 {
                    let message = "bh0 was found while it moves";
                    fail_about(NOBODY_HAS_A_MOVING_BH, message, bh.moving.object());
                }
                put_bh(bh, FINDER);
            }
        });
        join(migrator);
        join(finder);
    },
    |_| {},
);

const ASYNCHRONOUS: Migrator = Migrator { mode: Mode::Async, memalloc: false };

static WRITER: Scenario = scenario(
    "writer_of_a_locked_buffer",
    "CPU0 migrates a folio with a buffer; CPU1 locks the buffer, writes to the folio that it is of, \
     and unlocks it.",
    ONE.aops(&[Aops::Buffers]),
    |k| {
        no_users(k);
        let migrator = migrate(k, Mode::Sync, &[0]);
        let writer = k.task(1, "writer", |k| {
            let bh = &k.buffer_heads[0];
            lock_buffer(k, bh);
            plain_write(&k.folios[READ_ONCE(&bh.b_folio) as usize].contents, 1);
            unlock_buffer(k, bh);
        });
        join(migrator);
        join(writer);
    },
    |k| {
        let contents = &k.folios[k.i_pages[0].peek() as usize - 1].contents;
        if contents.peek() != 1 {
            fail_about(NO_STORE_IS_LOST, "the write is not in the page", contents.object());
        }
    },
);

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let mut all = lookups();
    all.extend(locks());
    all.extend(atomic());
    all
}

fn lookups() -> Vec<Answers> {
    let sheet = Source::migrate;
    vec![
        ask(NOBODY_HAS_A_MOVING_BH, &FIND_ATOMICALLY, sheet("D-S2"), &[MIGRATED])
            .under(DPOR)
            .broken_after(&[INSTALLED, FOUND_IDLE])
            .violated_as(Source::migrate_part("D-S2", "before ebdf4de5642f"), &[&C3_MOVE_UNLOCKED])
            .holds(&[&M0, &M2, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated_as(sheet("D-S3"), &[&BH_MIGRATE_NEVER_SET, &BH_MIGRATE_AFTER_SCAN]),
        ask(NOBODY_HAS_A_MOVING_BH, &IN_RING, sheet("D-S3"), &[MIGRATED])
            .under(COMPLETE)
            .holds(&[&M7A])
            .under(DPOR)
            .holds_as(Source::Analysis("reordering is what it takes"), &[&BH_MIGRATE_NO_ACQUIRE])
            .under(WEAK)
            .violated(&[&BH_MIGRATE_NO_ACQUIRE]),
        ask(NOBODY_HAS_A_MOVING_BH, &FIND_SLEEPING, sheet("D-S2"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M6S, &M7A, &M7])
            .broken_after(&[INSTALLED, FOUND_IDLE])
            .violated(&[&FINDS_UNLOCKED]),
    ]
}

fn locks() -> Vec<Answers> {
    let sheet = Source::migrate;
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &PLAIN_DISK, sheet("D-S5"), &[WAITED_FOR_BUFFER, MIGRATED])
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7]),
        ask(NOBODY_WAITS_FOR_EVER, &PLAIN_DISK, sheet("D-S5"), &[FOUND_A_LOCKED_BUFFER, MIGRATED])
            .under(DPOR)
            .holds(&[&M2_H, &M2_W_H]),
        ask(
            MIGRATION_HAS_ONE_END,
            &SECOND_BUFFER_IS_LOCKED,
            sheet("D-S6"),
            &[FOUND_A_LOCKED_BUFFER],
        )
        .under(DPOR)
        .holds(&[&M0, &M2, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
        .violated(&[&UNLOCKS_WHOLE_RING]),
        ask(
            NO_STORE_IS_LOST,
            &WRITER,
            Source::Analysis("what the lock of a buffer is for"),
            &[MIGRATED],
        )
        .under(DPOR)
        .holds(&[&M0, &M6S])
        .violated(&[&MOVES_LOCKED_BUFFERS]),
        ask(AN_IDLE_FOLIO_MIGRATES, &ONLY_THE_LRU, sheet("D-S8"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M0, &M2, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .broken_after(&[INSTALLED, BUFFERS_BUSY])
            .violated(&[&BH_LRUS_KEPT]),
    ]
}

fn atomic() -> Vec<Answers> {
    let sheet = Source::migrate;
    vec![
        ask(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, &LARGE_BLOCK_DEVICE, sheet("D-S7"), &[MIGRATED])
            .under(ALONE)
            .broken_after(&[FOUND_IDLE])
            .violated_as(Source::migrate_part("D-S7", "6.15-rc1 is 6.14 with such folios"), &[&M6])
            .holds(&[&M7A, &M7]),
        ask(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, &SMALL_BLOCK_DEVICE, sheet("D-S7"), &[MIGRATED])
            .under(ALONE)
            .holds(&[&M0, &M2, &M3, &M4, &M5, &M6, &M6S]),
        ask(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, &PLAIN_DISK, sheet("G-S3"), &[WAITED_FOR_BUFFER])
            .under(DPOR)
            .holds(&[&M4, &M7])
            .broken_after(&[FOUND_A_LOCKED_BUFFER])
            .violated(&[&PRIVATE_LOCK_FIRST]),
    ]
}
