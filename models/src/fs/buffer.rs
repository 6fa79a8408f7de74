//! The bh_lru: a few buffer heads that each CPU used last, each with a counted reference.
//!
//! Kept: every step on `bhs[]` and `b_count`, the place of the "disabled" check per release, the
//! interrupt-off region, the unlocked look from other CPUs.
//! Left out: the search by block number (a buffer head is named by its index), `BH_LRU_SIZE` of 16
//! (scaled, see `Machine`), CPU isolation (6.12).
//! Source: fs/buffer.c of 5.11, 5.14, 5.17, 6.1 for the bh_lru; locks, I/O, lookup and release of
//! buffers of 6.1.192 and 6.12.117; the lookup since 6.15 as 7ffe3de53a88 and 2d900efff915 describe
//! it.

mod read;
mod write;

pub use read::{STILL_READING, end_buffer_async_read};
pub use write::{
    __block_write_full_folio, DIRTIED, NOTHING_UNDER_WAY, REDIRTIED, STILL_BUSY,
    end_buffer_async_write, mark_buffer_dirty,
};

use selvedge_kernel::{
    Cpus, Name, READ_ONCE, WRITE_ONCE, atomic_dec, atomic_inc, atomic_read, booked, clear_bit,
    clear_bit_unlock, data_race, enter, irqs_disabled, kernel_assert, might_sleep,
    on_each_cpu_cond, plain_read, plain_write, preempt_disable, preempt_enable, reached, set_bit,
    smp_mb__after_atomic, smp_mb__before_atomic, smp_processor_id, spin_lock, spin_unlock,
    test_and_clear_bit, test_and_set_bit_lock, test_bit, test_bit_acquire, unbooked,
};

use crate::kernel::{
    BH_DIRTY, BH_LOCK, BH_MIGRATE, BH_UPTODATE, PG_PRIVATE, PG_WRITEBACK, PRIVATE_DATA,
};
use crate::left_out::LeftOut;
use crate::mm::filemap::{filemap_get_entry, folio_lock, folio_unlock};
use crate::mm::swap::{RemoteLook, folio_mark_accessed, folio_put};
use crate::sched::wait_bit::{wait_on_bit_lock, wait_on_bit_lock_timeout, wake_up_bit};
use crate::{BufferHead, Folio, Func, Kernel};

/// What is left out, for a comparison with C.
pub(crate) const LEFT_OUT: &[LeftOut] = &[LeftOut::of_c(
    &["housekeeping_overridden*"],
    "CPU isolation: no CPU is isolated, so that the look is always the same",
)];

decisions! {
    /// What differs between trees.
    pub struct Buffer of "fs/buffer.c", set by BufferChange {
        /// Where `bh_lru_install()` asks whether caching is disabled.
        install_check: InstallCheck,
        /// `bh_lru_lock()`: on SMP it keeps out the IPI of `invalidate_bh_lrus()` too.
        bh_lru_lock: Func<fn(&Cpus)>,
        /// `bh_lru_unlock()`
        bh_lru_unlock: Func<fn(&Cpus)>,
        /// `bh_lru_install()`
        bh_lru_install: Func<fn(&Kernel, &BufferHead)>,
        /// `__invalidate_bh_lrus()`
        __invalidate_bh_lrus: Func<fn(&Kernel)>,
        /// What `__buffer_migrate_folio()` holds while it moves the ring.
        ring_move: RingMove,
        /// What `__find_get_block_slow()` holds while it walks the ring.
        find: FindBlock,
        /// `__find_get_block_slow()`
        __find_get_block_slow: Func<fn(&Kernel, &BufferHead, Name, Finder) -> bool>,
    }
}

/// What `__buffer_migrate_folio()` holds while it moves the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingMove {
    /// Nothing, after it has looked at b_count under `i_private_lock`: up to 5.2
    /// (ebdf4de5642f, of 5.3-rc, and in 5.2.y).
    Unlocked,
    /// `i_private_lock`, since it looked at b_count: up to 6.14.
    UnderPrivateLock,
    /// BH_Migrate of the first buffer, set before it looked: since 6.15 (2d900efff915).
    UnderBhMigrate,
}

