//! Before 4.8: a page's type is a magic value of `_mapcount`, and nothing marks a page that is
//! isolated but what its driver may do.
//!
//! Kept: the order of reference, page lock, look and callback; what is looked at without the lock;
//! that `lru_lock` may still be held.
//! Left out: the type's second value in the series (balloon pages keep their own; both count).
//! Source: Gioh Kim's posting of 2015-07-13, on 4.1: 2/4, which Mel Gorman reviewed,
//! `isolate_mobilepage()`, `putback_mobilepage()`; 3/4, the balloon, and the hooks in
//! mm/compaction.c and mm/migrate.c. mm/balloon_compaction.c and mm/migrate.c of 4.2 after
//! kernel-lru E.1, and of
//! 3.18 for what `unmap_and_move()` does at its end.

use selvedge_kernel::{
    atomic_read, atomic_set, enter, fail_about, kernel_assert, plain_read, plain_write, reached,
    test_bit,
};

use super::{
    Core, DRIVER_OPS, M2, NEW_PAGE, NO_MAPPING, PAGE_BALLOON, PAGE_MOBILE, isolated,
    not_as_isolated, not_isolated, owner,
};
use crate::kernel::PG_PRIVATE;
use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::migrate::{Errno, ISOLATION, Migrator};
use crate::mm::swap::{folio_put, folio_try_get};
use crate::mm::vmscan::folio_putback_lru;
use crate::{Folio, Kernel};

/// The series as posted on 2015-07-13, up to 3/4. 4/4 takes the branch for mobile pages out of
/// `__unmap_and_move()`, and makes the same choice in `move_to_new_page()`, under the same locks.
pub static POSTED_2015: Core = Core {
    name: "mobile-2015",
    set_movable: set_mobile,
    clear_movable: clear_mobile,
    isolate_non_lru: isolate_if_mobile,
    is_movable: mobile_page,
    putback: putback_mobilepage,
    freed_under_us,
    after_move,
    move_to_new_page: move_mobile_page,
};

/// 4.2: balloon pages only.
pub static V4_2: Core = Core {
    name: "v4.2",
    set_movable: set_balloon,
    clear_movable: clear_mobile,
    isolate_non_lru: isolate_if_balloon,
    is_movable: is_balloon,
    putback: balloon_page_putback,
    freed_under_us,
    after_move,
    move_to_new_page: move_mobile_page,
};

fn set_mobile(page: &Folio) {
    has_no_type(page);
    atomic_set(&page.mapcount, PAGE_MOBILE);
    plain_write(&page.mapping, DRIVER_OPS);
}

fn set_balloon(page: &Folio) {
    has_no_type(page);
    atomic_set(&page.mapcount, PAGE_BALLOON);
    plain_write(&page.mapping, DRIVER_OPS);
}

/// `VM_BUG_ON_PAGE(atomic_read(&page->_mapcount) != -1, page)`: all that `__SetPageMobile()` and
/// `__SetPageBalloon()` ask. Neither they nor the functions that clear ask for the page lock.
fn has_no_type(page: &Folio) {
    kernel_assert(atomic_read(&page.mapcount) == 0, "VM_BUG_ON_PAGE: the page has a type already");
}

/// `__ClearPageMobile()`, `__ClearPageBalloon()`; `page->mapping = NULL`.
fn clear_mobile(page: &Folio) {
    kernel_assert(atomic_read(&page.mapcount) != 0, "VM_BUG_ON_PAGE: the page has no such type");
    atomic_set(&page.mapcount, 0);
    plain_write(&page.mapping, NO_MAPPING);
}

/// `mobile_page()`: no lock. ("What's the locking rule to test mobile_page?", Minchan Kim.)
pub(super) fn mobile_page(page: &Folio) -> bool {
    plain_read(&page.mapping) != NO_MAPPING && atomic_read(&page.mapcount) == PAGE_MOBILE
}

/// `__is_movable_balloon_page()`: no lock.
fn is_balloon(page: &Folio) -> bool {
    atomic_read(&page.mapcount) == PAGE_BALLOON
}

/// `page->mapping->a_ops` may be followed only while there is a mapping.
fn follow_mapping(page: &Folio) {
    reached(super::FOUND_MOVABLE);
    if plain_read(&page.mapping) == NO_MAPPING {
        let message = format!("page{}->mapping->a_ops: the driver has let the page go", page.index);
        fail_about(M2, message, page.mapping.object());
    }
}

