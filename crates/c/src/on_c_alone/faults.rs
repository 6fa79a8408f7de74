//! Faults against a migration: what a fault looks up under RCU alone (`gate/probes/mm/filemap.c`),
//! and what it does while an entry is replaced (`gate/fault.c`).

use selvedge_kernel::fail;
use selvedge_models::Machine;
use selvedge_proofs::calls::{Function, call};
use selvedge_proofs::functions::on_c_only;
use selvedge_proofs::rules::{A_PAGE_IS_ONE_FOLIO, FAULT_LEAVES_MIGRATION_ALONE};
use selvedge_proofs::states::SLEPT;
use selvedge_proofs::{Expected, Source, calls};
use selvedge_trace::Rule;

use super::{FOLIO, ISOLATED, MIGRATE};
use crate::scenario::{Scenario, UNFAIRNESS};
use crate::states::ENDED;

/// 1: what a fault has found and locked is not what is cached.
const FAULT_AROUND: Function = Function {
    judge: |is_other| {
        if is_other != 0 {
            let text = "the folio that the fault has locked is not the one that is cached";
            fail(A_FAULT_MAPS_WHAT_IS_CACHED, text.to_string());
        }
    },
    ..on_c_only("fault_around")
};

const A_FAULT_MAPS_WHAT_IS_CACHED: Rule =
    Rule("what a fault without the mmap lock finds and locks is what is cached there");

static FAULT_VS_MIGRATION: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "fault_around_vs_migration",
    about: "A page of a file is cached. CPU0 migrates it; CPU1 takes a fault, and looks it up and \
            locks it under RCU alone.",
    machine: Machine::TINY,
    begins: &[call(on_c_only("cache_of_file"), FOLIO), call(ISOLATED, FOLIO)],
    tasks: &[
        calls(0, "kcompactd", &[call(MIGRATE, FOLIO)]),
        calls(1, "fault", &[call(FAULT_AROUND, FOLIO)]),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

/// 1: somebody has a reference that a migration does not expect.
const TRY_TO_MIGRATE: Function = Function {
    judge: |is_refused| {
        if is_refused != 0 {
            let text = "the fault has a reference to the folio, which cannot be migrated";
            fail(FAULT_LEAVES_MIGRATION_ALONE, text.to_string());
        }
    },
    ..on_c_only("try_to_migrate")
};

static FAULT_VS_TRY_TO_MIGRATE: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "fault_vs_try_to_migrate",
    about: "A page of a file is mapped. CPU0 replaces its entry for a migration, looks who has \
            references, and puts the entry back; CPU1 takes a fault on the page.",
    begins: &[call(on_c_only("map"), FOLIO), call(ISOLATED, FOLIO)],
    tasks: &[
        calls(0, "kcompactd", &[call(TRY_TO_MIGRATE, FOLIO)]),
        calls(1, "fault", &[call(on_c_only("fault"), &[])]),
    ],
    ..FAULT_VS_MIGRATION
};

static FAULT_AND_TRY_TO_MIGRATE: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "fault_and_try_to_migrate_leave_one_entry",
    about: "The same; in the end the page is mapped as it was.",
    tasks: &[
        calls(0, "kcompactd", &[call(on_c_only("try_to_migrate"), FOLIO)]),
        calls(1, "fault", &[call(on_c_only("fault"), &[])]),
    ],
    ..FAULT_VS_TRY_TO_MIGRATE
};

const LOCKLESS: &str = "a folio with a reference more than is expected is not migrated, and one \
                        that was migrated before is not found again";

const RE_CHECK: &str = "finish_fault() looks again under the page-table lock";

/// All of them.
pub fn scenarios() -> Vec<Scenario> {
    let of = |of: &'static selvedge_proofs::Scenario, rule, expected, reached| {
        let (name, subsystem, unfairness) = (of.name, "migration", UNFAIRNESS);
        Scenario { name, of, subsystem, rule, expected, unfairness, reached }
    };
    let holds = |why| (Expected::Holds, Source::analysis(why));
    let known = (Expected::Violated, Source::report("R10"));
    vec![
        of(&FAULT_VS_MIGRATION, A_FAULT_MAPS_WHAT_IS_CACHED, holds(LOCKLESS), vec![ENDED]),
        of(&FAULT_VS_TRY_TO_MIGRATE, FAULT_LEAVES_MIGRATION_ALONE, known, vec![SLEPT]),
        of(&FAULT_AND_TRY_TO_MIGRATE, A_PAGE_IS_ONE_FOLIO, holds(RE_CHECK), vec![ENDED, SLEPT]),
    ]
}
