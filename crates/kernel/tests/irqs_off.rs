//! Interrupts off, per-CPU data, and the lock that never sleeps: what nests, and what does not.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore};
use selvedge_kernel::{
    Cpus, KERNEL_ASSERTIONS_HOLD, LocalLock, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, Name, PerCpu,
    READ_ONCE, RawSpinLock, SpinLock, TASK_NORMAL, Task, Var, WRITE_ONCE, interrupt, irqs_disabled,
    join, kernel_assert, local_irq_disable, local_irq_enable, local_irq_restore, local_irq_save,
    local_lock, local_unlock, plain_read, plain_write, preempt_disable, preempt_enable,
    raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, smp_rmb, spawn_task, spin_lock,
    spin_lock_irq, spin_lock_irqsave, spin_unlock, spin_unlock_irq, spin_unlock_irqrestore,
    try_to_wake_up,
};

fn run(engine: Engine, body: impl Fn() + Send + Sync + 'static) -> Exploration {
    explore(engine, &Bounds::PROOF, Vec::new(), Arc::new(body))
}

/// One task on one CPU, with these CPUs.
fn alone(preempt_rt: bool, task: fn(&Cpus)) -> Exploration {
    run(Engine::Dpor, move || {
        let cpus = Arc::new(Cpus::new(1, preempt_rt));
        let theirs = cpus.clone();
        join(spawn_task(&cpus, 0, "task", move || task(&theirs)));
    })
}

fn holds(task: fn(&Cpus)) {
    let seen = alone(false, task);
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
}

fn is_off(cpus: &Cpus, expected: bool) {
    kernel_assert(irqs_disabled(cpus) == expected, "interrupts are as C would have them");
}

#[test]
fn local_irq_enable_turns_interrupts_on_whatever_is_open() {
    holds(|cpus| {
        local_irq_disable(cpus);
        local_irq_disable(cpus);
        local_irq_enable(cpus);
        is_off(cpus, false);
        local_irq_enable(cpus);
        is_off(cpus, false);
    });
    holds(|cpus| {
        local_irq_save(cpus);
        local_irq_disable(cpus);
        local_irq_enable(cpus);
        is_off(cpus, false);
        local_irq_restore(cpus);
        is_off(cpus, false);
    });
}

#[test]
fn local_irq_restore_goes_back_to_what_was_saved() {
    holds(|cpus| {
        local_irq_save(cpus);
        local_irq_save(cpus);
        local_irq_restore(cpus);
        is_off(cpus, true);
        local_irq_restore(cpus);
        is_off(cpus, false);
    });
    // Off again, though they were turned on within.
    holds(|cpus| {
        local_irq_disable(cpus);
        local_irq_save(cpus);
        local_irq_enable(cpus);
        is_off(cpus, false);
        local_irq_restore(cpus);
        is_off(cpus, true);
        local_irq_enable(cpus);
    });
}

#[test]
fn interrupts_are_not_enabled_or_restored_by_who_never_turned_them_off() {
    for task in [local_irq_enable as fn(&Cpus), local_irq_restore] {
        let rule = alone(false, task).counterexample.expect("a violation").rule;
        assert_eq!(rule, KERNEL_ASSERTIONS_HOLD.0);
    }
}

/// What an interrupt on the same CPU counts, too.
struct Counted {
    cpus: Cpus,
    inner: SpinLock,
    count: Var,
}

fn add(count: &Var) {
    plain_write(count, plain_read(count) + 1);
}

/// What each engine that has interrupts says of the section; all the same.
fn counted(section: fn(&Counted)) -> Verdict {
    let [dpor, sc, weak] = WITH_INTERRUPTS.map(|engine| counted_under(engine, section).verdict);
    assert_eq!((&sc, &weak), (&dpor, &dpor), "graph-sc and graph, beside dpor");
    dpor
}

const WITH_INTERRUPTS: [Engine; 3] = [Engine::Dpor, Engine::GraphSc, Engine::Graph];

