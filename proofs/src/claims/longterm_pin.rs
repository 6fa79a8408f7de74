//! kernel-lru section D, the pins: seed 002 and what it is for. A long-term pin moves a folio that
//! may not stay where it is; a reference that an LRU batch holds makes that fail.

use selvedge_kernel::{fail_about, join, plain_read, plain_write};
use selvedge_models::mm::gup::{
    CHECKED_FOR_A_PIN, DRAINED_FOR_A_PIN, follow_page_pte, madvise_cold, pin_user_pages_longterm,
};
use selvedge_models::mm::migrate::Errno;
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Sizes};

use super::{ALONE, SC, SC_WITHOUT_RANDOM};
use crate::rules::*;
use crate::{Claim, Scenario, Topic};

/// A folio on the LRU, mapped, and a spare one to be migrated to; batches of three.
const PINNABLE: Sizes =
    Sizes { listed: true, mapped: true, operations: true, batch: 3, ..Sizes::TINY };

const FAILED: u64 = 1;
const AGAIN: u64 = 2;

fn pin(k: &Kernel, pages: usize, rounds: usize) {
    let outcome = match pin_user_pages_longterm(k, pages, rounds) {
        Ok(()) => 0,
        Err(Errno::Again) => AGAIN,
        Err(_) => FAILED,
    };
    plain_write(&k.outcome, outcome);
}

/// The batches of `cpu` that the folio is in.
fn batches_with(k: &Kernel, cpu: usize, folio: usize) -> Vec<String> {
    let batches = k.cpu_fbatches.of(cpu).all();
    let of_lru = batches.iter().filter(|batch| batch.entries().contains(&folio));
    let mut names: Vec<String> = of_lru.map(|batch| batch.holder.to_string()).collect();
    let mlock = k.mlock_fbatch.of(cpu);
    if !mlock.entries().is_empty() {
        names.push(mlock.holder.to_string());
    }
    names
}

/// A pin that failed (`-ENOMEM`) while CPU0 keeps the folio in a batch failed for no better reason.
fn did_not_fail_for_a_batch(k: &Kernel) {
    let names = batches_with(k, 0, 0);
    if k.outcome.peek() == FAILED && !names.is_empty() {
        let message = format!("the pin failed with -ENOMEM; folio0 rests in {}", names.join(", "));
        fail_about(PIN_DOES_NOT_FAIL_FOR_A_BATCH, message, k.folios[0].refcount.object());
    }
}

static ACTIVATED_THEN_PINNED: Scenario = Scenario {
    name: "activated_then_pinned",
    about: "CPU0 has put the folio in its activate batch, where it rests. Then CPU1 pins it for \
            long, so that it has to be migrated.",
    sizes: Sizes { passes: 1, ..PINNABLE },
    play: |k| {
        join(k.task(0, "user", |k| follow_page_pte(k, 0)));
        join(k.task(1, "pinner", |k| pin(k, 1, 3)));
    },
    at_end: did_not_fail_for_a_batch,
    choices: 0,
};

static MLOCKED_THEN_PINNED: Scenario = Scenario {
    name: "mlocked_then_pinned",
    about: "CPU0 has mlocked the folio, which rests in its mlock batch. Then CPU1 pins it for long.",
    sizes: Sizes { mlock: true, passes: 1, ..PINNABLE },
    play: |k| {
        join(k.task(0, "user", |k| mlock_folio(k, &k.folios[0])));
        join(k.task(1, "pinner", |k| pin(k, 1, 3)));
    },
    at_end: did_not_fail_for_a_batch,
    choices: 0,
};

