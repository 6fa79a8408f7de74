//! Readers that may be preempted, callbacks, and softirqs.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore, join};
use selvedge_kernel::{
    Cpus, If, KERNEL_ASSERTIONS_HOLD, Mutex, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, Name, READ_ONCE,
    SpinLock, Var, WRITE_ONCE, call_rcu, join_all, local_bh_disable, local_bh_enable, mutex_lock,
    rcu_barrier, rcu_read_lock, rcu_read_unlock, softirq, spawn_task, spin_lock, spin_lock_bh,
    spin_unlock, spin_unlock_bh, spin_until, synchronize_rcu,
};
use selvedge_monitors::WaitGraph;
use selvedge_trace::Monitor;

struct Shared {
    /// Where the object is that readers look for: 0 or 1.
    pointer: Var,
    /// Has each of the two objects been freed?
    freed: [Var; 2],
    seen: Var,
    inside: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    let freed = Name::new("freed");
    Shared {
        pointer: Var::new(Name::new("pointer"), 0),
        freed: [0, 1].map(|nth| Var::new(freed.nth(nth), 0)),
        seen: Var::new(Name::new("seen"), 0),
        inside: Var::new(Name::new("inside"), 0),
    }
}

fn preemptible() -> Cpus {
    two_cpus().with_preempt_rcu(4)
}

/// Was the object that it found freed under its hands?
fn reads(cpus: &Cpus, shared: &Shared) -> u64 {
    rcu_read_lock(cpus);
    let found = READ_ONCE(&shared.pointer) as usize;
    let is_freed = READ_ONCE(&shared.freed[found]);
    rcu_read_unlock(cpus);
    is_freed
}

fn replaces(cpus: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.pointer, 1);
    synchronize_rcu(cpus);
    WRITE_ONCE(&shared.freed[0], 1);
    0
}

fn replaces_at_once(_: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.pointer, 1);
    WRITE_ONCE(&shared.freed[0], 1);
    0
}

const ELSEWHERE: &[(usize, common::Run<Shared>)] = &[(0, reads), (1, replaces)];
const ON_ONE_CPU: &[(usize, common::Run<Shared>)] = &[(0, reads), (0, replaces)];
const AT_ONCE: &[(usize, common::Run<Shared>)] = &[(0, reads), (1, replaces_at_once)];

#[test]
fn a_grace_period_waits_for_readers_preemptible_or_not() {
    let program = |cpus, tasks| Program { cpus, make, tasks, ends: nothing };
    let kept = [vec![0, 0, 0]].into();
    // On one CPU too: `graph` does not know that nothing else runs there beside the caller.
    for (cpus, tasks) in [
        (two_cpus as fn() -> Cpus, ELSEWHERE),
        (two_cpus, ON_ONE_CPU),
        (preemptible, ELSEWHERE),
        (preemptible, ON_ONE_CPU),
    ] {
        assert_eq!(program(cpus, tasks).outcomes(), kept);
        assert_eq!(program(cpus, tasks).run(Engine::Graph).1, kept);
    }
    for cpus in [two_cpus as fn() -> Cpus, preemptible] {
        assert!(program(cpus, AT_ONCE).outcomes().contains(&vec![1, 0, 0]));
    }
}

/// What tells PREEMPT_RCU from the other: in the middle of a section somebody else runs there.
#[test]
fn only_a_preemptible_reader_is_preempted() {
    fn reads_twice(cpus: &Cpus, shared: &Shared) -> u64 {
        rcu_read_lock(cpus);
        let before = READ_ONCE(&shared.seen);
        let after = READ_ONCE(&shared.seen);
        rcu_read_unlock(cpus);
        after - before
    }
    fn comes_between(_: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.seen, 1);
        0
    }
    let tasks = &[(0, reads_twice as common::Run<Shared>), (0, comes_between)];
    let run = |cpus| Program { cpus, make, tasks, ends: nothing }.run(Engine::Dpor).1;
    assert!(run(preemptible).contains(&vec![1, 0, 0]));
    assert!(!run(two_cpus).contains(&vec![1, 0, 0]));
}

