//! kernel-migrate section F: seed 001. May a migration wait for a folio lock, and what does it cost
//! never to wait?
//!
//! A wait for I/O that never ends is what "waits for I/O" comes to in the scenarios in which nobody
//! unlocks: who waits there waits for ever. In the trees with a time limit the timer may expire at
//! any moment, and does at some time.

use std::sync::Arc;

use selvedge_kernel::task_is_running;
use selvedge_kernel::{
    Name, blk_flush_plug, blk_plug, enter, fail, fail_about, join, plain_write, process_timeout,
    set_bit,
};
use selvedge_models::fs::buffer::{trylock_buffer, unlock_buffer};
use selvedge_models::mm::compaction::{
    CompactControl, PASSED_OVER_A_FILE, compact_node, compact_zone, kcompactd_do_work,
};
use selvedge_models::mm::filemap::{folio_end_read, folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::{Aops, FOUND_A_LOCKED_BUFFER, Migrator, Mode, SrcLock};
use selvedge_models::mm::readahead::{A_READ_ENDED, page_cache_ra_unbounded, submit_read};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::trees::*;
use selvedge_models::{BH_UPTODATE, Kernel, PG_UPTODATE, Sizes};
use selvedge_monitors::{NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, NOBODY_WAITS_FOR_EVER};
use selvedge_trace::Rule;

use super::{ALONE, SC, SC_WITHOUT_RANDOM};
use crate::rules::*;
use crate::{Claim, Scenario, Topic};

/// One folio of a file on the LRU, and a spare one to be migrated to; one task that may sleep.
const COMPACTED: Sizes = Sizes { listed: true, spares: true, sleepers: 1, ..Sizes::TINY };

/// Waits for the tasks, and for the timer of sleeper 0 in a tree in which it has one. It may expire
/// before the task sleeps, which leaves it no time.
fn join_with_timer(k: &Kernel, tasks: &[usize]) {
    let expires = |k: &Kernel| process_timeout(&k.cpus, k.sleepers[0].task());
    tasks.iter().copied().chain(timer(k, expires)).for_each(join);
}

fn timer(k: &Kernel, expires: fn(&Kernel)) -> Option<usize> {
    let has_timer = k.tree.migrate.src_lock == SrcLock::WaitWithTimeout;
    has_timer.then(|| k.task(k.sizes.cpus - 1, "timer", expires))
}

/// A reader locks the folio, compacts, and only then submits the I/O that will unlock it.
fn locks_then_compacts(k: &Kernel, mode: Mode, memalloc: bool) {
    let reader = k.task(0, "reader", move |k| {
        assert!(folio_trylock(k, &k.folios[0]), "nobody else locks the folio");
        let who = Migrator { mode, memalloc, me: 0 };
        compact_zone(k, CompactControl { who, may_enter_fs: true });
        join(submit_read(k, vec![0]));
    });
    join_with_timer(k, &[reader]);
}

const fn reader_compacts(
    name: &'static str,
    about: &'static str,
    play: fn(&Arc<Kernel>),
) -> Scenario {
    Scenario { name, about, sizes: COMPACTED, play, at_end: |_| {}, choices: 0 }
}

static COMPACTS_LIGHTLY: Scenario = reader_compacts(
    "reader_compacts_sync_light",
    "CPU0 has locked a folio to read it, compacts in MIGRATE_SYNC_LIGHT without PF_MEMALLOC, and \
     submits the read afterwards; it ends on CPU1.",
    |k| locks_then_compacts(k, Mode::SyncLight, false),
);

static COMPACTS_PLUGGED: Scenario = reader_compacts(
    "reader_with_a_plug_compacts_sync_light",
    "CPU0 has locked a folio and submitted its read to its plug, which it has not finished; it compacts \
     in MIGRATE_SYNC_LIGHT without PF_MEMALLOC. The read ends on CPU1.",
    |k| {
        let reader = k.task(0, "reader", |k| {
            assert!(folio_trylock(k, &k.folios[0]), "nobody else locks the folio");
            let (me, kernel) = (k.sleepers[0].task(), k.share());
            blk_plug(me, move || {
                submit_read(&kernel, vec![0]);
            });
            let who = Migrator { mode: Mode::SyncLight, memalloc: false, me: 0 };
            compact_zone(k, CompactControl { who, may_enter_fs: true });
            blk_flush_plug(me);
        });
        join_with_timer(k, &[reader]);
    },
);

static COMPACTS_DIRECTLY: Scenario = reader_compacts(
    "reader_compacts_pf_memalloc",
    "The same with PF_MEMALLOC set, as in direct compaction.",
    |k| locks_then_compacts(k, Mode::SyncLight, true),
);

static COMPACTS_SYNC: Scenario = reader_compacts(
    "reader_compacts_sync",
    "The same in MIGRATE_SYNC without PF_MEMALLOC. No reader does that.",
    |k| locks_then_compacts(k, Mode::Sync, false),
);

static READAHEAD: Scenario = Scenario {
    name: "readahead_allocates",
    about: "CPU0 reads two pages ahead. Each allocation compacts directly, first in MIGRATE_ASYNC, \
            then in MIGRATE_SYNC_LIGHT; at the second, the first folio is locked, and its I/O not \
            submitted.",
    sizes: Sizes { listed: false, folios: 2, absent: 2, ..COMPACTED },
    play: |k| {
        let reader = k.task(0, "reader", |k| {
            let reads = page_cache_ra_unbounded(k, 2, 0);
            reads.into_iter().for_each(join);
        });
        join_with_timer(k, &[reader]);
    },
    at_end: |_| {},
    choices: 0,
};

static READAHEAD_AND_KCOMPACTD: Scenario = Scenario {
    name: "readahead_vs_kcompactd",
    about: "The same while CPU1 is kcompactd, in MIGRATE_SYNC_LIGHT, which may wait for a folio whose \
            I/O is not submitted yet. It may have to wait long, but the reader does not wait for \
            it.",
    sizes: Sizes { listed: false, folios: 2, absent: 2, ..COMPACTED },
    play: |k| {
        let reader = k.task(0, "reader", |k| {
            let reads = page_cache_ra_unbounded(k, 2, 0);
            reads.into_iter().for_each(join);
        });
        join_with_timer(k, &[reader, k.task(1, "kcompactd", |k| kcompactd_do_work(k, 0))]);
    },
    at_end: |_| {},
    choices: 0,
};

/// The folio is locked, and stays so: by a reader whose I/O never ends, or, if it is uptodate, by
/// somebody who sleeps elsewhere.
fn is_never_unlocked(k: &Kernel, is_uptodate: bool, compacts: fn(&Kernel)) {
    join(k.task(0, "holder", move |k| {
        let _in = enter(if is_uptodate { "filemap_fault" } else { "filemap_add_folio" });
        let folio = &k.folios[0];
        assert!(folio_trylock(k, folio), "nobody else runs yet");
        if is_uptodate {
            set_bit(PG_UPTODATE, &folio.flags);
        }
    }));
    join_with_timer(k, &[k.task(1, "compactor", compacts)]);
}

fn compacts(k: &Kernel, mode: Mode, memalloc: bool) {
    let who = Migrator { mode, memalloc, me: 0 };
    compact_zone(k, CompactControl { who, may_enter_fs: true });
}

static READ_NEVER_ENDS: Scenario = reader_compacts(
    "read_never_ends",
    "CPU0 has locked the folio for a read that never ends; CPU1 is kcompactd: MIGRATE_SYNC_LIGHT.",
    |k| is_never_unlocked(k, false, |k| kcompactd_do_work(k, 0)),
);

static UPTODATE_LOCK_STAYS: Scenario = reader_compacts(
    "lock_of_an_uptodate_folio_stays",
    "CPU0 has locked a folio that is uptodate, and never unlocks it; CPU1 is kcompactd.",
    |k| is_never_unlocked(k, true, |k| kcompactd_do_work(k, 0)),
);

static READ_NEVER_ENDS_SYNC: Scenario = reader_compacts(
    "read_never_ends_sync",
    "CPU0 has locked the folio for a read that never ends; CPU1 compacts in MIGRATE_SYNC.",
    |k| is_never_unlocked(k, false, |k| compacts(k, Mode::Sync, false)),
);

static READ_NEVER_ENDS_ASYNC: Scenario = reader_compacts(
    "read_never_ends_async",
    "CPU0 has locked the folio for a read that never ends; CPU1 compacts in MIGRATE_ASYNC.",
    |k| is_never_unlocked(k, false, |k| compacts(k, Mode::Async, false)),
);

static READ_NEVER_ENDS_MEMALLOC: Scenario = reader_compacts(
    "read_never_ends_pf_memalloc",
    "CPU0 has locked the folio for a read that never ends; CPU1 compacts with PF_MEMALLOC, in \
     MIGRATE_SYNC, in which every tree but M4r would wait.",
    |k| is_never_unlocked(k, false, |k| compacts(k, Mode::Sync, true)),
);

/// A migration that ends with the folio where it was.
fn did_not_fail(k: &Kernel) {
    if k.outcome.peek() != 0 {
        let message = "folio0 is unlocked, nobody else has a reference, and it was not migrated";
        fail_about(SYNC_SUCCEEDS_ONCE_UNLOCKED, message, k.outcome.object());
    }
}

fn compact_synchronously(k: &Kernel) -> bool {
    let left = compact_node(k, 0);
    plain_write(&k.outcome, left as u64);
    left == 0
}

/// Starts a task that unlocks the folio, which it has locked before, and does nothing else.
fn brief_holder(k: &Kernel) -> usize {
    assert!(folio_trylock(k, &k.folios[0]), "nobody else runs yet");
    k.task(0, "holder", |k| folio_unlock(k, &k.folios[0]))
}

static HELD_BRIEFLY: Scenario = Scenario {
    name: "lock_held_briefly",
    about: "CPU0 has the folio locked, and unlocks it at some time; CPU1 migrates it in \
            MIGRATE_SYNC. Fairness is assumed: the holder always comes to its unlock, and takes \
            the lock no second time.",
    sizes: COMPACTED,
    play: |k| {
        let holder = brief_holder(k);
        let migrator = k.task(1, "migrator", |k| {
            compact_synchronously(k);
        });
        join_with_timer(k, &[holder, migrator]);
    },
    at_end: did_not_fail,
    choices: 0,
};

static HELD_THEN_TRIED_AGAIN: Scenario = Scenario {
    name: "lock_held_briefly_then_tried_again",
    about: "The same; a migrator that failed calls again when the holder has returned. More is \
            assumed: the lock is free before the last pass.",
    sizes: COMPACTED,
    play: |k| {
        let holder = brief_holder(k);
        let migrator = k.task(1, "migrator", move |k| {
            let succeeded = compact_synchronously(k);
            join(holder);
            if !succeeded {
                // The folio rests in the lru_add batch of this CPU, which compaction drains.
                compact_synchronously(k);
            }
        });
        join_with_timer(k, &[migrator]);
    },
    at_end: did_not_fail,
    choices: 0,
};

static READER_BEHIND_KCOMPACTD: Scenario = Scenario {
    name: "reader_behind_kcompactd",
    about: "CPU0 unlocks a folio that is uptodate; CPU1 is kcompactd, CPU2 a reader that locks the \
            folio too. In a tree with a time limit, that of kcompactd may expire while it sleeps. \
            This is its last pass: after an earlier one, the next would lock and unlock the folio, \
            which wakes the reader.",
    sizes: Sizes { cpus: 4, sleepers: 2, ..COMPACTED },
    play: |k| {
        let folio = &k.folios[0];
        set_bit(PG_UPTODATE, &folio.flags);
        folio_get(folio, READER);
        let holder = brief_holder(k);
        let kcompactd = k.task(1, "kcompactd", |k| kcompactd_do_work(k, 0));
        let reader = k.task(2, "reader", |k| {
            folio_lock(k, &k.folios[0], 1);
            folio_unlock(k, &k.folios[0]);
        });
        let expires = |k: &Kernel| {
            let task = k.sleepers[0].task();
            if !task_is_running(task) {
                process_timeout(&k.cpus, task);
            }
        };
        let timer = timer(k, expires);
        [holder, kcompactd, reader].into_iter().chain(timer).for_each(join);
    },
    at_end: |_| {},
    choices: 0,
};

/// Who keeps the folio while it waits for its lock.
const READER: Name = Name::new("reader");

/// The end of an I/O, which has not unlocked anything yet: does sleeper 0 wait for that?
fn ends_io(k: &Kernel) {
    if !task_is_running(k.sleepers[0].task()) {
        fail(SYNC_LIGHT_WAITS_FOR_NO_IO, "kcompactd sleeps on a lock that is held for this I/O");
    }
}

static READ_ENDS: Scenario = Scenario {
    name: "read_of_a_folio",
    about: "A folio is locked for a read, which ends on CPU0; CPU1 is kcompactd: \
            MIGRATE_SYNC_LIGHT.",
    sizes: COMPACTED,
    play: |k| {
        assert!(folio_trylock(k, &k.folios[0]), "nobody else runs yet");
        let end = k.task(0, "end of read", |k| {
            ends_io(k);
            folio_end_read(k, &k.folios[0]);
        });
        join_with_timer(k, &[end, k.task(1, "kcompactd", |k| kcompactd_do_work(k, 0))]);
    },
    at_end: |_| {},
    choices: 0,
};

/// The folio's buffer is locked for I/O, which ends on CPU0; CPU1 is kcompactd.
fn buffer_io(k: &Kernel, is_uptodate: bool) {
    let bh = &k.buffer_heads[0];
    assert!(trylock_buffer(bh), "nobody else runs yet");
    if is_uptodate {
        set_bit(BH_UPTODATE, &bh.b_state);
    }
    let end = k.task(0, "end of I/O", |k| {
        ends_io(k);
        let bh = &k.buffer_heads[0];
        set_bit(BH_UPTODATE, &bh.b_state);
        unlock_buffer(k, bh);
    });
    join_with_timer(k, &[end, k.task(1, "kcompactd", |k| kcompactd_do_work(k, 0))]);
}

static BUFFER_WRITE: Scenario = Scenario {
    name: "write_of_a_buffer",
    about: "An uptodate buffer of the folio is locked while it is written, which ends on CPU0; the \
            folio is not locked. CPU1 is kcompactd: MIGRATE_SYNC_LIGHT.",
    sizes: Sizes { aops: &[Aops::Buffers], ..COMPACTED },
    play: |k| buffer_io(k, true),
    at_end: |_| {},
    choices: 0,
};

static BUFFER_READ: Scenario = Scenario {
    name: "read_of_a_buffer",
    about: "The same while the buffer is read.",
    sizes: Sizes { aops: &[Aops::Buffers], ..COMPACTED },
    play: |k| buffer_io(k, false),
    at_end: |_| {},
    choices: 0,
};

const fn topic(
    scenario: &'static Scenario,
    rule: Rule,
    source: &'static str,
    reached: &'static [&'static str],
) -> Topic {
    Topic { subsystem: "seed001", rule, scenario, source, reached }
}

