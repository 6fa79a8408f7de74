//! On random programs optimal DPOR reaches the final states and the deadlocks that plain DFS
//! reaches, and runs each trace once, of which it finds as many as sleep sets do; a search over
//! states reaches them too, and one within a number of preemptions what plain DFS reaches so.
//! `PROPTEST_CASES` sets how many (default here: 120; a quarter as many
//! for the search over states).

use crate::common;

use common::generate::{one_in, task};
use common::{
    Instr, Seen, Told, bounded, dpor, may_be_in_vain, passes_locks, plain_dfs, plain_dfs_within,
    sleep_sets, stateful,
};
use proptest::prelude::*;

/// Two to four tasks of at most nine steps in all.
fn short() -> impl Strategy<Value = Vec<Vec<Instr>>> {
    prop::collection::vec(task(3, 6), 2..=4).prop_filter("small enough for plain DFS", |tasks| {
        tasks.iter().map(Vec::len).sum::<usize>() <= 9
    })
}

/// Two to four tasks of up to eight steps each, one of them of more than six, with no more orders
/// than two tasks of eight steps have.
fn long() -> impl Strategy<Value = Vec<Vec<Instr>>> {
    let tasks = prop::collection::vec(task(8, 8), 2..=4);
    tasks.prop_filter("long, and small enough for plain DFS", |tasks| {
        let lengths = || tasks.iter().map(Vec::len);
        lengths().any(|n| n > 6) && orders(lengths()) <= 12_870
    })
}

/// In how many orders sequences of these lengths can be interleaved.
fn orders(lengths: impl Iterator<Item = usize>) -> u64 {
    let (mut orders, mut total) = (1, 0);
    for length in lengths {
        for at in 1..=length as u64 {
            total += 1;
            orders = orders * total / at;
        }
    }
    orders
}

fn same_ends(found: &Seen, all: &Seen) -> Result<(), TestCaseError> {
    let expected: Vec<_> = all.finals.keys().collect();
    let found: Vec<_> = found.finals.keys().collect();
    prop_assert_eq!(found, expected);
    Ok(())
}

fn dpor_reaches(all: &Seen, program: &[Vec<Instr>]) -> Result<(), TestCaseError> {
    let reduced = dpor(program);
    same_ends(&reduced, all)?;
    let (in_vain, repeated) = reduced.redundant;
    prop_assert_eq!(repeated, 0, "repeated of {}", reduced.executions);
    let traces = sleep_sets(program).executions;
    if passes_locks(program) {
        // It may begin anew for each of the two locks.
        prop_assert!(reduced.executions <= 3 * traces, "{} of {traces}", reduced.executions);
    } else {
        prop_assert_eq!(reduced.executions, traces, "traces");
    }
    prop_assert!(in_vain == 0 || may_be_in_vain(program), "{in_vain} in vain");
    Ok(())
}

proptest! {
    #![proptest_config(one_in(1))]

    #[test]
    fn dpor_reaches_what_plain_dfs_reaches(program in short()) {
        let all = plain_dfs(&program, 20_000);
        prop_assume!(all.is_some());
        dpor_reaches(&all.unwrap(), &program)?;
    }
}

proptest! {
    #![proptest_config(one_in(4))]

    #[test]
    fn a_search_over_states_reaches_what_plain_dfs_reaches(program in short()) {
        let all = plain_dfs(&program, 20_000);
        prop_assume!(all.is_some());
        let all = all.unwrap();
        for told in [Told::Observations, Told::Rests] {
            let (found, _) = stateful(&program, told);
            same_ends(&found, &all)?;
            prop_assert!(found.executions <= all.executions);
        }
    }
}

proptest! {
    #![proptest_config(one_in(4))]

    #[test]
    fn a_bounded_search_reaches_what_plain_dfs_reaches_with_as_many_preemptions(
        program in short(),
    ) {
        for preemptions in 0..=2 {
            let all = plain_dfs_within(&program, preemptions);
            let found = bounded(&program, preemptions);
            same_ends(&found, &all)?;
            prop_assert!(found.executions <= all.executions, "{preemptions} preemptions");
        }
        same_ends(&bounded(&program, u32::MAX), &sleep_sets(&program))?;
    }
}

proptest! {
    // Plain DFS takes most of a second for one of these.
    #![proptest_config(one_in(20))]

    #[test]
    fn dpor_reaches_what_plain_dfs_reaches_with_up_to_eight_steps_a_task(program in long()) {
        let all = plain_dfs(&program, 300_000);
        prop_assume!(all.is_some());
        dpor_reaches(&all.unwrap(), &program)?;
    }
}
