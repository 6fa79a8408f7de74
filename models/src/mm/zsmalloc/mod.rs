//! zsmalloc: a pool of zspages, each a chain of pages that holds objects.
//!
//! | file          | what                                                                     |
//! |---------------|--------------------------------------------------------------------------|
//! | `mod.rs`      | the pool; freeing a zspage, at once or by `free_work`; what differs       |
//! | `isolated.rs` | 4.8 to 5.16: a zspage with isolated pages is on no list; `zs_destroy_pool()` |
//! | `current.rs`  | 5.17 to 6.12: PG_isolated is enough; the locks of 5.17, 6.2 and 6.12      |
//!
//! Kept: one zspage with all its pages, its list, the count of objects; its fullness and the count
//! of its isolated pages, which are bit-fields of one word; which lock protects what, in their
//! order; what is freed when; the walks of the chain.
//! Scaled: one class, one zspage, one object, in the first page. The reader-writer locks are
//! spinlocks: readers never meet in the scenarios but for `lock_zspage()`, which then waits for an
//! accessor.
//! Left out: assertions that only say again what the core asserts (PageIsolated); the handle's pin
//! bit of 4.8 to 5.16, and with it accesses there; statistics; shrinker.
//! Source: mm/zsmalloc.c of 6.1.192 and 6.12.117; 4.9.y with 701d678599d0 for the older ones; the
//! postings of 77ff465799c6, 1a87aa03597e, 701d678599d0, afe8605ca454, c4549b871102, 2505a981114d,
//! 4b5d1e47b694.

use selvedge_kernel::{
    Atomic, INIT_WORK, Name, Rule, SpinLock, Var, Work, enter, fail_about, flush_work,
    kernel_assert, plain_read, plain_write, queue_work_on, reached, smp_processor_id, spin_lock,
    spin_unlock,
};

use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock, folio_wait_locked};
use crate::mm::movable::{
    __ClearPageMovable, __SetPageMovable, State, copy_page, get_page, put_page, state,
};
use crate::sched::wait::WaitQueueHead;
use crate::{Folio, Kernel};

mod current;
mod isolated;

pub use current::*;
pub use isolated::*;

/// kernel-lru E5: what `zs_destroy_pool()` waits for.
pub const A_POOL_IS_USED_WHILE_IT_LIVES: Rule = Rule("a pool is used only until it is freed");
/// kernel-lru E6.
pub const AN_EMPTY_ZSPAGE_IS_FREED: Rule = Rule("an empty zspage is freed in the end");
/// kernel-lru E7: what the walk of `lock_zspage()` has to be careful about.
pub const A_WALK_STAYS_IN_ITS_ZSPAGE: Rule =
    Rule("a walk of a zspage's pages meets pages of that zspage only");

/// `zspage->list` is empty.
pub const ON_NO_LIST: u64 = 0;
/// Full: of `zspage->fullness`, and of the list that the zspage is on.
pub const ZS_FULL: u64 = 1;
/// Empty, likewise.
pub const ZS_EMPTY: u64 = 2;

/// The bits of `zspage->fullness` in the word that it shares with `zspage->isolated`.
const FULLNESS: u64 = 3;
/// One isolated page, in that word.
const ONE_ISOLATED: u64 = 4;

/// Pages that a scenario may have, spares and all.
const PAGES: usize = 4;

/// The words in which the releases differ, but for the callbacks.
pub struct Release {
    /// Which lock the lists are under: `class->lock`, or `pool->lock` (6.2 to 6.11).
    pub list_lock: fn(&Pool) -> &SpinLock,
    /// `lock_zspage()`
    pub lock_zspage: fn(&Kernel, &Pool),
    /// What `zs_destroy_pool()` waits for before it frees the pool.
    pub unregister: fn(&Kernel, &Pool),
}

/// `struct zs_pool`, with its one class and the zspage.
pub struct Pool {
    release: &'static Release,
    /// `pool->migrate_lock` of 5.17 and 6.12, `pool->lock` of 6.2
    pub lock: SpinLock,
    /// `class->lock`
    pub class_lock: SpinLock,
    /// `zspage->lock`
    pub zspage_lock: SpinLock,
    /// Have the pool and its class been freed?
    freed: Var,
    /// `zspage->inuse`: its objects.
    pub inuse: Var,
    /// The word of `zspage->fullness` and `zspage->isolated`. Who changes one of them reads and
    /// writes both.
    bits: Var,
    /// The list that the zspage is on.
    pub list: Var,
    /// `zspage->first_page`, plus 1.
    first_page: Var,
    /// `page->index`: the next page of the zspage, plus 1.
    next: Vec<Var>,
    /// `page_private(page)`: the zspage, 1, or nothing.
    private: Vec<Var>,
    /// The object's handle: its page, plus 1.
    pub handle: Var,
    /// `pool->free_work`
    free_work: Work,
    /// 5.3 to 5.16: `pool->isolated_pages`
    isolated_pages: Atomic,
    /// 5.3 to 5.16: `pool->destroying`
    destroying: Var,
    /// 5.3 to 5.16: `pool->migration_wait`
    migration_wait: WaitQueueHead,
}

