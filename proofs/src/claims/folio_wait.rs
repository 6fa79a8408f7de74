//! kernel-migrate section A: who gives up, and who is forgotten then.
//!
//! An exclusive waiter is woken alone, so that a wake-up that it does not use is lost to those behind
//! it. That was found in `__wait_on_bit_lock()` (777c6c5f1f6e, 2009) and in L0 (a8b169afbf06, 2017):
//! who was woken must take the lock, signal or not. In L1 the waker takes it for the waiter. L2 wakes
//! the first waiters without the bit again, and who leaves because of a signal between its look at
//! its flags and `finish_wait()` returns -EINTR with WOKEN set and DONE clear: the folio is unlocked,
//! PG_waiters is set, and the others sleep until somebody happens to lock and unlock the folio.

use selvedge_explore::Engine;
use selvedge_kernel::{
    Name, fail, is_killed_already, join, process_timeout, send_sigkill, test_bit,
};
use selvedge_models::mm::filemap::NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO as ASLEEP;
use selvedge_models::mm::filemap::{
    A_FREED_FOLIO_IS_NOT_TOUCHED, folio_end_read, folio_lock, folio_lock_async,
    folio_lock_killable, folio_lock_timeout, folio_put_wait_locked, folio_trylock, folio_unlock,
    folio_wait_locked, lock_page_retry,
};
use selvedge_models::mm::memory::do_swap_page;
use selvedge_models::mm::rmap::{remove_migration_ptes, try_to_migrate};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, PG_UPTODATE, Sizes, Tree};
use selvedge_monitors::NOBODY_WAITS_FOR_EVER;
use selvedge_trace::Rule;

use super::{EVERY, SC, SC_WITHOUT_RANDOM};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

/// CPU0 has the lock when the others begin.
fn held_by_cpu0(k: &Kernel) {
    assert!(folio_trylock(k, &k.folios[0]), "nobody else runs yet");
}

fn plain_waiter(k: &Kernel, cpu: usize, me: usize) -> usize {
    k.task(cpu, "plain", move |k| {
        folio_lock(k, &k.folios[0], me);
        folio_unlock(k, &k.folios[0]);
    })
}

/// CPU0 has the lock; CPU1 waits for it and may give up; CPU2 waits for it.
fn give_up(k: &Kernel, names: [&str; 2], waits: fn(&Kernel), ends: fn(&Kernel)) {
    held_by_cpu0(k);
    let tasks = [
        k.task(0, "holder", |k| folio_unlock(k, &k.folios[0])),
        k.task(1, names[0], waits),
        plain_waiter(k, 2, 1),
        k.task(3, names[1], ends),
    ];
    tasks.into_iter().for_each(join);
}

fn lock_killably(k: &Kernel) {
    if folio_lock_killable(k, &k.folios[0], 0).is_ok() {
        folio_unlock(k, &k.folios[0]);
    }
}

static SIGNAL: Scenario = Scenario {
    name: "killed_waiter_before_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 waits for it killably, and CPU2 plainly; CPU3 kills CPU1.",
    sizes: Sizes { cpus: 4, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        give_up(k, ["killable", "killer"], lock_killably, |k| {
            send_sigkill(&k.cpus, k.sleepers[0].task())
        });
    },
    at_end: |_| {},
    choices: 0,
};

static TIMEOUT: Scenario = Scenario {
    name: "timed_out_waiter_before_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 waits for it with a time limit, and CPU2 without; the \
            timer of CPU1 expires at any moment.",
    sizes: Sizes { cpus: 4, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        let waits = |k: &Kernel| {
            if folio_lock_timeout(k, &k.folios[0], 0).is_ok() {
                folio_unlock(k, &k.folios[0]);
            }
        };
        give_up(k, ["impatient", "timer"], waits, |k| {
            process_timeout(&k.cpus, k.sleepers[0].task())
        });
    },
    at_end: |_| {},
    choices: 0,
};

