//! The tables of README.md and proofs/MATRIX.md are generated, and current. `SELVEDGE_BLESS=1`
//! writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use selvedge_explore::Engine;
use selvedge_models::trees;
use selvedge_proofs::expected::{self, Line};
use selvedge_proofs::{Claim, rows};

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

const HEAD: &str =
    "| rule (scenario) | tree | dpor, SC | loom, C11 | expected by |\n|---|---|---|---|---|\n";

/// A row for each rule, scenario and tree; in a cell the verdict and the number of executions, as
/// `proofs/expected.tsv` has them: the test of the claims sees to it that they are right.
fn matrix(reviewed: &[Line]) -> String {
    let mut questions: Vec<(&str, &str)> = Vec::new();
    let mut trees: BTreeMap<(&str, &str), Vec<&Claim>> = BTreeMap::new();
    for (claim, engine) in rows().filter(|(claim, _)| !trees::is_yours(claim.tree)) {
        let question = (claim.rule.0, claim.scenario.name);
        if !questions.contains(&question) {
            questions.push(question);
        }
        let claims = trees.entry(question).or_default();
        let is_new = claims.iter().all(|known| known.tree.name != claim.tree.name);
        if COLUMNS.contains(&engine) && is_new {
            claims.push(claim);
        }
    }
    let mut out = String::from(HEAD);
    for question in questions {
        let mut shown = format!("{} *({})*", question.0, question.1);
        for claim in &trees[&question] {
            let [dpor, loom] = COLUMNS.map(|engine| cell(reviewed, claim, engine));
            let (tree, source) = (claim.tree.name, claim.source);
            out.push_str(&format!("| {shown} | `{tree}` | {dpor} | {loom} | {source} |\n"));
            shown.clear();
        }
    }
    out
}

const COLUMNS: [Engine; 2] = [Engine::Dpor, Engine::Loom];

/// What is known of the claim's rule, scenario and tree under this engine.
fn cell(reviewed: &[Line], claim: &Claim, engine: Engine) -> String {
    let name = claim.name(engine);
    let Some(line) = reviewed.iter().find(|line| line.name == name) else { return "–".into() };
    let executions = line.executions.expect("a complete engine");
    match line.verdict.as_str() {
        "violated" => format!("**violated** ({executions})"),
        verdict => format!("{verdict} ({executions})"),
    }
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

#[test]
fn the_readme_and_the_matrix_are_current() {
    let matrix = matrix(&expected::read().expect("proofs/expected.tsv"));
    expect_block("proofs/MATRIX.md", "matrix", &matrix);
    expect_block("README.md", "ten rows", &ten(&matrix));
    let golden =
        "proofs/counterexamples/migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.txt";
    let table = fs::read_to_string(root().join(golden)).expect("the golden file");
    expect_block("README.md", "table", &format!("```text\n{table}```\n"));
}
