//! Why a small program fails: the fewest preemptions, the orders that it takes, the step that
//! decides.

use std::sync::Arc;

use selvedge_explore::{
    Access, Body, Bounds, Engine, Lock, Place, Word, choose, enter, explain, explore, fail, join,
    replay, spawn,
};
use selvedge_trace::{Condition, Context, Counterexample, Explanation, Name, Rule, why};

const BROKEN: Rule = Rule("what was looked at stays so");

fn word(text: &'static str) -> Arc<Word> {
    Arc::new(Word::new(Name::new(text), 0))
}

fn read(word: &Word) -> u64 {
    word.load(Access::relaxed("READ_ONCE"))
}

fn write(word: &Word) {
    word.store(1, Access::relaxed("WRITE_ONCE"));
}

fn task(cpu: usize, name: &'static str, body: impl FnOnce() + Send + 'static) -> usize {
    let place = Place { cpu: Some(cpu), context: Context::Task, passes: [None, None] };
    spawn(name, place, move || {
        let _in = enter(name);
        body();
    })
}

/// Two tasks that have many executions, none of which matters.
fn noise(cpus: [usize; 2]) {
    let noise = word("noise");
    let count = |cpu| {
        let noise = noise.clone();
        task(cpu, "noise", move || {
            for _ in 0..4 {
                let seen = read(&noise);
                noise.store(seen + 1, Access::relaxed("WRITE_ONCE"));
            }
        })
    };
    cpus.map(count).into_iter().for_each(join);
}

/// One task installs unless it is forbidden; the other forbids it and then looks whether something
/// is installed. Between its look at `forbidden` and its write to `slot` both may happen.
fn check_then_act() -> Body {
    Arc::new(|| {
        let (forbidden, slot, own) = (word("forbidden"), word("slot"), word("own"));
        let (f, s) = (forbidden.clone(), slot.clone());
        let installer = task(0, "install", move || {
            let allowed = read(&f) == 0;
            write(&own);
            read(&own);
            if allowed {
                write(&s);
            }
        });
        let (f, s) = (forbidden.clone(), slot.clone());
        let drainer = task(1, "drain", move || {
            write(&f);
            if read(&s) == 1 {
                s.store(0, Access::relaxed("clear"));
            }
        });
        join(installer);
        join(drainer);
        if read(&slot) == 1 {
            fail(BROKEN, "it is still installed");
        }
    })
}

fn found(body: &Body) -> Counterexample {
    explore(Engine::Dpor, &Bounds::PROOF, Vec::new(), body.clone()).counterexample.expect("fails")
}

fn explained(body: &Body) -> (Counterexample, Explanation) {
    let cx = explain(&Bounds::PROOF, Vec::new(), body, &found(body)).expect("can be explained");
    let why = cx.explanation.clone().expect("is explained");
    (cx, why)
}

fn at(cx: &Counterexample, task: &str, primitive: &str, object: &str) -> usize {
    let is_it = |step: &selvedge_trace::Record| {
        cx.tasks[usize::from(step.task)].name == task
            && step.primitive == primitive
            && step.object == object
    };
    cx.steps.iter().position(is_it).unwrap_or_else(|| panic!("no {task} {primitive} {object}"))
}

/// Each of the two orders can be had without the other, and then nothing fails.
#[test]
fn check_then_act_fails_exactly_when_both_looks_come_first() {
    let (cx, why) = explained(&check_then_act());
    let before =
        |a, b| Condition::Order { before: a, after: Some(b), blocked: None, passing: None };
    let looks = at(&cx, "install", "READ_ONCE", "forbidden");
    let forbids = at(&cx, "drain", "WRITE_ONCE", "forbidden");
    let drains = at(&cx, "drain", "READ_ONCE", "slot");
    let installs = at(&cx, "install", "WRITE_ONCE", "slot");
    assert_eq!(why.conditions, [before(looks, forbids), before(drains, installs)]);
    assert!(why.necessary && why.sufficient && why.limits.is_empty(), "{why:#?}");
    assert_eq!((why.executions, why.failing), (3, 1));
    assert_eq!(
        why.sentence,
        "fails exactly when CPU0 install's READ_ONCE(forbidden) in install() happens before CPU1 \
         drain's WRITE_ONCE(forbidden) in drain(), and CPU1 drain's READ_ONCE(slot) in drain() \
         happens before CPU0 install's WRITE_ONCE(slot) in install()"
    );
}

