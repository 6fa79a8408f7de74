//! A driver that does it right, to be copied: it keeps one thing in one page, and lets compaction
//! move that page.
//!
//! Who may do what, and under which lock (docs/movable-driver.md says why):
//! - the page lock is taken by the core around each callback; the driver's lock goes inside it;
//! - `lock` protects where the thing is (`page`), what it is, and whether the page is on our list;
//! - who frees the page needs both locks, so it takes the page lock by trylock inside `lock`, and
//!   if that fails lets go of `lock` and waits.

use selvedge_kernel::{Cpus, Name, SpinLock, Var, plain_read, plain_write, spin_lock, spin_unlock};

use crate::mm::filemap::{folio_trylock, folio_unlock, folio_wait_locked};
use crate::mm::migrate::{Errno, Migrator};
use crate::mm::movable::{
    __ClearPageMovable, __SetPageMovable, Driver, ON_DRIVER_LIST, State, copy_page, get_page,
    list_add, list_del, put_page, state, update,
};
use crate::{Folio, Kernel};

/// The driver.
pub static DRIVER: Driver = Driver {
    name: "minimal",
    new,
    isolate_page,
    migrate_page,
    putback_page,
    alloc,
    free,
    access,
};

/// Its variables.
pub(crate) struct Device {
    /// The driver's lock: everything below.
    pub(crate) lock: SpinLock,
    /// Where the thing is: the page's index plus 1, or 0 if it is nowhere.
    pub(crate) page: Var,
    /// Is the page on the driver's list?
    pub(crate) listed: Var,
}

impl State for Device {
    fn place(&self) -> Option<usize> {
        (self.page.peek() as usize).checked_sub(1)
    }
}

fn new(_: &Cpus) -> Box<dyn State> {
    Box::new(Device {
        lock: SpinLock::new(Name::new("device->lock")),
        page: Var::new(Name::new("device->page"), 0),
        listed: Var::new(Name::new("device->listed"), 0),
    })
}

/// True only if the page was on our list; it is not any more, and `page->lru` is the core's.
fn isolate_page(k: &Kernel, page: &Folio) -> bool {
    let device: &Device = state(k);
    spin_lock(&k.cpus, &device.lock);
    let is_listed = plain_read(&device.listed) != 0;
    if is_listed {
        list_del(page, ON_DRIVER_LIST);
        plain_write(&device.listed, 0);
    }
    spin_unlock(&k.cpus, &device.lock);
    is_listed
}

/// Both pages are locked. Moves the thing, with accesses kept out, then lets the old page go.
fn migrate_page(k: &Kernel, new: &Folio, old: &Folio, _: Migrator) -> Result<(), Errno> {
    let device: &Device = state(k);
    spin_lock(&k.cpus, &device.lock);
    copy_page(new, old);
    get_page(new);
    __SetPageMovable(k, new);
    list_add(new, ON_DRIVER_LIST);
    plain_write(&device.listed, 1);
    plain_write(&device.page, new.index as u64 + 1);
    spin_unlock(&k.cpus, &device.lock);
    __ClearPageMovable(k, old);
    put_page(k, old);
    Ok(())
}

/// The page could not be moved: it is on our list again.
fn putback_page(k: &Kernel, page: &Folio) {
    let device: &Device = state(k);
    spin_lock(&k.cpus, &device.lock);
    list_add(page, ON_DRIVER_LIST);
    plain_write(&device.listed, 1);
    spin_unlock(&k.cpus, &device.lock);
}

/// A new page, whose one reference is ours. Nobody knows it yet, so that its lock is free.
fn alloc(k: &Kernel, page: &Folio) {
    let device: &Device = state(k);
    assert!(folio_trylock(page), "nobody else knows the page");
    spin_lock(&k.cpus, &device.lock);
    __SetPageMovable(k, page);
    list_add(page, ON_DRIVER_LIST);
    plain_write(&device.listed, 1);
    plain_write(&device.page, page.index as u64 + 1);
    spin_unlock(&k.cpus, &device.lock);
    folio_unlock(k, page);
}

/// Gives the thing up, and its page. The page may be isolated: then `page->lru` is not ours to
/// touch.
fn free(k: &Kernel) {
    let device: &Device = state(k);
    loop {
        spin_lock(&k.cpus, &device.lock);
        let Some(index) = (plain_read(&device.page) as usize).checked_sub(1) else {
            return spin_unlock(&k.cpus, &device.lock);
        };
        let page = &k.folios[index];
        if folio_trylock(page) {
            release(k, device, page);
            return;
        }
        // Somebody moves it or looks at it. The reference keeps it while we wait.
        get_page(page);
        spin_unlock(&k.cpus, &device.lock);
        folio_wait_locked(k, page);
        put_page(k, page);
    }
}

/// The page is locked, and the device too.
fn release(k: &Kernel, device: &Device, page: &Folio) {
    plain_write(&device.page, 0);
    if plain_read(&device.listed) != 0 {
        list_del(page, ON_DRIVER_LIST);
        plain_write(&device.listed, 0);
    }
    __ClearPageMovable(k, page);
    spin_unlock(&k.cpus, &device.lock);
    folio_unlock(k, page);
    put_page(k, page);
}

/// Changes the thing, wherever it is.
fn access(k: &Kernel) {
    let device: &Device = state(k);
    spin_lock(&k.cpus, &device.lock);
    if let Some(index) = (plain_read(&device.page) as usize).checked_sub(1) {
        update(&k.folios[index]);
    }
    spin_unlock(&k.cpus, &device.lock);
}
