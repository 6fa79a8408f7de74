//! A hang on a bit is explained: who cleared it last, and whom that woke.

use crate::common;

use common::{GUARD, event, tasks, waits};
use selvedge_monitors::{Luck, NO_WAIT_ENDS_BY_LUCK, NOBODY_WAITS_FOR_EVER, WaitGraph};
use selvedge_trace::{
    Action, BitWait, Class, Context, End, Event, Execution, Finding, Monitor, PathId, Paths, Rule,
    Touch, Waiting,
};

const NOBODY_SLEEPS_ON_A_FREE_LOCK: Rule = Rule("nobody sleeps on a free lock");
const LOCKED: u64 = 1;
const FLAGS: u32 = 3;
const ENTRY: u32 = 10;

/// Steps on the folio's flags, and in the functions that sleep and wake.
struct Folio {
    paths: Paths,
    changes: PathId,
    waits: PathId,
    sleeps: PathId,
    wakes: PathId,
}

impl Folio {
    fn new() -> Folio {
        let mut paths = Paths::default();
        let changes = paths.enter(PathId::ROOT, "folio_unlock");
        let waits = paths.enter(PathId::ROOT, "folio_wait_bit_common");
        let sleeps = paths.enter(waits, "schedule");
        let wakes = paths.enter(changes, "folio_wake_bit");
        Folio { paths, changes, waits, sleeps, wakes }
    }

    fn change(&self, task: u8, old: u64, new: u64) -> Event {
        let touch = Touch::ALL;
        Event { old, new, touch, path: self.changes, ..event(task, Action::Update, FLAGS) }
    }

    fn awaits(&self, task: u8) -> Event {
        let told_by = [ENTRY + u32::from(task), ENTRY + 10 + u32::from(task)];
        let wait = BitWait {
            mask: LOCKED,
            bit: "PG_locked",
            told_by,
            if_forgotten: NOBODY_SLEEPS_ON_A_FREE_LOCK,
        };
        Event { path: self.waits, ..event(task, Action::Awaits(wait), FLAGS) }
    }

    fn tells(&self, task: u8, sleeper: u8) -> Event {
        let object = ENTRY + u32::from(sleeper);
        Event { path: self.wakes, in_waker: true, ..event(task, Action::Write, object) }
    }

    /// The token by which the task is woken is set, or found to be.
    fn token(&self, (task, action): (u8, Action), path: PathId, sleeper: u8) -> Event {
        let object = ENTRY + 10 + u32::from(sleeper);
        Event { path, class: Class::Token, touch: Touch::ALL, ..event(task, action, object) }
    }

    fn wakes(&self, task: u8, sleeper: u8) -> Event {
        self.token((task, Action::Wake), self.wakes, sleeper)
    }

    fn goes_on(&self, task: u8) -> Event {
        self.token((task, Action::Wait), self.sleeps, task)
    }

    fn ends(&self, events: &[Event]) -> Option<Finding> {
        let (tasks, end) = (tasks(), End::Complete);
        Luck.execution(&Execution { events, paths: &self.paths, tasks: &tasks, end: &end })
    }

    fn hang(&self, events: &[Event], sleepers: &[u8]) -> Finding {
        let sleeper = |&task: &u8| Waiting {
            primitive: "schedule",
            path: self.sleeps,
            ..waits(task, ENTRY + 10 + u32::from(task))
        };
        let end = End::Deadlock(sleepers.iter().map(sleeper).collect());
        let tasks = tasks();
        let execution = Execution { events, paths: &self.paths, tasks: &tasks, end: &end };
        let waits_for_luck = Luck.execution(&execution);
        let found = WaitGraph.execution(&execution).expect("found");
        let is_forgotten = found.rule == NOBODY_SLEEPS_ON_A_FREE_LOCK;
        assert_eq!(waits_for_luck.map(|found| found.event), is_forgotten.then_some(found.event));
        found
    }
}

#[test]
fn a_sleeper_whose_wake_up_went_to_another_is_explained() {
    let f = Folio::new();
    let (lock, unlock) = (f.change(0, 0, LOCKED), f.change(0, LOCKED, 0));
    let events = [lock, f.awaits(1), f.awaits(2), unlock, f.tells(0, 1)];
    let finding = f.hang(&events, &[2]);
    assert_eq!((finding.rule, finding.event), (NOBODY_SLEEPS_ON_A_FREE_LOCK, Some(3)));
    assert_eq!(
        finding.message,
        "CPU2 task2 sleeps on PG_locked of object[3], which is clear: CPU0 task0 cleared it last \
         and woke CPU1 task1, who neither took it nor passed the wake-up on"
    );
    let otherwise = [lock, f.awaits(2), f.awaits(1), unlock, f.tells(0, 1)];
    assert_eq!(f.hang(&otherwise, &[2]).message, finding.message, "the same hang, one finding");
}

