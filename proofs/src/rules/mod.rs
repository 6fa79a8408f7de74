//! The rules of the claims, by subject: what each says, and the check that looks for it at the end
//! of a scenario. What a task itself can see, it says in the scenario.
//!
//! Rules that hold in every scenario are in `selvedge_monitors`, those of the kernel's own
//! assertions in `selvedge_kernel`, and a few that models watch as they go in `selvedge_models`.

mod batches;
mod bh_lru;
mod caching;
mod folio_lock;
mod handed_over;
mod lru_flag;
mod migration;
mod mlock;
mod movable;
mod page_cache;
mod pins;
mod references;
mod safety;

use selvedge_trace::Rule;

pub use batches::*;
pub use bh_lru::*;
pub use caching::*;
pub use folio_lock::*;
pub use handed_over::*;
pub use lru_flag::*;
pub use migration::*;
pub use mlock::*;
pub use movable::*;
pub use page_cache::*;
pub use pins::*;
pub use references::*;
pub use safety::*;

pub use selvedge_kernel::{
    KERNEL_ASSERTIONS_HOLD, NO_QUEUED_WORK_IS_REINITIALISED, NOBODY_SLEEPS_IN_ATOMIC_CONTEXT,
};
pub use selvedge_models::mm::filemap::{
    A_DEMANDED_LOCK_GOES_IN_ORDER, A_FREED_FOLIO_IS_NOT_TOUCHED,
    A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS, NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO,
};
pub use selvedge_monitors::{
    ENDLESS_LOOPS_END, NO_WAIT_ENDS_BY_LUCK, NOBODY_HOLDS_ON, NOBODY_WAITS_FOR_EVER,
    PLAIN_ACCESSES_DO_NOT_RACE, REFERENCES_BALANCE, WAITING_MIGRATION_HOLDS_ITS_PAIR,
};

/// Rules by the short names that they have in the names of rows.
type Ids = &'static [(&'static str, Rule)];

/// The rules of other crates.
const ELSEWHERE: Ids = &[
    ("assertions", KERNEL_ASSERTIONS_HOLD),
    ("work-requeued", NO_QUEUED_WORK_IS_REINITIALISED),
    ("atomic-sleep", NOBODY_SLEEPS_IN_ATOMIC_CONTEXT),
    ("holds-its-pair", WAITING_MIGRATION_HOLDS_ITS_PAIR),
    ("references", REFERENCES_BALANCE),
    ("holds-on", NOBODY_HOLDS_ON),
    ("endless", ENDLESS_LOOPS_END),
    ("luck", NO_WAIT_ENDS_BY_LUCK),
    ("races", PLAIN_ACCESSES_DO_NOT_RACE),
    ("hang", NOBODY_WAITS_FOR_EVER),
    ("lost-wakeup", NOBODY_SLEEPS_ON_AN_UNLOCKED_FOLIO),
    ("freed-folio", A_FREED_FOLIO_IS_NOT_TOUCHED),
    ("dead-waiter", A_WAITER_IS_TOUCHED_ONLY_WHILE_IT_WAITS),
    ("fifo", A_DEMANDED_LOCK_GOES_IN_ORDER),
];

/// Every rule that claims are about, by its short name.
pub fn all() -> impl Iterator<Item = (&'static str, Rule)> {
    let by_subject = [
        IDS_OF_CACHING,
        IDS_OF_BATCHES,
        IDS_OF_PINS,
        IDS_OF_LRU_FLAG,
        IDS_OF_MLOCK,
        IDS_OF_BH_LRU,
        IDS_OF_FOLIO_LOCK,
        IDS_OF_HANDING_OVER,
        IDS_OF_MIGRATION,
        IDS_OF_MOVABLE,
        IDS_OF_PAGE_CACHE,
        IDS_OF_REFERENCES,
        IDS_OF_SAFETY,
        ELSEWHERE,
    ];
    by_subject.into_iter().flatten().copied()
}

/// The short name of a rule.
///
/// # Panics
///
/// For a rule that has none: whoever writes a rule that claims are about gives it one here.
pub fn id(rule: Rule) -> &'static str {
    known_id(rule).unwrap_or_else(|| panic!("no short name: {rule}"))
}

/// The short name of a rule of ours. A rule of somebody else's crate has none.
pub(crate) fn known_id(rule: Rule) -> Option<&'static str> {
    all().find(|(_, known)| *known == rule).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn short_names_are_short_and_of_one_rule() {
        let ids: BTreeSet<&str> = all().map(|(id, _)| id).collect();
        let sentences: BTreeSet<&str> = all().map(|(_, rule)| rule.0).collect();
        assert_eq!(ids.len(), all().count());
        assert_eq!(sentences.len(), all().count());
        for id in ids {
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let is_short = id.len() <= 20 && id.chars().all(is_plain);
            assert!(is_short, "{id}");
        }
    }

    #[test]
    fn every_rule_of_a_claim_has_a_short_name() {
        for (claim, _) in crate::rows() {
            assert!(known_id(claim.rule).is_some(), "{}", claim.rule);
        }
    }

    #[test]
    fn every_rule_is_claimed_somewhere() {
        for (id, rule) in all() {
            assert!(crate::rows().any(|(claim, _)| claim.rule == rule), "{id}: {rule}");
        }
    }
}
