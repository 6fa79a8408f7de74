//! kernel-lru section B, and A2, A8, A9: `migrate_prep()` of the RFCs of February 2021, and what
//! replaced it.

use selvedge_explore::Engine;
use selvedge_kernel::{NO_QUEUED_WORK_IS_REINITIALISED, fail, fail_about, join, reached};
use selvedge_models::fs::buffer::bh_lru_install;
use selvedge_models::mm::memory_hotplug::offline_pages;
use selvedge_models::mm::mempolicy::{do_mbind, do_migrate_pages};
use selvedge_models::mm::migrate::do_pages_move;
use selvedge_models::mm::page_alloc::__alloc_contig_migrate_range;
use selvedge_models::mm::swap::folio_add_lru;
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes, Tree};
use selvedge_trace::Rule;

use super::{ALONE, EVERY, SC, WEAK, WITHOUT_RANDOM};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

const DISABLED: &str = "caching is disabled";
const INSTALLED: &str = "a bh was installed";
const FOUND_DISABLED: &str = "bh_lru_install() found caching disabled";
const RESTED: &str = "a folio was left in the batch";

fn disable(k: &Kernel) {
    (k.tree.swap.lru_cache_disable)(k);
    reached(DISABLED);
}

fn enable(k: &Kernel) {
    (k.tree.swap.lru_cache_enable)(k);
}

/// How many callers the counter, or the bool, says are inside.
fn pending(k: &Kernel) -> i64 {
    k.pending_count.peek() + k.pending_plain.peek() as i64
}

static INSTALL_VS_PREP: Scenario = Scenario {
    name: "install_vs_prep",
    about: "CPU0 installs a bh in its empty bh_lru; CPU1 disables caching and drains. Nobody \
            enables again: the migration is pending when we look.",
    sizes: Sizes::TINY,
    play: |k| {
        let installer = k.task(0, "installer", |k| bh_lru_install(k, &k.buffer_heads[0]));
        let migrator = k.task(1, "migrator", disable);
        join(installer);
        join(migrator);
    },
    at_end: no_bh_stays,
    choices: 0,
};

fn no_bh_stays(k: &Kernel) {
    for cpu in k.cpus.online() {
        for slot in k.bh_lrus.of(cpu) {
            if let Some(bh) = slot.peek().checked_sub(1) {
                let count = k.buffer_heads[bh as usize].b_count.peek();
                let message =
                    format!("bh{bh} stays in the bh_lru of CPU{cpu}, its b_count is {count}");
                fail_about(NO_BH_STAYS_WHILE_PENDING, message, slot.object());
            }
        }
    }
}

static ADD_VS_PREP: Scenario = Scenario {
    name: "add_vs_prep",
    about: "CPU0 adds a folio to its lru_add batch, which has room for one more; CPU1 disables \
            caching and drains. The migration is pending when we look.",
    sizes: Sizes::TINY,
    play: |k| {
        let adder = k.task(0, "adder", |k| folio_add_lru(k, &k.folios[0]));
        let migrator = k.task(1, "migrator", disable);
        join(adder);
        join(migrator);
    },
    at_end: no_folio_rests,
    choices: 0,
};

fn no_folio_rests(k: &Kernel) {
    for cpu in k.cpus.online() {
        let batch = &k.cpu_fbatches.of(cpu).lru_add;
        if let Some(folio) = batch.entries().first() {
            let count = k.folios[*folio].refcount.peek();
            let message = format!(
                "folio{folio} rests in the lru_add batch of CPU{cpu}, its reference count is {count}"
            );
            fail_about(NO_FOLIO_RESTS_WHILE_PENDING, message, batch.nr.object());
        }
    }
}

static RETRY_AFTER_ADD: Scenario = Scenario {
    name: "freeze_is_retried_until_the_add_is_over",
    about: "CPU0 adds a folio; CPU1 disables caching and wants to freeze the folio's references. \
            Fairness is assumed: it retries until CPU0 has returned (a task that is preempted between \
            folio_get() and local_lock() keeps its reference as long as it likes).",
    sizes: Sizes::TINY,
    play: ADD_VS_PREP.play,
    at_end: |k| {
        let refcount = &k.folios[0].refcount;
        if refcount.peek() != 1 {
            let message = format!("the last retry finds {} references, expects 1", refcount.peek());
            fail_about(EXTRA_REFERENCE_IS_TRANSIENT, message, refcount.object());
        }
    },
    choices: 0,
};

