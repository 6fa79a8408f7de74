//! kernel-migrate section A: the writeback bit.

use selvedge_kernel::{Name, fail, join, reached, test_bit};
use selvedge_models::mm::filemap::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, folio_lock, folio_trylock, folio_unlock,
};
use selvedge_models::mm::page_writeback::{
    folio_end_writeback, folio_start_writeback, folio_wait_writeback,
};
use selvedge_models::mm::swap::folio_put;
use selvedge_models::trees::*;
use selvedge_models::{Kernel, PG_WRITEBACK, Sizes, Tree};
use selvedge_monitors::NOBODY_WAITS_FOR_EVER;
use selvedge_trace::Rule;

use super::{SC, SC_WITHOUT_RANDOM};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

/// The folio is locked, and under writeback, when the tasks begin.
fn locked_under_writeback(k: &Kernel) {
    assert!(folio_trylock(k, &k.folios[0]), "nobody else runs yet");
    folio_start_writeback(&k.folios[0]);
}

static TWO_BITS: Scenario = Scenario {
    name: "waiters_on_two_bits",
    about: "CPU0 unlocks the folio, then ends its writeback; CPU1 waits for the lock, CPU2 for the \
            end of the writeback.",
    sizes: Sizes { cpus: 3, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        locked_under_writeback(k);
        let tasks = [
            k.task(0, "writer", |k| {
                folio_unlock(k, &k.folios[0]);
                folio_end_writeback(k, &k.folios[0]);
            }),
            k.task(1, "locker", |k| {
                folio_lock(k, &k.folios[0], 0);
                folio_unlock(k, &k.folios[0]);
            }),
            k.task(2, "waiter", |k| folio_wait_writeback(k, &k.folios[0], 1)),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static NEW_WRITEBACK: Scenario = Scenario {
    name: "writeback_starts_again",
    about: "CPU0 ends a writeback; CPU1, which has the folio lock, starts and ends the next one if \
            it comes in time; CPU2 takes the lock and waits until no writeback is left.",
    sizes: Sizes { cpus: 3, sleepers: 1, ..Sizes::TINY },
    play: |k| {
        locked_under_writeback(k);
        let tasks = [
            k.task(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[0])),
            k.task(1, "flusher", |k| {
                let folio = &k.folios[0];
                let starts = !test_bit(PG_WRITEBACK, &folio.flags);
                if starts {
                    folio_start_writeback(folio);
                    reached("writeback started again");
                }
                folio_unlock(k, folio);
                if starts {
                    folio_end_writeback(k, folio);
                }
            }),
            k.task(2, "sync", |k| {
                let folio = &k.folios[0];
                folio_lock(k, folio, 0);
                folio_wait_writeback(k, folio, 0);
                if test_bit(PG_WRITEBACK, &folio.flags) {
                    fail(WRITEBACK_IS_OVER, "folio0 is under writeback");
                }
                folio_unlock(k, folio);
            }),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static TRUNCATE: Scenario = Scenario {
    name: "end_writeback_vs_truncate",
    about: "CPU0 ends the writeback of a folio; CPU1 waits for that, takes the folio out of the \
            page cache, and frees it.",
    sizes: Sizes { sleepers: 1, lifetimes: true, ..Sizes::TINY },
    play: |k| {
        locked_under_writeback(k);
        folio_unlock(k, &k.folios[0]);
        let tasks = [
            k.task(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[0])),
            k.task(1, "truncate", |k| {
                let folio = &k.folios[0];
                folio_lock(k, folio, 0);
                folio_wait_writeback(k, folio, 0);
                folio_unlock(k, folio);
                folio_put(k, folio, Name::new("page cache"));
            }),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

const fn claim(
    scenario: &'static Scenario,
    rule: Rule,
    tree: &'static Tree,
    expected: Expected,
    source: &'static str,
    reached: &'static [&'static str],
) -> Claim {
    let (engines, reached) = match expected {
        Holds => (SC, reached),
        Violated => (SC_WITHOUT_RANDOM, &[] as &[&str]),
    };
    Claim { subsystem: "writeback", rule, scenario, tree, engines, expected, source, reached }
}

const fn two_bits(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let reached = &["a task slept on a folio"];
    claim(&TWO_BITS, NOBODY_WAITS_FOR_EVER, tree, expected, source, reached)
}

const fn again(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let reached = &["a task slept on a folio", "writeback started again"];
    claim(&NEW_WRITEBACK, WRITEBACK_IS_OVER, tree, expected, source, reached)
}

const fn truncates(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let reached = &["a task slept on a folio", "a folio was freed"];
    claim(&TRUNCATE, A_FREED_FOLIO_IS_NOT_TOUCHED, tree, expected, source, reached)
}

pub(super) static CLAIMS: &[Claim] = &[
    two_bits(&L0, Holds, "kernel-migrate:A-S3"),
    two_bits(&L1, Holds, "kernel-migrate:A-S3"),
    two_bits(&L2, Holds, "kernel-migrate:A-S3"),
    two_bits(&AM6_MATCH_BY_BIT, Violated, "kernel-migrate:AM6"),
    again(&L0, Holds, "kernel-migrate:A-S5"),
    again(&L1, Holds, "kernel-migrate:A-S5"),
    again(&L2, Holds, "kernel-migrate:A-S5"),
    again(&AM16_WAIT_WRITEBACK_ONCE, Violated, "kernel-migrate:A-S5"),
    truncates(&L0, Holds, "kernel-migrate:A-S6"),
    truncates(&L1, Holds, "kernel-migrate:A-S6"),
    truncates(&L2, Holds, "kernel-migrate:A-S6"),
    truncates(&AM15_END_WRITEBACK_WITHOUT_REFERENCE, Violated, "kernel-migrate:A-S6"),
];
