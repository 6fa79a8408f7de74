//! `selvedge new NAME --base TREE`: all files or none, and a tree that can be edited and checked at
//! once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

/// Copies a directory, with the times of its files: a build that has seen them need not again.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let copied = to.join(&name);
        if path.is_dir() {
            copy(&path, &copied);
        } else if fs::read(&path).ok() != fs::read(&copied).ok() {
            fs::copy(&path, &copied).expect("copied");
            let changed = path.metadata().and_then(|known| known.modified()).expect("a time");
            set_time(&copied, changed);
        }
    }
}

/// A checkout as far as the command looks at it: the models.
fn models(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("new_tree_{name}"));
    let _ = fs::remove_dir_all(&dir);
    copy(&root().join("models"), &dir.join("models"));
    dir
}

fn new(dir: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_selvedge"));
    command.current_dir(dir).arg("new").args(args).output().expect("it runs")
}

/// The patch, in words of ours, as a file in the checkout.
fn patch(dir: &Path, file: &str, function: &str) -> String {
    let text = format!(
        "Subject: [PATCH] mm: words\n\n--- a/{file}\n+++ b/{file}\n@@ -9,2 +9,3 @@ void \
            {function}(void)\n \
         \tx();\n+\ty();\n \tz();\n"
    );
    let path = dir.join(format!("{function}.patch"));
    fs::write(&path, text).expect("written");
    path.display().to_string()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).expect(file)
}

