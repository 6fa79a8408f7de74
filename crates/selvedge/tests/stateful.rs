//! `check --stateful`: what it says, and what it cannot be asked together with.

use serde_json::Value;

use crate::cli::{selvedge, stdout};

/// Two who install and one who migrates: what a search over states says of itself, and that it
/// finds what a search over traces finds.
#[test]
fn a_search_over_states_says_how_many_there_are() {
    let json = |row: &str| {
        let output = selvedge(&["check", row, "--stateful", "--format", "json"]);
        let report: Value = serde_json::from_str(&stdout(&output)).expect("one JSON object");
        (output.status.code(), report["rows"].as_array().expect("rows").clone())
    };
    let (code, rows) = json("bh-stays::install_vs_prep");
    assert_eq!(code, Some(0));
    assert!(rows.len() > 3);
    for row in &rows {
        assert_eq!((&row["engine"], &row["as_expected"]), (&"dpor".into(), &true.into()));
        let states = &row["states"];
        let count = states["count"].as_f64().expect("a number");
        let probability = count * (count - 1.0) / 2f64.powi(129);
        assert!(count > 3.0 && states["table_bytes"].as_f64() >= Some(16.0 * count));
        assert_eq!(states["collision_probability"].as_f64(), Some(probability));
    }
    let text = stdout(&selvedge(&["check", "bh-stays::install_vs_prep", "--stateful"]));
    assert!(text.contains(" KiB; two taken for one: probability <= "), "{text}");
    // A race is judged by the way to it.
    let (code, rows) = json("races::look_vs_prep");
    assert_eq!(code, Some(3), "{rows:?}");
    let why = rows[0]["bound"].as_str().expect("why it is undecided");
    assert!(why.contains("plain accesses do not race; ask dpor without --stateful"), "{why}");
}

#[test]
fn a_search_over_states_goes_with_dpor_and_by_itself() {
    let refused = |options: &[&str]| {
        let output = selvedge(&[&["check", "install_vs_prep", "--stateful"], options].concat());
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    let said = refused(&["--engine", "graph"]);
    assert!(said.contains("--stateful is a search of dpor: leave `--engine graph` out"), "{said}");
    for option in [&["--keep-going"][..], &["--shard", "1/2"], &["--cache", "c"], &["--parts", "p"]]
    {
        let said = refused(option);
        assert!(said.contains("--stateful") && said.contains(option[0]), "{said}");
    }
}
