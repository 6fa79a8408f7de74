//! Who gets a folio next: what the one before has done with its reference, under its lock, or
//! before the folio could be found, must be seen. Every scenario is asked that under the kernel's
//! memory model; here are those in which little else happens, so that each put of a modelled
//! function may be the last one, or come right before it.

use selvedge_explore::Engine;
use selvedge_kernel::{
    Name, atomic_set, booked, fail_about, owns, plain_read, plain_write, rcu_assign_pointer,
    reached, set_bit, test_bit,
};
use selvedge_models::fs::buffer::{
    __find_get_block_slow, Finder, brelse, buffer_uptodate, end_buffer_async_read,
    try_to_free_buffers, trylock_buffer,
};
use selvedge_models::mm::compaction::{
    CompactControl, PASSED_OVER_A_FILE, isolate_migratepages_block,
};
use selvedge_models::mm::filemap::{
    filemap_get_entry, folio_trylock, folio_unlock, pfn_walker, truncate_inode_folio,
};
use selvedge_models::mm::gup::{NOT_ISOLATED_FOR_A_PIN, pin_user_pages_longterm};
use selvedge_models::mm::memory::{do_fault, handle_mm_fault, zap_pte_range};
use selvedge_models::mm::migrate::{Aops, FREEZE_FAILED, ISOLATION, Migrator, Mode};
use selvedge_models::mm::mlock::{mlock_drain_local, mlock_folio};
use selvedge_models::mm::readahead::{READAHEAD, filemap_add_folio};
use selvedge_models::mm::swap::{folio_add_lru, folio_get, folio_put, lru_add_drain};
use selvedge_models::mm::vmscan::{
    folio_isolate_lru, folio_putback_lru, isolate_lru_folios, scan_folios,
};
use selvedge_models::trees::*;
use selvedge_models::{BH_ASYNC_READ, BH_LOCK, Machine, PAGE_CACHE, PG_UPTODATE};

use super::folio_lock::TRY_ONCE;
use super::left_over::{BATCH_PUTS_LAST, LEAVES_THE_CACHE, leaves_the_cache, put_back};
use super::lru_flag::LISTED;
use super::page_cache::{MIGRATE_ISOLATED_VS_LOOKUP, UNMAPPED, isolated, migrate_isolated};
use crate::Source::{Analysis, Comment};
use crate::rules::*;
use crate::states::{
    BUFFERS_FREED, FAULT_LOST, FREED, ISOLATED, LOOKED_UP, MIGRATED, RECLAIM_PASSED_OVER, RESTED,
    RESTED_FOR_MLOCK, TRUNCATED,
};
use crate::{Answers, Run, Scenario, Task, ask, cpu};

/// Where all CPUs see one order of all steps, these rules hold whatever the steps are.
const GRAPH: &[Engine] = &[Engine::Graph];

/// Whoever looks the page up, looks at its folio, and lets go of it.
fn lookup(k: &Run) {
    let holder = Name::new("lookup");
    let Some(folio) = filemap_get_entry(k, 0, holder) else { return };
    reached(LOOKED_UP);
    test_bit(PG_UPTODATE, &folio.flags);
    folio_put(k, folio, holder);
}

/// Whoever has isolated the folio lets go of it; the page cache does, too.
const ISOLATED_AND_DROPPED: Task = cpu(1, "truncation", |k| {
    if folio_isolate_lru(k, &k.folios[0], ISOLATION) {
        folio_put(k, &k.folios[0], ISOLATION);
    }
    leaves_the_cache(k, 0);
});

static COMPACTION_PUTS_LAST: Scenario = Scenario {
    name: "compaction_or_truncation_puts_last",
    about: "CPU0 looks for what to compact, without __GFP_FS, and passes over the folio, which is \
            a file's; CPU1 clears its mapping, as a truncation does, and drops the reference of \
            the page cache.",
    machine: LISTED,
    tasks: &[
        cpu(0, "compaction", |k| {
            let who = Migrator { mode: Mode::Async, memalloc: true };
            let cc = CompactControl { who, may_enter_fs: false };
            put_back(k, isolate_migratepages_block(k, cc));
        }),
        LEAVES_THE_CACHE,
    ],
    ..Scenario::EMPTY
};

static RECLAIM_PUTS_LAST: Scenario = Scenario {
    name: "reclaim_or_truncation_puts_last",
    about: "CPU0 isolates what reclaim would, and puts it back; CPU1 isolates the folio, and drops \
            its reference, and that of the page cache.",
    tasks: &[
        cpu(0, "reclaim", |k| put_back(k, isolate_lru_folios(k, ISOLATION))),
        ISOLATED_AND_DROPPED,
    ],
    ..COMPACTION_PUTS_LAST
};

