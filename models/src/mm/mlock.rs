//! `clear_page_mlock()` of 5.11: a folio that is no longer mlocked leaves the unevictable list.
//!
//! Kept: the order clear PG_mlocked, look at PG_lru. Left out: the counts.
//! Source: mm/mlock.c of 5.11. Since 5.18 PG_mlocked is cleared under `lruvec->lru_lock`.

use selvedge_kernel::{
    Name, enter, reached, set_bit, spin_lock_irq, spin_unlock_irq, test_and_clear_bit,
};

use crate::kernel::{EVICTABLE, PG_LRU, PG_MLOCKED};
use crate::mm::swap::{folio_isolate_lru, folio_put, lruvec_add_folio};
use crate::{Folio, Kernel};

/// `clear_page_mlock()`: if the folio cannot be isolated, whoever has it off the LRU will find it
/// evictable when it is put back.
pub fn clear_page_mlock(k: &Kernel, folio: &Folio) {
    let _in = enter("clear_page_mlock");
    if !test_and_clear_bit(PG_MLOCKED, &folio.flags) {
        return;
    }
    let isolation = Name::new("isolation");
    if folio_isolate_lru(k, folio, isolation) {
        putback_lru_page(k, folio, isolation);
    } else {
        reached("clear_page_mlock() could not isolate");
    }
}

/// `putback_lru_page()`, without the batch that it goes through: the folio is evictable now.
fn putback_lru_page(k: &Kernel, folio: &Folio, holder: Name) {
    let _in = enter("putback_lru_page");
    spin_lock_irq(&k.cpus, &k.lru_lock);
    lruvec_add_folio(folio, EVICTABLE);
    set_bit(PG_LRU, &folio.flags);
    spin_unlock_irq(&k.cpus, &k.lru_lock);
    folio_put(k, folio, holder);
}
