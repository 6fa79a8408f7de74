//! A compare-and-exchange loop, as one step.

use crate::{Kind, Op, Outcome, refine, step};

/// Takes an update loop as the one step that it is equivalent to. An update loop loads a word,
/// computes a new value, and stores it by a compare-and-exchange; if that fails it starts again
/// with what is there now; it gives up if there is no new value. std's `fetch_update` is this loop.
///
/// `op` announces an access to the word: the bits that the computation looks at, and those that it
/// may change. (That the exchange compares the others too makes it fail, and be tried again.)
/// `update` runs once, as the step: it changes the word (`Ok`), or leaves it alone (`Err`, and the
/// step turns out to have only read). Under [`crate::Stateful`] the caller still has to say what it
/// saw ([`crate::observe`]).
///
/// # Why the loop is one step
///
/// An iteration whose compare-and-exchange fails changes nothing, and what it loaded is thrown
/// away. The iteration that succeeds finds at its compare-and-exchange the value that it loaded;
/// had it loaded right before, it would have loaded the same, even if the word has changed and
/// changed back since. An iteration that gives up is a load. So every execution of the loop ends as
/// one in which all of the loop happens at its last step; and every such execution is one of the
/// loop, in which nobody came between.
///
/// That is so under sequential consistency, and if
/// - an iteration depends on nothing but the word and what the task knew before the loop: no value,
///   no count of failures is kept from one iteration to the next;
/// - the exchange compares at least what the computation looked at;
/// - the computation takes no step and has no effect of its own.
///
/// Final states and deadlocks are preserved. Failed iterations are not seen, hence neither is a
/// loop that fails for ever, for which others have to change the word for ever.
///
/// # Panics
/// If `op` is not an access that reads and writes.
pub fn update_loop<T, E>(op: Op, update: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let is_update = matches!(op.kind, Kind::Access(of) if of.reads != 0 && of.writes != 0);
    assert!(is_update, "an update loop reads and writes, which {op:?} does not");
    step(op);
    let outcome = update();
    if outcome.is_err() {
        refine(Outcome::Failed);
    }
    outcome
}
