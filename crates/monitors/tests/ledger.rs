//! The rules of the ledger: each with events that break it, and the corrected twin.

use crate::common;

use common::{A, B, event, show, tasks};
use selvedge_monitors::{Ledger, NOBODY_HOLDS_ON, REFERENCES_BALANCE, WHAT_IS_FREED_IS_NOT_TAKEN};
use selvedge_trace::{Action, End, Event, Execution, Finding, Monitor, Name, PathId, Paths};

const COUNTER: u32 = 3;
const CACHE: Name = Name::new("page cache");
const LOOKUP: Name = Name::new("lookup");

fn of_folio(task: u8, action: Action) -> Event {
    let name = Name::new("folio->_refcount").nth(0);
    Event { name, ..event(task, action, COUNTER) }
}

fn count(task: u8, old: u64, new: u64) -> Event {
    Event { old, new, primitive: "atomic_inc", ..of_folio(task, Action::Update) }
}

fn get(task: u8, holder: Name) -> Event {
    of_folio(task, Action::Get(holder))
}

fn put(task: u8, holder: Name) -> Event {
    of_folio(task, Action::Put(holder))
}

/// A step on something else.
fn other(task: u8) -> Event {
    event(task, Action::Read, B)
}

fn strict(events: &[Event]) -> Option<Finding> {
    let begun = [&[get(0, CACHE)], events].concat();
    show(&mut Ledger::at_every_step(), &begun, &End::Complete)
}

fn is_balance(found: Option<Finding>) -> bool {
    found.is_some_and(|finding| finding.rule == REFERENCES_BALANCE)
}

#[test]
fn a_count_that_nobody_books_is_found_though_it_is_right_in_the_end() {
    let taken = [count(1, 1, 2), get(1, LOOKUP), other(1)];
    let given = [put(1, LOOKUP), other(2), count(1, 2, 1), other(1)];
    assert_eq!(strict(&[&taken[..], &given].concat()), None);
    let silent = [count(1, 1, 2), other(1), count(1, 2, 1)];
    let finding = strict(&silent).expect("found");
    assert_eq!(
        finding.message,
        "folio0->_refcount is more by 1 than its holders hold, since task1: page cache (1)"
    );
    let begun = [&[get(0, CACHE)], &silent[..]].concat();
    assert_eq!(show(&mut Ledger::default(), &begun, &End::Complete), None, "at the end it is");
    // Booked, and not counted.
    assert!(is_balance(strict(&[count(1, 1, 1), get(1, LOOKUP), other(1), count(1, 1, 2)])));
}

/// Another task may run between what one says and what it does.
#[test]
fn what_two_tasks_do_at_the_same_time_is_told_apart() {
    let both = [
        count(1, 1, 2),
        get(1, LOOKUP),
        put(1, LOOKUP),
        count(2, 2, 3),
        get(2, LOOKUP),
        other(2),
        count(1, 3, 2),
        put(2, LOOKUP),
        count(2, 2, 1),
    ];
    assert_eq!(strict(&both), None);
}

/// An update that another one has been lost to.
#[test]
fn a_lost_update_is_found_when_it_happens() {
    let store = |task, new| Event { new, ..of_folio(task, Action::Write) };
    let lost =
        [count(1, 1, 1), count(1, 1, 2), get(1, LOOKUP), store(2, 2), get(2, LOOKUP), other(2)];
    assert!(is_balance(strict(&lost)));
    assert_eq!(strict(&[&lost[..3], &[store(2, 3)], &lost[4..]].concat()), None);
}

/// `folio_ref_freeze()`: who has frozen a count may change who holds what at leisure.
#[test]
fn a_frozen_count_is_right_when_it_is_let_go() {
    let freeze = Event { primitive: "atomic_cmpxchg", ..count(1, 2, 0) };
    let lets_go = |new| Event { new, ..of_folio(1, Action::Write) };
    let migrates = |left| {
        let begun = [count(1, 1, 2), get(1, LOOKUP), freeze, other(1), put(1, CACHE), other(1)];
        strict(&[&begun[..], &[lets_go(left), other(1)]].concat())
    };
    assert_eq!(migrates(1), None);
    let finding = migrates(2).expect("found");
    assert!(finding.message.contains("is more by 1 than its holders hold"), "{}", finding.message);
    assert!(finding.message.ends_with("lookup (1 since task1)"), "{}", finding.message);
}

#[test]
fn a_reference_to_what_was_freed_is_found_at_the_get() {
    let frees = |new| {
        let name = Name::new("folio->freed").nth(0);
        Event { name, new, ..event(1, Action::Write, A) }
    };
    let gone = [put(0, CACHE), count(0, 1, 0), frees(1)];
    let finding = strict(&[&gone[..], &[count(2, 0, 1)]].concat()).expect("found");
    assert_eq!(
        (finding.rule, finding.message.as_str()),
        (WHAT_IS_FREED_IS_NOT_TAKEN, "atomic_inc(folio0->_refcount), which has been freed")
    );
    let again = [&gone[..], &[frees(0), count(2, 0, 1), get(2, LOOKUP)]].concat();
    assert_eq!(strict(&again), None, "it was allocated anew");
}

#[test]
fn a_holder_that_should_have_let_go_is_named_with_the_place() {
    let mut paths = Paths::default();
    let path = paths.enter(PathId::ROOT, "filemap_get_entry");
    let held = [get(0, CACHE), count(1, 1, 2), Event { path, ..get(1, LOOKUP) }];
    let left = |keepers| {
        let mut ledger = Ledger::default().kept_by(keepers);
        let (tasks, end) = (tasks(), End::Complete);
        ledger.execution(&Execution { events: &held, paths: &paths, tasks: &tasks, end: &end })
    };
    let finding = left(&[]).expect("found");
    assert_eq!((finding.rule, finding.event), (NOBODY_HOLDS_ON, Some(2)));
    assert_eq!(
        finding.message,
        "lookup still has a reference to folio0->_refcount, since filemap_get_entry() of task1"
    );
    assert_eq!(left(&["lookup"]), None);
}
