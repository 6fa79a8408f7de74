//! The folio lock: our fix, and its mutants. Some claim must catch each, or say why none can.

use selvedge_kernel::edits::{Edit, How, Site, Until};

use super::{V6_1, V6_1_UNFAIRNESS_0};
use crate::mm::filemap::{Filemap, GivingUp};
use crate::mutants::folio_lock::*;
use crate::{Commit, Tree};

/// What a8b169afbf06 did for 4.14, done for the wait since 5.9.
static TRIES_THE_BIT: Commit = Commit::posted(
    "ours: a waiter that gives up tries PG_locked once if it has been woken for it",
    &[set!(filemap.giving_up = GivingUp::TriesTheBit)],
);

/// 6.1 with our fix.
pub static V6_1_TRIES_THE_BIT: Tree = Tree {
    name: "v6.1-tries-the-bit",
    aliases: &["L2-tries-the-bit"],
    about: TRIES_THE_BIT.title,
    ..V6_1.patched(&[&TRIES_THE_BIT])
};

/// 6.1 with these steps changed.
const fn steps(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    edits: &'static [Edit],
) -> Tree {
    Tree { aliases, ..V6_1.edited(name, about, edits) }
}

/// The same, where the lock is always handed over.
const fn handed_over(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    edits: &'static [Edit],
) -> Tree {
    Tree { aliases, ..V6_1_UNFAIRNESS_0.edited(name, about, edits) }
}

/// 6.1 with a function of ours.
const fn body(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    filemap: Filemap,
) -> Tree {
    Tree { name, aliases, about, filemap, ..V6_1.mutant() }
}

/// `folio_set_waiters()`
const SET_WAITERS: Site = Site::of("set_bit").on("PG_waiters");
/// `folio_clear_waiters()`
const CLEAR_WAITERS: Site = Site::of("clear_bit").on("PG_waiters");
/// The waiter stores its state.
const STATE: Site = Site::of("WRITE_ONCE").on("task->__state").within("folio_wait_bit_common");
/// The waiter looks at its flags.
const FLAGS: Site = Site::of("smp_load_acquire").on("wait.flags");
/// The waiter looks whether it is on the queue.
const ENTRY: Site = Site::of("smp_load_acquire").on("wait.entry");
/// The reference that `folio_end_writeback()` takes.
const END_WRITEBACK_GET: Site = Site::of("atomic_inc").within("folio_end_writeback");
/// And puts; where it has taken none, this is not the last.
const END_WRITEBACK_PUT_LEFT_OUT: Edit = Edit {
    at: Site::of("atomic_sub_and_test").within("folio_end_writeback"),
    how: How::Drop { answer: 2 },
};

/// kernel-migrate AM8.
pub static AM8_RELAXED_TRYLOCK: Tree = steps(
    "v6.1-trylock-relaxed",
    &[],
    "6.1 with folio_trylock() acquiring nothing",
    &[Edit::relax(Site::of("test_and_set_bit_lock").on("PG_locked"))],
);

/// kernel-migrate AM8.
pub static AM8_RELAXED_UNLOCK: Tree = steps(
    "v6.1-unlock-relaxed",
    &[],
    "6.1 with folio_unlock() releasing nothing",
    &[Edit::relax(Site::of("xor_unlock_is_negative_byte"))],
);

/// kernel-migrate AM1.
pub static AM1_NO_WAITERS_BIT: Tree = steps(
    "v6.1-no-waiters-bit",
    &[],
    "6.1 with a waiter that does not set PG_waiters",
    &[Edit::drop(SET_WAITERS)],
);

/// kernel-migrate AM2.
pub static AM2_WAITERS_BIT_TOO_LATE: Tree = steps(
    "v6.1-waiters-bit-too-late",
    &[],
    "6.1 with PG_waiters set after the look at PG_locked",
    &[Edit::delay(SET_WAITERS, Until::NextStep)],
);

/// kernel-migrate AM4.
pub static AM4_WAITERS_BIT_ALWAYS_CLEARED: Tree = body(
    "v6.1-waiters-bit-always-cleared",
    &[],
    "6.1 with folio_wake_bit() clearing PG_waiters whoever still waits",
    Filemap { wake_page_function: func!(forgets_waiters), ..V6_1.filemap },
);

