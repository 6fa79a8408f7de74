//! Each edit does to its steps what it says, under an SC engine and under loom; and one that does
//! nothing, or cannot do what it says, is noticed.

use std::sync::Arc;

use selvedge_explore::edits::{Edit, How, Until, install};
use selvedge_explore::{
    Access, Body, Bounds, Engine, Exploration, If, Lock, Place, Rmw, Sites, Verdict, Word, enter,
    explore, fail, fence, join, spawn,
};
use selvedge_trace::{
    Action, ActionKind, Bit, Context, Execution, Finding, Monitor, Name, Order, Rule, Site,
};

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const RULE: Rule = Rule("it does not happen");
const BOTH: [Engine; 2] = [Engine::Dpor, Engine::Loom];

type Words = Arc<[Word; 3]>;

const READ: Access = Access::relaxed("READ_ONCE");
const WRITE: Access = Access::relaxed("WRITE_ONCE");

/// Explores tasks that share three words: `data`, `flag`, `seen`. `at_end` is main's.
fn run(
    engine: Engine,
    edits: &'static [Edit],
    tasks: &[fn(&Words)],
    at_end: fn(&Words),
) -> Exploration {
    run_with(engine, edits, tasks, at_end, Vec::new())
}

fn run_with(
    engine: Engine,
    edits: &'static [Edit],
    tasks: &[fn(&Words)],
    at_end: fn(&Words),
    monitors: Vec<Box<dyn Monitor>>,
) -> Exploration {
    let tasks = tasks.to_vec();
    let body: Body = Arc::new(move || {
        install(edits);
        let names = ["data", "flag", "seen"];
        let words: Words = Arc::new(names.map(|name| Word::new(Name::new(name), 0)));
        let start = |task: &fn(&Words)| {
            let (words, task) = (words.clone(), *task);
            spawn("task", HERE, move || task(&words))
        };
        let tasks: Vec<usize> = tasks.iter().map(start).collect();
        tasks.into_iter().for_each(join);
        at_end(&words);
    });
    explore(engine, &Bounds::PROOF, monitors, body)
}

/// The rule holds unedited and is violated with the edit, under these engines.
fn breaks(engines: &[Engine], edits: &'static [Edit], tasks: &[fn(&Words)], at_end: fn(&Words)) {
    for &engine in engines {
        let verdict = |edits| run(engine, edits, tasks, at_end).verdict;
        assert_eq!(verdict(&[]), Verdict::Holds, "{engine}");
        assert_eq!(verdict(edits), Verdict::Violated, "{engine}: {}", edits[0]);
    }
}

fn nothing(_: &Words) {}

fn broken_if(is_broken: bool) {
    if is_broken {
        fail(RULE, "it happened");
    }
}

/// Message passing: who sees the flag sees the data.
fn send(words: &Words) {
    let _in = enter("send");
    words[0].store(1, WRITE);
    words[1].store(1, Access::relaxed("smp_store_release").order(Order::Release));
}

fn receive(words: &Words) {
    let _in = enter("receive");
    let flag = words[1].load(Access::relaxed("smp_load_acquire").order(Order::Acquire));
    broken_if(flag == 1 && words[0].load(READ) == 0);
}

fn add(words: &Words) {
    let _in = enter("add");
    words[0].update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
}

fn two_were_added(words: &Words) {
    broken_if(words[0].peek() != 2);
}

const BIT: Bit = Bit { nr: 0, name: "PG_locked" };

/// At most one task wins the bit.
fn try_lock(words: &Words) {
    let access = Access::relaxed("test_and_set_bit_lock").bit(BIT).order(Order::Acquire);
    if words[1].update_if(If::Clear(1), Rmw::Or(1), access).is_ok() {
        words[2].update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
    }
}

fn one_has_won(words: &Words) {
    broken_if(words[2].peek() != 1);
}

#[test]
fn a_dropped_store_does_not_happen() {
    const EDITS: &[Edit] = &[Edit::drop(Site::of("WRITE_ONCE").within("send").on("data"))];
    breaks(&BOTH, EDITS, &[send, receive], nothing);
}

#[test]
fn a_dropped_barrier_orders_nothing() {
    const EDITS: &[Edit] = &[Edit::drop(Site::of("smp_mb"))];
    fn other(words: &Words) {
        words[1].store(1, WRITE);
        fence("smp_mb", Order::Full);
        broken_if(words[0].load(READ) == 0 && words[2].load(READ) == 1);
    }
    fn one(words: &Words) {
        words[0].store(1, WRITE);
        fence("smp_mb", Order::Full);
        if words[1].load(READ) == 0 {
            words[2].store(1, WRITE);
        }
    }
    breaks(&[Engine::Loom], EDITS, &[one, other], nothing);
    let seen = run(Engine::Dpor, EDITS, &[one, other], nothing);
    assert_eq!((seen.verdict, seen.idle_edits), (Verdict::Holds, Vec::new()), "nothing under SC");
}

