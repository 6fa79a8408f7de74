//! Sleeping, by the kernel's own algorithm: a task announces that it will sleep by storing its
//! state, looks once more at what it waits for, and calls `schedule()`; a waker stores what is
//! waited for, then looks at the state. Each side has a full barrier between its store and its
//! load; without one of them a wake-up is lost, and that shows as a hang.
//!
//! A signal, fatal or not, and the end of a timeout, are steps of some other task of the scenario:
//! each stores its word and then wakes the task, so that a complete engine tries them at every
//! moment.
//!
//! All that the engine provides is "this task does not go on until its state is RUNNING".
//! Left out: priorities, run queues, freezing, signals that are blocked or ignored (they are not
//! sent), the handler; kernel threads and user tasks are the same. A timeout may end before the
//! task sleeps: it has then no time left to sleep. Source: include/linux/sched.h
//! `set_current_state()`, include/linux/sched/signal.h `signal_pending_state()`, kernel/signal.c
//! `signal_wake_up_state()`, kernel/sched/core.c `try_to_wake_up()`, `__schedule()`,
//! kernel/time/timer.c `schedule_timeout()`, 6.12.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use selvedge_explore::{
    Access, Emptied, MemoryModel, Own, Private, Rmw, Token, Word, abilities, enter, fence,
    may_wait_first,
};
use selvedge_trace::{Name, Order};

use crate::{Cpus, READ_ONCE, RawSpinLock, Var, WRITE_ONCE, might_sleep, smp_mb};
use crate::{raw_spin_lock_irqsave, raw_spin_unlock_irqrestore, smp_mb__after_spinlock};

/// `TASK_RUNNING`
pub const TASK_RUNNING: u64 = 0;
/// `TASK_INTERRUPTIBLE`
pub const TASK_INTERRUPTIBLE: u64 = 1;
/// `TASK_UNINTERRUPTIBLE`
pub const TASK_UNINTERRUPTIBLE: u64 = 2;
/// `TASK_WAKEKILL`: a fatal signal wakes it too.
pub const TASK_WAKEKILL: u64 = 0x100;
/// `TASK_KILLABLE`: uninterruptible but for fatal signals.
pub const TASK_KILLABLE: u64 = TASK_WAKEKILL | TASK_UNINTERRUPTIBLE;
/// `TASK_NORMAL`: the states that an ordinary wake-up ends.
pub const TASK_NORMAL: u64 = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE;

/// `struct task_struct`, as far as sleeping goes. A clone is the same task.
#[derive(Clone, Debug)]
pub struct Task(Arc<TaskStruct>);

#[derive(Debug)]
struct TaskStruct {
    state: Var,
    pi_lock: RawSpinLock,
    /// What the task itself stored there last, or found there if that is RUNNING.
    announced: Private<u64>,
    /// Is a signal pending (`TIF_SIGPENDING`), and is it one that kills (SIGKILL in
    /// `task->pending`): [`PENDING`], [`FATAL`].
    sigpending: Var,
    /// Has its timer expired?
    timed_out: Var,
    /// Set whenever somebody made the task RUNNING.
    on_rq: Token,
    /// `current->plug`: I/O that the task has submitted, and that starts when it sleeps or unplugs.
    plug: Plug,
}

/// What belongs to one task needs no steps of its own.
#[derive(Default)]
struct Plug(Own<Requests>);

type Request = Box<dyn FnOnce() + Send>;

/// Which they are the task knows, who has submitted them.
#[derive(Default)]
struct Requests(Vec<Request>);

impl Emptied for Requests {}

impl Hash for Requests {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.len().hash(hasher);
    }
}

impl std::fmt::Debug for Plug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Plug")
    }
}

/// A list of tasks is told from another by who is in it.
impl Hash for Task {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.object().hash(hasher);
    }
}

impl Task {
    /// A task that runs. To be made while the scenario is set up.
    pub fn new(index: usize) -> Task {
        Task(Arc::new(TaskStruct {
            state: Var(Word::new(Name::new("task->__state").nth(index), TASK_RUNNING)),
            announced: Private::default(),
            pi_lock: RawSpinLock::new(Name::new("task->pi_lock").nth(index)),
            sigpending: Var::new(Name::new("task->sigpending").nth(index), 0),
            timed_out: Var::new(Name::new("task->timed_out").nth(index), 0),
            on_rq: Token::new(Name::new("task").nth(index)),
            plug: Plug::default(),
        }))
    }