/// kernel-migrate AM12.
pub static AM12_STATE_TOO_LATE: Tree = steps(
    "v6.1-state-too-late",
    &[],
    "6.1 with the waiter's state stored after the look at its flags",
    &[Edit::delay(STATE.nth(0), Until::Site(FLAGS))],
);

/// kernel-migrate A.5, 3.
pub static A5_NO_BARRIER_AFTER_STATE: Tree = steps(
    "v6.1-no-mb-after-state",
    &[],
    "6.1 with __set_current_state() in place of set_current_state()",
    &[Edit::drop(Site::of("smp_mb").within("folio_wait_bit_common"))],
);

/// kernel-migrate AM3.
pub static AM3_QUEUED_TOO_LATE: Tree = body(
    "v6.1-queued-too-late",
    &["L2-queued-too-late"],
    "6.1 with a waiter that looks at the bit, lets the queue go, and queues itself then",
    Filemap { folio_trylock_flag: func!(lets_queue_go_after_look), ..V6_1.filemap },
);

/// kernel-migrate AM5.
pub static AM5_WAITERS_BIT_CLEARED_UNLOCKED: Tree = steps(
    "v6.1-waiters-bit-cleared-unlocked",
    &["L2-waiters-bit-cleared-unlocked"],
    "6.1 with folio_wake_bit() clearing PG_waiters after it has let the queue go",
    &[Edit::delay(CLEAR_WAITERS, Until::NextStep)],
);

/// kernel-migrate AM6.
pub static AM6_MATCH_BY_BIT: Tree = body(
    "v6.1-match-by-bit",
    &["L2-match-by-bit"],
    "6.1 with folio_wake_bit() clearing PG_waiters if nobody waits for this bit",
    Filemap { wake_page_function: func!(matches_by_bit), ..V6_1.filemap },
);

/// kernel-migrate AM7.
pub static AM7_WAITERS_BIT_READ_FIRST: Tree = body(
    "v6.1-waiters-bit-read-first",
    &["L2-waiters-bit-read-first"],
    "6.1 with folio_unlock() looking at PG_waiters before it clears PG_locked",
    Filemap { folio_xor_flags_has_waiters: func!(reads_waiters_first), ..V6_1.filemap },
);

/// kernel-migrate AM9.
pub static AM9_WAITERS_BIT_ELSEWHERE: Tree = body(
    "v6.1-waiters-bit-elsewhere",
    &["L2-waiters-bit-elsewhere"],
    "6.1 with PG_waiters in a word of its own",
    Filemap {
        folio_set_waiters: func!(sets_waiters_elsewhere),
        folio_clear_waiters: func!(clears_waiters_elsewhere),
        folio_xor_flags_has_waiters: func!(unlocks_and_looks_elsewhere),
        ..V6_1.filemap
    },
);

/// kernel-migrate AM10.
pub static AM10_UNLINKED_BEFORE_WOKEN: Tree = body(
    "v6.1-unlinked-before-woken",
    &["L2-unlinked-before-woken"],
    "6.1 with the waiter off the queue before its flags say WOKEN",
    Filemap { wake_page_function: func!(unlinks_before_woken), ..V6_1.filemap },
);

/// kernel-migrate AM10.
pub static AM10_UNLINKED_BEFORE_WAKE_UP: Tree = body(
    "v6.1-unlinked-before-wake-up",
    &["L2-unlinked-before-wake-up"],
    "6.1 with the waiter off the queue before its task is woken",
    Filemap { wake_page_function: func!(unlinks_before_wake_up), ..V6_1.filemap },
);

/// kernel-migrate AM11.
pub static AM11_READ_AFTER_UNLINK: Tree = body(
    "v6.1-read-after-unlink",
    &["L2-read-after-unlink"],
    "6.1 with a waker that looks at the entry after list_del_init_careful()",
    Filemap { wake_page_function: func!(reads_after_unlink), ..V6_1.filemap },
);

/// The two bits of folio_end_read() in two steps, and the wrong order.
pub static UPTODATE_TOO_LATE: Tree = body(
    "v6.1-uptodate-too-late",
    &["L2-uptodate-too-late"],
    "6.1 with folio_end_read() unlocking before it sets PG_uptodate",
    Filemap { folio_xor_flags_has_waiters: func!(marks_uptodate_too_late), ..V6_1.filemap },
);