#[test]
fn who_looks_where_nobody_looks_any_more_is_told_what_the_edit_says() {
    const ONE: &[Edit] =
        &[Edit { at: Site::of("READ_ONCE").on("flag"), how: How::Drop { answer: 1 } }];
    fn look(words: &Words) {
        broken_if(words[1].load(READ) == 1);
    }
    breaks(&BOTH, ONE, &[look], nothing);
    // Both win a lock that nobody takes.
    const NONE: &[Edit] = &[Edit::drop(Site::of("test_and_set_bit_lock").on("PG_locked"))];
    breaks(&BOTH, NONE, &[try_lock, try_lock], one_has_won);
    // Nobody wins one that seems to be taken.
    const TAKEN: &[Edit] =
        &[Edit { at: Site::of("test_and_set_bit_lock"), how: How::Drop { answer: 1 } }];
    breaks(&BOTH, TAKEN, &[try_lock, try_lock], one_has_won);
}

/// Two tasks add by a load and a store, with a lock around them.
fn locked(edits: &'static [Edit]) -> impl Fn(Engine) -> Exploration {
    move |engine| {
        let body: Body = Arc::new(move || {
            install(edits);
            let lock = Arc::new(Lock::new(Name::new("lru_lock")));
            let word = Arc::new(Word::new(Name::new("data"), 0));
            let task = |_| {
                let (lock, word) = (lock.clone(), word.clone());
                spawn("task", HERE, move || {
                    lock.lock("spin_lock");
                    broken_if(lock.holder() != Some(selvedge_explore::me()));
                    let seen = word.load(Access::relaxed("read").plain());
                    word.store(seen + 1, Access::relaxed("write").plain());
                    lock.unlock("spin_unlock");
                    broken_if(lock.holder() == Some(selvedge_explore::me()));
                })
            };
            let tasks = [0, 1].map(task);
            tasks.into_iter().for_each(join);
            broken_if(word.peek() != 2);
        });
        explore(engine, &Bounds::PROOF, Vec::new(), body)
    }
}

#[test]
fn a_dropped_lock_is_neither_taken_nor_given_back() {
    const EDITS: &[Edit] = &[Edit::drop_pair(Site::of("spin_lock").on("lru_lock"))];
    for engine in BOTH {
        assert_eq!(locked(&[])(engine).verdict, Verdict::Holds, "{engine}");
        let seen = locked(EDITS)(engine);
        assert_eq!(seen.verdict, Verdict::Violated, "{engine}");
        let steps = seen.counterexample.expect("one").steps;
        let is_lock = |kind| matches!(kind, ActionKind::Lock | ActionKind::Unlock);
        assert!(!steps.iter().any(|step| is_lock(step.action)), "{engine}");
        assert!(steps.iter().any(|step| step.action == ActionKind::PlainWrite), "{engine}");
    }
}

/// Finds the ordering of the stores to the flag.
struct Orders;

impl Monitor for Orders {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(Orders)
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let flag = |event: &&selvedge_trace::Event| {
            event.action == Action::Write && event.name.text == "flag"
        };
        let order = execution.events.iter().find(flag)?.order;
        Some(Finding { rule: RULE, message: format!("{order:?}"), event: None })
    }
}

#[test]
fn a_relaxed_step_has_a_weaker_ordering() {
    const EDITS: &[Edit] = &[Edit::relax(Site::of("smp_store_release"))];
    breaks(&[Engine::Loom], EDITS, &[send, receive], nothing);
    let order = |edits| {
        let seen = run_with(Engine::Dpor, edits, &[send], nothing, vec![Box::new(Orders)]);
        seen.counterexample.expect("the monitor always finds one").message
    };
    assert_eq!([order(&[]), order(EDITS)], ["Release", "Relaxed"]);
}

#[test]
fn a_split_update_lets_others_in_between() {
    const INC: &[Edit] = &[Edit::split(Site::of("atomic_inc").within("add"))];
    breaks(&BOTH, INC, &[add, add], two_were_added);
    const LOCK: &[Edit] = &[Edit::split(Site::of("test_and_set_bit_lock"))];
    breaks(&BOTH, LOCK, &[try_lock, try_lock], one_has_won);
}

/// Sets a bit of the word that `try_lock()` takes a bit of.
fn set_another(words: &Words) {
    let other = Bit { nr: 4, name: "PG_dirty" };
    words[1].update_void(Rmw::Or(other.mask()), Access::relaxed("set_bit").bit(other));
}

