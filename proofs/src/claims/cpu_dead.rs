//! A CPU is taken down: what rests in its caches, and who takes it out.

use selvedge_kernel::{CPU_IS_DOWN, MOVED, Name, cpu_online, fail, reached, take_cpu_down};
use selvedge_models::fs::buffer::{brelse, buffer_exit_cpu_dead};
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::page_alloc::page_alloc_cpu_dead;
use selvedge_models::mm::swap::folio_add_lru;
use selvedge_models::trees::*;
use selvedge_models::{Machine, Tree};

use super::DPOR;
use super::migrate_pending::disable;
use crate::Source::{self, Analysis, Comment};
use crate::rules::*;
use crate::states::{DISABLED, INSTALLED, RESTED, RESTED_FOR_MLOCK};
use crate::{Answers, Run, Scenario, ask, cpu, irq};

/// Those whose drains look for buffer heads too, and whose callbacks are the same.
const RELEASES: &[&Tree] = &[&V5_18, &V6_1, &V6_12_117];

fn adds(k: &Run) {
    folio_add_lru(k, &k.folios[0]);
}

fn installs(k: &Run) {
    (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0]);
    brelse(Some(&k.buffer_heads[0]), Name::new("user of the bh"));
}

fn mlocks(k: &Run) {
    mlock_folio(k, &k.folios[1]);
}

/// `cpu_down()` of CPU0, as far as its mask.
fn goes_down(k: &Run) {
    take_cpu_down(&k.cpus, 0);
}

/// All of it. The callbacks come in this order: CPUHP_PAGE_ALLOC, CPUHP_FS_BUFF_DEAD.
fn dies(k: &Run) {
    take_cpu_down(&k.cpus, 0);
    page_alloc_cpu_dead(k, 0);
    buffer_exit_cpu_dead(k, 0);
}

const HOTPLUG: Machine = Machine::TINY.hotplug();

static DISABLE_VS_DOWN: Scenario = Scenario {
    name: "disable_vs_cpu_down",
    about: "A folio rests in the batch of CPU0. On CPU1 one task takes CPU0 down, another disables \
            caching and drains. We look before the callbacks of the dead CPU have run.",
    machine: HOTPLUG,
    before: &[cpu(0, "adder", adds)],
    tasks: &[cpu(1, "cpu_down", goes_down), cpu(1, "migrator", disable)],
    at_end: Some(no_folio_rests),
    ..Scenario::EMPTY
};

static DISABLE_VS_DOWN_OF_BH: Scenario = Scenario {
    name: "disable_vs_cpu_down_with_bh",
    about: "The same, of a bh that rests in the bh_lru of CPU0.",
    before: &[cpu(0, "user", installs)],
    at_end: Some(no_bh_stays),
    ..DISABLE_VS_DOWN
};

static DISABLE_VS_DEAD: Scenario = Scenario {
    name: "disable_vs_cpu_dead",
    about: "A folio rests in the batch of CPU0. On CPU1 one task takes CPU0 down and runs its \
            callbacks, another disables caching and drains. We look when both are done.",
    tasks: &[cpu(1, "cpu_down", dies), cpu(1, "migrator", disable)],
    ..DISABLE_VS_DOWN
};

static DISABLE_VS_DEAD_OF_BH: Scenario = Scenario {
    name: "disable_vs_cpu_dead_with_bh",
    about: "The same, of a bh that rests in the bh_lru of CPU0.",
    before: &[cpu(0, "user", installs)],
    at_end: Some(no_bh_stays),
    ..DISABLE_VS_DEAD
};

static DIES_WITH_FULL_CACHES: Scenario = Scenario {
    name: "cpu_dies_with_full_caches",
    about: "CPU0 has a folio in its lru_add batch, one in its mlock batch, and a bh. CPU1 takes \
            CPU0 down and runs its callbacks.",
    machine: HOTPLUG.folios(2).mlock(),
    before: &[cpu(0, "adder", adds), cpu(0, "mlocker", mlocks), cpu(0, "user", installs)],
    tasks: &[cpu(1, "cpu_down", dies)],
    at_end: Some(|k| dead_cpu_has_nothing(k, 0)),
    ..Scenario::EMPTY
};