/// kernel-migrate AM14.
pub static AM14_NOT_REQUEUED: Tree = body(
    "v6.1-not-requeued",
    &["L2-not-requeued"],
    "6.1 with a waiter that was robbed of the bit sleeping on without queueing again",
    Filemap { folio_trylock_flag: func!(queues_once), ..V6_1.filemap },
);

/// kernel-migrate AM15; folio_end_writeback() before 073861ed77b6.
pub static AM15_END_WRITEBACK_WITHOUT_REFERENCE: Tree = steps(
    "v6.1-end-writeback-no-ref",
    &["L2-end-writeback-no-ref"],
    "6.1 with folio_end_writeback() taking no reference, as before 073861ed77b6",
    &[Edit::drop(END_WRITEBACK_GET), END_WRITEBACK_PUT_LEFT_OUT],
);

/// kernel-migrate AM16; wait_on_page_writeback() before c2407cf7d22d.
pub static AM16_WAIT_WRITEBACK_ONCE: Tree = steps(
    "v6.1-wait-writeback-once",
    &["L2-wait-writeback-once"],
    "6.1 with folio_wait_writeback() waiting once, as before c2407cf7d22d",
    &[Edit::drop(Site::of("test_bit").within("folio_wait_writeback").nth(1))],
);

/// What is the difference between the two states.
pub static LOCKS_INTERRUPTIBLY: Tree = body(
    "v6.1-lock-killable-interruptible",
    &[],
    "6.1 with folio_lock_killable() sleeping in TASK_INTERRUPTIBLE",
    Filemap { folio_wait_bit_common: func!(waits_interruptibly), ..V6_1.filemap },
);

/// kernel-migrate AM17.
pub static AM17_PUT_BEFORE_QUEUEING: Tree = body(
    "v6.1-put-before-queueing",
    &["L2-put-before-queueing"],
    "6.1 with folio_put_wait_locked() putting its reference before it queues",
    Filemap { folio_wait_bit_common: func!(puts_before_queueing), ..V6_1.filemap },
);

/// kernel-migrate AM18: not wrong.
pub static AM18_WAKES_ALL: Tree = body(
    "v6.1-wakes-all",
    &["L2-wakes-all"],
    "6.1 with folio_wake_bit() waking every exclusive waiter: a thundering herd, and no more",
    Filemap { wake_page_function: func!(wakes_all), ..V6_1.filemap },
);

/// kernel-migrate AM19.
pub static AM19_PASSES_OVER: Tree = Tree {
    name: "v6.1-passes-over",
    aliases: &["L2-passes-over"],
    about: "v6.1-unfairness-0 with a waker that goes on past who cannot be handed the bit",
    filemap: Filemap { wake_page_function: func!(passes_over), ..V6_1_UNFAIRNESS_0.filemap },
    ..V6_1_UNFAIRNESS_0.mutant()
};

/// kernel-migrate AM20.
pub static AM20_PTL_DROPPED_FIRST: Tree = body(
    "v6.1-ptl-dropped-first",
    &["L2-ptl-dropped-first"],
    "6.1 with migration_entry_wait_on_locked() dropping ptl before it queues",
    Filemap { migration_entry_wait_on_locked: func!(drops_ptl_before_queueing), ..V6_1.filemap },
);

/// kernel-migrate A.5, 5.
pub static A5_RELAXED_FLAGS: Tree = handed_over(
    "v6.1-unfairness-0-flags-relaxed",
    &["L2-unfairness-0-flags-relaxed"],
    "v6.1-unfairness-0 with a waiter that looks at its flags without acquire",
    &[Edit::relax(FLAGS)],
);

/// kernel-migrate A.5, 5 and 6.
pub static A5_RELAXED_FLAGS_AND_ENTRY: Tree = handed_over(
    "v6.1-unfairness-0-flags-and-entry-relaxed",
    &["L2-unfairness-0-flags-and-entry-relaxed"],
    "v6.1-unfairness-0 with a waiter that looks at its flags and at its entry without acquire",
    &[Edit::relax(FLAGS), Edit::relax(ENTRY)],
);
