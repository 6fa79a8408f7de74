//! The README's tables are generated, and current. `SELVEDGE_BLESS=1` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text between the markers of this name is `wanted`.
fn expect_block(name: &str, wanted: &str) {
    let file = root().join("README.md");
    let readme = fs::read_to_string(&file).expect("the README");
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = readme.split_once(&begin).expect("the begin of the block");
    let (found, after) = rest.split_once(&end).expect("the end of the block");
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        let blessed = format!("{before}{begin}{wanted}{end}{after}");
        fs::write(&file, blessed).expect("the README can be written");
    } else {
        assert_eq!(found, wanted, "the README's {name} is not current: run with SELVEDGE_BLESS=1");
    }
}

fn report() -> Value {
    let args = ["check", "--engine", "dpor", "--engine", "loom", "--format", "json"];
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge")).args(args).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

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
    let mut out = String::from("| rule (scenario) | tree | dpor, SC | loom, C11 | expected by |\n");
    out.push_str("|---|---|---|---|---|\n");
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

/// Rules stay in the order in which they first appear.
fn order_of(report: &Value, rule: &str) -> usize {
    let rows = report["rows"].as_array().expect("rows");
    let names = rows.iter().map(|row| {
        format!("{} *({})*", row["rule"].as_str().unwrap(), row["scenario"].as_str().unwrap())
    });
    names.into_iter().position(|name| name == rule).expect("a rule of the report")
}

#[test]
fn the_readme_is_current() {
    expect_block("matrix", &matrix(&report()));
    let golden =
        "proofs/counterexamples/migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.txt";
    let table = fs::read_to_string(root().join(golden)).expect("the golden file");
    let card = fs::read_to_string(root().join("crates/litmus/conformance.md")).expect("the card");
    expect_block("card", &card);
    expect_block("table", &format!("```text\n{table}```\n"));
}
