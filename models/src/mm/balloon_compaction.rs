//! Balloon pages: the list of pages that the guest has given to its host.
//!
//! Kept: `pages_lock` inside the page lock; the walk of dequeue, which takes the page lock by
//! trylock inside `pages_lock`; the count of isolated pages, changed together with the list; the
//! look that ends in BUG; PagePrivate as "not isolated" up to 2015.
//! Left out: the host (nobody accesses a page in the balloon), the lists of several pages; the
//! balloon's own mutex, which `leak_balloon()` holds throughout and a migration takes by trylock:
//! no scenario has the two together.
//! A page that is dequeued in 4.2 loses its type and PagePrivate inside `pages_lock`, here after
//! it: its page lock is held over both.
//! Source: mm/balloon_compaction.c, drivers/virtio/virtio_balloon.c `virtballoon_migratepage()` of
//! 6.1.192; 4.2, 4.5 and the posting of 2015-07-13 after kernel-lru E.1, E.4, E8.

use selvedge_kernel::{
    Cpus, Name, Private, Rule, SpinLock, Var, clear_bit, enter, fail_about, kernel_assert,
    plain_read, plain_write, reached, set_bit, spin_lock_irqsave, spin_unlock_irqrestore, test_bit,
};

use crate::kernel::PG_PRIVATE;
use crate::mm::filemap::{folio_trylock, folio_unlock};
use crate::mm::migrate::Errno;
use crate::mm::movable::{
    __ClearPageMovable, __SetPageMovable, Driver, ON_DRIVER_LIST, State, get_page, list_add,
    list_del, put_page, state,
};
use crate::{Folio, Kernel};

/// kernel-lru E8: what walking the list under `pages_lock` is for.
pub const WALK_MEETS_NO_POISON: Rule = Rule("a walk of the balloon's list meets no unlinked page");

/// Since 4.8: PG_isolated of the core says "isolated".
pub static V4_8: Driver = Driver {
    name: "balloon v4.8",
    new: balloon_devinfo_init,
    isolate_page: balloon_page_isolate,
    migrate_page: |k, newpage, page, _| {
        virtballoon_migratepage(k, newpage, page, balloon_page_insert)
    },
    putback_page: balloon_page_putback,
    alloc: |k, page| balloon_page_enqueue(k, page, balloon_page_insert),
    free: |k| leak_balloon(k, balloon_page_list_dequeue),
    access: |_| {},
};

/// 4.5 to 4.7 (21ea9fb69e7c): dequeue walks under `pages_lock`.
pub static V4_5: Driver = Driver {
    name: "balloon v4.5",
    isolate_page: balloon_page_isolate_2015,
    migrate_page: |k, newpage, page, _| {
        virtballoon_migratepage(k, newpage, page, balloon_page_insert_2015)
    },
    putback_page: balloon_page_putback_2015,
    alloc: |k, page| balloon_page_enqueue(k, page, balloon_page_insert_2015),
    ..V4_8
};

/// The series of 2015 (posted on 4.1): PagePrivate says "not isolated", to the balloon itself.
pub static POSTED_2015: Driver =
    Driver { name: "balloon mobile-2015", free: |k| leak_balloon(k, dequeue_4_2), ..V4_5 };

/// For Mel Gorman's proposal: takes the page lock itself where it isolates. (Putting a page back
/// needs none: the balloon of 2015 keeps a page that is isolated, and its list has a lock.)
pub static LRU_AS_MOBILE: Driver = Driver {
    name: "balloon lru-as-mobile",
    isolate_page: |k, page| {
        if !folio_trylock(page) {
            return false;
        }
        let is_ours = balloon_page_isolate_2015(k, page);
        folio_unlock(k, page);
        is_ours
    },
    ..POSTED_2015
};

/// 4.2: the core looks at PagePrivate.
pub static V4_2: Driver = Driver { name: "balloon v4.2", ..POSTED_2015 };

/// What the count and the list are for: `balloon_page_dequeue()` takes a balloon for broken by
/// them.
pub const A_BALLOON_KNOWS_ITS_PAGES: Rule =
    Rule("a balloon that was emptied has no page on its list, and counts none as isolated");

/// `LIST_POISON1`
const POISON: u64 = 99;

/// `struct balloon_dev_info`.
pub struct Balloon {
    /// `b_dev_info->pages_lock`
    pub pages_lock: SpinLock,
    /// `b_dev_info->isolated_pages`
    pub isolated_pages: Var,
    /// `page->lru.next` by page: 0 is the head, page n is n plus 1. Entry 0 is
    /// `b_dev_info->pages.next`.
    next: Vec<Var>,
    /// The list from the head, for who holds `pages_lock` and needs a page's predecessor.
    order: Private<Vec<usize>>,
}

