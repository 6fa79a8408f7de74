//! The caller: what compaction and migration do with the pages of drivers.
//!
//! Kept: the look without a reference; `lru_lock`, which may be held from an earlier page; the list
//! of what is isolated; freed?, new page, both page locks, move, unlock, put; what is put back as
//! what.
//! Left out: folios on the LRU between them (mm/compaction.rs has those); more passes than one, so
//! that what fails once is put back; direct compaction, which never waits.
//! The functions have their names of up to 6.1 (6.12: `migrate_folio_unmap()`,
//! `migrate_folio_move()`). So has the order after a move: both unlocked, new page put, off the
//! list, old page put. 6.12 unlocks the old page last, after it has taken it off the list, and
//! after a failure first; nobody but the compactor knows that list, and the locks protect nothing
//! in between. Source: mm/compaction.c `isolate_migratepages_block()`, mm/migrate.c
//! `unmap_and_move()`, `__unmap_and_move()`, `putback_movable_pages()` of 6.1.192 and 6.12.117; of
//! 3.18 and 4.2 for what follows a move there.

use selvedge_kernel::{
    Name, atomic_read, enter, fail, fail_about, kernel_assert, plain_read, plain_write, reached,
    spin_lock_irqsave, spin_unlock_irqrestore,
};

use super::{M6, M8, M9, ON_MIGRATE_LIST, alloc_page, owner};
use crate::kernel::NOT_LINKED;
use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::migrate::{Errno, ISOLATION, Migrator, Mode};
use crate::mm::swap::folio_put;
use crate::mm::vmscan::folio_putback_lru;
use crate::{Folio, Kernel};

/// Who holds a reference while it looks whether a page can be isolated.
pub const COMPACTION: Name = Name::new("compaction");
/// Who holds the new page until it is where the old one was.
pub(super) const NEW_PAGE: Name = Name::new("migration target");

/// A page was isolated by compaction.
pub const ISOLATED: &str = "compaction isolated a page of a driver";
/// The core found the mark of a movable page, and goes on to its operations.
pub const FOUND_MOVABLE: &str = "a page was found movable";
/// A driver's `isolate_page()` is called.
pub const ASKED_A_DRIVER: &str = "compaction asked a driver for its page";
/// A page was moved.
pub const MOVED: &str = "a page of a driver was moved";
/// A page was put back.
pub const PUT_BACK: &str = "a page of a driver was put back";

/// The page is on `cc->migratepages` now. Of two compactors that have it the second would corrupt
/// the list of the first.
pub(super) fn isolated(page: &Folio) {
    let list = plain_read(&page.linked);
    if list == ON_MIGRATE_LIST {
        let message = format!("page{} is isolated by two compactors at once", page.index);
        fail_about(M6, message, page.linked.object());
    }
    kernel_assert(list == NOT_LINKED, "list_add corruption: page->lru is on a list");
    plain_write(&page.linked, ON_MIGRATE_LIST);
    reached(ISOLATED);
}

/// `list_del(&page->lru)`: off `cc->migratepages`.
pub(super) fn not_isolated(page: &Folio) {
    plain_write(&page.linked, NOT_LINKED);
}

/// Is the page on `cc->migratepages`, isolated as a driver's?
fn is_isolated(page: &Folio) -> bool {
    plain_read(&page.linked) == ON_MIGRATE_LIST
}

/// The driver's `isolate_page()`, and what the core must not have done about it.
pub(super) fn call_isolate(k: &Kernel, page: &Folio) -> bool {
    reached(ASKED_A_DRIVER);
    let is_ours = (owner(k).driver.isolate_page)(k, page);
    if k.lru_lock.is_held_by_me() {
        fail(M8, "lru_lock was held while the driver's isolate_page() took its own lock");
    }
    is_ours
}

/// Lets `lru_lock` go, if it is held.
pub(super) fn drop_lru_lock(k: &Kernel, lru_locked: &mut bool) {
    if std::mem::take(lru_locked) {
        spin_unlock_irqrestore(&k.cpus, &k.lru_lock);
    }
}

