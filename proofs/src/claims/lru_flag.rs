//! kernel-lru section D, the rest: what PG_lru says about a folio, to reclaim, to isolation and to
//! mlock, while batches hold it.

use selvedge_kernel::{KERNEL_ASSERTIONS_HOLD, Name, fail_about, join, set_bit};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::{mlock_drain_local, mlock_folio};
use selvedge_models::mm::swap::{
    deactivate_file_folio, folio_activate, folio_add_lru, folio_get, folio_put,
    folio_rotate_reclaimable, lru_add_drain, lru_add_drain_all,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, isolate_lru_folios, pageout, scan_folios};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, NOT_LINKED, PAGE_CACHE, PG_LRU, PG_MLOCKED, Sizes, UNEVICTABLE};
use selvedge_trace::Rule;

use super::{ALONE, EVERY, SC, SC_WITHOUT_RANDOM};
use crate::rules::*;
use crate::{Claim, Scenario, Topic};

/// A folio on the LRU; batches of three, so that two entries rest.
const LISTED: Sizes = Sizes { listed: true, operations: true, batch: 3, ..Sizes::TINY };

fn is_in_batch(k: &Kernel, folio: usize) -> usize {
    let batches = k.cpus.online().flat_map(|cpu| {
        let [_, moving @ ..] = k.cpu_fbatches.of(cpu).all();
        moving
    });
    batches.filter(|batch| batch.entries().contains(&folio)).count()
}

static ADD_THEN_ISOLATE: Scenario = Scenario {
    name: "activate_vs_drain_and_isolate",
    about: "CPU0 activates the folio; CPU1 drains every CPU and isolates the folio, of which it has \
            a reference.",
    sizes: LISTED,
    play: |k| {
        let user = k.task(0, "user", |k| folio_activate(k, &k.folios[0]));
        let isolator = k.task(1, "isolator", |k| {
            lru_add_drain_all(k);
            if !folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                let message = "folio0 cannot be isolated, and nobody else has isolated it";
                fail_about(DRAINED_FOLIO_CAN_BE_ISOLATED, message, k.folios[0].flags.object());
            }
        });
        join(user);
        join(isolator);
    },
    at_end: |_| {},
    choices: 0,
};

static TWO_BATCHES_AND_ISOLATE: Scenario = Scenario {
    name: "two_activate_batches_and_isolate",
    about: "CPU0 and CPU1 each activate the folio and drain their batches; CPU2 isolates it.",
    sizes: Sizes { cpus: 3, ..LISTED },
    play: |k| {
        let users = [0, 1].map(|cpu| {
            k.task(cpu, "user", |k| {
                folio_activate(k, &k.folios[0]);
                lru_add_drain(k);
            })
        });
        let isolator = k.task(2, "isolator", |k| {
            folio_isolate_lru(k, &k.folios[0], ISOLATION);
        });
        users.into_iter().for_each(join);
        join(isolator);
    },
    at_end: |_| {},
    choices: 0,
};

static ACTIVATE_VS_LAST_PUT: Scenario = Scenario {
    name: "activate_vs_last_put",
    about: "CPU0 has a reference, activates the folio, drops the reference and drains; CPU1 drops the \
            page cache's. (Without a reference of its own CPU0 would use a freed folio in any tree.)",
    sizes: LISTED,
    play: |k| {
        let user = Name::new("user");
        folio_get(&k.folios[0], user);
        let adder = k.task(0, "user", move |k| {
            folio_activate(k, &k.folios[0]);
            folio_put(k, &k.folios[0], user);
            lru_add_drain(k);
        });
        let putter = k.task(1, "putter", |k| folio_put(k, &k.folios[0], PAGE_CACHE));
        join(adder);
        join(putter);
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if folio.freed.peek() != 0 && folio.linked.peek() != NOT_LINKED {
            let message = "folio0 was freed, and is linked";
            fail_about(NO_FREED_FOLIO_IS_LINKED, message, folio.linked.object());
        }
    },
    choices: 0,
};

static RECLAIM_AND_RESTING_FOLIO: Scenario = Scenario {
    name: "reclaim_after_activate",
    about: "The only folio of the list rests in CPU0's activate batch. Then CPU1 reclaims.",
    sizes: LISTED,
    play: |k| {
        join(k.task(0, "user", |k| folio_activate(k, &k.folios[0])));
        join(k.task(1, "reclaim", |k| {
            if isolate_lru_folios(k, ISOLATION).is_empty() {
                let message = "reclaim isolated nothing: PG_lru of the linked folio0 is clear";
                fail_about(W1, message, k.folios[0].flags.object());
            }
        }));
    },
    at_end: |_| {},
    choices: 0,
};

