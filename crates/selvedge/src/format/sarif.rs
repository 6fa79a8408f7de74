//! `--format sarif`: SARIF 2.1.0, for code scanning and for the viewers of editors. A result for
//! each violated or undecided row, with a thread flow for each task and `executionOrder` for how
//! they interleave.
//!
//! Only what is not as expected is an error. A tree that is violated as expected is a note that is
//! suppressed, with the source of the expectation as its justification.
//!
//! A place is a function of a kernel file, below `KERNEL`; the models know no lines, and GitHub
//! wants one: it is always 1. The structure is asserted in tests.rs; docs/ci.md says how to
//! validate it against the schema, which is not ours to copy.

use std::collections::BTreeSet;

use selvedge_explore::Verdict;
use selvedge_proofs::{Outcome, Row};
use selvedge_trace::{Counterexample, Record, steps};
use serde_json::{Value, json};

use super::row::{effort, expectation};
use crate::kernel_file;

/// GitHub refuses a file with a result that has more places in its flows.
const PLACES_MAX: usize = 10_000;

/// Where to go if no function is known.
const SOMEWHERE: &str = "mm";

/// The rows as SARIF.
pub fn sarif(rows: &[Row]) -> String {
    let rules: BTreeSet<(String, &str)> =
        rows.iter().map(|row| (row.claim.rule.slug(), row.claim.rule.0)).collect();
    let rules: Vec<Value> = rules.iter().map(|(id, text)| rule(id, text)).collect();
    let is_undecided = |row: &Row| matches!(row.exploration.verdict, Verdict::Undecided(_));
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "selvedge",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "originalUriBaseIds": { "KERNEL": { "description": { "text": "The kernel's sources." } } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{ "executionSuccessful": !rows.iter().any(is_undecided) }],
            "results": rows.iter().filter_map(result).collect::<Vec<Value>>(),
        }],
    });
    serde_json::to_string(&log).expect("plain data") + "\n"
}

fn rule(id: &str, text: &str) -> Value {
    json!({ "id": id, "shortDescription": { "text": text }, "fullDescription": { "text": text } })
}

/// A row that somebody may want to look at.
fn result(row: &Row) -> Option<Value> {
    let (kind, level) = match (&row.outcome, &row.exploration.verdict) {
        (Outcome::Unexpected(_), _) => ("fail", "error"),
        (Outcome::Undecided(_), _) => ("open", "none"),
        (Outcome::AsExpected, Verdict::Violated) => ("fail", "note"),
        (Outcome::AsExpected, _) => return None,
    };
    let (claim, name) = (row.claim, row.name());
    let cx = row.exploration.counterexample.as_ref();
    let mut text = format!(
        "{} in the scenario {} of the tree {}: {} ({}).",
        claim.rule.0,
        claim.scenario.name,
        claim.tree.name,
        expectation(row),
        effort(row),
    );
    for more in [cx.map(|cx| &cx.message), row.exploration.evidence.as_ref()].into_iter().flatten()
    {
        text.push_str(&format!("\n{more}"));
    }
    let mut result = json!({
        "ruleId": claim.rule.slug(),
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "locations": [place(cx.map(culprit).unwrap_or_default(), SOMEWHERE, None)],
        "partialFingerprints": { "selvedgeRow/v1": name, "primaryLocationLineHash": hash(&name) },
        "properties": { "row": name, "tree": claim.tree.name, "scenario": claim.scenario.name,
                        "engine": row.engine.name(), "expectedBy": claim.source.to_string() },
    });
    if let Some(cx) = cx {
        result["codeFlows"] = json!([{ "message": { "text": cx.message },
                                       "threadFlows": thread_flows(cx) }]);
    }
    if row.outcome == Outcome::AsExpected {
        let why = format!("expected by {}", claim.source);
        // "Accepted" is what it is if nothing is said; the property that says so is `state` in the
        // standard's schema and `status` in that of its errata.
        result["suppressions"] = json!([{ "kind": "external", "justification": why }]);
    }
    Some(result)
}

/// Where it went wrong: the functions of the fatal step, or else of one that waits for ever, or
/// else of the last one that is in any.
fn culprit(cx: &Counterexample) -> &[String] {
    let fatal = cx.fatal.and_then(|at| cx.steps.get(at)).map(|step| &step.path);
    let blocked = cx.blocked.iter().map(|blocked| &blocked.path);
    let last = cx.steps.iter().rev().map(|step| &step.path);
    let mut paths = fatal.into_iter().chain(blocked).chain(last);
    paths.find(|path| !path.is_empty()).map_or(&[], Vec::as_slice)
}

/// A flow for each task that does anything.
fn thread_flows(cx: &Counterexample) -> Vec<Value> {
    // A line for each step comes first; what is wrong comes after an empty line.
    let text = steps(cx);
    let file = kernel_file::of_path(culprit(cx)).unwrap_or(SOMEWHERE);
    let shown: Vec<(usize, (&Record, &str))> =
        cx.steps.iter().zip(text.lines()).enumerate().take(PLACES_MAX).collect();
    let of_task = |task: usize| {
        let own = shown.iter().filter(move |(_, (step, _))| usize::from(step.task) == task);
        own.map(|&(at, (_, line))| flow_place(cx, at, line, file)).collect::<Vec<Value>>()
    };
    let flows = cx.tasks.iter().enumerate().map(|(number, task)| {
        let id = match task.cpu {
            Some(cpu) => format!("CPU{cpu} {}", task.name),
            None => task.name.clone(),
        };
        (id, of_task(number))
    });
    flows
        .filter(|(_, places)| !places.is_empty())
        .map(|(id, places)| json!({ "id": id, "message": { "text": id }, "locations": places }))
        .collect()
}

/// A step as a place of its flow; `file` is where to go if its functions are not known.
fn flow_place(cx: &Counterexample, at: usize, line: &str, file: &str) -> Value {
    let text = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let path = &cx.steps[at].path;
    let importance = if cx.fatal == Some(at) { "essential" } else { "important" };
    json!({
        "location": place(path, file, Some(text)),
        "nestingLevel": path.len(),
        "executionOrder": at + 1,
        "importance": importance,
    })
}

/// A place in these functions, outermost first.
fn place(path: &[String], file: &str, text: Option<&str>) -> Value {
    let file = kernel_file::of_path(path).unwrap_or(file);
    let mut place = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": file, "uriBaseId": "KERNEL" },
            "region": { "startLine": 1 },
        },
    });
    if let Some(function) = path.last() {
        let whole = path.join("/");
        place["logicalLocations"] =
            json!([{ "name": function, "fullyQualifiedName": whole, "kind": "function" }]);
    }
    if let Some(text) = text {
        place["message"] = json!({ "text": text });
    }
    place
}

/// What keeps the alerts of two rows apart, which may have the same file and line: FNV-1a of the
/// name, the same in every build.
fn hash(name: &str) -> String {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}:1", name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}