impl State for Pool {
    fn place(&self) -> Option<usize> {
        (self.handle.peek() as usize).checked_sub(1)
    }
}

/// `zs_create_pool()`.
fn create_pool(release: &'static Release) -> Box<dyn State> {
    let lock = |name| SpinLock::new(Name::new(name));
    let var = |name| Var::new(Name::new(name), 0);
    let each = |name: &'static str| {
        (0..PAGES).map(|page| Var::new(Name::new(name).nth(page), 0)).collect()
    };
    Box::new(Pool {
        release,
        lock: lock("pool->lock"),
        class_lock: lock("class->lock"),
        zspage_lock: lock("zspage->lock"),
        freed: var("pool->freed"),
        inuse: var("zspage->inuse"),
        bits: var("zspage->fullness, isolated"),
        list: var("zspage->list"),
        first_page: var("zspage->first_page"),
        next: each("page->index"),
        private: each("page->private"),
        handle: var("handle"),
        free_work: Work::new(Name::new("pool->free_work")),
        isolated_pages: Atomic::new(Name::new("pool->isolated_pages"), 0),
        destroying: var("pool->destroying"),
        migration_wait: WaitQueueHead::new("migration_wait.lock"),
    })
}

impl Pool {
    /// Something in the pool is about to be used.
    fn alive(&self) {
        if plain_read(&self.freed) != 0 {
            let message = "the pool is about to be used, and has been freed";
            fail_about(A_POOL_IS_USED_WHILE_IT_LIVES, message, self.freed.object());
        }
    }

    fn list_lock(&self) -> &SpinLock {
        (self.release.list_lock)(self)
    }
}

/// The pool of the scenario.
pub fn pool(k: &Kernel) -> &Pool {
    state(k)
}

/// `get_zspage(page)`, and that it is there.
fn get_zspage(pool: &Pool, page: &Folio) {
    if plain_read(&pool.private[page.index]) == 0 {
        let message = format!("page{} belongs to no zspage: a stale page->private", page.index);
        fail_about(A_WALK_STAYS_IN_ITS_ZSPAGE, message, pool.private[page.index].object());
    }
}

/// `zspage->fullness`
fn fullness(pool: &Pool) -> u64 {
    plain_read(&pool.bits) & FULLNESS
}

/// `set_zspage_mapping()`: a store to a bit-field.
fn set_fullness(pool: &Pool, fullness: u64) {
    let bits = plain_read(&pool.bits);
    plain_write(&pool.bits, bits & !FULLNESS | fullness);
}

/// `zspage->isolated`
fn isolated(pool: &Pool) -> u64 {
    plain_read(&pool.bits) / ONE_ISOLATED
}

/// `inc_zspage_isolation()`
fn inc_zspage_isolation(pool: &Pool) {
    let bits = plain_read(&pool.bits);
    plain_write(&pool.bits, bits + ONE_ISOLATED);
}

/// `dec_zspage_isolation()`: was that the last isolated page?
fn dec_zspage_isolation(pool: &Pool) -> bool {
    let bits = plain_read(&pool.bits);
    kernel_assert(bits >= ONE_ISOLATED, "zspage->isolated is 0, and a page of it was isolated");
    let bits = bits - ONE_ISOLATED;
    plain_write(&pool.bits, bits);
    bits < ONE_ISOLATED
}

fn page_of<'k>(k: &'k Kernel, link: &Var) -> Option<&'k Folio> {
    (plain_read(link) as usize).checked_sub(1).map(|index| &k.folios[index])
}

/// `handle_to_obj()`, `obj_to_page()`: where the object is.
fn handle_to_page<'k>(k: &'k Kernel, pool: &Pool) -> &'k Folio {
    page_of(k, &pool.handle).expect("the object has not been freed")
}

/// `get_first_page()`
fn get_first_page<'k>(k: &'k Kernel, pool: &Pool) -> &'k Folio {
    page_of(k, &pool.first_page).expect("a zspage has a page")
}