#[test]
fn a_sleeper_that_was_not_seen_is_told_from_one_that_was_passed_by() {
    let f = Folio::new();
    let (lock, unlock) = (f.change(0, 0, LOCKED), f.change(0, LOCKED, 0));
    let unseen = f.hang(&[lock, unlock, f.awaits(2)], &[2]);
    assert!(unseen.message.ends_with("saw no mark of a sleeper"), "{}", unseen.message);
    let looks = Event { path: f.wakes, in_waker: true, ..event(0, Action::Lock, GUARD) };
    let passed_by = f.hang(&[lock, unlock, looks, f.awaits(2)], &[2]);
    assert!(passed_by.message.ends_with("found nobody to wake"), "{}", passed_by.message);
}

#[test]
fn a_bit_that_is_set_is_held_by_whom_it_was_given_to() {
    let f = Folio::new();
    let owns = event(1, Action::Owns(LOCKED), FLAGS);
    let finding = f.hang(&[f.change(0, 0, LOCKED), owns, f.awaits(2)], &[2]);
    assert_eq!(finding.rule, NOBODY_WAITS_FOR_EVER);
    assert_eq!(
        finding.message,
        "CPU2 task2 sleeps on PG_locked of object[3], set by CPU1 task1 since the scenario()"
    );
}

/// It sleeps until it is woken, and waits for the lock.
#[test]
fn who_sleeps_in_the_queue_of_a_lock_waits_for_that_unless_a_signal_comes() {
    let mut f = Folio::new();
    let queue = f.paths.enter(PathId::ROOT, "__mutex_lock_killable_slowpath");
    f.sleeps = f.paths.enter(queue, "schedule");
    let tried =
        |path, primitive| Event { path, primitive, ..event(2, Action::TryLockFailed, GUARD) };
    let held = event(1, Action::Lock, GUARD);
    let killable = "mutex_lock_killable";
    let finding = f.hang(&[held, tried(PathId::ROOT, killable), tried(queue, killable)], &[2]);
    assert_eq!(
        finding.message,
        "CPU2 task2 waits for object[2], held by CPU1 task1 since the scenario(), unless a fatal \
         signal comes"
    );
    let only_tries = f.hang(&[held, tried(queue, "mutex_trylock")], &[2]);
    assert!(!only_tries.message.contains("signal"), "{}", only_tries.message);
}

/// The function that queues itself may call others that sleep, as `io_schedule()` does.
#[test]
fn a_sleeper_may_sleep_in_a_function_further_down() {
    let mut f = Folio::new();
    let io_schedule = f.paths.enter(f.waits, "io_schedule");
    f.sleeps = f.paths.enter(io_schedule, "schedule");
    let (lock, unlock) = (f.change(0, 0, LOCKED), f.change(0, LOCKED, 0));
    let finding = f.hang(&[lock, unlock, f.awaits(2)], &[2]);
    assert_eq!(finding.rule, NOBODY_SLEEPS_ON_A_FREE_LOCK);
    f.sleeps = f.paths.enter(PathId::ROOT, "schedule");
    assert_eq!(
        f.hang(&[lock, unlock, f.awaits(2)], &[2]).rule,
        NOBODY_WAITS_FOR_EVER,
        "it has left"
    );
}

/// Task 0 unlocks and wakes nobody; task 1 comes by, locks, unlocks, and wakes who sleeps.
#[test]
fn a_sleeper_that_is_woken_by_who_comes_by_later_waits_for_luck() {
    let f = Folio::new();
    let unlock = |task| f.change(task, LOCKED, 0);
    let lock = |task| Event { path: PathId::ROOT, ..f.change(task, 0, LOCKED) };
    let comes_by = [lock(1), unlock(1), f.wakes(1, 2), f.goes_on(2)];
    let events = [&[f.awaits(2), unlock(0)], &comes_by[..]].concat();
    let finding = f.ends(&events).expect("found");
    assert_eq!((finding.rule, finding.event), (NO_WAIT_ENDS_BY_LUCK, Some(1)));
    assert_eq!(
        finding.message,
        "CPU2 task2 sleeps on PG_locked of object[3], which is clear: CPU0 task0 cleared it last \
         and saw no mark of a sleeper; and goes on only because CPU1 task1 comes by later"
    );
}

#[test]
fn who_is_woken_by_him_who_unlocked_or_may_yet_be_does_not_wait_for_luck() {
    let f = Folio::new();
    let unlock = |task| f.change(task, LOCKED, 0);
    let woken = [f.awaits(2), unlock(0), f.wakes(0, 2), f.goes_on(2)];
    assert_eq!(f.ends(&woken), None);
    // Another is faster than he, who is in the midst of it.
    let lock = |task| Event { path: PathId::ROOT, ..f.change(task, 0, LOCKED) };
    let looks = Event { path: f.wakes, touch: Touch::ALL, ..event(0, Action::Lock, GUARD) };
    let other = Event { task: 1, ..looks };
    let comes_by = [lock(1), unlock(1), other, f.wakes(1, 2), looks, f.goes_on(2)];
    assert_eq!(f.ends(&[&[f.awaits(2), unlock(0)], &comes_by[..]].concat()), None);
    // Who comes by is an interrupt: it does come.
    let mut interrupt = [lock(1), unlock(1), f.wakes(1, 2)];
    interrupt.iter_mut().for_each(|event| event.context = Context::Irq);
    let events = [&[f.awaits(2), unlock(0)], &interrupt[..], &[f.goes_on(2)]].concat();
    assert_eq!(f.ends(&events), None);
}
