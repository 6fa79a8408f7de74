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
//! `wait_for_completion()`, include/linux/completion.h, 6.12. Left out: the interruptible, killable
//! and timed forms.

use selvedge_explore::{Access, If, Rmw, Role, Word};
use selvedge_trace::{Class, Name, Order};

use crate::{Cpus, might_sleep};

/// As good as for ever: the kernel has `UINT_MAX`, which waiting does not lower.
const FOR_EVER: u64 = 1 << 32;

/// `struct completion`.
#[derive(Debug)]
pub struct Completion(Word);

impl Completion {
    /// `DECLARE_COMPLETION`. To be made while the scenario is set up.
    pub fn new(name: Name) -> Completion {
        Completion(Word::of_class(name, 0, Class::Completion))
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
}

/// `complete_all(x)`: lets all go on that wait, or will, until [`reinit_completion`]. Release.
pub fn complete_all(x: &Completion) {
    x.0.update_void(Rmw::Add(FOR_EVER), wakes("complete_all"));
}

/// `wait_for_completion(x)`: may sleep. Acquire. What was completed once is used up.
pub fn wait_for_completion(cpus: &Cpus, x: &Completion) {
    might_sleep(cpus, "wait_for_completion");
    let access = Access::relaxed("wait_for_completion").order(Order::Acquire).role(Role::Waits);
    x.0.update_when(If::Differs(0), Rmw::Add(u64::MAX), access);
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
