//! `rwlock_t`: who is kept out by whom, and what interrupts do about it.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::{Bounds, Engine, Verdict, explore, join};
use selvedge_kernel::{
    Cpus, KERNEL_ASSERTIONS_HOLD, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER,
    NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, NOBODY_WAITS_FOR_EVER, Name, READ_ONCE, RwLock, Var,
    WRITE_ONCE, interrupt, irqs_disabled, kernel_assert, might_sleep, read_lock, read_lock_bh,
    read_lock_irqsave, read_trylock, read_unlock, read_unlock_bh, read_unlock_irqrestore,
    spawn_task, write_lock, write_lock_bh, write_lock_irq, write_trylock, write_unlock,
    write_unlock_bh, write_unlock_irq,
};
use selvedge_monitors::{LockRules, NO_LOCK_IS_HELD_AT_EXIT, WaitGraph};

struct Shared {
    lock: RwLock,
    x: Var,
    y: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    Shared {
        lock: RwLock::new(Name::new("lock")),
        x: Var::new(Name::new("x"), 0),
        y: Var::new(Name::new("y"), 0),
    }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

fn reads(cpus: &Cpus, shared: &Shared) -> u64 {
    read_lock(cpus, &shared.lock);
    let seen = 10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y);
    read_unlock(cpus, &shared.lock);
    seen
}

fn writes(cpus: &Cpus, shared: &Shared) -> u64 {
    write_lock(cpus, &shared.lock);
    WRITE_ONCE(&shared.x, 1);
    WRITE_ONCE(&shared.y, 1);
    write_unlock(cpus, &shared.lock);
    0
}

#[test]
fn a_reader_sees_all_that_a_writer_did_or_nothing() {
    let kept = program(&[(0, reads), (1, writes)]);
    let whole = [vec![0, 0, 0], vec![11, 0, 0]].into();
    assert_eq!(kept.outcomes(), whole);
    assert_eq!(kept.run(Engine::Graph).1, whole);
    fn peeps(_: &Cpus, shared: &Shared) -> u64 {
        10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y)
    }
    assert!(program(&[(0, peeps), (1, writes)]).outcomes().contains(&vec![1, 0, 0]));
}

#[test]
fn two_readers_are_in_at_once() {
    fn first(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock(cpus, &shared.lock);
        WRITE_ONCE(&shared.x, 1);
        let seen = READ_ONCE(&shared.y);
        read_unlock(cpus, &shared.lock);
        seen
    }
    fn second(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock(cpus, &shared.lock);
        WRITE_ONCE(&shared.y, 1);
        let seen = READ_ONCE(&shared.x);
        read_unlock(cpus, &shared.lock);
        seen
    }
    assert!(program(&[(0, first), (1, second)]).outcomes().contains(&vec![1, 1, 0]));
}

#[test]
fn who_reads_twice_hangs_if_a_writer_comes_between() {
    fn reads_twice(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock(cpus, &shared.lock);
        read_lock(cpus, &shared.lock);
        read_unlock(cpus, &shared.lock);
        read_unlock(cpus, &shared.lock);
        0
    }
    assert_eq!(program(&[(0, reads_twice), (1, reads)]).outcomes().len(), 2 - 1);
    assert_eq!(program(&[(0, reads_twice), (1, writes)]).broken().0, NOBODY_WAITS_FOR_EVER.0);
}

#[test]
fn nobody_sleeps_under_it() {
    fn reads_and_sleeps(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock(cpus, &shared.lock);
        might_sleep(cpus, "cond_resched");
        0
    }
    fn sleeps(cpus: &Cpus, shared: &Shared) -> u64 {
        let seen = reads(cpus, shared);
        might_sleep(cpus, "cond_resched");
        seen
    }
    let rule = NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0;
    assert_eq!(program(&[(0, reads_and_sleeps)]).broken().0, rule);
    assert_eq!(program(&[(0, sleeps)]).outcomes().len(), 1);
}

#[test]
fn a_try_fails_where_it_would_wait_and_orders_nothing_then() {
    fn tries(cpus: &Cpus, shared: &Shared) -> u64 {
        let taken = read_trylock(cpus, &shared.lock);
        if taken {
            read_unlock(cpus, &shared.lock);
        }
        u64::from(taken)
    }
    fn tries_to_write(cpus: &Cpus, shared: &Shared) -> u64 {
        let taken = write_trylock(cpus, &shared.lock);
        if taken {
            write_unlock(cpus, &shared.lock);
        }
        u64::from(taken)
    }
    let either = [vec![0, 0, 0], vec![1, 0, 0]].into();
    assert_eq!(program(&[(0, tries), (1, writes)]).outcomes(), either);
    assert_eq!(program(&[(0, tries_to_write), (1, writes)]).outcomes(), either);
    let seen = program(&[(0, tries), (1, reads)]).outcomes();
    assert!(seen.iter().all(|outcome| outcome[0] == 1), "{seen:?}");
}

