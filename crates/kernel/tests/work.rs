//! Work items: one never runs twice at once, and a cancelled one does not run.

use crate::common;

use std::sync::Arc;

use common::{Program, two_cpus};
use selvedge_explore::{Engine, Verdict};
use selvedge_kernel::{
    Cpus, INIT_WORK, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT, Name, READ_ONCE, Var, WRITE_ONCE, Work,
    cancel_work_sync, flush_work, join_all, preempt_disable, queue_work_on,
};

/// A work item that adds 1 in two steps, and what it adds to.
struct Shared {
    work: Work,
    count: Arc<Var>,
    flag: Var,
}

fn make(_: &Arc<Cpus>) -> Shared {
    let count = Arc::new(Var::new(Name::new("count"), 0));
    let work = Work::cancellable(Name::new("work"));
    let counted = count.clone();
    INIT_WORK(
        &work,
        Arc::new(move || {
            let seen = READ_ONCE(&counted);
            WRITE_ONCE(&counted, seen + 1);
        }),
    );
    Shared { work, count, flag: Var::new(Name::new("flag"), 0) }
}

fn ends(shared: &Shared) -> u64 {
    join_all();
    shared.count.peek()
}

const fn program(tasks: &'static [(usize, common::Run<Shared>)]) -> Program<Shared> {
    Program { cpus: two_cpus, make, tasks, ends }
}

fn queues_here(cpus: &Cpus, shared: &Shared) -> u64 {
    u64::from(queue_work_on(cpus, 0, &shared.work))
}

fn queues_there(cpus: &Cpus, shared: &Shared) -> u64 {
    u64::from(queue_work_on(cpus, 1, &shared.work))
}

/// Both may queue it, on CPUs of their own, and none of the additions is lost.
#[test]
fn an_item_does_not_run_twice_at_once() {
    // With the workers there are too many tasks for the naive search.
    let (seen, outcomes) = program(&[(0, queues_here), (1, queues_there)]).run(Engine::Dpor);
    assert_eq!(seen.verdict, Verdict::Holds);
    assert!(outcomes.contains(&vec![1, 1, 2]), "{outcomes:?}");
    assert!(outcomes.iter().all(|seen| seen[0] + seen[1] == seen[2]), "{outcomes:?}");
    // Two items that do the same do run at once, and lose one.
    struct Two(Work, Work, Arc<Var>);
    fn make(_: &Arc<Cpus>) -> Two {
        let count = Arc::new(Var::new(Name::new("count"), 0));
        let works = [0, 1].map(|nth| {
            let (work, counted) = (Work::new(Name::new("work").nth(nth)), count.clone());
            INIT_WORK(
                &work,
                Arc::new(move || {
                    let seen = READ_ONCE(&counted);
                    WRITE_ONCE(&counted, seen + 1);
                }),
            );
            work
        });
        let [first, second] = works;
        Two(first, second, count)
    }
    fn queues_both(cpus: &Cpus, two: &Two) -> u64 {
        queue_work_on(cpus, 0, &two.0);
        queue_work_on(cpus, 1, &two.1);
        0
    }
    let ends = |two: &Two| {
        join_all();
        two.2.peek()
    };
    let two = Program { cpus: two_cpus, make, tasks: &[(0, queues_both)], ends };
    assert_eq!(two.outcomes(), [vec![0, 1], vec![0, 2]].into());
}

#[test]
fn who_has_flushed_it_sees_what_it_did() {
    fn flushes(cpus: &Cpus, shared: &Shared) -> u64 {
        queue_work_on(cpus, 0, &shared.work);
        flush_work(cpus, &shared.work);
        READ_ONCE(&shared.count)
    }
    let flushing = program(&[(1, flushes)]);
    assert_eq!(flushing.outcomes(), [vec![1, 1]].into());
    assert_eq!(flushing.run(Engine::Loom).1, [vec![1, 1]].into());
}

