//! Folios with dirty buffers that are written, and what is on the disk then: fs/buffer.c
//! `__block_write_full_folio()`, mm/page-writeback.c `write_cache_pages()`.
//!
//! The disk is one word, `outcome`: what it has of the folio, or of its first buffer.

use selvedge_kernel::{
    atomic_inc, atomic_read, fail_about, owns, plain_read, plain_write, reached, set_bit,
    test_and_set_bit, test_bit,
};
use selvedge_models::fs::buffer::{
    __block_write_full_folio, NOTHING_UNDER_WAY, REDIRTIED, STILL_BUSY, end_buffer_async_write,
    end_buffer_write_sync, lock_buffer, mark_buffer_dirty, put_bh, trylock_buffer, unlock_buffer,
    write_dirty_buffer,
};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{
    Aops, ISOLATION, Migrator, WAITED_FOR_WRITEBACK, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::page_writeback::{
    SyncMode, folio_end_writeback, folio_start_writeback, folio_wait_writeback, write_cache_pages,
};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_models::{
    BH_ASYNC_WRITE, BH_DIRTY, BH_LOCK, BH_UPTODATE, BufferHead, Folio, Kernel, Machine, PG_DIRTY,
    PG_WRITEBACK,
};
use selvedge_trace::Name;

use super::{ALONE, DPOR, ONE};
use crate::Source::{Analysis, Comment};
use crate::rules::*;
use crate::states::{DIRTIED, MIGRATED, SLEPT, WRITTEN};
use crate::{Answers, Run, Scenario, Task, ask, cpu, irq};

const USER: Name = Name::new("user of the bh");

/// A block device's folio; nobody else holds its buffers.
const BLOCK_DEVICE: Machine = ONE.aops(&[Aops::BuffersNorefs]).writeback().dirty();

/// The page cache keeps its reference to the end: nobody migrates the folio.
const STAYS: Machine = BLOCK_DEVICE.writeback_pins(false);

const TWO_BUFFERS: Machine = STAYS.ring(2).buffer_heads(2);

/// The folio and its buffers are dirty, and uptodate.
fn dirty(k: &Run) {
    set_bit(PG_DIRTY, &k.folios[0].flags);
    for bh in &k.buffer_heads {
        set_bit(BH_UPTODATE, &bh.b_state);
        set_bit(BH_DIRTY, &bh.b_state);
    }
}

/// `blkdev_writepages()`: returns when all is submitted.
fn writes(k: &Run, sync_mode: SyncMode, submit: impl Fn(&Kernel, &BufferHead)) {
    let lock = |folio: &Folio| folio_lock(k, folio);
    write_cache_pages(k, &[0], sync_mode, lock, |folio| {
        __block_write_full_folio(k, folio, sync_mode, &submit);
    });
}

/// The I/O of bh0 or another, and its end.
fn ends_io(k: &Run, index: usize) {
    let bh = &k.buffer_heads[index];
    owns(BH_LOCK, &bh.b_state);
    if index == 0 {
        plain_write(&k.outcome, plain_read(&bh.contents));
    }
    end_buffer_async_write(k, bh);
}

/// The I/O of a buffer is a task of its own.
fn writes_all(k: &Run) {
    writes(k, SyncMode::All, |_, bh| {
        let index = bh.index;
        k.task(k.sizes.cpus - 1, "end of I/O", move |k| ends_io(k, index));
    });
}

/// Both buffers are submitted, and counted; nothing has been written yet.
const SUBMITTED: &[Task] = &[cpu(1, "flush worker", |k| {
    writes(k, SyncMode::All, |_, _| atomic_inc(&k.count));
})];

/// The I/O of this buffer ends, if it was submitted.
fn ends<const NUMBER: usize>(k: &Run) {
    if atomic_read(&k.count) > NUMBER as i64 {
        ends_io(k, NUMBER);
    }
}

const FIRST_ENDS: Task = cpu(1, "end of I/O", ends::<0>);
const SECOND_ENDS: Task = cpu(2, "end of I/O", ends::<1>);

static SYNC: Scenario = Scenario {
    name: "two_buffers_are_written",
    about: "A folio of two dirty buffers is written; their I/O ends on CPU1 and CPU2. CPU0 locks the \
            folio, waits until no writeback is left, and looks whether a buffer is under I/O.",
    machine: TWO_BUFFERS.cpus(3),
    setup: dirty,
    before: SUBMITTED,
    tasks: &[
        cpu(0, "sync", |k| {
            let folio = &k.folios[0];
            folio_lock(k, folio);
            folio_wait_writeback(k, folio);
            for bh in &k.buffer_heads {
                if test_bit(BH_ASYNC_WRITE, &bh.b_state) {
                    let message = format!("bh{} is under I/O", bh.index);
                    let object = bh.b_state.object();
                    fail_about(WRITEBACK_LASTS_FOR_ALL_BUFFERS, message, object);
                }
            }
            folio_unlock(k, folio);
        }),
        FIRST_ENDS,
        SECOND_ENDS,
    ],
    at_end: Some(what_is_clean_is_on_disk),
    ..Scenario::EMPTY
};

static INTERRUPTED: Scenario = Scenario {
    name: "io_of_two_buffers_ends_on_one_cpu",
    about: "A folio of two dirty buffers is written. CPU0 ends the I/O of one of them, and is \
            interrupted at some step by the end of that of the other.",
    machine: TWO_BUFFERS.cpus(2),
    tasks: &[cpu(0, "end of I/O", ends::<0>), irq(0, "end of I/O", ends::<1>)],
    ..SYNC
};

static MIGRATES: Scenario = Scenario {
    name: "two_buffers_are_written_and_migrate",
    about: "A folio of two dirty buffers is written; their I/O ends on CPU1 and CPU2. CPU0 migrates \
            it in MIGRATE_SYNC.",
    machine: BLOCK_DEVICE.cpus(3).ring(2).buffer_heads(2),
    setup: |k| {
        dirty(k);
        for bh in &k.buffer_heads {
            put_bh(bh, USER);
        }
        folio_get(&k.folios[0], ISOLATION);
    },
    before: SUBMITTED,
    tasks: &[
        cpu(0, "migrator", |k| {
            let left = migrate_pages(k, &[0], Migrator::SYNC);
            putback_movable_pages(k, &left);
        }),
        FIRST_ENDS,
        SECOND_ENDS,
    ],
    ..Scenario::EMPTY
};

/// What was written to the buffer is on the disk.
const ON_DISK: &str = "the change is on the disk";

fn reached_the_disk(k: &Run) {
    if k.outcome.peek() == 1 {
        reached(ON_DISK);
    }
}

static MARKED: Scenario = Scenario {
    name: "buffer_is_dirtied_while_written",
    about: "CPU0 changes a buffer without any lock, and marks it dirty; CPU1 writes its folio, \
            which is dirty, and so is the buffer.",
    machine: STAYS,
    setup: dirty,
    tasks: &[
        cpu(0, "writer", |k| {
            plain_write(&k.buffer_heads[0].contents, 1);
            mark_buffer_dirty(k, &k.buffer_heads[0]);
        }),
        cpu(1, "flush worker", writes_all),
    ],
    at_end: Some(|k| {
        what_is_clean_is_on_disk(k);
        reached_the_disk(k);
    }),
    ..Scenario::EMPTY
};

static CLEAN_BUFFER_MARKED: Scenario = Scenario {
    name: "clean_buffer_is_dirtied",
    about: "CPU0 changes a clean buffer, and marks it dirty; then its folio is written.",
    setup: |k| set_bit(BH_UPTODATE, &k.buffer_heads[0].b_state),
    before: &[cpu(0, "writer", |k| {
        plain_write(&k.buffer_heads[0].contents, 1);
        mark_buffer_dirty(k, &k.buffer_heads[0]);
    })],
    tasks: &[cpu(1, "flush worker", writes_all)],
    ..MARKED
};

static REDIRTIES: Scenario = Scenario {
    name: "flush_meets_a_locked_buffer",
    about: "CPU0 has locked a buffer of a dirty folio, and changes it; CPU1 writes the folio, and \
            waits for nothing.",
    machine: STAYS,
    setup: |k| {
        dirty(k);
        assert!(trylock_buffer(&k.buffer_heads[0]), "nobody else runs yet");
        plain_write(&k.buffer_heads[0].contents, 1);
    },
    tasks: &[
        cpu(0, "holder", |k| {
            plain_write(&k.buffer_heads[0].contents, 2);
            unlock_buffer(k, &k.buffer_heads[0]);
        }),
        cpu(1, "flush worker", |k| {
            writes(k, SyncMode::None, |_, bh| ends_io(k, bh.index));
        }),
    ],
    at_end: Some(what_is_clean_is_on_disk),
    ..Scenario::EMPTY
};

/// The buffer is dirty, and has something that the disk has not.
fn dirty_with_contents(k: &Run) {
    dirty(k);
    plain_write(&k.buffer_heads[0].contents, 1);
}

static BY_HAND: Scenario = Scenario {
    name: "buffer_is_written_by_hand",
    about: "CPU0 writes a dirty buffer as jbd2 does, and waits for it; the I/O ends on CPU1.",
    machine: STAYS,
    setup: |k| {
        dirty_with_contents(k);
        put_bh(&k.buffer_heads[0], USER);
    },
    tasks: &[cpu(0, "jbd2", |k| {
        let bh = &k.buffer_heads[0];
        write_dirty_buffer(k, bh, |_| {
            k.task(1, "end of I/O", |k| {
                let bh = &k.buffer_heads[0];
                owns(BH_LOCK, &bh.b_state);
                plain_write(&k.outcome, plain_read(&bh.contents));
                end_buffer_write_sync(k, bh);
            });
        });
        // wait_on_buffer()
        lock_buffer(k, bh);
        sync_has_written(k, plain_read(&bh.contents));
        unlock_buffer(k, bh);
    })],
    at_end: Some(|k| {
        no_bh_reference_is_left_over(k);
        reached_the_disk(k);
    }),
    ..Scenario::EMPTY
};

static ENDS_ALONE: Scenario = Scenario {
    name: "writeback_ends",
    about: "CPU0 ends the writeback of a folio. Nobody else does anything.",
    machine: ONE,
    setup: under_writeback,
    tasks: &[cpu(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[0]))],
    at_end: Some(|k| {
        if !k.folios[0].flags.peek(PG_WRITEBACK) {
            reached(ENDED);
        }
        no_reference_is_left_over(k);
    }),
    ..Scenario::EMPTY
};

