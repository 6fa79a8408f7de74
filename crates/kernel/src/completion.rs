//! `struct completion`: a task waits until another has done something.
//!
//! Each of them is one step on `x->done`. In the kernel it is a section of `x->wait.lock` and, for
//! who waits, a sleep in its queue: since the count is looked at and changed under that lock only,
//! and a sleeper is woken under it, none of the steps between can be seen. Orderings: to complete
//! is a release and to have waited an acquire, as the lock's are. That what comes after the one
//! follows what came before the other for a third party too (`po-unlock-lock-po`) is left out:
//! more outcomes than the kernel has, never fewer.
//!
//! Source: kernel/sched/completion.c `complete_with_flags()`, `complete_all()`,
//! `wait_for_completion()`, include/linux/completion.h, 6.12. Left out: the timed forms. The
//! interruptible and killable ones are in `killable.rs`, and here for one that is made for them.

use std::sync::Arc;

use selvedge_explore::{Access, If, Rmw, Role, Word, enter};
use selvedge_trace::{Class, Name, Order};

use crate::{Cpus, Interrupted, TASK_INTERRUPTIBLE, TASK_KILLABLE, Task, Waiters, might_sleep};

/// As good as for ever: the kernel has `UINT_MAX`, which waiting does not lower.
const FOR_EVER: u64 = 1 << 32;

/// `struct completion`.
#[derive(Debug)]
pub struct Completion(Word, Option<Waiters>);

impl Completion {
    /// `DECLARE_COMPLETION`. To be made while the scenario is set up.
    pub fn new(name: Name) -> Completion {
        Completion(Word::of_class(name, 0, Class::Completion), None)
    }

    /// The same, for one that somebody waits for by [`wait_for_completion_killable`] or
    /// [`wait_for_completion_interruptible`].
    pub fn killable(cpus: &Arc<Cpus>, name: Name) -> Completion {
        let waiters = Waiters::new(cpus, Name::new("wait.lock"));
        Completion(Word::of_class(name, 0, Class::Completion), Some(waiters))
    }

    fn wake(&self) {
        if let Some(waiters) = &self.1 {
            waiters.wake();
        }
    }

    /// Its number in events.
    pub fn object(&self) -> u32 {
        self.0.object()
    }
}

const fn wakes(primitive: &'static str) -> Access {
    Access::relaxed(primitive).order(Order::Release).role(Role::Wakes)
}

/// `complete(x)`: lets one task go on that waits, or will. Sleeps never. Release.
pub fn complete(x: &Completion) {
    x.0.update_void(Rmw::Add(1), wakes("complete"));
    x.wake();
}

/// `complete_all(x)`: lets all go on that wait, or will, until [`reinit_completion`]. Release.
pub fn complete_all(x: &Completion) {
    x.0.update_void(Rmw::Add(FOR_EVER), wakes("complete_all"));
    x.wake();
}

/// `wait_for_completion(x)`: may sleep. Acquire. What was completed once is used up.
pub fn wait_for_completion(cpus: &Cpus, x: &Completion) {
    might_sleep(cpus, "wait_for_completion");
    let access = Access::relaxed("wait_for_completion").order(Order::Acquire).role(Role::Waits);
    x.0.update_when(If::Differs(0), Rmw::Add(u64::MAX), access);
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
        x.0.update_if(If::Differs(0), Rmw::Add(u64::MAX), access).is_ok()
    };
    // Who need not wait takes one step, as above.
    if takes(Role::Waits) {
        return Ok(());
    }
    let _in = enter("wait_for_common");
    let waiters = x.1.as_ref().expect("Completion::killable()");
    waiters.wait(sleep, || takes(Role::Itself))
}

/// `try_wait_for_completion(x)`: true, and an acquire, if it need not wait.
pub fn try_wait_for_completion(x: &Completion) -> bool {
    let access = Access::relaxed("try_wait_for_completion").order(Order::Acquire);
    x.0.update_if(If::Differs(0), Rmw::Add(u64::MAX), access).is_ok()
}

/// `completion_done(x)`: is there nobody who would have to wait? Acquire: it takes the lock after
/// its look if there is something to be seen.
pub fn completion_done(x: &Completion) -> bool {
    x.0.load(Access::relaxed("completion_done").order(Order::Acquire)) != 0
}

/// `reinit_completion(x)`: a plain store. Who calls it knows that nobody waits or completes.
pub fn reinit_completion(x: &Completion) {
    x.0.store(0, Access::relaxed("reinit_completion").plain());
}
