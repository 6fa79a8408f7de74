//! Says why an execution fails, in a sentence; and which of its steps a reader can do without.

use std::collections::{BTreeMap, BTreeSet};

use crate::text;
use crate::{ActionKind, Blocked, Condition, Counterexample, Explanation, Record};

/// `fails exactly when A happens before B, and C happens before D`; empty if nothing is known.
pub fn sentence(cx: &Counterexample, why: &Explanation) -> String {
    let Some((when, limits)) = when(cx, why) else { return String::new() };
    if why.conditions.is_empty() {
        return format!("fails in every execution{limits}");
    }
    let ways: Vec<String> = ways(cx, why).iter().map(|way| way.join(", and ")).collect();
    let all = match why.alternatives.is_empty() {
        true => ways.concat(),
        false => ways.iter().map(|way| format!("({way})")).collect::<Vec<_>>().join(", or "),
    };
    format!("fails {when} {all}{limits}")
}

/// `exactly when`, and what is not known; `None` if nothing is.
pub(crate) fn when(cx: &Counterexample, why: &Explanation) -> Option<(&'static str, String)> {
    let is_exact = why.necessary || why.exhaustive;
    let (when, limits) = match (is_exact, why.others_unknown) {
        _ if !why.sufficient => return None,
        (true, _) => ("exactly when", ""),
        (false, true) => ("whenever", "; whether there are other ways to fail is not known"),
        (false, false) => ("whenever", "; there are other ways to fail"),
    };
    let beginning = beginning(cx, why)
        .map_or_else(String::new, |step| format!("; that is, if all is as here before {step}"));
    Some((when, format!("{limits}{beginning}")))
}

/// The conditions of each way to fail that is known, that of this execution first.
pub(crate) fn ways(cx: &Counterexample, why: &Explanation) -> Vec<Vec<String>> {
    let own = why.conditions.iter().map(|one| clause(cx, why, one)).collect();
    std::iter::once(own).chain(why.alternatives.iter().cloned()).collect()
}

/// `CPU0 installer's atomic_read(migrate_pending_count) in migrate_pending() (step 7)`: the first
/// step that is free, if only executions with one beginning were compared.
pub(crate) fn beginning(cx: &Counterexample, why: &Explanation) -> Option<String> {
    // What the scenario itself does is in no table.
    let is_shown = |index: &usize| {
        let step = &cx.steps[*index];
        !step.action.is_note() && text::has_cpu(cx, step.task)
    };
    let index = (why.from?..cx.steps.len()).find(is_shown)?;
    let step = &cx.steps[index];
    Some(format!("{} (step {index})", named(cx, step, nth(cx, index))))
}

fn clause(cx: &Counterexample, why: &Explanation, condition: &Condition) -> String {
    let step = |index: usize| step_named(cx, index);
    match *condition {
        Condition::Order { before, after: Some(after), .. } => {
            format!("{} happens before {}", step(before), step(after))
        }
        Condition::Order { before, passing: Some(after), .. } => {
            let there = passing(cx, why);
            let at = why.decisive.unwrap_or(0) + after;
            format!("{} happens before {}", step(before), step_named(&there, at))
        }
        Condition::Order { before, after: None, blocked: task, .. } => {
            let waits = cx.blocked.iter().find(|waits| Some(waits.task) == task);
            let waits = waits.map_or_else(String::new, |waits| named_wait(cx, waits));
            format!("{} happens before {waits}", step(before))
        }
        Condition::Choice { step: index } => {
            let chosen = cx.steps.get(index).map_or(0, |step| step.new);
            format!("{} is {chosen}", step(index))
        }
    }
}

/// The execution that could have been instead, from its beginning.
fn passing(cx: &Counterexample, why: &Explanation) -> Counterexample {
    let passing = why.passing.clone().unwrap_or_default();
    let until = why.decisive.unwrap_or(0).min(cx.steps.len());
    let steps = cx.steps[..until].iter().cloned().chain(passing.steps).collect();
    Counterexample { tasks: passing.tasks, steps, ..cx.clone() }
}

/// `CPU0 installer's second atomic_read(migrate_pending_count) in migrate_pending()`
pub fn step_named(cx: &Counterexample, index: usize) -> String {
    cx.steps.get(index).map_or_else(String::new, |step| named(cx, step, nth(cx, index)))
}

/// `CPU0 reader's schedule() on task0 in folio_wait_bit_common()`, of the task of this number among
/// those that wait for ever.
pub fn wait_named(cx: &Counterexample, number: usize) -> String {
    cx.blocked.get(number).map_or_else(String::new, |waits| named_wait(cx, waits))
}

