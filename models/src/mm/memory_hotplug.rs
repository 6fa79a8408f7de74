//! `offline_pages()`, as a caller of `lru_cache_disable()` since 5.13.
//!
//! Kept: the failure labels and what each undoes. Left out: isolation and migration themselves.
//! Source: mm/memory_hotplug.c of 5.14-rc5 and 6.1 lines 1790-1972; 946746d1ad92.

use selvedge_kernel::{choose, enter};

use crate::Kernel;
use crate::mm::migrate::Errno;

decisions! {
    /// What differs between trees.
    pub struct MemoryHotplug of "mm/memory_hotplug.c", set by MemoryHotplugChange {
        /// What `failed_removal_pcplists_disabled` undoes.
        failed_removal: FailedRemoval,
    }
}

/// The failure path of `offline_pages()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailedRemoval {
    /// `lru_cache_disable()` is not called at all: before 5.13.
    NothingToUndo,
    /// The counter stays raised: 5.13 to 5.14-rc5.
    LeavesDisabled,
    /// `lru_cache_enable()`: since 5.14 (946746d1ad92).
    Enables,
}

/// `offline_pages()`.
pub fn offline_pages(k: &Kernel) -> Result<(), Errno> {
    let _in = enter("offline_pages");
    let undo = k.tree.memory_hotplug.failed_removal();
    if choose("walk_system_ram_range", 2) == 1 {
        return Err(Errno::Invalid);
    }
    if undo != FailedRemoval::NothingToUndo {
        (k.tree.swap.lru_cache_disable())(k);
    }
    let failed = choose("start_isolate_page_range", 2) == 1 || choose("offline loop", 2) == 1;
    if failed {
        if undo == FailedRemoval::Enables {
            (k.tree.swap.lru_cache_enable())(k);
        }
        return Err(Errno::Busy);
    }
    if undo != FailedRemoval::NothingToUndo {
        (k.tree.swap.lru_cache_enable())(k);
    }
    Ok(())
}
