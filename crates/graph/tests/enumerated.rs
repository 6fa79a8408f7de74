//! On random programs the engine finds the executions that brute force finds, each once.
//! `PROPTEST_CASES` sets how many programs of each kind.

use crate::common;

use std::collections::BTreeSet;

use common::generate::{
    access, barrier, combined_barrier, locked, programs, section, single, tasks, update, wait,
};
use common::{Change, Explored, Instr, Key, Program, brute, explore};
use graph::{Load, Model, Rmw, Store};
use proptest::prelude::*;

/// Fails unless the engine finds these executions, each once, and nothing else.
fn same(program: &Program, model: Model) -> Result<Explored, TestCaseError> {
    let explored = explore(program, model);
    let expected = brute::enumerate(program, model).executions;
    let found: BTreeSet<Key> = explored.executions.keys().cloned().collect();
    let twice = explored.executions.values().filter(|&&times| times > 1).count();
    let lost: Vec<&Key> = expected.difference(&found).collect();
    let wrong: Vec<&Key> = found.difference(&expected).collect();
    prop_assert!(wrong.is_empty(), "{} wrong: {:?}", wrong.len(), wrong.first());
    prop_assert!(lost.is_empty(), "{} lost of {}: {:?}", lost.len(), expected.len(), lost.first());
    prop_assert_eq!(twice, 0, "found twice");
    prop_assert_eq!(explored.counts.executions, expected.len() as u64);
    prop_assert!(explored.counts.complete);
    Ok(explored)
}

/// The same, and nothing was in vain.
fn same_without_waste(program: &Program) -> Result<(), TestCaseError> {
    for model in [Model::Kernel, Model::Sc] {
        let explored = same(program, model)?;
        prop_assert_eq!(explored.counts.blocked, 0, "blocked");
    }
    Ok(())
}

/// What comes before an event is known of the graph that it is in, and of no other: of 216
/// executions one is lost where an event asks the row of a later one of its task, and that row is
/// still of the graph that was worked on before. Nothing can be left out of the program, nor
/// weakened.
#[test]
fn rows_of_another_graph_are_not_asked() -> Result<(), TestCaseError> {
    let (x, y) = (0, 1);
    let read = |word| Instr::Read(word, Load::Relaxed);
    let write = |word, value| Instr::Write(word, value, Store::Relaxed);
    let program: Program = vec![
        vec![write(x, 1), read(y)],
        vec![read(y), read(x), write(y, 2)],
        vec![read(x), Instr::Write(y, 3, Store::Release), write(y, 4), write(x, 5)],
    ];
    let explored = same(&program, Model::Kernel)?;
    prop_assert_eq!((explored.counts.executions, explored.counts.blocked), (216, 0));
    Ok(())
}

/// A read that is made to read something else is an acquire again when its task has come to it: its
/// row is computed anew, also if what it reads has been overwritten before (here an exchange is, by
/// the write that was there first), so that the graph has been asked about in between.
#[test]
fn a_read_that_reads_something_else_is_an_acquire_again() -> Result<(), TestCaseError> {
    let (data, flag) = (0, 1);
    let program: Program = vec![
        vec![Instr::Write(flag, 2, Store::Relaxed)],
        vec![Instr::Read(flag, Load::Acquire), Instr::Read(data, Load::Relaxed)],
        vec![
            Instr::Write(data, 1, Store::Relaxed),
            Instr::Update(flag, Change::Swap(1), Rmw::Release),
        ],
    ];
    same(&program, Model::Kernel)?;
    Ok(())
}

proptest! {
    #![proptest_config(programs(600))]

    #[test]
    fn reads_writes_and_barriers_are_as_enumerated(
        program in tasks(single(prop_oneof![4 => access(2), 1 => barrier()]), 4, 3..=7),
    ) {
        same_without_waste(&program)?;
    }

    #[test]
    fn updates_are_as_enumerated(
        program in tasks(
            single(prop_oneof![
                2 => access(2),
                3 => update(2),
                1 => barrier(),
                1 => combined_barrier()
            ]),
            3,
            4..=8,
        ),
    ) {
        same_without_waste(&program)?;
    }

    #[test]
    fn locks_are_as_enumerated(
        program in tasks(
            prop_oneof![
                2 => locked(access(2), 2, 2),
                1 => single(prop_oneof![access(2), (0..2usize).prop_map(Instr::IsLocked)]),
                1 => single(combined_barrier()),
            ],
            3,
            5..=10,
        ),
    ) {
        same_without_waste(&program)?;
    }

    #[test]
    fn waits_are_as_enumerated(
        program in tasks(
            single(prop_oneof![3 => access(2), 1 => update(2), 2 => wait(2)]),
            3,
            3..=7,
        ),
    ) {
        same(&program, Model::Kernel)?;
        same(&program, Model::Sc)?;
    }

    #[test]
    fn grace_periods_are_as_enumerated(
        program in tasks(
            prop_oneof![
                2 => section(access(2)),
                2 => single(access(2)),
                1 => single(Just(Instr::GracePeriod)),
                1 => single(barrier()),
            ],
            3,
            3..=7,
        ),
    ) {
        same(&program, Model::Kernel)?;
        same(&program, Model::Sc)?;
    }

    #[test]
    fn everything_together_is_as_enumerated(
        program in tasks(
            prop_oneof![
                3 => single(access(3)),
                1 => single(update(3)),
                1 => single(prop_oneof![barrier(), combined_barrier()]),
                1 => single(wait(3)),
                1 => locked(access(3), 1, 1),
                1 => section(access(3)),
                1 => single(Just(Instr::GracePeriod)),
            ],
            3,
            3..=8,
        ),
    ) {
        same(&program, Model::Kernel)?;
        same(&program, Model::Sc)?;
    }
}
