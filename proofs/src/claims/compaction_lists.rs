//! What compaction does to the LRU lists: it takes lru_lock like reclaim, with interrupts off, and
//! leaves no isolated folio linked.

use selvedge_kernel::Name;
use selvedge_models::Machine;
use selvedge_models::mm::compaction::compact_node;
use selvedge_models::mm::swap::folio_rotate_reclaimable;
use selvedge_models::mm::vmscan::folio_isolate_lru;
use selvedge_models::trees::*;

use super::lru_flag::LISTED;
use super::{ALONE, DPOR};
use crate::Source::{self, Analysis};
use crate::rules::*;
use crate::states::MIGRATED;
use crate::{Answers, Run, Scenario, ask, cpu, irq};

const TWO: Machine = LISTED.folios(2).spares().sleepers(1).passes(1);

fn compacts(k: &Run) {
    compact_node(k);
}

static SIZE: Scenario = Scenario {
    name: "compact_and_isolate",
    about: "CPU0 compacts two folios; CPU1 isolates the first one, if it comes in time, and keeps it.",
    machine: TWO.lru_size(),
    tasks: &[
        cpu(0, "compact_memory", compacts),
        cpu(1, "reclaim", |k| {
            folio_isolate_lru(k, &k.folios[0], Name::new("reclaim"));
        }),
    ],
    at_end: Some(size_is_linked_folios),
    ..Scenario::EMPTY
};

static INTERRUPTED: Scenario = Scenario {
    name: "rotation_interrupts_compaction",
    about: "CPU0 compacts two folios; an interrupt on CPU0 rotates the second one at any step. Batches \
            of one, which are moved at once.",
    machine: TWO.cpus(1).batch(1),
    tasks: &[
        cpu(0, "compact_memory", compacts),
        irq(0, "end of writeback", |k| folio_rotate_reclaimable(k, &k.folios[1])),
    ],
    ..Scenario::EMPTY
};

static FREED: Scenario = Scenario {
    name: "compaction_frees_a_folio",
    about: "CPU0 compacts a folio. Nobody else does anything.",
    machine: LISTED.cpus(1).spares().sleepers(1).passes(1),
    tasks: &[cpu(0, "compact_memory", compacts)],
    at_end: Some(no_freed_folio_is_linked),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let lru_lock = Analysis("the end of a writeback rotates, and moves a full batch");
    let lru = Source::lru;
    vec![
        ask(LRU_SIZE_IS_LINKED_FOLIOS, &SIZE, lru("O2"), &[MIGRATED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated(&[&COMPACTS_WITHOUT_LRU_LOCK]),
        ask(NOBODY_WAITS_FOR_EVER, &INTERRUPTED, lru_lock, &[MIGRATED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(NO_FREED_FOLIO_IS_LINKED, &FREED, lru("D7"), &[MIGRATED])
            .under(ALONE)
            .holds(&[&V6_12_117]),
    ]
}
