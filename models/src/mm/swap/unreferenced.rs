//! Batches that take no reference of their folios.
//!
//! A folio that is put into an `lru_add` batch gets PG_lru then, and a bit in `folio->lru_next`,
//! which is no link as long as no list has the folio. Whoever clears PG_lru may take the folio,
//! batch or not, and takes that bit away. A drain takes a reference of each entry, if the folio
//! still has any, and skips what has been taken, moved, freed or used anew meanwhile.
//!
//! Kept: the order of the steps; both bits of `lru_next`.
//! Left out: what else who isolates a folio does with its links: nobody here has a list of its own.
//! The lazyfree batch, which is its caller's there.
//! `lru_add_del_folio()` and its use in `lruvec_del_folio()` are made from what their callers take
//! for granted: include/linux/mm_inline.h of that commit was not at hand.
//! Source: mm/folio.c of linux-mm at 0a99d0b06974.

use selvedge_kernel::{
    Name, READ_ONCE, Var, clear_bit, cmpxchg, enter, local_lock, local_unlock, plain_read,
    plain_write, reached, set_bit, smp_mb__before_atomic, spin_lock_irqsave,
    spin_unlock_irqrestore, test_and_clear_bit, test_bit,
};

use crate::kernel::{EVICTABLE, PG_ACTIVE, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE, UNEVICTABLE};
use crate::mm::mlock::{MLOCK_COUNT_0, MLOCK_COUNT_1, count_mlocked, set_mlock_count};
use crate::mm::swap::add::{add_and_move, batch_folio, move_if_due};
use crate::mm::swap::{Batch, MoveFn, Which, folio_put, folio_try_get, lruvec_add_folio};
use crate::{Folio, Kernel};

/// `LRU_NEXT_BATCHED`: an `lru_add` batch has the folio. The numbers of both bits are ours.
pub const LRU_NEXT_BATCHED: u64 = 1 << 1;
/// `LRU_NEXT_ACTIVATE`: it is to be active when it is put on a list.
pub const LRU_NEXT_ACTIVATE: u64 = 1 << 2;

/// A drain met a folio that has no reference any more.
pub const BATCHED_FOLIO_WAS_FREED: &str = "a batch passed over a folio that is free";
/// A drain of `lru_add` met a folio that somebody else has put on a list, or taken.
pub const BATCHED_FOLIO_WAS_TAKEN: &str = "an lru_add batch found its folio taken";

fn lru_next(folio: &Folio) -> &Var {
    folio.lru_next.as_ref().expect("a tree whose batches take no reference")
}

/// `folio_add_lru()`: `__folio_add_lru(folio, false)`.
pub fn folio_add_lru_unreferenced(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_add_lru");
    __folio_add_lru(k, folio, false);
}

/// `__folio_add_lru()`: `mlockit` for a new folio of a VMA that is mlocked.
pub fn __folio_add_lru(k: &Kernel, folio: &Folio, mlockit: bool) {
    let _in = enter("__folio_add_lru");
    local_lock(&k.cpus, &k.fbatch_locks.lock);
    let batch = &k.cpu_fbatches.this_cpu_ptr().lru_add;
    plain_write(lru_next(folio), LRU_NEXT_BATCHED);
    if mlockit {
        set_bit(PG_MLOCKED, &folio.flags);
        set_mlock_count(folio, MLOCK_COUNT_0 + MLOCK_COUNT_1);
        count_mlocked(k, 1);
    } else if k.modelled.mlock {
        let is_mlocked = test_bit(PG_MLOCKED, &folio.flags);
        if !is_mlocked || plain_read(&folio.mlock_count) & MLOCK_COUNT_0 == 0 {
            set_mlock_count(folio, MLOCK_COUNT_0);
        }
    }
    let has_room = batch.add(k, folio.index);
    // Who finds PG_lru set finds lru_next as it is.
    smp_mb__before_atomic();
    set_bit(PG_LRU, &folio.flags);
    move_if_due(k, batch, folio, has_room, MoveFn::Add);
    local_unlock(&k.cpus, &k.fbatch_locks.lock);
}

