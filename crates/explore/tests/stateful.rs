//! Searches over states: the verdicts of the searches over traces, and how many states there are.

use std::hash::Hash;
use std::sync::{Arc, Mutex};

use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, If, Lock, Place, Rmw, Verdict, Word, at_rest,
    choose, explore, fail, join, note, shared_state, spawn,
};
use selvedge_trace::{Action, Context, Name, Rule};

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const STATES: Bounds = Bounds { stateful: true, ..Bounds::PROOF };
const RULE: Rule = Rule("it does not happen");

fn word(index: usize) -> Arc<Word> {
    Arc::new(Word::new(Name::new("word").nth(index), 0))
}

fn run(bounds: &Bounds, body: &Body) -> Exploration {
    explore(Engine::Dpor, bounds, Vec::new(), body.clone())
}

/// Two tasks of k updates of words of their own: a grid of (k + 2)^2 states (crates/dpor,
/// tests/stateful.rs), and one trace.
#[test]
fn independent_tasks_have_a_grid_of_states() {
    for k in 1..=4u64 {
        let body: Body = Arc::new(move || {
            let task = |index| {
                let word = word(index);
                spawn("task", HERE, move || {
                    for _ in 0..k {
                        word.update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
                    }
                })
            };
            [task(0), task(1)].into_iter().for_each(join);
        });
        let seen = run(&STATES, &body);
        assert_eq!(seen.verdict, Verdict::Holds);
        let states = seen.states.expect("told apart");
        assert_eq!(states.count, (k + 2).pow(2));
        assert!(
            states.to_string().starts_with(&format!("{} states in ", states.count)),
            "{states}"
        );
        let traces = run(&Bounds::PROOF, &body);
        assert_eq!((traces.executions, traces.states), (1, None));
    }
}

/// n tasks, two rounds of {try the bit; if won, count and clear it}; `limit`: the count that is not
/// to be reached.
fn contended(n: usize, limit: u64) -> Body {
    Arc::new(move || {
        let (bit, counter) = (word(0), word(1));
        let task = |_| {
            let (bit, counter) = (bit.clone(), counter.clone());
            spawn("task", HERE, move || {
                for round in 0..2 {
                    let access = Access::relaxed("cmpxchg");
                    if bit.update_if(If::Equals(0), Rmw::Swap(1), access).is_ok() {
                        let value = counter.load(Access::relaxed("read")) + 1;
                        counter.store(value, Access::relaxed("write"));
                        if value == limit {
                            fail(RULE, "the limit is reached");
                        }
                        bit.store(0, Access::relaxed("clear_bit"));
                    }
                    at_rest(round);
                }
            })
        };
        let tasks: Vec<usize> = (0..n).map(task).collect();
        tasks.into_iter().for_each(join);
    })
}

/// Three tasks can count to six and no further.
#[test]
fn contention_is_decided_as_by_traces_in_fewer_executions() {
    for (limit, expected) in [(6, Verdict::Violated), (7, Verdict::Holds)] {
        let (states, traces) =
            (run(&STATES, &contended(3, limit)), run(&Bounds::PROOF, &contended(3, limit)));
        assert_eq!((&states.verdict, &traces.verdict), (&expected, &expected), "{limit}");
    }
    let (states, traces) = (run(&STATES, &contended(4, 9)), run(&Bounds::PROOF, &contended(4, 9)));
    assert_eq!((states.verdict, traces.verdict), (Verdict::Holds, Verdict::Holds));
    assert!(10 * states.executions < traces.executions, "{}", states.executions);
}

/// The same words everywhere, and another list: only `shared_state` tells them apart. Two tasks
/// append to a list behind a lock; main perhaps looks at it when they are done.
#[test]
fn what_is_outside_of_words_has_to_be_said() {
    let body = |is_said: bool| -> Body {
        Arc::new(move || {
            let lock = Arc::new(Lock::new(Name::new("lock")));
            let list: Arc<Mutex<Vec<u64>>> = Arc::default();
            if is_said {
                let list = list.clone();
                shared_state(move |mut hash| list.lock().unwrap().hash(&mut hash));
            }
            let task = |number| {
                let (lock, list) = (lock.clone(), list.clone());
                spawn("task", HERE, move || {
                    lock.lock("lock");
                    list.lock().unwrap().push(number);
                    lock.unlock("unlock");
                })
            };
            [task(1), task(2)].into_iter().for_each(join);
            if choose("look", 2) == 1 && *list.lock().unwrap() == [2, 1] {
                fail(RULE, "the second came first");
            }
        })
    };
    assert_eq!(run(&STATES, &body(true)).verdict, Verdict::Violated);
    assert_eq!(run(&STATES, &body(false)).verdict, Verdict::Holds, "missed, as the docs say");
    assert_eq!(run(&Bounds::PROOF, &body(false)).verdict, Verdict::Violated);
}

/// A task gets a reference or not, and is at rest. The words are the same; what the ledger has
/// booked is not.
#[test]
fn booked_references_are_part_of_the_state() {
    let body: Body = Arc::new(|| {
        let word = word(0);
        let holder = word.clone();
        let task = spawn("task", HERE, move || {
            if choose("get", 2) == 1 {
                note(Action::Get(Name::new("task")), holder.object(), holder.name());
            }
            at_rest(0);
            holder.update_void(Rmw::Or(1), Access::relaxed("set_bit"));
            at_rest(1);
        });
        join(task);
    });
    let seen = run(&STATES, &body);
    // Main before the spawn; the task before its choice, before its update with and without, and at
    // its end with and without.
    assert_eq!(seen.states.expect("told apart").count, 6);
}
