//! `selvedge merge REPORT...`: the reports of all shards of a check, as one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use selvedge_proofs::{Row, rows};
use serde::Deserialize;

use crate::args::MergeArgs;
use crate::check::{self, Checked};
use crate::error::Failure;
use crate::format::{About, REPORT_SCHEMA};
use crate::select::Selected;
use crate::shard::{Shard, rows_hash};
use crate::stored::Stored;
use crate::{Outcome, fingerprint, output};

/// What `check --shard K/N --format json` has written.
#[derive(Deserialize, Debug)]
struct Report {
    shard: PartOfReport,
    build: String,
    rows: Vec<Stored>,
}

#[derive(Deserialize, Debug)]
struct PartOfReport {
    number: usize,
    of: usize,
    rows_of_all: usize,
    rows_hash: String,
}

impl PartOfReport {
    fn shard(&self) -> Shard {
        Shard { number: self.number, of: self.of }
    }
}

/// Puts the reports together, and prints them as `check` does.
pub fn run(args: &MergeArgs) -> Outcome {
    check::prepare(&args.printed)?;
    let reports = args.files.iter().map(|file| Ok((file.as_path(), read(file)?)));
    let reports = reports.collect::<Result<Vec<(&Path, Report)>, Failure>>()?;
    belong_together(&reports)?;
    let cached = names_of_cached(&reports);
    let rows = all_rows(reports)?;
    let written = match &args.printed.out {
        Some(dir) => rows.iter().try_for_each(|row| check::write_counterexample(dir, row)),
        None => Ok(()),
    };
    let about = About { part: None, cached };
    check::report(Checked { rows, written, about }, &args.printed)
}

/// The names of the rows that were taken from a cache, if any were.
fn names_of_cached(reports: &[(&Path, Report)]) -> Option<BTreeSet<String>> {
    let rows = reports.iter().flat_map(|(_, report)| &report.rows);
    let names: BTreeSet<String> =
        rows.filter(|row| row.cached).map(|row| row.name.clone()).collect();
    (!names.is_empty()).then_some(names)
}

fn read(file: &Path) -> Result<Report, Failure> {
    let text = output::read_text(file, "the report of a shard")?;
    let wrong = |why: String| {
        let advice = "expected what `selvedge check --shard K/N --report json=FILE` writes";
        Failure::new(format!("{}: {why}; {advice}", file.display()))
    };
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("not JSON ({error})")))?;
    match value.get("schema").and_then(|schema| schema.as_str()) {
        Some(REPORT_SCHEMA) => {}
        Some(other) => {
            let reads = format!("schema is \"{other}\", this version reads \"{REPORT_SCHEMA}\"");
            return Err(wrong(reads));
        }
        None => return Err(wrong(format!("no field `schema`, expected \"{REPORT_SCHEMA}\""))),
    }
    if value.get("shard").is_none() {
        return Err(wrong("the report is of a whole check, not of a shard".into()));
    }
    let report: Report = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    match report.shard.shard() {
        shard if shard.is_one() => Ok(report),
        shard => Err(wrong(format!("there is no shard {shard}"))),
    }
}

/// Each shard of one check is there, once, and was checked by this build.
fn belong_together(reports: &[(&Path, Report)]) -> Result<(), Failure> {
    let Some((first_file, first)) = reports.first() else {
        return Err(Failure::new("no report: name one of each shard"));
    };
    let differs = |file: &Path, what: &str| {
        let (file, first) = (file.display(), first_file.display());
        Failure::new(format!("{file}: {what} than {first}: merge the reports of one check"))
    };
    let mut found: BTreeMap<Shard, &Path> = BTreeMap::new();
    for (file, report) in reports {
        let shard = report.shard.shard();
        if report.build != fingerprint::build() {
            let what = "was written by a build of other sources than this command's";
            let advice = "check and merge with the same build";
            return Err(Failure::new(format!("{}: {what}: {advice}", file.display())));
        }
        if shard.of != first.shard.of {
            return Err(differs(file, &format!("shard {shard}: of another number of shards")));
        }
        if report.shard.rows_hash != first.shard.rows_hash
            || report.shard.rows_of_all != first.shard.rows_of_all
        {
            return Err(differs(file, "a part of other rows"));
        }
        if let Some(other) = found.insert(shard, file) {
            let (file, other) = (file.display(), other.display());
            return Err(Failure::new(format!("shard {shard} is there twice: {other} and {file}")));
        }
    }
    let of = first.shard.of;
    let missing = (1..=of).map(|number| Shard { number, of }).filter(|s| !found.contains_key(s));
    let missing: Vec<String> = missing.map(|shard| shard.to_string()).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!("no report of shard {}", missing.join(", ")))),
    }
}

