//! What `wait_event()` and `wake_up()` order, by Documentation/memory-barriers.txt, "Sleep and
//! wake-up functions". They are macros and functions of the models, so that no litmus test calls
//! them; their outcomes are asked for in the same way.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::edits::{self, Edit, Site};
use selvedge_kernel::{Name, READ_ONCE, Var, WRITE_ONCE, join_all, smp_mb, smp_rmb, smp_wmb};
use selvedge_models::sched::wait::{WaitQueueHead, wait_event, wake_up_all};
use selvedge_models::{Kernel, Machine, trees};

struct Shared {
    queue: WaitQueueHead,
    data: Var,
    event: Var,
}

type Task = fn(&Kernel, &Shared) -> u64;

/// What the two tasks, each on its CPU, return under the kernel's memory model.
fn outcomes(edits: &'static [Edit], tasks: [Task; 2]) -> (Verdict, BTreeSet<[u64; 2]>) {
    let seen: Arc<Mutex<BTreeSet<[u64; 2]>>> = Arc::default();
    let all = seen.clone();
    let body = move || {
        let kernel = Kernel::new(&trees::V6_12_117, Machine::TINY.cpus(2).sleepers(2));
        edits::install(edits);
        let shared = Arc::new(Shared {
            queue: WaitQueueHead::new("wq.lock"),
            data: Var::new(Name::new("data"), 0),
            event: Var::new(Name::new("event"), 0),
        });
        let found: Arc<Mutex<[u64; 2]>> = Arc::default();
        for (cpu, task) in tasks.into_iter().enumerate() {
            let (shared, found) = (shared.clone(), found.clone());
            kernel.task(cpu, ["waiter", "waker"][cpu], move |k| {
                let value = task(k, &shared);
                found.lock().expect("not poisoned")[cpu] = value;
            });
        }
        join_all();
        all.lock().expect("not poisoned").insert(*found.lock().expect("not poisoned"));
    };
    let verdict = explore(Engine::Graph, &Bounds::PROOF, Vec::new(), Arc::new(body)).verdict;
    let outcomes = seen.lock().expect("not poisoned").clone();
    (verdict, outcomes)
}

fn waits(k: &Kernel, shared: &Shared) {
    wait_event(k, &shared.queue, || READ_ONCE(&shared.event) != 0);
}

fn waits_and_reads(k: &Kernel, shared: &Shared) -> u64 {
    waits(k, shared);
    READ_ONCE(&shared.data)
}

fn stores_and_wakes_nobody(shared: &Shared) -> u64 {
    WRITE_ONCE(&shared.data, 1);
    WRITE_ONCE(&shared.event, 1);
    0
}

fn stores_and_wakes(k: &Kernel, shared: &Shared) -> u64 {
    stores_and_wakes_nobody(shared);
    wake_up_all(k, &shared.queue);
    0
}

/// No wake-up is lost, whatever the order of the steps. What was stored before the event is another
/// matter: who finds the event at once has had no barrier.
#[test]
fn the_barriers_of_a_wait_are_not_for_what_came_before_the_event() {
    let (verdict, seen) = outcomes(&[], [waits_and_reads, stores_and_wakes]);
    assert_eq!((verdict, seen), (Verdict::Holds, [[0, 0], [1, 0]].into()));
    let (verdict, seen) = outcomes(
        &[],
        [
            |k, shared| {
                waits(k, shared);
                smp_rmb();
                READ_ONCE(&shared.data)
            },
            |k, shared| {
                WRITE_ONCE(&shared.data, 1);
                smp_wmb();
                WRITE_ONCE(&shared.event, 1);
                wake_up_all(k, &shared.queue);
                0
            },
        ],
    );
    assert_eq!((verdict, seen), (Verdict::Holds, [[1, 0]].into()));
}

/// Who wakes first and brings the event about later leaves the waiter asleep. The barrier behind
/// the waiter's state is for those who look whether anybody waits without taking the lock of the
/// queue; `wake_up()` takes it, which orders the same.
#[test]
fn a_wake_up_before_the_event_is_lost() {
    let wakes_too_early: Task = |k, shared| {
        wake_up_all(k, &shared.queue);
        stores_and_wakes_nobody(shared)
    };
    assert_eq!(outcomes(&[], [waits_and_reads, wakes_too_early]).0, Verdict::Violated);
    const BARRIER: Edit = Edit::drop(Site::of("smp_mb").within("wait_event"));
    assert_eq!(outcomes(&[BARRIER], [waits_and_reads, stores_and_wakes]).0, Verdict::Holds);
}

/// A wake-up that wakes nobody need not be a barrier: the example of that page, with X and Y.
#[test]
fn a_wake_up_of_nobody_is_no_barrier() {
    let stores_and_looks: Task = |_, shared| {
        WRITE_ONCE(&shared.data, 1);
        smp_mb();
        READ_ONCE(&shared.event)
    };
    let wakes_and_looks: Task = |k, shared| {
        WRITE_ONCE(&shared.event, 1);
        wake_up_all(k, &shared.queue);
        READ_ONCE(&shared.data)
    };
    let (verdict, seen) = outcomes(&[], [stores_and_looks, wakes_and_looks]);
    assert_eq!((verdict, seen), (Verdict::Holds, [[0, 0], [0, 1], [1, 0], [1, 1]].into()));
}
