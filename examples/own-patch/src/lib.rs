//! Two patches of 2022 to Linux 5.15, written in a crate of their own.
//!
//! `lru_cache_disable()` counts up, then makes every CPU drain its caches, and counts on whoever
//! looks at the counter later to see it. Marcelo Tosatti's patch waits for RCU readers in place of
//! running work on every CPU; Minchan Kim's moves the look in `bh_lru_install()` into such a
//! reader.

use selvedge_kernel::{atomic_inc, enter, synchronize_rcu};
use selvedge_models::fs::buffer::InstallCheck;
use selvedge_models::mm::swap::ForcedDrain;
use selvedge_models::trees::V5_15;
use selvedge_models::{Commit, Kernel, Tree, func, set};

/// `lru_cache_disable()`, mm/swap.c, as the first patch has it.
pub fn lru_cache_disable(k: &Kernel) {
    let _in = enter("lru_cache_disable");
    atomic_inc(&k.pending_count);
    synchronize_rcu(&k.cpus);
    (k.tree.swap.__lru_add_drain_all())(k, true);
}

static BY_RCU: Commit = Commit::posted(
    "mm: lru_cache_disable: replace work queue synchronization with synchronize_rcu \
     (Marcelo Tosatti, 2022-03, ff042f4a9b05)",
    &[
        set!(swap.lru_cache_disable = func!(lru_cache_disable)),
        set!(swap.forced_drain = ForcedDrain::WhereNeeded),
    ],
);

/// The first patch alone: a buffer head can still be left in a bh_lru.
pub static WAITS_FOR_RCU: Tree =
    Tree { name: "waits-for-rcu", about: BY_RCU.title, ..V5_15.patched(&[&BY_RCU]) };

static LOOKS_UNDER_LOCK: Commit = Commit::posted(
    "mm: fs: fix lru_cache_disabled race in bh_lru (Minchan Kim, 2022-03, c0226eb8bde8)",
    &[set!(buffer.install_check = InstallCheck::UnderLock)],
);

/// Both patches: none can.
pub static LOOKS_UNDER_LOCK_TOO: Tree = Tree {
    name: "looks-under-lock-too",
    about: LOOKS_UNDER_LOCK.title,
    ..WAITS_FOR_RCU.patched(&[&LOOKS_UNDER_LOCK])
};
