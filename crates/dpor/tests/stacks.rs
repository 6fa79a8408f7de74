//! What becomes of tasks that have not ended when their execution does: they are unwound, or, where
//! their frames cannot be, left without being dropped; and the search goes on either way.

use std::cell::{Cell, RefCell};
use std::panic::{catch_unwind, resume_unwind};
use std::process::Command;
use std::rc::Rc;

use dpor::{
    Counts, End, Footprint, Kind, Next, Object, Observer, Op, PlainDfs, Search, SleepSets, Split,
    Step, Unwinding, Worker, join, never_unwind, run, spawn, step,
};

thread_local! {
    static MADE: Cell<u32> = const { Cell::new(0) };
    static DROPPED: Cell<u32> = const { Cell::new(0) };
    static DEADLOCKS: Cell<u32> = const { Cell::new(0) };
}

struct Owned;

impl Drop for Owned {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

struct Nothing;

impl Observer for Nothing {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        assert!(matches!(end, End::Deadlock(_)), "{end:?}");
        DEADLOCKS.set(DEADLOCKS.get() + 1);
        Next::Continue
    }
}

impl Worker for Nothing {
    type Findings = ();

    fn submit(&mut self) {}

    fn submit_panic(&mut self, panic: Box<dyn std::any::Any + Send>) {
        resume_unwind(panic);
    }
}

/// `n` tasks write one word and wait for ever, in n! orders. How many executions; how often what a
/// task owns was dropped.
fn waiting_for_ever(n: u32, is_unwound: bool) -> (u64, u32) {
    let search = Search {
        workers: 1,
        split: Split::default(),
        steps_max: 100,
        executions_max: u64::MAX,
        stack: 0x8000,
        remembers_traces: false,
    };
    DROPPED.set(0);
    DEADLOCKS.set(0);
    let body = move || wait_for_ever(n, is_unwound);
    let counts = search.run(std::sync::Arc::new(body), || Nothing, |(), _: &Counts| {});
    assert!(counts.complete);
    assert_eq!(u64::from(DEADLOCKS.get()), counts.executions);
    (counts.executions, DROPPED.get())
}

fn wait_for_ever(n: u32, is_unwound: bool) {
    if !is_unwound {
        never_unwind();
    }
    let task = || {
        let _owned = Owned;
        step(Op::new(Kind::Access(Footprint::RMW), Object(0)));
        step(Op::new(Kind::Wait { consume: false }, Object(1)));
    };
    let tasks: Vec<usize> = (0..n).map(|_| spawn("task", task)).collect();
    tasks.into_iter().for_each(join);
}

/// The same on shuttle's coroutines, in every order of steps.
fn waiting_for_ever_on_shuttle(is_unwound: bool) -> (u32, u32) {
    DROPPED.set(0);
    DEADLOCKS.set(0);
    let every_order = PlainDfs::new(Box::new(Nothing), 100, None);
    run(every_order, 0x8000, move || wait_for_ever(3, is_unwound));
    (DEADLOCKS.get(), DROPPED.get())
}

#[test]
fn what_has_not_ended_is_unwound() {
    assert_eq!(waiting_for_ever(3, true), (6, 18));
}

#[test]
fn what_cannot_be_unwound_is_not_dropped() {
    assert_eq!(waiting_for_ever(3, false), (6, 0));
}

#[test]
fn shuttles_tasks_that_have_not_ended_are_unwound() {
    let (deadlocks, dropped) = waiting_for_ever_on_shuttle(true);
    assert!(deadlocks > 6);
    assert_eq!(dropped, 3 * deadlocks);
    assert_eq!(waiting_for_ever_on_shuttle(false), (deadlocks, 0));
}

/// Who searches is told of the panic, and of no execution; what the tasks own is dropped.
#[test]
fn a_panic_of_one_of_shuttles_tasks_ends_the_search() {
    DROPPED.set(0);
    DEADLOCKS.set(0);
    let search = || {
        run(PlainDfs::new(Box::new(Nothing), 100, None), 0x8000, || {
            let _owned = Owned;
            spawn("waits", || {
                let _owned = Owned;
                step(Op::new(Kind::Wait { consume: false }, Object(1)));
            });
            let task = spawn("panics", || {
                let _owned = Owned;
                step(Op::new(Kind::Access(Footprint::RMW), Object(0)));
                resume_unwind(Box::new("a panic of the program"));
            });
            join(task);
        });
    };
    let panic = catch_unwind(search).expect_err("the program panics");
    assert_eq!(panic.downcast_ref(), Some(&"a panic of the program"));
    assert_eq!((DEADLOCKS.get(), DROPPED.get()), (0, 3));
    // The next search on this thread knows nothing of it.
    assert!(waiting_for_ever_on_shuttle(true).0 > 6);
    assert_eq!(waiting_for_ever(3, true), (6, 18));
}

struct Ends(Rc<RefCell<Vec<End>>>);

impl Observer for Ends {
    fn execution_ended(&mut self, end: &End, _: &[Step]) -> Next {
        self.0.borrow_mut().push(end.clone());
        Next::Continue
    }
}

/// Three tasks that have nothing to do with each other: of all orders one is run to its end.
fn independent() {
    let task = |number: u32| {
        move || {
            MADE.set(MADE.get() + 1);
            let _owned = Owned;
            step(Op::new(Kind::Access(Footprint::RMW), Object(number)));
        }
    };
    let tasks: Vec<usize> = (0..3).map(|number| spawn("task", task(number))).collect();
    tasks.into_iter().for_each(join);
}

/// A search that gives most of its executions up keeps nothing of them, and is the same search on
/// shuttle's coroutines.
#[test]
fn what_is_given_up_is_unwound() {
    let search = || {
        let ends = Rc::<RefCell<Vec<End>>>::default();
        (ends.clone(), SleepSets::new(Box::new(Ends(ends)), 100))
    };
    let (ends, sleep_sets) = search();
    MADE.set(0);
    DROPPED.set(0);
    sleep_sets.run_unwinding(0x8000, independent);
    let given_up = ends.borrow().iter().filter(|end| **end == End::SleepSetBlocked).count();
    assert_eq!(ends.borrow().len() - given_up, 1);
    assert!(given_up > 1);
    assert_eq!(DROPPED.get(), MADE.get());
    let (on_shuttle, sleep_sets) = search();
    run(sleep_sets, 0x8000, independent);
    assert_eq!(ends, on_shuttle);
}

/// shuttle would say on stderr in which task it was.
#[test]
fn a_panic_is_told_to_who_searches_alone() {
    let tests = std::env::current_exe().expect("the tests have a file");
    let test = "stacks::a_panic_of_one_of_shuttles_tasks_ends_the_search";
    let run = Command::new(tests).args(["--exact", test, "--no-capture"]).output();
    let run = run.expect("the tests can be run");
    assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"), "{run:?}");
    assert_eq!(String::from_utf8_lossy(&run.stderr), "");
}

/// Stacks are areas of memory, of which a process may have 65,530.
#[test]
fn stacks_that_are_not_unwound_are_used_again() {
    let before = areas();
    assert_eq!(waiting_for_ever(6, false), (720, 0));
    assert!(areas() < before + 100, "{} areas of memory, {before} before", areas());
}

/// How many areas of memory this process has; 0 where nobody can say.
fn areas() -> usize {
    std::fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count())
}
