//! Small programs as data, run under any scheduler of the crate, and what came of every execution.
#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

pub mod generate;
pub mod record;

use dpor::*;
use shuttle::scheduler::Scheduler;

pub const STACK: usize = 0x1_0000;
pub const STEPS_MAX: usize = 10_000;

/// One step of a task. Words, locks and tokens are numbered from 0, each kind for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instr {
    /// Reads a word and remembers what it saw.
    Read(u32),
    /// Reads the low or the high half of a word.
    ReadHalf(u32, bool),
    /// Writes a value.
    Write(u32, u64),
    /// Writes a value to the low or the high half of a word.
    WriteHalf(u32, bool, u64),
    /// Writes a value, and says which bits it has changed: of the others it has only read that they
    /// were so already.
    Put(u32, u64),
    /// Sets the lowest bit of the low or the high half, or clears it, without telling the task what
    /// was there, and says whether that changed it.
    Flag(u32, bool, bool),
    /// Adds, and does not look.
    Add(u32, u64),
    /// Sets the low or the high half's lowest bit, and does not look.
    SetBit(u32, bool),
    /// Adds, and remembers what was there.
    FetchAdd(u32, u64),
    /// An update loop as one step; remembers whether it updated, and what was there.
    Update(u32, Rule),
    /// The same, written out.
    Loop(u32, Rule, Retries),
    Lock(u32),
    /// Waits for a value and remembers it.
    Await(u32, Until),
    /// The same, and adds to it in the same step.
    AwaitAdd(u32, Until, u64),
    /// Takes the first lock on the way through the second.
    LockPassing(u32, u32),
    Unlock(u32),
    /// Tries a lock; gives it back at once if it was free; remembers whether it was.
    Try(u32),
    /// Waits for a token and clears it, or leaves it.
    Wait(u32, bool),
    Wake(u32),
    /// Remembers which of 2 alternatives happened.
    Choose,
    /// Waits for a token on the way through a lock, and clears it, or leaves it.
    WaitPassing(u32, u32, bool),
    /// Passes a lock on the way to writing a word.
    PassAndWrite(u32, u32, u64),
}

/// What an update loop computes from what it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// One more, if the word is below this.
    IncrementBelow(u64),
    /// The same word with these bits flipped: two of them, and the word is what it was.
    Flip(u64),
}

impl Rule {
    fn apply(self, seen: u64) -> Option<u64> {
        match self {
            Rule::IncrementBelow(limit) => (seen < limit).then_some(seen + 1),
            Rule::Flip(bits) => Some(seen ^ bits),
        }
    }
}

/// How an update loop goes on when its compare-and-exchange has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// That often at most, which is checked: as often as others may write.
    pub max: usize,
    /// Whether it keeps what it had computed from the first value that it saw: not an update loop
    /// as `update_loop` has it.
    pub stale: bool,
}

/// What each task remembers, and the words at the end; and whether it deadlocked.
pub type Final = (bool, Vec<Vec<u64>>, Vec<u64>);

/// A canonical form of a trace: for each pair of dependent steps, which came first.
pub type Trace = Vec<(usize, usize, usize, usize)>;

#[derive(Default)]
pub struct Seen {
    pub finals: BTreeMap<Final, usize>,
    pub executions: usize,
    pub deadlocks: usize,
    /// Sleep-set blocked executions, and repeated traces.
    pub redundant: (u64, u64),
    pub bad: Option<String>,
}

/// What the tasks share, and what each remembers.
#[derive(Default)]
pub struct Memory {
    pub words: Vec<u64>,
    pub logs: Vec<Vec<u64>>,
}

/// What a search over states is told of the tasks' local states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Told {
    /// What each has observed.
    Observations,
    /// That each is at rest between two instructions: what it remembers is outside of it.
    Rests,
}

pub const WORDS: u32 = 8;
const LOCKS: u32 = 8;
const TOKENS: u32 = 8;
/// The tokens of twins come after all others.
const REDUCED: Symmetry = Symmetry::Reduced { turns: Object(WORDS + LOCKS + TOKENS) };

