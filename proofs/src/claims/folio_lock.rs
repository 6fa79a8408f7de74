//! kernel-migrate section A: the folio lock, and what sleeps on it.

use selvedge_explore::Engine;
use selvedge_kernel::{fail, fail_about, join, plain_read, plain_write, reached};
use selvedge_models::mm::filemap::NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
use selvedge_models::mm::filemap::{
    A_DEMANDED_LOCK_GOES_IN_ORDER, A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, folio_lock,
    folio_trylock, folio_unlock,
};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, PG_LOCKED, Sizes, Tree};
use selvedge_monitors::NOBODY_WAITS_FOR_EVER;
use selvedge_trace::Rule;

use super::{EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

/// The rule of most claims here.
const ASLEEP: Rule = NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;

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

pub(super) static TRY_ONCE: Scenario = Scenario {
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

pub(super) static HANDED_OVER: Scenario = Scenario {
    name: "new_owner_looks_at_contents",
    about: "CPU0 has the folio lock, changes the contents and unlocks; CPU1 locks, and looks at them.",
    sizes: Sizes { sleepers: 1, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        let holder = k.task(0, "holder", |k| {
            plain_write(&k.folios[0].contents, 1);
            folio_unlock(k, &k.folios[0]);
        });
        let next = k.task(1, "next", |k| {
            folio_lock(k, &k.folios[0], 0);
            if plain_read(&k.folios[0].contents) != 1 {
                let message = "the new owner does not see what the one before it wrote";
                fail_about(CONTENTS_HAVE_ONE_WRITER, message, k.folios[0].contents.object());
            }
        });
        join(holder);
        join(next);
    },
    at_end: |_| {},
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

/// CPU0 has the lock when the others begin.
fn held_by_cpu0(k: &Kernel) {
    assert!(folio_trylock(k, &k.folios[0]), "nobody else runs yet");
}

fn steal(k: &Kernel) {
    if folio_trylock(k, &k.folios[0]) {
        folio_unlock(k, &k.folios[0]);
    }
}

/// CPU0 unlocks what CPU1 waits for, and CPU2 takes it twice if it is free.
fn two_thefts(k: &Kernel, when_locked: fn(u32)) {
    held_by_cpu0(k);
    let tasks = [
        k.task(0, "holder", |k| folio_unlock(k, &k.folios[0])),
        k.task(1, "waiter", move |k| {
            folio_lock(k, &k.folios[0], 0);
            when_locked(k.sleepers[0].robbed());
            folio_unlock(k, &k.folios[0]);
        }),
        k.task(2, "stealer", |k| {
            steal(k);
            steal(k);
        }),
    ];
    tasks.into_iter().for_each(join);
}

static STEALER: Scenario = Scenario {
    name: "waiter_vs_stealer",
    about: "CPU0 unlocks the folio that CPU1 waits for; CPU2 takes the lock whenever it is free, \
            twice.",
    sizes: Sizes { cpus: 3, sleepers: 1, ..Sizes::TINY },
    play: |k| two_thefts(k, |_| ()),
    at_end: |_| {},
    choices: 0,
};

static ROBBED: Scenario = Scenario {
    name: "waiter_vs_stealer_counted",
    about: "The same; a waiter that was woken and found the lock stolen twice has been robbed too \
            often.",
    play: |k| {
        two_thefts(k, |robbed| {
            if robbed > 1 {
                let message = format!("the waiter was robbed {robbed} times");
                fail(A_WAITER_IS_ROBBED_AT_MOST_ONCE, message);
            }
        });
    },
    ..STEALER
};

fn waiter(k: &Kernel, cpu: usize) -> usize {
    k.task(cpu, "waiter", move |k| {
        folio_lock(k, &k.folios[0], cpu - 1);
        folio_unlock(k, &k.folios[0]);
    })
}

static OVERTAKING: Scenario = Scenario {
    name: "two_waiters_vs_unlock_and_stealer",
    about: "CPU0 unlocks the folio that CPU1 and CPU2 wait for; CPU3 takes the lock if it is free.",
    sizes: Sizes { cpus: 4, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        held_by_cpu0(k);
        let holder = k.task(0, "holder", |k| folio_unlock(k, &k.folios[0]));
        let tasks = [holder, waiter(k, 1), waiter(k, 2), k.task(3, "stealer", steal)];
        tasks.into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static TWO_FOLIOS: Scenario = Scenario {
    name: "waiters_on_two_folios",
    about: "CPU0 unlocks folio 0, then folio 1; CPU1 and CPU2 wait for them in one queue.",
    sizes: Sizes { cpus: 3, folios: 2, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        k.folios.iter().for_each(|folio| assert!(folio_trylock(k, folio), "nobody else runs yet"));
        let waiter = |cpu: usize| {
            k.task(cpu, "waiter", move |k| {
                folio_lock(k, &k.folios[cpu - 1], cpu - 1);
                folio_unlock(k, &k.folios[cpu - 1]);
            })
        };
        let holder = k.task(0, "holder", |k| {
            k.folios.iter().for_each(|folio| folio_unlock(k, folio));
        });
        [holder, waiter(1), waiter(2)].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

static ABBA: Scenario = Scenario {
    name: "two_folios_in_two_orders",
    about: "CPU0 locks folio 0, then folio 1; CPU1 the other way round; CPU2 takes folio 0 if it is \
            free.",
    sizes: Sizes { cpus: 3, folios: 2, sleepers: 2, ..Sizes::TINY },
    play: |k| {
        let both = |cpu: usize, first: usize| {
            k.task(cpu, "task", move |k| {
                folio_lock(k, &k.folios[first], cpu);
                folio_lock(k, &k.folios[1 - first], cpu);
                k.folios.iter().for_each(|folio| folio_unlock(k, folio));
            })
        };
        [both(0, 0), both(1, 1), k.task(2, "stealer", steal)].into_iter().for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

/// [`LOCK_TWO`], with an eye on the waiters' stacks.
pub(super) static LOCK_TWO_STACKS: Scenario = Scenario {
    name: "two_tasks_lock_and_leave",
    sizes: Sizes { lifetimes: true, ..LOCK_TWO.sizes },
    about: "CPU0 and CPU1 each lock the folio, change its contents, and unlock it; a waiter's stack \
            and task are gone when its wait is over.",
    ..LOCK_TWO
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
    claim(scenario, ASLEEP, tree, engines, expected, source, reached)
}

const fn handed_over(
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
) -> Claim {
    let reached = &["the lock was handed over"];
    claim(&HANDED_OVER, CONTENTS_HAVE_ONE_WRITER, tree, engines, expected, source, reached)
}

const fn shows(
    scenario: &'static Scenario,
    rule: Rule,
    tree: &'static Tree,
    expected: Expected,
    source: &'static str,
) -> Claim {
    match expected {
        Holds => claim(scenario, rule, tree, SC, Holds, source, &["a task slept on a folio"]),
        // Too narrow for random and PCT schedules, most of them.
        Violated => claim(scenario, rule, tree, &[Engine::Dpor], Violated, source, &[]),
    }
}

const fn robbed(tree: &'static Tree, expected: Expected) -> Claim {
    let rule = A_WAITER_IS_ROBBED_AT_MOST_ONCE;
    shows(&ROBBED, rule, tree, expected, "kernel-migrate:A-S2")
}

const fn stolen(tree: &'static Tree, source: &'static str) -> Claim {
    shows(&STEALER, ASLEEP, tree, Holds, source)
}

const fn in_order(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let claim = shows(&OVERTAKING, A_DEMANDED_LOCK_GOES_IN_ORDER, tree, expected, source);
    // The most expensive scenario of all: complete or not at all.
    Claim { engines: &[Engine::Dpor], ..claim }
}

const fn collides(tree: &'static Tree) -> Claim {
    sleeps(&TWO_FOLIOS, tree, SC, Holds, "kernel-migrate:A-S3")
}

const fn deadlocks(tree: &'static Tree) -> Claim {
    shows(&ABBA, NOBODY_WAITS_FOR_EVER, tree, Violated, "kernel-migrate:A-S7")
}

const fn leaves(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    shows(&LOCK_TWO_STACKS, A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, tree, expected, source)
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
    handed_over(&L2_UNFAIRNESS_0, EVERY, Holds, "kernel-migrate:A.5-5"),
    handed_over(&A5_RELAXED_FLAGS, EVERY, Holds, "kernel-migrate:A.5-5"),
    handed_over(&A5_RELAXED_FLAGS_AND_ENTRY, SC, Holds, "kernel-migrate:A.5-5"),
    handed_over(&A5_RELAXED_FLAGS_AND_ENTRY, WEAK, Violated, "kernel-migrate:A.5-5"),
    sleeps(&LOCK_TWO, &AM1_NO_WAITERS_BIT, SC, Violated, "kernel-migrate:AM1"),
    sleeps(&LOCK_TWO, &AM2_WAITERS_BIT_TOO_LATE, SC, Violated, "kernel-migrate:AM2"),
    sleeps(&LOCK_TWO, &AM3_QUEUED_TOO_LATE, SC, Violated, "kernel-migrate:AM3"),
    sleeps(&LOCK_TWO, &AM7_WAITERS_BIT_READ_FIRST, SC, Violated, "kernel-migrate:AM7"),
    sleeps(&LOCK_TWO, &AM9_WAITERS_BIT_ELSEWHERE, SC, Holds, "kernel-migrate:AM9"),
    sleeps(&LOCK_TWO, &AM9_WAITERS_BIT_ELSEWHERE, WEAK, Violated, "kernel-migrate:AM9"),
    sleeps(&LOCK_TWO, &AM12_STATE_TOO_LATE, SC_WITHOUT_RANDOM, Violated, "kernel-migrate:AM12"),
    sleeps(&LOCK_TWO, &A5_NO_BARRIER_AFTER_STATE, SC, Holds, "kernel-migrate:A.5-3"),
    sleeps(&LOCK_THREE, &V6_1, SC, Holds, "kernel-migrate:A-S1"),
    sleeps(&LOCK_THREE, &L0, SC, Holds, "kernel-migrate:A-S1"),
    sleeps(&LOCK_THREE, &L1, SC, Holds, "kernel-migrate:A-S1"),
    sleeps(&LOCK_THREE, &L2, SC, Holds, "kernel-migrate:A-S1"),
    sleeps(&LOCK_THREE, &L2_UNFAIRNESS_0, SC, Holds, "kernel-migrate:A-S1"),
    sleeps(&LOCK_THREE, &L2_UNFAIRNESS_INF, SC, Holds, "kernel-migrate:A-S1"),
    sleeps(&LOCK_THREE, &AM4_WAITERS_BIT_ALWAYS_CLEARED, SC, Violated, "kernel-migrate:AM4"),
    shows(&LOCK_THREE, ASLEEP, &AM5_WAITERS_BIT_CLEARED_UNLOCKED, Violated, "kernel-migrate:AM5"),
    shows(&LOCK_THREE, ASLEEP, &AM14_NOT_REQUEUED, Violated, "kernel-migrate:AM14"),
    shows(&LOCK_THREE, ASLEEP, &AM18_WAKES_ALL, Holds, "kernel-migrate:AM18"),
    robbed(&L2, Holds),
    robbed(&L1, Holds),
    robbed(&L2_UNFAIRNESS_0, Holds),
    robbed(&L2_UNFAIRNESS_INF, Violated),
    robbed(&L0, Violated),
    stolen(&L2, "kernel-migrate:A-S2"),
    stolen(&L2_UNFAIRNESS_INF, "kernel-migrate:A-S2"),
    stolen(&L1, "kernel-migrate:A-S2"),
    stolen(&L0, "kernel-migrate:A-S2"),
    stolen(&AM18_WAKES_ALL, "kernel-migrate:AM18"),
    in_order(&L1, Holds, "kernel-migrate:AM19"),
    in_order(&AM19_PASSES_OVER, Violated, "kernel-migrate:AM19"),
    collides(&L0),
    collides(&L1),
    collides(&L2),
    deadlocks(&L0),
    deadlocks(&L1),
    deadlocks(&L2),
    deadlocks(&L2_UNFAIRNESS_INF),
    leaves(&L2, Holds, "kernel-migrate:AM10"),
    leaves(&AM10_UNLINKED_BEFORE_WOKEN, Violated, "kernel-migrate:AM10"),
    leaves(&AM10_UNLINKED_BEFORE_WAKE_UP, Violated, "kernel-migrate:AM10"),
    leaves(&AM11_READ_AFTER_UNLINK, Violated, "kernel-migrate:AM11"),
];
