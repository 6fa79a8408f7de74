//! What was proposed about the moment without an entry in `try_to_migrate_one()`, in which a page
//! fault takes a reference that migration does not expect; and about writeback that user space
//! ends. None of it was merged.

use super::{V6_1, V6_12_117, V6_17};
use crate::mm::memory::MissingEntry;
use crate::mm::migrate::Indeterminate;
use crate::mm::rmap::NukePte;
use crate::{Commit, Tree};

static LOOKS_AGAIN: Commit = Commit::posted(
    "do_fault() looks at the entry again under the page-table lock (proposed by Dev Jain in \
     \"Race condition observed between page migration and page fault handling\", August 2024)",
    &[set!(memory.missing = MissingEntry::LookedAtLocked)],
);

static INVALIDATES: Commit = Commit::posted(
    "try_to_migrate_one() marks the entry invalid, and never empties it (the hack that opens the \
     same thread)",
    &[set!(rmap.nuke = NukePte::Invalidate)],
);

static MARKS_FIRST: Commit = Commit::posted(
    "[PATCH] try_to_migrate_one() writes the migration entry before it flushes the TLB (December \
     2024)",
    &[set!(rmap.nuke = NukePte::MarkThenFlush)],
);

static SKIPS: Commit = Commit::posted(
    "[PATCH] mm/migrate: skip migrating folios under writeback with AS_WRITEBACK_INDETERMINATE \
     mappings (Joanne Koong, 2024-11-22)",
    &[set!(migrate.indeterminate = Indeterminate::Skips)],
);

/// The fault looks again.
pub static FAULT_LOOKS_AGAIN: Tree = Tree {
    name: "fault-looks-again",
    about: LOOKS_AGAIN.title,
    ..V6_12_117.patched(&[&LOOKS_AGAIN])
};
/// The entry is never empty.
pub static MIGRATE_INVALIDATES: Tree = Tree {
    name: "migrate-invalidates-entry",
    about: INVALIDATES.title,
    ..V6_12_117.patched(&[&INVALIDATES])
};
/// The entry is empty for a moment only in which old TLB entries still serve. On 6.1, where each
/// entry is flushed as it is cleared.
pub static MIGRATE_MARKS_FIRST: Tree = Tree {
    name: "migrate-marks-then-flushes",
    about: MARKS_FIRST.title,
    ..V6_1.patched(&[&MARKS_FIRST])
};
/// MIGRATE_SYNC does not wait for user space. On 6.17, whose fuse needs it.
pub static SKIPS_INDETERMINATE: Tree =
    Tree { name: "migrate-skips-indeterminate", about: SKIPS.title, ..V6_17.patched(&[&SKIPS]) };
