//! Every row is a test: `cargo test -p selvedge-proofs --test claims -- FILTER`.
//!
//! A violated claim's counterexample under its default engine is compared with the reviewed file in
//! `proofs/counterexamples/`. `SELVEDGE_BLESS=1` writes the files anew: read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use selvedge_explore::{Bounds, Engine};
use selvedge_proofs::{Claim, Expected, Outcome, Row, check, rows};
use selvedge_trace::{from_json, table, to_json};

fn main() {
    let trial = |(claim, engine): (&'static Claim, Engine)| {
        Trial::test(claim.name(engine), move || as_expected(claim, engine))
    };
    let every_row = rows().map(trial);
    let about_all = [
        Trial::test("every_holding_rule_has_a_tree_that_breaks_it", every_rule_can_fail),
        Trial::test("rows_have_different_names", names_differ),
        Trial::test("no_golden_file_is_left_over", no_golden_file_is_left_over),
    ];
    libtest_mimic::run(&Arguments::from_args(), every_row.chain(about_all).collect()).exit();
}

fn as_expected(claim: &'static Claim, engine: Engine) -> Result<(), Failed> {
    // What is found does not depend on it: the golden files are the same everywhere.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let row = check(claim, engine, &Bounds { workers, ..Bounds::PROOF });
    match &row.outcome {
        Outcome::AsExpected if engine == Engine::Dpor && !row.exploration.is_complete() => {
            Err(format!("not complete: {}", row.exploration.verdict).into())
        }
        Outcome::AsExpected => golden(&row),
        Outcome::Unexpected(what) => {
            let table = row.exploration.counterexample.as_ref().map(table).unwrap_or_default();
            let expected = claim.expected.name();
            Err(format!("expected {expected} ({}), found: {what}\n{table}", claim.source).into())
        }
        Outcome::Undecided(why) => Err(format!("undecided: {why}").into()),
    }
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counterexamples")
}

fn golden_name(claim: &Claim, engine: Engine) -> String {
    format!("{}.{}.{}.{engine}", claim.subsystem, claim.scenario.name, claim.tree.name)
}

fn has_golden(claim: &Claim, engine: Engine) -> bool {
    claim.expected == Expected::Violated && claim.engines[0] == engine
}

fn golden(row: &Row) -> Result<(), Failed> {
    let Some(cx) = &row.exploration.counterexample else { return Ok(()) };
    if !has_golden(row.claim, row.engine) {
        return Ok(());
    }
    let stem = golden_dir().join(golden_name(row.claim, row.engine));
    let read_back = from_json("the counterexample", &to_json(cx))?;
    if read_back != *cx {
        return Err("the JSON does not say what was found".into());
    }
    compare(&stem, "txt", &table(cx))?;
    compare(&stem, "json", &to_json(cx))
}

fn compare(stem: &Path, extension: &str, found: &str) -> Result<(), Failed> {
    let file = PathBuf::from(format!("{}.{extension}", stem.display()));
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        fs::create_dir_all(golden_dir())?;
        fs::write(&file, found)?;
        return Ok(());
    }
    let reviewed = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    if reviewed != found {
        let file = file.display();
        return Err(format!(
            "{file} differs; found now:\n{found}\nif that is right, run with SELVEDGE_BLESS=1"
        )
        .into());
    }
    Ok(())
}

fn no_golden_file_is_left_over() -> Result<(), Failed> {
    let wanted: Vec<String> = rows()
        .filter(|(claim, engine)| has_golden(claim, *engine))
        .map(|(claim, engine)| golden_name(claim, engine))
        .collect();
    for entry in fs::read_dir(golden_dir())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".txt").trim_end_matches(".json");
        if !wanted.iter().any(|wanted| wanted == stem) {
            return Err(format!("{name} belongs to no claim").into());
        }
    }
    Ok(())
}

/// A check that cannot fail proves nothing.
fn every_rule_can_fail() -> Result<(), Failed> {
    for (claim, _) in rows().filter(|(claim, _)| claim.expected == Expected::Holds) {
        let breaks =
            |other: &Claim| other.rule == claim.rule && other.expected == Expected::Violated;
        if !rows().any(|(other, _)| breaks(other)) {
            return Err(format!("no tree is expected to break: {}", claim.rule).into());
        }
    }
    Ok(())
}

fn names_differ() -> Result<(), Failed> {
    let mut names: Vec<String> = rows().map(|(claim, engine)| claim.name(engine)).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    if names.len() != count {
        return Err("two rows have one name".into());
    }
    let mut files: Vec<String> = rows()
        .filter(|(claim, engine)| has_golden(claim, *engine))
        .map(|(claim, engine)| golden_name(claim, engine))
        .collect();
    files.sort();
    match files.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two rows have one golden file: {}", pair[0]).into()),
        None => Ok(()),
    }
}
