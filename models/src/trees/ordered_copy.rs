//! A cure of ours for the copy of a folio that nothing orders behind the look at its count
//! (docs/findings.md).

use super::V6_12_117;
use crate::mm::migrate::CopyAfter;
use crate::{Commit, Tree};

/// Pairs with the full barrier of the put that the look reads from. Nobody posted it.
static READ_BARRIER: Commit = Commit::posted(
    "ours: smp_rmb() in __migrate_folio() between the look at the count and the copy",
    &[set!(migrate.copy_after = CopyAfter::ReadBarrier)],
);

/// The copy has what was stored before a pin was dropped.
pub static COPIES_AFTER_READ_BARRIER: Tree = Tree {
    name: "copies-after-smp-rmb",
    about: READ_BARRIER.title,
    ..V6_12_117.patched(&[&READ_BARRIER])
};