/// `get_next_page()`
fn get_next_page<'k>(k: &'k Kernel, pool: &Pool, page: &Folio) -> Option<&'k Folio> {
    get_zspage(pool, page);
    page_of(k, &pool.next[page.index])
}

/// The pages of the zspage, for who holds what keeps the chain as it is.
fn pages<'k>(k: &'k Kernel, pool: &Pool) -> Vec<&'k Folio> {
    let mut all = vec![get_first_page(k, pool)];
    while let Some(page) = get_next_page(k, pool, all[all.len() - 1]) {
        all.push(page);
    }
    all
}

/// `create_page_chain()`: each link is cleared before it is set anew.
fn create_page_chain(pool: &Pool, pages: &[&Folio]) {
    for (at, page) in pages.iter().enumerate() {
        plain_write(&pool.private[page.index], 1);
        plain_write(&pool.next[page.index], 0);
        let link = match at.checked_sub(1) {
            None => &pool.first_page,
            Some(before) => &pool.next[pages[before].index],
        };
        plain_write(link, page.index as u64 + 1);
    }
}

/// `replace_sub_page()`, and the object's handle: the part of `zs_page_migrate()` that is the same
/// in all releases. Both pages are locked.
fn replace_sub_page(k: &Kernel, pool: &Pool, newpage: &Folio, oldpage: &Folio) {
    copy_page(newpage, oldpage);
    if plain_read(&pool.handle) == oldpage.index as u64 + 1 {
        plain_write(&pool.handle, newpage.index as u64 + 1);
    }
    let swapped = pages(k, pool).into_iter();
    let swapped: Vec<&Folio> =
        swapped.map(|page| if page.index == oldpage.index { newpage } else { page }).collect();
    create_page_chain(pool, &swapped);
    __SetPageMovable(k, newpage);
}

/// `reset_page()`, page locked.
fn reset_page(k: &Kernel, pool: &Pool, page: &Folio) {
    __ClearPageMovable(k, page);
    plain_write(&pool.private[page.index], 0);
    plain_write(&pool.next[page.index], 0);
}

/// `zs_malloc()` of the one object, and of the zspage's pages: called for each page in turn, before
/// anybody else runs.
fn zs_malloc(k: &Kernel, page: &Folio) {
    let _in = enter("zs_malloc");
    let pool = pool(k);
    assert!(folio_trylock(page), "nobody else knows the page");
    let is_first = plain_read(&pool.first_page) == 0;
    let mut chain = if is_first { Vec::new() } else { pages(k, pool) };
    chain.push(page);
    create_page_chain(pool, &chain);
    if is_first {
        INIT_WORK(&pool.free_work, k.work_fn(async_free_zspage));
        plain_write(&pool.handle, page.index as u64 + 1);
        plain_write(&pool.inuse, 1);
        set_fullness(pool, ZS_FULL);
        plain_write(&pool.list, ZS_FULL);
    }
    __SetPageMovable(k, page);
    folio_unlock(k, page);
}

/// `obj_free()`: the last object goes, from this page. (Where it was, the page has a link of the
/// list of free objects then. Nobody allocates from a zspage here.)
fn obj_free(pool: &Pool, page: &Folio) {
    get_zspage(pool, page);
    plain_write(&pool.handle, 0);
    plain_write(&pool.inuse, 0);
}

/// `trylock_zspage()`: all of its pages, or none.
fn trylock_zspage(k: &Kernel, pool: &Pool) -> bool {
    let _in = enter("trylock_zspage");
    let all = pages(k, pool);
    let taken = all.iter().take_while(|page| folio_trylock(page)).count();
    if taken < all.len() {
        all[..taken].iter().for_each(|page| folio_unlock(k, page));
    }
    taken == all.len()
}

/// `free_zspage()`, the lock of the lists held: it cannot sleep, so that a locked page is left to
/// `free_work`.
fn free_zspage(k: &Kernel, pool: &Pool) {
    let _in = enter("free_zspage");
    kernel_assert(plain_read(&pool.list) != ON_NO_LIST, "VM_BUG_ON(list_empty(&zspage->list))");
    if !trylock_zspage(k, pool) {
        reached("a zspage is left to free_work");
        return kick_deferred_free(k, pool);
    }
    plain_write(&pool.list, ON_NO_LIST);
    __free_zspage(k, pool);
}

