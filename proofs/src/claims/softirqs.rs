//! I/O that ends in a softirq, on the CPU that took the interrupt: as a bio's `bi_end_io` is called
//! by a driver that completes there (`blk_done_softirq()`). It comes at any step of what runs on
//! that CPU, but where interrupts or softirqs are off; so a lock that it takes is taken elsewhere
//! with one of them off.

use selvedge_kernel::{INTERRUPTED, fail, owns, set_bit, smp_rmb, test_bit};
use selvedge_models::fs::buffer::{
    STILL_READING, buffer_uptodate, end_buffer_async_read, trylock_buffer,
};
use selvedge_models::mm::filemap::{folio_end_read, folio_lock, folio_wait_locked};
use selvedge_models::mm::migrate::Aops;
use selvedge_models::mm::page_writeback::folio_end_writeback;
use selvedge_models::trees::*;
use selvedge_models::{BH_ASYNC_READ, BH_LOCK, Machine, PG_UPTODATE};

use super::DPOR;
use super::folio_lock::{locked, unlock};
use super::interrupts::{PAGES_LOCK, QUEUE_LOCK_OF_WAITER, end_writeback};
use crate::Source::{Analysis, Comment};
use crate::rules::{KERNEL_ASSERTIONS_HOLD, NOBODY_WAITS_FOR_EVER, WHO_WAITED_FOR_A_READ_SEES_IT};
use crate::states::{MIGRATED, SLEPT, TRUNCATED};
use crate::{Answers, Run, Scenario, ask, cpu, softirq};

/// A folio of two buffers is being read: it is locked, and so are they.
fn is_read(k: &Run) {
    locked(k);
    for bh in &k.buffer_heads {
        assert!(trylock_buffer(bh), "nobody else runs yet");
        set_bit(BH_ASYNC_READ, &bh.b_state);
    }
}

fn ends<const NUMBER: usize>(k: &Run) {
    let bh = &k.buffer_heads[NUMBER];
    owns(BH_LOCK, &bh.b_state);
    end_buffer_async_read(k, bh);
}

const TWO_BUFFERS: Machine =
    Machine::TINY.aops(&[Aops::Buffers]).ring(2).buffer_heads(2).sleepers(1).softirqs();

static TWO_CPUS: Scenario = Scenario {
    name: "reads_of_buffers_end_in_softirqs",
    about: "A folio of two buffers is being read. Softirqs on CPU0 and CPU1 end the I/O of one of \
            them each; a task on CPU0 waits until the folio is unlocked, and looks whether it is \
            uptodate.",
    machine: TWO_BUFFERS,
    setup: is_read,
    tasks: &[
        cpu(0, "reader", |k| {
            folio_wait_locked(k, &k.folios[0]);
            if !test_bit(PG_UPTODATE, &k.folios[0].flags) {
                fail(WHO_WAITED_FOR_A_READ_SEES_IT, "the reader sees no PG_uptodate");
            }
            // As folio_test_uptodate() ends, if there it is set.
            smp_rmb();
            if !k.buffer_heads.iter().all(buffer_uptodate) {
                fail(WHO_WAITED_FOR_A_READ_SEES_IT, "the reader sees a buffer without BH_Uptodate");
            }
        })
        .sleeper(0),
        softirq(0, "end of I/O", ends::<0>),
        softirq(1, "end of I/O", ends::<1>),
    ],
    ..Scenario::EMPTY
};

static IN_A_WORK_ITEM: Scenario = Scenario {
    name: "read_of_a_buffer_ends_on_top_of_another",
    about: "A folio of two buffers is being read. On CPU0 a task, which has decrypted one of them, \
            ends its I/O; a softirq on CPU0 ends that of the other one.",
    machine: TWO_BUFFERS.cpus(1),
    tasks: &[cpu(0, "decrypt_bh", ends::<0>), softirq(0, "end of I/O", ends::<1>)],
    ..TWO_CPUS
};

static QUEUE_LOCK: Scenario = Scenario {
    name: "io_ends_in_softirqs_under_the_waiter",
    about: "CPU0 waits for the folio lock; softirqs on CPU0 end the read that has it, and a \
            writeback of the folio, which wakes from the same queue.",
    machine: Machine::TINY.cpus(1).sleepers(1).softirqs(),
    tasks: &[
        cpu(0, "waiter", |k| {
            folio_lock(k, &k.folios[0]);
            unlock(k);
        }),
        softirq(0, "end of read", |k| folio_end_read(k, &k.folios[0])),
        softirq(0, "end of writeback", end_writeback),
    ],
    ..QUEUE_LOCK_OF_WAITER
};

static LOCK_OF_PAGES: Scenario = Scenario {
    name: "writeback_ends_in_a_softirq_under_the_pages_lock",
    about: "CPU0 looks for a dirty page, migrates folio0 and folio1, writes folio2, and truncates \
            its page; a softirq on CPU0 ends the writeback of folio3, of the same file.",
    machine: PAGES_LOCK.machine.softirqs(),
    tasks: &[
        PAGES_LOCK.tasks[0],
        softirq(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[3])),
    ],
    ..PAGES_LOCK
};

pub(super) fn claims() -> Vec<Answers> {
    let careful = Comment {
        file: "fs/buffer.c",
        says: "of two buffers whose I/O ends at once only one may end the read",
    };
    let on_top = Analysis("who ends I/O in a task is interrupted by who ends it in a softirq");
    let same = Comment { file: "mm/filemap.c", says: "folio_unlock() from any context" };
    let marks = Analysis("__folio_end_writeback() takes the i_pages lock, in softirqs too");
    let hang = |scenario, source, reached| {
        ask(NOBODY_WAITS_FOR_EVER, scenario, source, reached).under(DPOR).holds(&[&V6_12_117])
    };
    let read = |rule| {
        ask(rule, &TWO_CPUS, careful, &[STILL_READING, SLEPT])
            .under(DPOR)
            .holds(&[&V6_1, &V6_12_117])
    };
    vec![
        read(WHO_WAITED_FOR_A_READ_SEES_IT),
        read(KERNEL_ASSERTIONS_HOLD),
        // Each finds that the other is done, and the second to end the read locks the folio again.
        read(NOBODY_WAITS_FOR_EVER).violated_after(&[SLEPT], &[&NO_UPTODATE_LOCK_OF_READS]),
        hang(&IN_A_WORK_ITEM, on_top, &[INTERRUPTED, STILL_READING])
            .violated_after(&[INTERRUPTED], &[&UPTODATE_LOCK_IRQS_ON]),
        hang(&QUEUE_LOCK, same, &[INTERRUPTED, SLEPT])
            .violated_after(&[INTERRUPTED], &[&QUEUE_LOCK_IRQS_ON]),
        hang(&LOCK_OF_PAGES, marks, &[INTERRUPTED, MIGRATED, TRUNCATED])
            .violated_after(&[INTERRUPTED], &[&PAGES_LOCK_IRQS_ON]),
    ]
}
