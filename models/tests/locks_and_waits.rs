//! What an audit of the models against the C asked: who is woken, and what becomes of a folio that
//! is unlocked twice.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore};
use selvedge_kernel::join;
use selvedge_models::fs::buffer::{lock_buffer, trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::{Kernel, Machine, trees};

/// In 6.12.117.
fn run(machine: Machine, body: fn(&Kernel)) -> Exploration {
    let body = move || {
        let kernel = Kernel::new(&trees::V6_12_117, machine);
        body(&kernel);
    };
    explore(Engine::Dpor, &Bounds::PROOF, Vec::new(), Arc::new(body))
}

/// `wake_bit_function()` compares word and bit. Of two buffers, each with a waiter, the second is
/// unlocked first, and the first only when its waiter is through: who woke the first waiter of the
/// queue instead would leave the other one asleep.
#[test]
fn an_unlock_wakes_who_waits_for_that_buffer() {
    let seen = run(Machine::TINY.cpus(3).buffer_heads(2).sleepers(2), |k| {
        k.buffer_heads.iter().for_each(|bh| assert!(trylock_buffer(bh), "nobody else runs yet"));
        let waits = |k: &Kernel, at: usize| {
            lock_buffer(k, &k.buffer_heads[at]);
            unlock_buffer(k, &k.buffer_heads[at]);
        };
        let first = k.task(0, "waits for bh0", move |k| waits(k, 0));
        let second = k.task(1, "waits for bh1", move |k| waits(k, 1));
        let holder = k.task(2, "holder", move |k| {
            unlock_buffer(k, &k.buffer_heads[1]);
            join(second);
            unlock_buffer(k, &k.buffer_heads[0]);
        });
        [first, holder].into_iter().for_each(join);
    });
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
    assert!(seen.executions > 1);
}

/// Since 6.7 the unlock is an exclusive or: it locks a folio that is not locked, for ever.
#[test]
fn a_folio_that_is_unlocked_twice_is_locked_for_ever() {
    let seen = run(Machine::TINY.sleepers(1), |k| {
        join(k.task(0, "unlocks twice", |k| {
            let folio = &k.folios[0];
            assert!(folio_trylock(folio), "nobody else runs");
            folio_unlock(k, folio);
            folio_unlock(k, folio);
            folio_lock(k, folio);
        }));
    });
    assert_eq!(seen.verdict, Verdict::Violated);
    let blocked = seen.counterexample.expect("one").blocked;
    assert!(!blocked.is_empty(), "it waits for the folio that it has locked itself");
}
