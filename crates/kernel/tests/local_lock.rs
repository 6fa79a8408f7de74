//! The litmus twins of `local_lock_t`: two tasks of one CPU, with and without PREEMPT_RT. Who has
//! the lock later sees what was done under it before; who does without it may not. (Where a CPU
//! runs one task after the other that cannot be told; under `graph` both run.)
//! Source: Documentation/locking/locktypes.rst, "local_lock": a spinlock of each CPU with
//! PREEMPT_RT, else a region with preemption off.

use crate::common;

use std::sync::Arc;

use common::{Program, nothing};
use selvedge_explore::Engine;
use selvedge_kernel::{
    Cpus, LocalLock, Name, PerCpu, READ_ONCE, Var, WRITE_ONCE, local_lock, local_lock_irqsave,
    local_unlock, local_unlock_irqrestore,
};

struct Shared {
    lock: PerCpu<LocalLock>,
    data: Var,
    flag: Var,
}

fn make(cpus: &Arc<Cpus>) -> Shared {
    Shared {
        lock: PerCpu::new(cpus, |cpu| LocalLock::new(cpus, "local", cpu)),
        data: Var::new(Name::new("data"), 0),
        flag: Var::new(Name::new("flag"), 0),
    }
}

fn stores(_: &Cpus, shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.data, 1);
    WRITE_ONCE(&shared.flag, 1);
    0
}

/// What it has seen of the flag, and then of the data.
fn looks(_: &Cpus, shared: &Shared) -> u64 {
    let flag = READ_ONCE(&shared.flag);
    10 * flag + READ_ONCE(&shared.data)
}

fn locked(cpus: &Cpus, shared: &Shared, does: common::Run<Shared>) -> u64 {
    local_lock(cpus, &shared.lock);
    let seen = does(cpus, shared);
    local_unlock(cpus, &shared.lock);
    seen
}

fn locked_irqsave(cpus: &Cpus, shared: &Shared, does: common::Run<Shared>) -> u64 {
    local_lock_irqsave(cpus, &shared.lock);
    let seen = does(cpus, shared);
    local_unlock_irqrestore(cpus, &shared.lock);
    seen
}

/// Is the flag seen, and not what was stored before it?
fn is_missed(cpus: fn() -> Cpus, tasks: &'static [(usize, common::Run<Shared>)]) -> bool {
    let seen = Program { cpus, make, tasks, ends: nothing }.run(Engine::Graph).1;
    assert!(seen.contains(&vec![0, 11, 0]), "{seen:?}");
    seen.contains(&vec![0, 10, 0])
}

const LOCKED: &[(usize, common::Run<Shared>)] =
    &[(0, |c, s| locked(c, s, stores)), (0, |c, s| locked(c, s, looks))];
const IRQS_SAVED: &[(usize, common::Run<Shared>)] =
    &[(0, |c, s| locked_irqsave(c, s, stores)), (0, |c, s| locked_irqsave(c, s, looks))];
const LOOKS_UNLOCKED: &[(usize, common::Run<Shared>)] =
    &[(0, |c, s| locked(c, s, stores)), (0, looks)];

#[test]
fn who_has_a_local_lock_later_sees_what_was_done_under_it() {
    for cpus in [(|| Cpus::new(2, false)) as fn() -> Cpus, || Cpus::new(2, true)] {
        assert!(!is_missed(cpus, LOCKED) && !is_missed(cpus, IRQS_SAVED));
        assert!(is_missed(cpus, LOOKS_UNLOCKED));
    }
}
