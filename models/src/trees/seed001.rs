//! Seed 001, "migrate_pages: Never block waiting for the page lock" (Douglas Anderson, 2023-04-13):
//! what migration does about a locked source, before, as proposed, and as merged.
//!
//! The names are those of kernel-migrate 0. M0 and M5 are 6.1 and 6.10; the versions between, and
//! after them, are in `batches.rs`.

use super::{M2, V6_1, V6_10};
use crate::Tree;
use crate::mm::compaction::{Compaction, Nofs};
use crate::mm::migrate::{BufferLock, Migrate, Pages, SrcLock};
use crate::tree::Kind;

/// Up to 6.2.
pub static M0: Tree = Tree {
    name: "M0",
    base: "M0",
    about: "up to 6.2 and 6.1.y: a locked source is waited for from the third pass on",
    ..V6_1
};

/// 6.3-rc3 to 6.4: what seed 001 was written for.
pub static M4: Tree = Tree {
    name: "M4",
    base: "M4",
    about: "6.3 and 6.4: a locked source is waited for, after three passes that never wait",
    migrate: Migrate { pages: Pages::AsyncFirst, src_lock: SrcLock::Wait, ..M2.migrate },
    ..V6_1
};

/// The RFC. It removes the test for PF_MEMALLOC too, since nothing waits any more.
pub static M4R: Tree = Tree {
    name: "M4r",
    kind: Kind::Patch,
    base: "M4",
    about: "[RFC PATCH] migrate_pages: Never block waiting for the page lock (2023-04-13)",
    migrate: Migrate { src_lock: SrcLock::Never, ..M4.migrate },
    ..M4
};

/// The second version.
pub static M4T: Tree = Tree {
    name: "M4t",
    kind: Kind::Patch,
    base: "M4",
    about: "[PATCH v2] migrate: Avoid unbounded blocks in MIGRATE_SYNC_LIGHT (2023-04-21)",
    migrate: Migrate {
        src_lock: SrcLock::WaitWithTimeout,
        buffer_lock: BufferLock::WaitWithTimeout,
        ..M4.migrate
    },
    ..M4
};

/// 6.5 to 6.10: the third version, merged.
pub static M5: Tree = Tree {
    name: "M5",
    base: "M5",
    about: "6.5 to 6.10: MIGRATE_SYNC_LIGHT waits for a lock only if the folio or buffer is uptodate",
    ..V6_10
};

const ANY_FOLIO: Compaction = Compaction { nofs: Nofs::AnyFolio };

const fn mutant(
    name: &'static str,
    about: &'static str,
    base: &'static Tree,
    compaction: Compaction,
    memalloc_waits: bool,
) -> Tree {
    let migrate = Migrate { memalloc_waits, ..base.migrate };
    Tree { name, kind: Kind::Mutant, base: base.name, about, compaction, migrate, ..*base }
}

/// kernel-migrate F-S3: one of the two rules that protect readahead is gone.
pub static M4_IGNORES_NOFS: Tree = mutant(
    "M4-compaction-ignores-nofs",
    "M4 with compaction moving folios of files without __GFP_FS",
    &M4,
    ANY_FOLIO,
    false,
);

/// kernel-migrate F-S3: the other one is gone.
pub static M4_MEMALLOC_WAITS: Tree = mutant(
    "M4-memalloc-waits",
    "M4 with direct compaction waiting for folio locks",
    &M4,
    Compaction::RELEASED,
    true,
);

/// kernel-migrate F-S3: both are gone.
pub static M4_UNPROTECTED: Tree =
    mutant("M4-unprotected", "M4 without either rule", &M4, ANY_FOLIO, true);

/// The same on top of the RFC.
pub static M4R_UNPROTECTED: Tree =
    mutant("M4r-unprotected", "M4r without either rule", &M4R, ANY_FOLIO, true);

/// The same after the third version.
pub static M5_UNPROTECTED: Tree =
    mutant("M5-unprotected", "M5 without either rule", &M5, ANY_FOLIO, true);
