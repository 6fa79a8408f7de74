//! `migrate_pages()`: who migrates, which of its versions, and putback.
//!
//! Scaled, in every version: the passes. C makes ten up to 6.3-rc2 and in MIGRATE_ASYNC; since
//! 6.3-rc3 three in MIGRATE_ASYNC and then seven in the mode asked for. Here they are
//! [`crate::Sizes::passes`], the asynchronous half of them rounded down. Where C waits from the
//! fourth pass on (`force`), it is the last one here. No pass waits for the other side unless it
//! blocks, and a pass more sees what the one before could have seen later: it shows nothing new.
//! Left out: hugetlb, movable pages that are no folios, statistics, the cut of long lists into
//! batches of 512 pages (a scenario's list is one batch).
//! Source: mm/migrate.c of 6.1 and 6.12.117.

use selvedge_kernel::{Name, enter};

use crate::Kernel;
use crate::mm::migrate::{Mode, Pages, batch_adjusted, batch_m0, batch_m2, batch_m3, batch_m4};
use crate::mm::vmscan::folio_putback_lru;

/// Who holds the reference that isolation took.
pub const ISOLATION: Name = Name::new("isolation");

/// Who migrates, and what it may do.
#[derive(Clone, Copy, Debug)]
pub struct Migrator {
    /// What it may wait for.
    pub mode: Mode,
    /// `current->flags & PF_MEMALLOC`: it allocates memory, and is in direct compaction.
    pub memalloc: bool,
}

impl Migrator {
    /// MIGRATE_SYNC, by a task that allocates nothing.
    pub const SYNC: Migrator = Migrator { mode: Mode::Sync, memalloc: false };

    /// The same task in another mode.
    pub(crate) fn in_mode(self, mode: Mode) -> Migrator {
        Migrator { mode, ..self }
    }
}

/// `migrate_pages()`: returns the isolated folios that it could not migrate, whose references the
/// caller still has.
pub fn migrate_pages(k: &Kernel, from: &[usize], who: Migrator) -> Vec<usize> {
    let _in = enter("migrate_pages");
    let from = from.to_vec();
    match k.tree.migrate.pages() {
        Pages::OneByOne => batch_m0::migrate_pages(k, from, who),
        Pages::Batches => batch_m2::migrate_pages(k, from, who),
        Pages::BatchesIfAsync => batch_m3::migrate_pages(k, from, who),
        Pages::AsyncFirst => batch_m4::migrate_pages(k, from, who),
        Pages::AdjustedMode => batch_adjusted::migrate_pages(k, from, who),
    }
}

/// `putback_movable_pages()`
pub fn putback_movable_pages(k: &Kernel, folios: &[usize]) {
    let _in = enter("putback_movable_pages");
    for &index in folios {
        folio_putback_lru(k, &k.folios[index], ISOLATION);
    }
}