const FOUND_LOCKED: &[&str] = &["a migration found its source locked"];
const LOCKED_THEN_READ: &[&str] = &["a migration found its source locked", A_READ_ENDED];
const WAITED: &[&str] = &["a migration waited for its source", "a folio was migrated"];
const TRIED_AGAIN: &[&str] = &["a migration was tried again", "a folio was migrated"];

const F_S1: Topic =
    topic(&COMPACTS_LIGHTLY, NOBODY_WAITS_FOR_EVER, "kernel-migrate:F-S1", LOCKED_THEN_READ);
/// What a task sleeps for is not in its own plug: kernel-migrate 1, 2.
const F_S1_PLUG: Topic = Topic {
    scenario: &COMPACTS_PLUGGED,
    source: "own: kernel-migrate 1, 2: io_schedule() flushes the plug",
    ..F_S1
};
const F_S1_MEMALLOC: Topic = Topic { scenario: &COMPACTS_DIRECTLY, ..F_S1 };
const F_S2: Topic = Topic { scenario: &COMPACTS_SYNC, source: "kernel-migrate:F-S2", ..F_S1 };
const F_S3: Topic =
    topic(&READAHEAD, NOBODY_WAITS_FOR_EVER, "kernel-migrate:F-S3", LOCKED_THEN_READ);
