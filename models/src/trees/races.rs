//! Reads of other CPUs' caches that say that they race.

use crate::mm::swap::RemoteLook;
use crate::trees::V6_17;
use crate::{Commit, Tree};

/// The counts of batches. On what was then mainline; nothing that it touches is other than in 6.17.
static COUNTS: Commit = Commit::posted(
    "[PATCH v2] mm: annotate data-race in cpu_needs_drain() and need_mlock_drain() (Xuewen Wang, \
     2026-06-25)",
    &[set!(swap.remote_look = RemoteLook::CountsMarked)],
);

/// The patch.
pub static ANNOTATE_V2: Tree =
    Tree { name: "annotate-cpu-needs-drain-v2", about: COUNTS.title, ..V6_17.patched(&[&COUNTS]) };

/// What cpu_needs_drain() calls besides.
static BH_LRUS: Commit = Commit::posted(
    "ours: data_race() in has_bh_in_lru()",
    &[set!(swap.remote_look = RemoteLook::AllMarked)],
);

/// The patch, and the same in `has_bh_in_lru()`.
pub static ANNOTATE_ALL: Tree = Tree {
    name: "annotate-has-bh-in-lru-too",
    about: "the same, and data_race() in has_bh_in_lru()",
    ..ANNOTATE_V2.patched(&[&BH_LRUS])
};