fn counted_under(engine: Engine, section: fn(&Counted)) -> Exploration {
    run(engine, move || {
        let all = Arc::new(Counted {
            cpus: Cpus::new(1, false),
            inner: SpinLock::new(Name::new("inner")),
            count: Var::new(Name::new("count"), 0),
        });
        let (mine, theirs) = (all.clone(), all.clone());
        let irq = interrupt(&all.cpus, 0, "irq", move || add(&theirs.count));
        join(spawn_task(&all.cpus, 0, "task", move || section(&mine)));
        join(irq);
        kernel_assert(all.count.peek() == 2, "an addition got lost");
    })
}

/// Between any two steps, before the first and after the last.
#[test]
fn an_interrupt_comes_at_as_many_places_under_graph_as_under_dpor() {
    let all = WITH_INTERRUPTS.map(|engine| {
        let seen = run(engine, || {
            let cpus = Arc::new(Cpus::new(1, false));
            let count = Arc::new(Var::new(Name::new("count"), 0));
            let theirs = count.clone();
            let irq = interrupt(&cpus, 0, "irq", move || plain_write(&theirs, 9));
            let task = move || (0..3).for_each(|n| plain_write(&count, n));
            join(spawn_task(&cpus, 0, "task", task));
            join(irq);
        });
        (seen.verdict, seen.executions)
    });
    assert!(all.iter().all(|seen| *seen == (Verdict::Holds, 4)), "{all:?}");
}

/// The deadlock that `spin_lock_irqsave()` is there for.
#[test]
fn who_spins_for_a_lock_of_the_task_that_it_interrupted_does_so_for_good() {
    for engine in WITH_INTERRUPTS {
        let with = |irqs_off: bool| {
            let seen = run(engine, move || {
                let cpus = Arc::new(Cpus::new(1, false));
                let lock = Arc::new(SpinLock::new(Name::new("lock")));
                let (mine, theirs) = (lock.clone(), lock);
                let (here, there) = (cpus.clone(), cpus.clone());
                let irq = interrupt(&cpus, 0, "irq", move || {
                    spin_lock(&there, &theirs);
                    spin_unlock(&there, &theirs);
                });
                let task = move || {
                    if irqs_off {
                        spin_lock_irqsave(&here, &mine);
                        spin_unlock_irqrestore(&here, &mine);
                    } else {
                        spin_lock(&here, &mine);
                        spin_unlock(&here, &mine);
                    }
                };
                join(spawn_task(&cpus, 0, "task", task));
                join(irq);
            });
            seen.verdict
        };
        assert_eq!(with(false), Verdict::Violated, "{}", engine.name());
        assert_eq!(with(true), Verdict::Holds, "{}", engine.name());
    }
}

/// What a task stores becomes visible to other CPUs in any order, interrupted or not; to the
/// handler it is visible.
#[test]
fn an_interrupted_task_is_no_more_ordered_for_others_than_any() {
    let look = |on_another_cpu: bool| {
        let seen = run(Engine::Graph, move || {
            let cpus = Arc::new(Cpus::new(2, false));
            let data = Arc::new(Var::new(Name::new("data"), 0));
            let flag = Arc::new(Var::new(Name::new("flag"), 0));
            let (theirs, theirs_too) = (data.clone(), flag.clone());
            let looks = move || {
                let is_there = READ_ONCE(&theirs_too) == 0 || {
                    smp_rmb();
                    READ_ONCE(&theirs) == 1
                };
                kernel_assert(is_there, "the flag without the data");
            };
            let (irq, other) = if on_another_cpu {
                (interrupt(&cpus, 0, "irq", || {}), Some(spawn_task(&cpus, 1, "looks", looks)))
            } else {
                (interrupt(&cpus, 0, "irq", looks), None)
            };
            join(spawn_task(&cpus, 0, "task", move || {
                WRITE_ONCE(&data, 1);
                WRITE_ONCE(&flag, 1);
            }));
            join(irq);
            other.into_iter().for_each(join);
        });
        seen.verdict
    };
    assert_eq!(look(false), Verdict::Holds);
    assert_eq!(look(true), Verdict::Violated);
}

