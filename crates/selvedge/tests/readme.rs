//! The tables of README.md and proofs/MATRIX.md are generated, and current. `SELVEDGE_BLESS=1`
//! writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows that the README shows: scenario and tree.
const TEN: &[(&str, &str)] = &[
    ("install_vs_prep", "rfc-migrate-pending"),
    ("install_vs_prep", "v6.1"),
    ("add_vs_prep", "rfc-migrate-pending"),
    ("add_vs_prep", "v6.1"),
    ("activated_then_pinned", "v6.10"),
    ("activated_then_pinned", "v6.12.117"),
    ("mlock_new_drain_vs_munlock", "v6.12.117"),
    ("add_and_drain_vs_drain", "v6.1-drain-no-mb-before-read"),
    ("migrate_vs_lookup", "v6.1"),
    ("two_cpus_try_once", "v6.1-trylock-relaxed"),
];

/// In this file, the text between the markers of this name is `wanted`.
fn expect_block(file: &str, name: &str, wanted: &str) {
    let path = root().join(file);
    let text = fs::read_to_string(&path).expect(file);
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the begin of the block");
    let (found, after) = rest.split_once(&end).expect("the end of the block");
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        let blessed = format!("{before}{begin}{wanted}{end}{after}");
        fs::write(&path, blessed).expect("the file can be written");
    } else {
        assert_eq!(found, wanted, "the {name} of {file} is not current: run with SELVEDGE_BLESS=1");
    }
}

fn report() -> Value {
    let args = ["check", "--engine", "dpor", "--engine", "loom", "--format", "json"];
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge")).args(args).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

const HEAD: &str =
    "| rule (scenario) | tree | dpor, SC | loom, C11 | expected by |\n|---|---|---|---|---|\n";

/// A row for each rule, scenario and tree; in a cell the verdict and the number of executions.
fn matrix(report: &Value) -> String {
    let mut order = Vec::new();
    let mut cells: BTreeMap<(String, String), BTreeMap<String, String>> = BTreeMap::new();
    let text = |row: &Value, field: &str| row[field].as_str().expect(field).to_string();
    for row in report["rows"].as_array().expect("rows") {
        let rule = format!("{} *({})*", text(row, "rule"), text(row, "scenario"));
        let key = (rule, text(row, "tree"));
        if !cells.contains_key(&key) {
            order.push(key.clone());
        }
        let verdict = match text(row, "verdict").as_str() {
            "violated" => "**violated**".to_string(),
            other => other.replace('_', " "),
        };
        let cell = format!("{verdict} ({})", row["executions"]);
        let entry = cells.entry(key).or_default();
        entry.insert(text(row, "engine"), cell);
        entry.entry("source".into()).or_insert_with(|| text(row, "source"));
    }
    let mut out = String::from(HEAD);
    let mut last = String::new();
    order.sort_by_key(|(rule, _)| order_of(report, rule));
    for key in &order {
        let (rule, tree) = key;
        let shown = if *rule == last { "" } else { rule.as_str() };
        let cell = |name: &str| cells[key].get(name).map_or("–", String::as_str).to_string();
        let (dpor, loom, source) = (cell("dpor"), cell("loom"), cell("source"));
        out.push_str(&format!("| {shown} | `{tree}` | {dpor} | {loom} | {source} |\n"));
        last.clone_from(rule);
    }
    out
}

/// The rows of the matrix that the README shows.
fn ten(matrix: &str) -> String {
    let mut out = String::from(HEAD);
    let (mut rule, mut last) = (String::new(), String::new());
    // A row that has no rule is about that of the row before.
    let rows: Vec<(String, &str)> = matrix
        .lines()
        .skip(2)
        .map(|line| {
            let (first, rest) = line[2..].split_once(" | ").expect("cells");
            if !first.trim().is_empty() {
                rule = first.to_string();
            }
            (rule.clone(), rest)
        })
        .collect();
    for (scenario, tree) in TEN {
        let is_it = |(rule, rest): &&(String, &str)| {
            rule.ends_with(&format!("*({scenario})*")) && rest.starts_with(&format!("`{tree}` |"))
        };
        let (rule, rest) =
            rows.iter().find(is_it).unwrap_or_else(|| panic!("no row {scenario}, {tree}"));
        let shown = if *rule == last { "" } else { rule.as_str() };
        out.push_str(&format!("| {shown} | {rest}\n"));
        last.clone_from(rule);
    }
    out
}

/// Rules stay in the order in which they first appear.
fn order_of(report: &Value, rule: &str) -> usize {
    let rows = report["rows"].as_array().expect("rows");
    let names = rows.iter().map(|row| {
        format!("{} *({})*", row["rule"].as_str().unwrap(), row["scenario"].as_str().unwrap())
    });
    names.into_iter().position(|name| name == rule).expect("a rule of the report")
}

#[test]
fn the_readme_and_the_matrix_are_current() {
    let matrix = matrix(&report());
    expect_block("proofs/MATRIX.md", "matrix", &matrix);
    expect_block("README.md", "ten rows", &ten(&matrix));
    let golden =
        "proofs/counterexamples/migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.txt";
    let table = fs::read_to_string(root().join(golden)).expect("the golden file");
    expect_block("README.md", "table", &format!("```text\n{table}```\n"));
}

/// The README shows what the matrix says, also when nothing was explored anew.
#[test]
fn the_readme_shows_rows_of_the_matrix() {
    let text = fs::read_to_string(root().join("proofs/MATRIX.md")).expect("the matrix");
    let (_, rest) = text.split_once("<!-- matrix -->\n").expect("the begin of the block");
    let (matrix, _) = rest.split_once("<!-- end of matrix -->").expect("the end of the block");
    expect_block("README.md", "ten rows", &ten(matrix));
}
