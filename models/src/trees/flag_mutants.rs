//! Words of flags, each of whose writers has a lock of its own or none: an update that is not
//! atomic loses what the others set meanwhile.

use selvedge_kernel::edits::{Edit, Site};

use crate::Tree;
use crate::trees::V6_12_117;

/// 6.12.117 with this update as `__set_bit()` or `__clear_bit()` does it.
const fn not_atomic(name: &'static str, about: &'static str, edits: &'static [Edit]) -> Tree {
    Tree { name, about, edits, ..V6_12_117.mutant() }
}

/// `lru_lock` keeps nobody from the other flags.
pub static ACTIVE_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-active-not-atomic",
    "6.12.117 with the move of an activate batch setting PG_active as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("PG_active").within("folio_batch_move_lru"))],
);

/// The same, of the other way.
pub static INACTIVE_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-inactive-not-atomic",
    "6.12.117 with the move of a deactivate batch clearing PG_active as __clear_bit() does",
    &[Edit::split(Site::of("clear_bit").on("PG_active").within("folio_batch_move_lru"))],
);

/// The same, of mlock.
pub static UNEVICTABLE_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-unevictable-not-atomic",
    "6.12.117 with __mlock_folio() setting PG_unevictable as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("PG_unevictable").within("__mlock_folio"))],
);

/// The same, of a folio that is on no list yet: it may be in page tables already.
pub static NEW_MLOCKED_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-new-mlocked-not-atomic",
    "6.12.117 with mlock_new_folio() setting PG_mlocked as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("PG_mlocked").within("mlock_new_folio"))],
);

/// The same, of reclaim.
pub static PUT_BACK_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-put-back-not-atomic",
    "6.12.117 with move_folios_to_lru() setting PG_lru as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("PG_lru").within("move_folios_to_lru"))],
);

/// The folio lock keeps nobody from the other flags.
pub static WRITEBACK_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-writeback-not-atomic",
    "6.12.117 with folio_start_writeback() setting PG_writeback as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("PG_writeback").within("folio_start_writeback"))],
);

/// Nor does the lock of a buffer.
pub static BUFFER_UNLOCK_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-buffer-unlock-not-atomic",
    "6.12.117 with unlock_buffer() clearing BH_Lock as __clear_bit() does",
    &[Edit::split(Site::of("clear_bit_unlock").on("BH_Lock").within("unlock_buffer"))],
);

/// The same, of a bit that its holder sets.
pub static ASYNC_WRITE_NOT_ATOMIC: Tree = not_atomic(
    "v6.12.117-async-write-not-atomic",
    "6.12.117 with __block_write_full_folio() setting BH_Async_Write as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("BH_Async_Write").within("__block_write_full_folio"))],
);
