//! Drivers of movable pages with a mistake: kernel-lru E, the mutants of its table.

use selvedge_kernel::{
    Cpus, Mutex, Name, Var, enter, mutex_lock, mutex_unlock, plain_read, plain_write, spin_lock,
    spin_lock_irqsave, spin_unlock, spin_unlock_irqrestore, test_bit,
};

use crate::drivers::minimal;
use crate::kernel::PG_PRIVATE;
use crate::mm::balloon_compaction::{self as balloon, Balloon, count_isolated};
use crate::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use crate::mm::migrate::Errno;
use crate::mm::movable::{
    __ClearPageMovable, __SetPageMovable, Core, Driver, OWN_LOCKS, State, V6_2, copy_page,
    get_page, put_page, state, update,
};
use crate::mm::zsmalloc;
use crate::{Folio, Kernel};

/// A driver whose page is on no list, and that marks nothing. Its lock is a mutex.
struct Plain {
    lock: Mutex,
    page: Var,
}

impl State for Plain {
    fn place(&self) -> Option<usize> {
        (self.page.peek() as usize).checked_sub(1)
    }
}

fn plain(_: &Cpus) -> Box<dyn State> {
    Box::new(Plain {
        lock: Mutex::new(Name::new("device->mutex")),
        page: Var::new(Name::new("device->page"), 0),
    })
}

fn adopt(k: &Kernel, page: &Folio) {
    let device: &Plain = state(k);
    plain_write(&device.page, page.index as u64 + 1);
    __SetPageMovable(k, page);
}

/// E1: says yes to whoever wants to isolate the page.
pub static WITHOUT_FLAG: Driver = Driver {
    name: "without flag",
    new: plain,
    isolate_page: |_, _| true,
    migrate_page: |k, new, old, _| {
        copy_page(new, old);
        get_page(new);
        adopt(k, new);
        __ClearPageMovable(k, old);
        put_page(k, old);
        Ok(())
    },
    putback_page: |_, _| {},
    alloc: |k, page| {
        assert!(folio_trylock(page), "nobody else knows the page");
        adopt(k, page);
        folio_unlock(k, page);
    },
    free: |_| {},
    access: |_| {},
};

/// Its page cannot be moved: a permanent error, as zsmalloc 4.8 has of an empty zspage.
pub static FAILS_FOR_GOOD: Driver = Driver {
    name: "fails for good",
    migrate_page: |_, _, _, _| Err(Errno::Busy),
    ..minimal::DRIVER
};

/// The same, with locks of its own.
pub static FAILS_FOR_GOOD_OWN_LOCKS: Driver = Driver {
    name: "fails for good, own locks",
    migrate_page: FAILS_FOR_GOOD.migrate_page,
    ..OWN_LOCKS
};

/// E12: `isolate_page()` takes a mutex. Not wrong, where the interface lets it sleep.
pub static SLEEPS: Driver = Driver {
    name: "sleeps",
    isolate_page: |k, _| {
        let device: &Plain = state(k);
        mutex_lock(&k.cpus, &device.lock);
        mutex_unlock(&device.lock);
        true
    },
    ..WITHOUT_FLAG
};

/// E4: clears the type and puts the page without its lock.
pub static RELEASES_UNLOCKED: Driver = Driver {
    name: "releases unlocked",
    free: |k| {
        let _in = enter("release");
        let device: &Plain = state(k);
        let Some(index) = (plain_read(&device.page) as usize).checked_sub(1) else { return };
        __ClearPageMovable(k, &k.folios[index]);
        put_page(k, &k.folios[index]);
    },
    ..WITHOUT_FLAG
};

/// E11: takes the page lock, and waits for it, under its own lock.
pub static LOCKS_BLOCKING: Driver = Driver {
    name: "locks blocking",
    free: |k| {
        let _in = enter("release");
        let device: &Plain = state(k);
        mutex_lock(&k.cpus, &device.lock);
        if let Some(index) = (plain_read(&device.page) as usize).checked_sub(1) {
            let page = &k.folios[index];
            folio_lock(k, page);
            plain_write(&device.page, 0);
            __ClearPageMovable(k, page);
            folio_unlock(k, page);
            put_page(k, page);
        }
        mutex_unlock(&device.lock);
    },
    migrate_page: |k, new, old, who| {
        let device: &Plain = state(k);
        mutex_lock(&k.cpus, &device.lock);
        let moved = (WITHOUT_FLAG.migrate_page)(k, new, old, who);
        mutex_unlock(&device.lock);
        moved
    },
    ..SLEEPS
};

