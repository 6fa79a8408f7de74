//! Work queues: `INIT_WORK`, `queue_work_on`, `flush_work`, `cancel_work_sync`.
//!
//! Every queued item runs in a kworker task of its CPU, in process context. Two items of a CPU may
//! interleave, which a pool does only when one sleeps: more interleavings than the kernel has,
//! never fewer. One item never runs twice at once, on whatever CPUs it was queued: who queues it
//! while it runs has it run once more, by a kworker that waits for the one before (in the kernel,
//! by the same one: `find_worker_executing_work()`).
//!
//! Under an engine that has no tasks to spare (loom: `WorkItems::AtFlush`) the item
//! runs where it is flushed, by the task that waits for it: between the queueing and the flush
//! nothing else happens in the scenarios that are run there. An item that nobody flushes would not
//! run there at all, so that such a scenario is undecided.
//! Left out: delayed work, rescuers, `max_active`, disabled work, cancellation without waiting.
//! Source: kernel/workqueue.c `__queue_work()`, `process_one_work()`, `flush_work()`,
//! `cancel_work_sync()`, 6.12.

use std::hash::{Hash, Hasher};
use std::panic::Location;
use std::sync::Arc;

use selvedge_explore::{
    Access, Emptied, Lock, Private, Rmw, Word, WorkItems, abilities, enter, join, knows_end_of,
    made_up, put_off, spawn, under,
};
use selvedge_trace::{Context, Name, Order};

use crate::{
    Cpus, If, NO_QUEUED_WORK_IS_REINITIALISED, READ_ONCE, Var, WRITE_ONCE, fail, might_sleep,
    preempt_disable, preempt_enable, spin_until,
};

/// `WORK_STRUCT_PENDING_BIT`: queued, and not yet running.
const PENDING: u64 = 1;

/// What a work item does.
pub type WorkFn = Arc<dyn Fn() + Send + Sync>;

/// What an item has been initialised to do, and where: one place gives an item one function.
#[derive(Clone, Default)]
struct Func(Option<(WorkFn, &'static Location<'static>)>);

impl Emptied for Func {}

impl Hash for Func {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.as_ref().map(|(_, place)| place).hash(hasher);
    }
}

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
    func: Private<Func>,
    /// The kworker of the last queueing, plus 1; 0 if there was none. If work runs where it is
    /// flushed: the CPU.
    worker: Private<usize>,
    /// How often it has been queued, and which of these queueings was cancelled last, plus 1.
    /// Looked at and changed with the pool's lock held.
    queued: Private<usize>,
    cancelled: Private<usize>,
    /// Of an item that somebody cancels: how often it has been put on the pool's list or taken off;
    /// it is on the list if that is odd. Who queues it sets the pending bit first, and takes the
    /// pool's lock after that.
    listed: Option<Var>,
}

impl Work {
    /// A work item that nobody has initialised yet. To be made while the scenario is set up.
    pub fn new(name: Name) -> Work {
        Work::with(name, None)
    }

    /// The same, of one that the scenario cancels: it costs a step more to queue it and to run it.
    pub fn cancellable(name: Name) -> Work {
        Work::with(name, Some(Var::new(Name { text: "work->entry", ..name }, 0)))
    }

