//! Execution counts with a closed formula.

use crate::common;

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

/// A store of what is there anyway, and a bit that is so already, have only read.
#[test]
fn a_write_that_changes_nothing_is_a_read() {
    let reader = vec![Read(0)];
    let same = [Put(0, 0), Flag(0, false, false), Flag(0, true, false)];
    for write in same {
        assert_eq!(dpor(&[vec![write], vec![write], reader.clone()]).executions, 1, "{write:?}");
    }
    // The second of two that set the bit changes nothing. The reader comes before both, between
    // them, or after both, and they come in either order: 6, of which two pairs are the same.
    let sets = vec![Flag(0, false, true)];
    assert_eq!(dpor(&[sets.clone(), sets, reader]).executions, 4);
}

/// A store of the whole word conflicts with who reads a part of it if it changes that part.
#[test]
fn a_write_changes_the_bits_that_it_changes() {
    let high = vec![Put(0, 1 << 32)];
    assert_eq!(dpor(&[high.clone(), vec![ReadHalf(0, false)]]).executions, 1);
    assert_eq!(dpor(&[high, vec![ReadHalf(0, true)]]).executions, 2);
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
