//! Execution graphs against interleavings, on random programs. `PROPTEST_CASES` sets how many.
//!
//! Under sequential consistency `graph-sc` and `dpor` share no code but the gate: they must reach
//! the same final states, and deadlock alike. The kernel's model allows all of that, and no more if
//! there is a full barrier between any two steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use selvedge_explore::{
    Access, Body, Bounds, Engine, If, Lock, Place, Rmw, Token, Verdict, Word, choose, explore,
    fence, join, spawn,
};
use selvedge_trace::{Action, Context, Execution, Finding, Monitor, Name, Order, Rule};

#[derive(Clone, Debug)]
enum Do {
    Read(usize, Order),
    Write(usize, u64, Order),
    Update(usize, Rmw, Order),
    /// Nobody looks at what was there.
    UpdateVoid(usize, Rmw),
    UpdateIf(usize, If, Rmw, Order),
    Fence(&'static str, Order),
    Locked(usize, Vec<Do>),
    Wake(usize),
    Wait(usize, bool),
    Choose(usize),
}

type Program = Vec<Vec<Do>>;
/// What the tasks read, task by task, and then the words at the end.
type Outcomes = BTreeSet<Vec<u64>>;

const WORDS: usize = 2;
const LOCKS: usize = 2;
const TOKENS: usize = 1;
const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };

struct Shared {
    words: Vec<Word>,
    locks: Vec<Lock>,
    tokens: Vec<Token>,
    reads: Mutex<Vec<Vec<u64>>>,
}

impl Shared {
    fn new(tasks: usize) -> Shared {
        let lock = |i| {
            let lock = Lock::new(Name::new("lock").nth(i));
            // One of each kind.
            if i == 0 { lock.ordering_others() } else { lock }
        };
        Shared {
            words: (0..WORDS).map(|i| Word::new(Name::new("word").nth(i), 0)).collect(),
            locks: (0..LOCKS).map(lock).collect(),
            tokens: (0..TOKENS).map(|i| Token::new(Name::new("token").nth(i))).collect(),
            reads: Mutex::new(vec![Vec::new(); tasks]),
        }
    }

    fn take(&self, me: usize, step: &Do) {
        let access = |order| Access::relaxed("access").order(order);
        let read = match *step {
            Do::Read(w, order) => self.words[w].load(access(order)),
            Do::Update(w, change, order) => self.words[w].update(change, access(order)),
            Do::UpdateIf(w, condition, change, order) => {
                match self.words[w].update_if(condition, change, access(order)) {
                    Ok(old) => old,
                    Err(old) => 100 + old,
                }
            }
            Do::Choose(n) => u64::from(choose("which", n as u32)),
            Do::Write(w, value, order) => return self.words[w].store(value, access(order)),
            Do::UpdateVoid(w, change) => {
                return self.words[w].update_void(change, Access::relaxed("access"));
            }
            Do::Fence(primitive, order) => return fence(primitive, order),
            Do::Wake(t) => return self.tokens[t].wake("wake"),
            Do::Wait(t, consume) => return self.tokens[t].wait("wait", consume),
            Do::Locked(l, ref steps) => {
                self.locks[l].lock("lock");
                steps.iter().for_each(|step| self.take(me, step));
                return self.locks[l].unlock("unlock");
            }
        };
        self.reads.lock().unwrap()[me].push(read);
    }
}

/// Who runs where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tasks {
    /// All on one CPU, which keeps none of them from running.
    Free,
    /// The first runs on CPU0. The last is an interrupt there: it begins between two steps of the
    /// first, which goes on when it has ended.
    Interrupted,
}

impl Tasks {
    fn place(self, me: usize, last: usize, irq: &Lock) -> Place {
        match self {
            Tasks::Free => HERE,
            Tasks::Interrupted if me == 0 => Place { passes: [None, Some(irq.object())], ..HERE },
            Tasks::Interrupted if me == last => Place { context: Context::Irq, ..HERE },
            Tasks::Interrupted => Place { cpu: Some(me), ..HERE },
        }
    }

    fn run(self, place: Place, irq: &Lock, take: impl FnOnce()) {
        if place.context != Context::Irq {
            return take();
        }
        irq.lock("irq_enter");
        take();
        irq.unlock("irq_exit");
    }
}

