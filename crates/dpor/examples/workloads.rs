//! Four workloads on which model checkers are compared, and how many executions each takes.
//! `cargo run --release -p selvedge-dpor --example workloads`

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use selvedge_dpor::{
    Commutes, Dpor, End, Footprint, Kind, Next, Object, Observer, Op, Outcome, Results, Step, join,
    refine, run, spawn, step,
};

/// A program, run as the main closure.
pub type Program = Arc<dyn Fn() + Send + Sync>;

/// A shared word: an object and a value. The scheduler lets one task run at a time, so that a
/// relaxed atomic is as good as a plain variable.
struct Word(u32, AtomicU64);

impl Word {
    fn new(object: usize, value: u64) -> Word {
        Word(object as u32, AtomicU64::new(value))
    }

    fn access(&self, footprint: Footprint) {
        step(Op::new(Kind::Access(footprint), Object(self.0)));
    }

    fn load(&self) -> u64 {
        self.access(Footprint::READ);
        self.1.load(Relaxed)
    }

    fn store(&self, value: u64) {
        self.access(Footprint::WRITE);
        self.1.store(value, Relaxed);
    }

    fn add(&self, value: u64) {
        self.access(Footprint { commutes: Commutes::Add, ..Footprint::WRITE });
        self.1.fetch_add(value, Relaxed);
    }

    fn fetch_sub(&self, value: u64) -> u64 {
        self.access(Footprint::RMW);
        self.1.fetch_sub(value, Relaxed)
    }

    fn add_unless_zero(&self) -> bool {
        self.access(Footprint::RMW);
        let done = self.1.load(Relaxed) != 0;
        if done {
            self.1.fetch_add(1, Relaxed);
        } else {
            refine(Outcome::Failed);
        }
        done
    }

    /// `Err`: what was there instead.
    fn compare_exchange(&self, old: u64, new: u64) -> Result<u64, u64> {
        self.access(Footprint::RMW);
        let done = self.1.compare_exchange(old, new, Relaxed, Relaxed);
        if done.is_err() {
            refine(Outcome::Failed);
        }
        done
    }
}

fn lock(object: usize) {
    step(Op::new(Kind::Lock, Object(object as u32)));
}

fn unlock(object: usize) {
    step(Op::new(Kind::Unlock, Object(object as u32)));
}

fn together(tasks: Vec<Box<dyn FnOnce() + Send>>) {
    let tasks: Vec<usize> = tasks.into_iter().map(|task| spawn("task", task)).collect();
    tasks.into_iter().for_each(join);
}

/// W1: n tasks {lock own; if pending == 0 {slot = 1; refs++}; unlock}; a migrator {pending++; for
/// each: lock, if slot {slot = 0; refs--}, unlock; read refs; pending--}.
pub fn migrator(n: usize) -> Program {
    Arc::new(move || {
        let pending = Arc::new(Word::new(0, 0));
        let refs = Arc::new(Word::new(1, 0));
        let slots: Arc<Vec<Word>> = Arc::new((0..n).map(|i| Word::new(2 + i, 0)).collect());
        let own = move |i: usize| 2 + n + i;
        let mut tasks: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        for i in 0..n {
            let (pending, refs, slots) = (pending.clone(), refs.clone(), slots.clone());
            tasks.push(Box::new(move || {
                lock(own(i));
                if pending.load() == 0 {
                    slots[i].store(1);
                    refs.add(1);
                }
                unlock(own(i));
            }));
        }
        tasks.push(Box::new(move || {
            pending.add(1);
            for i in 0..n {
                lock(own(i));
                if slots[i].load() == 1 {
                    slots[i].store(0);
                    refs.add(u64::MAX);
                }
                unlock(own(i));
            }
            refs.load();
            pending.add(u64::MAX);
        }));
        together(tasks);
    })
}

/// W2: n tasks, each takes lock i and then lock i + 1: a ring, or in one order.
pub fn ring(n: usize, ordered: bool) -> Program {
    Arc::new(move || {
        let task = |i: usize| -> Box<dyn FnOnce() + Send> {
            let (a, b) = (i, (i + 1) % n);
            let (a, b) = if ordered { (a.min(b), a.max(b)) } else { (a, b) };
            Box::new(move || {
                lock(a);
                lock(b);
                unlock(b);
                unlock(a);
            })
        };
        together((0..n).map(task).collect());
    })
}

/// W3: n tasks {get unless zero (a CAS loop); put; the last one frees}. An iteration whose CAS fails
/// counts as an execution of its own; GenMC does not count those.
pub fn references(n: usize) -> Program {
    Arc::new(move || {
        let refs = Arc::new(Word::new(0, 1));
        let freed = Arc::new(Word::new(1, 0));
        let task = |_| -> Box<dyn FnOnce() + Send> {
            let (refs, freed) = (refs.clone(), freed.clone());
            Box::new(move || {
                let mut seen = refs.load();
                while seen != 0 {
                    match refs.compare_exchange(seen, seen + 1) {
                        Ok(_) => break,
                        Err(now) => seen = now,
                    }
                }
                if seen != 0 && refs.fetch_sub(1) == 1 {
                    freed.store(1);
                }
            })
        };
        together((0..n).map(task).collect());
    })
}