/// Every file below, with its text.
fn all(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        for path in fs::read_dir(dir).expect("a directory").flatten().map(|entry| entry.path()) {
            match path.is_dir() {
                true => dirs.push(path),
                false => files.push((path.clone(), fs::read_to_string(&path).expect("text"))),
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_tree_is_a_file_and_a_line() {
    let dir = models("plain");
    let before = read(&dir, "models/src/trees/mod.rs");
    let said = stdout(&new(&dir, &["my-patch", "--base", "M0"]));
    assert!(said.contains("check --tree my-patch"), "{said}");
    let code = read(&dir, "models/src/trees/my_patch.rs");
    assert!(code.contains("name: \"my-patch\"") && code.contains("..V6_1.patched("), "{code}");
    let after = read(&dir, "models/src/trees/mod.rs");
    assert_eq!(after.replace("yours! {\n    my_patch,\n}", "yours! {}"), before);
}

#[test]
fn what_is_called_by_a_decision_is_set() {
    let dir = models("decision");
    let patch = patch(&dir, "mm/swap.c", "lru_cache_disable");
    let said = stdout(&new(&dir, &["mine", "--base", "v5.18", "--from", &patch]));
    assert!(said.contains("in place of lru_cache_disable_by_rcu() (models/src/mm/swap/"), "{said}");
    let code = read(&dir, "models/src/trees/mine.rs");
    for says in ["set!(swap.lru_cache_disable = func!(lru_cache_disable))", "synchronize_rcu(&k"] {
        assert!(code.contains(says), "{says}\n{code}");
    }
    assert!(read(&dir, "models/src/replaced.rs").contains("replaced! {}"), "nothing else to do");
}

#[test]
fn what_is_called_directly_looks_first_whether_the_tree_has_another() {
    let dir = models("hook");
    let patch = patch(&dir, "mm/swap.c", "folio_deactivate");
    for name in ["one", "two"] {
        stdout(&new(&dir, &[name, "--base", "v6.12.117", "--from", &patch]));
        let code = read(&dir, &format!("models/src/trees/{name}.rs"));
        assert!(
            code.contains("set!(replaced.folio_deactivate = func!(folio_deactivate))"),
            "{code}"
        );
    }
    // The second tree finds what the first has made.
    let list = read(&dir, "models/src/replaced.rs");
    assert_eq!(list.matches("folio_deactivate:\n").count(), 1, "{list}");
    let add = read(&dir, "models/src/mm/swap/add.rs");
    assert_eq!(add.matches("k.tree.replaced.folio_deactivate").count(), 1);
}

#[test]
fn what_cannot_be_copied_is_named_with_its_place() {
    let dir = models("not");
    let before = read(&dir, "models/src/mm/swap/release.rs");
    let no_kernel = patch(&dir, "include/linux/mm.h", "folio_get");
    let said = stdout(&new(&dir, &["one", "--base", "v6.1", "--from", &no_kernel]));
    assert!(said.contains("folio_get(): NOT copied: it does not know of which tree"), "{said}");
    assert!(said.contains("by hand: models/src/mm/swap/release.rs:"), "{said}");
    let several = patch(&dir, "mm/migrate.c", "migrate_pages_batch");
    let said = stdout(&new(&dir, &["two", "--base", "v6.6", "--from", &several]));
    assert!(said.contains("migrate_pages_batch(): NOT copied: it has several models"), "{said}");
    let unknown = patch(&dir, "mm/swap.c", "no_such_function");
    let said = stdout(&new(&dir, &["three", "--base", "v6.6", "--from", &unknown]));
    assert!(said.contains("no_such_function(): NOT MODELLED"), "{said}");
    let list = dir.join("list.patch");
    fs::write(&list, "--- a/MAINTAINERS\n+++ b/MAINTAINERS\n@@ -1,1 +1,2 @@\n a\n+b\n")
        .expect("written");
    let said =
        stdout(&new(&dir, &["four", "--base", "v6.6", "--from", &list.display().to_string()]));
    assert!(said.contains("the patch touches no function: nothing of it is copied"), "{said}");
    assert_eq!(read(&dir, "models/src/mm/swap/release.rs"), before);
}

#[test]
fn bad_input_changes_nothing() {
    let dir = models("bad");
    let no_patch = dir.join("letter");
    fs::write(&no_patch, "Subject: words\n\nWords.\n").expect("written");
    let no_patch = no_patch.display().to_string();
    let before = all(&dir);
    for (args, says) in [
        (&["v6.1", "--base", "v6.1"][..], "the tree's name `v6.1` must be"),
        (&["v5-11", "--base", "v5.12"], "unknown tree `v5.12`: did you mean"),
        (&["rfc-migrate-pending", "--base", "v6.1"], "there is a tree `rfc-migrate-pending`"),
        (&["races", "--base", "v6.1"], "races.rs already"),
        (&["fn", "--base", "v6.1"], "a word of Rust"),
        (&["../mine", "--base", "v6.1"], "must be of lower-case"),
        (&["mine", "--base", "minimal"], "the tree of a driver"),
        (&["mine", "--base", "v6.1", "--from", &no_patch], "no patch"),
        (&["mine", "--base", "v6.1", "--from", "/nonexistent"], "cannot read /nonexistent"),
        (&["mine"], "--base"),
        (&[], "required"),
        (&["mine", "--driver", "other"], "cannot be used with"),
    ] {
        let refused = new(&dir, args);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(says), "{args:?}: {error}");
    }
    assert_eq!(all(&dir), before);
}

/// Gives each file that is as it was at the last run the time that it had then, and notes the
/// others: what has not changed is not built again.
fn settle(dir: &Path, seen: &Path) {
    fs::create_dir_all(seen).expect("a directory");
    for path in fs::read_dir(dir).expect("a directory").flatten().map(|entry| entry.path()) {
        let known = seen.join(path.file_name().expect("a name"));
        if path.is_dir() {
            settle(&path, &known);
            continue;
        }
        let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).expect("a time");
        if fs::read(&path).ok() != fs::read(&known).ok() {
            fs::copy(&path, &known).expect("copied");
            set_time(&known, changed(&path));
        } else {
            set_time(&path, changed(&known));
        }
    }
}

fn set_time(file: &Path, time: SystemTime) {
    let opened = File::options().append(true).open(file);
    opened.and_then(|file| file.set_modified(time)).expect("its time");
}

/// Writes a file that is read when rows run, and built into the command besides: as it keeps its
/// time, nothing is compiled once more.
fn write_unseen(file: &Path, text: &str) {
    let time = file.metadata().and_then(|known| known.modified()).expect("a time");
    fs::write(file, text).expect("written");
    set_time(file, time);
}

/// The crates of the copy that are edited are built otherwise than those of this checkout, so that
/// cargo never takes what is made of the ones for the others: both lie in one directory, and cargo
/// tells crates of a workspace apart by their place in it. It would find a library fresh that was
/// made of the copy. The other crates are the same here and there, with the times of their files:
/// whoever builds them, the library is of the same sources, and older than what is changed later.
/// The few rows that are asked are small: it is the compiler that takes its time.
fn of_the_copy() -> impl Iterator<Item = String> {
    let settings = ["debug=false", "opt-level=0"];
    ["selvedge-models", "selvedge-proofs"].into_iter().flat_map(move |name| {
        settings.map(|setting| format!("profile.test.package.{name}.{setting}"))
    })
}

/// A step of cargo in the copy. The libraries from elsewhere are those of this build.
fn cargo(dir: &Path, args: &[&str]) -> Output {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(dir).env("CARGO_TARGET_DIR", target).env_remove("SELVEDGE_BLESS");
    for profile in of_the_copy() {
        command.args(["--config", &profile]);
    }
    command.args(args).output().expect("cargo runs")
}

/// The blocks of Rust in the tutorial: what it tells its reader to write.
fn of_the_tutorial() -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/tutorial.md")).expect("the tutorial");
    let blocks = page.split("```rust\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_string()).collect()
}

/// The tree of the tutorial, edited as it says.
fn follow_the_tutorial(dir: &Path) {
    let patch = root().join("docs/examples/migrate-pending.patch").display().to_string();
    let said = stdout(&new(dir, &["my-rfc", "--base", "v5.11", "--from", &patch]));
    let added = "migrate_finish(): added by the patch: write it in the file\n    as in another tree, \
                 set by swap.lru_cache_enable: migrate_finish_rfc() (models/src/mm/migrate/prep.rs:";
    assert!(said.contains(added), "{said}");
    let file = dir.join("models/src/trees/my_rfc.rs");
    let mut code = fs::read_to_string(&file).expect("written");
    let mut edit = |old: &str, new: &str| {
        assert!(code.contains(old), "{old}\n{code}");
        code = code.replacen(old, new, 1);
    };
    let blocks = of_the_tutorial();
    let [install, prep, both, set] = blocks.as_slice() else { panic!("{blocks:#?}") };
    let install = install.split("    // ...").next().unwrap_or_default();
    let head = install.split_inclusive('\n').take(2).collect::<String>();
    edit(&head, install);
    let head = prep.split_inclusive('\n').take(2).collect::<String>();
    edit(&format!("{head}    lru_add_drain_all(k);\n}}\n"), &format!("{prep}\n{both}"));
    let line = "        set!(swap.lru_cache_disable = func!(migrate_prep_my_rfc)),\n";
    edit(line, &format!("{line}{set}"));
    edit("check_irqs_on, get_bh,", "check_irqs_on, get_bh, invalidate_bh_lrus,");
    edit("use selvedge_kernel::{", "use selvedge_kernel::{atomic_dec, atomic_inc, atomic_read, ");
    fs::write(&file, code).expect("edited");
}

/// In a copy of the repository, which is built once: two patches, one of which breaks a lock, and
/// that of the tutorial.
#[test]
fn a_patch_is_copied_edited_and_judged() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("new_tree_checkout");
    for part in ["ci", "crates", "examples", "models", "proofs"] {
        copy(&root().join(part), &dir.join(part));
    }
    for file in ["Cargo.toml", "Cargo.lock", "rustfmt.toml"] {
        fs::copy(root().join(file), dir.join(file)).expect("copied");
    }
    for tree in ["no_wait", "again", "my_rfc"] {
        let _ = fs::remove_file(dir.join(format!("models/src/trees/{tree}.rs")));
    }
    let disable = patch(&dir, "mm/swap.c", "lru_cache_disable");
    stdout(&new(&dir, &["no-wait", "--base", "v6.12.117", "--from", &disable]));
    let drain = patch(&dir, "mm/swap.c", "__lru_add_drain_all");
    stdout(&new(&dir, &["again", "--base", "v6.12.117", "--from", &drain]));
    let file = dir.join("models/src/trees/no_wait.rs");
    let code = fs::read_to_string(&file).expect("written");
    let call = "    synchronize_rcu_expedited(&k.cpus);\n";
    assert!(code.contains(call), "{code}");
    let changed = code.replace(call, "").replace(", synchronize_rcu_expedited", "");
    fs::write(&file, changed).expect("edited");
    follow_the_tutorial(&dir);
    for part in ["crates", "models", "proofs"] {
        settle(&dir.join(part), &dir.with_extension("seen").join(part));
    }

    // The test of the claims, which is what `selvedge check` runs: the command of the copy would
    // take the place of the one that is tested here.
    let check = |scenario: &str, tree: &str| {
        let row = format!("{scenario}::{tree}::dpor");
        let args = ["test", "-q", "--test", "claims", "--", &row];
        let output = cargo(&dir, &args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (String::from_utf8_lossy(&output.stdout).into_owned(), errors)
    };
    let (said, errors) = check("install_vs_prep", "no-wait");
    assert!(said.contains("0 passed; 1 failed"), "{said}\n{errors}");
    assert!(said.contains("expected holds (as in v6.12.117), found: violated"), "{said}");
    assert!(said.contains("CPU0 installer"), "its table\n{said}");
    assert!(!errors.contains("warning"), "{errors}");
    // It compiles, the function is called through it, and nothing is different.
    let (said, errors) = check("install_vs_prep", "again");
    assert!(said.contains("1 passed; 0 failed"), "{said}\n{errors}");
    // What it mends is no failure, nor is what it leaves as it was.
    for scenario in ["add_vs_prep", "install_vs_prep"] {
        let (said, errors) = check(scenario, "my-rfc");
        assert!(said.contains("1 passed; 0 failed"), "{said}\n{errors}");
        assert!(!errors.contains("warning"), "{errors}");
    }
    // Of a row that nothing is on record of yet: it passes, is shown, and it is said how to keep
    // it.
    let known = dir.join("proofs/expected.tsv");
    let text = fs::read_to_string(&known).expect("what is on record");
    let is_other = |line: &&str| !line.contains("::install_vs_prep::rfc-migrate-pending::dpor");
    let others: Vec<&str> = text.lines().filter(is_other).collect();
    assert_eq!(text.lines().count(), others.len() + 1);
    write_unseen(&known, &(others.join("\n") + "\n"));
    let (said, errors) = check("install_vs_prep", "rfc-migrate-pending");
    assert!(said.contains("1 passed; 0 failed"), "{said}\n{errors}");
    for says in
        ["violated, as expected, and not on record yet", "CPU0 installer", "to keep it, when"]
    {
        assert!(errors.contains(says), "{says}\n{errors}");
    }
    let whole = ["test", "-q", "--test", "claims", "--", "is_on_record"];
    let said = String::from_utf8_lossy(&cargo(&dir, &whole).stdout).into_owned();
    assert!(said.contains("not on record") && said.contains("0 passed; 1 failed"), "{said}");
}
