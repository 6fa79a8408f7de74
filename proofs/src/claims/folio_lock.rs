//! kernel-migrate section A: the folio lock. Who holds it is alone, and who waits for it is woken.

use selvedge_kernel::{atomic_inc, fail_about, plain_read, plain_write, reached};
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{folio_lock, folio_lock_killable, folio_trylock, folio_unlock};
use selvedge_models::trees::*;

use super::{DPOR, EVERY, SC, SC_WITHOUT_RANDOM, WEAK};
use crate::rules::{
    A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, CONTENTS_HAVE_ONE_WRITER,
    NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, each_holder_added_one, nothing_added_is_lost,
};
use crate::states::{HANDED_OVER, SLEPT, STOLEN};
use crate::{Answers, Run, Scenario, Source, ask, cpu};

pub(super) const TRYLOCK_FAILED: &str = "a trylock failed";

/// A holder of the lock has changed what it protects.
pub(super) const ADDED: &str = "a holder of the lock changed the contents";

/// CPU0 has the lock when the others begin.
pub(super) fn locked(k: &Run) {
    assert!(folio_trylock(&k.folios[0]), "nobody else runs yet");
}

pub(super) fn unlock(k: &Run) {
    folio_unlock(k, &k.folios[0]);
}

/// What a holder does: it adds to the contents, in two steps.
pub(super) fn add_one(k: &Run) {
    let contents = &k.folios[0].contents;
    let value = plain_read(contents);
    plain_write(contents, value + 1);
    reached(ADDED);
}

fn try_and_add(k: &Run) {
    if folio_trylock(&k.folios[0]) {
        add_one(k);
        unlock(k);
    } else {
        reached(TRYLOCK_FAILED);
        atomic_inc(&k.count);
    }
}

pub(super) static TRY_ONCE: Scenario = Scenario {
    name: "two_cpus_try_once",
    about: "CPU0 and CPU1 each try the folio lock once; who wins changes the contents.",
    tasks: &[cpu(0, "task", try_and_add), cpu(1, "task", try_and_add)],
    at_end: Some(|k| each_holder_added_one(k, 2 - k.count.peek() as u64)),
    ..Scenario::EMPTY
};

pub(super) fn lock_and_add(k: &Run) {
    folio_lock(k, &k.folios[0]);
    add_one(k);
    unlock(k);
}

static LOCK_TWO: Scenario = Scenario {
    name: "two_tasks_lock",
    about: "CPU0 and CPU1 each lock the folio, change its contents, and unlock it.",
    machine: Machine::TINY.sleepers(2),
    tasks: &[cpu(0, "task", lock_and_add), cpu(1, "task", lock_and_add)],
    at_end: Some(|k| each_holder_added_one(k, 2)),
    ..Scenario::EMPTY
};

/// Nobody is killed.
pub(super) static LOCK_TWO_KILLABLY: Scenario = Scenario {
    name: "two_tasks_lock_killably",
    about: "CPU0 and CPU1 each lock the folio killably, change its contents, and unlock it; no \
            signal comes.",
    tasks: &[cpu(0, "task", lock_killably_and_add), cpu(1, "task", lock_killably_and_add)],
    ..LOCK_TWO
};

fn lock_killably_and_add(k: &Run) {
    assert!(folio_lock_killable(k, &k.folios[0]).is_ok(), "nobody is killed");
    add_one(k);
    unlock(k);
}

/// [`LOCK_TWO`], with an eye on the waiters' stacks.
pub(super) static LOCK_TWO_STACKS: Scenario = Scenario {
    name: "two_tasks_lock_and_leave",
    machine: LOCK_TWO.machine.lifetimes(),
    about: "CPU0 and CPU1 each lock the folio, change its contents, and unlock it; a waiter's \
            stack and task are gone when its wait is over.",
    ..LOCK_TWO
};

static LOCK_THREE: Scenario = Scenario {
    name: "three_tasks_lock",
    about: "CPU0, CPU1 and CPU2 each lock the folio, change its contents, and unlock it: with an \
            unfairness of 1 a waiter may be robbed once, and is handed the lock then.",
    machine: Machine::TINY.cpus(3).sleepers(3),
    tasks: &[
        cpu(0, "task", lock_and_add),
        cpu(1, "task", lock_and_add),
        cpu(2, "task", lock_and_add),
    ],
    at_end: Some(|k| each_holder_added_one(k, 3)),
    ..Scenario::EMPTY
};

