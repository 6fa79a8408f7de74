//! What Mel Gorman proposed in answer to the series of 2015: one concept of what is movable. LRU
//! pages are behind the same two callbacks, by a pseudo `address_space`, and the callbacks are
//! responsible for all locks: "I don't see a way this could be generically handled for arbitrary
//! subsystems unless you put responsibility for the locking inside a_ops->isolatepage", and of
//! putback the same.
//!
//! Kept: the reference ("Ok."), the look at the type once it is held, the callbacks without any
//! lock of the core's, PG_lru as what tells LRU pages; migration, which is not part of the
//! proposal, under both page locks, and what follows it through the callbacks too.
//! Decided here, since the mail does not say it: `page->mapping` is read once, so that a driver
//! that lets a page go takes no pointer away that the core is about to follow; a page without a
//! type is an LRU page when it is put back, as "LRU pages without an aops can directly call the
//! necessary helpers" has it.
//! Source: Mel Gorman's review of [PATCH 2/4], 2015-07.

use selvedge_kernel::{Cpus, enter, plain_read, plain_write, spin_lock, spin_unlock, test_bit};

use super::{
    COMPACTION, Core, Driver, ON_DRIVER_LIST, POSTED_2015, State, after_move, call_isolate,
    drop_lru_lock, isolated, let_go, list_add, list_del, mobile_page, owner, state,
};
use crate::drivers::minimal::{self, Device};
use crate::kernel::PG_LRU;
use crate::mm::migrate::ISOLATION;
use crate::mm::swap::{folio_put, folio_try_get};
use crate::mm::vmscan::folio_isolate_lru;
use crate::{Folio, Kernel};

/// The proposal.
pub static LRU_AS_MOBILE: Core = Core {
    name: "lru-as-mobile",
    isolate_non_lru: isolate_any,
    putback: |k, page| putback_mobilepage(k, page),
    freed_under_us: |k, page| let_go(k, page),
    after_move,
    ..POSTED_2015
};

/// A driver for it: looks under its own lock whether the page is still the one that it keeps its
/// thing in, before it says yes or touches `page->lru`.
pub static OWN_LOCKS: Driver =
    Driver { name: "own locks", new, isolate_page, putback_page, ..minimal::DRIVER };

fn new(cpus: &Cpus) -> Box<dyn State> {
    (minimal::DRIVER.new)(cpus)
}

/// `isolate_migratepages_block()`: no lock of the caller's is imposed on the callback.
fn isolate_any(k: &Kernel, page: &Folio, lru_locked: &mut bool) -> bool {
    if mobile_page(page) {
        drop_lru_lock(k, lru_locked);
        return isolate_mobilepage(k, page);
    }
    if !test_bit(PG_LRU, &page.flags) {
        return false;
    }
    drop_lru_lock(k, lru_locked);
    lru_isolatepage(k, page)
}

/// `isolate_mobilepage()` without the page lock.
fn isolate_mobilepage(k: &Kernel, page: &Folio) -> bool {
    let _in = enter("isolate_mobilepage");
    if !folio_try_get(page, ISOLATION) {
        return false;
    }
    if !mobile_page(page) || !call_isolate(k, page) {
        folio_put(k, page, ISOLATION);
        return false;
    }
    isolated(page);
    true
}

/// The callback of the pseudo `address_space`.
fn lru_isolatepage(k: &Kernel, page: &Folio) -> bool {
    let _in = enter("lru_isolatepage");
    if !folio_try_get(page, COMPACTION) {
        return false;
    }
    let is_ours = folio_isolate_lru(k, page, ISOLATION);
    folio_put(k, page, COMPACTION);
    is_ours
}

/// `putback_mobilepage()` without the page lock.
fn putback_mobilepage(k: &Kernel, page: &Folio) {
    let _in = enter("putback_mobilepage");
    (owner(k).driver.putback_page)(k, page);
    folio_put(k, page, ISOLATION);
}

/// Is this the page that the device keeps its thing in? Under its lock.
fn is_ours(device: &Device, page: &Folio) -> bool {
    plain_read(&device.page) == page.index as u64 + 1
}

fn isolate_page(k: &Kernel, page: &Folio) -> bool {
    let device: &Device = state(k);
    spin_lock(&k.cpus, &device.lock);
    let may = is_ours(device, page) && plain_read(&device.listed) != 0;
    if may {
        list_del(page, ON_DRIVER_LIST);
        plain_write(&device.listed, 0);
    }
    spin_unlock(&k.cpus, &device.lock);
    may
}

fn putback_page(k: &Kernel, page: &Folio) {
    let device: &Device = state(k);
    spin_lock(&k.cpus, &device.lock);
    if is_ours(device, page) {
        list_add(page, ON_DRIVER_LIST);
        plain_write(&device.listed, 1);
    }
    spin_unlock(&k.cpus, &device.lock);
}
