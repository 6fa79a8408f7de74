//! Tasks that do the same: of the orders that differ in who is who, one is enough.

use crate::table;
use crate::{Kind, Object, Op, join, me, spawn, step};

/// Twins are tasks that run the same code. Are executions all explored that differ only in which
/// twin is which?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Symmetry {
    /// They are: twins are tasks like any other.
    Kept,
    /// Twins take their *first* steps in the order of their numbers.
    Reduced {
        /// The first of n - 1 consecutive objects for n twins, which nothing else may use. They
        /// are the tokens by which a twin lets the next one begin.
        turns: Object,
    },
}

/// Tasks that do the same, started by [`spawn_twins`].
#[must_use = "twins should be joined"]
#[derive(Debug)]
pub struct Twins(Vec<usize>);

impl Twins {
    /// Their numbers, in the order of spawning. For reports: a program that does one thing to one
    /// twin and another to another has no symmetry.
    pub fn tasks(&self) -> &[usize] {
        &self.0
    }

    /// Waits until all have taken their last step.
    pub fn join(self) {
        self.0.into_iter().for_each(join);
    }
}

/// Starts as many tasks as there are names, which all do the same. If the symmetry is reduced, at
/// most n! executions become one.
///
/// # How
///
/// The reduction is part of the program, not of the search, so that every search has it: a twin
/// begins with a [`Kind::Wait`] on a token, which the twin before it sets ([`Kind::Wake`]) right
/// before its own second step, or at its end if it has none. Schedules show these steps.
///
/// # What is preserved
///
/// Number the twins anew, in the order in which an execution has them take their first steps (those
/// that take none come last): since they do the same, that is an execution as well, and it is one
/// that is left. So the reduced program has the same *final states and deadlocks, up to a
/// permutation of the twins*. In a deadlock, twins that wait for their turn stand for twins that
/// are blocked at their first step, as the one is whose turn it is.
///
/// A property that names a twin by its number ("the first twin never loses") is *not* preserved;
/// say it of any twin.
///
/// That is so if
/// - no twin can tell which it is: `body` must not use [`crate::me`], nor count its callers other
///   than by announced steps;
/// - no one else can: others treat the twins alike, as [`Twins::join`] does;
/// - neither a twin nor a task that it has spawned spawns twins with the symmetry reduced: these
///   would share their turns with those of its twin.
///
/// # What is not pruned
///
/// Only first steps are put in order. Twins that are alike in a later state, as after a first round
/// of several, are told apart. And where first steps are independent, as those of readers, their
/// order was not explored anyway, so that there is less to gain.
///
/// A search within a bound of preemptions counts the twins' waiting and waking too.
///
/// # Panics
/// If a twin spawns twins with the symmetry reduced.
pub fn spawn_twins(
    names: &[&str],
    symmetry: Symmetry,
    body: impl FnOnce() + Clone + Send + 'static,
) -> Twins {
    let turns = match symmetry {
        Symmetry::Kept => {
            return Twins(names.iter().map(|name| spawn(name, body.clone())).collect());
        }
        Symmetry::Reduced { turns } => turns,
    };
    let spawner = me();
    let is_twin = table::with(|table| table.turns.has(spawner));
    assert!(!is_twin, "twins of a twin would share their turns");
    let last = names.len().saturating_sub(1);
    let twins = names.iter().enumerate().map(|(number, name)| {
        let body = body.clone();
        let token_after = |number: usize| Object(turns.0 + number as u32);
        let own = number.checked_sub(1).map(token_after);
        let next = (number < last).then(|| token_after(number));
        spawn(name, move || {
            let me = me();
            if let Some(token) = own {
                step(Op::new(Kind::Wait { consume: false }, token));
            }
            table::with(|table| table.turns.begin(me, next));
            body();
            if let Some(token) = table::with(|table| table.turns.leave(me)) {
                step(Op::new(Kind::Wake, token));
            }
        })
    });
    Twins(twins.collect())
}

/// What a task that begins in turn has still to do for the next one.
///
/// A state of the search over states need not say it: a twin whose first step is to come has not
/// set its token, and one that is about to set it has announced that.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Turn {
    /// Nothing: it is no twin.
    #[default]
    None,
    /// It has not announced its first step; it will have to set this token.
    Begun(Object),
    /// It has, and its next step is to set the token.
    Ends(Object),
    /// It has set its token, or there is no next twin.
    Over,
}

/// The turns of all tasks, by task; those beyond the last twin are not in the list.
#[derive(Default)]
pub(crate) struct Turns(Vec<Turn>);

impl Turns {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Is there no task that begins in turn?
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is it a task that begins in turn?
    fn has(&self, task: usize) -> bool {
        self.0.get(task).is_some_and(|&turn| turn != Turn::None)
    }

    /// It is the task's turn; `next` is the token that it will set.
    fn begin(&mut self, task: usize, next: Option<Object>) {
        if self.0.len() <= task {
            self.0.resize(task + 1, Turn::None);
        }
        self.0[task] = next.map_or(Turn::Over, Turn::Begun);
    }

    /// The task has no further step of its own: the token that it still has to set.
    fn leave(&mut self, task: usize) -> Option<Object> {
        match std::mem::replace(&mut self.0[task], Turn::Over) {
            Turn::Begun(token) | Turn::Ends(token) => Some(token),
            Turn::None | Turn::Over => None,
        }
    }

    /// The task is about to announce a step: the token that it has to set before.
    pub(crate) fn due_before_step(&mut self, task: usize) -> Option<Object> {
        let turn = self.0.get_mut(task)?;
        let (next, due) = match *turn {
            Turn::Begun(token) => (Turn::Ends(token), None),
            Turn::Ends(token) => (Turn::Over, Some(token)),
            same @ (Turn::None | Turn::Over) => (same, None),
        };
        *turn = next;
        due
    }
}
