//! kernel-migrate section F: a folio lock is held for a short time. What does a migration achieve
//! that waits for it, and what does a migration leave behind that gives up?

use selvedge_kernel::{Name, join, plain_write, process_timeout, set_bit, task_is_running};
use selvedge_models::PG_UPTODATE;
use selvedge_models::mm::compaction::compact_node;
use selvedge_models::mm::filemap::folio_lock;
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;

use super::SC_WITHOUT_RANDOM;
use super::compaction::{COMPACTED, kcompactd, locked, timer, unlock, waits_have_limits};
use crate::Source::{self, Analysis};
use crate::rules::{
    NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, SYNC_SUCCEEDS_ONCE_UNLOCKED, sync_migration_succeeded,
};
use crate::states::{MIGRATED, SLEPT, SOURCE_WAS_LOCKED, TRIED_AGAIN, WAITED_FOR_SOURCE};
use crate::{Answers, Run, Scenario, ask, cpu};

fn compact_synchronously(k: &Run) -> bool {
    let left = compact_node(k);
    plain_write(&k.outcome, left as u64);
    left == 0
}

static HELD_BRIEFLY: Scenario = Scenario {
    name: "lock_held_briefly",
    about: "CPU0 has the folio locked, and unlocks it at some time; CPU1 migrates it in \
            MIGRATE_SYNC. Fairness is assumed: the holder always comes to its unlock, and takes \
            the lock no second time.",
    machine: COMPACTED,
    setup: locked,
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "migrator", |k| {
            compact_synchronously(k);
        })
        .sleeper(0),
        timer(1),
    ],
    at_end: Some(sync_migration_succeeded),
    ..Scenario::EMPTY
};

static HELD_THEN_TRIED_AGAIN: Scenario = Scenario {
    name: "lock_held_briefly_then_tried_again",
    about: "The same; a migrator that failed calls again when the holder has returned. More is \
            assumed: the lock is free before the last pass.",
    machine: COMPACTED,
    // The migrator waits for the holder, so that the tasks are not in a list.
    setup: |k| {
        locked(k);
        let holder = k.task(0, "holder", unlock);
        join(k.task(1, "migrator", move |k| {
            k.is_sleeper(0);
            let succeeded = compact_synchronously(k);
            join(holder);
            if !succeeded {
                // The folio rests in the lru_add batch of this CPU, which compaction drains.
                compact_synchronously(k);
            }
        }));
    },
    at_end: Some(sync_migration_succeeded),
    ..Scenario::EMPTY
};

/// Who keeps the folio while it waits for its lock.
const READER: Name = Name::new("reader");

static READER_BEHIND_KCOMPACTD: Scenario = Scenario {
    name: "reader_behind_kcompactd",
    about: "CPU0 unlocks a folio that is uptodate; CPU1 is kcompactd, CPU2 a reader that locks the \
            folio too. In a tree with a time limit, that of kcompactd may expire while it sleeps. \
            This is its last pass: after an earlier one, the next would lock and unlock the folio, \
            which wakes the reader.",
    machine: COMPACTED.cpus(4).sleepers(2),
    setup: |k| {
        set_bit(PG_UPTODATE, &k.folios[0].flags);
        folio_get(&k.folios[0], READER);
        locked(k);
    },
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "kcompactd", kcompactd).sleeper(0),
        cpu(2, "reader", |k| {
            folio_lock(k, &k.folios[0]);
            unlock(k);
        })
        .sleeper(1),
        cpu(3, "timer", |k| {
            let task = k.sleepers[0].task();
            if !task_is_running(task) {
                process_timeout(&k.cpus, task);
            }
        })
        .only_if(waits_have_limits),
    ],
    ..Scenario::EMPTY
};

const NOBODY_GIVES_UP: Source = Analysis("no wait of these ends but by the lock");

pub(super) fn claims() -> Vec<Answers> {
    let (sheet, part) = (Source::migrate, Source::migrate_part);
    vec![
        ask(
            SYNC_SUCCEEDS_ONCE_UNLOCKED,
            &HELD_BRIEFLY,
            sheet("F-S4"),
            &[WAITED_FOR_SOURCE, MIGRATED],
        )
        .under(SC_WITHOUT_RANDOM)
        .holds(&[&M0, &M4])
        .broken_after(&[SOURCE_WAS_LOCKED, TRIED_AGAIN])
        .violated(&[&M4R])
        .holds_as(part("F.3", "SYNC"), &[&M4T])
        .holds(&[&M5, &V6_11, &V6_12_117, &V6_17]),
        ask(
            SYNC_SUCCEEDS_ONCE_UNLOCKED,
            &HELD_THEN_TRIED_AGAIN,
            Analysis("kernel-migrate:F-S4 with the lock free before the last pass"),
            &[TRIED_AGAIN, MIGRATED],
        )
        .under(SC_WITHOUT_RANDOM)
        .holds(&[&M4R]),
        // What folio_wait.rs shows of a waiter that gives up, here with the one that the second
        // version of the patch brings in.
        ask(
            NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
            &READER_BEHIND_KCOMPACTD,
            Analysis("a waiter that gives up leaves a wake-up that others were passed over for"),
            &[SLEPT],
        )
        .under(SC_WITHOUT_RANDOM)
        .holds_as(NOBODY_GIVES_UP, &[&M4, &M4R])
        .violated(&[&M4T])
        .holds_as(NOBODY_GIVES_UP, &[&M5]),
    ]
}
