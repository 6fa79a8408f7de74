//! A CPU comes up while somebody disables caching: does a round over the CPUs miss it?
//!
//! It cannot: no task runs there before it is in the mask, and who finds caching enabled there has
//! begun before `synchronize_rcu()` has ended, so that the round, which comes later, finds the CPU.
//! There is no callback that would have to see to it: its caches are empty when it comes up, since
//! the callbacks of when it went down have emptied them.

use selvedge_kernel::{
    CPU_IS_UP, Name, bring_cpu_up, fail_about, join, kernel_assert, preempt_disable,
    preempt_enable, smp_processor_id, take_cpu_down,
};
use selvedge_models::Machine;
use selvedge_models::fs::buffer::brelse;
use selvedge_models::mm::swap::{folio_add_lru, lru_add_drain_all};
use selvedge_models::trees::*;

use super::DPOR;
use super::migrate_pending::disable;
use crate::Source::Analysis;
use crate::rules::{
    NO_BH_STAYS_WHILE_PENDING, NO_FOLIO_RESTS_WHILE_PENDING, OWN_ADDITIONS_ARE_DRAINED, is_batched,
    no_bh_stays, no_folio_rests,
};
use crate::states::{DISABLED, DRAIN_WORKED, INSTALLED, RESTED};
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

/// `smpboot_thread_fn()`: a thread of this CPU, which is started when the CPU has come up.
fn thread_of_cpu1(k: &Run) {
    preempt_disable(&k.cpus);
    let is_here = smp_processor_id() == 1;
    preempt_enable(&k.cpus);
    kernel_assert(is_here, "BUG_ON(td->cpu != smp_processor_id()) in smpboot_thread_fn()");
}

static DRAIN_VS_UP: Scenario = Scenario {
    name: "drain_all_vs_cpu_up",
    about: "CPU1 is offline, and a folio rests in the batch of CPU0, which is online all the time. \
            On CPU0 one task brings CPU1 up, and a thread of CPU1 runs; another task on CPU0 \
            drains all.",
    machine: Machine::TINY.hotplug(),
    before: &[
        cpu(0, "cpu_down", |k| take_cpu_down(&k.cpus, 1)),
        cpu(0, "adder", |k| folio_add_lru(k, &k.folios[0])),
    ],
    tasks: &[
        cpu(0, "cpu_up", |k| comes_up(k, thread_of_cpu1)),
        cpu(0, "drainer", |k| lru_add_drain_all(k)),
    ],
    at_end: Some(|k| {
        if is_batched(k, &k.folios[0]) {
            let object = k.folios[0].refcount.object();
            fail_about(OWN_ADDITIONS_ARE_DRAINED, "folio0 rests in a batch", object);
        }
    }),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let online = Analysis("a round finds each CPU that was online all the time");
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
        ask(OWN_ADDITIONS_ARE_DRAINED, &DRAIN_VS_UP, online, &[CPU_IS_UP, RESTED, DRAIN_WORKED])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117])
            .violated_after(&[RESTED], &[&DRAIN_FINDS_NOTHING]),
    ]
}
