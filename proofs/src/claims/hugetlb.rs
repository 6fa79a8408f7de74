//! Folios of hugetlbfs that migrate while a hole is punched in their file, or while somebody comes
//! across them: R2 of the reports, and what the locks and references of the two are for.

use selvedge_kernel::{fail_about, plain_write};
use selvedge_models::Machine;
use selvedge_models::mm::filemap::pfn_walker;
use selvedge_models::mm::hugetlb::{
    Hole, MAPPING_WAS_LOCKED, REMOVED, WANTS_MAPPING, ZEROED, hugetlbfs_punch_hole,
    migrate_hugetlbs,
};
use selvedge_models::mm::migrate::{FREEZE_FAILED, ISOLATION, Migrator, Mode};
use selvedge_models::mm::swap::{folio_get, folio_put};
use selvedge_models::trees::*;

use super::{DPOR, SC_WITHOUT_RANDOM};
use crate::rules::{
    AN_IDLE_FOLIO_MIGRATES, NO_REFERENCE_IS_LEFT_OVER, NO_STORE_IS_LOST, NOBODY_WAITS_FOR_EVER,
    no_folio_is_left_locked, no_reference_is_left_over,
};
use crate::states::{FREED, MIGRATED, SLEPT};
use crate::{Answers, Run, Scenario, Source, Task, ask, cpu};

/// The folio is isolated, and has something in it.
fn isolated(k: &Run) {
    folio_get(&k.folios[0], ISOLATION);
    plain_write(&k.folios[0].contents, 1);
}

/// Migrates the folio; if that fails, it is put back.
const MIGRATES: Task = cpu(0, "migrator", |k| {
    if !migrate_hugetlbs(k, &k.folios[0], Migrator::SYNC) {
        folio_put(k, &k.folios[0], ISOLATION);
    }
});

/// The same in MIGRATE_ASYNC, which waits for no lock.
const MIGRATES_ASYNC: Task = cpu(0, "migrator", |k| {
    let who = Migrator { mode: Mode::Async, memalloc: false };
    if !migrate_hugetlbs(k, &k.folios[0], who) {
        folio_put(k, &k.folios[0], ISOLATION);
    }
});

/// The outcome is 1 if its lookup found a folio, which is zeroed then. In C it does, however often
/// it meets a frozen one.
const ZEROES_A_PART: Task = cpu(1, "hole", |k| {
    if hugetlbfs_punch_hole(k, Hole::Part(0)) {
        plain_write(&k.outcome, 1);
    }
});

static HUGETLB: Scenario = Scenario {
    name: "migrate_hugetlb_vs_punch_hole",
    about: "The folio is of hugetlbfs, isolated, and mapped. CPU0 migrates it; CPU1 punches a hole \
            that ends within it.",
    machine: Machine::TINY.mapped().hugetlb().sleepers(2).passes(1),
    setup: isolated,
    tasks: &[MIGRATES, ZEROES_A_PART],
    ..Scenario::EMPTY
};

/// Whoever is last, what the hole zeroed is zero, in the folio that the page has now, which both
/// have unlocked.
fn the_hole_is_zero(k: &Run) {
    no_folio_is_left_locked(k);
    let cached = k.i_pages[0].peek();
    let folio = &k.folios[cached as usize - 1];
    if k.outcome.peek() == 1 && folio.contents.peek() != 0 {
        let message = format!("the hole was zeroed, and folio{} is not", folio.index);
        fail_about(NO_STORE_IS_LOST, message, folio.contents.object());
    }
}

static HUGETLB_CONTENTS: Scenario = Scenario {
    name: "migrate_hugetlb_vs_punch_hole_contents",
    about: "The same; in the end we look at the contents of the folio.",
    at_end: Some(the_hole_is_zero),
    ..HUGETLB
};

static HUGETLB_REFERENCES: Scenario = Scenario {
    name: "migrate_hugetlb_vs_punch_hole_references",
    about: "The same; in the end we look at the references of both folios.",
    at_end: Some(no_reference_is_left_over),
    ..HUGETLB
};

