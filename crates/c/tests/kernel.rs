//! The scenarios on real kernel trees, which variables name, separated by colons: on those of
//! SELVEDGE_KERNEL all of them, and each of our patches; on those of SELVEDGE_C_SAMPLE one of each
//! family, and one patch, which is what a CI has the time for. Without both this says so and
//! passes.

use std::path::{Path, PathBuf};

use selvedge_c::{Checked, Ran, Request, check, compare};
use selvedge_explore::{Bounds, Verdict};
use selvedge_proofs::Expected;

/// The trees that a variable names.
fn trees(variable: &str) -> Vec<PathBuf> {
    let named = std::env::var_os(variable).unwrap_or_default();
    let mut trees: Vec<PathBuf> = std::env::split_paths(&named).collect();
    trees.retain(|tree| !tree.as_os_str().is_empty());
    if trees.is_empty() {
        eprintln!("skipped: {variable} names no kernel tree");
    }
    // Sources are enough for others who ask for this variable, but not to compile them.
    trees.retain(|tree| {
        let is_whole = tree.join("scripts/Makefile.build").is_file();
        if !is_whole {
            eprintln!("skipped: {} is not the whole tree of a kernel", tree.display());
        }
        is_whole
    });
    trees
}

fn of_tree(kernel: &Path, patches: Vec<PathBuf>, filters: &[&str]) -> Request {
    let filters = filters.iter().map(ToString::to_string).collect();
    let (kernel, cc) = (kernel.to_path_buf(), "gcc".into());
    let (also, bounds, every_access) = (Vec::new(), Bounds::PROOF, false);
    Request { kernel, patches, init: None, filters, also, cc, bounds, every_access }
}

fn checked(kernel: &Path, patches: Vec<PathBuf>, filters: &[&str]) -> Checked {
    let request = of_tree(kernel, patches, filters);
    check(&request, &|text| eprintln!("{text}")).unwrap_or_else(|error| panic!("{error}"))
}

fn verdict<'a>(ran: &'a [Ran], name: &str) -> &'a Verdict {
    let of = ran.iter().find(|ran| ran.scenario.name == name);
    &of.unwrap_or_else(|| panic!("{name} was not run")).exploration.verdict
}

/// One test: an image has one address, and a tree one directory in the cache.
#[test]
fn verdicts_on_real_trees() {
    for tree in trees("SELVEDGE_KERNEL") {
        compared(&tree);
        unpatched(&tree, &[]);
        patched(&tree, cases);
        same_code(&tree);
        examples(&tree);
    }
    for tree in trees("SELVEDGE_C_SAMPLE") {
        unpatched(&tree, &SAMPLE);
        patched(&tree, |version| cases(version).into_iter().take(1).collect());
    }
}

/// One of each family.
const SAMPLE: [&str; 9] = [
    "install_vs_prep",
    "two_folios_go_to_one_list",
    "drain_vs_isolate",
    "activate_then_mlock_and_drain",
    "killed_waiter_before_plain_waiter",
    "writeback_ends_and_two_waiters",
    "fault_vs_try_to_migrate",
    "driver_gives_up_a_page_that_is_isolated",
    "activated_then_pinned",
];

/// These scenarios, or all, have the verdict that is expected, and have reached what they are
/// about.
fn unpatched(tree: &Path, filters: &[&str]) {
    let checked = checked(tree, Vec::new(), filters);
    assert!(checked.not_applicable.is_empty(), "{:?}", checked.not_applicable);
    assert!(!checked.before.is_empty());
    for Ran { scenario, exploration, missing } in &checked.before {
        let name = format!("{} on {}", scenario.name, checked.version);
        assert_eq!(*missing, None, "{name}");
        match scenario.expected.0 {
            Expected::Holds => {
                assert_eq!(exploration.verdict, Verdict::Holds, "{name}");
                let missed = scenario.reached.iter().find(|s| !exploration.reached.contains(*s));
                assert_eq!(missed, None, "{name} did not reach this");
            }
            Expected::Violated => {
                assert_eq!(exploration.verdict, Verdict::Violated, "{name}");
                let found = exploration.counterexample.as_ref().expect("shown");
                assert_eq!(found.rule, scenario.rule.0, "{name}");
                let has_line = |step: &selvedge_trace::Record| step.at.starts_with("mm/");
                assert!(found.steps.iter().any(has_line), "{name} has no lines");
            }
        }
    }
}

/// The models do what C does, up to what they declare.
fn compared(tree: &Path) {
    let all = of_tree(
        tree,
        Vec::new(),
        &["mlock", "drain_vs_isolate", "install_vs_prep", "unlock_and_waiter"],
    );
    let compared = compare(&all, &|text| eprintln!("{text}")).unwrap_or_else(|e| panic!("{e}"));
    assert!(compared.functions.len() > 15, "{:?}", compared.functions);
    for scenario in &compared.scenarios {
        assert_eq!(scenario.cut, None, "{}", scenario.name);
        assert_eq!(
            scenario.traces, [scenario.both; 2],
            "{} on {}",
            scenario.name, compared.version
        );
    }
    for function in &compared.functions {
        assert!(
            function.difference.is_none(),
            "{} on {}: {function:?}",
            function.name,
            compared.version
        );
    }
}

