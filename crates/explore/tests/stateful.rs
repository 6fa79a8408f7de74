//! Searches over states: the verdicts of the searches over traces, and how many states there are.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, If, Lock, Own, Place, Private, Rmw, Verdict, Word,
    at_rest, choose, explore, fail, join, note, shared_state, spawn,
};
use selvedge_trace::{Action, Context, Event, Execution, Finding, Judges, Monitor, Name, Rule};

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

/// How a list behind a lock is kept.
#[derive(Clone, Copy, PartialEq)]
enum List {
    /// In what nobody knows of.
    Unsaid,
    /// The same, and said by a call.
    Said,
    /// In a `Private`.
    Private,
}

/// The same words everywhere, and another list. Two tasks append to a list behind a lock; main
/// perhaps looks at it when they are done, and takes a step if the second came first; then it fails
/// if it is to.
fn lists(kept: List, fails: bool) -> Body {
    Arc::new(move || {
        let lock = Arc::new(Lock::new(Name::new("lock")));
        let unsaid: Arc<Mutex<Vec<u64>>> = Arc::default();
        let private: Arc<Private<Vec<u64>>> = Arc::default();
        if kept == List::Said {
            let list = unsaid.clone();
            shared_state(move |mut hash| list.lock().unwrap().hash(&mut hash));
        }
        let with = move |look: &dyn Fn(&mut Vec<u64>)| match kept {
            List::Private => look(&mut private.lock()),
            List::Said | List::Unsaid => look(&mut unsaid.lock().unwrap()),
        };
        let task = |number| {
            let (lock, with) = (lock.clone(), with.clone());
            spawn("task", HERE, move || {
                lock.lock("lock");
                with(&|list| list.push(number));
                lock.unlock("unlock");
            })
        };
        [task(1), task(2)].into_iter().for_each(join);
        let looks = choose("look", 2) == 1;
        let found = Cell::new(false);
        with(&|list| found.set(*list == [2, 1]));
        if looks && found.get() {
            if fails {
                fail(RULE, "the second came first");
            }
            word(0).load(Access::relaxed("read"));
        }
    })
}

#[test]
fn what_is_outside_of_words_has_to_be_said() {
    for (kept, verdict) in [
        (List::Private, Verdict::Violated),
        (List::Said, Verdict::Violated),
        // Missed, as the docs say.
        (List::Unsaid, Verdict::Holds),
    ] {
        assert_eq!(run(&STATES, &lists(kept, true)).verdict, verdict);
        assert_eq!(run(&Bounds::PROOF, &lists(kept, true)).verdict, Verdict::Violated);
    }
}

/// What is not said is found, and the step behind which it shows, by comparing what follows.
#[test]
fn what_is_not_said_is_found_by_comparing() {
    let compares = Bounds { compares: true, ..STATES };
    for kept in [List::Private, List::Said] {
        let seen = run(&compares, &lists(kept, false));
        assert_eq!(seen.verdict, Verdict::Holds);
        let alone = run(&STATES, &lists(kept, false));
        let states = |seen: &Exploration| seen.states.expect("told apart");
        assert_eq!(states(&seen).count, states(&alone).count);
        assert!(states(&seen).compared > 10 && states(&alone).compared == 0);
    }
    let seen = run(&compares, &lists(List::Unsaid, false));
    let Verdict::Undecided(why) = seen.verdict else { unreachable!("{:?}", seen.verdict) };
    let step = "two states that were taken for one (what is not said?): after main: look(";
    assert!(why.starts_with(step), "{why}");
}

/// What belongs to a task alone is no other's business: the order in which two of them come to
/// theirs makes no other state, and what it is does.
#[test]
fn what_a_task_has_for_its_own_is_part_of_the_state() {
    let states = |rests: bool| {
        let body: Body = Arc::new(move || {
            let own: Arc<Own<u32>> = Arc::default();
            let task = |_| {
                let (own, word) = (own.clone(), word(0));
                spawn("task", HERE, move || {
                    let chosen = choose("deeper", 2) as u32;
                    own.open(|mine| *mine = chosen);
                    word.load(Access::relaxed("read"));
                    if rests {
                        at_rest(0);
                        own.open(|mine| *mine = 0);
                        at_rest(1);
                    }
                })
            };
            [task(0), task(1)].into_iter().for_each(join);
        });
        let compared = run(&Bounds { compares: true, ..STATES }, &body);
        assert_eq!(compared.verdict, Verdict::Holds);
        compared.states.expect("told apart").count
    };
    // A task is before its choice, before its read in one of two ways, or at its end in one of two
    // ways, or in one if it has forgotten. Main: before a spawn, another, a join, another.
    assert_eq!(states(false), 1 + 5 + 5 * 5 + 2 * 5);
    assert_eq!(states(true), 1 + 4 + 4 * 4 + 4);
}

/// Who takes the lock first, of an execution.
fn first(execution: &Execution<'_>) -> Option<u8> {
    let mut locks = execution.events.iter().filter(|event| event.action == Action::Lock);
    locks.next().map(|event| event.task)
}

/// Has something against executions in which the second task comes first, and main looks.
#[derive(Clone, Copy)]
struct First(Judges);

impl Monitor for First {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let looks = |event: &Event| event.action == Action::Choice && event.new == 1;
        let is_broken = first(execution) == Some(2) && execution.events.iter().any(looks);
        is_broken.then(|| Finding { rule: RULE, message: "broken".into(), event: None })
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::new(*self)
    }

    fn judges(&self) -> Judges {
        self.0
    }

    fn so_far(&mut self, beginning: &Execution<'_>, mut hash: &mut dyn Hasher) {
        first(beginning).hash(&mut hash);
    }
}

/// When both have given the lock back, who had it first is in no state.
#[test]
fn a_monitor_of_ways_is_not_decided_by_states() {
    let body: Body = Arc::new(|| {
        let lock = Arc::new(Lock::new(Name::new("lock")));
        let task = |_| {
            let lock = lock.clone();
            spawn("task", HERE, move || {
                lock.lock("lock");
                lock.unlock("unlock");
            })
        };
        [task(0), task(1)].into_iter().for_each(join);
        _ = choose("look", 2);
    });
    let by = |judges| {
        explore(Engine::Dpor, &STATES, vec![Box::new(First(judges))], body.clone()).verdict
    };
    let Verdict::Undecided(why) = by(Judges::Ways("who came first")) else { unreachable!() };
    assert!(why.contains("who came first; ask dpor without --stateful"), "{why}");
    assert_eq!(by(Judges::States), Verdict::Holds, "as it said of itself, wrongly");
    assert_eq!(by(Judges::SoFar), Verdict::Violated);
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
