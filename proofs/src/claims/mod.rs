//! The claims. Each file has scenarios of one subject, and then a matrix: a question for each
//! scenario and rule, and the trees in which the rule holds or is violated.

mod bh_lru;
mod compaction;
mod compaction_lists;
mod compaction_locked;
mod compaction_sync;
mod counts;
mod cpu_dead;
mod cpu_up;
mod ended;
mod every_cpu;
mod fault_and_walk;
mod faults;
mod flags;
mod folio_lock;
mod folio_lock_order;
mod folio_wait;
mod folio_wait_read;
mod handed_over;
mod hugetlb;
mod interrupts;
mod left_over;
mod longterm_pin;
mod lru_alone;
mod lru_batches;
mod lru_flag;
mod lru_locks;
mod lru_mlock;
mod lru_operations;
mod lru_reclaim;
mod lru_unreferenced;
mod migrate_batches;
mod migrate_pending;
mod migrate_pending_callers;
mod migrated;
mod movable_page;
mod moved;
mod page_cache;
mod queue_lock;
mod races;
mod races_folio;
mod reports;
mod softirqs;
mod waits;
pub mod weak;
mod writeback;

use selvedge_explore::Engine;

use crate::Answers;

/// A subsystem, and what is claimed of it.
pub type Group = (&'static str, fn() -> Vec<Answers>);

/// All claims: those of the patches of the mail threads first.
pub const ALL: &[Group] = &[
    ("migrate_pending", migrate_pending::claims),
    ("migrate_pending", migrate_pending_callers::claims),
    ("migrate_pending", every_cpu::claims),
    ("migrate_pending", cpu_dead::claims),
    ("migrate_pending", cpu_up::claims),
    ("longterm_pin", longterm_pin::claims),
    ("longterm_pin", longterm_pin::reports),
    ("compaction", compaction::claims),
    ("compaction", compaction_sync::claims),
    ("compaction", compaction_locked::claims),
    ("compaction", compaction_lists::claims),
    ("migrate_batches", migrate_batches::jbd2),
    ("migrate_batches", migrate_batches::writeback),
    ("migrate_batches", migrate_batches::split),
    ("migrate_batches", migrate_batches::held),
    ("migrate_batches", migrate_batches::folios),
    ("migrate_batches", migrate_batches::writeout),
    ("migrate_batches", migrate_batches::cyclic),
    ("migrate_buffers", migrate_batches::buffers),
    ("migrate_buffers", migrate_batches::written),
    ("lru_flag", lru_flag::claims),
    ("lru_flag", lru_reclaim::claims),
    ("lru_flag", lru_mlock::claims_of_flag),
    ("lru_operations", lru_operations::claims),
    ("lru_operations", lru_mlock::claims_of_operations),
    ("lru_operations", lru_alone::claims),
    ("lru_operations", lru_locks::claims),
    ("lru_operations", lru_unreferenced::claims),
    ("lru_operations", moved::claims),
    ("bh_lru", bh_lru::claims),
    ("lru_batches", lru_batches::claims),
    ("references", page_cache::claims),
    ("references", fault_and_walk::claims),
    ("references", migrated::claims),
    ("references", left_over::claims),
    ("ended", ended::claims),
    ("references", faults::claims),
    ("references", reports::isolation),
    ("folio_lock", folio_lock::claims),
    ("folio_lock", folio_lock_order::claims),
    ("folio_wait", folio_wait::claims),
    ("folio_wait", folio_wait_read::claims),
    ("folio_wait", waits::claims),
    ("folio_wait", queue_lock::claims),
    ("writeback", writeback::claims),
    ("writeback", reports::fuse),
    ("hugetlb", hugetlb::claims),
    ("interrupts", interrupts::claims),
    ("interrupts", softirqs::claims),
    ("flags", flags::claims),
    ("counts", counts::claims),
    ("races", races::claims),
    ("races", races_folio::claims),
    ("movable_page", movable_page::isolation),
    ("movable_page", movable_page::putback),
    ("movable_page", movable_page::balloon),
    ("movable_page", movable_page::zsmalloc),
    ("movable_page", movable_page::zspage_locks),
    ("movable_driver", movable_page::drivers),
    ("handed_over", handed_over::claims),
];

/// For what shows under sequential consistency: every engine, the complete ones first.
const EVERY: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Graph, Engine::Random, Engine::Pct];
/// For what shows under sequential consistency and is too large for loom, or is answered otherwise
/// there. [`weak`] asks `graph` too.
const SC: &[Engine] = &[Engine::Dpor, Engine::Random, Engine::Pct];
/// For interrupts, which loom does not have.
const INTERRUPT: &[Engine] = SC;
/// For what needs weak memory to fail, or to hold in spite of it: under the kernel's own model, and
/// loom as a second opinion.
const WEAK: &[Engine] = &[Engine::Graph, Engine::Loom];
/// The same, where graphs come to another rule first.
const LOOM: &[Engine] = &[Engine::Loom];
/// For one task alone: PCT wants two.
const ALONE: &[Engine] = &[Engine::Dpor, Engine::Dfs, Engine::Random];
/// For what random schedules are too unlikely to hit.
const WITHOUT_RANDOM: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Graph, Engine::Pct];
/// The same, without loom.
const SC_WITHOUT_RANDOM: &[Engine] = &[Engine::Dpor, Engine::Pct];
/// For what random and PCT schedules are too unlikely to hit, and for what is too large for loom.
const DPOR: &[Engine] = &[Engine::Dpor];
/// Complete, under every memory model.
const COMPLETE: &[Engine] = &[Engine::Dpor, Engine::Loom, Engine::Graph];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::rows;

    /// A rule that holds in a scenario in which nothing happens has proven nothing; and whoever
    /// reads of one that is violated wants to know what it is about.
    #[test]
    fn every_claim_names_states_that_must_be_reached() {
        let without: BTreeSet<&str> = rows()
            .filter(|(claim, _)| claim.reached.is_empty())
            .map(|(claim, _)| claim.scenario.name)
            .collect();
        assert!(without.is_empty(), "no state to be reached in: {without:?}");
        let unexplained: BTreeSet<(&str, &str)> = rows()
            .filter(|(claim, _)| claim.by_then.is_empty())
            .map(|(claim, _)| (claim.scenario.name, claim.tree.name))
            .collect();
        assert!(unexplained.is_empty(), "no state before it is violated: {unexplained:?}");
    }
}