/// What `__find_get_block_slow()` holds while it walks the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FindBlock {
    /// `i_private_lock`.
    PrivateLock,
    /// Callers that may sleep take the folio lock: 6.12.y of 2025, and since 6.15, where the others
    /// find nothing as long as BH_Migrate is set.
    FolioLock,
}

/// Who calls `__find_get_block()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finder {
    /// It must not sleep.
    Atomic,
    /// It may. (`__find_get_block_nonatomic()`, where there is one.)
    MaySleep,
}

/// The place of the check in `bh_lru_install()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InstallCheck {
    /// Not asked: up to 5.12.
    Never,
    /// Before `bh_lru_lock()`: the RFC of 2021-02-11, and 5.13 to 5.17 (8cc621d2f45d).
    BeforeLock,
    /// Under `bh_lru_lock()`: since 5.18 (c0226eb8bde8).
    UnderLock,
}

/// Who holds the references of the bh_lru of a CPU.
pub fn bh_lru_holder(cpu: usize) -> Name {
    Name::new("bh_lru").on(cpu)
}

/// `get_bh()`: include/linux/buffer_head.h. `holder` is who has the reference now.
pub fn get_bh(bh: &BufferHead, holder: Name) {
    atomic_inc(&bh.b_count);
    booked(&bh.b_count, holder);
}

/// `put_bh()`: a full barrier before the decrement, none after.
pub fn put_bh(bh: &BufferHead, holder: Name) {
    smp_mb__before_atomic();
    unbooked(&bh.b_count, holder);
    atomic_dec(&bh.b_count);
}

/// `brelse()`, `__brelse()`: does nothing for NULL, warns if nobody holds the buffer.
pub fn brelse(bh: Option<&BufferHead>, holder: Name) {
    let Some(bh) = bh else { return };
    let _in = enter("brelse");
    kernel_assert(atomic_read(&bh.b_count) > 0, "VFS: brelse: trying to free free buffer");
    put_bh(bh, holder);
}

/// `bh_lru_lock()`
pub fn bh_lru_lock(k: &Kernel) {
    (k.tree.buffer.bh_lru_lock())(&k.cpus);
}

/// `bh_lru_unlock()`
pub fn bh_lru_unlock(k: &Kernel) {
    (k.tree.buffer.bh_lru_unlock())(&k.cpus);
}

/// `check_irqs_on()`.
pub fn check_irqs_on(k: &Kernel) {
    kernel_assert(!irqs_disabled(&k.cpus), "BUG_ON(irqs_disabled()) in check_irqs_on()");
}

/// `bh_lru_install()`: the caller holds a reference. The bh goes to the front; what falls off the
/// end is released.
pub fn bh_lru_install(k: &Kernel, bh: &BufferHead) {
    let _in = enter("bh_lru_install");
    let disabled = || (k.tree.swap.lru_cache_disabled())(k);
    if k.tree.buffer.install_check() == InstallCheck::BeforeLock && disabled() {
        reached("bh_lru_install() found caching disabled");
        return;
    }
    check_irqs_on(k);
    bh_lru_lock(k);
    if k.tree.buffer.install_check() == InstallCheck::UnderLock && disabled() {
        reached("bh_lru_install() found caching disabled");
        bh_lru_unlock(k);
        return;
    }
    let cpu = smp_processor_id();
    let mut evictee = pointer_to(bh);
    for slot in k.bh_lrus.this() {
        let next = plain_read(slot);
        plain_write(slot, evictee);
        evictee = next;
        if evictee == pointer_to(bh) {
            bh_lru_unlock(k);
            return;
        }
    }
    // The slot holds the bh for a moment without a reference of its own; interrupts are off.
    get_bh(bh, bh_lru_holder(cpu));
    reached("a bh was installed");
    bh_lru_unlock(k);
    brelse(pointee(k, evictee), bh_lru_holder(cpu));
}

