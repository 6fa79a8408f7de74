//! What would let a search say `holds` without having looked: each is noticed and named.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, Place, Verdict, Word, abilities, explore, fail,
    join, join_all, made_up, put_off, spawn,
};
use selvedge_trace::{Context, Monitor, NOBODY_WAITS_FOR_EVER, Name, Rule};

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const RULE: Rule = Rule("main sees 0");
const SEED: &str = "SHUTTLE_RANDOM_SEED";

fn run(engine: Engine, body: impl Fn() + Send + Sync + 'static) -> Exploration {
    let body: Body = Arc::new(body);
    explore(engine, &Bounds::PROOF, Vec::<Box<dyn Monitor>>::new(), body)
}

fn assert_undecided(engine: Engine, seen: &Exploration, why: &str) {
    match &seen.verdict {
        Verdict::Undecided(said) if said.contains(why) => {}
        other => panic!("{engine}: {other}, expected undecided because of: {why}"),
    }
}

fn word() -> Arc<Word> {
    Arc::new(Word::new(Name::new("word"), 0))
}

fn writer(word: &Arc<Word>, name: &str) -> usize {
    let word = word.clone();
    spawn(name, HERE, move || word.store(1, Access::relaxed("WRITE_ONCE")))
}

/// PCT refuses a program in which there is never more than one task to choose.
fn with_a_bystander(f: impl FnOnce()) {
    let word = word();
    let bystander = spawn("bystander", HERE, move || {
        word.load(Access::relaxed("READ_ONCE"));
        word.load(Access::relaxed("READ_ONCE"));
    });
    f();
    join(bystander);
}

fn check(word: &Word) {
    if word.peek() != 0 {
        fail(RULE, "main sees 1");
    }
}

/// The look is no step: no engine would try it at another time.
#[test]
fn main_may_not_peek_while_a_task_runs() {
    for engine in Engine::ALL {
        let seen = run(engine, || {
            let word = word();
            let task = writer(&word, "writer");
            check(&word);
            join(task);
        });
        assert_undecided(engine, &seen, "main has not waited for the end of writer");
    }
}

/// That the task happens to have ended in this execution does not help: it need not have.
#[test]
fn main_may_not_peek_before_it_knows_that_a_task_has_ended() {
    for engine in Engine::ALL {
        let seen = run(engine, || {
            let word = word();
            let (theirs, relay) = (word.clone(), word.clone());
            let other = spawn("other", HERE, move || {
                writer(&relay, "writer");
            });
            join(other);
            theirs.load(Access::relaxed("READ_ONCE"));
            check(&word);
        });
        assert_undecided(engine, &seen, "main has not waited for the end of writer");
    }
}

/// Before there are tasks, and when it has waited for who has waited for all others, it may.
#[test]
fn main_may_peek_when_nobody_else_can_run() {
    for engine in Engine::ALL {
        let seen = run(engine, || {
            let word = word();
            check(&word);
            let (theirs, another) = (word.clone(), word.clone());
            with_a_bystander(|| {
                join(spawn("other", HERE, move || join(writer(&theirs, "writer"))));
            });
            if another.peek() != 1 {
                fail(RULE, "it has been written");
            }
        });
        assert!(matches!(seen.verdict, Verdict::Holds | Verdict::HoldsWithin(_)), "{engine}");
    }
}

#[test]
fn all_others_can_be_waited_for() {
    for engine in Engine::ALL {
        let seen = run(engine, || {
            let word = word();
            let relay = word.clone();
            with_a_bystander(|| {
                spawn("other", HERE, move || {
                    writer(&relay, "writer");
                });
            });
            join_all();
            if word.peek() != 1 {
                fail(RULE, "it has been written");
            }
        });
        assert!(matches!(seen.verdict, Verdict::Holds | Verdict::HoldsWithin(_)), "{engine}");
    }
}

#[test]
fn what_is_put_off_must_be_done() {
    for engine in Engine::ALL {
        let body = |is_done: bool| {
            move || {
                let word = word();
                with_a_bystander(|| join(writer(&word, "writer")));
                put_off(word.object(), "the work is never done");
                if is_done {
                    made_up(word.object());
                }
            }
        };
        assert_undecided(engine, &run(engine, body(false)), "the work is never done");
        let done = run(engine, body(true)).verdict;
        assert!(matches!(done, Verdict::Holds | Verdict::HoldsWithin(_)), "{engine}: {done}");
    }
}

#[test]
fn a_deadlock_that_no_monitor_explains_breaks_the_rule_of_the_monitors() {
    let seen = run(Engine::Dpor, || {
        let token = selvedge_explore::Token::new(Name::new("token"));
        join(spawn("sleeper", HERE, move || token.wait("wait", false)));
    });
    assert_eq!(seen.counterexample.expect("a deadlock").rule, NOBODY_WAITS_FOR_EVER.0);
}

/// shuttle lets the variable override the seed of the schedule that is run twice. Run once more
/// with it, in a process of its own.
#[test]
fn a_seed_from_outside_does_not_hide_a_model_that_is_not_deterministic() {
    if std::env::var_os(SEED).is_none() {
        let this = "silence::a_seed_from_outside_does_not_hide_a_model_that_is_not_deterministic";
        let test = std::env::current_exe().expect("this test has a file");
        let output = Command::new(test).args(["--exact", this]).env(SEED, "7").output();
        let output = output.expect("it can be run");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }
    for engine in [Engine::Dpor, Engine::Dfs, Engine::Loom] {
        let calls = AtomicU64::new(0);
        let seen = run(engine, move || {
            let word = word();
            for _ in 0..calls.fetch_add(1, Relaxed) % 7 {
                word.load(Access::relaxed("READ_ONCE"));
            }
        });
        assert_undecided(engine, &seen, "not deterministic");
    }
}

/// The search looks for a simpler counterexample by another engine: then that one has found it.
#[test]
fn a_counterexample_names_the_engine_that_found_it() {
    // The finder is started before or after the freer. If before, dpor finds the freer in the
    // middle of the finder first; that all of it may come before all of the finder is easier to
    // read.
    let engine = |finder_first: bool| {
        let seen = run(Engine::Dpor, move || {
            let (link, freed) = (word(), word());
            let find = (link.clone(), freed.clone());
            let finder = move || {
                let linked = find.0.load(Access::relaxed("READ_ONCE"));
                if linked == 0 && find.1.load(Access::relaxed("READ_ONCE")) == 1 {
                    fail(RULE, "it is free");
                }
            };
            let freer = move || freed.store(1, Access::relaxed("WRITE_ONCE"));
            let tasks = match finder_first {
                true => [spawn("finder", HERE, finder), spawn("freer", HERE, freer)],
                false => [spawn("freer", HERE, freer), spawn("finder", HERE, finder)],
            };
            tasks.into_iter().for_each(join);
        });
        seen.counterexample.expect("found").engine
    };
    assert_eq!(["dpor", "dfs"], [engine(false), engine(true)]);
}

#[test]
fn machines_differ_in_what_they_can_do() {
    for engine in Engine::ALL {
        let body = move || {
            let is_right = abilities().memory == engine.memory_model();
            let word = word();
            with_a_bystander(|| join(writer(&word, "writer")));
            if !is_right {
                fail(RULE, "another memory model");
            }
        };
        assert_ne!(run(engine, body).verdict, Verdict::Violated, "{engine}");
    }
}