/// Which of the task's steps that are called the same it is; empty if there is no other.
fn nth(cx: &Counterexample, index: usize) -> String {
    const WORDS: [&str; 5] = ["first ", "second ", "third ", "fourth ", "fifth "];
    let of = |step: &Record| {
        let bit = step.bit.as_ref().map(|bit| bit.nr);
        (step.task, step.action.is_note(), step.primitive.clone(), step.object.clone(), bit)
    };
    let is_same = |(_, step): &(usize, &Record)| {
        of(step) == of(&cx.steps[index]) && step.path.last() == cx.steps[index].path.last()
    };
    let same: Vec<usize> = cx.steps.iter().enumerate().filter(is_same).map(|(at, _)| at).collect();
    let at = same.iter().position(|&at| at == index).unwrap_or(0);
    match WORDS.get(at) {
        _ if same.len() < 2 => String::new(),
        Some(word) => (*word).into(),
        None => format!("[{}] ", at + 1),
    }
}

/// `CPU0 installer's atomic_read(migrate_pending_count) in migrate_pending()`
fn named(cx: &Counterexample, step: &Record, nth: String) -> String {
    let object = match &step.bit {
        Some(bit) => format!("{} of {}", bit.name, step.object),
        None => step.object.clone(),
    };
    let what = match step.action {
        ActionKind::PlainRead => format!("read of {object}"),
        ActionKind::PlainWrite => format!("write to {object}"),
        ActionKind::Choice => step.primitive.clone(),
        _ if text::excludes_on_a_cpu(&step.object) => text::step(cx, step),
        _ => format!("{}({object})", step.primitive),
    };
    in_function(format!("{}'s {nth}{what}", text::who(cx, step.task)), step.path.last())
}

fn named_wait(cx: &Counterexample, waits: &Blocked) -> String {
    let what = format!("{}'s {}", text::who(cx, waits.task), text::blocked(cx, waits));
    in_function(what, waits.path.last())
}

fn in_function(what: String, function: Option<&String>) -> String {
    match function {
        Some(function) => format!("{what} in {function}()"),
        None => what,
    }
}

/// Steps that no other task can see: nobody else in this execution touches their object, or they
/// are barriers of an execution in which all CPUs see one order. The fatal step is not one of them.
pub fn unseen(cx: &Counterexample) -> Vec<bool> {
    let mut users: BTreeMap<&str, BTreeSet<u8>> = BTreeMap::new();
    for step in cx.steps.iter().filter(|step| is_access(step)) {
        users.entry(&step.object).or_default().insert(step.task);
    }
    for waits in &cx.blocked {
        users.entry(&waits.object).or_default().extend([waits.task, u8::MAX]);
    }
    let is_unseen = |(index, step): (usize, &Record)| match step.action {
        _ if cx.fatal == Some(index) => false,
        ActionKind::Fence => cx.memory_model == "sc",
        _ if !is_access(step) => false,
        _ => users.get(step.object.as_str()).is_none_or(|users| users.len() < 2),
    };
    cx.steps.iter().enumerate().map(is_unseen).collect()
}

fn is_access(step: &Record) -> bool {
    use ActionKind::{Choice, Fence, Join, Spawn};
    !step.action.is_note() && !matches!(step.action, Fence | Spawn | Join | Choice)
}

/// Is the fatal step no more than what brought about the state that is wrong in the end? Then no
/// rule is broken there yet: the step that decides comes later, or others wait for ever for what it
/// has left so.
pub fn lasts(cx: &Counterexample) -> bool {
    let Some((fatal, step)) = cx.fatal.and_then(|at| Some((at, cx.steps.get(at)?))) else {
        return false;
    };
    let decisive = cx.explanation.as_ref().and_then(|why| why.decisive);
    let mut waiting = cx.blocked.iter().filter(|waits| text::has_cpu(cx, waits.task)).peekable();
    let others_wait = waiting.peek().is_some() && waiting.all(|waits| waits.task != step.task);
    decisive.is_some_and(|decisive| decisive > fatal) || others_wait
}

