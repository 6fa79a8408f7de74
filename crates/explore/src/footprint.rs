//! What a step does to its word, as far as the order of steps is concerned: the most that it may
//! do, which is announced before it is taken, and what it has done.
//!
//! # A write changes the bits that it changes
//!
//! Of a write that has been taken it is known what was there. It then counts as one that has
//! *read* all bits that it is about and *written* those that are no longer what they were. A store
//! of what was there anyway has only read, as a compare-and-exchange that failed has; so has a bit
//! operation on a bit that was so already.
//!
//! Why that may be done: `x = v` and "if `x != v`, then `x = v`" are the same step, bit by bit. In
//! the second form it is a conditional update, of which the search knows that it may do less than
//! it announced. Take two steps that come one right behind the other, by different tasks, and do
//! not conflict: neither has changed a bit that the other has read, and what each changes is
//! determined by the bits that it reads. In the other order each finds the same bits, does the
//! same, and the word ends up the same.
//!
//! Therefore these steps read the bits that they may leave alone. An OR or AND that nobody looks at
//! commutes with its like no more: whether it changes the bit depends on whether its like came
//! first. (The first rule would need both to be independent, and the one that changes the bit
//! would be another in each order: the same steps would be two different ones.) It is the better
//! bargain: flags are set and cleared under locks that order these steps anyway, and are looked at
//! without them. Additions always change the word, and go on commuting.
//!
//! # Who wrote it
//!
//! Two stores of one value are not the same to who asks which of them a load has read: a store with
//! release ordering orders what came before it, and another does not. For a monitor that asks so
//! ([`selvedge_trace::Monitor::asks_who_wrote`]) every write is one of all its bits.

use std::cell::Cell;

use dpor::{Commutes, Footprint};

use crate::Effect;
use crate::step::{Does, Rmw, Step, Took};
use crate::tally::Monitors;

thread_local! {
    /// Does it matter who wrote a value? So in the search of this thread.
    static IS_ASKED_WHO_WROTE: Cell<bool> = const { Cell::new(false) };
}

/// A search for these monitors begins on this thread.
pub(crate) fn begin_search(monitors: &Monitors) {
    IS_ASKED_WHO_WROTE.set(monitors.iter().any(|monitor| monitor.asks_who_wrote()));
}

/// See above.
pub(crate) fn is_asked_who_wrote() -> bool {
    IS_ASKED_WHO_WROTE.get()
}

const NOTHING: Footprint = Footprint { reads: 0, writes: 0, commutes: Commutes::No };

/// The most that a step on a word may do.
pub(crate) fn announced(step: &Step) -> Footprint {
    let bits = step.bits;
    let both = Footprint { reads: bits, writes: bits, ..NOTHING };
    match step.does {
        Does::Load => Footprint { reads: bits, ..NOTHING },
        Does::Store(_) => Footprint { writes: bits, ..NOTHING },
        Does::Await { change: None, .. } => Footprint { reads: bits, ..NOTHING },
        Does::Update { looks: true, .. } | Does::UpdateIf { .. } | Does::Await { .. } => both,
        Does::Update { change, looks: false } => void(change, bits),
        Does::Foreign(Effect { reads, writes, commutes }) => {
            let of = |does| if does { bits } else { 0 };
            Footprint { reads: of(reads), writes: of(writes), commutes }
        }
        _ => NOTHING,
    }
}

/// An update whose result nobody looks at.
fn void(change: Rmw, bits: u64) -> Footprint {
    let commutes = match change {
        Rmw::Add(_) => Commutes::Add,
        Rmw::Or(_) => Commutes::Or,
        Rmw::And(_) => Commutes::And,
        Rmw::Xor(_) | Rmw::Swap(_) => Commutes::No,
    };
    if commutes == Commutes::Add || IS_ASKED_WHO_WROTE.get() {
        return Footprint { reads: 0, writes: bits, commutes };
    }
    Footprint { reads: bits, writes: bits, ..NOTHING }
}

/// What a step on a word has done that announced the `most` that it may do.
pub(crate) fn done(most: Footprint, step: &Step, took: &Took) -> Footprint {
    let is_write = match step.does {
        Does::Store(_) | Does::UpdateIf { .. } => true,
        Does::Await { change, .. } => change.is_some(),
        Does::Update { change, looks } => looks || !matches!(change, Rmw::Add(_)),
        _ => false,
    };
    match is_write {
        true if took.failed => Footprint { writes: 0, ..most },
        true if !IS_ASKED_WHO_WROTE.get() => {
            let changed = step.bits & (took.old ^ took.new);
            Footprint { reads: step.bits, writes: changed, ..NOTHING }
        }
        _ => most,
    }
}
