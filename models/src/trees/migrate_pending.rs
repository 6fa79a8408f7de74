//! The patches of February 2021 that wanted per-CPU caches out of the way of migration.

use crate::fs::buffer::{Buffer, InstallCheck};
use crate::mm::migrate::{
    migrate_finish_2021_02_16, migrate_finish_bool, migrate_finish_rfc, migrate_pending_plain,
    migrate_pending_rfc, migrate_prep_2021_02_16, migrate_prep_bool, migrate_prep_rfc,
};
use crate::mm::swap::Swap;
use crate::tree::Kind;
use crate::trees::V5_11;
use crate::{Tree, func};

/// Re: \[PATCH v2\] \[RFC\] mm: fs: Invalidate BH LRU during page migration (Minchan Kim,
/// 2021-02-11): a counter, read before `bh_lru_lock()`.
pub static RFC_MIGRATE_PENDING: Tree = Tree {
    name: "rfc-migrate-pending",
    kind: Kind::Patch,
    base: "v5.11",
    about: "migrate_pending counter, Minchan Kim, mail of 2021-02-11",
    buffer: Buffer { install_check: InstallCheck::BeforeLock, ..V5_11.buffer },
    swap: Swap {
        lru_cache_disable: func!(migrate_prep_rfc),
        lru_cache_enable: func!(migrate_finish_rfc),
        lru_cache_disabled: func!(migrate_pending_rfc),
        ..V5_11.swap
    },
    ..V5_11
};

/// The plain bool of the patch that seed 000 answers to (Chris Goldsworthy, v2), in the RFC's place.
pub static RFC_MIGRATE_PENDING_BOOL: Tree = Tree {
    name: "rfc-migrate-pending-bool",
    base: "rfc-migrate-pending",
    about: "the same with a plain bool, as in Chris Goldsworthy's v2 that it answers to",
    pending_name: "bh_lru_disabled",
    swap: Swap {
        lru_cache_disable: func!(migrate_prep_bool),
        lru_cache_enable: func!(migrate_finish_bool),
        lru_cache_disabled: func!(migrate_pending_plain),
        ..RFC_MIGRATE_PENDING.swap
    },
    ..RFC_MIGRATE_PENDING
};

/// The RFC with its check moved under `bh_lru_lock()`: is that all it lacks?
pub static RFC_MIGRATE_PENDING_LOCKED_CHECK: Tree = Tree {
    name: "rfc-migrate-pending-locked-check",
    base: "rfc-migrate-pending",
    about: "the same with the check moved under bh_lru_lock()",
    buffer: Buffer { install_check: InstallCheck::UnderLock, ..V5_11.buffer },
    ..RFC_MIGRATE_PENDING
};

/// \[RFC 1/2\] mm: disable LRU pagevec during the migration temporarily (Minchan Kim, 2021-02-16):
/// a plain counter under a spinlock, dummy work on every CPU. Pagevecs only.
pub static RFC_2021_02_16: Tree = Tree {
    name: "rfc-2021-02-16",
    kind: Kind::Patch,
    base: "v5.11",
    about: "[RFC 1/2] mm: disable LRU pagevec during the migration, Minchan Kim, 2021-02-16",
    swap: Swap {
        lru_cache_disable: func!(migrate_prep_2021_02_16),
        lru_cache_enable: func!(migrate_finish_2021_02_16),
        lru_cache_disabled: func!(migrate_pending_plain),
        ..V5_11.swap
    },
    ..V5_11
};