/// Steps by which a task learns for the first time what another has written, and those writes. A
/// reader wants to see why a task does what it does, whenever it learns it.
fn news(cx: &Counterexample) -> BTreeSet<usize> {
    use ActionKind::{PlainRead, PlainWrite, Read, Update, UpdateFailed, Write};
    let mut writes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut told: BTreeSet<(u8, usize)> = BTreeSet::new();
    let mut news = BTreeSet::new();
    for (at, step) in cx.steps.iter().enumerate() {
        let bits = step.bit.as_ref().map_or(u64::MAX, |bit| 1_u64.checked_shl(bit.nr).unwrap_or(0));
        let of_object = writes.entry(&step.object).or_default();
        if matches!(step.action, Read | PlainRead | Update | UpdateFailed) {
            let changes = |write: &usize| {
                let write = &cx.steps[*write];
                (write.old ^ write.new) & bits != 0
            };
            let write = of_object.iter().rev().copied().find(changes);
            let by_other = |write: &usize| {
                let by = cx.steps[*write].task;
                by != step.task && text::has_cpu(cx, by)
            };
            if let Some(write) = write.filter(by_other).filter(|&w| told.insert((step.task, w))) {
                news.extend([write, at]);
            }
        }
        if matches!(step.action, Write | PlainWrite | Update) && step.old != step.new {
            of_object.push(at);
        }
    }
    news
}

