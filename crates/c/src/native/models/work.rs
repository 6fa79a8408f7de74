//! Work queues, as `selvedge-kernel`'s: each queued item runs in a kworker of its CPU.

use selvedge_explore::{enter, join, spawn};
use selvedge_kernel as kernel;
use selvedge_trace::{Context, Order};

use super::locks::{give, take};
use super::{as_task, call, call_at, cpus, is_step};
use crate::native::gate::{load, settle, update};
use crate::native::world::{As, with};

/// `WORK_STRUCT_PENDING_BIT`, the lowest of `work->data`.
const PENDING: u64 = 1;

/// `queue_work_on(cpu, wq, work)`
pub extern "C" fn queue_work_on(cpu: i32, _wq: u64, work: u64) -> bool {
    if !is_step() {
        return false;
    }
    let _in = enter("queue_work_on");
    let data = call("sv_work_data", &[work]);
    if update(data, "test_and_set_bit", Order::Full, |value| value | PENDING) & PENDING != 0 {
        settle();
        return false;
    }
    take(work, As::Pool, "raw_spin_lock");
    let place = cpus().place(cpu as usize, Context::Kworker);
    let worker = spawn(&format!("kworker/{cpu}"), place, move || as_task(|| process_one(work)));
    with(|world| world.workers.insert(work, worker));
    give(work, As::Pool, "raw_spin_unlock");
    true
}

/// `process_one_work()`
fn process_one(work: u64) {
    take(work, As::Pool, "raw_spin_lock");
    let data = call("sv_work_data", &[work]);
    update(data, "clear PENDING", Order::Full, |value| value & !PENDING);
    let func = load(call("sv_work_func", &[work]), 8, "READ_ONCE");
    give(work, As::Pool, "raw_spin_unlock");
    kernel::reached(selvedge_proofs::states::DRAIN_WORKED);
    call_at(func, &[work]);
}

/// `flush_work(work)`: waits for the last queueing of it.
pub extern "C" fn flush_work(work: u64) -> bool {
    if !is_step() {
        return false;
    }
    let _in = enter("flush_work");
    kernel::might_sleep(&cpus(), "flush_work");
    take(work, As::Pool, "raw_spin_lock");
    let worker = with(|world| world.workers.get(&work).copied());
    give(work, As::Pool, "raw_spin_unlock");
    if let Some(worker) = worker {
        join(worker);
    }
    worker.is_some()
}