/// Without a preemption the one task runs to its end before the other begins.
#[test]
fn it_takes_one_preemption_and_is_decided_by_the_second_look() {
    let (cx, why) = explained(&check_then_act());
    assert_eq!((why.preemptions, why.fewest), (1, true));
    assert_eq!(why.decisive, Some(at(&cx, "drain", "READ_ONCE", "slot")));
    let passing = why.passing.as_ref().expect("it could have gone otherwise");
    let first = &passing.steps[0];
    assert_eq!(passing.tasks[usize::from(first.task)].name, "install");
    let own = at(&cx, "install", "WRITE_ONCE", "own");
    assert!(why.unneeded.contains(&own), "{:?}", why.unneeded);
}

#[test]
fn the_same_program_is_explained_alike_every_time() {
    let first = explained(&check_then_act());
    assert_eq!(explained(&check_then_act()), first);
    assert_eq!(explained(&check_then_act()), first);
}

#[test]
fn the_text_says_what_was_proven_and_marks_what_decides() {
    let text = why(&explained(&check_then_act()).0);
    for part in [
        "^^^^ decided here",
        "…",
        "necessary",
        "no execution with fewer fails",
        "3, of which 1 fails",
    ] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 75), "{text}");
}

#[test]
fn what_is_cut_short_is_said() {
    let body = check_then_act();
    let bounds = Bounds { executions_max: 1, ..Bounds::PROOF };
    let cx = explain(&bounds, Vec::new(), &body, &found(&body)).expect("is still a violation");
    let explanation = cx.explanation.clone().expect("is explained as far as it goes");
    assert!(!explanation.fewest && !explanation.sufficient);
    assert_eq!(explanation.sentence, "");
    let limits = explanation.limits.join("\n");
    assert!(limits.contains("the limit of 1 executions"), "{limits}");
    assert!(why(&cx).contains("Not decided: "), "{}", why(&cx));
}

/// All executions are too many: what is said is of those that begin as the failing one does.
#[test]
fn of_too_many_executions_those_with_one_beginning_are_compared() {
    let body: Body = Arc::new(|| {
        noise([2, 3]);
        check_then_act()();
    });
    let bounds = Bounds { executions_max: 100, ..Bounds::PROOF };
    let cx = explain(&bounds, Vec::new(), &body, &found(&body)).expect("can be explained");
    let text = why(&cx);
    let why = cx.explanation.as_ref().expect("is explained");
    let limits = why.limits.join("\n");
    assert!(limits.contains("of all executions is not known: the limit of 100"), "{limits}");
    assert!(why.from.is_some() && why.decisive > why.from, "{why:#?}");
    // Of the others it says nothing, and these fail as without the noise.
    let alone = explained(&check_then_act()).1.sentence;
    let (said, beginning) =
        why.sentence.split_once("; that is, if all is as here before ").expect("both");
    assert_eq!(said, alone);
    assert!(beginning.starts_with("CPU"), "{beginning}");
    assert!(text.contains("All executions that begin so, up to"), "{text}");
    assert!(why.executions <= 25 && why.failing < why.executions, "{why:#?}");
}

#[test]
fn what_always_fails_has_nothing_that_decides() {
    let body: Body = Arc::new(|| {
        let word = word("x");
        write(&word);
        fail(BROKEN, "always");
    });
    let (_, why) = explained(&body);
    assert_eq!((why.decisive, why.sentence.as_str()), (None, "fails in every execution"));
}

#[test]
fn a_choice_can_be_what_it_takes() {
    let body: Body = Arc::new(|| {
        let other = task(0, "other", || {
            if choose("a signal", 2) == 1 {
                fail(BROKEN, "killed");
            }
        });
        join(other);
    });
    let (cx, why) = explained(&body);
    let choice = at(&cx, "other", "a signal", "");
    assert_eq!(why.conditions, [Condition::Choice { step: choice }]);
    assert!(why.sentence.ends_with("other's a signal in other() is 1"), "{}", why.sentence);
}

/// Two tasks take two locks crosswise: each must have its first one before the other wants it.
#[test]
fn a_deadlock_is_explained_by_who_has_what_before_the_other_wants_it() {
    let body: Body = Arc::new(|| {
        let locks = [0, 1].map(|n| Arc::new(Lock::new(Name::new("lock").nth(n))));
        let both = |first: usize, name: &'static str| {
            let locks = locks.clone();
            task(first, name, move || {
                for lock in [&locks[first], &locks[1 - first]] {
                    lock.lock("spin_lock");
                }
                for lock in [&locks[1 - first], &locks[first]] {
                    lock.unlock("spin_unlock");
                }
            })
        };
        let tasks = [both(0, "left"), both(1, "right")];
        tasks.into_iter().for_each(join);
    });
    let (cx, why) = explained(&body);
    assert!(why.necessary && why.sufficient, "{why:#?}");
    assert_eq!(why.conditions.len(), 2, "{why:#?}");
    let waits = |condition: &Condition| matches!(condition, Condition::Order { after: None, .. });
    assert!(why.conditions.iter().all(waits), "{why:#?}");
    assert_eq!(cx.blocked.len(), 3, "both, and main: {:?}", cx.blocked);
}