const F_S3_NOFS: Topic = Topic { reached: &[PASSED_OVER_A_FILE, A_READ_ENDED], ..F_S3 };
const F_S3_KCOMPACTD: Topic = Topic {
    scenario: &READAHEAD_AND_KCOMPACTD,
    source: "own: kernel-migrate:F.2: kcompactd was blocked long, and not for ever",
    ..F_S3
};
const F_S4: Topic =
    topic(&HELD_BRIEFLY, SYNC_SUCCEEDS_ONCE_UNLOCKED, "kernel-migrate:F-S4", WAITED);
const F_S4_AGAIN: Topic = Topic {
    scenario: &HELD_THEN_TRIED_AGAIN,
    source: "own: kernel-migrate:F-S4 with the lock free before the last pass",
    reached: TRIED_AGAIN,
    ..F_S4
};
const F_S5: Topic =
    topic(&READ_NEVER_ENDS, NOBODY_WAITS_FOR_EVER, "kernel-migrate:F-S5", FOUND_LOCKED);
const F_S6: Topic = Topic { scenario: &UPTODATE_LOCK_STAYS, source: "kernel-migrate:F-S6", ..F_S5 };
const F3_SYNC: Topic =
    Topic { scenario: &READ_NEVER_ENDS_SYNC, source: "kernel-migrate:F.3, SYNC", ..F_S5 };
