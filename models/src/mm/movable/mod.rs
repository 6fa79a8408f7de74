//! Pages that their driver has made movable: balloons, zsmalloc, and whoever wrote the same three
//! callbacks. (`PageMobile` as posted in 2015, `PageMovable` since 4.8, `movable_operations` since
//! 6.0.)
//!
//! | file         | what                                                                       |
//! |--------------|----------------------------------------------------------------------------|
//! | `mod.rs`     | what differs between trees; what a driver is; `page->lru`, allocation       |
//! | `rules.rs`   | Mel Gorman's objections of 2015, as rules                                  |
//! | `posted.rs`  | 4.2, where only balloon pages moved; the series of July 2015               |
//! | `proposed.rs`| what Mel Gorman proposed in answer to it                                   |
//! | `merged.rs`  | 4.8 to 6.12                                                                |
//! | `compact.rs` | the caller: compaction, and the part of migration that is about such pages |
//! | `others.rs`  | who may have the page next                                                 |
//!
//! A page is a [`Folio`] of the kernel that nobody else uses: it begins free
//! ([`crate::Initial::absent`]), and its driver allocates it. `page->mapping` is [`NO_MAPPING`], or
//! [`DRIVER_OPS`] with a type in its low two bits; the type of a page without a mapping of its own
//! was a magic value of `_mapcount` until 4.7.
//! Left out: zones, the free scanner (the target is the spare page), statistics, large folios.
//! Source: mm/migrate.c, mm/compaction.c and include/linux/migrate.h of 6.1.192 and 6.12.117; the
//! series of 2015-07-13 as quoted in Mel Gorman's review.

#![allow(non_snake_case, reason = "the kernel's own names")]

use std::any::Any;

use selvedge_kernel::{
    Bit, Cpus, Name, atomic_set, booked, enter, kernel_assert, plain_read, plain_write,
};

use crate::kernel::NOT_LINKED;
use crate::mm::migrate::{Errno, Migrator};
use crate::mm::swap::{folio_get, folio_put};
use crate::{Folio, Kernel, Tree};

mod compact;
mod merged;
mod others;
mod posted;
mod proposed;
mod rules;

pub use compact::*;
pub use merged::*;
pub use others::*;
pub use posted::*;
pub use proposed::*;
pub use rules::*;

/// `PG_isolated`, an alias of `PG_reclaim`: a movable page that compaction has taken.
pub const PG_ISOLATED: Bit = Bit { nr: 18, name: "PG_isolated" };
/// `PG_slab`. In 6.12 it is a value of `page->page_type`, not a bit of `page->flags`; the order in
/// which it and `mapping` are written and read is the same.
pub const PG_SLAB: Bit = Bit { nr: 9, name: "PG_slab" };

/// `page->mapping` of a page that is nobody's.
pub const NO_MAPPING: u64 = 0;
/// Where the driver's operations are: what `page->mapping` of its pages points to, without the
/// type.
pub const DRIVER_OPS: u64 = 4;
/// `PAGE_MAPPING_MOVABLE`, a value of the low bits of `page->mapping`.
pub const PAGE_MAPPING_MOVABLE: u64 = 2;
/// `PAGE_MAPPING_FLAGS`
pub const PAGE_MAPPING_FLAGS: u64 = 3;
/// `PAGE_MOBILE_MAPCOUNT_VALUE`, a value of `_mapcount`.
pub const PAGE_MOBILE: i64 = -255;
/// `PAGE_BALLOON_MAPCOUNT_VALUE`, likewise.
pub const PAGE_BALLOON: i64 = -256;

/// `page->lru` is on a list of its driver.
pub const ON_DRIVER_LIST: u64 = 3;
/// `page->lru` is on the list of a COMPACTOR, `cc->migratepages`.
pub const ON_MIGRATE_LIST: u64 = 4;

/// Who holds the reference of a movable page that its driver has.
pub const DRIVER: Name = Name::new("driver");

