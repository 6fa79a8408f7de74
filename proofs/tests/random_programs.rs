//! Random small programs of kernel calls on two or three CPUs, explored completely, against the
//! rules that hold whatever is called: references balance, kernel assertions hold, nobody waits for
//! ever, every slot of a cache owns a reference, a folio is linked at most once and never when it
//! is freed, and only whoever cleared PG_lru edits a list.
//!
//! A program that breaks a rule shrinks to its smallest form, and is kept in
//! `tests/random_programs.proptest-regressions`, which is tried first ever after.

use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{Name, Rule, fail, join};
use selvedge_models::fs::buffer::{invalidate_bh_lrus, lookup_bh_lru, put_bh};
use selvedge_models::mm::mlock::{Mlock, mlock_folio, mlock_new_folio, munlock_folio};
use selvedge_models::mm::swap::{
    deactivate_file_folio, folio_activate, folio_add_lru, folio_deactivate, folio_mark_lazyfree,
    folio_put, folio_rotate_reclaimable, lru_add_drain, lru_add_drain_all, unlist,
};
use selvedge_models::mm::vmscan::{folio_isolate_lru, folio_putback_lru, isolate_lru_folios};
use selvedge_models::trees::{
    A4_MOVE_WITHOUT_CLAIM, C1_PREEMPT_OFF_ONLY, ISOLATE_TEST_THEN_CLEAR, MOVE_NO_PUT,
    RFC_MIGRATE_PENDING, SEED_002_V4, V5_11, V6_1, V6_10, V6_12_117, V6_12_117_RT,
};
use selvedge_models::{Kernel, Machine, Tree};
use selvedge_monitors::standard;
use selvedge_proofs::Run;
use selvedge_proofs::rules::{
    entries_own_references, linked_folios_have_the_flag, nobody_is_counted, size_is_linked_folios,
};
use selvedge_trace::table;

const SLOT_OWNS_A_REFERENCE: Rule = Rule("a slot of a bh_lru owns a reference");
const NO_CACHED_FOLIO_IS_FREED: Rule = Rule("a folio in the page cache is not freed");

/// A call, and which folio it is about.
#[derive(Clone, Copy, Debug)]
enum Call {
    Install,
    Lookup,
    InvalidateAll,
    Rotate(usize),
    Activate(usize),
    Deactivate(usize),
    DeactivateFile(usize),
    Lazyfree(usize),
    Mlock(usize),
    Munlock(usize),
    IsolateAndPutBack(usize),
    Reclaim,
    Drain,
    DrainAll,
    DisableEnable,
}

fn call(folios: usize) -> impl Strategy<Value = Call> {
    use Call::*;
    prop_oneof![
        Just(Install),
        Just(Lookup),
        Just(InvalidateAll),
        (0..folios).prop_map(Rotate),
        (0..folios).prop_map(Activate),
        (0..folios).prop_map(Deactivate),
        (0..folios).prop_map(DeactivateFile),
        (0..folios).prop_map(Lazyfree),
        (0..folios).prop_map(Mlock),
        (0..folios).prop_map(Munlock),
        (0..folios).prop_map(IsolateAndPutBack),
        Just(Reclaim),
        Just(Drain),
        Just(DrainAll),
        Just(DisableEnable),
    ]
}

/// The page cache's reference of each folio outlasts the program: no caller uses a freed one.
fn execute(k: &Kernel, call: Call) {
    let isolation = Name::new("isolation").on(selvedge_kernel::smp_processor_id());
    let bh = &k.buffer_heads[0];
    match call {
        Call::Install => (k.tree.buffer.bh_lru_install())(k, bh),
        Call::Lookup => {
            let user = Name::new("finder");
            if let Some(found) = lookup_bh_lru(k, bh, user) {
                put_bh(found, user);
            }
        }
        Call::InvalidateAll => invalidate_bh_lrus(k),
        Call::Rotate(folio) => folio_rotate_reclaimable(k, &k.folios[folio]),
        Call::Activate(folio) => folio_activate(k, &k.folios[folio]),
        Call::Deactivate(folio) => folio_deactivate(k, &k.folios[folio]),
        Call::DeactivateFile(folio) => deactivate_file_folio(k, &k.folios[folio]),
        Call::Lazyfree(folio) => folio_mark_lazyfree(k, &k.folios[folio]),
        Call::Mlock(folio) => mlock_folio(k, &k.folios[folio]),
        Call::Munlock(folio) => munlock_folio(k, &k.folios[folio]),
        Call::IsolateAndPutBack(folio) => {
            if folio_isolate_lru(k, &k.folios[folio], isolation) {
                folio_putback_lru(k, &k.folios[folio], isolation);
            }
        }
        Call::Reclaim => {
            for folio in isolate_lru_folios(k, isolation) {
                folio_putback_lru(k, &k.folios[folio], isolation);
            }
        }
        Call::Drain => lru_add_drain(k),
        Call::DrainAll => lru_add_drain_all(k),
        Call::DisableEnable => {
            (k.tree.swap.lru_cache_disable())(k);
            (k.tree.swap.lru_cache_enable())(k);
        }
    }
}

