//! Several ways to fail: sets of conditions, so that no passing execution meets all of a set, and
//! every failing one those of some set. Each set is made from a failing execution that no set
//! before it tells, and is as general as can be: conditions are left out as long as they are not
//! needed to tell also other failing executions from all that pass.
//!
//! The sets are guessed from few executions. What contradicts them is looked for among all others,
//! and added, until there is nothing.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::conditions::{CONDITIONS_MAX, awkwardness, distinct, excludes_all, fewest, one_by_one};
use super::orders::{Bits, Compared, has};

/// More ways than these are no explanation.
pub(super) const WAYS_MAX: usize = 4;
/// So many failing executions are tried as the one that the next way is made from.
const SEEDS_MAX: usize = 12;
/// So many guesses are made at most.
const GUESSES_MAX: usize = 2_000;
/// So many executions that contradict a guess are added to those that are known at once.
const ADDED_MAX: usize = 4;

/// The ways to fail.
pub(super) struct Ways {
    /// The conditions of each, as numbers. The first is that of the execution that is explained.
    pub(super) sets: Vec<Vec<usize>>,
    /// Why some failing execution meets the conditions of none, as far as that is known.
    pub(super) untold: Option<String>,
}

impl Ways {
    /// Does every failing execution that is known meet the conditions of one?
    pub(super) fn are_all(&self) -> bool {
        self.untold.is_none()
    }
}

/// Does it meet the conditions of one of the ways?
pub(super) fn meets_one(sets: &[Vec<usize>], bits: &Bits) -> bool {
    sets.iter().any(|set| set.iter().all(|&number| has(bits, number)))
}

/// The ways to fail of all these executions, of which one meets the first `own` conditions: the one
/// that is explained. `Err`: this one is not told from those that pass.
pub(super) fn of_all(all: &Compared, own: usize) -> Result<Ways, String> {
    let is_it = |bits: &&Bits| (0..own).all(|number| has(bits, number));
    let first = all.failing.keys().find(is_it).ok_or("the failing execution was not met again")?;
    let mut known = all.nothing_yet();
    known.failing.insert(first.clone(), 1);
    for _ in 0..GUESSES_MAX {
        let ways = guess(&known, first)?;
        let passes = all.passing.keys().filter(|bits| meets_one(&ways.sets, bits));
        let passes: Vec<_> = passes.take(ADDED_MAX).cloned().collect();
        let otherwise =
            all.failing.keys().filter(|bits| ways.are_all() && !meets_one(&ways.sets, bits));
        let otherwise: Vec<_> = otherwise.take(ADDED_MAX).cloned().collect();
        if passes.is_empty() && otherwise.is_empty() {
            return Ok(ways);
        }
        known.passing.extend(passes.into_iter().map(|bits| (bits, 1)));
        known.failing.extend(otherwise.into_iter().map(|bits| (bits, 1)));
    }
    Err(format!("{GUESSES_MAX} guesses at the ways to fail were all contradicted"))
}

/// The ways to fail of the executions that are known; the first is of this failing one.
pub(super) fn guess(known: &Compared, first: &Bits) -> Result<Ways, String> {
    let passing: Vec<&Bits> = known.passing.keys().collect();
    let mut left: Vec<&Bits> = known.failing.keys().collect();
    let own = |number: &usize| known.candidates[*number].is.is_some();
    let set = way(known, first, &left, &passing, own)?;
    left.retain(|bits| !meets_one(std::slice::from_ref(&set), bits));
    let mut sets = vec![set];
    let mut untold = None;
    while !left.is_empty() && untold.is_none() {
        if sets.len() == WAYS_MAX {
            untold = Some(format!("more than {WAYS_MAX} are not told"));
            break;
        }
        match next(known, &left, &passing) {
            Ok(set) => {
                left.retain(|bits| !meets_one(std::slice::from_ref(&set), bits));
                sets.push(set);
            }
            Err(limit) => untold = Some(limit),
        }
    }
    leave_out(&mut sets, known);
    Ok(Ways { sets, untold })
}

/// The way that most of the executions that are left take, of those that are tried. `Err`: none of
/// those is told from what passes, and why.
fn next(known: &Compared, left: &[&Bits], passing: &[&Bits]) -> Result<Vec<usize>, String> {
    let step = left.len().div_ceil(SEEDS_MAX);
    let seeds = left.iter().step_by(step);
    let (mut best, mut limit) = (None, String::new());
    let covered = |set: &Vec<usize>| {
        left.iter().filter(|bits| meets_one(std::slice::from_ref(set), bits)).count()
    };
    let rank = |set: &Vec<usize>| {
        (covered(set), Reverse(set.len()), Reverse(awkwardness(set, &known.candidates)))
    };
    for seed in seeds {
        match way(known, seed, left, passing, |_| true) {
            // Of equals the first.
            Ok(set) if best.as_ref().is_none_or(|best| rank(&set) > rank(best)) => {
                best = Some(set);
            }
            Ok(_) => {}
            Err(why) => limit = why,
        }
    }
    best.ok_or(limit)
}