/// A reader is preempted by who waits for a grace period on its own CPU, and goes on after that.
#[test]
fn a_reader_that_was_preempted_is_waited_for() {
    fn stays_inside(cpus: &Cpus, shared: &Shared) -> u64 {
        rcu_read_lock(cpus);
        rcu_read_lock(cpus);
        WRITE_ONCE(&shared.inside, 1);
        rcu_read_unlock(cpus);
        // Only the outermost ends the section.
        WRITE_ONCE(&shared.inside, 2);
        rcu_read_unlock(cpus);
        0
    }
    fn waits(cpus: &Cpus, shared: &Shared) -> u64 {
        if READ_ONCE(&shared.inside) == 0 {
            return 9;
        }
        synchronize_rcu(cpus);
        READ_ONCE(&shared.inside)
    }
    let tasks = &[(0, stays_inside as common::Run<Shared>), (0, waits)];
    let seen = Program { cpus: preemptible, make, tasks, ends: nothing }.outcomes();
    assert_eq!(seen, [vec![0, 2, 0], vec![0, 9, 0]].into());
}

/// A section that begins later is not waited for, however often the task begins one.
#[test]
fn a_grace_period_does_not_wait_for_later_sections() {
    fn reads_again(cpus: &Cpus, shared: &Shared) -> u64 {
        rcu_read_lock(cpus);
        rcu_read_unlock(cpus);
        rcu_read_lock(cpus);
        // It ends only when the grace period has: a hang if that waited for it.
        if READ_ONCE(&shared.inside) == 1 {
            spin_until(&shared.seen, If::Equals(1));
        }
        rcu_read_unlock(cpus);
        0
    }
    fn waits(cpus: &Cpus, shared: &Shared) -> u64 {
        synchronize_rcu(cpus);
        WRITE_ONCE(&shared.seen, 1);
        0
    }
    fn marks_and_waits(cpus: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.inside, 1);
        waits(cpus, shared)
    }
    // Of the first section, if it had begun before, it does wait, and of the second: then the
    // reader has seen that nobody has begun to wait.
    let tasks = &[(0, reads_again as common::Run<Shared>), (1, waits)];
    let later = Program { cpus: preemptible, make, tasks, ends: nothing };
    assert_eq!(later.outcomes(), [vec![0, 0, 0]].into());
    let tasks = &[(0, reads_again as common::Run<Shared>), (1, marks_and_waits)];
    let inside = Program { cpus: preemptible, make, tasks, ends: nothing };
    assert!(inside.broken().1.contains("task0 spins on seen"));
}

#[test]
fn a_section_ends_once_only() {
    fn ends_twice(cpus: &Cpus, _: &Shared) -> u64 {
        rcu_read_lock(cpus);
        rcu_read_unlock(cpus);
        rcu_read_unlock(cpus);
        0
    }
    let tasks = &[(0, ends_twice as common::Run<Shared>)];
    let wrong = Program { cpus: preemptible, make, tasks, ends: nothing };
    assert_eq!(wrong.broken().0, KERNEL_ASSERTIONS_HOLD.0);
}

fn run(body: impl Fn() + Send + Sync + 'static) -> Exploration {
    let monitors: Vec<Box<dyn Monitor>> = vec![Box::<WaitGraph>::default()];
    explore(Engine::Dpor, &Bounds::PROOF, monitors, Arc::new(body))
}