static MGLRU_AND_RESTING_FOLIO: Scenario = Scenario {
    name: "mglru_after_activate",
    about: "The only folio of the oldest generation rests in CPU0's activate batch. Then CPU1 scans \
            that generation.",
    sizes: LISTED,
    play: |k| {
        join(k.task(0, "user", |k| folio_activate(k, &k.folios[0])));
        join(k.task(1, "reclaim", |k| {
            let scanned = scan_folios(k, ISOLATION);
            if scanned.isolated.is_empty() && !scanned.can_age {
                let message = "folio0 was not isolated, and keeps its generation from ageing";
                fail_about(OLDEST_GENERATION_AGES, message, k.folios[0].flags.object());
            }
        }));
    },
    at_end: |_| {},
    choices: 0,
};

static ACTIVATED_AT_REST: Scenario = Scenario {
    name: "activated_at_rest",
    about: "CPU0 activates the folio, which rests in its batch.",
    sizes: Sizes { cpus: 1, ..LISTED },
    play: |k| join(k.task(0, "user", |k| folio_activate(k, &k.folios[0]))),
    at_end: |k| {
        let folio = &k.folios[0];
        if !folio.flags.peek(PG_LRU) && folio.linked.peek() != NOT_LINKED {
            let message = "folio0 has PG_lru clear, and is linked";
            fail_about(W2, message, folio.flags.object());
        }
    },
    choices: 0,
};

static PAGEOUT_OF_BATCHED_FOLIO: Scenario = Scenario {
    name: "pageout_after_activate",
    about: "The folio rests in CPU0's activate batch. Then CPU1 reclaims, and if it can isolate the \
            folio, wants to write it.",
    sizes: LISTED,
    play: |k| {
        join(k.task(0, "user", |k| folio_activate(k, &k.folios[0])));
        join(k.task(1, "reclaim", |k| {
            if !isolate_lru_folios(k, ISOLATION).is_empty() && pageout(k, &k.folios[0]) {
                let message = "folio0 was written, though a batch has a reference";
                fail_about(W3, message, k.folios[0].refcount.object());
            }
        }));
    },
    at_end: |_| {},
    choices: 0,
};

/// Who else wants the folio: a batch of CPU1, and isolation on CPU2.
fn three_want_it(k: &Kernel) {
    let user = k.task(0, "user", |k| folio_activate(k, &k.folios[0]));
    let irq = k.task(1, "writeback", |k| folio_rotate_reclaimable(k, &k.folios[0]));
    let isolator = k.task(2, "isolator", |k| {
        if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
            selvedge_kernel::plain_write(&k.outcome, 1);
        }
    });
    [user, irq, isolator].into_iter().for_each(join);
}

static TWO_I1: Scenario = Scenario {
    name: "activate_vs_rotate",
    about: "CPU0 activates the folio, CPU1 rotates it. The callers have references of their own.",
    sizes: LISTED,
    play: |k| {
        let user = k.task(0, "user", |k| folio_activate(k, &k.folios[0]));
        let other = k.task(1, "writeback", |k| folio_rotate_reclaimable(k, &k.folios[0]));
        join(user);
        join(other);
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if is_in_batch(k, 0) > 0 && folio.flags.peek(PG_LRU) {
            fail_about(I1, "folio0 is in a batch with PG_lru set", folio.flags.object());
        }
    },
    choices: 0,
};

static THREE_I2: Scenario = Scenario {
    name: "activate_rotate_isolate",
    about: "CPU0 activates the folio, CPU1 rotates it, CPU2 isolates it. The callers have references \
            of their own.",
    sizes: Sizes { cpus: 3, ..LISTED },
    play: |k| three_want_it(k),
    at_end: |k| {
        let count = is_in_batch(k, 0);
        if count > 1 {
            let message = format!("folio0 is in {count} batches");
            fail_about(I2, message, k.folios[0].refcount.object());
        }
    },
    choices: 0,
};

static THREE_I3: Scenario = Scenario {
    name: "isolate_activate_rotate",
    at_end: |k| {
        if k.outcome.peek() == 1 && is_in_batch(k, 0) > 0 {
            let message = "folio0 is isolated, and in a batch";
            fail_about(I3, message, k.folios[0].refcount.object());
        }
    },
    ..THREE_I2
};

