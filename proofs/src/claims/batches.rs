//! kernel-migrate sections C and D, as far as they are not about deadlocks (seed004.rs): what
//! becomes of the folios of a batch, of their buffers, and of what is written out.

use selvedge_kernel::{Name, READ_ONCE, fail, fail_about, join, plain_write, set_bit};
use selvedge_models::fs::buffer::{
    __find_get_block, Finder, brelse, put_bh, trylock_buffer, unlock_buffer,
};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::memory::{do_swap_page, user_store};
use selvedge_models::mm::migrate::{
    Aops, FOUND_A_LOCKED_BUFFER, ISOLATION, MOVED_AGAIN, Migrator, Mode, WRITTEN_OUT,
    migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
// The rules M1 to M11 are about movable pages.
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_models::{BH_LOCK, Kernel, Machine, PG_DIRTY};

use super::{ALONE, DPOR};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::{MIGRATED, SOURCE_WAS_LOCKED};
use crate::{Answers, Run, Scenario, ask};

/// One folio that migrates, and its target.
const ONE: Machine = Machine::TINY.spares().sleepers(2);
/// Two.
const TWO: Machine = ONE.folios(2);

const USER: Name = Name::new("user of the bh");
const FINDER: Name = Name::new("finder");

/// Isolates the first `count` folios, migrates them in this order as sleeper 0, and puts back what
/// was not migrated. How many that were is the outcome.
fn migrate(k: &Run, mode: Mode, list: &'static [usize]) -> usize {
    for &index in list {
        folio_get(&k.folios[index], ISOLATION);
    }
    k.task(0, "migrator", move |k| {
        let left = migrate_pages(k, list, Migrator { mode, memalloc: false });
        plain_write(&k.outcome, left.len() as u64);
        putback_movable_pages(k, &left);
    })
}

const fn scenario(
    name: &'static str,
    about: &'static str,
    machine: Machine,
    setup: fn(&Run),
    at_end: fn(&Run),
) -> Scenario {
    Scenario { name, about, machine, setup, at_end, ..Scenario::EMPTY }
}

fn all_migrated(k: &Run) {
    if k.outcome.peek() != 0 {
        let message = "a folio was not migrated, though everybody let it go in time";
        fail_about(SYNC_SUCCEEDS_ONCE_UNLOCKED, message, k.outcome.object());
    }
}

static SECOND_IS_LOCKED: Scenario = scenario(
    "second_folio_of_a_batch_is_locked",
    "CPU0 migrates two folios in MIGRATE_SYNC; CPU1 has the second one locked, and unlocks it \
     at some time. Fairness is assumed: it always comes to its unlock.",
    TWO,
    |k| {
        assert!(folio_trylock(&k.folios[1]), "nobody else runs yet");
        let migrator = migrate(k, Mode::Sync, &[0, 1]);
        let holder = k.task(1, "holder", |k| folio_unlock(k, &k.folios[1]));
        join(migrator);
        join(holder);
    },
    all_migrated,
);

static LOCKS_IN_ORDER: Scenario = scenario(
    "two_migrators_vs_locker",
    "CPU0 migrates two folios, the second one first, and CPU1 a third one, both in \
     MIGRATE_SYNC; CPU2 locks the first, and then the second.",
    ONE.folios(3).cpus(3).sleepers(3),
    |k| {
        for folio in &k.folios[..2] {
            folio_get(folio, Name::new("locker"));
        }
        let first = migrate(k, Mode::Sync, &[1, 0]);
        folio_get(&k.folios[2], ISOLATION);
        let second = k.task(1, "migrator", |k| {
            migrate_pages(k, &[2], Migrator::SYNC);
        });
        let locker = k.task(2, "locker", |k| {
            folio_lock(k, &k.folios[0]);
            folio_lock(k, &k.folios[1]);
            folio_unlock(k, &k.folios[1]);
            folio_unlock(k, &k.folios[0]);
        });
        [first, second, locker].into_iter().for_each(join);
    },
    |_| {},
);

static ONE_STAYS: Scenario = scenario(
    "one_folio_of_a_batch_stays",
    "CPU0 migrates two mapped folios in MIGRATE_SYNC, of which somebody keeps the first; CPU1 \
     locks the second for a moment.",
    TWO.mapped().batch(3),
    |k| {
        let keeper = Name::new("keeper");
        folio_get(&k.folios[0], keeper);
        folio_get(&k.folios[1], Name::new("locker"));
        let migrator = migrate(k, Mode::Sync, &[0, 1]);
        let locker = k.task(1, "locker", |k| {
            let folio = &k.folios[1];
            folio_lock(k, folio);
            folio_unlock(k, folio);
            folio_put(k, folio, Name::new("locker"));
        });
        join(migrator);
        join(locker);
        join(k.task(1, "keeper", move |k| folio_put(k, &k.folios[0], keeper)));
    },
    migration_has_one_end,
);

/// A dirty folio of a filesystem that does not migrate its folios, migrated in MIGRATE_SYNC.
fn writes_out(k: &Run) {
    set_bit(PG_DIRTY, &k.folios[0].flags);
    join(migrate(k, Mode::Sync, &[0]));
}

static WRITTEN_OUT_ASYNC: Scenario = scenario(
    "writepage_starts_writeback",
    "CPU0 migrates a dirty folio in MIGRATE_SYNC, for which ->writepage() starts a writeback \
     that ends on CPU1.",
    ONE.aops(&[Aops::WritepageAsync]).writeback().dirty().passes(4),
    writes_out,
    |_| {},
);

static WRITTEN_OUT_MAPPED: Scenario = scenario(
    "writepage_of_a_mapped_folio",
    "CPU0 migrates a dirty, mapped folio in MIGRATE_SYNC, which ->writepage() has written when \
     it returns; CPU1 stores to the page, and if it faults, once more when the migration lets \
     it.",
    ONE.aops(&[Aops::WritepageSync]).writeback().dirty().mapped().tlb().passes(4),
    |k| {
        set_bit(PG_DIRTY, &k.folios[0].flags);
        let migrator = migrate(k, Mode::Sync, &[0]);
        let user = k.task(1, "user", |k| {
            let stored = user_store(k, 0, 1);
            if !stored {
                do_swap_page(k, 0);
            }
            if stored || user_store(k, 0, 1) {
                plain_write(&k.buffer_heads[0].contents, 1);
            }
        });
        join(migrator);
        join(user);
    },
    |k| {
        let contents = &k.folios[k.i_pages[0].peek() as usize - 1].contents;
        if contents.peek() != k.buffer_heads[0].contents.peek() {
            fail_about(NO_STORE_IS_LOST, "the store is not in the page", contents.object());
        }
    },
);

// Buffers.

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
            (k.tree.buffer.bh_lru_install)(k, &k.buffer_heads[0]);
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

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let mut all =
        vec![
            ask(NOBODY_WAITS_FOR_EVER, &LOCKS_IN_ORDER, sheet("C-S1"), &[SOURCE_WAS_LOCKED])
                .under(DPOR)
                .holds(&[&M2]),
            ask(SYNC_SUCCEEDS_ONCE_UNLOCKED, &SECOND_IS_LOCKED, sheet("C-S4"), &[MIGRATED])
                .under(DPOR)
                .holds(&[&M0, &M2, &M2_W_H, &M3, &M4, &M5, &M6S, &M7])
                .violated(&[&M4R])
                .violated_as(
                    Analysis("the adjusted mode refuses what it would have waited for"),
                    &[&HUGH_ADJUSTED_MODE],
                ),
            ask(KERNEL_ASSERTIONS_HOLD, &WRITTEN_OUT_ASYNC, sheet("C-S5"), &[WRITTEN_OUT])
                .under(DPOR)
                .holds(&[&M0])
                .violated(&[&M2, &M4, &M5, &M6, &M6S, &M7A]),
            ask(KERNEL_ASSERTIONS_HOLD, &WRITTEN_OUT_ASYNC, sheet("C-S5"), &[])
                .under(DPOR)
                .holds(&[&M7]),
            ask(NO_STORE_IS_LOST, &WRITTEN_OUT_MAPPED, sheet("C-S6"), &[WRITTEN_OUT])
                .under(DPOR)
                .holds(&[&M0, &M6, &M7A])
                .violated(&[&M6S]),
            ask(NO_STORE_IS_LOST, &WRITTEN_OUT_MAPPED, sheet("C-S6"), &[])
                .under(DPOR)
                .holds(&[&M7]),
            ask(MIGRATION_HAS_ONE_END, &ONE_STAYS, sheet("C-S7"), &[MIGRATED])
                .under(DPOR)
                .holds(&[&M0, &M3, &M4, &M6S, &M7, &HUGH_ADJUSTED_MODE]),
            ask(MIGRATION_HAS_ONE_END, &ONE_STAYS, sheet("C-S7"), &[MIGRATED, MOVED_AGAIN])
                .under(DPOR)
                .holds(&[&M2]),
        ];
    all.extend(claims_about_buffers());
    all
}

