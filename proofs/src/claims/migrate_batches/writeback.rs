//! A folio under writeback whose end needs a folio that the migration has locked: kernel-migrate
//! E.5.

use selvedge_kernel::{join, set_bit};
use selvedge_models::drivers::block::r#loop::{Backing, Completion, SERVED, loop_process_work};
use selvedge_models::fs::ext4::ext4_end_io_end;
use selvedge_models::fs::iomap::{SUBMITTED_EARLY, iomap_writepages};
use selvedge_models::mm::filemap::{folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{FOUND_WRITEBACK, WAITED_FOR_WRITEBACK, WOULD_DEADLOCK};
use selvedge_models::mm::page_writeback::{SyncMode, folio_start_writeback};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::trees::{M2, M3, M4, M5, M6, M7};
use selvedge_models::{Machine, PG_DIRTY, Tree};
use selvedge_trace::Name;

use super::*;
use crate::Answers;
use crate::states::{SLEPT, WAITED_FOR_SOURCE};

/// With writeback.
pub(super) const WRITTEN: Machine = TWO.writeback().dirty();

// E-S1.

/// The flush worker has references to both folios to the end: what the end of the I/O takes and
/// drops besides makes no difference to anybody.
const FLUSHED: Machine = WRITTEN.writeback_pins(false);

const FLUSH: &str = "B and A are folios of one file, B before A, both looked up by the flush worker as dirty; A \
     has been written by somebody else since. On CPU1 the flush worker adds B to a bio, which it \
     submits when it has looked at A, too; the I/O ends on CPU2. CPU0 migrates both. The flush \
     worker keeps its references to both, which so never migrate.";

fn flush_writes<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    set_bit(PG_DIRTY, &k.folios[0].flags);
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
    of_two("flush_writes_one_bio_async_ba", FLUSH, FLUSHED, flush_writes::<ASYNC, false>),
    of_two("flush_writes_one_bio_async_ab", FLUSH, FLUSHED, flush_writes::<ASYNC, true>),
    of_two("flush_writes_one_bio_sync_light_ba", FLUSH, FLUSHED, flush_writes::<LIGHT, false>),
    of_two("flush_writes_one_bio_sync_light_ab", FLUSH, FLUSHED, flush_writes::<LIGHT, true>),
    of_two("flush_writes_one_bio_sync_ba", FLUSH, FLUSHED, flush_writes::<SYNC, false>),
    of_two("flush_writes_one_bio_sync_ab", FLUSH, FLUSHED, flush_writes::<SYNC, true>),
];

/// kernel-migrate E-S3: every execution of the search ends, so that each batch that gave way was
/// tried again and came to an end.
static E_S3: Scenario =
    of_two("flush_writes_one_bio_to_the_end", FLUSH, FLUSHED, flush_writes::<SYNC, false>);

// E-S2.

pub(super) const LOOP_IO: &str = "B is under writeback to a loop device, A the folio of its backing file. On CPU1 the loop \
     worker serves the write, for which it needs A. CPU0 migrates both. The worker keeps its \
     reference to A, which so never migrates.";