const F3_ASYNC: Topic =
    Topic { scenario: &READ_NEVER_ENDS_ASYNC, source: "kernel-migrate:F.3, ASYNC", ..F_S5 };
const F3_MEMALLOC: Topic = Topic {
    scenario: &READ_NEVER_ENDS_MEMALLOC,
    source: "kernel-migrate:F.3, PF_MEMALLOC",
    ..F_S5
};
const F_S7: Topic = topic(
    &BUFFER_WRITE,
    SYNC_LIGHT_WAITS_FOR_NO_IO,
    "kernel-migrate:F-S7",
    &[FOUND_A_LOCKED_BUFFER],
);
const F_S7_READ: Topic = Topic { scenario: &BUFFER_READ, source: "kernel-migrate:F.2, M5", ..F_S7 };
const F_S7_FOLIO: Topic =
    topic(&READ_ENDS, SYNC_LIGHT_WAITS_FOR_NO_IO, "kernel-migrate:F.3, SYNC_LIGHT", FOUND_LOCKED);

/// What folio_wait.rs shows of a waiter that gives up, here with the one that seed 001's second
/// version brings in.
const BEHIND: Topic = topic(
    &READER_BEHIND_KCOMPACTD,
    NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
    "own: a waiter that gives up leaves a wake-up that others were passed over for",
    &["a task slept on a folio"],
);

