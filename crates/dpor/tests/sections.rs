//! Tasks on processors: every step of a task passes the lock of its processor, and sections take
//! it. On random programs as many ends are reached as by plain DFS, though a step and a section
//! that touch nothing in common are not tried in both orders; whether the sections may wait for
//! others or not, and however the search is cut. `PROPTEST_CASES` sets how many.

use crate::common;
use crate::parallel::{FINE, play, search, searched};

use common::Instr::{self, *};
use common::generate::one_in;
use common::{How, Places, Seen};
use common::{dpor_of, plain_dfs_of, put_on_processors, sleep_sets_of};
use dpor::Until;
use proptest::prelude::*;

/// A task, and the processor it is on. One that is on none may still take its lock, as an
/// interrupt does.
type Placed = (Option<u32>, Vec<Instr>);

fn instr() -> impl Strategy<Value = Instr> {
    let w = 0..2u32;
    prop_oneof![
        w.clone().prop_map(Read),
        (w.clone(), 1..3u64).prop_map(|(w, v)| Write(w, v)),
        (w.clone(), 1..3u64).prop_map(|(w, v)| FetchAdd(w, v)),
        (w.clone(), 1..3u64).prop_map(|(w, v)| Put(w, v)),
        (w, 1..3u64).prop_map(|(w, v)| Add(w, v)),
    ]
}

/// What may be blocked, and what it waits for. Locks 2 and 3 are nobody's processor.
fn instr_that_may_wait() -> impl Strategy<Value = Instr> {
    prop_oneof![
        (0..2u32, any::<bool>()).prop_map(|(t, consume)| Wait(t, consume)),
        (0..2u32).prop_map(Wake),
        (0..2u32, 1..3u64).prop_map(|(w, v)| Await(w, Until::Set(v))),
        (2..4u32).prop_map(Lock),
        (2..4u32).prop_map(Unlock),
        (2..4u32).prop_map(Try),
    ]
}

/// Leaves out what a task that has a lock must not do with it, and gives back what it has.
fn balanced(steps: Vec<Instr>) -> Vec<Instr> {
    let mut held = Vec::new();
    let mut kept = Vec::new();
    for step in steps {
        match step {
            Lock(l) | Try(l) if held.contains(&l) => continue,
            Unlock(l) if !held.contains(&l) => continue,
            Lock(l) => held.push(l),
            Unlock(l) => held.retain(|&h| h != l),
            _ => {}
        }
        kept.push(step);
    }
    kept.extend(held.into_iter().rev().map(Unlock));
    kept
}

fn task(instr: BoxedStrategy<Instr>) -> impl Strategy<Value = Placed> {
    let place = prop_oneof![4 => Just(Some(0)), 2 => Just(Some(1)), 1 => Just(None)];
    let section = prop::collection::vec(instr.clone(), 0..3);
    let part = prop_oneof![
        2 => instr.prop_map(|i| (false, vec![i])),
        3 => section.prop_map(|inner| (true, inner)),
    ];
    (place, prop::collection::vec(part, 1..4)).prop_map(|(place, parts)| {
        let lock = place.unwrap_or(0);
        let steps = parts.into_iter().flat_map(|(is_section, inner)| match is_section {
            true => [vec![Lock(lock)], inner, vec![Unlock(lock)]].concat(),
            false => inner,
        });
        (place, balanced(steps.collect()))
    })
}

/// Two to four tasks of at most ten steps in all.
fn program(may_wait: bool) -> impl Strategy<Value = Vec<Placed>> {
    let waits = u32::from(may_wait);
    let instr = prop_oneof![4 => instr(), waits => instr_that_may_wait()].boxed();
    prop::collection::vec(task(instr), 2..=4).prop_filter("small enough for plain DFS", |tasks| {
        tasks.iter().map(|(_, steps)| steps.len()).sum::<usize>() <= 10
    })
}

fn places_of(tasks: &[Placed]) -> (Places, Vec<Vec<Instr>>) {
    let mut places = [None; 4];
    tasks.iter().zip(&mut places).for_each(|((on, _), place)| *place = *on);
    (places, tasks.iter().map(|(_, steps)| steps.clone()).collect())
}

/// Everything that plain DFS finds; `None`: it takes too many executions.
fn everything(tasks: &[Placed]) -> Option<Seen> {
    let (places, program) = places_of(tasks);
    plain_dfs_of(&program, How { places, executions_max: 20_000, ..How::PLAINLY })
}

fn by_dpor(tasks: &[Placed]) -> Seen {
    let (places, program) = places_of(tasks);
    dpor_of(&program, How { places, ..How::PLAINLY })
}

fn dpor_reaches_all(tasks: &[Placed]) -> Result<(), TestCaseError> {
    let all = everything(tasks);
    prop_assume!(all.is_some());
    let (all, found) = (all.unwrap(), by_dpor(tasks));
    let (in_vain, repeated) = found.redundant;
    prop_assert!(found.finals.keys().eq(all.finals.keys()), "{:?}", found.finals);
    prop_assert_eq!(repeated, 0, "repeated of {}", found.executions);
    prop_assert!(found.executions as u64 + in_vain <= 2 * all.executions as u64);
    Ok(())
}

