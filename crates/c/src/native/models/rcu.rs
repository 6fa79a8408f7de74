//! RCU, as a preemptible kernel has it: a reader may be preempted, so that each task's section is a
//! lock of its own; regions with preemption or interrupts off are sections too
//! (`selvedge-kernel`'s).

use selvedge_explore::{fence, me};
use selvedge_kernel as kernel;
use selvedge_trace::Order;

use super::locks::{give, take};
use super::{call, cpus, is_step};
use crate::native::world::{As, with};

/// Who waits for readers waits for so many tasks. Which there are yet must not decide which steps
/// are taken, since nobody has announced that.
const READERS: usize = 8;

fn section_of(task: usize) -> u64 {
    call("sv_task", &[task as u64])
}

pub extern "C" fn rcu_read_lock() {
    if !is_step() {
        return;
    }
    let depth = with(|world| {
        let frame = world.frame();
        frame.rcu += 1;
        frame.rcu
    });
    // A task beyond would not be waited for.
    if me() > READERS {
        selvedge_explore::unable(format!("an RCU reader in task {}: at most {READERS}", me()));
    }
    if depth == 1 {
        take(section_of(me()), As::Reader, "rcu_read_lock");
    }
}

pub extern "C" fn rcu_read_unlock() {
    if !is_step() {
        return;
    }
    let depth = with(|world| {
        let frame = world.frame();
        frame.rcu = frame.rcu.saturating_sub(1);
        frame.rcu
    });
    if depth == 0 {
        give(section_of(me()), As::Reader, "rcu_read_unlock");
    }
}

fn wait_for_readers() {
    for task in (1..=READERS).filter(|&task| task != me()) {
        take(section_of(task), As::Reader, "wait for the RCU reader");
        give(section_of(task), As::Reader, "end of the RCU reader");
    }
    fence("synchronize_rcu", Order::Full);
}

pub extern "C" fn synchronize_rcu() {
    if is_step() {
        kernel::synchronize_rcu(&cpus());
        wait_for_readers();
    }
}

pub extern "C" fn synchronize_rcu_expedited() {
    if is_step() {
        kernel::synchronize_rcu_expedited(&cpus());
        wait_for_readers();
    }
}
