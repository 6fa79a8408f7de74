//! Weak memory: each question that is asked of dpor is asked of `graph` too, under the kernel's own
//! memory model. Here is what is not, and why; and what is answered otherwise there.

use selvedge_explore::Engine;

use super::{ALONE, DPOR, SC, SC_WITHOUT_RANDOM};
use crate::{Claim, Expected, Source};

/// Scenarios that are too large for `graph`: it would take more than [`BUDGET`] executions, or, of
/// long ones, more than about a second. Their verdicts are about sequential consistency.
pub const TOO_LARGE: &[&str] = &[
    "reader_behind_kcompactd",
    "jbd2_writes_to_loop_async_ba",
    "jbd2_writes_to_loop_async_ab",
    "jbd2_writes_to_loop_sync_light_ba",
    "jbd2_writes_to_loop_sync_ba",
    "flush_writes_one_bio_async_ba",
    "flush_writes_one_bio_async_ab",
    "flush_writes_one_bio_sync_light_ba",
    "flush_writes_one_bio_sync_light_ab",
    "flush_writes_one_bio_sync_ba",
    "flush_writes_one_bio_sync_ab",
    "flush_writes_one_bio_to_the_end",
    "held_while_jbd2_writes_to_loop",
    "two_migrators_vs_locker",
    "second_folio_of_a_batch_is_written",
    "flush_wraps_round",
    "two_buffers_are_written_and_migrate",
    "migrate_isolated_vs_two_lookups",
    "migrate_vs_truncate",
    "waiter_vs_stealer",
    "two_waiters_vs_unlock_and_stealer",
    "waiters_on_two_folios",
    "killed_waiter_before_plain_waiter",
    "timed_out_waiter_before_plain_waiter",
    "killed_waiter_before_reader",
    "async_waiter_and_plain_waiter",
    "writeback_starts_again",
    "last_free_vs_isolation_and_putback",
    "last_free_vs_move",
    "free_work_vs_unlock_and_move",
    "putback_vs_destroy_empty_pool",
    "driver_two_compactors",
    "driver_free_vs_putback",
];

/// The same, in these trees only.
pub const TOO_LARGE_IN: &[(&str, &[&str])] = &[
    ("moved_then_at_rest", &["v6.10"]),
    ("readahead_vs_kcompactd", &["v6.1", "v6.4"]),
    (
        "jbd2_writes_to_loop_sync_light_ab",
        &[
            "v6.1",
            "batches-only-if-async",
            "v6.4",
            "v6.17",
            "fix-deadlock-on-buffer-heads",
            "fix-both-deadlocks",
            "hugh-adjusted-mode",
        ],
    ),
    (
        "jbd2_writes_to_loop_sync_ab",
        &[
            "v6.1",
            "batches-only-if-async",
            "v6.4",
            "v6.17",
            "fix-deadlock-on-buffer-heads",
            "fix-both-deadlocks",
            "hugh-adjusted-mode",
            "v6.4-batches-in-every-mode",
        ],
    ),
    (
        "loop_ends_writeback_sync_light_ab",
        &["v6.1", "batches-only-if-async", "v6.4", "v6.10", "v6.11", "v6.12.117", "v6.15", "v6.17"],
    ),
    (
        "loop_ends_writeback_sync_ba",
        &[
            "v6.1",
            "fix-deadlock-on-writeback",
            "v6.4",
            "v6.10",
            "v6.11",
            "v6.12.117",
            "fix-both-deadlocks",
        ],
    ),
    (
        "loop_ends_writeback_sync_ab",
        &[
            "v6.1",
            "fix-deadlock-on-writeback",
            "batches-only-if-async",
            "v6.4",
            "v6.10",
            "v6.11",
            "v6.12.117",
            "fix-both-deadlocks",
            "hugh-adjusted-mode",
        ],
    ),
    (
        "ext4_end_io_locks_bdev_folio_fn",
        &[
            "fix-deadlock-on-writeback",
            "v6.4",
            "v6.12.117",
            "v6.17",
            "v6.1",
            "v6.10",
            "v6.11",
            "v6.15",
        ],
    ),
    (
        "ext4_end_io_locks_bdev_folio_nf",
        &["fix-deadlock-on-writeback", "v6.4", "v6.12.117", "v6.17", "batches-only-if-async"],
    ),
    ("split_vs_locker_async_ab", &["v6.1"]),
    ("split_vs_locker_sync_light_ab", &["v6.1", "batches-only-if-async"]),
    ("split_vs_locker_sync_ab", &["v6.1", "batches-only-if-async"]),
    (
        "held_while_a_folio_is_written_out",
        &["v6.1", "batches-only-if-async", "v6.4", "v6.10", "v6.11", "v6.12.117", "v6.15", "v6.17"],
    ),
    (
        "held_while_loop_ends_writeback",
        &[
            "v6.1",
            "fix-deadlock-on-writeback",
            "fix-both-deadlocks",
            "v6.4",
            "v6.10",
            "v6.11",
            "v6.12.117",
            "v6.4-batches-in-every-mode",
        ],
    ),
    ("held_while_split_sync_light", &["v6.1", "batches-only-if-async"]),
    ("held_while_split_async", &["v6.1"]),
    (
        "migrator_vs_locker",
        &[
            "v6.1",
            "v6.3-rc1",
            "batches-only-if-async",
            "v6.4",
            "v6.12.117",
            "fix-deadlock-on-writeback",
            "fix-deadlock-on-buffer-heads",
            "fix-both-deadlocks",
        ],
    ),
    (
        "one_folio_of_a_batch_stays",
        &[
            "v6.1",
            "v6.4",
            "v6.10",
            "v6.11",
            "v6.12.117",
            "v6.15",
            "v6.17",
            "v6.4-batch-again-and-failed",
        ],
    ),
    ("writepage_of_a_mapped_folio", &["v6.1", "v6.11", "v6.15", "v6.17"]),
    ("find_sleeping_vs_migrate_pages", &["v6.12.117", "v6.15", "v6.17"]),
    ("buffer_is_dirtied_while_written", &["v6.1"]),
    (
        "two_activate_batches_and_isolate",
        &["v6.1", "v6.10", "lru-flag-before-batch-v4", "v6.12.117"],
    ),
    (
        "three_tasks_lock",
        &[
            "v6.1",
            "v5.6",
            "v5.9-rc1",
            "v6.1-unfairness-0",
            "v6.1-unfairness-inf",
            "v6.1-waiters-bit-cleared-unlocked",
            "v6.1-wakes-all",
        ],
    ),
    (
        "waiter_vs_stealer_counted",
        &["v6.1", "v6.12.117", "v5.9-rc1", "v6.1-unfairness-0", "v6.1-unfairness-inf"],
    ),
    ("killed_waiter_and_stealer", &["v5.9-rc1", "v6.1-unfairness-0", "v6.1-tries-the-bit"]),
    ("read_ends", &["v5.6", "v5.9-rc1", "v6.1", "v6.12.117"]),
    ("waiters_on_two_bits", &["v5.6", "v5.9-rc1", "v6.1", "v6.12.117"]),
    ("migrate_isolated_vs_truncate", &["v6.1", "v6.12.117"]),
    ("release_vs_putback", &["v4.8+356ea3865687", "v5.18", "v6.1", "v6.12.117"]),
    ("putback_vs_destroy_pool", &["v5.16+356ea3865687"]),
    ("migrate_vs_fault_behind_a_tlb", &["v6.1"]),
    ("move_vs_destroy_pool", &["v6.1+4b5d1e47b694", "v6.1.192", "v6.12.117"]),
    ("loop_ends_writeback_async_ba", &["v6.1"]),
    ("loop_ends_writeback_async_ab", &["v6.1"]),
    (
        "loop_ends_writeback_sync_light_ba",
        &["v6.1", "v6.4", "v6.10", "v6.11", "v6.12.117", "v6.15", "v6.17"],
    ),
    ("writepage_starts_writeback", &["v6.1"]),
    ("two_buffers_of_one_queue", &["v6.12.117"]),
    ("driver_free_vs_isolation", &["minimal", "driver-accesses-unlocked"]),
    ("driver_free_vs_move", &["minimal", "driver-accesses-unlocked"]),
    ("driver_two_compactions_and_free", &["minimal"]),
];

