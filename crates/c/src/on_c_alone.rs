//! Scenarios that there are on C alone: what their tasks call has no model, or has it in scenarios
//! that are not made of calls. Those of `gate/migrate.c` migrate folios by the kernel's own
//! `migrate_pages()`.

mod faults;

use selvedge_kernel::{KERNEL_ASSERTIONS_HOLD, NOBODY_WAITS_FOR_EVER, fail};
use selvedge_models::mm::migrate::{Pages, SrcLock};
use selvedge_models::{Machine, Tree};
use selvedge_proofs::calls::{Arg, Call, Function, call};
use selvedge_proofs::functions::{
    BH_LRU_INSTALL, FOLIO_ACTIVATE, FOLIO_ADD_LRU, FOLIO_LOCK, FOLIO_TRYLOCK, FOLIO_UNLOCK,
    INVALIDATE_BH_LRUS, LRU_ADD_DRAIN, MLOCK_FOLIO, on_c_only,
};
use selvedge_proofs::rules::{
    A_FREED_BH_IS_NOT_FOUND, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO, PIN_DOES_NOT_FAIL_FOR_A_BATCH,
};
use selvedge_proofs::states::{DRAIN_WORKED, FREED, RESTED, RESTED_FOR_MLOCK, SLEPT};
use selvedge_proofs::{Expected, Source, calls};
use selvedge_trace::Rule;

use crate::scenario::{Scenario, UNFAIRNESS};
use crate::states::ENDED;

const FOLIO: &[Arg] = &[Arg::Folio(0)];
const OTHER: &[Arg] = &[Arg::Folio(1)];
const BH: &[Arg] = &[Arg::Bh(0)];
const LOCKED: &[Call] = &[call(FOLIO_TRYLOCK, FOLIO)];
const UNLOCK: &[Call] = &[call(FOLIO_UNLOCK, FOLIO)];
const PLAIN: &[Call] = &[call(FOLIO_LOCK, FOLIO), call(FOLIO_UNLOCK, FOLIO)];

const ISOLATED: Function = on_c_only("isolate");
const SET_LOCKED: Function = on_c_only("set_locked");
const SET_WRITEBACK: Function = on_c_only("set_writeback");
const WAIT_WRITEBACK: &[Call] = &[call(on_c_only("folio_wait_writeback"), FOLIO)];
const END_WRITEBACK: Function = on_c_only("folio_end_writeback");
const MIGRATE_TWO: &[Call] = &[call(on_c_only("migrate_two"), &[Arg::Folio(0), Arg::Folio(1)])];

static TWO_FOLIOS_ADDED: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "two_folios_go_to_one_list",
    about: "CPU0 and CPU1 add a folio each, and drain their batches: both folios go to the same \
            LRU list.",
    machine: Machine::TINY.folios(2),
    tasks: &[
        calls(0, "one", &[call(FOLIO_ADD_LRU, FOLIO), call(LRU_ADD_DRAIN, &[])]),
        calls(1, "other", &[call(FOLIO_ADD_LRU, OTHER), call(LRU_ADD_DRAIN, &[])]),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

static UNLOCK_AND_WAITER: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "unlock_and_waiter",
    about: "A folio is locked. CPU0 unlocks it; CPU1 wants the lock.",
    machine: Machine::TINY.sleepers(2),
    begins: LOCKED,
    tasks: &[calls(0, "holder", UNLOCK), calls(1, "plain", PLAIN)],
    ..selvedge_proofs::Scenario::EMPTY
};

static UNLOCK_AND_TWO_WAITERS: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "unlock_and_two_waiters",
    about: "A folio is locked. CPU0 unlocks it; CPU1 and CPU2 want the lock.",
    machine: Machine::TINY.cpus(3).sleepers(3),
    tasks: &[calls(0, "holder", UNLOCK), calls(1, "a", PLAIN), calls(2, "b", PLAIN)],
    ..UNLOCK_AND_WAITER
};

