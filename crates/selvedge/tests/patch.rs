//! `selvedge patch` as its users see it. The patch is our own text, with the kernel's names.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

fn fixture() -> String {
    format!("{}/tests/patches/clear_lru.patch", env!("CARGO_MANIFEST_DIR"))
}

fn selvedge(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.arg("patch").args(args).output().expect("the command runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn scratch(name: &str, text: &[u8]) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("written");
    path.display().to_string()
}

/// What is said of the fixture, and of a letter before it that has no patch. It takes seconds to
/// find out what judges a patch: once for all who look at it.
static SAID: LazyLock<String> = LazyLock::new(|| {
    let letter = scratch("0000-cover-letter.patch", b"Subject: [PATCH 0/1] mm: words\n\nWords.\n");
    let output = selvedge(&[&letter, &fixture()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    stdout(&output)
});

/// The report on the fixture, and on a patch of a function that each version has a file for.
static REPORT: LazyLock<Value> = LazyLock::new(|| {
    let diff = "--- a/mm/migrate.c\n+++ b/mm/migrate.c\n@@ -9,2 +9,3 @@ static int \
                migrate_pages_batch(struct\n \tx();\n+\ty();\n \tz();\n";
    let batch = scratch("batch.diff", diff.as_bytes());
    let output = selvedge(&[&fixture(), &batch, "--format", "json"]);
    serde_json::from_str(&stdout(&output)).expect("one JSON object")
});

#[test]
fn a_patch_is_told_by_function_what_judges_it() {
    // Without the line breaks, which come where the line is full.
    let text = SAID.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [
        "[PATCH] mm/gup: tell by PG_lru whether a folio rests in a batch",
        "collect_longterm_unpinnable_folios(): changed",
        "modelled: models/src/mm/gup.rs:",
        "left out: device memory, hugetlb",
        "exercised by",
        "NOT MODELLED: nothing judges this change",
        "not modelled and so not judged: lru_add_and_bh_lrus_drain.",
        "3 functions: 2 modelled, 2 of them exercised by",
    ] {
        assert!(text.contains(says), "{says}\n---\n{text}");
    }
}

#[test]
fn the_same_as_json() {
    let report = &*REPORT;
    assert_eq!(report["schema"], "selvedge-patch/1");
    let gup = &report["patches"][0]["files"][0]["functions"][0];
    assert_eq!(gup["name"], "collect_longterm_unpinnable_folios");
    assert_eq!(gup["modelled"], true);
    let claims = gup["claims"].as_array().expect("claims");
    // The pins are exercised by the claims about pins, and by none of the waits for a folio.
    let is_of = |of: &str| claims.iter().any(|c| c.as_str().is_some_and(|c| c.starts_with(of)));
    assert!(is_of("longterm_pin::") && !is_of("folio_wait::"), "{claims:?}");
    let drain = &report["patches"][0]["files"][1]["functions"][1];
    assert_eq!(
        (&drain["modelled"], &drain["claims"]),
        (&Value::Bool(false), &Value::Array(vec![]))
    );
    assert!(report["check"].is_null());
}

#[test]
fn a_kernel_tree_tells_exactly() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("patch_tree");
    std::fs::create_dir_all(dir.join("mm")).expect("a directory");
    let text = "void not_modelled(struct folio *folio)\n{\n\tfirst(folio);\n\tsecond(folio);\n}\n";
    std::fs::write(dir.join("mm/swap.c"), text).expect("written");
    let diff = "--- a/mm/swap.c\n+++ b/mm/swap.c\n@@ -3,2 +3,3 @@\n \tfirst(folio);\n+\tx();\n \
                \tsecond(folio);\n";
    let patch = scratch("no_heading.diff", diff.as_bytes());
    let json = |args: &[&str]| -> Value {
        let output = selvedge(&[&[&patch, "--format", "json"], args].concat());
        serde_json::from_str(&stdout(&output)).expect("one JSON object")
    };
    let without = json(&[]);
    assert_eq!(without["patches"][0]["files"][0]["unknown"], 1);
    let with = json(&["--kernel", &dir.display().to_string()]);
    let file = &with["patches"][0]["files"][0];
    assert_eq!(file["found_by"], "kernel tree");
    assert_eq!(file["functions"][0]["name"], "not_modelled");
}

#[test]
fn a_function_that_each_version_has_a_file_for_is_modelled_by_all() {
    let function = &REPORT["patches"][1]["files"][0]["functions"][0];
    let files: Vec<_> =
        function["models"].as_array().expect("models").iter().map(|m| m["file"].clone()).collect();
    let versions = ["adjusted", "m2", "m3", "m4"];
    assert_eq!(files, versions.map(|v| format!("models/src/mm/migrate/batch_{v}.rs")));
    // One of releases since 6.3, and one of the first version alone.
    let claims = function["claims"].to_string();
    assert!(claims.contains("write_of_a_buffer::v6.4"), "{claims}");
    assert!(claims.contains("::v6.3-rc1::"), "{claims}");
}

#[test]
fn check_runs_the_claims() {
    // A function that few and small claims exercise.
    let diff = "--- a/mm/mempolicy.c\n+++ b/mm/mempolicy.c\n@@ -9,2 +9,3 @@ int do_migrate_pages(\n \
                \tx();\n+\ty();\n \tz();\n";
    let patch = scratch("mempolicy.diff", diff.as_bytes());
    let output = selvedge(&[&patch, "--check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
    let claims = report["claims"].as_array().expect("claims");
    let rows = report["check"]["rows"].as_array().expect("rows");
    assert!(!claims.is_empty());
    let names: Vec<&Value> = rows.iter().map(|row| &row["name"]).collect();
    assert_eq!(names, claims.iter().collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["as_expected"] == true));
}

#[test]
fn bad_input_is_refused_with_what_was_found() {
    let refused = |args: &[&str], saying: &str| {
        let output = selvedge(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(saying), "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?} printed something");
    };
    let mail = scratch("mail.txt", b"Re: [PATCH v4] mm: some words\n\n> it +1s\n");
    refused(&[&mail], "found a mail about \"Re: [PATCH v4] mm: some words\", 3 lines");
    refused(&[&mail], "expected a unified diff");
    refused(&[&scratch("bytes", &[0, 159, 146, 150, 10])], "no patch");
    // A discussion of a patch that is modelled, without its diff.
    let about = "Re: [PATCH V4] mm/gup: Clear the LRU flag of a page before adding to LRU batch\n\n\
                 > words\nWords.\n";
    refused(
        &[&scratch("about.txt", about.as_bytes())],
        "a patch of this subject is modelled as the tree `lru-flag-before-batch-v4`",
    );
    refused(&[&scratch("empty", b"")], "nothing but blanks");
    refused(&["/nonexistent.patch"], "cannot read");
    refused(&[], "FILE");
    refused(&[&fixture(), "--kernel", env!("CARGO_MANIFEST_DIR")], "no kernel tree");
}

/// Nothing is green that nobody asked for.
#[test]
fn a_check_of_what_no_claim_exercises_is_undecided() {
    let diff = "--- a/mm/x.c\n+++ b/mm/x.c\n@@ -1,1 +1,2 @@ int f(int a)\n \tx();\n+\ty();\n";
    let output = selvedge(&[&scratch("unknown.diff", diff.as_bytes()), "--check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Nothing to check: no claim exercises what is touched."), "{said}");
    assert_eq!(output.status.code(), Some(3), "{said}");
}

#[test]
fn a_letter_without_a_patch_does_not_keep_the_others_from_it() {
    let text = &*SAID;
    assert!(text.contains("Not read:") && text.contains("no patch: found text about"), "{text}");
}

#[test]
fn what_a_mail_says_does_not_reach_the_terminal_as_commands() {
    let diff = "Subject: [PATCH] \x1b]0;title\x07\n--- a/mm/\x1b[2Jx.c\n+++ b/mm/\x1b[2Jx.c\n\
                @@ -1,1 +1,2 @@ int f(int a)\n \tx();\n+\ty(\x1b);\n";
    let output = selvedge(&[&scratch("escapes.diff", diff.as_bytes())]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.iter().all(|byte| *byte == b'\n' || *byte >= b' '));
}