fn body(program: &Program, how: Tasks, outcomes: Arc<Mutex<Outcomes>>) -> Body {
    let program = Arc::new(program.clone());
    Arc::new(move || {
        let shared = Arc::new(Shared::new(program.len()));
        let irq = Arc::new(Lock::new(Name::new("irq")));
        let tasks: Vec<usize> = (0..program.len())
            .map(|me| {
                let place = how.place(me, program.len() - 1, &irq);
                let (program, shared, irq) = (program.clone(), shared.clone(), irq.clone());
                spawn("task", place, move || {
                    let take = || program[me].iter().for_each(|step| shared.take(me, step));
                    how.run(place, &irq, take);
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        let mut outcome = shared.reads.lock().unwrap().concat();
        outcome.extend(shared.words.iter().map(Word::peek));
        outcomes.lock().unwrap().insert(outcome);
    })
}

const IN_ORDER: Rule = Rule("each step finds what the one before it left");

/// Looks whether the record is in the order of an interleaving.
struct Reader;

impl Monitor for Reader {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        use Action::{Read, Update, UpdateFailed, Write};
        let mut words = BTreeMap::new();
        for (place, event) in execution.events.iter().enumerate() {
            if matches!(event.action, Read | Write | Update | UpdateFailed) {
                let newest = words.insert(event.object, event.new).unwrap_or(0);
                if event.old != newest || event.stale {
                    let message = format!("{} is {newest}, not {}", event.name, event.old);
                    return Some(Finding { rule: IN_ORDER, message, event: Some(place) });
                }
            }
        }
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Reader)
    }
}

/// The final states, or that it deadlocks. The record of an interleaving is looked at.
fn run(engine: Engine, workers: usize, program: &Program) -> (Verdict, Outcomes) {
    run_as(Tasks::Free, engine, workers, program)
}

fn run_as(how: Tasks, engine: Engine, workers: usize, program: &Program) -> (Verdict, Outcomes) {
    let outcomes: Arc<Mutex<Outcomes>> = Arc::default();
    let bounds = Bounds { workers, ..Bounds::PROOF };
    let monitors: Vec<Box<dyn Monitor>> = match engine {
        Engine::GraphSc => vec![Box::new(Reader)],
        _ => Vec::new(),
    };
    let seen = explore(engine, &bounds, monitors, body(program, how, outcomes.clone()));
    let rule = seen.counterexample.map(|found| found.rule);
    assert_ne!(rule.as_deref(), Some(IN_ORDER.0));
    let is_whole = seen.verdict == Verdict::Holds;
    let outcomes = std::mem::take(&mut *outcomes.lock().unwrap());
    // A search that ends at the first violation has seen as much as it happened to see.
    (seen.verdict, if is_whole { outcomes } else { Outcomes::new() })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Relaxed), Just(Order::Acquire), Just(Order::Release), Just(Order::Full)]
}

fn change() -> impl Strategy<Value = Rmw> {
    prop_oneof![
        (1..3u64).prop_map(Rmw::Add),
        (1..4u64).prop_map(Rmw::Or),
        (0..3u64).prop_map(|mask| Rmw::And(!mask)),
        (1..4u64).prop_map(Rmw::Xor),
        (1..4u64).prop_map(Rmw::Swap),
    ]
}

fn condition() -> impl Strategy<Value = If> {
    prop_oneof![
        (0..2u64).prop_map(If::Equals),
        (0..2u64).prop_map(If::Differs),
        (1..4u64).prop_map(If::Clear),
    ]
}

fn access() -> impl Strategy<Value = Do> {
    let word = || 0..WORDS;
    let load = prop_oneof![Just(Order::Relaxed), Just(Order::Acquire)];
    let store = prop_oneof![Just(Order::Relaxed), Just(Order::Release)];
    prop_oneof![
        3 => (word(), load).prop_map(|(w, order)| Do::Read(w, order)),
        3 => (word(), 1..3u64, store).prop_map(|(w, value, order)| Do::Write(w, value, order)),
        1 => (word(), change(), order()).prop_map(|(w, by, order)| Do::Update(w, by, order)),
        1 => (word(), change()).prop_map(|(w, by)| Do::UpdateVoid(w, by)),
        1 => (word(), condition(), change(), order())
            .prop_map(|(w, when, by, order)| Do::UpdateIf(w, when, by, order)),
    ]
}

