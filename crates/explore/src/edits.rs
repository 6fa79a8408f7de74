//! Faults as edits at the gate: a step that is left out, weakened, split or put off, wherever the
//! text of a model says so. A mutant is a list of these, and the model does not know of it.
//!
//! | edit                | what becomes of the step                                                |
//! |---------------------|-------------------------------------------------------------------------|
//! | [`How::Drop`]       | it does not happen; a look is told what the edit says                     |
//! | [`How::DropPair`]   | a lock is not taken, and not given back                                  |
//! | [`How::Relax`]      | its ordering is weaker                                                   |
//! | [`How::Split`]      | an update is a look and a write                                          |
//! | [`How::Delay`]      | it happens after a later step of its task                                |
//! | [`How::Strengthen`] | its ordering is stronger                                                 |
//! | [`How::Behind`], [`How::Ahead`] | a barrier comes right after it, or right before it           |
//!
//! The last are no faults: they are what a missing order may be mended by.
//!
//! A round over the members of a group can leave one of them out: [`Edit::skip`]. A reference that
//! is not taken or not given back, since its step was left out, is not booked either.
//!
//! The steps of an edit are steps like others: engines explore and monitors see them. What an edit
//! cannot do to a step makes the search undecided, and names it. An edit whose site no execution
//! came to has changed nothing: [`crate::Exploration::idle_edits`].

use std::fmt;
use std::hash::{Hash, Hasher};

pub use selvedge_trace::Site;
use selvedge_trace::{Action, Order};

use crate::gate;
use crate::record::{self, Record};
use crate::step::{Does, Intent, Rmw, Role, Step, Took, With};
use crate::task::unable;

/// A change of the steps at a site.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Edit {
    /// Which steps.
    pub at: Site,
    /// What becomes of them.
    pub how: How,
}

/// What becomes of a step.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// It does not happen. Who looks at a word, or waits for the outcome of an update, is told what
    /// comes of this value: 0 is as if nothing were there.
    Drop {
        /// The value.
        answer: u64,
    },
    /// It takes a lock (for itself, if the lock is a word), or begins a section with preemption or
    /// interrupts off; neither it nor the end happens. The task takes itself for the holder. A pair
    /// within it is taken and ended as ever.
    DropPair,
    /// It has this ordering, which is weaker than its own. Not of a lock, nor of sleeping and
    /// waking, whose orderings are not their own.
    Relax(Order),
    /// An update, conditional or not, reads in one step and writes in another. One that tells what
    /// was there (`test_and_set_bit()`) looks at its bit, and then sets or clears it in a word that
    /// others may have changed meanwhile. Any other loses what they did: it reads and stores the
    /// whole word, as `__set_bit()` does.
    Split,
    /// It happens later. Only a step that gives no value and waits for nothing.
    Delay(Until),
    /// It has this ordering, which is stronger than its own. Only a marked access: neither a lock,
    /// nor a plain one.
    Strengthen(Order),
    /// A barrier comes right after it: `Acquire` orders reads, `Release` writes, `Full` both.
    Behind(Order),
    /// The same right before it.
    Ahead(Order),
}

/// Until when a step is put off.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Until {
    /// After the next step of the task, or at its end.
    NextStep,
    /// After its next step there, or at its end.
    Site(Site),
}

impl Edit {
    /// Leaves the steps out; who looks is told that nothing is there.
    pub const fn drop(at: Site) -> Edit {
        Edit { at, how: How::Drop { answer: 0 } }
    }

    /// Leaves out the locks that are taken there, with their release.
    pub const fn drop_pair(at: Site) -> Edit {
        Edit { at, how: How::DropPair }
    }

    /// Takes all ordering from the steps.
    pub const fn relax(at: Site) -> Edit {
        Edit { at, how: How::Relax(Order::Relaxed) }
    }

    /// Splits the updates.
    pub const fn split(at: Site) -> Edit {
        Edit { at, how: How::Split }
    }

    /// Leaves this member out of the rounds of this kind that the function makes: see
    /// [`leaves_out`].
    pub const fn skip(round: &'static str, member: &'static str, function: &'static str) -> Edit {
        Edit::drop(Site::of(round).on(member).within(function))
    }

    /// Gives the steps this ordering, which is stronger than theirs.
    pub const fn strengthen(at: Site, to: Order) -> Edit {
        Edit { at, how: How::Strengthen(to) }
    }

    /// Puts a barrier behind the steps.
    pub const fn behind(at: Site, barrier: Order) -> Edit {
        Edit { at, how: How::Behind(barrier) }
    }

    /// Puts a barrier ahead of the steps.
    pub const fn ahead(at: Site, barrier: Order) -> Edit {
        Edit { at, how: How::Ahead(barrier) }
    }

