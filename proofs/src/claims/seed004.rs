//! Seed 004: migration in batches, with several folios locked at once, and whom it waits for
//! meanwhile. kernel-migrate sections C.7, D.5 and E.5 as far as they are about deadlocks.
//!
//! Each scenario is played in all modes that its row of the sheet names, and with both orders of
//! the list of folios. B is folio 0, A is folio 1.

use std::sync::Arc;

use selvedge_kernel::{enter, join, set_bit};
use selvedge_models::drivers::r#loop::{
    Backing, Completion, SERVED, loop_process_work, loop_queue_work,
};
use selvedge_models::fs::buffer::put_bh;
use selvedge_models::fs::ext4::ext4_end_io_end;
use selvedge_models::fs::iomap::iomap_writepages;
use selvedge_models::fs::jbd2::__flush_batch;
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{
    Aops, FOUND_A_LOCKED_BUFFER, FOUND_WRITEBACK, ISOLATION, Migrator, Mode, SPLIT, WOULD_DEADLOCK,
    migrate_pages,
};
use selvedge_models::mm::page_writeback::{SyncMode, folio_start_writeback};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;
use selvedge_models::{BH_DIRTY, Kernel, PG_DIRTY, PG_UPTODATE, Sizes};
use selvedge_monitors::{NOBODY_WAITS_FOR_EVER, WAITING_MIGRATION_HOLDS_ITS_PAIR};
use selvedge_trace::{Name, Rule};

use super::DPOR;
use crate::{Claim, Scenario, Topic};

/// Two folios that migrate, each with a target; three CPUs.
const TWO: Sizes = Sizes { cpus: 3, folios: 2, spares: true, sleepers: 3, ..Sizes::TINY };

/// Sleeper 0 isolates both folios and migrates them in this mode, in this order.
fn migrator(k: &Kernel, name: &str, mode: Mode, list: [usize; 2]) -> usize {
    for &index in &list {
        folio_get(&k.folios[index], ISOLATION);
    }
    k.task(0, name, move |k| {
        let _in = enter("compact_zone");
        migrate_pages(k, &list, Migrator { mode, memalloc: false, me: 0 });
    })
}

/// B, then A; or A, then B.
const fn list(a_first: bool) -> [usize; 2] {
    if a_first { [1, 0] } else { [0, 1] }
}

const ASYNC: u8 = 0;
const LIGHT: u8 = 1;
const SYNC: u8 = 2;

const fn mode(mode: u8) -> Mode {
    match mode {
        ASYNC => Mode::Async,
        LIGHT => Mode::SyncLight,
        _ => Mode::Sync,
    }
}

const fn of_two(
    name: &'static str,
    about: &'static str,
    sizes: Sizes,
    play: fn(&Arc<Kernel>),
) -> Scenario {
    Scenario { name, about, sizes, play, at_end: |_| {}, choices: 0 }
}

// D-S1.

const ON_LOOP: Sizes = Sizes { aops: &[Aops::BuffersNorefs], ..TWO };

const JBD2: &str = "B is metadata on a loop device, A the folio of its backing file. CPU0 migrates both; on \
                    CPU1 jbd2 writes the buffer of B; on CPU2 the loop worker serves the write, for which \
                    it needs A.";

fn jbd2_writes<const MODE: u8, const A_FIRST: bool>(k: &Arc<Kernel>) {
    let bh = &k.buffer_heads[0];
    put_bh(bh, Name::new("user of the bh"));
    set_bit(BH_DIRTY, &bh.b_state);
    for folio in &k.folios[..2] {
        set_bit(PG_UPTODATE, &folio.flags);
    }
    folio_get(&k.folios[1], Name::new("loop worker"));
    let m = migrator(k, "kcompactd0", mode(MODE), list(A_FIRST));
    let jbd2 = k.task(1, "jbd2", |k| {
        __flush_batch(k, &k.buffer_heads[0], 1, |k| {
            loop_queue_work(k, 2, Backing::Folio(1), Completion::EndsBuffer(0), 2);
        });
    });
    join(m);
    join(jbd2);
}

