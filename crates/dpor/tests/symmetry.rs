//! Twins whose symmetry is reduced end as twins do, up to who is who; and how many executions they
//! take.
//! `PROPTEST_CASES` sets how many random programs are run (default here: an eighth of 120).

use crate::common;

use std::collections::BTreeSet;

use common::Instr::{self, *};
use common::generate::{one_in, task, update};
use common::record::record;
use common::{
    Final, How, Rule, STACK, STEPS_MAX, Seen, Told, dpor, dpor_of, plain_dfs, plain_dfs_of,
    stateful_of,
};
use dpor::*;
use proptest::prelude::*;
use shuttle::scheduler::RandomScheduler;

/// Of programs that take plain DFS more executions than this nothing is asked.
const DFS_MAX: usize = 4_000;

fn factorial(n: usize) -> usize {
    (1..=n).product()
}

/// All orders of 0 to n - 1.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last);
    let longer = shorter
        .iter()
        .flat_map(|order| (0..n).map(|at| [&order[..at], &[last], &order[at..]].concat()));
    longer.collect()
}

/// What the tasks remember at the ends, with the first `twins` of them in every order.
fn up_to_order(seen: &Seen, twins: usize) -> BTreeSet<Final> {
    let orders = orders(twins);
    let renamed = seen.finals.keys().flat_map(|(deadlock, logs, words)| {
        orders.iter().map(move |order| {
            let twins = order.iter().map(|&twin| logs[twin].clone());
            let logs = twins.chain(logs[order.len()..].iter().cloned()).collect();
            (*deadlock, logs, words.clone())
        })
    });
    renamed.collect()
}

fn reduced(twins: usize) -> How {
    How { twins, ..How::PLAINLY }
}

/// The same ends as `all`, whatever searches the reduced program.
fn same_ends(program: &[Vec<Instr>], twins: usize, all: &Seen) -> bool {
    let all: BTreeSet<Final> = all.finals.keys().cloned().collect();
    let over_states = |told| stateful_of(program, How { told, ..reduced(twins) }).0;
    let searches = [
        dpor_of(program, reduced(twins)),
        plain_dfs_of(program, reduced(twins)).expect("not bounded"),
        over_states(Told::Observations),
        over_states(Told::Rests),
    ];
    searches.iter().all(|seen| up_to_order(seen, twins) == all && seen.redundant == (0, 0))
}

/// Two or three twins of one to three steps, and up to two other tasks.
fn programs() -> impl Strategy<Value = (usize, Vec<Vec<Instr>>)> {
    let alike = prop_oneof![3 => task(2, 3), 1 => update().prop_map(|update| vec![update])];
    let others = prop::collection::vec(task(2, 3), 0..=2);
    (2..=3usize, alike, others)
        .prop_map(|(twins, alike, others)| (twins, [vec![alike; twins], others].concat()))
}

proptest! {
    #![proptest_config(one_in(8))]

    #[test]
    fn twins_end_as_tasks_without_symmetry_do((twins, program) in programs()) {
        let all = plain_dfs(&program, DFS_MAX);
        prop_assume!(all.is_some());
        prop_assert!(same_ends(&program, twins, &all.unwrap()));
    }
}

/// The comparison can fail. Each of these loses an end in which the second task is first.
#[test]
fn tasks_that_are_not_alike_are_no_twins() {
    let different = [
        [vec![Write(0, 1)], vec![Write(0, 2)]],
        [vec![FetchAdd(0, 1)], vec![Read(0)]],
        [vec![Wait(0, false)], vec![Wake(0)]],
    ];
    for program in different {
        let all = plain_dfs(&program, DFS_MAX).expect("few");
        assert!(!same_ends(&program, 2, &all), "{program:?}");
    }
}

/// Neither may the turn be passed on later than after the first step: here by hand, before the
/// second step and, as it must not be, at the end.
#[test]
fn a_turn_that_is_passed_on_too_late_loses_ends() {
    let twin = vec![Write(0, 1), Read(0), Write(0, 2)];
    let all = plain_dfs(&vec![twin.clone(); 2], DFS_MAX).expect("few");
    let all: BTreeSet<Final> = all.finals.into_keys().collect();
    for (at, loses) in [(1, false), (3, true)] {
        let mut first = twin.clone();
        first.insert(at, Wake(0));
        let second = [vec![Wait(0, false)], twin.clone()].concat();
        let found = up_to_order(&dpor(&[first, second]), 2);
        assert_eq!(found != all, loses, "passed on at {at}");
    }
}

/// n!, and 1 up to who is who.
#[test]
fn twins_on_one_lock_run_in_one_order() {
    for n in 2..=6 {
        let program = vec![vec![Lock(0), Unlock(0)]; n];
        assert_eq!(dpor(&program).executions, factorial(n), "{n} tasks");
        assert_eq!(dpor_of(&program, reduced(n)).executions, 1, "{n} twins");
    }
}

