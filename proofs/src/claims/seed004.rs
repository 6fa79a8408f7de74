//! Seed 004: migration in batches, with several folios locked at once, and whom it waits for
//! meanwhile. kernel-migrate sections C.7, D.5 and E.5 as far as they are about deadlocks.
//!
//! Each scenario is played in all modes that its row of the sheet names, and with both orders of
//! the list of folios. B is folio 0, A is folio 1.

use selvedge_kernel::{enter, join, set_bit};
use selvedge_models::drivers::block::r#loop::{
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
use selvedge_models::{BH_DIRTY, Machine, PG_DIRTY, PG_UPTODATE};
use selvedge_trace::Name;

use super::DPOR;
use crate::Source::{self, Analysis};
use crate::rules::{NOBODY_WAITS_FOR_EVER, WAITING_MIGRATION_HOLDS_ITS_PAIR};
use crate::{Answers, Question, Run, Scenario, ask};

/// Two folios that migrate, each with a target; three CPUs.
const TWO: Machine = Machine::TINY.cpus(3).folios(2).spares().sleepers(3);

/// Sleeper 0 isolates both folios and migrates them in this mode, in this order.
fn migrator(k: &Run, name: &str, mode: Mode, list: [usize; 2]) -> usize {
    for &index in &list {
        folio_get(&k.folios[index], ISOLATION);
    }
    k.task(0, name, move |k| {
        let _in = enter("compact_zone");
        migrate_pages(k, &list, Migrator { mode, memalloc: false });
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
    machine: Machine,
    setup: fn(&Run),
) -> Scenario {
    Scenario { name, about, machine, setup, ..Scenario::EMPTY }
}

// D-S1.

const ON_LOOP: Machine = TWO.aops(&[Aops::BuffersNorefs]);

const JBD2: &str = "B is metadata on a loop device, A the folio of its backing file. CPU0 \
                    migrates both; on CPU1 jbd2 writes the buffer of B; on CPU2 the loop \
                    worker serves the write, for which it needs A.";

fn jbd2_writes<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    let bh = &k.buffer_heads[0];
    put_bh(bh, Name::new("user of the bh"));
    set_bit(BH_DIRTY, &bh.b_state);
    for folio in &k.folios[..2] {
        set_bit(PG_UPTODATE, &folio.flags);
    }
    folio_get(&k.folios[1], Name::new("loop worker"));
    let m = migrator(k, "kcompactd0", mode(MODE), list(A_FIRST));
    let jbd2 = k.task(1, "jbd2", |k| {
        __flush_batch(k, &k.buffer_heads[0], |k| {
            loop_queue_work(k, 2, Backing::Folio(1), Completion::EndsBuffer(0));
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

const WRITTEN: Machine = TWO.writeback().dirty();

const FLUSH: &str = "B and A are folios of one file, B before A, both looked up by the flush \
                     worker as dirty; A has been written by somebody else since. On CPU1 the \
                     flush worker adds B to a bio, which it submits when it has looked at A, \
                     too; the I/O ends on CPU2. CPU0 migrates both.";

fn flush_writes<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    set_bit(PG_DIRTY, &k.folios[0].flags);
    // The flush worker has looked both up: it keeps its references to the end.
    for folio in &k.folios[..2] {
        folio_get(folio, Name::new("writeback"));
    }
    let m = migrator(k, "repro", mode(MODE), list(A_FIRST));
    let flush = k.task(1, "flush worker", |k| {
        iomap_writepages(k, &[0, 1], SyncMode::None).into_iter().for_each(join);
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

const LOOP_IO: &str = "B is under writeback to a loop device, A the folio of its backing file. \
                       On CPU1 the loop worker serves the write, for which it needs A. CPU0 \
                       migrates both.";

fn loop_ends_writeback<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    let b = &k.folios[0];
    assert!(folio_trylock(b), "nobody else runs yet");
    folio_start_writeback(b);
    folio_unlock(k, b);
    folio_get(&k.folios[1], Name::new("loop worker"));
    let m = migrator(k, "repro", mode(MODE), list(A_FIRST));
    let worker = k.task(1, "loop worker", |k| {
        loop_process_work(k, Backing::Folio(1), Completion::EndsWriteback(0));
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

const END_IO: &str = "F is a file's folio under writeback, N the folio of its inode's block. \
                      On CPU1 ext4's worker locks N for a moment, then ends the writeback. \
                      CPU0 migrates both. (The lookup that locks N is of 2025; with the \
                      batches of early 2023 it never shipped.)";

fn ext4_ends_writeback<const A_FIRST: bool>(k: &Run) {
    let f = &k.folios[0];
    assert!(folio_trylock(f), "nobody else runs yet");
    folio_start_writeback(f);
    folio_unlock(k, f);
    folio_get(&k.folios[1], Name::new("bdev_getblk"));
    let m = migrator(k, "migrator", Mode::Sync, list(A_FIRST));
    let worker = k.task(1, "ext4 end_io", |k| ext4_end_io_end(k, 0, 1));
    join(m);
    join(worker);
}

static E_S4: [Scenario; 2] = [
    of_two("ext4_end_io_locks_bdev_folio_fn", END_IO, WRITTEN, ext4_ends_writeback::<false>),
    of_two("ext4_end_io_locks_bdev_folio_nf", END_IO, WRITTEN, ext4_ends_writeback::<true>),
];

// A split in a batch.

const B_IS_LARGE: Machine = TWO.cpus(2).without_target(&[0]);

const SPLITS: &str = "B is large, and there is no target of its size. CPU0 migrates A and B; \
                      CPU1 has B locked and then locks A.";

fn locker_of_both<const MODE: u8, const A_FIRST: bool>(k: &Run) {
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
        folio_lock(k, &k.folios[0]);
        folio_lock(k, &k.folios[1]);
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

// C.3: these scenarios, asked for what is locked at each wait.

static C3: [Scenario; 4] = [
    of_two("held_while_jbd2_writes_to_loop", JBD2, ON_LOOP, jbd2_writes::<LIGHT, false>),
    of_two("held_while_flush_writes_one_bio", FLUSH, WRITTEN, flush_writes::<SYNC, false>),
    of_two("held_while_split_sync_light", SPLITS, B_IS_LARGE, locker_of_both::<LIGHT, true>),
    of_two("held_while_split_async", SPLITS, B_IS_LARGE, locker_of_both::<ASYNC, true>),
];

/// kernel-migrate E-S3: every execution of the search ends, so that each batch that gave way was
/// tried again and came to an end.
static E_S3: Scenario = Scenario { name: "flush_writes_one_bio_to_the_end", ..E_S1_BA };
const E_S1_BA: Scenario =
    of_two("flush_writes_one_bio_sync_ba", FLUSH, WRITTEN, flush_writes::<SYNC, false>);

const HUGH: Source = Analysis("kernel-migrate:C.3: nothing blocks while another pair is locked");
const BOTH: Source = Analysis("both patches together");

const LOCKED_BUFFER: &[&str] = &[FOUND_A_LOCKED_BUFFER, SERVED];
const WRITEBACK: &[&str] = &[FOUND_WRITEBACK, "a folio was written"];
const LOOP_WRITEBACK: &[&str] = &[FOUND_WRITEBACK, SERVED];
/// It tries the lock since 6.11.
const SPLIT_WAITS: Source =
    Source::Commit { id: "2e6506e1c4ee", remark: "until then a split waits" };

fn hang(scenario: &'static Scenario, source: Source, reached: &'static [&'static str]) -> Question {
    ask(NOBODY_WAITS_FOR_EVER, scenario, source, reached)
}

fn pair(at: usize, reached: &'static [&'static str]) -> Question {
    let source = Analysis("kernel-migrate:C.3: the invariant");
    ask(WAITING_MIGRATION_HOLDS_ITS_PAIR, &C3[at], source, reached)
}

pub(super) fn claims() -> Vec<Answers> {
    let all = [jbd2(), flush(), loop_io(), splits(), ext4(), pairs(), gives_way()];
    all.into_iter().flatten().collect()
}

fn jbd2() -> Vec<Answers> {
    vec![
        hang(&D_S1[IN_ASYNC + BA], Source::migrate("D-S1"), LOCKED_BUFFER)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&D_S1[IN_ASYNC + AB], Source::migrate("D-S1"), LOCKED_BUFFER)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M7]),
        hang(&D_S1[IN_LIGHT + BA], Source::migrate("D-S1"), LOCKED_BUFFER)
            .under(DPOR)
            .holds(&[&M0, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
        hang(&D_S1[IN_LIGHT + AB], Source::migrate("D-S1"), LOCKED_BUFFER)
            .under(DPOR)
            .holds(&[&M0, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
        hang(&D_S1[IN_SYNC + BA], Source::migrate("D-S1"), LOCKED_BUFFER)
            .under(DPOR)
            .holds(&[&M0, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
        hang(&D_S1[IN_SYNC + AB], Source::migrate("D-S1"), LOCKED_BUFFER)
            .under(DPOR)
            .holds(&[&M0, &M2_H, &M2_W_H, &M3, &M4, &M7])
            .violated(&[&M2, &M2_W])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
    ]
}

fn flush() -> Vec<Answers> {
    vec![
        hang(&E_S1[IN_ASYNC + BA], Source::migrate("E-S1"), WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&E_S1[IN_ASYNC + AB], Source::migrate("E-S1"), WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&E_S1[IN_LIGHT + BA], Source::migrate("E-S1"), WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M7]),
        hang(&E_S1[IN_LIGHT + AB], Source::migrate("E-S1"), WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M7]),
        hang(&E_S1[IN_SYNC + BA], Source::migrate("E-S1"), WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_H])
            .holds_as(BOTH, &[&M2_W_H])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
        hang(&E_S1[IN_SYNC + AB], Source::migrate("E-S1"), WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M3, &M4, &M7])
            .violated(&[&M2, &M2_H])
            .holds_as(BOTH, &[&M2_W_H])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
    ]
}

fn loop_io() -> Vec<Answers> {
    vec![
        hang(&E_S2[IN_ASYNC + BA], Source::migrate("E-S2"), LOOP_WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&E_S2[IN_ASYNC + AB], Source::migrate("E-S2"), LOOP_WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&E_S2[IN_LIGHT + BA], Source::migrate("E-S2"), LOOP_WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&E_S2[IN_LIGHT + AB], Source::migrate("E-S2"), LOOP_WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2, &M4, &M6S, &M7]),
        hang(&E_S2[IN_SYNC + BA], Source::migrate("E-S2"), LOOP_WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_H])
            .holds_as(BOTH, &[&M2_W_H])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
        hang(&E_S2[IN_SYNC + AB], Source::migrate("E-S2"), LOOP_WRITEBACK)
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M3, &M4, &M7])
            .violated(&[&M2, &M2_H])
            .holds_as(BOTH, &[&M2_W_H])
            .holds_as(HUGH, &[&HUGH_ADJUSTED_MODE]),
    ]
}

fn splits() -> Vec<Answers> {
    vec![
        hang(&SPLIT_VS_LOCKER[IN_ASYNC + BA], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M2, &M3, &M4, &M6S, &M7]),
        hang(&SPLIT_VS_LOCKER[IN_ASYNC + AB], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M3, &M4, &M5]),
        hang(&SPLIT_VS_LOCKER[IN_LIGHT + BA], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M2, &M3, &M4, &M7]),
        hang(&SPLIT_VS_LOCKER[IN_LIGHT + AB], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M3, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M4, &M5]),
        hang(&SPLIT_VS_LOCKER[IN_SYNC + BA], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M2, &M3, &M4, &M6S, &M7]),
        hang(&SPLIT_VS_LOCKER[IN_SYNC + AB], SPLIT_WAITS, &[SPLIT])
            .under(DPOR)
            .holds(&[&M0, &M3, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M4, &M5]),
    ]
}

fn ext4() -> Vec<Answers> {
    vec![
        hang(&E_S4[BA], Source::migrate("E-S4"), &[FOUND_WRITEBACK])
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M4, &M6S, &M7])
            .violated(&[&M2, &M2_H]),
        hang(&E_S4[AB], Source::migrate("E-S4"), &[FOUND_WRITEBACK])
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M4, &M7])
            .violated(&[&M2, &M2_H]),
    ]
}

