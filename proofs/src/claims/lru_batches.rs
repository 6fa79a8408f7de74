//! kernel-lru section A: the per-CPU batches, their drains, and the ownership that PG_lru gives.

use selvedge_explore::Engine;
use selvedge_kernel::{
    KERNEL_ASSERTIONS_HOLD, Name, READ_ONCE, atomic_dec, booked, fail, fail_about, join, set_bit,
    unbooked,
};
use selvedge_models::mm::mlock::clear_page_mlock;
use selvedge_models::mm::swap::{
    folio_activate, folio_add_lru, folio_get, folio_put, folio_rotate_reclaimable, lru_add_drain,
    lru_add_drain_all,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, move_folios_to_lru};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, PG_MLOCKED, Sizes, Tree, UNEVICTABLE};
use selvedge_monitors::REFERENCES_BALANCE;
use selvedge_trace::Rule;

use super::lru_operations::entries_own_references;
use super::{EVERY, INTERRUPT, SC, WEAK};
use crate::Expected::{self, Holds, Violated};
use crate::rules::*;
use crate::{Claim, Scenario};

static ADD_AND_DRAIN_VS_DRAIN: Scenario = Scenario {
    name: "add_and_drain_vs_drain",
    about: "CPU0 adds a folio to its batch and calls lru_add_drain_all(); CPU1 is somewhere in \
            lru_add_drain_all().",
    sizes: Sizes::TINY,
    play: |k| {
        let adder = k.task(0, "adder", |k| {
            folio_add_lru(k, &k.folios[0]);
            lru_add_drain_all(k);
            own_batch_is_empty(k);
        });
        let drainer = k.task(1, "drainer", lru_add_drain_all);
        join(adder);
        join(drainer);
    },
    at_end: |_| {},
    choices: 0,
};

fn own_batch_is_empty(k: &Kernel) {
    let batch = &k.cpu_fbatches.this().lru_add;
    if READ_ONCE(&batch.nr) != 0 && !batch.entries().is_empty() {
        let message = "lru_add_drain_all() has returned, folio0 is still in its caller's batch";
        fail_about(OWN_ADDITIONS_ARE_DRAINED, message, batch.nr.object());
    }
}