    /// The number, in events, of what a wake-up of this task sets.
    pub fn object(&self) -> u32 {
        self.0.on_rq.object()
    }
}

/// `blk_start_plug()` and `submit_bio()` by the task itself: the request waits in its plug.
pub fn blk_plug(task: &Task, request: impl FnOnce() + Send + 'static) {
    task.0.plug.0.open(|requests| requests.0.push(Box::new(request)));
}

/// `blk_finish_plug()`, `blk_flush_plug()`, by the task itself: its requests start.
pub fn blk_flush_plug(task: &Task) {
    let requests = task.0.plug.0.open(std::mem::take);
    requests.0.into_iter().for_each(|request| request());
}

/// `set_current_state(state)`: a store, then a full barrier.
pub fn set_current_state(task: &Task, state: u64) {
    __set_current_state(task, state);
    smp_mb();
}

/// `__set_current_state(state)`: the store alone.
pub fn __set_current_state(task: &Task, state: u64) {
    WRITE_ONCE(&task.0.state, state);
    *task.0.announced.lock() = state;
}

/// `schedule()`, by the task itself: returns when its state is RUNNING. A task that a pending
/// signal would wake does not sleep.
pub fn schedule(cpus: &Cpus, task: &Task) {
    let _in = enter("schedule");
    might_sleep(cpus, "schedule");
    sched_submit_work(task);
    sleep_unless(task, "schedule", signal_pending_state);
}

/// `schedule_timeout()`, by the task itself: returns when its state is RUNNING, or its time is
/// over.
pub fn schedule_timeout(cpus: &Cpus, task: &Task) {
    let _in = enter("schedule_timeout");
    might_sleep(cpus, "schedule_timeout");
    sched_submit_work(task);
    let no_sleep = |state, task: &_| signal_pending_state(state, task) || timed_out(task);
    sleep_unless(task, "schedule_timeout", no_sleep);
}

/// `sched_submit_work()`: who is about to sleep starts its I/O first, lest it wait for that.
fn sched_submit_work(task: &Task) {
    let has_requests = task.0.plug.0.open(|requests| !requests.0.is_empty());
    if has_requests && READ_ONCE(&task.0.state) != TASK_RUNNING {
        blk_flush_plug(task);
    }
}

/// `__schedule()`: a token that is left over from an earlier wake-up is consumed, and the state
/// looked at again.
///
/// Only `try_to_wake_up()` stores RUNNING for another task, and then sets the token, with
/// interrupts off, before it does anything else. So a task that has announced its sleep may wait
/// before it looks whether it is RUNNING already, where the engine asks for no more
/// ([`may_wait_first`]). What else ends its sleep it has to look at before: nobody sets the token
/// for what came before the announcement.
///
/// In the kernel the looks are under the lock of the run queue, with a full barrier behind it, so
/// that a caller's `__set_current_state()` will do for signals; and so is the store of RUNNING: who
/// is woken sees what came before the wake-up, though it has not slept yet. Where memory is weak
/// two barriers say so ([`rq_lock`]); the waker has one of its own.
fn sleep_unless(task: &Task, primitive: &'static str, no_sleep: impl Fn(u64, &Task) -> bool) {
    rq_lock(Order::Full);
    let announced = *task.0.announced.lock();
    let waits_first = announced != TASK_RUNNING && may_wait_first();
    loop {
        let state = if waits_first { announced } else { READ_ONCE(&task.0.state) };
        if state == TASK_RUNNING {
            break;
        }
        if no_sleep(state, task) {
            return __set_current_state(task, TASK_RUNNING);
        }
        task.0.on_rq.wait(primitive, true);
        if waits_first && READ_ONCE(&task.0.state) == TASK_RUNNING {
            break;
        }
    }
    rq_lock(Order::Acquire);
    // It knows that it runs: if it does not announce a sleep again, there is none.
    *task.0.announced.lock() = TASK_RUNNING;
}

