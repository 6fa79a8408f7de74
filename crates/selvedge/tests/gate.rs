//! `selvedge check` as a CI uses it: reports, limits, filters, and what cannot be written.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Milliseconds.
const ROW: &str = "install_vs_prep::rfc-migrate-pending::dpor";
/// Many seconds.
const LONG: &str = "killed_waiter_and_stealer::v6.1-tries-the-bit::dpor";

fn selvedge(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(args).env_remove("GITHUB_STEP_SUMMARY").env_remove("RUST_LOG");
    command.output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// A directory of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("made");
    dir
}

fn refused(args: &[&str], saying: &str) {
    let output = selvedge(args);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert!(error.contains(saying), "{args:?}: {error}");
    assert!(output.stdout.is_empty(), "{args:?} printed something");
}

/// The names of the rows that were checked.
fn checked(args: &[&str]) -> Vec<String> {
    let args = [&["check", "--format", "json", "--max-executions", "1"], args].concat();
    let report: Value = serde_json::from_slice(&selvedge(&args).stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    rows.iter().map(|row| row["name"].as_str().expect("a name").to_string()).collect()
}

#[test]
fn one_check_writes_many_reports() {
    let dir = scratch("reports");
    let file = |name: &str| dir.join(name).display().to_string();
    let output = selvedge(&[
        "check",
        ROW,
        "--format",
        "markdown",
        "--report",
        &format!("junit={}", file("junit.xml")),
        "--report",
        &format!("ktap={}", file("results.ktap")),
        "--report",
        "json=/dev/null",
        "--out",
        &file("out"),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("## selvedge: as expected\n"));
    let read = |name: &str| fs::read_to_string(dir.join(name)).expect(name);
    assert!(read("junit.xml").starts_with("<?xml"));
    assert!(read("results.ktap").contains(" # XFAIL "));
    // JSON, table and page of the counterexample, and the page of all rows.
    assert_eq!(fs::read_dir(dir.join("out")).expect("made").count(), 4);
    assert_eq!(fs::read_dir(&dir).expect("made").count(), 3, "no partial file is left");
    assert!(!fs::metadata("/dev/null").expect("a device").is_file(), "it is still one");
}

#[test]
fn what_holds_now_leaves_no_old_counterexample() {
    let dir = scratch("old");
    let name = checked(&[ROW]).remove(0).replace("::", ".");
    let dir_name = dir.display().to_string();
    assert!(selvedge(&["check", ROW, "--out", &dir_name]).status.success());
    assert!(dir.join(format!("{name}.json")).is_file());
    // Undecided: nothing is violated.
    let cut = ["check", ROW, "--out", &dir_name, "--max-executions", "0"];
    assert_eq!(selvedge(&cut).status.code(), Some(3));
    let left = fs::read_dir(&dir).expect("made").map(|entry| entry.expect("read").file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["index.html"], "the page of all rows");
}

#[test]
fn what_cannot_be_written_is_said_and_the_verdicts_are_printed() {
    refused(&["check", ROW, "--report", "junit=/no/such/dir/x"], "cannot write /no/such/dir/x");
    refused(&["check", ROW, "--report", "junit=/tmp"], "cannot write /tmp");
    refused(&["check", ROW, "--report", "xml=x"], "`xml` is no format: expected one of text, json");
    refused(&["check", ROW, "--report", "junit"], "expected FORMAT=FILE");
    refused(&["check", ROW, "--out", "/dev/null/x"], "cannot write to the directory");
    let output = selvedge(&["check", ROW, "--report", "junit=/dev/full"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write /dev/full"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("1 row: 1 as expected"), "{}", text(&output.stdout));
    let full = format!("{} check {ROW} > /dev/full", env!("CARGO_BIN_EXE_selvedge"));
    let output = Command::new("sh").args(["-c", &full]).output().expect("sh runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write to stdout"));
}

#[test]
fn nobody_who_listens_to_stderr_is_no_error() {
    let unheard = format!("{} check nosuch 2>/dev/full", env!("CARGO_BIN_EXE_selvedge"));
    let output = Command::new("sh").args(["-c", &unheard]).output().expect("sh runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_steps_summary_is_added_to_the_file_that_github_names() {
    let file = scratch("summary").join("summary.md");
    fs::write(&file, "before\n").expect("scratch");
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(["check", ROW, "--format", "github"]).env("GITHUB_STEP_SUMMARY", &file);
    let output = command.output().expect("it runs");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("::notice title=selvedge::1 row"));
    let summary = fs::read_to_string(&file).expect("the summary");
    assert!(summary.starts_with("before\n## selvedge: as expected\n"), "{summary}");
}

/// Of each engine that has rows one that holds; it takes more than a look at the clock, but for dfs
/// and graph, which have none.
const HOLDS: [&str; 6] = [
    LONG,
    "two_tasks_lock_a_buffer::v6.1::loom",
    "install_vs_prep::v6.1::random",
    "install_vs_prep::v6.1::pct",
    "offline_pages_may_fail::v5.15::dfs",
    "install_vs_prep::v6.1::graph",
];

#[test]
fn what_any_limit_cuts_is_undecided_under_any_engine() {
    for limit in [["--max-executions", "1"], ["--max-time", "0"], ["--max-seconds", "0"]] {
        let is_short = |row: &str| row.ends_with("::dfs") || row.ends_with("::graph");
        let is_looked_at = |row: &&&str| limit[0] != "--max-seconds" || !is_short(row);
        let rows: Vec<&str> = HOLDS.iter().filter(is_looked_at).copied().collect();
        let args = [&["check", "--format", "json"], rows.as_slice(), &limit].concat();
        let output = selvedge(&args);
        assert_eq!(output.status.code(), Some(3), "{limit:?}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let found = report["rows"].as_array().expect("rows");
        assert_eq!(found.len(), rows.len());
        for row in found {
            assert_eq!(row["verdict"], "undecided", "{limit:?}: {row}");
            assert_eq!((&row["as_expected"], &row["complete"]), (&false.into(), &false.into()));
            assert!(row["bound"].as_str().is_some_and(|said| said.contains("limit")), "{row}");
        }
    }
}

#[test]
fn what_a_limit_cuts_is_undecided_whoever_explores() {
    let litmus = "../litmus/tests/litmus/SB+atomic-add-return.litmus";
    let litmus = format!("{}/{litmus}", env!("CARGO_MANIFEST_DIR"));
    let cut: [&[&str]; 6] = [
        &["diff", "v6.1", "v6.4", "--max-executions", "1"],
        &["locks", "install_vs_prep", "--tree", "v6.1", "--max-executions", "1"],
        &["litmus", &litmus, "--max-executions", "1"],
        // loom alone looks at the clock so early.
        &["litmus", &litmus, "--engine", "loom", "--max-seconds", "0"],
        &["merge", "REPORT"],
        &["explain", "FILE", "--max-executions", "1"],
    ];
    let dir = scratch("cut");
    let (report, out) = (dir.join("shard.json"), dir.join("out"));
    let (report, out) = (report.display().to_string(), out.display().to_string());
    let json = format!("json={report}");
    let args = ["check", LONG, "--shard", "1/1", "--max-executions", "9", "--report", &json];
    assert_eq!(selvedge(&args).status.code(), Some(3));
    assert_eq!(selvedge(&["check", ROW, "--out", &out]).status.code(), Some(0));
    let file = format!("{out}/{}.json", checked(&[ROW]).remove(0).replace("::", "."));
    for args in cut {
        let args: Vec<&str> = args
            .iter()
            .map(|&arg| match arg {
                "REPORT" => report.as_str(),
                "FILE" => file.as_str(),
                other => other,
            })
            .collect();
        let output = selvedge(&args);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", text(&output.stdout));
        let said = text(&output.stdout).to_lowercase();
        assert!(said.contains("limit") || said.contains("undecided"), "{args:?}: {said}");
    }
}

#[test]
fn the_time_of_all_rows_is_limited() {
    let output = selvedge(&["check", "install_vs_prep", "--max-time", "0"]);
    assert_eq!(output.status.code(), Some(3));
    let printed = text(&output.stdout);
    assert!(printed.contains("found undecided: the limit of 0 s for all rows"), "{printed}");
    // A row that no second is enough for.
    let output = selvedge(&["check", LONG, "--max-time", "1", "--workers", "1"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.contains("undecided: the limit of 1 s for all rows"), "{printed}");
    let output =
        selvedge(&["check", LONG, "--max-seconds", "1", "--max-time", "600", "--workers", "1"]);
    assert!(text(&output.stdout).contains("undecided: the limit of 1 s\n"));
}

#[test]
fn a_ci_that_stops_the_job_gets_what_is_done() {
    let dir = scratch("stopped");
    let dir_name = dir.display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.args(["check", ROW, LONG, "--out", &dir_name]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it runs");
    // The counterexample of the short row is written when that row is done, not at the end.
    let is_written = || fs::read_dir(&dir).expect("made").any(|entry| is_table(&entry.unwrap()));
    for _ in 0..600 {
        if is_written() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh runs").success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("2 rows: 1 as expected, 0 unexpected, 1 undecided"), "{printed}");
}

/// Stops the command as a CI does, once it has said that it wants to hear of it.
#[cfg(target_os = "linux")]
fn stopped(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    let child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("it runs");
    let status = format!("/proc/{}/status", child.id());
    let listens = || {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << 14) != 0)
    };
    for _ in 0..1200 {
        if listens() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let kill = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh runs").success());
    child.wait_with_output().expect("it ends")
}

#[cfg(target_os = "linux")]
#[test]
fn a_comparison_that_is_stopped_prints_what_is_done() {
    let output = stopped(&["diff", "v6.1", "v6.12.117"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{printed}{}", text(&output.stderr));
    assert!(printed.contains("Commits:\n") && printed.contains("an interrupt"), "{printed}");
    assert!(text(&output.stderr).contains("interrupted: what is done will be printed"));
}

fn is_table(entry: &fs::DirEntry) -> bool {
    entry.path().extension().is_some_and(|extension| extension == "txt")
}

#[test]
fn a_filter_means_whole_parts_first() {
    let of_tree = checked(&["install_vs_prep::v6.1"]);
    assert!(!of_tree.is_empty() && of_tree.iter().all(|name| name.contains("::v6.1::")));
    let of_scenario = checked(&["migrate_vs_one_fault", "--engine", "dpor"]);
    assert!(of_scenario.iter().all(|name| name.contains("::migrate_vs_one_fault::")));
    let whole = checked(&[ROW]).remove(0);
    let as_file = format!("some/dir/{}.json", whole.replace("::", "."));
    assert_eq!(checked(&[&as_file]), [whole]);
    assert!(!checked(&["stays in a bh_lru", "--tree", "v6.1"]).is_empty(), "the rule's sentence");
}

#[test]
fn a_filter_that_means_nothing_is_refused() {
    refused(&["check", ""], "an empty filter");
    refused(&["check", "install_vs_prep", "add_vs_prepp"], "no row has `add_vs_prepp`");
    // Each of its parts is right: that is no reason to name them.
    let asked = "install_vs_prep::v6.10::dpor";
    refused(&["check", asked], "though each of its parts is some row's; with `install_vs_prep`");
    // What would be meant, if one of the arguments were another.
    refused(
        &["check", "two_migrators", "--tree", "v6.10"],
        "are of the trees rfc-disable-lru-pagevec, ",
    );
    let no_dfs = ["check", "two_migrators", "--tree", "v6.1", "--engine", "dfs"];
    refused(&no_dfs, "such rows are under the engines dpor, ");
}

#[test]
fn all_that_was_run_is_counted() {
    let row = "install_vs_prep::v5.13::dpor";
    let output = selvedge(&["check", row, "--keep-going", "--max-executions", "10"]);
    let printed = text(&output.stdout);
    assert!(printed.contains("of 10 executions, cut short"), "{printed}");
    assert!(printed.contains("0 undecided; 10 executions."), "{printed}");
}

#[test]
fn a_file_without_end_is_refused() {
    refused(&["show", "/dev/zero"], "more than 64 MiB, expected a counterexample");
}

#[test]
fn a_violation_is_shown_with_what_its_scenario_does() {
    let printed = text(&selvedge(&["check", ROW]).stdout);
    assert!(printed.contains("CPU0 installs a bh in its empty bh_lru; CPU1 disables"), "{printed}");
}

#[test]
fn what_is_not_understood_is_answered_in_plain_words() {
    refused(&["check", "--workers", "none"], "expected a number from 1 to 1024");
    refused(&["check", "--workers", "1000000000"], "expected a number from 1 to 1024");
    refused(&["check", "--max-executions", "1e3"], "expected a whole number");
    refused(&["--log", "bogus", "check", ROW], "is no filter of a log");
    for quiet in [&["--log", ""][..], &[]] {
        let output = selvedge(&[quiet, &["check", ROW]].concat());
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    }
}
