//! The kernel's rules for who locks: each with a program that breaks it, and its corrected twin.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, explore};
use selvedge_kernel::*;
use selvedge_models::fs::buffer::{lock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::{folio_lock, folio_unlock};
use selvedge_models::trees::{V6_12_117, V6_12_117_RT};
use selvedge_models::{Kernel, Machine, Tree};
use selvedge_monitors::{
    LockRules, NO_LOCK_IS_HELD_AT_EXIT, NOBODY_LOCKS_WHAT_IT_HOLDS, WHAT_IS_UNLOCKED_IS_LOCKED,
};
use selvedge_trace::Monitor;

/// Locks that are no part of the models' kernel.
struct Locks {
    kernel: Arc<Kernel>,
    spin: SpinLock,
    mutex: Mutex,
    local: PerCpu<LocalLock>,
    work: Work,
}

impl Locks {
    fn new(tree: &'static Tree) -> Arc<Locks> {
        let kernel = Kernel::new(tree, Machine::TINY.sleepers(2));
        let local = PerCpu::new(&kernel.cpus, |cpu| LocalLock::new(&kernel.cpus, "local", cpu));
        Arc::new(Locks {
            spin: SpinLock::new(Name::new("spin")),
            mutex: Mutex::new(Name::new("mutex")),
            work: Work::new(Name::new("work")),
            local,
            kernel,
        })
    }
}

type Body = fn(&Locks, &Kernel);

/// What a task on each CPU breaks, one after the other.
fn breaks(tree: &'static Tree, bodies: &'static [Body]) -> Option<(String, String)> {
    breaks_in(tree, bodies.len(), |cpu, l, k| bodies[cpu](l, k))
}

/// The same, of so many tasks, each of which is told its number.
fn breaks_in(
    tree: &'static Tree,
    tasks: usize,
    body: impl Fn(usize, &Locks, &Kernel) + Copy + Send + Sync + 'static,
) -> Option<(String, String)> {
    let program = move || {
        let locks = Locks::new(tree);
        for cpu in 0..tasks {
            let shared = locks.clone();
            join(locks.kernel.task(cpu, &format!("task{cpu}"), move |k| body(cpu, &shared, k)));
        }
    };
    let monitors: Vec<Box<dyn Monitor>> = vec![Box::<LockRules>::default()];
    let seen = explore(Engine::Dpor, &Bounds::PROOF, monitors, Arc::new(program));
    seen.counterexample.map(|found| (found.rule, found.message))
}

fn rule(tree: &'static Tree, bodies: &'static [Body]) -> Option<String> {
    breaks(tree, bodies).map(|(rule, _)| rule)
}

fn is(rule: Rule) -> Option<String> {
    Some(rule.0.into())
}

#[test]
fn what_may_sleep_is_not_called_in_atomic_context() {
    const MAY_SLEEP: [Body; 6] = [
        |l, k| mutex_lock(&k.cpus, &l.mutex),
        |_, k| folio_lock(k, &k.folios[0]),
        |_, k| lock_buffer(k, &k.buffer_heads[0]),
        |l, k| flush_work(&k.cpus, &l.work),
        |_, k| synchronize_rcu(&k.cpus),
        |_, k| schedule(&k.cpus, k.current().task()),
    ];
    const UNDER: [Body; 4] = [
        |l, k| spin_lock(&k.cpus, &l.spin),
        |_, k| preempt_disable(&k.cpus),
        |_, k| local_irq_disable(&k.cpus),
        |l, k| local_lock(&k.cpus, &l.local),
    ];
    for (outer, is_atomic) in UNDER.iter().enumerate() {
        for (inner, sleeps) in MAY_SLEEP.iter().enumerate() {
            let found = breaks_in(&V6_12_117, 1, |_, l, k| {
                is_atomic(l, k);
                sleeps(l, k);
            });
            let rule = found.map(|(rule, _)| rule);
            assert_eq!(rule, is(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT), "{inner} under {outer}");
        }
    }
    // With PREEMPT_RT a spinlock sleeps: it is noticed where nothing but preemption is off.
    static SPINS: [Body; 1] = [|l, k| {
        preempt_disable(&k.cpus);
        spin_lock(&k.cpus, &l.spin);
    }];
    assert_eq!(rule(&V6_12_117_RT, &SPINS), is(NOBODY_SLEEPS_IN_ATOMIC_CONTEXT));
}

#[test]
fn what_may_sleep_may_be_called_elsewhere() {
    static SLEEPS: [Body; 1] = [|l, k| {
        mutex_lock(&k.cpus, &l.mutex);
        folio_lock(k, &k.folios[0]);
        lock_buffer(k, &k.buffer_heads[0]);
        synchronize_rcu(&k.cpus);
        unlock_buffer(k, &k.buffer_heads[0]);
        folio_unlock(k, &k.folios[0]);
        mutex_unlock(&l.mutex);
    }];
    assert_eq!(breaks(&V6_12_117, &SLEEPS), None);
}

#[test]
fn a_lock_is_unlocked_by_its_holder() {
    static SPIN: [Body; 2] =
        [|l, k| spin_lock(&k.cpus, &l.spin), |l, k| spin_unlock(&k.cpus, &l.spin)];
    static MUTEX: [Body; 2] = [|l, k| mutex_lock(&k.cpus, &l.mutex), |l, _| mutex_unlock(&l.mutex)];
    static LOCAL: [Body; 1] = [|l, k| local_unlock(&k.cpus, &l.local)];
    assert_eq!(rule(&V6_12_117_RT, &SPIN), is(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER));
    assert_eq!(rule(&V6_12_117, &MUTEX), is(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER));
    assert_eq!(rule(&V6_12_117_RT, &LOCAL), is(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER));
    assert_eq!(rule(&V6_12_117, &LOCAL), is(KERNEL_ASSERTIONS_HOLD), "preemption is on");
    // A bit has no owner: the end of an I/O unlocks what its submitter has locked.
    static FOLIO: [Body; 2] =
        [|_, k| folio_lock(k, &k.folios[0]), |_, k| folio_unlock(k, &k.folios[0])];
    assert_eq!(breaks(&V6_12_117, &FOLIO), None);
}

#[test]
fn what_is_unlocked_is_locked() {
    static SPIN: [Body; 1] = [|l, k| spin_unlock(&k.cpus, &l.spin)];
    static MUTEX: [Body; 1] = [|l, _| mutex_unlock(&l.mutex)];
    static BUFFER: [Body; 1] = [|_, k| unlock_buffer(k, &k.buffer_heads[0])];
    static FOLIO: [Body; 1] = [|_, k| {
        folio_lock(k, &k.folios[0]);
        folio_unlock(k, &k.folios[0]);
        folio_unlock(k, &k.folios[0]);
    }];
    assert_eq!(rule(&V6_12_117, &SPIN), is(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER));
    assert_eq!(rule(&V6_12_117, &MUTEX), is(LOCKS_ARE_UNLOCKED_BY_THEIR_HOLDER));
    assert_eq!(
        breaks(&V6_12_117, &BUFFER),
        Some((
            WHAT_IS_UNLOCKED_IS_LOCKED.0.into(),
            "clear_bit_unlock(BH_Lock, bh0->b_state), which is clear".into()
        ))
    );
    assert_eq!(
        breaks(&V6_12_117, &FOLIO),
        Some((
            WHAT_IS_UNLOCKED_IS_LOCKED.0.into(),
            "xor_unlock_is_negative_byte(folio0->flags) sets a lock's bit".into()
        ))
    );
}

#[test]
fn no_lock_is_held_at_exit() {
    static SPIN: [Body; 1] = [|l, k| spin_lock(&k.cpus, &l.spin)];
    static MUTEX: [Body; 1] = [|l, k| mutex_lock(&k.cpus, &l.mutex)];
    static PREEMPT: [Body; 1] = [|_, k| preempt_disable(&k.cpus)];
    static IRQ: [Body; 1] = [|_, k| local_irq_disable(&k.cpus)];
    let messages = [
        (&SPIN, "task0 has ended and leaves preemption off"),
        (&MUTEX, "task0 has ended and holds mutex"),
        (&PREEMPT, "task0 has ended and leaves preemption off"),
        (&IRQ, "task0 has ended and leaves interrupts off"),
    ];
    for (bodies, message) in messages {
        let expected = (NO_LOCK_IS_HELD_AT_EXIT.0.into(), message.into());
        assert_eq!(breaks(&V6_12_117, bodies), Some(expected));
    }
}

#[test]
fn nobody_locks_what_it_holds() {
    static SPIN: [Body; 1] = [|l, k| {
        spin_lock(&k.cpus, &l.spin);
        spin_lock(&k.cpus, &l.spin);
    }];
    static MUTEX: [Body; 1] = [|l, k| {
        mutex_lock(&k.cpus, &l.mutex);
        mutex_lock(&k.cpus, &l.mutex);
    }];
    static FOLIO: [Body; 1] = [|_, k| {
        folio_lock(k, &k.folios[0]);
        folio_lock(k, &k.folios[0]);
    }];
    static BUFFER: [Body; 1] = [|_, k| {
        lock_buffer(k, &k.buffer_heads[0]);
        lock_buffer(k, &k.buffer_heads[0]);
    }];
    let messages = [
        (&SPIN, "task0 waits for spin, which it holds itself"),
        (&MUTEX, "task0 waits for mutex, which it holds itself"),
        (&FOLIO, "task0 waits for PG_locked, which it holds itself"),
        (&BUFFER, "task0 waits for BH_Lock, which it holds itself"),
    ];
    for (bodies, message) in messages {
        let expected = (NOBODY_LOCKS_WHAT_IT_HOLDS.0.into(), message.into());
        assert_eq!(breaks(&V6_12_117, bodies), Some(expected));
    }
}
