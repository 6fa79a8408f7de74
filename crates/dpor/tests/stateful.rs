//! The search over states: how many states small programs have, and what it insists on.
//! `equivalence.rs` compares what it reaches with plain DFS.

use crate::common;

use crate::examples as workloads;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use common::Instr::*;
use common::{STACK, STEPS_MAX, Told, stateful};
use dpor::*;
use workloads::Announced;
use workloads::programs::{ring, try_locks};

struct Ignore;

impl Observer for Ignore {
    fn execution_ended(&mut self, _: &End, _: &[Step]) -> Next {
        Next::Continue
    }
}

/// Two tasks of k steps on words of their own. Main is before the first spawn (1 state), before the
/// second (k + 1: how far the first task is), before the first join ((k + 1)^2), or before the
/// second join (k + 1: how far the second task is): (k + 2)^2 in all.
#[test]
fn independent_tasks_have_a_grid_of_states() {
    for k in 1..=6u64 {
        let task = |word| (0..k).map(|_| Write(word, 1)).collect::<Vec<_>>();
        let (seen, states) = stateful(&[task(0), task(1)], Told::Observations);
        assert_eq!((states, seen.finals.len()), ((k + 2).pow(2), 1), "{k} steps");
    }
}

/// A task reads k times a word that another sets once. While it is told apart what the task has
/// read, a state knows when the word was set; when the task is at rest between the reads, only
/// whether. (Main takes one step before and one after, and joins in any order with the rest.)
#[test]
fn a_task_at_rest_has_forgotten_what_it_saw() {
    let states = |k: usize, rests: bool| {
        let search = Stateful::new(Box::new(Ignore), STEPS_MAX, workloads::hash_values);
        let results = search.results();
        run(search, STACK, move || {
            use workloads::programs::{Backend, Word};
            let word = std::sync::Arc::new(Announced::word(0, 0));
            let theirs = word.clone();
            let reader = spawn("reader", move || {
                for position in 0..k {
                    theirs.load();
                    if rests {
                        at_rest(position as u64);
                    }
                }
            });
            word.store(1);
            join(reader);
        });
        assert!(results.complete());
        results.states()
    };
    for k in 1..=6 {
        // Before the spawn; before the store, after 0 to k reads; after it, likewise.
        assert_eq!(states(k, true), 1 + 2 * (k as u64 + 1), "{k} reads, at rest");
        // After the store, and after r reads, of which 0 to r came before the store; the last read
        // is the reader's end.
        let told_apart = (0..k as u64).map(|reads| reads + 1).sum::<u64>() + 1;
        assert_eq!(states(k, false), 1 + (k as u64 + 1) + told_apart, "{k} reads");
    }
}

#[test]
fn the_deadlock_of_a_ring_is_found() {
    let (states, deadlocks) = workloads::explore_states(&ring::<Announced>(4, false));
    assert!(states.complete() && deadlocks > 0);
    let (states, deadlocks) = workloads::explore_states(&ring::<Announced>(4, true));
    assert!(states.complete());
    assert_eq!(deadlocks, 0);
}

/// Four tasks that contend for one bit: more than 100,000 traces (tests/workloads.rs), and few
/// states. Each task is before one of two tries, or within one of two critical sections of three
/// steps, or done, and at most one is within: 3^4 + 4 * 6 * 3^3 = 729 places once all are spawned.
/// The counter tells how many sections were entered, at most 8 of 9 values.
#[test]
fn contention_has_few_states() {
    let (states, _) = workloads::explore_states(&try_locks::<Announced>(4));
    assert!(states.complete());
    let spawned = 9 * 729;
    // Main is before a spawn or before a join.
    assert!((729..8 * spawned).contains(&states.states()), "{}", states.states());
    assert!(states.executions() < 10_000, "{}", states.executions());
    let n = states.states() as f64;
    assert_eq!(states.collision_probability(), n * (n - 1.0) / 2f64.powi(129));
    assert!(states.table_bytes() >= 16 * states.states() as usize);
}

/// Of two independent steps that lead to one state in either order, one order is run. Two tasks
/// have k steps of their own: a grid of states, with k * k squares. Without sleep sets each has an
/// execution that comes to its last corner from the other side; with them each side of the grid
/// has some.
#[test]
fn sleep_sets_save_orders_and_no_states() {
    for k in 4..=8u64 {
        let task = |word| (0..k).map(|_| Write(word, 1)).collect::<Vec<_>>();
        let (seen, states) = stateful(&[task(0), task(1)], Told::Observations);
        assert_eq!(states, (k + 2).pow(2));
        assert!(seen.executions as u64 <= 2 * (k + 2), "{k} steps: {}", seen.executions);
    }
}

