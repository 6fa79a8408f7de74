//! kernel-migrate section A: the writeback bit.

use selvedge_kernel::{fail, reached, test_bit};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::page_writeback::{
    folio_end_writeback, folio_start_writeback, folio_wait_writeback,
};
use selvedge_models::mm::swap::folio_put;
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE, PG_WRITEBACK};

use super::{SC, SC_WITHOUT_RANDOM};
use crate::rules::{A_FREED_FOLIO_IS_NOT_TOUCHED, NOBODY_WAITS_FOR_EVER, WRITEBACK_IS_OVER};
use crate::states::{FREED, SLEPT};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

const STARTED_AGAIN: &str = "writeback started again";

/// The page cache keeps its reference to the folio, which nobody migrates: the reference that the
/// end of a writeback takes and drops makes no difference to anybody.
const NEVER_FREED: Machine = Machine::TINY.writeback_pins(false);

/// The folio is locked, and under writeback, when the tasks begin.
fn locked_under_writeback(k: &Run) {
    assert!(folio_trylock(&k.folios[0]), "nobody else runs yet");
    folio_start_writeback(k, &k.folios[0]);
}

fn end_writeback(k: &Run) {
    folio_end_writeback(k, &k.folios[0]);
}

static TWO_BITS: Scenario = Scenario {
    name: "waiters_on_two_bits",
    about: "CPU0 unlocks the folio, then ends its writeback; CPU1 waits for the lock, CPU2 for the \
            end of the writeback.",
    machine: NEVER_FREED.cpus(3).sleepers(2),
    setup: locked_under_writeback,
    tasks: &[
        cpu(0, "writer", |k| {
            folio_unlock(k, &k.folios[0]);
            end_writeback(k);
        }),
        cpu(1, "locker", |k| {
            folio_lock(k, &k.folios[0]);
            folio_unlock(k, &k.folios[0]);
        })
        .sleeper(0),
        cpu(2, "waiter", |k| folio_wait_writeback(k, &k.folios[0])).sleeper(1),
    ],
    ..Scenario::EMPTY
};

/// A writeback starts, if none is on its way, as long as the folio is locked; it ends later.
fn flush(k: &Run) {
    let folio = &k.folios[0];
    let starts = !test_bit(PG_WRITEBACK, &folio.flags);
    if starts {
        folio_start_writeback(k, folio);
        reached(STARTED_AGAIN);
    }
    folio_unlock(k, folio);
    if starts {
        end_writeback(k);
    }
}

static NEW_WRITEBACK: Scenario = Scenario {
    name: "writeback_starts_again",
    about: "CPU0 ends a writeback; CPU1, which has the folio lock, starts and ends the next one if \
            it comes in time; CPU2 takes the lock and waits until no writeback is left.",
    machine: NEVER_FREED.cpus(3).sleepers(1),
    setup: locked_under_writeback,
    tasks: &[
        cpu(0, "end of writeback", end_writeback),
        cpu(1, "flusher", flush),
        cpu(2, "sync", |k| {
            let folio = &k.folios[0];
            folio_lock(k, folio);
            folio_wait_writeback(k, folio);
            if test_bit(PG_WRITEBACK, &folio.flags) {
                fail(WRITEBACK_IS_OVER, "folio0 is under writeback");
            }
            folio_unlock(k, folio);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

static TRUNCATE: Scenario = Scenario {
    name: "end_writeback_vs_truncate",
    about: "CPU0 ends the writeback of a folio; CPU1 waits for that, takes the folio out of the \
            page cache, and frees it.",
    machine: Machine::TINY.sleepers(1).lifetimes(),
    setup: |k| {
        locked_under_writeback(k);
        folio_unlock(k, &k.folios[0]);
    },
    tasks: &[
        cpu(0, "end of writeback", end_writeback),
        cpu(1, "truncate", |k| {
            let folio = &k.folios[0];
            folio_lock(k, folio);
            folio_wait_writeback(k, folio);
            folio_unlock(k, folio);
            folio_put(k, folio, PAGE_CACHE);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &TWO_BITS, sheet("A-S3"), &[SLEPT])
            .under(SC)
            .holds(&[&L0, &L1, &L2, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .violated_as(sheet("AM6"), &[&AM6_MATCH_BY_BIT]),
        ask(WRITEBACK_IS_OVER, &NEW_WRITEBACK, sheet("A-S5"), &[SLEPT, STARTED_AGAIN])
            .under(SC)
            .holds(&[&L0, &L1, &L2])
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&AM16_WAIT_WRITEBACK_ONCE]),
        ask(A_FREED_FOLIO_IS_NOT_TOUCHED, &TRUNCATE, sheet("A-S6"), &[SLEPT, FREED])
            .under(SC)
            .holds(&[&L0, &L1, &L2, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[FREED])
            .violated(&[&AM15_END_WRITEBACK_WITHOUT_REFERENCE]),
    ]
}
