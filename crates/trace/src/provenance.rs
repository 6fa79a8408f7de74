//! Which version of the models a counterexample is of, and why it fails, as far as that was
//! explored: two parts of a file that a reader may do without.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Column, Record};

/// The version of Selvedge and of the models that a counterexample was made with. What a model does
/// is in its text, so that each function that the counterexample comes through has a hash of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Model {
    /// The version of Selvedge: `0.1.0`.
    pub version: String,
    /// A hash of `functions`: 16 hexadecimal digits.
    pub fingerprint: String,
    /// For each kernel function that steps are in, a hash of the text of the functions that model
    /// it: 16 hexadecimal digits. Comments and white space do not count.
    pub functions: BTreeMap<String, String>,
}

impl Model {
    /// Of this version, with these functions and hashes of their texts.
    pub fn new(version: &str, functions: BTreeMap<String, String>) -> Model {
        let parts = functions.iter().flat_map(|(name, hash)| [name.as_str(), "=", hash, ";"]);
        let fingerprint = format!("{:016x}", fnv(parts));
        Model { version: version.into(), fingerprint, functions }
    }

    /// The functions that are not as in the other: changed, or in one of them alone.
    pub fn differs<'a>(&'a self, other: &'a Model) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.functions.keys().map(String::as_str).collect();
        names.extend(other.functions.keys().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        names.retain(|name| self.functions.get(*name) != other.functions.get(*name));
        names
    }
}

/// FNV-1a, 64 bits: the same on every machine and with every compiler.
fn fnv<'a>(parts: impl Iterator<Item = &'a str>) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    parts.flat_map(str::bytes).fold(0xcbf2_9ce4_8422_2325, step)
}

/// Why the execution breaks its rule.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Explanation {
    /// `fails exactly when A happens before B and C happens before D`
    pub sentence: String,
    /// How many preemptions this execution has: switches away from a task that could have gone on.
    pub preemptions: u32,
    /// No execution with fewer preemptions breaks the rule: all of them were run.
    pub fewest: bool,
    /// The orders that it takes, and the choices: each is true of this execution.
    pub conditions: Vec<Condition>,
    /// The conditions are met in every failing execution that was compared: each is necessary. If
    /// not, there are executions that fail otherwise.
    pub necessary: bool,
    /// Other ways to fail: the conditions of each, as sentences, of which none that was compared
    /// meets all and does not fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Vec<String>>,
    /// Every failing execution that was compared meets the conditions, or those of one of the
    /// alternatives.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exhaustive: bool,
    /// Whether there are such executions was not decided: `necessary` is false, and may be true.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others_unknown: bool,
    /// Every execution in which the conditions are met, and that was compared, fails: together they
    /// are sufficient.
    pub sufficient: bool,
    /// Compared were only executions that are as this one before the step of this index; `None`:
    /// all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// The last step at which the outcome was still open: before it some way to go on breaks no
    /// rule, after it none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisive: Option<usize>,
    /// How it could have gone instead, from `decisive` on, without breaking the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passing: Option<Passing>,
    /// Steps whose place among the others does not matter: they can be left out of a view.
    pub unneeded: Vec<usize>,
    /// How many executions were run to compare orders, and how many of them fail.
    pub executions: u64,
    /// How many of them break the rule.
    pub failing: u64,
    /// What was not decided, and by which limit.
    pub limits: Vec<String>,
}

/// An execution that goes the same way up to the decisive step, and then breaks no rule.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Passing {
    /// Its tasks, by number; there may be others than in the failing one.
    pub tasks: Vec<Column>,
    /// Its steps from the decisive one on.
    pub steps: Vec<Record>,
}

/// Something that is true of the failing execution, and need not be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// One step happens before another.
    Order {
        /// The index of the one.
        before: usize,
        /// The index of the other; `None` if it never happens.
        after: Option<usize>,
        /// The task of the other, which is blocked, if it never happens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked: Option<u8>,
        /// The index of the other in the steps of [`Explanation::passing`], if it happens there
        /// alone: the failing execution has ended before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        passing: Option<usize>,
    },
    /// What this step chooses is what it chooses here.
    Choice {
        /// The index of the step.
        step: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(functions: &[(&str, &str)]) -> Model {
        let functions = functions.iter().map(|(name, hash)| (name.to_string(), hash.to_string()));
        Model::new("0.1.0", functions.collect())
    }

    #[test]
    fn what_differs_is_named() {
        let (old, new) = (model(&[("a", "1"), ("b", "2")]), model(&[("b", "3"), ("c", "4")]));
        assert_eq!(old.differs(&new), ["a", "b", "c"]);
        assert_ne!(old.fingerprint, new.fingerprint);
        assert!(old.differs(&old.clone()).is_empty());
    }

    /// The test vectors of the algorithm's authors for the empty text and for "a".
    #[test]
    fn the_hash_is_fnv_1a() {
        assert_eq!(fnv([].into_iter()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(["a"].into_iter()), 0xaf63_dc4c_8601_ec8c);
    }
}
