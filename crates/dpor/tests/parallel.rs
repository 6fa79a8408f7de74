//! A search that is split finds what one search finds, whatever the number of workers and however
//! the work is cut; on random programs, and on some with a formula.

use crate::common;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use common::generate::{one_in, task};
use common::{Final, Instr, Memory, Rule, STACK, STEPS_MAX};
use common::{begin, dpor, execute, may_be_in_vain, passes_locks};
use dpor::{Counts, End, Next, Observer, Search, Split, Step, Worker, join, spawn};
use proptest::prelude::*;

thread_local! {
    /// Every worker runs the program in a memory of its own.
    static MEMORY: Arc<Mutex<Memory>> = Arc::default();
}

/// Runs the program in the memory of this thread.
pub fn play(program: &[Vec<Instr>]) {
    let memory = MEMORY.with(Arc::clone);
    begin(&memory, program.len());
    let start = |(me, instrs): (usize, &Vec<Instr>)| {
        let (memory, instrs) = (memory.clone(), instrs.clone());
        spawn("task", move || instrs.iter().for_each(|&instr| execute(instr, me, &memory)))
    };
    let tasks: Vec<usize> = program.iter().enumerate().map(start).collect();
    tasks.into_iter().for_each(join);
}

/// What was seen, in the order in which it is put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub finals: BTreeMap<Final, usize>,
    schedules: Vec<Vec<Step>>,
    panic: Option<String>,
}

/// Stops at a final state that it is to look for.
#[derive(Default)]
struct Collect {
    seen: Findings,
    wanted: Option<Final>,
}

impl Observer for Collect {
    fn execution_ended(&mut self, end: &End, schedule: &[Step]) -> Next {
        if *end == End::SleepSetBlocked {
            return Next::Continue;
        }
        let deadlock = matches!(end, End::Deadlock(_));
        assert!(deadlock || *end == End::Complete, "{end:?}");
        let found = MEMORY.with(|memory| {
            let memory = memory.lock().unwrap();
            (deadlock, memory.logs.clone(), memory.words.clone())
        });
        let is_wanted = self.wanted.as_ref() == Some(&found);
        *self.seen.finals.entry(found).or_default() += 1;
        self.seen.schedules.push(schedule.to_vec());
        if is_wanted { Next::Stop } else { Next::Continue }
    }
}

impl Worker for Collect {
    type Findings = Findings;

    fn submit(&mut self) -> Findings {
        std::mem::take(&mut self.seen)
    }

    fn submit_panic(&mut self, panic: Box<dyn Any + Send>) -> Findings {
        let text = panic.downcast_ref::<&str>().copied().unwrap_or("another panic");
        Findings { panic: Some(text.into()), ..self.submit() }
    }
}

/// So small that every program is cut.
pub const FINE: [Split; 3] = [
    Split { alone: 1, parts: 1, executions: 1, grows: false },
    Split { alone: 1, parts: 4, executions: 2, grows: false },
    Split { alone: 3, parts: 16, executions: 5, grows: true },
];

pub fn searched(workers: usize, split: Split) -> Search {
    Search {
        workers,
        split,
        steps_max: STEPS_MAX,
        executions_max: u64::MAX,
        stack: STACK,
        remembers_traces: true,
    }
}

pub fn search(
    search: &Search,
    wanted: Option<&Final>,
    body: impl Fn() + Send + Sync + 'static,
) -> (Findings, Counts) {
    let all = Arc::new(Mutex::new(Findings::default()));
    let into = all.clone();
    let wanted = wanted.cloned();
    let counts = search.run(
        Arc::new(body),
        move || Collect { wanted: wanted.clone(), ..Collect::default() },
        move |seen, _| {
            let mut all = into.lock().unwrap();
            for (end, times) in seen.finals {
                *all.finals.entry(end).or_default() += times;
            }
            all.schedules.extend(seen.schedules);
            all.panic = all.panic.take().or(seen.panic);
        },
    );
    let all = all.lock().unwrap().clone();
    (all, counts)
}

fn split(
    program: &[Vec<Instr>],
    workers: usize,
    cut: Split,
    wanted: Option<&Final>,
) -> (Findings, Counts) {
    let program = program.to_vec();
    search(&searched(workers, cut), wanted, move || play(&program))
}

/// Two to four tasks of at most ten steps in all.
fn short() -> impl Strategy<Value = Vec<Vec<Instr>>> {
    prop::collection::vec(task(4, 6), 2..=4)
        .prop_filter("small enough", |tasks| tasks.iter().map(Vec::len).sum::<usize>() <= 10)
}

proptest! {
    #![proptest_config(one_in(1))]

    #[test]
    fn a_split_search_runs_each_trace_once(program in short()) {
        let whole = dpor(&program);
        for cut in FINE {
            let (found, counts) = split(&program, 1, cut, None);
            prop_assert!(counts.complete);
            prop_assert_eq!(counts.repeated_traces, 0);
            prop_assert!(counts.sleep_set_blocked == 0 || may_be_in_vain(&program));
            // A search that begins anew does so where it finds out why.
            let is_same = counts.executions as usize == whole.executions;
            prop_assert!(is_same || passes_locks(&program), "{:?}: {:?}", cut, counts);
            prop_assert!(found.finals.keys().eq(whole.finals.keys()), "{:?}", cut);
        }
    }
}

