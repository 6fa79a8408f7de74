//! The engines, tested: for small programs the set of outcomes that each must reach. Where an
//! engine is known to be wrong the wrong set is written down, so that a fix upstream is noticed.
//!
//! An outcome is what the tasks read, in the order of the tasks, then the words at the end.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use selvedge_explore::{
    Access, Bounds, Engine, Lock, Place, Rmw, Verdict, Word, choose, explore, fail, fence, join,
    spawn,
};
use selvedge_trace::{
    Context, ENDLESS_LOOPS_END, End, Execution, Finding, Monitor, Name, Order, Rule,
};

/// A step of a task. Words are numbered from 0.
#[derive(Clone, Copy, Debug)]
enum Do {
    Read(usize),
    Write(usize, u64),
    ReadAcquire(usize),
    WriteRelease(usize, u64),
    Swap(usize, u64),
    Mb,
}
use Do::*;

type Outcomes = BTreeSet<Vec<u64>>;

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };

fn outcomes(engine: Engine, tasks: &[&[Do]]) -> Outcomes {
    outcomes_within(engine, &Bounds::PROOF, tasks)
}

fn outcomes_within(engine: Engine, bounds: &Bounds, tasks: &[&[Do]]) -> Outcomes {
    let seen: Arc<Mutex<Outcomes>> = Arc::default();
    let (all, program) = (seen.clone(), tasks.iter().map(|t| t.to_vec()).collect::<Vec<_>>());
    let body = Arc::new(move || {
        let words: Arc<Vec<Word>> =
            Arc::new((0..2).map(|i| Word::new(Name::new("word").nth(i), 0)).collect());
        let reads: Arc<Mutex<Vec<Vec<u64>>>> =
            Arc::new(Mutex::new(vec![Vec::new(); program.len()]));
        let tasks: Vec<usize> = (program.iter().cloned().enumerate())
            .map(|(me, steps)| {
                let (words, reads) = (words.clone(), reads.clone());
                spawn("task", HERE, move || {
                    for step in steps {
                        let read = take(step, &words);
                        reads.lock().unwrap()[me].extend(read);
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
        let finals = words.iter().map(Word::peek).collect();
        let outcome = [reads.lock().unwrap().concat(), finals].concat();
        all.lock().unwrap().insert(outcome);
    });
    let exploration = explore(engine, bounds, Vec::new(), body);
    let is_sample =
        matches!(engine, Engine::Random | Engine::Pct) || bounds.preemptions_max.is_some();
    assert!(
        exploration.verdict == Verdict::Holds || is_sample,
        "{engine}: {} after {} executions",
        exploration.verdict,
        exploration.executions
    );
    std::mem::take(&mut *seen.lock().unwrap())
}

fn take(step: Do, words: &[Word]) -> Option<u64> {
    match step {
        Read(w) => return Some(words[w].load(Access::relaxed("read"))),
        ReadAcquire(w) => {
            return Some(words[w].load(Access::relaxed("read").order(Order::Acquire)));
        }
        Write(w, v) => words[w].store(v, Access::relaxed("write")),
        WriteRelease(w, v) => words[w].store(v, Access::relaxed("write").order(Order::Release)),
        Swap(w, v) => return Some(words[w].update(Rmw::Swap(v), Access::relaxed("swap"))),
        Mb => fence("smp_mb", Order::Full),
    }
    None
}

/// What the tasks read, without the words at the end.
fn reads(outcomes: &Outcomes) -> BTreeSet<Vec<u64>> {
    outcomes.iter().map(|o| o[..o.len() - 2].to_vec()).collect()
}

fn set(items: &[&[u64]]) -> BTreeSet<Vec<u64>> {
    items.iter().map(|item| item.to_vec()).collect()
}

const SC: [Engine; 5] = [Engine::Dpor, Engine::Dfs, Engine::Random, Engine::Pct, Engine::GraphSc];

/// Every SC engine reaches `sc`, and those of weak memory reach `weak`.
fn expect_reads(name: &str, tasks: &[&[Do]], sc: &[&[u64]], weak: &[&[u64]]) {
    for engine in SC {
        assert_eq!(reads(&outcomes(engine, tasks)), set(sc), "{name} under {engine}");
    }
    for engine in [Engine::Loom, Engine::Graph] {
        assert_eq!(reads(&outcomes(engine, tasks)), set(weak), "{name} under {engine}");
    }
}

/// PCT gives up on such a program after the first execution, which is all there is.
#[test]
fn a_single_task_is_decided_by_every_engine() {
    let body = Arc::new(|| join(spawn("task", HERE, || fence("smp_mb", Order::Full))));
    for engine in SC.into_iter().chain([Engine::Loom, Engine::Graph]) {
        let seen = explore(engine, &Bounds::PROOF, Vec::new(), body.clone());
        let is_decided = matches!(seen.verdict, Verdict::Holds | Verdict::HoldsWithin(_));
        assert!(is_decided && seen.executions > 0, "{engine}: {}", seen.verdict);
    }
}

#[test]
fn store_buffering_needs_weak_memory() {
    let sc: &[&[u64]] = &[&[0, 1], &[1, 0], &[1, 1]];
    let tasks: &[&[Do]] = &[&[Write(0, 1), Read(1)], &[Write(1, 1), Read(0)]];
    expect_reads("SB", tasks, sc, &[&[0, 0], &[0, 1], &[1, 0], &[1, 1]]);
    let tasks: &[&[Do]] = &[&[Write(0, 1), Mb, Read(1)], &[Write(1, 1), Mb, Read(0)]];
    expect_reads("SB+mb", tasks, sc, sc);
}

/// LKMM allows `[1, 1]`; no engine of ours has load buffering. Stated with every weak `holds`.
#[test]
fn load_buffering_is_beyond_every_engine() {
    let tasks: &[&[Do]] = &[&[Read(1), Write(0, 1)], &[Read(0), Write(1, 1)]];
    let sc: &[&[u64]] = &[&[0, 0], &[0, 1], &[1, 0]];
    expect_reads("LB", tasks, sc, sc);
}

#[test]
fn message_passing_needs_release_and_acquire() {
    let sc: &[&[u64]] = &[&[0, 0], &[0, 1], &[1, 1]];
    let tasks: &[&[Do]] = &[&[Write(0, 1), Write(1, 1)], &[Read(1), Read(0)]];
    expect_reads("MP", tasks, sc, &[&[0, 0], &[0, 1], &[1, 0], &[1, 1]]);
    let tasks: &[&[Do]] = &[&[Write(0, 1), WriteRelease(1, 1)], &[ReadAcquire(1), Read(0)]];
    expect_reads("MP+rel+acq", tasks, sc, sc);
}

/// IRIW. Plain DFS would run half a million executions, and loom as many: it is given a bound on
/// preemptions. Without one it agreed too.
#[test]
fn readers_agree_on_independent_writes_only_with_barriers() {
    let disagree = vec![1, 0, 1, 0];
    let writers: [&[Do]; 2] = [&[Write(0, 1)], &[Write(1, 1)]];
    let relaxed = [writers[0], writers[1], &[Read(0), Read(1)], &[Read(1), Read(0)]];
    let fenced = [writers[0], writers[1], &[Read(0), Mb, Read(1)], &[Read(1), Mb, Read(0)]];
    let few = Bounds { preemptions_max: Some(1), ..Bounds::PROOF };
    let loom = |tasks| reads(&outcomes_within(Engine::Loom, &few, tasks));
    assert!(loom(&relaxed).contains(&disagree), "IRIW under loom");
    assert!(!loom(&fenced).contains(&disagree), "IRIW+mb under loom");
    assert!(!reads(&outcomes(Engine::Dpor, &relaxed)).contains(&disagree), "IRIW under dpor");
    // LKMM's barriers are enough, and its relaxed reads may disagree.
    let graph = |tasks| reads(&outcomes(Engine::Graph, tasks));
    assert!(graph(&relaxed).contains(&disagree), "IRIW under graph");
    assert!(!graph(&fenced).contains(&disagree), "IRIW+mb under graph");
}

#[test]
fn one_word_is_read_in_one_order() {
    let tasks: &[&[Do]] = &[&[Write(0, 1)], &[Read(0), Read(0)]];
    let coherent: &[&[u64]] = &[&[0, 0], &[0, 1], &[1, 1]];
    expect_reads("CoRR", tasks, coherent, coherent);
}

/// LKMM allows both words to keep the first write of each task; loom executes stores in the order
/// of the words' modification, as SC does.
#[test]
fn two_plus_two_writes_are_reordered_by_graphs_alone() {
    let tasks: &[&[Do]] = &[&[Write(0, 1), Write(1, 2)], &[Write(1, 1), Write(0, 2)]];
    for engine in [Engine::Dpor, Engine::Dfs, Engine::Loom, Engine::GraphSc] {
        assert!(!outcomes(engine, tasks).contains(&vec![1, 1]), "2+2W under {engine}");
    }
    assert!(outcomes(Engine::Graph, tasks).contains(&vec![1, 1]), "2+2W under graph");
    let fenced: &[&[Do]] = &[&[Write(0, 1), Mb, Write(1, 2)], &[Write(1, 1), Mb, Write(0, 2)]];
    assert!(!outcomes(Engine::Graph, fenced).contains(&vec![1, 1]), "2+2W+mbs under graph");
}

/// tokio-rs/loom#392: a thread that begins with a load ends loom's search after one execution. Ours
/// begin with an update, so that both outcomes are found.
#[test]
fn a_task_that_begins_with_a_load_is_explored() {
    let tasks: &[&[Do]] = &[&[Read(0), Write(1, 1)], &[Read(1)]];
    expect_reads("load first", tasks, &[&[0, 0], &[0, 1]], &[&[0, 0], &[0, 1]]);

    let executions = Arc::new(AtomicU64::new(0));
    let count = executions.clone();
    loom::model(move || {
        count.fetch_add(1, Relaxed);
        let word = Arc::new(loom::sync::atomic::AtomicU64::new(0));
        let theirs = word.clone();
        let task = loom::thread::spawn(move || {
            theirs.load(Relaxed);
            theirs.store(1, Relaxed);
        });
        // 0 or 1; loom 0.7.2 sees one of them and is done.
        word.load(Relaxed);
        task.join().unwrap();
    });
    assert_eq!(executions.load(Relaxed), 1, "loom#392 is mended: the guard can go");
}

/// tokio-rs/loom#166: when a word is written, loom compares with its last access alone. The
/// writer's own read hides that of the other thread, and the order in which that one comes after
/// the write is never explored.
#[test]
fn loom_forgets_a_read_behind_the_writers_own() {
    let outcomes: Arc<Mutex<BTreeSet<usize>>> = Arc::default();
    let seen = outcomes.clone();
    loom::model(move || {
        let word = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let theirs = word.clone();
        let reader = loom::thread::spawn(move || theirs.load(Relaxed));
        let theirs = word.clone();
        let writer = loom::thread::spawn(move || {
            theirs.load(Relaxed);
            theirs.store(1, Relaxed);
        });
        seen.lock().unwrap().insert(reader.join().unwrap());
        writer.join().unwrap();
    });
    assert_eq!(*outcomes.lock().unwrap(), BTreeSet::from([0]), "loom#166 is mended");
}

/// The same under our guard: the search notices, and searches again.
#[test]
fn a_read_behind_the_writers_own_is_not_forgotten() {
    let reader: &[Do] = &[Read(1), Read(0)];
    let short: &[&[Do]] = &[&[Write(0, 1), Write(1, 1), Write(1, 0), Write(0, 0)], reader];
    let long: &[&[Do]] = &[&[Write(0, 1), Write(1, 1), Write(1, 0), Read(0), Write(0, 0)], reader];
    let of_reader = |outcomes: Outcomes| -> BTreeSet<Vec<u64>> {
        outcomes.into_iter().map(|o| o[o.len() - 4..o.len() - 2].to_vec()).collect()
    };
    for engine in [Engine::Dpor, Engine::Dfs, Engine::Loom, Engine::Graph] {
        let (short, long) = (outcomes(engine, short), outcomes(engine, long));
        assert_eq!(of_reader(short), of_reader(long), "{engine}");
        let hidden: &[&[Do]] = &[&[Read(0)], &[Read(0), Write(0, 1)]];
        let seen: BTreeSet<u64> = outcomes(engine, hidden).into_iter().map(|o| o[0]).collect();
        assert_eq!(seen, BTreeSet::from([0, 1]), "{engine}");
    }
}

/// tokio-rs/loom#254, #282, #389: a store comes between the two halves of an update. `[0, .., 0]`
/// (the swap read 0, and what it wrote is not overwritten by the store of 1 before it) is
/// impossible; our weak-memory alarms are labelled accordingly.
#[test]
fn loom_lets_a_store_into_an_update() {
    let tasks: &[&[Do]] = &[&[Swap(0, 2), Mb], &[Write(0, 1), Mb, Read(0)]];
    let right: &[&[u64]] = &[&[0, 1], &[1, 1], &[1, 2]];
    for engine in SC.into_iter().chain([Engine::Graph]) {
        assert_eq!(reads(&outcomes(engine, tasks)), set(right), "{engine}");
    }
    let loom = reads(&outcomes(Engine::Loom, tasks));
    assert!(set(right).is_subset(&loom));
    assert!(loom.contains(&vec![0, 2]), "loom#254 is mended: {loom:?}");
}

/// tokio-rs/loom#376: two threads that only try a lock, and one that is waited for, "deadlock".
#[test]
fn loom_try_lock_invents_a_deadlock() {
    let model = || {
        loom::model(|| {
            let lock = Arc::new(loom::sync::Mutex::new(()));
            let other = lock.clone();
            let task = loom::thread::spawn(move || drop(other.try_lock()));
            let guard = lock.try_lock();
            task.join().unwrap();
            drop(guard);
        });
    };
    // The panic is loom's, and goes on while loom cleans up: kept apart on a thread of its own.
    let failed = std::thread::spawn(model).join().is_err();
    assert!(failed, "loom#376 is mended: bit locks may use try_lock");
}

fn locks(n: usize, per_task: impl Fn(usize) -> Vec<usize>) -> Arc<dyn Fn() + Send + Sync> {
    let plans: Vec<Vec<usize>> = (0..n).map(per_task).collect();
    Arc::new(move || {
        let locks: Arc<Vec<Lock>> =
            Arc::new((0..n).map(|i| Lock::new(Name::new("lock").nth(i))).collect());
        let tasks: Vec<usize> = (plans.iter().cloned())
            .map(|plan| {
                let locks = locks.clone();
                spawn("task", HERE, move || {
                    plan.iter().for_each(|&l| locks[l].lock("lock"));
                    plan.iter().rev().for_each(|&l| locks[l].unlock("unlock"));
                })
            })
            .collect();
        tasks.into_iter().for_each(join);
    })
}

#[test]
fn one_lock_and_n_tasks_have_n_factorial_traces() {
    for (n, traces) in [(2, 2), (3, 6), (4, 24)] {
        let seen = explore(Engine::Dpor, &Bounds::PROOF, Vec::new(), locks(n, |_| vec![0]));
        assert_eq!((seen.verdict, seen.executions), (Verdict::Holds, traces));
    }
}

#[test]
fn a_ring_of_locks_deadlocks_under_every_engine() {
    for engine in Engine::ALL {
        let ring = locks(3, |i| vec![i, (i + 1) % 3]);
        let seen = explore(engine, &Bounds::PROOF, Vec::new(), ring);
        assert_eq!(seen.verdict, Verdict::Violated, "{engine}");
        let blocked = seen.counterexample.expect("a deadlock").blocked;
        let waits = blocked.iter().filter(|b| b.primitive == "lock").count();
        assert_eq!(waits, 3, "{engine}: {blocked:?}");
    }
}

const RULE: Rule = Rule("nothing happens");

#[test]
fn what_cannot_be_decided_is_never_a_pass() {
    let one_task = |body: fn()| -> selvedge_explore::Body {
        Arc::new(move || {
            let other = spawn("other", HERE, || {
                Word::new(Name::new("unused"), 0).load(Access::relaxed("read"));
            });
            join(spawn("task", HERE, body));
            join(other);
        })
    };
    for engine in Engine::ALL {
        let undecided = |body: selvedge_explore::Body, bounds: &Bounds, why: &str| {
            let seen = explore(engine, bounds, Vec::new(), body);
            match &seen.verdict {
                Verdict::Undecided(said) if said.contains(why) => {}
                other => panic!("{engine}: {other}, expected undecided because of {why}"),
            }
        };
        undecided(one_task(|| panic!("boom")), &Bounds::PROOF, "boom");
        let spin = one_task(|| {
            let word = Word::new(Name::new("spin"), 0);
            while word.load(Access::relaxed("read")) == 0 {}
        });
        if engine.takes_schedules() {
            let seen = explore(engine, &Bounds::PROOF, Vec::new(), spin);
            assert_eq!(seen.verdict, Verdict::Violated, "{engine}: nobody can end it");
        } else {
            undecided(spin, &Bounds::PROOF, "too many steps");
        }
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let fickle = one_task(|| {
            for _ in 0..CALLS.fetch_add(1, Relaxed) % 7 {
                Word::new(Name::new("fickle"), 0).load(Access::relaxed("read"));
            }
        });
        undecided(fickle, &Bounds::PROOF, "not deterministic");
        if engine.is_exhaustive() {
            let few = Bounds { executions_max: 3, ..Bounds::PROOF };
            undecided(locks(4, |_| vec![0]), &few, "the limit of 3 executions");
        }
    }
}

/// Finds fault with every long execution that ran to its end.
struct NoLongEnd;

impl Monitor for NoLongEnd {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(NoLongEnd)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let ended = *execution.end == End::Complete && execution.events.len() > 40;
        ended.then(|| Finding { rule: RULE, message: "it ended".into(), event: None })
    }
}

/// An execution with too many steps is no execution that ended, nor is one that goes round for
/// ever: what a monitor would say of one does not count. (One of the two alternatives is met only
/// when the search has begun.)
#[test]
fn an_execution_that_is_cut_short_is_not_shown_as_complete() {
    for (engine, spins) in Engine::ALL.into_iter().flat_map(|engine| [(engine, 0), (engine, 1)]) {
        let body = Arc::new(move || {
            let spinner = spawn("spinner", HERE, move || {
                let word = Word::new(Name::new("spin"), 0);
                if choose("spin", 2) == spins {
                    while word.load(Access::relaxed("read")) == 0 {}
                }
            });
            join(spinner);
        });
        let bounds = Bounds { steps_max: 50, loom_choices: 1, ..Bounds::PROOF };
        let seen = explore(engine, &bounds, vec![Box::new(NoLongEnd)], body);
        match &seen.counterexample {
            Some(found) => assert_eq!(found.rule, ENDLESS_LOOPS_END.0, "{engine}"),
            None => assert!(matches!(seen.verdict, Verdict::Undecided(_)), "{engine}"),
        }
        let is_violated = seen.counterexample.is_some();
        assert_eq!(is_violated, engine.takes_schedules(), "{engine}: {}", seen.verdict);
    }
}

#[test]
fn loom_s_own_limits_are_named() {
    let six = locks(6, |_| vec![0]);
    let seen = explore(Engine::Loom, &Bounds::PROOF, Vec::new(), six);
    assert_eq!(seen.verdict, Verdict::Undecided("loom's limit of 5 threads".into()));
    let many: &[&[Do]] = &[&[Write(0, 1); 9], &[Read(0)]];
    let body_outcomes = std::panic::catch_unwind(|| outcomes(Engine::Loom, many));
    let message = *body_outcomes.expect_err("not `holds`").downcast::<String>().unwrap();
    assert!(message.contains("loom remembers 7 stores; word[0] had more"), "{message}");
}

#[test]
fn every_alternative_is_tried_by_every_engine() {
    for engine in Engine::ALL {
        for wanted in 0..3 {
            let body = Arc::new(move || {
                let chooser = spawn("chooser", HERE, move || {
                    if choose("what", 3) == wanted {
                        fail(RULE, "it happened");
                    }
                });
                let other = spawn("other", HERE, || fence("smp_mb", Order::Full));
                join(chooser);
                join(other);
            });
            let bounds = Bounds { loom_choices: 2, ..Bounds::PROOF };
            let seen = explore(engine, &bounds, Vec::new(), body);
            assert_eq!(seen.verdict, Verdict::Violated, "{engine}, alternative {wanted}");
        }
    }
}

/// A verdict that depends on the clock depends on who else uses the machine.
#[test]
fn no_limit_of_a_proof_is_a_time() {
    assert_eq!(Bounds::PROOF.time_max, None);
}

/// Who asks many small questions, one after the other, is let go at once.
#[test]
fn a_search_that_begins_after_an_interrupt_is_undecided() {
    let bounds = Bounds { interrupted: Some(Arc::new(true.into())), ..Bounds::PROOF };
    for engine in Engine::ALL {
        let seen = explore(engine, &bounds, Vec::new(), Arc::new(|| {}));
        assert_eq!(seen.verdict.bound(), Some("an interrupt from outside"), "{engine}");
        assert_eq!(seen.executions, 0, "{engine}");
    }
}