/// `lookup_bh_lru()`: on a hit the bh moves to the front and the caller gets a reference.
pub fn lookup_bh_lru<'a>(k: &'a Kernel, wanted: &BufferHead, user: Name) -> Option<&'a BufferHead> {
    let _in = enter("lookup_bh_lru");
    check_irqs_on(k);
    bh_lru_lock(k);
    let slots = k.bh_lrus.this();
    let mut found = None;
    for (i, slot) in slots.iter().enumerate() {
        if plain_read(slot) != pointer_to(wanted) {
            continue;
        }
        for at in (1..=i).rev() {
            plain_write(&slots[at], plain_read(&slots[at - 1]));
        }
        if i > 0 {
            plain_write(&slots[0], pointer_to(wanted));
        }
        get_bh(wanted, user);
        reached("a lookup hit");
        found = pointee(k, pointer_to(wanted));
        break;
    }
    bh_lru_unlock(k);
    found
}

/// `__invalidate_bh_lrus()`: drops every entry of this CPU's bh_lru.
pub fn __invalidate_bh_lrus(k: &Kernel) {
    for slot in k.bh_lrus.this() {
        brelse(pointee(k, plain_read(slot)), bh_lru_holder(smp_processor_id()));
        plain_write(slot, 0);
    }
}

/// `invalidate_bh_lru()`: the handler of the IPI.
pub fn invalidate_bh_lru(k: &Kernel) {
    let _in = enter("invalidate_bh_lru");
    preempt_disable(&k.cpus);
    (k.tree.buffer.__invalidate_bh_lrus())(k);
    preempt_enable(&k.cpus);
}

/// `buffer_exit_cpu_dead()`: drops every entry of the bh_lru of a CPU that is offline.
pub fn buffer_exit_cpu_dead(k: &Kernel, cpu: usize) {
    let _in = enter("buffer_exit_cpu_dead");
    for slot in k.bh_lrus.of(cpu) {
        brelse(pointee(k, plain_read(slot)), bh_lru_holder(cpu));
        plain_write(slot, 0);
    }
}

/// `has_bh_in_lru()`: reads another CPU's slots without a lock, in plain C in every release.
pub fn has_bh_in_lru(k: &Kernel, cpu: usize) -> bool {
    let _in = enter("has_bh_in_lru");
    let look = match k.tree.swap.remote_look() {
        RemoteLook::AllMarked => data_race,
        _ => plain_read,
    };
    k.bh_lrus.of(cpu).iter().any(|slot| look(slot) != 0)
}

/// `invalidate_bh_lrus()`: an IPI to every CPU that seems to have a bh.
pub fn invalidate_bh_lrus(k: &Kernel) {
    let _in = enter("invalidate_bh_lrus");
    let kernel = k.share();
    on_each_cpu_cond(&k.cpus, |cpu| has_bh_in_lru(k, cpu), move || invalidate_bh_lru(&kernel));
}

/// `invalidate_bh_lrus_cpu()`, since 5.13: called in the context of this CPU's work item.
pub fn invalidate_bh_lrus_cpu(k: &Kernel) {
    let _in = enter("invalidate_bh_lrus_cpu");
    bh_lru_lock(k);
    (k.tree.buffer.__invalidate_bh_lrus())(k);
    bh_lru_unlock(k);
}

/// `trylock_buffer()`: never sleeps. Acquire if it wins.
pub fn trylock_buffer(bh: &BufferHead) -> bool {
    !test_and_set_bit_lock(BH_LOCK, &bh.b_state)
}

/// `lock_buffer()`, `__lock_buffer()`.
pub fn lock_buffer(k: &Kernel, bh: &BufferHead) {
    let _in = enter("lock_buffer");
    might_sleep(&k.cpus, "lock_buffer");
    if !trylock_buffer(bh) {
        wait_on_bit_lock(k, BH_LOCK, &bh.b_state);
    }
}

