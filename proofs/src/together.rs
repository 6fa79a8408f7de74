//! Rows that ask different rules of one program in one tree: if a search with the monitors of all
//! of them finds nothing, they hold, each with the same executions. It is done once in a process.
//!
//! If it finds something, each row is searched on its own: its verdict, its counts and its
//! counterexample are what its own monitors find.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use selvedge_explore::{Bounds, Engine, Exploration, Verdict};
use selvedge_models::Asked;
use selvedge_trace::{Monitor, Rule};

use crate::check::{explore_noting, own_monitors};
use crate::claim::known;
use crate::same_program::{self, Search};
use crate::{Claim, Expected};

/// What a search of several rows came to, if they all hold.
type Shared = Arc<OnceLock<Option<Exploration>>>;

/// By what determines it.
static SHARED: Mutex<BTreeMap<String, Shared>> = Mutex::new(BTreeMap::new());

/// Explores the claim's scenario in its tree, together with other rows if that can be, unless it
/// [has been explored](same_program) in a tree in which it is the same program.
pub(crate) fn explore(claim: &'static Claim, engine: Engine, bounds: &Bounds) -> Exploration {
    let group = group(claim, engine, bounds);
    let Some(first) = group.first() else { return search(claim, engine, bounds, &[]).0 };
    let (tree, scenario) = (claim.tree, first.scenario);
    let of = Search { tree, scenario, engine, bounds };
    if let Some(known) = same_program::known(&of, claim.rule) {
        return known;
    }
    let alone = || {
        let found = search(claim, engine, bounds, &[]);
        same_program::keep(&of, vec![claim.rule], &found);
        found.0
    };
    if group.len() == 1 {
        return alone();
    }
    let key = key(&group, engine, bounds);
    let shared = SHARED.lock().expect("not poisoned").entry(key).or_default().clone();
    let mut is_mine = false;
    let found = shared.get_or_init(|| {
        is_mine = true;
        let found = search(claim, engine, bounds, &group);
        same_program::keep(&of, group.iter().map(|claim| claim.rule).collect(), &found);
        Some(found.0).filter(|seen| seen.verdict == Verdict::Holds)
    });
    match found {
        // The time was the other row's.
        Some(seen) if !is_mine => Exploration { elapsed: Duration::ZERO, ..seen.clone() },
        Some(seen) => seen.clone(),
        None => alone(),
    }
}

/// What determines a search of several rows: which they are. Neither the name of a scenario nor the
/// scenario tells that, since others may look at something else in the end, or ask who wrote.
fn key(group: &[&Claim], engine: Engine, bounds: &Bounds) -> String {
    let names: Vec<String> = group.iter().map(|claim| claim.name(engine)).collect();
    format!("{}: {bounds:?}", names.join(" "))
}

/// Searches with the monitors of all of the group, and says what was found and what the tree was
/// asked for.
fn search(
    claim: &'static Claim,
    engine: Engine,
    bounds: &Bounds,
    group: &[&Claim],
) -> (Exploration, Arc<Asked>) {
    let asked = Arc::default();
    let more = more_monitors(claim.rule, group);
    let seen = explore_noting(&asked, (claim.tree, &[]), claim, (engine, bounds), more);
    (seen, asked)
}

/// The claims that a search of this one can decide too, in the order of all claims, and itself;
/// none if it is searched on its own.
fn group(claim: &Claim, engine: Engine, bounds: &Bounds) -> Vec<&'static Claim> {
    // A search that is bounded by what depends on who else runs, or that is to find more than the
    // first violation, is nobody else's.
    let is_alone = bounds.keep_going || bounds.stateful || bounds.exchange.is_some();
    let is_plain = bounds.time_max.is_none() && !is_alone;
    if !is_plain || !engine.is_exhaustive() || claim.expected != Expected::Holds {
        return Vec::new();
    }
    let is_in = |other: &&Claim| {
        other.tree.name == claim.tree.name
            && other.expected == Expected::Holds
            && other.engines.contains(&engine)
            && other.scenario.is_same_program(claim.scenario)
            && asks_who_wrote(other.rule) == asks_who_wrote(claim.rule)
    };
    let group: Vec<&Claim> = known().iter().filter(is_in).collect();
    let is_known =
        |other: &&Claim| other.scenario.name == claim.scenario.name && other.rule == claim.rule;
    if group.iter().any(is_known) { group } else { Vec::new() }
}

/// Whether executions that differ only in who wrote a value count as different ones: a search does
/// it for all monitors or for none.
fn asks_who_wrote(rule: Rule) -> bool {
    own_monitors(rule).iter().any(|monitor| monitor.asks_who_wrote())
}

