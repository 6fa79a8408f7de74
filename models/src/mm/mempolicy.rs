//! `do_migrate_pages()` and `do_mbind()`, as callers of `lru_cache_disable()`.
//!
//! Kept: the order of the counter and every exit. Left out: everything that is done in between.
//! Source: mm/mempolicy.c of 5.11 with the RFC of 2021-02-11 applied; 6.1 lines 1093-1188 and
//! 1255-1356.

use selvedge_kernel::{choose, enter};

use crate::Kernel;
use crate::mm::migrate::Errno;

/// `do_migrate_pages()`: no exit between the first statement and the end of the loop over nodes.
pub fn do_migrate_pages(k: &Kernel) -> Result<(), Errno> {
    let _in = enter("do_migrate_pages");
    (k.tree.swap.lru_cache_disable())(k);
    let failed = choose("migrate_to_node", 2) == 1;
    (k.tree.swap.lru_cache_enable())(k);
    if failed { Err(Errno::Busy) } else { Ok(()) }
}

/// `do_mbind()`: only with `MPOL_MF_MOVE` or `MPOL_MF_MOVE_ALL`. Errors before the counter is
/// raised return directly, later ones go over `mpol_out`, which asks for the same flags.
pub fn do_mbind(k: &Kernel, move_pages: bool) -> Result<(), Errno> {
    let _in = enter("do_mbind");
    if choose("mpol_new", 2) == 1 {
        return Err(Errno::Invalid);
    }
    if move_pages {
        (k.tree.swap.lru_cache_disable())(k);
    }
    let result = match choose("do_mbind", 3) {
        0 => Ok(()),
        1 => Err(Errno::NoMemory),
        _ => Err(Errno::Busy),
    };
    if move_pages {
        (k.tree.swap.lru_cache_enable())(k);
    }
    result
}
