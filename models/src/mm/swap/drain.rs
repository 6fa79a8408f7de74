//! The drains of the batches, and `lru_cache_disable()`.

use selvedge_kernel::{
    INIT_WORK, WRITE_ONCE, atomic_dec, atomic_inc, atomic_read, enter, flush_work, local_lock,
    local_lock_irqsave, local_unlock, local_unlock_irqrestore, mutex_lock, mutex_unlock,
    plain_read, queue_work_on, reached, smp_load_acquire, smp_mb, smp_processor_id, smp_wmb,
    synchronize_rcu, synchronize_rcu_expedited,
};

use crate::Kernel;
use crate::fs::buffer::{has_bh_in_lru, invalidate_bh_lrus_cpu};
use crate::mm::mlock::{mlock_drain_local, need_mlock_drain};
use crate::mm::swap::add::MoveFn;
use crate::mm::swap::{Batches, BhLruDrain, ForcedDrain, OwnDrain, RemoteLook};

/// `lru_add_drain_cpu()`: the caller is on `cpu` and holds its local lock, or `cpu` is offline. The
/// rotate batch's count is read with interrupts on; an interrupt may have flushed it before they are off.
pub fn lru_add_drain_cpu(k: &Kernel, cpu: usize) {
    let _in = enter("lru_add_drain_cpu");
    let batches = k.cpu_fbatches.of(cpu);
    let folio_batch_move_lru = k.tree.swap.folio_batch_move_lru();
    if batches.lru_add.count() != 0 {
        folio_batch_move_lru(k, &batches.lru_add, MoveFn::Add);
    }
    if batches.lru_rotate.count_racily() != 0 {
        local_lock_irqsave(&k.cpus, &k.fbatch_locks.lock_irq);
        folio_batch_move_lru(k, &batches.lru_rotate, MoveFn::MoveTail);
        local_unlock_irqrestore(&k.cpus, &k.fbatch_locks.lock_irq);
    }
    // In a scenario that never fills them these counts are always 0.
    if k.modelled.operations {
        drain_operations(k, batches);
    }
    if k.tree.swap.bh_lru_drain() == BhLruDrain::EveryDrain {
        invalidate_bh_lrus_cpu(k);
    }
}

fn drain_operations(k: &Kernel, batches: &Batches) {
    let folio_batch_move_lru = k.tree.swap.folio_batch_move_lru();
    if batches.lru_deactivate_file.count() != 0 {
        folio_batch_move_lru(k, &batches.lru_deactivate_file, MoveFn::DeactivateFile);
    }
    if batches.lru_deactivate.count() != 0 {
        folio_batch_move_lru(k, &batches.lru_deactivate, MoveFn::Deactivate);
    }
    if batches.lru_lazyfree.count() != 0 {
        folio_batch_move_lru(k, &batches.lru_lazyfree, MoveFn::Lazyfree);
    }
    if batches.lru_activate.count() != 0 {
        folio_batch_move_lru(k, &batches.lru_activate, MoveFn::Activate);
    }
}

/// `lru_add_drain()`.
pub fn lru_add_drain(k: &Kernel) {
    let _in = enter("lru_add_drain");
    drain_own_batches(k);
    mlock_drain_local(k);
}

fn drain_own_batches(k: &Kernel) {
    local_lock(&k.cpus, &k.fbatch_locks.lock);
    lru_add_drain_cpu(k, smp_processor_id());
    local_unlock(&k.cpus, &k.fbatch_locks.lock);
}

/// `lru_add_drain_per_cpu()`: the work item. From 5.15 its body is `lru_add_and_bh_lrus_drain()`.
pub fn lru_add_drain_per_cpu(k: &Kernel) {
    let _in = enter("lru_add_drain_per_cpu");
    reached("a drain work item ran");
    drain_own_batches(k);
    if k.tree.swap.bh_lru_drain() == BhLruDrain::WorkItem {
        invalidate_bh_lrus_cpu(k);
    }
    mlock_drain_local(k);
}

/// `cpu_needs_drain()`: reads another CPU's counts without a lock.
pub fn cpu_needs_drain(k: &Kernel, cpu: usize) -> bool {
    let _in = enter("cpu_needs_drain");
    let batches = k.cpu_fbatches.of(cpu);
    let (all_marked, rotate_marked) = match k.tree.swap.remote_look() {
        RemoteLook::RotateMarked => (false, true),
        RemoteLook::Unmarked => (false, false),
        RemoteLook::CountsMarked | RemoteLook::AllMarked => (true, true),
    };
    batches.lru_add.count_remotely(all_marked) != 0
        || batches.lru_rotate.count_remotely(rotate_marked) != 0
        || k.modelled.operations
            && [
                &batches.lru_deactivate_file,
                &batches.lru_deactivate,
                &batches.lru_lazyfree,
                &batches.lru_activate,
            ]
            .iter()
            .any(|batch| batch.count_remotely(all_marked) != 0)
        || need_mlock_drain(k, cpu, all_marked)
        || (k.tree.swap.bh_lru_drain() != BhLruDrain::Never && has_bh_in_lru(k, cpu))
}

