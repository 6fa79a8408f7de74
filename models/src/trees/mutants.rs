//! Deliberate faults, each in one place. Some claim must catch each.

use selvedge_kernel::edits::{Edit, Site};

use crate::Tree;
use crate::mm::filemap::{Filemap, FolioLockFault};
use crate::trees::V6_1;

/// 6.1 with these steps changed.
const fn steps(name: &'static str, about: &'static str, edits: &'static [Edit]) -> Tree {
    Tree { name, about, edits, ..V6_1.faulty() }
}

const fn folio_lock(name: &'static str, about: &'static str, fault: FolioLockFault) -> Tree {
    Tree { name, about, filemap: Filemap { fault, ..V6_1.filemap }, ..V6_1.faulty() }
}

/// kernel-migrate AM8.
pub static AM8_RELAXED_TRYLOCK: Tree = steps(
    "v6.1-trylock-relaxed",
    "6.1 with folio_trylock() acquiring nothing",
    &[Edit::relax(Site::of("test_and_set_bit_lock").on("PG_locked"))],
);

/// kernel-migrate AM8.
pub static AM8_RELAXED_UNLOCK: Tree = steps(
    "v6.1-unlock-relaxed",
    "6.1 with folio_unlock() releasing nothing",
    &[Edit::relax(Site::of("xor_unlock_is_negative_byte"))],
);

/// kernel-migrate AM1.
pub static AM1_NO_WAITERS_BIT: Tree = folio_lock(
    "v6.1-no-waiters-bit",
    "6.1 with a waiter that does not set PG_waiters",
    FolioLockFault::NoWaitersBit,
);

/// kernel-migrate AM2.
pub static AM2_WAITERS_BIT_TOO_LATE: Tree = folio_lock(
    "v6.1-waiters-bit-too-late",
    "6.1 with PG_waiters set after the look at PG_locked",
    FolioLockFault::WaitersBitTooLate,
);

/// kernel-migrate AM4.
pub static AM4_WAITERS_BIT_ALWAYS_CLEARED: Tree = folio_lock(
    "v6.1-waiters-bit-always-cleared",
    "6.1 with folio_wake_bit() clearing PG_waiters whoever still waits",
    FolioLockFault::WaitersBitAlwaysCleared,
);

/// kernel-migrate AM12.
pub static AM12_STATE_TOO_LATE: Tree = folio_lock(
    "v6.1-state-too-late",
    "6.1 with the waiter's state stored after the look at its flags",
    FolioLockFault::StateTooLate,
);

/// kernel-migrate A.5, 3.
pub static A5_NO_BARRIER_AFTER_STATE: Tree = folio_lock(
    "v6.1-no-mb-after-state",
    "6.1 with __set_current_state() in place of set_current_state()",
    FolioLockFault::NoBarrierAfterState,
);
