//! Rules, and what is said when one is broken.

use std::fmt;

/// An invariant as one positive sentence. It is the name, the failure message and the table row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rule(pub &'static str);

/// The rule that every deadlock breaks, unless a monitor knows which other one it breaks.
pub const NOBODY_WAITS_FOR_EVER: Rule = Rule("no task waits for ever");

/// The rule of loops without a bound: who goes round for ever, as nobody is left who could end it,
/// breaks this one.
pub const ENDLESS_LOOPS_END: Rule =
    Rule("a loop without a bound ends: somebody is left who can change what it finds");

impl Rule {
    /// The sentence as it stands in a row's name: lower case, underscores.
    pub fn slug(self) -> String {
        slug(self.0)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A sentence as an identifier: letters and digits kept in lower case, the rest one underscore.
pub fn slug(sentence: &str) -> String {
    let mut out = String::with_capacity(sentence.len());
    for c in sentence.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
    }
    out.truncate(out.trim_end_matches('_').len());
    out
}

/// A broken rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// What was seen, as a sentence: names, numbers, holders.
    pub message: String,
    /// The index of the event that broke it, if one event did. `None`: the end of the execution.
    pub event: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_its_row() {
        let rule = Rule("no bh stays in a bh_lru while a migration is pending");
        assert_eq!(rule.slug(), "no_bh_stays_in_a_bh_lru_while_a_migration_is_pending");
        assert_eq!(slug("-EAGAIN, twice."), "eagain_twice");
    }
}
