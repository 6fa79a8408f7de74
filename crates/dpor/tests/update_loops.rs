//! An update loop is equivalent to one step: on random programs, and on named ones, loops that are
//! written out reach under plain DFS the final states and deadlocks that the one step reaches under
//! optimal DPOR. `PROPTEST_CASES` sets how many (default here: a quarter of 120).

use crate::common;

use common::Instr::{self, *};
use common::generate::{one_in, task, update};
use common::{Retries, Rule, Seen, Told, dpor, plain_dfs, stateful};
use dpor::{Footprint, Kind, Object, Op, update_loop};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Of programs that take plain DFS more executions than this nothing is asked.
const DFS_MAX: usize = 5_000;

/// May it change this word?
fn writes(instr: &Instr, word: u32) -> bool {
    match *instr {
        Write(w, _) | WriteHalf(w, ..) | Add(w, _) | SetBit(w, _) | FetchAdd(w, _) => w == word,
        Put(w, _) | Flag(w, ..) | Update(w, _) | PassAndWrite(_, w, _) => w == word,
        AwaitAdd(w, ..) => w == word,
        _ => false,
    }
}

/// The same program with its update loops written out. An iteration fails only if another task has
/// changed the word since it was read, so that it fails no more often than others write it.
fn by_hand(program: &[Vec<Instr>], stale: bool) -> Vec<Vec<Instr>> {
    let written = |task: usize, word: u32| {
        let others = program.iter().enumerate().filter(|&(other, _)| other != task);
        others.flat_map(|(_, instrs)| instrs).filter(|instr| writes(instr, word)).count()
    };
    let written_out = |task: usize, instr: Instr| match instr {
        Update(w, rule) => Loop(w, rule, Retries { max: written(task, w), stale }),
        other => other,
    };
    let tasks = program.iter().enumerate();
    tasks.map(|(task, instrs)| instrs.iter().map(|&i| written_out(task, i)).collect()).collect()
}

fn same_ends(one: &Seen, by_hand: &Seen) -> bool {
    one.finals.keys().eq(by_hand.finals.keys())
}

/// Two to four tasks with an update loop in each of the first two.
fn programs() -> impl Strategy<Value = Vec<Vec<Instr>>> {
    let updates = prop::collection::vec((update(), any::<Index>()), 2);
    (prop::collection::vec(task(2, 3), 2..=4), updates).prop_map(|(mut tasks, updates)| {
        for (task, (update, at)) in tasks.iter_mut().zip(updates) {
            task.insert(at.index(task.len() + 1), update);
        }
        tasks
    })
}

proptest! {
    #![proptest_config(one_in(4))]

    #[test]
    fn a_loop_by_hand_ends_as_the_one_step_does(program in programs()) {
        let all = plain_dfs(&by_hand(&program, false), DFS_MAX);
        prop_assume!(all.is_some());
        let all = all.unwrap();
        let one = dpor(&program);
        prop_assert!(same_ends(&one, &all), "{:?}, not {:?}", one.finals, all.finals);
        prop_assert!(one.executions <= dpor(&by_hand(&program, false)).executions);
        let (over_states, _) = stateful(&program, Told::Observations);
        prop_assert!(same_ends(&over_states, &all));
    }
}

/// A loop reads 0, another task flips a bit and flips it back, and the loop's exchange succeeds.
#[test]
fn a_word_that_comes_back_makes_no_difference() {
    let flip = Update(0, Rule::Flip(1));
    for others in [vec![flip, flip], vec![flip, Read(0), flip]] {
        let program = [vec![Update(0, Rule::IncrementBelow(1)), Read(0)], others];
        let all = plain_dfs(&by_hand(&program, false), DFS_MAX).expect("few");
        assert!(same_ends(&dpor(&program), &all), "{program:?}");
    }
}

/// The negative of the above. Another task changes the word between the load and the exchange, and
/// the exchange fails; the next stores what was computed from the old value: the change is lost.
#[test]
fn a_loop_that_keeps_what_it_computed_is_not_one_step() {
    let flip = Update(0, Rule::Flip(1));
    for program in [[vec![flip], vec![FetchAdd(0, 1)]], [vec![flip], vec![flip]]] {
        let all = plain_dfs(&by_hand(&program, true), DFS_MAX).expect("few");
        assert!(!same_ends(&dpor(&program), &all), "{program:?}");
        let all = plain_dfs(&by_hand(&program, false), DFS_MAX).expect("few");
        assert!(same_ends(&dpor(&program), &all), "{program:?}");
    }
}

/// Random programs tell the two apart, too: the comparison above can fail.
#[test]
fn random_programs_show_what_a_loop_keeps() {
    let mut runner = TestRunner::deterministic();
    let differs = (0..50).filter(|_| {
        let program = programs().new_tree(&mut runner).expect("a program").current();
        let all = plain_dfs(&by_hand(&program, true), DFS_MAX);
        all.is_some_and(|all| !same_ends(&dpor(&program), &all))
    });
    assert!(differs.count() > 0);
}

/// A loop that gives up has read: it is seen, or not, by a writer, as a reader is (2^n), and not
/// ordered with its like.
#[test]
fn loops_that_give_up_only_read() {
    for n in 1..=5 {
        let mut program = vec![vec![Update(0, Rule::IncrementBelow(0))]; n];
        assert_eq!(dpor(&program).executions, 1, "{n} loops");
        program.push(vec![Write(0, 1)]);
        assert_eq!(dpor(&program).executions, 1 << n, "{n} loops and a writer");
    }
}

/// A loop that gives up must be seen to depend on those who make it give up.
#[test]
fn a_loop_may_give_up_or_not() {
    let program =
        [vec![Update(0, Rule::IncrementBelow(1))], vec![Update(0, Rule::IncrementBelow(1))]];
    let one = dpor(&program);
    // Who is first increments; the other finds 1.
    let logs =
        |seen: &Seen| seen.finals.keys().map(|(_, logs, _)| logs.clone()).collect::<Vec<_>>();
    assert_eq!(logs(&one), [[vec![1], vec![2]], [vec![2], vec![1]]]);
    assert!(same_ends(&one, &plain_dfs(&by_hand(&program, false), DFS_MAX).expect("few")));
}

#[test]
#[should_panic(expected = "an update loop reads and writes")]
fn an_update_loop_is_not_a_read() {
    let op = Op::new(Kind::Access(Footprint::READ), Object(0));
    let _ = update_loop(op, || Ok::<(), ()>(()));
}
