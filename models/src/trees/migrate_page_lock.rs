//! "migrate_pages: Never block waiting for the page lock" (Douglas Anderson, 2023-04-13): the
//! proposals for a migration whose source folio is locked, and mutants without the protection of a
//! task that waits for such a lock. What was merged is 4bb6dc79d987 (6.5).

use selvedge_kernel::edits::{Edit, Site};

use super::{V6_4, V6_10};
use crate::mm::migrate::{BufferLock, Migrate, SrcLock};
use crate::mutants::migrate::memalloc_may_sleep_on_locks;
use crate::{Commit, Tree};

/// It removes the test for PF_MEMALLOC too, since nothing waits any more.
static NEVER_BLOCK: Commit = Commit::posted(
    "[RFC PATCH] migrate_pages: Never block waiting for the page lock \
     (Douglas Anderson, 2023-04-13)",
    &[set!(migrate.src_lock = SrcLock::Never)],
);

/// The RFC.
pub static NEVER_BLOCK_ON_PAGE_LOCK: Tree = Tree {
    name: "never-block-on-page-lock",
    aliases: &["M4r"],
    about: NEVER_BLOCK.title,
    ..V6_4.patched(&[&NEVER_BLOCK])
};

/// The second version.
static TIMEOUT: Commit = Commit::posted(
    "[PATCH v2] migrate: Avoid unbounded blocks in MIGRATE_SYNC_LIGHT \
     (Douglas Anderson, 2023-04-21)",
    &[
        set!(migrate.src_lock = SrcLock::WaitWithTimeout),
        set!(migrate.buffer_lock = BufferLock::WaitWithTimeout),
    ],
);

/// The second version.
pub static AVOID_UNBOUNDED_BLOCKS_V2: Tree = Tree {
    name: "avoid-unbounded-blocks-v2",
    aliases: &["M4t"],
    about: TIMEOUT.title,
    ..V6_4.patched(&[&TIMEOUT])
};

/// Compaction takes every folio for one that is in no page cache, and moves folios of files
/// although `__GFP_FS` is not set.
const IGNORES_NOFS: &[Edit] =
    &[Edit::drop(Site::of("read").on("folio->mapping").within("isolate_migratepages_block"))];

/// Direct compaction that waits for folio locks.
const fn memalloc_waits(base: &'static Tree) -> Tree {
    let migrate =
        Migrate { may_sleep_on_locks: func!(memalloc_may_sleep_on_locks), ..base.migrate };
    Tree { migrate, ..base.mutant() }
}

/// Both: nothing protects readahead.
const fn unprotected(base: &'static Tree) -> Tree {
    Tree { edits: IGNORES_NOFS, ..memalloc_waits(base) }
}

/// kernel-migrate F-S3: one of the two rules that protect readahead is gone.
pub static V6_4_IGNORES_NOFS: Tree = Tree {
    name: "v6.4-compaction-ignores-nofs",
    aliases: &["M4-compaction-ignores-nofs"],
    about: "6.4 with compaction moving folios of files without __GFP_FS",
    edits: IGNORES_NOFS,
    ..V6_4.mutant()
};

/// kernel-migrate F-S3: the other one is gone.
pub static V6_4_MEMALLOC_WAITS: Tree = Tree {
    name: "v6.4-memalloc-waits",
    aliases: &["M4-memalloc-waits"],
    about: "6.4 with direct compaction waiting for folio locks",
    ..memalloc_waits(&V6_4)
};

/// kernel-migrate F-S3: both are gone.
pub static V6_4_UNPROTECTED: Tree = Tree {
    name: "v6.4-unprotected",
    aliases: &["M4-unprotected"],
    about: "6.4 without either rule",
    ..unprotected(&V6_4)
};

/// The same on top of the RFC.
pub static NEVER_BLOCK_UNPROTECTED: Tree = Tree {
    name: "never-block-on-page-lock-unprotected",
    aliases: &["M4r-unprotected"],
    about: "never-block-on-page-lock without either rule",
    ..unprotected(&NEVER_BLOCK_ON_PAGE_LOCK)
};

/// The same after the third version.
pub static V6_10_UNPROTECTED: Tree = Tree {
    name: "v6.10-unprotected",
    aliases: &["M5-unprotected"],
    about: "6.10 without either rule",
    ..unprotected(&V6_10)
};