/// How many executions of `graph` a row may take that is asked in every run.
pub const BUDGET: u64 = 1_100;

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
    (
        "two_buffers_of_one_queue",
        &["v6.12.117-bit-queue-unlocked"],
        "a tree in which the queue has no lock is not deterministic where a read may be stale",
    ),
    (
        "lookup_until_found_while_migrated",
        &[],
        "a loop without a bound, which graph does not bound",
    ),
    (
        "driver_two_compactors_and_access",
        &["driver-accesses-unlocked"],
        "graphs come to another rule first, M3",
    ),
    (
        "migrate_vs_store_through_tlb",
        &["v6.10"],
        "smp_wmb() of folio_mark_uptodate(), which is left out where PG_uptodate is, orders the \
         copy before the new entry",
    ),
    (
        "putback_vs_destroy_pool",
        &["v5.3+356ea3865687"],
        "graphs come to another rule first, the lost wake-up that \
         zs_page_putback_vs_destroy_empty_pool shows",
    ),
    ("release_vs_putback_of_a_balloon_watched", &["v4.2", "mobile-2015"], UNLOCKED_WALK),
    ("dequeue_vs_putback", &["v4.2"], UNLOCKED_WALK),
];

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
    let is_asked = |claim: &&Claim| claim.engines.contains(&Engine::Graph);
    let asked: Vec<&Claim> = claims.iter().filter(is_asked).collect();
    let is_asked_already = |claim: &Claim| {
        asked.iter().any(|other| {
            other.rule == claim.rule
                && other.scenario.name == claim.scenario.name
                && other.tree.name == claim.tree.name
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

/// Would `graph` take too long for this claim? See [`TOO_LARGE`].
pub fn is_too_large(claim: &Claim) -> bool {
    let (scenario, tree) = (claim.scenario.name, claim.tree.name);
    let is_large_in = |(name, trees): &(&str, &[&str])| *name == scenario && trees.contains(&tree);
    TOO_LARGE.contains(&scenario) || TOO_LARGE_IN.iter().any(is_large_in)
}

/// Why a claim that is asked of dpor is not asked of `graph`.
pub fn why_not(claim: &Claim) -> Option<&'static str> {
    let (scenario, tree) = (claim.scenario.name, claim.tree.name);
    if is_too_large(claim) {
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
