//! Work queues: `INIT_WORK`, `queue_work_on`, `flush_work`.
//!
//! Every queued item runs in a kworker task of its CPU, in process context. Two items of a CPU may
//! interleave, which a pool does only when one sleeps: more interleavings than the kernel has,
//! never fewer. Under an engine that has no tasks to spare (loom: `WorkItems::AtFlush`) the item
//! runs where it is flushed, by the task that waits for it: between the queueing and the flush
//! nothing else happens in the scenarios that are run there. An item that nobody flushes would not
//! run there at all, so that such a scenario is undecided.
//! Left out: cancellation, delayed work, rescuers, `max_active`.
//! Source: kernel/workqueue.c `__queue_work()`, `process_one_work()`, `flush_work()`, 6.12.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Private};

use selvedge_explore::{
    Access, Lock, Rmw, Word, WorkItems, abilities, enter, join, made_up, put_off, spawn, under,
};
use selvedge_trace::{Context, Name, Order};

use crate::{
    Cpus, NO_QUEUED_WORK_IS_REINITIALISED, fail, might_sleep, preempt_disable, preempt_enable,
};

/// `WORK_STRUCT_PENDING_BIT`: queued, and not yet running.
const PENDING: u64 = 1;

/// What a work item does.
pub type WorkFn = Arc<dyn Fn() + Send + Sync>;

/// `struct work_struct`.
#[derive(Clone)]
pub struct Work(Arc<Item>);

struct Item {
    name: Name,
    /// `work->data`, of which only the pending bit is modelled.
    data: Word,
    /// The pool's lock, as far as this item is concerned: queueing, starting and flushing it are
    /// one at a time.
    pool: Lock,
    func: Private<Option<WorkFn>>,
    /// The kworker of the last queueing, plus 1; 0 if there was none. If work runs where it is
    /// flushed: the CPU.
    worker: AtomicUsize,
}

impl Work {
    /// A work item that nobody has initialised yet. To be made while the scenario is set up.
    pub fn new(name: Name) -> Work {
        Work(Arc::new(Item {
            name,
            data: Word::new(name, 0),
            pool: Lock::new(Name { text: "pool->lock", ..name }),
            func: Private::new(None),
            worker: AtomicUsize::new(0),
        }))
    }

    /// Is it queued and not yet running? For a check's eyes only.
    pub fn peek_pending(&self) -> bool {
        self.0.data.peek() & PENDING != 0
    }
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// `INIT_WORK(work, func)`. Of an item that is on a list it is a violation: it would be linked a
/// second time.
pub fn INIT_WORK(work: &Work, func: WorkFn) {
    let item = &work.0;
    let before = item.data.update(Rmw::Swap(0), Access::relaxed("INIT_WORK"));
    if before & PENDING != 0 {
        let message = format!("INIT_WORK({}) while it is on the list of its pool", item.name);
        fail(NO_QUEUED_WORK_IS_REINITIALISED, message);
    }
    *item.func.lock().expect("not poisoned") = Some(func);
}

/// `queue_work_on(cpu, wq, work)`: false if it was queued already. If true, what was stored before
/// is visible to the work function (the test-and-set of the pending bit is a full barrier).
pub fn queue_work_on(cpus: &Cpus, cpu: usize, work: &Work) -> bool {
    let _in = enter("queue_work_on");
    let item = &work.0;
    let access = Access::relaxed("test_and_set_bit").bits(PENDING).order(Order::Full);
    if item.data.update(Rmw::Or(PENDING), access) & PENDING != 0 {
        return false;
    }
    if abilities().work == WorkItems::AtFlush {
        item.worker.store(cpu + 1, Relaxed);
        put_off(
            item.data.object(),
            format!(
                "{} is queued and never flushed, and this engine runs work where it is flushed",
                item.name
            ),
        );
        return true;
    }
    item.pool.lock("raw_spin_lock");
    let running = work.clone();
    let name = format!("kworker/{cpu}");
    let preempt = (!abilities().steps_pass_locks).then(|| cpus.preempt_of(cpu).clone());
    let worker = spawn(&name, cpus.place(cpu, Context::Kworker), move || {
        // The CPU switches to the kworker in no preempt-off region: what those before did comes
        // before the work. (Elsewhere its first step says so.)
        if let Some(preempt) = preempt {
            preempt.lock("preempt_disable");
            preempt.unlock("preempt_enable");
        }
        running.process_one();
    });
    item.worker.store(worker + 1, Relaxed);
    item.pool.unlock("raw_spin_unlock");
    true
}

impl Work {
    /// `process_one_work()`.
    fn process_one(&self) {
        let item = &self.0;
        item.pool.lock("raw_spin_lock");
        // set_work_pool_and_clear_pending(), under pool->lock.
        item.data.update(Rmw::And(!PENDING), Access::relaxed("clear PENDING").order(Order::Full));
        let func = item.func.lock().expect("not poisoned").clone();
        item.pool.unlock("raw_spin_unlock");
        let func = func.expect("a queued work item has been initialised");
        func();
    }
}

/// `flush_work(work)`: waits until the last queueing of it has been executed; everything that the
/// work did is visible then. May sleep.
pub fn flush_work(cpus: &Cpus, work: &Work) {
    let _in = enter("flush_work");
    might_sleep(cpus, "flush_work");
    let item = &work.0;
    if abilities().work == WorkItems::AtFlush {
        let cpu = item.worker.swap(0, Relaxed);
        if cpu > 0 {
            made_up(item.data.object());
            let place = cpus.place(cpu - 1, Context::Kworker);
            under(cpu - 1, Context::Kworker, place.passes, || {
                // The kworker runs on that CPU: what preempt-off regions of it did before comes
                // before the work, as it does when a CPU switches tasks.
                preempt_disable(cpus);
                preempt_enable(cpus);
                work.process_one();
            });
        }
        return;
    }
    item.pool.lock("raw_spin_lock");
    let worker = item.worker.load(Relaxed);
    item.pool.unlock("raw_spin_unlock");
    if worker > 0 {
        join(worker - 1);
    }
}