/// Pages that a scenario may have, spares and all.
const PAGES: usize = 4;

impl State for Balloon {
    fn place(&self) -> Option<usize> {
        self.order.lock().first().copied()
    }
}

fn balloon_devinfo_init(_: &Cpus) -> Box<dyn State> {
    let next = |node: usize| Var::new(Name::new("page->lru.next").nth(node), POISON);
    let balloon = Balloon {
        pages_lock: SpinLock::new(Name::new("pages_lock")),
        isolated_pages: Var::new(Name::new("isolated_pages"), 0),
        next: (0..=PAGES)
            .map(
                |node| {
                    if node == 0 { Var::new(Name::new("pages.next"), 0) } else { next(node - 1) }
                },
            )
            .collect(),
        order: Private::default(),
    };
    Box::new(balloon)
}

impl Balloon {
    fn order<R>(&self, edit: impl FnOnce(&mut Vec<usize>) -> R) -> R {
        edit(&mut self.order.lock())
    }

    /// `list_add(&page->lru, &pages)`, under `pages_lock`.
    pub(crate) fn add(&self, page: &Folio) {
        list_add(page, ON_DRIVER_LIST);
        plain_write(&self.next[page.index + 1], plain_read(&self.next[0]));
        plain_write(&self.next[0], page.index as u64 + 1);
        self.order(|order| order.insert(0, page.index));
    }

    /// `list_del(&page->lru)`, under `pages_lock`.
    pub(crate) fn del(&self, page: &Folio) {
        list_del(page, ON_DRIVER_LIST);
        let before = self.order(|order| {
            let at = order.iter().position(|&index| index == page.index);
            let at = at.expect("page->lru is on the list");
            order.remove(at);
            at.checked_sub(1).map_or(0, |at| order[at] + 1)
        });
        plain_write(&self.next[before], plain_read(&self.next[page.index + 1]));
        plain_write(&self.next[page.index + 1], POISON);
    }

    /// Follows `lru.next` of this node: the next page, or `None` at the head.
    fn follow(&self, node: usize) -> Option<usize> {
        let next = plain_read(&self.next[node]);
        if next == POISON {
            let message = format!("the walk follows lru.next of page{}, unlinked", node - 1);
            fail_about(WALK_MEETS_NO_POISON, message, self.next[node].object());
        }
        (next as usize).checked_sub(1)
    }
}

/// `isolated_pages += by`, under `pages_lock`.
pub fn count_isolated(balloon: &Balloon, by: u64) {
    let count = plain_read(&balloon.isolated_pages);
    plain_write(&balloon.isolated_pages, count.wrapping_add(by));
}

/// How a page comes onto the list.
type Insert = fn(&Kernel, &Balloon, &Folio);

/// `balloon_page_insert()`, since 4.8: page locked, `pages_lock` held.
fn balloon_page_insert(k: &Kernel, balloon: &Balloon, page: &Folio) {
    __SetPageMovable(k, page);
    balloon.add(page);
}

/// The same, up to 4.7, where PagePrivate says that the page is not isolated.
fn balloon_page_insert_2015(k: &Kernel, balloon: &Balloon, page: &Folio) {
    __SetPageMovable(k, page);
    set_bit(PG_PRIVATE, &page.flags);
    balloon.add(page);
}

/// `balloon_page_enqueue()`.
fn balloon_page_enqueue(k: &Kernel, page: &Folio, insert: Insert) {
    let _in = enter("balloon_page_enqueue");
    let balloon: &Balloon = state(k);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    kernel_assert(folio_trylock(page), "a page that is put into the balloon is locked");
    insert(k, balloon, page);
    folio_unlock(k, page);
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
}

/// `balloon_page_isolate()`: page locked. Since 4.8 the core knows that it is not isolated.
pub fn balloon_page_isolate(k: &Kernel, page: &Folio) -> bool {
    let _in = enter("balloon_page_isolate");
    let balloon: &Balloon = state(k);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    balloon.del(page);
    count_isolated(balloon, 1);
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
    true
}

