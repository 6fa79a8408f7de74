//! The claims, one file per subsystem; each file has its scenarios first and then a table.

mod bh_lru;
mod folio_lock;
mod folio_wait;
mod longterm_pin;
mod lru_batches;
mod lru_flag;
mod lru_operations;
mod migrate_pending;
mod movable_page;
mod races;
mod references;
mod seed001;
mod writeback;

use selvedge_explore::Engine;

use crate::Claim;

/// All claims: those of the patches of the mail threads first.
pub static ALL: &[&[Claim]] = &[
    migrate_pending::CLAIMS,
    longterm_pin::CLAIMS,
    seed001::CLAIMS,
    lru_flag::CLAIMS,
    lru_operations::CLAIMS,
    bh_lru::CLAIMS,
    lru_batches::CLAIMS,
    references::CLAIMS,
    folio_lock::CLAIMS,
    folio_wait::CLAIMS,
    writeback::CLAIMS,
    races::CLAIMS,
    movable_page::ISOLATION,
    movable_page::PUTBACK,
    movable_page::BALLOON,
    movable_page::ZSMALLOC,
    &movable_page::DRIVERS,
];

/// For what shows under sequential consistency: every engine, the complete ones first.
const EVERY: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Random, Engine::Pct];
/// For what is true only under sequential consistency.
const SC: &[Engine] = &[Engine::Dpor, Engine::Random, Engine::Pct];
/// For interrupts, which loom does not have.
const INTERRUPT: &[Engine] = SC;
/// For what needs weak memory to fail, or to hold in spite of it.
const WEAK: &[Engine] = &[Engine::Loom];
/// For one task alone: PCT wants two.
const ALONE: &[Engine] = &[Engine::Dpor, Engine::Dfs, Engine::Random];
/// For what random schedules are too unlikely to hit.
const WITHOUT_RANDOM: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Pct];
/// The same, under sequential consistency only.
const SC_WITHOUT_RANDOM: &[Engine] = &[Engine::Dpor, Engine::Pct];
