//! RCU: readers, and who waits for them.
//!
//! Since the flavours of RCU were merged (v4.20, v5.0) a region with preemption or interrupts off
//! is a read-side critical section; with PREEMPT_RT a local lock's is one too (those of spinlocks
//! are left out: nothing here waits for them). With PREEMPT_RCU (`preempt_rcu.rs`) so is what a
//! task does between `rcu_read_lock()` and `rcu_read_unlock()`, where it may be preempted.
//!
//! Modelled by what it guarantees: a section that began before the call has ended when it returns,
//! and what it stored is visible; a section that begins later sees what was stored before the call.
//! Left out: stalls, quiescent states of tasks with preemption on (they are in no section).
//! Source: Documentation/RCU/Design/Memory-Ordering, kernel/rcu/tree.c `synchronize_rcu()`,
//! `__call_rcu_common()`, `rcu_barrier()`, 6.12.

use selvedge_explore::{Lock, MemoryModel, Private, abilities, enter, fence, join, spawn};
use selvedge_trace::{Context, Name, Order};

use crate::{Cpus, Var, might_sleep, preempt_disable, preempt_enable, smp_load_acquire};
use crate::{smp_processor_id, smp_store_release};

/// `rcu_read_lock()`. Without PREEMPT_RCU: preemption off.
pub fn rcu_read_lock(cpus: &Cpus) {
    match &cpus.readers {
        Some(readers) => readers.begin(),
        None => preempt_disable(cpus),
    }
}

/// `rcu_read_unlock()`.
pub fn rcu_read_unlock(cpus: &Cpus) {
    match &cpus.readers {
        Some(readers) => readers.end(),
        None => preempt_enable(cpus),
    }
}

/// `rcu_assign_pointer(p, value)`: release.
pub fn rcu_assign_pointer(pointer: &Var, value: u64) {
    smp_store_release(pointer, value);
}

/// `rcu_dereference(p)`. The kernel relies on the address dependency; no engine knows of those, so
/// that it is rendered as an acquire load, which also orders what does not depend on it.
pub fn rcu_dereference(pointer: &Var) -> u64 {
    smp_load_acquire(pointer)
}

/// `synchronize_rcu()`: may sleep.
pub fn synchronize_rcu(cpus: &Cpus) {
    sleep_for_readers(cpus, "synchronize_rcu");
}

/// `synchronize_rcu_expedited()`: the same guarantee, sooner.
pub fn synchronize_rcu_expedited(cpus: &Cpus) {
    sleep_for_readers(cpus, "synchronize_rcu_expedited");
}

fn sleep_for_readers(cpus: &Cpus, function: &'static str) {
    let _in = enter(function);
    might_sleep(cpus, function);
    wait_for_readers(cpus, function, Some(smp_processor_id()));
}

/// `call_rcu(head, func)`: runs `func` on `cpu`, in a softirq of it, when all sections have ended
/// that have begun by now. Never sleeps, and may be called by a reader. Returns the callback's
/// task. `cpu` is the caller's, or another one (`rcu_nocbs`).
///
/// Callbacks are run by a softirq, or by a kernel thread with softirqs off; here with interrupts
/// off as well, which keeps a callback from being interrupted (fewer interleavings with a handler
/// of that CPU). Left out: batches of callbacks in order. A scenario waits for the end of the task,
/// or calls [`rcu_barrier`].
pub fn call_rcu(
    cpus: &std::sync::Arc<Cpus>,
    cpu: usize,
    func: impl FnOnce() + Send + 'static,
) -> usize {
    let _in = enter("call_rcu");
    let (all, irq) = (cpus.clone(), cpus.irq_of(cpu));
    let list = cpus.callbacks.get(cpu);
    if let Some(list) = list {
        list.lock.lock("rcu_segcblist_enqueue");
    }
    let task = spawn("rcu callback", cpus.place(cpu, Context::Softirq), move || {
        wait_for_readers(&all, "rcu_gp_kthread", None);
        irq.lock("rcu_do_batch");
        func();
        irq.unlock("rcu_do_batch ends");
    });
    if let Some(list) = list {
        list.queued.lock().push(task);
        list.lock.unlock("rcu_segcblist_enqueue ends");
    }
    task
}

/// The callbacks of a CPU, if somebody waits for all of them.
#[derive(Debug)]
pub(crate) struct Callbacks {
    /// Who queues one has interrupts off, and who looks for some asks by an interrupt: one after
    /// the other.
    lock: Lock,
    /// Their tasks.
    queued: Private<Vec<usize>>,
}

impl Cpus {
    /// The same with callbacks that [`rcu_barrier`] can wait for. That costs each `call_rcu()` two
    /// steps, so that only a scenario which has it asks for it.
    pub fn with_rcu_barrier(mut self) -> Cpus {
        let list = |cpu| Callbacks {
            lock: Lock::new(Name::new("rcu_data.cblist").on(cpu)),
            queued: Private::default(),
        };
        self.callbacks = self.possible().map(list).collect();
        self
    }
}

/// `rcu_barrier()`: waits until each callback that was queued before the call, on whatever CPU, has
/// run; what they did is visible then. It is no grace period: where none is queued it waits for
/// nobody. May sleep.
///
/// The kernel queues a callback of its own behind those of each CPU that has some, and waits for
/// these; here it waits for each. Left out: the mutex that keeps another `rcu_barrier()` off, so
/// that two of them interleave as they do not in the kernel, and neither waits for less.
///
/// # Panics
/// If the CPUs were not made with [`Cpus::with_rcu_barrier`]: a model's mistake.
pub fn rcu_barrier(cpus: &Cpus) {
    let _in = enter("rcu_barrier");
    might_sleep(cpus, "rcu_barrier");
    assert!(!cpus.callbacks.is_empty(), "rcu_barrier() on CPUs that are made for it");
    for list in &cpus.callbacks {
        list.lock.lock("rcu_barrier_handler");
        let queued = list.queued.lock().clone();
        list.lock.unlock("rcu_barrier_handler ends");
        queued.into_iter().for_each(join);
    }
}

/// `here`: the CPU on which the caller runs, outside of any section.
fn wait_for_readers(cpus: &Cpus, function: &'static str, here: Option<usize>) {
    fence(function, Order::Full);
    if let Some(readers) = &cpus.readers {
        readers.wait();
    }
    for cpu in cpus.online() {
        // With PREEMPT_RT a reader may have been preempted, on the caller's CPU too.
        for section in cpus.reader_sections(cpu) {
            section.lock("wait for the RCU reader that holds");
            section.unlock("end of the RCU reader that held");
        }
        // The caller runs there, outside any section: none that began before is unfinished. Where a
        // step is not kept from running beside a section of its own CPU, the caller waits; but not
        // under loom, where that multiplies executions: more of them are explored there than there
        // are, so that an alarm may be false, and none is missed.
        let runs_alone = abilities().steps_pass_locks || abilities().memory == MemoryModel::C11;
        if Some(cpu) == here && runs_alone {
            continue;
        }
        // A section under interrupts off holds `irq`; where steps do not pass locks, `preempt` as
        // well.
        let preempt = cpus.preempt_of(cpu);
        cpus.while_it_runs(|| {
            preempt.lock("wait for preempt-off section of");
            preempt.unlock("end of preempt-off section of");
        });
        if abilities().steps_pass_locks {
            let irq = cpus.irq_of(cpu);
            cpus.while_it_runs(|| {
                irq.lock("wait for irq-off section of");
                irq.unlock("end of irq-off section of");
            });
        }
    }
    fence(function, Order::Full);
}