/// The list of a balloon, under a mutex.
struct Sleepy {
    lock: Mutex,
    balloon: Box<dyn State>,
}

impl State for Sleepy {
    fn place(&self) -> Option<usize> {
        self.balloon.place()
    }
}

impl Sleepy {
    /// Does this to the list, under the mutex.
    fn locked<R>(k: &Kernel, what: impl FnOnce(&Balloon) -> R) -> R {
        let sleepy: &Sleepy = state(k);
        mutex_lock(&k.cpus, &sleepy.lock);
        let balloon: &dyn std::any::Any = sleepy.balloon.as_ref();
        let done = what(balloon.downcast_ref().expect("it was made by the balloon"));
        mutex_unlock(&sleepy.lock);
        done
    }
}

/// E11 of a balloon, whose lock is a mutex: a dequeue that waits for the page lock under it, where
/// the balloon goes on to the next page.
pub static DEQUEUE_WAITS: Driver = Driver {
    name: "balloon whose dequeue waits",
    new: |cpus| {
        let lock = Mutex::new(Name::new("pages_mutex"));
        Box::new(Sleepy { lock, balloon: (balloon::V4_8.new)(cpus) })
    },
    isolate_page: |k, page| {
        let _in = enter("balloon_page_isolate");
        Sleepy::locked(k, |balloon| {
            balloon.del(page);
            count_isolated(balloon, 1);
        });
        true
    },
    migrate_page: |_, _, _, _| Err(Errno::Again),
    putback_page: |k, page| {
        let _in = enter("balloon_page_putback");
        Sleepy::locked(k, |balloon| {
            balloon.add(page);
            count_isolated(balloon, u64::MAX);
        });
    },
    alloc: |k, page| {
        assert!(folio_trylock(page), "nobody else knows the page");
        __SetPageMovable(k, page);
        Sleepy::locked(k, |balloon| balloon.add(page));
        folio_unlock(k, page);
    },
    free: |k| {
        let _in = enter("balloon_page_dequeue");
        let dequeued = Sleepy::locked(k, |balloon| {
            let page = &k.folios[balloon.place()?];
            folio_lock(k, page);
            balloon.del(page);
            __ClearPageMovable(k, page);
            folio_unlock(k, page);
            Some(page)
        });
        if let Some(page) = dequeued {
            put_page(k, page);
        }
    },
    access: |_| {},
};

/// E12: `lru_lock` stays held, if it is, as up to 4.7.
pub static KEEPS_LRU_LOCK: Core = Core {
    name: "keeps lru_lock",
    isolate_non_lru: |k, page, _| (V6_2.isolate_non_lru)(k, page, &mut false),
    ..V6_2
};

/// E14: a balloon of 4.2 that lets its page go whether it is isolated or not.
pub static RELEASES_ISOLATED: Driver = Driver {
    name: "balloon v4.2 that releases isolated pages",
    free: |k| {
        let _in = enter("release");
        let (device, page): (&Balloon, _) = (state(k), &k.folios[0]);
        folio_lock(k, page);
        if test_bit(PG_PRIVATE, &page.flags) {
            spin_lock_irqsave(&k.cpus, &device.pages_lock);
            device.del(page);
            spin_unlock_irqrestore(&k.cpus, &device.pages_lock);
        }
        __ClearPageMovable(k, page);
        folio_unlock(k, page);
        put_page(k, page);
    },
    ..balloon::V4_2
};

/// E10: looks the object up under the pool's lock, and changes it without `zspage->lock`.
pub static NO_ZSPAGE_LOCK: Driver = Driver {
    name: "zsmalloc without zspage->lock",
    access: |k| {
        let _in = enter("zs_map_object");
        let pool = zsmalloc::pool(k);
        spin_lock(&k.cpus, &pool.lock);
        let at = (plain_read(&pool.handle) as usize).checked_sub(1);
        spin_unlock(&k.cpus, &pool.lock);
        if let Some(index) = at {
            update(&k.folios[index]);
        }
    },
    ..zsmalloc::V6_12
};

/// E15: the count of isolated pages is changed before `pages_lock` is taken for the list.
pub static COUNTS_UNLOCKED: Driver = Driver {
    name: "balloon that counts unlocked",
    putback_page: |k, page| {
        let _in = enter("balloon_page_putback");
        let device: &Balloon = state(k);
        count_isolated(device, u64::MAX);
        spin_lock_irqsave(&k.cpus, &device.pages_lock);
        device.add(page);
        spin_unlock_irqrestore(&k.cpus, &device.pages_lock);
    },
    ..balloon::V4_8
};
