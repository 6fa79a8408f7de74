//! kernel-migrate section A: who gives up, and who is forgotten then.
//!
//! An exclusive waiter is woken alone, so that a wake-up that it does not use is lost to those
//! behind it. That was found in `__wait_on_bit_lock()` (777c6c5f1f6e, 2009) and in L0
//! (a8b169afbf06, 2017): who was woken must take the lock, signal or not. In L1 the waker takes it
//! for the waiter. L2 wakes the first waiters without the bit again, and who leaves because of a
//! signal between its look at its flags and `finish_wait()` returns -EINTR with WOKEN set and DONE
//! clear: the folio is unlocked, PG_waiters is set, and the others sleep until somebody happens to
//! lock and unlock the folio.

use selvedge_kernel::{
    fail_about, is_killed_already, process_timeout, reached, send_sig, send_sigkill,
};
use selvedge_models::Machine;
use selvedge_models::mm::filemap::{
    folio_end_read, folio_lock, folio_lock_killable, folio_lock_timeout, folio_trylock,
    folio_wait_locked,
};
use selvedge_models::trees::*;

use super::folio_lock::{locked, unlock};
use super::{DPOR, EVERY, SC, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis, Comment};
use crate::calls::{Arg, Call, call};
use crate::functions::{
    FOLIO_LOCK, FOLIO_LOCK_KILLABLE, FOLIO_TRYLOCK, FOLIO_UNLOCK, SEND_SIGKILL,
};
use crate::rules::{
    NO_WAIT_ENDS_BY_LUCK, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, NOBODY_WAITS_FOR_EVER,
    ONLY_WHAT_KILLS_ENDS_A_KILLABLE_WAIT,
};
use crate::states::{GAVE_UP, SLEPT};
use crate::{Answers, Run, Scenario, ask, calls, cpu};

pub(super) fn lock_plainly(k: &Run) {
    folio_lock(k, &k.folios[0]);
    unlock(k);
}

fn lock_killably(k: &Run) {
    if folio_lock_killable(k, &k.folios[0]).is_ok() {
        unlock(k);
    }
}

fn lock_with_limit(k: &Run) {
    if folio_lock_timeout(k, &k.folios[0]).is_ok() {
        unlock(k);
    }
}

fn kill(k: &Run) {
    send_sigkill(&k.cpus, k.sleepers[0].task());
}

const FOLIO: &[Arg] = &[Arg::Folio(0)];
const LOCKED: &[Call] = &[call(FOLIO_TRYLOCK, FOLIO)];
const UNLOCK: &[Call] = &[call(FOLIO_UNLOCK, FOLIO)];

static SIGNAL: Scenario = Scenario {
    name: "killed_waiter_before_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 waits for it killably, and CPU2 plainly; CPU3 kills CPU1.",
    machine: Machine::TINY.cpus(4).sleepers(2),
    begins: LOCKED,
    tasks: &[
        calls(0, "holder", UNLOCK),
        calls(1, "killable", &[call(FOLIO_LOCK_KILLABLE, FOLIO).if_zero(UNLOCK)]).sleeper(0),
        calls(2, "plain", &[call(FOLIO_LOCK, FOLIO), call(FOLIO_UNLOCK, FOLIO)]).sleeper(1),
        calls(3, "killer", &[call(SEND_SIGKILL, &[Arg::Sleeper(0)])]),
    ],
    ..Scenario::EMPTY
};

static TIMEOUT: Scenario = Scenario {
    name: "timed_out_waiter_before_plain_waiter",
    about: "CPU0 unlocks the folio; CPU1 waits for it with a time limit, and CPU2 without; the \
            timer of CPU1 expires at any moment.",
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "impatient", lock_with_limit).sleeper(0),
        cpu(2, "plain", lock_plainly).sleeper(1),
        cpu(3, "timer", |k| process_timeout(&k.cpus, k.sleepers[0].task())),
    ],
    ..SIGNAL
};

static SIGNAL_AND_READER: Scenario = Scenario {
    name: "killed_waiter_before_reader",
    about: "CPU0 ends the read that holds the folio lock; CPU1 waits for the lock killably, CPU2 \
            for the end of the read; CPU3 kills CPU1.",
    tasks: &[
        cpu(0, "end of the read", |k| folio_end_read(k, &k.folios[0])),
        cpu(1, "killable", lock_killably).sleeper(0),
        cpu(2, "reader", |k| folio_wait_locked(k, &k.folios[0])).sleeper(1),
        cpu(3, "killer", kill),
    ],
    ..SIGNAL
};

static SIGNAL_AND_THEFT: Scenario = Scenario {
    name: "killed_waiter_and_stealer",
    about: "CPU0 unlocks the folio, and takes it again if it is free; CPU1, which has been killed \
            already, waits for it killably, and CPU2 plainly.",
    machine: Machine::TINY.cpus(3).sleepers(2),
    setup: |k| {
        locked(k);
        is_killed_already(k.sleepers[0].task());
    },
    tasks: &[
        cpu(2, "plain", lock_plainly).sleeper(1),
        cpu(1, "killable", lock_killably).sleeper(0),
        cpu(0, "stealer", |k| {
            unlock(k);
            if folio_trylock(&k.folios[0]) {
                unlock(k);
            }
        }),
    ],
    ..Scenario::EMPTY
};

