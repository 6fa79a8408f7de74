//! Data races, as the kernel's model defines them.

use crate::common;
use crate::programs;

use std::collections::BTreeSet;

use common::generate::{
    barrier, combined_barrier, locked, programs as cases, section, single, tasks,
};
use common::{Change, Instr, Program, body, brute, explore};
use graph::{Counts, Does, End, Execution, Fence, Load, Model, Next, Race, Rmw, Search, Store};
use proptest::prelude::*;

/// The first race, and the counts.
fn races(program: impl Fn() + 'static) -> (Option<Race>, Counts) {
    let mut first = None;
    let counts = Search::default().run(program, &mut |_: &End, execution: &Execution<'_>| {
        first = first.or(execution.race());
        Next::Continue
    });
    (first, counts)
}

fn is_racy(program: Program) -> bool {
    let (first, counts) = races(body(&program));
    assert_eq!(first.is_some(), counts.racy > 0);
    first.is_some()
}

const READ: Instr = Instr::Read(0, Load::Plain);
const WRITE: Instr = Instr::Write(0, 1, Store::Plain);

fn flag(store: Store) -> Instr {
    Instr::Write(1, 1, store)
}

#[test]
fn a_race_has_two_sides() {
    let (race, _) = races(body(&vec![vec![WRITE], vec![READ]]));
    let race = race.expect("nothing orders them");
    let sides = [race.first.at.task, race.second.at.task];
    assert_eq!(sides.iter().sum::<usize>(), 3, "tasks 1 and 2");
    assert!(race.first.is_plain && race.second.is_plain);
    let word = |does: Does| match does {
        Does::Read { word, .. } | Does::Write { word, .. } => word,
        other => panic!("{other:?} does not race"),
    };
    assert_eq!((word(race.first.does), word(race.second.does)), (0, 0));
}

#[test]
fn marked_accesses_and_plain_reads_do_not_race() {
    let marked = Instr::Write(0, 1, Store::Relaxed);
    assert!(!is_racy(vec![vec![marked], vec![Instr::Read(0, Load::Relaxed)]]));
    assert!(!is_racy(vec![vec![READ], vec![READ]]));
    assert!(is_racy(vec![vec![marked], vec![READ]]), "one plain side is enough");
}

#[test]
fn a_release_that_is_acquired_prevents_a_race() {
    let wait = |load| vec![Instr::Wait(1, 1, load), READ];
    assert!(!is_racy(vec![vec![WRITE, flag(Store::Release)], wait(Load::Acquire)]));
    assert!(is_racy(vec![vec![WRITE, flag(Store::Relaxed)], wait(Load::Acquire)]));
    assert!(is_racy(vec![vec![WRITE, flag(Store::Release)], wait(Load::Relaxed)]));
}

#[test]
fn read_and_write_barriers_prevent_races_of_a_write_and_a_read_only() {
    let fenced = |last| {
        let wait = Instr::Wait(1, 1, Load::Relaxed);
        let first = vec![WRITE, Instr::Barrier(Fence::Write), flag(Store::Relaxed)];
        is_racy(vec![first, vec![wait, Instr::Barrier(Fence::Read), last]])
    };
    assert!(!fenced(READ));
    // A read barrier does not keep the compiler from writing early.
    assert!(fenced(WRITE));
}

#[test]
fn one_lock_prevents_races_and_two_do_not() {
    let under = |lock| vec![Instr::Lock(lock), WRITE, Instr::Unlock(lock)];
    assert!(!is_racy(vec![under(0), under(0)]));
    assert!(is_racy(vec![under(0), under(1)]));
}

#[test]
fn a_chain_of_updates_carries_a_release() {
    // The first task's release is read through the second task's relaxed update.
    let add = |strength| Instr::Update(1, Change::Add(1), strength);
    let chain = |strength| {
        let last = vec![Instr::Wait(1, 2, Load::Acquire), READ];
        vec![
            vec![WRITE, add(strength)],
            vec![Instr::Wait(1, 1, Load::Relaxed), add(Rmw::Relaxed)],
            last,
        ]
    };
    assert!(!is_racy(chain(Rmw::Release)));
    assert!(is_racy(chain(Rmw::Relaxed)));
}