pub(super) static ROTATE_INTERRUPTS_DRAIN: Scenario = Scenario {
    name: "rotate_interrupts_drain",
    about: "CPU0 has folio0 in its rotate batch and drains; an interrupt on CPU0 rotates folio1 at \
            any step. Batches of three, so that nothing is flushed for being full.",
    sizes: Sizes { cpus: 1, folios: 2, batch: 3, listed: true, ..Sizes::TINY },
    play: |k| {
        let drainer = k.task(0, "drainer", |k| {
            folio_rotate_reclaimable(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let irq = k.interrupt(0, "irq", |k| folio_rotate_reclaimable(k, &k.folios[1]));
        join(drainer);
        join(irq);
    },
    at_end: entries_own_references,
    choices: 0,
};

static DRAIN_VS_ISOLATE: Scenario = Scenario {
    name: "drain_vs_isolate",
    about: "CPU0 has the folio in its activate batch and drains it; CPU1 isolates the folio.",
    sizes: Sizes { listed: true, operations: true, ..Sizes::TINY },
    play: |k| {
        let drainer = k.task(0, "drainer", |k| {
            folio_activate(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let isolator = k.task(1, "isolator", |k| {
            folio_isolate_lru(k, &k.folios[0], Name::new("isolation"));
        });
        join(drainer);
        join(isolator);
    },
    at_end: |_| {},
    choices: 0,
};

static PUTBACK_VS_LAST_PUT: Scenario = Scenario {
    name: "putback_vs_last_put",
    about: "CPU0 puts back an isolated folio that nobody caches any more; CPU1 drops the only \
            other reference.",
    sizes: Sizes::TINY,
    play: |k| {
        let (isolation, user) = (Name::new("isolation"), Name::new("a user"));
        let folio = &k.folios[0];
        folio_get(folio, isolation);
        // The page cache's reference passes to the user: the folio was truncated.
        unbooked(&folio.refcount, Name::new("page cache"));
        booked(&folio.refcount, user);
        let reclaim = k.task(0, "reclaim", move |k| move_folios_to_lru(k, &k.folios[0], isolation));
        let putter = k.task(1, "putter", move |k| folio_put(k, &k.folios[0], user));
        join(reclaim);
        join(putter);
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if folio.freed.peek() == 0 || folio.linked.peek() != 0 {
            fail(KERNEL_ASSERTIONS_HOLD, "the folio was not freed, or is still on a list");
        }
    },
    choices: 0,
};

static ADD_VS_MUNLOCK: Scenario = Scenario {
    name: "add_vs_munlock",
    about: "CPU0 drains a mlocked folio from its lru_add batch; CPU1 clears PG_mlocked.",
    sizes: Sizes::TINY,
    play: |k| {
        set_bit(PG_MLOCKED, &k.folios[0].flags);
        let adder = k.task(0, "adder", |k| {
            folio_add_lru(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let unlocker = k.task(1, "unlocker", |k| clear_page_mlock(k, &k.folios[0]));
        join(adder);
        join(unlocker);
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if folio.linked.peek() == UNEVICTABLE && !folio.flags.peek(PG_MLOCKED) {
            let message = "folio0 is not mlocked, and on the unevictable list";
            fail_about(EVICTABLE_FOLIO_IS_NOT_STRANDED, message, folio.linked.object());
        }
    },
    choices: 0,
};

static TWO_ROTATIONS: Scenario = Scenario {
    name: "two_operations_on_one_folio",
    about: "CPU0 and CPU1 each put the folio in their rotate batch and drain it.",
    sizes: Sizes { listed: true, ..Sizes::TINY },
    play: |k| {
        let tasks = [0, 1].map(|cpu| {
            k.task(cpu, "rotator", |k| {
                folio_rotate_reclaimable(k, &k.folios[0]);
                lru_add_drain(k);
            })
        });
        tasks.into_iter().for_each(join);
    },
    at_end: entries_own_references,
    choices: 0,
};

static PUT_WITHOUT_GET: Scenario = Scenario {
    name: "put_without_get",
    about: "One task gives up a reference that nobody holds: what the ledger is there to notice.",
    sizes: Sizes { cpus: 1, ..Sizes::TINY },
    play: |k| {
        join(k.task(0, "putter", |k| {
            unbooked(&k.folios[0].refcount, Name::new("nobody"));
            atomic_dec(&k.folios[0].refcount);
        }));
    },
    at_end: |_| {},
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
    Claim { subsystem: "lru_batches", rule, scenario, tree, engines, expected, source, reached }
}

const fn drained(
    tree: &'static Tree,
    engines: &'static [Engine],
    expected: Expected,
    source: &'static str,
) -> Claim {
    let reached = match expected {
        Holds => &["a folio was left in the batch", "a drain was left to somebody else"],
        Violated => &[] as &[&str],
    };
    claim(
        &ADD_AND_DRAIN_VS_DRAIN,
        OWN_ADDITIONS_ARE_DRAINED,
        tree,
        engines,
        expected,
        source,
        reached,
    )
}

const fn rotate(tree: &'static Tree, expected: Expected) -> Claim {
    let rule = NO_BATCH_ENTRY_IS_LOST;
    claim(&ROTATE_INTERRUPTS_DRAIN, rule, tree, INTERRUPT, expected, "kernel-lru:A3", &[])
}

const fn isolate(tree: &'static Tree, expected: Expected) -> Claim {
    let reached = match expected {
        Holds => &["a folio was isolated", "a batch skipped a folio"],
        Violated => &[] as &[&str],
    };
    let rule = KERNEL_ASSERTIONS_HOLD;
    claim(&DRAIN_VS_ISOLATE, rule, tree, EVERY, expected, "kernel-lru:A4", reached)
}

const fn putback(tree: &'static Tree, expected: Expected) -> Claim {
    let reached = match expected {
        Holds => &["reclaim freed the folio", "reclaim put the folio back"],
        Violated => &[] as &[&str],
    };
    let rule = KERNEL_ASSERTIONS_HOLD;
    claim(&PUTBACK_VS_LAST_PUT, rule, tree, EVERY, expected, "kernel-lru:A5", reached)
}

const fn munlock(tree: &'static Tree, source: &'static str) -> Claim {
    let reached = &["a folio was isolated", "clear_page_mlock() could not isolate"];
    let rule = EVICTABLE_FOLIO_IS_NOT_STRANDED;
    claim(&ADD_VS_MUNLOCK, rule, tree, EVERY, Holds, source, reached)
}

const fn two(tree: &'static Tree) -> Claim {
    let reached = &["a batch skipped a folio"];
    claim(&TWO_ROTATIONS, NO_BATCH_ENTRY_IS_LOST, tree, EVERY, Holds, "kernel-lru:A7", reached)
}

pub(super) static CLAIMS: &[Claim] = &[
    drained(&V5_11, EVERY, Holds, "kernel-lru:A1"),
    drained(&V6_1, EVERY, Holds, "kernel-lru:A1"),
    drained(&V6_1_RT, SC, Holds, "kernel-lru:A.6"),
    drained(&A1B_NO_BARRIER_BEFORE_READ, SC, Holds, "kernel-lru:A1"),
    drained(&A1B_NO_BARRIER_BEFORE_READ, WEAK, Violated, "kernel-lru:A1"),
    drained(&A1C_NO_BARRIER_AFTER_BUMP, SC, Holds, "kernel-lru:A1"),
    drained(&A1C_NO_BARRIER_AFTER_BUMP, WEAK, Violated, "kernel-lru:A1"),
    drained(&V5_6, SC, Holds, "kernel-lru:A1"),
    drained(&V5_6, WEAK, Violated, "kernel-lru:A1"),
    drained(&A1D_BUMP_AFTER_LOOP, EVERY, Violated, "kernel-lru:A1"),
    claim(
        &ADD_AND_DRAIN_VS_DRAIN,
        OWN_ADDITIONS_ARE_DRAINED,
        &A1E_READ_UNDER_MUTEX,
        EVERY,
        Holds,
        "kernel-lru:A1",
        &["a folio was left in the batch"],
    ),
    rotate(&V6_1, Holds),
    rotate(&V6_1_RT, Holds),
    rotate(&A3_ROTATE_DRAIN_IRQS_ON, Violated),
    isolate(&V5_11, Holds),
    isolate(&V6_1, Holds),
    isolate(&V6_12_117, Holds),
    isolate(&A4_MOVE_WITHOUT_CLAIM, Violated),
    putback(&V6_1, Holds),
    putback(&A5_PUT_BEFORE_SET_LRU, Violated),
    munlock(&V5_11, "kernel-lru:A6"),
    munlock(&A6_NO_BARRIER_IN_LRU_ADD, "own: one word has one order; the sheet's A6 has two"),
    claim(
        &ADD_VS_MUNLOCK,
        EVICTABLE_FOLIO_IS_NOT_STRANDED,
        &A6_MLOCKED_READ_FIRST,
        EVERY,
        Violated,
        "kernel-lru:A6",
        &[],
    ),
    two(&V5_11),
    two(&V6_1),
    claim(
        &PUT_WITHOUT_GET,
        REFERENCES_BALANCE,
        &V6_1,
        EVERY,
        Violated,
        "own: nobody holds it",
        &[],
    ),
];
