//! Counts and marks that stand for something else: what keeps the two together is a lock, or the
//! outcome of an atomic update.

use selvedge_kernel::reached;
use selvedge_models::mm::filemap::{folio_trylock, truncate_inode_folio};
use selvedge_models::mm::mlock::mlock_folio;
use selvedge_models::mm::page_writeback::{folio_end_writeback, folio_start_writeback};
use selvedge_models::mm::readahead::{A_READ_ENDED, page_cache_ra_unbounded};
use selvedge_models::trees::*;
use selvedge_models::{Machine, PG_WRITEBACK};

use super::DPOR;
use super::interrupts::starts_writeback;
use crate::Source::{self, Comment};
use crate::rules::{
    A_FOLIO_UNDER_WRITEBACK_IS_MARKED, NR_MLOCK_IS_MLOCKED_FOLIOS, NRPAGES_IS_CACHED_PAGES,
    folios_under_writeback_are_marked, nr_mlock_is_mlocked_folios, nrpages_is_cached_pages,
};
use crate::states::{RESTED_FOR_MLOCK, TRUNCATED};
use crate::{Answers, Run, Scenario, ask, cpu};

fn mlock(k: &Run) {
    mlock_folio(k, &k.folios[0]);
}

static TWO_MLOCK: Scenario = Scenario {
    name: "two_processes_mlock_a_folio",
    about: "CPU0 and CPU1 mlock the folio, for two processes that map it. It stays in their \
            batches.",
    machine: Machine::TINY.listed().mlock().nr_mlock(),
    tasks: &[cpu(0, "mlocker", mlock), cpu(1, "mlocker", mlock)],
    at_end: Some(nr_mlock_is_mlocked_folios),
    ..Scenario::EMPTY
};

/// Two pages of a file; somebody else keeps no reference to their folios.
const FILE: Machine = Machine::TINY.folios(2).sleepers(2).batch(3).writeback_pins(false);

static TWO_TRUNCATE: Scenario = Scenario {
    name: "two_pages_are_truncated",
    about: "CPU0 truncates page 0 of a file, CPU1 page 1.",
    machine: FILE.nrpages(),
    tasks: &[
        cpu(0, "truncator", |k| truncate_inode_folio(k, 0)),
        cpu(1, "truncator", |k| truncate_inode_folio(k, 1)),
    ],
    at_end: Some(nrpages_is_cached_pages),
    ..Scenario::EMPTY
};

static ADD_AND_TRUNCATE: Scenario = Scenario {
    name: "page_is_read_ahead_while_another_is_truncated",
    about: "CPU0 reads page 0 of a file ahead, whose read ends on CPU1; CPU1 truncates page 1.",
    machine: FILE.absent(1).nrpages(),
    tasks: &[
        cpu(0, "readahead", |k| {
            page_cache_ra_unbounded(k, 1);
        }),
        cpu(1, "truncator", |k| truncate_inode_folio(k, 1)),
    ],
    at_end: Some(nrpages_is_cached_pages),
    ..Scenario::EMPTY
};

static MARKED: Scenario = Scenario {
    name: "writeback_begins_while_another_ends",
    about: "CPU0 ends the writeback of page 0 of a file; CPU1 begins that of page 1; page 2 is \
            under writeback all the time.",
    machine: FILE.folios(3).marks(),
    before: &[cpu(0, "flush worker", |k| {
        starts_writeback(k, 0);
        starts_writeback(k, 2);
        assert!(folio_trylock(&k.folios[1]), "nobody else runs yet");
    })],
    tasks: &[
        cpu(0, "end of writeback", |k| folio_end_writeback(k, &k.folios[0])),
        cpu(1, "flush worker", |k| folio_start_writeback(k, &k.folios[1])),
    ],
    at_end: Some(|k| {
        if k.folios[1].flags.peek(PG_WRITEBACK) && !k.folios[0].flags.peek(PG_WRITEBACK) {
            reached(ONE_BEGAN_ONE_ENDED);
        }
        folios_under_writeback_are_marked(k);
    }),
    ..Scenario::EMPTY
};

const ONE_BEGAN_ONE_ENDED: &str = "a writeback began, and another one ended";

pub(super) fn claims() -> Vec<Answers> {
    let mlocked = Source::analysis("who finds PG_mlocked clear counts the folio, and nobody else");
    let nrpages = Comment { file: "fs/inode.c", says: "clear_inode(): BUG_ON(nrpages)" };
    let marks = Comment { file: "mm/filemap.c", says: "filemap_fdatawait(): walks what is marked" };
    vec![
        ask(NR_MLOCK_IS_MLOCKED_FOLIOS, &TWO_MLOCK, mlocked, &[RESTED_FOR_MLOCK])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&MLOCKED_NOT_ATOMIC]),
        ask(NRPAGES_IS_CACHED_PAGES, &TWO_TRUNCATE, nrpages, &[TRUNCATED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&TRUNCATE_NO_PAGES_LOCK]),
        ask(NRPAGES_IS_CACHED_PAGES, &ADD_AND_TRUNCATE, nrpages, &[TRUNCATED, A_READ_ENDED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(A_FOLIO_UNDER_WRITEBACK_IS_MARKED, &MARKED, marks, &[ONE_BEGAN_ONE_ENDED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&END_WRITEBACK_NO_PAGES_LOCK]),
    ]
}