static KILLED: Scenario = Scenario {
    name: "killed_waiter_of_a_lock_that_stays",
    about: "Nobody unlocks the folio; CPU0 waits for it killably, CPU1 kills CPU0.",
    machine: Machine::TINY.sleepers(1),
    setup: locked,
    tasks: &[
        cpu(0, "killable", |k| {
            let got = folio_lock_killable(k, &k.folios[0]);
            assert!(got.is_err(), "nobody unlocks the folio");
        }),
        cpu(1, "killer", kill),
    ],
    ..Scenario::EMPTY
};

static SIGNALLED: Scenario = Scenario {
    name: "signalled_waiter_of_a_folio",
    about: "CPU0 unlocks the folio; CPU1 waits for it killably. CPU2 sends it a signal that does \
            not kill.",
    machine: Machine::TINY.cpus(3).sleepers(1),
    setup: locked,
    tasks: &[
        cpu(0, "holder", unlock),
        cpu(1, "killable", |k| {
            if folio_lock_killable(k, &k.folios[0]).is_err() {
                let message = "folio_lock_killable() failed, and nobody was killed";
                let folio = k.folios[0].flags.object();
                fail_about(ONLY_WHAT_KILLS_ENDS_A_KILLABLE_WAIT, message, folio);
            }
            reached(LOCKED_IT);
            unlock(k);
        })
        .sleeper(0),
        cpu(2, "sender", |k| send_sig(&k.cpus, k.sleepers[0].task())),
    ],
    ..Scenario::EMPTY
};

const LOCKED_IT: &str = "a killable waiter has the lock";

/// What a8b169afbf06 says of 4.13, and repairs: a woken waiter must take the lock, signal or not,
/// since others have been passed over for it.
const WOKEN_MUST_TAKE: Source = Source::commit("a8b169afbf06");
/// The waker takes the bit for the waiter, so that a waiter that was told has the lock to give
/// back.
const WOKEN_OWNS: Source =
    Analysis("a woken waiter already owns the lock, and unlocks it or returns with it");
/// 5ef64cc8987a lets a waiter be told without the bit, and asks for the signal before it asks for
/// that: what a8b169afbf06 had repaired.
const WOKEN_LEAVES: Source = Analysis("as in 4.13, a woken waiter leaves without the bit");
/// 2a9127fcf229 says that what it replaces may miss wake-ups, without an example: here is one. The
/// waiter found the bit clear, so that its state is still that of a sleeper when it gives up.
const MISSED_IN_L0: Source = Source::Commit { id: "2a9127fcf229", remark: "the example is ours" };
const WOKEN_TRIES: Source = Analysis("as a8b169afbf06 argues");

pub(super) fn claims() -> Vec<Answers> {
    let given_up: &[&str] = &[SLEPT, GAVE_UP];
    let ask_of =
        |scenario| ask(NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, scenario, WOKEN_MUST_TAKE, given_up);
    // Most of these races are too narrow for random schedules.
    let of_all_trees = |scenario| {
        ask_of(scenario)
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&L0_SIGNAL_FIRST])
            .holds(&[&L0])
            .holds_as(WOKEN_OWNS, &[&L1, &L2_UNFAIRNESS_0])
            .violated_as(WOKEN_LEAVES, &[&L2, &L2_UNFAIRNESS_INF])
            .holds_as(WOKEN_TRIES, &[&L2_TRIES_THE_BIT])
    };
    let killable = Comment {
        file: "include/linux/sched/signal.h",
        says: "signal_pending_state() of TASK_WAKEKILL asks for a signal that kills",
    };
    let barriers = Analysis("send_sig() and set_current_state() have a full barrier each");
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &KILLED, barriers, given_up)
            .under(EVERY)
            .holds(&[&L0, &L1, &L2, &V6_12_117]),
        ask(ONLY_WHAT_KILLS_ENDS_A_KILLABLE_WAIT, &SIGNALLED, killable, &[SLEPT, LOCKED_IT])
            .under(SC)
            .holds(&[&L0, &L1, &L2, &V6_12_117])
            .violated_after(given_up, &[&LOCKS_INTERRUPTIBLY]),
        of_all_trees(&SIGNAL).violated_as(WOKEN_LEAVES, &[&V5_4_255]),
        of_all_trees(&TIMEOUT),
        ask_of(&SIGNAL_AND_READER)
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&L0])
            .holds_as(WOKEN_OWNS, &[&L1])
            .violated_as(WOKEN_LEAVES, &[&L2])
            .holds_as(WOKEN_TRIES, &[&L2_TRIES_THE_BIT]),
        ask_of(&SIGNAL_AND_THEFT)
            .under(DPOR)
            .violated_as(MISSED_IN_L0, &[&L0])
            .violated_as(WOKEN_LEAVES, &[&L2])
            .under(SC_WITHOUT_RANDOM)
            .holds_as(WOKEN_OWNS, &[&L1, &L2_UNFAIRNESS_0])
            .holds_as(WOKEN_TRIES, &[&L2_TRIES_THE_BIT]),
        // Who steals the lock comes by when all is over, or before.
        ask(NO_WAIT_ENDS_BY_LUCK, &SIGNAL_AND_THEFT, WOKEN_LEAVES, given_up)
            .under(DPOR)
            .violated(&[&L2]),
    ]
}
