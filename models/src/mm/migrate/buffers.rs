//! `__buffer_migrate_folio()`: a folio with buffers moves with all of them locked.
//!
//! Kept: the look at the folio's references before any lock is taken; what waits for BH_Lock in
//! which mode, and that a failure unlocks what was locked and no more; the look at b_count under
//! `i_private_lock`, with one try to empty the bh_lrus; what is held while the folio is copied and
//! replaced, by version; that the buffers are locked until it is over.
//! Left out: gfs2's own variant. Up to 6.10 C points the buffers to the new folio before it copies
//! the contents; here after. The buffers are locked, and `moving`, for all of that time.
//! Source: mm/migrate.c `buffer_migrate_lock_buffers()`, `__buffer_migrate_folio()` of 6.1.192 and
//! 6.12.117; before ebdf4de5642f, and since 2d900efff915, as those commits describe it.

use selvedge_kernel::{
    WRITE_ONCE, atomic_read, clear_bit_unlock, enter, reached, spin_lock, spin_unlock,
    test_and_set_bit_lock, test_bit,
};

use crate::fs::buffer::{
    RingMove, buffer_uptodate, folio_buffers, invalidate_bh_lrus, lock_buffer, lock_buffer_timeout,
    trylock_buffer, unlock_buffer,
};
use crate::kernel::{BH_MIGRATE, PG_PRIVATE};
use crate::mm::migrate::mapping::{folio_expected_ref_count, migrate_folio};
use crate::mm::migrate::{Errno, Migrator, Mode};
use crate::{BufferHead, Folio, Kernel};

/// What `buffer_migrate_lock_buffers()` does about a buffer that somebody else has locked. In
/// MIGRATE_ASYNC no tree waits, in MIGRATE_SYNC every tree does but the one that says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferLock {
    /// Waits: up to 6.4; the RFC of April 2023 leaves it so.
    Wait,
    /// Never waits if it is to look at b_count too: Hugh Dickins' patch of 2023-02-20.
    NorefsNever,
    /// MIGRATE_SYNC_LIGHT waits with a timeout: the second version of April 2023's RFC.
    WaitWithTimeout,
    /// MIGRATE_SYNC_LIGHT waits if the buffer is uptodate: since 6.5 (4bb6dc79d987).
    WaitIfUptodate,
}

/// A migration that met a buffer that somebody else had locked.
pub const FOUND_A_LOCKED_BUFFER: &str = "a migration found a buffer locked";
/// A migration that waited until somebody else had unlocked a buffer.
pub const WAITED_FOR_BUFFER: &str = "a migration waited for a buffer";
/// A migration that met references to a folio with buffers before it locked any.
pub const FOUND_REFERENCES_EARLY: &str =
    "a migration of buffers met references before it locked any";

/// `buffer_migrate_folio()`: for buffers that are used under the folio lock only.
pub fn buffer_migrate_folio(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
) -> Result<(), Errno> {
    let _in = enter("buffer_migrate_folio");
    (k.tree.migrate.__buffer_migrate_folio())(k, dst, src, who, false)
}

/// `buffer_migrate_folio_norefs()`: for buffers that are looked up without it. Both folios are
/// locked.
pub fn buffer_migrate_folio_norefs(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
) -> Result<(), Errno> {
    let _in = enter("buffer_migrate_folio_norefs");
    (k.tree.migrate.__buffer_migrate_folio())(k, dst, src, who, true)
}

/// `__buffer_migrate_folio()`
pub fn __buffer_migrate_folio(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
    check_refs: bool,
) -> Result<(), Errno> {
    // folio_buffers()
    if !test_bit(PG_PRIVATE, &src.flags) {
        return migrate_folio(k, dst, src);
    }
    if atomic_read(&src.refcount) != folio_expected_ref_count(k, src) + 1 {
        reached(FOUND_REFERENCES_EARLY);
        return Err(Errno::Again);
    }
    let ring = folio_buffers(k, src);
    if !buffer_migrate_lock_buffers(k, ring, who, check_refs) {
        return Err(Errno::Again);
    }
    let moved = match check_refs {
        true => move_unless_busy(k, dst, src, ring),
        false => move_ring(k, dst, src, ring),
    };
    for bh in ring {
        unlock_buffer(k, bh);
    }
    moved
}

