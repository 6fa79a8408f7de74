//! Loops without a bound under fair schedules: random programs against a search of their states,
//! and the lassos of known livelocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, Lock, Place, Rmw, Token, Verdict, Word, explore,
    join, replay, spawn,
};
use selvedge_trace::{
    AGAIN, ActionKind, Context, Counterexample, ENDLESS_LOOPS_END, NOBODY_WAITS_FOR_EVER, Name,
    table,
};

/// What a task does. Words are 0 at first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Do {
    Read(usize),
    Write(usize, u64),
    /// Reads until it finds this.
    Spin(usize, u64),
    /// Reads both until it finds these; begins anew when one is something else.
    SpinBoth((usize, u64), (usize, u64)),
    /// Takes a lock, then tries the other one; gives back the first and begins anew if that is
    /// held. Writes, when it has both, and gives them back.
    Both(usize, u64),
    /// Wakes who sleeps on this token, or will.
    Wake(usize),
    /// Reads until it finds this, and sleeps on a token in between.
    Sleep((usize, u64), usize),
    /// The same, and wakes in between.
    Nudge((usize, u64), usize),
}
use Do::{Both, Nudge, Read, Sleep, Spin, SpinBoth, Wake, Write};

type Program = Vec<Vec<Do>>;

/// What the tasks have read, then the words.
type Outcome = Vec<Vec<u64>>;

const WORDS: usize = 2;

/// A program of more executions is not compared.
const EXECUTIONS_MAX: u64 = 3_000;

/// Was the search cut by that?
fn is_too_large(seen: &Exploration) -> bool {
    let is_cut = |why: Option<&str>| why.is_some_and(|why| why.starts_with("the limit of"));
    let violations = seen.violations.as_ref();
    is_cut(seen.verdict.bound()) || is_cut(violations.and_then(|all| all.cut.as_deref()))
}

/// What the tasks share.
struct Shared {
    words: [Word; WORDS],
    locks: [Lock; 2],
    tokens: [Token; 2],
}

impl Shared {
    fn new() -> Shared {
        Shared {
            words: [0, 1].map(|nth| Word::new(Name::new("word").nth(nth), 0)),
            locks: [0, 1].map(|nth| Lock::new(Name::new("lock").nth(nth))),
            tokens: [0, 1].map(|nth| Token::new(Name::new("token").nth(nth))),
        }
    }
}

fn read(word: &Word) -> u64 {
    word.load(Access::relaxed("read"))
}

fn act(one: Do, shared: &Shared, log: &mut Vec<u64>) {
    let Shared { words, locks, tokens } = shared;
    let write = |word: usize, value| words[word].store(value, Access::relaxed("write"));
    match one {
        Read(word) => log.push(read(&words[word])),
        Write(word, value) => write(word, value),
        Spin(word, value) => while read(&words[word]) != value {},
        SpinBoth(one, other) => while [one, other].iter().any(|of| read(&words[of.0]) != of.1) {},
        Both(first, value) => {
            loop {
                locks[first].lock("lock");
                if locks[1 - first].try_lock("trylock") {
                    break;
                }
                locks[first].unlock("unlock");
            }
            write(first, value);
            locks[1 - first].unlock("unlock");
            locks[first].unlock("unlock");
        }
        Wake(token) => tokens[token].wake("wake_up_process"),
        Sleep((word, value), token) => {
            while read(&words[word]) != value {
                tokens[token].wait("schedule", true);
            }
        }
        Nudge((word, value), token) => {
            while read(&words[word]) != value {
                tokens[token].wake("wake_up_process");
            }
        }
    }
}

