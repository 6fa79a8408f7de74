//! What the pages show is current: the output of commands, and excerpts of files, between markers.
//! `SELVEDGE_BLESS=1` writes them anew.
//!
//! ```text
//! <!-- output of `selvedge list engines`, from `dpor`, until `random` -->
//! <!-- excerpt of `proofs/src/claims/migrate_pending.rs`, from `static A`, until `static B` -->
//! ```
//!
//! What is shown begins with the first line that begins with the `from`, and ends before the next
//! one that begins with the `until`. A block of code follows, and then `<!-- end -->`. With
//! `, but for numbers` line numbers and counts may be those of an earlier day.

mod pages;

use std::fs;
use std::path::Path;
use std::process::Command;

use pages::{pages, root};

const END: &str = "<!-- end -->";

#[test]
fn what_the_pages_show_is_current() {
    let mut shown = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let current = renewed(&page, &text, &mut shown);
        if std::env::var_os("SELVEDGE_BLESS").is_some() {
            fs::write(&page, current).expect("the page can be written");
        } else {
            assert_eq!(text, current, "{}: run with SELVEDGE_BLESS=1", page.display());
        }
    }
    assert!(shown > 5, "only {shown} places between markers were found");
}

/// The page with what is between its markers made anew.
fn renewed(page: &Path, text: &str, shown: &mut usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    let next = |text: &str| {
        let kinds = ["\n<!-- output of `", "\n<!-- excerpt of `"];
        kinds.iter().filter_map(|kind| text.find(kind)).min()
    };
    while let Some(at) = next(rest) {
        let (before, from_marker) = rest.split_at(at + 1);
        let (marker, after) = from_marker.split_once('\n').expect("a line");
        let (old, after) = after.split_once(END).unwrap_or_else(|| {
            panic!("{}: no `{END}` after {marker}", page.display());
        });
        let fence = old.lines().next().unwrap_or_default();
        assert!(fence.starts_with("```"), "{}: no code after {marker}", page.display());
        let what = marker.split('`').nth(1).expect("between backticks");
        let whole = match marker.contains("output of") {
            true => output(what),
            false => fs::read_to_string(root().join(what)).expect(what),
        };
        let new = format!("{fence}\n{}```\n", part(marker, &whole));
        let is_same =
            marker.contains(", but for numbers") && without_numbers(old) == without_numbers(&new);
        let new = if is_same { old } else { &new };
        out.push_str(&format!("{before}{marker}\n{new}{END}"));
        *shown += 1;
        rest = after;
    }
    out + rest
}

/// Without its numbers, and where its lines break for them.
fn without_numbers(text: &str) -> String {
    let words = text.split_whitespace().map(|word| word.replace(|c: char| c.is_ascii_digit(), ""));
    words.collect::<Vec<_>>().join(" ")
}

fn output(command: &str) -> String {
    let mut words = command.split_whitespace();
    assert_eq!(words.next(), Some("selvedge"), "{command}");
    let mut run = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    let output = run.current_dir(root()).args(words).output().expect("it runs");
    String::from_utf8(output.stdout).expect("text")
}

/// The lines that the marker wants.
fn part(marker: &str, whole: &str) -> String {
    let wanted = |key: &str| {
        let after = marker.split_once(key).and_then(|(_, after)| after.split('`').next());
        after.map(String::from)
    };
    let begins = |line: &str, start: &Option<String>| {
        start.as_ref().is_some_and(|start| line.starts_with(start.as_str()))
    };
    let (from, until) = (wanted(", from `"), wanted(", until `"));
    let lines = whole.lines().skip_while(|line| from.is_some() && !begins(line, &from));
    let lines: Vec<&str> = lines.collect();
    assert!(!lines.is_empty(), "nothing is shown: {marker}\n{whole}");
    let length = (1..lines.len()).find(|&at| begins(lines[at], &until));
    assert_eq!(length.is_none(), until.is_none(), "no such end: {marker}\n{whole}");
    let shown = lines[..length.unwrap_or(lines.len())].join("\n");
    format!("{}\n", shown.trim_end())
}