static WRITEBACK_ENDS: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "writeback_ends_and_two_waiters",
    about: "A folio is under writeback. CPU0 ends that; CPU1 and CPU2 wait for it.",
    machine: Machine::TINY.cpus(3),
    begins: &[call(SET_WRITEBACK, FOLIO)],
    tasks: &[
        calls(0, "io", &[call(END_WRITEBACK, FOLIO)]),
        calls(1, "a", WAIT_WRITEBACK),
        calls(2, "b", WAIT_WRITEBACK),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

/// A read ends, and the folio is unlocked, only when its task gets so far.
const READS: Function = on_c_only("read_ends");
const MIGRATE: Function = on_c_only("migrate_light");

static TWO_READERS: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "two_readers_migrate_each_others_folio",
    about: "CPU0 and CPU1 have locked a folio each for a read, which ends when they go on; before \
            that each migrates the other's folio, as direct compaction does.",
    machine: Machine::TINY.folios(2),
    begins: &[
        call(ISOLATED, FOLIO),
        call(ISOLATED, OTHER),
        call(SET_LOCKED, FOLIO),
        call(SET_LOCKED, OTHER),
    ],
    tasks: &[
        calls(0, "reader", &[call(MIGRATE, OTHER), call(READS, FOLIO)]),
        calls(1, "reader", &[call(MIGRATE, FOLIO), call(READS, OTHER)]),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

static BATCH_VS_WRITEBACK: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "migration_of_two_vs_writeback_behind_lock",
    about: "folio1 is under writeback. CPU0 migrates folio0 and folio1, synchronously; CPU1 locks \
            folio0, unlocks it, and then ends the writeback.",
    machine: Machine::TINY.folios(2),
    begins: &[call(ISOLATED, FOLIO), call(ISOLATED, OTHER), call(SET_WRITEBACK, OTHER)],
    tasks: &[
        calls(0, "kcompactd", MIGRATE_TWO),
        calls(
            1,
            "loop",
            &[call(FOLIO_LOCK, FOLIO), call(FOLIO_UNLOCK, FOLIO), call(END_WRITEBACK, OTHER)],
        ),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

static BATCH_VS_LOCK: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "migration_of_two_vs_locks_in_other_order",
    about: "CPU0 migrates folio0 and folio1, synchronously; CPU1 has locked folio1, locks folio0, \
            and unlocks both.",
    begins: &[call(ISOLATED, FOLIO), call(ISOLATED, OTHER), call(SET_LOCKED, OTHER)],
    tasks: &[
        calls(0, "kcompactd", MIGRATE_TWO),
        calls(
            1,
            "writer",
            &[call(FOLIO_LOCK, FOLIO), call(FOLIO_UNLOCK, FOLIO), call(FOLIO_UNLOCK, OTHER)],
        ),
    ],
    ..BATCH_VS_WRITEBACK
};

static BATCH_VS_BUFFER: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "migration_of_two_vs_buffer_behind_lock",
    about: "The buffer of folio0 is locked for its I/O. CPU0 migrates folio0 and folio1, \
            synchronously; CPU1, to which the I/O goes, locks folio1, unlocks it, and then unlocks \
            the buffer.",
    begins: &[
        call(on_c_only("cache_with_busy_buffer"), &[Arg::Folio(0), Arg::Bh(0)]),
        call(ISOLATED, FOLIO),
        call(ISOLATED, OTHER),
    ],
    tasks: &[
        calls(0, "kcompactd", MIGRATE_TWO),
        calls(
            1,
            "loop",
            &[
                call(FOLIO_LOCK, OTHER),
                call(FOLIO_UNLOCK, OTHER),
                call(on_c_only("unlock_buffer"), BH),
            ],
        ),
    ],
    ..BATCH_VS_WRITEBACK
};

const A_PAGE_THAT_IS_GIVEN_UP_IS_FREED: Rule =
    Rule("a driver's page that it gives up is freed, and is not left isolated");

static DRIVER_VS_COMPACTION: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "driver_gives_up_a_page_that_is_isolated",
    about: "CPU0 isolates a page of a driver, as compaction does, and puts it back; CPU1, the \
            driver, gives it up.",
    machine: Machine::TINY,
    begins: &[call(on_c_only("make_drivers"), FOLIO)],
    tasks: &[
        calls(0, "kcompactd", &[call(on_c_only("compact_page_of_driver"), FOLIO)]),
        calls(1, "driver", &[call(on_c_only("driver_gives_up"), FOLIO)]),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

/// Looks a bh up: 1 if it has been freed.
const FIND: Function = Function {
    judge: |found| {
        if found != 0 {
            fail(A_FREED_BH_IS_NOT_FOUND, "bh0 was found, and has been freed".to_string());
        }
    },
    ..on_c_only("find_bh")
};
/// The folio is locked.
const FREE_BUFFERS: Function = on_c_only("try_to_free_buffers");

static LOOKUP_VS_FREE: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "lookup_vs_free",
    about: "Only CPU0's bh_lru holds the bh. CPU0 looks it up; CPU1 tries to free the buffers, \
            empties the bh_lrus, and tries again.",
    begins: &[call(on_c_only("attach"), &[Arg::Folio(0), Arg::Bh(0)]), call(SET_LOCKED, FOLIO)],
    before: &[calls(0, "setup", &[call(BH_LRU_INSTALL, BH), call(on_c_only("brelse"), BH)])],
    tasks: &[
        calls(0, "finder", &[call(FIND, &[])]),
        calls(
            1,
            "reclaim",
            &[call(FREE_BUFFERS, FOLIO)
                .if_zero(&[call(INVALIDATE_BH_LRUS, &[]), call(FREE_BUFFERS, FOLIO)])],
        ),
    ],
    ..selvedge_proofs::Scenario::EMPTY
};

const PIN: &[Call] = &[call(on_c_only("pin"), FOLIO)];

static ACTIVATED_THEN_PINNED: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "activated_then_pinned",
    about: "CPU0 has put the folio in its activate batch, where it rests. Then CPU1 pins it for \
            long, so that it has to be migrated.",
    machine: Machine::TINY.listed(),
    begins: &[call(on_c_only("cache"), FOLIO), call(on_c_only("make_movable"), FOLIO)],
    before: &[calls(0, "user", &[call(FOLIO_ACTIVATE, FOLIO)])],
    tasks: &[calls(1, "pinner", PIN)],
    ..selvedge_proofs::Scenario::EMPTY
};

