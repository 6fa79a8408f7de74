//! The folio lock, the buffer lock, and the writeback bit.

use selvedge_kernel::{Bit, Flags, Var, fail_about, task_is_running};
use selvedge_models::PG_LOCKED;
use selvedge_trace::Rule;

use super::Ids;
use crate::Run;

/// What the folio lock is for.
pub const CONTENTS_HAVE_ONE_WRITER: Rule = Rule("the contents of a locked folio have one writer");
/// What `sysctl_page_lock_unfairness` bounds; the scenarios' is 1.
pub const A_WAITER_IS_ROBBED_AT_MOST_ONCE: Rule =
    Rule("a waiter finds the lock stolen at most once");
/// What the caller of `folio_wait_writeback()` relies on if it holds the folio lock.
pub const WRITEBACK_IS_OVER: Rule =
    Rule("folio_wait_writeback() under the folio lock returns with PG_writeback clear");
/// What `folio_end_read()` says with the bit that it sets as it unlocks.
pub const WHO_WAITED_FOR_A_READ_SEES_IT: Rule =
    Rule("who has waited for the lock of a read sees PG_uptodate");
/// What `finish_wait()` says first: whoever is not waiting any more and is preempted goes on.
pub const WHO_HAS_WAITED_RUNS: Rule = Rule("a task whose wait is over is running");
/// What the caller of a killable function relies on: if it failed, the task will not see user space
/// again, and need not be able to go on.
pub const ONLY_WHAT_KILLS_ENDS_A_KILLABLE_WAIT: Rule =
    Rule("a signal that does not kill ends no killable wait");
/// What atomic bit operations are for: a word of flags has writers who hold no lock in common.
pub const NO_FLAG_OF_OTHERS_IS_LOST: Rule =
    Rule("a flag that is set while others of its word change stays set");

pub(super) const IDS_OF_FOLIO_LOCK: Ids = &[
    ("one-writer", CONTENTS_HAVE_ONE_WRITER),
    ("robbed-once", A_WAITER_IS_ROBBED_AT_MOST_ONCE),
    ("writeback-over", WRITEBACK_IS_OVER),
    ("read-seen", WHO_WAITED_FOR_A_READ_SEES_IT),
    ("runs", WHO_HAS_WAITED_RUNS),
    ("only-kills", ONLY_WHAT_KILLS_ENDS_A_KILLABLE_WAIT),
    ("flag-kept", NO_FLAG_OF_OTHERS_IS_LOST),
];

/// [`CONTENTS_HAVE_ONE_WRITER`]: nothing is lost if each holder saw what the one before it left.
pub fn each_holder_added_one(k: &Run, holders: u64) {
    nothing_added_is_lost(k, holders);
    no_folio_is_left_locked(k);
}

/// The same of holders that may have the folio locked still.
pub fn nothing_added_is_lost(k: &Run, holders: u64) {
    let folio = &k.folios[0];
    let found = folio.contents.peek();
    if found != holders {
        let message = format!("{holders} holders added 1 each, the contents are {found}");
        fail_about(CONTENTS_HAVE_ONE_WRITER, message, folio.contents.object());
    }
}

/// [`CONTENTS_HAVE_ONE_WRITER`], when all have unlocked what they had locked: since 6.7 who unlocks
/// a folio that somebody else has unlocked locks it.
pub fn no_folio_is_left_locked(k: &Run) {
    if let Some(folio) = k.folios.iter().find(|folio| folio.flags.peek(PG_LOCKED)) {
        let message = format!("folio{} is left locked", folio.index);
        fail_about(CONTENTS_HAVE_ONE_WRITER, message, folio.flags.object());
    }
}

/// [`CONTENTS_HAVE_ONE_WRITER`], of the contents of bh0, to which each holder added 1.
pub fn no_addition_to_a_buffer_is_lost(k: &Run, holders: u64) {
    let contents: &Var = &k.buffer_heads[0].contents;
    if contents.peek() != holders {
        fail_about(CONTENTS_HAVE_ONE_WRITER, "an addition was lost", contents.object());
    }
}

/// [`NO_FLAG_OF_OTHERS_IS_LOST`], of a bit that somebody set in the word and nobody clears.
pub fn the_flag_is_kept(word: &Flags, bit: Bit) {
    if !word.peek(bit) {
        let message = format!("{} was set, and is clear", bit.name);
        fail_about(NO_FLAG_OF_OTHERS_IS_LOST, message, word.object());
    }
}

/// [`WHO_HAS_WAITED_RUNS`], of the first sleeper, asked by itself.
pub fn who_has_waited_runs(k: &Run) {
    let task = k.sleepers[0].task();
    if !task_is_running(task) {
        let message = "the wait is over, and the state is still that of a sleeper";
        fail_about(WHO_HAS_WAITED_RUNS, message, task.object());
    }
}
