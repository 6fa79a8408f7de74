//! `--format json`: schema `selvedge-report/1`.

use std::collections::BTreeMap;

use selvedge_explore::Violation;
use selvedge_litmus::card_of;
use selvedge_proofs::{Outcome, Row};
use selvedge_trace::Counterexample;
use serde::Serialize;

use super::{About, row};
use crate::fingerprint;

/// The schema of the report.
pub const SCHEMA: &str = "selvedge-report/1";

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    /// The sources of the build that has checked the rows: a hash.
    build: &'a str,
    /// Only of a shard: which, and of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<Shard<'a>>,
    rows: Vec<Line<'a>>,
    totals: Totals,
    /// What each engine makes of the kernel's litmus tests.
    cards: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Shard<'a> {
    number: usize,
    of: usize,
    rows_of_all: usize,
    rows_hash: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    name: String,
    subsystem: &'a str,
    rule: &'a str,
    scenario: &'a str,
    tree: &'a str,
    engine: &'a str,
    memory_model: &'a str,
    verdict: &'a str,
    bound: Option<&'a str>,
    expected: &'a str,
    source: String,
    as_expected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    mended: Option<bool>,
    complete: bool,
    executions: u64,
    steps_max: usize,
    reached: Vec<&'a str>,
    elapsed_ms: f64,
    counterexample: Option<&'a Counterexample>,
    /// What no single execution shows, a cycle of lock orders; only if that is the violation.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'a str>,
    /// Edits of the tree that no execution came to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    idle_edits: Vec<String>,
    /// Only with `--cache`: was it taken from there?
    #[serde(skip_serializing_if = "Option::is_none")]
    cached: Option<bool>,
    /// Only with `--keep-going`.
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<AllViolations<'a>>,
    /// Only with `--stateful`.
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<States>,
}

#[derive(Serialize)]
struct States {
    count: u64,
    table_bytes: usize,
    /// That two of them were taken for one: at most.
    collision_probability: f64,
}

#[derive(Serialize)]
struct AllViolations<'a> {
    executions: u64,
    cut_short_by: Option<&'a str>,
    distinct: Vec<OneViolation<'a>>,
}

#[derive(Serialize)]
struct OneViolation<'a> {
    rule: &'a str,
    location: &'a str,
    message: &'a str,
    executions: u64,
}

#[derive(Serialize)]
struct Totals {
    rows: usize,
    as_expected: usize,
    unexpected: usize,
    undecided: usize,
    executions: u64,
}

/// The rows as one JSON object.
pub fn json(rows: &[Row], about: &About) -> String {
    let totals = row::Totals::of(rows);
    let is_cached = |row: &Row| about.cached.as_ref().map(|names| names.contains(&row.name()));
    let report = Report {
        schema: SCHEMA,
        build: fingerprint::build(),
        shard: about.part.as_ref().map(|part| Shard {
            number: part.shard.number,
            of: part.shard.of,
            rows_of_all: part.rows_of_all,
            rows_hash: &part.rows_hash,
        }),
        rows: rows.iter().map(|row| Line { cached: is_cached(row), ..line(row) }).collect(),
        totals: Totals {
            rows: totals.rows,
            as_expected: totals.as_expected,
            unexpected: totals.unexpected,
            undecided: totals.undecided,
            executions: totals.executions,
        },
        cards: rows.iter().map(|row| (row.engine.name(), card_of(row.engine))).collect(),
    };
    serde_json::to_string_pretty(&report).expect("plain data") + "\n"
}

/// One row, as it is in a report.
pub fn row_json(row: &Row) -> String {
    serde_json::to_string(&line(row)).expect("plain data")
}

fn line(row: &Row) -> Line<'_> {
    let (claim, seen) = (row.claim, &row.exploration);
    Line {
        name: row.name(),
        subsystem: claim.subsystem,
        rule: claim.rule.0,
        scenario: claim.scenario.name,
        tree: claim.tree.name,
        engine: row.engine.name(),
        memory_model: row.engine.memory_model().name(),
        verdict: seen.verdict.name(),
        bound: seen.verdict.bound(),
        expected: claim.expected.name(),
        source: claim.source.to_string(),
        as_expected: row.outcome == Outcome::AsExpected,
        mended: row.is_mended().then_some(true),
        complete: seen.is_complete(),
        executions: seen.executions,
        steps_max: seen.steps_max,
        reached: seen.reached.iter().copied().collect(),
        elapsed_ms: seen.elapsed.as_secs_f64() * 1e3,
        counterexample: seen.counterexample.as_ref(),
        evidence: seen.evidence.as_deref(),
        idle_edits: seen.idle_edits.iter().map(ToString::to_string).collect(),
        cached: None,
        violations: seen.violations.as_ref().map(|all| AllViolations {
            executions: all.executions,
            cut_short_by: all.cut.as_deref(),
            distinct: all.distinct.iter().map(violation).collect(),
        }),
        states: seen.states.map(|states| States {
            count: states.count,
            table_bytes: states.table_bytes,
            collision_probability: states.collision_probability,
        }),
    }
}

fn violation(one: &Violation) -> OneViolation<'_> {
    OneViolation {
        rule: one.rule.0,
        location: &one.location,
        message: &one.message,
        executions: one.executions,
    }
}
