//! Execution counts with a closed formula.

mod common;

use common::Instr::*;
use common::{Rule, dpor, plain_dfs};

fn factorial(n: usize) -> usize {
    (1..=n).product()
}

#[test]
fn tasks_on_one_lock_run_in_every_order() {
    for n in 2..=6 {
        let program = vec![vec![Lock(0), Unlock(0)]; n];
        assert_eq!(dpor(&program).executions, factorial(n), "{n} tasks");
    }
}

#[test]
fn a_ring_of_locks_deadlocks_once() {
    for n in 2..=8u32 {
        let task = |i: u32| vec![Lock(i), Lock((i + 1) % n), Unlock((i + 1) % n), Unlock(i)];
        let seen = dpor(&(0..n).map(task).collect::<Vec<_>>());
        assert_eq!((seen.executions, seen.deadlocks), ((1 << n) - 1, 1), "{n} locks");
    }
}

#[test]
fn independent_tasks_run_once() {
    let program: Vec<_> = (0..4).map(|i| vec![Write(i, 1), Read(i), Lock(i), Unlock(i)]).collect();
    assert_eq!(dpor(&program).executions, 1);
}

#[test]
fn one_writer_is_seen_or_not_by_each_reader() {
    for n in 1..=6 {
        let mut program = vec![vec![Read(0)]; n];
        program.push(vec![Write(0, 1)]);
        assert_eq!(dpor(&program).executions, 1 << n, "{n} readers");
    }
}

#[test]
fn void_additions_commute_until_somebody_reads() {
    let adders = vec![vec![Add(0, 1)]; 4];
    assert_eq!(dpor(&adders).executions, 1);
    let with_reader = [adders, vec![vec![Read(0)]]].concat();
    // The reader sees any subset of the additions.
    assert_eq!(dpor(&with_reader).executions, 1 << 4);
}

#[test]
fn bits_of_one_word_are_independent() {
    let program = vec![vec![SetBit(0, false)], vec![ReadHalf(0, true)], vec![SetBit(0, true)]];
    assert_eq!(dpor(&program).executions, 2);
}

/// (2n)! / 2^n: n updates, none of which gives up, and n additions, each after its update.
#[test]
fn update_loops_are_ordered_with_all_that_looks() {
    let task = vec![Update(0, Rule::IncrementBelow(u64::MAX)), FetchAdd(0, 1)];
    for n in 2..=4 {
        let expected = factorial(2 * n) / (1 << n);
        assert_eq!(dpor(&vec![task.clone(); n]).executions, expected, "{n} tasks");
    }
}

#[test]
fn choices_are_all_made() {
    assert_eq!(dpor(&[vec![Choose, Choose], vec![Choose]]).executions, 8);
}

#[test]
fn a_deadlock_of_some_tasks_is_found_while_others_run() {
    let program = vec![
        vec![Lock(0), Lock(1), Unlock(1), Unlock(0)],
        vec![Lock(1), Lock(0), Unlock(0), Unlock(1)],
        vec![Write(0, 1), Write(0, 2)],
    ];
    let seen = dpor(&program);
    assert_eq!((seen.executions, seen.deadlocks), (3, 1));
    assert_eq!(
        seen.finals.keys().collect::<Vec<_>>(),
        plain_dfs(&program, 20_000).expect("few").finals.keys().collect::<Vec<_>>()
    );
}

#[test]
fn a_wait_without_a_wake_is_a_deadlock() {
    let seen = dpor(&[vec![Wait(0, true)], vec![Wake(0)], vec![Wait(0, true)]]);
    assert_eq!((seen.executions, seen.deadlocks), (2, 2));
}
