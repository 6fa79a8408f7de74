//! What a migration has locked at each of its waits: the invariant of kernel-migrate C.3, asked of
//! the smallest scenario for each thing that it may wait for.

use selvedge_models::mm::migrate::{FOUND_A_LOCKED_BUFFER, FOUND_WRITEBACK};
use selvedge_models::mm::migrate::{SPLIT, WAITED_FOR_BUFFER, WAITED_FOR_WRITEBACK};
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};

use super::jbd2::{JBD2, ON_LOOP, jbd2_writes};
use super::split::{B_IS_LARGE, SPLITS, locker_of_both};
use super::writeback::{LOOP_IO, WRITTEN, loop_ends_writeback};
use super::*;
use crate::Answers;
use crate::rules::WAITING_MIGRATION_HOLDS_ITS_PAIR;

static FOR_BUFFER: Scenario =
    of_two("held_while_jbd2_writes_to_loop", JBD2, ON_LOOP, jbd2_writes::<LIGHT, false>);
static FOR_WRITEBACK: Scenario =
    of_two("held_while_loop_ends_writeback", LOOP_IO, WRITTEN, loop_ends_writeback::<SYNC, false>);
static FOR_SPLIT: Scenario =
    of_two("held_while_split_sync_light", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, true>);
static FOR_SPLIT_ASYNC: Scenario =
    of_two("held_while_split_async", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, true>);

fn pair(scenario: &'static Scenario, reached: &'static [&'static str]) -> Question {
    let source = Analysis("kernel-migrate:C.3: the invariant");
    ask(WAITING_MIGRATION_HOLDS_ITS_PAIR, scenario, source, reached)
}

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let mistake = Source::migrate("CM6");
    vec![
        // D-S1 asks the releases between 6.4 and 6.17, too: they take the steps of either.
        pair(&FOR_BUFFER, &[WAITED_FOR_BUFFER])
            .under(DPOR)
            .holds(&[&M0, &M3, &M4, &M7])
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
            .holds(&[&M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_H])
            .violated_as(mistake, &[&CM6_SYNC_BATCHES]),
        pair(&FOR_SPLIT, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M3, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M4, &M5]),
        pair(&FOR_SPLIT_ASYNC, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M3, &M4, &M5]),
    ]
}