const ENDED: &str = "the writeback is over";

static WRITTEN_BEFORE: Scenario = Scenario {
    name: "folio_of_a_clean_buffer_is_written",
    about: "A folio is dirty, and its buffer has been written by hand. CPU1 writes the folio; CPU0 \
            waits for its writeback.",
    machine: STAYS,
    setup: |k| set_bit(PG_DIRTY, &k.folios[0].flags),
    tasks: &[
        cpu(0, "sync", |k| folio_wait_writeback(k, &k.folios[0])),
        cpu(1, "flush worker", writes_all),
    ],
    ..Scenario::EMPTY
};

/// A buffer is written to without its lock, as the bitmaps of ext2 and ext4 are.
const DIRTIES_UNLOCKED: Task = cpu(0, "filesystem", |k| {
    plain_write(&k.buffer_heads[0].contents, 1);
    mark_buffer_dirty(k, &k.buffer_heads[0]);
});

static DIRTIED_UNLOCKED: Scenario = Scenario {
    name: "buffer_is_dirtied_unlocked",
    about: "A folio is dirty, and its buffer clean. CPU0 writes to that without its lock, and \
            marks it dirty; CPU1 writes the folio, whose I/O takes no time.",
    machine: STAYS,
    setup: |k| {
        set_bit(PG_DIRTY, &k.folios[0].flags);
        set_bit(BH_UPTODATE, &k.buffer_heads[0].b_state);
    },
    tasks: &[
        DIRTIES_UNLOCKED,
        cpu(1, "flush worker", |k| writes(k, SyncMode::All, |_, bh| ends_io(k, bh.index))),
    ],
    at_end: Some(what_is_clean_is_on_disk),
    ..Scenario::EMPTY
};