static ACTIVATED_WHILE_PINNED: Scenario = Scenario {
    name: "activated_while_pinned",
    about: "CPU0 puts the folio in its activate batch while CPU1 pins it for long. A pin that fails \
            for a reference of CPU0 that is in no batch afterwards does not count.",
    sizes: PINNABLE,
    play: |k| {
        let user = k.task(0, "user", |k| follow_page_pte(k, 0));
        let pinner = k.task(1, "pinner", |k| pin(k, 1, 2));
        join(user);
        join(pinner);
    },
    at_end: did_not_fail_for_a_batch,
    choices: 0,
};

static MOVED_AGAIN_AND_AGAIN: Scenario = Scenario {
    name: "moved_again_and_again",
    about: "CPU0 activates the folio, then deactivates it, while CPU1 pins it for long, and gives up after two rounds.",
    sizes: PINNABLE,
    play: |k| {
        let user = k.task(0, "user", touch_then_cold);
        let pinner = k.task(1, "pinner", |k| pin(k, 1, 2));
        join(user);
        join(pinner);
    },
    at_end: |k| {
        if k.outcome.peek() == AGAIN {
            let message = "the pin was tried twice, and would be tried again";
            fail_about(PIN_ENDS_WHATEVER_OTHERS_DO, message, k.outcome.object());
        }
    },
    choices: 0,
};

fn touch_then_cold(k: &Kernel) {
    follow_page_pte(k, 0);
    madvise_cold(k, 0);
}

static MOVED_THEN_AT_REST: Scenario = Scenario {
    name: "moved_then_at_rest",
    about: "The same; then CPU0 is at rest and CPU1 pins again. Fairness is assumed: whoever adds \
            the folio to batches stops at some time.",
    sizes: PINNABLE,
    play: |k| {
        let user = k.task(0, "user", touch_then_cold);
        join(k.task(1, "pinner", move |k| {
            pin(k, 1, 1);
            join(user);
            if plain_read(&k.outcome) != 0 {
                pin(k, 1, 3);
            }
        }));
    },
    at_end: |k| {
        if k.outcome.peek() != 0 {
            let message = "CPU0 is at rest, and the pin did not succeed";
            fail_about(PIN_ENDS_WHEN_NOBODY_ADDS, message, k.folios[0].refcount.object());
        }
    },
    choices: 0,
};

static PINNED_ALONE: Scenario = Scenario {
    name: "pinned_alone",
    about: "CPU1 pins a folio that no batch holds.",
    sizes: PINNABLE,
    play: |k| join(k.task(1, "pinner", |k| pin(k, 1, 1))),
    at_end: |k| {
        if k.lru_drain_gen.peek() != 0 {
            let message = "lru_add_drain_all() was called for a folio that no batch holds";
            fail_about(PIN_DRAINS_ONLY_FOR_A_BATCH, message, k.lru_drain_gen.object());
        }
    },
    choices: 0,
};

static SECOND_FOLIO_ACTIVATED_LATER: Scenario = Scenario {
    name: "second_folio_activated_later",
    about: "folio0 rests in CPU0's activate batch. CPU1 pins folio0 and folio1 for long, in one call, \
            while CPU0 activates folio1: the drain for folio0 is the only one.",
    sizes: Sizes { folios: 2, ..PINNABLE },
    play: |k| {
        join(k.task(0, "user", |k| follow_page_pte(k, 0)));
        let user = k.task(0, "user", |k| follow_page_pte(k, 1));
        let pinner = k.task(1, "pinner", |k| pin(k, 2, 1));
        join(user);
        join(pinner);
    },
    at_end: |k| {
        let names = batches_with(k, 0, 1);
        let migrated = k.i_pages[1].peek() != 2;
        if k.lru_drain_gen.peek() != 0 && !migrated && !names.is_empty() {
            let message = format!("folio1 was not migrated, and rests in {}", names.join(", "));
            fail_about(PIN_DRAINS_FOR_EACH_FOLIO, message, k.folios[1].refcount.object());
        }
    },
    choices: 0,
};

const fn topic(
    scenario: &'static Scenario,
    rule: selvedge_trace::Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "longterm_pin", rule, scenario, source, reached }
}