    /// Puts the steps off.
    pub const fn delay(at: Site, until: Until) -> Edit {
        Edit { at, how: How::Delay(until) }
    }
}

/// `smp_mb() in lru_cache_disable(): left out`
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at)?;
        match self.how {
            How::Drop { answer: 0 } => f.write_str("left out"),
            How::Drop { answer } => write!(f, "left out, as if {answer} were there"),
            How::DropPair => f.write_str("left out, and its end"),
            How::Relax(Order::Relaxed) => f.write_str("without ordering"),
            How::Relax(order) => write!(f, "only {}", order.name()),
            How::Strengthen(order) => write!(f, "with {}", order.name()),
            How::Behind(order) => write!(f, "a {} behind it", barrier(order)),
            How::Ahead(order) => write!(f, "a {} ahead of it", barrier(order)),
            How::Split => f.write_str("in two steps"),
            How::Delay(Until::NextStep) => f.write_str("one step later"),
            How::Delay(Until::Site(site)) => write!(f, "after {site}"),
        }
    }
}

/// A barrier that orders so, as its step is called. What it is called in C is not known here.
const fn barrier(order: Order) -> &'static str {
    match order {
        Order::Relaxed => "no barrier",
        Order::Acquire => "read barrier",
        Order::Release => "write barrier",
        Order::Full => "full barrier",
    }
}

/// Does an edit leave this member out of a round of this kind, in the function that the current
/// task is in? To be asked for each member that there is. A turn of a round is no step; its site
/// has the round's name where others have a primitive, and the member's where they have an object.
pub fn leaves_out(round: &str, member: &str) -> bool {
    record::with(|record| record.edits.is_some() && record.skips(round, member))
}

/// How many edits an execution may have: which of them were used is a mask.
const EDITS_MAX: usize = 64;

/// Edits the steps of this execution from now on. To be called while the scenario is set up; if
/// several steps of the list are at one site the first edit counts.
///
/// # Panics
/// If there are more than 64.
pub fn install(edits: &'static [Edit]) {
    assert!(edits.len() <= EDITS_MAX, "at most {EDITS_MAX} edits");
    record::with(|record| record.edits = State::of(edits));
}

/// The edits of an execution, and what they have done so far.
#[derive(Default)]
pub(crate) struct State {
    edits: &'static [Edit],
    /// Which of them were used, a bit each.
    used: u64,
    counts: Vec<Count>,
    /// Steps that were put off, with the number of the edit.
    delayed: Vec<(usize, usize, Step)>,
    /// Locks that a task takes itself to hold.
    pretended: Vec<(usize, u32)>,
    /// The object of a step that was left out, with its task, as long as that has taken no other.
    left_out: Option<(usize, u32)>,
}

/// How many steps of a call were at a site.
struct Count {
    /// The number of the edit, and whether it is the site that a delay lasts to.
    edit: (usize, bool),
    task: usize,
    call: u32,
    steps: u32,
}

impl State {
    /// Edits that have done nothing so far.
    pub(crate) fn of(edits: &'static [Edit]) -> State {
        State { edits, ..State::default() }
    }

    /// Is there any?
    pub(crate) fn is_some(&self) -> bool {
        !self.edits.is_empty()
    }

    /// Hashes what they have done that other tasks may find. What else they have done depends on
    /// what their task has done, and is seen in what it observes.
    pub(crate) fn hash_into(&self, hash: &mut impl Hasher) {
        self.left_out.hash(hash);
        self.pretended.hash(hash);
        self.delayed.iter().for_each(|(task, edit, step)| (task, edit, step.object).hash(hash));
    }

    /// The edits, and which were used.
    pub(crate) fn used(&self) -> (&'static [Edit], u64) {
        (self.edits, self.used)
    }
}

/// What is to be done with a step.
enum Fate {
    AsIs,
    Edited(How),
    /// It gives back a lock that was never taken.
    EndOfPair,
}

impl Record {
    /// Does the current task take itself for the holder of this lock?
    pub(crate) fn pretends_to_hold(&self, lock: u32) -> bool {
        self.edits.pretended.contains(&(self.current(), lock))
    }

    /// Is the step at the site? Counts it if it is.
    fn is_at(&mut self, site: &Site, edit: (usize, bool), step: &Step) -> bool {
        let (task, call, function) = self.whereabouts();
        if !site.has(function, step.primitive, step.name, step.bit) {
            return false;
        }
        let Some(nth) = site.nth else { return true };
        let counts = &mut self.edits.counts;
        let known = counts.iter().position(|count| count.edit == edit && count.task == task);
        let known = known.unwrap_or_else(|| {
            counts.push(Count { edit, task, call, steps: 0 });
            counts.len() - 1
        });
        let count = &mut counts[known];
        if count.call != call {
            (count.call, count.steps) = (call, 0);
        }
        count.steps += 1;
        count.steps == nth + 1
    }