static AGING_PUTS_LAST: Scenario = Scenario {
    name: "aging_or_truncation_puts_last",
    about: "The same, of what the oldest generation has.",
    tasks: &[
        cpu(0, "reclaim", |k| put_back(k, scan_folios(k, ISOLATION).isolated)),
        ISOLATED_AND_DROPPED,
    ],
    ..COMPACTION_PUTS_LAST
};

static MLOCK_PUTS_LAST: Scenario = Scenario {
    name: "mlock_batch_or_truncation_puts_last",
    about: "Two folios are in CPU0's mlock batch. CPU0 drains it; CPU1 clears their mappings, and \
            drops the references of the page cache.",
    machine: Machine::TINY.folios(2).mlock().batch(3),
    before: &[cpu(0, "mlock", |k| k.folios.iter().for_each(|folio| mlock_folio(k, folio)))],
    tasks: &[
        cpu(0, "drainer", |k| mlock_drain_local(k)),
        cpu(1, "truncation", |k| {
            leaves_the_cache(k, 0);
            leaves_the_cache(k, 1);
        }),
    ],
    ..Scenario::EMPTY
};

static SECOND_OF_BATCH_PUTS_LAST: Scenario = Scenario {
    name: "batch_of_two_or_truncation_puts_last",
    about: "Two folios are in CPU0's lru_add batch. CPU0 drains it; CPU1 clears the mapping of the \
            second, and drops the reference of the page cache.",
    machine: Machine::TINY.folios(2).batch(3),
    before: &[cpu(0, "adder", |k| k.folios.iter().for_each(|folio| folio_add_lru(k, folio)))],
    tasks: &[
        cpu(0, "drainer", |k| lru_add_drain(k)),
        cpu(1, "truncation", |k| leaves_the_cache(k, 1)),
    ],
    ..Scenario::EMPTY
};

static MIGRATION_PUTS_LAST: Scenario = Scenario {
    name: "migration_or_unmap_puts_last",
    about: "The folio is anonymous, and isolated. CPU0 migrates it; CPU1 unmaps it, which leaves \
            nothing to be migrated.",
    machine: Machine::TINY.mapped().anon().passes(1).batch(3),
    setup: isolated,
    tasks: &[cpu(0, "migrator", migrate_isolated), cpu(1, "munmap", |k| zap_pte_range(k, 0))],
    ..Scenario::EMPTY
};

static TARGET_IS_MET: Scenario = Scenario {
    name: "failed_migration_vs_pfn_walker_of_target",
    about: "The folio is anonymous, isolated, and somebody has a reference to it for good. CPU0 \
            fails to migrate it, and frees the target; CPU1 walks page frames, and meets that.",
    setup: |k| {
        isolated(k);
        folio_get(&k.folios[0], Name::new("somebody"));
    },
    tasks: &[
        cpu(0, "migrator", migrate_isolated),
        cpu(1, "walker", |k| {
            pfn_walker(k, &k.folios[1]);
        }),
    ],
    ..MIGRATION_PUTS_LAST
};

static SOURCE_IS_MET: Scenario = Scenario {
    name: "migrate_isolated_vs_pfn_walker",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it; CPU1 walks page frames, \
            and meets it.",
    machine: UNMAPPED,
    setup: isolated,
    tasks: &[
        cpu(0, "migrator", migrate_isolated),
        cpu(1, "walker", |k| {
            pfn_walker(k, &k.folios[0]);
        }),
    ],
    ..Scenario::EMPTY
};

static TRUNCATION_PUTS_LAST: Scenario = Scenario {
    name: "truncation_or_lookup_puts_last",
    about: "CPU0 truncates a page; CPU1 looks it up, looks at its folio, and lets go of it.",
    machine: Machine::TINY.sleepers(1),
    tasks: &[cpu(0, "truncator", |k| truncate_inode_folio(k, 0)), cpu(1, "user", lookup)],
    ..Scenario::EMPTY
};

static PUTBACK_PUTS_LAST: Scenario = Scenario {
    name: "putback_or_truncation_puts_last",
    about: "CPU0 has isolated the folio, and puts it back, through a batch of one, which is moved \
            at once; CPU1 clears its mapping, as a truncation does, and drops the reference of the \
            page cache.",
    machine: Machine::TINY.batch(1),
    setup: isolated,
    tasks: &[
        cpu(0, "isolator", |k| folio_putback_lru(k, &k.folios[0], ISOLATION)),
        LEAVES_THE_CACHE,
    ],
    ..Scenario::EMPTY
};

