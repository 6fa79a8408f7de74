//! Which decisions of its tree the models ask for while they run.
//!
//! Two trees that give the same answer to everything that a search has asked of one of them are the
//! same program to that search: what it has found of the one it would find of the other, step for
//! step. So a decision is asked for by a function that notes it, `k.tree.swap.lru_claim()`, and
//! never read as a field; a test looks for that in the sources. What has no such function (the
//! `alone` decisions of [`crate::Tree`], and what is in place of functions that other trees share)
//! counts as asked for.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The kernel files that have decisions, as `decisions!` names them.
const FILES: [&str; 13] = [
    "fs/buffer.c",
    "fs/fuse/file.c",
    "fs/iomap/buffered-io.c",
    "mm/filemap.c",
    "mm/gup.c",
    "mm/memory.c",
    "mm/memory_hotplug.c",
    "mm/migrate.c",
    "mm/page-writeback.c",
    "mm/rmap.c",
    "mm/swap.c",
    "mm/vmscan.c",
    "movable pages",
];

thread_local! {
    /// Where the models that run on this thread note what they ask for.
    static NOTES: RefCell<Option<Arc<Asked>>> = const { RefCell::new(None) };
}

/// The decisions that were asked for: a bit for each of a file, in the order in which the file
/// declares them.
#[derive(Default, Debug)]
pub struct Asked([AtomicU64; FILES.len()]);

impl Asked {
    /// From now on, what models ask for on this thread is noted here. To be called by the body of
    /// a search, which may run on several threads.
    pub fn note_here(self: &Arc<Asked>) {
        NOTES.with_borrow_mut(|notes| {
            if !notes.as_ref().is_some_and(|known| Arc::ptr_eq(known, self)) {
                *notes = Some(self.clone());
            }
        });
    }

    /// Was this decision of the file asked for, by its place in the list?
    pub(crate) fn has(&self, file: usize, decision: usize) -> bool {
        self.0[file].load(Ordering::Relaxed) & (1 << decision) != 0
    }

    /// Was none asked for?
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|file| file.load(Ordering::Relaxed) == 0)
    }
}

/// The number of a file, at compile time.
pub(crate) const fn place(path: &str) -> usize {
    let mut at = 0;
    while at < FILES.len() {
        if is_same(FILES[at].as_bytes(), path.as_bytes()) {
            return at;
        }
        at += 1;
    }
    panic!("a kernel file with decisions is named in models/src/asked.rs")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// This decision of the file is asked for.
#[inline]
pub(crate) fn note(file: usize, decision: usize) {
    NOTES.with_borrow(|notes| {
        if let Some(asked) = notes
            && !asked.has(file, decision)
        {
            asked.0[file].fetch_or(1 << decision, Ordering::Relaxed);
        }
    });
}
