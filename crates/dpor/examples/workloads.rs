//! Four workloads on which model checkers are compared, and how many executions each takes.
//! `cargo run --release -p dpor --example workloads`

pub mod programs;

use std::cell::RefCell;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use dpor::{
    Commutes, Dpor, End, Footprint, Kind, Next, Object, Observer, Op, Outcome, Results, StateHash,
    Stateful, States, Step, Symmetry, at_rest, join, observe, refine, run, spawn, spawn_twins,
    step, update_loop,
};
use programs::{Backend, Program, Word as _};

/// Words, locks and tasks that announce their steps. `TWINS`: tasks that do the same are explored
/// up to who is who.
pub struct Announcing<const TWINS: bool>;
/// With all orders.
pub type Announced = Announcing<false>;
/// With the symmetry of tasks reduced.
pub type AnnouncedTwins = Announcing<true>;

thread_local! {
    /// The values of the words, by number: all tasks run on one thread of the operating system.
    static VALUES: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// A shared word.
pub struct Word(u32);

impl Word {
    fn op(&self, footprint: Footprint) -> Op {
        Op::new(Kind::Access(footprint), Object(self.0))
    }

    /// Announces a step, then takes it: `change` makes the new value, and what the task gets to
    /// see.
    fn access<R>(&self, footprint: Footprint, change: impl FnOnce(&mut u64) -> R) -> R {
        step(self.op(footprint));
        VALUES.with_borrow_mut(|values| change(&mut values[self.0 as usize]))
    }
}

impl programs::Word for Word {
    fn load(&self) -> u64 {
        let seen = self.access(Footprint::READ, |now| *now);
        observe(seen);
        seen
    }

    fn store(&self, value: u64) {
        self.access(Footprint::WRITE, |now| *now = value);
    }

    fn add(&self, value: u64) {
        let footprint = Footprint { commutes: Commutes::Add, ..Footprint::WRITE };
        self.access(footprint, |now| *now = now.wrapping_add(value));
    }

    fn fetch_sub(&self, value: u64) -> u64 {
        let seen = self.access(Footprint::RMW, |now| std::mem::replace(now, *now - value));
        observe(seen);
        seen
    }

    fn fetch_or(&self, bits: u64) -> u64 {
        let seen = self.access(Footprint::RMW, |now| std::mem::replace(now, *now | bits));
        observe(seen);
        seen
    }

    fn fetch_and(&self, bits: u64) -> u64 {
        let seen = self.access(Footprint::RMW, |now| std::mem::replace(now, *now & bits));
        observe(seen);
        seen
    }

    fn compare_exchange(&self, old: u64, new: u64) -> Result<u64, u64> {
        let seen = self.access(Footprint::RMW, |now| {
            if *now == old { std::mem::replace(now, new) } else { *now }
        });
        observe(seen);
        if seen != old {
            refine(Outcome::Failed);
            return Err(seen);
        }
        Ok(seen)
    }

    fn fetch_update(&self, update: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
        let outcome = update_loop(self.op(Footprint::RMW), || {
            VALUES.with_borrow_mut(|values| {
                let now = &mut values[self.0 as usize];
                update(*now).map(|new| std::mem::replace(now, new)).ok_or(*now)
            })
        });
        let (Ok(seen) | Err(seen)) = outcome;
        observe(seen);
        outcome
    }
}

impl<const TWINS: bool> Backend for Announcing<TWINS> {
    type Word = Word;
    type Lock = u32;
    type Event = Object;
    type Task = usize;

    fn word(number: usize, value: u64) -> Word {
        VALUES.with_borrow_mut(|values| {
            values.resize(values.len().max(number + 1), 0);
            values[number] = value;
        });
        Word(number as u32)
    }

    fn lock(number: usize) -> u32 {
        number as u32
    }

    fn locked(lock: &u32, inside: impl FnOnce()) {
        step(Op::new(Kind::Lock, Object(*lock)));
        inside();
        step(Op::new(Kind::Unlock, Object(*lock)));
    }

    fn event(number: usize) -> Object {
        Object(number as u32)
    }

    fn wait(event: &Object) {
        step(Op::new(Kind::Wait { consume: false }, *event));
    }

    fn wake(event: &Object) {
        step(Op::new(Kind::Wake, *event));
    }

    fn spawn(body: Box<dyn FnOnce() + Send>) -> usize {
        spawn("task", body)
    }

    fn spawn_alike(n: usize, body: impl FnOnce() + Clone + Send + 'static) -> Vec<usize> {
        /// Beyond the words and locks of all programs.
        const TURNS: Object = Object(100);
        let symmetry = if TWINS { Symmetry::Reduced { turns: TURNS } } else { Symmetry::Kept };
        spawn_twins(&vec!["task"; n], symmetry, body).tasks().to_vec()
    }

    fn join(task: usize) {
        join(task);
    }

    fn at_rest(position: u64) {
        at_rest(position);
    }
}

fn together(tasks: Vec<Box<dyn FnOnce() + Send>>) {
    let tasks: Vec<usize> = tasks.into_iter().map(|task| spawn("task", task)).collect();
    tasks.into_iter().for_each(join);
}

/// W3 with a CAS loop of one iteration: a task whose CAS fails is stuck for good, and so is its
/// owner. To tools that know `assume` this is W3, and what is stuck is not counted.
pub fn references_assuming(n: usize) -> Program {
    programs::get_and_put::<Announced>(n, |refs| {
        let seen = refs.load();
        if seen != 0 && refs.compare_exchange(seen, seen + 1).is_err() {
            const NEVER_SET: Object = Object(2);
            step(Op::new(Kind::Wait { consume: false }, NEVER_SET));
        }
        seen != 0
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

/// Hashes the values of all words.
pub fn hash_values(hash: &mut StateHash) {
    VALUES.with_borrow(|values| values.hash(hash));
}

/// Goes on from every state of the program once. Returns the results, and how many executions ended
/// in a deadlock.
pub fn explore_states(program: &Program) -> (States, u64) {
    let deadlocks = Arc::new(AtomicU64::new(0));
    let count = Box::new(Count(deadlocks.clone(), u64::MAX));
    let stateful = Stateful::new(count, 10_000, hash_values);
    let states = stateful.results();
    let program = program.clone();
    run(stateful, 0x1_0000, move || program());
    (states, deadlocks.load(Relaxed))
}

/// The workloads, with what GenMC 0.11 needs under SC.
fn all() -> Vec<(String, Program, &'static str)> {
    let genmc =
        ["19", "110", "785", "15", "14", "1171", "86001", "1620", "185160", "18", "174", "2616"];
    // Of the rows after these, GenMC says nothing.
    let genmc = genmc.into_iter().chain(std::iter::repeat(""));
    let all = programs::all::<Announced>().into_iter().zip(genmc);
    let all = all.map(|((name, program), genmc)| (name.into(), program, genmc));
    let twins = programs::of_tasks_alike::<AnnouncedTwins>().into_iter();
    all.chain(twins.map(|(name, program)| (format!("{name}, twins"), program, ""))).collect()
}

/// Searches that take longer are cut; their executions have a `+`.
const EXECUTIONS_MAX: u64 = 1_000_000;

fn main() {
    println!(
        "{:22} {:>10} {:>10} {:>10} {:>12}",
        "", "executions", "GenMC", "seconds", "per second"
    );
    for (name, program, genmc) in all() {
        let started = std::time::Instant::now();
        let (results, _) = explore(&program, EXECUTIONS_MAX);
        let seconds = started.elapsed().as_secs_f64();
        let (executions, more) = (results.executions(), if results.complete() { "" } else { "+" });
        let rate = executions as f64 / seconds;
        println!("{name:22} {executions:>9}{more:1} {genmc:>10} {seconds:>10.3} {rate:>12.0}");
    }
    println!(
        "\n{:22} {:>10} {:>10} {:>10} {:>12}",
        "over states", "executions", "states", "seconds", "table KiB"
    );
    for (name, program, _) in all() {
        let started = std::time::Instant::now();
        let (states, _) = explore_states(&program);
        let seconds = started.elapsed().as_secs_f64();
        let (executions, table) = (states.executions(), states.table_bytes() / 1024);
        println!("{name:22} {executions:>10} {:>10} {seconds:>10.3} {table:>12}", states.states());
    }
    println!("\n{:22} {:>10} {:>20}", "steps", "executions", "microseconds a step");
    for steps in [20, 200, 2_000] {
        let started = std::time::Instant::now();
        let rounds = 200;
        let executions: u64 =
            (0..rounds).map(|_| explore(&long(steps), EXECUTIONS_MAX).0.executions()).sum();
        let cost = started.elapsed().as_secs_f64() * 1e6 / (executions as f64 * steps as f64);
        println!("{steps:22} {:>10} {cost:>20.2}", executions / rounds);
    }
}