/// The way that this failing execution takes, and as many of the others as can be.
fn way(
    known: &Compared,
    seed: &Bits,
    failing: &[&Bits],
    passing: &[&Bits],
    is_usable: impl Fn(&usize) -> bool,
) -> Result<Vec<usize>, String> {
    let of = |bits: &Bits| -> BTreeSet<usize> {
        (0..known.candidates.len()).filter(|&n| has(bits, n)).filter(&is_usable).collect()
    };
    let alone = of(seed);
    if !excludes_all(&alone, passing) {
        return Err("there is an execution that fails and has no orders of steps on one object \
                    that tell it from those that do not: who may run on a CPU, and when, has a \
                    part in it"
            .into());
    }
    let mut group = alone.clone();
    let mut alike: Vec<BTreeSet<usize>> = failing.iter().map(|bits| of(bits)).collect();
    alike.sort_by_key(|other| Reverse(alone.intersection(other).count()));
    for other in &alike {
        let both: BTreeSet<usize> = group.intersection(other).copied().collect();
        if excludes_all(&both, passing) {
            group = both;
        }
    }
    let few = |usable: &BTreeSet<usize>| {
        let usable = distinct(usable, known);
        match fewest(&usable, passing) {
            Some((sets, _)) => Some(sets),
            None => one_by_one(&usable, passing).map(|set| vec![set]),
        }
    };
    let sets = few(&group).or_else(|| few(&alone)).ok_or_else(|| {
        format!(
            "no set of at most {CONDITIONS_MAX} orders of steps tells an execution that fails \
             from those that do not"
        )
    })?;
    let covered = |set: &Vec<usize>| {
        failing.iter().filter(|bits| meets_one(std::slice::from_ref(set), bits)).count()
    };
    let rank = |set: &Vec<usize>| (covered(set), Reverse(awkwardness(set, &known.candidates)));
    Ok(sets.iter().rev().max_by_key(|set| rank(set)).cloned().unwrap_or_default())
}

/// Leaves out ways that no failing execution takes alone; never the first.
fn leave_out(sets: &mut Vec<Vec<usize>>, known: &Compared) {
    let mut at = 1;
    while at < sets.len() {
        let mut others = sets.clone();
        others.remove(at);
        let mut told = known.failing.keys().filter(|bits| meets_one(sets, bits));
        if told.all(|bits| meets_one(&others, bits)) {
            *sets = others;
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use selvedge_trace::{Condition, Name};

    use super::super::orders::{Candidate, Other};
    use super::*;

    /// Executions by which of six conditions they meet; the execution that is explained has the
    /// first three.
    fn known(failing: &[u64], passing: &[u64]) -> Compared {
        let candidate = |number: usize| Candidate {
            is: (number < 3).then_some(Condition::Choice { step: number }),
            object: Name::new("x"),
            distance: number,
            one: number,
            other: Other::Chose(0),
        };
        let of = |all: &[u64]| -> BTreeMap<Bits, u64> {
            all.iter().map(|&bits| (vec![bits], 1)).collect()
        };
        let candidates = (0..6).map(candidate).collect();
        Compared { candidates, failing: of(failing), passing: of(passing), others: 0 }
    }

    fn ways(failing: &[u64], passing: &[u64]) -> (Vec<Vec<usize>>, bool) {
        let known = known(failing, passing);
        let ways = guess(&known, &vec![failing[0]]).expect("told");
        let all = of_all(&known, 0).expect("told");
        assert_eq!((&all.sets, &all.untold), (&ways.sets, &ways.untold));
        let are_all = ways.are_all();
        (ways.sets, are_all)
    }

    /// Each has an order of its own that would do; one that both have is more general.
    #[test]
    fn an_order_that_tells_all_is_taken_before_one_that_tells_some() {
        assert_eq!(ways(&[0b0101, 0b1100], &[0b0010]), (vec![vec![2]], true));
    }

    #[test]
    fn what_the_first_way_does_not_tell_is_another() {
        // No order is in both; the second way takes two, of which neither does alone.
        let passing = [0b001_000, 0b010_000];
        assert_eq!(ways(&[0b000_001, 0b011_000], &passing), (vec![vec![0], vec![3, 4]], true));
    }

    #[test]
    fn the_first_way_is_of_orders_of_the_execution_that_is_explained() {
        // The fourth condition would do for both.
        assert_eq!(ways(&[0b1001, 0b1010], &[0b100]), (vec![vec![0], vec![1]], true));
    }

    #[test]
    fn more_ways_than_are_told_are_not_all() {
        let failing = [1, 2, 4, 8, 16, 32];
        let known = known(&failing, &[0]);
        let ways = guess(&known, &vec![1]).expect("told");
        assert_eq!((ways.sets.len(), ways.are_all()), (WAYS_MAX, false));
    }

    #[test]
    fn what_fails_and_is_not_told_from_what_passes_is_said() {
        assert!(guess(&known(&[0b01, 0b10], &[0b01]), &vec![0b01]).is_err());
        // The first way is told all the same, and so is the third.
        let known = known(&[0b001, 0b010, 0b100], &[0b010]);
        let ways = guess(&known, &vec![0b001]).expect("the first is told");
        assert_eq!(ways.sets, [vec![0], vec![2]]);
        assert!(ways.untold.is_some_and(|why| why.contains("who may run on a CPU")));
    }
}