    fn fate(&mut self, step: &Step) -> Fate {
        let task = self.current();
        // Of a lock that is a word: who has it to himself does not take it twice.
        let is_word = matches!(step.role, Role::Unlocks { .. });
        if is_word || matches!(step.does, Does::Unlock { .. }) {
            let is_taken = !is_word && self.machine.holder(step.object) == Some(task);
            let pretended = &mut self.edits.pretended;
            let pair = pretended.iter().rposition(|&held| held == (task, step.object));
            if let Some(at) = pair.filter(|_| !is_taken) {
                pretended.remove(at);
                return Fate::EndOfPair;
            }
        }
        for (number, edit) in self.edits.edits.iter().enumerate() {
            if !is_meant(edit.how, step) || !self.is_at(&edit.at, (number, false), step) {
                continue;
            }
            self.edits.used |= 1 << number;
            match edit.how {
                How::DropPair => self.edits.pretended.push((task, step.object)),
                How::Delay(_) => self.edits.delayed.push((task, number, *step)),
                How::Drop { .. } | How::Relax(_) | How::Split => {}
                How::Strengthen(_) | How::Behind(_) | How::Ahead(_) => {}
            }
            return Fate::Edited(edit.how);
        }
        Fate::AsIs
    }

    /// [`leaves_out`]
    fn skips(&mut self, round: &str, member: &str) -> bool {
        let function = self.whereabouts().2;
        let is_turn = |edit: &Edit| {
            edit.at.primitive == round
                && edit.at.object == Some(member)
                && edit.at.function.is_none_or(|wanted| function == Some(wanted))
        };
        let number = self.edits.edits.iter().position(is_turn);
        if let Some(number) = number {
            self.edits.used |= 1 << number;
        }
        number.is_some()
    }

    /// The step has been left out, and with it the booking of the puts that it is for.
    fn unbook(&mut self, step: &Step) {
        let task = self.current();
        self.take_back_puts(step.object);
        self.edits.left_out = Some((task, step.object));
    }

    /// Is the reference that is to be booked one whose step was left out just now?
    pub(crate) fn was_never_taken(&mut self, action: Action, object: u32) -> bool {
        let is_it = matches!(action, Action::Get(_))
            && self.edits.left_out == Some((self.current(), object));
        if !is_it {
            self.edits.left_out = None;
        }
        is_it
    }

    /// The steps of the current task that were put off until this one.
    fn due_after(&mut self, step: &Step) -> Vec<Step> {
        let task = self.current();
        let delayed = std::mem::take(&mut self.edits.delayed);
        let (due, rest): (Vec<_>, Vec<_>) = delayed.into_iter().partition(|(of, number, _)| {
            *of == task
                && match self.edits.edits[*number].how {
                    How::Delay(Until::Site(site)) => self.is_at(&site, (*number, true), step),
                    _ => true,
                }
        });
        self.edits.delayed = rest;
        due.into_iter().map(|(_, _, step)| step).collect()
    }

    /// All steps of the current task that were put off.
    fn due_at_end(&mut self) -> Vec<Step> {
        let task = self.current();
        let delayed = std::mem::take(&mut self.edits.delayed);
        let (due, rest): (Vec<_>, Vec<_>) = delayed.into_iter().partition(|(of, ..)| *of == task);
        self.edits.delayed = rest;
        due.into_iter().map(|(_, _, step)| step).collect()
    }
}

/// A step that has no stronger ordering than the edit leaves it is not the one that is meant; nor
/// one that has the ordering already that the edit gives it.
fn is_meant(how: How, step: &Step) -> bool {
    match how {
        How::Relax(to) => is_stronger(step.order, to),
        How::Strengthen(to) => is_stronger(to, step.order),
        How::Behind(_) | How::Ahead(_) => true,
        How::Drop { .. } | How::DropPair | How::Split | How::Delay(_) => true,
    }
}

fn is_stronger(order: Order, than: Order) -> bool {
    order != than && (than == Order::Relaxed || order == Order::Full)
}

/// Takes a step of an execution that has edits.
#[cold]
pub(crate) fn take(step: &Step) -> Took {
    let fate = record::with(|record| {
        record.edits.left_out = None;
        record.fate(step)
    });
    let took = match fate {
        Fate::AsIs => gate::take_as_is(step),
        Fate::EndOfPair => return left_out(Took::default()),
        Fate::Edited(how) => match edited(how, step) {
            Ok(took) => took,
            Err(took) => {
                if matches!(how, How::Drop { .. }) {
                    record::with(|record| record.unbook(step));
                }
                return left_out(took);
            }
        },
    };
    take_all(record::with(|record| record.due_after(step)));
    took
}