pub(super) static NEW_OWNER: Scenario = Scenario {
    name: "new_owner_looks_at_contents",
    about: "CPU0 has the folio lock, changes the contents and unlocks; CPU1 locks, and looks at \
            them.",
    machine: Machine::TINY.sleepers(1),
    setup: locked,
    tasks: &[
        cpu(0, "holder", |k| {
            plain_write(&k.folios[0].contents, 1);
            unlock(k);
        }),
        cpu(1, "next", |k| {
            folio_lock(k, &k.folios[0]);
            if plain_read(&k.folios[0].contents) != 1 {
                let message = "the new owner does not see what the one before it wrote";
                fail_about(CONTENTS_HAVE_ONE_WRITER, message, k.folios[0].contents.object());
            }
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

static TAKES_IT_AGAIN: Scenario = Scenario {
    name: "holder_takes_it_again_before_waiter",
    about: "CPU0 has the folio lock, gives it back, and tries it once more, to change the \
            contents; CPU1 locks the folio, and changes them.",
    machine: Machine::TINY.sleepers(1),
    setup: locked,
    tasks: &[
        cpu(0, "holder", |k| {
            unlock(k);
            try_and_add(k);
        }),
        cpu(1, "waiter", lock_and_add).sleeper(0),
    ],
    at_end: Some(|k| each_holder_added_one(k, 2 - k.count.peek() as u64)),
    ..Scenario::EMPTY
};

static WAITS_TWICE: Scenario = Scenario {
    name: "task_waits_for_one_folio_then_another",
    about: "CPU0 has both folios locked; it unlocks folio 1, changes the contents of folio 0, and \
            unlocks that. CPU1 locks both, and changes the contents of folio 0: its two waits have \
            their entry at one place of its stack.",
    machine: Machine::TINY.folios(2).sleepers(1),
    setup: |k| {
        k.folios.iter().for_each(|folio| assert!(folio_trylock(folio), "nobody else runs yet"));
    },
    tasks: &[
        cpu(0, "holder", |k| {
            folio_unlock(k, &k.folios[1]);
            add_one(k);
            unlock(k);
        }),
        cpu(1, "waiter", |k| {
            folio_lock(k, &k.folios[1]);
            folio_lock(k, &k.folios[0]);
            add_one(k);
        })
        .sleeper(0),
    ],
    at_end: Some(|k| nothing_added_is_lost(k, 2)),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let sheet = Source::migrate;
    let asleep =
        |scenario, source| ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, scenario, source, &[SLEPT]);
    let relaxed = [&AM8_RELAXED_TRYLOCK, &AM8_RELAXED_UNLOCK];
    vec![
        ask(CONTENTS_HAVE_ONE_WRITER, &TRY_ONCE, sheet("A.5-1"), &[TRYLOCK_FAILED])
            .under(EVERY)
            .holds(&[&V6_1, &V6_12_117])
            .under(SC)
            .holds(&relaxed)
            .under(WEAK)
            .broken_after(&[ADDED])
            .violated(&relaxed),
        ask(CONTENTS_HAVE_ONE_WRITER, &TAKES_IT_AGAIN, sheet("A.5-1"), &[SLEPT, STOLEN])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(CONTENTS_HAVE_ONE_WRITER, &WAITS_TWICE, sheet("A.2"), &[SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        asleep(&LOCK_TWO_KILLABLY, sheet("A.2")).under(DPOR).holds(&[&V6_12_117]),
        asleep(&LOCK_TWO, sheet("A.2"))
            .under(SC)
            .holds(&[&V6_1, &V6_12_117])
            .under(WEAK)
            // 6.12.117: `waiter_sees_the_unlock`, which is smaller.
            .holds_as(sheet("A.5"), &[&V6_1])
            .violated_as(sheet("A.5-3"), &[&A5_NO_BARRIER_AFTER_STATE])
            .under(SC)
            .holds(&[&UNFAIRNESS_0])
            .violated_as(sheet("AM1"), &[&AM1_NO_WAITERS_BIT])
            .violated_as(sheet("AM2"), &[&AM2_WAITERS_BIT_TOO_LATE])
            .violated_as(sheet("AM3"), &[&AM3_QUEUED_TOO_LATE])
            .violated_as(sheet("AM7"), &[&AM7_WAITERS_BIT_READ_FIRST])
            .holds_as(sheet("AM9"), &[&AM9_WAITERS_BIT_ELSEWHERE])
            .under(WEAK)
            .violated_as(sheet("AM9"), &[&AM9_WAITERS_BIT_ELSEWHERE])
            .under(SC_WITHOUT_RANDOM)
            .violated_as(sheet("AM12"), &[&AM12_STATE_TOO_LATE])
            .under(SC)
            .holds_as(sheet("A.5-3"), &[&A5_NO_BARRIER_AFTER_STATE]),
        ask(CONTENTS_HAVE_ONE_WRITER, &NEW_OWNER, sheet("A.5-5"), &[HANDED_OVER])
            .under(EVERY)
            .holds(&[&L2_UNFAIRNESS_0, &A5_RELAXED_FLAGS])
            .under(SC)
            .holds(&[&A5_RELAXED_FLAGS_AND_ENTRY])
            .under(WEAK)
            .violated(&[&A5_RELAXED_FLAGS_AND_ENTRY]),
        asleep(&LOCK_THREE, sheet("A-S1"))
            .under(SC)
            .holds(&[&V6_1, &L0, &L1, &L2_UNFAIRNESS_0, &L2_UNFAIRNESS_INF])
            .violated_as(sheet("AM4"), &[&AM4_WAITERS_BIT_ALWAYS_CLEARED])
            // Too narrow for random and PCT schedules.
            .under(DPOR)
            .violated_as(sheet("AM5"), &[&AM5_WAITERS_BIT_CLEARED_UNLOCKED])
            .violated_as(sheet("AM14"), &[&AM14_NOT_REQUEUED])
            .under(SC)
            .holds_as(sheet("AM18"), &[&AM18_WAKES_ALL]),
        ask(A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, &LOCK_TWO_STACKS, sheet("AM10"), &[SLEPT])
            .under(SC)
            .holds(&[&L2, &V6_12_117])
            .under(DPOR)
            .violated(&[&AM10_UNLINKED_BEFORE_WOKEN, &AM10_UNLINKED_BEFORE_WAKE_UP])
            .violated_as(sheet("AM11"), &[&AM11_READ_AFTER_UNLINK]),
    ]
}