static MLOCKED_THEN_PINNED: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "mlocked_then_pinned",
    about: "CPU0 has mlocked the folio, which rests in its mlock batch. Then CPU1 pins it for \
            long.",
    before: &[calls(0, "user", &[call(MLOCK_FOLIO, FOLIO)])],
    ..ACTIVATED_THEN_PINNED
};

static ACTIVATED_WHILE_PINNED: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "activated_while_pinned",
    about: "CPU0 puts the folio in its activate batch while CPU1 pins it for long.",
    before: &[],
    tasks: &[calls(0, "user", &[call(FOLIO_ACTIVATE, FOLIO)]), calls(1, "pinner", PIN)],
    ..ACTIVATED_THEN_PINNED
};

/// All of them, as they are asked of a kernel whose nearest modelled release this is. `claimed` is
/// what the models of it say under a rule in the scenario of the same name.
pub fn scenarios(
    release: Option<&Tree>,
    claimed: impl Fn(&str, Rule) -> Option<(Expected, Source)>,
) -> Vec<Scenario> {
    let of = |of: &'static selvedge_proofs::Scenario, subsystem, rule, expected, reached| {
        Scenario { name: of.name, of, subsystem, rule, expected, unfairness: UNFAIRNESS, reached }
    };
    let woken = Source::analysis(
        "the order of PG_waiters, the trylock under the queue's lock and the wake-up",
    );
    let lock = |scenario| {
        let rule = NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
        of(scenario, "folio_lock", rule, (Expected::Holds, woken), vec![SLEPT])
    };
    let hang = |scenario, expected, source, reached| {
        of(scenario, "migration", NOBODY_WAITS_FOR_EVER, (expected, source), reached)
    };
    let waits_for_reads =
        release.is_some_and(|tree| tree.migrate.src_lock != SrcLock::WaitIfUptodate);
    let of_readers = if waits_for_reads { Expected::Violated } else { Expected::Holds };
    let uptodate = Source::commit("4bb6dc79d987");
    let one_by_one = Source::commit("fb3592c41a44");
    let as_modelled = |scenario: &'static selvedge_proofs::Scenario, subsystem, rule, reached| {
        let unasked = Source::analysis("no modelled release is as old");
        let expected = claimed(scenario.name, rule).unwrap_or((Expected::Holds, unasked));
        of(scenario, subsystem, rule, expected, reached)
    };
    let pin = |scenario, reached| {
        as_modelled(scenario, "longterm_pin", PIN_DOES_NOT_FAIL_FOR_A_BATCH, reached)
    };
    let mut all = vec![
        lock(&UNLOCK_AND_WAITER),
        lock(&UNLOCK_AND_TWO_WAITERS),
        of(
            &WRITEBACK_ENDS,
            "writeback",
            NOBODY_WAITS_FOR_EVER,
            (Expected::Holds, woken),
            vec![SLEPT],
        ),
        hang(&TWO_READERS, of_readers, uptodate, vec![ENDED]),
        hang(&BATCH_VS_WRITEBACK, Expected::Holds, Source::migrate("E-S2"), vec![SLEPT]),
        hang(&BATCH_VS_LOCK, Expected::Holds, one_by_one, vec![SLEPT]),
        hang(&BATCH_VS_BUFFER, Expected::Holds, Source::migrate("D-S1"), vec![SLEPT]),
        of(
            &DRIVER_VS_COMPACTION,
            "migration",
            A_PAGE_THAT_IS_GIVEN_UP_IS_FREED,
            (Expected::Holds, Source::analysis("both look again under the page lock")),
            vec![ENDED, FREED],
        ),
        two_folios_added(),
        as_modelled(&LOOKUP_VS_FREE, "bh_lru", A_FREED_BH_IS_NOT_FOUND, vec![ENDED]),
        pin(&ACTIVATED_THEN_PINNED, vec![RESTED, DRAIN_WORKED]),
        pin(&MLOCKED_THEN_PINNED, vec![RESTED_FOR_MLOCK, DRAIN_WORKED]),
        pin(&ACTIVATED_WHILE_PINNED, vec![RESTED]),
    ];
    all.extend(faults::scenarios());
    // Up to 6.2 no folio is locked while another is migrated, and the search is long.
    if release.is_some_and(|tree| tree.migrate.pages == Pages::OneByOne) {
        all.retain(|scenario| !is_of_two(scenario.name));
    }
    all
}

fn two_folios_added() -> Scenario {
    Scenario {
        name: TWO_FOLIOS_ADDED.name,
        of: &TWO_FOLIOS_ADDED,
        subsystem: "lru_batches",
        rule: KERNEL_ASSERTIONS_HOLD,
        expected: (Expected::Holds, Source::analysis("lru_lock is held where lists are edited")),
        unfairness: UNFAIRNESS,
        reached: vec![ENDED],
    }
}

/// Does it migrate two folios at once?
fn is_of_two(name: &str) -> bool {
    [BATCH_VS_WRITEBACK.name, BATCH_VS_LOCK.name, BATCH_VS_BUFFER.name].contains(&name)
}
