//! Deliberate mistakes in fs/buffer.c.

use selvedge_kernel::edits::{Edit, Site};
use selvedge_kernel::{preempt_disable, preempt_enable};

use crate::Tree;
use crate::fs::buffer::{Buffer, InstallCheck, RingMove};
use crate::mutants::buffer::{forgets_the_slots, installs_without_reference};
use crate::trees::{ANNOTATE_ALL, V5_18, V6_1};

/// 5.18 without c0226eb8bde8.
pub static V5_18_CHECK_OUTSIDE: Tree = Tree {
    name: "v5.18-check-outside",
    about: "5.18 with c0226eb8bde8 reverted: the check before bh_lru_lock()",
    buffer: Buffer { install_check: InstallCheck::BeforeLock, ..V5_18.buffer },
    ..V5_18.mutant()
};

/// `bh_lru_lock()` and `bh_lru_unlock()` as they are without SMP.
const fn preempt_off_only(buffer: Buffer) -> Buffer {
    Buffer { bh_lru_lock: func!(preempt_disable), bh_lru_unlock: func!(preempt_enable), ..buffer }
}

/// kernel-lru C1.
pub static C1_PREEMPT_OFF_ONLY: Tree = Tree {
    name: "v6.1-bh-lru-preempt-only",
    about: "6.1 with bh_lru_lock() leaving interrupts on",
    buffer: preempt_off_only(V6_1.buffer),
    ..V6_1.mutant()
};

/// The same where reads of other CPUs' caches say that they race.
pub static ANNOTATED_PREEMPT_OFF_ONLY: Tree = Tree {
    name: "annotated-and-preempt-only",
    about: "annotate-has-bh-in-lru-too with bh_lru_lock() leaving interrupts on",
    buffer: preempt_off_only(ANNOTATE_ALL.buffer),
    ..ANNOTATE_ALL.mutant()
};

/// kernel-lru C2.
pub static C2_SLOT_WITHOUT_REFERENCE: Tree = Tree {
    name: "v6.1-bh-lru-without-references",
    about: "6.1 with slots of a bh_lru owning no reference",
    buffer: Buffer {
        bh_lru_install: func!(installs_without_reference),
        __invalidate_bh_lrus: func!(forgets_the_slots),
        ..V6_1.buffer
    },
    ..V6_1.mutant()
};

/// kernel-lru C3.
pub static C3_MOVE_UNLOCKED: Tree = Tree {
    name: "v6.1-move-without-private-lock",
    about: "6.1 with i_private_lock dropped before the buffer ring is moved, as before \
            ebdf4de5642f",
    buffer: Buffer { ring_move: RingMove::Unlocked, ..V6_1.buffer },
    ..V6_1.mutant()
};

/// kernel-migrate DM1: `unlock_buffer()` without its `smp_mb__after_atomic()`.
pub static UNLOCK_BUFFER_NO_BARRIER: Tree = Tree {
    aliases: &["DM1"],
    ..V6_1.edited(
        "v6.1-unlock-buffer-no-mb",
        "6.1 with the smp_mb__after_atomic() of unlock_buffer() dropped",
        &[Edit::drop(Site::of("smp_mb__after_atomic").within("unlock_buffer"))],
    )
};
