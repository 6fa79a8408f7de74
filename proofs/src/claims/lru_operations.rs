//! What always holds of the batches that move folios, of mlock and of isolation; and who notices if
//! one of their references, locks or flags is missing.

use selvedge_kernel::{KERNEL_ASSERTIONS_HOLD, atomic_read, fail_about, join};
use selvedge_models::mm::migrate::ISOLATION;
use selvedge_models::mm::mlock::{MlockEntry, mlock_folio, mlock_new_folio, munlock_folio};
use selvedge_models::mm::swap::{
    folio_activate, folio_add_lru, folio_put, folio_rotate_reclaimable, lru_add_drain,
    lru_add_drain_all,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, folio_putback_lru};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, NOT_LINKED, PAGE_CACHE, PG_LRU, PG_MLOCKED, Sizes, UNEVICTABLE};
use selvedge_monitors::REFERENCES_BALANCE;
use selvedge_trace::Rule;

use super::{SC, SC_WITHOUT_RANDOM};
use crate::rules::*;
use crate::{Claim, Scenario, Topic};

/// Folios on the LRU; batches of three, so that two entries rest.
const LISTED: Sizes = Sizes { listed: true, operations: true, batch: 3, ..Sizes::TINY };

/// Each entry of a batch owns a reference, the page cache another; counts are those of the entries.
pub(super) fn entries_own_references(k: &Kernel) {
    for cpu in k.cpus.online() {
        for batch in k.cpu_fbatches.of(cpu).all() {
            if batch.nr.peek() as usize != batch.entries().len() {
                let entries = batch.entries().len();
                let (name, nr) = (batch.nr.name(), batch.nr.peek());
                let message = format!("{name} is {nr}, entries: {entries}");
                fail_about(NO_BATCH_ENTRY_IS_LOST, message, batch.nr.object());
            }
        }
    }
    for folio in &k.folios {
        let in_batches = k.cpus.online().flat_map(|cpu| k.cpu_fbatches.of(cpu).all());
        let moved = in_batches.flat_map(|batch| batch.entries()).filter(|&f| f == folio.index);
        let mlocked = k.cpus.online().flat_map(|cpu| k.mlock_fbatch.of(cpu).entries());
        let mlocked = mlocked.filter(|entry| {
            let (MlockEntry::Lru(f) | MlockEntry::New(f) | MlockEntry::Munlock(f)) = entry;
            *f == folio.index
        });
        let entries = moved.count() + mlocked.count();
        let (count, expected) = (folio.refcount.peek(), 1 + entries as i64);
        if folio.freed.peek() == 0 && count != expected {
            let message = format!("{} is {count}, should be {expected}", folio.refcount.name());
            fail_about(NO_BATCH_ENTRY_IS_LOST, message, folio.refcount.object());
        }
    }
}

fn size_is_linked(k: &Kernel) {
    let linked = k.folios.iter().filter(|folio| folio.linked.peek() != NOT_LINKED).count();
    if k.lru_size.peek() as usize != linked {
        let message = format!("the size is {}, {linked} folios are linked", k.lru_size.peek());
        fail_about(LRU_SIZE_IS_LINKED_FOLIOS, message, k.lru_size.object());
    }
}

fn linked_have_pg_lru(k: &Kernel) {
    for folio in &k.folios {
        if folio.linked.peek() != NOT_LINKED && !folio.flags.peek(PG_LRU) {
            let message = format!("folio{} is linked with PG_lru clear", folio.index);
            fail_about(LINKED_AT_REST_HAS_PG_LRU, message, folio.flags.object());
        }
    }
}

/// CPU0 activates folio0 and drains; CPU1 rotates it and drains.
fn both_move(k: &Kernel) {
    let activator = k.task(0, "activator", |k| {
        folio_activate(k, &k.folios[0]);
        lru_add_drain(k);
    });
    let rotator = k.task(1, "rotator", |k| {
        folio_rotate_reclaimable(k, &k.folios[0]);
        lru_add_drain(k);
    });
    join(activator);
    join(rotator);
}