static DEACTIVATE_ISOLATED: Scenario = Scenario {
    name: "deactivate_after_isolate",
    about: "CPU1 has isolated the folio. Then CPU0 calls deactivate_file_folio().",
    sizes: LISTED,
    play: |k| {
        join(k.task(1, "isolator", |k| {
            folio_isolate_lru(k, &k.folios[0], ISOLATION);
        }));
        join(k.task(0, "user", |k| deactivate_file_folio(k, &k.folios[0])));
    },
    at_end: no_batch_reference,
    choices: 0,
};

static DEACTIVATE_VS_ISOLATE: Scenario = Scenario {
    name: "deactivate_vs_isolate",
    about: "CPU1 isolates the folio while CPU0 calls deactivate_file_folio().",
    play: |k| {
        let isolator = k.task(1, "isolator", |k| {
            if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                selvedge_kernel::plain_write(&k.outcome, 1);
            }
        });
        let user = k.task(0, "user", |k| deactivate_file_folio(k, &k.folios[0]));
        join(isolator);
        join(user);
    },
    at_end: |k| {
        if k.outcome.peek() == 1 {
            no_batch_reference(k);
        }
    },
    ..DEACTIVATE_ISOLATED
};

fn no_batch_reference(k: &Kernel) {
    if is_in_batch(k, 0) > 0 {
        let message = "folio0 is isolated, and a batch has a reference";
        fail_about(ISOLATED_FOLIO_GAINS_NO_BATCH, message, k.folios[0].refcount.object());
    }
}

static ACTIVATE_MLOCK_DRAIN: Scenario = Scenario {
    name: "activate_then_mlock_and_drain",
    about: "One CPU: the folio is activated, and rests in a batch; it is mlocked and the mlock batch \
            drained; then all batches are drained.",
    sizes: Sizes { cpus: 1, mlock: true, ..LISTED },
    play: |k| {
        join(k.task(0, "user", |k| {
            folio_activate(k, &k.folios[0]);
            mlock_folio(k, &k.folios[0]);
            mlock_drain_local(k);
            lru_add_drain_all(k);
        }));
    },
    at_end: mlocked_is_unevictable,
    choices: 0,
};

