//! The locks of the mlock batch and of the LRU lists, one function at a time against a move of
//! another folio: without one of them an entry, or the size of a list, is lost.

use selvedge_kernel::{clear_bit, plain_write, set_bit};
use selvedge_models::mm::compaction::{CompactControl, isolate_migratepages_block};
use selvedge_models::mm::migrate::{ISOLATION, Migrator, Mode};
use selvedge_models::mm::mlock::{mlock_folio, mlock_new_folio, munlock_folio};
use selvedge_models::mm::swap::{folio_deactivate, lru_add_drain, lru_add_drain_all};
use selvedge_models::mm::vmscan::{isolate_lru_folios, scan_folios};
use selvedge_models::trees::*;
use selvedge_models::{Machine, NOT_LINKED, PG_ACTIVE, PG_LRU};

use super::DPOR;
use super::lru_flag::{LISTED, activate_and_drain};
use crate::Source::{self, Comment};
use crate::rules::*;
use crate::states::{DRAIN_WORKED, MADE_UNEVICTABLE, RESTED, RESTED_FOR_MLOCK, SKIPPED};
use crate::{Answers, Run, Scenario, Task, ask, cpu};

const MLOCKING: Machine = LISTED.folios(2).mlock();

fn mlock_other(k: &Run) {
    mlock_folio(k, &k.folios[1]);
}

/// folio1 rests in the mlock batch of CPU0.
const ONE_RESTS: &[Task] = &[cpu(0, "user", mlock_other)];

fn drain_all(k: &Run) {
    lru_add_drain_all(k);
}

static MLOCK: Scenario = Scenario {
    name: "mlock_under_the_drain",
    about: "folio1 rests in CPU0's mlock batch. CPU0 mlocks folio0 while CPU1 drains every CPU: a \
            kworker of CPU0 empties the batch.",
    machine: MLOCKING,
    before: ONE_RESTS,
    tasks: &[cpu(0, "user", |k| mlock_folio(k, &k.folios[0])), cpu(1, "drainer", drain_all)],
    at_end: Some(entries_own_references),
    ..Scenario::EMPTY
};

static MUNLOCK: Scenario = Scenario {
    name: "munlock_under_the_drain",
    about: "The same, of a munlock.",
    tasks: &[cpu(0, "user", |k| munlock_folio(k, &k.folios[0])), cpu(1, "drainer", drain_all)],
    ..MLOCK
};

/// folio0 is new: on no list.
fn new_folio(k: &Run) {
    clear_bit(PG_LRU, &k.folios[0].flags);
    plain_write(&k.folios[0].linked, NOT_LINKED);
    plain_write(&k.lru_size, 1);
}

static MLOCK_NEW: Scenario = Scenario {
    name: "mlock_of_a_new_folio_under_the_drain",
    about: "The same, of a new folio.",
    machine: MLOCKING.lru_size(),
    setup: new_folio,
    tasks: &[cpu(0, "user", |k| mlock_new_folio(k, &k.folios[0])), cpu(1, "drainer", drain_all)],
    ..MLOCK
};

static SIZE_AND_MLOCK_NEW: Scenario = Scenario {
    begins: &[],
    look: |_| {},
    name: "mlock_new_folio0_munlock_folio1",
    about: "folio1 is mlocked. CPU0 mlocks folio0, which is new, and drains; CPU1 munlocks folio1 \
            and drains.",
    machine: MLOCK_NEW.machine,
    setup: new_folio,
    before: &[cpu(1, "user", |k| {
        mlock_other(k);
        lru_add_drain(k);
    })],
    tasks: &[
        cpu(0, "user", |k| {
            mlock_new_folio(k, &k.folios[0]);
            lru_add_drain(k);
        }),
        cpu(1, "user", |k| {
            munlock_folio(k, &k.folios[1]);
            lru_add_drain(k);
        }),
    ],
    at_end: Some(size_is_linked_folios),
};

static SIZE_AND_RECLAIM: Scenario = Scenario {
    name: "activate_folio0_reclaim",
    about: "CPU0 activates folio0 and drains; CPU1 isolates what reclaim would.",
    machine: LISTED.folios(2).lru_size(),
    tasks: &[
        cpu(0, "activator", activate_and_drain),
        cpu(1, "reclaim", |k| {
            isolate_lru_folios(k, ISOLATION);
        }),
    ],
    at_end: Some(size_is_linked_folios),
    ..Scenario::EMPTY
};

static SIZE_AND_AGING: Scenario = Scenario {
    name: "activate_folio0_age",
    about: "CPU0 activates folio0 and drains; CPU1 isolates what the oldest generation has.",
    tasks: &[
        cpu(0, "activator", activate_and_drain),
        cpu(1, "reclaim", |k| {
            scan_folios(k, ISOLATION);
        }),
    ],
    ..SIZE_AND_RECLAIM
};

/// Compaction has taken a folio off the LRU.
pub(super) const COMPACTED: &str = "compaction isolated a folio";

/// Compaction isolates what is on the LRU.
pub(super) fn isolate_for_compaction(k: &Run) {
    let who = Migrator { mode: Mode::Async, memalloc: false };
    isolate_migratepages_block(k, CompactControl { who, may_enter_fs: true });
}

static SIZE_AND_COMPACTION: Scenario = Scenario {
    name: "activate_folio0_isolate_for_compaction",
    about: "CPU0 activates folio0 and drains; CPU1 isolates what compaction would.",
    tasks: &[cpu(0, "activator", activate_and_drain), cpu(1, "compaction", isolate_for_compaction)],
    ..SIZE_AND_RECLAIM
};

static DEACTIVATE: Scenario = Scenario {
    name: "deactivate_under_the_drain",
    about: "Both folios are active, and folio1 rests in CPU0's deactivate batch. CPU0 deactivates \
            folio0 while CPU1 drains every CPU: a kworker of CPU0 empties the batch.",
    machine: LISTED.folios(2),
    setup: |k| k.folios.iter().for_each(|folio| set_bit(PG_ACTIVE, &folio.flags)),
    before: &[cpu(0, "user", |k| folio_deactivate(k, &k.folios[1]))],
    tasks: &[cpu(0, "user", |k| folio_deactivate(k, &k.folios[0])), cpu(1, "drainer", drain_all)],
    ..MLOCK
};

pub(super) fn claims() -> Vec<Answers> {
    let batch = Comment { file: "mm/mlock.c", says: "mlock_fbatch.lock" };
    let lost = |scenario| ask(NO_BATCH_ENTRY_IS_LOST, scenario, batch, &[DRAIN_WORKED]).under(DPOR);
    let size = |scenario, reached| {
        ask(LRU_SIZE_IS_LINKED_FOLIOS, scenario, Source::lru("O2"), reached)
            .under(DPOR)
            .holds(&[&V6_12_117])
    };
    vec![
        lost(&MLOCK).holds(&[&V6_12_117]),
        lost(&MUNLOCK).holds(&[&V6_12_117]),
        lost(&MLOCK_NEW).holds(&[&V6_12_117]),
        ask(NO_BATCH_ENTRY_IS_LOST, &DEACTIVATE, Source::lru("0.2"), &[DRAIN_WORKED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        size(&SIZE_AND_MLOCK_NEW, &[RESTED_FOR_MLOCK, MADE_UNEVICTABLE]),
        size(&SIZE_AND_RECLAIM, &[RESTED, SKIPPED]),
        size(&SIZE_AND_AGING, &[RESTED, SKIPPED]),
        size(&SIZE_AND_COMPACTION, &[RESTED, SKIPPED, COMPACTED]),
    ]
}
