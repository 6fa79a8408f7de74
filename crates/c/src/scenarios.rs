//! The scenarios that there are on C.

use selvedge_explore::fail;
use selvedge_kernel::reached;
use selvedge_trace::Rule;

use crate::scenario::{Arg, Call, Expected, Look, Scenario, Task, call, cpu};

/// As in the proofs.
pub const NO_BH_STAYS_WHILE_PENDING: Rule =
    Rule("no bh stays in a bh_lru while a migration is pending");
/// As in the proofs.
pub const NO_FOLIO_RESTS_WHILE_PENDING: Rule =
    Rule("no folio rests in an LRU batch while a migration is pending");
/// As in the proofs.
pub const OWN_ADDITIONS_ARE_DRAINED: Rule =
    Rule("lru_add_drain_all() drains what its caller added before");
/// As in the proofs.
pub const NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO: Rule =
    Rule("no task sleeps on a folio that is unlocked and that nobody owes a wake-up for");

/// A task gave up its CPU in `schedule()`.
pub const SLEPT: &str = "a task slept";
/// Another CPU executed a function for `smp_call_function_many_cond()`.
pub const IPI_RAN: &str = "an inter-processor interrupt was served";
/// A kworker executed an item.
pub const WORK_RAN: &str = "a work item ran";
/// The last reference of a folio was dropped.
pub const FREED: &str = "a folio was freed";
/// The check at the end found the folio on an LRU list.
const ON_LRU: &str = "the folio is on an LRU list";

/// How many slots a `bh_lru` has at most; a slot beyond is empty.
const BH_LRU_SIZE_MAX: u64 = 16;

const FOLIO: &[Arg] = &[Arg::Folio(0)];
const HELD: &[Call] = &[call("sv_folio_set_locked", FOLIO)];
const HOLDER: Task = cpu(0, "holder", &[call("folio_unlock", FOLIO)]);
const PLAIN: &[Call] = &[call("sv_lock_and_unlock", FOLIO)];

/// What a scenario does not say is as here.
const EMPTY: Scenario = Scenario {
    subsystem: "",
    name: "",
    about: "",
    rule: NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
    expected: (Expected::Holds, ""),
    cpus: 2,
    unfairness: 5,
    set_up: &[],
    tasks: &[],
    at_end: |_| {},
    reached: &[],
};

const KILLED: Scenario = Scenario {
    subsystem: "folio_wait",
    about: "A folio is locked. A killable waiter and a plain one queue; the holder unlocks, and the first \
            is killed.",
    expected: (Expected::Violated, "the same in the Rust model, and by hand along the C"),
    cpus: 4,
    set_up: HELD,
    tasks: &[
        HOLDER,
        cpu(1, "killable", &[call("sv_lock_killable_and_unlock", FOLIO)]),
        cpu(2, "plain", PLAIN),
        cpu(3, "killer", &[call("sv_send_sigkill", &[Arg::Task(2)])]),
    ],
    reached: &[SLEPT],
    ..EMPTY
};

