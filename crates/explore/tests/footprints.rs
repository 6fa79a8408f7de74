//! A step counts as one that has written the bits that it changed and read the others that it is
//! about. On random programs dpor reaches the final states that plain depth-first search reaches;
//! and of steps that change nothing it tries one order. `PROPTEST_CASES` sets how many programs
//! (default here: 300).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use selvedge_explore::{
    Access, Bounds, Engine, If, Place, Rmw, Verdict, Word, explore, join, me, spawn,
};
use selvedge_trace::{Action, Context, Execution, Finding, Monitor, Name, Rule};

const PLACE: Place = Place { cpu: None, context: Context::Task, passes: [None, None] };
/// The bits that programs are about.
const BITS: u64 = 0b11;

/// A step on one of two words; its bits are some of two.
#[derive(Clone, Copy, Debug)]
enum Op {
    Load(u64),
    Store(u64),
    Update(Rmw),
    Void(Rmw, u64),
    UpdateIf(If, Rmw),
}

type Program = Vec<Vec<(usize, Op)>>;
/// What each task saw, and the words at the end.
type Final = (Vec<Vec<u64>>, [u64; 2]);

fn rmw() -> impl Strategy<Value = Rmw> {
    let bits = || 0..=BITS;
    prop_oneof![
        (1..=2_u64).prop_map(Rmw::Add),
        bits().prop_map(Rmw::Or),
        bits().prop_map(Rmw::And),
        bits().prop_map(Rmw::Xor),
        bits().prop_map(Rmw::Swap),
    ]
}

/// An update that changes these bits alone, as one of a flags word: an access is to be about all
/// that it may change.
fn void() -> impl Strategy<Value = Op> {
    let of_bits = (1..=BITS).prop_flat_map(|bits| {
        let rmw = prop_oneof![Just(Rmw::Or(bits)), Just(Rmw::And(!bits)), Just(Rmw::Xor(bits))];
        rmw.prop_map(move |rmw| Op::Void(rmw, bits))
    });
    prop_oneof![3 => of_bits, 1 => rmw().prop_map(|rmw| Op::Void(rmw, !0))]
}

fn op() -> impl Strategy<Value = Op> {
    let when = prop_oneof![
        (0..=BITS).prop_map(If::Equals),
        (0..=BITS).prop_map(If::Differs),
        (1..=BITS).prop_map(If::Clear),
    ];
    prop_oneof![
        prop_oneof![Just(1), Just(2), Just(!0)].prop_map(Op::Load),
        (0..=BITS).prop_map(Op::Store),
        rmw().prop_map(Op::Update),
        void(),
        (when, rmw()).prop_map(|(when, rmw)| Op::UpdateIf(when, rmw)),
    ]
}

fn program() -> impl Strategy<Value = Program> {
    let task = || prop::collection::vec((0..2_usize, op()), 1..=3);
    prop::collection::vec(task(), 2..=3)
        .prop_filter("few steps", |tasks| tasks.iter().map(Vec::len).sum::<usize>() <= 7)
}

fn execute(word: &Word, op: Op) -> Option<u64> {
    let access = Access::relaxed("access");
    match op {
        Op::Load(bits) => Some(word.load(access.bits(bits)) & bits),
        Op::Store(value) => {
            word.store(value, access);
            None
        }
        Op::Update(rmw) => Some(word.update(rmw, access)),
        Op::Void(rmw, bits) => {
            word.update_void(rmw, access.bits(bits));
            None
        }
        Op::UpdateIf(when, rmw) => Some(match word.update_if(when, rmw, access) {
            Ok(seen) => 8 * seen + 1,
            Err(seen) => 8 * seen,
        }),
    }
}

/// All final states, and how many executions it took.
fn finals(engine: Engine, program: &Program) -> (BTreeSet<Final>, u64) {
    let (program, all) = (Arc::new(program.clone()), Arc::new(Mutex::new(BTreeSet::new())));
    let found = all.clone();
    let body = move || {
        let words = Arc::new([0, 1].map(|nth| Word::new(Name::new("word").nth(nth), 0)));
        let logs = Arc::new(Mutex::new(vec![Vec::new(); program.len()]));
        let task = |number: usize| {
            let (words, logs, program) = (words.clone(), logs.clone(), program.clone());
            spawn("task", PLACE, move || {
                for &(word, op) in &program[me() - 1] {
                    let seen = execute(&words[word], op);
                    logs.lock().unwrap()[number].extend(seen);
                }
            })
        };
        let tasks: Vec<usize> = (0..program.len()).map(task).collect();
        tasks.into_iter().for_each(join);
        let words = [0, 1].map(|nth: usize| words[nth].peek());
        found.lock().unwrap().insert((logs.lock().unwrap().clone(), words));
    };
    let seen = explore(engine, &Bounds::PROOF, Vec::new(), Arc::new(body));
    assert_eq!(seen.verdict, Verdict::Holds);
    let finals = std::mem::take(&mut *all.lock().unwrap());
    (finals, seen.executions)
}

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(300),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn dpor_reaches_what_plain_dfs_reaches(program in program()) {
        let (reduced, few) = finals(Engine::Dpor, &program);
        let (all, many) = finals(Engine::Dfs, &program);
        prop_assert_eq!(reduced, all);
        prop_assert!(few <= many);
    }
}