/// 2^n: each reader sees the write or not. Twins read in the order of their numbers, and the write
/// is before, between or after their reads.
#[test]
fn a_writer_comes_between_readers_that_are_twins() {
    for n in 1..=6 {
        let program = [vec![vec![Read(0)]; n], vec![vec![Write(0, 1)]]].concat();
        assert_eq!(dpor(&program).executions, 1 << n, "{n} readers");
        assert_eq!(dpor_of(&program, reduced(n)).executions, n + 1, "{n} twins");
    }
}

/// (2n)! / 2^n without the reduction (`counts.rs`). The first steps conflict, so that no two of the
/// n! orders of the tasks are one execution: (2n)! / (2^n n!) up to who is who.
#[test]
fn twins_whose_first_steps_conflict_take_n_factorial_times_fewer() {
    let twin = vec![Update(0, Rule::IncrementBelow(u64::MAX)), FetchAdd(0, 1)];
    for n in 2..=5 {
        let expected = factorial(2 * n) / (1 << n) / factorial(n);
        let seen = dpor_of(&vec![twin.clone(); n], reduced(n));
        assert_eq!((seen.executions, seen.redundant), (expected, (0, 0)), "{n} twins");
    }
}

/// Tasks that have nothing in common run in one order anyway; and the turns of the twins make no
/// second one, even of twins that take no step.
#[test]
fn turns_make_no_executions() {
    for twin in [vec![], vec![Read(0)], vec![Read(0), Add(1, 1), Add(1, 1)]] {
        for n in 2..=5 {
            let program = vec![twin.clone(); n];
            assert_eq!(dpor(&program).executions, 1, "{n} tasks {twin:?}");
            assert_eq!(dpor_of(&program, reduced(n)).executions, 1, "{n} twins {twin:?}");
        }
    }
}

/// Whoever is third to wait for one of two tokens is blocked.
#[test]
fn twins_that_are_blocked_at_their_first_step_deadlock() {
    let program = [vec![vec![Wait(0, true), Add(0, 1)]; 4], vec![vec![Wake(0), Read(0), Wake(0)]]];
    let program = program.concat();
    let all = plain_dfs(&program, 1_000_000).expect("few");
    assert_eq!(all.deadlocks, all.executions);
    assert!(same_ends(&program, 4, &all));
}

const REDUCED: Symmetry = Symmetry::Reduced { turns: Object(9) };

/// Three tasks that take a lock, and keep it for ever if a choice has it.
fn takers(symmetry: Symmetry) -> impl Fn() + Send + Sync + 'static {
    move || {
        let twins = spawn_twins(&["a", "b", "c"], symmetry, || {
            step(Op::new(Kind::Lock, Object(0)));
            if choose(2) == 0 {
                step(Op::new(Kind::Unlock, Object(0)));
            }
        });
        twins.join();
    }
}

fn deadlocks(ends: &[(End, Vec<Step>)]) -> usize {
    ends.iter().filter(|(end, _)| matches!(end, End::Deadlock(_))).count()
}

/// The switch of `spawn_twins`. The first keeps the lock, or the second does: a deadlock each. Or
/// the third does, or none: no deadlock. Without the reduction they may be any first, in 3 ways,
/// any second (2), any third (1).
#[test]
fn the_same_program_runs_with_and_without_the_reduction() {
    for (symmetry, executions, stuck) in
        [(REDUCED, 1 + 1 + 2, 1 + 1), (Symmetry::Kept, 3 + 3 * 2 + 3 * 2 * 2, 3 + 3 * 2)]
    {
        let (ends, observer) = record();
        run(Dpor::new(observer, STEPS_MAX), STACK, takers(symmetry));
        let ends = ends.take();
        assert_eq!((ends.len(), deadlocks(&ends)), (executions, stuck), "{symmetry:?}");
    }
}

/// Schedules show the steps of the turns. They can be followed where these steps are, only.
#[test]
fn schedules_of_twins_can_be_followed_again() {
    let (ends, observer) = record();
    run(Dpor::new(observer, STEPS_MAX), STACK, takers(REDUCED));
    for (end, schedule) in ends.take() {
        let follow = |symmetry| {
            let (again, observer) = record();
            run(Replay::new(&schedule, observer, STEPS_MAX), STACK, takers(symmetry));
            again.take()
        };
        assert_eq!(follow(REDUCED), [(end.clone(), schedule.clone())]);
        assert!(matches!(follow(Symmetry::Kept)[..], [(End::NotDeterministic(_), _)]));
    }
}

#[test]
fn shuttles_own_schedulers_run_twins() {
    let (ends, observer) = record();
    let random = RandomScheduler::new_from_seed(1, 100);
    run(Enabled::new(random, observer, STEPS_MAX), STACK, takers(REDUCED));
    let ends = ends.take();
    assert_eq!(ends.len(), 100);
    // The first keeps the lock in half of them, the second in a quarter.
    assert!((40..100).contains(&deadlocks(&ends)), "{}", deadlocks(&ends));
}

#[test]
#[should_panic(expected = "twins of a twin would share their turns")]
fn a_twin_spawns_no_twins() {
    let (_, observer) = record();
    run(Dpor::new(observer, STEPS_MAX), STACK, || {
        let twins = spawn_twins(&["a", "b"], REDUCED, || {
            spawn_twins(&["c", "d"], REDUCED, || {}).join();
        });
        twins.join();
    });
}
