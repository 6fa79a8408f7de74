//! A CPU comes up while somebody disables caching: does a round over the CPUs miss it?
//!
//! It cannot: no task runs there before it is in the mask, and who finds caching enabled there has
//! begun before `synchronize_rcu()` has ended, so that the round, which comes later, finds the CPU.
//! There is no callback that would have to see to it: its caches are empty when it comes up, since
//! the callbacks of when it went down have emptied them.

use selvedge_kernel::{CPU_IS_UP, Name, bring_cpu_up, join, take_cpu_down};
use selvedge_models::Machine;
use selvedge_models::fs::buffer::brelse;
use selvedge_models::mm::swap::folio_add_lru;
use selvedge_models::trees::*;

use super::DPOR;
use super::migrate_pending::disable;
use crate::Source::Analysis;
use crate::rules::{
    NO_BH_STAYS_WHILE_PENDING, NO_FOLIO_RESTS_WHILE_PENDING, no_bh_stays, no_folio_rests,
};
use crate::states::{DISABLED, INSTALLED, RESTED};
use crate::{Answers, Run, Scenario, ask, cpu};

/// `cpu_up()` of CPU1, and the first task there.
fn comes_up(k: &Run, first: fn(&Run)) {
    bring_cpu_up(&k.cpus, 1);
    join(k.task(1, "first task", first));
}

fn adds(k: &Run) {
    comes_up(k, |k| folio_add_lru(k, &k.folios[0]));
}

fn installs(k: &Run) {
    comes_up(k, |k| {
        (k.tree.buffer.bh_lru_install())(k, &k.buffer_heads[0]);
        brelse(Some(&k.buffer_heads[0]), Name::new("user of the bh"));
    });
}

static DISABLE_VS_UP: Scenario = Scenario {
    name: "disable_vs_cpu_up",
    about: "CPU1 is offline. On CPU0 one task brings it up, and then a task on CPU1 adds a folio; \
            another task on CPU0 disables caching and drains.",
    machine: Machine::TINY.hotplug(),
    before: &[cpu(0, "cpu_down", |k| take_cpu_down(&k.cpus, 1))],
    tasks: &[cpu(0, "cpu_up", adds), cpu(0, "migrator", disable)],
    at_end: Some(no_folio_rests),
    ..Scenario::EMPTY
};

static DISABLE_VS_UP_OF_BH: Scenario = Scenario {
    name: "disable_vs_cpu_up_with_bh",
    about: "The same, of a bh that the task on CPU1 installs.",
    tasks: &[cpu(0, "cpu_up", installs), cpu(0, "migrator", disable)],
    at_end: Some(no_bh_stays),
    ..DISABLE_VS_UP
};

pub(super) fn claims() -> Vec<Answers> {
    let seen = Analysis("it is in the mask before a task runs there, and empty when it comes up");
    let misses = Analysis("the mutant's round misses it");
    vec![
        ask(NO_FOLIO_RESTS_WHILE_PENDING, &DISABLE_VS_UP, seen, &[CPU_IS_UP, DISABLED, RESTED])
            .under(DPOR)
            .holds(&[&V5_18, &V6_1, &V6_12_117, &V6_18])
            .violated_as(misses, &[&DRAIN_SKIPS_CPU1]),
        ask(
            NO_BH_STAYS_WHILE_PENDING,
            &DISABLE_VS_UP_OF_BH,
            seen,
            &[CPU_IS_UP, DISABLED, INSTALLED],
        )
        .under(DPOR)
        .holds(&[&V5_18, &V6_1, &V6_12_117, &V6_18])
        .violated_as(misses, &[&DRAIN_SKIPS_CPU1]),
    ]
}
