//! kernel-migrate section A: who gives up, and who is forgotten then.

use selvedge_kernel::{join, process_timeout, reached, send_sigkill};
use selvedge_models::mm::filemap::{
    folio_lock, folio_lock_killable, folio_lock_timeout, folio_trylock, folio_unlock,
};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes, Tree};
use selvedge_monitors::NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;

use super::{SC, SC_WITHOUT_RANDOM};
use crate::Expected::{self, Holds, Violated};
use crate::{Claim, Scenario};

/// CPU0 has the lock; CPU1 waits for it and may give up; CPU2 waits for it.
fn give_up(k: &Kernel, names: [&str; 2], waits: fn(&Kernel), ends: fn(&Kernel)) {
    let folio = &k.folios[0];
    assert!(folio_trylock(k, folio), "nobody else runs yet");
    let tasks = [
        k.task(0, "holder", |k| folio_unlock(k, &k.folios[0])),
        k.task(1, names[0], waits),
        k.task(2, "plain", |k| {
            folio_lock(k, &k.folios[0], 1);
            reached("the plain waiter got the lock");
            folio_unlock(k, &k.folios[0]);
        }),
        k.task(3, names[1], ends),
    ];
    tasks.into_iter().for_each(join);
}

static SIGNAL: Scenario = Scenario {
    name: "killed_waiter_before_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 waits for it killably, and CPU2 plainly; CPU3 kills CPU1.",
    sizes: Sizes { cpus: 4, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        let waits = |k: &Kernel| {
            if folio_lock_killable(k, &k.folios[0], 0).is_ok() {
                folio_unlock(k, &k.folios[0]);
            }
        };
        give_up(k, ["killable", "killer"], waits, |k| send_sigkill(&k.cpus, k.sleepers[0].task()));
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

const fn gives_up(
    scenario: &'static Scenario,
    tree: &'static Tree,
    expected: Expected,
    source: &'static str,
) -> Claim {
    Claim {
        subsystem: "folio_wait",
        rule: NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
        scenario,
        tree,
        // The race is too narrow for random schedules.
        engines: match expected {
            Holds => SC,
            Violated => SC_WITHOUT_RANDOM,
        },
        expected,
        source,
        reached: match expected {
            Holds => {
                &["a task slept on a folio", "a task gave up", "the plain waiter got the lock"]
            }
            Violated => &[],
        },
    }
}

pub(super) static CLAIMS: &[Claim] = &[
    gives_up(&SIGNAL, &L0_SIGNAL_FIRST, Violated, "commit:a8b169afbf06"),
    gives_up(&SIGNAL, &L0, Holds, "commit:a8b169afbf06"),
    gives_up(&SIGNAL, &L1, Holds, "own"),
    gives_up(&SIGNAL, &L2_UNFAIRNESS_0, Holds, "own"),
    gives_up(&SIGNAL, &L2, Violated, "own"),
    gives_up(&SIGNAL, &L2_UNFAIRNESS_INF, Violated, "own"),
    gives_up(&SIGNAL, &L2_TRIES_THE_BIT, Holds, "own"),
    gives_up(&TIMEOUT, &L0_SIGNAL_FIRST, Violated, "commit:a8b169afbf06"),
    gives_up(&TIMEOUT, &L0, Holds, "commit:a8b169afbf06"),
    gives_up(&TIMEOUT, &L1, Holds, "own"),
    gives_up(&TIMEOUT, &L2_UNFAIRNESS_0, Holds, "own"),
    gives_up(&TIMEOUT, &L2, Violated, "own"),
    gives_up(&TIMEOUT, &L2_UNFAIRNESS_INF, Violated, "own"),
    gives_up(&TIMEOUT, &L2_TRIES_THE_BIT, Holds, "own"),
];
