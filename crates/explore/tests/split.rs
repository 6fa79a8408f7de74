//! A search that several threads do together comes to what one thread comes to: the verdict, the
//! counts, the counterexample, what the monitors have kept.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use selvedge_explore::{
    Access, Body, Bounds, Engine, Exchange, Exploration, Lock, Place, Verdict, Word, explore, fail,
    join, spawn,
};
use selvedge_trace::{Action, Context, Execution, Finding, Monitor, Name, Rule};
use serde_json::Value;

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const NOT_THIS_ORDER: Rule = Rule("the tasks do not come in this order");
const COUNTED: Rule = Rule("executions are counted");
const TASKS: u64 = 7;
/// 7!: so many that the search is split.
const ORDERS: u64 = 5_040;

/// Tasks take a lock and write down who they are. It is not to be this order.
fn in_turn(not: Option<u64>) -> Body {
    Arc::new(move || {
        let lock = Arc::new(Lock::new(Name::new("lock")));
        let order = Arc::new(Word::new(Name::new("order"), 0));
        let task = |number: u64| {
            let (lock, order) = (lock.clone(), order.clone());
            spawn("task", HERE, move || {
                lock.lock("lock");
                let before = order.load(Access::relaxed("read"));
                order.store(8 * before + number, Access::relaxed("write"));
                lock.unlock("unlock");
            })
        };
        let tasks: Vec<_> = (1..=TASKS).map(task).collect();
        tasks.into_iter().for_each(join);
        if Some(order.load(Access::relaxed("read"))) == not {
            fail(NOT_THIS_ORDER, "it is this order");
        }
    })
}

/// The tasks from the last to the first.
fn backwards() -> u64 {
    (1..=TASKS).rev().fold(0, |order, number| 8 * order + number)
}

/// Counts executions, and says how many there were.
#[derive(Default)]
struct Count(u64);

impl Monitor for Count {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Count>::default()
    }

    fn take_over(&mut self, later: Box<dyn Monitor>) {
        let later: Box<dyn Any> = later;
        self.0 += later.downcast::<Count>().expect("of the same kind").0;
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        assert!(execution.events.iter().any(|event| event.action == Action::Lock));
        self.0 += 1;
        None
    }

    fn kept(&self) -> Option<Value> {
        Some(self.0.into())
    }

    fn restore(&mut self, kept: Value) -> bool {
        kept.as_u64().is_some_and(|count| {
            self.0 = count;
            true
        })
    }

    fn exploration_ended(&mut self) -> Option<(Finding, String)> {
        let finding = Finding { rule: COUNTED, message: "counted".into(), event: None };
        Some((finding, self.0.to_string()))
    }
}

fn by(
    workers: usize,
    bounds: &Bounds,
    monitors: Vec<Box<dyn Monitor>>,
    body: &Body,
) -> Exploration {
    let bounds = Bounds { workers, ..bounds.clone() };
    let mut seen = explore(Engine::Dpor, &bounds, monitors, body.clone());
    seen.elapsed = Default::default();
    seen
}

fn assert_same(one: &Exploration, other: &Exploration) {
    assert_eq!(format!("{one:?}"), format!("{other:?}"));
}

#[test]
fn a_search_that_holds_is_the_same_for_any_number_of_workers() {
    let one = by(1, &Bounds::PROOF, Vec::new(), &in_turn(None));
    assert_eq!((&one.verdict, one.executions), (&Verdict::Holds, ORDERS));
    for workers in [2, 5] {
        assert_same(&by(workers, &Bounds::PROOF, Vec::new(), &in_turn(None)), &one);
    }
}

#[test]
fn the_counterexample_is_the_same_for_any_number_of_workers() {
    let body = in_turn(Some(backwards()));
    let one = by(1, &Bounds::PROOF, Vec::new(), &body);
    assert_eq!(one.verdict, Verdict::Violated);
    let found = one.counterexample.as_ref().expect("one");
    assert_eq!(found.rule, NOT_THIS_ORDER.0);
    // Late enough that several threads were searching.
    assert!((4_097..=ORDERS).contains(&one.executions), "{}", one.executions);
    for workers in [2, 3, 4] {
        assert_same(&by(workers, &Bounds::PROOF, Vec::new(), &body), &one);
    }
}

#[test]
fn all_violations_are_counted_by_any_number_of_workers() {
    let all = Bounds { keep_going: true, ..Bounds::PROOF };
    for workers in [1, 3] {
        let seen = by(workers, &all, Vec::new(), &in_turn(Some(backwards())));
        let violations = seen.violations.expect("counted");
        assert_eq!((violations.executions, &violations.cut), (ORDERS, &None));
        let [only] = &violations.distinct[..] else { panic!("{violations:?}") };
        assert_eq!((only.rule, only.executions), (NOT_THIS_ORDER, 1));
    }
}

