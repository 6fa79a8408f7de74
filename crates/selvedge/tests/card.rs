//! The conformance cards say what is true: what engines make of litmus tests.
//!
//! `crates/litmus/twins.md` is about our own tests, and is always checked.
//! `crates/litmus/conformance.md` is about the kernel's, which are not in this repository: it is
//! checked with `SELVEDGE_KERNEL_LITMUS=DIR`, and its totals always. `SELVEDGE_BLESS=1` writes a
//! card anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn litmus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../litmus")
}

/// The card of all tests of a directory, when no search is longer than this.
fn card(dir: &Path, executions_max: u32) -> String {
    let entries = fs::read_dir(dir).expect("the directory");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "litmus"));
    files.sort();
    assert!(!files.is_empty(), "no litmus tests in {}", dir.display());
    let names = files.iter().map(|file| file.file_name().expect("a name"));
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge"))
        .current_dir(dir)
        .args(["litmus", "--format", "card", "--max-executions"])
        .arg(executions_max.to_string())
        .args(names)
        .output()
        .expect("it runs");
    String::from_utf8(output.stdout).expect("text")
}

fn expect_card(file: &Path, found: &str) {
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        fs::write(file, found).expect("the card can be written");
    }
    let card = fs::read_to_string(file).expect("the card");
    assert_eq!(card, found, "{} is not current: run with SELVEDGE_BLESS=1", file.display());
}

#[test]
fn the_card_of_our_own_tests_is_current() {
    // What loom has not decided by then, of waits that a signal ends, it has not by 100,000 either.
    let card = card(&litmus().join("tests/litmus"), 10_000);
    assert!(card.lines().filter(|line| line.starts_with('|')).count() > 35, "{card}");
    assert!(!card.contains("FALSE ALARM"), "{card}");
    expect_card(&litmus().join("twins.md"), &card);
}

#[test]
fn the_card_of_the_kernels_tests_adds_up_and_is_current() {
    let file = litmus().join("conformance.md");
    if let Some(dir) = std::env::var_os("SELVEDGE_KERNEL_LITMUS") {
        expect_card(&file, &card(Path::new(&dir), 100_000));
    }
    let text = fs::read_to_string(&file).expect("the card");
    // Load buffering is all that the engine of the kernel's own model does not see.
    let blind = text.lines().filter(|line| line.ends_with("blind |")).collect::<Vec<_>>();
    assert!(matches!(blind[..], [one] if one.starts_with("| LB+poonceonces |")), "{blind:?}");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| test"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 35, "the kernel has that many");
    for (column, engine) in [(2, "loom: "), (3, "dpor: "), (4, "graph: ")] {
        let totals = text.lines().find_map(|line| line.strip_prefix(engine)).expect("its totals");
        let total = |words: &str| {
            let part = totals.trim_end_matches('.').split(", ").find(|p| p.ends_with(words));
            let number = part.and_then(|part| part.split(' ').next()).expect(words);
            number.parse::<usize>().expect("a number")
        };
        let count = |is: fn(&str) -> bool| rows.iter().filter(|row| is(row[column])).count();
        assert_eq!(total(" agree"), count(|cell| cell == "agrees"), "{engine}");
        assert_eq!(total(" agree within a bound"), count(|c| c.starts_with("agrees within")));
        assert_eq!(total(" blind"), count(|cell| cell == "blind"), "{engine}");
        assert_eq!(total(" false alarms"), count(|cell| cell == "FALSE ALARM"), "{engine}");
    }
}
