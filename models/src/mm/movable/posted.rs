//! Before 4.8: a page's type is a magic value of `_mapcount`, and nothing marks a page that is
//! isolated but what its driver may do.
//!
//! Kept: the order of reference, page lock, look and callback; what is looked at without the lock;
//! that `lru_lock` may still be held.
//! Left out: the type's second value in the series (balloon pages keep their own; both count).
//! Source: Gioh Kim's posting of 2015-07-13 as quoted in Mel Gorman's review,
//! `isolate_mobilepage()`, `putback_mobilepage()`; mm/balloon_compaction.c and mm/migrate.c of 4.2
//! after kernel-lru E.1.

use selvedge_kernel::{
    atomic_read, atomic_set, enter, fail_about, plain_read, plain_write, reached, test_bit,
};

use super::{Core, DRIVER_OPS, M2, NO_MAPPING, PAGE_BALLOON, PAGE_MOBILE, isolated, owner};
use crate::kernel::{PG_LRU, PG_PRIVATE};
use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::migrate::{Errno, ISOLATION, Migrator};
use crate::mm::swap::{folio_put, folio_try_get};
use crate::mm::vmscan::folio_isolate_lru;
use crate::{Folio, Kernel};

/// The series as posted, version 3.
pub static POSTED_2015: Core = Core {
    name: "mobile-2015",
    set_movable: set_mobile,
    clear_movable: clear_mobile,
    isolate_non_lru: isolate_if_mobile,
    is_movable: mobile_page,
    putback: putback_mobilepage,
    freed_under_us: |_, _| {},
    move_to_new_page: move_mobile_page,
};

/// Mel Gorman's proposal: a pseudo `address_space` with the callbacks of LRU pages.
pub static LRU_AS_MOBILE: Core = Core {
    name: "lru-as-mobile",
    isolate_non_lru: isolate_if_mobile_or_lru,
    is_movable: mobile_page,
    ..POSTED_2015
};

/// 4.2: balloon pages only.
pub static V4_2: Core = Core {
    name: "v4.2",
    set_movable: set_balloon,
    clear_movable: clear_mobile,
    isolate_non_lru: isolate_if_balloon,
    is_movable: is_balloon,
    putback: balloon_page_putback,
    freed_under_us: |_, _| {},
    move_to_new_page: move_mobile_page,
};

fn set_mobile(page: &Folio) {
    atomic_set(&page.mapcount, PAGE_MOBILE);
    plain_write(&page.mapping, DRIVER_OPS);
}

fn set_balloon(page: &Folio) {
    atomic_set(&page.mapcount, PAGE_BALLOON);
    plain_write(&page.mapping, DRIVER_OPS);
}

/// `__ClearPageMobile()`, `__ClearPageBalloon()`; `page->mapping = NULL`.
fn clear_mobile(page: &Folio) {
    atomic_set(&page.mapcount, 0);
    plain_write(&page.mapping, NO_MAPPING);
}

/// `mobile_page()`: no lock. ("What's the locking rule to test mobile_page?", Minchan Kim.)
fn mobile_page(page: &Folio) -> bool {
    plain_read(&page.mapping) != NO_MAPPING && atomic_read(&page.mapcount) == PAGE_MOBILE
}

/// `__is_movable_balloon_page()`: no lock.
fn is_balloon(page: &Folio) -> bool {
    atomic_read(&page.mapcount) == PAGE_BALLOON
}

/// `page->mapping->a_ops` may be followed only while there is a mapping.
fn follow_mapping(page: &Folio) {
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
/// memory.
fn move_mobile_page(k: &Kernel, dst: &Folio, src: &Folio, who: Migrator) -> Result<(), Errno> {
    let _in = enter("move_to_new_page");
    if (k.tree.movable.core.is_movable)(src) {
        follow_mapping(src);
        return (owner(k).driver.migrate_page)(k, dst, src, who);
    }
    reached("a page was released before it moved");
    super::copy_page(dst, src);
    Ok(())
}

/// The hook of Mel's proposal: an LRU page is mobile too, and its callback locks what it needs; the
/// core takes no page lock for it.
fn isolate_if_mobile_or_lru(k: &Kernel, page: &Folio, lru_locked: &mut bool) -> bool {
    if mobile_page(page) {
        // The callback is responsible for its locks, so that none of the caller's is imposed on it.
        super::drop_lru_lock(k, lru_locked);
        return isolate_mobilepage(k, page);
    }
    let _in = enter("lru_isolatepage");
    if !test_bit(PG_LRU, &page.flags) {
        return false;
    }
    super::drop_lru_lock(k, lru_locked);
    if !folio_try_get(page, super::COMPACTION) {
        return false;
    }
    let is_ours = folio_isolate_lru(k, page, ISOLATION);
    folio_put(k, page, super::COMPACTION);
    is_ours
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