/// The object is freed by a callback; whoever had found it is gone by then.
fn freed_by_a_callback(waits_for_readers: bool, cpus: fn() -> Cpus) -> Verdict {
    let seen = run(move || {
        let cpus = Arc::new(cpus());
        let shared = Arc::new(make(&cpus));
        let (here, theirs) = (cpus.clone(), shared.clone());
        let reader = spawn_task(&cpus, 0, "reader", move || {
            let is_freed = reads(&here, &theirs);
            selvedge_kernel::kernel_assert(is_freed == 0, "what a reader has found is not freed");
        });
        let (here, theirs) = (cpus.clone(), shared.clone());
        let writer = spawn_task(&cpus, 1, "writer", move || {
            WRITE_ONCE(&theirs.pointer, 1);
            let freed = theirs.clone();
            let free = move || WRITE_ONCE(&freed.freed[0], 1);
            if waits_for_readers {
                join(call_rcu(&here, 1, free));
            } else {
                free();
            }
        });
        join(reader);
        join(writer);
    });
    seen.verdict
}

#[test]
fn a_callback_runs_when_the_readers_have_ended() {
    for cpus in [two_cpus as fn() -> Cpus, preemptible] {
        assert_eq!(freed_by_a_callback(true, cpus), Verdict::Holds);
        assert_eq!(freed_by_a_callback(false, cpus), Verdict::Violated);
    }
}

