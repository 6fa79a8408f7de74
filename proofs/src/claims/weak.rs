//! Weak memory: each question that is asked of dpor is asked of `graph` too, under the kernel's own
//! memory model. Here is what is not, and why; and what is answered otherwise there.

use selvedge_explore::Engine;

use super::{ALONE, DPOR, SC, SC_WITHOUT_RANDOM};
use crate::{Claim, Expected, Source};

/// Scenarios that are too large for `graph`: it would take more than [`BUDGET`] executions, or, of
/// long ones, more than about a second. Their verdicts are about sequential consistency.
pub const TOO_LARGE: &[&str] = &[
    "every_caller_once",
    "moved_then_at_rest",
    "readahead_vs_kcompactd",
    "reader_behind_kcompactd",
    "jbd2_writes_to_loop_async_ba",
    "jbd2_writes_to_loop_async_ab",
    "jbd2_writes_to_loop_sync_light_ba",
    "jbd2_writes_to_loop_sync_ba",
    "jbd2_writes_to_loop_sync_light_ab",
    "jbd2_writes_to_loop_sync_ab",
    "flush_writes_one_bio_async_ba",
    "flush_writes_one_bio_async_ab",
    "flush_writes_one_bio_sync_light_ba",
    "flush_writes_one_bio_sync_light_ab",
    "flush_writes_one_bio_sync_ba",
    "flush_writes_one_bio_sync_ab",
    "loop_ends_writeback_sync_light_ab",
    "loop_ends_writeback_sync_ba",
    "loop_ends_writeback_sync_ab",
    "ext4_end_io_locks_bdev_folio_fn",
    "ext4_end_io_locks_bdev_folio_nf",
    "flush_writes_one_bio_to_the_end",
    "split_vs_locker_async_ab",
    "split_vs_locker_sync_light_ab",
    "split_vs_locker_sync_ab",
    "held_while_a_folio_is_written_out",
    "held_while_jbd2_writes_to_loop",
    "held_while_loop_ends_writeback",
    "held_while_split_sync_light",
    "held_while_split_async",
    "two_migrators_vs_locker",
    "migrator_vs_locker",
    "second_folio_of_a_batch_is_written",
    "one_folio_of_a_batch_stays",
    "writepage_of_a_mapped_folio",
    "flush_wraps_round",
    "find_vs_migrate_pages",
    "find_sleeping_vs_migrate_pages",
    "two_buffers_are_written_and_migrate",
    "buffer_is_dirtied_while_written",
    "two_activate_batches_and_isolate",
    "buffer_is_stolen_from_its_waiter",
    "migrate_isolated_vs_two_lookups",
    "migrate_vs_truncate",
    "three_tasks_lock",
    "waiter_vs_stealer_counted",
    "waiter_vs_stealer",
    "two_waiters_vs_unlock_and_stealer",
    "waiters_on_two_folios",
    "two_folios_in_two_orders",
    "killed_waiter_before_plain_waiter",
    "timed_out_waiter_before_plain_waiter",
    "killed_waiter_before_reader",
    "killed_waiter_and_stealer",
    "read_ends",
    "async_waiter_and_plain_waiter",
    "waiters_on_two_bits",
    "writeback_starts_again",
    "migrate_isolated_vs_truncate",
    "migrate_isolated_vs_write",
    "compact_vs_truncate_and_free",
    "release_vs_putback",
    "release_vs_move",
    "lock_vs_isolation",
    "isolation_after_lock_vs_move",
    "putback_vs_destroy_pool",
    "move_vs_destroy_pool",
    "last_free_vs_isolation_and_putback",
    "last_free_vs_move",
    "free_work_vs_move",
    "free_work_vs_move_to_its_end",
    "free_work_vs_unlock_and_move",
    "putback_vs_destroy_empty_pool",
    "driver_two_compactors",
    "driver_free_vs_putback",
];

