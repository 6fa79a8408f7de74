//! kernel-migrate section A: the folio lock, and what sleeps on it.

use selvedge_explore::Engine;
use selvedge_kernel::{fail_about, join, plain_read, plain_write, reached};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, PG_LOCKED, Sizes, Tree};
use selvedge_monitors::NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
use selvedge_trace::Rule;

use super::{EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

/// What a holder does: it adds to the contents, in two steps.
fn work(k: &Kernel) {
    let contents = &k.folios[0].contents;
    let value = plain_read(contents);
    plain_write(contents, value + 1);
}

/// Nothing is lost if each holder saw what the one before it left.
fn contents_are(k: &Kernel, expected: u64) {
    let folio = &k.folios[0];
    let found = folio.contents.peek();
    if found != expected {
        let message = format!("{expected} holders added 1 each, the contents are {found}");
        fail_about(CONTENTS_HAVE_ONE_WRITER, message, folio.contents.object());
    }
    if folio.flags.peek(PG_LOCKED) {
        fail_about(CONTENTS_HAVE_ONE_WRITER, "folio0 is left locked", folio.flags.object());
    }
}

static TRY_ONCE: Scenario = Scenario {
    name: "two_cpus_try_once",
    about: "CPU0 and CPU1 each try the folio lock once; who wins changes the contents.",
    sizes: Sizes::TINY,
    play: |k| {
        let tasks = [0, 1].map(|cpu| {
            k.task(cpu, "task", |k| {
                if folio_trylock(k, &k.folios[0]) {
                    work(k);
                    folio_unlock(k, &k.folios[0]);
                } else {
                    // What it would have added, somebody else adds: the sum stays.
                    reached("a trylock failed");
                    selvedge_kernel::atomic_inc(&k.pending_count);
                }
            })
        });
        tasks.into_iter().for_each(join);
    },
    at_end: |k| contents_are(k, 2 - k.pending_count.peek() as u64),
    choices: 0,
};

fn lock_once(k: &Kernel, me: usize) {
    folio_lock(k, &k.folios[0], me);
    work(k);
    folio_unlock(k, &k.folios[0]);
}

static LOCK_TWO: Scenario = Scenario {
    name: "two_tasks_lock",
    about: "CPU0 and CPU1 each lock the folio, change its contents, and unlock it.",
    sizes: Sizes { sleepers: 2, ..Sizes::TINY },
    play: |k| {
        let tasks = [0, 1].map(|cpu| k.task(cpu, "task", move |k| lock_once(k, cpu)));
        tasks.into_iter().for_each(join);
    },
    at_end: |k| contents_are(k, 2),
    choices: 0,
};

static LOCK_THREE: Scenario = Scenario {
    name: "three_tasks_lock",
    about: "CPU0, CPU1 and CPU2 each lock the folio, change its contents, and unlock it: with an \
            unfairness of 1 a waiter may be robbed once, and is handed the lock then.",
    sizes: Sizes { cpus: 3, sleepers: 3, ..Sizes::TINY },
    play: |k| {
        let tasks = [0, 1, 2].map(|cpu| k.task(cpu, "task", move |k| lock_once(k, cpu)));
        tasks.into_iter().for_each(join);
    },
    at_end: |k| contents_are(k, 3),
    choices: 0,
};

const fn claim(
    scenario: &'static Scenario,
    rule: Rule,
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
    reached: &'static [&'static str],
) -> Claim {
    Claim { subsystem: "folio_lock", rule, scenario, tree, engines, expected, source, reached }
}

const fn once(tree: &'static Tree, engines: &'static [Engine], expected: Expected) -> Claim {
    let reached = &["a trylock failed"];
    let rule = CONTENTS_HAVE_ONE_WRITER;
    claim(&TRY_ONCE, rule, tree, engines, expected, "kernel-migrate:A.5-1", reached)
}

const fn sleeps(
    scenario: &'static Scenario,
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
) -> Claim {
    let reached = match expected {
        Holds => &["a task slept on a folio"],
        Violated => &[] as &[&str],
    };
    claim(scenario, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, tree, engines, expected, source, reached)
}

pub(super) static CLAIMS: &[Claim] = &[
    once(&V6_1, EVERY, Holds),
    once(&AM8_RELAXED_TRYLOCK, SC, Holds),
    once(&AM8_RELAXED_TRYLOCK, WEAK, Violated),
    once(&AM8_RELAXED_UNLOCK, SC, Holds),
    once(&AM8_RELAXED_UNLOCK, WEAK, Violated),
    sleeps(&LOCK_TWO, &V6_1, SC, Holds, "kernel-migrate:A.2"),
    sleeps(&LOCK_TWO, &V6_1, WEAK, Holds, "kernel-migrate:A.5"),
    sleeps(&LOCK_TWO, &A5_NO_BARRIER_AFTER_STATE, WEAK, Violated, "kernel-migrate:A.5-3"),
    sleeps(&LOCK_TWO, &UNFAIRNESS_0, SC, Holds, "kernel-migrate:A.2"),
    sleeps(&LOCK_TWO, &AM1_NO_WAITERS_BIT, SC, Violated, "kernel-migrate:AM1"),
    sleeps(&LOCK_TWO, &AM2_WAITERS_BIT_TOO_LATE, SC, Violated, "kernel-migrate:AM2"),
    sleeps(&LOCK_TWO, &AM12_STATE_TOO_LATE, SC_WITHOUT_RANDOM, Violated, "kernel-migrate:AM12"),
    sleeps(&LOCK_TWO, &A5_NO_BARRIER_AFTER_STATE, SC, Holds, "kernel-migrate:A.5-3"),
    sleeps(&LOCK_THREE, &V6_1, SC, Holds, "kernel-migrate:A.2"),
    sleeps(&LOCK_THREE, &AM4_WAITERS_BIT_ALWAYS_CLEARED, SC, Violated, "kernel-migrate:AM4"),
];
