//! Locks and completions: what a test calls on what is no word.
//!
//! linux-kernel.def of the memory model has `spin_lock()` and its relatives only; herd reads none
//! of the others. What they order is said where each is rendered, in `selvedge_kernel`.

use std::sync::Arc;

use selvedge_kernel::{
    Completion, Cpus, Interrupted, Mutex, Name, RawSpinLock, RefCount, RwLock, RwSem, SeqCount,
    SpinLock, Task, complete, complete_all, down_read, down_read_killable, down_read_trylock,
    down_write, down_write_killable, down_write_trylock, downgrade_write, mutex_lock,
    mutex_lock_killable, mutex_trylock, mutex_unlock, raw_spin_lock_irqsave,
    raw_spin_unlock_irqrestore, read_lock, read_lock_bh, read_lock_irq, read_lock_irqsave,
    read_seqcount_begin, read_seqcount_retry, read_trylock, read_unlock, read_unlock_bh,
    read_unlock_irq, read_unlock_irqrestore, refcount_dec, refcount_dec_and_test, refcount_inc,
    refcount_inc_not_zero, refcount_read, spin_is_locked, spin_lock, spin_lock_bh, spin_lock_irq,
    spin_lock_irqsave, spin_trylock, spin_unlock, spin_unlock_bh, spin_unlock_irq,
    spin_unlock_irqrestore, try_wait_for_completion, up_read, up_write, wait_for_completion,
    wait_for_completion_killable, write_lock, write_lock_bh, write_lock_irq, write_lock_irqsave,
    write_seqcount_begin, write_seqcount_end, write_trylock, write_unlock, write_unlock_bh,
    write_unlock_irq, write_unlock_irqrestore,
};

use crate::ast::Kind;
use crate::primitives::Does;

/// Where a call is made: on these CPUs, by the task, if the test asks for its state; and its last
/// argument, if that is a value.
pub(crate) struct Here<'a> {
    pub(crate) cpus: &'a Arc<Cpus>,
    pub(crate) task: Option<&'a Task>,
    pub(crate) value: i64,
}

impl Here<'_> {
    pub(crate) fn task(&self) -> &Task {
        self.task.expect("a test that calls this has states of tasks")
    }
}

/// What is no word of the test.
pub(crate) enum Object {
    SpinLock(SpinLock),
    RawSpinLock(RawSpinLock),
    Mutex(Mutex),
    RwSem(RwSem),
    RwLock(RwLock),
    Completion(Completion),
    SeqCount(SeqCount),
    RefCount(RefCount),
}

/// How the objects of one execution are made.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    /// Does a process ask whether a lock is held? Only then has a lock a word of its own.
    pub(crate) asks_locks: bool,
    /// Does a process send a signal, or wait so that one ends it? Only then have objects a queue of
    /// those who wait.
    pub(crate) has_signals: bool,
    /// Have processes a state: are there signals, or does one sleep or wake another?
    pub(crate) has_tasks: bool,
    /// Does a process wait for all callbacks?
    pub(crate) has_rcu_barrier: bool,
    /// Does a process cancel a work item?
    pub(crate) has_cancellation: bool,
}

impl Object {
    /// The object of this kind, the location's number and first value being `(at, value)`, of which
    /// only a count has one. `None`: a word.
    pub(crate) fn new(
        kind: Kind,
        (at, value): (usize, i64),
        how: Making,
        cpus: &Arc<Cpus>,
    ) -> Option<Object> {
        let named = |name| Name::new(name).nth(at);
        let Making { asks_locks, has_signals, .. } = how;
        Some(match kind {
            Kind::Plain | Kind::Atomic => return None,
            Kind::Spinlock if asks_locks => {
                Object::SpinLock(SpinLock::observable(named("spinlock")))
            }
            Kind::Spinlock => Object::SpinLock(SpinLock::new(named("spinlock"))),
            Kind::RawSpinlock => Object::RawSpinLock(RawSpinLock::new(named("raw_spinlock"))),
            Kind::Mutex if has_signals => Object::Mutex(Mutex::killable(cpus, named("mutex"))),
            Kind::Mutex => Object::Mutex(Mutex::new(named("mutex"))),
            Kind::RwSem if has_signals => Object::RwSem(RwSem::killable(cpus, named("rwsem"))),
            Kind::RwSem => Object::RwSem(RwSem::new(named("rwsem"))),
            Kind::RwLock => Object::RwLock(RwLock::new(named("rwlock"))),
            Kind::Completion if has_signals => {
                Object::Completion(Completion::killable(cpus, named("completion")))
            }
            Kind::Completion => Object::Completion(Completion::new(named("completion"))),
            Kind::SeqCount => Object::SeqCount(SeqCount::new(named("seqcount"))),
            Kind::RefCount => Object::RefCount(RefCount::new(named("refcount"), value)),
        })
    }
}

