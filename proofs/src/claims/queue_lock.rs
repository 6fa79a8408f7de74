//! The lock of a wait queue: what a task does when it queues itself is one step to a waker.

use selvedge_kernel::set_bit;
use selvedge_models::mm::filemap::folio_wake_bit;
use selvedge_models::mm::memory::do_swap_page;
use selvedge_models::mm::rmap::{remove_migration_ptes, try_to_migrate};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PG_LOCKED, PG_WAITERS};

use super::DPOR;
use super::folio_lock::{locked, unlock};
use super::folio_wait_read::lock_asynchronously;
use crate::Source::{self, Comment};
use crate::rules::{KERNEL_ASSERTIONS_HOLD, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO};
use crate::states::{FAULT_FOUND_AN_ENTRY, SLEPT};
use crate::{Answers, Scenario, ask, cpu};

static FAULT: Scenario = Scenario {
    name: "late_wake_up_vs_fault_on_migration_entry",
    about: "CPU0 had the folio lock before the migration, has given it back, and is about to wake \
            who waits. CPU1 has unmapped the folio for migration; it maps it again, and unlocks \
            it. CPU2 faults on the migration entry, and waits.",
    machine: Machine::TINY.cpus(3).sleepers(1).mapped(),
    before: &[cpu(1, "migrator", |k| {
        locked(k);
        try_to_migrate(k, &k.folios[0]);
    })],
    tasks: &[
        cpu(0, "holder before", |k| folio_wake_bit(k, &k.folios[0], PG_LOCKED)),
        cpu(1, "migrator", |k| {
            remove_migration_ptes(k, &k.folios[0], &k.folios[0]);
            unlock(k);
        }),
        cpu(2, "page fault", |k| {
            do_swap_page(k, 0);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

pub(super) static ASYNC: Scenario = Scenario {
    name: "unlock_vs_asynchronous_lock",
    about: "CPU0 unlocks the folio, of which PG_waiters is left over: one came and went. CPU1 asks \
            for the lock asynchronously, again when it is called back.",
    machine: Machine::TINY.sleepers(2),
    setup: |k| {
        locked(k);
        set_bit(PG_WAITERS, &k.folios[0].flags);
    },
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "io_uring", |k| {
            lock_asynchronously(k);
            unlock(k);
        }),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let queued = Comment {
        file: "mm/filemap.c",
        says: "__folio_lock_async(): still on the queue, since the lock is still held",
    };
    let one = Source::analysis("PG_waiters is set, and the entry queued, in one section");
    vec![
        ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, &FAULT, one, &[FAULT_FOUND_AN_ENTRY, SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(KERNEL_ASSERTIONS_HOLD, &ASYNC, queued, &[SLEPT]).under(DPOR).holds(&[&V6_12_117]),
    ]
}
