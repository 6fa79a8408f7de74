//! The driver to be copied, with one mistake each: what a driver may get wrong where the core is
//! right. Which rows of `proofs/src/claims/movable_page/driver.rs` each of them breaks is said
//! there.

use selvedge_kernel::{__set_bit, enter, plain_read, plain_write, set_bit, spin_lock, spin_unlock};

use crate::drivers::minimal::{DRIVER, Device};
use crate::kernel::PG_PRIVATE;
use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock, folio_wait_locked};
use crate::mm::movable::{
    __ClearPageMovable, __SetPageMovable, Driver, NO_MAPPING, ON_DRIVER_LIST, PG_ISOLATED,
    get_page, list_add, list_del, put_page, state, update,
};
use crate::{Folio, Kernel};

/// Looks up where the thing is under its lock, and changes it without: the example of
/// docs/movable-driver.md.
pub static ACCESSES_UNLOCKED: Driver = Driver {
    name: "accesses unlocked",
    access: |k| {
        let device: &Device = state(k);
        spin_lock(&k.cpus, &device.lock);
        let page = (plain_read(&device.page) as usize).checked_sub(1);
        spin_unlock(&k.cpus, &device.lock);
        if let Some(index) = page {
            update(&k.folios[index]);
        }
    },
    ..DRIVER
};

/// Says yes to an isolation, and leaves the page on its list.
pub static STAYS_LISTED: Driver =
    Driver { name: "stays listed", isolate_page: |_, _| true, ..DRIVER };

/// Takes the page lock in a callback, which is called with it.
pub static LOCKS_IN_CALLBACK: Driver = Driver {
    name: "locks in a callback",
    putback_page: |k, page| {
        folio_lock(k, page);
        (DRIVER.putback_page)(k, page);
        folio_unlock(k, page);
    },
    ..DRIVER
};

/// Changes a flag of the page without an atomic operation: it has the page lock.
pub static PLAIN_FLAGS: Driver = Driver {
    name: "plain flags",
    putback_page: |k, page| {
        __set_bit(PG_PRIVATE, &page.flags);
        (DRIVER.putback_page)(k, page);
    },
    ..DRIVER
};

/// Stores NULL in `page->mapping` where `__ClearPageMovable()` would leave the type.
pub static CLEARS_TYPE: Driver = Driver {
    name: "clears the type",
    free: |k| {
        free(k, |k, page| {
            plain_write(&page.mapping, NO_MAPPING);
            folio_unlock(k, page);
            put_page(k, page);
        });
    },
    ..DRIVER
};

/// Takes a page back, and does not put it on its list.
pub static FORGETS_PUTBACK: Driver =
    Driver { name: "forgets to put back", putback_page: |_, _| {}, ..DRIVER };

/// Marks a new page without its lock.
pub static SETS_UNLOCKED: Driver = Driver {
    name: "sets the type unlocked",
    alloc: |k, page| {
        let device: &Device = state(k);
        spin_lock(&k.cpus, &device.lock);
        __SetPageMovable(k, page);
        list_add(page, ON_DRIVER_LIST);
        plain_write(&device.listed, 1);
        plain_write(&device.page, page.index as u64 + 1);
        spin_unlock(&k.cpus, &device.lock);
    },
    ..DRIVER
};

/// Clears the type once it has unlocked its page.
pub static CLEARS_UNLOCKED: Driver = Driver {
    name: "clears the type unlocked",
    free: |k| {
        free(k, |k, page| {
            folio_unlock(k, page);
            __ClearPageMovable(k, page);
            put_page(k, page);
        });
    },
    ..DRIVER
};

/// Clears the type of a page that has moved, and once more in the end.
pub static CLEARS_TWICE: Driver = Driver {
    name: "clears the type twice",
    migrate_page: |k, new, old, who| {
        get_page(old);
        (DRIVER.migrate_page)(k, new, old, who)?;
        __ClearPageMovable(k, old);
        put_page(k, old);
        Ok(())
    },
    ..DRIVER
};

/// Sets PG_isolated, which is the core's.
pub static SETS_ISOLATED: Driver = Driver {
    name: "sets PG_isolated",
    isolate_page: |k, page| {
        set_bit(PG_ISOLATED, &page.flags);
        (DRIVER.isolate_page)(k, page)
    },
    ..DRIVER
};

/// Never gives its reference back.
pub static LEAKS: Driver = Driver {
    name: "leaks",
    free: |k| {
        free(k, |k, page| {
            __ClearPageMovable(k, page);
            folio_unlock(k, page);
        });
    },
    ..DRIVER
};

/// Gives it back twice.
pub static PUTS_TWICE: Driver = Driver {
    name: "puts twice",
    free: |k| {
        free(k, |k, page| {
            __ClearPageMovable(k, page);
            folio_unlock(k, page);
            put_page(k, page);
            put_page(k, page);
        });
    },
    ..DRIVER
};

/// Gives it back before it unlocks the page.
pub static PUTS_FIRST: Driver = Driver {
    name: "puts first",
    free: |k| {
        free(k, |k, page| {
            __ClearPageMovable(k, page);
            put_page(k, page);
            folio_unlock(k, page);
        });
    },
    ..DRIVER
};

/// Frees as the driver to be copied does; `release` is what it does about the page at last, which
/// is locked.
fn free(k: &Kernel, release: fn(&Kernel, &Folio)) {
    let _in = enter("release");
    let device: &Device = state(k);
    loop {
        spin_lock(&k.cpus, &device.lock);
        let Some(index) = (plain_read(&device.page) as usize).checked_sub(1) else {
            return spin_unlock(&k.cpus, &device.lock);
        };
        let page = &k.folios[index];
        if folio_trylock(page) {
            plain_write(&device.page, 0);
            if plain_read(&device.listed) != 0 {
                list_del(page, ON_DRIVER_LIST);
                plain_write(&device.listed, 0);
            }
            spin_unlock(&k.cpus, &device.lock);
            return release(k, page);
        }
        get_page(page);
        spin_unlock(&k.cpus, &device.lock);
        folio_wait_locked(k, page);
        put_page(k, page);
    }
}
