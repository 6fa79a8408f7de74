//! A check in parts, as jobs of a CI or a cluster run them, is the check as a whole; and one with a
//! cache, one without.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Some twenty rows, small ones: that hold, that hold within a bound, that are violated.
const ROWS: [&str; 7] = [
    "install_vs_prep::v5.15",
    "install_vs_prep::v6.1",
    "install_vs_prep::rfc-migrate-pending",
    "add_vs_prep::v5.13",
    "add_vs_prep::rfc-migrate-pending",
    "two_cpus_try_once::v6.1",
    "two_cpus_try_once::v6.1-trylock-relaxed",
];

fn selvedge(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(args).env_remove("GITHUB_STEP_SUMMARY").env_remove("RUST_LOG");
    command.output().expect("the command runs")
}

fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("made");
    dir
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn all_engines() -> Vec<&'static str> {
    ["--engine", "dpor", "--engine", "loom", "--engine", "random"].to_vec()
}

/// The report, without how long each row took.
fn timeless(report: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(report).expect("JSON");
    for row in report["rows"].as_array_mut().expect("rows") {
        row["elapsed_ms"] = Value::Null;
    }
    report
}

fn json(args: &[&str]) -> Value {
    let args = [&["check", "--format", "json"], ROWS.as_slice(), &all_engines(), args].concat();
    timeless(&selvedge(&args).stdout)
}

/// Writes the report of each shard; at the same time, as jobs do.
fn shards(dir: &Path, of: usize, more: &[&str]) -> Vec<String> {
    let mut jobs = Vec::new();
    for number in 1..=of {
        let report = text(&dir.join(format!("{number}-of-{of}.json")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.arg("check").args(ROWS).args(all_engines()).args(more);
        command.arg("--shard").arg(format!("{number}/{of}"));
        command.arg("--report").arg(format!("json={report}"));
        command.stdout(std::process::Stdio::null());
        jobs.push((command.spawn().expect("it runs"), report));
    }
    jobs.into_iter()
        .map(|(mut job, report)| {
            job.wait().expect("it ends");
            report
        })
        .collect()
}

fn merge(reports: &[String], more: &[&str]) -> Output {
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    selvedge(&[&["merge"], reports.as_slice(), more].concat())
}

#[test]
fn shards_merged_are_the_whole() {
    let dir = scratch("shards_merged");
    let whole = json(&[]);
    assert!(whole["rows"].as_array().is_some_and(|rows| rows.len() > 12));
    for of in [1, 4] {
        let reports = shards(&dir, of, &[]);
        let merged = merge(&reports, &["--format", "json", "--out", &text(&dir.join("cx"))]);
        assert_eq!(merged.status.code(), Some(0), "{}", String::from_utf8_lossy(&merged.stderr));
        // Verdicts, counts, the counterexamples to their last step, and the totals.
        assert_eq!(timeless(&merged.stdout), whole, "{of}");
    }
    let out = text(&dir.join("whole"));
    selvedge(&[&["check"], ROWS.as_slice(), &all_engines(), &["--out", &out]].concat());
    let files = |dir: &str| -> Vec<(String, String)> {
        let entries = fs::read_dir(dir).expect("a directory").flatten();
        let mut all: Vec<_> = entries
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                (name, fs::read_to_string(entry.path()).expect("text"))
            })
            .collect();
        all.sort();
        all
    };
    assert!(!files(&out).is_empty());
    assert_eq!(files(&text(&dir.join("cx"))), files(&out));
}

#[test]
fn what_a_shard_left_undecided_is_undecided_in_the_whole() {
    let dir = scratch("shards_undecided");
    let reports = shards(&dir, 2, &["--max-executions", "3"]);
    let merged = merge(&reports, &["--format", "json"]);
    assert_eq!(merged.status.code(), Some(3));
    assert_eq!(timeless(&merged.stdout), json(&["--max-executions", "3"]));
}

#[test]
fn reports_that_are_not_those_of_one_check_are_refused() {
    let dir = scratch("shards_refused");
    let reports = shards(&dir, 2, &[]);
    let refused = |reports: &[String], saying: &str| {
        let output = merge(reports, &[]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(saying), "{error}");
        assert!(output.stdout.is_empty());
    };
    let [one, two] = reports.as_slice() else { panic!("{reports:?}") };
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let of_one = fs::read_to_string(one).expect("text");
    let edited = |name: &str, from: &str, to: &str| {
        assert!(of_one.contains(from), "{from}");
        file(name, &of_one.replacen(from, to, 1))
    };
    refused(std::slice::from_ref(one), "no report of shard 2/2");
    refused(&[one.clone(), two.clone(), one.clone()], "shard 1/2 is there twice");
    refused(&["nowhere.json".into(), two.clone()], "cannot read nowhere.json");
    refused(&[file("cut.json", &of_one[..of_one.len() / 2]), two.clone()], "cut.json: not JSON");
    let other_of = edited("of.json", "\"of\": 2", "\"of\": 3");
    refused(&[two.clone(), other_of], "of another number of shards");
    let number = of_one.split("\"rows_of_all\": ").nth(1).expect("a number");
    let number = number.split(',').next().expect("a number");
    let count = format!("\"rows_of_all\": {number}");
    refused(&[edited("count.json", &count, "\"rows_of_all\": 1"), two.clone()], "other rows");
    let gone = edited("gone.json", "::dpor\"", "::dpor2\"");
    refused(&[gone, two.clone()], "no such row");
    let verdict = edited("verdict.json", "\"verdict\": \"holds\"", "\"verdict\": \"violated\"");
    refused(&[verdict, two.clone()], "has a counterexample");
    let build = of_one.split("\"build\": \"").nth(1).expect("a hash")[..32].to_string();
    let other_build = edited("build.json", &build, &"0".repeat(32));
    refused(&[other_build, two.clone()], "a build of other sources");
    let whole = text(&dir.join("whole.json"));
    selvedge(&["check", ROWS[0], "--report", &format!("json={whole}")]);
    refused(&[whole, two.clone()], "of a whole check");
    let args = ["check", "--shard", "3/2"];
    assert_eq!(selvedge(&args).status.code(), Some(2));
}

#[test]
fn a_check_with_a_cache_says_what_one_without_says() {
    let dir = scratch("cache");
    let cache = text(&dir.join("cache"));
    let without = json(&[]);
    let with = || {
        let mut report = json(&["--cache", &cache]);
        let mut cached = BTreeSet::new();
        for row in report["rows"].as_array_mut().expect("rows") {
            let taken = row.as_object_mut().expect("a row").remove("cached").expect("it says so");
            cached.insert(taken == Value::Bool(true));
        }
        (report, cached)
    };
    assert_eq!(with(), (without.clone(), BTreeSet::from([false])));
    assert_eq!(with(), (without.clone(), BTreeSet::from([true])));
    // Two at the same time, in a cache of which a part is damaged.
    let mut files: Vec<PathBuf> =
        fs::read_dir(&cache).expect("files").flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().step_by(3) {
        fs::write(file, "selvedge-cache/1 of nothing\n").expect("written");
    }
    let reports = shards(&dir, 1, &["--cache", &cache]);
    let at_once = std::thread::scope(|scope| {
        let both = [scope.spawn(with), scope.spawn(with)];
        both.map(|one| one.join().expect("checked").0)
    });
    assert_eq!(at_once, [without.clone(), without]);
    let said = merge(&reports, &[]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(" from the cache: nothing that they depend on has changed."), "{said}");
    let refused = selvedge(&["check", "--cache", &cache, "--keep-going"]);
    assert_eq!(refused.status.code(), Some(2));
}