static D_S1: [Scenario; 6] = [
    of_two("jbd2_writes_to_loop_async_ba", JBD2, ON_LOOP, jbd2_writes::<ASYNC, false>),
    of_two("jbd2_writes_to_loop_async_ab", JBD2, ON_LOOP, jbd2_writes::<ASYNC, true>),
    of_two("jbd2_writes_to_loop_sync_light_ba", JBD2, ON_LOOP, jbd2_writes::<LIGHT, false>),
    of_two("jbd2_writes_to_loop_sync_light_ab", JBD2, ON_LOOP, jbd2_writes::<LIGHT, true>),
    of_two("jbd2_writes_to_loop_sync_ba", JBD2, ON_LOOP, jbd2_writes::<SYNC, false>),
    of_two("jbd2_writes_to_loop_sync_ab", JBD2, ON_LOOP, jbd2_writes::<SYNC, true>),
];

// E-S1.

const WRITTEN: Sizes = Sizes { writeback: true, dirty: true, ..TWO };

const FLUSH: &str = "B and A are folios of one file, B before A, both looked up by the flush worker as dirty; A has been \
                     written by somebody else since. On CPU1 the flush worker adds B to a bio, which it submits \
                     when it has looked at A, too; the I/O ends on CPU2. CPU0 migrates both.";

fn flush_writes<const MODE: u8, const A_FIRST: bool>(k: &Arc<Kernel>) {
    set_bit(PG_DIRTY, &k.folios[0].flags);
    // The flush worker has looked both up: it keeps its references to the end.
    for folio in &k.folios[..2] {
        folio_get(folio, Name::new("writeback"));
    }
    let m = migrator(k, "repro", mode(MODE), list(A_FIRST));
    let flush = k.task(1, "flush worker", |k| {
        iomap_writepages(k, &[0, 1], SyncMode::None, 1).into_iter().for_each(join);
    });
    join(m);
    join(flush);
}

static E_S1: [Scenario; 6] = [
    of_two("flush_writes_one_bio_async_ba", FLUSH, WRITTEN, flush_writes::<ASYNC, false>),
    of_two("flush_writes_one_bio_async_ab", FLUSH, WRITTEN, flush_writes::<ASYNC, true>),
    of_two("flush_writes_one_bio_sync_light_ba", FLUSH, WRITTEN, flush_writes::<LIGHT, false>),
    of_two("flush_writes_one_bio_sync_light_ab", FLUSH, WRITTEN, flush_writes::<LIGHT, true>),
    of_two("flush_writes_one_bio_sync_ba", FLUSH, WRITTEN, flush_writes::<SYNC, false>),
    of_two("flush_writes_one_bio_sync_ab", FLUSH, WRITTEN, flush_writes::<SYNC, true>),
];

// E-S2.

const LOOP_IO: &str = "B is under writeback to a loop device, A the folio of its backing file. On CPU1 the loop \
                       worker serves the write, for which it needs A. CPU0 migrates both.";

fn loop_ends_writeback<const MODE: u8, const A_FIRST: bool>(k: &Arc<Kernel>) {
    let b = &k.folios[0];
    assert!(folio_trylock(k, b), "nobody else runs yet");
    folio_start_writeback(b);
    folio_unlock(k, b);
    folio_get(&k.folios[1], Name::new("loop worker"));
    let m = migrator(k, "repro", mode(MODE), list(A_FIRST));
    let worker = k.task(1, "loop worker", |k| {
        loop_process_work(k, Backing::Folio(1), Completion::EndsWriteback(0), 1);
    });
    join(m);
    join(worker);
}

