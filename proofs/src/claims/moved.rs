//! Tasks that the scheduler moves to another CPU, wherever they are preemptible.

use selvedge_kernel::TASK_WAS_MOVED;
use selvedge_models::Machine;
use selvedge_models::fs::buffer::brelse;
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::swap::{folio_activate, folio_add_lru, folio_deactivate};
use selvedge_models::trees::*;

use super::DPOR;
use super::bh_lru::USER;
use super::lru_flag::LISTED;
use crate::Source::Comment;
use crate::rules::{
    A_BH_LRU_OWNS_WHAT_IT_HOLDS, NO_BATCH_ENTRY_IS_LOST, bh_lrus_own_what_they_hold,
    entries_own_references,
};
use crate::states::{INSTALLED, RESTED, RESTED_FOR_MLOCK};
use crate::{Answers, Scenario, ask, cpu};

static ADDS: Scenario = Scenario {
    name: "adder_is_moved",
    about: "CPU0 adds folio0, and another task of CPU0 folio1. Each may be moved to CPU1 at any \
            step at which it is preemptible.",
    machine: Machine::TINY.folios(2).batch(3).moves(),
    tasks: &[
        cpu(0, "adder", |k| folio_add_lru(k, &k.folios[0])),
        cpu(0, "other", |k| folio_add_lru(k, &k.folios[1])),
    ],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static ACTIVATES: Scenario = Scenario {
    name: "activator_is_moved",
    about: "The same, of a folio that is activated and one that is deactivated.",
    machine: LISTED.folios(2).batch(3).moves(),
    tasks: &[
        cpu(0, "activator", |k| folio_activate(k, &k.folios[0])),
        cpu(0, "other", |k| {
            folio_activate(k, &k.folios[1]);
            folio_deactivate(k, &k.folios[1]);
        }),
    ],
    ..ADDS
};

static MLOCKS: Scenario = Scenario {
    name: "mlocker_is_moved",
    about: "The same, of two folios that are mlocked.",
    machine: LISTED.folios(2).batch(3).mlock().moves(),
    tasks: &[
        cpu(0, "mlocker", |k| mlock_folio(k, &k.folios[0])),
        cpu(0, "other", |k| mlock_folio(k, &k.folios[1])),
    ],
    ..ADDS
};

static INSTALLS: Scenario = Scenario {
    name: "installer_is_moved",
    about: "CPU0 installs bh0 in its bh_lru, and another task of CPU0 bh1. Each may be moved to \
            CPU1.",
    machine: Machine::TINY.buffer_heads(2).moves(),
    tasks: &[
        cpu(0, "installer", |k| {
            (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0]);
            brelse(Some(&k.buffer_heads[0]), USER);
        }),
        cpu(0, "other", |k| {
            (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[1]);
            brelse(Some(&k.buffer_heads[1]), USER);
        }),
    ],
    at_end: Some(bh_lrus_own_what_they_hold),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let kept = Comment {
        file: "include/linux/local_lock.h",
        says: "a local lock is of the CPU that the task is on, and keeps it there",
    };
    let batch = |scenario, states| ask(NO_BATCH_ENTRY_IS_LOST, scenario, kept, states).under(DPOR);
    vec![
        batch(&ADDS, &[TASK_WAS_MOVED, RESTED])
            .holds(&[&V6_1, &V6_12_117, &V6_12_117_RT])
            .violated_after(&[TASK_WAS_MOVED], &[&BATCH_LOOKED_UP_FIRST]),
        batch(&ACTIVATES, &[TASK_WAS_MOVED, RESTED])
            .holds(&[&V6_12_117])
            .violated_after(&[TASK_WAS_MOVED], &[&BATCH_LOOKED_UP_FIRST]),
        batch(&MLOCKS, &[TASK_WAS_MOVED, RESTED_FOR_MLOCK]).holds(&[&V6_1, &V6_12_117]),
        ask(A_BH_LRU_OWNS_WHAT_IT_HOLDS, &INSTALLS, kept, &[TASK_WAS_MOVED, INSTALLED])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117]),
    ]
}