/// The same, in these trees only.
pub const TOO_LARGE_IN: &[(&str, &[&str])] = &[
    ("lock_held_briefly", &["avoid-unbounded-blocks-v2"]),
    ("loop_ends_writeback_async_ba", &["v6.1"]),
    ("loop_ends_writeback_async_ab", &["v6.1"]),
    (
        "loop_ends_writeback_sync_light_ba",
        &["v6.1", "v6.4", "v6.10", "v6.11", "v6.12.117", "v6.15", "v6.17"],
    ),
    ("writepage_starts_writeback", &["v6.1"]),
    ("activate_rotate_isolate", &["lru-flag-before-batch-v4"]),
    ("isolate_activate_rotate", &["lru-flag-before-batch-v4"]),
    ("two_buffers_of_one_queue", &["v6.12.117"]),
    ("freed_and_reused_by_slab", &["E2-no-look-at-slab", "E2-no-second-look"]),
    ("free_vs_isolation", &["v4.8+356ea3865687", "v5.18", "v6.12.117"]),
    ("lock_vs_putback", &["v5.18", "v6.1", "v6.12.117"]),
    ("lock_vs_move", &["v5.18", "v6.12.117"]),
    ("driver_free_vs_isolation", &["minimal", "driver-accesses-unlocked"]),
    ("driver_free_vs_move", &["minimal", "driver-accesses-unlocked"]),
    ("driver_two_compactions_and_free", &["minimal"]),
];

/// How many executions of `graph` a row may take that is asked in every run.
pub const BUDGET: u64 = 400;

/// Scenarios with interrupts, which `graph` does not have: it says so, and decides nothing.
pub const WITH_INTERRUPTS: &[&str] = &[
    "rotation_interrupts_compaction",
    "io_of_two_buffers_ends_on_one_cpu",
    "rotate_interrupts_drain",
    "rotation_interrupts_lists",
    "rotation_interrupts_mlock",
    "rotation_interrupts_aging",
    "rotation_interrupts_mlock_of_a_new_folio",
    "io_ends_under_the_waiter",
    "io_ends_under_the_killed_waiter",
    "io_ends_under_the_waker",
    "io_ends_under_the_asynchronous_waiter",
    "io_ends_under_the_fault",
    "writeback_ends_under_the_pages_lock",
    "writeback_ends_under_readahead",
    "reads_of_buffers_end_under_the_waiter",
    "read_of_a_buffer_ends_under_the_waker",
    "reads_of_buffers_end_in_softirqs",
    "read_of_a_buffer_ends_on_top_of_another",
    "io_ends_in_softirqs_under_the_waiter",
    "writeback_ends_in_a_softirq_under_the_pages_lock",
];

/// Scenarios whose rule, model or tree does not say what orders the steps in the kernel, so that an
/// alarm would be ours and not the kernel's; in these trees only, if any are named.
pub const ORDERED_OTHERWISE: &[(&str, &[&str], &str)] = &[
    (
        "two_buffers_are_written",
        &[],
        "folio_wait_writeback() orders nothing for a caller that need not sleep. The rule looks at \
         the buffers right after it; no caller of the kernel does",
    ),
    (
        "fsync_of_what_somebody_else_writes",
        &[],
        "the rule looks at the disk, which is no memory: who asks it comes later than any store",
    ),
    ("migrate_vs_store_through_tlb", &[], WALK),
    ("migrate_vs_fault_behind_a_tlb", &[], WALK),
    (
        "two_buffers_of_one_queue",
        &["v6.12.117-bit-queue-unlocked"],
        "a tree in which the queue has no lock is not deterministic where a read may be stale",
    ),
    (
        "driver_two_compactors_and_access",
        &["driver-accesses-unlocked"],
        "graphs come to another rule first, M3",
    ),
    ("release_vs_putback_of_a_balloon_watched", &["v4.2", "mobile-2015"], UNLOCKED_WALK),
    ("dequeue_vs_putback", &["v4.2"], UNLOCKED_WALK),
];

const WALK: &str =
    "an address dependency, from the page-table entry to the store: hardware walks the table";
const UNLOCKED_WALK: &str = "graphs come to another rule first: up to 4.4 balloon_page_dequeue() walks the list \
     without pages_lock, and meets an unlinked page";

