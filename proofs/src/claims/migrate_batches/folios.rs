//! What becomes of the folios of a batch, and who gets their locks: kernel-migrate C.7.

use selvedge_kernel::{fail_about, join, set_bit};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::memory::zap_pte_range;
use selvedge_models::mm::migrate::{
    ISOLATION, MOVED_AGAIN, Migrator, Mode, WAITED_FOR_WRITEBACK, WOULD_DEADLOCK, migrate_pages,
};
use selvedge_models::mm::page_writeback::{folio_end_writeback, folio_start_writeback};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_models::{Machine, PG_UPTODATE};
use selvedge_trace::Name;

use super::{ALONE, DPOR, ONE, migrate, scenario};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::{FREEZE_FAILED, MIGRATED, SLEPT, SOURCE_WAS_LOCKED, WAITED_FOR_SOURCE};
use crate::{Answers, Run, Scenario, ask};

/// Two folios that migrate, and their targets.
const TWO: Machine = ONE.folios(2);

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

static SECOND_IS_LOCKED_END: Scenario = scenario(
    "batch_of_which_one_is_locked",
    "CPU0 migrates two folios in MIGRATE_ASYNC, and puts back what is left; CPU1 has the second one \
     locked, and unlocks it at some time.",
    TWO.batch(4),
    |k| {
        assert!(folio_trylock(&k.folios[1]), "nobody else runs yet");
        let migrator = migrate(k, Mode::Async, &[0, 1]);
        let holder = k.task(1, "holder", |k| folio_unlock(k, &k.folios[1]));
        join(migrator);
        join(holder);
    },
    migration_has_one_end,
);

static SECOND_IS_PUT_OFF: Scenario = scenario(
    "batch_gives_way_to_a_locked_folio",
    "CPU0 migrates two folios in MIGRATE_SYNC; CPU1 has the second one locked, and unlocks it at \
     some time. Fairness is assumed: it always comes to its unlock.",
    TWO,
    |k| (SECOND_IS_LOCKED.setup)(k),
    all_migrated,
);

static SECOND_IS_WRITTEN: Scenario = scenario(
    "second_folio_of_a_batch_is_written",
    "CPU0 migrates two folios in MIGRATE_SYNC; the second one is under writeback, which ends on \
     CPU1 at some time, and holds a reference to it then. Fairness is assumed: it always comes to \
     its end.",
    TWO.writeback(),
    |k| {
        assert!(folio_trylock(&k.folios[1]), "nobody else runs yet");
        folio_start_writeback(k, &k.folios[1]);
        folio_unlock(k, &k.folios[1]);
        let migrator = migrate(k, Mode::Sync, &[0, 1]);
        let end = k.task(1, "end of I/O", |k| folio_end_writeback(k, &k.folios[1]));
        join(migrator);
        join(end);
    },
    |k| {
        // That of the end may be there in the last pass.
        if k.i_pages[0].peek() != 3 {
            let message = "nobody else used folio0, and it was not migrated";
            fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.i_pages[0].object());
        }
    },
);

/// CPU0 migrates folio 1, then folio 0; sleeper 2 locks them the other way round.
fn locks_in_order(k: &Run) -> [usize; 2] {
    for folio in &k.folios[..2] {
        folio_get(folio, Name::new("locker"));
        set_bit(PG_UPTODATE, &folio.flags);
    }
    let migrator = migrate(k, Mode::Sync, &[1, 0]);
    let locker = k.task(2, "locker", |k| {
        folio_lock(k, &k.folios[0]);
        folio_lock(k, &k.folios[1]);
        folio_unlock(k, &k.folios[1]);
        folio_unlock(k, &k.folios[0]);
    });
    [migrator, locker]
}

static LOCKS_IN_ORDER: Scenario = scenario(
    "migrator_vs_locker",
    "CPU0 migrates two folios, the second one first, in MIGRATE_SYNC; CPU2 locks the first, and \
     then the second. The locker keeps its references, so that neither folio migrates.",
    TWO.cpus(3).sleepers(3),
    |k| locks_in_order(k).into_iter().for_each(join),
    |_| {},
);

