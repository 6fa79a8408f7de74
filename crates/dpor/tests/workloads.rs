//! The workloads of `examples/workloads.rs`: how many executions each takes, and that GenMC's SC
//! count is not exceeded.

use crate::examples as workloads;

use workloads::programs::{
    Program, migrator, references, references_by_hand, ring, try_locks, wake_up,
};
use workloads::{Announced, AnnouncedTwins, explore, explore_states, references_assuming};

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

/// In how many orders k gets and k puts can come if every put comes after its get: (2k)! / 2^k.
fn orders(k: u64) -> u64 {
    (1..=k).map(|i| i * (2 * i - 1)).product()
}

fn choose(n: u64, k: u64) -> u64 {
    (1..=k).fold(1, |product, i| product * (n + 1 - i) / i)
}

/// In how many orders k gets, their puts and the owner's put can come if no reference is given up
/// before the last of them. The owner's put is the last, or it is between two of the last gets and
/// puts, which begin with a get when nobody has a reference but the owner and are the first to come
/// back to that: 2l places, if there are l gets among those.
fn orders_with_owner(k: u64) -> u64 {
    // l gets and puts that come back to the owner's reference at their end only.
    let mut unbroken = vec![0];
    for l in 1..=k {
        let broken = (1..l).map(|i| choose(l, i) * orders(l - i) * unbroken[i as usize]);
        let value = orders(l) - broken.sum::<u64>();
        unbroken.push(value);
    }
    let by_last = (1..=k).map(|l| choose(k, l) * orders(k - l) * unbroken[l as usize] * 2 * l);
    if k == 0 { 1 } else { by_last.sum() }
}

/// Of n gets any k succeed; the others come when all is over, in no order among themselves. GenMC
/// 0.11 takes 1,171 for three and 86,001 for four.
#[test]
fn gets_and_puts_take_every_order_and_fewer_than_genmc() {
    for (n, expected, genmc) in [(2, 25, None), (3, 511, Some(1_171)), (4, 18_849, Some(86_001))] {
        let by_formula: u64 = (0..=n).map(|k| choose(n, k) * orders_with_owner(k)).sum();
        assert_eq!(expected, by_formula, "{n} tasks");
        let executions = executions(&references::<Announced>(n as usize));
        assert_eq!(executions, expected, "{n} tasks");
        assert!(genmc.is_none_or(|genmc| executions <= genmc), "{n} tasks");
    }
}

/// That W3 is the program that GenMC and Nidhugg counted: if a task whose CAS has failed is stuck
/// for good (their `assume`), as many executions have no such task as these tools count.
#[test]
fn a_loop_that_must_succeed_at_once_takes_what_genmc_takes() {
    for (n, genmc) in [(3, 1_171), (4, 86_001)] {
        let (results, stuck) = explore(&references_assuming(n), 2_000_000);
        assert!(results.complete() && stuck > 0);
        assert_eq!(results.executions() - stuck, genmc, "{n} tasks");
    }
}

/// A wake-up that is lost is a deadlock.
#[test]
fn a_wake_up_takes_no_more_than_genmc_and_none_is_lost() {
    for (n, genmc) in [(2, 18), (3, 174), (4, 2_616)] {
        let (results, deadlocks) = explore(&wake_up::<Announced>(n), 200_000);
        assert!(results.complete() && deadlocks == 0, "{n} tasks: {deadlocks} deadlocks");
        assert!(results.executions() <= genmc, "{n} tasks take {}", results.executions());
    }
}

/// The rule is worth something: without it the failed iterations make executions of their own, more
/// than GenMC's, which does not count them.
#[test]
fn a_loop_by_hand_takes_more_than_genmc() {
    assert!(executions(&references_by_hand::<Announced>(3)) > 1_171);
}