fn body(program: &Program, outcomes: &Arc<Mutex<BTreeSet<Outcome>>>) -> Body {
    let (program, outcomes) = (program.clone(), outcomes.clone());
    Arc::new(move || {
        let shared = Arc::new(Shared::new());
        let logs = Arc::new(Mutex::new(vec![Vec::new(); program.len()]));
        let task = |(me, steps): (usize, Vec<Do>)| {
            let (shared, logs) = (shared.clone(), logs.clone());
            let here = Place { cpu: Some(me), context: Context::Task, passes: [None, None] };
            spawn("task", here, move || {
                let mut log = Vec::new();
                steps.into_iter().for_each(|one| act(one, &shared, &mut log));
                logs.lock().unwrap()[me] = log;
            })
        };
        let tasks: Vec<usize> = program.iter().cloned().enumerate().map(task).collect();
        tasks.into_iter().for_each(join);
        let mut outcome = logs.lock().unwrap().clone();
        outcome.push(shared.words.iter().map(Word::peek).collect());
        outcomes.lock().unwrap().insert(outcome);
    })
}

fn run(engine: Engine, program: &Program) -> (Exploration, BTreeSet<Outcome>) {
    let outcomes = Arc::default();
    let bounds = Bounds { steps_max: 200, keep_going: true, ..Bounds::PROOF };
    let bounds = Bounds { executions_max: EXECUTIONS_MAX, ..bounds };
    let seen = explore(engine, &bounds, Vec::new(), body(program, &outcomes));
    let outcomes = std::mem::take(&mut *outcomes.lock().unwrap());
    (seen, outcomes)
}

/// A state of the program: the words, who holds the locks, which tokens are set, and of each task
/// which of its steps is next, how far it is in that, and what it has read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct State {
    words: [u64; WORDS],
    locks: [Option<usize>; 2],
    tokens: [bool; 2],
    tasks: Vec<(usize, usize, Vec<u64>)>,
}

impl State {
    /// After the next step of the task; `None`: it has ended, or waits.
    fn after(&self, program: &Program, task: usize) -> Option<State> {
        let mut next = self.clone();
        let (at, within, log) = &mut next.tasks[task];
        let is_free = |lock: usize| self.locks[lock].is_none();
        let done = match (*program[task].get(*at)?, *within) {
            (Read(word), _) => {
                log.push(self.words[word]);
                true
            }
            (Write(word, value), _) => {
                next.words[word] = value;
                true
            }
            (Spin(word, value), _) => self.words[word] == value,
            (SpinBoth(one, other), _) => {
                let (word, value) = if *within == 0 { one } else { other };
                let found = self.words[word] == value;
                let is_last = *within == 1;
                *within = usize::from(found && !is_last);
                found && is_last
            }
            (Both(first, _), 0) => {
                if !is_free(first) {
                    return None;
                }
                next.locks[first] = Some(task);
                *within = 1;
                false
            }
            (Both(first, _), 1) => {
                *within = if is_free(1 - first) { 3 } else { 2 };
                if *within == 3 {
                    next.locks[1 - first] = Some(task);
                }
                false
            }
            (Both(first, _), 2) => {
                next.locks[first] = None;
                *within = 0;
                false
            }
            (Both(first, value), 3) => {
                next.words[first] = value;
                *within = 4;
                false
            }
            (Both(first, _), 4) => {
                next.locks[1 - first] = None;
                *within = 5;
                false
            }
            (Both(first, _), _) => {
                next.locks[first] = None;
                true
            }
            (one @ (Wake(_) | Sleep(..) | Nudge(..)), _) => {
                self.sleeps_or_wakes(one, within, &mut next.tokens)?
            }
        };
        if done {
            (*at, *within) = (*at + 1, 0);
        }
        Some(next)
    }

    /// Is it done with that? `None`: it sleeps.
    fn sleeps_or_wakes(&self, one: Do, within: &mut usize, tokens: &mut [bool; 2]) -> Option<bool> {
        let (until, token, wakes) = match one {
            Sleep(until, token) => (until, token, false),
            Nudge(until, token) => (until, token, true),
            Wake(token) => {
                tokens[token] = true;
                return Some(true);
            }
            _ => unreachable!("it sleeps or wakes"),
        };
        let is_look = *within == 0;
        *within = usize::from(is_look);
        if is_look {
            return Some(self.words[until.0] == until.1);
        }
        let goes_on = wakes || self.tokens[token];
        tokens[token] = wakes;
        goes_on.then_some(false)
    }

