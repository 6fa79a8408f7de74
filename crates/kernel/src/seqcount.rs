//! Sequence counters: readers look again if a writer was at work meanwhile.
//!
//! The counter is odd while somebody writes. [`read_seqcount_begin`] spins until it is even, which
//! is one step (`spin.rs`). The loop around it is the caller's, as in the kernel, and needs no
//! bound of ours: each round after the first has seen that one more write has begun, and a scenario
//! has so many of them and no more.
//!
//! | step                    | ordering                                             |
//! |-------------------------|------------------------------------------------------|
//! | `write_seqcount_begin`  | the count, then `smp_wmb()`                           |
//! | `write_seqcount_end`    | `smp_wmb()`, then the count                           |
//! | `read_seqcount_begin`   | acquire                                              |
//! | `read_seqcount_retry`   | `smp_rmb()`, then the count                           |
//!
//! Source: include/linux/seqlock.h, 6.12 (before 6.11 `read_seqcount_begin()` is a load and
//! `smp_rmb()`: weaker by the order of the load and later writes). The writer's count is stored as
//! by `WRITE_ONCE()`; in the kernel it is plain, within what KCSAN is told to take for atomic.
//! Left out: latches, and PREEMPT_RT, where a reader takes the writer's lock to let it finish.

use selvedge_explore::{Access, If, Role};
use selvedge_trace::{Name, Order};

use crate::{Cpus, READ_ONCE, SpinLock, Var, WRITE_ONCE, preempt_disable, preempt_enable};
use crate::{smp_rmb, smp_wmb, spin_lock, spin_unlock};

/// `seqcount_t`
#[derive(Debug)]
pub struct SeqCount(Var);

impl SeqCount {
    /// `SEQCNT_ZERO`. To be made while the scenario is set up.
    pub fn new(name: Name) -> SeqCount {
        SeqCount(Var::new(name, 0))
    }
}

/// `read_seqcount_begin(s)`: what [`read_seqcount_retry`] is to be given.
pub fn read_seqcount_begin(s: &SeqCount) -> u64 {
    let access = Access::relaxed("read_seqcount_begin").order(Order::Acquire).role(Role::Spins);
    s.0.0.wait_until(If::Clear(1), access)
}

/// `read_seqcount_retry(s, start)`: was somebody at work since? Then what was read counts nothing.
pub fn read_seqcount_retry(s: &SeqCount, start: u64) -> bool {
    smp_rmb();
    READ_ONCE(&s.0) != start
}

/// `write_seqcount_begin(s)`, preemption being off: else who reads on this CPU could spin for ever.
/// Writers exclude each other by some lock of theirs.
pub fn write_seqcount_begin(cpus: &Cpus, s: &SeqCount) {
    preempt_disable(cpus);
    raw_write_seqcount_begin(s);
}

/// `write_seqcount_end(s)`
pub fn write_seqcount_end(cpus: &Cpus, s: &SeqCount) {
    raw_write_seqcount_end(s);
    preempt_enable(cpus);
}

/// `raw_write_seqcount_begin(s)`
pub fn raw_write_seqcount_begin(s: &SeqCount) {
    let count = READ_ONCE(&s.0);
    WRITE_ONCE(&s.0, count + 1);
    smp_wmb();
}

/// `raw_write_seqcount_end(s)`
pub fn raw_write_seqcount_end(s: &SeqCount) {
    smp_wmb();
    let count = READ_ONCE(&s.0);
    WRITE_ONCE(&s.0, count + 1);
}

/// `seqlock_t`: a counter, and the spinlock of its writers.
#[derive(Debug)]
pub struct SeqLock {
    seqcount: SeqCount,
    lock: SpinLock,
}

impl SeqLock {
    /// `DEFINE_SEQLOCK`. To be made while the scenario is set up.
    pub fn new(count: Name, lock: Name) -> SeqLock {
        SeqLock { seqcount: SeqCount::new(count), lock: SpinLock::new(lock) }
    }
}

/// `read_seqbegin(sl)`
pub fn read_seqbegin(sl: &SeqLock) -> u64 {
    read_seqcount_begin(&sl.seqcount)
}

/// `read_seqretry(sl, start)`
pub fn read_seqretry(sl: &SeqLock, start: u64) -> bool {
    read_seqcount_retry(&sl.seqcount, start)
}

/// `write_seqlock(sl)`
pub fn write_seqlock(cpus: &Cpus, sl: &SeqLock) {
    spin_lock(cpus, &sl.lock);
    raw_write_seqcount_begin(&sl.seqcount);
}

/// `write_sequnlock(sl)`
pub fn write_sequnlock(cpus: &Cpus, sl: &SeqLock) {
    raw_write_seqcount_end(&sl.seqcount);
    spin_unlock(cpus, &sl.lock);
}
