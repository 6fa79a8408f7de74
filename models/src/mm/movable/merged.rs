//! Since 4.8: the type is in the low bits of `page->mapping` and stays there until the page is
//! freed; `PG_isolated`, which is the core's, marks who is isolated.
//!
//! Kept: reference, type, page lock, type and PG_isolated, callback, PG_isolated, in this order;
//! `lru_lock` dropped first; the type that is sticky; what is atomic in which release; the two
//! looks at PG_slab of 6.2; what CONFIG_DEBUG_VM asserts of the page lock and the type (in all of
//! these releases: 4.8 asserts the page lock in `__ClearPageMovable()` twice, later ones only by
//! `PageMovable()`).
//! Source: mm/migrate.c `isolate_movable_page()`, `putback_movable_pages()`, `move_to_new_page()`,
//! of 6.1.192 and 6.12.117 and, after kernel-lru E.3, 4.9 and 5.17; 160088b3b6d7; mm/compaction.c
//! `PageMovable()`.

use selvedge_kernel::{
    __clear_bit, __set_bit, clear_bit, enter, fail_about, kernel_assert, plain_read, plain_write,
    reached, set_bit, smp_rmb, test_bit,
};

use super::{
    Core, DRIVER_OPS, FOUND_MOVABLE, FRESH_FLAGS_ARE_THE_OWNERS, M2, PAGE_MAPPING_FLAGS,
    PAGE_MAPPING_MOVABLE, PG_ISOLATED, PG_SLAB, after_move, drop_lru_lock, isolated, let_go, owner,
};
use crate::kernel::PG_LOCKED;
use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::migrate::{Errno, ISOLATION, Migrator};
use crate::mm::swap::{folio_put, folio_try_get};
use crate::{Folio, Kernel};

/// 4.8 to 5.17 (bda807d44454): `PG_isolated` is changed by plain loads and stores of the whole
/// word.
pub static V4_8: Core = Core {
    name: "v4.8",
    set_movable,
    clear_movable,
    isolate_non_lru: |k, page, locked| isolate_if_movable(k, page, locked, &OPS_4_8),
    is_movable: __PageMovable,
    putback: |k, page| putback(k, page, &OPS_4_8),
    freed_under_us: |k, page| freed_under_us(k, page, &OPS_4_8),
    after_move,
    move_to_new_page: |k, dst, src, who| move_to_new_page(k, dst, src, who, &OPS_4_8),
};

/// 5.18 and 5.19 (356ea3865687): those are atomic.
pub static V5_18: Core = Core {
    name: "v5.18",
    isolate_non_lru: |k, page, locked| isolate_if_movable(k, page, locked, &OPS_5_18),
    putback: |k, page| putback(k, page, &OPS_5_18),
    freed_under_us: |k, page| freed_under_us(k, page, &OPS_5_18),
    move_to_new_page: |k, dst, src, who| move_to_new_page(k, dst, src, who, &OPS_5_18),
    ..V4_8
};

/// 6.0 and 6.1 (160088b3b6d7): what was freed while it was isolated is left to
/// `free_pages_prepare()`.
pub static V6_0: Core = Core { name: "v6.0", freed_under_us: |k, page| let_go(k, page), ..V5_18 };

/// Since 6.2 (8b8817630ae8): slab pages are passed over.
pub static V6_2: Core = Core {
    name: "v6.2",
    isolate_non_lru: |k, page, locked| isolate_if_movable(k, page, locked, &OPS_6_2),
    ..V6_0
};

/// The words in which the releases differ.
struct Ops {
    set_isolated: fn(&Folio),
    clear_isolated: fn(&Folio),
    /// Is it, looked at without a lock, a movable page?
    may_be_movable: fn(&Folio) -> bool,
}

static OPS_4_8: Ops = Ops {
    set_isolated: |page| __set_bit(PG_ISOLATED, &page.flags),
    clear_isolated: |page| __clear_bit(PG_ISOLATED, &page.flags),
    may_be_movable: __PageMovable,
};

static OPS_5_18: Ops = Ops {
    set_isolated: |page| set_bit(PG_ISOLATED, &page.flags),
    clear_isolated: |page| clear_bit(PG_ISOLATED, &page.flags),
    may_be_movable: __PageMovable,
};

static OPS_6_2: Ops = Ops { may_be_movable: is_movable_and_no_slab, ..OPS_5_18 };

fn set_movable(page: &Folio) {
    let _in = enter("__SetPageMovable");
    is_locked(page);
    plain_write(&page.mapping, DRIVER_OPS | PAGE_MAPPING_MOVABLE);
}

/// The pointer goes, the type stays.
fn clear_movable(page: &Folio) {
    let _in = enter("__ClearPageMovable");
    kernel_assert(PageMovable(page), "VM_BUG_ON_PAGE(!PageMovable(page)): cleared, or never set");
    plain_write(&page.mapping, PAGE_MAPPING_MOVABLE);
}

/// `__PageMovable()`: without a lock, so that it may be wrong the next moment; and wrong at once of
/// a page whose `mapping` is something else of its owner's.
fn __PageMovable(page: &Folio) -> bool {
    plain_read(&page.mapping) & PAGE_MAPPING_FLAGS == PAGE_MAPPING_MOVABLE
}