static TWO_MIGRATORS: Scenario = scenario(
    "two_migrators_vs_locker",
    "The same, and CPU1 migrates a third folio.",
    ONE.folios(3).cpus(3).sleepers(3),
    |k| {
        let others = locks_in_order(k);
        folio_get(&k.folios[2], ISOLATION);
        join(k.task(1, "migrator", |k| {
            migrate_pages(k, &[2], Migrator::SYNC);
        }));
        others.into_iter().for_each(join);
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

static ONE_IS_UNMAPPED: Scenario = scenario(
    "one_mapped_folio_of_a_batch_stays",
    "CPU0 migrates two folios in MIGRATE_ASYNC, the first of which is mapped, and kept by somebody; \
     the second one is not mapped any more.",
    TWO.mapped().batch(3),
    |k| {
        let keeper = Name::new("keeper");
        folio_get(&k.folios[0], keeper);
        join(k.task(1, "munmap", |k| zap_pte_range(k, 1)));
        join(migrate(k, Mode::Async, &[0, 1]));
        join(k.task(1, "keeper", move |k| folio_put(k, &k.folios[0], keeper)));
    },
    migration_has_one_end,
);

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    // Each execution of a complete search ends, whoever is how slow: passes are counted, and a
    // round that gives way has taken a folio off the list. What is asked besides is where it gets
    // to.
    let gives_way = ask(
        SYNC_SUCCEEDS_ONCE_UNLOCKED,
        &SECOND_IS_PUT_OFF,
        sheet("E-S3"),
        &[WOULD_DEADLOCK, MIGRATED],
    );
    let stays =
        |reached| ask(MIGRATION_HAS_ONE_END, &ONE_STAYS, sheet("C-S7"), reached).under(DPOR);
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &TWO_MIGRATORS, sheet("C-S1"), &[WAITED_FOR_SOURCE])
            .under(DPOR)
            .holds(&[&M2]),
        ask(NOBODY_WAITS_FOR_EVER, &LOCKS_IN_ORDER, sheet("C-S1"), &[WAITED_FOR_SOURCE])
            .under(DPOR)
            .holds(&[&M0, &M2, &M3, &M4, &M6S])
            .not_asked(&M6S, &[&M7])
            .broken_after(&[SOURCE_WAS_LOCKED, SLEPT])
            .violated_as(sheet("C-S2"), &[&CM1_WAITS_WITH_OTHERS_LOCKED])
            // It tries for ever: see tries_again_unmoved().
            .violated_as(sheet("CM2"), &[&CM2_TRIES_AGAIN_UNMOVED]),
        // Only these batches have -EDEADLOCK to give way with.
        ask(NOBODY_WAITS_FOR_EVER, &LOCKS_IN_ORDER, sheet("C-S1"), &[WOULD_DEADLOCK])
            .under(DPOR)
            .holds(&[&M2_W, &M2_H, &M2_W_H]),
        ask(SYNC_SUCCEEDS_ONCE_UNLOCKED, &SECOND_IS_LOCKED, sheet("C-S4"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M4R])
            .violated_as(
                Analysis("the adjusted mode refuses what it would have waited for"),
                &[&HUGH_ADJUSTED_MODE],
            ),
        gives_way.under(DPOR).holds(&[&M2, &M2_W, &M2_H, &M2_W_H]),
        ask(
            AN_IDLE_FOLIO_MIGRATES,
            &SECOND_IS_WRITTEN,
            sheet("E-S3"),
            &[WOULD_DEADLOCK, WAITED_FOR_WRITEBACK, MIGRATED],
        )
        .under(DPOR)
        .holds(&[&M2_W, &M2_W_H]),
        ask(MIGRATION_HAS_ONE_END, &SECOND_IS_LOCKED_END, sheet("C-S8"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&CM7_ON_BOTH_LISTS]),
        stays(&[MIGRATED])
            .holds(&[&M0, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7, &HUGH_ADJUSTED_MODE])
            .broken_after(&[FREEZE_FAILED])
            .violated_as(sheet("CM4"), &[&CM4_UNDO_LEAVES_ENTRIES])
            .violated_as(sheet("CM7"), &[&CM7_ON_BOTH_LISTS]),
        // Who wants the lock of the folio that stays waits for ever.
        ask(NOBODY_WAITS_FOR_EVER, &ONE_STAYS, sheet("C-S7"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&M4])
            .broken_after(&[FREEZE_FAILED, SLEPT])
            .violated_as(sheet("CM3"), &[&CM3_NO_UNDO]),
        stays(&[MIGRATED, MOVED_AGAIN]).holds(&[&M2, &M2_W, &M2_H, &M2_W_H]),
        ask(MIGRATION_HAS_ONE_END, &ONE_IS_UNMAPPED, sheet("C-S7"), &[MIGRATED])
            .under(ALONE)
            .holds(&[&M0, &M2, &M3, &M4, &M7])
            .violated_as(sheet("CM8"), &[&CM8_TARGETS_OUT_OF_ORDER]),
    ]
}
