//! Reads of other CPUs' caches that say that they race.

use crate::mm::swap::{DeadFolios, RemoteLook};
use crate::trees::{V6_17, V6_19};
use crate::{Commit, Tree};

/// The counts of batches. On what was then mainline: the reads of `cpu_needs_drain()` are in
/// mm/swap.c of f078b0a0727c those of 6.17, one by one and in the same order; what else has changed
/// in that file is in [`MM_STABLE_2026_07`].
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

/// As it was merged to mm-stable, where it was seen on 2026-07-29; in which release is not known.
static COUNTS_MERGED: Commit = Commit {
    hash: Some("f078b0a0727c"),
    title: "mm: annotate data-race in cpu_needs_drain()",
    since: None,
    stable: &[],
    sets: &[set!(swap.remote_look = RemoteLook::CountsMarked)],
};

/// Read in mm/swap.c of f078b0a0727c, and not in what was there after 6.18; the title is ours.
static FREES_DEAD: Commit = Commit::posted(
    "mm/swap: a batch frees new folios that nobody else has, and does not link them",
    &[set!(swap.dead_folios = DeadFolios::Frozen)],
);

/// The newest mm/swap.c that was read: functions of the models compared one by one with the text at
/// f078b0a0727c. Of other files it has what 6.19 has; they were not compared.
pub static MM_STABLE_2026_07: Tree = Tree {
    name: "mm-stable-2026-07",
    about: "mm/swap.c as of July 2026 (f078b0a0727c), in mm-stable; all else as in 6.19",
    ..V6_19.patched(&[&FREES_DEAD, &COUNTS_MERGED])
};