/// With `check_refs`.
pub(crate) fn move_unless_busy(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    ring: &[BufferHead],
) -> Result<(), Errno> {
    let rule = k.tree.buffer.ring_move();
    if rule == RingMove::UnderBhMigrate {
        let was_set = test_and_set_bit_lock(BH_MIGRATE, &ring[0].b_state);
        debug_assert!(!was_set, "the folio lock keeps out other migrations");
    }
    let may_move = nobody_holds_a_buffer(k, ring);
    if rule != RingMove::UnderPrivateLock {
        spin_unlock(&k.cpus, &k.i_private_lock);
    }
    let moved = match may_move {
        true => move_ring(k, dst, src, ring),
        false => Err(Errno::Again),
    };
    match rule {
        RingMove::UnderPrivateLock => spin_unlock(&k.cpus, &k.i_private_lock),
        RingMove::UnderBhMigrate => clear_bit_unlock(BH_MIGRATE, &ring[0].b_state),
        RingMove::Unlocked => {}
    }
    moved
}

/// The loop over b_count: returns with `i_private_lock` held. After the first look that finds a
/// busy buffer it empties the bh_lrus.
pub(crate) fn nobody_holds_a_buffer(k: &Kernel, ring: &[BufferHead]) -> bool {
    spin_lock(&k.cpus, &k.i_private_lock);
    let is_busy = || ring.iter().any(|bh| atomic_read(&bh.b_count) != 0);
    if !is_busy() {
        return true;
    }
    spin_unlock(&k.cpus, &k.i_private_lock);
    invalidate_bh_lrus(k);
    spin_lock(&k.cpus, &k.i_private_lock);
    let is_busy = is_busy();
    if is_busy {
        reached("buffers stayed busy");
    }
    !is_busy
}

/// A migration is about to move buffers: it has looked at who holds them, if it must.
pub const FOUND_IDLE: &str = "a migration found buffers that may be moved";

/// The folio is replaced, and its buffers point to the new one.
pub(crate) fn move_ring(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    ring: &[BufferHead],
) -> Result<(), Errno> {
    reached(FOUND_IDLE);
    for bh in ring {
        // A user who comes now works on a buffer of the old folio.
        WRITE_ONCE(&bh.moving, 1);
    }
    let moved = (k.tree.migrate.filemap_migrate_folio())(k, dst, src);
    for bh in ring {
        if moved.is_ok() {
            // folio_set_bh()
            WRITE_ONCE(&bh.b_folio, dst.index as u64);
        }
        WRITE_ONCE(&bh.moving, 0);
    }
    if moved.is_ok() {
        reached("the buffers moved");
    }
    moved
}

/// `buffer_migrate_lock_buffers()`: all, or none.
pub fn buffer_migrate_lock_buffers(
    k: &Kernel,
    ring: &[BufferHead],
    who: Migrator,
    check_refs: bool,
) -> bool {
    let _in = enter("buffer_migrate_lock_buffers");
    for (at, bh) in ring.iter().enumerate() {
        if trylock_buffer(bh) || may_wait_for_buffer(k, bh, who, check_refs) {
            continue;
        }
        for taken in &ring[..at] {
            unlock_buffer(k, taken);
        }
        return false;
    }
    true
}

/// Somebody else has the buffer locked: waits for it, if the mode and the tree let it. True if the
/// buffer is locked now.
pub(crate) fn may_wait_for_buffer(
    k: &Kernel,
    bh: &BufferHead,
    who: Migrator,
    check_refs: bool,
) -> bool {
    reached(FOUND_A_LOCKED_BUFFER);
    match (who.mode, k.tree.migrate.buffer_lock()) {
        (Mode::Async, _) => return false,
        (_, BufferLock::NorefsNever) if check_refs => return false,
        (Mode::SyncLight, BufferLock::WaitIfUptodate) if !buffer_uptodate(bh) => {
            return false;
        }
        (Mode::SyncLight, BufferLock::WaitWithTimeout) => {
            return lock_buffer_timeout(k, bh);
        }
        _ => {}
    }
    lock_buffer(k, bh);
    reached(WAITED_FOR_BUFFER);
    true
}
