//! Tries: what they take they have, and what they do not get orders nothing and waits for nobody.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::{
    Cpus, Mutex, NOBODY_WAITS_FOR_EVER, Name, READ_ONCE, SpinLock, Var, WRITE_ONCE, mutex_lock,
    mutex_trylock, mutex_unlock, preempt_disable, preempt_enable, spin_lock, spin_trylock,
    spin_unlock,
};
use selvedge_monitors::NO_LOCK_IS_HELD_AT_EXIT;

struct Shared {
    a: SpinLock,
    b: SpinLock,
    mutex: Mutex,
    other: Mutex,
    x: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    Shared {
        a: SpinLock::new(Name::new("a")),
        b: SpinLock::new(Name::new("b")),
        mutex: Mutex::new(Name::new("mutex")),
        other: Mutex::new(Name::new("other")),
        x: Var::new(Name::new("x"), 0),
    }
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends: nothing }
}

fn a_then_b(cpus: &Cpus, shared: &Shared) -> u64 {
    spin_lock(cpus, &shared.a);
    spin_lock(cpus, &shared.b);
    spin_unlock(cpus, &shared.b);
    spin_unlock(cpus, &shared.a);
    1
}

/// A lock knows no owner: who has it does not get it again.
#[test]
fn a_try_by_who_has_it_fails() {
    fn tries_what_it_has(cpus: &Cpus, shared: &Shared) -> u64 {
        mutex_lock(cpus, &shared.mutex);
        let again = mutex_trylock(&shared.mutex);
        mutex_unlock(&shared.mutex);
        u64::from(again)
    }
    fn locks(cpus: &Cpus, shared: &Shared) -> u64 {
        mutex_lock(cpus, &shared.mutex);
        mutex_unlock(&shared.mutex);
        0
    }
    let both = program(&[(0, tries_what_it_has), (1, locks)]);
    for engine in [Engine::Dpor, Engine::Dfs, Engine::Graph] {
        let (seen, outcomes) = both.run(engine);
        assert_eq!(seen.verdict, Verdict::Holds, "{engine}: {:?}", seen.counterexample);
        assert_eq!(outcomes, [vec![0, 0, 0]].into(), "{engine}");
    }
}

#[test]
fn a_try_on_the_edge_that_closes_the_cycle_does_not_hang() {
    fn b_then_a(cpus: &Cpus, shared: &Shared) -> u64 {
        spin_lock(cpus, &shared.b);
        spin_lock(cpus, &shared.a);
        spin_unlock(cpus, &shared.a);
        spin_unlock(cpus, &shared.b);
        1
    }
    fn b_and_tries_a(cpus: &Cpus, shared: &Shared) -> u64 {
        spin_lock(cpus, &shared.b);
        let taken = spin_trylock(cpus, &shared.a);
        if taken {
            spin_unlock(cpus, &shared.a);
        }
        spin_unlock(cpus, &shared.b);
        u64::from(taken)
    }
    assert_eq!(program(&[(0, a_then_b), (1, b_then_a)]).broken().0, NOBODY_WAITS_FOR_EVER.0);
    let trying = program(&[(0, a_then_b), (1, b_and_tries_a)]);
    assert_eq!(trying.outcomes(), [vec![1, 0, 0], vec![1, 1, 0]].into());
    trying.is_beyond_loom("spin_trylock(a) tries a lock");
}

#[test]
fn the_same_with_mutexes() {
    fn takes(cpus: &Cpus, shared: &Shared) -> u64 {
        mutex_lock(cpus, &shared.mutex);
        mutex_lock(cpus, &shared.other);
        mutex_unlock(&shared.other);
        mutex_unlock(&shared.mutex);
        1
    }
    fn tries(cpus: &Cpus, shared: &Shared) -> u64 {
        mutex_lock(cpus, &shared.other);
        let taken = mutex_trylock(&shared.mutex);
        if taken {
            mutex_unlock(&shared.mutex);
        }
        mutex_unlock(&shared.other);
        u64::from(taken)
    }
    let trying = program(&[(0, takes), (1, tries)]);
    assert_eq!(trying.outcomes(), [vec![1, 0, 0], vec![1, 1, 0]].into());
}

/// It excludes, and it orders what comes after it; a try that failed does neither.
#[test]
fn a_try_that_fails_orders_nothing() {
    fn adds(cpus: &Cpus, shared: &Shared) -> u64 {
        if !spin_trylock(cpus, &shared.a) {
            return 9;
        }
        let seen = READ_ONCE(&shared.x);
        WRITE_ONCE(&shared.x, seen + 1);
        spin_unlock(cpus, &shared.a);
        seen
    }
    let adding = program(&[(0, adds), (1, adds)]);
    let outcomes = adding.outcomes();
    assert_eq!(outcomes, [vec![0, 1, 0], vec![1, 0, 0], vec![0, 9, 0], vec![9, 0, 0]].into());
    assert_eq!(adding.run(Engine::Graph).1, outcomes);
    // Who finds the lock taken need not see what its holder did before it took it.
    fn stores_and_takes(cpus: &Cpus, shared: &Shared) -> u64 {
        WRITE_ONCE(&shared.x, 1);
        spin_lock(cpus, &shared.a);
        spin_unlock(cpus, &shared.a);
        0
    }
    fn fails_and_looks(cpus: &Cpus, shared: &Shared) -> u64 {
        if spin_trylock(cpus, &shared.a) {
            spin_unlock(cpus, &shared.a);
            return 9;
        }
        READ_ONCE(&shared.x)
    }
    let failing = program(&[(0, stores_and_takes), (1, fails_and_looks)]);
    assert_eq!(failing.outcomes(), [vec![0, 1, 0], vec![0, 9, 0]].into());
    assert!(failing.run(Engine::Graph).1.contains(&vec![0, 0, 0]));
}

/// What it has taken it has to give back, and preemption is off only then.
#[test]
fn a_lock_that_was_won_and_forgotten_is_seen() {
    fn forgets(cpus: &Cpus, shared: &Shared) -> u64 {
        u64::from(spin_trylock(cpus, &shared.a))
    }
    assert_eq!(program(&[(0, forgets)]).broken().0, NO_LOCK_IS_HELD_AT_EXIT.0);
    fn fails(cpus: &Cpus, shared: &Shared) -> u64 {
        if spin_trylock(cpus, &shared.a) {
            spin_unlock(cpus, &shared.a);
        }
        // It would sleep in atomic context, if preemption were still off.
        mutex_lock(cpus, &shared.mutex);
        mutex_unlock(&shared.mutex);
        0
    }
    fn holds_it(cpus: &Cpus, shared: &Shared) -> u64 {
        preempt_disable(cpus);
        spin_lock(cpus, &shared.a);
        spin_unlock(cpus, &shared.a);
        preempt_enable(cpus);
        0
    }
    assert_eq!(program(&[(0, fails), (1, holds_it)]).outcomes().len(), 1);
}
