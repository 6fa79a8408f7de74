//! `migrate_prep()` and `migrate_finish()`: how migration kept pages out of per-CPU caches before
//! 5.13, as it was and as it was proposed in February 2021; and `do_pages_move()`.
//!
//! Source: mm/migrate.c of 5.11; mail of Minchan Kim, 2021-02-11, "Re: \[PATCH v2\] \[RFC\] mm: fs:
//! Invalidate BH LRU during page migration"; his posting "\[RFC 1/2\]" of 2021-02-16.

use selvedge_kernel::{
    INIT_WORK, atomic_dec, atomic_inc, atomic_read, choose, enter, flush_work, plain_read,
    plain_write, queue_work_on, reached, spin_lock, spin_unlock,
};

use crate::Kernel;
use crate::fs::buffer::invalidate_bh_lrus;
use crate::mm::migrate::Errno;
use crate::mm::swap::lru_add_drain_all;

/// `migrate_prep()` of 5.11: drains once; folios may be batched again at once.
pub fn migrate_prep(k: &Kernel) {
    let _in = enter("migrate_prep");
    lru_add_drain_all(k);
}

/// There is no `migrate_finish()` in 5.11.
pub fn no_migrate_finish(_: &Kernel) {}

/// There is no `migrate_pending()` in 5.11.
pub fn never_pending(_: &Kernel) -> bool {
    false
}

/// The RFC of 2021-02-11: the counter, then both drains.
pub fn migrate_prep_rfc(k: &Kernel) {
    let _in = enter("migrate_prep");
    atomic_inc(&k.pending_count);
    lru_add_drain_all(k);
    invalidate_bh_lrus(k);
}

/// The RFC of 2021-02-11.
pub fn migrate_finish_rfc(k: &Kernel) {
    let _in = enter("migrate_finish");
    atomic_dec(&k.pending_count);
}

/// The RFC of 2021-02-11.
pub fn migrate_pending_rfc(k: &Kernel) -> bool {
    let _in = enter("migrate_pending");
    atomic_read(&k.pending_count) != 0
}

/// The patch that the RFC answers to: a plain bool, "what protects this on an SMP system?".
pub fn migrate_prep_bool(k: &Kernel) {
    let _in = enter("migrate_prep");
    plain_write(&k.pending_plain, 1);
    lru_add_drain_all(k);
    invalidate_bh_lrus(k);
}

/// The plain bool, put back by whoever finishes first.
pub fn migrate_finish_bool(k: &Kernel) {
    let _in = enter("migrate_finish");
    plain_write(&k.pending_plain, 0);
}

/// The plain bool, and the plain counter of 2021-02-16: read without a lock.
pub fn migrate_pending_plain(k: &Kernel) -> bool {
    let _in = enter("migrate_pending");
    plain_read(&k.pending_plain) != 0
}

/// The dummy work item of 2021-02-16: executing it is the point.
fn read_migrate_pending(_: &Kernel) {
    let _in = enter("read_migrate_pending");
}

/// The posting of 2021-02-16: a plain counter under a spinlock, then a dummy work item on every
/// CPU, flushed; then the drain. Nothing keeps two callers apart.
pub fn migrate_prep_2021_02_16(k: &Kernel) {
    let _in = enter("migrate_prep");
    change_pending(k, 1);
    queue_dummies(k);
    for cpu in k.cpus.online() {
        flush_work(&k.cpus, k.migrate_pending_work.of(cpu));
    }
    lru_add_drain_all(k);
}

/// The posting of 2021-02-16: queues the same work items, and does not flush them.
pub fn migrate_finish_2021_02_16(k: &Kernel) {
    let _in = enter("migrate_finish");
    change_pending(k, u64::MAX);
    queue_dummies(k);
}

fn change_pending(k: &Kernel, by: u64) {
    spin_lock(&k.cpus, &k.migrate_pending_lock);
    let count = plain_read(&k.pending_plain);
    plain_write(&k.pending_plain, count.wrapping_add(by));
    spin_unlock(&k.cpus, &k.migrate_pending_lock);
}

/// Work that does nothing but to order the counter is on its way.
pub const QUEUED_A_DUMMY: &str = "a migration queued dummy work";

fn queue_dummies(k: &Kernel) {
    for cpu in k.cpus.online() {
        let work = k.migrate_pending_work.of(cpu);
        INIT_WORK(work, k.work_fn(read_migrate_pending));
        queue_work_on(&k.cpus, cpu, work);
        reached(QUEUED_A_DUMMY);
    }
}

/// `do_pages_move()`: `lru_cache_disable()` first; every way out leads over `out`.
///
/// Kept: the exits. Left out: what is moved. Any step of the loop may fail; a failure that still
/// has pages queued goes over `out_flush`.
/// Source: 5.11 with the RFC of 2021-02-11 applied, and 6.1 lines 2050-2158: the same exits.
pub fn do_pages_move(k: &Kernel) -> Result<(), Errno> {
    let _in = enter("do_pages_move");
    (k.tree.swap.lru_cache_disable())(k);
    let result = match choose("do_pages_move loop", 3) {
        0 => Ok(()),
        1 => Err(Errno::Fault),
        _ => Err(Errno::NoMemory),
    };
    (k.tree.swap.lru_cache_enable())(k);
    result
}