    fn first(tasks: Vec<(usize, usize, Vec<u64>)>) -> State {
        State { words: [0; WORDS], locks: [None; 2], tokens: [false; 2], tasks }
    }

    fn outcome(&self, program: &Program) -> Option<Outcome> {
        let is_over = self.tasks.iter().zip(program).all(|((at, ..), steps)| *at == steps.len());
        let logs = self.tasks.iter().map(|(.., log)| log.clone());
        is_over.then(|| logs.chain([self.words.to_vec()]).collect())
    }
}

/// How all fair executions may end, and whether one may not: whether there is a state from which no
/// end can be reached.
fn by_states(program: &Program) -> (BTreeSet<Outcome>, bool) {
    let tasks = vec![(0, 0, Vec::new()); program.len()];
    let mut left = vec![State::first(tasks)];
    let mut before: BTreeMap<State, Vec<State>> = BTreeMap::from([(left[0].clone(), Vec::new())]);
    let (mut outcomes, mut ends) = (BTreeSet::new(), Vec::new());
    while let Some(state) = left.pop() {
        if let Some(outcome) = state.outcome(program) {
            outcomes.insert(outcome);
            ends.push(state.clone());
        }
        for next in (0..program.len()).filter_map(|task| state.after(program, task)) {
            let known = before.entry(next.clone()).or_insert_with(|| {
                left.push(next);
                Vec::new()
            });
            known.push(state.clone());
        }
    }
    let mut can_end: BTreeSet<State> = ends.iter().cloned().collect();
    while let Some(state) = ends.pop() {
        let new = before[&state].iter().filter(|state| can_end.insert((*state).clone()));
        ends.extend(new.cloned());
    }
    (outcomes, can_end.len() < before.len())
}

fn step() -> impl Strategy<Value = Do> {
    let (word, value) = (0..WORDS, 0..3u64);
    prop_oneof![
        2 => (word.clone()).prop_map(Read),
        4 => (word.clone(), value.clone()).prop_map(|(w, v)| Write(w, v)),
        3 => (word.clone(), value.clone()).prop_map(|(w, v)| Spin(w, v)),
        2 => (value.clone(), value.clone(), any::<bool>()).prop_map(|(v, w, swapped)| {
            if swapped { SpinBoth((1, v), (0, w)) } else { SpinBoth((0, v), (1, w)) }
        }),
    ]
}

fn programs(step: impl Strategy<Value = Do>) -> impl Strategy<Value = Program> {
    prop::collection::vec(prop::collection::vec(step, 1..=3), 2..=3)
        .prop_filter("small", |tasks| tasks.iter().map(Vec::len).sum::<usize>() <= 6)
}