static E_S2: [Scenario; 6] = [
    of_two("loop_ends_writeback_async_ba", LOOP_IO, WRITTEN, loop_ends_writeback::<ASYNC, false>),
    of_two("loop_ends_writeback_async_ab", LOOP_IO, WRITTEN, loop_ends_writeback::<ASYNC, true>),
    of_two(
        "loop_ends_writeback_sync_light_ba",
        LOOP_IO,
        WRITTEN,
        loop_ends_writeback::<LIGHT, false>,
    ),
    of_two(
        "loop_ends_writeback_sync_light_ab",
        LOOP_IO,
        WRITTEN,
        loop_ends_writeback::<LIGHT, true>,
    ),
    of_two("loop_ends_writeback_sync_ba", LOOP_IO, WRITTEN, loop_ends_writeback::<SYNC, false>),
    of_two("loop_ends_writeback_sync_ab", LOOP_IO, WRITTEN, loop_ends_writeback::<SYNC, true>),
];

// E-S4.

const END_IO: &str = "F is a file's folio under writeback, N the folio of its inode's block. On CPU1 ext4's worker \
                      locks N for a moment, then ends the writeback. CPU0 migrates both. (The lookup \
                      that locks N is of 2025; with the batches of early 2023 it never shipped.)";

fn ext4_ends_writeback<const A_FIRST: bool>(k: &Arc<Kernel>) {
    let f = &k.folios[0];
    assert!(folio_trylock(k, f), "nobody else runs yet");
    folio_start_writeback(f);
    folio_unlock(k, f);
    folio_get(&k.folios[1], Name::new("bdev_getblk"));
    let m = migrator(k, "migrator", Mode::Sync, list(A_FIRST));
    let worker = k.task(1, "ext4 end_io", |k| ext4_end_io_end(k, 0, 1, 1));
    join(m);
    join(worker);
}

static E_S4: [Scenario; 2] = [
    of_two("ext4_end_io_locks_bdev_folio_fn", END_IO, WRITTEN, ext4_ends_writeback::<false>),
    of_two("ext4_end_io_locks_bdev_folio_nf", END_IO, WRITTEN, ext4_ends_writeback::<true>),
];

// A split in a batch.

const B_IS_LARGE: Sizes = Sizes { cpus: 2, without_target: &[0], ..TWO };

const SPLITS: &str = "B is large, and there is no target of its size. CPU0 migrates A and B; CPU1 has B locked and \
                      then locks A.";

fn locker_of_both<const MODE: u8, const A_FIRST: bool>(k: &Arc<Kernel>) {
    for folio in &k.folios[..2] {
        set_bit(PG_UPTODATE, &folio.flags);
    }
    let holder = Name::new("locker");
    for folio in &k.folios[..2] {
        folio_get(folio, holder);
    }
    let m = migrator(k, "kcompactd0", mode(MODE), list(A_FIRST));
    let locker = k.task(1, "locker", move |k| {
        let _in = enter("ext4_writepages");
        folio_lock(k, &k.folios[0], 1);
        folio_lock(k, &k.folios[1], 1);
        for folio in k.folios[..2].iter().rev() {
            folio_unlock(k, folio);
            folio_put(k, folio, holder);
        }
    });
    join(m);
    join(locker);
}

static SPLIT_VS_LOCKER: [Scenario; 6] = [
    of_two("split_vs_locker_async_ba", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, false>),
    of_two("split_vs_locker_async_ab", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, true>),
    of_two("split_vs_locker_sync_light_ba", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, false>),
    of_two("split_vs_locker_sync_light_ab", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, true>),
    of_two("split_vs_locker_sync_ba", SPLITS, B_IS_LARGE, locker_of_both::<SYNC, false>),
    of_two("split_vs_locker_sync_ab", SPLITS, B_IS_LARGE, locker_of_both::<SYNC, true>),
];

const BA: usize = 0;
const AB: usize = 1;
const IN_ASYNC: usize = 0;
const IN_LIGHT: usize = 2;
const IN_SYNC: usize = 4;

const fn topic(
    scenario: &'static Scenario,
    rule: Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "seed004", rule, scenario, source, reached }
}

const fn d_s1(at: usize) -> Topic {
    let reached = &[FOUND_A_LOCKED_BUFFER, SERVED];
    topic(&D_S1[at], NOBODY_WAITS_FOR_EVER, "kernel-migrate:D-S1", reached)
}

