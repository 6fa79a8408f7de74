//! The README's tables are generated, and current. `SELVEDGE_BLESS=1` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use selvedge_explore::Engine;
use selvedge_proofs::expected::{self, Line};
use selvedge_proofs::{Claim, rows};

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

/// A row for each rule, scenario and tree; in a cell the verdict and the number of executions, as
/// `proofs/expected.tsv` has them: the test of the claims sees to it that they are right.
fn matrix(reviewed: &[Line]) -> String {
    let mut questions: Vec<(&str, &str)> = Vec::new();
    let mut trees: BTreeMap<(&str, &str), Vec<&Claim>> = BTreeMap::new();
    for (claim, engine) in rows() {
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
    let mut out = String::from("| rule (scenario) | tree | dpor, SC | loom, C11 | expected by |\n");
    out.push_str("|---|---|---|---|---|\n");
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

#[test]
fn the_readme_is_current() {
    let reviewed = expected::read().expect("proofs/expected.tsv");
    expect_block("matrix", &matrix(&reviewed));
    let golden =
        "proofs/counterexamples/migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.txt";
    let table = fs::read_to_string(root().join(golden)).expect("the golden file");
    let card = fs::read_to_string(root().join("crates/litmus/conformance.md")).expect("the card");
    expect_block("card", &card);
    expect_block("table", &format!("```text\n{table}```\n"));
}

/// With the kernel's tests at hand (`SELVEDGE_KERNEL_LITMUS=DIR`) the card itself is checked.
#[test]
fn the_card_is_current() {
    let Some(dir) = std::env::var_os("SELVEDGE_KERNEL_LITMUS") else { return };
    let dir = PathBuf::from(dir);
    let mut files: Vec<PathBuf> = fs::read_dir(&dir)
        .expect("the directory")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "litmus"));
    files.sort();
    let names = files.iter().map(|file| file.file_name().expect("a name"));
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .current_dir(&dir)
        .args(["litmus", "--format", "card"])
        .args(names)
        .output()
        .expect("it runs");
    let card = fs::read_to_string(root().join("crates/litmus/conformance.md")).expect("the card");
    assert_eq!(String::from_utf8_lossy(&output.stdout), card);
}
