//! The kernel's functions, modelled: one file per kernel file, one function per kernel function,
//! the same names, the same order of steps, the same early exits.
//!
//! A [`Tree`] says which way each function and each named decision goes that differs between
//! releases and patches. Releases are folded from [`commits`]; patches and deliberate mistakes are
//! in `src/trees/`. A function that is the same in every tree is called directly.
//!
//! To read a model beside its C: a comment above each function names the file and the release it
//! was modelled on, and says what is left out and why that is sound.
//!
//! **Invariant:** no claim and no schedule in here, and nothing of an engine.

#[macro_use]
mod decisions;
#[macro_use]
mod func;

mod asked;
pub mod commits;
pub mod drivers;
pub mod fs {
    //! fs/
    pub mod buffer;
    pub mod ext4;
    pub mod fuse;
    pub mod iomap;
    pub mod jbd2;
}
pub mod mm {
    //! mm/
    pub mod balloon_compaction;
    pub mod compaction;
    pub mod filemap;
    pub mod gup;
    pub mod hugetlb;
    pub mod memory;
    pub mod memory_hotplug;
    pub mod mempolicy;
    pub mod migrate;
    pub mod mlock;
    pub mod movable;
    pub mod page_alloc;
    pub mod page_writeback;
    pub mod readahead;
    pub mod rmap;
    pub mod swap;
    pub mod vmscan;
    pub mod zsmalloc;
}
pub mod sched {
    //! kernel/sched/
    pub mod wait;
    pub mod wait_bit;
}
pub mod functions;
mod kernel;
pub mod left_out;
mod machine;
pub mod replaced;
mod mutants {
    //! Mistakes of ours, as functions that a tree names in place of the kernel's.
    pub mod batches;
    pub mod buffer;
    pub mod folio_lock;
    pub mod lru;
    pub mod migrate;
    pub mod movable;
    pub mod movable_driver;
}
mod tree;
pub mod trees;
mod version;

pub use asked::Asked;
pub use commits::Commit;
pub use decisions::Decision;
pub use func::Func;
pub use kernel::{
    BH_ASYNC_READ, BH_ASYNC_WRITE, BH_DIRTY, BH_LOCK, BH_MIGRATE, BH_UPTODATE, BufferHead, DEVICE,
    EVICTABLE, Folio, Kernel, NOT_LINKED, PAGE_CACHE, PG_ACTIVE, PG_DIRTY, PG_LOCKED, PG_LRU,
    PG_MLOCKED, PG_PRIVATE, PG_REFERENCED, PG_SWAPBACKED, PG_UNEVICTABLE, PG_UPTODATE, PG_WAITERS,
    PG_WRITEBACK, UNEVICTABLE,
};
pub use machine::{Initial, Machine, Modelled, Sizes};
#[doc(hidden)]
pub use tree::changes;
pub use tree::{Change, Kind, Tree};
pub use version::Version;

/// What this crate was compiled from, for fingerprints: they say whether a verdict that was reached
/// before may have changed.
pub static SOURCES: include_dir::Dir<'static> =
    include_dir::include_dir!("$CARGO_MANIFEST_DIR/src");
