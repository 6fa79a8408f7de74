//! `move_folios_to_lru()`: reclaim puts back what it isolated and did not free.
//!
//! Kept: PG_lru before the put, both under `lru_lock`. Left out: all but one folio.
//! Source: mm/vmscan.c of 6.1.

use selvedge_kernel::{
    __clear_bit, Name, WRITE_ONCE, atomic_sub_and_test, enter, reached, set_bit, spin_lock_irq,
    spin_unlock_irq, unbooked,
};

use crate::kernel::{EVICTABLE, PG_LRU};
use crate::mm::swap::lruvec_add_folio;
use crate::{Folio, Kernel};

/// The order of two steps in `move_folios_to_lru()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Putback {
    /// PG_lru is set before the reference is dropped: whoever drops the last one sees it, and waits
    /// for the lock.
    SetLruThenPut,
    /// The other way round: a mutant.
    PutThenSetLru,
}

/// `move_folios_to_lru()` of one isolated folio, whose isolation reference `holder` has.
pub fn move_folios_to_lru(k: &Kernel, folio: &Folio, holder: Name) {
    let _in = enter("move_folios_to_lru");
    spin_lock_irq(&k.cpus, &k.lru_lock);
    if k.tree.swap.putback == Putback::SetLruThenPut {
        set_bit(PG_LRU, &folio.flags);
    }
    unbooked(&folio.refcount, holder);
    let was_last = atomic_sub_and_test(1, &folio.refcount);
    if k.tree.swap.putback == Putback::PutThenSetLru {
        set_bit(PG_LRU, &folio.flags);
    }
    if was_last {
        // Nobody else can reach it: freed by this caller, and never linked.
        __clear_bit(PG_LRU, &folio.flags);
        WRITE_ONCE(&folio.freed, 1);
        reached("reclaim freed the folio");
    } else {
        lruvec_add_folio(folio, EVICTABLE);
        reached("reclaim put the folio back");
    }
    spin_unlock_irq(&k.cpus, &k.lru_lock);
}
