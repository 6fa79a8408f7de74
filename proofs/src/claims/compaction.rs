//! kernel-migrate section F: "mm/migrate: avoid blocking for IO in MIGRATE_SYNC_LIGHT". May a
//! migration wait for a folio lock, and what does it cost never to wait? Here: a reader that
//! compacts before it submits its I/O.
//!
//! In the trees with a time limit the timer may expire at any moment, and does at some time.

use selvedge_kernel::{blk_flush_plug, blk_plug, join, process_timeout};
use selvedge_models::mm::compaction::{
    CompactControl, PASSED_OVER_A_FILE, compact_zone, kcompactd_do_work,
};
use selvedge_models::mm::filemap::{folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{Migrator, Mode, SrcLock};
use selvedge_models::mm::readahead::{A_READ_ENDED, page_cache_ra_unbounded, submit_read};
use selvedge_models::trees::*;
use selvedge_models::{Kernel, Machine};

use super::{ALONE, SC, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::rules::NOBODY_WAITS_FOR_EVER;
use crate::states::{SLEPT, SOURCE_WAS_LOCKED};
use crate::{Answers, Run, Scenario, Task, ask, cpu};

/// One folio of a file on the LRU, and a spare one to be migrated to; one task that may sleep.
pub(super) const COMPACTED: Machine = Machine::TINY.listed().spares().sleepers(1);

/// The timer of sleeper 0, in a tree in which it has one. It may expire before the task sleeps,
/// which leaves it no time.
pub(super) const fn timer(on: usize) -> Task {
    cpu(on, "timer", |k| process_timeout(&k.cpus, k.sleepers[0].task())).only_if(waits_have_limits)
}

pub(super) fn waits_have_limits(k: &Kernel) -> bool {
    k.tree.migrate.src_lock() == SrcLock::WaitWithTimeout
}

/// The folio is locked when the tasks begin.
pub(super) fn locked(k: &Run) {
    assert!(folio_trylock(&k.folios[0]), "nobody else runs yet");
}

pub(super) fn unlock(k: &Run) {
    folio_unlock(k, &k.folios[0]);
}

pub(super) fn kcompactd(k: &Run) {
    kcompactd_do_work(k);
}

pub(super) fn compact(k: &Run, mode: Mode, memalloc: bool) {
    let who = Migrator { mode, memalloc };
    compact_zone(k, CompactControl { who, may_enter_fs: true });
}

/// A reader locks the folio, compacts, and only then submits the I/O that will unlock it.
fn lock_compact_submit(k: &Run, mode: Mode, memalloc: bool) {
    locked(k);
    compact(k, mode, memalloc);
    join(submit_read(k, vec![0]));
}

static COMPACTS_LIGHTLY: Scenario = Scenario {
    name: "reader_compacts_sync_light",
    about: "CPU0 has locked a folio to read it, compacts in MIGRATE_SYNC_LIGHT without \
            PF_MEMALLOC, and submits the read afterwards; it ends on CPU1.",
    machine: COMPACTED,
    tasks: &[cpu(0, "reader", |k| lock_compact_submit(k, Mode::SyncLight, false)), timer(1)],
    ..Scenario::EMPTY
};

static COMPACTS_PLUGGED: Scenario = Scenario {
    name: "reader_with_a_plug_compacts_sync_light",
    about: "CPU0 has locked a folio and submitted its read to its plug, which it has not finished; \
            it compacts in MIGRATE_SYNC_LIGHT without PF_MEMALLOC. The read ends on CPU1.",
    tasks: &[
        cpu(0, "reader", |k| {
            locked(k);
            let (current, kernel) = (k.current().task(), k.share());
            blk_plug(current, move || {
                submit_read(&kernel, vec![0]);
            });
            compact(k, Mode::SyncLight, false);
            blk_flush_plug(current);
        }),
        timer(1),
    ],
    ..COMPACTS_LIGHTLY
};

static COMPACTS_DIRECTLY: Scenario = Scenario {
    name: "reader_compacts_pf_memalloc",
    about: "The same with PF_MEMALLOC set, as in direct compaction.",
    tasks: &[cpu(0, "reader", |k| lock_compact_submit(k, Mode::SyncLight, true)), timer(1)],
    ..COMPACTS_LIGHTLY
};

static COMPACTS_SYNC: Scenario = Scenario {
    name: "reader_compacts_sync",
    about: "The same in MIGRATE_SYNC without PF_MEMALLOC. No reader does that.",
    tasks: &[cpu(0, "reader", |k| lock_compact_submit(k, Mode::Sync, false)), timer(1)],
    ..COMPACTS_LIGHTLY
};

fn read_two_pages(k: &Run) {
    page_cache_ra_unbounded(k, 2).into_iter().for_each(join);
}

static READAHEAD: Scenario = Scenario {
    name: "readahead_allocates",
    about: "CPU0 reads two pages ahead. Each allocation compacts directly, first in MIGRATE_ASYNC, \
            then in MIGRATE_SYNC_LIGHT; at the second, the first folio is locked, and its I/O not \
            submitted.",
    machine: COMPACTED.unlisted().folios(2).absent(2),
    tasks: &[cpu(0, "reader", read_two_pages), timer(1)],
    ..Scenario::EMPTY
};

static READAHEAD_AND_KCOMPACTD: Scenario = Scenario {
    name: "readahead_vs_kcompactd",
    about: "The same while CPU1 is kcompactd, in MIGRATE_SYNC_LIGHT, which may wait for a folio \
            whose I/O is not submitted yet. It may have to wait long, but the reader does not wait \
            for it.",
    tasks: &[cpu(0, "reader", read_two_pages), cpu(1, "kcompactd", kcompactd).sleeper(0), timer(1)],
    ..READAHEAD
};

const FLUSHED: Source = Analysis("kernel-migrate 1, 2: io_schedule() flushes the plug");
/// M4t: in no row of the sheet but F-S4 and F-S5.
pub(super) const TIMEOUT_ENDS_IT: Source =
    Analysis("kernel-migrate:F.3: a wait with a timeout ends by itself");
const KCOMPACTD_BLOCKS: Source =
    Analysis("kernel-migrate:F.2: kcompactd was blocked long, and not for ever");

pub(super) fn claims() -> Vec<Answers> {
    let (sheet, part) = (Source::migrate, Source::migrate_part);
    let hang = |scenario, source, reached| ask(NOBODY_WAITS_FOR_EVER, scenario, source, reached);
    let found: &[&str] = &[SOURCE_WAS_LOCKED, A_READ_ENDED];
    let passed_over: &[&str] = &[PASSED_OVER_A_FILE, A_READ_ENDED];
    vec![
        // What a task sleeps for is not in its own plug.
        hang(&COMPACTS_PLUGGED, FLUSHED, found).under(SC).holds(&[&M0, &M4, &M4R, &M5, &M6S]),
        hang(&COMPACTS_LIGHTLY, sheet("F-S1"), found)
            .under(ALONE)
            .broken_after(&[SOURCE_WAS_LOCKED, SLEPT])
            .violated(&[&M0, &M4])
            .holds(&[&M4R])
            .under(SC)
            .holds_as(TIMEOUT_ENDS_IT, &[&M4T])
            .under(ALONE)
            .holds(&[&M5, &M6S]),
        hang(&COMPACTS_DIRECTLY, sheet("F-S1"), found)
            .under(ALONE)
            .holds(&[&M0, &M4, &M4R])
            .under(SC)
            .holds(&[&M4T])
            .under(ALONE)
            .holds(&[&M5])
            .broken_after(&[SOURCE_WAS_LOCKED, SLEPT])
            .violated_as(part("F.1", "(1)"), &[&M4_MEMALLOC_WAITS]),
        hang(&COMPACTS_SYNC, sheet("F-S2"), found)
            .under(ALONE)
            .broken_after(&[SOURCE_WAS_LOCKED, SLEPT])
            .violated(&[&M0, &M4])
            .holds(&[&M4R])
            .under(SC)
            .violated_as(part("F.3", "SYNC"), &[&M4T])
            .under(ALONE)
            .violated(&[&M5, &V6_11]),
        hang(&READAHEAD, sheet("F-S3"), passed_over).under(ALONE).holds(&[
            &M0,
            &M4,
            &M4R,
            &M5,
            &M6S,
            &M4_MEMALLOC_WAITS,
        ]),
        hang(&READAHEAD, sheet("F-S3"), found)
            .under(ALONE)
            .holds(&[&M4_IGNORES_NOFS])
            .broken_after(&[SOURCE_WAS_LOCKED, SLEPT])
            .violated(&[&M4_UNPROTECTED])
            .holds_as(part("F.1", "(4)"), &[&M4R_UNPROTECTED])
            .holds_as(part("F.1", "(3)"), &[&M5_UNPROTECTED]),
        hang(&READAHEAD_AND_KCOMPACTD, KCOMPACTD_BLOCKS, found)
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&M0, &M4, &M4R, &M5, &M6S]),
    ]
}