fn both_are_set(words: &Words) {
    broken_if(words[1].peek() != 1 | 1 << 4);
}

/// `__set_bit()` in place of `set_bit()`: what another did to the word meanwhile is lost.
#[test]
fn a_split_update_without_a_look_loses_other_bits() {
    const EDITS: &[Edit] = &[Edit::split(Site::of("set_bit"))];
    breaks(&BOTH, EDITS, &[try_lock, set_another], both_are_set);
}

/// Who takes one bit in two steps does not undo what others did to other bits.
#[test]
fn a_split_update_of_a_bit_leaves_the_others_alone() {
    const EDITS: &[Edit] = &[Edit::split(Site::of("test_and_set_bit_lock"))];
    for engine in BOTH {
        let seen = run(engine, EDITS, &[try_lock, set_another], both_are_set);
        assert_eq!((seen.verdict, seen.idle_edits), (Verdict::Holds, Vec::new()), "{engine}");
    }
}

#[test]
fn a_delayed_store_comes_after_the_next_step() {
    const EDITS: &[Edit] = &[Edit::delay(Site::of("WRITE_ONCE").on("data"), Until::NextStep)];
    breaks(&BOTH, EDITS, &[send, receive], nothing);
}

#[test]
fn a_store_can_be_delayed_until_a_site_or_until_the_end() {
    // Written first, and it is seen; after the data, after the flag, or never while the task runs.
    fn write(words: &Words) {
        words[2].store(1, WRITE);
        words[0].store(1, WRITE);
        words[1].store(1, WRITE);
    }
    const SEEN: Site = Site::of("WRITE_ONCE").on("seen");
    const AFTER_DATA: &[Edit] =
        &[Edit::delay(SEEN, Until::Site(Site::of("WRITE_ONCE").on("data")))];
    const AFTER_FLAG: &[Edit] =
        &[Edit::delay(SEEN, Until::Site(Site::of("WRITE_ONCE").on("flag")))];
    const AT_THE_END: &[Edit] = &[Edit::delay(SEEN, Until::Site(Site::of("nowhere")))];
    fn no_data_unseen(words: &Words) {
        broken_if(words[0].load(READ) == 1 && words[2].load(READ) == 0);
    }
    fn no_flag_unseen(words: &Words) {
        broken_if(words[1].load(READ) == 1 && words[2].load(READ) == 0);
    }
    fn is_seen(words: &Words) {
        broken_if(words[2].peek() == 0);
    }
    for (edits, data, flag) in [
        (&[][..], Verdict::Holds, Verdict::Holds),
        (AFTER_DATA, Verdict::Violated, Verdict::Holds),
        (AFTER_FLAG, Verdict::Violated, Verdict::Violated),
        (AT_THE_END, Verdict::Violated, Verdict::Violated),
    ] {
        let verdict = |reader| run(Engine::Dpor, edits, &[write, reader], is_seen).verdict;
        assert_eq!([verdict(no_data_unseen), verdict(no_flag_unseen)], [data, flag], "{edits:?}");
        for engine in BOTH {
            assert_eq!(run(engine, edits, &[write], is_seen).verdict, Verdict::Holds, "{edits:?}");
        }
    }
}

#[test]
fn one_of_several_like_steps_of_a_call_can_be_meant() {
    // Each call adds 1 twice.
    fn add_twice(words: &Words) {
        for _ in 0..2 {
            let _in = enter("add_twice");
            words[0].update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
            words[0].update_void(Rmw::Add(10), Access::relaxed("atomic_inc"));
        }
    }
    const INC: Site = Site::of("atomic_inc");
    const ALL: &[Edit] = &[Edit::drop(INC)];
    const FIRST: &[Edit] = &[Edit::drop(INC.within("add_twice").nth(0))];
    const SECOND: &[Edit] = &[Edit::drop(INC.on("data").nth(1))];
    for engine in BOTH {
        let sum = |edits, check: fn(&Words)| {
            assert_eq!(run(engine, edits, &[add_twice], check).verdict, Verdict::Holds, "{engine}");
        };
        sum(&[], |words| broken_if(words[0].peek() != 22));
        sum(ALL, |words| broken_if(words[0].peek() != 0));
        sum(FIRST, |words| broken_if(words[0].peek() != 20));
        sum(SECOND, |words| broken_if(words[0].peek() != 2));
    }
}