/// Main forgets what it has chosen, and does one of two things by it. A search that takes both
/// states for one sees one of them; one that compares what follows finds the step.
#[test]
fn what_nobody_says_is_found_by_comparing() {
    let search = |compares: bool| {
        let hidden = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let new = if compares { Stateful::comparing } else { Stateful::new };
        let search = new(Box::new(Ignore), STEPS_MAX, |_: &mut StateHash| {});
        let results = search.results();
        run(search, STACK, move || {
            use std::sync::atomic::Ordering::Relaxed;
            hidden.store(choose(2), Relaxed);
            at_rest(0);
            step(Op::LOCAL);
            at_rest(1);
            if hidden.load(Relaxed) == 1 {
                step(Op::new(Kind::Wake, Object(3)));
            }
        });
        results
    };
    assert!(search(false).complete() && search(false).difference().is_none());
    let seen = search(true);
    assert!(!seen.complete() && seen.comparisons() == 1);
    let found = seen.difference().expect("a difference");
    let what = "task 0 was at its end, and is now about to do Wake of object 3";
    assert_eq!((found.task, found.what.as_str()), (0, what));
}

#[test]
fn a_task_that_reads_must_say_what_it_saw() {
    let silent = || {
        let search = Stateful::new(Box::new(Ignore), STEPS_MAX, |_| {});
        run(search, STACK, || {
            let task = spawn("task", || {
                step(Op::new(Kind::Access(Footprint::READ), Object(7)));
                step(Op::LOCAL);
            });
            join(task);
        });
    };
    let payload = catch_unwind(AssertUnwindSafe(silent)).expect_err("a panic");
    let message = payload.downcast_ref::<String>().expect("a formatted message");
    assert!(message.contains("task 1 read object 7"), "{message}");
}

#[test]
fn a_search_that_gave_up_executions_is_not_complete() {
    let search = Stateful::new(Box::new(Ignore), 2, |_| {});
    let states = search.results();
    run(search, STACK, || (0..3).for_each(|_| step(Op::LOCAL)));
    assert!(states.given_up() == 1 && !states.complete());
}

/// How many deadlocks there are if a task does one of two things and forgets which, and main
/// perhaps waits afterwards. Where a state is not told from another that was there first, main is
/// not seen to wait.
fn deadlocks_after(kinds: [Kind; 2], waits: Kind) -> u64 {
    struct Deadlocks(Rc<Cell<u64>>);
    impl Observer for Deadlocks {
        fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
            self.0.set(self.0.get() + u64::from(matches!(end, End::Deadlock(_))));
            Next::Continue
        }
    }
    let deadlocks = Rc::new(Cell::new(0));
    let search = Stateful::new(Box::new(Deadlocks(deadlocks.clone())), STEPS_MAX, |_| {});
    run(search, STACK, move || {
        let other = spawn("other", move || {
            let chosen = choose(2) as usize;
            step(Op::new(kinds[chosen], Object(0)));
            at_rest(0);
        });
        join(other);
        if choose(2) == 1 {
            step(Op::new(waits, Object(0)));
        }
    });
    deadlocks.get()
}

#[test]
fn locks_and_tokens_are_part_of_the_state() {
    assert_eq!(deadlocks_after([Kind::Local, Kind::Lock], Kind::Lock), 1);
    assert_eq!(deadlocks_after([Kind::Wake, Kind::Local], Kind::Wait { consume: true }), 1);
    assert_eq!(deadlocks_after([Kind::Local, Kind::Local], Kind::Lock), 0);
}

/// A task spins until another has written: executions without end, and six states. Main is before
/// the spawn; or before the store, and the spinner has not read or has; or before the join, and the
/// spinner has not read, has, or is done.
#[test]
fn an_endless_loop_has_an_end_in_states() {
    let search = Stateful::new(Box::new(Ignore), STEPS_MAX, workloads::hash_values);
    let states = search.results();
    run(search, STACK, || {
        use workloads::programs::{Backend, Word};
        let word = std::sync::Arc::new(Announced::word(0, 0));
        let theirs = word.clone();
        let spinner = spawn("spinner", move || {
            while theirs.load() == 0 {
                at_rest(0);
            }
            at_rest(1);
        });
        word.store(1);
        join(spinner);
    });
    assert!(states.complete());
    assert_eq!(states.states(), 6);
}
