//! Locks that interrupt handlers take too: who takes one with interrupts on, and is interrupted on
//! that CPU by such a handler, waits for itself.

use selvedge_kernel::{
    INTERRUPTED, Name, WRITE_ONCE, clear_bit, fail_about, is_killed_already, join, plain_write,
    set_bit,
};
use selvedge_models::fs::buffer::{lock_buffer, trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::{
    folio_end_read, folio_lock, folio_lock_killable, folio_trylock, folio_unlock, is_page_dirty,
    truncate_inode_folio,
};
use selvedge_models::mm::memory::do_swap_page;
use selvedge_models::mm::migrate::{ISOLATION, Migrator, Mode, migrate_pages};
use selvedge_models::mm::mlock::{mlock_folio, mlock_new_folio, munlock_folio};
use selvedge_models::mm::movable::alloc_page;
use selvedge_models::mm::page_writeback::{folio_end_writeback, folio_start_writeback};
use selvedge_models::mm::readahead::{A_READ_ENDED, page_cache_ra_unbounded};
use selvedge_models::mm::rmap::{remove_migration_ptes, try_to_migrate};
use selvedge_models::mm::swap::{folio_activate, folio_get, folio_put, folio_rotate_reclaimable};
use selvedge_models::mm::vmscan::{
    folio_isolate_lru, isolate_lru_folios, move_folios_to_lru, scan_folios,
};
use selvedge_models::trees::*;
use selvedge_models::{
    Machine, NOT_LINKED, PAGE_CACHE, PG_LRU, PG_MLOCKED, PG_UNEVICTABLE, PG_WAITERS, UNEVICTABLE,
};

use super::DPOR;
use super::folio_lock::{locked, unlock};
use super::folio_wait_read::lock_asynchronously;
use super::lru_flag::LISTED;
use super::lru_locks::{COMPACTED, isolate_for_compaction};
use crate::Source::{Analysis, Comment};
use crate::rules::{NO_REFERENCE_IS_LEFT_OVER, NOBODY_WAITS_FOR_EVER, is_batched, is_with};
use crate::states::{
    FREED, GAVE_UP, ISOLATED, MADE_UNEVICTABLE, MIGRATED, QUEUED_FOR_A_BIT, SLEPT, SLEPT_ON_A_BIT,
    TRUNCATED,
};
use crate::{Answers, Run, Scenario, ask, cpu, irq};

/// `folio_end_writeback()` of a folio that is to be rotated: with batches of one it takes lru_lock.
fn rotate(k: &Run) {
    folio_rotate_reclaimable(k, &k.folios[1]);
}

static ZONE_LOCK: Scenario = Scenario {
    name: "free_interrupts_allocation",
    about: "CPU0 allocates a page; an interrupt on CPU0 drops the last reference of another one at \
            any step.",
    machine: Machine::TINY.cpus(1).folios(2).absent(1).zone_lock(),
    tasks: &[
        cpu(0, "task", |k| alloc_page(k, &k.folios[0], Name::new("owner"))),
        irq(0, "end of I/O", |k| folio_put(k, &k.folios[1], PAGE_CACHE)),
    ],
    ..Scenario::EMPTY
};

static LRU_LOCK: Scenario = Scenario {
    name: "rotation_interrupts_lists",
    about: "CPU0 activates folio0, isolates it, isolates what reclaim would, and puts it all back; \
            an interrupt on CPU0 rotates folio1 at any step. Batches of one, which are moved at \
            once.",
    machine: LISTED.cpus(1).folios(2).batch(1),
    tasks: &[
        cpu(0, "reclaim", |k| {
            folio_activate(k, &k.folios[0]);
            if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
                move_folios_to_lru(k, &k.folios[0], ISOLATION);
            }
            for index in isolate_lru_folios(k, ISOLATION) {
                move_folios_to_lru(k, &k.folios[index], ISOLATION);
            }
        }),
        irq(0, "end of writeback", rotate),
    ],
    ..Scenario::EMPTY
};

