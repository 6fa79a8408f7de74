//! Under sequential consistency there are as many executions as the crate `dpor`, which knows no
//! graphs, finds traces: on random programs, where both end, and deadlock, equally often.

use crate::common;

use std::cell::RefCell;
use std::sync::Arc;

use common::generate::{access, locked, programs, single, tasks, update};
use common::{Change, Instr, LOCKS, Program, WORDS, explore};
use dpor::{Dpor, End, Footprint, Kind, Next, Object, Observer, Op, Outcome, Step};
use graph::Model;
use proptest::prelude::*;

thread_local! {
    /// The words: all tasks of dpor's run on one thread of the operating system.
    static VALUES: RefCell<[u64; WORDS]> = const { RefCell::new([0; WORDS]) };
    static DEADLOCKS: RefCell<u64> = const { RefCell::new(0) };
}

struct CountDeadlocks;

impl Observer for CountDeadlocks {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        let is_deadlock = matches!(end, End::Deadlock(_));
        DEADLOCKS.with_borrow_mut(|deadlocks| *deadlocks += u64::from(is_deadlock));
        Next::Continue
    }
}

/// Executions, and how many of them are deadlocks.
fn traces(program: &Program) -> (u64, u64) {
    DEADLOCKS.set(0);
    let dpor = Dpor::new(Box::new(CountDeadlocks), 1_000);
    let results = dpor.results();
    let program = Arc::new(program.clone());
    dpor::run(dpor, 0x1_0000, move || {
        VALUES.set([0; WORDS]);
        let spawned = (0..program.len()).map(|task| {
            let program = program.clone();
            dpor::spawn("task", move || run(&program[task]))
        });
        spawned.collect::<Vec<_>>().into_iter().for_each(dpor::join);
    });
    assert!(results.complete());
    (results.executions(), DEADLOCKS.take())
}

fn run(instrs: &[Instr]) {
    let mut has_failed = [false; LOCKS];
    for &instr in instrs {
        let lock = |l: usize| Object((WORDS + l) as u32);
        match instr {
            Instr::Read(w, _) => dpor::step(access_of(w, Footprint::READ)),
            Instr::Write(w, value, _) => {
                dpor::step(access_of(w, Footprint::WRITE));
                VALUES.with_borrow_mut(|values| values[w] = value);
            }
            Instr::Update(w, change, _) => change_word(w, change),
            Instr::Lock(l) => dpor::step(Op::new(Kind::Lock, lock(l))),
            Instr::TryLock(l) => has_failed[l] = !dpor::try_lock(Op::new(Kind::TryLock, lock(l))),
            Instr::Unlock(l) if has_failed[l] => has_failed[l] = false,
            Instr::Unlock(l) => dpor::step(Op::new(Kind::Unlock, lock(l))),
            other => unreachable!("{other:?} is not among the programs"),
        }
    }
}

fn access_of(word: usize, footprint: Footprint) -> Op {
    Op::new(Kind::Access(footprint), Object(word as u32))
}

fn change_word(word: usize, change: Change) {
    dpor::step(access_of(word, Footprint::RMW));
    let is_done = VALUES.with_borrow_mut(|values| {
        let new = change.of(values[word]);
        values[word] = new.unwrap_or(values[word]);
        new.is_some()
    });
    if !is_done {
        dpor::refine(Outcome::Failed);
    }
}

proptest! {
    #![proptest_config(programs(300))]

    #[test]
    fn there_are_as_many_executions_as_traces(
        program in tasks(
            prop_oneof![
                2 => single(prop_oneof![access(2), update(2)]),
                1 => locked(prop_oneof![access(2), update(2)], 2, 2),
            ],
            3,
            4..=12,
        ),
    ) {
        let counts = explore(&program, Model::Sc).counts;
        prop_assert_eq!((counts.executions, counts.deadlocks), traces(&program));
    }
}
