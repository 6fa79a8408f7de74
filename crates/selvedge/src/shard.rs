//! `--shard K/N`: a part of the rows, for one of N jobs that check all of them together.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use selvedge_explore::{Bounds, Engine};
use selvedge_proofs::expected;

use crate::error::Failure;
use crate::fingerprint;
use crate::select::Selected;

/// The K-th part of N.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Shard {
    /// Which one, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// More jobs than this have nothing to do.
const SHARDS_MAX: usize = 10_000;

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        numbers.filter(Shard::is_one).ok_or_else(|| {
            format!(
                "expected K/N, the K-th of N jobs, as 1/4: K from 1 to N, N at most {SHARDS_MAX}"
            )
        })
    }
}

impl Shard {
    /// Is it one of so many, and not of more than there may be?
    pub fn is_one(&self) -> bool {
        self.of <= SHARDS_MAX && (1..=self.of).contains(&self.number)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A shard and the whole that it is a part of: what reports need to be put together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// Which.
    pub shard: Shard,
    /// How many rows all shards have together.
    pub rows_of_all: usize,
    /// Which rows those are: a hash of their names.
    pub rows_hash: String,
}

/// What a shard has to do.
pub struct Work {
    /// The rows that it reports.
    pub mine: Vec<Selected>,
    /// Of all shards, the rows that are longer than all that each has to do: large searches, which
    /// they do together if they can.
    pub large: Vec<Selected>,
    /// Of what its rows are a part.
    pub part: Part,
}

/// The work of this shard.
pub fn work_of(rows: Vec<Selected>, shard: Shard) -> Result<Work, Failure> {
    let known = costs()?;
    let costs: Vec<u64> = rows.iter().map(|row| cost(&known, row)).collect();
    let part = Part { shard, rows_of_all: rows.len(), rows_hash: rows_hash(&rows) };
    let fair = costs.iter().sum::<u64>() / shard.of as u64;
    let is_large =
        |((_, engine), cost): &(&Selected, &u64)| *engine == Engine::Dpor && **cost > fair;
    let large = rows.iter().zip(&costs).filter(is_large).map(|(row, _)| *row).collect();
    let of = assign(&costs, shard.of);
    let mine = rows.into_iter().zip(of).filter(|&(_, of)| of + 1 == shard.number);
    Ok(Work { mine: mine.map(|(row, _)| row).collect(), large, part })
}

/// Which rows these are.
pub fn rows_hash(rows: &[Selected]) -> String {
    let names: Vec<String> = rows.iter().map(|(claim, engine)| claim.name(*engine)).collect();
    fingerprint::hash(&names.join("\n"))
}

/// To which shard each row goes: the largest first, each to the shard that has least. It depends on
/// nothing but the costs, so that all jobs agree.
fn assign(costs: &[u64], shards: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by_key(|&row| (std::cmp::Reverse(costs[row]), row));
    let mut loads = vec![0u64; shards];
    let mut assigned = vec![0; costs.len()];
    for row in order {
        let least = (0..shards).min_by_key(|&shard| loads[shard]).unwrap_or(0);
        loads[least] = loads[least].saturating_add(costs[row]);
        assigned[row] = least;
    }
    assigned
}

/// What is known of rows: how many executions each took.
fn costs() -> Result<BTreeMap<String, u64>, Failure> {
    let lines = expected::read().map_err(Failure::new)?;
    Ok(lines.into_iter().filter_map(|line| Some((line.name, line.executions?))).collect())
}

/// What a row takes, in executions of dpor: as many as it took when it was last reviewed. A row of
/// which that is not known (of a tree of yours, under a random engine) counts as a sample.
fn cost(known: &BTreeMap<String, u64>, (claim, engine): &Selected) -> u64 {
    // What an exploration takes besides.
    const BEGUN: u64 = 100;
    // Each execution under loom takes as long as so many of dpor.
    const LOOM: u64 = 6;
    let executions = known.get(&claim.name(*engine)).copied().unwrap_or(Bounds::PROOF.samples);
    BEGUN + executions * if *engine == Engine::Loom { LOOM } else { 1 }
}

#[cfg(test)]
mod tests {
    use selvedge_proofs::rows;

    use super::*;

    #[test]
    fn a_shard_is_read_or_refused() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        for text in ["", "1", "0/4", "5/4", "1/0", "a/b", "1/4/2", "-1/2", "1/10001"] {
            assert!(text.parse::<Shard>().is_err_and(|why| why.contains("K/N")), "{text}");
        }
    }

    #[test]
    fn every_row_is_in_one_shard_and_none_has_much_more_than_another() {
        let all: Vec<Selected> = rows().filter(|(claim, e)| claim.engines[0] == *e).collect();
        let known = costs().expect("read");
        let names = |rows: &[Selected]| -> Vec<String> {
            rows.iter().map(|(claim, engine)| claim.name(*engine)).collect()
        };
        for of in [1, 3, 4] {
            let shards = (1..=of).map(|number| {
                let Work { mine, part, .. } =
                    work_of(all.clone(), Shard { number, of }).expect("a part");
                assert_eq!(part.rows_of_all, all.len());
                mine
            });
            let shards: Vec<Vec<Selected>> = shards.collect();
            let loads: Vec<u64> =
                shards.iter().map(|rows| rows.iter().map(|row| cost(&known, row)).sum()).collect();
            let (most, least) = (loads.iter().max(), loads.iter().min());
            assert!(
                most.zip(least).is_some_and(|(most, least)| most * 9 <= least * 10),
                "{loads:?}"
            );
            let mut together: Vec<String> = shards.iter().flat_map(|rows| names(rows)).collect();
            let mut expected = names(&all);
            together.sort();
            expected.sort();
            assert_eq!(together, expected);
        }
    }

    #[test]
    fn there_may_be_more_shards_than_rows() {
        assert_eq!(assign(&[5, 7], 4), [1, 0]);
        let all: Vec<Selected> = rows().take(1).collect();
        let Work { mine, part, .. } = work_of(all, Shard { number: 2, of: 2 }).expect("a part");
        assert!(mine.is_empty());
        assert_eq!(part.rows_of_all, 1);
    }

    #[test]
    fn a_row_is_large_if_it_is_more_than_a_shard_has_to_do() {
        let names = |of, rows: &[Selected]| -> Vec<String> {
            let shard = Shard { number: 1, of };
            let large = work_of(rows.to_vec(), shard).expect("work").large;
            large.iter().map(|(claim, engine)| claim.name(*engine)).collect()
        };
        let all: Vec<Selected> = rows().filter(|(_, engine)| *engine == Engine::Dpor).collect();
        assert_eq!(names(1, &all), [""; 0]);
        let largest = names(100, &all);
        assert!(!largest.is_empty() && largest.len() < 100, "{largest:?}");
        // The only one is everybody's, if they are several.
        assert_eq!(names(2, &all[..1]).len(), 1);
        let sampled: Vec<Selected> =
            rows().filter(|(_, engine)| *engine == Engine::Random).take(1).collect();
        assert_eq!(names(2, &sampled), [""; 0], "a sample has no parts");
    }
}
