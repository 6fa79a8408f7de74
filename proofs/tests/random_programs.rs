//! Random small programs of kernel calls on two CPUs, explored completely, against the rules that
//! hold whatever is called: references balance, kernel assertions hold, nobody waits for ever, and
//! every slot of a cache owns a reference.

use std::sync::Arc;

use proptest::prelude::*;
use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{Name, fail, join};
use selvedge_models::fs::buffer::{bh_lru_install, invalidate_bh_lrus, lookup_bh_lru, put_bh};
use selvedge_models::mm::swap::{
    folio_add_lru, folio_rotate_reclaimable, lru_add_drain, lru_add_drain_all,
};
use selvedge_models::mm::vmscan::folio_isolate_lru;
use selvedge_models::trees::{C1_PREEMPT_OFF_ONLY, RFC_MIGRATE_PENDING, V5_11, V6_1};
use selvedge_models::{Kernel, Sizes, Tree};
use selvedge_monitors::standard;
use selvedge_proofs::rules::COUNTER_IS_CALLERS_INSIDE;
use selvedge_trace::{Rule, table};

const SLOT_OWNS_A_REFERENCE: Rule = Rule("a slot of a bh_lru owns a reference");

#[derive(Clone, Copy, Debug)]
enum Call {
    Install,
    Lookup,
    InvalidateAll,
    Add,
    Rotate,
    Isolate,
    Drain,
    DrainAll,
    DisableEnable,
}

fn call() -> impl Strategy<Value = Call> {
    use Call::*;
    prop_oneof![
        Just(Install),
        Just(Lookup),
        Just(InvalidateAll),
        Just(Rotate),
        Just(Isolate),
        Just(Drain),
        Just(DrainAll),
        Just(DisableEnable),
    ]
}

fn execute(k: &Kernel, call: Call) {
    let (bh, folio) = (&k.buffer_heads[0], &k.folios[0]);
    match call {
        Call::Install => bh_lru_install(k, bh),
        Call::Lookup => {
            let user = Name::new("finder");
            if let Some(found) = lookup_bh_lru(k, bh, user) {
                put_bh(found, user);
            }
        }
        Call::InvalidateAll => invalidate_bh_lrus(k),
        Call::Add => folio_add_lru(k, &k.folios[1]),
        Call::Rotate => folio_rotate_reclaimable(k, folio),
        Call::Isolate => {
            folio_isolate_lru(k, folio, Name::new("isolation"));
        }
        Call::Drain => lru_add_drain(k),
        Call::DrainAll => lru_add_drain_all(k),
        Call::DisableEnable => {
            (k.tree.swap.lru_cache_disable)(k);
            (k.tree.swap.lru_cache_enable)(k);
        }
    }
}

fn look(k: &Kernel) {
    if k.pending_count.peek() != 0 {
        fail(COUNTER_IS_CALLERS_INSIDE, "nobody is inside");
    }
    let bh = &k.buffer_heads[0];
    let slots = k.cpus.online().flat_map(|cpu| k.bh_lrus.of(cpu));
    let used = slots.filter(|slot| slot.peek() != 0).count() as i64;
    if bh.b_count.peek() != 1 + used {
        fail(SLOT_OWNS_A_REFERENCE, format!("b_count is {}, slots: {used}", bh.b_count.peek()));
    }
}

/// The verdict on the program whose first task alone adds a folio that is on no list yet.
fn verdict(tree: &'static Tree, first: &[Call], second: &[Call]) -> (Verdict, String) {
    let tasks = [[&[Call::Add], first].concat(), second.to_vec()];
    let sizes = Sizes { folios: 2, listed: true, ..Sizes::TINY };
    let body = Arc::new(move || {
        let k = Kernel::new(tree, sizes);
        // Folio 1 is new: on no list.
        selvedge_models::mm::swap::unlist(&k, &k.folios[1]);
        let started: Vec<usize> = (tasks.iter().cloned().enumerate())
            .map(|(cpu, calls)| {
                k.task(cpu, "caller", move |k| calls.iter().for_each(|&call| execute(k, call)))
            })
            .collect();
        started.into_iter().for_each(join);
        look(&k);
    });
    // What is too large is not decided, and not claimed.
    let bounds = Bounds { executions_max: 3_000, ..Bounds::PROOF };
    let seen = explore(Engine::Dpor, &bounds, standard(), body);
    (seen.verdict, seen.counterexample.as_ref().map(table).unwrap_or_default())
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), 1..3)
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_always_holds_holds(first in calls(), second in calls()) {
        for tree in [&V5_11, &RFC_MIGRATE_PENDING, &V6_1] {
            let (verdict, table) = verdict(tree, &first, &second);
            prop_assert!(verdict != Verdict::Violated, "{}:\n{table}", tree.name);
            let limit = matches!(&verdict, Verdict::Undecided(why) if why.contains("executions"));
            prop_assert!(verdict == Verdict::Holds || limit, "{}: {verdict}", tree.name);
        }
    }
}

/// The rules above can fail: the same programs find a mutant.
#[test]
fn a_mutant_is_found() {
    let (verdict, _) = verdict(&C1_PREEMPT_OFF_ONLY, &[Call::Install], &[Call::InvalidateAll]);
    assert_eq!(verdict, Verdict::Violated);
}
