//! Seed 004, "migrate_pages: fix deadlock on buffer heads" and "fix deadlock on waiting writeback"
//! (Hugh Dickins, Huang Ying, 2023-02-20): batches of migration, what was proposed for them, and
//! how they were mended. The names are those of kernel-migrate 0.

use super::{V6_1, V6_11, V6_12_117, V6_17};
use crate::Tree;
use crate::fs::buffer::{Buffer, RingMove};
use crate::mm::migrate::{
    BatchedWriteback, BufferLock, ExpectedRefs, Migrate, NoteIn, Pages, TlbFlush,
};
use crate::tree::Kind;

/// next-20230217, 6.3-rc1, 6.3-rc2.
pub static M2: Tree = Tree {
    name: "M2",
    base: "M2",
    about: "next-20230217, 6.3-rc1, -rc2: migration in batches in every mode (5dfab109d519)",
    migrate: Migrate {
        pages: Pages::Batches,
        flush: TlbFlush::BeforeCopy,
        note: NoteIn::Mapping,
        ..V6_1.migrate
    },
    ..V6_1
};

/// Huang Ying's patch. Never merged.
pub static M2_W: Tree = Tree {
    name: "M2+W",
    kind: Kind::Patch,
    base: "M2",
    about: "[PATCH] migrate_pages: fix deadlock on waiting writeback (Huang Ying, 2023-02-20)",
    migrate: Migrate { writeback: BatchedWriteback::Deadlock, ..M2.migrate },
    ..M2
};

/// Hugh Dickins' patch. Never merged.
pub static M2_H: Tree = Tree {
    name: "M2+H",
    kind: Kind::Patch,
    base: "M2",
    about: "[PATCH next] migrate_pages: fix deadlock on buffer heads (Hugh Dickins, 2023-02-20)",
    migrate: Migrate { buffer_lock: BufferLock::NorefsNever, ..M2.migrate },
    ..M2
};

/// Both.
pub static M2_W_H: Tree = Tree {
    name: "M2+W+H",
    kind: Kind::Patch,
    base: "M2",
    about: "M2 with both patches of 2023-02-20",
    migrate: Migrate { writeback: BatchedWriteback::Deadlock, ..M2_H.migrate },
    ..M2
};

/// What Hugh Dickins proposed instead of either. Nobody wrote it.
pub static HUGH_ADJUSTED_MODE: Tree = Tree {
    name: "hugh-adjusted-mode",
    kind: Kind::Patch,
    base: "M2",
    about: "M2 with an adjusted mode once a folio of the batch is locked (proposed 2023-02-20)",
    migrate: Migrate { pages: Pages::AdjustedMode, ..M2.migrate },
    ..M2
};

/// The first of the three patches that were merged.
pub static M3: Tree = Tree {
    name: "M3",
    base: "M3",
    about: "M2 with fb3592c41a44 alone: a batch has one folio but in MIGRATE_ASYNC",
    migrate: Migrate { pages: Pages::BatchesIfAsync, ..M2.migrate },
    ..M2
};

/// 6.11 to 6.14.
pub static M6: Tree = Tree {
    name: "M6",
    base: "M6",
    about: "6.11 to 6.14: a split tries the lock in MIGRATE_ASYNC (2e6506e1c4ee)",
    ..V6_11
};

/// 6.12.y of 2025.
pub static M6S: Tree = Tree {
    name: "M6s",
    base: "M6s",
    about: "6.12.117: M6, and references of page tables are expected (86ebd50224c0)",
    ..V6_12_117
};

/// 6.15.
pub static M7A: Tree = Tree {
    name: "M7a",
    base: "M7a",
    about: "6.15: buffers of block devices migrate under BH_Migrate (2d900efff915)",
    buffer: Buffer { ring_move: RingMove::UnderBhMigrate, ..V6_12_117.buffer },
    migrate: Migrate { expected: ExpectedRefs::WithoutMapcount, ..V6_12_117.migrate },
    ..V6_12_117
};

/// Since 6.16.
pub static M7: Tree = Tree {
    name: "M7",
    base: "M7",
    about: "since 6.16: migration writes nothing out (7ee3647243e5)",
    ..V6_17
};