/// A call, by the kind of its argument. What returns nothing returns 0.
#[derive(Clone, Copy)]
pub(crate) enum On {
    SpinLock(fn(&Here<'_>, &SpinLock) -> i64),
    RawSpinLock(fn(&Here<'_>, &RawSpinLock) -> i64),
    Mutex(fn(&Here<'_>, &Mutex) -> i64),
    RwSem(fn(&Here<'_>, &RwSem) -> i64),
    RwLock(fn(&Here<'_>, &RwLock) -> i64),
    Completion(fn(&Here<'_>, &Completion) -> i64),
    SeqCount(fn(&Here<'_>, &SeqCount) -> i64),
    RefCount(fn(&Here<'_>, &RefCount) -> i64),
}

impl On {
    /// What it is called on.
    pub(crate) fn what(self) -> &'static str {
        match self {
            On::SpinLock(_) => "spinlock",
            On::RawSpinLock(_) => "raw_spinlock",
            On::Mutex(_) => "mutex",
            On::RwSem(_) => "rw_semaphore",
            On::RwLock(_) => "rwlock",
            On::Completion(_) => "completion",
            On::SeqCount(_) => "seqcount",
            On::RefCount(_) => "refcount",
        }
    }

    /// `None`: it is another kind of object.
    pub(crate) fn run(self, here: &Here<'_>, object: &Object) -> Option<i64> {
        match (self, object) {
            (On::SpinLock(run), Object::SpinLock(lock)) => Some(run(here, lock)),
            (On::RawSpinLock(run), Object::RawSpinLock(lock)) => Some(run(here, lock)),
            (On::Mutex(run), Object::Mutex(lock)) => Some(run(here, lock)),
            (On::RwSem(run), Object::RwSem(sem)) => Some(run(here, sem)),
            (On::RwLock(run), Object::RwLock(lock)) => Some(run(here, lock)),
            (On::Completion(run), Object::Completion(x)) => Some(run(here, x)),
            (On::SeqCount(run), Object::SeqCount(s)) => Some(run(here, s)),
            (On::RefCount(run), Object::RefCount(r)) => Some(run(here, r)),
            _ => None,
        }
    }
}

/// `-EINTR`
const EINTR: i64 = 4;

/// What a killable wait returns.
fn killed(result: Result<(), Interrupted>) -> i64 {
    if result.is_ok() { 0 } else { -EINTR }
}

/// Has a call a second argument? Flags that a lock keeps are a register, which is left alone.
pub(crate) fn has_second_argument(name: &str) -> bool {
    let ends = ["_irqsave", "_irqrestore", "seqcount_retry"];
    ends.iter().any(|end| name.ends_with(end))
}

/// A lock or unlock that is told on which CPUs it is.
macro_rules! on_cpus {
    ($kind:ident, $call:ident) => {
        (
            stringify!($call),
            Does::Orders,
            On::$kind(|here, object| {
                $call(here.cpus, object);
                0
            }),
        )
    };
    (unlock $kind:ident, $call:ident) => {{
        let (name, _, on) = on_cpus!($kind, $call);
        (name, Does::Unlocks, on)
    }};
}

/// A call that returns nothing.
macro_rules! void {
    ($kind:ident, $call:expr) => {
        On::$kind(|here, object| {
            $call(here, object);
            0
        })
    };
}

/// What is called on an object. A release covers what came before it; a try that fails, and a wait
/// that was killed, takes nothing.
pub(crate) const CALLS: &[(&str, Does, On)] = &[
    on_cpus!(SpinLock, spin_lock),
    on_cpus!(unlock SpinLock, spin_unlock),
    ("spin_trylock", Does::Updates, On::SpinLock(|h, l| i64::from(spin_trylock(h.cpus, l)))),
    ("spin_is_locked", Does::Looks, On::SpinLock(|_, l| i64::from(spin_is_locked(l)))),
    on_cpus!(SpinLock, spin_lock_bh),
    on_cpus!(unlock SpinLock, spin_unlock_bh),
    on_cpus!(SpinLock, spin_lock_irq),
    on_cpus!(unlock SpinLock, spin_unlock_irq),
    on_cpus!(SpinLock, spin_lock_irqsave),
    on_cpus!(unlock SpinLock, spin_unlock_irqrestore),
    on_cpus!(RawSpinLock, raw_spin_lock_irqsave),
    on_cpus!(unlock RawSpinLock, raw_spin_unlock_irqrestore),
    ("mutex_lock", Does::Orders, void!(Mutex, |h: &Here<'_>, l| mutex_lock(h.cpus, l))),
    ("mutex_unlock", Does::Unlocks, void!(Mutex, |_: &Here<'_>, l| mutex_unlock(l))),
    ("mutex_trylock", Does::Updates, On::Mutex(|_, l| i64::from(mutex_trylock(l)))),
    (
        "mutex_lock_killable",
        Does::Updates,
        On::Mutex(|h, l| killed(mutex_lock_killable(h.cpus, l, h.task()))),
    ),
    ("down_read", Does::Orders, void!(RwSem, |h: &Here<'_>, s| down_read(h.cpus, s))),
    ("down_write", Does::Orders, void!(RwSem, |h: &Here<'_>, s| down_write(h.cpus, s))),
    ("up_read", Does::Unlocks, void!(RwSem, |_: &Here<'_>, s| up_read(s))),
    ("up_write", Does::Unlocks, void!(RwSem, |_: &Here<'_>, s| up_write(s))),
    ("downgrade_write", Does::Unlocks, void!(RwSem, |_: &Here<'_>, s| downgrade_write(s))),
    ("down_read_trylock", Does::Updates, On::RwSem(|_, s| i64::from(down_read_trylock(s)))),
    ("down_write_trylock", Does::Updates, On::RwSem(|_, s| i64::from(down_write_trylock(s)))),
    (
        "down_read_killable",
        Does::Updates,
        On::RwSem(|h, s| killed(down_read_killable(h.cpus, s, h.task()))),
    ),
    (
        "down_write_killable",
        Does::Updates,
        On::RwSem(|h, s| killed(down_write_killable(h.cpus, s, h.task()))),
    ),
    on_cpus!(RwLock, read_lock),
    on_cpus!(unlock RwLock, read_unlock),
    on_cpus!(RwLock, read_lock_bh),
    on_cpus!(unlock RwLock, read_unlock_bh),
    on_cpus!(RwLock, read_lock_irq),
    on_cpus!(unlock RwLock, read_unlock_irq),
    on_cpus!(RwLock, read_lock_irqsave),
    on_cpus!(unlock RwLock, read_unlock_irqrestore),
    on_cpus!(RwLock, write_lock),
    on_cpus!(unlock RwLock, write_unlock),
    on_cpus!(RwLock, write_lock_bh),
    on_cpus!(unlock RwLock, write_unlock_bh),
    on_cpus!(RwLock, write_lock_irq),
    on_cpus!(unlock RwLock, write_unlock_irq),
    on_cpus!(RwLock, write_lock_irqsave),
    on_cpus!(unlock RwLock, write_unlock_irqrestore),
    ("read_trylock", Does::Updates, On::RwLock(|h, l| i64::from(read_trylock(h.cpus, l)))),
    ("write_trylock", Does::Updates, On::RwLock(|h, l| i64::from(write_trylock(h.cpus, l)))),
    on_cpus!(unlock Completion, complete),
    on_cpus!(unlock Completion, complete_all),
    (
        "wait_for_completion",
        Does::Orders,
        void!(Completion, |h: &Here<'_>, x| wait_for_completion(h.cpus, x)),
    ),
    (
        "try_wait_for_completion",
        Does::Updates,
        On::Completion(|h, x| i64::from(try_wait_for_completion(h.cpus, x))),
    ),
    (
        "wait_for_completion_killable",
        Does::Updates,
        On::Completion(|h, x| killed(wait_for_completion_killable(h.cpus, x, h.task()))),
    ),
    ("read_seqcount_begin", Does::Looks, On::SeqCount(|_, s| read_seqcount_begin(s) as i64)),
    (
        "read_seqcount_retry",
        Does::Looks,
        On::SeqCount(|h, s| i64::from(read_seqcount_retry(s, h.value as u64))),
    ),
    on_cpus!(SeqCount, write_seqcount_begin),
    on_cpus!(SeqCount, write_seqcount_end),
    ("refcount_read", Does::Looks, On::RefCount(|_, r| refcount_read(r))),
    ("refcount_inc", Does::Updates, void!(RefCount, |_: &Here<'_>, r| refcount_inc(r))),
    ("refcount_dec", Does::UpdatesRelease, void!(RefCount, |_: &Here<'_>, r| refcount_dec(r))),
    (
        "refcount_inc_not_zero",
        Does::Updates,
        On::RefCount(|_, r| i64::from(refcount_inc_not_zero(r))),
    ),
    (
        "refcount_dec_and_test",
        Does::UpdatesRelease,
        On::RefCount(|_, r| i64::from(refcount_dec_and_test(r))),
    ),
];
