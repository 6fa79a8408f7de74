//! The workloads of `examples/workloads.rs`: how many executions each takes, and that GenMC's SC
//! count is not exceeded.

#[path = "../examples/workloads.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod workloads;

use workloads::programs::{Program, migrator, ring, try_locks};
use workloads::{Announced, explore, references_at_once};

fn executions(program: &Program) -> u64 {
    let (results, _) = explore(program, 200_000);
    assert!(results.complete(), "not finished");
    assert_eq!(results.sleep_set_blocked(), 0);
    results.executions()
}

/// Nidhugg's optimal DPOR with observers: 16, 64, 256. 4 to the power of n: each task is seen not
/// at all, or as one of three.
#[test]
fn a_migrator_and_n_tasks_take_four_to_the_n() {
    for n in 2..=4 {
        assert_eq!(executions(&migrator::<Announced>(n)), 1 << (2 * n), "{n} tasks");
    }
}

#[test]
fn a_ring_of_four_locks_takes_fifteen_and_deadlocks_once() {
    let (results, deadlocks) = explore(&ring::<Announced>(4, false), 1_000);
    assert_eq!((results.executions(), deadlocks), (15, 1));
    assert_eq!(executions(&ring::<Announced>(4, true)), 14);
}

/// (2n)! / 2^n: the orders of n gets and n puts, each get before its put. No get can fail, since
/// the table's reference is never given up.
#[test]
fn gets_and_puts_take_every_order() {
    assert_eq!(executions(&references_at_once(2)), 6);
    assert_eq!(executions(&references_at_once(3)), 90);
    assert_eq!(executions(&references_at_once(4)), 2_520);
}

/// GenMC 0.11 takes 1,620 and 185,160: a failed trylock only reads.
#[test]
fn try_locks_take_fewer_than_genmc() {
    assert!(executions(&try_locks::<Announced>(3)) < 1_620);
    assert!(executions(&try_locks::<Announced>(4)) < 185_160);
}