/// When the canceller goes on, nothing of the item is under way, and what it did before is seen.
#[test]
fn a_cancelled_item_has_run_whole_or_not_at_all() {
    fn cancels(cpus: &Cpus, shared: &Shared) -> u64 {
        queue_work_on(cpus, 0, &shared.work);
        let was_pending = cancel_work_sync(cpus, &shared.work);
        let seen = READ_ONCE(&shared.count);
        10 * u64::from(was_pending) + seen
    }
    let outcomes = program(&[(1, cancels)]).outcomes();
    // It was pending and has not run, or it has run to its end.
    assert_eq!(outcomes, [vec![10, 0], vec![1, 1]].into());
    // Who does not wait sees it run later.
    fn forgets(cpus: &Cpus, shared: &Shared) -> u64 {
        queue_work_on(cpus, 0, &shared.work);
        READ_ONCE(&shared.count)
    }
    assert!(program(&[(1, forgets)]).outcomes().contains(&vec![0, 1]));
}

#[test]
fn it_can_be_queued_again_after_it_was_cancelled() {
    fn cancels_and_queues(cpus: &Cpus, shared: &Shared) -> u64 {
        queue_work_on(cpus, 0, &shared.work);
        cancel_work_sync(cpus, &shared.work);
        let again = queue_work_on(cpus, 0, &shared.work);
        flush_work(cpus, &shared.work);
        u64::from(again)
    }
    assert_eq!(program(&[(1, cancels_and_queues)]).outcomes(), [vec![1, 1], vec![1, 2]].into());
}

/// Somebody else's queueing comes before the cancellation, or after it, or is refused: nothing is
/// left half done.
#[test]
fn a_cancellation_and_a_queueing_come_one_after_the_other() {
    fn cancels(cpus: &Cpus, shared: &Shared) -> u64 {
        let was_pending = cancel_work_sync(cpus, &shared.work);
        WRITE_ONCE(&shared.flag, 1);
        u64::from(was_pending)
    }
    let outcomes = program(&[(0, queues_here), (1, cancels)]).outcomes();
    let expected = [
        // Taken off the list; ran; came after the cancellation; refused while it was under way.
        vec![1, 1, 0],
        vec![1, 0, 1],
        vec![0, 0, 0],
    ];
    assert_eq!(outcomes, expected.into());
}

#[test]
fn nobody_cancels_in_atomic_context() {
    fn sleeps(cpus: &Cpus, shared: &Shared) -> u64 {
        preempt_disable(cpus);
        u64::from(cancel_work_sync(cpus, &shared.work))
    }
    assert_eq!(program(&[(0, sleeps)]).broken().0, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT.0);
}

/// The function queues its own item once more: a canceller ends that too.
#[test]
fn an_item_that_queues_itself_is_cancelled_for_good() {
    struct Again(Work, Arc<Var>);
    fn make(cpus: &Arc<Cpus>) -> Again {
        let work = Work::cancellable(Name::new("work"));
        let count = Arc::new(Var::new(Name::new("count"), 0));
        let (itself, counted, here) = (work.clone(), count.clone(), cpus.clone());
        INIT_WORK(
            &work,
            Arc::new(move || {
                let seen = READ_ONCE(&counted);
                WRITE_ONCE(&counted, seen + 1);
                if seen == 0 {
                    queue_work_on(&here, 0, &itself);
                }
            }),
        );
        Again(work, count)
    }
    fn cancels(cpus: &Cpus, again: &Again) -> u64 {
        queue_work_on(cpus, 0, &again.0);
        cancel_work_sync(cpus, &again.0);
        READ_ONCE(&again.1)
    }
    let ends = |again: &Again| {
        join_all();
        again.1.peek()
    };
    let seen = Program { cpus: two_cpus, make, tasks: &[(1, cancels)], ends };
    let (exploration, outcomes) = seen.run(Engine::Dpor);
    assert_eq!(exploration.verdict, Verdict::Holds, "{:?}", exploration.counterexample);
    // What the canceller saw is what there is in the end, in every execution.
    assert!(outcomes.iter().all(|seen| seen[0] == seen[1]), "{outcomes:?}");
    assert_eq!(outcomes, [vec![0, 0], vec![1, 1], vec![2, 2]].into());
}
