//! `--format github`: workflow commands that GitHub shows as annotations, and before them, for the
//! log, the tables of the unexpected rows.
//!
//! GitHub shows ten annotations of a kind for a step and drops the others, and shows nothing of a
//! summary that is longer than 1 MiB.

use std::fmt::Write;

use selvedge_proofs::Row;

use super::row::{Totals, evidence, expectation, undecided, unexpected};

/// How many annotations of a kind GitHub shows for a step.
const ANNOTATIONS_MAX: usize = 10;

/// How long a step's summary may be. GitHub's limit is 1 MiB for all that a step writes there.
pub const SUMMARY_BYTES_MAX: usize = 1_000_000;

/// The tables, folded, and the annotations.
pub fn annotations(rows: &[Row]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail; so below.
    for row in unexpected(rows) {
        let _ = writeln!(out, "::group::{}", data(&row.name()));
        let (expectation, evidence) = (expectation(row), evidence(row).unwrap_or_default());
        for line in expectation.lines().chain(evidence.lines()) {
            let _ = writeln!(out, "{}", no_command(line));
        }
        out.push_str("::endgroup::\n");
    }
    annotate(&mut out, "error", &unexpected(rows).collect::<Vec<_>>());
    annotate(&mut out, "warning", &undecided(rows).collect::<Vec<_>>());
    let _ = writeln!(out, "::notice title=selvedge::{}", data(&Totals::of(rows).to_string()));
    out
}

/// An annotation for each row; if there are too many, the last one names the others.
fn annotate(out: &mut String, kind: &str, rows: &[&Row]) {
    let shown = if rows.len() > ANNOTATIONS_MAX { ANNOTATIONS_MAX - 1 } else { rows.len() };
    for row in &rows[..shown] {
        let (title, message) = (property(&row.name()), data(&expectation(row)));
        let _ = writeln!(out, "::{kind} title={title}::{message}");
    }
    let rest: Vec<String> = rows[shown..].iter().map(|row| row.name()).collect();
    if !rest.is_empty() {
        let (title, names) = (format!("{} more rows", rest.len()), data(&rest.join("\n")));
        let _ = writeln!(out, "::{kind} title={title}::{names}");
    }
}

/// The text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command: also without what separates properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A line of the log that GitHub does not take for a command.
fn no_command(line: &str) -> String {
    if line.trim_start().starts_with("::") { format!("| {line}") } else { line.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_ends_a_command() {
        assert_eq!(property("a::b, 50%\nc"), "a%3A%3Ab%2C 50%25%0Ac");
        assert_eq!(data("a: b, 50%\r\nc"), "a: b, 50%25%0D%0Ac");
        assert_eq!(no_command("  ::error::x"), "|   ::error::x");
    }
}