fn word(w: u32) -> Object {
    Object(w)
}
fn lock(l: u32) -> Object {
    Object(WORDS + l)
}
fn token(t: u32) -> Object {
    Object(WORDS + LOCKS + t)
}

/// Puts the tasks of the program that this thread runs on processors.
pub fn put_on_processors(places: Places) {
    PLACES.set(places);
}

/// The step, where the task runs: it passes the locks of its place too, as far as there is room.
fn here(op: Op) -> Op {
    let me = me();
    let place = PLACES.with_borrow(|places| places.get(me.checked_sub(1)?).copied().flatten());
    match (place.map(lock), op.passes) {
        (Some(place), Passes::NONE) => Op { passes: Passes::of([Some(place), None]), ..op },
        _ => op,
    }
}

fn announce(op: Op) {
    step(here(op));
}

fn access(w: u32, footprint: Footprint) {
    announce(Op::new(Kind::Access(footprint), word(w)));
}

fn half(high: bool) -> u64 {
    if high { !0 << 32 } else { (1 << 32) - 1 }
}

/// Writes these bits of the word, and says of the step that it has written those that it changed
/// and read all of them.
fn put(word: &mut u64, bits: u64, value: u64) {
    let changed = bits & (*word ^ value);
    *word ^= changed;
    refine(Outcome::Footprint(Footprint { reads: bits, writes: changed, ..Footprint::default() }));
}

/// What an update loop returns, as one number.
fn told_of(outcome: Result<u64, u64>) -> u64 {
    match outcome {
        Ok(seen) => seen << 1 | 1,
        Err(seen) => seen << 1,
    }
}

fn loop_by_hand(w: u32, rule: Rule, retries: Retries, memory: &Mutex<Memory>) -> Result<u64, u64> {
    let now = || memory.lock().unwrap().words[w as usize];
    access(w, Footprint::READ);
    let mut seen = now();
    observe(seen);
    let first = rule.apply(seen);
    for _ in 0..=retries.max {
        let new = if retries.stale { first } else { rule.apply(seen) };
        let new = new.ok_or(seen)?;
        access(w, Footprint::RMW);
        observe(now());
        if now() == seen {
            memory.lock().unwrap().words[w as usize] = new;
            return Ok(seen);
        }
        refine(Outcome::Failed);
        seen = now();
    }
    panic!("word {w} was changed more than {} times", retries.max);
}

fn change(memory: &Mutex<Memory>, f: impl FnOnce(&mut Memory)) {
    f(&mut memory.lock().unwrap());
}

fn remember(memory: &Mutex<Memory>, me: usize, f: impl FnOnce(&Memory) -> u64) {
    let mut memory = memory.lock().unwrap();
    let seen = f(&memory);
    memory.logs[me].push(seen);
    observe(seen);
}