fn step() -> impl Strategy<Value = Do> {
    let barrier = prop_oneof![
        Just(Do::Fence("smp_mb", Order::Full)),
        Just(Do::Fence("smp_rmb", Order::Acquire)),
        Just(Do::Fence("smp_wmb", Order::Release)),
        Just(Do::Fence("smp_mb__after_atomic", Order::Full)),
        Just(Do::Fence("smp_mb__after_spinlock", Order::Full)),
    ];
    let token = || 0..TOKENS;
    prop_oneof![
        6 => access(),
        1 => barrier,
        2 => (0..LOCKS, prop::collection::vec(access(), 0..=2)).prop_map(|(l, s)| Do::Locked(l, s)),
        1 => token().prop_map(Do::Wake),
        1 => (token(), any::<bool>()).prop_map(|(t, consume)| Do::Wait(t, consume)),
        1 => Just(Do::Choose(2)),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    prop_oneof![
        prop::collection::vec(prop::collection::vec(step(), 1..=4), 2..=2),
        prop::collection::vec(prop::collection::vec(step(), 1..=2), 3..=3),
    ]
}

/// A full barrier before each step.
fn fenced(program: &Program) -> Program {
    fn steps(plain: &[Do]) -> Vec<Do> {
        let fence = || Do::Fence("smp_mb", Order::Full);
        let mut all = Vec::new();
        for step in plain {
            all.push(fence());
            all.push(match step {
                Do::Locked(lock, inner) => {
                    let mut inner = steps(inner);
                    inner.push(fence());
                    Do::Locked(*lock, inner)
                }
                step => step.clone(),
            });
        }
        all
    }
    program.iter().map(|task| steps(task)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sequentially_consistent_graphs_end_like_interleavings(program in program()) {
        let dpor = run(Engine::Dpor, 1, &program);
        prop_assert_eq!(run(Engine::GraphSc, 1, &program), dpor);
    }

    #[test]
    fn the_kernels_model_allows_what_sequential_consistency_does(program in program()) {
        let (sc, weak) = (run(Engine::GraphSc, 1, &program), run(Engine::Graph, 1, &program));
        if weak.0 == Verdict::Holds {
            prop_assert_eq!(sc.0, Verdict::Holds);
            prop_assert!(sc.1.is_subset(&weak.1), "{:?}", sc.1.difference(&weak.1));
        }
    }

    #[test]
    fn full_barriers_everywhere_leave_nothing_weak(program in program()) {
        let program = fenced(&program);
        prop_assert_eq!(run(Engine::Graph, 1, &program), run(Engine::Dpor, 1, &program));
    }

    #[test]
    fn an_interrupt_comes_between_two_steps_of_its_cpu(
        program in prop::collection::vec(prop::collection::vec(access(), 1..=3), 2..=3),
    ) {
        let [dpor, graph] = [Engine::Dpor, Engine::GraphSc]
            .map(|engine| run_as(Tasks::Interrupted, engine, 1, &program));
        prop_assert_eq!(graph, dpor);
    }

    #[test]
    fn two_workers_find_what_one_finds(program in program()) {
        prop_assert_eq!(run(Engine::Graph, 2, &program), run(Engine::Graph, 1, &program));
    }
}

/// Two tasks wait for one token, and each takes it away: whoever comes second is woken by nobody,
/// if it is the one who would have set it again. That this one did so before in the execution that
/// is looked at does not order the two waits.
#[test]
fn a_wait_can_come_before_another_that_took_the_token_first() {
    let program: Program =
        vec![vec![Do::Wait(0, true)], vec![Do::Wake(0), Do::Wait(0, true), Do::Wake(0)]];
    for engine in Engine::ALL {
        assert_eq!(run(engine, 1, &program).0, Verdict::Violated, "{engine}");
    }
}

/// In a scenario with interrupts a step takes effect before its task has given back what keeps
/// those off. Who reads what it wrote in between is shown after it.
#[test]
fn who_reads_what_a_step_wrote_is_shown_after_it() {
    let read = || vec![Do::Read(0, Order::Relaxed)];
    let program: Program = vec![vec![Do::Write(0, 1, Order::Relaxed)], read(), read()];
    let seen = run_as(Tasks::Interrupted, Engine::GraphSc, 1, &program);
    assert_eq!((seen.0, seen.1.len()), (Verdict::Holds, 4));
}
