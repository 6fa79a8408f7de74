//! Loops without a bound: two rounds that are the same are as good as all.

use crate::common;

use common::{A, B, event, tasks};
use selvedge_monitors::{ENDLESS_LOOPS_END, Progress};
use selvedge_trace::{Action, End, Event, Execution, Finding, Monitor, Name, PathId, Paths};

const AGAIN: Action = Action::Mark("a lookup met a frozen or freed folio");

/// A lookup of these two rounds, each the value that it finds; another task does its step after so
/// many events.
fn lookup(rounds: [u64; 2], other: Option<usize>, function: &'static str) -> Option<Finding> {
    let mut paths = Paths::default();
    let path = paths.enter(PathId::ROOT, function);
    let step = |action, object, old| Event { path, old, new: old, ..event(1, action, object) };
    let mut events = vec![step(Action::Lock, 7, 0)];
    for found in rounds {
        events.push(step(Action::Read, A, 1));
        events.push(step(Action::UpdateFailed, B, found));
        events.push(step(AGAIN, u32::MAX, 0));
    }
    events.push(step(Action::Unlock, 7, 0));
    if let Some(at) = other {
        events.insert(at, event(2, Action::Write, B));
    }
    let (tasks, end) = (tasks(), End::Complete);
    Progress.execution(&Execution { events: &events, paths: &paths, tasks: &tasks, end: &end })
}

#[test]
fn two_rounds_that_are_the_same_with_nobody_left_are_a_lasso() {
    let finding = lookup([0, 0], None, "filemap_get_entry").expect("found");
    assert_eq!((finding.rule, finding.event), (ENDLESS_LOOPS_END, Some(6)));
    assert_eq!(
        finding.message,
        "task1 goes round in filemap_get_entry() for ever: nobody is left who could change what \
         it finds"
    );
    assert!(lookup([0, 0], Some(0), "filemap_get_entry").is_some(), "the other has ended");
}

/// Each drain raises a generation, of which a pin asks only whether it is what it was.
#[test]
fn a_round_that_counts_itself_is_the_same() {
    let again = Action::Mark("a long-term pin was tried again");
    let pin = |counted: &'static str, generations: [u64; 2]| {
        let mut paths = Paths::default();
        let path = paths.enter(PathId::ROOT, "__gup_longterm_locked");
        let step = |action, old, new| Event { path, old, new, ..event(1, action, A) };
        let mut events = Vec::new();
        for now in generations {
            let of = |step: Event| Event { name: Name::new(counted), ..step };
            events.push(of(step(Action::Read, now, now)));
            events.push(of(step(Action::Write, 0, now + 1)));
            events.push(Event { object: u32::MAX, ..step(again, 0, 0) });
        }
        let (tasks, end) = (tasks(), End::Complete);
        Progress.execution(&Execution { events: &events, paths: &paths, tasks: &tasks, end: &end })
    };
    assert!(pin("lru_drain_gen", [0, 1]).is_some());
    assert_eq!(pin("lru_drain_gen", [0, 3]), None, "somebody else has counted");
    assert_eq!(pin("folio->_refcount", [0, 1]), None, "that comes to an end");
}

#[test]
fn a_round_that_finds_something_else_is_none() {
    assert_eq!(lookup([0, 3], None, "filemap_get_entry"), None);
    for at in [2, 4, 7] {
        assert_eq!(lookup([0, 0], Some(at), "filemap_get_entry"), None, "another runs at {at}");
    }
    assert_eq!(lookup([0, 0], None, "folio_lock"), None, "that loop has a bound");
}
