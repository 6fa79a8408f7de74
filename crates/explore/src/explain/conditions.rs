//! Chooses, of all conditions that the failing execution meets, the fewest that make the
//! difference.

use std::collections::BTreeSet;

use selvedge_trace::{Condition, Explanation};

use super::gather::Gather;
use super::orders::{Bits, Candidate, Compared, Comparison, RunAll, common, has};
use super::ways::{self, Ways};

/// More conditions than these are no explanation.
pub(super) const CONDITIONS_MAX: usize = 6;
/// So many sets of conditions are compared at most.
const SETS_MAX: usize = 2_000;
/// So many sets, and parts of sets, are tried at most.
const VISITS_MAX: usize = 500_000;

/// Chooses the conditions, and says whether they are necessary and sufficient. If there are several
/// ways to fail, what `run` runs is run again, to tell them all in what was gathered.
pub(super) fn choose(
    comparison: &Comparison,
    (compared, gathered): &(Compared, Gather),
    run: RunAll<'_>,
    why: &mut Explanation,
) {
    if compared.others > 0 {
        let others = compared.others;
        why.limits.push(format!("{others} executions break another rule, and are not compared"));
    }
    if compared.passing.is_empty() {
        // Whatever the order.
        (why.necessary, why.sufficient) = (true, true);
        return;
    }
    match pick(compared) {
        Ok(picked) if picked.is_necessary => take(compared, &picked, why),
        Ok(picked) => {
            if let Err(limit) = several(comparison, gathered, run, why) {
                take(compared, &picked, why);
                why.limits.push(format!("which other ways to fail there are: {limit}"));
            }
        }
        Err(limit) => why.limits.push(limit),
    }
}

/// Tells all ways to fail.
fn several(
    comparison: &Comparison,
    gathered: &Gather,
    run: RunAll<'_>,
    why: &mut Explanation,
) -> Result<(), String> {
    let mut all = comparison.clone();
    all.extend(gathered);
    let found = ways::of_all(&all.of(run)?, comparison.candidates().len())?;
    take_ways(&all, gathered, &found, why);
    Ok(())
}

/// Says which ways to fail were found.
pub(super) fn take_ways(
    comparison: &Comparison,
    gathered: &Gather,
    found: &Ways,
    why: &mut Explanation,
) {
    let (first, others) = found.sets.split_first().expect("one is of the failing execution");
    let own = first.iter().filter_map(|&number| comparison.condition(number));
    why.conditions = own.collect();
    why.conditions.sort_by_key(first_step);
    let said = |set: &Vec<usize>| -> Vec<String> {
        set.iter().map(|&number| comparison.said(number, gathered)).collect()
    };
    why.alternatives = others.iter().map(said).collect();
    why.sufficient = true;
    why.necessary = found.are_all() && others.is_empty();
    why.exhaustive = found.are_all();
    if let Some(limit) = &found.untold {
        why.limits.push(format!("which other ways to fail there are: {limit}"));
    }
}

/// The conditions that make the difference.
struct Picked {
    /// Their numbers.
    set: Vec<usize>,
    /// Every failing execution meets them.
    is_necessary: bool,
    are_fewest: bool,
}

/// Says what was picked.
fn take(compared: &Compared, picked: &Picked, why: &mut Explanation) {
    let of = |&number: &usize| compared.candidates[number].is.clone();
    why.conditions = picked.set.iter().filter_map(of).collect();
    why.conditions.sort_by_key(first_step);
    (why.necessary, why.sufficient) = (picked.is_necessary, true);
    why.exhaustive = picked.is_necessary;
    if !picked.are_fewest {
        why.limits.push("fewer orders of steps may say the same".into());
    }
}

/// The fewest conditions that no passing execution meets. `Err`: there are none, and why.
fn pick(compared: &Compared) -> Result<Picked, String> {
    let Compared { candidates, failing, passing, .. } = compared;
    let passing: Vec<&Bits> = passing.keys().collect();
    let in_all_failing = common(failing.keys(), candidates.len());
    let (usable, is_necessary) = match excludes_all(&in_all_failing, &passing) {
        true => (in_all_failing, true),
        // It fails in several ways: this way is told from what does not fail.
        false => ((0..candidates.len()).collect(), false),
    };
    if !excludes_all(&usable, &passing) {
        return Err("the orders of steps on one object do not tell the executions that fail from \
                    those that do not: who may run on a CPU, and when, has a part in it"
            .into());
    }
    let usable = distinct(&usable, compared);
    let Some((sets, are_fewest)) = fewest(&usable, &passing) else {
        return Err(format!(
            "no set of at most {CONDITIONS_MAX} orders of steps tells the executions that fail \
             from those that do not"
        ));
    };
    let covered = |set: &Vec<usize>| -> u64 {
        let is_met = |bits: &Bits| set.iter().all(|&number| has(bits, number));
        failing.iter().filter(|(bits, _)| is_met(bits)).map(|(_, count)| count).sum()
    };
    let rank = |set: &Vec<usize>| (covered(set), std::cmp::Reverse(awkwardness(set, candidates)));
    // Of equals the first.
    let set = sets.iter().rev().max_by_key(|set| rank(set)).cloned().unwrap_or_default();
    Ok(Picked { set, is_necessary, are_fewest })
}

