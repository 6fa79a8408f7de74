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
use crate::mm::swap::add::{MoveFn, folio_batch_move_lru};
use crate::mm::swap::{
    Batches, BhLruDrain, DisableDrain, DrainGeneration, ForcedDrain, RemoteLook, RotateDrain,
    SwapFault,
};

/// `lru_add_drain_cpu()`: the caller is on `cpu` and holds its local lock. The rotate batch's count
/// is read with interrupts on; an interrupt may have flushed it before they are off.
pub fn lru_add_drain_cpu(k: &Kernel, cpu: usize) {
    let _in = enter("lru_add_drain_cpu");
    let batches = k.cpu_fbatches.of(cpu);
    if batches.lru_add.count() != 0 {
        folio_batch_move_lru(k, &batches.lru_add, MoveFn::Add);
    }
    if batches.lru_rotate.count_racily() != 0 {
        match k.tree.swap.rotate_drain {
            RotateDrain::IrqsOff => {
                local_lock_irqsave(&k.cpus, &k.fbatch_locks.lock_irq);
                folio_batch_move_lru(k, &batches.lru_rotate, MoveFn::MoveTail);
                local_unlock_irqrestore(&k.cpus, &k.fbatch_locks.lock_irq);
            }
            RotateDrain::IrqsOn => {
                folio_batch_move_lru(k, &batches.lru_rotate, MoveFn::MoveTail);
            }
        }
    }
    // In a scenario that never fills them these counts are always 0.
    if k.sizes.operations {
        drain_operations(k, batches);
    }
    if k.tree.swap.bh_lru_drain == BhLruDrain::EveryDrain {
        invalidate_bh_lrus_cpu(k);
    }
}

fn drain_operations(k: &Kernel, batches: &Batches) {
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
fn lru_add_drain_per_cpu(k: &Kernel) {
    let _in = enter("lru_add_drain_per_cpu");
    reached("a drain work item ran");
    drain_own_batches(k);
    if k.tree.swap.bh_lru_drain == BhLruDrain::WorkItem {
        invalidate_bh_lrus_cpu(k);
    }
    mlock_drain_local(k);
}

/// `cpu_needs_drain()`: reads another CPU's counts without a lock.
fn cpu_needs_drain(k: &Kernel, cpu: usize) -> bool {
    let _in = enter("cpu_needs_drain");
    let batches = k.cpu_fbatches.of(cpu);
    let (all_marked, rotate_marked) = match k.tree.swap.remote_look {
        RemoteLook::RotateMarked => (false, true),
        RemoteLook::Unmarked => (false, false),
        RemoteLook::CountsMarked | RemoteLook::AllMarked => (true, true),
    };
    batches.lru_add.count_remotely(all_marked) != 0
        || batches.lru_rotate.count_remotely(rotate_marked) != 0
        || k.sizes.operations
            && [
                &batches.lru_deactivate_file,
                &batches.lru_deactivate,
                &batches.lru_lazyfree,
                &batches.lru_activate,
            ]
            .iter()
            .any(|batch| batch.count_remotely(all_marked) != 0)
        || need_mlock_drain(k, cpu, all_marked)
        || (k.tree.swap.bh_lru_drain != BhLruDrain::Never && has_bh_in_lru(k, cpu))
}

/// `__lru_add_drain_all()`: drains every CPU's batches. On return whatever the caller, or whoever
/// the caller synchronised with, added before the call is in no batch.
///
/// Two callers need one drain: if the generation moved between the read and the mutex, somebody
/// else's drain began after our call and has finished.
pub fn __lru_add_drain_all(k: &Kernel, force: bool) {
    let _in = enter("__lru_add_drain_all");
    let generation = k.tree.swap.drain_generation;
    let is_latch = generation == DrainGeneration::Latch;
    if !is_latch {
        // Our stores to batch counts come before the read of the generation. Pairs with the
        // barrier below.
        smp_mb();
    }
    let read_late = generation == DrainGeneration::ReadUnderMutex;
    let mut this_gen = if read_late { 0 } else { smp_load_acquire(&k.lru_drain_gen) };
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    if read_late {
        this_gen = smp_load_acquire(&k.lru_drain_gen);
    }
    let now = plain_read(&k.lru_drain_gen);
    if this_gen != now && !force {
        reached("a drain was left to somebody else");
        mutex_unlock(&k.lru_drain_lock);
        return;
    }
    if is_latch {
        // raw_write_seqcount_latch()
        smp_wmb();
    }
    if generation != DrainGeneration::BumpAfterLoop {
        WRITE_ONCE(&k.lru_drain_gen, now + 1);
    }
    if is_latch {
        smp_wmb();
    } else {
        // The new generation comes before the reads of batch counts.
        smp_mb();
    }
    let has_work = queue_drains(k, force);
    if generation == DrainGeneration::BumpAfterLoop {
        WRITE_ONCE(&k.lru_drain_gen, now + 1);
    }
    for cpu in has_work {
        flush_work(&k.cpus, k.lru_add_drain_work.of(cpu));
    }
    mutex_unlock(&k.lru_drain_lock);
}

/// The loop of `__lru_add_drain_all()`: returns `has_work`.
fn queue_drains(k: &Kernel, force: bool) -> Vec<usize> {
    let everywhere = force && k.tree.swap.forced_drain == ForcedDrain::EveryCpu;
    let mut has_work = Vec::new();
    for cpu in k.cpus.online() {
        if everywhere || cpu_needs_drain(k, cpu) {
            if k.tree.swap.fault == SwapFault::DrainsRemotely {
                lru_add_drain_cpu(k, cpu);
                continue;
            }
            let work = k.lru_add_drain_work.of(cpu);
            INIT_WORK(work, k.work_fn(lru_add_drain_per_cpu));
            queue_work_on(&k.cpus, cpu, work);
            has_work.push(cpu);
        }
    }
    has_work
}

/// `lru_add_drain_all()`.
pub fn lru_add_drain_all(k: &Kernel) {
    let _in = enter("lru_add_drain_all");
    __lru_add_drain_all(k, false);
}

fn disable_drain(k: &Kernel) {
    __lru_add_drain_all(k, k.tree.swap.disable_drain == DisableDrain::Forced);
}

/// `lru_cache_disable()`, 5.13 to 5.17: the work that is scheduled on every CPU orders the counter.
pub fn lru_cache_disable_by_work(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    disable_drain(k);
}

/// `lru_cache_disable()`, 5.18: whoever read the counter as 0 did so with preemption or interrupts
/// off, and is waited for.
pub fn lru_cache_disable_by_rcu(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu(&k.cpus);
    disable_drain(k);
}

/// `lru_cache_disable()`, since 5.19.
pub fn lru_cache_disable_by_rcu_expedited(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu_expedited(&k.cpus);
    disable_drain(k);
}

/// `lru_cache_disable()` of 5.18 without `synchronize_rcu()`: a mutant.
pub fn lru_cache_disable_without_rcu(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    disable_drain(k);
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
