//! What an audit of the models against the C asked: who is woken, and what becomes of a folio that
//! is unlocked twice.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore};
use selvedge_kernel::{READ_ONCE, WRITE_ONCE, join, send_sig, send_sigkill};
use selvedge_models::fs::buffer::{lock_buffer, trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::migrate::Errno;
use selvedge_models::sched::wait::{
    WaitQueueHead, wait_event_interruptible, wait_event_killable, wake_up_all,
};
use selvedge_models::{Kernel, Machine, trees};

/// In 6.12.117.
fn run(machine: Machine, body: impl Fn(&Kernel) + Send + Sync + 'static) -> Exploration {
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

/// A wait for an event that nobody brings about, and a signal.
fn waits_and_is_sent(
    waits: fn(&Kernel, &WaitQueueHead) -> Result<(), Errno>,
    sends: fn(&Kernel),
) -> Exploration {
    run(Machine::TINY.sleepers(1), move |k| {
        let queue = Arc::new(WaitQueueHead::new("wq.lock"));
        let waiter = k.task(0, "waiter", move |k| {
            let waited = waits(k, &queue);
            assert!(waited.is_err(), "nobody brings the event about");
        });
        let sender = k.task(1, "sender", sends);
        [waiter, sender].into_iter().for_each(join);
    })
}

fn killably(k: &Kernel, queue: &WaitQueueHead) -> Result<(), Errno> {
    wait_event_killable(k, queue, || READ_ONCE(&k.folios[0].contents) != 0)
}

fn interruptibly(k: &Kernel, queue: &WaitQueueHead) -> Result<(), Errno> {
    wait_event_interruptible(k, queue, || READ_ONCE(&k.folios[0].contents) != 0)
}

fn kills(k: &Kernel) {
    send_sigkill(&k.cpus, k.sleepers[0].task());
}

fn signals(k: &Kernel) {
    send_sig(&k.cpus, k.sleepers[0].task());
}

#[test]
fn a_signal_ends_a_wait_for_an_event_if_its_state_lets_it() {
    for (waits, sends) in [(killably as fn(&_, &_) -> _, kills as fn(&_)), (interruptibly, kills)] {
        let seen = waits_and_is_sent(waits, sends);
        assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
        assert!(seen.reached.contains("a signal ended a wait for an event"));
    }
    assert_eq!(waits_and_is_sent(interruptibly, signals).verdict, Verdict::Holds);
    assert_eq!(waits_and_is_sent(killably, signals).verdict, Verdict::Violated);
}

/// Whoever finds the condition true has not been interrupted, and has missed no wake-up.
#[test]
fn an_event_is_not_lost_to_a_signal() {
    let seen = run(Machine::TINY.cpus(3).sleepers(1), |k| {
        let queue = Arc::new(WaitQueueHead::new("wq.lock"));
        let of_waker = queue.clone();
        let waiter = k.task(0, "waiter", move |k| {
            if interruptibly(k, &queue).is_ok() {
                assert_eq!(READ_ONCE(&k.folios[0].contents), 1, "it waited for that");
            }
        });
        let waker = k.task(1, "waker", move |k| {
            WRITE_ONCE(&k.folios[0].contents, 1);
            wake_up_all(k, &of_waker);
        });
        let sender = k.task(2, "sender", signals);
        [waiter, waker, sender].into_iter().for_each(join);
    });
    assert_eq!(seen.verdict, Verdict::Holds, "{:?}", seen.counterexample);
    assert!(seen.reached.contains("a signal ended a wait for an event"));
}