pub fn execute(instr: Instr, me: usize, memory: &Mutex<Memory>) {
    let change = |f: &mut dyn FnMut(&mut Memory)| change(memory, f);
    let remember = |f: &dyn Fn(&Memory) -> u64| remember(memory, me, f);
    match instr {
        Instr::Read(w) => {
            access(w, Footprint::READ);
            remember(&|m| m.words[w as usize]);
        }
        Instr::ReadHalf(w, high) => {
            access(w, Footprint { reads: half(high), ..Footprint::default() });
            remember(&|m| m.words[w as usize] & half(high));
        }
        Instr::Write(w, value) => {
            access(w, Footprint::WRITE);
            change(&mut |m| m.words[w as usize] = value);
        }
        Instr::WriteHalf(w, high, value) => {
            access(w, Footprint { writes: half(high), ..Footprint::default() });
            let value = if high { value << 32 } else { value };
            let with = |word: u64| word & !half(high) | value;
            change(&mut |m| m.words[w as usize] = with(m.words[w as usize]));
        }
        Instr::Put(w, value) => {
            access(w, Footprint::WRITE);
            change(&mut |m| put(&mut m.words[w as usize], !0, value));
        }
        Instr::Flag(w, high, set) => {
            let bit = if high { 1 << 32 } else { 1 };
            access(w, Footprint { reads: bit, writes: bit, commutes: Commutes::No });
            change(&mut |m| {
                let word = &mut m.words[w as usize];
                put(word, bit, if set { *word | bit } else { *word & !bit });
            });
            observe(0);
        }
        Instr::Add(w, value) => {
            access(w, Footprint { commutes: Commutes::Add, ..Footprint::WRITE });
            change(&mut |m| m.words[w as usize] += value);
        }
        Instr::SetBit(w, high) => {
            let bit = if high { 1 << 32 } else { 1 };
            access(w, Footprint { reads: 0, writes: bit, commutes: Commutes::Or });
            change(&mut |m| m.words[w as usize] |= bit);
        }
        Instr::FetchAdd(w, value) => {
            access(w, Footprint::RMW);
            remember(&|m| m.words[w as usize]);
            change(&mut |m| m.words[w as usize] += value);
        }
        Instr::Update(w, rule) => {
            let op = Op::new(Kind::Access(Footprint::RMW), word(w));
            let outcome = update_loop(op, || {
                let now = &mut memory.lock().unwrap().words[w as usize];
                rule.apply(*now).map(|new| std::mem::replace(now, new)).ok_or(*now)
            });
            remember(&|_| told_of(outcome));
        }
        Instr::Loop(w, rule, retries) => {
            let outcome = loop_by_hand(w, rule, retries, memory);
            remember(&|_| told_of(outcome));
        }
        Instr::PassAndWrite(l, w, value) => {
            let op = Op::new(Kind::Access(Footprint::WRITE), word(w));
            announce(Op { passes: Passes::of([Some(lock(l)), None]), ..op });
            change(&mut |m| m.words[w as usize] = value);
        }
        Instr::Await(..) | Instr::AwaitAdd(..) => wait_for(instr, me, memory),
        _ => synchronize(instr, me, memory),
    }
}

fn wait_for(instr: Instr, me: usize, memory: &Mutex<Memory>) {
    let remember = |f: &dyn Fn(&Memory) -> u64| remember(memory, me, f);
    match instr {
        Instr::Await(w, until) => {
            let reads = looked_at(until);
            let footprint = Footprint { reads, ..Footprint::default() };
            announce(Op::new(Kind::Await(footprint, until), word(w)));
            remember(&|m| m.words[w as usize] & reads);
        }
        Instr::AwaitAdd(w, until, value) => {
            announce(Op::new(Kind::Await(Footprint::RMW, until), word(w)));
            remember(&|m| m.words[w as usize]);
            change(memory, |m: &mut Memory| m.words[w as usize] += value);
        }
        _ => unreachable!("no wait for a value: {instr:?}"),
    }
}

/// The bits that a wait looks at.
fn looked_at(until: Until) -> u64 {
    match until {
        Until::Equals(_) | Until::Differs(_) => !0,
        Until::Clear(mask) | Until::Set(mask) => mask,
    }
}

thread_local! {
    /// The memory of the execution that runs on this thread.
    static NOW: RefCell<Arc<Mutex<Memory>>> = RefCell::default();
    /// See [`How::places`].
    static PLACES: RefCell<Places> = const { RefCell::new([None; 4]) };
}

/// Begins an execution of a program of so many tasks.
pub fn begin(memory: &Arc<Mutex<Memory>>, tasks: usize) {
    *memory.lock().unwrap() =
        Memory { words: vec![0; WORDS as usize], logs: vec![Vec::new(); tasks] };
    NOW.set(memory.clone());
    values(|word| NOW.with_borrow(|now| now.lock().unwrap().words[word.0 as usize]));
}