#[test]
fn a_callback_may_be_asked_for_by_a_reader_and_must_not_sleep() {
    let asked = |sleeps: bool| {
        run(move || {
            let cpus = Arc::new(preemptible());
            let mutex = Arc::new(Mutex::new(Name::new("mutex")));
            let here = cpus.clone();
            let task = spawn_task(&cpus, 0, "reader", move || {
                rcu_read_lock(&here);
                let (theirs, mutex) = (here.clone(), mutex.clone());
                let callback = call_rcu(&here, 0, move || {
                    if sleeps {
                        mutex_lock(&theirs, &mutex);
                    }
                });
                rcu_read_unlock(&here);
                join(callback);
            });
            join(task);
        })
    };
    assert_eq!(asked(false).verdict, Verdict::Holds);
    let found = asked(true).counterexample.expect("a counterexample");
    assert_eq!(found.rule, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
}

/// Two callbacks, each of a CPU: whoever has waited for all sees both.
#[test]
fn a_barrier_waits_for_the_callbacks_of_all_cpus() {
    let seen = |waits: bool| {
        run(move || {
            let cpus = Arc::new(two_cpus().with_rcu_barrier());
            let done = Arc::new([0, 1].map(|cpu| Var::new(Name::new("done").on(cpu), 0)));
            let (here, theirs) = (cpus.clone(), done.clone());
            join(spawn_task(&cpus, 0, "unloader", move || {
                for cpu in 0..2 {
                    let done = theirs.clone();
                    call_rcu(&here, cpu, move || WRITE_ONCE(&done[cpu], 1));
                }
                if waits {
                    rcu_barrier(&here);
                }
                let all = theirs.iter().map(READ_ONCE).sum::<u64>();
                selvedge_kernel::kernel_assert(all == 2, "all callbacks have run");
            }));
            join_all();
        })
    };
    assert_eq!(seen(true).verdict, Verdict::Holds);
    assert_eq!(seen(false).verdict, Verdict::Violated);
}

/// It is no grace period: nobody has a callback, and a reader stays where it is.
#[test]
fn a_barrier_waits_for_no_reader() {
    fn stays_until_then(cpus: &Cpus, shared: &Shared) -> u64 {
        rcu_read_lock(cpus);
        spin_until(&shared.inside, If::Equals(1));
        rcu_read_unlock(cpus);
        0
    }
    fn waits_for_callbacks(cpus: &Cpus, shared: &Shared) -> u64 {
        rcu_barrier(cpus);
        WRITE_ONCE(&shared.inside, 1);
        0
    }
    fn waits_for_readers(cpus: &Cpus, shared: &Shared) -> u64 {
        synchronize_rcu(cpus);
        WRITE_ONCE(&shared.inside, 1);
        0
    }
    fn asleep(cpus: &Cpus, _: &Shared) -> u64 {
        rcu_read_lock(cpus);
        rcu_barrier(cpus);
        0
    }
    let with_barrier = || two_cpus().with_rcu_barrier();
    let program = |tasks| Program { cpus: with_barrier, make, tasks, ends: nothing };
    assert_eq!(program(&[(0, stays_until_then), (1, waits_for_callbacks)]).outcomes().len(), 1);
    let hangs = program(&[(0, stays_until_then), (1, waits_for_readers)]);
    assert_eq!(hangs.run(Engine::Dpor).0.verdict, Verdict::Violated);
    assert_eq!(program(&[(0, asleep)]).broken().0, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
}

/// A softirq that takes a lock which a task of its CPU has hangs, unless the task keeps it off.
fn softirq_takes_a_lock(keeps_it_off: bool) -> Exploration {
    run(move || {
        let cpus = Arc::new(Cpus::new(1, false).with_softirqs());
        let lock = Arc::new(SpinLock::new(Name::new("lock")));
        let (here, theirs) = (cpus.clone(), lock.clone());
        let task = spawn_task(&cpus, 0, "task", move || {
            if keeps_it_off {
                spin_lock_bh(&here, &theirs);
                spin_unlock_bh(&here, &theirs);
            } else {
                spin_lock(&here, &theirs);
                spin_unlock(&here, &theirs);
            }
        });
        let here = cpus.clone();
        let handler = softirq(&cpus, 0, "net_rx", move || {
            spin_lock(&here, &lock);
            spin_unlock(&here, &lock);
        });
        join(task);
        join(handler);
    })
}

#[test]
fn a_lock_that_a_softirq_takes_is_taken_with_softirqs_off() {
    assert_eq!(softirq_takes_a_lock(true).verdict, Verdict::Holds);
    let found = softirq_takes_a_lock(false).counterexample.expect("a counterexample");
    assert!(
        found.message.contains("net_rx waits for lock, held by CPU0 task"),
        "{}",
        found.message
    );
}

/// Sections nest, and a softirq comes when the outermost has ended, or before the first.
#[test]
fn softirqs_are_off_until_the_outermost_section_ends() {
    let seen = run(|| {
        let cpus = Arc::new(Cpus::new(1, false).with_softirqs());
        let inside = Arc::new(Var::new(Name::new("inside"), 0));
        let (here, theirs) = (cpus.clone(), inside.clone());
        let task = spawn_task(&cpus, 0, "task", move || {
            local_bh_disable(&here);
            local_bh_disable(&here);
            WRITE_ONCE(&theirs, 1);
            local_bh_enable(&here);
            WRITE_ONCE(&theirs, 0);
            local_bh_enable(&here);
        });
        let handler = softirq(&cpus, 0, "timer", move || {
            selvedge_kernel::kernel_assert(READ_ONCE(&inside) == 0, "no softirq comes in between");
        });
        join(task);
        join(handler);
    });
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
    // An interrupt does come in between.
    let seen = run(|| {
        let cpus = Arc::new(Cpus::new(1, false).with_softirqs());
        let inside = Arc::new(Var::new(Name::new("inside"), 0));
        let (here, theirs) = (cpus.clone(), inside.clone());
        let task = spawn_task(&cpus, 0, "task", move || {
            local_bh_disable(&here);
            WRITE_ONCE(&theirs, 1);
            WRITE_ONCE(&theirs, 0);
            local_bh_enable(&here);
        });
        let handler = selvedge_kernel::interrupt(&cpus, 0, "timer", move || {
            selvedge_kernel::kernel_assert(
                READ_ONCE(&inside) == 0,
                "no interrupt comes in between",
            );
        });
        join(task);
        join(handler);
    });
    assert_eq!(seen.verdict, Verdict::Violated);
}

#[test]
fn softirqs_are_enabled_by_who_disabled_them() {
    let seen = run(|| {
        let cpus = Arc::new(Cpus::new(1, false).with_softirqs());
        let here = cpus.clone();
        join(spawn_task(&cpus, 0, "task", move || local_bh_enable(&here)));
    });
    assert_eq!(seen.counterexample.expect("a counterexample").rule, KERNEL_ASSERTIONS_HOLD.0);
}