/// The same, up to 2015: `__isolate_balloon_page()`, if PagePrivate.
fn balloon_page_isolate_2015(k: &Kernel, page: &Folio) -> bool {
    let _in = enter("balloon_page_isolate");
    if !test_bit(PG_PRIVATE, &page.flags) {
        return false;
    }
    let balloon: &Balloon = state(k);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    clear_bit(PG_PRIVATE, &page.flags);
    balloon.del(page);
    count_isolated(balloon, 1);
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
    true
}

/// `balloon_page_putback()`: page locked.
pub fn balloon_page_putback(k: &Kernel, page: &Folio) {
    let _in = enter("balloon_page_putback");
    let balloon: &Balloon = state(k);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    balloon.add(page);
    count_isolated(balloon, u64::MAX);
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
}

/// The same, up to 2015: `__putback_balloon_page()`.
fn balloon_page_putback_2015(k: &Kernel, page: &Folio) {
    let _in = enter("__putback_balloon_page");
    let balloon: &Balloon = state(k);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    set_bit(PG_PRIVATE, &page.flags);
    balloon.add(page);
    count_isolated(balloon, u64::MAX);
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
}

/// `virtballoon_migratepage()`: both pages locked. `balloon_lock`, which it takes by trylock and
/// holds to the end, is that of one migration in the scenarios, and left out.
fn virtballoon_migratepage(
    k: &Kernel,
    newpage: &Folio,
    page: &Folio,
    insert: Insert,
) -> Result<(), Errno> {
    let _in = enter("virtballoon_migratepage");
    let balloon: &Balloon = state(k);
    get_page(newpage);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    insert(k, balloon, newpage);
    count_isolated(balloon, u64::MAX);
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
    // balloon_page_finalize()
    __ClearPageMovable(k, page);
    put_page(k, page);
    Ok(())
}

/// For scenarios, at the end: is the list empty, and no page counted as isolated?
pub fn is_empty(k: &Kernel) -> bool {
    let balloon: &Balloon = state(k);
    balloon.next[0].peek() == 0 && balloon.isolated_pages.peek() == 0
}

/// `leak_balloon()` of one page.
fn leak_balloon(k: &Kernel, dequeue: fn(&Kernel) -> Option<usize>) {
    let _in = enter("leak_balloon");
    if let Some(index) = balloon_page_dequeue(k, dequeue) {
        put_page(k, &k.folios[index]);
    }
}

/// `balloon_page_dequeue()`. The caller knows that a page is enqueued.
fn balloon_page_dequeue(k: &Kernel, dequeue: fn(&Kernel) -> Option<usize>) -> Option<usize> {
    let _in = enter("balloon_page_dequeue");
    let page = dequeue(k);
    if page.is_none() {
        reached("a dequeue found no page");
        let balloon: &Balloon = state(k);
        spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
        let is_lost = plain_read(&balloon.next[0]) == 0 && plain_read(&balloon.isolated_pages) == 0;
        kernel_assert(!is_lost, "BUG: the balloon's list is empty, and no page is isolated");
        spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
    }
    page
}

/// `balloon_page_list_dequeue()` of one page.
fn balloon_page_list_dequeue(k: &Kernel) -> Option<usize> {
    let _in = enter("balloon_page_list_dequeue");
    let balloon: &Balloon = state(k);
    spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
    let mut cursor = balloon.follow(0);
    let mut found = None;
    while let Some(index) = cursor {
        // list_for_each_entry_safe(): the next one first.
        let after = balloon.follow(index + 1);
        let page = &k.folios[index];
        if folio_trylock(page) {
            balloon.del(page);
            __ClearPageMovable(k, page);
            folio_unlock(k, page);
            found = Some(index);
            break;
        }
        reached("a dequeue passed over a locked page");
        cursor = after;
    }
    spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
    found
}

/// 4.2, to 4.4: the walk is without `pages_lock`, which is only taken to delete.
fn dequeue_4_2(k: &Kernel) -> Option<usize> {
    let _in = enter("balloon_page_dequeue");
    let balloon: &Balloon = state(k);
    let mut cursor = balloon.follow(0);
    while let Some(index) = cursor {
        let after = balloon.follow(index + 1);
        let page = &k.folios[index];
        if folio_trylock(page) {
            // Raced with isolation?
            if test_bit(PG_PRIVATE, &page.flags) {
                spin_lock_irqsave(&k.cpus, &balloon.pages_lock);
                balloon.del(page);
                spin_unlock_irqrestore(&k.cpus, &balloon.pages_lock);
                __ClearPageMovable(k, page);
                folio_unlock(k, page);
                return Some(index);
            }
            folio_unlock(k, page);
        }
        cursor = after;
    }
    None
}