pub(super) fn loop_ends_writeback<const MODE: u8, const A_FIRST: bool>(k: &Run) {
    let b = &k.folios[0];
    assert!(folio_trylock(b), "nobody else runs yet");
    folio_start_writeback(k, b);
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

const END_IO: &str = "F is a file's folio under writeback, N the folio of its inode's block. On CPU1 ext4's worker \
     locks N for a moment, then ends the writeback. CPU0 migrates both. (The lookup that locks N \
     is of 2025; with the batches of early 2023 it never shipped.) The worker keeps its reference \
     to N, which so never migrates.";

fn ext4_ends_writeback<const A_FIRST: bool>(k: &Run) {
    let f = &k.folios[0];
    assert!(folio_trylock(f), "nobody else runs yet");
    folio_start_writeback(k, f);
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

const BOTH: Source = Analysis("both patches together");
const FLUSH_WRITES: &str = "a folio was written";

pub(in crate::claims) fn claims() -> Vec<Answers> {
    let mut all = flush();
    all.extend(loop_io());
    all.extend(ext4());
    all.push(
        hang(&E_S3, Source::migrate("E-S3"), &[WOULD_DEADLOCK, WAITED_FOR_WRITEBACK])
            .under(DPOR)
            .holds(&[&M2_W]),
    );
    all
}

/// Trees that wait for writeback in MIGRATE_SYNC: one of those that take the same steps.
const STEPS: &[&Tree] = &[&M0, &M2_W, &M3, &M4, &M5, &M6, &M6S];

/// What lies between 6.11 and 6.15, and between 6.12.117 and 6.17, is about other parts.
fn of_steps(asked: Answers) -> Answers {
    asked.not_asked(&M6, &[&M7A]).not_asked(&M6S, &[&M7])
}

/// With A first, releases that take the same steps are not asked again.
const SOME_TREES: &[&Tree] = &[&M0, &M2_W, &M3, &M4, &M7];

fn flush() -> Vec<Answers> {
    let sheet = Source::migrate("E-S1");
    // MIGRATE_ASYNC waits for nothing, MIGRATE_SYNC_LIGHT for a folio lock.
    let found: &[&str] = &[FOUND_WRITEBACK, FLUSH_WRITES];
    let light: &[&str] = &[FOUND_WRITEBACK, FLUSH_WRITES, WAITED_FOR_SOURCE];
    let waited: &[&str] = &[WAITED_FOR_WRITEBACK, FLUSH_WRITES];
    let submitted: &[&str] = &[WAITED_FOR_WRITEBACK, SUBMITTED_EARLY];
    let of_modes = |at: usize, reached| {
        hang(&E_S1[at], sheet, reached)
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M3, &M4, &M6S, &M7])
    };
    let sync = |at: usize, trees: &[&'static Tree]| {
        hang(&E_S1[at], sheet, waited)
            .under(DPOR)
            .holds(trees)
            .broken_after(&[FOUND_WRITEBACK, FLUSH_WRITES, SLEPT])
            .violated(&[&M2, &M2_H])
            .holds_as(BOTH, &[&M2_W_H])
    };
    let hugh = |at: usize, reached| {
        hang(&E_S1[at], HUGH, reached).under(DPOR).holds(&[&HUGH_ADJUSTED_MODE])
    };
    let early = |at: usize| {
        hang(&E_S1[at], Source::migrate("E-S5"), submitted)
            .under(DPOR)
            .holds(&[&M2_SUBMIT_BEFORE_BLOCKING])
    };
    vec![
        of_modes(IN_ASYNC + BA, found),
        of_modes(IN_ASYNC + AB, found),
        // But for the look at PG_uptodate, 6.4 takes the steps of 6.17; it is asked with A first.
        hang(&E_S1[IN_LIGHT + BA], sheet, light)
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M7]),
        of_modes(IN_LIGHT + AB, light),
        of_steps(sync(IN_SYNC + BA, STEPS)),
        hugh(IN_SYNC + BA, waited),
        early(IN_SYNC + BA),
        sync(IN_SYNC + AB, SOME_TREES),
        // Once A is locked nothing is waited for.
        hugh(IN_SYNC + AB, found),
        early(IN_SYNC + AB),
    ]
}

fn loop_io() -> Vec<Answers> {
    let sheet = Source::migrate("E-S2");
    let found: &[&str] = &[FOUND_WRITEBACK, SERVED];
    let light: &[&str] = &[FOUND_WRITEBACK, SERVED, WAITED_FOR_SOURCE];
    let waited: &[&str] = &[WAITED_FOR_WRITEBACK, SERVED];
    let of_modes = |at: usize, reached| {
        hang(&E_S2[at], sheet, reached)
            .under(DPOR)
            .holds(&[&M0, &M2, &M2_W, &M2_H, &M2_W_H, &M3, &M4, &M5, &M6, &M6S, &M7A, &M7])
    };
    let sync = |at: usize, trees: &[&'static Tree]| {
        hang(&E_S2[at], sheet, waited)
            .under(DPOR)
            .holds(trees)
            .broken_after(&[FOUND_WRITEBACK, SLEPT])
            .violated(&[&M2, &M2_H])
            .holds_as(BOTH, &[&M2_W_H])
            .violated_as(Source::migrate("E-S5"), &[&M2_SUBMIT_BEFORE_BLOCKING])
    };
    let hugh = |at: usize, reached| {
        hang(&E_S2[at], HUGH, reached).under(DPOR).holds(&[&HUGH_ADJUSTED_MODE])
    };
    vec![
        of_modes(IN_ASYNC + BA, found),
        of_modes(IN_ASYNC + AB, found),
        of_modes(IN_LIGHT + BA, light),
        of_modes(IN_LIGHT + AB, light),
        of_steps(sync(IN_SYNC + BA, STEPS)),
        hugh(IN_SYNC + BA, waited),
        of_steps(sync(IN_SYNC + AB, STEPS)),
        hugh(IN_SYNC + AB, found),
    ]
}

fn ext4() -> Vec<Answers> {
    let ask = |at: usize| {
        hang(&E_S4[at], Source::migrate("E-S4"), &[WAITED_FOR_WRITEBACK])
            .under(DPOR)
            .holds(&[&M2_W, &M4, &M6S, &M7])
            .broken_after(&[FOUND_WRITEBACK, SLEPT])
            .violated(&[&M2, &M2_H])
    };
    // To a migration, ext4's worker is a loop worker: with N first, 6.1 is asked by E-S2.
    vec![ask(BA).holds(&[&M0, &M3, &M5, &M6, &M7A]), ask(AB).holds(&[&M3])]
}
