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
    kind: Kind::Setting,
    base: "L2",
    about: "L2 with sysctl_page_lock_unfairness = 0: the lock is always handed over",
    filemap: Filemap { unfairness: 0, ..L2.filemap },
    ..L2
};

/// The sysctl set to a number that nobody counts up to.
pub static L2_UNFAIRNESS_INF: Tree = Tree {
    name: "L2-unfairness-inf",
    kind: Kind::Setting,
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

/// kernel-migrate AM3.
pub static AM3_QUEUED_TOO_LATE: Tree = mutant(
    "L2-queued-too-late",
    "L2 with a waiter that looks at the bit, lets the queue go, and queues itself then",
    FolioLockFault::QueuedTooLate,
);

/// kernel-migrate AM5.
pub static AM5_WAITERS_BIT_CLEARED_UNLOCKED: Tree = mutant(
    "L2-waiters-bit-cleared-unlocked",
    "L2 with folio_wake_bit() clearing PG_waiters after it has let the queue go",
    FolioLockFault::WaitersBitClearedUnlocked,
);

/// kernel-migrate AM6.
pub static AM6_MATCH_BY_BIT: Tree = mutant(
    "L2-match-by-bit",
    "L2 with folio_wake_bit() clearing PG_waiters if nobody waits for this bit",
    FolioLockFault::MatchByBit,
);

/// kernel-migrate AM7.
pub static AM7_WAITERS_BIT_READ_FIRST: Tree = mutant(
    "L2-waiters-bit-read-first",
    "L2 with folio_unlock() looking at PG_waiters before it clears PG_locked",
    FolioLockFault::WaitersBitReadFirst,
);

/// kernel-migrate AM9.
pub static AM9_WAITERS_BIT_ELSEWHERE: Tree = mutant(
    "L2-waiters-bit-elsewhere",
    "L2 with PG_waiters in a word of its own",
    FolioLockFault::WaitersBitElsewhere,
);

/// kernel-migrate AM10.
pub static AM10_UNLINKED_BEFORE_WOKEN: Tree = mutant(
    "L2-unlinked-before-woken",
    "L2 with the waiter off the queue before its flags say WOKEN",
    FolioLockFault::UnlinkedBeforeWoken,
);

/// kernel-migrate AM10.
pub static AM10_UNLINKED_BEFORE_WAKE_UP: Tree = mutant(
    "L2-unlinked-before-wake-up",
    "L2 with the waiter off the queue before its task is woken",
    FolioLockFault::UnlinkedBeforeWakeUp,
);

/// kernel-migrate AM11.
pub static AM11_READ_AFTER_UNLINK: Tree = mutant(
    "L2-read-after-unlink",
    "L2 with a waker that looks at the entry after list_del_init_careful()",
    FolioLockFault::ReadAfterUnlink,
);

/// The two bits of folio_end_read() in two steps, and the wrong order.
pub static UPTODATE_TOO_LATE: Tree = mutant(
    "L2-uptodate-too-late",
    "L2 with folio_end_read() unlocking before it sets PG_uptodate",
    FolioLockFault::UptodateTooLate,
);

/// kernel-migrate AM14.
pub static AM14_NOT_REQUEUED: Tree = mutant(
    "L2-not-requeued",
    "L2 with a waiter that was robbed of the bit sleeping on without queueing again",
    FolioLockFault::NotRequeued,
);

/// kernel-migrate AM15; folio_end_writeback() before 073861ed77b6.
pub static AM15_END_WRITEBACK_WITHOUT_REFERENCE: Tree = mutant(
    "L2-end-writeback-no-ref",
    "L2 with folio_end_writeback() taking no reference, as before 073861ed77b6",
    FolioLockFault::EndWritebackWithoutReference,
);

/// kernel-migrate AM16; wait_on_page_writeback() before c2407cf7d22d.
pub static AM16_WAIT_WRITEBACK_ONCE: Tree = mutant(
    "L2-wait-writeback-once",
    "L2 with folio_wait_writeback() waiting once, as before c2407cf7d22d",
    FolioLockFault::WaitWritebackOnce,
);

/// kernel-migrate AM17.
pub static AM17_PUT_BEFORE_QUEUEING: Tree = mutant(
    "L2-put-before-queueing",
    "L2 with folio_put_wait_locked() putting its reference before it queues",
    FolioLockFault::PutBeforeQueueing,
);

/// kernel-migrate AM18: not wrong.
pub static AM18_WAKES_ALL: Tree = mutant(
    "L2-wakes-all",
    "L2 with folio_wake_bit() waking every exclusive waiter: a thundering herd, and no more",
    FolioLockFault::WakesAll,
);

/// kernel-migrate AM19.
pub static AM19_PASSES_OVER: Tree = Tree {
    name: "L2-passes-over",
    about: "L2 without stealing, and a waker that goes on past a waiter that it cannot hand the bit",
    filemap: Filemap { fault: FolioLockFault::PassesOver, ..L2_UNFAIRNESS_0.filemap },
    kind: Kind::Mutant,
    base: "L2-unfairness-0",
    ..L2
};

/// kernel-migrate AM20.
pub static AM20_PTL_DROPPED_FIRST: Tree = mutant(
    "L2-ptl-dropped-first",
    "L2 with migration_entry_wait_on_locked() dropping ptl before it queues",
    FolioLockFault::PtlDroppedFirst,
);

const fn handed_over(name: &'static str, about: &'static str, fault: FolioLockFault) -> Tree {
    let filemap = Filemap { fault, ..L2_UNFAIRNESS_0.filemap };
    Tree { name, kind: Kind::Mutant, base: "L2-unfairness-0", about, filemap, ..L2_UNFAIRNESS_0 }
}

/// kernel-migrate A.5, 5.
pub static A5_RELAXED_FLAGS: Tree = handed_over(
    "L2-unfairness-0-flags-relaxed",
    "L2-unfairness-0 with a waiter that looks at its flags without acquire",
    FolioLockFault::RelaxedFlags,
);

/// kernel-migrate A.5, 5 and 6.
pub static A5_RELAXED_FLAGS_AND_ENTRY: Tree = handed_over(
    "L2-unfairness-0-flags-and-entry-relaxed",
    "L2-unfairness-0 with a waiter that looks at its flags and at its entry without acquire",
    FolioLockFault::RelaxedFlagsAndEntry,
);
