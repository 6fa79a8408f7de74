//! The claims, one file per subsystem; each file has its scenarios first and then a table.

mod batches;
mod bh_lru;
mod folio_lock;
mod folio_wait;
mod longterm_pin;
mod lru_batches;
mod lru_flag;
mod lru_operations;
mod migrate_pending;
mod races;
mod references;
mod seed001;
mod seed004;
mod writeback;

use selvedge_explore::Engine;

use crate::Claim;

/// All claims: those of the patches of the mail threads first.
pub static ALL: &[&[Claim]] = &[
    migrate_pending::CLAIMS,
    longterm_pin::CLAIMS,
    seed001::CLAIMS,
    seed004::CLAIMS,
    batches::CLAIMS,
    lru_flag::CLAIMS,
    lru_operations::CLAIMS,
    bh_lru::CLAIMS,
    lru_batches::CLAIMS,
    references::CLAIMS,
    folio_lock::CLAIMS,
    folio_wait::CLAIMS,
    writeback::CLAIMS,
    races::CLAIMS,
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
/// For rows of which there are many: the complete engine alone.
const DPOR: &[Engine] = &[Engine::Dpor];
/// The same as [`WITHOUT_RANDOM`], under sequential consistency only.
const SC_WITHOUT_RANDOM: &[Engine] = &[Engine::Dpor, Engine::Pct];
