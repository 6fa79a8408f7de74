//! kernel-migrate section A: waiters for the end of a read, asynchronous waiters, and waiters
//! without a reference of their own.

use selvedge_kernel::{Name, WRITE_ONCE, fail, fail_about, reached, test_bit};
use selvedge_models::mm::filemap::{
    folio_end_read, folio_lock_async, folio_put_wait_locked, folio_wait_locked, lock_page_retry,
};
use selvedge_models::mm::memory::do_swap_page;
use selvedge_models::mm::rmap::{remove_migration_ptes, try_to_migrate};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PAGE_CACHE, PG_UPTODATE};

use super::folio_lock::{add_one, lock_and_add, locked, unlock};
use super::folio_wait::lock_plainly;
use super::{DPOR, SC, SC_WITHOUT_RANDOM};
use crate::rules::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, CONTENTS_HAVE_ONE_WRITER, NO_REFERENCE_IS_LEFT_OVER,
    NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, WHO_WAITED_FOR_A_READ_SEES_IT, each_holder_added_one,
};
use crate::states::{FAULT_FOUND_AN_ENTRY, FREED, SLEPT};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

/// A reader has found the folio unlocked.
const WENT_ON: &str = "a reader found the folio unlocked";

static READ_ENDS: Scenario = Scenario {
    name: "read_ends",
    about: "CPU0 ends the read that holds the folio lock; CPU1 waits for its end, CPU2 for the \
            lock.",
    machine: Machine::TINY.cpus(3).sleepers(2),
    setup: locked,
    tasks: &[
        cpu(0, "end of the read", |k| folio_end_read(k, &k.folios[0])),
        cpu(1, "reader", |k| {
            folio_wait_locked(k, &k.folios[0]);
            reached(WENT_ON);
            if !test_bit(PG_UPTODATE, &k.folios[0].flags) {
                fail(WHO_WAITED_FOR_A_READ_SEES_IT, "the reader sees no PG_uptodate");
            }
        })
        .sleeper(0),
        cpu(2, "plain", lock_plainly).sleeper(1),
    ],
    ..Scenario::EMPTY
};

static ASYNC: Scenario = Scenario {
    name: "async_waiter_and_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 asks for the lock asynchronously, again whenever it is \
            called back; CPU2 waits for it.",
    machine: Machine::TINY.cpus(3).sleepers(2),
    setup: locked,
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "io_uring", |k| {
            lock_asynchronously(k);
            unlock(k);
        })
        .sleeper(0),
        cpu(2, "plain", lock_plainly).sleeper(1),
    ],
    ..Scenario::EMPTY
};

/// Asks for the lock of folio0, again whenever the callback has been called.
pub(super) fn lock_asynchronously(k: &Run) {
    while folio_lock_async(k, &k.folios[0]).is_err() {
        lock_page_retry(k, &k.folios[0]);
    }
}

static ASYNC_WRITER: Scenario = Scenario {
    name: "async_waiter_and_writer",
    about: "CPU0 locks the folio, changes its contents, and unlocks it; CPU1 does the same, and \
            asks for the lock asynchronously.",
    machine: Machine::TINY.sleepers(2),
    tasks: &[
        cpu(0, "writer", lock_and_add),
        cpu(1, "io_uring", |k| {
            lock_asynchronously(k);
            add_one(k);
            unlock(k);
        }),
    ],
    at_end: Some(|k| each_holder_added_one(k, 2)),
    ..Scenario::EMPTY
};

/// Who holds a reference of the folio: the waiter that drops its own.
const READER: Name = Name::new("reader");
/// Who holds one while it takes the folio out of the page cache.
const TRUNCATE: Name = Name::new("truncate");

static PUT_AND_WAIT: Scenario = Scenario {
    name: "put_and_wait_vs_free",
    about: "CPU0 holds the folio lock and takes the folio out of the page cache; CPU1 gives up its \
            reference and waits for the lock.",
    machine: Machine::TINY.sleepers(1).lifetimes(),
    setup: |k| {
        locked(k);
        folio_get(&k.folios[0], READER);
    },
    tasks: &[
        cpu(0, "truncate", |k| {
            folio_get(&k.folios[0], TRUNCATE);
            folio_put(k, &k.folios[0], PAGE_CACHE);
            unlock(k);
            folio_put(k, &k.folios[0], TRUNCATE);
        }),
        cpu(1, "reader", |k| {
            let waited = folio_put_wait_locked(k, &k.folios[0], READER);
            assert!(waited.is_ok(), "nobody sends a signal");
        })
        .sleeper(0),
    ],
    at_end: Some(|k| {
        if k.folios[0].freed.peek() != 1 {
            let message = "nobody has a reference any more, and folio0 is not freed";
            fail_about(NO_REFERENCE_IS_LEFT_OVER, message, k.folios[0].refcount.object());
        }
    }),
    ..Scenario::EMPTY
};

pub(super) static MIGRATION_ENTRY: Scenario = Scenario {
    name: "fault_on_migration_entry",
    about: "CPU0 has unmapped the folio for migration, and replaced it in the page cache; it maps \
            the new one in its place, unlocks the old one, and frees it. CPU1 faults on the \
            migration entry and waits, without a reference.",
    machine: Machine::TINY.sleepers(1).lifetimes().mapped(),
    before: &[cpu(0, "migrator", |k| {
        locked(k);
        try_to_migrate(k, &k.folios[0]);
        WRITE_ONCE(&k.i_pages[0], 2);
    })],
    tasks: &[
        cpu(0, "migrator", |k| {
            remove_migration_ptes(k, &k.folios[0], &k.folios[1]);
            unlock(k);
            folio_put(k, &k.folios[0], PAGE_CACHE);
        }),
        cpu(1, "page fault", |k| {
            do_swap_page(k, 0);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let read = |rule| ask(rule, &READ_ENDS, sheet("A.3"), &[SLEPT]);
    let not_touched =
        |scenario, row| ask(A_FREED_FOLIO_IS_NOT_TOUCHED, scenario, sheet(row), &[SLEPT]);
    vec![
        read(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO).under(SC).holds(&[&L0, &L1, &L2, &V6_12_117]),
        read(WHO_WAITED_FOR_A_READ_SEES_IT)
            .under(SC)
            .holds(&[&L2, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[WENT_ON])
            .violated(&[&UPTODATE_TOO_LATE]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &PUT_AND_WAIT, sheet("A.2"), &[SLEPT])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V6_12_117]),
        ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, &ASYNC, sheet("A.2"), &[SLEPT])
            .under(SC)
            .holds(&[&L2, &V6_12_117]),
        ask(CONTENTS_HAVE_ONE_WRITER, &ASYNC_WRITER, sheet("A.2"), &[SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        not_touched(&PUT_AND_WAIT, "AM17")
            .under(SC)
            .holds(&[&L0, &L2, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[FREED])
            .violated(&[&AM17_PUT_BEFORE_QUEUEING]),
        not_touched(&MIGRATION_ENTRY, "AM20")
            .under(SC)
            .holds(&[&L2, &V6_12_117])
            .under(SC_WITHOUT_RANDOM)
            .broken_after(&[FAULT_FOUND_AN_ENTRY, FREED])
            .violated(&[&AM20_PTL_DROPPED_FIRST]),
    ]
}
