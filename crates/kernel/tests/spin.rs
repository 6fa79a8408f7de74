//! Waits that keep their CPU: who is kept from running by them, and what that is called.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::{Bounds, Engine, Verdict, explore, join};
use selvedge_kernel::{
    Cpus, If, NOBODY_WAITS_FOR_EVER, Name, READ_ONCE, Var, WRITE_ONCE, interrupt,
    local_irq_disable, local_irq_enable, preempt_disable, preempt_enable, smp_cond_load_acquire,
    smp_store_release, spawn_task, spin_until,
};
use selvedge_monitors::{NO_CPU_IS_LOCKED_UP, WaitGraph};

struct Shared {
    flag: Var,
    data: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    Shared { flag: Var::new(Name::new("flag"), 0), data: Var::new(Name::new("data"), 0) }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

fn sets(_: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.data, 1);
    smp_store_release(&shared.flag, 1);
    0
}

fn spins(_: &Cpus, shared: &Shared) -> u64 {
    smp_cond_load_acquire(&shared.flag, If::Equals(1));
    READ_ONCE(&shared.data)
}

fn spins_with_preemption_off(cpus: &Cpus, shared: &Shared) -> u64 {
    preempt_disable(cpus);
    let seen = spins(cpus, shared);
    preempt_enable(cpus);
    seen
}

#[test]
fn who_spins_sees_what_it_waited_for() {
    let seen = [vec![0, 1, 0]].into();
    for spinning in [
        program(&[(0, sets), (1, spins)]),
        program(&[(0, sets), (1, spins_with_preemption_off)]),
        // It is preempted.
        program(&[(0, sets), (0, spins)]),
    ] {
        assert_eq!(spinning.outcomes(), seen);
        assert_eq!(spinning.run(Engine::Graph).1, seen);
    }
    program(&[(0, sets), (1, spins)]).is_beyond_loom("smp_cond_load_acquire(flag) waits");
}

/// On one CPU nobody else comes to set the flag. Only where preemption keeps others from running
/// at all: graphs do not have that.
#[test]
fn a_cpu_that_spins_with_preemption_off_is_locked_up() {
    let locked_up = program(&[(0, sets), (0, spins_with_preemption_off)]);
    for engine in [Engine::Dpor, Engine::Dfs] {
        let (seen, _) = locked_up.run(engine);
        assert_eq!(seen.verdict, Verdict::Violated, "{engine}");
        let found = seen.counterexample.expect("a counterexample");
        assert_eq!(found.rule, NO_CPU_IS_LOCKED_UP.0);
        let held = "CPU0 task0 waits for CPU0, held by CPU0 task1, spinning, preemption off since";
        assert!(found.message.contains(held), "{}", found.message);
        let spins = "soft lockup: CPU0 task1 spins on flag, preemption off since";
        assert!(found.message.contains(spins), "{}", found.message);
    }
    assert_eq!(locked_up.run(Engine::Graph).0.verdict, Verdict::Holds);
}

#[test]
fn a_flag_that_nobody_sets_is_no_lockup_with_preemption_on() {
    let (rule, message) = program(&[(0, spins)]).broken();
    assert_eq!(rule, NOBODY_WAITS_FOR_EVER.0);
    assert!(message.contains("CPU0 task0 spins on flag, which nobody will change"), "{message}");
}

/// Whether an interrupt gets in is what tells a hard lockup from a soft one.
#[test]
fn an_interrupt_ends_a_spin_with_preemption_off_but_not_with_interrupts_off() {
    let spin = |irqs_off: bool| {
        let body = move || {
            let cpus = Arc::new(Cpus::new(1, false));
            let flag = Arc::new(Var::new(Name::new("flag"), 0));
            let (here, theirs) = (cpus.clone(), flag.clone());
            let task = spawn_task(&cpus, 0, "poller", move || {
                if irqs_off {
                    local_irq_disable(&here);
                } else {
                    preempt_disable(&here);
                }
                spin_until(&theirs, If::Differs(0));
                if irqs_off {
                    local_irq_enable(&here);
                } else {
                    preempt_enable(&here);
                }
            });
            let irq = interrupt(&cpus, 0, "timer", move || WRITE_ONCE(&flag, 1));
            join(task);
            join(irq);
        };
        let monitors: Vec<Box<dyn selvedge_trace::Monitor>> = vec![Box::<WaitGraph>::default()];
        explore(Engine::Dpor, &Bounds::PROOF, monitors, Arc::new(body))
    };
    assert_eq!(spin(false).verdict, Verdict::Holds);
    let found = spin(true).counterexample.expect("a counterexample");
    assert_eq!(found.rule, NO_CPU_IS_LOCKED_UP.0);
    assert!(found.message.contains("hard lockup: CPU0 poller spins on flag"), "{}", found.message);
}