const MIGRATED: &[&str] = &["a folio was migrated"];

const D1: Topic =
    topic(&ACTIVATED_THEN_PINNED, PIN_DOES_NOT_FAIL_FOR_A_BATCH, "kernel-lru:D1", MIGRATED);
const D2: Topic =
    topic(&MLOCKED_THEN_PINNED, PIN_DOES_NOT_FAIL_FOR_A_BATCH, "kernel-lru:D2", MIGRATED);
const D3: Topic =
    topic(&ACTIVATED_WHILE_PINNED, PIN_DOES_NOT_FAIL_FOR_A_BATCH, "kernel-lru:D3", MIGRATED);
const D5: Topic =
    topic(&MOVED_AGAIN_AND_AGAIN, PIN_ENDS_WHATEVER_OTHERS_DO, "kernel-lru:D5", MIGRATED);
const D5_FAIR: Topic =
    topic(&MOVED_THEN_AT_REST, PIN_ENDS_WHEN_NOBODY_ADDS, "kernel-lru:D5", MIGRATED);
const D10: Topic =
    topic(&PINNED_ALONE, PIN_DRAINS_ONLY_FOR_A_BATCH, "kernel-lru:D10", &[CHECKED_FOR_A_PIN]);
const D11: Topic = topic(
    &SECOND_FOLIO_ACTIVATED_LATER,
    PIN_DRAINS_FOR_EACH_FOLIO,
    "kernel-lru:D11",
    &[DRAINED_FOR_A_PIN],
);

pub(super) static CLAIMS: &[Claim] = &[
    D1.violated(&V6_1, SC),
    D1.violated(&V6_10, SC),
    D1.holds(&SEED_002_V4, SC),
    D1.holds(&V6_11, SC),
    D1.holds(&V6_1_192, SC),
    D1.holds(&V6_12_117, SC),
    D1.holds(&V6_17, SC),
    D1.violated(&PIN_WITHOUT_DRAIN, SC),
    D2.violated(&V6_1, SC),
    D2.violated(&V6_10, SC),
    D2.violated(&SEED_002_V4, SC),
    D2.violated(&V6_11, SC),
    D2.holds(&V6_1_192, SC),
    D2.holds(&V6_12_117, SC),
    D2.holds(&V6_17, SC),
    D3.violated(&V6_1, SC),
    D3.violated(&V6_10, SC),
    D3.holds(&SEED_002_V4, SC),
    D3.holds(&V6_11, SC),
    D3.violated(&V6_1_192, SC),
    D3.violated(&V6_12_117, SC),
    D3.violated(&V6_17, SC),
    D5.violated(&SEED_002_V4, SC),
    D5.violated(&V6_11, SC),
    D5_FAIR.holds(&SEED_002_V4, SC),
    D5_FAIR.holds(&V6_11, SC),
    // A pin that failed puts the folio back through CPU1's lru_add batch: PG_lru is clear then, and
    // the next pin drains.
    D5_FAIR.from("own: a failed pin leaves PG_lru clear").holds(&V6_10, SC),
    D5_FAIR.from("own: drains for any extra reference").holds(&V6_12_117, SC),
    D5_FAIR.from("own: nobody drains").violated(&PIN_WITHOUT_DRAIN, SC),
    D10.violated(&V6_1_192, ALONE),
    D10.holds(&V6_10, ALONE),
    D10.holds(&SEED_002_V4, ALONE),
    D10.holds(&V6_12_117, ALONE),
    D11.violated(&SEED_002_V4, SC_WITHOUT_RANDOM),
    D11.violated(&V6_11, SC_WITHOUT_RANDOM),
    D11.violated(&V6_1_192, SC_WITHOUT_RANDOM),
    D11.violated(&V6_12_117, SC_WITHOUT_RANDOM),
    D11.violated(&V6_17, SC_WITHOUT_RANDOM),
];