fn left_out(took: Took) -> Took {
    record::with(Record::left_out);
    took
}

/// At the end of a task: takes what it has put off.
pub(crate) fn finish() {
    if record::with(|record| record.edits.is_some()) {
        take_all(record::with(Record::due_at_end));
    }
}

fn take_all(steps: Vec<Step>) {
    steps.iter().for_each(|step| {
        gate::take_as_is(step);
    });
}

/// `Err`: no step was taken now.
fn edited(how: How, step: &Step) -> Result<Took, Took> {
    let refuse = |why: &str| -> ! {
        unable(format!("{}({}) cannot be edited so: {why}", step.primitive, step.name))
    };
    let is_lock =
        matches!(step.does, Does::Lock { .. }) || step.role == Role::Locks { shared: false };
    match (how, step.does) {
        (_, Does::Foreign(_)) => refuse("foreign code does what it does"),
        (How::Drop { .. }, Does::Lock { .. } | Does::TryLock { .. } | Does::Unlock { .. }) => {
            refuse("a lock is left out together with its release")
        }
        (How::Drop { answer }, _) => Err(as_if(answer, step)),
        (How::DropPair, _) if is_lock => Err(Took::default()),
        (How::DropPair, _) => refuse("it takes no lock"),
        (How::Relax(order), Does::Load | Does::Store(_) | Does::Fence(_))
        | (How::Relax(order), Does::Update { .. } | Does::UpdateIf { .. } | Does::Await { .. }) => {
            Ok(gate::take_as_is(&Step { order, ..*step }))
        }
        (How::Relax(_), _) => refuse("its ordering is not its own"),
        (How::Split, Does::Update { .. } | Does::UpdateIf { .. }) => Ok(split(step)),
        (How::Split, _) => refuse("it is no update"),
        (How::Strengthen(_), _) if step.intent == Intent::Plain => {
            refuse("a plain access has no ordering")
        }
        (How::Strengthen(order), Does::Load | Does::Store(_) | Does::Update { .. })
        | (How::Strengthen(order), Does::UpdateIf { .. } | Does::Await { .. }) => {
            Ok(gate::take_as_is(&Step { order, ..*step }))
        }
        (How::Strengthen(_), _) => refuse("its ordering is not its own"),
        (How::Behind(order), _) => {
            let took = gate::take_as_is(step);
            take_barrier(order);
            Ok(took)
        }
        (How::Ahead(order), _) => {
            take_barrier(order);
            Ok(gate::take_as_is(step))
        }
        (How::Delay(_), Does::Store(_) | Does::Fence(_) | Does::Unlock { .. } | Does::Wake)
        | (How::Delay(_), Does::Update { looks: false, .. }) => Err(Took::default()),
        (How::Delay(_), _) => refuse("its task waits for what comes of it"),
    }
}

fn take_barrier(order: Order) {
    let does = Does::Fence(With::Nothing);
    gate::take_as_is(&Step { order, ..Step::without_object(barrier(order), does) });
}

/// What a task is told of a step that did not happen, as if this value had been there.
fn as_if(value: u64, step: &Step) -> Took {
    match step.does {
        Does::UpdateIf { condition, change } if condition.is_met(value) => {
            Took::wrote(value, change.apply(value))
        }
        Does::UpdateIf { .. } => Took { failed: true, ..Took::read(value) },
        Does::Update { change, .. } | Does::Await { change: Some(change), .. } => {
            Took::wrote(value, change.apply(value))
        }
        _ => Took::wrote(value, value),
    }
}

/// An update as a look and a write. Each has the ordering of the update, as far as it can.
fn split(step: &Step) -> Took {
    // Who sets a bit without a look at it changes the same bit in one step or in two.
    let is_void = matches!(step.does, Does::Update { looks: false, .. });
    let bits = if is_void { u64::MAX } else { step.bits };
    let step = &Step { bits, role: Role::Itself, ..*step };
    let old = gate::take_as_is(&Step { does: Does::Load, ..*step }).old;
    let took = as_if(old, step);
    if !took.failed {
        let does = match step.does {
            Does::Update { change: change @ (Rmw::Or(_) | Rmw::And(_)), looks: true }
            | Does::UpdateIf { change: change @ (Rmw::Or(_) | Rmw::And(_)), .. } => {
                Does::Update { change, looks: false }
            }
            _ => Does::Store(took.new),
        };
        gate::take_as_is(&Step { does, ..*step });
    }
    took
}
