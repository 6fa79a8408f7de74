//! 5.17 to 6.12 (c4549b871102): a page that is isolated stays in its zspage, and the zspage on its
//! list. Who frees the zspage takes the lock of each page, and clears their type under it.
//!
//! | release | `zs_free()`, `zs_page_migrate()`, `zs_map_object()`        | the lists     |
//! |---------|------------------------------------------------------------|---------------|
//! | 5.17    | `pool->migrate_lock`, `class->lock`, `zspage->lock`          | `class->lock` |
//! | 6.1     | `pool->lock`, `zspage->lock` (c0547d0b6a4b)                  | `pool->lock`  |
//! | 6.12    | as 5.17                                                    | `class->lock` |

use selvedge_kernel::{SpinLock, enter, plain_read, plain_write, reached, spin_lock, spin_unlock};

use super::{
    Pool, Release, ZS_EMPTY, class_lock, create_pool, free_zspage, lock_zspage,
    lock_zspage_unguarded, obj_free, pool, replace_sub_page, reset_page, zs_flush_migration,
    zs_malloc,
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

static R6_1: Release = Release { list_lock: |pool| &pool.lock, ..R5_19 };

/// 5.17 and 5.18.
pub static V5_17: Driver = Driver {
    name: "zsmalloc v5.17",
    new: |_| create_pool(&R5_17),
    isolate_page: |k, _| count_isolation(k, |pool| &pool.zspage_lock, 1),
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, true),
    putback_page: |k, _| {
        count_isolation(k, |pool| &pool.zspage_lock, u64::MAX);
    },
    alloc: zs_malloc,
    free: |k| zs_free(k),
    access: |k| zs_map_object(k),
};

/// 6.1.
pub static V6_1: Driver = Driver {
    name: "zsmalloc v6.1",
    new: |_| create_pool(&R6_1),
    isolate_page: |k, _| count_isolation(k, |pool| &pool.lock, 1),
    migrate_page: |k, newpage, page, _| zs_page_migrate_6_1(k, newpage, page),
    putback_page: |k, _| {
        count_isolation(k, |pool| &pool.lock, u64::MAX);
    },
    free: |k| zs_free_6_1(k),
    ..V5_17
};

/// 6.12: nothing counts isolated pages.
pub static V6_12: Driver = Driver {
    name: "zsmalloc v6.12",
    new: |_| create_pool(&R5_19),
    isolate_page: |_, _| true,
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, false),
    putback_page: |_, _| {},
    ..V5_17
};

/// `inc_zspage_isolation()`, `dec_zspage_isolation()`: a number that nothing depends on.
fn count_isolation(k: &Kernel, lock: fn(&Pool) -> &SpinLock, by: u64) -> bool {
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, lock(pool));
    plain_write(&pool.isolated, plain_read(&pool.isolated).wrapping_add(by));
    spin_unlock(&k.cpus, lock(pool));
    true
}

/// `zs_free()` of the last object.
fn zs_free(k: &Kernel) {
    let _in = enter("zs_free");
    let pool = pool(k);
    spin_lock(&k.cpus, &pool.lock);
    spin_lock(&k.cpus, &pool.class_lock);
    spin_unlock(&k.cpus, &pool.lock);
    obj_free(pool);
    plain_write(&pool.list, ZS_EMPTY);
    free_zspage(k, pool);
    spin_unlock(&k.cpus, &pool.class_lock);
}

/// 6.1: under `pool->lock` alone.
fn zs_free_6_1(k: &Kernel) {
    let _in = enter("zs_free");
    let pool = pool(k);
    spin_lock(&k.cpus, &pool.lock);
    obj_free(pool);
    plain_write(&pool.list, ZS_EMPTY);
    free_zspage(k, pool);
    spin_unlock(&k.cpus, &pool.lock);
}

/// `zs_page_migrate()`: both pages locked.
fn zs_page_migrate(k: &Kernel, newpage: &Folio, page: &Folio, counts: bool) -> Result<(), Errno> {
    let _in = enter("zs_page_migrate");
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, &pool.lock);
    spin_lock(&k.cpus, &pool.class_lock);
    spin_lock(&k.cpus, &pool.zspage_lock);
    replace_sub_page(k, pool, newpage, page);
    if counts {
        plain_write(&pool.isolated, plain_read(&pool.isolated) - 1);
    }
    spin_unlock(&k.cpus, &pool.lock);
    spin_unlock(&k.cpus, &pool.class_lock);
    spin_unlock(&k.cpus, &pool.zspage_lock);
    let_go(k, pool, newpage, page);
    Ok(())
}

/// 6.1: `zs_page_migrate()`.
fn zs_page_migrate_6_1(k: &Kernel, newpage: &Folio, page: &Folio) -> Result<(), Errno> {
    let _in = enter("zs_page_migrate");
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, &pool.lock);
    spin_lock(&k.cpus, &pool.zspage_lock);
    replace_sub_page(k, pool, newpage, page);
    plain_write(&pool.isolated, plain_read(&pool.isolated) - 1);
    spin_unlock(&k.cpus, &pool.lock);
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
