//! Who holds which counted reference. The counter is an [`Atomic`]; these notes book the holder, so
//! that "the count is one too high" can be answered with a name. Likewise, who sleeps on which bit.

use selvedge_explore::note;
use selvedge_trace::{Action, BitWait, Name, Rule};

use crate::{Atomic, Bit, Flags};

/// The reference that `counter` has just been raised for belongs to `holder`.
pub fn booked(counter: &Atomic, holder: Name) {
    note(Action::Get(holder), counter.object(), counter.name());
}

/// `holder` gives up the reference that `counter` is about to be lowered for.
pub fn unbooked(counter: &Atomic, holder: Name) {
    note(Action::Put(holder), counter.object(), counter.name());
}

/// The reference passes from one holder to another; the counter stays.
pub fn rebooked(counter: &Atomic, from: Name, to: Name) {
    note(Action::Hand(from, to), counter.object(), counter.name());
}

/// The task is about to sleep until `bit` of `flags` is clear. `told_by`: see [`BitWait::told_by`];
/// `if_forgotten`: the rule that is broken if it sleeps for ever although the bit is clear.
pub fn awaits(bit: Bit, flags: &Flags, told_by: [u32; 2], if_forgotten: Rule) {
    let wait = BitWait { mask: bit.mask(), bit: bit.name, told_by, if_forgotten };
    note(Action::Awaits(wait), flags.object(), flags.name());
}

/// `bit` of `flags`, which a waker set, is the task's own.
pub fn owns(bit: Bit, flags: &Flags) {
    note(Action::Owns(bit.mask()), flags.object(), flags.name());
}

/// The scenario has come to a state that its claims are about. A claim whose states nobody reached
/// fails.
pub fn reached(state: &'static str) {
    note(Action::Mark(state), u32::MAX, Name::new(state));
}