/// Who sets a bit second changes nothing. If that were a read, and the order of the two were left
/// open besides, the one that changes the bit would be another task in the other order, and the
/// reader would not be run before both.
#[test]
fn a_reader_may_come_before_all_who_set_a_bit() {
    let sets = vec![(1, Op::Void(Rmw::Or(BITS), BITS))];
    let reads = vec![(0, Op::Load(1)), (1, Op::Load(1))];
    let program = vec![sets.clone(), reads, sets];
    assert_eq!(finals(Engine::Dpor, &program).0, finals(Engine::Dfs, &program).0);
}

/// Two tasks take `steps` each, on a word that is 0.
fn executions(steps: [&[Op]; 2]) -> u64 {
    let on_first = |ops: &[Op]| ops.iter().map(|&op| (0, op)).collect();
    finals(Engine::Dpor, &steps.map(on_first).to_vec()).1
}

#[test]
fn a_write_that_changes_nothing_is_a_read() {
    const LOAD: Op = Op::Load(!0);
    let nothing = [
        Op::Store(0),
        Op::Update(Rmw::And(2)),
        Op::Void(Rmw::And(!1), 1),
        Op::UpdateIf(If::Equals(0), Rmw::Swap(0)),
        Op::UpdateIf(If::Equals(1), Rmw::Swap(2)),
    ];
    for op in nothing {
        assert_eq!(executions([&[op], &[LOAD, op, Op::Store(0)]]), 1, "{op:?}");
    }
    for op in [Op::Store(1), Op::Update(Rmw::Or(2)), Op::Void(Rmw::Or(1), 1)] {
        assert_eq!(executions([&[op], &[LOAD]]), 2, "{op:?}");
    }
}

#[test]
fn a_write_changes_the_bits_that_it_changes() {
    for op in [Op::Store(2), Op::Update(Rmw::Or(2)), Op::Void(Rmw::Xor(2), BITS)] {
        assert_eq!(executions([&[op], &[Op::Load(1)]]), 1, "{op:?}");
        assert_eq!(executions([&[op], &[Op::Load(2)]]), 2, "{op:?}");
    }
}

/// Finds the executions in which a load comes after a store of the same value.
struct AfterAStore {
    asks: bool,
}

const NO_LOAD_AFTER_A_STORE: Rule = Rule("no load comes after a store");

impl Monitor for AfterAStore {
    fn another(&self) -> Box<dyn Monitor> {
        Box::new(AfterAStore { asks: self.asks })
    }

    fn asks_who_wrote(&self) -> bool {
        self.asks
    }

    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let at = |action| execution.events.iter().position(|event| event.action == action);
        let event = at(Action::Read).filter(|&load| at(Action::Write) < Some(load))?;
        let message = "it does".into();
        Some(Finding { rule: NO_LOAD_AFTER_A_STORE, message, event: Some(event) })
    }
}

/// Of such a monitor's two orders one is run if it does not say what it asks.
#[test]
fn both_orders_are_run_for_a_monitor_that_asks_who_wrote() {
    let run = |asks, first_stores: bool| {
        let body = move || {
            let word = Arc::new(Word::new(Name::new("word"), 0));
            let access = Access::relaxed("access");
            let task = |stores: bool| {
                let word = word.clone();
                spawn("task", PLACE, move || match stores {
                    true => word.store(0, access),
                    false => _ = word.load(access),
                })
            };
            let tasks = [task(first_stores), task(!first_stores)];
            tasks.into_iter().for_each(join);
        };
        explore(Engine::Dpor, &Bounds::PROOF, vec![Box::new(AfterAStore { asks })], Arc::new(body))
    };
    let found = |asks| [true, false].map(|first| run(asks, first).verdict == Verdict::Violated);
    assert_eq!(found(true), [true; 2]);
    assert_ne!(found(false), [true; 2]);
    assert_eq!([true, false].map(|asks| run(asks, false).executions), [2, 1]);
}
