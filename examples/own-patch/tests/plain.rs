//! The same without a harness of its own: what one wants to know, as ordinary tests.

use own_patch::{LOOKS_UNDER_LOCK_TOO, WAITS_FOR_RCU};
use selvedge_proofs::{Expected, Source, Suite};

#[test]
fn no_bh_stays_in_a_bh_lru_with_both_patches() {
    Suite::of(&[&WAITS_FOR_RCU, &LOOKS_UNDER_LOCK_TOO])
        .expect("looks-under-lock-too", Expected::Holds, Source::commit("c0226eb8bde8"))
        .assert("install_vs_prep::looks-under-lock-too");
}

/// As in v5.15, and as is expected: the counter is looked at before the lock is taken.
#[test]
fn with_the_first_one_alone_a_bh_can_stay() {
    let rows = Suite::of(&[&WAITS_FOR_RCU]).check("install_vs_prep").expect("a row");
    assert_eq!(rows[0].as_expected(), Ok(()));
    let found = rows[0].exploration.counterexample.as_ref().expect("a counterexample");
    assert_eq!(found.message, "bh0 stays in the bh_lru of CPU0, its b_count is 2");
    // The migrator has run the function of this crate.
    let mut steps = found.steps.iter();
    let waits = steps.find(|step| step.primitive == "synchronize_rcu").expect("it waits");
    assert!(waits.path.contains(&"lru_cache_disable".into()), "{:?}", waits.path);
}