static ACTIVATE_VS_MLOCK: Scenario = Scenario {
    name: "activate_and_drain_vs_mlock_and_drain",
    about: "CPU0 activates the folio and drains its batches while CPU1 mlocks it and drains its own.",
    sizes: Sizes { mlock: true, ..LISTED },
    play: |k| {
        let user = k.task(0, "user", |k| {
            folio_activate(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let locker = k.task(1, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        join(user);
        join(locker);
    },
    at_end: mlocked_is_unevictable,
    choices: 0,
};

fn mlocked_is_unevictable(k: &Kernel) {
    let folio = &k.folios[0];
    let listed = folio.linked.peek() == UNEVICTABLE;
    // Up to 5.17 nothing is counted.
    let counted = k.tree.mlock == selvedge_models::mm::mlock::Mlock::Isolates
        || folio.mlock_count.peek() == 1;
    if folio.flags.peek(PG_MLOCKED) && !(listed && counted) {
        let what = if listed { "not counted" } else { "not on the unevictable list" };
        let message = format!("folio0 is mlocked, all batches are drained, and it is {what}");
        fail_about(MLOCKED_FOLIO_IS_UNEVICTABLE, message, folio.linked.object());
    }
}

static MLOCKED_WHILE_ADDED: Scenario = Scenario {
    name: "mlock_while_in_lru_add_batch",
    about: "A folio that is mlocked while it is in the lru_add batch: the drain finds PG_mlocked.",
    sizes: Sizes { cpus: 1, mlock: true, batch: 3, ..Sizes::TINY },
    play: |k| {
        join(k.task(0, "user", |k| {
            folio_add_lru(k, &k.folios[0]);
            set_bit(PG_MLOCKED, &k.folios[0].flags);
            lru_add_drain(k);
        }));
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if folio.linked.peek() != UNEVICTABLE {
            let message = "folio0 is mlocked, and not on the unevictable list";
            fail_about(MLOCKED_FOLIO_IS_UNEVICTABLE, message, folio.linked.object());
        }
    },
    choices: 0,
};

static RECLAIM_VS_LAST_PUT: Scenario = Scenario {
    name: "reclaim_vs_last_put",
    about: "CPU0 drops the last reference of a folio on the list; CPU1 reclaims.",
    sizes: Sizes { listed: true, ..Sizes::TINY },
    play: |k| {
        let putter = k.task(0, "putter", |k| folio_put(k, &k.folios[0], PAGE_CACHE));
        let reclaim = k.task(1, "reclaim", |k| {
            for index in isolate_lru_folios(k, ISOLATION) {
                folio_put(k, &k.folios[index], ISOLATION);
            }
        });
        join(putter);
        join(reclaim);
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if folio.freed.peek() != 0 && folio.linked.peek() != NOT_LINKED {
            let message = "folio0 was freed, and is linked";
            fail_about(NO_FREED_FOLIO_IS_LINKED, message, folio.linked.object());
        }
    },
    choices: 0,
};

static LARGE_FOLIO: Scenario = Scenario {
    name: "large_folio_is_added_and_activated",
    about: "A large folio is added, activated and mlocked, on one CPU.",
    sizes: Sizes { cpus: 1, large: true, operations: true, mlock: true, batch: 3, ..Sizes::TINY },
    play: |k| {
        join(k.task(0, "user", |k| {
            folio_add_lru(k, &k.folios[0]);
            folio_activate(k, &k.folios[0]);
            mlock_folio(k, &k.folios[0]);
        }));
    },
    at_end: |k| {
        let count = k.folios[0].refcount.peek();
        if count != 1 {
            let message = format!("folio0 has {count} references: a batch keeps it");
            fail_about(LARGE_FOLIO_RESTS_NOWHERE, message, k.folios[0].refcount.object());
        }
    },
    choices: 0,
};

const fn topic(
    scenario: &'static Scenario,
    rule: Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "lru_flag", rule, scenario, source, reached }
}

const RESTS: &[&str] = &["a folio was left in the batch"];
const ISOLATED: &[&str] = &["a folio was left in the batch", "a folio was isolated"];

const D4: Topic =
    topic(&ADD_THEN_ISOLATE, DRAINED_FOLIO_CAN_BE_ISOLATED, "kernel-lru:D4", ISOLATED);
const D6: Topic =
    topic(&TWO_BATCHES_AND_ISOLATE, KERNEL_ASSERTIONS_HOLD, "kernel-lru:D6", ISOLATED);
const D7: Topic = topic(
    &ACTIVATE_VS_LAST_PUT,
    NO_FREED_FOLIO_IS_LINKED,
    "kernel-lru:D7",
    &["a folio was freed", "a folio was left in the batch"],
);
const D9: Topic = topic(&RECLAIM_AND_RESTING_FOLIO, W1, "kernel-lru:D9", RESTS);
const D9_MGLRU: Topic =
    topic(&MGLRU_AND_RESTING_FOLIO, OLDEST_GENERATION_AGES, "commit:0885ef470560", RESTS);
const D3_W2: Topic = topic(&ACTIVATED_AT_REST, W2, "kernel-lru:D.3", RESTS);
const D3_W3: Topic = topic(&PAGEOUT_OF_BATCHED_FOLIO, W3, "kernel-lru:D.3", RESTS);
const D1_I1: Topic = topic(&TWO_I1, I1, "kernel-lru:D.1", RESTS);
const D1_I2: Topic = topic(&THREE_I2, I2, "kernel-lru:D.1", ISOLATED);
const D1_I3: Topic = topic(&THREE_I3, I3, "kernel-lru:D.1", ISOLATED);
const D12: Topic = topic(
    &DEACTIVATE_ISOLATED,
    ISOLATED_FOLIO_GAINS_NO_BATCH,
    "kernel-lru:D12",
    &["a folio was isolated"],
);
const D12_RACE: Topic =
    topic(&DEACTIVATE_VS_ISOLATE, ISOLATED_FOLIO_GAINS_NO_BATCH, "kernel-lru:D12", ISOLATED);
const MLOCK_IN_TURN: Topic = topic(
    &ACTIVATE_MLOCK_DRAIN,
    MLOCKED_FOLIO_IS_UNEVICTABLE,
    "own: the mlock batch clears PG_lru itself",
    &["a folio was left in the batch"],
);
const MLOCK_RACE: Topic =
    topic(&ACTIVATE_VS_MLOCK, MLOCKED_FOLIO_IS_UNEVICTABLE, "own: kernel-lru:A.5", RESTS);
const MLOCK_ADDED: Topic =
    topic(&MLOCKED_WHILE_ADDED, MLOCKED_FOLIO_IS_UNEVICTABLE, "kernel-lru:A.5", RESTS);
const RECLAIM: Topic = topic(
    &RECLAIM_VS_LAST_PUT,
    NO_FREED_FOLIO_IS_LINKED,
    "kernel-lru:D.2",
    &["a folio was freed", "reclaim met a folio that is being freed"],
);
const LARGE: Topic = topic(&LARGE_FOLIO, LARGE_FOLIO_RESTS_NOWHERE, "kernel-lru:A.2", &[]);

pub(super) static CLAIMS: &[Claim] = &[
    D4.violated(&SEED_002_V4, SC),
    D4.violated(&V6_11, SC),
    D4.holds(&V6_10, SC),
    D4.holds(&V6_12_117, SC),
    D6.holds(&V6_1, SC),
    D6.holds(&V6_10, SC),
    D6.holds(&SEED_002_V4, SC),
    D6.holds(&V6_12_117, SC),
    D6.violated(&A4_MOVE_WITHOUT_CLAIM, SC),
    D7.holds(&SEED_002_V4, SC),
    D7.holds(&V6_11, SC),
    // The sheet has it violated, for a caller without a reference: see the scenario.
    D7.from("own: harmless, since every caller has a reference").holds(&D7_CLEAR_THEN_GET, SC),
    D9.violated(&SEED_002_V4, ALONE),
    D9.violated(&V6_11, ALONE),
    D9.holds(&V6_1, ALONE),
    D9.holds(&V6_10, ALONE),
    D9.holds(&V6_12_117, ALONE),
    D9.holds(&V6_17, ALONE),
    D9_MGLRU.violated(&SEED_002_V4, ALONE),
    D9_MGLRU.violated(&V6_11, ALONE),
    D9_MGLRU.holds(&V6_11_5, ALONE),
    D9_MGLRU.holds(&V6_10, ALONE),
    D9_MGLRU.holds(&V6_12_117, ALONE),
    D3_W2.violated(&SEED_002_V4, ALONE),
    D3_W2.holds(&V6_10, ALONE),
    D3_W2.holds(&V6_12_117, ALONE),
    D3_W3.holds(&V6_10, ALONE),
    D3_W3.holds(&SEED_002_V4, ALONE),
    D3_W3.holds(&V6_12_117, ALONE),
    D3_W3.violated(&PAGEOUT_ALWAYS, ALONE),
    D1_I1.holds(&SEED_002_V4, SC),
    D1_I1.violated(&V6_10, SC),
    D1_I2.holds(&SEED_002_V4, SC),
    D1_I2.violated(&V6_10, SC),
    D1_I3.holds(&SEED_002_V4, SC),
    D1_I3.violated(&V6_10, SC),
    D1_I3.violated(&V6_12_117, SC),
    D12.violated(&V6_1, ALONE),
    D12.holds(&SEED_002_V4, ALONE),
    D12.holds(&V6_12_117, ALONE),
    D12_RACE.violated(&V6_12_117, SC),
    D12_RACE.holds(&SEED_002_V4, SC),
    MLOCK_IN_TURN.holds(&V5_11, ALONE),
    MLOCK_IN_TURN.holds(&V5_13, ALONE),
    MLOCK_IN_TURN.holds(&V5_15, ALONE),
    MLOCK_IN_TURN.holds(&V5_18, ALONE),
    MLOCK_IN_TURN.holds(&V6_1, ALONE),
    MLOCK_IN_TURN.holds(&V6_1_192, ALONE),
    MLOCK_IN_TURN.holds(&V6_6, ALONE),
    MLOCK_IN_TURN.violated(&V6_11_5, ALONE),
    MLOCK_IN_TURN.holds(&V6_10, ALONE),
    MLOCK_IN_TURN.violated(&SEED_002_V4, ALONE),
    MLOCK_IN_TURN.violated(&V6_11, ALONE),
    MLOCK_IN_TURN.holds(&V6_12_117, ALONE),
    MLOCK_IN_TURN.holds(&V6_17, ALONE),
    MLOCK_RACE.violated(&V5_11, SC),
    MLOCK_RACE.violated(&V6_1, SC),
    MLOCK_RACE.violated(&V6_10, SC),
    MLOCK_RACE.violated(&SEED_002_V4, SC),
    MLOCK_RACE.violated(&V6_12_117, SC),
    // In 5.10 and before a batch left PG_lru set while it moved a folio; that is not modelled.
    MLOCK_ADDED.holds(&V5_11, ALONE),
    MLOCK_ADDED.holds(&V6_1, ALONE),
    RECLAIM.holds(&V6_1, EVERY),
    RECLAIM.violated(&ISOLATE_CLEAR_THEN_GET, SC_WITHOUT_RANDOM),
    LARGE.holds(&V6_1, ALONE),
    LARGE.holds(&SEED_002_V4, ALONE),
    LARGE.from("own: what the step is there for").violated(&BATCH_LARGE_FOLIO, ALONE),
];
