//! A scenario's set-up is built once in a search, and each execution finds it as it was built.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, Lock, Place, Private, Rmw, Verdict, Word, explore,
    fail, join, note, set_up, spawn,
};
use selvedge_trace::{Action, Context, Name, Rule};

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const ALL_SEEN: Rule = Rule("each execution begins with what was built");
const NOT_BOTH: Rule = Rule("not both tasks see the other's word");

/// Two words with values, a lock, and a list of who came in which order.
struct Made {
    words: [Word; 2],
    lock: Lock,
    came: Private<Vec<usize>>,
    count: Private<usize>,
}

fn made() -> Arc<Made> {
    let word = |index: usize| Word::new(Name::new("word").nth(index), 7 + index as u64);
    let made = Made {
        words: [word(0), word(1)],
        lock: Lock::new(Name::new("lock")),
        came: Private::default(),
        count: Private::default(),
    };
    note(Action::Get(Name::new("builder")), made.words[0].object(), made.words[0].name());
    Arc::new(made)
}

/// Two tasks that change a word each, under a lock, and look at the other's.
fn two_tasks(made: &Arc<Made>) {
    let is_new = made.words[0].peek() == 7 && made.words[1].peek() == 8;
    if !is_new || !made.came.lock().is_empty() || *made.count.lock() != 0 {
        fail(ALL_SEEN, "an execution has found what another one left");
    }
    let task = |me: usize| {
        let made = made.clone();
        spawn("task", HERE, move || {
            for _ in 0..2 {
                made.words[me].update(Rmw::Add(10), Access::relaxed("add"));
                made.lock.lock("lock");
                made.came.lock().push(me);
                *made.count.lock() += 1;
                made.lock.unlock("unlock");
                let other = made.words[1 - me].load(Access::relaxed("read"));
                if other > 10 && made.came.lock().first() == Some(&me) && me == 1 {
                    fail(NOT_BOTH, "it was first, and sees the other's");
                }
            }
        })
    };
    [task(0), task(1)].into_iter().for_each(join);
}

fn run(bounds: &Bounds, body: Body) -> Exploration {
    explore(Engine::Dpor, bounds, Vec::new(), body)
}

fn anew() -> Body {
    Arc::new(|| two_tasks(&made()))
}

fn once(built: &Arc<AtomicUsize>) -> Body {
    let built = built.clone();
    Arc::new(move || {
        two_tasks(&set_up(|| {
            built.fetch_add(1, Relaxed);
            made()
        }));
    })
}

/// What a search that goes on after a violation sees is all executions, whatever ends them.
#[test]
fn a_search_sees_the_same_as_if_each_execution_built_its_own() {
    let all = Bounds { keep_going: true, ..Bounds::PROOF };
    let built = Arc::default();
    let (anew, once) = (run(&all, anew()), run(&all, once(&built)));
    assert_eq!(once.verdict, Verdict::Violated);
    assert_eq!(once.executions, anew.executions);
    assert_eq!(once.reached, anew.reached);
    assert_eq!(once.counterexample, anew.counterexample);
    let of = |seen: &Exploration| {
        let all = seen.violations.as_ref().expect("they are counted");
        (all.executions, all.distinct.iter().map(|v| (v.rule, v.executions)).collect::<Vec<_>>())
    };
    assert_eq!(of(&once), of(&anew));
    assert!(of(&once).1.iter().all(|(rule, _)| *rule == NOT_BOTH));
}

#[test]
fn it_is_built_once_in_a_search() {
    let built = Arc::default();
    let body = once(&built);
    let all = Bounds { keep_going: true, as_found: true, ..Bounds::PROOF };
    let counted = run(&all, body).violations.expect("they are counted");
    assert!(counted.executions > 10, "{}", counted.executions);
    // Two runs are compared, then one search ends at the first violation, and one goes on.
    assert_eq!(built.load(Relaxed), 4);
}

/// Who puts something into a private list while it is built wants to find it there.
#[test]
fn what_is_built_into_a_private_list_is_there_each_time() {
    let body: Body = Arc::new(|| {
        let list = set_up(|| {
            let list: Arc<Private<Vec<u32>>> = Arc::default();
            list.lock().push(3);
            list
        });
        let task = {
            let list = list.clone();
            spawn("task", HERE, move || list.lock().push(4))
        };
        let word = Word::new(Name::new("word"), 0);
        word.store(1, Access::relaxed("write"));
        join(task);
        if *list.lock() != [3, 4] {
            fail(ALL_SEEN, format!("{:?}", *list.lock()));
        }
    });
    assert_eq!(run(&Bounds::PROOF, body).verdict, Verdict::Holds);
}
