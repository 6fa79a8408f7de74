//! 5.17 to 6.12 (c4549b871102): a page that is isolated stays in its zspage, and the zspage on its
//! list. Who frees the zspage takes the lock of each page, and clears their type under it.
//!
//! | release | `zs_free()`, `zs_page_migrate()`, `zs_map_object()`        | the lists     |
//! |---------|------------------------------------------------------------|---------------|
//! | 5.17    | `pool->migrate_lock`, `class->lock`, `zspage->lock`          | `class->lock` |
//! | 6.2     | `pool->lock`, `zspage->lock` (c0547d0b6a4b)                  | `pool->lock`  |
//! | 6.12    | as 5.17                                                    | `class->lock` |
//!
//! The count of isolated pages is only looked at by assertions, but it shares a word with the
//! fullness of the zspage. Up to 6.4, and in 6.1 until 6.1.46, it is changed under `zspage->lock`,
//! and the fullness under the lock of the lists, so that one of the two changes may be lost. Since
//! 6.5 (4b5d1e47b694) both are changed under the lock of the lists. 6.12 counts no more.

use selvedge_kernel::{SpinLock, enter, plain_read, plain_write, reached, spin_lock, spin_unlock};

use super::{
    Pool, Release, ZS_EMPTY, class_lock, create_pool, dec_zspage_isolation, free_zspage,
    get_zspage, handle_to_page, inc_zspage_isolation, lock_zspage, lock_zspage_unguarded, obj_free,
    pool, replace_sub_page, reset_page, set_fullness, zs_flush_migration, zs_malloc,
};
use crate::mm::migrate::Errno;
use crate::mm::movable::{Driver, get_page, put_page, update};
use crate::{Folio, Kernel};

static R5_17: Release = Release {
    list_lock: class_lock,
    lock_zspage: lock_zspage_unguarded,
    unregister: zs_flush_migration,
};

static R5_19: Release = Release { lock_zspage, ..R5_17 };

static R6_2: Release = Release { list_lock: pool_lock, ..R5_19 };

/// What `zs_destroy_pool()` must wait for is left out.
static NO_FLUSH: Release = Release { unregister: |_, _| {}, ..R5_19 };

/// 5.17 and 5.18.
pub static V5_17: Driver = Driver {
    name: "zsmalloc v5.17",
    new: |_| create_pool(&R5_17),
    isolate_page: |k, page| zs_page_isolate(k, page, zspage_lock),
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, Counts::AfterLists),
    putback_page: |k, page| zs_page_putback(k, page, zspage_lock),
    alloc: zs_malloc,
    free: |k| zs_free(k),
    access: |k| zs_map_object(k),
};

/// 5.19 to 6.1 (2505a981114d).
pub static V5_19: Driver = Driver { name: "zsmalloc v5.19", new: |_| create_pool(&R5_19), ..V5_17 };

/// 5.19 with what 4b5d1e47b694 does in 6.5: the count is changed under the lock of the lists.
pub static V5_19_COUNTS_LOCKED: Driver = Driver {
    name: "zsmalloc v5.19 with 4b5d1e47b694",
    isolate_page: |k, page| zs_page_isolate(k, page, class_lock),
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, Counts::WithLists),
    putback_page: |k, page| zs_page_putback(k, page, class_lock),
    ..V5_19
};

/// 6.2 to 6.4 (c0547d0b6a4b).
pub static V6_2: Driver = Driver {
    name: "zsmalloc v6.2",
    new: |_| create_pool(&R6_2),
    migrate_page: |k, newpage, page, _| zs_page_migrate_6_2(k, newpage, page, Counts::AfterLists),
    free: |k| zs_free_6_2(k),
    ..V5_19
};

/// 6.5 to 6.11, and 6.1 since 6.1.47 (4b5d1e47b694).
pub static V6_5: Driver = Driver {
    name: "zsmalloc v6.5",
    isolate_page: |k, page| zs_page_isolate(k, page, pool_lock),
    migrate_page: |k, newpage, page, _| zs_page_migrate_6_2(k, newpage, page, Counts::WithLists),
    putback_page: |k, page| zs_page_putback(k, page, pool_lock),
    ..V6_2
};

/// 6.12: nothing counts isolated pages.
pub static V6_12: Driver = Driver {
    name: "zsmalloc v6.12",
    isolate_page: |_, _| true,
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, Counts::Not),
    putback_page: |_, _| {},
    ..V5_19
};

/// A mutant of 6.12: `zs_destroy_pool()` does not wait for `free_work`.
pub(crate) static V6_12_NO_FLUSH: Driver = Driver {
    name: "zsmalloc v6.12 without flush_work()",
    new: |_| create_pool(&NO_FLUSH),
    ..V6_12
};

/// When `zs_page_migrate()` counts down the isolated pages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// Under `zspage->lock`, once the lock of the lists has been let go.
    AfterLists,
    /// Under the lock of the lists too.
    WithLists,
    /// There is no such count.
    Not,
}

