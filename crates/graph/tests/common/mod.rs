//! Straight-line programs, run by the engine; what is seen is compared with `brute`.
#![allow(dead_code, reason = "each test uses its part")]

pub mod brute;
pub mod generate;
pub mod model;
pub mod relation;

use std::collections::BTreeMap;
use std::rc::Rc;

use graph::{At, Does, End, Execution, Fence, Load, Lock, Model, Next, Rmw, Search, Store, Word};

/// What an update makes of what it reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Add(u64),
    /// Addition that returns nothing.
    AddVoid(u64),
    Swap(u64),
    CompareExchange(u64, u64),
}

impl Change {
    pub fn of(self, seen: u64) -> Option<u64> {
        match self {
            Change::Add(n) | Change::AddVoid(n) => Some(seen + n),
            Change::Swap(n) => Some(n),
            Change::CompareExchange(old, new) => (seen == old).then_some(new),
        }
    }
}

/// An operation. Words and locks are apart, and have numbers from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instr {
    Read(usize, Load),
    Write(usize, u64, Store),
    Update(usize, Change, Rmw),
    Barrier(Fence),
    Lock(usize),
    TryLock(usize),
    /// Only if the try before it, of the same lock, has not failed.
    Unlock(usize),
    IsLocked(usize),
    SectionBegins,
    SectionEnds,
    GracePeriod,
    /// Waits for this value.
    Wait(usize, u64, Load),
    /// Waits for zero and makes it this.
    WaitUpdate(usize, u64, Rmw),
}

pub type Program = Vec<Vec<Instr>>;

pub const WORDS: usize = 5;
pub const LOCKS: usize = 2;

/// What identifies an execution: for each task what its events did, and the order of writes.
/// Events are named by task and place, both from 0, of accesses to words only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Key {
    pub tasks: Vec<Vec<Access>>,
    pub writes: Vec<Vec<(usize, usize)>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    Read { word: usize, value: u64, from: Option<(usize, usize)> },
    Write { word: usize, value: u64 },
}

/// The program as closures.
pub fn body(program: &Program) -> impl Fn() + 'static + use<> {
    let program = Rc::new(program.clone());
    move || {
        let words: Rc<Vec<Word>> = Rc::new((0..WORDS).map(|_| Word::new(0)).collect());
        let locks: Rc<Vec<Lock>> = Rc::new((0..LOCKS).map(|_| Lock::new()).collect());
        let run = |task: usize| {
            let (program, words, locks) = (program.clone(), words.clone(), locks.clone());
            graph::spawn(move || {
                let mut failed_tries = 0;
                for &instr in &program[task] {
                    failed_tries = step(instr, &words, &locks, failed_tries);
                }
            })
        };
        let tasks: Vec<_> = (0..program.len()).map(run).collect();
        tasks.into_iter().for_each(|task| task.join());
    }
}

/// Takes one step. `failed_tries`: the locks (a bit each) that a try has failed to take.
fn step(instr: Instr, words: &[Word], locks: &[Lock], failed_tries: u32) -> u32 {
    match instr {
        Instr::Read(w, load) => drop(words[w].load(load)),
        Instr::Write(w, value, store) => words[w].store(value, store),
        Instr::Update(w, change, strength) => match change {
            Change::Add(n) => drop(words[w].fetch_add(n, strength)),
            Change::AddVoid(n) => words[w].add(n),
            Change::Swap(n) => drop(words[w].swap(n, strength)),
            Change::CompareExchange(old, new) => {
                let _ = words[w].compare_exchange(old, new, strength);
            }
        },
        Instr::Barrier(fence) => graph::fence(fence),
        Instr::Lock(l) => locks[l].lock(),
        Instr::TryLock(l) => {
            let failed = u32::from(!locks[l].try_lock());
            return failed_tries & !(1 << l) | failed << l;
        }
        Instr::Unlock(l) if failed_tries >> l & 1 == 1 => return failed_tries & !(1 << l),
        Instr::Unlock(l) => locks[l].unlock(),
        Instr::IsLocked(l) => drop(locks[l].is_locked()),
        Instr::SectionBegins => graph::rcu_read_lock(),
        Instr::SectionEnds => graph::rcu_read_unlock(),
        Instr::GracePeriod => graph::synchronize_rcu(),
        Instr::Wait(w, value, load) => drop(words[w].wait(load, move |seen| seen == value)),
        Instr::WaitUpdate(w, value, strength) => {
            words[w].wait_update(strength, move |seen| (seen == 0).then_some(value));
        }
    }
    failed_tries
}

/// What the engine found: each execution, and how often.
pub struct Explored {
    pub executions: BTreeMap<Key, u32>,
    pub counts: graph::Counts,
}

pub fn explore(program: &Program, model: Model) -> Explored {
    let mut executions = BTreeMap::new();
    let mut observer = |_: &End, execution: &Execution<'_>| {
        *executions.entry(key(execution)).or_insert(0) += 1;
        Next::Continue
    };
    let counts = Search::of(model).run(body(program), &mut observer);
    Explored { executions, counts }
}

pub fn key(execution: &Execution<'_>) -> Key {
    let mut key = Key::default();
    // Where an event is among the accesses of its task.
    let mut place = BTreeMap::new();
    for task in 1..execution.tasks() {
        let accesses = execution.events(task).filter(|event| {
            matches!(event.does, Does::Read { .. } | Does::Write { .. }) && !event.is_blocked
        });
        for (n, event) in accesses.enumerate() {
            place.insert(event.at, (task - 1, n));
        }
    }
    let named = |at: At| place[&at];
    for task in 1..execution.tasks() {
        let accesses = execution.events(task).filter(|event| place.contains_key(&event.at));
        let access = accesses.map(|event| match event.does {
            Does::Read { word, value, from } => Access::Read { word, value, from: from.map(named) },
            Does::Write { word, value } => Access::Write { word, value },
            _ => unreachable!("only accesses have a place"),
        });
        key.tasks.push(access.collect());
    }
    key.writes = (0..WORDS + LOCKS).map(|w| execution.writes(w).map(named).collect()).collect();
    key
}