#[test]
fn it_is_given_back_by_who_has_it() {
    fn gives_back(cpus: &Cpus, shared: &Shared) -> u64 {
        read_unlock(cpus, &shared.lock);
        0
    }
    fn the_wrong_way(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock(cpus, &shared.lock);
        write_unlock(cpus, &shared.lock);
        0
    }
    for wrong in [program(&[(0, gives_back)]), program(&[(0, the_wrong_way)])] {
        assert_eq!(wrong.broken().0, LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER.0);
    }
    fn forgets(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock(cpus, &shared.lock);
        0
    }
    assert_eq!(program(&[(0, forgets)]).broken().0, NO_LOCK_IS_HELD_AT_EXIT.0);
}

/// A task on CPU0, and an interrupt at any step of it; a writer on CPU1.
fn interrupted(task: common::Run<Shared>, irq: common::Run<Shared>, writer: bool) -> Verdict {
    let body = move || {
        let cpus = Arc::new(two_cpus());
        let shared = Arc::new(make(&cpus));
        let start = |cpu, run: common::Run<Shared>| {
            let (here, shared) = (cpus.clone(), shared.clone());
            spawn_task(&cpus, cpu, "task", move || _ = run(&here, &shared))
        };
        let mut all = vec![start(0, task)];
        let (here, of_irq) = (cpus.clone(), shared.clone());
        all.push(interrupt(&cpus, 0, "irq", move || _ = irq(&here, &of_irq)));
        if writer {
            all.push(start(1, writes));
        }
        all.into_iter().for_each(join);
    };
    let monitors: Vec<Box<dyn selvedge_trace::Monitor>> =
        vec![Box::<WaitGraph>::default(), Box::<LockRules>::default()];
    explore(Engine::Dpor, &Bounds::PROOF, monitors, Arc::new(body)).verdict
}

#[test]
fn an_interrupt_that_reads_may_interrupt_a_reader_and_no_writer() {
    fn writes_safely(cpus: &Cpus, shared: &Shared) -> u64 {
        write_lock_irq(cpus, &shared.lock);
        kernel_assert(irqs_disabled(cpus), "interrupts are off");
        WRITE_ONCE(&shared.x, 1);
        write_unlock_irq(cpus, &shared.lock);
        0
    }
    // It does not wait behind the writer on CPU1, who waits for the reader that it interrupts.
    assert_eq!(interrupted(reads, reads, true), Verdict::Holds);
    assert_eq!(interrupted(writes, reads, false), Verdict::Violated);
    assert_eq!(interrupted(writes_safely, reads, true), Verdict::Holds);
    // A writer in the interrupt needs readers to be safe too.
    fn reads_safely(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock_irqsave(cpus, &shared.lock);
        let seen = READ_ONCE(&shared.x);
        read_unlock_irqrestore(cpus, &shared.lock);
        seen
    }
    assert_eq!(interrupted(reads, writes, false), Verdict::Violated);
    assert_eq!(interrupted(reads_safely, writes, false), Verdict::Holds);
}

#[test]
fn the_forms_for_softirqs_exclude_too() {
    fn reads_bh(cpus: &Cpus, shared: &Shared) -> u64 {
        read_lock_bh(cpus, &shared.lock);
        let seen = 10 * READ_ONCE(&shared.x) + READ_ONCE(&shared.y);
        read_unlock_bh(cpus, &shared.lock);
        seen
    }
    fn writes_bh(cpus: &Cpus, shared: &Shared) -> u64 {
        write_lock_bh(cpus, &shared.lock);
        WRITE_ONCE(&shared.x, 1);
        WRITE_ONCE(&shared.y, 1);
        write_unlock_bh(cpus, &shared.lock);
        0
    }
    let whole = [vec![0, 0, 0], vec![11, 0, 0]].into();
    assert_eq!(program(&[(0, reads_bh), (1, writes_bh)]).outcomes(), whole);
    assert_ne!(KERNEL_ASSERTIONS_HOLD, NOBODY_WAITS_FOR_EVER);
}
