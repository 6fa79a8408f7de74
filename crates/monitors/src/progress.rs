//! Loops of the kernel that have no bound: each comes to an end, as long as somebody is left who
//! could make it.
//!
//! The models go round such a loop a few times and give up ("tried twice"). A round that has failed
//! says so by a mark. What two rounds stand for: if the second takes the steps of the first, finds
//! what that found and leaves what that left, while all other tasks have ended or wait for ever,
//! then so does every round after it, and in C the loop goes round for ever: a lasso. What a round
//! counts, and compares with nothing but what it has read itself ([`Endless::counts`]), may be one
//! more in the second.
//!
//! What this does not find: a loop whose rounds differ, or one during which others still run and
//! could have been waiting for who goes round.

use std::collections::BTreeMap;

pub use selvedge_trace::ENDLESS_LOOPS_END;
use selvedge_trace::{Action, End, Event, Execution, Finding, Judges, Monitor};
use serde_json::Value;

/// A loop without a bound.
#[derive(Debug)]
pub struct Endless {
    /// The kernel function that has it.
    pub function: &'static str,
    /// What is marked when a round has failed and another one follows.
    pub again: &'static [&'static str],
    /// Where it is, and what it goes round for.
    pub about: &'static str,
    /// Words that a round counts up, and of which the kernel asks only whether they are what they
    /// were before: a generation.
    pub counts: &'static [&'static str],
}

/// The loops.
pub const ENDLESS: &[Endless] = &[
    Endless {
        function: "filemap_get_entry",
        again: &[
            "a lookup met a frozen or freed folio",
            "a lookup found that its folio had left the page cache",
        ],
        about: "mm/filemap.c: a lookup that finds the count frozen, or the slot changed; with \
                preemption off",
        counts: &[],
    },
    Endless {
        function: "__gup_longterm_locked",
        again: &["a long-term pin was tried again"],
        about: "mm/gup.c: a long-term pin of what may not stay where it is, and did not move",
        // mm/swap.c: each drain of all CPUs is one more.
        counts: &["lru_drain_gen"],
    },
];

/// Finds lassos in [`ENDLESS`] loops.
#[derive(Default)]
pub struct Progress;

impl Monitor for Progress {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Progress>::default()
    }

    // From one execution to the next it keeps nothing.
    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn judges(&self) -> Judges {
        Judges::Ways(ENDLESS_LOOPS_END.0)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        if *execution.end == End::Stopped {
            return None;
        }
        // By task and call of the function: where its last round ended.
        let mut rounds: BTreeMap<(u8, u32), usize> = BTreeMap::new();
        for (at, event) in execution.events.iter().enumerate() {
            let Some(endless) = failed_round(execution, event) else { continue };
            if let Some(before) = rounds.insert((event.task, event.call), at)
                && is_lasso(execution, endless, (before, at))
            {
                let who = &execution.tasks[usize::from(event.task)].name;
                let message = format!(
                    "{who} goes round in {}() for ever: nobody is left who could change what it \
                     finds",
                    endless.function
                );
                return Some(Finding { rule: ENDLESS_LOOPS_END, message, event: Some(at) });
            }
        }
        None
    }
}

/// The loop of which a round has failed here.
fn failed_round(execution: &Execution<'_>, event: &Event) -> Option<&'static Endless> {
    let Action::Mark(mark) = event.action else { return None };
    let function = execution.paths.innermost(event.path)?;
    ENDLESS.iter().find(|known| known.function == function && known.again.contains(&mark))
}

/// Two rounds end here; is the second the same as the first, with nobody else left?
fn is_lasso(execution: &Execution<'_>, of: &Endless, (first, second): (usize, usize)) -> bool {
    let me = execution.events[second].task;
    let steps = |from: usize, to: usize| {
        let mine = execution.events[from..to].iter().enumerate();
        mine.filter(|(_, event)| event.task == me && !event.action.is_note())
            .map(move |(at, event)| (from + at, event))
            .collect::<Vec<_>>()
    };
    let (before, round) = (steps(0, first), steps(first, second));
    if round.is_empty() || before.len() < round.len() {
        return false;
    }
    let before = &before[before.len() - round.len()..];
    let values = |event: &Event, more: u64| {
        let more = if of.counts.contains(&event.name.text) { more } else { 0 };
        // A store reads nothing.
        let stores = matches!(event.action, Action::Write | Action::PlainWrite);
        let old = if stores { 0 } else { event.old.wrapping_add(more) };
        (old, event.new.wrapping_add(more))
    };
    // Who reads an old value once more may read the new one next.
    let is_same = |(a, b): (&(usize, &Event), &(usize, &Event)), more| {
        let step = |e: &Event| (e.path, e.action.kind(), e.object);
        step(a.1) == step(b.1) && values(a.1, more) == values(b.1, 0) && !b.1.stale
    };
    let began = before[0].0;
    let is_left = |event: &Event| event.task != 0 && event.task != me && !event.action.is_note();
    let are_same = |more| before.iter().zip(&round).all(|pair| is_same(pair, more));
    (0..=1).any(are_same) && !execution.events[began..].iter().any(is_left)
}
