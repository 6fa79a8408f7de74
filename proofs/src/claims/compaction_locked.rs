//! kernel-migrate section F, the rest: locks that are held for I/O, of folios and of buffers, and
//! compaction that may wait for them.
//!
//! In the scenarios in which the holder never unlocks, a task that waits for the lock shows up as
//! one that waits for ever: that is how "waits for I/O" is detected there.

use selvedge_kernel::{enter, fail, set_bit, task_is_running};
use selvedge_models::fs::buffer::{trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::folio_end_read;
use selvedge_models::mm::migrate::{Aops, FOUND_A_LOCKED_BUFFER, Mode};
use selvedge_models::trees::*;
use selvedge_models::{BH_UPTODATE, PG_UPTODATE};

use super::compaction::{COMPACTED, TIMEOUT_ENDS_IT, compact, kcompactd, locked, timer};
use super::{ALONE, SC, SC_WITHOUT_RANDOM};
use crate::Source::{self, Analysis};
use crate::rules::{NOBODY_WAITS_FOR_EVER, SYNC_LIGHT_WAITS_FOR_NO_IO};
use crate::states::SOURCE_WAS_LOCKED;
use crate::{Answers, Run, Scenario, Task, ask, cpu};

/// The folio is locked for a read whose I/O never ends.
const LOCKED_FOR_A_READ: &[Task] = &[cpu(0, "holder", |k| {
    let _in = enter("filemap_add_folio");
    locked(k);
})];

static READ_NEVER_ENDS: Scenario = Scenario {
    name: "read_never_ends",
    about: "CPU0 has locked the folio for a read that never ends; CPU1 is kcompactd: \
            MIGRATE_SYNC_LIGHT.",
    machine: COMPACTED,
    before: LOCKED_FOR_A_READ,
    tasks: &[cpu(1, "compactor", kcompactd).sleeper(0), timer(1)],
    ..Scenario::EMPTY
};

static UPTODATE_LOCK_STAYS: Scenario = Scenario {
    name: "lock_of_an_uptodate_folio_stays",
    about: "CPU0 has locked a folio that is uptodate, and never unlocks it; CPU1 is kcompactd.",
    before: &[cpu(0, "holder", |k| {
        let _in = enter("filemap_fault");
        locked(k);
        set_bit(PG_UPTODATE, &k.folios[0].flags);
    })],
    ..READ_NEVER_ENDS
};

static READ_NEVER_ENDS_SYNC: Scenario = Scenario {
    name: "read_never_ends_sync",
    about: "CPU0 has locked the folio for a read that never ends; CPU1 compacts in MIGRATE_SYNC.",
    tasks: &[cpu(1, "compactor", |k| compact(k, Mode::Sync, false)).sleeper(0), timer(1)],
    ..READ_NEVER_ENDS
};

static READ_NEVER_ENDS_ASYNC: Scenario = Scenario {
    name: "read_never_ends_async",
    about: "CPU0 has locked the folio for a read that never ends; CPU1 compacts in MIGRATE_ASYNC.",
    tasks: &[cpu(1, "compactor", |k| compact(k, Mode::Async, false)).sleeper(0), timer(1)],
    ..READ_NEVER_ENDS
};

static READ_NEVER_ENDS_MEMALLOC: Scenario = Scenario {
    name: "read_never_ends_pf_memalloc",
    about: "CPU0 has locked the folio for a read that never ends; CPU1 compacts with PF_MEMALLOC, \
            in MIGRATE_SYNC, in which every tree but M4r would wait.",
    tasks: &[cpu(1, "compactor", |k| compact(k, Mode::Sync, true)).sleeper(0), timer(1)],
    ..READ_NEVER_ENDS
};

/// The end of an I/O, which has not unlocked anything yet: does sleeper 0 wait for that?
fn end_io(k: &Run) {
    if !task_is_running(k.sleepers[0].task()) {
        fail(SYNC_LIGHT_WAITS_FOR_NO_IO, "kcompactd sleeps on a lock that is held for this I/O");
    }
}

static READ_ENDS: Scenario = Scenario {
    name: "read_of_a_folio",
    about: "A folio is locked for a read, which ends on CPU0; CPU1 is kcompactd: \
            MIGRATE_SYNC_LIGHT.",
    machine: COMPACTED,
    setup: locked,
    tasks: &[
        cpu(0, "end of read", |k| {
            end_io(k);
            folio_end_read(k, &k.folios[0]);
        }),
        cpu(1, "kcompactd", kcompactd).sleeper(0),
        timer(1),
    ],
    ..Scenario::EMPTY
};

fn locked_buffer(k: &Run) {
    assert!(trylock_buffer(&k.buffer_heads[0]), "nobody else runs yet");
}

static BUFFER_READ: Scenario = Scenario {
    name: "read_of_a_buffer",
    about: "The same while the buffer is read.",
    machine: COMPACTED.aops(&[Aops::Buffers]),
    setup: locked_buffer,
    tasks: &[
        cpu(0, "end of I/O", |k| {
            end_io(k);
            set_bit(BH_UPTODATE, &k.buffer_heads[0].b_state);
            unlock_buffer(k, &k.buffer_heads[0]);
        }),
        cpu(1, "kcompactd", kcompactd).sleeper(0),
        timer(1),
    ],
    ..Scenario::EMPTY
};

static BUFFER_WRITE: Scenario = Scenario {
    name: "write_of_a_buffer",
    about: "An uptodate buffer of the folio is locked while it is written, which ends on CPU0; the \
            folio is not locked. CPU1 is kcompactd: MIGRATE_SYNC_LIGHT.",
    setup: |k| {
        locked_buffer(k);
        set_bit(BH_UPTODATE, &k.buffer_heads[0].b_state);
    },
    ..BUFFER_READ
};

const RFC_LEAVES_BUFFERS: Source = Analysis("the RFC leaves the locks of buffers alone");

fn of_locks_that_stay() -> Vec<Answers> {
    let (sheet, part) = (Source::migrate, Source::migrate_part);
    let hang =
        |scenario, source| ask(NOBODY_WAITS_FOR_EVER, scenario, source, &[SOURCE_WAS_LOCKED]);
    vec![
        hang(&READ_NEVER_ENDS, sheet("F-S5"))
            .under(ALONE)
            .violated(&[&M0, &M4])
            .holds(&[&M4R])
            .under(SC)
            .holds(&[&M4T])
            .under(ALONE)
            .holds(&[&M5, &V6_11, &V6_12_117, &V6_17]),
        hang(&UPTODATE_LOCK_STAYS, sheet("F-S6"))
            .under(ALONE)
            .violated(&[&M0, &M4])
            .holds(&[&M4R])
            .under(SC)
            .holds_as(TIMEOUT_ENDS_IT, &[&M4T])
            .under(ALONE)
            .violated(&[&M5, &V6_11, &V6_12_117, &V6_17]),
        hang(&READ_NEVER_ENDS_SYNC, part("F.3", "SYNC"))
            .under(ALONE)
            .violated(&[&M0, &M4])
            .holds(&[&M4R])
            .under(SC)
            .violated(&[&M4T])
            .under(ALONE)
            .violated(&[&M5]),
        hang(&READ_NEVER_ENDS_ASYNC, part("F.3", "ASYNC"))
            .under(ALONE)
            .holds(&[&M0, &M4, &M4R])
            .under(SC)
            .holds(&[&M4T])
            .under(ALONE)
            .holds(&[&M5, &M6S]),
        hang(&READ_NEVER_ENDS_MEMALLOC, part("F.3", "PF_MEMALLOC"))
            .under(ALONE)
            .holds(&[&M0, &M4, &M4R])
            .under(SC)
            .holds(&[&M4T])
            .under(ALONE)
            .holds(&[&M5])
            .violated_as(part("F.1", "(1)"), &[&M4_MEMALLOC_WAITS]),
    ]
}

fn of_io_that_ends() -> Vec<Answers> {
    let (sheet, part) = (Source::migrate, Source::migrate_part);
    let no_io = |scenario, source| {
        ask(SYNC_LIGHT_WAITS_FOR_NO_IO, scenario, source, &[FOUND_A_LOCKED_BUFFER])
    };
    vec![
        ask(
            SYNC_LIGHT_WAITS_FOR_NO_IO,
            &READ_ENDS,
            part("F.3", "SYNC_LIGHT"),
            &[SOURCE_WAS_LOCKED],
        )
        .under(SC_WITHOUT_RANDOM)
        .violated(&[&M0, &M4])
        .holds(&[&M4R])
        .violated(&[&M4T])
        .holds(&[&M5, &M6S]),
        no_io(&BUFFER_READ, part("F.2", "M5"))
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&M4])
            .violated_as(RFC_LEAVES_BUFFERS, &[&M4R])
            .holds(&[&M5, &V6_12_117]),
        no_io(&BUFFER_WRITE, sheet("F-S7"))
            .under(SC_WITHOUT_RANDOM)
            .violated(&[&M0, &M4])
            .violated_as(RFC_LEAVES_BUFFERS, &[&M4R])
            .violated_as(Analysis("a wait with a timeout is a wait"), &[&M4T])
            .violated(&[&M5, &V6_12_117, &V6_17]),
    ]
}

pub(super) fn claims() -> Vec<Answers> {
    [of_locks_that_stay(), of_io_that_ends()].concat()
}