/// Three or four tasks of up to eight steps each.
fn long() -> impl Strategy<Value = Vec<Vec<Instr>>> {
    prop::collection::vec(task(8, 8), 3..=4).prop_filter("small enough", |tasks| {
        (12..=20).contains(&tasks.iter().map(Vec::len).sum::<usize>())
    })
}

proptest! {
    #![proptest_config(one_in(10))]

    /// That the order in which things are explored makes no difference to how many there are says
    /// more about a search than any count that it comes to: it is how a search that lost traces was
    /// found out.
    #[test]
    fn however_it_is_cut_a_long_search_takes_as_many_executions(program in long()) {
        let limited = |cut| Search { executions_max: 20_000, ..searched(1, cut) };
        let take = |cut| {
            let program = program.clone();
            search(&limited(cut), None, move || play(&program)).1
        };
        let whole = take(Split { alone: u64::MAX, ..Split::default() });
        prop_assume!(whole.complete);
        for cut in FINE {
            let counts = take(cut);
            prop_assert_eq!(counts.repeated_traces, 0);
            let is_same = counts.executions == whole.executions;
            prop_assert!(is_same || passes_locks(&program), "{:?}: {:?}", cut, counts);
        }
    }
}

/// Three tasks that contend for a word and a lock, with a choice: some thousand executions.
fn contention() -> Vec<Vec<Instr>> {
    use Instr::*;
    const SMALL: Rule = Rule::IncrementBelow(2);
    vec![
        vec![FetchAdd(0, 1), Lock(0), Update(0, SMALL), Unlock(0)],
        vec![Choose, Try(0), Write(0, 5), Read(1)],
        vec![Lock(0), Add(1, 1), Unlock(0), Update(0, SMALL)],
        vec![Write(1, 7), FetchAdd(0, 2)],
    ]
}

const SMALL: Split = Split { alone: 50, parts: 8, executions: 20, grows: false };

#[test]
fn the_number_of_workers_changes_nothing() {
    let (found, counts) = split(&contention(), 1, SMALL, None);
    assert!(counts.complete);
    assert_eq!(counts.executions as usize, dpor(&contention()).executions);
    assert!(counts.executions > 20 * SMALL.alone, "too small to be split: {counts:?}");
    for workers in 2..=4 {
        assert_eq!(split(&contention(), workers, SMALL, None), (found.clone(), counts));
    }
}

#[test]
fn what_is_found_first_does_not_depend_on_the_number_of_workers() {
    let (all, whole) = split(&contention(), 1, SMALL, None);
    let rarest = all.finals.iter().min_by_key(|(_, times)| **times).expect("some").0;
    let (found, counts) = split(&contention(), 1, SMALL, Some(rarest));
    assert_eq!(found.finals[rarest], 1);
    assert!(!counts.complete && counts.executions < whole.executions);
    assert!(counts.executions > SMALL.alone, "found before anything was split");
    for workers in 2..=4 {
        let (again, counts_again) = split(&contention(), workers, SMALL, Some(rarest));
        assert_eq!((again, counts_again), (found.clone(), counts), "{workers} workers");
    }
}

/// 7! orders, by four workers.
#[test]
fn seven_tasks_on_one_lock_run_in_every_order() {
    let program = vec![vec![Instr::Lock(0), Instr::Unlock(0)]; 7];
    let (_, counts) = split(&program, 4, Split { alone: 100, ..Split::default() }, None);
    assert!(counts.complete);
    assert_eq!((counts.executions, counts.repeated_traces), (5_040, 0));
    assert_eq!(counts.estimate(), Some(5_040.0));
}

#[test]
fn a_search_ends_after_so_many_executions() {
    for workers in [1, 3] {
        for executions_max in [1, 49, 777] {
            let limited = Search { executions_max, ..searched(workers, SMALL) };
            let (found, counts) = search(&limited, None, || play(&contention()));
            assert_eq!(counts.executions, executions_max);
            assert_eq!(found.schedules.len() as u64, executions_max);
            assert!(!counts.complete && counts.estimate() > Some(executions_max as f64));
        }
    }
}

/// The program panics in those of its executions in which the choice and the last value say so.
#[test]
fn a_panic_ends_the_search_in_the_same_place() {
    let panics = || {
        play(&contention());
        let is_bad = MEMORY.with(|memory| {
            let memory = memory.lock().unwrap();
            memory.words[..2] == [7, 8] && memory.logs[1][0] == 1
        });
        assert!(!is_bad, "as wanted");
    };
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let found: Vec<_> =
        (1..=3).map(|workers| search(&searched(workers, SMALL), None, panics)).collect();
    std::panic::set_hook(hook);
    let (first, counts) = &found[0];
    assert_eq!(first.panic.as_deref(), Some("as wanted"));
    assert!(!counts.complete && counts.executions > SMALL.alone);
    for other in &found[1..] {
        assert_eq!(other, &found[0]);
    }
}