static DIES_WITH_A_BH: Scenario = Scenario {
    name: "cpu_dies_with_a_bh",
    about: "Only CPU0's bh_lru holds the bh. CPU1 takes CPU0 down and runs its callbacks.",
    machine: HOTPLUG,
    before: &[cpu(0, "user", installs)],
    at_end: Some(bh_lrus_own_what_they_hold),
    ..DIES_WITH_FULL_CACHES
};

/// An interrupt, on whatever CPU, that asks twice whether CPU0 is online.
fn asks_twice(k: &Run) {
    let was_online = cpu_online(&k.cpus, 0);
    reached(if was_online { ASKED_BEFORE } else { ASKED_LATER });
    if cpu_online(&k.cpus, 0) != was_online {
        fail(AN_INTERRUPT_SEES_ONE_MASK, "CPU0 was online, and is not any more");
    }
}

const ASKED_BEFORE: &str = "an interrupt found the CPU online";
const ASKED_LATER: &str = "an interrupt found the CPU offline";

static DOWN_VS_INTERRUPTS: Scenario = Scenario {
    name: "cpu_down_vs_interrupts",
    about: "CPU2 takes CPU0 down; an interrupt on CPU0, and one on CPU1, ask twice whether CPU0 is \
            online.",
    machine: HOTPLUG.cpus(3),
    tasks: &[cpu(2, "cpu_down", goes_down), irq(0, "irq", asks_twice), irq(1, "irq", asks_twice)],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let stopped = Comment {
        file: "include/linux/stop_machine.h",
        says: "stop_machine(): a thread on every CPU, each of which disables interrupts",
    };
    let unseen = Analysis(
        "the rounds ask cpu_online_mask without cpus_read_lock(), and the callbacks come later",
    );
    let callbacks = Analysis("what a round leaves out the callbacks of the dead CPU take out");
    let keeps = Source::analysis("the mutant leaves it there");
    let one_mask = &[CPU_IS_DOWN, ASKED_BEFORE, ASKED_LATER];
    vec![
        ask(AN_INTERRUPT_SEES_ONE_MASK, &DOWN_VS_INTERRUPTS, stopped, one_mask)
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated_after(&[ASKED_BEFORE], &[&STOPS_IRQS_ON]),
        ask(
            NO_FOLIO_RESTS_WHILE_PENDING,
            &DISABLE_VS_DOWN,
            unseen,
            &[DISABLED, CPU_IS_DOWN, RESTED],
        )
        .under(DPOR)
        .violated_after(&[CPU_IS_DOWN, DISABLED], RELEASES),
        ask(NO_BH_STAYS_WHILE_PENDING, &DISABLE_VS_DOWN_OF_BH, unseen, &[DISABLED, CPU_IS_DOWN])
            .under(DPOR)
            .violated_after(&[CPU_IS_DOWN, DISABLED], RELEASES),
        ask(
            NO_FOLIO_RESTS_WHILE_PENDING,
            &DISABLE_VS_DEAD,
            callbacks,
            &[DISABLED, CPU_IS_DOWN, RESTED, MOVED],
        )
        .under(DPOR)
        .holds(&[&V6_12_117])
        .broken_after(&[DISABLED, CPU_IS_DOWN, RESTED])
        .violated_as(keeps, &[&DRAIN_FINDS_NOTHING]),
        ask(
            NO_BH_STAYS_WHILE_PENDING,
            &DISABLE_VS_DEAD_OF_BH,
            callbacks,
            &[DISABLED, CPU_IS_DOWN, INSTALLED, MOVED],
        )
        .under(DPOR)
        .holds(&[&V6_12_117])
        .broken_after(&[DISABLED, CPU_IS_DOWN, INSTALLED])
        .violated_as(keeps, &[&DEAD_CPU_KEEPS_BH]),
        ask(
            A_DEAD_CPU_HAS_NOTHING,
            &DIES_WITH_FULL_CACHES,
            callbacks,
            &[CPU_IS_DOWN, RESTED, RESTED_FOR_MLOCK, INSTALLED],
        )
        .under(DPOR)
        .holds(&[&V6_1, &V6_12_117])
        .violated_as(keeps, &[&DEAD_CPU_KEEPS_BH, &DRAIN_FINDS_NOTHING, &DEAD_CPU_KEEPS_MLOCK]),
        ask(A_BH_LRU_OWNS_WHAT_IT_HOLDS, &DIES_WITH_A_BH, callbacks, &[CPU_IS_DOWN, INSTALLED])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117])
            .violated_as(keeps, &[&DEAD_CPU_KEEPS_BH]),
    ]
}