decisions! {
    /// What differs between trees.
    pub struct Movable of "movable pages", set by MovableChange {
        /// mm/migrate.c and mm/compaction.c
        core: &'static Core,
        /// mm/balloon_compaction.c and drivers/virtio/virtio_balloon.c
        balloon: &'static Driver,
        /// mm/zsmalloc.c
        zsmalloc: &'static Driver,
        /// A driver that is in no kernel.
        module: &'static Driver,
        /// mm/slab.h
        slab: SlabLayout,
    }
}

/// Which field of `struct slab` is where a page has its `mapping`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlabLayout {
    /// `slab_cache`, a pointer: nobody takes it for the mapping of a movable page.
    CacheAtMapping,
    /// `slab_list.prev` (130d4df57390, 6.2), which is `LIST_POISON2` when the slab is on no list:
    /// its bit 1 is set, as in the mapping of a movable page.
    ListAtMapping,
}

/// Which of the tree's drivers a scenario is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// [`Movable::balloon`]
    Balloon,
    /// [`Movable::zsmalloc`]
    Zsmalloc,
    /// [`Movable::module`]
    Module,
}

/// How the core tells a movable page, isolates it, moves it, and puts it back.
#[derive(Clone, Copy)]
pub struct Core {
    /// Its name in lists of what differs.
    pub name: &'static str,
    /// `__SetPageMovable()`, page locked.
    pub set_movable: fn(&Folio),
    /// `__ClearPageMovable()`, page locked.
    pub clear_movable: fn(&Folio),
    /// What `isolate_migratepages_block()` does about a page that is not on the LRU; `true` if it
    /// is isolated. Told whether `lru_lock` is held, and says so.
    pub isolate_non_lru: fn(&Kernel, &Folio, &mut bool) -> bool,
    /// What `putback_movable_pages()` takes for a page of a driver.
    pub is_movable: fn(&Folio) -> bool,
    /// What it does with one; may sleep.
    pub putback: fn(&Kernel, &Folio),
    /// What `unmap_and_move()` does with an isolated page that has been freed meanwhile.
    pub freed_under_us: fn(&Kernel, &Folio),
    /// What `unmap_and_move()` does with the new page and the old one after the move, successful or
    /// not: told the new one first.
    pub after_move: fn(&Kernel, &Folio, &Folio, Result<(), Errno>),
    /// `move_to_new_page()` of a movable page, both locked.
    pub move_to_new_page: fn(&Kernel, &Folio, &Folio, Migrator) -> Result<(), Errno>,
}

/// A driver: the three callbacks, and what it does with its pages by itself.
#[derive(Clone, Copy)]
pub struct Driver {
    /// Its name.
    pub name: &'static str,
    /// Its variables, before it has any page.
    pub new: fn(&Cpus) -> Box<dyn State>,
    /// `isolate_page()`, page locked (but for [`LRU_AS_MOBILE`]): the core may have `page->lru`.
    pub isolate_page: fn(&Kernel, &Folio) -> bool,
    /// `migrate_page(newpage, page, mode)`, both locked, `page` isolated.
    pub migrate_page: fn(&Kernel, &Folio, &Folio, Migrator) -> Result<(), Errno>,
    /// `putback_page()`, page locked (but for [`LRU_AS_MOBILE`]): the driver has `page->lru` again.
    pub putback_page: fn(&Kernel, &Folio),
    /// Makes a new page its own. The page has one reference, which is the driver's.
    pub alloc: fn(&Kernel, &Folio),
    /// Gives up what it keeps in its (oldest) page, and with it the page. May sleep.
    pub free: fn(&Kernel),
    /// Changes what it keeps there by [`update`]. May sleep.
    pub access: fn(&Kernel),
}

/// The variables of a driver.
pub trait State: Any + Send + Sync {
    /// Where what it keeps is now: the index of a page, for a check's eyes only.
    fn place(&self) -> Option<usize>;
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Role {
    /// Asked by [`Owner::new`] only: without a driver on its machine a scenario calls none. The
    /// command's cache of verdicts counts on it.
    fn of(self, tree: &Tree) -> &'static Driver {
        match self {
            Role::Balloon => tree.movable.balloon(),
            Role::Zsmalloc => tree.movable.zsmalloc(),
            Role::Module => tree.movable.module(),
        }
    }
}