const fn e_s1(at: usize) -> Topic {
    let reached = &[FOUND_WRITEBACK, "a folio was written"];
    topic(&E_S1[at], NOBODY_WAITS_FOR_EVER, "kernel-migrate:E-S1", reached)
}

const fn e_s2(at: usize) -> Topic {
    let reached = &[FOUND_WRITEBACK, SERVED];
    topic(&E_S2[at], NOBODY_WAITS_FOR_EVER, "kernel-migrate:E-S2", reached)
}

const fn e_s4(at: usize) -> Topic {
    topic(&E_S4[at], NOBODY_WAITS_FOR_EVER, "kernel-migrate:E-S4", &[FOUND_WRITEBACK])
}

const fn split(at: usize) -> Topic {
    let source = "own: commit 2e6506e1c4ee tries the lock since 6.11; until then a split waits";
    topic(&SPLIT_VS_LOCKER[at], NOBODY_WAITS_FOR_EVER, source, &[SPLIT])
}

// C.3: these scenarios, asked for what is locked at each wait.

static C3: [Scenario; 4] = [
    of_two("held_while_jbd2_writes_to_loop", JBD2, ON_LOOP, jbd2_writes::<LIGHT, false>),
    of_two("held_while_flush_writes_one_bio", FLUSH, WRITTEN, flush_writes::<SYNC, false>),
    of_two("held_while_split_sync_light", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, true>),
    of_two("held_while_split_async", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, true>),
];

const fn pair(at: usize, reached: &'static [&'static str]) -> Topic {
    let source = "kernel-migrate:C.3, the invariant";
    topic(&C3[at], WAITING_MIGRATION_HOLDS_ITS_PAIR, source, reached)
}

const PAIR_JBD2: Topic = pair(0, &[FOUND_A_LOCKED_BUFFER]);
const PAIR_FLUSH: Topic = pair(1, &[FOUND_WRITEBACK]);
const PAIR_SPLIT_LIGHT: Topic = pair(2, &[SPLIT]);
const PAIR_SPLIT_ASYNC: Topic = pair(3, &[SPLIT]);

/// kernel-migrate E-S3: every execution of the search ends, so that each batch that gave way was
/// tried again and came to an end.
const fn e_s3() -> Topic {
    Topic { scenario: &E_S3, source: "kernel-migrate:E-S3", ..e_s1(IN_SYNC + BA) }
}

static E_S3: Scenario = Scenario { name: "flush_writes_one_bio_to_the_end", ..E_S1_BA };
const E_S1_BA: Scenario =
    of_two("flush_writes_one_bio_sync_ba", FLUSH, WRITTEN, flush_writes::<SYNC, false>);

const HUGH: &str = "own: kernel-migrate C.3: nothing blocks while another pair is locked";
const BOTH: &str = "own: both patches together";