static DIRTIED_CLEAN: Scenario = Scenario {
    name: "buffer_of_a_clean_folio_is_dirtied_unlocked",
    about: "The same of a folio that is clean: whoever finds it dirty finds its buffer dirty.",
    setup: |k| set_bit(BH_UPTODATE, &k.buffer_heads[0].b_state),
    ..DIRTIED_UNLOCKED
};

static DIRTIED_BY_HAND: Scenario = Scenario {
    name: "buffer_is_dirtied_and_written_by_hand",
    about: "A buffer is clean. CPU0 writes to it without its lock, and marks it dirty; CPU1 writes \
            it as jbd2 does, if it is dirty. The I/O takes no time.",
    setup: DIRTIED_CLEAN.setup,
    tasks: &[
        DIRTIES_UNLOCKED,
        cpu(1, "jbd2", |k| {
            let bh = &k.buffer_heads[0];
            write_dirty_buffer(k, bh, |_| {
                plain_write(&k.outcome, plain_read(&bh.contents));
                reached(ON_DISK);
                end_buffer_write_sync(k, bh);
            });
        }),
    ],
    ..DIRTIED_UNLOCKED
};

/// [`A_SYNC_WRITES_WHAT_WAS_DIRTY`], asked when the sync is over.
fn sync_has_written(k: &Run, contents: u64) {
    let written = plain_read(&k.outcome);
    if written != contents {
        let message = format!("{contents} was to be written, and the disk has {written}");
        fail_about(A_SYNC_WRITES_WHAT_WAS_DIRTY, message, k.outcome.object());
    }
}