/// All of them, in the order of the report.
pub static ALL: &[Scenario] = &[
    Scenario {
        subsystem: "migrate_pending",
        name: "install_vs_prep",
        about: "CPU0 puts a bh into its bh_lru; CPU1 disables the caches for a migration.",
        rule: NO_BH_STAYS_WHILE_PENDING,
        expected: (Expected::Holds, "kernel-lru:B4"),
        tasks: &[
            cpu(0, "installer", &[call("sv_bh_lru_install", &[Arg::Bh(0)])]),
            cpu(1, "migrator", &[call("lru_cache_disable", &[])]),
        ],
        at_end: no_bh_stays,
        reached: &[WORK_RAN],
        ..EMPTY
    },
    Scenario {
        subsystem: "migrate_pending",
        name: "add_vs_prep",
        about: "CPU0 adds a folio to its LRU batch; CPU1 disables the caches for a migration.",
        rule: NO_FOLIO_RESTS_WHILE_PENDING,
        expected: (Expected::Holds, "kernel-lru:A2"),
        tasks: &[
            cpu(0, "adder", &[call("folio_add_lru", FOLIO)]),
            cpu(1, "migrator", &[call("lru_cache_disable", &[])]),
        ],
        at_end: no_folio_rests,
        reached: &[WORK_RAN, ON_LRU],
        ..EMPTY
    },
    Scenario {
        subsystem: "batches",
        name: "add_and_drain_vs_drain",
        about: "CPU0 adds a folio to its LRU batch and drains all; CPU1 drains all.",
        rule: OWN_ADDITIONS_ARE_DRAINED,
        expected: (Expected::Holds, "kernel-lru:A1"),
        tasks: &[
            cpu(0, "adder", &[call("sv_add_and_drain", FOLIO)]),
            cpu(1, "drainer", &[call("lru_add_drain_all", &[])]),
        ],
        at_end: own_additions_are_drained,
        reached: &[WORK_RAN, ON_LRU],
        ..EMPTY
    },
    Scenario {
        subsystem: "folio_lock",
        name: "unlock_and_waiter",
        about: "A folio is locked. CPU0 unlocks it; CPU1 wants the lock.",
        expected: (
            Expected::Holds,
            "the order of PG_waiters, the trylock under the queue's lock and the wake-up",
        ),
        set_up: HELD,
        tasks: &[HOLDER, cpu(1, "plain", PLAIN)],
        reached: &[SLEPT],
        ..EMPTY
    },
    Scenario {
        subsystem: "folio_lock",
        name: "unlock_and_two_waiters",
        about: "A folio is locked. CPU0 unlocks it; CPU1 and CPU2 want the lock.",
        expected: (
            Expected::Holds,
            "the order of PG_waiters, the trylock under the queue's lock and the wake-up",
        ),
        cpus: 3,
        set_up: HELD,
        tasks: &[HOLDER, cpu(1, "a", PLAIN), cpu(2, "b", PLAIN)],
        reached: &[SLEPT],
        ..EMPTY
    },
    Scenario { name: "killed_waiter_before_plain_waiter", ..KILLED },
    Scenario { name: "killed_waiter_before_plain_waiter_unfairness_1", unfairness: 1, ..KILLED },
    Scenario {
        name: "killed_waiter_before_plain_waiter_unfairness_0",
        unfairness: 0,
        expected: (Expected::Holds, "whoever unlocks hands the lock over"),
        ..KILLED
    },
];

fn no_bh_stays(look: &Look) {
    for cpu in 0..2 {
        for slot in 0..BH_LRU_SIZE_MAX {
            let bh = look("sv_bh", &[0]);
            if look("sv_bh_lru_slot", &[cpu, slot]) == bh {
                let count = look("sv_bh_count", &[bh]) as i32;
                let message =
                    format!("bh0 stays in the bh_lru of CPU{cpu}, its b_count is {count}");
                fail(NO_BH_STAYS_WHILE_PENDING, message);
            }
        }
    }
}

fn own_additions_are_drained(look: &Look) {
    let folio = look("sv_folio", &[0]);
    if look("sv_folio_is_on_lru", &[folio]) as i32 != 0 {
        reached(ON_LRU);
    }
    let left = look("sv_left_behind", &[]) as i32;
    if left != 0 {
        let message = format!("{left} folio rests in the lru_add batch of CPU0 when it returns");
        fail(OWN_ADDITIONS_ARE_DRAINED, message);
    }
}

fn no_folio_rests(look: &Look) {
    let folio = look("sv_folio", &[0]);
    if look("sv_folio_is_on_lru", &[folio]) as i32 != 0 {
        reached(ON_LRU);
    }
    for cpu in 0..2 {
        if look("sv_lru_add_nr", &[cpu]) as i32 != 0 {
            let refs = look("sv_folio_refs", &[folio]) as i32;
            let message = format!(
                "folio0 rests in the lru_add batch of CPU{cpu}, its reference count is {refs}"
            );
            fail(NO_FOLIO_RESTS_WHILE_PENDING, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_names_of_their_own_and_a_source() {
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|s| s.name).collect();
        assert_eq!(names.len(), ALL.len());
        for scenario in ALL {
            assert!(!scenario.expected.1.is_empty(), "{}", scenario.name);
            assert!(scenario.cpus <= 8 && scenario.tasks.iter().all(|t| t.cpu < scenario.cpus));
            assert!(!scenario.reached.is_empty(), "{}", scenario.name);
        }
    }
}
