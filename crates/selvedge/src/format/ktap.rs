//! `--format ktap`: the Kernel Test Anything Protocol, version 1
//! (Documentation/dev-tools/ktap.rst), as KernelCI, LAVA and kunit.py read it. A test for each
//! subsystem, a subtest for each row.
//!
//! A tree that is broken as expected is `ok ... # XFAIL`, as kselftest.h prints it: readers that do
//! not know the directive look at the "ok". Undecided is `not ok ... # TIMEOUT`. The table of an
//! unexpected row stands before its line, as diagnostics.

use std::fmt::Write;

use selvedge_explore::Verdict;
use selvedge_proofs::{Outcome, Row};

use super::row::{Totals, by_subsystem, evidence, expectation, name_in_subsystem};

/// The rows as KTAP.
pub fn ktap(rows: &[Row]) -> String {
    let subsystems = by_subsystem(rows);
    let mut out = format!("KTAP version 1\n1..{}\n", subsystems.len());
    // Writing to a string cannot fail; so below.
    for (number, (subsystem, rows)) in (1..).zip(&subsystems) {
        let _ = writeln!(out, "  KTAP version 1\n  1..{}", rows.len());
        for (number, row) in (1..).zip(rows) {
            result(&mut out, number, row);
        }
        let failed = rows.iter().any(|row| row.outcome != Outcome::AsExpected);
        let result = if failed { "not ok" } else { "ok" };
        let _ = writeln!(out, "{result} {number} {}", description(subsystem));
    }
    let _ = writeln!(out, "# {}", Totals::of(rows));
    out
}

/// A row's line, and before it what shows that it is not as expected.
fn result(out: &mut String, number: usize, row: &Row) {
    if let (Outcome::Unexpected(_), Some(evidence)) = (&row.outcome, evidence(row)) {
        for line in evidence.lines() {
            let _ = writeln!(out, "  # {line}");
        }
    }
    let name = description(&name_in_subsystem(row));
    let _ = match (&row.outcome, &row.exploration.verdict) {
        (Outcome::AsExpected, Verdict::Violated) => {
            writeln!(out, "  ok {number} {name} # XFAIL {}", one_line(&expectation(row)))
        }
        (Outcome::AsExpected, _) => writeln!(out, "  ok {number} {name}"),
        (Outcome::Undecided(why), _) => {
            writeln!(out, "  not ok {number} {name} # TIMEOUT {}", one_line(why))
        }
        (Outcome::Unexpected(_), _) => {
            writeln!(out, "  not ok {number} {name} # {}", one_line(&expectation(row)))
        }
    };
}

/// A name in which nothing begins a directive.
fn description(name: &str) -> String {
    one_line(name).replace('#', "_")
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