static PIN_PUTS_LAST: Scenario = Scenario {
    name: "longterm_pin_or_unmap_puts_last",
    about: "Only the page table has a reference to the anonymous folio, which is on no list. CPU0 \
            pins it for long, once, and lets go of it since it cannot be isolated; CPU1 unmaps it.",
    machine: Machine::TINY.mapped().anon().sleepers(1),
    tasks: &[
        cpu(0, "pinner", |k| {
            let pinned = pin_user_pages_longterm(k, 1, 1);
            assert!(pinned.is_err(), "the folio is in CMA, and on no list");
        }),
        cpu(1, "munmap", |k| zap_pte_range(k, 0)),
    ],
    ..Scenario::EMPTY
};

static FAULT_PUTS_LAST: Scenario = Scenario {
    name: "fault_or_truncation_puts_last",
    about: "The page has been mapped since CPU1 saw that it has no entry. CPU0 truncates it; CPU1 \
            goes on with its fault.",
    machine: Machine::TINY.sleepers(2).maps(),
    before: &[cpu(0, "other user", |k| handle_mm_fault(k, 0))],
    tasks: &[
        cpu(0, "truncator", |k| truncate_inode_folio(k, 0)),
        cpu(1, "user", |k| {
            do_fault(k, 0, false);
        }),
    ],
    ..Scenario::EMPTY
};

static FINDER_PUTS_LAST: Scenario = Scenario {
    name: "buffer_lookup_or_free_puts_last",
    about: "The folio has a buffer that nobody has a reference to. CPU0 looks for that in the page \
            cache; CPU1 frees the buffers, clears the mapping, as a truncation does, and drops the \
            reference of the page cache.",
    machine: Machine::TINY.aops(&[Aops::Buffers]),
    setup: |k| brelse(Some(&k.buffer_heads[0]), Name::new("user of the bh")),
    tasks: &[
        cpu(0, "finder", |k| {
            __find_get_block_slow(k, &k.buffer_heads[0], Name::new("finder"), Finder::Atomic);
        }),
        cpu(1, "truncation", |k| {
            if try_to_free_buffers(k, &k.folios[0]) {
                leaves_the_cache(k, 0);
            }
        }),
    ],
    ..Scenario::EMPTY
};

/// The page's new folio is taken out of the page cache as soon as its lock is free.
fn truncates_the_target(k: &Run) {
    let holder = Name::new("truncation");
    let Some(folio) = filemap_get_entry(k, 0, holder) else { return };
    if folio.index == 1 && folio_trylock(folio) {
        rcu_assign_pointer(&k.i_pages[0], 0);
        plain_write(&folio.mapping, 0);
        folio_put(k, folio, PAGE_CACHE);
        folio_unlock(k, folio);
    }
    folio_put(k, folio, holder);
}

static TARGET_PUTS_LAST: Scenario = Scenario {
    name: "migration_or_truncation_of_target_puts_last",
    about: "The folio is isolated, and mapped nowhere. CPU0 migrates it, with batches of one, \
            which are moved at once; CPU1 truncates the page, if it finds the new folio there, and \
            not locked. (It takes no lock of i_pages: nobody else changes the slot then.)",
    machine: UNMAPPED.batch(1),
    setup: isolated,
    tasks: &[cpu(0, "migrator", migrate_isolated), cpu(1, "truncation", truncates_the_target)],
    ..Scenario::EMPTY
};

static ADDED_IS_FOUND: Scenario = Scenario {
    name: "added_folio_vs_lookup",
    about: "CPU0 puts a new folio into the page cache; CPU1 looks its page up, looks at the folio, \
            and lets go of it.",
    machine: Machine::TINY.absent(1).batch(3),
    setup: |k| {
        // filemap_alloc_folio()
        let folio = &k.folios[0];
        atomic_set(&folio.refcount, 1);
        booked(&folio.refcount, READAHEAD);
        plain_write(&folio.freed, 0);
    },
    tasks: &[
        cpu(0, "readahead", |k| {
            filemap_add_folio(k, &k.folios[0], 0);
            folio_unlock(k, &k.folios[0]);
        }),
        cpu(1, "user", lookup),
    ],
    ..Scenario::EMPTY
};

/// A buffer that is being read was seen uptodate.
const SEEN_UPTODATE: &str = "a buffer was seen uptodate";

