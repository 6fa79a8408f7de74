//! Memory of foreign code: here a static of the test's own, which the explorer knows nothing of but
//! what is announced.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use selvedge_explore::{
    Access, Bounds, Commutes, Effect, Engine, Exploration, ForeignWord, Lock, Place, Token,
    Verdict, explore, fail, join, spawn,
};
use selvedge_trace::{Context, Name, Rule};

const RULE: Rule = Rule("no addition is lost");
const PLACE: Place = Place { cpu: None, context: Context::Task, passes: [None, None] };

fn access(memory: &AtomicU64, effect: Effect, change: impl FnOnce(u64) -> u64) -> u64 {
    let word = ForeignWord::new(0, Name::new("foreign"));
    let begun = word.begin(effect, Access::relaxed("foreign"), || Some(memory.load(SeqCst)));
    let old = memory.load(SeqCst);
    memory.store(change(old), SeqCst);
    begun.settle(memory.load(SeqCst));
    old
}

/// Two tasks of this body, then a look whether the memory is `wanted`.
fn two(engine: Engine, body: fn(&AtomicU64), wanted: u64) -> Exploration {
    let memory = Arc::new(AtomicU64::new(0));
    let scenario = move || {
        memory.store(0, SeqCst);
        let task = || {
            let memory = memory.clone();
            spawn("task", PLACE, move || body(&memory))
        };
        let tasks = [task(), task()];
        tasks.into_iter().for_each(join);
        let value = memory.load(SeqCst);
        if value != wanted {
            fail(RULE, format!("{value} is there, not {wanted}"));
        }
    };
    explore(engine, &Bounds::PROOF, Vec::new(), Arc::new(scenario))
}

#[test]
fn a_load_and_a_store_lose_an_addition() {
    let body = |memory: &AtomicU64| {
        let old = access(memory, Effect::READ, |value| value);
        access(memory, Effect::WRITE, |_| old + 1);
    };
    let seen = two(Engine::Dpor, body, 2);
    assert_eq!(seen.verdict, Verdict::Violated);
    let found = seen.counterexample.expect("shown");
    let values: Vec<(u64, u64)> =
        found.steps.iter().filter(|s| s.object == "foreign").map(|s| (s.old, s.new)).collect();
    // What the accesses left is in the events, although they happened after these.
    assert_eq!(values, [(0, 0), (0, 0), (0, 1), (1, 1)]);
}

#[test]
fn an_update_loses_none() {
    let body = |memory: &AtomicU64| _ = access(memory, Effect::UPDATE, |value| value + 1);
    let seen = two(Engine::Dpor, body, 2);
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 2));
}

#[test]
fn updates_that_nobody_looks_at_commute() {
    let body =
        |memory: &AtomicU64| _ = access(memory, Effect::void(Commutes::Add), |value| value + 1);
    let seen = two(Engine::Dpor, body, 2);
    assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, 1));
}

#[test]
fn a_store_that_leaves_what_is_there_has_only_read() {
    let same = |memory: &AtomicU64| _ = access(memory, Effect::WRITE, |_| 0);
    assert_eq!(two(Engine::Dpor, same, 0).executions, 1);
    let other = |memory: &AtomicU64| _ = access(memory, Effect::WRITE, |_| 1);
    assert_eq!(two(Engine::Dpor, other, 1).executions, 2);
}

#[test]
fn foreign_locks_are_the_same_whenever_they_are_made() {
    let body = |memory: &AtomicU64| {
        let lock = || Lock::foreign(1, Name::new("lock"));
        lock().lock("lock");
        let old = access(memory, Effect::READ, |value| value);
        access(memory, Effect::WRITE, |_| old + 1);
        lock().unlock("unlock");
        Token::foreign(2, Name::new("token")).wake("wake");
    };
    let seen = two(Engine::Dpor, body, 2);
    assert_eq!(seen.verdict, Verdict::Holds);
}

/// loom keeps values of its own, older ones too.
#[test]
fn loom_refuses() {
    let body = |memory: &AtomicU64| _ = access(memory, Effect::READ, |value| value);
    let seen = two(Engine::Loom, body, 0);
    let Verdict::Undecided(why) = &seen.verdict else { panic!("{}", seen.verdict) };
    assert!(why.contains("foreign code"), "{why}");
}
