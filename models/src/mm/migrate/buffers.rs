//! `buffer_migrate_folio()`: a folio with buffers moves with all of them locked.
//!
//! Kept: what waits for BH_Lock in which mode; locked buffers stay locked until the folio has moved.
//! Left out: more than one buffer; the reference that buffers have of their folio, which would be
//! counted on both sides; the look at b_count of block devices, which comes later (fs/buffer.rs).
//! Source: mm/migrate.c `buffer_migrate_lock_buffers()`, `__buffer_migrate_folio()` of 6.1.192 and
//! 6.12.117.

use selvedge_kernel::{enter, reached, test_bit};

use crate::fs::buffer::{lock_buffer, lock_buffer_timeout, trylock_buffer, unlock_buffer};
use crate::kernel::BH_UPTODATE;
use crate::mm::migrate::mapping::migrate_folio;
use crate::mm::migrate::{Errno, Migrator, Mode};
use crate::{BufferHead, Folio, Kernel};

/// What `buffer_migrate_lock_buffers()` does in MIGRATE_SYNC_LIGHT about a buffer that somebody else
/// has locked. In MIGRATE_ASYNC no tree waits, in MIGRATE_SYNC every tree does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferLock {
    /// Waits: up to 6.4; the RFC of seed 001 leaves it so.
    Wait,
    /// Waits with a timeout: the second version of seed 001.
    WaitWithTimeout,
    /// Waits if the buffer is uptodate: since 6.5 (4bb6dc79d987).
    WaitIfUptodate,
}

/// A migration that met a buffer that somebody else had locked.
pub const FOUND_A_LOCKED_BUFFER: &str = "a migration found a buffer locked";

/// `move_to_new_folio()`: as the folio's filesystem says.
pub(super) fn move_to_new_folio(
    k: &Kernel,
    dst: &Folio,
    src: &Folio,
    who: Migrator,
) -> Result<(), Errno> {
    if !k.sizes.buffers {
        return migrate_folio(k, dst, src);
    }
    let _in = enter("buffer_migrate_folio");
    let bh = &k.buffer_heads[src.page_index];
    if !buffer_migrate_lock_buffers(k, bh, who) {
        return Err(Errno::Again);
    }
    let moved = migrate_folio(k, dst, src);
    unlock_buffer(k, bh);
    moved
}

/// `buffer_migrate_lock_buffers()`.
fn buffer_migrate_lock_buffers(k: &Kernel, bh: &BufferHead, who: Migrator) -> bool {
    let _in = enter("buffer_migrate_lock_buffers");
    if trylock_buffer(bh) {
        return true;
    }
    reached(FOUND_A_LOCKED_BUFFER);
    match (who.mode, k.tree.migrate.buffer_lock) {
        (Mode::Async, _) => return false,
        (Mode::SyncLight, BufferLock::WaitIfUptodate) if !test_bit(BH_UPTODATE, &bh.b_state) => {
            return false;
        }
        (Mode::SyncLight, BufferLock::WaitWithTimeout) => {
            return lock_buffer_timeout(k, bh, who.me);
        }
        _ => {}
    }
    lock_buffer(k, bh, who.me);
    true
}