#[test]
fn what_monitors_keep_is_put_together() {
    for workers in [1, 3] {
        let seen = by(workers, &Bounds::PROOF, vec![Box::<Count>::default()], &in_turn(None));
        assert_eq!(seen.evidence.as_deref(), Some("counted\n5040"));
    }
}

#[test]
fn a_search_that_is_cut_is_cut_in_the_same_place() {
    let cut = Bounds { executions_max: 4_500, ..Bounds::PROOF };
    for workers in [1, 3] {
        let seen = by(workers, &cut, Vec::new(), &in_turn(None));
        assert_eq!(seen.executions, 4_500);
        assert_eq!(seen.verdict.bound(), Some("the limit of 4500 executions"));
    }
}

/// Panics in the threads that the search has started, for which the calling one waits.
fn panics_elsewhere(elsewhere: &AtomicBool, calling: ThreadId, executions: u64) {
    if std::thread::current().id() != calling {
        elsewhere.store(true, Relaxed);
        panic!("enough");
    }
    // The calling thread has run 4,096 before it starts others.
    let patience = Instant::now();
    while executions > 4_200 && !elsewhere.load(Relaxed) && patience.elapsed().as_secs() < 60 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_panic_in_another_thread_is_a_verdict_and_names_its_place() {
    let elsewhere = Arc::new(AtomicBool::new(false));
    let calling = std::thread::current().id();
    let (order, flag, executions) = (in_turn(None), elsewhere.clone(), AtomicU64::new(0));
    let body: Body = Arc::new(move || {
        order();
        panics_elsewhere(&flag, calling, executions.fetch_add(1, Relaxed));
    });
    let seen = by(2, &Bounds::PROOF, Vec::new(), &body);
    assert!(elsewhere.load(Relaxed), "nobody else took part");
    let Verdict::Undecided(why) = &seen.verdict else { panic!("{:?}", seen.verdict) };
    assert!(why.contains("enough at ") && why.contains("split.rs:"), "{why}");
}

/// What processes write and read, of which this is one.
#[derive(Default)]
struct Board {
    texts: Arc<Mutex<HashMap<String, String>>>,
    number: usize,
    /// How many texts it has taken from others.
    taken: AtomicU64,
}

impl Board {
    const JOBS: usize = 3;

    fn beside(&self, number: usize) -> Arc<Board> {
        Arc::new(Board { texts: self.texts.clone(), number, ..Board::default() })
    }

    fn texts(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.texts.lock().expect("not poisoned")
    }
}

impl Exchange for Board {
    fn is_mine(&self, part: usize) -> bool {
        part % Board::JOBS == self.number
    }

    fn get(&self, name: &str) -> Option<String> {
        let text = self.texts().get(name).cloned();
        self.taken.fetch_add(u64::from(text.is_some()), Relaxed);
        text
    }

    fn put(&self, name: &str, text: &str) {
        self.texts().insert(name.into(), text.into());
    }
}

/// What each of three processes comes to, and how much it took from the others.
fn together(
    bounds: &Bounds,
    monitors: fn() -> Vec<Box<dyn Monitor>>,
    body: &Body,
) -> Vec<(Exploration, u64)> {
    let first = Board::default();
    std::thread::scope(|scope| {
        let jobs = (0..Board::JOBS).map(|number| {
            let board = first.beside(number);
            scope.spawn(move || {
                let bounds = Bounds { exchange: Some(board.clone()), ..bounds.clone() };
                let seen = by(1, &bounds, monitors(), body);
                (seen, board.taken.load(Relaxed))
            })
        });
        let jobs: Vec<_> = jobs.collect();
        jobs.into_iter().map(|job| job.join().expect("explored")).collect()
    })
}

#[test]
fn processes_that_search_together_come_to_what_one_comes_to() {
    let counting: fn() -> Vec<Box<dyn Monitor>> = || vec![Box::<Count>::default()];
    let nothing: fn() -> Vec<Box<dyn Monitor>> = Vec::new;
    let all = Bounds { keep_going: true, ..Bounds::PROOF };
    let cut = Bounds { executions_max: 4_500, ..Bounds::PROOF };
    let wrong = in_turn(Some(backwards()));
    // A count over all executions; a counterexample; all violations; a limit.
    let searches = [
        (&Bounds::PROOF, counting, &in_turn(None)),
        (&Bounds::PROOF, nothing, &wrong),
        (&all, nothing, &wrong),
        (&cut, nothing, &in_turn(None)),
    ];
    for (bounds, monitors, body) in searches {
        let alone = by(1, bounds, monitors(), body);
        let found = together(bounds, monitors, body);
        found.iter().for_each(|(seen, _)| assert_same(seen, &alone));
        assert!(found.iter().any(|(_, taken)| *taken > 0), "nobody took anything: {alone:?}");
    }
}

/// Says nothing of what it keeps, as a monitor does by default.
struct Silent(Count);

impl Monitor for Silent {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Silent(Count(0)))
    }

    fn take_over(&mut self, later: Box<dyn Monitor>) {
        let later: Box<dyn Any> = later;
        self.0.0 += later.downcast::<Silent>().expect("of the same kind").0.0;
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        self.0.execution(execution)
    }

    fn exploration_ended(&mut self) -> Option<(Finding, String)> {
        self.0.exploration_ended()
    }
}

