//! What goes wrong because of what the user said, or of the machine: one clear line, exit code 2.

use std::fmt;
use std::path::Path;

use crate::output;

/// A line that says what was expected, and what to do.
#[derive(Debug)]
pub struct Failure(String);

impl Failure {
    /// With this message.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure(message.into())
    }

    /// A name that is none of the known ones; lists those that are near, or all if there are few.
    pub fn unknown(what: &str, name: &str, known: &[String]) -> Failure {
        let near = near(name, known);
        let hint = match (near.is_empty(), known.len() <= 12) {
            (false, _) => format!("did you mean {}?", near.join(", ")),
            (true, true) => format!("expected one of {}", known.join(", ")),
            (true, false) => format!("`selvedge list {what}s` names all {}", known.len()),
        };
        Failure(format!("unknown {what} `{name}`: {hint}"))
    }

    /// A file or directory that cannot be used.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Failure {
        Failure(format!("cannot {doing} {}: {error}", path.display()))
    }
}

/// The names that are most like this one, at most five.
pub fn near(name: &str, known: &[String]) -> Vec<String> {
    if name.trim().is_empty() {
        return Vec::new();
    }
    let likeness = |candidate: &String| {
        let contains = candidate.contains(name) || name.contains(candidate.as_str());
        f64::from(u8::from(contains)) + strsim::normalized_levenshtein(name, candidate)
    };
    let mut scored: Vec<(f64, &String)> = known.iter().map(|k| (likeness(k), k)).collect();
    scored.retain(|(score, _)| *score > 0.45);
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored.into_iter().take(5).map(|(_, name)| name.clone()).collect()
}

/// What comes from a file or an argument may hold what a terminal takes for commands.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&output::printable(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_answered_with_the_name() {
        let known = ["v5.11", "v5.13", "rfc-migrate-pending"].map(String::from);
        let failure = Failure::unknown("tree", "rfc-migrate-pendig", &known);
        assert_eq!(
            failure.to_string(),
            "unknown tree `rfc-migrate-pendig`: did you mean rfc-migrate-pending?"
        );
        let failure = Failure::unknown("tree", "zzz", &known);
        assert_eq!(
            failure.to_string(),
            "unknown tree `zzz`: expected one of v5.11, v5.13, rfc-migrate-pending"
        );
        let failure = Failure::unknown("tree", "", &known);
        assert_eq!(
            failure.to_string(),
            "unknown tree ``: expected one of v5.11, v5.13, rfc-migrate-pending"
        );
    }
}
