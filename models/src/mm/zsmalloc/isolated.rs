//! 4.8 to 5.16: the first isolated page takes its zspage off the lists, and the last one that is
//! moved or put back returns it; whoever empties a zspage meanwhile leaves the freeing to that.
//!
//! 5.3 (701d678599d0) lets `zs_destroy_pool()` wait for isolated pages by a counter and a flag;
//! 5.16 (afe8605ca454, and stable) puts a barrier between the two. 4.14 (77ff465799c6) lets an
//! empty zspage migrate, 5.3 (1a87aa03597e) frees it then.
//!
//! Left out: that a migration gives up (-EAGAIN) while an object's pin bit is held, as `zs_free()`
//! holds it. It leads to a putback, and the scenarios have putbacks without it.

use selvedge_kernel::{
    atomic_dec, atomic_inc, atomic_read, enter, flush_work, kernel_assert, plain_read, plain_write,
    reached, smp_mb, smp_mb__after_atomic, spin_lock, spin_unlock,
};

use super::{
    ON_NO_LIST, Pool, Release, ZS_EMPTY, ZS_FULL, class_lock, create_pool, dec_zspage_isolation,
    free_zspage, get_zspage, handle_to_page, inc_zspage_isolation, isolated, kick_deferred_free,
    lock_zspage_unguarded, obj_free, pool, replace_sub_page, reset_page, set_fullness,
    zs_flush_migration, zs_malloc,
};
use crate::mm::migrate::Errno;
use crate::mm::movable::{Driver, get_page, put_page};
use crate::sched::wait::{wait_event, wake_up_all};
use crate::{Folio, Kernel};

static R4_8: Release = Release {
    list_lock: class_lock,
    lock_zspage: lock_zspage_unguarded,
    unregister: zs_flush_migration,
};

static R5_3: Release = Release { unregister: zs_unregister_migration, ..R4_8 };

/// 4.8 to 4.13.
pub static V4_8: Driver = Driver {
    name: "zsmalloc v4.8",
    new: |_| create_pool(&R4_8),
    isolate_page: |k, page| zs_page_isolate(k, page, |_| {}),
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, &FREES_4_8),
    putback_page: |k, page| zs_page_putback(k, page, &FREES_4_8),
    alloc: zs_malloc,
    free: |k| zs_free(k),
    access: |_| {},
};

/// 4.14 to 5.2 (77ff465799c6).
pub static V4_14: Driver = Driver {
    name: "zsmalloc v4.14",
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, &FREES_4_14),
    ..V4_8
};

/// 5.3 to 5.15 (1a87aa03597e, 701d678599d0).
pub static V5_3: Driver = Driver {
    name: "zsmalloc v5.3",
    new: |_| create_pool(&R5_3),
    isolate_page: |k, page| zs_page_isolate(k, page, |pool| atomic_inc(&pool.isolated_pages)),
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, &FREES_5_3),
    putback_page: |k, page| zs_page_putback(k, page, &FREES_5_3),
    ..V4_14
};

/// 5.16 (afe8605ca454).
pub static V5_16: Driver = Driver {
    name: "zsmalloc v5.16",
    migrate_page: |k, newpage, page, _| zs_page_migrate(k, newpage, page, &FREES_5_16),
    putback_page: |k, page| zs_page_putback(k, page, &FREES_5_16),
    ..V5_3
};

/// What happens when the last isolated page of a zspage has been moved or put back.
struct Frees {
    /// Does an empty zspage migrate?
    empty_moves: bool,
    /// Is `free_work` told of a zspage that is empty when a migration returns it?
    after_move: bool,
    /// `zs_pool_dec_isolated()`
    dec_isolated: fn(&Kernel, &Pool),
}

static FREES_4_8: Frees = Frees { empty_moves: false, after_move: false, dec_isolated: |_, _| {} };
static FREES_4_14: Frees = Frees { empty_moves: true, ..FREES_4_8 };
static FREES_5_3: Frees =
    Frees { empty_moves: true, after_move: true, dec_isolated: zs_pool_dec_isolated };
static FREES_5_16: Frees = Frees { dec_isolated: zs_pool_dec_isolated_5_16, ..FREES_5_3 };

/// `zs_free()` of the last object: `zspage->lock` is a reader's, and goes before `class->lock`.
fn zs_free(k: &Kernel) {
    let _in = enter("zs_free");
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, &pool.zspage_lock);
    spin_lock(&k.cpus, &pool.class_lock);
    obj_free(pool, handle_to_page(k, pool));
    // fix_fullness_group(): what is isolated is on no list.
    let is_isolated = isolated(pool) != 0;
    if !is_isolated {
        plain_write(&pool.list, ZS_EMPTY);
    }
    set_fullness(pool, ZS_EMPTY);
    spin_unlock(&k.cpus, &pool.zspage_lock);
    if is_isolated {
        reached("an isolated zspage became empty");
    } else {
        free_zspage(k, pool);
    }
    spin_unlock(&k.cpus, &pool.class_lock);
}