/// Steps that are not about a word.
fn synchronize(instr: Instr, me: usize, memory: &Mutex<Memory>) {
    match instr {
        Instr::Lock(l) => announce(Op::new(Kind::Lock, lock(l))),
        Instr::LockPassing(l, passed) => {
            let op = Op::new(Kind::Lock, lock(l));
            announce(Op { passes: Passes::of([Some(lock(passed)), Some(lock(l))]), ..op });
        }
        Instr::Unlock(l) => announce(Op::new(Kind::Unlock, lock(l))),
        Instr::Try(l) => {
            let won = try_lock(here(Op::new(Kind::TryLock, lock(l))));
            remember(memory, me, |_| u64::from(won));
            if won {
                announce(Op::new(Kind::Unlock, lock(l)));
            }
        }
        Instr::Wait(t, consume) => announce(Op::new(Kind::Wait { consume }, token(t))),
        Instr::WaitPassing(l, t, consume) => {
            let op = Op::new(Kind::Wait { consume }, token(t));
            announce(Op { passes: Passes::of([Some(lock(l)), None]), ..op });
        }
        Instr::Wake(t) => announce(Op::new(Kind::Wake, token(t))),
        Instr::Choose => {
            let chosen = choose(2);
            remember(memory, me, |_| u64::from(chosen));
        }
        _ => unreachable!("{instr:?} is about a word"),
    }
}

struct Watch {
    seen: Rc<RefCell<Seen>>,
    memory: Arc<Mutex<Memory>>,
    executions_max: usize,
}

impl Observer for Watch {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        let mut seen = self.seen.borrow_mut();
        if *end == End::SleepSetBlocked {
            return Next::Continue;
        }
        seen.executions += 1;
        let deadlock = match end {
            End::Complete => false,
            End::Deadlock(_) => true,
            End::Visited => return Next::Continue,
            other => {
                seen.bad = Some(format!("{other:?}"));
                return Next::Stop;
            }
        };
        seen.deadlocks += usize::from(deadlock);
        let memory = self.memory.lock().unwrap();
        let key = (deadlock, memory.logs.clone(), memory.words.clone());
        *seen.finals.entry(key).or_default() += 1;
        if seen.executions > self.executions_max { Next::Stop } else { Next::Continue }
    }
}

/// Does the program have one of the two things with which an execution can be in vain
/// (`Results::sleep_set_blocked`)? A step that may do less than announced, about a word of which
/// others use a part; or a choice, and a step that can be blocked for good.
pub fn may_be_in_vain(program: &[Vec<Instr>]) -> bool {
    use Instr::*;
    let any = |is: fn(&Instr) -> bool| program.iter().flatten().any(is);
    let parts =
        any(|i| matches!(i, ReadHalf(..) | WriteHalf(..) | SetBit(..) | Flag(..) | Put(..)));
    let waits = any(|i| matches!(i, Wait(..) | WaitPassing(..) | Await(..) | AwaitAdd(..)));
    let blocks = waits || any(|i| matches!(i, Lock(_) | LockPassing(..) | PassAndWrite(..)));
    let less =
        |i: &Instr| matches!(i, Update(_, Rule::IncrementBelow(_)) | Loop(..) | Flag(..) | Put(..));
    (any(less) && parts) || (any(|i| *i == Choose) && blocks)
}

/// Does the program have steps that pass locks? Then there may be fewer executions than traces:
/// a step and a section that touch nothing in common need not come in both orders.
pub fn passes_locks(program: &[Vec<Instr>]) -> bool {
    use Instr::*;
    let passes = |i: &Instr| matches!(i, LockPassing(..) | WaitPassing(..) | PassAndWrite(..));
    program.iter().flatten().any(passes)
}

/// How a program is run.
#[derive(Clone, Copy)]
pub struct How {
    pub told: Told,
    /// It is given up after so many executions.
    pub executions_max: usize,
    /// So many of the first tasks are spawned as twins, with the symmetry reduced.
    pub twins: usize,
    /// Of each task, the lock that all of its steps pass: its processor.
    pub places: Places,
}

/// See [`How::places`].
pub type Places = [Option<u32>; 4];

impl How {
    pub const PLAINLY: How =
        How { told: Told::Observations, executions_max: usize::MAX, twins: 0, places: [None; 4] };
}

