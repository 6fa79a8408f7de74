//! The scenarios that there are on C: all that the proofs have made of calls, with what they claim
//! of the nearest release; and some of C's own.

use std::collections::BTreeSet;

use selvedge_explore::Engine;
use selvedge_models::{Kind, Machine, Tree, Version, trees};
use selvedge_proofs::calls::{Arg, Call, call};
use selvedge_proofs::functions::{FOLIO_LOCK, FOLIO_TRYLOCK, FOLIO_UNLOCK};
use selvedge_proofs::rules::NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO;
use selvedge_proofs::states::SLEPT;
use selvedge_proofs::{Claim, Expected, Source, calls, rows};

use crate::scenario::{Scenario, UNFAIRNESS, is_for_c};
use crate::states;

const FOLIO: &[Arg] = &[Arg::Folio(0)];
const LOCKED: &[Call] = &[call(FOLIO_TRYLOCK, FOLIO)];
const UNLOCK: &[Call] = &[call(FOLIO_UNLOCK, FOLIO)];
const PLAIN: &[Call] = &[call(FOLIO_LOCK, FOLIO), call(FOLIO_UNLOCK, FOLIO)];

static UNLOCK_AND_WAITER: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "unlock_and_waiter",
    about: "A folio is locked. CPU0 unlocks it; CPU1 wants the lock.",
    machine: Machine::TINY.sleepers(2),
    begins: LOCKED,
    tasks: &[calls(0, "holder", UNLOCK), calls(1, "plain", PLAIN)],
    ..selvedge_proofs::Scenario::EMPTY
};

static UNLOCK_AND_TWO_WAITERS: selvedge_proofs::Scenario = selvedge_proofs::Scenario {
    name: "unlock_and_two_waiters",
    about: "A folio is locked. CPU0 unlocks it; CPU1 and CPU2 want the lock.",
    machine: Machine::TINY.cpus(3).sleepers(3),
    tasks: &[calls(0, "holder", UNLOCK), calls(1, "a", PLAIN), calls(2, "b", PLAIN)],
    ..UNLOCK_AND_WAITER
};

/// Whose unfairness is varied.
const KILLED: &str = "killed_waiter_before_plain_waiter";

/// All scenarios, as they are asked of a kernel of this version.
pub fn of_release(version: &str) -> Vec<Scenario> {
    let mut all: Vec<Scenario> = own();
    let mut claims: Vec<&'static Claim> = Vec::new();
    for claim in claimed(version) {
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

/// What is claimed of releases that are not newer, the older first.
fn claimed(version: &str) -> Vec<&'static Claim> {
    let is_asked = |(claim, engine): &(&'static Claim, Engine)| {
        *engine == Engine::Dpor && is_for_c(claim.scenario)
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

fn own() -> Vec<Scenario> {
    let woken = Source::analysis(
        "the order of PG_waiters, the trylock under the queue's lock and the wake-up",
    );
    let lock = |of: &'static selvedge_proofs::Scenario| Scenario {
        name: of.name,
        of,
        subsystem: "folio_lock",
        rule: NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
        expected: (Expected::Holds, woken),
        unfairness: UNFAIRNESS,
        reached: vec![SLEPT],
    };
    vec![lock(&UNLOCK_AND_WAITER), lock(&UNLOCK_AND_TWO_WAITERS)]
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