fn is_bounded(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::HoldsWithin(why) if why.starts_with("fair schedules"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
    ))]

    /// Rounds of reads: all fair executions are found, and every livelock.
    #[test]
    fn loops_that_look_end_as_in_a_search_of_states(program in programs(step())) {
        let (outcomes, may_hang) = by_states(&program);
        let steps: usize = program.iter().map(Vec::len).sum();
        let engines = [Engine::Dpor, Engine::Dfs];
        for engine in engines.into_iter().take(if steps > 3 { 1 } else { 2 }) {
            let (seen, found) = run(engine, &program);
            prop_assume!(!is_too_large(&seen));
            prop_assert_eq!(&found, &outcomes, "{}: {}", engine, seen.verdict);
            match &seen.verdict {
                Verdict::Violated => prop_assert!(may_hang, "{engine}"),
                Verdict::Holds => prop_assert!(!may_hang, "{engine}"),
                within => prop_assert!(!may_hang && is_bounded(within), "{engine}: {within}"),
            }
        }
    }

    /// Rounds that take a lock and give it back: the same, but that tasks may keep each other from
    /// going on although each could.
    #[test]
    fn loops_that_put_back_end_as_in_a_search_of_states(
        program in programs(prop_oneof![
            1 => step(), 1 => (0..2usize, 1..3u64).prop_map(|(lock, value)| Both(lock, value))
        ])
    ) {
        let (outcomes, may_hang) = by_states(&program);
        let (seen, found) = run(Engine::Dpor, &program);
        prop_assume!(!is_too_large(&seen));
        prop_assert_eq!(&found, &outcomes, "{}", seen.verdict);
        prop_assert!(!may_hang || seen.verdict == Verdict::Violated, "{}", seen.verdict);
        prop_assert!(!matches!(seen.verdict, Verdict::Undecided(_)), "{}", seen.verdict);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
    ))]

    /// Rounds that sleep and wake: what is said is so, if something is.
    #[test]
    fn what_is_said_of_loops_with_sleeps_is_so_in_a_search_of_states(
        program in programs(prop_oneof![
            2 => step(),
            1 => (0..2usize).prop_map(Wake),
            2 => ((0..WORDS, 0..2u64), 0..2usize).prop_map(|(until, token)| Sleep(until, token)),
            1 => ((0..WORDS, 0..2u64), 0..2usize).prop_map(|(until, token)| Nudge(until, token)),
        ])
    ) {
        let (outcomes, may_hang) = by_states(&program);
        let (seen, found) = run(Engine::Dpor, &program);
        prop_assume!(!is_too_large(&seen));
        prop_assert!(found.is_subset(&outcomes), "{}", seen.verdict);
        match &seen.verdict {
            Verdict::Violated => prop_assert!(may_hang),
            Verdict::Undecided(why) => {
                prop_assert!(why.contains("keeps") || why.contains("keep each other"), "{why}");
            }
            holds => prop_assert!(!may_hang && found == outcomes, "{holds}"),
        }
    }
}

/// The steps of the round, each with the number of its task.
fn repeated(cx: &Counterexample) -> Vec<(u8, &str, &str)> {
    let is_remark = |s: &selvedge_trace::Record| s.action == ActionKind::Mark && s.detail == AGAIN;
    let at = cx.steps.iter().position(is_remark).expect("where the round begins");
    cx.steps[at + 1..].iter().map(|s| (s.task, s.primitive.as_str(), s.object.as_str())).collect()
}

fn livelock(program: &[&[Do]]) -> Counterexample {
    let program: Program = program.iter().map(|task| task.to_vec()).collect();
    let (seen, _) = run(Engine::Dpor, &program);
    assert_eq!(seen.verdict, Verdict::Violated);
    let found = seen.counterexample.expect("a lasso");
    assert_eq!(found.rule, ENDLESS_LOOPS_END.0);
    let bounds = Bounds { steps_max: 200, ..Bounds::PROOF };
    let again = replay(&bounds, Vec::new(), &body(&program, &Arc::default()), &found.schedule);
    let replayed = Counterexample {
        schedule: found.schedule.clone(),
        engine: found.engine.clone(),
        memory_model: found.memory_model.clone(),
        ..again.execution
    };
    assert_eq!(replayed, found);
    found
}

#[test]
fn a_lasso_is_how_it_came_to_the_round_and_the_round() {
    let found = livelock(&[&[SpinBoth((0, 1), (1, 1))], &[Write(0, 1)]]);
    assert_eq!(repeated(&found), [(1, "read", "word[0]"), (1, "read", "word[1]")]);
    assert_eq!(
        found.message,
        "CPU0 task goes round for ever, in a fair schedule too: the last 2 steps again and again, \
         and nobody else can go on"
    );
    assert!(found.steps.len() < 30, "{} steps", found.steps.len());
    let table = table(&found);
    assert_eq!(table.matches("^^^^ from here on again and again").count(), 1, "{table}");
}

/// Each goes round because of the other, who has ended, or will not end.
#[test]
fn several_may_go_round() {
    let found = livelock(&[&[Spin(0, 1)], &[Spin(1, 1)]]);
    assert_eq!(repeated(&found), [(1, "read", "word[0]"), (2, "read", "word[1]")]);
}