static LRU_LOCK_OF_MLOCK: Scenario = Scenario {
    name: "rotation_interrupts_mlock",
    about: "CPU0 mlocks folio0, munlocks it, and drops its last reference; an interrupt on CPU0 \
            rotates folio1 at any step. Batches of one, which are moved at once.",
    machine: LISTED.cpus(1).folios(2).batch(1).mlock(),
    tasks: &[
        cpu(0, "mlocker", |k| {
            mlock_folio(k, &k.folios[0]);
            munlock_folio(k, &k.folios[0]);
            folio_put(k, &k.folios[0], PAGE_CACHE);
        }),
        irq(0, "end of writeback", rotate),
    ],
    ..Scenario::EMPTY
};

static LRU_LOCK_OF_AGING: Scenario = Scenario {
    name: "rotation_interrupts_aging",
    about: "CPU0 isolates what the oldest generation has; an interrupt on CPU0 rotates folio1 at \
            any step. Batches of one.",
    tasks: &[
        cpu(0, "reclaim", |k| {
            let isolated = scan_folios(k, ISOLATION).isolated;
            assert!(isolated.contains(&0), "nobody else wants folio0");
        }),
        irq(0, "end of writeback", rotate),
    ],
    ..LRU_LOCK
};

static LRU_LOCK_OF_COMPACTION: Scenario = Scenario {
    name: "rotation_interrupts_isolation",
    about: "CPU0 isolates what compaction would; an interrupt on CPU0 rotates folio1 at any step. \
            Batches of one.",
    tasks: &[cpu(0, "compaction", isolate_for_compaction), irq(0, "end of writeback", rotate)],
    ..LRU_LOCK
};

static LRU_LOCK_OF_NEW: Scenario = Scenario {
    name: "rotation_interrupts_mlock_of_a_new_folio",
    about: "CPU0 mlocks folio0, which is on no list yet; an interrupt on CPU0 rotates folio1 at \
            any step. Batches of one.",
    setup: |k| {
        clear_bit(PG_LRU, &k.folios[0].flags);
        plain_write(&k.folios[0].linked, NOT_LINKED);
    },
    tasks: &[
        cpu(0, "mlocker", |k| mlock_new_folio(k, &k.folios[0])),
        irq(0, "end of writeback", rotate),
    ],
    at_end: Some(|k| is_with(k, UNEVICTABLE, &[PG_LRU, PG_MLOCKED, PG_UNEVICTABLE])),
    ..LRU_LOCK_OF_MLOCK
};

/// A read and a write are on their way: the folio is locked, and under writeback.
pub(super) fn under_io(k: &Run) {
    locked(k);
    folio_start_writeback(k, &k.folios[0]);
}

pub(super) fn end_writeback(k: &Run) {
    folio_end_writeback(k, &k.folios[0]);
}

pub(super) static QUEUE_LOCK_OF_WAITER: Scenario = Scenario {
    name: "io_ends_under_the_waiter",
    about: "CPU0 waits for the folio lock; interrupts on CPU0 end the read that has it, and a \
            writeback of the folio, which wakes from the same queue.",
    machine: Machine::TINY.cpus(1).sleepers(1),
    setup: under_io,
    tasks: &[
        cpu(0, "waiter", |k| {
            folio_lock(k, &k.folios[0]);
            unlock(k);
        }),
        irq(0, "end of read", |k| folio_end_read(k, &k.folios[0])),
        irq(0, "end of writeback", end_writeback),
    ],
    ..Scenario::EMPTY
};

