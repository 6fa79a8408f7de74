//! kernel-lru section B, and A2: does `migrate_prep()` of the RFCs of February 2021, or what
//! replaced it, keep buffer heads and folios out of per-CPU caches?

use selvedge_models::mm::swap::folio_add_lru;
use selvedge_models::trees::*;

use super::{EVERY, SC, WEAK, WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::calls::{Arg, Call, call};
use crate::functions::{BH_LRU_INSTALL, FOLIO_ADD_LRU, LRU_CACHE_DISABLE};
use crate::rules::*;
use crate::states::{DISABLED, INSTALL_FOUND_CACHING_DISABLED, INSTALLED, RESTED};
use crate::{Answers, Run, Scenario, ask, calls, cpu};

const DISABLE: &[Call] = &[call(LRU_CACHE_DISABLE, &[])];

pub(super) fn disable(k: &Run) {
    DISABLE[0].on_models(k);
}

pub(super) fn disable_and_enable(k: &Run) {
    disable(k);
    (k.tree.swap.lru_cache_enable())(k);
}

fn install(k: &Run) {
    (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0]);
}

fn add(k: &Run) {
    folio_add_lru(k, &k.folios[0]);
}

static INSTALL_VS_PREP: Scenario = Scenario {
    name: "install_vs_prep",
    about: "CPU0 installs a bh in its empty bh_lru; CPU1 disables caching and drains. Nobody \
            enables again: the migration is pending when we look.",
    tasks: &[
        calls(0, "installer", &[call(BH_LRU_INSTALL, &[Arg::Bh(0)])]),
        calls(1, "migrator", DISABLE),
    ],
    look: no_bh_stays,
    ..Scenario::EMPTY
};

static ADD_VS_PREP: Scenario = Scenario {
    name: "add_vs_prep",
    about: "CPU0 adds a folio to its lru_add batch, which has room for one more; CPU1 disables \
            caching and drains. The migration is pending when we look.",
    tasks: &[
        calls(0, "adder", &[call(FOLIO_ADD_LRU, &[Arg::Folio(0)])]),
        calls(1, "migrator", DISABLE),
    ],
    look: no_folio_rests,
    ..Scenario::EMPTY
};

static RETRY_AFTER_ADD: Scenario = Scenario {
    name: "freeze_is_retried_until_the_add_is_over",
    about: "CPU0 adds a folio; CPU1 disables caching and wants to freeze the folio's references. \
            Fairness is assumed: it retries until CPU0 has returned (a task that is preempted \
            between folio_get() and local_lock() keeps its reference as long as it likes).",
    look: the_last_retry_can_freeze,
    ..ADD_VS_PREP
};

static INSTALL_VS_NESTED: Scenario = Scenario {
    name: "install_vs_nested_callers",
    about: "CPU0 installs a bh; on CPU1 one task disables and enables caching, and another \
            disables it and stays inside.",
    tasks: &[
        cpu(0, "installer", install),
        cpu(1, "first", disable_and_enable),
        cpu(1, "second", disable),
    ],
    at_end: Some(|k| {
        callers_are_counted(k, 1);
        no_bh_stays(k);
    }),
    ..Scenario::EMPTY
};

static ADD_VS_NESTED: Scenario = Scenario {
    name: "add_vs_nested_callers",
    about: "CPU0 adds a folio to its batch; on CPU1 one task disables and enables caching, and \
            another disables it and stays inside.",
    tasks: &[cpu(0, "adder", add), cpu(1, "first", disable_and_enable), cpu(1, "second", disable)],
    at_end: Some(|k| {
        callers_are_counted(k, 1);
        no_folio_rests(k);
    }),
    ..Scenario::EMPTY
};

const DISABLES_NOTHING: Source = Analysis("5.11 disables nothing");
/// Under weak memory the counter may be read before it is raised: nothing orders it.
const SAME_WINDOW: Source = Analysis("same argument as kernel-lru:B3");