/// The failing execution ends at the violation, before the step that could have prevented it.
#[test]
fn a_step_that_never_happens_can_be_what_comes_too_late() {
    let body: Body = Arc::new(|| {
        let (ready, taken) = (word("ready"), word("taken"));
        let r = ready.clone();
        let maker = task(0, "maker", move || write(&r));
        let user = task(1, "user", move || {
            write(&taken);
            if read(&ready) == 0 {
                fail(BROKEN, "not ready");
            }
        });
        join(user);
        join(maker);
    });
    let (cx, why) = explained(&body);
    let looks = at(&cx, "user", "READ_ONCE", "ready");
    let order = |passing| Condition::Order { before: looks, after: None, blocked: None, passing };
    let passing = why.passing.as_ref().expect("it could have gone otherwise");
    let is_it = |step: &selvedge_trace::Record| step.primitive == "WRITE_ONCE";
    assert_eq!(why.conditions, [order(passing.steps.iter().position(is_it))], "{why:#?}");
    assert!(why.necessary && why.sufficient && why.limits.is_empty(), "{why:#?}");
    assert_eq!(
        why.sentence,
        "fails exactly when CPU1 user's READ_ONCE(ready) in user() happens before CPU0 maker's \
         WRITE_ONCE(ready) in maker()"
    );
}

/// So many readers, each of which fails if it is too late.
fn readers(names: &'static [&'static str]) -> Body {
    Arc::new(move || {
        let x = word("x");
        let reader = |(cpu, &name): (usize, &&'static str)| {
            let x = x.clone();
            task(cpu, name, move || {
                if read(&x) == 1 {
                    fail(BROKEN, "too late");
                }
            })
        };
        let readers: Vec<usize> = names.iter().enumerate().map(reader).collect();
        write(&x);
        readers.into_iter().for_each(join);
    })
}

/// Either of two readers that is too late fails: neither order is necessary.
#[test]
fn all_ways_to_fail_are_told() {
    let (_, why) = explained(&readers(&["left", "right"]));
    assert!(!why.necessary && why.exhaustive && why.sufficient, "{why:#?}");
    assert!(why.limits.is_empty(), "{:?}", why.limits);
    let way = |cpu, name: &str| {
        format!("main's WRITE_ONCE(x) happens before CPU{cpu} {name}'s READ_ONCE(x) in {name}()")
    };
    let ways = [[way(0, "left"), way(1, "right")], [way(1, "right"), way(0, "left")]];
    let said = ways.map(|[one, other]| format!("fails exactly when ({one}), or ({other})"));
    assert!(said.contains(&why.sentence), "{}", why.sentence);
    assert_eq!((why.executions, why.failing), (4, 3));
}

#[test]
fn more_ways_to_fail_than_a_reader_wants_to_know_are_mentioned() {
    let (_, why) = explained(&readers(&["a", "b", "c", "d", "e"]));
    assert!(!why.necessary && !why.exhaustive && why.sufficient, "{why:#?}");
    assert_eq!(why.alternatives.len(), 3, "{:?}", why.alternatives);
    assert!(why.sentence.ends_with("; there are other ways to fail"), "{}", why.sentence);
    assert_eq!(why.limits.len(), 1, "{:?}", why.limits);
    assert!(why.limits[0].ends_with("more than 4 are not told"), "{:?}", why.limits);
}

/// One way takes two orders, the other one: what is installed for ever, and what is seen too late.
#[test]
fn a_way_of_two_orders_and_one_of_one_are_told_apart() {
    let body: Body = Arc::new(|| {
        let seen = word("seen");
        let s = seen.clone();
        let looks = task(2, "look", move || {
            if read(&s) == 1 {
                fail(BROKEN, "too late");
            }
        });
        let s = seen.clone();
        let writes = task(3, "write", move || write(&s));
        check_then_act()();
        [looks, writes].into_iter().for_each(join);
    });
    let (_, why) = explained(&body);
    assert!(why.exhaustive && why.limits.is_empty(), "{why:#?}");
    let late = "CPU3 write's WRITE_ONCE(seen) in write() happens before CPU2 look's \
                READ_ONCE(seen) in look()";
    let alone = explained(&check_then_act()).1.sentence;
    let both = alone.strip_prefix("fails exactly when ").expect("known");
    assert_eq!(why.alternatives.len(), 1, "{:?}", why.alternatives);
    for way in [format!("({late})"), format!("({both})")] {
        assert!(why.sentence.contains(&way), "no {way} in {}", why.sentence);
    }
}