static TWO_MIGRATORS: Scenario = Scenario {
    name: "two_migrators",
    about: "CPU0 and CPU1 each disable caching, work, and enable it.",
    sizes: Sizes::TINY,
    play: |k| {
        let migrators = [0, 1].map(|cpu| {
            k.task(cpu, "migrator", |k| {
                disable(k);
                still_disabled(k);
                enable(k);
            })
        });
        migrators.into_iter().for_each(join);
    },
    at_end: |k| counter_is(k, 0),
    choices: 0,
};

/// Between a caller's disable and its enable caching is off, whoever else comes and goes.
fn still_disabled(k: &Kernel) {
    if !(k.tree.swap.lru_cache_disabled)(k) {
        let message = "a caller that has not enabled caching yet finds it enabled";
        fail(DISABLED_UNTIL_THE_LAST_ENABLE, message);
    }
    reached("a caller is inside");
}

fn counter_is(k: &Kernel, inside: i64) {
    if pending(k) != inside {
        let message =
            format!("{} is {}, callers inside: {inside}", k.tree.pending_name, pending(k));
        fail_about(COUNTER_IS_CALLERS_INSIDE, message, k.pending_count.object());
    }
}

static INSTALL_VS_NESTED: Scenario = Scenario {
    name: "install_vs_nested_callers",
    about: "CPU0 installs a bh; on CPU1 one task disables and enables caching, and another \
            disables it and stays inside.",
    sizes: Sizes::TINY,
    play: |k| {
        let user = k.task(0, "installer", |k| bh_lru_install(k, &k.buffer_heads[0]));
        nested_callers(k, user);
    },
    at_end: |k| {
        counter_is(k, 1);
        no_bh_stays(k);
    },
    choices: 0,
};

static ADD_VS_NESTED: Scenario = Scenario {
    name: "add_vs_nested_callers",
    about: "CPU0 adds a folio to its batch; on CPU1 one task disables and enables caching, and \
            another disables it and stays inside.",
    sizes: Sizes::TINY,
    play: |k| {
        let user = k.task(0, "adder", |k| folio_add_lru(k, &k.folios[0]));
        nested_callers(k, user);
    },
    at_end: |k| {
        counter_is(k, 1);
        no_folio_rests(k);
    },
    choices: 0,
};

fn nested_callers(k: &Kernel, user: usize) {
    let first = k.task(1, "first", |k| {
        disable(k);
        enable(k);
    });
    let second = k.task(1, "second", disable);
    [user, first, second].into_iter().for_each(join);
}

static EVERY_CALLER_ONCE: Scenario = Scenario {
    name: "every_caller_once",
    about: "One task calls do_migrate_pages(), do_mbind() with and without MPOL_MF_MOVE, \
            do_pages_move() and __alloc_contig_migrate_range(), and takes every way out of each.",
    sizes: Sizes { cpus: 1, ..Sizes::TINY },
    play: |k| {
        join(k.task(0, "caller", |k| {
            // What they return is not the point; what they leave behind is.
            let _ = do_migrate_pages(k);
            let _ = do_mbind(k, true);
            let _ = do_mbind(k, false);
            let _ = do_pages_move(k);
            let _ = __alloc_contig_migrate_range(k);
            reached("every caller returned");
        }));
    },
    at_end: |k| counter_is(k, 0),
    choices: 0,
};

static OFFLINE_FAILS: Scenario = Scenario {
    name: "offline_pages_may_fail",
    about: "One task calls offline_pages(), which may fail before or after it disabled caching.",
    sizes: Sizes { cpus: 1, ..Sizes::TINY },
    play: |k| {
        join(k.task(0, "offline", |k| {
            if offline_pages(k).is_err() {
                reached("offline_pages() failed");
            }
        }));
    },
    at_end: |k| counter_is(k, 0),
    choices: 3,
};