/// The scenarios that a user begins with.
fn examples(tree: &Path) {
    for (file, also, verdict) in [
        ("end_writeback.c", None, Verdict::Holds),
        ("movable_driver.c", Some("mm/mmzone.c"), Verdict::Holds),
        // The race in which the mlock is not counted.
        ("mlock_munlock.c", None, Verdict::Violated),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
        let also = also.map(String::from).into_iter().collect();
        let request = Request { init: Some(path), also, ..of_tree(tree, Vec::new(), &[]) };
        let checked = check(&request, &|text| eprintln!("{text}")).expect("compiles");
        let found = &checked.before[0].exploration;
        assert_eq!(found.verdict, verdict, "{file} on {}", checked.version);
    }
}

/// A patch that is compiled, and to the same code, changes no verdict: nothing has to be run. One
/// that is not compiled says nothing.
fn same_code(tree: &Path) {
    let version = version_of(tree);
    let Some(path) = patch("prints-nothing", &version) else { return };
    let text = std::fs::read_to_string(&path).expect("read");
    let only =
        std::env::temp_dir().join(format!("selvedge-c-comment-{}.patch", std::process::id()));
    std::fs::write(&only, text.replace("pr_debug(\"%p is unlocked\\n\", folio);", "/* new */"))
        .expect("written");
    for (path, is_same_code) in [(&path, true), (&only, false)] {
        let found = checked(tree, vec![path.clone()], &[]);
        assert!(found.changed.is_empty(), "{:?}", found.changed);
        assert!(found.after.is_empty() && !found.not_reached.is_empty());
        assert_eq!(found.is_same_code, is_same_code, "{} on {version}", path.display());
    }
    std::fs::remove_file(only).expect("removed");
}

fn version_of(tree: &Path) -> String {
    checked(tree, Vec::new(), &["install_vs_prep"]).version
}

/// `6.12`
fn release(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Our patch of this name for the release.
fn patch(name: &str, version: &str) -> Option<PathBuf> {
    let file = format!("{name}-{}.patch", release(version));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("patches").join(file);
    path.is_file().then_some(path)
}

/// Our patches, which fit one release each, do what they say.
fn patched(tree: &Path, cases: fn(&str) -> Vec<Case>) {
    let version = version_of(tree);
    for (name, scenario, before, after) in cases(&version) {
        let Some(path) = patch(name, &version) else {
            eprintln!("skipped: no {name} for {version}");
            continue;
        };
        let checked = checked(tree, vec![path], &[scenario]);
        assert_eq!(verdict(&checked.before, scenario), &before, "{name} on {version}");
        assert_eq!(verdict(&checked.after, scenario), &after, "{name} on {version}");
    }
}

/// Patch, scenario, and its verdicts without and with the patch.
type Case = (&'static str, &'static str, Verdict, Verdict);

fn cases(version: &str) -> Vec<Case> {
    const KILLED: &str = "killed_waiter_before_plain_waiter";
    // mlock_vs_isolate is not asked of 6.1.
    let mlocks =
        if release(version) == "6.1" { "mlock_new_drain_vs_mlock" } else { "mlock_vs_isolate" };
    vec![
        ("no-synchronize-rcu", "install_vs_prep", Verdict::Holds, Verdict::Violated),
        ("drains-nothing", "add_and_drain_vs_drain", Verdict::Holds, Verdict::Violated),
        ("no-waiters-bit", "unlock_and_waiter", Verdict::Holds, Verdict::Violated),
        ("no-claim", "drain_vs_isolate", Verdict::Holds, Verdict::Violated),
        ("tries-the-bit", KILLED, Verdict::Violated, Verdict::Holds),
        ("checks-unlocked", "install_vs_prep", Verdict::Holds, Verdict::Violated),
        ("no-slot-reference", "lookup_vs_free", Verdict::Holds, Verdict::Violated),
        ("claims-at-add", "activate_then_mlock_and_drain", Verdict::Holds, Verdict::Violated),
        ("never-waits", "two_readers_migrate_each_others_folio", Verdict::Violated, Verdict::Holds),
        (
            "waits-in-batch",
            "migration_of_two_vs_writeback_behind_lock",
            Verdict::Holds,
            Verdict::Violated,
        ),
        (
            "waits-in-batch",
            "migration_of_two_vs_locks_in_other_order",
            Verdict::Holds,
            Verdict::Violated,
        ),
        (
            "waits-in-batch",
            "migration_of_two_vs_buffer_behind_lock",
            Verdict::Holds,
            Verdict::Violated,
        ),
        // One for each file whose patches are checked, and for a header.
        ("mlocks-unclaimed", mlocks, Verdict::Holds, Verdict::Violated),
        ("isolates-unclaimed", "drain_vs_isolate", Verdict::Holds, Verdict::Violated),
        ("ends-untold", "writeback_ends_and_two_waiters", Verdict::Holds, Verdict::Violated),
        ("pins-undrained", "activated_then_pinned", Verdict::Holds, Verdict::Violated),
        ("trylock-in-two-steps", "unlock_and_two_waiters", Verdict::Holds, Verdict::Violated),
        (
            "looks-once",
            "driver_gives_up_a_page_that_is_isolated",
            Verdict::Holds,
            Verdict::Violated,
        ),
        ("fault-looks-once", "fault_around_vs_migration", Verdict::Holds, Verdict::Violated),
        ("fault-looks-again", "fault_vs_try_to_migrate", Verdict::Violated, Verdict::Holds),
        (
            "maps-unchecked",
            "fault_and_try_to_migrate_leave_one_entry",
            Verdict::Holds,
            Verdict::Violated,
        ),
        ("moves-unlocked", "two_folios_go_to_one_list", Verdict::Holds, Verdict::Violated),
        // Harmless.
        ("prints", "unlock_and_waiter", Verdict::Holds, Verdict::Holds),
    ]
}