/// What the other operations do: `__folio_batch_add_and_move()`.
pub fn lock_and_add_unreferenced(
    k: &Kernel,
    which: Which,
    (folio, _): (&Folio, Name),
    move_fn: MoveFn,
) {
    local_lock(&k.cpus, &k.fbatch_locks.lock);
    let batch = which(k.cpu_fbatches.this_cpu_ptr());
    add_and_move(k, batch, folio, move_fn);
    local_unlock(&k.cpus, &k.fbatch_locks.lock);
}

/// `folio_activate()`: of a folio in an `lru_add` batch, whichever CPU has it, by a bit.
pub fn folio_activate_unreferenced(k: &Kernel, folio: &Folio) {
    let _in = enter("folio_activate");
    if test_bit(PG_ACTIVE, &folio.flags)
        || test_bit(PG_UNEVICTABLE, &folio.flags)
        || !test_bit(PG_LRU, &folio.flags)
    {
        return;
    }
    let mut next = READ_ONCE(lru_next(folio));
    while next & LRU_NEXT_BATCHED != 0 {
        if next & LRU_NEXT_ACTIVATE != 0 {
            return;
        }
        let was = cmpxchg(lru_next(folio), next, next | LRU_NEXT_ACTIVATE);
        if was == next {
            reached("a folio was marked active in its lru_add batch");
            return;
        }
        next = was;
    }
    batch_folio(k, |b| &b.lru_activate, folio, MoveFn::Activate);
}

/// `lru_add_del_folio()`: takes the folio from the `lru_add` batch that has it, if one has; the
/// entry stays. Whoever calls this has cleared PG_lru, or the last reference.
pub fn lru_add_del_folio(folio: &Folio) -> bool {
    let mut next = READ_ONCE(lru_next(folio));
    while next & LRU_NEXT_BATCHED != 0 {
        let was = cmpxchg(lru_next(folio), next, 0);
        if was == next {
            if next & LRU_NEXT_ACTIVATE != 0 {
                set_bit(PG_ACTIVE, &folio.flags);
            }
            return true;
        }
        next = was;
    }
    false
}

/// `lru_add()`: unlike the earlier form it leaves `mlock_count` as it is.
pub fn lru_add_counted(k: &Kernel, folio: &Folio) {
    if k.modelled.mlock {
        test_and_clear_bit(PG_UNEVICTABLE, &folio.flags);
    }
    let list = if test_bit(PG_MLOCKED, &folio.flags) { UNEVICTABLE } else { EVICTABLE };
    if k.modelled.mlock && list == UNEVICTABLE {
        clear_bit(PG_ACTIVE, &folio.flags);
        set_bit(PG_UNEVICTABLE, &folio.flags);
    }
    lruvec_add_folio(k, folio, list);
}

/// `folio_batch_move_lru()`: a reference of each entry for the time of the drain, then PG_lru.
pub fn folio_batch_move_lru_unreferenced(k: &Kernel, batch: &Batch, move_fn: MoveFn) {
    let _in = enter("folio_batch_move_lru");
    let mut locked = false;
    let mut held = Vec::new();
    for folio in batch.entries().iter().map(|&index| &k.folios[index]) {
        if !folio_try_get(folio, batch.holder) {
            reached(BATCHED_FOLIO_WAS_FREED);
            continue;
        }
        held.push(folio.index);
        if !test_and_clear_bit(PG_LRU, &folio.flags) {
            reached("a batch skipped a folio");
            continue;
        }
        if move_fn == MoveFn::Add && !lru_add_del_folio(folio) {
            reached(BATCHED_FOLIO_WAS_TAKEN);
            set_bit(PG_LRU, &folio.flags);
            continue;
        }
        if !locked {
            spin_lock_irqsave(&k.cpus, &k.lru_lock);
            locked = true;
        }
        match move_fn {
            MoveFn::Add => lru_add_counted(k, folio),
            other => other.call(k, folio),
        }
        // It has been skipped, and an lru_add batch has it: it is on no list yet.
        if lru_add_del_folio(folio) {
            let is_unevictable = k.modelled.mlock && test_bit(PG_UNEVICTABLE, &folio.flags);
            lruvec_add_folio(k, folio, if is_unevictable { UNEVICTABLE } else { EVICTABLE });
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

/// `list_add()` of a list that reclaim scans: `folio->lru.prev` is where `mlock_count` was.
pub(super) fn overwrites_mlock_count(k: &Kernel, folio: &Folio) {
    if k.modelled.mlock {
        set_mlock_count(folio, 0);
    }
}