/// `zs_page_isolate()`: page locked. An empty zspage is let be.
fn zs_page_isolate(k: &Kernel, page: &Folio, count: fn(&Pool)) -> bool {
    let _in = enter("zs_page_isolate");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, &pool.class_lock);
    let isolated = isolated(pool);
    let is_listed = plain_read(&pool.list) != ON_NO_LIST;
    let may = plain_read(&pool.inuse) != 0 && (is_listed || isolated != 0);
    if may {
        if is_listed && isolated == 0 {
            count(pool);
            // remove_zspage()
            plain_write(&pool.list, ON_NO_LIST);
        }
        inc_zspage_isolation(pool);
    }
    spin_unlock(&k.cpus, &pool.class_lock);
    may
}

/// `zs_page_migrate()`: both pages locked.
fn zs_page_migrate(k: &Kernel, newpage: &Folio, page: &Folio, frees: &Frees) -> Result<(), Errno> {
    let _in = enter("zs_page_migrate");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, &pool.zspage_lock);
    spin_lock(&k.cpus, &pool.class_lock);
    let moves = frees.empty_moves || plain_read(&pool.inuse) != 0;
    if moves {
        replace_sub_page(k, pool, newpage, page);
        get_page(newpage);
        if dec_zspage_isolation(pool) {
            putback_zspage(k, pool, frees.after_move);
            (frees.dec_isolated)(k, pool);
        }
        reset_page(k, pool, page);
        put_page(k, page);
    }
    pool.alive();
    spin_unlock(&k.cpus, &pool.class_lock);
    spin_unlock(&k.cpus, &pool.zspage_lock);
    if moves { Ok(()) } else { Err(Errno::Busy) }
}

/// `zs_page_putback()`: page locked.
fn zs_page_putback(k: &Kernel, page: &Folio, frees: &Frees) {
    let _in = enter("zs_page_putback");
    let pool = pool(k);
    pool.alive();
    get_zspage(pool, page);
    spin_lock(&k.cpus, &pool.class_lock);
    if dec_zspage_isolation(pool) {
        // The page is locked, so that it cannot be freed here.
        putback_zspage(k, pool, true);
        (frees.dec_isolated)(k, pool);
    }
    pool.alive();
    spin_unlock(&k.cpus, &pool.class_lock);
}

/// `putback_zspage()`; `putback_zspage_deferred()` if `free_work` is told.
fn putback_zspage(k: &Kernel, pool: &Pool, tells: bool) {
    let is_empty = plain_read(&pool.inuse) == 0;
    let fullness = if is_empty { ZS_EMPTY } else { ZS_FULL };
    plain_write(&pool.list, fullness);
    set_fullness(pool, fullness);
    if is_empty && tells {
        kick_deferred_free(k, pool);
    }
}

/// 5.3: `zs_pool_dec_isolated()`. `atomic_long_dec()` orders nothing.
fn zs_pool_dec_isolated(k: &Kernel, pool: &Pool) {
    let _in = enter("zs_pool_dec_isolated");
    kernel_assert(atomic_read(&pool.isolated_pages) > 0, "isolated_pages is too low");
    atomic_dec(&pool.isolated_pages);
    pool.alive();
    if atomic_read(&pool.isolated_pages) == 0 && plain_read(&pool.destroying) != 0 {
        wake_up_all(k, &pool.migration_wait);
    }
}

/// 5.16: the same, with a barrier after the decrement.
fn zs_pool_dec_isolated_5_16(k: &Kernel, pool: &Pool) {
    let _in = enter("zs_pool_dec_isolated");
    kernel_assert(atomic_read(&pool.isolated_pages) > 0, "isolated_pages is too low");
    atomic_dec(&pool.isolated_pages);
    smp_mb__after_atomic();
    pool.alive();
    if atomic_read(&pool.isolated_pages) == 0 && plain_read(&pool.destroying) != 0 {
        wake_up_all(k, &pool.migration_wait);
    }
}

/// 5.3 to 5.16: `zs_unregister_migration()`.
fn zs_unregister_migration(k: &Kernel, pool: &Pool) {
    let _in = enter("zs_unregister_migration");
    plain_write(&pool.destroying, 1);
    smp_mb();
    // wait_for_isolated_drain()
    wait_event(k, &pool.migration_wait, || atomic_read(&pool.isolated_pages) == 0);
    flush_work(&k.cpus, &pool.free_work);
}