/// The rows of the reports, in the order in which they are checked.
fn all_rows(reports: Vec<(&Path, Report)>) -> Result<Vec<Row>, Failure> {
    let mut known: BTreeMap<String, (usize, Selected)> = BTreeMap::new();
    for (at, (claim, engine)) in rows().enumerate() {
        known.insert(claim.name(engine), (at, (claim, engine)));
    }
    let (mut all, mut hash) = (Vec::new(), String::new());
    for (file, report) in reports {
        hash = report.shard.rows_hash;
        for stored in report.rows {
            let name = stored.name.clone();
            let wrong = |why: String| Failure::new(format!("{}: {name}: {why}", file.display()));
            let (at, selected) = known
                .remove(&name)
                .ok_or_else(|| wrong("no such row, or it is there twice".into()))?;
            all.push((at, selected, stored.row(selected).map_err(wrong)?));
        }
    }
    all.sort_by_key(|&(at, ..)| at);
    let selected: Vec<Selected> = all.iter().map(|&(_, selected, _)| selected).collect();
    if rows_hash(&selected) != hash {
        let count = selected.len();
        return Err(Failure::new(format!(
            "the reports have {count} rows, and not those of the check"
        )));
    }
    Ok(all.into_iter().map(|(.., row)| row).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use selvedge_explore::{Bounds, Engine};

    use super::*;
    use crate::damaged::damaged;
    use crate::format::CheckFormat;
    use crate::shard::Part;

    /// The report of the only shard of a check of a row that is violated.
    fn whole() -> String {
        let is_it = |(claim, engine): &Selected| {
            claim.scenario.name == "install_vs_prep"
                && claim.tree.name == "rfc-migrate-pending"
                && *engine == Engine::Dpor
        };
        let selected = rows().find(is_it).expect("a row");
        let row = selvedge_proofs::check(selected.0, selected.1, &Bounds::PROOF);
        let shard = Shard { number: 1, of: 1 };
        let part = Part { shard, rows_of_all: 1, rows_hash: rows_hash(&[selected]) };
        let about = About { part: Some(part), cached: None };
        CheckFormat::Json.render_about(&[row], &about)
    }

    fn merged(file: &Path) -> Result<Vec<Row>, Failure> {
        let reports = vec![(file, read(file)?)];
        belong_together(&reports)?;
        all_rows(reports)
    }

    fn file(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("selvedge-merge-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_report_is_merged_and_one_of_a_shard_that_cannot_be_is_refused() {
        let (file, whole) = (file("numbers"), whole());
        fs::write(&file, &whole).expect("written");
        assert_eq!(merged(&file).expect("it is whole").len(), 1);
        for of in ["0", "18446744073709551615"] {
            let other = whole.replacen("\"of\": 1", &format!("\"of\": {of}"), 1);
            assert_ne!(other, whole);
            fs::write(&file, other).expect("written");
            let why = merged(&file).expect_err("no such shard").to_string();
            assert!(why.contains(&format!("there is no shard 1/{of}")), "{why}");
        }
        let _ = fs::remove_file(file);
    }

    #[test]
    fn a_damaged_report_is_merged_or_refused_in_a_line() {
        let file = file("damaged");
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(bytes in damaged(&whole()))| {
            fs::write(&file, &bytes).expect("written");
            if let Err(failure) = merged(&file) {
                let said = output::printable(&failure.to_string());
                prop_assert!(!said.is_empty() && said.lines().count() == 1, "{said}");
            }
        });
        let _ = fs::remove_file(file);
    }
}
