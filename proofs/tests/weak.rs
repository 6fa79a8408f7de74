//! What is not asked of `graph` is not asked for the reason that is given.

use std::collections::BTreeSet;

use selvedge_proofs::claims::weak::{
    ORDERED_OTHERWISE, TOO_LARGE, TOO_LARGE_IN, is_too_large, why_not,
};
use selvedge_proofs::{Bounds, Claim, Engine, Outcome, check, rows};

/// What dpor is asked in this scenario.
fn asked_in(scenario: &str) -> impl Iterator<Item = &'static Claim> {
    let of_dpor = rows().filter(|(_, engine)| *engine == Engine::Dpor).map(|(claim, _)| claim);
    of_dpor.filter(move |claim| claim.scenario.name == scenario)
}

#[test]
fn what_is_listed_is_a_scenario_that_dpor_is_asked_of() {
    let otherwise = ORDERED_OTHERWISE.iter().map(|(name, trees, _)| (*name, *trees));
    let in_some = TOO_LARGE_IN.iter().copied().chain(otherwise);
    for (scenario, tree) in in_some.flat_map(|(name, trees)| trees.iter().map(move |t| (name, t))) {
        let is_asked = asked_in(scenario).any(|claim| claim.tree.name == *tree);
        assert!(is_asked, "dpor is not asked of {scenario} in {tree}");
    }
    let otherwise = ORDERED_OTHERWISE.iter().map(|(name, ..)| name);
    for scenario in TOO_LARGE.iter().chain(otherwise) {
        assert!(asked_in(scenario).next().is_some(), "dpor is not asked of {scenario}");
    }
}

/// Most of what dpor is asked is asked of `graph` too, and what is not has a reason.
#[test]
fn what_dpor_is_asked_is_asked_of_graph_or_a_reason_is_given() {
    let question = |claim: &Claim| (claim.rule.0, claim.scenario.name, claim.tree.name);
    let of = |asked| rows().filter(move |(_, engine)| *engine == asked);
    let weak: BTreeSet<_> = of(Engine::Graph).map(|(claim, _)| question(claim)).collect();
    let without: Vec<&Claim> = of(Engine::Dpor)
        .map(|(claim, _)| claim)
        .filter(|claim| !weak.contains(&question(claim)) && why_not(claim).is_none())
        .collect();
    let names: Vec<String> = without.iter().map(|claim| claim.name(Engine::Dpor)).collect();
    assert!(names.is_empty(), "neither asked of graph nor listed: {names:#?}");
}

/// A sample of what is too large for every run. The example `too_large` asks for all.
#[test]
fn some_that_are_too_large_end_as_under_sequential_consistency() {
    for scenario in ["free_work_vs_unlock_and_move", "migrate_vs_truncate"] {
        let is_meant = |claim: &&Claim| claim.tree.name == "v6.12.117" && is_too_large(claim);
        let claim = asked_in(scenario).find(is_meant).expect("it is too large in 6.12.117");
        let row = check(claim, Engine::Graph, &Bounds::PROOF);
        assert_eq!(row.outcome, Outcome::AsExpected, "{}", row.name());
    }
}