/// Also where all executions are too many, of those with one beginning. Of each order of the noise
/// there are four, and to rule one out that passes takes at least one of these.
#[test]
fn all_ways_are_told_of_too_many_executions() {
    let body: Body = Arc::new(|| {
        noise([0, 1]);
        readers(&["left", "right"])();
    });
    let all = explained(&body).1;
    let bounds = Bounds { executions_max: all.executions / 4, ..Bounds::PROOF };
    let cx = explain(&bounds, Vec::new(), &body, &found(&body)).expect("can be explained");
    let why = cx.explanation.expect("is explained");
    assert!(why.exhaustive && why.from.is_some(), "{:?}", why.limits);
    assert_eq!(why.alternatives.len(), 1, "{}", why.sentence);
    let (said, _) = why.sentence.split_once("; that is, if all is as here before ").expect("both");
    for (cpu, name) in [(0, "left"), (1, "right")] {
        let way = format!("CPU{cpu} {name}'s READ_ONCE(x) in {name}())");
        assert!(said.contains(&way), "no {way} in {said}");
    }
}

/// What fails before the noise is soon known to do so; of what fails after it that takes more.
#[test]
fn a_way_that_is_proved_is_told_without_another_that_is_not() {
    let body: Body = Arc::new(|| {
        readers(&["early"])();
        noise([0, 1]);
        readers(&["late"])();
    });
    let all = explained(&body).1;
    assert!(all.exhaustive && all.alternatives.len() == 1, "{}", all.sentence);
    let bounds = Bounds { executions_max: all.executions / 4, ..Bounds::PROOF };
    let cx = explain(&bounds, Vec::new(), &body, &found(&body)).expect("can be explained");
    let why = cx.explanation.expect("is explained");
    assert_eq!(
        why.sentence,
        "fails whenever main's WRITE_ONCE(x) happens before CPU0 early's READ_ONCE(x) in early(); \
         there are other ways to fail"
    );
    assert!(why.sufficient && !why.others_unknown && why.from.is_none(), "{why:#?}");
    assert_eq!(why.limits.len(), 1, "{:?}", why.limits);
    let limit = format!("which other ways to fail there are: the limit of {}", all.executions / 4);
    assert!(why.limits[0].starts_with(&limit), "{:?}", why.limits);
}

#[test]
fn a_schedule_is_followed_and_one_of_another_program_is_not() {
    let body = check_then_act();
    let cx = found(&body);
    let again = replay(&Bounds::PROOF, Vec::new(), &body, &cx.schedule);
    assert!(again.is_violated() && again.stopped.is_none());
    assert_eq!((&again.execution.steps, again.execution.fatal), (&cx.steps, cx.fatal));
    let other: Body = Arc::new(|| write(&word("x")));
    let other = replay(&Bounds::PROOF, Vec::new(), &other, &cx.schedule);
    assert!(other.stopped.is_some() && !other.is_violated());
}

#[test]
fn a_program_that_does_not_break_the_rule_is_not_explained() {
    let cx = found(&check_then_act());
    let other: Body = Arc::new(|| write(&word("x")));
    assert!(explain(&Bounds::PROOF, Vec::new(), &other, &cx).is_err());
}

/// All executions are too many. One that has the orders and passes is ruled out without running
/// the noise; that none fails without them takes more, and is said only if it was found out.
#[test]
fn of_too_many_executions_those_that_could_contradict_are_looked_for() {
    let body: Body = Arc::new(|| {
        let (ready, seen) = (word("ready"), word("seen"));
        let r = ready.clone();
        let maker = task(0, "maker", move || write(&r));
        let (r, s) = (ready.clone(), seen.clone());
        let user = task(1, "user", move || {
            s.store(1 + read(&r), Access::relaxed("WRITE_ONCE"));
        });
        [maker, user].into_iter().for_each(join);
        if read(&seen) == 1 {
            fail(BROKEN, "not ready");
        }
        noise([0, 1]);
    });
    let all = explained(&body).1;
    assert!(all.necessary && all.conditions.len() == 1, "{}", all.sentence);
    let bounds = Bounds { executions_max: all.executions / 10, ..Bounds::PROOF };
    let cx = explain(&bounds, Vec::new(), &body, &found(&body)).expect("can be explained");
    let why = cx.explanation.expect("is explained");
    assert_eq!((&why.conditions, why.from), (&all.conditions, None), "{:?}", why.limits);
    assert!(why.others_unknown && !why.necessary && why.sufficient, "{}", why.sentence);
    let unknown = "; whether there are other ways to fail is not known";
    assert!(why.sentence.ends_with(unknown), "{}", why.sentence);
    assert_eq!((why.limits.len(), why.executions), (1, 0), "{:?}", why.limits);
}
