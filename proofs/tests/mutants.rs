//! A sample of the mutants that the gate judges: each kind of fault does what it says, and each
//! fate is told from the others.

use selvedge_models::trees;
use selvedge_proofs::mutation::judge::{Asked, What, judge};
use selvedge_proofs::mutation::survivors::{Equivalent, Open, Survivors};
use selvedge_proofs::mutation::{Fate, Survey, candidates, look};

/// Few and small: what is asked here.
const SCENARIOS: &[&str] = &[
    "isolated_by_two",
    "rotation_interrupts_lists",
    "two_cpus_try_once",
    "drain_vs_isolate",
    "async_waiter_and_writer",
];

fn survey() -> Survey {
    let tree = trees::by_name(Survivors::TREE).expect("a release");
    let mut rows = candidates(tree);
    rows.retain(|(claim, _)| SCENARIOS.contains(&claim.scenario.name));
    Survey::of(tree, rows.into_iter().map(look).collect())
}

fn fate(survey: &Survey, name: &str) -> Fate {
    let is_it = |mutant: &&selvedge_proofs::mutation::Mutant| mutant.short_name() == name;
    let mutant = survey.mutants.iter().find(is_it);
    let mutant = mutant.unwrap_or_else(|| panic!("{name} is no mutant"));
    judge(survey, mutant, Asked::Small).0
}

#[test]
fn each_fault_is_noticed_by_the_claim_that_it_is_about() {
    let survey = survey();
    for (name, scenario, rule) in [
        (
            "folio_isolate_lru::local_irq_disable(cpu.irq)#0::drop",
            "rotation_interrupts_lists",
            "no task waits for ever",
        ),
        (
            "folio_isolate_lru::test_and_clear_bit(PG_lru)#0::split",
            "isolated_by_two",
            "the kernel's own assertions hold",
        ),
        (
            "folio_unlock::xor_unlock_is_negative_byte(folio->flags)#0::relax",
            "two_cpus_try_once",
            "plain accesses do not race",
        ),
        // By graph, and by nobody else: under sequential consistency the order is there anyway.
        (
            "__folio_lock_async::test_and_set_bit_lock(PG_locked)#0::relax",
            "async_waiter_and_writer",
            "who locks a folio or a buffer sees what its last holder did",
        ),
    ] {
        let Fate::Killed(kills) = fate(&survey, name) else { panic!("{name} survives") };
        let names: Vec<_> = kills
            .iter()
            .map(|kill| (survey.judges[kill.judge].claim.scenario.name, kill.what.clone()))
            .collect();
        let is_named = names.iter().any(|(by, what)| {
            *by == scenario && matches!(what, What::Broken(broken) if broken == rule)
        });
        assert!(is_named, "{name}: {names:?}");
    }
}

#[test]
fn what_cannot_be_noticed_is_told_from_what_is_not() {
    let survey = survey();
    // Nobody else has the word meanwhile.
    let name = "folio_activate::write(lru_activate.nr)#0::later";
    assert_eq!(fate(&survey, name), Fate::Idle, "{name}");
}

/// A reason is worth nothing if it is about nothing, or about what a claim notices.
#[test]
fn an_entry_that_explains_nothing_is_an_error() {
    let survey = survey();
    let killed = "folio_isolate_lru::local_irq_disable(cpu.irq)#0::drop";
    let survivors = Survivors {
        equivalent: vec![Equivalent {
            mutants: vec!["no_such_function".into(), killed.into()],
            reason: "none".into(),
        }],
        open: vec![Open {
            mutants: vec!["folio_isolate_lru::*::no_such_fault".into()],
            wanted: "none".into(),
        }],
    };
    let judged: Vec<_> = (survey.mutants.iter())
        .filter(|mutant| mutant.short_name() == killed)
        .map(|mutant| (mutant, fate(&survey, killed)))
        .collect();
    let faults = survivors.faults(&survey.mutants, &judged);
    let expected = [
        "`no_such_function` names no mutant".to_string(),
        format!("`{killed}`: a claim kills it"),
        "`folio_isolate_lru::*::no_such_fault` names no mutant".to_string(),
    ];
    assert_eq!(faults, expected);
}

#[test]
fn the_file_of_survivors_can_be_read() {
    let survivors = Survivors::read().expect("it is as it should be");
    let reasons = survivors.equivalent.iter().map(|entry| &entry.reason);
    for text in reasons.chain(survivors.open.iter().map(|entry| &entry.wanted)) {
        assert!(text.trim().len() > 10, "`{text}` is no reason");
    }
}