proptest! {
    #![proptest_config(one_in(2))]

    #[test]
    fn all_ends_are_reached_beside_sections_that_end(tasks in program(false)) {
        dpor_reaches_all(&tasks)?;
    }

    #[test]
    fn all_ends_are_reached_beside_sections_that_may_wait(tasks in program(true)) {
        dpor_reaches_all(&tasks)?;
    }
}

proptest! {
    #![proptest_config(one_in(4))]

    #[test]
    fn a_search_that_is_cut_reaches_them_too(tasks in program(true)) {
        let whole = by_dpor(&tasks);
        for cut in FINE {
            let (places, program) = places_of(&tasks);
            let body = move || {
                put_on_processors(places);
                play(&program);
            };
            let (found, counts) = search(&searched(1, cut), None, body);
            prop_assert!(counts.complete);
            prop_assert!(found.finals.keys().eq(whole.finals.keys()), "{:?}", cut);
        }
    }
}

/// Ends that are deadlocks.
fn deadlocks(seen: &Seen) -> usize {
    seen.finals.keys().filter(|(deadlock, ..)| *deadlock).count()
}

#[test]
fn a_step_and_a_section_that_touch_nothing_in_common_need_one_order() {
    let steps = |w| vec![Write(w, 1); 4];
    let section = [vec![Lock(0)], steps(1), vec![Unlock(0)]].concat();
    let tasks = [(Some(0), steps(0)), (Some(0), [section.clone(), section].concat())];
    let (places, program) = places_of(&tasks);
    let traces = sleep_sets_of(&program, How { places, ..How::PLAINLY }).executions;
    // In how many orders the four steps and the two sections can come.
    assert_eq!((traces, by_dpor(&tasks).executions), (15, 1));
}

#[test]
fn a_step_and_a_section_that_touch_one_thing_come_in_both_orders() {
    let section = vec![Lock(0), Write(0, 1), Write(1, 1), Unlock(0)];
    let tasks = [(Some(0), vec![Read(0), Read(1)]), (Some(0), section)];
    // Both reads before the section, one, or none: never in its middle.
    let found = by_dpor(&tasks);
    assert_eq!((found.executions, found.finals.len()), (3, 3));
}

#[test]
fn a_section_that_waits_for_its_processor_deadlocks() {
    let waits = vec![Lock(0), Await(0, Until::Set(1)), Unlock(0)];
    for tasks in [
        [(Some(0), vec![Write(0, 1)]), (Some(0), waits.clone())],
        [(Some(0), waits.clone()), (Some(0), vec![Read(1), Write(0, 1)])],
        [
            (Some(0), vec![Lock(2), Read(1), Unlock(2)]),
            (Some(0), vec![Lock(0), Lock(2), Unlock(2), Unlock(0)]),
        ],
    ] {
        assert!(deadlocks(&by_dpor(&tasks)) > 0, "{tasks:?}");
    }
}

/// Each of two sections waits for somebody whom the other keeps off its processor.
#[test]
fn sections_of_two_processors_that_wait_for_each_other_deadlock() {
    let waits = |lock, w| (None, vec![Lock(lock), Await(w, Until::Set(1)), Unlock(lock)]);
    let writes = |on, w| (Some(on), vec![Write(w, 1)]);
    let tasks = [writes(0, 0), writes(1, 1), waits(0, 1), waits(1, 0)];
    let (places, program) = places_of(&tasks);
    let all = sleep_sets_of(&program, How { places, ..How::PLAINLY });
    let found = by_dpor(&tasks);
    assert!(found.finals.keys().eq(all.finals.keys()));
    assert_eq!(deadlocks(&found), 1);
}

/// An interrupt waits for a lock that the task beneath it has, and is about to give back.
#[test]
fn who_only_has_to_give_a_lock_back_may_be_kept_from_it() {
    let task = vec![Lock(2), Unlock(2)];
    let interrupt = vec![Lock(0), Lock(2), Unlock(2), Unlock(0)];
    assert_eq!(deadlocks(&by_dpor(&[(Some(0), task), (None, interrupt)])), 1);
}

#[test]
fn a_section_without_an_end_deadlocks() {
    let tasks = [(Some(0), vec![Write(0, 1)]), (Some(0), vec![Lock(0)])];
    assert_eq!(deadlocks(&by_dpor(&tasks)), 1);
}

/// The section is not come to in the first execution, in which another task takes the token. When
/// it is, an order has been left out.
#[test]
fn a_section_that_turns_out_to_wait_has_the_search_begin_anew() {
    let waits = vec![Wait(0, true), Lock(0), Await(0, Until::Set(1)), Unlock(0)];
    let writes = vec![Wake(0), Write(1, 1), Write(0, 1)];
    let tasks = [(None, vec![Wait(0, true)]), (None, waits), (Some(0), writes)];
    let (all, found) = (everything(&tasks).expect("small"), by_dpor(&tasks));
    assert!(found.finals.keys().eq(all.finals.keys()), "{:?}", found.finals);
}