static BUFFER_IS_READ: Scenario = Scenario {
    name: "buffer_is_read_beside_a_look",
    about: "The buffer of a folio is being read. The I/O, on CPU1, stores what it has read, and \
            ends; CPU0 looks at the contents if the buffer is uptodate.",
    machine: Machine::TINY.aops(&[Aops::Buffers]).sleepers(1),
    setup: |k| {
        let bh = &k.buffer_heads[0];
        assert!(folio_trylock(&k.folios[0]) && trylock_buffer(bh), "nobody else runs yet");
        set_bit(BH_ASYNC_READ, &bh.b_state);
    },
    tasks: &[
        cpu(0, "user", |k| {
            let bh = &k.buffer_heads[0];
            if !buffer_uptodate(bh) {
                return;
            }
            reached(SEEN_UPTODATE);
            if plain_read(&bh.contents) != 1 {
                let message = "bh0 is uptodate, and not what was read";
                fail_about(AN_UPTODATE_BUFFER_HAS_BEEN_READ, message, bh.contents.object());
            }
        }),
        cpu(1, "end of I/O", |k| {
            let bh = &k.buffer_heads[0];
            owns(BH_LOCK, &bh.b_state);
            plain_write(&bh.contents, 1);
            end_buffer_async_read(k, bh);
        }),
    ],
    ..Scenario::EMPTY
};

pub(super) fn claims() -> Vec<Answers> {
    let ordered = Comment {
        file: "Documentation/core-api/refcount-vs-atomic.rst",
        says: "decrement-based RMW operations that return a value are fully ordered",
    };
    let locks = Comment {
        file: "Documentation/atomic_bitops.txt",
        says: "test_and_set_bit_lock() has acquire, clear_bit_unlock() release semantics",
    };
    let pairs = Comment {
        file: "include/linux/buffer_head.h",
        says: "smp_mb__before_atomic() pairs with smp_load_acquire() in buffer_uptodate()",
    };
    let shown = Analysis("the release of the entry, or of the count, is what shows the folio");
    let uses = |scenario, reached| ask(USES_END_BEFORE_THE_FREE, scenario, ordered, reached);
    let found = |scenario, reached| ask(WHAT_IS_FOUND_IS_READY, scenario, shown, reached);
    let v6_12 = |question: crate::Question| question.under(GRAPH).holds(&[&V6_12_117]);
    vec![
        v6_12(uses(&BATCH_PUTS_LAST, &[FREED])).violated_after(&[RESTED], &[&BATCH_PUTS_RELAXED]),
        v6_12(uses(&COMPACTION_PUTS_LAST, &[FREED, PASSED_OVER_A_FILE])),
        v6_12(uses(&RECLAIM_PUTS_LAST, &[FREED, ISOLATED, RECLAIM_PASSED_OVER])),
        v6_12(uses(&AGING_PUTS_LAST, &[FREED, ISOLATED, RECLAIM_PASSED_OVER])),
        v6_12(uses(&MLOCK_PUTS_LAST, &[FREED, RESTED_FOR_MLOCK])),
        v6_12(uses(&SECOND_OF_BATCH_PUTS_LAST, &[FREED, RESTED])),
        v6_12(uses(&MIGRATION_PUTS_LAST, &[FREED, MIGRATED])),
        v6_12(uses(&TARGET_IS_MET, &[FREED, FREEZE_FAILED])),
        v6_12(uses(&TRUNCATION_PUTS_LAST, &[FREED, TRUNCATED, LOOKED_UP])),
        v6_12(uses(&PUTBACK_PUTS_LAST, &[FREED])),
        v6_12(uses(&FINDER_PUTS_LAST, &[FREED, BUFFERS_FREED])),
        v6_12(uses(&TARGET_PUTS_LAST, &[FREED, MIGRATED])),
        v6_12(uses(&PIN_PUTS_LAST, &[FREED, NOT_ISOLATED_FOR_A_PIN])),
        v6_12(uses(&FAULT_PUTS_LAST, &[FREED, TRUNCATED, FAULT_LOST])),
        ask(AN_UPTODATE_BUFFER_HAS_BEEN_READ, &BUFFER_IS_READ, pairs, &[SEEN_UPTODATE])
            .under(GRAPH)
            .holds(&[&V6_12_117])
            .violated(&[&READ_ENDS_NO_BARRIER]),
        v6_12(found(&SOURCE_IS_MET, &[MIGRATED])),
        v6_12(found(&ADDED_IS_FOUND, &[LOOKED_UP])),
        found(&MIGRATE_ISOLATED_VS_LOOKUP, &[MIGRATED])
            .under(GRAPH)
            .holds(&[&V6_1])
            .violated(&[&BM4_UNFREEZE_RELAXED]),
        ask(A_LOCK_ORDERS_ITS_SECTIONS, &TRY_ONCE, locks, &[super::folio_lock::ADDED])
            .under(GRAPH)
            .holds(&[&V6_1])
            .violated(&[&AM8_RELAXED_TRYLOCK, &AM8_RELAXED_UNLOCK]),
    ]
}
