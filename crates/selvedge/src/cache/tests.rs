use std::cell::Cell;

use selvedge_explore::Engine;
use selvedge_proofs::{check, rows};

use super::*;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("selvedge-cache-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

fn row(scenario: &str, tree: &str) -> Selected {
    let is_it = |(claim, engine): &Selected| {
        claim.scenario.name == scenario && claim.tree.name == tree && *engine == Engine::Dpor
    };
    rows().find(is_it).expect("a row")
}

/// The row from the cache, and how often it was checked for that.
fn ask(cache: &Cache, selected: Selected, bounds: &Bounds) -> (Row, bool, u32) {
    let count = Cell::new(0);
    let checked = || {
        count.set(count.get() + 1);
        check(selected.0, selected.1, bounds)
    };
    let (row, is_cached) = cache.row_or(selected, bounds, checked);
    (row, is_cached, count.get())
}

fn shows(row: &Row) -> String {
    let mut value: serde_json::Value = serde_json::from_str(&row_json(row)).expect("JSON");
    value["elapsed_ms"] = 0.into();
    value.to_string()
}

#[test]
fn what_was_decided_is_not_decided_again() {
    let dir = scratch("again");
    let cache = Cache::open(&dir, false).expect("a directory");
    for selected in [row("install_vs_prep", "v6.1"), row("install_vs_prep", "v5.13")] {
        let (first, was_cached, checks) = ask(&cache, selected, &Bounds::PROOF);
        assert_eq!((was_cached, checks), (false, 1));
        let (again, was_cached, checks) = ask(&cache, selected, &Bounds::PROOF);
        assert_eq!((was_cached, checks), (true, 0));
        assert_eq!(shows(&again), shows(&first), "also the counterexample");
        // Other bounds are another question.
        let fewer = Bounds { executions_max: 1_000, ..Bounds::PROOF };
        assert_eq!(ask(&cache, selected, &fewer).2, 1);
    }
    let _ = fs::remove_dir_all(dir);
}

#[test]
fn what_is_damaged_or_stale_is_checked_again() {
    let dir = scratch("damaged");
    let cache = Cache::open(&dir, false).expect("a directory");
    let selected = row("install_vs_prep", "v6.1");
    let whole = |cache: &Cache| {
        ask(cache, selected, &Bounds::PROOF);
        fs::read_to_string(cache.file(selected)).expect("kept")
    };
    let text = whole(&cache);
    let (head, row) = text.split_once('\n').expect("two lines");
    let other_key = entry(&"0".repeat(32), row.trim_end());
    let key = head.split(' ').nth(1).expect("a key");
    let of_another = row.trim_end().replace("::v6.1::", "::v6.4::");
    let damaged = [
        String::new(),
        head.to_string(),
        text[..text.len() / 2].to_string(),
        text.replace("\"holds\"", "\"violated\""),
        text.replace("selvedge-cache/1", "selvedge-cache/0"),
        other_key,
        entry(key, &of_another),
        entry(key, "{}"),
        entry(key, &row.trim_end().replace("\"verdict\":\"holds\"", "\"verdict\":\"violated\"")),
    ];
    for text in damaged {
        fs::write(cache.file(selected), &text).expect("written");
        let (found, was_cached, checks) = ask(&cache, selected, &Bounds::PROOF);
        assert_eq!((was_cached, checks), (false, 1), "{text}");
        assert_eq!(found.exploration.verdict, Verdict::Holds);
        assert!(ask(&cache, selected, &Bounds::PROOF).1, "it has been replaced");
    }
    let _ = fs::remove_dir_all(dir);
}

#[test]
fn what_was_cut_short_is_not_kept() {
    let dir = scratch("cut");
    let cache = Cache::open(&dir, true).expect("a directory");
    let few = Bounds { executions_max: 2, ..Bounds::PROOF };
    let holds = row("install_vs_prep", "v6.1");
    for _ in 0..2 {
        assert_eq!(ask(&cache, holds, &few).2, 1, "undecided");
        let violated = row("install_vs_prep", "v5.13");
        assert_eq!(ask(&cache, violated, &Bounds::PROOF).2, 1, "violated, with a limit of time");
    }
    let stopped = Bounds {
        interrupted: Some(std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true))),
        ..Bounds::PROOF
    };
    for _ in 0..2 {
        assert_eq!(ask(&cache, holds, &stopped).2, 1, "interrupted");
    }
    let _ = fs::remove_dir_all(dir);
}

/// Damage is noticed: what a file says of a row is what was written there, or nothing.
#[test]
fn of_a_damaged_file_nothing_is_believed() {
    use crate::damaged::damaged;
    use proptest::prelude::*;
    let dir = scratch("any");
    let cache = Cache::open(&dir, false).expect("a directory");
    let selected = row("install_vs_prep", "v5.13");
    let bounds = Bounds::PROOF;
    let (first, ..) = ask(&cache, selected, &bounds);
    let (file, key) = (cache.file(selected), cache.keys.of(selected, &bounds));
    let whole = fs::read_to_string(&file).expect("kept");
    let (_, content) = whole.trim_end().split_once('\n').expect("two lines");
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config.clone(), |(bytes in damaged(&whole))| {
        fs::write(&file, &bytes).expect("written");
        if let Known::Row(row) = read(&file, &key, selected) {
            prop_assert_eq!(shows(&row), shows(&first));
        }
    });
    // With a checksum that is right: by who means it, and is told what is wrong, or gets a row.
    proptest!(config, |(bytes in damaged(content))| {
        let text = String::from_utf8_lossy(&bytes);
        fs::write(&file, entry(&key, &text)).expect("written");
        if let Known::Row(row) = read(&file, &key, selected) {
            prop_assert_eq!(row.name(), first.name());
            drop(crate::format::CheckFormat::Text.render(&[*row]));
        }
    });
    let _ = fs::remove_dir_all(dir);
}