/// The bug that a patch makes with `spin_lock_irq()` where the caller has interrupts off already.
#[test]
fn spin_unlock_irq_lets_interrupts_into_a_section_around_it() {
    let with_irq = counted(|all| {
        local_irq_disable(&all.cpus);
        let seen = plain_read(&all.count);
        spin_lock_irq(&all.cpus, &all.inner);
        spin_unlock_irq(&all.cpus, &all.inner);
        plain_write(&all.count, seen + 1);
        local_irq_enable(&all.cpus);
    });
    assert_eq!(with_irq, Verdict::Violated);
    let with_irqsave = counted(|all| {
        local_irq_disable(&all.cpus);
        let seen = plain_read(&all.count);
        spin_lock_irqsave(&all.cpus, &all.inner);
        spin_unlock_irqrestore(&all.cpus, &all.inner);
        plain_write(&all.count, seen + 1);
        local_irq_enable(&all.cpus);
    });
    assert_eq!(with_irqsave, Verdict::Holds);
}

/// `p->pi_lock` is one.
#[test]
fn a_raw_spinlock_does_not_sleep_with_preempt_rt() {
    let wakes = alone(true, |cpus| {
        let task = Task::new(0);
        preempt_disable(cpus);
        try_to_wake_up(cpus, &task, TASK_NORMAL);
        preempt_enable(cpus);
    });
    assert_eq!(wakes.verdict, Verdict::Holds, "{:?}", wakes.counterexample);
    let raw = alone(true, |cpus| {
        let lock = RawSpinLock::new(Name::new("raw"));
        raw_spin_lock_irqsave(cpus, &lock);
        is_off(cpus, true);
        raw_spin_unlock_irqrestore(cpus, &lock);
        is_off(cpus, false);
    });
    assert_eq!(raw.verdict, Verdict::Holds, "{:?}", raw.counterexample);
    let other = alone(true, |cpus| {
        let lock = SpinLock::new(Name::new("sleeping"));
        preempt_disable(cpus);
        spin_lock_irqsave(cpus, &lock);
    });
    let rule = other.counterexample.expect("a violation").rule;
    assert_eq!(rule, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
}

/// The bug of a patch that asks for its CPU's data before it takes the lock that keeps it there.
#[test]
fn this_cpu_ptr_is_not_for_preemptible_code() {
    fn uses(preempt_rt: bool, task: fn(&Cpus, &PerCpu<LocalLock>, &PerCpu<u64>)) -> Exploration {
        run(Engine::Dpor, move || {
            let cpus = Arc::new(Cpus::new(1, preempt_rt));
            let data = PerCpu::new(&cpus, |_| 7);
            let lock = PerCpu::new(&cpus, |cpu| LocalLock::new(&cpus, "local", cpu));
            let theirs = cpus.clone();
            join(spawn_task(&cpus, 0, "task", move || task(&theirs, &lock, &data)));
        })
    }
    for preempt_rt in [false, true] {
        let before = uses(preempt_rt, |cpus, lock, data| {
            let mine = data.this_cpu_ptr();
            local_lock(cpus, lock);
            kernel_assert(*mine == 7, "it is there");
            local_unlock(cpus, lock);
        });
        let cx = before.counterexample.expect("a violation");
        assert_eq!(cx.rule, KERNEL_ASSERTIONS_HOLD.0);
        assert!(cx.message.contains("preemptible"), "{}", cx.message);
        let under = uses(preempt_rt, |cpus, lock, data| {
            local_lock(cpus, lock);
            kernel_assert(*data.this_cpu_ptr() == 7, "it is there");
            local_unlock(cpus, lock);
            local_irq_disable(cpus);
            data.this_cpu_ptr();
            local_irq_enable(cpus);
        });
        assert_eq!(under.verdict, Verdict::Holds, "{:?}", under.counterexample);
    }
    let in_interrupt = run(Engine::Dpor, || {
        let cpus = Arc::new(Cpus::new(1, false));
        let data = PerCpu::new(&cpus, |_| 7);
        join(interrupt(&cpus, 0, "irq", move || {
            data.this_cpu_ptr();
        }));
    });
    assert_eq!(in_interrupt.verdict, Verdict::Holds);
}