    fn with(name: Name, listed: Option<Var>) -> Work {
        Work(Arc::new(Item {
            name,
            data: Word::new(name, 0),
            pool: Lock::new(Name { text: "pool->lock", ..name }),
            func: Private::default(),
            worker: Private::default(),
            queued: Private::default(),
            cancelled: Private::default(),
            listed,
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
#[track_caller]
pub fn INIT_WORK(work: &Work, func: WorkFn) {
    let item = &work.0;
    let before = item.data.update(Rmw::Swap(0), Access::relaxed("INIT_WORK"));
    if before & PENDING != 0 {
        let message = format!("INIT_WORK({}) while it is on the list of its pool", item.name);
        fail(NO_QUEUED_WORK_IS_REINITIALISED, message);
    }
    let place = Location::caller();
    item.func.note(|known| *known = Func(Some((func, place))));
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
        *item.worker.lock() = cpu + 1;
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
    let queueing = {
        let mut queued = item.queued.lock();
        *queued += 1;
        *queued
    };
    let before = *item.worker.lock();
    let before = before.checked_sub(1).filter(|&worker| !knows_end_of(worker));
    let name = format!("kworker/{cpu}");
    let preempt = (!abilities().steps_pass_locks).then(|| cpus.preempt_of(cpu).clone());
    let worker = spawn(&name, cpus.place(cpu, Context::Kworker), move || {
        // The CPU switches to the kworker in no preempt-off region: what those before did comes
        // before the work. (Elsewhere its first step says so.)
        if let Some(preempt) = preempt {
            preempt.lock("preempt_disable");
            preempt.unlock("preempt_enable");
        }
        if let Some(before) = before {
            join(before);
        }
        running.process_one(queueing);
    });
    *item.worker.lock() = worker + 1;
    item.moves();
    item.pool.unlock("raw_spin_unlock");
    true
}

impl Item {
    /// It is put on the list, or taken off, with the pool's lock held.
    fn moves(&self) {
        if let Some(listed) = &self.listed {
            let moves = READ_ONCE(listed);
            WRITE_ONCE(listed, moves + 1);
        }
    }
}

impl Work {
    /// `process_one_work()`.
    fn process_one(&self, queueing: usize) {
        let item = &self.0;
        item.pool.lock("raw_spin_lock");
        if *item.cancelled.lock() == queueing {
            return item.pool.unlock("raw_spin_unlock");
        }
        item.moves();
        // set_work_pool_and_clear_pending(), under pool->lock.
        item.data.update(Rmw::And(!PENDING), Access::relaxed("clear PENDING").order(Order::Full));
        let func = item.func.lock().clone();
        item.pool.unlock("raw_spin_unlock");
        let (func, _) = func.0.expect("a queued work item has been initialised");
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
        let cpu = std::mem::take(&mut *item.worker.lock());
        if cpu > 0 {
            made_up(item.data.object());
            let place = cpus.place(cpu - 1, Context::Kworker);
            under(cpu - 1, Context::Kworker, place.passes, || {
                // The kworker runs on that CPU: what preempt-off regions of it did before comes
                // before the work, as it does when a CPU switches tasks.
                preempt_disable(cpus);
                preempt_enable(cpus);
                work.process_one(usize::MAX);
            });
        }
        return;
    }
    item.pool.lock("raw_spin_lock");
    let worker = *item.worker.lock();
    item.pool.unlock("raw_spin_unlock");
    if worker > 0 {
        join(worker - 1);
    }
}

/// `cancel_work_sync(work)`: takes the item off its list if it is on one (then true), and waits for
/// the end of it if it runs. When it returns the item neither runs nor is queued, and it cannot
/// have been queued meanwhile, by itself or by others: its pending bit is the canceller's until
/// then. May sleep.
///
/// # Panics
/// If the item is not [`Work::cancellable`]: a model's mistake.
pub fn cancel_work_sync(cpus: &Cpus, work: &Work) -> bool {
    let _in = enter("cancel_work_sync");
    might_sleep(cpus, "cancel_work_sync");
    let item = &work.0;
    let listed = item.listed.as_ref().expect("cancel_work_sync() of a cancellable item");
    let (was_pending, worker) = loop {
        match try_to_grab_pending(item, listed) {
            Ok(grabbed) => break grabbed,
            // Somebody is just queueing it.
            Err(moves) => spin_until(listed, If::Differs(moves)),
        };
    };
    if abilities().work == WorkItems::AtFlush {
        // What has been queued and not flushed has not run, and will not.
        if std::mem::take(&mut *item.worker.lock()) > 0 {
            made_up(item.data.object());
        }
    } else if worker > 0 {
        join(worker - 1);
    }
    item.data.update(Rmw::And(!PENDING), Access::relaxed("clear PENDING").order(Order::Full));
    was_pending
}

/// `try_to_grab_pending()`: makes the pending bit the caller's. Whether it was pending, and its
/// last kworker, plus 1; `Err`: it is pending, and not yet on the list, with how often it had
/// moved.
fn try_to_grab_pending(item: &Item, listed: &Var) -> Result<(bool, usize), u64> {
    let _in = enter("try_to_grab_pending");
    item.pool.lock("raw_spin_lock");
    let grab = Access::relaxed("test_and_set_bit").bits(PENDING).order(Order::Full);
    let was_pending = item.data.update(Rmw::Or(PENDING), grab) & PENDING != 0;
    let moves = READ_ONCE(listed);
    // Where work runs where it is flushed, it is on the list as soon as it is pending.
    let is_listed = abilities().work == WorkItems::AtFlush || moves & 1 == 1;
    let grabbed = !was_pending || is_listed;
    if was_pending && grabbed {
        item.moves();
        *item.cancelled.lock() = *item.queued.lock();
    }
    let worker = *item.worker.lock();
    item.pool.unlock("raw_spin_unlock");
    if grabbed { Ok((was_pending, worker)) } else { Err(moves) }
}