/// `VM_BUG_ON_PAGE(!PageLocked(page), page)`. (That it is the caller who has locked the page is not
/// asked.)
fn is_locked(page: &Folio) {
    kernel_assert(test_bit(PG_LOCKED, &page.flags), "VM_BUG_ON_PAGE(!PageLocked(page))");
}

/// `PageMovable()`, page locked.
fn PageMovable(page: &Folio) -> bool {
    is_locked(page);
    let mapping = plain_read(&page.mapping);
    mapping & PAGE_MAPPING_FLAGS == PAGE_MAPPING_MOVABLE && mapping & !PAGE_MAPPING_FLAGS != 0
}

/// 6.2: pairs with the barriers of slab: PG_slab is set before its fields are written, and cleared
/// after.
fn is_movable_and_no_slab(page: &Folio) -> bool {
    if test_bit(PG_SLAB, &page.flags) {
        return false;
    }
    smp_rmb();
    if !__PageMovable(page) {
        return false;
    }
    smp_rmb();
    !test_bit(PG_SLAB, &page.flags)
}

/// `page_movable_ops()`, page locked and movable a moment ago.
fn page_movable_ops(page: &Folio) {
    reached(FOUND_MOVABLE);
    let ops = plain_read(&page.mapping) & !PAGE_MAPPING_FLAGS;
    if ops != DRIVER_OPS && ops != 0 {
        let message = format!("page{} is locked by compaction, and is no driver's", page.index);
        fail_about(FRESH_FLAGS_ARE_THE_OWNERS, message, page.mapping.object());
    }
    if ops == 0 {
        let message = format!("page{}'s operations: its driver has let it go", page.index);
        fail_about(M2, message, page.mapping.object());
    }
}

/// `isolate_migratepages_block()`: the callback may sleep, so that `lru_lock` is dropped.
fn isolate_if_movable(k: &Kernel, page: &Folio, lru_locked: &mut bool, ops: &Ops) -> bool {
    if !__PageMovable(page) || test_bit(PG_ISOLATED, &page.flags) {
        return false;
    }
    drop_lru_lock(k, lru_locked);
    isolate_movable_page(k, page, ops)
}

/// `isolate_movable_page()` since 6.2, for scenarios in which the look without a lock came before,
/// at what the page was then.
pub fn isolate_movable_page_since_6_2(k: &Kernel, page: &Folio) -> bool {
    isolate_movable_page(k, page, &OPS_6_2)
}

/// `isolate_movable_page()`.
fn isolate_movable_page(k: &Kernel, page: &Folio, ops: &Ops) -> bool {
    let _in = enter("isolate_movable_page");
    if !folio_try_get(page, ISOLATION) {
        return false;
    }
    if !(ops.may_be_movable)(page) {
        reached("an isolation found that the page is no movable page any more");
        folio_put(k, page, ISOLATION);
        return false;
    }
    if !folio_trylock(page) {
        reached("an isolation found its page locked");
        folio_put(k, page, ISOLATION);
        return false;
    }
    let is_ours = PageMovable(page) && !test_bit(PG_ISOLATED, &page.flags) && {
        page_movable_ops(page);
        super::call_isolate(k, page)
    };
    if is_ours {
        kernel_assert(!test_bit(PG_ISOLATED, &page.flags), "WARN_ON_ONCE(PageIsolated(page))");
        (ops.set_isolated)(page);
    }
    folio_unlock(k, page);
    if !is_ours {
        folio_put(k, page, ISOLATION);
        return false;
    }
    isolated(page);
    true
}

/// `putback_movable_pages()` of one page. Its type is sticky while the isolation has its reference.
fn putback(k: &Kernel, page: &Folio, ops: &Ops) {
    let _in = enter("putback_movable_page");
    kernel_assert(test_bit(PG_ISOLATED, &page.flags), "a page is put back that is not isolated");
    folio_lock(k, page);
    if PageMovable(page) {
        page_movable_ops(page);
        (owner(k).driver.putback_page)(k, page);
    } else {
        reached("a page was released before it was put back");
    }
    (ops.clear_isolated)(page);
    folio_unlock(k, page);
    folio_put(k, page, ISOLATION);
}

/// Up to 5.19: `unmap_and_move()` takes the page lock to clear PG_isolated of a page that its
/// driver has released.
fn freed_under_us(k: &Kernel, page: &Folio, ops: &Ops) {
    if __PageMovable(page) {
        folio_lock(k, page);
        if !PageMovable(page) {
            (ops.clear_isolated)(page);
        }
        folio_unlock(k, page);
    }
    let_go(k, page);
}

/// `move_to_new_page()`; `migrate_movable_ops_page()` of 6.12.117. A page that has been released is
/// done with.
fn move_to_new_page(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
    ops: &Ops,
) -> Result<(), Errno> {
    let _in = enter("move_to_new_page");
    kernel_assert(test_bit(PG_ISOLATED, &src.flags), "a page is moved that is not isolated");
    if PageMovable(src) {
        page_movable_ops(src);
        (owner(k).driver.migrate_page)(k, dst, src, who)?;
        reached("a driver moved its page");
    } else {
        reached("a page was released before it moved");
    }
    (ops.clear_isolated)(src);
    Ok(())
}