fn bh_stays() -> Answers {
    let lru = Source::lru;
    let installed = &[DISABLED, INSTALLED, INSTALL_FOUND_CACHING_DISABLED];
    ask(NO_BH_STAYS_WHILE_PENDING, &INSTALL_VS_PREP, lru("B4"), installed)
        .under(EVERY)
        .broken_after(&[DISABLED, INSTALLED])
        .violated_as(lru("B1"), &[&RFC_MIGRATE_PENDING])
        .violated_as(
            Analysis("as B1, the check is before bh_lru_lock()"),
            &[&RFC_MIGRATE_PENDING_BOOL],
        )
        .violated_as(
            Analysis("has_bh_in_lru() reads before the install"),
            &[&RFC_MIGRATE_PENDING_LOCKED_CHECK],
        )
        .violated_as(Analysis("the posting leaves bh_lru to its 2/2"), &[&RFC_2021_02_16])
        .violated_as(DISABLES_NOTHING, &[&V5_11])
        // The window is open while the drain's work runs on the CPU of the task that is in it.
        // 20,000 random schedules do not hit it; PCT does.
        .under(WITHOUT_RANDOM)
        .violated(&[&V5_13, &V5_15])
        .under(EVERY)
        .holds(&[&V5_18])
        .violated(&[&V5_18_CHECK_OUTSIDE])
        .violated_as(Analysis("the predicate races with the install"), &[&V5_18_NO_SYNCHRONIZE_RCU])
        .holds(&[&V6_1, &V6_12_117])
}

fn folio_rests() -> Answers {
    let lru = Source::lru;
    ask(NO_FOLIO_RESTS_WHILE_PENDING, &ADD_VS_PREP, lru("A2"), BATCHED)
        .under(SC)
        .holds_as(lru("B3"), &[&RFC_MIGRATE_PENDING])
        .under(WEAK)
        .violated_as(lru("B3"), &[&RFC_MIGRATE_PENDING])
        .under(SC)
        .holds_as(SAME_WINDOW, &[&RFC_MIGRATE_PENDING_BOOL, &RFC_MIGRATE_PENDING_LOCKED_CHECK])
        .under(WEAK)
        .violated_as(SAME_WINDOW, &[&RFC_MIGRATE_PENDING_BOOL, &RFC_MIGRATE_PENDING_LOCKED_CHECK])
        .under(EVERY)
        .holds_as(Analysis("the flushed dummy work orders the counter"), &[&RFC_2021_02_16])
        .violated_as(DISABLES_NOTHING, &[&V5_11])
        .holds(&[&V5_13, &V5_15, &V5_18])
        .under(SC)
        .holds_as(SAME_WINDOW, &[&V5_18_NO_SYNCHRONIZE_RCU])
        .under(WEAK)
        .violated_as(SAME_WINDOW, &[&V5_18_NO_SYNCHRONIZE_RCU])
        .under(EVERY)
        .holds(&[&V6_1])
        .under(SC)
        .holds_as(lru("A.6"), &[&V6_1_RT])
        .under(EVERY)
        .holds(&[&V6_12_117])
        .under(SC)
        .holds_as(lru("B.2-6"), &[&V5_13_UNFORCED])
        .under(WEAK)
        .violated_as(Analysis("no scheduled work orders the counter"), &[&V5_13_UNFORCED])
        .under(EVERY)
        .holds_as(Analysis("synchronize_rcu() orders the counter"), &[&V5_18_UNFORCED])
}

/// A folio was batched, at one time or another, and caching disabled.
const BATCHED: &[&str] = &[DISABLED, RESTED];

pub(super) fn claims() -> Vec<Answers> {
    let lru = Source::lru;
    vec![
        bh_stays(),
        folio_rests(),
        ask(NO_BH_STAYS_WHILE_PENDING, &INSTALL_VS_NESTED, lru("B5"), &[DISABLED])
            .under(SC)
            .holds(&[&V5_18, &V6_1, &V6_12_117]),
        ask(NO_FOLIO_RESTS_WHILE_PENDING, &ADD_VS_NESTED, lru("B5"), &[DISABLED])
            .under(SC)
            .holds(&[&V5_18, &V6_1]),
        ask(EXTRA_REFERENCE_IS_TRANSIENT, &RETRY_AFTER_ADD, lru("B8"), BATCHED)
            .under(EVERY)
            .holds(&[&V5_18, &V6_1, &V6_12_117])
            .under(SC)
            .holds(&[&RFC_MIGRATE_PENDING])
            .under(WEAK)
            .violated(&[&RFC_MIGRATE_PENDING]),
    ]
}