pub(super) static CLAIMS: &[Claim] = &[
    d_s1(IN_ASYNC + BA).holds(&M0, DPOR),
    d_s1(IN_ASYNC + BA).holds(&M2, DPOR),
    d_s1(IN_ASYNC + BA).holds(&M4, DPOR),
    d_s1(IN_ASYNC + BA).holds(&M7, DPOR),
    d_s1(IN_ASYNC + AB).holds(&M0, DPOR),
    d_s1(IN_ASYNC + AB).holds(&M2, DPOR),
    d_s1(IN_ASYNC + AB).holds(&M4, DPOR),
    d_s1(IN_ASYNC + AB).holds(&M7, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M0, DPOR),
    d_s1(IN_LIGHT + BA).violated(&M2, DPOR),
    d_s1(IN_LIGHT + BA).violated(&M2_W, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M2_H, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M2_W_H, DPOR),
    d_s1(IN_LIGHT + BA).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M3, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M4, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M5, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M6, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M6S, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M7A, DPOR),
    d_s1(IN_LIGHT + BA).holds(&M7, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M0, DPOR),
    d_s1(IN_LIGHT + AB).violated(&M2, DPOR),
    d_s1(IN_LIGHT + AB).violated(&M2_W, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M2_H, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M2_W_H, DPOR),
    d_s1(IN_LIGHT + AB).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M3, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M4, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M5, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M6, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M6S, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M7A, DPOR),
    d_s1(IN_LIGHT + AB).holds(&M7, DPOR),
    d_s1(IN_SYNC + BA).holds(&M0, DPOR),
    d_s1(IN_SYNC + BA).violated(&M2, DPOR),
    d_s1(IN_SYNC + BA).violated(&M2_W, DPOR),
    d_s1(IN_SYNC + BA).holds(&M2_H, DPOR),
    d_s1(IN_SYNC + BA).holds(&M2_W_H, DPOR),
    d_s1(IN_SYNC + BA).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    d_s1(IN_SYNC + BA).holds(&M3, DPOR),
    d_s1(IN_SYNC + BA).holds(&M4, DPOR),
    d_s1(IN_SYNC + BA).holds(&M5, DPOR),
    d_s1(IN_SYNC + BA).holds(&M6, DPOR),
    d_s1(IN_SYNC + BA).holds(&M6S, DPOR),
    d_s1(IN_SYNC + BA).holds(&M7A, DPOR),
    d_s1(IN_SYNC + BA).holds(&M7, DPOR),
    d_s1(IN_SYNC + AB).holds(&M0, DPOR),
    d_s1(IN_SYNC + AB).violated(&M2, DPOR),
    d_s1(IN_SYNC + AB).violated(&M2_W, DPOR),
    d_s1(IN_SYNC + AB).holds(&M2_H, DPOR),
    d_s1(IN_SYNC + AB).holds(&M2_W_H, DPOR),
    d_s1(IN_SYNC + AB).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    d_s1(IN_SYNC + AB).holds(&M3, DPOR),
    d_s1(IN_SYNC + AB).holds(&M4, DPOR),
    d_s1(IN_SYNC + AB).holds(&M7, DPOR),
    e_s1(IN_ASYNC + BA).holds(&M0, DPOR),
    e_s1(IN_ASYNC + BA).holds(&M2, DPOR),
    e_s1(IN_ASYNC + BA).holds(&M4, DPOR),
    e_s1(IN_ASYNC + BA).holds(&M7, DPOR),
    e_s1(IN_ASYNC + AB).holds(&M0, DPOR),
    e_s1(IN_ASYNC + AB).holds(&M2, DPOR),
    e_s1(IN_ASYNC + AB).holds(&M4, DPOR),
    e_s1(IN_ASYNC + AB).holds(&M7, DPOR),
    e_s1(IN_LIGHT + BA).holds(&M0, DPOR),
    e_s1(IN_LIGHT + BA).holds(&M2, DPOR),
    e_s1(IN_LIGHT + BA).holds(&M4, DPOR),
    e_s1(IN_LIGHT + BA).holds(&M7, DPOR),
    e_s1(IN_LIGHT + AB).holds(&M0, DPOR),
    e_s1(IN_LIGHT + AB).holds(&M2, DPOR),
    e_s1(IN_LIGHT + AB).holds(&M4, DPOR),
    e_s1(IN_LIGHT + AB).holds(&M7, DPOR),
    e_s1(IN_SYNC + BA).holds(&M0, DPOR),
    e_s1(IN_SYNC + BA).violated(&M2, DPOR),
    e_s1(IN_SYNC + BA).holds(&M2_W, DPOR),
    e_s1(IN_SYNC + BA).violated(&M2_H, DPOR),
    e_s1(IN_SYNC + BA).from(BOTH).holds(&M2_W_H, DPOR),
    e_s1(IN_SYNC + BA).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    e_s1(IN_SYNC + BA).holds(&M3, DPOR),
    e_s1(IN_SYNC + BA).holds(&M4, DPOR),
    e_s1(IN_SYNC + BA).holds(&M5, DPOR),
    e_s1(IN_SYNC + BA).holds(&M6, DPOR),
    e_s1(IN_SYNC + BA).holds(&M6S, DPOR),
    e_s1(IN_SYNC + BA).holds(&M7A, DPOR),
    e_s1(IN_SYNC + BA).holds(&M7, DPOR),
    e_s1(IN_SYNC + AB).holds(&M0, DPOR),
    e_s1(IN_SYNC + AB).violated(&M2, DPOR),
    e_s1(IN_SYNC + AB).holds(&M2_W, DPOR),
    e_s1(IN_SYNC + AB).violated(&M2_H, DPOR),
    e_s1(IN_SYNC + AB).from(BOTH).holds(&M2_W_H, DPOR),
    e_s1(IN_SYNC + AB).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    e_s1(IN_SYNC + AB).holds(&M3, DPOR),
    e_s1(IN_SYNC + AB).holds(&M4, DPOR),
    e_s1(IN_SYNC + AB).holds(&M7, DPOR),
    e_s2(IN_ASYNC + BA).holds(&M0, DPOR),
    e_s2(IN_ASYNC + BA).holds(&M2, DPOR),
    e_s2(IN_ASYNC + BA).holds(&M4, DPOR),
    e_s2(IN_ASYNC + BA).holds(&M7, DPOR),
    e_s2(IN_ASYNC + AB).holds(&M0, DPOR),
    e_s2(IN_ASYNC + AB).holds(&M2, DPOR),
    e_s2(IN_ASYNC + AB).holds(&M4, DPOR),
    e_s2(IN_ASYNC + AB).holds(&M7, DPOR),
    e_s2(IN_LIGHT + BA).holds(&M0, DPOR),
    e_s2(IN_LIGHT + BA).holds(&M2, DPOR),
    e_s2(IN_LIGHT + BA).holds(&M4, DPOR),
    e_s2(IN_LIGHT + BA).holds(&M7, DPOR),
    e_s2(IN_LIGHT + AB).holds(&M0, DPOR),
    e_s2(IN_LIGHT + AB).holds(&M2, DPOR),
    e_s2(IN_LIGHT + AB).holds(&M4, DPOR),
    e_s2(IN_LIGHT + AB).holds(&M7, DPOR),
    e_s2(IN_SYNC + BA).holds(&M0, DPOR),
    e_s2(IN_SYNC + BA).violated(&M2, DPOR),
    e_s2(IN_SYNC + BA).holds(&M2_W, DPOR),
    e_s2(IN_SYNC + BA).violated(&M2_H, DPOR),
    e_s2(IN_SYNC + BA).from(BOTH).holds(&M2_W_H, DPOR),
    e_s2(IN_SYNC + BA).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    e_s2(IN_SYNC + BA).holds(&M3, DPOR),
    e_s2(IN_SYNC + BA).holds(&M4, DPOR),
    e_s2(IN_SYNC + BA).holds(&M5, DPOR),
    e_s2(IN_SYNC + BA).holds(&M6, DPOR),
    e_s2(IN_SYNC + BA).holds(&M6S, DPOR),
    e_s2(IN_SYNC + BA).holds(&M7A, DPOR),
    e_s2(IN_SYNC + BA).holds(&M7, DPOR),
    e_s2(IN_SYNC + AB).holds(&M0, DPOR),
    e_s2(IN_SYNC + AB).violated(&M2, DPOR),
    e_s2(IN_SYNC + AB).holds(&M2_W, DPOR),
    e_s2(IN_SYNC + AB).violated(&M2_H, DPOR),
    e_s2(IN_SYNC + AB).from(BOTH).holds(&M2_W_H, DPOR),
    e_s2(IN_SYNC + AB).from(HUGH).holds(&HUGH_ADJUSTED_MODE, DPOR),
    e_s2(IN_SYNC + AB).holds(&M3, DPOR),
    e_s2(IN_SYNC + AB).holds(&M4, DPOR),
    e_s2(IN_SYNC + AB).holds(&M7, DPOR),
    split(IN_ASYNC + BA).holds(&M0, DPOR),
    split(IN_ASYNC + BA).holds(&M2, DPOR),
    split(IN_ASYNC + BA).holds(&M3, DPOR),
    split(IN_ASYNC + BA).holds(&M4, DPOR),
    split(IN_ASYNC + BA).holds(&M7, DPOR),
    split(IN_ASYNC + AB).holds(&M0, DPOR),
    split(IN_ASYNC + AB).violated(&M2, DPOR),
    split(IN_ASYNC + AB).violated(&M2_W, DPOR),
    split(IN_ASYNC + AB).violated(&M2_H, DPOR),
    split(IN_ASYNC + AB).violated(&M2_W_H, DPOR),
    split(IN_ASYNC + AB).violated(&HUGH_ADJUSTED_MODE, DPOR),
    split(IN_ASYNC + AB).violated(&M3, DPOR),
    split(IN_ASYNC + AB).violated(&M4, DPOR),
    split(IN_ASYNC + AB).violated(&M5, DPOR),
    split(IN_ASYNC + AB).holds(&M6, DPOR),
    split(IN_ASYNC + AB).holds(&M6S, DPOR),
    split(IN_ASYNC + AB).holds(&M7A, DPOR),
    split(IN_ASYNC + AB).holds(&M7, DPOR),
    split(IN_LIGHT + BA).holds(&M0, DPOR),
    split(IN_LIGHT + BA).holds(&M2, DPOR),
    split(IN_LIGHT + BA).holds(&M3, DPOR),
    split(IN_LIGHT + BA).holds(&M4, DPOR),
    split(IN_LIGHT + BA).holds(&M7, DPOR),
    split(IN_LIGHT + AB).holds(&M0, DPOR),
    split(IN_LIGHT + AB).violated(&M2, DPOR),
    split(IN_LIGHT + AB).violated(&M2_W, DPOR),
    split(IN_LIGHT + AB).violated(&M2_H, DPOR),
    split(IN_LIGHT + AB).violated(&M2_W_H, DPOR),
    split(IN_LIGHT + AB).violated(&HUGH_ADJUSTED_MODE, DPOR),
    split(IN_LIGHT + AB).holds(&M3, DPOR),
    split(IN_LIGHT + AB).violated(&M4, DPOR),
    split(IN_LIGHT + AB).violated(&M5, DPOR),
    split(IN_LIGHT + AB).holds(&M6, DPOR),
    split(IN_LIGHT + AB).holds(&M6S, DPOR),
    split(IN_LIGHT + AB).holds(&M7A, DPOR),
    split(IN_LIGHT + AB).holds(&M7, DPOR),
    split(IN_SYNC + BA).holds(&M0, DPOR),
    split(IN_SYNC + BA).holds(&M2, DPOR),
    split(IN_SYNC + BA).holds(&M3, DPOR),
    split(IN_SYNC + BA).holds(&M4, DPOR),
    split(IN_SYNC + BA).holds(&M7, DPOR),
    split(IN_SYNC + AB).holds(&M0, DPOR),
    split(IN_SYNC + AB).violated(&M2, DPOR),
    split(IN_SYNC + AB).violated(&M2_W, DPOR),
    split(IN_SYNC + AB).violated(&M2_H, DPOR),
    split(IN_SYNC + AB).violated(&M2_W_H, DPOR),
    split(IN_SYNC + AB).violated(&HUGH_ADJUSTED_MODE, DPOR),
    split(IN_SYNC + AB).holds(&M3, DPOR),
    split(IN_SYNC + AB).violated(&M4, DPOR),
    split(IN_SYNC + AB).violated(&M5, DPOR),
    split(IN_SYNC + AB).holds(&M6, DPOR),
    split(IN_SYNC + AB).holds(&M6S, DPOR),
    split(IN_SYNC + AB).holds(&M7A, DPOR),
    split(IN_SYNC + AB).holds(&M7, DPOR),
    e_s4(BA).holds(&M0, DPOR),
    e_s4(BA).violated(&M2, DPOR),
    e_s4(BA).holds(&M2_W, DPOR),
    e_s4(BA).violated(&M2_H, DPOR),
    e_s4(BA).holds(&M4, DPOR),
    e_s4(BA).holds(&M7, DPOR),
    e_s4(AB).holds(&M0, DPOR),
    e_s4(AB).violated(&M2, DPOR),
    e_s4(AB).holds(&M2_W, DPOR),
    e_s4(AB).violated(&M2_H, DPOR),
    e_s4(AB).holds(&M4, DPOR),
    e_s4(AB).holds(&M7, DPOR),
    PAIR_JBD2.holds(&M0, DPOR),
    PAIR_JBD2.violated(&M2, DPOR),
    PAIR_JBD2.violated(&M2_W, DPOR),
    PAIR_JBD2.holds(&M2_H, DPOR),
    PAIR_JBD2.holds(&M2_W_H, DPOR),
    PAIR_JBD2.holds(&HUGH_ADJUSTED_MODE, DPOR),
    PAIR_JBD2.holds(&M3, DPOR),
    PAIR_JBD2.holds(&M4, DPOR),
    PAIR_JBD2.holds(&M5, DPOR),
    PAIR_JBD2.holds(&M6, DPOR),
    PAIR_JBD2.holds(&M6S, DPOR),
    PAIR_JBD2.holds(&M7A, DPOR),
    PAIR_JBD2.holds(&M7, DPOR),
    PAIR_FLUSH.holds(&M0, DPOR),
    PAIR_FLUSH.violated(&M2, DPOR),
    PAIR_FLUSH.holds(&M2_W, DPOR),
    PAIR_FLUSH.violated(&M2_H, DPOR),
    PAIR_FLUSH.holds(&M2_W_H, DPOR),
    PAIR_FLUSH.holds(&HUGH_ADJUSTED_MODE, DPOR),
    PAIR_FLUSH.holds(&M3, DPOR),
    PAIR_FLUSH.holds(&M4, DPOR),
    PAIR_FLUSH.holds(&M5, DPOR),
    PAIR_FLUSH.holds(&M6, DPOR),
    PAIR_FLUSH.holds(&M6S, DPOR),
    PAIR_FLUSH.holds(&M7A, DPOR),
    PAIR_FLUSH.holds(&M7, DPOR),
    PAIR_SPLIT_LIGHT.holds(&M0, DPOR),
    PAIR_SPLIT_LIGHT.violated(&M2, DPOR),
    PAIR_SPLIT_LIGHT.violated(&M2_W, DPOR),
    PAIR_SPLIT_LIGHT.violated(&M2_H, DPOR),
    PAIR_SPLIT_LIGHT.violated(&M2_W_H, DPOR),
    PAIR_SPLIT_LIGHT.violated(&HUGH_ADJUSTED_MODE, DPOR),
    PAIR_SPLIT_LIGHT.holds(&M3, DPOR),
    PAIR_SPLIT_LIGHT.violated(&M4, DPOR),
    PAIR_SPLIT_LIGHT.violated(&M5, DPOR),
    PAIR_SPLIT_LIGHT.holds(&M6, DPOR),
    PAIR_SPLIT_LIGHT.holds(&M6S, DPOR),
    PAIR_SPLIT_LIGHT.holds(&M7A, DPOR),
    PAIR_SPLIT_LIGHT.holds(&M7, DPOR),
    PAIR_SPLIT_ASYNC.holds(&M0, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M2, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M2_W, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M2_H, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M2_W_H, DPOR),
    PAIR_SPLIT_ASYNC.violated(&HUGH_ADJUSTED_MODE, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M3, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M4, DPOR),
    PAIR_SPLIT_ASYNC.violated(&M5, DPOR),
    PAIR_SPLIT_ASYNC.holds(&M6, DPOR),
    PAIR_SPLIT_ASYNC.holds(&M6S, DPOR),
    PAIR_SPLIT_ASYNC.holds(&M7A, DPOR),
    PAIR_SPLIT_ASYNC.holds(&M7, DPOR),
    Topic { reached: &[WOULD_DEADLOCK, FOUND_WRITEBACK], ..e_s3() }.holds(&M2_W, DPOR),
];
