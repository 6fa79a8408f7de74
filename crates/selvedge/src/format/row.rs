//! What all formats say of a row, and of all rows together.

use std::fmt;

use selvedge_explore::Verdict;
use selvedge_proofs::{Outcome, Row, Source};
use selvedge_trace::{Look, table_as};

/// How many rows came out how.
pub struct Totals {
    /// All.
    pub rows: usize,
    /// Those whose verdict is the expected one.
    pub as_expected: usize,
    /// Those with another one.
    pub unexpected: usize,
    /// Those without one.
    pub undecided: usize,
    /// What was run for all of them.
    pub executions: u64,
}

impl Totals {
    /// Of these rows.
    pub fn of(rows: &[Row]) -> Totals {
        let count = |is: fn(&Outcome) -> bool| rows.iter().filter(|row| is(&row.outcome)).count();
        Totals {
            rows: rows.len(),
            as_expected: count(|outcome| *outcome == Outcome::AsExpected),
            unexpected: count(|outcome| matches!(outcome, Outcome::Unexpected(_))),
            undecided: count(|outcome| matches!(outcome, Outcome::Undecided(_))),
            executions: rows.iter().map(executions_run).sum(),
        }
    }
}

/// How many were run for a row: those after its first violation too, where all were counted.
fn executions_run(row: &Row) -> u64 {
    let seen = &row.exploration;
    seen.violations.as_ref().map_or(seen.executions, |all| all.executions)
}

/// `552 rows: 550 as expected, 1 unexpected, 1 undecided; 2381078 executions`
impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { rows, as_expected, unexpected, undecided, executions } = self;
        write!(
            f,
            "{}: {as_expected} as expected, {unexpected} unexpected, {undecided} undecided; {}",
            counted(*rows as u64, "row"),
            counted(*executions, "execution")
        )
    }
}

/// `1 row`, `2 rows`
pub fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `holds`, `holds within 2 preemptions`, `violated`, `undecided`
pub fn verdict(row: &Row) -> String {
    match &row.exploration.verdict {
        Verdict::HoldsWithin(bound) => format!("holds within {bound}"),
        other => other.name().into(),
    }
}

/// What was found, in a clause that goes on after "found"; the violated rule is named.
pub fn found(row: &Row) -> String {
    match (&row.outcome, &row.exploration.counterexample) {
        (Outcome::Undecided(why), _) => format!("undecided: {why}"),
        (Outcome::Unexpected(_), Some(cx)) if cx.rule == row.claim.rule.0 => {
            format!("violated: {}", cx.rule)
        }
        (Outcome::Unexpected(how), _) => how.clone(),
        (Outcome::AsExpected, _) => verdict(row),
    }
}

/// `expected holds (kernel-lru:B4), found violated: no folio ...`; of a tree of yours
/// `changed verdict: v6.1 holds, mine violated: no folio ...`.
pub fn expectation(row: &Row) -> String {
    if let (Source::Base(base), Outcome::Unexpected(_)) = (row.claim.source, &row.outcome) {
        let (expected, mine) = (row.claim.expected.name(), row.claim.tree.name);
        return format!("changed verdict: {base} {expected}, {mine} {}", found(row));
    }
    let (expected, source) = (row.claim.expected.name(), &row.claim.source);
    format!("expected {expected} ({source}), found {}", found(row))
}

/// What shows the violation, if there is one: the table of the counterexample, or what the whole
/// search has shown.
pub fn evidence(row: &Row) -> Option<String> {
    evidence_in(row, Look::default().width)
}

/// The same in so many columns, from 60.
pub fn evidence_in(row: &Row, width: usize) -> Option<String> {
    let seen = &row.exploration;
    match (&seen.counterexample, &seen.evidence) {
        (Some(cx), _) => Some(table_as(cx, &Look { width, all: true })),
        (None, Some(evidence)) => Some(format!("{}\n", evidence.trim_end())),
        (None, None) => None,
    }
}

/// What was run to find it: `21 executions, dpor, sc`
pub fn effort(row: &Row) -> String {
    let executions = counted(row.exploration.executions, "execution");
    format!("{executions}, {}, {}", row.engine, row.engine.memory_model().name())
}

/// The rows of each subsystem, in the order in which they come.
pub fn by_subsystem(rows: &[Row]) -> Vec<(&'static str, Vec<&Row>)> {
    let mut groups: Vec<(&'static str, Vec<&Row>)> = Vec::new();
    for row in rows {
        let subsystem = row.claim.subsystem;
        match groups.iter_mut().find(|(name, _)| *name == subsystem) {
            Some((_, group)) => group.push(row),
            None => groups.push((subsystem, vec![row])),
        }
    }
    groups
}

/// The row's name without its subsystem.
pub fn name_in_subsystem(row: &Row) -> String {
    let name = row.name();
    name.split_once("::").map_or(name.clone(), |(_, rest)| rest.into())
}

/// The unexpected rows.
pub fn unexpected(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| matches!(row.outcome, Outcome::Unexpected(_)))
}

/// The undecided rows.
pub fn undecided(rows: &[Row]) -> impl Iterator<Item = &Row> {
    rows.iter().filter(|row| matches!(row.outcome, Outcome::Undecided(_)))
}