/// Runs the program under the scheduler that `make` makes, to its end or until it is given up.
pub fn explore<S: Scheduler + 'static>(
    program: &[Vec<Instr>],
    how: How,
    make: impl FnOnce(Box<dyn Observer>, Arc<Mutex<Memory>>) -> S,
) -> Seen {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let memory = Arc::new(Mutex::new(Memory::default()));
    let executions_max = how.executions_max;
    put_on_processors(how.places);
    let watch = Watch { seen: seen.clone(), memory: memory.clone(), executions_max };
    let scheduler = make(Box::new(watch), memory.clone());
    let program: Arc<[Vec<Instr>]> = program.into();
    run(scheduler, STACK, move || {
        begin(&memory, program.len());
        let (memory, tasks) = (memory.clone(), program.clone());
        let body = move || {
            // Where it keeps its log, and, of tasks that are alike, what all of them do.
            let me = me() - 1;
            for (position, &instr) in tasks[me].iter().enumerate() {
                execute(instr, me, &memory);
                if how.told == Told::Rests {
                    at_rest(position as u64);
                }
            }
        };
        let twins = spawn_twins(&vec!["twin"; how.twins], REDUCED, body.clone());
        let others: Vec<usize> =
            (how.twins..program.len()).map(|_| spawn("task", body.clone())).collect();
        twins.join();
        others.into_iter().for_each(join);
    });
    put_on_processors([None; 4]);
    let seen = seen.take();
    assert!(seen.bad.is_none(), "{:?}", seen.bad);
    seen
}

pub fn dpor(program: &[Vec<Instr>]) -> Seen {
    dpor_of(program, How::PLAINLY)
}

pub fn dpor_of(program: &[Vec<Instr>], how: How) -> Seen {
    let mut blocked = None;
    let seen = explore(program, how, |observer, _| {
        let dpor = Dpor::new(observer, STEPS_MAX).remembering_traces();
        blocked = Some(dpor.results());
        dpor
    });
    let results = blocked.expect("made");
    assert!(results.complete());
    Seen { redundant: (results.sleep_set_blocked(), results.repeated_traces()), ..seen }
}

/// One execution for each trace, without looking for races.
pub fn sleep_sets(program: &[Vec<Instr>]) -> Seen {
    sleep_sets_of(program, How::PLAINLY)
}

pub fn sleep_sets_of(program: &[Vec<Instr>], how: How) -> Seen {
    explore(program, how, |observer, _| SleepSets::new(observer, STEPS_MAX))
}

/// `None`: it takes more than so many executions.
pub fn plain_dfs(program: &[Vec<Instr>], executions_max: usize) -> Option<Seen> {
    plain_dfs_of(program, How { executions_max, ..How::PLAINLY })
}

/// `None`: it takes too many executions.
pub fn plain_dfs_of(program: &[Vec<Instr>], how: How) -> Option<Seen> {
    let make = |observer, _| PlainDfs::new(observer, STEPS_MAX, None);
    let seen = explore(program, how, make);
    (seen.executions <= how.executions_max).then_some(seen)
}

/// Every schedule with at most so many preemptions.
pub fn plain_dfs_within(program: &[Vec<Instr>], preemptions: u32) -> Seen {
    let make = |observer, _| PlainDfs::new(observer, STEPS_MAX, Some(preemptions));
    explore(program, How::PLAINLY, make)
}

/// Every trace that one of these has.
pub fn bounded(program: &[Vec<Instr>], preemptions: u32) -> Seen {
    let make = |observer, _| Bounded::new(observer, STEPS_MAX, preemptions);
    explore(program, How::PLAINLY, make)
}

/// The search over states, and how many there are.
pub fn stateful(program: &[Vec<Instr>], told: Told) -> (Seen, u64) {
    stateful_of(program, How { told, ..How::PLAINLY })
}

pub fn stateful_of(program: &[Vec<Instr>], how: How) -> (Seen, u64) {
    let mut states = None;
    let seen = explore(program, how, |observer, memory| {
        let shared = move |hash: &mut StateHash| {
            let memory = memory.lock().unwrap();
            memory.words.hash(hash);
            // What tasks have seen is looked at in the end.
            memory.logs.hash(hash);
        };
        let stateful = Stateful::new(observer, STEPS_MAX, shared);
        states = Some(stateful.results());
        stateful
    });
    let states = states.expect("made");
    assert!(states.complete());
    (seen, states.states())
}