fn pool_lock(pool: &Pool) -> &SpinLock {
    &pool.lock
}

fn zspage_lock(pool: &Pool) -> &SpinLock {
    &pool.zspage_lock
}

/// `zs_page_isolate()`: page locked.
fn zs_page_isolate(k: &Kernel, page: &Folio, lock: fn(&Pool) -> &SpinLock) -> bool {
    let _in = enter("zs_page_isolate");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, lock(pool));
    inc_zspage_isolation(pool);
    spin_unlock(&k.cpus, lock(pool));
    true
}

/// `zs_page_putback()`: page locked.
fn zs_page_putback(k: &Kernel, page: &Folio, lock: fn(&Pool) -> &SpinLock) {
    let _in = enter("zs_page_putback");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, lock(pool));
    dec_zspage_isolation(pool);
    spin_unlock(&k.cpus, lock(pool));
}

/// `zs_free()` of the last object. Where the object is does not change under the lock of the pool,
/// nor, once that is let go, under the lock of its class.
fn zs_free(k: &Kernel) {
    let _in = enter("zs_free");
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, &pool.lock);
    let page = handle_to_page(k, pool);
    get_zspage(pool, page);
    spin_lock(&k.cpus, &pool.class_lock);
    spin_unlock(&k.cpus, &pool.lock);
    obj_free(pool, page);
    fix_fullness_group(pool);
    free_zspage(k, pool);
    spin_unlock(&k.cpus, &pool.class_lock);
}

/// 6.2: under `pool->lock` alone.
fn zs_free_6_2(k: &Kernel) {
    let _in = enter("zs_free");
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, &pool.lock);
    let page = handle_to_page(k, pool);
    get_zspage(pool, page);
    obj_free(pool, page);
    fix_fullness_group(pool);
    free_zspage(k, pool);
    spin_unlock(&k.cpus, &pool.lock);
}

/// `fix_fullness_group()` of a zspage that has no object left.
fn fix_fullness_group(pool: &Pool) {
    plain_write(&pool.list, ZS_EMPTY);
    set_fullness(pool, ZS_EMPTY);
}

/// `zs_page_migrate()`: both pages locked.
fn zs_page_migrate(k: &Kernel, newpage: &Folio, page: &Folio, counts: Counts) -> Result<(), Errno> {
    let _in = enter("zs_page_migrate");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, &pool.lock);
    spin_lock(&k.cpus, &pool.class_lock);
    spin_lock(&k.cpus, &pool.zspage_lock);
    replace_sub_page(k, pool, newpage, page);
    if counts == Counts::WithLists {
        dec_zspage_isolation(pool);
    }
    spin_unlock(&k.cpus, &pool.lock);
    spin_unlock(&k.cpus, &pool.class_lock);
    if counts == Counts::AfterLists {
        dec_zspage_isolation(pool);
    }
    spin_unlock(&k.cpus, &pool.zspage_lock);
    let_go(k, pool, newpage, page);
    Ok(())
}

/// 6.2: `zs_page_migrate()`.
fn zs_page_migrate_6_2(
    k: &Kernel,
    newpage: &Folio,
    page: &Folio,
    counts: Counts,
) -> Result<(), Errno> {
    let _in = enter("zs_page_migrate");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, &pool.lock);
    spin_lock(&k.cpus, &pool.zspage_lock);
    replace_sub_page(k, pool, newpage, page);
    if counts == Counts::WithLists {
        dec_zspage_isolation(pool);
    }
    spin_unlock(&k.cpus, &pool.lock);
    if counts == Counts::AfterLists {
        dec_zspage_isolation(pool);
    }
    spin_unlock(&k.cpus, &pool.zspage_lock);
    let_go(k, pool, newpage, page);
    Ok(())
}

/// The end of `zs_page_migrate()`, without any lock but those of the pages.
fn let_go(k: &Kernel, pool: &Pool, newpage: &Folio, page: &Folio) {
    get_page(newpage);
    reset_page(k, pool, page);
    put_page(k, page);
}

/// `zs_map_object()`, an update, `zs_unmap_object()`: `zspage->lock` is what keeps migration out;
/// the pool's is only held until that is taken.
fn zs_map_object(k: &Kernel) {
    let _in = enter("zs_map_object");
    let pool = pool(k);
    spin_lock(&k.cpus, &pool.lock);
    let Some(index) = (plain_read(&pool.handle) as usize).checked_sub(1) else {
        return spin_unlock(&k.cpus, &pool.lock);
    };
    spin_lock(&k.cpus, &pool.zspage_lock);
    spin_unlock(&k.cpus, &pool.lock);
    update(&k.folios[index]);
    reached("an object was accessed");
    spin_unlock(&k.cpus, &pool.zspage_lock);
}