static KILLED: Scenario = Scenario {
    name: "killed_waiter_of_a_lock_that_stays",
    about: "Nobody unlocks the folio; CPU0 waits for it killably, CPU1 kills CPU0.",
    sizes: Sizes { sleepers: 1, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        let killable = k.task(0, "killable", |k| {
            let got = folio_lock_killable(k, &k.folios[0], 0);
            assert!(got.is_err(), "nobody unlocks the folio");
        });
        let killer = k.task(1, "killer", |k| send_sigkill(&k.cpus, k.sleepers[0].task()));
        [killable, killer].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static SIGNAL_AND_READER: Scenario = Scenario {
    name: "killed_waiter_before_reader",
    about: "CPU0 ends the read that holds the folio lock; CPU1 waits for the lock killably, CPU2 for \
            the end of the read; CPU3 kills CPU1.",
    sizes: Sizes { cpus: 4, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        let tasks = [
            k.task(0, "end of the read", |k| folio_end_read(k, &k.folios[0])),
            k.task(1, "killable", lock_killably),
            k.task(2, "reader", |k| folio_wait_locked(k, &k.folios[0], 1)),
            k.task(3, "killer", |k| send_sigkill(&k.cpus, k.sleepers[0].task())),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static SIGNAL_AND_THEFT: Scenario = Scenario {
    name: "killed_waiter_and_stealer",
    about: "CPU0 unlocks the folio, and takes it again if it is free; CPU1, which has been killed \
            already, waits for it killably, and CPU2 plainly.",
    sizes: Sizes { cpus: 3, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        is_killed_already(k.sleepers[0].task());
        let plain = plain_waiter(k, 2, 1);
        let killable = k.task(1, "killable", lock_killably);
        let stealer = k.task(0, "stealer", |k| {
            folio_unlock(k, &k.folios[0]);
            if folio_trylock(k, &k.folios[0]) {
                folio_unlock(k, &k.folios[0]);
            }
        });
        [stealer, killable, plain].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static READ_ENDS: Scenario = Scenario {
    name: "read_ends",
    about: "CPU0 ends the read that holds the folio lock; CPU1 waits for its end, CPU2 for the \
            lock.",
    sizes: Sizes { cpus: 3, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        let tasks = [
            k.task(0, "end of the read", |k| folio_end_read(k, &k.folios[0])),
            k.task(1, "reader", |k| {
                folio_wait_locked(k, &k.folios[0], 0);
                if !test_bit(PG_UPTODATE, &k.folios[0].flags) {
                    fail(WHO_WAITED_FOR_A_READ_SEES_IT, "the reader sees no PG_uptodate");
                }
            }),
            plain_waiter(k, 2, 1),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static ASYNC: Scenario = Scenario {
    name: "async_waiter_and_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 asks for the lock asynchronously, again whenever it is \
            called back; CPU2 waits for it.",
    sizes: Sizes { cpus: 3, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        let tasks = [
            k.task(0, "holder", |k| folio_unlock(k, &k.folios[0])),
            k.task(1, "io_uring", |k| {
                while folio_lock_async(k, &k.folios[0], 0).is_err() {
                    lock_page_retry(k, &k.folios[0], 0);
                }
                folio_unlock(k, &k.folios[0]);
            }),
            plain_waiter(k, 2, 1),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

/// Who holds a reference of the folio: the waiter that drops its own.
const READER: Name = Name::new("reader");

static PUT_AND_WAIT: Scenario = Scenario {
    name: "put_and_wait_vs_free",
    about: "CPU0 holds the folio lock and takes the folio out of the page cache; CPU1 gives up its \
            reference and waits for the lock.",
    sizes: Sizes { sleepers: 1, lifetimes: true, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        folio_get(&k.folios[0], READER);
        let tasks = [
            k.task(0, "truncate", |k| {
                let get = Name::new("truncate");
                folio_get(&k.folios[0], get);
                folio_put(k, &k.folios[0], Name::new("page cache"));
                folio_unlock(k, &k.folios[0]);
                folio_put(k, &k.folios[0], get);
            }),
            k.task(1, "reader", |k| {
                let waited = folio_put_wait_locked(k, &k.folios[0], READER, 0);
                assert!(waited.is_ok(), "nobody sends a signal");
            }),
        ];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static MIGRATION_ENTRY: Scenario = Scenario {
    name: "fault_on_migration_entry",
    about: "CPU0 has unmapped the folio for migration; it maps the new one in its place, unlocks the \
            old one, and frees it. CPU1 faults on the migration entry and waits, without a reference.",
    sizes: Sizes { sleepers: 1, lifetimes: true, mapped: true, ..Sizes::TINY },
    play: |k| {
        join(k.task(0, "migrator", |k| {
            held_by_cpu0(k);
            try_to_migrate(k, &k.folios[0]);
        }));
        let tasks = [
            k.task(0, "migrator", |k| {
                remove_migration_ptes(k, &k.folios[0], &k.folios[1]);
                folio_unlock(k, &k.folios[0]);
                folio_put(k, &k.folios[0], Name::new("page cache"));
            }),
            k.task(1, "page fault", |k| {
                do_swap_page(k, 0, 0);
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
) -> Claim {
    let (engines, reached) = match expected {
        Holds => (SC, &["a task slept on a folio"] as &[&str]),
        // Most of these races are too narrow for random schedules.
        Violated => (SC_WITHOUT_RANDOM, &[] as &[&str]),
    };
    Claim { subsystem: "folio_wait", rule, scenario, tree, engines, expected, source, reached }
}

const fn gives_up(
    scenario: &'static Scenario,
    tree: &'static Tree,
    expected: Expected,
    source: &'static str,
) -> Claim {
    let claim = claim(scenario, ASLEEP, tree, expected, source);
    match expected {
        Holds => Claim {
            engines: &[Engine::Dpor, Engine::Pct],
            reached: &["a task slept on a folio", "a task gave up"],
            ..claim
        },
        Violated => claim,
    }
}

const fn reads(rule: Rule, tree: &'static Tree, expected: Expected) -> Claim {
    claim(&READ_ENDS, rule, tree, expected, "kernel-migrate:A.3")
}

const fn not_touched(
    scenario: &'static Scenario,
    tree: &'static Tree,
    expected: Expected,
    source: &'static str,
) -> Claim {
    claim(scenario, A_FREED_FOLIO_IS_NOT_TOUCHED, tree, expected, source)
}

/// What a8b169afbf06 says of 4.13, and repairs: a woken waiter must take the lock, signal or not,
/// since others have been passed over for it.
const WOKEN_MUST_TAKE: &str = "commit:a8b169afbf06";
/// The waker takes the bit for the waiter, so that a waiter that was told has the lock to give back.
const TOLD_OWNS: &str = "own: who was woken owns the lock, and unlocks it or returns with it";
/// 5ef64cc8987a lets a waiter be told without the bit, and asks for the signal before it asks for
/// that: what a8b169afbf06 had repaired.
const TOLD_LEAVES: &str = "own: as in 4.13, a woken waiter leaves without the bit";
/// 2a9127fcf229 says that what it replaces may miss wake-ups, without an example: here is one. The
/// waiter found the bit clear, so that its state is still that of a sleeper when it gives up.
const MISSED_IN_L0: &str = "commit:2a9127fcf229; the example is ours";
const TOLD_TRIES: &str = "own: as a8b169afbf06 argues";

const fn is_killed(tree: &'static Tree) -> Claim {
    let source = "own: send_sig() and set_current_state() have a full barrier each";
    let claim = claim(&KILLED, NOBODY_WAITS_FOR_EVER, tree, Holds, source);
    Claim { engines: EVERY, reached: &["a task slept on a folio", "a task gave up"], ..claim }
}

pub(super) static CLAIMS: &[Claim] = &[
    is_killed(&L0),
    is_killed(&L1),
    is_killed(&L2),
    gives_up(&SIGNAL, &L0_SIGNAL_FIRST, Violated, WOKEN_MUST_TAKE),
    gives_up(&SIGNAL, &L0, Holds, WOKEN_MUST_TAKE),
    gives_up(&SIGNAL, &L1, Holds, TOLD_OWNS),
    gives_up(&SIGNAL, &L2_UNFAIRNESS_0, Holds, TOLD_OWNS),
    gives_up(&SIGNAL, &L2, Violated, TOLD_LEAVES),
    gives_up(&SIGNAL, &L2_UNFAIRNESS_INF, Violated, TOLD_LEAVES),
    gives_up(&SIGNAL, &L2_TRIES_THE_BIT, Holds, TOLD_TRIES),
    gives_up(&TIMEOUT, &L0_SIGNAL_FIRST, Violated, WOKEN_MUST_TAKE),
    gives_up(&TIMEOUT, &L0, Holds, WOKEN_MUST_TAKE),
    gives_up(&TIMEOUT, &L1, Holds, TOLD_OWNS),
    gives_up(&TIMEOUT, &L2_UNFAIRNESS_0, Holds, TOLD_OWNS),
    gives_up(&TIMEOUT, &L2, Violated, TOLD_LEAVES),
    gives_up(&TIMEOUT, &L2_UNFAIRNESS_INF, Violated, TOLD_LEAVES),
    gives_up(&TIMEOUT, &L2_TRIES_THE_BIT, Holds, TOLD_TRIES),
    gives_up(&SIGNAL_AND_READER, &L0, Holds, WOKEN_MUST_TAKE),
    gives_up(&SIGNAL_AND_READER, &L1, Holds, TOLD_OWNS),
    gives_up(&SIGNAL_AND_READER, &L2, Violated, TOLD_LEAVES),
    gives_up(&SIGNAL_AND_READER, &L2_TRIES_THE_BIT, Holds, TOLD_TRIES),
    Claim { engines: &[Engine::Dpor], ..gives_up(&SIGNAL_AND_THEFT, &L0, Violated, MISSED_IN_L0) },
    gives_up(&SIGNAL_AND_THEFT, &L1, Holds, TOLD_OWNS),
    gives_up(&SIGNAL_AND_THEFT, &L2_UNFAIRNESS_0, Holds, TOLD_OWNS),
    gives_up(&SIGNAL_AND_THEFT, &L2, Violated, TOLD_LEAVES),
    gives_up(&SIGNAL_AND_THEFT, &L2_TRIES_THE_BIT, Holds, TOLD_TRIES),
    reads(ASLEEP, &L0, Holds),
    reads(ASLEEP, &L1, Holds),
    reads(ASLEEP, &L2, Holds),
    reads(WHO_WAITED_FOR_A_READ_SEES_IT, &L2, Holds),
    reads(WHO_WAITED_FOR_A_READ_SEES_IT, &UPTODATE_TOO_LATE, Violated),
    claim(&ASYNC, ASLEEP, &L2, Holds, "kernel-migrate:A.2"),
    not_touched(&PUT_AND_WAIT, &L0, Holds, "kernel-migrate:AM17"),
    not_touched(&PUT_AND_WAIT, &L2, Holds, "kernel-migrate:AM17"),
    not_touched(&PUT_AND_WAIT, &AM17_PUT_BEFORE_QUEUEING, Violated, "kernel-migrate:AM17"),
    not_touched(&MIGRATION_ENTRY, &L2, Holds, "kernel-migrate:AM20"),
    not_touched(&MIGRATION_ENTRY, &AM20_PTL_DROPPED_FIRST, Violated, "kernel-migrate:AM20"),
];