static FINISH_THEN_PREP: Scenario = Scenario {
    name: "finish_then_prep",
    about: "One task disables, enables and disables caching; work items take their time.",
    sizes: Sizes::TINY,
    play: |k| {
        join(k.task(0, "migrator", |k| {
            disable(k);
            enable(k);
            disable(k);
        }));
    },
    at_end: |k| counter_is(k, 1),
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
    Claim { subsystem: "migrate_pending", rule, scenario, tree, engines, expected, source, reached }
}

const fn bh(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let rule = NO_BH_STAYS_WHILE_PENDING;
    let reached = match expected {
        Holds => &[DISABLED, INSTALLED, FOUND_DISABLED],
        Violated => &[] as &[&str],
    };
    claim(&INSTALL_VS_PREP, rule, tree, EVERY, expected, source, reached)
}

/// B4: the window is open while the drain's work runs on the CPU of the task that is in it. 20,000
/// random schedules do not hit it; PCT does.
const fn bh_b4(tree: &'static Tree, expected: Expected) -> Claim {
    Claim { engines: WITHOUT_RANDOM, ..bh(tree, expected, "kernel-lru:B4") }
}

const fn folio(
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
) -> Claim {
    let rule = NO_FOLIO_RESTS_WHILE_PENDING;
    let reached = match expected {
        Holds => &[DISABLED, RESTED],
        Violated => &[] as &[&str],
    };
    claim(&ADD_VS_PREP, rule, tree, engines, expected, source, reached)
}

const fn transient(tree: &'static Tree, engines: &'static [Engine], expected: Expected) -> Claim {
    let (rule, reached) = (EXTRA_REFERENCE_IS_TRANSIENT, &[DISABLED, RESTED]);
    claim(&RETRY_AFTER_ADD, rule, tree, engines, expected, "kernel-lru:B8", reached)
}

const fn until_last(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let (rule, reached) = (DISABLED_UNTIL_THE_LAST_ENABLE, &["a caller is inside"]);
    claim(&TWO_MIGRATORS, rule, tree, EVERY, expected, source, reached)
}

const fn balanced(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let (rule, reached) = (COUNTER_IS_CALLERS_INSIDE, &["every caller returned"]);
    claim(&EVERY_CALLER_ONCE, rule, tree, ALONE, expected, source, reached)
}

const fn offline(tree: &'static Tree, expected: Expected, source: &'static str) -> Claim {
    let (rule, reached) = (COUNTER_IS_CALLERS_INSIDE, &["offline_pages() failed"]);
    claim(&OFFLINE_FAILS, rule, tree, ALONE, expected, source, reached)
}

const fn nested(scenario: &'static Scenario, rule: Rule, tree: &'static Tree) -> Claim {
    claim(scenario, rule, tree, SC, Holds, "kernel-lru:B5", &[DISABLED])
}

/// B7. Under loom a work item runs where it is flushed: it cannot be slow there.
const fn requeue(
    scenario: &'static Scenario,
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
) -> Claim {
    claim(scenario, NO_QUEUED_WORK_IS_REINITIALISED, tree, engines, expected, source, &[DISABLED])
}