/// Steps whose place does not matter: those on other objects, or other bits, than the conditions,
/// the fatal step, and what tasks wait for, unless one task learns by them what another has done.
/// If the conditions are not known, [`unseen`] steps.
pub fn unneeded(cx: &Counterexample, why: &Explanation) -> Vec<usize> {
    if !why.sufficient || why.from.is_some() {
        let unseen = unseen(cx);
        return (0..cx.steps.len()).filter(|&step| unseen[step]).collect();
    }
    let named = why.conditions.iter().flat_map(|condition| match *condition {
        Condition::Order { before, after, .. } => [Some(before), after],
        Condition::Choice { step } => [Some(step), None],
    });
    let marked: BTreeSet<usize> = named.flatten().chain(why.decisive).chain(cx.fatal).collect();
    let of = |step: &Record| (step.object.clone(), step.bit.as_ref().map(|bit| bit.nr));
    let mut matter: BTreeSet<(String, Option<u32>)> =
        marked.iter().filter_map(|&step| cx.steps.get(step)).map(of).collect();
    matter.extend(cx.blocked.iter().map(|waits| (waits.object.clone(), None)));
    let news = news(cx);
    let whole = |object: &str| matter.contains(&(object.to_string(), None));
    let is_needed = |index: usize, step: &Record| {
        marked.contains(&index)
            || news.contains(&index)
            || step.action.is_note()
            || matter.contains(&of(step))
            || (is_access(step) && whole(&step.object))
    };
    let unneeded = cx.steps.iter().enumerate().filter(|(index, step)| !is_needed(*index, step));
    unneeded.map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn step(task: u8, action: ActionKind, object: &str) -> Record {
        let step = fixture::step(task, action, object, (0, 1));
        Record { primitive: "WRITE_ONCE".into(), ..step }
    }

    fn example() -> Counterexample {
        let steps = vec![
            step(1, ActionKind::PlainRead, "x"),
            step(1, ActionKind::Write, "own"),
            step(2, ActionKind::Write, "x"),
            step(2, ActionKind::Fence, ""),
            step(1, ActionKind::Write, "y"),
            step(2, ActionKind::PlainWrite, "y"),
        ];
        Counterexample { fatal: Some(5), ..fixture::counterexample(&["a", "b"], steps) }
    }

    fn because(necessary: bool, sufficient: bool) -> Explanation {
        let order = Condition::Order { before: 0, after: Some(2), blocked: None, passing: None };
        Explanation { conditions: vec![order], necessary, sufficient, ..Explanation::default() }
    }

    #[test]
    fn the_sentence_says_no_more_than_was_found() {
        let orders = "CPU0 a's read of x in f() happens before CPU1 b's WRITE_ONCE(x) in f()";
        let said = |necessary, sufficient| sentence(&example(), &because(necessary, sufficient));
        assert_eq!(said(true, true), format!("fails exactly when {orders}"));
        let whenever = format!("fails whenever {orders}; there are other ways to fail");
        assert_eq!(said(false, true), whenever);
        let unknown = Explanation { others_unknown: true, ..because(false, true) };
        let unknown = sentence(&example(), &unknown);
        assert!(unknown.ends_with("; whether there are other ways to fail is not known"));
        assert_eq!(said(false, false), "");
        let always = Explanation { conditions: Vec::new(), ..because(true, true) };
        assert_eq!(sentence(&example(), &always), "fails in every execution");
    }

    /// A reader finds the step that is meant, also where a function does the same again.
    #[test]
    fn of_steps_that_are_called_the_same_it_is_said_which() {
        let mut cx = example();
        cx.steps.insert(1, step(1, ActionKind::PlainRead, "x"));
        let order = Condition::Order { before: 1, after: Some(3), blocked: None, passing: None };
        let why = Explanation { conditions: vec![order], ..because(true, true) };
        let said = "fails exactly when CPU0 a's second read of x in f() happens before CPU1 b's \
                    WRITE_ONCE(x) in f()";
        assert_eq!(sentence(&cx, &why), said);
    }

    #[test]
    fn what_was_compared_behind_a_beginning_alone_is_said_of_no_others() {
        let why = Explanation { from: Some(2), ..because(true, true) };
        let said = sentence(&example(), &why);
        let from = "; that is, if all is as here before CPU1 b's WRITE_ONCE(x) in f() (step 2)";
        assert!(said.starts_with("fails exactly when ") && said.ends_with(from), "{said}");
        assert_eq!(unneeded(&example(), &why), [1, 3], "what is unseen, and no more");
    }

    /// The failing execution has ended before the other step, which only the passing one has.
    #[test]
    fn a_step_that_never_happens_is_named_as_in_the_passing_execution() {
        let mut cx = example();
        let write = cx.steps.remove(5);
        cx.steps.truncate(5);
        cx.fatal = Some(4);
        let order = Condition::Order { before: 4, after: None, blocked: None, passing: Some(1) };
        let steps = vec![step(1, ActionKind::Write, "own"), write];
        let passing = Some(crate::Passing { tasks: cx.tasks.clone(), steps });
        let conditions = vec![order];
        let why = Explanation { decisive: Some(4), passing, conditions, ..because(true, true) };
        let said = "fails exactly when CPU0 a's WRITE_ONCE(y) in f() happens before CPU1 b's write \
                    to y in f()";
        assert_eq!(sentence(&cx, &why), said);
    }

    #[test]
    fn steps_on_what_matters_are_needed_and_those_of_one_task_alone_are_unseen() {
        let cx = example();
        assert_eq!(unseen(&cx), [false, true, false, true, false, false]);
        assert_eq!(unneeded(&cx, &because(true, true)), [1, 3]);
        assert_eq!(unneeded(&cx, &because(false, false)), [1, 3]);
        let fatal_elsewhere = Counterexample { fatal: None, ..cx };
        assert_eq!(unneeded(&fatal_elsewhere, &because(true, true)), [1, 3, 4, 5]);
    }

    /// Though its place does not matter: without it a reader would not know why the task goes on.
    #[test]
    fn what_one_task_tells_another_is_needed() {
        let mut cx = example();
        cx.steps.insert(0, step(2, ActionKind::Write, "signal"));
        let of = |old, new, step: Record| Record { old, new, ..step };
        cx.steps.insert(1, of(1, 1, step(1, ActionKind::Read, "signal")));
        cx.steps.insert(2, of(1, 1, step(1, ActionKind::Read, "signal")));
        let order = Condition::Order { before: 3, after: Some(5), blocked: None, passing: None };
        let why = Explanation { conditions: vec![order], ..because(true, true) };
        cx.fatal = Some(8);
        assert_eq!(unneeded(&cx, &why), [2, 4, 6], "what is told again is no news");
    }

    /// The lock was free already when it was settled that somebody waits for it for ever.
    #[test]
    fn a_state_that_lasts_is_not_broken_where_it_comes_from() {
        let mut cx = example();
        cx.fatal = Some(2);
        assert!(!lasts(&cx));
        let why = |decisive| Some(Explanation { decisive: Some(decisive), ..because(true, true) });
        assert!(lasts(&Counterexample { explanation: why(4), ..cx.clone() }));
        assert!(!lasts(&Counterexample { explanation: why(2), ..cx.clone() }));
        let waits = |task| Blocked {
            task,
            primitive: "schedule".into(),
            object: "task[0]".into(),
            path: Vec::new(),
        };
        assert!(lasts(&Counterexample { blocked: vec![waits(0), waits(1)], ..cx.clone() }));
        assert!(!lasts(&Counterexample { blocked: vec![waits(1), waits(2)], ..cx }));
    }

    #[test]
    fn a_barrier_is_seen_under_weak_memory() {
        let cx = Counterexample { memory_model: "c11".into(), ..example() };
        assert!(!unseen(&cx)[3]);
    }
}
