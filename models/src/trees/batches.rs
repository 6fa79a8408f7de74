//! "migrate_pages: fix deadlock on buffer heads" and "fix deadlock on waiting writeback" (Hugh
//! Dickins, Huang Ying, 2023-02-20): batches of migration, what was proposed for them, and the
//! first of the patches that mended them. The names M2 and so on are those of kernel-migrate 0.

use super::V6_3_RC1;
use crate::commits::BATCH_ONLY_IF_ASYNC;
use crate::fs::iomap::SubmitIoend;
use crate::mm::migrate::{BatchedWriteback, BufferLock, Pages};
use crate::{Commit, Tree};

/// Huang Ying's patch.
static WRITEBACK: Commit = Commit::posted(
    "[PATCH] migrate_pages: fix deadlock on waiting writeback (Huang Ying, 2023-02-20)",
    &[set!(migrate.writeback = BatchedWriteback::Deadlock)],
);

/// Hugh Dickins' patch.
static BUFFER_HEADS: Commit = Commit::posted(
    "[PATCH next] migrate_pages: fix deadlock on buffer heads (Hugh Dickins, 2023-02-20)",
    &[set!(migrate.buffer_lock = BufferLock::NorefsNever)],
);

/// What Hugh Dickins proposed instead of either.
static ADJUSTED_MODE: Commit = Commit::posted(
    "an adjusted mode once a folio of the batch is locked (proposed by Hugh Dickins, 2023-02-20)",
    &[set!(migrate.pages = Pages::AdjustedMode)],
);

/// What if? Nobody posted it.
static SUBMIT_BEFORE_BLOCKING: Commit = Commit::posted(
    "ours: a writer submits its bio before it sleeps on a folio lock",
    &[set!(iomap.submit = SubmitIoend::BeforeBlocking)],
);

static ONLY_IF_ASYNC: Commit = BATCH_ONLY_IF_ASYNC;

/// Huang Ying's patch. Never merged.
pub static M2_W: Tree = Tree {
    name: "fix-deadlock-on-writeback",
    aliases: &["M2+W"],
    about: WRITEBACK.title,
    ..V6_3_RC1.patched(&[&WRITEBACK])
};

/// Hugh Dickins' patch. Never merged.
pub static M2_H: Tree = Tree {
    name: "fix-deadlock-on-buffer-heads",
    aliases: &["M2+H"],
    about: BUFFER_HEADS.title,
    ..V6_3_RC1.patched(&[&BUFFER_HEADS])
};

/// Both.
pub static M2_W_H: Tree = Tree {
    name: "fix-both-deadlocks",
    aliases: &["M2+W+H"],
    about: "6.3-rc1 with both patches of 2023-02-20",
    ..V6_3_RC1.patched(&[&WRITEBACK, &BUFFER_HEADS])
};

/// What Hugh Dickins proposed instead of either. Nobody wrote it.
pub static HUGH_ADJUSTED_MODE: Tree = Tree {
    name: "hugh-adjusted-mode",
    about: "6.3-rc1 with an adjusted mode once a folio of the batch is locked (2023-02-20)",
    ..V6_3_RC1.patched(&[&ADJUSTED_MODE])
};

/// kernel-migrate E-S5: the other side of the deadlock on writeback gives way.
pub static M2_SUBMIT_BEFORE_BLOCKING: Tree = Tree {
    name: "submit-before-blocking",
    about: "6.3-rc1 with a writer that submits its bio before it sleeps on a folio lock: ours",
    ..V6_3_RC1.patched(&[&SUBMIT_BEFORE_BLOCKING])
};

/// The first of the three patches that were merged, alone.
pub static M3: Tree = Tree {
    name: "batches-only-if-async",
    aliases: &["M3"],
    about: "6.3-rc1 with fb3592c41a44 alone: a batch has one folio but in MIGRATE_ASYNC",
    ..V6_3_RC1.patched(&[&ONLY_IF_ASYNC])
};