/// `__lru_add_drain_all()` since 5.10: drains every CPU's batches. When it returns,
/// no batch has a folio that was added before the call, by the caller or by a task that the caller
/// has synchronised with.
///
/// Two callers need one drain: if the generation moved between the read and the mutex, somebody
/// else's drain began after our call and has finished.
pub fn __lru_add_drain_all(k: &Kernel, force_all_cpus: bool) {
    let _in = enter("__lru_add_drain_all");
    // Our stores to batch counts come before the read of the generation. Pairs with the barrier
    // below.
    smp_mb();
    let this_gen = smp_load_acquire(&k.lru_drain_gen);
    if k.tree.swap.own_drain() == OwnDrain::BeforeMutex {
        lru_add_drain(k);
    }
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    let now = plain_read(&k.lru_drain_gen);
    if this_gen != now && !force_all_cpus {
        reached(LEFT_TO_SOMEBODY_ELSE);
        mutex_unlock(&k.lru_drain_lock);
        return;
    }
    // The new generation comes before the reads of batch counts.
    WRITE_ONCE(&k.lru_drain_gen, now + 1);
    smp_mb();
    let everywhere = force_all_cpus && k.tree.swap.forced_drain() == ForcedDrain::EveryCpu;
    let mut has_work = Vec::new();
    for cpu in k.cpus.online() {
        let work = k.lru_add_drain_work.of(cpu);
        if everywhere || cpu_needs_drain(k, cpu) {
            INIT_WORK(work, k.work_fn(lru_add_drain_per_cpu));
            queue_work_on(&k.cpus, cpu, work);
            has_work.push(cpu);
        }
    }
    for cpu in has_work {
        flush_work(&k.cpus, k.lru_add_drain_work.of(cpu));
    }
    mutex_unlock(&k.lru_drain_lock);
}

/// `lru_add_drain_all()`, 5.5 to 5.9 (eef1a429f234): the generation is a seqcount latch, whose
/// barriers order writes only. Nobody can force it.
pub fn lru_add_drain_all_by_latch(k: &Kernel, _: bool) {
    let _in = enter("__lru_add_drain_all");
    let seq = smp_load_acquire(&k.lru_drain_gen);
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    let now = plain_read(&k.lru_drain_gen);
    if seq != now {
        reached(LEFT_TO_SOMEBODY_ELSE);
        mutex_unlock(&k.lru_drain_lock);
        return;
    }
    // raw_write_seqcount_latch()
    smp_wmb();
    WRITE_ONCE(&k.lru_drain_gen, now + 1);
    smp_wmb();
    let mut has_work = Vec::new();
    for cpu in k.cpus.online() {
        let work = k.lru_add_drain_work.of(cpu);
        if cpu_needs_drain(k, cpu) {
            INIT_WORK(work, k.work_fn(lru_add_drain_per_cpu));
            queue_work_on(&k.cpus, cpu, work);
            has_work.push(cpu);
        }
    }
    for cpu in has_work {
        flush_work(&k.cpus, k.lru_add_drain_work.of(cpu));
    }
    mutex_unlock(&k.lru_drain_lock);
}

/// A drain that found somebody else's, and did nothing.
pub(crate) const LEFT_TO_SOMEBODY_ELSE: &str = "a drain was left to somebody else";

/// `lru_add_drain_all()`.
pub fn lru_add_drain_all(k: &Kernel) {
    let _in = enter("lru_add_drain_all");
    (k.tree.swap.__lru_add_drain_all())(k, false);
}

/// `lru_cache_disable()`, 5.13 to 5.17: the work that is scheduled on every CPU orders the counter.
pub fn lru_cache_disable_by_work(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    (k.tree.swap.__lru_add_drain_all())(k, true);
}

/// `lru_cache_disable()`, 5.18: whoever read the counter as 0 did so with preemption or interrupts
/// off, and is waited for.
pub fn lru_cache_disable_by_rcu(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu(&k.cpus);
    (k.tree.swap.__lru_add_drain_all())(k, true);
}

/// `lru_cache_disable()`, since 5.19.
pub fn lru_cache_disable_by_rcu_expedited(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu_expedited(&k.cpus);
    (k.tree.swap.__lru_add_drain_all())(k, true);
}

/// `lru_cache_enable()`: orders nothing.
pub fn lru_cache_enable(k: &Kernel) {
    let _in = enter("lru_cache_enable");
    atomic_dec(&k.pending_count);
}

/// `lru_cache_disabled()`: orders nothing.
pub fn lru_cache_disabled(k: &Kernel) -> bool {
    let _in = enter("lru_cache_disabled");
    atomic_read(&k.pending_count) != 0
}
