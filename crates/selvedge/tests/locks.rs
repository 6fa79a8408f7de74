//! The report on the lock order: every cycle with its verdict.

use std::collections::BTreeSet;
use std::process::{Command, Output};

fn selvedge(args: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_selvedge")).args(args).output();
    output.expect("the command can be run")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into()
}

/// The scenarios of the two deadlocks of February 2023.
const FEBRUARY_2023: [&str; 2] =
    ["jbd2_writes_to_loop_sync_light_ba", "loop_ends_writeback_sync_ba"];

fn verdicts(tree: &str) -> String {
    let mut args = vec!["locks", "--tree", tree];
    args.extend(FEBRUARY_2023);
    let output = selvedge(&args);
    assert_eq!(output.status.code(), Some(0), "{tree}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_deadlocks_of_2023_are_real_where_they_were_and_gone_where_they_were_mended() {
    let broken = verdicts("next-20230217");
    assert!(broken.contains("  real      BH_Lock of bh0 -> PG_locked of folio1\n"), "{broken}");
    assert!(
        broken.contains("  real      PG_locked of folio1 -> PG_writeback of folio0\n"),
        "{broken}"
    );
    for tree in ["v6.1", "v6.4", "v6.17"] {
        let mended = verdicts(tree);
        assert!(mended.contains(" 0 real, "), "{tree}: {mended}");
        assert!(mended.contains(" 0 possible.\n"), "{tree}: {mended}");
    }
}

#[test]
fn a_cycle_has_a_splat_and_a_counterexample() {
    let scenario = "loop_ends_writeback_sync_ba";
    let dir = std::env::temp_dir().join(format!("selvedge-locks-{}", std::process::id()));
    let dir_name = dir.display().to_string();
    let args = ["locks", scenario, "--tree", "next-20230217", "--format", "splat", "--out"];
    let output = selvedge(&[&args[..], &[dir_name.as_str()]].concat());
    let splats = text(&output.stdout);
    for line in [
        "WARNING: circular locking dependency detected: deadlock\n",
        "loop_ends_writeback_sync_ba in v6.3-rc1\n",
        "but task is already holding lock:\n",
        " *** DEADLOCK ***\n",
    ] {
        assert!(splats.contains(line), "{line}\n{splats}");
    }
    let dept = ["locks", scenario, "--tree", "next-20230217", "--format", "dept"];
    let dept = text(&selvedge(&dept).stdout);
    for line in [
        "DEPT: Circular dependency has been detected.\n",
        "    [S] set(PG_locked of folio1)\n",
        "    [W] wait(PG_writeback of folio0)\n",
        "[E]: the event not reachable\n",
    ] {
        assert!(dept.contains(line), "{line}\n{dept}");
    }
    let page = std::fs::read_to_string(dir.join("locks.html")).expect("written");
    for part in
        ["<h2>v6.3-rc1</h2>", "<td class=\"violated\">real<td>", "class=\"e real\"", "</html>"]
    {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let files =
        std::fs::read_dir(&dir).expect("written").filter_map(|file| Some(file.ok()?.path()));
    let json: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    let [file] = &json[..] else { panic!("{json:?}") };
    let shown = selvedge(&["show", &file.display().to_string()]);
    assert!(text(&shown.stdout).contains("no task waits for ever"), "{}", text(&shown.stdout));
    let refs = selvedge(&["show", "--as", "refs", &file.display().to_string()]);
    assert!(text(&refs.stdout).contains("x page cache, since the scenario began"));
    std::fs::remove_dir_all(&dir).expect("removed");
}

#[test]
fn the_report_is_what_check_means_by_lock_order() {
    let args = ["check", "lock_order", "--tree", "readahead-nowhere"];
    assert_eq!(selvedge(&args).status.code(), Some(2));
    let args = ["check", "lock_order", "--tree", "v4.2", "--format", "json"];
    let output = selvedge(&args);
    let json = text(&output.stdout);
    assert!(json.contains("\"schema\": \"selvedge-locks/1\""), "{json}{}", text(&output.stderr));
    let args = ["check", "lock_order", "--format", "junit"];
    let refused = selvedge(&args);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("prints text or json"));
}

/// What `locks --out` and `mutate --format json` have left in a directory is on a check's page.
#[test]
fn a_page_of_rows_shows_lock_graphs_and_mutants_that_are_beside_it() {
    let dir = std::env::temp_dir().join(format!("selvedge-beside-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let row = "lru_batches::references::put_without_get::v6.1::dpor";
    let mutants = dir.join("mutants.json");
    let check = |kept: &str| {
        std::fs::write(&mutants, kept).expect("written");
        selvedge(&["check", row, "--out", &dir.display().to_string()])
    };
    let kept = format!(
        "{{\"schema\": \"selvedge-mutants/1\", \"mutants\": [{{\"name\": \"f::<b>::drop\", \
         \"killed_by\": [{{\"row\": \"{row}\"}}]}}]}}"
    );
    let checked = check(&kept);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let index = || std::fs::read_to_string(dir.join("index.html")).expect("written");
    assert!(index().contains("kills 1: f::&lt;b&gt;::drop"), "{}", index());
    assert!(!index().contains("locks.html"));
    std::fs::write(dir.join("locks.html"), "").expect("written");
    assert_eq!(check(&kept).status.code(), Some(0));
    assert!(index().contains("href=\"locks.html\""));
    let refused = check("{}");
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("missing field `schema`"), "{}", text(&refused.stderr));
    std::fs::remove_dir_all(&dir).expect("removed");
}

/// The picture is well-formed, the same each time, and shows the deadlock in red.
#[test]
fn a_graph_is_drawn_without_graphviz() {
    let draw = |scenario: &str| {
        let args = ["locks", scenario, "--tree", "next-20230217", "--format", "svg"];
        text(&selvedge(&args).stdout)
    };
    let drawn = draw("loop_ends_writeback_sync_ba");
    let svg = roxmltree::Document::parse(&drawn).unwrap_or_else(|e| panic!("{e}: {drawn}"));
    let texts: Vec<&str> = svg.descendants().filter_map(|node| node.text()).collect();
    for name in
        ["PG_locked of folio1", "PG_writeback of folio0", "loop_ends_writeback_sync_ba in v6.3-rc1"]
    {
        assert!(texts.contains(&name), "{name}: {texts:?}");
    }
    assert_eq!(drawn.matches("class=\"e real\"").count(), 2, "{drawn}");
    assert_eq!(drawn, draw("loop_ends_writeback_sync_ba"));
    let several = draw("loop_ends_writeback");
    roxmltree::Document::parse(&several).unwrap_or_else(|e| panic!("{e}: {several}"));
}

#[test]
fn a_scenario_that_is_cut_short_leaves_its_cycles_possible() {
    let scenario = "migrator_vs_locker";
    let args = ["locks", scenario, "--tree", "next-20230217", "--max-executions", "3"];
    let output = selvedge(&args);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("the scenario was left after 3 executions"));
}

/// Trees of few executions, of which the page is compared each time; of all with
/// `SELVEDGE_ALL_TREES`.
const SAMPLE: [&str; 6] =
    ["v6.3-rc1", "submit-before-blocking", "mobile-2015", "v4.8+356ea3865687", "v5.11", "v6.18"];

/// `SELVEDGE_BLESS=1` writes the page anew, of all trees.
#[test]
fn the_page_of_every_cycle_says_what_the_trees_say() {
    const MARKERS: [&str; 2] = ["<!-- every cycle -->\n", "<!-- end of every cycle -->"];
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/lock-order.md");
    let whole = std::fs::read_to_string(page).expect("a page");
    let (before, rest) = whole.split_once(MARKERS[0]).expect("where the table begins");
    let (table, after) = rest.split_once(MARKERS[1]).expect("where it ends");
    let is_blessed = std::env::var_os("SELVEDGE_BLESS").is_some();
    let all = is_blessed || std::env::var_os("SELVEDGE_ALL_TREES").is_some();
    let sample: Vec<&str> = SAMPLE.iter().flat_map(|tree| ["--tree", tree]).collect();
    let args = if all { &[][..] } else { &sample };
    let output = selvedge(&[&["locks", "--format", "table"], args].concat());
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", text(&output.stderr));
    let found = text(&output.stdout);
    if is_blessed {
        let [begin, end] = MARKERS;
        return std::fs::write(page, format!("{before}{begin}{found}{end}{after}"))
            .expect("written");
    }
    let tree = |line: &str| {
        line.split(" | ").next().unwrap_or_default().trim_start_matches("| ").to_string()
    };
    let is_asked = |line: &&str| {
        all || line.starts_with("| tree")
            || line.starts_with("|--")
            || SAMPLE.contains(&&*tree(line))
    };
    let lines = |text: &str| -> BTreeSet<String> {
        text.lines().filter(is_asked).map(str::to_string).collect()
    };
    assert_eq!(lines(&found), lines(table), "the page is not current: SELVEDGE_BLESS=1");
    // The acceptance of the two deadlocks of February 2023: real where they were, nowhere since.
    let real = |of: &str, cycle: &str| {
        let begins = format!("| {of} | real | {cycle} |");
        table.lines().any(|line| line.starts_with(&begins))
    };
    let both =
        ["BH_Lock of bh0 → PG_locked of folio1", "PG_locked of folio1 → PG_writeback of folio0"];
    for cycle in both {
        assert!(real("v6.3-rc1", cycle), "{cycle}");
        for mended in
            ["v6.4", "v6.6", "v6.10", "v6.11", "v6.12.117", "v6.15", "v6.17", "fix-both-deadlocks"]
        {
            assert!(!real(mended, cycle), "{cycle} in {mended}");
        }
    }
}
