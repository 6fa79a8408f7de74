//! `--format junit`: JUnit XML, as Jenkins, GitLab and others read it. A suite for each subsystem,
//! a case for each row.
//!
//! A row that is violated as expected passes: the case is about the claim, not about the tree. An
//! unexpected verdict is a failure, with the table; an undecided row is an error.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use selvedge_proofs::{Outcome, Row};

use super::row::{by_subsystem, effort, evidence, expectation, name_in_subsystem};

/// The rows as JUnit XML.
pub fn junit(rows: &[Row]) -> String {
    let mut report = Report::new("selvedge");
    report.set_time(rows.iter().map(|row| row.exploration.elapsed).sum());
    for (subsystem, rows) in by_subsystem(rows) {
        let mut suite = TestSuite::new(subsystem);
        suite.set_time(rows.iter().map(|row| row.exploration.elapsed).sum::<Duration>());
        suite.add_test_cases(rows.into_iter().map(case));
        report.add_test_suite(suite);
    }
    let xml = report.to_string().expect("text, without what XML cannot hold");
    // Of all suites together the strictest of schemas, that of Jenkins' xunit-plugin, does not let
    // it be said how many cases were skipped. None is.
    xml.replacen(" skipped=\"0\"", "", 1)
}

fn case(row: &Row) -> TestCase {
    let mut case = TestCase::new(name_in_subsystem(row), status(row));
    case.set_classname(row.claim.subsystem)
        .set_time(row.exploration.elapsed)
        .set_system_out(format!("{}: {}\n", expectation(row), effort(row)));
    case
}

fn status(row: &Row) -> TestCaseStatus {
    let (kind, class) = match row.outcome {
        Outcome::AsExpected => return TestCaseStatus::success(),
        Outcome::Unexpected(_) => (NonSuccessKind::Failure, "unexpected"),
        Outcome::Undecided(_) => (NonSuccessKind::Error, "undecided"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(class).set_message(expectation(row));
    if let Some(evidence) = evidence(row) {
        status.set_description(evidence);
    }
    status
}