/// Writes the folio, if it is dirty, on a filesystem without buffers, whose I/O takes no time.
fn writes_without_buffers(k: &Run) {
    let lock = |folio: &Folio| folio_lock(k, folio);
    write_cache_pages(k, &[0], SyncMode::All, lock, |folio| {
        folio_start_writeback(k, folio);
        folio_unlock(k, folio);
        plain_write(&k.outcome, plain_read(&folio.contents));
        folio_end_writeback(k, folio);
    });
}

static FOLIO_DIRTIED_UNLOCKED: Scenario = Scenario {
    name: "folio_is_dirtied_unlocked",
    about: "CPU0 writes to a clean folio without buffers, and marks it dirty, as the end of direct \
            I/O into a mapped page does; CPU1 writes it, if it is dirty.",
    machine: ONE.writeback().writeback_pins(false),
    tasks: &[
        cpu(0, "user", |k| {
            plain_write(&k.folios[0].contents, 1);
            // filemap_dirty_folio()
            test_and_set_bit(PG_DIRTY, &k.folios[0].flags);
        }),
        cpu(1, "flush worker", writes_without_buffers),
    ],
    at_end: Some(|k| the_disk_has_the_folio(k, &k.outcome)),
    ..Scenario::EMPTY
};

/// `fsync()` on such a filesystem: writes what is dirty, waits for what somebody else writes, and
/// looks at the disk.
fn fsync(k: &Run) {
    writes_without_buffers(k);
    folio_wait_writeback(k, &k.folios[0]);
    sync_has_written(k, 1);
}

/// A writeback of the folio is under way.
fn under_writeback(k: &Run) {
    assert!(folio_trylock(&k.folios[0]), "nobody else runs yet");
    folio_start_writeback(k, &k.folios[0]);
    folio_unlock(k, &k.folios[0]);
}

static FSYNC: Scenario = Scenario {
    name: "fsync_of_a_folio_under_writeback",
    about: "A folio is under writeback, which has read it, and ends on CPU1. CPU0 writes to it, and \
            calls fsync(), which writes what is dirty, and waits for writeback.",
    machine: ONE.writeback().writeback_pins(false),
    setup: under_writeback,
    tasks: &[
        cpu(0, "writer", |k| {
            let folio = &k.folios[0];
            plain_write(&folio.contents, 1);
            set_bit(PG_DIRTY, &folio.flags);
            fsync(k);
        }),
        cpu(1, "end of writeback", |k| {
            owns(PG_WRITEBACK, &k.folios[0].flags);
            folio_end_writeback(k, &k.folios[0]);
        }),
    ],
    ..Scenario::EMPTY
};

static WRITTEN_AGAIN: Scenario = Scenario {
    name: "folio_is_written_again",
    about: "A folio is being written: CPU1 has the disk store what it has read of it, by CPU, as a \
            RAM disk does, and ends its writeback. CPU0 changes the folio, marks it dirty, and \
            writes it.",
    tasks: &[
        cpu(0, "writer", |k| {
            let folio = &k.folios[0];
            plain_write(&folio.contents, 2);
            set_bit(PG_DIRTY, &folio.flags);
            writes_without_buffers(k);
        }),
        cpu(1, "end of writeback", |k| {
            owns(PG_WRITEBACK, &k.folios[0].flags);
            plain_write(&k.outcome, 1);
            folio_end_writeback(k, &k.folios[0]);
        }),
    ],
    at_end: Some(|k| the_disk_has_the_folio(k, &k.outcome)),
    ..FSYNC
};