#[test]
fn an_edit_that_changes_nothing_is_noticed() {
    const EDITS: &[Edit] = &[
        Edit::drop(Site::of("atomic_inc").within("subtract")),
        Edit::split(Site::of("atomic_inc").within("add")),
        // Its ordering is none.
        Edit::relax(Site::of("WRITE_ONCE")),
    ];
    for engine in BOTH {
        let seen = run(engine, EDITS, &[add, send], nothing);
        assert_eq!(seen.idle_edits, [EDITS[0], EDITS[2]], "{engine}");
        let none = run(engine, &[], &[add], nothing);
        assert_eq!(none.idle_edits, [], "{engine}");
    }
    let spelled = EDITS.iter().map(Edit::to_string).collect::<Vec<_>>();
    let expected = [
        "atomic_inc() in subtract(): left out",
        "atomic_inc() in add(): in two steps",
        "WRITE_ONCE(): without ordering",
    ];
    assert_eq!(spelled, expected);
}

#[test]
fn what_an_edit_cannot_do_is_said() {
    const READ_ONCE: Site = Site::of("READ_ONCE");
    const SPIN_LOCK: Site = Site::of("spin_lock");
    const NEXT: Until = Until::NextStep;
    const REFUSED: &[(&[Edit], &str)] = &[
        (&[Edit::split(READ_ONCE)], "it is no update"),
        (&[Edit::drop_pair(READ_ONCE)], "it takes no lock"),
        (&[Edit::delay(READ_ONCE, NEXT)], "its task waits for what comes of it"),
        (&[Edit::drop(SPIN_LOCK)], "a lock is left out together with its release"),
        (&[Edit::relax(SPIN_LOCK)], "its ordering is not its own"),
    ];
    fn look(words: &Words) {
        words[0].load(READ);
        let lock = Lock::new(Name::new("lru_lock"));
        lock.lock("spin_lock");
        lock.unlock("spin_unlock");
    }
    for (engine, (edits, why)) in BOTH.into_iter().flat_map(|e| REFUSED.iter().map(move |r| (e, r)))
    {
        match run(engine, edits, &[look], nothing).verdict {
            Verdict::Undecided(said) if said.contains(why) => {}
            other => panic!("{engine}: {}: {other}, expected undecided: {why}", edits[0]),
        }
    }
}

#[test]
fn who_spins_on_a_dropped_step_is_noticed() {
    const EDITS: &[Edit] = &[Edit::drop(Site::of("READ_ONCE").on("flag"))];
    fn spin(words: &Words) {
        while words[1].load(READ) == 0 {}
    }
    for engine in BOTH {
        let verdict = run(engine, EDITS, &[spin], nothing).verdict;
        let is_noticed =
            matches!(&verdict, Verdict::Undecided(why) if why.contains("too many steps"));
        assert!(is_noticed, "{engine}: {verdict}");
    }
}

#[test]
fn the_sites_that_executions_pass_are_listed() {
    for engine in BOTH {
        let sites = Sites::default();
        let monitors: Vec<Box<dyn Monitor>> = vec![Box::new(sites.clone())];
        let seen = run_with(engine, &[], &[send, receive], nothing, monitors);
        let listed: Vec<String> = sites.passed().keys().map(Site::to_string).collect();
        let expected = [
            "READ_ONCE(data) in receive() (0)",
            "smp_load_acquire(flag) in receive() (0)",
            "WRITE_ONCE(data) in send() (0)",
            "smp_store_release(flag) in send() (0)",
        ];
        assert_eq!(listed, expected, "{engine}");
        let release =
            sites.passed()[&Site::of("smp_store_release").within("send").on("flag").nth(0)];
        assert_eq!((release.action, release.order), (ActionKind::Write, Order::Release));
        assert_eq!(release.times, seen.executions, "once in each: {engine}");
    }
}

/// What is missing can be given: to the access, by a barrier behind it, by one ahead of it.
#[test]
fn an_order_that_is_added_keeps_the_rule() {
    const EDITS: [&[Edit]; 3] = [
        &[Edit::strengthen(FLAG, Order::Release)],
        &[Edit::behind(DATA, Order::Release)],
        &[Edit::ahead(FLAG, Order::Full)],
    ];
    const FLAG: Site = Site::of("WRITE_ONCE").within("send").on("flag").nth(0);
    const DATA: Site = Site::of("WRITE_ONCE").within("send").on("data").nth(0);
    fn send(words: &Words) {
        let _in = enter("send");
        words[0].store(1, WRITE);
        words[1].store(1, WRITE);
    }
    for engine in [Engine::Loom, Engine::Graph] {
        let verdict = |edits| run(engine, edits, &[send, receive], nothing).verdict;
        assert_eq!(verdict(&[]), Verdict::Violated, "{engine}");
        for edits in EDITS {
            assert_eq!(verdict(edits), Verdict::Holds, "{engine}: {}", edits[0]);
        }
    }
    // A barrier that orders something else does not.
    const READS: &[Edit] = &[Edit::behind(DATA, Order::Acquire)];
    assert_eq!(run(Engine::Graph, READS, &[send, receive], nothing).verdict, Verdict::Violated);
}