static QUEUE_LOCK_OF_WAKER: Scenario = Scenario {
    name: "io_ends_under_the_waker",
    about: "CPU0 unlocks the folio, for which CPU1 waits; an interrupt on CPU0 ends a writeback of \
            the folio, which wakes from the same queue.",
    machine: Machine::TINY.sleepers(1),
    setup: under_io,
    tasks: &[
        cpu(0, "holder", |k| folio_unlock(k, &k.folios[0])),
        irq(0, "end of writeback", end_writeback),
        cpu(1, "waiter", |k| {
            folio_lock(k, &k.folios[0]);
            unlock(k);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

static QUEUE_LOCK_OF_KILLED: Scenario = Scenario {
    name: "io_ends_under_the_killed_waiter",
    about: "CPU0, which has been killed, waits for the folio lock killably, and gives up; \
            interrupts on CPU0 end the read that has it, and a writeback of the folio.",
    setup: |k| {
        under_io(k);
        is_killed_already(k.sleepers[0].task());
    },
    tasks: &[
        cpu(0, "waiter", |k| {
            if folio_lock_killable(k, &k.folios[0]).is_ok() {
                unlock(k);
            }
        }),
        irq(0, "end of read", |k| folio_end_read(k, &k.folios[0])),
        irq(0, "end of writeback", end_writeback),
    ],
    ..QUEUE_LOCK_OF_WAITER
};

static QUEUE_LOCK_OF_ASYNCHRONOUS: Scenario = Scenario {
    name: "io_ends_under_the_asynchronous_waiter",
    about: "CPU0 asks for the folio lock asynchronously, again when it is called back; interrupts \
            on CPU0 end the read that has it, and a writeback of the folio.",
    tasks: &[
        cpu(0, "io_uring", |k| {
            lock_asynchronously(k);
            unlock(k);
        }),
        irq(0, "end of read", |k| folio_end_read(k, &k.folios[0])),
        irq(0, "end of writeback", end_writeback),
    ],
    ..QUEUE_LOCK_OF_WAITER
};

static QUEUE_LOCK_OF_FAULT: Scenario = Scenario {
    name: "io_ends_under_the_fault",
    about: "CPU1 has unmapped folio0 for migration; it maps folio1 in its place, and unlocks \
            folio0. CPU0 faults on the migration entry, and waits; an interrupt on CPU0 ends the \
            writeback of another folio, whose waiters have the same queue. One came and went: \
            PG_waiters is left over.",
    machine: Machine::TINY.folios(3).sleepers(1).mapped(),
    setup: |k| {
        assert!(folio_trylock(&k.folios[2]), "nobody else runs yet");
        folio_start_writeback(k, &k.folios[2]);
        folio_unlock(k, &k.folios[2]);
        set_bit(PG_WAITERS, &k.folios[2].flags);
    },
    before: &[cpu(1, "migrator", |k| {
        locked(k);
        try_to_migrate(k, &k.folios[0]);
        WRITE_ONCE(&k.i_pages[0], 2);
    })],
    tasks: &[
        cpu(0, "page fault", |k| {
            do_swap_page(k, 0);
        })
        .sleeper(0),
        irq(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[2])),
        cpu(1, "migrator", |k| {
            remove_migration_ptes(k, &k.folios[0], &k.folios[1]);
            unlock(k);
        }),
    ],
    ..Scenario::EMPTY
};

/// Both buffers are read.
fn buffers_under_io(k: &Run) {
    assert!(k.buffer_heads.iter().all(trylock_buffer), "nobody else runs yet");
}

static BIT_QUEUE_LOCK: Scenario = Scenario {
    name: "reads_of_buffers_end_under_the_waiter",
    about: "CPU0 waits for buffer0, which is read, and unlocks it; interrupts on CPU0 end the \
            reads of buffer0 and of buffer1, whose waiters have the same queue.",
    machine: Machine::TINY.cpus(1).buffer_heads(2).sleepers(1),
    setup: buffers_under_io,
    tasks: &[
        cpu(0, "waiter", |k| {
            lock_buffer(k, &k.buffer_heads[0]);
            unlock_buffer(k, &k.buffer_heads[0]);
        }),
        irq(0, "end of read", |k| unlock_buffer(k, &k.buffer_heads[0])),
        irq(0, "end of read", |k| unlock_buffer(k, &k.buffer_heads[1])),
    ],
    ..Scenario::EMPTY
};

static BIT_QUEUE_LOCK_OF_WAKER: Scenario = Scenario {
    name: "read_of_a_buffer_ends_under_the_waker",
    about: "CPU0 unlocks buffer0, for which CPU1 waits; an interrupt on CPU0 ends the read of \
            buffer1, whose waiters have the same queue.",
    machine: Machine::TINY.buffer_heads(2).sleepers(1),
    setup: buffers_under_io,
    tasks: &[
        cpu(0, "holder", |k| unlock_buffer(k, &k.buffer_heads[0])),
        irq(0, "end of read", |k| unlock_buffer(k, &k.buffer_heads[1])),
        cpu(1, "waiter", |k| {
            lock_buffer(k, &k.buffer_heads[0]);
            unlock_buffer(k, &k.buffer_heads[0]);
        })
        .sleeper(0),
    ],
    ..Scenario::EMPTY
};

pub(super) fn starts_writeback(k: &Run, index: usize) {
    folio_lock(k, &k.folios[index]);
    folio_start_writeback(k, &k.folios[index]);
    folio_unlock(k, &k.folios[index]);
}

pub(super) static PAGES_LOCK: Scenario = Scenario {
    name: "writeback_ends_under_the_pages_lock",
    about: "CPU0 looks for a dirty page, migrates folio0 and folio1, which is large and has no \
            target, writes folio2, and truncates its page; an interrupt on CPU0 ends the writeback \
            of folio3, of the same file, at any step.",
    machine: Machine::TINY
        .cpus(1)
        .folios(4)
        .spares()
        .batch(9)
        .passes(1)
        .sleepers(1)
        .without_target(&[1])
        .marks()
        .writeback_pins(false),
    setup: |k| {
        for index in [0, 1] {
            folio_get(&k.folios[index], ISOLATION);
        }
    },
    before: &[cpu(0, "flush worker", |k| starts_writeback(k, 3))],
    tasks: &[
        cpu(0, "task", |k| {
            is_page_dirty(k, 3);
            migrate_pages(k, &[0, 1], Migrator { mode: Mode::Async, memalloc: false });
            starts_writeback(k, 2);
            folio_end_writeback(k, &k.folios[2]);
            truncate_inode_folio(k, 2);
        }),
        irq(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[3])),
    ],
    ..Scenario::EMPTY
};

/// Readahead gives back its own references.
fn readahead_keeps_nothing(k: &Run) {
    for folio in &k.folios {
        let is_cached = k.i_pages[folio.index].peek() != 0 && folio.mapping.peek() != 0;
        let expected = i64::from(is_cached) + i64::from(is_batched(k, folio));
        let count = folio.refcount.peek();
        if count != expected {
            let index = folio.index;
            let message = format!("folio{index} has {count} references, should have {expected}");
            fail_about(NO_REFERENCE_IS_LEFT_OVER, message, folio.refcount.object());
        }
    }
}

static PAGES_LOCK_OF_READAHEAD: Scenario = Scenario {
    name: "writeback_ends_under_readahead",
    about: "CPU0 reads page 0 ahead; an interrupt on CPU0 ends the writeback of folio1, of the \
            same file, at any step.",
    machine: Machine::TINY
        .cpus(1)
        .folios(2)
        .absent(1)
        .sleepers(1)
        .batch(3)
        .marks()
        .writeback_pins(false),
    before: &[cpu(0, "flush worker", |k| starts_writeback(k, 1))],
    tasks: &[
        cpu(0, "readahead", |k| {
            page_cache_ra_unbounded(k, 1).into_iter().for_each(join);
        }),
        irq(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[1])),
    ],
    at_end: Some(readahead_keeps_nothing),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru_lock = Analysis("the end of a writeback rotates, and moves a full batch");
    let queue_lock = Comment { file: "mm/filemap.c", says: "folio_unlock() from any context" };
    let reads = Analysis("readahead's own reference goes when the read is submitted");
    let marks = Analysis("__folio_end_writeback() takes the i_pages lock, in interrupts too");
    let hang = |scenario, source, reached| {
        ask(NOBODY_WAITS_FOR_EVER, scenario, source, reached).under(DPOR).holds(&[&V6_12_117])
    };
    let slept = &[INTERRUPTED, SLEPT];
    let zone_lock = Analysis("the last reference of a folio may be dropped in an interrupt");
    vec![
        hang(&ZONE_LOCK, zone_lock, &[INTERRUPTED, FREED]),
        hang(&LRU_LOCK, lru_lock, &[INTERRUPTED, ISOLATED])
            .broken_after(&[INTERRUPTED])
            .violated(&[&LRU_LOCK_IRQS_ON]),
        hang(&LRU_LOCK_OF_MLOCK, lru_lock, &[INTERRUPTED, MADE_UNEVICTABLE, FREED])
            .broken_after(&[INTERRUPTED, MADE_UNEVICTABLE])
            .violated(&[&MLOCK_IRQS_ON]),
        hang(&LRU_LOCK_OF_AGING, lru_lock, &[INTERRUPTED]).violated(&[&AGING_IRQS_ON]),
        hang(&LRU_LOCK_OF_COMPACTION, lru_lock, &[INTERRUPTED, COMPACTED])
            .broken_after(&[INTERRUPTED])
            .violated(&[&COMPACTION_IRQS_ON]),
        hang(&LRU_LOCK_OF_NEW, lru_lock, &[INTERRUPTED]).violated(&[&MLOCK_NEW_IRQS_ON]),
        hang(&QUEUE_LOCK_OF_WAITER, queue_lock, slept).violated(&[&QUEUE_LOCK_IRQS_ON]),
        hang(&QUEUE_LOCK_OF_KILLED, queue_lock, &[INTERRUPTED, SLEPT, GAVE_UP])
            .broken_after(&[INTERRUPTED, SLEPT])
            .violated(&[&GIVES_UP_IRQS_ON]),
        hang(&QUEUE_LOCK_OF_WAKER, queue_lock, slept)
            .broken_after(&[INTERRUPTED])
            .violated(&[&WAKER_IRQS_ON]),
        hang(&QUEUE_LOCK_OF_ASYNCHRONOUS, queue_lock, slept).violated(&[&ASYNC_IRQS_ON]),
        hang(&QUEUE_LOCK_OF_FAULT, queue_lock, slept).violated(&[&FAULT_IRQS_ON]),
        hang(&PAGES_LOCK, marks, &[INTERRUPTED, MIGRATED, TRUNCATED])
            .broken_after(&[INTERRUPTED, MIGRATED])
            .violated(&[&PAGES_LOCK_IRQS_ON]),
        hang(&PAGES_LOCK_OF_READAHEAD, marks, &[INTERRUPTED, A_READ_ENDED])
            .broken_after(&[INTERRUPTED])
            .violated(&[&READAHEAD_IRQS_ON]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &PAGES_LOCK_OF_READAHEAD, reads, &[A_READ_ENDED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        hang(&BIT_QUEUE_LOCK, queue_lock, &[INTERRUPTED, SLEPT_ON_A_BIT])
            .broken_after(&[INTERRUPTED])
            .violated(&[&BIT_WAITER_IRQS_ON]),
        hang(&BIT_QUEUE_LOCK_OF_WAKER, queue_lock, &[INTERRUPTED, SLEPT_ON_A_BIT])
            .broken_after(&[INTERRUPTED, QUEUED_FOR_A_BIT])
            .violated(&[&BIT_WAKER_IRQS_ON]),
    ]
}