/// M4t: in no row of the sheet but F-S4 and F-S5.
const TIMEOUT_ENDS_IT: &str = "own: kernel-migrate:F.3: a wait with a timeout ends by itself";
const NOBODY_GIVES_UP: &str = "own: no wait of these ends but by the lock";

pub(super) static CLAIMS: &[Claim] = &[
    F_S1_PLUG.holds(&M0, SC),
    F_S1_PLUG.holds(&M4, SC),
    F_S1_PLUG.holds(&M4R, SC),
    F_S1_PLUG.holds(&M5, SC),
    F_S1.violated(&M0, ALONE),
    F_S1.violated(&M4, ALONE),
    F_S1.holds(&M4R, ALONE),
    F_S1.from(TIMEOUT_ENDS_IT).holds(&M4T, SC),
    F_S1.holds(&M5, ALONE),
    F_S1_MEMALLOC.holds(&M0, ALONE),
    F_S1_MEMALLOC.holds(&M4, ALONE),
    F_S1_MEMALLOC.holds(&M4R, ALONE),
    F_S1_MEMALLOC.holds(&M4T, SC),
    F_S1_MEMALLOC.holds(&M5, ALONE),
    F_S1_MEMALLOC.from("kernel-migrate:F.1, (1)").violated(&M4_MEMALLOC_WAITS, ALONE),
    F_S2.violated(&M0, ALONE),
    F_S2.violated(&M4, ALONE),
    F_S2.holds(&M4R, ALONE),
    F_S2.from("kernel-migrate:F.3, SYNC").violated(&M4T, SC),
    F_S2.violated(&M5, ALONE),
    F_S2.violated(&V6_11, ALONE),
    F_S3_NOFS.holds(&M0, ALONE),
    F_S3_NOFS.holds(&M4, ALONE),
    F_S3_NOFS.holds(&M4R, ALONE),
    F_S3_NOFS.holds(&M5, ALONE),
    F_S3.holds(&M4_IGNORES_NOFS, ALONE),
    F_S3_NOFS.holds(&M4_MEMALLOC_WAITS, ALONE),
    F_S3.violated(&M4_UNPROTECTED, ALONE),
    F_S3.from("kernel-migrate:F.1, (4)").holds(&M4R_UNPROTECTED, ALONE),
    F_S3.from("kernel-migrate:F.1, (3)").holds(&M5_UNPROTECTED, ALONE),
    F_S3_KCOMPACTD.holds(&M0, SC_WITHOUT_RANDOM),
    F_S3_KCOMPACTD.holds(&M4, SC_WITHOUT_RANDOM),
    F_S3_KCOMPACTD.holds(&M4R, SC_WITHOUT_RANDOM),
    F_S3_KCOMPACTD.holds(&M5, SC_WITHOUT_RANDOM),
    F_S4.holds(&M0, SC_WITHOUT_RANDOM),
    F_S4.holds(&M4, SC_WITHOUT_RANDOM),
    F_S4.violated(&M4R, SC_WITHOUT_RANDOM),
    F_S4.from("kernel-migrate:F.3, SYNC").holds(&M4T, SC_WITHOUT_RANDOM),
    F_S4.holds(&M5, SC_WITHOUT_RANDOM),
    F_S4.holds(&V6_11, SC_WITHOUT_RANDOM),
    F_S4.holds(&V6_12_117, SC_WITHOUT_RANDOM),
    F_S4.holds(&V6_17, SC_WITHOUT_RANDOM),
    F_S4_AGAIN.holds(&M4R, SC_WITHOUT_RANDOM),
    F_S5.violated(&M0, ALONE),
    F_S5.violated(&M4, ALONE),
    F_S5.holds(&M4R, ALONE),
    F_S5.holds(&M4T, SC),
    F_S5.holds(&M5, ALONE),
    F_S5.holds(&V6_11, ALONE),
    F_S5.holds(&V6_12_117, ALONE),
    F_S5.holds(&V6_17, ALONE),
    F_S6.violated(&M0, ALONE),
    F_S6.violated(&M4, ALONE),
    F_S6.holds(&M4R, ALONE),
    F_S6.from(TIMEOUT_ENDS_IT).holds(&M4T, SC),
    F_S6.violated(&M5, ALONE),
    F_S6.violated(&V6_11, ALONE),
    F_S6.violated(&V6_12_117, ALONE),
    F_S6.violated(&V6_17, ALONE),
    F3_SYNC.violated(&M0, ALONE),
    F3_SYNC.violated(&M4, ALONE),
    F3_SYNC.holds(&M4R, ALONE),
    F3_SYNC.violated(&M4T, SC),
    F3_SYNC.violated(&M5, ALONE),
    F3_ASYNC.holds(&M0, ALONE),
    F3_ASYNC.holds(&M4, ALONE),
    F3_ASYNC.holds(&M4R, ALONE),
    F3_ASYNC.holds(&M4T, SC),
    F3_ASYNC.holds(&M5, ALONE),
    F3_MEMALLOC.holds(&M0, ALONE),
    F3_MEMALLOC.holds(&M4, ALONE),
    F3_MEMALLOC.holds(&M4R, ALONE),
    F3_MEMALLOC.holds(&M4T, SC),
    F3_MEMALLOC.holds(&M5, ALONE),
    F3_MEMALLOC.from("kernel-migrate:F.1, (1)").violated(&M4_MEMALLOC_WAITS, ALONE),
    BEHIND.from(NOBODY_GIVES_UP).holds(&M4, SC_WITHOUT_RANDOM),
    BEHIND.from(NOBODY_GIVES_UP).holds(&M4R, SC_WITHOUT_RANDOM),
    BEHIND.violated(&M4T, SC_WITHOUT_RANDOM),
    BEHIND.from(NOBODY_GIVES_UP).holds(&M5, SC_WITHOUT_RANDOM),
    F_S7_FOLIO.violated(&M0, SC_WITHOUT_RANDOM),
    F_S7_FOLIO.violated(&M4, SC_WITHOUT_RANDOM),
    F_S7_FOLIO.holds(&M4R, SC_WITHOUT_RANDOM),
    F_S7_FOLIO.violated(&M4T, SC_WITHOUT_RANDOM),
    F_S7_FOLIO.holds(&M5, SC_WITHOUT_RANDOM),
    F_S7_READ.violated(&M4, SC_WITHOUT_RANDOM),
    F_S7_READ
        .from("own: the RFC leaves the locks of buffers alone")
        .violated(&M4R, SC_WITHOUT_RANDOM),
    F_S7_READ.holds(&M5, SC_WITHOUT_RANDOM),
    F_S7_READ.holds(&V6_12_117, SC_WITHOUT_RANDOM),
    F_S7.violated(&M0, SC_WITHOUT_RANDOM),
    F_S7.violated(&M4, SC_WITHOUT_RANDOM),
    F_S7.from("own: the RFC leaves the locks of buffers alone").violated(&M4R, SC_WITHOUT_RANDOM),
    F_S7.from("own: a wait with a timeout is a wait").violated(&M4T, SC_WITHOUT_RANDOM),
    F_S7.violated(&M5, SC_WITHOUT_RANDOM),
    F_S7.violated(&V6_12_117, SC_WITHOUT_RANDOM),
    F_S7.violated(&V6_17, SC_WITHOUT_RANDOM),
];
