//! Page faults beside each other, and beside a truncation, with no migration.

use selvedge_kernel::fail_about;
use selvedge_models::Machine;
use selvedge_models::mm::filemap::truncate_inode_folio;
use selvedge_models::mm::memory::handle_mm_fault;
use selvedge_models::trees::*;

use super::DPOR;
use crate::Source::{Analysis, Comment};
use crate::rules::{
    A_FAULT_MAPS_WHAT_IS_CACHED, A_TRUNCATED_PAGE_IS_NOT_MAPPED, NO_REFERENCE_IS_LEFT_OVER,
    no_reference_is_left_over,
};
use crate::states::{
    FAULT_FOUND_NO_ENTRY, FAULT_FOUND_TRUNCATED, FAULT_LOST, FAULT_MAPPED, TRUNCATED,
    TRUNCATION_UNMAPPED,
};
use crate::{Answers, Run, Scenario, ask, cpu};

/// A page of a file that is in the page cache, and mapped nowhere.
const CACHED: Machine = Machine::TINY.sleepers(2).maps();

fn fault(k: &Run) {
    handle_mm_fault(k, 0);
}

static FAULT_ALONE: Scenario = Scenario {
    name: "fault_on_a_cached_page",
    about: "CPU0 faults on a page that is in the page cache. Nobody else does anything.",
    machine: CACHED,
    tasks: &[cpu(0, "user", fault)],
    at_end: Some(|k| {
        if k.ptes[0].peek() == 0 {
            let message = "the page is in the page cache, and the fault has not mapped it";
            fail_about(A_FAULT_MAPS_WHAT_IS_CACHED, message, k.ptes[0].object());
        }
    }),
    ..Scenario::EMPTY
};

static TWO_FAULTS: Scenario = Scenario {
    name: "two_faults_on_one_page",
    about: "CPU0 and CPU1 fault on a page that is in the page cache, and mapped nowhere.",
    machine: CACHED,
    tasks: &[cpu(0, "user", fault), cpu(1, "user", fault)],
    at_end: Some(no_reference_is_left_over),
    ..Scenario::EMPTY
};

static FAULT_VS_TRUNCATION: Scenario = Scenario {
    name: "fault_vs_truncation",
    about: "CPU0 truncates a page, which is mapped nowhere; CPU1 faults on it.",
    machine: CACHED,
    tasks: &[cpu(0, "truncator", |k| truncate_inode_folio(k, 0)), cpu(1, "user", fault)],
    at_end: Some(|k| {
        if k.i_pages[0].peek() == 0 && k.ptes[0].peek() != 0 {
            let message = "the page has left the page cache, and is mapped";
            fail_about(A_TRUNCATED_PAGE_IS_NOT_MAPPED, message, k.ptes[0].object());
        }
        no_reference_is_left_over(k);
    }),
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let maps = Analysis("what a fault is for");
    let again = Comment { file: "mm/memory.c", says: "finish_fault(): \"Re-check under ptl\"" };
    let locked = Comment {
        file: "mm/filemap.c",
        says: "filemap_fault(): \"Did it get truncated?\", asked with the folio locked",
    };
    vec![
        ask(A_FAULT_MAPS_WHAT_IS_CACHED, &FAULT_ALONE, maps, &[FAULT_MAPPED])
            .under(DPOR)
            .holds(&[&V6_12_117])
            .broken_after(&[FAULT_FOUND_NO_ENTRY])
            .violated(&[&FAULT_MAPS_NOTHING]),
        ask(NO_REFERENCE_IS_LEFT_OVER, &TWO_FAULTS, again, &[FAULT_MAPPED, FAULT_LOST])
            .under(DPOR)
            .holds(&[&V6_12_117]),
        ask(
            A_TRUNCATED_PAGE_IS_NOT_MAPPED,
            &FAULT_VS_TRUNCATION,
            locked,
            &[TRUNCATED, FAULT_MAPPED, FAULT_FOUND_TRUNCATED, TRUNCATION_UNMAPPED],
        )
        .under(DPOR)
        .holds(&[&V6_12_117])
        .broken_after(&[TRUNCATED, FAULT_MAPPED])
        .violated(&[&TRUNCATION_UNMAPS_NOTHING]),
    ]
}