/// W3 with "get unless zero" as the one atomic step that it is.
pub fn references_at_once(n: usize) -> Program {
    Arc::new(move || {
        let refs = Arc::new(Word::new(0, 1));
        let freed = Arc::new(Word::new(1, 0));
        let task = |_| -> Box<dyn FnOnce() + Send> {
            let (refs, freed) = (refs.clone(), freed.clone());
            Box::new(move || {
                if refs.add_unless_zero() && refs.fetch_sub(1) == 1 {
                    freed.store(1);
                }
            })
        };
        together((0..n).map(task).collect());
    })
}

/// W4: n tasks, two rounds of {trylock bit; if won {counter++, plain; unlock}}.
pub fn try_locks(n: usize) -> Program {
    Arc::new(move || {
        let bit = Arc::new(Word::new(0, 0));
        let counter = Arc::new(Word::new(1, 0));
        let task = |_| -> Box<dyn FnOnce() + Send> {
            let (bit, counter) = (bit.clone(), counter.clone());
            Box::new(move || {
                for _ in 0..2 {
                    if bit.compare_exchange(0, 1).is_ok() {
                        let value = counter.load();
                        counter.store(value + 1);
                        bit.store(0);
                    }
                }
            })
        };
        together((0..n).map(task).collect());
    })
}

/// A chain of `steps` steps in each of two tasks, which meet in one word at the end: one race,
/// whatever the length. For the cost of a step.
pub fn long(steps: usize) -> Program {
    Arc::new(move || {
        let meeting = Arc::new(Word::new(0, 0));
        let task = |i: usize| -> Box<dyn FnOnce() + Send> {
            let meeting = meeting.clone();
            Box::new(move || {
                let own = Word::new(1 + i, 0);
                (0..steps / 2).for_each(|_| own.add(1));
                meeting.fetch_sub(1);
            })
        };
        together((0..2).map(task).collect());
    })
}

struct Count(Arc<AtomicU64>, u64);

impl Observer for Count {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        if matches!(end, End::Deadlock(_)) {
            self.0.fetch_add(1, Relaxed);
        }
        self.1 -= 1;
        if self.1 == 0 { Next::Stop } else { Next::Continue }
    }
}

/// Explores the program; gives up after `limit` executions. Returns the results and the number of
/// deadlocks.
pub fn explore(program: &Program, limit: u64) -> (Results, u64) {
    let deadlocks = Arc::new(AtomicU64::new(0));
    let dpor = Dpor::new(Box::new(Count(deadlocks.clone(), limit)), 10_000);
    let results = dpor.results();
    let program = program.clone();
    run(dpor, 0x1_0000, move || program());
    (results, deadlocks.load(Relaxed))
}

/// The workloads, with what GenMC 0.11 needs under SC.
pub fn all() -> Vec<(&'static str, Program, &'static str)> {
    vec![
        ("W1 n=2", migrator(2), "19"),
        ("W1 n=3", migrator(3), "110"),
        ("W1 n=4", migrator(4), "785"),
        ("W2 n=4 ring", ring(4, false), "15"),
        ("W2 n=4 ordered", ring(4, true), "14"),
        ("W3 n=3 loop", references(3), "1171"),
        ("W3 n=3, 1 step", references_at_once(3), ""),
        ("W3 n=4, 1 step", references_at_once(4), ""),
        ("W4 n=3", try_locks(3), "1620"),
        ("W4 n=4", try_locks(4), "185160"),
    ]
}

fn main() {
    println!(
        "{:15} {:>10} {:>10} {:>10} {:>12}",
        "", "executions", "GenMC", "seconds", "per second"
    );
    for (name, program, genmc) in all() {
        let started = std::time::Instant::now();
        let (results, _) = explore(&program, 1_000_000);
        let seconds = started.elapsed().as_secs_f64();
        let (executions, more) = (results.executions(), if results.complete() { "" } else { "+" });
        let rate = executions as f64 / seconds;
        println!("{name:15} {executions:>9}{more:1} {genmc:>10} {seconds:>10.3} {rate:>12.0}");
    }
    println!("\n{:15} {:>10} {:>20}", "steps", "executions", "microseconds a step");
    for steps in [20, 200, 2_000] {
        let started = std::time::Instant::now();
        let rounds = 200;
        let executions: u64 =
            (0..rounds).map(|_| explore(&long(steps), 1_000_000).0.executions()).sum();
        let cost = started.elapsed().as_secs_f64() * 1e6 / (executions as f64 * steps as f64);
        println!("{steps:15} {:>10} {cost:>20.2}", executions / rounds);
    }
}