/// The driver of a scenario, with its variables.
pub struct Owner {
    /// The driver.
    pub driver: &'static Driver,
    state: Box<dyn State>,
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.driver.fmt(f)
    }
}

impl Owner {
    /// That driver of the tree, without pages. To be made while the scenario is set up.
    pub(crate) fn new(tree: &Tree, cpus: &Cpus, role: Role) -> Owner {
        let driver = role.of(tree);
        Owner { driver, state: (driver.new)(cpus) }
    }

    /// Where what the driver keeps is now, for a check's eyes only.
    pub fn place(&self) -> Option<usize> {
        self.state.place()
    }
}

/// The driver of the scenario.
///
/// # Panics
/// If the scenario has none: a scenario's mistake.
pub fn owner(k: &Kernel) -> &Owner {
    k.owner.as_ref().expect("the scenario names a driver: Machine::driver")
}

/// The variables of the scenario's driver, which is the one that they were made by.
///
/// # Panics
/// If it is another one: a model's mistake.
pub fn state<S: State>(k: &Kernel) -> &S {
    let state: &dyn Any = owner(k).state.as_ref();
    state.downcast_ref().expect("a driver asks for its own variables")
}

/// `alloc_page()` of a page that is free: one reference, of this holder, and no trace of who had it
/// before (`free_pages_prepare()` and `prep_new_page()`; nobody can reach the page in between).
/// Its flags are left as they are: no page that is allocated anew had any set.
pub fn alloc_page(k: &Kernel, page: &Folio, holder: Name) {
    let _in = enter("alloc_page");
    k.with_zone_lock(|| {
        kernel_assert(plain_read(&page.freed) == 1, "a page is allocated twice");
        if k.zone_lock.is_none() {
            plain_write(&page.mapping, NO_MAPPING);
        }
        plain_write(&page.freed, 0);
    });
    atomic_set(&page.refcount, 1);
    booked(&page.refcount, holder);
}

/// `get_page()` by the driver.
pub fn get_page(page: &Folio) {
    folio_get(page, DRIVER);
}

/// `put_page()` by the driver.
pub fn put_page(k: &Kernel, page: &Folio) {
    folio_put(k, page, DRIVER);
}

/// `__SetPageMovable(page, ops)`, page locked.
pub fn __SetPageMovable(k: &Kernel, page: &Folio) {
    (k.tree.movable.core().set_movable)(page);
}

/// `__ClearPageMovable(page)`, page locked.
pub fn __ClearPageMovable(k: &Kernel, page: &Folio) {
    (k.tree.movable.core().clear_movable)(page);
}

/// `list_add(&page->lru, list)`: of a page that is on a list it corrupts that one.
pub fn list_add(page: &Folio, list: u64) {
    kernel_assert(
        plain_read(&page.linked) == NOT_LINKED,
        "list_add corruption: page->lru is on a list",
    );
    plain_write(&page.linked, list);
}

/// `list_del(&page->lru)`, from the list that the caller takes it to be on.
pub fn list_del(page: &Folio, list: u64) {
    kernel_assert(plain_read(&page.linked) == list, "list_del corruption: page->lru is elsewhere");
    plain_write(&page.linked, NOT_LINKED);
}

/// What a driver keeps in a page is one word. Changes it: reads it, and stores one more.
pub fn update(page: &Folio) {
    let seen = touched(page);
    plain_write(&page.contents, seen + 1);
}

/// `copy_page(to, from)`.
pub fn copy_page(to: &Folio, from: &Folio) {
    plain_write(&to.contents, touched(from));
}

/// Reads what is in the page; nobody has any business in a page that is free.
fn touched(page: &Folio) -> u64 {
    if plain_read(&page.freed) != 0 {
        let message = format!("page{} is accessed, and has been freed", page.index);
        selvedge_kernel::fail_about(M3, message, page.freed.object());
    }
    plain_read(&page.contents)
}
