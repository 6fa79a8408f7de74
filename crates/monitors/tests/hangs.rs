//! A hang on a bit is explained: who cleared it last, and whom that woke.

use crate::common;

use common::{GUARD, event, tasks, waits};
use selvedge_monitors::{NOBODY_WAITS_FOR_EVER, WaitGraph};
use selvedge_trace::{
    Action, BitWait, End, Event, Execution, Finding, Monitor, PathId, Paths, Rule, Waiting,
};

const NOBODY_SLEEPS_ON_A_FREE_LOCK: Rule = Rule("nobody sleeps on a free lock");
const LOCKED: u64 = 1;
const FLAGS: u32 = 3;
const ENTRY: u32 = 10;

/// Steps on the folio's flags, and in the functions that sleep and wake.
struct Folio {
    paths: Paths,
    waits: PathId,
    sleeps: PathId,
    wakes: PathId,
}

impl Folio {
    fn new() -> Folio {
        let mut paths = Paths::default();
        let waits = paths.enter(PathId::ROOT, "folio_wait_bit_common");
        let sleeps = paths.enter(waits, "schedule");
        let wakes = paths.enter(PathId::ROOT, "folio_wake_bit");
        Folio { paths, waits, sleeps, wakes }
    }

    fn change(&self, task: u8, old: u64, new: u64) -> Event {
        Event { old, new, ..event(task, Action::Update, FLAGS) }
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

    fn hang(&self, events: &[Event], sleepers: &[u8]) -> Finding {
        let sleeper = |&task: &u8| Waiting {
            primitive: "schedule",
            path: self.sleeps,
            ..waits(task, ENTRY + 10 + u32::from(task))
        };
        let end = End::Deadlock(sleepers.iter().map(sleeper).collect());
        let tasks = tasks();
        let execution = Execution { events, paths: &self.paths, tasks: &tasks, end: &end };
        WaitGraph.execution(&execution).expect("found")
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
