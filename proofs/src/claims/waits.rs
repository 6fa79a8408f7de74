//! What a wait leaves behind: the task is running again.

use selvedge_kernel::WRITE_ONCE;
use selvedge_models::Machine;
use selvedge_models::fs::buffer::{lock_buffer, trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::{folio_lock, folio_wait_locked};
use selvedge_models::mm::memory::do_swap_page;
use selvedge_models::mm::page_writeback::{
    folio_end_writeback, folio_start_writeback, folio_wait_writeback,
};
use selvedge_models::mm::rmap::{remove_migration_ptes, try_to_migrate};
use selvedge_models::trees::*;

use super::folio_lock::{locked, unlock};
use super::{DPOR, WEAK};
use crate::Source::{Analysis, Comment};
use crate::rules::{NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, WHO_HAS_WAITED_RUNS, who_has_waited_runs};
use crate::states::{FAULT_FOUND_AN_ENTRY, QUEUED_FOR_A_BIT, SLEPT, SLEPT_ON_A_BIT};
use crate::{Answers, Scenario, ask, cpu};

static FOLIO: Scenario = Scenario {
    name: "locker_goes_on",
    about: "CPU0 unlocks the folio; CPU1 waits for the lock, and looks at its own state.",
    machine: Machine::TINY.sleepers(1),
    setup: locked,
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "waiter", |k| {
            folio_lock(k, &k.folios[0]);
            who_has_waited_runs(k);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

static UNLOCKED: Scenario = Scenario {
    name: "waiter_sees_the_unlock",
    about: "CPU0 unlocks the folio; CPU1 waits until it is unlocked.",
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "waiter", |k| folio_wait_locked(k, &k.folios[0])).sleeper(0),
    ],
    ..FOLIO
};

static WRITEBACK: Scenario = Scenario {
    name: "waiter_for_writeback_goes_on",
    about: "CPU0 ends a writeback; CPU1 waits for that, and looks at its own state.",
    setup: |k| {
        locked(k);
        folio_start_writeback(k, &k.folios[0]);
        unlock(k);
    },
    tasks: &[
        cpu(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[0])),
        cpu(1, "waiter", |k| {
            folio_wait_writeback(k, &k.folios[0]);
            who_has_waited_runs(k);
        })
        .sleeper(0),
    ],
    ..FOLIO
};

static BUFFER: Scenario = Scenario {
    name: "locker_of_a_buffer_goes_on",
    about: "CPU0 unlocks the buffer; CPU1 waits for the lock, and looks at its own state.",
    setup: |k| assert!(trylock_buffer(&k.buffer_heads[0]), "nobody else runs yet"),
    tasks: &[
        cpu(0, "holder", |k| unlock_buffer(k, &k.buffer_heads[0])),
        cpu(1, "waiter", |k| {
            lock_buffer(k, &k.buffer_heads[0]);
            who_has_waited_runs(k);
        })
        .sleeper(0),
    ],
    ..FOLIO
};

static FAULT: Scenario = Scenario {
    name: "fault_on_migration_entry_goes_on",
    about: "CPU0 has unmapped the folio for migration, and replaced it in the page cache; it maps \
            the new one in its place, and unlocks the old one. CPU1 faults on the migration entry, \
            waits, and looks at its own state.",
    machine: FOLIO.machine.mapped(),
    setup: |_| {},
    before: &[cpu(0, "migrator", |k| {
        locked(k);
        try_to_migrate(k, &k.folios[0]);
        WRITE_ONCE(&k.i_pages[0], 2);
    })],
    tasks: &[
        cpu(0, "migrator", |k| {
            remove_migration_ptes(k, &k.folios[0], &k.folios[1]);
            unlock(k);
        }),
        cpu(1, "page fault", |k| {
            do_swap_page(k, 0);
            who_has_waited_runs(k);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let finish = Comment { file: "kernel/sched/wait.c", says: "finish_wait(): back to running" };
    let runs = |scenario, reached| {
        ask(WHO_HAS_WAITED_RUNS, scenario, finish, reached).under(DPOR).holds(&[&V6_12_117])
    };
    let barriers = Analysis("the waiter has a barrier between its state and its look at the flags");
    vec![
        runs(&FOLIO, &[SLEPT]),
        runs(&WRITEBACK, &[SLEPT]),
        runs(&BUFFER, &[SLEPT_ON_A_BIT])
            .broken_after(&[QUEUED_FOR_A_BIT])
            .violated(&[&FINISH_WAIT_NO_STATE]),
        runs(&FAULT, &[SLEPT, FAULT_FOUND_AN_ENTRY]),
        ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, &UNLOCKED, barriers, &[SLEPT])
            .under(WEAK)
            .holds(&[&V6_12_117]),
    ]
}