/// `__free_zspage()`: its pages are locked, and the lock of the lists is held.
fn __free_zspage(k: &Kernel, pool: &Pool) {
    let _in = enter("__free_zspage");
    pool.alive();
    kernel_assert(
        pool.list_lock().is_held_by_me(),
        "assert_spin_locked(): the lists' lock is free",
    );
    kernel_assert(plain_read(&pool.inuse) == 0, "VM_BUG_ON(get_zspage_inuse(zspage))");
    kernel_assert(fullness(pool) == ZS_EMPTY, "a zspage is freed whose fullness is not ZS_EMPTY");
    for page in pages(k, pool) {
        reset_page(k, pool, page);
        folio_unlock(k, page);
        put_page(k, page);
    }
    plain_write(&pool.first_page, 0);
    reached("a zspage was freed");
}

/// `kick_deferred_free()`: `schedule_work(&pool->free_work)`.
fn kick_deferred_free(k: &Kernel, pool: &Pool) {
    queue_work_on(&k.cpus, smp_processor_id(), &pool.free_work);
}

/// `async_free_zspage()`, the work function. The kworker is the last of the scenario's sleepers: on
/// its CPU another task may sleep.
pub fn async_free_zspage(k: &Kernel) {
    let _in = enter("async_free_zspage");
    k.is_sleeper(k.sleepers.len() - 1);
    let pool = pool(k);
    pool.alive();
    spin_lock(&k.cpus, pool.list_lock());
    let is_empty = plain_read(&pool.list) == ZS_EMPTY;
    if is_empty {
        plain_write(&pool.list, ON_NO_LIST);
    }
    spin_unlock(&k.cpus, pool.list_lock());
    if !is_empty {
        return;
    }
    (pool.release.lock_zspage)(k, pool);
    reached("free_work has locked a zspage");
    spin_lock(&k.cpus, pool.list_lock());
    __free_zspage(k, pool);
    spin_unlock(&k.cpus, pool.list_lock());
}

/// Up to 5.18: `lock_zspage()` locks each page and goes on to the next.
fn lock_zspage_unguarded(k: &Kernel, pool: &Pool) {
    let _in = enter("lock_zspage");
    let mut page = get_first_page(k, pool);
    loop {
        folio_lock(k, page);
        match get_next_page(k, pool, page) {
            Some(next) => page = next,
            None => return,
        }
    }
}

/// Since 5.19 (2505a981114d): looks at the chain under `zspage->lock`, which migration takes, and
/// waits for a locked page outside it.
fn lock_zspage(k: &Kernel, pool: &Pool) {
    let _in = enter("lock_zspage");
    let mut locked: Option<&Folio> = None;
    spin_lock(&k.cpus, &pool.zspage_lock);
    loop {
        let page = match locked {
            None => get_first_page(k, pool),
            Some(before) => match get_next_page(k, pool, before) {
                Some(page) => page,
                None => break,
            },
        };
        if folio_trylock(page) {
            locked = Some(page);
            continue;
        }
        get_page(page);
        spin_unlock(&k.cpus, &pool.zspage_lock);
        reached("lock_zspage() waited for a page");
        folio_wait_locked(k, page);
        put_page(k, page);
        spin_lock(&k.cpus, &pool.zspage_lock);
    }
    spin_unlock(&k.cpus, &pool.zspage_lock);
}

/// `zs_destroy_pool()`: all objects have been freed.
pub fn zs_destroy_pool(k: &Kernel) {
    let _in = enter("zs_destroy_pool");
    let pool = pool(k);
    (pool.release.unregister)(k, pool);
    plain_write(&pool.freed, 1);
}

/// `zs_flush_migration()`: what it has always waited for.
fn zs_flush_migration(k: &Kernel, pool: &Pool) {
    flush_work(&k.cpus, &pool.free_work);
}

/// For scenarios: the last object has been freed while a page was locked, and `free_work` has not
/// run yet.
pub fn left_to_free_work(k: &Kernel) {
    let pool = pool(k);
    obj_free(pool, handle_to_page(k, pool));
    set_fullness(pool, ZS_EMPTY);
    plain_write(&pool.list, ZS_EMPTY);
}

/// For scenarios, at the end: is there an empty zspage that nobody will free?
pub fn is_forgotten(k: &Kernel) -> bool {
    let pool = pool(k);
    pool.inuse.peek() == 0 && pool.first_page.peek() != 0
}

/// For scenarios, at the end: has the zspage been freed, and is on a list?
pub fn is_freed_and_listed(k: &Kernel) -> bool {
    let pool = pool(k);
    pool.first_page.peek() == 0 && pool.list.peek() != ON_NO_LIST
}

fn class_lock(pool: &Pool) -> &SpinLock {
    &pool.class_lock
}