/// Each task is before its get, has a reference, or is done (3^k for k tasks, and k references
/// more), until the owner has put its own. The owner is before a spawn, of k tasks spawned, or
/// before its put (the sum of 3^0 to 3^n); or about to free: nobody has a reference (2^n). Or the
/// owner is before a join, of m tasks not known to be done: of those somebody has a reference
/// (3^m - 2^m), or is about to free (m 2^(m-1)), or it is free (2^m). The sum of the sums is
/// 3^(n+1) + n 2^n - 1.
#[test]
fn gets_and_puts_have_few_states() {
    for n in 2..=5 {
        let (states, _) = explore_states(&references::<Announced>(n));
        assert!(states.complete());
        let expected = 3u64.pow(n as u32 + 1) + n as u64 * (1 << n) - 1;
        assert_eq!(states.states(), expected, "{n} tasks");
    }
    // And more of them if the loop is written out.
    let (by_hand, _) = explore_states(&references_by_hand::<Announced>(3));
    assert!(by_hand.complete() && by_hand.states() > 104, "{}", by_hand.states());
}

const TRIES: u64 = 2;

/// In how many orders tasks that have so many tries `left` can try a lock: who is next to take it,
/// and how often each of the others fails until it is given back. Two that fail in the meantime are
/// in no order. `in_turn`: tasks make their first tries in the order of their numbers.
fn orders_of_tries(left: &[u64], in_turn: bool) -> u64 {
    if left.iter().all(|&tries| tries == 0) {
        return 1;
    }
    let owners = (0..left.len()).filter(|&task| left[task] > 0);
    let orders = owners.map(|owner| {
        let mut left = left.to_vec();
        left[owner] -= 1;
        if in_turn && !is_in_turn(&left) { 0 } else { orders_while_held(&left, owner, 0, in_turn) }
    });
    orders.sum()
}

/// The same while the owner has the lock, if the tasks before `from` have failed already.
fn orders_while_held(left: &[u64], owner: usize, from: usize, in_turn: bool) -> u64 {
    if from == left.len() {
        return if in_turn && !is_in_turn(left) { 0 } else { orders_of_tries(left, in_turn) };
    }
    let failures_max = if from == owner { 0 } else { left[from] };
    let orders = (0..=failures_max).map(|failures| {
        let mut left = left.to_vec();
        left[from] -= failures;
        orders_while_held(&left, owner, from + 1, in_turn)
    });
    orders.sum()
}

/// No task has made its first try before the one before it.
fn is_in_turn(left: &[u64]) -> bool {
    left.windows(2).all(|pair| pair[0] < TRIES || pair[1] == TRIES)
}

/// GenMC 0.11 takes 1,620 and 185,160, which is what it takes if a try that fails is ordered with
/// its like: to it, that is a write.
#[test]
fn try_locks_take_every_order_and_fewer_than_genmc() {
    for (n, expected, genmc) in
        [(2, 26, None), (3, 1_263, Some(1_620)), (4, 111_624, Some(185_160))]
    {
        assert_eq!(expected, orders_of_tries(&vec![TRIES; n], false), "{n} tasks");
        let executions = executions(&try_locks::<Announced>(n));
        assert_eq!(executions, expected, "{n} tasks");
        assert!(genmc.is_none_or(|genmc| executions <= genmc), "{n} tasks");
    }
}

#[test]
fn try_locks_of_twins_take_every_order_in_turn() {
    for (n, expected) in [(2, 13), (3, 229), (4, 5_489)] {
        assert_eq!(expected, orders_of_tries(&vec![TRIES; n], true), "{n} twins");
        assert_eq!(executions(&try_locks::<AnnouncedTwins>(n)), expected, "{n} twins");
    }
}

/// Of the k gets that succeed any may be the first twin's, of the rest any the second's, and so on;
/// those that fail come in the order of the twins. So each order of k gets and puts, and the
/// owner's, counts once where it counted k! times.
#[test]
fn gets_and_puts_of_twins_take_every_order_once() {
    let factorial = |k: u64| (1..=k).product::<u64>();
    for (n, expected) in [(2, 13), (3, 87), (4, 793)] {
        let by_formula: u64 = (0..=n).map(|k| orders_with_owner(k) / factorial(k)).sum();
        assert_eq!(expected, by_formula, "{n} twins");
        assert_eq!(executions(&references::<AnnouncedTwins>(n as usize)), expected, "{n} twins");
    }
}
