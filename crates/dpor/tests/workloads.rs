//! The workloads of `examples/workloads.rs`: how many executions each takes, and that GenMC's SC
//! count is not exceeded.

#[path = "../examples/workloads.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod workloads;

use workloads::programs::{Program, migrator, references, references_by_hand, ring, try_locks};
use workloads::{Announced, explore, explore_states};

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
/// the table's reference is never given up. GenMC 0.11 takes 1,171 for three and 86,001 for four.
#[test]
fn gets_and_puts_take_every_order_and_fewer_than_genmc() {
    for (n, expected, genmc) in [(2, 6, None), (3, 90, Some(1_171)), (4, 2_520, Some(86_001))] {
        let executions = executions(&references::<Announced>(n));
        assert_eq!(executions, expected, "{n} tasks");
        assert!(genmc.is_none_or(|genmc| executions <= genmc), "{n} tasks");
    }
}

/// The rule is worth something: without it the failed iterations make executions of their own, more
/// than GenMC's, which does not count them.
#[test]
fn a_loop_by_hand_takes_more_than_genmc() {
    assert!(executions(&references_by_hand::<Announced>(3)) > 1_171);
}

/// Each task is before its get, between get and put, or done; that says what the count is. Main is
/// before a spawn, of k tasks spawned: 3^k; or before a join, of k tasks not known to be done: 3^k.
/// The sum of 3^0 to 3^(n-1), and that of 3^1 to 3^n: 2 (3^n - 1).
#[test]
fn gets_and_puts_have_few_states() {
    for n in 2..=5 {
        let (states, _) = explore_states(&references::<Announced>(n));
        assert!(states.complete());
        assert_eq!(states.states(), 2 * (3u64.pow(n as u32) - 1), "{n} tasks");
    }
    let (by_hand, _) = explore_states(&references_by_hand::<Announced>(3));
    assert!(by_hand.complete() && by_hand.states() > 52, "{}", by_hand.states());
}

/// GenMC 0.11 takes 1,620 and 185,160: a failed trylock only reads.
#[test]
fn try_locks_take_fewer_than_genmc() {
    assert!(executions(&try_locks::<Announced>(3)) < 1_620);
    assert!(executions(&try_locks::<Announced>(4)) < 185_160);
}