/// What the lock of the run queue orders for the task itself: `schedule()` is a full barrier
/// (Documentation/memory-barriers.txt, "Miscellaneous functions"), and an acquire behind its look.
/// No step where all CPUs see one order of all steps.
fn rq_lock(order: Order) {
    if abilities().memory != MemoryModel::Sc {
        fence("rq_lock", order);
    }
}

/// A signal that kills is pending: it counts as [`PENDING`] too.
const FATAL: u64 = 1;
/// One that does not kill.
const PENDING: u64 = 2;

/// `signal_pending_state(state, p)`: is there a signal that ends a sleep in this state? In
/// `TASK_INTERRUPTIBLE` any does, in `TASK_KILLABLE` one that kills.
pub fn signal_pending_state(state: u64, task: &Task) -> bool {
    if state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL) == 0 {
        return false;
    }
    let pending = READ_ONCE(&task.0.sigpending);
    if state & TASK_INTERRUPTIBLE != 0 { pending != 0 } else { pending & FATAL != 0 }
}

/// `signal_pending(p)`: orders nothing.
pub fn signal_pending(task: &Task) -> bool {
    signal_pending_state(TASK_INTERRUPTIBLE, task)
}

/// `fatal_signal_pending(p)`: orders nothing.
pub fn fatal_signal_pending(task: &Task) -> bool {
    signal_pending_state(TASK_WAKEKILL, task)
}

/// `task_is_running(p)`: for a look from outside; the next moment it may be otherwise.
pub fn task_is_running(task: &Task) -> bool {
    READ_ONCE(&task.0.state) == TASK_RUNNING
}

/// Has the time given to [`schedule_timeout`] passed?
pub fn timed_out(task: &Task) -> bool {
    READ_ONCE(&task.0.timed_out) != 0
}

/// `send_sig(SIGKILL, p, 1)`: makes the signal pending, then wakes the task if its state lets a
/// fatal signal do that.
pub fn send_sigkill(cpus: &Cpus, task: &Task) {
    let _in = enter("send_sig");
    WRITE_ONCE(&task.0.sigpending, FATAL);
    try_to_wake_up(cpus, task, TASK_WAKEKILL | TASK_INTERRUPTIBLE);
}

/// `send_sig(SIGUSR1, p, 1)`: a signal that is handled, and does not kill. It wakes who sleeps in
/// `TASK_INTERRUPTIBLE`, and nobody else.
pub fn send_sig(cpus: &Cpus, task: &Task) {
    let _in = enter("send_sig");
    // set_tsk_thread_flag(): atomic, and orders nothing.
    task.0.sigpending.0.update_void(Rmw::Or(PENDING), Access::relaxed("set_bit"));
    try_to_wake_up(cpus, task, TASK_INTERRUPTIBLE);
}

/// The task, on its way to user space, has handled its signals: `get_signal()`. Not one that kills.
pub fn get_signal(task: &Task) {
    let _in = enter("get_signal");
    task.0.sigpending.0.update_void(Rmw::And(!PENDING), Access::relaxed("clear_bit"));
}

/// For scenarios, before the task runs: it has been killed already.
pub fn is_killed_already(task: &Task) {
    WRITE_ONCE(&task.0.sigpending, FATAL);
}

/// `process_timeout()`: the timer of [`schedule_timeout`] expires.
pub fn process_timeout(cpus: &Cpus, task: &Task) {
    let _in = enter("process_timeout");
    WRITE_ONCE(&task.0.timed_out, 1);
    try_to_wake_up(cpus, task, TASK_NORMAL);
}

/// `try_to_wake_up(p, state)`: `p->pi_lock` and a full barrier, then the look at the state: the
/// task is woken if its state is one of `states`. True if it was. (A load and a store, as in the
/// kernel: the waiter's stores do not take the lock.)
pub fn try_to_wake_up(cpus: &Cpus, task: &Task, states: u64) -> bool {
    let _in = enter("try_to_wake_up");
    raw_spin_lock_irqsave(cpus, &task.0.pi_lock);
    smp_mb__after_spinlock();
    let is_woken = READ_ONCE(&task.0.state) & states != 0;
    if is_woken {
        WRITE_ONCE(&task.0.state, TASK_RUNNING);
        task.0.on_rq.wake("ttwu_queue");
    }
    raw_spin_unlock_irqrestore(cpus, &task.0.pi_lock);
    is_woken
}
