//! `struct completion`: a task waits until another has done something.
//!
//! Each of them is one step on `x->done`. In the kernel it is a section of `x->wait.lock` and, for
//! who waits, a sleep in its queue: since the count is looked at and changed under that lock only,
//! and a sleeper is woken under it, none of the steps between can be seen. Orderings are those of
//! the lock: to complete is a release, to have waited an acquire, and of two that complete or have
//! waited the later sees what the earlier did. The last the step alone does not say: under weak
//! memory there is the lock, too.
//!
//! Source: kernel/sched/completion.c `complete_with_flags()`, `complete_all()`,
//! `wait_for_completion()`, include/linux/completion.h, 6.12. Left out: the timed forms. The
//! interruptible and killable ones are in `killable.rs`, and here for one that is made for them.

use std::sync::Arc;

use selvedge_explore::{Access, If, MemoryModel, Rmw, Role, Word, abilities, enter};
use selvedge_trace::{Class, Name, Order};

use crate::{
    Cpus, Interrupted, RawSpinLock, TASK_INTERRUPTIBLE, TASK_KILLABLE, Task, Waiters, might_sleep,
    raw_spin_lock_irqsave, raw_spin_unlock_irqrestore,
};

/// As good as for ever: the kernel has `UINT_MAX`, which waiting does not lower.
const FOR_EVER: u64 = 1 << 32;

/// `struct completion`.
#[derive(Debug)]
pub struct Completion {
    done: Word,
    wait_lock: RawSpinLock,
    waiters: Option<Waiters>,
}

impl Completion {
    /// `DECLARE_COMPLETION`. To be made while the scenario is set up.
    pub fn new(name: Name) -> Completion {
        Completion {
            done: Word::of_class(name, 0, Class::Completion),
            wait_lock: RawSpinLock::new(Name::new("x->wait.lock")),
            waiters: None,
        }
    }

    /// The same, for one that somebody waits for by [`wait_for_completion_killable`] or
    /// [`wait_for_completion_interruptible`].
    pub fn killable(cpus: &Arc<Cpus>, name: Name) -> Completion {
        let waiters = Some(Waiters::new(cpus, Name::new("wait.lock")));
        Completion { waiters, ..Completion::new(name) }
    }

    fn wake(&self) {
        if let Some(waiters) = &self.waiters {
            waiters.wake();
        }
    }

    /// A section of `x->wait.lock`, where that orders more than the step does.
    fn locked(&self, cpus: &Cpus, step: impl FnOnce()) {
        let is_weak = abilities().memory != MemoryModel::Sc;
        if is_weak {
            raw_spin_lock_irqsave(cpus, &self.wait_lock);
        }
        step();
        if is_weak {
            raw_spin_unlock_irqrestore(cpus, &self.wait_lock);
        }
    }

    /// Its number in events.
    pub fn object(&self) -> u32 {
        self.done.object()
    }
}

const fn wakes(primitive: &'static str) -> Access {
    Access::relaxed(primitive).order(Order::Release).role(Role::Wakes)
}

/// `complete(x)`: lets one task go on that waits, or will. Sleeps never. Release.
pub fn complete(cpus: &Cpus, x: &Completion) {
    x.locked(cpus, || x.done.update_void(Rmw::Add(1), wakes("complete")));
    x.wake();
}

/// `complete_all(x)`: lets all go on that wait, or will, until [`reinit_completion`]. Release.
pub fn complete_all(cpus: &Cpus, x: &Completion) {
    x.locked(cpus, || x.done.update_void(Rmw::Add(FOR_EVER), wakes("complete_all")));
    x.wake();
}

/// `wait_for_completion(x)`: may sleep. Acquire. What was completed once is used up.
pub fn wait_for_completion(cpus: &Cpus, x: &Completion) {
    might_sleep(cpus, "wait_for_completion");
    let access = Access::relaxed("wait_for_completion").order(Order::Acquire).role(Role::Waits);
    x.done.update_when(If::Differs(0), Rmw::Add(u64::MAX), access);
    x.locked(cpus, || {});
}

/// `wait_for_completion_killable(x)`, by the task that runs. Of a [`Completion::killable`] only.
///
/// # Errors
/// A signal that kills ended the wait; nothing is used up.
///
/// # Panics
/// If it was not made for it: a model's mistake. So the other form.
pub fn wait_for_completion_killable(
    cpus: &Cpus,
    x: &Completion,
    current: &Task,
) -> Result<(), Interrupted> {
    wait_in(cpus, x, (current, TASK_KILLABLE), "wait_for_completion_killable")
}

/// `wait_for_completion_interruptible(x)`: the same; any signal ends the wait.
///
/// # Errors
/// A signal ended the wait; nothing is used up.
pub fn wait_for_completion_interruptible(
    cpus: &Cpus,
    x: &Completion,
    current: &Task,
) -> Result<(), Interrupted> {
    wait_in(cpus, x, (current, TASK_INTERRUPTIBLE), "wait_for_completion_interruptible")
}

fn wait_in(
    cpus: &Cpus,
    x: &Completion,
    sleep: (&Task, u64),
    primitive: &'static str,
) -> Result<(), Interrupted> {
    might_sleep(cpus, primitive);
    let takes = |role| {
        let access = Access::relaxed(primitive).order(Order::Acquire).role(role);
        let is_taken = x.done.update_if(If::Differs(0), Rmw::Add(u64::MAX), access).is_ok();
        if is_taken {
            x.locked(cpus, || {});
        }
        is_taken
    };
    // Who need not wait takes one step, as above.
    if takes(Role::Waits) {
        return Ok(());
    }
    let _in = enter("wait_for_common");
    let waiters = x.waiters.as_ref().expect("Completion::killable()");
    waiters.wait(sleep, || takes(Role::Itself))
}

/// `try_wait_for_completion(x)`: true, and an acquire, if it need not wait.
pub fn try_wait_for_completion(cpus: &Cpus, x: &Completion) -> bool {
    let access = Access::relaxed("try_wait_for_completion").order(Order::Acquire);
    let is_done = x.done.update_if(If::Differs(0), Rmw::Add(u64::MAX), access).is_ok();
    if is_done {
        x.locked(cpus, || {});
    }
    is_done
}

/// `completion_done(x)`: is there nobody who would have to wait? Acquire: it takes the lock after
/// its look if there is something to be seen.
pub fn completion_done(x: &Completion) -> bool {
    x.done.load(Access::relaxed("completion_done").order(Order::Acquire)) != 0
}

/// `reinit_completion(x)`: a plain store. Who calls it knows that nobody waits or completes.
pub fn reinit_completion(x: &Completion) {
    x.done.store(0, Access::relaxed("reinit_completion").plain());
}