/// `isolate_migratepages_block()`: `lru_lock` stays held if it is.
fn isolate_if_mobile(k: &Kernel, page: &Folio, _lru_locked: &mut bool) -> bool {
    mobile_page(page) && isolate_mobilepage(k, page)
}

/// `isolate_mobilepage()`.
fn isolate_mobilepage(k: &Kernel, page: &Folio) -> bool {
    let _in = enter("isolate_mobilepage");
    if !folio_try_get(page, ISOLATION) {
        return false;
    }
    if !folio_trylock(page) {
        reached("an isolation found its page locked");
        folio_put(k, page, ISOLATION);
        return false;
    }
    let is_ours = mobile_page(page) && {
        follow_mapping(page);
        super::call_isolate(k, page)
    };
    folio_unlock(k, page);
    if !is_ours {
        folio_put(k, page, ISOLATION);
        return false;
    }
    isolated(page);
    true
}

/// `putback_mobilepage()`.
fn putback_mobilepage(k: &Kernel, page: &Folio) {
    let _in = enter("putback_mobilepage");
    folio_lock(k, page);
    if plain_read(&page.mapping) != NO_MAPPING {
        follow_mapping(page);
        (owner(k).driver.putback_page)(k, page);
    }
    folio_unlock(k, page);
    folio_put(k, page, ISOLATION);
}

/// `__unmap_and_move()`: `a_ops->migratepage` of a page that is mobile; one that is not goes the
/// way of an LRU page without a mapping, `migrate_page()`, which takes its contents for anonymous
/// memory, and gives up while anybody else has a reference (`migrate_page_move_mapping()`).
pub(super) fn move_mobile_page(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
) -> Result<(), Errno> {
    let _in = enter("move_to_new_page");
    if (k.tree.movable.core().is_movable)(src) {
        follow_mapping(src);
        return (owner(k).driver.migrate_page)(k, dst, src, who);
    }
    reached("a page was released before it moved");
    if atomic_read(&src.refcount) != 1 {
        return Err(Errno::Again);
    }
    super::copy_page(dst, src);
    Ok(())
}

/// The end of `unmap_and_move()`: whatever is not to be tried again goes to `putback_lru_page()`,
/// which is how an LRU page that has moved is freed (when its batch drains), and where a page of a
/// driver that cannot be moved ends up too.
fn after_move(k: &Kernel, dst: &Folio, src: &Folio, moved: Result<(), Errno>) {
    if moved != Err(Errno::Again) {
        not_isolated(src);
        folio_putback_lru(k, src, ISOLATION);
        if moved.is_err() {
            not_as_isolated(src);
        }
    }
    if moved.is_ok() && !(k.tree.movable.core().is_movable)(dst) {
        folio_putback_lru(k, dst, NEW_PAGE);
    } else {
        folio_put(k, dst, NEW_PAGE);
    }
}

/// The same end, at once.
fn freed_under_us(k: &Kernel, page: &Folio) {
    not_isolated(page);
    folio_putback_lru(k, page, ISOLATION);
}

/// 4.2: `balloon_page_movable()`, without a lock: not isolated is PagePrivate.
fn isolate_if_balloon(k: &Kernel, page: &Folio, _lru_locked: &mut bool) -> bool {
    is_balloon(page) && test_bit(PG_PRIVATE, &page.flags) && balloon_page_isolate(k, page)
}

/// 4.2: `balloon_page_isolate()`.
fn balloon_page_isolate(k: &Kernel, page: &Folio) -> bool {
    let _in = enter("balloon_page_isolate");
    if !folio_try_get(page, ISOLATION) {
        return false;
    }
    if folio_trylock(page) {
        if is_balloon(page) && test_bit(PG_PRIVATE, &page.flags) {
            super::call_isolate(k, page);
            folio_unlock(k, page);
            isolated(page);
            return true;
        }
        folio_unlock(k, page);
    }
    folio_put(k, page, ISOLATION);
    false
}

/// 4.2: `balloon_page_putback()`. The reference goes before the lock; and not at all if the page is
/// no balloon page any more, which is warned of.
fn balloon_page_putback(k: &Kernel, page: &Folio) {
    let _in = enter("balloon_page_putback");
    folio_lock(k, page);
    if is_balloon(page) {
        (owner(k).driver.putback_page)(k, page);
        folio_put(k, page, ISOLATION);
    } else {
        reached("balloon_page_putback() warned of a page that is no balloon page");
    }
    folio_unlock(k, page);
}
