//! Sleeping and waking, by the algorithm of `selvedge-kernel`'s `sched.rs`, on the kernel's own
//! `task_struct`: state word, `pi_lock`, pending signals.

use selvedge_explore::{enter, me};
use selvedge_kernel as kernel;
use selvedge_kernel::{TASK_NORMAL, TASK_RUNNING};

use super::locks::{raw_spin_lock_irqsave, raw_spin_unlock_irqrestore};
use super::{call, cpus, current, is_step};
use crate::native::gate::{load, settle, store};
use crate::native::world::{token, with};

pub extern "C" fn schedule() {
    sleep("schedule");
}

pub extern "C" fn io_schedule() {
    sleep("io_schedule");
}

/// Returns when the state of the task is RUNNING. Who has a signal pending that ends such a sleep
/// does not sleep; a token that is left over from an earlier wake-up is used up, and the state
/// looked at again.
fn sleep(function: &'static str) {
    if !is_step() {
        return;
    }
    let _in = enter(function);
    kernel::might_sleep(&cpus(), function);
    let task = current();
    let state_at = call("sv_task_state", &[task]);
    loop {
        let state = load(state_at, 4, "READ_ONCE");
        settle();
        if state == TASK_RUNNING {
            return;
        }
        if call("sv_signal_pending_state", &[state, task]) as u32 != 0 {
            store(state_at, 4, TASK_RUNNING, "WRITE_ONCE");
            settle();
            return;
        }
        settle();
        kernel::reached(selvedge_proofs::states::SLEPT);
        token(task).wait(function, true);
        with(|world| world.sharing.takes(me(), task));
    }
}

/// `try_to_wake_up(p, state, wake_flags)`
pub extern "C" fn try_to_wake_up(task: u64, states: u32, _flags: i32) -> i32 {
    if !is_step() {
        return 0;
    }
    let _in = enter("try_to_wake_up");
    let pi_lock = call("sv_task_pi_lock", &[task]);
    let state_at = call("sv_task_state", &[task]);
    let flags = raw_spin_lock_irqsave(pi_lock);
    kernel::smp_mb__after_spinlock();
    let is_woken = load(state_at, 4, "READ_ONCE") & u64::from(states) != 0;
    if is_woken {
        store(state_at, 4, TASK_RUNNING, "WRITE_ONCE");
        settle();
        with(|world| world.sharing.gives(me(), task));
        token(task).wake("ttwu_queue");
    }
    raw_spin_unlock_irqrestore(pi_lock, flags);
    i32::from(is_woken)
}

pub extern "C" fn wake_up_state(task: u64, states: u32) -> i32 {
    try_to_wake_up(task, states, 0)
}

pub extern "C" fn wake_up_process(task: u64) -> i32 {
    try_to_wake_up(task, TASK_NORMAL as u32, 0)
}

/// `default_wake_function(curr, mode, wake_flags, key)`: `curr->private` is the task.
pub extern "C" fn default_wake_function(entry: u64, states: u32, flags: i32) -> i32 {
    if !is_step() {
        return 0;
    }
    let task = load(call("sv_wait_task", &[entry]), 8, "READ_ONCE");
    try_to_wake_up(task, states, flags)
}
