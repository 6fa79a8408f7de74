//! A CPU that goes down: who sees it, and where its work items run.

use crate::common;

use std::sync::Arc;

use common::{Outcomes, Program, nothing, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::{
    Cpus, INIT_WORK, KERNEL_ASSERTIONS_HOLD, Name, READ_ONCE, Var, WRITE_ONCE, Work, bring_cpu_up,
    cpu_online, flush_work, join_all, preempt_disable, preempt_enable, queue_work_on,
    smp_processor_id, take_cpu_down,
};

fn hotplug() -> Cpus {
    two_cpus().with_hotplug()
}

fn takes_cpu0_down(cpus: &Cpus, _: &()) -> u64 {
    take_cpu_down(cpus, 0);
    u64::from(cpu_online(cpus, 0))
}

/// Two looks: bits 0 and 1.
fn looks_twice(cpus: &Cpus, _: &()) -> u64 {
    let first = u64::from(cpu_online(cpus, 0));
    first | u64::from(cpu_online(cpus, 0)) << 1
}

fn looks_twice_preempt_off(cpus: &Cpus, _: &()) -> u64 {
    preempt_disable(cpus);
    let seen = looks_twice(cpus, &());
    preempt_enable(cpus);
    seen
}

const fn looks(look: &'static [(usize, common::Run<()>)]) -> Program<()> {
    Program { cpus: hotplug, make: |_| (), tasks: look, ends: nothing }
}

fn seen_by_the_other(outcomes: &Outcomes) -> Vec<u64> {
    outcomes.iter().map(|seen| seen[1]).collect()
}

/// Online, online; online, offline; offline, offline: never back.
#[test]
fn a_round_may_see_a_cpu_go_down() {
    let outcomes = looks(&[(1, takes_cpu0_down), (1, looks_twice)]).outcomes();
    assert_eq!(seen_by_the_other(&outcomes), [0b00, 0b01, 0b11]);
    assert!(outcomes.iter().all(|seen| seen[0] == 0));
}

/// `stop_machine()` waits for whoever has preemption off, also on a CPU that stays.
#[test]
fn with_preemption_off_the_mask_does_not_change() {
    let outcomes = looks(&[(1, takes_cpu0_down), (1, looks_twice_preempt_off)]).outcomes();
    assert_eq!(seen_by_the_other(&outcomes), [0b00, 0b11], "on a CPU that stays");
    let outcomes = looks(&[(1, takes_cpu0_down), (0, looks_twice_preempt_off)]).outcomes();
    assert!(!seen_by_the_other(&outcomes).contains(&0b01), "on the CPU itself: {outcomes:?}");
}

struct Queued {
    work: Work,
    /// The CPU on which the item ran, plus 1.
    ran_on: Arc<Var>,
}

fn make(cpus: &Arc<Cpus>) -> Queued {
    let (work, ran_on) = (Work::new(Name::new("work")), Arc::new(Var::new(Name::new("cpu"), 0)));
    let (cpus, there) = (cpus.clone(), ran_on.clone());
    let run = move || {
        preempt_disable(&cpus);
        WRITE_ONCE(&there, smp_processor_id() as u64 + 1);
        preempt_enable(&cpus);
    };
    INIT_WORK(&work, Arc::new(run));
    Queued { work, ran_on }
}

/// What an item of CPU0 does there it does on CPU1 if CPU0 was down before; and it is waited for.
#[test]
fn an_item_of_an_offline_cpu_runs_elsewhere() {
    fn queues(cpus: &Cpus, queued: &Queued) -> u64 {
        queue_work_on(cpus, 0, &queued.work);
        flush_work(cpus, &queued.work);
        READ_ONCE(&queued.ran_on)
    }
    fn takes_down(cpus: &Cpus, _: &Queued) -> u64 {
        take_cpu_down(cpus, 0);
        0
    }
    let ends = |queued: &Queued| {
        join_all();
        queued.ran_on.peek()
    };
    let program = Program { cpus: hotplug, make, tasks: &[(1, queues), (1, takes_down)], ends };
    let (seen, outcomes) = program.run(Engine::Dpor);
    assert_eq!(seen.verdict, Verdict::Holds);
    assert_eq!(outcomes, Outcomes::from([vec![1, 0, 1], vec![2, 0, 2]]));
    let without = Program { cpus: hotplug, tasks: &[(1, queues)], ..program };
    assert_eq!(without.run(Engine::Dpor).1, Outcomes::from([vec![1, 1]]));
}

/// The mask changes under whoever has preemption off too: a CPU that comes up waits for nobody.
#[test]
fn a_cpu_that_comes_up_waits_for_nobody() {
    fn goes_down_and_up(cpus: &Cpus, _: &()) -> u64 {
        take_cpu_down(cpus, 0);
        bring_cpu_up(cpus, 0);
        u64::from(cpu_online(cpus, 0))
    }
    let outcomes = looks(&[(1, goes_down_and_up), (1, looks_twice_preempt_off)]).outcomes();
    assert_eq!(seen_by_the_other(&outcomes), [0b00, 0b10, 0b11], "{outcomes:?}");
    assert!(outcomes.iter().all(|seen| seen[0] == 1));
}

#[test]
fn a_cpu_that_is_online_does_not_come_up() {
    fn comes_up(cpus: &Cpus, _: &()) -> u64 {
        bring_cpu_up(cpus, 0);
        0
    }
    assert_eq!(looks(&[(1, comes_up)]).broken().0, KERNEL_ASSERTIONS_HOLD.0);
}
