//! Rounds over all CPUs, with something to do on each of them: nobody is left out.

use selvedge_kernel::Name;
use selvedge_models::Machine;
use selvedge_models::fs::buffer::{brelse, invalidate_bh_lrus};
use selvedge_models::mm::swap::{folio_add_lru, lru_add_drain_all};
use selvedge_models::trees::*;

use super::DPOR;
use crate::Source::{Analysis, Comment};
use crate::rules::*;
use crate::states::{DRAIN_WORKED, INSTALL_FOUND_CACHING_DISABLED, INSTALLED};
use crate::{Answers, Run, Scenario, ask, cpu};

const THREE: Machine = Machine::TINY.cpus(3).folios(3).buffer_heads(3);

fn adds<const NUMBER: usize>(k: &Run) {
    folio_add_lru(k, &k.folios[NUMBER]);
}

static DRAIN: Scenario = Scenario {
    name: "drain_of_three_cpus",
    about: "A folio rests in the batch of each CPU. CPU0 drains all.",
    machine: THREE,
    before: &[cpu(0, "adder", adds::<0>), cpu(1, "adder", adds::<1>), cpu(2, "adder", adds::<2>)],
    tasks: &[cpu(0, "drainer", |k| lru_add_drain_all(k))],
    at_end: Some(|k| {
        if let Some(folio) = k.folios.iter().find(|folio| is_batched(k, folio)) {
            let message = format!("folio{} rests in a batch", folio.index);
            let object = folio.refcount.object();
            selvedge_kernel::fail_about(OWN_ADDITIONS_ARE_DRAINED, message, object);
        }
    }),
    ..Scenario::EMPTY
};

fn installs<const NUMBER: usize>(k: &Run) {
    (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[NUMBER]);
    brelse(Some(&k.buffer_heads[NUMBER]), Name::new("user of the bh"));
}

static INVALIDATE: Scenario = Scenario {
    name: "invalidation_of_three_cpus",
    about: "A bh is in the bh_lru of each CPU. CPU0 invalidates all.",
    machine: THREE,
    before: &[
        cpu(0, "user", installs::<0>),
        cpu(1, "user", installs::<1>),
        cpu(2, "user", installs::<2>),
    ],
    tasks: &[cpu(0, "invalidator", |k| invalidate_bh_lrus(k))],
    at_end: Some(|k| no_bh_is_left(k, AN_INVALIDATION_EMPTIES_EVERY_BH_LRU)),
    ..Scenario::EMPTY
};

fn disables(k: &Run) {
    (k.tree.swap.lru_cache_disable())(k);
}

static PREP_1: Scenario = Scenario {
    name: "install_on_cpu1_vs_prep",
    about: "CPU1, of three, installs a bh in its empty bh_lru; CPU0 disables caching and drains. \
            The migration is pending when we look.",
    machine: THREE,
    tasks: &[cpu(0, "migrator", disables), cpu(1, "installer", installs::<1>)],
    at_end: Some(|k| no_bh_is_left(k, NO_BH_STAYS_WHILE_PENDING)),
    ..Scenario::EMPTY
};

static PREP_2: Scenario = Scenario {
    name: "install_on_cpu2_vs_prep",
    about: "The same, with CPU2 in place of CPU1.",
    tasks: &[cpu(0, "migrator", disables), cpu(2, "installer", installs::<2>)],
    ..PREP_1
};

pub(super) fn claims() -> Vec<Answers> {
    let round = Analysis("what each CPU had before the round began is gone when it is over");
    let waits = Comment {
        file: "mm/swap.c",
        says: "lru_cache_disable() waits for all sections that may have read the counter before",
    };
    let stays = |scenario| {
        let reached = &[INSTALLED, INSTALL_FOUND_CACHING_DISABLED];
        ask(NO_BH_STAYS_WHILE_PENDING, scenario, waits, reached).under(DPOR)
    };
    vec![
        ask(OWN_ADDITIONS_ARE_DRAINED, &DRAIN, round, &[DRAIN_WORKED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&DRAIN_SKIPS_CPU1]),
        ask(AN_INVALIDATION_EMPTIES_EVERY_BH_LRU, &INVALIDATE, round, &[INSTALLED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&INVALIDATION_SKIPS_CPU0]),
        stays(&PREP_1).holds(&[&V6_12_117]),
        stays(&PREP_2)
            .holds(&[&V6_12_117])
            .broken_after(&[INSTALLED])
            .violated(&[&PREP_SKIPS_CPU2]),
    ]
}