/// `lock_buffer_timeout()`: false if the time is over first. Never merged: after the description of
/// "migrate: Avoid unbounded blocks in MIGRATE_SYNC_LIGHT" (Douglas Anderson, 2023-04-21).
pub fn lock_buffer_timeout(k: &Kernel, bh: &BufferHead) -> bool {
    let _in = enter("lock_buffer_timeout");
    might_sleep(&k.cpus, "lock_buffer_timeout");
    trylock_buffer(bh) || wait_on_bit_lock_timeout(k, BH_LOCK, &bh.b_state)
}

/// `unlock_buffer()`: the full barrier is between the clear and the look at the queue; the waiter
/// has its own between queueing itself and looking at the bit.
pub fn unlock_buffer(k: &Kernel, bh: &BufferHead) {
    let _in = enter("unlock_buffer");
    clear_bit_unlock(BH_LOCK, &bh.b_state);
    smp_mb__after_atomic();
    wake_up_bit(k, BH_LOCK, &bh.b_state);
}

/// `write_dirty_buffer()` of a buffer that is dirty: locked for the I/O, with a reference for it.
/// `submit` starts the I/O, whose end is [`end_buffer_write_sync`].
pub fn write_dirty_buffer(k: &Kernel, bh: &BufferHead, submit: impl FnOnce(&Kernel)) {
    let _in = enter("write_dirty_buffer");
    lock_buffer(k, bh);
    if !test_and_clear_bit(BH_DIRTY, &bh.b_state) {
        unlock_buffer(k, bh);
        return;
    }
    get_bh(bh, BUFFER_IO);
    let _in = enter("submit_bh");
    submit(k);
}

/// Who holds the reference of a buffer under I/O.
const BUFFER_IO: Name = Name::new("buffer I/O");

/// `buffer_uptodate()`: who sees it sees the contents.
pub fn buffer_uptodate(bh: &BufferHead) -> bool {
    test_bit_acquire(BH_UPTODATE, &bh.b_state)
}

/// `set_buffer_uptodate()`: if it is set, somebody has ordered it after the contents.
pub fn set_buffer_uptodate(bh: &BufferHead) {
    if !test_bit(BH_UPTODATE, &bh.b_state) {
        smp_mb__before_atomic();
        set_bit(BH_UPTODATE, &bh.b_state);
    }
}

/// `end_buffer_write_sync()`, in any context.
pub fn end_buffer_write_sync(k: &Kernel, bh: &BufferHead) {
    let _in = enter("end_buffer_write_sync");
    set_buffer_uptodate(bh);
    unlock_buffer(k, bh);
    put_bh(bh, BUFFER_IO);
}

/// `folio_buffers()`, with the ring that it is the head of: of a folio that has buffers.
pub fn folio_buffers<'k>(k: &'k Kernel, folio: &Folio) -> &'k [BufferHead] {
    &k.buffer_heads[folio.page_index * k.initial.ring..][..k.initial.ring]
}

/// `__find_get_block()`: the LRU, else the page cache; either way the folio is marked accessed.
/// What is found in the page cache is installed in the LRU.
pub fn __find_get_block<'a>(
    k: &'a Kernel,
    wanted: &'a BufferHead,
    user: Name,
    finder: Finder,
) -> Option<&'a BufferHead> {
    let _in = enter("__find_get_block");
    if let Some(bh) = lookup_bh_lru(k, wanted, user) {
        touch_buffer(k, bh);
        return Some(bh);
    }
    let found = (k.tree.buffer.__find_get_block_slow())(k, wanted, user, finder);
    if found {
        (k.tree.buffer.bh_lru_install())(k, wanted);
    }
    found.then_some(wanted)
}

/// `touch_buffer()`
pub fn touch_buffer(k: &Kernel, bh: &BufferHead) {
    if k.modelled.operations {
        folio_mark_accessed(k, &k.folios[READ_ONCE(&bh.b_folio) as usize]);
    }
}

