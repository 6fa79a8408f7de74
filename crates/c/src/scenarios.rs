//! The scenarios that there are on C: all that the proofs have made of calls, with what they claim
//! of the nearest release; and those of `on_c_alone.rs`.

use std::collections::BTreeSet;

use selvedge_explore::Engine;
use selvedge_models::{Kind, Tree, Version, trees};
use selvedge_proofs::{Claim, Expected, Source, rows};

use crate::scenario::{Scenario, UNFAIRNESS, is_for_c};
use crate::{on_c_alone, states};

/// Whose unfairness is varied.
const KILLED: &str = "killed_waiter_before_plain_waiter";

/// All scenarios, as they are asked of a kernel of this version.
pub fn of_release(version: &str) -> Vec<Scenario> {
    let on_models: Vec<_> = claimed(version, |_| true);
    let mut all = on_c_alone::scenarios(release(version), |name, rule| {
        // They come in the order of the releases.
        let is_it = |claim: &&&'static Claim| claim.scenario.name == name && claim.rule == rule;
        on_models.iter().rfind(is_it).map(|claim| (claim.expected, claim.source))
    });
    let mut claims: Vec<&'static Claim> = Vec::new();
    for claim in claimed(version, is_for_c) {
        let is_same = |other: &&mut &'static Claim| {
            other.scenario.name == claim.scenario.name && other.rule == claim.rule
        };
        match claims.iter_mut().find(is_same) {
            // They come in the order of the releases.
            Some(older) => *older = claim,
            None => claims.push(claim),
        }
    }
    all.extend(claims.into_iter().flat_map(as_scenarios));
    all
}

/// The releases that are not newer, the older first.
fn releases(version: &str) -> impl Iterator<Item = &'static Tree> {
    let version = of_version(version);
    let is_older = move |tree: &&'static Tree| {
        let is_not_after = |version| Version::parse(tree.name).is_not_after(version);
        tree.kind == Kind::Release && version.is_none_or(is_not_after)
    };
    trees::ALL.iter().copied().filter(is_older)
}

/// The modelled release that is nearest to this version, and not newer.
pub fn release(version: &str) -> Option<&'static Tree> {
    releases(version).last()
}

/// What is claimed of releases that are not newer, the older first, in scenarios of a kind.
fn claimed(version: &str, is_meant: fn(&selvedge_proofs::Scenario) -> bool) -> Vec<&'static Claim> {
    let is_asked = |(claim, engine): &(&'static Claim, Engine)| {
        *engine == Engine::Dpor && is_meant(claim.scenario)
    };
    let of_c: Vec<&'static Claim> = rows().filter(is_asked).map(|(claim, _)| claim).collect();
    let of_release = |tree: &'static Tree| {
        of_c.iter().filter(move |claim| claim.tree.name == tree.name).copied()
    };
    releases(version).flat_map(of_release).collect()
}

/// The version, if it is written as a release's is; of another nobody knows which is nearest.
fn of_version(version: &str) -> Option<Version> {
    let number = |part: &str| part.parse::<u32>().is_ok();
    let parts: Vec<&str> = version.split('.').collect();
    let is_plain = (2..=3).contains(&parts.len()) && parts.iter().all(|part| number(part));
    is_plain.then(|| Version::parse(version))
}

fn as_scenarios(claim: &'static Claim) -> Vec<Scenario> {
    let of = Scenario {
        name: claim.scenario.name,
        of: claim.scenario,
        subsystem: claim.subsystem,
        rule: claim.rule,
        expected: (claim.expected, claim.source),
        unfairness: UNFAIRNESS,
        reached: states::known_on_c(claim.reached),
    };
    if claim.scenario.name != KILLED {
        return vec![of];
    }
    let handed_over = Source::analysis("whoever unlocks hands the lock over");
    vec![
        of.clone(),
        Scenario {
            name: "killed_waiter_before_plain_waiter_unfairness_1",
            unfairness: 1,
            ..of.clone()
        },
        Scenario {
            name: "killed_waiter_before_plain_waiter_unfairness_0",
            unfairness: 0,
            expected: (Expected::Holds, handed_over),
            ..of
        },
    ]
}

/// The functions that scenarios of any release call.
pub fn roots() -> BTreeSet<&'static str> {
    let all = of_release("");
    all.iter().flat_map(Scenario::functions).map(|function| function.name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_names_and_rules_of_their_own_and_reach_something() {
        for version in ["6.1.192", "6.12.117", "7.0-rc1"] {
            let all = of_release(version);
            let names: BTreeSet<_> = all.iter().map(|s| (s.name, s.rule.0)).collect();
            assert_eq!(names.len(), all.len());
            for scenario in &all {
                let machine = &scenario.of.machine;
                assert!(machine.sizes.cpus <= 8, "{}", scenario.name);
                assert!(!scenario.reached.is_empty(), "{} on {version}", scenario.name);
                assert_eq!(crate::initial::lacks(machine), None, "{}", scenario.name);
            }
        }
    }

    /// 6.11 loses what 6.1 and 6.12.117 keep: the claim is that of the nearest release.
    #[test]
    fn the_nearest_older_release_says_what_is_expected() {
        let expected = |version: &str| {
            let all = of_release(version);
            let of = all.into_iter().find(|s| s.name == "activate_then_mlock_and_drain");
            of.expect("it is there").expected.0
        };
        assert_eq!(expected("6.1.192"), Expected::Holds);
        assert_eq!(expected("6.11"), Expected::Violated);
        assert_eq!(expected("6.12.117"), Expected::Holds);
    }
}
