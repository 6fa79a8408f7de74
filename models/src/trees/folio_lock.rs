//! The folio lock through its history (L0, L1, L2 of kernel-migrate 0), and its mutants.
//!
//! The trees differ in mm/filemap.c only; the rest is 6.1 in all of them.

use super::V6_1;
use crate::Tree;
use crate::mm::filemap::{Filemap, FolioLockFault, GivingUp, PageWait};
use crate::tree::Kind;

const fn release(name: &'static str, about: &'static str, wait: PageWait) -> Tree {
    let filemap = Filemap { wait, ..Filemap::SINCE_5_9 };
    Tree { name, kind: Kind::Release, base: name, about, filemap, ..V6_1 }
}

/// Up to 4.13: the waiter looks for a signal before it tries the bit.
pub static L0_SIGNAL_FIRST: Tree = release(
    "L0-signal-first",
    "4.13, before a8b169afbf06: a woken waiter looks for a signal before it tries PG_locked",
    PageWait::RetrySignalFirst,
);

/// 4.14 to 5.8: the waiter retries itself.
pub static L0: Tree = release(
    "L0",
    "4.14 to 5.8: a woken waiter tries PG_locked itself, then looks for a signal (a8b169afbf06)",
    PageWait::Retry,
);

/// 5.9-rc: the waker always takes the bit for an exclusive waiter.
pub static L1: Tree =
    release("L1", "5.9-rc: the lock is always handed over (2a9127fcf229)", PageWait::HandOff);

/// Since 5.9: bounded stealing; an unfairness of 1.
pub static L2: Tree = release(
    "L2",
    "5.9 to 6.12: stealing, up to sysctl_page_lock_unfairness times, here 1 (5ef64cc8987a)",
    PageWait::Bounded,
);

/// The sysctl set to 0.
pub static L2_UNFAIRNESS_0: Tree = Tree {
    name: "L2-unfairness-0",
    base: "L2",
    about: "L2 with sysctl_page_lock_unfairness = 0: the lock is always handed over",
    filemap: Filemap { unfairness: 0, ..L2.filemap },
    ..L2
};

/// The sysctl set to a number that nobody counts up to.
pub static L2_UNFAIRNESS_INF: Tree = Tree {
    name: "L2-unfairness-inf",
    base: "L2",
    about: "L2 with sysctl_page_lock_unfairness = INT_MAX: the lock is never handed over",
    filemap: Filemap { unfairness: Filemap::UNLIMITED, ..L2.filemap },
    ..L2
};

/// Ours: what a8b169afbf06 did for L0, done for L2.
pub static L2_TRIES_THE_BIT: Tree = Tree {
    name: "L2-tries-the-bit",
    kind: Kind::Patch,
    base: "L2",
    about: "L2, and a waiter that gives up tries PG_locked once if it has been woken for it",
    filemap: Filemap { giving_up: GivingUp::TriesTheBit, ..L2.filemap },
    ..L2
};

const fn mutant(name: &'static str, about: &'static str, fault: FolioLockFault) -> Tree {
    let filemap = Filemap { fault, ..Filemap::SINCE_5_9 };
    Tree { name, kind: Kind::Mutant, base: "L2", about, filemap, ..V6_1 }
}
