//! A scheduler that moves tasks: what is done with preemption off stays on one CPU, and what is not
//! may go on elsewhere.

use crate::common;

use std::sync::Arc;

use common::{Program, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::{
    Cpus, KERNEL_ASSERTIONS_HOLD, Name, PerCpu, TASK_WAS_MOVED, Var, local_irq_disable,
    local_irq_enable, plain_read, plain_write, preempt_disable, preempt_enable, smp_processor_id,
};

struct Shared {
    /// A counter of each CPU, which only its own CPU changes.
    counts: PerCpu<Var>,
}

fn moving() -> Cpus {
    two_cpus().with_moves()
}

fn make(cpus: &Arc<Cpus>) -> Shared {
    Shared { counts: PerCpu::new(cpus, |cpu| Var::new(Name::new("count").on(cpu), 0)) }
}

fn all(shared: &Shared) -> u64 {
    10 * shared.counts.of(0).peek() + shared.counts.of(1).peek()
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: moving, make, tasks, ends: all }
}

fn add_one(count: &Var) {
    plain_write(count, plain_read(count) + 1);
}

fn counts(cpus: &Cpus, shared: &Shared) -> u64 {
    preempt_disable(cpus);
    add_one(shared.counts.this_cpu_ptr());
    preempt_enable(cpus);
    0
}

fn counts_irqs_off(cpus: &Cpus, shared: &Shared) -> u64 {
    local_irq_disable(cpus);
    add_one(shared.counts.this_cpu_ptr());
    local_irq_enable(cpus);
    0
}

#[test]
fn a_task_is_moved_or_it_is_not() {
    for task in [counts as common::Run<Shared>, counts_irqs_off] {
        let program: &'static [_] = Box::leak(Box::new([(0, task)]));
        let moved = Program { cpus: moving, make, tasks: program, ends: all };
        assert_eq!(moved.outcomes(), [vec![0, 1], vec![0, 10]].into());
        let (seen, _) = moved.run(Engine::Dpor);
        assert!(seen.reached.contains(TASK_WAS_MOVED));
        // Where nobody asks for it no task moves.
        let stays = Program { cpus: two_cpus, ..moved };
        assert_eq!(stays.outcomes(), [vec![0, 10]].into());
    }
}

#[test]
fn nobody_is_moved_in_a_section() {
    fn stays(cpus: &Cpus, _: &Shared) -> u64 {
        preempt_disable(cpus);
        let before = smp_processor_id();
        local_irq_disable(cpus);
        preempt_disable(cpus);
        let within = smp_processor_id();
        preempt_enable(cpus);
        local_irq_enable(cpus);
        let after = smp_processor_id();
        preempt_enable(cpus);
        u64::from(before != within || within != after)
    }
    let outcomes = program(&[(0, stays)]).outcomes();
    assert_eq!(outcomes, [vec![0, 0]].into());
}

/// Two that count on one CPU lose nothing, wherever they are moved to; one that looks its counter
/// up before the section, and takes it with it, does.
#[test]
fn what_is_looked_up_before_the_section_is_another_cpus() {
    let both = program(&[(0, counts), (0, counts)]).outcomes();
    assert!(both.iter().all(|outcome| outcome[2] / 10 + outcome[2] % 10 == 2), "{both:?}");
    fn looks_up_first(cpus: &Cpus, shared: &Shared) -> u64 {
        let count = shared.counts.this();
        preempt_disable(cpus);
        add_one(count);
        preempt_enable(cpus);
        0
    }
    let lost = program(&[(0, looks_up_first), (0, counts)]).outcomes();
    assert!(lost.iter().any(|outcome| outcome[2] == 10), "{lost:?}");
    let stays = Program { cpus: two_cpus, ..program(&[(0, looks_up_first), (0, counts)]) };
    assert_eq!(stays.outcomes(), [vec![0, 0, 20]].into());
    // this_cpu_ptr() says so by itself, moved or not.
    fn asks_too_early(cpus: &Cpus, shared: &Shared) -> u64 {
        let count = shared.counts.this_cpu_ptr();
        preempt_disable(cpus);
        add_one(count);
        preempt_enable(cpus);
        0
    }
    let (seen, _) = program(&[(0, asks_too_early)]).run(Engine::Dpor);
    assert_eq!(seen.verdict, Verdict::Violated);
    let rule = seen.counterexample.expect("a counterexample").rule;
    assert_eq!(rule, KERNEL_ASSERTIONS_HOLD.0);
}
