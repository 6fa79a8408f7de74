//! Data races in per-CPU caches and LRU lists: what the kernel reads and writes in plain C, and
//! what orders it.
//!
//! A lock that is missing shows here in the first execution, whatever the interleaving, and an
//! ordering that is missing shows under sequential consistency: a race is two accesses that nothing
//! orders, wherever they happened to fall. The other claims about the same trees need the one
//! schedule, or weak memory, in which it does harm.
//!
//! Some of these races are in releases, are reported by KCSAN, and do no harm: a drain too many, or
//! one that the adder was too late for. What is claimed is whether they are there.

use selvedge_kernel::reached;
use selvedge_models::Machine;
use selvedge_models::fs::buffer::invalidate_bh_lrus;
use selvedge_models::mm::mlock::{mlock_folio, munlock_folio};
use selvedge_models::mm::swap::{
    folio_activate, folio_add_lru, folio_rotate_reclaimable, lru_add_drain, lru_add_drain_all,
};
use selvedge_models::trees::*;

use super::lru_batches::ROTATE_INTERRUPTS_DRAIN;
use super::lru_operations::MOVE_VS_ISOLATE;
use super::{COMPLETE, DPOR};
use crate::Source::{self, Analysis, Comment, Mail, Report};
use crate::rules::PLAIN_ACCESSES_DO_NOT_RACE;
use crate::states::{
    DRAIN_WORKED, INSTALLED, ISOLATED, MADE_UNEVICTABLE, RESTED, RESTED_FOR_MLOCK,
};
use crate::{Answers, Question, Run, Scenario, ask, cpu};

const FOUND_DISABLED: &str = "a user found caching disabled";
const FOUND_ENABLED: &str = "a user found caching enabled";

static LOOK_VS_PREP: Scenario = Scenario {
    name: "look_vs_prep",
    about: "CPU0 asks whether caching is disabled, as who would add a folio to a batch does; CPU1 \
            disables it.",
    tasks: &[
        cpu(0, "user", |k| match (k.tree.swap.lru_cache_disabled())(k) {
            true => reached(FOUND_DISABLED),
            false => reached(FOUND_ENABLED),
        }),
        cpu(1, "migrator", |k| (k.tree.swap.lru_cache_disable())(k)),
    ],
    ..Scenario::EMPTY
};

fn drain_all(k: &Run) {
    lru_add_drain_all(k);
}

static ADD_VS_DRAIN_ALL: Scenario = Scenario {
    name: "add_vs_drain_all",
    about: "CPU0 adds a folio to its lru_add batch; CPU1 drains every CPU that seems to need it.",
    tasks: &[cpu(0, "adder", |k| folio_add_lru(k, &k.folios[0])), cpu(1, "drainer", drain_all)],
    ..Scenario::EMPTY
};

static ROTATE_VS_DRAIN_ALL: Scenario = Scenario {
    name: "rotate_vs_drain_all",
    about: "CPU0 adds a folio to its rotate batch; CPU1 drains every CPU that seems to need it.",
    machine: Machine::TINY.listed(),
    tasks: &[
        cpu(0, "rotator", |k| folio_rotate_reclaimable(k, &k.folios[0])),
        cpu(1, "drainer", drain_all),
    ],
    ..Scenario::EMPTY
};

static MUNLOCK_VS_DRAIN_ALL: Scenario = Scenario {
    name: "munlock_vs_drain_all",
    about: "CPU0 adds a folio to its mlock batch; CPU1 drains every CPU that seems to need it.",
    machine: Machine::TINY.listed().mlock(),
    tasks: &[cpu(0, "munlocker", |k| munlock_folio(k, &k.folios[0])), cpu(1, "drainer", drain_all)],
    ..Scenario::EMPTY
};

fn install_each(k: &Run) {
    k.buffer_heads.iter().for_each(|bh| (k.tree.buffer.bh_lru_install())(k, bh));
}

static INSTALL_VS_DRAIN_ALL: Scenario = Scenario {
    name: "install_vs_drain_all",
    about: "CPU0 installs a bh in its bh_lru; CPU1 drains every CPU that seems to need it.",
    tasks: &[cpu(0, "installer", install_each), cpu(1, "drainer", drain_all)],
    ..Scenario::EMPTY
};

static INSTALL_VS_INVALIDATE: Scenario = Scenario {
    name: "installs_vs_invalidate",
    about: "CPU0 installs one bh after the other in its bh_lru of one; CPU1 sends an IPI to every \
            CPU that seems to have one.",
    machine: Machine::TINY.buffer_heads(2),
    tasks: &[cpu(0, "installer", install_each), cpu(1, "invalidator", |k| invalidate_bh_lrus(k))],
    ..Scenario::EMPTY
};

static ONE_CPU: Scenario = Scenario {
    name: "activate_and_drain_on_one_cpu",
    about: "Of two tasks on CPU0 one activates the folio, the other drains the batches of its CPU.",
    machine: Machine::TINY.cpus(1).batch(3).listed().operations(),
    tasks: &[
        cpu(0, "user", |k| folio_activate(k, &k.folios[0])),
        cpu(0, "drainer", |k| lru_add_drain(k)),
    ],
    ..Scenario::EMPTY
};

fn mlock_and_drain(k: &Run) {
    mlock_folio(k, &k.folios[0]);
    lru_add_drain(k);
}