fn claims_about_buffers() -> Vec<Answers> {
    let sheet = Source::migrate;
    vec![
        ask(NOBODY_HAS_A_MOVING_BH, &FIND_ATOMICALLY, sheet("D-S2"), &[MIGRATED])
            .under(DPOR)
            .violated_as(Source::migrate_part("D-S2", "before ebdf4de5642f"), &[&C3_MOVE_UNLOCKED])
            .holds(&[&M0, &M4, &M6, &M7A, &M7]),
        ask(NOBODY_HAS_A_MOVING_BH, &FIND_SLEEPING, sheet("D-S2"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M6S, &M7A, &M7]),
        ask(NOBODY_WAITS_FOR_EVER, &PLAIN_DISK, sheet("D-S5"), &[FOUND_A_LOCKED_BUFFER, MIGRATED])
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        ask(
            MIGRATION_HAS_ONE_END,
            &SECOND_BUFFER_IS_LOCKED,
            sheet("D-S6"),
            &[FOUND_A_LOCKED_BUFFER],
        )
        .under(DPOR)
        .holds(&[&M0, &M4, &M6S, &M7]),
        ask(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, &LARGE_BLOCK_DEVICE, sheet("D-S7"), &[MIGRATED])
            .under(ALONE)
            .violated_as(Source::migrate_part("D-S7", "6.15-rc1 is 6.14 with such folios"), &[&M6])
            .holds(&[&M7A, &M7]),
        ask(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, &SMALL_BLOCK_DEVICE, sheet("D-S7"), &[MIGRATED])
            .under(ALONE)
            .holds(&[&M6, &M6S]),
        ask(AN_IDLE_FOLIO_MIGRATES, &ONLY_THE_LRU, sheet("D-S8"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M0, &M4, &M6S, &M7]),
    ]
}