pub(super) static CLAIMS: &[Claim] = &[
    bh(&RFC_MIGRATE_PENDING, Violated, "kernel-lru:B1"),
    bh(&RFC_MIGRATE_PENDING_BOOL, Violated, "own: as B1, the check is before bh_lru_lock()"),
    bh(
        &RFC_MIGRATE_PENDING_LOCKED_CHECK,
        Violated,
        "own: has_bh_in_lru() reads before the install",
    ),
    bh(&RFC_2021_02_16, Violated, "own: the posting leaves bh_lru to its 2/2"),
    bh(&V5_11, Violated, "own: 5.11 disables nothing"),
    bh_b4(&V5_13, Violated),
    bh_b4(&V5_15, Violated),
    bh(&V5_18, Holds, "kernel-lru:B4"),
    bh(&V5_18_CHECK_OUTSIDE, Violated, "kernel-lru:B4"),
    bh(&V5_18_NO_SYNCHRONIZE_RCU, Violated, "own: the predicate races with the install"),
    bh(&V6_1, Holds, "kernel-lru:B4"),
    bh(&V6_12_117, Holds, "kernel-lru:B4"),
    folio(&RFC_MIGRATE_PENDING, SC, Holds, "kernel-lru:B3"),
    folio(&RFC_MIGRATE_PENDING, WEAK, Violated, "kernel-lru:B3"),
    folio(&RFC_MIGRATE_PENDING_BOOL, SC, Holds, "own: as B3"),
    folio(&RFC_MIGRATE_PENDING_BOOL, WEAK, Violated, "own: as B3"),
    folio(&RFC_MIGRATE_PENDING_LOCKED_CHECK, SC, Holds, "own: as B3, the patch is about bh_lru"),
    folio(&RFC_MIGRATE_PENDING_LOCKED_CHECK, WEAK, Violated, "own: as B3"),
    folio(&RFC_2021_02_16, EVERY, Holds, "own: the flushed dummy work orders the counter"),
    folio(&V5_11, EVERY, Violated, "own: 5.11 disables nothing"),
    folio(&V5_13, EVERY, Holds, "kernel-lru:A2"),
    folio(&V5_15, EVERY, Holds, "kernel-lru:A2"),
    folio(&V5_18, EVERY, Holds, "kernel-lru:A2"),
    folio(&V5_18_NO_SYNCHRONIZE_RCU, SC, Holds, "own: as B3"),
    folio(&V5_18_NO_SYNCHRONIZE_RCU, WEAK, Violated, "own: as B3"),
    folio(&V6_1, EVERY, Holds, "kernel-lru:A2"),
    folio(&V6_1_RT, SC, Holds, "kernel-lru:A.6"),
    folio(&V6_12_117, EVERY, Holds, "kernel-lru:A2"),
    folio(&V5_13_UNFORCED, SC, Holds, "kernel-lru:B.2, 6"),
    folio(&V5_13_UNFORCED, WEAK, Violated, "own: no scheduled work orders the counter"),
    folio(&V5_18_UNFORCED, EVERY, Holds, "own: synchronize_rcu() orders the counter"),
    nested(&INSTALL_VS_NESTED, NO_BH_STAYS_WHILE_PENDING, &V5_18),
    nested(&INSTALL_VS_NESTED, NO_BH_STAYS_WHILE_PENDING, &V6_1),
    nested(&ADD_VS_NESTED, NO_FOLIO_RESTS_WHILE_PENDING, &V5_18),
    nested(&ADD_VS_NESTED, NO_FOLIO_RESTS_WHILE_PENDING, &V6_1),
    transient(&V5_18, EVERY, Holds),
    transient(&V6_1, EVERY, Holds),
    transient(&RFC_MIGRATE_PENDING, SC, Holds),
    transient(&RFC_MIGRATE_PENDING, WEAK, Violated),
    until_last(&RFC_MIGRATE_PENDING, Holds, "kernel-lru:A8"),
    until_last(&RFC_MIGRATE_PENDING_BOOL, Violated, "kernel-lru:A8"),
    until_last(&V6_1, Holds, "kernel-lru:A8"),
    balanced(&RFC_MIGRATE_PENDING, Holds, "kernel-lru:B6"),
    balanced(&V6_1, Holds, "kernel-lru:B6"),
    offline(&V5_13, Violated, "kernel-lru:A9"),
    offline(&V5_15, Holds, "kernel-lru:A9"),
    offline(&V6_1, Holds, "kernel-lru:A9"),
    requeue(&FINISH_THEN_PREP, &RFC_2021_02_16, SC, Violated, "kernel-lru:B7"),
    requeue(&TWO_MIGRATORS, &RFC_2021_02_16, SC, Violated, "kernel-lru:B7"),
    requeue(&FINISH_THEN_PREP, &V6_1, ALONE, Holds, "own: the flush before the return"),
    requeue(&TWO_MIGRATORS, &V6_1, SC, Holds, "own: the mutex and the flush"),
];