/// The monitors of the other rules, each once. That this rule has one of the same kind does not
/// matter: a ledger that compares after every step finds what one that compares at the end does
/// not.
fn more_monitors(rule: Rule, group: &[&Claim]) -> Vec<Box<dyn Monitor>> {
    let mut rules: Vec<Rule> = group.iter().map(|other| other.rule).collect();
    rules.retain(|other| *other != rule);
    rules.sort_unstable();
    rules.dedup();
    rules.into_iter().flat_map(own_monitors).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use selvedge_monitors::{
        NOBODY_HOLDS_ON, REFERENCES_BALANCE, WAITING_MIGRATION_HOLDS_ITS_PAIR,
    };

    use super::*;
    use crate::check;
    use crate::check::explore_watched;

    fn claim(part: &str) -> &'static Claim {
        let mut claims = known().iter();
        claims.find(|claim| claim.is_meant_by(Engine::Dpor, part)).expect("a row")
    }

    /// One search decides both; each row has its own states that must have been reached.
    #[test]
    fn a_hang_and_what_is_held_meanwhile_are_one_search() {
        let held = claim("holds-its-pair::held_while_loop_ends_writeback::v6.1::dpor");
        let group = group(held, Engine::Dpor, &Bounds::PROOF);
        let names: Vec<&str> = group.iter().map(|claim| claim.scenario.name).collect();
        assert!(names.contains(&"held_while_loop_ends_writeback"), "{names:?}");
        assert!(names.contains(&"loop_ends_writeback_sync_ba"), "{names:?}");
        for claim in group {
            let alone =
                explore_watched((claim.tree, &[]), claim, Engine::Dpor, &Bounds::PROOF, Vec::new());
            let together = check(claim, Engine::Dpor, &Bounds::PROOF);
            assert_eq!(together.as_expected(), Ok(()));
            assert_eq!(together.exploration.verdict, Verdict::Holds);
            assert_eq!(together.exploration.executions, alone.executions);
            assert_eq!(together.exploration.steps_max, alone.steps_max);
            assert_eq!(together.exploration.reached, alone.reached);
        }
    }

    /// Scenarios that differ in what is looked at in the end may have one name.
    #[test]
    fn rows_of_one_name_may_be_of_two_searches() {
        let (engine, bounds) = (Engine::Dpor, &Bounds::PROOF);
        let groups: Vec<Vec<&Claim>> =
            known().iter().map(|claim| group(claim, engine, bounds)).collect();
        let of = |group: &[&Claim]| (group[0].scenario.name, group[0].tree.name);
        let keys: BTreeSet<String> = groups.iter().map(|g| key(g, engine, bounds)).collect();
        let groups = groups.iter().filter(|group| !group.is_empty());
        let names: BTreeSet<_> = groups.map(|group| of(group)).collect();
        // One key is that of no group.
        assert!(names.len() + 1 < keys.len(), "{} names, {} searches", names.len(), keys.len());
    }

    /// Two rules may have monitors of one kind that look at different things.
    #[test]
    fn each_rule_of_a_group_is_watched_by_its_own_monitors() {
        let claim = claim("install_vs_prep");
        let of = |rule| Claim { rule, ..*claim };
        let (counts, holds_on) = (of(REFERENCES_BALANCE), of(NOBODY_HOLDS_ON));
        let more = |rule| more_monitors(rule, &[claim, &counts, &holds_on]).len();
        assert_eq!((more(claim.rule), more(counts.rule), more(holds_on.rule)), (2, 1, 1));
    }

    /// A rule that one of the group breaks is found by its own search.
    #[test]
    fn what_one_of_a_group_breaks_the_others_need_not() {
        let broken = claim("holds-its-pair::held_while_loop_ends_writeback::v6.4-batches");
        assert_eq!(broken.expected, Expected::Violated);
        let wrongly = Claim { expected: Expected::Holds, ..*broken };
        let row = check(Box::leak(Box::new(wrongly)), Engine::Dpor, &Bounds::PROOF);
        assert_eq!(row.exploration.verdict, Verdict::Violated);
        let found = row.exploration.counterexample.map(|found| found.rule);
        assert_eq!(found.as_deref(), Some(WAITING_MIGRATION_HOLDS_ITS_PAIR.0));
    }

    /// Claims about races are searched on their own: their executions are others.
    #[test]
    fn races_are_not_asked_together_with_anything_else() {
        for claim in known().iter().filter(|claim| asks_who_wrote(claim.rule)) {
            let group = group(claim, Engine::Dpor, &Bounds::PROOF);
            assert!(group.iter().all(|other| asks_who_wrote(other.rule)));
        }
    }
}