fn pairs() -> Vec<Answers> {
    vec![
        pair(0, &[FOUND_A_LOCKED_BUFFER])
            .under(DPOR)
            .holds(&[&M0, &M2_H, &M2_W_H, &HUGH_ADJUSTED_MODE, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
            .violated(&[&M2, &M2_W]),
        // From M5 on the scenario takes the same steps in every tree: E-S1 asks all of them.
        pair(1, &[FOUND_WRITEBACK])
            .under(DPOR)
            .holds(&[&M0, &M2_W, &M2_W_H, &HUGH_ADJUSTED_MODE, &M3, &M4, &M7])
            .violated(&[&M2, &M2_H]),
        pair(2, &[SPLIT]).under(DPOR).holds(&[&M0, &M3, &M6, &M6S, &M7A, &M7]).violated(&[
            &M2,
            &M2_W,
            &M2_H,
            &M2_W_H,
            &HUGH_ADJUSTED_MODE,
            &M4,
            &M5,
        ]),
        pair(3, &[SPLIT]).under(DPOR).holds(&[&M0, &M6, &M6S, &M7A, &M7]).violated(&[
            &M2,
            &M2_W,
            &M2_H,
            &M2_W_H,
            &HUGH_ADJUSTED_MODE,
            &M3,
            &M4,
            &M5,
        ]),
    ]
}

fn gives_way() -> Vec<Answers> {
    vec![
        hang(&E_S3, Source::migrate("E-S3"), &[WOULD_DEADLOCK, FOUND_WRITEBACK])
            .under(DPOR)
            .holds(&[&M2_W]),
    ]
}