/// `isolate_migratepages_block()`, at a page that may be a driver's. With `lru_locked` an earlier
/// page has left `lru_lock` held.
pub fn isolate_block(k: &Kernel, page: &Folio, lru_locked: bool) -> bool {
    let _in = enter("isolate_migratepages_block");
    let mut locked = lru_locked;
    if locked {
        spin_lock_irqsave(&k.cpus, &k.lru_lock);
    }
    let is_ours = (k.tree.movable.core().isolate_non_lru)(k, page, &mut locked);
    drop_lru_lock(k, &mut locked);
    is_ours
}

/// `compact_zone()` of one page that is a driver's: isolates it, moves it, and puts it back if that
/// does not work.
pub fn compact_page(k: &Kernel, page: &Folio, who: Migrator) {
    let _in = enter("compact_zone");
    if isolate_block(k, page, false) {
        move_or_put_back(k, page, who);
    }
}

/// `migrate_pages()` of one isolated page, and `putback_movable_pages()` of what it leaves on the
/// list.
pub fn move_or_put_back(k: &Kernel, page: &Folio, who: Migrator) {
    if unmap_and_move(k, page, who).is_err() && is_isolated(page) {
        putback_movable_page(k, page);
    }
}

/// `unmap_and_move()` of an isolated page.
pub fn unmap_and_move(k: &Kernel, src: &Folio, who: Migrator) -> Result<(), Errno> {
    let _in = enter("unmap_and_move");
    let core = k.tree.movable.core();
    if atomic_read(&src.refcount) == 1 {
        // Freed under us: the isolation has the last reference.
        (core.freed_under_us)(k, src);
        reached("a page was freed while it was isolated");
        return Ok(());
    }
    let dst = &k.folios[k.sizes.folios + src.index];
    alloc_page(k, dst, NEW_PAGE);
    let moved = __unmap_and_move(k, dst, src, who);
    (core.after_move)(k, dst, src, moved);
    if moved.is_ok() {
        reached(MOVED);
    }
    moved
}

/// Since 4.8: a page that has moved is let go of, one that has not stays on the list. (4.8 puts it
/// back at once if the error is permanent, later releases through the list.)
pub(super) fn after_move(k: &Kernel, dst: &Folio, src: &Folio, moved: Result<(), Errno>) {
    folio_put(k, dst, NEW_PAGE);
    if moved.is_ok() {
        let_go(k, src);
    }
}

/// Off the list, and the isolation's reference with it.
pub(super) fn let_go(k: &Kernel, page: &Folio) {
    not_isolated(page);
    folio_put(k, page, ISOLATION);
}

/// `__unmap_and_move()`: a source that is locked is let be in MIGRATE_ASYNC, and waited for in
/// MIGRATE_SYNC. (MIGRATE_SYNC_LIGHT of 6.12 does not wait for a folio that is not uptodate, as no
/// page of a driver is; no scenario has it.)
fn __unmap_and_move(k: &Kernel, dst: &Folio, src: &Folio, who: Migrator) -> Result<(), Errno> {
    let _in = enter("__unmap_and_move");
    if !folio_trylock(src) {
        reached("a migration found its source locked");
        if who.mode == Mode::Async {
            return Err(Errno::Again);
        }
        folio_lock(k, src);
    }
    assert!(folio_trylock(dst), "a new page is not locked");
    let moved = (k.tree.movable.core().move_to_new_page)(k, dst, src, who);
    folio_unlock(k, dst);
    folio_unlock(k, src);
    moved
}

/// `putback_movable_pages()` of one page.
pub fn putback_movable_page(k: &Kernel, page: &Folio) {
    let _in = enter("putback_movable_pages");
    let was_a_drivers = is_isolated(page);
    not_isolated(page);
    if (k.tree.movable.core().is_movable)(page) {
        (k.tree.movable.core().putback)(k, page);
        reached(PUT_BACK);
        return;
    }
    folio_putback_lru(k, page, ISOLATION);
    if was_a_drivers {
        not_as_isolated(page);
    }
}

/// [`M9`] is broken.
pub(super) fn not_as_isolated(page: &Folio) {
    let message = format!("page{} was isolated as a driver's, and is put on the LRU", page.index);
    fail_about(M9, message, page.mapping.object());
}
