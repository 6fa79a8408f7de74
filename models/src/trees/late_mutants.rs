//! Steps of 6.12.117 that are left out, each of which some claim needs.

use selvedge_kernel::edits::{Edit, Site};

use crate::Tree;
use crate::trees::V6_12_117;

/// 6.12.117 with these steps changed.
const fn late_steps(name: &'static str, about: &'static str, edits: &'static [Edit]) -> Tree {
    Tree { name, about, edits, ..V6_12_117.mutant() }
}

/// What `spin_lock_irq()` is there for.
const fn irqs_off(function: &'static str) -> Edit {
    Edit::drop_pair(Site::of("local_irq_disable").on("cpu.irq").within(function))
}

/// lru_lock is taken by interrupts: `folio_rotate_reclaimable()`.
pub static LRU_LOCK_IRQS_ON: Tree = late_steps(
    "v6.12.117-lru-lock-irqs-on",
    "6.12.117 with folio_isolate_lru() taking lru_lock with interrupts on",
    &[irqs_off("folio_isolate_lru")],
);

/// The lock of a folio's wait queue is taken by interrupts: `folio_end_writeback()`.
pub static QUEUE_LOCK_IRQS_ON: Tree = late_steps(
    "v6.12.117-queue-lock-irqs-on",
    "6.12.117 with folio_wait_bit_common() taking the queue's lock with interrupts on",
    &[irqs_off("folio_wait_bit_common")],
);

/// What `folio_migrate_flags()` is there for.
pub static MIGRATE_NO_FLAGS: Tree = late_steps(
    "v6.12.117-migrate-no-flags",
    "6.12.117 with migrate_folio() not setting PG_active of the new folio",
    &[Edit::drop(Site::of("set_bit").on("PG_active").within("migrate_folio"))],
);

/// What the move of an activate batch is there for.
pub static ACTIVATE_NO_FLAG: Tree = late_steps(
    "v6.12.117-activate-no-flag",
    "6.12.117 with the move of an activate batch not setting PG_active",
    &[Edit::drop(Site::of("set_bit").on("PG_active").within("folio_batch_move_lru"))],
);

/// What an atomic bit operation is there for: `lru_lock` keeps nobody from the other flags.
pub static ACTIVE_NOT_ATOMIC: Tree = late_steps(
    "v6.12.117-active-not-atomic",
    "6.12.117 with the move of an activate batch setting PG_active as __set_bit() does",
    &[Edit::split(Site::of("set_bit").on("PG_active").within("folio_batch_move_lru"))],
);

/// What `finish_wait()` does first.
pub static FINISH_WAIT_NO_STATE: Tree = late_steps(
    "v6.12.117-finish-wait-no-state",
    "6.12.117 with finish_wait() not storing TASK_RUNNING, in a wait of one round for a buffer",
    &[Edit::drop(Site::of("WRITE_ONCE").on("task->__state").within("__wait_on_bit_lock").nth(1))],
);
