//! How executions and searches end, and what of them can be seen.

use crate::common;
use crate::programs;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use common::generate::{access, locked, programs as cases, single, tasks, update, wait};
use common::{Instr, body, explore};
use graph::{
    Counts, End, Execution, Load, Model, Next, Observer, Rmw, Search, Split, Store, Word, Worker,
    check, spawn,
};
use proptest::prelude::*;

/// All ends, and the last execution as text.
fn ends(search: Search, program: impl Fn() + 'static) -> (Vec<End>, String, Counts) {
    let (mut ends, mut text) = (Vec::new(), String::new());
    let counts = search.run(program, &mut |end: &End, execution: &Execution<'_>| {
        ends.push(end.clone());
        text = execution.to_string();
        Next::Continue
    });
    (ends, text, counts)
}

#[test]
fn a_check_that_fails_in_some_execution_is_found_there() {
    let program = || {
        let word = Word::new(0);
        let task = spawn(move || check(word.load(Load::Relaxed) == 0, "nobody has written"));
        word.store(1, Store::Relaxed);
        task.join();
    };
    let (ends, _, counts) = ends(Search::default(), program);
    let failed = End::Failed("nobody has written".to_owned());
    assert_eq!(ends.iter().filter(|&end| *end == failed).count(), 1);
    assert_eq!((counts.executions, counts.failures, counts.complete), (2, 1, true));
}

#[test]
fn a_task_that_starts_another_as_its_last_step_ends() {
    let (ends, ..) = ends(Search::default(), || {
        let word = Word::new(0);
        spawn(move || drop_value(spawn(move || word.store(1, Store::Relaxed)).number() as u64))
            .join();
    });
    assert_eq!(ends, [End::Complete]);
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    let (ends, ..) = ends(Search::default(), || {
        spawn(|| assert_eq!(1 + 1, 3, "sums")).join();
    });
    assert!(matches!(&ends[..], [End::Failed(message)] if message.contains("sums")), "{ends:?}");
}

#[test]
fn a_wait_for_what_never_comes_is_a_deadlock_of_those_who_wait() {
    let (ends, _, counts) = ends(Search::default(), || {
        let word = Word::new(0);
        let task = spawn(move || drop_value(word.wait(Load::Relaxed, |seen| seen == 1)));
        task.join();
    });
    assert_eq!(ends, [End::Deadlock(vec![0, 1])], "the waiting task, and who joins it");
    assert_eq!(counts.deadlocks, 1);
}

fn drop_value(_: u64) {}

#[test]
fn an_execution_that_takes_too_long_is_given_up_and_the_search_is_not_complete() {
    let program = || {
        let word = Word::new(0);
        (0..100).for_each(|i| word.store(i, Store::Relaxed));
    };
    let search = Search { events_max: 50, ..Search::default() };
    let (ends, _, counts) = ends(search, program);
    assert_eq!(ends, [End::TooLong]);
    assert_eq!((counts.executions, counts.given_up, counts.complete), (0, 1, false));
}

#[test]
fn a_program_that_does_something_else_when_it_is_run_again_is_refused() {
    let runs = Rc::new(Cell::new(0));
    let program = move || {
        runs.set(runs.get() + 1);
        let word = Word::new(0);
        let is_first = runs.get() == 1;
        let task = spawn(move || drop_value(word.load(Load::Relaxed)));
        if is_first {
            word.store(1, Store::Relaxed);
        } else {
            graph::synchronize_rcu();
        }
        task.join();
    };
    let (ends, _, counts) = ends(Search::default(), program);
    assert!(matches!(ends.last(), Some(End::NotDeterministic(_))), "{ends:?}");
    assert!(!counts.complete);
}

#[test]
fn a_search_ends_after_so_many_executions_or_when_told() {
    let search = Search { executions_max: 10, ..Search::default() };
    let counts = search.count(programs::references(3, Rmw::Full));
    assert_eq!((counts.executions, counts.complete), (10, false));
    let mut seen = 0;
    let stop = &mut |_: &End, _: &Execution<'_>| {
        seen += 1;
        if seen == 3 { Next::Stop } else { Next::Continue }
    };
    let counts = Search::default().run(programs::references(3, Rmw::Full), stop);
    assert_eq!((counts.executions, counts.complete), (3, false));
}

#[test]
fn long_executions_fit() {
    // Two tasks meet in one word, each after many steps of its own; the steps are words that
    // nobody else touches, so there are as many executions as without them.
    for steps in [1, 40, 150, 400] {
        let program = move || {
            let meeting = Word::new(0);
            let own: Vec<Word> = (0..2).map(|_| Word::new(0)).collect();
            let task = |own: Word| {
                move || {
                    (0..steps).for_each(|i| own.store(i, Store::Relaxed));
                    meeting.fetch_add(1, Rmw::Relaxed);
                }
            };
            let tasks: Vec<_> = own.into_iter().map(|own| spawn(task(own))).collect();
            tasks.into_iter().for_each(|task| task.join());
        };
        let counts = Search::default().count(program);
        assert_eq!((counts.executions, counts.complete), (2, true), "{steps} steps");
        assert!(counts.events_max > 2 * steps as usize);
    }
}