static TWO_MLOCKS: Scenario = Scenario {
    name: "two_mlocks_of_one_folio",
    about: "CPU0 and CPU1 each mlock the folio and drain their batches.",
    machine: Machine::TINY.listed().mlock(),
    tasks: &[cpu(0, "mlocker", mlock_and_drain), cpu(1, "mlocker", mlock_and_drain)],
    ..Scenario::EMPTY
};

pub(super) const fn race(
    scenario: &'static Scenario,
    source: Source,
    reached: &'static [&'static str],
) -> Question {
    ask(PLAIN_ACCESSES_DO_NOT_RACE, scenario, source, reached)
}

fn of_drains() -> Vec<Answers> {
    let own = Analysis("what the step is there for");
    let annotated = Mail("the patch's text");
    vec![
        race(&LOOK_VS_PREP, Analysis("atomic_read() is marked"), &[FOUND_DISABLED, FOUND_ENABLED])
            .under(COMPLETE)
            .holds(&[&RFC_MIGRATE_PENDING])
            .broken_after(&[FOUND_ENABLED])
            .violated_as(
                Mail("what protects this on an SMP system? (the thread of the RFC)"),
                &[&RFC_MIGRATE_PENDING_BOOL],
            )
            .violated_as(Analysis("read without migrate_pending_lock"), &[&RFC_2021_02_16])
            .holds(&[&V5_18, &V6_12_117]),
        // By Jianzhou Zhao ("KCSAN: data-race in __folio_batch_add_and_move /
        // __lru_add_drain_all"), for 6.18, with both functions.
        race(&ADD_VS_DRAIN_ALL, Report("KCSAN, 2026-03-11"), &[RESTED, DRAIN_WORKED])
            .under(COMPLETE)
            .broken_after(&[RESTED])
            .violated(&[&V6_1, &V6_12_117])
            .under(DPOR)
            .violated(&[&V6_12_117_RT])
            .under(COMPLETE)
            .holds_as(annotated, &[&ANNOTATE_V2, &MM_STABLE_2026_07])
            .violated_as(own, &[&DRAINS_REMOTELY]),
        race(
            &ROTATE_VS_DRAIN_ALL,
            Mail("mm/swap: fold lru_rotate into cpu_fbatches, 2024-07-10"),
            &[RESTED, DRAIN_WORKED],
        )
        .under(COMPLETE)
        .holds(&[&V6_10])
        .broken_after(&[RESTED])
        .violated(&[&V6_12])
        .holds_as(annotated, &[&ANNOTATE_V2, &MM_STABLE_2026_07]),
        race(
            &MUNLOCK_VS_DRAIN_ALL,
            Report("syzbot, KCSAN: data-race in munlock_folio / need_mlock_drain"),
            &[RESTED_FOR_MLOCK, DRAIN_WORKED],
        )
        .under(COMPLETE)
        .broken_after(&[RESTED_FOR_MLOCK])
        .violated(&[&V6_12_117])
        .holds_as(annotated, &[&ANNOTATE_V2, &MM_STABLE_2026_07]),
    ]
}

fn of_buffers_and_lists() -> Vec<Answers> {
    let lru = Source::lru;
    let own = Analysis("what the step is there for");
    let plain_look = Analysis("has_bh_in_lru() reads bhs[] in plain C");
    vec![
        race(&INSTALL_VS_DRAIN_ALL, plain_look, &[INSTALLED, DRAIN_WORKED])
            .under(COMPLETE)
            .broken_after(&[INSTALLED])
            .violated(&[&V6_12_117, &ANNOTATE_V2, &MM_STABLE_2026_07])
            .holds(&[&ANNOTATE_ALL]),
        race(&INSTALL_VS_INVALIDATE, plain_look, &[INSTALLED])
            .under(COMPLETE)
            .violated(&[&V6_12_117])
            .holds(&[&ANNOTATE_ALL])
            .under(DPOR)
            .violated_as(lru("C1"), &[&ANNOTATED_PREEMPT_OFF_ONLY]),
        race(&ONE_CPU, lru("0.2"), &[RESTED])
            .under(COMPLETE)
            .holds(&[&V6_10, &V6_12_117])
            .under(DPOR)
            .holds(&[&V6_12_117_RT])
            .under(COMPLETE)
            .violated_as(own, &[&BATCH_NO_LOCAL_LOCK]),
        race(&ROTATE_INTERRUPTS_DRAIN, lru("A3"), &[RESTED])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117])
            .violated(&[&A3_ROTATE_DRAIN_IRQS_ON]),
        race(
            &TWO_MLOCKS,
            Comment { file: "mm/mlock.c", says: "mlock_count changes under lru_lock" },
            &[MADE_UNEVICTABLE],
        )
        .under(DPOR)
        .holds(&[&V6_10, &V6_12_117])
        .violated_as(own, &[&MLOCK_NO_LRU_LOCK]),
        race(&MOVE_VS_ISOLATE, lru("O2"), &[ISOLATED, RESTED])
            .under(COMPLETE)
            .holds(&[&V6_10, &V6_12_117])
            .violated_as(own, &[&MOVE_NO_LRU_LOCK, &ISOLATE_NO_LRU_LOCK]),
    ]
}

pub(super) fn claims() -> Vec<Answers> {
    [of_drains(), of_buffers_and_lists()].concat()
}
