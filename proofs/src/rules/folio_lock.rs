//! The folio lock, the buffer lock, and the writeback bit.

use selvedge_kernel::{Var, fail_about};
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

pub(super) const IDS_OF_FOLIO_LOCK: Ids = &[
    ("one-writer", CONTENTS_HAVE_ONE_WRITER),
    ("robbed-once", A_WAITER_IS_ROBBED_AT_MOST_ONCE),
    ("writeback-over", WRITEBACK_IS_OVER),
    ("read-seen", WHO_WAITED_FOR_A_READ_SEES_IT),
];

/// [`CONTENTS_HAVE_ONE_WRITER`]: nothing is lost if each holder saw what the one before it left.
pub fn each_holder_added_one(k: &Run, holders: u64) {
    let folio = &k.folios[0];
    let found = folio.contents.peek();
    if found != holders {
        let message = format!("{holders} holders added 1 each, the contents are {found}");
        fail_about(CONTENTS_HAVE_ONE_WRITER, message, folio.contents.object());
    }
    if folio.flags.peek(PG_LOCKED) {
        fail_about(CONTENTS_HAVE_ONE_WRITER, "folio0 is left locked", folio.flags.object());
    }
}

/// [`CONTENTS_HAVE_ONE_WRITER`], of the contents of bh0, to which two holders added 1 each.
pub fn no_addition_to_a_buffer_is_lost(k: &Run) {
    let contents: &Var = &k.buffer_heads[0].contents;
    if contents.peek() != 2 {
        fail_about(CONTENTS_HAVE_ONE_WRITER, "an addition was lost", contents.object());
    }
}
