//! Functions of mm/swap.c and mm/vmscan.c with a mistake.

use selvedge_kernel::{
    INIT_WORK, Name, WRITE_ONCE, atomic_inc, enter, flush_work, local_lock, local_unlock,
    mutex_lock, mutex_unlock, plain_read, queue_work_on, reached, set_bit, smp_load_acquire,
    smp_mb, spin_lock_irqsave, spin_unlock_irqrestore, synchronize_rcu, test_and_clear_bit,
};

use crate::kernel::PG_LRU;
use crate::mm::swap::{
    Batch, LEFT_TO_SOMEBODY_ELSE, MoveFn, Which, add_and_move, cpu_needs_drain, folio_put,
    folio_try_get, lru_add_counted, lru_add_del_folio, lru_add_drain_cpu, lru_add_drain_per_cpu,
    lruvec_del_folio,
};
use crate::{Folio, Kernel};

/// The batch is looked up before the local lock is taken: the task may be moved in between.
pub fn looks_up_then_locks(k: &Kernel, which: Which, (folio, _): (&Folio, Name), move_fn: MoveFn) {
    let batch = which(k.cpu_fbatches.this());
    local_lock(&k.cpus, &k.fbatch_locks.lock);
    add_and_move(k, batch, folio, move_fn);
    local_unlock(&k.cpus, &k.fbatch_locks.lock);
}

/// `folio_may_be_lru_cached()` that says yes to large folios.
pub fn every_folio_may_be_lru_cached(_: &Folio) -> bool {
    true
}

