//! What a migration has locked at each of its waits: the invariant of kernel-migrate C.3, asked of
//! the smallest scenario for each thing that it may wait for.

use selvedge_kernel::{join, set_bit};
use selvedge_models::PG_DIRTY;
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{
    Aops, DIRTY_REFUSED, FOUND_A_LOCKED_BUFFER, FOUND_WRITEBACK, WRITTEN_OUT,
};
use selvedge_models::mm::migrate::{SPLIT, WAITED_FOR_BUFFER, WAITED_FOR_WRITEBACK};
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_trace::Name;

use super::jbd2::{JBD2, ON_LOOP, jbd2_writes};
use super::split::{B_IS_LARGE, SPLITS, locker_of_both};
use super::writeback::{LOOP_IO, WRITTEN, loop_ends_writeback};
use super::*;
use crate::Answers;
use crate::rules::WAITING_MIGRATION_HOLDS_ITS_PAIR;
use crate::states::{SLEPT, SLEPT_ON_A_BIT, SOURCE_WAS_LOCKED, TO_BE_SPLIT, WAITED_FOR_SOURCE};

static FOR_BUFFER: Scenario =
    of_two("held_while_jbd2_writes_to_loop", JBD2, ON_LOOP, jbd2_writes::<LIGHT, false>);
static FOR_WRITEBACK: Scenario =
    of_two("held_while_loop_ends_writeback", LOOP_IO, WRITTEN, loop_ends_writeback::<SYNC, false>);
static FOR_SPLIT: Scenario =
    of_two("held_while_split_sync_light", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, true>);
static FOR_SPLIT_ASYNC: Scenario =
    of_two("held_while_split_async", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, true>);

static FOR_LOCK: Scenario = of_two(
    "held_while_a_source_is_locked",
    "CPU0 migrates A and then B in MIGRATE_SYNC; CPU1 has B locked, and unlocks it at some time.",
    TWO.cpus(2).sleepers(2),
    |k| {
        assert!(folio_trylock(&k.folios[0]), "nobody else runs yet");
        let m = migrator(k, "migrator", Mode::Sync, list(true));
        let holder = k.task(1, "holder", |k| folio_unlock(k, &k.folios[0]));
        join(m);
        join(holder);
    },
);

static FOR_WRITEOUT: Scenario = of_two(
    "held_while_a_folio_is_written_out",
    "B is dirty, of a filesystem that does not migrate its folios, and writes them at once. CPU0 \
     migrates B and A in MIGRATE_SYNC; CPU1 locks B for a moment. Both folios are kept by somebody.",
    TWO.cpus(2).sleepers(2).aops(&[Aops::WritepageSync]).dirty(),
    |k| {
        set_bit(PG_DIRTY, &k.folios[0].flags);
        for folio in &k.folios[..2] {
            folio_get(folio, Name::new("keeper"));
        }
        let m = migrator(k, "migrator", Mode::Sync, list(false));
        let locker = k.task(1, "locker", |k| {
            folio_lock(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
        });
        join(m);
        join(locker);
    },
);

fn pair(scenario: &'static Scenario, reached: &'static [&'static str]) -> Question {
    let source = Analysis("kernel-migrate:C.3: the invariant");
    ask(WAITING_MIGRATION_HOLDS_ITS_PAIR, scenario, source, reached)
}

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let mistake = Source::migrate("CM6");
    vec![
        pair(&FOR_LOCK, &[WAITED_FOR_SOURCE])
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated_as(Source::migrate("CM1"), &[&CM1_WAITS_WITH_OTHERS_LOCKED]),
        pair(&FOR_LOCK, &[SOURCE_WAS_LOCKED]).under(DPOR).holds(&[&HUGH_ADJUSTED_MODE]),
        pair(&FOR_WRITEOUT, &[WRITTEN_OUT])
            .under(DPOR)
            .holds(&[&M0, &M3, &M4, &M5, &M6, &M6S, &M7A])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H]),
        // The mode of the second loop is the adjusted one, too.
        pair(&FOR_WRITEOUT, &[DIRTY_REFUSED]).under(DPOR).holds(&[&M7, &HUGH_ADJUSTED_MODE]),
        pair(&FOR_BUFFER, &[WAITED_FOR_BUFFER])
            .under(DPOR)
            .holds(&[&M0, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .broken_after(&[FOUND_A_LOCKED_BUFFER, SLEPT_ON_A_BIT])
            .violated(&[&M2, &M2_W])
            .violated_as(mistake, &[&CM6_SYNC_BATCHES]),
        pair(&FOR_BUFFER, &[FOUND_A_LOCKED_BUFFER]).under(DPOR).holds(&[
            &M2_H,
            &M2_W_H,
            &HUGH_ADJUSTED_MODE,
        ]),
        pair(&FOR_WRITEBACK, &[FOUND_WRITEBACK, WAITED_FOR_WRITEBACK])
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M2_W_H, &HUGH_ADJUSTED_MODE])
            .holds(&[&M3, &M4, &M5, &M6, &M6S])
            .not_asked(&M6, &[&M7A])
            .not_asked(&M6S, &[&M7])
            .broken_after(&[FOUND_WRITEBACK, SLEPT])
            .violated(&[&M2, &M2_H])
            .violated_as(mistake, &[&CM6_SYNC_BATCHES]),
        pair(&FOR_SPLIT, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M3, &M6, &M6S, &M7A, &M7])
            .broken_after(&[TO_BE_SPLIT, SLEPT])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M4, &M5]),
        pair(&FOR_SPLIT_ASYNC, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M6, &M6S, &M7A, &M7])
            .broken_after(&[TO_BE_SPLIT, SLEPT])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M3, &M4, &M5]),
    ]
}