static BOTH_MOVE: Scenario = Scenario {
    name: "activate_and_rotate_then_drain",
    about: "CPU0 activates the folio, CPU1 rotates it; each drains its batches.",
    sizes: LISTED,
    play: |k| both_move(k),
    at_end: entries_own_references,
    choices: 0,
};

static BOTH_MOVE_FLAG: Scenario = Scenario { at_end: linked_have_pg_lru, ..BOTH_MOVE };

pub(super) static MOVE_VS_ISOLATE: Scenario = Scenario {
    name: "activate_folio0_isolate_folio1",
    about: "CPU0 activates folio0 and drains; CPU1 isolates folio1.",
    sizes: Sizes { folios: 2, lru_size: true, ..LISTED },
    play: |k| {
        let activator = k.task(0, "activator", |k| {
            folio_activate(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let isolator = k.task(1, "isolator", |k| {
            folio_isolate_lru(k, &k.folios[1], ISOLATION);
        });
        join(activator);
        join(isolator);
    },
    at_end: size_is_linked,
    choices: 0,
};

static MLOCK_VS_FREE: Scenario = Scenario {
    name: "mlock_folio0_free_folio1",
    about: "CPU0 mlocks folio0 and drains; CPU1 drops the last reference of folio1.",
    sizes: Sizes { folios: 2, lru_size: true, mlock: true, ..LISTED },
    play: |k| {
        let locker = k.task(0, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let putter = k.task(1, "putter", |k| folio_put(k, &k.folios[1], PAGE_CACHE));
        join(locker);
        join(putter);
    },
    at_end: size_is_linked,
    choices: 0,
};

static ADD_UNDER_DRAIN: Scenario = Scenario {
    name: "activate_under_the_drain",
    about: "folio1 rests in CPU0's activate batch. CPU0 activates folio0 while CPU1 drains every CPU: \
            a kworker of CPU0 empties the batch.",
    sizes: Sizes { folios: 2, ..LISTED },
    play: |k| {
        join(k.task(0, "user", |k| folio_activate(k, &k.folios[1])));
        let user = k.task(0, "user", |k| folio_activate(k, &k.folios[0]));
        let drainer = k.task(1, "drainer", lru_add_drain_all);
        join(user);
        join(drainer);
    },
    at_end: entries_own_references,
    choices: 0,
};

static DRAIN_VS_DRAIN_ALL: Scenario = Scenario {
    name: "drain_vs_drain_all",
    about: "The folio rests in CPU0's activate batch. CPU0 drains its batches while CPU1 drains every \
            CPU and then looks.",
    sizes: LISTED,
    play: |k| {
        join(k.task(0, "user", |k| folio_activate(k, &k.folios[0])));
        let own = k.task(0, "drainer", lru_add_drain);
        let all = k.task(1, "drainer of all", |k| {
            lru_add_drain_all(k);
            let count = atomic_read(&k.folios[0].refcount);
            if count != 1 {
                let message =
                    format!("lru_add_drain_all() has returned, folio0 has {count} references");
                fail_about(OWN_ADDITIONS_ARE_DRAINED, message, k.folios[0].refcount.object());
            }
        });
        join(own);
        join(all);
    },
    at_end: |_| {},
    choices: 0,
};

static ISOLATE_TWICE: Scenario = Scenario {
    name: "isolated_by_two",
    about: "CPU0 and CPU1 each isolate the folio, and put it back if they can.",
    sizes: LISTED,
    play: |k| {
        let isolators = [0, 1].map(|cpu| {
            k.task(cpu, "isolator", |k| {
                if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                    folio_putback_lru(k, &k.folios[0], ISOLATION);
                }
            })
        });
        isolators.into_iter().for_each(join);
    },
    at_end: entries_own_references,
    choices: 0,
};

static MLOCK_VS_ISOLATE: Scenario = Scenario {
    name: "mlock_vs_isolate",
    about: "CPU0 mlocks the folio and drains; CPU1 isolates it.",
    sizes: Sizes { mlock: true, ..LISTED },
    play: |k| {
        let locker = k.task(0, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        let isolator = k.task(1, "isolator", |k| {
            folio_isolate_lru(k, &k.folios[0], ISOLATION);
        });
        join(locker);
        join(isolator);
    },
    at_end: |_| {},
    choices: 0,
};

static GIVE_UP: Scenario = Scenario {
    name: "activate_vs_isolate_and_putback",
    about: "CPU0 activates the folio; CPU1 isolates it and puts it back.",
    sizes: LISTED,
    play: |k| {
        let user = k.task(0, "user", |k| folio_activate(k, &k.folios[0]));
        let isolator = k.task(1, "isolator", |k| {
            if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                folio_putback_lru(k, &k.folios[0], ISOLATION);
            }
        });
        join(user);
        join(isolator);
    },
    at_end: entries_own_references,
    choices: 0,
};

static THREE_CALLERS: Scenario = Scenario {
    name: "add_vs_drain_all_vs_disable",
    about: "CPU0 adds a folio to its batch, CPU1 calls lru_add_drain_all(), CPU2 disables caching. The \
            migration is pending when we look.",
    sizes: Sizes { cpus: 3, ..Sizes::TINY },
    play: |k| {
        let adder = k.task(0, "adder", |k| folio_add_lru(k, &k.folios[0]));
        let drainer = k.task(1, "drainer", lru_add_drain_all);
        let migrator = k.task(2, "migrator", |k| (k.tree.swap.lru_cache_disable)(k));
        [adder, drainer, migrator].into_iter().for_each(join);
    },
    at_end: |k| {
        let batch = &k.cpu_fbatches.of(0).lru_add;
        if !batch.entries().is_empty() {
            let message = "folio0 rests in CPU0's lru_add batch";
            fail_about(NO_FOLIO_RESTS_WHILE_PENDING, message, batch.nr.object());
        }
    },
    choices: 0,
};

/// A folio that is not mlocked does not end up where reclaim does not look.
fn not_stranded(k: &Kernel) {
    let folio = &k.folios[0];
    if folio.linked.peek() == UNEVICTABLE && !folio.flags.peek(PG_MLOCKED) {
        let message = "folio0 is not mlocked, and on the unevictable list";
        fail_about(EVICTABLE_FOLIO_IS_NOT_STRANDED, message, folio.linked.object());
    }
}

/// New folios in batches of three, so that nothing is flushed for being full.
const NEW: Sizes = Sizes { batch: 3, mlock: true, ..Sizes::TINY };

static ADD_VS_MUNLOCK: Scenario = Scenario {
    name: "lru_add_drain_vs_mlock_and_munlock",
    about: "A new folio rests in CPU0's lru_add batch. CPU0 drains its batches; CPU1 mlocks the \
            folio, munlocks it, and drains its own.",
    sizes: NEW,
    play: |k| {
        join(k.task(0, "adder", |k| folio_add_lru(k, &k.folios[0])));
        let drainer = k.task(0, "drainer", lru_add_drain);
        let locker = k.task(1, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            munlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        join(drainer);
        join(locker);
    },
    at_end: not_stranded,
    choices: 0,
};

static NEW_VS_MUNLOCK: Scenario = Scenario {
    name: "mlock_new_drain_vs_munlock",
    about: "A new folio that is mlocked rests in CPU0's mlock batch. CPU0 drains it; CPU1 munlocks \
            the folio, and drains its own.",
    play: |k| {
        join(k.task(0, "page fault", |k| mlock_new_folio(k, &k.folios[0])));
        let drainer = k.task(0, "drainer", lru_add_drain);
        let unlocker = k.task(1, "munlocker", |k| {
            munlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        join(drainer);
        join(unlocker);
    },
    ..ADD_VS_MUNLOCK
};

static NEW_VS_MLOCK: Scenario = Scenario {
    name: "mlock_new_drain_vs_mlock",
    about: "A new folio that is mlocked rests in CPU0's mlock batch. CPU0 drains it; CPU1 mlocks the \
            folio once more, and drains its own.",
    play: |k| {
        join(k.task(0, "page fault", |k| mlock_new_folio(k, &k.folios[0])));
        let drainer = k.task(0, "drainer", lru_add_drain);
        let locker = k.task(1, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            lru_add_drain(k);
        });
        join(drainer);
        join(locker);
    },
    at_end: |k| {
        let folio = &k.folios[0];
        if folio.linked.peek() != UNEVICTABLE || folio.mlock_count.peek() == 0 {
            let message = "folio0 is mlocked, all batches are drained, and it is not unevictable";
            fail_about(MLOCKED_FOLIO_IS_UNEVICTABLE, message, folio.linked.object());
        }
    },
    ..ADD_VS_MUNLOCK
};

const fn topic(
    scenario: &'static Scenario,
    rule: Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "lru_operations", rule, scenario, source, reached }
}

const RESTS: &[&str] = &["a folio was left in the batch"];
const OWN: &str = "own: what the step is there for";

const ENTRIES: Topic =
    topic(&BOTH_MOVE, NO_BATCH_ENTRY_IS_LOST, "kernel-lru:A7", &["a batch skipped a folio"]);
const BALANCE: Topic = topic(&BOTH_MOVE, REFERENCES_BALANCE, "kernel-lru:O1", RESTS);
const FLAG: Topic = topic(&BOTH_MOVE_FLAG, LINKED_AT_REST_HAS_PG_LRU, "kernel-lru:D.1", RESTS);
const SIZE: Topic =
    topic(&MOVE_VS_ISOLATE, LRU_SIZE_IS_LINKED_FOLIOS, "kernel-lru:O2", &["a folio was isolated"]);
const SIZE_MLOCK: Topic =
    topic(&MLOCK_VS_FREE, LRU_SIZE_IS_LINKED_FOLIOS, "kernel-lru:O2", &["a folio was freed"]);
const UNDER_DRAIN: Topic =
    topic(&ADD_UNDER_DRAIN, NO_BATCH_ENTRY_IS_LOST, "kernel-lru:0.2", &["a drain work item ran"]);
const DRAIN: Topic = topic(
    &DRAIN_VS_DRAIN_ALL,
    OWN_ADDITIONS_ARE_DRAINED,
    "kernel-lru:A.3",
    &["a drain work item ran"],
);
const TWICE: Topic =
    topic(&ISOLATE_TWICE, KERNEL_ASSERTIONS_HOLD, "kernel-lru:O2", &["a folio was isolated"]);
const ISOLATION_ENTRIES: Topic =
    topic(&ISOLATE_TWICE, NO_BATCH_ENTRY_IS_LOST, "kernel-lru:O1", &["a folio was isolated"]);
const MLOCK: Topic = topic(
    &MLOCK_VS_ISOLATE,
    KERNEL_ASSERTIONS_HOLD,
    "kernel-lru:A.5",
    &["__mlock_folio() found the folio off the LRU", "a folio was moved to the unevictable list"],
);
const GIVES_UP: Topic = topic(
    &GIVE_UP,
    NO_BATCH_ENTRY_IS_LOST,
    "kernel-lru:D.1",
    &["an adder gave up: the folio was off the LRU"],
);
/// The comment in lru_add() says that PG_mlocked is cleared under lru_lock alone; __munlock_folio()
/// does not take it if PG_lru is clear, as it is as long as the folio is in this batch.
const STRANDED: Topic = topic(
    &ADD_VS_MUNLOCK,
    EVICTABLE_FOLIO_IS_NOT_STRANDED,
    "own: __munlock_folio() clears PG_mlocked unlocked",
    &["a folio was left in the batch", "clear_page_mlock() could not isolate"],
);
const NEW_STRANDED: Topic = Topic { scenario: &NEW_VS_MUNLOCK, ..STRANDED };
const NEW_MLOCK: Topic = topic(
    &NEW_VS_MLOCK,
    MLOCKED_FOLIO_IS_UNEVICTABLE,
    "kernel-lru:A.5",
    &["a folio was left in the mlock batch", "__mlock_folio() found the folio off the LRU"],
);
const THREE: Topic = topic(
    &THREE_CALLERS,
    NO_FOLIO_RESTS_WHILE_PENDING,
    "own: kernel-lru:B.2, 6",
    &["a folio was left in the batch"],
);

pub(super) static CLAIMS: &[Claim] = &[
    ENTRIES.holds(&V6_1, SC),
    ENTRIES.holds(&V6_1_RT, SC),
    ENTRIES.holds(&V6_12_117, SC),
    ENTRIES.holds(&V6_12_117_RT, SC),
    ENTRIES.from(OWN).violated(&MOVE_NO_PUT, SC),
    BALANCE.holds(&V6_10, SC),
    BALANCE.from(OWN).violated(&BATCH_NO_GET, SC_WITHOUT_RANDOM),
    FLAG.holds(&V6_10, SC),
    FLAG.holds(&SEED_002_V4, SC),
    FLAG.from(OWN).violated(&MOVE_NO_SET_LRU, SC),
    SIZE.holds(&V6_10, SC),
    SIZE.holds(&V6_12_117_RT, SC),
    SIZE.from(OWN).violated(&MOVE_NO_LRU_LOCK, SC),
    SIZE.from(OWN).violated(&ISOLATE_NO_LRU_LOCK, SC),
    SIZE_MLOCK.holds(&V6_10, SC_WITHOUT_RANDOM),
    SIZE_MLOCK.from(OWN).violated(&FREE_NO_LRU_LOCK, SC),
    SIZE_MLOCK.from(OWN).violated(&MLOCK_NO_LRU_LOCK, SC),
    UNDER_DRAIN.holds(&V6_10, SC),
    UNDER_DRAIN.holds(&SEED_002_V4, SC),
    UNDER_DRAIN.holds(&V6_12_117_RT, SC),
    UNDER_DRAIN.from(OWN).violated(&BATCH_NO_LOCAL_LOCK, SC_WITHOUT_RANDOM),
    DRAIN.holds(&V6_10, SC),
    DRAIN.holds(&V6_12_117_RT, SC),
    DRAIN.from(OWN).violated(&MOVE_COUNT_ZEROED_FIRST, SC),
    TWICE.holds(&V6_10, SC),
    TWICE.holds(&SEED_002_V4, SC),
    TWICE.from(OWN).violated(&ISOLATE_TEST_THEN_CLEAR, SC),
    ISOLATION_ENTRIES.from(OWN).violated(&ISOLATE_NO_GET, SC),
    MLOCK.holds(&V6_10, SC_WITHOUT_RANDOM),
    MLOCK.from(OWN).violated(&MLOCK_NO_CLAIM, SC),
    STRANDED.from("kernel-lru:A6").holds(&V5_11, SC),
    STRANDED.violated(&V6_1, SC),
    STRANDED.violated(&V6_12_117, SC),
    NEW_STRANDED.violated(&V6_1, SC),
    NEW_STRANDED.violated(&V6_12_117, SC),
    NEW_MLOCK.holds(&V6_1, SC),
    NEW_MLOCK.holds(&V6_12_117, SC),
    NEW_MLOCK.from(OWN).violated(&MLOCK_NEW_UNCOUNTED, SC),
    GIVES_UP.holds(&SEED_002_V4, SC),
    GIVES_UP.from(OWN).violated(&V4_NO_PUT_ON_GIVING_UP, SC),
    THREE.holds(&RFC_MIGRATE_PENDING, SC),
    THREE.holds(&RFC_2021_02_16, SC),
    THREE.holds(&V5_13, SC),
    THREE.holds(&V5_13_UNFORCED, SC),
    THREE.holds(&V5_15, SC),
    THREE.holds(&V5_18, SC),
    THREE.holds(&V5_18_UNFORCED, SC),
    THREE.holds(&V6_1, SC),
    THREE.holds(&V6_10, SC),
    THREE.holds(&SEED_002_V4, SC),
    THREE.holds(&V6_11, SC),
    THREE.holds(&V6_12_117, SC),
    // With one caller a bool does what a counter does.
    THREE.holds(&RFC_MIGRATE_PENDING_BOOL, SC),
    THREE.violated(&V5_11, SC),
];