/// A caller that reads without an order what the batch's owner has written.
const UNORDERED_DRAIN: Source = Source::analysis(
    "a CPU that drains its own batch drops the reference, then empties the batch; nothing orders \
     the look at the empty batch before the caller's look at the count. It costs a retry: who \
     needs the count exact freezes it, which is ordered",
);
const STORE_BUFFERING: Source = Source::analysis(
    "the adder stores to its batch, then looks at the counter; the migrator the other way round, \
     and nothing on the adder's side is a full barrier",
);
const COPY_AFTER_A_LOOK: Source = Source::analysis(
    "since 6.11 the copy comes before the count is frozen, after no more than a look at it: \
     nothing orders the loads of the copy behind the look that finds a pin gone",
);

/// What holds under sequential consistency, and not under the kernel's model.
const VIOLATED: &[(&str, &[&str], Source)] = &[
    ("drain_vs_drain_all", &["v6.10", "v6.12.117", "v6.12.117-rt"], UNORDERED_DRAIN),
    (
        "add_vs_drain_all_vs_disable",
        &["rfc-migrate-pending", "rfc-migrate-pending-bool", "v5.13-unforced-drain"],
        STORE_BUFFERING,
    ),
    ("migrate_vs_direct_io", &["v6.12.117"], COPY_AFTER_A_LOOK),
];

/// The claims, and what `graph` is asked besides.
pub(crate) fn with_graph(claims: Vec<Claim>) -> Vec<Claim> {
    let is_asked_already = |claim: &Claim| {
        claims.iter().any(|other| {
            other.rule == claim.rule
                && other.scenario.name == claim.scenario.name
                && other.tree.name == claim.tree.name
                && other.engines.contains(&Engine::Graph)
        })
    };
    let mut all = Vec::with_capacity(claims.len());
    for claim in &claims {
        if is_asked_already(claim) || why_not(claim).is_some() {
            all.push(*claim);
        } else if let Some(source) = violated(claim) {
            let weak = &[Engine::Graph];
            all.push(*claim);
            all.push(Claim { engines: weak, expected: Expected::Violated, source, ..*claim });
        } else {
            all.push(Claim { engines: and_graph(claim.engines), ..*claim });
        }
    }
    all
}

/// Why a claim that is asked of dpor is not asked of `graph`.
pub fn why_not(claim: &Claim) -> Option<&'static str> {
    let (scenario, tree) = (claim.scenario.name, claim.tree.name);
    if WITH_INTERRUPTS.contains(&scenario) {
        return Some("it has interrupts, which graph does not have");
    }
    let is_large_in = |(name, trees): &(&str, &[&str])| *name == scenario && trees.contains(&tree);
    if TOO_LARGE.contains(&scenario) || TOO_LARGE_IN.iter().any(is_large_in) {
        return Some("it is too large");
    }
    let is_it = |(name, trees, _): &&(&str, &[&str], &str)| {
        *name == scenario && (trees.is_empty() || trees.contains(&tree))
    };
    ORDERED_OTHERWISE.iter().find(is_it).map(|(_, _, why)| *why)
}

fn violated(claim: &Claim) -> Option<Source> {
    let (scenario, tree) = (claim.scenario.name, claim.tree.name);
    let is_it = |(name, trees, _): &&(&str, &[&str], Source)| {
        *name == scenario && trees.contains(&tree) && claim.expected == Expected::Holds
    };
    VIOLATED.iter().find(is_it).map(|(_, _, source)| *source)
}

/// The engines of claims that dpor answers, and `graph`.
fn and_graph(engines: &'static [Engine]) -> &'static [Engine] {
    match engines {
        DPOR => &[Engine::Dpor, Engine::Graph],
        SC => &[Engine::Dpor, Engine::Graph, Engine::Random, Engine::Pct],
        SC_WITHOUT_RANDOM => &[Engine::Dpor, Engine::Graph, Engine::Pct],
        ALONE => &[Engine::Dpor, Engine::Graph, Engine::Dfs, Engine::Random],
        other => other,
    }
}
