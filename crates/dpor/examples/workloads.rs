//! Four workloads on which model checkers are compared, and how many executions each takes.
//! `cargo run --release -p selvedge-dpor --example workloads`

pub mod programs;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use programs::{Backend, Program, Word as _};
use selvedge_dpor::{
    Commutes, Dpor, End, Footprint, Kind, Next, Object, Observer, Op, Outcome, Results, Step, join,
    refine, run, spawn, step,
};

/// Words, locks and tasks that announce their steps.
pub struct Announced;

/// A shared word: an object and a value. The scheduler lets one task run at a time, so that a
/// relaxed atomic is as good as a plain variable.
pub struct Word(u32, AtomicU64);

impl Word {
    fn access(&self, footprint: Footprint) {
        step(Op::new(Kind::Access(footprint), Object(self.0)));
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
}

impl programs::Word for Word {
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

    fn compare_exchange(&self, old: u64, new: u64) -> Result<u64, u64> {
        self.access(Footprint::RMW);
        let done = self.1.compare_exchange(old, new, Relaxed, Relaxed);
        if done.is_err() {
            refine(Outcome::Failed);
        }
        done
    }
}

impl Backend for Announced {
    type Word = Word;
    type Lock = u32;
    type Task = usize;

    fn word(number: usize, value: u64) -> Word {
        Word(number as u32, AtomicU64::new(value))
    }

    fn lock(number: usize) -> u32 {
        number as u32
    }

    fn locked(lock: &u32, inside: impl FnOnce()) {
        step(Op::new(Kind::Lock, Object(*lock)));
        inside();
        step(Op::new(Kind::Unlock, Object(*lock)));
    }

    fn spawn(body: Box<dyn FnOnce() + Send>) -> usize {
        spawn("task", body)
    }

    fn join(task: usize) {
        join(task);
    }
}

fn together(tasks: Vec<Box<dyn FnOnce() + Send>>) {
    let tasks: Vec<usize> = tasks.into_iter().map(|task| spawn("task", task)).collect();
    tasks.into_iter().for_each(join);
}

/// W3 with "get unless zero" as the one atomic step that it is.
pub fn references_at_once(n: usize) -> Program {
    Arc::new(move || {
        let refs = Arc::new(Announced::word(0, 1));
        let freed = Arc::new(Announced::word(1, 0));
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

/// A chain of `steps` steps in each of two tasks, which meet in one word at the end: one race,
/// whatever the length. For the cost of a step.
pub fn long(steps: usize) -> Program {
    Arc::new(move || {
        let meeting = Arc::new(Announced::word(0, 0));
        let task = |i: usize| -> Box<dyn FnOnce() + Send> {
            let meeting = meeting.clone();
            Box::new(move || {
                let own = Announced::word(1 + i, 0);
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
fn all() -> Vec<(&'static str, Program, &'static str)> {
    let genmc = ["19", "110", "785", "15", "14", "1171", "1620", "185160"];
    let same = programs::all::<Announced>().into_iter().zip(genmc);
    let same = same.map(|((name, program), genmc)| (name, program, genmc));
    let others = [
        ("W3 n=3, 1 step", references_at_once(3), ""),
        ("W3 n=4, 1 step", references_at_once(4), ""),
    ];
    same.chain(others).collect()
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
