//! Reads of other CPUs' caches that say that they race, and what they must not hide.

use crate::Tree;
use crate::fs::buffer::{BhLruLock, Buffer};
use crate::mm::swap::{RemoteLook, Swap, SwapFault};
use crate::tree::Kind;
use crate::trees::V6_17;

/// \[PATCH v2\] mm: annotate data-race in cpu_needs_drain() and need_mlock_drain() (Xuewen Wang,
/// 2026-06-25): the counts of batches. On what was then mainline; nothing that it touches is other
/// than in 6.17.
pub static ANNOTATE_V2: Tree = Tree {
    name: "annotate-cpu-needs-drain-v2",
    kind: Kind::Patch,
    base: "v6.17",
    about: "[PATCH v2] mm: annotate data-race in cpu_needs_drain() (...), Xuewen Wang, 2026-06-25",
    swap: Swap { remote_look: RemoteLook::CountsMarked, ..V6_17.swap },
    ..V6_17
};

/// Ours: the same in has_bh_in_lru(), which cpu_needs_drain() calls.
pub static ANNOTATE_ALL: Tree = Tree {
    name: "annotate-has-bh-in-lru-too",
    base: "annotate-cpu-needs-drain-v2",
    about: "the same, and data_race() in has_bh_in_lru()",
    swap: Swap { remote_look: RemoteLook::AllMarked, ..ANNOTATE_V2.swap },
    ..ANNOTATE_V2
};

/// What the local lock is there for.
pub static DRAINS_REMOTELY: Tree = Tree {
    name: "annotated-and-drains-remotely",
    kind: Kind::Mutant,
    base: "annotate-has-bh-in-lru-too",
    about: "the same with lru_add_drain_all() emptying other CPUs' batches itself, not by work",
    swap: Swap { fault: SwapFault::DrainsRemotely, ..ANNOTATE_ALL.swap },
    ..ANNOTATE_ALL
};

/// What turning interrupts off is there for.
pub static ANNOTATED_PREEMPT_OFF_ONLY: Tree = Tree {
    name: "annotated-and-preempt-only",
    kind: Kind::Mutant,
    base: "annotate-has-bh-in-lru-too",
    about: "the same with bh_lru_lock() leaving interrupts on",
    buffer: Buffer { lru_lock: BhLruLock::PreemptOff, ..ANNOTATE_ALL.buffer },
    ..ANNOTATE_ALL
};
