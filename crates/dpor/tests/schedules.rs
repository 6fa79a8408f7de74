//! How executions end, that a schedule can be followed again, and that a search which was cut does
//! not say that it was complete.

use crate::common::record;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dpor::{
    Dpor, Enabled, End, Footprint, Kind, Object, Op, PlainDfs, Replay, SleepSets, Step, abandon,
    choose, join, run, spawn, step,
};
use record::record;
use shuttle::scheduler::{PctScheduler, RandomScheduler};

const STACK: usize = 0x10000;
const STEPS_MAX: usize = 100;

fn lock(object: u32) {
    step(Op::new(Kind::Lock, Object(object)));
}

fn unlock(object: u32) {
    step(Op::new(Kind::Unlock, Object(object)));
}

fn both_locks(first: u32, second: u32) {
    lock(first);
    lock(second);
    unlock(second);
    unlock(first);
}

/// Two tasks that take two locks, in the same order or not, as a choice has it.
fn perhaps_crossed() {
    let crossed = choose(2);
    let other = spawn("other", move || both_locks(crossed, 1 - crossed));
    both_locks(0, 1);
    join(other);
}

fn is_deadlock(end: &End) -> bool {
    matches!(end, End::Deadlock(_))
}

#[test]
fn every_schedule_of_a_search_ends_alike_when_followed() {
    let (ends, observer) = record();
    run(Dpor::new(observer, STEPS_MAX), STACK, perhaps_crossed);
    let ends = ends.take();
    assert_eq!(ends.iter().filter(|(end, _)| is_deadlock(end)).count(), 1);
    for (end, schedule) in ends {
        let (again, observer) = record();
        run(Replay::new(&schedule, observer, STEPS_MAX), STACK, perhaps_crossed);
        assert_eq!(again.take(), [(end, schedule)]);
    }
}

#[test]
fn a_schedule_of_another_program_is_refused() {
    let (ends, observer) = record();
    let schedule = [Step::Task(0), Step::Task(7)];
    run(Replay::new(&schedule, observer, STEPS_MAX), STACK, perhaps_crossed);
    assert!(matches!(ends.take()[..], [(End::NotDeterministic(_), _)]));
}

#[test]
fn shuttles_own_schedulers_find_the_deadlock() {
    let (ends, observer) = record();
    let random = RandomScheduler::new_from_seed(1, 200);
    run(Enabled::new(random, observer, STEPS_MAX), STACK, perhaps_crossed);
    assert!(ends.take().iter().any(|(end, _)| is_deadlock(end)), "random");
    let (ends, observer) = record();
    let pct = PctScheduler::new_from_seed(1, 3, 200);
    run(Enabled::new(pct, observer, STEPS_MAX), STACK, perhaps_crossed);
    assert!(ends.take().iter().any(|(end, _)| is_deadlock(end)), "PCT");
}

/// A task that is spawned by a spawned task, while others run.
fn nested_spawns() {
    let write = || step(Op::new(Kind::Access(Footprint::WRITE), Object(0)));
    let parent = spawn("parent", move || {
        write();
        let child = spawn("child", write);
        join(child);
    });
    write();
    join(parent);
}

/// Three writes, of which the child's comes after its parent's.
#[test]
fn a_spawned_task_may_spawn() {
    let (ends, observer) = record();
    let dpor = Dpor::new(observer, STEPS_MAX).remembering_traces();
    let results = dpor.results();
    run(dpor, STACK, nested_spawns);
    assert_eq!(results.executions(), 3);
    assert_eq!((results.sleep_set_blocked(), results.repeated_traces()), (0, 0));
    assert!(results.complete() && ends.take().iter().all(|(end, _)| *end == End::Complete));
}

#[test]
fn a_program_that_does_something_else_is_told() {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    let (ends, observer) = record();
    let dpor = Dpor::new(observer, STEPS_MAX);
    let results = dpor.results();
    run(dpor, STACK, || {
        let object = Object(RUNS.fetch_add(1, Relaxed) as u32);
        step(Op::new(Kind::Access(Footprint::WRITE), object));
        choose(2);
    });
    let ends = ends.take();
    assert!(matches!(ends.last(), Some((End::NotDeterministic(_), _))), "{ends:?}");
    assert!(!results.complete());
}

#[test]
fn a_search_that_gave_up_executions_is_not_complete() {
    let (ends, observer) = record();
    let dpor = Dpor::new(observer, 3);
    let results = dpor.results();
    run(dpor, STACK, perhaps_crossed);
    assert!(ends.take().iter().any(|(end, _)| *end == End::StepLimit));
    assert!(results.given_up() > 0 && !results.complete());

    let (ends, observer) = record();
    let dpor = Dpor::new(observer, STEPS_MAX);
    let results = dpor.results();
    run(dpor, STACK, || {
        if choose(2) == 1 {
            abandon();
        }
    });
    let ends: Vec<End> = ends.take().into_iter().map(|(end, _)| end).collect();
    assert_eq!(ends, [End::Complete, End::Abandoned]);
    assert!(results.given_up() == 1 && !results.complete());
}

/// Plain DFS within no preemption runs each task until it blocks or ends.
#[test]
fn plain_search_without_preemptions_misses_the_deadlock_and_one_preemption_finds_it() {
    for (preemptions_max, expected) in [(0, false), (1, true)] {
        let (ends, observer) = record();
        let search = PlainDfs::new(observer, STEPS_MAX, Some(preemptions_max));
        run(search, STACK, perhaps_crossed);
        let found = ends.take().iter().any(|(end, _)| is_deadlock(end));
        assert_eq!(found, expected, "{preemptions_max}");
    }
}

#[test]
fn what_follows_a_beginning_is_what_a_search_finds_that_begins_so() {
    let all = |beginning: &[Step]| {
        let (ends, observer) = record();
        run(SleepSets::after(beginning, observer, STEPS_MAX), STACK, perhaps_crossed);
        let ends = ends.take();
        ends.into_iter().filter(|(end, _)| *end != End::SleepSetBlocked).collect::<Vec<_>>()
    };
    let (whole, observer) = record();
    run(Dpor::new(observer, STEPS_MAX), STACK, perhaps_crossed);
    let whole = whole.take();
    assert_eq!(all(&[]).len(), whole.len(), "one for each trace");
    for (end, schedule) in whole {
        // A choice belongs to the step before it.
        let cuts = (0..schedule.len()).filter(|&at| matches!(schedule[at], Step::Task(_)));
        for at in cuts {
            let found = all(&schedule[..at]);
            assert!(found.iter().all(|(_, other)| other.starts_with(&schedule[..at])));
            assert!(found.iter().any(|(other, _)| is_deadlock(other) == is_deadlock(&end)));
        }
        assert_eq!(all(&schedule), [(end, schedule)]);
    }
}
