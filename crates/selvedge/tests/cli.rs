//! The command as its users see it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use serde_json::Value;

pub fn selvedge(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_selvedge")).args(args).output().expect("the command runs")
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// A directory of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

pub fn refused(args: &[&str], saying: &str) {
    let output = selvedge(args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
    assert!(error.contains(saying), "{args:?}: {error}");
    assert!(output.stdout.is_empty(), "{args:?} printed something");
}

#[test]
fn the_rfc_of_2021_is_refuted_and_shown() {
    let output = selvedge(&["check", "--tree", "rfc-migrate-pending", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    assert_eq!(report["schema"], "selvedge-report/1");
    let rows = report["rows"].as_array().expect("rows");
    let verdict = |source: &str, engine: &str| {
        let is_it = |row: &&Value| row["source"] == source && row["engine"] == engine;
        rows.iter().find(is_it).unwrap_or_else(|| panic!("{source} {engine}"))["verdict"].clone()
    };
    for engine in ["dpor", "random", "pct", "loom"] {
        assert_eq!(verdict("kernel-lru:B1", engine), "violated", "{engine}");
    }
    assert_eq!(verdict("kernel-lru:B3", "loom"), "violated");
    assert_eq!(verdict("kernel-lru:B3", "dpor"), "holds");
    assert_eq!(verdict("kernel-lru:B3", "random"), "holds_within");
    let fields = [
        "name",
        "subsystem",
        "rule",
        "scenario",
        "tree",
        "engine",
        "memory_model",
        "verdict",
        "bound",
        "expected",
        "source",
        "as_expected",
        "complete",
        "executions",
        "steps_max",
        "reached",
        "elapsed_ms",
        "counterexample",
    ];
    for row in rows {
        assert!(fields.iter().all(|field| row.get(field).is_some()), "{row}");
    }
    let totals = &report["totals"];
    assert_eq!(totals["rows"], rows.len());
    assert_eq!(totals["as_expected"], rows.len());
}

#[test]
fn sc_rows_are_complete_under_dpor() {
    // Of every row proofs/tests/claims.rs says so.
    let output = selvedge(&["check", "migrate_pending", "--engine", "dpor", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    for row in report["rows"].as_array().expect("rows") {
        assert_eq!(row["complete"], true, "{}", row["name"]);
    }
}

#[test]
fn a_counterexample_goes_through_a_file() {
    let dir = scratch("counterexamples");
    let dir_name = dir.display().to_string();
    let filter = "install_vs_prep::rfc-migrate-pending::dpor";
    let output = selvedge(&["check", filter, "--out", &dir_name]);
    assert_eq!(output.status.code(), Some(0));
    let files: Vec<PathBuf> =
        fs::read_dir(&dir).expect("made").map(|entry| entry.expect("entry").path()).collect();
    assert_eq!(files.len(), 4, "json, txt, html and index.html: {files:?}");
    let index = fs::read_to_string(dir.join("index.html")).expect("a page of all rows");
    for file in files.iter().filter(|file| !file.ends_with("index.html")) {
        let name = file.file_name().expect("a name").to_string_lossy();
        assert!(index.contains(&format!("href=\"{name}\"")), "{name} is not in {index}");
    }
    let json =
        files.iter().find(|file| file.extension().is_some_and(|e| e == "json")).expect("json");
    let json_name = json.display().to_string();
    let table = stdout(&selvedge(&["show", &json_name, "--all"]));
    assert!(table.starts_with("CPU0 installer"), "{table}");
    assert_eq!(table, fs::read_to_string(json.with_extension("txt")).expect("the table"));
    assert!(stdout(&selvedge(&["show", &json_name, "--as", "steps"])).contains("<== fatal"));
    assert_eq!(
        stdout(&selvedge(&["show", &json_name, "--as", "json"])),
        fs::read_to_string(json).expect("the file")
    );
    let copy = dir.join("copy");
    let copy_name = copy.display().to_string();
    assert_eq!(selvedge(&["show", &json_name, "--all", "-o", &copy_name]).status.code(), Some(0));
    assert_eq!(table, fs::read_to_string(copy).expect("written"));
    refused(&["show", &json_name, "-o", &format!("{dir_name}/no/such/dir")], "cannot write");
}

#[test]
fn bad_input_is_answered_in_one_line() {
    refused(&["check", "--tree", "v5.12"], "unknown tree `v5.12`: did you mean");
    refused(&["check", "--engine", "spin"], "expected one of dpor, loom, random, pct, dfs");
    refused(&["check", "instal_vs_prep"], "near: install_vs_prep");
    refused(&["check", "--tree", "v6.1", "--engine", "dfs", "add_vs_prep"], "no row is meant");
    refused(&["check", "--engine", "dfs", "add_vs_prep"], "such rows are under the engines dpor,");
    refused(&["check", "--tree", ""], "unknown tree ``: `selvedge list trees` names all");
    refused(&["check", "--workers", "0"], "'0' for '--workers <N>'");
    refused(&["check", "--workers", "-1"], "'-1' for '--workers <N>': expected a number from 1");
    refused(&["check", "--max-time", "-1"], "'-1' for '--max-time <SECONDS>': expected a whole");
    for command in [&["check"][..], &["mutate"], &["locks"], &["orders"], &["c", "--kernel", "/"]] {
        refused(&[command, &[""]].concat(), "an empty filter: leave it out");
    }
    refused(&["diff", "v6.6", "v6.6"], "`v6.6` and `v6.6` are one tree: name two");
    refused(&["show", "no-such-file.json"], "cannot read no-such-file.json");
    refused(&["check", "add_vs_prep", "--out", "/dev/null/x"], "cannot write to the directory");
    let dir = scratch("foreign");
    fs::create_dir_all(&dir).expect("scratch");
    let foreign = dir.join("foreign.json");
    let foreign_name = foreign.display().to_string();
    fs::write(&foreign, "{\"schema\": \"selvedge-trace/2\"}").expect("scratch");
    refused(&["show", &foreign_name], "schema is \"selvedge-trace/2\"");
    fs::write(&foreign, "{\"schema\": \"selvedge-report/2\"}").expect("scratch");
    let other = "schema is \"selvedge-report/2\", this version reads \"selvedge-report/1\"";
    refused(&["merge", &foreign_name], other);
    fs::write(&foreign, [0xff, 0xfe]).expect("scratch");
    refused(&["show", &foreign_name], "not text");
}

#[test]
fn what_is_cut_short_is_undecided() {
    let filter = "two_migrators::v6.1::dpor";
    let output = selvedge(&["check", filter, "--max-executions", "5"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("the limit of 5 executions"), "{}", stdout(&output));
}

/// A row that is long enough to be split.
#[test]
fn the_number_of_workers_changes_nothing() {
    let row = "timed_out_waiter_before_plain_waiter::v6.1-tries-the-bit::dpor";
    let report = |workers: &str| {
        let output = selvedge(&["check", row, "--workers", workers, "--format", "json"]);
        let text = stdout(&output);
        let lasted = |line: &&str| !line.contains("elapsed_ms");
        (output.status.code(), text.lines().filter(lasted).collect::<Vec<_>>().join("\n"))
    };
    let one = report("1");
    let executions = one.1.lines().find_map(|line| line.trim().strip_prefix("\"executions\": "));
    let executions = executions.and_then(|n| n.trim_end_matches(',').parse::<u64>().ok());
    assert!(executions > Some(20_000), "not long: {}", one.1);
    assert_eq!(one, report("3"));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let command = format!("{} list claims | head -1", env!("CARGO_BIN_EXE_selvedge"));
    let output = Command::new("sh").args(["-c", &command]).output().expect("sh runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn the_gate_is_logged_when_asked_for() {
    let args = ["--log", "trace", "check", "install_vs_prep::rfc-migrate-pending::dpor"];
    let output = selvedge(&args);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("selvedge::gate"), "{log}");
    assert!(log.contains("atomic_inc"), "{log}");
    assert!(selvedge(&args[2..]).stderr.is_empty());
}

#[test]
fn lists_name_what_there_is() {
    for (what, name) in [
        ("trees", "rfc-migrate-pending"),
        ("mutants", "v6.1-bh-lru-preempt-only"),
        ("scenarios", "install_vs_prep"),
        ("claims", "migrate_pending::"),
        ("engines", "dpor"),
    ] {
        assert!(stdout(&selvedge(&["list", what])).contains(name), "{what}");
        let json: Value =
            serde_json::from_str(&stdout(&selvedge(&["list", what, "--format", "json"])))
                .expect("JSON");
        assert!(json.as_array().is_some_and(|items| !items.is_empty()), "{what}");
    }
}

#[test]
fn a_tree_is_listed_with_its_kind_its_names_and_its_commits() {
    let text = stdout(&selvedge(&["list", "trees"]));
    for line in [
        "patch on v6.10; also seed-002-v4",
        "[PATCH V4] mm/gup: Clear the LRU flag of a page",
        "setting on v6.1; also L2-unfairness-0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let json = stdout(&selvedge(&["list", "trees", "--format", "json"]));
    let trees: Vec<Value> = serde_json::from_str(&json).expect("JSON");
    let release = trees.iter().find(|tree| tree["name"] == "v6.1").expect("it");
    let commits = release["commits"].as_array().expect("commits").len();
    let line = format!("release; also L2, M0; {commits} commits, the last ");
    assert!(commits > 20 && text.contains(&line), "{line}\n{text}");
    let patch = trees.iter().find(|tree| tree["name"] == "lru-flag-before-batch-v4").expect("it");
    assert_eq!((&patch["kind"], &patch["base"]), (&"patch".into(), &"v6.10".into()));
    assert_eq!(patch["aliases"][0], "seed-002-v4");
    let last = patch["commits"].as_array().and_then(|commits| commits.last()).expect("commits");
    assert!(last["title"].as_str().is_some_and(|title| title.starts_with("[PATCH V4]")), "{last}");
}

#[test]
fn litmus_tests_are_run_and_bad_ones_do_not_stop_the_others() {
    let dir = scratch("litmus");
    fs::create_dir_all(&dir).expect("scratch");
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../litmus/tests/litmus/SB+mb.litmus");
    let text = fs::read_to_string(&own).expect("our own test");
    let write = |name: &str, text: &str| {
        let file = dir.join(name);
        fs::write(&file, text).expect("scratch");
        file.display().to_string()
    };
    let good = write("good.litmus", &text);
    let loops = write("loops.litmus", &text.replace("smp_mb();", "while (1) ;"));
    let alarm = write("alarm.litmus", &text.replace("smp_mb();", ""));

    let output = selvedge(&["litmus", "--engine", "loom", &good]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "Observation SB+mb Never 0 3  (loom; expected Never: agrees)\n");
    let output = selvedge(&["litmus", "--engine", "loom", &loops, &good]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).contains("agrees"));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("loops.litmus:") && error.contains("`while` is not supported"),
        "{error}"
    );
    let output = selvedge(&["litmus", "--engine", "loom", &alarm]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("FALSE ALARM"));
    // Forbidden by LKMM, and reached by loom, which has no dependencies: no alarm, and no verdict.
    let relies = write(
        "relies.litmus",
        "C relies\n{}\nP0(int *x, int *y) { WRITE_ONCE(*x, 1); smp_mb(); WRITE_ONCE(*y, 1); }\n\
         P1(int *y, int *z) { int r0; r0 = READ_ONCE(*y); WRITE_ONCE(*z, r0); }\n\
         P2(int *x, int *z) { int r0; int r1; r0 = smp_load_acquire(z); r1 = READ_ONCE(*x); }\n\
         exists (1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0)\n",
    );
    let output = selvedge(&["litmus", "--engine", "loom", &relies]);
    assert_eq!(output.status.code(), Some(3));
    let text = stdout(&output);
    assert!(text.starts_with("Observation relies Undecided "), "{text}");
    assert!(text.contains("undecided: relies on a dependency, which loom does not have"), "{text}");
    refused(&["litmus", "no-such.litmus"], "cannot read no-such.litmus");
    let escape = write("escape.litmus", &text.replace("C SB+mb", "C SB\u{1b}[2J"));
    let output = selvedge(&["litmus", "--engine", "loom", "no-such.litmus", &escape, &good]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stdout(&output).contains("Observation SB+mb Never"), "the others are run");
    let all = [output.stdout, output.stderr].concat();
    assert!(!all.contains(&0x1b), "{}", String::from_utf8_lossy(&all));
    refused(&["litmus", "--engine", "herd", &good], "unknown engine `herd`");
}

/// kernel-lru D1, D2, D9: the patch cures what it is for, not the same for mlock, and costs
/// reclaim.
#[test]
fn the_patch_that_clears_pg_lru_cures_one_thing_and_breaks_another() {
    let output = selvedge(&[
        "check",
        "--tree",
        "lru-flag-before-batch-v4",
        "--engine",
        "dpor",
        "--format",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    let rows = report["rows"].as_array().expect("rows");
    for (source, expected) in
        [("kernel-lru:D1", "holds"), ("kernel-lru:D2", "violated"), ("kernel-lru:D9", "violated")]
    {
        let row = rows.iter().find(|row| row["source"] == source).expect(source);
        assert_eq!((&row["verdict"], &row["complete"]), (&expected.into(), &true.into()));
    }
    let d2 = rows.iter().find(|row| row["source"] == "kernel-lru:D2").expect("D2");
    let holders = d2["counterexample"]["holders"].as_array().expect("who holds the references");
    let batch = holders.iter().find(|h| h["name"] == "cpu0:mlock batch").expect("the mlock batch");
    assert_eq!(batch["since"], "mlock_folio");
}

#[test]
fn a_diff_shows_what_a_patch_gains_and_loses() {
    let output = selvedge(&["diff", "v6.10", "lru-flag-before-batch-v4", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let diff: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    assert_eq!(diff["schema"], "selvedge-diff/1");
    let decisions = diff["decisions"].as_array().expect("decisions");
    assert_eq!(decisions.len(), 1, "the patch is about one decision");
    assert_eq!(decisions[0]["name"], "lru_claim");
    let commits = diff["commits"].as_array().expect("commits");
    assert_eq!(commits.len(), 1, "the patch");
    let (title, only_in) = (&commits[0]["title"], &commits[0]["only_in"]);
    assert!(title.as_str().is_some_and(|title| title.starts_with("[PATCH V4] mm/gup")), "{title}");
    assert_eq!((only_in, &commits[0]["hash"]), (&"to".into(), &Value::Null));
    let verdicts = diff["verdicts"].as_array().expect("verdicts");
    let of = |scenario: &str| {
        let is_it = |v: &&Value| v["scenario"] == scenario;
        let verdict = verdicts.iter().find(is_it).expect(scenario);
        (verdict["from"].as_str().expect("text"), verdict["to"].as_str().expect("text"))
    };
    assert_eq!(of("activated_then_pinned"), ("violated", "holds"));
    assert_eq!(of("reclaim_after_activate"), ("holds", "violated"));
    assert!(!verdicts.iter().any(|v| v["scenario"] == "mlocked_then_pinned"), "as before");
    // As text: what changes, the rule, and the scenarios, so that it fits a screen.
    let text = stdout(&selvedge(&["diff", "v6.10", "lru-flag-before-batch-v4"]));
    let changed = text.split_once("\nVerdicts:\n").expect("verdicts").1;
    let change = changed.split("\n  violated -> holds").nth(1).unwrap_or(changed);
    assert!(change.contains("activated_then_pinned"), "{text}");
    assert!(changed.lines().all(|line| line.len() <= 96), "{text}");
    assert!(changed.lines().count() <= 24, "one screen: {text}");
    let one = ["diff", "v6.10", "lru-flag-before-batch-v4", "mlocked_then_pinned"];
    let text = stdout(&selvedge(&one));
    assert!(text.ends_with("  1 of 1 the same\n"), "{text}");
    refused(&[&one[..3], &["release_vs_putback"]].concat(), "nothing that is asked of v6.10");
    refused(&["diff", "v6.10", "lru-flag-before-batch"], "did you mean lru-flag-before-batch-v4");
    refused(&["diff", "v6.10", "seed-002"], "did you mean seed-002-v4");
}

/// A release is its commits: a backport and a revert show.
#[test]
fn a_diff_of_releases_names_the_commits() {
    // What is asked of here is said before any exploration.
    let diff =
        |from: &str, to: &str| stdout(&selvedge(&["diff", from, to, "--max-executions", "1"]));
    let text = diff("v6.11", "v6.11.5");
    let commits = "Commits:\n  + 0885ef470560 mm: vmscan.c: fix OOM on swap stress test\n\n";
    assert!(text.contains(commits), "{text}");
    assert!(text.contains("sort_folio"), "{text}");
    let text = diff("v6.12.117", "v6.17");
    assert!(text.contains("\n  + 7ee3647243e5 migrate: Remove call to ->writepage\n"), "{text}");
    let text = diff("v6.1", "v6.1-rt");
    assert!(text.contains("Commits:\n  none\n"), "{text}");
    let text = diff("v5.18", "v5.18-no-synchronize-rcu");
    let decision = "lru_cache_disable_by_rcu -> lru_cache_disable_without_rcu\n";
    assert!(text.contains(decision), "{text}");
}

#[test]
fn a_former_name_of_a_tree_is_understood() {
    let check = |tree: &str| {
        let output = selvedge(&["check", "waiter_vs_stealer_counted", "--tree", tree]);
        assert_eq!(output.status.code(), Some(0), "{tree}");
        let lines = stdout(&output);
        lines.lines().filter(|line| line.contains("executions")).collect::<Vec<_>>().join("\n")
    };
    let rows = check("L1");
    assert!(rows.contains("v5.9-rc1") && !rows.contains("L1"), "{rows}");
    assert_eq!(rows, check("v5.9-rc1"));
}

/// B1 by hand: of the three orders of check, install and drain, one leaves the bh behind.
#[test]
fn violations_are_counted_when_asked_for() {
    let output = selvedge(&[
        "check",
        "no_bh_stays_in_a_bh_lru_while_a_migration_is_pending::install_vs_prep",
        "--tree",
        "rfc-migrate-pending",
        "--engine",
        "dpor",
        "--keep-going",
        "--format",
        "json",
    ]);
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    let all = &report["rows"][0]["violations"];
    assert_eq!((&all["executions"], &all["cut_short_by"]), (&3.into(), &Value::Null));
    let distinct = all["distinct"].as_array().expect("violations");
    assert_eq!(distinct.len(), 1);
    assert_eq!(distinct[0]["executions"], 1);
}

/// What is put into a file that was right.
const PUT: &[&[u8]] = &[
    b"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"\\",
    b",",
    b"null",
    b"-1",
    b"1e999",
    b"0",
    b"\n",
    b"| `",
    b"18446744073709551616",
    b"99999999999",
    b"\xff\xfe",
    b"\0",
    b"\x1b[31m",
    b"\xc2\x9b",
    b"@@",
    b"\\u202e",
    b"\xe2\x80\xae",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"<script>",
    b"P9",
    b"\t",
];

/// Changes of a file: each puts something in place of so many bytes, or cuts it there.
fn changes() -> impl Strategy<Value = Vec<(Index, usize, Option<&'static [u8]>)>> {
    let put = prop::sample::select(PUT).prop_map(Some);
    let change = (any::<Index>(), 0..12usize, prop_oneof![8 => put, 1 => Just(None)]);
    prop::collection::vec(change, 1..4)
}

/// Runs the command with a file that was right, and was then changed, cut, or is anything at all:
/// it answers with an exit code of ours, in one line if the file is refused, and sends no terminal
/// anything that steers it.
fn any_file(name: &str, cases: u32, right: &[u8], command: impl Fn(&str) -> Vec<String>) {
    let dir = made(&format!("any-{name}"));
    let file = dir.join(name);
    let config = ProptestConfig { cases, failure_persistence: None, ..Default::default() };
    let anything = prop::collection::vec(any::<u8>(), 0..200);
    let texts = prop_oneof![
        9 => changes().prop_map(|changes| {
            let mut text = right.to_vec();
            for (at, count, put) in changes {
                let at = at.index(text.len() + 1);
                let until = (at + count).min(text.len());
                match put {
                    Some(put) => drop(text.splice(at..until, put.iter().copied())),
                    None => text.truncate(at),
                }
            }
            text
        }),
        1 => anything,
    ];
    let ran = TestRunner::new(config).run(&texts, |text| {
        fs::write(&file, &text).expect("written");
        let args = command(of(&file));
        let output = selvedge(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let shown = String::from_utf8(output.stdout).expect("text");
        prop_assert!(matches!(output.status.code(), Some(0..=4)), "{:?}: {said}", output.status);
        prop_assert!(!said.contains("panicked"), "{said}");
        let steers = |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}';
        prop_assert!(!said.contains(steers) && !shown.contains(steers), "{said:?} {shown:?}");
        if output.status.code() == Some(2) {
            prop_assert!(said.starts_with("selvedge: "), "{said}");
            prop_assert!(said.lines().count() == 1 && said.contains(name), "{said}");
        }
        Ok(())
    });
    ran.unwrap_or_else(|why| panic!("{why}"));
}

fn made(name: &str) -> PathBuf {
    let dir = scratch(name);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

fn of(path: &Path) -> &str {
    path.to_str().expect("a name in UTF-8")
}

fn reviewed() -> PathBuf {
    let name = "migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.json";
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proofs/counterexamples").join(name)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn any_counterexample_is_read_or_refused() {
    let right = fs::read(reviewed()).expect("readable");
    any_file("shown.json", 16, &right, |file| words(&["show", file]));
    any_file("steps.json", 16, &right, |file| words(&["show", file, "--as", "steps"]));
    any_file("run.json", 16, &right, |file| words(&["replay", file]));
    any_file("why.json", 16, &right, |file| words(&["explain", file, "--max-executions", "50"]));
}

#[test]
fn any_report_is_merged_or_refused() {
    let report = made("report").join("right.json");
    let row = "migrate_pending::bh-stays::install_vs_prep::rfc-migrate-pending::dpor";
    let to = format!("json={}", of(&report));
    assert!(selvedge(&["check", row, "--shard", "1/1", "--report", &to]).status.success());
    let right = fs::read(report).expect("written");
    any_file("report.json", 16, &right, |file| words(&["merge", file]));
}

#[test]
fn any_file_of_mutants_is_read_or_refused() {
    let row = "migrate_pending::bh-stays::install_vs_prep::rfc-migrate-pending::dpor";
    let out = scratch("of-mutants");
    let check = |file: &str| words(&["check", row, "--out", of(&out), "--mutants", file]);
    let report = br#"{"schema": "selvedge-mutants/1", "tree": "v6.1", "mutants":
        [{"name": "f::drop", "killed_by": [{"row": "one", "what": "a rule"}]}]}"#;
    any_file("mutants.json", 16, report, check);
    let page = b"# Mutants of v6.1\n\n### f()\n\n| step | needed by | by none |\n|---|---|---|\n\
        | `set_bit(A)#0` | **drop**: it *(a, and 2 more)*<br>**split**: it *(b)* | x |\n";
    any_file("mutants.md", 16, page, check);
}

#[test]
fn any_litmus_test_any_patch_and_any_fingerprints_are_read_or_refused() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let litmus = fs::read(crates.join("litmus/tests/litmus/SB+mb.litmus")).expect("readable");
    let bounds = ["litmus", "--engine", "dpor", "--max-executions", "50"];
    any_file("any.litmus", 16, &litmus, |file| words(&[&bounds[..], &[file]].concat()));
    let patch = b"From: a <a@b>\nSubject: [PATCH] mm\n\n--- a/mm/swap.c\n+++ b/mm/swap.c\n\
        @@ -1,3 +1,4 @@ void nobody_has_modelled_it(void)\n {\n+\tf();\n \tint a;\n }\n";
    any_file("any.patch", 16, patch, |file| words(&["patch", file]));
    let fingerprints = fs::read(crates.join("../models/fingerprints.tsv")).expect("readable");
    let kernel = made("no-kernel");
    fs::create_dir(kernel.join("mm")).expect("a directory");
    fs::write(kernel.join("Makefile"), "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 1\n")
        .expect("written");
    any_file("prints.tsv", 3, &fingerprints, |file| {
        words(&["drift", "--kernel", of(&kernel), "--fingerprints", file])
    });
}

/// What is no file, or has no end.
#[test]
fn what_is_no_file_of_ours_is_refused_in_a_line() {
    let dir = made("no-file");
    refused(&["show", of(&dir)], "cannot read");
    refused(&["show", "/dev/zero"], "more than 64 MiB, expected a counterexample");
    refused(&["merge", "/dev/zero"], "more than 64 MiB, expected the report of a shard");
    refused(&["patch", "/dev/zero"], "more than 64 MiB, expected patches");
    let cut = dir.join("cut.json");
    let text = fs::read_to_string(reviewed()).expect("readable");
    fs::write(&cut, &text[..text.len() / 2]).expect("written");
    refused(&["show", of(&cut)], "cut.json: not JSON (EOF while parsing");
    fs::write(&cut, "[1, 2]").expect("written");
    refused(&["show", of(&cut)], "no field `schema`, expected \"selvedge-trace/1\"");
    fs::write(&cut, format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000))).expect("written");
    refused(&["show", of(&cut)], "recursion limit exceeded");
    let named = dir.join("a\u{1b}[31m.json");
    refused(&["show", of(&named)], "a\\u{1b}[31m.json");
}