static FSYNC_OF_CLEAN: Scenario = Scenario {
    name: "fsync_of_what_somebody_else_writes",
    about: "A folio is clean, since somebody else has begun to write it, which takes until CPU1 ends \
            it. CPU0 calls fsync().",
    setup: |k| {
        under_writeback(k);
        plain_write(&k.folios[0].contents, 1);
    },
    tasks: &[
        cpu(0, "writer", fsync),
        cpu(1, "end of writeback", |k| {
            owns(PG_WRITEBACK, &k.folios[0].flags);
            plain_write(&k.outcome, plain_read(&k.folios[0].contents));
            folio_end_writeback(k, &k.folios[0]);
        }),
    ],
    ..FSYNC
};

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let looks = Comment {
        file: "fs/buffer.c",
        says: "BUG_ON(!buffer_locked(tmp)) in end_buffer_async_write(): others are asked",
    };
    let marks = Comment {
        file: "fs/buffer.c",
        says: "if a buffer becomes dirty after it was inspected, the folio stays dirty",
    };
    let orders = Analysis("who clears PG_dirty writes what was there when it was set");
    let ends = Analysis("the last buffer ends the writeback, under the lock of the first");
    let sync = Analysis("what fsync() is for");
    let waits = Analysis("a folio is not under two writebacks at once: the later is on the disk");
    let own = Comment {
        file: "mm/filemap.c",
        says: "folio_end_writeback() has a reference of its own while it wakes",
    };
    let every: &[_] = &[&M0, &M2, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7];
    vec![
        ask(WRITEBACK_LASTS_FOR_ALL_BUFFERS, &SYNC, looks, &[SLEPT, STILL_BUSY])
            .under(DPOR)
            .holds(&[&M0, &M6S])
            .broken_after(&[SLEPT, WRITTEN])
            .violated(&[&FIRST_BUFFER_ENDS_WRITEBACK]),
        ask(KERNEL_ASSERTIONS_HOLD, &SYNC, ends, &[SLEPT, STILL_BUSY])
            .under(DPOR)
            .holds(&[&M6S])
            .broken_after(&[SLEPT, WRITTEN])
            .violated(&[&NO_UPTODATE_LOCK]),
        ask(NOBODY_WAITS_FOR_EVER, &INTERRUPTED, ends, &[STILL_BUSY]).under(DPOR).holds(&[&M6S]),
        ask(NOBODY_WAITS_FOR_EVER, &MIGRATES, ends, &[WAITED_FOR_WRITEBACK, MIGRATED])
            .under(DPOR)
            .holds(every),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &MARKED, marks, &[ON_DISK]).under(DPOR).holds(&[&M0, &M6S]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &CLEAN_BUFFER_MARKED, marks, &[ON_DISK])
            .under(DPOR)
            .holds(&[&M6S])
            .broken_after(&[DIRTIED])
            .violated(&[&DIRTIES_BUFFER_ONLY]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &REDIRTIES, marks, &[REDIRTIED]).under(DPOR).holds(&[&M6S]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &DIRTIED_UNLOCKED, marks, &[DIRTIED, WRITTEN])
            .under(DPOR)
            .holds(&[&M6S]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &DIRTIED_CLEAN, marks, &[DIRTIED, WRITTEN])
            .under(DPOR)
            .holds(&[&M6S]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &FOLIO_DIRTIED_UNLOCKED, orders, &[WRITTEN])
            .under(DPOR)
            .holds(&[&M6S]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &WRITTEN_AGAIN, waits, &[SLEPT, WRITTEN])
            .under(DPOR)
            .holds(&[&M0, &M6S]),
        ask(WHAT_IS_CLEAN_IS_ON_DISK, &DIRTIED_BY_HAND, marks, &[DIRTIED, ON_DISK])
            .under(DPOR)
            .holds(&[&M6S]),
        ask(NOBODY_WAITS_FOR_EVER, &WRITTEN_BEFORE, ends, &[NOTHING_UNDER_WAY, SLEPT])
            .under(DPOR)
            .holds(&[&M6S]),
        ask(A_SYNC_WRITES_WHAT_WAS_DIRTY, &BY_HAND, sync, &[ON_DISK]).under(DPOR).holds(&[&M6S]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &BY_HAND, sync, &[ON_DISK]).under(DPOR).holds(&[&M6S]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &ENDS_ALONE, own, &[ENDED])
            .under(ALONE)
            .holds(&[&M0, &M6S])
            .violated(&[&END_WRITEBACK_KEEPS_REFERENCE]),
        ask(A_SYNC_WRITES_WHAT_WAS_DIRTY, &FSYNC, sync, &[SLEPT])
            .under(DPOR)
            .holds(&[&M0, &M6S])
            .violated(&[&WRITES_NOTHING]),
        ask(A_SYNC_WRITES_WHAT_WAS_DIRTY, &FSYNC_OF_CLEAN, sync, &[SLEPT])
            .under(DPOR)
            .holds(&[&M6S]),
    ]
}