#[test]
fn a_search_whose_monitors_do_not_say_what_they_keep_is_not_shared() {
    let board = Board::default().beside(0);
    let bounds = Bounds { exchange: Some(board.clone()), ..Bounds::PROOF };
    let seen = by(1, &bounds, vec![Box::new(Silent(Count(0)))], &in_turn(None));
    assert_eq!(seen.evidence.as_deref(), Some("counted\n5040"));
    assert!(board.texts().is_empty());
}

#[test]
fn a_search_that_is_interrupted_gives_nothing_that_is_cut_to_others() {
    let board = Board::default().beside(0);
    let interrupted = Arc::new(AtomicBool::new(false));
    let (order, of_body) = (in_turn(None), interrupted.clone());
    let body: Body = Arc::new(move || {
        order();
        of_body.store(true, Relaxed);
    });
    let bounds =
        Bounds { exchange: Some(board.clone()), interrupted: Some(interrupted), ..Bounds::PROOF };
    let seen = by(1, &bounds, Vec::new(), &body);
    assert_eq!(seen.verdict.bound(), Some("an interrupt from outside"));
    assert!(board.texts().is_empty());
    // Nor does one that is interrupted while it waits wait.
    let flag = Arc::new(AtomicBool::new(false));
    let (order, executions, of_body) = (in_turn(None), AtomicU64::new(0), flag.clone());
    let body: Body = Arc::new(move || {
        order();
        // In the last of its own parts; those are short of the next look at the clock.
        of_body.store(executions.fetch_add(1, Relaxed) > 4_400, Relaxed);
    });
    let bounds = Bounds { interrupted: Some(flag), ..bounds };
    let seen = by(1, &bounds, Vec::new(), &body);
    assert_eq!(seen.verdict.bound(), Some("an interrupt from outside"));
}

type Seen = (u8, u32, Action, u64, u64, u32);

/// Compares what an execution is said to begin with to what the one before it has shown.
#[derive(Default)]
struct Beginnings {
    last: Vec<Seen>,
    alike: usize,
    /// How many events there were, and how many of them the execution before had too.
    events: usize,
    in_common: usize,
}

impl Monitor for Beginnings {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Beginnings>::default()
    }

    fn begins_alike(&mut self, events: usize) {
        self.alike = events;
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let seen = |e: &selvedge_trace::Event| (e.task, e.object, e.action, e.old, e.new, e.call);
        let now: Vec<Seen> = execution.events.iter().map(seen).collect();
        assert_eq!(now[..self.alike], self.last[..self.alike], "as was said");
        self.events += now.len();
        self.in_common += std::mem::take(&mut self.alike);
        self.last = now;
        None
    }

    fn take_over(&mut self, later: Box<dyn Monitor>) {
        let later: Box<dyn Any> = later;
        let later = later.downcast::<Beginnings>().expect("of the same kind");
        self.events += later.events;
        self.in_common += later.in_common;
    }

    fn exploration_ended(&mut self) -> Option<(Finding, String)> {
        assert!(2 * self.in_common > self.events, "most of an execution is as it was before");
        None
    }
}

#[test]
fn monitors_are_told_with_what_an_execution_begins_as_the_one_before() {
    for workers in [1, 2] {
        let bounds = Bounds { workers, ..Bounds::PROOF };
        let monitors: Vec<Box<dyn Monitor>> = vec![Box::<Beginnings>::default()];
        let seen = explore(Engine::Dpor, &bounds, monitors, in_turn(None));
        assert_eq!((&seen.verdict, seen.executions), (&Verdict::Holds, ORDERS));
    }
}
