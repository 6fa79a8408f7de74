//! The patches of February 2021 that wanted per-CPU caches out of the way of migration.

use crate::fs::buffer::InstallCheck;
use crate::mm::migrate::{
    migrate_finish_2021_02_16, migrate_finish_bool, migrate_finish_rfc, migrate_pending_plain,
    migrate_pending_rfc, migrate_prep_2021_02_16, migrate_prep_bool, migrate_prep_rfc,
};
use crate::trees::V5_11;
use crate::{Commit, Tree};

/// A counter, read before `bh_lru_lock()`.
static COUNTER: Commit = Commit::posted(
    "Re: [PATCH v2] [RFC] mm: fs: Invalidate BH LRU during page migration \
     (Minchan Kim, 2021-02-11)",
    &[
        set!(swap.lru_cache_disable = func!(migrate_prep_rfc)),
        set!(swap.lru_cache_enable = func!(migrate_finish_rfc)),
        set!(swap.lru_cache_disabled = func!(migrate_pending_rfc)),
        set!(buffer.install_check = InstallCheck::BeforeLock),
    ],
);

/// The RFC.
pub static RFC_MIGRATE_PENDING: Tree = Tree {
    name: "rfc-migrate-pending",
    about: "migrate_pending counter, Minchan Kim, mail of 2021-02-11",
    ..V5_11.patched(&[&COUNTER])
};

/// The plain bool of the patch that the RFC answers to, in the RFC's place.
static BOOL: Commit = Commit::posted(
    "ours: a plain bool, as in \"[PATCH v2] [RFC] mm: fs: Invalidate BH LRU during page \
     migration\" (Chris Goldsworthy, 2021-02-10)",
    &[
        set!(swap.lru_cache_disable = func!(migrate_prep_bool)),
        set!(swap.lru_cache_enable = func!(migrate_finish_bool)),
        set!(swap.lru_cache_disabled = func!(migrate_pending_plain)),
        set!(pending_name = "bh_lru_disabled"),
    ],
);

/// The RFC with a bool.
pub static RFC_MIGRATE_PENDING_BOOL: Tree = Tree {
    name: "rfc-migrate-pending-bool",
    about: "the same with a plain bool, as in Chris Goldsworthy's v2 that it answers to",
    ..RFC_MIGRATE_PENDING.patched(&[&BOOL])
};

/// Is that all it lacks?
static LOCKED_CHECK: Commit = Commit::posted(
    "ours: the check moved under bh_lru_lock()",
    &[set!(buffer.install_check = InstallCheck::UnderLock)],
);

/// The RFC with its check moved under `bh_lru_lock()`.
pub static RFC_MIGRATE_PENDING_LOCKED_CHECK: Tree = Tree {
    name: "rfc-migrate-pending-locked-check",
    about: "the same with the check moved under bh_lru_lock()",
    ..RFC_MIGRATE_PENDING.patched(&[&LOCKED_CHECK])
};

/// A plain counter under a spinlock, dummy work on every CPU. Pagevecs only.
static DUMMY_WORK: Commit = Commit::posted(
    "[RFC 1/2] mm: disable LRU pagevec during the migration temporarily (Minchan Kim, 2021-02-16)",
    &[
        set!(swap.lru_cache_disable = func!(migrate_prep_2021_02_16)),
        set!(swap.lru_cache_enable = func!(migrate_finish_2021_02_16)),
        set!(swap.lru_cache_disabled = func!(migrate_pending_plain)),
    ],
);

/// The posting of 2021-02-16.
pub static RFC_DISABLE_LRU_PAGEVEC: Tree = Tree {
    name: "rfc-disable-lru-pagevec",
    aliases: &["rfc-2021-02-16"],
    about: DUMMY_WORK.title,
    ..V5_11.patched(&[&DUMMY_WORK])
};
