//! Counting all violations of a scenario.

use std::sync::Arc;

use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, Lock, Place, Verdict, Violation, Word, enter,
    explore, fail, join, spawn,
};
use selvedge_trace::{Context, Name, Rule};

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const UNSET: Rule = Rule("the word is not set");
const LATE: Rule = Rule("nobody sets the word");
const ALL: Bounds = Bounds { keep_going: true, ..Bounds::PROOF };
const COMPLETE: [Engine; 2] = [Engine::Dpor, Engine::Dfs];

fn word(index: usize) -> Arc<Word> {
    Arc::new(Word::new(Name::new("word").nth(index), 0))
}

fn read(word: &Word) -> u64 {
    word.load(Access::relaxed("read"))
}

fn write(word: &Word, value: u64) {
    word.store(value, Access::relaxed("write"));
}

fn run(engine: Engine, bounds: &Bounds, body: &Body) -> Exploration {
    explore(engine, bounds, Vec::new(), body.clone())
}

fn places(distinct: &[Violation]) -> Vec<(Rule, &str)> {
    let mut places: Vec<_> = distinct.iter().map(|v| (v.rule, v.location.as_str())).collect();
    places.sort();
    places
}

/// Two tasks, in functions of their own, must not see what a third writes.
fn two_readers() -> Body {
    Arc::new(|| {
        let word = word(0);
        let reader = |function: &'static str| {
            let word = word.clone();
            spawn(function, HERE, move || {
                let _in = enter(function);
                if read(&word) == 1 {
                    fail(UNSET, "it is set");
                }
            })
        };
        let readers = [reader("left"), reader("right")];
        write(&word, 1);
        readers.into_iter().for_each(join);
    })
}

/// Each reader sees the write or does not: four traces, of which one breaks no rule.
#[test]
fn a_rule_broken_in_two_places_is_two_violations() {
    let all = run(Engine::Dpor, &ALL, &two_readers()).violations.expect("counted");
    assert_eq!((all.cut, all.executions), (None, 4));
    assert_eq!(places(&all.distinct), [(UNSET, "left: word[0]"), (UNSET, "right: word[0]")]);
    assert_eq!(all.distinct.iter().map(|v| v.executions).sum::<u64>(), 3);
    let plain = run(Engine::Dfs, &ALL, &two_readers()).violations.expect("counted");
    assert_eq!(places(&plain.distinct), places(&all.distinct));
    assert!(plain.cut.is_none() && plain.executions > 4);
}

#[test]
fn the_verdict_and_the_counterexample_are_those_of_the_first_violation() {
    for engine in Engine::ALL {
        let first = run(engine, &Bounds::PROOF, &two_readers());
        let all = run(engine, &ALL, &two_readers());
        assert_eq!((&all.verdict, all.executions), (&first.verdict, first.executions), "{engine}");
        assert_eq!(all.verdict, Verdict::Violated, "{engine}");
        assert_eq!(all.counterexample, first.counterexample, "{engine}");
        assert_eq!(first.violations, None);
        // loom's search ends with its first failure.
        assert_eq!(all.violations.is_none(), engine == Engine::Loom, "{engine}");
    }
}

/// A task fails at once; what another does after a step of its own shows only if that other task
/// goes on nevertheless.
#[test]
fn a_violation_does_not_hide_another() {
    let body: Body = Arc::new(|| {
        let (set, other) = (word(0), word(1));
        let (theirs, unrelated) = (set.clone(), other.clone());
        let first = spawn("first", HERE, move || {
            let _in = enter("first");
            write(&theirs, 1);
            fail(LATE, "it is set now");
        });
        let second = spawn("second", HERE, move || {
            let _in = enter("second");
            write(&unrelated, 1);
            if read(&set) == 0 {
                fail(UNSET, "it was not set");
            }
        });
        join(first);
        join(second);
    });
    for engine in COMPLETE {
        let all = run(engine, &ALL, &body).violations.expect("counted");
        let expected = [(LATE, "first: word[0]"), (UNSET, "second: word[0]")];
        let mut found = places(&all.distinct);
        found.sort_by_key(|(rule, _)| *rule == UNSET);
        assert_eq!(found, expected, "{engine}");
        assert_eq!(all.cut, None, "{engine}");
    }
    // The read comes before the write, or after it.
    assert_eq!(run(Engine::Dpor, &ALL, &body).violations.expect("counted").executions, 2);
}

/// The two tasks cross: of three traces (one after the other, the other after the one, crossed) one
/// deadlocks.
#[test]
fn a_deadlock_is_one_violation_wherever_it_was_run_into() {
    let body: Body = Arc::new(|| {
        let locks: Vec<Arc<Lock>> =
            (0..2).map(|i| Arc::new(Lock::new(Name::new("lock").nth(i)))).collect();
        let task = |function: &'static str, first: usize| {
            let (a, b) = (locks[first].clone(), locks[1 - first].clone());
            spawn(function, HERE, move || {
                let _in = enter(function);
                a.lock("lock");
                b.lock("lock");
                b.unlock("unlock");
                a.unlock("unlock");
            })
        };
        let tasks = [task("there", 0), task("back", 1)];
        tasks.into_iter().for_each(join);
    });
    for engine in COMPLETE {
        let all = run(engine, &ALL, &body).violations.expect("counted");
        let locations: Vec<&str> = all.distinct.iter().map(|v| v.location.as_str()).collect();
        assert_eq!(locations, ["there: lock[1]; back: lock[0]"], "{engine}");
        let expected = (engine == Engine::Dpor).then_some((3, 1));
        let counts = (all.executions, all.distinct[0].executions);
        assert!(expected.is_none_or(|expected| expected == counts), "{engine}: {counts:?}");
    }
}

#[test]
fn a_count_that_was_cut_short_says_so() {
    let few = Bounds { executions_max: 3, ..ALL };
    let all = run(Engine::Dpor, &few, &two_readers()).violations.expect("counted");
    assert_eq!((all.cut.as_deref(), all.executions), (Some("the limit of 3 executions"), 3));
    let sample = Bounds { samples: 10, ..ALL };
    let all = run(Engine::Random, &sample, &two_readers()).violations.expect("counted");
    assert_eq!(all.cut.as_deref(), Some("a sample of 10 schedules"));
}