fn first_step(condition: &Condition) -> usize {
    match *condition {
        Condition::Order { before, .. } => before,
        Condition::Choice { step } => step,
    }
}

/// How far a set of conditions is from what a reader looks at: words rather than what keeps a CPU
/// to itself, steps near each other.
pub(super) fn awkwardness(set: &[usize], candidates: &[Candidate]) -> (usize, usize) {
    let of = |&number: &usize| {
        let candidate = &candidates[number];
        let is_exclusion = candidate.object.text.starts_with("cpu.");
        (usize::from(is_exclusion), candidate.distance)
    };
    set.iter().map(of).fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
}

/// Is there none among these in which all the conditions may be met?
pub(super) fn excludes_all(conditions: &BTreeSet<usize>, passing: &[&Bits]) -> bool {
    passing.iter().all(|bits| conditions.iter().any(|&number| !has(bits, number)))
}

/// Of conditions that are met in the same executions, the least awkward.
pub(super) fn distinct(usable: &BTreeSet<usize>, compared: &Compared) -> Vec<usize> {
    let column = |number: usize| -> Vec<bool> {
        let all = compared.failing.keys().chain(compared.passing.keys());
        all.map(|bits| has(bits, number)).collect()
    };
    let mut kept: Vec<(Vec<bool>, usize)> = Vec::new();
    for &number in usable {
        let column = column(number);
        let rank = |number: usize| awkwardness(&[number], &compared.candidates);
        match kept.iter_mut().find(|(known, _)| *known == column) {
            Some((_, best)) if rank(number) < rank(*best) => *best = number,
            Some(_) => {}
            None => kept.push((column, number)),
        }
    }
    let mut kept: Vec<usize> = kept.into_iter().map(|(_, number)| number).collect();
    kept.sort_unstable();
    kept
}

/// Sets of the fewest conditions, so that no passing execution meets all of them. If that takes too
/// long, one set of which none can be left out; `false`.
pub(super) fn fewest(usable: &[usize], passing: &[&Bits]) -> Option<(Vec<Vec<usize>>, bool)> {
    let mut search = Sets { usable, passing, found: Vec::new(), visits: 0 };
    for size in 1..=CONDITIONS_MAX {
        search.extend(&mut Vec::new(), size);
        if !search.found.is_empty() {
            return Some((search.found, true));
        }
        if search.visits >= VISITS_MAX {
            return one_by_one(usable, passing).map(|set| (vec![set], false));
        }
    }
    None
}

struct Sets<'a> {
    usable: &'a [usize],
    passing: &'a [&'a Bits],
    found: Vec<Vec<usize>>,
    visits: usize,
}

impl Sets<'_> {
    /// Some condition must exclude the first execution that is not excluded yet.
    fn extend(&mut self, set: &mut Vec<usize>, size: usize) {
        self.visits += 1;
        let met = |bits: &&&Bits| set.iter().all(|&number| has(bits, number));
        let Some(next) = self.passing.iter().find(met) else {
            let mut found = set.clone();
            found.sort_unstable();
            if !self.found.contains(&found) {
                self.found.push(found);
            }
            return;
        };
        if set.len() == size || self.visits >= VISITS_MAX || self.found.len() >= SETS_MAX {
            return;
        }
        for &number in self.usable {
            if !has(next, number) {
                set.push(number);
                self.extend(set, size);
                set.pop();
            }
        }
    }
}

/// Leaves conditions out as long as the others do.
pub(super) fn one_by_one(usable: &[usize], passing: &[&Bits]) -> Option<Vec<usize>> {
    let mut set: BTreeSet<usize> = usable.iter().copied().collect();
    for &number in usable {
        set.remove(&number);
        if !excludes_all(&set, passing) {
            set.insert(number);
        }
    }
    (set.len() <= CONDITIONS_MAX).then(|| set.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(usable: &[usize], passing: &[u64]) -> Option<Vec<Vec<usize>>> {
        let passing: Vec<Bits> = passing.iter().map(|&bits| vec![bits]).collect();
        fewest(usable, &passing.iter().collect::<Vec<_>>()).map(|(sets, _)| sets)
    }

    #[test]
    fn the_fewest_conditions_exclude_every_passing_execution() {
        // One condition does: it is met in none of them.
        assert_eq!(sets(&[0, 1, 2], &[0b011, 0b001]), Some(vec![vec![2]]));
        // Two, of which one excludes each.
        assert_eq!(sets(&[0, 1], &[0b01, 0b10]), Some(vec![vec![0, 1]]));
        // A passing execution that meets all of them cannot be excluded.
        assert_eq!(sets(&[0, 1], &[0b11]), None);
    }

    #[test]
    fn what_is_left_when_none_can_be_left_out_excludes_them_too() {
        let passing = [vec![0b0111_u64], vec![0b1011]];
        let passing: Vec<&Bits> = passing.iter().collect();
        assert_eq!(one_by_one(&[0, 1, 2, 3], &passing), Some(vec![2, 3]));
    }
}
