//! A check in parts, as jobs of a CI or a cluster run them, is the check as a whole; and one with a
//! cache, one without.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Some twenty rows, small ones: that hold, that hold within a bound, that are violated.
const ROWS: [&str; 16] = [
    "install_vs_prep::v5.15::dpor",
    "install_vs_prep::v5.15::loom",
    "install_vs_prep::v6.1::dpor",
    "install_vs_prep::v6.1::loom",
    "install_vs_prep::rfc-migrate-pending::dpor",
    "install_vs_prep::rfc-migrate-pending::loom",
    "install_vs_prep::rfc-migrate-pending::random",
    "add_vs_prep::v5.13::dpor",
    "add_vs_prep::v5.13::loom",
    "add_vs_prep::rfc-migrate-pending::dpor",
    "add_vs_prep::rfc-migrate-pending::loom",
    "two_cpus_try_once::v6.1::dpor",
    "two_cpus_try_once::v6.1::loom",
    "two_cpus_try_once::v6.1::random",
    "two_cpus_try_once::v6.1-trylock-relaxed::dpor",
    "two_cpus_try_once::v6.1-trylock-relaxed::loom",
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

/// The report, without how long each row took.
fn timeless(report: &[u8]) -> Value {
    let mut report: Value = serde_json::from_slice(report).expect("JSON");
    for row in report["rows"].as_array_mut().expect("rows") {
        row["elapsed_ms"] = Value::Null;
    }
    report
}

fn json(args: &[&str]) -> Value {
    let args = [&["check", "--format", "json"], ROWS.as_slice(), args].concat();
    timeless(&selvedge(&args).stdout)
}

/// Writes the report of each shard; at the same time, as jobs do.
fn shards(dir: &Path, of: usize, more: &[&str]) -> Vec<String> {
    let mut jobs = Vec::new();
    for number in 1..=of {
        let report = text(&dir.join(format!("{number}-of-{of}.json")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.arg("check").args(ROWS).args(more);
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
    let out = text(&dir.join("whole"));
    let whole = json(&["--out", &out]);
    assert!(whole["rows"].as_array().is_some_and(|rows| rows.len() > 12));
    for of in [1, 4] {
        let reports = shards(&dir, of, &[]);
        let merged = merge(&reports, &["--format", "json", "--out", &text(&dir.join("cx"))]);
        assert_eq!(merged.status.code(), Some(0), "{}", String::from_utf8_lossy(&merged.stderr));
        // Verdicts, counts, the counterexamples to their last step, and the totals.
        assert_eq!(timeless(&merged.stdout), whole, "{of}");
    }
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

/// A search of tens of thousands of executions that holds, and one that finds a violation in the
/// second round.
const LARGE: [&str; 2] = [
    "killed_waiter_before_plain_waiter::v6.1-unfairness-0::dpor",
    "reader_behind_kcompactd::avoid-unbounded-blocks-v2::dpor",
];

/// The reports of shards that search one row together, and who has written the parts.
fn jobs_of_one_search(row: &str, dir: &Path, of: usize) -> (Vec<String>, BTreeSet<String>) {
    let parts = dir.join("parts");
    let jobs = (1..=of).map(|number| {
        let report = text(&dir.join(format!("{number}.json")));
        let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
        command.args(["check", row, "--workers", "1", "--shard", &format!("{number}/{of}")]);
        command.args(["--parts", &text(&parts), "--report", &format!("json={report}")]);
        command.stdout(std::process::Stdio::null());
        (command.spawn().expect("it runs"), report)
    });
    let jobs: Vec<_> = jobs.collect();
    let done = jobs.into_iter().map(|(mut job, report)| {
        assert_eq!(job.wait().expect("it ends").code(), Some(0));
        report
    });
    let reports = done.collect();
    let files = parts_of(&parts);
    let head = |file: &PathBuf| -> String {
        let text = fs::read_to_string(file).expect("text");
        text.lines().next().and_then(|line| line.split(' ').nth(3)).expect("who wrote it").into()
    };
    (reports, files.iter().map(head).collect())
}

/// The files of parts.
fn parts_of(dir: &Path) -> Vec<PathBuf> {
    let rows = fs::read_dir(dir).expect("a directory").flatten();
    let files = rows.flat_map(|row| fs::read_dir(row.path()).expect("of a row").flatten());
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.sort();
    files
}

#[test]
fn a_large_search_that_jobs_do_together_is_the_search_of_one() {
    for (number, row) in LARGE.into_iter().enumerate() {
        let dir = scratch(&format!("shards_of_one_search_{number}"));
        let whole = timeless(&selvedge(&["check", row, "--format", "json"]).stdout);
        assert!(whole["rows"][0]["executions"].as_u64().is_some_and(|count| count > 5_000));
        let (reports, by) = jobs_of_one_search(row, &dir, 3);
        assert!(by.len() > 1, "only {by:?} searched parts");
        let merged = merge(&reports, &["--format", "json"]);
        assert_eq!(merged.status.code(), Some(0), "{}", String::from_utf8_lossy(&merged.stderr));
        // The verdict, the count, and the counterexample to its last step.
        assert_eq!(timeless(&merged.stdout), whole);
    }
}

#[test]
fn a_search_goes_on_with_the_parts_that_are_known_and_undamaged() {
    let dir = scratch("parts_known");
    let parts = text(&dir.join("parts"));
    let check = || selvedge(&["check", LARGE[1], "--format", "json", "--parts", &parts]);
    let first = check();
    let files = parts_of(Path::new(&parts));
    assert!(files.len() > 8, "{files:?}");
    // Some were not done yet, and one is damaged.
    for file in files.iter().skip(1).step_by(3) {
        fs::remove_file(file).expect("it is there");
    }
    let whole = fs::read_to_string(&files[0]).expect("text");
    fs::write(&files[0], &whole[..whole.len() / 2]).expect("written");
    let again = check();
    assert_eq!(timeless(&again.stdout), timeless(&first.stdout));
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains(" is damaged (it is cut off): searched again"), "{said}");
    assert_eq!(parts_of(Path::new(&parts)), files, "all are there again");
    assert_eq!(check().stderr, b"");
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
