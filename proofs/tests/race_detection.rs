//! The races that a reduced exploration finds are those that a plain one finds: whether two
//! accesses are ordered must not depend on which of the equivalent executions was run.
//!
//! Small random programs of two tasks, under DPOR and under plain depth-first search.

use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;
use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{
    Atomic, Bit, Cpus, Flags, Name, Var, WRITE_ONCE, atomic_inc, atomic_read, clear_bit_unlock,
    data_race, join, plain_read, plain_write, smp_load_acquire, smp_mb, smp_store_release,
    spawn_task, test_and_set_bit_lock,
};
use selvedge_monitors::{PLAIN_ACCESSES_DO_NOT_RACE, for_rule};
use selvedge_trace::{Action, Event, Execution, Finding, Monitor};

/// Two locks in one word.
const LOCKS: [Bit; 2] = [Bit { nr: 0, name: "lock0" }, Bit { nr: 1, name: "lock1" }];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Op {
    PlainRead,
    PlainWrite,
    DataRace,
    Release,
    WriteOnce,
    Acquire,
    Count,
    Look,
    Barrier,
    /// The next access under this lock, if it is free.
    TryLock(usize),
}

fn op() -> impl Strategy<Value = Op> {
    use Op::*;
    prop_oneof![
        2 => Just(PlainRead),
        2 => Just(PlainWrite),
        1 => Just(DataRace),
        1 => Just(Release),
        1 => Just(WriteOnce),
        1 => Just(Acquire),
        1 => Just(Count),
        1 => Just(Look),
        1 => Just(Barrier),
        3 => (0..2_usize).prop_map(TryLock),
    ]
}

struct Shared {
    word: Var,
    flag: Var,
    count: Atomic,
    locks: Flags,
}

fn execute(shared: &Shared, ops: &[Op]) {
    let mut ops = ops.iter();
    while let Some(&op) = ops.next() {
        match op {
            Op::TryLock(which) => {
                let bit = LOCKS[which];
                let inner = ops.next();
                if !test_and_set_bit_lock(bit, &shared.locks) {
                    execute(shared, inner.map_or(&[], std::slice::from_ref));
                    clear_bit_unlock(bit, &shared.locks);
                }
            }
            Op::PlainRead => drop(plain_read(&shared.word)),
            Op::PlainWrite => plain_write(&shared.word, 1),
            Op::DataRace => drop(data_race(&shared.word)),
            Op::Release => smp_store_release(&shared.flag, 1),
            Op::WriteOnce => WRITE_ONCE(&shared.flag, 2),
            Op::Acquire => drop(smp_load_acquire(&shared.flag)),
            Op::Count => atomic_inc(&shared.count),
            Op::Look => drop(atomic_read(&shared.count)),
            Op::Barrier => smp_mb(),
        }
    }
}

fn verdict(engine: Engine, program: &[Vec<Op>]) -> Verdict {
    watched(engine, program, for_rule(PLAIN_ACCESSES_DO_NOT_RACE))
}

fn watched(engine: Engine, program: &[Vec<Op>], monitors: Vec<Box<dyn Monitor>>) -> Verdict {
    let program = program.to_vec();
    let body = Arc::new(move || {
        let cpus = Cpus::new(2, false);
        let shared = Arc::new(Shared {
            word: Var::new(Name::new("word"), 0),
            flag: Var::new(Name::new("flag"), 0),
            count: Atomic::new(Name::new("count"), 0),
            locks: Flags::new(Name::new("locks"), 0),
        });
        let tasks: Vec<usize> = (program.iter().cloned().enumerate())
            .map(|(cpu, ops)| {
                let shared = shared.clone();
                spawn_task(&cpus, cpu, "task", move || execute(&shared, &ops))
            })
            .collect();
        tasks.into_iter().for_each(join);
    });
    explore(engine, &Bounds::PROOF, monitors, body).verdict
}

fn program() -> impl Strategy<Value = Vec<Vec<Op>>> {
    prop::collection::vec(prop::collection::vec(op(), 1..5), 2..=2)
}

/// `PROPTEST_CASES` for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

#[test]
fn reduction_hides_no_race_and_makes_none() {
    let (holds, violated) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..Default::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&program(), |program| {
        let [dpor, dfs] = [Engine::Dpor, Engine::Dfs].map(|engine| verdict(engine, &program));
        prop_assert_eq!(&dpor, &dfs);
        let seen = if dpor == Verdict::Violated { &violated } else { &holds };
        seen.set(seen.get() + 1);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (holds, violated) = (holds.get(), violated.get());
    assert!(holds > 20 && violated > 20, "{holds} hold, {violated} are violated: too few");
}

/// Calls it a race if a read comes right behind a write: so it looked in one of the executions that
/// are the same but for the order of independent steps.
struct RightBehind;

impl Monitor for RightBehind {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(RightBehind)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let is_race = |pair: &[Event]| {
            pair[0].task != pair[1].task
                && (pair[0].action, pair[1].action) == (Action::PlainWrite, Action::PlainRead)
        };
        let event = execution.events.windows(2).position(is_race)?;
        let rule = PLAIN_ACCESSES_DO_NOT_RACE;
        Some(Finding { rule, message: "one behind the other".into(), event: Some(event) })
    }
}

#[test]
fn a_detector_that_depends_on_the_order_of_independent_steps_is_noticed() {
    use Op::*;
    let program = [vec![PlainWrite, Look], vec![Look, PlainRead]];
    let verdict = |engine| watched(engine, &program, vec![Box::new(RightBehind)]);
    assert_eq!(verdict(Engine::Dfs), Verdict::Violated);
    assert_eq!(verdict(Engine::Dpor), Verdict::Holds, "the reversal is not noticed by it");
}

/// Each task has its own lock, in one word: one after the other or not, nothing orders them.
#[test]
fn two_locks_in_one_word_are_two_locks() {
    use Op::*;
    let under = |lock, access| vec![TryLock(lock), access];
    let both = |second| [under(0, PlainWrite), under(second, PlainRead)];
    assert_eq!(verdict(Engine::Dpor, &both(0)), Verdict::Holds);
    assert_eq!(verdict(Engine::Dpor, &both(1)), Verdict::Violated);
    assert_eq!(verdict(Engine::Dfs, &both(1)), Verdict::Violated);
}