/// Each takes a lock, finds the other one taken, and gives back its own: for ever in step, though
/// either could have both if the other waited a moment.
#[test]
fn two_who_give_way_to_each_other_are_a_livelock() {
    let found = livelock(&[&[Both(0, 1)], &[Both(1, 1)]]);
    let round = repeated(&found);
    assert!(round.iter().any(|step| step.0 == 1) && round.iter().any(|step| step.0 == 2));
    let failed = found.steps.iter().filter(|s| s.action == ActionKind::TryLockFailed).count();
    assert!(failed >= 6, "each three times: {failed}");
}

/// Who waits could go on when the round gives its lock back: not fair, so no livelock; that a task
/// waits for ever all the same is none of the loop's.
#[test]
fn who_is_let_go_within_a_round_is_not_starved() {
    let holder: &[Do] = &[Both(1, 1)];
    let (seen, _) = run(Engine::Dpor, &vec![holder.to_vec(), vec![Spin(0, 1)], vec![Write(0, 1)]]);
    assert!(is_bounded(&seen.verdict), "{}", seen.verdict);
    assert!(seen.violations.is_none());
    assert_ne!(NOBODY_WAITS_FOR_EVER, ENDLESS_LOOPS_END);
}

/// What is said of a search in which loops were bounded.
#[test]
fn a_loop_that_ends_in_fair_schedules_holds_within_them() {
    let (seen, _) = run(Engine::Dpor, &vec![vec![Spin(0, 1)], vec![Write(0, 1)]]);
    assert_eq!(
        seen.verdict.to_string(),
        "holds within fair schedules (at most 3 rounds in a row that are the same of a loop of \
         the scenario: read())"
    );
    assert!(!seen.is_complete());
}

/// What each of two tasks does to words and tokens, for ever or until the other has ended it.
fn two(engine: Engine, bounds: &Bounds, tasks: [fn(&Shared); 2]) -> Exploration {
    let body = move || {
        let shared = Arc::new(Shared::new());
        let started = tasks.into_iter().enumerate().map(|(cpu, task)| {
            let shared = shared.clone();
            let here = Place { cpu: Some(cpu), context: Context::Task, passes: [None, None] };
            spawn("task", here, move || task(&shared))
        });
        started.collect::<Vec<_>>().into_iter().for_each(join);
    };
    explore(engine, bounds, Vec::new(), Arc::new(body))
}

const SHORT: Bounds = Bounds { steps_max: 400, ..Bounds::PROOF };

/// Rounds that sleep and wake are rounds like others. Who only wakes itself, and waits for nobody,
/// goes round for ever.
#[test]
fn a_loop_with_sleeps_in_it_ends_if_somebody_ends_it() {
    let sleeps_until_told: fn(&Shared) = |shared| {
        while read(&shared.words[0]) == 0 {
            shared.tokens[0].wake("wake_up_process");
            shared.tokens[0].wait("schedule", true);
        }
    };
    let seen = two(
        Engine::Dpor,
        &SHORT,
        [sleeps_until_told, |shared| {
            shared.words[0].store(1, Access::relaxed("write"));
        }],
    );
    assert!(is_bounded(&seen.verdict), "{}", seen.verdict);
    let seen = two(Engine::Dpor, &SHORT, [sleeps_until_told, |_| {}]);
    assert_eq!(seen.verdict, Verdict::Violated);
    let found = seen.counterexample.expect("a lasso");
    assert_eq!(found.rule, ENDLESS_LOOPS_END.0);
    let (wakes, sleeps) = ((1, "wake_up_process", "token[0]"), (1, "schedule", "token[0]"));
    assert_eq!(repeated(&found), [(1, "read", "word[0]"), wakes, sleeps]);
}