static HUGETLB_ALONE: Scenario = Scenario {
    name: "hugetlb_folio_is_migrated",
    about: "The folio is of hugetlbfs, isolated, and mapped. CPU0 migrates it. Nobody else does \
            anything.",
    machine: HUGETLB.machine.cpus(1),
    setup: |k| folio_get(&k.folios[0], ISOLATION),
    tasks: &[cpu(0, "migrator", |k| {
        if !migrate_hugetlbs(k, &k.folios[0], Migrator::SYNC) {
            let message = "nobody else was there, and the folio stays";
            fail_about(AN_IDLE_FOLIO_MIGRATES, message, k.folios[0].refcount.object());
        }
    })],
    ..Scenario::EMPTY
};

/// The same folio, mapped nowhere: its migration does not ask for `i_mmap_rwsem`.
const UNMAPPED: Machine = Machine::TINY.spares().hugetlb().sleepers(2).passes(1);

static UNMAPPED_VS_HOLE: Scenario = Scenario {
    name: "migrate_unmapped_hugetlb_vs_punch_hole",
    about: "The folio is of hugetlbfs, isolated, and mapped nowhere. CPU0 migrates it; CPU1 \
            punches a hole that ends within it.",
    machine: UNMAPPED,
    ..HUGETLB_CONTENTS
};

static UNMAPPED_VS_REMOVAL: Scenario = Scenario {
    name: "migrate_unmapped_hugetlb_vs_hole_of_its_page",
    about: "The same in MIGRATE_ASYNC; CPU1 punches a hole that has the whole page in it, and \
            takes it out of the file.",
    tasks: &[
        MIGRATES_ASYNC,
        cpu(1, "hole", |k| {
            hugetlbfs_punch_hole(k, Hole::Whole(0));
        }),
    ],
    at_end: Some(no_reference_is_left_over),
    ..UNMAPPED_VS_HOLE
};

static UNMAPPED_IS_MET: Scenario = Scenario {
    name: "migrate_unmapped_hugetlb_vs_pfn_walker",
    about: "The same; CPU1 walks page frames, and meets the folio.",
    tasks: &[
        MIGRATES,
        cpu(1, "walker", |k| {
            pfn_walker(k, &k.folios[0]);
        }),
    ],
    at_end: Some(no_reference_is_left_over),
    ..UNMAPPED_VS_HOLE
};

pub(super) fn claims() -> Vec<Answers> {
    let source = Source::report("R2");
    let idle = Source::analysis("what a migration is for");
    let met = Source::analysis("whoever drops the last reference frees the folio");
    let both = Source::analysis("both have the folio locked, and look whether it is still there");
    vec![
        ask(NOBODY_WAITS_FOR_EVER, &HUGETLB, source, &[MIGRATED, MAPPING_WAS_LOCKED])
            .under(SC_WITHOUT_RANDOM)
            .holds(&[&V5_6])
            .violated_after(&[MIGRATED, WANTS_MAPPING], &[&V5_11, &V6_1, &V6_17, &V6_18])
            .holds(&[&V6_1_192, &V6_12_117, &V6_19]),
        ask(AN_IDLE_FOLIO_MIGRATES, &HUGETLB_ALONE, idle, &[MIGRATED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(NO_STORE_IS_LOST, &HUGETLB_CONTENTS, both, &[MIGRATED, ZEROED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated_after(&[MIGRATED], &[&HOLE_ZEROES_NOTHING]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &HUGETLB_REFERENCES, both, &[MIGRATED, ZEROED])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(NO_STORE_IS_LOST, &UNMAPPED_VS_HOLE, both, &[MIGRATED, ZEROED, SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .violated_after(&[MIGRATED], &[&HOLE_ZEROES_NOTHING]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &UNMAPPED_VS_REMOVAL, both, &[MIGRATED, REMOVED, SLEPT])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &UNMAPPED_IS_MET, met, &[MIGRATED, FREED, FREEZE_FAILED])
            .under(DPOR)
            .holds(&[&V6_1_192, &V6_12_117]),
    ]
}