/// `__find_get_block_slow()`: whether the wanted buffer is in the ring of the folio that is in the
/// page cache; the caller gets a reference to it. That of the folio is dropped again.
pub fn __find_get_block_slow(k: &Kernel, wanted: &BufferHead, user: Name, finder: Finder) -> bool {
    let _in = enter("__find_get_block_slow");
    let holder = Name::new("__find_get_block_slow");
    let Some(folio) = filemap_get_entry(k, wanted.index / k.initial.ring, holder) else {
        return false;
    };
    // FGP_ACCESSED
    folio_mark_accessed(k, folio);
    let found = match (k.tree.buffer.find(), finder) {
        (FindBlock::FolioLock, Finder::MaySleep) => {
            folio_lock(k, folio);
            let found = get_if_in_ring(wanted, user);
            folio_unlock(k, folio);
            found
        }
        (FindBlock::FolioLock, Finder::Atomic) | (FindBlock::PrivateLock, _) => {
            find_in_ring(k, folio, wanted, user)
        }
    };
    folio_put(k, folio, holder);
    found
}

/// What `__find_get_block_slow()` does to a folio that it has found and may not lock.
pub fn find_in_ring(k: &Kernel, folio: &Folio, wanted: &BufferHead, user: Name) -> bool {
    spin_lock(&k.cpus, &k.i_private_lock);
    let found = !is_migrating(k, folio) && get_if_in_ring(wanted, user);
    spin_unlock(&k.cpus, &k.i_private_lock);
    found
}

/// The look at BH_Migrate, where there is such a bit.
fn is_migrating(k: &Kernel, folio: &Folio) -> bool {
    let is = k.tree.buffer.ring_move() == RingMove::UnderBhMigrate
        && test_bit_acquire(BH_MIGRATE, &folio_buffers(k, folio)[0].b_state);
    if is {
        reached("a lookup found that the buffers migrate");
    }
    is
}

/// The walk of the ring.
pub(crate) fn get_if_in_ring(wanted: &BufferHead, user: Name) -> bool {
    let found = READ_ONCE(&wanted.freed) == 0;
    if found {
        get_bh(wanted, user);
    }
    found
}

/// `try_to_free_buffers()` with `drop_buffers()`: frees the folio's buffers unless one of them is
/// busy. The folio lock, which its callers hold, keeps out other callers only.
pub fn try_to_free_buffers(k: &Kernel, folio: &Folio) -> bool {
    let _in = enter("try_to_free_buffers");
    if k.modelled.writeback && test_bit(PG_WRITEBACK, &folio.flags) {
        return false;
    }
    // An orphan has left the mapping whose lock it would be.
    let is_orphan = plain_read(&folio.mapping) == 0;
    if !is_orphan {
        spin_lock(&k.cpus, &k.i_private_lock);
    }
    let freed = drop_buffers(k, folio);
    if !is_orphan {
        spin_unlock(&k.cpus, &k.i_private_lock);
    }
    freed
}

/// `drop_buffers()`: true if none of them was busy.
pub fn drop_buffers(k: &Kernel, folio: &Folio) -> bool {
    let ring = folio_buffers(k, folio);
    let busy = ring.iter().any(buffer_busy);
    if !busy {
        for bh in ring {
            WRITE_ONCE(&bh.freed, 1);
        }
        if k.initial.has_private() {
            // folio_detach_private()
            clear_bit(PG_PRIVATE, &folio.flags);
            folio_put(k, folio, PRIVATE_DATA);
        }
        reached("buffers were freed");
    }
    !busy
}

/// `buffer_busy()`: somebody has a reference, or I/O is under way or due.
pub fn buffer_busy(bh: &BufferHead) -> bool {
    atomic_read(&bh.b_count) != 0
        || test_bit(BH_DIRTY, &bh.b_state)
        || test_bit(BH_LOCK, &bh.b_state)
}

pub(crate) fn pointer_to(bh: &BufferHead) -> u64 {
    bh.index as u64 + 1
}

fn pointee(k: &Kernel, pointer: u64) -> Option<&BufferHead> {
    (pointer as usize).checked_sub(1).map(|index| &k.buffer_heads[index])
}
