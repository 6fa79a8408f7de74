//! Writers of one file that lock folios and wait for writeback in different orders: kernel-migrate
//! E-S6.

use std::cell::RefCell;

use selvedge_kernel::{owns, set_bit};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::page_writeback::{
    SyncMode, folio_end_writeback, folio_start_writeback, folio_wait_writeback, range_cyclic,
    write_cache_pages,
};
use selvedge_models::trees::*;
use selvedge_models::{Folio, PG_DIRTY, PG_WRITEBACK};

use super::*;
use crate::states::SLEPT;
use crate::{Answers, cpu};

/// Nobody migrates them, and the page cache keeps both.
const FILE: Machine = Machine::TINY.cpus(3).folios(2).sleepers(3).writeback_pins(false);

/// A walk whose bio, which has these folios so far, is private until the walk is over; its I/O
/// takes no time then.
fn writes(k: &Run, walk: &[usize], sync_mode: SyncMode, ioend: Vec<usize>) {
    let ioend = RefCell::new(ioend);
    let lock = |folio: &Folio| folio_lock(k, folio);
    write_cache_pages(k, walk, sync_mode, lock, |folio| {
        folio_start_writeback(k, folio);
        ioend.borrow_mut().push(folio.index);
        folio_unlock(k, folio);
    });
    let _in = enter("submit_bio");
    for index in ioend.into_inner() {
        folio_end_writeback(k, &k.folios[index]);
    }
}

static WRAPS: Scenario = Scenario {
    name: "flush_wraps_round",
    about: "Two folios of a file. The flush worker, on CPU0, began with the second, which is in its \
            bio, and goes on: if it wraps round, with the first. On CPU1 fsync() has the first in \
            its bio, and goes on with the second. Both have been dirtied again meanwhile. On CPU2 \
            somebody is about to write to the first, and waits until the page is stable.",
    machine: FILE,
    setup: |k| {
        for folio in &k.folios {
            assert!(folio_trylock(folio), "nobody else runs yet");
            folio_start_writeback(k, folio);
            folio_unlock(k, folio);
            set_bit(PG_DIRTY, &folio.flags);
        }
    },
    tasks: &[
        cpu(0, "flush worker", |k| {
            owns(PG_WRITEBACK, &k.folios[1].flags);
            let rest = &range_cyclic(k, &[0, 1], 1)[1..];
            writes(k, rest, SyncMode::None, vec![1]);
        }),
        cpu(1, "fsync", |k| {
            owns(PG_WRITEBACK, &k.folios[0].flags);
            writes(k, &[1], SyncMode::All, vec![0]);
        }),
        cpu(2, "writer", |k| {
            let folio = &k.folios[0];
            folio_lock(k, folio);
            // folio_wait_stable()
            folio_wait_writeback(k, folio);
            folio_unlock(k, folio);
        }),
    ],
    ..Scenario::EMPTY
};

pub(in crate::claims) fn claims() -> Vec<Answers> {
    vec![
        hang(&WRAPS, Source::migrate("E-S6"), &["a folio was written", SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .broken_after(&[SLEPT])
            .violated(&[&WRAPS_ROUND]),
    ]
}