#[test]
fn a_grace_period_prevents_a_race_with_readers() {
    // The pointer is 1 when the object is gone; the reader looks at the object if it is not.
    let program = |waits: bool| {
        move || {
            let (object, gone) = (graph::Word::new(0), graph::Word::new(0));
            let reader = graph::spawn(move || {
                graph::rcu_read_lock();
                if gone.load(Load::Relaxed) == 0 {
                    object.load(Load::Plain);
                }
                graph::rcu_read_unlock();
            });
            gone.store(1, Store::Relaxed);
            if waits {
                graph::synchronize_rcu();
            }
            object.store(1, Store::Plain);
            reader.join();
        }
    };
    assert_eq!(races(program(true)).1.racy, 0);
    assert!(races(program(false)).1.racy > 0);
}

#[test]
fn the_workloads_are_free_of_races_and_with_a_relaxed_put_they_are_not() {
    for (name, program) in programs::all().into_iter().filter(|(name, _)| !name.contains("n=4")) {
        let counts = Search::default().count(program);
        assert_eq!((counts.racy, counts.failures), (0, 0), "{name}");
    }
    // The last user frees what another user's read may still be under way to: that read comes late
    // in no execution here (it would be load buffering), but nothing orders it before the free.
    assert!(Search::default().count(programs::references(2, Rmw::Relaxed)).racy > 0);
}

/// Plain and marked accesses to two words.
fn access() -> impl Strategy<Value = Instr> + Clone {
    let load =
        prop_oneof![3 => Just(Load::Plain), 1 => Just(Load::Relaxed), 1 => Just(Load::Acquire)];
    let store =
        prop_oneof![3 => Just(Store::Plain), 1 => Just(Store::Relaxed), 1 => Just(Store::Release)];
    prop_oneof![
        (0..2usize, load).prop_map(|(w, load)| Instr::Read(w, load)),
        (0..2usize, 1..3u64, store).prop_map(|(w, value, store)| Instr::Write(w, value, store)),
    ]
}

/// Accesses of which word 1 is marked, so that not every program has a race.
fn flagged() -> impl Strategy<Value = Instr> + Clone {
    let load = prop_oneof![Just(Load::Relaxed), Just(Load::Acquire)];
    let store = prop_oneof![Just(Store::Relaxed), Just(Store::Release)];
    prop_oneof![
        2 => Just(READ),
        2 => Just(WRITE),
        2 => load.prop_map(|load| Instr::Wait(1, 1, load)),
        2 => store.prop_map(flag),
        1 => Just(Instr::Update(1, Change::Add(1), Rmw::Relaxed)),
    ]
}

/// The engine finds a race if and only if the model as it stands does; and if there is none, the
/// same executions.
fn same_races(program: &Program) -> Result<bool, TestCaseError> {
    let explored = explore(program, Model::Kernel);
    let expected = brute::enumerate(program, Model::Kernel);
    prop_assert_eq!(explored.counts.racy > 0, expected.is_racy);
    if !expected.is_racy {
        let found: BTreeSet<_> = explored.executions.keys().cloned().collect();
        prop_assert_eq!(found, expected.executions);
    }
    Ok(expected.is_racy)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn races_are_as_the_model_defines_them(
        program in tasks(
            prop_oneof![
                3 => single(access()),
                1 => single(prop_oneof![2 => barrier(), 1 => combined_barrier()]),
                2 => locked(access(), 1, 2),
                1 => section(access()),
                1 => single(Just(Instr::GracePeriod)),
            ],
            3,
            3..=7,
        ),
    ) {
        same_races(&program)?;
    }

    #[test]
    fn messages_are_as_the_model_defines_them(
        program in tasks(
            prop_oneof![4 => single(flagged()), 1 => single(barrier())],
            4,
            4..=7,
        ),
    ) {
        same_races(&program)?;
    }
}
