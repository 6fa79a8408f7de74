//! `migrate_pages()` with several folios locked at once, and whom it waits for meanwhile: the
//! deadlocks of February 2023, kernel-migrate sections C, D and E.
//!
//! | file           | what                                                                    |
//! |----------------|-------------------------------------------------------------------------|
//! | `mod.rs`       | what the scenarios share                                                |
//! | `jbd2.rs`      | D-S1: a buffer that is locked for a write                               |
//! | `writeback.rs` | E-S1 to E-S5: a folio under writeback                                   |
//! | `split.rs`     | a large folio that is split while others are locked                     |
//! | `held.rs`      | C.3: what is locked at each wait                                        |
//! | `folios.rs`    | C-S1, C-S4, C-S7: what becomes of a batch, who gets its locks           |
//! | `writeout.rs`  | C-S5, C-S6: folios that a migration writes out                          |
//! | `written.rs`   | dirty buffers that are written, and what is on the disk then            |
//! | `cyclic.rs`    | E-S6: two writers of one file, and one that wraps round                 |
//! | `buffers.rs`   | D-S2 to D-S8, G-S3: buffers while their folio migrates                  |
//!
//! Each deadlock is played in all modes that its row of the sheet names, and with both orders of
//! the list of folios. B is folio 0, A is folio 1.

mod buffers;
mod cyclic;
mod folios;
mod held;
mod jbd2;
mod split;
mod writeback;
mod writeout;
mod written;

pub(super) use buffers::claims as buffers;
pub(super) use cyclic::claims as cyclic;
pub(super) use folios::claims as folios;
pub(super) use held::claims as held;
pub(super) use jbd2::claims as jbd2;
pub(super) use split::claims as split;
pub(super) use writeback::claims as writeback;
pub(super) use writeout::claims as writeout;
pub(super) use written::claims as written;

use selvedge_kernel::{enter, plain_write, set_bit};
use selvedge_models::mm::migrate::{
    ISOLATION, Migrator, Mode, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::swap::folio_get;
use selvedge_models::{Machine, PG_UPTODATE};

use super::{ALONE, COMPLETE, DPOR, WEAK};
use crate::Source::{self, Analysis};
use crate::rules::NOBODY_WAITS_FOR_EVER;
use crate::{Question, Run, Scenario, ask};

/// Two folios that migrate, each with a target; three CPUs.
const TWO: Machine = Machine::TINY.cpus(3).folios(2).spares().sleepers(3);

/// Sleeper 0 isolates both folios and migrates them in this mode, in this order. A folio that has
/// been read is uptodate, whatever becomes of it: since 6.5 that decides who waits for its lock.
fn migrator(k: &Run, name: &str, mode: Mode, list: [usize; 2]) -> usize {
    for &index in &list {
        set_bit(PG_UPTODATE, &k.folios[index].flags);
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

/// Where in an array of scenarios: the mode, and the order.
const BA: usize = 0;
const AB: usize = 1;
const IN_ASYNC: usize = 0;
const IN_LIGHT: usize = 2;
const IN_SYNC: usize = 4;

const fn of_two(
    name: &'static str,
    about: &'static str,
    machine: Machine,
    setup: fn(&Run),
) -> Scenario {
    Scenario { name, about, machine, setup, ..Scenario::EMPTY }
}

const HUGH: Source = Analysis("kernel-migrate:C.3: nothing blocks while another pair is locked");

/// Does anybody wait for ever?
fn hang(scenario: &'static Scenario, source: Source, reached: &'static [&'static str]) -> Question {
    ask(NOBODY_WAITS_FOR_EVER, scenario, source, reached)
}

// Not about two folios A and B.

/// One folio that migrates, and its target.
const ONE: Machine = Machine::TINY.spares().sleepers(2);

/// Isolates these folios, migrates them in this order as sleeper 0, and puts back what was not
/// migrated. How many that were is the outcome.
fn migrate(k: &Run, mode: Mode, list: &'static [usize]) -> usize {
    for &index in list {
        folio_get(&k.folios[index], ISOLATION);
    }
    k.task(0, "migrator", move |k| {
        let left = migrate_pages(k, list, Migrator { mode, memalloc: false });
        plain_write(&k.outcome, left.len() as u64);
        putback_movable_pages(k, &left);
    })
}

const fn scenario(
    name: &'static str,
    about: &'static str,
    machine: Machine,
    setup: fn(&Run),
    at_end: fn(&Run),
) -> Scenario {
    Scenario { name, about, machine, setup, at_end: Some(at_end), ..Scenario::EMPTY }
}