#[test]
fn text_says_what_is_stale_and_who_wrote_the_newer_value() {
    let program = || {
        let (x, y) = (Word::new(0), Word::new(0));
        let writer = spawn(move || {
            x.store(1, Store::Relaxed);
            y.store(1, Store::Relaxed);
        });
        let flag = y.load(Load::Relaxed);
        let data = x.load(Load::Relaxed);
        check(flag == 0 || data == 1, "the message");
        writer.join();
    };
    let mut text = String::new();
    Search::default().run(program, &mut |end: &End, execution: &Execution<'_>| {
        if matches!(end, End::Failed(_)) {
            text = execution.to_string();
        }
        Next::Continue
    });
    // Task 1 begins at 1.0; its writes are 1.1 and 1.2.
    assert!(text.contains("reads 1 from word 1, written at 1.2"), "{text}");
    let stale = "reads 0 from word 0, the initial value (stale: 1.1 has written another)";
    assert!(text.contains(stale), "{text}");
}

/// Counts executions by their text.
#[derive(Default)]
struct Texts(BTreeMap<String, u32>);

impl Observer for Texts {
    fn execution_ended(&mut self, _: &End, execution: &Execution<'_>) -> Next {
        *self.0.entry(execution.to_string()).or_insert(0) += 1;
        Next::Continue
    }
}

impl Worker for Texts {
    type Findings = BTreeMap<String, u32>;
    fn submit(&mut self) -> BTreeMap<String, u32> {
        std::mem::take(&mut self.0)
    }
}

/// What so many threads find, in the order in which it is put together.
fn found_by(
    threads: usize,
    search: Search,
    program: &Arc<dyn Fn() + Send + Sync>,
) -> (Vec<BTreeMap<String, u32>>, Counts) {
    let mut found = Vec::new();
    let merge = |part, _: &Counts| found.push(part);
    let counts = search.run_by(threads, program.clone(), Texts::default, merge);
    (found, counts)
}

#[test]
fn several_threads_find_the_same_in_the_same_order() {
    let split = Split { alone: 5, parts: 4, executions: 7 };
    let search = Search { split, ..Search::default() };
    let main = || programs::references(3, Rmw::Full)();
    let main: Arc<dyn Fn() + Send + Sync> = Arc::new(main);
    let (found, counts) = found_by(1, search, &main);
    assert_eq!((counts.executions, counts.complete), (511, true), "as by one search");
    let twice = found.iter().flatten().filter(|&(_, &times)| times > 1);
    assert_eq!(twice.count(), 0);
    for threads in 2..=3 {
        assert_eq!(found_by(threads, search, &main), (found.clone(), counts), "{threads} threads");
    }
    let cut = Search { executions_max: 100, ..search };
    let (found, counts) = found_by(1, cut, &main);
    assert_eq!((counts.executions, counts.complete), (100, false));
    assert_eq!(found_by(2, cut, &main), (found, counts));
}

/// Parts are explored in graphs that are as narrow as will do: wherever the border of a width is,
/// what was noted in a wider graph fits.
#[test]
fn a_search_that_is_cut_into_parts_finds_the_same_at_every_length() {
    for filler in 20..=32 {
        let main = move || {
            let (meeting, own) = (Word::new(0), [Word::new(0), Word::new(0)]);
            let tasks = own.map(|own| {
                spawn(move || {
                    (0..filler).for_each(|i| own.store(i, Store::Relaxed));
                    (0..3).for_each(|_| {
                        meeting.fetch_add(1, Rmw::Relaxed);
                    });
                })
            });
            tasks.into_iter().for_each(|task| task.join());
        };
        let split = Split { alone: 1, parts: 3, executions: 1 };
        let search = Search { split, ..Search::default() };
        let whole = search.count(main);
        assert_eq!((whole.executions, whole.complete), (20, true));
        assert_eq!(found_by(1, search, &(Arc::new(main) as _)).1, whole, "{filler} steps before");
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_search_that_is_cut_into_the_smallest_parts_finds_the_same(
        program in tasks(
            prop_oneof![
                3 => single(prop_oneof![3 => access(2), 1 => update(2), 1 => wait(2)]),
                1 => locked(access(2), 2, 1),
                1 => single(Just(Instr::GracePeriod)),
            ],
            3,
            4..=8,
        ),
    ) {
        let split = Split { alone: 1, parts: 3, executions: 1 };
        let search = Search { split, ..Search::of(Model::Kernel) };
        let whole = explore(&program, Model::Kernel).counts;
        let main: Arc<dyn Fn() + Send + Sync> = {
            let program = program.clone();
            Arc::new(move || body(&program)())
        };
        let (_, parts) = found_by(2, search, &main);
        prop_assert_eq!(whole, parts);
    }
}