fn look(k: &Run) {
    nobody_is_counted(k);
    let bh = &k.buffer_heads[0];
    let slots = k.cpus.online().flat_map(|cpu| k.bh_lrus.of(cpu));
    let used = slots.filter(|slot| slot.peek() != 0).count() as i64;
    if bh.b_count.peek() != 1 + used {
        fail(SLOT_OWNS_A_REFERENCE, format!("b_count is {}, slots: {used}", bh.b_count.peek()));
    }
    if let Some(folio) = k.folios.iter().find(|folio| folio.freed.peek() != 0) {
        fail(NO_CACHED_FOLIO_IS_FREED, format!("folio{}", folio.index));
    }
    entries_own_references(k);
    linked_folios_have_the_flag(k);
    size_is_linked_folios(k);
}

/// How folio 0, which is new, is added: what `folio_add_lru_vma()` does.
#[derive(Clone, Copy, Debug)]
enum First {
    Added,
    /// To a VMA that is mlocked. Up to 5.17 as any other.
    Mlocked,
}

fn add_new(k: &Kernel, first: First) {
    match (first, k.tree.mlock) {
        (First::Added, _) | (_, Mlock::Isolates) => folio_add_lru(k, &k.folios[0]),
        (First::Mlocked, _) => mlock_new_folio(k, &k.folios[0]),
    }
}

/// The verdict on the program, one list of calls for each CPU. Folio 0 is new, and is added first.
fn verdict(tree: &'static Tree, first: First, program: &[Vec<Call>]) -> (Verdict, String) {
    let tasks = program.to_vec();
    let machine = Machine::TINY
        .cpus(program.len())
        .folios(2)
        .listed()
        .operations()
        .mlock()
        .lru_size()
        .batch(2);
    let body = Arc::new(move || {
        let k = Run::new(Kernel::new(tree, machine));
        unlist(&k, &k.folios[0]);
        let started: Vec<usize> = (tasks.iter().cloned().enumerate())
            .map(|(cpu, calls)| {
                k.task(cpu, "caller", move |k| {
                    if cpu == 0 {
                        add_new(k, first);
                    }
                    calls.iter().for_each(|&call| execute(k, call));
                })
            })
            .collect();
        started.into_iter().for_each(join);
        look(&k);
    });
    // What is too large is not decided, and not claimed.
    let bounds = Bounds { executions_max: 2_000, ..Bounds::PROOF };
    let seen = explore(Engine::Dpor, &bounds, standard(), body);
    (seen.verdict, seen.counterexample.as_ref().map(table).unwrap_or_default())
}

fn program() -> impl Strategy<Value = Vec<Vec<Call>>> {
    prop::collection::vec(prop::collection::vec(call(2), 1..3), 2..4)
}

/// `PROPTEST_CASES` for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

fn config() -> ProptestConfig {
    let regressions = FileFailurePersistence::WithSource("proptest-regressions");
    ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(regressions)),
        source_file: Some(file!()),
        ..ProptestConfig::default()
    }
}

/// How many verdicts of a run of the test are at least decided, and not given up as too large.
const DECIDED_MIN: f64 = 0.5;

#[test]
fn what_always_holds_holds() {
    let (decided, all) = (Cell::new(0), Cell::new(0));
    let first = prop_oneof![Just(First::Added), Just(First::Mlocked)];
    let outcome = TestRunner::new(config()).run(&(first, program()), |(first, program)| {
        for tree in
            [&V5_11, &RFC_MIGRATE_PENDING, &V6_1, &V6_10, &SEED_002_V4, &V6_12_117, &V6_12_117_RT]
        {
            let (verdict, table) = verdict(tree, first, &program);
            prop_assert!(verdict != Verdict::Violated, "{}:\n{table}", tree.name);
            let limit = matches!(&verdict, Verdict::Undecided(why) if why.contains("executions"));
            prop_assert!(verdict == Verdict::Holds || limit, "{}: {verdict}", tree.name);
            decided.set(decided.get() + u32::from(verdict == Verdict::Holds));
            all.set(all.get() + 1);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let (decided, all) = (decided.get(), all.get());
    println!("{decided} of {all} verdicts were decided");
    let is_enough = f64::from(decided) >= DECIDED_MIN * f64::from(all);
    assert!(is_enough || cases() < 30, "of {all} verdicts only {decided} were decided");
}

/// The rules above can fail: a small program for each mutant finds it.
#[test]
fn mutants_are_found() {
    use Call::*;
    let programs: [(&'static Tree, [Vec<Call>; 2]); 4] = [
        (&C1_PREEMPT_OFF_ONLY, [vec![Install], vec![InvalidateAll]]),
        (&A4_MOVE_WITHOUT_CLAIM, [vec![Activate(1), Drain], vec![IsolateAndPutBack(1)]]),
        (&ISOLATE_TEST_THEN_CLEAR, [vec![IsolateAndPutBack(1)], vec![IsolateAndPutBack(1)]]),
        (&MOVE_NO_PUT, [vec![Activate(1), Drain], vec![Drain]]),
    ];
    for (tree, program) in programs {
        let (found, _) = verdict(tree, First::Added, &program);
        assert_eq!(found, Verdict::Violated, "{}", tree.name);
        let (original, table) = verdict(&V6_1, First::Added, &program);
        assert_eq!(original, Verdict::Holds, "6.1, for {}:\n{table}", tree.name);
    }
}

/// A reference that is dropped without being held is found by the ledger.
#[test]
fn an_unbalanced_put_is_found() {
    let body = Arc::new(|| {
        let k = Kernel::new(&V6_1, Machine::TINY.cpus(1));
        join(k.task(0, "putter", |k| folio_put(k, &k.folios[0], Name::new("nobody"))));
    });
    let seen = explore(Engine::Dpor, &Bounds::PROOF, standard(), body);
    assert_eq!(seen.verdict, Verdict::Violated);
}