/// Two who wake each other, and would for ever: nobody's rounds are for nothing.
#[test]
fn two_who_keep_each_other_going_are_undecided_and_named() {
    fn plays<const ME: usize>(shared: &Shared) {
        loop {
            shared.tokens[1 - ME].wake("wake_up_process");
            shared.tokens[ME].wait("schedule", true);
        }
    }
    let seen = two(Engine::Dpor, &SHORT, [plays::<0>, plays::<1>]);
    let Verdict::Undecided(why) = &seen.verdict else { panic!("{}", seen.verdict) };
    assert!(why.contains("CPU0 task") && why.contains("CPU1 task"), "{why}");
    // Though one of them ends it, when it has been woken more often than rounds are allowed.
    let counts: fn(&Shared) = |shared| {
        for _ in 0..10 {
            shared.tokens[0].wake("wake_up_process");
            shared.tokens[1].wait("schedule", true);
        }
        shared.words[0].store(1, Access::relaxed("write"));
        shared.tokens[0].wake("wake_up_process");
    };
    let until_told: fn(&Shared) = |shared| {
        while read(&shared.words[0]) == 0 {
            shared.tokens[1].wake("wake_up_process");
            shared.tokens[0].wait("schedule", true);
        }
    };
    let seen = two(Engine::Dpor, &SHORT, [until_told, counts]);
    assert!(!matches!(seen.verdict, Verdict::Violated), "it ends: {}", seen.verdict);
}

/// A sleep that nobody ends is none of the loop's.
#[test]
fn who_sleeps_in_a_loop_and_is_not_woken_waits_for_ever() {
    let sleeps: fn(&Shared) = |shared| {
        while read(&shared.words[0]) == 0 {
            shared.tokens[0].wait("schedule", true);
        }
    };
    let wakes_once: fn(&Shared) = |shared| shared.tokens[0].wake("wake_up_process");
    let seen = two(Engine::Dpor, &SHORT, [sleeps, wakes_once]);
    let found = seen.counterexample.expect("a deadlock");
    assert_eq!(found.rule, NOBODY_WAITS_FOR_EVER.0);
}

/// The count may matter, and the word that counts is named.
#[test]
fn a_loop_that_counts_in_a_word_is_undecided_and_the_word_is_named() {
    let counts: fn(&Shared) = |shared| {
        while read(&shared.words[0]) == 0 {
            shared.words[1].update(Rmw::Add(3), Access::relaxed("atomic_add"));
        }
    };
    let ends_it: fn(&Shared) = |shared| {
        shared.words[0].store(1, Access::relaxed("write"));
    };
    for engine in [Engine::Dpor, Engine::Dfs] {
        let seen = two(engine, &SHORT, [counts, ends_it]);
        // A round begins wherever the execution was cut.
        let said = seen.verdict.to_string();
        let begins = "undecided: an execution with too many steps: CPU0 task goes round: 2 steps";
        let ends = "the same each time but for word[1], which is 3 more each time. Such a loop is \
                    not bounded: what it does may depend on that";
        assert!(said.starts_with(begins) && said.ends_with(ends), "{engine}: {said}");
    }
}

/// Who does not bound loops says who does.
#[test]
fn engines_that_do_not_bound_loops_say_whom_to_ask() {
    let until_told: fn(&Shared) = |shared| {
        while read(&shared.words[0]) == 0 {
            shared.locks[0].lock("lock");
            shared.locks[0].unlock("unlock");
        }
    };
    let tells: fn(&Shared) = |shared| {
        shared.words[0].store(1, Access::relaxed("write"));
    };
    for engine in [Engine::Loom, Engine::Graph, Engine::GraphSc] {
        let seen = two(engine, &SHORT, [until_told, tells]);
        let Verdict::Undecided(why) = &seen.verdict else { panic!("{engine}: {}", seen.verdict) };
        let ask = "; ask dpor about loops without a bound, which explores fair schedules";
        assert!(why.ends_with(ask), "{engine}: {why}");
    }
    assert!(is_bounded(&two(Engine::Dpor, &SHORT, [until_told, tells]).verdict));
}

/// A search over states does not see how often a task has gone round.
#[test]
fn a_search_over_states_stays_undecided() {
    let bounds = Bounds { steps_max: 200, stateful: true, ..Bounds::PROOF };
    let program = vec![vec![Spin(0, 1)], vec![Write(0, 1)]];
    let seen = explore(Engine::Dpor, &bounds, Vec::new(), body(&program, &Arc::default()));
    let Verdict::Undecided(why) = &seen.verdict else { panic!("{}", seen.verdict) };
    assert!(why.contains("; ask dpor without --stateful about loops without a bound"), "{why}");
}