/// `folio_batch_move_lru()` of 6.10 that zeroes the count of the batch before it moves the folios.
pub fn zeroes_the_count_first(k: &Kernel, batch: &Batch, move_fn: MoveFn) {
    let _in = enter("folio_batch_move_lru");
    let folios = batch.entries();
    batch.reinit();
    let mut locked = false;
    for folio in folios.iter().map(|&index| &k.folios[index]) {
        if move_fn != MoveFn::Add && !test_and_clear_bit(PG_LRU, &folio.flags) {
            continue;
        }
        if !locked {
            spin_lock_irqsave(&k.cpus, &k.lru_lock);
            locked = true;
        }
        move_fn.call(k, folio);
        set_bit(PG_LRU, &folio.flags);
    }
    if locked {
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
    for folio in folios.iter().map(|&index| &k.folios[index]) {
        folio_put(k, folio, batch.holder);
    }
}

/// `__lru_add_drain_all()` of 6.1 that raises the generation after the loop over the CPUs.
pub fn raises_the_generation_late(k: &Kernel, force_all_cpus: bool) {
    let _in = enter("__lru_add_drain_all");
    smp_mb();
    let this_gen = smp_load_acquire(&k.lru_drain_gen);
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    let Some(now) = unless_somebody_else_drains(k, this_gen, force_all_cpus) else { return };
    smp_mb();
    let has_work = queue_where_needed(k);
    WRITE_ONCE(&k.lru_drain_gen, now + 1);
    flush(k, has_work);
    mutex_unlock(&k.lru_drain_lock);
}

/// `__lru_add_drain_all()` of 6.1 that reads the generation once it has the mutex: it never finds
/// that somebody else has drained.
pub fn reads_the_generation_late(k: &Kernel, force_all_cpus: bool) {
    let _in = enter("__lru_add_drain_all");
    smp_mb();
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    let this_gen = smp_load_acquire(&k.lru_drain_gen);
    let Some(now) = unless_somebody_else_drains(k, this_gen, force_all_cpus) else { return };
    WRITE_ONCE(&k.lru_drain_gen, now + 1);
    smp_mb();
    let has_work = queue_where_needed(k);
    flush(k, has_work);
    mutex_unlock(&k.lru_drain_lock);
}

/// With the mutex held: the generation, unless another one than `this_gen` says that somebody else
/// has drained; then the mutex is given back.
fn unless_somebody_else_drains(k: &Kernel, this_gen: u64, force_all_cpus: bool) -> Option<u64> {
    let now = plain_read(&k.lru_drain_gen);
    if this_gen == now || force_all_cpus {
        return Some(now);
    }
    reached(LEFT_TO_SOMEBODY_ELSE);
    mutex_unlock(&k.lru_drain_lock);
    None
}

/// The loop over the CPUs: those that have work now.
fn queue_where_needed(k: &Kernel) -> Vec<usize> {
    let mut has_work = Vec::new();
    for cpu in k.cpus.online() {
        let work = k.lru_add_drain_work.of(cpu);
        if cpu_needs_drain(k, cpu) {
            INIT_WORK(work, k.work_fn(lru_add_drain_per_cpu));
            queue_work_on(&k.cpus, cpu, work);
            has_work.push(cpu);
        }
    }
    has_work
}

fn flush(k: &Kernel, has_work: Vec<usize>) {
    for cpu in has_work {
        flush_work(&k.cpus, k.lru_add_drain_work.of(cpu));
    }
}

/// `__lru_add_drain_all()` of 6.17 that empties other CPUs' batches itself, without their local
/// locks.
pub fn drains_remotely(k: &Kernel, force_all_cpus: bool) {
    let _in = enter("__lru_add_drain_all");
    smp_mb();
    let this_gen = smp_load_acquire(&k.lru_drain_gen);
    mutex_lock(&k.cpus, &k.lru_drain_lock);
    let Some(now) = unless_somebody_else_drains(k, this_gen, force_all_cpus) else { return };
    WRITE_ONCE(&k.lru_drain_gen, now + 1);
    smp_mb();
    for cpu in k.cpus.online() {
        if cpu_needs_drain(k, cpu) {
            lru_add_drain_cpu(k, cpu);
        }
    }
    mutex_unlock(&k.lru_drain_lock);
}

/// `lru_cache_disable()` of 5.18 without `synchronize_rcu()`.
pub fn lru_cache_disable_without_rcu(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    (k.tree.swap.__lru_add_drain_all())(k, true);
}

/// `lru_cache_disable()` of 5.13 whose drain may be left to somebody else.
pub fn lru_cache_disable_by_unforced_work(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    (k.tree.swap.__lru_add_drain_all())(k, false);
}

/// `lru_cache_disable()` of 5.18 whose drain may be left to somebody else.
pub fn lru_cache_disable_by_rcu_unforced(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu(&k.cpus);
    (k.tree.swap.__lru_add_drain_all())(k, false);
}

/// `isolate_folio()` that clears PG_lru before it takes its reference.
pub fn isolate_clears_then_gets(k: &Kernel, folio: &Folio, holder: Name) -> bool {
    if !test_and_clear_bit(PG_LRU, &folio.flags) || !folio_try_get(folio, holder) {
        return false;
    }
    lruvec_del_folio(k, folio);
    true
}

/// `folio_batch_move_lru()` of batches without references that does not ask, of a new folio,
/// whether its batch has it still.
pub fn adds_whatever_is_batched(k: &Kernel, batch: &Batch, move_fn: MoveFn) {
    let _in = enter("folio_batch_move_lru");
    let mut locked = false;
    let mut held = Vec::new();
    for folio in batch.entries().iter().map(|&index| &k.folios[index]) {
        if !folio_try_get(folio, batch.holder) {
            continue;
        }
        held.push(folio.index);
        if !test_and_clear_bit(PG_LRU, &folio.flags) {
            continue;
        }
        if !locked {
            spin_lock_irqsave(&k.cpus, &k.lru_lock);
            locked = true;
        }
        lru_add_del_folio(folio);
        match move_fn {
            MoveFn::Add => lru_add_counted(k, folio),
            other => other.call(k, folio),
        }
        set_bit(PG_LRU, &folio.flags);
    }
    if locked {
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
    for index in held {
        folio_put(k, &k.folios[index], batch.holder);
    }
    batch.reinit();
}
